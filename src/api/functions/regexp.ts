/** Patterns: LIKE and regular expressions. */
import type { Expr, StrCol } from '../column-types.ts'
import type { NullOf } from '../types.ts'
import { call, type Text } from './call.ts'

/** Every match of a regular expression replaced; $1 stands for a group. */
export function regexp_replace<A extends 'string' | null>(e: Expr<A>, pattern: Text, replacement: Text): StrCol<'string' | NullOf<A>> {
  return call('regexp_replace', e, pattern, replacement)
}
/** A group of the first match, or '' where there is none. */
export function regexp_extract<A extends 'string' | null>(e: Expr<A>, pattern: string, group = 1): StrCol<'string' | NullOf<A>> {
  return call('regexp_extract', e, pattern, group)
}
