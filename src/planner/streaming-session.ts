import { assert, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { StateSchema, StateValue } from '../data/state-schema.ts'
import type { Field } from '../data/types.ts'
import type { Aggregate } from '../plan/logical-plan.ts'
import { cellsByKey, type GroupKey, groupKeys, type RowSession } from './group-sql.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import { lateInput, neededForLate } from './late-rows.ts'
import { type Compilation, groupBySql, groupedRows } from './plan-sql.ts'
import { type Select, selectFrom } from './select-sql.ts'
import { pieceOf, sessionKeyColumns, splitSession } from './session-sql.ts'
import type { StatefulPlanning } from './stateful-planning.ts'
import {
  compileOverInput,
  keyColumnsOf,
  type PlannedAccumulators,
  type PlannedAggregate,
  planAccumulators,
  rowCheckSql,
} from './streaming-aggregate.ts'
import type { StatefulSession } from './streaming-plan.ts'
import { sessionSumsOf, withoutErrors } from './sum-rows.ts'

/** An aggregation by sessions as a step with state: a row a session, many sessions a key. */
export function planSession(plan: Aggregate, planning: StatefulPlanning): PlannedAggregate {
  const { inner, positions } = compileOverInput(plan, planning)
  const wanted = planning.lateColumns
  const { select, keys, scope } = groupedRows(plan, inner, neededForLate(wanted, plan.input))
  const { others, session } = splitSession(keys)
  if (others.length === 0) throw noOtherKey()
  const parts = others.flatMap((key) => key.parts)
  const origins = keyColumnsOf(plan, [session]).map(({ origin }) => origin!)
  const bounds = session.parts.map(
    ({ name, type }, i): StateValue => ({ name, type, nullable: false, origin: origins[i]!, merge: i === 0 ? 'min' : 'max' }),
  )
  const operatorId = planning.nextOperatorId()
  const lineageOf = (aggregate: number) => planning.lineageOf(operatorId, aggregate)
  const accumulators = planAccumulators(plan, scope, new Set([...parts, ...bounds].map(({ name }) => name)), lineageOf)
  assert(inner.inputs.length === 1, 'an aggregation reads one relation')
  const state: StateSchema = {
    keys: keyColumnsOf(plan, others),
    values: [...bounds, ...accumulators.values],
    eventTime: eventTimeOf(others, session, parts.length),
    rowsPerKey: 'many',
    aggregates: accumulators.aggregates.map((aggregate) => ({ ...aggregate, columns: aggregate.columns.map((at) => bounds.length + at) })),
  }
  const cell = (index: number) => `t0.c${positions()[index]!}`
  const late = state.eventTime === null ? undefined : lateInput({ wanted, plan: plan.input, cell, ...judgedBy(plan, state, cell) })
  const columns = [...state.keys, ...state.values].map(({ name, type, nullable }): Field => ({ name, type, nullable }))
  const node: StatefulSession = {
    kind: 'session',
    inputs: inner.inputs,
    operatorId,
    operatorName: 'sessionWindowStateStoreSaveExec',
    stores: [{ name: 'default', schema: state }],
    outputMode: planning.outputMode(),
    schema: new Schema(columns),
    outputWatermark: { kind: 'same' },
    noDataBatches: planning.outputMode() === 'complete' ? 'never' : 'when-watermark-moves',
    ...(late && { late: [late] }),
    rowChecks: [rowCheckSql(plan, { ...select, where: [...select.where, ...session.session.where] }, others, scope)],
    piecesSql: piecesSql(select, others, session.session, accumulators, state, inner),
    sums: sessionSumsOf(
      { plan, input: inner.inputs[0]!, positions: positions(), ...accumulators, lineageOf, state, bounds: bounds.length },
      () => piecesSql(select, others, session.session, { ...accumulators, partials: withoutErrors(accumulators.partials) }, state, inner),
    ),
    piecesSchema: new Schema([...columns, { name: 'late rows', type: 'long', nullable: false }]),
  }
  return {
    node,
    keyColumns: (cells) => sessionKeyColumns(keys, cells),
    aggregateValue: (call, cells) => accumulators.value(call, cells.slice(parts.length + 2)),
  }
}

function noOtherKey(): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_STREAMING_OPERATION', {
    what: 'Global aggregation with session window in streaming query is not supported: the session window is the only grouping key',
    todo: 'group by a further column beside it, a constant one if there is none',
  })
}

/** Which column says when a session is over: its end, or another key that carries the watermark. */
function eventTimeOf(others: readonly GroupKey[], session: GroupKey, keyCount: number): StateSchema['eventTime'] {
  const found: NonNullable<StateSchema['eventTime']>[] = session.eventTimePart === undefined ? [] : [{ value: session.eventTimePart }]
  let at = 0
  for (const key of others) {
    if (key.eventTimePart !== undefined) found.push({ key: at + key.eventTimePart })
    at += key.parts.length
  }
  assert(at === keyCount, 'every part of a key is a column')
  if (found.length <= 1) return found[0] ?? null
  throw new InvalidQueryError('MULTIPLE_EVENT_TIME_COLUMNS', {
    what: `the grouping keys ${[session, ...others.filter((key) => key.eventTimePart !== undefined)].map(({ name }) => name).join(' and ')} both carry a watermark`,
    todo: 'group by one of them',
  })
}

/** By what a row is judged, over the rows of the input: the end of its own session, or another key that carries the watermark. Null where it is in no session. */
function judgedBy(
  plan: Aggregate,
  { eventTime }: StateSchema,
  column: (index: number) => string,
): { readonly time: string; readonly eventTime: string } {
  const { others, session } = splitSession(groupKeys(plan, null, { column }))
  const { start, end, gapUs } = session.session
  const bySession = eventTime !== null && 'value' in eventTime
  const other = others.find((key) => key.eventTimePart !== undefined)
  const time = bySession ? end : other!.parts[other!.eventTimePart!]!.sql(other!.grouped)
  const inSession = (sql: string) => `CASE WHEN ${start} IS NOT NULL AND ${gapUs} > 0 THEN ${sql} END`
  return { time: inSession(time), eventTime: inSession(bySession ? start : time) }
}

/** A row a piece: a plain GROUP BY inside; identities, bounds and checked sums outside. Whether a row is late goes by its own session, before anything is merged. */
function piecesSql(
  select: Select,
  others: readonly GroupKey[],
  session: RowSession,
  { partials }: PlannedAccumulators,
  state: StateSchema,
  c: Compilation,
): string {
  const grouped = others.flatMap((key) => key.grouped)
  const isLateBySession = state.eventTime !== null && 'value' in state.eventTime
  const late = isLateBySession ? [`coalesce(${session.end} <= ⟦late⟧, false)`] : []
  const pieces = pieceOf(session)
  const aggregates = [`min(${session.start})`, `max(${session.end})`, 'count(*)', ...partials.map(({ partial }) => partial)]
  const inner = groupBySql({ ...select, where: [...select.where, ...session.where] }, [...grouped, ...late, ...pieces], aggregates)
  const width = grouped.length + late.length + pieces.length
  const rows = selectFrom(
    `(${inner})`,
    Array.from({ length: width + aggregates.length }, (_, i) => i),
    c.names,
  )
  const cells = rows.columns.map((column) => column!.sql)
  const parts = cellsByKey(others, cells, (key) => key.grouped.length).flatMap(({ key, own }) =>
    key.parts.map((part) => ({ sql: part.sql(own), type: part.type, isNeverNull: key.isNeverNull })),
  )
  const [start, end, count, ...accumulated] = cells.slice(width)
  const { eventTime } = state
  const isLate = isLateBySession
    ? cells[grouped.length]!
    : eventTime !== null && 'key' in eventTime
      ? `coalesce(${parts[eventTime.key]!.sql} <= ⟦late⟧, false)`
      : 'false'
  const list = [
    `${keyIdSql(parts)} AS key_id`,
    ...parts.map(({ sql }, i) => `${sql} AS k${i}`),
    `${start} AS a0`,
    `${end} AS a1`,
    ...partials.map(({ settle }, i) => `${settle(accumulated[i]!)} AS a${i + 2}`),
    `CASE WHEN ${isLate} THEN ${count} ELSE 0 END AS late`,
  ]
  return `SELECT ${list.join(', ')} FROM ${rows.from}`
}
