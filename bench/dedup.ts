/**
 * How fast are duplicates dropped, and does a batch cost what it brings, however many keys are remembered? A third of the rows come twice, within their batch or in the next
 * one; keys go when the watermark has passed them. Then batches of 1,000 rows over few and many keys.
 */
import { type BenchStream, type Block, running, secondUs, throughput, touch, withEngine } from './flow.ts'
import type { Bench } from './run.ts'

const byTime = (input: BenchStream) => input.toDF().withWatermark('at', '20 seconds').dropDuplicates(['id', 'at'])
const withinWatermark = (input: BenchStream) => input.toDF().withWatermark('at', '20 seconds').dropDuplicatesWithinWatermark(['id'])

/** 20 seconds of events; ids come again after a third of a batch. */
function deliveries(n: number, rows: number): Block {
  const fresh = Math.floor((rows * 2) / 3)
  const idOf = (i: number) => n * fresh + (i < fresh ? i : i - rows)
  return { rows, idOf, timeUsOf: (i) => (idOf(i) / fresh) * 20 * secondUs }
}

const bench: Bench = async ({ say, short }) => {
  const result = await withEngine(async (engine, folder) => {
    const [batches, rows] = short ? [6, 1000] : [40, 100_000]
    const flowOf = (name: string, query: (input: BenchStream) => unknown) =>
      running(engine, folder(name), query, (started) => throughput(started, batches, (n) => deliveries(n, rows)))
    const keys = await flowOf('by-time', byTime)
    const within = await flowOf('within', withinWatermark)
    const touchOf = (kept: number) =>
      running(engine, folder(`touch-${kept}`), byTime, (started) => {
        const size = 50_000
        const fill = Array.from(
          { length: Math.ceil(kept / size) },
          (_, b): Block => ({ rows: Math.min(size, kept), idOf: (i) => b * size + i, timeUsOf: (i) => b * size + i }),
        )
        const again = (n: number): Block => {
          const idOf = (i: number) => (n * 7919 + i * 31) % (2 * kept)
          return { rows: 1000, idOf, timeUsOf: idOf }
        }
        return touch(started, fill, short ? 20 : 200, again)
      })
    const small = await touchOf(5_000)
    const large = await touchOf(short ? 50_000 : 2_000_000)
    return {
      rowsPerSecond: keys.rowsPerSecond,
      withinWatermarkRowsPerSecond: within.rowsPerSecond,
      stateRows: within.stateRows,
      p50SmallStateMs: small.p50Ms,
      p50LargeStateMs: large.p50Ms,
      p99LargeStateMs: large.p99Ms,
      largeStateRows: large.stateRows,
    }
  })
  say(JSON.stringify(result, null, 2))
  return result
}
export default bench
