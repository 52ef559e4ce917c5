/**
 * One column of one key group: rows in slots 0..rows-1 without holes.
 *
 * Fixed types lie in one typed array, seen twice: `data` by type for arithmetic, `raw` by width for copying (8 bytes as two Int32, so that no
 * copy makes a bigint). Strings and binary are (offset, length) into a heap of the group; bytes that a row has let go of are dead until half of
 * the heap is, and then the heap is rewritten. A validity byte a row exists only from the first null on.
 */
import { assert, InvalidQueryError } from '../base/errors.ts'
import { type BytesColumn, type Column, columnKind, type FixedArray, type FixedColumn, fixedArray, type ValuesColumn } from '../data/column-batch.ts'
import type { DataType } from '../data/types.ts'

export type RawArray = Int32Array | Int16Array | Uint8Array

export interface FixedGroupColumn {
  readonly kind: 'fixed'
  readonly type: DataType
  data: FixedArray
  raw: RawArray
  valid: Uint8Array | null
}
export interface BytesGroupColumn {
  readonly kind: 'bytes'
  readonly type: DataType
  offsets: Uint32Array
  lengths: Uint32Array
  heap: Uint8Array
  /** Where the next bytes go. */
  used: number
  /** Bytes below `used` that belong to no row. */
  dead: number
  valid: Uint8Array | null
}
export interface ValuesGroupColumn {
  readonly kind: 'values'
  readonly type: DataType
  values: unknown[]
}
export type GroupColumn = FixedGroupColumn | BytesGroupColumn | ValuesGroupColumn

/** The rows of a batch that fall to one group, in input order: positions from..to of parallel arrays. */
export interface Segment {
  /** Row of the batch. */
  readonly order: Uint32Array
  /** Slot in the group. */
  readonly slots: Uint32Array
  /** What to do with the row: a `skip`, `copy` or `combine`. */
  action: Uint8Array
  from: number
  to: number
}
export const skip = 0
export const copy = 1
export const combine = 2

/** A column of a batch, prepared for many small reads. */
export type SourceColumn = FixedSource | BytesColumn | ValuesColumn
export interface FixedSource extends FixedColumn { readonly raw: RawArray }

export function sourceColumn(column: Column): SourceColumn {
  return column.kind === 'fixed' ? { ...column, raw: rawOf(column.data) } : column
}

/** `data` by width instead of by type, over the same memory. */
export function rawOf(data: FixedArray): RawArray {
  const { buffer, byteOffset, byteLength } = data
  switch (data.BYTES_PER_ELEMENT) {
    case 8: return new Int32Array(buffer, byteOffset, byteLength >> 2)
    case 4: return new Int32Array(buffer, byteOffset, byteLength >> 2)
    case 2: return new Int16Array(buffer, byteOffset, byteLength >> 1)
    default: return new Uint8Array(buffer, byteOffset, byteLength)
  }
}

export function createColumn(type: DataType): GroupColumn {
  switch (columnKind(type)) {
    case 'fixed': {
      const data = fixedArray(type, 0)
      return { kind: 'fixed', type, data, raw: rawOf(data), valid: null }
    }
    case 'bytes': return {
      kind: 'bytes', type, offsets: new Uint32Array(0), lengths: new Uint32Array(0), heap: new Uint8Array(0), used: 0, dead: 0, valid: null,
    }
    case 'values': return { kind: 'values', type, values: [] }
  }
}

/** Makes room for exactly `capacity` rows; what lies in the slots below is kept. */
export function resizeColumn(column: GroupColumn, capacity: number): void {
  if (column.kind === 'values') {
    if (column.values.length > capacity) column.values.length = capacity
    return
  }
  if (column.valid !== null) column.valid = resized(column.valid, capacity)
  if (column.kind === 'fixed') {
    column.data = resized(column.data, capacity)
    column.raw = rawOf(column.data)
  } else {
    column.offsets = resized(column.offsets, capacity)
    column.lengths = resized(column.lengths, capacity)
  }
}

/** The same content in an array of `length` elements, zeroed above. The old array is gone: its memory is free at once, not at the next collection. */
export function resized<T extends FixedArray | Uint32Array>(array: T, length: number): T {
  const buffer = (array.buffer as ArrayBuffer).transfer(length * array.BYTES_PER_ELEMENT)
  return new (array.constructor as new (buffer: ArrayBuffer) => T)(buffer)
}

export function columnBytes(column: GroupColumn): number {
  switch (column.kind) {
    case 'fixed': return column.data.byteLength + (column.valid?.byteLength ?? 0)
    case 'bytes': return column.offsets.byteLength + column.lengths.byteLength + column.heap.byteLength + (column.valid?.byteLength ?? 0)
    case 'values': return column.values.length * valueBytesEstimate
  }
}
/** A guess: what a JavaScript value with a few words in it takes. */
const valueBytesEstimate = 64

/** The validity bytes of a column of `capacity` slots, made on the first null. */
export function validityOf(column: FixedGroupColumn | BytesGroupColumn, capacity: number): Uint8Array {
  column.valid ??= new Uint8Array(capacity).fill(1)
  return column.valid
}

// ---- batch -> group ---------------------------------------------------------------------------------------------------------------

/** Copies the rows whose action is `copy` into their slots. Validity is the caller's. */
export function copyRows(target: GroupColumn, source: SourceColumn, segment: Segment, rows: number): void {
  if (target.kind === 'fixed') copyFixed(target.raw, (source as FixedSource).raw, target.data.BYTES_PER_ELEMENT, segment)
  else if (target.kind === 'bytes') copyBytes(target, source as BytesColumn, segment, rows)
  else copyValues(target.values, (source as ValuesColumn).values, segment)
}

function copyFixed(target: RawArray, source: RawArray, width: number, segment: Segment): void {
  if (width === 8) copyWords8(target as Int32Array, source as Int32Array, segment)
  else if (width === 4) copyWords4(target as Int32Array, source as Int32Array, segment)
  else if (width === 2) copyWords2(target as Int16Array, source as Int16Array, segment)
  else copyWords1(target as Uint8Array, source as Uint8Array, segment)
}

function copyWords8(target: Int32Array, source: Int32Array, { order, slots, action, from, to }: Segment): void {
  for (let k = from; k < to; k++) {
    if (action[k] !== copy) continue
    const t = 2 * slots[k]!
    const s = 2 * order[k]!
    target[t] = source[s]!
    target[t + 1] = source[s + 1]!
  }
}
// One loop a width: a loop that sees several kinds of array is several times slower.
function copyWords4(target: Int32Array, source: Int32Array, { order, slots, action, from, to }: Segment): void {
  for (let k = from; k < to; k++) if (action[k] === copy) target[slots[k]!] = source[order[k]!]!
}
function copyWords2(target: Int16Array, source: Int16Array, { order, slots, action, from, to }: Segment): void {
  for (let k = from; k < to; k++) if (action[k] === copy) target[slots[k]!] = source[order[k]!]!
}
function copyWords1(target: Uint8Array, source: Uint8Array, { order, slots, action, from, to }: Segment): void {
  for (let k = from; k < to; k++) if (action[k] === copy) target[slots[k]!] = source[order[k]!]!
}
function copyValues(target: unknown[], source: readonly unknown[], { order, slots, action, from, to }: Segment): void {
  for (let k = from; k < to; k++) if (action[k] === copy) target[slots[k]!] = source[order[k]!]
}

function copyBytes(target: BytesGroupColumn, source: BytesColumn, segment: Segment, rows: number): void {
  let needed = 0
  for (let k = segment.from; k < segment.to; k++) {
    const r = segment.order[k]!
    if (segment.action[k] === copy) needed += source.offsets[r + 1]! - source.offsets[r]!
  }
  reserveHeap(target, needed, rows)
  putStrings(target, source.heap, source.offsets, segment)
}

function putStrings(target: BytesGroupColumn, sourceHeap: Uint8Array, sourceOffsets: Uint32Array, segment: Segment): void {
  const { offsets, lengths, heap } = target
  const { order, slots, action, from, to } = segment
  let { used, dead } = target
  for (let k = from; k < to; k++) {
    if (action[k] !== copy) continue
    const slot = slots[k]!
    const r = order[k]!
    const start = sourceOffsets[r]!
    const length = sourceOffsets[r + 1]! - start
    const old = lengths[slot]!
    let at = offsets[slot]!
    if (length <= old) dead += old - length
    else {
      dead += old
      at = used
      used += length
      offsets[slot] = at
    }
    lengths[slot] = length
    copyShort(heap, at, sourceHeap, start, length)
  }
  target.used = used
  target.dead = dead
}

/** Copies bytes; most strings are short, and a call of `set` costs more than they do. */
export function copyShort(target: Uint8Array, at: number, source: Uint8Array, start: number, length: number): void {
  if (length > 48) target.set(source.subarray(start, start + length), at)
  else for (let i = 0; i < length; i++) target[at + i] = source[start + i]!
}

/** Makes room for `needed` more bytes: by dropping the dead ones where they are half of it, else by growing. */
export function reserveHeap(column: BytesGroupColumn, needed: number, rows: number): void {
  if (column.used + needed <= column.heap.length) return
  if (column.dead > column.used / 2 || column.used + needed > maxHeapBytes) compactHeap(column, rows, needed)
  else growHeap(column, needed)
}

function growHeap(column: BytesGroupColumn, needed: number): void {
  column.heap = resized(column.heap, heapSize(column.used + needed))
}

function heapSize(bytes: number): number {
  if (bytes > maxHeapBytes) {
    throw new InvalidQueryError('STATE_STORE_KEY_GROUP_TOO_LARGE', {
      what: `one key group of the state would hold ${bytes} bytes of strings in one column; at most ${maxHeapBytes} fit`,
      todo: 'start a new checkpoint with more key groups, or keep shorter strings in the state',
    })
  }
  return Math.min(maxHeapBytes, Math.ceil(bytes * 1.5 / 64) * 64)
}
const maxHeapBytes = 0xffff_ffc0

/** Rewrites the heap without its dead bytes, with room for `extra` more. */
export function compactHeap(column: BytesGroupColumn, rows: number, extra: number): void {
  const live = column.used - column.dead
  const heap = new Uint8Array(heapSize(live + extra))
  const { offsets, lengths, heap: old } = column
  let used = 0
  for (let slot = 0; slot < rows; slot++) {
    const length = lengths[slot]!
    copyShort(heap, used, old, offsets[slot]!, length)
    offsets[slot] = used
    used += length
  }
  assert(used === live, `a heap of the state holds ${used} live bytes, counted were ${live}`)
  column.heap = heap
  column.used = used
  column.dead = 0
}

// ---- within the group: rows move into the slots of removed ones ---------------------------------------------------------------------

/** Row `last[k]` moves into the slot of the removed row `removed[k]`, one after the other. */
export function moveRows(column: GroupColumn, removed: Uint32Array, last: Uint32Array, count: number, rowsAfter: number): void {
  if (column.kind === 'values') {
    for (let k = 0; k < count; k++) column.values[removed[k]!] = column.values[last[k]!]
    column.values.length = Math.min(column.values.length, rowsAfter)
    return
  }
  if (column.valid !== null) moveWords1(column.valid, removed, last, count)
  if (column.kind === 'bytes') moveStrings(column, removed, last, count, rowsAfter)
  else moveFixed(column.raw, column.data.BYTES_PER_ELEMENT, removed, last, count)
}

function moveFixed(raw: RawArray, width: number, removed: Uint32Array, last: Uint32Array, count: number): void {
  if (width === 8) moveWords8(raw as Int32Array, removed, last, count)
  else if (width === 4) moveWords4(raw as Int32Array, removed, last, count)
  else if (width === 2) moveWords2(raw as Int16Array, removed, last, count)
  else moveWords1(raw as Uint8Array, removed, last, count)
}
function moveWords8(raw: Int32Array, removed: Uint32Array, last: Uint32Array, count: number): void {
  for (let k = 0; k < count; k++) {
    const to = 2 * removed[k]!
    const from = 2 * last[k]!
    raw[to] = raw[from]!
    raw[to + 1] = raw[from + 1]!
  }
}
function moveWords4(raw: Int32Array, removed: Uint32Array, last: Uint32Array, count: number): void {
  for (let k = 0; k < count; k++) raw[removed[k]!] = raw[last[k]!]!
}
function moveWords2(raw: Int16Array, removed: Uint32Array, last: Uint32Array, count: number): void {
  for (let k = 0; k < count; k++) raw[removed[k]!] = raw[last[k]!]!
}
function moveWords1(raw: Uint8Array, removed: Uint32Array, last: Uint32Array, count: number): void {
  for (let k = 0; k < count; k++) raw[removed[k]!] = raw[last[k]!]!
}
function moveStrings(column: BytesGroupColumn, removed: Uint32Array, last: Uint32Array, count: number, rowsAfter: number): void {
  const { offsets, lengths } = column
  for (let k = 0; k < count; k++) {
    const to = removed[k]!
    const from = last[k]!
    column.dead += lengths[to]!
    offsets[to] = offsets[from]!
    lengths[to] = lengths[from]!
    lengths[from] = 0
  }
  if (column.dead > 1024 && column.dead > column.used / 2) compactHeap(column, rowsAfter, 0)
}

// ---- group -> batch ---------------------------------------------------------------------------------------------------------------

/** Which rows of a group go where: row `slots[k]` becomes row `places[k]` of the batch; a place of -1 leaves it out. */
export interface Picked {
  readonly columns: readonly GroupColumn[]
  readonly slots: Uint32Array
  readonly places: Int32Array
  readonly from: number
  readonly to: number
}

/** Collects one column from several groups into a batch of `length` rows; every place must be taken once. */
export function gatherColumn(type: DataType, index: number, length: number, parts: readonly Picked[]): Column {
  const kind = columnKind(type)
  if (kind === 'values') {
    const values: unknown[] = new Array(length)
    for (const { columns, slots, places, from, to } of parts) {
      const kept = (columns[index] as ValuesGroupColumn).values
      for (let k = from; k < to; k++) if (places[k]! >= 0) values[places[k]!] = kept[slots[k]!] ?? null
    }
    return { kind, type, values }
  }
  const valid = gatherValidity(index, length, parts)
  if (kind === 'bytes') return { kind, type, valid, ...gatherStrings(index, length, parts) }
  const data = fixedArray(type, length)
  const raw = rawOf(data)
  for (const part of parts) gatherFixed(raw, (part.columns[index] as FixedGroupColumn).raw, data.BYTES_PER_ELEMENT, part)
  return { kind, type, data, valid }
}

function gatherValidity(index: number, length: number, parts: readonly Picked[]): Uint8Array | null {
  let valid: Uint8Array | null = null
  for (const { columns, slots, places, from, to } of parts) {
    const bytes = (columns[index] as FixedGroupColumn | BytesGroupColumn).valid
    if (bytes === null) continue
    for (let k = from; k < to; k++) {
      if (bytes[slots[k]!] !== 0 || places[k]! < 0) continue
      valid ??= new Uint8Array(length).fill(1)
      valid[places[k]!] = 0
    }
  }
  return valid
}

function gatherFixed(target: RawArray, source: RawArray, width: number, part: Picked): void {
  if (width === 8) gatherWords8(target as Int32Array, source as Int32Array, part)
  else if (width === 4) gatherWords4(target as Int32Array, source as Int32Array, part)
  else if (width === 2) gatherWords2(target as Int16Array, source as Int16Array, part)
  else gatherWords1(target as Uint8Array, source as Uint8Array, part)
}
function gatherWords8(target: Int32Array, source: Int32Array, { slots, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) {
    const t = 2 * places[k]!
    if (t < 0) continue
    const s = 2 * slots[k]!
    target[t] = source[s]!
    target[t + 1] = source[s + 1]!
  }
}
function gatherWords4(target: Int32Array, source: Int32Array, { slots, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) if (places[k]! >= 0) target[places[k]!] = source[slots[k]!]!
}
function gatherWords2(target: Int16Array, source: Int16Array, { slots, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) if (places[k]! >= 0) target[places[k]!] = source[slots[k]!]!
}
function gatherWords1(target: Uint8Array, source: Uint8Array, { slots, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) if (places[k]! >= 0) target[places[k]!] = source[slots[k]!]!
}

function gatherStrings(index: number, length: number, parts: readonly Picked[]): { offsets: Uint32Array; heap: Uint8Array } {
  const offsets = new Uint32Array(length + 1)
  for (const part of parts) gatherLengths(offsets, (part.columns[index] as BytesGroupColumn).lengths, part)
  let end = 0
  for (let i = 0; i <= length; i++) end = offsets[i] = end + offsets[i]!
  const heap = new Uint8Array(end)
  for (const part of parts) gatherBytes(heap, offsets, part.columns[index] as BytesGroupColumn, part)
  return { offsets, heap }
}
function gatherLengths(offsets: Uint32Array, lengths: Uint32Array, { slots, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) if (places[k]! >= 0) offsets[places[k]! + 1] = lengths[slots[k]!]!
}
function gatherBytes(target: Uint8Array, starts: Uint32Array, { offsets, lengths, heap }: BytesGroupColumn, { slots, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) {
    const place = places[k]!
    if (place >= 0) copyShort(target, starts[place]!, heap, offsets[slots[k]!]!, lengths[slots[k]!]!)
  }
}
