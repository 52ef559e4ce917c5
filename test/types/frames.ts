import type { Temporal } from 'temporal-polyfill'
import type { DataFrame, FrameOps, InferRow, Kind, StreamFrame } from '../../src/api/frame-types.ts'
import { array_contains, col, concat, element_at, lit, map_keys, max, size, struct, sum, upper, window } from '../../src/api/functions.ts'
import { t } from '../../src/api/types.ts'
import { ads, clicks, engine, is, perCampaign } from './queries.ts'

// --- nested values
const nested = clicks.select(({ geo, tags, props, ad_id }) => ({
  lat: geo.lat,
  t0: tags.getItem(0),
  has: array_contains(tags, 'a'),
  p: props.getItem('k'),
  ks: map_keys(props),
  n: size(tags),
  last: element_at(tags, -1),
  v: element_at(props, 'k'),
  ad_id,
  s: struct({ a: ad_id, b: geo.lon }),
}))
is<
  InferRow<typeof nested>,
  {
    lat: number
    t0: string
    has: boolean | null
    p: string | null
    ks: string[]
    n: number
    last: string
    v: string | null
    ad_id: string
    s: { a: string; b: number }
  }
>(true)
// @ts-expect-error unknown struct field
clicks.select(({ geo }) => ({ z: geo.alt }))
// @ts-expect-error size of a number
clicks.select(({ price }) => ({ z: size(price) }))
const nullGeo = engine.read.parquet('x', { g: t.struct({ lat: t.double() }).nullable() }).select(({ g }) => ({ lat: g.lat }))
is<InferRow<typeof nullGeo>, { lat: number | null }>(true)

// --- col(), the untyped way
const un = clicks.filter(col('whatever').gt(3)).withColumn('u', col('dyn').mul(2)).select('ad_id', 'u', col('other'))
is<InferRow<typeof un>, { ad_id: string; u: any; other: any }>(true)
clicks.where(({ price }) => price.gt(col('x')).and(col('b')))
clicks.groupBy('ad_id').agg(() => ({ s: sum(col('x')), m: max(col('y')) }))
clicks.select(() => ({ w: window(col('ts'), '1 minute'), f: col('a').getField('b'), c: concat(col('a'), '-', upper(col('b'))) }))
clicks.join(ads, (l) => l.ad_id.eq(col('r.ad_id')))

// --- batch and stream
ads.collect()
// @ts-expect-error no collect() on a stream
clicks.collect()
// @ts-expect-error no show() on a stream
clicks.show()
// @ts-expect-error no writeStream on a batch
ads.writeStream
// @ts-expect-error no write on a stream
clicks.write
// @ts-expect-error no withWatermark on a column that is no time
clicks.withWatermark('price', '1 minute')
is<InferRow<typeof ads>, { ad_id: string; campaign_id: string }>(true)
// a batch takes withWatermark too: one function can make both
is<InferRow<ReturnType<typeof markedBatch>>, { at: Temporal.Instant }>(true)
function markedBatch() {
  return engine.read.json('x', { at: t.timestamp() }).withWatermark('at', '1 minute')
}

// --- joins
const inner = clicks.join(ads, 'ad_id').select('ad_id', 'campaign_id')
is<InferRow<typeof inner>, { ad_id: string; campaign_id: string }>(true)
const staticLeft = ads.join(clicks, ['ad_id'], 'right').select('campaign_id', 'event_time')
is<InferRow<typeof staticLeft>, { campaign_id: string | null; event_time: Temporal.Instant }>(true)
staticLeft.writeStream.start()
// @ts-expect-error stream with static: right outer is not possible with the stream on the left
clicks.join(ads, 'ad_id', 'right')
// @ts-expect-error stream with static: full outer is never possible
clicks.join(ads, 'ad_id', 'full')
// @ts-expect-error static with stream: left outer is not possible
ads.join(clicks, 'ad_id', 'left')
ads.join(ads.withColumnRenamed('campaign_id', 'c2'), 'ad_id', 'full').collect()
// @ts-expect-error no such column on both sides
clicks.join(ads, 'price')
const ambiguous = clicks.join(clicks.select('ad_id', 'price'), 'ad_id')
// @ts-expect-error price is on both sides
ambiguous.where(({ price }) => price.gt(1))
const semi = clicks.join(ads, 'ad_id', 'semi')
// @ts-expect-error a semi join keeps the left columns only
semi.select('campaign_id')
const fullJoin = ads.join(engine.read.parquet('x', { ad_id: t.string(), n: t.int() }), 'ad_id', 'full')
is<InferRow<typeof fullJoin>, { ad_id: string; campaign_id: string | null; n: number | null }>(true)

// --- replacing keeps the place and takes the new type; adding appends
const put = clicks
  .select('ad_id', 'price')
  .withColumn('price', ({ price }) => price.cast('long'))
  .withColumns(({ ad_id }) => ({ ad_id: size(lit(null)), z: ad_id }))
is<InferRow<typeof put>, { ad_id: number | null; price: bigint | null; z: string }>(true)

// --- union widens
const both = engine.read.json('x', { a: t.int(), b: t.string() }).union(engine.read.json('y', { a: t.long().nullable(), b: t.string() }))
is<InferRow<typeof both>, { a: bigint | null; b: string }>(true)

// --- grouped shortcuts
const sums = clicks.groupBy('ad_id').sum('price')
is<InferRow<typeof sums>['sum(price)'], number | null>(true)
// @ts-expect-error sum of a string column
clicks.groupBy('ad_id').sum('event_type')

// --- foreachBatch gets a batch
perCampaign.writeStream.foreachBatch(async (rows, id) => {
  is<typeof id, bigint>(true)
  const found = await rows.collect()
  found[0]?.window.start
})

// --- generic helpers keep what they are given
function onlyViews<S extends { event_type: 'string' }, K extends Kind>(df: FrameOps<S, K>) {
  return df.filter(col('event_type').eq('view'))
}
onlyViews(clicks).writeStream.start()
const piped = clicks.pipe(onlyViews).select('ad_id')
is<InferRow<typeof piped>, { ad_id: string }>(true)
// a wider frame where a narrower one is declared
const keep = (df: DataFrame<{ ad_id: 'string' }>) => df.select('ad_id')
keep(ads)
const keepStream = (df: StreamFrame<{ ad_id: 'string' }>) => df.select('ad_id')
keepStream(clicks)
const narrow = (df: DataFrame<{ a: 'string' }>) => df.where(({ a }) => a.eq('x'))
narrow(engine.read.parquet('x', { a: t.string(), b: t.double(), c: t.array(t.string()) }))
// @ts-expect-error column a is a double here
narrow(engine.read.parquet('x', { a: t.double() }))
// @ts-expect-error column a is missing
narrow(engine.read.parquet('x', { b: t.double() }))
// @ts-expect-error a stream is no batch
narrow(clicks)

// --- a schema that is not known when compiling
async function unknown() {
  const dyn = await engine.read.parquet('x')
  const out = dyn
    .filter(col('a').gt(1).and(col('b').like('x%')))
    .withColumn('z', col('a').mul(2))
    .groupBy('k')
    .agg(() => ({ s: sum(col('z')) }))
  is<InferRow<typeof out>['s'], any>(true)
  dyn.collect()
  // @ts-expect-error still a batch
  dyn.writeStream
  clicks.join(dyn, 'ad_id')
}
unknown()
const ddl = engine.read.schema('a int').json('x')
ddl.select('whatever')
// a name that is not known when compiling: the schema becomes any instead of lying
const name: string = 'x'
function added() {
  return ads.withColumn(name, lit(1))
}
added().select('anything').collect()

// --- sources with a schema of their own
is<InferRow<ReturnType<typeof rate>>, { timestamp: Temporal.Instant; value: bigint }>(true)
function rate() {
  return engine.readStream.format('rate').option('rowsPerSecond', 10).load()
}
// @ts-expect-error files need a schema
engine.readStream.json('in/')
