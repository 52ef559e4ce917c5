/**
 * Interval text as Spark reads it: `3 days`, `interval 1 day 2 hours 3.5 seconds`, `interval '3' day`, `interval '1 2:3:4' day to second`.
 * Months, days and microseconds are kept apart, since neither a month nor a day has a length of its own.
 */
import { InvalidQueryError } from '../base/errors.ts'

export interface Interval {
  readonly months: number
  readonly days: number
  readonly microseconds: bigint
}

const usPerSecond = 1_000_000n
const usPerMinute = 60n * usPerSecond
const usPerHour = 60n * usPerMinute
export const usPerDay = 24n * usPerHour

/** Reads an interval, or throws InvalidQueryError CANNOT_PARSE_INTERVAL. */
export function parseInterval(text: string): Interval {
  const interval = typeof text === 'string' ? readInterval(text) : undefined
  if (interval) return interval
  throw new InvalidQueryError('CANNOT_PARSE_INTERVAL', {
    what: `unable to parse ${JSON.stringify(text)} as an interval`,
    todo: "write numbers with units from microseconds to years, such as '10 seconds', '1 day 2 hours' or interval '1 2:3:4' day to second",
  })
}

/** An interval of fixed length in microseconds; days count 24 hours. InvalidQueryError where it holds months or years. */
export function parseIntervalUs(text: string): bigint {
  const { months, days, microseconds } = parseInterval(text)
  if (months === 0) return BigInt(days) * usPerDay + microseconds
  throw new InvalidQueryError('UNSUPPORTED_MONTH_INTERVAL', {
    what: `the interval ${JSON.stringify(text)} holds months or years, which have no fixed length`,
    todo: 'write it in days or weeks',
  })
}

/** As parseIntervalUs, in whole milliseconds (cut off towards zero). */
export function parseIntervalMs(text: string): number {
  return Number(parseIntervalUs(text) / 1000n)
}

/** A watermark's delay in milliseconds: a month counts 31 days, and the sum must not be negative. */
export function parseWatermarkDelayMs(text: string): number {
  const ms = parseDurationMs(text)
  if (ms < 0) {
    throw new InvalidQueryError('NEGATIVE_WATERMARK_DELAY', {
      what: `the delay threshold (${text}) should not be negative.`,
      todo: 'give how far behind the newest event a row may be, such as "10 minutes" or "0 seconds"',
    })
  }
  if (ms > maxDelayMs) {
    throw new InvalidQueryError('WATERMARK_DELAY_TOO_LONG', {
      what: `the delay threshold (${text}) is longer than 100000 years`,
      todo: 'leave withWatermark out where no row is ever to be late',
    })
  }
  return ms
}
const maxDelayMs = 100_000 * 366 * 86_400_000

/** How long an interval is in whole milliseconds (cut off towards zero), where a month counts 31 days. */
export function parseDurationMs(text: string): number {
  const { months, days, microseconds } = parseInterval(text)
  return Number(((BigInt(months) * 31n + BigInt(days)) * usPerDay + microseconds) / 1000n)
}

/** Microseconds as text with the largest units that fit: `1 hour 30 minutes`. */
export function intervalText(us: bigint): string {
  if (us === 0n) return '0 seconds'
  let rest = us < 0n ? -us : us
  const parts: string[] = []
  for (const [name, size] of writtenUnits) {
    const count = rest / size
    rest %= size
    if (count > 0n) parts.push(`${us < 0n ? '-' : ''}${count} ${name}${count === 1n ? '' : 's'}`)
  }
  return parts.join(' ')
}

const writtenUnits: readonly (readonly [string, bigint])[] = [
  ['day', usPerDay],
  ['hour', usPerHour],
  ['minute', usPerMinute],
  ['second', usPerSecond],
  ['millisecond', 1000n],
  ['microsecond', 1n],
]

type Unit = (count: bigint) => Interval
const ofMonths =
  (size: bigint): Unit =>
  (count) => ({ months: Number(count * size), days: 0, microseconds: 0n })
const ofDays =
  (size: bigint): Unit =>
  (count) => ({ months: 0, days: Number(count * size), microseconds: 0n })
const ofTime =
  (size: bigint): Unit =>
  (count) => ({ months: 0, days: 0, microseconds: count * size })
const units: Readonly<Record<string, Unit>> = {
  year: ofMonths(12n),
  month: ofMonths(1n),
  week: ofDays(7n),
  day: ofDays(1n),
  hour: ofTime(usPerHour),
  minute: ofTime(usPerMinute),
  second: ofTime(usPerSecond),
  millisecond: ofTime(1000n),
  microsecond: ofTime(1n),
}

function readInterval(text: string): Interval | undefined {
  const body = /^\s*(?:interval(?=[\s'+-]))?\s*(.*?)\s*$/is.exec(text)?.[1]?.toLowerCase()
  if (!body) return undefined
  return readAnsi(body) ?? readUnits(body)
}

/** `'1 2:3:4' day to second` and its relatives: what stands inside must have just the fields that are named. */
function readAnsi(body: string): Interval | undefined {
  const match = /^([+-]?)\s*'\s*([^']*?)\s*'\s*(year|day|hour|minute)s?\s+to\s+(month|hour|minute|second)s?$/.exec(body)
  if (!match) return undefined
  const [, outer, value = '', from = '', to = ''] = match
  const fields = ansiForms[`${from} to ${to}`]?.exec(value)
  if (!fields) return undefined
  const { sign, year, month, day, hour, minute, second, fraction } = fields.groups as Record<string, string | undefined>
  if (Number(month ?? 0) > 11 || (day !== undefined && Number(hour ?? 0) > 23)) return undefined
  if ((from !== 'minute' && Number(minute ?? 0) > 59) || Number(second ?? 0) > 59) return undefined
  const negative = (outer === '-') !== (sign === '-')
  return signed(negative, {
    months: Number(year ?? 0) * 12 + Number(month ?? 0),
    days: Number(day ?? 0),
    microseconds: BigInt(hour ?? 0) * usPerHour + BigInt(minute ?? 0) * usPerMinute + secondsUs(second ?? '0', fraction ?? ''),
  })
}

const sign = '(?<sign>[+-]?)'
const seconds = '(?<second>\\d{1,2})(?:\\.(?<fraction>\\d{1,9}))?'
const ansiForms: Readonly<Record<string, RegExp>> = {
  'year to month': new RegExp(`^${sign}(?<year>\\d+)-(?<month>\\d{1,2})$`),
  'day to hour': new RegExp(`^${sign}(?<day>\\d+)\\s+(?<hour>\\d{1,2})$`),
  'day to minute': new RegExp(`^${sign}(?<day>\\d+)\\s+(?<hour>\\d{1,2}):(?<minute>\\d{1,2})$`),
  'day to second': new RegExp(`^${sign}(?<day>\\d+)\\s+(?<hour>\\d{1,2}):(?<minute>\\d{1,2}):${seconds}$`),
  'hour to minute': new RegExp(`^${sign}(?<hour>\\d+):(?<minute>\\d{1,2})$`),
  'hour to second': new RegExp(`^${sign}(?<hour>\\d+):(?<minute>\\d{1,2}):${seconds}$`),
  'minute to second': new RegExp(`^${sign}(?<minute>\\d+):${seconds}$`),
}

/** One or more of `<number> <unit>`; the number may stand in quotes, and number and unit may stand in quotes together. */
function readUnits(body: string): Interval | undefined {
  const whole = /^([+-]?)\s*'([^']*)'$/.exec(body)
  if (whole) {
    const inner = /'/.test(whole[2]!) ? undefined : readUnits(whole[2]!.trim())
    return inner && signed(whole[1] === '-', inner)
  }
  let sum: Interval = { months: 0, days: 0, microseconds: 0n }
  const part = /\s*([+-]?)\s*(?:'\s*([+-]?)\s*(\d+)(?:\.(\d{1,9}))?\s*'|(\d+)(?:\.(\d{0,9}))?)\s*([a-z]+)(?=\s|$)/y
  while (part.lastIndex < body.length) {
    const match = part.exec(body)
    if (!match) return undefined
    const [, outer, inner, quoted, quotedFraction, plain, plainFraction, word = ''] = match
    const read = readPart((quoted ?? plain)!, quotedFraction ?? plainFraction, word)
    if (!read) return undefined
    sum = add(sum, signed((outer === '-') !== (inner === '-'), read))
  }
  return Number.isSafeInteger(sum.months) && Number.isSafeInteger(sum.days) ? sum : undefined
}

function readPart(whole: string, fraction: string | undefined, word: string): Interval | undefined {
  const name = word.endsWith('s') ? word.slice(0, -1) : word
  const unit = Object.hasOwn(units, name) ? units[name] : undefined
  if (!unit) return undefined
  if (fraction === undefined) return unit(BigInt(whole))
  // only seconds may have a fraction
  return name === 'second' ? { months: 0, days: 0, microseconds: secondsUs(whole, fraction) } : undefined
}

function secondsUs(whole: string, fraction: string): bigint {
  return BigInt(whole) * usPerSecond + BigInt(fraction.slice(0, 6).padEnd(6, '0'))
}
function signed(negative: boolean, { months, days, microseconds }: Interval): Interval {
  return negative ? { months: 0 - months, days: 0 - days, microseconds: -microseconds } : { months, days, microseconds }
}
function add(a: Interval, b: Interval): Interval {
  return { months: a.months + b.months, days: a.days + b.days, microseconds: a.microseconds + b.microseconds }
}
