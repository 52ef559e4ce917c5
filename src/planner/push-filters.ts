/**
 * Filters go down to where Spark's optimiser has them. For speed alone this would not be needed (DuckDB does it too), but a filter below withWatermark
 * decides which rows move the watermark, and the two engines must agree.
 */
import type { Expression, NamedExpression } from '../plan/expression.ts'
import { childrenOf, columnsRead, conjunction, conjuncts, mapChildren, shiftColumns, someExpression } from '../plan/expression-tree.ts'
import { inputsOf, isStreaming, type Aggregate, type Join, type LogicalPlan, type Project } from '../plan/logical-plan.ts'
import { joinLayout } from './join-layout.ts'

/** The plan with every filter as far down as it can go, unless there is no watermark that it could pass. */
export function pushFilters(plan: LogicalPlan): LogicalPlan {
  return hasWatermark(plan) ? push(plan, [], new Map()) : plan
}
/** What became of a node that no condition met: one that stands in the plan twice stays one node, which is run once. */
type Done = Map<LogicalPlan, LogicalPlan>

function hasWatermark(plan: LogicalPlan): boolean {
  return (plan.kind === 'watermark' && isStreaming(plan)) || inputsOf(plan).some(hasWatermark)
}

/** `plan` with `conditions` (over its columns) applied to its rows. */
function push(plan: LogicalPlan, conditions: readonly Expression[], done: Done): LogicalPlan {
  if (!hasWatermark(plan)) return filtered(plan, conditions)
  if (conditions.length > 0) return pushBelow(plan, conditions, done)
  const known = done.get(plan) ?? pushBelow(plan, conditions, done)
  done.set(plan, known)
  return known
}

function pushBelow(plan: LogicalPlan, conditions: readonly Expression[], done: Done): LogicalPlan {
  switch (plan.kind) {
    case 'filter': {
      const own = conjuncts(plan.condition)
      return own.every(isMovable) ? push(plan.input, [...own, ...conditions], done) : filtered({ ...plan, input: push(plan.input, [], done) }, conditions)
    }
    case 'project': return pushBelowProject(plan, conditions, done)
    case 'watermark': {
      const time = plan.input.schema.indexOf(plan.column)
      const [below, above] = split(conditions, (e) => isMovable(e) && !columnsRead(e).has(time))
      return filtered({ ...plan, input: push(plan.input, below, done) }, above)
    }
    case 'alias': case 'sort': case 'distinct': return { ...plan, input: push(plan.input, conditions, done) }
    case 'union': {
      const distinct = new Map([...new Set(plan.inputs)].map((input) => [input, push(input, conditions, done)]))
      return { ...plan, inputs: plan.inputs.map((input) => distinct.get(input)!) }
    }
    case 'aggregate': return pushBelowAggregate(plan, conditions, done)
    case 'join': return pushBelowJoin(plan, conditions, done)
    case 'limit': return filtered({ ...plan, input: push(plan.input, [], done) }, conditions)
    case 'stream-scan': case 'scan': case 'local': return filtered(plan, conditions)
  }
}

function filtered(input: LogicalPlan, conditions: readonly Expression[]): LogicalPlan {
  return conditions.length === 0 ? input : { kind: 'filter', input, condition: conjunction(conditions), schema: input.schema }
}

/** The time of the batch is the same for all its rows. */
function isMovable(e: Expression): boolean {
  return !someExpression(e, (x) => x.kind === 'call' && !x.deterministic && x.name !== 'current_timestamp' && x.name !== 'current_date')
}

function split<T>(values: readonly T[], test: (value: T) => boolean): [T[], T[]] {
  return [values.filter(test), values.filter((value) => !test(value))]
}

function replaceColumns(e: Expression, by: readonly NamedExpression[]): Expression {
  return e.kind === 'column' ? by[e.index]!.expression : mapChildren(e, (child) => replaceColumns(child, by))
}

function hasWindow(e: Expression): boolean {
  return e.kind === 'window' || childrenOf(e).some(hasWindow)
}

function pushBelowProject(plan: Project, conditions: readonly Expression[], done: Done): LogicalPlan {
  const [below, above] = split(conditions, (e) => [...columnsRead(e)].every((i) => isMovable(plan.columns[i]!.expression) && !hasWindow(plan.columns[i]!.expression)))
  return filtered({ ...plan, input: push(plan.input, below.map((e) => replaceColumns(e, plan.columns)), done) }, above)
}

/** A condition on the keys alone says which rows take part. */
function pushBelowAggregate(plan: Aggregate, conditions: readonly Expression[], done: Done): LogicalPlan {
  const isKey = (i: number) => i < plan.keys.length && isMovable(plan.keys[i]!.expression) && !hasWindow(plan.keys[i]!.expression)
  const [below, above] = split(conditions, (e) => isMovable(e) && columnsRead(e).size > 0 && [...columnsRead(e)].every(isKey))
  return filtered({ ...plan, input: push(plan.input, below.map((e) => replaceColumns(e, plan.keys)), done) }, above)
}

/** Conditions on one side go to that side, where the join does not make up its rows; the join's own as well, to the side whose rows they can only lose. */
function pushBelowJoin(plan: Join, conditions: readonly Expression[], done: Done): LogicalPlan {
  const leftCount = plan.left.schema.fields.length
  const layout = joinLayout(plan)
  const over = conditions.map((e) => ({ above: e, below: overSides(e, layout, leftCount) }))
  const isLeft = (e: Expression) => [...columnsRead(e)].every((i) => i < leftCount)
  const isRight = (e: Expression) => [...columnsRead(e)].every((i) => i >= leftCount)
  const reads = (e: Expression) => columnsRead(e).size > 0 && isMovable(e)
  const whereLeft = ['inner', 'cross', 'left', 'semi', 'anti'].includes(plan.how)
  const whereRight = ['inner', 'cross', 'right'].includes(plan.how)
  const onLeft = ['inner', 'semi', 'right'].includes(plan.how)
  const onRight = ['inner', 'semi', 'left', 'anti'].includes(plan.how)
  const on = plan.condition === null ? [] : conjuncts(plan.condition)
  const left: Expression[] = []
  const right: Expression[] = []
  const rest = over.filter(({ below }) => {
    if (below === undefined || !reads(below)) return true
    if (whereLeft && isLeft(below)) return left.push(below) < 0
    if (whereRight && isRight(below)) return right.push(shiftColumns(below, -leftCount)) < 0
    return true
  })
  const kept = on.filter((e) => {
    if (!reads(e)) return true
    if (onLeft && isLeft(e)) return left.push(e) < 0
    if (onRight && isRight(e)) return right.push(shiftColumns(e, -leftCount)) < 0
    return true
  })
  const condition: Expression | null = plan.condition === null ? null : kept.length > 0 ? conjunction(kept) : { kind: 'literal', value: true, type: 'boolean', nullable: false }
  return filtered({ ...plan, left: push(plan.left, left, done), right: push(plan.right, right, done), condition }, rest.map(({ above }) => above))
}

/** A condition over a join's output as one over its left columns followed by its right; undefined where it reads a key made of both. */
function overSides(e: Expression, layout: ReturnType<typeof joinLayout>, leftCount: number): Expression | undefined {
  if ([...columnsRead(e)].some((i) => layout[i]!.from === 'both')) return undefined
  const move = (x: Expression): Expression => {
    if (x.kind !== 'column') return mapChildren(x, move)
    const { from, left, right } = layout[x.index]!
    return { ...x, index: from === 'left' ? left : leftCount + right }
  }
  return move(e)
}
