/**
 * How DuckDB's JSON reader is to deliver a field, and what makes the field's value of that. Text comes out where our own rules parse it, at the top and within
 * structs; what lies in arrays and maps is left to the reader.
 */
import { isInterval } from '../data/intervals.ts'
import type { DataType, StructType } from '../data/types.ts'
import { duckType } from './duck-types.ts'
import { quoteName, quoteText } from './sql-text.ts'

export function isParsed(type: DataType): boolean {
  // DuckDB takes a number to a decimal by way of a double
  if (typeof type !== 'string') return type.kind === 'decimal'
  return type === 'timestamp' || type === 'timestamp_ntz' || type === 'date' || type === 'binary' || type === 'void' || isInterval(type)
}

/** The type to read a field with. */
export function readType(type: DataType, instant: 'TIMESTAMP' | 'TIMESTAMPTZ'): string {
  if (isParsed(type)) return 'VARCHAR'
  if (!isStruct(type)) return duckType(type, instant)
  return `STRUCT(${type.fields.map((field) => `${quoteName(field.name)} ${readType(field.type, instant)}`).join(', ')})`
}

/** A field as it was read, with the times in its arrays and maps in our type. */
export function wholeValue(type: DataType, column: string): string {
  const own = readType(type, 'TIMESTAMP')
  return readType(type, 'TIMESTAMPTZ') === own ? column : `CAST(${column} AS ${own})`
}

/** The texts that a struct has come with, its structs' too, in their order. */
export function nestedTexts(
  type: DataType,
  whole: string,
  path: string,
): { readonly text: string; readonly name: string; readonly type: DataType }[] {
  if (!isStruct(type)) return []
  return type.fields.flatMap((field) => {
    const text = `${whole}[${quoteText(field.name)}]`
    const name = `${path}.${field.name}`
    return isParsed(field.type) ? [{ text, name, type: field.type }] : nestedTexts(field.type, text, name)
  })
}

/** The struct with values in the place of its texts. */
export function withNestedValues(type: DataType, whole: string, values: readonly string[]): string {
  return replaceTexts(type, whole, [...values])
}
function replaceTexts(type: DataType, whole: string, values: string[]): string {
  if (!isStruct(type)) return whole
  const updates = type.fields.flatMap((field) => {
    const inner = `${whole}[${quoteText(field.name)}]`
    const value = isParsed(field.type) ? values.shift()! : replaceTexts(field.type, inner, values)
    return value === inner ? [] : [`${quoteName(field.name)} := ${value}`]
  })
  // a struct that is null stays so
  return updates.length === 0 ? whole : `CASE WHEN ${whole} IS NOT NULL THEN struct_update(${whole}, ${updates.join(', ')}) END`
}

function isStruct(type: DataType): type is StructType {
  return typeof type !== 'string' && type.kind === 'struct'
}
