// What Spark's suites of the state data source pin: StateDataSourceReadSuite, StateDataSourceChangeDataReadSuite, OperatorStateMetadataSuite.
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { count, MemoryStream, t, verifyCheckpoint } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { type Untyped, useFolders } from './queries.ts'

const engine = useEngine({ conf: { 'spark.sql.shuffle.partitions': 5 } })
const folder = useFolders()

type StateOptions = Readonly<Record<string, string | number | boolean>>
const state = (path: string, options: StateOptions = {}) =>
  engine().read.format('statestore').options(options).load(path) as Promise<Untyped>
const rowsOf = async (path: string, options: StateOptions = {}) => (await (await state(path, options)).collect()) as Untyped[]
const metadata = async (path: string) => (await engine().read.format('state-metadata').load(path)).collect()
const values = (...all: number[]) => all.map((value) => ({ value }))
const counted = (frame: Untyped) => frame.groupBy('value').agg(() => ({ n: count() }))
const deduplicated = (frame: Untyped) => frame.dropDuplicates()

/** Runs of one checkpoint over one stream, each with a query and the rows of its batches. */
async function run(schema: Untyped, ...runs: readonly (readonly [(frame: Untyped) => Untyped, 'append' | 'update', ...Untyped[][]])[]) {
  const path = await folder()
  const input = new MemoryStream(engine(), schema)
  const again = async ([build, mode, ...blocks]: (typeof runs)[number]) => {
    const query = await build(input.toDF()).writeStream.format('noop').outputMode(mode).option('checkpointLocation', path).start()
    try {
      for (const block of blocks) {
        input.addData(...(block as Untyped))
        await query.processAllAvailable()
      }
    } finally {
      await query.stop()
    }
  }
  for (const each of runs) await again(each)
  return { path, again }
}

test.each([
  [{ operatorId: -1, batchId: 0 }, 'STDS_INVALID_OPTION_VALUE.IS_NEGATIVE'],
  [{ batchId: -1 }, 'STDS_INVALID_OPTION_VALUE.IS_NEGATIVE'],
  [{ storeName: ' ', batchId: 0 }, 'STDS_INVALID_OPTION_VALUE.IS_EMPTY'],
  [{ joinSide: 'both', batchId: 0 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ joinSide: 'right', storeName: 'right-keyToNumValues', batchId: 0 }, 'STDS_CONFLICT_OPTIONS'],
  [{ snapshotStartBatchId: -1, batchId: 0 }, 'STDS_INVALID_OPTION_VALUE.IS_NEGATIVE'],
  [{ snapshotPartitionId: -1, batchId: 0 }, 'STDS_INVALID_OPTION_VALUE.IS_NEGATIVE'],
  [{ snapshotStartBatchId: 0, batchId: 0 }, 'STDS_REQUIRED_OPTION_UNSPECIFIED'],
  [{ snapshotPartitionId: 0, batchId: 0 }, 'STDS_REQUIRED_OPTION_UNSPECIFIED'],
  [{ snapshotStartBatchId: 1, batchId: 0 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ stateVarName: 'test', readRegisteredTimers: true, batchId: 0 }, 'STDS_CONFLICT_OPTIONS'],
  [{ flattenCollectionTypes: 'test' }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ changeStartBatchId: 0, changeEndBatchId: 2 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ readChangeFeed: true, changeStartBatchId: -1, changeEndBatchId: 0 }, 'STDS_INVALID_OPTION_VALUE.IS_NEGATIVE'],
  [{ readChangeFeed: true, changeStartBatchId: 1, changeEndBatchId: 0 }, 'STDS_INVALID_OPTION_VALUE.WITH_MESSAGE'],
  [{ readChangeFeed: true, joinSide: 'left', changeStartBatchId: 0, changeEndBatchId: 0 }, 'STDS_CONFLICT_OPTIONS'],
  // right in themselves: only then the checkpoint is looked at
  [{ joinSide: 'left', storeName: 'default' }, 'PATH_NOT_FOUND'],
] as const)('StateDataSourceReadSuite, ERROR: %j is told whatever lies at the path', async (options, code) => {
  await expect(state(await folder(), options)).rejects.toMatchObject({ code })
})

test('StateDataSourceReadSuite, ERROR: trying to read state data as stream', () => {
  expect(() => engine().readStream.format('statestore').load('anywhere')).toThrow("engine.read.format('statestore')")
})

test('StateDataSourceNoEmptyDirCreationSuite: deleted directories are told of, and not made again', async () => {
  const codes: Untyped[] = []
  for (const name of ['offsets', 'commits', 'state']) {
    const { path } = await run({ value: t.int() }, [counted, 'update', values(1, 2)])
    await rm(join(path, name), { recursive: true })
    codes.push(await rowsOf(path).catch(({ code }) => code))
    await metadata(path).catch(() => {})
    expect(existsSync(join(path, name))).toBe(false)
  }
  expect(codes).toEqual(['STDS_OFFSET_LOG_UNAVAILABLE', 'STDS_COMMITTED_BATCH_UNAVAILABLE', 'STDS_FAILED_TO_READ_STATE_SCHEMA'])
})

test('StateDataSourceReadSuite: dropDuplicatesWithinWatermark, flatMapGroupsWithState', async () => {
  const within = await run({ k: t.string(), at: t.int() }, [
    (frame) =>
      frame
        .selectExpr('k', 'timestamp_seconds(at) AS eventTime')
        .withWatermark('eventTime', '2 seconds')
        .dropDuplicatesWithinWatermark(['k']),
    'append',
    [{ k: 'a', at: 17 }],
  ])
  const [row] = await (await state(within.path)).selectExpr('key.k', 'value.expiresAtMicros AS until').collect()
  expect(row).toEqual({ k: 'a', until: 19_000_000n })

  const words = ['bare', 'both', 'plain'].map((value) => ({ value, at: 1 }))
  const groupsOf = async (timeout: 'NoTimeout' | 'EventTimeTimeout', rows: readonly Untyped[]): Promise<Untyped[]> => {
    const process = ({ value }: Untyped, _: Untyped, group: Untyped) => {
      if (timeout !== 'NoTimeout' && value !== 'plain') group.setTimeoutTimestamp(5_000)
      if (value !== 'bare') group.update({ numEvents: 2 })
      return []
    }
    const types = { state: { numEvents: t.int() }, output: { value: t.string() }, outputMode: 'update', timeout }
    const build = (frame: Untyped) =>
      frame
        .selectExpr('value', 'timestamp_seconds(at) AS at')
        .withWatermark('at', '0 seconds')
        .groupBy('value')
        .flatMapGroupsWithState(process, types)
    const { path } = await run({ value: t.string(), at: t.int() }, [build, 'update', [...rows]])
    return (await state(path)).drop('partition_id').orderBy('key.value').collect()
  }
  expect(await groupsOf('NoTimeout', words.slice(1))).toEqual([
    { key: { value: 'both' }, value: { groupState: { numEvents: 2 } } },
    { key: { value: 'plain' }, value: { groupState: { numEvents: 2 } } },
  ])
  expect(await groupsOf('EventTimeTimeout', words)).toEqual([
    { key: { value: 'bare' }, value: { groupState: null, timeoutTimestamp: 5_000n } },
    { key: { value: 'both' }, value: { groupState: { numEvents: 2 }, timeoutTimestamp: 5_000n } },
    { key: { value: 'plain' }, value: { groupState: { numEvents: 2 }, timeoutTimestamp: -1n } },
  ])
})

test('StateDataSourceChangeDataReadSuite: limit; past multiple snapshots; delete entries', async () => {
  const limited = await run({ value: t.int() }, [
    (frame) => frame.limit(10),
    'append',
    values(1, 2, 3, 4),
    values(5, 6, 7, 8),
    values(9, 10, 11, 12),
  ])
  const feed = (path: string, start: number, end?: number) =>
    rowsOf(path, { readChangeFeed: true, changeStartBatchId: start, ...(end !== undefined && { changeEndBatchId: end }) })
  expect((await feed(limited.path, 0, 2)).map(({ batch_id, change_type, value }) => [batch_id, change_type, Number(value.count)])).toEqual([
    [0n, 'update', 4],
    [1n, 'update', 8],
    [2n, 'update', 10],
  ])
  const blocks = [values(1, 2, 3, 4, 1), values(2, 3, 4, 5), values(3, 4, 5, 6), values(1, 1), values(1, 1), values(1, 1)]
  const { path } = await run({ value: t.int() }, [counted, 'update', ...blocks])
  const changes = (await feed(path, 2, 4)).map(({ batch_id, key, value }) => [Number(batch_id), key.value, Number(value.n)])
  expect(changes.sort((a, b) => a[0] - b[0] || a[1] - b[1])).toEqual([
    [2, 3, 3],
    [2, 4, 3],
    [2, 5, 2],
    [2, 6, 1],
    [3, 1, 4],
    [4, 1, 6],
  ])
  const windows = await run({ at: t.int() }, [
    (frame) =>
      frame
        .selectExpr('timestamp_seconds(at) AS at')
        .withWatermark('at', '1 second')
        .selectExpr('window(at, "1 second") AS w')
        .groupBy('w')
        .agg(() => ({ n: count() })),
    'append',
    [{ at: 0 }, { at: 0 }],
    [{ at: 2 }],
    [{ at: 3 }],
  ])
  const closed = (await feed(windows.path, 0)).filter(({ change_type }) => change_type === 'delete')
  expect(closed.map(({ key, value }) => [key.w.start.epochMilliseconds, value])).toEqual([[0, null]])
})

test('OperatorStateMetadataSuite: stateful operators that are added, replaced and removed', async () => {
  const code = 'STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA'
  const begun = () => run({ value: t.int() }, [deduplicated, 'append', values(1)])
  await expect((await begun()).again([(frame) => counted(deduplicated(frame)), 'update', values(3)])).rejects.toMatchObject({ code })
  await expect((await begun()).again([counted, 'update', values(3)])).rejects.toMatchObject({ code })
  const aggregated = await run({ value: t.int() }, [counted, 'update', values(1)])
  await expect(aggregated.again([(frame) => frame, 'append', values(3)])).rejects.toMatchObject({ code })
  const stateless = await run({ value: t.int() }, [(frame) => frame, 'append', values(1), values(2)])
  await expect(stateless.again([counted, 'update', values(4)])).rejects.toMatchObject({ code })
})

test('a function with state that keeps nothing starts again', async () => {
  const stateless = (frame: Untyped) =>
    frame.groupBy('value').transformWithState(() => ({ init: () => {}, handleInputRows: () => [] }), { output: { n: t.int() } })
  const { again } = await run({ value: t.int() }, [stateless, 'append', values(1)])
  await again([stateless, 'append', values(2)])
})

test.each([deduplicated, counted])(
  'OperatorStateMetadataSuite: restart with stateful operator but empty state directory',
  async (build) => {
    const code = 'STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY'
    const { path, again } = await run({ value: t.int() }, [build, 'update', values(1, 2, 3)])
    await rm(join(path, 'state'), { recursive: true })
    expect((await verifyCheckpoint(path)).problems).toMatchObject([{ file: 'state', code }])
    await expect(again([build, 'update', values(4)])).rejects.toMatchObject({ code })
    expect(existsSync(join(path, 'state'))).toBe(false)
  },
)
