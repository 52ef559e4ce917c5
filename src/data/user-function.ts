import type { DataType } from './types.ts'

/** A function of the program in a query, by `udf(…)`: called on the JavaScript thread, inside of SQL statements or between two. */
export interface UserFunction {
  /** What errors and `explain` call it. */
  readonly name: string
  /** The types that arguments are cast to; null: they are taken as they come. */
  readonly argumentTypes: readonly DataType[] | null
  readonly returnType: DataType
  /** Whether it may give null. */
  readonly nullable: boolean
  /** False: the same arguments may give different results, so that calls are neither moved, shared nor repeated. */
  readonly deterministic: boolean
  /** Whether a row with a null argument is null without a call. */
  readonly skipNulls: boolean
  /** One of Millrace's own (formats): an InvalidQueryError that it throws is what the row's value is refused for, under its own code, as by an expression. */
  readonly isOwn?: boolean
  readonly body: RowFunction | ColumnsFunction
}
/** Gets one row's arguments in the public forms of their types; may be asynchronous, up to `concurrency` calls at a time. */
export interface RowFunction {
  readonly kind: 'rows'
  readonly call: (...args: unknown[]) => unknown
  readonly concurrency: number
  /** How long a call may take; null: as long as it likes. */
  readonly timeoutMs: number | null
}
/** Gets all rows of a batch, each argument as a vector, and their number; gives a vector of as many results. */
export interface ColumnsFunction {
  readonly kind: 'columns'
  readonly call: (...args: unknown[]) => unknown
  /** How long a call may take; null: as long as it likes. */
  readonly timeoutMs: number | null
}
