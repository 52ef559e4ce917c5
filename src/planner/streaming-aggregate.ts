import { assert, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { StateAggregate, StateColumn, StateValue } from '../data/state-schema.ts'
import { type Field, sameType, typeText } from '../data/types.ts'
import { notSupportedYet } from '../plan/analysis-errors.ts'
import type { AggregateCall, Expression } from '../plan/expression.ts'
import { childrenOf, expressionText } from '../plan/expression-tree.ts'
import type { Aggregate, Distinct } from '../plan/logical-plan.ts'
import { type LoweredAggregate, lowerAggregate } from './aggregate-sql.ts'
import { expressionSql, type SqlScope } from './expression-sql.ts'
import { cellsByKey, type GroupKey } from './group-sql.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import { lateCells, lateSchema, named, neededForLate } from './late-rows.ts'
import { aggregatesIn, type Compilation, groupBySql, groupedRows, outputColumns, overNumberedInput, readInput } from './plan-sql.ts'
import { newNames, renderSelect, type Select, selectFrom, windowBound } from './select-sql.ts'
import type { StatefulPlanning } from './stateful-planning.ts'
import type { LateInput, PhysicalNode, StatefulAggregate, StatefulSession } from './streaming-plan.ts'
import { sumsOf, withoutErrors } from './sum-rows.ts'

/** An aggregation as a step with state, and how the user's columns are made of its keys and accumulators. */
export interface PlannedAggregate {
  readonly node: StatefulAggregate | StatefulSession
  readonly keyColumns: (cells: readonly string[]) => string[]
  readonly aggregateValue: (call: unknown, cells: readonly string[]) => string
  /** What the step has computed of an expression over an aggregate. */
  readonly knownValue?: (e: Expression, cells: readonly string[]) => string | undefined
}

/** The user's columns of an aggregation, over the keys and accumulators that its state gives. */
export function aggregateRows(plan: Aggregate, { node, keyColumns, aggregateValue, knownValue }: PlannedAggregate, c: Compilation): Select {
  const rows = readInput(c, node)
  const cells = rows.columns.map((column) => column!.sql)
  const value = (call: unknown) => aggregateValue(call, cells)
  return { ...rows, columns: outputColumns(plan, keyColumns(cells), value, (e) => knownValue?.(e, cells)) }
}

/** A compilation that stops at the aggregation's input; once that was read, `positions()[i]` is where column i of it lies. */
export function compileOverInput(plan: Aggregate, planning: StatefulPlanning) {
  let positions: readonly (number | undefined)[] = []
  const inner: Compilation = {
    names: newNames(),
    inputs: [],
    boundary(node, needed, c) {
      if (node !== plan.input) return planning.boundary(node, needed, c)
      const input = planning.input(node, needed)
      positions = input.positions
      return readInput(c, input.node, positions)
    },
  }
  return { inner, positions: () => positions }
}

export function planAggregate(plan: Aggregate, planning: StatefulPlanning): PlannedAggregate {
  const { inner, positions } = compileOverInput(plan, planning)
  const isJudged = planning.outputMode() !== 'complete' && plan.keys.some((_, i) => hasWatermark(plan, i))
  const wanted = isJudged ? planning.lateColumns : null
  const { select, keys, scope } = groupedRows(plan, inner, neededForLate(wanted, plan.input))
  const parts = keys.flatMap((key) => key.parts)
  // an aggregation above another aggregation is planned after it, so that numbers go up from the sources
  const operatorId = planning.nextOperatorId()
  const lineageOf = (aggregate: number) => planning.lineageOf(operatorId, aggregate)
  const accumulators = planAccumulators(plan, scope, new Set(parts.map((part) => part.name)), lineageOf)
  const { values, partials, value, aggregates } = accumulators
  const sized = sizedLists(plan, accumulators)
  const fields: Field[] = [...parts, ...values].map(({ name, type, nullable }) => ({ name, type, nullable }))
  const sizes = [...new Set(sized.values())].map((at) => parts.length + at)
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
  const node: StatefulAggregate = {
    kind: 'aggregate',
    inputs: inner.inputs,
    operatorId,
    operatorName: 'stateStoreSave',
    partialSql: partialSql(select, keys, partials, inner),
    partialSchema: new Schema(fields),
    sizes,
    sums: sumsOf(
      { plan, input: inner.inputs[0]!, positions: positions(), keyCount: parts.length, values, partials, isJudged, lineageOf },
      () => partialSql(select, keys, withoutErrors(partials), inner),
    ),
    rowChecks: [rowCheckSql(plan, select, keys, scope)],
    stores: [
      {
        name: 'default',
        schema: {
          keys: keyColumnsOf(plan, keys),
          values,
          eventTime: eventTimeKeys.length === 0 ? null : { key: eventTimeKeys[0]! },
          aggregates,
        },
      },
    ],
    outputMode: planning.outputMode(),
    outputWatermark: { kind: 'same' },
    noDataBatches: planning.outputMode() === 'complete' ? 'never' : 'when-watermark-moves',
    ...(isJudged && { late: [lateGroupedRows(plan, wanted, inner.inputs[0]!, positions())] }),
    schema: new Schema(fields.map((field, i) => (sizes.includes(i) ? { ...field, type: 'int' } : field))),
    global: keys.length === 0,
  }
  return {
    node,
    keyColumns: (cells: readonly string[]) => cellsByKey(keys, cells, (key) => key.parts.length).map(({ key, own }) => key.value(own)),
    aggregateValue: (call: unknown, cells: readonly string[]) => value(call, cells.slice(parts.length)),
    knownValue(e, cells) {
      const call = sizedCall(e)
      const at = call === undefined ? undefined : sized.get(call)
      return at === undefined ? undefined : `coalesce(${cells[parts.length + at]}, 0)`
    },
  }
}

/** The list or set that an expression asks the size of. */
function sizedCall(e: Expression): AggregateCall | undefined {
  if (e.kind !== 'call' || (e.name !== 'size' && e.name !== 'array_size')) return undefined
  const [of] = e.args
  return of?.kind === 'aggregate' && (of.name === 'collect_set' || of.name === 'collect_list') ? of : undefined
}

/** Lists and sets of which nothing but the size is asked, in no place of the plan: where each stands among the values. */
function sizedLists(plan: Aggregate, { aggregates }: PlannedAccumulators): ReadonlyMap<AggregateCall, number> {
  const sized = new Set<Expression>()
  const visit = (e: Expression) => {
    const call = sizedCall(e)
    if (call !== undefined) sized.add(call)
    else for (const child of childrenOf(e)) visit(child)
  }
  for (const { expression } of plan.aggregates) visit(expression)
  const calls = aggregatesIn(plan).map(({ call }, place) => ({ call, columns: aggregates[place]!.columns }))
  const isAsked = new Set(calls.flatMap(({ call, columns }) => (sized.has(call) ? [] : columns)))
  return new Map(calls.flatMap(({ call, columns: [at] }) => (sized.has(call) && !isAsked.has(at!) ? [[call, at!]] : [])))
}

/** The columns of grouping keys in the state. */
export function keyColumnsOf(plan: Aggregate, keys: readonly GroupKey[]): StateColumn[] {
  return keys.flatMap(({ name, parts }) => {
    const text = expressionText(plan.keys.find((key) => key.name === name)!.expression)
    const suffix = (part: string) => (parts.length === 1 ? '' : part.slice(name.length))
    return parts.map((part) => ({ name: part.name, type: part.type, nullable: part.nullable, origin: `${text}${suffix(part.name)}` }))
  })
}

function hasWatermark(plan: Aggregate, key: number): boolean {
  return (plan.keys[key]!.watermarkDelayMs ?? plan.schema.fields[key]?.watermarkDelayMs) !== undefined
}

/**
 * How late rows are found. A row is judged by the group, or with sliding windows by each of the groups, that it belongs to; it is late altogether where its
 * last window is.
 */
function lateGroupedRows(
  plan: Aggregate,
  wanted: readonly Field[] | null,
  input: PhysicalNode,
  positions: readonly (number | undefined)[],
): LateInput {
  // a row comes once for each set, and is late in some of them: as it came, it is not there any more
  if (wanted !== null && plan.input.kind === 'expand' && plan.input.of === 'grouping sets')
    throw notSupportedYet('lateRows of rollup, cube or grouping sets', 'group by one set of keys, or leave lateRows out')
  const at = input.schema.fields.length
  const rowNumber = plan.input.schema.fields.length
  const c = overNumberedInput(plan, positions, at, 'row_number() OVER ()')
  const { select, keys, scope, windowed } = groupedRows(plan, c, [...neededForLate(wanted, plan.input), rowNumber])
  const index = plan.keys.findIndex((_, i) => hasWatermark(plan, i))
  const [key, written] = [keys[index]!, plan.keys[index]!.expression]
  const end = key.parts[key.eventTimePart!]!.sql(key.grouped)
  const late = `coalesce(${end} <= ⟦late⟧, false)`
  const cells = lateCells(wanted, plan.input, (column) => select.columns[column]!.sql)
  const row = select.columns[rowNumber]!.sql
  const [eventTime, last] =
    written.kind === 'window' && written.gap === undefined
      ? [expressionSql(written.time, scope), windowBound(windowed.lastOf(written), written, 'end')]
      : [end, end]
  const lastIsInTime = `coalesce(${last} > ⟦late⟧, true)`
  const perWindow = renderSelect({
    ...select,
    where: [...select.where, late],
    columns: [...cells, eventTime, lastIsInTime, row].map((sql) => ({ sql, plain: false })),
  }).sql
  const list = [...[...cells, eventTime].map((_, i) => `first(w.c${i})`), 'CAST(count(*) AS INTEGER)', `bool_or(w.c${cells.length + 1})`]
  const whole = renderSelect({
    ...select,
    where: [...select.where, late, `NOT ${lastIsInTime}`],
    columns: [{ sql: row, plain: false }],
  }).sql
  return {
    input: 0,
    side: null,
    rowsSql: `SELECT ${named(list)} FROM (${perWindow}) AS w GROUP BY w.c${cells.length + 2}`,
    rowsSchema: lateSchema(wanted),
    inTimeSql: `SELECT (SELECT count(*) FROM ⟦0⟧ AS x) - (SELECT count(DISTINCT w.c0) FROM (${whole}) AS w) AS c0`,
  }
}

/** What a plan's aggregates keep of a group. */
export interface PlannedAccumulators {
  readonly values: readonly StateValue[]
  /** In the order of `values`: a SQL aggregate over a batch's rows, and the value of the column from it. */
  readonly partials: readonly PartialSql[]
  /** What an aggregate gives, from the columns of `values`. */
  readonly value: (call: unknown, cells: readonly string[]) => string
  readonly aggregates: readonly StateAggregate[]
}

/** `lineageOf`: by the place of an aggregate; `taken`: names of columns that the state has already. */
export function planAccumulators(
  plan: Aggregate,
  scope: SqlScope,
  taken: Set<string>,
  lineageOf: (aggregate: number) => string | undefined,
): PlannedAccumulators {
  const values: StateValue[] = []
  const partials: Partials = []
  const lowered = aggregatesIn(plan).map(({ call, output }, place) => {
    const lineage = lineageOf(place)
    const aggregate = lowerAggregate(
      call,
      call.args.map((arg) => expressionSql(arg, scope)),
      call.filter && expressionSql(call.filter, scope),
    )
    const at =
      aggregate.accumulators[0]!.merge === 'moments'
        ? addMoments(aggregate, output, lineage, values, partials, taken)
        : aggregate.accumulators.map((one) => addAccumulator(one, output, lineage, values, partials, taken))
    return { call, output, aggregate, at }
  })
  const aggregates = lowered.map(
    ({ call, output, at }): StateAggregate => ({
      name: output,
      call: expressionText(call),
      function: call.name,
      types: call.args.map(({ type }) => typeText(type)),
      columns: at,
    }),
  )
  const value = (call: unknown, cells: readonly string[]) => {
    const { aggregate, at } = lowered.find((one) => one.call === call)!
    return aggregate.final(at.map((i) => cells[i]!))
  }
  return { values, partials, value, aggregates }
}

interface PartialSql {
  readonly partial: string
  readonly settle: (sql: string) => string
  readonly mayOverflow?: LoweredAggregate['accumulators'][number]['mayOverflow']
}
type Partials = PartialSql[]

/** Where the accumulator stands in the state; the same one of another aggregate is shared. */
function addAccumulator(
  one: LoweredAggregate['accumulators'][number],
  output: string,
  lineage: string | undefined,
  values: StateValue[],
  partials: Partials,
  taken: Set<string>,
): number {
  const { type, nullable, merge, settle = (sql: string) => sql } = one
  const isSame = (value: StateValue, { partial, settle: other }: Partials[number]) =>
    value.merge === merge &&
    value.lineage === lineage &&
    merge !== 'moments' &&
    partial === one.partial &&
    other('⟦⟧') === settle('⟦⟧') &&
    sameType(value.type, type)
  const known = values.findIndex((value, i) => isSame(value, partials[i]!))
  if (known >= 0) return known
  values.push({
    name: freeName(one.suffix === '' ? output : `${output}.${one.suffix}`, taken),
    type,
    nullable,
    merge,
    ...(lineage !== undefined && { lineage }),
  })
  partials.push({ partial: one.partial, settle, ...(one.mayOverflow && { mayOverflow: one.mayOverflow }) })
  return values.length - 1
}

/** n, mean and m2 stay neighbours, since they merge as one. */
function addMoments(
  { accumulators }: LoweredAggregate,
  output: string,
  lineage: string | undefined,
  values: StateValue[],
  partials: Partials,
  taken: Set<string>,
): number[] {
  const known = values.findIndex(
    (value, i) =>
      value.merge === 'moments' && value.lineage === lineage && accumulators.every((one, k) => partials[i + k]?.partial === one.partial),
  )
  if (known >= 0) return [known, known + 1, known + 2]
  return accumulators.map((one) => {
    const { type, nullable, merge } = one
    values.push({ name: freeName(`${output}.${one.suffix}`, taken), type, nullable, merge, ...(lineage !== undefined && { lineage }) })
    return partials.push({ partial: one.partial, settle: (sql) => sql }) - 1
  })
}

function freeName(wanted: string, taken: Set<string>): string {
  let name = wanted
  for (let n = 2; taken.has(name); n++) name = `${wanted}.${n}`
  taken.add(name)
  return name
}

/** What an aggregation computes of each row: keys, and what its aggregates are given. */
export function rowCheckSql(plan: Aggregate, select: Select, keys: readonly GroupKey[], scope: SqlScope): string {
  const given = aggregatesIn(plan).flatMap(({ call }) => {
    const args = call.args.map((arg) => expressionSql(arg, scope))
    if (!call.filter) return args
    // as FILTER does it: what it leaves out is not computed
    const filter = expressionSql(call.filter, scope)
    return [filter, ...args.map((arg) => `CASE WHEN ${filter} THEN ${arg} END`)]
  })
  const columns = [...keys.flatMap((key) => key.grouped), ...given].map((sql) => ({ sql, plain: false }))
  return renderSelect({ ...select, columns }).sql
}

/** One row a group: a plain GROUP BY inside; identities, window ends and checked sums outside, where there are only groups left. */
function partialSql(
  select: Select,
  keys: ReturnType<typeof groupedRows>['keys'],
  partials: PlannedAccumulators['partials'],
  c: Pick<Compilation, 'names'>,
): string {
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

/** DISTINCT is a grouping by all columns that computes nothing. */
export function distinctAsAggregate(plan: Distinct): Aggregate {
  const keys = plan.schema.fields.map((field, index) => ({
    name: field.name,
    expression: { kind: 'column' as const, name: field.name, index, type: field.type, nullable: field.nullable },
    ...(field.watermarkDelayMs !== undefined && { watermarkDelayMs: field.watermarkDelayMs }),
  }))
  return { kind: 'aggregate', input: plan.input, schema: plan.schema, keys, aggregates: [] }
}
