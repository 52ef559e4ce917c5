import type { FixedColumn } from '../data/column-batch.ts'
import { emptyColumns } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { StepContext, StepResult } from './step.ts'

/** limit(n) over a stream as the planner describes it (planner/streaming-plan.ts). */
export interface LimitStep {
  readonly count: number
  readonly countSql: string
  readonly schema: Schema
}

const countSchema = new Schema([{ name: 'count', type: 'long', nullable: false }])

/** One batch of a limit: as many of its first rows as are left. */
export async function runLimit({ count, countSql, schema }: LimitStep, { sql, inputs, store }: StepContext): Promise<StepResult> {
  // the state's upkeep is through once something was computed
  const none = await sql.load(emptyColumns(schema))
  let before = 0n
  for (const batch of store().scan()) before = (batch.columns[0] as FixedColumn).data[0] as bigint
  const left = BigInt(count) - before
  const nothing = { rowsUpdated: 0, rowsRemoved: 0, rowsDroppedByWatermark: 0, updatesMs: 0 }
  if (left <= 0n) return { output: none, metrics: nothing }
  const output = await sql.materialize(sql.fragment(`SELECT * FROM ⟦0⟧ LIMIT ${left}`, inputs, schema))
  const counted = await sql.keyedColumns(countSql, [output], countSchema)
  const startMs = performance.now()
  const added = (counted.rows.columns[0] as FixedColumn).data[0] as bigint
  if (added > 0n) store().merge(counted, false)
  return { output, metrics: { ...nothing, rowsUpdated: added > 0n ? 1 : 0, updatesMs: performance.now() - startMs } }
}
