import type { API } from '@platformatic/kafka'
import { type BrokerAddress, type KafkaCluster, responseOf } from '../cluster.ts'
import type { KafkaLibrary } from '../library.ts'

/** A record batch on its way to its partition. */
export interface PartitionBatch {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
}
export interface ProduceAnswer {
  readonly topic: string
  readonly partition: number
  /** Kafka's number of the error, 0 for none. */
  readonly errorCode: number
  readonly message: string | null
}

type Arguments = [transactionalId: string | null, timeoutMs: number, batches: readonly PartitionBatch[]]
const apis = new WeakMap<object, API<Arguments, ProduceAnswer[]>>()

/** Sends batches, one for a partition at most, and waits until all in-sync replicas have them. Rejects only where nothing is known of any of them. */
export function produceTo(
  cluster: KafkaCluster,
  broker: BrokerAddress,
  transactionalId: string | null,
  batches: readonly PartitionBatch[],
): Promise<ProduceAnswer[]> {
  return cluster.requestIn('produce', broker, [produceApi(cluster.library)], transactionalId, cluster.options.requestTimeoutMs, batches)
}

/** Version 9, which every broker from 2.8 on speaks, of batches that are encoded already. */
function produceApi(library: typeof KafkaLibrary): API<Arguments, ProduceAnswer[]> {
  let api = apis.get(library)
  if (!api) {
    const { Writer, createAPI, produceV9 } = library
    type Response = ReturnType<typeof produceV9.parseResponse>
    api = createAPI<Arguments, ProduceAnswer[]>(
      0,
      9,
      (transactionalId, timeoutMs, batches) =>
        Writer.create()
          .appendString(transactionalId)
          .appendInt16(-1)
          .appendInt32(timeoutMs)
          .appendArray([...Map.groupBy(batches, (batch: PartitionBatch) => batch.topic)], (topics, [topic, own]) => {
            topics.appendString(topic).appendArray(own, (partitions, { partition, bytes }) => {
              partitions
                .appendInt32(partition)
                .appendUnsignedVarInt(bytes.length + 1)
                .append(bytes)
            })
          })
          .appendTaggedFields(),
      (id, key, version, reader) => answersOf(parse(id, key, version, reader)),
    )
    apis.set(library, api)

    function parse(...given: Parameters<typeof produceV9.parseResponse>): Response {
      try {
        return produceV9.parseResponse(...given)
      } catch (error) {
        const partial = responseOf<Response>(error)
        if (partial) return partial
        throw error
      }
    }
    function answersOf({ responses }: Response): ProduceAnswer[] {
      return responses.flatMap(({ name, partitionResponses }) =>
        partitionResponses.map(({ index, errorCode, errorMessage, recordErrors }) => ({
          topic: name,
          partition: index,
          errorCode,
          message: recordErrors.find((each) => each.batchIndexErrorMessage)?.batchIndexErrorMessage ?? errorMessage ?? null,
        })),
      )
    }
  }
  return api
}
