import { isDeepStrictEqual } from 'node:util'
import type { Column, ColumnBatch, FixedColumn } from '../data/column-batch.ts'

/** Which rows i of one batch hold the same in their first columns as the row `partners[i]` of another; nulls are the same, as are NaNs and zeros of either sign. */
export function sameRows(a: ColumnBatch, b: ColumnBatch, count: number, partners: Uint32Array): Uint32Array {
  const same = new Uint32Array(partners.length)
  let found = partners.length
  for (let i = 0; i < found; i++) same[i] = i
  for (let c = 0; c < count; c++) {
    const [x, y] = [a.columns[c]!, b.columns[c]!]
    found = isLong(x) && isLong(y) ? keepSameLongs(same, found, x, y, partners) : keepSame(same, found, sameCells(x, y), partners)
  }
  return same.subarray(0, found)
}

function keepSame(same: Uint32Array, count: number, isSame: (i: number, k: number) => boolean, partners: Uint32Array): number {
  let found = 0
  for (let n = 0; n < count; n++) {
    const i = same[n]!
    if (isSame(i, partners[i]!)) same[found++] = i
  }
  return found
}

type Longs = FixedColumn & { readonly data: BigInt64Array; readonly valid: null }
function isLong(column: Column): column is Longs {
  return column.kind === 'fixed' && column.valid === null && column.data instanceof BigInt64Array
}
/** By their halves: each bigint would be an object. */
function keepSameLongs(same: Uint32Array, count: number, { data: a }: Longs, { data: b }: Longs, partners: Uint32Array): number {
  const x = new Int32Array(a.buffer, a.byteOffset, 2 * a.length)
  const y = new Int32Array(b.buffer, b.byteOffset, 2 * b.length)
  let found = 0
  for (let n = 0; n < count; n++) {
    const i = same[n]!
    const k = partners[i]!
    if (x[2 * i] === y[2 * k] && x[2 * i + 1] === y[2 * k + 1]) same[found++] = i
  }
  return found
}

function sameCells(a: Column, b: Column): (i: number, k: number) => boolean {
  if (a.kind === 'values' || b.kind === 'values') return (i, k) => isDeepStrictEqual(valueAt(a, i), valueAt(b, k))
  const sameValue = sameNonNull(a, b)
  return (i, k) => {
    const isNull = a.valid !== null && a.valid[i] === 0
    const isOtherNull = b.valid !== null && b.valid[k] === 0
    return isNull || isOtherNull ? isNull === isOtherNull : sameValue(i, k)
  }
}
function valueAt(column: Column, row: number): unknown {
  return column.kind === 'values' ? (column.values[row] ?? null) : undefined
}

function sameNonNull(a: Exclude<Column, { kind: 'values' }>, b: Exclude<Column, { kind: 'values' }>): (i: number, k: number) => boolean {
  if (a.kind === 'fixed' && b.kind === 'fixed') {
    const [x, y] = [a.data, b.data]
    return (i, k) => x[i] === y[k] || (Number.isNaN(x[i]) && Number.isNaN(y[k]))
  }
  if (a.kind !== 'bytes' || b.kind !== 'bytes') return () => false
  return (i, k) => {
    const [from, other] = [a.offsets[i]!, b.offsets[k]!]
    const length = a.offsets[i + 1]! - from
    if (length !== b.offsets[k + 1]! - other) return false
    for (let n = 0; n < length; n++) if (a.heap[from + n] !== b.heap[other + n]) return false
    return true
  }
}
