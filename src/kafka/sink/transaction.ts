import type { BrokerAddress, KafkaCluster } from '../cluster.ts'
import { partitionKey } from '../offsets.ts'
import { checkNoneHangs } from './hanging.ts'
import type { Coordinators, ProducerSession } from './producer-session.ts'

/** One transaction. Requests are of versions that every broker from 2.8 on speaks and that a client may send (AddPartitionsToTxn from version 4 on is for brokers among themselves). */
export class Transaction {
  readonly session: ProducerSession
  readonly transactionalId: string
  readonly #cluster: KafkaCluster
  readonly #coordinators: Coordinators
  readonly #added = new Set<string>()
  #startedMs: number | undefined

  constructor(cluster: KafkaCluster, coordinators: Coordinators, session: ProducerSession, transactionalId: string) {
    this.#cluster = cluster
    this.#coordinators = coordinators
    this.session = session
    this.transactionalId = transactionalId
  }

  /** How long it has been open for the coordinator; 0 before it began. */
  get elapsedMs(): number {
    return this.#startedMs === undefined ? 0 : performance.now() - this.#startedMs
  }

  /** Makes partitions part of it; must come before anything is written to them. InvalidQueryError KAFKA_TRANSACTION_HANGING. */
  async addPartitions(partitions: Iterable<{ readonly topic: string; readonly partition: number }>): Promise<void> {
    const missing = new Map<string, Set<number>>()
    for (const { topic, partition } of partitions) {
      if (this.#added.has(partitionKey(topic, partition))) continue
      const own = missing.get(topic) ?? new Set()
      own.add(partition)
      missing.set(topic, own)
    }
    if (missing.size === 0) return
    const topics = [...missing].map(([name, own]) => ({ name, partitions: [...own] }))
    const { producerId, producerEpoch } = this.session
    const { addPartitionsToTxnV3 } = this.#cluster.library
    const asked = [{ transactionalId: this.transactionalId, producerId, producerEpoch, verifyOnly: false, topics }]
    const places = topics.flatMap(({ name, partitions: own }) => own.map((partition) => ({ topic: name, partition })))
    // first: a partition that is part of the transaction would get its outcome, which need not be that of what hangs there
    await checkNoneHangs(this.#cluster, this.transactionalId, this.session, places)
    await this.#atCoordinator((broker) => this.#cluster.requestIn('transaction', broker, [addPartitionsToTxnV3.api], asked))
    for (const { name, partitions: own } of topics) for (const partition of own) this.#added.add(partitionKey(name, partition))
  }

  /** Makes the offsets of a group part of it. */
  async addGroup(group: string): Promise<void> {
    const { addOffsetsToTxnV3, addOffsetsToTxnV4 } = this.#cluster.library
    const { producerId, producerEpoch } = this.session
    const versions = [addOffsetsToTxnV4.api, addOffsetsToTxnV3.api]
    await this.#atCoordinator((broker) =>
      this.#cluster.requestIn('transaction', broker, versions, this.transactionalId, producerId, producerEpoch, group),
    )
  }

  /** Commits an offset of a group that was made part of it. */
  async commitOffset(group: string, topic: string, partition: number, offset: number, metadata: string): Promise<void> {
    const { txnOffsetCommitV3, txnOffsetCommitV4 } = this.#cluster.library
    const { producerId, producerEpoch } = this.session
    const partitions = [
      { partitionIndex: partition, committedOffset: BigInt(offset), committedLeaderEpoch: -1, committedMetadata: metadata },
    ]
    await this.#coordinators.call('group', group, (broker) =>
      this.#cluster.requestIn(
        // behind what is produced: a broker that checks both at a time with the coordinator turns one of them down
        'produce',
        broker,
        [txnOffsetCommitV4.api, txnOffsetCommitV3.api],
        this.transactionalId,
        group,
        producerId,
        producerEpoch,
        -1,
        '',
        null,
        [{ name: topic, partitions }],
      ),
    )
  }

  /** Where this rejects, whether it was committed is not known. */
  async commit(): Promise<void> {
    const { endTxnV4, endTxnV3 } = this.#cluster.library
    const { producerId, producerEpoch } = this.session
    await this.#atCoordinator((broker) =>
      this.#cluster.requestIn('transaction', broker, [endTxnV4.api, endTxnV3.api], this.transactionalId, producerId, producerEpoch, true),
    )
  }

  #atCoordinator<T>(send: (broker: BrokerAddress) => Promise<T>): Promise<T> {
    this.#startedMs ??= performance.now()
    return this.#coordinators.call('transaction', this.transactionalId, send)
  }
}
