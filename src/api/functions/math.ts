/** Numbers. */
import type { Arith, Expr, Num, NumberInput, NumCol, OpNull, OpType } from '../column-types.ts'
import type { DecimalText, IsAny, NullOf } from '../types.ts'
import { call } from './call.ts'

export function abs<A extends Num>(e: Expr<A>): NumCol<A> {
  return call('abs', e)
}
type WholeOf<A> = IsAny<A> extends true ? any : A extends DecimalText ? DecimalText : A extends null ? null : 'long'
export function ceil<A extends Num>(e: Expr<A>): NumCol<WholeOf<A>> {
  return call('ceil', e)
}
export function floor<A extends Num>(e: Expr<A>): NumCol<WholeOf<A>> {
  return call('floor', e)
}
type Rounded<A> = IsAny<A> extends true ? any : A extends DecimalText ? DecimalText : A
/** Half up to `scale` digits after the point; a negative scale rounds before it. */
export function round<A extends Num>(e: Expr<A>, scale = 0): NumCol<Rounded<A>> {
  return call('round', e, scale)
}
export function sqrt<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sqrt', e)
}
export function exp<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('exp', e)
}
export function ln(e: Expr<Num>): NumCol<'double' | null> {
  return call('ln', e)
}
export function log10(e: Expr<Num>): NumCol<'double' | null> {
  return call('log10', e)
}
export function pow<A extends Num, const B extends Expr<Num> | NumberInput>(
  base: Expr<A>,
  exponent: B,
): NumCol<'double' | NullOf<A> | OpNull<B>> {
  return call('pow', base, exponent)
}
/** The remainder of a division, with the sign of the dividend. */
export function mod<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Arith<Exclude<A, null>, OpType<B>> | null> {
  return call('%', a, b)
}
export function sign<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sign', e)
}
