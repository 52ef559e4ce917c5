/** Text and binary. */
import type { ArrCol, Col, Expr, NumCol, Operand, StrCol } from '../column-types.ts'
import type { Arr, NullOf } from '../types.ts'
import { call, given, type NullIfAny, type Text, type Whole } from './call.ts'

export function upper<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('upper', e)
}
export function lower<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('lower', e)
}
/** Characters of a string, bytes of a binary. */
export function length<A extends 'string' | 'binary' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('length', e)
}
/** Without the spaces (or the given characters) at both ends. */
export function trim<A extends 'string' | null>(e: Expr<A>, characters?: string): StrCol<'string' | NullOf<A>> {
  return call('trim', ...given(e, characters))
}
export function ltrim<A extends 'string' | null>(e: Expr<A>, characters?: string): StrCol<'string' | NullOf<A>> {
  return call('ltrim', ...given(e, characters))
}
export function rtrim<A extends 'string' | null>(e: Expr<A>, characters?: string): StrCol<'string' | NullOf<A>> {
  return call('rtrim', ...given(e, characters))
}
/** Strings one after the other; null where one is null. */
export function concat<const L extends readonly Operand[]>(...parts: L): StrCol<'string' | NullIfAny<L>> {
  return call('concat', ...parts)
}
/** Strings with a separator between them; nulls are passed over. */
export function concat_ws(separator: string, ...parts: (Text | Expr<Arr<'string' | null> | null>)[]): StrCol<'string'> {
  return call('concat_ws', separator, ...parts)
}
/** From position `start` (1 is the first, negative counts from the end), `length` characters or all. */
export function substring<A extends 'string' | null>(e: Expr<A>, start: Whole, length?: Whole): StrCol<'string' | NullOf<A>> {
  return call('substring', ...given(e, start, length))
}
export function replace<A extends 'string' | null>(e: Expr<A>, search: Text, replacement: Text = ''): StrCol<'string' | NullOf<A>> {
  return call('replace', e, search, replacement)
}
/** Parts between matches of a regular expression. */
export function split<A extends 'string' | null>(e: Expr<A>, pattern: string, limit = -1): ArrCol<'string', NullOf<A>> {
  return call('split', e, pattern, limit)
}
export function lpad<A extends 'string' | null>(e: Expr<A>, length: number, pad = ' '): StrCol<'string' | NullOf<A>> {
  return call('lpad', e, length, pad)
}
export function rpad<A extends 'string' | null>(e: Expr<A>, length: number, pad = ' '): StrCol<'string' | NullOf<A>> {
  return call('rpad', e, length, pad)
}
/** The first position of a part, from 1; 0 where it is not there. */
export function instr<A extends 'string' | null>(e: Expr<A>, part: Text): NumCol<'int' | NullOf<A>> {
  return call('instr', e, part)
}
export function reverse<A extends 'string' | Arr<any> | null>(e: Expr<A>): Col<A> {
  return call('reverse', e)
}
export function repeat<A extends 'string' | null>(e: Expr<A>, times: Whole): StrCol<'string' | NullOf<A>> {
  return call('repeat', e, times)
}
