import { type Column, fixedArray } from '../data/column-batch.ts'
import type { KeyedBatch } from '../state/state-store.ts'

/** The given rows of a batch with their identities, in the order given. */
export function takeKeys({ keyIds, rows }: KeyedBatch, numbers: Uint32Array): KeyedBatch {
  const columns: Column[] = rows.columns.map((column) => takeColumn(column, numbers))
  return { keyIds: takeIds(keyIds, numbers), rows: { schema: rows.schema, length: numbers.length, columns } }
}

/** The identities (4 words each) of the given rows. */
export function takeIds(keyIds: Uint32Array, numbers: Uint32Array): Uint32Array {
  const taken = new Uint32Array(numbers.length * 4)
  for (let i = 0; i < numbers.length; i++) {
    const from = numbers[i]! * 4
    for (let word = 0; word < 4; word++) taken[i * 4 + word] = keyIds[from + word]!
  }
  return taken
}

/** The given rows of a column, in the order given. */
export function takeColumn(column: Column, rows: Uint32Array): Column {
  if (column.kind === 'values') return { ...column, values: Array.from(rows, (row) => column.values[row]) }
  const valid = column.valid && takeBytes(column.valid, rows)
  if (column.kind === 'fixed') {
    const data = fixedArray(column.type, rows.length)
    const to = data as unknown as number[]
    const from = column.data as unknown as number[] // one physical type on both sides, so a copy needs no conversion
    for (let i = 0; i < rows.length; i++) to[i] = from[rows[i]!]!
    return { ...column, data, valid }
  }
  const offsets = new Uint32Array(rows.length + 1)
  for (let i = 0; i < rows.length; i++) offsets[i + 1] = offsets[i]! + column.offsets[rows[i]! + 1]! - column.offsets[rows[i]!]!
  const heap = new Uint8Array(offsets[rows.length]!)
  for (let i = 0; i < rows.length; i++)
    heap.set(column.heap.subarray(column.offsets[rows[i]!]!, column.offsets[rows[i]! + 1]!), offsets[i]!)
  return { ...column, offsets, heap, valid }
}

function takeBytes(bytes: Uint8Array, rows: Uint32Array): Uint8Array {
  const taken = new Uint8Array(rows.length)
  for (let i = 0; i < rows.length; i++) taken[i] = bytes[rows[i]!]!
  return taken
}
