import {
  col,
  count,
  type DataFrame,
  type Engine,
  from_json,
  lit,
  max,
  type StreamFrame,
  struct,
  sum,
  t,
  timestamp_millis,
  to_json,
  window,
} from 'millrace'
import 'millrace/delta'
import 'millrace/kafka'

/** What the demo sends: views of pages, as JSON. */
const view = t.struct({ page: t.string().nullable(), at: t.long().nullable(), ms: t.long().nullable() })
const output = { minute: t.timestamp(), page: t.string(), views: t.long(), total_ms: t.long(), slowest_ms: t.long() }

export const viewsTopic = 'views'
export const outputTopic = 'views-per-minute'
export const viewsTotal = 400_000
const firstMs = Date.UTC(2026, 0, 1, 12)
/** A hundred views a second in event time. */
const spacingMs = 10
/** Far behind the last view: a view from here closes every window before it. */
export const closingMs = Date.UTC(2030, 0, 1)

export function viewText(i: number): string {
  // some come up to ten seconds late
  const at = firstMs + i * spacingMs - ((i * 7919) % 10_000)
  return JSON.stringify({ page: `/page/${(i * 31) % 40}`, at, ms: (i * 7919) % 1000 })
}
export const closingText = JSON.stringify({ page: '/closing', at: closingMs, ms: 0 })

/** Views, their time and the slowest of them, for each page and minute. */
export function viewsAsStream(engine: Engine, bootstrap: string) {
  const options = { subscribe: viewsTopic, startingOffsets: 'earliest', maxOffsetsPerTrigger: 20_000 }
  return perMinute(parsed(engine.readStream.format('kafka').option('kafka.bootstrap.servers', bootstrap).options(options).load()))
}
/** The same, once over all that is in the topic. */
export async function viewsAsBatch(engine: Engine, bootstrap: string) {
  const records = await engine.read.format('kafka').option('kafka.bootstrap.servers', bootstrap).option('subscribe', viewsTopic).load()
  // One text for both: the compiler follows it as a stream, and a batch has the same operations.
  const views = parsed(records as unknown as StreamFrame<KafkaRecords>).where(({ at }) => at.lt(timestamp_millis(lit(BigInt(closingMs)))))
  return perMinute(views) as unknown as DataFrame<Output>
}

/** Each row as a record with the page for its key, and as JSON. */
export function asRecords(rows: ReturnType<typeof viewsAsStream>) {
  const value = to_json(struct(col('minute').cast('string').as('minute'), col('page'), col('views'), col('total_ms'), col('slowest_ms')))
  return rows.select(col('page').cast('binary').as('key'), value.cast('binary').as('value'))
}
/** What stands in the output topic, as a consumer that reads committed records only sees it. */
export async function readRecords(engine: Engine, bootstrap: string) {
  const options = { 'kafka.bootstrap.servers': bootstrap, 'kafka.isolation.level': 'read_committed', subscribe: outputTopic }
  const row = t.struct({ ...output, minute: t.string() })
  const records = await engine.read.format('kafka').options(options).load()
  return records
    .select(from_json(col('value').cast('string'), row).as('row'))
    .selectExpr('CAST(row.minute AS TIMESTAMP) AS minute', 'row.page', 'row.views', 'row.total_ms', 'row.slowest_ms')
}

type Output = ReturnType<typeof perMinute> extends StreamFrame<infer S, 'aggregated'> ? S : never
type KafkaRecords = { value: 'binary' | null }

function parsed(records: StreamFrame<KafkaRecords>) {
  return records
    .select(({ value }) => ({ view: from_json(value.cast('string'), view) }))
    .select(({ view }) => ({ page: view.getField('page'), at: timestamp_millis(view.getField('at')), ms: view.getField('ms') }))
}
function perMinute(views: ReturnType<typeof parsed>) {
  return views
    .withWatermark('at', '2 minutes')
    .groupBy(({ at, page }) => ({ minute: window(at, '1 minute'), page }))
    .agg(({ ms }) => ({ views: count(), total_ms: sum(ms), slowest_ms: max(ms) }))
    .select(({ minute, page, views, total_ms, slowest_ms }) => ({ minute: minute.start, page, views, total_ms, slowest_ms }))
}
