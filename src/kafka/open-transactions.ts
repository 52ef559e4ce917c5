import type { Clock } from '../base/clock.ts'
import type { KafkaCluster } from './cluster.ts'
import type { OffsetReader } from './offset-reader.ts'
import { offsetJson, type PartitionOffsets, partitionOf, sortedKeys, topicOf } from './offsets.ts'
import { producersOf } from './producers.ts'

/** How often the ends that nobody has settled yet are asked for. */
const intervalMs = 5_000
/** So long a transaction may be open before somebody is told: Kafka's transaction.timeout.ms, after which its coordinator ends one. */
const toldAfterMs = 60_000

interface Held {
  readonly offset: number
  readonly sinceMs: number
  readonly isTold: boolean
}

/**
 * Partitions of which a reader of read_committed sees nothing new because of a transaction that is open there: whoever wrote it runs long, has died, or the cluster has forgotten to end it. It looks like silence from
 * outside. Only a hint, for progress and the log: what can't be found out is left out.
 */
export class OpenTransactions {
  readonly #cluster: KafkaCluster
  readonly #reader: OffsetReader
  readonly #clock: Clock
  readonly #warn: (text: string) => void
  #lookedAtMs = Number.NEGATIVE_INFINITY
  #isLooking = false
  /** By partition: where a transaction that is open began, at the latest. */
  #held = new Map<string, Held>()
  #ends: PartitionOffsets = new Map()
  constructor(cluster: KafkaCluster, reader: OffsetReader, clock: Clock, warn: (text: string) => void = () => {}) {
    this.#cluster = cluster
    this.#reader = reader
    this.#clock = clock
    this.#warn = warn
  }

  /** `settled`: the ends that read_committed sees. Returns at once; looks at most once in five seconds. */
  look(settled: PartitionOffsets): void {
    const nowMs = this.#clock.monotonicMs()
    if (this.#isLooking || nowMs - this.#lookedAtMs < intervalMs) return
    this.#lookedAtMs = nowMs
    this.#isLooking = true
    this.#lookNow(settled, nowMs)
      .catch(() => {})
      .finally(() => {
        this.#isLooking = false
      })
  }

  metrics(): Record<string, string> {
    if (this.#held.size === 0) return {}
    const of = (pick: (key: string, held: Held) => number) =>
      JSON.stringify(offsetJson(new Map([...this.#held].map(([key, held]) => [key, pick(key, held)]))))
    return {
      openTransactionsSinceOffset: of((_, { offset }) => offset),
      offsetsBehindOpenTransactions: of((key, { offset }) => this.#ends.get(key)! - offset),
    }
  }

  async #lookNow(settled: PartitionOffsets, nowMs: number): Promise<void> {
    const ends = await this.#reader.unsettledEnds([...settled.keys()])
    const held = new Map<string, Held>()
    for (const key of sortedKeys(settled.keys())) {
      const offset = settled.get(key)!
      if ((ends.get(key) ?? 0) <= offset) continue
      const known = this.#held.get(key)
      held.set(key, known?.offset === offset ? known : { offset, sinceMs: nowMs, isTold: false })
    }
    const due = [...held].filter(([, { isTold, sinceMs }]) => !isTold && nowMs - sinceMs >= toldAfterMs)
    for (const [key, one] of due) held.set(key, { ...one, isTold: true })
    this.#held = held
    this.#ends = ends
    for (const [key, { offset, sinceMs }] of due) {
      const producer = await this.#producerAt(key, offset).catch(() => '')
      this.#warn(
        `${key} has had a transaction open at offset ${offset} for ${Math.round((nowMs - sinceMs) / 1000)} s${producer}: the offsets ${offset} to ${ends.get(key)! - 1} wait for its end, as kafka.isolation.level = read_committed says. Where nobody is writing it any more, end it: docs/kafka.md, Open transactions`,
      )
    }
  }

  /** Who has it open; nothing where this user may not ask. */
  async #producerAt(key: string, offset: number): Promise<string> {
    const [topic, partition] = [topicOf(key), partitionOf(key)]
    const found = await producersOf(this.#cluster, await this.#cluster.leaderOf(topic, partition), [{ topic, partition }])
    const own = found.find(({ producer }) => producer.currentTxnStartOffset === BigInt(offset))
    return own === undefined ? '' : `, by producer ${own.producer.producerId} (epoch ${own.producer.producerEpoch})`
  }
}
