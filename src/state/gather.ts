/** Rows of key groups become columns of a batch. */
import { rowMemory } from '../data/array-pool.ts'
import { type Column, type ColumnBatch, type FixedArray, fixedArrayClass } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { copyBytes } from './copy-bytes.ts'
import type { KeyGroup } from './key-group.ts'
import { type ColumnLayout, type RecordLayout, wordsOf } from './record-layout.ts'

/** Which records of a group go where: the one whose first word is `at[k]` becomes row `places[k]` of the batch; a place of -1 leaves it out. */
export interface Picked {
  readonly group: KeyGroup
  readonly at: Uint32Array
  readonly places: Int32Array
  readonly from: number
  readonly to: number
}

/** A batch of `length` rows from several groups; every place must be taken once. Its memory is of `rowMemory`: whoever knows that nobody looks at it any more may give it back. */
export function gatherBatch(schema: Schema, layout: RecordLayout, length: number, parts: readonly Picked[]): ColumnBatch {
  return { schema, length, columns: layout.columns.map((column) => gatherColumn(column, length, parts)) }
}

/** One column of gatherBatch. */
export function gatherColumn(column: ColumnLayout, length: number, parts: readonly Picked[]): Column {
  const { type, storage, offset } = column
  if (storage === 'values') return { kind: 'values', type, values: gatherValues(offset, length, parts) }
  const valid = column.nullBit === 0 ? null : gatherValidity(column, length, parts)
  if (storage === 'bytes') return { kind: 'bytes', type, valid, ...gatherStrings(offset, length, parts) }
  const data = rowMemory.array<FixedArray>(fixedArrayClass(type), length)
  if (storage === 'pair') {
    const words = wordsOf(data as BigInt64Array)
    for (const part of parts) gatherPairs(words, offset, part)
  } else if (storage === 'float' || data instanceof Int32Array) {
    const words = wordsOf(data as Int32Array)
    for (const part of parts) gatherWords(words, offset, part)
  } else for (const part of parts) gatherSmall(data as Uint8Array, offset, part)
  return { kind: 'fixed', type, data, valid }
}

function gatherValues(offset: number, length: number, parts: readonly Picked[]): unknown[] {
  const values: unknown[] = new Array(length)
  for (const { group, at, places, from, to } of parts) {
    const kept = group.values[offset]!
    for (let k = from; k < to; k++) if (places[k]! >= 0) values[places[k]!] = kept[at[k]! / group.layout.stride] ?? null
  }
  return values
}

function gatherValidity({ nullWord, nullBit }: ColumnLayout, length: number, parts: readonly Picked[]): Uint8Array | null {
  const valid = rowMemory.array(Uint8Array, length)
  let nulls = 0
  for (const part of parts) nulls += gatherBits(valid, nullWord, nullBit, part)
  if (nulls > 0) return valid
  rowMemory.give(valid)
  return null
}
function gatherBits(valid: Uint8Array, nullWord: number, nullBit: number, { group: { words }, at, places, from, to }: Picked): number {
  let nulls = 0
  for (let k = from; k < to; k++) {
    if (places[k]! < 0) continue
    const isNull = (words[at[k]! + nullWord]! & nullBit) !== 0
    valid[places[k]!] = isNull ? 0 : 1
    if (isNull) nulls++
  }
  return nulls
}

function gatherPairs(target: Int32Array, offset: number, { group: { words }, at, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) {
    const t = 2 * places[k]!
    if (t < 0) continue
    const s = at[k]! + offset
    target[t] = words[s]!
    target[t + 1] = words[s + 1]!
  }
}
function gatherWords(target: Int32Array, offset: number, { group: { words }, at, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) if (places[k]! >= 0) target[places[k]!] = words[at[k]! + offset]!
}
/** boolean, byte, short: seldom seen, so they share a loop. */
function gatherSmall(
  target: Uint8Array | Int8Array | Int16Array,
  offset: number,
  { group: { words }, at, places, from, to }: Picked,
): void {
  for (let k = from; k < to; k++) if (places[k]! >= 0) target[places[k]!] = words[at[k]! + offset]!
}

function gatherStrings(offset: number, length: number, parts: readonly Picked[]): { offsets: Uint32Array; heap: Uint8Array } {
  const offsets = rowMemory.array(Uint32Array, length + 1)
  offsets[0] = 0
  for (const part of parts) gatherLengths(offsets, offset, part)
  let end = 0
  for (let i = 0; i <= length; i++) end = offsets[i] = end + offsets[i]!
  const heap = rowMemory.array(Uint8Array, end)
  for (const part of parts) gatherBytes(heap, offsets, offset, part)
  return { offsets, heap }
}
function gatherLengths(offsets: Uint32Array, offset: number, { group: { words }, at, places, from, to }: Picked): void {
  for (let k = from; k < to; k++) if (places[k]! >= 0) offsets[places[k]! + 1] = words[at[k]! + offset + 1]!
}
function gatherBytes(
  target: Uint8Array,
  starts: Uint32Array,
  offset: number,
  { group: { words, heap }, at, places, from, to }: Picked,
): void {
  for (let k = from; k < to; k++) {
    const s = at[k]! + offset
    if (places[k]! >= 0) copyBytes(target, starts[places[k]!]!, heap.bytes, words[s]! >>> 0, words[s + 1]! >>> 0)
  }
}
