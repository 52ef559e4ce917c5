/** Aggregates. */
import { Column, expressionOf } from '../column.ts'
import type { BoolCol, Col, Expr, Num, NumCol, Unmarked } from '../column-types.ts'
import type { DecimalText, IntLike, IsAny } from '../types.ts'
import { type Bool, call, given } from './call.ts'

/** Rows; of an expression, rows where it is not null. */
export function count(e?: Expr<any>): NumCol<'long'> {
  return call('count', ...given(e))
}
/** Different values that are not null. Batch only. */
export function count_distinct(e: Expr<any>, ...more: Expr<any>[]): NumCol<'long'> {
  return new Column({ kind: 'call', name: 'count', args: [e, ...more].map(expressionOf), distinct: true }) as any
}
export type SumType<A> = IsAny<A> extends true ? any : A extends IntLike ? 'long' : A extends 'double' | 'float' ? 'double' : DecimalText
export function sum<A extends Num>(e: Expr<A>): NumCol<SumType<Exclude<A, null>> | null> {
  return call('sum', e)
}
export function sum_distinct<A extends Num>(e: Expr<A>): NumCol<SumType<Exclude<A, null>> | null> {
  return new Column({ kind: 'call', name: 'sum', args: [expressionOf(e)], distinct: true }) as any
}
export type AvgType<A> = IsAny<A> extends true ? any : A extends DecimalText ? DecimalText : 'double'
export function avg<A extends Num>(e: Expr<A>): NumCol<AvgType<Exclude<A, null>> | null> {
  return call('avg', e)
}
export function mean<A extends Num>(e: Expr<A>): NumCol<AvgType<Exclude<A, null>> | null> {
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
