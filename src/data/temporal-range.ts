import { InvalidQueryError } from '../base/errors.ts'

const maxDays = 100_000_000
const maxUs = BigInt(maxDays) * 86_400_000_000n

/** A value of a row may lie beyond what Temporal holds, in SQL it is none the worse. InvalidQueryError TIME_BEYOND_TEMPORAL. */
export function checkedUs(type: 'timestamp' | 'timestamp_ntz', us: bigint): bigint {
  return us > maxUs || us < -maxUs ? beyond(type, `${us} µs`) : us
}
export function checkedDays(days: number): number {
  return days > maxDays || days < -maxDays ? beyond('date', `${days} days`) : days
}

function beyond(type: string, since1970: string): never {
  throw new InvalidQueryError('TIME_BEYOND_TEMPORAL', {
    what: `a ${type} of ${since1970} since 1970 can't become an object of JavaScript: Temporal holds the years -271821 to 275760`,
    todo: "leave such rows out before they come to the program: where('year(at) < 10000')",
  })
}
