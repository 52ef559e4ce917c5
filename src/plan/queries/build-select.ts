/** SELECT over rows that FROM and WHERE gave: grouping, HAVING, the select list with its windows and subqueries, DISTINCT, ORDER BY. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { Field } from '../../data/types.ts'
import { unresolvedColumn } from '../analysis-errors.ts'
import { type AggregateItem, distinct, groupBy, groupingSets, project, sort } from '../analyze.ts'
import { hasOver } from '../analyze-window.ts'
import type { Expression, UnresolvedExpression } from '../expression.ts'
import { expressionText, mapChildren, sameExpression } from '../expression-tree.ts'
import { isGenerator } from '../generators.ts'
import type { LogicalPlan } from '../logical-plan.ts'
import { namedColumn, projectNamed } from '../named-columns.ts'
import { columnRef, nameOf, parseName, resolveExpression, sameName, starColumns, unresolvedText } from '../resolve.ts'
import type { GroupBy, OrderedQuery, SelectQuery } from '../sql/query-ast.ts'
import { mapUnresolved, someUnresolved } from '../unresolved-tree.ts'
import { columnAt, placeOf, sortOutput } from './build-query.ts'
import type { QueryContext, QueryParts } from './catalog.ts'
import { hasAggregateCall, hasSubquery, integerOf, isAggregateCall, isOver, resolvedOver, withoutAlias } from './names.ts'
import { expandSubqueries } from './subqueries.ts'

type E = UnresolvedExpression
type Order = OrderedQuery['orderBy']

export function buildSelect(input: LogicalPlan, select: SelectQuery, order: Order, context: QueryContext, parts: QueryParts): LogicalPlan {
  const grouped = select.groupBy !== undefined || select.having !== undefined || select.items.some(hasAggregateCall)
  return grouped
    ? groupedSelect(input, select, order, context, parts)
    : plainSelect(input, select.items, select.distinct, order, context, parts)
}

// ---- without groups

function plainSelect(
  input: LogicalPlan,
  given: readonly E[],
  isDistinct: boolean,
  order: Order,
  context: QueryContext,
  parts: QueryParts,
): LogicalPlan {
  const hidden = order === 'all' ? [] : order
  const needsInput = given.some(hasSubquery) || hidden.some(hasSubquery)
  const items = needsInput || hidden.length > 0 ? expandStars(given, input.schema.fields).map(keepName) : [...given]
  const expanded = needsInput ? expandSubqueries(input, [...items, ...hidden], context, parts) : { input, items: [...items, ...hidden] }
  const own = expanded.items.slice(0, items.length)
  const written = expanded.items.slice(items.length)
  if (order !== 'all' && written.length > 0) return sortedSelect(expanded.input, own, isDistinct, written)
  const plan = withDistinct(project(expanded.input, own), isDistinct)
  return order === 'all' ? sortOutput(plan, order) : plan
}

/** The name that a column with a subquery has before the subquery is another column. */
function keepName(e: E): E {
  return hasSubquery(e) && e.kind !== 'alias' ? { kind: 'alias', input: e, name: nameOf(e) } : e
}

function withDistinct(plan: LogicalPlan, isDistinct: boolean): LogicalPlan {
  return isDistinct ? distinct(plan) : plan
}

/** ORDER BY looks at the result's columns first, then at the input's: these are columns that go again after the sort. */
function sortedSelect(input: LogicalPlan, items: readonly E[], isDistinct: boolean, order: readonly E[]): LogicalPlan {
  const output = project(input, items)
  const width = output.schema.fields.length
  const hidden: E[] = []
  const keys = order.map((e): E => {
    const key = e.kind === 'sort' ? e.input : e
    const found = outputColumn(output, items, key)
    const column: E = found ?? { kind: 'attribute', name: '' }
    if (found === undefined) hidden.push(withAliases(key, items, input.schema.fields))
    const index = width + hidden.length - 1
    const placed: E = found === undefined ? { kind: 'resolved', expression: { ...placeholder, index }, text: unresolvedText(key) } : column
    return e.kind === 'sort' ? { ...e, input: placed } : placed
  })
  if (hidden.length === 0) return sort(withDistinct(output, isDistinct), keys)
  if (isDistinct) {
    const wrong = hidden[0]!
    throw new InvalidQueryError('UNRESOLVED_COLUMN.WITH_SUGGESTION', {
      what: `"${unresolvedText(wrong)}" in ORDER BY is not in the select list of SELECT DISTINCT`,
      todo: `order by one of the columns ${output.schema.names.map((name) => `\`${name}\``).join(', ')}`,
    })
  }
  const wide = project(input, [...items, ...hidden.map((e, i): E => ({ kind: 'alias', input: e, name: `__order${i}` }))])
  const typed = keys.map((key): E => {
    const inner = key.kind === 'sort' ? key.input : key
    if (inner.kind !== 'resolved' || inner.expression.kind !== 'column' || inner.expression.index < width) return key
    const { index } = inner.expression
    const column: E = { ...inner, expression: columnRef(wide.schema.fields[index]!, index) }
    return key.kind === 'sort' ? { ...key, input: column } : column
  })
  const sorted = sort(wide, typed)
  return projectNamed(sorted, sorted.schema.fields.slice(0, width).map(namedColumn))
}
const placeholder = { kind: 'column', name: '', type: 'void', nullable: true } as const

/** The column of the result that a key of ORDER BY is, or an expression over the result's columns. */
function outputColumn(output: LogicalPlan, items: readonly E[], key: E): E | undefined {
  const place = integerOf(key)
  if (place !== undefined) return columnAt(output, placeOf('ORDER BY', place, output.schema.fields.length))
  const text = unresolvedText(key)
  const same = items.length === output.schema.fields.length ? items.findIndex((item) => unresolvedText(withoutAlias(item)) === text) : -1
  if (same >= 0 && key.kind !== 'attribute') return columnAt(output, same)
  if (hasOver(key) && same < 0)
    throw new InvalidQueryError('UNSUPPORTED_EXPR_FOR_OPERATOR', {
      what: `ORDER BY has the window function "${text}", which is not in the select list`,
      todo: 'select it under a name, and order by that',
    })
  const isOverInput = hasOver(key) || hasSubquery(key) || hasAggregateCall(key) || someUnresolved(key, (e) => e.kind === 'resolved')
  if (isOverInput) return same >= 0 ? columnAt(output, same) : undefined
  const found = resolvedOver(key, output.schema.fields)
  if (found !== undefined) return { kind: 'resolved', expression: found, text }
  return same >= 0 ? columnAt(output, same) : undefined
}

/** Names that the input has not are those of the select list. */
function withAliases(e: E, items: readonly E[], fields: readonly Field[]): E {
  if (e.kind === 'attribute' && !isOver(e, fields)) {
    const name = parseName(e.name)
    const item = items.find((candidate) => candidate.kind === 'alias' && sameName(candidate.name, name[0]!))
    if (item?.kind === 'alias') return name.slice(1).reduce<E>((input, field) => ({ kind: 'field', input, field }), item.input)
  }
  return mapUnresolved(e, (child) => withAliases(child, items, fields))
}

/** Each column of a star as an item of its own, so that columns behind the input's are not among them. */
function expandStars(items: readonly E[], fields: readonly Field[]): E[] {
  return items.flatMap((item): E[] =>
    item.kind !== 'star' ? [item] : starColumns(item, fields).map(({ name, expression }) => ({ kind: 'resolved', expression, text: name })),
  )
}

// ---- with groups

interface Grouped {
  readonly plan: LogicalPlan
  /** What an expression over the groups is over the columns of `plan`. */
  readonly over: (e: E) => E
}

function groupedSelect(input: LogicalPlan, select: SelectQuery, order: Order, context: QueryContext, parts: QueryParts): LogicalPlan {
  const { fields } = input.schema
  const items = earlierAliases(expandStars(select.items, fields), fields)
  const sets = keySets(select.groupBy, items, fields)
  const keys = distinctKeys(sets.flat(), fields)
  const withKeyNames = (e: E) => namedWindows(e, keys, fields)
  const direct = simple(input, select, items.map(withKeyNames), keys, sets.length, order)
  if (direct) return direct
  const orderBy = order === 'all' ? order : order.map((e) => forOrder(e, items, fields))
  const having = select.having && withKeyNames(withAliases(select.having, items, fields))
  const read = [...items, ...(having ? [having] : []), ...(orderBy === 'all' ? [] : orderBy)].map(withKeyNames)
  const { plan, over } = groups(input, keys, sets, read)
  const kept = having === undefined ? plan : parts.where(plan, havingOver(having, over, keys, fields), context)
  const shown = items.map((e): E => {
    const item = over(withKeyNames(e))
    return item.kind === 'alias' || item.kind === 'multi-alias' || isGenerator(item)
      ? item
      : { kind: 'alias', input: item, name: nameOf(e) }
  })
  const sorted = orderBy === 'all' ? orderBy : orderBy.map((e) => orderOver(e, shown, (x) => over(withKeyNames(x))))
  return plainSelect(kept, shown, select.distinct, sorted, context, parts)
}

/** A name that the input has not may be that of an item further to the left. */
function earlierAliases(items: readonly E[], fields: readonly Field[]): E[] {
  const found: E[] = []
  for (const item of items) found.push(withAliases(item, found, fields))
  return found
}

/** Spark looks for columns of HAVING among those of the groups only. */
function havingOver(e: E, over: (e: E) => E, keys: readonly E[], fields: readonly Field[]): E {
  try {
    return over(e)
  } catch (error) {
    if (!(error instanceof InvalidQueryError) || error.code !== 'MISSING_AGGREGATION') throw error
    const known = keys.map((key) => ({ name: nameOf(key), type: resolveExpression(key, { fields }).type, nullable: true }))
    throw unresolvedColumn(unresolvedText(e), known)
  }
}

/** A key of ORDER BY over groups: a name of the select list stays, all else is over the groups. */
function orderOver(e: E, items: readonly E[], over: (e: E) => E): E {
  if (e.kind === 'sort') return { ...e, input: orderOver(e.input, items, over) }
  if (
    integerOf(e) !== undefined ||
    (e.kind === 'attribute' && items.some((item) => item.kind === 'alias' && sameName(item.name, parseName(e.name)[0]!)))
  )
    return e
  return over(e)
}
function forOrder(e: E, items: readonly E[], fields: readonly Field[]): E {
  if (e.kind === 'sort') return { ...e, input: forOrder(e.input, items, fields) }
  return e.kind === 'attribute' ? e : withAliases(e, items, fields)
}

/** The keys, then aggregates: what groupBy(…).agg(…) gives, where the select list says no more than that. */
function simple(
  input: LogicalPlan,
  select: SelectQuery,
  items: readonly E[],
  keys: readonly E[],
  setCount: number,
  order: Order,
): LogicalPlan | undefined {
  if (setCount > 1 || select.having !== undefined) return undefined
  if (items.some((item) => hasOver(item) || hasSubquery(item) || isGenerator(withoutAlias(item)) || item.kind === 'multi-alias'))
    return undefined
  const { fields } = input.schema
  const resolvedKeys = keys.map((key) => resolveExpression(key, { fields }))
  const keyOf = items.map((item) => {
    if (hasAggregateCall(item)) return -1
    const e = resolveExpression(item, { fields })
    return resolvedKeys.findIndex((key) => sameExpression(key, e))
  })
  const inOrder = items.length >= keys.length && keys.every((_, i) => keyOf[i] === i) && keyOf.slice(keys.length).every((key) => key < 0)
  const names = items.map(nameOf)
  if (!inOrder || names.some((name, i) => names.findIndex((other) => sameName(other, name)) !== i)) return undefined
  const keyItems = items.slice(0, keys.length).map((expression): AggregateItem => ({ name: nameOf(expression), expression }))
  const aggregates = items.slice(keys.length).map((expression): AggregateItem => ({ expression }))
  const plan = withDistinct(groupBy(input, keyItems, aggregates), select.distinct)
  if (order === 'all') return sortOutput(plan, order)
  const found = order.map((e) => {
    const column = outputColumn(plan, items, e.kind === 'sort' ? e.input : e)
    return column && (e.kind === 'sort' ? { ...e, input: column } : column)
  })
  if (found.includes(undefined)) return undefined
  return found.length === 0 ? plan : sort(plan, found as E[])
}

/** Aggregates and keys as columns, and what expressions over them become. */
function groups(input: LogicalPlan, keys: readonly E[], sets: readonly (readonly E[])[], read: readonly E[]): Grouped {
  const { fields } = input.schema
  const calls: E[] = []
  const below = (e: E): E => {
    collect(e)
    return e
  }
  const collect = (e: E): void => {
    if (e.kind === 'over') {
      mapUnresolved(e.call, below)
      return [...e.partitionBy, ...e.orderBy].forEach(collect)
    }
    if (!isAggregateCall(e)) mapUnresolved(e, below)
    else if (!calls.some((call) => unresolvedText(call) === unresolvedText(e))) calls.push(e)
  }
  read.forEach(collect)
  const names = keyNames(keys)
  const keyItems = keys.map((expression, i): AggregateItem => ({ name: names[i]!, expression }))
  const items = calls.map((expression, i): AggregateItem => ({ name: `__aggregate${i}`, expression }))
  const numbered = sets.map((set) => set.map((e) => keyIndex(e, keys, fields)))
  const plan = sets.length > 1 ? groupingSets(input, { keys: keyItems, sets: numbered, items }) : groupBy(input, keyItems, items)
  const resolvedKeys = keys.map((key) => resolveExpression(key, { fields }))
  const column = (index: number, text: string): E => ({ kind: 'resolved', expression: columnRef(plan.schema.fields[index]!, index), text })
  const over = (e: E): E => {
    if (e.kind === 'alias' || e.kind === 'multi-alias' || e.kind === 'sort') return { ...e, input: over(e.input) }
    if (e.kind === 'over')
      return { ...e, call: mapUnresolved(e.call, over), partitionBy: e.partitionBy.map(over), orderBy: e.orderBy.map(over) }
    if (isAggregateCall(e))
      return column(keys.length + calls.findIndex((call) => unresolvedText(call) === unresolvedText(e)), unresolvedText(e))
    if (hasAggregateCall(e) || hasOver(e) || hasSubquery(e) || isGenerator(e)) return mapUnresolved(e, over)
    return { kind: 'resolved', expression: keyed(resolveExpression(e, { fields }), resolvedKeys, plan), text: unresolvedText(e) }
  }
  return { plan, over }
}

/** The expression with the grouping keys in it replaced by their columns. MISSING_AGGREGATION for any other column. */
function keyed(e: Expression, keys: readonly Expression[], plan: LogicalPlan): Expression {
  const replace = (x: Expression): Expression => {
    const key = keys.findIndex((candidate) => sameExpression(candidate, x))
    if (key >= 0) return columnRef(plan.schema.fields[key]!, key)
    if (x.kind === 'column' || x.kind === 'window')
      throw new InvalidQueryError('MISSING_AGGREGATION', {
        what: `the non-aggregating expression "${expressionText(x)}" is not among the grouping keys (${keys.map(expressionText).join(', ') || 'there are none'})`,
        todo: `add it to GROUP BY, or aggregate it: any_value(${expressionText(x)}) where any of its values will do`,
      })
    return mapChildren(x, replace)
  }
  return replace(e)
}

/** Keys keep their columns' names, so that `t.k` still finds them; a name that is there twice is made up. */
function keyNames(keys: readonly E[]): string[] {
  const names = keys.map(nameOf)
  return names.map((name, i) => (names.findIndex((other) => sameName(other, name)) === i ? name : `__key${i}`))
}

function keySets(groupBy: GroupBy | undefined, items: readonly E[], fields: readonly Field[]): readonly (readonly E[])[] {
  if (groupBy === undefined) return [[]]
  if (groupBy.all) return [items.filter((item) => !hasAggregateCall(item) && !hasSubquery(item)).map(withoutAlias)]
  const windows = [...items, ...groupBy.elements.flat(2)].flatMap(windowsIn)
  const resolved = groupBy.elements.map((sets) => sets.map((set) => set.map((key) => groupingKey(key, items, fields, windows))))
  return resolved.reduce<readonly (readonly E[])[]>((all, sets) => all.flatMap((prefix) => sets.map((set) => [...prefix, ...set])), [[]])
}

/** A number stands for an item of the select list, a name that the input has not for an item with that alias. */
function groupingKey(key: E, items: readonly E[], fields: readonly Field[], windows: readonly E[]): E {
  const place = integerOf(key)
  if (place !== undefined) {
    const item = withoutAlias(items[placeOf('GROUP BY', place, items.length)]!)
    if (!hasAggregateCall(item)) return item
    throw new InvalidQueryError('GROUP_BY_POS_AGGREGATE', {
      what: `GROUP BY ${place} refers to "${unresolvedText(item)}", which contains an aggregate function`,
      todo: 'group by a column without one',
    })
  }
  // Spark makes the windows of a query columns of its input, under their functions' names
  return namedWindows(withAliases(key, items, fields), windows, fields)
}
function windowsIn(e: E): E[] {
  const found: E[] = isWindowCall(e) ? [e] : []
  mapUnresolved(e, (child) => {
    found.push(...windowsIn(child))
    return child
  })
  return found
}
function isWindowCall(e: E): e is Extract<E, { kind: 'call' }> {
  return e.kind === 'call' && (e.name === 'window' || e.name === 'session_window')
}

function distinctKeys(keys: readonly E[], fields: readonly Field[]): E[] {
  const found: { readonly e: E; readonly resolved: Expression }[] = []
  for (const e of keys) {
    const resolved = resolveExpression(e, { fields })
    if (!found.some((other) => sameExpression(other.resolved, resolved))) found.push({ e, resolved })
  }
  return found.map(({ e }) => e)
}
function keyIndex(e: E, keys: readonly E[], fields: readonly Field[]): number {
  const resolved = resolveExpression(e, { fields })
  return keys.findIndex((key) => sameExpression(resolveExpression(key, { fields }), resolved))
}

/** `window` and `window.start` are the time window that the groups are of, or that is among the keys. */
function namedWindows(e: E, keys: readonly E[], fields: readonly Field[]): E {
  if (e.kind !== 'attribute') return mapUnresolved(e, (child) => namedWindows(child, keys, fields))
  const [first, ...rest] = parseName(e.name)
  const window = keys.find((key) => isWindowCall(key) && sameName(key.name, first!))
  if (window === undefined || isOver(e, fields)) return e
  return rest.reduce<E>((input, field) => ({ kind: 'field', input, field }), window)
}
