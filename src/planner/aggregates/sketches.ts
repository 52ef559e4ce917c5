/** Approximations of a fixed size: distinct counts, percentiles, histograms. */
import { keyEncodingSql } from '../key-encoding-sql.ts'
import { bind, sqlType } from '../sql-text.ts'
import { perPercent } from './collections.ts'
import { type AggregateInput, type AggregateSql, asDouble, constant, doubles, isGiven, one } from './row.ts'

// ---- approx_count_distinct: HyperLogLog over the first 64 bits of a hash (state/distinct-sketch.ts has the form of the bytes)

/** 2^p registers have a relative standard deviation of at most `rsd`; Spark's formula. */
export function registerBits(rsd: number): number {
  return Math.max(4, Math.ceil((2 * Math.log(1.106 / rsd)) / Math.log(2)))
}
const bitsOf = (a: AggregateInput) => registerBits(Number(constant(a, 1) ?? 0.05))

/** Register * 64 + rank of each value that is not null. A rank has 6 bits: at most 61 for the 60 bits that are left at p = 4. */
function ranked(a: AggregateInput): string {
  const p = bitsOf(a)
  const hash = `md5_number_lower(${keyEncodingSql([{ sql: a.x, type: a.type, isNeverNull: true }])})`
  const rest = `(h % CAST(${2n ** BigInt(64 - p)} AS UBIGINT))`
  const rank = `CASE WHEN ${rest} = 0 THEN ${64 - p + 1} ELSE bit_position('1'::BIT, CAST(${rest} AS BIT)) - ${p} END`
  const packed = bind(hash, 'h', `CAST(h // CAST(${2n ** BigInt(64 - p)} AS UBIGINT) AS INTEGER) * 64 + CAST(${rank} AS INTEGER)`)
  return a.over(`list(DISTINCT ${packed})`, isGiven(a.x))
}

/** Ertl's estimate (2017): no table of corrections, and none is needed at any size. `ranks` are those of the registers that are not 0. */
function estimate(ranks: string, m: number): string {
  const empty = `(1 - len(r) / ${m}e0)`
  const sigma = `(${empty} + list_sum(list_transform(range(1, 40), lambda k: pow(${empty}, pow(2, k)) * pow(2, k - 1))))`
  const powers = 'list_sum(list_transform(r, lambda i: pow(2, -i)))'
  const alpha = 1 / (2 * Math.LN2)
  return bind(
    ranks,
    'r',
    `CASE WHEN len(r) > 0 THEN CAST(round(${alpha} * ${m}e0 * ${m}e0 / (${m}e0 * ${sigma} + ${powers})) AS BIGINT) ELSE 0 END`,
  )
}

const digit = (sql: string) => `chr(CAST(48 + ${sql} AS INTEGER))`
export const approxCountDistinct: AggregateSql = {
  batch(a) {
    // only the greatest rank of a register counts: the first one from above
    const ranks = bind(
      `list_sort(${ranked(a)}, 'DESC')`,
      'l',
      'list_transform(list_filter(l, lambda x, i: i = 1 OR l[i - 1] // 64 <> x // 64), lambda x: x % 64)',
    )
    return `coalesce(${estimate(ranks, 2 ** bitsOf(a))}, 0)`
  },
  lower(a) {
    const p = bitsOf(a)
    const entry = `${digit('(x // 262144)')} || ${digit('((x // 4096) % 64)')} || ${digit('((x // 64) % 64)')} || ${digit('(x % 64)')}`
    const settle = (list: string) =>
      `encode('1' || ${digit(String(p))} || 'S' || array_to_string(list_transform(${list}, lambda x: ${entry}), ''))`
    return one({ type: 'binary', nullable: true, merge: 'hll', partial: ranked(a), settle }, ([sketch]) => {
      const chars = bind(
        `decode(${sketch})`,
        's',
        "CASE WHEN s[3] = 'S' THEN regexp_extract_all(s[4:], '...(.)', 1) ELSE string_split(replace(s[4:], '0', ''), '') END",
      )
      const ranks = `list_transform(list_filter(${chars}, lambda c: c <> ''), lambda c: ord(c) - 48)`
      return `coalesce(${estimate(ranks, 2 ** p)}, 0)`
    })
  },
}

// ---- percentile_approx (state/quantile-summary.ts)

const numbers = (a: AggregateInput) => a.over(`list(${a.distinct}${numeric(a)})`, isGiven(a.x))
function numeric({ x, type }: AggregateInput): string {
  if (type === 'date') return `CAST(${x} - DATE '1970-01-01' AS DOUBLE)`
  return type === 'timestamp' || type === 'timestamp_ntz' ? `CAST(epoch_us(${x}) AS DOUBLE)` : asDouble(x, type)
}
/** A double as a value of the argument's type; Spark, too, keeps doubles. */
function valueOf({ type }: AggregateInput, sql: string): string {
  if (type === 'date') return `(DATE '1970-01-01' + CAST(${sql} AS INTEGER))`
  if (type === 'timestamp' || type === 'timestamp_ntz') return `make_timestamp(CAST(${sql} AS BIGINT))`
  if (type === 'double') return sql
  const whole = type === 'byte' || type === 'short' || type === 'int' || type === 'long'
  return `CAST(${whole ? `trunc(${sql})` : sql} AS ${sqlType(type)})`
}
/** The rank from 1 of a percentage among n values. */
const rankOf = (n: string, p: number) => `greatest(ceil(${p}e0 * ${n}), 1)`

export const percentileApprox: AggregateSql = {
  batch: (a) =>
    bind(
      `list_sort(${numbers(a)})`,
      'l',
      perPercent(a, (p) => valueOf(a, `l[CAST(${rankOf('len(l)', p)} AS BIGINT)]`), 'len(l) > 0'),
    ),
  lower(a) {
    const accuracy = Number(constant(a, 2) ?? 10000)
    const ranks = `list_append(range(1, len(l), greatest(len(l) // ${accuracy}, 1)), len(l))`
    const settle = (list: string) =>
      bind(
        bind(`list_sort(${list})`, 'l', `CASE WHEN len(l) > 0 THEN struct_pack(l := l, r := ${ranks}) END`),
        'v',
        `CASE WHEN v IS NOT NULL THEN list_concat([${accuracy}e0, CAST(len(v.l) AS DOUBLE)], list_select(v.l, v.r), CAST(v.r AS DOUBLE[]), CAST(v.r AS DOUBLE[])) END`,
      )
    return one({ type: doubles, nullable: true, merge: 'quantiles', partial: numbers(a), settle }, ([s]) => {
      const size = `((len(${s}) - 2) // 3)`
      const least = `${s}[${size} + 3 : 2 * ${size} + 2]`
      const at = (p: number) => `${s}[3 + len(list_filter(${least}, lambda r: r < ${rankOf(`${s}[2]`, p)}))]`
      return perPercent(a, (p) => valueOf(a, at(p)), `${s} IS NOT NULL`)
    })
  },
}

// ---- histogram_numeric (state/histogram-bins.ts)

/** How many numbers of a batch go into a histogram one by one. */
const mostSingles = 256

/** The bins of a batch's numbers, taken one after the other, as [{x, y}, …] in order. */
function binned(a: AggregateInput, list: string): string {
  const limit = Number(constant(a, 1))
  // many numbers are joined with their neighbours first: a fold over all of them would take its time
  const size = `((len(s) + ${mostSingles - 1}) // ${mostSingles})`
  const chunk = `s[i + 1 : least(i + ${size}, len(s))]`
  const chunks = bind(
    'list_sort(l)',
    's',
    `list_transform(range(0, len(s), ${size}), lambda i: [struct_pack(x := list_avg(${chunk}), y := CAST(len(${chunk}) AS DOUBLE))])`,
  )
  const singles = bind(
    list,
    'l',
    `CASE WHEN len(l) <= ${mostSingles} THEN list_transform(l, lambda v: [struct_pack(x := v, y := 1e0)]) WHEN len(l) > 0 THEN ${chunks} END`,
  )
  const sorted = 'list_sort(list_concat(a, b))'
  const joinAt = (i: string) =>
    `list_concat(h[:${i} - 1], [struct_pack(x := CASE WHEN h[${i}].x = h[${i} + 1].x THEN h[${i}].x ELSE (h[${i}].x * h[${i}].y + h[${i} + 1].x * h[${i} + 1].y) / (h[${i}].y + h[${i} + 1].y) END, y := h[${i}].y + h[${i} + 1].y)], h[${i} + 2:])`
  // equal centres are as near as can be, so they are joined first; a new number makes at most one pair of them
  const gaps = 'list_transform(range(1, len(h)), lambda i: h[i + 1].x - h[i].x)'
  const nearest = bind(gaps, 'g', 'list_position(g, list_min(g))')
  const step = bind(
    sorted,
    'h',
    bind(`struct_pack(i := ${nearest})`, 'q', `CASE WHEN len(h) > ${limit} OR h[q.i].x = h[q.i + 1].x THEN ${joinAt('q.i')} ELSE h END`),
  )
  return `list_reduce(${singles}, lambda a, b: ${step})`
}

export const histogramNumeric: AggregateSql = {
  batch: (a) => shown(a, binned(a, numbers(a))),
  lower(a) {
    const limit = Number(constant(a, 1))
    const settle = (list: string) =>
      bind(
        binned(a, list),
        'h',
        `CASE WHEN len(h) > 0 THEN list_concat([${limit}e0], flatten(list_transform(h, lambda b: [b.x, b.y]))) END`,
      )
    return one({ type: doubles, nullable: true, merge: 'bins', partial: numbers(a), settle }, ([s]) =>
      shown(a, `list_transform(range(2, len(${s}), 2), lambda i: struct_pack(x := ${s}[i], y := ${s}[i + 1]))`, `${s} IS NOT NULL`),
    )
  },
}
function shown(a: AggregateInput, bins: string, given?: string): string {
  const values = `list_transform(${bins}, lambda b: struct_pack(x := ${valueOf(a, 'b.x')}, y := b.y))`
  return given === undefined ? values : `CASE WHEN ${given} THEN ${values} END`
}
