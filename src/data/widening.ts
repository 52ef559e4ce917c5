/** Types that hold every value of another, and values on their way into them. */
import type { DataType, Field, StructType } from './types.ts'
import { fromPhysical, type Physical, toPhysical } from './values.ts'

/** Decimal digits of the whole numbers of a type. */
const digits: Readonly<Record<string, number>> = { byte: 3, short: 5, int: 10, long: 19 }
const bits: Readonly<Record<string, number>> = { byte: 8, short: 16, int: 32, long: 64 }

/**
 * Whether `to` holds every value of `from` exactly: the same type, a wider whole number, byte, short and int as double, float as double, a decimal with no
 * fewer digits on either side of its point; arrays, maps and structs of these. A struct may have gained nullable fields and lost others.
 */
export function holds(to: DataType, from: DataType): boolean {
  if (typeof to === 'string') {
    if (to === from || from === 'void') return true
    if (typeof from !== 'string') return false
    if (bits[from] !== undefined && bits[to] !== undefined) return bits[from] <= bits[to]!
    return to === 'double' && (from === 'float' || (bits[from] ?? 64) <= 32)
  }
  if (from === 'void') return true
  if (to.kind === 'decimal') {
    const whole = typeof from === 'string' ? digits[from] : from.kind === 'decimal' ? from.precision - from.scale : undefined
    const scale = typeof from === 'string' || from.kind !== 'decimal' ? 0 : from.scale
    return whole !== undefined && to.scale >= scale && to.precision - to.scale >= whole
  }
  if (typeof from === 'string') return false
  if (to.kind === 'array') return from.kind === 'array' && holds(to.element, from.element)
  // entries of a map are found by equal keys, so that only their values may change
  if (to.kind === 'map') return from.kind === 'map' && isSamePhysically(to.key, from.key) && holds(to.value, from.value)
  if (from.kind !== 'struct') return false
  return fieldSources(to, from).every((source, i) =>
    source === undefined ? to.fields[i]!.nullable : holds(to.fields[i]!.type, source.type),
  )
}

/** Where each field of a struct comes from: the one of its name, or, where no name is left of as many fields, the one in its place. */
export function fieldSources(to: StructType, from: StructType): (Field | undefined)[] {
  const named = to.fields.map(({ name }) => from.fields.find((field) => field.name === name))
  const isRenamed = to.fields.length === from.fields.length && named.every((field) => field === undefined)
  return isRenamed ? [...from.fields] : named
}

/** Whether values of the two types are the same bytes in files: the same type but for names and the nullability of what is inside. */
export function isSamePhysically(a: DataType, b: DataType): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  if (a.kind === 'decimal') return b.kind === 'decimal' && a.precision === b.precision && a.scale === b.scale
  if (a.kind === 'array') return b.kind === 'array' && isSamePhysically(a.element, b.element)
  if (a.kind === 'map') return b.kind === 'map' && isSamePhysically(a.key, b.key) && isSamePhysically(a.value, b.value)
  if (b.kind !== 'struct' || a.fields.length !== b.fields.length) return false
  const sources = fieldSources(a, b)
  return a.fields.every((field, i) => sources[i] === b.fields[i] && isSamePhysically(field.type, b.fields[i]!.type))
}

/** Whether equal values have one encoding as keys in both types (key-encoding.ts): numbers are encoded by value. */
export function isEncodedAlike(a: DataType, b: DataType): boolean {
  const kind = (type: DataType) =>
    typeof type !== 'string' ? type.kind : bits[type] !== undefined ? 'decimal' : type === 'float' ? 'double' : type
  if (kind(a) !== kind(b)) return false
  if (typeof a === 'string' || typeof b === 'string' || a.kind === 'decimal') return true
  if (a.kind === 'array') return isEncodedAlike(a.element, (b as typeof a).element)
  return isSamePhysically(a, b)
}

/** The type `to`, which `from` fits into, with null allowed wherever one of them has it. */
export function withNullsOf(to: DataType, from: DataType): DataType {
  if (typeof to === 'string' || typeof from === 'string' || to.kind !== from.kind) return to
  switch (to.kind) {
    case 'decimal':
      return to
    case 'array':
      return {
        ...to,
        element: withNullsOf(to.element, (from as typeof to).element),
        containsNull: to.containsNull || (from as typeof to).containsNull,
      }
    case 'map':
      return {
        ...to,
        value: withNullsOf(to.value, (from as typeof to).value),
        valueContainsNull: to.valueContainsNull || (from as typeof to).valueContainsNull,
      }
    case 'struct': {
      const sources = fieldSources(to, from as StructType)
      const fields = to.fields.map((field, i): Field => {
        const source = sources[i]
        return source ? { ...field, type: withNullsOf(field.type, source.type), nullable: field.nullable || source.nullable } : field
      })
      return { ...to, fields }
    }
  }
}

/** A number, in the physical form of `from`, in that of `to`. */
export function widenNumber(value: number | bigint, from: DataType, to: DataType): number | bigint {
  const scale = (type: DataType) => (typeof type !== 'string' && type.kind === 'decimal' ? type.scale : 0)
  const isBig = to === 'long' || (typeof to !== 'string' && to.kind === 'decimal')
  return isBig ? BigInt(value) * 10n ** BigInt(scale(to) - scale(from)) : Number(value)
}

/** A value in its public form (Row), of a type that `to` holds. */
export function widenValue(value: unknown, from: DataType, to: DataType): unknown {
  if (value === null || value === undefined) return null
  if (typeof to !== 'string' && typeof from !== 'string') {
    if (to.kind === 'array' && from.kind === 'array') return (value as unknown[]).map((item) => widenValue(item, from.element, to.element))
    if (to.kind === 'map' && from.kind === 'map')
      return new Map(
        [...(value as Map<unknown, unknown>)].map(([key, item]) => [
          widenValue(key, from.key, to.key),
          widenValue(item, from.value, to.value),
        ]),
      )
    if (to.kind === 'struct' && from.kind === 'struct') {
      const sources = fieldSources(to, from)
      const fieldOf = (source: Field | undefined, type: DataType) =>
        source ? widenValue((value as Record<string, unknown>)[source.name], source.type, type) : null
      return Object.fromEntries(to.fields.map(({ name, type }, i) => [name, fieldOf(sources[i], type)]))
    }
  }
  if (isSamePhysically(from, to)) return value
  return fromPhysical(to, widenNumber(toPhysical(from, value) as number | bigint, from, to) as Physical)
}
