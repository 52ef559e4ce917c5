/**
 * Arithmetic with intervals. The calls keep the operator's name, and their types say which operation it is:
 * interval ± interval · interval * number, interval / number · date or timestamp ± interval · date - date, timestamp - timestamp.
 */
import { isDayTime, isInterval, widerInterval } from '../data/intervals.ts'
import type { DataType, IntervalType } from '../data/types.ts'
import { typeMismatch } from './analysis-errors.ts'
import type { ArithmeticName } from './arithmetic.ts'
import { castTo, isIntegral, isNumeric, isTimestamp } from './coercion.ts'
import type { Expression } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { argumentAs, call } from './signatures.ts'

/** The typed call where an operand is an interval or both are times; undefined for everything else. */
export function resolveWithIntervals(name: ArithmeticName, a: Expression, b: Expression): Expression | undefined {
  if (isInterval(a.type) && isInterval(b.type)) return betweenIntervals(name, a, b)
  if (isInterval(b.type) && name === '*') return scaled(name, b, a)
  if (isInterval(a.type) && (name === '*' || name === '/')) return scaled(name, a, b)
  if (isInterval(a.type) && b.type === 'void') return betweenIntervals(name, a, castTo(b, a.type))
  if (isInterval(b.type) && a.type === 'void') return betweenIntervals(name, castTo(a, b.type), b)
  if (isInterval(b.type)) return moved(name, a, b)
  if (isInterval(a.type)) return name === '+' ? moved(name, b, a) : undefined
  return name === '-' ? difference(a, b) : undefined
}

function betweenIntervals(name: ArithmeticName, a: Expression, b: Expression): Expression {
  const type = widerInterval(a.type as IntervalType, b.type as IntervalType)
  if (type !== undefined && (name === '+' || name === '-'))
    return call(name, [castTo(a, type), castTo(b, type)], type, a.nullable || b.nullable)
  const shown = `"(${expressionText(a)} ${name} ${expressionText(b)})"`
  throw typeMismatch(
    type === undefined ? 'BINARY_OP_DIFF_TYPES' : 'UNEXPECTED_INPUT_TYPE',
    `${shown} has two intervals as operands${type === undefined ? ', one of months and one of days or times' : ''}`,
    type === undefined ? 'add them to a date or a timestamp one after the other' : 'use a number for one of them',
  )
}

/** The interval comes first, and has all its fields: a third of a day is 8 hours. */
function scaled(name: '*' | '/', interval: Expression, given: Expression): Expression {
  const number = isNumeric(given.type) ? given : argumentAs(name, given, 1, 'numeric')
  const type: DataType = isDayTime(interval.type) ? 'interval day to second' : 'interval year to month'
  const by = isIntegral(number.type) ? castTo(number, 'long') : number.type === 'float' ? castTo(number, 'double') : number
  return call(name, [castTo(interval, type), by], type, interval.nullable || by.nullable || given.type === 'string')
}

/** A date moved by months or whole days stays a date; by hours it becomes a timestamp. */
function moved(name: ArithmeticName, given: Expression, by: Expression): Expression {
  if (name !== '+' && name !== '-') throw notMovable(name, given, by)
  const time = given.type === 'string' || given.type === 'date' || isTimestamp(given.type) ? given : undefined
  if (time === undefined) throw notMovable(name, given, by)
  const staysDate = time.type === 'date' && (!isDayTime(by.type) || by.type === 'interval day')
  const start = staysDate || isTimestamp(time.type) ? time : argumentAs(name, time, 0, 'timestamp')
  const sum = call(name, [start, by], start.type, start.nullable || by.nullable || given.type === 'string')
  return given.type === 'string' ? castTo(sum, 'string') : sum
}
function notMovable(name: ArithmeticName, time: Expression, by: Expression): Error {
  return typeMismatch(
    'UNEXPECTED_INPUT_TYPE',
    `"(${expressionText(time)} ${name} ${expressionText(by)})" adds an interval to a value that is neither a date, a timestamp nor an interval`,
    "add an interval to a time: col('at').plus('1 hour')",
  )
}

function difference(a: Expression, b: Expression): Expression | undefined {
  const isTime = (e: Expression) => e.type === 'date' || isTimestamp(e.type)
  const textTime = [a, b].some((e) => e.type === 'string' || e.type === 'void')
  if (!isTime(a) && !isTime(b)) return undefined
  if (!(isTime(a) && isTime(b)) && !textTime) return undefined
  const stamps = [a, b].filter((e) => isTimestamp(e.type))
  const nullable = a.nullable || b.nullable || textTime
  if (stamps.length === 0) return call('-', [castTo(a, 'date'), castTo(b, 'date')], 'interval day', nullable)
  const type = stamps.some((e) => e.type === 'timestamp') ? 'timestamp' : 'timestamp_ntz'
  return call('-', [castTo(a, type), castTo(b, type)], 'interval day to second', nullable)
}
