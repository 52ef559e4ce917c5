import type { OnReadOpts } from 'node:net'
import type { API, Connection } from '@platformatic/kafka'
import { InvalidQueryError } from '../base/errors.ts'
import type { KafkaConnection } from './connection-options.ts'
import { failureOf, kafkaError } from './errors.ts'
import { FrameMemory, joinFrames, readingInto } from './frame-memory.ts'
import { type KafkaLibrary, kafkaLibrary } from './library.ts'
import { PlainConnection } from './plain-connection.ts'

export interface BrokerAddress {
  readonly nodeId: number
  readonly host: string
  readonly port: number
}
export interface TopicMetadata {
  readonly name: string
  /** Of Kafka's own (`__consumer_offsets`). */
  readonly isInternal: boolean
  /** By partition; a partition without a leader just now has the leader -1. */
  readonly partitions: ReadonlyMap<number, { readonly leader: number; readonly leaderEpoch: number }>
}
export interface ClusterMetadata {
  readonly brokers: ReadonlyMap<number, BrokerAddress>
  readonly topics: ReadonlyMap<string, TopicMetadata>
}
/** Versions of one request, newest first, that are called with the same arguments. */
export type Versions<Args extends unknown[], Result> = readonly API<Args, Result>[]

/** A connection, and the versions of each request that its broker speaks. */
interface Link {
  readonly connection: Connection
  readonly versions: ReadonlyMap<number, { readonly min: number; readonly max: number }>
}

/**
 * The brokers of one cluster: connections by broker and lane, metadata, and requests that are sent again where that may help. Works with
 * brokers from Kafka 3.0 on. Waiting between attempts goes by real time, as the time-outs of the network below it do.
 */
export class KafkaCluster {
  readonly library: typeof KafkaLibrary
  readonly options: KafkaConnection
  /** Of what comes on the lane that fetches. */
  readonly frames = new FrameMemory()
  readonly #links = new Map<string, Promise<Link>>()
  #metadata: ClusterMetadata | undefined
  #closed = false

  private constructor(library: typeof KafkaLibrary, options: KafkaConnection) {
    this.library = library
    this.options = options
  }
  /** Loads the client library; connects when a request is sent. */
  static async open(options: KafkaConnection): Promise<KafkaCluster> {
    return new KafkaCluster(await kafkaLibrary(), options)
  }

  /** For messages. */
  get servers(): string {
    return this.options.bootstrap.map(({ host, port }) => `${host}:${port}`).join(',')
  }

  /**
   * Repeats a call until it succeeds, its error is one that stays, or the time of a call is over; what the cluster looked like is asked for
   * anew before each repetition. Rejects with an error of Millrace; `doing` begins its message. For calls that may be done twice.
   */
  async retrying<T>(doing: string, call: () => Promise<T>, maxAttempts = Number.POSITIVE_INFINITY): Promise<T> {
    const deadlineMs = performance.now() + this.options.callTimeoutMs
    let backoffMs = this.options.backoffMs
    for (let attempt = 1; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        this.#metadata = undefined
        const isOver = performance.now() + backoffMs > deadlineMs || attempt >= maxAttempts
        if (this.#closed || isOver || !failureOf(error).canRetry) throw kafkaError(error, doing, this.servers)
        await new Promise((resolve) => setTimeout(resolve, backoffMs))
        backoffMs = Math.min(backoffMs * 2, this.options.maxBackoffMs)
      }
    }
  }

  /** What the cluster looks like now; null: all topics. A topic that is not there is missing from the answer. */
  async metadata(topics: readonly string[] | null): Promise<ClusterMetadata> {
    const { metadataV12, metadataV11, metadataV10 } = this.library
    const versions = [metadataV12.api, metadataV11.api, metadataV10.api]
    type Answer = Awaited<ReturnType<typeof metadataV12.api.async>>
    return this.retrying(`the partitions of ${topics?.join(', ') ?? 'all topics'} were asked for`, async () => {
      let answer: Answer
      try {
        answer = await this.request('any', versions, topics as string[] | null, false, false)
      } catch (error) {
        // a topic that is missing, or a partition that has no leader just now, is part of the answer
        const partial = responseOf<Answer>(error)
        const isWhole = partial?.topics.every(({ errorCode }) => errorCode === 0 || errorCode === unknownTopic)
        if (!partial || !isWhole || !errorsOf(error).every((code) => toldInMetadata.has(code))) throw error
        answer = partial
      }
      const brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { nodeId, host, port }]))
      const found = answer.topics.filter((topic) => topic.errorCode === 0 && typeof topic.name === 'string')
      const metadata = { brokers, topics: new Map(found.map((topic) => [topic.name!, topicOf(topic)])) }
      this.#keep(topics, metadata)
      return metadata
    })
  }

  /** Beside what is known of other topics. */
  #keep(asked: readonly string[] | null, { brokers, topics }: ClusterMetadata): void {
    const others = [...(this.#metadata?.topics ?? [])].filter(([name]) => asked !== null && !asked.includes(name))
    this.#metadata = { brokers, topics: new Map([...others, ...topics]) }
  }

  /** The leader of a partition. Rejects with a library error that may be retried where there is none. */
  async leaderOf(topic: string, partition: number): Promise<BrokerAddress> {
    const known = this.#metadata?.topics.has(topic) ? this.#metadata : await this.metadata([topic])
    const leader = known.topics.get(topic)?.partitions.get(partition)?.leader
    const broker = leader === undefined ? undefined : known.brokers.get(leader)
    if (broker) return broker
    this.#metadata = undefined
    throw new this.library.ProtocolError(leader === undefined ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'LEADER_NOT_AVAILABLE')
  }

  /** The broker that keeps a consumer group's offsets, or a transaction's state. */
  async coordinatorOf(kind: 'group' | 'transaction', key: string): Promise<BrokerAddress> {
    const { findCoordinatorV6, findCoordinatorV5, findCoordinatorV4 } = this.library
    const versions = [findCoordinatorV6.api, findCoordinatorV5.api, findCoordinatorV4.api]
    const answer = await this.request('any', versions, kind === 'group' ? 0 : 1, [key])
    const { nodeId, host, port, errorCode } = answer.coordinators[0]!
    if (errorCode !== 0) throw new this.library.ProtocolError(errorCode)
    return { nodeId, host, port }
  }

  /**
   * Sends a request once, in the newest version that both sides speak, and gives the answer. Errors are those of the client library:
   * `failureOf` reads them. Requests of one lane go over one connection to a broker, in order; a long one holds up its own lane only.
   */
  async request<Args extends unknown[], Result>(
    broker: BrokerAddress | 'any',
    versions: Versions<Args, Result>,
    ...args: Args
  ): Promise<Result> {
    return this.requestIn('main', broker, versions, ...args)
  }
  async requestIn<Args extends unknown[], Result>(
    lane: string,
    broker: BrokerAddress | 'any',
    versions: Versions<Args, Result>,
    ...args: Args
  ): Promise<Result> {
    const link = broker === 'any' ? await this.#anyLink() : await this.#link(lane, broker)
    const range = link.versions.get(versions[0]!.key)
    const api = versions.find(({ version }) => range !== undefined && version >= range.min && version <= range.max)
    if (api) return api.async(link.connection, ...args)
    throw new InvalidQueryError('KAFKA_BROKER_TOO_OLD', {
      what: `the broker at ${link.connection.host}:${link.connection.port} speaks versions ${range?.min ?? 0} to ${range?.max ?? 0} of request ${versions[0]!.key}, and ${versions.map(({ version }) => version).join(', ')} would be needed`,
      todo: 'use brokers from Kafka 3.0 on',
    })
  }

  /** Leaders are asked for anew. */
  forgetMetadata(): void {
    this.#metadata = undefined
  }
  /** Closes all connections; requests that wait for an answer are rejected. */
  async close(): Promise<void> {
    this.#closed = true
    const links = [...this.#links.values()]
    this.#links.clear()
    await Promise.allSettled(links.map(async (link) => (await link).connection.close()))
    this.frames.clear()
  }
  /** Closes the connections to one broker, so that what was sent and not answered has no later effect on the next ones. */
  async dropConnections(broker: BrokerAddress): Promise<void> {
    const dropped = [...this.#links].filter(([key]) => key.endsWith(` ${broker.host}:${broker.port}`))
    for (const [key] of dropped) this.#links.delete(key)
    await Promise.allSettled(dropped.map(async ([, link]) => (await link).connection.close()))
  }

  /** Closes all connections, as above. Requests that wait for an answer are rejected; the next one connects anew. */
  async dropAllConnections(): Promise<void> {
    const links = [...this.#links.values()]
    this.#links.clear()
    await Promise.allSettled(links.map(async (link) => (await link).connection.close()))
  }

  /** Of a broker that is connected already, else of the first that answers. */
  async #anyLink(): Promise<Link> {
    const known = [...(this.#metadata?.brokers.values() ?? [])]
    const errors: unknown[] = []
    for (const { host, port } of [...known, ...this.options.bootstrap]) {
      try {
        return await this.#link('main', { nodeId: -1, host, port })
      } catch (error) {
        errors.push(error)
        if (!failureOf(error).canRetry) throw error
      }
    }
    throw errors.at(-1)
  }

  #link(lane: string, { host, port }: BrokerAddress): Promise<Link> {
    const key = `${lane} ${host}:${port}`
    let link = this.#links.get(key)
    if (!link) {
      const forget = () => {
        if (this.#links.get(key) === link) this.#links.delete(key)
      }
      link = this.#connect(lane, host, port, forget)
      this.#links.set(key, link)
      link.catch(forget)
    }
    return link
  }

  async #connect(lane: string, host: string, port: number, onEnd: () => void): Promise<Link> {
    if (this.#closed) throw new this.library.NetworkError('The connections were closed.')
    const connection = lane === fetchLane ? await this.#connectToFetch(host, port, onEnd) : await this.#connectByLibrary(host, port, onEnd)
    const answer = await this.library.apiVersionsV3.api.async(connection, 'millrace', '1')
    const versions = new Map(answer.apiKeys.map(({ apiKey, minVersion, maxVersion }) => [apiKey, { min: minVersion, max: maxVersion }]))
    return { connection, versions }
  }
  async #connectByLibrary(host: string, port: number, onEnd: () => void, onread?: OnReadOpts): Promise<Connection> {
    const { tls, sasl, clientId, connectTimeoutMs, requestTimeoutMs } = this.options
    const connection = new this.library.Connection(clientId, {
      connectTimeout: connectTimeoutMs,
      requestTimeout: requestTimeoutMs,
      // Node.js takes `onread` of TLS sockets too, which its types do not say
      ...(tls ? { tls: { ...tls, ...(onread && ({ onread } as object)) }, tlsServerName: isName(host) } : {}),
      ...(sasl ? { sasl } : {}),
    })
    connection.on('error', onEnd)
    connection.on('close', onEnd)
    await connection.connect(host, port)
    return connection
  }
  /** Answers come in memory of `frames`. The library passes what is said of a TLS socket on to Node.js, and nothing of a plain one. */
  async #connectToFetch(host: string, port: number, onEnd: () => void): Promise<Connection> {
    const { tls, sasl, clientId, connectTimeoutMs, requestTimeoutMs } = this.options
    if (tls) return this.#connectByLibrary(host, port, onEnd, readingInto(this.frames))
    if (sasl) {
      const connection = await this.#connectByLibrary(host, port, onEnd)
      joinFrames(connection.socket, this.frames)
      return connection
    }
    const connection = new PlainConnection(this.library, { clientId, connectTimeoutMs, requestTimeoutMs }, this.frames)
    connection.on('close', onEnd)
    await connection.connect(host, port)
    return connection.asConnection()
  }
}

/** The lane whose answers come in memory of `KafkaCluster.frames`. */
export const fetchLane = 'fetch'

/** The answer that came with an error, where it was an error about parts of it. */
export function responseOf<Answer>(error: unknown): Answer | undefined {
  return (error as { response?: Answer } | null)?.response
}
/** Kafka's names of the errors about parts of an answer. */
export function errorsOf(error: unknown): string[] {
  const inner = (error as { errors?: unknown }).errors
  return Array.isArray(inner) ? inner.map((each) => String((each as { apiId?: unknown }).apiId)) : []
}

const unknownTopic = 3
const toldInMetadata = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'REPLICA_NOT_AVAILABLE', 'LISTENER_NOT_FOUND'])

/** The server name of TLS is a name, never an address. */
function isName(host: string): boolean {
  return !/^[\d.]+$|:/.test(host)
}

interface TopicAnswer {
  readonly name?: string | null | undefined
  readonly isInternal: boolean
  readonly partitions: readonly { readonly partitionIndex: number; readonly leaderId: number; readonly leaderEpoch: number }[]
}
function topicOf({ name, isInternal, partitions }: TopicAnswer): TopicMetadata {
  return {
    name: name!,
    isInternal,
    partitions: new Map(partitions.map((each) => [each.partitionIndex, { leader: each.leaderId, leaderEpoch: each.leaderEpoch }])),
  }
}
