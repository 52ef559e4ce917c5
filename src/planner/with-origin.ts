import { assert } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import type { Expression } from '../plan/expression.ts'
import { mapChildren } from '../plan/expression-tree.ts'
import {
  isStreaming,
  type Join,
  type LocalRelation,
  type LogicalPlan,
  type Project,
  readsBatch,
  type StreamScan,
  type Union,
  type UserCalls,
} from '../plan/logical-plan.ts'
import { columnRef } from '../plan/resolve.ts'
import { joinLayout } from './join-layout.ts'
import { type Boundary, type CompiledRows, fragmentOf, type Needed } from './plan-sql.ts'
import type { RowsOrigin } from './streaming-plan.ts'

/** Where rows of a plan come from. */
export interface PlanOrigin {
  readonly plan: LogicalPlan
  readonly sources: readonly string[]
  /** The column of the plan, behind all others, that holds the number of each row in the batch; null where nothing is known but the source. */
  readonly column: number | null
}
/** Which source a scan is (undefined: of a relation, where its rows come from), and whether the engine gives the number of each row behind its columns. Null where that is not known. */
export type OriginOf = (scan: StreamScan | LocalRelation) => { readonly sources: readonly string[]; readonly isNumbered: boolean } | null

/**
 * Plans with a column behind their own, without a name, that says by a number where each row comes from: where the rows are rows of sources that were filtered, computed from, united, joined with a
 * table, or kept for a while (a watermark, a deduplication, a limit, functions of the program). Null elsewhere: aggregates, joins of streams and functions with state give rows of their own. A plan
 * has one form with it, so that what is measured or stored is planned once. In plans over the rows of a batch (`outputs`) those are what sources give here.
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
    const origin = hasOrigin(plan) ? this.#carried(plan) : null
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
      case 'local':
        return this.#ofScan(plan)
      case 'filter':
      case 'watermark':
      case 'alias':
      case 'observe':
        return this.#kept(plan)
      case 'limit':
      case 'deduplicate':
        // over the rows of a batch these are SQL of their own
        return isStreaming(plan) ? this.#kept(plan) : null
      case 'project': {
        const inner = this.of(plan.input)
        return inner && projected(plan, inner)
      }
      case 'generate':
      case 'user-calls':
        return this.#widened(plan)
      case 'union':
        return this.#united(plan)
      case 'join':
        return this.#joined(plan)
      default:
        return null
    }
  }

  #kept(plan: Extract<LogicalPlan, { readonly input: LogicalPlan }>): PlanOrigin | null {
    const inner = this.of(plan.input)
    if (inner === null) return null
    const added = inner.plan.schema.fields.slice(plan.schema.fields.length)
    return { ...inner, plan: { ...plan, input: inner.plan, schema: new Schema([...plan.schema.fields, ...added]) } as LogicalPlan }
  }

  #ofScan(plan: StreamScan | LocalRelation): PlanOrigin | null {
    const found = this.#originOf(plan)
    if (found === null) return null
    const { sources, isNumbered } = found
    if (!isNumbered) return { plan, sources, column: null }
    const { fields } = plan.schema
    const scan = { ...plan, schema: new Schema([...fields, numberField]) }
    return behind(scan, fields.length, { plan: scan, sources, column: fields.length })
  }

  #united(plan: Union): PlanOrigin | null {
    const inners = plan.inputs.map((input) => this.of(input))
    if (inners.some((inner) => inner === null)) return null
    const known = inners as readonly PlanOrigin[]
    const sources = [...new Set(known.flatMap((inner) => inner.sources))]
    const numbered = known.filter(({ column }) => column !== null)
    // without numbers nobody could tell which of the sources a row is from
    if (numbered.length !== known.length && (numbered.length > 0 || sources.length > 1)) return null
    const added = numbered.length === 0 ? [] : [numberField]
    const schema = new Schema([...plan.schema.fields, ...added])
    return {
      plan: { ...plan, inputs: known.map((inner) => inner.plan), schema },
      sources,
      column: added.length === 0 ? null : plan.schema.fields.length,
    }
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
    const side = hasOrigin(plan.left) ? 'left' : 'right'
    if (hasOrigin(plan[side === 'left' ? 'right' : 'left'])) return null
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

const numberField: Field = { name: '', type: 'long', nullable: false }

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
  const { sources, column } = inner
  if (column === null) return { plan: { ...plan, input: inner.plan }, sources, column }
  const project: Project = {
    ...plan,
    input: inner.plan,
    columns: [...plan.columns, { name: '', expression: columnRef(inner.plan.schema.fields[column]!, column) }],
    schema: new Schema([...plan.schema.fields, numberField]),
  }
  return { plan: project, sources, column: plan.columns.length }
}

/** A node in whose columns that of the origin, if there is one, stands at `from`: it is put behind all others. */
function moved(plan: LogicalPlan, inner: PlanOrigin, { from, count, width }: { from: number; count: number; width: number }): PlanOrigin {
  assert(plan.schema.fields.length === width + count, 'the column of an origin is there once')
  const { sources } = inner
  if (count === 0) return { plan, sources, column: null }
  const order = Array.from({ length: width + count }, (_, i) => (i < from ? i : i < width ? i + count : from + i - width))
  const fields = order.map((at) => plan.schema.fields[at]!)
  const project: Project = {
    kind: 'project',
    input: plan,
    columns: order.map((at) => ({ name: plan.schema.fields[at]!.name, expression: columnRef(plan.schema.fields[at]!, at) })),
    schema: new Schema(fields),
  }
  return { plan: project, sources, column: width }
}

/** Whether a plan's rows may be those of sources: of streams, or of a batch. */
function hasOrigin(plan: LogicalPlan): boolean {
  return isStreaming(plan) || readsBatch(plan)
}

export function placesOf(origin: PlanOrigin | null): readonly number[] {
  return origin === null || origin.column === null ? [] : [origin.column]
}
/** Where the column of an origin lies in a node. */
export function originOf(origin: PlanOrigin | null, positions: CompiledRows['positions']): { readonly origin?: RowsOrigin } {
  if (origin === null) return {}
  const { sources, column } = origin
  return { origin: { sources, column: column === null ? undefined : positions[column] } }
}

/** The input of a step as a relation, with the column of its origin behind the plan's; `positions[i]` is where column i of the plan lies in it. */
export function inputWithOrigin(given: LogicalPlan, needed: Needed, origin: PlanOrigin | null, boundary: Boundary): CompiledRows {
  const { node, positions } = fragmentOf(origin?.plan ?? given, new Set([...needed, ...placesOf(origin)]), boundary)
  const placed = node.kind === 'fragment' ? { ...node, ...originOf(origin, positions) } : node
  return { node: placed, positions: positions.slice(0, given.schema.fields.length) }
}
