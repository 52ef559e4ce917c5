/**
 * Records of a key group <-> pages of a Parquet file (PLAIN values, a definition level a row where the column is nullable). A page holds one group's
 * rows of one column, in the order of their slots.
 */
import type { ByteWriter } from './byte-writer.ts'
import { copyBytes } from './copy-bytes.ts'
import { type GroupRows, type KeyGroup, keepValue } from './key-group.ts'
import type { ColumnLayout } from './record-layout.ts'
import { reserveHeap } from './string-heap.ts'
import { putVarint } from './thrift.ts'
import { valueFromJson, valuesToJson } from './value-json.ts'

/** Key ids as 16 bytes each, most significant first. Like all pages it lies in `scratch` and is gone with the next. */
export function encodeIdPage(scratch: ByteWriter, { words, rows, layout: { stride } }: GroupRows): Uint8Array {
  scratch.clear()
  const ids = scratch.reserveWords(rows * 4)
  takeIds(ids, words, stride)
  return Buffer.from(ids.buffer, ids.byteOffset, ids.byteLength).swap32()
}
function takeIds(ids: Int32Array, words: Int32Array, stride: number): void {
  for (let to = 0, at = 0; to < ids.length; at += stride) {
    ids[to++] = words[at]!
    ids[to++] = words[at + 1]!
    ids[to++] = words[at + 2]!
    ids[to++] = words[at + 3]!
  }
}
export function decodeIdPage({ words, layout: { stride } }: KeyGroup, page: Uint8Array, rows: number): void {
  const bytes = Buffer.from(page).swap32()
  const ids = new Int32Array(new Uint8Array(bytes).buffer)
  for (let slot = 0, from = 0, at = 0; slot < rows; slot++, at += stride) {
    words[at] = ids[from++]!
    words[at + 1] = ids[from++]!
    words[at + 2] = ids[from++]!
    words[at + 3] = ids[from++]!
  }
}

export function encodeNumberPage(scratch: ByteWriter, value: number, rows: number): Uint8Array {
  scratch.clear()
  return asBytes(scratch.reserveWords(rows).fill(value))
}

/** A column's page in its parts: levels (if nullable) and values. */
export function encodeColumnPage(scratch: ByteWriter, group: GroupRows, column: ColumnLayout, nullable: boolean): Uint8Array[] {
  scratch.clear()
  const present = presentSlots(group, column)
  const values = encodeValues(scratch, group, column, present)
  if (!nullable) return [values]
  const levels = present === null ? allPresent(group.rows) : levelBits(present, group.rows)
  const size = new Uint8Array(4)
  putLength(size, 0, levels.length)
  return [size, levels, values]
}

/** The slots whose value isn't null, or null where all have one. */
function presentSlots(
  { words, values, rows, layout: { stride } }: GroupRows,
  { storage, offset, nullWord, nullBit }: ColumnLayout,
): Uint32Array | null {
  if (storage !== 'values' && nullBit === 0) return null
  let first = 0
  if (storage === 'values') while (first < rows && values[offset]![first] != null) first++
  else while (first < rows && (words[first * stride + nullWord]! & nullBit) === 0) first++
  if (first === rows) return null
  const slots = new Uint32Array(rows)
  let count = 0
  for (; count < first; count++) slots[count] = count
  if (storage === 'values') {
    for (let slot = first; slot < rows; slot++) if (values[offset]![slot] != null) slots[count++] = slot
  } else for (let slot = first; slot < rows; slot++) if ((words[slot * stride + nullWord]! & nullBit) === 0) slots[count++] = slot
  return slots.subarray(0, count)
}

function allPresent(rows: number): Uint8Array {
  const out: number[] = []
  putVarint(out, rows * 2)
  out.push(1)
  return Uint8Array.from(out)
}
function levelBits(present: Uint32Array, rows: number): Uint8Array {
  const groupsOf8 = Math.ceil(rows / 8)
  const head: number[] = []
  putVarint(head, groupsOf8 * 2 + 1)
  const out = new Uint8Array(head.length + groupsOf8)
  out.set(head)
  for (let i = 0; i < present.length; i++) out[head.length + (present[i]! >> 3)]! |= 1 << (present[i]! & 7)
  return out
}

function encodeValues(
  scratch: ByteWriter,
  group: GroupRows,
  { type, storage, offset }: ColumnLayout,
  present: Uint32Array | null,
): Uint8Array {
  const count = present?.length ?? group.rows
  switch (storage) {
    case 'pair':
      return takePairs(group, offset, present, scratch.reserveWords(count * 2))
    case 'word':
    case 'float': {
      const words = takeWords(group, offset, present, scratch.reserveWords(count))
      return type === 'boolean' ? packBits(words) : asBytes(words)
    }
    case 'bytes':
      return takeStrings(scratch, group, offset, present, count)
    case 'values': {
      const kept = group.values[offset]!
      const values = Array.from({ length: count }, (_, i) => kept[present === null ? i : present[i]!])
      if (typeof type === 'object' && type.kind === 'decimal') return encodeDecimals(values as bigint[])
      return interleave(valuesToJson(type, values), count)
    }
  }
}

function takePairs({ words, layout: { stride } }: GroupRows, offset: number, present: Uint32Array | null, out: Int32Array): Uint8Array {
  for (let i = 0, to = 0; to < out.length; i++) {
    const at = (present === null ? i : present[i]!) * stride + offset
    out[to++] = words[at]!
    out[to++] = words[at + 1]!
  }
  return asBytes(out)
}
function takeWords({ words, layout: { stride } }: GroupRows, offset: number, present: Uint32Array | null, out: Int32Array): Int32Array {
  for (let i = 0; i < out.length; i++) out[i] = words[(present === null ? i : present[i]!) * stride + offset]!
  return out
}
function asBytes({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}
function packBits(words: Int32Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(words.length / 8))
  for (let i = 0; i < words.length; i++) bits[i >> 3]! |= words[i]! << (i & 7)
  return bits
}

/** Each string after its length in 4 bytes. */
function takeStrings(
  scratch: ByteWriter,
  { words, heap, layout: { stride } }: GroupRows,
  offset: number,
  present: Uint32Array | null,
  count: number,
): Uint8Array {
  let bytes = 4 * count
  for (let i = 0; i < count; i++) bytes += words[(present === null ? i : present[i]!) * stride + offset + 1]! >>> 0
  const out = scratch.reserve(bytes)
  for (let i = 0, to = 0; i < count; i++) {
    const at = (present === null ? i : present[i]!) * stride + offset
    const length = words[at + 1]! >>> 0
    putLength(out, to, length)
    copyBytes(out, to + 4, heap.bytes, words[at]! >>> 0, length)
    to += 4 + length
  }
  return out
}
function interleave({ offsets, heap }: { offsets: Uint32Array; heap: Uint8Array }, count: number): Uint8Array {
  const out = new Uint8Array(4 * count + heap.length)
  for (let i = 0, to = 0; i < count; i++) {
    const length = offsets[i + 1]! - offsets[i]!
    putLength(out, to, length)
    copyBytes(out, to + 4, heap, offsets[i]!, length)
    to += 4 + length
  }
  return out
}
function putLength(out: Uint8Array, at: number, length: number): void {
  out[at] = length
  out[at + 1] = length >>> 8
  out[at + 2] = length >>> 16
  out[at + 3] = length >>> 24
}
function lengthAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

function encodeDecimals(values: readonly bigint[]): Uint8Array {
  const out = new Uint8Array(values.length * 16)
  const view = new DataView(out.buffer)
  values.forEach((value, i) => {
    view.setBigInt64(16 * i, value >> 64n)
    view.setBigUint64(16 * i + 8, BigInt.asUintN(64, value))
  })
  return out
}

// ---- back ------------------------------------------------------------------------------------------------------------------------------------

/** Fills a column of the first `rows` records, which are zeroed, from its page. */
export function decodeColumnPage(group: KeyGroup, column: ColumnLayout, nullable: boolean, page: Uint8Array, rows: number): void {
  if (!nullable) return decodeValues(group, column, page, null, rows)
  const levels = lengthAt(page, 0)
  const present = readLevels(page.subarray(4, 4 + levels), rows)
  if (present !== null) markNulls(group, column, present, rows)
  decodeValues(group, column, page.subarray(4 + levels), present, present?.length ?? rows)
}

/** The slots that have a value; null for all. Only the two forms that encodeColumnPage writes. */
function readLevels(levels: Uint8Array, rows: number): Uint32Array | null {
  let at = 0
  while (levels[at]! >= 128) at++
  if ((levels[0]! & 1) === 0) return null
  const slots = new Uint32Array(rows)
  let count = 0
  for (let slot = 0; slot < rows; slot++) if (((levels[at + 1 + (slot >> 3)]! >> (slot & 7)) & 1) === 1) slots[count++] = slot
  return slots.subarray(0, count)
}

function markNulls(
  { words, layout: { stride } }: KeyGroup,
  { storage, nullWord, nullBit }: ColumnLayout,
  present: Uint32Array,
  rows: number,
): void {
  if (storage === 'values') return
  for (let slot = 0; slot < rows; slot++) words[slot * stride + nullWord]! |= nullBit
  for (let i = 0; i < present.length; i++) words[present[i]! * stride + nullWord]! &= ~nullBit
}

function decodeValues(group: KeyGroup, column: ColumnLayout, page: Uint8Array, present: Uint32Array | null, count: number): void {
  const { type, storage, offset } = column
  switch (storage) {
    case 'pair':
      return putPairs(group, offset, present, new Int32Array(new Uint8Array(page).buffer))
    case 'word':
    case 'float':
      return putWords(group, offset, present, type === 'boolean' ? unpackBits(page, count) : new Int32Array(new Uint8Array(page).buffer))
    case 'bytes':
      return putStrings(group, offset, present, page, count)
    case 'values':
      return putValues(group, column, present, page, count)
  }
}

function putPairs({ words, layout: { stride } }: KeyGroup, offset: number, present: Uint32Array | null, source: Int32Array): void {
  for (let i = 0, from = 0; from < source.length; i++) {
    const at = (present === null ? i : present[i]!) * stride + offset
    words[at] = source[from++]!
    words[at + 1] = source[from++]!
  }
}
function putWords({ words, layout: { stride } }: KeyGroup, offset: number, present: Uint32Array | null, source: Int32Array): void {
  for (let i = 0; i < source.length; i++) words[(present === null ? i : present[i]!) * stride + offset] = source[i]!
}
function unpackBits(page: Uint8Array, count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (page[i >> 3]! >> (i & 7)) & 1)
}

function putStrings(
  { words, heap, rows, layout: { stride, strings } }: KeyGroup,
  offset: number,
  present: Uint32Array | null,
  page: Uint8Array,
  count: number,
): void {
  reserveHeap(heap, page.length - 4 * count, words, rows, stride, strings)
  for (let i = 0, from = 0; i < count; i++) {
    const length = lengthAt(page, from)
    const at = (present === null ? i : present[i]!) * stride + offset
    words[at] = heap.used
    words[at + 1] = length
    copyBytes(heap.bytes, heap.used, page, from + 4, length)
    heap.used += length
    from += 4 + length
  }
}

function putValues(group: KeyGroup, { type, offset }: ColumnLayout, present: Uint32Array | null, page: Uint8Array, count: number): void {
  const kept = group.values[offset]!
  for (let slot = 0; slot < group.rows; slot++) keepValue(group, kept, slot, null)
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength)
  const isDecimal = typeof type === 'object' && type.kind === 'decimal'
  for (let i = 0, from = 0; i < count; i++) {
    const slot = present === null ? i : present[i]!
    if (isDecimal) kept[slot] = (view.getBigInt64(16 * i) << 64n) | view.getBigUint64(16 * i + 8)
    else {
      const length = view.getUint32(from, true)
      const text = Buffer.from(page.buffer, page.byteOffset + from + 4, length).toString('utf8')
      keepValue(group, kept, slot, valueFromJson(type, text))
      from += 4 + length
    }
  }
}
