/**
 * A chunk of a batch as the bytes of `COPY … (FORMAT binary)`: for each row the number of fields, for each field its length (-1: null) and bytes. Work goes
 * column by column over typed arrays: first the columns that vary in length are laid out, then the rows' places follow from the lengths, then each column
 * is written into its places. No object is made for a row.
 */
import type { Column, ColumnBatch, FixedColumn } from '../../data/column-batch.ts'
import type { DataType } from '../../data/types.ts'
import { jsonText, valueAt } from '../row-text.ts'
import { Unfit } from '../time-text.ts'
import { numericBytes } from './numeric.ts'
import { arrayBytes, checkText, intervalBytes, jsonbBytes, postgresDays, postgresUs } from './scalar-bytes.ts'
import { type ColumnForm, formOf } from './types.ts'

/** What a column becomes: fixed in length and written from its own array, or bytes that are ready. */
type Laid =
  | { readonly kind: 'fixed'; readonly width: number; readonly column: FixedColumn; readonly form: ColumnForm }
  | { readonly kind: 'bytes'; readonly offsets: Uint32Array; readonly heap: Uint8Array; readonly valid: Uint8Array | null }
  | { readonly kind: 'parts'; readonly parts: readonly (Uint8Array | null)[] }

const widths: Readonly<Record<string, number>> = { bool: 1, int2: 2, int4: 4, int8: 8, float4: 4, float8: 8, date: 4, timestamp: 8 }

export const copyHeader = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
export const copyTrailer = Buffer.from([255, 255])

/** Rows that are left out, by their place in the chunk, with the reason. */
export type UnfitRows = Map<number, string>

/**
 * The rows of a chunk that are not in `unfit`, which gets those that no column can hold. `numberFrom`: a column of row numbers is added behind, from that number on
 * (rows that are left out have theirs). `space` bytes in front stay free.
 */
export function encodeChunk(batch: ColumnBatch, unfit: UnfitRows, numberFrom: number | null, space: number): Buffer {
  const laid = batch.columns.map((column) => layOut(column, batch.length, unfit))
  const numbers = numberFrom === null ? [] : [rowNumbers(numberFrom, batch.length)]
  const columns = [...laid, ...numbers]
  const places = placesOf(columns, batch.length, unfit, space)
  const out = Buffer.allocUnsafe(places.total)
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength)
  const cursor = places.starts
  for (let i = 0; i < batch.length; i++) {
    if (cursor[i] === leftOut) continue
    view.setInt16(cursor[i]!, columns.length)
    cursor[i]! += 2
  }
  for (const column of columns) {
    if (column.kind === 'fixed') writeFixed(column, view, cursor)
    else if (column.kind === 'bytes') writeBytes(column, out, view, cursor)
    else writeParts(column.parts, out, view, cursor)
  }
  return out
}

/** No row begins there. */
const leftOut = 0xffffffff

function placesOf(columns: readonly Laid[], length: number, unfit: UnfitRows, space: number): { starts: Uint32Array; total: number } {
  const starts = new Uint32Array(length).fill(2 + 4 * columns.length)
  for (const column of columns) {
    if (column.kind === 'fixed') {
      const { valid } = column.column
      for (let i = 0; i < length; i++) starts[i]! += valid === null || valid[i] === 1 ? column.width : 0
    } else if (column.kind === 'bytes') {
      const { offsets, valid } = column
      for (let i = 0; i < length; i++) starts[i]! += valid === null || valid[i] === 1 ? offsets[i + 1]! - offsets[i]! : 0
    } else {
      for (let i = 0; i < length; i++) starts[i]! += column.parts[i]?.length ?? 0
    }
  }
  let total = space
  for (let i = 0; i < length; i++) {
    if (unfit.size > 0 && unfit.has(i)) {
      starts[i] = leftOut
      continue
    }
    const size = starts[i]!
    starts[i] = total
    total += size
  }
  return { starts, total }
}

function layOut(column: Column, length: number, unfit: UnfitRows): Laid {
  const form = formOf(column.type)!
  const width = widths[form.form]
  if (column.kind === 'fixed' && width !== undefined) {
    checkTimes(column, length, form, unfit)
    return { kind: 'fixed', width, column, form }
  }
  if (column.kind === 'bytes') {
    if (form.form === 'text') findNuls(column, length, unfit)
    return { kind: 'bytes', offsets: column.offsets, heap: column.heap, valid: column.valid }
  }
  const encode = encoderOf(column.type, form)
  const parts: (Uint8Array | null)[] = new Array(length).fill(null)
  for (let i = 0; i < length; i++) keepUnfit(unfit, i, () => (parts[i] = encode(column, i)))
  return { kind: 'parts', parts }
}

function encoderOf(type: DataType, { form }: ColumnForm): (column: Column, row: number) => Uint8Array | null {
  if (form === 'numeric') {
    const { scale } = type as { scale: number }
    return (column, i) => {
      const unscaled = physicalAt(column, i) as bigint | null
      return unscaled === null ? null : numericBytes(unscaled, scale)
    }
  }
  if (form === 'interval') {
    return (column, i) => {
      const value = physicalAt(column, i) as bigint | number | null
      return value === null ? null : intervalBytes(type, value)
    }
  }
  return (column, i) => {
    const value = valueAt(column, i)
    if (value === null || value === undefined) return null
    return form === 'array' ? arrayBytes((type as { element: DataType }).element, value as unknown[]) : jsonbBytes(jsonText(type, value))
  }
}
function physicalAt(column: Column, row: number): unknown {
  if (column.kind === 'values') return column.values[row] ?? null
  if (column.kind === 'bytes' || (column.valid !== null && column.valid[row] === 0)) return null
  return column.data[row]
}

function keepUnfit(unfit: UnfitRows, row: number, encode: () => unknown): void {
  try {
    encode()
  } catch (error) {
    if (!(error instanceof Unfit)) throw error
    if (!unfit.has(row)) unfit.set(row, error.message)
  }
}

function checkTimes({ data, valid }: FixedColumn, length: number, { form }: ColumnForm, unfit: UnfitRows): void {
  if (form !== 'date' && form !== 'timestamp') return
  for (let i = 0; i < length; i++) {
    if (valid !== null && valid[i] === 0) continue
    const value = data[i]!
    // only values far out are looked at closely
    if (form === 'date' ? Math.abs(value as number) > 1_000_000 : Math.abs(Number(value)) > 1e17)
      keepUnfit(unfit, i, () => (form === 'date' ? postgresDays(value as number) : postgresUs(value as bigint)))
  }
}

/** One look over the whole heap, where mostly there is none. */
function findNuls({ offsets, heap, valid }: Extract<Column, { kind: 'bytes' }>, length: number, unfit: UnfitRows): void {
  if (heap.indexOf(0) < 0) return
  for (let i = 0; i < length; i++) {
    if (valid !== null && valid[i] === 0) continue
    keepUnfit(unfit, i, () => checkText(heap.subarray(offsets[i], offsets[i + 1])))
  }
}

function rowNumbers(from: number, length: number): Laid {
  const data = new BigInt64Array(length)
  for (let i = 0; i < length; i++) data[i] = BigInt(from + i)
  return { kind: 'fixed', width: 8, column: { kind: 'fixed', type: 'long', data, valid: null }, form: formOf('long')! }
}

function writeFixed({ column, width, form }: Extract<Laid, { kind: 'fixed' }>, view: DataView, cursor: Uint32Array): void {
  const { valid } = column
  const put = putterOf(form)
  const data = column.data
  for (let i = 0; i < cursor.length; i++) {
    const at = cursor[i]!
    if (at === leftOut) continue
    if (valid !== null && valid[i] === 0) {
      view.setInt32(at, -1)
      cursor[i] = at + 4
      continue
    }
    view.setInt32(at, width)
    put(view, at + 4, data[i]!)
    cursor[i] = at + 4 + width
  }
}
function putterOf({ form }: ColumnForm): (view: DataView, at: number, value: number | bigint) => void {
  switch (form) {
    case 'bool':
      return (view, at, value) => view.setUint8(at, value as number)
    case 'int2':
      return (view, at, value) => view.setInt16(at, value as number)
    case 'int4':
      return (view, at, value) => view.setInt32(at, value as number)
    case 'date':
      return (view, at, value) => view.setInt32(at, postgresDays(value as number))
    case 'float4':
      return (view, at, value) => view.setFloat32(at, value as number)
    case 'float8':
      return (view, at, value) => view.setFloat64(at, value as number)
    case 'timestamp':
      return (view, at, value) => view.setBigInt64(at, postgresUs(value as bigint))
    default:
      return (view, at, value) => view.setBigInt64(at, value as bigint)
  }
}

function writeBytes({ offsets, heap, valid }: Extract<Laid, { kind: 'bytes' }>, out: Buffer, view: DataView, cursor: Uint32Array): void {
  for (let i = 0; i < cursor.length; i++) {
    const at = cursor[i]!
    if (at === leftOut) continue
    if (valid !== null && valid[i] === 0) {
      view.setInt32(at, -1)
      cursor[i] = at + 4
      continue
    }
    const from = offsets[i]!
    const size = offsets[i + 1]! - from
    view.setInt32(at, size)
    // a call costs more than a few bytes do
    if (size < 32) for (let b = 0; b < size; b++) out[at + 4 + b] = heap[from + b]!
    else out.set(heap.subarray(from, from + size), at + 4)
    cursor[i] = at + 4 + size
  }
}
function writeParts(parts: readonly (Uint8Array | null)[], out: Buffer, view: DataView, cursor: Uint32Array): void {
  for (let i = 0; i < cursor.length; i++) {
    const at = cursor[i]!
    if (at === leftOut) continue
    const part = parts[i]
    view.setInt32(at, part?.length ?? -1)
    if (part) out.set(part, at + 4)
    cursor[i] = at + 4 + (part?.length ?? 0)
  }
}
