/**
 * CSV. Columns go by position, as in Spark with a given schema; `enforceSchema=false` checks that each header names them so.
 *
 * - First as DuckDB reads it in its strictest setting. Where a record has too few or too many fields, a field is no value of its type or a
 *   quote stands where Spark's parser reads it otherwise, the files are read again record by record (mend-files.ts, csv-records.ts), and
 *   `mode` says what becomes of malformed records.
 * - A quoted field that holds a line break needs `multiLine`, as in Spark; without it the record ends there. `multiLine` reads each file on
 *   one thread.
 * - ignoreLeadingWhiteSpace and ignoreTrailingWhiteSpace trim fields in quotes too, unless the files are read record by record.
 */
import { assert, InvalidQueryError } from '../base/errors.ts'
import { typeText } from '../data/types.ts'
import { corruptColumn, mendedSelect, recordsSelect, type StrictColumn, strictSelect, textColumn } from './corrupt-records.ts'
import { type CsvDialect, type CsvRecord, csvDialect, parseCsvRecord } from './csv-records.ts'
import { columnName } from './duck-types.ts'
import { type Mender, mendedFields, mendFiles, originalPath, type ReadRecord } from './mend-files.ts'
import { parseField, timeFormats } from './parse-values.ts'
import { signatureOf } from './profile.ts'
import {
  type FileScan,
  hiveArgument,
  type InputFile,
  isPartition,
  partitionColumn,
  partitionValue,
  type ReadRequest,
} from './read-request.ts'
import { quoteName, quotePath, quotePaths, quoteText } from './sql-text.ts'
import { encodingOf } from './text-records.ts'

export function readCsv(request: ReadRequest): FileScan {
  const { files, schema, options } = request
  checkTypes(request)
  const mending = { mode: options.mode(), select: (scratch: string) => mendedCsv(request, scratch) }
  const records = async (scratch: string, keepsMalformed: boolean) => recordsSelect(await mendedCsv(request, scratch), keepsMalformed)
  const formats = timeFormats(options)
  const corrupt = corruptColumn(schema, options)
  if (encodingOf(options) !== 'utf-8' || options.text('lineSep') !== undefined)
    return { select: '', files, count: { kind: 'table' }, mending: { ...mending, first: true }, records }
  const textOf = fieldText(request)
  const columns = schema.fields.map(({ name, type }, i): StrictColumn => {
    if (isPartition(request, i)) return { kind: 'value', value: partitionValue(request, i) }
    if (i === corrupt) return { kind: 'corrupt' }
    const text = textOf(quoteName(name))
    if (type === 'string') return { kind: 'value', value: options.flag('multiLine', false) ? text : oneLine(text, name) }
    return textColumn({ text, parse: (text) => parseField(text, type, formats), name, type })
  })
  const names = ownFields(request).map(({ name }) => name)
  const paths = files.map((file) => file.path)
  const header = options.flag('header', false)
  const scan = `read_csv(${quotePaths(paths)}, ${csvArguments(request, names, header)}, ${hiveArgument(request.partitions)})`
  return {
    select: strictSelect(columns, scan),
    files,
    count: { kind: 'profile', signatures: [signatureOf('READ_CSV', paths)] },
    mending,
    records,
    ...(header && !options.flag('enforceSchema', true) ? { check: headerCheck(request, files, names) } : {}),
  }
}

/** The columns that are in the files. */
function ownFields(request: ReadRequest) {
  const corrupt = corruptColumn(request.schema, request.options)
  return request.schema.fields.flatMap((field, i) => (isPartition(request, i) || i === corrupt ? [] : [{ ...field, i }]))
}

function checkTypes(request: ReadRequest): void {
  for (const { name, type } of ownFields(request)) {
    if (typeof type === 'string' || type.kind === 'decimal') continue
    throw new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
      what: `a CSV file can't hold column ${quoteName(name)} of type ${typeText(type)}`,
      todo: 'read it as string, or use JSON or Parquet',
    })
  }
}

function csvArguments({ options }: ReadRequest, names: readonly string[], header: boolean): string {
  const columns = (names.length > 0 ? names : ['\u0001']).map((name) => `${quoteText(name)}: 'VARCHAR'`).join(', ')
  const { separator, quote, escape, comment } = csvDialect(options)
  const compression = options.text('compression')
  // an empty field without quotes is null, whatever nullValue says, which every field is compared with afterwards
  return (
    `auto_detect = false, columns = {${columns}}, header = ${header}, delim = ${quoteText(separator)},` +
    ` quote = ${quoteText(quote)}, escape = ${quoteText(quote === '' ? '' : escape)}, nullstr = '', allow_quoted_nulls = false, comment = ${quoteText(comment)},` +
    ` null_padding = false, strict_mode = true, ignore_errors = false,` +
    ` parallel = ${!options.flag('multiLine', false)}${compression === undefined ? '' : `, compression = ${quoteText(compression.toLowerCase())}`}`
  )
}

/** SQL for a field's text by Spark's rules for null and empty ones. */
function fieldText({ options }: ReadRequest): (column: string) => string {
  const { trimLeft, trimRight, nullValue, emptyValue } = csvDialect(options)
  const trim = trimLeft && trimRight ? 'trim' : trimLeft ? 'ltrim' : trimRight ? 'rtrim' : ''
  return (column) => {
    const text = `nullif(${trim}(${column}), ${quoteText(nullValue)})`
    return emptyValue === '' || emptyValue === nullValue ? text : `CASE WHEN ${column} = '' THEN ${quoteText(emptyValue)} ELSE ${text} END`
  }
}

/** DuckDB reads on behind the end of a line that is in quotes, where Spark ends the record: such files are read record by record. */
function oneLine(text: string, name: string): string {
  const message = quoteText(`[MALFORMED_RECORD_IN_PARSING] column ${quoteName(name)} holds a line break, and multiLine is off`)
  return `CASE WHEN contains(${text}, chr(10)) THEN error(${message}) ELSE ${text} END`
}

// ---- record by record

async function mendedCsv(request: ReadRequest, scratch: string): Promise<string> {
  const { schema, options, files } = request
  const corrupt = corruptColumn(schema, options)
  const fields = ownFields(request)
  const formats = timeFormats(options)
  const mender: Mender = {
    encoding: encodingOf(options),
    lineSep: options.text('lineSep'),
    whole: options.flag('multiLine', false),
    begin: (path) =>
      csvMender(
        path,
        request,
        fields.map(({ name }) => name),
      ),
    keepsCleanFiles: false,
  }
  const [run] = await mendFiles(files, scratch, mender)
  assert(run?.kind === 'mended', 'CSV files are read record by record or not at all')
  const texts = new Map(fields.map(({ i }, at) => [i, quoteName(`f${at}`)]))
  const added = [
    `${quoteText(mendedFields.raw)}: 'VARCHAR'`,
    `${quoteText(mendedFields.line)}: 'BIGINT'`,
    `${quoteText(mendedFields.malformed)}: 'BOOLEAN'`,
  ]
  const columns = [...fields.map((_, at) => `f${at}: 'VARCHAR'`), ...added]
  const values = schema.fields.map(({ type }, i) => {
    if (isPartition(request, i)) return partitionColumn(request, i)
    return `${i === corrupt ? 'NULL::VARCHAR' : parseField(texts.get(i)!, type, formats)} AS ${columnName(i)}`
  })
  const judged = fields
    .filter(({ i, type }) => type !== 'string' && type !== 'void' && (request.needed?.columns.has(i) ?? true))
    .map(({ i, type }) => ({ text: texts.get(i)!, value: parseField(texts.get(i)!, type, formats) }))
  const from =
    `read_json(${quotePaths(run.paths)}, format = 'newline_delimited', columns = {${columns.join(', ')}}, ignore_errors = false, filename = true,` +
    ` maximum_object_size = ${run.maxRecordBytes}, ${hiveArgument(request.partitions)})`
  return mendedSelect(request, values, judged, from, originalPath(scratch))
}

/** Makes records of one file's lines, or with multiLine of its whole text. */
function csvMender(path: string, { options }: ReadRequest, names: readonly string[]): (text: string, line: number) => ReadRecord[] {
  const dialect = csvDialect(options)
  const whole = options.flag('multiLine', false)
  let headerIsNext = options.flag('header', false)
  const take = (record: CsvRecord, line: number): ReadRecord[] => {
    if (!headerIsNext) return [readRecord(record, line, names.length)]
    headerIsNext = false
    if (!options.flag('enforceSchema', true)) compareHeader(path, record.fields, names)
    return []
  }
  return (text, line) => {
    const content = line === 1 ? text.replace(/^\ufeff/, '') : text
    if (!whole) return isSkipped(content, dialect) ? [] : take(parseCsvRecord(content.replaceAll(/[\r\n]/g, ' '), dialect).record, line)
    const records: ReadRecord[] = []
    for (let at = 0, number = 1; at < content.length; ) {
      const lineEnd = content.indexOf('\n', at) < 0 ? content.length : content.indexOf('\n', at)
      const skips = isSkipped(content.slice(at, lineEnd), dialect)
      const { record, end } = skips ? { record: null, end: Math.min(content.length, lineEnd + 1) } : parseCsvRecord(content, dialect, at)
      if (record) records.push(...take(record, number))
      number += content.slice(at, end).split('\n').length - 1
      at = end
    }
    return records
  }
}

function isSkipped(line: string, { comment }: CsvDialect): boolean {
  return line.trim() === '' || (comment !== '' && line.startsWith(comment))
}

function readRecord({ fields, raw }: CsvRecord, line: number, expected: number): ReadRecord {
  const json = `{${fields
    .slice(0, expected)
    .map((value, at) => `"f${at}":${JSON.stringify(value)}`)
    .join(',')}}`
  return { json, raw, line, malformed: fields.length !== expected }
}

function compareHeader(path: string, found: readonly (string | null)[], names: readonly string[]): void {
  if (found.length === names.length && found.every((name, i) => name?.toLowerCase() === names[i]!.toLowerCase())) return
  throw new InvalidQueryError('CSV_HEADER_COLUMN_MISMATCH', {
    what: `the header of ${path} is [${found.join(', ')}], and the schema has [${names.join(', ')}]`,
    todo: 'give the columns of the files in their order',
  })
}

/** Raises for the first file whose header has other names than the schema. */
function headerCheck(request: ReadRequest, files: readonly InputFile[], names: readonly string[]): string {
  const expected = `[${names.map((name) => quoteText(name.toLowerCase())).join(', ')}]`
  return files
    .map(({ path }) => {
      const found = `[${names.map((name) => `lower(${quoteName(name)})`).join(', ')}]`
      const message = `'[CSV_HEADER_COLUMN_MISMATCH] the header of ' || ${quoteText(path)} || ' is ' || ${found}::VARCHAR || ', and the schema has ' || ${expected}::VARCHAR`
      return `SELECT CASE WHEN ${found} <> ${expected} THEN error(${message}) END FROM (SELECT * FROM read_csv([${quotePath(path)}], ${csvArguments(request, names, false)}, hive_partitioning = false) LIMIT 1)`
    })
    .join(' UNION ALL ')
}
