import { assert, InternalError, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { AggregateCall, Expression, SortOrder } from '../plan/expression.ts'
import { childrenOf, columnsRead, sameExpression } from '../plan/expression-tree.ts'
import {
  type Aggregate,
  type Distinct,
  type Filter,
  isStreaming,
  type Join,
  type Limit,
  type LogicalPlan,
  type Offset,
  type Project,
  type Sort,
  type Union,
} from '../plan/logical-plan.ts'
import { batchAggregateSql } from './aggregate-sql.ts'
import { deduplicateSql, expandSql, sampleSql, setOperationSql } from './bounded-sql.ts'
import { castSql } from './cast-sql.ts'
import { expressionSql, type SqlScope } from './expression-sql.ts'
import { generateSql } from './generate-sql.ts'
import { canonicalNumber, cellsByKey, type GroupKey, groupKeys } from './group-sql.ts'
import { joinLayout } from './join-layout.ts'
import { observedRows } from './observe-step.ts'
import { orderingSql } from './ordering-sql.ts'
import { rowsApart, sideApart } from './rows-apart.ts'
import {
  addWindows,
  columnOf,
  isBare,
  isOnlyFilter,
  isPlain,
  type Names,
  nest,
  newNames,
  prune,
  renderSelect,
  rowWindow,
  type Select,
  type SelectColumn,
  scopeOf,
  selectFrom,
  settle,
  type Windowed,
  windowsIn,
} from './select-sql.ts'
import { numberSessions, sessionKeyColumns, splitSession } from './session-sql.ts'
import { batchGroupsRows } from './streaming-groups.ts'
import type { PhysicalNode } from './streaming-plan.ts'
import { userCallsRows } from './user-calls-step.ts'
import { windowFunctionsSql } from './window-functions-sql.ts'
import type { Origins } from './with-origin.ts'

export type Needed = ReadonlySet<number>

/** One SELECT that is being put together, and the relations that it reads. */
export interface Compilation {
  readonly names: Names
  readonly inputs: PhysicalNode[]
  /** Asked first for every node: the rows of one that is no SQL of this SELECT (a source, a step with state). */
  readonly boundary: Boundary
  /** Which inputs are read row by row; kept for fragments, where somebody may want to know. */
  readonly rowWise?: RowWise
}
/** A SELECT's inputs of which every row is computed by itself: without one of them the others would give what they give with it. */
interface RowWise {
  readonly inputs: number[]
  /** Whether all nodes above the one that is being compiled work row by row. */
  isSo: boolean
  /** Whether rows of tables count: where the plan reads no stream, and dead letters are kept. */
  readonly ofTables: boolean
}
export interface Boundary {
  (plan: LogicalPlan, needed: Needed, compilation: Compilation): Select | undefined
  /** Where dead letters are kept. */
  readonly origins?: Origins
  /** Whether rows that fail are set aside: then what is no row's own work is a relation of its own (rows-apart.ts). */
  readonly keepsLetters?: boolean
}

export function allColumns(schema: Schema): Needed {
  return new Set(schema.fields.keys())
}

/** Makes a relation an input of the SELECT. `positions[i]` is where column i of the plan lies in it. */
export function readInput(
  c: Compilation,
  node: PhysicalNode,
  positions: readonly (number | undefined)[] = node.schema.fields.map((_, i) => i),
): Select {
  const { rowWise } = c
  if (rowWise?.isSo && (rowWise.ofTables || (node.kind !== 'scan' && node.kind !== 'local'))) rowWise.inputs.push(c.inputs.length)
  return readWhole(c, node, positions)
}

/** The same where the SELECT computes no row of it by itself. */
export function readWhole(c: Compilation, node: PhysicalNode, positions: readonly (number | undefined)[]): Select {
  c.inputs.push(node)
  return selectFrom(`⟦${c.inputs.length - 1}⟧`, positions, c.names)
}

/** A plan as one relation: a Fragment, or its input itself where there is nothing to do. Only the needed columns are in it; column i of the plan is at `positions[i]`. */
export function fragmentOf(plan: LogicalPlan, needed: Needed, boundary: Boundary): CompiledRows {
  const rowWise: RowWise = { inputs: [], isSo: true, ofTables: boundary.keepsLetters === true && !isStreaming(plan) }
  const c: Compilation = { names: newNames(), inputs: [], boundary, rowWise }
  return nodeOf(plan, compileSelect(plan, needed, c), c)
}

/** A relation, and where the columns of a plan lie in it. */
export interface CompiledRows {
  readonly node: PhysicalNode
  readonly positions: readonly (number | undefined)[]
}

/** What was compiled of a plan as a relation of its own. */
export function nodeOf(plan: LogicalPlan, select: Select, c: Compilation): CompiledRows {
  const { sql, positions } = renderSelect(select)
  const schema = new Schema(plan.schema.fields.filter((_, i) => positions[i] !== undefined))
  const node: PhysicalNode = isInputItself(select, c, schema)
    ? c.inputs[0]!
    : { kind: 'fragment', inputs: c.inputs, sql, schema, rowWise: c.rowWise?.inputs ?? [] }
  return { node, positions }
}

function isInputItself(select: Select, c: Compilation, schema: Schema): boolean {
  const input = c.inputs[0]?.schema.fields
  const columns = select.columns.filter((column) => column !== undefined)
  return (
    c.inputs.length === 1 &&
    isBare(select) &&
    select.from === '⟦0⟧ AS t0' &&
    columns.length === input!.length &&
    columns.every((column, i) => column.sql === `t0.c${i}` && input![i]!.name === schema.fields[i]!.name)
  )
}

/** The needed columns of a plan's rows; the others are undefined in the result. */
export function compileSelect(plan: LogicalPlan, needed: Needed, c: Compilation): Select {
  return prune(c.boundary(plan, needed, c) ?? compileBelow(plan, needed, c), needed)
}

function compileBelow(plan: LogicalPlan, needed: Needed, c: Compilation): Select {
  const { rowWise } = c
  if (!rowWise?.isSo || worksByRow(plan, rowWise)) return compileNode(plan, needed, c)
  if (c.boundary.keepsLetters && rowWise.ofTables === !isStreaming(plan)) return rowsApart(plan, needed, c)
  rowWise.isSo = false
  const select = compileNode(plan, needed, c)
  rowWise.isSo = true
  return select
}

/** Whether each row of a node is made of one row of its streaming inputs. A table that a stream is joined with is no such input: its rows are its own relation's. */
function worksByRow(plan: LogicalPlan, { ofTables }: RowWise): boolean {
  return (ofTables || isStreaming(plan)) && rowKinds.has(plan.kind)
}
const rowKinds: ReadonlySet<LogicalPlan['kind']> = new Set([
  'alias',
  'watermark',
  'project',
  'filter',
  'join',
  'union',
  'sort',
  'generate',
  'expand',
  // steps of their own, whose rows are read here
  'user-calls',
  'observe',
])

export function compileNode(plan: LogicalPlan, needed: Needed, c: Compilation): Select {
  switch (plan.kind) {
    case 'stream-scan':
    case 'scan':
    case 'local':
      throw new InternalError('INTERNAL_ERROR', { what: `no boundary gave the rows of a ${plan.kind}`, todo: 'report this with the query' })
    case 'alias':
    case 'watermark':
      return compileSelect(plan.input, needed, c)
    case 'project':
      return project(plan, needed, c)
    case 'filter':
      return filter(plan, needed, c)
    case 'join':
      return join(plan, needed, c)
    case 'union':
      return union(plan, needed, c)
    case 'aggregate':
      return aggregate(plan, c)
    case 'sort':
      return sort(plan, needed, c)
    case 'limit':
      return limit(plan, needed, c)
    case 'offset':
      return offset(plan, needed, c)
    case 'distinct':
      return distinct(plan, c)
    case 'deduplicate':
      return deduplicateSql(plan, needed, c)
    case 'set-operation':
      return setOperationSql(plan, c)
    case 'sample':
      return sampleSql(plan, needed, c)
    case 'generate':
      return generateSql(plan, needed, c)
    case 'expand':
      return expandSql(plan, needed, c)
    case 'observe':
      return observedRows(plan, needed, c)
    case 'user-calls':
      return userCallsRows(plan, needed, c)
    case 'window-functions':
      return windowFunctionsSql(plan, needed, c)
    case 'groups':
      return batchGroupsRows(plan, c)
  }
}

export function readBy(expressions: readonly Expression[], also: Iterable<number> = []): Set<number> {
  const read = new Set(also)
  for (const e of expressions) columnsRead(e, read)
  return read
}

function project(plan: Project, needed: Needed, c: Compilation): Select {
  const expressions = plan.columns.map((column) => column.expression)
  const windows = windowsIn(expressions) // even one that nobody reads leaves rows out or multiplies them
  const read = [...expressions.filter((_, i) => needed.has(i)), ...windows]
  let input = settle(compileSelect(plan.input, readBy(read), c), read, c.names)
  if (windows.length > 0 && input.limit !== undefined) input = nest(input, c.names)
  const { select, structOf } = addWindows(input, windows, c.names)
  const scope: SqlScope = { ...scopeOf(select), window: structOf }
  return { ...select, columns: expressions.map((e, i) => (needed.has(i) ? columnOf(e, scope) : undefined)) }
}

function filter(plan: Filter, needed: Needed, c: Compilation): Select {
  let input = compileSelect(plan.input, readBy([plan.condition], needed), c)
  const computed = [...columnsRead(plan.condition)].some((index) => !input.columns[index]!.plain)
  if (computed || input.limit !== undefined) input = nest(input, c.names)
  return { ...input, where: [...input.where, expressionSql(plan.condition, scopeOf(input))] }
}

const joinWords = {
  inner: 'JOIN',
  left: 'LEFT JOIN',
  right: 'RIGHT JOIN',
  full: 'FULL JOIN',
  semi: 'SEMI JOIN',
  anti: 'ANTI JOIN',
  cross: 'CROSS JOIN',
} as const

function join(plan: Join, needed: Needed, c: Compilation): Select {
  const layout = joinLayout(plan)
  const leftCount = plan.left.schema.fields.length
  const read = plan.condition ? columnsRead(plan.condition) : new Set<number>()
  const output = layout.filter((_, i) => needed.has(i))
  const leftNeeded = new Set([...[...read].filter((i) => i < leftCount), ...output.filter((o) => o.from !== 'right').map((o) => o.left)])
  const rightNeeded = new Set([
    ...[...read].filter((i) => i >= leftCount).map((i) => i - leftCount),
    ...output.filter((o) => o.from !== 'left').map((o) => o.right),
  ])
  // a filter of the left rows may come after the join, unless the join makes up left rows of nulls
  const keepsLeft = plan.how !== 'right' && plan.how !== 'full'
  const whole = sideApart(plan, { left: leftNeeded, right: rightNeeded }, c)
  const leftRows = whole?.side === 'left' ? whole.rows() : compileSelect(plan.left, leftNeeded, c)
  const left = (keepsLeft ? isOnlyFilter(leftRows) : isBare(leftRows)) ? leftRows : nest(leftRows, c.names)
  const rightRows = whole?.side === 'right' ? whole.rows() : compileSelect(plan.right, rightNeeded, c)
  const right = isBare(rightRows) && !rightRows.from.includes(' JOIN ') ? rightRows : nest(rightRows, c.names)
  const column = (i: number) => (i < leftCount ? left.columns[i]!.sql : right.columns[i - leftCount]!.sql)
  const on =
    plan.how === 'cross'
      ? ''
      : ` ON ${plan.condition ? expressionSql(plan.condition, { column, ...(whole && { known: whole.known }) }) : 'true'}`
  return {
    from: `${left.from} ${joinWords[plan.how]} ${right.from}${on}`,
    where: left.where,
    orderBy: [],
    columns: layout.map((o, i) => {
      if (!needed.has(i)) return undefined
      if (o.from === 'both')
        return {
          sql: `coalesce(${keyAs(left, o.left, plan.left, plan.schema, i)}, ${keyAs(right, o.right, plan.right, plan.schema, i)})`,
          plain: false,
        }
      return o.from === 'left' ? left.columns[o.left]! : right.columns[o.right]!
    }),
  }
}

/** A side's key in the type that the two sides have in common. */
function keyAs(side: Select, index: number, plan: LogicalPlan, output: Schema, at: number): string {
  return castSql(side.columns[index]!.sql, plan.schema.fields[index]!.type, output.fields[at]!.type, 'ansi')
}

function union(plan: Union, needed: Needed, c: Compilation): Select {
  const rendered = plan.inputs.map((input) => renderSelect(compileSelect(input, needed, c)))
  const texts = rendered.map(({ sql }) => (/ (?:ORDER BY|LIMIT) /.test(sql) ? `(${sql})` : sql))
  return selectFrom(`(${texts.join(' UNION ALL ')})`, rendered[0]!.positions, c.names)
}

function sort(plan: Sort, needed: Needed, c: Compilation): Select {
  const orders = plan.order.filter((order) => order.expression.kind !== 'literal') // SQL takes a number here for a position
  const read = orders.map((order) => order.expression)
  let input = compileSelect(plan.input, readBy(read, needed), c)
  if (input.limit !== undefined || input.orderBy.length > 0) input = nest(input, c.names)
  const scope = scopeOf(input)
  return { ...input, orderBy: orders.map((order) => orderSql(order, scope)) }
}

export function orderSql(order: SortOrder, scope: SqlScope): string {
  const value = orderingSql(expressionSql(order.expression, scope), order.expression.type)
  return `${value} ${order.descending ? 'DESC' : 'ASC'} NULLS ${order.nullsFirst ? 'FIRST' : 'LAST'}`
}

function limit(plan: Limit, needed: Needed, c: Compilation): Select {
  const input = compileSelect(plan.input, needed, c)
  return { ...input, limit: Math.min(plan.count, input.limit ?? Infinity) }
}

function offset(plan: Offset, needed: Needed, c: Compilation): Select {
  const input = compileSelect(plan.input, needed, c)
  return nest(input.limit === undefined ? input : nest(input, c.names), c.names, { offset: plan.count })
}

function distinct(plan: Distinct, c: Compilation): Select {
  const input = compileSelect(plan.input, allColumns(plan.schema), c)
  const columns = input.columns.map((column, i) => {
    const sql = canonicalNumber(column!.sql, plan.schema.fields[i]!.type)
    return { sql, plain: column!.plain && sql === column!.sql }
  })
  const rows = { ...input, columns }
  return nest(input.limit === undefined ? { ...rows, orderBy: [] } : nest(rows, c.names), c.names, { distinct: true })
}

/** An aggregation over all rows at once, by SQL's own aggregates. */
function aggregate(plan: Aggregate, c: Compilation): Select {
  const { select, scope, grouped, bounds, keyColumns } = plan.session === undefined ? plainGroups(plan, c) : sessionGroups(plan, c)
  const found = aggregatesIn(plan).map(({ call }) => ({
    call,
    sql: batchAggregateSql(
      call,
      call.args.map((arg) => expressionSql(arg, scope)),
      call.filter && expressionSql(call.filter, scope),
    ),
  }))
  const texts = [...new Set([...bounds, ...found.map(({ sql }) => sql)])]
  const rows = selectFrom(
    `(${groupBySql(select, grouped, texts)})`,
    [...grouped, ...texts].map((_, i) => i),
    c.names,
  )
  const cells = rows.columns.map((column) => column!.sql)
  const cellOf = (call: AggregateCall) => cells[grouped.length + texts.indexOf(found.find((one) => one.call === call)!.sql)]!
  return { ...rows, columns: outputColumns(plan, keyColumns(cells), cellOf) }
}

/** What a batch's rows are grouped by, what the keys are made of besides, and the keys' columns from the cells of both. */
interface BatchGroups {
  readonly select: Select
  readonly scope: SqlScope
  readonly grouped: readonly string[]
  /** Aggregates. */
  readonly bounds: readonly string[]
  readonly keyColumns: (cells: readonly string[]) => string[]
}

function plainGroups(plan: Aggregate, c: Compilation): BatchGroups {
  const { select, keys, scope } = groupedRows(plan, c)
  return {
    select,
    scope,
    grouped: keys.flatMap((key) => key.grouped),
    bounds: [],
    keyColumns: (cells) =>
      cellsByKey(keys, cells, (key) => key.grouped.length).map(({ key, own }) => key.value(key.parts.map((part) => part.sql(own)))),
  }
}

function sessionGroups(plan: Aggregate, c: Compilation): BatchGroups {
  const { select, keys } = groupedRows(plan, c)
  const { others, session } = splitSession(keys)
  const rows = numberSessions(select, others, session.session, c.names)
  const scope = scopeOf(rows.select)
  return {
    select: rows.select,
    scope: { ...scope, window: (window) => rowWindow(window, scope) },
    grouped: [...rows.grouped, rows.number],
    bounds: [`min(${rows.start})`, `max(${rows.end})`],
    keyColumns(cells) {
      const parts = cellsByKey(others, cells, (key) => key.grouped.length).flatMap(({ key, own }) => key.parts.map((part) => part.sql(own)))
      return sessionKeyColumns(keys, [...parts, ...cells.slice(rows.grouped.length + 1)])
    },
  }
}

export interface GroupedRows {
  readonly select: Select
  readonly keys: readonly GroupKey[]
  readonly scope: SqlScope
  readonly windowed: Windowed
}

/** For `groupedRows`: its input is the only one, whose columns stand at `positions`, with `number` (SQL over a window) as column `at` behind them. */
export function overNumberedInput(
  plan: Aggregate,
  positions: readonly (number | undefined)[],
  at: number,
  number: 'row_number() OVER ()' | 'row_number() OVER () - 1',
): Compilation {
  return {
    names: newNames(),
    inputs: [],
    boundary: (node, _needed, inner) =>
      node === plan.input ? selectFrom(`(SELECT x.*, ${number} AS c${at} FROM ⟦0⟧ AS x)`, [...positions, at], inner.names) : undefined,
  }
}

/** The input of an aggregation, with its windows, and its keys over it; with the columns `also` of the input beside what they read. */
export function groupedRows(plan: Aggregate, c: Compilation, also: Iterable<number> = []): GroupedRows {
  const expressions = [...plan.keys, ...plan.aggregates].map((named) => named.expression)
  let input = settle(compileSelect(plan.input, readBy(expressions, also), c), expressions, c.names)
  if (input.limit !== undefined) input = nest(input, c.names)
  const windowed = addWindows({ ...input, orderBy: [] }, windowsIn(expressions), c.names)
  const scope: SqlScope = { ...scopeOf(windowed.select), window: windowed.structOf }
  return { select: windowed.select, keys: groupKeys(plan, windowed, scope), scope, windowed }
}

/** SELECT groups, aggregates … GROUP BY the groups, as c0, c1, … */
export function groupBySql(select: Select, grouped: readonly string[], aggregates: readonly string[]): string {
  const columns = [...grouped, ...aggregates].map((sql) => ({ sql, plain: false }))
  const { sql } = renderSelect({ ...select, columns })
  return grouped.length === 0 ? sql : `${sql} GROUP BY ${grouped.map((_, i) => i + 1).join(', ')}`
}

/** The aggregates in the user's columns, each with the name of the column. */
export function aggregatesIn(plan: Aggregate): { readonly call: AggregateCall; readonly output: string }[] {
  const found: { call: AggregateCall; output: string }[] = []
  const visit = (e: Expression, output: string) => {
    if (e.kind === 'aggregate') found.push({ call: e, output })
    else for (const child of childrenOf(e)) visit(child, output)
  }
  for (const { name, expression } of plan.aggregates) visit(expression, name)
  return found
}

/** The user's columns over grouped rows: the keys, then expressions over aggregates and keys. MISSING_AGGREGATION for a column that is neither. */
export function outputColumns(
  plan: Aggregate,
  keys: readonly string[],
  aggregate: (call: AggregateCall) => string,
  known: (e: Expression) => string | undefined = () => undefined,
): SelectColumn[] {
  const scope: SqlScope = {
    known(e) {
      const index = plan.keys.findIndex((key) => sameExpression(key.expression, e))
      return index < 0 ? known(e) : keys[index]
    },
    column(index) {
      const name = plan.input.schema.fields[index]!.name
      throw new InvalidQueryError('MISSING_AGGREGATION', {
        what: `the column ${JSON.stringify(name)} is neither a grouping key nor inside an aggregate`,
        todo: `group by it, or aggregate it, for example first(${name})`,
      })
    },
    aggregate,
  }
  const columns = [...keys, ...plan.aggregates.map((named) => expressionSql(named.expression, scope))]
  assert(
    columns.length === plan.schema.fields.length,
    `an aggregation gives ${columns.length} columns and not ${plan.schema.fields.length}`,
  )
  return columns.map((sql) => ({ sql, plain: isPlain(sql) }))
}
