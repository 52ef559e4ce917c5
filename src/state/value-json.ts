/**
 * 'values' columns (decimals over 18 digits, arrays, maps, structs) as JSON text, type by type and without loss: long and decimal as text,
 * NaN and the infinities as text, binary as base64, timestamps as their microseconds, a map as [[key, value], …].
 */
import { isDayTime } from '../data/intervals.ts'
import type { DataType } from '../data/types.ts'
import { encodeStrings, fromPhysical, type Physical, toPhysical } from '../data/values.ts'
import { resized } from './resized.ts'

/** JSON text of a value in the physical form of a 'values' column. */
export function valueToJson(type: DataType, value: unknown): string {
  const list = listToJson(type, value)
  if (list !== undefined) return list
  return JSON.stringify(
    value == null ? null : typeof type !== 'string' && type.kind === 'decimal' ? String(value) : encodeNested(type, value),
  )
}

/** The texts of a column's values as UTF-8, one after the other. */
export function valuesToJson(type: DataType, values: readonly unknown[]): { offsets: Uint32Array; heap: Uint8Array } {
  const isListOfLongs = typeof type !== 'string' && type.kind === 'array' && type.element === 'long'
  return isListOfLongs ? longListsToJson(type, values) : encodeStrings(values.map((value) => valueToJson(type, value)))
}

/** Without a string for each of the numbers: sets have many. */
function longListsToJson(type: DataType, lists: readonly unknown[]): { offsets: Uint32Array; heap: Uint8Array } {
  const offsets = new Uint32Array(lists.length + 1)
  let heap = new Uint8Array(1024)
  let end = 0
  for (let i = 0; i < lists.length; i++) {
    const list = lists[i]
    const length = Array.isArray(list) && list.length > 0 && list.every(isSafeLong) ? list.length * mostBytes + 2 : undefined
    const text = length === undefined ? encoder.encode(valueToJson(type, list)) : undefined
    const needed = end + (text?.length ?? length!)
    if (needed > heap.length) heap = resized(heap, Math.max(needed, 2 * heap.length))
    if (text === undefined) end = putSafeLongs(heap, end, list as readonly bigint[])
    else {
      heap.set(text, end)
      end += text.length
    }
    offsets[i + 1] = end
  }
  return { offsets, heap: heap.subarray(0, end) }
}
const encoder = new TextEncoder()
/** A sign, 16 digits, two quotes and a comma. */
const mostBytes = 20
const isSafeLong = (value: unknown) => typeof value === 'bigint' && Number.isSafeInteger(Number(value))

function putSafeLongs(heap: Uint8Array, start: number, list: readonly bigint[]): number {
  const [quote, comma] = [34, 44]
  let end = start
  heap[end++] = 91
  for (let i = 0; i < list.length; i++) {
    if (i > 0) heap[end++] = comma
    heap[end++] = quote
    end = putDigits(heap, end, Number(list[i]))
    heap[end++] = quote
  }
  heap[end++] = 93
  return end
}
function putDigits(heap: Uint8Array, start: number, value: number): number {
  let end = start
  if (value < 0) heap[end++] = 45
  const size = Math.abs(value)
  const high = Math.floor(size / 1e9)
  if (high === 0) return putWord(heap, end, size, 1)
  end = putWord(heap, end, high, 1)
  return putWord(heap, end, size - high * 1e9, 9)
}
/** A number below 2^31, with so many digits at least. */
function putWord(heap: Uint8Array, start: number, value: number, least: number): number {
  let digits = least
  for (let bound = 10 ** least; value >= bound; bound *= 10) digits++
  for (let at = start + digits - 1, left = value; at >= start; at--) {
    const rest = (left / 10) | 0
    heap[at] = 48 + left - rest * 10
    left = rest
  }
  return start + digits
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
