/**
 * How long does a micro-batch take when there is little to do? 1,000 rows a batch, windowed count over 10,000 keys, every durable step
 * synced, snapshots running. Memory source into noop, and JSON files into exactly-once Parquet. For scale: Spark 4.2 needs 297 ms (p50)
 * and 465 ms (p99) for a batch of 1,000 rows with RocksDB state on two cores; the baseline measured here is the same number of bare
 * create + write + fsync + link + fsync as a batch has.
 */
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, MemoryStream, millrace, type QueryProgress, t, window } from 'millrace'
import type { Bench } from './run.ts'

const rowsPerBatch = 1000
const keys = 10_000

const bench: Bench = async ({ say, short }) => {
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    const batches = short ? 50 : 2500
    const memory = await memoryToNoop(join(work, 'memory'), batches)
    const files = await filesToParquet(join(work, 'files'), short ? 20 : 600)
    const fsyncMs = await bareFsync(work)
    const result = {
      ...quantiles(memory.ms),
      phases: memory.phases,
      batches: memory.ms.length,
      snapshotsWritten: memory.snapshots,
      jsonToParquetP50Ms: quantiles(files.ms).p50Ms,
      jsonToParquetP99Ms: quantiles(files.ms).p99Ms,
      jsonToParquetPhases: files.phases,
      bareDurableFileMs: fsyncMs,
    }
    say(
      `memory to noop: p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms over ${result.batches} batches, ${result.snapshotsWritten} snapshot files; phases (mean ms) ${JSON.stringify(result.phases)}`,
    )
    say(
      `JSON files to Parquet: p50 ${result.jsonToParquetP50Ms} ms, p99 ${result.jsonToParquetP99Ms} ms; phases (mean ms) ${JSON.stringify(result.jsonToParquetPhases)}`,
    )
    say(`a bare durable file here: ${fsyncMs} ms p50`)
    return result
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

interface Measured {
  readonly ms: readonly number[]
  readonly phases: Readonly<Record<string, number>>
  readonly snapshots: number
}

function rowsOf(batch: number) {
  return Array.from({ length: rowsPerBatch }, (_, i) => {
    const n = batch * rowsPerBatch + i
    // 1,000 rows a second of event time, keys in a fixed scatter
    return { key: `key-${String((n * 7919) % keys).padStart(8, '0')}`, at: new Date(1_700_000_000_000 + n) }
  })
}

async function memoryToNoop(checkpoint: string, batches: number): Promise<Measured> {
  const engine = await millrace.local({
    conf: { 'spark.sql.streaming.stateStore.maintenanceInterval': '2s', 'spark.sql.streaming.numRecentProgressUpdates': batches + 1000 },
  })
  const rows = new MemoryStream(engine, { key: t.string(), at: t.timestamp() })
  const counts = rows
    .toDF()
    .withWatermark('at', '10 seconds')
    .groupBy(({ at, key }) => ({ window: window(at, '10 seconds'), key }))
    .agg(() => ({ n: count() }))
  const ms: number[] = []
  const blocks = Array.from({ length: batches + 100 }, (_, i) => rowsOf(i))
  let next = 0
  const steps = new Phases()
  const query = await counts.writeStream.outputMode('update').format('noop').option('checkpointLocation', checkpoint).start()
  await new Promise<void>((resolve, reject) => {
    let startMs = 0
    const feed = () => {
      rows.addData(...blocks[next++]!)
      startMs = performance.now()
    }
    engine.streams.addListener({
      onQueryProgress({ progress }) {
        const tookMs = performance.now() - startMs
        // the first batches warm the code up
        if (next > 100) {
          ms.push(tookMs)
          steps.add(progress)
        }
        if (next === blocks.length) resolve()
        else feed()
      },
      onQueryTerminated: ({ exception }) => (exception ? reject(new Error(exception)) : resolve()),
    })
    feed()
  })
  const snapshots = query.lastProgress?.stateOperators[0]?.customMetrics['snapshotsWritten'] ?? 0
  await engine.close()
  return { ms, phases: steps.means(), snapshots }
}

async function filesToParquet(work: string, batches: number): Promise<Measured> {
  const input = join(work, 'in')
  await mkdir(input, { recursive: true })
  for (let i = 0; i < batches; i++) {
    const lines = rowsOf(i).map(({ key, at }) => JSON.stringify({ key, at: at.toISOString() }))
    await writeFile(join(input, `${String(i).padStart(5, '0')}.json`), `${lines.join('\n')}\n`)
  }
  const engine = await millrace.local({
    conf: { 'spark.sql.streaming.stateStore.maintenanceInterval': '2s', 'spark.sql.streaming.numRecentProgressUpdates': batches + 10 },
  })
  const query = await engine.readStream
    .schema({ key: t.string(), at: t.timestamp() })
    .option('maxFilesPerTrigger', 1)
    .json(input)
    .withWatermark('at', '10 seconds')
    .groupBy(({ at, key }) => ({ window: window(at, '10 seconds'), key }))
    .agg(() => ({ n: count() }))
    .writeStream.outputMode('append')
    .format('parquet')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(work, 'checkpoint'))
    .start(join(work, 'out'))
  const ms: number[] = []
  const steps = new Phases()
  let lastMs = performance.now()
  engine.streams.addListener({
    onQueryProgress({ progress }) {
      const nowMs = performance.now()
      if (progress.batchId >= 20) {
        ms.push(nowMs - lastMs)
        steps.add(progress)
      }
      lastMs = nowMs
    },
  })
  await query.awaitTermination()
  await engine.close()
  return { ms, phases: steps.means(), snapshots: 0 }
}

/** Mean milliseconds of each phase. */
class Phases {
  readonly #sums = new Map<string, number>()
  #count = 0
  add({ durationMs }: QueryProgress): void {
    this.#count++
    for (const [phase, ms] of Object.entries(durationMs)) this.#sums.set(phase, (this.#sums.get(phase) ?? 0) + ms)
  }
  means(): Record<string, number> {
    return Object.fromEntries([...this.#sums].map(([phase, ms]) => [phase, round(ms / this.#count)]))
  }
}

async function bareFsync(folder: string): Promise<number> {
  const ms: number[] = []
  for (let i = 0; i < 200; i++) {
    const startMs = performance.now()
    const file = await open(join(folder, `fsync-${i}`), 'wx')
    await file.write('x'.repeat(300))
    await file.sync()
    await file.close()
    const parent = await open(folder)
    await parent.sync()
    await parent.close()
    ms.push(performance.now() - startMs)
  }
  return quantiles(ms).p50Ms
}

function quantiles(ms: readonly number[]): { p50Ms: number; p99Ms: number; maxMs: number } {
  const sorted = [...ms].sort((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
}
function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
