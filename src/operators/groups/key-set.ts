/** The rows of a batch by their keys; rows become objects a key at a time. */
import type { Column, ColumnBatch, FixedColumn } from '../../data/column-batch.ts'
import type { Row } from '../../data/row-set.ts'
import { Schema } from '../../data/schema.ts'
import { columnValues } from '../../data/values.ts'
import type { KeyedBatch } from '../../state/state-store.ts'
import { takeColumn } from '../take.ts'

/** Distinct keys that a function is called with, one after the other. */
export class KeySet {
  /** 4 words a key. */
  readonly keyIds: Uint32Array
  /** The columns of the key, under their names. */
  readonly batch: ColumnBatch
  #values: unknown[][] | null = null

  constructor(keyIds: Uint32Array, batch: ColumnBatch) {
    this.keyIds = keyIds
    this.batch = batch
  }
  get length(): number {
    return this.batch.length
  }
  /** A key as the function gets it: an object of its own. */
  keyAt(index: number): Row {
    const { batch } = this
    this.#values ??= batch.columns.map((column) => columnValues(column, batch.length))
    const key: Row = {}
    for (let c = 0; c < this.#values.length; c++) key[batch.schema.fields[c]!.name] = this.#values[c]![index]
    return key
  }
  /** The columns of these keys, to stand before the values of rows of the state. */
  columnsAt(numbers: Uint32Array): Column[] {
    return this.batch.columns.map((column) => takeColumn(column, numbers))
  }
  /** Whether row `row` of these columns (those of a key) belongs to the key. */
  isKey(index: number, columns: readonly Column[], row: number): boolean {
    return this.batch.columns.every((column, c) => sameCell(column, index, columns[c]!, row))
  }
}

/** Columns of one type. NaN is equal to itself, −0 to 0, as in the identity of a key. */
function sameCell(a: Column, i: number, b: Column, k: number): boolean {
  if (a.kind === 'values' || b.kind === 'values') return textOf(a, i) === textOf(b, k)
  const [aNull, bNull] = [a.valid !== null && a.valid[i] === 0, b.valid !== null && b.valid[k] === 0]
  if (aNull || bNull) return aNull && bNull
  if (a.kind === 'fixed') {
    const [x, y] = [a.data[i], (b as FixedColumn).data[k]]
    return x === y || (Number.isNaN(x) && Number.isNaN(y))
  }
  if (b.kind !== 'bytes') return false
  const [left, right] = [a.heap.subarray(a.offsets[i], a.offsets[i + 1]), b.heap.subarray(b.offsets[k], b.offsets[k + 1])]
  return left.length === right.length && left.every((byte, at) => byte === right[at])
}
function textOf(column: Column, row: number): string {
  const value = column.kind === 'values' ? column.values[row] : undefined
  return JSON.stringify(value, (_, inner) =>
    typeof inner === 'bigint' ? `${inner}n` : inner instanceof Uint8Array ? [...inner] : inner === undefined ? null : inner,
  )
}

/** Rows that have come, by key: keys in the order of their first row, rows of a key in the order of their coming. */
export interface RowGroups {
  readonly keys: KeySet
  rowsAt(index: number): Row[]
  /** Where the rows of a key are in the batch. */
  numbersAt(index: number): Uint32Array
}

/** `keys` are columns of the batch with the names of the key; the first `rowColumns` columns are the rows. */
export function groupRows(
  { keyIds, rows }: KeyedBatch,
  keys: readonly { readonly name: string; readonly column: number }[],
  rowColumns: number | readonly number[],
): RowGroups {
  const { groupOf, first, distinct } = numberKeys(keyIds, rows.length)
  const offsets = new Uint32Array(first.length + 1)
  for (let row = 0; row < rows.length; row++) offsets[groupOf[row]! + 1]!++
  for (let group = 0; group < first.length; group++) offsets[group + 1]! += offsets[group]!
  const next = offsets.slice()
  const order = new Uint32Array(rows.length)
  for (let row = 0; row < rows.length; row++) order[next[groupOf[row]!]!++] = row
  const schema = new Schema(keys.map(({ name, column }) => ({ ...rows.schema.fields[column]!, name })))
  const columns = keys.map(({ column }) => takeColumn(rows.columns[column]!, first))
  const shown = typeof rowColumns === 'number' ? Array.from({ length: rowColumns }, (_, c) => c) : rowColumns
  const names = shown.map((column) => rows.schema.fields[column]!.name)
  let values: unknown[][] | null = null
  return {
    keys: new KeySet(distinct, { schema, length: first.length, columns }),
    numbersAt: (index) => order.subarray(offsets[index]!, offsets[index + 1]!),
    rowsAt: (index) => {
      values ??= shown.map((column) => columnValues(rows.columns[column]!, rows.length))
      const found: Row[] = []
      for (let k = offsets[index]!; k < offsets[index + 1]!; k++) {
        const row: Row = {}
        for (let c = 0; c < names.length; c++) row[names[c]!] = values[c]![order[k]!]
        found.push(row)
      }
      return found
    },
  }
}

/** Numbers the distinct identities in the order of their first coming. */
export function numberKeys(ids: Uint32Array, count: number): { groupOf: Uint32Array; first: Uint32Array; distinct: Uint32Array } {
  const size = 2 ** Math.max(4, Math.ceil(Math.log2(count * 2 + 1)))
  const table = new Int32Array(size).fill(-1) // a group's number
  const groupOf = new Uint32Array(count)
  const first = new Uint32Array(count)
  let groups = 0
  for (let row = 0; row < count; row++) {
    const at = row * 4
    let place = ids[at + 1]! & (size - 1)
    for (;;) {
      const group = table[place]!
      if (group < 0) {
        table[place] = groups
        first[groups] = row
        groupOf[row] = groups++
        break
      }
      const other = first[group]! * 4
      if (ids[at] === ids[other] && ids[at + 1] === ids[other + 1] && ids[at + 2] === ids[other + 2] && ids[at + 3] === ids[other + 3]) {
        groupOf[row] = group
        break
      }
      place = (place + 1) & (size - 1)
    }
  }
  const distinct = new Uint32Array(groups * 4)
  for (let group = 0; group < groups; group++) distinct.set(ids.subarray(first[group]! * 4, first[group]! * 4 + 4), group * 4)
  return { groupOf, first: first.slice(0, groups), distinct }
}

export const noKeys = new KeySet(new Uint32Array(0), { schema: new Schema([]), length: 0, columns: [] })
