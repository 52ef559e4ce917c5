// format('statestore') and format('state-metadata') over checkpoints that queries have made, also while they run.
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { type Event, kinds, type QueryKind, start, type Untyped, useFolders } from './queries.ts'

const engine = useEngine()
const folder = useFolders()
const seed = Number(process.env['MILLRACE_ORACLE_SEED'] ?? Date.now() % 1_000_000)
const runs = Number(process.env['MILLRACE_ORACLE_RUNS'] ?? 5)
console.log(`change feed: seed ${seed}, ${runs} runs each`)

const state = (path: string, options: Readonly<Record<string, string | number | boolean>> = {}) =>
  engine().read.format('statestore').options(options).load(path) as Promise<Untyped>
const rowsOf = async (path: string, options: Readonly<Record<string, string | number | boolean>> = {}) =>
  ((await (await state(path, options)).collect()) as Untyped[]).map(plain)

/** Values that compare by text. */
function plain(value: Untyped): Untyped {
  if (typeof value === 'bigint') return Number(value)
  if (value !== null && typeof value === 'object' && 'epochMilliseconds' in value) return value.epochMilliseconds / 1000
  if (Array.isArray(value)) return value.map(plain)
  return value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value
}
const byText = (rows: Untyped[]) => rows.map((row) => JSON.stringify(row)).sort()
const without = (rows: Untyped[], ...names: string[]) =>
  rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name))))

test('an aggregation shows its keys, windows whole, and its accumulators by name; while the query runs', async () => {
  const path = await folder()
  const query = await start(engine(), kinds.windows, path)
  await query.feed([
    { k: 'a', at: 21, v: 3 },
    { k: 'a', at: 22, v: 5 },
    { k: null, at: 35, v: 1 },
  ])
  const frame = await state(path)
  expect(frame.schema.names).toEqual(['key', 'value', 'partition_id'])
  expect(without((await frame.collect()).map(plain), 'partition_id')).toEqual(
    expect.arrayContaining([
      { key: { w: { start: 20, end: 30 }, k: 'a' }, value: { n: 2, total: 8, 'mean.sum': 8 } },
      { key: { w: { start: 30, end: 40 }, k: null }, value: { n: 1, total: 1, 'mean.sum': 1 } },
    ]),
  )
  // the DataFrame is that of its batch, whatever the query does meanwhile
  await query.feed([{ k: 'b', at: 41, v: 9 }])
  expect(await frame.count()).toBe(2)
  const usable = await (await state(path)).where('key.k = "b"').selectExpr('value.total AS total').collect()
  expect(usable).toEqual([{ total: 9n }])
  await query.stop()
})

test('a batch of the past, one partition from a snapshot, and what is no batch', async () => {
  const path = await folder()
  const query = await start(engine(), kinds.counts, path, { 'spark.sql.streaming.stateStore.maintenanceInterval': '0s' })
  const keys = Array.from({ length: 6 }, (_, i) => ({ k: `k${i}`, at: 1, v: i }))
  for (let i = 0; i < 14; i++) await query.feed(keys.map((event) => ({ ...event, v: i })))
  await query.stop()
  const at = async (batchId: number) => (await rowsOf(path, { batchId })).map(({ value }) => value.n)
  expect([await at(0), await at(5)]).toEqual([Array(6).fill(1), Array(6).fill(6)])
  const all = await rowsOf(path)
  const partitions = new Set(all.map(({ partition_id }) => partition_id))
  expect(Math.max(...partitions)).toBeLessThan(Number(engine().conf.get('spark.sql.shuffle.partitions')))
  const missing = await rowsOf(path, { snapshotStartBatchId: 999, snapshotPartitionId: 0, batchId: 13 }).catch((error) => error)
  expect(missing.code).toBe('STDS_INVALID_OPTION_VALUE.WITH_MESSAGE')
  const none = await rowsOf(path, { snapshotStartBatchId: 0, snapshotPartitionId: 0 }).catch((error) => error)
  const taken = /some of (\d+)/.exec(none.message)?.[1]
  expect(none).toMatchObject({ code: 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE' })
  expect(taken).toBeDefined()
  const [{ partition_id: snapshotPartitionId }] = all
  const fromSnapshot = await rowsOf(path, { snapshotStartBatchId: Number(taken), snapshotPartitionId })
  expect(byText(fromSnapshot)).toEqual(byText(all.filter(({ partition_id }) => partition_id === snapshotPartitionId)))
  expect(fromSnapshot.length).toBeGreaterThan(0)
  await expect(rowsOf(path, { batchId: 100 })).rejects.toMatchObject({ code: 'STDS_OFFSET_LOG_UNAVAILABLE' })
})

test('deduplication and joins: keys without values, and each side of its own', async () => {
  const events: Event[] = [
    { k: 'a', at: 21, v: 3 },
    { k: 'b', at: 22, v: 5 },
  ]
  const dedupe = await folder()
  const query = await start(engine(), kinds.dedupe, dedupe)
  await query.feed(events)
  await query.stop()
  expect(byText(without(await rowsOf(dedupe), 'partition_id'))).toEqual(
    byText([
      { key: { k: 'a', at: 21 }, value: { __dummy__: null } },
      { key: { k: 'b', at: 22 }, value: { __dummy__: null } },
    ]),
  )
  const joined = await folder()
  const join = await start(engine(), kinds.join, joined)
  await join.feed(events)
  await join.stop()
  const left = without(await rowsOf(joined, { joinSide: 'left' }), 'partition_id')
  expect(byText(left)).toEqual(
    byText([
      { key: { lk: 'a' }, value: { lat: 21, lv: 3, matched: true } },
      { key: { lk: 'b' }, value: { lat: 22, lv: 5, matched: true } },
    ]),
  )
  expect(without(await rowsOf(joined, { storeName: 'right' }), 'partition_id')).toHaveLength(2)
  await expect(state(joined)).rejects.toMatchObject({
    code: 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE',
    what: expect.stringContaining('left, right'),
  })
  const metadata = await engine().read.format('state-metadata').load(joined)
  expect((await metadata.collect()).map(plain)).toEqual(
    ['left', 'right'].map((stateStoreName) => ({
      operatorId: 0,
      operatorName: 'symmetricHashJoin',
      stateStoreName,
      numPartitions: Number(engine().conf.get('spark.sql.shuffle.partitions')),
      minBatchId: 0,
      maxBatchId: expect.any(Number),
      operatorProperties: '',
      _numColsPrefixKey: 1,
    })),
  )
})

test.each([
  [{ batchId: -1 }, 'STDS_INVALID_OPTION_VALUE.IS_NEGATIVE'],
  [{ batchId: 'x' }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ storeName: '' }, 'STDS_INVALID_OPTION_VALUE.IS_EMPTY'],
  [{ storeName: 'other' }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ operatorId: 3 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ joinSide: 'left', storeName: 'left' }, 'STDS_CONFLICT_OPTIONS'],
  [{ joinSide: 'middle' }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ joinSide: 'left' }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ snapshotStartBatchId: 0 }, 'STDS_REQUIRED_OPTION_UNSPECIFIED'],
  [{ snapshotPartitionId: 0 }, 'STDS_REQUIRED_OPTION_UNSPECIFIED'],
  [{ snapshotStartBatchId: 5, snapshotPartitionId: 0 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ readChangeFeed: true }, 'STDS_REQUIRED_OPTION_UNSPECIFIED'],
  [{ readChangeFeed: true, changeStartBatchId: 0, batchId: 0 }, 'STDS_CONFLICT_OPTIONS'],
  [{ readChangeFeed: true, changeStartBatchId: 2, changeEndBatchId: 1 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ readChangeFeed: true, changeStartBatchId: 0, changeEndBatchId: 1 }, 'STDS_OFFSET_LOG_UNAVAILABLE'],
  [{ readChangeFeed: true, changeStartBatchId: 1 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ changeStartBatchId: 0 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ stateVarName: 'x', readRegisteredTimers: true }, 'STDS_CONFLICT_OPTIONS'],
  [{ batchid2: 1 }, 'UNKNOWN_OPTION'],
] as const)('options %j are %s', async (options, code) => {
  const path = await folder()
  const query = await start(engine(), kinds.counts, path)
  await query.feed([{ k: 'a', at: 1, v: 1 }])
  await query.stop()
  await expect(state(path, options)).rejects.toMatchObject({ code })
})

test('no path, no checkpoint, no committed batch, a schema of the user', async () => {
  await expect(engine().read.format('statestore').load()).rejects.toMatchObject({ code: 'STDS_REQUIRED_OPTION_UNSPECIFIED' })
  const path = await folder()
  await expect(state(path)).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
  const query = await start(engine(), kinds.counts, path)
  await expect(state(path)).rejects.toMatchObject({ code: 'STDS_COMMITTED_BATCH_UNAVAILABLE' })
  await query.stop()
  await expect(engine().read.format('statestore').schema('a int').load(path)).rejects.toMatchObject({
    code: 'UNSUPPORTED_USER_SPECIFIED_SCHEMA',
  })
})

test('a damaged file is named', async () => {
  const path = await folder()
  const query = await start(engine(), kinds.counts, path)
  await query.feed([{ k: 'a', at: 1, v: 1 }])
  await query.stop()
  await rm(join(path, 'state/changelog/1-1'))
  await expect(rowsOf(path)).rejects.toMatchObject({ code: 'CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS' })
})

const event: fc.Arbitrary<Event> = fc.record({
  k: fc.option(fc.constantFrom('a', 'b', 'ü'), { nil: null, freq: 8 }),
  at: fc.integer({ min: 1, max: 60 }),
  v: fc.integer({ min: 0, max: 9 }),
})
const blocks = fc.array(fc.array(event, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 })

test.each(Object.values(kinds) as QueryKind[])('the change feed of $name leads from each batch to the next', async (kind) => {
  await fc.assert(
    fc.asyncProperty(blocks, async (given) => {
      const path = await folder()
      const query = await start(engine(), kind, path)
      await query.feed(...given.map((block) => (kind.name === 'counts' ? block : [...block].sort((a, b) => a.at - b.at))))
      await query.stop()
      for (const storeName of kind.name === 'join' ? ['left', 'right'] : ['default']) await checkFeed(path, storeName)
    }),
    { numRuns: runs, seed },
  )
})

/** Folding the feed from nothing gives the state after every batch. Rows of one key are told apart by their whole content. */
async function checkFeed(path: string, storeName: string) {
  const feed = await rowsOf(path, { storeName, readChangeFeed: true, changeStartBatchId: 0 })
  const last = Number(
    (
      await engine()
        .read.format('state-metadata')
        .load(path)
        .then((frame) => frame.collect())
    )[0]!['maxBatchId'],
  )
  let stood: Untyped[] = []
  for (let batchId = 0; batchId <= last; batchId++) {
    const changes = feed.filter(({ batch_id }) => batch_id === batchId)
    const now = await rowsOf(path, { storeName, batchId })
    const deletedKeys = new Set(changes.filter(({ change_type }) => change_type === 'delete').map(({ key }) => JSON.stringify(key)))
    const updated = changes
      .filter(({ change_type }) => change_type === 'update')
      .map(({ key, value, partition_id }) => ({ key, value, partition_id }))
    expect(changes.every(({ change_type, value }) => (change_type === 'delete') === (value === null))).toBe(true)
    const [before, after] = [new Set(byText(stood)), new Set(byText(now))]
    // every row that is there now and was not before is an update, and every update is there
    expect(updated.every((row) => after.has(JSON.stringify(row)))).toBe(true)
    for (const row of now) if (!before.has(JSON.stringify(row))) expect(byText(updated)).toContain(JSON.stringify(row))
    // every key of which all rows are gone is a delete
    const keysNow = new Set(now.map(({ key }) => JSON.stringify(key)))
    const gone = new Set(stood.map(({ key }) => JSON.stringify(key)).filter((key) => !keysNow.has(key)))
    for (const key of gone) expect([...deletedKeys]).toContain(key)
    stood = now
  }
  const narrow = await rowsOf(path, { storeName, readChangeFeed: true, changeStartBatchId: last, changeEndBatchId: last })
  expect(byText(narrow)).toEqual(byText(feed.filter(({ batch_id }) => batch_id === last)))
}

test('a reader beside a query that removes files all the time sees whole batches, or an error that says so', async () => {
  const path = await folder()
  const query = await start(engine(), kinds.counts, path, {
    'spark.sql.streaming.minBatchesToRetain': '1',
    // a history would still know the batch that is gone, and the error be another one
    'millrace.checkpoint.retention': '0',
    'spark.sql.streaming.stateStore.maintenanceInterval': '0s',
  })
  await query.feed([{ k: 'a', at: 1, v: 1 }])
  let feeding = true
  const feeds = (async () => {
    for (let i = 0; i < 40; i++)
      await query.feed([
        { k: 'a', at: 1, v: 1 },
        { k: 'b', at: 1, v: 1 },
      ])
    feeding = false
  })()
  let reads = 0
  while (feeding) {
    const batch = await rowsOf(path).catch((error) => error)
    if (Array.isArray(batch)) expect(batch.every(({ value }) => value.n === value.total)).toBe(true)
    else expect(batch.code).toBe('STDS_OFFSET_LOG_UNAVAILABLE')
    reads++
  }
  await feeds
  await query.stop()
  expect(reads).toBeGreaterThan(0)
  expect((await rowsOf(path)).map(({ value }) => value.n).sort()).toEqual([40, 41])
  const copy = await folder()
  await cp(path, copy, { recursive: true })
  expect(byText(await rowsOf(copy))).toEqual(byText(await rowsOf(path)))
})
