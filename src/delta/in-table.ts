import { project } from '../plan/analyze.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { sameName } from '../plan/resolve.ts'
import type { Metadata } from './actions.ts'
import { columnAt, named } from './expressions.ts'
import { tableSchema } from './table-schema.ts'

/** The rows with the columns of the table as they are spelt and ordered there; those that the rows don't have are null. */
export function inTable(plan: LogicalPlan, table: string, metadata: Metadata): LogicalPlan {
  const { fields } = plan.schema
  return project(
    plan,
    tableSchema(table, metadata).schema.fields.map(({ name, type }) => {
      const index = fields.findIndex((field) => sameName(field.name, name))
      return named(name, index < 0 ? { kind: 'literal', value: null, type } : columnAt(fields, index))
    }),
  )
}
