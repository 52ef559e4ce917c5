import { settingsOf } from '../base/arguments.ts'
import { InvalidQueryError, type MillraceError } from '../base/errors.ts'
import { settlesWithin } from '../base/settles-within.ts'
import { ownRun } from './own-run.ts'
import type { StreamingQueryListener } from './query-listener.ts'
import type { StreamingQuery } from './streaming-query.ts'

/** All queries of an engine: `engine.streams`. */
export class StreamingQueryManager {
  readonly #active = new Map<string, StreamingQuery>()
  readonly #listeners = new Set<StreamingQueryListener>()
  readonly #onListenerError: (error: unknown) => void
  #terminated: { readonly error: MillraceError | null }[] = []
  #waiters: (() => void)[] = []
  constructor(onListenerError: (error: unknown) => void) {
    this.#onListenerError = onListenerError
  }
  /** The queries that run now. */
  get active(): readonly StreamingQuery[] {
    return [...this.#active.values()]
  }
  /** An active query by its id, or null. */
  get(id: string): StreamingQuery | null {
    return this.active.find((query) => query.id === id) ?? null
  }
  addListener(listener: StreamingQueryListener): void {
    settingsOf('the listener', listener, 'give an object with onQueryStarted, onQueryProgress, onQueryIdle or onQueryTerminated')
    this.#listeners.add(listener)
  }
  removeListener(listener: StreamingQueryListener): void {
    this.#listeners.delete(listener)
  }
  listListeners(): readonly StreamingQueryListener[] {
    return [...this.#listeners]
  }
  /** Resolves (true) as soon as any query has ended since the engine was made or since resetTerminated(), or after `timeoutMs` (false). Rejects if that query failed. */
  async awaitAnyTermination(timeoutMs?: number): Promise<boolean> {
    if (this.#terminated.length === 0 && !(await this.#nextTermination(timeoutMs))) return false
    const failed = this.#terminated.findLast((end) => end.error)
    if (failed?.error) throw failed.error
    return true
  }
  /** Forgets the queries that have ended, so that awaitAnyTermination waits for a new one. */
  resetTerminated(): void {
    this.#terminated = []
  }

  /** For the engine: a query is about to run. InvalidQueryError where its name is taken. */
  register(query: StreamingQuery): void {
    this.checkName(query.name)
    this.#active.set(query.runId, query)
  }
  /** For the engine: whether a new query may have this name. */
  checkName(name: string | null): void {
    const other = name === null ? undefined : this.active.find((query) => query.name === name)
    if (other) {
      throw new InvalidQueryError('QUERY_NAME_ALREADY_ACTIVE', {
        what: `a query named "${name}" is already running in this engine (id ${other.id})`,
        todo: 'give the new query another queryName(...), or stop the running one first',
      })
    }
  }
  /** For the engine: a query has ended. */
  unregister(query: StreamingQuery): void {
    this.#active.delete(query.runId)
    this.#terminated.push({ error: query.exception })
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
  /** For the engine: tells every listener, now. */
  tell(send: (listener: StreamingQueryListener) => unknown): void {
    for (const listener of [...this.#listeners]) {
      try {
        // what a listener waits for is no part of the query's run
        const told = ownRun.exit(() => send(listener))
        // a listener may be an async function: what it rejects with is nobody else's to catch
        if (told instanceof Promise) told.catch(this.#onListenerError)
      } catch (error) {
        this.#onListenerError(error)
      }
    }
  }
  /** For the engine: tells every listener soon, in the order of the calls. A query does not wait for its listeners. */
  tellLater(send: (listener: StreamingQueryListener) => unknown): void {
    queueMicrotask(() => this.tell(send))
  }

  async #nextTermination(timeoutMs: number | undefined): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiters.push(resolve)
    if (timeoutMs !== undefined) return settlesWithin(promise, timeoutMs, 'awaitAnyTermination')
    await promise
    return true
  }
}
