import type { Temporal } from 'temporal-polyfill'
import type { DataFrame, InferRow } from '../../src/api/frame-types.ts'
import { count, max, sum, window } from '../../src/api/functions.ts'
import { broadcast } from '../../src/api/hints.ts'
import { Observation } from '../../src/api/observation.ts'
import { t } from '../../src/api/types.ts'
import { column_udf, udf } from '../../src/api/user-functions.ts'
import { ads, clicks, engine, is } from './queries.ts'

const sales = engine.read.parquet('x', {
  shop: t.string(),
  year: t.int(),
  item: t.string().nullable(),
  amount: t.double().nullable(),
  at: t.timestamp(),
})
const longs = engine.read.parquet('y', { shop: t.string(), year: t.long() })

// --- sets
is<InferRow<ReturnType<typeof both>>, { shop: string; year: bigint }>(true)
function both() {
  return sales.select('shop', 'year').intersect(longs)
}
// @ts-expect-error a column is missing on the other side
sales.intersect(longs)
// @ts-expect-error intersect needs a table on both sides
clicks.intersect(ads)
// @ts-expect-error a stream can't be on the right
ads.except(clicks)
clicks.select('ad_id').except(ads.select('ad_id')).writeStream.outputMode('update').start()
// @ts-expect-error no exceptAll of a stream
clicks.exceptAll(ads)

// --- unionByName
const named = sales.select('year', 'shop').unionByName(longs)
is<InferRow<typeof named>, { year: bigint; shop: string }>(true)
const missing = sales.select('shop', 'amount').unionByName(longs, true)
is<InferRow<typeof missing>, { shop: string; amount: number | null; year: bigint | null }>(true)
// @ts-expect-error a column of the left is missing, and that is not allowed
sales.unionByName(longs)

// --- only tables
// @ts-expect-error no sample of a stream
clicks.sample(0.5)
// @ts-expect-error no offset of a stream
clicks.offset(1)
// @ts-expect-error no toLocalIterator of a stream
clicks.toLocalIterator()
// @ts-expect-error no describe of a stream
clicks.describe()
const [train, test] = sales.randomSplit([0.8, 0.2], 1)
is<InferRow<typeof train>, InferRow<typeof sales>>(true)
is<InferRow<typeof test>, InferRow<typeof sales>>(true)
// @ts-expect-error two weights, two parts
sales.randomSplit([1, 2])[2]

// --- grouping sets
const rolled = sales.rollup('shop', 'year').agg(({ amount }) => ({ total: sum(amount), n: count() }))
is<InferRow<typeof rolled>, { shop: string | null; year: number | null; total: number | null; n: bigint }>(true)
const cubed = sales.cube(({ shop }) => ({ s: shop })).count()
is<InferRow<typeof cubed>, { s: string | null; count: bigint }>(true)
clicks.rollup('ad_id').count().writeStream.outputMode('update')
// @ts-expect-error no event time with a watermark among the keys
clicks.rollup('ad_id').count().writeStream.outputMode('append')
// @ts-expect-error a misspelt key
sales.rollup('shopp')
// @ts-expect-error a set of something that is no key
sales.groupingSets([['item']], 'shop')

// --- aggregates by words
const words = sales.groupBy('shop').agg({ amount: 'sum', '*': 'count', year: 'mean', item: 'max' })
is<
  InferRow<typeof words>,
  { shop: string; 'sum(amount)': number | null; 'count(1)': bigint; 'avg(year)': number | null; 'max(item)': string | null }
>(true)
// @ts-expect-error no sum of text
sales.groupBy('shop').agg({ item: 'sum' })
const sums = sales.groupBy('shop').sum()
is<InferRow<typeof sums>, { shop: string; 'sum(year)': bigint | null; 'sum(amount)': number | null }>(true)

// --- pivot
const pivoted = sales.groupBy('shop').pivot('item', ['x', 'y']).sum('amount')
is<InferRow<typeof pivoted>, { shop: string; x: number | null; y: number | null }>(true)
const several = sales
  .groupBy('shop')
  .pivot('year', [2020, 2021])
  .agg(({ amount }) => ({ s: sum(amount), n: count() }))
is<
  InferRow<typeof several>,
  { shop: string; '2020_s': number | null; '2021_s': number | null; '2020_n': bigint | null; '2021_n': bigint | null }
>(true)
const one = sales
  .groupBy('shop')
  .pivot('year', [2020])
  .agg(({ at }) => ({ last: max(at) }))
is<InferRow<typeof one>, { shop: string; '2020': Temporal.Instant | null }>(true)
// @ts-expect-error a misspelt column
sales.groupBy('shop').pivot('itm', ['x'])
// @ts-expect-error without values the pivot has to be awaited
sales.groupBy('shop').pivot('item').sum('amount')

// --- unpivot
const long = sales.unpivot(['shop'], ['year', 'amount'], 'name', 'value')
is<InferRow<typeof long>, { shop: string; name: string; value: number | null }>(true)
const melted = sales.select('shop', 'year').melt(['shop'], null, 'name', 'value')
is<InferRow<typeof melted>, { shop: string; name: string; value: number }>(true)
clicks.unpivot(['ad_id'], ['price'], 'name', 'value').writeStream.start()
// @ts-expect-error a misspelt value column
sales.unpivot(['shop'], ['yeer'], 'name', 'value')

// --- missing values
const filled = sales.fillna(0)
is<InferRow<typeof filled>, { shop: string; year: number; item: string | null; amount: number; at: Temporal.Instant }>(true)
const filledBy = sales.na.fill({ item: 'none' }).select('item', 'amount')
is<InferRow<typeof filledBy>, { item: string; amount: number | null }>(true)
const filledSome = sales.fillna('none', ['shop']).select('item')
is<InferRow<typeof filledSome>, { item: string | null }>(true)
// @ts-expect-error a number for text
sales.fillna({ item: 0 })
// @ts-expect-error a misspelt column
sales.fillna(0, ['amuont'])
const dropped = sales.dropna().select('item', 'amount')
is<InferRow<typeof dropped>, { item: string; amount: number }>(true)
const droppedSome = sales.dropna({ subset: ['item'] }).select('item', 'amount')
is<InferRow<typeof droppedSome>, { item: string; amount: number | null }>(true)
const droppedAll = sales.dropna('all').select('item')
is<InferRow<typeof droppedAll>, { item: string | null }>(true)
const droppedThresh = sales.dropna({ thresh: 2 }).select('item')
is<InferRow<typeof droppedThresh>, { item: string | null }>(true)
const replaced = sales.replace({ x: null }).select('shop', 'year')
is<InferRow<typeof replaced>, { shop: string | null; year: number }>(true)
const kept = sales.replace(1, 2)
is<InferRow<typeof kept>, InferRow<typeof sales>>(true)
// @ts-expect-error a number by text
sales.replace(1, 'a')

// --- names
const renamed = sales.select('shop', 'year').withColumnsRenamed({ shop: 's' })
is<InferRow<typeof renamed>, { s: string; year: number }>(true)
// @ts-expect-error a misspelt column
sales.withColumnsRenamed({ shopp: 's' })
const transformed = sales.transform((frame, least: number) => frame.where(({ year }) => year.gt(least)).select('year'), 2020)
is<InferRow<typeof transformed>, { year: number }>(true)
// @ts-expect-error the function's own argument is missing
sales.transform((frame, least: number) => frame.where(({ year }) => year.gt(least)))
const sent: DataFrame<{ ad_id: 'string'; campaign_id: 'string' }> = broadcast(ads).hint('broadcast').cache().repartition(3, 'ad_id')
is<InferRow<typeof sent>, InferRow<typeof ads>>(true)
// a hint keeps a stream a stream, with its modes
clicks.hint('broadcast').repartition(2).writeStream.start()

// --- statistics
const described = sales.describe('amount')
is<InferRow<typeof described>, { summary: string; amount: string | null }>(true)
// @ts-expect-error no correlation of text
sales.corr('shop', 'amount')
// @ts-expect-error no quantile of text
sales.approxQuantile('item', [0.5])
const quantile: Promise<number[]> = sales.approxQuantile('amount', [0.5])
void quantile
async function frequent() {
  return sales.freqItems(['item'])
}
is<InferRow<Awaited<ReturnType<typeof frequent>>>, { item_freqItems: (string | null)[] }>(true)

// --- rows one by one
async function iterate() {
  for await (const row of sales.select('year').toLocalIterator()) is<typeof row, { year: number }>(true)
  const head = await sales.select('year').head()
  is<typeof head, { year: number } | null>(true)
  const heads = await sales.select('year').head(2)
  is<typeof heads, { year: number }[]>(true)
  await sales.foreach(({ item }) => is<typeof item, string | null>(true))
}
void iterate

// --- observe
const watched = clicks
  .withWatermark('event_time', '1 minute')
  .observe('m', ({ price }) => ({ n: count(), top: max(price) }))
  .groupBy(({ event_time }) => ({ w: window(event_time, '1 minute') }))
  .count()
// the mark of the watermark goes through
watched.writeStream.start()
// @ts-expect-error a misspelt column
clicks.observe('m', ({ prize }) => ({ top: max(prize) }))
const seen = new Observation<{ n: 'long' }>()
sales.observe(seen, () => ({ n: count() }))
// @ts-expect-error another type than the Observation has
sales.observe(seen, ({ item }) => ({ n: max(item) }))
is<Awaited<ReturnType<typeof seen.get>>, { n: bigint }>(true)

// --- user functions
const cents = udf((price: number) => Math.round(price * 100), t.int())
const orNull = udf((price: number | null) => (price === null ? null : price), t.double().nullable())
const skipping = udf((price: number) => price + 1, t.double(), { nulls: 'skip' })
const called = sales.select(({ year, amount }) => ({ a: cents(year), b: orNull(amount), c: skipping(amount), d: cents(5) }))
is<InferRow<typeof called>, { a: number; b: number | null; c: number | null; d: number }>(true)
// @ts-expect-error a column that may be null for an argument that may not
sales.select(({ amount }) => ({ a: cents(amount) }))
// @ts-expect-error text for a number
sales.select(({ shop }) => ({ a: cents(shop) }))
// @ts-expect-error one argument too many
sales.select(({ year }) => ({ a: cents(year, year) }))
// @ts-expect-error the function gives text, and the type says int
udf((price: number) => String(price), t.int())
// @ts-expect-error the function may give null, and the type says it does not
udf((price: number) => (price > 1 ? price : null), t.double())
const later = udf(async (at: Temporal.Instant) => at.epochMilliseconds, t.long())
const waited = sales.select(({ at }) => ({ ms: later(at) }))
is<InferRow<typeof waited>, { ms: bigint }>(true)
const typed = udf([t.string(), t.long().nullable()], t.string(), (s, n) => {
  is<typeof s, string>(true)
  is<typeof n, bigint | null>(true)
  return `${s}${n}`
})
const twice = longs.select(({ shop, year }) => ({ x: typed(shop, year) }))
is<InferRow<typeof twice>, { x: string }>(true)
const vectors = column_udf([t.double().nullable(), t.string(), t.long()], t.double().nullable(), (price, shop, year, length) => {
  is<typeof price.values, Float64Array>(true)
  is<typeof shop.values, readonly (string | null)[]>(true)
  is<typeof year.values, BigInt64Array>(true)
  is<typeof length, number>(true)
  return { values: price.values, valid: price.valid }
})
const vectored = sales.select(({ amount, shop }) => ({ v: vectors(amount, shop, 5n) }))
is<InferRow<typeof vectored>, { v: number | null }>(true)
// @ts-expect-error a typed array of another type
column_udf([t.double()], t.double(), (price) => new Int32Array(price.length))

// --- joins under Spark's other names
const outer = sales.select('shop', 'year').join(longs, ['shop', 'year'], 'full_outer')
is<InferRow<typeof outer>, { shop: string; year: bigint }>(true)
const semi = sales.select('shop', 'item').join(longs, 'shop', 'left_semi')
is<InferRow<typeof semi>, { shop: string; item: string | null }>(true)
const left = sales.select('shop').join(longs, 'shop', 'leftouter')
is<InferRow<typeof left>, { shop: string; year: bigint | null }>(true)
// @ts-expect-error no such kind of join
sales.join(longs, 'shop', 'sideways')
// @ts-expect-error a stream on the left can't be outer-joined from the right
clicks.join(ads, 'ad_id', 'right_outer')

// --- duplicates
clicks.dropDuplicates(['ad_id']).writeStream.start()
clicks.withWatermark('event_time', '1 minute').dropDuplicatesWithinWatermark(['ad_id']).writeStream.start()
// @ts-expect-error a misspelt column
sales.dropDuplicates(['shopp'])
// @ts-expect-error a table has no watermark to forget by
sales.dropDuplicatesWithinWatermark(['shop'])
