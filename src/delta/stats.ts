/**
 * What a file's Parquet footer says of its columns, as the log has it: numRecords, and of the first columns the least and the largest value and how many are
 * null. Readers skip files by it. A value that JSON can't hold exactly is left out.
 */
import type { Files } from '../base/files.ts'
import type { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import { parquetLibrary } from './library.ts'

/** delta.dataSkippingNumIndexedCols */
const indexedColumns = 32
/** Texts are cut; a cut text is still no larger than the least. A largest text that would have to be cut is left out. */
const textLength = 32

type Nested = { [name: string]: unknown }

export async function fileStats(files: Files, path: string, schema: Schema): Promise<string> {
  const { parquet } = await parquetLibrary()
  const content = await files.read(path)
  const metadata = parquet.parquetMetadata(content.buffer.slice(content.byteOffset, content.byteOffset + content.byteLength) as ArrayBuffer)
  const least: Nested = {}
  const most: Nested = {}
  const nulls: Nested = {}
  let columns = 0
  const leaves = metadata.row_groups[0]?.columns ?? []
  for (const [i, { meta_data: leaf }] of leaves.entries()) {
    const names = leaf?.path_in_schema
    const type = names && leafType(schema, names)
    if (type === undefined || columns++ >= indexedColumns) continue
    const groups = metadata.row_groups.map((group) => group.columns[i]!.meta_data!.statistics)
    const count = sum(groups.map((each) => each?.null_count))
    if (count !== undefined) setAt(nulls, names!, count)
    const bounds = groups.map((each) => [jsonValue(each?.min_value, type), jsonValue(each?.max_value, type)] as const)
    const rows = metadata.row_groups.map((group) => Number(group.num_rows))
    const counted = bounds.filter((_, g) => Number(groups[g]?.null_count ?? -1) !== rows[g])
    if (counted.length === 0 || counted.some(([low, high]) => low === undefined || high === undefined)) continue
    const low = counted.map(([value]) => value!).reduce((a, b) => (b < a ? b : a))
    const high = counted.map(([, value]) => value!).reduce((a, b) => (b > a ? b : a))
    setAt(least, names!, typeof low === 'string' && type === 'string' ? low.slice(0, textLength) : low)
    if (!(type === 'string' && String(high).length > textLength)) setAt(most, names!, high)
  }
  return JSON.stringify({ numRecords: Number(metadata.num_rows), minValues: least, maxValues: most, nullCount: nulls })
}

/** The type of a leaf that lies in structs only; undefined below arrays and maps. */
function leafType(schema: Schema, names: readonly string[]): DataType | undefined {
  let fields = schema.fields
  for (const [i, name] of names.entries()) {
    const type = fields.find((field) => field.name === name)?.type
    if (type === undefined) return undefined
    if (i === names.length - 1) return typeof type === 'string' || type.kind === 'decimal' ? type : undefined
    if (typeof type === 'string' || type.kind !== 'struct') return undefined
    fields = type.fields
  }
  return undefined
}

function sum(counts: readonly (bigint | number | undefined)[]): number | undefined {
  return counts.some((count) => count === undefined) ? undefined : counts.reduce<number>((total, count) => total + Number(count), 0)
}

function jsonValue(value: unknown, type: DataType): number | string | undefined {
  if (value === undefined || value === null) return undefined
  switch (type) {
    case 'byte':
    case 'short':
    case 'int':
    case 'long':
      return Number.isSafeInteger(Number(value)) ? Number(value) : undefined
    case 'float':
    case 'double':
      return Number.isFinite(value) ? (value as number) : undefined
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'date':
      return value instanceof Date ? value.toISOString().slice(0, 10) : undefined
    // milliseconds, cut: readers take a largest value as one of anywhere in its millisecond
    case 'timestamp':
      return value instanceof Date ? value.toISOString() : undefined
    case 'timestamp_ntz':
      return value instanceof Date ? value.toISOString().slice(0, -1) : undefined
    default:
      return undefined
  }
}

function setAt(into: Nested, names: readonly string[], value: unknown): void {
  let at = into
  for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Nested
  at[names.at(-1)!] = value
}
