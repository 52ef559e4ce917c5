/** Calls of a function with state that fail, where a query keeps dead letters of functions: nothing of such a call counts, and other keys go on. */
import { InvalidQueryError, type MillraceError, UserFunctionError } from '../../base/errors.ts'
import type { Row } from '../../data/row-set.ts'
import type { RowError } from '../step.ts'

/** The program's own mistakes, which no row is to blame for: every call would make them. And what can't be taken back. */
const endings: ReadonlySet<string> = new Set([
  'CANNOT_GET_EVENT_TIME_WATERMARK',
  'CANNOT_SET_TIMEOUT_DURATION',
  'CANNOT_SET_TIMEOUT_TIMESTAMP',
  'STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE',
  'STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_TIME_MODE',
  // what did not end in time may still go on, and change state when it is another key's turn
  'USER_FUNCTION_TIMEOUT',
])

export class FailedCalls {
  /** Of calls with rows, by the number of their key. */
  readonly ofRows = new Map<number, RowError>()
  /** Of calls without: timers, timeouts, keys that only have an initial state. */
  readonly others: { readonly key: Row; readonly error: RowError }[] = []

  /** Takes the error of a call, or throws it where it ends the query. `index`: the number of the key in the batch's rows; null: a call without rows. */
  take(error: MillraceError, index: number | null, key: Row): void {
    const isOfCall = (error instanceof UserFunctionError || error instanceof InvalidQueryError) && !endings.has(error.code)
    if (!isOfCall) throw error
    const { code, what } = error
    if (index === null) this.others.push({ key, error: { code, what } })
    else this.ofRows.set(index, { code, what })
  }
}
