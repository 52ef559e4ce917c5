/** The columns that folders `name=value/` give, typed by their values as Spark does. */
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, sameType } from '../data/types.ts'

/** The schema of files with the columns of their folders: after the others, or in the place of a column of the same name. Every file has them (partitionValues). */
export function withPartitions(schema: Schema, files: readonly (readonly (readonly [name: string, value: string | null])[])[]): Schema {
  const names = (files[0] ?? []).map(([name]) => name).filter((name) => files.every((parts) => parts.some(([other]) => other === name)))
  const fields = names.map(
    (name): Field => ({ name, type: typeOfValues(files.map((parts) => parts.find(([other]) => other === name)![1])), nullable: true }),
  )
  const own = (field: Field) => fields.find(({ name }) => name.toLowerCase() === field.name.toLowerCase())
  const kept = schema.fields.map((field) => own(field) ?? field)
  return new Schema([...kept, ...fields.filter((field) => !kept.includes(field))])
}

/** A number in the form of Java's BigDecimal: sign, digits, digits behind the point, exponent. */
const decimal = /^[+-]?(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/

function typeOfValues(values: readonly (string | null)[]): DataType {
  const known = [...new Set(values)].filter((value) => value !== null)
  if (known.length === 0) return 'string'
  return known.map(typeOfValue).reduce(widerType)
}

/** Spark's order: int, long, a decimal without digits behind the point, double, date, timestamp, string. */
function typeOfValue(value: string): DataType {
  if (isWhole(value, 31n)) return 'int'
  if (isWhole(value, 63n)) return 'long'
  const number = decimal.exec(value.trim())
  const [, whole = '', part = '', exponent = '0'] = number ?? []
  if (whole !== '' || part !== '') {
    const scale = part.length - Number(exponent)
    const digits = `${whole}${part}`.replace(/^0+(?=\d)/, '')
    const precision = digits.length - Math.min(0, scale)
    return value === value.trim() && scale <= 0 && precision <= 38 ? { kind: 'decimal', precision, scale: 0 } : 'double'
  }
  if (/^\s*[+-]?(NaN|Infinity)\s*$/.test(value)) return 'double'
  if (/^\d{4}-\d{2}-\d{2}$/.test(value) && isDay(value)) return 'date'
  if (/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d{1,6})?$/.test(value) && isDay(value.slice(0, 10))) return 'timestamp'
  return 'string'
}

/** What holds values of both types. A double holds ints only: of other numbers it would lose digits, and they are texts, as in Spark. */
function widerType(a: DataType, b: DataType): DataType {
  if (sameType(a, b)) return a
  const digits = [digitsOf(a), digitsOf(b)]
  if (digits[0] !== undefined && digits[1] !== undefined) {
    return isDecimal(a) || isDecimal(b) ? { kind: 'decimal', precision: Math.max(digits[0], digits[1]), scale: 0 } : 'long'
  }
  const has = (type: DataType) => a === type || b === type
  if (has('double') && has('int')) return 'double'
  return has('date') && has('timestamp') ? 'timestamp' : 'string'
}
function isDecimal(type: DataType): boolean {
  return digitsOf(type) !== undefined && typeof type !== 'string'
}
/** Of whole numbers: how many digits they have at most. */
function digitsOf(type: DataType): number | undefined {
  if (type === 'int') return 10
  if (type === 'long') return 20
  return typeof type !== 'string' && type.kind === 'decimal' ? type.precision : undefined
}
function isWhole(value: string, bits: bigint): boolean {
  if (!/^[+-]?\d{1,19}$/.test(value)) return false
  const number = BigInt(value.replace(/^\+/, ''))
  return number >= -(1n << bits) && number < 1n << bits
}
function isDay(text: string): boolean {
  const time = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text)
}
