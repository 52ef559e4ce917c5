import type { ColumnBatch } from '../../data/column-batch.ts'
import { jsonText, rowText, valueAt } from '../row-text.ts'
import type { Argument } from './connection.ts'
import type { RedisSinkOptions } from './options.ts'

/** A row as the script takes it: its key, then for each stored column `-` for null or `+` and its text. */
export interface RowCells {
  readonly key: string
  readonly cells: readonly Argument[]
}

/** Row `row` of a batch; the name of the column where one of its key is null. */
export function rowCells(
  batch: ColumnBatch,
  row: number,
  { structure, prefix, keyColumns, valueColumns }: RedisSinkOptions,
): RowCells | { readonly nullKey: string } {
  if (structure === 'stream') return { key: prefix, cells: valueColumns.map((at) => cellOf(batch, at, row)) }
  const parts: string[] = []
  for (const at of keyColumns) {
    const text = textOf(batch, at, row)
    if (text === null) return { nullKey: batch.schema.names[at]! }
    parts.push(keyPart(typeof text === 'string' ? text : text.toString('base64')))
  }
  const cells = structure === 'json' ? [`+${rowText(batch, row)}`] : valueColumns.map((at) => cellOf(batch, at, row))
  return { key: `${prefix}${parts.join(':')}`, cells }
}

/** Two rows with different keys have different Redis keys, whatever their texts hold. */
function keyPart(text: string): string {
  return text.replace(/[%:]/g, (sign) => (sign === '%' ? '%25' : '%3A'))
}

function cellOf(batch: ColumnBatch, column: number, row: number): Argument {
  const text = textOf(batch, column, row)
  if (text === null) return '-'
  return typeof text === 'string' ? `+${text}` : Buffer.concat([Buffer.from('+'), text])
}

/** A value as text: strings as they are, binary as bytes, everything else as in JSON, times in ISO 8601. */
function textOf(batch: ColumnBatch, column: number, row: number): string | Buffer | null {
  const value = valueAt(batch.columns[column]!, row)
  if (value === null || value === undefined) return null
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) return Buffer.from(value)
  const json = jsonText(batch.schema.fields[column]!.type, value)
  return json.startsWith('"') ? (JSON.parse(json) as string) : json
}
