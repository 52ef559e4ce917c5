/** Dates, times and time windows. */
import type { Col, Expr, Num, NumCol, OpNull, TimeCol } from '../column-types.ts'
import type { IntLike, IsAny, NullOf, Struct, TimeLike, Watermark } from '../types.ts'
import { call, given, type Whole } from './call.ts'

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
export function date_trunc<A extends TimeLike | null>(
  unit: TruncUnit,
  e: Expr<A>,
): TimeCol<('timestamp_ntz' extends A ? 'timestamp_ntz' : 'timestamp') | NullOf<A>> {
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
  return call('window', ...given(time, duration, start === undefined ? slide : (slide ?? duration), start))
}
/** The time that stands for a window in further time operations: its end less one microsecond. */
export function window_time<A extends WindowStruct | null>(e: Expr<A>): TimeCol<('timestamp' & Marked<A>) | NullOf<A>> {
  return call('window_time', e)
}
