/** The Delta project's own tables with the rows that are in them, where they lie beside the checkout. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { DataType, Schema } from 'millrace'
import { Temporal } from 'temporal-polyfill'

const shared = resolve(import.meta.dirname, '../../../shared/delta-golden')
const isThere = existsSync(join(shared, 'index.json'))

export interface GoldenTable {
  readonly table: string
  readonly rows?: number | null
  /** The file of the rows; null where nobody has written them down. */
  readonly expected?: string | null
}
export const goldenTables: readonly GoldenTable[] = isThere
  ? (JSON.parse(readFileSync(join(shared, 'index.json'), 'utf8')) as GoldenTable[])
  : []
export const skipReason = isThere ? null : 'the golden tables of the Delta project are not beside this checkout'

/** Unpacks the tables; a folder for each. */
export function unpackGolden(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-delta-golden-'))
  execFileSync('tar', ['xzf', join(shared, 'delta-golden-tables.tar.gz'), '-C', folder])
  return join(folder, 'golden')
}

export function expectedRows({ expected }: GoldenTable, schema: Schema): string[] {
  const lines = readFileSync(join(shared, 'expected', expected!), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  return lines
    .map((line) => {
      const row = JSON.parse(line) as Record<string, unknown>
      return JSON.stringify(schema.fields.map(({ name, type }) => canonical(type, row[name])))
    })
    .sort()
}
export function actualRows(rows: readonly Record<string, unknown>[], schema: Schema): string[] {
  return rows.map((row) => JSON.stringify(schema.fields.map(({ name, type }) => canonical(type, row[name])))).sort()
}

/** A value of ours and one of the expected JSON as the same thing. */
function canonical(type: DataType, value: unknown): unknown {
  if (value === null || value === undefined) return null
  if (typeof type === 'string') return simple(type, value)
  switch (type.kind) {
    case 'decimal':
      return decimalText(String(value))
    case 'array':
      return (value as unknown[]).map((each) => canonical(type.element, each))
    case 'map':
      return [...(value as Iterable<[unknown, unknown]>)]
        .map(([key, of]) => JSON.stringify([canonical(type.key, key), canonical(type.value, of)]))
        .sort()
    case 'struct':
      return type.fields.map(({ name, type: of }) => canonical(of, (value as Record<string, unknown>)[name]))
  }
}
function simple(type: string, value: unknown): unknown {
  switch (type) {
    case 'timestamp':
      return Temporal.Instant.from(String(value)).toString({ smallestUnit: 'microsecond' })
    case 'timestamp_ntz':
      return Temporal.PlainDateTime.from(String(value)).toString({ smallestUnit: 'microsecond' })
    case 'date':
      return String(value)
    case 'binary':
      return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : (value as { $b64: string }).$b64
    case 'boolean':
    case 'string':
      return value
    default:
      return typeof value === 'object' ? JSON.stringify(value) : Number(value)
  }
}
function decimalText(text: string): string {
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e')
  const negative = mantissa!.startsWith('-')
  const [whole, part = ''] = mantissa!.replace('-', '').split('.')
  const digits = BigInt(whole! + part)
  const scale = part.length - Number(exponent)
  const trimmed = digits === 0n ? '0' : digits.toString().replace(/0+$/, '')
  const zeros = digits === 0n ? 0 : digits.toString().length - trimmed.length
  return `${negative && digits !== 0n ? '-' : ''}${trimmed}e${digits === 0n ? 0 : zeros - scale}`
}
