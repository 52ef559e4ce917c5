import type { API } from '@platformatic/kafka'
import { type BrokerAddress, fetchLane, type KafkaCluster } from './cluster.ts'
import { partitionKey, partitionOf, topicOf } from './offsets.ts'
import type { AbortedTransaction } from './record-batch.ts'

/** What a broker sent for one partition. */
export interface FetchedPartition {
  readonly key: string
  /** Kafka's number of the error, 0 for none. */
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** Record batches as they lie in the log, the last one maybe cut; in memory of their own, which may be given back to `KafkaCluster.frames`. */
  readonly records: Buffer
}
export interface FetchSettings {
  readonly readCommitted: boolean
  readonly minBytes: number
  readonly maxBytes: number
  readonly maxPartitionBytes: number
  readonly maxWaitMs: number
}

type Reader = Parameters<Parameters<typeof import('@platformatic/kafka').createAPI>[3]>[3]

/** Fetches from the given offsets of partitions that one broker leads. The records stay as they are: no object is made for one. */
export async function fetchFrom(
  cluster: KafkaCluster,
  broker: BrokerAddress,
  positions: ReadonlyMap<string, number>,
  settings: FetchSettings,
  lane = fetchLane,
): Promise<FetchedPartition[]> {
  const topics = Array.from(
    Map.groupBy(positions, ([key]) => topicOf(key)),
    ([topicId, own]) => ({
      topicId,
      partitions: own.map(([key, offset]) => ({
        partition: partitionOf(key),
        currentLeaderEpoch: -1,
        fetchOffset: BigInt(offset),
        lastFetchedEpoch: -1,
        partitionMaxBytes: settings.maxPartitionBytes,
      })),
    }),
  )
  const { readCommitted, minBytes, maxBytes, maxWaitMs } = settings
  const api = fetchApi(cluster)
  const parts = await cluster.requestIn(lane, broker, [api], maxWaitMs, minBytes, maxBytes, readCommitted ? 1 : 0, 0, -1, topics, [], '')
  cluster.frames.share(parts.flatMap(({ records }) => (records.length > 0 ? [records] : [])))
  return parts
}

type FetchArguments = Parameters<typeof import('@platformatic/kafka').fetchV12.createRequest>
const apis = new WeakMap<object, API<FetchArguments, FetchedPartition[]>>()

/** Version 12, the last that names topics, which every broker from 2.7 on speaks; with a parser of our own. */
function fetchApi({ library }: KafkaCluster): API<FetchArguments, FetchedPartition[]> {
  let api = apis.get(library)
  if (!api) {
    api = library.createAPI<FetchArguments, FetchedPartition[]>(1, 12, library.fetchV12.createRequest, (_id, _key, _version, reader) => {
      reader.readInt32() // throttled for
      const errorCode = reader.readInt16()
      if (errorCode !== 0) throw new library.ProtocolError(errorCode)
      reader.readInt32() // session
      return (
        reader.readArray((r: Reader) => {
          const topic = r.readString()
          return r.readArray((p: Reader) => readPartition(topic, p), true, false) as FetchedPartition[]
        }) as FetchedPartition[][]
      ).flat()
    })
    apis.set(library, api)
  }
  return api
}

const none = Buffer.alloc(0)

function readPartition(topic: string, reader: Reader): FetchedPartition {
  const key = partitionKey(topic, reader.readInt32())
  const errorCode = reader.readInt16()
  const [highWatermark, lastStableOffset, logStartOffset] = [reader.readInt64(), reader.readInt64(), reader.readInt64()].map(Number) as [
    number,
    number,
    number,
  ]
  const aborted = reader.readNullableArray((r: Reader) => ({ producerId: r.readInt64(), firstOffset: r.readInt64() })) as
    | AbortedTransaction[]
    | null
  reader.readInt32() // preferred replica
  const bytes = reader.readUnsignedVarInt() - 1
  let records: Buffer = none
  if (bytes > 0) {
    records = reader.buffer.slice(reader.position, reader.position + bytes)
    reader.skip(bytes)
  }
  reader.readTaggedFields()
  return { key, errorCode, highWatermark, lastStableOffset, logStartOffset, aborted: aborted ?? [], records }
}

/** The offset behind the last whole batch, from the heads of the batches alone; `otherwise` where there is none. */
export function offsetBehind(records: Buffer, otherwise: number): number {
  let behind = otherwise
  for (let at = 0; at + 61 <= records.length; ) {
    const end = at + 12 + records.readInt32BE(at + 8)
    if (end > records.length || end <= at) break
    behind = Math.max(behind, Number(records.readBigInt64BE(at)) + records.readInt32BE(at + 23) + 1)
    at = end
  }
  return behind
}
