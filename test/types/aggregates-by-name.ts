// Aggregates given as named columns, as PySpark has them.
import { col, count, max, sum, window } from '../../src/api/functions.ts'
import type { InferRow } from '../../src/index.ts'
import { clicks } from './queries.ts'

const byAd = clicks.groupBy('ad_id').agg(count().as('n'), max(col('price')).as('top'))
export const row: { ad_id: string; n: bigint } = null as unknown as Pick<InferRow<typeof byAd>, 'ad_id' | 'n'>
byAd.select('n', 'top', 'ad_id')
// @ts-expect-error no such column
byAd.select('missing')
byAd.writeStream.outputMode('update').start()
// @ts-expect-error append after an aggregation without watermark
byAd.writeStream.start()
clicks
  .withWatermark('event_time', '1 minute')
  .groupBy(({ event_time }) => ({ w: window(event_time, '1 minute') }))
  .agg(count().as('n'))
  .writeStream.start()
const all = clicks.agg(count().as('n'), sum(col('price')).as('total'))
all.select('total')
// @ts-expect-error a column without a name has none in the types: name it with as(…)
clicks.groupBy('ad_id').agg(count())
// @ts-expect-error not a column
clicks.groupBy('ad_id').agg('n')
