/** Dates and times as the text of SQL, for servers that take no other form. Throws Unfit for years that have not four digits. */

/** A value that no column of the server holds. */
export class Unfit extends Error {}

const dayMs = 86_400_000

/** `2026-01-31`. */
export function dateText(days: number): string {
  const date = new Date(days * dayMs)
  const year = date.getUTCFullYear()
  if (!(year >= 1 && year <= 9999)) throw new Unfit('the date is out of range: years are from 1 to 9999 there')
  return date.toISOString().slice(0, 10)
}

/** `2026-01-31 12:34:56.123456`, always with six digits, so that texts are in the order of time. */
export function timeText(us: bigint): string {
  const ms = us / 1000n - (us % 1000n < 0n ? 1n : 0n)
  const date = new Date(Number(ms))
  const year = date.getUTCFullYear()
  if (!(year >= 1 && year <= 9999)) throw new Unfit('the timestamp is out of range: years are from 1 to 9999 there')
  return `${date.toISOString().slice(0, 23).replace('T', ' ')}${String(us - ms * 1000n).padStart(3, '0')}`
}
