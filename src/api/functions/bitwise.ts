/** Bits of whole numbers. */
import type { Expr, NumCol } from '../column-types.ts'
import type { IntLike, NullOf } from '../types.ts'
import { call } from './call.ts'

type Count = Expr<IntLike | null> | number
/** How many bits are set. */
export function bit_count<A extends IntLike | 'boolean' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('bit_count', e)
}
/** The other bits. */
export function bitwise_not<A extends IntLike | null>(e: Expr<A>): NumCol<A> {
  return call('~', e)
}
/** The bit at a position, 0 the lowest. */
export function getbit(e: Expr<IntLike | null>, position: Count): NumCol<'byte' | null> {
  return call('getbit', e, position)
}
export function bit_get(e: Expr<IntLike | null>, position: Count): NumCol<'byte' | null> {
  return call('getbit', e, position)
}
type Shifted<A> = 'long' extends A ? 'long' : 'int'
/** Shifted to the left; the count is taken modulo the width. */
export function shiftleft<A extends IntLike | null>(e: Expr<A>, count: Count): NumCol<Shifted<A> | null> {
  return call('shiftleft', e, count)
}
/** Shifted to the right with its sign. */
export function shiftright<A extends IntLike | null>(e: Expr<A>, count: Count): NumCol<Shifted<A> | null> {
  return call('shiftright', e, count)
}
/** Shifted to the right, zeros from the left. */
export function shiftrightunsigned<A extends IntLike | null>(e: Expr<A>, count: Count): NumCol<Shifted<A> | null> {
  return call('shiftrightunsigned', e, count)
}
