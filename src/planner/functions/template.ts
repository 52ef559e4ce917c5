/** What a template is, and the shapes that most of them have. The families beside this file are made of them. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { DataType, DecimalType } from '../../data/types.ts'
import type { LambdaParam, LiteralValue } from '../../plan/expression.ts'

/** An argument: its SQL, and its value where it is a literal. */
export interface SqlArgument {
  readonly sql: string
  readonly type: DataType
  readonly nullable: boolean
  readonly literal?: LiteralValue
  /** Where it is a lambda; `sql` is empty then. */
  readonly lambda?: SqlLambda
}
/** A lambda argument. */
export interface SqlLambda {
  /** Tells the names that a template makes from those of lambdas around it. */
  readonly level: number
  readonly params: readonly LambdaParam[]
  readonly type: DataType
  readonly nullable: boolean
  /** The body over the SQL of its parameters, which must be names or fields of names: they may stand in it many times. */
  readonly body: (...values: readonly string[]) => string
}

export type Template = (args: readonly SqlArgument[], type: DataType, name: string) => string

export function unsupported(what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_ARGUMENT', { what: `${what} can't run on the local engine`, todo })
}

export const isDecimal = (type: DataType): type is DecimalType => typeof type !== 'string' && type.kind === 'decimal'
export const isFloating = (type: DataType) => type === 'float' || type === 'double'

export function elementOf(type: DataType): DataType {
  return typeof type !== 'string' && type.kind === 'array' ? type.element : 'void'
}

export const infix =
  (operator: string): Template =>
  (args) =>
    `(${args.map((a) => a.sql).join(` ${operator} `)})`
export const prefix =
  (operator: string): Template =>
  ([a]) =>
    `(${operator} ${a!.sql})`
export const suffix =
  (operator: string): Template =>
  ([a]) =>
    `(${a!.sql} ${operator})`
export const plain =
  (name: string): Template =>
  (args) =>
    `${name}(${args.map((a) => a.sql).join(', ')})`
export const toInt =
  (name: string): Template =>
  (args) =>
    `CAST(${name}(${args.map((a) => a.sql).join(', ')}) AS INTEGER)`

/** A function of TypeScript that the engine registers (src/sql/kernels). */
export const kernel =
  (name: string): Template =>
  (args) =>
    `spark_${name}(${args.map((a) => a.sql).join(', ')})`
/** Text or binary as binary. */
export function bytesSql({ sql, type }: SqlArgument): string {
  return type === 'binary' ? sql : `encode(${sql})`
}

export type Templates = Readonly<Record<string, Template>>
