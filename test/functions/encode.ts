/** The encoding of values that README.md describes, from the forms in which the engine gives rows, and back. */
import { Temporal } from 'temporal-polyfill'
import { intervalOfDuration, intervalValueText, isInterval } from '../../src/data/intervals.ts'
import type { DataType } from '../../src/data/types.ts'

export type Encoded = null | boolean | number | string | readonly Encoded[]

export function encode(type: DataType, value: unknown): Encoded {
  if (value === null || value === undefined) return null
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal':
        return String(value)
      case 'array':
        return (value as readonly unknown[]).map((item) => encode(type.element, item))
      case 'map':
        return Array.from(value as ReadonlyMap<unknown, unknown>, ([key, item]) => [encode(type.key, key), encode(type.value, item)])
      case 'struct':
        return type.fields.map((field) => encode(field.type, (value as Record<string, unknown>)[field.name]))
    }
  }
  switch (type) {
    case 'long':
      return String(value)
    case 'float':
    case 'double':
      return floating(value as number)
    case 'binary':
      return Buffer.from(value as Uint8Array).toString('hex')
    case 'date':
      return yearText(value as Temporal.PlainDate) + (value as Temporal.PlainDate).toString().slice(-6)
    case 'timestamp':
      return timeText((value as Temporal.Instant).toZonedDateTimeISO('UTC').toPlainDateTime())
    case 'timestamp_ntz':
      return timeText(value as Temporal.PlainDateTime)
    default:
      return isInterval(type) ? intervalValueText(type, intervalOfDuration(type, value)!) : (value as Encoded)
  }
}
function floating(value: number): Encoded {
  return Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value)
}
function yearText({ year }: { year: number }): string {
  return year > 9999 ? `+${year}` : year < 0 ? `-${String(-year).padStart(4, '0')}` : String(year).padStart(4, '0')
}
function timeText(time: Temporal.PlainDateTime): string {
  const two = (n: number) => String(n).padStart(2, '0')
  const fraction = String(time.millisecond * 1000 + time.microsecond)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${yearText(time)}-${two(time.month)}-${two(time.day)} ${two(time.hour)}:${two(time.minute)}:${two(time.second)}${fraction && `.${fraction}`}`
}

/** The public form of an encoded value, for the rows of an example's table. */
export function decode(type: DataType, value: Encoded): unknown {
  if (value === null) return null
  if (typeof type !== 'string') {
    const items = value as readonly Encoded[]
    switch (type.kind) {
      case 'decimal':
        return value
      case 'array':
        return items.map((item) => decode(type.element, item))
      case 'map':
        return new Map(items.map((entry) => [decode(type.key, (entry as Encoded[])[0]!), decode(type.value, (entry as Encoded[])[1]!)]))
      case 'struct':
        return Object.fromEntries(type.fields.map((field, i) => [field.name, decode(field.type, items[i]!)]))
    }
  }
  switch (type) {
    case 'long':
      return BigInt(value as string)
    case 'float':
    case 'double':
      return Number(value)
    case 'binary':
      return new Uint8Array(Buffer.from(value as string, 'hex'))
    case 'date':
      return Temporal.PlainDate.from(value as string)
    case 'timestamp':
      return Temporal.Instant.from(`${(value as string).replace(' ', 'T')}Z`)
    case 'timestamp_ntz':
      return Temporal.PlainDateTime.from((value as string).replace(' ', 'T'))
    default:
      return value
  }
}

/** Whether two encoded values are the same, up to the last bits of floating-point numbers. */
export function sameEncoded(type: DataType, a: Encoded, b: Encoded): boolean {
  if (Array.isArray(a) && Array.isArray(b) && typeof type !== 'string') {
    if (a.length !== b.length) return false
    const inner = (i: number): DataType =>
      type.kind === 'array' ? type.element : type.kind === 'struct' ? type.fields[i]!.type : (type as never)
    if (type.kind === 'map')
      return a.every((entry, i) => sameEncoded(type.key, entry[0], b[i][0]) && sameEncoded(type.value, entry[1], b[i][1]))
    return a.every((item, i) => sameEncoded(inner(i), item, b[i]))
  }
  if (type === 'double' && typeof a === 'number' && typeof b === 'number') return a === b || Math.abs(a - b) <= 1e-15 * Math.abs(b)
  return a === b
}
