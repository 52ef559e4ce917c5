/** Functions of the program in queries: `udf`, and `column_udf` for functions over whole columns. */
import { InvalidQueryError } from '../base/errors.ts'
import type { DataType } from '../data/types.ts'
import type { UserFunction } from '../data/user-function.ts'
import { callTimeoutMs } from './call-timeout.ts'
import { Column, expressionOf } from './column.ts'
import type { Col, JsExpr } from './column-types.ts'
import type { DecimalText, Js, JsInput, TypeToken } from './types.ts'
import { typeOf } from './types.ts'

export interface UdfOptions {
  /** What errors and explain call it (default: the function's own name). */
  readonly name?: string
  /** False where the same arguments may give different results: then no call is moved, shared or repeated within a batch, and calls begin in the order of the rows (default: true). */
  readonly deterministic?: boolean
  /** `'skip'`: a row with a null among the arguments is null, and the function is not called (default: it gets the nulls). */
  readonly nulls?: 'call' | 'skip'
  /** How many calls of an asynchronous function may be under way at a time (default: 16). */
  readonly concurrency?: number
  /**
   * How long a call of an asynchronous function may take, such as '30 seconds' (default: as long as it likes). One that takes longer fails with USER_FUNCTION_TIMEOUT, as
   * if it had thrown.
   */
  readonly callTimeout?: string
}
interface Skipping extends UdfOptions {
  readonly nulls: 'skip'
}

/** A value of the program that may stand for a column: what lit takes. */
type Constant<V> = Extract<V, string | number | bigint | boolean | null>
type Args<A extends readonly unknown[]> = { readonly [I in keyof A]: JsExpr<A[I]> | Constant<A[I]> }
type NullableArgs<A extends readonly unknown[]> = { readonly [I in keyof A]: JsExpr<A[I] | null> | Constant<A[I]> | null }
type Values<T extends readonly unknown[]> = { [I in keyof T]: Js<T[I]> }
type Tokens<T extends readonly unknown[]> = { readonly [I in keyof T]: TypeToken<T[I]> }
type ValueOf<R> = JsInput<R> | Promise<JsInput<R>>

/** A function of the program as one of columns. */
export type UserDefinedFunction<A extends readonly unknown[], R> = (...columns: Args<A>) => Col<R>
/** As UserDefinedFunction, but null where an argument is null. */
export type NullSkippingFunction<A extends readonly unknown[], R> = (...columns: NullableArgs<A>) => Col<R | null>

/**
 * A function of the program as one of columns: `const cents = udf((price: number) => Math.round(price * 100), t.int())`, then
 * `select(({ price }) => ({ c: cents(price) }))`. Its argument types are what the function says; a column that may be null only fits an
 * argument that may be, unless nulls are skipped. It may be asynchronous. What it throws is UserFunctionError FAILED_EXECUTE_UDF, with the
 * row's arguments; a result that the type does not have, UDF_RETURN_TYPE.
 */
export function udf<A extends readonly any[], R>(
  f: (...args: A) => ValueOf<NoInfer<R>>,
  returnType: TypeToken<R>,
  options: Skipping,
): NullSkippingFunction<A, R>
export function udf<A extends readonly any[], R>(
  f: (...args: A) => ValueOf<NoInfer<R>>,
  returnType: TypeToken<R>,
  options?: UdfOptions,
): UserDefinedFunction<A, R>
/** With the types of the arguments first, to which they are cast, and by which the function's parameters are inferred. */
export function udf<const T extends readonly unknown[], R>(
  argumentTypes: Tokens<T>,
  returnType: TypeToken<R>,
  f: (...args: Values<T>) => ValueOf<NoInfer<R>>,
  options?: UdfOptions,
): UserDefinedFunction<Values<T>, R>
export function udf(...given: unknown[]): unknown {
  const { f, argumentTypes, returnType, options } = partsOf('udf', given)
  const concurrency = options.concurrency ?? 16
  if (!(Number.isInteger(concurrency) && concurrency > 0))
    throw new InvalidQueryError('INVALID_UDF', { what: `udf was given the concurrency ${concurrency}`, todo: 'give an integer above 0' })
  return columnFunction(
    userFunction(f, argumentTypes, returnType, options, {
      kind: 'rows',
      call: f,
      concurrency,
      timeoutMs: callTimeoutMs('udf', options.callTimeout),
    }),
  )
}

/** A function of Millrace's own of one column (UserFunction.isOwn), which is null where the column is. `argument`: the type that it is cast to. */
export function ownFunction(
  name: string,
  returnType: DataType,
  call: (value: never) => unknown,
  argument?: DataType,
): (column: unknown) => Column {
  const body = { kind: 'rows', call: call as AnyFunction, concurrency: 16, timeoutMs: null } as const
  const argumentTypes = argument === undefined ? null : [argument]
  const options = { name, nulls: 'skip' } as const
  return columnFunction({ ...userFunction(body.call, argumentTypes, { type: returnType, nullable: true }, options, body), isOwn: true })
}

/** A column of a batch as a function over columns gets it. */
export interface Vector<T> {
  /** As many as the batch has rows. Where `valid` has a 0 the value means nothing. */
  readonly values: VectorValues<T>
  /** A byte a row, 0 where it is null; null where no row is. */
  readonly valid: Uint8Array | null
  readonly length: number
}
/** boolean as 0 and 1, date as days, timestamps as microseconds; what has no fixed size as an array of values. */
export type VectorValues<T> =
  Exclude<T, null> extends infer E
    ? [E] extends ['double']
      ? Float64Array
      : [E] extends ['float']
        ? Float32Array
        : [E] extends ['int' | 'date']
          ? Int32Array
          : [E] extends ['long' | 'timestamp' | 'timestamp_ntz']
            ? BigInt64Array
            : [E] extends ['short']
              ? Int16Array
              : [E] extends ['byte']
                ? Int8Array
                : [E] extends ['boolean']
                  ? Uint8Array
                  : [E] extends [DecimalText]
                    ? BigInt64Array | readonly (Js<E> | null)[]
                    : readonly (Js<E> | null)[]
    : never
type VectorResult<R> =
  | VectorValues<R>
  | readonly JsInput<R>[]
  | { readonly values: VectorValues<R> | readonly JsInput<R>[]; readonly valid?: Uint8Array | null }

/**
 * A function over the columns of a batch, called once with all its rows: `column_udf([t.double()], t.double(), (price) =>
 * price.values.map((p) => p * 1.19))`. Gets a Vector for each argument and the number of rows; gives a typed array or an array with one
 * element a row, or `{ values, valid }`.
 */
export function column_udf<const T extends readonly unknown[], R>(
  argumentTypes: Tokens<T>,
  returnType: TypeToken<R>,
  f: (
    ...args: [...vectors: { [I in keyof T]: Vector<T[I]> }, length: number]
  ) => VectorResult<NoInfer<R>> | Promise<VectorResult<NoInfer<R>>>,
  options?: Omit<UdfOptions, 'nulls' | 'concurrency'>,
): UserDefinedFunction<Values<T>, R> {
  const parts = partsOf('column_udf', [argumentTypes, returnType, f, options])
  const timeoutMs = callTimeoutMs('column_udf', parts.options.callTimeout)
  const body = { kind: 'columns', call: parts.f, timeoutMs } as const
  return columnFunction(userFunction(parts.f, parts.argumentTypes, parts.returnType, parts.options, body)) as never
}

type AnyFunction = (...args: unknown[]) => unknown
interface Parts {
  readonly f: AnyFunction
  readonly argumentTypes: readonly DataType[] | null
  readonly returnType: { readonly type: DataType; readonly nullable: boolean }
  readonly options: UdfOptions
}

function partsOf(method: string, given: readonly unknown[]): Parts {
  const typesFirst = Array.isArray(given[0])
  const [f, returnType, options] = typesFirst ? [given[2], given[1], given[3]] : given
  if (typeof f !== 'function' || returnType === undefined)
    throw new InvalidQueryError('INVALID_UDF', {
      what: `${method} was given ${typeof f !== 'function' ? 'no function' : 'no return type'}`,
      todo: `write ${method === 'udf' ? 'udf((x: number) => x + 1, t.double())' : 'column_udf([t.double()], t.double(), (x) => …)'}`,
    })
  return {
    f: f as AnyFunction,
    argumentTypes: typesFirst ? (given[0] as TypeToken<unknown>[]).map((token) => typeOf(token)) : null,
    returnType: tokenOf(returnType),
    options: (options ?? {}) as UdfOptions,
  }
}
function tokenOf(given: unknown): Parts['returnType'] {
  if (typeof given === 'string') return { type: typeOf(given), nullable: true }
  const token = given as TypeToken<unknown>
  return { type: typeOf(token), nullable: token.isNullable }
}

function userFunction(
  f: AnyFunction,
  argumentTypes: Parts['argumentTypes'],
  returnType: Parts['returnType'],
  options: UdfOptions,
  body: UserFunction['body'],
): UserFunction {
  return {
    name: options.name ?? (f.name === '' ? 'udf' : f.name),
    argumentTypes,
    returnType: returnType.type,
    nullable: returnType.nullable,
    deterministic: options.deterministic ?? true,
    skipNulls: options.nulls === 'skip',
    body,
  }
}

const functions = new WeakMap<object, UserFunction>()
function columnFunction(f: UserFunction): (...columns: unknown[]) => Column {
  const call = (...columns: unknown[]) => new Column({ kind: 'user-call', function: f, args: columns.map(expressionOf) })
  functions.set(call, f)
  return call
}
/** What stands behind a function that udf or column_udf made. */
export function userFunctionOf(call: unknown): UserFunction | undefined {
  return typeof call === 'function' ? functions.get(call) : undefined
}
