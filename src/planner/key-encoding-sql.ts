import { notAKey } from '../data/key-encoding.ts'
import type { DataType } from '../data/types.ts'
import { decimalTextSql, fieldSql } from './cast-sql.ts'

/** A key column: its SQL and its type. `nullable: false` saves the test for null. */
export interface KeyColumnSql { readonly sql: string; readonly type: DataType; readonly nullable: boolean }

/** SQL for the identity (UHUGEINT) of typed key columns, under the placeholder ⟦salt⟧. The format is data/key-encoding.ts's. */
export function keyIdSql(columns: readonly KeyColumnSql[]): string {
  return `md5_number(${['⟦salt⟧', ...columns.map(encodedColumnSql)].join(' || ')})`
}

/** SQL for the canonical encoding (VARCHAR, never null) of typed key columns. */
export function keyEncodingSql(columns: readonly KeyColumnSql[]): string {
  return columns.length === 0 ? "''" : columns.map(encodedColumnSql).join(' || ')
}

function encodedColumnSql({ sql, type, nullable }: KeyColumnSql): string {
  const piece = pieceSql(sql, type, 0)
  return nullable ? `coalesce(${piece}, '~')` : piece
}

/** The piece of a value that is not null; null where it is. */
function pieceSql(sql: string, type: DataType, depth: number): string {
  if (typeof type === 'string') return simplePieceSql(sql, type)
  const name = `k${depth}`
  switch (type.kind) {
    case 'decimal': return `(${type.scale === 0 ? `CAST(${sql} AS VARCHAR)` : `rtrim(rtrim(${decimalTextSql(sql, type)}, '0'), '.')`} || ';')`
    case 'array': return `(CAST(len(${sql}) AS VARCHAR) || '[' || array_to_string(list_transform(${sql}, lambda ${name}: coalesce(${pieceSql(name, type.element, depth + 1)}, '~')), ''))`
    case 'struct': {
      const fields = type.fields.map((field) => `coalesce(${pieceSql(fieldSql(sql, field.name), field.type, depth)}, '~')`)
      return `CASE WHEN ${sql} IS NOT NULL THEN ${["'('", ...fields].join(' || ')} END`
    }
    case 'map': throw notAKey(type)
  }
}

function simplePieceSql(sql: string, type: Extract<DataType, string>): string {
  switch (type) {
    case 'boolean': return `CASE WHEN ${sql} THEN 't' WHEN NOT ${sql} THEN 'f' END`
    case 'float': case 'double': {
      const value = type === 'float' ? `CAST(${sql} AS DOUBLE)` : sql
      return `(CASE WHEN isnan(${value}) THEN '9221120237041090560' ELSE CAST(CAST(CAST(${value} + 0e0 AS BIT) AS UBIGINT) AS VARCHAR) END || ';')`
    }
    case 'string': return `(CAST(strlen(${sql}) AS VARCHAR) || ':' || ${sql})`
    case 'binary': return `(CAST(octet_length(${sql}) AS VARCHAR) || ':' || hex(${sql}))`
    case 'date': return `(CAST(${sql} - DATE '1970-01-01' AS VARCHAR) || ';')`
    case 'timestamp': case 'timestamp_ntz': return `(CAST(epoch_us(${sql}) AS VARCHAR) || ';')`
    case 'void': return "'~'"
    default: return `(CAST(${sql} AS VARCHAR) || ';')`
  }
}
