import type { Row } from './row-set.ts'

/**
 * The user's code behind `writeStream.foreach`. For each batch: `open`, then (unless it gave false) `process` for each row or `processBatch` for
 * all of them, then `close`, with the error where one was thrown. Calls follow one another; each may be async. At least once: after a crash the
 * last batch comes again under the same epoch id, by which `open` can tell and skip it.
 */
export interface ForeachWriter<R = Row> {
  /** The partition is always 0: a batch is one partition here. The epoch id is the batch id. False skips the batch. */
  open?(partitionId: bigint, epochId: bigint): boolean | undefined | Promise<boolean | undefined>
  process?(row: R): unknown
  /** In place of `process`, for writers that are faster with many rows at once. Not called for a batch without rows. */
  processBatch?(rows: readonly R[]): unknown
  /** Called whenever `open` was, unless `open` itself threw; `error` is what stopped the batch, or null. */
  close?(error: unknown): unknown
}
