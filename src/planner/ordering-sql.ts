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

/** `a operator b`, in Spark's order. */
export function comparedSql(
  operator: '<' | '<=' | '>' | '>=',
  sides: readonly { readonly sql: string; readonly type: DataType }[],
): string {
  // a mark stands on both sides or on none, and only one of them may be able to hold the null
  const nulls = sides.some(({ type }) => hasInnerNulls(type))
  return `(${sides.map(({ sql, type }) => (nulls ? orderingSql(sql, withInnerNulls(type)) : sql)).join(` ${operator} `)})`
}

/** The list in Spark's order, its own nulls at the end that is named. */
export function sortedSql(list: string, element: DataType, order: 'ASC' | 'DESC', nulls: 'FIRST' | 'LAST'): string {
  if (!hasInnerNulls(element)) return `list_sort(${list}, '${order}', 'NULLS ${nulls}')`
  const isLeast = (order === 'ASC') === (nulls === 'FIRST')
  const marked = `struct_pack(n := s IS ${isLeast ? 'NOT NULL' : 'NULL'}, o := ${orderingSql('s', element)}, v := s)`
  return `list_transform(list_sort(list_transform(${list}, lambda s: ${marked}), '${order}'), lambda s: s.v)`
}

export function hasInnerNulls(type: DataType): boolean {
  if (typeof type === 'string' || type.kind === 'decimal' || type.kind === 'map') return false
  if (type.kind === 'array') return type.containsNull || hasInnerNulls(type.element)
  return type.fields.some((field) => field.nullable || hasInnerNulls(field.type))
}

function withInnerNulls(type: DataType): DataType {
  if (typeof type === 'string' || type.kind === 'decimal' || type.kind === 'map') return type
  if (type.kind === 'array') return { kind: 'array', element: withInnerNulls(type.element), containsNull: true }
  return { kind: 'struct', fields: type.fields.map((field) => ({ name: field.name, type: withInnerNulls(field.type), nullable: true })) }
}
