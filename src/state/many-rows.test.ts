// Stores whose keys have any number of rows, and the calls beside merge: against a plain Map, over snapshots, restarts, lost batches and partition counts.
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import type { Row } from '../data/row-set.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { columnsToRows, rowsToColumns } from '../data/values.ts'
import type { FileQueryState } from './file-query-state.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { openQueryState } from './open-query-state.ts'
import { mixRowNumber, rowIds, rowNumberAt, secondPrefixWord } from './row-id.ts'
import { storeIdOf } from './state-files.ts'
import type { StateOperator } from './state-options.ts'
import type { FoundKeyedRows, KeyedBatch, QueryState, StateStore } from './state-store.ts'
import { keyed, MemoryFiles, newProvider, plainRow, runsHere, schemaFields } from './state-test-kit.ts'

const rowsSchema: StateSchema = {
  keys: [{ name: 'key', type: 'string', nullable: true }],
  values: [
    { name: 'expires', type: 'timestamp', nullable: true, merge: 'replace' },
    { name: 'matched', type: 'boolean', nullable: false, merge: 'replace' },
    { name: 'text', type: 'string', nullable: true, merge: 'replace' },
    { name: 'list', type: { kind: 'array', element: 'long', containsNull: true }, nullable: true, merge: 'replace' },
  ],
  eventTime: { value: 0 },
  rowsPerKey: 'many',
}
const byKeySchema: StateSchema = {
  ...rowsSchema,
  keys: [
    { name: 'key', type: 'string', nullable: true },
    { name: 'at', type: 'timestamp', nullable: true },
  ],
  eventTime: { key: 1 },
}

/** Few keys, so that some have many rows. */
function keyIdsOf(keys: readonly string[]): Uint32Array {
  const ids = new Uint32Array(keys.length * 4)
  keys.forEach((key, i) => {
    const digest = createHash('md5').update(key).digest()
    for (let word = 0; word < 4; word++) ids[4 * i + word] = digest.readUInt32BE(4 * word)
  })
  return ids
}
const seconds = (s: number | null) => (s === null ? null : new Date(s * 1000))
const idText = (ids: Uint32Array, i: number) => ids.subarray(4 * i, 4 * i + 4).join()

interface ModelRow {
  readonly key: string
  readonly row: Row
  readonly timeSeconds: number | null
}
/** Identity -> row. */
type Model = Map<string, ModelRow>

const someRow = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'hot', 'hot', 'hot', ...'defghijkl'),
  timeSeconds: fc.option(fc.integer({ min: 0, max: 100 }), { freq: 8 }),
  matched: fc.boolean(),
  text: fc.option(fc.string({ maxLength: 30 })),
  list: fc.option(fc.array(fc.bigInt({ min: -5n, max: 5n }), { maxLength: 2 })),
})
type SomeRow = typeof someRow extends fc.Arbitrary<infer T> ? T : never

const rowOf = ({ key, timeSeconds, matched, text, list }: SomeRow): ModelRow => ({
  key,
  timeSeconds,
  row: { key, expires: seconds(timeSeconds), matched, text, list },
})
const plainOf = (row: Row) => plainRow(columnsToRows(rowsToColumns(schemaFields(rowsSchema), [row]))[0]!)

function batchOf(ids: Uint32Array, rows: readonly ModelRow[]): KeyedBatch {
  return {
    keyIds: ids,
    rows: rowsToColumns(
      schemaFields(rowsSchema),
      rows.map(({ row }) => row),
    ),
  }
}
function pairs({ keyIds, rows }: KeyedBatch): string[] {
  return columnsToRows(rows)
    .map((row, i) => `${idText(keyIds, i)}: ${plainRow(row)}`)
    .sort()
}
function pairsOf(model: Iterable<readonly [string, ModelRow]>): string[] {
  return [...model].map(([id, { row }]) => `${id}: ${plainOf(row)}`).sort()
}
function allPairs(store: StateStore): string[] {
  return [...store.scanKeyed()].flatMap(pairs).sort()
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add' as const), rows: fc.array(someRow, { maxLength: 40, size: 'max' }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('change' as const),
      picks: fc.array(fc.tuple(fc.nat(), someRow), { maxLength: 15, size: 'max' }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('remove' as const), picks: fc.array(fc.nat(), { maxLength: 20, size: 'max' }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('evict' as const), seconds: fc.integer({ min: 0, max: 60 }), keyed: fc.boolean() }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** Does a step to the store and to the model, and compares what the calls return. */
function apply(store: StateStore, model: Model, action: Step): void {
  const known = [...model.keys()]
  const pick = (n: number) => known[n % known.length]!
  const wordsOf = (ids: readonly string[]) => Uint32Array.from(ids.flatMap((id) => id.split(',').map(Number)))
  if (action.kind === 'add') {
    const rows = action.rows.map(rowOf)
    const ids = store.newRowIds(keyIdsOf(rows.map(({ key }) => key)))
    store.put(batchOf(ids, rows))
    rows.forEach((row, i) => {
      expect(model.has(idText(ids, i))).toBe(false)
      model.set(idText(ids, i), row)
    })
  } else if (action.kind === 'change' && known.length > 0) {
    // twice the same identity in one batch: the last stays
    const changed = action.picks.map(([n, row]) => [pick(n), rowOf({ ...row, key: model.get(pick(n))!.key })] as const)
    store.put(
      batchOf(
        wordsOf(changed.map(([id]) => id)),
        changed.map(([, row]) => row),
      ),
    )
    for (const [id, row] of changed) model.set(id, row)
  } else if (action.kind === 'remove' && known.length > 0) {
    const ids = new Set(action.picks.map(pick))
    expect(store.remove(wordsOf([...action.picks.map(pick), '1,2,3,4']))).toBe(ids.size)
    for (const id of ids) model.delete(id)
  } else if (action.kind === 'evict') {
    const gone = [...model].filter(([, { timeSeconds }]) => timeSeconds !== null && timeSeconds <= action.seconds)
    const us = BigInt(action.seconds) * 1_000_000n
    if (action.keyed) expect(pairs(store.take(us))).toEqual(pairsOf(gone))
    else expect(store.evict(us, true).removed).toBe(gone.length)
    for (const [id] of gone) model.delete(id)
  }
}

function checkLookups(store: StateStore, model: Model): void {
  const keys = ['hot', 'a', 'nobody', 'd']
  const found = store.lookup(keyIdsOf(keys))
  expect(pairs(found)).toEqual(pairsOf([...model].filter(([, { key }]) => keys.includes(key))))
  columnsToRows(found.rows).forEach((row, i) => expect(row['key']).toBe(keys[found.asked[i]!]))
  const some = [...model.keys()].filter((_, i) => i % 3 === 0)
  const got: FoundKeyedRows = store.get(Uint32Array.from([...some.flatMap((id) => id.split(',').map(Number)), 9, 9, 9, 9]))
  expect(pairs(got)).toEqual(pairsOf(some.map((id) => [id, model.get(id)!] as const)))
  got.asked.forEach((asked, i) => expect(idText(got.keyIds, i)).toBe(some[asked]))
}

test('any adds, changes, removals and evictions leave what a plain map has', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25, size: 'max' }), fc.constantFrom(1, 3, 128), (steps, keyGroups) => {
      const store = new MemoryStateStore(rowsSchema, keyGroups)
      const model: Model = new Map()
      for (const action of steps) {
        apply(store, model, action)
        checkLookups(store, model)
        expect(allPairs(store)).toEqual(pairsOf(model))
        expect(store.numRows).toBe(model.size)
      }
      store.evict(1000n * 1_000_000n, false)
      expect(store.numRows).toBe([...model.values()].filter(({ timeSeconds }) => timeSeconds === null).length)
    }),
    { numRuns: 200 },
  )
})

test('snapshots, restarts, lost batches and other partition counts keep the rows and their chains', async () => {
  const phase = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('batch' as const), steps: fc.array(step, { maxLength: 4 }) }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'snapshot' as const }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('restart' as const), partitions: fc.integer({ min: 1, max: 16 }) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('lost' as const), steps: fc.array(step, { maxLength: 3 }) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(phase, { maxLength: 20, size: 'max' }), async (phases) => {
      const lab = new Lab([
        { operatorId: 0, name: 'symmetricHashJoin', storeName: 'left', schema: rowsSchema },
        { operatorId: 0, name: 'symmetricHashJoin', storeName: 'right', schema: rowsSchema },
      ])
      await lab.start(3)
      const models: Model[] = [new Map(), new Map()]
      const stores = () => ['left', 'right'].map((name) => lab.state.store(0, name))
      const compare = () => stores().forEach((store, i) => expect(allPairs(store)).toEqual(pairsOf(models[i]!)))
      for (const action of phases) {
        if (action.kind === 'batch') {
          action.steps.forEach((one, i) => apply(stores()[i % 2]!, models[i % 2]!, one))
          await lab.commit()
        } else if (action.kind === 'snapshot') await lab.snapshot()
        else {
          if (action.kind === 'lost') {
            const copies = models.map((model) => new Map(model))
            action.steps.forEach((one, i) => apply(stores()[i % 2]!, copies[i % 2]!, one))
            await lab.state.commit() // and no commits/N: the process dies
          }
          await lab.start(action.kind === 'restart' ? action.partitions : 5)
        }
        compare()
        stores().forEach((store, i) => checkLookups(store, models[i]!))
      }
      await lab.start(7)
      compare()
    }),
    { numRuns: runsHere(40) },
  )
})

class Lab {
  files = new MemoryFiles()
  clock = new ManualClock(1000)
  commits = new Map<number, number>()
  epoch = 0
  version = 0
  state!: QueryState
  readonly #provider = newProvider()
  readonly operators: StateOperator[]
  constructor(operators: StateOperator[]) {
    this.operators = operators
  }
  async start(partitions = 3, operators = this.operators): Promise<void> {
    this.epoch++
    await this.state?.close()
    this.state = await openQueryState({
      files: this.files,
      folder: '/checkpoint/state',
      queryId: 'query-1',
      epoch: this.epoch,
      version: this.version,
      epochOf: async (version) => this.commits.get(version),
      operators,
      keyGroups: 16,
      partitions,
      checkFence: async () => {},
      clock: this.clock,
      provider: this.#provider(),
      maintenanceIntervalMs: 10,
      minBatchesToRetain: 4,
      maxSnapshotRows: 20,
    })
  }
  async commit(): Promise<void> {
    await this.state.commit()
    this.commits.set(++this.version, this.epoch)
    await this.state.afterCommit()
  }
  async snapshot(): Promise<void> {
    this.clock.advance(60_000)
    for (let i = 0; i < 20; i++) {
      await this.state.afterCommit()
      await (this.state as FileQueryState).settled()
    }
  }
}

test('the event time may be a key column too', () => {
  const store = new MemoryStateStore(byKeySchema, 4)
  const rows = [10, 20, null, 20].map((s) => ({ key: 'k', at: seconds(s), expires: seconds(5), matched: false, text: null, list: null }))
  const ids = store.newRowIds(keyIdsOf(rows.map(() => 'k')))
  store.put({ keyIds: ids, rows: rowsToColumns(schemaFields(byKeySchema), rows) })
  expect(store.take(20_000_000n).rows.length).toBe(3)
  expect(store.lookup(keyIdsOf(['k'])).rows.length).toBe(1)
})

describe('row identities', () => {
  test('keep the key in their first word, give back its second and the number, and are numbered on after a restart', async () => {
    const key = keyIdsOf(['x'])
    for (const number of [1, 2 ** 32 - 1, 2 ** 32, 2 ** 45 + 17]) {
      const ids = rowIds(key, number)
      expect(ids[0]).toBe(key[0])
      expect(secondPrefixWord(ids, 0) >>> 0).toBe(key[1])
      expect(rowNumberAt(ids, 0)).toBe(number)
    }
    expect(mixRowNumber(1, 0)).not.toBe(mixRowNumber(2, 0))
    const lab = new Lab([{ operatorId: 0, name: 'x', schema: rowsSchema }])
    await lab.start()
    apply(lab.state.store(0), new Map(), { kind: 'add', rows: Array.from({ length: 5 }, () => fixedRow) })
    await lab.commit()
    await lab.start()
    expect(rowNumberAt(lab.state.store(0).newRowIds(key), 0)).toBe(6)
  })
  test('keys of one group that share the second half of their prefix are kept apart', () => {
    const store = new MemoryStateStore({ ...rowsSchema, values: [], eventTime: null }, 4)
    const prefixes = [4, 8, 12, 4, 8, 16]
    const keyIds = (of: readonly number[]) => Uint32Array.from(of.flatMap((first) => [first, 7, 0, 0]))
    const rows = rowsToColumns(
      schemaFields({ ...rowsSchema, values: [] }),
      prefixes.map((first) => ({ key: `k${first}` })),
    )
    const ids = store.newRowIds(keyIds(prefixes))
    store.put({ keyIds: ids, rows })
    const found = () => [4, 8, 12, 16, 20].map((first) => store.lookup(keyIds([first])).rows.length)
    expect(found()).toEqual([2, 2, 1, 1, 0])
    // the first row of a chain, one behind it, and one that is alone
    expect(store.remove(Uint32Array.from([3, 1, 2].flatMap((row) => [...ids.subarray(4 * row, 4 * row + 4)])))).toBe(3)
    expect(found()).toEqual([1, 1, 0, 1, 0])
    store.committed(1)
    expect(store.numKeys).toBe(3)
  })

  test('a key with very many rows is as quick as many keys', () => {
    const store = new MemoryStateStore({ ...rowsSchema, values: [], eventTime: null }, 16)
    const keys = Array.from({ length: 100_000 }, () => 'one')
    const rows = rowsToColumns(
      schemaFields({ ...rowsSchema, values: [] }),
      keys.map((key) => ({ key })),
    )
    const ids = store.newRowIds(keyIdsOf(keys))
    store.put({ keyIds: ids, rows })
    // were they in one stretch of the table, this would take 10^10 steps
    expect(store.remove(ids.subarray(0, 4 * 99_999))).toBe(99_999)
    expect(store.lookup(keyIdsOf(['one'])).rows.length).toBe(1)
  })
})
const fixedRow: SomeRow = { key: 'k', timeSeconds: 1, matched: true, text: 't', list: null }

test('stores of one operator lie in folders of their own, and another set of stores is refused', async () => {
  const left = { operatorId: 0, name: 'symmetricHashJoin', storeName: 'left', schema: rowsSchema }
  const odd = { operatorId: 0, name: 'symmetricHashJoin', storeName: 'snapshots', schema: rowsSchema }
  const lab = new Lab([left, odd])
  await lab.start()
  apply(lab.state.store(0, 'snapshots'), new Map(), { kind: 'add', rows: [fixedRow] })
  await lab.commit()
  expect([...lab.files.content.keys()].filter((path) => path.includes('_schema')).sort()).toEqual([
    '/checkpoint/state/0/%73napshots/_schema/0',
    '/checkpoint/state/0/left/_schema/0',
  ])
  expect(Buffer.from(lab.files.content.get('/checkpoint/state/0/left/_schema/0')!).toString()).toMatch(/^v2\n/)
  expect([storeIdOf(3), storeIdOf(3, '_schema'), storeIdOf(3, '../x'), storeIdOf(3, 'größe')]).toEqual([
    3,
    '3/%5Fschema',
    '3/%2E.%2Fx',
    '3/gr%C3%B6%C3%9Fe',
  ])
  await expect(lab.start(3, [left])).rejects.toThrow(
    expect.objectContaining({ code: 'STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA' }),
  )
  await expect(lab.start(3, [{ ...left, schema: { ...rowsSchema, rowsPerKey: undefined as never } }, odd])).rejects.toThrow(
    expect.objectContaining({ code: 'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE', what: expect.stringContaining('any number of rows') }),
  )
})

describe('stores with one row a key', () => {
  const schema: StateSchema = {
    keys: [{ name: 'id', type: 'int', nullable: false }],
    values: [
      { name: 'expires', type: 'timestamp', nullable: true, merge: 'replace' },
      { name: 'text', type: 'string', nullable: true, merge: 'replace' },
    ],
    eventTime: { value: 0 },
  }
  const row = (id: number, s: number | null, text: string | null = null): Row => ({ id, expires: seconds(s), text })

  test('insert keeps what is there, and says which rows were new', () => {
    const store = new MemoryStateStore(schema, 4)
    expect([...store.insert(keyed(schema, [row(1, 10, 'a'), row(2, 20), row(1, 99, 'b')]))]).toEqual([0, 1])
    expect([...store.insert(keyed(schema, [row(3, null), row(2, 99), row(4, 5)]))]).toEqual([0, 2])
    expect(columnsToRows(store.get(keyed(schema, [row(1, 0)]).keyIds).rows)[0]).toMatchObject({ text: 'a' })
    expect(store.evict(20_000_000n, true).removed).toBe(3)
    expect(store.numRows).toBe(1)
    expect([...store.insert(keyed(schema, []))]).toEqual([])
  })
  test('merge and put move a row to its new time, load included', async () => {
    const lab = new Lab([{ operatorId: 0, name: 'x', schema }])
    await lab.start()
    lab.state.store(0).merge(keyed(schema, [row(1, 10), row(2, 10), row(3, 10)]), false)
    await lab.commit()
    lab.state.store(0).put(keyed(schema, [row(1, 50), row(1, 60), row(4, 10)]))
    lab.state.store(0).merge(keyed(schema, [row(2, null), row(3, 70)]), false)
    await lab.commit()
    for (const at of ['running', 'loaded']) {
      if (at === 'loaded') await lab.start()
      const store = lab.state.store(0)
      expect([store.evict(10_000_000n, false).removed, store.evict(59_000_000n, false).removed]).toEqual([1, 0])
      expect([store.evict(60_000_000n, false).removed, store.evict(70_000_000n, false).removed]).toEqual([1, 1])
      expect(store.numRows).toBe(1)
    }
  })
  test('calls for many rows are refused', () => {
    const one = new MemoryStateStore(schema, 4)
    const many = new MemoryStateStore(rowsSchema, 4)
    const internal = expect.objectContaining({ code: 'INTERNAL_ERROR' })
    expect(() => one.lookup(new Uint32Array(4))).toThrow(internal)
    expect(() => one.newRowIds(new Uint32Array(4))).toThrow(internal)
    expect(() => many.merge(batchOf(new Uint32Array(4), [rowOf(fixedRow)]))).toThrow(internal)
    expect(() => many.insert(batchOf(new Uint32Array(4), [rowOf(fixedRow)]))).toThrow(internal)
  })
})
