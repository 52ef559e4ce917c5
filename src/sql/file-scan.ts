/** SQL that reads files with a given schema, as Spark's readers would. */
import { InvalidQueryError } from '../base/errors.ts'
import type { FileFormat } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { columnName, duckType, emptySelect } from './duck-types.ts'
import { readCsv } from './read-csv.ts'
import { readJson } from './read-json.ts'
import { readParquet } from './read-parquet.ts'
import { readText } from './read-text.ts'
import type { ScanSignature } from './profile.ts'
import { FormatOptions } from './options.ts'
import { quoteName } from './sql-text.ts'

export interface InputFile { readonly path: string; readonly sizeBytes: number }

/** Files as a SELECT with the columns c0, c1, … of a schema. */
export interface FileScan {
  readonly select: string
  readonly files: readonly InputFile[]
  /** How one learns how many rows it delivers: from the profile of the statement that reads it (the sum of these scans), from the
   *  Parquet files' own metadata, or by counting it once it is a table (`table`: it is made one before anything else reads it). */
  readonly count: { readonly kind: 'profile'; readonly signatures: readonly ScanSignature[] } | { readonly kind: 'parquet' } | { readonly kind: 'table' }
  /** A statement to run before reading, which raises where the files are not what the options say. */
  readonly check?: string
}

/** What a reader of one format is asked. */
export interface ReadRequest {
  readonly files: readonly InputFile[]
  readonly schema: Schema
  readonly options: FormatOptions
  /** Columns of the schema that come from folders `name=value/`. */
  readonly partitions: readonly string[]
}

export async function scanFiles(
  format: FileFormat, files: readonly InputFile[], schema: Schema, options: Readonly<Record<string, string>>, partitions: readonly string[],
): Promise<FileScan> {
  checkNames(schema)
  const request: ReadRequest = { files, schema, options: new FormatOptions(options), partitions }
  if (files.length === 0) return { select: emptySelect(schema), files, count: { kind: 'table' } }
  switch (format) {
    case 'json': return readJson(request)
    case 'csv': return readCsv(request)
    case 'parquet': return readParquet(request)
    case 'text': return readText(request)
  }
}

/** Columns are found by name, and names that differ in case only are one name for Spark and DuckDB alike. */
function checkNames(schema: Schema): void {
  const seen = new Set<string>()
  for (const name of schema.names) {
    const key = name.toLowerCase()
    if (seen.has(key)) {
      throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', { what: `the schema of a file source has the column ${quoteName(name)} twice`, todo: 'name each column once; case makes no difference' })
    }
    seen.add(key)
  }
}

/** The argument that turns folder names into columns, or keeps DuckDB from doing so by itself. */
export function hiveArgument(partitions: readonly string[]): string {
  if (partitions.length === 0) return 'hive_partitioning = false'
  return `hive_partitioning = true, hive_types = {${partitions.map((name) => `${quoteName(name)}: VARCHAR`).join(', ')}}`
}

/** A column made of a folder's name. A value that its type can't hold is an error, in every mode, as it is Spark's. */
export function partitionColumn({ schema }: ReadRequest, index: number): string {
  const { name, type } = schema.fields[index]!
  return `CAST(${quoteName(name)} AS ${duckType(type)}) AS ${columnName(index)}`
}

/** Whether field `index` comes from a folder. */
export function isPartition({ schema, partitions }: ReadRequest, index: number): boolean {
  return partitions.includes(schema.fields[index]!.name)
}
