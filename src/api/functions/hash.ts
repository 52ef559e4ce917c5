/** Digests and hashes. */
import type { Expr, NumCol, Operand, StrCol } from '../column-types.ts'
import type { NullOf } from '../types.ts'
import { call } from './call.ts'

export function md5<A extends 'string' | 'binary' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('md5', e)
}
/** SHA-2 of 224, 256, 384 or 512 bits as hexadecimal text (0 means 256). */
export function sha2(e: Expr<'string' | 'binary' | null>, bits: 0 | 224 | 256 | 384 | 512): StrCol<'string' | null> {
  return call('sha2', e, bits)
}
/** The SHA-1 digest as hexadecimal text. */
export function sha1<A extends 'string' | 'binary' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('sha1', e)
}
export function sha<A extends 'string' | 'binary' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('sha1', e)
}
/** The CRC-32 checksum. */
export function crc32<A extends 'string' | 'binary' | null>(e: Expr<A>): NumCol<'long' | NullOf<A>> {
  return call('crc32', e)
}
/** Spark's 32-bit Murmur3 hash of all values; nulls are passed over. */
export function hash(...values: [Operand, ...Operand[]]): NumCol<'int'> {
  return call('hash', ...values)
}
/** The 64-bit xxHash of all values, as Spark computes it; nulls are passed over. */
export function xxhash64(...values: [Operand, ...Operand[]]): NumCol<'long'> {
  return call('xxhash64', ...values)
}
