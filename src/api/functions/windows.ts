/** Functions over a window of rows: `row_number().over(Window.partitionBy('user').orderBy('at'))`. Of bounded tables. */
import { Column, expressionOf } from '../column.ts'
import type { Col, Expr, NumCol, Operand, Unmarked } from '../column-types.ts'
import type { NullOf } from '../types.ts'
import { call, given } from './call.ts'

/** The row's number in its partition, from 1. */
export function row_number(): NumCol<'int'> {
  return call('row_number')
}
/** The row's place, from 1: rows that are equal in the order have the same, and places behind them are left out. */
export function rank(): NumCol<'int'> {
  return call('rank')
}
/** As rank, without leaving places out. */
export function dense_rank(): NumCol<'int'> {
  return call('dense_rank')
}
/** (rank - 1) / (rows - 1), from 0 to 1. */
export function percent_rank(): NumCol<'double'> {
  return call('percent_rank')
}
/** The share of rows that are before this one or equal to it. */
export function cume_dist(): NumCol<'double'> {
  return call('cume_dist')
}
/** Which of `n` parts of nearly the same size the row is in, from 1. */
export function ntile(n: number): NumCol<'int'> {
  return call('ntile', n)
}
/** The value `offset` rows before this one in the order, or the default. With `ignoreNulls` only rows with a value count. */
export function lag<A>(e: Expr<A>, offset = 1, otherwise: Operand = null, ignoreNulls = false): Col<Unmarked<A> | null> {
  return neighbour('lag', e, offset, otherwise, ignoreNulls)
}
/** The value `offset` rows behind this one in the order, or the default. */
export function lead<A>(e: Expr<A>, offset = 1, otherwise: Operand = null, ignoreNulls = false): Col<Unmarked<A> | null> {
  return neighbour('lead', e, offset, otherwise, ignoreNulls)
}
/** The value of row number `n`, from 1, of the frame. */
export function nth_value<A>(e: Expr<A>, n: number, ignoreNulls = false): Col<Exclude<Unmarked<A>, null> | NullOf<A> | null> {
  const args = [e, n].map(expressionOf)
  return new Column({ kind: 'call', name: 'nth_value', args, ...(ignoreNulls && { ignoreNulls }) }) as any
}

function neighbour(name: string, e: unknown, offset: number, otherwise: unknown, ignoreNulls: boolean): any {
  const args = given(e, offset, otherwise).map(expressionOf)
  return new Column({ kind: 'call', name, args, ...(ignoreNulls && { ignoreNulls }) })
}
