// State stays bounded: over many widths of the watermark rows, bytes in memory and bytes on disk stay what they were, for every step with state.
// MILLRACE_BOUNDED_BATCHES makes the run longer.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { expr, MemoryStream, t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { providerKey, providers } from './property.ts'

const batches = Number(process.env['MILLRACE_BOUNDED_BATCHES'] ?? 20)
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
const steps: Readonly<Record<string, Query>> = {
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

interface Size {
  readonly rows: number
  readonly memoryBytes: number
  readonly diskBytes: number
}
/**
 * Without the histories of progress and of batches, which have bounds of their own (days and bytes) and are no state; and without the journal of a local
 * database, which grows to the size of its write buffer before it is emptied: some megabytes, more than all of these runs write.
 */
async function bytesIn(folder: string): Promise<number> {
  let sum = 0
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const below = relative(folder, join(entry.parentPath, entry.name))
    if (!entry.isFile() || /^(progress|history)\/|^local\/db\/\d+\.log$/.test(below)) continue
    // a file may go while the folder is being read
    sum += await stat(join(folder, below))
      .then(({ size }) => size)
      .catch(() => 0)
  }
  return sum
}
const most = (sizes: readonly Size[], of: keyof Size) => Math.max(...sizes.map((size) => size[of]))

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({
    conf: {
      [providerKey]: provider,
      'millrace.keyGroups': 4,
      'spark.sql.shuffle.partitions': 1,
      'spark.sql.streaming.stateStore.maintenanceInterval': '0ms',
      'millrace.stateStore.changelogTailBytes': 1,
      'spark.sql.streaming.minBatchesToRetain': 2,
    },
  })

  test.each(Object.keys(steps))('%s', { timeout: batches > 20 ? 0 : 600_000 }, async (name) => {
    const checkpoint = await mkdtemp(join(tmpdir(), 'millrace-bounded-'))
    const [left, right] = [new MemoryStream(engine(), fields), new MemoryStream(engine(), fields)]
    const query = await steps[name]!(left.toDF(), right.toDF()).writeStream.format('noop').option('checkpointLocation', checkpoint).start()
    const sizes: Size[] = []
    try {
      for (let n = 0; n < batches; n++) {
        left.addData(...block(n))
        if (name.endsWith('join')) right.addData(...block(n))
        await query.processAllAvailable()
        const { numRowsTotal, memoryUsedBytes } = query.lastProgress.stateOperators[0]
        sizes.push({ rows: numRowsTotal, memoryBytes: memoryUsedBytes, diskBytes: await bytesIn(checkpoint) })
      }
    } finally {
      await query.stop()
      await rm(checkpoint, { recursive: true, force: true })
    }
    const early = sizes.slice(Math.floor(batches / 4), Math.floor(batches / 2))
    const late = sizes.slice(Math.floor((batches * 3) / 4))
    expect(most(late, 'rows')).toBeLessThanOrEqual(most(early, 'rows'))
    expect(most(late, 'rows')).toBeLessThanOrEqual((name === 'transformWithState' ? 12 : 4) * rowsEach)
    expect(most(late, 'memoryBytes')).toBeLessThanOrEqual(most(early, 'memoryBytes') * 1.25)
    // files come and go beside the batches
    expect(most(late, 'diskBytes')).toBeLessThanOrEqual(most(early, 'diskBytes') * 1.3 + 16_384)
  })
})
