import { InvalidQueryError } from '../../base/errors.ts'
import type { FixedColumn } from '../../data/column-batch.ts'
import type { ListState } from '../../data/state-function.ts'
import type { DeclaredVariable } from '../../data/state-layout.ts'
import { rowNumberAt } from '../../state/row-id.ts'
import type { StateStore } from '../../state/state-store.ts'
import { takeIds } from '../take.ts'
import { keyedBatch, timesColumn } from './columns.ts'
import { type KeySet, noKeys } from './key-set.ts'
import { ReadAhead, type RunningVariable, type Session } from './session.ts'
import { ShapeCodec } from './shape-codec.ts'

interface Element {
  readonly value: unknown
  readonly expiresUs: bigint | null
}
interface List {
  /** What the store has; null while nobody has asked. */
  stored: { readonly ids: Uint32Array; readonly elements: readonly Element[] } | null
  /** What the store has is to go. */
  isCleared: boolean
  added: Element[]
}

/** A row for each element. What is there is read when somebody asks for it, for several keys at once; adding does not ask. */
export class ListVariable implements ListState<unknown>, RunningVariable {
  readonly #name: string
  readonly #session: Session
  readonly #store: StateStore
  readonly #codec: ShapeCodec
  readonly #keyColumns: number
  readonly #ttlUs: bigint | null
  readonly #readAhead = new ReadAhead(16, 1024)
  #keys: KeySet = noKeys
  #lists = new Map<number, List>()

  constructor(variable: DeclaredVariable, session: Session, store: StateStore, keyColumns: number) {
    this.#name = variable.name
    this.#session = session
    this.#store = store
    this.#codec = new ShapeCodec(variable.value)
    this.#keyColumns = keyColumns
    this.#ttlUs = variable.ttlMs === null ? null : BigInt(variable.ttlMs) * 1000n
  }

  exists(): boolean {
    return this.#live('exists').length > 0
  }
  get(): unknown[] {
    return this.#live('get').map(({ value }) => this.#codec.copy(value))
  }
  put(values: readonly unknown[]): void {
    const list = this.#list('put')
    const added = this.#elements('put', values)
    // what it takes the place of in this batch is never written
    this.#changing(list, added.length - list.added.length, 0)
    list.isCleared = true
    list.added = added
  }
  appendValue(value: unknown): void {
    const list = this.#list('appendValue')
    const added = this.#elements('appendValue', [value])
    this.#changing(list, 1, 0)
    list.added.push(...added)
  }
  appendList(values: readonly unknown[]): void {
    const added = this.#elements('appendList', values)
    const list = this.#list('appendList')
    this.#changing(list, added.length, 0)
    for (const element of added) list.added.push(element)
  }
  clear(): void {
    const list = this.#list('clear')
    this.#changing(list, 0, list.added.length)
    list.isCleared = true
    list.added = []
  }

  /** Counts a change that is to follow. */
  #changing(list: List, updated: number, removed: number): void {
    const session = this.#session
    session.rowsUpdated += updated
    session.rowsRemoved += removed
    if (!session.takesBack) return
    const { isCleared, added } = list
    const { length } = added
    session.changing(() => {
      list.isCleared = isCleared
      list.added = added
      added.length = length
      session.rowsUpdated -= updated
      session.rowsRemoved -= removed
    })
  }

  flush(): void {
    const lists = this.#session.inOrder(this.#lists)
    const cleared = lists.filter(([, list]) => list.isCleared)
    const unknown = cleared.filter(([, list]) => list.stored === null).map(([index]) => index)
    if (unknown.length > 0) this.#read(unknown)
    for (const [, { stored, added }] of cleared) {
      if (stored!.elements.length === 0) continue
      const removed = this.#store.remove(stored!.ids)
      if (added.length === 0) this.#session.rowsRemoved += removed
    }
    this.#write(lists)
    this.#lists = new Map()
    this.#readAhead.reset()
  }

  #write(lists: readonly (readonly [number, List])[]): void {
    const numbers: number[] = []
    const elements: Element[] = []
    for (const [index, { added }] of lists) {
      for (const element of added) {
        numbers.push(index)
        elements.push(element)
      }
    }
    if (elements.length === 0) return
    const of = Uint32Array.from(numbers)
    const ids = this.#store.newRowIds(takeIds(this.#keys.keyIds, of))
    const columns = [...this.#keys.columnsAt(of), ...this.#codec.encode(elements.map(({ value }) => value))]
    if (this.#ttlUs !== null) columns.push(timesColumn(elements.map(({ expiresUs }) => expiresUs)))
    this.#store.put(keyedBatch(ids, columns, elements.length))
  }

  #list(operation: string): List {
    this.#session.check(`${operation}() of the state "${this.#name}"`)
    const { keys, at } = this.#session
    if (keys !== this.#keys) {
      this.#keys = keys
      this.#lists = new Map()
      this.#readAhead.reset()
    }
    const known = this.#lists.get(at)
    if (known) return known
    const list: List = { stored: null, isCleared: false, added: [] }
    this.#lists.set(at, list)
    return list
  }

  /** The elements that have not expired, in order. */
  #live(operation: string): Element[] {
    const list = this.#list(operation)
    if (!list.isCleared && list.stored === null) this.#readFrom(this.#session.at)
    const all = list.isCleared ? list.added : [...list.stored!.elements, ...list.added]
    const { nowUs } = this.#session
    return this.#ttlUs === null ? all : all.filter(({ expiresUs }) => expiresUs! > nowUs)
  }

  #readFrom(index: number): void {
    const end = this.#readAhead.endFrom(index, this.#keys.length)
    const wanted: number[] = []
    for (let i = index; i < end; i++) if ((this.#lists.get(i)?.stored ?? null) === null) wanted.push(i)
    this.#read(wanted)
  }

  #read(indexes: readonly number[]): void {
    const { keyIds, rows, asked } = this.#store.lookup(takeIds(this.#keys.keyIds, Uint32Array.from(indexes)))
    const width = this.#codec.schema.fields.length
    const keyColumns = rows.columns.slice(0, this.#keyColumns)
    const values = this.#codec.decode(rows.columns.slice(this.#keyColumns, this.#keyColumns + width), rows.length)
    const times = this.#ttlUs === null ? null : (rows.columns.at(-1) as FixedColumn).data
    const rowsOf = indexes.map((): number[] => [])
    for (let row = 0; row < rows.length; row++) if (this.#keys.isKey(indexes[asked[row]!]!, keyColumns, row)) rowsOf[asked[row]!]!.push(row)
    indexes.forEach((index, i) => {
      const numbers = Uint32Array.from(rowsOf[i]!.sort((a, b) => rowNumberAt(keyIds, a * 4) - rowNumberAt(keyIds, b * 4)))
      const elements = Array.from(
        numbers,
        (row): Element => ({ value: values[row], expiresUs: times === null ? null : (times[row] as bigint) }),
      )
      const stored = { ids: takeIds(keyIds, numbers), elements }
      const list = this.#lists.get(index)
      if (list) list.stored = stored
      else this.#lists.set(index, { stored, isCleared: false, added: [] })
    })
  }

  #elements(operation: string, values: readonly unknown[]): Element[] {
    const place = `${operation} of the state "${this.#name}"`
    if (!Array.isArray(values))
      throw new InvalidQueryError('ILLEGAL_STATE_STORE_VALUE.NULL_VALUE', {
        what: `${place} was given ${values === null ? 'null' : `a ${typeof values}`}, and takes a list`,
        todo: 'give an array of values',
      })
    if (values.length === 0)
      throw new InvalidQueryError('ILLEGAL_STATE_STORE_VALUE.EMPTY_LIST_VALUE', {
        what: `${place} was given an empty list`,
        todo: 'give at least one value, or call clear()',
      })
    const expiresUs = this.#ttlUs === null ? null : this.#session.nowUs + this.#ttlUs
    return values.map((value) => ({ value: this.#codec.normal(value, place), expiresUs }))
  }
}
