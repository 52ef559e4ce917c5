/** URLs. */
import type { Expr, StrCol } from '../column-types.ts'
import type { NullOf } from '../types.ts'
import { call, given, type Str } from './call.ts'

export type UrlPart = 'HOST' | 'PATH' | 'QUERY' | 'REF' | 'PROTOCOL' | 'FILE' | 'AUTHORITY' | 'USERINFO'
/** A part of a URL, of the query one key; null where it has none, an error for what is no URL. */
export function parse_url(e: Str, part: UrlPart, key?: string): StrCol<'string' | null> {
  return call('parse_url', ...given(e, part, key))
}
/** As parse_url, but null for what is no URL. */
export function try_parse_url(e: Str, part: UrlPart, key?: string): StrCol<'string' | null> {
  return call('try_parse_url', ...given(e, part, key))
}
/** The text as a form of the web writes it. */
export function url_encode<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('url_encode', e)
}
/** The text that url_encode was given. */
export function url_decode<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('url_decode', e)
}
/** As url_decode, but null where the text is wrong. */
export function try_url_decode(e: Str): StrCol<'string' | null> {
  return call('try_url_decode', e)
}
