import { randomUUID } from 'node:crypto'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'

type Ending = 'commit' | 'abort'
/**
 * Sends records to partition 0 within a transaction of their own, and ends it, or leaves it open to be ended later. What has ended is seen by a reader of
 * read_committed from then on.
 */
export async function transaction(
  cluster: KafkaCluster,
  topic: string,
  values: readonly string[],
  ending: Ending | 'leave',
  key?: string,
): Promise<{ end(ending: Ending): Promise<void> }> {
  const { library } = cluster
  const id = `transaction-${randomUUID()}`
  const coordinator = await cluster.retrying('a coordinator was asked for', () => cluster.coordinatorOf('transaction', id))
  const retry = <T>(call: () => Promise<T>) => cluster.retrying('a transaction of the test', call)
  const begin = () => retry(() => cluster.request(coordinator, [library.initProducerIdV4.api], id, 60_000, -1n, -1))
  const { producerId, producerEpoch } = await begin()
  const added = [{ transactionalId: id, producerId, producerEpoch, verifyOnly: false, topics: [{ name: topic, partitions: [0] }] }]
  await retry(() => cluster.request(coordinator, [library.addPartitionsToTxnV5.api], added as never))
  const messages = values.map((value) => ({
    topic,
    partition: 0,
    value: Buffer.from(value),
    timestamp: BigInt(Date.now()),
    ...(key !== undefined && { key: Buffer.from(key) }),
  }))
  await retry(async () =>
    cluster.request(await cluster.leaderOf(topic, 0), [library.produceV9.api], -1, 30_000, messages as never, {
      transactionalId: id,
      producerId,
      producerEpoch,
      compression: 'none',
      firstSequence: 0,
    }),
  )
  const end = async (how: Ending) => {
    await retry(() => cluster.request(coordinator, [library.endTxnV4.api], id, producerId, producerEpoch, how === 'commit'))
    // the coordinator answers before the partition knows the outcome; it begins anew (CONCURRENT_TRANSACTIONS until then) when that is written
    await begin()
  }
  if (ending !== 'leave') await end(ending)
  return { end }
}
