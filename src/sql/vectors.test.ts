import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { type Column, type ColumnBatch, columnKind, fixedArray } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import { columnsToRows, encodeStrings, rowsToColumns } from '../data/values.ts'
import type { SqlBatch } from './sql-batch.ts'
import { SqlEngine } from './sql-engine.ts'

let engine: SqlEngine
beforeAll(async () => {
  engine = await SqlEngine.open({ files: new LocalFiles(), threads: 2 })
})
afterAll(() => engine.close())

async function inBatch<T>(use: (batch: SqlBatch) => Promise<T>): Promise<T> {
  const batch = await engine.beginBatch({ batchTimestampMs: 0, salt: 'salt' })
  try {
    return await use(batch)
  } finally {
    await batch.close()
  }
}
function oneColumn(type: DataType, column: Column, length: number): ColumnBatch {
  return { schema: new Schema([{ name: 'x', type, nullable: true }]), length, columns: [column] }
}
/** Through DuckDB's tables, and through a query that makes new vectors (a sort), which is where strings get other memory. */
async function roundTrip(batch: ColumnBatch): Promise<[ColumnBatch, ColumnBatch]> {
  return inBatch(async (sql) => {
    const table = await sql.load(batch)
    const same = await sql.rowSet(table).toColumns()
    const copy = sql.fragment('SELECT * EXCLUDE (n) FROM (SELECT *, row_number() OVER () AS n FROM ⟦0⟧) ORDER BY n', [table], batch.schema)
    return [same, await sql.rowSet(copy).toColumns()]
  })
}

const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'exactly12byt',
    'exactly 13 by',
    'ü',
    'żółć gęślą jaźń',
    '😀'.repeat(5),
    '\0',
    'a\0b',
    '\u{10ffff}',
    'quote \' and " \\ \n',
  ),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ minLength: 0, maxLength: 14 }),
  fc.nat(300).map((size) => 'x'.repeat(size)),
)
const bytes = fc.uint8Array({ maxLength: 40 })

describe('columns of text and bytes come back as they went in', () => {
  test('strings', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(text, { freq: 5 }), { maxLength: 200 }), fc.constantFrom(1, 1, 30), async (some, times) => {
        const values = Array.from({ length: times }, () => some).flat()
        const input = rowsToColumns(
          new Schema([{ name: 'x', type: 'string', nullable: true }]),
          values.map((x) => ({ x })),
        )
        for (const output of await roundTrip(input)) expect(columnsToRows(output).map((row) => row['x'])).toEqual(values)
      }),
      { numRuns: 150 },
    )
  })
  test('binary, any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.option(bytes, { freq: 5 }), { maxLength: 300 }), async (values) => {
        const input = rowsToColumns(
          new Schema([{ name: 'x', type: 'binary', nullable: true }]),
          values.map((x) => ({ x })),
        )
        for (const output of await roundTrip(input)) {
          expect(columnsToRows(output).map((row) => row['x'])).toEqual(values.map((x) => (x === null ? null : new Uint8Array(x))))
        }
      }),
      { numRuns: 100 },
    )
  })
  test('one value of 3 MB among short ones', async () => {
    const values = ['a', 'b'.repeat(3_000_000), null, 'c'.repeat(13), '']
    const input = rowsToColumns(
      new Schema([{ name: 'x', type: 'string', nullable: true }]),
      values.map((x) => ({ x })),
    )
    for (const output of await roundTrip(input)) expect(columnsToRows(output).map((row) => row['x'])).toEqual(values)
  })
  test('a heap whose offsets do not begin at 0 (a part of another column)', async () => {
    const { offsets, heap } = encodeStrings(['left out, and long', 'first of the kept ones', 'tiny', 'and another that is long'])
    const column: Column = { kind: 'bytes', type: 'string', offsets: offsets.subarray(1), heap, valid: null }
    const [output] = await roundTrip(oneColumn('string', column, 3))
    expect(columnsToRows(output).map((row) => row['x'])).toEqual(['first of the kept ones', 'tiny', 'and another that is long'])
  })
  test('bytes that are no UTF-8 are refused in a string column, and kept in a binary one', async () => {
    const heap = new Uint8Array(20).fill(0xff)
    const column: Column = { kind: 'bytes', type: 'string', offsets: Uint32Array.of(0, 20), heap, valid: null }
    await expect(roundTrip(oneColumn('string', column, 1))).rejects.toMatchObject({ code: 'INVALID_UTF8_STRING' })
    const [output] = await roundTrip(oneColumn('binary', { ...column, type: 'binary' }, 1))
    expect(columnsToRows(output)[0]!['x']).toEqual(heap)
  })
})

const fixedTypes: DataType[] = [
  'boolean',
  'byte',
  'short',
  'int',
  'long',
  'float',
  'double',
  'date',
  'timestamp',
  'timestamp_ntz',
  { kind: 'decimal', precision: 3, scale: 1 },
  { kind: 'decimal', precision: 9, scale: 2 },
  { kind: 'decimal', precision: 18, scale: 4 },
]
function bigintOf(type: DataType): fc.Arbitrary<bigint> {
  if (typeof type !== 'string' && type.kind === 'decimal')
    return fc.bigInt(-(10n ** BigInt(type.precision)) + 1n, 10n ** BigInt(type.precision) - 1n)
  if (type === 'long') return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)
  return fc.bigInt(-62_135_596_800_000_000n, 253_402_300_799_999_999n)
}

describe('columns of fixed width come back bit by bit', () => {
  test.each(fixedTypes)('%j', async (type) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 5000 }),
        fc.constantFrom(0, 1, 2),
        fc.infiniteStream(bigintOf(type)),
        fc.infiniteStream(fc.double()),
        fc.nat(),
        async (length, nulls, bigints, doubles, seed) => {
          const data = fixedArray(type, length)
          for (let i = 0; i < length; i++) {
            if (data instanceof BigInt64Array)
              data[i] = i < 50 ? bigints.next().value : BigInt((i * 7919 + seed) % 999) * (i % 2 === 0 ? 1n : -1n)
            else if (type === 'boolean') data[i] = (i + seed) % 3 === 0 ? 1 : 0
            else if (type === 'float' || type === 'double') data[i] = i < 50 ? doubles.next().value : i / 7
            else if (type === 'date') data[i] = ((i * 7919 + seed) % 2_000_000) - 700_000
            else data[i] = (i * 2654435761 + seed) | 0
          }
          const valid =
            nulls === 0 ? null : Uint8Array.from({ length }, (_, i) => ((i * 31 + seed) % (nulls === 1 ? 2 : 500) === 0 ? 0 : 1))
          for (const output of await roundTrip(oneColumn(type, { kind: 'fixed', type, data, valid }, length))) {
            const column = output.columns[0]!
            if (column.kind !== 'fixed') throw new Error(`came back as ${column.kind}`)
            expect(output.length).toBe(length)
            for (let i = 0; i < length; i++) {
              const isNull = valid !== null && valid[i] === 0
              if (isNull !== (column.valid !== null && column.valid[i] === 0)) throw new Error(`row ${i}: null ${isNull}`)
              if (!isNull && !Object.is(column.data[i], data[i])) throw new Error(`row ${i}: ${data[i]} came back as ${column.data[i]}`)
            }
          }
        },
      ),
      { numRuns: 12 },
    )
  })
})

describe('nested and wide values', () => {
  const nested: readonly (readonly [DataType, readonly unknown[]])[] = [
    [{ kind: 'decimal', precision: 38, scale: 10 }, ['12345678901234567890.0123456789', '-0.0000000001', null, '0']],
    [{ kind: 'array', element: 'string', containsNull: true }, [['a', null, 'long enough to be elsewhere'], [], null]],
    [
      { kind: 'array', element: { kind: 'array', element: 'int', containsNull: true }, containsNull: true },
      [[[1, null], [], null], null, []],
    ],
    [
      { kind: 'map', key: 'string', value: 'long', valueContainsNull: true },
      [
        new Map([
          ['a', 1n],
          ['b', null],
        ]),
        new Map(),
        null,
      ],
    ],
    [
      {
        kind: 'struct',
        fields: [
          { name: 'start', type: 'timestamp', nullable: true },
          { name: 'end', type: 'timestamp', nullable: true },
          { name: 'd', type: 'date', nullable: true },
          { name: 'b', type: 'binary', nullable: true },
          { name: 'yes', type: 'boolean', nullable: true },
          { name: 'm', type: { kind: 'decimal', precision: 5, scale: 2 }, nullable: true },
        ],
      },
      [
        { start: '2001-01-01T00:00:00.000001Z', end: null, d: '1969-12-31', b: Uint8Array.of(0, 255), yes: true, m: '-1.25' },
        null,
        { start: null, end: null, d: null, b: null, yes: false, m: null },
      ],
    ],
    ['void', [null, null]],
  ]
  test.each(nested)('%j', async (type, some) => {
    const values = Array.from({ length: 1500 }, (_, i) => some[i % some.length]!)
    const schema = new Schema([{ name: 'x', type, nullable: true }])
    const input = rowsToColumns(
      schema,
      values.map((x) => ({ x })),
    )
    for (const output of await roundTrip(input)) {
      expect(output.columns[0]!.kind).toBe(columnKind(type))
      expect(JSON.stringify(columnsToRows(output), plain)).toEqual(JSON.stringify(columnsToRows(input), plain))
    }
  })
})
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Map) return [...value]
  if (value instanceof Uint8Array) return [...value]
  return typeof value === 'bigint' ? `${value}n` : value
}

describe('keyed columns', () => {
  test('the 128 bits come as four words, most significant first', async () => {
    const schema = new Schema([{ name: 'k', type: 'long', nullable: true }])
    const { keyIds, rows } = await inBatch((sql) =>
      sql.keyedColumns(
        `SELECT id::UHUGEINT AS key_id, v AS k0 FROM (VALUES ('340282366920938463463374607431768211455', 1::BIGINT), ('5233100606242806050955395731361295', 2), ('1', NULL)) t(id, v)`,
        [],
        schema,
      ),
    )
    expect([...keyIds]).toEqual([
      0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x00010203, 0x04050607, 0x08090a0b, 0x0c0d0e0f, 0, 0, 0, 1,
    ])
    expect(columnsToRows(rows)).toEqual([{ k: 1n }, { k: 2n }, { k: null }])
  })
  test('a column of another type than the plan says is our defect, and is not read as other bytes', async () => {
    const schema = new Schema([{ name: 'k', type: 'long', nullable: true }])
    await expect(inBatch((sql) => sql.keyedColumns('SELECT 1::UHUGEINT AS key_id, 1::INTEGER AS k0', [], schema))).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
    })
    await expect(inBatch((sql) => sql.keyedColumns('SELECT 1::HUGEINT AS key_id, 1::BIGINT AS k0', [], schema))).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
    })
  })
})
