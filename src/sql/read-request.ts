/** What a reader of one file format is asked and answers, and the columns that come from folders, which all formats treat alike. */
import type { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { typeText } from '../data/types.ts'
import { columnName, duckType } from './duck-types.ts'
import { escapePart, folderPattern, hiveNull } from './hive-path.ts'
import type { FormatOptions, ParseMode } from './options.ts'
import type { ScanSignature } from './profile.ts'
import { quoteName, quoteText, raise } from './sql-text.ts'

export interface InputFile {
  readonly path: string
  readonly sizeBytes: number
}

/** Files as a SELECT with the columns c0, c1, … of a schema. */
export interface FileScan {
  readonly select: string
  readonly files: readonly InputFile[]
  /** How many rows there may be, roughly, where DuckDB has no idea; and the SQL types of the SELECT's columns. */
  readonly expected?: { readonly rows: number; readonly types: readonly string[] }
  /** How one learns how many rows it delivers: from the profile of the statement that reads it (the sum of these scans), from the
   *  Parquet files' own metadata, or by counting it once it is a table (`table`: it is made one before anything else reads it). */
  readonly count:
    | { readonly kind: 'profile'; readonly signatures: readonly ScanSignature[] }
    | { readonly kind: 'parquet' }
    | { readonly kind: 'table' }
    | { readonly kind: 'known'; readonly rows: number }
  /** How the files are read where the SELECT finds a record that is not what the schema says. */
  readonly mending?: Mending
  /** With ignoreCorruptFiles: the same scan over some of its files. */
  readonly over?: (files: readonly InputFile[]) => Promise<FileScan>
  /**
   * A SELECT of `file`, `line` and `raw` of each row, in the order of the rows; null where a format has no lines, or no text. `keepsMalformed`: whether malformed records are rows. What it reads may be
   * written into the folder `scratch`. Absent where the order is not known.
   */
  readonly records?: (scratch: string, keepsMalformed: boolean) => Promise<string>
  /** A statement to run before reading, which raises where the files are not what the options say. */
  readonly check?: string
}

/** Reading record by record. */
export interface Mending {
  readonly mode: ParseMode
  /** Whether the SELECT is no way to read the files; where it is for them to say, a SELECT of the number of records because of which it is. */
  readonly first?: boolean | string
  /** A SELECT of the schema's columns and `malformed`, `raw`, `line`, `file`; what it reads is written into the folder `scratch`. */
  readonly select: (scratch: string) => Promise<string>
}

/** What a reader of one format is asked. */
export interface ReadRequest {
  readonly files: readonly InputFile[]
  readonly schema: Schema
  readonly options: FormatOptions
  /** Columns of the schema that come from folders `name=value/`. */
  readonly partitions: readonly string[]
  /** Where fields of structs stand in the schema behind the files' own columns: those fields, and which of the own columns are read. JSON only. */
  readonly needed?: FieldsNeeded | undefined
}
export type FieldsNeeded = NonNullable<Extract<SourceBatch, { kind: 'files' }>['needed']>

/** How many columns of the schema are the files' own. */
export function ownCount({ schema, needed }: ReadRequest): number {
  return schema.fields.length - (needed?.fields.length ?? 0)
}

/** The argument that turns folder names into columns, or keeps DuckDB from doing so by itself. */
export function hiveArgument(partitions: readonly string[]): string {
  if (partitions.length === 0) return 'hive_partitioning = false'
  return `hive_partitioning = true, hive_types = {${partitions.map((name) => `${folderName(name)}: VARCHAR`).join(', ')}}`
}

/** A column of a folder, before it has its type: DuckDB takes escapes out of values and leaves those of names. */
export function folderName(name: string): string {
  return quoteName(escapePart(name))
}

/** A column made of a folder's name. A value that its type can't hold is an error, in every mode, as it is Spark's. */
export function partitionColumn(request: ReadRequest, index: number): string {
  return `${partitionValue(request, index)} AS ${columnName(index)}`
}
export function partitionValue(request: ReadRequest, index: number, path = 'filename'): string {
  const { name, type } = request.schema.fields[index]!
  const value = folderName(name)
  if (hasNullText(request, index))
    return `CAST(coalesce(${value}, nullif(regexp_extract(${path}, ${quoteText(folderPattern(name, '(?i:null)'))}, 1), '')) AS ${duckType(type)})`
  if (type === 'string' || areAllPlain(request, index)) return `CAST(${value} AS ${duckType(type)})`
  const isWrong = `${value} IS NOT NULL AND TRY_CAST(${value} AS ${duckType(type)}) IS NULL`
  const error = raise('INVALID_PARTITION_VALUE', `{} is no value of the partition column ${name} of type ${typeText(type)}`, value)
  return `CASE WHEN ${isWrong} THEN ${error} ELSE TRY_CAST(${value} AS ${duckType(type)}) END`
}

/** Values that are of their type without a look at it: DuckDB passes over files by a bare cast of their folder's name. */
const plain: Readonly<Record<string, RegExp>> = {
  int: /^-?\d{1,9}$/,
  long: /^-?\d{1,18}$/,
  date: /^\d{4}-(0[1-9]|1[0-2])-([01][1-9]|10|2[0-8])$/,
}
function areAllPlain({ schema, files }: ReadRequest, index: number): boolean {
  const { name, type } = schema.fields[index]!
  const form = typeof type === 'string' ? plain[type] : undefined
  const folder = `/${escapePart(name)}=`
  return (
    form !== undefined &&
    files.every(({ path }) => {
      const start = path.lastIndexOf(folder) + folder.length
      const value = path.slice(start, path.indexOf('/', start))
      return value === hiveNull || form.test(value)
    })
  )
}

/** Whether a folder is called null, which DuckDB takes for no value; to Spark and Hive it is a text. Its file's name tells, unless a column of the files hides that. */
export function hasNullText({ schema, files }: ReadRequest, index: number): boolean {
  const { name, type } = schema.fields[index]!
  const folder = `/${escapePart(name)}=null/`.toLowerCase()
  if (type !== 'string' || schema.names.some((other) => other.toLowerCase() === 'filename')) return false
  return files.some((file) => file.path.toLowerCase().includes(folder))
}

/** Whether anybody reads a column; of another one the SELECT has nulls. */
export function isRead({ needed }: ReadRequest, index: number): boolean {
  return needed?.columns.has(index) ?? true
}

/** Whether field `index` comes from a folder. */
export function isPartition({ schema, partitions }: ReadRequest, index: number): boolean {
  return partitions.includes(schema.fields[index]!.name)
}
