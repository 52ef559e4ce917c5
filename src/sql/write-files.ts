import { assert, InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { intervalTextSql, isInterval } from '../data/intervals.ts'
import type { FileBounds, FileFormat, WriteFiles, WrittenFile } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { cellText } from '../data/show-table.ts'
import { type DataType, typeText } from '../data/types.ts'
import { columnValues } from '../data/values.ts'
import { checkColumnNames } from './column-names.ts'
import { type CsvDialect, csvDialect } from './csv-records.ts'
import { columnName, duckType } from './duck-types.ts'
import { partitionFolder } from './hive-path.ts'
import { isoTime, jsonRecord } from './json-text.ts'
import { FormatOptions, invalidOption } from './options.ts'
import { readColumns } from './read-vectors.ts'
import type { SqlRelation } from './relation.ts'
import { rowsOf, type SqlBatchRun } from './sql-batch-run.ts'
import { quoteName, quoteText } from './sql-text.ts'

/** Refuses what the format can't hold, before anything runs. */
export function checkWrite(schema: Schema, { format, partitionBy, options }: WriteFiles): void {
  checkColumnNames('the table of the rows to write', schema)
  for (const name of partitionBy) {
    const type = schema.typeOf(name)
    if (type === undefined) {
      throw new InvalidQueryError('COLUMN_NOT_FOUND', {
        what: `partitionBy names ${quoteName(name)}, and the columns are ${schema.names.map(quoteName).join(', ')}`,
        todo: 'name a column of the rows',
      })
    }
    if (type === 'binary' || type === 'void' || (typeof type !== 'string' && type.kind !== 'decimal')) {
      throw new InvalidQueryError('INVALID_PARTITION_COLUMN_DATA_TYPE', {
        what: `column ${quoteName(name)} of type ${typeText(type)} can't name folders`,
        todo: 'partition by another column, or cast it to string',
      })
    }
  }
  const kept = schema.fields.filter((field) => !partitionBy.includes(field.name))
  if (kept.length === 0) {
    throw new InvalidQueryError('ALL_PARTITION_COLUMNS_NOT_ALLOWED', {
      what: 'every column is in partitionBy, and nothing is left for the files',
      todo: 'leave at least one column out',
    })
  }
  checkTypes(format, new Schema(kept))
  copyOptions(format, new FormatOptions(options))
}

function checkTypes(format: FileFormat, schema: Schema): void {
  if (format === 'text' && schema.fields.length !== 1) {
    throw new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
      what: `the text format holds one column, and the rows have ${schema.fields.length}`,
      todo: 'select one string column',
    })
  }
  for (const { name, type } of schema.fields) {
    if (canHold(format, type)) continue
    throw new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
      what: `the ${format} format can't hold column ${quoteName(name)} of type ${typeText(type)}`,
      todo: 'cast it, or use another format',
    })
  }
}
function canHold(format: FileFormat, type: DataType): boolean {
  if (format === 'text') return type === 'string'
  if (type === 'void') return format === 'json'
  if (format === 'csv') return type !== 'binary' && (typeof type === 'string' || type.kind === 'decimal')
  return true
}

/** DuckDB's text of a value as Spark casts it to a string: `1.0E20`, `NaN`. */
function folderText(type: DataType, text: string | null | undefined): string | null | undefined {
  if (typeof text !== 'string' || (type !== 'double' && type !== 'float')) return text
  const value = Number(text.replace('inf', 'Infinity'))
  return cellText(type, type === 'float' ? Math.fround(value) : value)
}

/** Writes all rows as one file; none where there are no rows. */
export async function writeOne(batch: SqlBatchRun, files: Files, relation: SqlRelation, write: WriteFiles): Promise<WrittenFile[]> {
  if (relation.form.kind === 'table' && relation.form.rows === 0) return []
  const path = write.fileName(0)
  await makeFolder(files, folderOf(`${write.folder}/${path}`))
  const ran = await batch.execute(relation, (query) => copyStatement(query.text, relation.schema, write, `${write.folder}/${path}`))
  return written(files, write.folder, path, rowsOf(ran))
}

/**
 * Writes the files of each partition (of all rows, without partitions). The rows are sorted by the folders' names into a table, where every
 * partition is a range of row numbers: so a file costs one look at its own rows, however many there are.
 */
export async function writeParts(batch: SqlBatchRun, files: Files, relation: SqlRelation, write: WriteFiles): Promise<WrittenFile[]> {
  const { schema } = relation
  const keys = write.partitionBy.map((name) => schema.indexOf(name))
  const names = keys.map((_, i) => `p${i}`)
  const sorted = batch.session.nextTable()
  // what stands in the names of folders does not stand in the files
  const own = schema.fields.flatMap((_, i) => (keys.includes(i) ? [] : [columnName(i)]))
  const folders = keys.map((index, i) => `nullif(CAST(${columnName(index)} AS VARCHAR), '') AS p${i}`)
  const order = names.length > 0 ? ` ORDER BY ${names.join(', ')}` : ''
  await batch.execute(
    relation,
    (query) => `CREATE TEMP TABLE ${sorted} AS SELECT ${[...own, ...folders].join(', ')} FROM ${query.text}${order}`,
  )
  const cut = new FileCutter(write.bounds ?? {})
  const result: WrittenFile[] = []
  for (const { values, first, last } of await rangesOf(batch, sorted, names)) {
    const folder = write.partitionBy
      .map((name, i) => `${partitionFolder(name, folderText(schema.fields[keys[i]!]!.type, values[i]))}/`)
      .join('')
    for (let from = first; from <= last; ) {
      const to = Math.min(last, from + cut.rows() - 1)
      const path = `${folder}${write.fileName(result.length)}`
      await makeFolder(files, folderOf(`${write.folder}/${path}`))
      const copy = copyStatement(`${sorted} WHERE rowid BETWEEN ${from} AND ${to}`, schema, write, `${write.folder}/${path}`)
      const rows = rowsOf({ kind: 'result', result: await batch.session.run(copy) })
      assert(rows === to - from + 1, `${path} has rows ${from} to ${to} of its table, and ${rows} were written`)
      const file = await written(files, write.folder, path, rows)
      cut.learn(file)
      result.push(...file)
      from = to + 1
    }
  }
  await batch.session.run(`DROP TABLE ${sorted}`)
  return result
}

/** Rows of a file whose size nobody can guess yet. */
const firstFileRows = 100_000

/** How many rows the next file gets. */
class FileCutter {
  readonly #bounds: FileBounds
  #bytesPerRow: number | undefined
  constructor(bounds: FileBounds) {
    this.#bounds = bounds
    this.#bytesPerRow = bounds.bytesPerRow
  }
  rows(): number {
    const { maxRows = Number.MAX_SAFE_INTEGER, targetBytes } = this.#bounds
    if (targetBytes === undefined) return maxRows
    const fitting = this.#bytesPerRow === undefined ? firstFileRows : Math.floor(targetBytes / this.#bytesPerRow)
    return Math.max(1, Math.min(maxRows, fitting))
  }
  /** A file's fixed part counts for nothing among many rows, and for too much among few: the smallest estimate is the best one. */
  learn(files: readonly WrittenFile[]): void {
    for (const { sizeBytes, numRows } of files) {
      const seen = Math.max(sizeBytes / numRows, 1e-6)
      this.#bytesPerRow = numRows >= 1000 || this.#bytesPerRow === undefined ? seen : this.#bytesPerRow
    }
  }
}

interface Range {
  readonly values: readonly (string | null)[]
  readonly first: number
  readonly last: number
}

async function rangesOf(batch: SqlBatchRun, sorted: string, names: readonly string[]): Promise<Range[]> {
  const sql =
    names.length === 0
      ? `SELECT 0::BIGINT, count(*) - 1, count(*) FROM ${sorted} HAVING count(*) > 0`
      : `SELECT ${names.join(', ')}, min(rowid), max(rowid), count(*) FROM ${sorted} GROUP BY ${names.join(', ')} ORDER BY min(rowid)`
  const text = names.map((name) => ({ name, type: 'string', nullable: true }) as const)
  const numbers = ['first', 'last', 'rows'].map((name) => ({ name, type: 'long', nullable: false }) as const)
  const groups = readColumns(await batch.session.run(sql), new Schema([...text, ...numbers]))
  const columns = groups.columns.map((column) => columnValues(column, groups.length))
  return Array.from({ length: groups.length }, (_, i) => {
    const [first, last, rows] = columns.slice(-3).map((column) => Number(column[i]))
    assert(last! - first! + 1 === rows, 'the rows of a partition lie together')
    return { values: columns.slice(0, -3).map((column) => column[i] as string | null), first: first!, last: last! }
  })
}

async function written(files: Files, folder: string, path: string, numRows: number): Promise<WrittenFile[]> {
  if (numRows === 0) return []
  const entry = await files.stat(`${folder}/${path}`)
  assert(entry, `${folder}/${path} was written and is not there`)
  return [{ path, sizeBytes: entry.sizeBytes, numRows }]
}

function copyStatement(from: string, schema: Schema, write: WriteFiles, path: string): string {
  const options = new FormatOptions(write.options)
  const fields = schema.fields
    .map((field, i) => ({ ...field, column: columnName(i) }))
    .filter((field) => !write.partitionBy.includes(field.name))
  return `COPY (SELECT ${copyColumns(write.format, fields, options)} FROM ${from}) TO ${quoteText(path)} (${copyOptions(write.format, options)}, USE_TMP_FILE false)`
}

interface WrittenField {
  readonly name: string
  readonly type: DataType
  readonly column: string
}

function copyColumns(format: FileFormat, fields: readonly WrittenField[], options: FormatOptions): string {
  switch (format) {
    case 'parquet':
      return fields.map(({ name, type, column }) => `${parquetValue(type, column)} AS ${quoteName(name)}`).join(', ')
    case 'csv':
      return fields.map(({ name, type, column }) => `${csvField(type, column, options)} AS ${quoteName(name)}`).join(', ')
    case 'json':
      return `${jsonRecord(
        fields,
        fields.map((field) => field.column),
        !options.flag('ignoreNullFields', true),
      )} AS "value"`
    case 'text':
      return `coalesce(${fields[0]!.column}, '') AS "value"`
  }
}

/** A timestamp is an instant: Parquet marks it as adjusted to UTC, and so Spark reads it as the type that it is. */
function parquetValue(type: DataType, column: string): string {
  if (type === 'timestamp') return `make_timestamptz(epoch_us(${column}))`
  const inFile = duckType(type, 'TIMESTAMPTZ')
  return inFile === duckType(type) ? column : `CAST(${column} AS ${inFile})`
}
/** DuckDB quotes an empty text where null is one too, and only there: so it is told that it is. */
function csvField(type: DataType, column: string, options: FormatOptions): string {
  const { nullValue } = writtenDialect(options)
  const value = csvValue(type, column, options)
  return nullValue === '' ? value : `coalesce(CAST(${value} AS VARCHAR), ${quoteText(nullValue)})`
}
function csvValue(type: DataType, column: string, options: FormatOptions): string {
  if (type === 'timestamp' || type === 'timestamp_ntz') return isoTime(type, column)
  if (isInterval(type)) return intervalTextSql(column, type)
  if (type === 'float' || type === 'double')
    return `CASE WHEN isfinite(${column}) THEN CAST(${column} AS VARCHAR) WHEN isnan(${column}) THEN 'NaN' WHEN ${column} > 0 THEN 'Infinity' WHEN ${column} < 0 THEN '-Infinity' END`
  if (type !== 'string') return column
  // Spark's CSV writer trims unless it is told not to
  const left = options.flag('ignoreLeadingWhiteSpace', true)
  const right = options.flag('ignoreTrailingWhiteSpace', true)
  if (!left && !right) return column
  return `${left && right ? 'trim' : left ? 'ltrim' : 'rtrim'}(${column})`
}

function copyOptions(format: FileFormat, options: FormatOptions): string {
  const compression = compressionOf(format, options)
  switch (format) {
    case 'parquet':
      return `FORMAT parquet, COMPRESSION ${compression}${parquetDetails(compression, options)}, WRITE_EMPTY_FILE false`
    // control characters never stand raw in JSON, so nothing is ever quoted
    case 'json':
    case 'text':
      return `FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '', NULLSTR '', COMPRESSION ${compression}, WRITE_EMPTY_FILE false`
    case 'csv': {
      const { separator, quote, escape } = writtenDialect(options)
      return (
        `FORMAT csv, HEADER ${options.flag('header', false)}, DELIMITER ${quoteText(separator)}, QUOTE ${quoteText(quote)}, ESCAPE ${quoteText(escape)}, NULLSTR '',` +
        ` ${options.flag('quoteAll', false) ? 'FORCE_QUOTE *, ' : ''}COMPRESSION ${compression}, WRITE_EMPTY_FILE false`
      )
    }
  }
}

/** DuckDB's writer separates by single bytes; what it writes must be readable with the same options. */
function writtenDialect(options: FormatOptions): CsvDialect {
  const dialect = csvDialect(options)
  const { separator, quote, escape } = dialect
  const name = options.text('sep') === undefined ? 'delimiter' : 'sep'
  if (!/^[\x01-\x7f]$/.test(separator))
    throw invalidOption(name, separator, 'give one character of ASCII, or join the columns and write them as text')
  if (quote === '')
    throw invalidOption(
      'quote',
      quote,
      'a value that holds a separator needs quotes: give a character, or join the columns and write them as text',
    )
  if (escape === '') throw invalidOption('escape', escape, 'a quote inside of a value needs an escape: give a character, such as the quote')
  return dialect
}

function parquetDetails(compression: string, options: FormatOptions): string {
  const level = wholeNumber(options, 'compressionLevel', 1, 22)
  if (level !== undefined && compression !== 'zstd') {
    throw invalidOption('compressionLevel', String(level), 'only zstd has levels: set compression to zstd, or leave it out')
  }
  const rows = wholeNumber(options, 'rowGroupSize', 1, 1 << 30)
  return `${level === undefined ? '' : `, COMPRESSION_LEVEL ${level}`}${rows === undefined ? '' : `, ROW_GROUP_SIZE ${rows}`}`
}
function wholeNumber(options: FormatOptions, name: string, least: number, most: number): number | undefined {
  const value = options.text(name)
  if (value === undefined) return undefined
  if (/^\d+$/.test(value) && Number(value) >= least && Number(value) <= most) return Number(value)
  throw invalidOption(name, value, `use a whole number from ${least} to ${most}`)
}

const parquetCodecs: Readonly<Record<string, string>> = {
  none: 'uncompressed',
  uncompressed: 'uncompressed',
  snappy: 'snappy',
  gzip: 'gzip',
  zstd: 'zstd',
  brotli: 'brotli',
  lz4: 'lz4',
  lz4_raw: 'lz4_raw',
}
const textCodecs: Readonly<Record<string, string>> = { none: 'none', uncompressed: 'none', gzip: 'gzip', zstd: 'zstd' }

function compressionOf(format: FileFormat, options: FormatOptions): string {
  const codecs = format === 'parquet' ? parquetCodecs : textCodecs
  const name = options.text('compression') ?? options.text('codec') ?? (format === 'parquet' ? 'snappy' : 'none')
  const codec = codecs[name.toLowerCase()]
  if (codec === undefined) throw invalidOption('compression', name, `use one of ${Object.keys(codecs).join(', ')}`)
  return codec
}

async function makeFolder(files: Files, folder: string): Promise<void> {
  if ((await files.stat(folder))?.isDirectory !== true) await files.makeFolder(folder)
}
function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
