/**
 * Rewrites of an analysed plan that keep its meaning. Only what the engine's own steps need is done here; DuckDB optimises the SQL.
 * Filters move down so that they run before a watermark is measured: event time then advances by the kept rows only, as in Spark.
 */
import { assert } from '../base/errors.ts'
import { filterBy } from './analyze.ts'
import type { Expression } from './expression.ts'
import {
  childrenOf,
  columnsRead,
  conjunction,
  conjuncts,
  hasWindow,
  isDeterministic,
  replaceColumns,
  sameExpression,
  shiftColumns,
  someExpression,
} from './expression-tree.ts'
import {
  conditionFilters,
  filterAbove,
  inferJoinFilters,
  inferTimeFilters,
  type JoinSide,
  keepsRows,
  pushPartsOfOr,
  refusesNulls,
} from './infer-filters.ts'
import type { Join, LogicalPlan } from './logical-plan.ts'
import { inputsOf, isStreaming } from './logical-plan.ts'
import { dropVoidAntiJoin, pushSemiJoinDown } from './push-semi-join.ts'
import { dropRedundantAggregate, isMadeOfKeys } from './redundant-aggregates.ts'
import { shareEqualNodes } from './share-nodes.ts'
import { tellConditions } from './source-conditions.ts'
import { extractUserCalls, hasUserCall } from './user-calls.ts'

/** Gives the plan, or another that means the same. Looks at the top of the plan only. */
export type Rule = (plan: LogicalPlan) => LogicalPlan

/** Applies all rules everywhere until nothing changes. */
export function optimize(plan: LogicalPlan): LogicalPlan {
  // filters that come into a join's condition from above say something too; what they say in turn is not asked, as in Spark
  const settled = untilNothingChanges(everywhere(plan, (node) => inferTimeFilters(node, 'even')))
  const inferred = everywhere(settled, inferJoinFilters)
  const narrowed = untilNothingChanges(everywhere(inferred, (node) => inferTimeFilters(node, 'uneven')))
  const pushed = untilNothingChanges(everywhere(narrowed, pushPartsOfOr))
  return shareEqualNodes(everywhere(everywhere(pushed, tellConditions), extractUserCalls), withInputs)
}

function untilNothingChanges(plan: LogicalPlan): LogicalPlan {
  let current = plan
  for (let round = 0; round < 100; round++) {
    const next = everywhere(current, (node) => rules.reduce((p, rule) => rule(p), node))
    if (next === current) return current
    current = next
  }
  assert(false, 'the rules of the plan do not come to an end')
}

/** A node that stands in the plan twice (a self-join, a CTE read twice) stays one: its watermark is measured, its functions are called once. */
function everywhere(plan: LogicalPlan, rule: Rule, done = new Map<LogicalPlan, LogicalPlan>()): LogicalPlan {
  const known = done.get(plan)
  if (known) return known
  const after = rule(plan)
  const inputs = inputsOf(after)
  const rewritten = inputs.map((input) => everywhere(input, rule, done))
  const made = rewritten.every((input, i) => input === inputs[i]) ? after : withInputs(after, rewritten)
  done.set(plan, made)
  return made
}

/** The node over other inputs of the same schema. */
export function withInputs(plan: LogicalPlan, inputs: readonly LogicalPlan[]): LogicalPlan {
  switch (plan.kind) {
    case 'stream-scan':
    case 'scan':
    case 'local':
      return plan
    case 'join':
    case 'set-operation':
      return { ...plan, left: inputs[0]!, right: inputs[1]! }
    case 'union':
      return { ...plan, inputs }
    case 'filter':
      return { ...plan, input: inputs[0]!, schema: inputs[0]!.schema }
    case 'groups':
      return {
        ...plan,
        input: inputs[0]!,
        initialState: plan.initialState && { ...plan.initialState, plan: inputs[1]! },
      }
    default:
      return { ...plan, input: inputs[0]! }
  }
}

/** Filter(Filter(x)) becomes one Filter, with each part of the conditions once. */
export const combineFilters: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'filter') return plan
  const below = conjuncts(plan.input.condition)
  const more = conjuncts(plan.condition).filter((part) => !isDeterministic(part) || !below.some((other) => sameExpression(part, other)))
  return filterAbove(plan.input.input, [...below, ...more])
}

/** Filter(Watermark(x)) becomes Watermark(Filter(x)) for the parts of the condition that do not read the event-time column and always give
 *  the same. Spark does the same, and the two engines must agree on how event time advances. */
export const pushFilterBelowWatermark: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'watermark') return plan
  const mark = plan.input
  const column = mark.index ?? mark.schema.indexOf(mark.column)
  const [down, up] = split(plan.condition, (part) => isDeterministic(part) && !columnsRead(part).has(column))
  return down.length === 0 ? plan : filterAbove({ ...mark, input: filterAbove(mark.input, down) }, up)
}

/** Filter(Alias(x)) becomes Alias(Filter(x)). */
export const pushFilterBelowAlias: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'alias') return plan
  return { ...plan.input, input: filterBy(plan.input.input, plan.condition) }
}

/** Filter(Project(x)) becomes Project(Filter(x)), with the columns' expressions in the condition. Not where a column differs from time to time or is a sliding
 *  window (which multiplies rows: Spark does not go below either), and not for what reads a window. */
export const pushFilterBelowProject: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'project') return plan
  const { columns, input } = plan.input
  if (columns.some(({ expression }) => !isDeterministic(expression) || hasSlidingWindow(expression))) return plan
  // a result of a user function is computed once, in the projection
  const isComputed = (index: number) => hasUserCall(columns[index]!.expression) || hasWindow(columns[index]!.expression)
  const [down, up] = split(plan.condition, (part) => isDeterministic(part) && ![...columnsRead(part)].some(isComputed))
  if (down.length === 0) return plan
  const inlined = down.map((part) => replaceColumns(part, ({ index }) => columns[index]!.expression))
  if (!inlined.every((part) => sizeUpTo(part, maxInlined) < maxInlined)) return plan
  return filterAbove({ ...plan.input, input: filterAbove(input, inlined) }, up)
}

/** A column that is used twice in each of many projections doubles each time: where a condition would grow beyond this it stays above. */
const maxInlined = 1000
function sizeUpTo(e: Expression, limit: number): number {
  let size = 1
  for (const child of childrenOf(e)) {
    if (size >= limit) break
    size += sizeUpTo(child, limit - size)
  }
  return size
}

/** Filter(Union(a, b)) becomes Union(Filter(a), Filter(b)). */
export const pushFilterBelowUnion: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'union') return plan
  const [down, up] = split(plan.condition, isDeterministic)
  return down.length === 0 ? plan : filterAbove({ ...plan.input, inputs: plan.input.inputs.map((input) => filterAbove(input, down)) }, up)
}

/** Parts of a filter above a generator that read the input's columns only go below it: rows go before they are multiplied. */
export const pushFilterBelowGenerate: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'generate') return plan
  const { input } = plan.input
  const count = input.schema.fields.length
  const [down, up] = split(plan.condition, (part) => isDeterministic(part) && [...columnsRead(part)].every((index) => index < count))
  return down.length === 0 ? plan : filterAbove({ ...plan.input, input: filterAbove(input, down) }, up)
}

/** Parts of a filter above an aggregation that read grouping keys, or what is made of them, only (no window) go below it: whole groups go, before they cost state. */
export const pushFilterBelowAggregate: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'aggregate') return plan
  const { keys, aggregates, input, session } = plan.input
  if (keys.length === 0) return plan
  const columns = [...keys, ...aggregates]
  const isPlainKey = (index: number) => index !== session && isMadeOfKeys(columns[index]!)
  const [down, up] = split(
    plan.condition,
    (part) => isDeterministic(part) && !hasUserCall(part) && columnsRead(part).size > 0 && [...columnsRead(part)].every(isPlainKey),
  )
  if (down.length === 0) return plan
  const inlined = down.map((part) => replaceColumns(part, ({ index }) => columns[index]!.expression))
  return filterAbove({ ...plan.input, input: filterAbove(input, inlined) }, up)
}

/** Filter(Distinct(x)) becomes Distinct(Filter(x)): DISTINCT is an aggregation by all columns. */
export const pushFilterBelowDistinct: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'distinct') return plan
  const { input } = plan.input
  const [down, up] = split(plan.condition, (part) => isDeterministic(part) && !hasUserCall(part) && columnsRead(part).size > 0)
  return down.length === 0 ? plan : filterAbove({ ...plan.input, input: filterAbove(input, down) }, up)
}

/** Parts of a filter above a join that read one side's columns only go to that side, where the join keeps that side's rows as they are. */
export const pushFilterBelowJoin: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'join') return plan
  const join = plan.input
  const origins = originsOf(join)
  const left: Expression[] = []
  const right: Expression[] = []
  const [, up] = split(plan.condition, (part) => {
    const sides = new Set([...columnsRead(part)].map((index) => origins[index]?.side))
    if (!isDeterministic(part) || hasUserCall(part) || sides.size !== 1) return false
    const side = [...sides][0]
    if (side === undefined || !keepsRows(join, side)) return false
    ;(side === 'left' ? left : right).push(replaceColumns(part, ({ index }) => origins[index]!.column))
    return true
  })
  if (left.length + right.length === 0) return plan
  return filterAbove({ ...join, left: filterAbove(join.left, left), right: filterAbove(join.right, right) }, up)
}

/** Parts of a join's own condition that read one side only become filters of that side, where a row of that side that fails them is not
 *  kept by the join anyway. */
export const pushJoinConditionDown: Rule = (plan) => {
  if (plan.kind !== 'join' || plan.condition === null) return plan
  const leftCount = plan.left.schema.fields.length
  const left: Expression[] = []
  const right: Expression[] = []
  const [, rest] = split(plan.condition, (part) => {
    const columns = [...columnsRead(part)]
    if (columns.length === 0 || !isDeterministic(part) || hasUserCall(part)) return false
    if (columns.every((index) => index < leftCount) && conditionFilters(plan, 'left')) return left.push(part) > 0
    if (columns.every((index) => index >= leftCount) && conditionFilters(plan, 'right'))
      return right.push(shiftColumns(part, -leftCount)) > 0
    return false
  })
  // a condition must stay: a join without one is another join
  if (left.length + right.length === 0 || rest.length === 0) return plan
  return { ...plan, left: filterAbove(plan.left, left), right: filterAbove(plan.right, right), condition: conjunction(rest) }
}

/** Parts of a filter above an inner join of two streams that read both sides are parts of its condition: an equality becomes a key, a comparison of times says how long
 *  rows are kept. */
export const pushFilterIntoStreamJoin: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'join' || !isStreamJoin(plan.input)) return plan
  const join = plan.input
  if (join.how !== 'inner' && join.how !== 'cross') return plan
  const origins = originsOf(join)
  const leftCount = join.left.schema.fields.length
  const reads = (part: Expression) => new Set([...columnsRead(part)].map((index) => origins[index]?.side))
  const [down, up] = split(plan.condition, (part) => isDeterministic(part) && !hasUserCall(part) && reads(part).size === 2)
  if (down.length === 0) return plan
  const parts = down.map((part) =>
    replaceColumns(part, ({ index }) => {
      const { side, column } = origins[index]!
      return side === 'left' ? column : shiftColumns(column, leftCount)
    }),
  )
  const condition = conjunction(join.condition === null ? parts : [join.condition, ...parts])
  return filterAbove({ ...join, how: 'inner', condition }, up)
}

/** An outer join of two streams under a filter that refuses the rows which it completes with nulls completes none: those rows are neither kept nor waited for. Spark's
 *  EliminateOuterJoin; of joins with tables DuckDB does the same. */
export const narrowOuterJoin: Rule = (plan) => {
  if (plan.kind !== 'filter' || plan.input.kind !== 'join' || !isStreamJoin(plan.input)) return plan
  const join = plan.input
  const completes = { left: join.how === 'right' || join.how === 'full', right: join.how === 'left' || join.how === 'full' }
  if (!completes.left && !completes.right) return plan
  const origins = originsOf(join)
  const parts = conjuncts(plan.condition).filter((part) => isDeterministic(part) && !hasUserCall(part))
  const isNarrowed = (side: JoinSide) =>
    completes[side] && parts.some((part) => refusesNulls(part, (index) => origins[index]?.side === side))
  const [left, right] = [completes.left && !isNarrowed('left'), completes.right && !isNarrowed('right')]
  const how = left ? (right ? 'full' : 'right') : right ? 'left' : 'inner'
  return how === join.how ? plan : { ...plan, input: { ...join, how } }
}

function isStreamJoin({ left, right }: Join): boolean {
  return isStreaming(left) && isStreaming(right)
}

const rules: readonly Rule[] = [
  combineFilters,
  pushFilterBelowProject,
  pushFilterBelowAlias,
  pushFilterBelowUnion,
  pushFilterBelowGenerate,
  pushFilterBelowAggregate,
  pushFilterBelowDistinct,
  narrowOuterJoin,
  pushFilterBelowJoin,
  pushFilterIntoStreamJoin,
  pushJoinConditionDown,
  dropVoidAntiJoin,
  pushSemiJoinDown,
  dropRedundantAggregate,
  pushFilterBelowWatermark,
]

/** Which input column each output column of a join is; undefined for a key that a full join puts together. */
function originsOf(join: Join): ({ readonly side: JoinSide; readonly column: Expression } | undefined)[] {
  const of = (side: JoinSide, index: number) => {
    const field = join[side].schema.fields[index]!
    return { side, column: { kind: 'column', name: field.name, index, type: field.type, nullable: field.nullable } as const }
  }
  const ls = join.left.schema.fields.map((_, i) => of('left', i))
  const rs = join.how === 'semi' || join.how === 'anti' ? [] : join.right.schema.fields.map((_, i) => of('right', i))
  if (!join.using) return [...ls, ...rs]
  const isKey = (name: string) => join.using!.some((key) => key.toLowerCase() === name.toLowerCase())
  const keys = join.using.map((key) => {
    const side: JoinSide = join.how === 'right' ? 'right' : 'left'
    return join.how === 'full'
      ? undefined
      : of(
          side,
          join[side].schema.names.findIndex((name) => name.toLowerCase() === key.toLowerCase()),
        )
  })
  return [...keys, ...ls.filter(({ column }) => !isKey(column.name)), ...rs.filter(({ column }) => !isKey(column.name))]
}

function hasSlidingWindow(e: Expression): boolean {
  return someExpression(e, (x) => x.kind === 'window' && x.gap === undefined && x.slideUs !== x.durationUs)
}

function split(condition: Expression, goesDown: (part: Expression) => boolean): [down: Expression[], up: Expression[]] {
  const down: Expression[] = []
  const up: Expression[] = []
  for (const part of conjuncts(condition)) (goesDown(part) ? down : up).push(part)
  return [down, up]
}
