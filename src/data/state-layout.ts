/**
 * How the state of the program's functions lies in stores (docs/formats.md, "State of functions"). Every store has the columns of the grouping key as its key, so that
 * all rows of a key lie in one key group.
 *
 * | variable | a row is                | its identity                                  | value columns                                    |
 * | group    | a key's state           | the key's                                     | the state · [isDefined · timeoutAt]              |
 * | value    | a key's value           | the key's                                     | the value · [expiresAt]                          |
 * | list     | an element              | the key's first 64 bits, a number that rises  | the element · [expiresAt]                        |
 * | map      | an entry                | the key's first 64 bits, a hash of the entry  | the entry's key · its value · [expiresAt]        |
 * | timers   | a timer                 | the key's first 64 bits, a hash of the time   | expiresAt                                        |
 *
 * A value of one column is called `value` (the state of a group `state`, the key of an entry `userKey`), fields of a row `value.<field>`. expiresAt and timeoutAt are
 * the times by which a store forgets: what is due is found by the store's calendar, never by a scan.
 */
import { createHash } from 'node:crypto'
import { encodeKey, type KeyValue } from './key-encoding.ts'
import { Schema } from './schema.ts'
import type { StateColumn, StateSchema, StateValue, StateVariable } from './state-schema.ts'
import type { DataType, Field } from './types.ts'
import { type Decimal, toPhysical } from './values.ts'

/** What one value of a state is: a single value, or a row. Never null as a whole; fields of a row as they say. */
export type StateShape = { readonly kind: 'single'; readonly type: DataType } | { readonly kind: 'row'; readonly fields: readonly Field[] }

/** A variable as a processor declares it in `init`. */
export interface DeclaredVariable {
  readonly name: string
  readonly kind: 'value' | 'list' | 'map'
  readonly value: StateShape
  /** Of a map. */
  readonly userKey?: StateShape
  /** Null: values stay until they are removed. */
  readonly ttlMs: number | null
}

/** The columns of a shape in the form in which a row of them is converted: names as the user wrote them, a single value as `value`. */
export function shapeSchema(shape: StateShape): Schema {
  return new Schema(shape.kind === 'single' ? [{ name: 'value', type: shape.type, nullable: false }] : shape.fields)
}

function shapeColumns(prefix: string, shape: StateShape): StateColumn[] {
  return shape.kind === 'single'
    ? [{ name: prefix, type: shape.type, nullable: false }]
    : shape.fields.map(({ name, type, nullable }) => ({ name: `${prefix}.${name}`, type, nullable }))
}

const replaced = (columns: readonly StateColumn[]): StateValue[] =>
  columns.map(({ name, type, nullable }) => ({ name, type, nullable, merge: 'replace' }))
const time = (name: string, nullable: boolean): StateValue => ({ name, type: 'timestamp', nullable, merge: 'replace' })

/** The store of (flat)mapGroupsWithState. With timeouts a key may have one and no state, so that the state's columns may all be null. */
export function groupStateSchema(keys: readonly StateColumn[], shape: StateShape, hasTimeouts: boolean): StateSchema {
  const state = shapeColumns('state', shape)
  const variable: StateVariable = { kind: 'group' }
  if (!hasTimeouts) return { keys, values: replaced(state), eventTime: null, variable }
  const values: StateValue[] = [
    ...replaced(state.map((column) => ({ ...column, nullable: true }))),
    { name: 'isDefined', type: 'boolean', nullable: false, merge: 'replace' },
    time('timeoutAt', true),
  ]
  return { keys, values, eventTime: { value: values.length - 1 }, variable }
}

/** The store of a variable. */
export function variableSchema(keys: readonly StateColumn[], { kind, value, userKey, ttlMs }: DeclaredVariable): StateSchema {
  const entryKey = kind === 'map' ? shapeColumns('userKey', userKey!) : []
  const hasTtl = ttlMs !== null
  const values = [...replaced([...entryKey, ...shapeColumns('value', value)]), ...(hasTtl ? [time('expiresAt', false)] : [])]
  return {
    keys,
    values,
    eventTime: hasTtl ? { value: values.length - 1 } : null,
    ...(kind === 'value' ? {} : { rowsPerKey: 'many' as const }),
    variable: { kind, ...(kind === 'map' && { userKeyColumns: entryKey.length }), ...(hasTtl && { ttl: true as const }) },
  }
}

export type TimerMode = 'ProcessingTime' | 'EventTime'

/** The name of the store with the timers; names of variables can't begin so. */
export function timersName(mode: TimerMode): string {
  return mode === 'ProcessingTime' ? '$procTimers' : '$eventTimers'
}
export function timersSchema(keys: readonly StateColumn[]): StateSchema {
  return { keys, values: [time('expiresAt', false)], eventTime: { value: 0 }, rowsPerKey: 'many', variable: { kind: 'timers' } }
}

/** The 64 bits (two words, low first) that tell an entry of a map or a timer from the others of its key: the first bytes of md5 over the key's identity and the encoding. */
export function entryHash(keyIds: Uint32Array, at: number, encoded: string): readonly [low: number, high: number] {
  const id = new Uint8Array(16)
  const view = new DataView(id.buffer)
  for (let word = 0; word < 4; word++) view.setUint32(word * 4, keyIds[at + word]!)
  const digest = createHash('md5').update(id).update(encoded).digest()
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)]
}

/** The canonical encoding (data/key-encoding.ts) of a map's key. */
export function encodeUserKey(shape: StateShape, value: unknown): string {
  const { fields } = shapeSchema(shape)
  const cells = shape.kind === 'single' ? [value] : fields.map(({ name }) => (value as Record<string, unknown>)[name])
  return encodeKey(
    fields.map(({ type }) => type),
    fields.map(({ type }, i) => keyValueOf(type, cells[i])),
  )
}

/** A value in the form in which rows come out, as key-encoding takes it. */
function keyValueOf(type: DataType, value: unknown): KeyValue {
  if (value === null || value === undefined) return null
  if (typeof type !== 'string') {
    if (type.kind === 'decimal') return { unscaled: (value as Decimal).unscaled, scale: (value as Decimal).scale }
    if (type.kind === 'array') return (value as readonly unknown[]).map((item) => keyValueOf(type.element, item))
    if (type.kind === 'struct') return type.fields.map((field) => keyValueOf(field.type, (value as Record<string, unknown>)[field.name]))
  }
  if (type === 'boolean' || type === 'string' || type === 'binary') return value as KeyValue
  return toPhysical(type, value) as KeyValue
}

/** `t.map` and what holds one can't be told apart as a key. */
export function hasMap(type: DataType): boolean {
  if (typeof type === 'string' || type.kind === 'decimal') return false
  if (type.kind === 'map') return true
  return type.kind === 'array' ? hasMap(type.element) : type.fields.some((field) => hasMap(field.type))
}
