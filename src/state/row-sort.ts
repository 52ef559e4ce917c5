/** A batch's rows by key group, and what becomes of each of them: arrays by position in the sorted batch, kept from batch to batch. */
import { combine, copy } from './merge-kernels.ts'
import { type KeyGroup, noteChanged } from './key-group.ts'
import { dirty, seen, statusWord } from './record-layout.ts'

export interface SortedRows {
  /** Group g has the positions starts[g]..starts[g + 1] - 1. */
  readonly starts: Uint32Array
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
    starts: new Uint32Array(keyGroups + 1), groupOf: new Uint16Array(rows), order: new Uint32Array(rows), at: new Uint32Array(rows),
    fresh: new Uint8Array(rows), folding: new Uint8Array(rows), copying: new Uint8Array(rows).fill(copy), nulls: new Uint8Array(rows),
    places: new Int32Array(rows), ranks: new Uint32Array(rows),
  }
}

export function sortedRowsBytes(sorted: SortedRows): number {
  return sorted.starts.byteLength + sorted.order.length * 22
}

/** Sorts the rows by key group, keeping their order within each. Gives back `reuse`, or a larger one where it has no room. */
export function sortByGroup(keyIds: Int32Array, rows: number, keyGroups: number, reuse: SortedRows): SortedRows {
  const sorted = reuse.order.length >= rows ? reuse : createSortedRows(Math.ceil(rows * 1.25), keyGroups)
  const { starts, groupOf, order } = sorted
  starts.fill(0)
  for (let r = 0; r < rows; r++) {
    const group = (keyIds[4 * r]! >>> 0) % keyGroups
    groupOf[r] = group
    starts[group]!++
  }
  let end = 0
  for (let g = 0; g <= keyGroups; g++) {
    const count = starts[g]!
    starts[g] = end
    end += count
  }
  for (let r = 0; r < rows; r++) order[starts[groupOf[r]!]!++] = r
  // each start has moved to where the next group's was
  starts.copyWithin(1, 0, keyGroups)
  starts[0] = 0
  return sorted
}

/** Fills `folding` from `fresh`. */
export function fillFolding({ fresh, folding }: SortedRows, from: number, to: number): void {
  for (let k = from; k < to; k++) folding[k] = combine - fresh[k]!
}

/** Notes the rows of a segment as changed since the last commit. */
export function markDirty(group: KeyGroup, at: Uint32Array, from: number, to: number): void {
  const { words, layout: { stride } } = group
  for (let k = from; k < to; k++) {
    const status = at[k]! + statusWord
    if ((words[status]! & dirty) !== 0) continue
    words[status]! |= dirty
    noteChanged(group, at[k]! / stride)
  }
}

/** How many distinct keys a batch has touched. */
export function countDistinct({ starts, at }: SortedRows, groups: readonly KeyGroup[]): number {
  let distinct = 0
  for (let g = 0; g < groups.length; g++) {
    distinct += markSeen(groups[g]!.words, at, starts[g]!, starts[g + 1]!)
    unmark(groups[g]!.words, at, starts[g]!, starts[g + 1]!)
  }
  return distinct
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
  const { starts, order, at, places, ranks } = sorted
  ranks.fill(0, 0, rows)
  let distinct = 0
  for (let g = 0; g < groups.length; g++) distinct += markFirst(groups[g]!.words, order, at, places, ranks, starts[g]!, starts[g + 1]!)
  for (let g = 0; g < groups.length; g++) unmark(groups[g]!.words, at, starts[g]!, starts[g + 1]!)
  if (distinct === rows) places.set(order.subarray(0, rows))
  else placeFirst(order, ranks, places, rows)
  return distinct
}

/** For now `places` says which positions are the first of their key. */
function markFirst(
  words: Int32Array, order: Uint32Array, at: Uint32Array, places: Int32Array, ranks: Uint32Array, from: number, to: number,
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
