import type { Account, Balance } from '../data/side-rows.ts'

export type { Account, Balance } from '../data/side-rows.ts'

/** What one batch did, or (`isIdle`) how things stand while there is nothing to do; the fields and their spelling are Spark's StreamingQueryProgress (its JSON form is `progressJson`). */
export interface QueryProgress {
  readonly id: string
  readonly runId: string
  readonly name: string | null
  /** Start of the trigger, ISO 8601 UTC with milliseconds. */
  readonly timestamp: string
  /** While there is nothing to do: that of the next batch. */
  readonly batchId: number
  /** Milliseconds. */
  readonly batchDuration: number
  readonly numInputRows: number
  /** Rows a second since the trigger before began (0 in a run's first trigger); absent where there is no number. */
  readonly inputRowsPerSecond?: number
  readonly processedRowsPerSecond?: number
  /** Milliseconds by phase: triggerExecution, latestOffset, walCommit, getBatch, queryPlanning, addBatch, commitOffsets, and Millrace's own stateCommit. */
  readonly durationMs: Readonly<Record<string, number>>
  /** max, min, avg, watermark as ISO strings; only `watermark` in a batch without data; empty without withWatermark. */
  readonly eventTime: Readonly<Record<string, string>>
  readonly stateOperators: readonly StateOperatorProgress[]
  readonly sources: readonly SourceProgress[]
  readonly sink: SinkProgress
  readonly observedMetrics: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** What was delivered to the side outputs, by their names (lateRows, deadLetters); absent in a query without. */
  readonly sideOutputs?: Readonly<Record<string, SinkProgress>>
  /** The books: for each place of the query where rows may be set aside, how many came and where they went. Absent in a query without side outputs. */
  readonly books?: readonly Account[]
  /** The books in one line: of the rows that the sources gave, how many were set aside anywhere, and how many were not. */
  readonly balance?: Balance
  /** Present (true) where a crash or a stop without drain left the batch planned, and this run has done it again. */
  readonly isReplay?: true
  /** Present (true) where there was no batch: nothing new, for the first trigger of a run or for `spark.sql.streaming.noDataProgressEventInterval`. Listeners hear onQueryIdle instead. */
  readonly isIdle?: true
}
export interface StateOperatorProgress {
  readonly operatorName: string
  readonly numRowsTotal: number
  readonly numRowsUpdated: number
  readonly allUpdatesTimeMs: number
  readonly numRowsRemoved: number
  readonly allRemovalsTimeMs: number
  readonly commitTimeMs: number
  readonly memoryUsedBytes: number
  readonly numRowsDroppedByWatermark: number
  readonly numShufflePartitions: number
  readonly numStateStoreInstances: number
  readonly customMetrics: Readonly<Record<string, number>>
}
export interface SourceProgress {
  readonly description: string
  readonly startOffset: unknown
  readonly endOffset: unknown
  readonly latestOffset: unknown
  readonly numInputRows: number
  readonly inputRowsPerSecond?: number
  readonly processedRowsPerSecond?: number
  readonly metrics: Readonly<Record<string, string>>
}
export interface SinkProgress {
  readonly description: string
  /** -1 where the sink does not know. */
  readonly numOutputRows: number
  readonly metrics: Readonly<Record<string, string>>
}
