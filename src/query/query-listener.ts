import type { QueryProgress } from './query-progress.ts'

/** Sent before `start()` returns. */
export interface QueryStartedEvent {
  readonly id: string
  readonly runId: string
  readonly name: string | null
  readonly timestamp: string
}
export interface QueryProgressEvent {
  readonly progress: QueryProgress
}
/** Sent at most every `spark.sql.streaming.noDataProgressEventInterval` (10 s) while there is nothing to do. */
export interface QueryIdleEvent {
  readonly id: string
  readonly runId: string
  readonly timestamp: string
}
export interface QueryTerminatedEvent {
  readonly id: string
  readonly runId: string
  /** The error's text, or null after a normal end. */
  readonly exception: string | null
  /** The error's code, or null. */
  readonly errorClassOnException: string | null
}

/**
 * Hears of every query of an engine. onQueryStarted is called before `start()` returns, the others soon after what they tell of, in its order.
 * What a listener throws, or its promise rejects with, is reported on the engine's log and otherwise ignored. No query waits for a listener's promise.
 */
export interface StreamingQueryListener {
  onQueryStarted?(event: QueryStartedEvent): void
  onQueryProgress?(event: QueryProgressEvent): void
  onQueryIdle?(event: QueryIdleEvent): void
  onQueryTerminated?(event: QueryTerminatedEvent): void
}
