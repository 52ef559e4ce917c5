/** How long an asynchronous call of the program may take. */
import { UserFunctionError } from '../base/errors.ts'

/**
 * What the promise gives, or USER_FUNCTION_TIMEOUT where it has given nothing after `timeoutMs` (null: however long it takes). Nothing ends the call itself: what
 * it gives later is passed over. `what` says whose call it is.
 */
export function endsInTime<T>(call: PromiseLike<T>, timeoutMs: number | null, what: () => string): Promise<T> {
  if (timeoutMs === null) return Promise.resolve(call)
  return new Promise<T>((resolve, reject) => {
    const tooLate = () =>
      reject(
        new UserFunctionError('USER_FUNCTION_TIMEOUT', {
          what: `${what()} had not ended after ${timeoutMs} ms`,
          todo: 'find out what it waits for, let it give up earlier by itself (AbortSignal.timeout), or give it a longer callTimeout',
        }),
      )
    const timer = setTimeout(tooLate, timeoutMs)
    call.then(resolve, reject).then(() => clearTimeout(timer))
  })
}
