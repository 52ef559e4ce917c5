/**
 * Where rows that fail are set aside: what of a plan must be a relation of its own, so that it can be said which row is at fault. The rows of a table that a stream is joined with are
 * computed apart, since no row of the stream has to do with what they fail for. And a step that makes something of many rows (an aggregation, DISTINCT, LIMIT) over a table, or over the
 * rows of a batch, stands between two relations: the rows that go in, and what comes out.
 */
import { Schema } from '../data/schema.ts'
import type { AggregateCall, Expression, WindowCall } from '../plan/expression.ts'
import { expressionText, isDeterministic, sameExpression, shiftColumns } from '../plan/expression-tree.ts'
import { joinKeys, sideOf } from '../plan/join-keys.ts'
import {
  type Aggregate,
  inputsOf,
  isStreaming,
  type Join,
  type LogicalPlan,
  type Project,
  readsBatch,
  type WindowFunctions,
} from '../plan/logical-plan.ts'
import { columnRef } from '../plan/resolve.ts'
import { windowExpressions } from '../plan/user-calls.ts'
import { expressionSql, type SqlScope } from './expression-sql.ts'
import {
  aggregatesIn,
  allColumns,
  type Boundary,
  type Compilation,
  type CompiledRows,
  compileNode,
  fragmentOf,
  groupedRows,
  type Needed,
  nodeOf,
  outputColumns,
  readInput,
  readWhole,
} from './plan-sql.ts'
import { newNames, prune, renderSelect, type Select, selectFrom } from './select-sql.ts'
import { splitSession } from './session-sql.ts'
import { rowCheckSql } from './streaming-aggregate.ts'
import { sumApart, sumOfParts, windowSumApart } from './sums-apart.ts'

/** The rows of a node that does not work row by row, out of a relation of its own. */
export function rowsApart(plan: LogicalPlan, needed: Needed, c: Compilation): Select {
  if (plan.kind === 'aggregate') return aggregateApart(plan, c)
  if (plan.kind === 'window-functions') return windowsApart(plan, needed, c)
  const { node, positions } = stepApart(plan, needed, c.boundary)
  return readInput(c, node, positions)
}

/** The aggregates are one relation, and what is computed of them and the keys is read row by row over it. */
function aggregateApart(plan: Aggregate, c: Compilation): Select {
  const calls: AggregateCall[] = []
  const placeOf = (call: AggregateCall): number => {
    const known = calls.findIndex((other) => sameExpression(other, call))
    return known >= 0 ? known : calls.push(call) - 1
  }
  const found = aggregatesIn(plan).map(({ call }) => {
    const sum = sumApart(call)
    return { call, at: (sum ? [sum.value, sum.count] : [call]).map(placeOf) }
  })
  const columns = calls.map((call) => ({ name: expressionText(call), expression: call }))
  const keys = plan.schema.fields.slice(0, plan.keys.length)
  const fields = columns.map(({ name, expression: { type, nullable } }) => ({ name, type, nullable }))
  const pure: Aggregate = { ...plan, aggregates: columns, schema: new Schema([...keys, ...fields]) }
  const { node, positions } = stepApart(pure, allColumns(pure.schema), c.boundary)
  const cells = readInput(c, node, positions)
  const sqlOf = (at: number) => cells.columns[at]!.sql
  const cellOf = (call: AggregateCall) => {
    const [value, count] = found.find((one) => one.call === call)!.at.map((at) => sqlOf(keys.length + at))
    return count === undefined ? value! : sumOfParts(call, value!, count)
  }
  return {
    ...cells,
    columns: outputColumns(
      plan,
      keys.map((_, i) => sqlOf(i)),
      cellOf,
    ),
  }
}

/** Sums over windows likewise. */
function windowsApart(plan: WindowFunctions, needed: Needed, c: Compilation): Select {
  const width = plan.input.schema.fields.length
  const calls: WindowCall[] = []
  const found = plan.calls.map((call, i) => {
    if (!needed.has(width + i)) return null
    const sum = windowSumApart(call)
    const own = sum ? [sum.value, sum.count] : [call]
    return { call, at: own.map((one) => width + calls.push(one) - 1) }
  })
  const fields = calls.map(({ name, type, nullable }) => ({ name, type, nullable }))
  const pure: WindowFunctions = { ...plan, calls, schema: new Schema([...plan.input.schema.fields, ...fields]) }
  const kept = [...needed].filter((i) => i < width)
  const { node, positions } = stepApart(pure, new Set([...kept, ...calls.map((_, i) => width + i)]), c.boundary)
  const cells = readInput(c, node, positions)
  const columns = found.map((one) => {
    if (one === null) return undefined
    const [value, count] = one.at.map((at) => cells.columns[at]!)
    return count === undefined ? value : { sql: sumOfParts(one.call.function as AggregateCall, value!.sql, count.sql), plain: false }
  })
  return { ...cells, columns: [...cells.columns.slice(0, width), ...columns] }
}

/** The node over inputs that are relations of their own. */
function stepApart(plan: LogicalPlan, needed: Needed, boundary: Boundary): CompiledRows {
  const below = inputsOfStep(plan)
  const read = new Map<LogicalPlan, CompiledRows>()
  const inner: Boundary = (node, wanted, own) => {
    if (!below.includes(node)) return boundary(node, wanted, own)
    const rows = fragmentOf(node, wanted, boundary)
    read.set(node, rows)
    return readInput(own, rows.node, rows.positions)
  }
  const c: Compilation = { names: newNames(), inputs: [], boundary: Object.assign(inner, { keepsLetters: true }) }
  const made = nodeOf(plan, prune(compileNode(plan, needed, c), needed), c)
  const [first] = below
  const rowCheck = first && read.has(first) ? rowCheckOf(plan, first, read.get(first)!.positions) : null
  if (made.node.kind !== 'fragment') return made
  const isTable = !isStreaming(plan) && !readsBatch(plan)
  return { ...made, node: { ...made.node, ...(rowCheck !== null && { rowCheck }), ...(isTable && { tableBehind: plan.kind }) } }
}

/** What goes in: a LIMIT and the order that it goes by are one step. */
function inputsOfStep(plan: LogicalPlan): readonly LogicalPlan[] {
  return inputsOf(plan).flatMap((input) => (isOrdered(plan) && (isOrdered(input) || input.kind === 'sort') ? inputsOfStep(input) : [input]))
}
function isOrdered({ kind }: LogicalPlan): boolean {
  return kind === 'limit' || kind === 'offset'
}

/** What the step computes of each row of its input; null where that is nothing. */
function rowCheckOf(plan: LogicalPlan, input: LogicalPlan, positions: CompiledRows['positions']): string | null {
  if (plan.kind === 'aggregate') {
    const { select, keys, scope } = groupedRows(plan, {
      names: newNames(),
      inputs: [],
      boundary: (node, _needed, { names }) => (node === input ? selectFrom('⟦0⟧', positions, names) : undefined),
    })
    if (plan.session === undefined) return rowCheckSql(plan, select, keys, scope)
    const { others, session } = splitSession(keys)
    return rowCheckSql(plan, { ...select, where: [...select.where, ...session.session.where] }, others, scope)
  }
  const computed = expressionsOf(plan).filter(({ kind }) => kind !== 'column' && kind !== 'literal')
  if (computed.length === 0) return null
  const scope: SqlScope = { column: (index) => `t0.c${positions[index]!}` }
  const columns = computed.map((e) => ({ sql: expressionSql(e, scope), plain: false }))
  return renderSelect({ from: '⟦0⟧ AS t0', where: [], orderBy: [], columns }).sql
}
function expressionsOf(plan: LogicalPlan): readonly Expression[] {
  if (plan.kind === 'window-functions') return plan.calls.flatMap(windowExpressions)
  if (plan.kind === 'sort') return plan.order.map(({ expression }) => expression)
  return isOrdered(plan) ? inputsOf(plan).flatMap(expressionsOf) : []
}

/** A side of a join whose rows are a relation of their own. */
interface SideApart {
  readonly side: 'left' | 'right'
  readonly rows: () => Select
  /** The SQL of a part of the condition that is computed with them. */
  readonly known: (e: Expression) => string | undefined
}

/** The side that is read whole for each row of the other, where rows that fail are set aside; undefined elsewhere. What the condition computes of it alone is computed with its rows. */
export function sideApart(plan: Join, needed: Readonly<Record<'left' | 'right', Needed>>, c: Compilation): SideApart | undefined {
  if (!c.boundary.keepsLetters || !c.rowWise?.isSo) return undefined
  const side = readWholeBy(plan, c.rowWise.ofTables)
  const input = plan[side]
  const { fields } = input.schema
  const parts = partsOf(plan, side)
  const first = side === 'left' ? 0 : plan.left.schema.fields.length
  const project: Project = {
    kind: 'project',
    input,
    columns: [
      ...fields.map((field, i) => ({ name: field.name, expression: columnRef(field, i) })),
      ...parts.map((part) => ({ name: '', expression: shiftColumns(part, -first) })),
    ],
    schema: new Schema([...fields, ...parts.map(({ type, nullable }) => ({ name: '', type, nullable }))]),
  }
  let cells: readonly string[] = []
  return {
    side,
    rows() {
      const own = new Set([...needed[side], ...parts.map((_, i) => fields.length + i)])
      const { node, positions } = fragmentOf(parts.length === 0 ? input : project, own, c.boundary)
      const all = readWhole(c, node, positions)
      cells = all.columns.slice(fields.length).map((column) => column!.sql)
      return { ...all, columns: all.columns.slice(0, fields.length) }
    },
    known: (e) => cells[parts.findIndex((part) => sameExpression(part, e))],
  }
}

/** A stream's rows are read one by one, and a table's whole; of two tables the one that has no rows of the batch, if one has. */
function readWholeBy(plan: Join, ofTables: boolean): 'left' | 'right' {
  const counts = ofTables ? readsBatch : isStreaming
  if (counts(plan.left) !== counts(plan.right)) return counts(plan.left) ? 'right' : 'left'
  return plan.how === 'right' ? 'left' : 'right'
}

/** Parts of the condition that read one side, and compute something of it. */
function partsOf(plan: Join, side: 'left' | 'right'): Expression[] {
  const leftCount = plan.left.schema.fields.length
  const { keys, others } = joinKeys(plan)
  const own = keys.map((key) => shiftColumns(key[side], side === 'left' ? 0 : leftCount))
  return [...own, ...others.filter((part) => sideOf(part, leftCount) === side)].filter((e) => e.kind !== 'column' && isDeterministic(e))
}
