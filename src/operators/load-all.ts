import { type ColumnBatch, emptyColumns } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import type { Rows, StepSql } from './step.ts'

/** The rows of all batches, which are of that schema and which nobody looks at when the batch has ended. */
export async function loadAll(sql: StepSql, batches: readonly ColumnBatch[], schema: Schema): Promise<Rows> {
  if (batches.length === 0) return sql.load(emptyColumns(schema))
  if (batches.length === 1) return sql.loadOwn(batches[0]!)
  const parts: Rows[] = []
  for (const batch of batches) parts.push(await sql.loadOwn(batch))
  const text = parts.map((_, i) => `SELECT * FROM ⟦${i}⟧`).join(' UNION ALL ')
  return sql.fragment(text, parts, schema)
}
