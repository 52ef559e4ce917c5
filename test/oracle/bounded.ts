/**
 * What the runs of bounded state share: a query for each step with state over rows whose keys never come again and a few that always do, and what its state takes
 * after each batch. Every batch passes two widths of the watermark.
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type Engine, expr, MemoryStream, t } from 'millrace'
import { providerKey } from './providers.ts'

const rowsEach = 40
/** A batch's events; a watermark of 10 seconds is half of that. */
const secondsEach = 20

const fields = { k: t.string(), at: t.timestamp(), v: t.int() }
type Untyped = any

/** Keys that never come again, a few that always do, some disorder, every tenth row twice. */
function block(n: number) {
  return Array.from({ length: rowsEach }, (_, i) => {
    const second = n * secondsEach + ((i * 7) % secondsEach)
    const k = i % 4 === 0 ? `always-${i % 3}` : `once-${n}-${i % 10 === 9 ? i - 1 : i}`
    return { k, at: new Date(second * 1000 + 1000), v: i }
  })
}

interface Key {
  readonly k: string
}
const output = { k: t.string() }
const newest = (rows: readonly Untyped[]) => Math.max(...rows.map(({ at }) => Number(at.epochMilliseconds)))
/** Keeps a value, a list and a map for each key, until five seconds of event time after its newest row. */
function forgetful() {
  let [handle, value, list, map]: Untyped[] = []
  return {
    init(given: Untyped) {
      handle = given
      value = given.getValueState('value', t.int())
      list = given.getListState('list', t.int())
      map = given.getMapState('map', t.int(), t.string())
    },
    handleInputRows({ k }: Key, rows: readonly Untyped[]) {
      value.update((value.get() ?? 0) + rows.length)
      list.appendValue(rows.length)
      map.updateValue(rows.length, k)
      handle.registerTimer(newest(rows) + 5000)
      return [{ k }]
    },
    handleExpiredTimer({ k }: Key) {
      for (const variable of [value, list, map]) variable.clear()
      return [{ k }]
    },
  }
}

type Query = (left: Untyped, right: Untyped) => Untyped
const marked = (frame: Untyped) => frame.withWatermark('at', '10 seconds')
const side = (frame: Untyped, name: string) => marked(frame).selectExpr(`k AS ${name}K`, `at AS ${name}At`, `v AS ${name}V`)
const joinBy =
  (how: string): Query =>
  (left, right) =>
    side(left, 'l').join(side(right, 'r'), () => expr('lK = rK AND lAt BETWEEN rAt - INTERVAL 5 SECONDS AND rAt + INTERVAL 7 SECONDS'), how)
export const boundedSteps: Readonly<Record<string, Query>> = {
  'windowed aggregation': (frame) => marked(frame).groupBy(expr("window(at, '10 seconds')"), 'k').agg(expr('sum(v)').as('total')),
  sessions: (frame) =>
    marked(frame).groupBy(expr("session_window(at, '3 seconds')"), 'k').agg(expr('sum(v)').as('total'), expr('collect_list(v)').as('list')),
  dropDuplicates: (frame) => marked(frame).dropDuplicates(['k', 'at']),
  dropDuplicatesWithinWatermark: (frame) => marked(frame).dropDuplicatesWithinWatermark(['k']),
  limit: (frame) => frame.limit(1_000_000),
  transformWithState: (frame) => marked(frame).groupBy('k').transformWithState(forgetful, { output, timeMode: 'EventTime' }),
  flatMapGroupsWithState: (frame) =>
    marked(frame)
      .groupBy('k')
      .flatMapGroupsWithState(
        ({ k }: Key, rows: readonly Untyped[], state: Untyped) => {
          if (state.hasTimedOut) state.remove()
          else {
            state.update({ n: (state.getOption()?.n ?? 0) + rows.length })
            state.setTimeoutTimestamp(newest(rows) + 5000)
          }
          return [{ k }]
        },
        { state: { n: t.int() }, output, outputMode: 'append', timeout: 'EventTimeTimeout' },
      ),
  'inner join': joinBy('inner'),
  'left outer join': joinBy('left'),
  'right outer join': joinBy('right'),
  'full outer join': joinBy('full'),
  'left semi join': joinBy('semi'),
}

/** What the state takes after a batch. */
export interface Size {
  readonly batch: number
  readonly rows: number
  readonly memoryBytes: number
  readonly diskBytes: number
}

/** What RocksDB may take: block cache, write buffers, rows that are kept. It fills up, however small the state is. */
export const rocksdbBytes = 8 * 2 ** 20
/** Snapshots after every batch, few batches retained, little memory: what grows shows early. */
export const boundedConf = (provider: string) => ({
  [providerKey]: provider,
  'millrace.keyGroups': 4,
  'spark.sql.shuffle.partitions': 1,
  'spark.sql.streaming.stateStore.maintenanceInterval': '0ms',
  'millrace.stateStore.changelogTailBytes': 1,
  'spark.sql.streaming.minBatchesToRetain': 2,
  'spark.sql.streaming.stateStore.rocksdb.maxMemoryUsageMB': rocksdbBytes / 2 ** 20,
})

interface BoundedRun {
  readonly engine: Engine
  /** One of boundedSteps. */
  readonly name: string
  readonly batches: number
  /** Sees what is taken after every so many batches. */
  readonly sees: (size: Size) => void
  readonly each: number
  /** Where the checkpoint goes. */
  readonly folder: string
  /** Whether the journal of a local database counts, which grows to the size of a write buffer (some hundred batches of these) before it is emptied. */
  readonly countsJournal: boolean
}

export async function runBounded({ engine, name, batches, sees, each, folder, countsJournal }: BoundedRun): Promise<void> {
  const checkpoint = await mkdtemp(join(folder, 'millrace-bounded-'))
  const [left, right] = [new MemoryStream(engine, fields), new MemoryStream(engine, fields)]
  const query = await boundedSteps[name]!(left.toDF(), right.toDF())
    .writeStream.format('noop')
    .option('checkpointLocation', checkpoint)
    .start()
  try {
    for (let batch = 0; batch < batches; batch++) {
      left.addData(...block(batch))
      if (name.endsWith('join')) right.addData(...block(batch))
      await query.processAllAvailable()
      if (batch % each !== each - 1) continue
      const { numRowsTotal, memoryUsedBytes } = query.lastProgress.stateOperators[0]
      sees({ batch, rows: numRowsTotal, memoryBytes: memoryUsedBytes, diskBytes: await bytesIn(checkpoint, countsJournal) })
    }
  } finally {
    await query.stop()
    await rm(checkpoint, { recursive: true, force: true })
  }
}

/** Without the histories of progress and of batches, which have bounds of their own (days and bytes) and are no state. */
async function bytesIn(folder: string, countsJournal: boolean): Promise<number> {
  let sum = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const below = relative(folder, join(entry.parentPath, entry.name))
    if (!entry.isFile() || /^(progress|history)\//.test(below) || (!countsJournal && /^local\/db\/\d+\.log$/.test(below))) continue
    // a file may go while the folder is being read
    sum += await stat(join(folder, below))
      .then(({ size }) => size)
      .catch(() => 0)
  }
  return sum
}

/** The most that was taken in the second quarter of a run, and in the last. */
export interface Growth {
  readonly rows: readonly [early: number, late: number]
  readonly memoryBytes: readonly [early: number, late: number]
  readonly diskBytes: readonly [early: number, late: number]
}
export function growthOf(sizes: readonly Size[]): Growth {
  const [early, late] = [[1 / 4, 1 / 2] as const, [3 / 4, 1] as const].map(([from, to]) =>
    sizes.slice(Math.floor(sizes.length * from), Math.floor(sizes.length * to)),
  )
  const of = (key: keyof Growth) => [early!, late!].map((some) => Math.max(...some.map((size) => size[key]))) as [number, number]
  return { rows: of('rows'), memoryBytes: of('memoryBytes'), diskBytes: of('diskBytes') }
}

/** Rows that the state of a step may have: those of the batches that the watermark has not passed. */
export const mostRows = (name: string) => (name === 'transformWithState' ? 12 : 4) * rowsEach
