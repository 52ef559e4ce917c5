/**
 * A semi or anti join of a stream with a table goes below the steps with state: rows that it leaves out then cost none. One that a filter was made of goes
 * below watermarks too: those rows then move none. Spark does the same (PushDownLeftSemiAntiJoin, PushLeftSemiLeftAntiThroughJoin, PushDownPredicates), so that
 * both count the same rows in the state and have the same event time.
 */
import type { ColumnRef, Expression, NamedExpression } from './expression.ts'
import { columnsRead, conjuncts, hasWindow, isDeterministic, replaceColumns } from './expression-tree.ts'
import { keepsRows } from './infer-filters.ts'
import { isStreaming, type Join, type LogicalPlan } from './logical-plan.ts'
import { hasUserCall } from './user-calls.ts'

/** An anti join whose condition is never true leaves nothing out: `EXCEPT SELECT NULL` of a column that is never null. Spark finds it by folding constants. */
export function dropVoidAntiJoin(plan: LogicalPlan): LogicalPlan {
  if (plan.kind !== 'join' || plan.how !== 'anti' || plan.condition === null || plan.using || !isStreaming(plan.left)) return plan
  const count = plan.left.schema.fields.length
  const isNull = (e: Expression) =>
    e.kind === 'column' ? e.index >= count && isNullIn(plan.right, { ...e, index: e.index - count }) : isNullIn(plan.right, e)
  const isNeverTrue = (part: Expression): boolean => {
    if (part.kind === 'literal') return part.value !== true
    if (part.kind !== 'call' || part.name !== '<=>') return false
    const [a, b] = part.args as readonly [Expression, Expression]
    return (isNull(a) && !b.nullable) || (isNull(b) && !a.nullable)
  }
  return conjuncts(plan.condition).some(isNeverTrue) ? plan.left : plan
}

/** Whether an expression over a plan is the literal NULL. */
function isNullIn(plan: LogicalPlan, e: Expression): boolean {
  if (e.kind === 'literal') return e.value === null
  if (e.kind === 'cast') return isNullIn(plan, e.input)
  if (e.kind !== 'column') return false
  if (plan.kind === 'alias') return isNullIn(plan.input, e)
  return plan.kind === 'project' && isNullIn(plan.input, plan.columns[e.index]!.expression)
}

/** Gives the plan, or one with the join a step further down. */
export function pushSemiJoinDown(plan: LogicalPlan): LogicalPlan {
  if (plan.kind !== 'join' || (plan.how !== 'semi' && plan.how !== 'anti') || plan.condition === null || plan.using) return plan
  if (!isStreaming(plan.left) || isStreaming(plan.right) || !isDeterministic(plan.condition) || hasUserCall(plan.condition)) return plan
  const { left } = plan
  switch (left.kind) {
    case 'alias':
    case 'distinct':
      return { ...left, input: below(plan, left.input, (column) => column) }
    case 'watermark': {
      const column = left.index ?? left.schema.indexOf(left.column)
      return plan.isFilter && !columnsRead(plan.condition).has(column) ? { ...left, input: below(plan, left.input, (same) => same) } : plan
    }
    case 'union':
      return { ...left, inputs: left.inputs.map((input) => below(plan, input, (column) => column)) }
    case 'project': {
      const columns = readOf(plan, left.columns)
      return columns ? { ...left, input: below(plan, left.input, columns) } : plan
    }
    case 'aggregate': {
      const keys = readOf(plan, left.keys)
      return keys && left.keys.length > 0 ? { ...left, input: below(plan, left.input, keys) } : plan
    }
    case 'join':
      return belowJoin(plan, left)
    default:
      return plan
  }
}

type ColumnOf = (column: ColumnRef) => Expression

/** The columns of the left side that the condition reads. */
function leftColumns({ condition, left }: Join): number[] {
  return [...columnsRead(condition!)].filter((index) => index < left.schema.fields.length)
}

/** The expressions that stand behind the columns that the condition reads of the left side, where it reads only such and none has to be computed twice. */
function readOf(join: Join, named: readonly NamedExpression[]): ColumnOf | null {
  const read = leftColumns(join)
  const isPlain = (index: number) => {
    const expression = named[index]?.expression
    return expression !== undefined && isDeterministic(expression) && !hasUserCall(expression) && !hasWindow(expression)
  }
  return read.length > 0 && read.every(isPlain) ? ({ index }) => named[index]!.expression : null
}

/** The semi join over another left side, whose expressions `columnOf` gives for the columns of the old one. */
function below(join: Join, left: LogicalPlan, columnOf: ColumnOf): Join {
  const [before, after] = [join.left.schema.fields.length, left.schema.fields.length]
  const condition = replaceColumns(join.condition!, (column) =>
    column.index < before ? columnOf(column) : { ...column, index: column.index - before + after },
  )
  return { ...join, left, condition, schema: left.schema }
}

/** To the side that the condition asks of, where the join keeps that side's rows as they are. */
function belowJoin(join: Join, stream: Join): LogicalPlan {
  if (stream.using) return join
  const count = stream.left.schema.fields.length
  const read = leftColumns(join)
  if (read.length === 0) return join
  if (read.every((index) => index < count) && keepsRows(stream, 'left'))
    return { ...stream, left: below(join, stream.left, (column) => column) }
  if (read.every((index) => index >= count) && keepsRows(stream, 'right'))
    return { ...stream, right: below(join, stream.right, (column) => ({ ...column, index: column.index - count })) }
  return join
}
