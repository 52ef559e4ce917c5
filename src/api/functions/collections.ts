/** Structs, arrays and maps. */
import { Column, columnExpression } from '../column.ts'
import type {
  ArrCol,
  BoolCol,
  Col,
  Expr,
  IntervalInput,
  MapCol,
  Named,
  NumCol,
  Operand,
  OpNull,
  StrCol,
  TypeOf,
  UntypedCol,
  Widest,
} from '../column-types.ts'
import type { Arr, IntLike, IsAny, MapOf, NullOf, Struct, TimeLike } from '../types.ts'
import { call, given, type Text, type Whole } from './call.ts'

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

// ---- arrays

type Element<A> = IsAny<A> extends true ? any : A extends Arr<infer E> ? E : never
type AnyArr = Arr<any> | null
/** The array with a value behind it. */
export function array_append<A extends AnyArr, const V extends Operand>(
  e: Expr<A>,
  value: V,
): ArrCol<Widest<Element<A> | TypeOf<V>>, NullOf<A>> {
  return call('array_append', e, value)
}
/** The array with a value in front of it. */
export function array_prepend<A extends AnyArr, const V extends Operand>(
  e: Expr<A>,
  value: V,
): ArrCol<Widest<Element<A> | TypeOf<V>>, NullOf<A>> {
  return call('array_prepend', e, value)
}
/** The array with a value at a position from 1, or from the end below 0; nulls fill a gap. */
export function array_insert<A extends AnyArr, const P extends Whole, const V extends Operand>(
  e: Expr<A>,
  position: P,
  value: V,
): ArrCol<Widest<Element<A> | TypeOf<V>> | null, NullOf<A> | OpNull<P>> {
  return call('array_insert', e, position, value)
}
/** The array without the elements that equal a value. */
export function array_remove<A extends AnyArr, const V extends Operand>(e: Expr<A>, value: V): ArrCol<Element<A>, NullOf<A> | OpNull<V>> {
  return call('array_remove', e, value)
}
/** The first position of a value, from 1; 0 where it is not there. */
export function array_position<A extends AnyArr, const V extends Operand>(e: Expr<A>, value: V): NumCol<'long' | NullOf<A> | OpNull<V>> {
  return call('array_position', e, value)
}
/** Each value once, in the order of their first places. */
export function array_distinct<A extends AnyArr>(e: Expr<A>): ArrCol<Element<A>, NullOf<A>> {
  return call('array_distinct', e)
}
/** The values of both, each once. */
export function array_union<A extends AnyArr, B extends AnyArr>(
  a: Expr<A>,
  b: Expr<B>,
): ArrCol<Widest<Element<A> | Element<B>>, NullOf<A> | NullOf<B>> {
  return call('array_union', a, b)
}
/** The values that both have, each once. */
export function array_intersect<A extends AnyArr, B extends AnyArr>(
  a: Expr<A>,
  b: Expr<B>,
): ArrCol<Widest<Element<A> | Exclude<Element<B>, null>>, NullOf<A> | NullOf<B>> {
  return call('array_intersect', a, b)
}
/** The values of the first that the second has not, each once. */
export function array_except<A extends AnyArr, B extends AnyArr>(
  a: Expr<A>,
  b: Expr<B>,
): ArrCol<Widest<Element<A> | Exclude<Element<B>, null>>, NullOf<A> | NullOf<B>> {
  return call('array_except', a, b)
}
/** The elements as one text; nulls are left out, or written as given. */
export function array_join<A extends AnyArr>(e: Expr<A>, separator: Text, forNull?: Text): StrCol<'string' | null> {
  return call('array_join', ...given(e, separator, forNull))
}
/** The greatest element; nulls are passed over. */
export function array_max<A extends AnyArr>(e: Expr<A>): Col<Element<A> | null> {
  return call('array_max', e)
}
/** The least element; nulls are passed over. */
export function array_min<A extends AnyArr>(e: Expr<A>): Col<Element<A> | null> {
  return call('array_min', e)
}
/** An array of a value, `count` times. */
export function array_repeat<const V extends Operand, const N extends Whole>(value: V, count: N): ArrCol<TypeOf<V>, OpNull<N>> {
  return call('array_repeat', value, count)
}
export function array_size<A extends AnyArr>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('array_size', e)
}
/** The array without its nulls. */
export function array_compact<A extends AnyArr>(e: Expr<A>): ArrCol<Exclude<Element<A>, null>, NullOf<A>> {
  return call('array_compact', e)
}
/** The array in order; nulls first where ascending, else last. */
export function sort_array<A extends AnyArr>(e: Expr<A>, ascending = true): ArrCol<Element<A>, NullOf<A>> {
  return call('sort_array', e, ascending)
}
/** Whether both have a value that is not null in common; null where it might be one of their nulls. */
export function arrays_overlap<A extends AnyArr, B extends AnyArr>(a: Expr<A>, b: Expr<B>): BoolCol<'boolean' | null> {
  return call('arrays_overlap', a, b)
}
/** The elements at each place as structs, whose fields are called as the columns, or by their number; nulls fill up shorter arrays. */
export function arrays_zip(...arrays: Expr<AnyArr>[]): UntypedCol {
  return call('arrays_zip', ...arrays)
}
/** Another name of size. */
export const cardinality = size
/** As element_at; null where there is no such element. */
export function try_element_at<E>(e: Expr<Arr<E> | null>, position: Whole): Col<E | null>
export function try_element_at<K, V>(e: Expr<MapOf<K, V> | null>, key: Operand): Col<V | null>
export function try_element_at(e: unknown, key: unknown): unknown {
  return call('try_element_at', e, key)
}
/** The element at an index from 0; null where there is none. */
export function get<A extends AnyArr>(e: Expr<A>, index: Whole): Col<Element<A> | null> {
  return call('get', e, index)
}
/** The elements of the arrays in an array, one after the other; null where one is null. */
export function flatten<A extends AnyArr>(e: Expr<A>): ArrCol<Element<Exclude<Element<A>, null>>, NullOf<A> | NullOf<Element<A>>> {
  return call('flatten', e)
}
/** The values from start to stop, both in it: whole numbers, or dates or timestamps with an interval as the step. */
export function sequence<A extends IntLike | null>(
  start: Expr<A>,
  stop: Expr<IntLike | null> | number | bigint,
  step?: Whole,
): ArrCol<Exclude<A, null>, null>
export function sequence<A extends TimeLike | null>(
  start: Expr<A>,
  stop: Expr<TimeLike | null>,
  step?: IntervalInput,
): ArrCol<Exclude<A, null>, null>
export function sequence(start: unknown, stop: unknown, step?: unknown): unknown {
  return call('sequence', ...given(start, stop, typeof step === 'string' ? call('interval', step) : step))
}
/** The array in an order by chance; with a seed, in one that follows from it. */
export function shuffle<A extends AnyArr>(e: Expr<A>, seed?: number | bigint): ArrCol<Element<A>, NullOf<A>> {
  return call('shuffle', ...given(e, seed))
}
/** `length` elements from a position from 1, or from the end below 0. */
export function slice<A extends AnyArr, const S extends Whole, const L extends Whole>(
  e: Expr<A>,
  start: S,
  length: L,
): ArrCol<Element<A>, NullOf<A> | OpNull<S> | OpNull<L>> {
  return call('slice', e, start, length)
}

// ---- maps

type AnyMap = MapOf<any, any> | null
type Key<M> = IsAny<M> extends true ? any : M extends MapOf<infer K, any> ? K : never
type Value<M> = IsAny<M> extends true ? any : M extends MapOf<any, infer V> ? V : never
/** A map of keys and values in turn: `map('a', 1, 'b', 2)`. A key that is null or there twice is an error. */
export function map<const K extends Operand, const V extends Operand>(
  ...pairs: [key: K, value: V, ...rest: (K | V)[]]
): MapCol<Widest<Exclude<TypeOf<K>, null>>, Widest<TypeOf<V>>> {
  return call('map', ...pairs)
}
/** Another name of map, as PySpark has it. */
export const create_map = map
/** A map of an array of keys and one of values. */
export function map_from_arrays<A extends AnyArr, B extends AnyArr>(
  keys: Expr<A>,
  values: Expr<B>,
): MapCol<Exclude<Element<A>, null>, Element<B>, NullOf<A> | NullOf<B>> {
  return call('map_from_arrays', keys, values)
}
/** A map of an array of structs of key and value. */
export function map_from_entries(entries: Expr<AnyArr>): UntypedCol {
  return call('map_from_entries', entries)
}
/** The entries as structs of key and value. */
export function map_entries<M extends AnyMap>(e: Expr<M>): ArrCol<Struct<{ key: Key<M>; value: Value<M> }>, NullOf<M>> {
  return call('map_entries', e)
}
/** The entries of all; a key that two have is an error. */
export function map_concat<M extends AnyMap>(first: Expr<M>, ...rest: Expr<AnyMap>[]): MapCol<Key<M>, Value<M>, null> {
  return call('map_concat', first, ...rest)
}
export function map_contains_key<M extends AnyMap, const K extends Operand>(
  e: Expr<M>,
  key: K,
): BoolCol<'boolean' | NullOf<M> | OpNull<K>> {
  return call('map_contains_key', e, key)
}
/** A map of a text of pairs; the separators are regular expressions. Where a pair has no second part its value is null. */
export function str_to_map<A extends 'string' | null>(
  e: Expr<A>,
  pairSeparator: Text = ',',
  keyValueSeparator: Text = ':',
): MapCol<'string', 'string' | null, NullOf<A>> {
  return call('str_to_map', e, pairSeparator, keyValueSeparator)
}
/** A struct of names and values in turn. */
export function named_struct(...pairs: Operand[]): UntypedCol {
  return call('named_struct', ...pairs)
}
