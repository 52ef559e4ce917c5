/**
 * JSON, a record a line.
 *
 * - PERMISSIVE: a malformed line becomes a row of nulls, a value of another type a null. FAILFAST: both stop the query.
 *   DROPMALFORMED: rows with either are left out (and not counted); it reads every record as a document first, which is slower.
 * - Where DuckDB is laxer than Spark: a number column takes "12" and rounds 1.5, a struct column makes a struct of nulls of any other
 *   value, and field names are compared without case.
 * - DuckDB parses a number with a fraction, or over 64 bits, as a double: a decimal column keeps 15 digits of it. A decimal in quotes
 *   keeps all its digits.
 * - `multiLine` reads whole documents or arrays of them; one malformed document stops the query in every mode.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { intervalFromTextSql, isInterval } from '../data/intervals.ts'
import type { DataType } from '../data/types.ts'
import { columnName, duckType } from './duck-types.ts'
import { type BufferGroup, groupByBuffer } from './json-buffers.ts'
import type { ParseMode } from './options.ts'
import { guarded, parseDate, parseTimestamp, parseTimestampNtz, type TimeFormats, timeFormats } from './parse-values.ts'
import { type ScanSignature, signatureOf } from './profile.ts'
import { type FileScan, hiveArgument, isPartition, partitionColumn, type ReadRequest } from './read-request.ts'
import { quoteName, quotePaths, quoteText } from './sql-text.ts'

export async function readJson(request: ReadRequest): Promise<FileScan> {
  const { files, options } = request
  if (options.text('columnNameOfCorruptRecord') !== undefined) {
    throw new InvalidQueryError('INVALID_OPTION_VALUE', {
      what: 'columnNameOfCorruptRecord is not supported',
      todo: 'leave it out; malformed records become rows of nulls',
    })
  }
  const mode = options.mode()
  const format = options.flag('multiLine', false) ? 'auto' : 'newline_delimited'
  const groups = await groupByBuffer(files)
  if (mode === 'DROPMALFORMED')
    return { select: groups.map((group) => selectStrict(request, format, group)).join(' UNION ALL '), files, count: { kind: 'table' } }
  const scans: string[] = []
  const signatures: ScanSignature[] = []
  for (const { paths, maxRecordBytes } of groups) {
    const ignoreErrors = mode === 'PERMISSIVE' && format === 'newline_delimited'
    scans.push(
      `SELECT ${selectColumns(request, mode).join(', ')} FROM read_json(${quotePaths(paths)}, format = '${format}', columns = ${readColumns(request)},` +
        ` ignore_errors = ${ignoreErrors}, maximum_object_size = ${maxRecordBytes}, ${hiveArgument(request.partitions)}${compression(request)})`,
    )
    signatures.push(signatureOf('READ_JSON', paths))
  }
  return { select: scans.join(' UNION ALL '), files, count: { kind: 'profile', signatures } }
}

function compression({ options }: ReadRequest): string {
  const name = options.text('compression')
  return name === undefined ? '' : `, compression = ${quoteText(name === 'uncompressed' ? 'none' : name.toLowerCase())}`
}

/** The struct literal of `columns`. DuckDB refuses an empty one, so a schema of folders alone reads a field that no record has. */
function readColumns(request: ReadRequest): string {
  const columns = request.schema.fields.flatMap(({ name, type }, i) =>
    isPartition(request, i) ? [] : [`${quoteText(name)}: '${readType(type).replaceAll("'", "''")}'`],
  )
  return `{${columns.length > 0 ? columns.join(', ') : `'\u0001': 'VARCHAR'`}}`
}

/** How DuckDB's reader is to deliver a field: text where the value is parsed by our rules. */
function readType(type: DataType): string {
  return isParsed(type) ? 'VARCHAR' : duckType(type, 'TIMESTAMPTZ')
}
function isParsed(type: DataType): boolean {
  // DuckDB takes a number to a decimal by way of a double
  if (typeof type !== 'string') return type.kind === 'decimal'
  return type === 'timestamp' || type === 'timestamp_ntz' || type === 'date' || type === 'binary' || type === 'void' || isInterval(type)
}

function selectColumns(request: ReadRequest, mode: ParseMode): string[] {
  const formats = timeFormats(request.options)
  return request.schema.fields.map(({ name, type }, i) => {
    if (isPartition(request, i)) return partitionColumn(request, i)
    const column = quoteName(name)
    const value = isParsed(type)
      ? guarded(parsed(column, type, formats), column, type, name, mode)
      : typeof type === 'string'
        ? column
        : `CAST(${column} AS ${duckType(type)})`
    return `${value} AS ${columnName(i)}`
  })
}

function parsed(text: string, type: DataType, formats: TimeFormats): string {
  if (isInterval(type)) return intervalFromTextSql(text, type)
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
      return 'NULL'
    default:
      return `try_cast(${text} AS ${duckType(type)})`
  }
}

/** Reads documents and keeps those that are objects and of whose fields none got lost on the way to its type. */
function selectStrict(request: ReadRequest, format: string, { paths, maxRecordBytes }: BufferGroup): string {
  const { schema, partitions } = request
  const formats = timeFormats(request.options)
  const fields = schema.fields.flatMap(({ name, type }, i) => (isPartition(request, i) ? [] : [{ name, type, i }]))
  const shape = `{${fields.map(({ name, type }) => `${JSON.stringify(name)}: ${JSON.stringify(readType(type))}`).join(', ') || '"\u0001": "VARCHAR"'}}`
  const field = (name: string) => `struct_extract(s, ${quoteText(name)})`
  const values = schema.fields.map(({ name, type }, i) => {
    if (isPartition(request, i)) return partitionColumn(request, i)
    return `${isParsed(type) ? parsed(field(name), type, formats) : `CAST(${field(name)} AS ${duckType(type)})`} AS ${columnName(i)}`
  })
  const present = fields.map(
    ({ name, i }) => `coalesce(json_type(json, ${quoteText(`$.${JSON.stringify(name)}`)}), 'NULL') <> 'NULL' AS p${i}`,
  )
  const inner =
    `SELECT *, json_transform(json, ${quoteText(shape)}) AS s FROM read_json_objects(${quotePaths(paths)}, format = '${format}',` +
    ` ignore_errors = ${format === 'newline_delimited'}, maximum_object_size = ${maxRecordBytes}, ${hiveArgument(partitions)}${compression(request)}) WHERE json_type(json) = 'OBJECT'`
  const kept = fields.map(({ i }) => ` AND (NOT p${i} OR ${columnName(i)} IS NOT NULL)`).join('')
  return `SELECT ${schema.fields.map((_, i) => columnName(i)).join(', ')} FROM (SELECT ${[...values, ...present].join(', ')} FROM (${inner})) WHERE true${kept}`
}
