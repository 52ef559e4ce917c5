/**
 * How fast are rows put into sessions, and does a batch cost what it brings, however many sessions are open? Users come and go: each has a few events some seconds apart, then is
 * gone; most sessions grow over two batches, and come out when the watermark has passed them. Then batches of 1,000 rows over few and many open sessions.
 */
import { count, session_window, sum } from 'millrace'
import { type BenchStream, type Block, running, secondUs, throughput, touch, withEngine } from './flow.ts'
import type { Bench } from './run.ts'

const sessions = (input: BenchStream) =>
  input
    .toDF()
    .withWatermark('at', '10 seconds')
    .groupBy(({ at, id }) => ({ session: session_window(at, '10 seconds'), id }))
    .agg(({ price }) => ({ n: count(), total: sum(price) }))

/** 20 seconds of events: a batch's users, half of which were there in the batch before, each with several events in disorder. */
function visits(n: number, rows: number, eventsPerUser: number): Block {
  const users = Math.max(1, Math.floor(rows / eventsPerUser))
  return {
    rows,
    idOf: (i) => Math.floor((n * users) / 2) + ((i * 7919) % users),
    timeUsOf: (i) => n * 20 * secondUs + (i / rows) * 20 * secondUs,
  }
}

const bench: Bench = async ({ say, short }) => {
  const result = await withEngine(async (engine, folder) => {
    const [batches, rows] = short ? [6, 1000] : [40, 100_000]
    const flowOf = (eventsPerUser: number) =>
      running(engine, folder(`flow-${eventsPerUser}`), sessions, (query) =>
        throughput(query, batches, (n) => visits(n, rows, eventsPerUser)),
      )
    const few = await flowOf(10)
    const single = await flowOf(2)
    const touchOf = (open: number) =>
      running(engine, folder(`touch-${open}`), sessions, (query) => {
        const size = 50_000
        const fill = Array.from(
          { length: Math.ceil(open / size) },
          (_, b): Block => ({ rows: Math.min(size, open), idOf: (i) => b * size + i, timeUsOf: (i) => i }),
        )
        const small = (n: number): Block => ({ rows: 1000, idOf: (i) => (n * 7919 + i * 31) % open, timeUsOf: (i) => secondUs + n + i })
        return touch(query, fill, short ? 20 : 200, small)
      })
    const small = await touchOf(5_000)
    const large = await touchOf(short ? 50_000 : 2_000_000)
    return {
      rowsPerSecond: few.rowsPerSecond,
      twoEventsRowsPerSecond: single.rowsPerSecond,
      stateRows: single.stateRows,
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
