/**
 * DuckDB result chunks -> columns. Data comes over in bulk, a call a column and chunk; nothing here makes an object a row, but for the
 * nested types.
 *
 * A VARCHAR or BLOB value is 16 bytes: its length, then up to 12 bytes of it inline, or four bytes of it and a pointer. Pointers of
 * neighbours nearly always follow each other in DuckDB's own heap; such a run is fetched with one call. A run covers the bytes of its
 * values and nothing else, so only memory that belongs to the result is read.
 */
import { assert } from '../base/errors.ts'
import type { ArrayClass, ArrayPool } from '../data/array-pool.ts'
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  columnKind,
  type FixedArray,
  type FixedColumn,
  fixedArrayClass,
} from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import { bindings, type DataChunk, type Result, type Vector } from './bindings.ts'
import { checkType, typeId } from './duck-types.ts'
import { readNested } from './nested-values.ts'

export interface Chunk {
  readonly chunk: DataChunk
  readonly rows: number
}

/** All rows of a materialised result, whose columns have the types of `schema`. */
export function readColumns(result: Result, schema: Schema, pool?: ArrayPool): ColumnBatch {
  return columnsOf(result, chunksOf(result), schema, 0, pool)
}

/** As readColumns, of a result with a column before those of the schema: UHUGEINT without nulls, which comes as four words a row, most significant first. */
export function readKeyedColumns(
  result: Result,
  schema: Schema,
  pool: ArrayPool,
): { readonly keyIds: Uint32Array; readonly rows: ColumnBatch } {
  // each look at a result's chunks copies them
  const chunks = chunksOf(result)
  return { keyIds: readKeyIds(result, chunks, pool), rows: columnsOf(result, chunks, schema, 1, pool) }
}

function columnsOf(result: Result, { chunks, length }: Chunks, schema: Schema, first: number, pool?: ArrayPool): ColumnBatch {
  const found = bindings.column_count(result)
  assert(found === schema.fields.length + first, `the statement gives ${found - first} columns, and the plan says ${schema.fields.length}`)
  schema.fields.forEach(({ type, name }, i) => checkType(bindings.column_logical_type(result, i + first), type, name))
  return { schema, length, columns: schema.fields.map(({ type }, i) => readColumn(chunks, i + first, type, length, pool)) }
}

/** The rows of one chunk of a statement whose columns have the types of `schema`. */
export function readChunk(chunk: DataChunk, schema: Schema): ColumnBatch {
  const rows = bindings.data_chunk_get_size(chunk)
  return { schema, length: rows, columns: schema.fields.map(({ type }, i) => readColumn([{ chunk, rows }], i, type, rows)) }
}

function readKeyIds(result: Result, { chunks, length }: Chunks, pool: ArrayPool): Uint32Array {
  const id = bindings.get_type_id(bindings.column_logical_type(result, 0)) as number
  assert(id === typeId.uhugeint, `key_id came out with DuckDB's type number ${id} instead of UHUGEINT`)
  const words = arrayOf(Uint32Array, 4 * length, pool)
  let to = 0
  for (const { chunk, rows } of chunks) {
    const vector = bindings.data_chunk_get_vector(chunk, 0)
    assert(nullBits(vector, rows) === null, 'a key_id is null')
    const bytes = bindings.vector_get_data(vector, rows * 16)
    const from = new Uint32Array(bytes.buffer, bytes.byteOffset, rows * 4)
    for (let i = 0; i < from.length; i += 4, to += 4) {
      words[to] = from[i + 3]!
      words[to + 1] = from[i + 2]!
      words[to + 2] = from[i + 1]!
      words[to + 3] = from[i]!
    }
    letGo(bytes)
  }
  return words
}

interface Chunks {
  readonly chunks: readonly Chunk[]
  readonly length: number
}
function chunksOf(result: Result): Chunks {
  const chunks: Chunk[] = []
  let length = 0
  const count = bindings.result_chunk_count(result)
  for (let i = 0; i < count; i++) {
    const chunk = bindings.result_get_chunk(result, i)
    const rows = bindings.data_chunk_get_size(chunk)
    if (rows > 0) chunks.push({ chunk, rows })
    length += rows
  }
  return { chunks, length }
}

/** One column of chunks, whose columns may be of any kind. */
export function readColumn(chunks: readonly Chunk[], index: number, type: DataType, length: number, pool?: ArrayPool): Column {
  if (type === 'void') return { kind: 'values', type, values: new Array<null>(length).fill(null) }
  switch (columnKind(type)) {
    case 'fixed':
      return readFixed(chunks, index, type, length, pool)
    case 'bytes':
      return readBytes(chunks, index, type, length, pool)
    case 'values':
      return { kind: 'values', type, values: chunks.flatMap(({ chunk, rows }) => readNested(chunk, index, type, rows)) }
  }
}

/** An array whose values are all still to be written. */
function arrayOf<A>(type: ArrayClass<A> & { new (length: number): A }, length: number, pool: ArrayPool | undefined): A {
  return pool ? pool.array(type, length) : new type(length)
}

function readFixed(chunks: readonly Chunk[], index: number, type: DataType, length: number, pool?: ArrayPool): FixedColumn {
  const data = arrayOf<FixedArray>(fixedArrayClass(type), length, pool)
  let valid: Uint8Array | null = null
  let at = 0
  for (const { chunk, rows } of chunks) {
    const vector = bindings.data_chunk_get_vector(chunk, index)
    copyFixed(data, at, vector, type, rows)
    valid = expandNulls(nullBits(vector, rows), valid, at, rows, length)
    at += rows
  }
  return { kind: 'fixed', type, data, valid }
}

function copyFixed(to: FixedArray, at: number, vector: Vector, type: DataType, rows: number): void {
  if (typeof type !== 'string' && type.kind === 'decimal' && type.precision <= 9) {
    const narrow = type.precision <= 4 ? Int16Array : Int32Array
    const bytes = bindings.vector_get_data(vector, rows * narrow.BYTES_PER_ELEMENT)
    const from = new narrow(bytes.buffer as ArrayBuffer, bytes.byteOffset, rows)
    for (let i = 0; i < rows; i++) (to as BigInt64Array)[at + i] = BigInt(from[i]!)
    return letGo(bytes)
  }
  const bytes = bindings.vector_get_data(vector, rows * to.BYTES_PER_ELEMENT)
  const { buffer, byteOffset } = bytes
  const from = new (to.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => FixedArray)(buffer, byteOffset, rows)
  to.set(from as never, at)
  letGo(bytes)
}

/**
 * DuckDB's memory that was read. V8 counts what a view shows as the program's until it collects the view, and collects the whole heap when it counts too much
 * (data/array-pool.ts); without its buffer the view counts as nothing at once.
 */
function letGo({ buffer, byteOffset, byteLength }: Uint8Array): void {
  if (byteOffset === 0 && byteLength === buffer.byteLength) (buffer as ArrayBuffer).transfer(0)
}

/** The validity bits of a vector, or null where no row is null. */
function nullBits(vector: Vector, rows: number): Uint8Array | null {
  const bits = bindings.vector_get_validity(vector, Math.ceil(rows / 64) * 8)
  if (!bits) return null
  const whole = rows >> 3
  for (let i = 0; i < whole; i++) if (bits[i] !== 0xff) return bits
  const rest = (1 << (rows & 7)) - 1
  return ((bits[whole] ?? 0) & rest) ^ rest ? bits : null
}

/** Marks the nulls of one chunk in a byte a row; the array is made when the first null comes. */
function expandNulls(bits: Uint8Array | null, valid: Uint8Array | null, at: number, rows: number, length: number): Uint8Array | null {
  if (bits === null) return valid
  const bytes = valid ?? new Uint8Array(length).fill(1)
  for (let i = 0; i < rows; i++) bytes[at + i] = (bits[i >> 3]! >> (i & 7)) & 1
  return bytes
}

function readBytes(chunks: readonly Chunk[], index: number, type: DataType, length: number, pool?: ArrayPool): BytesColumn {
  const offsets = arrayOf(Uint32Array, length + 1, pool)
  offsets[0] = 0
  const heap = new Heap(textBytes(chunks, index) + longestChunk(chunks) * inlineBytes, pool)
  let valid: Uint8Array | null = null
  let at = 0
  for (const { chunk, rows } of chunks) {
    const vector = bindings.data_chunk_get_vector(chunk, index)
    const bits = nullBits(vector, rows)
    const values = bindings.vector_get_data(vector, rows * 16)
    readStrings(values, bits, rows, heap, offsets, at)
    letGo(values)
    valid = expandNulls(bits, valid, at, rows, length)
    at += rows
  }
  return { kind: 'bytes', type, offsets, heap: heap.bytes.subarray(0, heap.end), valid }
}

/** How many bytes a column's values have. Growing on the way would copy them about once more, and leave as much for the collector of garbage. */
function textBytes(chunks: readonly Chunk[], index: number): number {
  let bytes = 0
  for (const { chunk, rows } of chunks) {
    const vector = bindings.data_chunk_get_vector(chunk, index)
    const bits = nullBits(vector, rows)
    const values = bindings.vector_get_data(vector, rows * 16)
    const words = new Uint32Array(values.buffer, values.byteOffset, rows * 4)
    for (let i = 0; i < rows; i++) if (bits === null || ((bits[i >> 3]! >> (i & 7)) & 1) === 1) bytes += words[4 * i]!
    letGo(values)
  }
  assert(bytes <= 0xffffffff, 'a column of one batch holds over 4 GiB of text')
  return bytes
}
/** The rows of the longest chunk: room is kept ahead for that many short values. */
function longestChunk(chunks: readonly Chunk[]): number {
  return chunks.reduce((most, { rows }) => Math.max(most, rows), 0)
}

/** Bytes that grow. */
class Heap {
  bytes: Uint8Array<ArrayBuffer>
  end = 0
  readonly #pool: ArrayPool | undefined
  constructor(bytes: number, pool?: ArrayPool) {
    this.#pool = pool
    this.bytes = arrayOf(Uint8Array, bytes, pool)
  }
  reserve(more: number): void {
    const needed = this.end + more
    if (needed <= this.bytes.length) return
    assert(needed <= 0xffffffff, 'a column of one batch holds over 4 GiB of text')
    const larger = arrayOf(Uint8Array, Math.min(0xffffffff, Math.max(needed, this.bytes.length * 2, 1024)), this.#pool)
    larger.set(this.bytes.subarray(0, this.end))
    this.#pool?.give(this.bytes)
    this.bytes = larger
  }
}

const inlineBytes = 12

function readStrings(values: Uint8Array, bits: Uint8Array | null, rows: number, heap: Heap, offsets: Uint32Array, at: number): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, rows * 4)
  // reserve for all inline values at once, so that the inner loop need not ask
  heap.reserve(rows * inlineBytes)
  let { bytes, end } = heap
  for (let i = 0; i < rows; i++) {
    if (bits !== null && ((bits[i >> 3]! >> (i & 7)) & 1) === 0) {
      offsets[at + i + 1] = end
      continue
    }
    const size = words[4 * i]!
    if (size <= inlineBytes) {
      const from = 16 * i + 4
      for (let b = 0; b < size; b++) bytes[end + b] = values[from + b]!
      end += size
      offsets[at + i + 1] = end
      continue
    }
    const run = measureRun(words, bits, i, rows)
    heap.end = end
    heap.reserve(run.bytes + (rows - i) * inlineBytes)
    bytes = heap.bytes
    const text = bindings.get_data_from_pointer(values.buffer as ArrayBuffer, values.byteOffset + 16 * i + 8, run.bytes)
    bytes.set(text, end)
    letGo(text)
    for (; i < run.end; i++) {
      end += words[4 * i]!
      offsets[at + i + 1] = end
    }
    i--
  }
  heap.end = end
}

/** From row `start` on, how many values lie in memory one right after the other. */
function measureRun(words: Uint32Array, bits: Uint8Array | null, start: number, rows: number): { end: number; bytes: number } {
  let next = pointerOf(words, start) + words[4 * start]!
  let bytes = words[4 * start]!
  let end = start + 1
  for (; end < rows; end++) {
    const isNull = bits !== null && ((bits[end >> 3]! >> (end & 7)) & 1) === 0
    const size = words[4 * end]!
    if (isNull || size <= inlineBytes || pointerOf(words, end) !== next || bytes + size > 0x7fffffff) break
    next += size
    bytes += size
  }
  return { end, bytes }
}

/** Addresses have 48 to 57 bits; compared as doubles they stay exact up to 53, and user space ends far below. */
function pointerOf(words: Uint32Array, row: number): number {
  return words[4 * row + 3]! * 4294967296 + words[4 * row + 2]!
}
