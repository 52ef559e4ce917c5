/**
 * How accumulators of one key become one: a loop for each operation and storage. A kernel works through the rows of a segment in input order, by
 * each row's action: `copy` puts the new value into the record, `combine` folds it into the one that is there, `skip` leaves it. It returns the
 * position of the first row whose sum doesn't fit the type, or -1.
 *
 * Longs go as two halves, so that no sum makes a bigint: the low halves are added unsigned, the carry goes to the high ones, and the sum fits
 * 64 bits exactly when its high half fits 32.
 */
import { InternalError } from '../base/errors.ts'
import type { MergeOp } from '../data/state-schema.ts'
import { type DataType, typeText } from '../data/types.ts'
import { compareValues } from './compare-values.ts'
import { copyBytes } from './copy-bytes.ts'
import { mergeSketches } from './distinct-sketch.ts'
import { type KeyGroup, keepValue } from './key-group.ts'
import { type CollectionOp, foldOf } from './merge-collections.ts'
import type { ColumnLayout, SourceColumn, Storage } from './record-layout.ts'
import { reserveHeap } from './string-heap.ts'

/** The rows of a batch that fall to one group, in input order: positions from..to-1 of parallel arrays. */
export interface Segment {
  /** Row of the batch. */
  readonly order: Uint32Array
  /** First word of the row's record. */
  readonly at: Uint32Array
  /** `skip`, `copy` or `combine`. */
  action: Uint8Array
  from: number
  to: number
}
export const skip = 0
export const copy = 1
export const combine = 2

/** Works a segment's rows of one column into a group's records. */
export type Kernel = (group: KeyGroup, column: ColumnLayout, source: SourceColumn, segment: Segment) => number

/** The kernel of an operation on a type; InternalError where there is none, for the planner must not ask for it. */
export function kernelOf(op: MergeOp, column: ColumnLayout): Kernel {
  const kernel = kernelFor(op, column)
  if (kernel) return kernel
  throw new InternalError('INTERNAL_ERROR', {
    what: `state can't merge a column of type ${typeText(column.type)} by "${op}"`,
    todo: 'report this with the query',
  })
}

function kernelFor(op: MergeOp, column: ColumnLayout): Kernel | undefined {
  switch (op) {
    case 'first':
    case 'last':
    case 'replace':
      return copyKernels[column.storage]
    case 'moments':
      return undefined
    case 'sum':
    case 'min':
    case 'max':
      return arithmetic(op, column)
    case 'bit_and':
    case 'bit_or':
    case 'bit_xor':
      return column.storage === 'pair' && column.type === 'long' ? bitsOf(op, 2) : column.storage === 'word' ? bitsOf(op, 1) : undefined
    case 'product':
      return column.type === 'double' ? multiplyDoubles : undefined
    case 'hll':
      return column.storage === 'bytes' ? mergeSketchColumn : undefined
    default:
      return column.storage === 'values' ? foldValues(op, column.type) : undefined
  }
}

function arithmetic(op: 'sum' | 'min' | 'max', { storage, type }: ColumnLayout): Kernel | undefined {
  switch (storage) {
    case 'pair':
      if (type === 'double') return { sum: sumDoubles, min: minDoubles, max: maxDoubles }[op]
      if (op === 'sum') return type === 'long' ? sumLongs : typeof type === 'object' ? sumDecimals : undefined
      return op === 'min' ? minLongs : maxLongs
    case 'word':
      if (op === 'sum') return type === 'int' || type === 'short' || type === 'byte' ? sumIntegers : undefined
      return op === 'min' ? minWords : maxWords
    case 'float':
      return { sum: sumFloats, min: minFloats, max: maxFloats }[op]
    case 'bytes':
      return op === 'sum' ? undefined : op === 'min' ? minBytes : maxBytes
    case 'values':
      if (op === 'sum') return isDecimal(type) ? sumBigints : undefined
      return op === 'min' ? minValues : maxValues
  }
}
function isDecimal(type: DataType): boolean {
  return typeof type === 'object' && type.kind === 'decimal'
}

// ---- copying: keys, first, last, replace ----------------------------------------------------------------------------------------------------

function copyPairs(
  { words }: KeyGroup,
  { offset }: ColumnLayout,
  { words: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const t = at[k]! + offset
    const s = 2 * order[k]!
    words[t] = source[s]!
    words[t + 1] = source[s + 1]!
  }
  return -1
}
function copyWords(
  { words }: KeyGroup,
  { offset }: ColumnLayout,
  { words: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) if (action[k] !== skip) words[at[k]! + offset] = source[order[k]!]!
  return -1
}
function copyStrings(group: KeyGroup, { offset }: ColumnLayout, source: SourceColumn, segment: Segment): number {
  reserveStrings(group, source, segment)
  const { order, at, action, from, to } = segment
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const start = source.offsets[order[k]!]!
    putString(group, at[k]! + offset, source.heap, start, source.offsets[order[k]! + 1]! - start)
  }
  return -1
}
function copyValues(group: KeyGroup, { offset }: ColumnLayout, { values }: SourceColumn, { order, at, action, from, to }: Segment): number {
  const kept = group.values[offset]!
  const { stride } = group.layout
  for (let k = from; k < to; k++) if (action[k] !== skip) keepValue(group, kept, at[k]! / stride, values[order[k]!] ?? null)
  return -1
}
export const copyKernels: Readonly<Record<Storage, Kernel>> = {
  pair: copyPairs,
  word: copyWords,
  float: copyWords,
  bytes: copyStrings,
  values: copyValues,
}

function reserveStrings({ heap, words, rows, layout }: KeyGroup, { offsets }: SourceColumn, { order, action, from, to }: Segment): void {
  let needed = 0
  for (let k = from; k < to; k++) if (action[k] !== skip) needed += offsets[order[k]! + 1]! - offsets[order[k]!]!
  reserveHeap(heap, needed, words, rows, layout.stride, layout.strings)
}
/** Gives the string at word `t` new bytes: in place if they fit, else at the heap's end, where the caller has made room. */
function putString({ words, heap }: KeyGroup, t: number, source: Uint8Array, start: number, length: number): void {
  const old = words[t + 1]! >>> 0
  if (length <= old) heap.dead += old - length
  else {
    heap.dead += old
    words[t] = heap.used
    heap.used += length
  }
  words[t + 1] = length
  copyBytes(heap.bytes, words[t]! >>> 0, source, start, length)
}

// ---- long, timestamp, decimal up to 18 digits -----------------------------------------------------------------------------------------------

function sumLongs(
  { words }: KeyGroup,
  { offset }: ColumnLayout,
  { words: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    const s = 2 * order[k]!
    if (what === copy) {
      words[t] = source[s]!
      words[t + 1] = source[s + 1]!
      continue
    }
    const low = (words[t]! >>> 0) + (source[s]! >>> 0)
    const high = words[t + 1]! + source[s + 1]! + (low > 0xffff_ffff ? 1 : 0)
    if (high !== (high | 0)) return k
    words[t] = low | 0
    words[t + 1] = high
  }
  return -1
}

/** Sums of decimals must keep within their digits, too; what a sum was on the way to its end doesn't matter. */
function sumDecimals(group: KeyGroup, column: ColumnLayout, source: SourceColumn, segment: Segment): number {
  const overflow = sumLongs(group, column, source, segment)
  if (overflow >= 0) return overflow
  const bound = 10n ** BigInt((column.type as { precision: number }).precision)
  const nearBound = Number(bound >> 32n)
  const { at, action, from, to } = segment
  const { words } = group
  for (let k = from; k < to; k++) {
    const t = at[k]! + column.offset
    const high = words[t + 1]!
    if (action[k] !== combine || (high < nearBound && high > -nearBound)) continue
    const sum = (BigInt(high) << 32n) + BigInt(words[t]! >>> 0)
    if (sum >= bound || sum <= -bound) return k
  }
  return -1
}

function minLongs({ words }: KeyGroup, { offset }: ColumnLayout, { words: source }: SourceColumn, segment: Segment): number {
  return pickLongs(words, offset, source, segment, true)
}
function maxLongs({ words }: KeyGroup, { offset }: ColumnLayout, { words: source }: SourceColumn, segment: Segment): number {
  return pickLongs(words, offset, source, segment, false)
}
function pickLongs(
  words: Int32Array,
  offset: number,
  source: Int32Array,
  { order, at, action, from, to }: Segment,
  smaller: boolean,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    const s = 2 * order[k]!
    if (what === combine) {
      const kept = words[t + 1]!
      const other = source[s + 1]!
      const isLess = other < kept || (other === kept && source[s]! >>> 0 < words[t]! >>> 0)
      if (isLess !== smaller) continue
    }
    words[t] = source[s]!
    words[t + 1] = source[s + 1]!
  }
  return -1
}

// ---- double and float: NaN is above all numbers, -0 equals 0 ----------------------------------------------------------------------------------

function sumDoubles(
  { doubles }: KeyGroup,
  { offset }: ColumnLayout,
  { doubles: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = (at[k]! + offset) >>> 1
    doubles[t] = what === copy ? source[order[k]!]! : doubles[t]! + source[order[k]!]!
  }
  return -1
}
function multiplyDoubles(
  { doubles }: KeyGroup,
  { offset }: ColumnLayout,
  { doubles: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = (at[k]! + offset) >>> 1
    doubles[t] = what === copy ? source[order[k]!]! : doubles[t]! * source[order[k]!]!
  }
  return -1
}
function minDoubles(
  { doubles }: KeyGroup,
  { offset }: ColumnLayout,
  { doubles: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = (at[k]! + offset) >>> 1
    const value = source[order[k]!]!
    if (what === copy || value < doubles[t]! || Number.isNaN(doubles[t]!)) doubles[t] = value
  }
  return -1
}
function maxDoubles(
  { doubles }: KeyGroup,
  { offset }: ColumnLayout,
  { doubles: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = (at[k]! + offset) >>> 1
    const value = source[order[k]!]!
    if (what === copy || value > doubles[t]! || Number.isNaN(value)) doubles[t] = value
  }
  return -1
}
function sumFloats(
  { floats }: KeyGroup,
  { offset }: ColumnLayout,
  { floats: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    floats[t] = what === copy ? source[order[k]!]! : floats[t]! + source[order[k]!]!
  }
  return -1
}
function minFloats(
  { floats }: KeyGroup,
  { offset }: ColumnLayout,
  { floats: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    const value = source[order[k]!]!
    if (what === copy || value < floats[t]! || Number.isNaN(floats[t]!)) floats[t] = value
  }
  return -1
}
function maxFloats(
  { floats }: KeyGroup,
  { offset }: ColumnLayout,
  { floats: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    const value = source[order[k]!]!
    if (what === copy || value > floats[t]! || Number.isNaN(value)) floats[t] = value
  }
  return -1
}

/** Columns of doubles n, mean, m2 that merge as one. Actions are those of n: null and 0 are neutral. */
export function mergeMoments(
  { doubles }: KeyGroup,
  columns: readonly ColumnLayout[],
  sources: readonly SourceColumn[],
  { order, at, action, from, to }: Segment,
): void {
  const [nOffset, meanOffset, m2Offset] = columns.map(({ offset }) => offset) as [number, number, number]
  const [ns, means, m2s] = sources.map((source) => source.doubles) as [Float64Array, Float64Array, Float64Array]
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const r = order[k]!
    const n = (at[k]! + nOffset) >>> 1
    const mean = (at[k]! + meanOffset) >>> 1
    const m2 = (at[k]! + m2Offset) >>> 1
    const nB = ns[r]!
    const nA = doubles[n]!
    if (action[k] === copy || nA === 0) {
      doubles[n] = nB
      doubles[mean] = means[r]!
      doubles[m2] = m2s[r]!
    } else if (nB !== 0) {
      const total = nA + nB
      const d = means[r]! - doubles[mean]!
      doubles[n] = total
      doubles[mean]! += (d * nB) / total
      doubles[m2]! += m2s[r]! + (d * d * nA * nB) / total
    }
  }
}

// ---- int, date, short, byte, boolean --------------------------------------------------------------------------------------------------------

function sumIntegers(
  { words }: KeyGroup,
  { offset, type }: ColumnLayout,
  { words: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  const max = type === 'int' ? 0x7fff_ffff : type === 'short' ? 0x7fff : 0x7f
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    const sum = source[order[k]!]! + (what === combine ? words[t]! : 0)
    if (sum > max || sum < -max - 1) return k
    words[t] = sum
  }
  return -1
}
/** Whole numbers of `width` words, bit by bit. */
function bitsOf(op: 'bit_and' | 'bit_or' | 'bit_xor', width: 1 | 2): Kernel {
  return ({ words }, { offset }, { words: source }, { order, at, action, from, to }) => {
    for (let k = from; k < to; k++) {
      const what = action[k]!
      if (what === skip) continue
      const t = at[k]! + offset
      const s = width * order[k]!
      for (let w = 0; w < width; w++) {
        const value = source[s + w]!
        if (what === copy) words[t + w] = value
        else if (op === 'bit_and') words[t + w]! &= value
        else if (op === 'bit_or') words[t + w]! |= value
        else words[t + w]! ^= value
      }
    }
    return -1
  }
}
function minWords(
  { words }: KeyGroup,
  { offset }: ColumnLayout,
  { words: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    if (what === copy || source[order[k]!]! < words[t]!) words[t] = source[order[k]!]!
  }
  return -1
}
function maxWords(
  { words }: KeyGroup,
  { offset }: ColumnLayout,
  { words: source }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  for (let k = from; k < to; k++) {
    const what = action[k]!
    if (what === skip) continue
    const t = at[k]! + offset
    if (what === copy || source[order[k]!]! > words[t]!) words[t] = source[order[k]!]!
  }
  return -1
}

// ---- string, binary: by bytes ---------------------------------------------------------------------------------------------------------------

function minBytes(group: KeyGroup, column: ColumnLayout, source: SourceColumn, segment: Segment): number {
  return pickStrings(group, column.offset, source, segment, true)
}
function maxBytes(group: KeyGroup, column: ColumnLayout, source: SourceColumn, segment: Segment): number {
  return pickStrings(group, column.offset, source, segment, false)
}
function pickStrings(group: KeyGroup, offset: number, source: SourceColumn, segment: Segment, smaller: boolean): number {
  reserveStrings(group, source, segment)
  const { words, heap } = group
  const { order, at, action, from, to } = segment
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const t = at[k]! + offset
    const start = source.offsets[order[k]!]!
    const length = source.offsets[order[k]! + 1]! - start
    if (action[k] === combine) {
      const sign = compareBytes(source.heap, start, length, heap.bytes, words[t]! >>> 0, words[t + 1]! >>> 0)
      if (sign === 0 || sign < 0 !== smaller) continue
    }
    putString(group, t, source.heap, start, length)
  }
  return -1
}
/** Sketches are made whole also where they are the key's first: a batch gives them unsorted. */
function mergeSketchColumn(group: KeyGroup, { offset }: ColumnLayout, source: SourceColumn, segment: Segment): number {
  const { words, heap, layout } = group
  const { order, at, action, from, to } = segment
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const t = at[k]! + offset
    const kept = action[k] === copy ? null : heap.bytes.subarray(words[t]! >>> 0, (words[t]! >>> 0) + (words[t + 1]! >>> 0))
    const merged = mergeSketches(kept, source.heap.subarray(source.offsets[order[k]!]!, source.offsets[order[k]! + 1]!))
    reserveHeap(heap, merged.length, words, group.rows, layout.stride, layout.strings)
    putString(group, t, merged, 0, merged.length)
  }
  return -1
}
function compareBytes(a: Uint8Array, aStart: number, aLength: number, b: Uint8Array, bStart: number, bLength: number): number {
  const common = Math.min(aLength, bLength)
  for (let i = 0; i < common; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!
    if (difference !== 0) return difference
  }
  return aLength - bLength
}

// ---- JavaScript values: decimals over 18 digits, nested types -------------------------------------------------------------------------------

function sumBigints(
  group: KeyGroup,
  { offset, type }: ColumnLayout,
  { values }: SourceColumn,
  { order, at, action, from, to }: Segment,
): number {
  const sums = group.values[offset] as (bigint | null)[]
  const { stride } = group.layout
  const bound = 10n ** BigInt((type as { precision: number }).precision)
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const slot = at[k]! / stride
    const value = (values[order[k]!] ?? null) as bigint | null
    const sum = action[k] === copy ? value : sums[slot]! + value!
    if (sum !== null && (sum >= bound || sum <= -bound)) return k
    sums[slot] = sum
  }
  return -1
}
function minValues(group: KeyGroup, column: ColumnLayout, { values }: SourceColumn, segment: Segment): number {
  return pickValues(group, column, values, segment, true)
}
function maxValues(group: KeyGroup, column: ColumnLayout, { values }: SourceColumn, segment: Segment): number {
  return pickValues(group, column, values, segment, false)
}
function pickValues(
  group: KeyGroup,
  { offset, type }: ColumnLayout,
  values: readonly unknown[],
  { order, at, action, from, to }: Segment,
  smaller: boolean,
): number {
  const kept = group.values[offset]!
  const { stride } = group.layout
  for (let k = from; k < to; k++) {
    if (action[k] === skip) continue
    const slot = at[k]! / stride
    const value = values[order[k]!] ?? null
    if (action[k] === combine) {
      const sign = compareValues(type, value, kept[slot])
      if (sign === 0 || sign < 0 !== smaller) continue
    }
    keepValue(group, kept, slot, value)
  }
  return -1
}

/** Lists, sets, summaries: see merge-collections.ts. */
function foldValues(op: CollectionOp, type: DataType): Kernel {
  const { start, merge } = foldOf(op, type)
  return (group, { offset }, { values }, { order, at, action, from, to }) => {
    const kept = group.values[offset]!
    const { stride } = group.layout
    for (let k = from; k < to; k++) {
      if (action[k] === skip) continue
      const slot = at[k]! / stride
      const value = values[order[k]!] ?? null
      const folded = value === null ? null : action[k] === copy ? start(value as never) : merge(kept[slot] as never, value as never)
      keepValue(group, kept, slot, folded)
    }
    return -1
  }
}
