import { assert } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Expression } from '../plan/expression.ts'
import { mapChildren } from '../plan/expression-tree.ts'
import { isStreaming, type Join, type LogicalPlan, type Project, type StreamScan, type UserCalls } from '../plan/logical-plan.ts'
import { columnRef } from '../plan/resolve.ts'
import { joinLayout } from './join-layout.ts'

/** Where rows of a plan come from: the source, and the columns of the plan, by the source's names, that say so. */
export interface PlanOrigin {
  readonly plan: LogicalPlan
  readonly source: string
  readonly columns: ReadonlyMap<string, number>
}
/**
 * Which source a scan is, and which of its columns say where a row comes from; `numbered`: the engine gives the number of the row in the batch behind them, as `rowColumn`. Null where that is
 * nothing.
 */
export type OriginOf = (
  scan: StreamScan,
) => { readonly source: string; readonly columns: readonly string[]; readonly numbered: boolean } | null
/** The number of a row among those that its source gave in the batch. */
export const rowColumn = 'row'

/**
 * Plans with the columns behind their own, without names, that say where each row comes from: where the rows are rows of one source that were filtered, computed from, joined with a table, or kept
 * for a while (a watermark, a deduplication, a limit, functions of the program). Null elsewhere: aggregates, joins of streams and functions with state give rows of their own. A plan has one form
 * with them, so that what is measured or stored is planned once.
 */
export class Origins {
  readonly #originOf: OriginOf
  readonly #known = new Map<LogicalPlan, PlanOrigin | null>()
  readonly #calls = new Map<UserCalls, PlanOrigin>()
  constructor(originOf: OriginOf) {
    this.#originOf = originOf
  }

  /** Of a plan, or of one that this gave before. */
  of(plan: LogicalPlan): PlanOrigin | null {
    const known = this.#known.get(plan)
    if (known !== undefined) return known
    const origin = isStreaming(plan) ? this.#carried(plan) : null
    this.#known.set(plan, origin)
    if (origin) this.#known.set(origin.plan, origin)
    return origin
  }
  /** The calls over an input with those columns, which stand in front of the results; undefined where they are not known. Given for the calls and for what it gives. */
  callsOf(plan: UserCalls): PlanOrigin | undefined {
    if (!this.#calls.has(plan)) this.of(plan)
    return this.#calls.get(plan)
  }

  #carried(plan: LogicalPlan): PlanOrigin | null {
    switch (plan.kind) {
      case 'stream-scan':
        return this.#ofScan(plan)
      case 'filter':
      case 'watermark':
      case 'alias':
      case 'limit':
      case 'observe':
      case 'deduplicate': {
        const inner = this.of(plan.input)
        if (inner === null) return null
        const added = inner.plan.schema.fields.slice(plan.schema.fields.length)
        return { ...inner, plan: { ...plan, input: inner.plan, schema: new Schema([...plan.schema.fields, ...added]) } }
      }
      case 'project': {
        const inner = this.of(plan.input)
        return inner && projected(plan, inner)
      }
      case 'generate':
      case 'user-calls':
        return this.#widened(plan)
      case 'join':
        return this.#joined(plan)
      default:
        return null
    }
  }

  #ofScan(plan: StreamScan): PlanOrigin | null {
    const found = this.#originOf(plan)
    if (found === null) return null
    const { source, numbered } = found
    const columns = found.columns.flatMap((name): [string, number][] =>
      plan.schema.indexOf(name) < 0 ? [] : [[name, plan.schema.indexOf(name)]],
    )
    const { fields } = plan.schema
    const at = [...columns.map(([, index]) => index), ...(numbered ? [fields.length] : [])]
    if (at.length === 0) return { plan, source, columns: new Map() }
    const scan: StreamScan = numbered ? { ...plan, schema: new Schema([...fields, { name: '', type: 'long', nullable: false }]) } : plan
    const names = [...columns.map(([name]) => name), ...(numbered ? [rowColumn] : [])]
    return behind(scan, fields.length, { plan: scan, source, columns: new Map(names.map((name, i) => [name, at[i]!])) })
  }

  /** The node adds columns behind its input's: so those of the input's origin stand between. */
  #widened(plan: Extract<LogicalPlan, { kind: 'generate' | 'user-calls' }>): PlanOrigin | null {
    const inner = this.of(plan.input)
    if (inner === null) return null
    const { fields } = plan.schema
    const width = plan.input.schema.fields.length
    const added = inner.plan.schema.fields.slice(width)
    const node = { ...plan, input: inner.plan, schema: new Schema([...fields.slice(0, width), ...added, ...fields.slice(width)]) }
    if (node.kind === 'user-calls') for (const each of [plan as UserCalls, node]) this.#calls.set(each, { ...inner, plan: node })
    return moved(node, inner, { from: width, count: added.length, width: fields.length })
  }

  /** Of the stream's side of a join with a table. */
  #joined(plan: Join): PlanOrigin | null {
    const side = isStreaming(plan.left) ? 'left' : 'right'
    if (isStreaming(plan[side === 'left' ? 'right' : 'left'])) return null
    const inner = this.of(plan[side])
    if (inner === null) return null
    const { fields } = plan.schema
    const leftCount = plan.left.schema.fields.length
    const added = inner.plan.schema.fields.slice(plan[side].schema.fields.length)
    const isMoved = side === 'left'
    const ofRight = joinLayout(plan).findIndex(({ from }, i) => from === 'right' && i >= (plan.using?.length ?? 0))
    const from = isMoved && ofRight >= 0 ? ofRight : fields.length
    const node: Join = {
      ...plan,
      [side]: inner.plan,
      condition: plan.condition && isMoved ? shiftedFrom(plan.condition, leftCount, added.length) : plan.condition,
      schema: new Schema([...fields.slice(0, from), ...added, ...fields.slice(from)]),
    }
    return moved(node, inner, { from, count: added.length, width: fields.length })
  }
}

function shiftedFrom(e: Expression, first: number, offset: number): Expression {
  if (e.kind === 'column') return e.index < first ? e : { ...e, index: e.index + offset }
  return mapChildren(e, (child) => shiftedFrom(child, first, offset))
}

/** The columns of an origin as they stand behind those of a plan, where they are among its own: by a projection, so that nothing above takes them for the plan's. */
function behind(plan: LogicalPlan, width: number, inner: PlanOrigin): PlanOrigin {
  const fields = plan.schema.fields.slice(0, width)
  const columns = fields.map((field, i) => ({ name: field.name, expression: columnRef(field, i) }))
  return projected({ kind: 'project', input: plan, columns, schema: new Schema(fields) }, inner)
}

function projected(plan: Project, inner: PlanOrigin): PlanOrigin {
  const added = [...inner.columns].map(([name, index]) => ({ name, index, field: inner.plan.schema.fields[index]! }))
  const project: Project = {
    ...plan,
    input: inner.plan,
    columns: [...plan.columns, ...added.map(({ field, index }) => ({ name: '', expression: columnRef(field, index) }))],
    schema: new Schema([...plan.schema.fields, ...added.map(({ field: { type, nullable } }) => ({ name: '', type, nullable }))]),
  }
  return { plan: project, source: inner.source, columns: new Map(added.map(({ name }, i) => [name, plan.columns.length + i])) }
}

/** A node in whose columns those of the origin stand at `from`: they are put behind all others. */
function moved(plan: LogicalPlan, inner: PlanOrigin, { from, count, width }: { from: number; count: number; width: number }): PlanOrigin {
  assert(plan.schema.fields.length === width + count, 'the columns of an origin are there once')
  const order = Array.from({ length: width + count }, (_, i) => (i < from ? i : i < width ? i + count : from + i - width))
  const fields = order.map((at) => plan.schema.fields[at]!)
  const project: Project = {
    kind: 'project',
    input: plan,
    columns: order.map((at) => ({ name: plan.schema.fields[at]!.name, expression: columnRef(plan.schema.fields[at]!, at) })),
    schema: new Schema(fields),
  }
  return { plan: project, source: inner.source, columns: new Map([...inner.columns.keys()].map((name, i) => [name, width + i])) }
}
