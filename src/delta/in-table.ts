import { project } from '../plan/analyze.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { sameName } from '../plan/resolve.ts'
import type { DeleteColumn } from '../sinks/delete-column.ts'
import type { Metadata } from './actions.ts'
import { columnAt, isTrue, named } from './expressions.ts'
import { tableSchema } from './table-schema.ts'

const deleteFlag = '__millrace_deletes'

/**
 * The rows with the columns of the table as they are spelt and ordered there; those that the rows don't have are null. Behind them, true or false, the column that
 * says which rows take one away, where there is one.
 */
export function inTable(plan: LogicalPlan, table: string, metadata: Metadata, deletes: DeleteColumn | null = null): LogicalPlan {
  const { fields } = plan.schema
  const stored = tableSchema(table, metadata).schema.fields.map(({ name, type }) => {
    const index = fields.findIndex((field, i) => i !== deletes?.at && sameName(field.name, name))
    return named(name, index < 0 ? { kind: 'literal', value: null, type } : columnAt(fields, index))
  })
  return project(plan, deletes === null ? stored : [...stored, named(deleteFlag, isTrue(columnAt(fields, deletes.at)))])
}
