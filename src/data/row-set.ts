import type { ColumnBatch } from './column-batch.ts'
import type { Schema } from './schema.ts'

/** One row as a JavaScript object, in the forms of docs/types.md (long is bigint, timestamp a Temporal.Instant, …). */
export type Row = Record<string, unknown>

export type FileFormat = 'parquet' | 'json' | 'csv' | 'text'

/** How a RowSet is written as files. */
export interface WriteFiles {
  readonly format: FileFormat
  /** The output folder (absolute); the files' folders exist or are created. */
  readonly folder: string
  /** Names a file of the write: `part-<…>` without folder and with its ending. Called once for each file, with a running index. */
  readonly fileName: (index: number) => string
  /** Columns that become folders `name=value/`, as Hive and Spark lay them out; they are left out of the files. */
  readonly partitionBy: readonly string[]
  /** Format options under Spark's names: compression, header, sep, … */
  readonly options: Readonly<Record<string, string>>
  /** Bounds of a file; without, all rows of a partition are one file. */
  readonly bounds?: FileBounds
  /** Whether the files' own statistics are wanted (Parquet). */
  readonly statistics?: boolean
}
/** When a file is full. Rows are never torn, so a file holds one at least. */
export interface FileBounds {
  /** Rows in a file, at most. */
  readonly maxRows?: number
  /** Bytes that a file comes near to. How many rows that is, is learnt from the files written before. */
  readonly targetBytes?: number
  /** Bytes a row that earlier files had; without, the first file is a guess of at most 100,000 rows. */
  readonly bytesPerRow?: number
}
export interface WrittenFile {
  /** Relative to the folder. */
  readonly path: string
  readonly sizeBytes: number
  readonly numRows: number
  /** Where they were asked for. */
  readonly statistics?: readonly ColumnStatistics[]
}
/** What a file's footer says of one column of it, by row groups. */
export interface ColumnStatistics {
  /** The names down to a field of structs, with a comma and a blank between them. */
  readonly path: string
  readonly groups: readonly {
    readonly numRows: number
    readonly nullCount: number | null
    /** As text; null where the file has none. */
    readonly min: string | null
    readonly max: string | null
  }[]
}

/**
 * The rows of one batch, wherever they are. Implemented over DuckDB by `sql/`; sources and sinks only know this.
 * Everything may be called more than once and gives the same rows; the work behind it (reading files, user functions) is done once.
 * Nothing may be called after the batch has ended.
 */
export interface RowSet {
  readonly schema: Schema
  count(): Promise<number>
  toObjects(): Promise<Row[]>
  toColumns(): Promise<ColumnBatch>
  /** The rows a few thousand at a time, as they are asked for. Nothing else may be asked of the batch until the iteration has ended. */
  chunks(): AsyncIterable<ColumnBatch>
  /** Writes the rows as files and returns what was written; written, not yet synced. No rows, no files. */
  writeFiles(write: WriteFiles): Promise<WrittenFile[]>
  /** Computes all rows and forgets them (the noop sink). */
  consume(): Promise<void>
}
