/** JSON text. */
import type { DataType } from '../../data/types.ts'
import { castSql, fieldSql } from '../cast-sql.ts'
import { formatTimeSql } from '../datetime-format-sql.ts'
import { parseTimeSql } from '../datetime-parse-sql.ts'
import { bind, quoteIdentifier, sqlType, stringLiteral } from '../sql-text.ts'
import { fromLocal } from '../time-zone.ts'
import { kernel, type SqlArgument, type Template, type Templates, unsupported } from './template.ts'

/** The type with text for every value, and maps as lists of entries: what the kernel writes. */
export function asTexts(type: DataType): DataType {
  if (typeof type === 'string' || type.kind === 'decimal') return 'string'
  if (type.kind === 'array') return { kind: 'array', element: asTexts(type.element), containsNull: true }
  if (type.kind === 'struct') return { kind: 'struct', fields: type.fields.map((field) => ({ ...field, type: asTexts(field.type) })) }
  if (type.kind !== 'map') throw unsupported('from_json of this type', 'read it as a string and cast it')
  const entry: DataType = {
    kind: 'struct',
    fields: [
      { name: 'k', type: 'string', nullable: false },
      { name: 'v', type: asTexts(type.value), nullable: true },
    ],
  }
  return { kind: 'array', element: entry, containsNull: false }
}
interface TimePatterns {
  readonly date?: string
  readonly timestamp?: string
  readonly timestampNtz?: string
}
/** The patterns that the specification of a call holds. */
export function patternsOf(spec: SqlArgument | undefined): TimePatterns {
  return (JSON.parse(String(spec!.literal)) as { readonly patterns?: TimePatterns }).patterns ?? {}
}
export function patternFor(patterns: TimePatterns, type: DataType): string | undefined {
  if (type === 'date') return patterns.date
  if (type === 'timestamp') return patterns.timestamp
  return type === 'timestamp_ntz' ? patterns.timestampNtz : undefined
}
function parsedTime(sql: string, type: DataType, pattern: string): string {
  if (type === 'timestamp') return parseTimeSql(sql, pattern)
  const local = parseTimeSql(sql, pattern, true)
  return type === 'date' ? `CAST(${local} AS DATE)` : local
}
/** A date or time as text by a pattern; what has no zone is what the session's clock shows. */
export function formattedTime(sql: string, type: DataType, pattern: string): string {
  return formatTimeSql(type === 'timestamp' ? sql : fromLocal(`CAST(${sql} AS TIMESTAMP)`), pattern)
}

/** The texts as values; the kernel has seen that they are some. */
export function valueOf(sql: string, type: DataType, patterns: TimePatterns = {}, depth = 0): string {
  const pattern = patternFor(patterns, type)
  if (pattern !== undefined) return parsedTime(sql, type, pattern)
  if (type === 'binary') return `from_hex(${sql})`
  if (typeof type === 'string' || type.kind === 'decimal') return castSql(sql, 'string', type, 'try')
  const name = `j${depth}`
  if (type.kind === 'array') return `list_transform(${sql}, lambda ${name}: ${valueOf(name, type.element, patterns, depth + 1)})`
  if (type.kind === 'map')
    return `map_from_entries(list_transform(${sql}, lambda ${name}: row(${name}.k, ${valueOf(`${name}.v`, type.value, patterns, depth + 1)})))`
  if (type.kind !== 'struct') throw unsupported('from_json of this type', 'read it as a string and cast it')
  const fields = type.fields.map(
    (field) => `${quoteIdentifier(field.name)} := ${valueOf(fieldSql(name, field.name), field.type, patterns, depth + 1)}`,
  )
  return bind(sql, name, `CASE WHEN ${name} IS NOT NULL THEN struct_pack(${fields.join(', ')}) END`)
}
const fromJson: Template = ([x, spec], type) =>
  valueOf(`CAST(CAST(spark_from_json(${x!.sql}, ${spec!.sql}) AS JSON) AS ${sqlType(asTexts(type))})`, type, patternsOf(spec))

/** The JSON text of a value, null for null. */
function jsonOf(sql: string, type: DataType, keepNulls: boolean, patterns: TimePatterns, depth = 0): string {
  const quoted = (text: string) => `spark_json_quote(${text})`
  const pattern = patternFor(patterns, type)
  if (pattern !== undefined) return quoted(formattedTime(sql, type, pattern))
  if (typeof type === 'string' || type.kind === 'decimal') return plainJson(sql, type, quoted)
  const name = `w${depth}`
  const inner = (value: string, of: DataType) => jsonOf(value, of, keepNulls, patterns, depth + 1)
  if (type.kind === 'array')
    return `('[' || array_to_string(list_transform(${sql}, lambda ${name}: coalesce(${inner(name, type.element)}, 'null')), ',') || ']')`
  if (type.kind === 'map') {
    const entry = `${quoted(castSql(`${name}.key`, type.key, 'string', 'ansi'))} || ':' || coalesce(${inner(`${name}.value`, type.value)}, 'null')`
    return `('{' || array_to_string(list_transform(map_entries(${sql}), lambda ${name}: ${entry}), ',') || '}')`
  }
  if (type.kind !== 'struct') throw unsupported('to_json of this type', 'cast it to string first')
  const fields = type.fields.map((field) => {
    const value = inner(fieldSql(name, field.name), field.type)
    const label = stringLiteral(`${JSON.stringify(field.name)}:`)
    return keepNulls ? `${label} || coalesce(${value}, 'null')` : `${label} || ${value}`
  })
  return bind(
    sql,
    name,
    `CASE WHEN ${name} IS NOT NULL THEN '{' || concat_ws(',', ${fields.length === 0 ? "''" : fields.join(', ')}) || '}' END`,
  )
}
function plainJson(sql: string, type: DataType, quoted: (text: string) => string): string {
  const text = castSql(sql, type, 'string', 'ansi')
  switch (type) {
    case 'void':
      return 'CAST(NULL AS VARCHAR)'
    case 'float':
    case 'double':
      return `CASE WHEN isfinite(${sql}) THEN ${text} ELSE '"' || ${text} || '"' END`
    case 'string':
      return quoted(sql)
    case 'binary':
      return `'"' || base64(${sql}) || '"'`
    case 'timestamp':
      return `strftime(${sql}, '"%Y-%m-%dT%H:%M:%S.%gZ"')`
    case 'timestamp_ntz':
      return `strftime(${sql}, '"%Y-%m-%dT%H:%M:%S.%g"')`
    case 'byte':
    case 'short':
    case 'int':
    case 'long':
    case 'boolean':
      return text
  }
  return typeof type !== 'string' ? text : quoted(text)
}

export const json: Templates = {
  get_json_object: kernel('get_json_object'),
  json_array_length: kernel('json_array_length'),
  json_object_keys: kernel('json_object_keys'),
  from_json: fromJson,
  to_json: ([x, keep, given], type) =>
    `CAST(${jsonOf(x!.sql, x!.type, keep!.literal === true, JSON.parse(String(given!.literal)))} AS ${sqlType(type)})`,
  schema_of_json: kernel('schema_of_json'),
}
