/**
 * The rows of one key group: a small open-addressing table and columns, in slots 0..rows-1 without holes.
 *
 * `index` holds slot + 1 (0: free) and is probed linearly from floor(second word of the key id / 2^32 · size); removal shifts back what follows.
 * Its size needs no power of two, so index and columns grow together by half. Groups start at different capacities, evenly spread over one step of
 * growth: otherwise the groups, which are all about as full, would all grow in the same batch.
 */
import type { StateSchema } from '../data/state-schema.ts'
import { type Calendar, calendarBytes, createCalendar, linkRow, relinkRow, resizeCalendar, takeDue, unlinkRow } from './calendar.ts'
import { columnBytes, createColumn, type FixedGroupColumn, type GroupColumn, moveRows, resizeColumn, resized } from './group-column.ts'

export interface KeyGroup {
  readonly number: number
  /** Where this group stands in the spread of capacities: 0 up to 1. */
  readonly spread: number
  rows: number
  capacity: number
  /** 4 words a row. */
  ids: Int32Array
  index: Uint32Array
  /** A byte a row: `dirty`, `seen`. */
  flags: Uint8Array
  /** Keys, then values. */
  readonly columns: readonly GroupColumn[]
  readonly calendar: Calendar | null
  /** The event-time column, where there is a calendar. */
  readonly eventTime: FixedGroupColumn | null
  /** Slots whose rows changed since the last commit; may name a slot twice, or one that is gone: `flags` decides. */
  changed: Uint32Array
  changedCount: number
  /** Key ids removed since the last commit. */
  removed: Int32Array
  removedCount: number
}

/** The row changed since the last commit. */
export const dirty = 1
/** The row was met in this merge. */
export const seen = 2

const growth = 1.5
const fullest = 0.6

export function createKeyGroup(schema: StateSchema, number: number, keyGroups: number): KeyGroup {
  const columns = [...schema.keys, ...schema.values].map((column) => createColumn(column.type))
  return {
    number, spread: spreadOf(number, keyGroups), rows: 0, capacity: 0, ids: new Int32Array(0), index: new Uint32Array(0), flags: new Uint8Array(0), columns,
    calendar: schema.eventTime === null ? null : createCalendar(),
    eventTime: schema.eventTime === null ? null : columns[schema.eventTime.key] as FixedGroupColumn,
    changed: new Uint32Array(0), changedCount: 0, removed: new Int32Array(0), removedCount: 0,
  }
}

/** Neighbours far apart, so that the groups of one snapshot don't grow together either. */
function spreadOf(number: number, keyGroups: number): number {
  return (number * 0.6180339887498949 + number / keyGroups * 1e-6) % 1
}

export function groupBytes(group: KeyGroup): number {
  let bytes = group.ids.byteLength + group.index.byteLength + group.flags.byteLength + group.changed.byteLength + group.removed.byteLength
  for (const column of group.columns) bytes += columnBytes(column)
  return group.calendar === null ? bytes : bytes + calendarBytes(group.calendar)
}

/** Makes room for at least one more row. */
export function growGroup(group: KeyGroup): void {
  setCapacity(group, group.capacity === 0 ? Math.ceil(8 * growth ** group.spread) : Math.ceil(group.capacity * growth))
}

/** Makes room for `rows` rows in one go, when it is known how many come. Leaves every group a different reserve. */
export function reserveGroup(group: KeyGroup, rows: number): void {
  if (rows > group.capacity) setCapacity(group, Math.ceil(rows * (1.02 + (growth - 1.02) * group.spread)) + 4)
}

/** Gives memory back where three quarters of it lie idle. */
export function shrinkGroup(group: KeyGroup): void {
  if (group.capacity > 64 && group.rows < group.capacity / 4) setCapacity(group, Math.ceil(group.rows * growth ** (0.5 + group.spread)) + 8)
}

function setCapacity(group: KeyGroup, capacity: number): void {
  group.capacity = capacity
  group.ids = resized(group.ids, capacity * 4)
  group.flags = resized(group.flags, capacity)
  for (const column of group.columns) resizeColumn(column, capacity)
  if (group.calendar !== null) resizeCalendar(group.calendar, capacity)
  group.index = new Uint32Array(0)
  group.index = buildIndex(group.ids, group.rows, Math.ceil(capacity / fullest) + 1)
}

function buildIndex(ids: Int32Array, rows: number, size: number): Uint32Array {
  const index = new Uint32Array(size)
  const scale = size / 4294967296
  for (let slot = 0; slot < rows; slot++) {
    let place = ((ids[4 * slot + 1]! >>> 0) * scale) | 0
    while (index[place] !== 0) if (++place === size) place = 0
    index[place] = slot + 1
  }
  return index
}

/** Enters rows that were put into the slots from..rows-1 with new key ids into index and calendar. */
export function indexNewRows(group: KeyGroup, from: number): void {
  const { index, ids } = group
  const scale = index.length / 4294967296
  for (let slot = from; slot < group.rows; slot++) {
    let place = ((ids[4 * slot + 1]! >>> 0) * scale) | 0
    while (index[place] !== 0) if (++place === index.length) place = 0
    index[place] = slot + 1
  }
  linkNewRows(group, from)
}

/** Enters the rows from `from` on into the calendar. Their event times are in place. */
export function linkNewRows(group: KeyGroup, from: number): void {
  const { calendar, eventTime, rows } = group
  if (calendar === null) return
  const times = eventTime!.raw as Int32Array
  for (let slot = from; slot < rows; slot++) linkRow(calendar, times, eventTime!.valid, slot, rows)
}

/**
 * Finds each key of a segment or gives it the next free slot: `slots[k]` says where, `fresh[k]` 1 for a new one. Stops where the group is full
 * and returns the position it got to; the caller grows the group and goes on.
 */
export function findOrInsert(
  group: KeyGroup, keyIds: Int32Array, order: Uint32Array, from: number, to: number, slots: Uint32Array, fresh: Uint8Array,
): number {
  const { ids, index, flags, capacity } = group
  const size = index.length
  const scale = size / 4294967296
  let rows = group.rows
  let k = from
  for (; k < to && size > 0; k++) {
    const key = 4 * order[k]!
    const a = keyIds[key]!
    const b = keyIds[key + 1]!
    const c = keyIds[key + 2]!
    const d = keyIds[key + 3]!
    let place = ((b >>> 0) * scale) | 0
    let slot = index[place]! - 1
    while (slot >= 0) {
      const id = 4 * slot
      if (ids[id + 1] === b && ids[id] === a && ids[id + 2] === c && ids[id + 3] === d) break
      if (++place === size) place = 0
      slot = index[place]! - 1
    }
    if (slot >= 0) fresh[k] = 0
    else {
      if (rows === capacity) break
      slot = rows++
      index[place] = slot + 1
      const id = 4 * slot
      ids[id] = a
      ids[id + 1] = b
      ids[id + 2] = c
      ids[id + 3] = d
      flags[slot] = 0
      fresh[k] = 1
    }
    slots[k] = slot
  }
  group.rows = rows
  return k
}

/** The slots of those keys that are there; `keys` are their numbers in `keyIds`. */
export function findKeys(group: KeyGroup, keyIds: Int32Array, keys: Uint32Array): Uint32Array {
  const { ids, index } = group
  const slots = new Uint32Array(keys.length)
  const size = index.length
  const scale = size / 4294967296
  let found = 0
  for (let k = 0; k < keys.length && size > 0; k++) {
    const key = 4 * keys[k]!
    let place = ((keyIds[key + 1]! >>> 0) * scale) | 0
    let slot = index[place]! - 1
    while (slot >= 0) {
      const id = 4 * slot
      if (ids[id + 1] === keyIds[key + 1] && ids[id] === keyIds[key] && ids[id + 2] === keyIds[key + 2] && ids[id + 3] === keyIds[key + 3]) break
      if (++place === size) place = 0
      slot = index[place]! - 1
    }
    if (slot >= 0) slots[found++] = slot
  }
  return slots.subarray(0, found)
}

/** Slots of rows whose event time is <= the watermark given by its halves, out of the calendar, in descending order. */
export function dueSlots(group: KeyGroup, high: number, low: number): Uint32Array {
  const { calendar, eventTime } = group
  if (calendar === null || calendar.first === calendar.end) return noSlots
  const due = dueBuffer(group.rows)
  const count = takeDue(calendar, eventTime!.raw as Int32Array, high, low, due)
  return count === 0 ? noSlots : due.slice(0, count).sort().reverse()
}
const noSlots = new Uint32Array(0)
let dueScratch = new Uint32Array(1024)
function dueBuffer(rows: number): Uint32Array {
  if (dueScratch.length < rows) dueScratch = new Uint32Array(rows * 2)
  return dueScratch
}

/** Takes rows out of their chains, for removeRows. */
export function unlinkRows(group: KeyGroup, slots: Uint32Array): void {
  if (group.calendar === null) return
  const times = group.eventTime!.raw as Int32Array
  for (const slot of slots) unlinkRow(group.calendar, times, slot)
}

/** Removes rows (slots distinct and in descending order, already out of the calendar); the last rows move into their slots. */
export function removeRows(group: KeyGroup, slots: Uint32Array): void {
  const count = slots.length
  if (count === 0) return
  const last = new Uint32Array(count)
  for (let k = 0; k < count; k++) last[k] = removeFromTable(group, slots[k]!)
  for (const column of group.columns) moveRows(column, slots, last, count, group.rows)
  shrinkGroup(group)
}

/** Takes one row out of index, ids, flags and calendar; returns the slot whose row is to move into its place. */
function removeFromTable(group: KeyGroup, slot: number): number {
  const { index, ids, flags } = group
  freePlace(index, ids, placeOf(index, ids, slot))
  const last = --group.rows
  if (last !== slot) {
    index[placeOf(index, ids, last)] = slot + 1
    ids.copyWithin(4 * slot, 4 * last, 4 * last + 4)
    flags[slot] = flags[last]!
    if ((flags[slot]! & dirty) !== 0) noteChanged(group, slot)
    if (group.calendar !== null) {
      const times = group.eventTime!.raw as Int32Array
      relinkRow(group.calendar, times, last, slot)
      // the columns move later, all at once; but the next removal may move this row again and must find its time
      times[2 * slot] = times[2 * last]!
      times[2 * slot + 1] = times[2 * last + 1]!
    }
  }
  flags[last] = 0
  return last
}

function placeOf(index: Uint32Array, ids: Int32Array, slot: number): number {
  const size = index.length
  let place = ((ids[4 * slot + 1]! >>> 0) * (size / 4294967296)) | 0
  while (index[place] !== slot + 1) if (++place === size) place = 0
  return place
}

/** Frees a place and shifts back those behind it that may stand nearer to where they belong. */
function freePlace(index: Uint32Array, ids: Int32Array, place: number): void {
  const size = index.length
  const scale = size / 4294967296
  let free = place
  let at = place
  for (;;) {
    if (++at === size) at = 0
    const entry = index[at]!
    if (entry === 0) break
    const home = ((ids[4 * (entry - 1) + 1]! >>> 0) * scale) | 0
    // stays where its home lies cyclically behind the free place
    if (free <= at ? home > free && home <= at : home > free || home <= at) continue
    index[free] = entry
    free = at
  }
  index[free] = 0
}

export function noteChanged(group: KeyGroup, slot: number): void {
  if (group.changedCount === group.changed.length) group.changed = resized(group.changed, Math.max(16, Math.ceil(group.changedCount * growth)))
  group.changed[group.changedCount++] = slot
}

/** Notes key ids as removed, before their rows go. */
export function noteRemoved(group: KeyGroup, slots: Uint32Array): void {
  const needed = 4 * (group.removedCount + slots.length)
  if (needed > group.removed.length) group.removed = resized(group.removed, Math.ceil(needed * growth))
  const { removed, ids } = group
  let at = 4 * group.removedCount
  for (const slot of slots) {
    for (let word = 0; word < 4; word++) removed[at++] = ids[4 * slot + word]!
  }
  group.removedCount += slots.length
}

/** Leaves in `changed` each slot once that holds a changed row; returns how many. */
export function settleChanged(group: KeyGroup): number {
  const { changed, flags, rows } = group
  let count = 0
  for (let k = 0; k < group.changedCount; k++) {
    const slot = changed[k]!
    if (slot >= rows || (flags[slot]! & dirty) === 0) continue
    flags[slot]! &= ~dirty
    changed[count++] = slot
  }
  for (let k = 0; k < count; k++) flags[changed[k]!]! |= dirty
  group.changedCount = count
  return count
}

/** The changes are durable: forgets them, and lists that one large batch has blown up. */
export function forgetChanges(group: KeyGroup): void {
  const { changed, flags, changedCount } = group
  for (let k = 0; k < changedCount; k++) flags[changed[k]!]! &= ~dirty
  if (changed.length > 1024 && changed.length > 4 * changedCount) group.changed = new Uint32Array(0)
  if (group.removed.length > 4096 && group.removed.length > 16 * group.removedCount) group.removed = new Int32Array(0)
  group.changedCount = group.removedCount = 0
}
