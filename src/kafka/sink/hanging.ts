/**
 * A hanging transaction: open in a partition, and over for its coordinator, so that nobody will ever end it. Readers of read_committed stop there, and the next
 * transaction of the same producer that commits would take its records along, also where it was to be aborted: a batch would be there twice.
 * Kafka 4.3.0 to 4.4.0 leave one behind where a partition has no leader at the moment in which a transaction is ended (KAFKA-20734).
 */
import { InvalidQueryError } from '../../base/errors.ts'
import type { KafkaCluster } from '../cluster.ts'
import { failureOf } from '../errors.ts'
import { partitionKey } from '../offsets.ts'
import { type PartitionPlace, producersOf } from '../producers.ts'
import type { Coordinators, ProducerSession } from './producer-session.ts'

/**
 * Looks for one that this producer has left in these partitions, each once for a session; must come before anything is written to them. The producer id was
 * given out only when the outcome of every transaction before was written: one that is open now stays so. A user who may not read a topic (the right that
 * Kafka wants for the question) goes without. InvalidQueryError KAFKA_TRANSACTION_HANGING.
 */
export async function checkNoneHangs(
  cluster: KafkaCluster,
  transactionalId: string,
  session: ProducerSession,
  places: Iterable<PartitionPlace>,
): Promise<void> {
  const unknown = [...places].filter(({ topic, partition }) => !session.checked.has(partitionKey(topic, partition)))
  if (unknown.length === 0) return
  await cluster.retrying('the producers of partitions were asked for', async () => {
    const leaders = await Promise.all(
      unknown.map(async (place) => ({ place, leader: await cluster.leaderOf(place.topic, place.partition) })),
    )
    for (const [, own] of Map.groupBy(leaders, ({ leader }) => `${leader.host}:${leader.port}`)) {
      const asked = own.map(({ place }) => place)
      for (const { topic, partition, producer } of await producersOf(cluster, own[0]!.leader, asked)) {
        if (producer.producerId !== session.producerId || producer.currentTxnStartOffset < 0n) continue
        throw hanging(
          transactionalId,
          `${topic}-${partition} has had one of producer ${producer.producerId} (epoch ${producer.producerEpoch}) open since offset ${producer.currentTxnStartOffset}`,
        )
      }
    }
  })
  for (const { topic, partition } of unknown) session.checked.add(partitionKey(topic, partition))
}

/**
 * The error of a read of an offset that has waited for the end of a transaction in vain, as what it is: nobody's transaction of this id is open any more, or it is,
 * and then the error stays as it was. The offset of `id` is written by transactions of the same id only.
 */
export async function whyUnstable(cluster: KafkaCluster, coordinators: Coordinators, id: string, error: unknown): Promise<unknown> {
  if (failureOf((error as Error).cause).code !== 'UNSTABLE_OFFSET_COMMIT') return error
  const { describeTransactionsV0 } = cluster.library
  const answer = await coordinators
    .call('transaction', id, (broker) => cluster.requestIn('transaction', broker, [describeTransactionsV0.api], [id]))
    .catch(() => undefined)
  const state = answer?.transactionStates[0]?.transactionState ?? ''
  if (!ended.has(state)) return error
  const waitedS = Math.round(cluster.options.callTimeoutMs / 1000)
  return hanging(
    id,
    `the offset of the group ${id}, which is written by them alone, was still waiting for the end of one after ${waitedS} s`,
    error,
  )
}
const ended: ReadonlySet<string> = new Set(['Empty', 'CompleteCommit', 'CompleteAbort'])

export function hanging(transactionalId: string, where: string, cause?: unknown): InvalidQueryError {
  return new InvalidQueryError('KAFKA_TRANSACTION_HANGING', {
    what: `the cluster has lost the end of a transaction: for its coordinator ${transactionalId} has none open, and ${where}`,
    todo: 'nothing was written. See which partitions have its end and which have not (kafka-transactions.sh find-hanging, describe-producers), end it there (kafka-transactions.sh abort), and start the query again: docs/kafka.md, Hanging transactions. Kafka 4.3.0 to 4.4.0 may do this when brokers restart (KAFKA-20734)',
    cause,
  })
}
