/**
 * Functions that make several rows of one. They stand alone in select and withColumn, never inside another expression: what they give has
 * no methods but `as`.
 */
import type { Expr, GeneratedColumns, Generator, NamedGenerator, Operand, UntypedCol, UntypedGenerator } from '../column-types.ts'
import type { Arr, MapOf, NullOf, Struct } from '../types.ts'
import { call, type Text } from './call.ts'

type OrNull<S> = { [P in keyof S]: S[P] | null }

/** A row for each element of an array (`col`), or entry of a map (`key`, `value`). None where it is empty or null. */
export function explode(e: UntypedCol): UntypedGenerator
export function explode<E>(e: Expr<Arr<E> | null>): Generator<E>
export function explode<K, V>(e: Expr<MapOf<K, V> | null>): NamedGenerator<{ key: K; value: V }, [K, V]>
export function explode(e: unknown): unknown {
  return call('explode', e)
}
/** As explode, with a row of null where there is no element. */
export function explode_outer(e: UntypedCol): UntypedGenerator
export function explode_outer<E>(e: Expr<Arr<E> | null>): Generator<E | null>
export function explode_outer<K, V>(e: Expr<MapOf<K, V> | null>): NamedGenerator<{ key: K | null; value: V | null }, [K | null, V | null]>
export function explode_outer(e: unknown): unknown {
  return call('explode_outer', e)
}
/** As explode, with the position in front, 0 the first (`pos`). */
export function posexplode(e: UntypedCol): UntypedGenerator
export function posexplode<E>(e: Expr<Arr<E> | null>): NamedGenerator<{ pos: 'int'; col: E }, ['int', E]>
export function posexplode<K, V>(e: Expr<MapOf<K, V> | null>): NamedGenerator<{ pos: 'int'; key: K; value: V }, ['int', K, V]>
export function posexplode(e: unknown): unknown {
  return call('posexplode', e)
}
export function posexplode_outer(e: UntypedCol): UntypedGenerator
export function posexplode_outer<E>(e: Expr<Arr<E> | null>): NamedGenerator<{ pos: 'int' | null; col: E | null }, ['int' | null, E | null]>
export function posexplode_outer<K, V>(
  e: Expr<MapOf<K, V> | null>,
): NamedGenerator<{ pos: 'int' | null; key: K | null; value: V | null }, ['int' | null, K | null, V | null]>
export function posexplode_outer(e: unknown): unknown {
  return call('posexplode_outer', e)
}
/** A row for each struct of an array, its fields as columns. */
export function inline(e: UntypedCol): UntypedGenerator
export function inline<A>(
  e: Expr<Arr<A> | null>,
): GeneratedColumns<A extends Struct<infer S> | null ? ([NullOf<A>] extends [never] ? S : OrNull<S>) : never>
export function inline(e: unknown): any {
  return call('inline', e)
}
export function inline_outer(e: UntypedCol): UntypedGenerator
export function inline_outer<A>(e: Expr<Arr<A> | null>): GeneratedColumns<A extends Struct<infer S> | null ? OrNull<S> : never>
export function inline_outer(e: unknown): any {
  return call('inline_outer', e)
}
/** The values laid out in `rows` rows, columns `col0`, `col1`, …; the compiler does not know their types. */
export function stack(rows: number, ...values: Operand[]): UntypedGenerator {
  return call('stack', rows, ...values)
}
/** Members of a JSON object as text, columns `c0`, `c1`, …; null where there is none. Always one row. */
export function json_tuple(json: Expr<'string' | null>, ...names: Text[]): UntypedGenerator {
  return call('json_tuple', json, ...names)
}
