import type { Schema } from '../../../src/data/schema.ts'
import type { DataType } from '../../../src/data/types.ts'

/** Rows as texts that mean the same whoever read them; interop/values.py writes the same. */
export function texts(rows: readonly Readonly<Record<string, unknown>>[], schema: Schema): string[] {
  return rows.map((row) => sortedJson(plain(row, { kind: 'struct', fields: schema.fields }))).sort(byCodePoints)
}

function plain(value: any, type: DataType): unknown {
  if (value === null || value === undefined) return null
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal':
        return `d:${String(value)}`
      case 'array':
        return value.map((each: unknown) => plain(each, type.element))
      case 'map':
        return [...value]
          .map(([key, each]: [unknown, unknown]) => [plain(key, type.key), plain(each, type.value)])
          .sort((a, b) => byCodePoints(JSON.stringify(a), JSON.stringify(b)))
      case 'struct':
        return Object.fromEntries(type.fields.map((field) => [field.name, plain(value[field.name], field.type)]))
    }
  }
  switch (type) {
    case 'boolean':
      return value
    case 'float':
    case 'double':
      return Number.isNaN(value) ? 'f:nan' : `f:${Math.round(value * 1000)}`
    case 'string':
      return `s:${value}`
    case 'binary':
      return `b:${Buffer.from(value).toString('hex')}`
    case 'date':
      return `day:${String(value)}`
    case 'timestamp':
      return `t:${value.epochNanoseconds / 1000n}`
    case 'timestamp_ntz':
      return `t:${value.toZonedDateTime('UTC').epochNanoseconds / 1000n}`
    default:
      return `i:${value}`
  }
}

function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const entries = Object.entries(value).sort(([a], [b]) => byCodePoints(a, b))
  return `{${entries.map(([name, each]) => `${JSON.stringify(name)}:${sortedJson(each)}`).join(',')}}`
}
function byCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
