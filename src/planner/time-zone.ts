/**
 * The session's time zone (spark.sql.session.timeZone) while a plan becomes SQL. Timestamps are microseconds of UTC in DuckDB; what depends on
 * the clock on the wall goes through toLocal and fromLocal.
 *
 * The zone is a constant of the whole plan, and nearly every function may need it somewhere below, so it is not handed down from call to
 * call: planning is synchronous, and `inTimeZone` sets it for as long as its function runs.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { stringLiteral } from './sql-text.ts'

let session = 'UTC'

/** What `work` gives, with the zone as the session's. `work` must not be asynchronous. */
export function inTimeZone<T>(zone: string, work: () => T): T {
  checkTimeZone(zone)
  const before = session
  session = zone
  try {
    return work()
  } finally {
    session = before
  }
}
export function sessionTimeZone(): string {
  return session
}

const utc = /^(?:UTC|GMT|Z|UT|UCT|Zulu|Etc\/(?:UTC|GMT|UCT|Zulu)|(?:UTC|GMT|UT)?[+-]0{1,2}(?::?00)?)$/i
const offset = /^(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?$/

/** The offset of a zone such as +05:30 or GMT-8 in seconds, or undefined for one that has a name. */
export function fixedOffset(zone: string): number | undefined {
  if (utc.test(zone)) return 0
  const match = offset.exec(zone)
  if (!match) return undefined
  const seconds = Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0)
  return seconds > 18 * 3600 || Number(match[3] ?? 0) > 59 ? undefined : match[1] === '-' ? -seconds : seconds
}

/** InvalidQueryError INVALID_TIMEZONE for a name that there is not. */
export function checkTimeZone(zone: string): void {
  if (fixedOffset(zone) !== undefined || isRegion(zone)) return
  throw new InvalidQueryError('INVALID_TIMEZONE', {
    what: `the timezone: ${zone} is invalid`,
    todo: "give a region such as 'America/Los_Angeles', an offset such as '+08:00', or 'UTC'",
  })
}
function isRegion(zone: string): boolean {
  if (/^[+-]/.test(zone)) return false
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

const shift = (time: string, seconds: number) => (seconds === 0 ? time : `make_timestamp(epoch_us(${time}) + ${seconds * 1_000_000})`)

/** An instant as what the clock shows at that time, in the session's zone or another one. */
export function toLocal(time: string, zone: string = session): string {
  const seconds = fixedOffset(zone)
  return seconds === undefined ? regionLocal(time, stringLiteral(zone)) : shift(time, seconds)
}
/** The instant at which the clock shows a time. One that is left out in spring counts on from before; of two in autumn it is the earlier. */
export function fromLocal(local: string, zone: string = session): string {
  const seconds = fixedOffset(zone)
  return seconds === undefined ? regionInstant(local, stringLiteral(zone)) : shift(local, -seconds)
}

function regionLocal(time: string, zone: string): string {
  return `timezone(${zone}, timezone('UTC', ${time}))`
}
/** Of two instants DuckDB takes the later one. The earlier one has the offset of the day before. */
function regionInstant(local: string, zone: string): string {
  const instant = `timezone('UTC', timezone(${zone}, z.l))`
  const dayBefore = `(z.i - INTERVAL 1 DAY)`
  const earlier = `(z.l - (${regionLocal(dayBefore, zone)} - ${dayBefore}))`
  return (
    `list_transform(list_transform([${local}], lambda l: struct_pack(l := l, i := ${instant.replace('z.l', 'l')})), ` +
    `lambda z: CASE WHEN ${earlier} < z.i AND ${regionLocal(earlier, zone)} = z.l THEN ${earlier} ELSE z.i END)[1]`
  )
}

/** As toLocal and fromLocal, for a zone that a column gives. */
export function toLocalOf(time: string, zone: string): string {
  return ofColumn(time, zone, regionLocal, '+')
}
export function fromLocalOf(local: string, zone: string): string {
  return ofColumn(local, zone, regionInstant, '-')
}
function ofColumn(time: string, zone: string, region: (time: string, zone: string) => string, sign: '+' | '-'): string {
  const pattern = "'^(?:UTC|GMT|UT)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?$'"
  const part = (group: number) => `coalesce(TRY_CAST(regexp_extract(${zone}, ${pattern}, ${group}) AS BIGINT), 0)`
  const us = `(${part(2)} * 3600 + ${part(3)} * 60) * 1000000 * CASE WHEN regexp_extract(${zone}, ${pattern}, 1) = '-' THEN -1 ELSE 1 END`
  return (
    `CASE WHEN upper(${zone}) IN ('UTC', 'GMT', 'Z', 'UT') THEN ${time} WHEN regexp_matches(${zone}, ${pattern}) ` +
    `THEN make_timestamp(epoch_us(${time}) ${sign} ${us}) ELSE ${region(time, zone)} END`
  )
}
