/** Values as JSON text, for columns of JSON and for messages. */
import { type Column, type ColumnBatch, columnKind } from '../data/column-batch.ts'
import { Decimal } from '../data/decimal.ts'
import type { DataType } from '../data/types.ts'
import { fromPhysical, type Physical } from '../data/values.ts'

/**
 * One value in its public form as JSON. Numbers keep all their digits; NaN and the infinities are texts, as are dates and times (ISO 8601, timestamps with Z)
 * and intervals; binary is base64; a map is an object, its keys as text.
 */
export function jsonText(type: DataType, value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal':
        return String(value instanceof Decimal ? value : new Decimal(value as bigint, type.scale))
      case 'array':
        return `[${(value as readonly unknown[]).map((item) => jsonText(type.element, item)).join(',')}]`
      case 'map':
        return `{${[...(value as ReadonlyMap<unknown, unknown>)].map(([key, item]) => `${keyText(type.key, key)}:${jsonText(type.value, item)}`).join(',')}}`
      case 'struct':
        return `{${type.fields.map((field) => `${JSON.stringify(field.name)}:${jsonText(field.type, (value as Record<string, unknown>)[field.name])}`).join(',')}}`
    }
  }
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? (type === 'float' ? floatText(value) : String(value)) : `"${value}"`
    case 'bigint':
    case 'boolean':
      return String(value)
    case 'string':
      return JSON.stringify(value)
    default:
      return JSON.stringify(value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value))
  }
}
/** The shortest text that reads as the same float of 32 bits. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(Number(value.toPrecision(9)))
}
function keyText(type: DataType, key: unknown): string {
  const text = jsonText(type, key)
  return text.startsWith('"') ? text : JSON.stringify(text)
}

/** The value of a row in its public form. */
export function valueAt(column: Column, row: number): unknown {
  if (column.kind === 'values') {
    const value = column.values[row]
    return columnKind(column.type) === 'values' ? fromPhysical(column.type, (value ?? null) as Physical) : value
  }
  if (column.valid !== null && column.valid[row] === 0) return null
  if (column.kind === 'fixed') return fromPhysical(column.type, column.data[row]!)
  const bytes = column.heap.subarray(column.offsets[row], column.offsets[row + 1])
  return column.type === 'string' ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8') : bytes
}

/** A row of a batch as a JSON object: what a dead letter keeps of it. */
export function rowText(batch: ColumnBatch, row: number): string {
  const fields = batch.schema.fields.map(
    ({ name, type }, c) => `${JSON.stringify(name)}:${jsonText(type, valueAt(batch.columns[c]!, row))}`,
  )
  return `{${fields.join(',')}}`
}
