/**
 * Which rows of a key group end when: chains of rows by event time, so that forgetting old rows costs what is forgotten.
 *
 * A bucket is 2^20 µs (about a second) wide, or a power of two more where rows are spread so thinly that buckets would outnumber them. Buckets lie
 * in an array sorted by time: the newest is found first, the oldest are taken from the front. The one that the watermark stands in would be walked by every
 * batch while the watermark goes through it: where it keeps many rows it is split into narrower ones, down to a tick (2^10 µs). `earliest` is a lower
 * bound of the times in a bucket; it spares the walk where the watermark has not come so far. Rows without an event time are in no chain.
 *
 * The links of a chain are two words of each record (next and previous slot). Times are read as the halves of their 64 bits: no bigints.
 */
import type { RecordLayout } from './record-layout.ts'
import { resized } from './resized.ts'

export interface Calendar {
  /** How many times wider than 2^20 µs a bucket is, as a power of two. */
  widening: number
  /** Buckets first..end-1 are in use. */
  first: number
  end: number
  /** Where a bucket begins and ends, in ticks; a multiple of its width, which is a power of two. */
  starts: Float64Array
  ends: Float64Array
  heads: Int32Array
  earliest: Float64Array
  /** How many buckets are narrower than the others, since one was split. */
  narrow: number
  /** Where the last row went: the next one often goes there too. */
  recent: number
  readonly stride: number
  /** Words of a record. */
  readonly time: number
  readonly next: number
  readonly previous: number
  readonly nullWord: number
  readonly nullBit: number
}

const none = -1
const outside = -2

export function createCalendar({ stride, eventTime, links }: RecordLayout): Calendar | null {
  if (eventTime === null) return null
  return {
    widening: 0,
    first: 0,
    end: 0,
    starts: new Float64Array(0),
    ends: new Float64Array(0),
    heads: new Int32Array(0),
    earliest: new Float64Array(0),
    narrow: 0,
    recent: 0,
    stride,
    time: eventTime.offset,
    next: links,
    previous: links + 1,
    nullWord: eventTime.nullWord,
    nullBit: eventTime.nullBit,
  }
}

export function calendarBytes({ starts, ends, heads, earliest }: Calendar): number {
  return starts.byteLength + ends.byteLength + heads.byteLength + earliest.byteLength
}

/** All records have moved: what stood in slot i now stands in `movedTo[i]`. None of those that are gone is in a chain. */
export function renumberCalendar(calendar: Calendar, words: Int32Array, rows: number, movedTo: Int32Array): void {
  const { heads, first, end, stride, next, previous } = calendar
  for (let bucket = first; bucket < end; bucket++) heads[bucket] = movedTo[heads[bucket]!]!
  for (let at = 0; at < rows * stride; at += stride) {
    const before = words[at + previous]!
    if (before === outside) continue
    const after = words[at + next]!
    if (after !== none) words[at + next] = movedTo[after]!
    if (before !== none) words[at + previous] = movedTo[before]!
  }
}

/** Puts a row into its bucket. `words`: the group's records; `rows`: how many there are. */
export function linkRow(calendar: Calendar, words: Int32Array, slot: number, rows: number): void {
  const at = slot * calendar.stride
  if ((words[at + calendar.nullWord]! & calendar.nullBit) !== 0) {
    words[at + calendar.previous] = outside
    return
  }
  const high = words[at + calendar.time + 1]!
  const low = words[at + calendar.time]!
  const bucket = bucketFor(calendar, tickOf(high, low))
  const head = calendar.heads[bucket]!
  words[at + calendar.next] = head
  words[at + calendar.previous] = none
  if (head !== none) words[head * calendar.stride + calendar.previous] = slot
  calendar.heads[bucket] = slot
  const time = nearly(high, low)
  if (time < calendar.earliest[bucket]!) calendar.earliest[bucket] = time
  if (calendar.end - calendar.first - calendar.narrow > 32 + (rows >> 4)) widen(calendar, words, rows)
}

/** Whether a row is in a chain. */
export function isLinked({ stride, previous }: Calendar, words: Int32Array, slot: number): boolean {
  return words[slot * stride + previous] !== outside
}

/** Takes a row out of its chain. */
export function unlinkRow(calendar: Calendar, words: Int32Array, slot: number): void {
  const at = slot * calendar.stride
  const before = words[at + calendar.previous]!
  if (before === outside) return
  const after = words[at + calendar.next]!
  words[at + calendar.previous] = outside
  if (after !== none) words[after * calendar.stride + calendar.previous] = before
  if (before !== none) words[before * calendar.stride + calendar.next] = after
  else setHead(calendar, words, at, after)
}

/** A record has moved to `slot`, its links with it: its neighbours learn it. */
export function relinkRow(calendar: Calendar, words: Int32Array, slot: number): void {
  const at = slot * calendar.stride
  const before = words[at + calendar.previous]!
  if (before === outside) return
  const after = words[at + calendar.next]!
  if (after !== none) words[after * calendar.stride + calendar.previous] = slot
  if (before !== none) words[before * calendar.stride + calendar.next] = slot
  else setHead(calendar, words, at, slot)
}

/** Gives the bucket of the record at word `at` another first row, or none. */
function setHead(calendar: Calendar, words: Int32Array, at: number, head: number): void {
  const bucket = findBucket(calendar, tickOf(words[at + calendar.time + 1]!, words[at + calendar.time]!))
  calendar.heads[bucket] = head
  if (head === none) removeBucket(calendar, bucket)
}

/** A lower bound of the times; Infinity without any. */
export function earliestIn({ first, end, earliest }: Calendar): number {
  if (first === end) return Infinity
  return Math.abs(earliest[first]!) < 2 ** 53 ? earliest[first]! : earliest[first]! - 512
}

/** Takes every row with a time <= (high, low) out of its chain and writes its slot to `due` (which has room for all rows); returns how many. */
export function takeDue(calendar: Calendar, words: Int32Array, high: number, low: number, due: Uint32Array): number {
  const tick = tickOf(high, low)
  let count = 0
  while (calendar.first < calendar.end && calendar.ends[calendar.first]! <= tick) {
    count = takeChain(calendar, words, calendar.heads[calendar.first]!, due, count)
    removeBucket(calendar, calendar.first)
  }
  const { first, end } = calendar
  if (first < end && calendar.starts[first]! <= tick && nearly(high, low) >= calendar.earliest[first]!)
    count = takeFromChain(calendar, first, words, high, low, due, count)
  if (calendar.first === calendar.end) calendar.first = calendar.end = calendar.widening = 0
  return count
}

function takeChain({ stride, next, previous }: Calendar, words: Int32Array, head: number, due: Uint32Array, from: number): number {
  let count = from
  for (let slot = head; slot !== none; slot = words[slot * stride + next]!) {
    due[count++] = slot
    words[slot * stride + previous] = outside
  }
  return count
}

function takeFromChain(
  calendar: Calendar,
  bucket: number,
  words: Int32Array,
  high: number,
  low: number,
  due: Uint32Array,
  from: number,
): number {
  const { stride, next, previous, time, heads } = calendar
  let count = from
  let earliest = Infinity
  let kept = none
  let keptRows = 0
  for (let slot = heads[bucket]!; slot !== none; ) {
    const at = slot * stride
    const following = words[at + next]!
    const rowHigh = words[at + time + 1]!
    const rowLow = words[at + time]!
    if (rowHigh < high || (rowHigh === high && rowLow >>> 0 <= low >>> 0)) {
      due[count++] = slot
      words[at + previous] = outside
    } else {
      words[at + previous] = kept
      if (kept === none) heads[bucket] = slot
      else words[kept * stride + next] = slot
      kept = slot
      keptRows++
      earliest = Math.min(earliest, nearly(rowHigh, rowLow))
    }
    slot = following
  }
  if (kept === none) {
    removeBucket(calendar, bucket)
    return count
  }
  words[kept * stride + next] = none
  calendar.earliest[bucket] = earliest
  if (keptRows >= worthASplit && calendar.ends[bucket]! - calendar.starts[bucket]! > 1) split(calendar, words, keptRows)
  return count
}

// ---- buckets ------------------------------------------------------------------------------------------------------------------------------

const ticksInBucket = 2 ** 10

/** floor(time / 2^10 µs), exactly: 53 bits. */
function tickOf(high: number, low: number): number {
  return high * 4194304 + (low >>> 10)
}

/** A time as a double; the order of two times stays, though one past the year 2255 is off by up to 512. */
function nearly(high: number, low: number): number {
  return high * 4294967296 + (low >>> 0)
}

/** The place of the bucket that holds a tick, or where it would be. */
function findBucket({ starts, ends, first, end, recent }: Calendar, tick: number): number {
  if (recent >= first && recent < end && tick >= starts[recent]! && tick < ends[recent]!) return recent
  if (end > first && tick >= ends[end - 1]!) return end
  let low = first
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ends[middle]! <= tick) low = middle + 1
    else high = middle
  }
  return low
}

function bucketFor(calendar: Calendar, tick: number): number {
  let place = findBucket(calendar, tick)
  if (place === calendar.end || calendar.starts[place]! > tick) place = insertBucket(calendar, place, tick)
  calendar.recent = place
  return place
}

/** As wide as the others, or what is left beside neighbours that are parts of a wider one. */
function insertBucket(calendar: Calendar, wanted: number, tick: number): number {
  const place = calendar.end < calendar.starts.length ? wanted : wanted + makeRoom(calendar, 0, 1)
  const { starts, ends, heads, earliest, first, end } = calendar
  const usual = usualWidth(calendar)
  const from = place > first ? ends[place - 1]! : -Infinity
  const to = place < end ? starts[place]! : Infinity
  let width = usual
  let start = Math.floor(tick / width) * width
  while (start < from || start + width > to) {
    width /= 2
    start = Math.floor(tick / width) * width
  }
  if (width < usual) calendar.narrow++
  for (const column of [starts, ends, heads, earliest]) column.copyWithin(place + 1, place, end)
  starts[place] = start
  ends[place] = start + width
  heads[place] = none
  earliest[place] = Infinity
  calendar.end++
  return place
}

function usualWidth({ widening }: Calendar): number {
  return ticksInBucket * 2 ** widening
}

/** Moves the buckets so that there are some free places before and behind them, into larger arrays where they fill more than half of them; returns by how much. */
function makeRoom(calendar: Calendar, before: number, behind: number): number {
  const { first, end } = calendar
  const count = end - first
  const room = before + count + behind
  const places = Math.max(4, room * 2)
  const isRoomy = room * 2 <= calendar.starts.length
  const moved = <T extends Float64Array | Int32Array>(column: T): T => {
    const to = isRoomy ? column : (resized(column, places) as T)
    to.copyWithin(before, first, end)
    return to
  }
  calendar.starts = moved(calendar.starts)
  calendar.ends = moved(calendar.ends)
  calendar.heads = moved(calendar.heads)
  calendar.earliest = moved(calendar.earliest)
  calendar.first = before
  calendar.end = before + count
  return before - first
}

function removeBucket(calendar: Calendar, place: number): void {
  const { starts, ends, heads, earliest, end } = calendar
  if (ends[place]! - starts[place]! < usualWidth(calendar)) calendar.narrow--
  if (place === calendar.first) calendar.first++
  else {
    for (const column of [starts, ends, heads, earliest]) column.copyWithin(place, place + 1, end)
    calendar.end--
  }
}

const worthASplit = 64
/** At most so many parts, each of which is to get some sixteen rows. */
const mostParts = 64
const partHeads = new Int32Array(mostParts)
const partEarliest = new Float64Array(mostParts)

/** Puts parts in the place of the first bucket, which has so many rows. */
function split(calendar: Calendar, words: Int32Array, rows: number): void {
  const { stride, next, previous, time } = calendar
  const from = calendar.starts[calendar.first]!
  const width = calendar.ends[calendar.first]! - from
  const parts = Math.min(mostParts, width, 2 ** Math.floor(Math.log2(rows / 16)))
  const partWidth = width / parts
  partHeads.fill(none)
  partEarliest.fill(Infinity)
  for (let slot = calendar.heads[calendar.first]!; slot !== none; ) {
    const at = slot * stride
    const following = words[at + next]!
    const high = words[at + time + 1]!
    const low = words[at + time]!
    const part = Math.floor((tickOf(high, low) - from) / partWidth)
    const head = partHeads[part]!
    words[at + next] = head
    words[at + previous] = none
    if (head !== none) words[head * stride + previous] = slot
    partHeads[part] = slot
    partEarliest[part] = Math.min(partEarliest[part]!, nearly(high, low))
    slot = following
  }
  removeBucket(calendar, calendar.first)
  if (calendar.first < parts) makeRoom(calendar, parts, 0)
  for (let part = parts - 1; part >= 0; part--) {
    if (partHeads[part] === none) continue
    const place = --calendar.first
    calendar.starts[place] = from + part * partWidth
    calendar.ends[place] = from + (part + 1) * partWidth
    calendar.heads[place] = partHeads[part]!
    calendar.earliest[place] = partEarliest[part]!
    calendar.narrow++
  }
}

/** Joins each four neighbouring buckets into one, until there are few for that many rows. */
function widen(calendar: Calendar, words: Int32Array, rows: number): void {
  const { starts, ends, heads, earliest } = calendar
  do {
    calendar.widening += 2
    const width = usualWidth(calendar)
    let to = calendar.first - 1
    for (let from = calendar.first; from < calendar.end; from++) {
      const start = Math.floor(starts[from]! / width) * width
      if (to < calendar.first || starts[to] !== start) {
        to++
        starts[to] = start
        ends[to] = start + width
        heads[to] = heads[from]!
        earliest[to] = earliest[from]!
      } else {
        appendChain(calendar, words, heads[from]!, heads[to]!)
        heads[to] = heads[from]!
        earliest[to] = Math.min(earliest[to]!, earliest[from]!)
      }
    }
    calendar.end = to + 1
    calendar.narrow = 0
  } while (calendar.end - calendar.first > 16 + (rows >> 5))
}
/** Puts the second chain behind the first, which is walked to its end: give the shorter one first. */
function appendChain({ stride, next, previous }: Calendar, words: Int32Array, first: number, second: number): void {
  let tail = first
  while (words[tail * stride + next] !== none) tail = words[tail * stride + next]!
  words[tail * stride + next] = second
  words[second * stride + previous] = tail
}
