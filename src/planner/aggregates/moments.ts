/** Variances, skewness and kurtosis; covariance, correlation and the line through the points. */
import { bind, raise } from '../sql-text.ts'
import { type AggregateInput, type AggregateSql, asDouble, doubles, isGiven, type LoweredAggregate, nan, noDistinct, one } from './row.ts'

// DuckDB's variance fails on infinities, where Spark gives NaN
const finite = (x: string) => `isfinite(${x})`

type VarianceName = 'stddev_samp' | 'stddev_pop' | 'var_samp' | 'var_pop'
const varianceOf: Readonly<Record<VarianceName, (n: string, m2: string) => string>> = {
  stddev_samp: (n, m2) => `CASE WHEN ${n} > 1 THEN sqrt(${m2} / (${n} - 1)) END`,
  stddev_pop: (n, m2) => `CASE WHEN ${n} > 0 THEN sqrt(${m2} / ${n}) END`,
  var_samp: (n, m2) => `CASE WHEN ${n} > 1 THEN ${m2} / (${n} - 1) END`,
  var_pop: (n, m2) => `CASE WHEN ${n} > 0 THEN ${m2} / ${n} END`,
}

export function variance(name: VarianceName): AggregateSql {
  return {
    batch({ x, type, distinct: d, over }) {
      const v = asDouble(x, type)
      const least = name.endsWith('_samp') ? 1 : 0
      return `CASE WHEN ${over(`bool_and(${finite(v)})`)} THEN ${over(`${name}(${d}${v})`, finite(v))} WHEN ${over(`count(${d}${v})`)} > ${least} THEN ${nan} END`
    },
    lower: (a) => lowerVariance(a, ([n, , m2]) => varianceOf[name](n!, m2!)),
  }
}

function lowerVariance({ x: arg, type, over }: AggregateInput, final: LoweredAggregate['final']): LoweredAggregate {
  const x = asDouble(arg, type)
  const m2 = `CASE WHEN ${over(`bool_and(${finite(x)})`)} THEN ${over(`var_pop(${x})`, finite(x))} * ${over(`count(${x})`)} WHEN ${over(`count(${x})`)} > 0 THEN ${nan} END`
  return {
    accumulators: [
      { suffix: 'n', type: 'double', nullable: false, merge: 'moments', partial: `CAST(${over(`count(${x})`)} AS DOUBLE)` },
      { suffix: 'mean', type: 'double', nullable: true, merge: 'moments', partial: over(`avg(${x})`) },
      { suffix: 'm2', type: 'double', nullable: true, merge: 'moments', partial: m2 },
    ],
    final,
  }
}

// ---- skewness and kurtosis

/** [n, mean, m2, m3, m4] of the numbers, in two passes: sums of powers alone would lose all digits where the mean is large. */
function centralMoments(numbers: string): string {
  const powers = [2, 3, 4].map((n) => `list_sum(list_transform(v.l, lambda e: pow(e - v.m, ${n})))`)
  // an infinity makes the mean infinite, and what is left is NaN
  return bind(
    bind(numbers, 'l', 'CASE WHEN len(l) > 0 THEN struct_pack(l := l, m := list_avg(l)) END'),
    'v',
    `CASE WHEN v IS NOT NULL THEN [CAST(len(v.l) AS DOUBLE), v.m, ${powers.join(', ')}] END`,
  )
}
const momentsOf: Readonly<Record<'skewness' | 'kurtosis', (m: string) => string>> = {
  skewness: (m) => `CASE WHEN ${m}[3] <> 0 THEN sqrt(${m}[1]) * ${m}[4] / sqrt(${m}[3] * ${m}[3] * ${m}[3]) END`,
  kurtosis: (m) => `CASE WHEN ${m}[3] <> 0 THEN ${m}[1] * ${m}[5] / (${m}[3] * ${m}[3]) - 3 END`,
}
export function shape(name: 'skewness' | 'kurtosis'): AggregateSql {
  const numbers = (a: AggregateInput) => a.over(`list(${a.distinct}${asDouble(a.x, a.type)})`, isGiven(a.x))
  return {
    batch: (a) => bind(centralMoments(numbers(a)), 'm', momentsOf[name]('m')),
    lower: (a) =>
      one({ type: doubles, nullable: true, merge: 'central_moments', partial: numbers(a), settle: centralMoments }, ([m]) =>
        momentsOf[name](m!),
      ),
  }
}

// ---- pairs

/** The arguments y, x of regr_*; of corr and covar_* they are x, y, which is the same by symmetry. */
interface Moments {
  readonly n: string
  readonly meanX: string
  readonly meanY: string
  readonly xy: string
  readonly xx: string
  readonly yy: string
}
export type PairName =
  | 'corr'
  | 'covar_pop'
  | 'covar_samp'
  | 'regr_count'
  | 'regr_avgx'
  | 'regr_avgy'
  | 'regr_sxx'
  | 'regr_syy'
  | 'regr_sxy'
  | 'regr_slope'
  | 'regr_intercept'
  | 'regr_r2'

const divisionByZero = raise('DIVIDE_BY_ZERO', 'Division by zero in corr: one of the columns does not vary.')
const pairValue: Readonly<Record<PairName, (m: Moments) => string>> = {
  corr: ({ n, xy, xx, yy }) =>
    `CASE WHEN ${n} > 1 THEN CASE WHEN sqrt(${xx} * ${yy}) = 0 THEN ${divisionByZero} ELSE ${xy} / sqrt(${xx} * ${yy}) END END`,
  covar_pop: ({ n, xy }) => `CASE WHEN ${n} > 0 THEN ${xy} / ${n} END`,
  covar_samp: ({ n, xy }) => `CASE WHEN ${n} > 1 THEN ${xy} / (${n} - 1) END`,
  regr_count: ({ n }) => `CAST(coalesce(${n}, 0) AS BIGINT)`,
  regr_avgx: ({ n, meanX }) => `CASE WHEN ${n} > 0 THEN ${meanX} END`,
  regr_avgy: ({ n, meanY }) => `CASE WHEN ${n} > 0 THEN ${meanY} END`,
  regr_sxx: ({ n, xx }) => `CASE WHEN ${n} > 0 THEN ${xx} END`,
  regr_syy: ({ n, yy }) => `CASE WHEN ${n} > 0 THEN ${yy} END`,
  regr_sxy: ({ n, xy }) => `CASE WHEN ${n} > 0 THEN ${xy} END`,
  regr_slope: ({ xx, xy }) => `CASE WHEN ${xx} <> 0 THEN ${xy} / ${xx} END`,
  regr_intercept: ({ meanX, meanY, xx, xy }) => `CASE WHEN ${xx} <> 0 THEN ${meanY} - ${xy} / ${xx} * ${meanX} END`,
  regr_r2: ({ xx, yy, xy }) => `CASE WHEN ${xx} <> 0 THEN CASE WHEN ${yy} = 0 THEN 1e0 ELSE ${xy} * ${xy} / (${xx} * ${yy}) END END`,
}

/** What SQL aggregates say of the pairs without a null: NaN where a number is not finite. */
function pairMoments(a: AggregateInput): Moments {
  const [y, x] = a.args.map((arg, i) => asDouble(arg, a.call.args[i]!.type)) as [string, string]
  const both = `${isGiven(x)} AND ${isGiven(y)}`
  const n = a.over('count(*)', both)
  const sound = a.over(`bool_and(${finite(x)} AND ${finite(y)})`, both)
  const around = (aggregate: string) =>
    `CASE WHEN ${sound} THEN ${a.over(aggregate, both, finite(x), finite(y))} * ${n} WHEN ${n} > 0 THEN ${nan} END`
  return {
    n,
    meanX: a.over(`avg(${x})`, both),
    meanY: a.over(`avg(${y})`, both),
    xy: around(`covar_pop(${y}, ${x})`),
    xx: around(`var_pop(${x})`),
    yy: around(`var_pop(${y})`),
  }
}

export function pair(name: PairName): AggregateSql {
  return {
    batch(a) {
      noDistinct(a)
      return pairValue[name](pairMoments(a))
    },
    lower(a) {
      const { n, meanX, meanY, xy, xx, yy } = pairMoments(a)
      const partial = `CASE WHEN ${n} > 0 THEN [CAST(${n} AS DOUBLE), ${[meanX, meanY, xy, xx, yy].join(', ')}] END`
      return one({ type: doubles, nullable: true, merge: 'co_moments', partial }, ([m]) =>
        pairValue[name]({ n: `${m}[1]`, meanX: `${m}[2]`, meanY: `${m}[3]`, xy: `${m}[4]`, xx: `${m}[5]`, yy: `${m}[6]` }),
      )
    },
  }
}
