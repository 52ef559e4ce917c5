/**
 * Day-time intervals (microseconds) and year-month intervals (months): their fields, and their text in Spark's ANSI form,
 * `INTERVAL '1 02:03:04.5' DAY TO SECOND`.
 */
import { Temporal } from 'temporal-polyfill'
import type { DataType, DayTimeInterval, IntervalType, YearMonthInterval } from './types.ts'

export type IntervalField = 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second'
export const dayTimeFields = ['day', 'hour', 'minute', 'second'] as const
export const yearMonthFields = ['year', 'month'] as const

/** Microseconds, or for years and months, months. */
export const fieldSize: Readonly<Record<IntervalField, bigint>> = {
  year: 12n,
  month: 1n,
  day: 86_400_000_000n,
  hour: 3_600_000_000n,
  minute: 60_000_000n,
  second: 1_000_000n,
}

function ranges<F extends IntervalField>(fields: readonly F[]): string[] {
  return fields.flatMap((start, i) => fields.slice(i).map((end) => intervalName(start, end)))
}
function intervalName(start: string, end: string): string {
  return start === end ? `interval ${start}` : `interval ${start} to ${end}`
}
const dayTimes: ReadonlySet<unknown> = new Set(ranges(dayTimeFields))
const yearMonths: ReadonlySet<unknown> = new Set(ranges(yearMonthFields))

/** Every interval type, by its name. */
export const intervalTypes: readonly IntervalType[] = [...dayTimes, ...yearMonths] as IntervalType[]

export function isDayTime(type: DataType): type is DayTimeInterval {
  return dayTimes.has(type)
}
export function isYearMonth(type: DataType): type is YearMonthInterval {
  return yearMonths.has(type)
}
export function isInterval(type: DataType): type is IntervalType {
  return isDayTime(type) || isYearMonth(type)
}

/** The first and the last field of a type. */
export function fieldsOf(type: IntervalType): readonly [IntervalField, IntervalField] {
  const [, start, end = start] = /^interval (\w+)(?: to (\w+))?$/.exec(type) as unknown as [string, IntervalField, IntervalField?]
  return [start, end]
}

/** The type with these fields, or undefined where there is none such. */
export function intervalType(start: string, end: string = start): IntervalType | undefined {
  const name = intervalName(start.toLowerCase(), end.toLowerCase()) as IntervalType
  return isInterval(name) ? name : undefined
}

/** The type that holds the fields of both; undefined for months beside microseconds. */
export function widerInterval(a: IntervalType, b: IntervalType): IntervalType | undefined {
  const fields: readonly IntervalField[] = isDayTime(a) ? dayTimeFields : yearMonthFields
  const [starts, ends] = [a, b].map(fieldsOf).reduce<[number[], number[]]>(
    ([s, e], [start, end]) => [
      [...s, fields.indexOf(start)],
      [...e, fields.indexOf(end)],
    ],
    [[], []],
  )
  if (Math.min(...starts) < 0) return undefined
  return intervalType(fields[Math.min(...starts)]!, fields[Math.max(...ends)]!)
}

/** Spark's text of an interval: `INTERVAL '1-2' YEAR TO MONTH`. What lies below the last field is not shown. */
export function intervalValueText(type: IntervalType, value: bigint | number): string {
  const [start, end] = fieldsOf(type)
  const sign = value < 0 ? '-' : ''
  const size = value < 0 ? -BigInt(value) : BigInt(value)
  const names = start === end ? start : `${start} to ${end}`
  return `INTERVAL '${sign}${isDayTime(type) ? dayTimeText(size, start, end) : yearMonthText(size, start, end)}' ${names.toUpperCase()}`
}

function yearMonthText(months: bigint, start: IntervalField, end: IntervalField): string {
  if (start === 'month') return String(months)
  return end === 'year' ? String(months / 12n) : `${months / 12n}-${months % 12n}`
}

function dayTimeText(us: bigint, start: IntervalField, end: IntervalField): string {
  const [from, to] = [dayTimeFields.indexOf(start as 'day'), dayTimeFields.indexOf(end as 'day')]
  let rest = us
  let text = ''
  for (let i = from; i <= to; i++) {
    const field = dayTimeFields[i]!
    const count = rest / fieldSize[field]
    rest %= fieldSize[field]
    const digits = field === 'day' ? String(count) : String(count).padStart(2, '0')
    text += `${i === from ? '' : field === 'hour' ? ' ' : ':'}${digits}`
  }
  if (end === 'second' && rest > 0n) text += `.${String(rest).padStart(6, '0').replace(/0+$/, '')}`
  return text
}

// ---- JavaScript's form

/** The value as a Temporal.Duration, in days and what is below, or in years and months. */
export function durationOf(type: IntervalType, value: bigint | number): Temporal.Duration {
  if (isYearMonth(type)) return Temporal.Duration.from({ years: Math.trunc(Number(value) / 12) + 0, months: (Number(value) % 12) + 0 })
  let rest = BigInt(value)
  const take = (size: bigint) => {
    const count = rest / size
    rest %= size
    return Number(count)
  }
  const [days, hours, minutes] = [take(fieldSize.day), take(fieldSize.hour), take(fieldSize.minute)]
  const [seconds, milliseconds] = [take(fieldSize.second), take(1000n)]
  return Temporal.Duration.from({ days, hours, minutes, seconds, milliseconds, microseconds: Number(rest) })
}

/** The number of a Temporal.Duration or its text; undefined where it is none, mixes months with days, or is finer than the type's last field. */
export function intervalOfDuration(type: IntervalType, value: unknown): bigint | undefined {
  const duration = asDuration(value)
  if (duration === undefined) return undefined
  const months = BigInt(duration.years) * 12n + BigInt(duration.months)
  const us =
    (BigInt(duration.weeks) * 7n + BigInt(duration.days)) * fieldSize.day +
    BigInt(duration.hours) * fieldSize.hour +
    BigInt(duration.minutes) * fieldSize.minute +
    BigInt(duration.seconds) * fieldSize.second +
    BigInt(duration.milliseconds) * 1000n +
    BigInt(duration.microseconds) +
    BigInt(duration.nanoseconds) / 1000n
  const [number, other] = isYearMonth(type) ? [months, us] : [us, months]
  const [, end] = fieldsOf(type)
  return other === 0n && (end === 'second' || number % fieldSize[end] === 0n) ? number : undefined
}

function asDuration(value: unknown): Temporal.Duration | undefined {
  if (value instanceof Temporal.Duration) return value
  if (typeof value !== 'string') return undefined
  try {
    return Temporal.Duration.from(value)
  } catch {
    return undefined
  }
}

// ---- text to values

const digits = (name: string, atMost = '') => `(?P<${name}>[0-9]${atMost === '' ? '+' : `{1,${atMost}}`})`
const fraction = '(?:\\.(?P<f>[0-9]{1,9}))?'

/**
 * A pattern for the texts that a cast to `type` reads, in the syntax that RE2 has: the value alone (`1 02:03:04.5`) or the whole literal. Groups: `s` and
 * `t` signs, `f` the digits of a fraction, and the fields by name, largest first (a literal has them under names that end in 2).
 */
export function intervalPattern(type: IntervalType): { readonly pattern: string; readonly fields: readonly IntervalField[] } {
  const [start, end] = fieldsOf(type)
  const all: readonly IntervalField[] = isDayTime(type) ? dayTimeFields : yearMonthFields
  const fields = all.slice(all.indexOf(start), all.indexOf(end) + 1)
  const value = fields
    .map((field, i) => {
      const between = i === 0 ? '' : field === 'month' ? '-' : field === 'hour' ? ' ' : ':'
      return `${between}${digits(field, i === 0 || field === 'month' ? '' : '2')}${field === 'second' ? fraction : ''}`
    })
    .join('')
  const unit = start === end ? start : `${start}\\s+to\\s+${end}`
  const literal = `interval\\s+(?P<s2>[+-]?)'(?P<t2>[+-]?)${value.replaceAll(/\?P<(\w+)>/g, '?P<$12>')}'\\s+${unit}`
  return { pattern: `(?i)^\\s*(?:(?P<s>[+-]?)${value}|${literal})\\s*$`, fields }
}

/** The greatest value of a field that is not the first of its text. */
const fieldMax: Readonly<Partial<Record<IntervalField, number>>> = { month: 11, hour: 23, minute: 59, second: 59 }

/** SQL that gives an interval's number (NULL for text that is none) from the text that `text` gives. */
export function intervalFromTextSql(text: string, type: IntervalType): string {
  const { pattern, fields } = intervalPattern(type)
  const groups = [...pattern.matchAll(/\?P<(\w+)>/g)].map((match) => match[1]!)
  const plain = pattern.replaceAll(/\?P<\w+>/g, '')
  const count = (field: string) => `coalesce(nullif(m.${field}, ''), nullif(m.${field}2, ''))`
  const terms = fields.map((field) => `TRY_CAST(${count(field)} AS HUGEINT) * ${fieldSize[field]}`)
  if (fields.includes('second')) terms.push(`CAST(rpad(substring(concat(m.f, m.f2), 1, 6), 6, '0') AS HUGEINT)`)
  const inRange = fields.slice(1).map((field) => `CAST(${count(field)} AS HUGEINT) <= ${fieldMax[field]}`)
  const negative = `((m.s = '-') <> ((m.s2 = '-') <> (m.t2 = '-')))`
  const value = `TRY_CAST((${terms.join(' + ')}) * CASE WHEN ${negative} THEN -1 ELSE 1 END AS ${isDayTime(type) ? 'BIGINT' : 'INTEGER'})`
  const known = `${count(fields[0]!)} IS NOT NULL`
  return `list_transform([regexp_extract(${text}, '${plain.replaceAll("'", "''")}', [${groups.map((name) => `'${name}'`).join(', ')}])], lambda m: CASE WHEN ${[known, ...inRange].join(' AND ')} THEN ${value} END)[1]`
}

/** SQL for the text of an interval, as intervalValueText writes it, from its number. */
export function intervalTextSql(value: string, type: IntervalType): string {
  const [start, end] = fieldsOf(type)
  const all: readonly IntervalField[] = isDayTime(type) ? dayTimeFields : yearMonthFields
  const fields = all.slice(all.indexOf(start), all.indexOf(end) + 1)
  const size = `abs(CAST(${value} AS HUGEINT))`
  const parts = fields.map((field, i): string => {
    const rest = i === 0 ? size : `(${size} % ${fieldSize[fields[i - 1]!]})`
    const number = `CAST(${rest} // ${fieldSize[field]} AS VARCHAR)`
    const padded = isDayTime(type) && field !== 'day' ? `CASE WHEN length(${number}) < 2 THEN '0' || ${number} ELSE ${number} END` : number
    return i === 0 ? padded : `'${field === 'month' ? '-' : field === 'hour' ? ' ' : ':'}' || ${padded}`
  })
  if (end === 'second') parts.push(`rtrim(rtrim('.' || lpad(CAST(${size} % 1000000 AS VARCHAR), 6, '0'), '0'), '.')`)
  const names = start === end ? start : `${start} to ${end}`
  return `('INTERVAL ''' || CASE WHEN ${value} < 0 THEN '-' ELSE '' END || ${parts.join(' || ')} || ''' ${names.toUpperCase()}')`
}
