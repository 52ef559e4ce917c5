/** Arrays, maps, structs and wide decimals cross value by value, through the classes of DuckDB's API. */
import {
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampValue,
  type DuckDBValue,
  DuckDBVector,
} from '@duckdb/node-api'
import type { DataType } from '../data/types.ts'
import { fromPhysical, type Physical, toPhysical } from '../data/values.ts'
import type { DataChunk, Vector } from './bindings.ts'

/** One column of a chunk in the form of a ValuesColumn. */
export function readNested(chunk: DataChunk, index: number, type: DataType, rows: number): unknown[] {
  const vector = new DuckDBDataChunk(chunk).getColumnVector(index)
  const values: unknown[] = new Array(rows)
  for (let i = 0; i < rows; i++) values[i] = physicalOf(type, vector.getItem(i) as DuckDBValue)
  return values
}

/** Writes values of a ValuesColumn into one column of a chunk whose size is set. */
export function writeNested(
  chunk: DataChunk,
  index: number,
  type: DataType,
  values: readonly unknown[],
  start: number,
  rows: number,
): void {
  fill(new DuckDBDataChunk(chunk).getColumnVector(index), type, values, start, rows)
}
/** The same into a vector that belongs to no chunk. */
export function writeNestedVector(vector: Vector, type: DataType, values: readonly unknown[], rows: number): void {
  fill(DuckDBVector.create(vector, rows), type, values, 0, rows)
}
function fill(vector: DuckDBVector, type: DataType, values: readonly unknown[], start: number, rows: number): void {
  for (let i = 0; i < rows; i++) {
    const value = values[start + i]
    vector.setItem(i, (value == null ? null : duckValue(type, value as Physical)) as never)
  }
  vector.flush()
}

/** The form that a ValuesColumn holds: nested values in their public form, a wide decimal as its unscaled bigint. */
function physicalOf(type: DataType, value: DuckDBValue): Physical {
  if (value === null || value === undefined) return null
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal':
        return (value as DuckDBDecimalValue).value
      case 'array':
        return (value as DuckDBListValue).items.map((item) => publicOf(type.element, item))
      case 'map':
        return new Map((value as DuckDBMapValue).entries.map((entry) => [publicOf(type.key, entry.key), publicOf(type.value, entry.value)]))
      case 'struct': {
        const { entries } = value as DuckDBStructValue
        return Object.fromEntries(type.fields.map((field) => [field.name, publicOf(field.type, entries[field.name] ?? null)]))
      }
    }
  }
  switch (type) {
    case 'boolean':
      return value === true ? 1 : 0
    case 'date':
      return (value as DuckDBDateValue).days
    case 'timestamp':
    case 'timestamp_ntz':
      return (value as DuckDBTimestampValue).micros
    case 'binary':
      return new Uint8Array((value as DuckDBBlobValue).bytes)
    default:
      return value as Physical
  }
}
function publicOf(type: DataType, value: DuckDBValue): unknown {
  return fromPhysical(type, physicalOf(type, value))
}

/** DuckDB's form of a value in its physical form that is not null. */
function duckValue(type: DataType, value: Physical): DuckDBValue {
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal':
        return new DuckDBDecimalValue(value as bigint, type.precision, type.scale)
      case 'array':
        return new DuckDBListValue((value as readonly unknown[]).map((item) => duckInner(type.element, item)))
      case 'map':
        return new DuckDBMapValue(
          Array.from(value as ReadonlyMap<unknown, unknown>, ([key, item]) => ({
            key: duckInner(type.key, key),
            value: duckInner(type.value, item),
          })),
        )
      case 'struct': {
        const row = value as Readonly<Record<string, unknown>>
        return new DuckDBStructValue(Object.fromEntries(type.fields.map((field) => [field.name, duckInner(field.type, row[field.name])])))
      }
    }
  }
  switch (type) {
    case 'boolean':
      return value === 1
    case 'date':
      return new DuckDBDateValue(value as number)
    case 'timestamp':
    case 'timestamp_ntz':
      return new DuckDBTimestampValue(value as bigint)
    case 'binary':
      return new DuckDBBlobValue(value as Uint8Array)
    default:
      return value as DuckDBValue
  }
}
function duckInner(type: DataType, value: unknown): DuckDBValue {
  return value == null ? null : duckValue(type, toPhysical(type, value))
}
