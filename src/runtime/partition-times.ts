import { Schema } from '../data/schema.ts'
import type { EventTime } from '../planner/streaming-plan.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'

/** The newest event time of each partition of a watermark's rows, in microseconds; a null counts as 1970, as in all of these. */
export async function partitionTimes(
  sql: SqlBatch,
  rows: Relation,
  { column, schema, partitions }: EventTime,
): Promise<Map<string, bigint>> {
  const { type } = schema.fields[column]!
  const time = typeof type === 'string' ? `t0.c${column}` : `t0.c${column}."end"`
  const keys = partitions!.columns.map((at) => `t0.c${at}`)
  const list = [...keys, `max(coalesce(epoch_us(${time}), 0))`].map((cell, i) => `${cell} AS c${i}`).join(', ')
  const found = sql.fragment(
    `SELECT ${list} FROM ⟦0⟧ AS t0 GROUP BY ${keys.map((_, i) => i + 1).join(', ')}`,
    [rows],
    new Schema([
      ...partitions!.columns.map((at, i) => ({ ...schema.fields[at]!, name: `p${i}` })),
      { name: 'newest', type: 'long', nullable: false },
    ]),
  )
  const objects = await sql.rowSet(found).toObjects()
  return new Map(objects.map((row) => [partitionKey(keys.map((_, i) => row[`p${i}`])), row['newest'] as bigint]))
}

/** The partition that these values tell, as text that stays the same over restarts. */
export function partitionKey(values: readonly unknown[]): string {
  return JSON.stringify(values.map((value) => (value === null || value === undefined ? null : String(value))))
}
