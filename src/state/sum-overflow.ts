/** Whether sums in a state would leave their type, looked at before anything is changed. */
import { rowMemory } from '../data/array-pool.ts'
import { type FoundRows, findById, noRows } from './find-rows.ts'
import type { KeyGroup } from './key-group.ts'
import type { ColumnLayout, SourceColumn } from './record-layout.ts'
import { forEachPart, type SortedRows } from './row-sort.ts'

/** A column of longs or decimals that merges by adding. */
export interface SumColumn {
  readonly layout: ColumnLayout
  readonly source: SourceColumn
}

/** Whether every row of a sorted batch, whose identities are distinct, can be added to the row that the state has under its identity. */
export function sumsFit(
  groups: readonly KeyGroup[],
  ids: Int32Array,
  length: number,
  sorted: SortedRows,
  columns: readonly SumColumn[],
): boolean {
  const found = noRows(length)
  let fit = true
  forEachPart(sorted, groups, length, (group, from, to) => {
    if (!fit) return
    const start = found.count
    findById(group, ids, sorted.order, from, to, found)
    fit = columns.every((column) => fitsIn(group, column, found, start))
  })
  for (const scratch of [found.at, found.asked]) rowMemory.give(scratch)
  return fit
}

function fitsIn(group: KeyGroup, { layout, source }: SumColumn, { at, asked, count }: FoundRows, start: number): boolean {
  const { words } = group
  const { offset, nullWord, nullBit, type } = layout
  if (layout.storage === 'values') {
    const sums = group.values[offset] as (bigint | null)[]
    for (let k = start; k < count; k++) {
      const added = (source.values[asked[k]!] ?? null) as bigint | null
      const stands = sums[at[k]! / group.layout.stride] ?? null
      if (added !== null && stands !== null && leavesRange(type, stands + added)) return false
    }
    return true
  }
  for (let k = start; k < count; k++) {
    const row = asked[k]!
    const t = at[k]!
    if (nullBit !== 0 && (words[t + nullWord]! & nullBit) !== 0) continue
    if (source.valid !== null && source.valid[row] === 0) continue
    // by the upper halves alone nearly every row is known to fit
    const high = words[t + offset + 1]! + source.words[2 * row + 1]!
    if (high < farFromAnyBound && high > -farFromAnyBound && type === 'long') continue
    if (leavesRange(type, longAt(words, t + offset) + longAt(source.words, 2 * row))) return false
  }
  return true
}
const farFromAnyBound = 0x7fff_fff0

function longAt(words: Int32Array, at: number): bigint {
  return (BigInt(words[at + 1]!) << 32n) + BigInt(words[at]! >>> 0)
}

/** Whether a sum is no value of its type, which is long or a decimal (then in units of its last digit). */
export function leavesRange(type: ColumnLayout['type'], sum: bigint): boolean {
  if (typeof type !== 'string' && type.kind === 'decimal') {
    const bound = 10n ** BigInt(type.precision)
    return sum >= bound || sum <= -bound
  }
  return BigInt.asIntN(64, sum) !== sum
}
