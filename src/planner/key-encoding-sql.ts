import { notAKey } from '../data/key-encoding.ts'
import type { DataType } from '../data/types.ts'
import { decimalTextSql, fieldSql } from './cast-sql.ts'
import { stringLiteral } from './sql-text.ts'

/** A key column: its SQL and its type. `isNeverNull` saves the test for null; only for what can't be null whatever the data are. */
export interface KeyColumnSql {
  readonly sql: string
  readonly type: DataType
  readonly isNeverNull?: boolean
}

/** SQL for the identity (UHUGEINT) of typed key columns, under the placeholder ⟦salt⟧. The format is data/key-encoding.ts's. */
export function keyIdSql(columns: readonly KeyColumnSql[]): string {
  return `md5_number(concat(${['⟦salt⟧', ...columns.flatMap(columnTexts)].join(', ')}))`
}

/** SQL for the canonical encoding (VARCHAR, never null) of typed key columns. */
export function keyEncodingSql(columns: readonly KeyColumnSql[]): string {
  return `concat(${["''", ...columns.flatMap(columnTexts)].join(', ')})`
}

/** What concat() joins for a column. One flat concat() costs a quarter less than a chain of ||. */
function columnTexts({ sql, type, isNeverNull }: KeyColumnSql): string[] {
  return isNeverNull ? texts(sql, type, 0) : [orTilde(sql, type, 0)]
}

function orTilde(sql: string, type: DataType, depth: number): string {
  return `CASE WHEN ${sql} IS NULL THEN '~' ELSE concat(${texts(sql, type, depth).join(', ')}) END`
}

/** The texts, one after the other, of a value that is not null. Numbers may stand as they are: concat() writes them as text. */
function texts(sql: string, type: DataType, depth: number): string[] {
  if (typeof type === 'string') return simpleTexts(sql, type)
  const name = `k${depth}`
  switch (type.kind) {
    case 'decimal':
      return [type.scale === 0 ? sql : `rtrim(rtrim(${decimalTextSql(sql, type)}, '0'), '.')`, "';'"]
    case 'array':
      return [
        `len(${sql})`,
        "'['",
        `array_to_string(list_transform(${sql}, lambda ${name}: ${orTilde(name, type.element, depth + 1)}), '')`,
      ]
    case 'struct':
      return ["'('", ...type.fields.map((field) => orTilde(fieldSql(sql, field.name), field.type, depth))]
    case 'map':
      throw notAKey(type)
  }
}

const nanBits = stringLiteral(String(0x7ff8000000000000n))

function simpleTexts(sql: string, type: Extract<DataType, string>): string[] {
  switch (type) {
    case 'boolean':
      return [`CASE WHEN ${sql} THEN 't' ELSE 'f' END`]
    case 'float':
    case 'double': {
      const value = type === 'float' ? `CAST(${sql} AS DOUBLE)` : sql
      return [`CASE WHEN isnan(${value}) THEN ${nanBits} ELSE CAST(CAST(CAST(${value} + 0e0 AS BIT) AS UBIGINT) AS VARCHAR) END`, "';'"]
    }
    case 'string':
      return [`strlen(${sql})`, "':'", sql]
    case 'binary':
      return [`octet_length(${sql})`, "':'", `hex(${sql})`]
    case 'date':
      return [`${sql} - DATE '1970-01-01'`, "';'"]
    case 'timestamp':
    case 'timestamp_ntz':
      return [`epoch_us(${sql})`, "';'"]
    case 'void':
      return ["'~'"]
    default:
      return [sql, "';'"]
  }
}
