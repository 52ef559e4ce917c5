import type { ColumnBatch } from '../data/column-batch.ts'

/** Rows on their way into the state: 128-bit key identities and, beside them, the physical columns of the StateSchema (keys, then values). */
export interface KeyedBatch {
  /** 4 words a row: word 0 holds the most significant 32 bits of the key's md5. */
  readonly keyIds: Uint32Array
  /** Columns: keys…, values… of the StateSchema. */
  readonly rows: ColumnBatch
}

/** Rows that were asked for. */
export interface FoundKeyedRows extends KeyedBatch {
  /** For each row the number of the identity or key that it answers. */
  readonly asked: Uint32Array
}

/**
 * The keyed state of one operator, or one of its stores. Version n is the state before batch n. A row's group is `keyIds[4i] % keyGroups`.
 * Work goes by column, so that a batch costs its own size and not the size of the state.
 *
 * Usually a row's identity is its key's, and a key has one row. Where the schema says `rowsPerKey: 'many'` the caller gets identities for new rows
 * from `newRowIds` (or makes them itself, with a hash in place of the number: row-id.ts) and finds the rows of a key with `lookup`; `merge` and `insert` are not
 * for such a store.
 * Every call sees what the calls before it did. Where one throws half-way the store is of no use any more.
 */
export interface StateStore {
  /** The version that is loaded; merge and evict work towards version + 1. */
  readonly version: number
  readonly numRows: number
  /** How many keys have rows: as many as rows, or where a key may have several, as many as there are prefixes of 64 bits (row-id.ts). As of the last commit. */
  readonly numKeys: number
  readonly memoryUsedBytes: number
  /** What the provider did up to the last commit since the one before, and what it takes, by Spark's names of its metrics. */
  readonly customMetrics?: Readonly<Record<string, number>>
  /** Folds rows in by key and returns the touched rows as they now stand, a row a distinct key in the order of their first coming, in the physical
   *  columns of the StateSchema. With `collect` false (who only needs their number) the batch that comes back has that length and no columns. */
  merge(batch: KeyedBatch, collect?: boolean): ColumnBatch
  /** Whether merge could add these columns (longs or decimals, by their place in the schema) of every row: it fails where a sum leaves its type. Changes
   *  nothing; the batch has a row a key. */
  sumsFit(batch: KeyedBatch, columns: readonly number[]): boolean
  /** Removes the rows whose event time is <= `watermarkUs` (microseconds) and returns them if `collect`, else an empty batch; `removed` counts them. */
  evict(watermarkUs: bigint, collect: boolean): { readonly rows: ColumnBatch; readonly removed: number }
  /** A lower bound of the event times (microseconds), by a few milliseconds; null: no row has one. A store that can't tell has no such method. */
  earliestTime?(): bigint | null
  /** As evict with `collect`, and with the identities of the rows. */
  take(watermarkUs: bigint): KeyedBatch
  /** Adds the rows whose keys are not there (of several with one key the first) and returns their numbers in the batch, ascending. Others change nothing. */
  insert(batch: KeyedBatch): Uint32Array
  /** Writes whole rows: new ones, or over those with the same identities. Of several with one identity the last stays. */
  put(batch: KeyedBatch): void
  /** The rows with these identities, 4 words each, in no certain order. */
  get(ids: Uint32Array): FoundKeyedRows
  /** Removes the rows with these identities where they are there; returns how many were. */
  remove(ids: Uint32Array): number
  /** Identities for new rows of these keys (4 words each), under numbers that rise from row to row and from call to call, restarts included.
   *  Their memory is of `rowMemory`. */
  newRowIds(keyIds: Uint32Array): Uint32Array
  /**
   * All rows of these keys (4 words each), in no certain order (rowNumberAt tells their age). A row is found by the first 64 bits of its key: rows of another
   * key that shares them come along, once in some 10^10 keys, so the caller compares the key columns. A key asked for twice is answered twice.
   */
  lookup(keyIds: Uint32Array): FoundKeyedRows
  /** All rows (complete mode; SQL over the state), in slices. */
  scan(): Iterable<ColumnBatch>
  /** The same with their identities. */
  scanKeyed(): Iterable<KeyedBatch>
}

/** Durations and counts of one commit, for progress. */
export interface StateCommit {
  readonly bytes: number
  readonly commitMs: number
}

/**
 * All state of one query: one or more stores an operator, one changelog file a batch, snapshots and their maintenance.
 * Durable forms: docs/formats.md. Epochs: files of version n count if commits/(n-1) names their epoch.
 */
export interface QueryState {
  /** The store of an operator under its name in the plan; `default` unless said. */
  store(operatorId: number, name?: string): StateStore
  /** Whether the operator has such a store: also one that the query does not name any more, but that its checkpoint has (variables of transformWithState). */
  hasStore(operatorId: number, name: string): boolean
  /** Whether the version that was loaded had such a store and the query has deleted it (StateOperator.deletes). */
  hasDeleted(operatorId: number, name: string): boolean
  /** In the middle of a batch: warns where the state comes near the memory that it may take, and throws STATE_STORE_MEMORY_LIMIT_REACHED above it. Cheap. */
  checkMemory(): void
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
