/** count, sum, avg, product and the bits. */
import { type DataType, type DecimalType, decimal } from '../../data/types.ts'
import { divideDecimals, fromUnscaledSql, unscaledSql } from '../decimal-sql.ts'
import { bind, orRaise, raise, sqlType } from '../sql-text.ts'
import {
  type Accumulator,
  type AggregateInput,
  type AggregateSql,
  asDouble,
  isDecimal,
  isGiven,
  type LoweredAggregate,
  one,
  zeroIfNone,
} from './row.ts'

/** Rows in which no argument is null; a literal 1 stands for every row. */
export function countSql(a: AggregateInput): string {
  const nullable = a.args.filter((_, i) => a.call.args[i]!.nullable)
  if (nullable.length === 0) return a.over('count(*)')
  return nullable.length === 1 ? a.over(`count(${nullable[0]})`) : a.over('count(*)', nullable.map(isGiven).join(' AND '))
}
function distinctCount({ args, over }: AggregateInput): string {
  if (args.length === 1) return over(`count(DISTINCT ${args[0]})`)
  return over(`count(DISTINCT CASE WHEN ${args.map(isGiven).join(' AND ')} THEN row(${args.join(', ')}) END)`)
}

export const count: AggregateSql = {
  batch: (a) => (a.call.distinct ? distinctCount(a) : countSql(a)),
  lower: (a) => one({ type: 'long', nullable: false, merge: 'sum', partial: countSql(a) }, zeroIfNone),
}
export const countIf: AggregateSql = {
  batch: ({ call, x, over }) => (call.distinct ? over(`count(DISTINCT CASE WHEN ${x} THEN true END)`) : over('count(*)', x)),
  lower: ({ x, over }) => one({ type: 'long', nullable: false, merge: 'sum', partial: over('count(*)', x) }, zeroIfNone),
}

// ---- sum

type OnOverflow = 'raise' | 'null'

export const longOverflow = raise(
  'ARITHMETIC_OVERFLOW',
  'long overflow in sum. Use try_sum, or cast to decimal first, if this is expected.',
)
export const decimalOverflow = raise('ARITHMETIC_OVERFLOW', 'Overflow in sum of decimals. Use try_sum if this is expected.')

function narrow(sql: string, type: DataType, onOverflow: OnOverflow): string {
  const cast = `TRY_CAST(${sql} AS ${sqlType(type)})`
  if (onOverflow === 'null') return cast
  return `coalesce(${cast}, CASE WHEN ${sql} IS NOT NULL THEN ${isDecimal(type) ? decimalOverflow : longOverflow} END)`
}

/** The sum's type in Spark: ten digits more, as long as there are so many. */
const sumType = (from: DecimalType): DecimalType => decimal(Math.min(from.precision + 10, 38), from.scale)
const half = `CAST(1${'0'.repeat(19)} AS HUGEINT)`
const halfType = decimal(38, 0)

/**
 * Sums of decimals of more than 28 digits could leave 38 digits, and DuckDB's 128 bits, on the way. Their upper and lower 19 digits are summed apart, so
 * that only the sum in the end has to fit.
 */
function halves(a: AggregateInput, from: DecimalType): { readonly high: string; readonly low: string } {
  const digits = unscaledSql(a.x, from)
  const sum = (part: string) => a.over(`sum(${a.distinct}${part})`)
  if (a.distinct !== '') {
    const all = `list(DISTINCT ${digits})`
    return {
      high: `list_sum(list_transform(${a.over(all)}, lambda u: u // ${half}))`,
      low: `list_sum(list_transform(${a.over(all)}, lambda u: u % ${half}))`,
    }
  }
  return { high: sum(`(${digits} // ${half})`), low: sum(`(${digits} % ${half})`) }
}
function joinHalves(high: string, low: string, type: DecimalType, onOverflow: OnOverflow): string {
  const digits = `CASE WHEN abs(v.h + v.l // ${half}) <= ${half} THEN (v.h + v.l // ${half}) * ${half} + v.l % ${half} WHEN v.h IS NOT NULL THEN ${onOverflow === 'null' ? 'NULL' : decimalOverflow} END`
  const fits = fromUnscaledSql('w', type, 'try')
  const value = onOverflow === 'null' ? fits : orRaise(fits, 'w', decimalOverflow)
  return bind(bind(`struct_pack(h := CAST(${high} AS HUGEINT), l := CAST(${low} AS HUGEINT))`, 'v', digits), 'w', value)
}

function batchSum(a: AggregateInput, to: DataType, onOverflow: OnOverflow): string {
  if (to === 'double') return a.over(`sum(${a.distinct}${asDouble(a.x, a.type)})`)
  if (isDecimal(a.type) && a.type.precision > 28) {
    const { high, low } = halves(a, a.type)
    return joinHalves(high, low, to as DecimalType, onOverflow)
  }
  return narrow(a.over(`sum(${a.distinct}${a.x})`), to, onOverflow)
}

/** The accumulators of a sum, and the sum from them. */
function lowerSum(a: AggregateInput, to: DataType, onOverflow: OnOverflow): LoweredAggregate {
  if (to === 'double') return one({ type: to, nullable: true, merge: 'sum', partial: a.over(`sum(${asDouble(a.x, a.type)})`) })
  if (isDecimal(a.type) && a.type.precision > 28) {
    const { high, low } = halves(a, a.type)
    const part = (suffix: string, partial: string): Accumulator => ({
      suffix,
      type: halfType,
      nullable: true,
      merge: 'sum',
      partial,
      settle: (sql) => `CAST(${sql} AS ${sqlType(halfType)})`,
    })
    return {
      accumulators: [part('high', high), part('low', low)],
      final: ([h, l]) => joinHalves(h!, l!, to as DecimalType, onOverflow),
    }
  }
  const partial = a.over(`sum(${a.x})`)
  if (onOverflow === 'raise') {
    const mayOverflow = { row: `CAST(${a.given(a.x)} AS ${sqlType(to)})`, settleOrNull: (sql: string) => narrow(sql, to, 'null') }
    return one({ type: to, nullable: true, merge: 'sum', partial, settle: (sql) => narrow(sql, to, onOverflow), mayOverflow })
  }
  const wide = isDecimal(to) ? decimal(38, to.scale) : decimal(38, 0)
  return one({ type: wide, nullable: true, merge: 'sum', partial, settle: (sql) => `CAST(${sql} AS ${sqlType(wide)})` }, ([s]) =>
    narrow(s!, to, 'null'),
  )
}

function sumSql(onOverflow: OnOverflow): AggregateSql {
  return { batch: (a) => batchSum(a, a.call.type, onOverflow), lower: (a) => lowerSum(a, a.call.type, onOverflow) }
}
export const sum = sumSql('raise')
export const trySum = sumSql('null')

// ---- avg

const countType = decimal(20, 0)

/** The mean of a sum of decimals over a count, exact; null of no rows. */
function decimalMean(sum: string, count: string, sumOf: DecimalType, to: DataType, onOverflow: OnOverflow): string {
  const mode = onOverflow === 'null' ? 'try' : 'ansi'
  return `CASE WHEN ${count} > 0 THEN ${divideDecimals(sum, sumOf, `CAST(${count} AS DECIMAL(20,0))`, countType, to as DecimalType, mode)} END`
}

function averageSql(onOverflow: OnOverflow): AggregateSql {
  return {
    batch(a) {
      if (!isDecimal(a.type)) return a.over(`avg(${a.distinct}${asDouble(a.x, a.type)})`)
      const to = sumType(a.type)
      return decimalMean(batchSum(a, to, onOverflow), a.over(`count(${a.distinct}${a.x})`), to, a.call.type, onOverflow)
    },
    lower(a) {
      const to = isDecimal(a.type) ? sumType(a.type) : 'double'
      const sum = lowerSum(a, to, onOverflow)
      const sums = sum.accumulators.map((part) => ({ ...part, suffix: part.suffix === '' ? 'sum' : part.suffix }))
      return {
        accumulators: [...sums, { suffix: 'count', type: 'long', nullable: false, merge: 'sum', partial: countSql(a) }],
        final(columns) {
          const [s, n] = [sum.final(columns.slice(0, -1)), columns.at(-1)!]
          return isDecimal(to) ? decimalMean(s, n, to, a.call.type, onOverflow) : `CASE WHEN ${n} > 0 THEN ${s} / ${n} END`
        },
      }
    },
  }
}
export const avg = averageSql('raise')
export const tryAvg = averageSql('null')

// ---- product, bits

export const product: AggregateSql = {
  batch: (a) => a.over(`product(${a.distinct}${asDouble(a.x, a.type)})`),
  lower: (a) => one({ type: 'double', nullable: true, merge: 'product', partial: a.over(`product(${asDouble(a.x, a.type)})`) }),
}

export function bits(name: 'bit_and' | 'bit_or' | 'bit_xor'): AggregateSql {
  return {
    batch: (a) => a.over(`${name}(${a.distinct}${a.x})`),
    lower: (a) => one({ type: a.type, nullable: true, merge: name, partial: a.over(`${name}(${a.x})`) }),
  }
}
