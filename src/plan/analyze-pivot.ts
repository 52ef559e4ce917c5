import { Schema } from '../data/schema.ts'
import { notSupportedYet } from './analysis-errors.ts'
import { groupBy } from './analyze.ts'
import { type AggregateItem, resolveKey } from './analyze-aggregate.ts'
import { castTo } from './coercion.ts'
import type { Expression, NamedExpression, UnresolvedExpression } from './expression.ts'
import { literal, resolveCall } from './functions.ts'
import type { Aggregate, LogicalPlan } from './logical-plan.ts'
import { checkGroupedNames, fieldFor, namedColumn } from './named-columns.ts'
import { nameOf, resolveExpression } from './resolve.ts'

/** One column of the result for each aggregate: what the pivot column is equal to, and how the column is called. */
export interface PivotValue {
  readonly name: string
  readonly value: UnresolvedExpression
}

/**
 * Aggregates for each key and each value of `column`, and lays the values out as columns: called as the value, with several aggregates
 * value_aggregate. Null where a key has no row of that value. Two aggregations, as in Spark: the second only picks.
 */
export function pivot(
  input: LogicalPlan,
  keyItems: readonly AggregateItem[],
  column: UnresolvedExpression,
  values: readonly PivotValue[],
  items: readonly AggregateItem[],
): Aggregate {
  const pivotName = '__pivot'
  const pivoted = resolveKey({ name: pivotName, expression: column }, input.schema.fields)
  const constants = values.map(({ value }) => constantAs(value, pivoted))
  const named = items.map((item, i) => ({ ...item, name: `__value${i}` }))
  const inner = groupBy(input, [...keyItems, { name: pivotName, expression: column }], named)
  if (inner.session !== undefined)
    throw notSupportedYet('a session window in a pivot', 'pivot the rows first, or group by the session and the column')
  const keyCount = keyItems.length
  const fields = inner.schema.fields
  const keys = fields.slice(0, keyCount).map(namedColumn)
  const at = namedColumn(fields[keyCount]!, keyCount).expression
  const picks = values.flatMap(({ name }, v) =>
    items.map((item, i): NamedExpression => {
      const index = keyCount + 1 + i
      const label = items.length === 1 ? name : `${name}_${item.name ?? nameOf(item.expression)}`
      return { name: label, expression: pick(at, constants[v]!, namedColumn(fields[index]!, index).expression) }
    }),
  )
  checkGroupedNames(keys, picks)
  const schema = new Schema([...keys, ...picks].map((column) => fieldFor(column, fields)))
  return { kind: 'aggregate', input: inner, keys, aggregates: picks, schema }
}

/** first(CASE WHEN pivot <=> value THEN aggregate END, ignoring nulls) */
function pick(at: Expression, constant: Expression, value: Expression): Expression {
  const condition = resolveCall('<=>', [at, constant])
  const branch: Expression = { kind: 'case', branches: [{ condition, value }], otherwise: null, type: value.type, nullable: true }
  return resolveCall('first', [branch, literal(true, 'boolean')])
}

function constantAs(value: UnresolvedExpression, pivoted: NamedExpression): Expression {
  return castTo(resolveExpression(value, { fields: [] }), pivoted.expression.type)
}
