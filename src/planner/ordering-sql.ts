import type { DataType } from '../data/types.ts'
import { fieldSql } from './cast-sql.ts'
import { bind } from './sql-text.ts'

/**
 * A value that orders as Spark orders `sql`: a null inside an array or struct is below all others, where DuckDB has it above. The value itself where it
 * can hold no such null. Null for null.
 */
export function orderingSql(sql: string, type: DataType, depth = 0): string {
  if (!hasInnerNulls(type) || typeof type === 'string' || type.kind === 'decimal' || type.kind === 'map') return sql
  const name = `o${depth}`
  const marked = (value: string, inner: DataType, nullable: boolean) =>
    nullable ? `struct_pack(n := ${value} IS NOT NULL, v := ${orderingSql(value, inner, depth + 1)})` : orderingSql(value, inner, depth + 1)
  if (type.kind === 'array') return `list_transform(${sql}, lambda ${name}: ${marked(name, type.element, type.containsNull)})`
  const fields = type.fields.map((field, i) => `f${i} := ${marked(fieldSql(name, field.name), field.type, field.nullable)}`)
  return bind(sql, name, `CASE WHEN ${name} IS NOT NULL THEN struct_pack(${fields.join(', ')}) END`)
}

function hasInnerNulls(type: DataType): boolean {
  if (typeof type === 'string' || type.kind === 'decimal' || type.kind === 'map') return false
  if (type.kind === 'array') return type.containsNull || hasInnerNulls(type.element)
  return type.fields.some((field) => field.nullable || hasInnerNulls(field.type))
}
