/** State rows in the shape that `format('statestore')` gives them: a struct of the key's columns, a struct of the values. */
import type { Column, ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { StateColumn, StateSchema } from '../data/state-schema.ts'
import { type Field, type StructType, sameType, struct } from '../data/types.ts'
import { groupsOf } from '../state/read-state.ts'
import type { KeyedBatch } from '../state/state-store.ts'

/** A field of a struct that is made of flat columns: of one, of the two ends of a window, or of several as a struct. */
export type StructPart =
  | { readonly kind: 'column'; readonly field: Field; readonly column: number }
  | { readonly kind: 'window'; readonly field: Field; readonly start: number; readonly end: number }
  /** `where`: null but where the flat column of that number is true. */
  | { readonly kind: 'struct'; readonly field: Field; readonly parts: readonly StructPart[]; readonly where?: number }
  /** A time as Spark gives it: a number of milliseconds; `orElse` where there is none. */
  | { readonly kind: 'millis'; readonly field: Field; readonly column: number; readonly orElse?: number }
  | { readonly kind: 'micros'; readonly field: Field; readonly column: number }
  /** A struct must have a field; this one is always null. */
  | { readonly kind: 'nothing'; readonly field: Field }

export interface StructShape {
  readonly type: StructType
  readonly parts: readonly StructPart[]
}

/** The struct of some neighbouring columns, the first of which is number `first`. */
export function structShape(columns: readonly StateColumn[], first: number): StructShape {
  const parts: StructPart[] = []
  for (let i = 0; i < columns.length; i++) {
    const { name, type, nullable } = columns[i]!
    const window = windowName(columns[i]!, columns[i + 1])
    if (window === undefined) parts.push({ kind: 'column', field: { name, type, nullable }, column: first + i })
    else {
      const bounds = struct(['start', 'end'].map((each) => ({ name: each, type, nullable })))
      parts.push({ kind: 'window', field: { name: window, type: bounds, nullable }, start: first + i, end: first + i + 1 })
      i++
    }
  }
  if (parts.length === 0) parts.push({ kind: 'nothing', field: { name: '__dummy__', type: 'boolean', nullable: true } })
  const named = distinctNames(parts)
  return { type: struct(named.map(({ field }) => field)), parts: named }
}

/** State keeps a window as two columns, its start and its end. */
function windowName(start: StateColumn, end: StateColumn | undefined): string | undefined {
  const name = /^(.+)\.start$/.exec(start.name)?.[1]
  return name !== undefined && end?.name === `${name}.end` && sameType(start.type, end.type) ? name : undefined
}

/** Fields of a struct may not differ by case alone. */
export function distinctNames<Part extends { readonly field: Field }>(parts: readonly Part[]): Part[] {
  const taken = new Set<string>()
  return parts.map((part) => {
    let { name } = part.field
    for (let n = 1; taken.has(name.toLowerCase()); n++) name = `${part.field.name}_${n}`
    taken.add(name.toLowerCase())
    return { ...part, field: { ...part.field, name } }
  })
}

/** The flat columns of a state row, keys then values, as fields that may all be null. */
export function flatFields({ keys, values }: StateSchema): Field[] {
  return [...keys, ...values].map(({ name, type }) => ({ name, type, nullable: true }))
}

/** The partition of each key group, where the state is cut into so many. */
export function partitionOfGroups(keyGroups: number, partitions: number): Int32Array {
  const of = new Int32Array(keyGroups)
  for (let p = 0; p < partitions; p++) {
    of.fill(p, Math.floor((p * keyGroups) / partitions), Math.floor(((p + 1) * keyGroups) / partitions))
  }
  return of
}

/** The rows with the numbers of their partitions, and their own numbers, behind them. */
export function withPartition(batch: KeyedBatch, partitionOf: Int32Array): ColumnBatch {
  const { rows, keyIds } = batch
  const partitions = groupsOf(batch, partitionOf.length).map((group) => partitionOf[group]!)
  const numbers = BigInt64Array.from({ length: rows.length }, (_, i) =>
    BigInt.asIntN(64, (BigInt(keyIds[4 * i + 3]!) << 32n) | BigInt(keyIds[4 * i + 2]!)),
  )
  return {
    schema: new Schema([...nullable(rows.schema.fields), partitionField, rowNumberField]),
    length: rows.length,
    columns: [
      ...rows.columns,
      { kind: 'fixed', type: 'int', data: partitions, valid: null },
      { kind: 'fixed', type: 'long', data: numbers, valid: null },
    ],
  }
}
function nullable(fields: readonly Field[]): Field[] {
  return fields.map(({ name, type }) => ({ name, type, nullable: true }))
}

/** A column of one value. */
export function constantColumn(type: 'long' | 'string', value: bigint | string, length: number): Column {
  if (typeof value === 'bigint') return { kind: 'fixed', type, data: new BigInt64Array(length).fill(value), valid: null }
  const bytes = Buffer.from(value)
  const heap = new Uint8Array(bytes.length * length)
  for (let i = 0; i < length; i++) heap.set(bytes, i * bytes.length)
  return { kind: 'bytes', type, offsets: Uint32Array.from({ length: length + 1 }, (_, i) => i * bytes.length), heap, valid: null }
}

export const partitionField: Field = { name: 'partition_id', type: 'int', nullable: true }
/** Of rows that share a key: the order of a list. */
export const rowNumberField: Field = { name: 'row_number', type: 'long', nullable: true }
