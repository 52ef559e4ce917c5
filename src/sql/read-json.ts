/**
 * JSON, a record a line.
 *
 * - First as DuckDB reads it in its strictest setting. Where a record is malformed, or a value is not of its type, the files are read again
 *   record by record (mend-files.ts), and `mode` says what becomes of such records.
 * - Where DuckDB is laxer than Spark: a number column takes "12" and rounds 1.5, and field names are compared without case.
 * - DuckDB parses a number with a fraction, or over 64 bits, as a double, which keeps 15 digits of it. Where a decimal has more than that, files are looked
 *   through for longer numbers first, and those that have any are read record by record: in quotes such a number keeps all its digits.
 * - `multiLine` reads whole documents or arrays of them; where one is malformed, the file is one malformed record, as in Spark.
 */

import { escapePattern } from '../base/escape-pattern.ts'
import { decimalFromTextSql } from '../data/decimal-from-text.ts'
import { intervalFromTextSql, isInterval } from '../data/intervals.ts'
import { Schema } from '../data/schema.ts'
import type { DataType, Field } from '../data/types.ts'
import {
  cleanSelect,
  corruptColumn,
  type JudgedValue,
  mendedSelect,
  recordsSelect,
  type StrictColumn,
  strictSelect,
  textColumn,
} from './corrupt-records.ts'
import { columnName, duckType } from './duck-types.ts'
import { type BufferGroup, groupByBuffer } from './json-buffers.ts'
import { isParsed, nestedTexts, readType, wholeValue, withNestedValues } from './json-fields.ts'
import { jsonMender } from './json-records.ts'
import { leniencyOf } from './lenient-json.ts'
import { type Mender, mendedFields, mendFiles, originalPath } from './mend-files.ts'
import { parseDate, parseTimestamp, parseTimestampNtz, type TimeFormats, timeFormats } from './parse-values.ts'
import { type ScanSignature, signatureOf } from './profile.ts'
import { type FileScan, hiveArgument, isPartition, isRead, ownCount, partitionValue, type ReadRequest } from './read-request.ts'
import { quoteName, quotePaths, quoteText } from './sql-text.ts'
import { encodingOf } from './text-records.ts'

export async function readJson(request: ReadRequest): Promise<FileScan> {
  const { files, options } = request
  const encoding = encodingOf(options)
  const mending = { mode: options.mode(), select: (scratch: string) => mendedJson(request, scratch) }
  const records = async (scratch: string, keepsMalformed: boolean) =>
    recordsSelect(await mendedJson(request, scratch, true), keepsMalformed)
  corruptColumn(request.schema, options)
  leniencyOf(options)
  if (encoding !== 'utf-8' || options.text('lineSep') !== undefined) {
    timeFormats(options)
    return { select: '', files, count: { kind: 'table' }, mending: { ...mending, first: true }, records }
  }
  const groups = await groupByBuffer(files)
  const { selects, signatures } = strictSelects(request, groups)
  const longDecimals = longDecimalsSelect(request, groups)
  const types = request.schema.fields.map(({ type }, i) => (isRead(request, i) ? duckType(type) : unread))
  const expected = { rows: estimateOf(files), types }
  return {
    select: selects.join(' UNION ALL '),
    files,
    expected,
    count: { kind: 'profile', signatures },
    mending: { ...mending, ...(longDecimals && { first: longDecimals }) },
    // files that need other buffers are read behind the others
    ...(selects.length === 1 && { records }),
  }
}

const recordBytes = 256
const compressed = 8
function estimateOf(files: ReadRequest['files']): number {
  const bytes = files.reduce((sum, { path, sizeBytes }) => sum + (/\.(gz|zst)$/.test(path) ? compressed : 1) * sizeBytes, 0)
  return Math.ceil(bytes / recordBytes)
}

/** Where what is malformed decides about the record, a struct of which a field is read is read whole: DuckDB would pass over its other fields. */
function wholeStructs(request: ReadRequest, select: string): string {
  const isWhole = ({ type }: Field, i: number) => typeof type !== 'string' && type.kind === 'struct' && isRead(request, i)
  const { fields } = request.schema
  if (request.options.mode() === 'PERMISSIVE' || !fields.some(isWhole)) return select
  const columns = fields.map((field, i) => {
    const name = columnName(i)
    return isWhole(field, i) ? `CASE WHEN ${name} IS NULL THEN NULL ELSE ${name} END AS ${name}` : name
  })
  return `SELECT ${columns.join(', ')} FROM (${select})`
}

function strictSelects(request: ReadRequest, groups: readonly BufferGroup[]) {
  const selects: string[] = []
  const signatures: ScanSignature[] = []
  for (const group of groups) {
    const { paths } = group
    const from =
      `read_json(${quotePaths(paths)}, columns = ${readColumns(request, [])}, ignore_errors = false,` +
      ` ${hiveArgument(request.partitions)}, ${layoutOf(request, group)})`
    selects.push(wholeStructs(request, strictSelect(columnsOf(request), from)))
    signatures.push(signatureOf('READ_JSON', paths))
  }
  return { selects, signatures }
}

/** The arguments that say how records lie in the files of a group. */
function layoutOf(request: ReadRequest, { maxRecordBytes }: BufferGroup): string {
  const format = request.options.flag('multiLine', false) ? 'auto' : 'newline_delimited'
  return `format = '${format}', maximum_object_size = ${maxRecordBytes}${compression(request)}`
}

/** A SELECT of how many records hold numbers with more digits than come through; null where no type has room for them. */
function longDecimalsSelect(request: ReadRequest, groups: readonly BufferGroup[]): string | null {
  const places = request.schema.fields.flatMap(({ name, type }, i) => (isReadFromFiles(request, i) ? decimalPlaces(name, type) : []))
  if (places.length === 0) return null
  const numbers = new Set(
    places.map((name) =>
      name === null
        ? `[:,\\[]\\s*-?(?:[0-9]+(?:\\.[0-9]|e)|${longNumber})`
        : `"${escapePattern(JSON.stringify(name).slice(1, -1))}"\\s*:\\s*-?${longNumber}`,
    ),
  )
  const pattern = quoteText(`(?i)${[...numbers].join('|')}`)
  const froms = groups.map((group) => `SELECT json FROM read_json_objects(${quotePaths(group.paths)}, ${layoutOf(request, group)})`)
  return `SELECT count(*) FROM (${froms.join(' UNION ALL ')}) WHERE regexp_matches(json::VARCHAR, ${pattern})`
}
const digitsOfDouble = 15
/** With a point or an exponent these are more digits; without, it may be a number of 64 bits, which would come through. */
const longNumber = `[0-9.]{${digitsOfDouble + 1},}[0-9.e]`

/**
 * Names of fields that are decimals of more digits than a double has. Null stands for elements of arrays and values of maps, which have no name: those the reader
 * makes itself, out of a double times a power of ten, so that they are not even what fifteen digits say.
 */
function decimalPlaces(name: string | null, type: DataType): (string | null)[] {
  if (typeof type === 'string') return []
  switch (type.kind) {
    case 'decimal':
      return type.precision > digitsOfDouble ? [name] : []
    case 'struct':
      return type.fields.flatMap((field) => decimalPlaces(name === null ? null : field.name, field.type))
    case 'array':
      return decimalPlaces(null, type.element)
    case 'map':
      return decimalPlaces(null, type.value)
  }
}

/** `each`: every file is read record by record, those too in which nothing is wrong. */
async function mendedJson(request: ReadRequest, scratch: string, each = false): Promise<string> {
  const { schema, options, files } = request
  const whole = options.flag('multiLine', false)
  const corrupt = corruptColumn(schema, options)
  const own = new Schema(schema.fields.filter((_, i) => i !== corrupt && isReadFromFiles(request, i)))
  const mend = jsonMender(own, leniencyOf(options), whole)
  const judged = judgedValues(request)
  const mender: Mender = {
    encoding: encodingOf(options),
    lineSep: options.text('lineSep'),
    whole,
    begin: () => (raw, line) => mend(raw).map((record) => ({ ...record, raw, line })),
    keepsCleanFiles: !each && judged.length === 0 && encodingOf(options) === 'utf-8' && options.text('lineSep') === undefined,
  }
  const added = [
    `${quoteText(mendedFields.raw)}: 'VARCHAR'`,
    `${quoteText(mendedFields.line)}: 'BIGINT'`,
    `${quoteText(mendedFields.malformed)}: 'BOOLEAN'`,
  ]
  const values = columnsOf(request).map((column, i) => `${mendedValue(column)} AS ${columnName(i)}`)
  const selects: string[] = []
  for (const run of await mendFiles(files, scratch, mender)) {
    if (run.kind === 'clean') {
      selects.push(...strictSelects(request, await groupByBuffer(run.files)).selects.map((select) => cleanSelect(request, select)))
      continue
    }
    const from =
      `read_json(${quotePaths(run.paths)}, format = 'newline_delimited', columns = ${readColumns(request, added)}, ignore_errors = true, filename = true,` +
      ` maximum_object_size = ${run.maxRecordBytes}, ${hiveArgument(request.partitions)})`
    selects.push(mendedSelect(request, values, judged, from, originalPath(scratch)))
  }
  return selects.join(' UNION ALL ')
}

function compression({ options }: ReadRequest): string {
  const name = options.text('compression')
  return name === undefined ? '' : `, compression = ${quoteText(name === 'uncompressed' ? 'none' : name.toLowerCase())}`
}

/** The struct literal of `columns`. DuckDB refuses an empty one, so a schema of folders alone reads a field that no record has. */
function readColumns(request: ReadRequest, added: readonly string[]): string {
  const corrupt = corruptColumn(request.schema, request.options)
  const columns = request.schema.fields.flatMap(({ name, type }, i) =>
    i === corrupt || !isReadFromFiles(request, i) ? [] : [`${quoteText(name)}: '${readType(type, 'TIMESTAMPTZ').replaceAll("'", "''")}'`],
  )
  const all = [...columns, ...added]
  return `{${all.length > 0 ? all.join(', ') : `'\u0001': 'VARCHAR'`}}`
}

/** A column over mended records; the text of a malformed one is filled in above. */
function mendedValue(column: StrictColumn): string {
  if (column.kind === 'corrupt') return 'NULL::VARCHAR'
  if (column.kind === 'value') return column.value
  const values = column.texts.map(({ text, parse }) => parse(text))
  return column.build(column.whole ?? '', values)
}

function columnsOf(request: ReadRequest): StrictColumn[] {
  const formats = timeFormats(request.options)
  const corrupt = corruptColumn(request.schema, request.options)
  return request.schema.fields.map(({ name, type }, i): StrictColumn => {
    if (isPartition(request, i)) return { kind: 'value', value: partitionValue(request, i) }
    if (i === corrupt) return { kind: 'corrupt' }
    const { needed } = request
    if (!isRead(request, i)) return { kind: 'value', value: `NULL::${unread}` }
    if (needed === undefined || i < ownCount(request)) return valueColumn(quoteName(name), name, type, formats)
    const { column, path } = needed.fields[i - ownCount(request)]!
    const own = request.schema.names[column]!
    const field = `${quoteName(own)}${path.map((each) => `[${quoteText(each)}]`).join('')}`
    return valueColumn(field, [own, ...path].join('.'), type, formats)
  })
}
/** Columns that nobody reads are nulls, in a type of which a table can hold many for little. */
const unread = 'BOOLEAN'
/** Whether a field of the records is read, whole or in part. */
function isReadFromFiles(request: ReadRequest, index: number): boolean {
  return !isPartition(request, index) && index < ownCount(request) && (isRead(request, index) || isReadByField(request, index))
}
function isReadByField({ needed }: ReadRequest, index: number): boolean {
  return needed?.fields.some(({ column }) => column === index) ?? false
}
/** A value of the files, by the SQL that reads it and what messages call it. */
function valueColumn(column: string, name: string, type: DataType, formats: TimeFormats): StrictColumn {
  const parse = (type: DataType) => (text: string) => parsed(text, type, formats)
  if (isParsed(type)) return textColumn({ text: column, parse: parse(type), name, type })
  const texts = nestedTexts(type, column, name).map((each) => ({ ...each, parse: parse(each.type) }))
  const value = wholeValue(type, column)
  return texts.length === 0
    ? { kind: 'value', value }
    : { kind: 'parsed', whole: value, texts, build: (whole, values) => withNestedValues(type, whole, values) }
}

function judgedValues(request: ReadRequest): JudgedValue[] {
  return columnsOf(request).flatMap((column) =>
    column.kind !== 'parsed'
      ? []
      : column.texts.filter(({ type }) => type !== 'void').map(({ text, parse }) => ({ text, value: parse(text) })),
  )
}

function parsed(text: string, type: DataType, formats: TimeFormats): string {
  if (isInterval(type)) return intervalFromTextSql(text, type)
  if (typeof type !== 'string' && type.kind === 'decimal') return decimalFromTextSql(text, type)
  switch (type) {
    case 'timestamp':
      return parseTimestamp(text, formats.timestamp)
    case 'timestamp_ntz':
      return parseTimestampNtz(text, formats.timestampNtz)
    case 'date':
      return parseDate(text, formats.date)
    case 'binary':
      return `try(from_base64(${text}))`
    case 'void':
      return 'NULL::INTEGER'
    default:
      return `try_cast(${text} AS ${duckType(type)})`
  }
}
