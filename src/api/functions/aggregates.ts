/** Aggregates. */
import { Column, expressionOf } from '../column.ts'
import type { BoolCol, Col, Expr, IntervalCol, Num, NumCol, Unmarked } from '../column-types.ts'
import type { Arr, DayTimeInterval, DecimalText, IntervalLike, IntLike, IsAny, Struct, TimeLike } from '../types.ts'
import { type Bool, call as callOf, columnOf, given } from './call.ts'

const call: typeof callOf = (name, ...args) => callOf(name, ...args.map((arg, i) => (i === 0 ? columnOf(name, arg) : arg)))

/** Rows; of an expression, rows where it is not null. */
export function count(e?: Expr<any>): NumCol<'long'> {
  return call('count', ...given(e))
}
/** Different values that are not null. Batch only. */
export function count_distinct(e: Expr<any>, ...more: Expr<any>[]): NumCol<'long'> {
  return new Column({
    kind: 'call',
    name: 'count',
    args: [e, ...more].map((each) => expressionOf(columnOf('count_distinct', each))),
    distinct: true,
  }) as any
}
export type SumType<A> = IsAny<A> extends true ? any : A extends IntLike ? 'long' : A extends 'double' | 'float' ? 'double' : DecimalText
export function sum<A extends Num>(e: Expr<A>): NumCol<SumType<Exclude<A, null>> | null>
export function sum<A extends IntervalLike | null>(e: Expr<A>): IntervalCol<A | null>
export function sum(e: unknown): unknown {
  return call('sum', e)
}
export function sum_distinct<A extends Num>(e: Expr<A>): NumCol<SumType<Exclude<A, null>> | null> {
  return new Column({ kind: 'call', name: 'sum', args: [expressionOf(columnOf('sum_distinct', e))], distinct: true }) as any
}
type Mean<A> = [A] extends [DayTimeInterval | null] ? 'interval day to second' : 'interval year to month'
export type AvgType<A> = IsAny<A> extends true ? any : A extends DecimalText ? DecimalText : 'double'
export function avg<A extends Num>(e: Expr<A>): NumCol<AvgType<Exclude<A, null>> | null>
export function avg<A extends IntervalLike | null>(e: Expr<A>): IntervalCol<Mean<A> | null>
export function avg(e: unknown): unknown {
  return call('avg', e)
}
export function mean<A extends Num>(e: Expr<A>): NumCol<AvgType<Exclude<A, null>> | null>
export function mean<A extends IntervalLike | null>(e: Expr<A>): IntervalCol<Mean<A> | null>
export function mean(e: unknown): unknown {
  return call('avg', e)
}
export function min<A>(e: Expr<A>): Col<Unmarked<A> | null> {
  return call('min', e)
}
export function max<A>(e: Expr<A>): Col<Unmarked<A> | null> {
  return call('max', e)
}
/** The first value in order of arrival; in no fixed order unless the input has one. */
export function first<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('first', ...given(e, ignoreNulls || undefined))
}
export function last<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('last', ...given(e, ignoreNulls || undefined))
}
export function any_value<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('any_value', ...given(e, ignoreNulls || undefined))
}
export function count_if(condition: Bool): NumCol<'long'> {
  return call('count_if', condition)
}
export function bool_and(condition: Bool): BoolCol<'boolean' | null> {
  return call('bool_and', condition)
}
export function bool_or(condition: Bool): BoolCol<'boolean' | null> {
  return call('bool_or', condition)
}
export function stddev_samp(e: Expr<Num>): NumCol<'double' | null> {
  return call('stddev_samp', e)
}
export function stddev(e: Expr<Num>): NumCol<'double' | null> {
  return call('stddev_samp', e)
}
export function stddev_pop(e: Expr<Num>): NumCol<'double' | null> {
  return call('stddev_pop', e)
}
export function var_samp(e: Expr<Num>): NumCol<'double' | null> {
  return call('var_samp', e)
}
export function variance(e: Expr<Num>): NumCol<'double' | null> {
  return call('var_samp', e)
}
export function var_pop(e: Expr<Num>): NumCol<'double' | null> {
  return call('var_pop', e)
}
/** As sum; null instead of an error where the result does not fit. */
export function try_sum<A extends Num>(e: Expr<A>): NumCol<SumType<Exclude<A, null>> | null> {
  return call('try_sum', e)
}
export function try_avg<A extends Num>(e: Expr<A>): NumCol<AvgType<Exclude<A, null>> | null> {
  return call('try_avg', e)
}
export function product(e: Expr<Num>): NumCol<'double' | null> {
  return call('product', e)
}
export function bit_and<A extends IntLike | null>(e: Expr<A>): NumCol<A | null> {
  return call('bit_and', e)
}
export function bit_or<A extends IntLike | null>(e: Expr<A>): NumCol<A | null> {
  return call('bit_or', e)
}
export function bit_xor<A extends IntLike | null>(e: Expr<A>): NumCol<A | null> {
  return call('bit_xor', e)
}
export function first_value<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('first', ...given(e, ignoreNulls || undefined))
}
export function last_value<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('last', ...given(e, ignoreNulls || undefined))
}
/** The value of `e` in the row in which `order` is least; rows in which that is null don't count. */
export function min_by<A>(e: Expr<A>, order: Expr<any>): Col<Unmarked<A> | null> {
  return call('min_by', e, order)
}
export function max_by<A>(e: Expr<A>, order: Expr<any>): Col<Unmarked<A> | null> {
  return call('max_by', e, order)
}
export function every(condition: Bool): BoolCol<'boolean' | null> {
  return call('bool_and', condition)
}
export function some(condition: Bool): BoolCol<'boolean' | null> {
  return call('bool_or', condition)
}
export function any(condition: Bool): BoolCol<'boolean' | null> {
  return call('bool_or', condition)
}
export function std(e: Expr<Num>): NumCol<'double' | null> {
  return call('stddev_samp', e)
}
export function skewness(e: Expr<Num>): NumCol<'double' | null> {
  return call('skewness', e)
}
export function kurtosis(e: Expr<Num>): NumCol<'double' | null> {
  return call('kurtosis', e)
}
export function corr(x: Expr<Num>, y: Expr<Num>): NumCol<'double' | null> {
  return call('corr', x, y)
}
export function covar_pop(x: Expr<Num>, y: Expr<Num>): NumCol<'double' | null> {
  return call('covar_pop', x, y)
}
export function covar_samp(x: Expr<Num>, y: Expr<Num>): NumCol<'double' | null> {
  return call('covar_samp', x, y)
}
/** Rows in which both are given. The dependent variable comes first, in all regr_ functions. */
export function regr_count(y: Expr<Num>, x: Expr<Num>): NumCol<'long'> {
  return call('regr_count', y, x)
}
export function regr_avgx(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_avgx', y, x)
}
export function regr_avgy(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_avgy', y, x)
}
export function regr_sxx(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_sxx', y, x)
}
export function regr_syy(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_syy', y, x)
}
export function regr_sxy(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_sxy', y, x)
}
export function regr_slope(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_slope', y, x)
}
export function regr_intercept(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_intercept', y, x)
}
export function regr_r2(y: Expr<Num>, x: Expr<Num>): NumCol<'double' | null> {
  return call('regr_r2', y, x)
}
/** The values that are not null, in order of arrival; in no fixed order unless the input has one. */
export function collect_list<A>(e: Expr<A>): Col<Arr<Exclude<Unmarked<A>, null>>> {
  return call('collect_list', e)
}
export function array_agg<A>(e: Expr<A>): Col<Arr<Exclude<Unmarked<A>, null>>> {
  return call('collect_list', e)
}
/** The different values that are not null, in no fixed order. */
export function collect_set<A>(e: Expr<A>): Col<Arr<Exclude<Unmarked<A>, null>>> {
  return call('collect_set', e)
}
/** The values that are not null as one text. */
export function listagg<A extends 'string' | 'binary' | null>(e: Expr<A>, delimiter?: string | Uint8Array): Col<A | null> {
  return call('listagg', ...given(e, delimiter))
}
export function string_agg<A extends 'string' | 'binary' | null>(e: Expr<A>, delimiter?: string | Uint8Array): Col<A | null> {
  return call('listagg', ...given(e, delimiter))
}
type Percentage = number | readonly number[] | Expr<Num>
type PerPercentage<P extends Percentage, A> = P extends readonly number[] ? Arr<A> : A
/** Exact: between two values in proportion. Keeps every value and its count; percentile_approx has a bound. */
export function percentile<P extends Percentage>(
  e: Expr<Num>,
  percentage: P,
  frequency?: Expr<IntLike | null>,
): Col<PerPercentage<P, 'double'> | null> {
  return call('percentile', ...given(e, constants(percentage), frequency))
}
export function median(e: Expr<Num>): NumCol<'double' | null> {
  return call('median', e)
}
/** A value whose rank is at most 1/accuracy of all ranks above the one asked for. */
export function percentile_approx<A extends Num | TimeLike, const P extends Percentage>(
  e: Expr<A>,
  percentage: P,
  accuracy?: number | Expr<IntLike>,
): Col<PerPercentage<P, Exclude<Unmarked<A>, null>> | null> {
  return call('percentile_approx', ...given(e, constants(percentage), accuracy))
}
export function approx_percentile<A extends Num | TimeLike, const P extends Percentage>(
  e: Expr<A>,
  percentage: P,
  accuracy?: number | Expr<IntLike>,
): Col<PerPercentage<P, Exclude<Unmarked<A>, null>> | null> {
  return call('percentile_approx', ...given(e, constants(percentage), accuracy))
}
function constants(percentage: Percentage): unknown {
  return Array.isArray(percentage) ? call('array', ...percentage) : percentage
}
/** The most frequent value; of several the least, whether `deterministic` is asked for or not. */
export function mode<A>(e: Expr<A>, deterministic?: boolean): Col<Unmarked<A> | null> {
  return call('mode', ...given(e, deterministic))
}
/** A histogram of at most `bins` bins: centres x and heights y. */
export function histogram_numeric<A extends Num | TimeLike>(
  e: Expr<A>,
  bins: number,
): Col<Arr<Struct<{ x: Unmarked<A> | null; y: 'double' | null }> | null> | null> {
  return call('histogram_numeric', e, bins)
}
/** About how many different values there are, with a relative standard deviation of `rsd` (0.05). */
export function approx_count_distinct(e: Expr<any>, rsd?: number): NumCol<'long'> {
  return call('approx_count_distinct', ...given(e, rsd))
}
