import { Schema } from '../data/schema.ts'
import type { StateSchema, StateValue } from '../data/state-schema.ts'
import type { Field } from '../data/types.ts'
import type { Aggregate } from '../plan/logical-plan.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import { groupedRows, overNumberedInput } from './plan-sql.ts'
import { renderSelect } from './select-sql.ts'
import { splitSession } from './session-sql.ts'
import { type PlannedAccumulators, planAccumulators } from './streaming-aggregate.ts'
import type { PhysicalNode, SessionSumRows, SumRows } from './streaming-plan.ts'

interface Sums {
  readonly plan: Aggregate
  /** What the aggregation reads; column i of the plan's input lies at `positions[i]`. */
  readonly input: PhysicalNode
  readonly positions: readonly (number | undefined)[]
  readonly keyCount: number
  readonly values: readonly StateValue[]
  readonly partials: PlannedAccumulators['partials']
  /** Whether groups are late by one of the keys. */
  readonly isJudged: boolean
  readonly lineageOf: (aggregate: number) => string | undefined
}

/** How the rows are found that take a sum out of its type; `fittingSql` makes the partial aggregates without errors. */
export function sumsOf(sums: Sums, fittingSql: () => string): SumRows | null {
  const { keyCount, values, partials, isJudged } = sums
  const at = overflowing(partials)
  if (at.length === 0) return null
  const { select, keys, rowNumber, added } = numberedRows(sums)
  const parts = keys.flatMap((key) =>
    key.parts.map((part, i) => ({
      sql: part.sql(key.grouped),
      type: part.type,
      isNeverNull: key.isNeverNull,
      isTime: isJudged && i === key.eventTimePart,
    })),
  )
  const time = parts.find(({ isTime }) => isTime)
  const list = [keyIdSql(parts), rowNumber, time === undefined ? 'false' : lateBy(time.sql), ...added]
  return {
    rowsSql: renderSelect({ ...select, columns: list.map((sql) => ({ sql, plain: false })) }).sql,
    rowsSchema: new Schema([numberField, lateField, ...fieldsOf(values, at)]),
    columns: at.map((i) => keyCount + i),
    names: at.map((i) => values[i]!.name),
    partialSql: fittingSql(),
  }
}

interface SessionSums extends Omit<Sums, 'isJudged' | 'keyCount'> {
  readonly state: StateSchema
  /** How many columns of the state are bounds of sessions. */
  readonly bounds: number
}

/** The same for an aggregation by sessions: beside what a row adds there are its keys, and when its own session begins and ends. */
export function sessionSumsOf(sums: SessionSums, fittingSql: () => string): SessionSumRows | null {
  const { state, values, partials, bounds } = sums
  const at = overflowing(partials)
  if (at.length === 0) return null
  const { select, keys, rowNumber, added } = numberedRows(sums)
  const { others, session } = splitSession(keys)
  const parts = others.flatMap((key) =>
    key.parts.map((part) => ({ sql: part.sql(key.grouped), type: part.type, isNeverNull: key.isNeverNull })),
  )
  const { start, end, where } = session.session
  const { eventTime } = state
  const late = eventTime === null ? 'false' : lateBy('key' in eventTime ? parts[eventTime.key]!.sql : end)
  const list = [keyIdSql(parts), ...parts.map(({ sql }) => sql), start, end, ...added, rowNumber, late]
  const columns = [...state.keys, ...state.values.slice(0, bounds)].map(({ name, type, nullable }): Field => ({ name, type, nullable }))
  return {
    rowsSql: renderSelect({ ...select, where: [...select.where, ...where], columns: list.map((sql) => ({ sql, plain: false })) }).sql,
    rowsSchema: new Schema([...columns, ...fieldsOf(values, at), numberField, lateField]),
    columns: at.map((i) => state.keys.length + bounds + i),
    names: at.map((i) => values[i]!.name),
    piecesSql: fittingSql(),
  }
}

const numberField: Field = { name: 'row', type: 'int', nullable: false }
const lateField: Field = { name: 'late', type: 'boolean', nullable: false }
function fieldsOf(values: readonly StateValue[], at: readonly number[]): Field[] {
  return at.map((i) => ({ name: values[i]!.name, type: values[i]!.type, nullable: true }))
}
function overflowing(partials: PlannedAccumulators['partials']): number[] {
  return partials.flatMap(({ mayOverflow }, i) => (mayOverflow ? [i] : []))
}
function lateBy(time: string): string {
  return `coalesce(${time} <= ⟦late⟧, false)`
}

/** Partial aggregates of which a sum that leaves its type is null. */
export function withoutErrors(partials: PlannedAccumulators['partials']): PlannedAccumulators['partials'] {
  return partials.map((one) => (one.mayOverflow ? { ...one, settle: one.mayOverflow.settleOrNull } : one))
}

/** The rows, with their numbers from 0, before they are grouped. */
function numberedRows({ plan, input, positions, lineageOf }: Pick<Sums, 'plan' | 'input' | 'positions' | 'lineageOf'>) {
  const number = input.schema.fields.length
  const rowNumber = plan.input.schema.fields.length
  const c = overNumberedInput(plan, positions, number, 'row_number() OVER () - 1')
  const { select, keys, scope } = groupedRows(plan, c, [rowNumber])
  // planned over other names, the accumulators are the same ones in the same order
  const { partials } = planAccumulators(plan, scope, new Set(), lineageOf)
  const added = partials.flatMap(({ mayOverflow }) => (mayOverflow ? [mayOverflow.row] : []))
  return { select, keys, rowNumber: `CAST(${select.columns[rowNumber]!.sql} AS INTEGER)`, added }
}
