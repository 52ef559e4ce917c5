import type { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { SourceContext } from '../sources/provider.ts'
import { boundOf, type Offset, type ReadLimit, type RowsNeeded, type Source } from '../sources/source.ts'
import { StartNote } from '../sources/start-note.ts'
import { Arrivals } from './arrivals.ts'
import type { KafkaCluster } from './cluster.ts'
import { Fetcher, goneAfterMs, type OffsetRange } from './fetcher.ts'
import { GroupCommitter } from './group-committer.ts'
import { initialOffsets } from './initial-offsets.ts'
import { lagMetrics } from './lag.ts'
import { type AvailableNowLoss, LostRanges } from './lost-ranges.ts'
import { OffsetReader } from './offset-reader.ts'
import { countBetween, offsetJson, offsetsOf, type PartitionOffsets, partitionOf, proRata, topicOf } from './offsets.ts'
import { OpenTransactions } from './open-transactions.ts'
import { readRanges } from './read-ranges.ts'
import { kafkaOrigin } from './schema.ts'
import type { KafkaSourceOptions, Subscription } from './source-options.ts'

/** How often the cluster is asked for new topics and partitions, at most. */
const partitionsIntervalMs = 500

/** A stream over topics. An offset is Spark's: the next offset of each partition, by topic. */
export class KafkaSource implements Source {
  readonly schema: Schema
  readonly description: string
  readonly readLimit: ReadLimit
  readonly originColumns = kafkaOrigin
  readonly #context: SourceContext
  readonly #options: KafkaSourceOptions
  readonly #cluster: KafkaCluster
  readonly #reader: OffsetReader
  readonly #fetcher: Fetcher
  readonly #lost: LostRanges
  /** With read_committed. */
  readonly #open: OpenTransactions | undefined
  readonly #committer: GroupCommitter | undefined
  readonly #arrivals: Arrivals | undefined
  readonly #note: StartNote<PartitionOffsets>
  #initial: PartitionOffsets | undefined
  /** What there was when it was last looked at. */
  #latest: PartitionOffsets | undefined
  #partitions: readonly string[] = []
  #partitionsAtMs = Number.NEGATIVE_INFINITY
  /** Where an AvailableNow run ends. */
  #frozen: PartitionOffsets | undefined
  /** Whether there was no partition any more when it was last looked at. */
  #wasEmpty = false
  /** When a look last did not wait for minOffsetsPerTrigger. */
  #lastLookMs = Number.NEGATIVE_INFINITY

  constructor(context: SourceContext, options: KafkaSourceOptions, cluster: KafkaCluster) {
    this.schema = context.schema
    this.description = `KafkaV2[${describe(options.subscription)}]`
    this.#context = context
    this.#note = new StartNote(context, initialOffsets)
    this.#options = options
    this.#cluster = cluster
    this.#reader = new OffsetReader(cluster, options)
    this.#fetcher = new Fetcher(cluster, { ...options.fetch, ...options })
    this.#lost = new LostRanges(context, options.failOnDataLoss)
    this.#committer =
      options.commit && new GroupCommitter(cluster, options.commit.id ?? `${options.commit.prefix}-${context.queryId}`, context.warn)
    const { readCommitted, fetch } = options
    this.#open = readCommitted ? new OpenTransactions(cluster, this.#reader, context.clock, context.warn) : undefined
    this.#arrivals = context.onNews && new Arrivals(cluster, { readCommitted, maxWaitMs: fetch.maxWaitMs }, context.onNews)
    const { maxOffsetsPerTrigger: max, minOffsetsPerTrigger: min } = options
    // a lower bound alone is a limit too: a batch that is to take everything passes over it
    this.readLimit = max === undefined && min === undefined ? { kind: 'all' } : { kind: 'max-rows', count: max ?? Number.MAX_SAFE_INTEGER }
  }

  async latestOffset(start: Offset | null, limit: ReadLimit): Promise<Offset | null> {
    const from = start === null ? await this.#begin() : offsetsOf(start)
    if (start !== null) this.#committer?.commit(from)
    const latest = this.#frozen ? await this.#frozenFrom(from, this.#frozen) : await this.#look(from)
    const gone = [...from.keys()].filter((key) => !latest.has(key))
    // once they are out of the offsets they are not reported again; an offset without any partition is none, as in Spark
    const isEmpty = latest.size === 0 && from.size > 0
    if (!isEmpty || !this.#wasEmpty) {
      await this.#lost.report(
        'PARTITIONS_DELETED',
        gone.map((key) => lostRange(key, from.get(key)!, from.get(key)!, 'the partition was deleted')),
      )
    }
    this.#wasEmpty = isEmpty
    if (isEmpty) return start
    const begin = await this.#withNewPartitions(from, latest)
    const until = new Map([...latest].filter(([key]) => begin.has(key)))
    const wasSetBack = [...until].some(([key, end]) => end < begin.get(key)!)
    const count = countBetween(begin, until)
    const waits = limit.kind !== 'all' && !wasSetBack && this.#waitsForMore(count)
    // a look that finds nothing counts too, as in Spark: what comes next waits its time
    if (!waits) this.#lastLookMs = this.#context.clock.nowMs()
    if (count === 0 && !wasSetBack && until.size === from.size && [...until.keys()].every((key) => from.has(key))) {
      if (!this.#frozen) this.#arrivals?.wait(until)
      return start
    }
    if (waits) return start
    return offsetJson(proRata(boundOf(limit, 'max-rows'), begin, until))
  }

  async rows(start: Offset | null, end: Offset, needed?: RowsNeeded): Promise<SourceBatch> {
    const from = start === null ? (this.#initial ??= await this.#note.readWritten()) : offsetsOf(start)
    const until = offsetsOf(end)
    const ranges = await this.#rangesOf(from, until)
    const checked = this.#checkPlanned(until)
    checked.catch(() => {})
    const batch = await readRanges(ranges, {
      fetcher: this.#fetcher,
      cluster: this.#cluster,
      options: this.#options,
      schema: this.schema,
      needed,
      onLost: (range, why) => this.#whereItGoesOn(range, why),
    })
    try {
      await checked
    } catch (error) {
      if (batch.kind === 'json-values') await batch.release()
      throw error
    }
    if (this.#latest) this.#fetcher.prefetch(until, this.#frozen ?? this.#latest)
    return batch
  }

  async commit(end: Offset): Promise<void> {
    this.#committer?.commit(offsetsOf(end))
  }

  partitions(end: Offset | null): { topic: string; partition: number }[] {
    return [...(end === null ? new Map() : offsetsOf(end)).keys()].map((key) => ({ topic: topicOf(key), partition: partitionOf(key) }))
  }

  async prepareForAvailableNow(): Promise<void> {
    const known = this.#initial ?? (await this.#note.read()) ?? new Map<string, number>()
    this.#frozen = await this.#reader.latest(await this.#reader.partitions(new Set([...known.keys()].map(topicOf))))
    this.#latest = this.#frozen
    this.#open?.look(this.#frozen)
  }

  reportLatestOffset(): Offset | null {
    return this.#latest ? offsetJson(this.#latest) : null
  }

  metrics(latestConsumed: Offset | null): Record<string, string> {
    return {
      ...lagMetrics(this.#latest, latestConsumed === null ? undefined : offsetsOf(latestConsumed)),
      ...this.#lost.metrics(),
      ...this.#open?.metrics(),
    }
  }

  async stop(): Promise<void> {
    await this.#fetcher.stop()
    await this.#committer?.finish()
    await this.#cluster.close()
  }

  /** Where the query began, or begins now. */
  async #begin(): Promise<PartitionOffsets> {
    this.#initial ??= await this.#note.read()
    if (this.#initial) return this.#initial
    const partitions = await this.#reader.partitions()
    const offsets = await this.#reader.resolve(this.#options.starting, 'starting', partitions)
    this.#initial = await this.#note.write(offsets)
    return this.#initial
  }

  /** The ends of all partitions now. */
  async #look(from: PartitionOffsets): Promise<PartitionOffsets> {
    const nowMs = this.#context.clock.monotonicMs()
    const list = async () => {
      this.#partitions = await this.#reader.partitions(new Set([...from.keys()].map(topicOf)))
      this.#partitionsAtMs = nowMs
      return this.#partitions
    }
    if (nowMs - this.#partitionsAtMs >= partitionsIntervalMs || this.#partitions.length === 0) await list()
    this.#latest = await this.#reader.latestFrom(from, this.#partitions, list)
    this.#open?.look(this.#latest)
    return this.#latest
  }
  /** Where an AvailableNow run ends: what was asked before it was known where the run begins. */
  async #frozenFrom(from: PartitionOffsets, frozen: PartitionOffsets): Promise<PartitionOffsets> {
    if ([...frozen].every(([key, end]) => end >= (from.get(key) ?? 0))) return frozen
    this.#frozen = this.#latest = await this.#reader.latestFrom(from, [...frozen.keys()])
    return this.#frozen
  }

  /** Partitions that came since are read from their beginning. */
  async #withNewPartitions(from: PartitionOffsets, latest: PartitionOffsets): Promise<PartitionOffsets> {
    const added = [...latest.keys()].filter((key) => !from.has(key))
    if (added.length === 0) return from
    return new Map([...from, ...(await this.#reader.earliest(added))])
  }

  /** minOffsetsPerTrigger: whether the batch waits until more has come, or until the time is over. Not at the end of an AvailableNow run. */
  #waitsForMore(count: number): boolean {
    const { minOffsetsPerTrigger: min, maxTriggerDelayMs } = this.#options
    if (min === undefined || this.#frozen || count >= min) return false
    return this.#context.clock.nowMs() - this.#lastLookMs < maxTriggerDelayMs
  }

  async #rangesOf(from: PartitionOffsets, until: PartitionOffsets): Promise<OffsetRange[]> {
    const added = [...until.keys()].filter((key) => !from.has(key))
    const setBack = [...until].filter(([key, end]) => from.has(key) && end < from.get(key)!).map(([key]) => key)
    const begin = await this.#reader.earliest([...added, ...setBack])
    await this.#lost.report(
      'ADDED_PARTITION_DOES_NOT_START_FROM_OFFSET_ZERO',
      added
        .filter((key) => begin.get(key)! > 0)
        .map((key) => lostRange(key, 0, begin.get(key)!, 'the partition came since the last batch and begins later')),
    )
    await this.#lost.report(
      'START_OFFSET_RESET',
      setBack.map((key) =>
        lostRange(
          key,
          from.get(key)!,
          from.get(key)!,
          `the partition ends at ${until.get(key)} now: its topic was made anew (or the first start was told an offset that is not there yet), and is read from its beginning`,
        ),
      ),
    )
    return [...until].map(([key, end]) => ({ key, from: begin.get(key) ?? from.get(key)!, until: end }))
  }

  /**
   * As in Spark, what an AvailableNow run had in view when it began must be there with each batch: a topic that was made anew may have other records under
   * the same offsets. With failOnDataLoss = false only what a fetch finds gone counts.
   */
  async #checkPlanned(until: PartitionOffsets): Promise<void> {
    const frozen = this.#frozen
    // a batch that an earlier run planned may end beyond, and is read like any other
    if (!frozen || !this.#options.failOnDataLoss || [...until].some(([key, end]) => end > (frozen.get(key) ?? -1))) return
    const list = () => this.#reader.partitions(new Set([...until.keys()].map(topicOf)))
    for (const deadlineMs = performance.now() + goneAfterMs; ; ) {
      const there = new Set(await list())
      const ends = await this.#reader.latestFrom(
        until,
        [...until.keys()].filter((key) => there.has(key)),
        list,
      )
      const gone = [...until.keys()].filter((key) => !ends.has(key))
      if (gone.length === 0) {
        const behind = [...until].filter(([key, end]) => ends.get(key)! < end)
        const ranges = behind.map(([key, end]) => lostRange(key, ends.get(key)!, end, `the partition ends at ${ends.get(key)}`))
        const code = 'END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW'
        return this.#lost.report('COULD_NOT_READ_OFFSET_RANGE', ranges, code)
      }
      if (performance.now() > deadlineMs) {
        const ranges = gone.map((key) => lostRange(key, until.get(key)!, until.get(key)!, 'the partition was deleted'))
        return this.#lost.report('PARTITIONS_DELETED', ranges, 'LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW')
      }
      await new Promise((resolve) => setTimeout(resolve, this.#cluster.options.backoffMs))
    }
  }

  /** A fetch found that records are gone: where the next ones are. */
  async #whereItGoesOn({ key, from, until }: OffsetRange, why: string): Promise<number> {
    const exists = (await this.#cluster.metadata([topicOf(key)])).topics.get(topicOf(key))?.partitions.has(partitionOf(key))
    const earliest = exists ? (await this.#reader.earliest([key])).get(key)! : until
    const next = earliest > from ? Math.min(earliest, until) : until
    const lost = lostRange(key, from, next, exists ? `${why}; its log begins at ${earliest}` : why)
    await this.#lost.report('COULD_NOT_READ_OFFSET_RANGE', [lost], await this.#lossOfAvailableNow(key, until, exists === true))
    return next
  }
  async #lossOfAvailableNow(key: string, until: number, exists: boolean): Promise<AvailableNowLoss | undefined> {
    if (!this.#frozen) return undefined
    if (!exists) return 'LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW'
    const isSetBack = (await this.#reader.latest([key])).get(key)! < until
    return isSetBack ? 'END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW' : undefined
  }
}

function lostRange(key: string, from: number, until: number, why: string) {
  return { topic: topicOf(key), partition: partitionOf(key), from, until, why }
}

function describe(subscription: Subscription): string {
  switch (subscription.kind) {
    case 'assign':
      return `Assign[${subscription.partitions.join(', ')}]`
    case 'subscribe':
      return `Subscribe[${subscription.topics.join(', ')}]`
    case 'pattern':
      return `SubscribePattern[${subscription.pattern}]`
  }
}
