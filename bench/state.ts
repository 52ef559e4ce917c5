/**
 * Does a batch cost what it brings, however large the state is? 100,000 mostly new keys a batch up to 5 M keys (changelog durable, snapshots
 * running), then batches of 1,000 rows on small and large state, memory a key, and the time of a restart after SIGKILL with the longest
 * changelog that there can be. For scale: Spark 4.2 on two cores folds in 77,000 (RocksDB) to 90,000 (heap) keys a second in such batches;
 * the baseline measured here is DuckDB computing each batch's groups without keeping any state.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import {
  col,
  count,
  type Engine,
  type LocalOptions,
  max,
  millrace,
  type QueryProgress,
  Schema,
  type Source,
  type SourceProvider,
  type StreamingQuery,
  sum,
  window,
} from 'millrace'
import type { Bench } from './run.ts'

/** What the next batches read: so many rows, their keys drawn from so many. */
export interface Load {
  readonly batches: number
  readonly rows: number
  /** First key number of batch i of this load; keys follow one another (modulo `keys`, where given). */
  readonly firstKey: (batch: number) => number
  readonly keys?: number
}

const bench: Bench = async ({ say, short }) => {
  const scale = short ? 0.01 : 1
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    const large = await grow(join(work, 'large'), Math.round(5_000_000 * scale), short)
    const small = await touch(join(work, 'small'), 5_000, short)
    const restart1 = await restart(join(work, 'restart-1'), Math.round(1_000_000 * scale))
    const restart5 = await restart(join(work, 'restart-5'), Math.round(5_000_000 * scale))
    const baselineKeysPerSecond = await groupsOnly(Math.round(100_000 * scale))
    const result = {
      keysPerSecond: large.keysPerSecond,
      duckdbGroupsPerSecond: baselineKeysPerSecond,
      p50SmallStateMs: small.p50Ms,
      p50LargeStateMs: large.p50Ms,
      p99LargeStateMs: large.p99Ms,
      ratioLargeToSmall: round(large.p50Ms / small.p50Ms),
      bytesPerKey: large.bytesPerKey,
      rssBytesPerKey: large.rssBytesPerKey,
      snapshotsWritten: large.snapshots,
      restartMs1M: restart1,
      restartMs5M: restart5,
    }
    say(JSON.stringify(result, null, 2))
    return result
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

/** Fills an empty state, then touches it with small batches. */
async function grow(checkpoint: string, keys: number, short: boolean) {
  const rows = short ? 1000 : 100_000
  const fill: Load = { batches: keys / rows, rows, firstKey: (batch) => batch * rows * 0.999 }
  const touches: Load = { batches: short ? 50 : 1000, rows: 1000, firstKey: (batch) => batch * 7919, keys }
  globalThis.gc?.()
  const rssBefore = process.memoryUsage().rss
  const run = await runLoads(checkpoint, [fill, touches])
  const filled = run.batches.slice(0, fill.batches)
  const filledMs = filled.reduce((total, batch) => total + batch.ms, 0)
  const state = run.last.stateOperators[0]!
  return {
    ...quantiles(run.batches.slice(fill.batches + 20).map((batch) => batch.ms)),
    keysPerSecond: Math.round((fill.batches * fill.rows * 1000) / filledMs),
    bytesPerKey: Math.round(state.memoryUsedBytes / state.numRowsTotal),
    rssBytesPerKey: Math.round((run.rssBytes - rssBefore) / state.numRowsTotal),
    snapshots: state.customMetrics['snapshotsWritten'] ?? 0,
  }
}

async function touch(checkpoint: string, keys: number, short: boolean) {
  const fill: Load = { batches: 1, rows: keys, firstKey: () => 0 }
  const run = await runLoads(checkpoint, [fill, { batches: short ? 50 : 1000, rows: 1000, firstKey: (batch) => batch * 7919, keys }])
  return quantiles(run.batches.slice(21).map((batch) => batch.ms))
}

interface Run {
  readonly batches: readonly { readonly ms: number; readonly progress: QueryProgress }[]
  readonly last: QueryProgress
  readonly rssBytes: number
}

/** Runs all loads as one query; each batch's time is that between two progress events. */
export async function runLoads(
  checkpoint: string,
  loads: readonly Load[],
  options: LocalOptions = {},
  onBatch: () => void = () => {},
): Promise<Run> {
  const engine = await millrace.local({
    ...options,
    conf: { 'spark.sql.streaming.stateStore.maintenanceInterval': '10s', ...options.conf },
    sources: [loadSource(loads)],
  })
  const batches: { ms: number; progress: QueryProgress }[] = []
  let lastMs = performance.now()
  engine.streams.addListener({
    onQueryProgress({ progress }) {
      batches.push({ ms: performance.now() - lastMs, progress })
      lastMs = performance.now()
      onBatch()
    },
  })
  const query = await startCounting(engine, checkpoint)
  await query.awaitTermination()
  const rssBytes = process.memoryUsage().rss
  await engine.close()
  return { batches, last: batches.at(-1)!.progress, rssBytes }
}

export function startCounting(engine: Engine, checkpoint: string): Promise<StreamingQuery> {
  return engine.readStream
    .format('load')
    .load()
    .withWatermark('at', '1 day')
    .groupBy(() => ({ window: window(col('at'), '1 hour'), key: col('key') }))
    .agg(() => ({ n: count(), total: sum(col('value')), most: max(col('value')) }))
    .writeStream.outputMode('update')
    .format('noop')
    .trigger({ availableNow: true })
    .option('checkpointLocation', checkpoint)
    .start()
}

/** Kills a process that has filled the state and let the changelog grow as long as it may; then times a new start up to its first batch. */
async function restart(checkpoint: string, keys: number): Promise<number> {
  await fillAndDie(checkpoint, keys)
  const startMs = performance.now()
  const engine = await millrace.local({
    sources: [loadSource([{ batches: 100_000, rows: 1000, firstKey: (batch) => batch * 7919, keys }])],
  })
  const first = new Promise<number>((resolve) =>
    engine.streams.addListener({ onQueryProgress: () => resolve(performance.now() - startMs) }),
  )
  const query = await startCounting(engine, checkpoint)
  const tookMs = await first
  await query.stop()
  await engine.close()
  return Math.round(tookMs)
}

function fillAndDie(checkpoint: string, keys: number): Promise<void> {
  const program = `
    import { fillUntilSnapshotIsDue } from ${JSON.stringify(import.meta.filename)}
    await fillUntilSnapshotIsDue(${JSON.stringify(checkpoint)}, ${keys})`
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=millrace-source', '--input-type=module', '-e', program], { stdio: 'inherit' })
    child.on('exit', (code, signal) =>
      signal === 'SIGKILL' ? resolve() : reject(new Error(`the process that fills the state ended with ${code ?? signal}`)),
    )
  })
}

/**
 * In a process of its own: fills the state and goes on touching it. The changelog that a restart has to read grows until a snapshot
 * is taken, and falls; when it has come near that height again, the next snapshot is all but due, and the process dies.
 */
export async function fillUntilSnapshotIsDue(checkpoint: string, keys: number): Promise<void> {
  const rows = Math.min(100_000, keys)
  const engine = await millrace.local({
    sources: [loadSource([{ batches: 100_000, rows, firstKey: (batch) => batch * rows, keys }])],
    conf: restartConf(keys),
  })
  let highest = 0
  let hasFallen = false
  let touched = 0
  engine.streams.addListener({
    onQueryProgress({ progress }) {
      const state = progress.stateOperators[0]!
      if (state.numRowsTotal < keys) return
      const tail = state.customMetrics['changelogTailBytes']!
      hasFallen ||= tail < highest * 0.8
      if (!hasFallen) highest = Math.max(highest, tail)
      // snapshots that keep up with the load keep the tail level: then any moment is as good
      if ((hasFallen && tail > highest * 0.85) || ++touched > 120) process.kill(process.pid, 'SIGKILL')
    },
  })
  await (await startCounting(engine, checkpoint)).awaitTermination()
}

/** A state as small as that of a short run would never reach the default bound. */
function restartConf(keys: number): Readonly<Record<string, number>> {
  return keys >= 1_000_000 ? {} : { 'millrace.stateStore.changelogTailBytes': keys * 20 }
}

/** A source whose batches follow a list of loads: its offset is the number of batches read. */
export function loadSource(loads: readonly Load[]): SourceProvider {
  const total = loads.reduce((sum, load) => sum + load.batches, 0)
  const schemaFields = [
    { name: 'at', type: 'timestamp', nullable: false },
    { name: 'key', type: 'string', nullable: false },
    { name: 'value', type: 'long', nullable: false },
  ] as const
  return {
    formats: ['load'],
    schemaOf: () => new Schema(schemaFields),
    open: async ({ schema }): Promise<Source> => ({
      schema,
      description: 'load',
      readLimit: { kind: 'all' },
      readsAhead: true,
      latestOffset: async (start) => Math.min(total, ((start as number | null) ?? 0) + 1),
      rows: async (_start, end) => {
        let batch = (end as number) - 1
        const load = loads.find((each) => {
          if (batch < each.batches) return true
          batch -= each.batches
          return false
        })!
        const first = Math.floor(load.firstKey(batch))
        const number = load.keys === undefined ? 'i' : `(i % ${load.keys})`
        const sql = `SELECT TIMESTAMP '2026-01-01 00:00:00' AS "at", 'key-' || lpad(${number}::VARCHAR, 8, '0') AS key, i AS value FROM range(${first}, ${first + load.rows}) r(i)`
        return { kind: 'sql', sql, numRows: load.rows }
      },
      prepareForAvailableNow: async () => {},
      commit: async () => {},
      stop: async () => {},
    }),
  }
}

async function groupsOnly(rows: number): Promise<number> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const pass = async (batch: number) => {
    const source = `(SELECT TIMESTAMP '2026-01-01 00:00:00' AS "at", 'key-' || lpad(i::VARCHAR, 8, '0') AS key, i AS value FROM range(${batch * rows}, ${(batch + 1) * rows}) r(i))`
    await connection.runAndReadAll(
      `SELECT time_bucket(INTERVAL 1 HOUR, "at"), key, count(*), sum(value), max(value) FROM ${source} GROUP BY ALL`,
    )
  }
  for (let i = 0; i < 5; i++) await pass(i)
  const startMs = performance.now()
  for (let i = 0; i < 20; i++) await pass(i)
  const ms = performance.now() - startMs
  connection.closeSync()
  return Math.round((20 * rows * 1000) / ms)
}

export function quantiles(ms: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = [...ms].sort((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.floor(sorted.length * share)] ?? 0)
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}
function round(value: number): number {
  return Math.round(value * 100) / 100
}
