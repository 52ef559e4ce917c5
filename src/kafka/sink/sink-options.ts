import { InvalidQueryError } from '../../base/errors.ts'
import { Options } from '../../base/options.ts'
import { queryOptions } from '../../sinks/file-sink-options.ts'
import { ClientProperties, isClientProperty } from '../client-properties.ts'
import { connectionOf, type KafkaConnection } from '../connection-options.ts'
import type { CompressionName } from './batch-builder.ts'

export interface KafkaSinkOptions {
  readonly connection: KafkaConnection
  /** For every row; null: each row's column `topic` says. */
  readonly topic: string | null
  readonly isExactlyOnce: boolean
  /** What transactional id and group begin with. */
  readonly idPrefix: string
  /** The compacted topic that keeps the commit token; null: a group's offset keeps it. */
  readonly tokenTopic: string | null
  /** Whether a start is refused where the token of the batch before is not there. */
  readonly failOnMissingToken: boolean
  readonly transactionTimeoutMs: number
  readonly compression: CompressionName
  readonly ignoreKeys: boolean
  /** Bytes of a record batch, uncompressed; undefined: what the topic allows, at most a mebibyte. */
  readonly batchBytes: number | undefined
  readonly maxRequestBytes: number
  /** How long a batch that fails for reasons that may pass is tried. */
  readonly deliveryTimeoutMs: number
}

/** The options of the sink beside those that begin with `kafka.`. */
export const sinkOptionNames: readonly string[] = [
  ...['topic', 'includeHeaders', 'deliveryGuarantee', 'transactionalIdPrefix', 'tokenTopic', 'failOnMissingToken'],
]

const producerProperties = [
  ...['acks', 'compression.type', 'batch.size', 'max.request.size', 'transaction.timeout.ms', 'delivery.timeout.ms'],
  ...['enable.idempotence', 'partitioner.ignore.keys'],
  // of the Java producer's own machinery, without effect
  ...['linger.ms', 'buffer.memory', 'max.in.flight.requests.per.connection', 'retries', 'max.block.ms', 'metadata.max.idle.ms'],
  ...['compression.gzip.level', 'compression.lz4.level', 'compression.zstd.level'],
  ...['partitioner.adaptive.partitioning.enable', 'partitioner.availability.timeout.ms'],
]
const ownEncoding =
  "the columns key and value are written as they are, as text or bytes; convert them in the query: cast('string'), to_json(…)"
const refusedProperties: Readonly<Record<string, string>> = {
  'transactional.id':
    "leave it out: it is made of the query's id, which is what fences an older run of the same query; transactionalIdPrefix sets what it begins with",
  'partitioner.class': 'a class of Java cannot be loaded here; add a column "partition"',
  'key.serializer': ownEncoding,
  'value.serializer': ownEncoding,
  'interceptor.classes': 'a class of Java cannot be loaded here',
}

/** Reads and checks all options of a sink. InvalidQueryError. */
export function sinkOptions(given: Readonly<Record<string, string>>): KafkaSinkOptions {
  const owner = 'the Kafka sink'
  const properties = ClientProperties.of(owner, given, producerProperties, refusedProperties)
  const others = Object.fromEntries(Object.entries(given).filter(([name]) => !isClientProperty(name)))
  const options = new Options(owner, others, [...queryOptions, ...sinkOptionNames])
  // headers are written where the column is there, as in Spark
  options.flag('includeHeaders', false)
  if (properties.oneOf('acks', ['all', '-1', '1', '0'], 'all') in { 1: 1, 0: 0 })
    properties.invalid('acks', 'all: with less a broker that fails loses what was told to be written')
  if (!properties.flag('enable.idempotence', true))
    properties.invalid('enable.idempotence', 'true: without it a repeated request writes twice')
  const guarantee = options.text('deliveryGuarantee')?.toLowerCase() ?? 'exactly-once'
  if (guarantee !== 'exactly-once' && guarantee !== 'at-least-once')
    throw invalid('deliveryGuarantee', options.text('deliveryGuarantee')!, 'exactly-once or at-least-once')
  const isExactlyOnce = guarantee === 'exactly-once'
  const tokenTopic = options.text('tokenTopic')?.trim() || null
  const topic = options.text('topic')?.trim() || null
  for (const [name, value] of Object.entries({ topic, tokenTopic })) {
    if (value !== null && (!/^[\w.-]{1,249}$/.test(value) || value === '.' || value === '..'))
      throw invalid(name, value, 'the name of a topic (letters, digits, ".", "_", "-")')
  }
  return {
    connection: connectionOf(properties, 'millrace'),
    topic,
    isExactlyOnce,
    idPrefix: options.text('transactionalIdPrefix') || 'millrace',
    tokenTopic,
    failOnMissingToken: options.flag('failOnMissingToken', true),
    transactionTimeoutMs: Math.max(1, properties.durationMs('transaction.timeout.ms', 60_000)),
    compression: properties.oneOf('compression.type', ['none', 'gzip', 'snappy', 'lz4', 'zstd'], 'none'),
    ignoreKeys: properties.flag('partitioner.ignore.keys', false),
    batchBytes: properties.text('batch.size') === undefined ? undefined : properties.wholeNumber('batch.size', 1, 0),
    maxRequestBytes: properties.wholeNumber('max.request.size', 1024, 8 * 1024 * 1024),
    deliveryTimeoutMs: properties.durationMs('delivery.timeout.ms', 120_000),
  }
}

/** What exactly once needs where rows name their topics; looked at once it is known that they do. InvalidQueryError. */
export function checkTokenTopic({ isExactlyOnce, topic, tokenTopic }: KafkaSinkOptions): void {
  if (isExactlyOnce && topic === null && tokenTopic === null) {
    throw new InvalidQueryError('KAFKA_TOKEN_TOPIC_MISSING', {
      what: 'the Kafka sink takes the topic of each row from its column "topic", and was told no topic at which it keeps how far the output has come',
      todo: "name a compacted topic for it, which is made where it is missing: option('tokenTopic', 'millrace-tokens'); or option('deliveryGuarantee', 'at-least-once')",
    })
  }
}

function invalid(name: string, value: string, expected: string): InvalidQueryError {
  return new InvalidQueryError('INVALID_OPTION_VALUE', {
    what: `the Kafka sink was given ${name} = ${JSON.stringify(value)}, which is not ${expected}`,
    todo: `give ${expected}, or leave the option out`,
  })
}
