/** Casts of intervals, which are numbers here: of microseconds, or of months. */
import { fieldSize, fieldsOf, intervalFromTextSql, intervalTextSql, isInterval } from '../data/intervals.ts'
import { type DataType, type IntervalType, typeText } from '../data/types.ts'
import { orRaise, raise, sqlType } from './sql-text.ts'

type CastMode = 'ansi' | 'try'

/** The cast where one of the two is an interval and they differ. Only for pairs that the analyser lets through. */
export function castInterval(sql: string, from: DataType, to: DataType, mode: CastMode): string {
  if (isInterval(from) && isInterval(to)) return truncated(sql, from, to)
  if (isInterval(to)) return from === 'string' ? fromText(sql, to, mode) : fromNumber(sql, from, to, mode)
  if (to === 'string') return intervalTextSql(sql, from as IntervalType)
  return toNumber(sql, from as IntervalType, to, mode)
}

/** Cut off below the last field of `to`, towards zero. */
function truncated(sql: string, from: IntervalType, to: IntervalType): string {
  const [, fromEnd] = fieldsOf(from)
  const [, end] = fieldsOf(to)
  return fieldSize[end] <= fieldSize[fromEnd] ? sql : `(${sql} - ${sql} % CAST(${fieldSize[end]} AS ${sqlType(to)}))`
}

function fromText(sql: string, to: IntervalType, mode: CastMode): string {
  const value = intervalFromTextSql(sql, to)
  if (mode === 'try') return value
  const code = 'INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING_WITH_NOTICE'
  return orRaise(value, sql, raise(code, `Error parsing '{}' to ${to}. Write it as ${intervalExample(to)}.`, sql))
}
function intervalExample(type: IntervalType): string {
  const [start, end] = fieldsOf(type)
  if (start === end) return '3'
  const parts = { year: '1', month: '-2', day: '1', hour: ' 02', minute: ':03', second: ':04.5' }
  const fields = Object.keys(parts) as (keyof typeof parts)[]
  return fields
    .slice(fields.indexOf(start), fields.indexOf(end) + 1)
    .map((field) => parts[field])
    .join('')
    .replace(/^[ :]/, '')
}

/** A number counts units of the interval's last field. */
function fromNumber(sql: string, from: DataType, to: IntervalType, mode: CastMode): string {
  const [, end] = fieldsOf(to)
  const wide =
    typeof from === 'string' ? `CAST(${sql} AS HUGEINT) * ${fieldSize[end]}` : `round(CAST(${sql} AS DECIMAL(38,6)) * ${fieldSize[end]})`
  const value = `TRY_CAST(${typeof from === 'string' ? wide : `TRY(${wide})`} AS ${sqlType(to)})`
  return mode === 'try' ? value : orRaise(value, sql, overflow(`CAST(${sql} AS VARCHAR)`, from, to))
}

function toNumber(sql: string, from: IntervalType, to: DataType, mode: CastMode): string {
  const [, end] = fieldsOf(from)
  const exact = typeof to !== 'string' && end === 'second'
  const units = exact ? `CAST(${sql} AS DECIMAL(19,0)) * CAST(0.000001 AS DECIMAL(7,6))` : `${sql} // ${fieldSize[end]}`
  const value = `TRY_CAST(${units} AS ${sqlType(to)})`
  return mode === 'try' ? value : orRaise(value, sql, overflow(intervalTextSql(sql, from), from, to))
}

function overflow(text: string, from: DataType, to: DataType): string {
  const types = `of the type "${typeText(from).toUpperCase()}" cannot be cast to "${typeText(to).toUpperCase()}"`
  return raise('CAST_OVERFLOW', `The value {} ${types} due to an overflow.`, text)
}
