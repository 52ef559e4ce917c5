/**
 * Subqueries in expressions become joins. EXISTS and IN as a part of WHERE are semi and anti joins; a scalar subquery, and EXISTS or IN anywhere else, is a column
 * of a relation that has one row (cross join), or one row for each value of what the subquery compares with the outer query (left join).
 */
import { InvalidQueryError } from '../../base/errors.ts'
import { distinct, filter, groupBy, join, limit, project } from '../analyze.ts'
import type { UnresolvedExpression } from '../expression.ts'
import type { JoinType, LogicalPlan } from '../logical-plan.ts'
import { namedColumn, projectNamed } from '../named-columns.ts'
import { columnRef, unresolvedText } from '../resolve.ts'
import type { Query, SelectQuery } from '../sql/query-ast.ts'
import { mapUnresolved } from '../unresolved-tree.ts'
import { columnAt } from './build-query.ts'
import type { QueryContext, QueryParts } from './catalog.ts'
import { correlatedRows, joinedByKeys, rowsOfQuery } from './correlated.ts'
import { allOf, conjunctsOf, hasSubquery, onSides } from './names.ts'

type E = UnresolvedExpression
type Subquery = Extract<E, { kind: 'subquery' }>
const call = (name: string, ...args: readonly E[]): E => ({ kind: 'call', name, args })

/** The rows for which the condition holds. Parts without a subquery come first: they leave fewer rows to join. */
export function filterWithSubqueries(input: LogicalPlan, condition: E, context: QueryContext, parts: QueryParts): LogicalPlan {
  const all = conjunctsOf(condition)
  const plain = all.filter((part) => !hasSubquery(part))
  const rest = all.filter(hasSubquery)
  const start = plain.length === 0 ? input : filter(input, allOf(plain))
  return rest.reduce((rows, part) => filterBySubquery(rows, part, context, parts), start)
}

function filterBySubquery(input: LogicalPlan, part: E, context: QueryContext, parts: QueryParts): LogicalPlan {
  const negated = part.kind === 'call' && part.name === 'not'
  const inner = negated && part.kind === 'call' ? part.args[0]! : part
  if (inner.kind === 'subquery' && inner.use !== 'scalar' && !(inner.value && hasSubquery(inner.value)))
    return inner.use === 'exists' ? whereExists(input, inner, negated, context, parts) : whereIn(input, inner, negated, context, parts)
  const { input: wide, items } = expandSubqueries(input, [part], context, parts)
  const kept = filter(wide, items[0]!)
  return projectNamed(kept, input.schema.fields.map(namedColumn))
}

const always: E = { kind: 'literal', value: true, type: 'boolean' }

function whereExists(input: LogicalPlan, { query }: Subquery, negated: boolean, context: QueryContext, parts: QueryParts): LogicalPlan {
  const how: JoinType = negated ? 'anti' : 'semi'
  const found = rowsOfQuery(query, input, context, parts)
  if (found.kind === 'plan') return { ...join(input, limit(found.plan, 1), { condition: always }, how), isFilter: true }
  if (found.select.having !== undefined || found.isAggregated) throw tooCorrelated(query, 'EXISTS over an aggregation')
  const condition = allOf(found.conditions.map((e) => onSides(e, input.schema.fields, found.rows.schema.fields)))
  return { ...join(input, found.rows, { condition }, how), isFilter: true }
}

/** `x NOT IN (…)` is not true where x or one of the values is null. */
function whereIn(input: LogicalPlan, { query, value }: Subquery, negated: boolean, context: QueryContext, parts: QueryParts): LogicalPlan {
  const found = rowsOfQuery(query, input, context, parts)
  if (found.kind === 'rows' && found.isAggregated) throw tooCorrelated(query, 'IN over an aggregation')
  const given = valuesOf(value!)
  const list =
    found.kind === 'plan' ? project(found.plan, aliased(found.plan, given.length)) : inItems(found.rows, found.select, given.length)
  const width = list.schema.fields.length
  const sides = given.map((e, i): readonly [E, E] => {
    const index = width - given.length + i
    const right: E = { kind: 'attribute', name: list.schema.fields[index]!.name, side: 'right' }
    return [onSides(e, input.schema.fields, []), right]
  })
  const equal = sides.map(([a, b]) => call('==', a, b))
  const match = negated ? sides.map(([a, b], i) => nullAware(equal[i]!, a, b)) : equal
  const conditions = found.kind === 'plan' ? [] : found.conditions.map((e) => onSides(e, input.schema.fields, found.rows.schema.fields))
  return { ...join(input, list, { condition: allOf([...match, ...conditions]) }, negated ? 'anti' : 'semi'), isFilter: true }
}
function nullAware(equal: E, a: E, b: E): E {
  return call('or', equal, call('or', call('isnull', a), call('isnull', b)))
}
/** The values of `(a, b) IN (SELECT x, y …)`. */
function valuesOf(value: E): readonly E[] {
  return value.kind === 'call' && value.name === 'struct' ? value.args : [value]
}
function aliased(plan: LogicalPlan, width: number): E[] {
  checkWidth(plan.schema.fields.length, width)
  return plan.schema.fields.map((_, i) => ({ kind: 'alias', input: columnAt(plan, i), name: `__in${i}` }))
}
function inItems(rows: LogicalPlan, select: SelectQuery, width: number): LogicalPlan {
  checkWidth(select.items.length, width)
  const items = select.items.map((e, i): E => ({ kind: 'alias', input: e.kind === 'alias' ? e.input : e, name: `__in${i}` }))
  return project(rows, [{ kind: 'star' }, ...items])
}
function checkWidth(width: number, wanted: number): void {
  if (width === wanted) return
  throw new InvalidQueryError('DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH', {
    what: `the number of columns in the left hand side of an IN subquery (${wanted}) does not match that of the subquery (${width})`,
    todo: 'select as many columns as there are values before IN',
  })
}

/** The items over `input` with a column more for each subquery in them. The input's own columns stay where they are. */
export function expandSubqueries(
  input: LogicalPlan,
  items: readonly E[],
  context: QueryContext,
  parts: QueryParts,
): { readonly input: LogicalPlan; readonly items: readonly E[] } {
  let current = input
  const outer = input
  const replace = (e: E): E => {
    if (e.kind !== 'subquery') return mapUnresolved(e, replace)
    const subquery = e.value ? { ...e, value: replace(e.value) } : e
    const made = asColumn(current, outer, subquery, context, parts)
    current = made.input
    return made.value
  }
  const replaced = items.map(replace)
  return { input: current, items: replaced }
}

interface AsColumn {
  readonly input: LogicalPlan
  readonly value: E
}

function asColumn(input: LogicalPlan, outer: LogicalPlan, subquery: Subquery, context: QueryContext, parts: QueryParts): AsColumn {
  const found = rowsOfQuery(subquery.query, outer, context, parts)
  if (subquery.use === 'in') {
    if (found.kind === 'rows') throw tooCorrelated(subquery.query, 'IN outside of WHERE')
    return inColumn(input, subquery.value!, found.plan)
  }
  if (subquery.use === 'exists') {
    if (found.kind === 'rows') {
      const keyed = correlatedRows(found, outer, subquery.query, context)
      const joined = joinedByKeys(input, outer, { ...keyed, items: [] })
      return { input: joined.input, value: call('isnotnull', joined.marker) }
    }
    const counted = oneRowOf(limit(found.plan, 1), call('>', call('count', { kind: 'star' }), zero))
    return crossed(input, counted)
  }
  if (found.kind === 'rows') {
    checkScalar(found.select.items.length)
    const keyed = correlatedRows(found, outer, subquery.query, context)
    const joined = joinedByKeys(input, outer, keyed)
    return { input: joined.input, value: joined.values[0]! }
  }
  checkScalar(found.plan.schema.fields.length)
  return crossed(input, isOneRow(found.plan) ? found.plan : oneRowOf(found.plan, onlyValue(columnAt(found.plan, 0))))
}
function checkScalar(columns: number): void {
  if (columns === 1) return
  throw new InvalidQueryError('INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN', {
    what: `scalar subquery must return only one column, but returns ${columns}`,
    todo: 'select one column, or make a struct of them',
  })
}
const zero: E = { kind: 'literal', value: 0, type: 'int' }
const one: E = { kind: 'literal', value: 1, type: 'int' }

const tooManyRows: E = {
  kind: 'resolved',
  expression: { kind: 'call', name: 'too_many_rows', args: [], type: 'void', nullable: true, deterministic: false },
  text: 'too_many_rows()',
}

/** The only value of rows that must be one at most; null of none. */
export function onlyValue(value: E): E {
  return {
    kind: 'case',
    branches: [{ condition: call('>', call('count', { kind: 'star' }), one), value: tooManyRows }],
    otherwise: call('first', value),
  }
}
/** Whether there is one row whatever the data are. */
function isOneRow(plan: LogicalPlan): boolean {
  if (plan.kind === 'project' || plan.kind === 'alias') return isOneRow(plan.input)
  return plan.kind === 'aggregate' && plan.keys.length === 0
}
function oneRowOf(plan: LogicalPlan, expression: E): LogicalPlan {
  return groupBy(plan, [], [{ name: '__value', expression }])
}

function crossed(input: LogicalPlan, right: LogicalPlan): AsColumn {
  const joined = join(input, project(right, [{ kind: 'alias', input: columnAt(right, 0), name: '__subquery' }]), null, 'cross')
  const index = input.schema.fields.length
  return {
    input: joined,
    value: { kind: 'resolved', expression: columnRef(joined.schema.fields[index]!, index), text: 'scalarsubquery()' },
  }
}

/** Whether the value is among the rows: outside of WHERE false, as in Spark, where null would be right. */
function inColumn(input: LogicalPlan, value: E, list: LogicalPlan): AsColumn {
  checkWidth(list.schema.fields.length, 1)
  const x: E = { kind: 'attribute', name: '__in0' }
  const found = distinct(filter(project(list, aliased(list, 1)), call('isnotnull', x)))
  const joined = join(input, found, { condition: call('==', onSides(value, input.schema.fields, []), { ...x, side: 'right' }) }, 'left')
  return { input: joined, value: call('isnotnull', columnAt(joined, input.schema.fields.length)) }
}

/** For what a correlated subquery can't be. `what` says which kind. */
export function tooCorrelated(query: Query, what: string): InvalidQueryError {
  const text = query.kind === 'select' ? query.items.map(unresolvedText).join(', ') : query.kind
  return new InvalidQueryError('UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_CORRELATED_SCALAR_SUBQUERY', {
    what: `${what} that reads columns of the query around it is not supported: (${text})`,
    todo: 'aggregate in a subquery in FROM, and join with it',
  })
}
