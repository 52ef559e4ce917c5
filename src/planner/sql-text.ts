import { InvalidQueryError } from '../base/errors.ts'
import { isDayTime, isInterval } from '../data/intervals.ts'
import type { DataType } from '../data/types.ts'
import type { LiteralValue } from '../plan/expression.ts'

/** The DuckDB type that holds values of `type`. Intervals are their number of microseconds or months. Both timestamp types are microseconds of UTC without a zone. */
export function sqlType(type: DataType): string {
  if (isInterval(type)) return isDayTime(type) ? 'BIGINT' : 'INTEGER'
  if (typeof type === 'string') return simpleTypes[type]
  switch (type.kind) {
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'array':
      return `${sqlType(type.element)}[]`
    case 'map':
      return `MAP(${sqlType(type.key)}, ${sqlType(type.value)})`
    case 'struct':
      return `STRUCT(${type.fields.map((field) => `${quoteIdentifier(field.name)} ${sqlType(field.type)}`).join(', ')})`
  }
}
const simpleTypes = {
  boolean: 'BOOLEAN',
  byte: 'TINYINT',
  short: 'SMALLINT',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  string: 'VARCHAR',
  binary: 'BLOB',
  date: 'DATE',
  timestamp: 'TIMESTAMP',
  timestamp_ntz: 'TIMESTAMP',
  void: '"NULL"',
} as const

/** A name as SQL writes it. Names with `⟦` are refused (INVALID_IDENTIFIER): the engine's placeholders begin with it. */
export function quoteIdentifier(name: string): string {
  if (name.includes('⟦') || name.includes('\0')) {
    throw new InvalidQueryError('INVALID_IDENTIFIER', {
      what: `the name ${JSON.stringify(name)} has a character that names inside a struct may not have ("⟦" or NUL)`,
      todo: 'rename the field',
    })
  }
  return `"${name.replaceAll('"', '""')}"`
}

/** A text as SQL writes it. `⟦` and NUL are spelt as chr(…), so that no text is taken for a placeholder or ends early. */
export function stringLiteral(text: string): string {
  const parts = text.split(/([⟦\0])/).filter((part) => part !== '')
  if (parts.length === 0) return "''"
  const sql = parts.map((part) => (part === '⟦' ? 'chr(10214)' : part === '\0' ? 'chr(0)' : `'${part.replaceAll("'", "''")}'`))
  return sql.length === 1 ? sql[0]! : `(${sql.join(' || ')})`
}

/** A value of `type` as SQL writes it, with exactly that type. */
export function literalSql(value: LiteralValue, type: DataType): string {
  if (value === null) return type === 'void' ? 'NULL' : `CAST(NULL AS ${sqlType(type)})`
  if (typeof value === 'object' && !(value instanceof Uint8Array))
    return `CAST('${decimalText(value.unscaled, value.scale)}' AS ${sqlType(type)})`
  switch (type) {
    case 'string':
      return stringLiteral(String(value))
    case 'boolean':
      return value ? 'true' : 'false'
    case 'binary':
      return `from_hex('${Buffer.from(value as Uint8Array).toString('hex')}')`
    case 'int':
      return Number(value) >= 0 ? String(value) : `CAST(${value} AS INTEGER)` // a bare -2147483648 would be a long
    case 'float':
    case 'double':
      return floatingLiteral(Number(value), sqlType(type))
    case 'date':
      return Math.abs(Number(value)) < 700_000
        ? `DATE '${new Date(Number(value) * 86_400_000).toISOString().slice(0, 10)}'`
        : `make_date(CAST(${value} AS INTEGER))`
    case 'timestamp':
    case 'timestamp_ntz':
      return timestampLiteral(BigInt(value as bigint | number))
    default:
      return `CAST(${value} AS ${sqlType(type)})`
  }
}

/** Microseconds since 1970 as a TIMESTAMP literal. */
export function timestampLiteral(us: bigint): string {
  if (us < 0n || us >= 253_402_300_800_000_000n) return `make_timestamp(CAST(${us} AS BIGINT))`
  const fraction = us % 1_000_000n
  const seconds = new Date(Number((us - fraction) / 1000n)).toISOString().slice(0, 19).replace('T', ' ')
  return `TIMESTAMP '${seconds}${fraction === 0n ? '' : `.${String(fraction).padStart(6, '0')}`}'`
}

function floatingLiteral(value: number, type: string): string {
  if (!Number.isFinite(value)) return `CAST('${Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'}' AS ${type})`
  const text = Object.is(value, -0) ? '-0' : String(value)
  if (type === 'FLOAT') return `CAST('${text}' AS FLOAT)`
  const literal = text.includes('e') ? text : `${text}e0`
  return text.startsWith('-') ? `(${literal})` : literal
}

function decimalText(unscaled: bigint, scale: number): string {
  if (scale <= 0) return String(unscaled * 10n ** BigInt(-scale))
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** An expression that fails with a Spark error class when a row reaches it; its NULL type fits anywhere. `values` are SQL texts shown in the message. */
export function raise(code: string, text: string, value?: string): string {
  const [before, after = ''] = text.split('{}')
  const message = stringLiteral(`[${code}] ${before}`)
  return value === undefined ? `error(${message})` : `error(${message} || ${value}${after === '' ? '' : ` || ${stringLiteral(after)}`})`
}

/** `value`, or where it is null although `input` is not, the error. */
export function orRaise(value: string, input: string, error: string): string {
  return `coalesce(${value}, CASE WHEN ${input} IS NOT NULL THEN ${error} END)`
}

/** floor(a / n) for whole numbers, which SQL's // is not below zero. */
export function floorDivide(a: string, n: bigint): string {
  return `((${a} - (((${a} % ${n}) + ${n}) % ${n})) // ${n})`
}

/** `body` over a name that is computed once: body(name) must not use names of its own. */
export function bind(value: string, name: string, body: string): string {
  return `list_transform([${value}], lambda ${name}: ${body})[1]`
}
