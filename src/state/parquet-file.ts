/**
 * Parquet files with flat columns, PLAIN and uncompressed, one row group, any number of pages a column: what a snapshot needs, and any Parquet reader
 * understands. Written and read by our own code, because pages are then made straight from the records and put straight back: no second copy of the
 * rows, no SQL engine in the way (docs/decisions/0002-state-snapshots.md).
 */
import { assert } from '../base/errors.ts'
import { isDayTime, isInterval } from '../data/intervals.ts'
import { type DataType, typeText } from '../data/types.ts'
import type { ByteWriter } from './byte-writer.ts'
import { bool, byte, decodeThrift, encodeThrift, i32, i64, list, struct, type ThriftStruct, type ThriftValue, text } from './thrift.ts'

/** How a column of a Parquet file holds its values. */
export interface ParquetColumn {
  readonly name: string
  readonly physical: keyof typeof physicalTypes
  /** Bytes of a value of `fixed`. */
  readonly width?: number
  readonly nullable: boolean
  readonly logical: ThriftValue | undefined
  readonly converted?: number
  /** Of decimals. */
  readonly digits?: { readonly precision: number; readonly scale: number }
}

const physicalTypes = { boolean: 0, int32: 1, int64: 2, float: 4, double: 5, bytes: 6, fixed: 7 } as const

/** The column that holds a type of ours. Nested types are JSON text. */
export function parquetColumn(name: string, type: DataType, nullable: boolean): ParquetColumn {
  const column = (physical: ParquetColumn['physical'], logical?: ThriftValue, converted?: number): ParquetColumn => ({
    name,
    nullable,
    physical,
    logical,
    ...(converted === undefined ? {} : { converted }),
  })
  if (typeof type !== 'string') {
    if (type.kind !== 'decimal') return column('bytes', struct([12, struct()]), 19)
    const logical = struct([5, struct([1, i32(type.scale)], [2, i32(type.precision)])])
    const base = type.precision <= 18 ? column('int64', logical, 5) : { ...column('fixed', logical, 5), width: 16 }
    return { ...base, digits: type }
  }
  if (isInterval(type)) return column(isDayTime(type) ? 'int64' : 'int32')
  switch (type) {
    case 'boolean':
      return column('boolean')
    case 'byte':
      return column('int32', integer(8), 15)
    case 'short':
      return column('int32', integer(16), 16)
    case 'int':
      return column('int32')
    case 'date':
      return column('int32', struct([6, struct()]), 6)
    case 'long':
      return column('int64')
    case 'timestamp':
      return column('int64', timestamp(true), 10)
    case 'timestamp_ntz':
      return column('int64', timestamp(false))
    case 'float':
      return column('float')
    case 'double':
      return column('double')
    case 'string':
      return column('bytes', struct([1, struct()]), 0)
    case 'binary':
      return column('bytes')
    case 'void':
      throw new Error(`no Parquet column for ${typeText(type)}`)
  }
}
function integer(bits: number): ThriftValue {
  return struct([10, struct([1, byte(bits)], [2, bool(true)])])
}
function timestamp(isUtc: boolean): ThriftValue {
  return struct([8, struct([1, bool(isUtc)], [2, struct([2, struct()])])])
}

const magic = 'PAR1'

interface Chunk {
  readonly column: ParquetColumn
  readonly start: number
  readonly end: number
}

/** Writes one Parquet file into a ByteWriter: each column in turn, page by page, then the metadata. */
export class ParquetWriter {
  readonly #writer: ByteWriter
  readonly #chunks: Chunk[] = []
  constructor(writer: ByteWriter) {
    this.#writer = writer
    writer.clear()
    writer.text(magic)
  }

  /** Appends a column, a page a step. `pages` are the pages' value counts; `page` gives a page's levels and values, in parts. */
  *column(column: ParquetColumn, pages: readonly number[], page: (index: number) => readonly Uint8Array[]): Generator<void, void> {
    const start = this.#writer.length
    for (let i = 0; i < pages.length; i++) {
      const parts = page(i)
      const size = parts.reduce((sum, part) => sum + part.length, 0)
      assert(size <= 0x7fff_ffff, `a page of a snapshot would have ${size} bytes`)
      const header = struct(
        [1, i32(0)],
        [2, i32(size)],
        [3, i32(size)],
        [5, struct([1, i32(pages[i]!)], [2, i32(0)], [3, i32(3)], [4, i32(3)])],
      )
      this.#writer.bytes(encodeThrift(header))
      for (const part of parts) this.#writer.bytes(part)
      yield
    }
    this.#chunks.push({ column, start, end: this.#writer.length })
  }

  /** Ends the file. `properties` are its key-value metadata. */
  end(rows: number, properties: Readonly<Record<string, string>>): void {
    const columns = this.#chunks.map(({ column, start, end }) =>
      struct(
        [2, i64(start)],
        [
          3,
          struct(
            [1, i32(physicalTypes[column.physical])],
            [2, list('i32', [i32(0), i32(3)])],
            [3, list('text', [text(column.name)])],
            [4, i32(0)],
            [5, i64(rows)],
            [6, i64(end - start)],
            [7, i64(end - start)],
            [9, i64(start)],
          ),
        ],
      ),
    )
    const bytes = this.#chunks.reduce((sum, { start, end }) => sum + end - start, 0)
    const schema = [struct([4, text('state')], [5, i32(this.#chunks.length)]), ...this.#chunks.map(({ column }) => schemaElement(column))]
    const metadata = encodeThrift(
      struct(
        [1, i32(2)],
        [2, list('struct', schema)],
        [3, i64(rows)],
        [4, list('struct', rows === 0 ? [] : [struct([1, list('struct', columns)], [2, i64(bytes)], [3, i64(rows)])])],
        [
          5,
          list(
            'struct',
            Object.entries(properties).map(([key, value]) => struct([1, text(key)], [2, text(value)])),
          ),
        ],
        [6, text('Millrace')],
      ),
    )
    this.#writer.bytes(metadata)
    this.#writer.word(metadata.length)
    this.#writer.text(magic)
  }
}

function schemaElement({ name, physical, width, nullable, converted, digits, logical }: ParquetColumn): ThriftValue {
  return struct(
    [1, i32(physicalTypes[physical])],
    [2, width === undefined ? undefined : i32(width)],
    [3, i32(nullable ? 1 : 0)],
    [4, text(name)],
    [6, converted === undefined ? undefined : i32(converted)],
    [7, digits && i32(digits.scale)],
    [8, digits && i32(digits.precision)],
    [10, logical],
  )
}

/** A file of ParquetWriter as read: its properties, and the pages of each column. */
export interface ParquetFile {
  readonly rows: number
  readonly properties: ReadonlyMap<string, string>
  readonly columns: readonly { readonly name: string; readonly pages: readonly { readonly rows: number; readonly content: Uint8Array }[] }[]
}

/** Throws where the bytes are no such file. Who calls has checked their checksum. */
export function readParquet(bytes: Uint8Array): ParquetFile {
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true)
  const { value } = decodeThrift(bytes.subarray(bytes.length - 8 - size, bytes.length - 8))
  const groups = value.get(4) as ThriftStruct[]
  const properties = new Map((value.get(5) as ThriftStruct[]).map((pair) => [utf8(pair.get(1)), utf8(pair.get(2))]))
  const chunks = groups.flatMap((group) => group.get(1) as ThriftStruct[]).map((chunk) => chunk.get(3) as ThriftStruct)
  return { rows: value.get(3) as number, properties, columns: chunks.map((chunk) => readChunk(bytes, chunk)) }
}

function readChunk(bytes: Uint8Array, chunk: ThriftStruct): ParquetFile['columns'][number] {
  const start = chunk.get(9) as number
  const end = start + (chunk.get(7) as number)
  const pages: { rows: number; content: Uint8Array }[] = []
  for (let at = start; at < end; ) {
    const { value, end: header } = decodeThrift(bytes.subarray(at, end))
    const size = value.get(3) as number
    pages.push({ rows: (value.get(5) as ThriftStruct).get(1) as number, content: bytes.subarray(at + header, at + header + size) })
    at += header + size
  }
  return { name: utf8((chunk.get(3) as Uint8Array[])[0]), pages }
}
function utf8(bytes: unknown): string {
  return Buffer.from(bytes as Uint8Array).toString('utf8')
}
