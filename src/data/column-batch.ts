import { isYearMonth } from './intervals.ts'
import type { Schema } from './schema.ts'
import type { DataType } from './types.ts'

/**
 * A batch's rows as columns in JavaScript memory: how rows cross between DuckDB and the engine's own operators.
 * `valid` holds a byte a row (1 = there is a value, 0 = null), and is null where no row is null.
 */
export interface ColumnBatch {
  readonly schema: Schema
  readonly length: number
  readonly columns: readonly Column[]
}

/** Physical form by type: boolean Uint8 (0/1) · byte Int8 · short Int16 · int, date (days), year-month interval (months) Int32 ·
 *  long, timestamp, timestamp_ntz and day-time interval (µs), decimal up to 18 digits (unscaled) BigInt64 · float Float32 · double Float64. */
export interface FixedColumn {
  readonly kind: 'fixed'
  readonly type: DataType
  readonly data: FixedArray
  readonly valid: Uint8Array | null
}
export type FixedArray = Uint8Array | Int8Array | Int16Array | Int32Array | BigInt64Array | Float32Array | Float64Array

/** string (UTF-8) and binary: row i is heap[offsets[i] .. offsets[i+1]). */
export interface BytesColumn {
  readonly kind: 'bytes'
  readonly type: DataType
  /** length + 1 entries. */
  readonly offsets: Uint32Array
  readonly heap: Uint8Array
  readonly valid: Uint8Array | null
}

/** Everything else (decimals over 18 digits as unscaled bigint; arrays, maps, structs): one JavaScript value a row, null for null, in the public form of `Row`. */
export interface ValuesColumn {
  readonly kind: 'values'
  readonly type: DataType
  readonly values: readonly unknown[]
}

export type Column = FixedColumn | BytesColumn | ValuesColumn

/** Which physical form a type has. */
export function columnKind(type: DataType): Column['kind'] {
  if (type === 'string' || type === 'binary') return 'bytes'
  if (typeof type === 'string') return type === 'void' ? 'values' : 'fixed'
  return type.kind === 'decimal' && type.precision <= 18 ? 'fixed' : 'values'
}

/** A zeroed array of the physical form of a fixed type. */
export function fixedArray(type: DataType, length: number): FixedArray {
  return new (fixedArrayClass(type))(length)
}
/** The array class of the physical form of a fixed type. */
export function fixedArrayClass(type: DataType) {
  if (isYearMonth(type)) return Int32Array
  switch (type) {
    case 'boolean':
      return Uint8Array
    case 'byte':
      return Int8Array
    case 'short':
      return Int16Array
    case 'int':
    case 'date':
      return Int32Array
    case 'float':
      return Float32Array
    case 'double':
      return Float64Array
    default:
      return BigInt64Array
  }
}

/** The rows from `from` up to `to`, which share the column's memory. */
export function sliceRows(column: Column, from: number, to: number): Column {
  if (column.kind === 'values') return { ...column, values: column.values.slice(from, to) }
  const valid = column.valid === null ? null : column.valid.subarray(from, to)
  if (column.kind === 'bytes') return { ...column, offsets: column.offsets.subarray(from, to + 1), valid }
  return { ...column, data: column.data.subarray(from, to), valid }
}

/** No rows, with the columns of the schema. */
export function emptyColumns(schema: Schema): ColumnBatch {
  const columns = schema.fields.map(({ type }): Column => {
    const kind = columnKind(type)
    if (kind === 'fixed') return { kind, type, data: fixedArray(type, 0), valid: null }
    if (kind === 'bytes') return { kind, type, offsets: new Uint32Array(1), heap: new Uint8Array(0), valid: null }
    return { kind, type, values: [] }
  })
  return { schema, length: 0, columns }
}
