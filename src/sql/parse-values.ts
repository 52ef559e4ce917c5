/** Text out of JSON and CSV files -> values, by the rules of Spark's parsers. Every expression gives NULL for text that is no such value. */
import { decimalFromTextSql } from '../data/decimal-from-text.ts'
import { intervalFromTextSql, isInterval } from '../data/intervals.ts'
import type { DataType } from '../data/types.ts'
import { duckType } from './duck-types.ts'
import { type FormatOptions, invalidOption, timePatterns } from './options.ts'
import { quoteText } from './sql-text.ts'

/** How a format writes times, where its options say so. */
export interface TimeFormats {
  readonly date: readonly string[] | null
  readonly timestamp: readonly string[] | null
  readonly timestampNtz: readonly string[] | null
  readonly numbers: NumberWords
}
/** How CSV writes numbers that are none. */
export interface NumberWords {
  readonly nan: string
  readonly positiveInf: string
  readonly negativeInf: string
}
export function timeFormats(options: FormatOptions): TimeFormats {
  const patterns = (name: string) => {
    const pattern = options.text(name)
    return pattern === undefined ? null : timePatterns(name, pattern)
  }
  const locale = options.text('locale')
  if (locale !== undefined && !/^en([-_]us)?$/i.test(locale))
    throw invalidOption('locale', locale, 'only en-US is known: read the column as a string')
  const numbers = {
    nan: options.text('nanValue') ?? 'NaN',
    positiveInf: options.text('positiveInf') ?? 'Inf',
    negativeInf: options.text('negativeInf') ?? '-Inf',
  }
  if (![undefined, '+00:00'].includes(options.zoneOffset()))
    throw invalidOption(
      'timeZone',
      options.text('timeZone')!,
      'times without a zone are UTC: write the zone into them, or shift the column',
    )
  return {
    date: patterns('dateFormat'),
    timestamp: patterns('timestampFormat'),
    timestampNtz: patterns('timestampNTZFormat'),
    numbers,
  }
}

/** Any ISO 8601 form with or without a zone (UTC where there is none), to microseconds. */
export function parseTimestamp(text: string, formats: readonly string[] | null): string {
  if (formats !== null) return `make_timestamp(epoch_us(try_strptime(${text}, ${formatList(formats)})))`
  const zoned = `coalesce(try_cast(${text} AS TIMESTAMPTZ), ${rareTimestamp(text)})`
  // infinity has no microseconds, and so becomes NULL
  return `make_timestamp(coalesce(epoch_us(${usualTimestamp(text)}), epoch_us(${timestampWithoutOffset(text)}), epoch_us(${zoned})))`
}

/**
 * The cast to TIMESTAMP_NS reads a text three times as fast as the one to TIMESTAMPTZ, which goes through a calendar, and reads it alike, offsets too: where
 * its type has the time, and where that is after 1970, as parts of a microsecond before it are rounded the other way. Texts are compared as such: the year
 * 20 or 20000 gets through, and fails the cast, which TRY makes a NULL.
 */
function usualTimestamp(text: string): string {
  return `CASE WHEN ${text} >= '1971' AND ${text} < '2262' THEN TRY(try_cast(${text} AS TIMESTAMP_NS)) END`
}

/**
 * The cast to TIMESTAMP has all times, and passes over an offset. The sign of an offset stands at the tenth letter at the earliest (1-1-1 1:1+01). A text
 * without one must not go to TIMESTAMPTZ, which reads it in the zone that an earlier text of the same vector has named.
 */
function timestampWithoutOffset(text: string): string {
  return `CASE WHEN NOT contains(${text}, '+') AND NOT contains(substring(${text}, 9), '-') THEN try_cast(${text} AS TIMESTAMP) END`
}

/** Forms that Spark reads and DuckDB's cast does not: `2001`, `2001-02`, no seconds, seconds since 1970 (a number in JSON). Only looked
 *  at where the cast gave nothing. */
function rareTimestamp(text: string): string {
  return (
    `CASE WHEN regexp_full_match(${text}, '-?[0-9]{7,12}') THEN make_timestamptz(${text}::BIGINT * 1000000)` +
    ` WHEN regexp_full_match(${text}, '[0-9]{4}') THEN try_cast(${text} || '-01-01' AS TIMESTAMPTZ)` +
    ` WHEN regexp_full_match(${text}, '[0-9]{4}-[0-9]{1,2}') THEN try_cast(${text} || '-01' AS TIMESTAMPTZ)` +
    ` WHEN ${text} IS NOT NULL THEN try_cast(regexp_replace(trim(${text}), '^([0-9-]+[T ][0-9]{1,2}:[0-9]{1,2})(Z|[+-].*)?$', '\\1:00\\2') AS TIMESTAMPTZ) END`
  )
}

export function parseTimestampNtz(text: string, formats: readonly string[] | null): string {
  if (formats !== null) return `try_strptime(${text}, ${formatList(formats)})::TIMESTAMP`
  return `try_cast(${text} AS TIMESTAMP)`
}
export function parseDate(text: string, formats: readonly string[] | null): string {
  return formats === null ? `try_cast(${text} AS DATE)` : `try_strptime(${text}, ${formatList(formats)})::DATE`
}
function formatList(formats: readonly string[]): string {
  return `[${formats.map(quoteText).join(', ')}]`
}

/** A CSV field. DuckDB's own casts round fractions, trim blanks and know more spellings than Spark does. */
export function parseField(text: string, type: DataType, formats: TimeFormats): string {
  if (isInterval(type)) return intervalFromTextSql(text, type)
  if (typeof type !== 'string' && type.kind === 'decimal') return decimalFromTextSql(text, type)
  switch (type) {
    case 'string':
      return text
    case 'void':
      return 'NULL'
    case 'boolean':
      return `CASE lower(${text}) WHEN 'true' THEN true WHEN 'false' THEN false END`
    case 'byte':
    case 'short':
    case 'int':
    case 'long':
      return `CASE WHEN ltrim(${text}, '+-0123456789') = '' THEN try_cast(${text} AS ${duckType(type)}) END`
    case 'timestamp':
      return parseTimestamp(text, formats.timestamp)
    case 'timestamp_ntz':
      return parseTimestampNtz(text, formats.timestampNtz)
    case 'date':
      return parseDate(text, formats.date)
    case 'binary':
      return `encode(${text})`
    case 'float':
    case 'double':
      return parseFloatingPoint(text, type, formats.numbers)
    default:
      return `try_cast(${text} AS ${duckType(type)})`
  }
}

/** Words for NaN and the infinities are the options' and Java's; DuckDB knows more of them. All have an n, and no number has one. */
function parseFloatingPoint(text: string, type: 'float' | 'double', words: NumberWords): string {
  const literal = (word: string) => `'${word}'::${duckType(type)}`
  const cases = [
    `WHEN ${text} = ${quoteText(words.nan)} THEN ${literal('nan')}`,
    `WHEN ${text} IN (${quoteText(words.positiveInf)}, 'Infinity', '+Infinity') THEN ${literal('inf')}`,
    `WHEN ${text} IN (${quoteText(words.negativeInf)}, '-Infinity') THEN ${literal('-inf')}`,
    `WHEN ${text} = 'NaN' THEN ${literal('nan')}`,
  ]
  const known = [words.nan, words.positiveInf, words.negativeInf]
  const usual = known.every((word) => /n/i.test(word))
    ? `WHEN NOT contains(lower(${text}), 'n') THEN try_cast(${text} AS ${duckType(type)}) `
    : ''
  return `CASE ${usual}${cases.join(' ')} WHEN contains(lower(${text}), 'n') THEN NULL ELSE try_cast(${text} AS ${duckType(type)}) END`
}

/** `value`, parsed from `text`; text without a value stops the statement, and the files are read another way. */
export function guarded(value: string, text: string, type: DataType, name: string): string {
  if (type === 'string' || type === 'void') return value
  const message = `'[MALFORMED_RECORD_IN_PARSING] column ' || ${quoteText(name)} || ' is ' || ${text} || ', which is no ' || ${quoteText(typeof type === 'string' ? type : type.kind)}`
  return `CASE WHEN ${text} IS NOT NULL AND ${value} IS NULL THEN error(${message}) ELSE ${value} END`
}
