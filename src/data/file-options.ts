import type { FileFormat } from './row-set.ts'

const times = ['dateFormat', 'timestampFormat', 'timestampNTZFormat']
const parsing = ['mode', 'columnNameOfCorruptRecord', 'multiLine', 'compression', ...times]

/** The options, under Spark's names, that say how files of a format are read, and that the SQL room heeds. Others are refused: one that is
 *  silently without effect would give other rows than Spark does. */
export const readOptions: Readonly<Record<FileFormat, readonly string[]>> = {
  json: parsing,
  csv: [
    ...parsing,
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
  ],
  parquet: [],
  text: ['wholetext', 'lineSep', 'compression'],
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
  parquet: ['compression'],
  text: ['compression'],
}
