/** Conditions, nulls and NaN. */
import { Column, expressionOf } from '../column.ts'
import type {
  BoolCol,
  CaseWhen,
  Col,
  Expr,
  Num,
  NumCol,
  Operand,
  OpNull,
  StrCol,
  TypeOf,
  Unmarked,
  UntypedCol,
  Widest,
} from '../column-types.ts'
import type { NullOf } from '../types.ts'
import { type Bool, call, given, type NotNullOf, type NullIfAll, type Text } from './call.ts'

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
/** `a` where the condition is true, else `b`. Spark's `if`, a word of TypeScript, is called `iff` here. */
export function iff<const A extends Operand, const B extends Operand>(condition: Bool, a: A, b: B): Col<Widest<TypeOf<A> | TypeOf<B>>> {
  return call('if', condition, a, b)
}
/** `a` where the value is not null, else `b`. */
export function nvl2<const A extends Operand, const B extends Operand>(value: Expr<any>, a: A, b: B): Col<Widest<TypeOf<A> | TypeOf<B>>> {
  return call('nvl2', value, a, b)
}
/** Null instead of 0. */
export function nullifzero<A extends Num>(e: Expr<A>): NumCol<A | null> {
  return call('nullifzero', e)
}
/** 0 instead of null. */
export function zeroifnull<A extends Num>(e: Expr<A>): NumCol<Exclude<A, null>> {
  return call('zeroifnull', e)
}
/** The first number unless it is NaN. */
export function nanvl<A extends Num, const B extends Expr<Num> | number>(a: Expr<A>, b: B): NumCol<'double' | NullOf<A> | OpNull<B>> {
  return call('nanvl', a, b)
}
/** Equality in which null equals null. */
export function equal_null(a: Expr<any>, b: Operand): BoolCol<'boolean'> {
  return call('<=>', a, b)
}
/** Null where the condition is true, else an error that ends the query. */
export function assert_true(condition: Bool, message?: Text): UntypedCol {
  return call('assert_true', ...given(condition, message))
}
/** An error that ends the query where a row reaches it. */
export function raise_error(message: Text): UntypedCol {
  return call('raise_error', message)
}
/** The name of the column's SQL type. */
export function typeOf(e: Expr<any>): StrCol<'string'> {
  return call('typeof', e)
}
