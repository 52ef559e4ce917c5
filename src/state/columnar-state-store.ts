/**
 * State in memory, by key group and column. A batch's rows are sorted by group (a counting sort), so that each group's table and columns are
 * in the processor's cache while its rows are worked on, and each column is a loop of its own.
 */
import { assert, InternalError, InvalidQueryError } from '../base/errors.ts'
import type { Column, ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { MergeOp, StateSchema, StateValue } from '../data/state-schema.ts'
import { sameType, typeText } from '../data/types.ts'
import { columnValues } from '../data/values.ts'
import {
  copyRows, gatherColumn, type GroupColumn, type Picked, type Segment, type SourceColumn, sourceColumn,
} from './group-column.ts'
import {
  createKeyGroup, dueSlots, findKeys, findOrInsert, forgetChanges, groupBytes, growGroup, type KeyGroup, linkNewRows, noteRemoved, removeRows,
  settleChanged, unlinkRows,
} from './key-group.ts'
import { type Kernel, kernelOf } from './merge-kernels.ts'
import { nullActions } from './null-actions.ts'
import { createSortedRows, fillFolding, markDirty, placeDistinct, sortByGroup, sortedRowsBytes } from './row-sort.ts'
import type { KeyedBatch, StateStore } from './state-store.ts'

/** What changed since the last commit in some key groups. Removals come first, then the touched rows as they now stand. */
export interface StateChanges {
  readonly upserts: KeyedBatch
  /** 4 words a key. */
  readonly removed: Uint32Array
}

/** Some rows of one group. */
interface GroupRows { readonly group: KeyGroup; readonly slots: Uint32Array }

/** How many rows `scan` puts into a slice, at least, where there are that many. */
const scanSlice = 8192

export class ColumnarStateStore implements StateStore {
  readonly schema: StateSchema
  readonly keyGroups: number
  /** The columns of every batch that goes in or comes out. */
  readonly rowSchema: Schema
  readonly groups: readonly KeyGroup[]
  readonly #operations: readonly (MergeOp | 'key')[]
  readonly #kernels: readonly (Kernel | null)[]
  readonly #empty: ColumnBatch
  #version: number
  #sorted: ReturnType<typeof createSortedRows>
  /** Set while a call changes rows: one that threw half-way leaves them useless. */
  #torn = false

  constructor(schema: StateSchema, keyGroups: number, version = 0) {
    checkEventTime(schema)
    this.schema = schema
    this.keyGroups = keyGroups
    this.rowSchema = new Schema([...schema.keys, ...schema.values].map(({ name, type, nullable }) => ({ name, type, nullable })))
    this.groups = Array.from({ length: keyGroups }, (_, number) => createKeyGroup(schema, number, keyGroups))
    this.#operations = [...schema.keys.map(() => 'key' as const), ...schema.values.map((value) => value.merge)]
    this.#kernels = [...schema.keys.map(() => null), ...schema.values.map((value) => kernelOf(value.merge, value.type))]
    this.#sorted = createSortedRows(0, keyGroups)
    this.#version = version
    this.#empty = this.#gather(0, [])
  }

  get version(): number {
    return this.#version
  }
  get numRows(): number {
    let rows = 0
    for (const group of this.groups) rows += group.rows
    return rows
  }
  get memoryUsedBytes(): number {
    let bytes = sortedRowsBytes(this.#sorted)
    for (const group of this.groups) bytes += groupBytes(group)
    return bytes
  }

  merge(batch: KeyedBatch, collect = true): ColumnBatch {
    const { length } = batch.rows
    this.#checkBatch(batch)
    if (length === 0) return this.#empty
    this.#beginChange()
    this.#forEachSegment(batch, null, (group, sources, segment) => {
      fillFolding(this.#sorted, segment.from, segment.to)
      for (let c = 0; c < sources.length; c++) this.#mergeColumn(group, c, sources[c]!, segment)
      markDirty(group, segment.slots, segment.from, segment.to)
    })
    this.#endChange()
    return collect ? this.#touchedRows(length) : this.#empty
  }

  /** A key's columns are written where it is new; values go by their operation. */
  #mergeColumn(group: KeyGroup, c: number, source: SourceColumn, segment: Segment): void {
    const target = group.columns[c]!
    const operation = this.#operations[c]!
    const { fresh, folding, copying, nulls } = this.#sorted
    if (hasNulls(target) || hasNulls(source)) {
      nullActions(operation, target, source, segment, fresh, group.capacity, nulls)
      segment.action = nulls
    } else segment.action = operation === 'key' || operation === 'first' ? fresh : operation === 'last' || operation === 'replace' ? copying : folding
    const kernel = this.#kernels[c]
    if (!kernel) return copyRows(target, source, segment, group.rows)
    const overflow = kernel(target, source, segment, group.rows)
    if (overflow >= 0) throw sumOverflow(this.schema.values[c - this.schema.keys.length]!, target, source, segment, overflow)
  }

  #touchedRows(length: number): ColumnBatch {
    const { slots, places, starts } = this.#sorted
    const distinct = placeDistinct(this.#sorted, this.groups, length)
    const parts: Picked[] = []
    for (let g = 0; g < this.keyGroups; g++) {
      if (starts[g]! < starts[g + 1]!) parts.push({ columns: this.groups[g]!.columns, slots, places, from: starts[g]!, to: starts[g + 1]! })
    }
    return this.#gather(distinct, parts)
  }

  evict(watermarkUs: bigint, collect: boolean): { readonly rows: ColumnBatch; readonly removed: number } {
    this.#beginChange()
    const due: GroupRows[] = []
    const high = Number(BigInt.asIntN(64, watermarkUs) >> 32n)
    const low = Number(BigInt.asIntN(32, watermarkUs))
    for (const group of this.groups) {
      const slots = dueSlots(group, high, low)
      if (slots.length > 0) due.push({ group, slots })
    }
    const removed = countRows(due)
    const rows = collect && removed > 0 ? this.#gatherRows(due) : this.#empty
    for (const { group, slots } of due) {
      noteRemoved(group, slots)
      removeRows(group, slots)
    }
    this.#endChange()
    return { rows, removed }
  }

  *scan(): Generator<ColumnBatch> {
    let slice: GroupRows[] = []
    for (const group of this.groups) {
      for (let from = 0; from < group.rows; from += scanSlice) {
        slice.push({ group, slots: countUp(from, Math.min(group.rows, from + scanSlice)) })
        if (countRows(slice) < scanSlice) continue
        yield this.#gatherRows(slice)
        slice = []
      }
    }
    if (slice.length > 0) yield this.#gatherRows(slice)
  }

  // ---- for changelogs and snapshots --------------------------------------------------------------------------------------------------------

  /** What changed since the last commit in the groups first..last. The same until `committed` is called. */
  changes(firstGroup: number, lastGroup: number): StateChanges {
    assert(!this.#torn, 'a change of the state had failed, so it must not be committed')
    const changed: GroupRows[] = []
    for (let g = firstGroup; g <= lastGroup; g++) {
      const group = this.groups[g]!
      const count = settleChanged(group)
      if (count > 0) changed.push({ group, slots: group.changed.subarray(0, count) })
    }
    return { upserts: { keyIds: gatherIds(changed), rows: this.#gatherRows(changed) }, removed: gatherRemoved(this.groups, firstGroup, lastGroup) }
  }

  /** The changes are durable as `version`. */
  committed(version: number): void {
    for (const group of this.groups) forgetChanges(group)
    this.#version = version
  }

  /**
   * Takes over what a changelog holds. `wanted` (a byte a group, null: all) leaves out groups whose snapshot already has it.
   * Nothing of it counts as a change since the last commit.
   */
  apply(changes: StateChanges, wanted: Uint8Array | null): void {
    this.#checkBatch(changes.upserts)
    this.#beginChange()
    this.#removeKeys(changes.removed, wanted)
    this.#forEachSegment(changes.upserts, wanted, (group, sources, segment) => {
      for (let c = 0; c < sources.length; c++) this.#putColumn(group, c, sources[c]!, segment)
    })
    this.#endChange()
  }

  #putColumn(group: KeyGroup, c: number, source: SourceColumn, segment: Segment): void {
    const target = group.columns[c]!
    const isKey = c < this.schema.keys.length
    const { fresh, copying, nulls } = this.#sorted
    segment.action = isKey ? fresh : copying
    if (hasNulls(target) || hasNulls(source)) {
      nullActions(isKey ? 'key' : 'replace', target, source, segment, fresh, group.capacity, nulls)
      segment.action = nulls
    }
    copyRows(target, source, segment, group.rows)
  }

  #removeKeys(keyIds: Uint32Array, wanted: Uint8Array | null): void {
    const ids = signed(keyIds)
    const count = ids.length / 4
    if (count === 0) return
    const { starts, order } = this.#sorted = sortByGroup(ids, count, this.keyGroups, this.#sorted)
    for (let g = 0; g < this.keyGroups; g++) {
      if (starts[g] === starts[g + 1] || wanted?.[g] === 0) continue
      const group = this.groups[g]!
      const slots = distinctDescending(findKeys(group, ids, order.subarray(starts[g], starts[g + 1])))
      unlinkRows(group, slots)
      removeRows(group, slots)
    }
  }

  /** Lets go of all rows. */
  clear(): void {
    for (const group of this.groups) Object.assign(group, createKeyGroup(this.schema, group.number, this.keyGroups))
    this.#sorted = createSortedRows(0, this.keyGroups)
  }

  /** Finds or inserts the keys of a batch group by group, and lets `write` fill the columns of each group's rows. */
  #forEachSegment(batch: KeyedBatch, wanted: Uint8Array | null, write: (group: KeyGroup, sources: readonly SourceColumn[], segment: Segment) => void): void {
    const ids = signed(batch.keyIds)
    const sources = batch.rows.columns.map(sourceColumn)
    const { starts, order, slots, fresh } = this.#sorted = sortByGroup(ids, batch.rows.length, this.keyGroups, this.#sorted)
    const segment: Segment = { order, slots, action: fresh, from: 0, to: 0 }
    for (let g = 0; g < this.keyGroups; g++) {
      const from = segment.from = starts[g]!
      const to = segment.to = starts[g + 1]!
      if (from === to || wanted?.[g] === 0) continue
      const group = this.groups[g]!
      const before = group.rows
      for (let k = from; k < to; ) {
        k = findOrInsert(group, ids, order, k, to, slots, fresh)
        if (k < to) growGroup(group)
      }
      write(group, sources, segment)
      linkNewRows(group, before)
    }
  }

  #gatherRows(from: readonly GroupRows[]): ColumnBatch {
    const rows = countRows(from)
    const places = new Int32Array(rows)
    for (let i = 0; i < rows; i++) places[i] = i
    let at = 0
    const parts = from.map(({ group: { columns }, slots }): Picked => {
      const part = { columns, slots, places: places.subarray(at, at + slots.length), from: 0, to: slots.length }
      at += slots.length
      return part
    })
    return this.#gather(rows, parts)
  }

  #gather(length: number, parts: readonly Picked[]): ColumnBatch {
    const columns: Column[] = this.rowSchema.fields.map((field, c) => gatherColumn(field.type, c, length, parts))
    return { schema: this.rowSchema, length, columns }
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
    const fits = keyIds.length >= rows.length * 4 && rows.columns.length === fields.length
      && rows.columns.every((column, c) => sameType(column.type, fields[c]!.type))
    if (fits) return
    throw new InternalError('INTERNAL_ERROR', {
      what: `rows for the state have the columns (${rows.columns.map((column) => typeText(column.type)).join(', ')}) and ${keyIds.length / 4} keys for `
        + `${rows.length} rows; its schema is (${fields.map((field) => typeText(field.type)).join(', ')})`,
      todo: 'report this with the query and its checkpoint folder',
    })
  }
}

function checkEventTime(schema: StateSchema): void {
  if (schema.eventTime === null) return
  const type = schema.keys[schema.eventTime.key]?.type
  const isTime = type === 'timestamp' || type === 'timestamp_ntz' || type === 'long'
  assert(isTime, `the event time of a state is ${type === undefined ? 'a column that it lacks' : `of type ${typeText(type)}`}`)
}

function hasNulls(column: GroupColumn | SourceColumn): boolean {
  return column.kind === 'values' || column.valid !== null
}

function signed(words: Uint32Array): Int32Array {
  return new Int32Array(words.buffer, words.byteOffset, words.length)
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

function gatherIds(from: readonly GroupRows[]): Uint32Array {
  const out = new Int32Array(countRows(from) * 4)
  let at = 0
  for (const { group, slots } of from) {
    copyIds(out, at, group.ids, slots)
    at += 4 * slots.length
  }
  return new Uint32Array(out.buffer)
}
function copyIds(out: Int32Array, start: number, ids: Int32Array, slots: Uint32Array): void {
  let at = start
  for (let k = 0; k < slots.length; k++) {
    const id = 4 * slots[k]!
    out[at] = ids[id]!
    out[at + 1] = ids[id + 1]!
    out[at + 2] = ids[id + 2]!
    out[at + 3] = ids[id + 3]!
    at += 4
  }
}

function gatherRemoved(groups: readonly KeyGroup[], first: number, last: number): Uint32Array {
  let words = 0
  for (let g = first; g <= last; g++) words += 4 * groups[g]!.removedCount
  const out = new Int32Array(words)
  let at = 0
  for (let g = first; g <= last; g++) {
    const { removed, removedCount } = groups[g]!
    out.set(removed.subarray(0, 4 * removedCount), at)
    at += 4 * removedCount
  }
  return new Uint32Array(out.buffer)
}

function sumOverflow(value: StateValue, target: GroupColumn, source: SourceColumn, segment: Segment, position: number): InvalidQueryError {
  const at = (column: GroupColumn | SourceColumn, row: number) => {
    if (column.kind === 'values') return String(column.values[row])
    return column.kind === 'fixed' ? String(columnValues({ kind: 'fixed', type: column.type, data: column.data.subarray(row, row + 1), valid: null } as Column, 1)[0]) : '?'
  }
  const sum = at(target, segment.slots[position]!)
  return new InvalidQueryError('ARITHMETIC_OVERFLOW', {
    what: `the sum "${value.name}" of one group leaves the range of ${typeText(value.type)}: it stands at ${sum}, and ${at(source, segment.order[position]!)} was to be added`,
    todo: 'sum a wider type, for example cast the column to double or to decimal(38,0) before sum()',
  })
}
