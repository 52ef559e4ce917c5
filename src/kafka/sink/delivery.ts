import type { RowSet } from '../../data/row-set.ts'
import type { RefusedRecord } from '../../data/side-rows.ts'
import type { SinkCommit } from '../../sinks/sink.ts'
import type { KafkaCluster } from '../cluster.ts'
import { codecsOf } from '../codecs.ts'
import { kafkaError } from '../errors.ts'
import type { KafkaLibrary } from '../library.ts'
import { partitionKey } from '../offsets.ts'
import type { CompressionName, Encoders } from './batch-builder.ts'
import type { ProducerSession } from './producer-session.ts'
import { RecordEncoder } from './record-encoder.ts'
import { RefusedBatchError, Sender, type SequencedBatch } from './sender.ts'
import type { SinkColumns } from './sink-columns.ts'
import type { KafkaSinkOptions } from './sink-options.ts'
import type { TopicDirectory, TopicFacts } from './topic-directory.ts'

/** What both guarantees share of a sink. */
export interface SinkParts {
  readonly cluster: KafkaCluster
  readonly options: KafkaSinkOptions
  readonly columns: SinkColumns
  readonly topics: TopicDirectory
  readonly encoders: Encoders
}
export interface Delivered {
  readonly rows: number
  readonly bytes: number
  readonly partitions: number
  readonly refused: readonly RefusedRecord[]
  /** Topics that rows were refused by. */
  readonly refusing: Readonly<Record<string, TopicFacts | null>>
}
interface DeliveryRequest {
  readonly rows: RowSet
  readonly batchId: number
  readonly nowMs: number
  readonly keepsDeadLetters: boolean
  readonly session: ProducerSession
  readonly transactionalId: string | null
  /** Before the first batch is sent, or the last rows were looked at and there is none. */
  readonly begin: () => Promise<void>
  /** Before anything goes to these partitions. */
  readonly beforeSending: (batches: readonly SequencedBatch[]) => Promise<void>
  /** All rows have been looked at, and the last of them are on their way. */
  readonly whileSending: (delivered: Delivered) => Promise<void>
}

export function encodersOf(library: typeof KafkaLibrary, name: CompressionName): Encoders {
  const { crc32c } = codecsOf(library)
  const { bitmask, compressSync } = library.compressionsAlgorithms[name]
  return { crc32c, compression: bitmask, compress: (bytes) => Buffer.from(compressSync(bytes)) }
}

/** What waits for its turn, at most: rows are not read faster than the brokers take them. */
const maxPendingBytes = 32 * 1024 * 1024

/** Encodes a batch's rows and sends them, the first while the last are encoded. Resolves when all have arrived. */
export async function deliver(parts: SinkParts, request: DeliveryRequest): Promise<Delivered> {
  const { cluster, options, topics } = parts
  const { session, transactionalId } = request
  const sender = new Sender(cluster, {
    transactionalId,
    maxRequestBytes: options.maxRequestBytes,
    maxPendingBytes,
    resendsUnanswered: transactionalId === null,
    giveUpAfterMs: options.deliveryTimeoutMs,
  })
  const refused: RefusedRecord[] = []
  const refusing: Record<string, TopicFacts | null> = {}
  const partitions = new Set<string>()
  let bytes = 0
  let full: SequencedBatch[] = []
  const encoder = new RecordEncoder({
    ...encoderSettings(parts, request),
    factsOf: (topic) => topics.get(topic),
    emit(topic, partition, builder) {
      const baseSequence = session.take(topic, partition, builder.count)
      const sealed = builder.seal(session, baseSequence, parts.encoders)
      full.push({ topic, partition, bytes: sealed, baseSequence, count: builder.count })
      partitions.add(partitionKey(topic, partition))
      bytes += sealed.length
    },
    refused: request.keepsDeadLetters
      ? (record, topic) => {
          refused.push(record)
          if (topic !== null) refusing[topic] = topics.get(topic)
        }
      : null,
  })
  let begun: Promise<void> | undefined
  const send = async () => {
    if (full.length === 0) return
    const batches = full
    full = []
    const adding = request.beforeSending(batches)
    begun ??= request.begin()
    await Promise.all([adding, begun])
    for (const batch of batches) sender.add(batch)
    sender.pump()
  }
  try {
    for await (const chunk of request.rows.chunks()) {
      await topics.load(encoder.topicsOf(chunk))
      encoder.encode(chunk)
      await send()
      await sender.ready()
    }
    encoder.finish()
    const delivered: Delivered = { rows: encoder.rows, bytes, partitions: partitions.size, refused, refusing }
    await send()
    await (begun ?? request.begin())
    await Promise.all([sender.flush(), request.whileSending(delivered)])
    return delivered
  } catch (error) {
    sender.fail(error)
    throw error
  }
}

/** The rows of a batch that were refused when it was delivered, by what was known of topics then. */
export async function refusedOf(
  parts: SinkParts,
  rows: RowSet,
  refusing: Readonly<Record<string, Partial<TopicFacts> | null>>,
): Promise<RefusedRecord[]> {
  const refused: RefusedRecord[] = []
  const anything: TopicFacts = { partitionCount: 2 ** 31, available: [0], maxBatchBytes: 2 ** 31, needsKey: false }
  const encoder = new RecordEncoder({
    ...encoderSettings(parts, { nowMs: 0, batchId: 0 }),
    factsOf: (topic) => (refusing[topic] === null ? null : { ...anything, ...refusing[topic] }),
    emit() {},
    refused: (record) => refused.push(record),
  })
  for await (const chunk of rows.chunks()) encoder.encode(chunk)
  return refused
}

function encoderSettings({ columns, options, encoders }: SinkParts, { nowMs, batchId }: { nowMs: number; batchId: number }) {
  const { topic, ignoreKeys, batchBytes } = options
  return { columns, topic, ignoreKeys, batchBytes, encoders, nowMs, turn: batchId }
}

export function commitOf({ rows, bytes, partitions, refused }: Delivered, more: Readonly<Record<string, string>> = {}): SinkCommit {
  return {
    status: 'committed',
    numOutputRows: rows,
    metrics: { bytes: String(bytes), partitions: String(partitions), ...more },
    ...(refused.length > 0 && { refused }),
  }
}

/** Where a broker found a batch too large: it is made smaller the next time. False where the error is about something else. */
export function learnsFrom(error: unknown, topics: TopicDirectory): boolean {
  if (!(error instanceof RefusedBatchError) || !(error.apiId === 'MESSAGE_TOO_LARGE' || error.apiId === 'RECORD_LIST_TOO_LARGE'))
    return false
  topics.learnLimit(error.batch.topic, error.batch.bytes.length)
  return true
}

/** An error of Millrace for a batch that did not arrive. */
export function deliveryError(error: unknown, doing: string, { cluster }: SinkParts): Error {
  return kafkaError(error, doing, cluster.servers)
}
