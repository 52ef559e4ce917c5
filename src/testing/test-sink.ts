import type { Row } from '../data/row-set.ts'
import type { OutputMode } from '../plan/logical-plan.ts'
import type { SinkInstance } from '../query/engine-port.ts'
import type { Sink, SinkBatch, SinkCommit } from '../sinks/sink.ts'

/**
 * A sink that keeps what it got, batch by batch, and outlives the query, so that a test can look at it after a restart.
 * A batch that comes again is kept once (the first delivery stands), except in complete mode, where the newest table replaces all.
 */
export class TestSink implements SinkInstance {
  readonly kind = 'sink'
  readonly outputModes: readonly OutputMode[] = ['append', 'update', 'complete']
  /** How often each batch id was delivered. */
  readonly deliveries = new Map<number, number>()
  #batches = new Map<number, readonly Row[]>()

  open(): Promise<Sink> {
    return Promise.resolve({
      description: 'TestSink',
      guarantee: 'exactly-once',
      addBatch: (batch) => this.#add(batch),
      stop: async () => {},
    })
  }

  async #add({ batchId, rows, outputMode }: SinkBatch): Promise<SinkCommit> {
    this.deliveries.set(batchId, (this.deliveries.get(batchId) ?? 0) + 1)
    const objects = await rows.toObjects()
    const newest = Math.max(-1, ...this.#batches.keys())
    if (batchId <= newest) return { status: 'already-committed', numOutputRows: 0 }
    if (outputMode === 'complete') this.#batches.clear()
    this.#batches.set(batchId, objects)
    return { status: 'committed', numOutputRows: objects.length }
  }

  /** All rows in the order of their batches; in complete mode the last table. */
  get allRows(): Row[] {
    return [...this.#batches.values()].flat()
  }
  /** The rows of the batches with a greater id; in complete mode the last table, where it is one of these. */
  rowsAfter(batchId: number): Row[] {
    return [...this.#batches].flatMap(([id, rows]) => (id > batchId ? rows : []))
  }
  /** The rows of the newest batch. */
  get lastBatch(): readonly Row[] {
    return [...this.#batches.values()].at(-1) ?? []
  }
  get batchIds(): number[] {
    return [...this.#batches.keys()]
  }
  clear(): void {
    this.#batches = new Map()
    this.deliveries.clear()
  }
}
