import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/errors.ts'
import type { Database, Session } from './dialect.ts'
import { databaseError } from './errors.ts'

export interface Retries {
  /** After the first attempt. */
  readonly maxRetries: number
  /** Before the first repetition; each further wait is twice as long, up to 10 s. */
  readonly retryDelayMs: number
}

/** A connection that is opened when it is needed, and again when it was lost. What fails for a reason that passes is tried again. */
export class Reconnecting {
  readonly #database: Database
  readonly #retries: Retries
  readonly #clock: Clock
  readonly #stop = new AbortController()
  #session: Session | undefined
  /** How often something was tried again. */
  retried = 0
  constructor(database: Database, retries: Retries, clock: Clock) {
    this.#database = database
    this.#retries = retries
    this.#clock = clock
  }

  /**
   * `work` may be called several times, each time with a session without a transaction. `doing` stands in messages. UnavailableError DATABASE_UNAVAILABLE
   * when the last attempt has failed; InvalidQueryError DATABASE_ACCESS_REFUSED, DATABASE_STATEMENT_FAILED at once.
   */
  async use<T>(doing: string, work: (session: Session) => Promise<T>): Promise<T> {
    const { dialect, address } = this.#database
    for (let attempt = 0; ; attempt++) {
      try {
        if (this.#session?.isBroken !== false) await this.#open()
        return await work(this.#session!)
      } catch (error) {
        if (error instanceof MillraceError) throw error
        const fault = dialect.faultOf(error)
        if (fault === 'foreign') throw error
        const isTransient = fault === 'transient'
        if (isTransient) await this.#drop()
        if (!isTransient || attempt >= this.#retries.maxRetries || this.#stop.signal.aborted) {
          throw databaseError(error, dialect, address, doing)
        }
        this.retried++
        const delayMs = Math.min(this.#retries.retryDelayMs * 2 ** attempt, 10_000)
        await this.#clock.sleepUntil(this.#clock.nowMs() + delayMs, this.#stop.signal)
      }
    }
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#drop()
  }

  async #open(): Promise<void> {
    await this.#drop()
    this.#session = await this.#database.connect()
  }
  async #drop(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    // it may be broken, which is why it goes
    await session?.close().catch(() => {})
  }
}
