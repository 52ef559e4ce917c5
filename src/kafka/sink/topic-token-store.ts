import { InvalidQueryError, UnavailableError } from '../../base/errors.ts'
import { type BrokerAddress, errorsOf, type KafkaCluster } from '../cluster.ts'
import { codecsOf } from '../codecs.ts'
import { failureOf, kafkaError } from '../errors.ts'
import { fetchFrom } from '../fetch-request.ts'
import { partitionKey } from '../offsets.ts'
import { decodeBatches, type RecordTarget } from '../record-batch.ts'
import { BatchBuilder, type Encoders } from './batch-builder.ts'
import { type CommitToken, decodeToken, encodeToken } from './commit-token.ts'
import { checkNoneHangs } from './hanging.ts'
import { produceTo } from './produce-request.ts'
import { definiteCode, type ProducerSession } from './producer-session.ts'
import type { TokenStore } from './token-store.ts'
import { topicConfigs } from './topic-directory.ts'
import type { Transaction } from './transaction.ts'

const settings = { readCommitted: true, minBytes: 1, maxBytes: 16 * 1024 * 1024, maxPartitionBytes: 16 * 1024 * 1024, maxWaitMs: 100 }
const plain: Omit<Encoders, 'crc32c'> = { compression: 0, compress: (bytes) => bytes }

/**
 * As a record of a compacted topic, keyed by the name of the output, in partition 0: it stays however long the query pauses. Several queries may
 * share a topic.
 */
export class TopicTokenStore implements TokenStore {
  readonly maxBytes = 512 * 1024
  readonly description: string
  readonly #cluster: KafkaCluster
  readonly #topic: string
  readonly #key: string
  constructor(cluster: KafkaCluster, topic: string, key: string) {
    this.#cluster = cluster
    this.#topic = topic
    this.#key = key
    this.description = `the record ${key} of the topic ${topic}`
  }

  /** Makes the topic where it is missing; one whose records age out is refused. */
  async check(): Promise<void> {
    const { topics } = await this.#cluster.metadata([this.#topic])
    if (!topics.has(this.#topic)) await this.#create()
    const config = (await topicConfigs(this.#cluster, [this.#topic], ['cleanup.policy'])).get(this.#topic)
    const policy = config?.get('cleanup.policy')
    if (policy === undefined || policy.trim() === 'compact') return
    throw new InvalidQueryError('KAFKA_TOKEN_TOPIC_NOT_COMPACTED', {
      what: `the tokenTopic ${this.#topic} has cleanup.policy = ${policy}, so that the token of a query would age out`,
      todo: `set cleanup.policy=compact for it, or name another topic: one that is missing is made rightly`,
    })
  }

  async read(session: ProducerSession | null): Promise<CommitToken | null> {
    if (session !== null) await checkNoneHangs(this.#cluster, this.#key, session, [{ topic: this.#topic, partition: 0 }])
    const doing = `${this.description} was read`
    return this.#cluster.retrying(doing, async () => {
      const leader = await this.#cluster.leaderOf(this.#topic, 0)
      const [from, until] = [await this.#offset(leader, -2n), await this.#offset(leader, -1n, session !== null)]
      const text = await this.#lastBetween(leader, from, until)
      return text === null ? null : decodeToken(text, this.description)
    })
  }

  prepare(transaction: Transaction): Promise<void> {
    return transaction.addPartitions([{ topic: this.#topic, partition: 0 }])
  }
  async write(token: CommitToken, transaction: Transaction): Promise<void> {
    const { session, transactionalId } = transaction
    const [key, value] = [Buffer.from(this.#key), Buffer.from(encodeToken(token))]
    const builder = new BatchBuilder(256 + key.length + value.length)
    builder.add(key, 0, key.length, value, 0, value.length, Date.now(), null)
    const bytes = builder.seal(session, session.take(this.#topic, 0, 1), { ...plain, crc32c: codecsOf(this.#cluster.library).crc32c })
    const leader = await this.#cluster.leaderOf(this.#topic, 0)
    const [answer] = await produceTo(this.#cluster, leader, transactionalId, [{ topic: this.#topic, partition: 0, bytes }])
    if (answer!.errorCode === 0) return
    this.#cluster.forgetMetadata()
    throw new this.#cluster.library.ProtocolError(answer!.errorCode)
  }

  async #create(): Promise<void> {
    const { createTopicsV7, createTopicsV6, createTopicsV5 } = this.#cluster.library
    // small segments: only closed ones are compacted, and a start reads the topic whole
    const configs = Object.entries({ 'cleanup.policy': 'compact', 'segment.bytes': '8388608', 'min.cleanable.dirty.ratio': '0.1' })
    const topic = {
      name: this.#topic,
      numPartitions: 1,
      replicationFactor: -1,
      assignments: [],
      configs: configs.map(([name, value]) => ({ name, value })),
    }
    try {
      await this.#cluster.request('any', [createTopicsV7.api, createTopicsV6.api, createTopicsV5.api], [topic], 30_000, false)
    } catch (error) {
      const code = errorsOf(error)[0] ?? definiteCode(error)
      if (code !== 'TOPIC_ALREADY_EXISTS')
        throw cannotCreate(this.#topic, kafkaError(error, `${this.#topic} was made`, this.#cluster.servers))
    }
    for (const untilMs = performance.now() + this.#cluster.options.callTimeoutMs; ; ) {
      const found = (await this.#cluster.metadata([this.#topic])).topics.get(this.#topic)
      if ((found?.partitions.get(0)?.leader ?? -1) >= 0 || performance.now() > untilMs) return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Of the end: with `isOfAll` that of what is written, else of what is committed. A transaction of another query may be open behind this query's last token. */
  async #offset(leader: BrokerAddress, mark: bigint, isOfAll = true): Promise<number> {
    const { listOffsetsV7, listOffsetsV6 } = this.#cluster.library
    const partitions = [{ partitionIndex: 0, currentLeaderEpoch: -1, timestamp: mark }]
    const answer = await this.#cluster.request(leader, [listOffsetsV7.api, listOffsetsV6.api], -1, isOfAll ? 0 : 1, [
      { name: this.#topic, partitions },
    ])
    return Number(answer.topics[0]!.partitions[0]!.offset)
  }

  /** The last committed value of the key below `until`. */
  async #lastBetween(leader: BrokerAddress, from: number, until: number): Promise<string | null> {
    const target = new LastValue(this.#key)
    const codecs = codecsOf(this.#cluster.library)
    const untilMs = performance.now() + this.#cluster.options.callTimeoutMs
    const key = partitionKey(this.#topic, 0)
    for (let at = from; at < until; ) {
      const [part] = await fetchFrom(this.#cluster, leader, new Map([[key, at]]), settings)
      if (part!.errorCode !== 0) throw new this.#cluster.library.ProtocolError(part!.errorCode)
      const request = { from: at, until, aborted: part!.aborted, checkCrc: true, where: key }
      const { nextOffset } = decodeBatches(part!.records, request, codecs, target)
      // what compaction has taken away at the end of the log leaves a gap
      at = nextOffset > at ? nextOffset : part!.lastStableOffset >= until ? until : at
      if (performance.now() > untilMs) throw heldUp(this.description)
    }
    return target.text
  }
}

function cannotCreate(topic: string, cause: Error): InvalidQueryError | UnavailableError {
  if (cause instanceof UnavailableError) return cause
  return new InvalidQueryError('KAFKA_UNKNOWN_TOPIC', {
    what: `the tokenTopic ${topic} is missing and could not be made: ${failureOf(cause.cause).message || cause.message}`,
    todo: `make it: kafka-topics --create --topic ${topic} --partitions 1 --config cleanup.policy=compact`,
    cause,
  })
}
function heldUp(description: string): UnavailableError {
  return new UnavailableError('KAFKA_TOKEN_HELD_UP', {
    what: `${description} could not be read to its end: a transaction of another query is still open there`,
    todo: "start the query again when that query has ended its batch, or when its transaction's time is over",
  })
}

/** Keeps the last value of one key. */
class LastValue implements RecordTarget {
  readonly overwrites = false
  text: string | null = null
  readonly #key: Buffer
  #buffer: Buffer = Buffer.alloc(0)
  constructor(key: string) {
    this.#key = Buffer.from(key)
  }
  begin(buffer: Buffer): void {
    this.#buffer = buffer
  }
  add(
    _offset: number,
    _timestampMs: number,
    _recordStart: number,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    if (keyEnd - keyStart !== this.#key.length || this.#buffer.compare(this.#key, 0, this.#key.length, keyStart, keyEnd) !== 0) return
    this.text = valueEnd < valueStart ? null : this.#buffer.toString('utf8', valueStart, valueEnd)
  }
  pass(): void {}
  end(): void {}
}
