import type { Temporal } from 'temporal-polyfill'
import type { InferRow } from '../../src/api/frame-types.ts'
import { count, session_window, window } from '../../src/api/functions.ts'
import { t } from '../../src/api/types.ts'
import { clicks, engine, is } from './queries.ts'

const impressions = engine.readStream
  .schema({ ad: t.string(), shown: t.timestamp(), campaign: t.string().nullable() })
  .json('impressions/')
  .withWatermark('shown', '10 minutes')
const marked = clicks.withWatermark('event_time', '10 minutes').select('ad_id', 'event_time', 'price')

// --- columns and nulls, by the kind of the join
const inner = impressions.join(marked, (i, c) => i.ad.eq(c.ad_id).and(c.event_time.between(i.shown, i.shown.plus('1 hour'))))
is<
  InferRow<typeof inner>,
  {
    ad: string
    shown: Temporal.Instant
    campaign: string | null
    ad_id: string
    event_time: Temporal.Instant
    price: number | null
  }
>(true)
const left = impressions.join(marked, (i, c) => i.ad.eq(c.ad_id).and(c.event_time.geq(i.shown)), 'left')
is<InferRow<typeof left>['ad_id'], string | null>(true)
is<InferRow<typeof left>['ad'], string>(true)
const right = impressions.join(marked, (i, c) => i.ad.eq(c.ad_id), 'right_outer')
is<InferRow<typeof right>['ad'], string | null>(true)
is<InferRow<typeof right>['ad_id'], string>(true)
const full = impressions.join(marked, (i, c) => i.ad.eq(c.ad_id), 'full')
is<InferRow<typeof full>['ad'], string | null>(true)
is<InferRow<typeof full>['ad_id'], string | null>(true)
const semi = impressions.join(marked, (i, c) => i.ad.eq(c.ad_id), 'semi')
is<InferRow<typeof semi>, { ad: string; shown: Temporal.Instant; campaign: string | null }>(true)
// @ts-expect-error a left anti join of two streams would never know that nothing comes
impressions.join(marked, (i, c) => i.ad.eq(c.ad_id), 'anti')
// @ts-expect-error a column that the other side has not
impressions.join(marked, (i, c) => i.ad.eq(c.ad))
// @ts-expect-error text and a time are never equal
impressions.join(marked, (i, c) => i.ad.eq(c.event_time))

// --- output modes
inner.writeStream.start()
inner.writeStream.outputMode('update')
semi.writeStream.outputMode('update')
// @ts-expect-error pairs are not kept
inner.writeStream.outputMode('complete')
left.writeStream.start()
// @ts-expect-error an unmatched row comes once, when nothing can match it any more
left.writeStream.outputMode('update')
// @ts-expect-error the same for the right side
right.writeStream.outputMode('update')
// @ts-expect-error and for both
full.writeStream.outputMode('update')

// --- what comes above a join
const perCampaign = inner.groupBy(({ shown, campaign }) => ({ w: window(shown, '1 hour'), campaign })).agg(() => ({ n: count() }))
perCampaign.writeStream.start()
const visits = inner.groupBy(({ event_time, ad }) => ({ visit: session_window(event_time, '30 minutes'), ad })).count()
visits.writeStream.start()
// @ts-expect-error sessions have no update mode above a join either
visits.writeStream.outputMode('update')
const outerCounts = left.groupBy(({ shown }) => ({ w: window(shown, '1 hour') })).count()
outerCounts.writeStream.start()
// @ts-expect-error several steps with state are for append mode
outerCounts.writeStream.outputMode('update')

// --- by a window of each side
const byWindow = (frame: typeof marked) =>
  frame.select(({ ad_id, event_time, price }) => ({ ad_id, w: window(event_time, '10 minutes'), price }))
const windowed = byWindow(marked).join(byWindow(marked).withColumnRenamed('price', 'other'), ['ad_id', 'w'], 'left')
is<InferRow<typeof windowed>['w'], { start: Temporal.Instant; end: Temporal.Instant }>(true)
is<InferRow<typeof windowed>['other'], number | null>(true)
windowed.writeStream.start()
// @ts-expect-error a column that one side has not
byWindow(marked).join(marked, ['ad_id', 'w'])
