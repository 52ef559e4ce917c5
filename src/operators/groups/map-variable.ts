import { InternalError } from '../../base/errors.ts'
import type { FixedColumn } from '../../data/column-batch.ts'
import type { MapState } from '../../data/state-function.ts'
import { type DeclaredVariable, encodeUserKey, entryHash, type StateShape } from '../../data/state-layout.ts'
import { writeRowId } from '../../state/row-id.ts'
import type { FoundKeyedRows, StateStore } from '../../state/state-store.ts'
import { takeIds } from '../take.ts'
import { keyedBatch, timesColumn } from './columns.ts'
import { type KeySet, noKeys } from './key-set.ts'
import { ReadAhead, type RunningVariable, type Session } from './session.ts'
import { ShapeCodec } from './shape-codec.ts'

interface Entry {
  readonly key: unknown
  /** Undefined: the entry is gone, or never was. */
  value: unknown
  expiresUs: bigint | null
  /** Whether the store has it; null while nobody has asked. */
  isStored: boolean | null
  isDirty: boolean
}
interface Entries {
  /** By the encoding of the entry's key. */
  readonly byKey: Map<string, Entry>
  /** All that the store has is in `byKey`. */
  isWhole: boolean
}
/** An entry with the number of its key. */
interface Placed {
  readonly index: number
  readonly encoded: string
  readonly entry: Entry
}

/** From so many entries on. */
const largeMap = 256

/** A row for each entry, found by a hash of its key: an entry of a large map is read and written without the others. */
export class MapVariable implements MapState<unknown, unknown>, RunningVariable {
  readonly #name: string
  readonly #session: Session
  readonly #store: StateStore
  readonly #keyShape: StateShape
  readonly #keyCodec: ShapeCodec
  readonly #codec: ShapeCodec
  readonly #keyColumns: number
  readonly #ttlUs: bigint | null
  readonly #readAhead = new ReadAhead(8, 512)
  /** Keys whose maps were found to be large: of them an entry is read by itself. */
  readonly #large = new Set<string>()
  #keys: KeySet = noKeys
  #maps = new Map<number, Entries>()

  constructor(variable: DeclaredVariable, session: Session, store: StateStore, keyColumns: number) {
    this.#name = variable.name
    this.#session = session
    this.#store = store
    this.#keyShape = variable.userKey!
    this.#keyCodec = new ShapeCodec(variable.userKey!)
    this.#codec = new ShapeCodec(variable.value)
    this.#keyColumns = keyColumns
    this.#ttlUs = variable.ttlMs === null ? null : BigInt(variable.ttlMs) * 1000n
  }

  exists(): boolean {
    return this.#all('exists').length > 0
  }
  getValue(key: unknown): unknown {
    const value = this.#live(this.#entry('getValue', key))
    return value === undefined ? null : this.#codec.copy(value)
  }
  containsKey(key: unknown): boolean {
    return this.#live(this.#entry('containsKey', key)) !== undefined
  }
  updateValue(key: unknown, value: unknown): void {
    const normal = this.#codec.normal(value, this.#place('updateValue'))
    const entry = this.#known('updateValue', key)
    this.#changing(entry, 'rowsUpdated')
    entry.value = normal
    entry.expiresUs = this.#ttlUs === null ? null : this.#session.nowUs + this.#ttlUs
    entry.isDirty = true
  }
  iterator(): IterableIterator<[unknown, unknown]> {
    return this.#all('iterator')
      .map(({ key, value }): [unknown, unknown] => [this.#keyCodec.copy(key), this.#codec.copy(value)])
      .values()
  }
  keys(): IterableIterator<unknown> {
    return this.#all('keys')
      .map(({ key }) => this.#keyCodec.copy(key))
      .values()
  }
  values(): IterableIterator<unknown> {
    return this.#all('values')
      .map(({ value }) => this.#codec.copy(value))
      .values()
  }
  removeKey(key: unknown): void {
    const entry = this.#known('removeKey', key)
    this.#changing(entry, 'rowsRemoved')
    entry.value = undefined
    entry.isDirty = true
  }
  clear(): void {
    for (const entry of this.#all('clear')) {
      this.#changing(entry, 'rowsRemoved')
      entry.value = undefined
      entry.isDirty = true
    }
  }
  /** Counts a change that is to follow. */
  #changing(entry: Entry, count: 'rowsUpdated' | 'rowsRemoved'): void {
    const session = this.#session
    session[count]++
    if (!session.takesBack) return
    const before = { ...entry }
    const entries = this.#entriesAt(session.at)
    session.changing(() => {
      Object.assign(entry, before)
      // what the store has of an entry that the call had changed was not read
      entries.isWhole = false
      session[count]--
    })
  }

  flush(): void {
    const dirty: Placed[] = []
    for (const [index, { byKey }] of this.#session.inOrder(this.#maps))
      for (const [encoded, entry] of this.#ordered(byKey)) if (entry.isDirty) dirty.push({ index, encoded, entry })
    if (dirty.length > 0) {
      const ids = this.#idsOf(dirty)
      this.#checkHashes(dirty, ids)
      const where = (test: (placed: Placed) => boolean) => Uint32Array.from(dirty.flatMap((placed, i) => (test(placed) ? [i] : [])))
      const gone = where(({ entry }) => entry.value === undefined)
      if (gone.length > 0) this.#store.remove(takeIds(ids, gone))
      const kept = where(({ entry }) => entry.value !== undefined)
      if (kept.length > 0)
        this.#put(
          Array.from(kept, (i) => dirty[i]!),
          takeIds(ids, kept),
        )
    }
    this.#maps = new Map()
    this.#readAhead.reset()
  }

  /** Which entries were read ahead, and when, depends on the order of the calls where there are several at a time. */
  #ordered(byKey: ReadonlyMap<string, Entry>): Iterable<[string, Entry]> {
    return this.#session.isConcurrent ? [...byKey].sort(([a], [b]) => (a < b ? -1 : 1)) : byKey
  }
  #put(placed: readonly Placed[], ids: Uint32Array): void {
    const columns = [
      ...this.#keys.columnsAt(Uint32Array.from(placed, ({ index }) => index)),
      ...this.#keyCodec.encode(placed.map(({ entry }) => entry.key)),
      ...this.#codec.encode(placed.map(({ entry }) => entry.value)),
    ]
    if (this.#ttlUs !== null) columns.push(timesColumn(placed.map(({ entry }) => entry.expiresUs)))
    this.#store.put(keyedBatch(ids, columns, placed.length))
  }

  /** Entries that nobody has read are looked at before they are written: a row with the same identity and another key must not be lost. */
  #checkHashes(dirty: readonly Placed[], ids: Uint32Array): void {
    const unread = Uint32Array.from(dirty.flatMap(({ entry }, i) => (entry.isStored === null ? [i] : [])))
    const found = unread.length === 0 ? null : this.#store.get(takeIds(ids, unread))
    if (found) this.#decode(found, (row, encoded) => this.#checkSame(dirty[unread[found.asked[row]!]!]!, encoded))
    const places = new Map<string, Placed>()
    for (const [i, placed] of dirty.entries()) {
      const id = ids.subarray(i * 4, i * 4 + 4).join()
      const other = places.get(id)
      if (other && (other.index !== placed.index || other.encoded !== placed.encoded)) throw this.#collision(placed)
      places.set(id, placed)
    }
  }
  #checkSame(placed: Placed, encoded: string): void {
    if (encoded !== placed.encoded) throw this.#collision(placed)
  }
  #collision({ entry, index }: Placed): InternalError {
    return new InternalError('STATE_MAP_HASH_COLLISION', {
      what: `two entries of the map "${this.#name}" of the key ${JSON.stringify(this.#keys.keyAt(index), (_, v) => (typeof v === 'bigint' ? String(v) : v))} have the same hash of 64 bits; one is ${String(entry.key)}`,
      todo: 'this happens once in millions of maps of a million entries: start with a new checkpoint, whose hashes differ',
    })
  }

  #entries(operation: string): Entries {
    this.#session.check(this.#place(operation))
    const { keys, at } = this.#session
    if (keys !== this.#keys) {
      this.#keys = keys
      this.#maps = new Map()
      this.#readAhead.reset()
    }
    return this.#entriesAt(at)
  }
  #entriesAt(index: number): Entries {
    const known = this.#maps.get(index)
    if (known) return known
    const entries: Entries = { byKey: new Map(), isWhole: false }
    this.#maps.set(index, entries)
    return entries
  }

  /** The entry, without a look into the store. */
  #known(operation: string, key: unknown): Entry {
    const { byKey, isWhole } = this.#entries(operation)
    const normal = this.#keyCodec.normal(key, `the key of ${this.#place(operation)}`)
    const encoded = encodeUserKey(this.#keyShape, normal)
    const known = byKey.get(encoded)
    if (known) return known
    const entry: Entry = { key: normal, value: undefined, expiresUs: null, isStored: isWhole ? false : null, isDirty: false }
    byKey.set(encoded, entry)
    return entry
  }
  /** The entry as it stands. */
  #entry(operation: string, key: unknown): Entry {
    const entry = this.#known(operation, key)
    if (entry.isStored !== null || entry.isDirty) return entry
    const { at } = this.#session
    if (!this.#isLarge(at)) {
      // a small map is read whole, with those of the keys after it: fewer reads than entry by entry
      this.#readFrom(at)
      return entry
    }
    const encoded = encodeUserKey(this.#keyShape, entry.key)
    const placed: Placed = { index: at, encoded, entry }
    const found = this.#store.get(this.#idsOf([placed]))
    entry.isStored = false
    this.#decode(found, (row, stored, read) => {
      this.#checkSame(placed, stored)
      Object.assign(entry, { isStored: true, ...read(row) })
    })
    return entry
  }

  /** The entries that have not expired, in the order of their encoded keys. */
  #all(operation: string): Entry[] {
    const entries = this.#entries(operation)
    if (!entries.isWhole) this.#readFrom(this.#session.at)
    return [...entries.byKey]
      .filter(([, entry]) => this.#live(entry) !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, entry]) => entry)
  }

  #readFrom(index: number): void {
    const end = this.#readAhead.endFrom(index, this.#keys.length)
    const wanted: number[] = []
    for (let i = index; i < end; i++) if (this.#maps.get(i)?.isWhole !== true && (i === index || !this.#isLarge(i))) wanted.push(i)
    const found = this.#store.lookup(takeIds(this.#keys.keyIds, Uint32Array.from(wanted)))
    for (const i of wanted) this.#entriesAt(i).isWhole = true
    const keyColumns = found.rows.columns.slice(0, this.#keyColumns)
    this.#decode(found, (row, encoded, read, key) => {
      const at = wanted[found.asked[row]!]!
      if (!this.#keys.isKey(at, keyColumns, row)) return
      const { byKey } = this.#entriesAt(at)
      const known = byKey.get(encoded)
      if (!known) byKey.set(encoded, { key, isStored: true, isDirty: false, ...read(row) })
      else if (known.isDirty)
        known.isStored = true // what the calls have written counts
      else Object.assign(known, { isStored: true, ...read(row) })
    })
    for (const i of wanted) {
      const { byKey } = this.#entriesAt(i)
      for (const entry of byKey.values()) entry.isStored ??= false
      if (byKey.size > largeMap) this.#large.add(this.#idText(i))
    }
  }

  #isLarge(index: number): boolean {
    return this.#large.size > 0 && this.#large.has(this.#idText(index))
  }
  #idText(index: number): string {
    return this.#keys.keyIds.subarray(index * 4, index * 4 + 4).join()
  }

  #decode(
    { rows }: FoundKeyedRows,
    use: (row: number, encoded: string, read: (row: number) => { value: unknown; expiresUs: bigint | null }, key: unknown) => void,
  ): void {
    const keyEnd = this.#keyColumns + this.#keyCodec.schema.fields.length
    const keys = this.#keyCodec.decode(rows.columns.slice(this.#keyColumns, keyEnd), rows.length)
    const values = this.#codec.decode(rows.columns.slice(keyEnd, keyEnd + this.#codec.schema.fields.length), rows.length)
    const times = this.#ttlUs === null ? null : (rows.columns.at(-1) as FixedColumn).data
    const read = (row: number) => ({ value: values[row], expiresUs: times === null ? null : (times[row] as bigint) })
    for (let row = 0; row < rows.length; row++) use(row, encodeUserKey(this.#keyShape, keys[row]), read, keys[row])
  }

  #live({ value, expiresUs }: Entry): unknown {
    return expiresUs !== null && expiresUs <= this.#session.nowUs ? undefined : value
  }
  #idsOf(placed: readonly Placed[]): Uint32Array {
    const ids = new Uint32Array(placed.length * 4)
    placed.forEach(({ index, encoded }, i) => {
      const [low, high] = entryHash(this.#keys.keyIds, index * 4, encoded)
      writeRowId(ids, i * 4, this.#keys.keyIds, index * 4, low, high)
    })
    return ids
  }
  #place(operation: string): string {
    return `${operation}() of the state "${this.#name}"`
  }
}
