/** Numbers. */
import type { Arith, Expr, Num, NumberInput, NumCol, OpNull, OpType, Quotient, StrCol } from '../column-types.ts'
import type { DecimalText, IntLike, IsAny, NullOf } from '../types.ts'
import { call, given } from './call.ts'

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
/** The number with the other sign. */
export function negative<A extends Num>(e: Expr<A>): NumCol<A> {
  return call('negative', e)
}
export function positive<A extends Num>(e: Expr<A>): NumCol<A> {
  return call('positive', e)
}
export function ceiling<A extends Num>(e: Expr<A>): NumCol<WholeOf<A>> {
  return call('ceil', e)
}
/** Half to the even digit. */
export function bround<A extends Num>(e: Expr<A>, scale = 0): NumCol<Rounded<A>> {
  return call('bround', e, scale)
}
export function power<A extends Num, const B extends Expr<Num> | NumberInput>(
  base: Expr<A>,
  exponent: B,
): NumCol<'double' | NullOf<A> | OpNull<B>> {
  return call('pow', base, exponent)
}
export function signum<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sign', e)
}
/** The nearest whole number as a double, halves to the even one. */
export function rint<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('rint', e)
}
/** The cube root. */
export function cbrt<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('cbrt', e)
}
/** exp(x) - 1, exact near zero. */
export function expm1<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('expm1', e)
}
/** The sine. */
export function sin<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sin', e)
}
/** The cosine. */
export function cos<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('cos', e)
}
/** The tangent. */
export function tan<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('tan', e)
}
/** The cotangent. */
export function cot<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('cot', e)
}
/** The secant. */
export function sec<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sec', e)
}
/** The cosecant. */
export function csc<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('csc', e)
}
/** The inverse sine; NaN outside of [-1, 1]. */
export function asin<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('asin', e)
}
/** The inverse cosine; NaN outside of [-1, 1]. */
export function acos<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('acos', e)
}
/** The inverse tangent. */
export function atan<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('atan', e)
}
/** The hyperbolic sine. */
export function sinh<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sinh', e)
}
/** The hyperbolic cosine. */
export function cosh<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('cosh', e)
}
/** The hyperbolic tangent. */
export function tanh<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('tanh', e)
}
/** The inverse hyperbolic sine. */
export function asinh<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('asinh', e)
}
/** The inverse hyperbolic cosine; NaN below 1. */
export function acosh<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('acosh', e)
}
/** The inverse hyperbolic tangent. */
export function atanh<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('atanh', e)
}
/** Radians as degrees. */
export function degrees<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('degrees', e)
}
/** Degrees as radians. */
export function radians<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('radians', e)
}
/** The logarithm to the base 2; null where there is none. */
export function log2(e: Expr<Num>): NumCol<'double' | null> {
  return call('log2', e)
}
/** ln(1 + x), exact near zero; null where there is none. */
export function log1p(e: Expr<Num>): NumCol<'double' | null> {
  return call('log1p', e)
}
/** The logarithm to a base (e unless given); null where there is none. */
export function log(e: Expr<Num>): NumCol<'double' | null>
export function log(base: number, e: Expr<Num>): NumCol<'double' | null>
export function log(a: unknown, b?: unknown): unknown {
  return call('log', ...given(a, b))
}
/** sqrt(a² + b²) without overflow in between. */
export function hypot<A extends Num, const B extends Expr<Num> | NumberInput>(a: Expr<A>, b: B): NumCol<'double' | NullOf<A> | OpNull<B>> {
  return call('hypot', a, b)
}
/** The angle of the point (x, y). */
export function atan2<A extends Num, const B extends Expr<Num> | NumberInput>(y: Expr<A>, x: B): NumCol<'double' | NullOf<A> | OpNull<B>> {
  return call('atan2', y, x)
}
export function pi(): NumCol<'double'> {
  return call('pi')
}
/** Euler's number. */
export function e(): NumCol<'double'> {
  return call('e')
}
/** The factorial of 0 to 20; null otherwise. */
export function factorial(e: Expr<IntLike | null>): NumCol<'long' | null> {
  return call('factorial', e)
}
/** The digits of a long in base 2. */
export function bin<A extends IntLike | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('bin', e)
}
/** Digits of one base in another; a negative `to` asks for a sign. */
export function conv(e: Expr<'string' | IntLike | null>, from: number, to: number): StrCol<'string' | null> {
  return call('conv', e, from, to)
}
/** The remainder of a division, never negative for a positive divisor. */
export function pmod<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Arith<Exclude<A, null>, OpType<B>> | null> {
  return call('pmod', a, b)
}
/** The whole part of a quotient of whole numbers or decimals. */
export function div(a: Expr<IntLike | DecimalText | null>, b: Expr<IntLike | DecimalText | null> | number | bigint): NumCol<'long' | null> {
  return call('div', a, b)
}
/** The number of the bucket of equal width that a value falls into; 0 and buckets + 1 lie outside. */
export function width_bucket(
  e: Expr<Num>,
  min: Expr<Num> | number,
  max: Expr<Num> | number,
  buckets: Expr<IntLike | null> | number,
): NumCol<'long' | null> {
  return call('width_bucket', e, min, max, buckets)
}
/** The sum, or null where it overflows. */
export function try_add<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Arith<Exclude<A, null>, OpType<B>> | null> {
  return call('try_add', a, b)
}
/** The difference, or null where it overflows. */
export function try_subtract<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Arith<Exclude<A, null>, OpType<B>> | null> {
  return call('try_subtract', a, b)
}
/** The product, or null where it overflows. */
export function try_multiply<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Arith<Exclude<A, null>, OpType<B>> | null> {
  return call('try_multiply', a, b)
}
/** The remainder, or null where the divisor is zero. */
export function try_mod<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Arith<Exclude<A, null>, OpType<B>> | null> {
  return call('try_mod', a, b)
}
/** The quotient, or null where the divisor is zero. */
export function try_divide<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Quotient<Exclude<A, null>, OpType<B>> | null> {
  return call('try_divide', a, b)
}
/** A random number from 0 up to 1. The seed has no effect. */
export function rand(seed?: number | bigint): NumCol<'double'> {
  return call('rand', ...given(seed))
}
/** A random number of the standard normal distribution. The seed has no effect. */
export function randn(seed?: number | bigint): NumCol<'double'> {
  return call('randn', ...given(seed))
}
/** A random number from `min` up to `max`. The seed has no effect. */
export function uniform<const A extends number, const B extends number>(
  min: A,
  max: B,
  seed?: number,
): NumCol<Arith<OpType<A>, OpType<B>>> {
  return call('uniform', ...given(min, max, seed))
}
/** A random text of letters and digits. The seed has no effect. */
export function randstr(length: number, seed?: number): StrCol<'string'> {
  return call('randstr', ...given(length, seed))
}
