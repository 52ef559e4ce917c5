/**
 * What a file's Parquet footer says of its columns, as the log has it: numRecords, and of the first columns the least and the largest value and how many are
 * null. Readers skip files by it. As Delta Lake writes them: whole numbers and decimals with all their digits.
 * DuckDB's footers have no bound on the side of an infinity, so that the log has none there either.
 */
import { rawNumber } from '../base/exact-json.ts'
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
    const [low, high] = boundsOf(groups, leaf.type)
    if (low) setAt(least, leaf.names, leaf.type === 'string' ? cut(String(low.json)) : low.json)
    const top = leaf.type === 'string' && high ? cutUp(String(high.json)) : high?.json
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

/** A value by which it is sorted, and as it stands in the log. */
interface Bound {
  readonly order: number | bigint | string
  readonly json: unknown
}

/** The least and the largest value, each undefined where some row group does not say. */
function boundsOf(groups: ColumnStatistics['groups'], type: DataType): readonly [Bound | undefined, Bound | undefined] {
  const counted = groups.filter(({ nullCount, numRows }) => nullCount !== numRows)
  const outermost = (texts: readonly (string | null)[], isFurther: (a: Bound, b: Bound) => boolean): Bound | undefined => {
    const bounds = texts.map((text) => boundOf(text, type))
    return bounds.length === 0 || bounds.includes(undefined) ? undefined : bounds.reduce((a, b) => (isFurther(b!, a!) ? b : a))
  }
  const low = outermost(
    counted.map(({ min }) => min),
    isBefore,
  )
  const high = outermost(
    counted.map(({ max }) => max),
    (a, b) => isBefore(b, a),
  )
  return [low, high]
}

/** Readers compare texts by their UTF-8. */
function isBefore({ order: a }: Bound, { order: b }: Bound): boolean {
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

/** A value of DuckDB's text. */
function boundOf(text: string | null, type: DataType): Bound | undefined {
  if (text === null) return undefined
  if (typeof type !== 'string') return type.kind === 'decimal' ? digitsOf(text) : undefined
  switch (type) {
    case 'byte':
    case 'short':
    case 'int':
    case 'long':
      return digitsOf(text)
    case 'float':
    case 'double': {
      const number = Number(text)
      return Number.isFinite(number) ? { order: number, json: number } : undefined
    }
    case 'string':
      return asText(text)
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(text) ? asText(text) : undefined
    case 'timestamp':
      return asText(timeText(text, 'Z'))
    case 'timestamp_ntz':
      return asText(timeText(text, ''))
    default:
      return undefined
  }
}
function asText(text: string | undefined): Bound | undefined {
  return text === undefined ? undefined : { order: text, json: text }
}
/** The numbers of a column have one scale, so that without their point they stay in order. */
function digitsOf(text: string): Bound | undefined {
  return /^-?\d+(\.\d+)?$/.test(text) ? { order: BigInt(text.replace('.', '')), json: rawNumber(text) } : undefined
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
