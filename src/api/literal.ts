import { InvalidQueryError } from '../base/errors.ts'
import { Decimal } from '../data/decimal.ts'
import { intervalOfDuration } from '../data/intervals.ts'
import type { DataType, IntervalType } from '../data/types.ts'
import { Temporal, toPhysical } from '../data/values.ts'
import type { LiteralValue, UnresolvedExpression } from '../plan/expression.ts'

/**
 * A JavaScript value as a literal. Integers are int where they fit, else long where they are safe; other numbers are double, bigint is long,
 *
 * Date and Temporal.Instant timestamp, Temporal.Duration an interval. With `type` the value is taken as that type, in any form that rows may have it in.
 * INVALID_LITERAL for a value that has no SQL type, errors of data/values.ts where it does not fit the type.
 */
export function literalOf(value: unknown, type?: DataType): UnresolvedExpression {
  if (value === null || value === undefined) return { kind: 'literal', value: null, type: type ?? 'void' }
  const as = type ?? typeOfValue(value)
  return { kind: 'literal', value: literalValue(as, value), type: as }
}

const maxLong = 2n ** 63n - 1n

function typeOfValue(value: unknown): DataType {
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    case 'number':
      return numberType(value)
    case 'bigint':
      if (value > maxLong || value < -maxLong - 1n)
        throw new InvalidQueryError('NUMERIC_VALUE_OUT_OF_RANGE', {
          what: `${value} does not fit into a long`,
          todo: 'use lit(value, t.decimal(38, 0))',
        })
      return 'long'
    default:
      return objectType(value)
  }
}

function numberType(value: number): DataType {
  if (!Number.isSafeInteger(value)) return 'double'
  return value >= -2147483648 && value <= 2147483647 ? 'int' : 'long'
}

function objectType(value: unknown): DataType {
  if (value instanceof Date || value instanceof Temporal.Instant) return 'timestamp'
  if (value instanceof Temporal.PlainDateTime) return 'timestamp_ntz'
  if (value instanceof Temporal.PlainDate) return 'date'
  if (value instanceof Uint8Array) return 'binary'
  if (value instanceof Temporal.Duration) {
    const type = value.years === 0 && value.months === 0 ? 'interval day to second' : 'interval year to month'
    return intervalType(value, type)
  }
  if (value instanceof Decimal) {
    const digits = String(value.unscaled).replace('-', '').length
    return { kind: 'decimal', precision: Math.max(digits, value.scale), scale: value.scale }
  }
  throw new InvalidQueryError('INVALID_LITERAL', {
    what: `${describe(value)} can't be a literal`,
    todo: 'use text, numbers, booleans, dates, bytes or null; for nested values use struct(…) and array(…)',
  })
}

function intervalType(value: Temporal.Duration, type: IntervalType): DataType {
  if (intervalOfDuration(type, value) !== undefined) return type
  throw new InvalidQueryError('INVALID_LITERAL', {
    what: `the duration ${value} mixes years or months with days or times, which no interval does`,
    todo: 'write two durations, and add one after the other',
  })
}

function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' ? `an object (${value?.constructor?.name ?? 'without prototype'})` : `a ${typeof value}`
}

function literalValue(type: DataType, value: unknown): LiteralValue {
  if (typeof type !== 'string' && type.kind !== 'decimal')
    throw new InvalidQueryError('INVALID_LITERAL', { what: 'a literal of a nested type', todo: 'build it with struct(…) or array(…)' })
  const physical = toPhysical(type, value)
  if (type === 'boolean') return physical === 1
  if (typeof type !== 'string' && typeof physical === 'bigint') return { unscaled: physical, scale: type.scale }
  return physical as LiteralValue
}
