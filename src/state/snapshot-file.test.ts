import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StateSchema } from '../data/state-schema.ts'
import { ByteWriter } from './byte-writer.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { decodeSnapshot, encodeSnapshot, type SnapshotHeader } from './snapshot-file.ts'
import { everySchema, keyed, plain, plainRows, StateModel, someRows } from './state-test-kit.ts'

const header: SnapshotHeader = { queryId: 'q', operatorId: 0, version: 7, epoch: 2, schemaId: 0, keyGroups: 8 }
const encode = (store: MemoryStateStore, groups = store.groups) => {
  const writer = new ByteWriter()
  for (const _page of encodeSnapshot(writer, new ByteWriter(), header, store.schema, groups));
  return new Uint8Array(writer.content)
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'snapshot-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

async function query(bytes: Uint8Array, sql: string): Promise<Record<string, unknown>[]> {
  const path = join(folder, 'snapshot.parquet')
  writeFileSync(path, bytes)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll(sql.replace('FILE', `read_parquet('${path}')`))
  const rows = reader.getRowObjects()
  connection.closeSync()
  instance.closeSync()
  return rows
}

test('DuckDB reads every type under its name', async () => {
  const rows = fc.sample(someRows(everySchema, 300, 400), { seed: 5, numRuns: 20 }).flat()
  const store = new MemoryStateStore(everySchema, 8)
  const model = new StateModel(everySchema)
  store.merge(keyed(everySchema, rows), false)
  model.merge(rows)
  expect(model.rows.size).toBeGreaterThan(150)
  const bytes = encode(store)
  const types = Object.fromEntries((await query(bytes, 'DESCRIBE FROM FILE')).map((row) => [row['column_name'], row['column_type']]))
  expect(types).toMatchObject({
    _key_id: 'BLOB',
    _key_group: 'INTEGER',
    id: 'INTEGER',
    at: 'TIMESTAMP WITH TIME ZONE',
    name: 'VARCHAR',
    flag: 'BOOLEAN',
    sum_long: 'BIGINT',
    sum_double: 'DOUBLE',
    sum_decimal: 'DECIMAL(12,2)',
    sum_big: 'DECIMAL(30,3)',
    min_float: 'FLOAT',
    min_date: 'DATE',
    max_time: 'TIMESTAMP',
    max_short: 'SMALLINT',
    min_byte: 'TINYINT',
    replace_binary: 'BLOB',
    replace_list: 'JSON',
  })
  const text: Record<string, string> = {
    at: 'epoch_us("at")',
    max_time: 'epoch_us(max_time)',
    replace_binary: "'0x' || lower(hex(replace_binary))",
  }
  const names = [...everySchema.keys, ...everySchema.values]
    .map(({ name }) => name)
    .filter((name) => !['replace_list', 'last_struct', 'max_list'].includes(name))
  const read = await query(
    bytes,
    `SELECT ${names.map((name) => `CAST(${text[name] ?? name} AS VARCHAR) AS "${name}"`).join(', ')} FROM FILE`,
  )
  expect(read).toHaveLength(model.rows.size)
  for (const row of read) {
    const expected = model.rows.get(Number(row['id']))!
    for (const name of names) expect(number(row[name]), `${name} of ${row['id']}`).toBe(number(inDuckDb(name, expected[name])))
  }
  const [lists] = await query(
    bytes,
    'SELECT count(*) AS n, sum(json_array_length(replace_list)) AS items FROM FILE WHERE replace_list IS NOT NULL',
  )
  const kept = [...model.rows.values()].map((row) => row['replace_list'] as unknown[] | null).filter((list) => list !== null)
  expect(lists).toEqual({ n: BigInt(kept.length), items: BigInt(kept.flat().length) })
})
function inDuckDb(name: string, value: unknown): string | null {
  if (value === null) return null
  if (name === 'at') return String((value as { epochNanoseconds: bigint }).epochNanoseconds / 1000n)
  if (name === 'max_time')
    return String(
      (value as { toZonedDateTime(zone: string): { epochNanoseconds: bigint } }).toZonedDateTime('UTC').epochNanoseconds / 1000n,
    )
  return plain(value)
}
/** 1 and 1.0 are the same number, NaN and nan, Infinity and inf. */
function number(text: unknown): unknown {
  const value =
    typeof text === 'string' && /^-?(\d+\.\d+|nan|inf|infinity)$/i.test(text)
      ? Number(
          text
            .toLowerCase()
            .replace('nan', 'NaN')
            .replace(/inf(inity)?/, 'Infinity'),
        )
      : text
  return typeof value === 'number' ? String(value === 0 ? 0 : value) : value
}

test('the key id and its group are those of the key', async () => {
  const schema: StateSchema = { keys: everySchema.keys.slice(0, 1), values: [everySchema.values[0]!], eventTime: null }
  const store = new MemoryStateStore(schema, 8)
  const batch = keyed(schema, [
    { id: 5, count: 1n },
    { id: 6, count: 1n },
  ])
  store.merge(batch)
  const rows = await query(encode(store), 'SELECT id, lower(hex(_key_id)) AS key, _key_group AS g FROM FILE ORDER BY id')
  rows.forEach((row, i) => {
    const words = [...batch.keyIds.subarray(4 * i, 4 * i + 4)]
    expect(row['key']).toBe(words.map((word) => word.toString(16).padStart(8, '0')).join(''))
    expect(row['g']).toBe(words[0]! % 8)
  })
})

test('columns of one name are told apart', async () => {
  const column = (name: string) => ({ name, type: 'long' as const, nullable: false, merge: 'sum' as const })
  const schema: StateSchema = {
    keys: [{ name: 'id', type: 'int', nullable: false }],
    values: [column('n'), column('N'), column('_key_id'), column('n_1')],
    eventTime: null,
  }
  const store = new MemoryStateStore(schema, 8)
  store.merge({
    ...keyed({ ...schema, values: [] }, [{ id: 1 }]),
    rows: {
      schema: store.rowSchema,
      length: 1,
      columns: [
        { kind: 'fixed', type: 'int', data: Int32Array.of(1), valid: null },
        ...[1n, 2n, 3n, 4n].map((n) => ({ kind: 'fixed' as const, type: 'long' as const, data: BigInt64Array.of(n), valid: null })),
      ],
    },
  })
  const [row] = await query(encode(store), 'SELECT * EXCLUDE (_key_id, _key_group) FROM FILE')
  expect(row).toEqual({ id: 1, n: 1n, N_1: 2n, _key_id_1: 3n, n_1_1: 4n })
})

test('groups go in and out whole, in any selection', () => {
  fc.assert(
    fc.property(someRows(everySchema, 100, 150), fc.uint8Array({ minLength: 8, maxLength: 8, max: 1 }), (rows, selection) => {
      const store = new MemoryStateStore(everySchema, 8)
      store.merge(keyed(everySchema, rows), false)
      const bytes = encode(store)
      const loaded = new MemoryStateStore(everySchema, 8)
      decodeSnapshot(bytes, header, everySchema, loaded.groups, (group) => selection[group] === 1)
      expect(loaded.groups.map((group) => group.rows)).toEqual(store.groups.map((group, g) => (selection[g] === 1 ? group.rows : 0)))
      decodeSnapshot(bytes, header, everySchema, loaded.groups, (group) => selection[group] === 0)
      expect(plainRows(loaded.scan())).toEqual(plainRows(store.scan()))
      // what was loaded works on: keys are found, and those that are due are
      loaded.merge(keyed(everySchema, rows), false)
      expect(loaded.numRows).toBe(store.numRows)
      expect(loaded.evict(1_700_000_001_000_000n, false).removed).toBe(store.evict(1_700_000_001_000_000n, false).removed)
    }),
    { numRuns: 30 },
  )
})

test('a snapshot of another version, operator or query is not taken', () => {
  const store = new MemoryStateStore(everySchema, 8)
  for (const [key, value] of Object.entries({ queryId: 'r', operatorId: 1, version: 8, epoch: 3, schemaId: 1, keyGroups: 4 })) {
    expect(() => decodeSnapshot(encode(store), { ...header, [key]: value }, everySchema, store.groups, () => true)).toThrow(key)
  }
})
