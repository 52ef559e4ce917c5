import type { ColumnBatch } from '../../data/column-batch.ts'
import { deletionsOf, storedColumns } from '../../sinks/delete-column.ts'
import { keyText, textOf } from '../key-text.ts'
import { rowText } from '../row-text.ts'
import type { Argument } from './connection.ts'
import type { RedisSinkOptions } from './options.ts'

/** A row as the script takes it: its key, then for each stored column `-` for null or `+` and its text; `!` for each where the key is to be removed. */
export interface RowCells {
  readonly key: string
  readonly cells: readonly Argument[]
}

/** Of each row of a batch what the script takes; the name of the column where one of its key is null. */
export function rowCells(
  batch: ColumnBatch,
  { structure, prefix, keyColumns, valueColumns, deletes }: RedisSinkOptions,
): (row: number) => RowCells | { readonly nullKey: string } {
  if (structure === 'stream') return (row) => ({ key: prefix, cells: valueColumns.map((at) => cellOf(batch, at, row)) })
  const stored = storedColumns(batch, deletes)
  const isDeletion = deletionsOf(batch, deletes)
  const gone = structure === 'json' ? ['!'] : valueColumns.map(() => '!')
  const cells = (row: number) => (structure === 'json' ? [`+${rowText(stored, row)}`] : valueColumns.map((at) => cellOf(batch, at, row)))
  return (row) => {
    const key = keyText(batch, keyColumns, row)
    if (typeof key !== 'string') return key
    return { key: `${prefix}${key}`, cells: isDeletion(row) ? gone : cells(row) }
  }
}

function cellOf(batch: ColumnBatch, column: number, row: number): Argument {
  const text = textOf(batch, column, row)
  if (text === null) return '-'
  return typeof text === 'string' ? `+${text}` : Buffer.concat([Buffer.from('+'), text])
}
