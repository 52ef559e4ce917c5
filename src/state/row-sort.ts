/** A batch's rows by key group, and what becomes of each of them: arrays by position in the sorted batch, kept from batch to batch. */

import { type KeyGroup, noteChanged } from './key-group.ts'
import { combine, copy } from './merge-kernels.ts'
import { dirty, seen, statusWord } from './record-layout.ts'

/**
 * So many rows are sorted together, one chunk after the other: more would no longer fit the processor's cache, from which the columns of the batch
 * are read in the order of the groups.
 */
export const chunkRows = 16_384

export interface SortedRows {
  /** Group g of chunk c has the positions from starts[c * (groups + 1) + g] up to, not including, the next entry. */
  starts: Uint32Array
  readonly groupOf: Uint16Array
  /** Row of the batch, by position. */
  readonly order: Uint32Array
  /** First word of the row's record, by position. */
  readonly at: Uint32Array
  /** 1 where the position's key is new in the state: as actions, `copy` for new keys and `skip` for the others. */
  readonly fresh: Uint8Array
  /** As actions: `copy` for new keys, `combine` for the others. */
  readonly folding: Uint8Array
  /** As actions: `copy` everywhere. */
  readonly copying: Uint8Array
  /** Room for the actions of a column with nulls. */
  readonly nulls: Uint8Array
  /** The row of the result that a position gives, -1 for none. */
  readonly places: Int32Array
  /** By row of the batch. */
  readonly ranks: Uint32Array
}

export function createSortedRows(rows: number, keyGroups: number): SortedRows {
  return {
    starts: new Uint32Array(keyGroups + 1),
    groupOf: new Uint16Array(rows),
    order: new Uint32Array(rows),
    at: new Uint32Array(rows),
    fresh: new Uint8Array(rows),
    folding: new Uint8Array(rows),
    copying: new Uint8Array(rows).fill(copy),
    nulls: new Uint8Array(rows),
    places: new Int32Array(rows),
    ranks: new Uint32Array(rows),
  }
}

export function sortedRowsBytes(sorted: SortedRows): number {
  return sorted.starts.byteLength + sorted.order.length * 22
}

/** Sorts the rows of each chunk by key group, keeping their order within each. Gives back `reuse`, or a larger one where it has no room. */
export function sortByGroup(keyIds: Int32Array, rows: number, keyGroups: number, reuse: SortedRows): SortedRows {
  const sorted = reuse.order.length >= rows ? reuse : createSortedRows(Math.ceil(rows * 1.25), keyGroups)
  const chunks = chunkCount(rows)
  if (sorted.starts.length < chunks * (keyGroups + 1)) sorted.starts = new Uint32Array(chunks * (keyGroups + 1))
  for (let c = 0; c < chunks; c++) {
    const starts = sorted.starts.subarray(c * (keyGroups + 1), (c + 1) * (keyGroups + 1))
    sortChunk(keyIds, c * chunkRows, Math.min(rows, (c + 1) * chunkRows), keyGroups, starts, sorted.groupOf, sorted.order)
  }
  return sorted
}
export function chunkCount(rows: number): number {
  return Math.ceil(rows / chunkRows)
}

function sortChunk(
  keyIds: Int32Array,
  from: number,
  to: number,
  keyGroups: number,
  starts: Uint32Array,
  groupOf: Uint16Array,
  order: Uint32Array,
): void {
  starts.fill(0)
  for (let r = from; r < to; r++) {
    const group = (keyIds[4 * r]! >>> 0) % keyGroups
    groupOf[r] = group
    starts[group]!++
  }
  let end = from
  for (let g = 0; g <= keyGroups; g++) {
    const count = starts[g]!
    starts[g] = end
    end += count
  }
  for (let r = from; r < to; r++) order[starts[groupOf[r]!]!++] = r
  // each start has moved to where the next group's was
  starts.copyWithin(1, 0, keyGroups)
  starts[0] = from
}

/** Fills `folding` from `fresh`. */
export function fillFolding({ fresh, folding }: SortedRows, from: number, to: number): void {
  for (let k = from; k < to; k++) folding[k] = combine - fresh[k]!
}

/** Notes the rows of a segment as changed since the last commit. */
export function markDirty(group: KeyGroup, at: Uint32Array, from: number, to: number): void {
  const {
    words,
    layout: { stride },
  } = group
  for (let k = from; k < to; k++) {
    const status = at[k]! + statusWord
    if ((words[status]! & dirty) !== 0) continue
    words[status]! |= dirty
    noteChanged(group, at[k]! / stride)
  }
}

/** How many distinct keys a batch has touched. */
export function countDistinct(sorted: SortedRows, groups: readonly KeyGroup[], rows: number): number {
  let distinct = 0
  forEachPart(sorted, groups, rows, (group, from, to) => {
    distinct += markSeen(group.words, sorted.at, from, to)
  })
  forEachPart(sorted, groups, rows, (group, from, to) => unmark(group.words, sorted.at, from, to))
  return distinct
}
/** The rows of each group in each chunk, where there are any. */
export function forEachPart(
  { starts }: SortedRows,
  groups: readonly KeyGroup[],
  rows: number,
  visit: (group: KeyGroup, from: number, to: number) => void,
): void {
  for (let c = 0; c < chunkCount(rows); c++) {
    const first = c * (groups.length + 1)
    for (let g = 0; g < groups.length; g++)
      if (starts[first + g]! < starts[first + g + 1]!) visit(groups[g]!, starts[first + g]!, starts[first + g + 1]!)
  }
}
function markSeen(words: Int32Array, at: Uint32Array, from: number, to: number): number {
  let distinct = 0
  for (let k = from; k < to; k++) {
    const status = at[k]! + statusWord
    if ((words[status]! & seen) === 0) distinct++
    words[status]! |= seen
  }
  return distinct
}

/**
 * Decides which row of a result each touched row becomes: one for each distinct key, in the order of their first coming.
 * Fills `places` and returns how many there are.
 */
export function placeDistinct(sorted: SortedRows, groups: readonly KeyGroup[], rows: number): number {
  const { order, at, places, ranks } = sorted
  ranks.fill(0, 0, rows)
  let distinct = 0
  forEachPart(sorted, groups, rows, (group, from, to) => {
    distinct += markFirst(group.words, order, at, places, ranks, from, to)
  })
  forEachPart(sorted, groups, rows, (group, from, to) => unmark(group.words, at, from, to))
  if (distinct === rows) places.set(order.subarray(0, rows))
  else placeFirst(order, ranks, places, rows)
  return distinct
}

/** For now `places` says which positions are the first of their key. */
function markFirst(
  words: Int32Array,
  order: Uint32Array,
  at: Uint32Array,
  places: Int32Array,
  ranks: Uint32Array,
  from: number,
  to: number,
): number {
  let distinct = 0
  for (let k = from; k < to; k++) {
    const status = at[k]! + statusWord
    const flags = words[status]!
    places[k] = -1
    if ((flags & seen) !== 0) continue
    words[status] = flags | seen
    places[k] = 0
    ranks[order[k]!] = 1
    distinct++
  }
  return distinct
}
function unmark(words: Int32Array, at: Uint32Array, from: number, to: number): void {
  for (let k = from; k < to; k++) words[at[k]! + statusWord]! &= ~seen
}
function placeFirst(order: Uint32Array, ranks: Uint32Array, places: Int32Array, rows: number): void {
  let rank = 0
  for (let r = 0; r < rows; r++) if (ranks[r] === 1) ranks[r] = rank++
  for (let k = 0; k < rows; k++) if (places[k] === 0) places[k] = ranks[order[k]!]!
}
