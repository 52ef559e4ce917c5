/** Operators: arithmetic, comparison, logic. */

import { isInterval } from '../../data/intervals.ts'
import type { LiteralValue } from '../../plan/expression.ts'
import { divideDecimals, multiplyDecimals } from '../decimal-sql.ts'
import { intervalArithmetic } from '../interval-arithmetic-sql.ts'
import { comparedSql } from '../ordering-sql.ts'
import { raise, sqlType } from '../sql-text.ts'
import { infix, isDecimal, isFloating, prefix, type SqlArgument, type Template, type Templates } from './template.ts'

export const add =
  (operator: '+' | '-'): Template =>
  ([a, b], type) =>
    isDecimal(type) ? `CAST(${a!.sql} ${operator} ${b!.sql} AS ${sqlType(type)})` : `(${a!.sql} ${operator} ${b!.sql})`

export const multiply: Template = ([a, b], type) =>
  isDecimal(type) && isDecimal(a!.type) && isDecimal(b!.type)
    ? multiplyDecimals(a!.sql, a!.type, b!.sql, b!.type, type)
    : `(${a!.sql} * ${b!.sql})`

/** `quotient`, unless the divisor is 0 and the dividend not null. A literal divisor needs no look. */
function unlessZero(a: SqlArgument, b: SqlArgument, quotient: string, error: string): string {
  if (b.literal !== undefined && b.literal !== null && !isZero(b.literal)) return quotient
  return `CASE WHEN ${b.sql} = 0${a.nullable ? ` AND ${a.sql} IS NOT NULL` : ''} THEN ${error} ELSE ${quotient} END`
}
function isZero(value: LiteralValue): boolean {
  return typeof value === 'object' && value !== null && 'unscaled' in value ? value.unscaled === 0n : Number(value) === 0
}

export const divide: Template = ([a, b], type) => {
  const quotient =
    isDecimal(type) && isDecimal(a!.type) && isDecimal(b!.type)
      ? divideDecimals(a!.sql, a!.type, b!.sql, b!.type, type)
      : `(${a!.sql} / ${b!.sql})`
  return unlessZero(a!, b!, quotient, raise('DIVIDE_BY_ZERO', 'Division by zero.'))
}

/** The sign is the dividend's. The smallest integer % -1 is 0, where SQL sees an overflow. */
export const remainder: Template = ([a, b], type) => {
  const rest = isDecimal(type) ? `CAST(${a!.sql} % ${b!.sql} AS ${sqlType(type)})` : `(${a!.sql} % ${b!.sql})`
  const safe = isFloating(type) || isDecimal(type) || (b!.literal !== undefined && Number(b!.literal) !== -1)
  return unlessZero(
    a!,
    b!,
    safe ? rest : `CASE WHEN ${b!.sql} = -1 THEN CAST(${b!.sql} + 1 AS ${sqlType(type)}) ELSE ${rest} END`,
    raise('REMAINDER_BY_ZERO', 'Remainder by zero.'),
  )
}

const orOfIntervals =
  (ofNumbers: Template): Template =>
  (args, type, name) =>
    isInterval(type) || args.some((arg) => isInterval(arg.type)) ? intervalArithmetic(args, type, name) : ofNumbers(args, type, name)

export const operators: Templates = {
  '+': orOfIntervals(add('+')),
  '-': orOfIntervals(add('-')),
  '*': orOfIntervals(multiply),
  '/': orOfIntervals(divide),
  '%': remainder,
  mod: remainder,
  '==': infix('='),
  '!=': infix('<>'),
  '<=>': infix('IS NOT DISTINCT FROM'),
  '<': (args) => comparedSql('<', args),
  '<=': (args) => comparedSql('<=', args),
  '>': (args) => comparedSql('>', args),
  '>=': (args) => comparedSql('>=', args),
  and: infix('AND'),
  or: infix('OR'),
  not: prefix('NOT'),
  in: ([x, ...values]) => `(${x!.sql} IN (${values.map((v) => v.sql).join(', ')}))`,
}
