import type { InvalidQueryError } from '../base/errors.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { RowSet } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { Field } from '../data/types.ts'
import type { BatchScan } from '../plan/logical-plan.ts'
import type { ReadCounts } from './recovery.ts'
import type { RowsCall } from './row-calls.ts'

/** Some rows inside the SQL engine: a table, or a SELECT that has not run yet. Its columns are called c0, c1, … in the order of the schema. */
export interface Relation {
  readonly schema: Schema
}

/** Records and files that a source could not make rows of. */
export interface Unreadable {
  /** Malformed records with the columns file (string), line (long) and raw (binary); null where there are none. They are among inputRows. */
  readonly records: Relation | null
  /** Files that can't be read at all. */
  readonly files: readonly string[]
}

export interface EventTimeStats {
  /** Rows seen; a null event time counts as 1970 in all of these, as in Spark. */
  readonly count: number
  readonly minUs: bigint
  readonly maxUs: bigint
  readonly avgUs: number
}

/** Where rows of a source come from: the number of each in the batch, and what is known of it. */
export const recordSchema = new Schema([
  { name: 'number', type: 'long', nullable: false },
  { name: 'source', type: 'string', nullable: false },
  { name: 'file', type: 'string', nullable: true },
  { name: 'line', type: 'long', nullable: true },
  { name: 'topic', type: 'string', nullable: true },
  { name: 'partition', type: 'int', nullable: true },
  { name: 'offset', type: 'long', nullable: true },
  { name: 'raw', type: 'binary', nullable: true },
])

/**
 * One micro-batch's work in the SQL engine, on a connection of its own. Relations are lazy and nest into one statement where they can;
 * every source's rows are read once. Errors of the user's data (a cast that fails, an overflow) come out as InvalidQueryError with Spark's
 * error class (CAST_INVALID_INPUT, ARITHMETIC_OVERFLOW, DIVIDE_BY_ZERO …), a file that vanished as UnavailableError.
 */
export interface SqlBatch {
  /** The rows of a source in this batch. `name` is the source's name in the checkpoint, for the counts. */
  source(name: string, batch: SourceBatch, schema: Schema, keepsDeadLetters?: boolean): Promise<Relation>
  /** What of a source's files can't be read, where dead letters are kept and its rows have been computed; null where that is nothing. */
  unreadable(name: string): Unreadable | null
  /** The rows of a source with a number each behind their columns, from `first` on. */
  numbered(relation: Relation, first: bigint): Promise<Relation>
  /** Where each row comes from that a source of files gave, malformed ones aside, with the columns of recordSchema; null where that is not known. `first`: as it was given to `numbered`. */
  recordsOf(name: string, first: bigint): Promise<Relation | null>
  /** A bounded table's rows (files by path, glob or folder; a folder with `_spark_metadata` gives the files of that log). `columns`: those that are read; by them malformed records are dropped. */
  scan(scan: BatchScan, columns?: ReadonlySet<number>): Promise<Relation>
  /** Rows of a bounded table that is none of files; they count for no source. */
  rows(batch: SourceBatch, schema: Schema): Promise<Relation>
  /**
   * A SELECT whose text holds ⟦0⟧, ⟦1⟧ … for the inputs and the batch's parameters (see planner/streaming-plan.ts). `rowWise`: the inputs of which every
   * row is computed by itself, where rows that fail may be set aside.
   */
  fragment(sql: string, inputs: readonly Relation[], schema: Schema, rowWise?: readonly number[]): Relation
  /** Says what stands for a fragment, which is not row by row, where it fails and rows that fail may be set aside. */
  splitWhereItFails(relation: Relation, apart: RowsApart): void
  /** Says what else is computed of each row of a relation, as a SELECT over ⟦0⟧: where it fails for a row, that is set aside as the rows of fragments are. */
  checkRows(relation: Relation, sql: string): void
  /** From now on rows for which an expression has no value (a cast, a division by zero: ANSI mode) are taken out, and the statement is run again without them; else that ends the query. */
  keepFailedRows(taker: FailedRowsTaker): void
  /** Runs the relation once into memory and measures the event times in column `column` (timestamp or window struct: its end). */
  measure(relation: Relation, column: number): Promise<{ readonly relation: Relation; readonly stats: EventTimeStats }>
  /** Runs a relation whose rows are used more than once. */
  materialize(relation: Relation): Promise<Relation>
  /** Whether a statement that fails on what rows or files hold fails for good, without a search for them. */
  failAtOnce(fails: boolean): void
  /** Whether some row of a relation may have no value under what computes it; not of rows that are there, of which columns are picked, compared and filtered. */
  mayFail(relation: Relation): boolean
  /** Computes the rows of a relation now where they are few, so that whoever asks later need not wait; otherwise does nothing. `use` says what for. */
  prefetch(relation: Relation, use: 'rows' | 'files'): Promise<void>
  /** Runs a SELECT with ⟦0⟧ … whose first column is key_id (UHUGEINT): the identities as words (most significant first), the other columns as `schema` says. */
  keyedColumns(
    sql: string,
    inputs: readonly Relation[],
    schema: Schema,
  ): Promise<{ readonly keyIds: Uint32Array; readonly rows: ColumnBatch }>
  /** Nobody looks at rows of keyedColumns or columnsAt any more: their memory may hold the next ones. */
  release(rows: { readonly keyIds?: Uint32Array; readonly rows: ColumnBatch }): void
  /** The columns at these positions, and no others; runs the relation once, into memory. */
  columnsAt(relation: Relation, positions: readonly number[]): Promise<ColumnBatch>
  /** The first `kept` columns of a relation that columnsAt has run, with more columns behind them: row by row in the relation's order. */
  withColumns(relation: Relation, kept: number, added: ColumnBatch): Promise<Relation>
  /**
   * The first `kept` columns of a relation with the results of calls behind them, which statements over it compute: where the rows are read, a chunk a call, in
   * no order, and again with every statement. Null where the rows are few: then they had better cross at once. `outside` gives the same rows where a call gives null.
   */
  withCalls(relation: Relation, kept: number, calls: readonly CallInside[], outside: () => Promise<Relation>): Relation | null
  /** Columns of the engine's own become a relation. */
  load(batch: ColumnBatch): Promise<Relation>
  /** The same of rows of a store that nobody else looks at: what memory of theirs is of `rowMemory` holds other rows after the batch. */
  loadOwn(batch: ColumnBatch): Promise<Relation>
  /** The same of several batches with one schema, or of none. */
  loadAll(batches: readonly ColumnBatch[], schema: Schema): Promise<Relation>
  /** The rows as a sink sees them. */
  rowSet(relation: Relation): RowSet
  /** Rows that each source delivered, before any filter. Complete once everything above has run; a source that nothing read is counted by a statement of its own. */
  inputRows(): Promise<ReadonlyMap<string, number>>
  /** What reading them met besides, by source: of sources that read records or ignore files. As complete as inputRows. */
  readCounts(): ReadonlyMap<string, ReadCounts>
  /** Drops what the batch made. */
  close(): Promise<void>
}
/** A call of a function over columns of a relation. */
export interface CallInside {
  readonly args: readonly number[]
  readonly result: Field
  readonly call: RowsCall
}
/** A SELECT as two: the first makes rows (pairs of a join), the second computes each of them by itself. */
export interface RowsApart {
  /** What the books call the rows. */
  readonly place: string
  readonly schema: Schema
  /** Tried in order until the first SELECT of one does not fail: `allSql` over ⟦0⟧ … (the fragment's inputs), `restSql` over ⟦0⟧ (those rows). */
  readonly forms: readonly { readonly allSql: string; readonly restSql: string }[]
}
/** Rows of a relation for which an expression has no value. */
export interface FailedRows {
  /** What the books call the place, where the rows are no node's of the plan. */
  readonly place?: string
  /** The relation that they were taken out of. */
  readonly of: Relation
  readonly rowsIn: number
  readonly rowsOn: number
  /** They themselves, with the columns of the relation, and in the same order why. */
  readonly rows: Relation
  readonly errors: readonly InvalidQueryError[]
}
export interface FailedRowsTaker {
  /** Called with every row that is found, with how many there are of this relation; may end the search by throwing. */
  mayFail(found: number): void
  take(failed: FailedRows): Promise<void>
}
export interface SqlBatchParameters {
  /** current_timestamp of the batch, milliseconds. */
  readonly batchTimestampMs: number
  /** The checkpoint's key salt. */
  readonly salt: string
  /** Output folders of streaming queries are read by listing them, and not by their logs (`ignoreMetadata`); false unless given. */
  readonly ignoresSinkLogs?: boolean
}
