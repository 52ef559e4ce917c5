import { Schema } from '../data/schema.ts'
import type { Expression, NamedExpression } from '../plan/expression.ts'
import { expressionText } from '../plan/expression-tree.ts'
import { isStreaming, type Project, readsBatch, type UserCalls } from '../plan/logical-plan.ts'
import { columnRef } from '../plan/resolve.ts'
import { type Boundary, type Compilation, fragmentOf, type Needed, readInput } from './plan-sql.ts'
import type { Select } from './select-sql.ts'
import type { PhysicalNode } from './streaming-plan.ts'
import type { PlanOrigin } from './with-origin.ts'

type Step = { readonly node: PhysicalNode; readonly positions: readonly (number | undefined)[] }
/** The steps of each planning: a node that stands in the plan twice, and of which the same columns are read, is one step. */
const steps = new WeakMap<Boundary, Map<UserCalls, Map<string, Step>>>()

export function userCallsRows(plan: UserCalls, needed: Needed, c: Compilation): Select {
  const origin = c.boundary.origins?.callsOf(plan)
  if (origin === undefined) return readStep(plan, needed, c)
  const calls = origin.plan as UserCalls
  // the column of the origin stands between those of the input and the results
  const places = origin.column === null ? [] : [origin.column]
  const isOwn = plan === calls
  const width = calls.input.schema.fields.length - (isOwn ? 0 : places.length)
  const placeOf = (index: number) => (isOwn || index < width ? index : index + places.length)
  const rows = readStep(calls, new Set([...[...needed].map(placeOf), ...places]), c, origin)
  return { ...rows, columns: plan.schema.fields.map((_, i) => rows.columns[placeOf(i)]) }
}

function readStep(plan: UserCalls, needed: Needed, c: Compilation, origin?: PlanOrigin): Select {
  const ofPlanning = steps.get(c.boundary) ?? new Map<UserCalls, Map<string, Step>>()
  steps.set(c.boundary, ofPlanning)
  const ofPlan = ofPlanning.get(plan) ?? new Map<string, Step>()
  ofPlanning.set(plan, ofPlan)
  const key = [...needed].sort((a, b) => a - b).join()
  const step = ofPlan.get(key) ?? userCallsStep(plan, needed, c, origin)
  ofPlan.set(key, step)
  return readInput(c, step.node, step.positions)
}

/** The rows with the results of the calls that somebody reads: one SELECT gives the columns that pass through and the arguments, then the step adds the results. */
function userCallsStep(plan: UserCalls, needed: Needed, c: Compilation, origin: PlanOrigin | undefined): Step {
  const { fields } = plan.input.schema
  const kept = fields.flatMap((_, i) => (needed.has(i) ? [i] : []))
  const calls = plan.calls.flatMap((call, i) => (needed.has(fields.length + i) ? [{ call, at: fields.length + i }] : []))
  const args = new Map<string, { readonly expression: Expression; readonly position: number }>()
  const positionOf = (e: Expression): number => {
    const own = e.kind === 'column' ? kept.indexOf(e.index) : -1
    if (own >= 0) return own
    const key = JSON.stringify(e, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
    const known = args.get(key)
    if (known) return known.position
    args.set(key, { expression: e, position: kept.length + args.size })
    return kept.length + args.size - 1
  }
  const placed = calls.map(({ call }) => ({
    function: call.function,
    args: call.args.map(positionOf),
    texts: call.args.map(expressionText),
  }))
  const columns: NamedExpression[] = [
    ...kept.map((i) => ({ name: fields[i]!.name, expression: columnRef(fields[i]!, i) })),
    ...Array.from(args.values(), ({ expression }) => ({ name: expressionText(expression), expression })),
  ]
  if (columns.length === 0) columns.push({ name: 'row', expression: { kind: 'literal', value: true, type: 'boolean', nullable: false } }) // the rows still count
  const project: Project = {
    kind: 'project',
    input: plan.input,
    columns,
    schema: new Schema(columns.map(({ name, expression: { type, nullable } }) => ({ name, type, nullable }))),
  }
  const input = fragmentOf(project, new Set(columns.keys()), c.boundary).node
  const schema = new Schema([...kept.map((i) => fields[i]!), ...calls.map(({ at }) => plan.schema.fields[at]!)])
  const step = {
    ...({ kind: 'user-calls', input, schema, kept: kept.length, calls: placed } as const),
    ...(origin && { origin: { sources: origin.sources, column: origin.column === null ? undefined : kept.indexOf(origin.column) } }),
    ...(c.boundary.keepsLetters && !isStreaming(plan) && !readsBatch(plan) && { ofTable: true }),
  }
  const positions = plan.schema.fields.map((_, i) => {
    const own = kept.indexOf(i)
    if (own >= 0) return own
    const call = calls.findIndex(({ at }) => at === i)
    return call < 0 ? undefined : kept.length + call
  })
  return { node: calls.length === 0 ? input : step, positions }
}
