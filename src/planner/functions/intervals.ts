/** Intervals of their fields. */
import { orRaise, raise, sqlType } from '../sql-text.ts'
import type { Template, Templates } from './template.ts'

const overflow = raise(
  'INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION',
  'Integer overflow while operating with intervals. Try devising appropriate values for the interval parameters.',
)

const dayTime: Template = ([days, hours, minutes, seconds]) => {
  const us = `CAST(${days!.sql} AS HUGEINT) * 86400000000 + CAST(${hours!.sql} AS HUGEINT) * 3600000000 + CAST(${minutes!.sql} AS HUGEINT) * 60000000 + CAST(${seconds!.sql} * 1000000 AS HUGEINT)`
  return orRaise(`TRY_CAST(${us} AS BIGINT)`, `(${us})`, overflow)
}
const yearMonth: Template = ([years, months]) => {
  const sum = `CAST(${years!.sql} AS BIGINT) * 12 + ${months!.sql}`
  return orRaise(`TRY_CAST(${sum} AS INTEGER)`, `(${sum})`, overflow)
}

const sumOverflow = raise('INTERVAL_ARITHMETIC_OVERFLOW.WITHOUT_SUGGESTION', 'Integer overflow in a sum of intervals.')

export const intervals: Templates = {
  make_dt_interval: dayTime,
  make_ym_interval: yearMonth,
  interval_us: ([x]) => `spark_interval_us(${x!.sql})`,
  interval_number: ([x]) => `CAST(${x!.sql} AS BIGINT)`,
  interval_of_number: ([x], type) => orRaise(`TRY_CAST(${x!.sql} AS ${sqlType(type)})`, x!.sql, sumOverflow),
}
