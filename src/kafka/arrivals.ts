import type { KafkaCluster } from './cluster.ts'
import { fetchFrom } from './fetch-request.ts'
import { type PartitionOffsets, partitionOf, topicOf } from './offsets.ts'

/**
 * Waits at the brokers for records behind the ends that were last seen, so that a query with nothing to do hears of the next record when it is there,
 * and not when it looks again. Only a hint: what there is says the next look, and a wait that fails is nobody's error.
 */
export class Arrivals {
  readonly #cluster: KafkaCluster
  readonly #settings: { readonly readCommitted: boolean; readonly maxWaitMs: number }
  readonly #onNews: () => void
  #isWaiting = false
  constructor(cluster: KafkaCluster, settings: { readonly readCommitted: boolean; readonly maxWaitMs: number }, onNews: () => void) {
    this.#cluster = cluster
    this.#settings = settings
    this.#onNews = onNews
  }

  /** Returns at once. While one wait is under way another is not begun. */
  wait(ends: PartitionOffsets): void {
    if (this.#isWaiting || ends.size === 0) return
    this.#isWaiting = true
    this.#waitFor(ends)
      .catch(() => {})
      .finally(() => {
        this.#isWaiting = false
      })
  }

  async #waitFor(ends: PartitionOffsets): Promise<void> {
    const leaders = new Map<number, { positions: Map<string, number>; broker: Awaited<ReturnType<KafkaCluster['leaderOf']>> }>()
    for (const [key, end] of ends) {
      const broker = await this.#cluster.leaderOf(topicOf(key), partitionOf(key))
      const leader = leaders.get(broker.nodeId) ?? { positions: new Map(), broker }
      leader.positions.set(key, end)
      leaders.set(broker.nodeId, leader)
    }
    // what is fetched here is thrown away: as little of it as the broker gives
    const settings = { ...this.#settings, minBytes: 1, maxBytes: 1, maxPartitionBytes: 1 }
    let isTold = false
    await Promise.allSettled(
      Array.from(leaders.values(), async ({ broker, positions }) => {
        const parts = await fetchFrom(this.#cluster, broker, positions, settings, 'wait')
        if (isTold || !parts.some(({ records }) => records.length > 0)) return
        isTold = true
        this.#onNews()
      }),
    )
  }
}
