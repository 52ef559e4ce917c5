import type { Temporal } from 'temporal-polyfill'
import type { InferRow } from '../../src/api/frame-types.ts'
import { coalesce, col, count, length, lit, sum, upper, when, window } from '../../src/api/functions.ts'
import { t } from '../../src/api/types.ts'
import type { Decimal } from '../../src/data/decimal.ts'
import { ads, clicks, engine, is, numbers, type perCampaign } from './queries.ts'

// --- the example of the design
is<
  InferRow<typeof perCampaign>,
  { window: { start: Temporal.Instant; end: Temporal.Instant }; campaign_id: string | null; views: bigint; revenue: number | null }
>(true)

// --- names
clicks.select('ad_id', 'price')
// @ts-expect-error unknown column
clicks.select('ad_id', 'prize')
// @ts-expect-error unknown column
clicks.drop('nope')
// @ts-expect-error unknown column in a callback
clicks.where(({ prize }) => prize.gt(1))
// @ts-expect-error unknown grouping key
clicks.groupBy('campaign')
// @ts-expect-error unknown column
clicks.withColumnRenamed('nope', 'x')
const dropped = clicks.drop('tags', 'props', 'geo')
is<keyof InferRow<typeof dropped>, 'ad_id' | 'event_type' | 'event_time' | 'price'>(true)
// @ts-expect-error the dropped column is gone
dropped.select('tags')
const renamed = clicks.select('ad_id', 'price').withColumnRenamed('price', 'amount')
is<InferRow<typeof renamed>, { ad_id: string; amount: number | null }>(true)
const asNamed = clicks.select('ad_id', col('price').cast('long').as('cents'))
is<keyof InferRow<typeof asNamed>, 'ad_id' | 'cents'>(true)
const spread = ads.select((c) => ({ ...c, n: length(c.ad_id) }))
is<InferRow<typeof spread>, { ad_id: string; campaign_id: string; n: number }>(true)

// --- all fields of a struct, all columns
const expanded = clicks.select('ad_id', 'geo.*')
is<InferRow<typeof expanded>, { ad_id: string; lat: number; lon: number }>(true)
const everything = clicks.select('*', 'geo.*')
is<keyof InferRow<typeof everything>, keyof InferRow<typeof clicks> | 'lat' | 'lon'>(true)
const windowed = clicks.groupBy(({ event_time }) => ({ w: window(event_time, '1 minute') })).agg(() => ({ n: count() }))
const ends = windowed.select('w.*', 'n', col('n').cast('int').as('m'))
is<InferRow<typeof ends>, { start: Temporal.Instant; end: Temporal.Instant; n: bigint; m: number | null }>(true)
const maybe = clicks.select((c) => ({ who: c.ad_id, at: when(c.price.gt(1), c.geo) }))
const fromNull = maybe.select('who', 'at.*')
is<InferRow<typeof fromNull>, { who: string; lat: number | null; lon: number | null }>(true)
// @ts-expect-error a string has no fields
clicks.select('ad_id.*')
// @ts-expect-error no such column
clicks.select('place.*')
// @ts-expect-error the struct is one column of the result no more
clicks.select('geo.*').select('geo')

// --- operands
// @ts-expect-error no arithmetic on strings
clicks.withColumn('x', ({ event_type }) => event_type.mul(2))
// @ts-expect-error a string column and a number
clicks.where(({ event_type }) => event_type.eq(1))
// @ts-expect-error a numeric column and a string
clicks.where(({ price }) => price.gt('1'))
// @ts-expect-error where wants a boolean
clicks.where(({ price }) => price.mul(2))
// @ts-expect-error sum wants a number
clicks.groupBy('ad_id').agg(({ event_type }) => ({ s: sum(event_type) }))
// @ts-expect-error unknown SQL type
clicks.withColumn('x', ({ price }) => price.cast('lnog'))
// @ts-expect-error upper wants a string
clicks.withColumn('x', ({ price }) => upper(price))
// @ts-expect-error a time and a number
clicks.where(({ event_time }) => event_time.gt(5))
clicks.where(({ event_time }) => event_time.gt(new Date()).and(event_time.lt('2030-01-01')))
clicks.where(({ price, ad_id, event_type }) => price.gt(1).and(ad_id.eq(event_type)).or(lit(true)))

// --- nullability
const mixed = clicks.select(({ price, ad_id, event_type }) => ({
  a: price.mul(2),
  b: price.cast('long'),
  c: length(ad_id).mul(3n),
  d: coalesce(price, 0),
  e: ad_id.eq(event_type),
  f: price.isNull(),
  g: when(price.gt(1), ad_id).otherwise(null),
  h: length(ad_id).add(length(ad_id).cast('long')),
  i: length(ad_id).div(2),
  j: ad_id.eqNullSafe(null),
  k: ad_id.isin('a', 'b'),
  l: when(price.gt(1), 1).when(price.gt(2), 2n).otherwise(3),
  m: ad_id.try_cast('int'),
}))
is<
  InferRow<typeof mixed>,
  {
    a: number | null
    b: bigint | null
    c: bigint
    d: number
    e: boolean
    f: boolean
    g: string | null
    h: bigint
    i: number | null
    j: boolean
    k: boolean
    l: bigint
    m: number | null
  }
>(true)

// --- numbers: the wider operand wins, an int literal is an int
const arithmetic = numbers.select(({ b, s, i, l, f, d, m, ni }) => ({
  bs: b.add(s),
  bb: b.mul(b),
  si: s.add(1),
  il: i.add(l),
  ibig: i.add(3n),
  large: i.add(3000000000),
  half: i.add(1.5),
  ff: f.add(f),
  fi: f.add(i),
  md: m.add(d),
  mi: m.add(i),
  div: i.div(l),
  mod: i.mod(2),
  n: ni.add(1),
  neg: s.neg(),
  mdiv: m.div(i),
}))
is<
  InferRow<typeof arithmetic>,
  {
    bs: number
    bb: number
    si: number
    il: bigint
    ibig: bigint
    large: bigint
    half: number
    ff: number
    fi: number
    md: number
    mi: Decimal
    div: number | null
    mod: number | null
    n: number | null
    neg: number
    mdiv: Decimal | null
  }
>(true)

// --- literals
const literals = ads.select(() => ({
  int: lit(1),
  max: lit(2147483647),
  over: lit(2147483648),
  min: lit(-2147483648),
  under: lit(-2147483649),
  safe: lit(9007199254740991),
  past: lit(9007199254740993),
  fraction: lit(1.5),
  big: lit(1n),
  text: lit('x'),
  yes: lit(true),
  at: lit(new Date()),
  said: lit(1, t.double()),
  nothing: lit(null),
}))
is<
  InferRow<typeof literals>,
  {
    int: number
    max: number
    over: bigint
    min: number
    under: bigint
    safe: bigint
    past: number
    fraction: number
    big: bigint
    text: string
    yes: boolean
    at: Temporal.Instant
    said: number
    nothing: null
  }
>(true)
declare const unknownNumber: number
is<ReturnType<typeof litOfUnknown>['at0'], number | bigint>(true)
function litOfUnknown() {
  return { at0: undefined as unknown as InferRow<ReturnType<typeof frameOfUnknown>>['n'] }
}
function frameOfUnknown() {
  return ads.select(() => ({ n: lit(unknownNumber) }))
}

// --- types of values
is<
  InferRow<typeof numbers>,
  {
    b: number
    s: number
    i: number
    l: bigint
    f: number
    d: number
    m: Decimal
    ni: number | null
    day: Temporal.PlainDate
    wall: Temporal.PlainDateTime
    bin: Uint8Array
  }
>(true)
const nested = engine.read.json('x', {
  m: t.map(t.string(), t.long().nullable()),
  a: t.array(t.struct({ x: t.int() })),
  o: t.struct({ p: t.string().nullable() }).nullable(),
})
is<InferRow<typeof nested>, { m: Map<string, bigint | null>; a: { x: number }[]; o: { p: string | null } | null }>(true)

// --- rows given by the program
const local = engine.createDataFrame(
  [
    { id: 1, at: '2020-01-01T00:00:00Z', note: null },
    { id: 2n, at: new Date() },
  ],
  { id: t.long(), at: t.timestamp(), note: t.string().nullable() },
)
is<InferRow<typeof local>, { id: bigint; at: Temporal.Instant; note: string | null }>(true)
// @ts-expect-error id is missing
engine.createDataFrame([{ at: new Date() }], { id: t.long(), at: t.timestamp() })
// @ts-expect-error id is no text
engine.createDataFrame([{ id: 'x' }], { id: t.long() })
