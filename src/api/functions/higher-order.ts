/**
 * Functions that take a function of columns: `transform(items, (x) => x.add(1))`. It is called once, with columns that stand for an element, and
 * what it gives becomes part of the plan. A function with two parameters also gets the element's index, counted from 0.
 */
import type { UnresolvedExpression } from '../../plan/expression.ts'
import { Column, expressionOf } from '../column.ts'
import type { ArrCol, BoolCol, Col, Expr, MapCol, NumCol, Operand, TypeOf, Widest } from '../column-types.ts'
import type { Arr, IsAny, MapOf, NullOf } from '../types.ts'
import { type Bool, call } from './call.ts'

/** How many of these functions stand around the one that is being made: it tells their parameters apart, the same in every run. */
let depth = 0
const letters = ['x', 'y', 'z']

function lambda(f: (...columns: any[]) => unknown, paramCount: number): Column {
  depth++
  try {
    const params = letters.slice(0, paramCount).map((letter) => `${letter}_${depth}`)
    const columns = params.map((name) => new Column({ kind: 'attribute', name }))
    return new Column({ kind: 'lambda', params, body: expressionOf(f(...columns)) } satisfies UnresolvedExpression)
  } finally {
    depth--
  }
}
/** With the index where the function asks for it. */
function elementLambda(f: (...columns: any[]) => unknown): Column {
  return lambda(f, f.length > 1 ? 2 : 1)
}

type Element<A> = IsAny<A> extends true ? any : A extends Arr<infer E> ? E : never
type Index = NumCol<'int'>
type Made<R> = Widest<TypeOf<R>>

/** What a function gives for each element. */
export function transform<A extends Arr<any> | null, const R extends Operand>(
  array: Expr<A>,
  f: (x: Col<Element<A>>, index: Index) => R,
): ArrCol<Made<R>, NullOf<A>> {
  return call('transform', array, elementLambda(f))
}
/** The elements for which a function gives true. */
export function filter<A extends Arr<any> | null>(
  array: Expr<A>,
  f: (x: Col<Element<A>>, index: Index) => Bool | boolean,
): ArrCol<Element<A>, NullOf<A>> {
  return call('filter', array, elementLambda(f))
}
/** Whether a function gives true for an element; null where it gives null for one and true for none. */
export function exists<A extends Arr<any> | null>(array: Expr<A>, f: (x: Col<Element<A>>) => Bool | boolean): BoolCol<'boolean' | null> {
  return call('exists', array, lambda(f, 1))
}
/** Whether a function gives true for all elements; null where it gives null for one and false for none. */
export function forall<A extends Arr<any> | null>(array: Expr<A>, f: (x: Col<Element<A>>) => Bool | boolean): BoolCol<'boolean' | null> {
  return call('forall', array, lambda(f, 1))
}
/** The elements folded into one value, which has the type of the start. `finish` makes the result of it. */
export function aggregate<A extends Arr<any> | null, const S extends Operand>(
  array: Expr<A>,
  start: S,
  merge: (acc: Col<Widest<TypeOf<S>> | null>, x: Col<Element<A>>) => Operand,
): Col<Widest<TypeOf<S>> | null>
export function aggregate<A extends Arr<any> | null, const S extends Operand, const R extends Operand>(
  array: Expr<A>,
  start: S,
  merge: (acc: Col<Widest<TypeOf<S>> | null>, x: Col<Element<A>>) => Operand,
  finish: (acc: Col<Widest<TypeOf<S>> | null>) => R,
): Col<Made<R> | null>
export function aggregate(array: unknown, start: unknown, merge: (...columns: any[]) => unknown, finish?: (acc: any) => unknown): unknown {
  return call('aggregate', array, start, lambda(merge, 2), ...(finish ? [lambda(finish, 1)] : []))
}
/** Another name of aggregate. */
export const reduce = aggregate

/** What a function gives for the elements at each place of two arrays; nulls fill up the shorter one. */
export function zip_with<A extends Arr<any> | null, B extends Arr<any> | null, const R extends Operand>(
  a: Expr<A>,
  b: Expr<B>,
  f: (x: Col<Element<A> | null>, y: Col<Element<B> | null>) => R,
): ArrCol<Made<R>, NullOf<A> | NullOf<B>> {
  return call('zip_with', a, b, lambda(f, 2))
}

type Key<M> = IsAny<M> extends true ? any : M extends MapOf<infer K, any> ? K : never
type Value<M> = IsAny<M> extends true ? any : M extends MapOf<any, infer V> ? V : never
/** The entries for which a function gives true. */
export function map_filter<M extends MapOf<any, any> | null>(
  map: Expr<M>,
  f: (key: Col<Key<M>>, value: Col<Value<M>>) => Bool | boolean,
): MapCol<Key<M>, Value<M>, NullOf<M>> {
  return call('map_filter', map, lambda(f, 2))
}
/** A map of the keys of both, with what a function gives for their values. */
export function map_zip_with<M extends MapOf<any, any> | null, N extends MapOf<any, any> | null, const R extends Operand>(
  a: Expr<M>,
  b: Expr<N>,
  f: (key: Col<Key<M>>, x: Col<Value<M> | null>, y: Col<Value<N> | null>) => R,
): MapCol<Key<M>, Made<R>, NullOf<M> | NullOf<N>> {
  return call('map_zip_with', a, b, lambda(f, 3))
}
/** The map with the keys that a function gives; one that is null or there twice is an error. */
export function transform_keys<M extends MapOf<any, any> | null, const R extends Operand>(
  map: Expr<M>,
  f: (key: Col<Key<M>>, value: Col<Value<M>>) => R,
): MapCol<Exclude<Made<R>, null>, Value<M>, NullOf<M>> {
  return call('transform_keys', map, lambda(f, 2))
}
/** The map with the values that a function gives. */
export function transform_values<M extends MapOf<any, any> | null, const R extends Operand>(
  map: Expr<M>,
  f: (key: Col<Key<M>>, value: Col<Value<M>>) => R,
): MapCol<Key<M>, Made<R>, NullOf<M>> {
  return call('transform_values', map, lambda(f, 2))
}
/**
 * The array in order, nulls last; or by a comparison that gives a negative number, 0 or a positive one: `array_sort(words, (a, b) =>
 * length(a).sub(length(b)))`. With a comparison the work grows with the square of the array's length.
 */
export function array_sort<A extends Arr<any> | null>(
  array: Expr<A>,
  compare?: (left: Col<Element<A>>, right: Col<Element<A>>) => Expr<'int' | null> | number,
): ArrCol<Element<A>, NullOf<A>> {
  return call('array_sort', array, ...(compare ? [lambda(compare, 2)] : []))
}
