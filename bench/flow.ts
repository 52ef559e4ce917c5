/** What the benches of steps with state share: columns in, batch by batch, and how long each takes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ColumnBatch,
  type DataColumn,
  type Engine,
  type Field,
  MemoryStream,
  millrace,
  Schema,
  type StreamingQuery,
  t,
} from 'millrace'

export const secondUs = 1_000_000
const fields: readonly Field[] = [
  { name: 'id', type: 'long', nullable: false },
  { name: 'at', type: 'timestamp', nullable: false },
  { name: 'price', type: 'double', nullable: false },
]
const schema = new Schema(fields)

/** Rows of (id, time, price). */
export function openStream(engine: Engine) {
  return new MemoryStream(engine, { id: t.long(), at: t.timestamp(), price: t.double() })
}
export type BenchStream = ReturnType<typeof openStream>

export interface Block {
  readonly rows: number
  readonly idOf: (i: number) => number
  readonly timeUsOf: (i: number) => number
}
export function blockOf({ rows, idOf, timeUsOf }: Block): ColumnBatch {
  const long = (type: 'long' | 'timestamp', f: (i: number) => number): DataColumn => ({
    kind: 'fixed',
    type,
    data: longs(rows, f),
    valid: null,
  })
  const prices: DataColumn = { kind: 'fixed', type: 'double', data: Float64Array.from({ length: rows }, (_, i) => i / 8), valid: null }
  return { schema, length: rows, columns: [long('long', idOf), long('timestamp', timeUsOf), prices] }
}

/** Whole numbers as longs, by halves: bigints would be garbage, which is collected while the next batch is measured. */
export function longs(rows: number, valueOf: (i: number) => number): BigInt64Array {
  const halves = new Int32Array(2 * rows)
  for (let i = 0; i < rows; i++) {
    const value = Math.floor(valueOf(i))
    halves[2 * i] = value % 2 ** 32
    halves[2 * i + 1] = Math.floor(value / 2 ** 32)
  }
  return new BigInt64Array(halves.buffer)
}

export interface Running {
  readonly stateRows: () => number
  /** Gives the block as one batch and says how many milliseconds that took, its batch without data included. */
  readonly batch: (block: Block) => Promise<number>
}

type Writable = { writeStream: { format(name: 'noop'): { option(key: string, value: string): { start(): Promise<StreamingQuery> } } } }
/** Runs a query over a stream of its own while `work` feeds it. */
export async function running<T>(
  engine: Engine,
  checkpoint: string,
  queryOf: (input: BenchStream) => unknown,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const input = openStream(engine)
  const query = await (queryOf(input) as Writable).writeStream.format('noop').option('checkpointLocation', checkpoint).start()
  try {
    return await work({
      stateRows: () => query.lastProgress!.stateOperators[0]!.numRowsTotal,
      async batch(block) {
        const columns = blockOf(block)
        const startMs = performance.now()
        input.addColumns(columns)
        await query.processAllAvailable()
        return performance.now() - startMs
      },
    })
  } finally {
    await query.stop()
  }
}

/** Rows a second over all batches but the first two, which warm up. */
export async function throughput({ batch, stateRows }: Running, batches: number, blockOfBatch: (n: number) => Block) {
  let tookMs = 0
  let rows = 0
  for (let n = 0; n < batches; n++) {
    const block = blockOfBatch(n)
    const ms = await batch(block)
    if (n < 2) continue
    tookMs += ms
    rows += block.rows
  }
  return { rowsPerSecond: Math.round((rows * 1000) / tookMs), stateRows: stateRows() }
}

/** Percentiles of small batches, over a state that was filled before. */
export async function touch({ batch, stateRows }: Running, fill: readonly Block[], batches: number, blockOfBatch: (n: number) => Block) {
  for (const block of fill) await batch(block)
  const times: number[] = []
  for (let n = 0; n < batches; n++) times.push(await batch(blockOfBatch(n)))
  times.splice(0, Math.floor(batches / 10))
  times.sort((a, b) => a - b)
  const at = (share: number) => Math.round(times[Math.floor(times.length * share)]! * 100) / 100
  return { p50Ms: at(0.5), p99Ms: at(0.99), stateRows: stateRows() }
}

/** An engine and a folder for the time of a bench. */
export async function withEngine<T>(work: (engine: Engine, folder: (name: string) => string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  const engine = await millrace.local({ conf: { 'spark.sql.streaming.stateStore.maintenanceInterval': '10s' } })
  try {
    return await work(engine, (name) => join(folder, name))
  } finally {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}
