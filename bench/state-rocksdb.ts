/**
 * State larger than memory: the load of `state` (100,000 mostly new keys a batch up to 5 M, then batches of 1,000 rows on all of them) with the RocksDB
 * provider under 64 MB, beside the memory provider. What has to hold: 150,000 keys a second, and memory that does not follow the state. Then two
 * restarts, with the local database and without it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bench } from './run.ts'
import { type Load, quantiles, runLoads } from './state.ts'

const memoryMb = 64
const rocksdb = {
  'spark.sql.streaming.stateStore.providerClass': 'rocksdb',
  'spark.sql.streaming.stateStore.rocksdb.maxMemoryUsageMB': memoryMb,
}

const bench: Bench = async ({ say, short }) => {
  const keys = short ? 50_000 : 5_000_000
  const rows = short ? 1000 : 100_000
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const fill: Load = { batches: keys / rows, rows, firstKey: (batch) => batch * rows * 0.999 }
  const touches: Load = { batches: short ? 20 : 300, rows: 1000, firstKey: (batch) => batch * 7919, keys }
  try {
    const memory = await grow(join(work, 'memory'), [fill, touches], {})
    const large = await grow(join(work, 'rocksdb'), [fill, touches], rocksdb)
    const more: Load = { ...touches, batches: touches.batches + 1 }
    const restart = await timeOfFirst(join(work, 'rocksdb'), [fill, more])
    await rm(join(work, 'rocksdb/local'), { recursive: true })
    const rebuild = await timeOfFirst(join(work, 'rocksdb'), [fill, { ...more, batches: more.batches + 1 }])
    const result = {
      keysPerSecond: large.keysPerSecond,
      memoryKeysPerSecond: memory.keysPerSecond,
      firstHalfKeysPerSecond: large.firstHalf,
      secondHalfKeysPerSecond: large.secondHalf,
      p50TouchMs: large.p50Ms,
      p99TouchMs: large.p99Ms,
      memoryP50TouchMs: memory.p50Ms,
      memoryLimitMb: memoryMb,
      reportedMbMax: large.reportedMb,
      rssMbAtHalf: large.rssAtHalf,
      rssMbAtEnd: large.rssAtEnd,
      restartMs: restart,
      restartWithoutLocalMs: rebuild,
    }
    say(JSON.stringify(result, null, 2))
    return result
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

async function grow(checkpoint: string, loads: readonly [Load, Load], conf: Readonly<Record<string, unknown>>) {
  const [fill] = loads
  const half = Math.floor(fill.batches / 2)
  const rss: number[] = []
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const run = await runLoads(checkpoint, loads, { conf: conf as Record<string, string> }, () =>
    rss.push(process.memoryUsage().rss - before),
  )
  const speedOf = (from: number, to: number) => {
    const ms = run.batches.slice(from, to).reduce((total, batch) => total + batch.ms, 0)
    return Math.round(((to - from) * fill.rows * 1000) / ms)
  }
  return {
    ...quantiles(run.batches.slice(fill.batches + 10).map((batch) => batch.ms)),
    keysPerSecond: speedOf(0, fill.batches),
    firstHalf: speedOf(0, half),
    secondHalf: speedOf(half, fill.batches),
    reportedMb: Math.round(Math.max(...run.batches.map(({ progress }) => progress.stateOperators[0]!.memoryUsedBytes)) / 2 ** 20),
    rssAtHalf: Math.round(rss[half]! / 2 ** 20),
    rssAtEnd: Math.round(rss.at(-1)! / 2 ** 20),
  }
}

/** From the start of an engine to the end of the first batch. */
async function timeOfFirst(checkpoint: string, loads: readonly Load[]): Promise<number> {
  const startMs = performance.now()
  let firstMs = 0
  await runLoads(checkpoint, loads, { conf: rocksdb }, () => (firstMs ||= performance.now() - startMs))
  return Math.round(firstMs)
}
