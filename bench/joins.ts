/**
 * How fast are two streams joined, and does a batch cost what it brings, however large the state is? Impressions and clicks of the same numbers,
 * a click up to a minute after its impression: each row is stored, found by the other side and forgotten when the watermark has passed it. Then batches of
 * 1,000 rows over a small and a large state.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DataColumn as Column, type ColumnBatch, type Engine, type Field, MemoryStream, millrace, Schema, t } from 'millrace'
import { longs } from './flow.ts'
import type { Bench } from './run.ts'

const impressions = { ad: t.long(), shown: t.timestamp(), campaign: t.string() }
const clicks = { id: t.long(), clicked: t.timestamp(), price: t.double() }
const schemaOf = (names: readonly [string, string, string], last: Field['type']) =>
  new Schema(names.map((name, i): Field => ({ name, type: (['long', 'timestamp', last] as const)[i]!, nullable: false })))
const impressionSchema = schemaOf(['ad', 'shown', 'campaign'], 'string')
const clickSchema = schemaOf(['id', 'clicked', 'price'], 'double')

const bench: Bench = async ({ say, short }) => {
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const engine = await millrace.local({ conf: { 'spark.sql.streaming.stateStore.maintenanceInterval': '10s' } })
  try {
    const [batches, rows] = short ? [6, 1000] : [40, 100_000]
    const through = await flow(engine, join(work, 'flow'), batches, rows)
    const outer = await flow(engine, join(work, 'outer'), batches, rows, 'left')
    const small = await touch(engine, join(work, 'small'), 5_000, short ? 20 : 200)
    const large = await touch(engine, join(work, 'large'), short ? 50_000 : 2_000_000, short ? 20 : 200)
    const result = {
      rowsPerSecond: through.rowsPerSecond,
      leftOuterRowsPerSecond: outer.rowsPerSecond,
      stateRows: through.stateRows,
      p50SmallStateMs: small.p50Ms,
      p50LargeStateMs: large.p50Ms,
      p99LargeStateMs: large.p99Ms,
      largeStateRows: large.stateRows,
    }
    say(JSON.stringify(result, null, 2))
    return result
  } finally {
    await engine.close()
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

/** A row for each number from `first` on, in disorder, over `spreadUs` microseconds. */
function block(schema: Schema, first: number, rows: number, fromUs: number, spreadUs: number): ColumnBatch {
  const idOf = (i: number) => first + ((i * 7919) % rows)
  const fixed = (type: 'long' | 'timestamp', f: (i: number) => number): Column => ({
    kind: 'fixed',
    type,
    data: longs(rows, f),
    valid: null,
  })
  const last = schema.fields[2]!.type === 'double' ? prices(rows) : campaigns(rows)
  return {
    schema,
    length: rows,
    columns: [fixed('long', idOf), fixed('timestamp', (i) => fromUs + Math.floor(((idOf(i) - first) / rows) * spreadUs)), last],
  }
}
function prices(rows: number): Column {
  return { kind: 'fixed', type: 'double', data: Float64Array.from({ length: rows }, (_, i) => i / 8), valid: null }
}
function campaigns(rows: number): Column {
  const texts = Array.from({ length: 100 }, (_, i) => new TextEncoder().encode(`campaign-${i}`))
  const offsets = new Uint32Array(rows + 1)
  for (let i = 0; i < rows; i++) offsets[i + 1] = offsets[i]! + texts[i % 100]!.length
  const heap = new Uint8Array(offsets[rows]!)
  for (let i = 0; i < rows; i++) heap.set(texts[i % 100]!, offsets[i])
  return { kind: 'bytes', type: 'string', offsets, heap, valid: null }
}

function openStreams(engine: Engine) {
  return { left: new MemoryStream(engine, impressions), right: new MemoryStream(engine, clicks) }
}
type Streams = ReturnType<typeof openStreams>

/** Impressions, and clicks of which half are on those of the block before. */
function add({ left, right }: Streams, first: number, rows: number, fromUs: number, spreadUs: number): void {
  left.addColumns(block(impressionSchema, first, rows, fromUs, spreadUs))
  right.addColumns(block(clickSchema, first - Math.floor(rows / 2), rows, fromUs + secondUs, spreadUs))
}
const secondUs = 1_000_000

const joined = ({ left, right }: Streams, how: 'inner' | 'left') =>
  left
    .toDF()
    .withWatermark('shown', '10 seconds')
    .join(
      right.toDF().withWatermark('clicked', '10 seconds'),
      (l, r) =>
        l.ad
          .eq(r.id)
          .and(r.clicked.geq(l.shown.minus('10 seconds')))
          .and(r.clicked.leq(l.shown.plus('1 minute'))),
      how,
    )

async function start(streams: Streams, checkpoint: string, how: 'inner' | 'left' = 'inner') {
  const query = await joined(streams, how).writeStream.format('noop').option('checkpointLocation', checkpoint).start()
  const batch = async (first: number, rows: number, fromUs: number, spreadUs: number) => {
    add(streams, first, rows, fromUs, spreadUs)
    const startMs = performance.now()
    await query.processAllAvailable()
    return performance.now() - startMs
  }
  return { query, batch, stateRows: () => query.lastProgress!.stateOperators[0]!.numRowsTotal }
}

/** Batches of `rows` impressions and as many clicks, 20 seconds of events each. The first two warm up. */
async function flow(engine: Engine, checkpoint: string, batches: number, rows: number, how: 'inner' | 'left' = 'inner') {
  const { query, batch, stateRows } = await start(openStreams(engine), checkpoint, how)
  let tookMs = 0
  for (let i = 0; i < batches; i++) {
    const ms = await batch(i * rows, rows, i * 20 * secondUs, 20 * secondUs)
    if (i >= 2) tookMs += ms
  }
  const result = { rowsPerSecond: Math.round(((batches - 2) * 2 * rows * 1000) / tookMs), stateRows: stateRows() }
  await query.stop()
  return result
}

/** Fills the state with rows that the watermark does not reach, then adds a thousand at a time. */
async function touch(engine: Engine, checkpoint: string, keep: number, batches: number) {
  const { query, batch, stateRows } = await start(openStreams(engine), checkpoint)
  const filled = keep / 2
  for (let at = 0; at < filled; at += 50_000) await batch(at, Math.min(50_000, filled - at), 0, secondUs)
  const times: number[] = []
  for (let i = 0; i < batches; i++) times.push(await batch((i * 7919) % filled, 500, secondUs + i, 1000))
  times.splice(0, Math.floor(batches / 10))
  times.sort((a, b) => a - b)
  const at = (share: number) => Math.round(times[Math.floor(times.length * share)]! * 100) / 100
  const result = { p50Ms: at(0.5), p99Ms: at(0.99), stateRows: stateRows() }
  await query.stop()
  return result
}
