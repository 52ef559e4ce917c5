import type { Clock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import type { ForeachWriter } from '../data/foreach-writer.ts'
import type { ForeachBatchContext } from '../data/refusing-context.ts'
import type { RowSet } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import type { UserFunction } from '../data/user-function.ts'
import type { LogicalPlan, OutputMode } from '../plan/logical-plan.ts'
import type { StepObserver } from './steps.ts'
import type { StreamingQuery } from './streaming-query.ts'

export type Trigger =
  /** A batch as soon as the last is done (0) or at each multiple of the interval. */
  { readonly kind: 'processing-time'; readonly intervalMs: number } | { readonly kind: 'available-now' } | { readonly kind: 'once' }

/** What `writeStream….start()` hands over. */
export interface StartQuery {
  readonly plan: LogicalPlan
  readonly outputMode: OutputMode
  readonly trigger: Trigger
  readonly queryName: string | null
  readonly format: string
  /** All options as strings, `checkpointLocation` and `path` among them. */
  readonly options: Readonly<Record<string, string>>
  readonly partitionBy: readonly string[]
  /** foreachBatch's function (called with a batch plan over the rows and the batch id), or another sink object of this process. */
  readonly instance?: unknown
  /** Where rows go that came too late, or are stamped too far ahead; absent where nobody asked. */
  readonly lateRows?: LateRowsOutput
  /** Where records and rows go that can't be read, computed or written; absent where that stops the query. */
  readonly deadLetters?: DeadLettersOutput
  /** Tests: this query's time, in place of the engine's. */
  readonly clock?: Clock
  /** Tests: is told of each durable step of each batch. */
  readonly observeStep?: StepObserver
}
/** An `instance` that is a sink of this process: called once the checkpoint is open, with the sinks' SinkContext. */
export interface SinkInstance {
  readonly kind: 'sink'
  readonly outputModes: readonly OutputMode[]
  open(context: never): Promise<unknown>
}
/** The `instance` of foreachBatch: `call` gets a batch plan over the rows, valid until it returns. */
export interface ForeachBatchInstance {
  readonly kind: 'foreach-batch'
  call(plan: LogicalPlan, batchId: bigint, context: ForeachBatchContext): Promise<void>
}
/** The `instance` of foreach: the user's writer. */
export interface ForeachInstance {
  readonly kind: 'foreach'
  readonly writer: ForeachWriter
}
/** One of several outputs of a query. */
export interface OutputSpec {
  /** Unique in the query. */
  readonly name: string
  /** A batch plan over the relation that OutputsInstance names (and static tables). */
  readonly plan: LogicalPlan
  readonly format: string
  readonly options: Readonly<Record<string, string>>
  readonly partitionBy: readonly string[]
  readonly instance?: unknown
}
/** The `instance` of `outputs`: the batch's rows stand under the name `relation` while the outputs are written. */
export interface OutputsInstance {
  readonly kind: 'outputs'
  readonly relation: string
  readonly outputs: readonly OutputSpec[]
}
/** Rows that a query sets aside: in each batch they stand under the name `relation` while the outputs are written. */
export interface SideOutput {
  readonly relation: string
  readonly schema: Schema
  readonly outputs: readonly OutputSpec[]
}
export interface LateRowsOutput extends SideOutput {
  /** Which columns of a late row are given out, before those that say why it is late. */
  readonly columns: readonly Field[]
}
export interface DeadLettersOutput extends SideOutput {
  readonly limits: DeadLetterLimits
}
export interface DeadLetterLimits {
  /** So many dead letters of one batch are taken; one more ends the query. */
  readonly maxPerBatch?: number
  /** The same as a share of the rows that the batch has read, 0 to 1. */
  readonly maxShare?: number
  /** Whether rows for which a function of the program throws become dead letters too. */
  readonly userFunctions: boolean
}
export interface WriteBatch {
  readonly plan: LogicalPlan
  readonly format: string
  readonly mode: 'append' | 'overwrite' | 'errorifexists' | 'ignore'
  readonly options: Readonly<Record<string, string>>
  readonly partitionBy: readonly string[]
  /** What `save` was given, or the option `path`; some formats need none. */
  readonly path?: string
}

/** A bounded table that is no file: its columns, and its options with what they left open filled in. */
export interface ResolvedTable {
  readonly schema: Schema
  readonly options: Readonly<Record<string, string>>
}
/** A temporary view: a name for a plan. */
export interface View {
  readonly name: string
  readonly plan: LogicalPlan
}
/** Tables that queries of this engine have put into memory. */
export interface HeldTables {
  readonly names: readonly string[]
  /** The rows as they are now. */
  get(name: string): LogicalPlan | undefined
}

/** What the API asks of an engine; the local one is in runtime/, the Spark one will be in connect/. */
export interface EnginePort {
  /** The schema of a source by format name; checks the options. */
  streamSchema(format: string, schema: Schema | undefined, options: Readonly<Record<string, string>>): Schema
  /** The schema of files, read from them (batch parquet without a given schema; the explicit inference option). */
  /** Whether a format is files, which are found by paths. */
  readsPaths(format: string): boolean
  inferSchema(format: string, paths: readonly string[], options: Readonly<Record<string, string>>): Promise<Schema>
  /** A bounded table that is no file (the state of a checkpoint); undefined where the format is one of files. */
  resolveTable(format: string, paths: readonly string[], options: Readonly<Record<string, string>>): Promise<ResolvedTable | undefined>
  /** Runs a batch plan; `use` gets its rows, which are gone when it has returned. */
  runBatch<T>(plan: LogicalPlan, use: (rows: RowSet) => Promise<T>): Promise<T>
  /** Runs a batch plan once and keeps its rows while `use` makes other plans of them: `held` stands for them in those. */
  holdRows<T>(plan: LogicalPlan, use: (held: LogicalPlan) => Promise<T>): Promise<T>
  writeBatch(write: WriteBatch): Promise<void>
  start(query: StartQuery): Promise<StreamingQuery>
  /** Physical text: SQL of each fragment and the stateful operators, for `explain`. */
  explainPhysical(plan: LogicalPlan, outputMode: OutputMode): string
  /** The file system and the time of everything durable: of tables that are changed without a query. */
  readonly files: Files
  readonly clock: Clock
  conf(key: string): string | undefined
  setConf(key: string, value: string): void
  /** Temporary views by name in lower case; global ones as `global_temp.name`. */
  readonly views: Map<string, View>
  readonly heldTables: HeldTables
  /** Functions of the program by name, in lower case. */
  readonly userFunctions: ReadonlyMap<string, UserFunction>
}
