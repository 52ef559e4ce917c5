import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import type { Schema } from '../data/schema.ts'
import { type Field, typeText } from '../data/types.ts'
import { findDeleteColumn, storedSchema } from '../sinks/delete-column.ts'
import type { Dialect, TableShape, WritePlan } from './dialect.ts'
import { tableText } from './table-name.ts'

/** What the columns of a query are asked to fit. */
export interface Wanted {
  readonly key: readonly string[]
  readonly onConflict: WritePlan['onConflict']
  readonly deleteColumn: string | null
  readonly checkNullability: boolean
  readonly batchSize: number
}

/** Columns of a table that is to be created. InvalidQueryError where the schema can't be a table of this server. */
export function newColumns(
  schema: Schema,
  { key, deleteColumn }: Wanted,
  dialect: Dialect,
): { name: string; typeText: string; nullable: boolean }[] {
  checkNames(schema, dialect)
  checkKeyColumns(schema, key)
  return storedSchema(schema, findDeleteColumn(schema, deleteColumn, key)).fields.map((field) => {
    const { name, type, nullable } = field
    const text = dialect.columnType(type, key.includes(name))
    if (text === undefined) throw noType(field, dialect)
    return { name, typeText: text, nullable }
  })
}

/**
 * How rows of the schema go into a table, or why they don't: InvalidQueryError DATABASE_COLUMN_NOT_FOUND, DATABASE_COLUMN_TYPE_MISMATCH,
 * DATABASE_COLUMN_NOT_NULL, DATABASE_COLUMN_NEEDS_VALUE, DATABASE_KEY_NOT_UNIQUE, DATABASE_TABLE_UNFIT, and those of findDeleteColumn. Pure.
 */
export function planWrite(schema: Schema, shape: TableShape, wanted: Wanted, dialect: Dialect): WritePlan {
  const table = tableText(shape.table)
  if (shape.unfit !== null) {
    throw new InvalidQueryError('DATABASE_TABLE_UNFIT', {
      what: `${table} can't be written to exactly once: ${shape.unfit}`,
      todo: 'write to another table',
    })
  }
  checkNames(schema, dialect)
  checkKeyColumns(schema, wanted.key)
  const deletes = findDeleteColumn(schema, wanted.deleteColumn, wanted.key)
  const stored = storedSchema(schema, deletes)
  const columns = stored.fields.map((field) => ({ field, column: columnFor(field, shape, dialect, wanted.checkNullability) }))
  const without = shape.columns.find(
    (column) => !column.nullable && !column.fillsItself && !column.isGenerated && stored.field(column.name) === undefined,
  )
  if (without) {
    throw new InvalidQueryError('DATABASE_COLUMN_NEEDS_VALUE', {
      what: `column ${without.name} ${without.typeText} of ${table} is NOT NULL and has no default, and the query has no such column; it has ${schema.names.join(', ')}`,
      todo: 'give the query that column, or the table a default for it',
    })
  }
  const { key, onConflict, batchSize } = wanted
  const keyTakesNull = onConflict === 'error' ? true : keyOf(schema, shape, wanted).nullsAreEqual
  const whyNot = onConflict === 'error' ? null : (dialect.whyNotByKey?.(shape, key) ?? null)
  if (whyNot !== null) {
    throw new InvalidQueryError('DATABASE_KEY_UNFIT', {
      what: `rows of ${table} can't be told apart by ${key.join(', ')}: ${whyNot}`,
      todo: 'change the table, or let the query create it',
    })
  }
  return { table: shape.table, columns, key, onConflict, keyTakesNull, deletes, batchSize }
}

function columnFor(field: Field, shape: TableShape, dialect: Dialect, checkNullability: boolean) {
  const table = tableText(shape.table)
  const column = shape.columns.find(({ name }) => name === field.name)
  if (!column) {
    const names = shape.columns.map(({ name }) => name)
    const near = nearest(field.name, names)
    throw new InvalidQueryError('DATABASE_COLUMN_NOT_FOUND', {
      what: `the query has a column ${field.name}, and the table ${table} has ${names.join(', ')}`,
      todo:
        near.length > 0
          ? `did you mean ${near.map((each) => `"${each}"`).join(' or ')}? Rename it with withColumnRenamed`
          : 'rename or drop it in the query, or add it to the table',
    })
  }
  if (column.isGenerated) {
    throw new InvalidQueryError('DATABASE_COLUMN_TYPE_MISMATCH', {
      what: `column ${column.name} of ${table} is generated always and takes no value`,
      todo: 'drop it in the query',
    })
  }
  if (!dialect.accepts(field.type, column)) {
    const own = dialect.columnType(field.type, false)
    if (own === undefined) throw noType(field, dialect)
    throw new InvalidQueryError('DATABASE_COLUMN_TYPE_MISMATCH', {
      what: `column ${field.name} is a ${typeText(field.type)} in the query and a ${column.typeText} in the table ${table}, which can't hold all its values`,
      todo: `cast it in the query, or make the column a ${own}; docs/databases.md has the types`,
    })
  }
  if (field.nullable && !column.nullable && checkNullability) throw notNull(field, table, `column ${column.name} of the table ${table}`)
  return column
}

/** The table's key over exactly these columns. */
function keyOf(schema: Schema, shape: TableShape, { key, checkNullability }: Wanted) {
  const table = tableText(shape.table)
  const matching = shape.keys.filter(({ columns }) => columns.length === key.length && key.every((name) => columns.includes(name)))
  const found = matching.find(({ nullsAreEqual }) => nullsAreEqual) ?? matching[0]
  if (!found) {
    const there = shape.keys.map(({ name, columns }) => `${name} (${columns.join(', ')})`)
    throw new InvalidQueryError('DATABASE_KEY_NOT_UNIQUE', {
      what: `rows are to be told apart by ${key.join(', ')}, and ${table} has no primary key or unique index over exactly these columns; it has ${there.join(', ') || 'none'}`,
      todo: `CREATE UNIQUE INDEX ON ${table} (${key.join(', ')}), or name other columns in the option key`,
    })
  }
  const nullable = key.map((name) => schema.field(name)!).find((field) => field.nullable)
  if (nullable && !found.nullsAreEqual && checkNullability) throw notNull(nullable, table, `the key ${found.name} of the table ${table}`)
  return found
}

function checkKeyColumns(schema: Schema, key: readonly string[]): void {
  for (const name of key) {
    if (schema.field(name)) continue
    const near = nearest(name, schema.names)
    throw new InvalidQueryError('DATABASE_KEY_NOT_FOUND', {
      what: `the option key names "${name}", and the columns are ${schema.names.join(', ')}`,
      todo:
        near.length > 0
          ? `did you mean ${near.map((each) => `"${each}"`).join(' or ')}?`
          : 'name columns of the query, with commas between',
    })
  }
}
function checkNames({ names }: Schema, { server, maxNameBytes }: Dialect): void {
  const repeated = names.find((name, i) => names.indexOf(name) !== i)
  if (repeated !== undefined) {
    throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', {
      what: `the query has two columns named "${repeated}", and a table has one of a name`,
      todo: 'rename one of them: withColumnRenamed, or alias in select',
    })
  }
  const long = names.find((name) => Buffer.byteLength(name) > maxNameBytes || name.includes('\0'))
  if (long === undefined) return
  throw new InvalidQueryError('DATABASE_NAME_TOO_LONG', {
    what: `the column name ${JSON.stringify(long)} is no name for ${server}, which takes up to ${maxNameBytes} bytes`,
    todo: 'rename it: withColumnRenamed',
  })
}

function notNull({ name, type }: Field, table: string, taker: string): InvalidQueryError {
  return new InvalidQueryError('DATABASE_COLUMN_NOT_NULL', {
    what: `column ${name} ${typeText(type)} of the query may be null, and ${taker} takes no null`,
    todo: `give it a value, such as coalesce(${name}, …); or let ${table} take nulls; or set checkNullability = false, and a null is refused when one comes`,
  })
}
function noType({ name, type }: Field, { server }: Dialect): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
    what: `column ${name} is a ${typeText(type)}, for which ${server} has no type`,
    todo: 'cast it, to string for example, or drop it',
  })
}
