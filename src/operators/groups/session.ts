/** What the variables of a processor share while it is called: the keys, which of them it is called with, the time, and what is counted. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { InvalidQueryError } from '../../base/errors.ts'
import { type KeySet, noKeys } from './key-set.ts'

/** `initializing`: in init. `idle`: between calls. `processing`: in a call with a key. */
type Stage = 'initializing' | 'idle' | 'processing'

/** One of several calls that are under way. */
interface CallScope {
  readonly at: number
  isOver: boolean
  /** What takes back what the call has changed, the last change last; null where a call that fails ends the query. */
  readonly changes: (() => void)[] | null
}

export class Session {
  stage: Stage = 'initializing'
  keys: KeySet = noKeys
  /** The key that the processor is called with; where several calls are under way, that of the call which `check` was last asked by. */
  at = 0
  /** The time of the batch, by which values expire. */
  nowUs = 0n
  rowsUpdated = 0
  rowsRemoved = 0
  /** Whether calls that fail are taken back. */
  readonly takesBack: boolean
  /** Of the call that `check` was last asked by. */
  #changes: (() => void)[] | null = null
  /** By which a call among several knows that it is the one; null where there is one at a time. */
  readonly #calls: AsyncLocalStorage<CallScope> | null

  constructor(concurrency: number, takesBack = false) {
    this.#calls = concurrency === 1 ? null : new AsyncLocalStorage()
    this.takesBack = takesBack
  }

  /** Makes a call with a key. A promise of its end where it is asynchronous. Where it fails, what it has changed is taken back, if that was asked for. */
  call(index: number, run: () => undefined | Promise<void>): undefined | Promise<void> {
    const scope: CallScope = { at: index, isOver: false, changes: this.takesBack ? [] : null }
    const end = (): undefined => {
      scope.isOver = true
      if (this.#calls === null) this.stage = 'idle'
    }
    const fail = (error: unknown): never => {
      if (scope.changes === null) throw error
      for (const takeBack of scope.changes.toReversed()) takeBack()
      end()
      throw error
    }
    if (this.#calls === null) {
      this.at = index
      this.#changes = scope.changes
      this.stage = 'processing'
    }
    try {
      const pending = this.#calls === null ? run() : this.#calls.run(scope, run)
      return pending === undefined ? end() : pending.then(end, fail)
    } catch (error) {
      return fail(error)
    }
  }

  /** Notes what takes back a change that the call is making to the state of its key. */
  changing(takeBack: () => void): void {
    this.#changes?.push(takeBack)
  }

  /** Throws unless it is asked in a call with a key, which is then the one at `at` until the program's code goes on. */
  check(operation: string): void {
    if (this.#calls === null) {
      if (this.stage !== 'processing') throw wrongStage(operation, this.stage)
      return
    }
    const scope = this.#calls.getStore()
    if (scope === undefined || scope.isOver) throw wrongStage(operation, this.stage)
    this.at = scope.at
    this.#changes = scope.changes
  }
  /** What calls have changed, by the numbers of their keys: in the order of the keys, whatever the order of the calls' ends. */
  inOrder<T>(changes: Iterable<readonly [number, T]>): (readonly [number, T])[] {
    const all = [...changes]
    return this.#calls === null ? all : all.sort(([a], [b]) => a - b)
  }
  get isConcurrent(): boolean {
    return this.#calls !== null
  }
  /** Throws unless the processor is in init. */
  checkInit(operation: string): void {
    if (this.stage !== 'initializing') throw wrongStage(operation, this.stage)
  }
}

const stages = { initializing: 'init', idle: 'no call', processing: 'a call with a key' } as const
function wrongStage(operation: string, stage: Stage): InvalidQueryError {
  return new InvalidQueryError('STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE', {
    what: `${operation} was called in ${stages[stage]} of the processor`,
    todo: 'declare and delete variables in init; use them, and timers, in handleInputRows, handleExpiredTimer and handleInitialState, awaiting what is asynchronous',
  })
}

/** A variable as the processor's run knows it. */
export interface RunningVariable {
  /** Writes what the calls since the last flush have changed, and forgets what it knows of the keys. */
  flush(): void
}

/** How many keys are read ahead: few at first, more while they are all asked for in order. */
export class ReadAhead {
  #size = 0
  #end = -1
  readonly #first: number
  readonly #most: number
  constructor(first: number, most: number) {
    this.#first = first
    this.#most = most
  }
  /** The end of the keys to read where key `index` is asked for. */
  endFrom(index: number, length: number): number {
    this.#size = index === this.#end ? Math.min(this.#size * 4, this.#most) : this.#first
    this.#end = Math.min(length, index + this.#size)
    return this.#end
  }
  reset(): void {
    this.#size = 0
    this.#end = -1
  }
}
