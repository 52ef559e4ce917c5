import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KafkaCluster } from '../../../src/kafka/cluster.ts'
import { freePorts } from '../../servers/free-ports.ts'
import { Broker } from '../broker.ts'
import { produce } from '../produce.ts'
import { createTopic, openCluster } from '../topics.ts'
import { ConsoleReader } from './console-reader.ts'
import { KafkaProxy } from './proxy.ts'
import { endSpare } from './worker-process.ts'

export const outputTopic = 'results'
export const outputPartitions = 3

/** What all rounds share: one broker behind a proxy, one topic for results, and the console consumer that reads it along. */
export class Stage {
  readonly broker: Broker
  readonly proxy: KafkaProxy
  /** Past the proxy, for the rounds' own needs. */
  readonly cluster: KafkaCluster
  readonly reader: ConsoleReader
  readonly work: string
  #restarting: Promise<void> = Promise.resolve()

  private constructor(broker: Broker, proxy: KafkaProxy, cluster: KafkaCluster, work: string, isolation: string) {
    this.broker = broker
    this.proxy = proxy
    this.cluster = cluster
    this.work = work
    this.reader = new ConsoleReader(broker, outputTopic, isolation)
  }
  static async open(isolation = 'read_committed'): Promise<Stage> {
    const [proxyPort] = await freePorts(1)
    const properties = {
      // a transaction is aborted soon after its time is over
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': '100',
    }
    const broker = await Broker.start({ proxyPort: proxyPort!, properties })
    const proxy = await KafkaProxy.listen(proxyPort!, () => broker.portBehindProxy)
    const cluster = await openCluster(broker.bootstrap)
    await createTopic(cluster, outputTopic, outputPartitions)
    return new Stage(broker, proxy, cluster, await mkdtemp(join(tmpdir(), 'millrace-faults-')), isolation)
  }
  get bootstrapBehindProxy(): string {
    return `127.0.0.1:${this.proxy.port}`
  }

  /** One restart after the other. */
  restartBroker(signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#restarting = this.#restarting.then(() => this.broker.restart(signal))
  }
  async settled(): Promise<void> {
    await this.#restarting
  }

  /**
   * Waits until the console consumer has read past everything that a round wrote: behind it, into each partition, goes a record of the stage's own.
   * A transaction that nobody ends holds it up: then false.
   */
  async readPast(round: number, timeoutMs: number): Promise<boolean> {
    const value = JSON.stringify({ end: round })
    const partitions = Array.from({ length: outputPartitions }, (_, partition) => partition)
    await produce(
      this.cluster,
      outputTopic,
      partitions.map((partition) => ({ partition, value })),
    )
    const isThere = () => {
      const ends = new Set([...this.reader.delivered.values()].filter((each) => each.value === value).map(({ partition }) => partition))
      return ends.size === outputPartitions
    }
    return this.reader.waitFor(isThere, timeoutMs)
  }

  /** What a second reader, from the beginning, sees otherwise than the one that read along: what was read once stays, and nothing comes to it. */
  async differencesOfSecondReader(): Promise<string[]> {
    const second = new ConsoleReader(this.broker, outputTopic, 'read_committed')
    try {
      const before = this.reader.delivered
      await second.waitFor(() => second.delivered.size >= before.size, 30_000)
      const places = new Set([...before.keys(), ...second.delivered.keys()])
      const differing = [...places].filter((place) => before.get(place)?.value !== second.delivered.get(place)?.value)
      return differing.map(
        (place) => `${place}: ${before.get(place)?.value} was read along, ${second.delivered.get(place)?.value} is there`,
      )
    } finally {
      second.stop()
    }
  }

  async close(): Promise<void> {
    endSpare()
    this.reader.stop()
    await this.settled().catch(() => {})
    await this.cluster.close()
    await this.proxy.close()
    await this.broker.stop()
    await rm(this.work, { recursive: true, force: true })
  }
}
