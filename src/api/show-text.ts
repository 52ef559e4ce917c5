/** Rows as the table that show() prints, in Spark's form. */
import type { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'

/** A table with a border. `truncate`: cut values at 20 characters (true) or at so many, or not at all (false, 0), and then left-aligned. */
export function tableText(schema: Schema, rows: readonly Readonly<Record<string, unknown>>[], truncate: boolean | number, more: boolean): string {
  const limit = truncate === true ? 20 : Number(truncate)
  const head = schema.names.map((name) => cut(name, limit))
  const body = rows.map((row) => schema.fields.map((field) => cut(cellText(row[field.name], field.type), limit)))
  const widths = head.map((name, i) => Math.max(3, displayWidth(name), ...body.map((cells) => displayWidth(cells[i]!))))
  const border = `+${widths.map((width) => '-'.repeat(width)).join('+')}+\n`
  const line = (cells: readonly string[]) => `|${cells.map((cell, i) => pad(cell, widths[i]!, limit > 0)).join('|')}|\n`
  const note = more ? `only showing top ${rows.length} row${rows.length === 1 ? '' : 's'}\n` : ''
  return border + line(head) + border + body.map(line).join('') + border + note
}

function cut(text: string, limit: number): string {
  const escaped = text.replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')
  if (limit <= 0 || escaped.length <= limit) return escaped
  return limit < 4 ? escaped.slice(0, limit) : `${escaped.slice(0, limit - 3)}...`
}
function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(width - displayWidth(text))
  return right ? space + text : text + space
}
/** Terminal columns: East Asian wide characters take two. */
function displayWidth(text: string): number {
  return text.length + (text.match(/[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]/g)?.length ?? 0)
}

/** A value as Spark's cast to string writes it. */
export function cellText(value: unknown, type: DataType): string {
  if (value === null || value === undefined) return 'NULL'
  if (type === 'double') return doubleText(value as number)
  if (type === 'float') return floatText(value as number)
  if (value instanceof Uint8Array) return `[${[...value].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(' ')}]`
  if (type === 'timestamp' || type === 'timestamp_ntz') return timeText(String(value))
  if (typeof type === 'string' || type.kind === 'decimal') return String(value)
  if (type.kind === 'array') return `[${(value as unknown[]).map((element) => cellText(element, type.element)).join(', ')}]`
  if (type.kind === 'map') return `{${[...(value as Map<unknown, unknown>)].map(([k, v]) => `${cellText(k, type.key)} -> ${cellText(v, type.value)}`).join(', ')}}`
  return `{${type.fields.map((field) => cellText((value as Record<string, unknown>)[field.name], field.type)).join(', ')}}`
}

/** `2020-01-31T12:00:00.5Z` as `2020-01-31 12:00:00.5`; Temporal leaves out seconds where they are 0 only on request, so they are there. */
function timeText(iso: string): string {
  return iso.replace('T', ' ').replace('Z', '')
}

/** Java's form of a double: at least one digit after the point, and an exponent from 10^7 and below 10^-3. */
export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  if (size >= 1e-3 && size < 1e7) return Number.isInteger(value) ? `${value}.0` : String(value)
  const [digits = '', exponent = ''] = value.toExponential().split('e')
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent.replace('+', '')}`
}
/** The shortest digits that a float is known by. */
function floatText(value: number): string {
  for (let digits = 1; digits < 10; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return doubleText(short)
  }
  return doubleText(value)
}
