import type { MillraceError } from '../base/errors.ts'
import { InvalidQueryError, UnavailableError } from '../base/errors.ts'
import { checkTimeout, settlesWithin } from '../base/settles-within.ts'
import { ownRun } from '../query/own-run.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { StreamingQuery, StreamingQueryStatus } from '../query/streaming-query.ts'
import { asMillraceError } from './failure.ts'
import type { MicroBatchExecution } from './micro-batch-execution.ts'
import type { QueryIdentity } from './progress-reporter.ts'

const ended = { isDataAvailable: false, isTriggerActive: false }

export interface LocalQuerySettings {
  /** Length of recentProgress. */
  readonly keepProgress: number
  /** How long stop() waits where it is not told; 0 until the query has ended. */
  readonly stopTimeoutMs: number
}

/** A running MicroBatchExecution as the user sees it. */
export class LocalQuery implements StreamingQuery {
  readonly id: string
  readonly runId: string
  readonly name: string | null
  readonly #execution: MicroBatchExecution
  readonly #explain: (extended: boolean) => string
  readonly #settings: LocalQuerySettings
  #recent: QueryProgress[] = []
  #exception: MillraceError | null = null
  #isActive = true
  #ended: Promise<void> = Promise.resolve()

  constructor(
    identity: QueryIdentity,
    execution: MicroBatchExecution,
    explain: (extended: boolean) => string,
    settings: LocalQuerySettings,
  ) {
    this.id = identity.id
    this.runId = identity.runId
    this.name = identity.name
    this.#execution = execution
    this.#explain = explain
    this.#settings = settings
  }

  /** Starts the loop. When it has ended, `close` lets go of everything, and `told` runs, before anybody who waits hears of it. */
  launch(close: () => Promise<void>, told: () => void): void {
    this.#ended = ownRun.run(this, () => this.#runToEnd(close, told))
  }
  async #runToEnd(close: () => Promise<void>, told: () => void): Promise<void> {
    try {
      await this.#execution.run()
    } catch (error) {
      this.#exception = asMillraceError(error)
    }
    this.#isActive = false
    try {
      await close()
    } catch (error) {
      this.#exception ??= asMillraceError(error)
    }
    told()
  }

  /** For the engine: keeps a progress. */
  keep(progress: QueryProgress): void {
    this.#recent.push(progress)
    if (this.#recent.length > this.#settings.keepProgress) this.#recent.shift()
  }

  get isActive(): boolean {
    return this.#isActive
  }
  get exception(): MillraceError | null {
    return this.#exception
  }
  get recentProgress(): readonly QueryProgress[] {
    return [...this.#recent]
  }
  get lastProgress(): QueryProgress | null {
    return this.#recent.at(-1) ?? null
  }
  get status(): StreamingQueryStatus {
    if (this.#exception) return { ...ended, message: `Terminated with exception: ${this.#exception.what}` }
    if (!this.#isActive) return { ...ended, message: 'Stopped' }
    const { message, isDataAvailable, isTriggerActive } = this.#execution
    return { message, isDataAvailable, isTriggerActive }
  }

  async awaitTermination(timeoutMs?: number): Promise<boolean> {
    this.#checkWait('awaitTermination')
    if (timeoutMs === undefined) await this.#ended
    else if (!(await settlesWithin(this.#ended, timeoutMs, 'awaitTermination'))) return false
    if (this.#exception) throw this.#exception
    return true
  }

  async processAllAvailable(): Promise<void> {
    this.#checkWait('processAllAvailable')
    if (this.#isActive) await Promise.race([this.#execution.untilQuiet(), this.#ended])
    if (!this.#isActive) await this.#ended
    if (this.#exception) throw this.#exception
  }

  async stop(options: { readonly drain?: boolean; readonly timeoutMs?: number } = {}): Promise<void> {
    const timeoutMs = options?.timeoutMs ?? this.#settings.stopTimeoutMs
    checkTimeout(timeoutMs, 'stop')
    this.#execution.stop(options?.drain ?? true)
    if (ownRun.getStore() === this) return
    if (timeoutMs === 0) return this.#ended
    if (await settlesWithin(this.#ended, timeoutMs, 'stop')) return
    throw new UnavailableError('QUERY_STOP_TIMEOUT', {
      what: `the query ${this.name ?? this.id} did not stop within ${timeoutMs} ms`,
      todo: 'wait longer (its batch is still running), or end the process: the batch is replayed by the next start',
    })
  }

  explain(extended = false): string {
    return this.#explain(extended)
  }

  #checkWait(call: string): void {
    if (!this.#isActive || ownRun.getStore() !== this) return
    throw new InvalidQueryError('QUERY_WAITS_FOR_ITSELF', {
      what: `${call}() of query ${this.name ?? this.id} was called inside of a function of its own, for which its batch waits`,
      todo: 'wait for the query where it was started; stop() may be called inside: it lets the batch finish, and ends the query behind it',
    })
  }
}
