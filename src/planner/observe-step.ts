import { Schema } from '../data/schema.ts'
import type { Aggregate, Observe } from '../plan/logical-plan.ts'
import { allColumns, type Boundary, type Compilation, fragmentOf, type Needed, readBy, readInput } from './plan-sql.ts'
import type { Select } from './select-sql.ts'

/** The rows, which are run once and read twice: by the metrics and by what comes above. */
export function observedRows(plan: Observe, needed: Needed, c: Compilation): Select {
  const expressions = plan.metrics.map(({ expression }) => expression)
  const { node, positions } = fragmentOf(plan.input, readBy(expressions, needed), c.boundary)
  const aggregate: Aggregate = {
    kind: 'aggregate',
    input: plan.input,
    keys: [],
    aggregates: plan.metrics,
    schema: new Schema(plan.metrics.map(({ name, expression: { type, nullable } }) => ({ name, type, nullable }))),
  }
  const ofNode: Boundary = (inner, _needed, own) => (inner === plan.input ? readInput(own, node, positions) : undefined)
  const metrics = fragmentOf(aggregate, allColumns(aggregate.schema), ofNode).node
  return readInput(
    c,
    { kind: 'observe', input: node, metrics, name: plan.name, schema: node.schema, observed: plan.observed ?? null },
    positions,
  )
}
