/** `+ - * /` where an operand or the result is an interval, which is a number of microseconds or of months here. */
import { isDayTime, isInterval } from '../data/intervals.ts'
import type { DataType } from '../data/types.ts'
import { multiplyDecimals } from './decimal-sql.ts'
import { isDecimal, isFloating, type SqlArgument, type Template } from './functions/template.ts'
import { bind, raise, sqlType } from './sql-text.ts'
import { fromLocal, toLocal } from './time-zone.ts'

export const intervalArithmetic: Template = ([a, b], type, name) => {
  if (!isInterval(type)) return moveTime(a!.sql, a!.type, name === '-' ? `(- ${b!.sql})` : b!.sql, b!.type)
  if (!isInterval(a!.type)) return difference(a!, b!)
  if (name === '*') return checked(product(a!, b!), type, [a!, b!])
  if (name === '/') return checkedQuotient(a!, b!, type)
  return checked(`CAST(${a!.sql} AS HUGEINT) ${name} ${b!.sql}`, type, [a!, b!])
}

const overflow = raise(
  'INTERVAL_ARITHMETIC_OVERFLOW.WITH_SUGGESTION',
  'Integer overflow while operating with intervals. Use the try_ form of the function to tolerate overflow and return NULL instead.',
)
/** The number as the interval's own, or the error where it has no room for it. */
function checked(number: string, type: DataType, args: readonly SqlArgument[]): string {
  const known = args.map((arg) => `${arg.sql} IS NOT NULL`).join(' AND ')
  return `coalesce(TRY_CAST(${number} AS ${sqlType(type)}), CASE WHEN ${known} THEN ${overflow} END)`
}

/** Half up, away from zero. */
function product(a: SqlArgument, b: SqlArgument): string {
  if (isFloating(b.type)) return `round(${a.sql} * ${b.sql})`
  if (!isDecimal(b.type)) return `CAST(${a.sql} AS HUGEINT) * ${b.sql}`
  const scale = Math.min(b.type.scale, 18)
  const wide = { kind: 'decimal', precision: 38, scale } as const
  return `round(${multiplyDecimals(`CAST(${a.sql} AS DECIMAL(19,0))`, { kind: 'decimal', precision: 19, scale: 0 }, b.sql, b.type, wide)})`
}

function checkedQuotient(a: SqlArgument, b: SqlArgument, type: DataType): string {
  const byZero = raise(
    'INTERVAL_DIVIDED_BY_ZERO',
    'Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.',
  )
  return `CASE WHEN ${b.sql} = 0 AND ${a.sql} IS NOT NULL THEN ${byZero} WHEN ${b.sql} <> 0 THEN ${checked(quotient(a, b), type, [a, b])} END`
}
function quotient(a: SqlArgument, b: SqlArgument): string {
  if (isFloating(b.type)) return `round(${a.sql} / ${b.sql})`
  const scale = isDecimal(b.type) ? 10n ** BigInt(b.type.scale) : 1n
  const above = `CAST(${a.sql} AS HUGEINT)${scale === 1n ? '' : ` * ${scale}`}`
  const below = isDecimal(b.type)
    ? `CAST(CAST(${b.sql} AS DECIMAL(38,${b.type.scale})) * ${scale} AS HUGEINT)`
    : `CAST(${b.sql} AS HUGEINT)`
  return bind(
    `struct_pack(a := ${above}, b := ${below})`,
    'q',
    `(2 * abs(q.a) + abs(q.b)) // (2 * abs(q.b)) * CASE WHEN (q.a < 0) <> (q.b < 0) THEN -1 ELSE 1 END`,
  )
}

/**
 * A date or timestamp moved by the number of an interval. Months keep the day of the month, or take the last day of a shorter month. Days are
 * days of the calendar in the session's time zone, whatever their length; what is below a day is counted as it is.
 */
export function moveTime(time: string, type: DataType, by: string, interval: DataType): string {
  if (type === 'date') {
    if (!isDayTime(interval)) return `CAST(${time} + to_months(${by}) AS DATE)`
    return `(${time} + CAST(${by} // 86400000000 AS INTEGER))`
  }
  const local = (moved: (x: string) => string) => (type === 'timestamp' ? fromLocal(moved(toLocal(time))) : moved(time))
  if (!isDayTime(interval)) return local((x) => `(${x} + to_months(${by}))`)
  if (local((x) => x) === time) return `make_timestamp(epoch_us(${time}) + ${by})`
  const days = local((x) => `(${x} + to_days(CAST(${by} // 86400000000 AS INTEGER)))`)
  return `make_timestamp(epoch_us(${days}) + ${by} % 86400000000)`
}

function difference(a: SqlArgument, b: SqlArgument): string {
  if (a.type === 'date') return `(CAST(${a.sql} - ${b.sql} AS BIGINT) * 86400000000)`
  const local = (x: SqlArgument) => (x.type === 'timestamp' ? toLocal(x.sql) : x.sql)
  return `(epoch_us(${local(a)}) - epoch_us(${local(b)}))`
}
