import { assert } from '../base/errors.ts'
import type { DataType, DecimalType } from '../data/types.ts'
import type { AggregateCall, Cast, Expression, Lambda, SessionWindow, TimeWindow } from '../plan/expression.ts'
import { castSql, fieldSql } from './cast-sql.ts'
import { functionSql, type SqlArgument, type SqlLambda } from './function-sql.ts'
import { literalSql } from './sql-text.ts'

/** What the names in an expression stand for, where it is used. */
export interface SqlScope {
  /** The SQL of input column `index`. */
  readonly column: (index: number) => string
  /** The SQL of an aggregate; absent where none may stand. */
  readonly aggregate?: (call: AggregateCall) => string
  /** The SQL of a time window's struct; absent where none may stand. */
  readonly window?: (window: TimeWindow | SessionWindow) => string
  /** The SQL of the parameters of lambdas around, by `variableKey`. */
  readonly variables?: ReadonlyMap<string, string>
  /** Asked first for every node: a whole expression that is already computed (a grouping key). */
  readonly known?: (e: Expression) => string | undefined
}

/**
 * An expression as DuckDB SQL with the meaning that Spark gives it in ANSI mode. The text can stand as an operand anywhere.
 * InvalidQueryError for what the local engine can't run.
 */
export function expressionSql(e: Expression, scope: SqlScope): string {
  const known = scope.known?.(e)
  if (known !== undefined) return known
  const sql = (inner: Expression) => expressionSql(inner, scope)
  switch (e.kind) {
    case 'literal':
      return literalSql(e.value, e.type)
    case 'column':
      return scope.column(e.index)
    case 'cast': {
      const input = narrowedProduct(e) ?? e.input
      return castSql(sql(input), input.type, e.type, e.mode)
    }
    case 'field':
      return fieldSql(sql(e.input), e.field)
    case 'call':
      return functionSql(
        e.name,
        e.args.map(
          (arg): SqlArgument => ({
            sql: arg.kind === 'lambda' ? '' : sql(arg),
            ...(arg.kind === 'lambda' && { lambda: lambdaSql(arg, scope) }),
            type: arg.type,
            nullable: arg.nullable,
            ...(arg.kind === 'literal' && { literal: arg.value }),
          }),
        ),
        e.type,
      )
    case 'case': {
      const branches = e.branches.map(({ condition, value }) => `WHEN ${sql(condition)} THEN ${sql(value)}`)
      return `CASE ${branches.join(' ')}${e.otherwise ? ` ELSE ${sql(e.otherwise)}` : ''} END`
    }
    case 'user-call':
      assert(false, `the user function ${e.function.name} was left in an expression`)
      break
    case 'variable': {
      const name = scope.variables?.get(variableKey(e.level, e.index))
      assert(name !== undefined, `the lambda variable ${e.name} stands outside of its lambda`)
      return name
    }
    case 'lambda':
      assert(false, 'a lambda stands where a value is needed')
      break
    case 'aggregate':
      assert(scope.aggregate, `the aggregate ${e.name} stands outside of an aggregation`)
      return scope.aggregate(e)
    case 'window':
      assert(scope.window, 'a time window stands where none may be')
      return scope.window(e)
  }
}

/** The product under a cast as one of the cast's own type, where each of its values fits: Spark gives a product of decimals one digit more than it can have. */
function narrowedProduct({ input, type: to }: Cast): Expression | undefined {
  if (input.kind !== 'call' || input.name !== '*') return undefined
  const [a, b] = input.args.map((arg) => arg.type)
  const { type } = input
  if (!isDecimal(a) || !isDecimal(b) || !isDecimal(to) || !isDecimal(type) || a.precision + b.precision > 38) return undefined
  const scale = a.scale + b.scale
  return scale === type.scale && scale === to.scale && a.precision + b.precision <= to.precision ? { ...input, type: to } : undefined
}
function isDecimal(type: DataType | undefined): type is DecimalType {
  return typeof type === 'object' && type.kind === 'decimal'
}

function variableKey(level: number, index: number): string {
  return `${level}.${index}`
}

/** A lambda as templates use it: they say which SQL its parameters stand for. */
function lambdaSql({ level, params, body }: Lambda, scope: SqlScope): SqlLambda {
  return {
    level,
    params,
    type: body.type,
    nullable: body.nullable,
    body: (...values) =>
      expressionSql(body, {
        ...scope,
        variables: new Map([...(scope.variables ?? []), ...values.map((value, index) => [variableKey(level, index), value] as const)]),
      }),
  }
}
