/** How to test a query without files, clocks or sleeping: `npm run example -- examples/test-a-query.ts`. */
import { count, MemoryStream, millrace, t, window } from 'millrace'
import { addData, checkNewAnswer, startStream, stopStream, testStream } from 'millrace/testing'

const engine = await millrace.local()
const clicks = new MemoryStream(engine, { user: t.string(), at: t.timestamp() })
const at = (time: string) => new Date(`2026-01-01T${time}Z`)

const perMinute = clicks
  .toDF()
  .withWatermark('at', '1 minute')
  .groupBy(({ at }) => ({ minute: window(at, '1 minute') }))
  .agg(() => ({ clicks: count() }))
  .select(({ minute, clicks }) => ({ minute: minute.start, clicks }))

await testStream(perMinute, [
  addData(clicks, { user: 'ann', at: at('12:00:10') }, { user: 'bob', at: at('12:00:50') }),
  // Nothing yet: rows of this minute may still come.
  checkNewAnswer(),
  addData(clicks, { user: 'ann', at: at('12:05:00') }),
  checkNewAnswer({ minute: at('12:00:00'), clicks: 2n }),
  stopStream(),
  startStream(),
  // Too late: the watermark stands at 12:04, before and after a restart.
  addData(clicks, { user: 'bob', at: at('12:00:59') }),
  checkNewAnswer(),
])
await engine.close()
console.log('the query does what it should')
