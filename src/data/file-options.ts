import type { FileFormat } from './row-set.ts'

/** The names of options that say how files of a format are read, Spark's. What each means, and which values are taken, is the reader's business. */
export const readOptions: Readonly<Record<FileFormat, readonly string[]>> = {
  json: ['mode', 'columnNameOfCorruptRecord', 'dateFormat', 'timestampFormat', 'timestampNTZFormat', 'multiLine', 'lineSep', 'encoding', 'charset', 'compression', 'timeZone',
    'primitivesAsString', 'prefersDecimal', 'allowComments', 'allowUnquotedFieldNames', 'allowSingleQuotes', 'allowNumericLeadingZeros', 'allowNonNumericNumbers',
    'allowBackslashEscapingAnyCharacter', 'allowUnquotedControlChars', 'dropFieldIfAllNull', 'locale'],
  csv: ['mode', 'columnNameOfCorruptRecord', 'dateFormat', 'timestampFormat', 'timestampNTZFormat', 'multiLine', 'lineSep', 'encoding', 'charset', 'compression', 'timeZone',
    'sep', 'delimiter', 'quote', 'escape', 'comment', 'header', 'enforceSchema', 'ignoreLeadingWhiteSpace', 'ignoreTrailingWhiteSpace', 'nullValue', 'nanValue', 'positiveInf', 'negativeInf',
    'emptyValue', 'maxColumns', 'maxCharsPerColumn', 'unescapedQuoteHandling', 'charToEscapeQuoteEscaping', 'locale'],
  parquet: ['mergeSchema', 'datetimeRebaseMode', 'int96RebaseMode'],
  text: ['wholetext', 'lineSep', 'encoding', 'charset', 'compression'],
}

/** The same for writing. */
export const writeOptions: Readonly<Record<FileFormat, readonly string[]>> = {
  json: ['compression', 'dateFormat', 'timestampFormat', 'timestampNTZFormat', 'ignoreNullFields', 'lineSep', 'encoding', 'timeZone'],
  csv: ['compression', 'sep', 'delimiter', 'quote', 'escape', 'header', 'nullValue', 'emptyValue', 'quoteAll', 'escapeQuotes', 'dateFormat', 'timestampFormat', 'timestampNTZFormat',
    'lineSep', 'encoding', 'timeZone', 'ignoreLeadingWhiteSpace', 'ignoreTrailingWhiteSpace', 'charToEscapeQuoteEscaping'],
  parquet: ['compression', 'rowGroupSize', 'compressionLevel'],
  text: ['compression', 'lineSep'],
}
