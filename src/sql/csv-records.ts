/**
 * CSV as Spark's parser (univocity) reads it: a field that begins with a quote and has more text behind the closing one is taken as it
 * stands, quotes and all; an escape character escapes the quote and itself.
 */
import { type FormatOptions, invalidOption } from './options.ts'

export interface CsvDialect {
  readonly separator: string
  readonly quote: string
  readonly escape: string
  readonly comment: string
  readonly trimLeft: boolean
  readonly trimRight: boolean
  /** A field that is equal to it, or empty without quotes, is null. */
  readonly nullValue: string
  /** What `""` is. */
  readonly emptyValue: string
}

/** InvalidQueryError INVALID_OPTION_VALUE for marks that can't be told from each other, or are none. */
export function csvDialect(options: FormatOptions): CsvDialect {
  const name = options.text('sep') === undefined ? 'delimiter' : 'sep'
  const separator = (options.text(name) ?? ',').replaceAll('\\t', '\t')
  if (separator === '' || Buffer.byteLength(separator) > 4 || /[\r\n]/.test(separator))
    throw invalidOption(name, separator, 'give one to four bytes, without line breaks')
  const marks = {
    quote: options.character(['quote'], '"'),
    escape: options.character(['escape'], '\\'),
    comment: options.character(['comment'], ''),
  }
  for (const [mark, value] of Object.entries(marks))
    if (value !== '' && separator.includes(value))
      throw invalidOption(mark, value, `it stands in the separator ${JSON.stringify(separator)}: give another`)
  if (marks.comment !== '' && marks.comment === marks.quote) throw invalidOption('comment', marks.comment, 'it is the quote: give another')
  return {
    separator,
    ...marks,
    trimLeft: options.flag('ignoreLeadingWhiteSpace', false),
    trimRight: options.flag('ignoreTrailingWhiteSpace', false),
    nullValue: options.text('nullValue') ?? '',
    emptyValue: options.text('emptyValue') ?? '',
  }
}

export interface CsvRecord {
  readonly fields: (string | null)[]
  readonly raw: string
}

/** Parses one record from `start` on. Without `multiLine` the text is one line. Gives where the next record begins. */
export function parseCsvRecord(text: string, dialect: CsvDialect, start = 0): { readonly record: CsvRecord; readonly end: number } {
  const fields: (string | null)[] = []
  let at = start
  for (;;) {
    const field = parseField(text, at, dialect)
    fields.push(field.value)
    at = field.end
    if (!text.startsWith(dialect.separator, at)) break
    at += dialect.separator.length
  }
  return { record: { fields, raw: text.slice(start, at) }, end: endOfLine(text, at) }
}

/** Behind the line break at `at`. */
function endOfLine(text: string, at: number): number {
  if (text[at] === '\r' && text[at + 1] === '\n') return at + 2
  return Math.min(text.length, at + 1)
}

interface ParsedField {
  readonly value: string | null
  readonly end: number
}

function parseField(text: string, start: number, dialect: CsvDialect): ParsedField {
  let at = start
  if (dialect.trimLeft) while (text[at] === ' ' || text[at] === '\t') at++
  if (dialect.quote !== '' && text[at] === dialect.quote) return quoted(text, at, dialect)
  const end = plainEnd(text, at, dialect.separator)
  const value = dialect.trimRight ? text.slice(at, end).replace(/[ \t]+$/, '') : text.slice(at, end)
  return { value: value === '' || value === dialect.nullValue ? null : value, end }
}

/** Where a field without quotes ends. */
function plainEnd(text: string, at: number, separator: string): number {
  for (let i = at; i < text.length; i++) if (text[i] === '\n' || text[i] === '\r' || text.startsWith(separator, i)) return i
  return text.length
}

function quoted(text: string, open: number, { quote, escape, separator, nullValue, emptyValue }: CsvDialect): ParsedField {
  const given = (value: string) => (value === '' ? (emptyValue === nullValue ? null : emptyValue) : value === nullValue ? null : value)
  let value = ''
  for (let i = open + 1; i < text.length; i++) {
    const char = text[i]!
    const next = text[i + 1]
    if (char === escape && escape !== quote && (next === quote || next === escape)) {
      value += next
      i++
    } else if (char === quote && escape === quote && next === quote) {
      value += quote
      i++
    } else if (char === quote) {
      let end = i + 1
      while (text[end] === ' ' && separator !== ' ') end++
      if (end >= text.length || text[end] === '\n' || text[end] === '\r' || text.startsWith(separator, end))
        return { value: given(value), end }
      // more text behind the quote: the field is taken as it stands, up to the next separator
      const stop = plainEnd(text, i, separator)
      return { value: text.slice(open, stop), end: stop }
    } else value += char
  }
  return { value: given(value), end: text.length }
}
