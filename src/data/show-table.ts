import { intervalOfDuration, intervalValueText, isInterval } from './intervals.ts'
import type { Row } from './row-set.ts'
import type { Schema } from './schema.ts'
import type { DataType } from './types.ts'
import type { Temporal } from './values.ts'

export interface ShowTable {
  /** How many rows at most. */
  readonly numRows: number
  /** Cells longer than this are cut, and cells are flush right; 0 cuts nothing and sets them flush left. */
  readonly truncate: number
  /** Where the clock hangs that timestamps are shown by: a region, or an offset such as +05:30. UTC unless said. */
  readonly timeZone?: string
}

/** A row by names, or its values in the order of the columns (which may have a name twice). */
export type Cells = Row | readonly unknown[]
function cellOf(row: Cells, name: string, index: number): unknown {
  return Array.isArray(row) ? row[index] : (row as Row)[name]
}

/** Rows as the table that Spark's `show()` prints, with its newline at the end unless rows were left out. */
export function showTable(schema: Schema, rows: readonly Cells[], { numRows, truncate, timeZone }: ShowTable): string {
  const shown = rows.slice(0, numRows)
  const cells = [
    schema.names,
    ...shown.map((row) => schema.fields.map((field, i) => cellText(field.type, cellOf(row, field.name, i), timeZone))),
  ].map((line) => line.map((cell) => cut(cell, truncate)))
  const widths = schema.fields.map((_, i) => Math.max(3, ...cells.map((line) => halfWidths(line[i]!))))
  const rule = `+${widths.map((width) => '-'.repeat(width)).join('+')}+\n`
  const [head, ...body] = cells.map((line) => `|${line.map((cell, i) => pad(cell, widths[i]!, truncate > 0)).join('|')}|\n`)
  const more = rows.length > numRows ? `only showing top ${numRows} ${numRows === 1 ? 'row' : 'rows'}` : ''
  return rule + head + rule + body.join('') + rule + more
}

/** Rows one below the other, a line for each column, as `show(vertical)` prints them. */
export function showVertical(schema: Schema, rows: readonly Cells[], { numRows, truncate, timeZone }: ShowTable): string {
  if (rows.length === 0) return '(0 rows)'
  const shown = rows
    .slice(0, numRows)
    .map((row) => schema.fields.map((field, i) => cut(cellText(field.type, cellOf(row, field.name, i), timeZone), truncate)))
  const names = schema.names.map((name) => cut(name, truncate))
  const nameWidth = Math.max(3, ...names.map(halfWidths))
  const valueWidth = Math.max(3, ...shown.flat().map(halfWidths))
  const records = shown.map((cells, i) => {
    const head = `-RECORD ${i}`.padEnd(nameWidth + valueWidth + 5, '-')
    const lines = cells.map((cell, c) => ` ${pad(names[c]!, nameWidth, false)} | ${pad(cell, valueWidth, false)} `)
    return [head, ...lines].map((line) => `${line}\n`).join('')
  })
  const more = rows.length > numRows ? `only showing top ${numRows} ${numRows === 1 ? 'row' : 'rows'}` : ''
  return records.join('') + more
}

/** A value in its public form as Spark casts it to a string, timestamps in that zone. */
export function cellText(type: DataType, value: unknown, timeZone = 'UTC'): string {
  const nestedText = (inner: DataType, item: unknown) => (item === null || item === undefined ? 'NULL' : cellText(inner, item, timeZone))
  if (value === null || value === undefined) return 'NULL'
  if (typeof type !== 'string') {
    switch (type.kind) {
      case 'decimal':
        return String(value)
      case 'array':
        return `[${(value as unknown[]).map((item) => nestedText(type.element, item)).join(', ')}]`
      case 'map':
        return `{${[...(value as Map<unknown, unknown>)].map(([key, item]) => `${nestedText(type.key, key)} -> ${nestedText(type.value, item)}`).join(', ')}}`
      case 'struct':
        return `{${type.fields.map((field) => nestedText(field.type, (value as Row)[field.name])).join(', ')}}`
    }
  }
  switch (type) {
    case 'float':
      return floatText(value as number, (x) => shortestFloat(x))
    case 'double':
      return floatText(value as number, String)
    case 'binary':
      return `[${Array.from(value as Uint8Array, (byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ')}]`
    case 'timestamp':
      return dateTimeText((value as Temporal.Instant).toZonedDateTimeISO(zoneName(timeZone)).toPlainDateTime())
    case 'timestamp_ntz':
      return dateTimeText(value as Temporal.PlainDateTime)
    default:
      if (isInterval(type)) return intervalValueText(type, intervalOfDuration(type, value)!)
      return String(value)
  }
}

/** Spark's spellings of offsets (`GMT-8`, `+5:30`) as Temporal has them. */
function zoneName(zone: string): string {
  const offset = /^(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2}))?(?::?\d{2})?$/.exec(zone)
  if (offset) return `${offset[1]}${offset[2]!.padStart(2, '0')}:${offset[3] ?? '00'}`
  return /^(?:Z|UT|UCT|Zulu)$/i.test(zone) ? 'UTC' : zone
}

/** `2026-01-31 12:00:00.5`: no zeros at the end of the fraction. */
function dateTimeText(time: Temporal.PlainDateTime): string {
  return time
    .toString({ fractionalSecondDigits: 6 })
    .replace('T', ' ')
    .replace(/\.?0+$/, '')
}

/** Java's text of a double: at least one digit after the point, an exponent from 1e7 up and below 1e-3. */
function floatText(value: number, digitsOf: (value: number) => string): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  const size = Math.abs(value)
  const [mantissa, exponent] = Number(digitsOf(value)).toExponential().split('e') as [string, string]
  const withPoint = mantissa.includes('.') ? mantissa : `${mantissa}.0`
  if (size < 1e-3 || size >= 1e7) return `${withPoint}E${Number(exponent)}`
  const plain = digitsOf(value)
  return plain.includes('.') ? plain : `${plain}.0`
}
/** The fewest digits that give the same 32-bit float. */
function shortestFloat(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits)
    if (Math.fround(Number(text)) === value) return String(Number(text))
  }
  return String(value)
}

function cut(text: string, truncate: number): string {
  const escaped = text.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')
  if (truncate <= 0 || escaped.length <= truncate) return escaped
  return truncate < 4 ? escaped.slice(0, truncate) : `${escaped.slice(0, truncate - 3)}...`
}
function pad(text: string, width: number, flushRight: boolean): string {
  const space = ' '.repeat(Math.max(0, width - halfWidths(text)))
  return flushRight ? space + text : text + space
}
const fullWidth = /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE10-\uFE19\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]/g
function halfWidths(text: string): number {
  return text.length + (text.match(fullWidth)?.length ?? 0)
}
