/** One value of a column as PostgreSQL's binary format has it. */

import { isYearMonth } from '../../data/intervals.ts'
import type { DataType } from '../../data/types.ts'
import { type Physical, toPhysical } from '../../data/values.ts'
import { Unfit } from '../time-text.ts'
import { numericBytes } from './numeric.ts'
import { type BinaryForm, elementForm, elementOids } from './types.ts'

/** Days and microseconds from 1970 to 2000, where PostgreSQL begins to count. */
export const epochDays = 10_957
export const epochUs = 946_684_800_000_000n

/** From 4713 BC on; larger years than both take are none of Spark's timestamps. */
const firstDay = -2_451_545
const endDay = 2_145_031_949
const firstUs = -211_813_488_000_000_000n
const endUs = 9_223_371_331_200_000_000n

export function postgresDays(days: number): number {
  const value = days - epochDays
  if (value < firstDay || value >= endDay) throw new Unfit('the date is out of range: PostgreSQL has them from 4713 BC to 5874897 AD')
  return value
}
export function postgresUs(us: bigint): bigint {
  const value = us - epochUs
  if (value < firstUs || value >= endUs) throw new Unfit('the timestamp is out of range: PostgreSQL has them from 4713 BC to 294276 AD')
  return value
}
export function checkText(bytes: Uint8Array): void {
  if (bytes.includes(0)) throw new Unfit('the text holds \\u0000, which PostgreSQL takes in no text')
}
/** The text of jsonb: a NUL within it is written as an escape, and taken as little as in text. */
export function jsonbBytes(text: string): Buffer {
  // an escape follows an even number of backslashes
  if (text.includes('\\u0000') && /(?<!\\)(?:\\\\)*\\u0000/.test(text))
    throw new Unfit('the JSON holds \\u0000, which PostgreSQL takes in no jsonb')
  const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(text))
  bytes[0] = 1
  bytes.write(text, 1)
  return bytes
}

/** A value in its physical form. Throws Unfit. */
export function scalarBytes(form: BinaryForm, type: DataType, value: Exclude<Physical, null>): Buffer {
  switch (form) {
    case 'bool':
      return Buffer.of(value as number)
    case 'int2':
      return sized(2, (bytes) => bytes.writeInt16BE(value as number))
    case 'int4':
      return sized(4, (bytes) => bytes.writeInt32BE(value as number))
    case 'date':
      return sized(4, (bytes) => bytes.writeInt32BE(postgresDays(value as number)))
    case 'int8':
      return sized(8, (bytes) => bytes.writeBigInt64BE(value as bigint))
    case 'timestamp':
      return sized(8, (bytes) => bytes.writeBigInt64BE(postgresUs(value as bigint)))
    case 'float4':
      return sized(4, (bytes) => bytes.writeFloatBE(value as number))
    case 'float8':
      return sized(8, (bytes) => bytes.writeDoubleBE(value as number))
    case 'numeric':
      return numericBytes(value as bigint, (type as { scale: number }).scale)
    case 'interval':
      return intervalBytes(type, value as number | bigint)
    case 'bytea':
      return Buffer.from(value as Uint8Array)
    default: {
      const bytes = Buffer.from(value as string)
      checkText(bytes)
      return bytes
    }
  }
}
function sized(length: number, write: (bytes: Buffer) => unknown): Buffer {
  const bytes = Buffer.allocUnsafe(length)
  write(bytes)
  return bytes
}

/** Microseconds, days and months stand apart; ours has either microseconds or months. */
export function intervalBytes(type: DataType, value: number | bigint): Buffer {
  const bytes = Buffer.alloc(16)
  if (isYearMonth(type)) bytes.writeInt32BE(value as number, 12)
  else bytes.writeBigInt64BE(value as bigint, 0)
  return bytes
}

/** A one-dimensional array from its public form. */
export function arrayBytes(element: DataType, items: readonly unknown[]): Buffer {
  const { form, typeText } = elementForm(element)!
  const oid = form === 'numeric' ? 1700 : elementOids[typeText]!
  const parts = items.map((item) => {
    const physical = toPhysical(element, item)
    return physical === null ? null : scalarBytes(form, element, physical)
  })
  const header = Buffer.alloc(items.length === 0 ? 12 : 20)
  header.writeInt32BE(items.length === 0 ? 0 : 1, 0)
  header.writeInt32BE(parts.includes(null) ? 1 : 0, 4)
  header.writeInt32BE(oid, 8)
  if (items.length > 0) {
    header.writeInt32BE(items.length, 12)
    header.writeInt32BE(1, 16)
  }
  return Buffer.concat([header, ...parts.flatMap((part) => (part === null ? [noValue] : [lengthOf(part), part]))])
}
const noValue = Buffer.from([255, 255, 255, 255])
function lengthOf(part: Buffer): Buffer {
  return sized(4, (bytes) => bytes.writeInt32BE(part.length))
}
