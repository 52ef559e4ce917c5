/**
 * Which rows of a key group end when: chains of slots by event time, so that forgetting old rows costs what is forgotten.
 *
 * A bucket is 2^20 µs (about a second) wide, or a power of two more where rows are spread so thinly that buckets would outnumber them. Buckets lie
 * in an array sorted by time: the newest is found first, the oldest are taken from the front. `earliest` is a lower bound of the times in a bucket;
 * it spares the walk through the bucket that the watermark stands in. Rows without an event time are in no chain.
 *
 * Times are read as the halves of their 64 bits, so that nothing here makes a bigint.
 */
import { resized } from './group-column.ts'

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
  /** By slot: the neighbours in its chain; -1 none. `previous` -2: the row is in no chain. */
  next: Int32Array
  previous: Int32Array
}

const none = -1
const outside = -2

export function createCalendar(): Calendar {
  return {
    widening: 0, first: 0, end: 0, numbers: new Float64Array(0), heads: new Int32Array(0), earliest: new Float64Array(0), recent: 0,
    next: new Int32Array(0), previous: new Int32Array(0),
  }
}

export function resizeCalendar(calendar: Calendar, capacity: number): void {
  calendar.next = resized(calendar.next, capacity)
  calendar.previous = resized(calendar.previous, capacity)
}

export function calendarBytes({ next, previous, numbers, heads, earliest }: Calendar): number {
  return next.byteLength + previous.byteLength + numbers.byteLength + heads.byteLength + earliest.byteLength
}

/** Puts a row into its bucket. `times`: the group's event times as halves; `valid` their validity. `rows`: how many the group holds. */
export function linkRow(calendar: Calendar, times: Int32Array, valid: Uint8Array | null, slot: number, rows: number): void {
  if (valid !== null && valid[slot] === 0) {
    calendar.previous[slot] = outside
    return
  }
  const bucket = bucketFor(calendar, bucketNumber(calendar, times, slot))
  const head = calendar.heads[bucket]!
  calendar.next[slot] = head
  calendar.previous[slot] = none
  if (head !== none) calendar.previous[head] = slot
  calendar.heads[bucket] = slot
  const time = approximately(times, slot) - slack
  if (time < calendar.earliest[bucket]!) calendar.earliest[bucket] = time
  if (calendar.end - calendar.first > 32 + (rows >> 4)) widen(calendar, rows)
}

/** Takes a row out of its chain. */
export function unlinkRow(calendar: Calendar, times: Int32Array, slot: number): void {
  const { next, previous, heads } = calendar
  const before = previous[slot]!
  if (before === outside) return
  const after = next[slot]!
  if (after !== none) previous[after] = before
  if (before !== none) next[before] = after
  else {
    const bucket = findBucket(calendar, bucketNumber(calendar, times, slot))
    heads[bucket] = after
    if (after === none) removeBucket(calendar, bucket)
  }
  previous[slot] = outside
}

/** Row `from` becomes row `to`: its neighbours learn it. `times` still holds its time at `from`. */
export function relinkRow(calendar: Calendar, times: Int32Array, from: number, to: number): void {
  const { next, previous, heads } = calendar
  const before = previous[from]!
  const after = next[from]!
  previous[to] = before
  next[to] = after
  if (before === outside) return
  if (after !== none) previous[after] = to
  if (before !== none) next[before] = to
  else heads[findBucket(calendar, bucketNumber(calendar, times, from))] = to
}

/** Takes every row with a time <= (high, low) out of its chain and writes its slot to `due` (which has room for all rows); returns how many. */
export function takeDue(calendar: Calendar, times: Int32Array, high: number, low: number, due: Uint32Array): number {
  const watermark = high * 4294967296 + (low >>> 0)
  const last = Math.floor((high * 4096 + (low >>> 20)) / 2 ** calendar.widening)
  let count = 0
  while (calendar.first < calendar.end && calendar.numbers[calendar.first]! < last) {
    count = takeChain(calendar, calendar.heads[calendar.first]!, due, count)
    calendar.first++
  }
  if (calendar.first < calendar.end && calendar.numbers[calendar.first] === last && watermark >= calendar.earliest[calendar.first]!) {
    count = takeFromChain(calendar, calendar.first, times, high, low, due, count)
    if (calendar.heads[calendar.first] === none) calendar.first++
  }
  if (calendar.first === calendar.end) calendar.first = calendar.end = calendar.widening = 0
  return count
}

function takeChain({ next, previous }: Calendar, head: number, due: Uint32Array, from: number): number {
  let count = from
  for (let slot = head; slot !== none; slot = next[slot]!) {
    due[count++] = slot
    previous[slot] = outside
  }
  return count
}

function takeFromChain(calendar: Calendar, bucket: number, times: Int32Array, high: number, low: number, due: Uint32Array, from: number): number {
  const { next, previous, heads } = calendar
  let count = from
  let earliest = Infinity
  let kept = none
  for (let slot = heads[bucket]!; slot !== none; ) {
    const following = next[slot]!
    const slotHigh = times[2 * slot + 1]!
    if (slotHigh < high || (slotHigh === high && (times[2 * slot]! >>> 0) <= (low >>> 0))) {
      due[count++] = slot
      previous[slot] = outside
    } else {
      previous[slot] = kept
      if (kept === none) heads[bucket] = slot
      else next[kept] = slot
      kept = slot
      earliest = Math.min(earliest, approximately(times, slot) - slack)
    }
    slot = following
  }
  if (kept === none) heads[bucket] = none
  else next[kept] = none
  calendar.earliest[bucket] = earliest
  return count
}

// ---- buckets ------------------------------------------------------------------------------------------------------------------------------

/** floor(time / bucket width), exactly. */
function bucketNumber({ widening }: Calendar, times: Int32Array, slot: number): number {
  const seconds = times[2 * slot + 1]! * 4096 + (times[2 * slot]! >>> 20)
  return widening === 0 ? seconds : Math.floor(seconds / 2 ** widening)
}

/** As a double; off by at most `slack` for times past the year 2255. */
function approximately(times: Int32Array, slot: number): number {
  return times[2 * slot + 1]! * 4294967296 + (times[2 * slot]! >>> 0)
}
/** Twice what a double may be off by at 2^63: the watermark is rounded too. */
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
  let place = wanted
  if (calendar.end === calendar.numbers.length) place -= makeRoom(calendar)
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
function widen(calendar: Calendar, rows: number): void {
  const { next, previous, numbers, heads, earliest } = calendar
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
        heads[to] = joined(next, previous, heads[to]!, heads[from]!)
        earliest[to] = Math.min(earliest[to]!, earliest[from]!)
      }
    }
    calendar.end = to + 1
    calendar.widening += 2
  } while (calendar.end - calendar.first > 16 + (rows >> 5))
}
/** Puts the second chain behind the first. */
function joined(next: Int32Array, previous: Int32Array, first: number, second: number): number {
  let tail = first
  while (next[tail] !== none) tail = next[tail]!
  next[tail] = second
  previous[second] = tail
  return first
}
