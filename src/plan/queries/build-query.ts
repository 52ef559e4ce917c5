/** Queries become plans: the same that the DataFrame API makes of the same steps. */
import { InvalidQueryError } from '../../base/errors.ts'
import { Schema } from '../../data/schema.ts'
import { distinct, filter, limit, localRelation, offset, project, renameAll, setOperation, sort, union } from '../analyze.ts'
import { bindUserFunctions } from '../bind-user-functions.ts'
import { castTo, commonTypeOf } from '../coercion.ts'
import type { UnresolvedExpression } from '../expression.ts'
import type { LogicalPlan } from '../logical-plan.ts'
import { columnRef, resolveExpression, unresolvedText } from '../resolve.ts'
import type { OrderedQuery, Query, SelectQuery, SetQuery, ValuesQuery, WithQuery } from '../sql/query-ast.ts'
import { mapUnresolved } from '../unresolved-tree.ts'
import { buildRelation } from './build-relation.ts'
import { buildSelect } from './build-select.ts'
import type { QueryCatalog, QueryContext, QueryParts } from './catalog.ts'
import { hasSubquery, integerOf, isUnresolvedColumn } from './names.ts'
import { filterWithSubqueries } from './subqueries.ts'

/** The plan of a query. InvalidQueryError under Spark's classes for what it can't mean. */
export function planQuery(query: Query, catalog: QueryCatalog): LogicalPlan {
  return buildQuery(query, { catalog, tables: new Map() })
}

function buildQuery(query: Query, context: QueryContext): LogicalPlan {
  switch (query.kind) {
    case 'plan':
      return query.plan
    case 'table':
      return buildRelation({ kind: 'named', name: query.name }, context, parts)
    case 'values':
      return buildValues(query, context)
    case 'set':
      return buildSet(query, context)
    case 'with':
      return buildWith(query, context)
    case 'ordered':
      return buildOrdered(query, context)
    case 'select':
      return selectQuery(query, context)
  }
}

const parts: QueryParts = {
  query: buildQuery,
  selectOver: (input, select, context) => buildSelect(input, bound(select, context), [], context, parts),
  relation: relationOf,
  where: (input, condition, context) => filterRows(input, condition, context),
}

const noNames: QueryContext = {
  tables: new Map(),
  catalog: {
    userFunctions: new Map(),
    relation: (name) => {
      throw new InvalidQueryError('TABLE_OR_VIEW_NOT_FOUND', { what: `there is no table ${name.join('.')} here`, todo: 'use engine.sql' })
    },
  },
}
/** As filter, for a condition in which DataFrames stand as subqueries. */
export function filterByFrames(input: LogicalPlan, condition: UnresolvedExpression): LogicalPlan {
  return hasSubquery(condition) ? filterWithSubqueries(input, condition, noNames, parts) : filter(input, condition)
}
/** As project, for a select list in which DataFrames stand as subqueries. */
export function projectWithFrames(input: LogicalPlan, items: readonly UnresolvedExpression[]): LogicalPlan {
  if (!items.some(hasSubquery)) return project(input, items)
  return buildSelect(input, { ...plainSelect, items }, [], noNames, parts)
}
const plainSelect: SelectQuery = {
  kind: 'select',
  distinct: false,
  items: [],
  from: undefined,
  where: undefined,
  groupBy: undefined,
  having: undefined,
  windows: new Map(),
}

function relationOf(from: SelectQuery['from'], context: QueryContext): LogicalPlan {
  return from === undefined ? oneRow() : buildRelation(from, context, parts)
}

/** A row without a column that a query could name: what SELECT without FROM is over. */
export function oneRow(): LogicalPlan {
  const schema = new Schema([{ name: '', type: 'int', nullable: false }])
  return localRelation({ schema, length: 1, columns: [{ kind: 'fixed', type: 'int', data: Int32Array.of(0), valid: null }] })
}

function selectQuery(select: SelectQuery, context: QueryContext, orderBy: OrderedQuery['orderBy'] = []): LogicalPlan {
  const input = relationOf(select.from, context)
  try {
    const rows = select.where === undefined ? input : filterRows(input, select.where, context)
    const order = orderBy === 'all' ? orderBy : orderBy.map((e) => bindUserFunctions(e, context.catalog.userFunctions))
    return buildSelect(rows, bound(select, context), order, context, parts)
  } catch (error) {
    if (select.from !== undefined || !isUnresolvedColumn(error)) throw error
    throw new InvalidQueryError('UNRESOLVED_COLUMN.WITHOUT_SUGGESTION', {
      what: error.what,
      todo: 'the query has no FROM, so there are no columns',
    })
  }
}
function filterRows(input: LogicalPlan, condition: UnresolvedExpression, context: QueryContext): LogicalPlan {
  const e = bindUserFunctions(condition, context.catalog.userFunctions)
  return hasSubquery(e) ? filterWithSubqueries(input, e, context, parts) : filter(input, e)
}

/** With functions of the program bound, and windows of the WINDOW clause where they are named. */
function bound(select: SelectQuery, { catalog }: QueryContext): SelectQuery {
  const prepare = (e: UnresolvedExpression) => bindUserFunctions(windowed(e, select.windows), catalog.userFunctions)
  const groupBy = select.groupBy
  return {
    ...select,
    items: select.items.map(prepare),
    having: select.having && prepare(select.having),
    groupBy:
      groupBy && !groupBy.all ? { all: false, elements: groupBy.elements.map((sets) => sets.map((set) => set.map(prepare))) } : groupBy,
  }
}
function windowed(e: UnresolvedExpression, windows: SelectQuery['windows']): UnresolvedExpression {
  const inner = mapUnresolved(e, (child) => windowed(child, windows))
  if (inner.kind !== 'over' || inner.window === undefined) return inner
  const spec = windows.get(inner.window.toLowerCase())
  if (spec === undefined) return inner
  const { window: _, ...own } = inner
  const base = spec.window === undefined ? spec : (windows.get(spec.window.toLowerCase()) ?? spec)
  return {
    ...own,
    partitionBy: own.partitionBy.length > 0 ? own.partitionBy : base.partitionBy,
    orderBy: own.orderBy.length > 0 ? own.orderBy : spec.orderBy.length > 0 ? spec.orderBy : base.orderBy,
    ...(own.frame === undefined && spec.frame !== undefined && { frame: spec.frame }),
  }
}

function buildWith({ tables, input }: WithQuery, context: QueryContext): LogicalPlan {
  const known = new Map(context.tables)
  const own = new Set<string>()
  for (const { name, columns, query } of tables) {
    const key = name.toLowerCase()
    if (own.has(key))
      throw new InvalidQueryError('DUPLICATED_CTE_NAMES', {
        what: `CTE definition can't have duplicate names: \`${name}\``,
        todo: 'call one of them otherwise',
      })
    own.add(key)
    const plan = buildQuery(query, { ...context, tables: known })
    known.set(key, columns === undefined ? plan : renameAll(plan, columns))
  }
  return buildQuery(input, { ...context, tables: known })
}

function buildSet({ operation, all, left, right }: SetQuery, context: QueryContext): LogicalPlan {
  const [a, b] = [buildQuery(left, context), buildQuery(right, context)]
  if (operation !== 'union') return setOperation(operation, a, b, all)
  const both = union([a, b])
  return all ? both : distinct(both)
}

function buildOrdered({ input, orderBy, limit: count, offset: skip }: OrderedQuery, context: QueryContext): LogicalPlan {
  let plan = input.kind === 'select' ? selectQuery(input, context, orderBy) : sortOutput(buildQuery(input, context), orderBy)
  if (skip !== undefined) plan = offset(plan, rowCount('offset', skip))
  return count === undefined ? plan : limit(plan, rowCount('limit', count))
}
function rowCount(clause: string, e: UnresolvedExpression): number {
  const given = integerOf(e) ?? constantOf(e)
  if (given !== undefined) return given
  throw new InvalidQueryError('INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE', {
    what: `the ${clause} expression must evaluate to a constant value, got "${unresolvedText(e)}"`,
    todo: 'give a number',
  })
}
function constantOf(e: UnresolvedExpression): number | undefined {
  if (e.kind !== 'call' || e.args.length !== 2) return undefined
  const [a, b] = e.args.map((arg) => integerOf(arg) ?? constantOf(arg))
  if (a === undefined || b === undefined) return undefined
  return { '+': a + b, '-': a - b, '*': a * b }[e.name]
}

/** Over the columns of a result; numbers are places in it. */
export function sortOutput(plan: LogicalPlan, orderBy: OrderedQuery['orderBy']): LogicalPlan {
  const order = orderBy === 'all' ? plan.schema.fields.map((_, i) => columnAt(plan, i)) : orderBy.map((e) => orderedBy(plan, e))
  return order.length === 0 ? plan : sort(plan, order)
}
function orderedBy(plan: LogicalPlan, e: UnresolvedExpression): UnresolvedExpression {
  const input = e.kind === 'sort' ? e.input : e
  const place = integerOf(input)
  if (place === undefined) return e
  const column = columnAt(plan, placeOf('ORDER BY', place, plan.schema.fields.length))
  return e.kind === 'sort' ? { ...e, input: column } : column
}
export function columnAt(plan: LogicalPlan, index: number): UnresolvedExpression {
  const field = plan.schema.fields[index]!
  return { kind: 'resolved', expression: columnRef(field, index), text: field.name }
}
/** The place, from 0, that a number in ORDER BY or GROUP BY stands for. */
export function placeOf(clause: 'ORDER BY' | 'GROUP BY', given: number, count: number): number {
  if (given >= 1 && given <= count) return given - 1
  throw new InvalidQueryError(clause === 'ORDER BY' ? 'ORDER_BY_POS_OUT_OF_RANGE' : 'GROUP_BY_POS_OUT_OF_RANGE', {
    what: `${clause} position ${given} is not in select list (valid range is [1, ${count}])`,
    todo: 'give the number of a column of the select list, or its name',
  })
}

/** Rows of constants; the columns are col1, col2, … */
function buildValues({ rows }: ValuesQuery, context: QueryContext): LogicalPlan {
  const width = rows[0]!.length
  const wrong = rows.find((row) => row.length !== width)
  if (wrong)
    throw new InvalidQueryError('INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH', {
      what: `inline table expected ${width} columns but found ${wrong.length} columns in a row`,
      todo: 'give all rows the same number of values',
    })
  const resolved = rows.map((row) => row.map((e) => resolveExpression(bindUserFunctions(e, context.catalog.userFunctions), { fields: [] })))
  const types = Array.from({ length: width }, (_, i) => {
    const type = commonTypeOf(resolved.map((row) => row[i]!.type))
    if (type !== undefined) return type
    throw new InvalidQueryError('INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE', {
      what: `found incompatible types in the column \`col${i + 1}\` for the inline table`,
      todo: 'cast the values to one type',
    })
  })
  const inputs = resolved.map((row) =>
    project(
      oneRow(),
      row.map((e, i): UnresolvedExpression => {
        const nullable = resolved.some((other) => other[i]!.nullable)
        const value = castTo(e, types[i]!)
        const expression = nullable && !value.nullable ? { ...value, nullable } : value
        return { kind: 'alias', input: { kind: 'resolved', expression, text: '' }, name: `col${i + 1}` }
      }),
    ),
  )
  const [first, ...rest] = inputs as [LogicalPlan, ...LogicalPlan[]]
  return rest.length === 0 ? first : union([first, ...rest])
}
