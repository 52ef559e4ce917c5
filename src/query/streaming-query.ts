import type { MillraceError } from '../base/errors.ts'
import type { QueryProgress } from './query-progress.ts'

/** What a running query is doing now. */
export interface StreamingQueryStatus {
  readonly message: string
  readonly isDataAvailable: boolean
  readonly isTriggerActive: boolean
}

/** A query that was started. All calls may be made at any time, also after it has ended. */
export interface StreamingQuery {
  /** Stays with the checkpoint over restarts. */
  readonly id: string
  /** New at every start. */
  readonly runId: string
  readonly name: string | null
  readonly isActive: boolean
  /** What ended the query, or null while it runs and after stop(). */
  readonly exception: MillraceError | null
  readonly status: StreamingQueryStatus
  /** The last progresses, oldest first (`spark.sql.streaming.numRecentProgressUpdates`). */
  readonly recentProgress: readonly QueryProgress[]
  readonly lastProgress: QueryProgress | null
  /** Resolves when the query has ended (true), or after `timeoutMs` (false). Rejects with the query's error. */
  awaitTermination(timeoutMs?: number): Promise<boolean>
  /** Resolves when everything that the sources had when it was called is in the sink, with the no-data batch that follows. Rejects with the query's error. */
  processAllAvailable(): Promise<void>
  /** Ends the query. `drain` (the default) finishes and commits the batch that runs; otherwise it is left off at its next step and replayed by the next start.
   *  UnavailableError QUERY_STOP_TIMEOUT where it has not ended after `timeoutMs` (default: `spark.sql.streaming.stopTimeout`; 0 waits as long as it takes).
   *  Inside of a function of the query itself (foreachBatch) it does not wait: the batch goes on when that function returns, and the query ends behind it.
   *  There awaitTermination and processAllAvailable are InvalidQueryError QUERY_WAITS_FOR_ITSELF. */
  stop(options?: { readonly drain?: boolean; readonly timeoutMs?: number }): Promise<void>
  /** The plans, with the SQL of every fragment and the stateful operators. */
  explain(extended?: boolean): string
}
