/** Columns of a batch as bytes, for the changelog. Little-endian, each array at a multiple of 8 bytes; docs/formats.md has the layout. */
import { type BytesColumn, type Column, columnKind, type FixedArray, fixedArray, type ValuesColumn } from '../data/column-batch.ts'
import type { DataType } from '../data/types.ts'
import { decodeStrings } from '../data/values.ts'
import type { ByteReader, ByteWriter } from './byte-writer.ts'
import { valueFromJson, valuesToJson } from './value-json.ts'

export function writeColumn(writer: ByteWriter, column: Column, length: number): void {
  if (column.kind === 'values') return writeValues(writer, column, length)
  writer.align()
  writer.word(column.valid === null ? 0 : 1)
  writer.word(column.kind === 'bytes' ? column.offsets[length]! - column.offsets[0]! : 0)
  if (column.valid !== null) writer.bytes(column.valid.subarray(0, length))
  writer.align()
  if (column.kind === 'fixed') writer.bytes(bytesOf(column.data).subarray(0, length * column.data.BYTES_PER_ELEMENT))
  else writeStrings(writer, column, length)
}

export function readColumn(reader: ByteReader, type: DataType, length: number): Column {
  const kind = columnKind(type)
  if (kind === 'values') return readValues(reader, type, length)
  reader.align()
  const hasNulls = reader.word() === 1
  const heapBytes = reader.word()
  const valid = hasNulls ? reader.take(length) : null
  reader.align()
  if (kind === 'bytes') return { kind, type, valid, ...readStrings(reader, length, heapBytes) }
  return { kind, type, valid, data: viewAs(fixedArray(type, 0), reader, length) }
}

function writeStrings(writer: ByteWriter, { offsets, heap }: Pick<BytesColumn, 'offsets' | 'heap'>, length: number): void {
  const start = offsets[0]!
  const out = writer.reserveWords(length + 1)
  for (let i = 0; i <= length; i++) out[i] = offsets[i]! - start
  writer.align()
  writer.bytes(heap.subarray(start, offsets[length]!))
}
function readStrings(reader: ByteReader, length: number, heapBytes: number): { offsets: Uint32Array; heap: Uint8Array } {
  const offsets = reader.words(length + 1)
  reader.align()
  return { offsets, heap: reader.take(heapBytes) }
}

function writeValues(writer: ByteWriter, { type, values }: ValuesColumn, length: number): void {
  const strings = valuesToJson(
    type,
    Array.from({ length }, (_, i) => values[i]),
  )
  writer.align()
  writer.word(0)
  writer.word(strings.heap.length)
  writeStrings(writer, strings, length)
}
function readValues(reader: ByteReader, type: DataType, length: number): ValuesColumn {
  reader.align()
  reader.word()
  const strings = readStrings(reader, length, reader.word())
  const texts = decodeStrings({ kind: 'bytes', type: 'string', valid: null, ...strings }, length)
  return { kind: 'values', type, values: texts.map((text) => valueFromJson(type, text)) }
}

function bytesOf(data: FixedArray | Uint32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** The next `length` elements of the kind of `like`, in place. */
function viewAs(like: FixedArray, reader: ByteReader, length: number): FixedArray {
  const { buffer, byteOffset } = reader.take(length * like.BYTES_PER_ELEMENT)
  return new (like.constructor as new (buffer: ArrayBufferLike, offset: number, length: number) => FixedArray)(buffer, byteOffset, length)
}
