import type { ColumnBatch } from './column-batch.ts'
import type { ReadFormat } from './file-options.ts'
import type { Row } from './row-set.ts'
import type { Schema } from './schema.ts'
import type { RefusedRecord } from './side-rows.ts'
import type { DataType } from './types.ts'

/** The rows between two offsets, in the form in which the source has them. */
export type SourceBatch = BatchRows & {
  /** Records that the source could not make rows of, where the query keeps dead letters (SourceContext.keepsDeadLetters); they are not among the rows. */
  readonly refused?: readonly RefusedRecord[]
}
/** A field of a struct: `column` is its place in the source's schema, `path` the names from there. */
export interface FieldRead {
  readonly column: number
  readonly path: readonly string[]
}

type BatchRows =
  /** Files for DuckDB to read with the schema of the source; `options` under Spark's names; `path` is
   *  what the source reads, and folders `name=value` below it are columns. */
  | {
      readonly kind: 'files'
      readonly format: ReadFormat
      readonly files: readonly { readonly path: string; readonly sizeBytes: number; readonly modifiedMs: number }[]
      readonly options: Readonly<Record<string, string>>
      /** Fields of structs that are wanted as columns behind the source's own; nobody reads others than `columns` of all these. */
      readonly needed?: { readonly columns: ReadonlySet<number>; readonly fields: readonly FieldRead[] }
      /** The columns that somebody reads: by them malformed records are dropped. */
      readonly read?: ReadonlySet<number>
    }
  /** Rows as JavaScript objects (any accepted input form of each type). */
  | { readonly kind: 'objects'; readonly rows: readonly Row[] }
  /** `positions`: where the batches' columns stand in the source's schema, where they are not all of it. */
  | { readonly kind: 'columns'; readonly batches: readonly ColumnBatch[]; readonly positions?: readonly number[] }
  /**
   * Rows whose JSON text stands in a file, a record a line, each line an object or what is none and malformed: the fields that were asked for
   * are read from it, and stand behind the source's own columns. Other columns, where they were asked for, have the rows in the same order. `release` is called when the batch has ended.
   */
  | {
      readonly kind: 'json-values'
      readonly file: { readonly path: string; readonly sizeBytes: number }
      readonly numRows: number
      readonly fields: Schema
      readonly columns: { readonly batch: ColumnBatch; readonly positions: readonly number[] } | null
      readonly release: () => Promise<void>
    }
  /** Rows that a SQL SELECT without inputs gives (generators: rate). Columns in the order of the schema. */
  | { readonly kind: 'sql'; readonly sql: string; readonly numRows: number }
  /** Parquet files of a table format, whose log says what is not in them. A file may be there more than once, with other constants. */
  | {
      readonly kind: 'table-files'
      readonly files: readonly TableFile[]
      /** For each column of the schema, in order: what it is called in the files, with the names that its fields have there; or `constant`: the log gives it for each file. */
      readonly columns: readonly StoredColumn[]
      /** Rows in all files, the deleted ones left out; undefined where nobody knows without looking. */
      readonly numRows: number | undefined
    }

export interface StoredColumn {
  readonly name: string
  readonly type: DataType
  readonly isConstant: boolean
  /** Of a constant: files that have a column of the name say it themselves for each row, where the log gives null. */
  readonly mayBeStored?: boolean
  /** The number of the row in its file, from 0; such a column is in no file and no log. */
  readonly isRowNumber?: boolean
}
export interface TableFile {
  readonly path: string
  readonly sizeBytes: number
  /** By the column's name in the files; as text, as it stands in logs. An empty text is null. */
  readonly constants: Readonly<Record<string, string | null>>
  /** The numbers of rows that are gone, rising. */
  readonly deleted?: readonly number[]
  /** The numbers of the only rows that are meant, rising. */
  readonly only?: readonly number[]
}
