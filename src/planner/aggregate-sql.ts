import { InvalidQueryError } from '../base/errors.ts'
import type { MergeOp } from '../data/state-schema.ts'
import { type DataType, type DecimalType, decimal, typeText } from '../data/types.ts'
import type { AggregateCall } from '../plan/expression.ts'
import { divideDecimals } from './decimal-sql.ts'
import { raise, sqlType } from './sql-text.ts'

/** One column of state that an aggregate keeps for a group. */
export interface Accumulator {
  /** '' where the aggregate needs only one, else what it is: sum, count, … */
  readonly suffix: string
  readonly type: DataType
  readonly nullable: boolean
  readonly merge: MergeOp
  /** A SQL aggregate over the rows of a batch. */
  readonly partial: string
  /** The value of the column, from what `partial` gave; computed a group, not a row. */
  readonly settle?: (partial: string) => string
}
/** An aggregate as accumulators, and its value from them. */
export interface LoweredAggregate {
  readonly accumulators: readonly Accumulator[]
  readonly final: (columns: readonly string[]) => string
}

type DecimalCase = { readonly from: DecimalType; readonly sum: DecimalType }
const isDecimal = (type: DataType): type is DecimalType => typeof type !== 'string' && type.kind === 'decimal'
function decimalCase(call: AggregateCall): DecimalCase | undefined {
  const from = call.args[0]!.type
  return isDecimal(from) ? { from, sum: decimal(Math.min(from.precision + 10, 38), from.scale) } : undefined
}
const countType = decimal(20, 0)

/** first(x, true) passes over nulls. */
function ignoresNulls(call: AggregateCall): boolean {
  const flag = call.args[1]
  return flag?.kind === 'literal' && flag.value === true
}

/** Rows in which no argument is null; a literal 1 stands for every row. */
function countSql(call: AggregateCall, args: readonly string[]): string {
  const nullable = args.filter((_, i) => call.args[i]!.nullable)
  if (nullable.length === 0) return 'count(*)'
  return nullable.length === 1
    ? `count(${nullable[0]})`
    : `count(*) FILTER (WHERE ${nullable.map((arg) => `${arg} IS NOT NULL`).join(' AND ')})`
}

const longOverflow = raise('ARITHMETIC_OVERFLOW', 'long overflow in sum. Use try_sum, or cast to decimal first, if this is expected.')
const decimalOverflow = raise('ARITHMETIC_OVERFLOW', 'Overflow in sum of decimals.')
const narrow = (sql: string, type: DataType) =>
  `coalesce(TRY_CAST(${sql} AS ${sqlType(type)}), CASE WHEN ${sql} IS NOT NULL THEN ${isDecimal(type) ? decimalOverflow : longOverflow} END)`
const asDouble = (sql: string, type: DataType) => (type === 'double' ? sql : `CAST(${sql} AS DOUBLE)`)

// DuckDB's variance fails on infinities, where Spark gives NaN
const variancePop = (x: string) => `var_pop(${x}) FILTER (WHERE isfinite(${x}))`
const allFinite = (x: string) => `bool_and(isfinite(${x}))`
const nan = "CAST('nan' AS DOUBLE)"

/** The mean of a sum of decimals over a count, exact; null of no rows. */
function decimalMean(sum: string, count: string, { sum: sumType }: DecimalCase, to: DataType): string {
  return `CASE WHEN ${count} > 0 THEN ${divideDecimals(sum, sumType, `CAST(${count} AS DECIMAL(20,0))`, countType, to as DecimalType)} END`
}

/** An aggregate as SQL's own, over all rows at once. For batches only, and on purpose not made from accumulators: it is what streams are compared with. */
export function batchAggregateSql(call: AggregateCall, args: readonly string[]): string {
  const x = args[0] ?? '1'
  const type = call.args[0]?.type ?? 'int'
  const d = call.distinct ? 'DISTINCT ' : ''
  switch (call.name) {
    case 'count':
      return call.distinct ? distinctCount(args) : countSql(call, args)
    case 'count_if':
      return call.distinct ? `count(DISTINCT CASE WHEN ${x} THEN true END)` : `count(*) FILTER (WHERE ${x})`
    case 'sum':
      return call.type === 'double' ? `sum(${d}${asDouble(x, type)})` : narrow(`sum(${d}${x})`, call.type)
    case 'avg': {
      const exact = decimalCase(call)
      return exact ? decimalMean(narrow(`sum(${d}${x})`, exact.sum), `count(${d}${x})`, exact, call.type) : `avg(${d}${asDouble(x, type)})`
    }
    case 'min':
    case 'max':
    case 'bool_and':
    case 'bool_or':
      return `${call.name}(${x})`
    case 'first':
    case 'any_value':
      return `first(${x})${ignoresNulls(call) ? ` FILTER (WHERE ${x} IS NOT NULL)` : ''}`
    case 'last':
      return `last(${x})${ignoresNulls(call) ? ` FILTER (WHERE ${x} IS NOT NULL)` : ''}`
    case 'stddev':
    case 'stddev_samp':
    case 'stddev_pop':
    case 'variance':
    case 'var_samp':
    case 'var_pop': {
      const own = call.name === 'stddev' ? 'stddev_samp' : call.name === 'variance' ? 'var_samp' : call.name
      const v = asDouble(x, type)
      return `CASE WHEN ${allFinite(v)} THEN ${own}(${d}${v}) FILTER (WHERE isfinite(${v})) WHEN count(${d}${v}) > ${own.endsWith('_samp') ? 1 : 0} THEN ${nan} END`
    }
    default:
      throw unknownAggregate(call)
  }
}

function distinctCount(args: readonly string[]): string {
  if (args.length === 1) return `count(DISTINCT ${args[0]})`
  return `count(DISTINCT CASE WHEN ${args.map((arg) => `${arg} IS NOT NULL`).join(' AND ')} THEN row(${args.join(', ')}) END)`
}

/** An aggregate as accumulators that can be merged. InvalidQueryError for what a stream can't aggregate. */
export function lowerAggregate(call: AggregateCall, args: readonly string[]): LoweredAggregate {
  if (call.distinct) {
    throw new InvalidQueryError('STREAMING_DISTINCT_AGGREGATE', {
      what: `${call.name}(DISTINCT …) can't run on a stream: it would have to keep every value that it has seen`,
      todo: 'aggregate without DISTINCT, or remove duplicates first',
    })
  }
  const x = args[0] ?? '1'
  const arg = call.args[0]
  const type = arg?.type ?? 'int'
  switch (call.name) {
    case 'count':
      return one({ type: 'long', nullable: false, merge: 'sum', partial: countSql(call, args) }, zeroIfNone)
    case 'count_if':
      return one({ type: 'long', nullable: false, merge: 'sum', partial: `count(*) FILTER (WHERE ${x})` }, zeroIfNone)
    case 'sum':
      return one(sumAccumulator(call.type, x, type))
    case 'avg':
      return lowerMean(call, x, type)
    case 'min':
    case 'max':
      return one({ type: atomic(call, type), nullable: true, merge: call.name, partial: `${call.name}(${x})` })
    case 'bool_and':
      return one({ type: 'boolean', nullable: true, merge: 'min', partial: `bool_and(${x})` })
    case 'bool_or':
      return one({ type: 'boolean', nullable: true, merge: 'max', partial: `bool_or(${x})` })
    case 'first':
    case 'any_value':
      return lowerPick(call, 'first', x)
    case 'last':
      return lowerPick(call, 'last', x)
    case 'stddev':
    case 'stddev_samp':
      return lowerMoments(asDouble(x, type), ([n, , m2]) => `CASE WHEN ${n} > 1 THEN sqrt(${m2} / (${n} - 1)) END`)
    case 'stddev_pop':
      return lowerMoments(asDouble(x, type), ([n, , m2]) => `CASE WHEN ${n} > 0 THEN sqrt(${m2} / ${n}) END`)
    case 'variance':
    case 'var_samp':
      return lowerMoments(asDouble(x, type), ([n, , m2]) => `CASE WHEN ${n} > 1 THEN ${m2} / (${n} - 1) END`)
    case 'var_pop':
      return lowerMoments(asDouble(x, type), ([n, , m2]) => `CASE WHEN ${n} > 0 THEN ${m2} / ${n} END`)
    default:
      throw unknownAggregate(call)
  }
}

function one(accumulator: Omit<Accumulator, 'suffix'>, final = ([a]: readonly string[]) => a!): LoweredAggregate {
  return { accumulators: [{ suffix: '', ...accumulator }], final }
}
// an aggregation without keys has a row even where its state has none
const zeroIfNone = ([a]: readonly string[]) => `coalesce(${a}, 0)`

function sumAccumulator(to: DataType, x: string, type: DataType): Omit<Accumulator, 'suffix'> {
  if (to === 'double') return { type: to, nullable: true, merge: 'sum', partial: `sum(${asDouble(x, type)})` }
  return { type: to, nullable: true, merge: 'sum', partial: `sum(${x})`, settle: (sum) => narrow(sum, to) }
}

function lowerMean(call: AggregateCall, x: string, type: DataType): LoweredAggregate {
  const exact = decimalCase(call)
  const sum = exact ? sumAccumulator(exact.sum, x, type) : sumAccumulator('double', x, type)
  return {
    accumulators: [
      { suffix: 'sum', ...sum },
      { suffix: 'count', type: 'long', nullable: false, merge: 'sum', partial: countSql(call, [x]) },
    ],
    final: ([s, n]) => (exact ? decimalMean(s!, n!, exact, call.type) : `CASE WHEN ${n} > 0 THEN ${s} / ${n} END`),
  }
}

/**
 * first and last of a value that can be null take two columns: null is neutral in a merge, so the value alone would pass over nulls.
 * `missing` says whether the row that was picked had none; it is never null, so it is always that row's. If it is false, the value is that row's too.
 */
function lowerPick(call: AggregateCall, merge: 'first' | 'last', x: string): LoweredAggregate {
  const type = call.args[0]!.type
  if (ignoresNulls(call)) return one({ type, nullable: true, merge, partial: `${merge}(${x}) FILTER (WHERE ${x} IS NOT NULL)` })
  const value: Accumulator = { suffix: '', type, nullable: true, merge, partial: `${merge}(${x})` }
  if (!call.args[0]!.nullable) return { accumulators: [value], final: ([v]) => v! }
  return {
    accumulators: [
      { ...value, suffix: 'value' },
      { suffix: 'missing', type: 'boolean', nullable: false, merge, partial: `${merge}(${x} IS NULL)` },
    ],
    final: ([v, missing]) => `CASE WHEN NOT ${missing} THEN ${v} END`,
  }
}

function lowerMoments(x: string, final: LoweredAggregate['final']): LoweredAggregate {
  return {
    accumulators: [
      { suffix: 'n', type: 'double', nullable: false, merge: 'moments', partial: `CAST(count(${x}) AS DOUBLE)` },
      { suffix: 'mean', type: 'double', nullable: true, merge: 'moments', partial: `avg(${x})` },
      {
        suffix: 'm2',
        type: 'double',
        nullable: true,
        merge: 'moments',
        partial: `CASE WHEN ${allFinite(x)} THEN ${variancePop(x)} * count(${x}) WHEN count(${x}) > 0 THEN ${nan} END`,
      },
    ],
    final,
  }
}

function atomic(call: AggregateCall, type: DataType): DataType {
  if (typeof type === 'string' || type.kind === 'decimal') return type
  throw new InvalidQueryError('STREAMING_NESTED_AGGREGATE', {
    what: `${call.name} of a value of type ${typeText(type)} can't be kept in a stream's state`,
    todo: 'aggregate a field or an element of it',
  })
}

function unknownAggregate(call: AggregateCall): InvalidQueryError {
  return new InvalidQueryError('UNRESOLVED_ROUTINE', {
    what: `the local engine has no aggregate ${JSON.stringify(call.name)}`,
    todo: 'use one of the aggregates of the reference',
  })
}
