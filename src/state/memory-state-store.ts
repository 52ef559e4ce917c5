/**
 * State in memory: for each key group a table of records. A batch's rows are sorted by group (a counting sort), so that a group's table is in the
 * processor's cache while its rows are worked on, and then go column by column, each by a loop of its own.
 */
import { assert, InternalError, InvalidQueryError } from '../base/errors.ts'
import { rowMemory } from '../data/array-pool.ts'
import { type ColumnBatch, emptyColumns, fixedArray } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import { eventTimeIndex, type MergeOp, type StateSchema } from '../data/state-schema.ts'
import { sameType, typeText } from '../data/types.ts'
import { columnValues } from '../data/values.ts'
import type { ByteWriter } from './byte-writer.ts'
import { earliestIn } from './calendar.ts'
import { encodeChanges } from './encode-changes.ts'
import { type FoundRows, findById, findByKey, noRows } from './find-rows.ts'
import { gatherBatch, type Picked } from './gather.ts'
import type { KeptStore, StateChanges } from './kept-store.ts'
import {
  createKeyGroup,
  dueSlots,
  emptyGroup,
  findKeys,
  findOrInsert,
  forgetChanges,
  groupBytes,
  growGroup,
  highestRow,
  type KeyGroup,
  linkNewRows,
  linkTouched,
  noteChanged,
  noteRemoved,
  removeRows,
  touchPlaces,
  unlinkRows,
  unlinkTouched,
} from './key-group.ts'
import { copyKernels, type Kernel, kernelOf, mergeMoments, type Segment } from './merge-kernels.ts'
import { nullActions } from './null-actions.ts'
import { type ColumnLayout, dirty, layoutOf, type RecordLayout, type SourceColumn, sourceColumn, statusWord } from './record-layout.ts'
import { rowIds } from './row-id.ts'
import {
  countDistinct,
  createSortedRows,
  fillFolding,
  forEachPart,
  markDirty,
  placeDistinct,
  type SortedRows,
  sortByGroup,
  sortedRowsBytes,
} from './row-sort.ts'
import type { FoundKeyedRows, KeyedBatch } from './state-store.ts'
import { sumsFit } from './sum-overflow.ts'

/** Some rows of one group. */
interface GroupRows {
  readonly group: KeyGroup
  readonly slots: Uint32Array
}

const noColumns = new Schema([])

/** How many rows `scan` puts into a slice, at least, where there are that many. */
const scanSlice = 8192

export class MemoryStateStore implements KeptStore {
  readonly schema: StateSchema
  readonly keyGroups: number
  /** The columns of every batch that goes in or comes out. */
  readonly rowSchema: Schema
  readonly layout: RecordLayout
  readonly groups: readonly KeyGroup[]
  readonly #operations: readonly (MergeOp | 'key')[]
  readonly #kernels: readonly Kernel[]
  readonly #nothing: ColumnBatch
  #version: number
  #sorted: SortedRows
  /** Whether a key may have many rows. */
  readonly #hasMany: boolean
  /** Whether a row's event time may change after the row was made. */
  readonly #timesMove: boolean
  /** So many columns come with a new row and stay: the key's, where the key is the row's identity. */
  readonly #fixedColumns: number
  /** The next row's number; undefined while nobody has asked. */
  #nextRow: number | undefined
  /** Set while a call changes rows: one that threw half-way leaves them useless. */
  #torn = false

  constructor(schema: StateSchema, keyGroups: number, version = 0) {
    checkEventTime(schema)
    this.schema = schema
    this.keyGroups = keyGroups
    this.#hasMany = schema.rowsPerKey === 'many'
    this.#timesMove = schema.eventTime !== null && (this.#hasMany || 'value' in schema.eventTime)
    this.#fixedColumns = this.#hasMany ? 0 : schema.keys.length
    this.rowSchema = new Schema([...schema.keys, ...schema.values].map(({ name, type, nullable }) => ({ name, type, nullable })))
    this.layout = layoutOf(schema)
    this.groups = Array.from({ length: keyGroups }, (_, number) => createKeyGroup(this.layout, number))
    this.#operations = [...schema.keys.map(() => 'key' as const), ...schema.values.map((value) => value.merge)]
    this.#kernels = this.#operations.map((op, c) => kernelFor(op, this.layout.columns[c]!))
    checkMoments(this.#operations, this.layout)
    this.#sorted = createSortedRows(0, keyGroups)
    this.#version = version
    // of no pool: batch after batch is given the same columns
    this.#nothing = emptyColumns(this.rowSchema)
  }

  get version(): number {
    return this.#version
  }
  get numRows(): number {
    let rows = 0
    for (const group of this.groups) rows += group.rows
    return rows
  }
  get numKeys(): number {
    let keys = 0
    for (const { chains, rows } of this.groups) keys += chains?.keys ?? rows
    return keys
  }
  get memoryUsedBytes(): number {
    let bytes = sortedRowsBytes(this.#sorted)
    for (const group of this.groups) bytes += groupBytes(group)
    return bytes
  }

  merge(batch: KeyedBatch, collect = true): ColumnBatch {
    const { length } = batch.rows
    this.#checkBatch(batch)
    assert(!this.#hasMany, 'merge is for stores with one row a key')
    if (length === 0) return this.#nothing
    this.#beginChange()
    this.#forEachSegment(batch, null, (group, sources, segment) => {
      fillFolding(this.#sorted, segment.from, segment.to)
      for (let c = 0; c < sources.length; c++) {
        const operation = this.#operations[c]!
        if (operation === 'moments') this.#mergeMoments(group, c, sources, segment)
        else this.#mergeColumn(group, c, operation, sources[c]!, segment)
        if (operation === 'moments') c += 2
      }
      markDirty(group, segment.at, segment.from, segment.to)
    })
    this.#endChange()
    return collect
      ? this.#touchedRows(length)
      : { schema: noColumns, length: countDistinct(this.#sorted, this.groups, length), columns: [] }
  }

  /** A key's columns are written where it is new; values go by their operation. */
  #mergeColumn(group: KeyGroup, c: number, operation: MergeOp | 'key', source: SourceColumn, segment: Segment): void {
    segment.action = this.#actions(group, c, operation, source, segment)
    const overflow = this.#kernels[c]!(group, this.layout.columns[c]!, source, segment)
    if (overflow >= 0) throw this.#sumOverflow(group, c, source, segment, overflow)
  }

  #mergeMoments(group: KeyGroup, c: number, sources: readonly SourceColumn[], segment: Segment): void {
    // the count's come last: they are the ones that say what happens
    for (let i = 2; i >= 0; i--) segment.action = this.#actions(group, c + i, 'moments', sources[c + i]!, segment)
    mergeMoments(group, this.layout.columns.slice(c, c + 3), sources.slice(c, c + 3), segment)
  }

  #actions(group: KeyGroup, c: number, operation: MergeOp | 'key', source: SourceColumn, segment: Segment): Uint8Array {
    const { fresh, folding, copying, nulls } = this.#sorted
    const column = this.layout.columns[c]!
    if (column.nullBit !== 0 || column.storage === 'values' || source.valid !== null) {
      this.#checkNulls(c, source, segment)
      nullActions(operation, group, column, source, segment, fresh, nulls)
      return nulls
    }
    if (operation === 'key' || operation === 'first') return fresh
    return operation === 'last' || operation === 'replace' ? copying : folding
  }

  #touchedRows(length: number): ColumnBatch {
    const { at, places } = this.#sorted
    const distinct = placeDistinct(this.#sorted, this.groups, length)
    const parts: Picked[] = []
    forEachPart(this.#sorted, this.groups, length, (group, from, to) => parts.push({ group, at, places, from, to }))
    return gatherBatch(this.rowSchema, this.layout, distinct, parts)
  }

  sumsFit({ keyIds, rows }: KeyedBatch, columns: readonly number[]): boolean {
    const ids = signed(keyIds)
    const sorted = (this.#sorted = sortByGroup(ids, rows.length, this.keyGroups, this.#sorted))
    const sums = columns.map((c) => ({ layout: this.layout.columns[c]!, source: sourceColumn(rows.columns[c]!) }))
    return sumsFit(this.groups, ids, rows.length, sorted, sums)
  }

  evict(watermarkUs: bigint, collect: boolean): { readonly rows: ColumnBatch; readonly removed: number } {
    this.#beginChange()
    const due = this.#takeDue(watermarkUs)
    const removed = countRows(due)
    const rows = collect && removed > 0 ? this.#gatherRows(due) : this.#nothing
    this.#removeRows(due)
    this.#endChange()
    return { rows, removed }
  }

  take(watermarkUs: bigint): KeyedBatch {
    this.#beginChange()
    const due = this.#takeDue(watermarkUs)
    const taken = { keyIds: idsOf(due), rows: this.#gatherRows(due) }
    this.#removeRows(due)
    this.#endChange()
    return taken
  }

  earliestTime(): bigint | null {
    let earliest = Infinity
    for (const { calendar } of this.groups) if (calendar !== null) earliest = Math.min(earliest, earliestIn(calendar))
    return earliest === Infinity ? null : BigInt(Math.floor(earliest))
  }

  /** The rows at or below the watermark, out of the calendar already. */
  #takeDue(watermarkUs: bigint): GroupRows[] {
    const due: GroupRows[] = []
    const high = Number(BigInt.asIntN(64, watermarkUs) >> 32n)
    const low = Number(BigInt.asIntN(32, watermarkUs))
    for (const group of this.groups) {
      const slots = dueSlots(group, high, low)
      if (slots.length > 0) due.push({ group, slots })
    }
    return due
  }
  #removeRows(from: readonly GroupRows[]): void {
    for (const { group, slots } of from) {
      noteRemoved(group, slots)
      removeRows(group, slots)
    }
  }

  insert(batch: KeyedBatch): Uint32Array {
    this.#checkBatch(batch)
    assert(!this.#hasMany, 'insert is for stores with one row a key')
    const { length } = batch.rows
    const inserted = new Uint32Array(length)
    let count = 0
    this.#beginChange()
    this.#forEachSegment(batch, null, (group, sources, segment) => {
      for (let c = 0; c < sources.length; c++) {
        const column = this.layout.columns[c]!
        segment.action = this.#actions(group, c, 'key', sources[c]!, segment)
        copyKernels[column.storage](group, column, sources[c]!, segment)
      }
      const { order, at, fresh } = this.#sorted
      for (let k = segment.from; k < segment.to; k++) {
        if (fresh[k] === 0) continue
        inserted[count++] = order[k]!
        markDirty(group, at, k, k + 1)
      }
    })
    this.#endChange()
    return inserted.subarray(0, count).sort()
  }

  put(batch: KeyedBatch): void {
    this.#checkBatch(batch)
    this.#beginChange()
    this.#forEachSegment(batch, null, (group, sources, segment) => {
      this.#writeRows(group, sources, segment)
      markDirty(group, segment.at, segment.from, segment.to)
    })
    this.#endChange()
  }

  /** Rows as they are to stand, whole. */
  #writeRows(group: KeyGroup, sources: readonly SourceColumn[], segment: Segment): void {
    for (let c = 0; c < sources.length; c++) {
      const column = this.layout.columns[c]!
      segment.action = this.#actions(group, c, 'replace', sources[c]!, segment)
      copyKernels[column.storage](group, column, sources[c]!, segment)
    }
  }

  get(ids: Uint32Array): FoundKeyedRows {
    return this.#find(ids, findById)
  }

  lookup(keyIds: Uint32Array): FoundKeyedRows {
    assert(this.#hasMany, 'lookup is for stores with many rows a key; get finds the row of a key')
    return this.#find(keyIds, findByKey)
  }

  #find(ids: Uint32Array, find: typeof findById): FoundKeyedRows {
    assert(!this.#torn, 'state was used after a change of it had failed')
    const count = ids.length / 4
    const asked = signed(ids)
    const found = noRows(count)
    const parts: FoundPart[] = []
    const { order } = (this.#sorted = sortByGroup(asked, count, this.keyGroups, this.#sorted))
    forEachPart(this.#sorted, this.groups, count, (group, from, to) => {
      const start = found.count
      find(group, asked, order, from, to, found)
      if (found.count > start) parts.push({ group, from: start, to: found.count })
    })
    return this.#gatherFound(found, parts)
  }

  #gatherFound({ count, at, asked }: FoundRows, parts: readonly FoundPart[]): FoundKeyedRows {
    const places = rowMemory.array(Int32Array, count)
    for (let i = 0; i < count; i++) places[i] = i
    const keyIds = new Uint32Array(count * 4)
    for (const { group, from, to } of parts) for (let k = from; k < to; k++) copyId(keyIds, 4 * k, group.words, at[k]!)
    const placed = parts.map((part): Picked => ({ ...part, at, places }))
    const rows = gatherBatch(this.rowSchema, this.layout, count, placed)
    const answered = asked.slice(0, count)
    for (const scratch of [places, at, asked]) rowMemory.give(scratch)
    return { keyIds, rows, asked: answered }
  }

  remove(ids: Uint32Array): number {
    this.#beginChange()
    const removed = this.#removeKeys(ids, null, noteRemoved)
    this.#endChange()
    return removed
  }

  newRowIds(keyIds: Uint32Array): Uint32Array {
    assert(this.#hasMany, 'row numbers are for stores with many rows a key')
    this.#nextRow ??= this.groups.reduce((most, group) => Math.max(most, highestRow(group)), 0) + 1
    const ids = rowIds(keyIds, this.#nextRow, rowMemory.array(Uint32Array, keyIds.length))
    this.#nextRow += keyIds.length / 4
    return ids
  }

  *scan(): Generator<ColumnBatch> {
    for (const slice of this.#slices()) yield this.#gatherRows(slice)
  }

  *scanKeyed(): Generator<KeyedBatch> {
    for (const slice of this.#slices()) yield { keyIds: idsOf(slice), rows: this.#gatherRows(slice) }
  }

  *#slices(): Generator<GroupRows[]> {
    let slice: GroupRows[] = []
    for (const group of this.groups) {
      for (let from = 0; from < group.rows; from += scanSlice) {
        slice.push({ group, slots: countUp(from, Math.min(group.rows, from + scanSlice)) })
        if (countRows(slice) < scanSlice) continue
        yield slice
        slice = []
      }
    }
    if (slice.length > 0) yield slice
  }

  // ---- for changelogs and snapshots --------------------------------------------------------------------------------------------------------

  /** Writes what changed since the last commit in the groups first..last. The same until `committed` is called. */
  encodeChanges(writer: ByteWriter, firstGroup: number, lastGroup: number): { readonly upserts: number; readonly removed: number } {
    assert(!this.#torn, 'a change of the state had failed, so it must not be committed')
    return encodeChanges(writer, this.layout, this.groups.slice(firstGroup, lastGroup + 1))
  }

  /** The changes are durable as `version`. */
  committed(version: number): void {
    for (const group of this.groups) forgetChanges(group)
    this.#version = version
  }
  /** As `committed`, and the changes stay noted for whoever else wants to know them. */
  standAt(version: number): void {
    this.#version = version
  }

  rowsIn(group: number): number {
    return this.groups[group]!.rows
  }
  changesIn(group: number): number {
    const { changedCount, removedCount } = this.groups[group]!
    return changedCount + removedCount
  }

  load(decode: (groups: readonly KeyGroup[]) => void): void {
    decode(this.groups)
  }
  groupsAt(firstGroup: number, lastGroup: number): readonly KeyGroup[] {
    return this.groups.slice(firstGroup, lastGroup + 1)
  }
  /** Takes over the rows of these groups, as changes; what the store has of them is gone. */
  adopt(groups: readonly KeyGroup[]): void {
    for (const group of groups) {
      if (group.rows === 0) continue
      const own = Object.assign(this.groups[group.number]!, group)
      for (let slot = 0; slot < own.rows; slot++) {
        own.words[slot * this.layout.stride + statusWord]! |= dirty
        noteChanged(own, slot)
      }
    }
  }

  /** Nothing of it counts as a change since the last commit. */
  apply(changes: StateChanges, wanted: Uint8Array | null): void {
    this.#apply(changes, wanted, false)
  }
  /** As `apply`, and counts as changes. */
  applyAsChanges(changes: StateChanges, wanted: Uint8Array | null): void {
    this.#apply(changes, wanted, true)
  }
  #apply(changes: StateChanges, wanted: Uint8Array | null, noted: boolean): void {
    this.#checkBatch(changes.upserts)
    this.#beginChange()
    this.#removeKeys(changes.removed, wanted, noted ? noteRemoved : null)
    this.#forEachSegment(changes.upserts, wanted, (group, sources, segment) => {
      if (noted) markDirty(group, segment.at, segment.from, segment.to)
      for (let c = 0; c < sources.length; c++) {
        const column = this.layout.columns[c]!
        segment.action = this.#actions(group, c, c < this.#fixedColumns ? 'key' : 'replace', sources[c]!, segment)
        copyKernels[column.storage](group, column, sources[c]!, segment)
      }
    })
    this.#endChange()
  }

  /** `note` hears of the slots before their rows go. Returns how many there were. */
  #removeKeys(keyIds: Uint32Array, wanted: Uint8Array | null, note: typeof noteRemoved | null): number {
    const ids = signed(keyIds)
    const count = ids.length / 4
    let removed = 0
    if (count === 0) return removed
    const { order } = (this.#sorted = sortByGroup(ids, count, this.keyGroups, this.#sorted))
    forEachPart(this.#sorted, this.groups, count, (group, from, to) => {
      if (wanted?.[group.number] === 0) return
      const slots = distinctDescending(findKeys(group, ids, order.subarray(from, to)))
      note?.(group, slots)
      unlinkRows(group, slots)
      removeRows(group, slots)
      removed += slots.length
    })
    return removed
  }

  /** Lets go of all rows. */
  clear(): void {
    for (const group of this.groups) emptyGroup(group)
    this.#sorted = createSortedRows(0, this.keyGroups)
    this.#nextRow = undefined
  }

  /** Finds or inserts the keys of a batch group by group, and lets `write` fill the columns of each group's rows. */
  #forEachSegment(
    batch: KeyedBatch,
    wanted: Uint8Array | null,
    write: (group: KeyGroup, sources: readonly SourceColumn[], segment: Segment) => void,
  ): void {
    const ids = signed(batch.keyIds)
    const sources = batch.rows.columns.map(sourceColumn)
    const { length } = batch.rows
    const { order, at, fresh } = (this.#sorted = sortByGroup(ids, length, this.keyGroups, this.#sorted))
    const segment: Segment = { order, at, action: fresh, from: 0, to: 0 }
    forEachPart(this.#sorted, this.groups, length, (group, from, to) => {
      if (wanted?.[group.number] === 0) return
      const before = group.rows
      touchPlaces(group, ids, order, from, to, at)
      for (let k = from; k < to; ) {
        k = findOrInsert(group, ids, order, k, to, at, fresh)
        if (k < to) growGroup(group)
      }
      segment.from = from
      segment.to = to
      if (this.#timesMove) unlinkTouched(group, at, from, to, before)
      write(group, sources, segment)
      linkNewRows(group, before)
      if (this.#timesMove) linkTouched(group, at, from, to, before)
    })
  }

  #gatherRows(from: readonly GroupRows[]): ColumnBatch {
    const { stride } = this.layout
    const rows = countRows(from)
    const at = new Uint32Array(rows)
    const places = new Int32Array(rows)
    let end = 0
    const parts = from.map(({ group, slots }): Picked => {
      const start = end
      for (let k = 0; k < slots.length; k++, end++) {
        at[end] = slots[k]! * stride
        places[end] = end
      }
      return { group, at, places, from: start, to: end }
    })
    return gatherBatch(this.rowSchema, this.layout, rows, parts)
  }

  #beginChange(): void {
    assert(!this.#torn, 'state was used after a change of it had failed')
    this.#torn = true
  }
  #endChange(): void {
    this.#torn = false
  }

  #checkBatch({ keyIds, rows }: KeyedBatch): void {
    const fields = this.rowSchema.fields
    const fits =
      keyIds.length >= rows.length * 4 &&
      rows.columns.length === fields.length &&
      rows.columns.every((column, c) => sameType(column.type, fields[c]!.type))
    if (fits) return
    throw new InternalError('INTERNAL_ERROR', {
      what:
        `rows for the state have the columns (${rows.columns.map((column) => typeText(column.type)).join(', ')}) and ${keyIds.length / 4} keys for ` +
        `${rows.length} rows; its schema is (${fields.map((field) => typeText(field.type)).join(', ')})`,
      todo: 'report this with the query and its checkpoint folder',
    })
  }

  #checkNulls(c: number, { valid }: SourceColumn, { order, from, to }: Segment): void {
    const field = this.rowSchema.fields[c]!
    if (field.nullable || valid === null) return
    for (let k = from; k < to; k++) assert(valid[order[k]!] === 1, `null came for the state's column "${field.name}", which has none`)
  }

  #sumOverflow(group: KeyGroup, c: number, source: SourceColumn, { order, at }: Segment, k: number): InvalidQueryError {
    const column = this.layout.columns[c]!
    const type = typeText(column.type)
    const added =
      source.storage === 'values'
        ? source.values[order[k]!]
        : numberAt(column, source.words, order[k]! * (source.storage === 'pair' ? 2 : 1))
    const stands =
      source.storage === 'values'
        ? group.values[column.offset]![at[k]! / this.layout.stride]
        : numberAt(column, group.words, at[k]! + column.offset)
    return new InvalidQueryError('ARITHMETIC_OVERFLOW', {
      what: `the sum "${this.rowSchema.fields[c]!.name}" of one key leaves the range of ${type}: it stands at ${stands}, with ${added} to add`,
      todo: 'sum a wider type: cast the column to decimal(38,0) or to double inside sum()',
    })
  }
}

function kernelFor(op: MergeOp | 'key', column: ColumnLayout): Kernel {
  return op === 'key' || op === 'moments' ? copyKernels[column.storage] : kernelOf(op, column)
}

function checkEventTime(schema: StateSchema): void {
  if (schema.eventTime === null) return
  const type = [...schema.keys, ...schema.values][eventTimeIndex(schema)!]?.type
  const isTime = type === 'timestamp' || type === 'timestamp_ntz' || type === 'long'
  assert(isTime, `the event time of a state is ${type === undefined ? 'a column that it lacks' : `of type ${typeText(type)}`}`)
}

/** Moments come as three doubles: n, mean, m2. */
function checkMoments(operations: readonly (MergeOp | 'key')[], { columns }: RecordLayout): void {
  for (let c = 0; c < operations.length; c++) {
    if (operations[c] !== 'moments') continue
    const areMoments = [c, c + 1, c + 2].every((i) => operations[i] === 'moments' && columns[i]!.type === 'double')
    assert(areMoments, 'the state has "moments" columns that are not three doubles each')
    c += 2
  }
}

/** The value of a long, decimal or integer at a word, as text. */
function numberAt({ storage, type }: ColumnLayout, words: Int32Array, at: number): unknown {
  if (storage !== 'pair') return words[at]
  const data = fixedArray(type, 1)
  new Int32Array(data.buffer).set(words.subarray(at, at + 2))
  return columnValues({ kind: 'fixed', type, data, valid: null }, 1)[0]
}

function signed(words: Uint32Array): Int32Array {
  return new Int32Array(words.buffer, words.byteOffset, words.length)
}

type FoundPart = Omit<Picked, 'at' | 'places'>

function copyId(to: Uint32Array, at: number, words: Int32Array, from: number): void {
  for (let word = 0; word < 4; word++) to[at + word] = words[from + word]!
}

/** The identities of rows, 4 words each. */
function idsOf(from: readonly GroupRows[]): Uint32Array {
  const ids = new Uint32Array(countRows(from) * 4)
  let at = 0
  for (const { group, slots } of from)
    for (let k = 0; k < slots.length; k++, at += 4) copyId(ids, at, group.words, slots[k]! * group.layout.stride)
  return ids
}

function countRows(parts: readonly GroupRows[]): number {
  let rows = 0
  for (const { slots } of parts) rows += slots.length
  return rows
}

function countUp(from: number, to: number): Uint32Array {
  const numbers = new Uint32Array(to - from)
  for (let i = 0; i < numbers.length; i++) numbers[i] = from + i
  return numbers
}

/** A key may have been removed, come back and been removed again in one version. */
function distinctDescending(slots: Uint32Array): Uint32Array {
  slots.sort().reverse()
  let count = 0
  for (let k = 0; k < slots.length; k++) if (k === 0 || slots[k] !== slots[k - 1]) slots[count++] = slots[k]!
  return slots.subarray(0, count)
}
