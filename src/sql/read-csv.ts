/**
 * CSV. Columns go by position, as in Spark with a given schema; `enforceSchema=false` checks that each header names them so.
 *
 * - PERMISSIVE: a field that is no value of its type is null, missing fields are null, fields too many are ignored.
 *   DROPMALFORMED drops such rows (they are not counted), FAILFAST stops.
 * - A quoted field that holds a line break needs `multiLine`, as in Spark; without it the query stops there. `multiLine` reads each file on
 *   one thread.
 * - Text that is not UTF-8 is an error, which Spark reads with replacement characters.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { typeText } from '../data/types.ts'
import { columnName } from './duck-types.ts'
import { guarded, parseField, timeFormats } from './parse-values.ts'
import { signatureOf } from './profile.ts'
import { type FileScan, hiveArgument, type InputFile, isPartition, partitionColumn, type ReadRequest } from './read-request.ts'
import { quoteName, quotePath, quotePaths, quoteText } from './sql-text.ts'

export function readCsv(request: ReadRequest): FileScan {
  const { files, schema, options } = request
  const mode = options.mode()
  const formats = timeFormats(options)
  const fields = schema.fields.flatMap((field, i) => (isPartition(request, i) ? [] : [{ ...field, i }]))
  for (const { name, type } of fields) {
    if (typeof type !== 'string' && type.kind !== 'decimal') {
      throw new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
        what: `a CSV file can't hold column ${quoteName(name)} of type ${typeText(type)}`,
        todo: 'read it as string, or use JSON or Parquet',
      })
    }
  }
  const trim = trimming(request)
  const values = schema.fields.map(({ name, type }, i) => {
    if (isPartition(request, i)) return partitionColumn(request, i)
    const text = trim(quoteName(name))
    return `${guarded(parseField(text, type, formats), text, type, name, mode)} AS ${columnName(i)}`
  })
  const names = fields.map(({ name }) => name)
  const scan = `read_csv(${quotePaths(files.map((file) => file.path))}, ${csvArguments(request, names, options.flag('header', false))}, ${hiveArgument(request.partitions)})`
  const check = options.flag('header', false) && !options.flag('enforceSchema', true) ? { check: headerCheck(request, files, names) } : {}
  if (mode === 'DROPMALFORMED') {
    const kept = fields
      .map(({ name, type, i }) => (type === 'string' ? '' : ` AND (${trim(quoteName(name))} IS NULL OR ${columnName(i)} IS NOT NULL)`))
      .join('')
    const columns = schema.fields.map((_, i) => columnName(i)).join(', ')
    return {
      select: `SELECT ${columns} FROM (SELECT *, ${values.join(', ')} FROM ${scan}) WHERE true${kept}`,
      files,
      count: { kind: 'table' },
      ...check,
    }
  }
  return {
    select: `SELECT ${values.join(', ')} FROM ${scan}`,
    files,
    count: {
      kind: 'profile',
      signatures: [
        signatureOf(
          'READ_CSV',
          files.map((file) => file.path),
        ),
      ],
    },
    ...check,
  }
}

function csvArguments({ options }: ReadRequest, names: readonly string[], header: boolean): string {
  const mode = options.mode()
  const columns = (names.length > 0 ? names : ['\u0001']).map((name) => `${quoteText(name)}: 'VARCHAR'`).join(', ')
  const separator = options.text('sep') ?? options.text('delimiter') ?? ','
  const comment = options.character(['comment'], '')
  const compression = options.text('compression')
  // Without a quote or escape character DuckDB wants none of them; all fields are text, so an empty field is the null value.
  return (
    `auto_detect = false, columns = {${columns}}, header = ${header}, delim = ${quoteText(separator.replaceAll('\\t', '\t'))},` +
    ` quote = ${quoteText(options.character(['quote'], '"'))}, escape = ${quoteText(options.character(['escape'], '\\'))},` +
    ` nullstr = ${quoteText(options.text('nullValue') ?? '')}, comment = ${quoteText(comment)},` +
    ` null_padding = ${mode === 'PERMISSIVE'}, strict_mode = ${mode !== 'PERMISSIVE'}, ignore_errors = ${mode === 'DROPMALFORMED'},` +
    ` parallel = ${!options.flag('multiLine', false)}${compression === undefined ? '' : `, compression = ${quoteText(compression.toLowerCase())}`}`
  )
}

function trimming({ options }: ReadRequest): (text: string) => string {
  const left = options.flag('ignoreLeadingWhiteSpace', false)
  const right = options.flag('ignoreTrailingWhiteSpace', false)
  if (!left && !right) return (text) => text
  const name = left && right ? 'trim' : left ? 'ltrim' : 'rtrim'
  return (text) => `${name}(${text})`
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
