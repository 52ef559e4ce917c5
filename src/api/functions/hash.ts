/** Digests and hashes. */
import type { Expr, StrCol } from '../column-types.ts'
import type { NullOf } from '../types.ts'
import { call } from './call.ts'

export function md5<A extends 'string' | 'binary' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('md5', e)
}
/** SHA-2 of 224, 256, 384 or 512 bits as hexadecimal text (0 means 256). */
export function sha2(e: Expr<'string' | 'binary' | null>, bits: 0 | 224 | 256 | 384 | 512): StrCol<'string' | null> {
  return call('sha2', e, bits)
}
