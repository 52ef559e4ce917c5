/**
 * Parts of a filter that a table's source may apply as well, so that fewer rows come here. The filter stays: a source that leaves out no row but those that it must not give is
 * right, whatever else it gives. Only comparisons of columns with constants whose meaning is the same everywhere are told.
 */
import type { ComparisonOperator, Condition, ConditionValue } from '../data/condition.ts'
import type { DataType, DecimalType } from '../data/types.ts'
import type { Expression } from './expression.ts'
import { conjuncts } from './expression-tree.ts'
import type { LogicalPlan } from './logical-plan.ts'

/** Filter(Scan) tells the scan what of its condition a source may apply. What reads files of rows as they lie there takes no notice. */
export function tellConditions(plan: LogicalPlan): LogicalPlan {
  if (plan.kind !== 'filter' || plan.input.kind !== 'scan') return plan
  const scan = plan.input
  if (scan.conditions !== undefined || scan.instance !== undefined) return plan
  const conditions = conditionsOf(plan.condition)
  return conditions.length === 0 ? plan : { ...plan, input: { ...scan, conditions } }
}

/** What can be told of an expression: all of it is true wherever the expression is. */
export function conditionsOf(e: Expression): Condition[] {
  return conjuncts(e).flatMap((part) => conditionOf(part) ?? [])
}

/** A condition that is true wherever the expression is; undefined where nothing can be said. */
function conditionOf(e: Expression): Condition | undefined {
  if (e.kind !== 'call') return undefined
  const [a, b] = e.args
  switch (e.name) {
    case 'and': {
      const parts = e.args.map(conditionOf).filter((part) => part !== undefined)
      return parts.length === 0 ? undefined : parts.length === 1 ? parts[0] : { kind: 'and', parts }
    }
    case 'or': {
      const parts = e.args.map(conditionOf).filter((part) => part !== undefined)
      return parts.length === e.args.length ? { kind: 'or', parts } : undefined
    }
    case 'isnull':
    case 'isnotnull':
      return a?.kind === 'column' ? { kind: 'null', column: a.index, isNull: e.name === 'isnull' } : undefined
    case 'in': {
      const column = columnOf(a!)
      const values = e.args.slice(1).map((value) => column && valueOf(value, column.type))
      return column && values.every((value) => value !== undefined)
        ? { kind: 'in', column: column.index, values: values as ConditionValue[] }
        : undefined
    }
    default:
      return e.args.length === 2 ? (comparison(e.name, a!, b!) ?? comparison(mirrored[e.name] ?? '', b!, a!)) : undefined
  }
}

const operators: Readonly<Record<string, ComparisonOperator>> = { '==': '=', '!=': '<>', '<': '<', '<=': '<=', '>': '>', '>=': '>=' }
const mirrored: Readonly<Record<string, string>> = { '==': '==', '!=': '!=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' }

function comparison(name: string, left: Expression, right: Expression): Condition | undefined {
  const operator = operators[name]
  const column = columnOf(left)
  const value = column && valueOf(right, column.type)
  return operator && column && value ? { kind: 'compare', column: column.index, operator, value } : undefined
}

/** A column as it is, or under casts that change no value. */
export function columnOf(e: Expression): Extract<Expression, { kind: 'column' }> | undefined {
  if (e.kind === 'column') return e
  if (e.kind !== 'cast') return undefined
  return keepsNumbers(e.input.type, e.type) ? columnOf(e.input) : undefined
}

/** Of whole numbers and decimals, into one that has all their digits. */
function keepsNumbers(from: DataType, to: DataType): boolean {
  const [a, b] = [digitsOf(from), digitsOf(to)]
  return a !== undefined && b !== undefined && a.whole <= b.whole && a.scale <= b.scale
}
function digitsOf(type: DataType): { readonly whole: number; readonly scale: number } | undefined {
  if (typeof type !== 'string') return type.kind === 'decimal' ? { whole: type.precision - type.scale, scale: type.scale } : undefined
  // a long has up to 19 digits, and no number of 19 digits is safe in it
  const whole = { byte: 3, short: 5, int: 10, long: 19 }[type as string]
  return whole === undefined ? undefined : { whole, scale: 0 }
}

/** A constant that can be compared with a column of that type. */
function valueOf(e: Expression, type: DataType): ConditionValue | undefined {
  if (e.kind === 'cast' && e.input.kind === 'literal' && e.type === type && typeof e.input.value === 'string')
    return timeInText(e.input.value, type)
  if (e.kind === 'cast') return keepsNumbers(e.input.type, e.type) ? valueOf(e.input, type) : undefined
  if (e.kind !== 'literal' || e.value === null) return undefined
  const { value } = e
  if (digitsOf(type) !== undefined) {
    if (digitsOf(e.type) === undefined) return undefined
    if (typeof value === 'object' && !(value instanceof Uint8Array))
      return { kind: 'number', text: decimalText(value.unscaled, (e.type as DecimalType).scale) }
    return { kind: 'number', text: String(value) }
  }
  if (type !== e.type) return undefined
  switch (type) {
    case 'string':
      return { kind: 'text', text: value as string }
    case 'date':
      return timeValue('date', Number(value) * 86_400_000, 0)
    case 'timestamp':
    case 'timestamp_ntz': {
      const us = BigInt(value as bigint)
      const ms = us >= 0n ? us / 1000n : -((-us + 999n) / 1000n)
      return timeValue(type, Number(ms), Number(us - ms * 1000n))
    }
    default:
      return undefined
  }
}

/** A text that stands for a day, or for a time that says its own zone. */
function timeInText(text: string, type: DataType): ConditionValue | undefined {
  const parts = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z)?$/.exec(text)
  if (!parts || (parts[2] === undefined) !== (type === 'date') || (type !== 'date' && type !== 'timestamp')) return undefined
  const [, day, time = '00:00:00', fraction = ''] = parts
  const ms = Date.parse(`${day}T${time}Z`)
  // a day that the month does not have is an error when it is cast
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day) return undefined
  const us = Number(fraction.padEnd(6, '0'))
  return timeValue(type, ms + Math.floor(us / 1000), us % 1000)
}

function timeValue(kind: ConditionValue['kind'], ms: number, us: number): ConditionValue | undefined {
  // years of four digits are written alike everywhere
  if (ms < Date.UTC(1000, 0, 1) || ms > Date.UTC(9999, 11, 31)) return undefined
  const iso = new Date(ms).toISOString()
  return { kind, text: kind === 'date' ? iso.slice(0, 10) : `${iso.slice(0, 10)} ${iso.slice(11, 23)}${String(us).padStart(3, '0')}` }
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return unscaled < 0n ? `-${text}` : text
}
