/** Aggregates. */

import { InvalidQueryError } from '../../base/errors.ts'
import { isInterval } from '../../data/intervals.ts'
import type { DataType } from '../../data/types.ts'
import { quoteType, typeMismatch } from '../analysis-errors.ts'
import { boundedDecimal, isDecimal, isIntegral, isOrderable } from '../coercion.ts'
import type { AggregateCall, Expression } from '../expression.ts'
import { expressionText, sameExpression } from '../expression-tree.ts'
import { resolveWithIntervals } from '../interval-arithmetic.ts'
import { argumentAs, call, type Wanted } from '../signatures.ts'
import { aggregate, aggregateCall, arrayOf, type FunctionRow, int, literal, notOrderable, type Resolve } from './row.ts'

const sumType = (arg: Expression): DataType =>
  isDecimal(arg.type) ? boundedDecimal(arg.type.precision + 10, arg.type.scale) : isIntegral(arg.type) ? 'long' : 'double'
const avgType = (arg: Expression): DataType => (isDecimal(arg.type) ? boundedDecimal(arg.type.precision + 4, arg.type.scale + 4) : 'double')

const resolveCount: Resolve = (given, distinct) => aggregateCall('count', given.length === 0 ? [int(1)] : given, 'long', false, distinct)

/** first, last, any_value: a second argument says whether nulls are passed over. It is there only where they are. */
function picking(name: string, aliases: readonly string[]): FunctionRow {
  const resolve: Resolve = ([arg, ignoreNulls], distinct) => {
    const flag = ignoreNulls && argumentAs(name, ignoreNulls, 1, 'boolean')
    if (flag && flag.kind !== 'literal')
      throw typeMismatch(
        'NON_FOLDABLE_INPUT',
        `the second parameter of ${name} must be true or false, but is "${expressionText(flag)}"`,
        'give a constant',
      )
    return aggregateCall(name, flag?.kind === 'literal' && flag.value === true ? [arg!, flag] : [arg!], arg!.type, true, distinct)
  }
  return { name, aliases, kind: 'aggregate', deterministic: true, arity: [1, 2], resolve }
}

/** Of any type but one without an order. */
function ordered(name: string): FunctionRow {
  const resolve: Resolve = ([arg], distinct) => {
    if (!isOrderable(arg!.type)) throw notOrderable(name, arg!)
    return aggregateCall(name, [arg!], arg!.type, true, distinct)
  }
  return row(name, [1, 1], resolve)
}
function row(name: string, arity: readonly [number, number], resolve: Resolve, aliases: readonly string[] = []): FunctionRow {
  return { name, aliases, kind: 'aggregate', deterministic: true, arity, resolve }
}
/** Of two numbers. */
function ofPair(name: string, gives: DataType = 'double'): FunctionRow {
  const resolve: Resolve = (args, distinct) =>
    aggregateCall(
      name,
      args.map((arg, i) => argumentAs(name, arg, i, 'double')),
      gives,
      gives === 'double',
      distinct,
    )
  return row(name, [2, 2], resolve)
}
/** min_by, max_by: the value of one column where another is least or greatest. */
function pickBy(name: string): FunctionRow {
  const resolve: Resolve = ([value, order], distinct) => {
    if (!isOrderable(order!.type)) throw notOrderable(name, order!)
    return aggregateCall(name, [value!, order!], value!.type, true, distinct)
  }
  return row(name, [2, 2], resolve)
}

function collecting(name: string, aliases: readonly string[], accepts: (type: DataType) => boolean): FunctionRow {
  const resolve: Resolve = ([arg], distinct) => {
    if (!accepts(arg!.type))
      throw typeMismatch(
        'UNSUPPORTED_INPUT_TYPE',
        `the input of ${name} can't be of type ${quoteType(arg!.type)}`,
        'collect map_entries(…)',
      )
    return aggregateCall(name, [arg!], arrayOf(arg!.type, false), false, distinct)
  }
  return row(name, [1, 1], resolve, aliases)
}
const resolveListagg: Resolve = ([given, delimiter], distinct) => {
  const arg = argumentAs('listagg', given!, 0, 'text')
  if (delimiter === undefined || delimiter.type === 'void') return aggregateCall('listagg', [arg], arg.type, true, distinct)
  const by = argumentAs('listagg', delimiter, 1, arg.type)
  if (by.kind !== 'literal') throw notConstant('listagg', 'delimiter', delimiter)
  return aggregateCall('listagg', by.value === null ? [arg] : [arg, by], arg.type, true, distinct)
}

/** A value by which listagg(…) WITHIN GROUP (ORDER BY …) orders. */
export interface ListOrder {
  readonly value: Expression
  readonly descending: boolean
  readonly nullsFirst: boolean
}
/** listagg in an order: behind its two arguments stand, for each value to order by, its direction as a constant and the value. */
export function orderedListagg(args: readonly Expression[], order: readonly ListOrder[], distinct: boolean): Expression {
  const plain = resolveListagg(args, distinct) as AggregateCall
  for (const { value } of order) if (!isOrderable(value.type)) throw notOrderable('listagg', value)
  const [text] = plain.args
  const given = (e: Expression): Expression => (e.kind === 'cast' ? given(e.input) : e)
  const strange = distinct && order.find(({ value }) => !sameExpression(value, text!) && !sameExpression(value, given(text!)))
  if (strange) {
    throw new InvalidQueryError('INVALID_WITHIN_GROUP_EXPRESSION.MISMATCH_WITH_DISTINCT_INPUT', {
      what: `listagg is given DISTINCT, and ordered by "${expressionText(strange.value)}", which is not "${expressionText(text!)}"`,
      todo: 'order by the value that is listed, or make the rows distinct in a step below',
    })
  }
  const by = plain.args[1] ?? literal(null, plain.type)
  const orders = order.flatMap(({ value, descending, nullsFirst }) => [
    literal(`${descending ? 'DESC' : 'ASC'} NULLS ${nullsFirst ? 'FIRST' : 'LAST'}`, 'string'),
    value,
  ])
  return { ...plain, args: [text!, by, ...orders] }
}

// ---- constants among the arguments

function notConstant(name: string, which: string, e: Expression): InvalidQueryError {
  return typeMismatch('NON_FOLDABLE_INPUT', `the ${which} of ${name} must be a constant, but is "${expressionText(e)}"`, 'give a constant')
}
function outside(name: string, which: string, range: string, value: unknown): InvalidQueryError {
  return typeMismatch(
    'VALUE_OUT_OF_RANGE',
    `the ${which} of ${name} must be ${range} (current value = ${value})`,
    'give a value in that range',
  )
}
/** The number that a constant expression stands for. */
function constantNumber(name: string, which: string, e: Expression): number {
  if (e.kind === 'cast') return constantNumber(name, which, e.input)
  if (e.kind === 'call' && e.name === '-' && e.args.length === 2)
    return constantNumber(name, which, e.args[0]!) - constantNumber(name, which, e.args[1]!)
  if (e.kind === 'call' && e.name === 'negative') return -constantNumber(name, which, e.args[0]!)
  if (e.kind !== 'literal') throw notConstant(name, which, e)
  const { value } = e
  if (value === null) throw typeMismatch('UNEXPECTED_NULL', `the ${which} of ${name} must not be null`, 'give a number')
  const number = typeof value === 'object' && 'unscaled' in value ? Number(value.unscaled) / 10 ** value.scale : Number(value)
  if (Number.isNaN(number) || typeof value === 'boolean')
    throw typeMismatch('UNEXPECTED_INPUT_TYPE', `the ${which} of ${name} must be a number, but is "${expressionText(e)}"`, 'give a number')
  return number
}

/** The percentage, or an array of them, as constants; and the type of the result. */
function percentages(name: string, e: Expression, of: DataType): { readonly arg: Expression; readonly type: DataType } {
  const isList = typeof e.type !== 'string' && e.type.kind === 'array'
  const inner = e.kind === 'cast' ? e.input : e
  if (isList && !(inner.kind === 'call' && inner.name === 'array')) throw notConstant(name, 'percentage', e)
  const items = isList && inner.kind === 'call' ? inner.args : [e]
  const values = items.map((item) => {
    const p = constantNumber(name, 'percentage', item)
    if (!(p >= 0 && p <= 1)) throw outside(name, 'percentage', 'between [0.0, 1.0]', p)
    return literal(p, 'double')
  })
  if (!isList) return { arg: values[0]!, type: of }
  if (values.length === 0) throw outside(name, 'number of percentages', 'at least 1', 0)
  const type = arrayOf('double', false)
  return { arg: { kind: 'call', name: 'array', args: values, type, nullable: false, deterministic: true }, type: arrayOf(of, false) }
}

const resolvePercentile: Resolve = ([given, p, frequency], distinct) => {
  const arg = argumentAs('percentile', given!, 0, 'numeric')
  const { arg: percentage, type } = percentages('percentile', p!, 'double')
  const args = [arg, percentage, ...(frequency ? [argumentAs('percentile', frequency, 2, 'integral')] : [])]
  return aggregateCall('percentile', args, type, true, distinct)
}
/** percentile_disc(p) WITHIN GROUP (ORDER BY given): there is no call of it without an order. */
export function percentileDisc(given: Expression, p: Expression, descending: boolean): Expression {
  const arg = argumentAs('percentile_disc', given, 0, 'numeric')
  const { arg: percentage, type } = percentages('percentile_disc', p, 'double')
  return aggregateCall('percentile_disc', [arg, percentage, literal(descending, 'boolean')], type, true, false)
}
const resolveMedian: Resolve = ([given], distinct) =>
  aggregateCall('percentile', [argumentAs('median', given!, 0, 'numeric'), literal(0.5, 'double')], 'double', true, distinct)

/** Numbers, and times, which are counted in days or microseconds. */
const rankable: Wanted = 'numeric'
function asRankable(name: string, arg: Expression): Expression {
  return arg.type === 'date' || arg.type === 'timestamp' || arg.type === 'timestamp_ntz' ? arg : argumentAs(name, arg, 0, rankable)
}
const resolvePercentileApprox: Resolve = ([given, p, accuracy], distinct) => {
  const name = 'percentile_approx'
  const arg = asRankable(name, given!)
  const { arg: percentage, type } = percentages(name, p!, arg.type)
  const wanted = accuracy === undefined ? 10000 : constantNumber(name, 'accuracy', argumentAs(name, accuracy, 2, 'integral'))
  if (!(wanted > 0 && wanted <= 2147483647)) throw outside(name, 'accuracy', 'between (0, 2147483647]', wanted)
  return aggregateCall(name, [arg, percentage, int(wanted)], type, true, distinct)
}
const resolveHistogram: Resolve = ([given, bins], distinct) => {
  const name = 'histogram_numeric'
  const arg = asRankable(name, given!)
  const wanted = constantNumber(name, 'nb', argumentAs(name, bins!, 1, 'integral'))
  if (!(wanted >= 2 && wanted <= 2147483647)) throw outside(name, 'nb', 'between [2, 2147483647]', wanted)
  const fields = [
    { name: 'x', type: arg.type, nullable: true },
    { name: 'y', type: 'double' as const, nullable: true },
  ]
  return aggregateCall(name, [arg, int(wanted)], arrayOf({ kind: 'struct', fields }, true), true, distinct)
}
/** Below it a sketch would have more than 2^18 registers. */
const leastRsd = 1.106 / 2 ** 9
const resolveApproxCount: Resolve = ([arg, rsd], distinct) => {
  const name = 'approx_count_distinct'
  const wanted = rsd === undefined ? 0.05 : constantNumber(name, 'relative standard deviation', rsd)
  if (!(wanted >= leastRsd && wanted <= 0.39))
    throw outside(name, 'relative standard deviation', `between ${leastRsd.toFixed(5)} and 0.39`, wanted)
  if (!isOrderable(arg!.type))
    throw typeMismatch(
      'HASH_MAP_TYPE',
      `${name} can't take a value of type ${quoteType(arg!.type)}: maps have no hash`,
      'count map_entries(…)',
    )
  return aggregateCall(name, [arg!, literal(wanted, 'double')], 'long', false, distinct)
}
/** mode(x, deterministic): it always is the least of the most frequent values here. */
const resolveMode: Resolve = ([arg, deterministic], distinct) => {
  if (deterministic && argumentAs('mode', deterministic, 1, 'boolean').kind !== 'literal')
    throw notConstant('mode', 'second parameter', deterministic)
  if (!isOrderable(arg!.type)) throw notOrderable('mode', arg!)
  return aggregateCall('mode', [arg!], arg!.type, true, distinct)
}

/** FILTER (WHERE …) of an aggregate. */
export function filtered(call: Expression, filter: Expression, name: string): Expression {
  if (call.kind !== 'aggregate')
    throw new InvalidQueryError('INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX', {
      what: `the function ${name} does not support the FILTER clause`,
      todo: 'leave FILTER out, or use if(condition, value, null)',
    })
  if (filter.type !== 'boolean')
    throw new InvalidQueryError('INVALID_AGGREGATE_FILTER.NOT_BOOLEAN', {
      what: `the FILTER expression "${expressionText(filter)}" is of type ${quoteType(filter.type)}`,
      todo: 'give a condition',
    })
  return { ...call, filter }
}

/** An aggregate that takes intervals in a way of its own. */
function orOfIntervals(row: FunctionRow, ofIntervals: (arg: Expression, distinct: boolean) => Expression): FunctionRow {
  return {
    ...row,
    resolve: (args, distinct) => (isInterval(args[0]!.type) ? ofIntervals(args[0]!, distinct) : row.resolve(args, distinct)),
  }
}
/** The sum of the numbers that the intervals are, as an interval again. */
function sumOfIntervals(arg: Expression, distinct: boolean): Expression {
  const numbers = call('interval_number', [arg], 'long', arg.nullable)
  return call('interval_of_number', [aggregateCall('sum', [numbers], 'long', true, distinct)], arg.type, true)
}
function meanOfIntervals(arg: Expression, distinct: boolean): Expression {
  const count = aggregateCall('count', [arg], 'long', false, distinct)
  return resolveWithIntervals('/', sumOfIntervals(arg, distinct), count)!
}

export const aggregates: readonly FunctionRow[] = [
  { name: 'count', aliases: [], kind: 'aggregate', deterministic: true, arity: [0, Infinity], resolve: resolveCount },
  orOfIntervals(aggregate('sum', 'numeric', sumType), sumOfIntervals),
  orOfIntervals(aggregate('avg', 'numeric', avgType, { aliases: ['mean'] }), meanOfIntervals),
  ordered('min'),
  ordered('max'),
  picking('first', ['first_value']),
  picking('last', ['last_value']),
  picking('any_value', []),
  aggregate('count_if', 'boolean', 'long', { nullable: false }),
  aggregate('bool_and', 'boolean', 'boolean', { aliases: ['every'] }),
  aggregate('bool_or', 'boolean', 'boolean', { aliases: ['some', 'any'] }),
  aggregate('stddev_samp', 'double', 'double', { aliases: ['stddev', 'std'] }),
  aggregate('stddev_pop', 'double', 'double'),
  aggregate('var_samp', 'double', 'double', { aliases: ['variance'] }),
  aggregate('var_pop', 'double', 'double'),
  aggregate('try_sum', 'numeric', sumType),
  aggregate('try_avg', 'numeric', avgType),
  // a function of the DataFrame API only, as in Spark
  { ...aggregate('product', 'double', 'double'), internal: true },
  aggregate('bit_and', 'integral', (arg) => arg.type),
  aggregate('bit_or', 'integral', (arg) => arg.type),
  aggregate('bit_xor', 'integral', (arg) => arg.type),
  pickBy('min_by'),
  pickBy('max_by'),
  aggregate('skewness', 'double', 'double'),
  aggregate('kurtosis', 'double', 'double'),
  ofPair('corr'),
  ofPair('covar_pop'),
  ofPair('covar_samp'),
  ofPair('regr_count', 'long'),
  ofPair('regr_avgx'),
  ofPair('regr_avgy'),
  ofPair('regr_sxx'),
  ofPair('regr_syy'),
  ofPair('regr_sxy'),
  ofPair('regr_slope'),
  ofPair('regr_intercept'),
  ofPair('regr_r2'),
  collecting('collect_list', ['array_agg'], () => true),
  collecting('collect_set', [], isOrderable),
  row('listagg', [1, 2], resolveListagg, ['string_agg']),
  row('percentile', [2, 3], resolvePercentile),
  row('median', [1, 1], resolveMedian),
  row('mode', [1, 2], resolveMode),
  row('percentile_approx', [2, 3], resolvePercentileApprox, ['approx_percentile']),
  row('histogram_numeric', [2, 2], resolveHistogram),
  row('approx_count_distinct', [1, 2], resolveApproxCount),
]
