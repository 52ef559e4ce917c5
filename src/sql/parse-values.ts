/** Text out of JSON and CSV files -> values, by the rules of Spark's parsers. Every expression gives NULL for text that is no such value. */
import { intervalFromTextSql, isInterval } from '../data/intervals.ts'
import type { DataType } from '../data/types.ts'
import { duckType } from './duck-types.ts'
import { type FormatOptions, type ParseMode, timePatterns } from './options.ts'
import { quoteText } from './sql-text.ts'

/** How a format writes times, where its options say so. */
export interface TimeFormats {
  readonly date: readonly string[] | null
  readonly timestamp: readonly string[] | null
  readonly timestampNtz: readonly string[] | null
}
export function timeFormats(options: FormatOptions): TimeFormats {
  const patterns = (name: string) => {
    const pattern = options.text(name)
    return pattern === undefined ? null : timePatterns(name, pattern)
  }
  return { date: patterns('dateFormat'), timestamp: patterns('timestampFormat'), timestampNtz: patterns('timestampNTZFormat') }
}

/** Any ISO 8601 form with or without a zone (UTC where there is none), to microseconds. */
export function parseTimestamp(text: string, formats: readonly string[] | null): string {
  if (formats !== null) return `make_timestamp(epoch_us(try_strptime(${text}, ${formatList(formats)})))`
  return `make_timestamp(epoch_us(coalesce(try_cast(${text} AS TIMESTAMPTZ), ${rareTimestamp(text)})))`
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
    default:
      return `try_cast(${text} AS ${duckType(type)})`
  }
}

/** `value`, parsed from `text`; under FAILFAST text without a value stops the query. */
export function guarded(value: string, text: string, type: DataType, name: string, mode: ParseMode): string {
  if (mode !== 'FAILFAST' || type === 'string' || type === 'binary') return value
  const message = `'[MALFORMED_RECORD_IN_PARSING] column ' || ${quoteText(name)} || ' is ' || ${text} || ', which is no ' || ${quoteText(typeof type === 'string' ? type : type.kind)}`
  return `CASE WHEN ${text} IS NOT NULL AND ${value} IS NULL THEN error(${message}) ELSE ${value} END`
}
