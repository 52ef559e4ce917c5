import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { ClientProperties, isClientProperty } from './client-properties.ts'
import { connectionOf, type KafkaConnection } from './connection-options.ts'
import { parseOffsets, partitionKey, sortedKeys } from './offsets.ts'

/** Which partitions are read. */
export type Subscription =
  | { readonly kind: 'assign'; readonly partitions: readonly string[] }
  | { readonly kind: 'subscribe'; readonly topics: readonly string[] }
  | { readonly kind: 'pattern'; readonly pattern: string; readonly matches: (topic: string) => boolean }

/** Where reading begins or ends. */
export type Boundary =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  /** -2 stands for the earliest offset, -1 for the latest. */
  | { readonly kind: 'offsets'; readonly offsets: ReadonlyMap<string, number> }
  | { readonly kind: 'timestamp'; readonly timestampMs: number }
  | { readonly kind: 'timestamps'; readonly timestampsMs: ReadonlyMap<string, number> }

export interface KafkaSourceOptions {
  readonly connection: KafkaConnection
  readonly subscription: Subscription
  readonly starting: Boundary
  /** Batch reads only. */
  readonly ending: Boundary
  /** What a starting timestamp means for a partition that has no record from then on. */
  readonly unmatchedTimestamp: 'error' | 'latest'
  readonly failOnDataLoss: boolean
  readonly maxOffsetsPerTrigger: number | undefined
  readonly minOffsetsPerTrigger: number | undefined
  readonly maxTriggerDelayMs: number
  readonly includeHeaders: boolean
  readonly readCommitted: boolean
  readonly checkCrcs: boolean
  readonly fetch: { readonly minBytes: number; readonly maxBytes: number; readonly maxPartitionBytes: number; readonly maxWaitMs: number }
  /** How long a fetch may bring nothing of what must be there. */
  readonly pollTimeoutMs: number
  readonly offsetAttempts: number
  readonly prefetchBytes: number
  /** The consumer group that processed offsets are committed to; `id` null: one named after the query. */
  readonly commit: { readonly id: string | null; readonly prefix: string } | undefined
}

const limits = ['maxOffsetsPerTrigger', 'minOffsetsPerTrigger', 'maxTriggerDelay']
const endings = ['endingTimestamp', 'endingOffsetsByTimestamp', 'endingOffsets']
/** The options of the source beside those that begin with `kafka.`. */
export const sourceOptionNames: readonly string[] = [
  ...['assign', 'subscribe', 'subscribePattern', 'includeHeaders', 'failOnDataLoss', 'groupIdPrefix', 'commitOffsets', 'prefetchBytes'],
  ...['startingTimestamp', 'startingOffsetsByTimestamp', 'startingOffsets', 'startingOffsetsByTimestampStrategy'],
  ...['minPartitions', 'maxRecordsPerPartition', 'kafkaConsumer.pollTimeoutMs', 'fetchOffset.numRetries', 'fetchOffset.retryIntervalMs'],
  ...limits,
  ...endings,
]

const consumerProperties = [
  ...['isolation.level', 'check.crcs', 'fetch.min.bytes', 'fetch.max.bytes', 'fetch.max.wait.ms', 'max.partition.fetch.bytes', 'group.id'],
  // of the Java consumer's own machinery, without effect
  ...['client.rack', 'max.poll.records', 'max.poll.interval.ms', 'session.timeout.ms', 'heartbeat.interval.ms', 'group.instance.id'],
  ...['group.protocol', 'partition.assignment.strategy', 'allow.auto.create.topics', 'exclude.internal.topics', 'auto.commit.interval.ms'],
]
const ownDecoding = 'keys and values come as binary; cast or parse them in the query: value.cast("string"), from_json(…)'
const refusedProperties: Readonly<Record<string, string>> = {
  'auto.offset.reset': 'leave it out and use startingOffsets; the checkpoint alone says where a query goes on',
  'enable.auto.commit': "leave it out: the checkpoint holds the offsets; option('commitOffsets', true) commits them to a group too",
  'key.deserializer': ownDecoding,
  'value.deserializer': ownDecoding,
  'interceptor.classes': 'a class of Java cannot be loaded here',
}

/** Reads and checks all options of a source. InvalidQueryError. */
export function sourceOptions(given: Readonly<Record<string, string>>, use: 'stream' | 'batch'): KafkaSourceOptions {
  const owner = 'the Kafka source'
  const properties = ClientProperties.of(owner, given, consumerProperties, refusedProperties)
  const others = Object.fromEntries(Object.entries(given).filter(([name]) => !isClientProperty(name)))
  const options = new Options(owner, others, sourceOptionNames)
  refuseOther(options, use)
  for (const name of ['minPartitions', 'maxRecordsPerPartition']) options.wholeNumber(name, 1)
  options.wholeNumber('fetchOffset.retryIntervalMs', 0)
  const strategy = options.text('startingOffsetsByTimestampStrategy')?.toLowerCase() ?? 'error'
  if (strategy !== 'error' && strategy !== 'latest') throw invalid('startingOffsetsByTimestampStrategy', options, 'error or latest')
  const [min, max] = [options.limit('minOffsetsPerTrigger'), options.limit('maxOffsetsPerTrigger')]
  if (min !== undefined && max !== undefined && min > max)
    throw invalid('minOffsetsPerTrigger', options, `at most maxOffsetsPerTrigger, ${max}`)
  const subscription = subscriptionOf(options)
  const [starting, ending] = [startingOf(options, use), endingOf(options)]
  if (starting.kind === 'offsets' && ending.kind === 'offsets') checkOrder(starting.offsets, ending.offsets)
  return {
    connection: connectionOf(properties, 'millrace'),
    subscription,
    starting,
    ending,
    unmatchedTimestamp: strategy,
    failOnDataLoss: options.flag('failOnDataLoss', true),
    maxOffsetsPerTrigger: max,
    minOffsetsPerTrigger: min,
    maxTriggerDelayMs: options.durationMs('maxTriggerDelay') ?? 15 * 60_000,
    includeHeaders: options.flag('includeHeaders', false),
    readCommitted: properties.oneOf('isolation.level', ['read_uncommitted', 'read_committed'], 'read_uncommitted') === 'read_committed',
    checkCrcs: properties.flag('check.crcs', true),
    fetch: {
      minBytes: properties.wholeNumber('fetch.min.bytes', 0, 1),
      maxBytes: properties.wholeNumber('fetch.max.bytes', 1, 32 * 1024 * 1024),
      maxPartitionBytes: properties.wholeNumber('max.partition.fetch.bytes', 1, 8 * 1024 * 1024),
      maxWaitMs: properties.durationMs('fetch.max.wait.ms', 500),
    },
    pollTimeoutMs: options.durationMs('kafkaConsumer.pollTimeoutMs') ?? 120_000,
    offsetAttempts: options.wholeNumber('fetchOffset.numRetries', 0) ?? Number.POSITIVE_INFINITY,
    prefetchBytes: options.bytes('prefetchBytes', 0) ?? 64 * 1024 * 1024,
    commit: options.flag('commitOffsets', false)
      ? { id: properties.text('group.id') ?? null, prefix: options.text('groupIdPrefix') ?? 'millrace-kafka-source' }
      : undefined,
  }
}

function refuseOther(options: Options, use: 'stream' | 'batch'): void {
  if (use === 'batch' && options.flag('commitOffsets', false)) {
    throw new InvalidQueryError('UNSUPPORTED_OPTION', {
      what: 'the Kafka source does not heed the option "commitOffsets" in a batch, which no group follows',
      todo: 'leave it out, or use readStream, with trigger({ availableNow: true }) for a run that ends',
    })
  }
  const wrong = (use === 'stream' ? endings : limits).find((name) => options.text(name) !== undefined)
  if (wrong === undefined) return
  throw new InvalidQueryError('UNSUPPORTED_OPTION', {
    what: `the Kafka source does not heed the option "${wrong}" in a ${use === 'stream' ? 'streaming query, which has no end' : 'batch'}`,
    todo: `leave it out, or use ${use === 'stream' ? 'read' : 'readStream'}`,
  })
}

// ---- which partitions

function subscriptionOf(options: Options): Subscription {
  const ways = ['assign', 'subscribe', 'subscribePattern'].filter((name) => options.text(name) !== undefined)
  if (ways.length !== 1) {
    throw new InvalidQueryError(ways.length === 0 ? 'MISSING_OPTION' : 'CONFLICTING_OPTIONS', {
      what: ways.length === 0 ? 'the Kafka source was told no topics' : `the Kafka source was told topics by ${ways.join(' and ')}`,
      todo: "give one of: option('subscribe', 'clicks,views'), option('subscribePattern', 'click.*'), option('assign', '{\"clicks\":[0,1]}')",
    })
  }
  const text = options.text(ways[0]!)!.trim()
  if (ways[0] === 'assign') return { kind: 'assign', partitions: assignedOf(text, options) }
  if (ways[0] === 'subscribePattern') return patternOf(text, options)
  const topics = text.split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]))
  if (topics.length === 0) throw invalid('subscribe', options, 'a list of topics: clicks,views')
  return { kind: 'subscribe', topics: [...new Set(topics)] }
}

function assignedOf(text: string, options: Options): string[] {
  const json = jsonOf(text)
  const entries = typeof json === 'object' && json !== null ? Object.entries(json) : []
  const isValid =
    entries.length > 0 && entries.every(([, list]) => Array.isArray(list) && list.every((each) => Number.isInteger(each) && each >= 0))
  if (!isValid) throw invalid('assign', options, 'partitions by topic: {"clicks":[0,1]}')
  return [...new Set(entries.flatMap(([topic, list]) => (list as number[]).map((partition) => partitionKey(topic, partition))))]
}

function patternOf(text: string, options: Options): Subscription {
  if (text === '') throw invalid('subscribePattern', options, 'a regular expression for the whole name of a topic')
  let whole: RegExp
  try {
    whole = new RegExp(`^(?:${text})$`, 'u')
  } catch {
    throw invalid('subscribePattern', options, 'a regular expression for the whole name of a topic')
  }
  return { kind: 'pattern', pattern: text, matches: (topic) => whole.test(topic) }
}

// ---- where to begin and to end

function startingOf(options: Options, use: 'stream' | 'batch'): Boundary {
  const byTime = timestampsOf(options, 'startingTimestamp', 'startingOffsetsByTimestamp')
  if (byTime) return byTime
  const boundary = offsetsBoundary(options, 'startingOffsets', use === 'stream' ? { kind: 'latest' } : { kind: 'earliest' })
  if (use === 'batch' && has(boundary, 'latest', -1))
    throw invalid('startingOffsets', options, 'a beginning: a batch that starts at the latest offset has no rows')
  return boundary
}
function endingOf(options: Options): Boundary {
  const byTime = timestampsOf(options, 'endingTimestamp', 'endingOffsetsByTimestamp')
  if (byTime) return byTime
  const boundary = offsetsBoundary(options, 'endingOffsets', { kind: 'latest' })
  if (has(boundary, 'earliest', -2)) throw invalid('endingOffsets', options, 'an end: a batch that ends at the earliest offset has no rows')
  return boundary
}
/** Where both ends of a batch are told by offset, they can be compared before anybody is asked. */
function checkOrder(starting: ReadonlyMap<string, number>, ending: ReadonlyMap<string, number>): void {
  const text = (offsets: ReadonlyMap<string, number>) => sortedKeys([...offsets.keys()]).join(', ')
  if (text(starting) !== text(ending)) {
    throw new InvalidQueryError('MISMATCHED_TOPIC_PARTITIONS_BETWEEN_START_OFFSET_AND_END_OFFSET', {
      what: `startingOffsets names ${text(starting)}, and endingOffsets ${text(ending)}`,
      todo: 'name the same partitions in both; -2 is the earliest offset, -1 the latest',
    })
  }
  for (const [key, end] of ending) {
    const start = starting.get(key)!
    if (end >= 0 && start > end) {
      throw new InvalidQueryError('UNRESOLVED_START_OFFSET_GREATER_THAN_END_OFFSET', {
        what: `the specified start offset ${start} is greater than the end offset ${end} for ${key}`,
        todo: 'give a start at or before the end',
      })
    }
  }
}
function has(boundary: Boundary, kind: 'earliest' | 'latest', mark: number): boolean {
  return boundary.kind === kind || (boundary.kind === 'offsets' && [...boundary.offsets.values()].includes(mark))
}

function offsetsBoundary(options: Options, name: string, otherwise: Boundary): Boundary {
  const text = options.text(name)?.trim()
  if (text === undefined) return otherwise
  if (text.toLowerCase() === 'earliest' || text.toLowerCase() === 'latest') return { kind: text.toLowerCase() as 'earliest' | 'latest' }
  const offsets = parseOffsets(jsonOf(text), -2)
  if (offsets) return { kind: 'offsets', offsets }
  throw invalid(name, options, 'earliest, latest, or offsets: {"clicks":{"0":23,"1":-2}} (-2 is the earliest, -1 the latest)')
}

/** The last time that a Date can be; a later one (such as the largest long) is as far beyond every record. */
const maxTimestampMs = 8.64e15

function timestampsOf(options: Options, all: string, each: string): Boundary | undefined {
  const text = options.text(all)?.trim()
  if (text !== undefined) {
    if (!/^\d{1,19}$/.test(text)) throw invalid(all, options, 'a time in milliseconds since 1970')
    return { kind: 'timestamp', timestampMs: Math.min(Number(text), maxTimestampMs) }
  }
  const json = options.text(each)
  if (json === undefined) return undefined
  const timestampsMs = parseOffsets(jsonOf(json), 0, maxTimestampMs)
  if (timestampsMs) return { kind: 'timestamps', timestampsMs }
  throw invalid(each, options, 'times in milliseconds by topic and partition: {"clicks":{"0":1700000000000}}')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function invalid(name: string, options: Options, expected: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `the Kafka source was given ${name} = ${JSON.stringify(options.text(name))}, which is not ${expected}`,
    todo: `give ${expected}, or leave the option out`,
  })
}
