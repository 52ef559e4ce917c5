import { InvalidQueryError } from '../base/errors.ts'
import type { BrokerAddress, ClusterMetadata, KafkaCluster } from './cluster.ts'
import { goneAfterMs } from './fetcher.ts'
import { type PartitionOffsets, partitionKey, partitionOf, sortedKeys, topicOf } from './offsets.ts'
import type { Boundary, KafkaSourceOptions, Subscription } from './source-options.ts'

const latest = -1n
const earliest = -2n

/** Asks the brokers which partitions there are and where they begin and end. All its errors are Millrace's. */
export class OffsetReader {
  readonly #cluster: KafkaCluster
  readonly #options: KafkaSourceOptions
  constructor(cluster: KafkaCluster, options: KafkaSourceOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  /** The partitions of the subscription that there are now. `known`: topics that may have been deleted since; any other must be there. */
  async partitions(known: ReadonlySet<string> = new Set()): Promise<string[]> {
    const { subscription } = this.#options
    const wanted = topicsOf(subscription)
    const metadata = await this.#cluster.metadata(wanted)
    const missing = wanted?.filter((topic) => !metadata.topics.has(topic) && !known.has(topic)) ?? []
    if (missing.length > 0) throw this.#unknownTopics(missing)
    return partitionsOf(subscription, metadata)
  }

  latest(partitions: readonly string[]): Promise<PartitionOffsets> {
    return this.#list(partitions, () => latest)
  }
  /** The ends with what lies in open transactions. */
  unsettledEnds(partitions: readonly string[]): Promise<PartitionOffsets> {
    return this.#list(partitions, () => latest, false)
  }
  /**
   * The ends of partitions that have been read up to `known`. A broker that has just come up may for a moment know less than it has: an end before
   * that is asked for again, and believed when it stays. `renewed` gives the partitions that there are now: one that stays unknown and is not among them was
   * deleted since they were listed, and is left out.
   */
  async latestFrom(
    known: PartitionOffsets,
    partitions: readonly string[],
    renewed?: () => Promise<readonly string[]>,
  ): Promise<PartitionOffsets> {
    for (const deadlineMs = performance.now() + goneAfterMs; ; ) {
      const ends = await this.#list(partitions, () => latest, this.#options.readCommitted, renewed)
      const isBehind = [...ends].some(([key, end]) => end < (known.get(key) ?? 0))
      if (!isBehind || performance.now() > deadlineMs) return ends
      await new Promise((resolve) => setTimeout(resolve, this.#cluster.options.backoffMs))
    }
  }
  earliest(partitions: readonly string[]): Promise<PartitionOffsets> {
    return this.#list(partitions, () => earliest)
  }

  /** The offsets that a starting or ending option stands for. */
  async resolve(boundary: Boundary, which: 'starting' | 'ending', partitions: readonly string[]): Promise<PartitionOffsets> {
    switch (boundary.kind) {
      case 'earliest':
        return this.earliest(partitions)
      case 'latest':
        return this.latest(partitions)
      case 'offsets': {
        checkSame(`${which}Offsets`, boundary.offsets, partitions)
        const asked = (mark: number) => partitions.filter((key) => boundary.offsets.get(key) === mark)
        const [begin, end] = [await this.earliest(asked(-2)), await this.latest(asked(-1))]
        return new Map(partitions.map((key) => [key, begin.get(key) ?? end.get(key) ?? boundary.offsets.get(key)!]))
      }
      case 'timestamp':
        return this.#byTime(which, partitions, () => boundary.timestampMs)
      case 'timestamps':
        checkSame(`${which}OffsetsByTimestamp`, boundary.timestampsMs, partitions)
        return this.#byTime(which, partitions, (key) => boundary.timestampsMs.get(key)!)
    }
  }

  /** The first record at or after a time, by partition. */
  async #byTime(which: 'starting' | 'ending', partitions: readonly string[], timeOf: (key: string) => number): Promise<PartitionOffsets> {
    const found = await this.#list(partitions, (key) => BigInt(timeOf(key)))
    const unmatched = partitions.filter((key) => found.get(key)! < 0)
    if (unmatched.length === 0) return found
    if (which === 'starting' && this.#options.unmatchedTimestamp === 'error') {
      throw new InvalidQueryError('KAFKA_NO_OFFSET_FOR_TIMESTAMP', {
        what: unmatched.map((key) => `${key} has no record at or after ${new Date(timeOf(key)).toISOString()}`).join('; '),
        todo: "give an earlier time, or option('startingOffsetsByTimestampStrategy', 'latest') to begin at the end of such a partition",
      })
    }
    return new Map([...found, ...(await this.latest(unmatched))])
  }

  async #list(
    partitions: readonly string[],
    timestampOf: (key: string) => bigint,
    readCommitted = this.#options.readCommitted,
    renewed?: () => Promise<readonly string[]>,
  ): Promise<PartitionOffsets> {
    if (partitions.length === 0) return new Map()
    const renewMs = performance.now() + Math.min(goneAfterMs, this.#cluster.options.callTimeoutMs / 2)
    let asked = partitions
    const doing = `the offsets of ${partitions.length <= 4 ? partitions.join(', ') : `${partitions.length} partitions`} were asked for`
    return this.#cluster.retrying(
      doing,
      async () => {
        if (renewed && performance.now() > renewMs) {
          const there = new Set(await renewed())
          asked = partitions.filter((key) => there.has(key))
        }
        const byLeader = new Map<string, { broker: BrokerAddress; keys: string[] }>()
        for (const key of asked) {
          const broker = await this.#cluster.leaderOf(topicOf(key), partitionOf(key))
          const group = byLeader.get(`${broker.host}:${broker.port}`) ?? { broker, keys: [] }
          group.keys.push(key)
          byLeader.set(`${broker.host}:${broker.port}`, group)
        }
        const answers = await Promise.all(
          [...byLeader.values()].map(({ broker, keys }) => this.#listAt(broker, keys, timestampOf, readCommitted)),
        )
        return new Map(answers.flat())
      },
      this.#options.offsetAttempts + 1,
    )
  }

  async #listAt(
    broker: BrokerAddress,
    keys: readonly string[],
    timestampOf: (key: string) => bigint,
    readCommitted: boolean,
  ): Promise<[string, number][]> {
    const { listOffsetsV9, listOffsetsV8, listOffsetsV7, listOffsetsV6 } = this.#cluster.library
    const versions = [listOffsetsV9.api, listOffsetsV8.api, listOffsetsV7.api, listOffsetsV6.api]
    const topics = Array.from(Map.groupBy(keys, topicOf), ([name, own]) => ({
      name,
      partitions: own.map((key) => ({ partitionIndex: partitionOf(key), currentLeaderEpoch: -1, timestamp: timestampOf(key) })),
    }))
    const answer = await this.#cluster.request(broker, versions, -1, readCommitted ? 1 : 0, topics)
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, offset }): [string, number] => [partitionKey(name, partitionIndex), Number(offset)]),
    )
  }

  #unknownTopics(missing: readonly string[]): InvalidQueryError {
    return new InvalidQueryError('KAFKA_UNKNOWN_TOPIC', {
      what: `Kafka at ${this.#cluster.servers} has no topic ${missing.join(', ')}, or this user may not see it`,
      todo: 'create the topic first, check the spelling, or grant the right to describe and read it',
    })
  }
}

function topicsOf(subscription: Subscription): string[] | null {
  switch (subscription.kind) {
    case 'assign':
      return [...new Set(subscription.partitions.map(topicOf))]
    case 'subscribe':
      return [...subscription.topics]
    case 'pattern':
      return null
  }
}
function partitionsOf(subscription: Subscription, { topics }: ClusterMetadata): string[] {
  const all = [...topics.values()].flatMap(({ name, isInternal, partitions }) =>
    subscription.kind === 'pattern' && (isInternal || !subscription.matches(name))
      ? []
      : [...partitions.keys()].map((partition) => partitionKey(name, partition)),
  )
  return sortedKeys(subscription.kind === 'assign' ? all.filter((key) => subscription.partitions.includes(key)) : all)
}

function checkSame(option: string, given: ReadonlyMap<string, number>, partitions: readonly string[]): void {
  const [missing, strange] = [partitions.filter((key) => !given.has(key)), [...given.keys()].filter((key) => !partitions.includes(key))]
  if (missing.length + strange.length === 0) return
  const parts = [
    ...(missing.length > 0 ? [`says nothing about ${missing.join(', ')}`] : []),
    ...(strange.length > 0 ? [`names ${strange.join(', ')}, which the query does not read`] : []),
  ]
  const byTime = option.endsWith('ByTimestamp')
  throw new InvalidQueryError(byTime ? 'KAFKA_TIMESTAMP_OFFSET_DOES_NOT_MATCH_ASSIGNED' : 'KAFKA_START_OFFSET_DOES_NOT_MATCH_ASSIGNED', {
    what: `${option} ${parts.join(' and ')}; the query reads ${partitions.join(', ') || 'no partitions'}`,
    todo: 'give every partition that the query reads, and no other; in offsets -1 stands for the latest and -2 for the earliest',
  })
}
