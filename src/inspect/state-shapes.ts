/** How `format('statestore')` shows the rows of a store: which columns of a DataFrame are made of which flat ones. */
import type { StateColumn, StateSchema, StateValue } from '../data/state-schema.ts'
import { type DataType, type Field, struct } from '../data/types.ts'
import { partitionField, type StructShape, structShape } from './state-columns.ts'

/** One column of the DataFrame. */
export type StateOutput =
  | { readonly kind: 'column'; readonly field: Field; readonly column: number }
  /** A time as Spark gives it: a number of milliseconds. */
  | { readonly kind: 'millis'; readonly field: Field; readonly column: number }
  /** `unlessDelete`: null where the flat column of that number is 'delete'. */
  | { readonly kind: 'struct'; readonly field: Field; readonly shape: StructShape; readonly unlessDelete?: number }

export interface StateShapes {
  readonly outputs: readonly StateOutput[]
  /**
   * Rows of one key become one: its elements as an array, in their order, or its entries as a map. The outputs are then the key, what is collected (one or
   * two), and the partition; `field` takes their place.
   */
  readonly collect: { readonly kind: 'list' | 'map'; readonly field: Field } | null
}

export const feedFields: readonly Field[] = [
  { name: 'batch_id', type: 'long', nullable: true },
  { name: 'change_type', type: 'string', nullable: true },
]

/** The flat columns are: those of the change feed, keys, values, partition, row number. */
export function stateShapes({ keys, values, variable, eventTime }: StateSchema, isFeed: boolean, flatten: boolean): StateShapes {
  const before = isFeed ? feedFields : []
  const firstValue = before.length + keys.length
  const outputOf = (name: string, shape: StructShape, isKey = false): StateOutput => ({
    kind: 'struct',
    field: { name, type: shape.type, nullable: true },
    shape,
    ...(isFeed && !isKey && { unlessDelete: 1 }),
  })
  const timeColumn = firstValue + values.length - 1
  const own = variable?.ttl ? values.slice(0, -1) : values
  const valueOf = (name: string, columns: readonly StateColumn[], first: number) => {
    const shape = structShape(inner(columns, 'value'), first)
    return outputOf(name, variable?.ttl ? withTime(shape, timeColumn) : shape)
  }
  const shown = (): StateOutput[] => {
    switch (variable?.kind) {
      case 'timers':
        return [{ kind: 'millis', field: { name: 'expiration_timestamp_ms', type: 'long', nullable: true }, column: timeColumn }]
      case 'value':
        return [valueOf('value', own, firstValue)]
      case 'list':
        return [valueOf('list_element', own, firstValue)]
      case 'map': {
        const count = variable.userKeyColumns ?? 1
        const entry = own.slice(0, count).map((column) => (column.name === 'userKey' ? { ...column, name: 'value' } : column))
        return [
          // which entry it was is part of what a delete says
          outputOf('user_map_key', structShape(inner(entry, 'userKey'), firstValue), true),
          valueOf('user_map_value', own.slice(count), firstValue + count),
        ]
      }
      case 'group':
        return [outputOf('value', groupShape(values, firstValue))]
      default:
        return [outputOf('value', withDeadline(structShape(values, firstValue), values, firstValue, eventTime))]
    }
  }
  const columns = shown()
  const outputs: StateOutput[] = [
    ...before.map((field, column): StateOutput => ({ kind: 'column', field, column })),
    outputOf('key', structShape(keys, before.length), true),
    ...columns,
    { kind: 'column', field: partitionField, column: firstValue + values.length },
  ]
  const kind = variable?.kind
  if (flatten || isFeed || (kind !== 'list' && kind !== 'map')) return { outputs, collect: null }
  return { outputs, collect: { kind, field: collectedField(kind, columns) } }
}

const inner = (columns: readonly StateColumn[], prefix: string) =>
  columns.map((column) => ({
    ...column,
    name: column.name.startsWith(`${prefix}.`) ? column.name.slice(prefix.length + 1) : column.name,
  }))

/** A value with a time to live, as Spark shows it: the value, and when it is gone. */
function withTime({ type, parts }: StructShape, timeColumn: number): StructShape {
  const value: Field = { name: 'value', type, nullable: true }
  const time: Field = { name: 'ttlExpirationMs', type: 'long', nullable: true }
  return {
    type: struct([value, time]),
    parts: [
      { kind: 'struct', field: value, parts },
      { kind: 'millis', field: time, column: timeColumn },
    ],
  }
}

/** The state of (flat)mapGroupsWithState with its timeout, in Spark's second version: -1 where none is set, no state where a key has but a timeout. */
function groupShape(values: readonly StateValue[], first: number): StructShape {
  const hasTimeouts = values.at(-2)?.name === 'isDefined' && values.at(-1)?.name === 'timeoutAt'
  const own = (hasTimeouts ? values.slice(0, -2) : values).map((column) =>
    column.name === 'state' ? { ...column, name: 'value' } : column,
  )
  const { type, parts } = structShape(inner(own, 'state'), first)
  const state: Field = { name: 'groupState', type, nullable: true }
  if (!hasTimeouts) return { type: struct([state]), parts: [{ kind: 'struct', field: state, parts }] }
  const [isDefined, timeoutAt] = [first + values.length - 2, first + values.length - 1]
  const time: Field = { name: 'timeoutTimestamp', type: 'long', nullable: false }
  return {
    type: struct([state, time]),
    parts: [
      { kind: 'struct', field: state, parts, where: isDefined },
      { kind: 'millis', field: time, column: timeoutAt, orElse: -1 },
    ],
  }
}

/** Until when dropDuplicatesWithinWatermark remembers a row: as its name says, a number of microseconds. */
function withDeadline(shape: StructShape, values: readonly StateValue[], first: number, eventTime: StateSchema['eventTime']): StructShape {
  const place =
    eventTime !== null && 'value' in eventTime && values[eventTime.value]?.name === 'expiresAtMicros' ? eventTime.value : undefined
  if (place === undefined) return shape
  const parts = shape.parts.map((part) =>
    part.kind === 'column' && part.column === first + place
      ? { kind: 'micros' as const, field: { ...part.field, type: 'long' as const }, column: part.column }
      : part,
  )
  return { type: struct(parts.map(({ field }) => field)), parts }
}

function collectedField(kind: 'list' | 'map', columns: readonly StateOutput[]): Field {
  const value = columns.at(-1)!.field.type
  const type: DataType =
    kind === 'list'
      ? { kind: 'array', element: value, containsNull: true }
      : { kind: 'map', key: columns[0]!.field.type, value, valueContainsNull: true }
  return { name: `${kind}_value`, type, nullable: true }
}

/** The columns of the DataFrame. */
export function shownFields({ outputs, collect }: StateShapes): Field[] {
  const fields = outputs.map(({ field }) => field)
  return collect === null ? fields : [fields[0]!, collect.field, fields.at(-1)!]
}
