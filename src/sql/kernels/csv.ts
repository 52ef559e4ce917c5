/** Lines of CSV as Spark's parser (univocity) reads and writes them. */
import type { DataType, StructType } from '../../data/types.ts'
import type { CsvSpec } from '../../plan/functions/csv.ts'
import { type CsvDialect, parseCsvRecord } from '../csv-records.ts'
import { type Kernel, KernelError, kernel } from './kernel.ts'

interface Shape {
  readonly type: StructType
  readonly corrupt?: string
  readonly failFast: boolean
  readonly csv: CsvSpec
  /** Patterns by which times are read afterwards: their texts are not looked at here. */
  readonly patterns: { readonly date?: string; readonly timestamp?: string; readonly timestampNtz?: string }
}
const known = new Map<string, unknown>()
function parsed<T>(text: string): T {
  const found = known.get(text) ?? JSON.parse(text)
  if (known.size > 100) known.clear()
  known.set(text, found)
  return found as T
}
function dialectOf(spec: CsvSpec): CsvDialect {
  const { sep: separator, quote, escape, comment, nullValue, trimLeft, trimRight } = spec
  return { separator, quote, escape, comment, nullValue, trimLeft, trimRight, emptyValue: '' }
}

const bounds: Readonly<Record<string, bigint>> = { byte: 1n << 7n, short: 1n << 15n, int: 1n << 31n, long: 1n << 63n }
const wholeNumber = /^[+-]?\d+$/
const realNumber = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const dateText = /^[+-]?\d{4,7}(?:-\d{1,2}(?:-\d{1,2}(?:[ T].*)?)?)?$/
const words: Readonly<Record<string, string>> = {
  NaN: 'NaN',
  Inf: 'Infinity',
  '+Inf': 'Infinity',
  Infinity: 'Infinity',
  '-Inf': '-Infinity',
  '-Infinity': '-Infinity',
}

/** The text as one of its type; undefined where it is none. */
function leaf(given: string, to: DataType): string | undefined {
  if (to === 'string') return given
  const text = given.trim()
  if (typeof to !== 'string') return to.kind === 'decimal' && realNumber.test(text) ? text : undefined
  switch (to) {
    case 'boolean':
      return /^(?:true|false)$/i.test(text) ? text.toLowerCase() : undefined
    case 'float':
    case 'double':
      return Object.hasOwn(words, text) ? words[text] : realNumber.test(text) ? text : undefined
    case 'date':
      return dateText.test(text) ? text : undefined
    case 'timestamp':
    case 'timestamp_ntz':
      return dateText.test(text) ? text : undefined
  }
  const bound = bounds[to]
  if (bound === undefined) return text
  if (!wholeNumber.test(text)) return undefined
  const value = BigInt(text.replace(/^\+/, ''))
  return value < bound && value >= -bound ? String(value) : undefined
}

function fromCsv(text: string, shape: string): string | null {
  const { type, corrupt, failFast, csv, patterns } = parsed<Shape>(shape)
  const hasPattern = (to: DataType) =>
    (to === 'date' && patterns.date !== undefined) ||
    (to === 'timestamp' && patterns.timestamp !== undefined) ||
    (to === 'timestamp_ntz' && patterns.timestampNtz !== undefined)
  const { fields } = parseCsvRecord(text, dialectOf(csv)).record
  const wanted = type.fields.filter((field) => field.name !== corrupt)
  const struct: Record<string, string | null> = Object.create(null)
  let bad = fields.length !== wanted.length && text !== ''
  wanted.forEach((field, i) => {
    const given = fields[i] ?? null
    const value = given === null || hasPattern(field.type) ? given : leaf(given, field.type)
    if (value === undefined) bad = true
    struct[field.name] = value ?? null
  })
  if (bad && failFast)
    throw new KernelError(
      'MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION',
      `Malformed records are detected in record parsing: ${text}. Parse Mode: FAILFAST.`,
    )
  if (corrupt !== undefined) struct[corrupt] = bad ? text : null
  return JSON.stringify(struct)
}

/** A value as it stands in a line: in quotes where it is empty, or holds what would end it. */
function quoteCsv(text: string, spec: string): string {
  const { sep, quote, escape, trimLeft, trimRight } = parsed<CsvSpec>(spec)
  let value = trimLeft ? text.trimStart() : text
  if (trimRight) value = value.trimEnd()
  if (value === '') return '""'
  if (!value.includes(sep) && !value.includes(quote) && !/[\r\n]/.test(value)) return value
  return `${quote}${value.replaceAll(quote, `${escape}${quote}`)}${quote}`
}

function inferredType(value: string | null): string {
  if (value === null) return 'STRING'
  if (wholeNumber.test(value)) {
    const number = BigInt(value.replace(/^\+/, ''))
    if (BigInt.asIntN(32, number) === number) return 'INT'
    if (BigInt.asIntN(64, number) === number) return 'BIGINT'
    const digits = String(number).replace('-', '').length
    return digits <= 38 ? `DECIMAL(${digits},0)` : 'DOUBLE'
  }
  if (realNumber.test(value) || Object.hasOwn(words, value)) return 'DOUBLE'
  if (/^\d{4}-\d{2}-\d{2}$/.test(value)) return 'DATE'
  if (/^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})?$/.test(value)) return 'TIMESTAMP'
  return /^(?:true|false)$/i.test(value) ? 'BOOLEAN' : 'STRING'
}
function schemaOfCsv(text: string, spec: string): string {
  const { fields } = parseCsvRecord(text, dialectOf(parsed<CsvSpec>(spec))).record
  return `STRUCT<${fields.map((value, i) => `_c${i}: ${inferredType(value)}`).join(', ')}>`
}

export const csv: readonly Kernel[] = [
  kernel('from_csv', ['string', 'string'], 'string', fromCsv),
  kernel('csv_quote', ['string', 'string'], 'string', quoteCsv),
  kernel('schema_of_csv', ['string', 'string'], 'string', schemaOfCsv),
]
