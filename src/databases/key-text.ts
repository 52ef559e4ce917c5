import type { ColumnBatch } from '../data/column-batch.ts'
import { jsonText, valueAt } from './row-text.ts'

/** A value as text: strings as they are, binary as bytes, everything else as in JSON, times in ISO 8601. */
export function textOf(batch: ColumnBatch, column: number, row: number): string | Buffer | null {
  const value = valueAt(batch.columns[column]!, row)
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value)
  const json = jsonText(batch.schema.fields[column]!.type, value)
  return json.startsWith('"') ? (JSON.parse(json) as string) : json
}

/** The values of a row's key, joined by `:`. Different keys have different texts, whatever they hold; the name of the column where one is null. */
export function keyText(batch: ColumnBatch, columns: readonly number[], row: number): string | { readonly nullKey: string } {
  const parts: string[] = []
  for (const at of columns) {
    const text = textOf(batch, at, row)
    if (text === null) return { nullKey: batch.schema.names[at]! }
    const plain = typeof text === 'string' ? text : text.toString('base64')
    parts.push(plain.replace(/[%:]/g, (sign) => (sign === '%' ? '%25' : '%3A')))
  }
  return parts.join(':')
}
