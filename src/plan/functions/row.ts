import type { DataType } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import type { AggregateCall, Expression, Lambda, Literal } from '../expression.ts'
import { expressionText } from '../expression-tree.ts'
import { anyNullable, argumentAs, call, type Wanted } from '../signatures.ts'

export interface FunctionRow {
  /** Spark's name; the one that resolved calls carry. */
  readonly name: string
  readonly aliases: readonly string[]
  readonly kind: 'scalar' | 'aggregate'
  /** False where one row may give different values at different times. */
  readonly deterministic: boolean
  /** What the analyser writes and no user does, or what has no page of its own: the casts that are written as functions. */
  readonly internal?: boolean
  /** Least and greatest number of arguments. */
  readonly arity: readonly [number, number]
  /** The typed call; may also be a simpler expression that means the same. Only called with a number of arguments within `arity`. */
  readonly resolve: (args: readonly Expression[], distinct: boolean) => Expression
  /** Takes the place of `resolve` in a higher-order function, which says what its lambdas' parameters are. */
  readonly resolveLambdas?: (args: readonly (Expression | LambdaArgument)[]) => Expression
}

/** A lambda as an argument, before the types of its parameters are known. */
export interface LambdaArgument {
  readonly kind: 'unresolved-lambda'
  readonly paramCount: number
  readonly text: string
  readonly resolve: (params: readonly { readonly type: DataType; readonly nullable: boolean }[]) => Lambda
}

export interface Shape {
  readonly aliases?: readonly string[]
  readonly takes: readonly Wanted[]
  /** How many of `takes` must be given; all unless said. */
  readonly min?: number
  /** What a missing argument is. */
  readonly defaults?: readonly (Literal | undefined)[]
  readonly gives: DataType | ((args: readonly Expression[]) => DataType)
  /** By default where an argument can be. */
  readonly nullable?: boolean | ((args: readonly Expression[]) => boolean)
  readonly deterministic?: boolean
}
export type Resolve = FunctionRow['resolve']

export function scalar(name: string, shape: Shape): FunctionRow {
  const { aliases = [], takes, min = takes.length, defaults = [], gives, nullable = anyNullable, deterministic = true } = shape
  const resolve: Resolve = (given) => {
    const filled = [...given, ...defaults.slice(given.length).filter((literal) => literal !== undefined)]
    const args = filled.map((arg, i) => argumentAs(name, arg, i, takes[i]!))
    return call(
      name,
      args,
      typeof gives === 'function' ? gives(args) : gives,
      typeof nullable === 'function' ? nullable(args) : nullable,
      deterministic,
    )
  }
  return { name, aliases, kind: 'scalar', deterministic, arity: [min, takes.length], resolve }
}

export function special(name: string, arity: readonly [number, number], resolve: Resolve, aliases: readonly string[] = []): FunctionRow {
  return { name, aliases, kind: 'scalar', deterministic: true, arity, resolve }
}

export function aggregate(
  name: string,
  takes: Wanted,
  gives: DataType | ((arg: Expression) => DataType),
  options: { aliases?: readonly string[]; nullable?: boolean } = {},
): FunctionRow {
  const resolve: Resolve = ([given], distinct) => {
    const arg = argumentAs(name, given!, 0, takes)
    return aggregateCall(name, [arg], typeof gives === 'function' ? gives(arg) : gives, options.nullable ?? true, distinct)
  }
  return { name, aliases: options.aliases ?? [], kind: 'aggregate', deterministic: true, arity: [1, 1], resolve }
}

export function aggregateCall(
  name: string,
  args: readonly Expression[],
  type: DataType,
  nullable: boolean,
  distinct: boolean,
): AggregateCall {
  return { kind: 'aggregate', name, args, type, nullable, distinct }
}

export function literal(value: Literal['value'], type: DataType): Literal {
  return { kind: 'literal', value, type, nullable: value === null }
}
export const text = (value: string) => literal(value, 'string')
export const int = (value: number) => literal(value, 'int')

export const first = (args: readonly Expression[]) => args[0]!.type
export const arrayOf = (element: DataType, containsNull: boolean): DataType => ({ kind: 'array', element, containsNull })

export function differentTypes(name: string, a: Expression, b: Expression): Error {
  const types = `${quoteType(a.type)} and ${quoteType(b.type)}`
  return typeMismatch(
    'BINARY_OP_DIFF_TYPES',
    `the left and right operands of "(${expressionText(a)} ${name} ${expressionText(b)})" have incompatible types (${types})`,
    'cast one of them',
  )
}
export function notOrderable(name: string, arg: Expression): Error {
  return typeMismatch(
    'INVALID_ORDERING_TYPE',
    `${name} does not support ordering on type ${quoteType(arg.type)}`,
    'compare a field, an element or map_keys(…) instead',
  )
}

export function mapTypeOf(e: Expression): Extract<DataType, { kind: 'map' }> {
  return e.type as Extract<DataType, { kind: 'map' }>
}
