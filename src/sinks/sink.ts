import type { Clock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import type { Row, RowSet, WriteFiles, WrittenFile } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { RefusedRecord } from '../data/side-rows.ts'
import type { LogicalPlan, OutputMode } from '../plan/logical-plan.ts'

/** What a restart can do to the output. */
export type SinkGuarantee = 'exactly-once' | 'at-least-once' | 'none'

/**
 * Where results go. Batch ids rise by one; the last one is delivered again after a crash, with the same rows (any order), and must
 * count once where the guarantee says so. A call that rejects means that nothing of the batch is visible, or that the same batch will be delivered again.
 */
export interface Sink {
  readonly description: string
  readonly guarantee: SinkGuarantee
  /** What it does with a batch's rows: reads them, or only has them written into files. Default 'rows'. Decides what is worth computing ahead. */
  readonly use?: 'rows' | 'files'
  /**
   * Does the part of addBatch that nobody sees: computes the rows, writes them where no reader looks. The engine may call it before addBatch of the same batch,
   * while the batch is still being entered in the offset log or its state is being written; a crash in between must leave nothing but litter.
   */
  prepare?(batch: SinkBatch): Promise<void>
  addBatch(batch: SinkBatch): Promise<SinkCommit>
  /** Called between batches, now and then: compaction, removal of litter. */
  maintain?(): Promise<void>
  stop(): Promise<void>
}
export interface SinkBatch {
  readonly batchId: number
  readonly rows: RowSet
  readonly outputMode: OutputMode
  /** Whether the query keeps dead letters: then a sink may leave rows out that it can't write, and say which in its commit. */
  readonly keepsDeadLetters?: boolean
  /** Where refused rows come from, by their numbers (RefusedRecord.row): for sinks that keep with the batch what they have refused. Of what others give in their commit the engine finds it. */
  readonly locate?: (refused: readonly RefusedRecord[]) => Promise<readonly RefusedRecord[]>
  /** The rows as a plan for SinkContext.engine, valid until addBatch has ended: where the provider says `takesPlans`, and for outputs of `outputs`. */
  readonly plan?: LogicalPlan
}
export interface SinkCommit {
  /** 'already-committed': this batch was delivered before and the sink kept the first delivery. */
  readonly status: 'committed' | 'already-committed'
  /** Rows written, or -1 where the sink does not know. */
  readonly numOutputRows: number
  readonly metrics?: Readonly<Record<string, string>>
  /**
   * Rows of the batch that the sink could not write and has left out, where keepsDeadLetters says so. A sink that counts a batch once must give the same ones
   * when the batch comes again: it keeps them with the batch (`SinkBatch.locate`), or finds them by looking at the rows alone.
   */
  readonly refused?: readonly RefusedRecord[]
}

/** What a format gives for `writeStream.format(name)`. */
export interface SinkProvider {
  readonly formats: readonly string[]
  readonly outputModes: readonly OutputMode[]
  /** Whether a query into it may start without checkpointLocation (a temporary one is made). */
  readonly allowsTemporaryCheckpoint: boolean
  /** Whether it heeds partitionBy; default false, and then a query with partitionBy is refused. */
  readonly heedsPartitionBy?: boolean
  /** Output modes in which it works with plans over a batch's rows (SinkBatch.plan): they are computed and kept before it is called. */
  readonly takesPlans?: readonly OutputMode[]
  /** Whether it may refuse rows: then it is kept where they come from. */
  readonly refusesRows?: boolean
  /** Where the format can be written as a batch too: `df.write.format(name).save()`. */
  readonly bounded?: BoundedSink
  /** Checks options and schema, and that an existing output belongs to this query (InvalidQueryError otherwise). Called before the first batch. */
  open(context: SinkContext): Promise<Sink>
}
export interface SinkContext {
  readonly format: string
  readonly schema: Schema
  readonly options: Readonly<Record<string, string>>
  readonly partitionBy: readonly string[]
  readonly outputMode: OutputMode
  readonly queryId: string
  readonly queryName: string | null
  /** Where a query has several outputs: which of them this is, under a name that no other of the query's has and that stays over restarts. */
  readonly output?: string
  /** This run's epoch: part of the name of every file the sink writes. */
  readonly epoch: number
  /** True where the checkpoint had a folder of offsets when this run started (memory refuses that in append mode). */
  readonly recovering: boolean
  /** For foreachBatch and foreach: the user's function; for memory: the table registry. */
  readonly instance?: unknown
  readonly files: Files
  readonly clock: Clock
  readonly checkFence: () => Promise<void>
  readonly conf: (key: string) => string | undefined
  /** Writes rows of the sink's own as files (the checkpoints of a log): written, not yet synced. */
  readonly writeRows?: (schema: Schema, rows: readonly Row[], write: WriteFiles) => Promise<WrittenFile[]>
  /** Runs batch plans, over the rows of the batch that is being written too (SinkBatch.plan). */
  readonly engine?: BatchRunner
  /** Where console output goes. */
  readonly print: (text: string) => void
}

/** What `mode(…)` says of an output that is there already: add to it, replace it, leave all as it is, or refuse. */
export type SaveMode = 'append' | 'overwrite' | 'errorifexists' | 'ignore'

/**
 * How a format takes the rows of a batch DataFrame. Files are none of these. Partitions are handed over only where the provider `heedsPartitionBy`. A call that rejects has
 * left what was there as it was, or says what it has changed.
 */
export interface BoundedSink {
  /** The modes that it has; another one is refused before it is called (UNSUPPORTED_SAVE_MODE). */
  readonly modes: readonly SaveMode[]
  /** Checks options and schema before it asks for the first row (InvalidQueryError), then writes. */
  write(context: BoundedWrite): Promise<void>
}
export interface BoundedWrite {
  readonly format: string
  readonly mode: SaveMode
  readonly schema: Schema
  /** All options as they were given, `path` among them where `save` was given one. */
  readonly options: Readonly<Record<string, string>>
  readonly partitionBy: readonly string[]
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  readonly conf: (key: string) => string | undefined
  /** Runs the query and hands over its rows, which are gone when `use` has returned. Each call runs it again. */
  readonly withRows: <T>(use: (rows: RowSet) => Promise<T>) => Promise<T>
  /** The engine, for what is more than a write of the rows. */
  readonly engine: BatchRunner
  /** The query itself, as `engine` takes it. */
  readonly plan: LogicalPlan
  /** Writes rows of the sink's own as files (the checkpoints of a log): written, not yet synced. */
  readonly writeRows: (schema: Schema, rows: readonly Row[], write: WriteFiles) => Promise<WrittenFile[]>
}
/** Runs batch plans. */
export interface BatchRunner {
  /** Runs the plan; `use` gets its rows, which are gone when it has returned. */
  runBatch<T>(plan: LogicalPlan, use: (rows: RowSet) => Promise<T>): Promise<T>
  /** Runs the plan once and keeps its rows while `use` makes other plans of them: `held` stands for them in those. */
  holdRows<T>(plan: LogicalPlan, use: (held: LogicalPlan) => Promise<T>): Promise<T>
}
