/** Dates, times and time windows. */
import { castSql, fieldSql } from '../cast-sql.ts'
import { datetimePattern } from '../datetime-pattern.ts'
import { floorDivide, orRaise, raise, sqlType, stringLiteral } from '../sql-text.ts'
import { type SqlArgument, type Template, type Templates, unsupported } from './template.ts'

const part =
  (sql: string): Template =>
  ([x]) =>
    `CAST(${sql.replace('?', x!.sql)} AS INTEGER)`
const sinceEpoch =
  (unitUs: bigint): Template =>
  ([x]) =>
    unitUs === 1n ? `epoch_us(${x!.sql})` : floorDivide(`epoch_us(${x!.sql})`, unitUs)

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
const dateTrunc: Template = ([unit, x], type) => {
  const cut = (name: string) => (name === 'microsecond' ? x!.sql : `date_trunc('${name}', ${x!.sql})`)
  if (typeof unit!.literal === 'string') {
    const known = truncUnits[unit!.literal.toLowerCase()]
    return known === undefined ? `CAST(NULL AS ${sqlType(type)})` : cut(known)
  }
  return `CASE lower(${unit!.sql}) ${Object.entries(truncUnits)
    .map(([name, known]) => `WHEN '${name}' THEN ${cut(known)}`)
    .join(' ')} END`
}

/** A text by its pattern, as a TIMESTAMP. */
function parseTime(x: SqlArgument, format: SqlArgument): string {
  if (typeof format.literal !== 'string') throw unsupported('a date pattern that is no literal', 'give the pattern as a literal')
  const parsed = `try_strptime(${x.sql}, ${stringLiteral(datetimePattern(format.literal))})`
  return orRaise(parsed, x.sql, raise('CANNOT_PARSE_TIMESTAMP', `Text '{}' could not be parsed with the pattern ${format.literal}.`, x.sql))
}
const toTime: Template = ([x, format], type) => {
  if (format === undefined || x!.type !== 'string') return castSql(x!.sql, x!.type, type, 'ansi')
  const parsed = parseTime(x!, format)
  return type === 'date' ? `CAST(${parsed} AS DATE)` : parsed
}
const unixTimestamp: Template = ([x, format]) => {
  if (x === undefined) return floorDivide('epoch_us(⟦batch_timestamp⟧)', 1_000_000n)
  const time =
    x.type === 'string'
      ? parseTime(x, format ?? { sql: '', type: 'string', nullable: false, literal: 'yyyy-MM-dd HH:mm:ss' })
      : x.type === 'date'
        ? `CAST(${x.sql} AS TIMESTAMP)`
        : x.sql
  return floorDivide(`epoch_us(${time})`, 1_000_000n)
}
const fromUnix =
  (perSecond: number): Template =>
  ([x]) => {
    if (perSecond === 1) return castSql(x!.sql, x!.type, 'timestamp', 'ansi')
    return `make_timestamp(CAST(${x!.sql} AS BIGINT)${perSecond === 1000 ? ' * 1000' : ''})`
  }

export const datetime: Templates = {
  year: part('year(?)'),
  month: part('month(?)'),
  day: part('day(?)'),
  dayofmonth: part('day(?)'),
  quarter: part('quarter(?)'),
  dayofweek: part('dayofweek(?) + 1'),
  dayofyear: part('dayofyear(?)'),
  weekofyear: part('week(?)'),
  hour: part('hour(?)'),
  minute: part('minute(?)'),
  second: part('second(?)'),
  date_trunc: dateTrunc,
  to_date: toTime,
  to_timestamp: toTime,
  unix_timestamp: unixTimestamp,
  unix_seconds: sinceEpoch(1_000_000n),
  unix_millis: sinceEpoch(1000n),
  unix_micros: sinceEpoch(1n),
  timestamp_seconds: fromUnix(1),
  timestamp_millis: fromUnix(1000),
  timestamp_micros: fromUnix(1_000_000),
  date_add: ([d, n]) => `(${d!.sql} + ${n!.sql})`,
  date_sub: ([d, n]) => `(${d!.sql} - ${n!.sql})`,
  datediff: ([end, start]) => `CAST(${end!.sql} - ${start!.sql} AS INTEGER)`,
  current_timestamp: () => '⟦batch_timestamp⟧',
  current_date: () => 'CAST(⟦batch_timestamp⟧ AS DATE)',
  window_time: ([w]) => `make_timestamp(epoch_us(${fieldSql(w!.sql, 'end')}) - 1)`,
}
