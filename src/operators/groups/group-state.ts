import { InvalidQueryError } from '../../base/errors.ts'
import type { GroupFunction, GroupState } from '../../data/state-function.ts'
import type { ShapeCodec } from './shape-codec.ts'

/** The times of a batch, as a function with state may ask for them. */
export interface BatchTimes {
  readonly nowMs: number
  /** Null where the input has no event time; −1 over a table. */
  readonly watermarkMs: number | null
}

export function currentWatermarkMs({ watermarkMs }: BatchTimes): number {
  if (watermarkMs !== null) return watermarkMs
  throw new InvalidQueryError('CANNOT_GET_EVENT_TIME_WATERMARK', {
    what: 'the watermark was asked for, and the input has none',
    todo: 'call withWatermark(column, delay) on the input',
  })
}

/** The state of a key in one call. */
export class StateOfKey implements GroupState<unknown> {
  readonly hasTimedOut: boolean
  readonly #function: GroupFunction
  readonly #codec: ShapeCodec
  readonly #times: BatchTimes
  /** As it stands; undefined: none. */
  value: unknown
  isUpdated = false
  isRemoved = false
  timeoutMs: number | null = null
  /** The call has returned: what is set now would be lost. */
  isOver = false

  constructor(f: GroupFunction, codec: ShapeCodec, times: BatchTimes, value: unknown, hasTimedOut: boolean) {
    this.#function = f
    this.#codec = codec
    this.#times = times
    this.value = value
    this.hasTimedOut = hasTimedOut
  }

  get exists(): boolean {
    return this.value !== undefined
  }
  get(): unknown {
    if (this.value !== undefined) return this.#codec.copy(this.value)
    throw new InvalidQueryError('STATE_NOT_DEFINED', {
      what: 'get() was called on a state that is not defined or has been removed',
      todo: 'look at state.exists first, or use getOption()',
    })
  }
  getOption(): unknown {
    return this.value === undefined ? undefined : this.#codec.copy(this.value)
  }
  update(state: unknown): void {
    this.#checkCall('update')
    this.value = this.#codec.normal(state, 'update of the state')
    this.isUpdated = true
    this.isRemoved = false
  }
  remove(): void {
    this.#checkCall('remove')
    this.value = undefined
    this.isUpdated = false
    this.isRemoved = true
  }
  setTimeoutDuration(duration: number | string): void {
    this.#checkCall('setTimeoutDuration')
    if (this.#function.timeout !== 'ProcessingTimeTimeout')
      throw new InvalidQueryError('CANNOT_SET_TIMEOUT_DURATION', {
        what: `setTimeoutDuration(${JSON.stringify(duration)}) was called with the timeout ${this.#function.timeout}`,
        todo: "give timeout: 'ProcessingTimeTimeout'",
      })
    const ms = this.#durationOf(duration)
    if (!(ms > 0)) throw invalidTimeout(`the duration ${JSON.stringify(duration)}`, 'give a positive duration')
    this.timeoutMs = this.#times.nowMs + ms
  }
  setTimeoutTimestamp(timestamp: number | Date, additionalDuration?: string): void {
    this.#checkCall('setTimeoutTimestamp')
    if (this.#function.timeout !== 'EventTimeTimeout')
      throw new InvalidQueryError('CANNOT_SET_TIMEOUT_TIMESTAMP', {
        what: `setTimeoutTimestamp was called with the timeout ${this.#function.timeout}`,
        todo: "give timeout: 'EventTimeTimeout'",
      })
    const ms = Number(timestamp) + (additionalDuration === undefined ? 0 : this.#durationOf(additionalDuration))
    if (!(ms > 0) || !Number.isSafeInteger(ms)) throw invalidTimeout(`the time ${ms}`, 'give a positive number of milliseconds since 1970')
    const { watermarkMs } = this.#times
    if (watermarkMs !== null && ms < watermarkMs)
      throw invalidTimeout(
        `the time ${ms}, which is earlier than the current watermark ${watermarkMs}`,
        'give a time at or after getCurrentWatermarkMs()',
      )
    this.timeoutMs = ms
  }
  getCurrentWatermarkMs(): number {
    return currentWatermarkMs(this.#times)
  }
  getCurrentProcessingTimeMs(): number {
    return this.#times.nowMs
  }

  #checkCall(method: string): void {
    if (!this.isOver) return
    throw new InvalidQueryError('STATE_OF_ENDED_CALL', {
      what: `${method}() of a state was called after the call that the state was given to had returned`,
      todo: 'await what the function waits for before it returns, and use each state in its own call only',
    })
  }
  #durationOf(duration: number | string): number {
    const ms = typeof duration === 'number' ? duration : this.#function.durationMs(duration)
    if (!Number.isSafeInteger(ms) || ms < 0)
      throw invalidTimeout(`the duration ${JSON.stringify(duration)}`, "give text such as '10 minutes', or whole milliseconds")
    return ms
  }
}

function invalidTimeout(what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_TIMEOUT', { what: `a timeout was set to ${what}`, todo })
}
