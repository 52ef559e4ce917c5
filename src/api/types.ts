/**
 * SQL types at type level and at run time. A schema is a plain object type: `{ ad_id: 'string'; price: 'double' | null; tags: Arr<'string'> }`.
 * SQL types are string literals and three interfaces; nullable is `| null`. At run time `t.…()` builds them.
 */

import type { Temporal } from 'temporal-polyfill'
import { textOf } from '../base/arguments.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Decimal } from '../data/decimal.ts'
import { Schema } from '../data/schema.ts'
import type { DataType, DayTimeInterval, Field, IntervalType, YearMonthInterval } from '../data/types.ts'
import { checkDistinctNames } from '../plan/named-columns.ts'
import { checkedDecimal, parseDdl, parseType, schemaFromJson } from '../plan/schema-text.ts'
import { isStandardSchema, type StandardSchema, standardColumns } from './standard-schema.ts'

export type IntLike = 'byte' | 'short' | 'int' | 'long'
export type DecimalText = `decimal(${number},${number})`
export type Fractional = 'float' | 'double' | DecimalText
export type Numeric = IntLike | Fractional
export type TimeLike = 'date' | 'timestamp' | 'timestamp_ntz'
/** Spans of time: months, or days and what is below. */
export type IntervalLike = IntervalType
export type { DayTimeInterval, YearMonthInterval } from '../data/types.ts'
export type Primitive = Numeric | 'string' | 'boolean' | 'binary' | TimeLike | IntervalLike
export interface Arr<out E> {
  readonly array: E
}
export interface MapOf<out K, out V> {
  readonly map: readonly [K, V]
}
export interface Struct<out S> {
  readonly struct: S
}
/** Mark of an event-time column (and of windows made from it); it goes through select, rename and join. */
export interface Watermark {
  readonly watermark: true
}
/** Mark of a session window: grouping by it merges sessions. */
export interface SessionMark {
  readonly session: true
}

export type IsAny<T> = 0 extends 1 & T ? true : false
/** `null` where the type has it, or where nothing is known of the type. */
export type NullOf<T> = IsAny<T> extends true ? null : Extract<T, null>

/** The JavaScript type of a SQL type's values, as rows come out. */
export type Js<T> =
  IsAny<T> extends true
    ? any
    : T extends null
      ? null
      : T extends 'string'
        ? string
        : T extends 'long'
          ? bigint
          : T extends 'double' | 'int' | 'float' | 'short' | 'byte'
            ? number
            : T extends 'boolean'
              ? boolean
              : T extends 'timestamp'
                ? Temporal.Instant
                : T extends 'timestamp_ntz'
                  ? Temporal.PlainDateTime
                  : T extends 'date'
                    ? Temporal.PlainDate
                    : T extends 'binary'
                      ? Uint8Array
                      : T extends Arr<infer E>
                        ? Js<E>[]
                        : T extends MapOf<infer K, infer V>
                          ? Map<Js<K>, Js<V>>
                          : T extends Struct<infer S>
                            ? { [P in keyof S]: Js<S[P]> }
                            : T extends Fractional
                              ? Decimal
                              : T extends IntervalLike
                                ? Temporal.Duration
                                : never

/** The JavaScript types that are accepted as input for a SQL type. */
export type JsInput<T> =
  IsAny<T> extends true
    ? any
    : T extends null
      ? null | undefined
      : T extends 'long'
        ? bigint | number
        : T extends 'timestamp'
          ? Temporal.Instant | Date | string
          : T extends 'timestamp_ntz'
            ? Temporal.PlainDateTime | Date | string
            : T extends 'date'
              ? Temporal.PlainDate | Date | string
              : T extends DecimalText
                ? Decimal | string | number | bigint
                : T extends IntervalLike
                  ? Temporal.Duration | string
                  : T extends Arr<infer E>
                    ? readonly JsInput<E>[]
                    : T extends MapOf<infer K, infer V>
                      ? ReadonlyMap<JsInput<K>, JsInput<V>> | Readonly<Record<string, JsInput<V>>>
                      : T extends Struct<infer S>
                        ? InputRow<S>
                        : Js<T>
/** A row as input: columns that may be null may be left out. */
export type InputRow<S> = { readonly [P in keyof S as null extends S[P] ? never : P]: JsInput<S[P]> } & {
  readonly [P in keyof S as null extends S[P] ? P : never]?: JsInput<S[P]>
}

/** The SQL type of a JavaScript type. */
export type FromJs<J> =
  IsAny<J> extends true
    ? any
    : J extends null | undefined
      ? null
      : J extends string
        ? 'string'
        : J extends number
          ? NumberType<J>
          : J extends bigint
            ? 'long'
            : J extends boolean
              ? 'boolean'
              : J extends Date | Temporal.Instant
                ? 'timestamp'
                : J extends Temporal.PlainDateTime
                  ? 'timestamp_ntz'
                  : J extends Temporal.PlainDate
                    ? 'date'
                    : J extends Uint8Array
                      ? 'binary'
                      : J extends Decimal
                        ? DecimalText
                        : J extends Temporal.Duration
                          ? DayTimeInterval | YearMonthInterval
                          : never

/** A number literal: an int where it fits, a larger safe integer a long, else a double. A number that is not known is any of the three. */
export type NumberType<N extends number> = number extends N
  ? 'int' | 'long' | 'double'
  : `${N}` extends `-${infer D}`
    ? IntegerType<D, '2147483648'>
    : IntegerType<`${N}`, '2147483647'>
type IntegerType<D extends string, MaxInt extends string> = D extends `${bigint}`
  ? FitsIn<D, MaxInt> extends true
    ? 'int'
    : FitsIn<D, '9007199254740991'> extends true
      ? 'long'
      : 'double'
  : 'double'
/** Whether digits D are at most Max, both without sign and zeros in front. */
type FitsIn<D extends string, Max extends string> =
  Shorter<D, Max> extends true ? true : Shorter<Max, D> extends true ? false : AtMost<D, Max>
type Shorter<A extends string, B extends string> = A extends `${infer _}${infer AR}`
  ? B extends `${infer _}${infer BR}`
    ? Shorter<AR, BR>
    : false
  : B extends ''
    ? false
    : true
type AtMost<A extends string, B extends string> = A extends `${infer X}${infer AR}`
  ? B extends `${infer Y}${infer BR}`
    ? X extends Y
      ? AtMost<AR, BR>
      : '0123456789' extends `${string}${X}${string}${Y}${string}`
        ? true
        : false
    : true
  : true

// ---- run time

/** The fields of an interval type: `day to second`, `year`, … */
export type IntervalFields = IntervalType extends `interval ${infer R}` ? R : never

declare const TYPE: unique symbol
/** A SQL type at run time, made by `t`. */
export interface TypeToken<out T> {
  readonly [TYPE]?: T
  readonly type: DataType
  readonly isNullable: boolean
  /** The same type with null among its values. */
  nullable(): TypeToken<T | null>
}
/** Columns by name: `{ id: t.long(), at: t.timestamp().nullable() }`. */
export type Fields<S> = { readonly [P in keyof S]: TypeToken<S[P]> }

class Token {
  readonly type: DataType
  readonly isNullable: boolean
  constructor(type: DataType, isNullable = false) {
    this.type = type
    this.isNullable = isNullable
  }
  nullable(): Token {
    return new Token(this.type, true)
  }
}
function token<T>(type: DataType): TypeToken<T> {
  return new Token(type) as TypeToken<T>
}

/** The SQL types: `t.string()`, `t.decimal(10, 2).nullable()`, `t.array(t.int())`. Not nullable unless said. */
export const t = {
  string: () => token<'string'>('string'),
  boolean: () => token<'boolean'>('boolean'),
  binary: () => token<'binary'>('binary'),
  byte: () => token<'byte'>('byte'),
  short: () => token<'short'>('short'),
  int: () => token<'int'>('int'),
  long: () => token<'long'>('long'),
  float: () => token<'float'>('float'),
  double: () => token<'double'>('double'),
  decimal: <const P extends number, const S extends number>(precision: P, scale: S) =>
    token<`decimal(${P},${S})`>(checkedDecimal(precision, scale)),
  date: () => token<'date'>('date'),
  timestamp: () => token<'timestamp'>('timestamp'),
  timestamp_ntz: () => token<'timestamp_ntz'>('timestamp_ntz'),
  /** A span of time by its fields: `t.interval('day to second')`, `t.interval('year to month')`, `t.interval('hour')`. */
  interval: <const R extends IntervalFields>(fields: R) => token<`interval ${R}`>(parseType(`interval ${fields}`)),
  array: <E>(element: TypeToken<E>) => token<Arr<E>>({ kind: 'array', element: element.type, containsNull: element.isNullable }),
  map: <K, V>(key: TypeToken<K>, value: TypeToken<V>) =>
    token<MapOf<K, V>>({ kind: 'map', key: key.type, value: value.type, valueContainsNull: value.isNullable }),
  struct: <S>(fields: { readonly [P in keyof S]: TypeToken<S[P]> }) =>
    token<Struct<{ [P in keyof S]: S[P] }>>({ kind: 'struct', fields: fieldsOf(fields) }),
} as const

function fieldsOf(fields: object): Field[] {
  const list = Object.entries(fields).map(
    ([name, value]): Field => ({ name, type: tokenType(name, value), nullable: (value as Token).isNullable }),
  )
  checkDistinctNames(list.map((field) => field.name))
  return list
}
function tokenType(name: string, value: unknown): DataType {
  if (value instanceof Token) return value.type
  throw new InvalidQueryError('INVALID_SCHEMA', {
    what: `the column "${name}" of the schema is ${typeof value === 'string' ? JSON.stringify(value) : `a ${typeof value}`}, not a type`,
    todo: `write ${name}: t.string(), or another type of t`,
  })
}

/** Spark's JSON of a schema as an object, as `df.schema.jsonValue()` gives it. */
export interface SchemaJson {
  readonly type: 'struct'
  readonly fields: readonly unknown[]
}
/** A schema in any form it may be given in: `{ id: t.long() }`, DDL text, Spark's JSON (text or object), a schema of zod or another library, or a Schema. */
export type SchemaInput<S> = Fields<S> | string | SchemaJson | StandardSchema | Schema

/** The schema at run time. INVALID_SCHEMA, INVALID_JSON_SCHEMA, PARSE_SYNTAX_ERROR. */
export function schemaOf(schema: SchemaInput<unknown>): Schema {
  if (schema instanceof Schema) return schema
  if (typeof schema === 'string') return schema.trimStart().startsWith('{') ? schemaFromJson(schema) : parseDdl(schema)
  if (isStandardSchema(schema)) return standardColumns(schema)
  if (typeof schema !== 'object' || schema === null)
    throw new InvalidQueryError('INVALID_SCHEMA', {
      what: `${schema === null ? 'null' : `a value of type ${typeof schema}`} is no schema`,
      todo: "give { id: t.long() }, DDL text such as 'id bigint', Spark's JSON, a schema of zod, or a Schema",
    })
  if ('type' in schema && schema.type === 'struct' && 'fields' in schema && Array.isArray(schema.fields)) return schemaFromJson(schema)
  return new Schema(fieldsOf(schema))
}

/** A type given as a name ('long', 'decimal(10,2)', 'array<int>') or as a token. */
export function typeOf(type: string | TypeToken<unknown>): DataType {
  if (typeof type === 'object' && type !== null && 'type' in type) return type.type
  return parseType(textOf('the type', type, "write its name, such as 'long' or 'decimal(10,2)', or a token, such as t.long()"))
}
