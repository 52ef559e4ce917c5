/** Clicks joined with a static table, counted by campaign and window, written once each as Parquet: run with `npm run example -- examples/static-join.ts`. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, millrace, sum, t, window } from 'millrace'

const work = await mkdtemp(join(tmpdir(), 'millrace-example-'))
await mkdir(join(work, 'clicks'))
const click = (ad_id: string, event_time: string, price: number | null) =>
  `${JSON.stringify({ ad_id, event_time, event_type: 'view', price })}\n`
await writeFile(join(work, 'clicks/1.json'), click('a1', '2026-01-01T12:00:00Z', 0.25) + click('a2', '2026-01-01T12:04:00Z', null))
await writeFile(join(work, 'clicks/2.json'), click('a1', '2026-01-01T12:09:59Z', 0.5) + click('a3', '2026-01-01T13:00:00Z', 1))

const engine = await millrace.local()
const ads = engine.createDataFrame(
  [
    { ad_id: 'a1', campaign_id: 'spring' },
    { ad_id: 'a2', campaign_id: 'spring' },
    { ad_id: 'a3', campaign_id: 'summer' },
  ],
  { ad_id: t.string(), campaign_id: t.string() },
)
const clicks = engine.readStream
  .schema({ ad_id: t.string(), event_type: t.string(), event_time: t.timestamp(), price: t.double().nullable() })
  .option('maxFilesPerTrigger', 1)
  .json(join(work, 'clicks'))

const perCampaign = clicks
  .where(({ event_type }) => event_type.eq('view'))
  .withWatermark('event_time', '30 minutes')
  .join(ads, 'ad_id')
  .groupBy(({ event_time, campaign_id }) => ({ window: window(event_time, '10 minutes'), campaign_id }))
  .agg(({ price }) => ({ views: count(), revenue: sum(price) }))

const query = await perCampaign.writeStream
  .queryName('campaigns')
  .trigger({ availableNow: true })
  .option('checkpointLocation', join(work, 'checkpoint'))
  .format('parquet')
  .start(join(work, 'out'))
await query.awaitTermination()

// The window from 12:00 is closed: the watermark stands at 12:30. The one from 13:00 waits for more.
await (await engine.read.parquet(join(work, 'out'))).show(20, false)
await engine.close()
