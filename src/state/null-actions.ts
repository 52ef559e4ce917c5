import type { MergeOp } from '../data/state-schema.ts'
import type { KeyGroup } from './key-group.ts'
import { combine, copy, type Segment, skip } from './merge-kernels.ts'
import type { ColumnLayout, SourceColumn } from './record-layout.ts'

/**
 * What becomes of the rows of a segment in a column that may hold nulls, into `out`; the null bits are set on the way. Null is neutral, but
 * `replace` takes it, and so do new keys.
 */
export function nullActions(
  op: MergeOp | 'key',
  group: KeyGroup,
  column: ColumnLayout,
  source: SourceColumn,
  segment: Segment,
  fresh: Uint8Array,
  out: Uint8Array,
): void {
  const both = op === 'key' || op === 'first' ? skip : op === 'last' || op === 'replace' ? copy : combine
  if (column.storage === 'values') valuesActions(group, column.offset, source.values, op, both, segment, fresh, out)
  else recordActions(group, column, source.valid, op, both, segment, fresh, out)
}

function recordActions(
  { words, heap }: KeyGroup,
  { storage, offset, nullWord, nullBit }: ColumnLayout,
  sourceValid: Uint8Array | null,
  op: MergeOp | 'key',
  both: number,
  { order, at, from, to }: Segment,
  fresh: Uint8Array,
  out: Uint8Array,
): void {
  for (let k = from; k < to; k++) {
    const status = at[k]! + nullWord
    if (sourceValid !== null && sourceValid[order[k]!] === 0) {
      out[k] = skip
      if (fresh[k] === 0 && op !== 'replace') continue
      words[status]! |= nullBit
      if (storage === 'bytes') {
        heap.dead += words[at[k]! + offset + 1]! >>> 0
        words[at[k]! + offset + 1] = 0
      }
    } else if (fresh[k] === 1) out[k] = copy
    else if ((words[status]! & nullBit) !== 0 && op !== 'key') {
      words[status]! &= ~nullBit
      out[k] = copy
    } else out[k] = both
  }
}

/** 'values' hold their nulls themselves, and a null is copied like any other value. */
function valuesActions(
  group: KeyGroup,
  offset: number,
  values: readonly unknown[],
  op: MergeOp | 'key',
  both: number,
  { order, at, from, to }: Segment,
  fresh: Uint8Array,
  out: Uint8Array,
): void {
  const kept = group.values[offset]!
  const { stride } = group.layout
  // what a slot holds after the rows before this one, where those were new or null
  let filled: Set<number> | null = null
  for (let k = from; k < to; k++) {
    const slot = at[k]! / stride
    const isNull = values[order[k]!] == null
    if (fresh[k] === 1) out[k] = copy
    else if (op === 'key') out[k] = skip
    else if (isNull) out[k] = op === 'replace' ? copy : skip
    else out[k] = filled?.has(slot) || kept[slot] != null ? both : copy
    if (!isNull) (filled ??= new Set()).add(slot)
  }
}
