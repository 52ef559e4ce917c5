import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { type Field, sameType, typeText } from '../data/types.ts'

type TableFiles = Extract<SourceBatch, { kind: 'table-files' }>

/**
 * The rows of a table with the columns of the query, found by name: the table may have got other columns, or another order of them, since the query was written.
 * Columns that came since are left out, as by Delta Lake. InvalidQueryError DELTA_SCHEMA_CHANGE_SINCE_ANALYSIS where one is gone, has another type, or may be null now.
 */
export function withColumnsOf(query: Schema | undefined, table: string, now: Schema, rows: TableFiles): TableFiles {
  if (query === undefined) return rows
  const places = new Map(now.names.map((name, i) => [name.toLowerCase(), i]))
  const columns = query.fields.map((field) => {
    const place = places.get(field.name.toLowerCase())
    const found = place === undefined ? undefined : now.fields[place]!
    if (found && sameType(found.type, field.type) && (field.nullable || !found.nullable)) return rows.columns[place!]!
    throw new InvalidQueryError('DELTA_SCHEMA_CHANGE_SINCE_ANALYSIS', {
      what: `the query was written with the column ${fieldText(field)} of the Delta table ${table}, which has ${found ? fieldText(found) : now.names.join(', ')}`,
      todo: 'write the query anew over the table as it is: read.format("delta").load(…), without .schema(…)',
    })
  })
  return { ...rows, columns }
}

function fieldText({ name, type, nullable }: Field): string {
  return `${name} ${typeText(type)}${nullable ? '' : ' NOT NULL'}`
}
