import type { ColumnBatch } from '../data/column-batch.ts'
import type { WritePlan } from './dialect.ts'

/** `batch`: the columns that are stored. Marks rows that have a null in a key which does not tell rows apart by nulls: each of them would be a new row whenever its batch is written. */
export function markNullKeys(plan: WritePlan, batch: ColumnBatch, unfit: Map<number, string>): void {
  if (plan.keyTakesNull) return
  for (const name of plan.key) {
    const column = batch.columns[plan.columns.findIndex(({ field }) => field.name === name)]!
    if (column.kind !== 'values' && column.valid === null) continue
    for (let i = 0; i < batch.length; i++) {
      const isNull = column.kind === 'values' ? column.values[i] == null : column.valid![i] === 0
      if (isNull && !unfit.has(i)) unfit.set(i, `the key column ${name} is null, and the table's key does not tell rows apart by nulls`)
    }
  }
}
