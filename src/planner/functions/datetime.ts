/**
 * Dates, times and time windows. Timestamps are of UTC; what the clock on the wall shows comes through toLocal, and for a timestamp without a zone it
 * is the value itself.
 */
import { castSql, fieldSql } from '../cast-sql.ts'
import { formatTimeSql } from '../datetime-format-sql.ts'
import { parseTimeSql } from '../datetime-parse-sql.ts'
import { moveTime } from '../interval-arithmetic-sql.ts'
import { bind, floorDivide, orRaise, raise, sqlType, stringLiteral } from '../sql-text.ts'
import { fixedOffset, fromLocal, fromLocalOf, sessionTimeZone, toLocal, toLocalOf } from '../time-zone.ts'
import { type SqlArgument, type Template, type Templates, unsupported } from './template.ts'

/** What the clock shows. */
function clockOf(x: SqlArgument): string {
  return x.type === 'timestamp' ? toLocal(x.sql) : x.sql
}
const part =
  (sql: string): Template =>
  ([x]) =>
    `CAST(${sql.replaceAll('?', () => clockOf(x!))} AS INTEGER)`
const sinceEpoch =
  (unitUs: bigint): Template =>
  ([x]) =>
    unitUs === 1n ? `epoch_us(${x!.sql})` : floorDivide(`epoch_us(${x!.sql})`, unitUs)

// ---- units

const truncUnits: Readonly<Record<string, string>> = {
  year: 'year',
  yyyy: 'year',
  yy: 'year',
  quarter: 'quarter',
  month: 'month',
  mm: 'month',
  mon: 'month',
  week: 'week',
  day: 'day',
  dd: 'day',
  hour: 'hour',
  minute: 'minute',
  second: 'second',
  millisecond: 'millisecond',
  microsecond: 'microsecond',
}
/** A unit that nobody knows gives null, as in Spark. */
function truncated(unit: SqlArgument, units: readonly string[], cut: (unit: string) => string, none: string): string {
  if (typeof unit.literal === 'string') {
    const given = unit.literal.toLowerCase()
    return units.includes(given) ? cut(truncUnits[given]!) : none
  }
  return `CASE lower(${unit.sql}) ${units.map((name) => `WHEN '${name}' THEN ${cut(truncUnits[name]!)}`).join(' ')} ELSE ${none} END`
}
/** Days and longer go by the calendar; below, the part of the hour (minute, …) that the clock shows is taken off, so that an hour which comes twice stays itself. */
const dateTrunc: Template = ([unit, x], type) => {
  const local = toLocal(x!.sql)
  const cut = (name: string) => {
    if (name === 'microsecond') return x!.sql
    const start = `date_trunc('${name}', ${local})`
    if (local === x!.sql) return start
    const isShort = ['hour', 'minute', 'second', 'millisecond'].includes(name)
    return isShort ? `make_timestamp(epoch_us(${x!.sql}) - (epoch_us(${local}) - epoch_us(${start})))` : fromLocal(start)
  }
  return truncated(unit!, Object.keys(truncUnits), cut, `CAST(NULL AS ${sqlType(type)})`)
}
const dateUnits = ['year', 'yyyy', 'yy', 'quarter', 'month', 'mm', 'mon', 'week']
const trunc: Template = ([x, unit]) =>
  truncated(unit!, dateUnits, (name) => `CAST(date_trunc('${name}', ${x!.sql}) AS DATE)`, 'CAST(NULL AS DATE)')

// ---- text

function patternOf(format: SqlArgument): string | null {
  if (format.literal === null) return null
  if (typeof format.literal === 'string') return format.literal
  throw unsupported('a date pattern that is no literal', 'give the pattern as a literal')
}
/** A text by its pattern, as a TIMESTAMP. */
function parsed(x: SqlArgument, format: SqlArgument, local: boolean, mode: 'ansi' | 'try'): string {
  const pattern = patternOf(format)
  if (pattern === null) return 'CAST(NULL AS TIMESTAMP)'
  const value = parseTimeSql(x.sql, pattern, local)
  if (mode === 'try') return value
  return orRaise(
    value,
    x.sql,
    raise('CANNOT_PARSE_TIMESTAMP', `Text '{}' could not be parsed with the pattern ${pattern.replaceAll('{}', '')}.`, x.sql),
  )
}
const toTime =
  (mode: 'ansi' | 'try' = 'ansi'): Template =>
  ([x, format], type) => {
    if (format === undefined || x!.type !== 'string') return castSql(x!.sql, x!.type, type, mode)
    const value = parsed(x!, format, type !== 'timestamp', mode)
    return type === 'date' ? `CAST(${value} AS DATE)` : value
  }
/** Unlike unix_seconds this cuts off towards 1970. */
const unixTimestamp: Template = ([x, format]) => {
  const time =
    x!.type === 'string'
      ? parsed(x!, format ?? { sql: '', type: 'string', nullable: false, literal: 'yyyy-MM-dd HH:mm:ss' }, false, 'ansi')
      : castSql(x!.sql, x!.type, 'timestamp', 'ansi')
  return `(epoch_us(${time}) // 1000000)`
}
const dateFormat: Template = ([x, format]) => {
  const pattern = patternOf(format!)
  return pattern === null ? 'CAST(NULL AS VARCHAR)' : formatTimeSql(x!.sql, pattern)
}
const fromUnixTime: Template = ([x, format]) => {
  const pattern = patternOf(format!)
  return pattern === null ? 'CAST(NULL AS VARCHAR)' : formatTimeSql(timeOfUs(x!.sql, 1_000_000), pattern)
}
const name = (names: readonly string[], index: string) => `CAST([${names.map((each) => `'${each}'`).join(', ')}][${index}] AS VARCHAR)`

// ---- times of numbers

/** Of a whole number, `factor` microseconds each. */
function timeOfUs(input: string, factor: number): string {
  const outside = raise('ARITHMETIC_OVERFLOW', 'The number {} is outside of the range of timestamps.', `CAST(${input} AS VARCHAR)`)
  const most = (2n ** 63n - 1n) / BigInt(factor)
  // a third of the time, but it computes the number twice
  if (/^\w+\.\w+$/.test(input))
    return `make_timestamp(CASE WHEN ${input} BETWEEN ${-most} AND ${most} THEN CAST(${input} AS BIGINT) * ${factor} WHEN ${input} IS NOT NULL THEN ${outside} END)`
  return `make_timestamp(${orRaise(`TRY_CAST(CAST(${input} AS HUGEINT) * ${factor} AS BIGINT)`, input, outside)})`
}
const fromUnix =
  (perSecond: number): Template =>
  ([x]) => {
    if (perSecond === 1_000_000) return `make_timestamp(CAST(${x!.sql} AS BIGINT))`
    if (perSecond === 1000) return timeOfUs(x!.sql, 1000)
    if (x!.type === 'long') return timeOfUs(x!.sql, 1_000_000)
    // what is no finite number is null here, and an error of the cast
    if (x!.type === 'double' || x!.type === 'float')
      return `CASE WHEN isfinite(${x!.sql}) THEN ${castSql(x!.sql, x!.type, 'timestamp', 'ansi')} END`
    if (typeof x!.type === 'string' || x!.type.kind !== 'decimal' || x!.type.scale <= 6)
      return castSql(x!.sql, x!.type, 'timestamp', 'ansi')
    const fine = raise('ARITHMETIC_OVERFLOW', 'Rounding necessary: {} has digits below a microsecond.', `CAST(${x!.sql} AS VARCHAR)`)
    return `CASE WHEN ${x!.sql} <> trunc(${x!.sql}, 6) THEN ${fine} ELSE ${castSql(x!.sql, x!.type, 'timestamp', 'ansi')} END`
  }

const outOfBounds = raise(
  'DATETIME_FIELD_OUT_OF_BOUNDS.WITH_SUGGESTION',
  'A field of the date or time is out of its bounds, or the month has no such day.',
)
const known = (args: readonly SqlArgument[]) => args.map((arg) => `${arg.sql} IS NOT NULL`).join(' AND ')

const makeDate: Template = (args) => {
  const [y, m, d] = args.map((arg) => arg.sql)
  return `CASE WHEN ${known(args)} THEN coalesce(TRY_CAST(${y} || '-' || ${m} || '-' || ${d} AS DATE), ${outOfBounds}) END`
}
/** 60 seconds are the next minute, but only without a fraction. */
const makeTimestamp =
  (mode: 'ansi' | 'try'): Template =>
  (args, type) => {
    const [y, m, d, h, mi, s, zone] = args.map((arg) => arg.sql)
    const date = `TRY_CAST(${y} || '-' || ${m} || '-' || ${d} AS DATE)`
    const time = `make_timestamp(epoch_us(CAST(${date} AS TIMESTAMP)) + CAST(${h} AS BIGINT) * 3600000000 + CAST(${mi} AS BIGINT) * 60000000 + CAST(${s} * 1000000 AS BIGINT))`
    const instant = type === 'timestamp_ntz' ? time : zone === undefined ? fromLocal(time) : zoned(time, args[6]!, fromLocal, fromLocalOf)
    const fits = `${date} IS NOT NULL AND ${h} BETWEEN 0 AND 23 AND ${mi} BETWEEN 0 AND 59 AND ${s} BETWEEN 0 AND 60`
    const fraction = raise(
      'INVALID_FRACTION_OF_SECOND',
      'Valid range for seconds is [0, 60] (inclusive), but the provided value is {}.',
      `CAST(${s} AS VARCHAR)`,
    )
    const [wrong, wrongFraction] = mode === 'try' ? ['NULL', 'NULL'] : [outOfBounds, fraction]
    return `CASE WHEN NOT (${known(args)}) THEN NULL WHEN ${s} > 60 AND ${s} < 61 THEN ${wrongFraction} WHEN ${fits} THEN ${instant} ELSE ${wrong} END`
  }

// ---- zones

/** A time through a zone that may be a constant. */
function zoned(
  time: string,
  zone: SqlArgument,
  by: (time: string, zone: string) => string,
  byColumn: (time: string, zone: string) => string,
): string {
  return typeof zone.literal === 'string' && isKnown(zone.literal) ? by(time, zone.literal) : byColumn(time, zone.sql)
}
/** Others fail when a row reaches them, as in Spark. */
function isKnown(zone: string): boolean {
  if (fixedOffset(zone) !== undefined) return true
  return /^[A-Z]/i.test(zone) && !/^(?:UTC|GMT|UT)[+-]/.test(zone)
}
const convertTimezone: Template = ([from, to, x]) => {
  const instant = zoned(x!.sql, from!, fromLocal, fromLocalOf)
  return zoned(instant, to!, toLocal, toLocalOf)
}

// ---- months

/** By 31 days a month, as Spark and Hive count: whole where the days of the month agree, or both are the last of theirs. */
const monthsBetween: Template = ([a, b, round]) => {
  const [x, y] = [toLocal(a!.sql), toLocal(b!.sql)]
  const months = `((year(v.x) - year(v.y)) * 12 + month(v.x) - month(v.y))`
  const isLast = (v: string) => `CAST(${v} AS DATE) = last_day(${v})`
  const seconds = (v: string) => `(day(${v}) * 86400 + ((epoch_us(${v}) % 86400000000 + 86400000000) % 86400000000) // 1000000)`
  const exact = `(${months} + (${seconds('v.x')} - ${seconds('v.y')}) / 2678400e0)`
  const rounded = `CASE WHEN ${round!.sql} THEN round(${exact} * 100000000) / 100000000 ELSE ${exact} END`
  return bind(
    `struct_pack(x := ${x}, y := ${y})`,
    'v',
    `CASE WHEN day(v.x) = day(v.y) OR (${isLast('v.x')} AND ${isLast('v.y')}) THEN CAST(${months} AS DOUBLE) ELSE ${rounded} END`,
  )
}

const dayPrefixes = ['mo', 'tu', 'we', 'th', 'fr', 'sa', 'su']
const nextDay: Template = ([x, day]) => {
  const lower = `lower(trim(${day!.sql}))`
  const spelt = dayPrefixes.map((prefix, i) => {
    const whole = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'][i]!
    return `WHEN ${lower} IN ('${prefix}', '${whole.slice(0, 3)}', '${whole}') THEN ${i + 1}`
  })
  const illegal = raise('ILLEGAL_DAY_OF_WEEK', 'Illegal input for day of week: {}.', day!.sql)
  const wanted = `CASE ${spelt.join(' ')} WHEN ${day!.sql} IS NOT NULL AND ${x!.sql} IS NOT NULL THEN ${illegal} END`
  return `(${x!.sql} + CAST((${wanted} - isodow(${x!.sql}) + 6) % 7 + 1 AS INTEGER))`
}

// ---- moving by units

const unitMonths: Readonly<Record<string, number>> = { year: 12, quarter: 3, month: 1 }
const unitDays: Readonly<Record<string, number>> = { week: 7, day: 1, dayofyear: 1 }
const unitUs: Readonly<Record<string, bigint>> = {
  hour: 3_600_000_000n,
  minute: 60_000_000n,
  second: 1_000_000n,
  millisecond: 1000n,
  microsecond: 1n,
}
/** Hours and less are of fixed length; days and months are those of the calendar. */
const timestampAdd: Template = ([unit, n, x], type) => {
  const name = String(unit!.literal)
  const us = unitUs[name]
  if (us !== undefined) return `make_timestamp(CAST(epoch_us(${x!.sql}) + CAST(${n!.sql} AS HUGEINT) * ${us} AS BIGINT))`
  const months = unitMonths[name]
  if (months !== undefined) return moveTime(x!.sql, type, `CAST(${n!.sql} * ${months} AS INTEGER)`, 'interval year to month')
  const days = BigInt(unitDays[name]!) * 86_400_000_000n
  return moveTime(x!.sql, type, `CAST(CAST(${n!.sql} AS HUGEINT) * ${days} AS BIGINT)`, 'interval day to second')
}

/** Whole units, towards zero. */
const timestampDiff: Template = ([unit, start, end]) => {
  const name = String(unit!.literal)
  const [a, b] = [clockOf(start!), clockOf(end!)]
  const us = unitUs[name]
  if (us !== undefined) return `((epoch_us(${b}) - epoch_us(${a})) // ${us})`
  const days = unitDays[name]
  if (days !== undefined) return `((epoch_us(${b}) - epoch_us(${a})) // ${BigInt(days) * 86_400_000_000n})`
  const months = `((year(v.b) - year(v.a)) * 12 + month(v.b) - month(v.a))`
  const ofMonth = (v: string) => `(day(${v}) * 86400000000 + (epoch_us(${v}) % 86400000000 + 86400000000) % 86400000000)`
  const whole =
    `(${months} - CASE WHEN ${months} > 0 AND ${ofMonth('v.b')} < ${ofMonth('v.a')} THEN 1 ` +
    `WHEN ${months} < 0 AND ${ofMonth('v.b')} > ${ofMonth('v.a')} THEN -1 ELSE 0 END)`
  return bind(`struct_pack(a := ${a}, b := ${b})`, 'v', `CAST(${whole} // ${unitMonths[name]} AS BIGINT)`)
}

const fieldUs: Readonly<Record<string, readonly [bigint, bigint]>> = {
  day: [86_400_000_000n, 0n],
  hour: [3_600_000_000n, 24n],
  minute: [60_000_000n, 60n],
}
const intervalPart: Template = ([field, x], type) => {
  const name = String(field!.literal)
  if (name === 'second') return `CAST(CAST(${x!.sql} % 60000000 AS DECIMAL(19,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS ${sqlType(type)})`
  if (name === 'year' || name === 'month') return `CAST(${x!.sql} ${name === 'year' ? '//' : '%'} 12 AS ${sqlType(type)})`
  const [size, most] = fieldUs[name]!
  return `CAST(${x!.sql} // ${size}${most === 0n ? '' : ` % ${most}`} AS ${sqlType(type)})`
}
const secondWithFraction: Template = ([x]) =>
  `CAST(CAST(((epoch_us(${x!.sql}) % 60000000) + 60000000) % 60000000 AS DECIMAL(19,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(8,6))`

export const datetime: Templates = {
  year: part('year(?)'),
  month: part('month(?)'),
  day: part('day(?)'),
  quarter: part('quarter(?)'),
  dayofweek: part('dayofweek(?) + 1'),
  weekday: part('isodow(?) - 1'),
  iso_day_of_week: part('isodow(?)'),
  dayofyear: part('dayofyear(?)'),
  weekofyear: part('week(?)'),
  year_of_week: part('isoyear(?)'),
  hour: part('hour(?)'),
  minute: part('minute(?)'),
  second: part('second(?)'),
  second_with_fraction: secondWithFraction,
  interval_part: intervalPart,
  dayname: ([x]) => name(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'], `isodow(${x!.sql})`),
  monthname: ([x]) => name(['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'], `month(${x!.sql})`),
  date_trunc: dateTrunc,
  trunc,
  to_date: toTime(),
  to_timestamp: toTime(),
  to_timestamp_ltz: toTime(),
  to_timestamp_ntz: toTime(),
  try_to_timestamp: toTime('try'),
  try_to_date: toTime('try'),
  date_format: dateFormat,
  from_unixtime: fromUnixTime,
  unix_timestamp: unixTimestamp,
  to_unix_timestamp: unixTimestamp,
  unix_date: ([x]) => `CAST(${x!.sql} - DATE '1970-01-01' AS INTEGER)`,
  unix_seconds: sinceEpoch(1_000_000n),
  unix_millis: sinceEpoch(1000n),
  unix_micros: sinceEpoch(1n),
  timestamp_seconds: fromUnix(1),
  timestamp_millis: fromUnix(1000),
  timestamp_micros: fromUnix(1_000_000),
  date_from_unix_date: ([x]) => `(DATE '1970-01-01' + ${x!.sql})`,
  make_date: makeDate,
  make_timestamp: makeTimestamp('ansi'),
  make_timestamp_ltz: makeTimestamp('ansi'),
  make_timestamp_ntz: makeTimestamp('ansi'),
  try_make_timestamp: makeTimestamp('try'),
  try_make_timestamp_ltz: makeTimestamp('try'),
  try_make_timestamp_ntz: makeTimestamp('try'),
  date_add: ([d, n]) => `(${d!.sql} + ${n!.sql})`,
  date_sub: ([d, n]) => `(${d!.sql} - ${n!.sql})`,
  datediff: ([end, start]) => `CAST(${end!.sql} - ${start!.sql} AS INTEGER)`,
  last_day: ([x]) => `last_day(${x!.sql})`,
  next_day: nextDay,
  months_between: monthsBetween,
  timestampadd: timestampAdd,
  timestampdiff: timestampDiff,
  current_timestamp: () => '⟦batch_timestamp⟧',
  current_date: () => `CAST(${toLocal('⟦batch_timestamp⟧')} AS DATE)`,
  localtimestamp: () => toLocal('⟦batch_timestamp⟧'),
  current_timezone: () => stringLiteral(sessionTimeZone()),
  from_utc_timestamp: ([x, zone]) => zoned(x!.sql, zone!, toLocal, toLocalOf),
  to_utc_timestamp: ([x, zone]) => zoned(x!.sql, zone!, fromLocal, fromLocalOf),
  convert_timezone: convertTimezone,
  window_time: ([w]) => `make_timestamp(epoch_us(${fieldSql(w!.sql, 'end')}) - 1)`,
}
