/** Conditions, nulls and NaN. */
import { Column, expressionOf } from '../column.ts'
import type { BoolCol, CaseWhen, Col, Expr, Num, Operand, TypeOf, Unmarked, Widest } from '../column-types.ts'
import { type Bool, call, type NotNullOf, type NullIfAll } from './call.ts'

/** A column's opposite of false: `not(a.eq(b))`. */
export function not<A extends 'boolean' | null>(e: Expr<A>): BoolCol<A> {
  return call('not', e)
}
export function isnull(e: Expr<any>): BoolCol<'boolean'> {
  return call('isnull', e)
}
export function isnotnull(e: Expr<any>): BoolCol<'boolean'> {
  return call('isnotnull', e)
}
export function isnan(e: Expr<Num>): BoolCol<'boolean'> {
  return call('isnan', e)
}

// ---- conditions

/** `when(condition, value).when(…).otherwise(value)`; null where no branch fits. */
export function when<const V extends Operand>(condition: Bool, value: V): CaseWhen<TypeOf<V>> {
  return new Column({
    kind: 'case',
    branches: [{ condition: expressionOf(condition), value: expressionOf(value) }],
    otherwise: null,
  }) as unknown as CaseWhen<TypeOf<V>>
}

/** The first value that is not null. */
export function coalesce<const L extends readonly Operand[]>(...values: L): Col<Widest<NotNullOf<L> | NullIfAll<L>>> {
  return call('coalesce', ...values)
}
/** `value`, or `otherwise` where it is null. */
export function nvl<A, const B extends Operand>(value: Expr<A>, otherwise: B): Col<Widest<Unmarked<Exclude<A, null>> | TypeOf<B>>> {
  return call('nvl', value, otherwise)
}
export function ifnull<A, const B extends Operand>(value: Expr<A>, otherwise: B): Col<Widest<Unmarked<Exclude<A, null>> | TypeOf<B>>> {
  return call('ifnull', value, otherwise)
}
/** Null where the two are equal, else the first. */
export function nullif<A>(a: Expr<A>, b: Operand): Col<Unmarked<A> | null> {
  return call('nullif', a, b)
}
/** The greatest value; nulls are passed over. */
export function greatest<const L extends readonly [Operand, Operand, ...Operand[]]>(
  ...values: L
): Col<Widest<NotNullOf<L> | NullIfAll<L>>> {
  return call('greatest', ...values)
}
export function least<const L extends readonly [Operand, Operand, ...Operand[]]>(...values: L): Col<Widest<NotNullOf<L> | NullIfAll<L>>> {
  return call('least', ...values)
}
