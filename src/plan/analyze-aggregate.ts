import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { quoteType } from './analysis-errors.ts'
import { isOrderable } from './coercion.ts'
import type { Expression, NamedExpression, UnresolvedExpression } from './expression.ts'
import { childrenOf, expressionText, hasAggregate, sameExpression } from './expression-tree.ts'
import type { Aggregate, LogicalPlan } from './logical-plan.ts'
import { checkGroupedNames, checkOneWindow, fieldFor, isSession, named } from './named-columns.ts'
import { nameOf, resolveExpression } from './resolve.ts'

/** An aggregate expression and, where it has one, its name. */
export interface AggregateItem {
  readonly name?: string
  readonly expression: UnresolvedExpression
}

/**
 * Groups rows by the keys (none: one group, which exists even without rows) and computes the items for each group.
 * An item may use aggregate functions, the keys' own expressions and constants; another column in it is MISSING_AGGREGATION.
 * A key inside an item stays the key's expression over the input: find it with sameExpression.
 */
export function groupBy(input: LogicalPlan, keyItems: readonly AggregateItem[], items: readonly AggregateItem[]): Aggregate {
  const fields = input.schema.fields
  const keys = keyItems.map((item) => resolveKey(item, fields))
  const aggregates = items.map((item) => resolveAggregate(item, keys, fields))
  checkOneWindow(keys.map((key) => key.expression))
  const session = sessionKey(keys, fields)
  checkGroupedNames(keys, aggregates)
  const schema = new Schema([...keys, ...aggregates].map((column) => fieldFor(column, fields)))
  return { kind: 'aggregate', input, keys, aggregates, schema, ...(session !== undefined && { session }) }
}

function sessionKey(keys: readonly NamedExpression[], fields: readonly Field[]): number | undefined {
  const [first, second] = keys.keys().filter((i) => isSession(keys[i]!.expression, fields))
  if (second === undefined) return first
  throw new InvalidQueryError('MULTIPLE_TIME_WINDOWS', {
    what: `the keys ${keys[first!]!.name} and ${keys[second]!.name} are both session windows`,
    todo: 'group by one of them',
  })
}

export function resolveKey({ name, expression: e }: AggregateItem, fields: readonly Field[]): NamedExpression {
  const expression = resolveExpression(e, { fields })
  if (hasAggregate(expression))
    throw new InvalidQueryError('GROUP_BY_AGGREGATE', {
      what: `groupBy was given the aggregate "${expressionText(expression)}"`,
      todo: 'group by plain values; aggregates go into agg(…)',
    })
  if (!isOrderable(expression.type)) {
    throw new InvalidQueryError('GROUP_EXPRESSION_TYPE_IS_NOT_ORDERABLE', {
      what: `"${expressionText(expression)}" of type ${quoteType(expression.type)} can't be compared, so it can't be grouped by`,
      todo: 'group by a part of it',
    })
  }
  return named(name ?? nameOf(e), e, expression, fields)
}

export function resolveAggregate(
  { name, expression: e }: AggregateItem,
  keys: readonly NamedExpression[],
  fields: readonly Field[],
  grouping = false,
): NamedExpression {
  const expression = resolveExpression(e, { fields, grouping })
  checkGrouped(expression, keys)
  return { name: name ?? nameOf(e), expression }
}

function checkGrouped(e: Expression, keys: readonly NamedExpression[]): void {
  if (e.kind === 'aggregate' || keys.some((key) => sameExpression(key.expression, e))) return
  if (e.kind === 'column' || e.kind === 'window') {
    throw new InvalidQueryError('MISSING_AGGREGATION', {
      what: `the non-aggregating expression "${expressionText(e)}" is not among the grouping keys (${keys.map((key) => expressionText(key.expression)).join(', ') || 'there are none'})`,
      todo: `add it to groupBy, or aggregate it: any_value(${expressionText(e)}) where any of its values will do`,
    })
  }
  for (const child of childrenOf(e)) checkGrouped(child, keys)
}
