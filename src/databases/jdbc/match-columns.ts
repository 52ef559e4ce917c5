import { InvalidQueryError } from '../../base/errors.ts'
import type { Schema } from '../../data/schema.ts'
import { sameType, typeText } from '../../data/types.ts'
import type { TableReader } from './reader.ts'

/**
 * Where the columns of a query stand in the table, by name: the schema was given by the user, or read when the query was written, and the table may be another one by now.
 * InvalidQueryError DATABASE_SCHEMA_MISMATCH before the first row.
 */
export function matchColumns(schema: Schema, { columns }: TableReader): number[] {
  return schema.fields.map(({ name, type }) => {
    const place = columns.findIndex((column) => column.name === name)
    const found = columns[place]
    if (found && sameType(found.type, type)) return place
    throw new InvalidQueryError('DATABASE_SCHEMA_MISMATCH', {
      what: found
        ? `the table's column ${name} is read as ${typeText(found.type)}, and the query has it as ${typeText(type)}`
        : `the table has no column ${name}; it has ${columns.map((column) => column.name).join(', ')}`,
      todo: 'leave out .schema(…), by which the columns come from the database; or cast the column in the option query',
    })
  })
}
