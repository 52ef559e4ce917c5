/**
 * The rows of one key group: a small open-addressing table of records, in slots 0..rows-1 without holes.
 *
 * An entry of `index` is slot + 1 in 24 bits and 8 bits of the key id's third word (0: free), so that a search seldom looks at a record of another key.
 * It is probed linearly from floor(second word of the key id / 2^32 · size); removal shifts back what follows.
 * Its size needs no power of two, so index and records grow together by half. Groups start at different capacities, evenly spread over one step of
 * growth: otherwise the groups, which are all about as full, would all grow in the same batch.
 */
import { InvalidQueryError } from '../base/errors.ts'
import {
  type Calendar,
  calendarBytes,
  createCalendar,
  isLinked,
  linkRow,
  relinkRow,
  renumberCalendar,
  takeDue,
  unlinkRow,
} from './calendar.ts'
import { createChains, linkToKey, type PrefixChains, relinkToKey, renumberChains, shrinkChains, unlinkFromKey } from './prefix-chains.ts'
import { dirty, type RecordLayout, statusWord } from './record-layout.ts'
import { resized } from './resized.ts'
import { letGo, withRoom } from './roomy-memory.ts'
import { rowNumberAt } from './row-id.ts'
import { compactHeap, type StringHeap } from './string-heap.ts'
import { valueBytes } from './value-bytes.ts'

/** The rows alone, without what finds them. */
export interface GroupRows {
  readonly number: number
  readonly layout: RecordLayout
  readonly rows: number
  readonly words: Int32Array
  readonly heap: Readonly<StringHeap>
  /** The 'values' columns, by slot. */
  readonly values: readonly (readonly unknown[])[]
}

export interface KeyGroup extends GroupRows {
  /** Where this group stands in the spread of capacities: 0 up to 1. */
  readonly spread: number
  rows: number
  capacity: number
  /** The records; `doubles` and `floats` see the same memory. */
  words: Int32Array
  doubles: Float64Array
  floats: Float32Array
  index: Uint32Array
  readonly heap: StringHeap
  readonly values: unknown[][]
  /** What those take beyond a word and a header each. */
  valueBytes: number
  readonly calendar: Calendar | null
  /** Where a key may have many rows. */
  readonly chains: PrefixChains | null
  /** Slots whose rows changed since the last commit; may name a slot twice, or one that is gone: the status word decides. */
  changed: Uint32Array
  changedCount: number
  /** Key ids removed since the last commit. */
  removed: Int32Array
  removedCount: number
}

const growth = 1.5
const fullest = 0.6

export function createKeyGroup(layout: RecordLayout, number: number): KeyGroup {
  return {
    number,
    layout,
    spread: (number * 0.6180339887498949) % 1,
    rows: 0,
    capacity: 0,
    words: new Int32Array(0),
    doubles: new Float64Array(0),
    floats: new Float32Array(0),
    index: new Uint32Array(0),
    heap: { bytes: new Uint8Array(0), used: 0, dead: 0 },
    values: Array.from({ length: layout.valuesCount }, () => []),
    valueBytes: 0,
    calendar: createCalendar(layout),
    chains: createChains(layout),
    changed: new Uint32Array(0),
    changedCount: 0,
    removed: new Int32Array(0),
    removedCount: 0,
  }
}

/** Lets go of all rows and their memory. */
export function emptyGroup(group: KeyGroup): void {
  letGo(group.words)
  letGo(group.heap.bytes)
  Object.assign(group, createKeyGroup(group.layout, group.number))
}

/** A word in its column, and the header of a value with a word or two. */
const plainValueBytes = 32

export function groupBytes({ words, index, heap, values, valueBytes, calendar, chains, changed, removed, rows }: KeyGroup): number {
  return (
    words.byteLength +
    index.byteLength +
    heap.bytes.byteLength +
    values.length * rows * plainValueBytes +
    valueBytes +
    changed.byteLength +
    removed.byteLength +
    (calendar === null ? 0 : calendarBytes(calendar)) +
    (chains === null ? 0 : chains.heads.byteLength)
  )
}

/** Puts a value into a slot of one of the group's `values`. */
export function keepValue(group: KeyGroup, kept: unknown[], slot: number, value: unknown): void {
  group.valueBytes += valueBytes(value) - valueBytes(kept[slot])
  kept[slot] = value
}

/** Makes room for at least one more row. */
export function growGroup(group: KeyGroup): void {
  setCapacity(group, group.capacity === 0 ? Math.ceil(8 * growth ** group.spread) : Math.ceil(group.capacity * growth))
}

/** Makes room for `rows` rows in one go, when it is known how many come, with a different reserve in every group. */
export function reserveGroup(group: KeyGroup, rows: number): void {
  if (rows > group.capacity) setCapacity(group, Math.ceil(rows * (1.02 + (growth - 1.02) * group.spread)) + 4)
}

/** Gives memory back where three quarters of it lie idle. */
function shrinkGroup(group: KeyGroup): void {
  if (group.capacity > 64 && group.rows < group.capacity / 4) setCapacity(group, Math.ceil(group.rows * growth ** (0.5 + group.spread)) + 8)
  const { heap, words, rows, layout } = group
  if (group.chains !== null) shrinkChains(group.chains)
  if (heap.dead > 1024 && heap.dead > heap.used / 2) compactHeap(heap, 0, words, rows, layout.stride, layout.strings)
}

function setCapacity(group: KeyGroup, capacity: number): void {
  const { stride } = group.layout
  if (group.rows >= maxRows) {
    throw new InvalidQueryError('STATE_STORE_KEY_GROUP_TOO_LARGE', {
      what: `key group ${group.number} of the state holds ${group.rows} keys, and no group may hold more`,
      todo: 'start a new checkpoint with more key groups, or let the state forget more (a watermark with a shorter delay)',
    })
  }
  group.capacity = Math.min(capacity, maxRows)
  group.words = withRoom(group.words, group.capacity * stride)
  const { buffer, byteLength } = group.words
  group.doubles = new Float64Array(buffer, 0, byteLength / 8)
  group.floats = new Float32Array(buffer, 0, byteLength / 4)
  group.index = new Uint32Array(Math.ceil(group.capacity / fullest) + 1)
  indexRows(group.index, group.words, stride, 0, group.rows)
}

const slotBits = 0xff_ffff
const maxRows = slotBits - 1

function indexRows(index: Uint32Array, words: Int32Array, stride: number, from: number, to: number): void {
  const size = index.length
  const scale = size / 4294967296
  for (let slot = from; slot < to; slot++) {
    let place = ((words[slot * stride + 1]! >>> 0) * scale) | 0
    while (index[place] !== 0) if (++place === size) place = 0
    index[place] = (words[slot * stride + 2]! << 24) | (slot + 1)
  }
}

/** Enters records that were put into the slots from..rows-1, whose key ids are new, into index and calendar. */
export function enterRows(group: KeyGroup, from: number): void {
  indexRows(group.index, group.words, group.layout.stride, from, group.rows)
  linkNewRows(group, from)
}

/** Enters the rows from `from` on into the calendar and into the chains of their keys. Their event times are in place. */
export function linkNewRows({ calendar, chains, words, rows }: KeyGroup, from: number): void {
  if (chains !== null) for (let slot = from; slot < rows; slot++) linkToKey(chains, words, slot)
  if (calendar !== null) for (let slot = from; slot < rows; slot++) linkRow(calendar, words, slot, rows)
}

/**
 * Finds each key of a segment or gives it the next free record: `at[k]` is the record's first word, `fresh[k]` 1 for a new one. Stops where the group
 * is full and returns the position it got to; the caller grows the group and goes on.
 */
export function findOrInsert(
  group: KeyGroup,
  keyIds: Int32Array,
  order: Uint32Array,
  from: number,
  to: number,
  at: Uint32Array,
  fresh: Uint8Array,
): number {
  const {
    words,
    index,
    capacity,
    layout: { stride },
  } = group
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
    let record = -1
    for (let entry = index[place]!; entry !== 0; entry = index[place]!) {
      if (((entry >>> 24) ^ (c & 0xff)) === 0) {
        const w = ((entry & slotBits) - 1) * stride
        if (words[w + 1] === b && words[w] === a && words[w + 2] === c && words[w + 3] === d) {
          record = w
          break
        }
      }
      if (++place === size) place = 0
    }
    if (record >= 0) fresh[k] = 0
    else {
      if (rows === capacity) break
      record = rows * stride
      index[place] = (c << 24) | ++rows
      // a removed row may have left something: a record starts clean
      for (let i = statusWord; i < stride; i++) words[record + i] = 0
      words[record] = a
      words[record + 1] = b
      words[record + 2] = c
      words[record + 3] = d
      fresh[k] = 1
    }
    at[k] = record
  }
  group.rows = rows
  return k
}

/**
 * Reads what findOrInsert is going to read. These loads don't wait for each other, those of a search do: this brings them into the cache together.
 * Returns a number of no meaning, so that nothing is optimised away.
 */
export function touchPlaces(group: KeyGroup, keyIds: Int32Array, order: Uint32Array, from: number, to: number, at: Uint32Array): number {
  const {
    words,
    index,
    layout: { stride },
  } = group
  const scale = index.length / 4294967296
  let sum = 0
  if (index.length === 0) return sum
  for (let k = from; k < to; k++) {
    const key = 4 * order[k]!
    const entry = index[((keyIds[key + 1]! >>> 0) * scale) | 0]!
    at[k] = entry === 0 || ((entry >>> 24) ^ (keyIds[key + 2]! & 0xff)) !== 0 ? 0 : ((entry & slotBits) - 1) * stride
  }
  for (let k = from; k < to; k++) sum ^= words[at[k]!]! ^ words[at[k]! + stride - 1]!
  return sum
}

/** The greatest number of a row, where a key may have many; 0: there is none. */
export function highestRow({ words, rows, layout: { stride } }: KeyGroup): number {
  let most = 0
  for (let slot = 0; slot < rows; slot++) most = Math.max(most, rowNumberAt(words, slot * stride))
  return most
}

/** The slots of those keys that are there; `keys` are their numbers in `keyIds`. */
export function findKeys({ words, index, layout: { stride } }: KeyGroup, keyIds: Int32Array, keys: Uint32Array): Uint32Array {
  const slots = new Uint32Array(keys.length)
  const size = index.length
  const scale = size / 4294967296
  let found = 0
  for (let k = 0; k < keys.length && size > 0; k++) {
    const key = 4 * keys[k]!
    let place = ((keyIds[key + 1]! >>> 0) * scale) | 0
    for (let entry = index[place]!; entry !== 0; entry = index[place]!) {
      const w = ((entry & slotBits) - 1) * stride
      if (
        words[w + 1] === keyIds[key + 1] &&
        words[w] === keyIds[key] &&
        words[w + 2] === keyIds[key + 2] &&
        words[w + 3] === keyIds[key + 3]
      ) {
        slots[found++] = (entry & slotBits) - 1
        break
      }
      if (++place === size) place = 0
    }
  }
  return slots.subarray(0, found)
}

// ---- removal --------------------------------------------------------------------------------------------------------------------------------

/** Slots of rows whose event time is <= the watermark given by its halves, out of the calendar, in descending order. */
export function dueSlots({ calendar, words, rows }: KeyGroup, high: number, low: number): Uint32Array {
  if (calendar === null || calendar.first === calendar.end) return noSlots
  if (dueScratch.length < rows) dueScratch = new Uint32Array(rows * 2)
  const count = takeDue(calendar, words, high, low, dueScratch)
  return count === 0 ? noSlots : dueScratch.slice(0, count).sort().reverse()
}
const noSlots = new Uint32Array(0)
let dueScratch = new Uint32Array(1024)

/** Takes the rows of a segment that stand below `before` out of the calendar, since their event times are about to be written. */
export function unlinkTouched(
  { calendar, words, layout: { stride } }: KeyGroup,
  at: Uint32Array,
  from: number,
  to: number,
  before: number,
): void {
  if (calendar === null) return
  for (let k = from; k < to; k++) if (at[k]! < before * stride) unlinkRow(calendar, words, at[k]! / stride)
}
/** Enters those again. */
export function linkTouched(group: KeyGroup, at: Uint32Array, from: number, to: number, before: number): void {
  const {
    calendar,
    words,
    rows,
    layout: { stride },
  } = group
  if (calendar === null) return
  for (let k = from; k < to; k++)
    if (at[k]! < before * stride && !isLinked(calendar, words, at[k]! / stride)) linkRow(calendar, words, at[k]! / stride, rows)
}

/** Takes rows out of the calendar, for removeRows. */
export function unlinkRows({ calendar, words }: KeyGroup, slots: Uint32Array): void {
  if (calendar !== null) for (const slot of slots) unlinkRow(calendar, words, slot)
}

/** Removes rows (slots distinct and in descending order, already out of the calendar); other rows move into their slots. */
export function removeRows(group: KeyGroup, slots: Uint32Array): void {
  if (slots.length > 32 && slots.length * 8 > group.rows) removeMany(group, slots)
  else for (let k = 0; k < slots.length; k++) removeRow(group, slots[k]!)
  for (const values of group.values) if (values.length > group.rows) values.length = group.rows
  shrinkGroup(group)
}

/** Where many of the rows go it is cheaper to move the others together, which goes straight through memory. */
function removeMany(group: KeyGroup, slots: Uint32Array): void {
  const { words, heap, index, calendar, chains, rows } = group
  const { stride, strings } = group.layout
  for (const slot of slots) {
    dropValues(group, slot)
    for (const offset of strings) heap.dead += words[slot * stride + offset + 1]! >>> 0
    if (chains !== null) unlinkFromKey(chains, words, slot)
  }
  const movedTo = new Int32Array(rows)
  let to = slots.at(-1)!
  for (let slot = 0; slot < to; slot++) movedTo[slot] = slot
  for (let k = slots.length - 1; k >= 0; k--) {
    const from = slots[k]! + 1
    const end = k === 0 ? rows : slots[k - 1]!
    words.copyWithin(to * stride, from * stride, end * stride)
    for (const values of group.values) values.copyWithin(to, from, end)
    for (let slot = from; slot < end; slot++) movedTo[slot] = to++
  }
  group.rows = to
  index.fill(0)
  indexRows(index, words, stride, 0, to)
  if (calendar !== null) renumberCalendar(calendar, words, to, movedTo)
  if (chains !== null) renumberChains(chains, words, to, movedTo)
  group.changedCount = 0
  for (let slot = 0; slot < to; slot++) if ((words[slot * stride + statusWord]! & dirty) !== 0) noteChanged(group, slot)
}

function dropValues(group: KeyGroup, slot: number): void {
  for (const values of group.values) group.valueBytes -= valueBytes(values[slot])
}

function removeRow(group: KeyGroup, slot: number): void {
  const {
    index,
    words,
    heap,
    layout: { stride, strings },
  } = group
  const at = slot * stride
  dropValues(group, slot)
  for (const offset of strings) heap.dead += words[at + offset + 1]! >>> 0
  if (group.chains !== null) unlinkFromKey(group.chains, words, slot)
  freePlace(index, words, stride, placeOf(index, words, stride, slot))
  const last = --group.rows
  if (last === slot) return
  index[placeOf(index, words, stride, last)] = (words[last * stride + 2]! << 24) | (slot + 1)
  copyRecord(words, at, last * stride, stride)
  for (const values of group.values) values[slot] = values[last]
  if ((words[at + statusWord]! & dirty) !== 0) noteChanged(group, slot)
  if (group.calendar !== null) relinkRow(group.calendar, words, slot)
  if (group.chains !== null) relinkToKey(group.chains, words, last, slot)
}

function copyRecord(words: Int32Array, to: number, from: number, stride: number): void {
  for (let i = 0; i < stride; i++) words[to + i] = words[from + i]!
}

function placeOf(index: Uint32Array, words: Int32Array, stride: number, slot: number): number {
  const size = index.length
  let place = ((words[slot * stride + 1]! >>> 0) * (size / 4294967296)) | 0
  while ((index[place]! & slotBits) !== slot + 1) if (++place === size) place = 0
  return place
}

/** Frees a place and shifts back those behind it that may stand nearer to where they belong. */
function freePlace(index: Uint32Array, words: Int32Array, stride: number, place: number): void {
  const size = index.length
  const scale = size / 4294967296
  let free = place
  let at = place
  for (;;) {
    if (++at === size) at = 0
    const entry = index[at]!
    if (entry === 0) break
    const home = ((words[((entry & slotBits) - 1) * stride + 1]! >>> 0) * scale) | 0
    // stays where its home lies cyclically behind the free place
    if (free <= at ? home > free && home <= at : home > free || home <= at) continue
    index[free] = entry
    free = at
  }
  index[free] = 0
}

// ---- what changed since the last commit -----------------------------------------------------------------------------------------------------

export function noteChanged(group: KeyGroup, slot: number): void {
  if (group.changedCount === group.changed.length)
    group.changed = resized(group.changed, Math.max(16, Math.ceil(group.changedCount * growth)))
  group.changed[group.changedCount++] = slot
}

/** Notes key ids as removed, before their rows go. */
export function noteRemoved(group: KeyGroup, slots: Uint32Array): void {
  const needed = 4 * (group.removedCount + slots.length)
  if (needed > group.removed.length) group.removed = resized(group.removed, Math.ceil(needed * growth))
  const {
    removed,
    words,
    layout: { stride },
  } = group
  let to = 4 * group.removedCount
  for (let k = 0; k < slots.length; k++) {
    const at = slots[k]! * stride
    removed[to++] = words[at]!
    removed[to++] = words[at + 1]!
    removed[to++] = words[at + 2]!
    removed[to++] = words[at + 3]!
  }
  group.removedCount += slots.length
}

/** Notes the identity of a row as removed that is not in the group. */
export function noteRemovedId(group: KeyGroup, id: Int32Array): void {
  if (4 * group.removedCount + 4 > group.removed.length)
    group.removed = resized(group.removed, Math.ceil((group.removed.length + 16) * growth))
  group.removed.set(id, 4 * group.removedCount++)
}

/** Leaves in `changed` each slot once that holds a changed row; returns how many. */
export function settleChanged(group: KeyGroup): number {
  const {
    changed,
    words,
    rows,
    layout: { stride },
  } = group
  let count = 0
  for (let k = 0; k < group.changedCount; k++) {
    const slot = changed[k]!
    const at = slot * stride + statusWord
    if (slot >= rows || (words[at]! & dirty) === 0) continue
    words[at]! &= ~dirty
    changed[count++] = slot
  }
  for (let k = 0; k < count; k++) words[changed[k]! * stride + statusWord]! |= dirty
  group.changedCount = count
  return count
}

/** The changes are durable: forgets them, and gives back lists that one large batch has blown up. */
export function forgetChanges(group: KeyGroup): void {
  const {
    changed,
    words,
    changedCount,
    layout: { stride },
  } = group
  for (let k = 0; k < changedCount; k++) words[changed[k]! * stride + statusWord]! &= ~dirty
  if (changed.length > 1024 && changed.length > 4 * changedCount) group.changed = new Uint32Array(0)
  if (group.removed.length > 4096 && group.removed.length > 16 * group.removedCount) group.removed = new Int32Array(0)
  group.changedCount = group.removedCount = 0
}
