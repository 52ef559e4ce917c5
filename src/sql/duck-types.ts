import { assert } from '../base/errors.ts'
import { isDayTime, isInterval } from '../data/intervals.ts'
import type { Schema } from '../data/schema.ts'
import { type DataType, typeText } from '../data/types.ts'
import { bindings, type LogicalType } from './bindings.ts'
import { quoteName } from './sql-text.ts'

const simpleTypes = {
  boolean: 'BOOLEAN',
  byte: 'TINYINT',
  short: 'SMALLINT',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  timestamp_ntz: 'TIMESTAMP',
  void: 'INTEGER',
} as const

/** The DuckDB type that holds a type's values. `instant` names the one for `timestamp`, which files tell apart from timestamp_ntz. */
export function duckType(type: DataType, instant: 'TIMESTAMP' | 'TIMESTAMPTZ' = 'TIMESTAMP'): string {
  if (isInterval(type)) return isDayTime(type) ? 'BIGINT' : 'INTEGER'
  if (typeof type === 'string') return type === 'timestamp' ? instant : simpleTypes[type]
  switch (type.kind) {
    case 'decimal':
      return `DECIMAL(${type.precision}, ${type.scale})`
    case 'array':
      return `${duckType(type.element, instant)}[]`
    case 'map':
      return `MAP(${duckType(type.key, instant)}, ${duckType(type.value, instant)})`
    case 'struct':
      return `STRUCT(${type.fields.map((field) => `${quoteName(field.name)} ${duckType(field.type, instant)}`).join(', ')})`
  }
}

/** A column's name inside the engine. */
export function columnName(index: number): string {
  return `c${index}`
}

/** `c0 BIGINT, c1 VARCHAR`: the columns of a table that holds a relation. */
export function columnDefinitions(schema: Schema): string {
  return schema.fields.map(({ type }, i) => `${columnName(i)} ${duckType(type)}`).join(', ')
}

/** A SELECT of no rows with the columns of a schema. */
export function emptySelect(schema: Schema): string {
  const list = schema.fields.map(({ type }, i) => `NULL::${duckType(type)} AS ${columnName(i)}`)
  // rows without columns are only counted
  return `SELECT ${list.join(', ') || '0 AS nothing'} WHERE false`
}

/** Ids of DuckDB's types, as its C interface numbers them. */
export const typeId = {
  boolean: 1,
  tinyint: 2,
  smallint: 3,
  integer: 4,
  bigint: 5,
  float: 10,
  double: 11,
  timestamp: 12,
  date: 13,
  varchar: 17,
  blob: 18,
  decimal: 19,
  list: 24,
  struct: 25,
  map: 26,
  uhugeint: 32,
  sqlNull: 36,
} as const

const simpleIds = {
  boolean: typeId.boolean,
  byte: typeId.tinyint,
  short: typeId.smallint,
  int: typeId.integer,
  long: typeId.bigint,
  float: typeId.float,
  double: typeId.double,
  string: typeId.varchar,
  binary: typeId.blob,
  date: typeId.date,
  timestamp: typeId.timestamp,
  timestamp_ntz: typeId.timestamp,
  void: typeId.integer,
} as const

export function typeIdOf(type: DataType): number {
  if (isInterval(type)) return isDayTime(type) ? typeId.bigint : typeId.integer
  if (typeof type === 'string') return simpleIds[type]
  return { decimal: typeId.decimal, array: typeId.list, map: typeId.map, struct: typeId.struct }[type.kind]
}

/** A logical type of DuckDB's C interface. */
export function logicalType(type: DataType): LogicalType {
  if (typeof type === 'string') return bindings.create_logical_type(typeIdOf(type) as never)
  switch (type.kind) {
    case 'decimal':
      return bindings.create_decimal_type(type.precision, type.scale)
    case 'array':
      return bindings.create_list_type(logicalType(type.element))
    case 'map':
      return bindings.create_map_type(logicalType(type.key), logicalType(type.value))
    case 'struct':
      return bindings.create_struct_type(
        type.fields.map((field) => logicalType(field.type)),
        type.fields.map((field) => field.name),
      )
  }
}

/** Throws InternalError unless a result's column has the type that the plan says. A wrong one would be read as other bytes. */
export function checkType(found: LogicalType, expected: DataType, column: string): void {
  const id = bindings.get_type_id(found) as number
  if (expected === 'void') return
  assert(id === typeIdOf(expected), `column ${column} came out with DuckDB's type number ${id}, and the plan says ${typeText(expected)}`)
  if (typeof expected !== 'string' && expected.kind === 'decimal') {
    const scale = bindings.decimal_scale(found)
    const width = bindings.decimal_width(found)
    assert(
      scale === expected.scale && width === expected.precision,
      `column ${column} came out as decimal(${width},${scale}), and the plan says ${typeText(expected)}`,
    )
  }
}
