/**
 * What the sink asks of a database. A dialect is the words of one server; a session is a connection to it, used by one caller at a time.
 * Values in statements are bound, names are quoted, so that no text of a user becomes SQL.
 */
import type { RowSet } from '../data/row-set.ts'
import type { RefusedRecord } from '../data/side-rows.ts'
import type { DataType, Field } from '../data/types.ts'
import type { DeleteColumn } from '../sinks/delete-column.ts'
import type { TableName } from './table-name.ts'

/** What an error of a database means for who asked. */
export type Fault =
  /** A value or a row that the table does not take: without it, the rest may be written. */
  | 'row'
  /** Gone or busy: the same again may work. */
  | 'transient'
  /** Who or where: login, permissions, a database that is not there. */
  | 'access'
  /** Anything else that the server says. */
  | 'other'
  /** No error of the database. */
  | 'foreign'

export interface TableColumn {
  readonly name: string
  /** As the server writes it: `numeric(10,2)`. */
  readonly typeText: string
  readonly nullable: boolean
  /** Whether a row without a value for it can be inserted all the same: it has a default, or makes its own values. */
  readonly fillsItself: boolean
  /** Whether it takes no value at all (generated always). */
  readonly isGenerated: boolean
}
export interface UniqueKey {
  readonly name: string
  readonly columns: readonly string[]
  /** Whether two nulls are one value for it. */
  readonly nullsAreEqual: boolean
}
export interface TableShape {
  /** With the schema in which it was found. */
  readonly table: TableName
  readonly columns: readonly TableColumn[]
  /** Those that tell rows apart by whole columns, without a condition. */
  readonly keys: readonly UniqueKey[]
  /** Why batches can't be written to it in transactions; null where they can. */
  readonly unfit: string | null
}

export interface Dialect {
  /** For messages: `PostgreSQL`. */
  readonly server: string
  /** The longest name of a column, in bytes. */
  readonly maxNameBytes: number
  /** What encloses a name. */
  readonly quote: string
  /** The type of a column of a table that is created; undefined where there is none for it. */
  columnType(type: DataType, isKey: boolean): string | undefined
  /** Whether rows of the type go into such a column. */
  accepts(type: DataType, column: TableColumn): boolean
  /** The place of the parameter with that number (from 1). */
  parameter(number: number): string
  /** What stands behind a SELECT whose rows are to be locked. */
  readonly lockClause: string
  readonly types: { readonly text: string; readonly key: string; readonly long: string }
  /** Whether a key of a table that is created takes nulls, and takes them as equal. Asked with a session, since it may go by the server's version. */
  readonly nullsInKeys: boolean
  /** Why rows can't be told apart by these columns of a table, beyond what its keys say; null where they can. */
  whyNotByKey?(shape: TableShape, key: readonly string[]): string | null
  faultOf(error: unknown): Fault
  /** What the server says, with its own code: `duplicate key value … (23505)`. */
  messageOf(error: unknown): string
}

/** How rows get into a table. */
export interface WritePlan {
  readonly table: TableName
  /** In the order of the batch's columns, without the one that says what is deleted. */
  readonly columns: readonly { readonly field: Field; readonly column: TableColumn }[]
  /** Columns that tell rows apart; none where rows are only inserted. */
  readonly key: readonly string[]
  /** What becomes of a row whose key is there already. */
  readonly onConflict: 'error' | 'update' | 'ignore'
  /** Whether `key` takes null as a value. */
  readonly keyTakesNull: boolean
  /** Which rows take the one with their key away, in place of being written; only with `onConflict` = update. */
  readonly deletes: DeleteColumn | null
  /** Rows in one statement, at most, where the server has no better way. */
  readonly batchSize: number
}
export interface Written {
  /** Rows that were written, those that took one away among them. */
  readonly numRows: number
  readonly refused: readonly RefusedRecord[]
}

export interface Session {
  readonly dialect: Dialect
  /** Where it can't be used any more. */
  readonly isBroken: boolean
  /** One statement. Rows as arrays; `changed` is the number of rows that it changed. */
  run(sql: string, parameters?: readonly unknown[]): Promise<{ readonly rows: readonly (readonly unknown[])[]; readonly changed: number }>
  /** All or nothing. An error of `work` rolls back and is thrown. */
  transaction<T>(work: () => Promise<T>): Promise<T>
  /** Null where there is no such table. */
  describe(table: TableName): Promise<TableShape | null>
  /**
   * Writes a batch's rows within the transaction that is open. Rows that are refused are left out where `keepsDeadLetters` says so; elsewhere the first one
   * is InvalidQueryError DATABASE_ROW_REFUSED, which shows it.
   */
  write(plan: WritePlan, rows: RowSet, keepsDeadLetters: boolean): Promise<Written>
  close(): Promise<void>
}
/** Opens connections. */
export interface Database {
  readonly dialect: Dialect
  /** For messages, without secrets: `postgresql://localhost:5432/shop`. */
  readonly address: string
  connect(): Promise<Session>
}
