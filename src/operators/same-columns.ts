import { isDeepStrictEqual } from 'node:util'
import type { Column, ColumnBatch } from '../data/column-batch.ts'

/** Whether row i of one batch and row k of another hold the same in their first columns; nulls are the same, as are NaNs and zeros of either sign. */
export function sameColumns(a: ColumnBatch, b: ColumnBatch, count: number): (i: number, k: number) => boolean {
  const tests = Array.from({ length: count }, (_, c) => sameCells(a.columns[c]!, b.columns[c]!))
  return (i, k) => tests.every((test) => test(i, k))
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
