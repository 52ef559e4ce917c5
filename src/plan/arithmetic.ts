/** `+ - * / %` in ANSI mode: integers widen to the wider operand, `/` of integers is a double, decimals follow Spark's precision rules. */
import type { DataType, DecimalType } from '../data/types.ts'
import { quoteType, typeMismatch } from './analysis-errors.ts'
import { adjustedDecimal, asDecimal, castTo, commonType, isDecimal, isIntegral, isNumeric, stringGivesWay } from './coercion.ts'
import type { Expression } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { resolveWithIntervals } from './interval-arithmetic.ts'
import { call } from './signatures.ts'

export type ArithmeticName = '+' | '-' | '*' | '/' | '%'

/** Types `a <name> b`. Division and remainder can give null by their type, as in Spark, though by zero they fail. */
export function resolveArithmetic(name: ArithmeticName, a: Expression, b: Expression): Expression {
  const dates = resolveDates(name, a, b) ?? resolveWithIntervals(name, a, b)
  if (dates) return dates
  const [x, y] = asNumbers(name, a, b)
  const nullable = name === '/' || name === '%' || x.nullable || y.nullable
  const withDecimal = isDecimal(x.type) || isDecimal(y.type)
  const withDouble = [x.type, y.type].some((type) => type === 'double' || type === 'float')
  if (withDecimal && !withDouble) {
    const args = [asDecimal(x), asDecimal(y)] as const
    return call(name, args, decimalResult(name, args[0].type as DecimalType, args[1].type as DecimalType), nullable)
  }
  const type: DataType = name === '/' || withDecimal ? 'double' : commonType(x.type, y.type)!
  return call(name, [castTo(x, type), castTo(y, type)], type, nullable)
}

/** The operands as numbers: strings and bare nulls take their type from the other side. */
function asNumbers(name: ArithmeticName, a: Expression, b: Expression): [Expression, Expression] {
  const meeting = stringGivesWay(a.type, b.type)
  if (a.type === 'string' && b.type === 'string') return [castTo(a, 'double'), castTo(b, 'double')]
  if (meeting !== undefined && isNumeric(meeting)) return [castTo(a, meeting), castTo(b, meeting)]
  const [x, y] = [castNull(a, b.type), castNull(b, a.type)]
  if (isNumeric(x.type) && isNumeric(y.type)) return [x, y]
  const shown = `"(${expressionText(a)} ${name} ${expressionText(b)})"`
  if (!isNumeric(x.type) && !isNumeric(y.type)) {
    throw typeMismatch(
      'BINARY_OP_WRONG_TYPE',
      `${shown} requires numeric operands, not ${quoteType(x.type)}`,
      name === '+' && a.type === 'string' ? 'join text with concat(…)' : 'use numbers',
    )
  }
  throw typeMismatch(
    'BINARY_OP_DIFF_TYPES',
    `the left and right operands of ${shown} have incompatible types (${quoteType(a.type)} and ${quoteType(b.type)})`,
    'cast one of them',
  )
}

function castNull(e: Expression, other: DataType): Expression {
  if (e.type !== 'void') return e
  return castTo(e, other === 'void' || other === 'string' ? 'double' : other)
}

function resolveDates(name: ArithmeticName, a: Expression, b: Expression): Expression | undefined {
  if (name !== '+' && name !== '-') return undefined
  if (a.type === 'date' && isIntegral(b.type))
    return call(name === '+' ? 'date_add' : 'date_sub', [a, castTo(b, 'int')], 'date', a.nullable || b.nullable)
  if (name === '+' && isIntegral(a.type) && b.type === 'date') return resolveDates('+', b, a)
  return undefined
}

/** Spark's rules for exact arithmetic; digits that do not fit into 38 are taken from behind the point. */
function decimalResult(
  name: ArithmeticName,
  { precision: p1, scale: s1 }: DecimalType,
  { precision: p2, scale: s2 }: DecimalType,
): DecimalType {
  const scale = Math.max(s1, s2)
  switch (name) {
    case '+':
    case '-':
      return adjustedDecimal(Math.max(p1 - s1, p2 - s2) + scale + 1, scale)
    case '*':
      return adjustedDecimal(p1 + p2 + 1, s1 + s2)
    case '/':
      return adjustedDecimal(p1 - s1 + s2 + Math.max(6, s1 + p2 + 1), Math.max(6, s1 + p2 + 1))
    case '%':
      return adjustedDecimal(Math.min(p1 - s1, p2 - s2) + scale, scale)
  }
}
