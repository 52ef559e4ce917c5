/**
 * Columns -> a DuckDB table, in chunks of 2,048 rows. Numbers are copied in bulk out of the column's own array.
 *
 * Text goes in without a call a value: the chunk's stretch of the heap becomes one value, which makes DuckDB copy it into the vector's
 * own memory and check that it is UTF-8; its address is read back, and the 16-byte entries of all rows are made to point into it. The
 * memory belongs to the vector until the chunk is reset, and the appender has copied the rows by then.
 */
import { assert, InvalidQueryError } from '../base/errors.ts'
import type { BytesColumn, Column, ColumnBatch } from '../data/column-batch.ts'
import { type DataType, typeText } from '../data/types.ts'
import { type Appender, bindings, type DataChunk, type Vector } from './bindings.ts'
import { logicalType } from './duck-types.ts'
import { writeNested } from './nested-values.ts'

/** Rows of one of DuckDB's chunks. */
export const chunkRows = 2048
const inlineBytes = 12

/** Appends a batch's rows; the appender's table has the batch's columns. */
export function appendColumns(appender: Appender, batch: ColumnBatch): void {
  if (batch.columns.length === 0) return
  const chunk = bindings.create_data_chunk(batch.schema.fields.map((field) => logicalType(field.type)))
  for (let start = 0; start < batch.length; start += chunkRows) {
    const rows = Math.min(chunkRows, batch.length - start)
    if (start > 0) bindings.data_chunk_reset(chunk)
    bindings.data_chunk_set_size(chunk, rows)
    writeChunk(chunk, batch, start, rows)
    bindings.append_data_chunk(appender, chunk)
  }
}

/** Writes rows of a batch into a chunk whose size is set. */
export function writeChunk(chunk: DataChunk, batch: ColumnBatch, start: number, rows: number): void {
  for (let i = 0; i < batch.columns.length; i++) writeColumn(chunk, i, batch.columns[i]!, batch.schema.fields[i]!.name, start, rows)
}

function writeColumn(chunk: DataChunk, index: number, column: Column, name: string, start: number, rows: number): void {
  if (column.kind === 'values') return writeNested(chunk, index, column.type === 'void' ? 'int' : column.type, column.values, start, rows)
  writeVector(bindings.data_chunk_get_vector(chunk, index), column, name, start, rows)
}

/** Writes rows of a column that holds no nested values into a vector. `name` is for errors. */
export function writeVector(vector: Vector, column: Exclude<Column, { kind: 'values' }>, name: string, start: number, rows: number): void {
  if (column.kind === 'bytes') writeStrings(vector, column, name, start, rows)
  else writeFixed(vector, column.type, column.data, start, rows)
  if (column.valid !== null) writeNulls(vector, column.valid, start, rows)
}

type Fixed = Extract<Column, { kind: 'fixed' }>['data']

function writeFixed(vector: Vector, type: DataType, data: Fixed, start: number, rows: number): void {
  const from =
    typeof type !== 'string' && type.kind === 'decimal' && type.precision <= 9
      ? narrowed(data as BigInt64Array, type.precision, start, rows)
      : data.subarray(start, start + rows)
  bindings.copy_data_to_vector(vector, 0, from.buffer as ArrayBuffer, from.byteOffset, from.byteLength)
}

/** DuckDB holds decimals of up to 4 digits in 16 bits, of up to 9 in 32. */
function narrowed(data: BigInt64Array, precision: number, start: number, rows: number): Int16Array | Int32Array {
  const narrow = precision <= 4 ? new Int16Array(rows) : new Int32Array(rows)
  for (let i = 0; i < rows; i++) narrow[i] = Number(data[start + i]!)
  return narrow
}

function writeNulls(vector: Vector, valid: Uint8Array, start: number, rows: number): void {
  const bits = new Uint8Array(Math.ceil(rows / 64) * 8).fill(0xff)
  let nulls = 0
  for (let i = 0; i < rows; i++) {
    if (valid[start + i] !== 0) continue
    bits[i >> 3]! &= ~(1 << (i & 7))
    nulls++
  }
  if (nulls === 0) return
  bindings.vector_ensure_validity_writable(vector)
  bindings.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bits.byteLength)
}

function writeStrings(vector: Vector, column: BytesColumn, name: string, start: number, rows: number): void {
  const { offsets, heap, valid } = column
  const { bytes: entries, words } = cleanEntries(rows)
  const base = offsets[start]!
  let address = -1
  for (let i = 0; i < rows; i++) {
    if (valid !== null && valid[start + i] === 0) continue
    const from = offsets[start + i]!
    const size = offsets[start + i + 1]! - from
    words[4 * i] = size
    const to = 16 * i + 4
    if (size <= inlineBytes) {
      for (let b = 0; b < size; b++) entries[to + b] = heap[from + b]!
      continue
    }
    if (address < 0) address = lendHeap(vector, column, name, heap.subarray(base, offsets[start + rows]!))
    for (let b = 0; b < 4; b++) entries[to + b] = heap[from + b]!
    const pointer = address + (from - base)
    words[4 * i + 2] = pointer >>> 0
    words[4 * i + 3] = Math.floor(pointer / 4294967296)
  }
  bindings.copy_data_to_vector(vector, 0, entries.buffer, 0, 16 * rows)
}

/** The entries of a chunk's rows, which DuckDB copies. */
const entryBytes = new Uint8Array(16 * chunkRows)
const entryWords = new Uint32Array(entryBytes.buffer)
/** Zeroes for that many entries: DuckDB compares an inline value with the bytes behind it. */
function cleanEntries(rows: number): { bytes: Uint8Array<ArrayBuffer>; words: Uint32Array } {
  assert(rows <= chunkRows, `a chunk has ${rows} rows`)
  entryWords.fill(0, 0, 4 * rows)
  return { bytes: entryBytes, words: entryWords }
}

const nothing = new Uint8Array(16)

/** Puts the bytes into the vector's own memory and returns their address. They are more than 12, so that they have one. */
function lendHeap(vector: Vector, column: BytesColumn, name: string, bytes: Uint8Array): number {
  // The call says nothing where it refuses (text that is not UTF-8), so an entry that stayed empty is the sign.
  bindings.copy_data_to_vector(vector, 0, nothing.buffer, 0, nothing.byteLength)
  bindings.vector_assign_string_element_len(vector, 0, bytes)
  const entry = bindings.vector_get_data(vector, 16)
  const words = new Uint32Array(entry.buffer, entry.byteOffset, 4)
  if (words[0] !== bytes.length) {
    throw new InvalidQueryError('INVALID_UTF8_STRING', {
      what: `column ${name} (${typeText(column.type)}) holds bytes that are no UTF-8 text`,
      todo: 'give the column the type binary, or valid text',
    })
  }
  return words[3]! * 4294967296 + words[2]!
}
