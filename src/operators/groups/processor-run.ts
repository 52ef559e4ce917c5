/** A processor of transformWithState in one run of a query: made and initialised with the first batch, called batch by batch, closed at the end. */
import { InvalidQueryError } from '../../base/errors.ts'
import { keyIdOf } from '../../data/key-encoding.ts'
import type { Row } from '../../data/row-set.ts'
import { Schema } from '../../data/schema.ts'
import type { Processor, ProcessorFunction, ProcessorHandle, QueryInfo, TimerValues } from '../../data/state-function.ts'
import { type DeclaredVariable, encodeUserKey, type StateShape, timersName } from '../../data/state-layout.ts'
import type { Field } from '../../data/types.ts'
import { columnsToRows } from '../../data/values.ts'
import type { KeyedBatch, StateStore } from '../../state/state-store.ts'
import { endsInTime } from '../call-timeout.ts'
import { takeColumn } from '../take.ts'
import type { FailedCalls } from './failed-calls.ts'
import { type BatchTimes, currentWatermarkMs } from './group-state.ts'
import { KeySet, numberKeys, type RowGroups } from './key-set.ts'
import { ListVariable } from './list-variable.ts'
import { MapVariable } from './map-variable.ts'
import { runCalls } from './run-calls.ts'
import { type RunningVariable, Session } from './session.ts'
import { Timers } from './timers.ts'
import { type CallPlace, type CollectedRows, callFailed, callOf, isThenable, type RowTaker } from './user-rows.ts'
import { ValueVariable } from './value-variable.ts'

export interface ProcessorBatch {
  readonly groups: RowGroups
  /** Rows of the initial state, in the first batch. */
  readonly initial: RowGroups | null
  readonly times: BatchTimes
  readonly query: QueryInfo
  readonly output: CollectedRows
  /** Where calls with rows and timers go that fail; null: the first one is thrown. */
  readonly failed: FailedCalls | null
}
export interface ProcessorCounts {
  readonly rowsUpdated: number
  readonly rowsRemoved: number
  readonly updatesMs: number
  readonly removalsMs: number
  readonly callsWithoutRows: number
  readonly custom: Readonly<Record<string, number>>
}

/** Where a processor runs. */
export interface ProcessorPlace {
  /** The columns of the key. */
  readonly keys: readonly Field[]
  readonly store: (name: string) => StateStore
  /** Of a variable that an earlier version of the processor may have declared. */
  readonly storeIfThere: (name: string) => StateStore | null
  /** Whether such a variable was there and is gone with this start. */
  readonly isDeleted: (name: string) => boolean
  /** Whether what a call that fails has changed is taken back (ProcessorBatch.failed). */
  readonly takesBack?: boolean
  /** StepContext.checkMemory */
  readonly checkMemory: () => void
  /** StepContext.checkStop, of the batch that runs */
  readonly checkStop: () => void
  /** The checkpoint's, under which keys have their identities. */
  readonly salt: string
}

interface ProcessorCall {
  readonly index: number
  readonly isWanted?: () => boolean
  readonly run: (key: Row) => unknown
  /** When the call is over, also where it has failed and the query goes on. */
  readonly after?: () => void
  /** The number of the key in the batch's rows; null: a call without rows. Absent: one that fails ends the query. */
  readonly rowsOf?: number | null
}

const code = 'TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR'
const flushEvery = 4096

export class ProcessorRun {
  readonly #function: ProcessorFunction
  readonly #place: ProcessorPlace
  readonly #session: Session
  readonly #variables = new Map<string, RunningVariable>()
  readonly #timers: Timers
  readonly #deleted: string[] = []
  #processor: Processor | null = null
  #query: QueryInfo | null = null
  /** Of the batch that runs, while rows and timers are handled. */
  #failed: FailedCalls | null = null

  constructor(f: ProcessorFunction, place: ProcessorPlace) {
    this.#function = f
    this.#place = place
    this.#session = new Session(f.concurrency, place.takesBack)
    const store = f.timeMode === 'None' ? null : place.store(timersName(f.timeMode))
    this.#timers = new Timers(this.#session, f.timeMode, store, place.keys.length)
  }

  async batch(batch: ProcessorBatch): Promise<ProcessorCounts> {
    const { times } = batch
    const startMs = performance.now()
    const session = this.#session
    Object.assign(session, { nowUs: BigInt(times.nowMs) * 1000n, rowsUpdated: 0, rowsRemoved: 0 })
    Object.assign(this.#timers, { registered: 0, deleted: 0 })
    this.#query = batch.query
    const processor = await this.#initialised()
    const timerValues = timerValuesOf(times)
    const deletedVariables = this.#deleted.splice(0).filter((name) => this.#deleteAll(name)).length
    const initialMs = performance.now()
    if (batch.initial !== null) await this.#initialState(processor, batch.initial, timerValues)
    const dataMs = performance.now()
    const { groups, output } = batch
    this.#failed = batch.failed
    await this.#each(groups.keys, 'handleInputRows', output, (key, index) =>
      processor.handleInputRows(key, groups.rowsAt(index), timerValues),
    )
    const timersMs = performance.now()
    const expired = await this.#expiredTimers(processor, batch, timerValues)
    this.#failed = null
    const ttlMs = performance.now()
    const expiredValues = this.#removeExpired()
    return {
      rowsUpdated: session.rowsUpdated,
      rowsRemoved: session.rowsRemoved + expiredValues,
      updatesMs: timersMs - startMs,
      removalsMs: performance.now() - ttlMs,
      callsWithoutRows: expired,
      custom: {
        initialStateProcessingTimeMs: Math.round(dataMs - initialMs),
        ...variableCounts(this.#function.variables),
        numDeletedStateVars: deletedVariables,
        timerProcessingTimeMs: Math.round(ttlMs - timersMs),
        numRegisteredTimers: this.#timers.registered,
        numDeletedTimers: this.#timers.deleted,
        numExpiredTimers: expired,
        numValuesRemovedDueToTTLExpiry: expiredValues,
      },
    }
  }

  /** Calls something with each key as the processor would be called, so that it may look at variables and change them; no timer fires. */
  async within(keys: KeySet, times: BatchTimes, query: QueryInfo, use: (index: number) => unknown): Promise<void> {
    this.#session.nowUs = BigInt(times.nowMs) * 1000n
    this.#query = query
    await this.#initialised()
    await this.#each(keys, 'a look', null, (_, index) => use(index))
  }

  /** Tells the processor that its run is over. */
  async close(): Promise<void> {
    const processor = this.#processor
    this.#processor = null
    if (processor?.close === undefined) return
    try {
      await processor.close()
    } catch (cause) {
      throw callFailed(code, { what: `close of ${this.#function.name}`, key: {} }, cause)
    }
  }

  async #initialised(): Promise<Processor> {
    if (this.#processor !== null) return this.#processor
    try {
      const processor = this.#function.create()
      await processor.init(this.#handle)
      this.#session.stage = 'idle'
      this.#processor = processor
      return processor
    } catch (cause) {
      throw callFailed(code, { what: `init of ${this.#function.name}`, key: {} }, cause)
    }
  }

  readonly #handle: ProcessorHandle = {
    declare: (variable) => this.#declare(variable),
    deleteIfExists: (name) => {
      this.#session.checkInit(`deleteIfExists("${name}")`)
      this.#deleted.push(name)
    },
    registerTimer: (expiryMs) => this.#timers.register(expiryMs),
    deleteTimer: (expiryMs) => this.#timers.delete(expiryMs),
    listTimers: () => this.#timers.list(),
    getQueryInfo: () => this.#query!,
  }

  #declare(variable: DeclaredVariable): ReturnType<ProcessorHandle['declare']> {
    const { name, kind } = variable
    this.#session.checkInit(`get${kind[0]!.toUpperCase()}${kind.slice(1)}State("${name}")`)
    const declared = this.#function.variables.find((each) => each.name === name)
    if (JSON.stringify(declared) !== JSON.stringify(variable))
      throw new InvalidQueryError('STATEFUL_PROCESSOR_VARIABLES_DIFFER', {
        what: `init of ${this.#function.name} declared the state "${name}" otherwise than when the query was written`,
        todo: 'let init declare the same variables each time',
      })
    const Variable = { value: ValueVariable, list: ListVariable, map: MapVariable }[kind]
    const running = new Variable(variable, this.#session, this.#place.store(name), this.#place.keys.length)
    this.#variables.set(name, running)
    return running
  }

  async #initialState(processor: Processor, { keys, rowsAt }: RowGroups, timerValues: TimerValues): Promise<void> {
    const handle = (key: Row, row: Row) => processor.handleInitialState?.(key, row, timerValues)
    await this.#each(keys, 'handleInitialState', null, (key, index) => eachInOrder(rowsAt(index), (row) => handle(key, row)))
  }

  async #expiredTimers(processor: Processor, { times, output }: ProcessorBatch, timerValues: TimerValues): Promise<number> {
    const { timeMode } = this.#function
    if (timeMode === 'None') return 0
    const thresholdMs = timeMode === 'ProcessingTime' ? times.nowMs : times.watermarkMs!
    const { keys, due } = this.#timers.takeDue(thresholdMs, (taken) => this.#keysOf(taken))
    let expired = 0
    const called = due.values()
    await this.#calls(keys, 'handleExpiredTimer', output, () => {
      const { value: timer, done } = called.next()
      if (done) return undefined
      return {
        index: timer.index,
        rowsOf: null,
        // a call before may have deleted it
        isWanted: () => this.#timers.isDue(timer),
        run: (key: Row) => {
          expired++
          return processor.handleExpiredTimer?.(key, timerValues, { getExpiryTimeInMs: () => timer.expiryMs })
        },
        after: () => this.#timers.called(timer),
      }
    })
    return expired
  }

  #each(keys: KeySet, method: string, output: CollectedRows | null, call: (key: Row, index: number) => unknown): Promise<void> {
    let index = -1
    return this.#calls(keys, method, output, () => {
      const at = ++index
      return at < keys.length ? { index: at, rowsOf: at, run: (key: Row) => call(key, at) } : undefined
    })
  }

  /** Calls with keys, and what they changed into the stores. */
  #calls(keys: KeySet, method: string, output: CollectedRows | null, next: () => ProcessorCall | undefined): Promise<void> {
    const { concurrency, name } = this.#function
    const what = `${method} of ${name}`
    this.#session.keys = keys
    return runCalls({
      concurrency,
      output,
      flush: () => this.#flush(),
      flushEvery,
      checkStop: this.#place.checkStop,
      next: () => {
        const call = next()
        if (call === undefined) return undefined
        const place = { what, key: keys.keyAt(call.index) }
        const { index, isWanted } = call
        return { index, place, run: (rows) => this.#call(call, place, rows), ...(isWanted && { isWanted }) }
      },
    })
  }
  #call({ index, run, after, rowsOf }: ProcessorCall, place: CallPlace, rows: RowTaker | null): undefined | Promise<void> {
    const failed = this.#failed
    const fail = (cause: unknown): undefined => {
      const error = callFailed(code, place, cause)
      if (failed === null || rowsOf === undefined) throw error
      failed.take(error, rowsOf, place.key)
      rows?.drop(place)
      after?.()
      return undefined
    }
    const check = failed && rows ? (): undefined => void rows.check(place) : undefined
    try {
      const pending = this.#session.call(index, () => {
        const given = run(place.key)
        // rows may be computed as they are asked for, so the call lasts until all are there
        if (rows !== null) {
          const taken = rows.take(given, place)
          return taken === undefined ? check?.() : check ? taken.then(check) : taken
        }
        return isThenable(given) ? Promise.resolve(given).then(() => {}) : undefined
      })
      if (pending === undefined) after?.()
      return pending && endsInTime(pending, this.#function.timeoutMs, () => callOf(place)).then(after, fail)
    } catch (cause) {
      return fail(cause)
    }
  }

  #flush(): void {
    for (const variable of this.#variables.values()) variable.flush()
    this.#timers.flush()
    this.#place.checkMemory()
  }

  /** Expired values leave the stores by their calendars. */
  #removeExpired(): number {
    let removed = 0
    for (const { name, ttlMs } of this.#function.variables)
      if (ttlMs !== null) removed += this.#place.store(name).evict(this.#session.nowUs, false).removed
    return removed
  }

  /**
   * Whether there was such a variable. Its store is gone where the plan knew of it; an init that names it only after it has waited is learnt of here, and then
   * all of the rows go.
   */
  #deleteAll(name: string): boolean {
    if (this.#place.isDeleted(name)) return true
    const store = this.#place.storeIfThere(name)
    if (store === null) return false
    const ids = [...store.scanKeyed()].map(({ keyIds }) => keyIds)
    for (const some of ids) store.remove(some)
    return ids.length > 0
  }

  /** The distinct keys of rows of the timers' store, by the columns of the key: the rows' own identities hold only half of a key's. */
  #keysOf({ rows }: KeyedBatch): { keys: KeySet; groupOf: Uint32Array } {
    const { keys: fields, salt } = this.#place
    const shape: StateShape = { kind: 'row', fields }
    const columns = rows.columns.slice(0, fields.length)
    const all = columnsToRows({ schema: new Schema(fields), length: rows.length, columns })
    const ids = new Uint32Array(rows.length * 4)
    all.forEach((key, row) => {
      ids.set(keyIdOf(salt, encodeUserKey(shape, key)), row * 4)
    })
    const { groupOf, first, distinct } = numberKeys(ids, rows.length)
    const batch = { schema: new Schema(fields), length: first.length, columns: columns.map((column) => takeColumn(column, first)) }
    return { keys: new KeySet(distinct, batch), groupOf }
  }
}

function eachInOrder(rows: readonly Row[], use: (row: Row) => unknown): unknown {
  const rest = (from: number): unknown => {
    for (let i = from; i < rows.length; i++) {
      const pending = use(rows[i]!)
      if (typeof pending === 'object' && pending !== null && 'then' in pending) return Promise.resolve(pending).then(() => rest(i + 1))
    }
    return undefined
  }
  return rest(0)
}

function timerValuesOf(times: BatchTimes): TimerValues {
  return { getCurrentProcessingTimeInMs: () => times.nowMs, getCurrentWatermarkInMs: () => currentWatermarkMs(times) }
}

function variableCounts(variables: readonly DeclaredVariable[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of ['value', 'list', 'map'] as const) {
    const word = `${kind[0]!.toUpperCase()}${kind.slice(1)}`
    const own = variables.filter((variable) => variable.kind === kind)
    counts[`num${word}StateVars`] = own.filter(({ ttlMs }) => ttlMs === null).length
    counts[`num${word}StateWithTTLVars`] = own.filter(({ ttlMs }) => ttlMs !== null).length
  }
  return counts
}
