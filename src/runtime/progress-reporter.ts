import type { Clock } from '../base/clock.ts'
import type { OffsetEntry } from '../checkpoint/checkpoint.ts'
import { balanceOf } from '../data/side-rows.ts'
import type { StatefulNode, StreamingPlan } from '../planner/streaming-plan.ts'
import type { QueryProgress, SourceProgress, StateOperatorProgress } from '../query/query-progress.ts'
import type { Sink, SinkCommit } from '../sinks/sink.ts'
import type { Offset, Source } from '../sources/source.ts'
import type { EventTimeStats } from '../sql/sql-batch.ts'
import type { QueryState, StateCommit, StateStore } from '../state/state-store.ts'
import type { EvaluationRecord } from './evaluate.ts'

export interface QueryIdentity {
  readonly id: string
  readonly runId: string
  readonly name: string | null
}

type Offsets = Readonly<Record<string, Offset | null>>
interface Batch {
  readonly batchId: number
  readonly start: Offsets
  readonly entry: OffsetEntry
  /** Whether a crash or stop left it planned and this run does it again. */
  readonly isReplay: boolean
}
interface Outcome {
  readonly commit: SinkCommit
  readonly record: EvaluationRecord
  readonly inputRows: ReadonlyMap<string, number>
  /** Records and files that sources could not read as they are. */
  readonly readCounts: ReadonlyMap<
    string,
    { readonly corruptRecords: number; readonly droppedRecords: number; readonly ignoredFiles: number }
  >
  readonly state: QueryState | null
  /** Of a query with side outputs. */
  readonly sideOutputs: QueryProgress['sideOutputs']
  readonly books: QueryProgress['books']
}

/** What a source says of itself in progress. */
type ShownSource = Pick<SourceProgress, 'latestOffset' | 'metrics'>
function shownOf(source: Source, end: Offset | null): ShownSource {
  return { latestOffset: source.reportLatestOffset?.() ?? null, metrics: { ...source.metrics?.(end) } }
}

/** Watches one query's triggers and makes a QueryProgress of each batch. */
export class ProgressReporter {
  /** What the batch's state commit cost; set by the execution as soon as it is known. */
  stateCommit: StateCommit | null = null
  readonly #identity: QueryIdentity
  readonly #plan: StreamingPlan
  readonly #sources: ReadonlyMap<string, Source>
  readonly #sink: Sink
  readonly #clock: Clock
  readonly #limitsOf: (source: string) => Readonly<Record<string, string>>
  #durations = new Map<string, number>()
  #isTriggerActive = false
  /** Of the trigger that runs or ran last. */
  #startMs: number | null = null
  #startMonotonicMs = 0
  #previousTriggerStartMs: number | null = null
  /** Of the last batch of this run, for the idle progresses after it. */
  #lastStateOperators: readonly StateOperatorProgress[] = []
  #lastNumOutputRows = -1
  #hasRunBatch = false
  #batch: Batch | null = null
  #outcome: Outcome | null = null
  /** What sources say of themselves, where that was asked before the end. */
  #shown: ReadonlyMap<string, ShownSource> = new Map()

  constructor(
    identity: QueryIdentity,
    plan: StreamingPlan,
    sources: ReadonlyMap<string, Source>,
    sink: Sink,
    clock: Clock,
    limitsOf: (source: string) => Readonly<Record<string, string>>,
  ) {
    this.#identity = identity
    this.#plan = plan
    this.#sources = sources
    this.#sink = sink
    this.#clock = clock
    this.#limitsOf = limitsOf
  }

  get isTriggerActive(): boolean {
    return this.#isTriggerActive
  }

  startTrigger(): void {
    this.#previousTriggerStartMs = this.#startMs
    this.#startMs = this.#clock.nowMs()
    this.#isTriggerActive = true
    this.#startMonotonicMs = this.#clock.monotonicMs()
    this.#durations = new Map()
    this.#batch = null
    this.#outcome = null
    this.#shown = new Map()
    this.stateCommit = null
  }
  /** The sources are about to be asked for the next batch: of this one they are shown as they are now. */
  holdSources(): void {
    const end = this.#batch?.entry.sources ?? {}
    this.#shown = new Map(Array.from(this.#sources, ([name, source]) => [name, shownOf(source, end[name] ?? null)]))
  }
  startBatch(batch: Batch): void {
    this.#batch = batch
  }
  finishBatch(outcome: Outcome): void {
    this.#outcome = outcome
  }

  /** Runs a phase and adds its time to the phase's total. */
  async time<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs()
    try {
      return await work()
    } finally {
      this.#durations.set(phase, (this.#durations.get(phase) ?? 0) + this.#clock.monotonicMs() - startMs)
    }
  }

  /** The progress of the batch that has just ended, or null where there was none. */
  endTrigger(): QueryProgress | null {
    this.#isTriggerActive = false
    this.#durations.set('triggerExecution', this.elapsedMs)
    if (!this.#batch || !this.#outcome) return null
    const [batch, outcome] = [this.#batch, this.#outcome]
    this.#hasRunBatch = true
    this.#lastStateOperators = this.#plan.stateful.map((operator) => this.#operatorProgress(operator, outcome))
    this.#lastNumOutputRows = outcome.commit.numOutputRows
    return {
      ...this.#progressOf({ ...batch, end: batch.entry.sources }, outcome.inputRows),
      eventTime: eventTimeOf(this.#plan, outcome.record.eventTimes, batch.entry.batchWatermarkMs),
      stateOperators: this.#lastStateOperators,
      sink: { description: this.#sink.description, numOutputRows: outcome.commit.numOutputRows, metrics: outcome.commit.metrics ?? {} },
      observedMetrics: Object.fromEntries([...outcome.record.observed].map(([name, { metrics }]) => [name, metrics])),
      ...(outcome.sideOutputs ? { sideOutputs: outcome.sideOutputs } : {}),
      ...(outcome.books ? { books: outcome.books, balance: balanceOf(outcome.books, outcome.inputRows) } : {}),
      ...(batch.isReplay ? { isReplay: true as const } : {}),
    }
  }

  /** The progress of a trigger that found nothing to do: what stands as after the last batch of this run, what happens as zero. `batchId` is the next batch's. */
  idleProgress({
    batchId,
    offsets,
    watermarkMs,
  }: {
    readonly batchId: number
    readonly offsets: Offsets
    readonly watermarkMs: number
  }): QueryProgress {
    return {
      ...this.#progressOf({ batchId, start: offsets, end: offsets }, new Map()),
      eventTime: this.#hasRunBatch ? eventTimeOf(this.#plan, new Map(), watermarkMs) : {},
      stateOperators: this.#lastStateOperators.map((operator) => ({
        ...operator,
        numRowsUpdated: 0,
        numRowsRemoved: 0,
        numRowsDroppedByWatermark: 0,
      })),
      sink: { description: this.#sink.description, numOutputRows: this.#lastNumOutputRows < 0 ? -1 : 0, metrics: {} },
      isIdle: true,
    }
  }

  /** Since the trigger began. */
  get elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#startMonotonicMs
  }

  #progressOf(batch: { readonly batchId: number; readonly start: Offsets; readonly end: Offsets }, inputRows: ReadonlyMap<string, number>) {
    const startMs = this.#startMs ?? 0
    const durationMs = this.#durations.get('triggerExecution') ?? 0
    const sinceMs = this.#previousTriggerStartMs === null ? Number.POSITIVE_INFINITY : startMs - this.#previousTriggerStartMs
    const numInputRows = [...inputRows.values()].reduce((sum, rows) => sum + rows, 0)
    const phases = [...this.#durations].sort(([a], [b]) => (a < b ? -1 : 1)).map(([phase, ms]) => [phase, Math.round(ms)])
    return {
      ...this.#identity,
      timestamp: iso(startMs),
      batchId: batch.batchId,
      batchDuration: Math.round(durationMs),
      numInputRows,
      ...rates(numInputRows, durationMs, sinceMs),
      durationMs: Object.fromEntries(phases) as Record<string, number>,
      sources: [...this.#sources].map(([name, source]): SourceProgress => {
        const { latestOffset, metrics } = this.#shown.get(name) ?? shownOf(source, batch.end[name] ?? null)
        return {
          description: source.description,
          startOffset: batch.start[name] ?? null,
          endOffset: batch.end[name] ?? null,
          latestOffset,
          numInputRows: inputRows.get(name) ?? 0,
          ...rates(inputRows.get(name) ?? 0, durationMs, sinceMs),
          metrics: { ...metrics, ...countsText(this.#outcome?.readCounts.get(name)), ...this.#limitsOf(name) },
        }
      }),
      observedMetrics: {},
    }
  }

  #operatorProgress(operator: StatefulNode, { record, state }: Outcome): StateOperatorProgress {
    const { operatorId, operatorName, customMetrics } = operator
    const result = record.steps.get(operatorId)
    const stores = state ? operator.stores.map(({ name }) => state.store(operatorId, name)) : []
    // as in Spark: timers are no rows of the user's state, and a list is one, however long
    const rowsOf = (store: StateStore, i: number) => {
      const kind = operator.stores[i]!.schema.variable?.kind
      return kind === 'timers' ? 0 : kind === 'list' ? store.numKeys : store.numRows
    }
    const partitions = state?.metrics.partitions ?? 1
    return {
      operatorName,
      numRowsTotal: stores.reduce((sum, store, i) => sum + rowsOf(store, i), 0),
      numRowsUpdated: result?.rowsUpdated ?? 0,
      allUpdatesTimeMs: Math.round(result?.updatesMs ?? 0),
      numRowsRemoved: result?.rowsRemoved ?? 0,
      allRemovalsTimeMs: Math.round(result?.removalsMs ?? 0),
      commitTimeMs: Math.round(this.stateCommit?.commitMs ?? 0),
      memoryUsedBytes: stores.reduce((sum, store) => sum + store.memoryUsedBytes, 0),
      numRowsDroppedByWatermark: result?.rowsDroppedByWatermark ?? 0,
      numShufflePartitions: partitions,
      // variables of a processor are one store in Spark
      numStateStoreInstances: operator.kind === 'groups' ? partitions : partitions * operator.stores.length,
      customMetrics: {
        ...Object.fromEntries((customMetrics ?? []).map((name) => [name, 0])),
        ...(this.#plan.watermarks.length > 0 ? { numLateInputRows: 0 } : {}),
        ...result?.custom,
        ...sumOf(stores.map(({ customMetrics }) => customMetrics ?? {})),
        changelogBytes: this.stateCommit?.bytes ?? 0,
        changelogTailBytes: state?.metrics.changelogTailBytes ?? 0,
        snapshotsWritten: state?.metrics.snapshotsWritten ?? 0,
        lastSnapshotVersion: state?.metrics.lastSnapshotVersion ?? 0,
      },
    }
  }
}

/** Numbers under the same name added up, to whole ones. */
function sumOf(metrics: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const each of metrics) for (const [name, value] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + value
  return Object.fromEntries(Object.entries(sums).map(([name, value]) => [name, Math.round(value)]))
}

function countsText(
  counts: { readonly corruptRecords: number; readonly droppedRecords: number; readonly ignoredFiles: number } | undefined,
) {
  if (counts === undefined) return {}
  const { corruptRecords, droppedRecords, ignoredFiles } = counts
  return {
    numCorruptRecords: String(corruptRecords),
    numDroppedRecords: String(droppedRecords),
    ...(ignoredFiles > 0 ? { numCorruptFilesIgnored: String(ignoredFiles) } : {}),
  }
}

/** Spark's two rates, HALF_UP to one decimal: 0 where there was no trigger before; a rate that is no number is left out. */
function rates(numRows: number, durationMs: number, sinceMs: number): { inputRowsPerSecond?: number; processedRowsPerSecond?: number } {
  const processed = { processedRowsPerSecond: oneDecimal((numRows * 1000) / Math.max(1, durationMs)) }
  return sinceMs <= 0 ? processed : { inputRowsPerSecond: oneDecimal((numRows * 1000) / sinceMs), ...processed }
}
function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10
}

function eventTimeOf(plan: StreamingPlan, seen: ReadonlyMap<number, EventTimeStats>, watermarkMs: number): Record<string, string> {
  if (plan.watermarks.length === 0) return {}
  const watermark = { watermark: iso(watermarkMs) }
  // of several watermarks only the first one with rows is shown, as in Spark
  const shown = [...seen].sort(([a], [b]) => a - b).find(([, { count }]) => count > 0)?.[1]
  if (!shown) return watermark
  return { avg: iso(shown.avgUs / 1000), max: iso(Number(shown.maxUs) / 1000), min: iso(Number(shown.minUs) / 1000), ...watermark }
}
function iso(ms: number): string {
  return new Date(Math.floor(ms)).toISOString()
}
