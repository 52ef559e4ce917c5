/** One row a key: a value with perhaps a time. Read for many keys at once, written when all of them are done. */
import type { Column, FixedColumn } from '../../data/column-batch.ts'
import type { KeyedBatch, StateStore } from '../../state/state-store.ts'
import { sortByIdentity, takeIds } from '../take.ts'
import { booleansColumn, keyedBatch, timesColumn } from './columns.ts'
import { type KeySet, noKeys } from './key-set.ts'
import { ReadAhead } from './session.ts'
import type { ShapeCodec } from './shape-codec.ts'

export interface Cell {
  /** Undefined: none. */
  value: unknown
  /** Null: none. */
  timeUs: bigint | null
  isStored: boolean
  isDirty: boolean
}

/** What stands behind the value's columns: nothing, when it expires, or whether it is there and when it times out. */
export type Trailer = 'none' | 'time' | 'defined and time'

export class KeyedValues {
  readonly #store: StateStore
  readonly #codec: ShapeCodec
  readonly #trailer: Trailer
  readonly #keyColumns: number
  readonly #readAhead = new ReadAhead(64, 8192)
  #keys: KeySet = noKeys
  #cells = new Map<number, Cell>()

  constructor(store: StateStore, codec: ShapeCodec, trailer: Trailer, keyColumns: number) {
    this.#store = store
    this.#codec = codec
    this.#trailer = trailer
    this.#keyColumns = keyColumns
  }

  cellOf(keys: KeySet, index: number): Cell {
    if (keys !== this.#keys) this.#begin(keys)
    const known = this.#cells.get(index)
    if (known) return known
    this.#read(index, this.#readAhead.endFrom(index, keys.length))
    return this.#cells.get(index)!
  }

  /** Takes the rows whose time is at or below this out of the store, with their keys; they count as changed. */
  takeDue(timeUs: bigint, keysOf: (batch: KeyedBatch) => KeySet): KeySet {
    const due = sortByIdentity(this.#store.take(timeUs))
    const keys = keysOf(due)
    this.#begin(keys)
    this.#decode(due, (row) => row, false)
    return keys
  }

  /** Writes what was changed, in the order of the keys where calls may end in another one. */
  flush(isConcurrent: boolean): { readonly put: number; readonly removed: number } {
    const dirty = [...this.#cells].filter(([, cell]) => cell.isDirty)
    if (isConcurrent) dirty.sort(([a], [b]) => a - b)
    const kept = dirty.filter(([, cell]) => cell.value !== undefined || (this.#trailer === 'defined and time' && cell.timeUs !== null))
    const gone = dirty.filter(
      ([, cell]) => cell.isStored && cell.value === undefined && !(this.#trailer === 'defined and time' && cell.timeUs !== null),
    )
    const removed = gone.length === 0 ? 0 : this.#store.remove(takeIds(this.#keys.keyIds, numbersOf(gone)))
    if (kept.length > 0) this.#store.put(this.#encode(kept))
    this.#cells = new Map()
    this.#readAhead.reset()
    return { put: kept.length, removed }
  }

  #begin(keys: KeySet): void {
    this.#keys = keys
    this.#cells = new Map()
    this.#readAhead.reset()
  }

  #read(from: number, to: number): void {
    const wanted: number[] = []
    for (let index = from; index < to; index++) if (!this.#cells.has(index)) wanted.push(index)
    const numbers = Uint32Array.from(wanted)
    for (const index of wanted) this.#cells.set(index, { value: undefined, timeUs: null, isStored: false, isDirty: false })
    const found = this.#store.get(takeIds(this.#keys.keyIds, numbers))
    this.#decode(found, (row) => numbers[found.asked[row]!]!, true)
  }

  #decode({ rows }: KeyedBatch, indexOf: (row: number) => number, isStored: boolean): void {
    const width = this.#codec.schema.fields.length
    const values = this.#codec.decode(rows.columns.slice(this.#keyColumns, this.#keyColumns + width), rows.length)
    const trailer = rows.columns.slice(this.#keyColumns + width) as FixedColumn[]
    const time = this.#trailer === 'none' ? null : trailer.at(-1)!
    const defined = this.#trailer === 'defined and time' ? trailer[0]! : null
    for (let row = 0; row < rows.length; row++) {
      this.#cells.set(indexOf(row), {
        value: defined !== null && defined.data[row] === 0 ? undefined : values[row],
        timeUs: time === null || (time.valid !== null && time.valid[row] === 0) ? null : (time.data[row] as bigint),
        isStored,
        isDirty: !isStored,
      })
    }
  }

  #encode(cells: readonly (readonly [number, Cell])[]): KeyedBatch {
    const numbers = numbersOf(cells)
    const columns: Column[] = [...this.#keys.columnsAt(numbers), ...this.#codec.encode(cells.map(([, { value }]) => value))]
    if (this.#trailer === 'defined and time') columns.push(booleansColumn(cells.map(([, { value }]) => value !== undefined)))
    if (this.#trailer !== 'none') columns.push(timesColumn(cells.map(([, { timeUs }]) => timeUs)))
    return keyedBatch(takeIds(this.#keys.keyIds, numbers), columns, cells.length)
  }
}

function numbersOf(cells: readonly (readonly [number, Cell])[]): Uint32Array {
  return Uint32Array.from(cells, ([index]) => index)
}
