/**
 * Of two aggregations of a stream, one above the other, the one that changes nothing goes: a step with state less. Spark does the same (RemoveRedundantAggregates), so
 * that both have the same steps, each with the same rows in its state. In a batch it makes no difference.
 */
import type { Expression, NamedExpression } from './expression.ts'
import { columnsRead, hasAggregate, hasWindow, isDeterministic, replaceColumns, someExpression } from './expression-tree.ts'
import { type Aggregate, isStreaming, type LogicalPlan, type Project } from './logical-plan.ts'
import { hasUserCall } from './user-calls.ts'

/** An aggregation (or DISTINCT, which groups by all columns), and what the columns above it are of its own. */
interface Lower {
  readonly keyCount: number
  /** What it groups, with its keys, and what it makes of them alone, in their places. */
  readonly rows: LogicalPlan
  /** Whether a column of it is one of those. */
  readonly isOfKeys: (index: number) => boolean
  readonly columns: readonly Expression[]
  /** The plan above over another input of the same columns; undefined where rows are left out on the way. */
  readonly over: ((input: LogicalPlan) => LogicalPlan) | undefined
}

export function dropRedundantAggregate(plan: LogicalPlan): LogicalPlan {
  if ((plan.kind !== 'distinct' && plan.kind !== 'aggregate') || !isStreaming(plan) || (plan.kind === 'aggregate' && hasOwnTime(plan)))
    return plan
  const lower = lowerOf(plan.input)
  if (lower === undefined) return plan
  // rows that have all keys of an aggregation are distinct
  if (plan.kind === 'distinct' && keysOf(lower).size === lower.keyCount) return plan.input
  if (lower.over === undefined) return plan
  if (plan.kind === 'aggregate' && !plan.aggregates.every(({ expression }) => passesOverCopies(expression))) return plan
  if (!readBy(plan).every((index) => readsKeys(lower, lower.columns[index]!))) return plan
  return { ...plan, input: lower.over(lower.rows) }
}

function hasOwnTime({ session, keys }: Aggregate): boolean {
  return session !== undefined || keys.some(({ expression }) => hasWindow(expression))
}

/** The aggregation below, where nothing between changes its rows or makes more of them. */
function lowerOf(plan: LogicalPlan): Lower | undefined {
  if (plan.kind === 'aggregate' && (plan.session !== undefined || plan.keys.length === 0)) return undefined
  if (plan.kind === 'aggregate' || plan.kind === 'distinct') {
    const { fields } = plan.schema
    const columns = fields.map(({ name, type, nullable }, index): Expression => ({ kind: 'column', name, index, type, nullable }))
    const groups = plan.kind === 'aggregate' ? groupsOf(plan) : { keyCount: fields.length, rows: plan.input, isOfKeys: () => true }
    return { ...groups, columns, over: (input) => input }
  }
  if (plan.kind === 'filter') return leavingOut(plan.input)
  if (plan.kind === 'join') return plan.how === 'semi' || plan.how === 'anti' ? leavingOut(plan.left) : undefined
  if (plan.kind !== 'project' && plan.kind !== 'alias') return undefined
  const below = lowerOf(plan.input)
  if (below === undefined) return undefined
  const over = below.over && ((input: LogicalPlan): LogicalPlan => ({ ...plan, input: below.over!(input) }))
  if (plan.kind === 'alias') return { ...below, over }
  return { ...below, over, columns: plan.columns.map(({ expression }) => replaceColumns(expression, ({ index }) => below.columns[index]!)) }
}

function leavingOut(input: LogicalPlan): Lower | undefined {
  const below = lowerOf(input)
  return below && { ...below, over: undefined }
}

/** Which keys stand among the columns, as they are. */
function keysOf({ keyCount, columns }: Lower): Set<number> {
  return new Set(columns.flatMap((column) => (column.kind === 'column' && column.index < keyCount ? [column.index] : [])))
}
function readsKeys({ isOfKeys }: Lower, e: Expression): boolean {
  return isPlain(e) && [...columnsRead(e)].every(isOfKeys)
}
function isPlain(e: Expression): boolean {
  return isDeterministic(e) && !hasUserCall(e) && !hasWindow(e)
}
function readBy(plan: Extract<LogicalPlan, { kind: 'distinct' | 'aggregate' }>): number[] {
  if (plan.kind === 'distinct') return [...plan.schema.fields.keys()]
  return [...new Set([...plan.keys, ...plan.aggregates].flatMap(({ expression }) => [...columnsRead(expression)]))]
}

/** Aggregates to which it does not matter how often a value comes. */
const overCopies = new Set(['min', 'max', 'bit_and', 'bit_or', 'bool_and', 'bool_or', 'collect_set', 'first', 'last', 'any_value'])
function passesOverCopies(e: Expression): boolean {
  return !someExpression(e, (x) => x.kind === 'aggregate' && !overCopies.has(x.name))
}

/** Whether an output column is made of the keys alone, and of the same values for the same keys. */
export function isMadeOfKeys({ expression }: NamedExpression): boolean {
  return isPlain(expression) && !hasAggregate(expression)
}
function groupsOf({ input, keys, aggregates, schema }: Aggregate): Pick<Lower, 'keyCount' | 'rows' | 'isOfKeys'> {
  const ofKeys = aggregates.map(isMadeOfKeys)
  const others = aggregates.map((column, i): NamedExpression => {
    if (ofKeys[i]) return column
    const { type } = schema.fields[keys.length + i]!
    return { name: column.name, expression: { kind: 'literal', value: null, type, nullable: true } }
  })
  const rows: Project = { kind: 'project', input, columns: [...keys, ...others], schema }
  return { keyCount: keys.length, rows, isOfKeys: (index) => index < keys.length || ofKeys[index - keys.length]! }
}
