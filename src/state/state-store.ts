import type { ColumnBatch } from '../data/column-batch.ts'

/** Rows on their way into the state: 128-bit key identities and, beside them, the physical columns of the StateSchema (keys, then values). */
export interface KeyedBatch {
  /** 4 words a row: word 0 holds the most significant 32 bits of the key's md5. */
  readonly keyIds: Uint32Array
  /** Columns: keys…, values… of the StateSchema. */
  readonly rows: ColumnBatch
}

/**
 * The keyed state of one operator. Version n is the state before batch n. A key's group is `keyIds[4i] % keyGroups`.
 * Work goes by column, so that a batch costs its own size and not the size of the state.
 */
export interface StateStore {
  /** The version that is loaded; merge and evict work towards version + 1. */
  readonly version: number
  readonly numRows: number
  readonly memoryUsedBytes: number
  /** Folds rows in by key and returns the touched rows as they now stand, a row a distinct key in the order of their first coming, in the physical
   *  columns of the StateSchema. With `collect` false (who only needs their number) the batch that comes back has that length and no columns. */
  merge(batch: KeyedBatch, collect?: boolean): ColumnBatch
  /** Removes the rows whose event time is <= `watermarkUs` (microseconds) and returns them if `collect`, else an empty batch; `removed` counts them. */
  evict(watermarkUs: bigint, collect: boolean): { readonly rows: ColumnBatch; readonly removed: number }
  /** All rows (complete mode; SQL over the state), in slices. */
  scan(): Iterable<ColumnBatch>
}

/** Durations and counts of one commit, for progress. */
export interface StateCommit {
  readonly bytes: number
  readonly commitMs: number
}

/**
 * All state of one query: a store an operator, one changelog file a batch, snapshots and their maintenance.
 * Durable forms: docs/formats.md. Epochs: files of version n count if commits/(n-1) names their epoch.
 */
export interface QueryState {
  store(operatorId: number): StateStore
  /** Writes state/changelog for `version + 1` durably. The stores then stand at that version. */
  commit(): Promise<StateCommit>
  /** Tells that batch `version - 1` is committed by this epoch, so that snapshots of that version may be trusted; and lets a slice (at most a few ms on
   *  this thread) of pending snapshot work be done. */
  afterCommit(): Promise<void>
  /** Waits for running snapshot work and lets go of all memory. */
  close(): Promise<void>
  readonly metrics: StateMetrics
}
export interface StateMetrics {
  /** Partitions: ranges of key groups. */
  readonly partitions: number
  readonly numRows: number
  readonly memoryUsedBytes: number
  readonly snapshotsWritten: number
  readonly lastSnapshotVersion: number
  readonly changelogTailBytes: number
}
