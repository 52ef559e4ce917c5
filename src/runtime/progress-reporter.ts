import type { Clock } from '../base/clock.ts'
import type { OffsetEntry } from '../checkpoint/checkpoint.ts'
import type { StatefulAggregate, StreamingPlan } from '../planner/streaming-plan.ts'
import type { QueryProgress, SourceProgress, StateOperatorProgress } from '../query/query-progress.ts'
import type { Sink, SinkCommit } from '../sinks/sink.ts'
import type { Offset, Source } from '../sources/source.ts'
import type { EventTimeStats } from '../sql/sql-batch.ts'
import type { QueryState, StateCommit } from '../state/state-store.ts'
import type { EvaluationRecord } from './evaluate.ts'

export interface QueryIdentity {
  readonly id: string
  readonly runId: string
  readonly name: string | null
}

interface Batch {
  readonly batchId: number
  readonly start: Readonly<Record<string, Offset | null>>
  readonly entry: OffsetEntry
  /** Whether a crash or stop left it planned and this run does it again. */
  readonly isReplay: boolean
}
interface Outcome {
  readonly commit: SinkCommit
  readonly record: EvaluationRecord
  readonly inputRows: ReadonlyMap<string, number>
  readonly state: QueryState | null
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
  #durations = new Map<string, number>()
  #triggerStartMs: number | null = null
  #triggerStartMonotonicMs = 0
  #previousTriggerStartMs: number | null = null
  #batch: Batch | null = null
  #outcome: Outcome | null = null

  constructor(identity: QueryIdentity, plan: StreamingPlan, sources: ReadonlyMap<string, Source>, sink: Sink, clock: Clock) {
    this.#identity = identity
    this.#plan = plan
    this.#sources = sources
    this.#sink = sink
    this.#clock = clock
  }

  get isTriggerActive(): boolean {
    return this.#triggerStartMs !== null
  }

  startTrigger(): void {
    this.#triggerStartMs = this.#clock.nowMs()
    this.#triggerStartMonotonicMs = this.#clock.monotonicMs()
    this.#durations = new Map()
    this.#batch = null
    this.#outcome = null
    this.stateCommit = null
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
    const startMs = this.#triggerStartMs ?? 0
    this.#triggerStartMs = null
    if (!this.#batch || !this.#outcome) return null
    const batchDuration = this.#clock.monotonicMs() - this.#triggerStartMonotonicMs
    this.#durations.set('triggerExecution', batchDuration)
    const sinceMs = this.#previousTriggerStartMs === null ? null : startMs - this.#previousTriggerStartMs
    this.#previousTriggerStartMs = startMs
    return this.#progressOf(this.#batch, this.#outcome, startMs, batchDuration, sinceMs)
  }

  #progressOf(batch: Batch, outcome: Outcome, startMs: number, durationMs: number, sinceMs: number | null): QueryProgress {
    const numInputRows = [...outcome.inputRows.values()].reduce((sum, rows) => sum + rows, 0)
    const phases = [...this.#durations].sort(([a], [b]) => (a < b ? -1 : 1)).map(([phase, ms]) => [phase, Math.round(ms)])
    return {
      ...this.#identity,
      timestamp: iso(startMs),
      batchId: batch.batchId,
      batchDuration: Math.round(durationMs),
      numInputRows,
      ...rates(numInputRows, durationMs, sinceMs),
      durationMs: Object.fromEntries(phases),
      eventTime: eventTimeOf(this.#plan, outcome.record.eventTimes, batch.entry.batchWatermarkMs),
      stateOperators: this.#plan.stateful.map((operator) => this.#operatorProgress(operator, outcome)),
      sources: [...this.#sources].map(([name, source]) => sourceProgress(name, source, batch, outcome, durationMs, sinceMs)),
      sink: { description: this.#sink.description, numOutputRows: outcome.commit.numOutputRows, metrics: outcome.commit.metrics ?? {} },
      observedMetrics: {},
      ...(batch.isReplay ? { isReplay: true as const } : {}),
    }
  }

  #operatorProgress(operator: StatefulAggregate, { record, state }: Outcome): StateOperatorProgress {
    const result = record.aggregates.get(operator.operatorId)
    const store = state?.store(operator.operatorId)
    return {
      operatorName: 'stateStoreSave',
      numRowsTotal: store?.numRows ?? 0,
      numRowsUpdated: result?.rowsUpdated ?? 0,
      allUpdatesTimeMs: Math.round(result?.updatesMs ?? 0),
      numRowsRemoved: result?.rowsRemoved ?? 0,
      allRemovalsTimeMs: 0,
      commitTimeMs: Math.round(this.stateCommit?.commitMs ?? 0),
      memoryUsedBytes: store?.memoryUsedBytes ?? 0,
      numRowsDroppedByWatermark: result?.rowsDroppedByWatermark ?? 0,
      numShufflePartitions: state?.metrics.partitions ?? 1,
      numStateStoreInstances: state?.metrics.partitions ?? 1,
      customMetrics: {
        changelogBytes: this.stateCommit?.bytes ?? 0,
        changelogTailBytes: state?.metrics.changelogTailBytes ?? 0,
        snapshotsWritten: state?.metrics.snapshotsWritten ?? 0,
        lastSnapshotVersion: state?.metrics.lastSnapshotVersion ?? 0,
      },
    }
  }
}

function sourceProgress(name: string, source: Source, batch: Batch, outcome: Outcome, durationMs: number, sinceMs: number | null): SourceProgress {
  const numInputRows = outcome.inputRows.get(name) ?? 0
  const endOffset = batch.entry.sources[name] ?? null
  return {
    description: source.description,
    startOffset: batch.start[name] ?? null,
    endOffset,
    latestOffset: source.reportLatestOffset?.() ?? null,
    numInputRows,
    ...rates(numInputRows, durationMs, sinceMs),
    metrics: source.metrics?.(endOffset) ?? {},
  }
}

/** Spark's two rates, HALF_UP to one decimal; a rate that is no number is left out. */
function rates(numRows: number, durationMs: number, sinceMs: number | null): { inputRowsPerSecond?: number; processedRowsPerSecond?: number } {
  const processed = { processedRowsPerSecond: oneDecimal((numRows * 1000) / Math.max(1, durationMs)) }
  return sinceMs === null || sinceMs <= 0 ? processed : { inputRowsPerSecond: oneDecimal((numRows * 1000) / sinceMs), ...processed }
}
function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10
}

function eventTimeOf(plan: StreamingPlan, seen: ReadonlyMap<number, EventTimeStats>, watermarkMs: number): Record<string, string> {
  if (plan.watermarks.length === 0) return {}
  const stats = [...seen.values()].filter(({ count }) => count > 0)
  const watermark = { watermark: iso(watermarkMs) }
  if (stats.length === 0) return watermark
  const rows = stats.reduce((sum, { count }) => sum + count, 0)
  const avgUs = stats.reduce((sum, each) => sum + each.avgUs * (each.count / rows), 0)
  return {
    avg: iso(avgUs / 1000),
    max: iso(Math.max(...stats.map((each) => Number(each.maxUs))) / 1000),
    min: iso(Math.min(...stats.map((each) => Number(each.minUs))) / 1000),
    ...watermark,
  }
}
function iso(ms: number): string {
  return new Date(Math.floor(ms)).toISOString()
}

/** A progress as Spark prints it: offsets as JSON, empty maps left out. */
export function progressJson(progress: QueryProgress): string {
  return JSON.stringify(progress, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value))
}
