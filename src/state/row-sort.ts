/** A batch's rows by key group, and what becomes of each of them: arrays by position in the sorted batch, kept from batch to batch. */
import { combine, copy } from './group-column.ts'
import { dirty, type KeyGroup, noteChanged, seen } from './key-group.ts'

export interface SortedRows {
  /** Group g has the positions starts[g]..starts[g + 1] - 1. */
  readonly starts: Uint32Array
  readonly groupOf: Uint16Array
  /** Row of the batch, by position. */
  readonly order: Uint32Array
  /** Slot in the group, by position. */
  readonly slots: Uint32Array
  /** 1 where the position's key is new in the state: as actions, `copy` for new keys and `skip` for the others. */
  readonly fresh: Uint8Array
  /** As actions: `copy` for new keys, `combine` for the others. */
  readonly folding: Uint8Array
  /** As actions: `copy` everywhere. */
  readonly copying: Uint8Array
  /** Room for the actions of a column with nulls. */
  readonly nulls: Uint8Array
  /** Row of the batch that is given out for a position, -1 for none. */
  readonly places: Int32Array
  /** By row of the batch. */
  readonly ranks: Uint32Array
}

export function createSortedRows(rows: number, keyGroups: number): SortedRows {
  return {
    starts: new Uint32Array(keyGroups + 1), groupOf: new Uint16Array(rows), order: new Uint32Array(rows), slots: new Uint32Array(rows),
    fresh: new Uint8Array(rows), folding: new Uint8Array(rows), copying: new Uint8Array(rows).fill(copy), nulls: new Uint8Array(rows),
    places: new Int32Array(rows), ranks: new Uint32Array(rows),
  }
}

export function sortedRowsBytes(sorted: SortedRows): number {
  return sorted.starts.byteLength + sorted.order.length * 22
}

/** Sorts the rows by key group, keeping their order within each. Gives back `reuse`, or a larger one where it has no room. */
export function sortByGroup(keyIds: Int32Array, rows: number, keyGroups: number, reuse: SortedRows): SortedRows {
  const sorted = reuse.order.length >= rows ? reuse : createSortedRows(Math.ceil(rows * 1.5), keyGroups)
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
  // each start has moved to the next group's
  starts.copyWithin(1, 0, keyGroups)
  starts[0] = 0
  return sorted
}

/** Fills `folding` from `fresh`. */
export function fillFolding({ fresh, folding }: SortedRows, from: number, to: number): void {
  for (let k = from; k < to; k++) folding[k] = combine - fresh[k]!
}

/** Notes the rows of a segment as changed since the last commit. */
export function markDirty(group: KeyGroup, slots: Uint32Array, from: number, to: number): void {
  const { flags } = group
  for (let k = from; k < to; k++) {
    const slot = slots[k]!
    if ((flags[slot]! & dirty) !== 0) continue
    flags[slot]! |= dirty
    noteChanged(group, slot)
  }
}

/**
 * Decides which row of a result each touched row becomes: one for each distinct key, in the order of their first coming.
 * Fills `places` and returns how many there are.
 */
export function placeDistinct(sorted: SortedRows, groups: readonly KeyGroup[], rows: number): number {
  const { starts, order, slots, places, ranks } = sorted
  ranks.fill(0, 0, rows)
  let distinct = 0
  for (let g = 0; g < groups.length; g++) distinct += markFirst(groups[g]!.flags, order, slots, ranks, starts[g]!, starts[g + 1]!)
  for (let g = 0; g < groups.length; g++) unmark(groups[g]!.flags, slots, starts[g]!, starts[g + 1]!)
  if (distinct === rows) places.set(order.subarray(0, rows))
  else placeFirst(order, ranks, places, rows)
  return distinct
}

function markFirst(flags: Uint8Array, order: Uint32Array, slots: Uint32Array, ranks: Uint32Array, from: number, to: number): number {
  let distinct = 0
  for (let k = from; k < to; k++) {
    const flag = flags[slots[k]!]!
    if ((flag & seen) !== 0) continue
    flags[slots[k]!] = flag | seen
    ranks[order[k]!] = 1
    distinct++
  }
  return distinct
}
function unmark(flags: Uint8Array, slots: Uint32Array, from: number, to: number): void {
  for (let k = from; k < to; k++) flags[slots[k]!]! &= ~seen
}
function placeFirst(order: Uint32Array, ranks: Uint32Array, places: Int32Array, rows: number): void {
  let rank = 0
  for (let r = 0; r < rows; r++) if (ranks[r] === 1) ranks[r] = ++rank
  for (let k = 0; k < rows; k++) places[k] = ranks[order[k]!]! - 1
}
