/**
 * What a file's Parquet footer says of its columns, as the log has it: numRecords, and of the first columns the least and the largest value and how many are
 * null. Readers skip files by it. A value that JSON can't hold exactly is left out.
 */
import type { ColumnStatistics, WrittenFile } from '../data/row-set.ts'
import type { DataType, Field } from '../data/types.ts'

/** delta.dataSkippingNumIndexedCols */
const indexedColumns = 32
/** In code points. Texts are cut; a cut text is still no larger than the least. Behind a largest text that was cut stands one that nothing there comes after. */
const textLength = 32

type Nested = { [name: string]: unknown }
/** A column without parts, or a field of structs that has none. */
interface Leaf {
  readonly names: readonly string[]
  readonly type: DataType
}

/** `fields`: the columns under the names that they have in the file. */
export function statsOf({ numRows, statistics = [] }: WrittenFile, fields: readonly Field[]): string {
  const least: Nested = {}
  const most: Nested = {}
  const nulls: Nested = {}
  const leaves = leavesByPath(fields)
  let columns = 0
  for (const { path, groups } of statistics) {
    const leaf = leaves.get(path)
    if (!leaf || columns++ >= indexedColumns) continue
    const counts = groups.map(({ nullCount }) => nullCount)
    if (!counts.includes(null))
      setAt(
        nulls,
        leaf.names,
        counts.reduce<number>((sum, count) => sum + count!, 0),
      )
    const bounds = boundsOf(groups, leaf.type)
    if (bounds === undefined) continue
    const [low, high] = bounds
    setAt(least, leaf.names, leaf.type === 'string' ? cut(String(low)) : low)
    const top = leaf.type === 'string' ? cutUp(String(high)) : high
    if (top !== undefined) setAt(most, leaf.names, top)
  }
  return JSON.stringify({ numRecords: numRows, minValues: least, maxValues: most, nullCount: nulls })
}

/** Paths that two leaves share, by commas in their names, say nothing. */
function leavesByPath(fields: readonly Field[]): Map<string, Leaf> {
  const found = new Map<string, Leaf>()
  const twice = new Set<string>()
  const visit = (inside: readonly Field[], above: readonly string[]): void => {
    for (const { name, type } of inside) {
      const names = [...above, name]
      if (typeof type !== 'string' && type.kind === 'struct') visit(type.fields, names)
      else if (typeof type === 'string' || type.kind === 'decimal') {
        const path = names.join(', ')
        if (found.has(path)) twice.add(path)
        found.set(path, { names, type })
      }
    }
  }
  visit(fields, [])
  for (const path of twice) found.delete(path)
  return found
}

/** The least and the largest value; undefined where some row group does not say. */
function boundsOf(groups: ColumnStatistics['groups'], type: DataType): readonly [number | string, number | string] | undefined {
  const counted = groups.filter(({ nullCount, numRows }) => nullCount !== numRows)
  if (counted.length === 0) return undefined
  const lows = counted.map(({ min }) => jsonValue(min, type))
  const highs = counted.map(({ max }) => jsonValue(max, type))
  if (lows.includes(undefined) || highs.includes(undefined)) return undefined
  return [lows.reduce((a, b) => (isBefore(b!, a!) ? b : a))!, highs.reduce((a, b) => (isBefore(a!, b!) ? b : a))!]
}

/** Readers compare texts by their UTF-8. */
function isBefore(a: number | string, b: number | string): boolean {
  return typeof a === 'string' && typeof b === 'string' ? Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 : a < b
}
/** Never inside of a pair of surrogates. */
function cut(text: string): string {
  return [...text.slice(0, textLength * 2)].slice(0, textLength).join('')
}

/** As Delta Lake cuts it: U+007F is above every character of ASCII, U+10FFFF above all others. Undefined where the text goes on with that. */
function cutUp(text: string): string | undefined {
  const kept = cut(text)
  if (kept.length === text.length) return text
  const next = text.codePointAt(kept.length)!
  if (next === 0x10ffff) return undefined
  return `${kept}${next < 0x7f ? '\u007f' : '\u{10ffff}'}`
}

/** A value of DuckDB's text as the log has it. */
function jsonValue(text: string | null, type: DataType): number | string | undefined {
  if (text === null) return undefined
  if (typeof type !== 'string') return type.kind === 'decimal' && type.precision <= 15 ? Number(text) : undefined
  switch (type) {
    case 'byte':
    case 'short':
    case 'int':
    case 'long':
      return Number.isSafeInteger(Number(text)) ? Number(text) : undefined
    case 'float':
    case 'double':
      return Number.isFinite(Number(text)) ? Number(text) : undefined
    case 'string':
      return text
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined
    case 'timestamp':
      return timeText(text, 'Z')
    case 'timestamp_ntz':
      return timeText(text, '')
    default:
      return undefined
  }
}
/** Milliseconds, cut: readers take a largest value as one of anywhere in its millisecond. */
function timeText(text: string, zone: string): string | undefined {
  const parts = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:\+00)?$/.exec(text)
  return parts ? `${parts[1]}T${parts[2]}.${(parts[3] ?? '').padEnd(3, '0').slice(0, 3)}${zone}` : undefined
}

function setAt(into: Nested, names: readonly string[], value: unknown): void {
  let at = into
  for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Nested
  at[names.at(-1)!] = value
}
