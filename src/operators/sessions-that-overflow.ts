/**
 * Which rows of a batch take a sum of a session out of its type. Where that has happened, the batch's rows are added to the sessions of their keys one by one, in their order: a row that
 * does not fit is left out. What fits must do so in whichever order the sums are added later, so what is above 0 and what is below are counted apart, and both must fit.
 */
import type { Column, FixedColumn } from '../data/column-batch.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { typeText } from '../data/types.ts'
import type { StateStore } from '../state/state-store.ts'
import { leavesRange } from '../state/sum-overflow.ts'
import { numberKeys } from './distinct-keys.ts'
import { withLate } from './late.ts'
import { type SumRowsStep, valuesOf } from './rows-that-overflow.ts'
import { ofKeys } from './session.ts'
import type { BatchWatermarks, RowError, Rows, StepSql } from './step.ts'

/** As the planner describes it (planner/streaming-plan.ts, SessionSumRows). */
export type SessionSumsStep = Omit<SumRowsStep, 'partialSql'> & { readonly piecesSql: string }

interface Session {
  readonly start: bigint
  readonly end: bigint
  /** Of each sum: what is above 0, and what is below. */
  readonly above: readonly bigint[]
  readonly below: readonly bigint[]
}

/** The rows by their number, and why. */
export async function rowsThatOverflowSessions(
  step: SessionSumsStep,
  sql: StepSql,
  input: Rows,
  store: StateStore,
  schema: StateSchema,
  watermarks: BatchWatermarks,
): Promise<ReadonlyMap<number, RowError>> {
  const { keyIds, rows } = await sql.keyedColumns(withLate(step.rowsSql, watermarks), [input], step.rowsSchema)
  const { numbers, distinct, firsts } = numberKeys(keyIds)
  const keyCount = schema.keys.length
  const sessions: Session[][] = Array.from(firsts, () => [])
  const stored = ofKeys(store.lookup(distinct), rows, firsts, keyCount)
  const standing = sessionAt(stored.rows.columns, keyCount, step.columns)
  stored.asked.forEach((key, i) => {
    sessions[key]!.push(standing(i))
  })
  const sumsAt = step.columns.map((_, s) => keyCount + 2 + s)
  const coming = sessionAt(rows.columns, keyCount, sumsAt)
  const [number, late] = rows.columns.slice(-2) as [FixedColumn, FixedColumn]
  const types = sumsAt.map((at) => rows.columns[at]!.type)
  const out = new Map<number, RowError>()
  const order = Array.from({ length: rows.length }, (_, i) => i).filter((i) => late.data[i] === 0)
  for (const i of order.sort((a, b) => Number(number.data[a]!) - Number(number.data[b]!))) {
    const row = coming(i)
    const own = sessions[numbers[i]!]!
    const touched = own.filter(({ start, end }) => start <= row.end && row.start <= end)
    const merged = touched.reduce(merge, row)
    const s = types.findIndex((type, at) => leavesRange(type, merged.above[at]!) || leavesRange(type, merged.below[at]!))
    if (s < 0) sessions[numbers[i]!] = [...own.filter((session) => !touched.includes(session)), merged]
    else {
      const what = `the sum "${step.names[s]}" of the row's session leaves the range of ${typeText(types[s]!)}: with the row there are ${merged.above[s]} above 0 in it, and ${merged.below[s]} below`
      out.set(Number(number.data[i]!), { code: 'ARITHMETIC_OVERFLOW', what })
    }
  }
  return out
}

function sessionAt(columns: readonly Column[], keyCount: number, sums: readonly number[]): (row: number) => Session {
  const [start, end] = [keyCount, keyCount + 1].map((at) => valuesOf(columns[at]!)) as [(i: number) => bigint, (i: number) => bigint]
  const values = sums.map((at) => valuesOf(columns[at]!))
  return (i) => {
    const added = values.map((value) => value(i))
    return { start: start(i), end: end(i), above: added.map((n) => (n > 0n ? n : 0n)), below: added.map((n) => (n < 0n ? n : 0n)) }
  }
}

function merge(a: Session, b: Session): Session {
  return {
    start: a.start < b.start ? a.start : b.start,
    end: a.end > b.end ? a.end : b.end,
    above: a.above.map((n, s) => n + b.above[s]!),
    below: a.below.map((n, s) => n + b.below[s]!),
  }
}
