/**
 * How accumulators of one key become one: a loop for each operation and physical type. A kernel handles the rows of a segment whose action is
 * `combine` (the slot holds a value, and so does the row), in input order; it returns the position of the first row whose sum doesn't fit, or -1.
 * Rows whose action is `copy` are put by the kernel too, for the same key may come twice in a segment.
 *
 * Longs go as two halves, so that no sum makes a bigint: the low halves are added unsigned, the carry goes to the high ones, and the sum fits
 * 64 bits exactly when its high half fits 32.
 */
import { InternalError } from '../base/errors.ts'
import { type BytesColumn, columnKind, type FixedColumn, type ValuesColumn } from '../data/column-batch.ts'
import type { MergeOp } from '../data/state-schema.ts'
import { type DataType, typeText } from '../data/types.ts'
import { compareValues } from './compare-values.ts'
import {
  type BytesGroupColumn, combine, copy, copyRows, copyShort, type FixedGroupColumn, type FixedSource, type GroupColumn, rawOf, reserveHeap,
  type Segment, skip, type SourceColumn, type ValuesGroupColumn,
} from './group-column.ts'

/** Folds a segment's rows into a column. `rows`: how many the group holds. -1, or the position of the row whose sum overflows. */
export type Kernel = (target: GroupColumn, source: SourceColumn, segment: Segment, rows: number) => number

/** The kernel of an operation on a type; InternalError where there is none, for the planner must not ask for it. */
export function kernelOf(op: MergeOp, type: DataType): Kernel {
  const kernel = findKernel(op, type)
  if (kernel) return kernel
  throw new InternalError('INTERNAL_ERROR', {
    what: `state can't merge a column of type ${typeText(type)} by "${op}"`, todo: 'report this with the query',
  })
}

function findKernel(op: MergeOp, type: DataType): Kernel | undefined {
  if (op === 'first' || op === 'last' || op === 'replace') return keepActions
  const kind = columnKind(type)
  if (kind === 'bytes') return op === 'min' ? minBytes : op === 'max' ? maxBytes : undefined
  if (kind === 'values') {
    if (op === 'min') return minValues
    if (op === 'max') return maxValues
    return op === 'sum' && typeof type !== 'string' && type.kind === 'decimal' ? sumBigints : undefined
  }
  return fixedKernel(op, type)
}

function fixedKernel(op: 'sum' | 'min' | 'max', type: DataType): Kernel | undefined {
  if (typeof type !== 'string') return { sum: sumDecimals, min: minLongs, max: maxLongs }[op]
  switch (type) {
    case 'double': return { sum: sumDoubles, min: minDoubles, max: maxDoubles }[op]
    case 'long': return { sum: sumLongs, min: minLongs, max: maxLongs }[op]
    case 'timestamp': case 'timestamp_ntz': return op === 'sum' ? undefined : { min: minLongs, max: maxLongs }[op]
    case 'int': return { sum: sumInts, min: minInts, max: maxInts }[op]
    case 'date': return op === 'sum' ? undefined : { min: minInts, max: maxInts }[op]
    case 'boolean': return op === 'sum' ? undefined : { min: minSmall, max: maxSmall }[op]
    case 'float': return { sum: sumFloats, min: minFloats, max: maxFloats }[op]
    default: return { sum: sumSmall, min: minSmall, max: maxSmall }[op]
  }
}

/** For first, last and replace the actions say all. */
function keepActions(target: GroupColumn, source: SourceColumn, segment: Segment, rows: number): number {
  copyRows(target, source, segment, rows)
  return -1
}

// ---- long, timestamp, decimal up to 18 digits: two halves, little-endian -------------------------------------------------------------

function halves(target: GroupColumn): Int32Array {
  return (target as FixedGroupColumn).raw as Int32Array
}
function sourceHalves(source: SourceColumn): Int32Array {
  return (source as FixedSource).raw as Int32Array
}

function sumLongs(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  return sumWords(halves(target), sourceHalves(source), segment)
}
function sumWords(to: Int32Array, from: Int32Array, { order, slots, action, from: first, to: end }: Segment): number {
  for (let k = first; k < end; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = 2 * slots[k]!
    const s = 2 * order[k]!
    if (what === copy) {
      to[t] = from[s]!
      to[t + 1] = from[s + 1]!
      continue
    }
    const low = (to[t]! >>> 0) + (from[s]! >>> 0)
    const high = to[t + 1]! + from[s + 1]! + (low > 0xffff_ffff ? 1 : 0)
    if (high !== (high | 0)) return k
    to[t] = low | 0
    to[t + 1] = high
  }
  return -1
}

/** Sums of decimals must keep within their digits. */
function sumDecimals(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  const overflow = sumWords(halves(target), sourceHalves(source), segment)
  if (overflow >= 0) return overflow
  const type = target.type as { precision: number }
  return beyondDigits((target as FixedGroupColumn).data as BigInt64Array, 10n ** BigInt(type.precision), segment)
}
/** Intermediate sums don't matter: the last one of each key is looked at. */
function beyondDigits(data: BigInt64Array, bound: bigint, { slots, action, from, to }: Segment): number {
  const words = rawOf(data) as Int32Array
  const nearBound = Number(bound >> 32n)
  for (let k = from; k < to; k++) {
    if (action[k] !== combine) continue
    const high = words[2 * slots[k]! + 1]!
    if (high < nearBound && high > -nearBound) continue
    const sum = data[slots[k]!]!
    if (sum >= bound || sum <= -bound) return k
  }
  return -1
}

function minLongs(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  return pickWords(halves(target), sourceHalves(source), segment, true)
}
function maxLongs(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  return pickWords(halves(target), sourceHalves(source), segment, false)
}
function pickWords(to: Int32Array, from: Int32Array, { order, slots, action, from: first, to: end }: Segment, smaller: boolean): number {
  for (let k = first; k < end; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = 2 * slots[k]!
    const s = 2 * order[k]!
    if (what === combine) {
      const mine = to[t + 1]!
      const other = from[s + 1]!
      const less = other < mine || (other === mine && (from[s]! >>> 0) < (to[t]! >>> 0))
      if (less !== smaller) continue
    }
    to[t] = from[s]!
    to[t + 1] = from[s + 1]!
  }
  return -1
}

// ---- double and float: NaN is above all numbers, -0 equals 0 ---------------------------------------------------------------------------

function sumDoubles(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const sums = (target as FixedGroupColumn).data as Float64Array
  const values = (source as FixedColumn).data as Float64Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === copy) sums[slots[k]!] = values[order[k]!]!
    else if (what === combine) sums[slots[k]!]! += values[order[k]!]!
  }
  return -1
}
function minDoubles(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const kept = (target as FixedGroupColumn).data as Float64Array
  const values = (source as FixedColumn).data as Float64Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const value = values[order[k]!]!
    const mine = kept[slots[k]!]!
    if (what === copy || value < mine || Number.isNaN(mine)) kept[slots[k]!] = value
  }
  return -1
}
function maxDoubles(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const kept = (target as FixedGroupColumn).data as Float64Array
  const values = (source as FixedColumn).data as Float64Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const value = values[order[k]!]!
    if (what === copy || value > kept[slots[k]!]! || Number.isNaN(value)) kept[slots[k]!] = value
  }
  return -1
}
function sumFloats(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const sums = (target as FixedGroupColumn).data as Float32Array
  const values = (source as FixedColumn).data as Float32Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === copy) sums[slots[k]!] = values[order[k]!]!
    else if (what === combine) sums[slots[k]!]! += values[order[k]!]!
  }
  return -1
}
function minFloats(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const kept = (target as FixedGroupColumn).data as Float32Array
  const values = (source as FixedColumn).data as Float32Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const value = values[order[k]!]!
    const mine = kept[slots[k]!]!
    if (what === copy || value < mine || Number.isNaN(mine)) kept[slots[k]!] = value
  }
  return -1
}
function maxFloats(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const kept = (target as FixedGroupColumn).data as Float32Array
  const values = (source as FixedColumn).data as Float32Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const value = values[order[k]!]!
    if (what === copy || value > kept[slots[k]!]! || Number.isNaN(value)) kept[slots[k]!] = value
  }
  return -1
}

// ---- int and date -----------------------------------------------------------------------------------------------------------------------

function sumInts(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const sums = (target as FixedGroupColumn).data as Int32Array
  const values = (source as FixedColumn).data as Int32Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const sum = values[order[k]!]! + (what === combine ? sums[slots[k]!]! : 0)
    if (sum !== (sum | 0)) return k
    sums[slots[k]!] = sum
  }
  return -1
}
function minInts(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const kept = (target as FixedGroupColumn).data as Int32Array
  const values = (source as FixedColumn).data as Int32Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const value = values[order[k]!]!
    if (what === copy || value < kept[slots[k]!]!) kept[slots[k]!] = value
  }
  return -1
}
function maxInts(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const kept = (target as FixedGroupColumn).data as Int32Array
  const values = (source as FixedColumn).data as Int32Array
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const value = values[order[k]!]!
    if (what === copy || value > kept[slots[k]!]!) kept[slots[k]!] = value
  }
  return -1
}

// ---- boolean, byte, short: seldom seen, so they share their loops -----------------------------------------------------------------------

type Small = Uint8Array | Int8Array | Int16Array

function sumSmall(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const sums = (target as FixedGroupColumn).data as Small
  const values = (source as FixedColumn).data as Small
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const sum = values[order[k]!]! + (what === combine ? sums[slots[k]!]! : 0)
    sums[slots[k]!] = sum
    if (sums[slots[k]!] !== sum) return k
  }
  return -1
}
function minSmall(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  return pickSmall((target as FixedGroupColumn).data as Small, (source as FixedColumn).data as Small, segment, true)
}
function maxSmall(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  return pickSmall((target as FixedGroupColumn).data as Small, (source as FixedColumn).data as Small, segment, false)
}
function pickSmall(kept: Small, values: Small, { order, slots, action, from, to }: Segment, smaller: boolean): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const value = values[order[k]!]!
    if (what === combine && value < kept[slots[k]!]! !== smaller) continue
    kept[slots[k]!] = value
  }
  return -1
}

// ---- string, binary: by bytes -----------------------------------------------------------------------------------------------------------

function minBytes(target: GroupColumn, source: SourceColumn, segment: Segment, rows: number): number {
  return pickBytes(target as BytesGroupColumn, source as BytesColumn, segment, rows, true)
}
function maxBytes(target: GroupColumn, source: SourceColumn, segment: Segment, rows: number): number {
  return pickBytes(target as BytesGroupColumn, source as BytesColumn, segment, rows, false)
}
function pickBytes(target: BytesGroupColumn, source: BytesColumn, segment: Segment, rows: number, smaller: boolean): number {
  const { order, slots, action, from, to } = segment
  let needed = 0
  for (let k = from; k < to; k++) if (action[k] !== skip) needed += source.offsets[order[k]! + 1]! - source.offsets[order[k]!]!
  reserveHeap(target, needed, rows)
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const slot = slots[k]!
    const start = source.offsets[order[k]!]!
    const length = source.offsets[order[k]! + 1]! - start
    if (action[k] === combine) {
      const order = compareBytes(source.heap, start, length, target.heap, target.offsets[slot]!, target.lengths[slot]!)
      if (order === 0 || order < 0 !== smaller) continue
    }
    putBytes(target, slot, source.heap, start, length)
  }
  return -1
}
/** The caller has made room in the heap. */
function putBytes(target: BytesGroupColumn, slot: number, heap: Uint8Array, start: number, length: number): void {
  const old = target.lengths[slot]!
  target.dead += length <= old ? old - length : old
  if (length > old) {
    target.offsets[slot] = target.used
    target.used += length
  }
  target.lengths[slot] = length
  copyShort(target.heap, target.offsets[slot]!, heap, start, length)
}
function compareBytes(a: Uint8Array, aStart: number, aLength: number, b: Uint8Array, bStart: number, bLength: number): number {
  const common = Math.min(aLength, bLength)
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!
    if (difference !== 0) return difference
  }
  return aLength - bLength
}

// ---- values in JavaScript: long decimals, nested types ------------------------------------------------------------------------------------

function sumBigints(target: GroupColumn, source: SourceColumn, { order, slots, action, from, to }: Segment): number {
  const sums = (target as ValuesGroupColumn).values as bigint[]
  const values = (source as ValuesColumn).values as bigint[]
  const bound = 10n ** BigInt((target.type as { precision: number }).precision)
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const sum = action[k] === copy ? values[order[k]!]! : sums[slots[k]!]! + values[order[k]!]!
    if (sum >= bound || sum <= -bound) return k
    sums[slots[k]!] = sum
  }
  return -1
}
function minValues(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  return pickValues(target as ValuesGroupColumn, source as ValuesColumn, segment, true)
}
function maxValues(target: GroupColumn, source: SourceColumn, segment: Segment): number {
  return pickValues(target as ValuesGroupColumn, source as ValuesColumn, segment, false)
}
function pickValues({ type, values: kept }: ValuesGroupColumn, { values }: ValuesColumn, { order, slots, action, from, to }: Segment, smaller: boolean): number {
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const value = values[order[k]!]
    if (action[k] === combine) {
      const sign = compareValues(type, value, kept[slots[k]!])
      if (sign === 0 || sign < 0 !== smaller) continue
    }
    kept[slots[k]!] = value
  }
  return -1
}
