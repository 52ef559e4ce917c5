import type { Row } from '../data/row-set.ts'

/** An expected row: an object by column name, or an array by column position. Numbers and bigints of one value are equal, a Date and an Instant of one time too. */
export type ExpectedRow = Readonly<Record<string, unknown>> | readonly unknown[]

/** What differs between two bags of rows, as a text to fail with; null where they are equal. `ordered`: the order counts too. */
export function differenceOfRows(actual: readonly Row[], expected: readonly ExpectedRow[], ordered = false): string | null {
  const names = actual[0] ? Object.keys(actual[0]) : []
  const have = actual.map((row) => textOf(Object.values(row)))
  const want = expected.map((row) => textOf(Array.isArray(row) ? row : inOrder(row as Record<string, unknown>, names)))
  if (!ordered) {
    have.sort()
    want.sort()
  }
  if (have.length === want.length && have.every((text, i) => text === want[i])) return null
  const missing = without(want, have)
  const extra = without(have, want)
  const lines = [`got ${have.length} rows, expected ${want.length}`, ...list('missing', missing), ...list('not expected', extra)]
  if (missing.length === 0 && extra.length === 0) lines.push(`the order differs: ${have.join(' ')}`)
  return lines.join('\n')
}

function inOrder(row: Record<string, unknown>, names: readonly string[]): unknown[] {
  const keys = names.length > 0 ? [...names, ...Object.keys(row).filter((key) => !names.includes(key))] : Object.keys(row)
  return keys.map((key) => row[key])
}

function list(title: string, rows: readonly string[]): string[] {
  const shown = rows.slice(0, 20).map((row) => `  ${title}: ${row}`)
  return rows.length > 20 ? [...shown, `  … and ${rows.length - 20} more`] : shown
}

/** The rows of `a` that are left when each row of `b` has taken away one equal row. */
function without(a: readonly string[], b: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const row of b) counts.set(row, (counts.get(row) ?? 0) + 1)
  return a.filter((row) => {
    const count = counts.get(row) ?? 0
    if (count > 0) counts.set(row, count - 1)
    return count === 0
  })
}

function textOf(values: readonly unknown[]): string {
  return `(${values.map(valueText).join(', ')})`
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Object.is(value, -0)) return '0'
  if (typeof value !== 'object') return String(value)
  // as Temporal.Instant writes it
  if (value instanceof Date) return value.toISOString().replace(/\.?0+Z$/, 'Z')
  if (Array.isArray(value)) return `[${value.map(valueText).join(', ')}]`
  if (value instanceof Uint8Array) return `x'${Buffer.from(value).toString('hex')}'`
  if (value instanceof Map)
    return `{${[...value]
      .map(([k, v]) => `${valueText(k)}: ${valueText(v)}`)
      .sort()
      .join(', ')}}`
  if (Object.getPrototypeOf(value) !== Object.prototype) return String(value)
  return `{${Object.entries(value)
    .map(([k, v]) => `${k}: ${valueText(v)}`)
    .join(', ')}}`
}
