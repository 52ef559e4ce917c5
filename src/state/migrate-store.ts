/** The rows of a store in one schema, put into a store of the next. */
import { InternalError, InvalidQueryError } from '../base/errors.ts'
import { type Column, columnKind, type FixedColumn, fixedArray } from '../data/column-batch.ts'
import { Decimal } from '../data/decimal.ts'
import { encodeKey, type KeyValue, keyIdOf } from '../data/key-encoding.ts'
import { Schema } from '../data/schema.ts'
import type { StateColumn, StateSchema, StateValue } from '../data/state-schema.ts'
import { type DataType, typeText } from '../data/types.ts'
import { decodeStrings, encodeStrings, type Physical, Temporal, toPhysical } from '../data/values.ts'
import { isSamePhysically, widenNumber, widenValue } from '../data/widening.ts'
import type { ColumnSource } from './match-columns.ts'
import { rowIds, rowNumberAt } from './row-id.ts'
import type { StoreMigration } from './state-schema-file.ts'
import type { KeyedBatch } from './state-store.ts'

/** What a migration needs of the two stores: any provider's will do. */
export interface MigrationSource {
  readonly schema: StateSchema
  scanKeyed(): Iterable<KeyedBatch>
}
export interface MigrationTarget {
  readonly schema: StateSchema
  apply(changes: { readonly upserts: KeyedBatch; readonly removed: Uint32Array }, wanted: Uint8Array | null): void
}

/** Puts all rows into the empty store `to`. Nothing of it counts as a change since the last commit. */
export function migrateStore(from: MigrationSource, migration: StoreMigration, to: MigrationTarget, salt: string): void {
  const removed = new Uint32Array(0)
  for (const batch of from.scanKeyed()) to.apply({ upserts: migrateRows(batch, from.schema, migration, to.schema, salt), removed }, null)
}

/** Rows of a store in the schema that comes after theirs, with their identities in it. */
export function migrateRows(
  { keyIds, rows }: KeyedBatch,
  from: StateSchema,
  migration: StoreMigration,
  to: StateSchema,
  salt: string,
): KeyedBatch {
  const before = [...from.keys, ...from.values]
  const after = [...to.keys, ...to.values]
  const columns = after.map((column, i): Column => {
    const source = migration.sources[i]!
    if (source.from === null) return constantColumn(column.type, fillOf(column, source), rows.length)
    return widenColumn(rows.columns[source.from]!, before[source.from]!.type, column.type, rows.length)
  })
  const schema = new Schema(after.map(({ name, type, nullable }) => ({ name, type, nullable })))
  const ids = migration.newIds ? newIds(keyIds, to, columns, rows.length, salt) : keyIds
  return { keyIds: ids, rows: { schema, length: rows.length, columns } }
}

/** What old rows have in a column that they lack: the given value, null, or the value of an aggregate that has seen nothing. */
function fillOf(column: StateColumn | StateValue, { fill }: ColumnSource): Physical {
  if (fill !== null) return defaultValue(column, fill)
  if (column.nullable) return null
  if (column.type === 'long') return 0n
  if (column.type === 'double' || column.type === 'int') return 0
  throw new InternalError('INTERNAL_ERROR', {
    what: `old rows of the state can have nothing in the column ${column.name} ${typeText(column.type)}`,
    todo: 'report this with the query, and start it with a new checkpointLocation',
  })
}

/** A default, as JSON has it, in the physical form of the column. InvalidQueryError INVALID_STATE_DEFAULT. */
export function defaultValue({ name, type }: StateColumn, fill: unknown): Physical {
  try {
    if (type === 'boolean' ? typeof fill !== 'boolean' : typeof fill !== 'string' && typeof fill !== 'number')
      throw new TypeError('of another type')
    return toPhysical(type, parsed(type, fill as string | number | boolean))
  } catch (cause) {
    throw new InvalidQueryError('INVALID_STATE_DEFAULT', {
      what: `the default ${JSON.stringify(fill)} of the state's column ${name} is no ${typeText(type)}`,
      todo: 'give a value of the type in stateDefaults: a number, a string, true or false; dates and timestamps as ISO 8601 text',
      cause,
    })
  }
}
function parsed(type: DataType, fill: string | number | boolean): unknown {
  if (typeof type !== 'string') return type.kind === 'decimal' ? Decimal.from(fill as string | number).toScale(type.scale) : fill
  switch (type) {
    case 'long':
      return BigInt(fill)
    case 'date':
      return Temporal.PlainDate.from(String(fill))
    case 'timestamp':
      return Temporal.Instant.from(String(fill))
    case 'timestamp_ntz':
      return Temporal.PlainDateTime.from(String(fill))
    case 'string':
      if (typeof fill !== 'string') throw new TypeError('no string')
      return fill
    case 'binary':
      return new Uint8Array(Buffer.from(String(fill), 'base64'))
    default:
      if (type !== 'boolean' && typeof fill !== 'number') throw new TypeError('no number')
      return fill
  }
}

function constantColumn(type: DataType, value: Physical, length: number): Column {
  switch (columnKind(type)) {
    case 'values':
      return { kind: 'values', type, values: new Array<unknown>(length).fill(value) }
    case 'bytes': {
      const bytes = value === null ? new Uint8Array(0) : typeof value === 'string' ? encodeStrings([value]).heap : (value as Uint8Array)
      const offsets = Uint32Array.from({ length: length + 1 }, (_, i) => i * bytes.length)
      const heap = new Uint8Array(bytes.length * length)
      for (let i = 0; i < length && bytes.length > 0; i++) heap.set(bytes, offsets[i]!)
      return { kind: 'bytes', type, offsets, heap, valid: value === null ? new Uint8Array(length) : null }
    }
    case 'fixed': {
      const data = fixedArray(type, length)
      if (value !== null) (data as { fill(value: unknown): unknown }).fill(value)
      return { kind: 'fixed', type, data, valid: value === null ? new Uint8Array(length) : null }
    }
  }
}

function widenColumn(column: Column, from: DataType, to: DataType, length: number): Column {
  if (from === to || (isSamePhysically(from, to) && JSON.stringify(from) === JSON.stringify(to))) return { ...column, type: to }
  if (column.kind === 'bytes') return { ...column, type: to }
  if (column.kind === 'fixed') return widenFixed(column, from, to, length)
  // nested values are in their public form, decimals as their unscaled digits
  const isDecimal = typeof to !== 'string' && to.kind === 'decimal'
  const widen = (value: unknown) =>
    value == null ? null : isDecimal ? widenNumber(value as bigint, from, to) : widenValue(value, from, to)
  return { kind: 'values', type: to, values: column.values.slice(0, length).map(widen) }
}

function widenFixed({ data, valid }: FixedColumn, from: DataType, to: DataType, length: number): Column {
  if (columnKind(to) === 'values') {
    const values = Array.from({ length }, (_, i) => (valid !== null && valid[i] === 0 ? null : widenNumber(data[i]!, from, to)))
    return { kind: 'values', type: to, values }
  }
  const wide = fixedArray(to, length)
  for (let i = 0; i < length; i++) wide[i] = widenNumber(data[i]!, from, to)
  return { kind: 'fixed', type: to, data: wide, valid }
}

/** Identities by the new encoding of the keys; rows of a key keep their numbers. */
function newIds(
  ids: Uint32Array,
  { keys, rowsPerKey }: StateSchema,
  columns: readonly Column[],
  length: number,
  salt: string,
): Uint32Array {
  const types = keys.map(({ type }) => type)
  const cells = keys.map((_, c) => keyValues(columns[c]!, length))
  const made = new Uint32Array(length * 4)
  for (let i = 0; i < length; i++) {
    const id = keyIdOf(
      salt,
      encodeKey(
        types,
        cells.map((column) => column[i]!),
      ),
    )
    made.set(rowsPerKey === 'many' ? rowIds(id, rowNumberAt(ids, 4 * i)) : id, 4 * i)
  }
  return made
}

function keyValues(column: Column, length: number): KeyValue[] {
  const { type } = column
  if (column.kind === 'values') return column.values.slice(0, length).map((value) => nestedKey(type, value))
  const isNull = (i: number) => column.valid !== null && column.valid[i] === 0
  if (column.kind === 'bytes') {
    const strings = type === 'string' ? decodeStrings(column, length) : undefined
    return Array.from({ length }, (_, i) =>
      isNull(i) ? null : (strings?.[i] ?? column.heap.slice(column.offsets[i], column.offsets[i + 1])),
    )
  }
  return Array.from({ length }, (_, i) => (isNull(i) ? null : plainKey(type, column.data[i]!)))
}
function plainKey(type: DataType, value: number | bigint): KeyValue {
  if (type === 'boolean') return value === 1
  return typeof type !== 'string' && type.kind === 'decimal' ? { unscaled: value as bigint, scale: type.scale } : value
}
/** Of arrays and structs in their public form, and of large decimals as their unscaled digits. */
function nestedKey(type: DataType, value: unknown): KeyValue {
  if (value == null) return null
  if (typeof type !== 'string') {
    if (type.kind === 'decimal')
      return { unscaled: value instanceof Decimal ? value.toScale(type.scale).unscaled : (value as bigint), scale: type.scale }
    if (type.kind === 'array') return (value as unknown[]).map((item) => nestedKey(type.element, item))
    if (type.kind === 'struct') return type.fields.map((field) => nestedKey(field.type, (value as Record<string, unknown>)[field.name]))
  }
  const physical = toPhysical(type, value) as KeyValue | number | bigint
  return typeof physical === 'number' || typeof physical === 'bigint' ? plainKey(type, physical) : physical
}
