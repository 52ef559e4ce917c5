import { assert, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { StateValue } from '../data/state-schema.ts'
import { type Field, sameType } from '../data/types.ts'
import {
  type Aggregate,
  type Distinct,
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
import { type LoweredAggregate, lowerAggregate } from './aggregate-sql.ts'
import { expressionSql } from './expression-sql.ts'
import { cellsByKey } from './group-sql.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import {
  aggregatesIn,
  allColumns,
  type Boundary,
  type Compilation,
  fragmentOf,
  groupBySql,
  groupedRows,
  type Needed,
  outputColumns,
  readInput,
} from './plan-sql.ts'
import { newNames, type Select, selectFrom } from './select-sql.ts'
import {
  type EventTime,
  inputsOfNode,
  isStateful,
  type PhysicalNode,
  type PlannedSource,
  type SourceRows,
  type StatefulAggregate,
  type StatefulNode,
  type StreamingPlan,
} from './streaming-plan.ts'
import { inTimeZone } from './time-zone.ts'

/**
 * What a micro-batch of the query does, by a plan to which the rules of plan/rules.ts have been applied (where a filter stands decides which
 * rows move the watermark). InvalidQueryError for plans that the engine can't run as a stream.
 */
export function planStreaming(plan: LogicalPlan, outputMode: OutputMode, timeZone = 'UTC'): StreamingPlan {
  return inTimeZone(timeZone, () => new StreamPlanner(plan, outputMode).plan())
}

/** A plan over bounded tables as one relation. A stream's rows in it are those that the engine gives for the source: all of them, where a stream is compared with a batch. */
export function planBatch(plan: LogicalPlan, timeZone = 'UTC'): PhysicalNode {
  return inTimeZone(timeZone, () => batchPlan(plan))
}

function batchPlan(plan: LogicalPlan): PhysicalNode {
  const sources = numberSources(plan)
  const boundary: Boundary = (node, _needed, c) => {
    switch (node.kind) {
      case 'stream-scan':
        return readInput(c, sourceRows(sources, node))
      case 'scan':
        return readInput(c, { kind: 'scan', scan: node, schema: node.schema })
      case 'local':
        return readInput(c, { kind: 'local', local: node, schema: node.schema })
      default:
        return undefined
    }
  }
  return fragmentOf(plan, allColumns(plan.schema), boundary).node
}

/** Every distinct source of a plan with its name in the checkpoint: the user's, or its number among all sources in plan order. InvalidQueryError STREAMING_QUERY_EVOLUTION_ERROR.DUPLICATE_SOURCE_NAMES. */
export function sourcesOf(plan: LogicalPlan): PlannedSource[] {
  return [...numberSources(plan).values()].map(({ planned }) => planned)
}

type Sources = ReadonlyMap<string, { readonly planned: PlannedSource; readonly rows: SourceRows }>

function numberSources(plan: LogicalPlan): Sources {
  const sources = new Map<string, { planned: PlannedSource; rows: SourceRows }>()
  const visit = (node: LogicalPlan) => {
    if (node.kind === 'stream-scan' && !sources.has(node.token)) {
      const name = node.name ?? String(sources.size)
      if ([...sources.values()].some(({ planned }) => planned.name === name)) {
        throw new InvalidQueryError('STREAMING_QUERY_EVOLUTION_ERROR.DUPLICATE_SOURCE_NAMES', {
          what: `two sources of the query are called ${JSON.stringify(name)}`,
          todo: 'give each source a name of its own with readStream.name(…)',
        })
      }
      sources.set(node.token, { planned: { name, scan: node }, rows: { kind: 'source', source: name, schema: node.schema } })
    }
    inputsOf(node).forEach(visit)
  }
  visit(plan)
  return sources
}
function sourceRows(sources: Sources, scan: StreamScan): SourceRows {
  const source = sources.get(scan.token)
  assert(source, `the source ${scan.token} is one of the plan's`)
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
  readonly #sources: Sources
  readonly #watermarks: EventTime[] = []
  #operatorCount = 0
  /** Nodes of the plan that stand in it twice are planned once; the key also says which columns are read. */
  readonly #done = new Map<LogicalPlan, Map<string, unknown>>()

  constructor(plan: LogicalPlan, outputMode: OutputMode) {
    this.#plan = plan
    this.#outputMode = outputMode
    this.#sources = numberSources(plan)
  }

  plan(): StreamingPlan {
    const root = fragmentOf(this.#plan, allColumns(this.#plan.schema), this.#boundary).node
    return {
      root,
      sources: [...this.#sources.values()].map(({ planned }) => planned),
      watermarks: this.#watermarks,
      stateful: statefulNodes(root),
      outputMode: this.#outputMode,
      schema: this.#plan.schema,
    }
  }

  readonly #boundary: Boundary = (plan, needed, c) => {
    switch (plan.kind) {
      case 'stream-scan':
        return readInput(c, sourceRows(this.#sources, plan))
      case 'scan':
        return readInput(c, { kind: 'scan', scan: plan, schema: plan.schema })
      case 'local':
        return readInput(c, { kind: 'local', local: plan, schema: plan.schema })
    }
    if (!isStreaming(plan)) return undefined
    switch (plan.kind) {
      case 'watermark':
        return this.#eventTime(plan, needed, c)
      case 'aggregate':
        return this.#statefulRows(plan, c)
      case 'distinct':
        return this.#statefulRows(distinctAsAggregate(plan), c)
      case 'join':
        return checkJoin(plan)
      case 'sort':
      case 'limit':
        return checkOverAggregate(plan, this.#outputMode)
      default:
        return undefined
    }
  }

  #eventTime(plan: Watermark, needed: Needed, c: Compilation): Select {
    const column = plan.index ?? plan.input.schema.indexOf(plan.column)
    assert(column >= 0, `the watermark's column ${plan.column} is one of its input's`)
    const kept = new Set([...needed, column])
    const { node, positions } = this.#once(plan, [...kept].sort((a, b) => a - b).join(), () => {
      const input = fragmentOf(plan.input, kept, this.#boundary)
      const measured: EventTime = {
        kind: 'event-time',
        input: input.node,
        schema: input.node.schema,
        index: this.#watermarks.length,
        column: input.positions[column]!,
        columnName: plan.column,
        delayMs: plan.delayMs,
      }
      this.#watermarks.push(measured)
      return { node: measured, positions: input.positions }
    })
    return readInput(c, node, positions)
  }

  /** The user's columns of an aggregation, over the keys and accumulators that its state gives. */
  #statefulRows(plan: Aggregate, c: Compilation): Select {
    const { node, keyColumns, aggregateValue } = this.#once(plan, '', () => this.#statefulAggregate(plan))
    const rows = readInput(c, node)
    const cells = rows.columns.map((column) => column!.sql)
    return { ...rows, columns: outputColumns(plan, keyColumns(cells), (call) => aggregateValue(call, cells)) }
  }

  #statefulAggregate(plan: Aggregate) {
    const inner: Compilation = {
      names: newNames(),
      inputs: [],
      boundary: (node, needed, c) => (node === plan.input ? this.#inputOf(node, needed, c) : this.#boundary(node, needed, c)),
    }
    const { select, keys, scope } = groupedRows(plan, inner)
    const parts = keys.flatMap((key) => key.parts)
    const taken = new Set(parts.map((part) => part.name))
    const values: StateValue[] = []
    const partials: { readonly partial: string; readonly settle: (sql: string) => string }[] = []
    const lowered = aggregatesIn(plan).map(({ call, output }) => {
      const aggregate = lowerAggregate(
        call,
        call.args.map((arg) => expressionSql(arg, scope)),
        call.filter && expressionSql(call.filter, scope),
      )
      const at =
        aggregate.accumulators[0]!.merge === 'moments'
          ? addMoments(aggregate, output, values, partials, taken)
          : aggregate.accumulators.map((one) => addAccumulator(one, output, values, partials, taken))
      return { call, aggregate, at }
    })
    const eventTimeKeys = keys.flatMap((key, i) =>
      key.eventTimePart === undefined ? [] : [keys.slice(0, i).flatMap((k) => k.parts).length + key.eventTimePart],
    )
    if (eventTimeKeys.length > 1) {
      throw new InvalidQueryError('MULTIPLE_EVENT_TIME_COLUMNS', {
        what: `the grouping keys ${eventTimeKeys.map((k) => parts[k]!.name).join(' and ')} both carry a watermark`,
        todo: 'group by one of them',
      })
    }
    assert(inner.inputs.length === 1, 'an aggregation reads one relation')
    // an aggregation above another aggregation is planned after it, so that numbers go up from the sources
    const node: StatefulAggregate = {
      kind: 'aggregate',
      inputs: inner.inputs,
      operatorId: this.#operatorCount++,
      operatorName: 'stateStoreSave',
      partialSql: partialSql(select, keys, partials, inner),
      stores: [
        {
          name: 'default',
          schema: {
            keys: parts.map(({ name, type, nullable }) => ({ name, type, nullable })),
            values,
            eventTime: eventTimeKeys.length === 0 ? null : { key: eventTimeKeys[0]! },
          },
        },
      ],
      outputMode: this.#outputMode,
      outputWatermark: { kind: 'same' },
      noDataBatches: this.#outputMode === 'complete' ? 'never' : 'when-watermark-moves',
      schema: new Schema([
        ...parts.map(({ name, type, nullable }): Field => ({ name, type, nullable })),
        ...values.map(({ name, type, nullable }): Field => ({ name, type, nullable })),
      ]),
      global: keys.length === 0,
    }
    return {
      node,
      keyColumns: (cells: readonly string[]) => cellsByKey(keys, cells, (key) => key.parts.length).map(({ key, own }) => key.value(own)),
      aggregateValue: (call: unknown, cells: readonly string[]) => {
        const { aggregate, at } = lowered.find((one) => one.call === call)!
        return aggregate.final(at.map((i) => cells[parts.length + i]!))
      },
    }
  }

  /** The rows below an aggregation as one relation of their own. */
  #inputOf(plan: LogicalPlan, needed: Needed, c: Compilation): Select {
    const { node, positions } = fragmentOf(plan, needed, this.#boundary)
    return readInput(c, node, positions)
  }

  #once<T>(plan: LogicalPlan, key: string, make: () => T): T {
    const known = this.#done.get(plan) ?? new Map<string, unknown>()
    this.#done.set(plan, known)
    if (!known.has(key)) known.set(key, make())
    return known.get(key) as T
  }
}

type Partials = { readonly partial: string; readonly settle: (sql: string) => string }[]

/** Where the accumulator stands in the state; the same one of another aggregate is shared. */
function addAccumulator(
  one: LoweredAggregate['accumulators'][number],
  output: string,
  values: StateValue[],
  partials: Partials,
  taken: Set<string>,
): number {
  const { type, nullable, merge, settle = (sql: string) => sql } = one
  const isSame = (value: StateValue, { partial, settle: other }: Partials[number]) =>
    value.merge === merge && merge !== 'moments' && partial === one.partial && other('⟦⟧') === settle('⟦⟧') && sameType(value.type, type)
  const known = values.findIndex((value, i) => isSame(value, partials[i]!))
  if (known >= 0) return known
  values.push({ name: freeName(one.suffix === '' ? output : `${output}.${one.suffix}`, taken), type, nullable, merge })
  partials.push({ partial: one.partial, settle })
  return values.length - 1
}

/** n, mean and m2 stay neighbours, since they merge as one. */
function addMoments(
  { accumulators }: LoweredAggregate,
  output: string,
  values: StateValue[],
  partials: Partials,
  taken: Set<string>,
): number[] {
  const known = values.findIndex(
    (value, i) => value.merge === 'moments' && accumulators.every((one, k) => partials[i + k]?.partial === one.partial),
  )
  if (known >= 0) return [known, known + 1, known + 2]
  return accumulators.map((one) => {
    values.push({ name: freeName(`${output}.${one.suffix}`, taken), type: one.type, nullable: one.nullable, merge: one.merge })
    return partials.push({ partial: one.partial, settle: (sql) => sql }) - 1
  })
}

function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let n = 2; taken.has(name); n++) name = `${wanted}.${n}`
  taken.add(name)
  return name
}

/** One row a group: a plain GROUP BY inside; identities, window ends and checked sums outside, where there are only groups left. */
function partialSql(select: Select, keys: ReturnType<typeof groupedRows>['keys'], partials: Partials, c: Compilation): string {
  const grouped = keys.flatMap((key) => key.grouped)
  const inner = groupBySql(
    select,
    grouped,
    partials.map(({ partial }) => partial),
  )
  const rows = selectFrom(
    `(${inner})`,
    [...grouped, ...partials].map((_, i) => i),
    c.names,
  )
  const cells = rows.columns.map((column) => column!.sql)
  const parts = cellsByKey(keys, cells, (key) => key.grouped.length).flatMap(({ key, own }) =>
    key.parts.map((part) => ({ sql: part.sql(own), type: part.type, isNeverNull: key.isNeverNull })),
  )
  const list = [
    `${keyIdSql(parts)} AS key_id`,
    ...parts.map(({ sql }, i) => `${sql} AS k${i}`),
    ...partials.map(({ settle }, i) => `${settle(cells[grouped.length + i]!)} AS a${i}`),
  ]
  return `SELECT ${list.join(', ')} FROM ${rows.from}`
}

function distinctAsAggregate(plan: Distinct): Aggregate {
  const keys = plan.schema.fields.map((field, index) => ({
    name: field.name,
    expression: { kind: 'column' as const, name: field.name, index, type: field.type, nullable: field.nullable },
    ...(field.watermarkDelayMs !== undefined && { watermarkDelayMs: field.watermarkDelayMs }),
  }))
  return { kind: 'aggregate', input: plan.input, schema: plan.schema, keys, aggregates: [] }
}

/** Which joins can be run batch by batch: the stream on the side whose rows are kept, the other side a table. */
function checkJoin(plan: Join): undefined {
  const [left, right] = [isStreaming(plan.left), isStreaming(plan.right)]
  const allowed = left && right ? [] : left ? ['inner', 'cross', 'left', 'semi', 'anti'] : ['inner', 'cross', 'right']
  if (allowed.includes(plan.how)) return undefined
  const what = left && right ? `a ${plan.how} join of two streams` : `a ${plan.how} join with the stream on the ${left ? 'left' : 'right'}`
  throw new InvalidQueryError('UNSUPPORTED_STREAMING_JOIN', {
    what: `${what} can't run`,
    todo:
      left && right ? 'join with a bounded table' : `with the stream on the ${left ? 'left' : 'right'} a join can be ${allowed.join(', ')}`,
  })
}

/** Order and number only mean something over a result that is given whole in every batch. */
function checkOverAggregate(plan: Sort | Limit, mode: OutputMode): undefined {
  const overAggregate = (node: LogicalPlan): boolean =>
    node.kind === 'aggregate' || node.kind === 'distinct' || inputsOf(node).some(overAggregate)
  if (mode === 'complete' && overAggregate(plan.input)) return undefined
  throw new InvalidQueryError(plan.kind === 'sort' ? 'STREAMING_SORT' : 'STREAMING_LIMIT', {
    what: `${plan.kind === 'sort' ? 'orderBy' : 'limit'} can't run on a stream in ${mode} mode`,
    todo: 'use it above an aggregation, in complete mode, or on the rows of foreachBatch',
  })
}
