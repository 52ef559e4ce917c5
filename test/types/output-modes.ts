import { coalesce, count, date_trunc, session_window, sum, when, window, window_time } from '../../src/api/functions.ts'
import { ads, clicks, perCampaign } from './queries.ts'

const marked = clicks.withWatermark('event_time', '1 minute')
const noMark = clicks.groupBy('ad_id').count()

// --- the default mode, append, is checked by start()
clicks.writeStream.start('out')
perCampaign.writeStream.start('out')
// @ts-expect-error append after an aggregation without watermark
noMark.writeStream.start('out')
// @ts-expect-error also behind options, triggers and formats
noMark.writeStream.format('parquet').option('a', 1).trigger({ availableNow: true }).queryName('q').start('out')
// @ts-expect-error also into foreachBatch
noMark.writeStream.foreachBatch(async () => {}).start()
noMark.writeStream.outputMode('update').format('console').start()
noMark.writeStream.format('console').outputMode('complete').start()
// @ts-expect-error the last outputMode counts
noMark.writeStream.outputMode('update').outputMode('append').start()

// --- modes by what the query is made of
perCampaign.writeStream.outputMode('append').start()
perCampaign.writeStream.outputMode('complete').start()
perCampaign.writeStream.outputMode('update').start()
clicks.writeStream.outputMode('append')
clicks.writeStream.outputMode('update')
// @ts-expect-error complete without an aggregation
clicks.writeStream.outputMode('complete')
noMark.writeStream.outputMode('complete')
// @ts-expect-error append after an aggregation without watermark
noMark.writeStream.outputMode('append')
// @ts-expect-error a misspelt mode
perCampaign.writeStream.outputMode('apend')
// @ts-expect-error one row over everything has no event time
marked.agg(() => ({ n: count() })).writeStream.start()

// --- the watermark follows its column
const otherKey = marked.groupBy('ad_id').count()
// @ts-expect-error there is a watermark, but not on a grouping key
otherKey.writeStream.outputMode('append')
marked.groupBy('event_time').count().writeStream.outputMode('append')
marked
  .withColumnRenamed('event_time', 'ts')
  .select('ts', 'ad_id')
  .join(ads, 'ad_id')
  .groupBy(({ ts }) => ({ w: window(ts, '1 minute') }))
  .count()
  .writeStream.start()
// window_time of a marked window is an event time too
marked
  .select(({ event_time }) => ({ w: window(event_time, '1 minute') }))
  .groupBy(({ w }) => ({ at: window_time(w) }))
  .count()
  .writeStream.start()
// sessions may still grow into one: no update mode
const sessions = marked.groupBy(({ event_time, ad_id }) => ({ s: session_window(event_time, '5 minutes'), ad_id })).count()
sessions.writeStream.start()
sessions.writeStream.outputMode('append')
sessions.writeStream.outputMode('complete')
// @ts-expect-error sessions in update mode
sessions.writeStream.outputMode('update')
const unmarked = clicks.groupBy(({ event_time, ad_id }) => ({ s: session_window(event_time, '5 minutes'), ad_id })).count()
unmarked.writeStream.outputMode('complete')
// @ts-expect-error append without a watermark
unmarked.writeStream.start()
// @ts-expect-error update without a watermark
unmarked.writeStream.outputMode('update')
// a session is an event time for the steps above
sessions
  .groupBy(({ s }) => ({ w: window(s, '1 hour') }))
  .agg(({ count: n }) => ({ n: sum(n) }))
  .writeStream.start()
sessions.select(({ s }) => ({ start: s.start, last: window_time(s) }))
// @ts-expect-error a gap is text or an interval
clicks.groupBy(({ event_time, price }) => ({ s: session_window(event_time, price) }))
// @ts-expect-error a session begins with a time
clicks.groupBy(({ ad_id }) => ({ s: session_window(ad_id, '5 minutes') }))

// arithmetic loses it
const lost = marked
  .withColumn('event_time', ({ event_time }) => date_trunc('hour', event_time))
  .groupBy('event_time')
  .count()
// @ts-expect-error the derived column carries no watermark
lost.writeStream.outputMode('append')

// so does every function but window and window_time
function computedColumns() {
  const computed = marked
    .withColumn('event_time', ({ event_time }) => coalesce(event_time, new Date(0)))
    .groupBy('event_time')
    .count()
  // @ts-expect-error a computed column carries no watermark
  computed.writeStream.start()
  const chosen = marked
    .withColumn('event_time', ({ event_time, price }) => when(price.gt(1), event_time).otherwise(event_time))
    .groupBy('event_time')
    .count()
  // @ts-expect-error a computed column carries no watermark
  chosen.writeStream.start()
  const cast = marked
    .withColumn('event_time', ({ event_time }) => event_time.cast('timestamp'))
    .groupBy('event_time')
    .count()
  // @ts-expect-error a computed column carries no watermark
  cast.writeStream.start()
}
computedColumns()

// --- several stateful steps
const chained = perCampaign.groupBy('window').agg(({ views }) => ({ v: sum(views) }))
chained.writeStream.outputMode('append')
// @ts-expect-error two stateful steps
chained.writeStream.outputMode('complete')
noMark.dropDuplicates(['count']).writeStream.outputMode('update')
// @ts-expect-error its keys are remembered by the watermark, which the aggregation may be behind
noMark.dropDuplicatesWithinWatermark(['count']).writeStream.outputMode('update')

// --- sorting
noMark.orderBy('count').writeStream.outputMode('complete').start()
noMark.orderBy('count').limit(3).writeStream.outputMode('complete').start()
// @ts-expect-error sorted needs complete
noMark.orderBy('count').writeStream.outputMode('update')
// @ts-expect-error a stream of rows has no order
clicks.orderBy('ad_id').writeStream.start()
clicks.limit(3).writeStream.start()
// @ts-expect-error limit does not go with update
clicks.limit(3).writeStream.outputMode('update')

// --- two streams
clicks.join(clicks.select('ad_id'), 'ad_id').writeStream.outputMode('update')
// @ts-expect-error outer joins of two streams only append
clicks.join(clicks.select('ad_id'), 'ad_id', 'left').writeStream.outputMode('update')
