/** The events of the Yahoo streaming benchmark in Kafka, sent fast: the batches of 1,000 records are made once and only their times are written anew. */
import { createHash } from 'node:crypto'
import type { KafkaCluster } from '../src/kafka/cluster.ts'

export type Ads = { ad_id: string; campaign_id: string }[]

const batchRecords = 1000
const firstMs = 1_700_000_000_000
const adTypes = ['banner', 'modal', 'sponsored-search', 'mail', 'mobile']
const eventTypes = ['view', 'click', 'purchase']
const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** 1,000 ads in 100 campaigns. */
export function makeAds(): Ads {
  return Array.from({ length: 1000 }, (_, i) => ({ ad_id: md5(`ad${i}`), campaign_id: `campaign-${Math.floor(i / 10)}` }))
}
const adOf = (i: number) => (i * 7919) % 1000
const timeOf = (i: number) => firstMs + Math.floor(i / 10)

/** The views of each campaign in each window of 10 s. */
export function expectedCounts(events: number): Map<string, number> {
  const counts = new Map<string, number>()
  for (let i = 0; i < events; i++) {
    if ((i % batchRecords) % eventTypes.length !== 0) continue
    const key = `campaign-${Math.floor(adOf(i % batchRecords) / 10)} ${Math.floor(timeOf(i) / 10_000) * 10_000}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** Sends `events`, a multiple of 1,000, batch by batch to the partitions in turn. */
export async function sendEvents(cluster: KafkaCluster, topic: string, partitions: number, events: number): Promise<void> {
  const { library } = cluster
  const template = makeBatch(cluster)
  const places = [...template.bytes.toString('latin1').matchAll(/"event_time":(?=\d{13})/g)].map((match) => match.index + match[0].length)
  const pending = new Set<Promise<unknown>>()
  for (let batch = 0; batch * batchRecords < events; batch++) {
    const bytes = Buffer.from(template.bytes)
    for (const [i, at] of places.entries()) bytes.write(String(timeOf(batch * batchRecords + i)), at, 'latin1')
    bytes.writeUInt32BE(library.crc32c(bytes.subarray(21)), 17)
    const partition = batch % partitions
    const send = produceRaw(cluster, topic, partition, bytes).finally(() => pending.delete(send))
    pending.add(send)
    if (pending.size >= 8) await Promise.race(pending)
  }
  await Promise.all(pending)
}

function makeBatch({ library }: KafkaCluster): { bytes: Buffer } {
  const messages = Array.from({ length: batchRecords }, (_, i) => ({
    topic: '',
    partition: 0,
    value: Buffer.from(
      JSON.stringify({
        user_id: md5(String(i % 100)),
        page_id: md5(`page${i}`),
        ad_id: md5(`ad${adOf(i)}`),
        ad_type: adTypes[i % adTypes.length],
        event_type: eventTypes[i % eventTypes.length],
        event_time: firstMs,
        ip_address: '1.2.3.4',
      }),
    ),
    timestamp: BigInt(firstMs),
  }))
  const writer = library.createRecordsBatch(
    messages as never,
    { compression: 'none', producerId: -1n, producerEpoch: -1, firstSequence: 0 } as never,
  )
  return { bytes: Buffer.from(writer.buffer) }
}

/** A produce request (version 9) with a batch that is finished already. */
async function produceRaw(cluster: KafkaCluster, topic: string, partition: number, batch: Buffer): Promise<void> {
  const { createAPI, Writer, produceV9 } = cluster.library
  const createRequest = () =>
    Writer.create()
      .appendString(null)
      .appendInt16(1)
      .appendInt32(30_000)
      .appendArray([topic], (w, name) => {
        w.appendString(name).appendArray([partition], (p, index) => {
          p.appendInt32(index)
            .appendUnsignedVarInt(batch.length + 1)
            .append(batch)
        })
      })
      .appendTaggedFields()
  const api = createAPI<[], unknown>(0, 9, createRequest, produceV9.parseResponse)
  await cluster.retrying('events were sent', async () => cluster.request(await cluster.leaderOf(topic, partition), [api]))
}
