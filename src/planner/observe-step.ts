import { Schema } from '../data/schema.ts'
import type { Aggregate, Observe } from '../plan/logical-plan.ts'
import { allColumns, type Boundary, type Compilation, fragmentOf, type Needed, readBy, readInput } from './plan-sql.ts'
import type { Select } from './select-sql.ts'

/** The rows, which are run once and read twice: by the metrics and by what comes above. */
export function observedRows(plan: Observe, needed: Needed, c: Compilation): Select {
  const expressions = plan.metrics.map(({ expression }) => expression)
  const origin = c.boundary.origins?.of(plan.input)
  const read = new Set([...readBy(expressions, needed), ...(origin == null || origin.column === null ? [] : [origin.column])])
  const rows = fragmentOf(origin?.plan ?? plan.input, read, c.boundary)
  const { node } = rows
  const positions = rows.positions.slice(0, plan.schema.fields.length)
  const ofNode: Boundary = (inner, _needed, own) => (inner === plan.input ? readInput(own, node, positions) : undefined)
  const metricsNode = (metrics: Observe['metrics']) => {
    const schema = new Schema(metrics.map(({ name, expression: { type, nullable } }) => ({ name, type, nullable })))
    const aggregate: Aggregate = { kind: 'aggregate', input: plan.input, keys: [], aggregates: metrics, schema }
    return fragmentOf(aggregate, allColumns(schema), ofNode).node
  }
  const metrics = metricsNode(plan.metrics)
  const each = plan.metrics.map((metric) => ({ name: metric.name, metric: metricsNode([metric]) }))
  return readInput(
    c,
    {
      kind: 'observe',
      input: node,
      metrics,
      each,
      name: plan.name,
      schema: node.schema,
      observed: plan.observed ?? null,
      ...(origin && { origin: { sources: origin.sources, column: origin.column === null ? undefined : rows.positions[origin.column] } }),
    },
    positions,
  )
}
