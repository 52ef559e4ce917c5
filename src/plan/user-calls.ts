/**
 * Calls of user functions leave the expressions that they stand in: a UserCalls node below computes them as columns, between two SQL
 * statements. In a filter they see only rows that the rest of the condition keeps. A CASE does not hold them back: they are computed
 * for every row that comes to the expression.
 */
import { Schema } from '../data/schema.ts'
import { filterBy } from './analyze.ts'
import type { Expression, NamedExpression, UserCall, WindowCall } from './expression.ts'
import {
  childrenOf,
  columnsRead,
  conjunction,
  conjuncts,
  mapChildren,
  sameExpression,
  shiftColumns,
  someExpression,
} from './expression-tree.ts'
import type {
  Aggregate,
  Expand,
  Filter,
  Generate,
  Join,
  LogicalPlan,
  Observe,
  Project,
  Sort,
  UserCalls,
  WindowFunctions,
} from './logical-plan.ts'
import { namedColumn, projectNamed } from './named-columns.ts'
import { columnRef } from './resolve.ts'

export function hasUserCall(e: Expression): boolean {
  return someExpression(e, (x) => x.kind === 'user-call')
}

/** The node with its user calls computed below it; the node itself where it has none. */
export function extractUserCalls(plan: LogicalPlan): LogicalPlan {
  switch (plan.kind) {
    case 'project':
      return plan.columns.some(({ expression }) => hasUserCall(expression)) ? fromProject(plan) : plan
    case 'filter':
      return hasUserCall(plan.condition) ? fromFilter(plan) : plan
    case 'aggregate':
      return [...plan.keys, ...plan.aggregates].some(({ expression }) => hasUserCall(expression)) ? fromAggregate(plan) : plan
    case 'sort':
      return plan.order.some(({ expression }) => hasUserCall(expression)) ? fromSort(plan) : plan
    case 'join':
      return plan.condition !== null && hasUserCall(plan.condition) ? fromJoin(plan) : plan
    case 'observe':
      return plan.metrics.some(({ expression }) => hasUserCall(expression)) ? fromObserve(plan) : plan
    case 'generate':
      return plan.args.some(hasUserCall) ? fromGenerate(plan) : plan
    case 'window-functions':
      return plan.calls.some((call) => windowExpressions(call).some(hasUserCall)) ? fromWindowFunctions(plan) : plan
    case 'expand':
      return plan.columns.some(({ expressions }) => expressions.some(hasUserCall)) ? fromExpand(plan) : plan
    default:
      return plan
  }
}

/** The input with the calls as columns behind its own, and the expressions over it. Calls inside of calls come first. */
function computeBelow(input: LogicalPlan, expressions: readonly Expression[]): { input: LogicalPlan; expressions: Expression[] } {
  let current = input
  let over = [...expressions]
  for (;;) {
    const calls = innermostCalls(over)
    if (calls.length === 0) return { input: current, expressions: over }
    const at = current.schema.fields.length
    over = over.map((e) => replaceCalls(e, calls, at))
    current = userCalls(current, calls)
  }
}

function userCalls(input: LogicalPlan, calls: readonly UserCall[]): UserCalls {
  const results = calls.map((call) => ({ name: call.function.name, type: call.type, nullable: call.nullable }))
  return { kind: 'user-calls', input, calls, schema: new Schema([...input.schema.fields, ...results]) }
}

/** The calls whose arguments hold none; equal ones once, unless they may differ. */
function innermostCalls(expressions: readonly Expression[]): UserCall[] {
  const found: UserCall[] = []
  const visit = (e: Expression) => {
    if (e.kind !== 'user-call' || e.args.some(hasUserCall)) return childrenOf(e).forEach(visit)
    if (!found.some((other) => other === e || sameExpression(other, e))) found.push(e)
  }
  expressions.forEach(visit)
  return found
}

function replaceCalls(e: Expression, calls: readonly UserCall[], at: number): Expression {
  const index = e.kind === 'user-call' ? calls.findIndex((call) => call === e || sameExpression(call, e)) : -1
  if (index >= 0) return { kind: 'column', name: calls[index]!.function.name, index: at + index, type: e.type, nullable: e.nullable }
  return mapChildren(e, (child) => replaceCalls(child, calls, at))
}

/** The plan's first columns, under the names of `like`. */
function firstColumns(plan: LogicalPlan, like: LogicalPlan): Project {
  return projectNamed(plan, like.schema.fields.map(namedColumn))
}

function withExpressions(columns: readonly NamedExpression[], expressions: readonly Expression[]): NamedExpression[] {
  return columns.map((column, i) => ({ ...column, expression: expressions[i]! }))
}

function fromProject(plan: Project): LogicalPlan {
  const below = computeBelow(
    plan.input,
    plan.columns.map(({ expression }) => expression),
  )
  return { ...plan, input: below.input, columns: withExpressions(plan.columns, below.expressions) }
}

function fromFilter(plan: Filter): LogicalPlan {
  const parts = conjuncts(plan.condition)
  const plain = parts.filter((part) => !hasUserCall(part))
  const input = plain.length === 0 ? plan.input : filterBy(plan.input, conjunction(plain))
  const below = computeBelow(
    input,
    parts.filter((part) => hasUserCall(part)),
  )
  return firstColumns(filterBy(below.input, conjunction(below.expressions)), plan)
}

function fromSort(plan: Sort): LogicalPlan {
  const below = computeBelow(
    plan.input,
    plan.order.map(({ expression }) => expression),
  )
  const order = plan.order.map((key, i) => ({ ...key, expression: below.expressions[i]! }))
  return firstColumns({ kind: 'sort', input: below.input, order, schema: below.input.schema }, plan)
}

function fromObserve(plan: Observe): LogicalPlan {
  const below = computeBelow(
    plan.input,
    plan.metrics.map(({ expression }) => expression),
  )
  const metrics = withExpressions(plan.metrics, below.expressions)
  return firstColumns({ ...plan, input: below.input, metrics, schema: below.input.schema }, plan)
}

function fromGenerate(plan: Generate): LogicalPlan {
  const below = computeBelow(plan.input, plan.args)
  const count = plan.input.schema.fields.length
  const computed = below.input.schema.fields.length - count
  const schema = new Schema([...below.input.schema.fields, ...plan.schema.fields.slice(count)])
  const made: Generate = { ...plan, input: below.input, args: below.expressions, schema }
  return projectNamed(
    made,
    plan.schema.fields.map((field, i) => namedColumn(field, i < count ? i : i + computed)),
  )
}

/** What a window function reads, and the same call over other expressions in their place. */
export function windowExpressions({ function: f, partitionBy, orderBy }: WindowCall): Expression[] {
  const filter = f.kind === 'aggregate' && f.filter ? [f.filter] : []
  return [...f.args, ...filter, ...partitionBy, ...orderBy.map(({ expression }) => expression)]
}
function withWindowExpressions(call: WindowCall, expressions: readonly Expression[]): WindowCall {
  const rest = [...expressions]
  const args = rest.splice(0, call.function.args.length)
  const filter = call.function.kind === 'aggregate' && call.function.filter ? { filter: rest.shift()! } : {}
  const partitionBy = rest.splice(0, call.partitionBy.length)
  const orderBy = call.orderBy.map((order, i) => ({ ...order, expression: rest[i]! }))
  return { ...call, function: { ...call.function, args, ...filter }, partitionBy, orderBy }
}
function fromWindowFunctions(plan: WindowFunctions): LogicalPlan {
  const read = plan.calls.map(windowExpressions)
  const below = computeBelow(plan.input, read.flat())
  const rest = [...below.expressions]
  const calls = plan.calls.map((call, i) => withWindowExpressions(call, rest.splice(0, read[i]!.length)))
  const count = plan.input.schema.fields.length
  const computed = below.input.schema.fields.length - count
  const schema = new Schema([...below.input.schema.fields, ...plan.schema.fields.slice(count)])
  return projectNamed(
    { ...plan, input: below.input, calls, schema },
    plan.schema.fields.map((field, i) => namedColumn(field, i < count ? i : i + computed)),
  )
}

function fromExpand(plan: Expand): LogicalPlan {
  const below = computeBelow(
    plan.input,
    plan.columns.flatMap(({ expressions }) => expressions),
  )
  let next = 0
  const columns = plan.columns.map((column) => ({
    ...column,
    expressions: column.expressions.map(() => below.expressions[next++]!),
  }))
  return { ...plan, input: below.input, columns }
}

/** Calls over aggregates are computed above the aggregation, those in keys and in arguments of aggregates below it. */
function fromAggregate(plan: Aggregate): LogicalPlan {
  const isAbove = (e: Expression): boolean =>
    (e.kind === 'user-call' && someExpression(e, (x) => x.kind === 'aggregate')) || childrenOf(e).some(isAbove)
  if (plan.aggregates.some(({ expression }) => isAbove(expression))) return extractUserCalls(aggregateFirst(plan))
  const columns = [...plan.keys, ...plan.aggregates]
  const below = computeBelow(
    plan.input,
    columns.map(({ expression }) => expression),
  )
  const over = withExpressions(columns, below.expressions)
  const keyCount = plan.keys.length
  return { ...plan, input: below.input, keys: over.slice(0, keyCount), aggregates: over.slice(keyCount) }
}

/** The same as keys and bare aggregates, with the expressions over them in a projection above. */
function aggregateFirst(plan: Aggregate): Project {
  const calls: Expression[] = []
  const above = (e: Expression): Expression => {
    const key = plan.keys.findIndex((candidate) => sameExpression(candidate.expression, e))
    if (key >= 0) return columnRef({ ...plan.schema.fields[key]!, name: plan.keys[key]!.name }, key)
    if (e.kind !== 'aggregate') return mapChildren(e, above)
    let at = calls.findIndex((call) => sameExpression(call, e))
    if (at < 0) at = calls.push(e) - 1
    return { kind: 'column', name: e.name, index: plan.keys.length + at, type: e.type, nullable: e.nullable }
  }
  const columns = plan.aggregates.map((column) => ({ ...column, expression: above(column.expression) }))
  const aggregates = calls.map((expression, i): NamedExpression => ({ name: `aggregate${i}`, expression }))
  const keyFields = plan.schema.fields.slice(0, plan.keys.length)
  const schema = new Schema([
    ...keyFields,
    ...aggregates.map(({ name, expression }) => ({ name, type: expression.type, nullable: expression.nullable })),
  ])
  const bare: LogicalPlan = { ...plan, aggregates, schema }
  return { kind: 'project', input: extractUserCalls(bare), columns: [...keyFields.map(namedColumn), ...columns], schema: plan.schema }
}

/** Calls that read one side are computed on that side; a condition with calls that read both becomes a filter of the pairs (only for inner joins: the analyser has refused the others). */
function fromJoin(plan: Join): LogicalPlan {
  const leftCount = plan.left.schema.fields.length
  const parts = conjuncts(plan.condition!)
  const readsBoth = (e: Expression): boolean => isOverBoth(e, leftCount) || childrenOf(e).some(readsBoth)
  const both = parts.filter(readsBoth)
  if (both.length > 0) {
    const rest = parts.filter((part) => !readsBoth(part))
    const joined: Join = { ...plan, how: rest.length > 0 ? plan.how : 'cross', condition: rest.length > 0 ? conjunction(rest) : null }
    return extractUserCalls(filterBy(extractUserCalls(joined), conjunction(both)))
  }
  const left = computeSide(plan.left, parts, 0, leftCount)
  const right = computeSide(plan.right, left.parts, left.input.schema.fields.length, plan.right.schema.fields.length)
  const keep = (fields: LogicalPlan, count: number, from: number) =>
    fields.schema.fields.slice(0, count).map((field, i) => columnRef(field, from + i))
  const leftOnly = plan.how === 'semi' || plan.how === 'anti'
  const fields = leftOnly ? left.input.schema.fields : [...left.input.schema.fields, ...right.input.schema.fields]
  const joined: Join = { ...plan, left: left.input, right: right.input, condition: conjunction(right.parts), schema: new Schema(fields) }
  const columns = [
    ...keep(left.input, leftCount, 0),
    ...(leftOnly ? [] : keep(right.input, plan.right.schema.fields.length, left.input.schema.fields.length)),
  ]
  return {
    kind: 'project',
    input: joined,
    columns: columns.map((expression, i) => {
      const { type, nullable } = plan.schema.fields[i]!
      return { ...namedColumn(plan.schema.fields[i]!, i), expression: { ...expression, type, nullable } }
    }),
    schema: plan.schema,
  }
}

/** Whether the expression is a user call that reads both sides of a join. */
export function isOverBoth(e: Expression, leftCount: number): boolean {
  if (e.kind !== 'user-call') return false
  const read = [...columnsRead(e)]
  return read.some((index) => index < leftCount) && read.some((index) => index >= leftCount)
}

/** One side of a join with the calls over it, and the parts of the condition over the wider side. The side's columns are `from` … `from + count`. */
function computeSide(side: LogicalPlan, parts: readonly Expression[], from: number, count: number) {
  const isOwn = (e: Expression) => {
    const read = [...columnsRead(e)]
    return read.every((index) => index >= from && index < from + count)
  }
  const own: UserCall[] = []
  const visit = (e: Expression) => {
    if (e.kind === 'user-call' && isOwn(e)) {
      if (!own.some((other) => sameExpression(other, e))) own.push(e)
    } else childrenOf(e).forEach(visit)
  }
  parts.forEach(visit)
  if (own.length === 0) return { input: side, parts: [...parts] }
  const shifted = own.map((call) => shiftColumns(call, -from))
  const below = computeBelow(side, shifted)
  const input = projectNamed(below.input, [
    ...side.schema.fields.map(namedColumn),
    ...below.expressions.map((expression, i) => ({ name: own[i]!.function.name, expression })),
  ])
  const replace = (e: Expression): Expression => {
    const index = e.kind === 'user-call' ? own.findIndex((call) => call === e || sameExpression(call, e)) : -1
    if (index >= 0)
      return { kind: 'column', name: own[index]!.function.name, index: from + count + index, type: e.type, nullable: e.nullable }
    if (e.kind === 'column') return e.index >= from + count ? { ...e, index: e.index + own.length } : e
    return mapChildren(e, replace)
  }
  return { input, parts: parts.map(replace) }
}
