/** The option `deleteColumn` of sinks that write by key: rows that take a row away instead of writing one. */
import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import { typeText } from '../data/types.ts'
import type { OutputMode } from '../plan/logical-plan.ts'

/** A boolean column that is not stored: where it is true, the row with the key of this one is removed; null is false. */
export interface DeleteColumn {
  readonly name: string
  /** Its place among the columns of the rows. */
  readonly at: number
}

/**
 * Finds the column that the option names; null where it names none. InvalidQueryError UNRESOLVED_COLUMN.WITH_SUGGESTION, DELETE_COLUMN_NOT_BOOLEAN,
 * INCOMPATIBLE_OPTIONS (it is part of the key).
 */
export function findDeleteColumn(schema: Schema, name: string | null, key: readonly string[]): DeleteColumn | null {
  if (name === null) return null
  const at = schema.indexOf(name)
  if (at < 0) {
    const near = nearest(name, schema.names)
    throw new InvalidQueryError('UNRESOLVED_COLUMN.WITH_SUGGESTION', {
      what: `deleteColumn names the column ${JSON.stringify(name)}, and the rows have ${schema.names.join(', ')}`,
      todo: near.length > 0 ? `did you mean ${near.map((each) => `"${each}"`).join(' or ')}?` : 'name a column of the rows',
    })
  }
  const { type } = schema.fields[at]!
  if (type !== 'boolean') {
    throw new InvalidQueryError('DELETE_COLUMN_NOT_BOOLEAN', {
      what: `deleteColumn names the column ${name}, which is a ${typeText(type)}`,
      todo: `make it one of truth and falsehood, such as withColumn('${name}', "${name} = 'delete'")`,
    })
  }
  if (key.includes(name)) {
    throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', {
      what: `the column ${name} is both the deleteColumn and part of the key ${key.join(', ')}`,
      todo: 'leave it out of the key: what it says is not stored',
    })
  }
  return { name, at }
}

/** Refuses the option where rows are not written by key. InvalidQueryError INCOMPATIBLE_OPTIONS. */
export function refuseDeleteColumn(name: string, why: string, todo: string): never {
  throw new InvalidQueryError('INCOMPATIBLE_OPTIONS', {
    what: `deleteColumn = ${name} removes rows by their key, and ${why}`,
    todo,
  })
}

/** Refuses it in output mode complete; `what` is replaced there. */
export function refuseInCompleteMode(name: string | null, outputMode: OutputMode, what: 'rows' | 'keys'): void {
  if (name === null || outputMode !== 'complete') return
  refuseDeleteColumn(name, `output mode complete replaces all ${what}`, 'filter these rows in the query, or use output mode update')
}

/** The columns that are stored. */
export function storedSchema(schema: Schema, column: DeleteColumn | null): Schema {
  return column === null ? schema : new Schema(schema.fields.filter((_, i) => i !== column.at))
}

/** The columns that are stored, as a batch of their own. Nothing is copied. */
export function storedColumns(batch: ColumnBatch, column: DeleteColumn | null): ColumnBatch {
  if (column === null) return batch
  return { schema: storedSchema(batch.schema, column), length: batch.length, columns: batch.columns.filter((_, i) => i !== column.at) }
}

/** Whether a row of the batch takes one away. */
export function deletionsOf(batch: ColumnBatch, column: DeleteColumn | null): (row: number) => boolean {
  const flags = column === null ? undefined : batch.columns[column.at]!
  if (flags?.kind !== 'fixed') return () => false
  const { data, valid } = flags
  return valid === null ? (row) => data[row] === 1 : (row) => valid[row] === 1 && data[row] === 1
}
