import { assert } from '../base/errors.ts'
import { rowMemory } from '../data/array-pool.ts'
import type { Column, ColumnBatch, FixedColumn } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { KeyedBatch, StateStore } from '../state/state-store.ts'
import { loadAll } from './load-all.ts'
import { isOverflow, rowsThatOverflow, type SumRowsStep } from './rows-that-overflow.ts'
import type { BatchWatermarks, Rows, StepContext, StepResult, StepSql } from './step.ts'
import { takeKeys } from './take.ts'

/** A grouped aggregation as the planner describes it (planner/streaming-plan.ts). */
export interface AggregateStep {
  readonly partialSql: string
  readonly partialSchema: Schema
  readonly sizes: readonly number[]
  readonly stores: readonly { readonly schema: StateSchema }[]
  readonly outputMode: 'append' | 'update' | 'complete'
  readonly schema: Schema
  readonly sums: SumRowsStep | null
}

/** One batch of an aggregation: partial aggregates in SQL, the rest here. */
export async function runAggregate(step: AggregateStep, context: StepContext): Promise<StepResult> {
  const { sql, store, watermarks } = context
  const partial = context.partial ?? (await partialOf(step, context))
  const startMs = performance.now()
  const { eventTime } = step.stores[0]!.schema
  const spec = { outputMode: step.outputMode, eventTimeKey: eventTime !== null && 'key' in eventTime ? eventTime.key : null }
  const { output, ...metrics } = aggregateBatch(store(), partial, spec, watermarks)
  const updatesMs = performance.now() - startMs
  // the state has copied what it keeps
  sql.release(partial)
  const given = step.sizes.length === 0 ? output : output.map((rows) => withSizes(rows, step))
  return { output: await loadAll(sql, given, step.schema), metrics: { ...metrics, updatesMs } }
}

/** Lists are given out as their sizes where nobody asks for more. */
function withSizes({ length, columns }: ColumnBatch, { schema, sizes }: AggregateStep): ColumnBatch {
  return { schema, length, columns: columns.map((column, c) => (sizes.includes(c) ? sizesOf(column, length) : column)) }
}
function sizesOf(column: Column, length: number): FixedColumn {
  assert(column.kind === 'values', 'lists are values')
  const data = rowMemory.array(Int32Array, length)
  const valid = rowMemory.array(Uint8Array, length)
  for (let row = 0; row < length; row++) {
    const list = column.values[row] as readonly unknown[] | null | undefined
    valid[row] = list == null ? 0 : 1
    data[row] = list?.length ?? 0
  }
  return { kind: 'fixed', type: 'int', data, valid }
}

/** The groups of rows, as they are before the state knows of them. */
export function groupsOf({ partialSql, partialSchema }: AggregateStep, sql: Pick<StepSql, 'keyedColumns'>, inputs: readonly Rows[]) {
  return sql.keyedColumns(partialSql, inputs, partialSchema)
}

/** The batch's groups. Where dead letters are kept, rows that take a sum out of its type are set aside first. */
async function partialOf(step: AggregateStep, { sql, inputs, store, watermarks, setRowsAside }: StepContext): Promise<KeyedBatch> {
  const { sums } = step
  if (sums === null || !setRowsAside) return groupsOf(step, sql, inputs)
  try {
    const partial = await groupsOf(step, sql, inputs)
    if (store().sumsFit(partial, sums.columns)) return partial
    sql.release(partial)
  } catch (error) {
    if (!isOverflow(error)) throw error
  }
  const rows = await sql.materialize(inputs[0]!)
  const refused = await rowsThatOverflow(sums, sql, rows, store(), watermarks)
  const others = refused.size === 0 ? rows : await setRowsAside(rows, refused)
  return sql.keyedColumns(sums.partialSql, [others], step.partialSchema)
}

export interface AggregateResult {
  /** The rows that the output mode asks for: keys, then accumulators. */
  readonly output: readonly ColumnBatch[]
  readonly rowsUpdated: number
  readonly rowsRemoved: number
  /** Groups (after partial aggregation, as in Spark) that came too late. */
  readonly rowsDroppedByWatermark: number
}
export interface AggregateSpec {
  readonly outputMode: 'append' | 'update' | 'complete'
  /** Position of the event-time column among the keys, or null where no key has a watermark. */
  readonly eventTimeKey: number | null
}

/**
 * Folds one batch's partial aggregates into the state and gives what the output mode shows of it:
 * append the rows that the watermark has closed, update the touched rows, complete all rows.
 * Complete mode neither drops late rows nor forgets anything.
 */
export function aggregateBatch(store: StateStore, batch: KeyedBatch, spec: AggregateSpec, watermarks: BatchWatermarks): AggregateResult {
  const { outputMode, eventTimeKey } = spec
  if (outputMode === 'complete') {
    const touched = store.merge(batch, false)
    return { output: [...store.scan()], rowsUpdated: touched.length, rowsRemoved: 0, rowsDroppedByWatermark: 0 }
  }
  const inTime = eventTimeKey === null || watermarks.lateUs === null ? batch : dropLate(batch, eventTimeKey, watermarks.lateUs)
  const touched = store.merge(inTime, outputMode === 'update')
  const evicted =
    eventTimeKey === null || watermarks.evictionUs === null ? null : store.evict(watermarks.evictionUs, outputMode === 'append')
  return {
    output: outputMode === 'update' ? [touched] : evicted ? [evicted.rows] : [],
    rowsUpdated: touched.length,
    rowsRemoved: evicted?.removed ?? 0,
    rowsDroppedByWatermark: batch.rows.length - inTime.rows.length,
  }
}

/** The batch without the rows whose event time is at or below the watermark. A null event time is never late. */
export function dropLate(batch: KeyedBatch, eventTimeKey: number, lateUs: bigint): KeyedBatch {
  const column = batch.rows.columns[eventTimeKey] as FixedColumn
  assert(column.kind === 'fixed' && column.data instanceof BigInt64Array, 'an event-time key is a timestamp column')
  const times = column.data
  const { length } = batch.rows
  const isLate = (row: number) => times[row]! <= lateUs && (column.valid === null || column.valid[row] !== 0)
  let first = 0
  while (first < length && !isLate(first)) first++
  if (first === length) return batch
  const kept = new Uint32Array(length)
  let count = 0
  for (; count < first; count++) kept[count] = count
  for (let row = first; row < length; row++) if (!isLate(row)) kept[count++] = row
  return takeKeys(batch, kept.subarray(0, count))
}
