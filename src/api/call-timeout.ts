/** The option `callTimeout` of functions of the program. */
import { InvalidQueryError, MillraceError } from '../base/errors.ts'
import { parseDurationMs } from '../plan/intervals.ts'

/** The most that a timer of Node takes. */
const mostMs = 0x7fff_ffff

/** Milliseconds, or null where none is given. Throws INVALID_UDF. */
export function callTimeoutMs(method: string, given: unknown): number | null {
  if (given === undefined) return null
  const ms = typeof given === 'string' ? parsed(given) : undefined
  if (ms !== undefined && ms >= 1 && ms <= mostMs) return ms
  throw new InvalidQueryError('INVALID_UDF', {
    what: `${method} was given the callTimeout ${JSON.stringify(given)}`,
    todo: "give a duration from 1 millisecond to 24 days, such as '30 seconds': how long an asynchronous call may take",
  })
}
function parsed(text: string): number | undefined {
  try {
    return parseDurationMs(text)
  } catch (error) {
    if (error instanceof MillraceError) return undefined
    throw error
  }
}
