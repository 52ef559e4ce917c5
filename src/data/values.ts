/**
 * JavaScript rows <-> columns. Each type has one public form, which rows come out in, and a few that are accepted as input:
 *
 * | type                        | out                    | also in                                                             |
 * | boolean                     | boolean                |                                                                     |
 * | byte, short, int            | number                 |                                                                     |
 * | long                        | bigint                 | safe integer                                                        |
 * | float, double               | number                 |                                                                     |
 * | decimal                     | Decimal                | string, number, bigint; rounded half up to the column's scale       |
 * | string, binary              | string, Uint8Array     |                                                                     |
 * | date                        | Temporal.PlainDate     | Date (its UTC day), '2026-01-31'                                    |
 * | timestamp                   | Temporal.Instant       | Date, ISO 8601 text; without an offset it is UTC                    |
 * | timestamp_ntz               | Temporal.PlainDateTime | Date (its UTC fields), ISO 8601 text without an offset              |
 * | interval day to second, …   | Temporal.Duration      | ISO 8601 text such as 'P1DT2H'; a day has 24 hours                  |
 * | interval year to month, …   | Temporal.Duration      | ISO 8601 text such as 'P1Y2M'                                       |
 * | array, map, struct          | Array, Map, object     | map: a plain object                                                 |
 *
 * Times finer than a microsecond are cut off. `undefined` is null. Loops go by column, so that each runs over one type.
 */

import { Temporal } from 'temporal-polyfill'
import { InvalidQueryError } from '../base/errors.ts'
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  columnKind,
  type FixedArray,
  type FixedColumn,
  fixedArray,
} from './column-batch.ts'
import { Decimal } from './decimal.ts'
import { durationOf, intervalOfDuration, isInterval, isYearMonth } from './intervals.ts'
import type { Row } from './row-set.ts'
import type { Schema } from './schema.ts'
import { checkedDays, checkedUs } from './temporal-range.ts'
import { type DataType, type DecimalType, type Field, type IntervalType, type MapType, type StructType, typeText } from './types.ts'

export { Temporal } from 'temporal-polyfill'
export { Decimal } from './decimal.ts'

/** One value in memory: boolean 0/1 · byte, short, int, float, double, date (days), year-month interval (months) number ·
 *  long, timestamps and day-time interval (µs), decimal (unscaled) bigint · string, Uint8Array as they are · arrays, maps, structs in their public form. */
export type Physical = number | bigint | string | Uint8Array | readonly unknown[] | ReadonlyMap<unknown, unknown> | Row | null

/**
 * Rows become columns. InvalidQueryError names row, column and value: INVALID_EXTERNAL_TYPE (a value of another type),
 * NUMERIC_VALUE_OUT_OF_RANGE, NOT_NULL_ASSERT_VIOLATION (null where the schema has none), NULL_MAP_KEY, DUPLICATED_MAP_KEY.
 */
export function rowsToColumns(schema: Schema, rows: readonly Row[]): ColumnBatch {
  for (let i = 0; i < rows.length; i++)
    if (typeof rows[i] !== 'object' || rows[i] === null || Array.isArray(rows[i])) throw notARow(rows, i)
  const columns = schema.fields.map((field) => {
    const values: unknown[] = new Array(rows.length)
    for (let i = 0; i < rows.length; i++) values[i] = rows[i]![field.name]
    return valuesToColumn(field, values)
  })
  return { schema, length: rows.length, columns }
}

/** One column of values in any of the forms that its type accepts. Errors as of rowsToColumns. */
export function valuesToColumn({ name, type, nullable }: Field, values: readonly unknown[]): Column {
  const place: Place = { index: 0 }
  try {
    if (columnKind(type) === 'bytes') return bytesColumn(type, nullable, values, place)
    return columnKind(type) === 'fixed' ? fixedColumn(type, nullable, values, place) : valuesColumn(type, nullable, values, place)
  } catch (error) {
    throw error instanceof WrongValue ? invalidValue(error, `rows[${place.index}].${name}`) : error
  }
}

/** Columns become rows in the public forms; every row has every column, null for null. */
export function columnsToRows(batch: ColumnBatch): Row[] {
  const names = batch.schema.names
  const columns = batch.columns.map((column) => columnValues(column, batch.length))
  const rows: Row[] = new Array(batch.length)
  for (let i = 0; i < batch.length; i++) {
    const row: Row = {}
    for (let c = 0; c < names.length; c++) row[names[c]!] = columns[c]![i]
    rows[i] = row
  }
  return rows
}

/** One value into its physical form. Errors as in rowsToColumns, without the row. */
export function toPhysical(type: DataType, value: unknown): Physical {
  if (value == null) return null
  try {
    return physicalOf(type, value)
  } catch (error) {
    throw error instanceof WrongValue ? invalidValue(error, 'the value') : error
  }
}

/** One value out of its physical form. */
export function fromPhysical(type: DataType, physical: Physical): unknown {
  if (physical === null) return null
  switch (type) {
    case 'boolean':
      return physical === 1
    case 'date':
      return plainDateOf(physical as number)
    case 'timestamp':
      return instantOf(physical as bigint)
    case 'timestamp_ntz':
      return plainDateTimeOf(physical as bigint)
    default:
      if (isInterval(type)) return durationOf(type, physical as bigint | number)
      return typeof type !== 'string' && type.kind === 'decimal' ? new Decimal(physical as bigint, type.scale) : physical
  }
}

/** Where a value stands that its type can't hold. */
interface Place {
  index: number
}

function fixedColumn(type: DataType, nullable: boolean, given: readonly unknown[], place: Place): FixedColumn {
  const data = fixedArray(type, given.length)
  const valid =
    data instanceof BigInt64Array
      ? type === 'long'
        ? fillLongs(data, nullable, given, place)
        : fillBigints(data, type, nullable, given, place)
      : fillNumbers(data, type, nullable, given, place)
  return { kind: 'fixed', type, data, valid }
}

function fillNumbers(
  data: Exclude<FixedArray, BigInt64Array>,
  type: DataType,
  nullable: boolean,
  given: readonly unknown[],
  place: Place,
): Uint8Array | null {
  let valid: Uint8Array | null = null
  const range = typeof type === 'string' ? integerRange[type] : undefined
  const plain = type === 'double' || type === 'float'
  for (let i = 0; i < given.length; i++) {
    place.index = i
    const value = given[i]
    if (value == null) valid = markNull(valid, i, given.length, nullable)
    else if (
      typeof value === 'number' &&
      (plain || (range !== undefined && Number.isInteger(value) && value >= -range - 1 && value <= range))
    )
      data[i] = value
    else data[i] = physicalOf(type, value) as number
  }
  return valid
}

/** Numbers go in by halves: BigInt(value) would cost an allocation a row. */
function fillLongs(data: BigInt64Array, nullable: boolean, given: readonly unknown[], place: Place): Uint8Array | null {
  let valid: Uint8Array | null = null
  const halves = new Int32Array(data.buffer)
  for (let i = 0; i < given.length; i++) {
    place.index = i
    const value = given[i]
    if (value == null) valid = markNull(valid, i, given.length, nullable)
    else if (typeof value === 'number' && Number.isSafeInteger(value)) putSafeInteger(halves, i, value)
    else data[i] = physicalOf('long', value) as bigint
  }
  return valid
}

function fillBigints(data: BigInt64Array, type: DataType, nullable: boolean, given: readonly unknown[], place: Place): Uint8Array | null {
  let valid: Uint8Array | null = null
  const halves = new Int32Array(data.buffer)
  const isTime = type === 'timestamp' || type === 'timestamp_ntz'
  for (let i = 0; i < given.length; i++) {
    place.index = i
    const value = given[i]
    if (value == null) {
      valid = markNull(valid, i, given.length, nullable)
      continue
    }
    if (isTime && value instanceof Date) {
      const us = value.getTime() * 1000
      if (Number.isSafeInteger(us)) {
        putSafeInteger(halves, i, us)
        continue
      }
    }
    data[i] = physicalOf(type, value) as bigint
  }
  return valid
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
function putSafeInteger(halves: Int32Array, index: number, value: number): void {
  const high = Math.floor(value / 4294967296)
  const low = value - high * 4294967296
  halves[2 * index] = littleEndian ? low : high
  halves[2 * index + 1] = littleEndian ? high : low
}

function markNull(valid: Uint8Array | null, index: number, length: number, nullable: boolean): Uint8Array {
  if (!nullable) throw nullNotAllowed()
  const marked = valid ?? new Uint8Array(length).fill(1)
  marked[index] = 0
  return marked
}

function bytesColumn(type: DataType, nullable: boolean, given: readonly unknown[], place: Place): BytesColumn {
  let valid: Uint8Array | null = null
  const values: (string | Uint8Array)[] = new Array(given.length)
  const absent = type === 'string' ? '' : new Uint8Array(0)
  for (let i = 0; i < given.length; i++) {
    place.index = i
    const value = given[i]
    if (value == null) {
      valid = markNull(valid, i, given.length, nullable)
      values[i] = absent
    } else values[i] = type === 'string' && typeof value === 'string' ? value : (physicalOf(type, value) as string | Uint8Array)
  }
  return { kind: 'bytes', type, valid, ...(type === 'string' ? encodeStrings(values as string[]) : joinBytes(values as Uint8Array[])) }
}

const encoder = new TextEncoder()

/** Strings as UTF-8, one after the other; a lone surrogate becomes U+FFFD. */
export function encodeStrings(strings: readonly string[]): { offsets: Uint32Array; heap: Uint8Array } {
  const text = strings.join('')
  const heap = encoder.encode(text)
  if (heap.length !== text.length) return joinBytes(strings.map((string) => encoder.encode(string)))
  const offsets = new Uint32Array(strings.length + 1) // as many bytes as UTF-16 units: all of it is ASCII
  let end = 0
  for (let i = 0; i < strings.length; i++) {
    end += strings[i]!.length
    offsets[i + 1] = end
  }
  return { offsets, heap }
}

export function joinBytes(parts: readonly Uint8Array[]): { offsets: Uint32Array; heap: Uint8Array } {
  const offsets = new Uint32Array(parts.length + 1)
  let end = 0
  for (let i = 0; i < parts.length; i++) {
    end += parts[i]!.length
    offsets[i + 1] = end
  }
  const heap = new Uint8Array(end)
  for (let i = 0; i < parts.length; i++) heap.set(parts[i]!, offsets[i])
  return { offsets, heap }
}

function valuesColumn(type: DataType, nullable: boolean, given: readonly unknown[], place: Place): Column {
  const values: unknown[] = new Array(given.length)
  for (let i = 0; i < given.length; i++) {
    place.index = i
    const value = given[i]
    if (value == null && !nullable) throw nullNotAllowed()
    values[i] = value == null ? null : physicalOf(type, value)
  }
  return { kind: 'values', type, values }
}

/** A column's values in their public form. */
export function columnValues(column: Column, length: number): unknown[] {
  if (column.kind === 'values') return column.values.slice(0, length).map((value) => fromPhysical(column.type, value as Physical))
  const values: unknown[] =
    column.kind === 'bytes'
      ? column.type === 'string'
        ? decodeStrings(column, length)
        : sliceBytes(column, length)
      : fixedValues(column, length)
  if (column.valid !== null) for (let i = 0; i < length; i++) if (column.valid[i] === 0) values[i] = null
  return values
}

function fixedValues({ type, data, valid }: FixedColumn, length: number): unknown[] {
  if (type === 'byte' || type === 'short' || type === 'int' || type === 'long' || type === 'float' || type === 'double')
    return Array.from<unknown>(data.subarray(0, length) as ArrayLike<unknown>)
  const values: unknown[] = new Array(length)
  for (let i = 0; i < length; i++) values[i] = valid !== null && valid[i] === 0 ? null : fromPhysical(type, data[i]!)
  return values
}

/** The strings of a column, '' where it is null. */
export function decodeStrings({ offsets, heap }: BytesColumn, length: number): string[] {
  const start = offsets[0]!
  const end = offsets[length]!
  const bytes = Buffer.from(heap.buffer, heap.byteOffset, heap.byteLength)
  const strings: string[] = new Array(length)
  const text = bytes.toString('utf8', start, end)
  const ascii = text.length === end - start
  for (let i = 0; i < length; i++) {
    strings[i] = ascii ? text.slice(offsets[i]! - start, offsets[i + 1]! - start) : bytes.toString('utf8', offsets[i], offsets[i + 1])
  }
  return strings
}

function sliceBytes({ offsets, heap }: BytesColumn, length: number): Uint8Array[] {
  return Array.from({ length }, (_, i) => heap.slice(offsets[i], offsets[i + 1]))
}

// ---- one value --------------------------------------------------------------------------------------------------------------------

/** A value that its type can't hold; the caller knows where it stands. */
class WrongValue extends Error {
  readonly code: string
  readonly what: string
  readonly todo: string
  /** Where inside a nested value: `.items[2]`. */
  readonly path: string
  constructor(code: string, what: string, todo: string, path = '') {
    super(what)
    this.code = code
    this.what = what
    this.todo = todo
    this.path = path
  }
  inside(step: string): WrongValue {
    return new WrongValue(this.code, this.what, this.todo, step + this.path)
  }
}

const integerRange: Partial<Record<string, number>> = { byte: 127, short: 32767, int: 2147483647 }

/** The physical form of a value that is not null. Throws WrongValue. */
function physicalOf(type: DataType, value: unknown): Physical {
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal':
        return unscaledOf(type, value)
      case 'array':
        return arrayOf(type.element, type.containsNull, value)
      case 'map':
        return mapOf(type, value)
      case 'struct':
        return structOf(type, value)
    }
  }
  if (isInterval(type)) return intervalOf(type, value)
  switch (type) {
    case 'boolean':
      return typeof value === 'boolean' ? (value ? 1 : 0) : wrongType(type, value, 'give true or false')
    case 'byte':
    case 'short':
    case 'int':
      return integerOf(type, value)
    case 'long':
      return longOf(value)
    case 'float':
    case 'double':
      return typeof value === 'number' ? value : wrongType(type, value, 'give a number')
    case 'string':
      return typeof value === 'string' ? value : wrongType(type, value, 'give a string')
    case 'binary':
      return value instanceof Uint8Array ? value : wrongType(type, value, 'give a Uint8Array')
    case 'date':
      return daysOf(value)
    case 'timestamp':
      return instantUsOf(value)
    case 'timestamp_ntz':
      return localUsOf(value)
    case 'void':
      return wrongType(type, value, 'a column of type void holds nulls only')
  }
}

function integerOf(type: 'byte' | 'short' | 'int', value: unknown): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) wrongType(type, value, 'give a number without a fraction')
  const range = integerRange[type]!
  return value >= -range - 1 && value <= range ? value : outOfRange(type, value)
}

function longOf(value: unknown): bigint {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : outOfRange('long', value)
  if (typeof value !== 'number') wrongType('long', value, 'give a bigint, or a number without a fraction')
  if (Number.isSafeInteger(value)) return BigInt(value)
  return wrongType('long', value, 'give a bigint: a number is exact only up to 2^53 and must not have a fraction')
}

function intervalOf(type: IntervalType, value: unknown): bigint | number {
  const read = intervalOfDuration(type, value)
  if (read === undefined) {
    const [form, example] = isYearMonth(type) ? ['years and months', 'P1Y2M'] : ['weeks, days and times', 'P1DT2H30M']
    return wrongType(
      type,
      value,
      `give a Temporal.Duration of ${form}, or text such as '${example}', with nothing finer than the type's last field`,
    )
  }
  const fits = isYearMonth(type) ? read === BigInt.asIntN(32, read) : read === BigInt.asIntN(64, read)
  if (!fits) return outOfRange(type, value)
  return isYearMonth(type) ? Number(read) : read
}

function unscaledOf(type: DecimalType, value: unknown): bigint {
  const exact = decimalOf(type, value).toScale(type.scale).unscaled
  const bound = 10n ** BigInt(type.precision)
  return exact > -bound && exact < bound ? exact : outOfRange(type, value)
}
function decimalOf(type: DecimalType, value: unknown): Decimal {
  if (!(value instanceof Decimal) && typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
    return wrongType(type, value, 'give a Decimal, a string such as "12.50", a bigint or a number')
  }
  try {
    return Decimal.from(value)
  } catch {
    return wrongType(type, value, 'give a Decimal, or text in the form 12.50')
  }
}

function arrayOf(element: DataType, containsNull: boolean, value: unknown): unknown[] {
  if (!Array.isArray(value)) return wrongType({ kind: 'array', element, containsNull }, value, 'give an array')
  return Array.from(value, (item, i) => nestedValue(element, containsNull, item, `[${i}]`))
}

function structOf(type: StructType, value: unknown): Row {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Map)
    return wrongType(type, value, 'give an object with these fields')
  const out: Row = {}
  for (const field of type.fields) out[field.name] = nestedValue(field.type, field.nullable, (value as Row)[field.name], `.${field.name}`)
  return out
}

function mapOf(type: MapType, value: unknown): Map<unknown, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrongType(type, value, 'give a Map or an object')
  const entries =
    value instanceof Map ? value : Object.entries(value).map(([key, item]): [unknown, unknown] => [keyOfProperty(type.key, key), item])
  const out = new Map<unknown, unknown>()
  for (const [key, item] of entries) {
    const step = `.get(${preview(key)})`
    if (key == null) throw new WrongValue('NULL_MAP_KEY', 'is null', 'leave the entry out: a map has no null key', step)
    const plainKey = nestedValue(type.key, false, key, step)
    if (out.has(plainKey)) throw new WrongValue('DUPLICATED_MAP_KEY', `is there twice (${preview(key)})`, 'give each key once', step)
    out.set(plainKey, nestedValue(type.value, type.valueContainsNull, item, step))
  }
  return out
}
/** A property's name is text; for the number types it is read as a number. */
function keyOfProperty(type: DataType, name: string): unknown {
  if (type === 'long') return /^-?\d+$/.test(name) ? BigInt(name) : name
  const isNumber = type === 'byte' || type === 'short' || type === 'int' || type === 'double' || type === 'float'
  return isNumber && name.trim() !== '' && !Number.isNaN(Number(name)) ? Number(name) : name
}

function nestedValue(type: DataType, nullable: boolean, value: unknown, step: string): unknown {
  try {
    if (value == null && !nullable) throw nullNotAllowed()
    return value == null ? null : fromPhysical(type, physicalOf(type, value))
  } catch (error) {
    throw error instanceof WrongValue ? error.inside(step) : error
  }
}

// ---- time -------------------------------------------------------------------------------------------------------------------------

const dayMs = 86_400_000

function daysOf(value: unknown): number {
  if (value instanceof Temporal.PlainDate) return utcMs(value.year, value.month, value.day) / dayMs
  if (value instanceof Date && !Number.isNaN(value.getTime())) return Math.floor(value.getTime() / dayMs)
  const time = typeof value === 'string' ? parseTime(value) : undefined
  if (time === undefined || time.hasTime)
    return wrongType('date', value, 'give a Temporal.PlainDate, a Date, or text in the form 2026-01-31')
  return time.ms / dayMs
}

function instantUsOf(value: unknown): bigint {
  if (value instanceof Temporal.Instant) return floorDiv(value.epochNanoseconds, 1000n)
  if (value instanceof Date && !Number.isNaN(value.getTime())) return BigInt(value.getTime()) * 1000n
  const time = typeof value === 'string' ? parseTime(value) : undefined
  if (time === undefined) return wrongType('timestamp', value, 'give a Temporal.Instant, a Date, or text in the form 2026-01-31T12:00:00Z')
  return BigInt(time.ms - time.offsetMs) * 1000n + BigInt(time.us)
}

function localUsOf(value: unknown): bigint {
  if (value instanceof Temporal.PlainDateTime) {
    const ms = utcMs(value.year, value.month, value.day) + ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.millisecond
    return BigInt(ms) * 1000n + BigInt(value.microsecond)
  }
  if (value instanceof Date && !Number.isNaN(value.getTime())) return BigInt(value.getTime()) * 1000n
  const time = typeof value === 'string' ? parseTime(value) : undefined
  if (time === undefined || time.hasOffset) {
    return wrongType(
      'timestamp_ntz',
      value,
      'give a Temporal.PlainDateTime, a Date, or text in the form 2026-01-31T12:00:00, without an offset',
    )
  }
  return BigInt(time.ms) * 1000n + BigInt(time.us)
}

interface ParsedTime {
  /** Of the local fields, as if they were UTC. */
  readonly ms: number
  /** 0 to 999 beyond `ms`. */
  readonly us: number
  readonly offsetMs: number
  readonly hasTime: boolean
  readonly hasOffset: boolean
}
const timeText = /^([+-]?\d{4,6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?$/

function parseTime(text: string): ParsedTime | undefined {
  const match = timeText.exec(text.trim())
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone] = match
  const dayStart = utcMs(Number(year), Number(month), Number(day))
  const check = new Date(dayStart)
  if (check.getUTCMonth() + 1 !== Number(month) || check.getUTCDate() !== Number(day)) return undefined
  if (Number(hour ?? 0) > 23 || Number(minute ?? 0) > 59 || Number(second) > 59) return undefined
  const micros = Number(fraction.padEnd(6, '0').slice(0, 6))
  const offset = zone === undefined ? 0 : offsetMsOf(zone)
  if (offset === undefined) return undefined
  const ms = dayStart + ((Number(hour ?? 0) * 60 + Number(minute ?? 0)) * 60 + Number(second)) * 1000 + Math.floor(micros / 1000)
  return { ms, us: micros % 1000, offsetMs: offset, hasTime: hour !== undefined, hasOffset: zone !== undefined }
}
function offsetMsOf(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', '') || 0)
  if (hours > 18 || minutes > 59) return undefined
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000
}

/** Date.UTC, without its reading of the years 0 to 99 as 1900 to 1999. */
function utcMs(year: number, month: number, day: number): number {
  return year >= 100 || year < 0 ? Date.UTC(year, month - 1, day) : new Date(0).setUTCFullYear(year, month - 1, day)
}
function floorDiv(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value < 0n && quotient * by !== value ? quotient - 1n : quotient
}

function plainDateOf(days: number): Temporal.PlainDate {
  const date = new Date(checkedDays(days) * dayMs)
  return new Temporal.PlainDate(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())
}
function instantOf(us: bigint): Temporal.Instant {
  return Temporal.Instant.fromEpochNanoseconds(checkedUs('timestamp', us) * 1000n)
}
function plainDateTimeOf(us: bigint): Temporal.PlainDateTime {
  const ms = floorDiv(checkedUs('timestamp_ntz', us), 1000n)
  const date = new Date(Number(ms))
  return new Temporal.PlainDateTime(
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    date.getUTCMilliseconds(),
    Number(us - ms * 1000n),
  )
}

// ---- errors -----------------------------------------------------------------------------------------------------------------------

function wrongType(type: DataType, value: unknown, todo: string): never {
  throw new WrongValue('INVALID_EXTERNAL_TYPE', `is ${preview(value)}, which is no ${typeText(type)}`, todo)
}
function outOfRange(type: DataType, value: unknown): never {
  throw new WrongValue(
    'NUMERIC_VALUE_OUT_OF_RANGE',
    `is ${preview(value)}, which a ${typeText(type)} cannot hold`,
    'give a smaller value, or the column a wider type',
  )
}
function nullNotAllowed(): WrongValue {
  return new WrongValue(
    'NOT_NULL_ASSERT_VIOLATION',
    'is null, and the schema does not allow nulls there',
    'give a value, or make the column nullable',
  )
}
function invalidValue({ code, what, todo, path }: WrongValue, place: string): InvalidQueryError {
  return new InvalidQueryError(code, { what: `${place}${path} ${what}`, todo })
}
function notARow(rows: readonly unknown[], index: number): InvalidQueryError {
  return new InvalidQueryError('INVALID_EXTERNAL_TYPE', {
    what: `rows[${index}] is ${preview(rows[index])}, which is no row`,
    todo: 'give an object with the columns as properties',
  })
}

/** A value for an error message: short, and with its type where that is not plain to see. */
function preview(value: unknown): string {
  if (typeof value === 'string') return clip(JSON.stringify(value))
  if (typeof value === 'bigint') return clip(`${value}n`)
  if (typeof value !== 'object' || value === null) return clip(String(value))
  const name = value.constructor?.name ?? 'object'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'an invalid Date' : `Date ${value.toISOString()}`
  return clip(name === 'Object' ? `an object with ${Object.keys(value).join(', ') || 'no properties'}` : `${name} ${String(value)}`)
}
function clip(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`
}
