import { UnavailableError } from '../base/errors.ts'
import type { BrokerAddress, KafkaCluster } from './cluster.ts'
import { failureOf, kafkaError } from './errors.ts'
import { type FetchedPartition, type FetchSettings, fetchFrom, offsetBehind } from './fetch-request.ts'
import { type PartitionOffsets, partitionOf, sortedKeys, topicOf } from './offsets.ts'
import type { AbortedTransaction } from './record-batch.ts'

/** Records of one partition as they were fetched. */
export interface Chunk {
  readonly records: Buffer
  /** Of its first record, or below. */
  readonly from: number
  /** Behind its last whole batch. */
  readonly nextOffset: number
  readonly aborted: readonly AbortedTransaction[]
  /** Up to here it was read, and may have been written over. */
  usedUntil: number
}
/** Offsets of a partition: from … until − 1. */
export interface OffsetRange {
  readonly key: string
  readonly from: number
  readonly until: number
}
/** Gets what was fetched of a range, in the order of offsets; takes what lies within the range. Once it is done, the chunk's memory is used again. */
export type Consume = (range: OffsetRange, chunk: Chunk) => Promise<void> | void
/** The same for what may be kept: whether nobody looks at the chunk any more. */
type Take = (range: OffsetRange, chunk: Chunk) => Promise<boolean> | boolean
/** Called where records of a range are gone; gives where to go on, or throws. */
export type OnLost = (range: OffsetRange, why: string) => Promise<number>

export interface FetcherSettings extends FetchSettings {
  /** How long nothing may come of what must be there. */
  readonly pollTimeoutMs: number
  /** How many bytes may lie ready for the batch after this one. */
  readonly prefetchBytes: number
}

/** What was fetched and not read yet, by partition; each queue goes on without a gap. */
interface Queue {
  readonly chunks: Chunk[]
  /** Behind the last chunk. */
  position: number
}

const [offsetOutOfRange, unknownTopicOrPartition] = [1, 3]
/** The partition has moved, or its leader is not ready: ask for the leader again. */
const movedCodes: ReadonlySet<number> = new Set([5, 6, 9, 56, 74, 75, 78, 100, 103, unknownTopicOrPartition])

/**
 * Fetches ranges of offsets from the leaders of their partitions, and goes on fetching behind them while a batch is processed. The next
 * request to a broker is sent before the answer to the last one is decoded.
 */
export class Fetcher {
  readonly #cluster: KafkaCluster
  readonly #settings: FetcherSettings
  readonly #queues = new Map<string, Queue>()
  #prefetching: Promise<void> = Promise.resolve()
  #isStopping = false
  constructor(cluster: KafkaCluster, settings: FetcherSettings) {
    this.#cluster = cluster
    this.#settings = settings
  }

  /** Hands every record of the ranges to `consume`, one range's records in order. Rejects with an error of Millrace. */
  async read(ranges: readonly OffsetRange[], consume: Consume, onLost: OnLost): Promise<void> {
    this.#isStopping = true
    await this.#prefetching
    this.#isStopping = false
    const rest = new Map<string, OffsetRange>()
    for (const range of ranges) {
      const from = await this.#takeReady(range, consume)
      if (from < range.until) rest.set(range.key, { ...range, from })
    }
    const take: Take = async (range, chunk) => {
      await consume(range, chunk)
      return true
    }
    await this.#fetchAll(rest, take, onLost)
  }

  /** Fetches behind the given offsets what is there already, without waiting for it, until enough bytes are ready. Errors are left to `read`. */
  prefetch(from: PartitionOffsets, available: PartitionOffsets): void {
    const { prefetchBytes } = this.#settings
    if (prefetchBytes === 0) return
    const ranges = new Map<string, OffsetRange>()
    for (const [key, offset] of from) {
      const queue = this.#queues.get(key)
      if (queue && (queue.chunks[0]?.from ?? queue.position) > offset) this.#queues.delete(key)
      const position = Math.max(offset, this.#queues.get(key)?.position ?? 0)
      const until = available.get(key) ?? 0
      if (position < until) ranges.set(key, { key, from: position, until })
    }
    if (ranges.size === 0) return
    const isFull = () => this.#isStopping || this.#readyBytes() >= prefetchBytes
    this.#prefetching = this.#fetchAll(
      ranges,
      (range, chunk) => {
        this.#keep(range.key, chunk)
        return false
      },
      () => Promise.reject(new Error('later')),
      isFull,
    ).catch(() => {})
  }

  /** Waits for the request that is under way. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#prefetching
    this.#queues.clear()
  }

  #readyBytes(): number {
    let bytes = 0
    for (const { chunks } of this.#queues.values()) for (const { records } of chunks) bytes += records.length
    return bytes
  }
  #keep(key: string, chunk: Chunk): void {
    const queue = this.#queues.get(key)
    if (queue && queue.position === chunk.from) {
      queue.chunks.push(chunk)
      queue.position = chunk.nextOffset
    } else this.#queues.set(key, { chunks: [chunk], position: chunk.nextOffset })
  }

  /** Reads what lies ready; gives the offset from which on the rest is missing. */
  async #takeReady(range: OffsetRange, consume: Consume): Promise<number> {
    const queue = this.#queues.get(range.key)
    if (!queue) return range.from
    let from = range.from
    while (queue.chunks.length > 0 && from < range.until) {
      const chunk = queue.chunks[0]!
      // a batch of before: replayed, or read by another plan
      if (chunk.from > from || chunk.usedUntil > from) break
      if (chunk.nextOffset > from) {
        await consume({ ...range, from }, chunk)
        from = Math.min(chunk.nextOffset, range.until)
        chunk.usedUntil = from
      }
      if (chunk.nextOffset > range.until) break
      queue.chunks.shift()
      this.#cluster.frames.give(chunk.records)
    }
    if (queue.chunks.length === 0 || queue.chunks[0]!.from > from || queue.chunks[0]!.usedUntil > from) this.#queues.delete(range.key)
    return from
  }

  async #fetchAll(ranges: Map<string, OffsetRange>, take: Take, onLost: OnLost, isEnough = () => false): Promise<void> {
    const patience = new Patience(this.#cluster, this.#settings.pollTimeoutMs)
    while (ranges.size > 0 && !isEnough()) {
      let failed: unknown
      try {
        const leaders = await this.#byLeader(ranges.values())
        const ran = await Promise.allSettled(
          leaders.map(({ broker, own }) => this.#fetchFromLeader(broker, own, ranges, take, onLost, patience, isEnough)),
        )
        failed = ran.find((each) => each.status === 'rejected')?.reason
      } catch (error) {
        failed = error
      }
      if (failed === undefined) continue
      await patience.afterFailure(failed, ranges)
      if (patience.isTopicGone(failed)) await this.#giveUpMissing(ranges, onLost)
    }
  }

  /** Partitions that the cluster has not known for a while are gone, with their records. */
  async #giveUpMissing(ranges: Map<string, OffsetRange>, onLost: OnLost): Promise<void> {
    const { topics } = await this.#cluster.metadata([...new Set([...ranges.keys()].map(topicOf))])
    for (const range of [...ranges.values()]) {
      if (topics.get(topicOf(range.key))?.partitions.has(partitionOf(range.key))) continue
      const next = await onLost(range, 'the cluster has no such partition any more')
      if (next >= range.until) ranges.delete(range.key)
      else ranges.set(range.key, { ...range, from: next })
    }
  }

  async #byLeader(ranges: Iterable<OffsetRange>): Promise<{ broker: BrokerAddress; own: string[] }[]> {
    const leaders = new Map<string, { broker: BrokerAddress; own: string[] }>()
    for (const { key } of ranges) {
      const broker = await this.#cluster.leaderOf(topicOf(key), partitionOf(key))
      const leader = leaders.get(`${broker.host}:${broker.port}`) ?? { broker, own: [] }
      leader.own.push(key)
      leaders.set(`${broker.host}:${broker.port}`, leader)
    }
    return [...leaders.values()]
  }

  /** Fetches from one broker until its partitions' ranges are done. Takes what is done out of `ranges`, and moves the rest on. */
  async #fetchFromLeader(
    broker: BrokerAddress,
    own: readonly string[],
    ranges: Map<string, OffsetRange>,
    take: Take,
    onLost: OnLost,
    patience: Patience,
    isEnough: () => boolean,
  ): Promise<void> {
    const send = (): Promise<FetchedPartition[]> | undefined => {
      const positions = new Map(sortedKeys(own).flatMap((key) => (ranges.has(key) ? [[key, ranges.get(key)!.from] as const] : [])))
      if (positions.size === 0 || isEnough()) return undefined
      const request = fetchFrom(this.#cluster, broker, positions, this.#settings)
      request.catch(() => {}) // awaited below
      return request
    }
    for (let request = send(); request; ) {
      const fetched = await request
      const arrived: { readonly range: OffsetRange; readonly chunk: Chunk }[] = []
      for (const part of fetched) {
        const range = ranges.get(part.key)
        if (!range) {
          this.#cluster.frames.give(part.records)
          continue
        }
        const next = await this.#positionAfter(part, range, onLost, patience)
        if (next > range.from) patience.somethingCame()
        if (part.errorCode === 0 && next > range.from) {
          arrived.push({ range, chunk: { records: part.records, from: range.from, nextOffset: next, aborted: part.aborted, usedUntil: 0 } })
        } else this.#cluster.frames.give(part.records)
        if (next >= range.until) ranges.delete(part.key)
        else ranges.set(part.key, { ...range, from: next })
      }
      if (arrived.length === 0) patience.nothingCame(ranges)
      request = send()
      for (const { range, chunk } of arrived) {
        const isRead = await take(range, chunk)
        chunk.usedUntil = Math.min(chunk.nextOffset, range.until)
        // what came with it and belongs to the next batch
        if (chunk.nextOffset > range.until && !ranges.has(range.key)) this.#keep(range.key, chunk)
        else if (isRead) this.#cluster.frames.give(chunk.records)
      }
    }
  }

  /** Where to go on after an answer. */
  async #positionAfter(part: FetchedPartition, range: OffsetRange, onLost: OnLost, patience: Patience): Promise<number> {
    if (part.errorCode === offsetOutOfRange) return onLost(range, 'the broker has not got this offset any more')
    if (part.errorCode !== 0)
      throw new this.#cluster.library.ProtocolError(part.errorCode, null, movedCodes.has(part.errorCode) ? { canRetry: true } : {})
    const next = offsetBehind(part.records, range.from)
    const endsBefore = next === range.from && part.records.length === 0 && part.highWatermark <= range.from
    if (!patience.isConfirmed(range.key, endsBefore)) return next
    return onLost(range, "the partition's log ends before it")
  }
}

/** How long the cluster must lack something that it once had before it is taken for lost. */
export const goneAfterMs = 3000

/** How long a read goes on trying. */
class Patience {
  readonly #cluster: KafkaCluster
  readonly #pollTimeoutMs: number
  readonly #shortSinceMs = new Map<string, number>()
  #lastMs = performance.now()
  #backoffMs: number
  constructor(cluster: KafkaCluster, pollTimeoutMs: number) {
    this.#cluster = cluster
    this.#pollTimeoutMs = pollTimeoutMs
    this.#backoffMs = cluster.options.backoffMs
  }
  somethingCame(): void {
    this.#lastMs = performance.now()
    this.#backoffMs = this.#cluster.options.backoffMs
  }
  nothingCame(ranges: ReadonlyMap<string, OffsetRange>): void {
    if (ranges.size === 0 || performance.now() - this.#lastMs < this.#pollTimeoutMs) return
    throw new UnavailableError('KAFKA_FETCH_TIMEOUT', {
      what: `nothing came of ${describe(ranges)} within ${this.#pollTimeoutMs} ms, though the broker has them`,
      todo: 'start the query again; where that does not help, look at the load and the log of the broker, or set kafkaConsumer.pollTimeoutMs higher',
    })
  }
  /** A broker that has just come up may for a moment know less than it has: what it lacks is lost where it goes on lacking it. */
  isConfirmed(key: string, endsBefore: boolean): boolean {
    if (!endsBefore) this.#shortSinceMs.delete(key)
    else if (!this.#shortSinceMs.has(key)) this.#shortSinceMs.set(key, performance.now())
    return endsBefore && performance.now() - this.#shortSinceMs.get(key)! > goneAfterMs
  }
  /** A topic that was just made, or a broker that was just started, may be unknown for a moment. */
  isTopicGone(error: unknown): boolean {
    return failureOf(error).code === 'UNKNOWN_TOPIC_OR_PARTITION' && performance.now() - this.#lastMs > goneAfterMs
  }
  /** Waits before the next attempt, or throws: an error that stays, or one that lasted too long. */
  async afterFailure(error: unknown, ranges: ReadonlyMap<string, OffsetRange>): Promise<void> {
    const { options, servers } = this.#cluster
    const isOver = performance.now() - this.#lastMs > options.callTimeoutMs
    if (!failureOf(error).canRetry || isOver) throw kafkaError(error, `${describe(ranges)} were fetched`, servers)
    this.#cluster.forgetMetadata()
    await new Promise((resolve) => setTimeout(resolve, this.#backoffMs))
    this.#backoffMs = Math.min(2 * this.#backoffMs, options.maxBackoffMs)
  }
}

/** `offsets 5 to 9 of clicks-0`. */
export function describe(ranges: ReadonlyMap<string, OffsetRange>): string {
  const shown = [...ranges.values()].slice(0, 4).map(({ key, from, until }) => `${from} to ${until - 1} of ${key}`)
  return `offsets ${shown.join(', ')}${ranges.size > 4 ? ` and ${ranges.size - 4} more partitions` : ''}`
}
