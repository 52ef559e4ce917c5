import { shownArgument } from './arguments.ts'
import { InvalidQueryError } from './errors.ts'

/** What a timer of Node takes at most; a longer one would be over at once. */
const longestMs = 2 ** 31 - 1

/** InvalidQueryError INVALID_TIMEOUT unless it is a number from 0 up; `call` is what was given it. */
export function checkTimeout(timeoutMs: number, call: string): void {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return
  throw new InvalidQueryError('INVALID_TIMEOUT', {
    what: `${call} was given ${shownArgument(timeoutMs)} as the time to wait`,
    todo: 'give a number of milliseconds from 0 up, or leave it out',
  })
}

/** Whether a promise settles (true) before `timeoutMs` have passed (false). InvalidQueryError as from checkTimeout. */
export async function settlesWithin(promise: Promise<unknown>, timeoutMs: number, call: string): Promise<boolean> {
  checkTimeout(timeoutMs, call)
  for (let left = timeoutMs; ; left -= longestMs) {
    if (await settlesBefore(promise, Math.min(left, longestMs))) return true
    if (left <= longestMs) return false
  }
}

function settlesBefore(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs)
    const settled = () => {
      clearTimeout(timer)
      resolve(true)
    }
    promise.then(settled, settled)
  })
}
