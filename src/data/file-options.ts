import { InvalidQueryError } from '../base/errors.ts'
import { isGlob } from '../base/glob.ts'
import { absolutePath } from './file-uri.ts'
import type { FileFormat } from './row-set.ts'
import { Schema } from './schema.ts'

/** What is read: the formats that are written, and whole files as values. */
export type ReadFormat = FileFormat | 'binaryfile'

/** The columns of `binaryFile`: a row a file. */
export const binaryFileSchema = new Schema([
  { name: 'path', type: 'string', nullable: true },
  { name: 'modificationTime', type: 'timestamp', nullable: true },
  { name: 'length', type: 'long', nullable: true },
  { name: 'content', type: 'binary', nullable: true },
])

const times = ['dateFormat', 'timestampFormat', 'timestampNTZFormat', 'timeZone', 'locale']
const parsing = ['mode', 'columnNameOfCorruptRecord', 'multiLine', 'lineSep', 'encoding', 'charset', 'compression', ...times]
/** How unreadable files are treated, in every format. */
const tolerance = ['ignoreMissingFiles', 'ignoreCorruptFiles']

/** The options, under Spark's names, that say how files of a format are read, and that the SQL room heeds. Others are refused: one that is
 *  silently without effect would give other rows than Spark does. */
export const readOptions: Readonly<Record<ReadFormat, readonly string[]>> = {
  json: [
    ...parsing,
    ...tolerance,
    'allowComments',
    'allowUnquotedFieldNames',
    'allowSingleQuotes',
    'allowNumericLeadingZeros',
    'allowNonNumericNumbers',
    'allowBackslashEscapingAnyCharacter',
    'allowUnquotedControlChars',
    'primitivesAsString',
  ],
  csv: [
    ...parsing,
    ...tolerance,
    'sep',
    'delimiter',
    'quote',
    'escape',
    'comment',
    'header',
    'enforceSchema',
    'ignoreLeadingWhiteSpace',
    'ignoreTrailingWhiteSpace',
    'nullValue',
    'emptyValue',
    'nanValue',
    'positiveInf',
    'negativeInf',
    'inferSchema',
  ],
  parquet: [...tolerance, 'mergeSchema'],
  text: ['wholetext', 'lineSep', 'encoding', 'charset', 'compression', ...tolerance],
  binaryfile: [...tolerance],
}

/** Options that say which files a bounded table has. */
export const tableOptions = ['path', 'basePath', 'recursiveFileLookup', 'pathGlobFilter', 'modifiedBefore', 'modifiedAfter'] as const

/** Options of Spark that can't be heeded, and why: a name that is known deserves a better answer than "unknown". */
export const refusedReadOptions: Readonly<Record<string, string>> = {
  prefersDecimal: 'numbers with a fraction are inferred as double; give the schema with t.decimal(…) instead',
  dropFieldIfAllNull: 'it changes the schema with the data; give the schema',
  samplingRatio: 'a schema is inferred from every record; give the schema where that takes too long',
  inferTimestamp: 'text in JSON is inferred as string; give the schema with t.timestamp()',
  preferDate: 'give the schema with t.date()',
  enableDateTimeParsingFallback: 'there is one parser of times, that of Spark 3 and later',
  allowUnquotedControlCharsInFieldNames: 'names of fields are JSON strings',
  maxCharsPerColumn: 'a field is limited by the length of a record only',
  maxColumns: 'the schema says how many columns there are',
  charToEscapeQuoteEscaping: 'the escape character escapes itself',
  unescapedQuoteHandling: 'only STOP_AT_DELIMITER, which is the default of Spark, is done',
  quoteAll: 'it is an option for writing',
  singleVariantColumn: 'there is no variant type; read the record as text',
  useUnsafeRow: 'it says how Spark holds rows',
  datetimeRebaseMode: 'dates before 1582 are read as they are written (CORRECTED)',
  int96RebaseMode: 'dates before 1582 are read as they are written (CORRECTED)',
  wholeFile: 'its name is multiLine',
}

const imported = (name: string) => `import it first: import 'millrace/${name}'`
const writtenOnly = (name: string) => `it is for writing only; ${imported(name)}`

/** Formats that are not there, of Spark or of a subpath that was not imported, and what to do. */
export const refusedFormats: Readonly<Record<string, string>> = {
  kafka: imported('kafka'),
  delta: imported('delta'),
  postgres: imported('postgres'),
  postgresql: imported('postgres'),
  mysql: imported('mysql'),
  mariadb: imported('mysql'),
  sqlite: imported('sqlite'),
  jdbc: "import the server first: import 'millrace/postgres', 'millrace/mysql' or 'millrace/sqlite'",
  redis: writtenOnly('redis'),
  elasticsearch: writtenOnly('elasticsearch'),
  opensearch: writtenOnly('elasticsearch'),
  orc: 'write the data as Parquet, which holds the same types: spark.read.orc(…).write.parquet(…)',
  avro: 'write the data as Parquet or JSON: spark.read.format("avro").load(…).write.parquet(…)',
  xml: 'convert the documents to JSON first, a record a line, or read them whole with format("text") and option("wholetext", true)',
}

/** The same for writing. */
export const writeOptions: Readonly<Record<FileFormat, readonly string[]>> = {
  json: ['compression', 'ignoreNullFields'],
  csv: [
    'compression',
    'sep',
    'delimiter',
    'quote',
    'escape',
    'header',
    'nullValue',
    'quoteAll',
    'ignoreLeadingWhiteSpace',
    'ignoreTrailingWhiteSpace',
  ],
  parquet: ['compression', 'compressionLevel', 'rowGroupSize'],
  text: ['compression'],
}

/** Options of Spark for writing that can't be heeded, and why. */
export const refusedWriteOptions: Readonly<Record<string, string>> = {
  'parquet.block.size': 'a row group is bounded by its rows: set rowGroupSize (default 122880)',
  'parquet.page.size': 'pages follow the row groups: set rowGroupSize',
  dateFormat: 'format the column before: date_format(column, pattern)',
  timestampFormat: 'format the column before: date_format(column, pattern)',
  timestampNTZFormat: 'format the column before: date_format(column, pattern)',
  timeZone: 'times are written in UTC; format the column before for another zone',
  encoding: 'text is written as UTF-8',
  charset: 'text is written as UTF-8',
  lineSep: 'lines end with a newline',
  emptyValue: 'an empty string is written as "", which every reader tells from null',
  escapeQuotes: 'quotes inside of values are always escaped',
  charToEscapeQuoteEscaping: 'the escape character escapes itself',
  pretty: 'a record is a line',
}

/** The folder of the option basePath, below which folders `name=value` are columns; undefined without one. InvalidQueryError unless all paths lie in it. */
export function basePathOf(options: Readonly<Record<string, string>>, paths: readonly string[]): string | undefined {
  const given = Object.entries(options).find(([name]) => name.toLowerCase() === 'basepath')?.[1]
  if (given === undefined) return undefined
  const base = absolutePath(given)
  const outside = paths.map(absolutePath).find((path) => path !== base && !path.startsWith(base.endsWith('/') ? base : `${base}/`))
  if (given !== '' && !isGlob(base) && outside === undefined) return base
  throw new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `basePath = ${JSON.stringify(given)} is not a folder${outside === undefined ? '' : ` around ${outside}`}`,
    todo: 'give the folder in which the partitions begin, above every path that is read',
  })
}
