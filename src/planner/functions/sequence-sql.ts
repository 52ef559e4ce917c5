/** `sequence(start, stop, step)`: numbers, or times with an interval. Each value is counted from the start, so that months keep its day. */
import { isYearMonth } from '../../data/intervals.ts'
import type { DataType } from '../../data/types.ts'
import { moveTime } from '../interval-arithmetic-sql.ts'
import { raise, sqlType } from '../sql-text.ts'
import type { SqlArgument, Template } from './template.ts'

const wrongBounds = raise(
  'INVALID_SEQUENCE_BOUNDARIES',
  'Illegal sequence boundaries: a positive step needs a start that is not after the stop, a negative step one that is not before it, and no step is 0.',
)
/** More elements than this are an error, as in Spark, where an array has at most so many. */
const mostElements = 2_147_483_632
const tooLong = raise('COLLECTION_SIZE_LIMIT_EXCEEDED.PARAMETER', `Can't create an array with more than ${mostElements} elements.`)

export const sequence: Template = ([start, stop, step], type) => {
  const known = [start!, stop!, ...(step ? [step] : [])].map((arg) => `${arg.sql} IS NOT NULL`).join(' AND ')
  const values = isTime(start!.type) ? ofTimes(start!, stop!, step) : ofNumbers(start!, stop!, step, type)
  return `CASE WHEN ${known} THEN ${values} END`
}
function isTime(type: DataType): boolean {
  return type === 'date' || type === 'timestamp' || type === 'timestamp_ntz'
}

function checked(start: string, stop: string, step: string, count: string, values: string): string {
  return (
    `CASE WHEN ${step} = 0 AND ${start} <> ${stop} OR ${step} > 0 AND ${start} > ${stop} OR ${step} < 0 AND ${start} < ${stop} THEN ${wrongBounds} ` +
    `WHEN ${count} > ${mostElements} THEN ${tooLong} ELSE ${values} END`
  )
}

function ofNumbers(start: SqlArgument, stop: SqlArgument, step: SqlArgument | undefined, type: DataType): string {
  const wide = (arg: SqlArgument) => `CAST(${arg.sql} AS BIGINT)`
  const by = step === undefined ? `CASE WHEN ${start.sql} <= ${stop.sql} THEN 1 ELSE -1 END` : wide(step)
  const count = `(CAST(${wide(stop)} AS HUGEINT) - ${wide(start)}) // CASE WHEN ${by} = 0 THEN 1 ELSE ${by} END + 1`
  const values = `CASE WHEN ${by} = 0 THEN [${wide(start)}] ELSE generate_series(${wide(start)}, ${wide(stop)}, ${by}) END`
  return checked(wide(start), wide(stop), `(${by})`, `(${count})`, `CAST(${values} AS ${sqlType(type)})`)
}

/** As many steps as could lie between start and stop, and of them those that do: how long a month or a day is hangs on where it lies. */
function ofTimes(start: SqlArgument, stop: SqlArgument, step: SqlArgument | undefined): string {
  const us = (arg: SqlArgument) => `epoch_us(CAST(${arg.sql} AS TIMESTAMP))`
  const [a, b] = [us(start), us(stop)]
  const interval: DataType = step?.type ?? 'interval day'
  const by = step === undefined ? `CASE WHEN ${a} <= ${b} THEN 86400000000 ELSE -86400000000 END` : step.sql
  const shortest = isYearMonth(interval) ? '(28 * CAST(86400000000 AS BIGINT))' : '1'
  const spread = `abs(${b} - ${a})`
  const count = `(CASE WHEN ${by} = 0 THEN 0 ELSE (${spread} + 93600000000) // (abs(${by}) * ${shortest}) END + 1)`
  const asked = start.type === 'date' && !isYearMonth(interval) ? 'timestamp' : start.type
  const from = asked === start.type ? start.sql : `CAST(${start.sql} AS TIMESTAMP)`
  const value = moveTime(from, asked === 'date' ? 'date' : start.type === 'date' ? 'timestamp_ntz' : start.type, `(n * (${by}))`, interval)
  const times = `list_transform(range(0, CAST(${count} AS BIGINT)), lambda n: ${asked === start.type ? value : `CAST(${value} AS DATE)`})`
  const between = `lambda v: CASE WHEN (${by}) >= 0 THEN v <= ${stop.sql} ELSE v >= ${stop.sql} END`
  return checked(a, b, `(${by})`, count, `list_filter(${times}, ${between})`)
}
