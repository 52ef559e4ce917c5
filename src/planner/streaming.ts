import { assert, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import {
  type Aggregate,
  type Deduplicate,
  type Groups,
  inputsOf,
  isStreaming,
  type Join,
  type Limit,
  type LogicalPlan,
  type OutputMode,
  type Sort,
  type StreamScan,
  type Watermark,
} from '../plan/logical-plan.ts'
import { readFieldsInSources } from './fields-in-source.ts'
import { readJsonInSources } from './json-in-source.ts'
import { futureRows, neededForLate, timeOf } from './late-rows.ts'
import { allColumns, type Boundary, type Compilation, fragmentOf, type Needed, readInput } from './plan-sql.ts'
import type { Select } from './select-sql.ts'
import { noAbilities, type SourceAbilities } from './source-abilities.ts'
import type { Lineages, StatefulPlanning } from './stateful-planning.ts'
import { aggregateRows, distinctAsAggregate, planAggregate } from './streaming-aggregate.ts'
import { dedupeColumns, planDedupe } from './streaming-dedupe.ts'
import { planGroups } from './streaming-groups.ts'
import { planJoin } from './streaming-join.ts'
import { planLimit } from './streaming-limit.ts'
import {
  type EventTime,
  inputsOfNode,
  isStateful,
  type PhysicalNode,
  type PlannedSource,
  type RowsOrigin,
  type SourceRows,
  type StatefulNode,
  type StreamingPlan,
} from './streaming-plan.ts'
import { planSession } from './streaming-session.ts'
import { inTimeZone } from './time-zone.ts'
import { inputWithOrigin, Origins, originOf, type PlanOrigin, placesOf } from './with-origin.ts'

/** What a plan is made for. */
export interface PlanningOptions {
  readonly lateColumns?: readonly Field[] | null
  readonly abilities?: SourceAbilities
  readonly lineages?: Lineages
  /** Whether the rows of the plan carry the columns that say where they come from, where those are known: for plans over them. */
  readonly carriesOrigin?: boolean
}

/**
 * What a micro-batch of the query does, by a plan to which the rules of plan/rules.ts have been applied (where a filter stands decides which
 * rows move the watermark). `lateColumns`: what the side output of late rows takes of each; `lineages`: which accumulators must be kept apart; `abilities`: what sources can do
 * themselves. InvalidQueryError for plans that the engine can't run as a stream.
 */
export function planStreaming(
  plan: LogicalPlan,
  outputMode: OutputMode,
  timeZone = 'UTC',
  { lateColumns = null, abilities = noAbilities, lineages = new Map(), carriesOrigin = false }: PlanningOptions = {},
): StreamingPlan {
  const read = readFieldsInSources(readJsonInSources(plan, abilities.parsesJson, timeZone === 'UTC'), abilities)
  return inTimeZone(timeZone, () => new StreamPlanner(read, outputMode, lateColumns, lineages, abilities).plan(carriesOrigin))
}

/** A plan over bounded tables as one relation. A stream's rows in it are those that the engine gives for the source: all of them, where a stream is compared with a batch. */
export function planBatch(plan: LogicalPlan, timeZone = 'UTC'): PhysicalNode {
  return inTimeZone(timeZone, () => fragmentOf(plan, allColumns(plan.schema), batchBoundary(plan)).node)
}

/**
 * The same over the rows of a batch, where rows that fail are to be set aside. `rowsOrigin`: where those rows come from; the number of each, where it is known, stands behind their columns, and behind the
 * columns of what is planned.
 */
export function planOutput(
  plan: LogicalPlan,
  timeZone: string,
  rowsOrigin: RowsOrigin | undefined,
): { readonly root: PhysicalNode; readonly origin?: RowsOrigin } {
  return inTimeZone(timeZone, () => {
    const origins = new Origins((scan) => {
      if (scan.kind !== 'local' || scan.relation === undefined || rowsOrigin === undefined) return null
      return { sources: rowsOrigin.sources, isNumbered: rowsOrigin.column !== undefined }
    })
    const origin = origins.of(plan)
    const own = origin?.plan ?? plan
    const boundary = Object.assign(batchBoundary(plan), { origins, keepsLetters: true })
    const { node, positions } = fragmentOf(own, allColumns(own.schema), boundary)
    return { root: node, ...originOf(origin, positions) }
  })
}

function batchBoundary(plan: LogicalPlan): Boundary {
  const sources = numberSources(plan)
  return (node, needed, c) => {
    switch (node.kind) {
      case 'stream-scan':
        return readInput(c, sourceRows(sources, node, needed))
      case 'scan':
        return readInput(c, { kind: 'scan', scan: node, schema: node.schema, columns: new Set(needed) })
      case 'local':
        return readInput(c, { kind: 'local', local: node, schema: node.schema })
      default:
        return undefined
    }
  }
}

/** Every distinct source of a plan with its name in the checkpoint: the user's, or its number among all sources in plan order. InvalidQueryError STREAMING_QUERY_EVOLUTION_ERROR.DUPLICATE_SOURCE_NAMES. */
export function sourcesOf(plan: LogicalPlan): PlannedSource[] {
  return [...numberSources(plan).values()].map(({ planned }) => planned)
}

type MutableRows = { -readonly [K in keyof SourceRows]: SourceRows[K] }
type Sources = ReadonlyMap<string, { readonly planned: PlannedSource; readonly rows: MutableRows; readonly columns: Set<number> }>

function numberSources(plan: LogicalPlan): Sources {
  const sources = new Map<string, { planned: PlannedSource; rows: MutableRows; columns: Set<number> }>()
  const visit = (node: LogicalPlan) => {
    if (node.kind === 'stream-scan' && !sources.has(node.token)) {
      const name = node.name ?? String(sources.size)
      if ([...sources.values()].some(({ planned }) => planned.name === name)) {
        throw new InvalidQueryError('STREAMING_QUERY_EVOLUTION_ERROR.DUPLICATE_SOURCE_NAMES', {
          what: `two sources of the query are called ${JSON.stringify(name)}`,
          todo: 'give each source a name of its own with readStream.name(…)',
        })
      }
      const columns = new Set<number>()
      const rows: SourceRows = {
        kind: 'source',
        source: name,
        schema: node.schema,
        columns,
        ...(node.json && { json: node.json }),
        ...(node.fields && { fields: node.fields }),
      }
      sources.set(node.token, { planned: { name, scan: asAsked(node) }, rows, columns })
    }
    inputsOf(node).forEach(visit)
  }
  visit(plan)
  return sources
}
/** The source as the user asked for it. */
function asAsked(scan: StreamScan): StreamScan {
  const { json, fields, ...own } = scan
  const added = (json?.fields.fields.length ?? 0) + (fields?.length ?? 0)
  return added === 0 ? scan : { ...own, schema: new Schema(scan.schema.fields.slice(0, -added)) }
}
/** `needed` is added to what the plan reads of the source. */
function sourceRows(sources: Sources, scan: StreamScan, needed: Needed): SourceRows {
  const source = sources.get(scan.token)
  assert(source, `the source ${scan.token} is one of the plan's`)
  for (const column of needed) {
    if (column < source.rows.schema.fields.length) source.columns.add(column)
    else source.rows.isNumbered = true
  }
  return source.rows
}

/** The steps with state, each before those below it. */
function statefulNodes(root: PhysicalNode): StatefulNode[] {
  const found = new Set<PhysicalNode>()
  const visit = (node: PhysicalNode) => {
    if (found.has(node)) return
    found.add(node)
    inputsOfNode(node).forEach(visit)
  }
  visit(root)
  return [...found].filter(isStateful)
}

class StreamPlanner {
  readonly #plan: LogicalPlan
  readonly #outputMode: OutputMode
  readonly #lateColumns: readonly Field[] | null
  readonly #lineages: Lineages
  readonly #sources: Sources
  readonly #watermarks: EventTime[] = []
  readonly #origins: Origins
  #operatorCount = 0
  /** Nodes of the plan that stand in it twice are planned once; the key also says which columns are read. */
  readonly #done = new Map<LogicalPlan, Map<string, unknown>>()

  constructor(
    plan: LogicalPlan,
    outputMode: OutputMode,
    lateColumns: readonly Field[] | null,
    lineages: Lineages,
    { tellsPlaces, keepsDeadLetters }: SourceAbilities,
  ) {
    this.#plan = plan
    this.#lineages = lineages
    this.#outputMode = outputMode
    this.#lateColumns = lateColumns
    this.#sources = numberSources(plan)
    // of rows of several sources, one number tells which they are from
    const isMixed = this.#sources.size > 1 && hasUnion(plan)
    this.#origins = new Origins((scan) => {
      if (!keepsDeadLetters || scan.kind === 'local') return null
      return { sources: [this.#sources.get(scan.token)!.planned.name], isNumbered: isMixed || tellsPlaces(scan) }
    })
    const boundary: Boundary = (...node) => this.#read(...node)
    this.#boundary = Object.assign(boundary, { origins: this.#origins, keepsLetters: keepsDeadLetters })
  }

  plan(carriesOrigin: boolean): StreamingPlan {
    const origin = carriesOrigin ? this.#origins.of(this.#plan) : null
    const own = origin?.plan ?? this.#plan
    const { node: root, positions } = fragmentOf(own, allColumns(own.schema), this.#boundary)
    return {
      root,
      ...originOf(origin, positions),
      sources: [...this.#sources.values()].map(({ planned }) => planned),
      watermarks: this.#watermarks,
      stateful: statefulNodes(root),
      outputMode: this.#outputMode,
      schema: this.#plan.schema,
    }
  }

  readonly #boundary: Boundary
  #read(plan: LogicalPlan, needed: Needed, c: Compilation): Select | undefined {
    switch (plan.kind) {
      case 'stream-scan':
        return readInput(
          c,
          sourceRows(this.#sources, plan, needed),
          plan.schema.fields.map((_, i) => i),
        )
      case 'scan':
        return readInput(c, { kind: 'scan', scan: plan, schema: plan.schema, columns: new Set(needed) })
      case 'local':
        return readInput(c, { kind: 'local', local: plan, schema: plan.schema })
    }
    if (!isStreaming(plan)) return undefined
    switch (plan.kind) {
      case 'watermark':
        return this.#eventTime(plan, needed, c)
      case 'aggregate':
        return this.#aggregateRows(plan, plan, c)
      case 'distinct':
        return this.#aggregateRows(plan, distinctAsAggregate(plan), c)
      case 'deduplicate':
        return this.#dedupeRows(plan, needed, c)
      case 'join':
        if (isStreaming(plan.left) && isStreaming(plan.right)) return this.#joinedRows(plan, needed, c)
        return checkJoin(plan)
      case 'groups':
        return this.#groupRows(plan, c)
      case 'sort':
        return checkOverAggregate(plan, this.#outputMode)
      case 'limit':
        return isOverAggregate(plan) && this.#outputMode === 'complete' ? undefined : this.#limitRows(plan, needed, c)
      default:
        return undefined
    }
  }

  #eventTime(given: Watermark, needed: Needed, c: Compilation): Select {
    const origin = this.#origins.of(given)
    const plan = (origin?.plan ?? given) as Watermark
    const column = plan.index ?? plan.input.schema.indexOf(plan.column)
    assert(column >= 0, `the watermark's column ${plan.column} is one of its input's`)
    const { idleTimeoutMs, maxFutureSkewMs, partitionColumns = [] } = plan
    const wanted = maxFutureSkewMs === undefined ? null : this.#lateColumns
    const kept = new Set([...needed, column, ...partitionColumns, ...neededForLate(wanted, plan.input), ...placesOf(origin)])
    const { node, positions } = this.#once(plan, keyOf(kept), () => {
      const input = fragmentOf(plan.input, kept, this.#boundary)
      const cell = (index: number) => `t0.c${input.positions[index]!}`
      const time = timeOf(plan.schema.fields[column]!.type, cell(column))
      const measured: EventTime = {
        kind: 'event-time',
        input: input.node,
        schema: input.node.schema,
        index: this.#watermarks.length,
        callId: plan.callId,
        column: input.positions[column]!,
        columnName: plan.column,
        delayMs: plan.delayMs,
        ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
        ...(maxFutureSkewMs !== undefined && { future: futureRows(wanted, plan.input, cell, time, maxFutureSkewMs) }),
        ...(partitionColumns.length > 0 && {
          partitions: {
            columns: partitionColumns.map((index) => input.positions[index]!),
            names: partitionColumns.map((index) => plan.schema.names[index]!),
          },
        }),
        ...originOf(origin, input.positions),
      }
      this.#watermarks.push(measured)
      return { node: measured, positions: input.positions }
    })
    return readInput(c, node, positions.slice(0, given.schema.fields.length))
  }

  #aggregateRows(plan: LogicalPlan, aggregate: Aggregate, c: Compilation): Select {
    return aggregateRows(
      aggregate,
      this.#once(plan, '', () => (aggregate.session === undefined ? planAggregate : planSession)(aggregate, this.#planning)),
      c,
    )
  }

  #dedupeRows(given: Deduplicate, needed: Needed, c: Compilation): Select {
    const origin = this.#origins.of(given)
    const plan = (origin?.plan ?? given) as Deduplicate
    const columns = dedupeColumns(plan, new Set([...needed, ...placesOf(origin)]), this.#lateColumns)
    return this.#passedRows(
      this.#once(plan, keyOf(columns.kept), () => planDedupe(plan, columns, this.#planning)),
      given,
      origin,
      c,
    )
  }

  #limitRows(given: Limit, needed: Needed, c: Compilation): Select {
    if (this.#outputMode === 'update') throw limitInUpdateMode()
    const origin = this.#origins.of(given)
    const plan = (origin?.plan ?? given) as Limit
    const kept = new Set([...needed, ...placesOf(origin)])
    return this.#passedRows(
      this.#once(plan, keyOf(kept), () => planLimit(plan, kept, this.#planning)),
      given,
      origin,
      c,
    )
  }

  /** Of a step that passes on rows of its input. */
  #passedRows(
    { node, positions }: { readonly node: StatefulNode; readonly positions: readonly (number | undefined)[] },
    { schema }: LogicalPlan,
    origin: PlanOrigin | null,
    c: Compilation,
  ): Select {
    Object.assign(node, originOf(origin, positions))
    return readInput(c, node, positions.slice(0, schema.fields.length))
  }

  #joinedRows(plan: Join, needed: Needed, c: Compilation): Select {
    const { node, columns } = this.#once(plan, keyOf(needed), () => planJoin(plan, needed, this.#planning))
    const rows = readInput(c, node)
    return { ...rows, columns: columns(rows.columns.map((column) => column!.sql)) }
  }

  #groupRows(plan: Groups, c: Compilation): Select {
    return readInput(
      c,
      this.#once(plan, '', () => planGroups(plan, this.#planning)),
    )
  }

  /** What steps with state plan with; made when it is asked for, since it holds what the constructor is given. */
  get #planning(): StatefulPlanning {
    return {
      boundary: (plan, needed, c) => this.#boundary(plan, needed, c),
      inputRows: (plan, needed, c) => {
        const { node, positions } = fragmentOf(plan, needed, this.#boundary)
        return readInput(c, node, positions)
      },
      input: (plan, needed, carriesOrigin) =>
        inputWithOrigin(plan, needed, carriesOrigin === false ? null : this.#origins.of(plan), this.#boundary),
      nextOperatorId: () => this.#operatorCount++,
      outputMode: () => this.#outputMode,
      lateColumns: this.#lateColumns,
      lineageOf: (operatorId, aggregate) => this.#lineages.get(operatorId)?.[aggregate],
    }
  }

  #once<T>(plan: LogicalPlan, key: string, make: () => T): T {
    const known = this.#done.get(plan) ?? new Map<string, unknown>()
    this.#done.set(plan, known)
    if (!known.has(key)) known.set(key, make())
    return known.get(key) as T
  }
}

/** Which joins of a stream with a table can be run batch by batch: those that keep the stream's rows. */
function checkJoin(plan: Join): undefined {
  const isLeft = isStreaming(plan.left)
  const allowed = isLeft ? ['inner', 'cross', 'left', 'semi', 'anti'] : ['inner', 'cross', 'right']
  if (allowed.includes(plan.how)) return undefined
  throw new InvalidQueryError('UNSUPPORTED_STREAMING_JOIN', {
    what: `a ${plan.how} join with the stream on the ${isLeft ? 'left' : 'right'} can't run`,
    todo: `with the stream on the ${isLeft ? 'left' : 'right'} a join can be ${allowed.join(', ')}`,
  })
}

/** Order only means something over a result that is given whole in every batch. */
function checkOverAggregate(plan: Sort, mode: OutputMode): undefined {
  if (mode === 'complete' && isOverAggregate(plan)) return undefined
  throw new InvalidQueryError('STREAMING_SORT', {
    what: `orderBy can't run on a stream in ${mode} mode`,
    todo: 'use it above an aggregation, in complete mode, or on the rows of foreachBatch',
  })
}
function isOverAggregate(plan: LogicalPlan): boolean {
  return inputsOf(plan).some(
    (node) => isStreaming(node) && (node.kind === 'aggregate' || node.kind === 'distinct' || isOverAggregate(node)),
  )
}
function limitInUpdateMode(): InvalidQueryError {
  return new InvalidQueryError('STREAMING_LIMIT', {
    what: "limit can't run on a stream in update mode: a row that was let through could not be taken back",
    todo: "use outputMode('append'), or limit the rows of foreachBatch",
  })
}

function hasUnion(plan: LogicalPlan): boolean {
  return plan.kind === 'union' || inputsOf(plan).some(hasUnion)
}

/** Which columns of a plan are read, as text. */
function keyOf(needed: Needed): string {
  return [...needed].sort((a, b) => a - b).join()
}
