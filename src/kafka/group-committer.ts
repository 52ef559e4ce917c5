import type { KafkaCluster } from './cluster.ts'
import { failureOf } from './errors.ts'
import { type PartitionOffsets, partitionOf, topicOf } from './offsets.ts'

/**
 * Commits the offsets of finished batches to a consumer group, so that tools that show the lag of groups show this query. Only for others
 * to look at: the checkpoint alone says where the query goes on, and a commit that fails stops nothing.
 */
export class GroupCommitter {
  readonly group: string
  readonly #cluster: KafkaCluster
  readonly #warn: ((text: string) => void) | undefined
  #pending: PartitionOffsets | undefined
  #committed = ''
  #running: Promise<void> = Promise.resolve()
  #isRunning = false
  #lastWarning = ''
  constructor(cluster: KafkaCluster, group: string, warn: ((text: string) => void) | undefined) {
    this.#cluster = cluster
    this.group = group
    this.#warn = warn
  }

  /** Returns at once; while one commit is under way, only the newest offsets wait for the next. */
  commit(offsets: PartitionOffsets): void {
    this.#pending = offsets
    if (!this.#isRunning) this.#running = this.#run()
  }
  /** Waits for what is under way. */
  finish(): Promise<void> {
    return this.#running
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    for (let offsets = this.#pending; offsets; offsets = this.#pending) {
      this.#pending = undefined
      const text = JSON.stringify([...offsets])
      if (text === this.#committed) continue
      try {
        await this.#send(offsets)
        this.#committed = text
      } catch (error) {
        this.#tell(failureOf(error).message)
      }
    }
    this.#isRunning = false
  }

  async #send(offsets: PartitionOffsets): Promise<void> {
    const { offsetCommitV9, offsetCommitV8 } = this.#cluster.library
    const topics = Array.from(
      Map.groupBy(offsets, ([key]) => topicOf(key)),
      ([name, own]) => ({
        name,
        partitions: own.map(([key, offset]) => ({
          partitionIndex: partitionOf(key),
          committedOffset: BigInt(offset),
          committedLeaderEpoch: -1,
          committedMetadata: '',
        })),
      }),
    )
    await this.#cluster.retrying(
      `offsets were committed to the group ${this.group}`,
      async () => {
        const broker = await this.#cluster.coordinatorOf('group', this.group)
        await this.#cluster.requestIn('group', broker, [offsetCommitV9.api, offsetCommitV8.api], this.group, -1, '', null, topics)
      },
      3,
    )
  }

  /** Once for each reason. */
  #tell(why: string): void {
    if (why === this.#lastWarning) return
    this.#lastWarning = why
    this.#warn?.(`offsets could not be committed to the consumer group ${this.group}, and the query goes on: ${why}`)
  }
}
