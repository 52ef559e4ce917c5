/** Subqueries that read columns of the query around them: their rows without the comparisons that do, which become the condition of a join. */
import { InvalidQueryError } from '../../base/errors.ts'
import { type AggregateItem, filter, groupBy, join, project } from '../analyze.ts'
import { bindUserFunctions } from '../bind-user-functions.ts'
import type { UnresolvedExpression } from '../expression.ts'
import { isStreaming, type LogicalPlan } from '../logical-plan.ts'
import { resolveExpression } from '../resolve.ts'
import type { Query, SelectQuery } from '../sql/query-ast.ts'
import { columnAt } from './build-query.ts'
import type { QueryContext, QueryParts } from './catalog.ts'
import {
  allOf,
  conjunctsOf,
  hasAggregateCall,
  hasSubquery,
  isUnresolvedColumn,
  onSides,
  readsInner,
  readsOuter,
  withoutAlias,
} from './names.ts'
import { onlyValue, tooCorrelated } from './subqueries.ts'

type E = UnresolvedExpression
const call = (name: string, ...args: readonly E[]): E => ({ kind: 'call', name, args })

export interface CorrelatedRows {
  readonly kind: 'rows'
  /** FROM, and what of WHERE reads its columns only. */
  readonly rows: LogicalPlan
  readonly conditions: readonly E[]
  readonly select: SelectQuery
  readonly isAggregated: boolean
}

/** The plan of a subquery, or its rows and conditions where it reads columns of `outer`. */
export function rowsOfQuery(
  query: Query,
  outer: LogicalPlan,
  context: QueryContext,
  parts: QueryParts,
): { readonly kind: 'plan'; readonly plan: LogicalPlan } | CorrelatedRows {
  try {
    return { kind: 'plan', plan: bounded(parts.query(query, context)) }
  } catch (error) {
    if (!isUnresolvedColumn(error) || query.kind !== 'select' || query.where === undefined) throw error
    const rows = bounded(parts.relation(query.from, context))
    const inner = rows.schema.fields
    const all = conjunctsOf(bindUserFunctions(query.where, context.catalog.userFunctions))
    const conditions = all.filter((e) => readsOuter(e, outer.schema.fields, inner))
    if (conditions.length === 0) throw error
    if (conditions.some(hasSubquery)) throw tooCorrelated(query, 'a subquery with another inside')
    const plain = all.filter((e) => !conditions.includes(e))
    const kept = plain.length === 0 ? rows : parts.where(rows, allOf(plain), context)
    const isAggregated = query.groupBy !== undefined || query.having !== undefined || query.items.some(hasAggregateCall)
    return { kind: 'rows', rows: kept, conditions, select: query, isAggregated }
  }
}

/** What a subquery gives is asked for as a whole, and a stream never is. */
function bounded(plan: LogicalPlan): LogicalPlan {
  if (!isStreaming(plan)) return plan
  throw new InvalidQueryError('INVALID_SUBQUERY_EXPRESSION.STREAMING_QUERY', {
    what: 'a subquery reads a stream, which has no end',
    todo: 'join the stream instead: with another stream by times within a range, with a table on its own side',
  })
}

export interface KeyedRows {
  /** The keys, a marker that is true, then the items. */
  readonly plan: LogicalPlan
  /** What of the outer query each key is equal to. */
  readonly keys: readonly { readonly outer: E; readonly nullSafe: boolean }[]
  /** What each item is where there are no rows. */
  readonly items: readonly { readonly whenNone: E }[]
}

/** One row for each combination of the inner sides of the comparisons, which must be equalities. */
export function correlatedRows(found: CorrelatedRows, outer: LogicalPlan, query: Query, context: QueryContext): KeyedRows {
  const inner = found.rows.schema.fields
  const pairs = found.conditions.map((e) => {
    const isEquality = e.kind === 'call' && (e.name === '==' || e.name === '<=>')
    const [a, b] = isEquality && e.kind === 'call' ? e.args : []
    const own = [a, b].find((side) => side && !readsOuter(side, outer.schema.fields, inner) && readsInner(side, inner))
    const other = own === a ? b : a
    if (!own || !other || readsInner(other, inner)) throw tooCorrelated(query, 'a comparison other than of one column with another')
    return { own, outer: other, nullSafe: e.kind === 'call' && e.name === '<=>' }
  })
  if (found.select.groupBy !== undefined || found.select.having !== undefined || found.select.distinct)
    throw tooCorrelated(query, 'a grouped subquery')
  const keys = pairs.map(({ own }, i): AggregateItem => ({ name: `__key${i}`, expression: own }))
  const marker: AggregateItem = { name: '__marker', expression: { kind: 'literal', value: true, type: 'boolean' } }
  const written = found.select.items.map(withoutAlias)
  const stars = written.some((e) => e.kind === 'star')
  const items = stars ? [] : written.map((e) => bindUserFunctions(e, context.catalog.userFunctions))
  const values = items.map((e): E => (found.isAggregated ? e : onlyValue(e)))
  const plan = groupBy(found.rows, keys, [marker, ...values.map((expression, i) => ({ name: `__value${i}`, expression }))])
  const none = filter(found.rows, { kind: 'literal', value: false, type: 'boolean' })
  const whenNone = values.map((expression): E => {
    // count is 0 of no rows: an aggregate that is never null has a value there
    const resolved = resolveExpression(expression, { fields: inner })
    if (resolved.kind === 'aggregate' && resolved.nullable) return { kind: 'literal', value: null, type: resolved.type }
    if (!found.isAggregated) return { kind: 'literal', value: null, type: resolved.type }
    return { kind: 'subquery', use: 'scalar', query: { kind: 'plan', plan: groupBy(none, [], [{ name: '__none', expression }]) } }
  })
  return { plan, keys: pairs.map(({ outer: e, nullSafe }) => ({ outer: e, nullSafe })), items: whenNone.map((e) => ({ whenNone: e })) }
}

/** The input with the values of the row that belongs to each of its rows. */
export function joinedByKeys(
  input: LogicalPlan,
  outer: LogicalPlan,
  { plan, keys, items }: KeyedRows,
): { readonly input: LogicalPlan; readonly marker: E; readonly values: readonly E[] } {
  const outerFields = outer.schema.fields
  const equal = keys.map(({ outer: e, nullSafe }, i) =>
    call(nullSafe ? '<=>' : '==', onSides(e, outerFields, []), { kind: 'attribute', name: `__key${i}`, side: 'right' }),
  )
  let current: LogicalPlan = join(input, plan, { condition: allOf(equal) }, 'left')
  const at = input.schema.fields.length + keys.length
  const marker = columnAt(current, at)
  const values = items.map(({ whenNone }, i): E => {
    const value = columnAt(current, at + 1 + i)
    if (whenNone.kind === 'literal') return value
    const query = whenNone.kind === 'subquery' && whenNone.query.kind === 'plan' ? whenNone.query.plan : undefined
    const none = project(query!, [{ kind: 'alias', input: columnAt(query!, 0), name: '__none' }])
    const index = current.schema.fields.length
    current = join(current, none, null, 'cross')
    return { kind: 'case', branches: [{ condition: call('isnull', marker), value: columnAt(current, index) }], otherwise: value }
  })
  return { input: current, marker, values }
}
