import { assert } from '../base/errors.ts'
import { type ColumnBatch, emptyColumns, type FixedColumn } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { KeyedBatch } from '../state/state-store.ts'
import { withLate } from './late.ts'
import type { Rows, StepContext, StepResult, StepSql } from './step.ts'
import { takeColumn, takeKeys } from './take.ts'

/** dropDuplicates and dropDuplicatesWithinWatermark as the planner describes them (planner/streaming-plan.ts). */
export interface DedupeStep {
  readonly numberedSql: string
  readonly numberedSchema: Schema
  readonly keysSql: string
  readonly keysSchema: Schema
  readonly pickedSql: string
  readonly schema: Schema
}

/** One batch: DuckDB finds the batch's distinct keys and the first row of each; only those come here, and the state says which of them are new. */
export async function runDedupe(step: DedupeStep, { sql, inputs, store, watermarks }: StepContext): Promise<StepResult> {
  const numbered = await sql.materialize(sql.fragment(step.numberedSql, inputs, step.numberedSchema))
  const found = await sql.keyedColumns(withLate(step.keysSql, watermarks), [numbered], step.keysSchema)
  const startMs = performance.now()
  const { keys, firstRows, inTime, late } = splitCounts(found)
  const fresh = store().insert(keys)
  const updatedMs = performance.now()
  const { evictionUs } = watermarks
  const removed = evictionUs === null ? 0 : store().evict(evictionUs, false).removed
  const metrics = {
    rowsUpdated: fresh.length,
    rowsRemoved: removed,
    rowsDroppedByWatermark: late,
    updatesMs: updatedMs - startMs,
    removalsMs: performance.now() - updatedMs,
    custom: { numDroppedDuplicateRows: inTime - fresh.length },
  }
  const picked = takeColumn(firstRows, fresh) as FixedColumn
  // the state has copied what it keeps
  sql.release(found)
  return { output: await pick(step, sql, numbered, picked, fresh.length), metrics }
}

/** Takes the three numbers off the columns of the state, and leaves out the keys that only late rows have. */
function splitCounts({ keyIds, rows }: KeyedBatch) {
  const stateColumns = rows.columns.length - 3
  const [firstRows, inTimeRows, lateRows] = rows.columns.slice(stateColumns) as [FixedColumn, FixedColumn, FixedColumn]
  const schema = new Schema(rows.schema.fields.slice(0, stateColumns))
  const all: KeyedBatch = { keyIds, rows: { schema, length: rows.length, columns: rows.columns.slice(0, stateColumns) } }
  const counts = { inTime: sum(inTimeRows), late: sum(lateRows) }
  const { valid } = firstRows
  if (valid === null) return { keys: all, firstRows, ...counts }
  const numbers = new Uint32Array(rows.length)
  let count = 0
  for (let row = 0; row < rows.length; row++) if (valid[row] === 1) numbers[count++] = row
  const kept = numbers.subarray(0, count)
  return { keys: takeKeys(all, kept), firstRows: { ...takeColumn(firstRows, kept), valid: null } as FixedColumn, ...counts }
}

function sum({ data }: FixedColumn): number {
  assert(data instanceof BigInt64Array, 'rows are counted in longs')
  // by halves of 64 bits: each bigint would be an object
  const words = new Int32Array(data.buffer, data.byteOffset, 2 * data.length)
  let total = 0
  for (let i = 0; i < words.length; i += 2) total += words[i + 1]! * 4294967296 + (words[i]! >>> 0)
  return total
}

const numberSchema = new Schema([{ name: 'row', type: 'long', nullable: false }])

async function pick({ pickedSql, schema }: DedupeStep, sql: StepSql, numbered: Rows, numbers: FixedColumn, length: number): Promise<Rows> {
  if (length === 0) return sql.load(emptyColumns(schema))
  const picked: ColumnBatch = { schema: numberSchema, length, columns: [numbers] }
  return sql.fragment(pickedSql, [numbered, await sql.load(picked)], schema)
}
