/** offsets/N: what batch N is going to do. Written before it starts. */
export interface OffsetEntry {
  readonly batchWatermarkMs: number
  readonly batchTimestampMs: number
  /** What the checkpoint pins, under Spark's keys and Millrace's own (`millrace.keyGroups`, `millrace.salt`, `millrace.functionSemantics`). */
  readonly conf: Readonly<Record<string, string>>
  /** End offsets by source name; null for a source that has none yet. */
  readonly sources: Readonly<Record<string, unknown>>
  /** What is known of each watermark before the batch; only where a query has idle timeouts or watermarks of partitions. */
  readonly watermarks?: unknown
  /** What provided each source, by source name, where that is known (Spark's sourceMetadataInfo). */
  readonly sourceInfo?: Readonly<Record<string, { readonly providerName: string; readonly apiVersion: string }>>
}
/** commits/N: batch N is done; its state files are those of `epoch`. */
export interface CommitEntry {
  readonly nextBatchWatermarkMs: number
  readonly epoch: number
  /** As in the offset log, after the batch. */
  readonly watermarks?: unknown
}

/** One of the two logs. Ids are contiguous; an entry never changes. Reading a torn, truncated or newer-versioned entry is a CorruptCheckpointError that names the file. */
export interface BatchLog<Entry> {
  /** The newest batch id, or undefined in an empty log. */
  latest(): Promise<{ readonly batchId: number; readonly entry: Entry } | undefined>
  get(batchId: number): Promise<Entry | undefined>
  /** All ids, ascending. */
  batchIds(): Promise<number[]>
  /** Durable when it resolves. FencedError CONCURRENT_STREAM_LOG_UPDATE where the entry exists. */
  add(batchId: number, entry: Entry): Promise<void>
  /** The half of `add` that may run beside other work: the entry's content is durable and counts for nothing yet. */
  stage(batchId: number, entry: Entry): Promise<StagedEntry>
  /** Removes entries below `batchId`; need not be durable. */
  purgeBelow(batchId: number): Promise<void>
}

/** An entry without its name. One of the two must be called, once. */
export interface StagedEntry {
  /** The other half of `add`. */
  publish(): Promise<void>
  /** Lets it go. Never rejects. */
  drop(): Promise<void>
}

/** A checkpoint folder that this run owns (DESIGN.md, Fencing). */
export interface Checkpoint {
  readonly folder: string
  /** The query's id: it stays with the checkpoint. */
  readonly queryId: string
  /** This run's id: new at every start. */
  readonly runId: string
  readonly epoch: number
  /** True where there was a folder of offsets when it was opened, be it empty. */
  readonly recovering: boolean
  readonly offsets: BatchLog<OffsetEntry>
  readonly commits: BatchLog<CommitEntry>
  /** Rejects with FencedError (naming the other run: host, pid, epoch) once a newer epoch exists. Called before each durable step. */
  checkFence(): Promise<void>
  /** Stops renewing the lease and marks the run as ended, so that the next start need not wait. */
  close(): Promise<void>
}
