/** The columns as the compiler sees them: which methods each SQL type has, and what they give. The run-time class behind all of them is in column.ts. */
import type { Temporal } from 'temporal-polyfill'
import type { Decimal } from '../data/decimal.ts'
import type {
  Arr,
  DayTimeInterval,
  DecimalText,
  FromJs,
  IntervalLike,
  IsAny,
  Js,
  MapOf,
  NullOf,
  Numeric,
  Primitive,
  Struct,
  TimeLike,
  TypeToken,
  Watermark,
  YearMonthInterval,
} from './types.ts'
import type { WindowSpec } from './window-spec.ts'

export declare const T: unique symbol
export declare const J: unique symbol
export declare const N: unique symbol
export declare const SORT: unique symbol
export declare const G: unique symbol

/** The thin base of all columns, and the only column type in parameter positions: relating two columns costs one comparison. */
export interface Expr<out A> {
  readonly [T]: A
}
/** Anything whose value in JavaScript is a V. */
export interface JsExpr<out V> {
  readonly [J]: V
}
/** A column with a name of its own, by `as`. */
export interface Named<out Name extends string, out A> extends Expr<A> {
  readonly [N]: Name
}
/** Several columns under their names, which a generator makes: an item of select. */
export interface GeneratedColumns<out S> {
  readonly [G]: S
}
/** One column that a generator makes: an item of select, or the value of withColumn. */
export interface Generator<out E> extends Expr<E>, GeneratedColumns<{ col: E }> {
  as<const Name extends string>(name: Name): Named<Name, E>
  alias<const Name extends string>(name: Name): Named<Name, E>
}
/** What a generator makes of an untyped column: as many columns as it has names. */
export interface UntypedGenerator extends Expr<any>, GeneratedColumns<any> {
  as<const Names extends readonly string[]>(...names: Names): GeneratedColumns<{ [P in Names[number]]: any }>
  alias<const Names extends readonly string[]>(...names: Names): GeneratedColumns<{ [P in Names[number]]: any }>
}
/** Columns S, of the types L in their order: `posexplode(tags).as('i', 'tag')` gives them other names. */
export interface NamedGenerator<out S, L extends readonly unknown[]> extends GeneratedColumns<S> {
  as<const Names extends { readonly [I in keyof L]: string }>(...names: Names): GeneratedColumns<Zipped<Names, L>>
  alias<const Names extends { readonly [I in keyof L]: string }>(...names: Names): GeneratedColumns<Zipped<Names, L>>
}
type Zipped<Names extends readonly string[], L extends readonly unknown[]> = {
  [I in keyof Names & `${number}` as Names[I] & string]: I extends keyof L ? L[I] : any
}
/** A sort order, by `asc` or `desc`. */
export interface Sorted {
  readonly [SORT]: true
}

export type Num = Numeric | null
export type NumberInput = number | bigint | Decimal
export type TimeInput = Date | Temporal.Instant | Temporal.PlainDate | Temporal.PlainDateTime | string
/** JavaScript values that may stand where a column may. */
export type Literal =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Temporal.Instant
  | Temporal.PlainDate
  | Temporal.PlainDateTime
  | Temporal.Duration
  | Uint8Array
  | Decimal
  | null
export type Operand = Expr<any> | Literal

/** What a column of type A can be compared with: a column of the same family, or a JavaScript value. */
export type Comparable<A> =
  IsAny<A> extends true
    ? Operand
    : [A] extends [Num]
      ? Expr<Num> | NumberInput
      : [A] extends ['string' | null]
        ? Expr<'string' | null> | string
        : [A] extends [TimeLike | null]
          ? Expr<TimeLike | null> | TimeInput
          : [A] extends ['boolean' | null]
            ? Expr<'boolean' | null> | boolean
            : [A] extends ['binary' | null]
              ? Expr<'binary' | null> | Uint8Array
              : [A] extends [DayTimeInterval | null]
                ? Expr<DayTimeInterval | null> | Temporal.Duration
                : [A] extends [YearMonthInterval | null]
                  ? Expr<YearMonthInterval | null> | Temporal.Duration
                  : Expr<A | null>

/** A computed value is no event time any more: the mark of a watermark goes. */
export type Unmarked<A> =
  IsAny<A> extends true
    ? any
    : A extends Watermark
      ? A extends 'timestamp'
        ? 'timestamp'
        : A extends 'timestamp_ntz'
          ? 'timestamp_ntz'
          : A extends Struct<infer S>
            ? Struct<S>
            : A
      : A
/** The SQL type of an operand. */
export type TypeOf<B> = B extends { readonly [T]: infer X } ? Unmarked<X> : FromJs<B>
/** Null where the operand can be null. */
export type OpNull<B> = B extends { readonly [T]: infer X } ? NullOf<X> : NullOf<B>
/** The SQL type of an operand, null aside. */
export type OpType<B> = B extends { readonly [T]: infer X } ? (IsAny<X> extends true ? any : Exclude<X, null>) : FromJs<B>

/** Result of + - * % : the wider of the two. */
export type Arith<A, B> =
  IsAny<A> extends true
    ? any
    : IsAny<B> extends true
      ? any
      : A extends 'double'
        ? 'double'
        : B extends 'double'
          ? 'double'
          : A extends 'float'
            ? B extends 'float'
              ? 'float'
              : 'double'
            : B extends 'float'
              ? 'double'
              : A extends DecimalText
                ? DecimalText
                : B extends DecimalText
                  ? DecimalText
                  : A extends 'long'
                    ? 'long'
                    : B extends 'long'
                      ? 'long'
                      : A extends 'int'
                        ? 'int'
                        : B extends 'int'
                          ? 'int'
                          : A extends 'short'
                            ? 'short'
                            : B extends 'short'
                              ? 'short'
                              : 'byte'
/** Result of / : decimals stay exact, everything else is a double. */
export type Quotient<A, B> =
  IsAny<A> extends true
    ? any
    : IsAny<B> extends true
      ? any
      : A extends 'double' | 'float'
        ? 'double'
        : B extends 'double' | 'float'
          ? 'double'
          : A extends DecimalText
            ? DecimalText
            : B extends DecimalText
              ? DecimalText
              : 'double'
/** The one type of several values: the widest of numbers, else the type itself. */
export type Widest<U> =
  IsAny<U> extends true
    ? any
    : [Exclude<U, null>] extends [never]
      ? U
      : [Exclude<U, null>] extends [Numeric]
        ? WidestNumber<Exclude<U, null>> | Extract<U, null>
        : U
type WidestNumber<U> = 'double' extends U
  ? 'double'
  : 'float' extends U
    ? [U] extends ['float']
      ? 'float'
      : 'double'
    : [Extract<U, DecimalText>] extends [never]
      ? 'long' extends U
        ? 'long'
        : 'int' extends U
          ? 'int'
          : 'short' extends U
            ? 'short'
            : 'byte'
      : [U] extends [DecimalText]
        ? U
        : DecimalText

/** What every column has. Never used as a parameter type. */
export interface ColBase<A> extends Expr<A>, JsExpr<Js<A>> {
  eq<B extends Comparable<A>>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  neq<B extends Comparable<A>>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  /** Equality in which null equals null and nothing else: never null. */
  eqNullSafe(other: Comparable<A> | null): BoolCol<'boolean'>
  lt<B extends Comparable<A>>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  leq<B extends Comparable<A>>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  gt<B extends Comparable<A>>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  geq<B extends Comparable<A>>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  /** lower <= this <= upper */
  between<B extends Comparable<A>, C extends Comparable<A>>(lower: B, upper: C): BoolCol<'boolean' | NullOf<A> | OpNull<B> | OpNull<C>>
  isin<B extends Comparable<A>>(...values: B[]): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  isNull(): BoolCol<'boolean'>
  isNotNull(): BoolCol<'boolean'>
  /** An error where the value does not fit, as in ANSI mode. */
  cast<C extends Primitive>(type: C): Col<C | NullOf<A>>
  cast<C>(type: TypeToken<C>): Col<Exclude<C, null> | NullOf<A>>
  /** Null where the value does not fit. */
  try_cast<C extends Primitive>(type: C): Col<C | null>
  try_cast<C>(type: TypeToken<C>): Col<C | null>
  /** The same as cast. */
  astype<C extends Primitive>(type: C): Col<C | NullOf<A>>
  astype<C>(type: TypeToken<C>): Col<Exclude<C, null> | NullOf<A>>
  /** An aggregate, or a function such as rank(), over a window of rows: `sum(price).over(Window.partitionBy('user'))`. */
  over(window: WindowSpec): Col<Unmarked<A>>
  /** What the function makes of this column. */
  transform<R extends Expr<any>>(f: (column: this) => R): R
  as<const Name extends string>(name: Name): Named<Name, A>
  alias<const Name extends string>(name: Name): Named<Name, A>
  asc(): Sorted
  asc_nulls_first(): Sorted
  asc_nulls_last(): Sorted
  desc(): Sorted
  desc_nulls_first(): Sorted
  desc_nulls_last(): Sorted
}

type NumOperand = Expr<Num> | NumberInput
export interface NumCol<A extends Num> extends ColBase<A> {
  add<B extends NumOperand>(other: B): NumCol<Arith<Exclude<A, null>, OpType<B>> | NullOf<A> | OpNull<B>>
  sub<B extends NumOperand>(other: B): NumCol<Arith<Exclude<A, null>, OpType<B>> | NullOf<A> | OpNull<B>>
  mul<B extends NumOperand>(other: B): NumCol<Arith<Exclude<A, null>, OpType<B>> | NullOf<A> | OpNull<B>>
  /** Division: of integers a double. By zero it is an error. */
  div<B extends NumOperand>(other: B): NumCol<Quotient<Exclude<A, null>, OpType<B>> | null>
  /** The remainder, with the sign of this. By zero it is an error. */
  mod<B extends NumOperand>(other: B): NumCol<Arith<Exclude<A, null>, OpType<B>> | null>
  neg(): NumCol<A>
  /** True for NaN; false for null. */
  isNaN(): BoolCol<'boolean'>
  bitwiseAND<B extends NumOperand>(other: B): NumCol<Arith<Exclude<A, null>, OpType<B>> | NullOf<A> | OpNull<B>>
  bitwiseOR<B extends NumOperand>(other: B): NumCol<Arith<Exclude<A, null>, OpType<B>> | NullOf<A> | OpNull<B>>
  bitwiseXOR<B extends NumOperand>(other: B): NumCol<Arith<Exclude<A, null>, OpType<B>> | NullOf<A> | OpNull<B>>
}
type Text = Expr<'string' | null> | string
export interface StrCol<A extends 'string' | null> extends ColBase<A> {
  startsWith<B extends Text>(prefix: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  endsWith<B extends Text>(suffix: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  startswith<B extends Text>(prefix: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  endswith<B extends Text>(suffix: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  contains<B extends Text>(part: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  like(pattern: string): BoolCol<'boolean' | NullOf<A>>
  ilike(pattern: string): BoolCol<'boolean' | NullOf<A>>
  rlike(pattern: string): BoolCol<'boolean' | NullOf<A>>
  /** `length` characters from position `start` (1 is the first; negative counts from the end). */
  substr(start: number, length: number): StrCol<'string' | NullOf<A>>
}
export interface BoolCol<A extends 'boolean' | null> extends ColBase<A> {
  and<B extends Expr<'boolean' | null> | boolean>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  or<B extends Expr<'boolean' | null> | boolean>(other: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>>
  not(): BoolCol<A>
}
/** What a time is moved by: text such as '1 hour 30 minutes', a Temporal.Duration, or a column of an interval type. */
export type IntervalInput = string | Temporal.Duration | Expr<IntervalLike | null>
export interface TimeCol<A extends TimeLike | null> extends ColBase<A> {
  /** Moved by an interval. A date moved by anything but months or whole days is a timestamp. */
  plus<B extends IntervalInput>(interval: B): TimeCol<Moved<A, B> | NullOf<A> | IntervalNull<B>>
  minus<B extends IntervalInput>(interval: B): TimeCol<Moved<A, B> | NullOf<A> | IntervalNull<B>>
  /** The span from another time to this one: of two dates in days, else in microseconds. */
  sub<B extends Expr<TimeLike | null>>(other: B): IntervalCol<Between<A, OpType<B>> | NullOf<A> | OpNull<B>>
}
type IntervalNull<B> = B extends { readonly [T]: infer X } ? NullOf<X> : never
type Moved<A, B> = [A] extends ['date' | null]
  ? B extends { readonly [T]: infer X }
    ? [X] extends ['interval day' | YearMonthInterval | null]
      ? 'date'
      : 'timestamp'
    : 'date' | 'timestamp'
  : [A] extends ['timestamp' | null]
    ? 'timestamp'
    : 'timestamp_ntz'
type Between<A, B> = [A, B] extends ['date' | null, 'date'] ? 'interval day' : 'interval day to second'
/** A column of spans of time. */
export interface IntervalCol<A extends IntervalLike | null> extends ColBase<A> {
  add<B extends Expr<Family<A> | null> | Temporal.Duration>(other: B): IntervalCol<Family<A> | NullOf<A> | IntervalNull<B>>
  sub<B extends Expr<Family<A> | null> | Temporal.Duration>(other: B): IntervalCol<Family<A> | NullOf<A> | IntervalNull<B>>
  mul<B extends NumOperand>(by: B): IntervalCol<Full<A> | NullOf<A> | OpNull<B>>
  /** A part of the span, rounded half up; by zero it is an error. */
  div<B extends NumOperand>(by: B): IntervalCol<Full<A> | NullOf<A> | OpNull<B>>
  neg(): IntervalCol<A>
}
type Family<A> = [A] extends [DayTimeInterval | null]
  ? DayTimeInterval
  : [A] extends [YearMonthInterval | null]
    ? YearMonthInterval
    : IntervalLike
type Full<A> = [A] extends [DayTimeInterval | null]
  ? 'interval day to second'
  : [A] extends [YearMonthInterval | null]
    ? 'interval year to month'
    : 'interval day to second' | 'interval year to month'
export interface ArrCol<E, Z extends null = never> extends ColBase<Arr<E> | Z> {
  /** The element at an index, 0 the first; an index that is not there is an error. */
  getItem(index: number): Col<E | Z>
}
export interface MapCol<K, V, Z extends null = never> extends ColBase<MapOf<K, V> | Z> {
  /** The value of a key, or null. */
  getItem(key: Comparable<K>): Col<V | null>
}
export interface StructBase<S, A> extends ColBase<A> {
  getField<P extends keyof S & string>(name: P): Col<S[P] | NullOf<A>>
  /** The struct with a field set: in place of one of that name, or behind all others. `a.b` is the field b of its field a. */
  withField<const P extends string, const V extends Operand>(
    name: P,
    value: V,
  ): Col<
    | (P extends `${string}.${string}` ? any : Struct<{ [K in keyof S | P]: K extends P ? TypeOf<V> : K extends keyof S ? S[K] : never }>)
    | NullOf<A>
  >
  /** The struct without these fields; not all may go. */
  dropFields<const P extends string>(...names: P[]): Col<Struct<{ [K in Exclude<keyof S, P>]: S[K] }> | NullOf<A>>
}
/** A is the whole type (Struct<S>, maybe `| null`, maybe marked). Fields called like a method are reached with getField. */
export type StructCol<S, A> = StructBase<S, A> & { readonly [P in Exclude<keyof S, keyof UntypedCol>]: Col<S[P] | NullOf<A>> }
/** A name that both sides of a join have and that is no join key: fails on use, not on the join. */
export interface Ambiguous<Name> {
  readonly ambiguousColumn: Name
}

/** `col('x')`: fits every typed column, has every method, and each gives an untyped column. */
export interface UntypedCol<Name extends string = string> extends ColBase<any> {
  readonly [N]: Name
  add(other: Operand): UntypedCol
  sub(other: Operand): UntypedCol
  mul(other: Operand): UntypedCol
  div(other: Operand): UntypedCol
  mod(other: Operand): UntypedCol
  neg(): UntypedCol
  isNaN(): UntypedCol
  bitwiseAND(other: Operand): UntypedCol
  bitwiseOR(other: Operand): UntypedCol
  bitwiseXOR(other: Operand): UntypedCol
  startswith(prefix: Operand): UntypedCol
  endswith(suffix: Operand): UntypedCol
  startsWith(prefix: Operand): UntypedCol
  endsWith(suffix: Operand): UntypedCol
  contains(part: Operand): UntypedCol
  like(pattern: string): UntypedCol
  ilike(pattern: string): UntypedCol
  rlike(pattern: string): UntypedCol
  substr(start: number, length: number): UntypedCol
  and(other: Operand): UntypedCol
  or(other: Operand): UntypedCol
  not(): UntypedCol
  plus(interval: IntervalInput): UntypedCol
  minus(interval: IntervalInput): UntypedCol
  getItem(key: Operand): UntypedCol
  getField(name: string): UntypedCol
  withField(name: string, value: Operand): UntypedCol
  dropFields(...names: string[]): UntypedCol
}

/** SQL type -> the interface that has its methods. Not distributive: `| null` rides along. */
export type Col<A> =
  IsAny<A> extends true
    ? UntypedCol
    : [A] extends ['string' | null]
      ? StrCol<A>
      : [A] extends [Num]
        ? NumCol<A>
        : [A] extends ['boolean' | null]
          ? BoolCol<A>
          : [A] extends [TimeLike | null]
            ? TimeCol<A>
            : [A] extends [IntervalLike | null]
              ? IntervalCol<A>
              : [A] extends [Arr<infer E> | null]
                ? ArrCol<E, NullOf<A>>
                : [A] extends [MapOf<infer K, infer V> | null]
                  ? MapCol<K, V, NullOf<A>>
                  : [A] extends [Struct<infer S> | null]
                    ? StructCol<S, A>
                    : [A] extends [Ambiguous<any>]
                      ? A
                      : ColBase<A>

/** `when(…)`: more branches, then `otherwise`; without it null where no branch fits. */
export interface CaseWhen<A> extends Expr<A | null> {
  when<V extends Operand>(condition: Expr<'boolean' | null>, value: V): CaseWhen<A | TypeOf<V>>
  otherwise<V extends Operand>(value: V): Col<Widest<A | TypeOf<V>>>
  as<const Name extends string>(name: Name): Named<Name, Widest<A | null>>
}
