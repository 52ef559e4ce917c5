/**
 * Which rows of a key group end when: chains of rows by event time, so that forgetting old rows costs what is forgotten.
 *
 * A bucket is 2^20 µs (about a second) wide, or a power of two more where rows are spread so thinly that buckets would outnumber them. Buckets lie
 * in an array sorted by time: the newest is found first, the oldest are taken from the front. `earliest` is a lower bound of the times in a bucket;
 * it spares the walk through the bucket that the watermark stands in. Rows without an event time are in no chain.
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
  numbers: Float64Array
  heads: Int32Array
  earliest: Float64Array
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
    numbers: new Float64Array(0),
    heads: new Int32Array(0),
    earliest: new Float64Array(0),
    recent: 0,
    stride,
    time: eventTime.offset,
    next: links,
    previous: links + 1,
    nullWord: eventTime.nullWord,
    nullBit: eventTime.nullBit,
  }
}

export function calendarBytes({ numbers, heads, earliest }: Calendar): number {
  return numbers.byteLength + heads.byteLength + earliest.byteLength
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
  const bucket = bucketFor(calendar, bucketNumber(calendar, high, low))
  const head = calendar.heads[bucket]!
  words[at + calendar.next] = head
  words[at + calendar.previous] = none
  if (head !== none) words[head * calendar.stride + calendar.previous] = slot
  calendar.heads[bucket] = slot
  const time = approximately(high, low) - slack
  if (time < calendar.earliest[bucket]!) calendar.earliest[bucket] = time
  if (calendar.end - calendar.first > 32 + (rows >> 4)) widen(calendar, words, rows)
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
  const bucket = findBucket(calendar, bucketNumber(calendar, words[at + calendar.time + 1]!, words[at + calendar.time]!))
  calendar.heads[bucket] = head
  if (head === none) removeBucket(calendar, bucket)
}

/** A lower bound of the times; Infinity without any. */
export function earliestIn({ first, end, earliest }: Calendar): number {
  return first < end ? earliest[first]! : Infinity
}

/** Takes every row with a time <= (high, low) out of its chain and writes its slot to `due` (which has room for all rows); returns how many. */
export function takeDue(calendar: Calendar, words: Int32Array, high: number, low: number, due: Uint32Array): number {
  const last = bucketNumber(calendar, high, low)
  let count = 0
  while (calendar.first < calendar.end && calendar.numbers[calendar.first]! < last) {
    count = takeChain(calendar, words, calendar.heads[calendar.first]!, due, count)
    calendar.first++
  }
  if (
    calendar.first < calendar.end &&
    calendar.numbers[calendar.first] === last &&
    approximately(high, low) >= calendar.earliest[calendar.first]!
  ) {
    count = takeFromChain(calendar, calendar.first, words, high, low, due, count)
    if (calendar.heads[calendar.first] === none) calendar.first++
  }
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
      earliest = Math.min(earliest, approximately(rowHigh, rowLow) - slack)
    }
    slot = following
  }
  if (kept === none) heads[bucket] = none
  else words[kept * stride + next] = none
  calendar.earliest[bucket] = earliest
  return count
}

// ---- buckets ------------------------------------------------------------------------------------------------------------------------------

/** floor(time / bucket width), exactly. */
function bucketNumber({ widening }: Calendar, high: number, low: number): number {
  const seconds = high * 4096 + (low >>> 20)
  return widening === 0 ? seconds : Math.floor(seconds / 2 ** widening)
}

/** As a double; off by at most 512 for times past the year 2255. */
function approximately(high: number, low: number): number {
  return high * 4294967296 + (low >>> 0)
}
/** More than two such doubles may be off together. */
const slack = 2048

/** The place of a bucket, or where it would be. */
function findBucket({ numbers, first, end, recent }: Calendar, number: number): number {
  if (recent >= first && recent < end && numbers[recent] === number) return recent
  if (end > first && number > numbers[end - 1]!) return end
  let low = first
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (numbers[middle]! < number) low = middle + 1
    else high = middle
  }
  return low
}

function bucketFor(calendar: Calendar, number: number): number {
  let place = findBucket(calendar, number)
  if (place === calendar.end || calendar.numbers[place] !== number) place = insertBucket(calendar, place, number)
  calendar.recent = place
  return place
}

function insertBucket(calendar: Calendar, wanted: number, number: number): number {
  const place = calendar.end < calendar.numbers.length ? wanted : wanted - makeRoom(calendar)
  const { numbers, heads, earliest, end } = calendar
  numbers.copyWithin(place + 1, place, end)
  heads.copyWithin(place + 1, place, end)
  earliest.copyWithin(place + 1, place, end)
  numbers[place] = number
  heads[place] = none
  earliest[place] = Infinity
  calendar.end++
  return place
}

/** Moves the buckets to the front, into larger arrays where they fill more than half of them; returns by how much they moved. */
function makeRoom(calendar: Calendar): number {
  const { first, end } = calendar
  const count = end - first
  calendar.numbers.copyWithin(0, first, end)
  calendar.heads.copyWithin(0, first, end)
  calendar.earliest.copyWithin(0, first, end)
  calendar.first = 0
  calendar.end = count
  if (count * 2 >= calendar.numbers.length) {
    const room = Math.max(4, count * 2)
    calendar.numbers = resized(calendar.numbers, room)
    calendar.heads = resized(calendar.heads, room)
    calendar.earliest = resized(calendar.earliest, room)
  }
  return first
}

function removeBucket(calendar: Calendar, place: number): void {
  const { numbers, heads, earliest, end } = calendar
  if (place === calendar.first) calendar.first++
  else {
    numbers.copyWithin(place, place + 1, end)
    heads.copyWithin(place, place + 1, end)
    earliest.copyWithin(place, place + 1, end)
    calendar.end--
  }
}

/** Joins each four neighbouring buckets into one, until there are few for that many rows. */
function widen(calendar: Calendar, words: Int32Array, rows: number): void {
  const { numbers, heads, earliest } = calendar
  do {
    let to = calendar.first - 1
    for (let from = calendar.first; from < calendar.end; from++) {
      const number = Math.floor(numbers[from]! / 4)
      if (to < calendar.first || numbers[to] !== number) {
        to++
        numbers[to] = number
        heads[to] = heads[from]!
        earliest[to] = earliest[from]!
      } else {
        appendChain(calendar, words, heads[from]!, heads[to]!)
        heads[to] = heads[from]!
        earliest[to] = Math.min(earliest[to]!, earliest[from]!)
      }
    }
    calendar.end = to + 1
    calendar.widening += 2
  } while (calendar.end - calendar.first > 16 + (rows >> 5))
}
/** Puts the second chain behind the first, which is walked to its end: give the shorter one first. */
function appendChain({ stride, next, previous }: Calendar, words: Int32Array, first: number, second: number): void {
  let tail = first
  while (words[tail * stride + next] !== none) tail = words[tail * stride + next]!
  words[tail * stride + next] = second
  words[second * stride + previous] = tail
}
