import type { ColumnBatch } from './column-batch.ts'
import type { ReadFormat } from './file-options.ts'
import type { Row } from './row-set.ts'

/** The rows between two offsets, in the form in which the source has them. */
export type SourceBatch =
  /** Files for DuckDB to read with the schema of the source; `options` under Spark's names; `path` is
   *  what the source reads, and folders `name=value` below it are columns. */
  | {
      readonly kind: 'files'
      readonly format: ReadFormat
      readonly files: readonly { readonly path: string; readonly sizeBytes: number; readonly modifiedMs: number }[]
      readonly options: Readonly<Record<string, string>>
    }
  /** Rows as JavaScript objects (any accepted input form of each type). */
  | { readonly kind: 'objects'; readonly rows: readonly Row[] }
  | { readonly kind: 'columns'; readonly batches: readonly ColumnBatch[] }
  /** Rows that a SQL SELECT without inputs gives (generators: rate). Columns in the order of the schema. */
  | { readonly kind: 'sql'; readonly sql: string; readonly numRows: number }
