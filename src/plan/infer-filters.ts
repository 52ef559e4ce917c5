/**
 * What a join says about the rows of one side alone, as filters below it: they then go before they move a watermark or cost state. The two engines must agree on
 * this, since it decides how event time advances (Spark's InferFiltersFromConstraints).
 */
import { filterBy } from './analyze.ts'
import type { Expression } from './expression.ts'
import {
  childrenOf,
  columnsRead,
  conjunction,
  conjuncts,
  isDeterministic,
  replaceColumns,
  safeCalls,
  sameExpression,
  shiftColumns,
} from './expression-tree.ts'
import { isStreaming, type Join, type LogicalPlan } from './logical-plan.ts'
import { nullForNull, nullIntolerant } from './null-intolerant.ts'
import { hasUserCall } from './user-calls.ts'

export type JoinSide = 'left' | 'right'

/** Whether a row of that side that fails the join's condition is left out of the result. */
export function conditionFilters({ how }: Join, side: JoinSide): boolean {
  if (how === 'inner' || how === 'cross' || how === 'semi') return true
  return side === 'left' ? how === 'right' : how === 'left' || how === 'anti'
}

/** Whether each row that the join gives has an unchanged row of that side in it (never nulls in its place). */
export function keepsRows({ how }: Join, side: JoinSide): boolean {
  if (how === 'inner' || how === 'cross') return true
  return side === 'left' ? how === 'left' || how === 'semi' || how === 'anti' : how === 'right'
}

export function filterAbove(input: LogicalPlan, parts: readonly Expression[]): LogicalPlan {
  return parts.length === 0 ? input : filterBy(input, conjunction(parts))
}

/**
 * The join over inputs without the rows that can't match: those with a null where the condition is then never true, and those that fail what the other side's
 * filters say of an equal column (`a.k = b.k AND a.k > 5` says `b.k > 5`). For streams; in a batch it makes no difference. To be applied once to a join.
 */
export function inferJoinFilters(plan: LogicalPlan): LogicalPlan {
  if (plan.kind !== 'join' || plan.condition === null || !isStreaming(plan)) return plan
  const leftCount = plan.left.schema.fields.length
  const condition = conjuncts(plan.condition).filter(isDeterministic)
  const known = [...condition, ...knownOf(plan.left), ...knownOf(plan.right).map((part) => shiftColumns(part, leftCount))]
  const inferred = [...condition.flatMap(columnsNotNull), ...throughEqualities(known, condition)]
  const filtersOf = (side: JoinSide): Expression[] => {
    if (!conditionFilters(plan, side) || !isStreaming(plan[side])) return []
    const isOwn = (part: Expression) => [...columnsRead(part)].every((index) => index < leftCount === (side === 'left'))
    const own = inferred.filter(isOwn)
    return side === 'left' ? own : own.map((part) => shiftColumns(part, -leftCount))
  }
  const [left, right] = [filtersOf('left'), filtersOf('right')]
  if (left.length + right.length === 0) return plan
  return { ...plan, left: filterAbove(plan.left, left), right: filterAbove(plan.right, right) }
}

/** That the columns are not null without which the condition is null. */
function columnsNotNull(condition: Expression): Expression[] {
  const needed = (e: Expression): Expression[] => {
    if (e.kind === 'column') return e.nullable ? [e] : []
    return isNullFor(nullIntolerant, e) ? childrenOf(e).flatMap(needed) : []
  }
  return needed(condition).map(notNull)
}
function isNullFor(calls: ReadonlySet<string>, e: Expression): boolean {
  return e.kind === 'cast' || (e.kind === 'call' && calls.has(e.name))
}
function notNull(value: Expression): Expression {
  return { kind: 'call', name: 'isnotnull', args: [value], type: 'boolean', nullable: false, deterministic: true }
}

/**
 * A window over a time that comes out of a join of streams, with a filter below it: a row without a time is in no window (Spark's TimeWindowing and SessionWindowing have
 * that filter always). It makes an outer join one that keeps fewer rows. To be applied once, `even` before inferJoinFilters and `uneven` after it: sliding windows
 * whose length is no multiple of their slide have only a comparison in Spark, from which the filter is inferred when the joins have been asked.
 */
export function inferTimeFilters(plan: LogicalPlan, which: 'even' | 'uneven'): LogicalPlan {
  if (plan.kind !== 'project' && plan.kind !== 'aggregate') return plan
  const columns = plan.kind === 'project' ? plan.columns : plan.keys
  const times = columns
    .flatMap(({ expression }) => timesOf(expression, which))
    .filter((time) => time.nullable && isDeterministic(time) && !hasUserCall(time))
  if (times.length === 0 || !isAboveStreamJoin(plan.input)) return plan
  return { ...plan, input: filterAbove(plan.input, times.map(notNull)) }
}
function timesOf(e: Expression, which: 'even' | 'uneven'): Expression[] {
  if (e.kind !== 'window') return childrenOf(e).flatMap((child) => timesOf(child, which))
  const isEven = e.gap !== undefined || e.durationUs % e.slideUs === 0n
  return isEven === (which === 'even') ? [e.time] : []
}
/** Whether nothing that keeps rows stands between. */
function isAboveStreamJoin(plan: LogicalPlan): boolean {
  if (plan.kind === 'join') {
    const streams = [plan.left, plan.right].filter(isStreaming)
    return streams.length === 2 || streams.some(isAboveStreamJoin)
  }
  return (plan.kind === 'filter' || plan.kind === 'project' || plan.kind === 'alias') && isAboveStreamJoin(plan.input)
}

/** Whether a condition is not true where all columns of which `isNull` says so are null. */
export function refusesNulls(condition: Expression, isNull: (index: number) => boolean): boolean {
  const givesNull = (e: Expression): boolean =>
    e.kind === 'column' ? isNull(e.index) : isNullFor(nullForNull, e) && childrenOf(e).some(givesNull)
  const refuses = (e: Expression): boolean => {
    if (givesNull(e)) return true
    if (e.kind !== 'call') return false
    const [first] = e.args
    switch (e.name) {
      case 'isnotnull':
      case 'in':
        return givesNull(first!)
      case 'not':
        return first!.kind === 'call' && first!.name === 'isnull' && givesNull(first!.args[0]!)
      case 'and':
        return e.args.some(refuses)
      case 'or':
        return e.args.every(refuses)
      default:
        return false
    }
  }
  return refuses(condition)
}

/** What filters say of all rows of a plan, over its columns. */
function knownOf(plan: LogicalPlan): Expression[] {
  switch (plan.kind) {
    case 'filter':
      return [...conjuncts(plan.condition), ...knownOf(plan.input)]
    case 'watermark':
    case 'alias':
      return knownOf(plan.input)
    case 'project': {
      const places = new Map<number, number>()
      plan.columns.forEach(({ expression }, index) => {
        if (expression.kind === 'column' && !places.has(expression.index)) places.set(expression.index, index)
      })
      return knownOf(plan.input)
        .filter((part) => [...columnsRead(part)].every((index) => places.has(index)))
        .map((part) => replaceColumns(part, (column) => ({ ...column, index: places.get(column.index)! })))
    }
    default:
      return []
  }
}

/** Whether the condition may fail for some value: it would be asked of rows that the query does not ask. */
function canFail(e: Expression): boolean {
  if (e.kind === 'column' || columnsRead(e).size === 0) return false
  return !isSafe(e) || childrenOf(e).some(canFail)
}
function isSafe(e: Expression): boolean {
  if (e.kind === 'cast') return e.type === 'string' || e.mode === 'try'
  if (e.kind === 'case') return true
  if (e.kind !== 'call') return false
  const [, divisor] = e.args
  if (e.name === '%') return divisor?.kind === 'literal' && divisor.value !== null && Number(divisor.value) !== 0
  return safeCalls.has(e.name) || moreSafeCalls.has(e.name)
}
/** Calls that have a value for every value of their arguments, besides the plain comparisons. */
const moreSafeCalls = new Set(
  `coalesce if greatest least like concat trim ltrim rtrim btrim upper lower length substring startswith endswith contains hex bin
  year quarter month day dayofweek dayofyear weekday hour minute second unix_timestamp unix_seconds try_add try_subtract try_multiply try_divide`.split(
    /\s+/,
  ),
)

/**
 * What a join's condition says of the rows of one side through an OR: `(a.x AND b.y) OR a.z` says `a.x OR a.z` of the left side. Spark asks it of rows below the
 * join (PushExtraPredicateThroughJoin), so that those it leaves out cost no state and move no watermark. To be applied once to a join.
 */
export function pushPartsOfOr(plan: LogicalPlan): LogicalPlan {
  if (plan.kind !== 'join' || plan.condition === null || plan.using || !isStreaming(plan)) return plan
  const leftCount = plan.left.schema.fields.length
  const filtersOf = (side: JoinSide): Expression[] => {
    if (!conditionFilters(plan, side) || !isStreaming(plan[side])) return []
    const isOwn = (index: number) => index < leftCount === (side === 'left')
    const found = conjuncts(plan.condition!).flatMap((part) => (isCall(part, 'or') ? (partOf(part, isOwn) ?? []) : []))
    return side === 'left' ? found : found.map((part) => shiftColumns(part, -leftCount))
  }
  const [left, right] = [filtersOf('left'), filtersOf('right')]
  return left.length + right.length === 0 ? plan : { ...plan, left: filterAbove(plan.left, left), right: filterAbove(plan.right, right) }
}
/** The most that a condition says of some columns alone; undefined where that is nothing, or may fail. */
function partOf(e: Expression, isOwn: (index: number) => boolean): Expression | undefined {
  if (isCall(e, 'or') || isCall(e, 'and')) {
    const [a, b] = e.args.map((arg) => partOf(arg, isOwn))
    if (a !== undefined && b !== undefined) return { ...e, args: [a, b] }
    return e.name === 'and' ? (a ?? b) : undefined
  }
  const columns = [...columnsRead(e)]
  return columns.length > 0 && columns.every(isOwn) && isDeterministic(e) && !hasUserCall(e) && !canFail(e) ? e : undefined
}
function isCall(e: Expression, name: string): e is Extract<Expression, { kind: 'call' }> {
  return e.kind === 'call' && e.name === name && e.args.length === 2
}

/** The conditions once more, with one column of an equality (or its cast) in the place of the other. */
function throughEqualities(known: readonly Expression[], condition: readonly Expression[]): Expression[] {
  const usable = known.filter((part) => !canFail(part) && !hasUserCall(part))
  const found: Expression[] = []
  for (const equality of condition) {
    if (equality.kind !== 'call' || equality.name !== '==') continue
    const [a, b] = equality.args as readonly [Expression, Expression]
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      if (from.kind !== 'column' || !isColumnOrCast(to)) continue
      for (const part of usable) {
        if (part === equality || !columnsRead(part).has(from.index)) continue
        found.push(replaceColumns(part, (column) => (column.index === from.index ? to : column)))
      }
    }
  }
  return found.filter((part) => !known.some((other) => sameExpression(part, other)))
}
function isColumnOrCast(e: Expression): boolean {
  return e.kind === 'column' || (e.kind === 'cast' && e.mode !== 'try' && e.input.kind === 'column')
}
