/** From Kafka to Kafka, each batch a transaction: how many records a second, and how long a record takes at 1,000 a second. */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Engine } from 'millrace'
import 'millrace/kafka'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { codecsOf } from '../../src/kafka/codecs.ts'
import { fetchFrom } from '../../src/kafka/fetch-request.ts'
import { partitionKey } from '../../src/kafka/offsets.ts'
import { decodeBatches, type RecordTarget } from '../../src/kafka/record-batch.ts'
import { createTopic, openCluster } from '../../test/kafka/topics.ts'
import type { LatencyOfRecords } from './driver.ts'
import { phasesOf } from './phases.ts'

/** Copies what lies in `from` several times; records a second of each after the first, which warms up. */
export async function copyRates(
  engine: Engine,
  bootstrap: string,
  from: string,
  work: string,
  events: number,
  short: boolean,
  say: (line: string) => void,
): Promise<number[]> {
  const rates: number[] = []
  for (let round = 0; round < (short ? 1 : 4); round++) {
    const folder = join(work, `copy-${round}`)
    const { rate, ms, batches, phases } = await copyRate(engine, bootstrap, from, folder, events, short ? 100_000 : 500_000)
    say(`Kafka to Kafka, ${round === 0 ? 'warm-up: ' : ''}${rate} records/s (${ms} ms, ${batches} transactions; ${JSON.stringify(phases)})`)
    if (round > 0 || short) rates.push(rate)
  }
  return rates
}

/** After a check that all of them are there, each once. */
async function copyRate(engine: Engine, bootstrap: string, from: string, work: string, events: number, perBatch: number) {
  const to = `copy-${Date.now()}`
  const cluster = await openCluster(bootstrap)
  try {
    await createTopic(cluster, to, 4)
    const query = await engine.readStream
      .format('kafka')
      .options({ 'kafka.bootstrap.servers': bootstrap, subscribe: from, startingOffsets: 'earliest', maxOffsetsPerTrigger: perBatch })
      .load()
      .select('key', 'value')
      .writeStream.trigger({ availableNow: true })
      .format('kafka')
      .options({ 'kafka.bootstrap.servers': bootstrap, topic: to, checkpointLocation: work })
      .start()
    const startMs = performance.now()
    await query.awaitTermination()
    const ms = performance.now() - startMs
    const copied = await countCommitted(cluster, to)
    if (copied !== events) throw new Error(`${copied} records were copied, and ${events} were there`)
    return { rate: Math.round((events * 1000) / ms), ms: Math.round(ms), batches: query.recentProgress.length, phases: phasesOf(query) }
  } finally {
    await cluster.close()
  }
}

/** How many records a read_committed consumer finds in a topic of four partitions, without an object a record. */
async function countCommitted(cluster: KafkaCluster, topic: string): Promise<number> {
  const settings = { readCommitted: true, minBytes: 1, maxBytes: 8 << 20, maxPartitionBytes: 8 << 20, maxWaitMs: 10 }
  const codecs = codecsOf(cluster.library)
  const target: RecordTarget = { overwrites: false, begin() {}, add() {}, pass() {}, end() {} }
  const { listOffsetsV7 } = cluster.library
  let count = 0
  for (let partition = 0; partition < 4; partition++) {
    const key = partitionKey(topic, partition)
    const leader = await cluster.leaderOf(topic, partition)
    const asked = [{ name: topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: -1n }] }]
    const until = Number((await cluster.request(leader, [listOffsetsV7.api], -1, 0, asked)).topics[0]!.partitions[0]!.offset)
    for (let at = 0; at < until; ) {
      const [part] = await fetchFrom(cluster, leader, new Map([[key, at]]), settings)
      const decoded = decodeBatches(part!.records, { from: at, until, aborted: part!.aborted, checkCrc: false, where: key }, codecs, target)
      count += decoded.rows
      at = decoded.nextOffset
    }
  }
  return count
}

/** Sends records at a steady rate through a query, with producer and consumer in a thread of their own; milliseconds from sending to the consumer. */
export async function latencies(engine: Engine, bootstrap: string, work: string, seconds: number): Promise<LatencyOfRecords> {
  const [from, to] = [`ping-${Date.now()}`, `pong-${Date.now()}`]
  const cluster = await openCluster(bootstrap)
  await createTopic(cluster, from, 4)
  await createTopic(cluster, to, 4)
  await cluster.close()
  const query = await engine.readStream
    .format('kafka')
    .options({ 'kafka.bootstrap.servers': bootstrap, subscribe: from, startingOffsets: 'earliest' })
    .load()
    .select('key', 'value')
    .writeStream.format('kafka')
    .options({ 'kafka.bootstrap.servers': bootstrap, topic: to, checkpointLocation: work })
    .start()
  try {
    const worker = new Worker(new URL('./driver.ts', import.meta.url), { workerData: { bootstrap, from, to, seconds } })
    return await new Promise<LatencyOfRecords>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject)
      query.awaitTermination().catch(reject)
    })
  } finally {
    await query.stop()
  }
}
