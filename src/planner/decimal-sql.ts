import { InvalidQueryError } from '../base/errors.ts'
import { type DecimalType, typeText } from '../data/types.ts'
import { bind, raise, sqlType } from './sql-text.ts'

/** 10^n as a SQL HUGEINT. */
const power = (n: number) => `CAST(1${'0'.repeat(n)} AS HUGEINT)`

/** The digits of a decimal as a HUGEINT: 1.50 of scale 2 is 150. */
export function unscaledSql(sql: string, type: DecimalType): string {
  if (type.scale === 0) return `CAST(${sql} AS HUGEINT)`
  if (type.precision + type.scale + 1 <= 38)
    return `CAST(${sql} * CAST(1${'0'.repeat(type.scale)} AS DECIMAL(${type.scale + 1},0)) AS HUGEINT)`
  return `CAST(replace(CAST(${sql} AS VARCHAR), '.', '') AS HUGEINT)`
}

/** A HUGEINT of digits as a decimal; NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION (`try`: null) where they are too many. */
export function fromUnscaledSql(sql: string, type: DecimalType, mode: 'ansi' | 'try' = 'ansi'): string {
  const wide = `TRY_CAST(${sql} AS DECIMAL(38,0))`
  const scaled = type.scale === 0 ? wide : `${wide} * CAST('0.${'0'.repeat(type.scale - 1)}1' AS DECIMAL(${type.scale},${type.scale}))`
  if (mode === 'try') return `TRY_CAST(${scaled} AS ${sqlType(type)})`
  return `coalesce(TRY_CAST(${scaled} AS ${sqlType(type)}), CASE WHEN ${sql} IS NOT NULL THEN ${outOfRange(type)} END)`
}

function outOfRange(type: DecimalType): string {
  return raise(
    'NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION',
    `the result cannot be represented as Decimal(${type.precision}, ${type.scale}).`,
  )
}

/**
 * a / b of two decimals, exact and rounded half up to `to` (SQL's own division of decimals goes through double). b must not be 0.
 * Works on whole digits: a * 10^e / b, in steps where a * 10^e would pass 38 digits, as one divides on paper.
 */
export function divideDecimals(
  a: string,
  aType: DecimalType,
  b: string,
  bType: DecimalType,
  to: DecimalType,
  mode: 'ansi' | 'try' = 'ansi',
): string {
  const shift = to.scale + bType.scale - aType.scale
  const top = unscaledSql(a, aType)
  const bottom = shift < 0 ? `(${unscaledSql(b, bType)} * ${power(-shift)})` : unscaledSql(b, bType)
  if (bType.precision + Math.max(0, -shift) > 37) throw tooWide('/', aType, bType)
  const up = Math.max(0, shift)
  if (aType.precision + up <= 38) return bind(`struct_pack(a := ${top} * ${power(up)}, b := ${bottom})`, 'v', roundedQuotient(to, mode))
  const step = 38 - bType.precision
  let state = bind(`struct_pack(a := ${top}, b := ${bottom})`, 'v', 'struct_pack(q := v.a // v.b, r := v.a % v.b, b := v.b)')
  for (let left = up; left > 0; left -= step) {
    const count = Math.min(step, left)
    const digits = power(count)
    // what has too many digits already would not fit into 128 bits either
    const quotient = `CASE WHEN abs(v.q) < ${power(38 - count)} THEN v.q * ${digits} + (v.r * ${digits}) // v.b${mode === 'try' ? '' : ` WHEN v.q IS NOT NULL THEN ${outOfRange(to)}`} END`
    state = bind(state, 'v', `struct_pack(q := ${quotient}, r := (v.r * ${digits}) % v.b, b := v.b)`)
  }
  return bind(state, 'w', fromUnscaledSql(halfUp('w.q', 'w.r', 'w.b'), to, mode))
}

function roundedQuotient(to: DecimalType, mode: 'ansi' | 'try'): string {
  return fromUnscaledSql(halfUp('(v.a // v.b)', '(v.a % v.b)', 'v.b'), to, mode)
}

/** The quotient, one further from zero where the rest is at least half the divisor. */
function halfUp(quotient: string, rest: string, divisor: string): string {
  return `(${quotient} + CASE WHEN abs(${rest}) >= abs(${divisor}) - abs(${rest}) THEN CASE WHEN (${rest} < 0) = (${divisor} < 0) THEN 1 ELSE -1 END ELSE 0 END)`
}

/** a * b of two decimals, exact and rounded half up to `to`. */
export function multiplyDecimals(a: string, aType: DecimalType, b: string, bType: DecimalType, to: DecimalType): string {
  if (aType.scale + bType.scale > 38) throw tooWide('*', aType, bType)
  return `CAST(${a} * ${b} AS ${sqlType(to)})`
}

function tooWide(operator: string, a: DecimalType, b: DecimalType): InvalidQueryError {
  return new InvalidQueryError('DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION', {
    what: `${typeText(a)} ${operator} ${typeText(b)} needs more than 38 digits on the way to its result`,
    todo: 'cast the operands to decimals with fewer digits first',
  })
}
