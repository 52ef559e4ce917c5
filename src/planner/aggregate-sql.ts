/** Spark's aggregates as DuckDB's: over all rows at once, and as accumulators that a stream keeps. One row of the table for each name; a family is a file of `aggregates/`. */
import { InvalidQueryError } from '../base/errors.ts'
import type { AggregateCall } from '../plan/expression.ts'
import { collectList, collectSet, listagg, mode, percentile, percentileDisc } from './aggregates/collections.ts'
import { type PairName, pair, shape, variance } from './aggregates/moments.ts'
import { every, extreme, pick, pickBy } from './aggregates/picks.ts'
import { type AggregateSql, aggregateInput, type LoweredAggregate } from './aggregates/row.ts'
import { approxCountDistinct, histogramNumeric, percentileApprox } from './aggregates/sketches.ts'
import { avg, bits, count, countIf, product, sum, tryAvg, trySum } from './aggregates/sums.ts'

export type { Accumulator, LoweredAggregate } from './aggregates/row.ts'

const pairNames: readonly PairName[] = [
  'corr',
  'covar_pop',
  'covar_samp',
  'regr_count',
  'regr_avgx',
  'regr_avgy',
  'regr_sxx',
  'regr_syy',
  'regr_sxy',
  'regr_slope',
  'regr_intercept',
  'regr_r2',
]
const table: Readonly<Record<string, AggregateSql>> = {
  count,
  count_if: countIf,
  sum,
  try_sum: trySum,
  avg,
  try_avg: tryAvg,
  product,
  bit_and: bits('bit_and'),
  bit_or: bits('bit_or'),
  bit_xor: bits('bit_xor'),
  min: extreme('min'),
  max: extreme('max'),
  bool_and: every('bool_and'),
  bool_or: every('bool_or'),
  first: pick('first'),
  any_value: pick('first'),
  last: pick('last'),
  min_by: pickBy('min_by'),
  max_by: pickBy('max_by'),
  stddev_samp: variance('stddev_samp'),
  stddev_pop: variance('stddev_pop'),
  var_samp: variance('var_samp'),
  var_pop: variance('var_pop'),
  skewness: shape('skewness'),
  kurtosis: shape('kurtosis'),
  collect_list: collectList,
  collect_set: collectSet,
  listagg,
  percentile,
  percentile_disc: percentileDisc,
  mode,
  percentile_approx: percentileApprox,
  approx_count_distinct: approxCountDistinct,
  histogram_numeric: histogramNumeric,
  ...Object.fromEntries(pairNames.map((name) => [name, pair(name)])),
}

/** An aggregate as SQL's own, over all rows at once: the arguments, the FILTER and the OVER clause as SQL. */
export function batchAggregateSql(call: AggregateCall, args: readonly string[], filter?: string, window?: string): string {
  return rowOf(call).batch(aggregateInput(call, args, filter, window))
}

/** An aggregate as accumulators that can be merged. InvalidQueryError for what a stream can't aggregate. */
export function lowerAggregate(call: AggregateCall, args: readonly string[], filter?: string): LoweredAggregate {
  if (call.distinct) {
    throw new InvalidQueryError('STREAMING_DISTINCT_AGGREGATE', {
      what: `${call.name}(DISTINCT …) can't run on a stream: it would have to keep every value that it has seen`,
      todo: 'aggregate without DISTINCT, or remove duplicates first',
    })
  }
  return rowOf(call).lower(aggregateInput(call, args, filter))
}

function rowOf(call: AggregateCall): AggregateSql {
  const row = Object.hasOwn(table, call.name) ? table[call.name] : undefined
  if (row) return row
  throw new InvalidQueryError('UNRESOLVED_ROUTINE', {
    what: `the local engine has no aggregate ${JSON.stringify(call.name)}`,
    todo: 'use one of the aggregates of the reference',
  })
}
