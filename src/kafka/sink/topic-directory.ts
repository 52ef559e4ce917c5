import { UnavailableError } from '../../base/errors.ts'
import { type KafkaCluster, responseOf } from '../cluster.ts'
import { failureOf } from '../errors.ts'

/** What the encoder needs to know of a topic. */
export interface TopicFacts {
  readonly partitionCount: number
  /** Those that have a leader, for rows that may go anywhere; all where none has. */
  readonly available: readonly number[]
  /** The largest record batch that the topic takes. */
  readonly maxBatchBytes: number
  /** A compacted topic takes no record without a key. */
  readonly needsKey: boolean
}

/** Kafka's default of max.message.bytes: what a topic is taken to have where its settings may not be read. */
const defaultMaxBytes = 1_048_588
const staleAfterMs = 60_000
const settleMs = 2000
const topicResource = 2

/** Knows the topics that are written to. What it knows is asked for anew now and then, and after failures. */
export class TopicDirectory {
  readonly #cluster: KafkaCluster
  readonly #facts = new Map<string, TopicFacts>()
  /** Learnt from brokers that refused a batch. */
  readonly #limits = new Map<string, number>()
  readonly #missing = new Set<string>()
  #readAtMs = Number.NEGATIVE_INFINITY

  constructor(cluster: KafkaCluster) {
    this.#cluster = cluster
  }

  /** Null: the cluster has no such topic. It must have been asked for. */
  get(topic: string): TopicFacts | null {
    return this.#facts.get(topic) ?? null
  }
  isKnown(topic: string): boolean {
    return this.#facts.has(topic) || this.#missing.has(topic)
  }

  /** At the beginning of a batch: topics that were missing may be there now, and others may have grown. */
  beginBatch(): void {
    if (performance.now() - this.#readAtMs > staleAfterMs) this.forget()
  }
  forget(): void {
    this.#facts.clear()
    this.#missing.clear()
    this.#cluster.forgetMetadata()
  }
  /** A broker refused a batch of that many bytes. False where nothing smaller is left to try. */
  learnLimit(topic: string, refusedBytes: number): void {
    const known = this.#facts.get(topic)?.maxBatchBytes ?? defaultMaxBytes
    this.#limits.set(topic, Math.max(1, Math.min(refusedBytes - 1, known - 1, Math.ceil(refusedBytes / 2))))
    this.#facts.delete(topic)
  }

  /** Asks for topics that are not known yet. One that is missing is looked for a moment longer: it may just have been made. */
  async load(topics: readonly string[]): Promise<void> {
    const unknown = topics.filter((topic) => !this.isKnown(topic))
    if (unknown.length === 0) return
    const untilMs = performance.now() + settleMs
    for (;;) {
      const { topics: found } = await this.#cluster.metadata(unknown)
      const missing = unknown.filter((topic) => !found.has(topic))
      if (missing.length > 0 && performance.now() < untilMs) {
        await new Promise((resolve) => setTimeout(resolve, this.#cluster.options.backoffMs))
        continue
      }
      const settings = await this.#settings(unknown.filter((topic) => found.has(topic)))
      for (const topic of missing) this.#missing.add(topic)
      for (const topic of unknown) {
        const metadata = found.get(topic)
        if (!metadata) continue
        const ids = [...metadata.partitions.keys()].sort((a, b) => a - b)
        const led = ids.filter((id) => metadata.partitions.get(id)!.leader >= 0)
        const { maxBytes = defaultMaxBytes, isCompacted = false } = settings.get(topic) ?? {}
        this.#facts.set(topic, {
          partitionCount: ids.length,
          available: led.length > 0 ? led : ids,
          maxBatchBytes: this.#limits.get(topic) ?? maxBytes,
          needsKey: isCompacted,
        })
      }
      this.#readAtMs = performance.now()
      return
    }
  }

  /** Of topics whose settings this user may read. */
  async #settings(topics: readonly string[]): Promise<Map<string, { maxBytes?: number; isCompacted: boolean }>> {
    const found = new Map<string, { maxBytes?: number; isCompacted: boolean }>()
    if (topics.length === 0) return found
    const configs = await topicConfigs(this.#cluster, topics, ['max.message.bytes', 'cleanup.policy'])
    for (const [topic, config] of configs) {
      const maxBytes = Number(config.get('max.message.bytes'))
      found.set(topic, {
        ...(maxBytes > 0 && { maxBytes }),
        isCompacted: (config.get('cleanup.policy') ?? '').split(',').some((each) => each.trim() === 'compact'),
      })
    }
    return found
  }
}

/** Settings of topics by name; a topic whose settings this user may not read is missing from the answer. */
export async function topicConfigs(
  cluster: KafkaCluster,
  topics: readonly string[],
  names: readonly string[],
): Promise<Map<string, Map<string, string>>> {
  return describeConfigs(cluster, topicResource, topics, names)
}

const brokerResource = 4
/** A setting of a broker, where this user may read it. */
export async function brokerConfig(cluster: KafkaCluster, name: string): Promise<string | undefined> {
  const { brokers } = await cluster.metadata([])
  const id = [...brokers.keys()][0]
  if (id === undefined) return undefined
  return (await describeConfigs(cluster, brokerResource, [String(id)], [name])).get(String(id))?.get(name)
}

async function describeConfigs(
  cluster: KafkaCluster,
  kind: 2 | 4,
  resources: readonly string[],
  names: readonly string[],
): Promise<Map<string, Map<string, string>>> {
  const { describeConfigsV4, describeConfigsV3, describeConfigsV2 } = cluster.library
  const versions = [describeConfigsV4.api, describeConfigsV3.api, describeConfigsV2.api]
  const asked = resources.map((resourceName) => ({ resourceType: kind, resourceName, configurationKeys: [...names] }))
  try {
    const { results } = await cluster.retrying(
      'settings were asked for',
      () =>
        cluster.request('any', versions, asked as never, false, false).catch((error: unknown) => {
          const partial = responseOf<Awaited<ReturnType<typeof describeConfigsV4.api.async>>>(error)
          if (partial && !failureOf(error).canRetry) return partial
          throw error
        }),
      3,
    )
    return new Map(
      results
        .filter(({ errorCode }) => errorCode === 0)
        .map((each) => [each.resourceName, new Map(each.configs.flatMap(({ name, value }) => (value == null ? [] : [[name, value]])))]),
    )
  } catch (error) {
    // whether settings may be read is up to those who run the cluster: without them the defaults are taken
    if (error instanceof UnavailableError) throw error
    return new Map()
  }
}
