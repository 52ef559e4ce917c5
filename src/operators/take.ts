import { type BytesColumn, type Column, type ColumnBatch, type FixedArray, type FixedColumn, fixedArray } from '../data/column-batch.ts'
import { copyBytes } from '../state/copy-bytes.ts'
import type { KeyedBatch } from '../state/state-store.ts'

/** The given rows of a batch with their identities, in the order given. */
export function takeKeys({ keyIds, rows }: KeyedBatch, numbers: Uint32Array): KeyedBatch {
  return { keyIds: takeIds(keyIds, numbers), rows: takeColumns(rows, numbers) }
}

/** The given rows of a batch, in the order given. */
export function takeColumns({ schema, columns }: ColumnBatch, numbers: Uint32Array): ColumnBatch {
  return { schema, length: numbers.length, columns: columns.map((column) => takeColumn(column, numbers)) }
}

/** The rows of one batch and behind them those of another of the same columns. */
export function concatColumns(a: ColumnBatch, b: ColumnBatch): ColumnBatch {
  const columns = a.columns.map((column, c) => concatColumn(column, a.length, b.columns[c]!, b.length))
  return { schema: a.schema, length: a.length + b.length, columns }
}

function concatColumn(a: Column, aLength: number, b: Column, bLength: number): Column {
  if (a.kind === 'values') return { ...a, values: [...a.values, ...(b as typeof a).values] }
  const valid = concatValid(a.valid, aLength, (b as typeof a).valid, bLength)
  return a.kind === 'fixed'
    ? concatFixed(a, aLength, b as FixedColumn, bLength, valid)
    : concatBytes(a, aLength, b as BytesColumn, bLength, valid)
}
function concatFixed(a: FixedColumn, aLength: number, b: FixedColumn, bLength: number, valid: Uint8Array | null): FixedColumn {
  const data = fixedArray(a.type, aLength + bLength)
  const to = data as Float64Array // one physical type on both sides
  to.set(a.data.subarray(0, aLength) as Float64Array)
  to.set(b.data.subarray(0, bLength) as Float64Array, aLength)
  return { ...a, data, valid }
}
function concatBytes(a: BytesColumn, aLength: number, b: BytesColumn, bLength: number, valid: Uint8Array | null): BytesColumn {
  const [aFrom, aEnd, bFrom, bEnd] = [a.offsets[0]!, a.offsets[aLength]!, b.offsets[0]!, b.offsets[bLength]!]
  const heap = new Uint8Array(aEnd - aFrom + (bEnd - bFrom))
  heap.set(a.heap.subarray(aFrom, aEnd))
  heap.set(b.heap.subarray(bFrom, bEnd), aEnd - aFrom)
  const offsets = new Uint32Array(aLength + bLength + 1)
  for (let i = 0; i <= aLength; i++) offsets[i] = a.offsets[i]! - aFrom
  for (let i = 1; i <= bLength; i++) offsets[aLength + i] = b.offsets[i]! - bFrom + (aEnd - aFrom)
  return { ...a, heap, offsets, valid }
}
function concatValid(a: Uint8Array | null, aLength: number, b: Uint8Array | null, bLength: number): Uint8Array | null {
  if (a === null && b === null) return null
  const valid = new Uint8Array(aLength + bLength).fill(1)
  if (a !== null) valid.set(a.subarray(0, aLength))
  if (b !== null) valid.set(b.subarray(0, bLength), aLength)
  return valid
}

/** The rows in the order of their identities: the same whatever order a store gave them in. */
export function sortByIdentity(batch: KeyedBatch): KeyedBatch {
  const { keyIds, rows } = batch
  const compare = (a: number, b: number) => {
    for (let word = 0; word < 4; word++) {
      const difference = keyIds[a * 4 + word]! - keyIds[b * 4 + word]!
      if (difference !== 0) return difference
    }
    return 0
  }
  return takeKeys(batch, Uint32Array.from({ length: rows.length }, (_, i) => i).sort(compare))
}

/** The identities (4 words each) of the given rows. */
export function takeIds(keyIds: Uint32Array, numbers: Uint32Array): Uint32Array {
  const taken = new Uint32Array(numbers.length * 4)
  for (let i = 0; i < numbers.length; i++) {
    const from = numbers[i]! * 4
    for (let word = 0; word < 4; word++) taken[i * 4 + word] = keyIds[from + word]!
  }
  return taken
}

/** The given rows of a column, in the order given. */
export function takeColumn(column: Column, rows: Uint32Array): Column {
  if (column.kind === 'values') return { ...column, values: Array.from(rows, (row) => column.values[row]) }
  const valid = column.valid && takeBytes(column.valid, rows)
  if (column.kind === 'fixed') {
    const data = fixedArray(column.type, rows.length)
    if (data.BYTES_PER_ELEMENT === 8) takePairs(pairsOf(column.data), pairsOf(data), rows)
    else {
      const to = data as Int32Array
      const from = column.data as Int32Array // one physical type on both sides, so a copy needs no conversion
      for (let i = 0; i < rows.length; i++) to[i] = from[rows[i]!]!
    }
    return { ...column, data, valid }
  }
  const offsets = new Uint32Array(rows.length + 1)
  for (let i = 0; i < rows.length; i++) offsets[i + 1] = offsets[i]! + column.offsets[rows[i]! + 1]! - column.offsets[rows[i]!]!
  const heap = new Uint8Array(offsets[rows.length]!)
  for (let i = 0; i < rows.length; i++) copyBytes(heap, offsets[i]!, column.heap, column.offsets[rows[i]!]!, offsets[i + 1]! - offsets[i]!)
  return { ...column, offsets, heap, valid }
}

function pairsOf({ buffer, byteOffset, byteLength }: FixedArray): Int32Array {
  return new Int32Array(buffer, byteOffset, byteLength / 4)
}
/** 8 bytes a row: as a bigint each would be an object. */
function takePairs(from: Int32Array, to: Int32Array, rows: Uint32Array): void {
  for (let i = 0; i < rows.length; i++) {
    to[2 * i] = from[2 * rows[i]!]!
    to[2 * i + 1] = from[2 * rows[i]! + 1]!
  }
}

function takeBytes(bytes: Uint8Array, rows: Uint32Array): Uint8Array {
  const taken = new Uint8Array(rows.length)
  for (let i = 0; i < rows.length; i++) taken[i] = bytes[rows[i]!]!
  return taken
}
