/**
 * Spark's functions under Spark's names. Where a function takes a constant (a pattern, a length), a JavaScript value stands for it;
 * a string is always text here, never the name of a column: write col('x') for that.
 */
import { Column, call as callOf, columnExpression, expressionOf } from './column.ts'
import type {
  Arith,
  ArrCol,
  BoolCol,
  CaseWhen,
  Col,
  Expr,
  Literal,
  Named,
  Num,
  NumberInput,
  NumCol,
  Operand,
  OpNull,
  OpType,
  StrCol,
  TimeCol,
  TypeOf,
  Unmarked,
  UntypedCol,
  Widest,
} from './column-types.ts'
import { literalOf } from './literal.ts'
import type { Arr, DecimalText, FromJs, IntLike, IsAny, MapOf, NullOf, Struct, TimeLike, TypeToken, Watermark } from './types.ts'

type Str = Expr<'string' | null>
type Text = Str | string
type Bool = Expr<'boolean' | null>
type Whole = Expr<IntLike | null> | number | bigint

// One line a function: what the compiler knows of it. The call itself is the same for all.
const call = callOf as unknown as (name: string, ...args: unknown[]) => any
/** Without the arguments at the end that were left out. */
function given(...args: unknown[]): unknown[] {
  return args.filter((arg) => arg !== undefined)
}

// ---- columns and constants

/** A column by name, `a.x` for a column x of the relation alias('a') or a field x of a. Not checked by the compiler. */
export function col<const Name extends string>(name: Name): UntypedCol<Name> {
  return new Column(name === '*' ? { kind: 'star' } : { kind: 'attribute', name }) as unknown as UntypedCol<Name>
}
/** A constant; with a type, as that type: `lit(1, t.double())`. */
export function lit<const V extends Literal>(value: V): Col<FromJs<V>>
export function lit<T>(value: Literal, type: TypeToken<T>): Col<T>
export function lit(value: Literal, type?: TypeToken<unknown>): unknown {
  return new Column(literalOf(value, type?.type))
}
/** Any function by its name, for the untyped way. */
export function call_function(name: string, ...args: Operand[]): UntypedCol {
  return call(name, ...args)
}
/** A column's opposite of false: `not(a.eq(b))`. */
export function not<A extends 'boolean' | null>(e: Expr<A>): BoolCol<A> {
  return call('not', e)
}
export function isnull(e: Expr<any>): BoolCol<'boolean'> {
  return call('isnull', e)
}
export function isnotnull(e: Expr<any>): BoolCol<'boolean'> {
  return call('isnotnull', e)
}
export function isnan(e: Expr<Num>): BoolCol<'boolean'> {
  return call('isnan', e)
}

// ---- conditions

/** `when(condition, value).when(…).otherwise(value)`; null where no branch fits. */
export function when<const V extends Operand>(condition: Bool, value: V): CaseWhen<TypeOf<V>> {
  return new Column({
    kind: 'case',
    branches: [{ condition: expressionOf(condition), value: expressionOf(value) }],
    otherwise: null,
  }) as unknown as CaseWhen<TypeOf<V>>
}
type NotNullOf<L extends readonly unknown[]> = Exclude<TypeOf<L[number]>, null>
type NullIfAll<L extends readonly unknown[]> = L extends readonly [infer H, ...infer R]
  ? [OpNull<H>] extends [never]
    ? never
    : NullIfAll<R>
  : null
type NullIfAny<L extends readonly unknown[]> = OpNull<L[number]>
/** The first value that is not null. */
export function coalesce<const L extends readonly Operand[]>(...values: L): Col<Widest<NotNullOf<L> | NullIfAll<L>>> {
  return call('coalesce', ...values)
}
/** `value`, or `otherwise` where it is null. */
export function nvl<A, const B extends Operand>(value: Expr<A>, otherwise: B): Col<Widest<Unmarked<Exclude<A, null>> | TypeOf<B>>> {
  return call('nvl', value, otherwise)
}
export function ifnull<A, const B extends Operand>(value: Expr<A>, otherwise: B): Col<Widest<Unmarked<Exclude<A, null>> | TypeOf<B>>> {
  return call('ifnull', value, otherwise)
}
/** Null where the two are equal, else the first. */
export function nullif<A>(a: Expr<A>, b: Operand): Col<Unmarked<A> | null> {
  return call('nullif', a, b)
}
/** The greatest value; nulls are passed over. */
export function greatest<const L extends readonly [Operand, Operand, ...Operand[]]>(
  ...values: L
): Col<Widest<NotNullOf<L> | NullIfAll<L>>> {
  return call('greatest', ...values)
}
export function least<const L extends readonly [Operand, Operand, ...Operand[]]>(...values: L): Col<Widest<NotNullOf<L> | NullIfAll<L>>> {
  return call('least', ...values)
}

// ---- strings

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
/** Every match of a regular expression replaced; $1 stands for a group. */
export function regexp_replace<A extends 'string' | null>(e: Expr<A>, pattern: Text, replacement: Text): StrCol<'string' | NullOf<A>> {
  return call('regexp_replace', e, pattern, replacement)
}
/** A group of the first match, or '' where there is none. */
export function regexp_extract<A extends 'string' | null>(e: Expr<A>, pattern: string, group = 1): StrCol<'string' | NullOf<A>> {
  return call('regexp_extract', e, pattern, group)
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
export function md5<A extends 'string' | 'binary' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('md5', e)
}
/** SHA-2 of 224, 256, 384 or 512 bits as hexadecimal text (0 means 256). */
export function sha2(e: Expr<'string' | 'binary' | null>, bits: 0 | 224 | 256 | 384 | 512): StrCol<'string' | null> {
  return call('sha2', e, bits)
}

// ---- numbers

export function abs<A extends Num>(e: Expr<A>): NumCol<A> {
  return call('abs', e)
}
type WholeOf<A> = IsAny<A> extends true ? any : A extends DecimalText ? DecimalText : A extends null ? null : 'long'
export function ceil<A extends Num>(e: Expr<A>): NumCol<WholeOf<A>> {
  return call('ceil', e)
}
export function floor<A extends Num>(e: Expr<A>): NumCol<WholeOf<A>> {
  return call('floor', e)
}
type Rounded<A> = IsAny<A> extends true ? any : A extends DecimalText ? DecimalText : A
/** Half up to `scale` digits after the point; a negative scale rounds before it. */
export function round<A extends Num>(e: Expr<A>, scale = 0): NumCol<Rounded<A>> {
  return call('round', e, scale)
}
export function sqrt<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sqrt', e)
}
export function exp<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('exp', e)
}
export function ln(e: Expr<Num>): NumCol<'double' | null> {
  return call('ln', e)
}
export function log10(e: Expr<Num>): NumCol<'double' | null> {
  return call('log10', e)
}
export function pow<A extends Num, const B extends Expr<Num> | NumberInput>(
  base: Expr<A>,
  exponent: B,
): NumCol<'double' | NullOf<A> | OpNull<B>> {
  return call('pow', base, exponent)
}
/** The remainder of a division, with the sign of the dividend. */
export function mod<A extends Num, const B extends Expr<Num> | NumberInput>(
  a: Expr<A>,
  b: B,
): NumCol<Arith<Exclude<A, null>, OpType<B>> | null> {
  return call('%', a, b)
}
export function sign<A extends Num>(e: Expr<A>): NumCol<'double' | NullOf<A>> {
  return call('sign', e)
}

// ---- dates and times

export function year<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('year', e)
}
export function month<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('month', e)
}
/** Day of the month. */
export function day<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('day', e)
}
export function dayofmonth<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('day', e)
}
export function quarter<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('quarter', e)
}
/** 1 is Sunday. */
export function dayofweek<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('dayofweek', e)
}
export function dayofyear<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('dayofyear', e)
}
/** ISO 8601 week. */
export function weekofyear<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('weekofyear', e)
}
export function hour<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('hour', e)
}
export function minute<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('minute', e)
}
export function second<A extends TimeLike | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('second', e)
}
export type TruncUnit = 'year' | 'quarter' | 'month' | 'week' | 'day' | 'hour' | 'minute' | 'second' | 'millisecond' | 'microsecond'
/** The beginning of the year, month, … hour that holds the time. */
export function date_trunc<A extends TimeLike | null>(
  unit: TruncUnit,
  e: Expr<A>,
): TimeCol<('timestamp_ntz' extends A ? 'timestamp_ntz' : 'timestamp') | NullOf<A>> {
  return call('date_trunc', unit, e)
}
export function to_date<A extends 'string' | TimeLike | null>(e: Expr<A>, format?: string): TimeCol<'date' | NullOf<A>> {
  return call('to_date', ...given(e, format))
}
export function to_timestamp<A extends 'string' | TimeLike | null>(e: Expr<A>, format?: string): TimeCol<'timestamp' | NullOf<A>> {
  return call('to_timestamp', ...given(e, format))
}
/** Seconds since 1970; of now where nothing is given. */
export function unix_timestamp(): NumCol<'long'>
export function unix_timestamp<A extends 'string' | TimeLike | null>(e: Expr<A>, format?: string): NumCol<'long' | NullOf<A>>
export function unix_timestamp(e?: unknown, format?: string): unknown {
  return call('unix_timestamp', ...given(e, format))
}
export function unix_seconds<A extends TimeLike | null>(e: Expr<A>): NumCol<'long' | NullOf<A>> {
  return call('unix_seconds', e)
}
export function unix_millis<A extends TimeLike | null>(e: Expr<A>): NumCol<'long' | NullOf<A>> {
  return call('unix_millis', e)
}
export function unix_micros<A extends TimeLike | null>(e: Expr<A>): NumCol<'long' | NullOf<A>> {
  return call('unix_micros', e)
}
export function timestamp_seconds<A extends Num>(
  e: Expr<A>,
): TimeCol<'timestamp' | NullOf<A> | ([Extract<A, 'double' | 'float'>] extends [never] ? never : null)> {
  return call('timestamp_seconds', e)
}
export function timestamp_millis<A extends IntLike | null>(e: Expr<A>): TimeCol<'timestamp' | NullOf<A>> {
  return call('timestamp_millis', e)
}
export function timestamp_micros<A extends IntLike | null>(e: Expr<A>): TimeCol<'timestamp' | NullOf<A>> {
  return call('timestamp_micros', e)
}
export function date_add<A extends TimeLike | null, const B extends Whole>(e: Expr<A>, days: B): TimeCol<'date' | NullOf<A> | OpNull<B>> {
  return call('date_add', e, days)
}
export function date_sub<A extends TimeLike | null, const B extends Whole>(e: Expr<A>, days: B): TimeCol<'date' | NullOf<A> | OpNull<B>> {
  return call('date_sub', e, days)
}
/** Days from `start` to `end`. */
export function datediff<A extends TimeLike | null, B extends TimeLike | null>(
  end: Expr<A>,
  start: Expr<B>,
): NumCol<'int' | NullOf<A> | NullOf<B>> {
  return call('datediff', end, start)
}
/** The time of the batch: fixed for all its rows, and the same when it is replayed. */
export function current_timestamp(): TimeCol<'timestamp'> {
  return call('current_timestamp')
}
export function current_date(): TimeCol<'date'> {
  return call('current_date')
}

export type WindowStruct = Struct<{ start: 'timestamp'; end: 'timestamp' }>
type Marked<A> = IsAny<A> extends true ? Watermark : [Exclude<A, null>] extends [Watermark] ? Watermark : unknown
/**
 * The time window that a row falls into, [start, end): as long as `duration`, one every `slide` (by default one after the other),
 * counted from 1970-01-01 plus `start`. Rows without a time fall out; with a shorter slide a row falls into several windows.
 */
export function window<A extends TimeLike | WindowStruct | null>(
  time: Expr<A>,
  duration: string,
  slide?: string,
  start?: string,
): Col<WindowStruct & Marked<A>> {
  return call('window', ...given(time, duration, start === undefined ? slide : (slide ?? duration), start))
}
/** The time that stands for a window in further time operations: its end less one microsecond. */
export function window_time<A extends WindowStruct | null>(e: Expr<A>): TimeCol<('timestamp' & Marked<A>) | NullOf<A>> {
  return call('window_time', e)
}

// ---- nested values

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

// ---- aggregates

/** Rows; of an expression, rows where it is not null. */
export function count(e?: Expr<any>): NumCol<'long'> {
  return call('count', ...given(e))
}
/** Different values that are not null. Batch only. */
export function count_distinct(e: Expr<any>, ...more: Expr<any>[]): NumCol<'long'> {
  return new Column({ kind: 'call', name: 'count', args: [e, ...more].map(expressionOf), distinct: true }) as any
}
export type SumType<A> = IsAny<A> extends true ? any : A extends IntLike ? 'long' : A extends 'double' | 'float' ? 'double' : DecimalText
export function sum<A extends Num>(e: Expr<A>): NumCol<SumType<Exclude<A, null>> | null> {
  return call('sum', e)
}
export function sum_distinct<A extends Num>(e: Expr<A>): NumCol<SumType<Exclude<A, null>> | null> {
  return new Column({ kind: 'call', name: 'sum', args: [expressionOf(e)], distinct: true }) as any
}
export type AvgType<A> = IsAny<A> extends true ? any : A extends DecimalText ? DecimalText : 'double'
export function avg<A extends Num>(e: Expr<A>): NumCol<AvgType<Exclude<A, null>> | null> {
  return call('avg', e)
}
export function mean<A extends Num>(e: Expr<A>): NumCol<AvgType<Exclude<A, null>> | null> {
  return call('avg', e)
}
export function min<A>(e: Expr<A>): Col<Unmarked<A> | null> {
  return call('min', e)
}
export function max<A>(e: Expr<A>): Col<Unmarked<A> | null> {
  return call('max', e)
}
/** The first value in order of arrival; in no fixed order unless the input has one. */
export function first<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('first', ...given(e, ignoreNulls || undefined))
}
export function last<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('last', ...given(e, ignoreNulls || undefined))
}
export function any_value<A>(e: Expr<A>, ignoreNulls = false): Col<Unmarked<A> | null> {
  return call('any_value', ...given(e, ignoreNulls || undefined))
}
export function count_if(condition: Bool): NumCol<'long'> {
  return call('count_if', condition)
}
export function bool_and(condition: Bool): BoolCol<'boolean' | null> {
  return call('bool_and', condition)
}
export function bool_or(condition: Bool): BoolCol<'boolean' | null> {
  return call('bool_or', condition)
}
export function stddev_samp(e: Expr<Num>): NumCol<'double' | null> {
  return call('stddev_samp', e)
}
export function stddev(e: Expr<Num>): NumCol<'double' | null> {
  return call('stddev_samp', e)
}
export function stddev_pop(e: Expr<Num>): NumCol<'double' | null> {
  return call('stddev_pop', e)
}
export function var_samp(e: Expr<Num>): NumCol<'double' | null> {
  return call('var_samp', e)
}
export function variance(e: Expr<Num>): NumCol<'double' | null> {
  return call('var_samp', e)
}
export function var_pop(e: Expr<Num>): NumCol<'double' | null> {
  return call('var_pop', e)
}
