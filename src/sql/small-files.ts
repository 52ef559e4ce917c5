/**
 * Few rows of files are read into JavaScript's memory first. What is computed of them are then statements over rows in place (loaded-rows.ts), which come again word for word with the next
 * batch; over the files themselves, whose names change, each is parsed and planned anew, and needs a profile, a table and a connection of its own besides: 7 of the 15 ms of a batch.
 */
import { type Column, type ColumnBatch, columnKind, fixedArrayClass } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { smallRows } from './loaded-rows.ts'
import type { FileScan } from './read-request.ts'

/** As much text as `smallRows` records of 64 bytes. */
const smallBytes = 64 * smallRows

/** Whether files may have few rows: by their size where they are text, else only their own metadata says. */
export function maybeSmall({ files, count, mending }: FileScan): boolean {
  if (files.length === 0 || count.kind === 'known' || mending?.first === true) return false
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return bytes <= smallBytes && (count.kind === 'parquet' || !files.some(({ path }) => /\.(?:gz|zst)$/i.test(path)))
}

/** Columns that were read at their places in a schema; the others, which nobody reads, are null. */
export function withNulls(batch: ColumnBatch, positions: readonly number[], schema: Schema): ColumnBatch {
  const places = new Map(positions.map((at, i) => [at, batch.columns[i]!]))
  const columns = schema.fields.map(({ type }, i) => places.get(i) ?? nullColumn(type, batch.length))
  return { schema, length: batch.length, columns }
}

/** What all columns of few nulls show. */
const nothing = new ArrayBuffer(8 * (smallRows + 1))

function nullColumn(type: Schema['fields'][number]['type'], length: number): Column {
  const memory = length <= smallRows ? nothing : new ArrayBuffer(8 * (length + 1))
  const valid = new Uint8Array(memory, 0, length)
  const kind = columnKind(type)
  if (kind === 'values') return { kind, type, values: new Array<null>(length).fill(null) }
  if (kind === 'bytes') return { kind, type, offsets: new Uint32Array(memory, 0, length + 1), heap: new Uint8Array(0), valid }
  return { kind, type, data: new (fixedArrayClass(type))(memory, 0, length), valid }
}
