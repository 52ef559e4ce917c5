import type { ColumnBatch } from '../data/column-batch.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { reserveGroup } from './key-group.ts'
import { MemoryStateStore } from './memory-state-store.ts'

/** Whether some accumulator comes out of a batch in another form than it is kept in, so that a row has to be folded even by itself. */
export function keepsOtherForm({ values }: StateSchema): boolean {
  return values.some(({ merge }) => merge === 'counts' || merge === 'hll')
}

/**
 * Rows of several groups become one row each, by the operations of the schema's values, in the order given. `groupOf[i]` is the group of row i; groups are
 * numbered in the order of their first coming, and row g of the result is group g's. The rows of a group are equal in the keys.
 */
export function foldRows({ keys, values }: StateSchema, groupOf: Uint32Array, rows: ColumnBatch): ColumnBatch {
  const keyIds = new Uint32Array(rows.length * 4)
  let groups = 0
  for (let i = 0; i < rows.length; i++) {
    keyIds[4 * i + 1] = Math.imul(groupOf[i]!, 0x9e3779b1)
    keyIds[4 * i + 2] = groupOf[i]!
    groups = Math.max(groups, groupOf[i]! + 1)
  }
  const store = new MemoryStateStore({ keys, values, eventTime: null }, 1)
  reserveGroup(store.groups[0]!, groups)
  return store.merge({ keyIds, rows })
}
