/**
 * A semi or anti join of a stream with a table goes below the steps with state: rows that it leaves out then cost none. Spark does the same
 * (PushDownLeftSemiAntiJoin, PushLeftSemiLeftAntiThroughJoin), so that both count the same rows in the state.
 */
import type { Expression, NamedExpression } from './expression.ts'
import { columnsRead, isDeterministic, mapChildren, someExpression } from './expression-tree.ts'
import { isStreaming, type Join, type LogicalPlan } from './logical-plan.ts'
import { hasUserCall } from './user-calls.ts'

/** Gives the plan, or one with the join a step further down. */
export function pushSemiJoinDown(plan: LogicalPlan): LogicalPlan {
  if (plan.kind !== 'join' || (plan.how !== 'semi' && plan.how !== 'anti') || plan.condition === null || plan.using) return plan
  if (!isStreaming(plan.left) || isStreaming(plan.right) || !isDeterministic(plan.condition) || hasUserCall(plan.condition)) return plan
  const { left } = plan
  switch (left.kind) {
    case 'alias':
      return { ...left, input: below(plan, left.input, (column) => column) }
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

type ColumnOf = (column: Extract<Expression, { kind: 'column' }>) => Expression

/** The expressions that stand behind the columns that the condition reads of the left side, where it reads only such and none has to be computed twice. */
function readOf(join: Join, named: readonly NamedExpression[]): ColumnOf | null {
  const read = [...columnsRead(join.condition!)].filter((index) => index < join.left.schema.fields.length)
  const isPlain = (index: number) => {
    const expression = named[index]?.expression
    return (
      expression !== undefined &&
      isDeterministic(expression) &&
      !hasUserCall(expression) &&
      !someExpression(expression, (e) => e.kind === 'window')
    )
  }
  return read.length > 0 && read.every(isPlain) ? ({ index }) => named[index]!.expression : null
}

/** The semi join over another left side, whose expressions `columnOf` gives for the columns of the old one. */
function below(join: Join, left: LogicalPlan, columnOf: ColumnOf): Join {
  const [before, after] = [join.left.schema.fields.length, left.schema.fields.length]
  const moved = (e: Expression): Expression => {
    if (e.kind !== 'column') return mapChildren(e, moved)
    return e.index < before ? columnOf(e) : { ...e, index: e.index - before + after }
  }
  return { ...join, left, condition: moved(join.condition!), schema: left.schema }
}

/** To the side that the condition asks of, where the join keeps that side's rows as they are. */
function belowJoin(join: Join, stream: Join): LogicalPlan {
  if (stream.using) return join
  const count = stream.left.schema.fields.length
  const read = [...columnsRead(join.condition!)].filter((index) => index < join.left.schema.fields.length)
  if (read.length === 0) return join
  const { how } = stream
  if (read.every((index) => index < count) && /^(?:inner|cross|left|semi|anti)$/.test(how))
    return { ...stream, left: below(join, stream.left, (column) => column) }
  if (read.every((index) => index >= count) && /^(?:inner|cross|right)$/.test(how))
    return { ...stream, right: below(join, stream.right, (column) => ({ ...column, index: column.index - count })) }
  return join
}
