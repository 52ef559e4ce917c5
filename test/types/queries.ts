// The queries that the type tests of this folder look at. Checked by tsc only; nothing here runs.
import { count, sum, window } from '../../src/api/functions.ts'
import type { Session } from '../../src/api/session.ts'
import { t } from '../../src/api/types.ts'

export declare const engine: Session

/** Whether two types are the same, to the letter. */
export type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false
export const is = <A, B>(_: Equal<A, B>) => {}

export const clicks = engine.readStream
  .schema({
    ad_id: t.string(),
    event_type: t.string(),
    event_time: t.timestamp(),
    price: t.double().nullable(),
    tags: t.array(t.string()),
    props: t.map(t.string(), t.string()),
    geo: t.struct({ lat: t.double(), lon: t.double() }),
  })
  .option('maxFilesPerTrigger', 100)
  .json('in/')
export const ads = engine.read.parquet('ads.parquet', { ad_id: t.string(), campaign_id: t.string() })
export const numbers = engine.read.parquet('numbers', {
  b: t.byte(),
  s: t.short(),
  i: t.int(),
  l: t.long(),
  f: t.float(),
  d: t.double(),
  m: t.decimal(10, 2),
  ni: t.int().nullable(),
  day: t.date(),
  wall: t.timestamp_ntz(),
  bin: t.binary(),
})
export const perCampaign = clicks
  .where(({ event_type }) => event_type.eq('view'))
  .withColumn('cents', ({ price }) => price.mul(100).cast('long'))
  .withWatermark('event_time', '30 minutes')
  .join(ads, 'ad_id', 'left')
  .groupBy(({ event_time, campaign_id }) => ({ window: window(event_time, '10 minutes'), campaign_id }))
  .agg(({ price }) => ({ views: count(), revenue: sum(price) }))
