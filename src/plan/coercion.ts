/**
 * Types meet: Spark's implicit casts in ANSI mode, made explicit as Cast nodes.
 * A string gives way to every other atomic type (to long beside integers, to double beside fractions); integers widen; date becomes timestamp.
 */
import { assert } from '../base/errors.ts'
import { isDayTime, isInterval, widerInterval } from '../data/intervals.ts'
import { type DataType, type DecimalType, decimal, type SimpleType, sameType } from '../data/types.ts'
import type { Expression, LiteralValue } from './expression.ts'

const integralPrecision: Partial<Record<SimpleType, number>> = { byte: 3, short: 5, int: 10, long: 20 }
/** Wider to the right. */
const numericOrder: readonly DataType[] = ['byte', 'short', 'int', 'long', 'float', 'double']

export function isIntegral(type: DataType): boolean {
  return typeof type === 'string' && type in integralPrecision
}
export function isDecimal(type: DataType): type is DecimalType {
  return typeof type !== 'string' && type.kind === 'decimal'
}
export function isFractional(type: DataType): boolean {
  return type === 'float' || type === 'double' || isDecimal(type)
}
export function isNumeric(type: DataType): boolean {
  return isIntegral(type) || isFractional(type)
}
export function isTimestamp(type: DataType): boolean {
  return type === 'timestamp' || type === 'timestamp_ntz'
}
/** Everything but void and nested types. */
export function isAtomic(type: DataType): boolean {
  return type !== 'void' && (typeof type === 'string' || type.kind === 'decimal')
}
/** Whether `<` means something: not for maps. */
export function isOrderable(type: DataType): boolean {
  if (typeof type === 'string' || type.kind === 'decimal') return true
  if (type.kind === 'array') return isOrderable(type.element)
  return type.kind === 'struct' && type.fields.every((field) => isOrderable(field.type))
}

/** The decimal type that holds every value of an integral type; a decimal is its own. */
export function decimalFor(type: DataType): DecimalType {
  if (isDecimal(type)) return type
  const precision = typeof type === 'string' ? integralPrecision[type] : undefined
  assert(precision !== undefined, `no decimal type for ${JSON.stringify(type)}`)
  return decimal(precision, 0)
}
/** At most 38 digits, as they come. */
export function boundedDecimal(precision: number, scale: number): DecimalType {
  return decimal(Math.min(precision, 38), Math.min(scale, 38))
}
/** At most 38 digits; where more would be needed, digits after the point go first, down to 6. */
export function adjustedDecimal(precision: number, scale: number): DecimalType {
  if (precision <= 38) return decimal(precision, scale)
  const whole = precision - scale
  return decimal(38, Math.max(38 - whole, Math.min(scale, 6)))
}

/** The type that both can become, or undefined. */
export function commonType(a: DataType, b: DataType): DataType | undefined {
  return tightestType(a, b) ?? widerDecimal(a, b) ?? stringGivesWay(a, b) ?? commonNested(a, b, commonType)
}

/** As commonType, over many. */
export function commonTypeOf(types: readonly DataType[]): DataType | undefined {
  return types.reduce<DataType | undefined>((common, type) => common && commonType(common, type), 'void')
}

function tightestType(a: DataType, b: DataType): DataType | undefined {
  if (sameType(a, b) && typeof a === 'string') return a
  if (a === 'void') return b
  if (b === 'void') return a
  if (isIntegral(a) && isDecimal(b) && isWiderThan(b, a)) return b
  if (isDecimal(a) && isIntegral(b) && isWiderThan(a, b)) return a
  if (numericOrder.includes(a) && numericOrder.includes(b)) {
    const wider = numericOrder[Math.max(numericOrder.indexOf(a), numericOrder.indexOf(b))]!
    return wider === 'float' && a !== b ? 'double' : wider // an integer does not fit into a float
  }
  if (isInterval(a) && isInterval(b)) return widerInterval(a, b)
  if (isDatetime(a) && isDatetime(b)) return a === 'timestamp' || b === 'timestamp' ? 'timestamp' : 'timestamp_ntz'
  return commonNested(a, b, tightestType)
}

function isWiderThan(a: DecimalType, integral: DataType): boolean {
  return a.precision - a.scale >= decimalFor(integral).precision
}
function isDatetime(type: DataType): boolean {
  return type === 'date' || isTimestamp(type)
}

function widerDecimal(a: DataType, b: DataType): DataType | undefined {
  if (!isDecimal(a) && !isDecimal(b)) return undefined
  if (!isNumeric(a) || !isNumeric(b)) return undefined
  if (a === 'float' || a === 'double' || b === 'float' || b === 'double') return 'double'
  const x = decimalFor(a)
  const y = decimalFor(b)
  const scale = Math.max(x.scale, y.scale)
  return boundedDecimal(Math.max(x.precision - x.scale, y.precision - y.scale) + scale, scale)
}

/** What a string becomes beside another type. */
export function stringGivesWay(a: DataType, b: DataType): DataType | undefined {
  if (a !== 'string' && b !== 'string') return undefined
  const other = a === 'string' ? b : a
  if (isIntegral(other)) return 'long'
  if (isFractional(other)) return 'double'
  return isAtomic(other) ? other : undefined
}

function commonNested(a: DataType, b: DataType, meet: (a: DataType, b: DataType) => DataType | undefined): DataType | undefined {
  if (typeof a === 'string' || typeof b === 'string') return undefined
  if (a.kind === 'array' && b.kind === 'array') {
    const element = meet(a.element, b.element)
    return element && { kind: 'array', element, containsNull: a.containsNull || b.containsNull }
  }
  if (a.kind === 'map' && b.kind === 'map') {
    const key = meet(a.key, b.key)
    const value = meet(a.value, b.value)
    return key && value && { kind: 'map', key, value, valueContainsNull: a.valueContainsNull || b.valueContainsNull }
  }
  if (a.kind === 'struct' && b.kind === 'struct' && a.fields.length === b.fields.length) {
    const fields = a.fields.map((field, i) => {
      const other = b.fields[i]!
      const type = field.name.toLowerCase() === other.name.toLowerCase() ? meet(field.type, other.type) : undefined
      return type && { name: field.name, type, nullable: field.nullable || other.nullable }
    })
    return fields.some((field) => field === undefined) ? undefined : { kind: 'struct', fields: fields.map((field) => field!) }
  }
  return a.kind === 'decimal' && sameType(a, b) ? a : undefined
}

/**
 * The type in which two are compared: that which they have in common, or the names of the first where they differ in nothing else.
 * Only comparisons of Spark pass over the names of fields; what gives one of several values does not.
 */
export function comparedType(a: DataType, b: DataType): DataType | undefined {
  const common = commonType(a, b)
  if (common !== undefined) return common
  const renamed = withNamesOf(a, b)
  return sameType(a, renamed) ? commonType(a, renamed) : undefined
}
function withNamesOf(named: DataType, type: DataType): DataType {
  if (typeof named === 'string' || typeof type === 'string') return type
  if (named.kind === 'array' && type.kind === 'array') return { ...type, element: withNamesOf(named.element, type.element) }
  if (named.kind === 'map' && type.kind === 'map')
    return { ...type, key: withNamesOf(named.key, type.key), value: withNamesOf(named.value, type.value) }
  if (named.kind !== 'struct' || type.kind !== 'struct' || named.fields.length !== type.fields.length) return type
  const fields = named.fields.map(({ name, type: own }, i) => ({ ...type.fields[i]!, name, type: withNamesOf(own, type.fields[i]!.type) }))
  return { kind: 'struct', fields }
}

/** Whether a value of one type may be taken for another without an explicit cast (Spark's ANSI store assignment). */
export function canStoreAs(from: DataType, to: DataType): boolean {
  if (sameType(from, to) || from === 'void') return true
  if (isNumeric(from) && isNumeric(to)) return true
  if (isAtomic(from) && to === 'string') return true
  if (isDatetime(from) && isDatetime(to)) return true
  if (isInterval(from) && isInterval(to)) return isDayTime(from) === isDayTime(to)
  if (typeof from === 'string' || typeof to === 'string') return false
  if (from.kind === 'array' && to.kind === 'array') return canStoreAs(from.element, to.element)
  if (from.kind === 'map' && to.kind === 'map') return canStoreAs(from.key, to.key) && canStoreAs(from.value, to.value)
  return (
    from.kind === 'struct' &&
    to.kind === 'struct' &&
    from.fields.length === to.fields.length &&
    from.fields.every((field, i) => canStoreAs(field.type, to.fields[i]!.type))
  )
}

/** Whether `cast(x as to)` is allowed in ANSI mode. */
export function canCast(from: DataType, to: DataType): boolean {
  if (sameType(from, to) || from === 'void') return true
  if (to === 'void') return false
  if (isAtomic(from) && to === 'string') return true
  if (isAtomic(from) && isAtomic(to)) return canCastAtomic(from, to)
  if (to === 'string') return true
  if (typeof from === 'string' || typeof to === 'string') return false
  if (from.kind === 'array' && to.kind === 'array') return canCast(from.element, to.element)
  if (from.kind === 'map' && to.kind === 'map') return canCast(from.key, to.key) && canCast(from.value, to.value)
  return (
    from.kind === 'struct' &&
    to.kind === 'struct' &&
    from.fields.length === to.fields.length &&
    from.fields.every((field, i) => canCast(field.type, to.fields[i]!.type))
  )
}

/** Why Spark refuses a cast that canCast doesn't allow: what it would have one do instead. */
export function castRefusal(from: DataType, to: DataType, mode: 'ansi' | 'try'): 'CONF' | 'FUNC' | undefined {
  if ((from === 'date' && isNumeric(to)) || (to === 'date' && isNumeric(from))) return 'FUNC'
  const withoutAnsi =
    (to === 'boolean' && (from === 'date' || from === 'timestamp')) ||
    (to === 'timestamp' && from === 'boolean') ||
    (to === 'binary' && isIntegral(from))
  return mode === 'ansi' && withoutAnsi ? 'CONF' : undefined
}

function canCastAtomic(from: DataType, to: DataType): boolean {
  if (from === 'string') return true
  if (isInterval(from) && isInterval(to)) return isDayTime(from) === isDayTime(to)
  if (isInterval(from)) return isIntegral(to) || isDecimal(to)
  if (isInterval(to)) return isIntegral(from) || isDecimal(from)
  if (to === 'binary' || from === 'binary') return false
  if (isDatetime(from) && isDatetime(to)) return true
  if (from === 'timestamp' || to === 'timestamp') return isNumeric(from) || isNumeric(to)
  if (isDatetime(from) || isDatetime(to)) return false
  return true // numbers and booleans among themselves
}

/** The expression as `type`: itself where it has it, a literal converted on the spot where that is exact, else a Cast. */
export function castTo(e: Expression, type: DataType, mode: 'ansi' | 'try' = 'ansi'): Expression {
  if (sameType(e.type, type)) return e
  if (e.kind === 'literal') {
    const value = convertLiteral(e.value, e.type, type)
    if (value !== undefined) return { kind: 'literal', value, type, nullable: value === null }
  }
  return { kind: 'cast', input: e, type, mode, nullable: e.nullable || mode === 'try' }
}

/** The value of a literal in another type, or undefined where the conversion is left to the engine. */
function convertLiteral(value: LiteralValue, from: DataType, to: DataType): LiteralValue | undefined {
  if (value === null) return null
  if (!isIntegral(from) || !(typeof value === 'number' || typeof value === 'bigint')) return undefined
  if (to === 'long') return BigInt(value)
  if (to === 'int' && typeof value === 'number') return value
  if (to === 'double' && Number.isSafeInteger(Number(value))) return Number(value)
  if (isDecimal(to) && String(value).replace('-', '').length <= to.precision - to.scale)
    return { unscaled: BigInt(value) * 10n ** BigInt(to.scale), scale: to.scale }
  return undefined
}

/** An operand of decimal arithmetic as a decimal: an integer literal takes as few digits as it has. */
export function asDecimal(e: Expression): Expression {
  if (isDecimal(e.type)) return e
  if (e.kind === 'literal' && (typeof e.value === 'number' || typeof e.value === 'bigint')) {
    return castTo(e, decimal(Math.max(1, String(e.value).replace('-', '').length), 0))
  }
  return castTo(e, decimalFor(e.type))
}
