/** What the compiler knows of functions of arrays, maps and intervals. */
import type { Temporal } from 'temporal-polyfill'
import type { InferRow } from '../../src/api/frame-types.ts'
import {
  add_months,
  aggregate,
  array_append,
  array_compact,
  array_sort,
  col,
  date_format,
  exists,
  filter,
  flatten,
  length,
  lit,
  make_dt_interval,
  make_timestamp_ntz,
  map_filter,
  months_between,
  sequence,
  to_date,
  transform,
  transform_values,
  zip_with,
} from '../../src/api/functions.ts'
import { t } from '../../src/api/types.ts'
import { engine, is } from './queries.ts'

const frame = engine.read.parquet('x', {
  at: t.timestamp(),
  day: t.date().nullable(),
  took: t.interval('day to second'),
  age: t.interval('year to month').nullable(),
  xs: t.array(t.int()),
  ys: t.array(t.string().nullable()).nullable(),
  xss: t.array(t.array(t.int())),
  m: t.map(t.string(), t.double()),
  name: t.string(),
  n: t.int(),
})

// --- lambdas
const lambdas = frame.select(({ xs, ys, m, n, name }) => ({
  next: transform(xs, (x) => x.add(1)),
  indexed: transform(xs, (x, i) => x.mul(i).gt(n)),
  lengths: transform(ys, (y) => length(y)),
  named: transform(ys, () => name),
  big: filter(xs, (x) => x.gt(n)),
  some: exists(ys, (y) => y.eq('a')),
  total: aggregate(xs, lit(0, t.long()), (acc, x) => acc.add(x)),
  text: aggregate(
    xs,
    0,
    (acc, x) => acc.add(x),
    (acc) => acc.cast('string'),
  ),
  pairs: zip_with(xs, ys, (x, y) => x.add(length(y))),
  large: map_filter(m, (k, v) => k.eq('a').and(v.gt(1))),
  texts: transform_values(m, (_k, v) => v.cast('string')),
  sorted: array_sort(ys, (a, b) => length(a).sub(length(b))),
  nested: transform(xs, (x) => transform(xs, (y) => x.mul(y))),
}))
is<
  InferRow<typeof lambdas>,
  {
    next: number[]
    indexed: boolean[]
    lengths: (number | null)[] | null
    named: string[] | null
    big: number[]
    some: boolean | null
    total: bigint | null
    text: string | null
    pairs: (number | null)[] | null
    large: Map<string, number>
    texts: Map<string, string>
    sorted: (string | null)[] | null
    nested: number[][]
  }
>(true)
frame.select(({ xs }) => ({
  // @ts-expect-error an element is a number, which has no startsWith
  z: transform(xs, (x) => x.startsWith('a')),
}))
frame.select(({ xs }) => ({
  // @ts-expect-error a condition is a boolean
  z: filter(xs, (x) => x.add(1)),
}))
frame.select(({ n }) => ({
  // @ts-expect-error transform of a number
  z: transform(n, (x) => x),
}))
const untyped = frame.select(() => ({ z: transform(col('xs'), (x) => x.add(1)), f: filter(col('xs'), (x) => x.gt(1)) }))
is<InferRow<typeof untyped>['z'], any[] | null>(true)

// --- arrays
const arrays = frame.select(({ xs, ys, xss, n, day, at }) => ({
  more: array_append(xs, n),
  compact: array_compact(ys),
  flat: flatten(xss),
  numbers: sequence(n, 5),
  days: sequence(day, to_date(lit('2026-01-01')), '1 month'),
  hours: sequence(at, at, '1 hour'),
}))
is<
  InferRow<typeof arrays>,
  {
    more: number[]
    compact: string[] | null
    flat: number[]
    numbers: number[] | null
    days: Temporal.PlainDate[] | null
    hours: Temporal.Instant[] | null
  }
>(true)

// --- intervals and times
const times = frame.select(({ at, day, took, age }) => ({
  twice: took.mul(2),
  half: age.div(2),
  sum: took.add(took),
  later: at.plus(took),
  sooner: day.minus(age),
  moved: day.plus('1 hour'),
  since: at.sub(at),
  days: day.sub(day),
  months: add_months(day, 1),
  between: months_between(at, day),
  text: date_format(at, 'yyyy'),
  made: make_dt_interval(1),
  local: make_timestamp_ntz(2026, 1, 1, 0, 0, 0),
  asText: took.cast('string'),
  longer: took.gt(took),
}))
is<
  InferRow<typeof times>,
  {
    twice: Temporal.Duration
    half: Temporal.Duration | null
    sum: Temporal.Duration
    later: Temporal.Instant
    sooner: Temporal.PlainDate | null
    moved: Temporal.PlainDate | Temporal.Instant | null
    since: Temporal.Duration
    days: Temporal.Duration | null
    months: Temporal.PlainDate | null
    between: number | null
    text: string
    made: Temporal.Duration | null
    local: Temporal.PlainDateTime | null
    asText: string
    longer: boolean
  }
>(true)
frame.select(({ took, age }) => ({
  // @ts-expect-error days and months do not add up
  z: took.add(age),
}))
frame.select(({ took, n }) => ({
  // @ts-expect-error an interval is no number
  z: took.add(n),
}))
// @ts-expect-error no such fields
t.interval('second to day')

// --- structs
const structs = engine.read
  .parquet('x', { s: t.struct({ a: t.int(), b: t.string() }), maybe: t.struct({ a: t.int() }).nullable() })
  .select(({ s, maybe }) => ({
    more: s.withField('c', 1.5),
    other: s.withField('a', 'x'),
    less: s.dropFields('b'),
    maybe: maybe.withField('b', true),
  }))
is<
  InferRow<typeof structs>,
  {
    more: { a: number; b: string; c: number }
    other: { a: string; b: string }
    less: { a: number }
    maybe: { a: number; b: boolean } | null
  }
>(true)
