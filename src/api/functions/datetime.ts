/** Dates, times and time windows. */
import { textOf } from '../../base/arguments.ts'
import { Column } from '../column.ts'
import type { Col, Expr, Num, NumberInput, NumCol, OpNull, StrCol, TimeCol } from '../column-types.ts'
import type { DayTimeInterval, IntervalLike, IntLike, IsAny, NullOf, SessionMark, Struct, TimeLike, Watermark } from '../types.ts'
import { call, columnOf, given, type Text, type Whole } from './call.ts'

export function year<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('year', e)
}
export function month<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('month', e)
}
/** Day of the month. */
export function day<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('day', e)
}
export function dayofmonth<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('day', e)
}
export function quarter<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('quarter', e)
}
/** 1 is Sunday. */
export function dayofweek<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('dayofweek', e)
}
export function dayofyear<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('dayofyear', e)
}
/** ISO 8601 week. */
export function weekofyear<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('weekofyear', e)
}
export function hour<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('hour', e)
}
export function minute<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('minute', e)
}
export function second<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('second', e)
}
export type TruncUnit = 'year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second' | 'millisecond' | 'microsecond'
/** The beginning of the year, month, … hour that holds the time. */
export function date_trunc<A extends TimeLike | null>(unit: TruncUnit, e: Expr<A>): TimeCol<'timestamp' | NullOf<A>> {
  return call('date_trunc', unit, e)
}
export function to_date<A extends 'string' | TimeLike | null>(e: Expr<A>, format?: string): TimeCol<'date' | NullOf<A>> {
  return call('to_date', ...given(e, format))
}
export function to_timestamp<A extends 'string' | TimeLike | null>(e: Expr<A>, format?: string): TimeCol<'timestamp' | NullOf<A>> {
  return call('to_timestamp', ...given(e, format))
}
/** Seconds since 1970; of now where nothing is given. */
export function unix_timestamp(): NumCol<'long'>
export function unix_timestamp<A extends 'string' | TimeLike | null>(e: Expr<A>, format?: string): NumCol<'long' | NullOf<A>>
export function unix_timestamp(e?: unknown, format?: string): unknown {
  return call('unix_timestamp', ...given(e, format))
}
export function unix_seconds<A extends TimeLike | null>(e: Expr<A>): NumCol<'long' | NullOf<A>> {
  return call('unix_seconds', e)
}
export function unix_millis<A extends TimeLike | null>(e: Expr<A>): NumCol<'long' | NullOf<A>> {
  return call('unix_millis', e)
}
export function unix_micros<A extends TimeLike | null>(e: Expr<A>): NumCol<'long' | NullOf<A>> {
  return call('unix_micros', e)
}
export function timestamp_seconds<A extends Num>(
  e: Expr<A>,
): TimeCol<'timestamp' | NullOf<A> | ([Extract<A, 'double' | 'float'>] extends [never] ? never : null)> {
  return call('timestamp_seconds', e)
}
export function timestamp_millis<A extends IntLike | null>(e: Expr<A>): TimeCol<'timestamp' | NullOf<A>> {
  return call('timestamp_millis', e)
}
export function timestamp_micros<A extends IntLike | null>(e: Expr<A>): TimeCol<'timestamp' | NullOf<A>> {
  return call('timestamp_micros', e)
}
export function date_add<A extends TimeLike | null, const B extends Whole>(e: Expr<A>, days: B): TimeCol<'date' | NullOf<A> | OpNull<B>> {
  return call('date_add', e, days)
}
export function date_sub<A extends TimeLike | null, const B extends Whole>(e: Expr<A>, days: B): TimeCol<'date' | NullOf<A> | OpNull<B>> {
  return call('date_sub', e, days)
}
/** Days from `start` to `end`. */
export function datediff<A extends TimeLike | null, B extends TimeLike | null>(
  end: Expr<A>,
  start: Expr<B>,
): NumCol<'int' | NullOf<A> | NullOf<B>> {
  return call('datediff', end, start)
}
/** The time of the batch: fixed for all its rows, and the same when it is replayed. */
export function current_timestamp(): TimeCol<'timestamp'> {
  return call('current_timestamp')
}
export function current_date(): TimeCol<'date'> {
  return call('current_date')
}

export type WindowStruct = Struct<{ start: 'timestamp'; end: 'timestamp' }>
type Marked<A> = IsAny<A> extends true ? Watermark : [Exclude<A, null>] extends [Watermark] ? Watermark : unknown
/**
 * The time window that a row falls into, [start, end): as long as `duration`, one every `slide` (by default one after the other),
 * counted from 1970-01-01 plus `start`. Rows without a time fall out; with a shorter slide a row falls into several windows.
 */
export function window<A extends TimeLike | WindowStruct | null>(
  time: Expr<A>,
  duration: string,
  slide?: string,
  start?: string,
): Col<WindowStruct & Marked<A>> {
  return call('window', ...given(columnOf('window', time), duration, start === undefined ? slide : (slide ?? duration), start))
}
/**
 * The session that a row belongs to, [start, end): rows that are equal in the other grouping keys are in one session as long as each comes within `gap` of the one before (also just
 * at its end). The gap is an interval as text, or an expression that gives such texts or day-time intervals; rows without a time or without a gap above 0 fall out.
 * Outside of groupBy it is the row's own time and the end of its gap. A stream needs a further grouping key, and append or complete mode.
 */
export function session_window<A extends TimeLike | WindowStruct | null>(
  time: Expr<A>,
  gap: string | Expr<'string' | DayTimeInterval | null>,
): Col<WindowStruct & SessionMark & Marked<A>> {
  // a gap that is no text and no column is a slip: as a null it would leave every row out
  const constant =
    gap instanceof Column ? gap : textOf('the gap of session_window', gap, "write it as '5 minutes', or as a column of such texts")
  return call('session_window', columnOf('session_window', time), constant)
}
/** The time that stands for a window in further time operations: its end less one microsecond. */
export function window_time<A extends WindowStruct | null>(e: Expr<A>): TimeCol<('timestamp' & Marked<A>) | NullOf<A>> {
  return call('window_time', columnOf('window_time', e))
}

// ---- the clock

/** Another name of current_timestamp. */
export const now = current_timestamp
/** Another name of current_date. */
export const curdate = current_date
/** What the clock of the session's time zone shows at current_timestamp. */
export function localtimestamp(): TimeCol<'timestamp_ntz'> {
  return call('localtimestamp')
}
/** The session's time zone (spark.sql.session.timeZone). */
export function current_timezone(): StrCol<'string'> {
  return call('current_timezone')
}

// ---- parts

type DateOrText = TimeLike | 'string' | null
/** 0 is Monday. */
export function weekday<A extends DateOrText>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('weekday', e)
}
/** The day of the week by three letters, in English. */
export function dayname<A extends DateOrText>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('dayname', e)
}
/** The month by three letters, in English. */
export function monthname<A extends DateOrText>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('monthname', e)
}
/** A field of a date, a timestamp or an interval by its name: year, quarter, month, week, day, dow, doy, hour, minute, second (with its fraction), … */
export function date_part(field: string, source: Expr<TimeLike | IntervalLike | 'string' | null>): NumCol<any> {
  return call('date_part', field, source)
}
export const datepart = date_part
/** As date_part. */
export function extract(field: string, source: Expr<TimeLike | IntervalLike | 'string' | null>): NumCol<any> {
  return call('extract', field, source)
}

// ---- moving

export const dateadd = date_add
export const date_diff = datediff
/** The date some months later; the last day of the month where it would lie behind it. */
export function add_months<A extends DateOrText, const B extends Whole>(e: Expr<A>, months: B): TimeCol<'date' | NullOf<A> | OpNull<B>> {
  return call('add_months', e, months)
}
/** Months from `start` to `end`, by 31 days a month; whole where both are the same or the last day of a month. Rounded to 8 digits unless told not to. */
export function months_between<A extends DateOrText, B extends DateOrText>(
  end: Expr<A>,
  start: Expr<B>,
  roundOff = true,
): NumCol<'double' | NullOf<A> | NullOf<B>> {
  return call('months_between', end, start, roundOff)
}
/** The last day of the month. */
export function last_day<A extends DateOrText>(e: Expr<A>): TimeCol<'date' | NullOf<A>> {
  return call('last_day', e)
}
/** The first day after a date that is such a day of the week: Mon, Monday, MO. */
export function next_day<A extends DateOrText, const B extends Text>(e: Expr<A>, dayOfWeek: B): TimeCol<'date' | NullOf<A> | OpNull<B>> {
  return call('next_day', e, dayOfWeek)
}
/** The first day of the year, quarter, month or week that holds the date; null for other units. */
export function trunc(e: Expr<DateOrText>, unit: Text): TimeCol<'date' | null> {
  return call('trunc', e, unit)
}
export type TimeUnit = TruncUnit | 'dayofyear'
/** The time n units later; months and days go by the calendar of the session's time zone. */
export function timestampadd<A extends DateOrText, const B extends Whole>(
  unit: TimeUnit,
  n: B,
  e: Expr<A>,
): TimeCol<('timestamp_ntz' extends A ? 'timestamp_ntz' : 'timestamp') | NullOf<A> | OpNull<B>> {
  return call('timestampadd', unit, n, e)
}
/** Whole units from `start` to `end`. */
export function timestampdiff<A extends DateOrText, B extends DateOrText>(
  unit: TimeUnit,
  start: Expr<A>,
  end: Expr<B>,
): NumCol<'long' | NullOf<A> | NullOf<B>> {
  return call('timestampdiff', unit, start, end)
}

// ---- text

/** A time as text by Spark's pattern letters: `date_format(at, 'yyyy-MM-dd HH:mm')`. */
export function date_format<A extends DateOrText>(e: Expr<A>, pattern: string): StrCol<'string' | NullOf<A>> {
  return call('date_format', e, pattern)
}
/** Seconds since 1970 as text, by default as yyyy-MM-dd HH:mm:ss. */
export function from_unixtime<A extends IntLike | null>(e: Expr<A>, pattern?: string): StrCol<'string' | NullOf<A>> {
  return call('from_unixtime', ...given(e, pattern))
}
export function to_unix_timestamp<A extends DateOrText>(e: Expr<A>, pattern?: string): NumCol<'long' | NullOf<A>> {
  return call('to_unix_timestamp', ...given(e, pattern))
}
export function to_timestamp_ltz<A extends DateOrText>(e: Expr<A>, pattern?: string): TimeCol<'timestamp' | NullOf<A>> {
  return call('to_timestamp_ltz', ...given(e, pattern))
}
export function to_timestamp_ntz<A extends DateOrText>(e: Expr<A>, pattern?: string): TimeCol<'timestamp_ntz' | NullOf<A>> {
  return call('to_timestamp_ntz', ...given(e, pattern))
}
/** Null where the text is no timestamp. */
export function try_to_timestamp(e: Expr<DateOrText>, pattern?: string): TimeCol<'timestamp' | null> {
  return call('try_to_timestamp', ...given(e, pattern))
}
/** Null where the text is no date. */
export function try_to_date(e: Expr<DateOrText>, pattern?: string): TimeCol<'date' | null> {
  return call('try_to_date', ...given(e, pattern))
}

// ---- numbers

/** Days since 1970-01-01. */
export function unix_date<A extends DateOrText>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('unix_date', e)
}
/** The date so many days after 1970-01-01. */
export function date_from_unix_date<A extends IntLike | null>(e: Expr<A>): TimeCol<'date' | NullOf<A>> {
  return call('date_from_unix_date', e)
}
/** A date of its fields; an error where there is none such. */
export function make_date<const Y extends Whole, const M extends Whole, const D extends Whole>(
  year: Y,
  month: M,
  day: D,
): TimeCol<'date' | OpNull<Y> | OpNull<M> | OpNull<D>> {
  return call('make_date', year, month, day)
}
type Seconds = Expr<Num> | NumberInput
type MakeTimestamp<Type extends TimeLike> = (
  year: Whole,
  month: Whole,
  day: Whole,
  hour: Whole,
  minute: Whole,
  second: Seconds,
  ...zone: Type extends 'timestamp' ? [zone?: Text] : []
) => TimeCol<Type | null>
const maker =
  <Type extends TimeLike>(name: string): MakeTimestamp<Type> =>
  (...fields: unknown[]) =>
    call(name, ...given(...fields))
/** A timestamp of its fields, by the clock of a zone (by default the session's); an error where there is none such. */
export const make_timestamp = maker<'timestamp'>('make_timestamp')
export const make_timestamp_ltz = maker<'timestamp'>('make_timestamp_ltz')
export const make_timestamp_ntz = maker<'timestamp_ntz'>('make_timestamp_ntz')
/** Null where there is no such timestamp. */
export const try_make_timestamp = maker<'timestamp'>('try_make_timestamp')
export const try_make_timestamp_ltz = maker<'timestamp'>('try_make_timestamp_ltz')
export const try_make_timestamp_ntz = maker<'timestamp_ntz'>('try_make_timestamp_ntz')

// ---- zones

/** What the clock of a zone shows when it is this time in UTC, written as a timestamp. */
export function from_utc_timestamp<A extends DateOrText, const Z extends Text>(
  e: Expr<A>,
  zone: Z,
): TimeCol<'timestamp' | NullOf<A> | OpNull<Z>> {
  return call('from_utc_timestamp', e, zone)
}
/** The time in UTC when the clock of a zone shows this. */
export function to_utc_timestamp<A extends DateOrText, const Z extends Text>(
  e: Expr<A>,
  zone: Z,
): TimeCol<'timestamp' | NullOf<A> | OpNull<Z>> {
  return call('to_utc_timestamp', e, zone)
}
/** A clock time of one zone (null: the session's) as the clock time of another. */
export function convert_timezone(from: Text | null, to: Text, e: Expr<DateOrText>): TimeCol<'timestamp_ntz' | null> {
  return from === null ? call('convert_timezone', to, e) : call('convert_timezone', from, to, e)
}
