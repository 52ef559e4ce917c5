/**
 * The side output of late rows, as a step with state plans it: `lateColumns` says which columns of its input have to be there, and `lateInput` (a row is judged
 * by one time) or `lateWindows` (it is judged by each of its windows) how the late ones among them are found.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, sameType, typeText } from '../data/types.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import { fieldSql } from './cast-sql.ts'
import { literalSql } from './sql-text.ts'
import type { FutureRows, LateInput } from './streaming-plan.ts'

/** Behind the columns of the side output. */
const judgement: readonly Field[] = [
  { name: 'event time', type: 'timestamp', nullable: true },
  { name: 'late windows', type: 'int', nullable: false },
  { name: 'partly', type: 'boolean', nullable: false },
]

/** Which columns of a step's input the side output takes; undefined for one that the input lacks. InvalidQueryError LATE_ROWS_COLUMN. */
export function lateColumns(wanted: readonly Field[] | null, plan: LogicalPlan): readonly (number | undefined)[] {
  return (wanted ?? []).map((field) => {
    const found = plan.schema.fields.flatMap(({ name }, i) => (name === field.name ? [i] : []))
    const [index] = found
    if (found.length > 1) throw refused(field, 'has it more than once', plan, 'rename one of them before the step')
    if (index === undefined) {
      if (field.nullable) return undefined
      throw refused(field, 'lacks it', plan, 'make the column .nullable(): rows of steps that lack it then have null there')
    }
    const own = plan.schema.fields[index]!
    if (!sameType(own.type, field.type))
      throw refused(field, `has it as ${typeText(own.type)} and not as ${typeText(field.type)}`, plan, 'give the type that it has there')
    return index
  })
}

function refused({ name }: Field, what: string, plan: LogicalPlan, todo: string): InvalidQueryError {
  return new InvalidQueryError('LATE_ROWS_COLUMN', {
    what: `lateRows asks for the column \`${name}\`, and the input of a step with state ${what}: ${plan.schema.fields.map((field) => `${field.name} ${typeText(field.type)}`).join(', ')}`,
    todo,
  })
}

/** The same columns as a set, for what is needed of the input. */
export function neededForLate(wanted: readonly Field[] | null, plan: LogicalPlan): Set<number> {
  return new Set(lateColumns(wanted, plan).filter((index) => index !== undefined))
}

export interface LateRowsOf {
  readonly wanted: readonly Field[] | null
  readonly plan: LogicalPlan
  /** The column of the input over ⟦0⟧ AS t0. */
  readonly cell: (index: number) => string
  /** By what a row is judged, a TIMESTAMP over ⟦0⟧ AS t0; null is never late. */
  readonly time: string
  /** What is shown as its time, where that is another one: a row is judged by the end of its session. */
  readonly eventTime?: string
  readonly input?: number
  readonly side?: 'left' | 'right'
}

/** For a step that judges a row by one time; undefined where nobody asked for late rows. */
export function lateInput({ wanted, plan, cell, time, eventTime = time, input = 0, side }: LateRowsOf): LateInput | undefined {
  if (wanted === null) return undefined
  const list = [...lateCells(wanted, plan, cell), eventTime, 'CAST(1 AS INTEGER)', 'false']
  const late = `coalesce(${time} <= ⟦late⟧, false)`
  return {
    input,
    side: side ?? null,
    rowsSql: `SELECT ${named(list)} FROM ⟦0⟧ AS t0 WHERE ${late}`,
    rowsSchema: lateSchema(wanted),
    inTimeSql: `SELECT count(*) AS c0 FROM ⟦0⟧ AS t0 WHERE NOT ${late}`,
  }
}

/** The rows of a watermark's input that are stamped too far ahead. */
export function futureRows(
  wanted: readonly Field[] | null,
  plan: LogicalPlan,
  cell: (index: number) => string,
  time: string,
  maxSkewMs: number,
): FutureRows {
  const isAhead = `coalesce(${time} > ⟦bound⟧, false)`
  return {
    maxSkewMs,
    rowsSql: `SELECT ${named([...lateCells(wanted, plan, cell), time])} FROM ⟦0⟧ AS t0 WHERE ${isAhead}`,
    rowsSchema: new Schema([...nullable(wanted), judgement[0]!]),
    keptSql: `SELECT * FROM ⟦0⟧ AS t0 WHERE NOT ${isAhead}`,
  }
}

/** When a row is late: its time, or the end of its window. */
export function timeOf(type: DataType, sql: string): string {
  return typeof type !== 'string' && type.kind === 'struct' ? fieldSql(sql, 'end') : sql
}

/** The columns of the side output over an input, with nulls for those that it lacks. */
export function lateCells(wanted: readonly Field[] | null, plan: LogicalPlan, cell: (index: number) => string): string[] {
  return lateColumns(wanted, plan).map((index, i) => (index === undefined ? literalSql(null, wanted![i]!.type) : cell(index)))
}
export function lateSchema(wanted: readonly Field[] | null): Schema {
  return new Schema([...nullable(wanted), ...judgement])
}
/** As the side output's schema has them: a late row may have broken the promise of its column. */
function nullable(wanted: readonly Field[] | null): Field[] {
  return (wanted ?? []).map((field) => ({ ...field, nullable: true }))
}
export function named(list: readonly string[]): string {
  return list.map((sql, i) => `${sql} AS c${i}`).join(', ')
}
