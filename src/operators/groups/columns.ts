/** Columns of a store that are the engine's own. */
import type { Column, FixedColumn } from '../../data/column-batch.ts'
import { Schema } from '../../data/schema.ts'
import type { KeyedBatch } from '../../state/state-store.ts'

export function timesColumn(times: readonly (bigint | null)[]): FixedColumn {
  const data = new BigInt64Array(times.length)
  let valid: Uint8Array | null = null
  for (let i = 0; i < times.length; i++) {
    const time = times[i]!
    if (time !== null) data[i] = time
    else {
      valid ??= new Uint8Array(times.length).fill(1)
      valid[i] = 0
    }
  }
  return { kind: 'fixed', type: 'timestamp', data, valid }
}

export function booleansColumn(values: readonly boolean[]): FixedColumn {
  return { kind: 'fixed', type: 'boolean', data: Uint8Array.from(values, Number), valid: null }
}

/** Rows for a store, which looks at types and not at names. */
export function keyedBatch(keyIds: Uint32Array, columns: readonly Column[], length: number): KeyedBatch {
  return { keyIds, rows: { schema: new Schema(columns.map(({ type }, i) => ({ name: `c${i}`, type, nullable: true }))), length, columns } }
}
