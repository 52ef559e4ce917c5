import { inputsOfNode, type PhysicalNode, type StatefulAggregate, type StreamingPlan } from '../planner/streaming-plan.ts'
import type { Offset } from '../sources/source.ts'
import type { SqlBatch } from '../sql/sql-batch.ts'
import type { Evaluation } from './evaluate.ts'
import type { ExecutionParts } from './execution-parts.ts'

/** What of a plan needs the rows of its sources and nothing else, no state, table or code of the program: it may be computed while the batch before is still written. */
export interface ReadFirst {
  /** Where rows lie ready when the event times in them have been measured. */
  readonly nodes: readonly PhysicalNode[]
  /** Whose groups of the batch may be computed. */
  readonly aggregates: readonly StatefulAggregate[]
}

/**
 * What batches of a query read ahead; null where they do not. Only where the next batch is fixed already (availableNow, limits that do not follow the load), where the sources say that they may be asked,
 * and where no row is set aside.
 */
export function readAheadOf({ trigger, limits, setAside, outputs, openState, sources, settings, plan }: ExecutionParts): ReadFirst | null {
  const isFixed = trigger.kind === 'available-now' && !limits.isOn && [...sources.values()].every((source) => source.readsAhead === true)
  if (!settings.readsAhead || !isFixed || setAside !== null || outputs !== undefined || openState === null) return null
  const found = readFirstOf(plan)
  return found.nodes.length + found.aggregates.length > 0 ? found : null
}

function readFirstOf({ root }: StreamingPlan): ReadFirst {
  const nodes: PhysicalNode[] = []
  const aggregates: StatefulAggregate[] = []
  const seen = new Set<PhysicalNode>()
  const visit = (node: PhysicalNode) => {
    if (seen.has(node)) return
    seen.add(node)
    if (node.kind === 'event-time' && isOfSources(node)) nodes.push(node)
    if (node.kind === 'aggregate' && isOfSources(node.inputs[0]!)) aggregates.push(node)
    inputsOfNode(node).forEach(visit)
  }
  visit(root)
  return { nodes, aggregates }
}
function isOfSources(node: PhysicalNode): boolean {
  if (node.kind === 'source') return true
  return (node.kind === 'fragment' || node.kind === 'event-time') && inputsOfNode(node).length > 0 && inputsOfNode(node).every(isOfSources)
}

/** What is known of a batch whose rows are read. */
export interface BatchRange {
  readonly batchId: number
  readonly start: Readonly<Record<string, Offset | null>>
  readonly end: Readonly<Record<string, Offset | null>>
  readonly batchTimestampMs: number
}
/** A batch whose rows are being read before it is planned. */
export interface AheadBatch extends BatchRange {
  readonly sql: SqlBatch
  readonly evaluation: Evaluation
  /** Settles when all is read. What failed fails again in the batch. */
  readonly reading: Promise<void>
}

/**
 * Reads the rows of the next batch while one is folded into the state and written. What fails before it has begun is left to the batch, which tries it again.
 */
export class ReadAhead {
  readonly #readFirst: ReadFirst
  readonly #open: (batchId: number, start: BatchRange['start']) => Promise<Omit<AheadBatch, 'reading'> | null>
  #next: Promise<AheadBatch | null> = Promise.resolve(null)
  #isClosed = false

  /** `open`: the batch that follows on one with these ends, or null where nothing does. */
  constructor(readFirst: ReadFirst, open: (batchId: number, start: BatchRange['start']) => Promise<Omit<AheadBatch, 'reading'> | null>) {
    this.#readFirst = readFirst
    this.#open = open
  }

  /** Reads for a batch what its evaluation would read anyway. */
  read(evaluation: Evaluation): Promise<void> {
    const reading = evaluation.readFirst(this.#readFirst)
    reading.catch(() => {}) // told by the batch
    return reading
  }
  /** Asks for the batch after one that starts here, and reads it when that one has been read. */
  begin(batchId: number, start: BatchRange['start'], reading: Promise<void>): void {
    if (!this.#isClosed) this.#next = this.#begin(batchId, start, reading).catch(() => null)
  }
  async #begin(batchId: number, start: BatchRange['start'], reading: Promise<void>): Promise<AheadBatch | null> {
    const batch = await this.#open(batchId, start)
    if (batch === null) return null
    await reading.catch(() => {}) // then the batch before fails
    return { ...batch, reading: this.read(batch.evaluation) }
  }
  /** Resolves when the statements that read the next batch are on their way to DuckDB, if there are any: a long stretch of this thread's own work would hold them up. */
  async isUnderWay(): Promise<void> {
    if ((await this.#next) !== null) await new Promise(setImmediate)
  }
  /** The batch that was begun, if any; its reading may not have ended. */
  async take(): Promise<AheadBatch | null> {
    const next = await this.#next
    this.#next = Promise.resolve(null)
    return next
  }
  /** No batch comes any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    const next = await this.take()
    await next?.reading.catch(() => {})
    await next?.sql.close()
  }
}
