/** Text: a row a line, in one string column; `wholetext` makes it a row a file. A file is held in memory while it is cut into lines. */
import { InvalidQueryError } from '../base/errors.ts'
import { typeText } from '../data/types.ts'
import { columnName } from './duck-types.ts'
import { folderColumn } from './folder-column.ts'
import { invalidOption } from './options.ts'
import { type FileScan, isPartition, type ReadRequest } from './read-request.ts'
import { quotePaths, quoteText } from './sql-text.ts'
import { encodingOf } from './text-records.ts'

export function readText(request: ReadRequest): FileScan {
  const { files, schema, options } = request
  if (encodingOf(options) !== 'utf-8')
    throw invalidOption(
      'encoding',
      encodingOf(options),
      'text files are read as UTF-8: convert them, or read them with format csv and one column',
    )
  const fields = schema.fields.filter((_, i) => !isPartition(request, i))
  if (fields.length > 1 || (fields[0] && fields[0].type !== 'string')) {
    throw new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
      what: `the text format has one column of type string, and the schema has ${fields.map((field) => `${field.name} ${typeText(field.type)}`).join(', ')}`,
      todo: 'give no schema, or one string column',
    })
  }
  const columns = (value: string) =>
    schema.fields.map((_, i) => (isPartition(request, i) ? folderColumn(request, i) : `${value} AS ${columnName(i)}`)).join(', ')
  const from = `read_text(${quotePaths(files.map((file) => file.path))})`
  if (options.flag('wholetext', false)) {
    const records = async () => `SELECT filename AS file, 1::BIGINT AS line, content AS raw FROM ${from}`
    return { select: `SELECT ${columns('content')} FROM ${from}`, files, count: { kind: 'table' }, records }
  }
  const separator = options.text('lineSep')
  const mark = separator === undefined ? 'chr(10)' : quoteText(separator)
  const content =
    separator === undefined
      ? `CASE WHEN contains(content, chr(13)) THEN replace(replace(content, chr(13) || chr(10), chr(10)), chr(13), chr(10)) ELSE content END`
      : 'content'
  // what follows the last separator is a line only where it is not empty
  const lines =
    `SELECT * EXCLUDE (text), string_split(CASE WHEN suffix(text, ${mark}) THEN left(text, length(text) - length(${mark})) ELSE text END, ${mark}) AS lines` +
    ` FROM (SELECT *, ${content} AS text FROM ${from}) WHERE text <> ''`
  return {
    select: `SELECT ${columns('line')} FROM (SELECT *, unnest(lines) AS line FROM (${lines}))`,
    files,
    count: { kind: 'table' },
    records: async () =>
      `SELECT filename AS file, n AS line, raw FROM (SELECT filename, unnest(lines) AS raw, unnest(range(1, len(lines) + 1)) AS n FROM (${lines}))`,
  }
}
