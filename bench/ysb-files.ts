/**
 * How much of DuckDB's own speed is left when the Yahoo streaming benchmark runs as a stream?
 * The baseline is DuckDB alone running the same SQL over the same groups of files with as many threads, in this process, after a warm-up.
 */
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { count, type Engine, millrace, t, timestamp_millis, window } from 'millrace'
import type { Bench, BenchOptions, BenchResult } from './run.ts'

const files = 20

const variants = [
  { sink: 'noop', filesPerBatch: 5 },
  { sink: 'noop', filesPerBatch: 1 },
  { sink: 'foreachBatch', filesPerBatch: 5 },
  { sink: 'foreachBatch', filesPerBatch: 1 },
] as const
type Variant = (typeof variants)[number]

const bench: Bench = async ({ say, short }) => {
  const eventsPerFile = short ? 5_000 : 500_000
  const data = join(tmpdir(), `millrace-bench-ysb-${eventsPerFile}`)
  await generate(data, eventsPerFile)
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const engine = await millrace.local()
  try {
    for (const variant of variants) await streamed(engine, data, join(work, 'warm-up'), variant)
    // before DuckDB alone comes into this process
    const peakRssMiB = Math.round(process.resourceUsage().maxRSS / 1024)
    const alone = await openAlone(data)
    for (const filesPerBatch of [5, 1]) await alone.run(filesPerBatch)
    const pairs: Pair[] = []
    // stream and baseline take turns, so that a machine that changes its pace changes both
    for (let round = 0; round < (short ? 1 : 3); round++) {
      for (const variant of variants) {
        const run = await streamed(engine, data, join(work, `round-${round}`), variant)
        pairs.push({ variant, run, baseline: await alone.run(variant.filesPerBatch) })
      }
    }
    alone.close()
    return report(pairs, files * eventsPerFile, peakRssMiB, say)
  } finally {
    await engine.close()
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

interface Run {
  readonly ms: number
  readonly slowestBatchMs: number
  readonly slowestPhases: unknown
  /** Final counts by campaign and window, as text, sorted; null where the sink shows none. */
  readonly result: readonly string[] | null
}
interface Baseline {
  readonly ms: number
  readonly result: readonly string[]
}
interface Pair {
  readonly variant: Variant
  readonly run: Run
  readonly baseline: Baseline
}

async function streamed(engine: Engine, data: string, work: string, { sink, filesPerBatch }: Variant): Promise<Run> {
  const final = new Map<string, bigint>()
  const events = engine.readStream
    .schema({
      user_id: t.string(),
      page_id: t.string(),
      ad_id: t.string(),
      ad_type: t.string(),
      event_type: t.string(),
      event_time: t.long(),
      ip_address: t.string(),
    })
    .option('maxFilesPerTrigger', filesPerBatch)
    .json(join(data, 'events'))
  const ads = engine.read.parquet(join(data, 'ads.parquet'), { ad_id: t.string(), campaign_id: t.string() })
  const perCampaign = events
    .where(({ event_type }) => event_type.eq('view'))
    .withColumn('event_time', ({ event_time }) => timestamp_millis(event_time))
    .withWatermark('event_time', '10 seconds')
    .join(ads, 'ad_id')
    .groupBy(({ event_time, campaign_id }) => ({ campaign_id, window: window(event_time, '10 seconds') }))
    .agg(() => ({ views: count() }))
  const writer = perCampaign.writeStream
    .outputMode('update')
    .trigger({ availableNow: true })
    .option('checkpointLocation', join(work, `${sink}-${filesPerBatch}`))
  const query =
    sink === 'noop'
      ? await writer.format('noop').start()
      : await writer
          .foreachBatch(async (rows) => {
            for (const row of await rows.collect()) final.set(`${row.campaign_id} ${row.window.start}`, row.views)
          })
          .start()
  await query.awaitTermination()
  const progress = query.recentProgress
  const slowest = progress.reduce((a, b) => (a.batchDuration >= b.batchDuration ? a : b))
  return {
    ms: progress.reduce((sum, batch) => sum + batch.batchDuration, 0),
    slowestBatchMs: slowest.batchDuration,
    slowestPhases: slowest.durationMs,
    result: sink === 'noop' ? null : [...final].map(([key, views]) => `${key} ${views}`).sort(),
  }
}

/** DuckDB alone: the same SQL, group of files by group of files, results fetched. */
async function openAlone(data: string): Promise<{ run(filesPerBatch: number): Promise<Baseline>; close(): void }> {
  const instance = await DuckDBInstance.create(':memory:', { threads: String(availableParallelism()) })
  const connection = await instance.connect()
  const names = (await readdir(join(data, 'events'))).sort().map((name) => join(data, 'events', name))
  return {
    close: () => connection.closeSync(),
    async run(filesPerBatch) {
      const groups = Array.from({ length: Math.ceil(names.length / filesPerBatch) }, (_, i) =>
        names.slice(i * filesPerBatch, (i + 1) * filesPerBatch),
      )
      const startMs = performance.now()
      const results = []
      for (const group of groups) results.push((await connection.runAndReadAll(sqlOf(data, group))).getRows())
      const ms = performance.now() - startMs
      const counts = new Map<string, bigint>()
      for (const [campaign, start, views] of results.flat()) {
        const key = `${campaign} ${new Date(Number(start)).toISOString().replace('.000Z', 'Z')}`
        counts.set(key, (counts.get(key) ?? 0n) + (views as bigint))
      }
      return { ms, result: [...counts].map(([key, views]) => `${key} ${views}`).sort() }
    },
  }
}

function sqlOf(data: string, group: readonly string[]): string {
  const columns =
    "{user_id: 'VARCHAR', page_id: 'VARCHAR', ad_id: 'VARCHAR', ad_type: 'VARCHAR', event_type: 'VARCHAR', event_time: 'BIGINT', ip_address: 'VARCHAR'}"
  return `SELECT campaign_id, (event_time // 10000) * 10000 AS start, count(*) AS views
    FROM read_json([${group.map((path) => `'${path}'`).join(', ')}], format = 'newline_delimited', columns = ${columns})
    JOIN read_parquet('${join(data, 'ads.parquet')}') USING (ad_id)
    WHERE event_type = 'view' GROUP BY ALL`
}

function report(pairs: readonly Pair[], events: number, peakRssMiB: number, say: BenchOptions['say']): BenchResult {
  const rate = (ms: number) => Math.round((events * 1000) / ms)
  const figures = variants.map((variant) => {
    const own = pairs.filter((pair) => pair.variant === variant)
    for (const { run, baseline } of own) {
      if (run.result !== null && run.result.join('\n') !== baseline.result.join('\n'))
        throw new Error(`${variant.sink}, ${variant.filesPerBatch} files a batch: the stream's result is not DuckDB's`)
    }
    const ratio = Math.round(median(own.map(({ run, baseline }) => baseline.ms / run.ms)) * 1000) / 1000
    const recordsPerSecond = rate(median(own.map(({ run }) => run.ms)))
    const duckdbRecordsPerSecond = rate(median(own.map(({ baseline }) => baseline.ms)))
    const slowest = own.map(({ run }) => run).reduce((a, b) => (a.slowestBatchMs >= b.slowestBatchMs ? a : b))
    say(
      `${variant.sink}, ${variant.filesPerBatch} files a batch: ${recordsPerSecond} records/s, DuckDB alone ${duckdbRecordsPerSecond} (median ratio ${ratio}); slowest batch ${slowest.slowestBatchMs} ms ${JSON.stringify(slowest.slowestPhases)}`,
    )
    return { ...variant, recordsPerSecond, duckdbRecordsPerSecond, ratio, slowestBatchMs: slowest.slowestBatchMs }
  })
  const { recordsPerSecond, duckdbRecordsPerSecond, ratio } = figures[0]!
  return { recordsPerSecond, duckdbRecordsPerSecond, ratio, peakRssMiB, variants: figures }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}

/** 20 files of NDJSON, a third of the events views; 1,000 ads in 100 campaigns. Made once. */
async function generate(data: string, eventsPerFile: number): Promise<void> {
  const done = join(data, 'ads.parquet')
  if ((await readdir(data).catch((): string[] => [])).includes('ads.parquet')) return
  await mkdir(join(data, 'events'), { recursive: true })
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  for (let file = 0; file < files; file++) {
    await connection.run(`COPY (
      SELECT md5((i % 1000)::VARCHAR) AS user_id, md5(i::VARCHAR) AS page_id, md5('ad' || (hash(i) % 1000)) AS ad_id,
        ['banner', 'modal', 'sponsored-search', 'mail', 'mobile'][1 + i % 5] AS ad_type, ['view', 'click', 'purchase'][1 + i % 3] AS event_type,
        1700000000000 + i // 10 AS event_time, '1.2.3.4' AS ip_address
      FROM range(${file * eventsPerFile}, ${(file + 1) * eventsPerFile}) r(i)
    ) TO '${join(data, 'events', `${String(file).padStart(3, '0')}.json`)}' (FORMAT json)`)
  }
  await connection.run(`COPY (SELECT md5('ad' || i) AS ad_id, 'campaign-' || (i // 10) AS campaign_id FROM range(1000) r(i)) TO '${done}'`)
  connection.closeSync()
}
