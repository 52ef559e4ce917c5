/**
 * How fast does the Yahoo streaming benchmark run from Kafka, with the broker on the same cores? JSON values, a durable checkpoint, and the
 * counts of every campaign and window checked at the end. Then from Kafka to Kafka, exactly once: records a second, and the time of a record. Where SPARK_PYTHON names a Python with pyspark 4.2.0, Spark runs the same query. Needs Java and Maven for the broker (test/kafka); without them it says so.
 */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, type Engine, from_json, millrace, t, timestamp_millis, window } from 'millrace'
import 'millrace/kafka'
import { Broker } from '../test/kafka/broker.ts'
import { installBroker, whyNoBroker } from '../test/kafka/install.ts'
import { createTopic, openCluster } from '../test/kafka/topics.ts'
import { phasesOf } from './kafka/phases.ts'
import { sparkRecordsPerSecond } from './kafka/spark.ts'
import { copyRates, latencies } from './kafka/to-kafka.ts'
import { type Ads, expectedCounts, makeAds, sendEvents } from './kafka-events.ts'
import type { Bench } from './run.ts'

const topic = 'events'

const bench: Bench = async ({ say, short }) => {
  const reason = whyNoBroker()
  if (reason !== undefined) {
    say(`left out: ${reason}`)
    return { skipped: reason }
  }
  installBroker()
  const events = short ? 200_000 : 6_000_000
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-kafka-'))
  const broker = await Broker.start({ tuned: 'throughput', properties: { 'log.segment.bytes': '1073741824' } })
  const engine = await millrace.local()
  try {
    const cluster = await openCluster(broker.bootstrap)
    await createTopic(cluster, topic, 4)
    const ads = makeAds()
    const sentMs = await timed(() => sendEvents(cluster, topic, 4, events))
    await cluster.close()
    say(`${events} events of about 230 bytes, in 4 partitions, sent in ${Math.round(sentMs)} ms`)
    const offsetsPerBatch = short ? 100_000 : 1_000_000
    const rates: number[] = []
    for (let round = 0; round < (short ? 1 : 4); round++) {
      const run = await streamed(engine, broker.bootstrap, ads, join(work, `round-${round}`), offsetsPerBatch)
      check(run.counts, events)
      const rate = Math.round((events * 1000) / run.ms)
      say(
        `${round === 0 ? 'warm-up: ' : ''}${rate} records/s (${Math.round(run.ms)} ms, ${run.batches} batches; ${JSON.stringify(run.phases)})`,
      )
      if (round > 0 || short) rates.push(rate)
    }
    const recordsPerSecond = median(rates)
    const sparks = await sparkRecordsPerSecond(
      { bootstrap: broker.bootstrap, topic, ads, work, offsetsPerBatch, events, expected: expectedCounts(events) },
      say,
    )
    const withSpark = sparks === undefined ? {} : { sparkRecordsPerSecond: sparks, sparkRatio: round(recordsPerSecond / sparks) }
    const copies = await copyRates(engine, broker.bootstrap, topic, work, events, short, say)
    // the gigabytes that the rounds before have written would be on their way to the disk that the checkpoint waits for
    spawnSync('sync')
    const latency = await latencies(engine, broker.bootstrap, join(work, 'latency'), short ? 3 : 20)
    say(`1,000 records/s from Kafka to Kafka: ${latency.p50Ms} ms p50, ${latency.p99Ms} ms p99, ${latency.maxMs} ms at most`)
    const { p50Ms, p99Ms } = latency
    const toKafka = { kafkaToKafkaRecordsPerSecond: median(copies), kafkaToKafkaRecordsPerSecondOfRounds: copies, p50Ms, p99Ms }
    return { recordsPerSecond, ...withSpark, ...toKafka, recordsPerSecondOfRounds: rates, events, offsetsPerBatch }
  } finally {
    await engine.close()
    await broker.stop()
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

async function streamed(engine: Engine, bootstrap: string, ads: Ads, work: string, offsetsPerBatch: number) {
  const event = t.struct({
    user_id: t.string().nullable(),
    page_id: t.string().nullable(),
    ad_id: t.string().nullable(),
    ad_type: t.string().nullable(),
    event_type: t.string().nullable(),
    event_time: t.long().nullable(),
    ip_address: t.string().nullable(),
  })
  const counts = new Map<string, bigint>()
  const events = engine.readStream
    .format('kafka')
    .options({ 'kafka.bootstrap.servers': bootstrap, subscribe: topic, startingOffsets: 'earliest', maxOffsetsPerTrigger: offsetsPerBatch })
    .load()
    .select(({ value }) => ({ event: from_json(value.cast('string'), event) }))
    .select(({ event }) => ({
      ad_id: event.getField('ad_id'),
      event_type: event.getField('event_type'),
      event_time: event.getField('event_time'),
    }))
  const campaigns = engine.createDataFrame(ads, { ad_id: t.string(), campaign_id: t.string() })
  const query = await events
    .where(({ event_type }) => event_type.eq('view'))
    .withColumn('event_time', ({ event_time }) => timestamp_millis(event_time))
    .withWatermark('event_time', '10 seconds')
    .join(campaigns, 'ad_id')
    .groupBy(({ event_time, campaign_id }) => ({ campaign_id, window: window(event_time, '10 seconds') }))
    .agg(() => ({ views: count() }))
    .writeStream.outputMode('update')
    .trigger({ availableNow: true })
    .option('checkpointLocation', work)
    .foreachBatch(async (rows) => {
      for (const row of await rows.collect()) counts.set(`${row.campaign_id} ${row.window.start.epochMilliseconds}`, row.views)
    })
    .start()
  const startMs = performance.now()
  await query.awaitTermination()
  const ms = performance.now() - startMs
  return { ms, batches: query.recentProgress.length, phases: phasesOf(query), counts }
}

function check(counts: ReadonlyMap<string, bigint>, events: number): void {
  const expected = expectedCounts(events)
  for (const key of new Set([...expected.keys(), ...counts.keys()])) {
    if (Number(counts.get(key) ?? 0n) !== (expected.get(key) ?? 0))
      throw new Error(`${key}: ${counts.get(key)} views, and ${expected.get(key)} were sent`)
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}
function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
function round(value: number): number {
  return Math.round(value * 100) / 100
}
