/** How `format('statestore')` shows the rows of a store: which columns of a DataFrame are made of which flat ones. */
import type { StateColumn, StateSchema } from '../data/state-schema.ts'
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
   * two, and with TTL the time behind them), and the partition; `field` takes their place.
   */
  readonly collect: { readonly kind: 'list' | 'map'; readonly field: Field; readonly hasTime: boolean } | null
}

export const feedFields: readonly Field[] = [
  { name: 'batch_id', type: 'long', nullable: true },
  { name: 'change_type', type: 'string', nullable: true },
]

/** The flat columns are: those of the change feed, keys, values, partition, row number. */
export function stateShapes({ keys, values, variable }: StateSchema, isFeed: boolean, flatten: boolean): StateShapes {
  const before = isFeed ? feedFields : []
  const firstValue = before.length + keys.length
  const structOf = (name: string, columns: readonly StateColumn[], first: number, isKey = false): StateOutput => {
    const shape = structShape(columns, first)
    return { kind: 'struct', field: { name, type: shape.type, nullable: true }, shape, ...(isFeed && !isKey && { unlessDelete: 1 }) }
  }
  const time: StateOutput = {
    kind: 'millis',
    field: { name: 'expiration_timestamp_ms', type: 'long', nullable: true },
    column: firstValue + values.length - 1,
  }
  const own = variable?.ttl ? values.slice(0, -1) : values
  const ttl = variable?.ttl ? [time] : []
  const inner = (columns: readonly StateColumn[], prefix: string) =>
    columns.map((column) => ({
      ...column,
      name: column.name.startsWith(`${prefix}.`) ? column.name.slice(prefix.length + 1) : column.name,
    }))
  const shown = (): StateOutput[] => {
    switch (variable?.kind) {
      case 'timers':
        return [time]
      case 'value':
        return [structOf('value', inner(own, 'value'), firstValue), ...ttl]
      case 'list':
        return [structOf('list_element', inner(own, 'value'), firstValue), ...ttl]
      case 'map': {
        const count = variable.userKeyColumns ?? 1
        const entry = own.slice(0, count).map((column) => (column.name === 'userKey' ? { ...column, name: 'key' } : column))
        // which entry it was is part of what a delete says
        return [
          structOf('user_map_key', inner(entry, 'userKey'), firstValue, true),
          structOf('user_map_value', inner(own.slice(count), 'value'), firstValue + count),
          ...ttl,
        ]
      }
      default:
        return [structOf('value', values, firstValue)]
    }
  }
  const columns = shown()
  const outputs: StateOutput[] = [
    ...before.map((field, column): StateOutput => ({ kind: 'column', field, column })),
    structOf('key', keys, before.length, true),
    ...columns,
    { kind: 'column', field: partitionField, column: firstValue + values.length },
  ]
  const kind = variable?.kind
  if (flatten || isFeed || (kind !== 'list' && kind !== 'map')) return { outputs, collect: null }
  const hasTime = ttl.length > 0
  return { outputs, collect: { kind, field: collectedField(kind, columns, hasTime), hasTime } }
}

function collectedField(kind: 'list' | 'map', columns: readonly StateOutput[], hasTime: boolean): Field {
  const last = columns[kind === 'list' ? 0 : 1]!.field.type
  const timed: DataType = hasTime
    ? struct([
        { name: 'value', type: last, nullable: true },
        { name: 'ttlExpirationMs', type: 'long', nullable: true },
      ])
    : last
  const type: DataType =
    kind === 'list'
      ? { kind: 'array', element: timed, containsNull: true }
      : { kind: 'map', key: columns[0]!.field.type, value: timed, valueContainsNull: true }
  return { name: `${kind}_value`, type, nullable: true }
}

/** The columns of the DataFrame. */
export function shownFields({ outputs, collect }: StateShapes): Field[] {
  const fields = outputs.map(({ field }) => field)
  return collect === null ? fields : [fields[0]!, collect.field, fields.at(-1)!]
}
