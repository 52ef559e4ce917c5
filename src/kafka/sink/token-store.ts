import type { KafkaCluster } from '../cluster.ts'
import { type CommitToken, decodeToken, encodeToken } from './commit-token.ts'
import { whyUnstable } from './hanging.ts'
import type { Coordinators, ProducerSession } from './producer-session.ts'
import type { Transaction } from './transaction.ts'

/** Where a query's commit token stands. */
export interface TokenStore {
  /** Bytes that a token may have. */
  readonly maxBytes: number
  /** For messages. */
  readonly description: string
  /** Finds out before the first batch whether a token can be kept. InvalidQueryError. */
  check(): Promise<void>
  /**
   * The last one that was committed; null where there is none. With a session this waits until the outcome of every transaction that was under way when the
   * session was opened is written; without one the answer may be of before. InvalidQueryError KAFKA_TRANSACTION_HANGING.
   */
  read(session: ProducerSession | null): Promise<CommitToken | null>
  /** Makes its place part of the transaction; before anything is sent in it, since a broker takes nothing while its coordinator is busy. */
  prepare(transaction: Transaction): Promise<void>
  /** Writes it in the transaction. */
  write(token: CommitToken, transaction: Transaction): Promise<void>
}

/**
 * As the offset of a group: the batch id, with the token itself as the offset's metadata. It stands at partition 0 of the output's topic. Kafka
 * forgets it offsets.retention.minutes (a week) after the last batch.
 */
export class GroupTokenStore implements TokenStore {
  /** The brokers' default of offset.metadata.max.bytes. */
  readonly maxBytes = 4096
  readonly description: string
  readonly #cluster: KafkaCluster
  readonly #coordinators: Coordinators
  readonly #group: string
  readonly #topic: string
  constructor(cluster: KafkaCluster, coordinators: Coordinators, group: string, topic: string) {
    this.#cluster = cluster
    this.#coordinators = coordinators
    this.#group = group
    this.#topic = topic
    this.description = `the offset of the group ${group} at ${topic}-0`
  }

  async check(): Promise<void> {}

  async read(session: ProducerSession | null): Promise<CommitToken | null> {
    const { offsetFetchV9, offsetFetchV8 } = this.#cluster.library
    const versions = [offsetFetchV9.api, offsetFetchV8.api]
    const asked = [
      { groupId: this.#group, memberId: null, memberEpoch: -1, topics: [{ name: this.#topic, partitionIndexes: [0] }] },
    ] as never
    const waits = session !== null
    const answer = await this.#cluster
      .retrying(`${this.description} was asked for`, () =>
        this.#coordinators.call('group', this.#group, (broker) => this.#cluster.requestIn('group', broker, versions, asked, waits)),
      )
      .catch(async (error: unknown) => {
        throw waits ? await whyUnstable(this.#cluster, this.#coordinators, this.#group, error) : error
      })
    const found = answer.groups[0]?.topics[0]?.partitions[0]
    if (!found || found.committedOffset < 0n) return null
    return decodeToken(found.metadata ?? '', this.description)
  }

  prepare(transaction: Transaction): Promise<void> {
    return transaction.addGroup(this.#group)
  }
  write(token: CommitToken, transaction: Transaction): Promise<void> {
    return transaction.commitOffset(this.#group, this.#topic, 0, Math.max(token.batchId, 0), encodeToken(token))
  }
}
