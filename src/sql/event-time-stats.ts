import type { ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import { columnName } from './duck-types.ts'
import type { EventTimeStats } from './sql-batch.ts'

/** The columns of `statsSelect`. */
export const statsSchema = new Schema([
  { name: 'count', type: 'long', nullable: false },
  { name: 'min', type: 'long', nullable: true },
  { name: 'max', type: 'long', nullable: true },
  { name: 'avg', type: 'double', nullable: true },
])

/** Measures an event time; a window counts by its end, a null as 1970. */
export function statsSelect(schema: Schema, column: number, from: string): string {
  const { type } = schema.fields[column]!
  const time = typeof type === 'string' ? columnName(column) : `${columnName(column)}."end"`
  return `SELECT count(*), min(us), max(us), avg(us) FROM (SELECT coalesce(epoch_us(${time}), 0) AS us FROM ${from})`
}

export function statsOf(row: ColumnBatch): EventTimeStats {
  const [count, min, max, avg] = row.columns.map((column) => (column.kind === 'fixed' && column.valid?.[0] !== 0 ? column.data[0]! : 0n))
  return { count: Number(count), minUs: BigInt(min!), maxUs: BigInt(max!), avgUs: Number(avg) }
}

/** The same of a column in memory. */
export function statsOfColumn(batch: ColumnBatch, index: number): EventTimeStats | undefined {
  const column = batch.columns[index]
  if (column?.kind !== 'fixed' || !(column.data instanceof BigInt64Array)) return undefined
  const { data, valid } = column
  if (batch.length === 0) return { count: 0, minUs: 0n, maxUs: 0n, avgUs: 0 }
  // by halves of 64 bits: each bigint would be an object
  const words = new Int32Array(data.buffer, data.byteOffset, 2 * batch.length)
  const isNull = (i: number) => valid !== null && valid[i] === 0
  const firstHigh = isNull(0) ? 0 : words[1]!
  const firstLow = isNull(0) ? 0 : words[0]! >>> 0
  let minHigh = firstHigh
  let minLow = firstLow
  let maxHigh = firstHigh
  let maxLow = firstLow
  let sum = 0
  for (let i = 0; i < batch.length; i++) {
    const isZero = valid !== null && valid[i] === 0
    const high = isZero ? 0 : words[2 * i + 1]!
    const low = isZero ? 0 : words[2 * i]! >>> 0
    if (high < minHigh || (high === minHigh && low < minLow)) {
      minHigh = high
      minLow = low
    } else if (high > maxHigh || (high === maxHigh && low > maxLow)) {
      maxHigh = high
      maxLow = low
    }
    // relative to the first one, so that the sum stays exact in a double for any real spread
    sum += (high - firstHigh) * 4294967296 + (low - firstLow)
  }
  const avgUs = Number(bigOf(firstHigh, firstLow)) + sum / batch.length
  return { count: batch.length, minUs: bigOf(minHigh, minLow), maxUs: bigOf(maxHigh, maxLow), avgUs }
}
function bigOf(high: number, low: number): bigint {
  return (BigInt(high) << 32n) | BigInt(low)
}
