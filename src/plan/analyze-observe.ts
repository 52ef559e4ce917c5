import { InvalidQueryError } from '../base/errors.ts'
import type { Observed } from '../data/observed.ts'
import type { AggregateItem } from './analyze-aggregate.ts'
import { explainLogical } from './explain.ts'
import type { Expression, NamedExpression } from './expression.ts'
import { childrenOf, expressionText, hasAggregate, isDeterministic } from './expression-tree.ts'
import { inputsOf, isStreaming, type LogicalPlan, type Observe } from './logical-plan.ts'
import { checkDistinctNames } from './named-columns.ts'
import { nameOf, resolveExpression } from './resolve.ts'

/** Passes the rows on, and computes aggregates over them on the way: in each batch of a stream anew. */
export function observe(input: LogicalPlan, name: string, items: readonly AggregateItem[], observed?: Observed): Observe {
  if (name === '') throw invalidMetric('MISSING_NAME', 'the observed metrics should be named', "write observe('name', …)")
  if (items.length === 0)
    throw new InvalidQueryError('CANNOT_BE_EMPTY', {
      what: `observe('${name}') was given no metrics`,
      todo: "give at least one aggregate: observe('name', () => ({ n: count() }))",
    })
  if (observed !== undefined && isStreaming(input))
    throw new InvalidQueryError('UNSUPPORTED_STREAMING_OPERATION', {
      what: 'an Observation of a streaming DataFrame is not supported: there are metrics for each micro-batch',
      todo: `give the name, observe('${name}', …), and read observedMetrics of each QueryProgress`,
    })
  const metrics = items.map((item) => metricOf(item, input))
  checkDistinctNames(metrics.map((metric) => metric.name))
  const node: Observe = { kind: 'observe', input, name, metrics, schema: input.schema, ...(observed && { observed }) }
  checkMetricNames(node)
  return node
}

function metricOf({ name, expression: e }: AggregateItem, { schema: { fields } }: LogicalPlan): NamedExpression {
  const expression = resolveExpression(e, { fields })
  checkMetric(expression)
  if (!hasAggregate(expression) && expression.kind !== 'literal')
    throw invalidMetric(
      'NON_AGGREGATE_FUNC_ARG_IS_NON_DETERMINISTIC',
      `"${expressionText(expression)}" is no aggregate`,
      'observe aggregates such as count() and max(x)',
    )
  return { name: name ?? nameOf(e), expression }
}

function checkMetric(e: Expression): void {
  const text = `"${expressionText(e)}"`
  if (e.kind === 'aggregate') {
    if (e.distinct)
      throw invalidMetric(
        'AGGREGATE_EXPRESSION_WITH_DISTINCT_UNSUPPORTED',
        `aggregates with DISTINCT are not allowed in observed metrics, but there is ${text}`,
        'use approx_count_distinct, or aggregate in a query of its own',
      )
    return
  }
  if (e.kind === 'column' || e.kind === 'window')
    throw invalidMetric(
      'NON_AGGREGATE_FUNC_ARG_IS_ATTRIBUTE',
      `the attribute ${text} can only be used as an argument to an aggregate function`,
      `observe an aggregate of it: max(${expressionText(e)})`,
    )
  if (!isDeterministic(e) && !hasAggregate(e))
    throw invalidMetric(
      'NON_AGGREGATE_FUNC_ARG_IS_NON_DETERMINISTIC',
      `the non-deterministic expression ${text} can only be used as an argument to an aggregate function`,
      'observe an aggregate of it',
    )
  childrenOf(e).forEach(checkMetric)
}

function invalidMetric(kind: string, what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError(`INVALID_OBSERVED_METRICS.${kind}`, { what, todo })
}

/** DUPLICATED_METRICS_NAME where two different observations of the plan have one name. */
export function checkMetricNames(plan: LogicalPlan): void {
  const seen = new Map<string, LogicalPlan>()
  const visit = (node: LogicalPlan) => {
    if (node.kind === 'observe') {
      const other = seen.get(node.name)
      if (other !== undefined && other !== node && explainLogical(other) !== explainLogical(node))
        throw new InvalidQueryError('DUPLICATED_METRICS_NAME', {
          what: `the metric name is not unique: ${node.name}. The same name cannot be used for metrics with different results`,
          todo: 'give each observe a name of its own',
        })
      seen.set(node.name, node)
    }
    inputsOf(node).forEach(visit)
  }
  visit(plan)
}
