import { isDayTime, isInterval, isYearMonth } from '../../data/intervals.ts'
import type { DataType } from '../../data/types.ts'
import type { TableColumn } from '../dialect.ts'
import { holdsVoid } from '../holds-void.ts'

/** How a column's values cross in binary COPY. */
export type BinaryForm =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'text'
  | 'bytea'
  | 'date'
  | 'timestamp'
  | 'interval'
  | 'jsonb'
  | 'array'

/** The form of a type, and the column type that has exactly this form: that of staging tables, and of tables that are created. */
export interface ColumnForm {
  readonly form: BinaryForm
  readonly typeText: string
}

const simpleForms: Readonly<Record<string, ColumnForm>> = {
  boolean: { form: 'bool', typeText: 'boolean' },
  byte: { form: 'int2', typeText: 'smallint' },
  short: { form: 'int2', typeText: 'smallint' },
  int: { form: 'int4', typeText: 'integer' },
  long: { form: 'int8', typeText: 'bigint' },
  float: { form: 'float4', typeText: 'real' },
  double: { form: 'float8', typeText: 'double precision' },
  string: { form: 'text', typeText: 'text' },
  binary: { form: 'bytea', typeText: 'bytea' },
  date: { form: 'date', typeText: 'date' },
  timestamp: { form: 'timestamp', typeText: 'timestamp with time zone' },
  timestamp_ntz: { form: 'timestamp', typeText: 'timestamp without time zone' },
}
/** The oids of element types in binary arrays. */
export const elementOids: Readonly<Record<string, number>> = {
  boolean: 16,
  smallint: 21,
  integer: 23,
  bigint: 20,
  real: 700,
  'double precision': 701,
  text: 25,
  bytea: 17,
  date: 1082,
  'timestamp with time zone': 1184,
  'timestamp without time zone': 1114,
  interval: 1186,
}

/** Undefined for a type that no column holds. */
export function formOf(type: DataType): ColumnForm | undefined {
  if (typeof type === 'string') return isInterval(type) ? { form: 'interval', typeText: 'interval' } : simpleForms[type]
  switch (type.kind) {
    case 'decimal':
      return { form: 'numeric', typeText: `numeric(${type.precision},${type.scale})` }
    case 'array': {
      const element = elementForm(type.element)
      return element ? { form: 'array', typeText: `${element.typeText}[]` } : holdsVoid(type) ? undefined : json
    }
    default:
      return holdsVoid(type) ? undefined : json
  }
}
const json: ColumnForm = { form: 'jsonb', typeText: 'jsonb' }

/** Of an element that has a native array. */
export function elementForm(type: DataType): ColumnForm | undefined {
  if (typeof type !== 'string') return type.kind === 'decimal' ? { form: 'numeric', typeText: 'numeric' } : undefined
  return formOf(type)
}
/** Column types into which each of ours goes by assignment, losing nothing but digits behind a column's own precision. */
const accepting: Readonly<Record<string, readonly string[]>> = {
  boolean: ['boolean'],
  byte: ['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric'],
  short: ['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric'],
  int: ['integer', 'bigint', 'double precision', 'numeric'],
  long: ['bigint', 'numeric'],
  float: ['real', 'double precision'],
  double: ['double precision'],
  string: ['text', 'character varying', 'character', 'name', 'citext', 'uuid', 'json', 'jsonb', 'xml', 'inet', 'cidr', 'macaddr', 'enum'],
  binary: ['bytea'],
  date: ['date'],
  timestamp: ['timestamp with time zone', 'timestamp without time zone'],
  timestamp_ntz: ['timestamp without time zone'],
}
/** Of those, the ones that text has to be cast to by name. */
const castByName = new Set(['uuid', 'json', 'jsonb', 'xml', 'inet', 'cidr', 'macaddr', 'enum', 'citext'])

/** `numeric(10,2)` in parts: the name without its numbers, and these. */
export function typeParts(typeText: string): { readonly name: string; readonly numbers: readonly number[] } {
  const numbers = /\(([\d, ]+)\)/.exec(typeText)?.[1]?.split(',').map(Number) ?? []
  return { name: typeText.replace(/\([\d, ]+\)/, ''), numbers }
}

export interface PostgresColumn extends TableColumn {
  readonly isEnum: boolean
}
export function accepts(type: DataType, column: TableColumn): boolean {
  const { name, numbers } = typeParts(column.typeText)
  const kind = (column as PostgresColumn).isEnum ? 'enum' : name
  if (typeof type === 'string') {
    if (isDayTime(type) || isYearMonth(type)) return name === 'interval'
    return accepting[type]?.includes(kind) ?? false
  }
  switch (type.kind) {
    case 'decimal': {
      const [precision, scale = 0] = numbers
      if (name !== 'numeric') return false
      return precision === undefined || (scale >= type.scale && precision - scale >= type.precision - type.scale)
    }
    case 'array': {
      const own = formOf(type)
      if (own?.form === 'jsonb') return kind === 'jsonb' || kind === 'json'
      return own !== undefined && typeParts(own.typeText).name === name
    }
    default:
      return formOf(type) !== undefined && (kind === 'jsonb' || kind === 'json')
  }
}

/** The expression that takes a staged value into a column. */
export function castTo(type: DataType, column: TableColumn, quotedName: string): string {
  const { name } = typeParts(column.typeText)
  const kind = (column as PostgresColumn).isEnum ? 'enum' : name
  const isNamed = type === 'string' ? castByName.has(kind) : kind === 'json'
  return isNamed ? `${quotedName}::${column.typeText}` : quotedName
}
