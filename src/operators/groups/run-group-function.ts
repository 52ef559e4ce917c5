/** One batch of (flat)mapGroupsWithState: the keys that have rows, then those whose timeout has passed. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { Row } from '../../data/row-set.ts'
import type { GroupFunction } from '../../data/state-function.ts'
import type { KeyedBatch, StateStore } from '../../state/state-store.ts'
import { endsInTime } from '../call-timeout.ts'
import type { FailedCalls } from './failed-calls.ts'
import { type BatchTimes, StateOfKey } from './group-state.ts'
import type { KeySet, RowGroups } from './key-set.ts'
import { type Cell, KeyedValues } from './keyed-values.ts'
import { type Call, runCalls } from './run-calls.ts'
import { ShapeCodec } from './shape-codec.ts'
import { type CallPlace, type CollectedRows, callFailed, callOf, isThenable, keyText, type RowTaker } from './user-rows.ts'

export interface GroupFunctionBatch {
  readonly function: GroupFunction
  readonly store: StateStore
  /** StepContext.checkMemory */
  readonly checkMemory: () => void
  /** StepContext.checkStop */
  readonly checkStop: () => void
  readonly keyColumns: number
  readonly groups: RowGroups
  /** States to begin with, in the first batch. */
  readonly initial: RowGroups | null
  /** Keys that only have a state are not called. */
  readonly skipsInitialKeys: boolean
  readonly times: BatchTimes
  /** What has timed out: timeouts before this; null where nothing times out. */
  readonly timedOutBeforeMs: number | null
  readonly keysOf: (batch: KeyedBatch) => KeySet
  readonly output: CollectedRows
  /** Where calls go that fail; null: the first one is thrown. */
  readonly failed: FailedCalls | null
}
export interface GroupFunctionCounts {
  readonly rowsUpdated: number
  readonly rowsRemoved: number
  readonly updatesMs: number
  readonly removalsMs: number
  readonly callsWithoutRows: number
}

const flushEvery = 8192

export async function runGroupFunction(batch: GroupFunctionBatch): Promise<GroupFunctionCounts> {
  const run = new GroupFunctionRun(batch)
  const startMs = performance.now()
  await run.data()
  const dataMs = performance.now()
  await run.timeouts()
  return {
    rowsUpdated: run.updated,
    rowsRemoved: run.removed,
    updatesMs: performance.now() - startMs,
    removalsMs: performance.now() - dataMs,
    callsWithoutRows: run.callsWithoutRows,
  }
}

class GroupFunctionRun {
  readonly #batch: GroupFunctionBatch
  readonly #codec: ShapeCodec
  readonly #rows: KeyedValues
  readonly #what: string
  updated = 0
  removed = 0
  callsWithoutRows = 0

  constructor(batch: GroupFunctionBatch) {
    const { function: f, store, keyColumns } = batch
    const hasTimeouts = f.timeout !== 'NoTimeout'
    this.#batch = batch
    this.#codec = new ShapeCodec(f.state, hasTimeouts)
    this.#rows = new KeyedValues(store, this.#codec, hasTimeouts ? 'defined and time' : 'none', keyColumns)
    this.#what = `${f.name} of ${f.isMap ? 'mapGroupsWithState' : 'flatMapGroupsWithState'}`
  }

  async data(): Promise<void> {
    const { groups, initial, skipsInitialKeys } = this.#batch
    if (initial !== null) this.#putInitial(initial)
    await this.#callAll(groups.keys, (index) => groups.rowsAt(index), false, null)
    if (initial === null || skipsInitialKeys) return
    const withRows = new Set(idTexts(groups.keys))
    const ids = idTexts(initial.keys)
    await this.#callAll(
      initial.keys,
      () => [],
      false,
      (index) => !withRows.has(ids[index]!),
    )
  }

  async timeouts(): Promise<void> {
    const { timedOutBeforeMs, keysOf } = this.#batch
    if (timedOutBeforeMs === null) return
    const keys = this.#rows.takeDue(BigInt(timedOutBeforeMs) * 1000n - 1n, keysOf)
    await this.#callAll(keys, () => [], true, null)
  }

  #putInitial({ keys, rowsAt }: RowGroups): void {
    const { shape } = this.#codec
    for (let index = 0; index < keys.length; index++) {
      const [row, another] = rowsAt(index)
      if (another !== undefined)
        throw new InvalidQueryError('INITIAL_STATE_DUPLICATE_KEY', {
          what: `the initial state has several rows with the key ${keyText(keys.keyAt(index))}`,
          todo: 'give one row a key',
        })
      const value = shape.kind === 'single' ? Object.values(row!)[0] : row
      const cell = this.#rows.cellOf(keys, index)
      cell.value = this.#codec.normal(value, `the initial state of the key ${keyText(keys.keyAt(index))}`)
      cell.isDirty = true
    }
    this.#rows.flush(false)
  }

  async #callAll(
    keys: KeySet,
    rowsAt: (index: number) => Row[],
    hasTimedOut: boolean,
    wanted: ((index: number) => boolean) | null,
  ): Promise<void> {
    let index = -1
    const next = (): Call | undefined => {
      index++
      while (wanted !== null && index < keys.length && !wanted(index)) index++
      if (index >= keys.length) return undefined
      const at = index
      const place = { what: this.#what, key: keys.keyAt(at) }
      const isWithoutRows = keys !== this.#batch.groups.keys
      if (isWithoutRows) this.callsWithoutRows++
      return {
        index: at,
        place,
        run: (rows) => this.#call(place, rowsAt(at), this.#rows.cellOf(keys, at), hasTimedOut, rows!, isWithoutRows ? null : at),
      }
    }
    const { function: f, output, checkStop } = this.#batch
    // cells of rows that were taken out are written back by the last flush only
    const every = hasTimedOut ? null : flushEvery
    await runCalls({ next, concurrency: f.concurrency, output, flush: () => this.#flush(), flushEvery: every, checkStop })
  }
  #flush(): void {
    this.#rows.flush(this.#batch.function.concurrency > 1)
    this.#batch.checkMemory()
  }

  #call(place: CallPlace, given: Row[], cell: Cell, hasTimedOut: boolean, rows: RowTaker, index: number | null): undefined | Promise<void> {
    const { function: f, times, failed } = this.#batch
    const state = new StateOfKey(f, this.#codec, times, cell.value, hasTimedOut)
    const keep = (): undefined => {
      state.isOver = true
      if (failed) rows.check(place)
      return this.#keep(cell, state)
    }
    const fail = (cause: unknown): undefined => {
      state.isOver = true
      const error = callFailed('FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR', place, cause)
      if (failed === null) throw error
      failed.take(error, index, place.key)
      rows.drop(place)
      // the state is what it was, and a timeout that has come is over
      if (hasTimedOut) cell.timeUs = null
      return undefined
    }
    try {
      const result = f.call(place.key, given, state)
      const pending = f.isMap ? takeOne(result, place, rows) : rows.take(result, place)
      return pending === undefined
        ? keep()
        : endsInTime(pending, f.timeoutMs, () => callOf(place))
            .then(keep)
            .catch(fail)
    } catch (cause) {
      return fail(cause)
    }
  }

  /** The timeout counts for one call: without another it is gone. */
  #keep(cell: Cell, state: StateOfKey): undefined {
    const timeUs = state.timeoutMs === null ? null : BigInt(state.timeoutMs) * 1000n
    if (state.isRemoved && timeUs === null) {
      cell.value = undefined
      cell.timeUs = null
      cell.isDirty = true
      this.removed++
      return undefined
    }
    if (state.isUpdated || state.isRemoved || timeUs !== cell.timeUs) {
      this.updated++
      cell.isDirty = true
    }
    cell.value = state.value
    cell.timeUs = timeUs
    return undefined
  }
}

function takeOne(given: unknown, place: CallPlace, rows: RowTaker): undefined | Promise<void> {
  if (isThenable(given)) return Promise.resolve(given).then((row) => rows.takeRow(row, place))
  rows.takeRow(given, place)
  return undefined
}

function idTexts({ keyIds, length }: KeySet): string[] {
  return Array.from({ length }, (_, i) => keyIds.subarray(i * 4, i * 4 + 4).join())
}
