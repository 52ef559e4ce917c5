import { assert } from '../base/errors.ts'
import type { Column, ColumnBatch, FixedColumn } from '../data/column-batch.ts'
import type { KeyedBatch, StateStore } from '../state/state-store.ts'
import { takeColumn } from './take.ts'

/** The watermarks of a batch, in microseconds; null in a query without withWatermark. */
export interface BatchWatermarks {
  /** What the batch before evicted by: rows at or below it are late. */
  readonly lateUs: bigint | null
  /** What this batch evicts by. */
  readonly evictionUs: bigint | null
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
  const kept = new Uint32Array(batch.rows.length)
  let count = 0
  for (let row = 0; row < kept.length; row++) {
    if (times[row]! > lateUs || (column.valid !== null && column.valid[row] === 0)) kept[count++] = row
  }
  return count === kept.length ? batch : take(batch, kept.subarray(0, count))
}

function take(batch: KeyedBatch, rows: Uint32Array): KeyedBatch {
  const keyIds = new Uint32Array(rows.length * 4)
  for (let i = 0; i < rows.length; i++) {
    const from = rows[i]! * 4
    for (let word = 0; word < 4; word++) keyIds[i * 4 + word] = batch.keyIds[from + word]!
  }
  const columns: Column[] = batch.rows.columns.map((column) => takeColumn(column, rows))
  return { keyIds, rows: { schema: batch.rows.schema, length: rows.length, columns } }
}
