/** The changes of some key groups as a section of a changelog, straight from the records. `column-codec.ts` reads it. */
import { giveColumns, rowMemory } from '../data/array-pool.ts'
import type { ByteWriter } from './byte-writer.ts'
import { writeColumn } from './column-codec.ts'
import { copyBytes } from './copy-bytes.ts'
import { gatherColumn } from './gather.ts'
import { type KeyGroup, settleChanged } from './key-group.ts'
import type { ColumnLayout, RecordLayout } from './record-layout.ts'

/** Rows of one group, by their slots. */
interface GroupRows {
  readonly group: KeyGroup
  readonly slots: Uint32Array
}

/** Writes what changed in the groups since the last commit: counts, key ids, removed ids, columns. Nothing is written where nothing changed. */
export function encodeChanges(
  writer: ByteWriter,
  layout: RecordLayout,
  groups: readonly KeyGroup[],
): { readonly upserts: number; readonly removed: number } {
  let upserts = 0
  let removed = 0
  const changed: GroupRows[] = []
  for (const group of groups) {
    const count = settleChanged(group)
    if (count > 0) changed.push({ group, slots: group.changed.subarray(0, count) })
    upserts += count
    removed += group.removedCount
  }
  if (upserts === 0 && removed === 0) return { upserts, removed }
  writer.word(upserts)
  writer.word(removed)
  const ids = writer.reserveWords(upserts * 4)
  let to = 0
  for (const rows of changed) to = takeIds(ids, to, rows)
  const removedIds = writer.reserveWords(removed * 4)
  to = 0
  for (const group of groups) {
    removedIds.set(group.removed.subarray(0, group.removedCount * 4), to)
    to += group.removedCount * 4
  }
  for (const column of layout.columns) encodeColumn(writer, column, changed, upserts)
  writer.align()
  return { upserts, removed }
}

function encodeColumn(writer: ByteWriter, column: ColumnLayout, changed: readonly GroupRows[], rows: number): void {
  const { storage, type } = column
  if (storage === 'values' || type === 'boolean' || type === 'byte' || type === 'short') {
    const gathered = gatherColumn(column, rows, picked(changed, rows))
    writeColumn(writer, gathered, rows)
    return giveColumns(rowMemory, [gathered])
  }
  let heapBytes = 0
  if (storage === 'bytes') for (const part of changed) heapBytes += sumLengths(part, column.offset)
  const hasNulls = column.nullBit !== 0 && changed.some((part) => anyNull(part, column))
  writer.align()
  writer.word(hasNulls ? 1 : 0)
  writer.word(heapBytes)
  if (hasNulls) encodeValidity(writer, column, changed, rows)
  let to = 0
  if (storage === 'bytes') return encodeStrings(writer, column.offset, changed, rows, heapBytes)
  if (storage === 'pair') {
    const out = writer.reserveWords(rows * 2)
    for (const part of changed) to = takePairs(out, to, part, column.offset)
  } else {
    const out = writer.reserveWords(rows)
    for (const part of changed) to = takeWords(out, to, part, column.offset)
  }
}

function encodeValidity(writer: ByteWriter, column: ColumnLayout, changed: readonly GroupRows[], rows: number): void {
  const out = writer.reserve(rows)
  let to = 0
  for (const part of changed) to = takeValidity(out, to, part, column)
}

function encodeStrings(writer: ByteWriter, offset: number, changed: readonly GroupRows[], rows: number, heapBytes: number): void {
  const ends = writer.reserveWords(rows + 1)
  ends[0] = 0
  let to = 1
  for (const part of changed) to = takeEnds(ends, to, part, offset)
  writer.align()
  const out = writer.reserve(heapBytes)
  let at = 0
  for (const part of changed) at = takeBytes(out, at, part, offset)
}

/** All rows in their order, for gatherColumn. */
function picked(changed: readonly GroupRows[], rows: number) {
  const at = new Uint32Array(rows)
  const places = Int32Array.from({ length: rows }, (_, i) => i)
  let end = 0
  return changed.map(({ group, slots }) => {
    const from = end
    for (const slot of slots) at[end++] = slot * group.layout.stride
    return { group, at, places, from, to: end }
  })
}

// Loops over one group's rows; each returns where the next group's go.

function takeIds(
  out: Int32Array,
  start: number,
  {
    group: {
      words,
      layout: { stride },
    },
    slots,
  }: GroupRows,
): number {
  let to = start
  for (let k = 0; k < slots.length; k++) {
    const at = slots[k]! * stride
    out[to++] = words[at]!
    out[to++] = words[at + 1]!
    out[to++] = words[at + 2]!
    out[to++] = words[at + 3]!
  }
  return to
}
function takePairs(
  out: Int32Array,
  start: number,
  {
    group: {
      words,
      layout: { stride },
    },
    slots,
  }: GroupRows,
  offset: number,
): number {
  let to = start
  for (let k = 0; k < slots.length; k++) {
    const at = slots[k]! * stride + offset
    out[to++] = words[at]!
    out[to++] = words[at + 1]!
  }
  return to
}
function takeWords(
  out: Int32Array,
  start: number,
  {
    group: {
      words,
      layout: { stride },
    },
    slots,
  }: GroupRows,
  offset: number,
): number {
  let to = start
  for (let k = 0; k < slots.length; k++) out[to++] = words[slots[k]! * stride + offset]!
  return to
}
function takeValidity(
  out: Uint8Array,
  start: number,
  {
    group: {
      words,
      layout: { stride },
    },
    slots,
  }: GroupRows,
  { nullWord, nullBit }: ColumnLayout,
): number {
  let to = start
  for (let k = 0; k < slots.length; k++) out[to++] = (words[slots[k]! * stride + nullWord]! & nullBit) === 0 ? 1 : 0
  return to
}
function anyNull(
  {
    group: {
      words,
      layout: { stride },
    },
    slots,
  }: GroupRows,
  { nullWord, nullBit }: ColumnLayout,
): boolean {
  for (let k = 0; k < slots.length; k++) if ((words[slots[k]! * stride + nullWord]! & nullBit) !== 0) return true
  return false
}
function sumLengths(
  {
    group: {
      words,
      layout: { stride },
    },
    slots,
  }: GroupRows,
  offset: number,
): number {
  let sum = 0
  for (let k = 0; k < slots.length; k++) sum += words[slots[k]! * stride + offset + 1]! >>> 0
  return sum
}
function takeEnds(
  out: Int32Array,
  start: number,
  {
    group: {
      words,
      layout: { stride },
    },
    slots,
  }: GroupRows,
  offset: number,
): number {
  let to = start
  for (let k = 0; k < slots.length; k++, to++) out[to] = out[to - 1]! + words[slots[k]! * stride + offset + 1]!
  return to
}
function takeBytes(
  out: Uint8Array,
  start: number,
  {
    group: {
      words,
      heap,
      layout: { stride },
    },
    slots,
  }: GroupRows,
  offset: number,
): number {
  let to = start
  for (let k = 0; k < slots.length; k++) {
    const at = slots[k]! * stride + offset
    const length = words[at + 1]! >>> 0
    copyBytes(out, to, heap.bytes, words[at]! >>> 0, length)
    to += length
  }
  return to
}
