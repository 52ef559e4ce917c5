import { InvalidQueryError } from '../../base/errors.ts'
import type { FixedColumn } from '../../data/column-batch.ts'
import { encodeKey } from '../../data/key-encoding.ts'
import type { TimeMode } from '../../data/state-function.ts'
import { entryHash } from '../../data/state-layout.ts'
import { writeRowId } from '../../state/row-id.ts'
import type { KeyedBatch, StateStore } from '../../state/state-store.ts'
import { sortByIdentity, takeIds } from '../take.ts'
import { keyedBatch, timesColumn } from './columns.ts'
import { type KeySet, noKeys } from './key-set.ts'
import type { RunningVariable, Session } from './session.ts'

/** A timer that is due. */
export interface DueTimer {
  /** The number of its key. */
  readonly index: number
  readonly expiryMs: number
}

/** The timers of a processor: a row each, found by key and time; what is due comes from the store's calendar. */
export class Timers implements RunningVariable {
  readonly #session: Session
  readonly #timeMode: TimeMode
  /** Null without timers. */
  readonly #store: StateStore | null
  readonly #keyColumns: number
  #keys: KeySet = noKeys
  /** What calls have registered (true) and deleted, by the number of the key and the time. */
  #changes = new Map<number, Map<number, boolean>>()
  /** Timers that are due in this batch and were not called yet, by the number of the key. */
  #due = new Map<number, Set<number>>()
  registered = 0
  deleted = 0

  constructor(session: Session, timeMode: TimeMode, store: StateStore | null, keyColumns: number) {
    this.#session = session
    this.#timeMode = timeMode
    this.#store = store
    this.#keyColumns = keyColumns
  }

  register(expiryMs: number): void {
    this.#change('registerTimer', expiryMs, true)
    this.registered++
    this.#session.changing(() => {
      this.registered--
    })
  }
  delete(expiryMs: number): void {
    this.#change('deleteTimer', expiryMs, false)
    const due = this.#due.get(this.#session.at)
    const wasDue = due?.delete(expiryMs) === true
    this.deleted++
    this.#session.changing(() => {
      if (wasDue) due!.add(expiryMs)
      this.deleted--
    })
  }
  list(): number[] {
    this.#check('listTimers')
    const { at } = this.#session
    const { rows } = this.#store!.lookup(this.#keys.keyIds.slice(at * 4, at * 4 + 4))
    const keyColumns = rows.columns.slice(0, this.#keyColumns)
    const times = (rows.columns.at(-1) as FixedColumn).data as BigInt64Array
    const found = new Set<number>(this.#due.get(at))
    for (let row = 0; row < rows.length; row++) if (this.#keys.isKey(at, keyColumns, row)) found.add(Number(times[row]! / 1000n))
    for (const [expiryMs, isThere] of this.#changes.get(at) ?? []) {
      if (isThere) found.add(expiryMs)
      else found.delete(expiryMs)
    }
    return [...found].sort((a, b) => a - b)
  }

  /** Takes what is due at a time, the earliest first. `use` begins with the keys before it returns them. */
  takeDue(
    thresholdMs: number,
    keysOf: (batch: KeyedBatch) => { readonly keys: KeySet; readonly groupOf: Uint32Array },
  ): { keys: KeySet; due: DueTimer[] } {
    const taken = sortByIdentity(this.#store!.take(BigInt(thresholdMs) * 1000n))
    const { keys, groupOf } = keysOf(taken)
    const times = (taken.rows.columns.at(-1) as FixedColumn).data as BigInt64Array
    const due = Array.from(groupOf, (index, row): DueTimer => ({ index, expiryMs: Number(times[row]! / 1000n) }))
    due.sort((a, b) => a.expiryMs - b.expiryMs || a.index - b.index)
    this.#begin(keys)
    for (const { index, expiryMs } of due) {
      const times = this.#due.get(index) ?? new Set()
      this.#due.set(index, times.add(expiryMs))
    }
    return { keys, due }
  }
  /** Whether a due timer still is to be called. */
  isDue({ index, expiryMs }: DueTimer): boolean {
    return this.#due.get(index)?.has(expiryMs) === true
  }
  /** The call for a due timer is over, and the timer gone, also where the call has registered it anew (as in Spark). */
  called({ index, expiryMs }: DueTimer): void {
    this.#due.get(index)?.delete(expiryMs)
    this.#changes.get(index)?.delete(expiryMs)
    this.deleted++
  }

  flush(): void {
    if (this.#store === null) return
    const [added, removed] = [true, false].map((wanted) =>
      this.#session
        .inOrder(this.#changes)
        .flatMap(([index, changes]) => [...changes].flatMap(([expiryMs, isThere]) => (isThere === wanted ? [{ index, expiryMs }] : []))),
    )
    this.#changes = new Map()
    if (removed!.length > 0) this.#store.remove(this.#idsOf(removed!))
    if (added!.length === 0) return
    const numbers = Uint32Array.from(added!, ({ index }) => index)
    const columns = [...this.#keys.columnsAt(numbers), timesColumn(added!.map(({ expiryMs }) => BigInt(expiryMs) * 1000n))]
    this.#store.put(keyedBatch(this.#idsOf(added!), columns, added!.length))
  }

  #idsOf(timers: readonly DueTimer[]): Uint32Array {
    const keyIds = takeIds(
      this.#keys.keyIds,
      Uint32Array.from(timers, ({ index }) => index),
    )
    const ids = new Uint32Array(keyIds.length)
    timers.forEach(({ expiryMs }, i) => {
      const [low, high] = entryHash(keyIds, i * 4, encodeKey(['long'], [expiryMs]))
      writeRowId(ids, i * 4, keyIds, i * 4, low, high)
    })
    return ids
  }

  #begin(keys: KeySet): void {
    this.#keys = keys
    this.#changes = new Map()
    this.#due = new Map()
  }
  #check(operation: string): void {
    if (this.#timeMode === 'None')
      throw new InvalidQueryError('STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_TIME_MODE', {
        what: `${operation}() was called in the time mode None, which has no timers`,
        todo: "give transformWithState timeMode: 'ProcessingTime' or 'EventTime'",
      })
    this.#session.check(`${operation}()`)
    if (this.#session.keys !== this.#keys) this.#begin(this.#session.keys)
  }
  #change(operation: string, expiryMs: number, isThere: boolean): void {
    this.#check(operation)
    if (!Number.isSafeInteger(expiryMs))
      throw new InvalidQueryError('INVALID_TIMER', {
        what: `${operation}() was given ${String(expiryMs)}`,
        todo: 'give a whole number of milliseconds since 1970, for example timerValues.getCurrentProcessingTimeInMs() + 5000',
      })
    const { at } = this.#session
    const changes = this.#changes.get(at) ?? new Map<number, boolean>()
    const before = changes.get(expiryMs)
    this.#changes.set(at, changes.set(expiryMs, isThere))
    this.#session.changing(() => {
      if (before === undefined) changes.delete(expiryMs)
      else changes.set(expiryMs, before)
    })
  }
}
