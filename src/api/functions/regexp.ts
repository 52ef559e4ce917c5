/** Patterns: LIKE and regular expressions. */
import type { ArrCol, BoolCol, Expr, NumCol, OpNull, StrCol } from '../column-types.ts'
import type { NullOf } from '../types.ts'
import { call, type Str, type Text } from './call.ts'

/** Every match of a regular expression replaced; $1 stands for a group. */
export function regexp_replace<A extends 'string' | null>(e: Expr<A>, pattern: Text, replacement: Text): StrCol<'string' | NullOf<A>> {
  return call('regexp_replace', e, pattern, replacement)
}
/** A group of the first match, or '' where there is none. */
export function regexp_extract<A extends 'string' | null>(e: Expr<A>, pattern: string, group = 1): StrCol<'string' | NullOf<A>> {
  return call('regexp_extract', e, pattern, group)
}
/** Whether a regular expression of Java is found in the text. */
export function rlike<A extends 'string' | null, const B extends Text>(e: Expr<A>, pattern: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('rlike', e, pattern)
}
/** Whether a regular expression of Java is found in the text. */
export function regexp<A extends 'string' | null, const B extends Text>(
  e: Expr<A>,
  pattern: B,
): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('rlike', e, pattern)
}
/** Whether a regular expression of Java is found in the text. */
export function regexp_like<A extends 'string' | null, const B extends Text>(
  e: Expr<A>,
  pattern: B,
): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('rlike', e, pattern)
}
/** Whether a text fits a pattern, in which _ is any character and % any text. */
export function like<A extends 'string' | null, const B extends Text>(e: Expr<A>, pattern: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('like', e, pattern)
}
/** As like, but capitals count as small letters. */
export function ilike<A extends 'string' | null, const B extends Text>(e: Expr<A>, pattern: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('ilike', e, pattern)
}
/** How often a regular expression is found. */
export function regexp_count<A extends 'string' | null, const B extends Text>(
  e: Expr<A>,
  pattern: B,
): NumCol<'int' | NullOf<A> | OpNull<B>> {
  return call('regexp_count', e, pattern)
}
/** Where a regular expression is first found, from 1; 0 where it is not. */
export function regexp_instr<A extends 'string' | null, const B extends Text>(
  e: Expr<A>,
  pattern: B,
): NumCol<'int' | NullOf<A> | OpNull<B>> {
  return call('regexp_instr', e, pattern)
}
/** A group of every match. */
export function regexp_extract_all<A extends 'string' | null>(e: Expr<A>, pattern: Text, group = 1): ArrCol<'string' | null, NullOf<A>> {
  return call('regexp_extract_all', e, pattern, group)
}
/** The first match; null where there is none. */
export function regexp_substr(e: Str, pattern: Text): StrCol<'string' | null> {
  return call('regexp_substr', e, pattern)
}
