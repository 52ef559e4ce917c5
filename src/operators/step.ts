import type { ColumnBatch } from '../data/column-batch.ts'
import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { KeyedBatch, StateStore } from '../state/state-store.ts'

/** Some rows inside the SQL engine. Their columns are called c0, c1, … in the order of the schema. */
export interface Rows {
  readonly schema: Schema
}

/** A SELECT over ⟦0⟧, ⟦1⟧ … as two: `allSql` makes rows of its inputs, `restSql` computes each of them by itself. The first form that can be run counts. */
export interface RowsApart {
  /** What the books call the rows. */
  readonly place: string
  readonly schema: Schema
  readonly forms: readonly { readonly allSql: string; readonly restSql: string }[]
}

/** What a step asks of the SQL engine; sql/'s SqlBatch is one. Texts hold ⟦0⟧, ⟦1⟧ … for the inputs, and the batch's parameters. */
export interface StepSql {
  /** Rows that are not computed before somebody needs them. */
  fragment(sql: string, inputs: readonly Rows[], schema: Schema): Rows
  /** Says how rows of a fragment that fails can be set aside one by one: sql/sql-batch.ts. */
  splitWhereItFails(rows: Rows, apart: RowsApart): void
  /** Computes rows that are used more than once. */
  materialize(rows: Rows): Promise<Rows>
  /** Runs a SELECT whose first column is key_id (UHUGEINT); the others are as the schema says. */
  keyedColumns(sql: string, inputs: readonly Rows[], schema: Schema): Promise<KeyedBatch>
  /** Nobody looks at rows of keyedColumns any more: their memory may hold the next ones. */
  release(rows: KeyedBatch): void
  /** The columns at these positions of rows that are computed once. */
  columnsAt(rows: Rows, positions: readonly number[]): Promise<ColumnBatch>
  /** The engine's own columns become rows. */
  load(batch: ColumnBatch): Promise<Rows>
  /** The same of rows of a store that nobody looks at when the batch has ended. */
  loadOwn(batch: ColumnBatch): Promise<Rows>
}

/** The watermarks of one operator in a batch, in microseconds; null in a query without withWatermark. */
export interface BatchWatermarks {
  /** What the operator evicted by in the batch before: rows at or below it are late. */
  readonly lateUs: bigint | null
  /** What this batch evicts by. */
  readonly evictionUs: bigint | null
}

/** What a step has to work with in one batch. */
export interface StepContext {
  readonly sql: StepSql
  /** The rows of the node's inputs. */
  readonly inputs: readonly Rows[]
  /** Of an aggregation: the groups of the batch, where they were computed before. */
  readonly partial?: KeyedBatch | undefined
  /** The operator's state, by the name of the store in the plan. */
  readonly store: (name?: string) => StateStore
  /** A store that the plan may not know: of a state variable that an earlier version of the query had. */
  readonly storeIfThere: (name: string) => StateStore | null
  /** Whether the checkpoint had such a store and this start has left it out, since the plan deletes it. */
  readonly isDeleted: (name: string) => boolean
  /** After changes of many keys, where more are to come: throws where the state takes more memory than it may. */
  readonly checkMemory: () => void
  /** Between calls of the program's functions: throws where the query was told to leave the batch. */
  readonly checkStop: () => void
  /** The checkpoint's, under which keys have their identities. */
  readonly salt: string
  readonly watermarks: BatchWatermarks
  /** current_timestamp of the batch, which processing time goes by; a replay has the same. */
  readonly batchTimestampMs: number
  /** Whose batch it is; of a table the ids are zero. */
  readonly query: { readonly queryId: string; readonly runId: string; readonly batchId: number }
  /** Sets rows of a relation aside, by their number in it, with what is said of each, and gives the others; absent where dead letters are not kept. */
  readonly setRowsAside?: (rows: Rows, refused: ReadonlyMap<number, RowError>) => Promise<Rows>
  /** Takes what calls of a function with state that failed leave to the dead letters; absent where one that fails ends the query. */
  readonly keepFailedCalls?: (failed: CallsThatFailed) => Promise<void>
  /** The table of initial states, of a step that has one: read in the first batch only. */
  readonly initialState: () => Promise<Rows>
  /** Of (flat)mapGroupsWithState: keys that have an initial state and no rows are not called. */
  readonly skipsInitialKeys: boolean
}

/** Calls of a function with state in a batch, of which nothing counts where they failed. */
export interface CallsThatFailed {
  /** How many rows the function was given, and how often it was called without any (timers, timeouts). */
  readonly rowsGiven: number
  readonly callsWithoutRows: number
  /** The rows of calls that failed, with all columns of the step's input, and what each call failed with. */
  readonly rows: ColumnBatch
  readonly errors: readonly RowError[]
  /** Calls without rows that failed: the key of each. */
  readonly others: readonly { readonly key: Row; readonly error: RowError }[]
}

/** Why a row can't be computed. */
export interface RowError {
  readonly code: string
  readonly what: string
}

/** What a step did, for progress. */
export interface StepMetrics {
  readonly rowsUpdated: number
  readonly rowsRemoved: number
  readonly rowsDroppedByWatermark: number
  readonly updatesMs: number
  readonly removalsMs?: number
  /** By Spark's names. */
  readonly custom?: Readonly<Record<string, number>>
}

export interface StepResult {
  readonly output: Rows
  readonly metrics: StepMetrics
}
