/** A value as JSON text, by SQL, as Spark writes it: fields that are null are left out, times are ISO 8601 with a zone, binary is base64. */
import { intervalTextSql, isInterval } from '../data/intervals.ts'
import type { DataType, Field } from '../data/types.ts'
import { quoteText } from './sql-text.ts'

/** The text of a record whose field i is `values[i]`. */
export function jsonRecord(fields: readonly Pick<Field, 'name' | 'type'>[], values: readonly string[], keepNulls: boolean): string {
  const parts = fields.map(({ name, type }, i) => {
    const field = `${quoteText(`,${JSON.stringify(name)}:`)} || ${jsonValue(type, values[i]!, keepNulls)}`
    return `coalesce(${field}, ${keepNulls ? quoteText(`,${JSON.stringify(name)}:null`) : "''"})`
  })
  // every field brings a comma in front; the first one goes
  return `'{' || substr(concat(${parts.join(', ') || "''"}), 2) || '}'`
}

/** The text of a value; NULL for null. */
function jsonValue(type: DataType, value: string, keepNulls: boolean, depth = 0): string {
  const inner = `x${depth}`
  if (typeof type !== 'string') {
    const item = (of: DataType, from: string) => `coalesce(${jsonValue(of, from, keepNulls, depth + 1)}, 'null')`
    switch (type.kind) {
      case 'decimal':
        // DuckDB leaves out the zero before the point where there can be no other digit, and JSON wants one
        return type.precision === type.scale
          ? `regexp_replace(CAST(${value} AS VARCHAR), '^(-?)\\.', '\\10.')`
          : `CAST(${value} AS VARCHAR)`
      case 'array':
        return `('[' || array_to_string(list_transform(${value}, lambda ${inner}: ${item(type.element, inner)}), ',') || ']')`
      case 'map':
        return `('{' || array_to_string(list_transform(map_entries(${value}), lambda ${inner}: CAST(to_json(CAST(${inner}."key" AS VARCHAR)) AS VARCHAR) || ':' || ${item(type.value, `${inner}."value"`)}), ',') || '}')`
      case 'struct': {
        const values = type.fields.map((field) => `struct_extract(${value}, ${quoteText(field.name)})`)
        return `CASE WHEN ${value} IS NOT NULL THEN ${jsonRecord(type.fields, values, keepNulls)} END`
      }
    }
  }
  if (isInterval(type)) return `('"' || ${intervalTextSql(value, type)} || '"')`
  switch (type) {
    case 'string':
      return `CAST(to_json(${value}) AS VARCHAR)`
    case 'binary':
      return `('"' || base64(${value}) || '"')`
    case 'date':
      return `('"' || CAST(${value} AS VARCHAR) || '"')`
    case 'timestamp':
    case 'timestamp_ntz':
      return `('"' || ${isoTime(type, value)} || '"')`
    case 'float':
    case 'double':
      return `CASE WHEN isfinite(${value}) THEN CAST(${value} AS VARCHAR) WHEN isnan(${value}) THEN '"NaN"' WHEN ${value} > 0 THEN '"Infinity"' WHEN ${value} < 0 THEN '"-Infinity"' END`
    case 'void':
      return 'NULL::VARCHAR'
    default:
      return `CAST(${value} AS VARCHAR)`
  }
}

/** `2001-01-01T00:00:00.000Z`: to milliseconds, which is all that Spark's default format keeps. */
export function isoTime(type: 'timestamp' | 'timestamp_ntz', value: string): string {
  return `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%g${type === 'timestamp' ? 'Z' : ''}')`
}
