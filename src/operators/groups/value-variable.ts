import type { ValueState } from '../../data/state-function.ts'
import type { DeclaredVariable } from '../../data/state-layout.ts'
import type { StateStore } from '../../state/state-store.ts'
import { type Cell, KeyedValues } from './keyed-values.ts'
import type { RunningVariable, Session } from './session.ts'
import { ShapeCodec } from './shape-codec.ts'

export class ValueVariable implements ValueState<unknown>, RunningVariable {
  readonly #name: string
  readonly #session: Session
  readonly #codec: ShapeCodec
  readonly #rows: KeyedValues
  readonly #ttlUs: bigint | null

  constructor(variable: DeclaredVariable, session: Session, store: StateStore, keyColumns: number) {
    this.#name = variable.name
    this.#session = session
    this.#codec = new ShapeCodec(variable.value)
    this.#ttlUs = variable.ttlMs === null ? null : BigInt(variable.ttlMs) * 1000n
    this.#rows = new KeyedValues(store, this.#codec, this.#ttlUs === null ? 'none' : 'time', keyColumns)
  }

  exists(): boolean {
    return this.#live(this.#cell('exists')) !== undefined
  }
  get(): unknown {
    const value = this.#live(this.#cell('get'))
    return value === undefined ? null : this.#codec.copy(value)
  }
  update(value: unknown): void {
    const cell = this.#cell('update')
    const normal = this.#codec.normal(value, `update of the state "${this.#name}"`)
    this.#changing(cell, 'rowsUpdated')
    cell.value = normal
    cell.timeUs = this.#ttlUs === null ? null : this.#session.nowUs + this.#ttlUs
    cell.isDirty = true
  }
  clear(): void {
    const cell = this.#cell('clear')
    this.#changing(cell, 'rowsRemoved')
    cell.value = undefined
    cell.isDirty = true
  }

  /** Counts a change that is to follow. */
  #changing(cell: Cell, count: 'rowsUpdated' | 'rowsRemoved'): void {
    const session = this.#session
    session[count]++
    if (!session.takesBack) return
    const before = { ...cell }
    session.changing(() => {
      Object.assign(cell, before)
      session[count]--
    })
  }

  flush(): void {
    this.#rows.flush(this.#session.isConcurrent)
  }

  #cell(operation: string): Cell {
    this.#session.check(`${operation}() of the state "${this.#name}"`)
    return this.#rows.cellOf(this.#session.keys, this.#session.at)
  }
  /** A value that has expired is gone, though its row may still be there. */
  #live({ value, timeUs }: Cell): unknown {
    return timeUs !== null && timeUs <= this.#session.nowUs ? undefined : value
  }
}
