/**
 * 'values' columns (decimals over 18 digits, arrays, maps, structs) as JSON text, type by type and without loss: long and decimal as text,
 * NaN and the infinities as text, binary as base64, timestamps as their microseconds, a map as [[key, value], …].
 */
import { isDayTime } from '../data/intervals.ts'
import type { DataType } from '../data/types.ts'
import { fromPhysical, type Physical, toPhysical } from '../data/values.ts'

/** JSON text of a value in the physical form of a 'values' column. */
export function valueToJson(type: DataType, value: unknown): string {
  const list = listToJson(type, value)
  if (list !== undefined) return list
  return JSON.stringify(
    value == null ? null : typeof type !== 'string' && type.kind === 'decimal' ? String(value) : encodeNested(type, value),
  )
}

/** The same text for long lists of plain values, which sets become and which are written with every change: without a second list. */
function listToJson(type: DataType, value: unknown): string | undefined {
  if (typeof type === 'string' || type.kind !== 'array' || !Array.isArray(value) || value.length === 0) return undefined
  if (type.element === 'long') return value.every(isLong) ? `["${value.join('","')}"]` : undefined
  return type.element === 'string' && value.every((item) => typeof item === 'string') ? JSON.stringify(value) : undefined
}
const isLong = (value: unknown) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value

/** The inverse of valueToJson. */
export function valueFromJson(type: DataType, json: string): unknown {
  const value: unknown = JSON.parse(json)
  if (value === null) return null
  return typeof type !== 'string' && type.kind === 'decimal' ? BigInt(value as string) : decodeNested(type, value)
}

function encodeNested(type: DataType, value: unknown): unknown {
  if (value == null) return null
  if (typeof type !== 'string') {
    if (type.kind === 'array') return (value as readonly unknown[]).map((item) => encodeNested(type.element, item))
    if (type.kind === 'map')
      return [...(value as ReadonlyMap<unknown, unknown>)].map(([key, item]) => [
        encodeNested(type.key, key),
        encodeNested(type.value, item),
      ])
    if (type.kind === 'struct') return type.fields.map((field) => encodeNested(field.type, (value as Record<string, unknown>)[field.name]))
  }
  return encodePlain(toPhysical(type, value))
}
function encodePlain(value: Physical): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number')
    return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value)
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

function decodeNested(type: DataType, value: unknown): unknown {
  if (value === null) return null
  if (typeof type !== 'string') {
    if (type.kind === 'array') return (value as unknown[]).map((item) => decodeNested(type.element, item))
    if (type.kind === 'map')
      return new Map((value as [unknown, unknown][]).map(([key, item]) => [decodeNested(type.key, key), decodeNested(type.value, item)]))
    if (type.kind === 'struct')
      return Object.fromEntries(type.fields.map((field, i) => [field.name, decodeNested(field.type, (value as unknown[])[i])]))
  }
  return fromPhysical(type, decodePlain(type, value))
}
function decodePlain(type: DataType, value: unknown): Physical {
  if (typeof type !== 'string' || type === 'long' || type === 'timestamp' || type === 'timestamp_ntz' || isDayTime(type))
    return BigInt(value as string)
  if (type === 'binary') return new Uint8Array(Buffer.from(value as string, 'base64'))
  return type === 'float' || type === 'double' ? Number(value) : (value as Physical)
}
