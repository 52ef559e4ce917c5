/** A producer of 1,000 records a second and a read_committed consumer, in a thread beside the query that they measure. */
import { parentPort, workerData } from 'node:worker_threads'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { codecsOf } from '../../src/kafka/codecs.ts'
import { fetchFrom } from '../../src/kafka/fetch-request.ts'
import { partitionKey } from '../../src/kafka/offsets.ts'
import { decodeBatches, type RecordTarget } from '../../src/kafka/record-batch.ts'
import { produce } from '../../test/kafka/produce.ts'
import { openCluster } from '../../test/kafka/topics.ts'

export interface LatencyOfRecords {
  readonly records: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}
interface Work {
  readonly bootstrap: string
  readonly from: string
  readonly to: string
  readonly seconds: number
}

const partitions = 4
const perTick = 5
const tickMs = 5
/** What comes in the first seconds warms everything up and does not count. */
const warmUpMs = 5000
const nowMs = () => performance.timeOrigin + performance.now()

/** Records carry the time of their sending. Ticks keep to the clock; one that is late is made up for. */
async function produceSteadily(cluster: KafkaCluster, { from, seconds }: Work, startMs: number): Promise<number> {
  const pending = new Set<Promise<unknown>>()
  let sent = 0
  for (let tick = 0; tick * tickMs < seconds * 1000 + warmUpMs; tick++) {
    const waitMs = startMs + tick * tickMs - nowMs()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    const partition = tick % partitions
    const records = Array.from({ length: perTick }, () => ({ partition, value: String(nowMs()) }))
    sent += records.length
    const send = produce(cluster, from, records).finally(() => pending.delete(send))
    pending.add(send)
  }
  await Promise.all(pending)
  return sent
}

/** Begins to consume; the function that comes back waits until as many have come as were sent. */
function consume(cluster: KafkaCluster, { to }: Work, startMs: number): (sent: number) => Promise<LatencyOfRecords> {
  const found = new Arrivals(startMs + warmUpMs)
  let expected = Number.POSITIVE_INFINITY
  const codecs = codecsOf(cluster.library)
  const positions = new Map(Array.from({ length: partitions }, (_, partition) => [partitionKey(to, partition), 0]))
  const settings = { readCommitted: true, minBytes: 1, maxBytes: 1 << 20, maxPartitionBytes: 1 << 20, maxWaitMs: 100 }
  const running = (async () => {
    const leader = await cluster.leaderOf(to, 0)
    while (found.count < expected) {
      for (const { key, errorCode, records, aborted } of await fetchFrom(cluster, leader, positions, settings)) {
        if (errorCode !== 0) throw new Error(`error ${errorCode} for ${key}`)
        found.atMs = nowMs()
        const request = { from: positions.get(key)!, until: Number.MAX_SAFE_INTEGER, aborted, checkCrc: false, where: key }
        positions.set(key, decodeBatches(records, request, codecs, found).nextOffset)
      }
    }
    return found.summary()
  })()
  return (sent) => {
    expected = sent
    return running
  }
}

class Arrivals implements RecordTarget {
  readonly overwrites = false
  count = 0
  atMs = 0
  readonly #fromMs: number
  readonly #latencies: number[] = []
  #buffer: Buffer = Buffer.alloc(0)
  constructor(fromMs: number) {
    this.#fromMs = fromMs
  }
  begin(buffer: Buffer): void {
    this.#buffer = buffer
  }
  add(_offset: number, _time: number, _start: number, _keyStart: number, _keyEnd: number, valueStart: number, valueEnd: number): void {
    const sentMs = Number(this.#buffer.toString('latin1', valueStart, valueEnd))
    this.count++
    if (sentMs >= this.#fromMs) this.#latencies.push(this.atMs - sentMs)
  }
  pass(): void {}
  end(): void {}
  summary(): LatencyOfRecords {
    const sorted = this.#latencies.sort((a, b) => a - b)
    const at = (share: number) => Math.round(10 * sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!) / 10
    return { records: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  }
}

if (parentPort) {
  const work = workerData as Work
  const [producer, consumer] = await Promise.all([openCluster(work.bootstrap), openCluster(work.bootstrap)])
  const startMs = nowMs()
  const consuming = consume(consumer, work, startMs)
  const sent = await produceSteadily(producer, work, startMs)
  const found = await consuming(sent)
  await Promise.all([producer.close(), consumer.close()])
  parentPort.postMessage(found)
}
