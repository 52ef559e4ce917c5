import type { MergeOp } from '../data/state-schema.ts'
import {
  type BytesGroupColumn, combine, copy, type FixedGroupColumn, type GroupColumn, type Segment, skip, type SourceColumn, validityOf,
} from './group-column.ts'

/** What becomes of the rows of a segment in one column, where there are nulls on either side: null is neutral, but `replace` and new keys take it. */
export function nullActions(
  op: MergeOp | 'key', target: GroupColumn, source: SourceColumn, segment: Segment, fresh: Uint8Array, capacity: number, out: Uint8Array,
): void {
  const both = op === 'key' || op === 'first' ? skip : op === 'last' || op === 'replace' ? copy : combine
  if (target.kind === 'values') valuesActions(target.values, (source as { values: readonly unknown[] }).values, op, both, segment, fresh, out)
  else bytewiseActions(target, (source as { valid: Uint8Array | null }).valid, op, both, segment, fresh, capacity, out)
}

/** A null among values is copied like any other. */
function valuesActions(
  kept: readonly unknown[], values: readonly unknown[], op: MergeOp | 'key', both: number, { order, slots, from, to }: Segment,
  fresh: Uint8Array, out: Uint8Array,
): void {
  // a slot may come twice: whether the second row finds a null is known only after the first
  let met: Set<number> | null = null
  for (let k = from; k < to; k++) {
    const slot = slots[k]!
    const isNull = values[order[k]!] == null
    if (fresh[k] === 1) {
      out[k] = copy
      if (!isNull) (met ??= new Set()).add(slot)
      else met?.delete(slot)
    } else if (op === 'key') out[k] = skip
    else if (isNull) {
      out[k] = op === 'replace' ? copy : skip
      if (op === 'replace') met?.delete(slot)
    } else {
      out[k] = met?.has(slot) || kept[slot] != null ? both : copy
      ;(met ??= new Set()).add(slot)
    }
  }
}

function bytewiseActions(
  target: FixedGroupColumn | BytesGroupColumn, sourceValid: Uint8Array | null, op: MergeOp | 'key', both: number,
  { order, slots, from, to }: Segment, fresh: Uint8Array, capacity: number, out: Uint8Array,
): void {
  let valid = target.valid
  for (let k = from; k < to; k++) {
    const slot = slots[k]!
    const isNew = fresh[k] === 1
    if (sourceValid !== null && sourceValid[order[k]!] === 0) {
      out[k] = skip
      if (!isNew && op !== 'replace') continue
      valid ??= validityOf(target, capacity)
      valid[slot] = 0
      if (target.kind === 'bytes') dropBytes(target, slot)
    } else if (isNew || (valid !== null && valid[slot] === 0 && op !== 'key')) {
      out[k] = copy
      if (valid !== null) valid[slot] = 1
    } else out[k] = both
  }
}

function dropBytes(column: BytesGroupColumn, slot: number): void {
  column.dead += column.lengths[slot]!
  column.lengths[slot] = 0
}
