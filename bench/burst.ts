/**
 * What does a burst of ten times the normal load do? A folder gets files of JSON at a steady rate, then ten times of it for a while, then the
 * steady rate again; a windowed count with a trigger of one second reads them, with backpressure and without. The latency of a file is the time from its
 * arrival to the commit of its batch. With backpressure no batch may be much longer than the trigger, memory stays under its limit, and the
 * latency is back at its old value as soon as the backlog is worked off, which at a machine's full rate takes no longer than the burst.
 */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, millrace, type QueryProgress, t, window } from 'millrace'
import type { Bench } from './run.ts'

const targetMs = 1000
const memoryLimitMb = 1500
const tickMs = 100

const bench: Bench = async ({ say, short }) => {
  const phases = short ? { before: 2, burst: 2, after: 4 } : { before: 10, burst: 10, after: 25 }
  const work = await mkdtemp(join(tmpdir(), 'millrace-burst-'))
  try {
    const rowsPerTick = await calibrate(join(work, 'calibrate'), short)
    say(`normal load: ${(rowsPerTick * 1000) / tickMs} rows/s; the burst: ten times as many for ${phases.burst} s`)
    const held = await run(join(work, 'held'), rowsPerTick, phases, {
      'millrace.targetBatchDuration': `${targetMs}ms`,
      'millrace.memoryLimit': `${memoryLimitMb}m`,
    })
    say('with backpressure')
    say(curve(held, phases))
    const free = await run(join(work, 'free'), rowsPerTick, phases, { 'millrace.targetBatchDuration': '0' })
    say('without')
    say(curve(free, phases))
    return {
      rowsPerSecond: (rowsPerTick * 1000) / tickMs,
      burstSeconds: phases.burst,
      ...summary(held, phases),
      without: summary(free, phases),
      memoryLimitMb,
      targetMs,
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

interface Phases {
  readonly before: number
  readonly burst: number
  readonly after: number
}
interface Sample {
  /** Since the first file. */
  readonly atMs: number
  readonly durationMs: number
  readonly rows: number
  /** Of the oldest file in the batch. */
  readonly latencyMs: number
  readonly rssMb: number
  readonly limit: string
}

function rowsOf(rows: number, n: number): string {
  const lines: string[] = []
  for (let i = 0; i < rows; i++)
    lines.push(
      `{"at":"2001-01-01T00:${String(Math.floor(n / 60) % 60).padStart(2, '0')}:${String(n % 60).padStart(2, '0')}Z","user":"user-${(i * 7919) % 5000}","price":${i % 100}}`,
    )
  return `${lines.join('\n')}\n`
}

/** A fifth of what the machine does, so that ten times of it is twice what it can. */
async function calibrate(folder: string, short: boolean): Promise<number> {
  const rows = short ? 100_000 : 400_000
  await mkdir(join(folder, 'in'), { recursive: true })
  for (let i = 0; i < 4; i++) await writeFile(join(folder, 'in', `${i}.json`), rowsOf(rows / 4, i))
  const engine = await millrace.local({ print: () => {} })
  const ms: number[] = []
  for (const name of ['warm', 'measured']) {
    const startMs = performance.now()
    const query = await queryOf(engine, folder).option('checkpointLocation', join(folder, name)).trigger({ availableNow: true }).start()
    await query.awaitTermination()
    ms.push(performance.now() - startMs)
  }
  await engine.close()
  return Math.max(100, Math.floor(((rows / ms[1]!) * tickMs) / 5))
}

function queryOf(engine: Awaited<ReturnType<typeof millrace.local>>, folder: string) {
  return engine.readStream
    .schema({ at: t.timestamp(), user: t.string(), price: t.int() })
    .json(join(folder, 'in'))
    .withWatermark('at', '1 minute')
    .groupBy(({ at, user }) => ({ w: window(at, '10 seconds'), user }))
    .agg(() => ({ n: count() }))
    .writeStream.outputMode('update')
    .format('noop')
}

async function run(folder: string, rowsPerTick: number, phases: Phases, conf: Record<string, string>): Promise<Sample[]> {
  await mkdir(join(folder, 'in'), { recursive: true })
  const engine = await millrace.local({ conf, print: () => {} })
  const arrivals: number[] = []
  const samples: Sample[] = []
  const startMs = performance.now()
  let files = 0
  engine.streams.addListener({
    onQueryProgress: ({ progress }) => {
      if (progress.numInputRows === 0) return
      const nowMs = performance.now() - startMs
      samples.push({
        atMs: nowMs,
        durationMs: progress.batchDuration,
        rows: progress.numInputRows,
        latencyMs: nowMs - (arrivals[files] ?? nowMs),
        rssMb: process.memoryUsage.rss() / 2 ** 20,
        limit: limitOf(progress),
      })
      files += Math.round(progress.numInputRows / rowsPerTick)
    },
  })
  const query = await queryOf(engine, folder)
    .option('checkpointLocation', join(folder, 'checkpoint'))
    .trigger({ processingTime: targetMs })
    .start()
  const texts = Array.from({ length: 60 }, (_, second) => rowsOf(rowsPerTick, second))
  const ticks = ((phases.before + phases.burst + phases.after) * 1000) / tickMs
  for (let tick = 0; tick < ticks; tick++) {
    const second = (tick * tickMs) / 1000
    const inBurst = second >= phases.before && second < phases.before + phases.burst
    for (let i = 0; i < (inBurst ? 10 : 1); i++) {
      const name = String(arrivals.length).padStart(6, '0')
      await writeFile(join(folder, `${name}.json`), texts[Math.floor(second) % 60]!)
      await rename(join(folder, `${name}.json`), join(folder, 'in', `${name}.json`))
      arrivals.push(performance.now() - startMs)
    }
    const dueMs = (tick + 1) * tickMs
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - (performance.now() - startMs))))
  }
  await query.processAllAvailable()
  await engine.close()
  return samples
}
function limitOf({ sources }: QueryProgress): string {
  const metrics = sources[0]?.metrics ?? {}
  return metrics['adaptiveMaxBytes']
    ? `${(Number(metrics['adaptiveMaxBytes']) / 2 ** 20).toFixed(1)} MiB, ${metrics['adaptiveLimitReason']}`
    : ''
}

function curve(samples: readonly Sample[], phases: Phases): string {
  const most = Math.max(...samples.map(({ latencyMs }) => latencyMs), 1)
  return samples
    .map(({ atMs, durationMs, rows, latencyMs, rssMb, limit }) => {
      const bar = '█'.repeat(Math.round((latencyMs / most) * 40)).padEnd(40)
      const mark = atMs >= phases.before * 1000 && atMs < (phases.before + phases.burst) * 1000 ? 'burst' : '     '
      return `${(atMs / 1000).toFixed(1).padStart(6)} s ${mark} ${bar} ${Math.round(latencyMs)} ms behind, batch ${durationMs} ms, ${rows} rows, ${Math.round(rssMb)} MB${limit ? `, may take ${limit}` : ''}`
    })
    .join('\n')
}

/** `recoveredSeconds`: from the end of the burst until a file is committed no later than twice the latency before it (and a trigger). */
function summary(samples: readonly Sample[], phases: Phases) {
  const burstEndMs = (phases.before + phases.burst) * 1000
  const before = samples.filter(({ atMs }) => atMs < phases.before * 1000)
  const normalMs = median(before.slice(1).map(({ latencyMs }) => latencyMs))
  const recovered = samples.find(({ atMs, latencyMs }) => atMs >= burstEndMs && latencyMs <= 2 * normalMs + targetMs)
  return {
    normalLatencyMs: Math.round(normalMs),
    worstLatencyMs: Math.round(Math.max(...samples.map(({ latencyMs }) => latencyMs))),
    longestBatchMs: Math.max(...samples.map(({ durationMs }) => durationMs)),
    recoveredSeconds: recovered ? Math.round((recovered.atMs - burstEndMs) / 100) / 10 : null,
    largestMb: Math.round(Math.max(...samples.map(({ rssMb }) => rssMb))),
  }
}
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
