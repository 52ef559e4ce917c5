import { assert } from '../base/errors.ts'
import type { DataType, DecimalType } from '../data/types.ts'
import type { AggregateCall, CaseWhen, Cast, Expression, Lambda, SessionWindow, TimeWindow } from '../plan/expression.ts'
import { childrenOf, isDeterministic, sameExpression } from '../plan/expression-tree.ts'
import { castSql, fieldSql } from './cast-sql.ts'
import { functionSql, type SqlArgument, type SqlLambda } from './function-sql.ts'
import { bind, literalSql } from './sql-text.ts'

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
      const first = firstOperand(e, scope)
      if (first !== undefined) {
        const isFirst = (inner: Expression) => (sameExpression(inner, first) ? bound : scope.known?.(inner))
        return bind(sql(first), bound, expressionSql(e, { ...scope, known: isFirst }))
      }
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

/** The name of a value in the CASE that it is bound for; nothing else in that CASE has a name from outside. */
const bound = 'bound'
/**
 * What the first condition of a CASE compares (that of nullif, too), where it costs much and stands there again: SQL would compute it each time. It is computed
 * whatever the CASE comes to. Where the rest reads columns they would have to be carried along, which costs more than it saves.
 */
function firstOperand(e: CaseWhen, scope: SqlScope): Expression | undefined {
  const [first] = e.branches
  const comparison = first!.condition
  const operand = comparison.kind === 'call' && comparison.name === '==' ? comparison.args[0]! : undefined
  if (operand?.kind !== 'call' || !isDeterministic(operand) || scope.known?.(operand) !== undefined) return undefined
  let times = 0
  const isOfItAlone = (inner: Expression): boolean => {
    if (sameExpression(inner, operand)) return ++times > 0
    if (scope.known?.(inner) !== undefined || !['call', 'cast', 'field', 'literal', 'case'].includes(inner.kind)) return false
    return childrenOf(inner).every(isOfItAlone)
  }
  if (!childrenOf(e).every(isOfItAlone) || times < 2) return undefined
  return /^(regexp|spark)_/.test(expressionSql(operand, scope)) ? operand : undefined
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
