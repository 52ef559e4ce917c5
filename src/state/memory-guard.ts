/** State in memory must not grow until the operating system ends the process: it says so before, and stops in good order. */
import { InvalidQueryError } from '../base/errors.ts'

/** How the memory provider works. */
export interface MemorySettings {
  readonly kind: 'memory'
  /** What the state may take; no bound unless given. */
  readonly limitBytes?: number
  /** Hears, once, that the bound is near, and once more when it is very near. */
  readonly warn?: (text: string) => void
}

const warnAt = [0.7, 0.9] as const
const wayOut =
  'stop the query, run "millrace state move <checkpoint> --to rocksdb" and start it again (npm install @nxtedition/rocksdb); or let the state forget more (a watermark with a shorter delay), or raise millrace.stateStore.memoryLimit where the machine has room'

export class MemoryGuard {
  readonly #settings: MemorySettings
  #told = 0

  constructor(settings: MemorySettings) {
    this.#settings = settings
  }

  /** To be asked while a batch runs or a state is loaded: what it throws leaves the batch uncommitted. */
  check(usedBytes: number, rows: number, { isLoading = false } = {}): void {
    const { limitBytes, warn } = this.#settings
    if (limitBytes === undefined) return
    if (usedBytes > limitBytes) {
      throw new InvalidQueryError('STATE_STORE_MEMORY_LIMIT_REACHED', {
        what: `the state of ${rows} rows takes ${text(usedBytes)} of memory, and its limit (millrace.stateStore.memoryLimit) is ${text(limitBytes)}; ${isLoading ? 'it was not loaded to its end' : 'the batch was not committed'}`,
        todo: wayOut,
      })
    }
    const passed = warnAt.filter((share) => usedBytes > share * limitBytes).length
    if (passed > this.#told)
      warn?.(
        `STATE_STORE_MEMORY_LIMIT_NEAR: the state of ${rows} rows takes ${text(usedBytes)} of memory, ${Math.round((100 * usedBytes) / limitBytes)} % of its limit of ${text(limitBytes)}, at which the query stops. What to do: ${wayOut}`,
      )
    this.#told = Math.max(this.#told, passed)
  }
}

function text(bytes: number): string {
  return bytes < 10 << 20 ? `${bytes} bytes` : `${Math.round(bytes / 2 ** 20)} MB`
}
