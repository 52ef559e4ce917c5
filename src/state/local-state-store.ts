/**
 * State in a database on this machine. The rows that a batch asks for are loaded into a store in memory, which does all the work (there is one
 * implementation of what merging and eviction mean) and knows what changed; the changed rows go back to the database in one write.
 *
 * `#known` holds the identities whose rows in the database, if any, are in memory or were removed there: they are not loaded again. Every row in memory
 * is known. All other rows are those of the database.
 */
import { assert } from '../base/errors.ts'
import { rowMemory } from '../data/array-pool.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import { eventTimeIndex, type StateSchema } from '../data/state-schema.ts'
import type { ByteWriter } from './byte-writer.ts'
import { IdSet } from './id-set.ts'
import type { KeptStore, StateChanges } from './kept-store.ts'
import { KeyCount } from './key-count.ts'
import { createKeyGroup, enterRows, forgetChanges, type KeyGroup, noteRemovedId, reserveGroup, settleChanged } from './key-group.ts'
import { orderByGroup, sortByIdentity } from './key-order.ts'
import { fetchRows, type LocalDatabase } from './local-database.ts'
import { hasPrefix, LocalKeys, rowKeyBytes, timeKeyBytes } from './local-keys.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { loaded, statusWord } from './record-layout.ts'
import type { RocksBatch } from './rocksdb-addon.ts'
import { decodeRow, RowEncoder } from './row-bytes.ts'
import { rowIds, rowNumberAt } from './row-id.ts'
import type { FoundKeyedRows, KeyedBatch } from './state-store.ts'
import { TimeLists } from './time-lists.ts'

/** What a store must know of its rows in the database without reading them. */
export interface StoreCounts {
  /** Rows by key group. */
  readonly rows: readonly number[]
  /** Keys with rows (of a list: not as many as rows). */
  readonly keys: number
  /** The number of the next row; 1 where rows have none. */
  readonly nextRow: number
  /** The number of the next entry in the order of event times. */
  readonly nextEntry: number
  /** Up to this event time there may be rows in that order that are gone; null: there are none. */
  readonly staleThrough: string | null
}

/** What the database asks of a store. */
export interface LocalStore {
  readonly schema: StateSchema
  readonly counts: StoreCounts
  /** `counts` null: the database is empty. */
  attach(database: LocalDatabase, counts: StoreCounts | null): void
  /** Puts what changed into a write; returns its bytes. */
  write(batch: RocksBatch): number
  /** The write is done. Rows that take up to `keepBytes` stay in memory. */
  written(keepBytes: number): void
}

const noWork = () => ({ getCount: 0, getMs: 0, putCount: 0, bytesRead: 0 })
const noOptions = {}
/** Entries of an iterator that are fetched in one call. */
const pageRows = 1000

export class LocalStateStore implements KeptStore, LocalStore {
  readonly schema: StateSchema
  readonly keyGroups: number
  readonly #memory: MemoryStateStore
  readonly #encoder: RowEncoder
  readonly #keys: LocalKeys
  readonly #hasMany: boolean
  /** Rows of a key are numbered by newRowIds; entries of maps and timers have hashes in place of numbers. */
  readonly #numbersRise: boolean
  readonly #timesMove: boolean
  readonly #known = new IdSet()
  /** Keys (their first 64 bits) all of whose rows are known. */
  readonly #knownKeys = new IdSet()
  /** Rows of the database that are not known, by key group. */
  readonly #unknown: Float64Array
  #fetchKeys: Uint8Array[] = []
  #database: LocalDatabase | null = null
  /** Of a list, whose keys are what progress counts. */
  #keyCount: KeyCount | null = null
  #nextRow = 1
  /** The database has no row with this number or a higher one. */
  #firstFreshRow = 1
  /** No entry of the database's order of event times is below it; null: not known. */
  #lowestTime: bigint | null = null
  /** Entries of that order whose rows are gone, to be removed. */
  #spentTimes: Uint8Array[] = []
  #nextEntry = 1
  #staleThrough: bigint | null = null
  readonly #id = new Int32Array(4)
  #work = noWork()
  /** Of the last version. */
  #lastWork = noWork()

  constructor(schema: StateSchema, keyGroups: number, place: number, version = 0) {
    this.schema = schema
    this.keyGroups = keyGroups
    this.#memory = new MemoryStateStore(schema, keyGroups, version)
    this.#encoder = new RowEncoder(this.#memory.layout)
    this.#keys = new LocalKeys(place, keyGroups, this.#memory.layout)
    this.#hasMany = schema.rowsPerKey === 'many'
    this.#numbersRise = this.#hasMany && schema.variable?.kind !== 'map' && schema.variable?.kind !== 'timers'
    this.#timesMove = schema.eventTime !== null && (this.#hasMany || 'value' in schema.eventTime)
    this.#unknown = new Float64Array(keyGroups)
  }

  attach(database: LocalDatabase, counts: StoreCounts | null): void {
    this.#forgetRows()
    this.#database = database
    this.#unknown.fill(0)
    if (counts !== null) this.#unknown.set(counts.rows)
    const counted = { keys: this.#keys, known: this.#known, read: <T>(use: () => T) => this.#read(use) }
    this.#keyCount = this.schema.variable?.kind === 'list' ? new KeyCount(counted, counts?.keys ?? 0) : null
    this.#nextRow = this.#firstFreshRow = counts?.nextRow ?? 1
    this.#lowestTime = null
    this.#nextEntry = counts?.nextEntry ?? 1
    this.#staleThrough = counts === null || counts.staleThrough === null ? null : BigInt(counts.staleThrough)
  }

  get version(): number {
    return this.#memory.version
  }
  get numRows(): number {
    let rows = this.#memory.numRows
    for (const count of this.#unknown) rows += count
    return rows
  }
  #countKeys(): void {
    this.#keyCount?.count(this.#memory.groups, () => this.#database!.iterate({ values: false, fillCache: true }))
  }
  get numKeys(): number {
    return this.#keyCount?.value ?? this.numRows
  }
  rowsIn(group: number): number {
    return this.#unknown[group]! + this.#memory.groups[group]!.rows
  }
  /** With this store's share of the database. */
  get memoryUsedBytes(): number {
    return this.#rowBytes + (this.#database?.shareOf('memory') ?? 0)
  }
  get #rowBytes(): number {
    return this.#memory.memoryUsedBytes + this.#known.bytes + this.#knownKeys.bytes
  }
  get customMetrics(): Readonly<Record<string, number>> {
    const database = this.#database
    if (database === null) return {}
    const { getCount, getMs, putCount, bytesRead } = this.#lastWork
    return {
      rocksdbGetCount: getCount,
      rocksdbGetLatency: getMs,
      rocksdbPutCount: putCount,
      rocksdbPutLatency: database.shareOf('writeMs'),
      rocksdbTotalBytesRead: bytesRead,
      rocksdbTotalBytesWritten: database.shareOf('bytesWritten'),
      rocksdbSstFileSize: database.shareOf('files'),
      rocksdbPinnedBlocksMemoryUsage: database.shareOf('pinned'),
      rocksdbLoadLatencyMs: database.shareOf('loadMs'),
    }
  }

  // ---- what operators do -------------------------------------------------------------------------------------------------------------------

  merge(batch: KeyedBatch, collect = true): ColumnBatch {
    this.#fetch(batch.keyIds, batch.rows.length, true)
    return this.#memory.merge(batch, collect)
  }
  sumsFit(batch: KeyedBatch, columns: readonly number[]): boolean {
    this.#fetch(batch.keyIds, batch.rows.length)
    return this.#memory.sumsFit(batch, columns)
  }
  insert(batch: KeyedBatch): Uint32Array {
    this.#fetch(batch.keyIds, batch.rows.length, true)
    return this.#memory.insert(batch)
  }
  put(batch: KeyedBatch): void {
    this.#fetch(batch.keyIds, batch.rows.length, true)
    this.#memory.put(batch)
  }
  get(ids: Uint32Array): FoundKeyedRows {
    this.#fetch(ids, ids.length / 4)
    return this.#memory.get(ids)
  }
  remove(ids: Uint32Array): number {
    this.#fetch(ids, ids.length / 4)
    this.#noteStale(this.#memory.get(ids))
    return this.#memory.remove(ids)
  }
  evict(watermarkUs: bigint, collect: boolean): { readonly rows: ColumnBatch; readonly removed: number } {
    const unread = this.#fetchDue(watermarkUs, collect || this.#timesMove)
    const { rows, removed } = this.#memory.evict(watermarkUs, collect)
    return { rows, removed: removed + unread }
  }
  earliestTime(): bigint | null {
    const inMemory = this.#memory.earliestTime()
    const stored = this.schema.eventTime === null ? null : this.#firstTimeOfDatabase()
    return inMemory === null || (stored !== null && stored < inMemory) ? stored : inMemory
  }
  /** By its order of event times, in which an entry may stand whose row has moved or is gone. */
  #firstTimeOfDatabase(): bigint | null {
    const first = this.#lowestTime
    if (first === maxTime) return null
    const gte = first === null ? this.#keys.firstTime : this.#keys.fromTime(first)
    const iterator = this.#settled().iterate({ gte, lt: this.#keys.behindTimes, values: false, fillCache: false })
    try {
      const [key] = iterator._nextvSync(1, noOptions).rows
      this.#lowestTime = key === undefined ? maxTime : this.#keys.timeOf(key)
      return key === undefined ? null : this.#lowestTime
    } finally {
      iterator._closeSync()
    }
  }
  take(watermarkUs: bigint): KeyedBatch {
    this.#fetchDue(watermarkUs, true)
    return this.#memory.take(watermarkUs)
  }

  newRowIds(keyIds: Uint32Array): Uint32Array {
    assert(this.#hasMany, 'row numbers are for stores with many rows a key')
    const ids = rowIds(keyIds, this.#nextRow, rowMemory.array(Uint32Array, keyIds.length))
    this.#nextRow += keyIds.length / 4
    return ids
  }
  lookup(keyIds: Uint32Array): FoundKeyedRows {
    assert(this.#hasMany, 'lookup is for stores with many rows a key; get finds the row of a key')
    this.#fetchRowsOf(keyIds)
    return this.#memory.lookup(keyIds)
  }

  *scan(): Generator<ColumnBatch> {
    for (const { rows } of this.scanKeyed()) yield rows
  }
  /** The database's rows go through a store of their own, a piece at a time. */
  *scanKeyed(): Generator<KeyedBatch> {
    const database = this.#settled()
    if (this.#unknownRows() > 0) {
      const iterator = database.iterate({ gte: this.#keys.group(0), lt: this.#keys.group(this.keyGroups), values: true, fillCache: false })
      try {
        for (let isLast = false; !isLast; ) {
          const piece = new MemoryStateStore(this.schema, this.keyGroups)
          for (let rows = 0; rows < 8 * pageRows && !isLast; rows += pageRows) {
            const page = this.#read(() => iterator._nextvSync(pageRows, noOptions))
            this.#enterPage(page.rows, piece.groups, (id) => !this.#known.has(id[0]!, id[1]!, id[2]!, id[3]!))
            isLast = page.finished
          }
          yield* piece.scanKeyed()
        }
      } finally {
        iterator._closeSync()
      }
    }
    yield* this.#memory.scanKeyed()
  }

  // ---- rows of the database come into memory ------------------------------------------------------------------------------------------------

  /** Every call begins with it: rows of the last batch that still wait in memory are written first. */
  #settled(): LocalDatabase {
    const database = this.#database
    assert(database !== null, 'the local state was used before it was opened')
    database.settle()
    return database
  }
  #unknownRows(): number {
    let rows = 0
    for (const count of this.#unknown) rows += count
    return rows
  }

  /** Brings the rows with these identities into memory, where there are any; `wanted`: of these key groups. `makesRows`: there will be rows with all of them. */
  #fetch(ids: Uint32Array, count: number, makesRows = false, wanted: Uint8Array | null = null): void {
    this.#settled()
    const isEmpty = this.#unknownRows() === 0
    this.#known.reserve(count)
    let waiting = 0
    const numbers = new Uint32Array(isEmpty ? 0 : count)
    const newlyKnown = new Uint32Array(this.keyGroups)
    for (let i = 0, at = 0; i < count; i++, at += 4) {
      if (wanted !== null && wanted[ids[at]! % this.keyGroups] === 0) continue
      if (!this.#known.add(ids[at]!, ids[at + 1]!, ids[at + 2]!, ids[at + 3]!)) continue
      newlyKnown[ids[at]! % this.keyGroups]!++
      if (!isEmpty && !(this.#numbersRise && rowNumberAt(ids, at) >= this.#firstFreshRow)) numbers[waiting++] = i
    }
    if (makesRows) for (const group of this.#memory.groups) reserveGroup(group, group.rows + newlyKnown[group.number]!)
    if (waiting === 0) return
    const ordered = orderByGroup(ids, numbers.subarray(0, waiting), this.keyGroups)
    for (let from = 0; from < waiting; from += fetchRows) this.#fetchPiece(ids, ordered.subarray(from, from + fetchRows))
  }
  #fetchPiece(ids: Uint32Array, numbers: Uint32Array): void {
    if (this.#fetchKeys.length === 0) {
      const bytes = Buffer.alloc(fetchRows * rowKeyBytes)
      this.#fetchKeys = Array.from({ length: fetchRows }, (_, i) => bytes.subarray(i * rowKeyBytes, (i + 1) * rowKeyBytes))
    }
    for (let k = 0; k < numbers.length; k++) this.#keys.row(ids, 4 * numbers[k]!, this.#fetchKeys[k])
    const keys = numbers.length === fetchRows ? this.#fetchKeys : this.#fetchKeys.slice(0, numbers.length)
    const values = this.#timed(() => this.#database!.getMany(keys))
    this.#work.getCount += keys.length
    for (const value of values) this.#work.bytesRead += value?.length ?? 0
    for (let k = 0; k < numbers.length; k++) {
      const bytes = values[k]
      if (bytes === undefined) continue
      const at = 4 * numbers[k]!
      for (let word = 0; word < 4; word++) this.#id[word] = ids[at + word]!
      this.#enter(this.#memory.groups, this.#id, bytes)
    }
  }

  #timed<T>(read: () => T): T {
    const startMs = performance.now()
    const found = read()
    this.#work.getMs += performance.now() - startMs
    return found
  }

  /** Enters a known row of the database. */
  #enter(groups: readonly KeyGroup[], id: Int32Array, bytes: Uint8Array): void {
    const number = (id[0]! >>> 0) % this.keyGroups
    const group = groups[number]!
    const slot = this.#read(() => decodeRow(group, id[0]!, id[1]!, id[2]!, id[3]!, bytes))
    enterRows(group, slot)
    if (groups === this.#memory.groups) this.#unknown[number]!--
  }
  #enterPage(entries: readonly (Uint8Array | undefined)[], groups: readonly KeyGroup[], isWanted: (id: Int32Array) => boolean): void {
    for (let i = 0; i < entries.length; i += 2) {
      this.#keys.idOfRow(entries[i]!, this.#id)
      if (isWanted(this.#id)) this.#enter(groups, this.#id, entries[i + 1]!)
    }
  }
  #read<T>(use: () => T): T {
    try {
      return use()
    } catch (error) {
      throw this.#database!.fail(error)
    }
  }

  /** Brings all rows of these keys into memory. */
  #fetchRowsOf(keyIds: Uint32Array): void {
    const database = this.#settled()
    if (this.#unknownRows() === 0) return
    const iterator = database.iterate({ values: true, fillCache: true })
    try {
      // about as many entries a call as keys have rows
      let size = 2
      for (let at = 0; at < keyIds.length; at += 4) {
        if (!this.#knownKeys.add(keyIds[at]!, keyIds[at + 1]!, 0, 0)) continue
        const prefix = this.#keys.prefix(keyIds, at)
        this.#work.getCount++
        this.#read(() => iterator._seekSync(prefix))
        for (let isLast = false; !isLast; ) {
          const { rows, finished } = this.#read(() => iterator._nextvSync(size, noOptions))
          let end = 0
          while (end < rows.length && hasPrefix(rows[end]!, prefix)) end += 2
          this.#enterPage(end === rows.length ? rows : rows.slice(0, end), this.#memory.groups, (id) =>
            this.#known.add(id[0]!, id[1]!, id[2]!, id[3]!),
          )
          isLast = finished || end < rows.length
          size = isLast ? Math.max(2, Math.min(size, end)) : Math.min(pageRows, size * 2)
        }
      }
    } finally {
      iterator._closeSync()
    }
  }

  /**
   * Brings the rows that are due into memory, to be evicted there, or with `rows` false only counts and removes them. Rows that have moved to
   * another time since, or are gone, are found to be so when they are read.
   */
  #fetchDue(watermarkUs: bigint, rows: boolean): number {
    const database = this.#settled()
    if (this.schema.eventTime === null) return 0
    const first = this.#lowestTime
    if (first !== null && first > watermarkUs) return 0
    let removed = 0
    const gte = first === null ? this.#keys.firstTime : this.#keys.fromTime(first)
    const lt = watermarkUs >= maxTime ? this.#keys.behindTimes : this.#keys.fromTime(watermarkUs + 1n)
    const iterator = database.iterate({ gte, lt, values: true, fillCache: false })
    try {
      for (let isLast = false; !isLast; ) {
        const page = this.#read(() => iterator._nextvSync(fetchRows, noOptions))
        const ids = new Uint32Array(idsIn(page.rows) * 4)
        const bytes = new Uint8Array(ids.buffer)
        for (let i = 0, end = 0; i < page.rows.length; i += 2) {
          this.#spentTimes.push(page.rows[i]!)
          bytes.set(page.rows[i + 1]!, end)
          end += page.rows[i + 1]!.length
        }
        if (rows || this.#staleThrough !== null) this.#fetch(ids, ids.length / 4)
        else removed += this.#removeUnread(ids)
        isLast = page.finished
      }
    } finally {
      iterator._closeSync()
    }
    this.#lowestTime = watermarkUs >= maxTime ? maxTime : watermarkUs + 1n
    if (this.#staleThrough !== null && this.#staleThrough <= watermarkUs) this.#staleThrough = null
    return removed
  }
  /** Removes rows of the database whose event time is that of their entry. */
  #removeUnread(ids: Uint32Array): number {
    let removed = 0
    for (let at = 0; at < ids.length; at += 4) {
      if (!this.#known.add(ids[at]!, ids[at + 1]!, ids[at + 2]!, ids[at + 3]!)) continue
      for (let word = 0; word < 4; word++) this.#id[word] = ids[at + word]!
      const number = ids[at]! % this.keyGroups
      noteRemovedId(this.#memory.groups[number]!, this.#id)
      this.#unknown[number]!--
      removed++
    }
    return removed
  }

  /** Rows are about to go that the order of event times still names. */
  #noteStale({ rows }: KeyedBatch): void {
    const column = rows.columns[eventTimeIndex(this.schema) ?? -1]
    if (column?.kind !== 'fixed') return
    const data = column.data as BigInt64Array
    for (let i = 0; i < rows.length; i++) {
      if (column.valid !== null && column.valid[i] === 0) continue
      if (this.#staleThrough === null || data[i]! > this.#staleThrough) this.#staleThrough = data[i]!
    }
  }

  // ---- for changelogs and snapshots --------------------------------------------------------------------------------------------------------

  changesIn(group: number): number {
    return this.#memory.changesIn(group)
  }
  encodeChanges(writer: ByteWriter, firstGroup: number, lastGroup: number): { readonly upserts: number; readonly removed: number } {
    return this.#memory.encodeChanges(writer, firstGroup, lastGroup)
  }
  /** The changes stay noted until they are in the database. */
  committed(version: number): void {
    this.#countKeys()
    this.#lastWork = this.#work
    this.#work = noWork()
    this.#memory.standAt(version)
  }

  apply(changes: StateChanges, wanted: Uint8Array | null): void {
    const { keyIds, rows } = changes.upserts
    this.#fetch(changes.removed, changes.removed.length / 4, false, wanted)
    this.#fetch(keyIds, rows.length, true, wanted)
    this.#noteStale(this.#memory.get(wanted === null ? changes.removed : this.#idsIn(changes.removed, wanted)))
    this.#memory.applyAsChanges(changes, wanted)
    this.#countRowNumbers(keyIds, rows.length)
    this.#database!.noteLoad()
  }
  load(decode: (groups: readonly KeyGroup[]) => void): void {
    const database = this.#settled()
    const { layout } = this.#memory
    const groups = Array.from({ length: this.keyGroups }, (_, number) => createKeyGroup(layout, number))
    decode(groups)
    for (const { number, rows, words } of groups) {
      for (let slot = 0; slot < rows; slot++) this.#countRowNumbers(words, 1, slot * layout.stride)
      if (rows > 0) assert(this.rowsIn(number) === 0, 'a key group is loaded once')
    }
    this.#memory.adopt(groups)
    database.noteLoad()
    database.settle()
    this.#forgetRows()
  }
  #idsIn(ids: Uint32Array, wanted: Uint8Array): Uint32Array {
    const kept = new Uint32Array(ids.length)
    let end = 0
    for (let at = 0; at < ids.length; at += 4) {
      if (wanted[ids[at]! % this.keyGroups] === 0) continue
      kept.set(ids.subarray(at, at + 4), end)
      end += 4
    }
    return kept.subarray(0, end)
  }
  #countRowNumbers(ids: Uint32Array | Int32Array, count: number, from = 0): void {
    if (!this.#numbersRise) return
    for (let i = 0, at = from; i < count; i++, at += 4) this.#nextRow = Math.max(this.#nextRow, rowNumberAt(ids, at) + 1)
  }

  groupsAt(firstGroup: number, lastGroup: number): Promise<readonly KeyGroup[]> {
    const database = this.#settled()
    const range = { gte: this.#keys.group(firstGroup), lt: this.#keys.group(lastGroup + 1), values: true, fillCache: false }
    const iterator = database.iterate(range)
    const groups = Array.from({ length: lastGroup - firstGroup + 1 }, (_, i) => createKeyGroup(this.#memory.layout, firstGroup + i))
    const read = async () => {
      try {
        for (let isLast = false; !isLast; ) {
          const { rows, finished } = await iterator._nextvAsync(pageRows, noOptions).catch((error) => {
            throw database.fail(error)
          })
          const id = new Int32Array(4)
          for (let i = 0; i < rows.length; i += 2) {
            this.#keys.idOfRow(rows[i]!, id)
            const group = groups[((id[0]! >>> 0) % this.keyGroups) - firstGroup]!
            this.#read(() => decodeRow(group, id[0]!, id[1]!, id[2]!, id[3]!, rows[i + 1]!))
          }
          isLast = finished
        }
        return groups
      } finally {
        iterator._closeSync()
      }
    }
    return read()
  }

  // ---- rows go into the database -----------------------------------------------------------------------------------------------------------

  get counts(): StoreCounts {
    return {
      rows: Array.from(this.#unknown, (_, group) => this.rowsIn(group)),
      keys: this.numKeys,
      nextRow: this.#nextRow,
      nextEntry: this.#nextEntry,
      staleThrough: this.#staleThrough === null ? null : String(this.#staleThrough),
    }
  }

  write(batch: RocksBatch): number {
    this.#countKeys()
    let bytes = 0
    const times = new TimeLists()
    for (const key of this.#spentTimes) batch._del(key, noOptions)
    for (const group of this.#memory.groups) {
      const { stride } = group.layout
      const gone = Uint32Array.from({ length: group.removedCount }, (_, k) => 4 * k)
      sortByIdentity(group.removed, gone)
      for (const at of gone) batch._del(this.#keys.row(group.removed, at), noOptions)
      const count = settleChanged(group)
      const starts = group.changed.slice(0, count)
      for (let k = 0; k < count; k++) starts[k]! *= stride
      sortByIdentity(group.words, starts)
      for (let k = 0; k < count; k++) {
        const at = starts[k]!
        const value = this.#encoder.encode(group, at / stride)
        batch._put(this.#keys.row(group.words, at), value, noOptions)
        bytes += rowKeyBytes + value.length
        if (this.#timesMove || (group.words[at + statusWord]! & loaded) === 0) times.add(group, at)
        group.words[at + statusWord]! |= loaded
      }
      this.#work.putCount += count
    }
    return bytes + this.#writeTimes(batch, times)
  }
  /** The rows of one event time in entries of some thousands: an entry for each row would cost more than the rows. What stands under an old time of a row stays. */
  #writeTimes(batch: RocksBatch, times: TimeLists): number {
    let bytes = 0
    for (const [time, ids] of times.lists()) {
      if (this.#lowestTime !== null && time < this.#lowestTime) this.#lowestTime = time
      for (let from = 0; from < ids.length; from += 4 * fetchRows) {
        const part = ids.subarray(from, from + 4 * fetchRows)
        batch._put(this.#keys.time(time, this.#nextEntry++), new Uint8Array(part.buffer, part.byteOffset, part.byteLength), noOptions)
        bytes += timeKeyBytes + part.byteLength
      }
    }
    return bytes
  }

  written(keepBytes: number): void {
    this.#keyCount?.settle()
    for (const group of this.#memory.groups) forgetChanges(group)
    this.#spentTimes = []
    this.#firstFreshRow = this.#nextRow
    if (this.#rowBytes > keepBytes) this.#forgetRows()
  }
  #forgetRows(): void {
    this.#unknown.forEach((_, group) => {
      this.#unknown[group] = this.rowsIn(group)
    })
    this.#memory.clear()
    this.#known.clear()
    this.#knownKeys.clear()
  }

  clear(): void {
    this.#memory.clear()
    this.#known.clear()
    this.#knownKeys.clear()
    this.#unknown.fill(0)
    this.#database = null
  }
}

const maxTime = 2n ** 63n - 1n

/** How many identities the values of these entries hold. */
function idsIn(entries: readonly (Uint8Array | undefined)[]): number {
  let bytes = 0
  for (let i = 1; i < entries.length; i += 2) bytes += entries[i]!.length
  return bytes / 16
}
