/** Structs, arrays and maps. */
import { Column, columnExpression } from '../column.ts'
import type { ArrCol, BoolCol, Col, Expr, Named, NumCol, Operand, TypeOf, UntypedCol, Widest } from '../column-types.ts'
import type { Arr, MapOf, NullOf, Struct } from '../types.ts'
import { call, type Whole } from './call.ts'

/** A struct of columns with names: `struct({ lat, lon })`, or of named columns. */
export function struct<S>(fields: { [P in keyof S]: Expr<S[P]> }): Col<Struct<{ [P in keyof S]: S[P] }>>
export function struct(...columns: Named<string, any>[]): UntypedCol
export function struct(...parts: unknown[]): unknown {
  const [first] = parts
  if (parts.length !== 1 || first instanceof Column) return call('struct', ...parts)
  const pairs = Object.entries(first as object).flatMap(([name, value]) => [name, new Column(columnExpression(`${name} in struct`, value))])
  return call('named_struct', ...pairs)
}
export function array<const L extends readonly Operand[]>(...elements: L): ArrCol<Widest<TypeOf<L[number]>>> {
  return call('array', ...elements)
}
/** Elements of an array or entries of a map; null of null. */
export function size<A extends Arr<any> | MapOf<any, any> | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('size', e)
}
/** An array's element by position (1 is the first, -1 the last; none there is an error), or a map's value by key (null where there is none). */
export function element_at<E>(e: Expr<Arr<E> | null>, position: Whole): Col<E>
export function element_at<K, V>(e: Expr<MapOf<K, V> | null>, key: Operand): Col<V | null>
export function element_at(e: unknown, key: unknown): unknown {
  return call('element_at', e, key)
}
export function array_contains<E>(e: Expr<Arr<E> | null>, value: Operand): BoolCol<'boolean' | null> {
  return call('array_contains', e, value)
}
export function map_keys<K, V>(e: Expr<MapOf<K, V>>): ArrCol<K>
export function map_keys<K, V>(e: Expr<MapOf<K, V> | null>): ArrCol<K, null>
export function map_keys(e: unknown): unknown {
  return call('map_keys', e)
}
export function map_values<K, V>(e: Expr<MapOf<K, V>>): ArrCol<V>
export function map_values<K, V>(e: Expr<MapOf<K, V> | null>): ArrCol<V, null>
export function map_values(e: unknown): unknown {
  return call('map_values', e)
}
