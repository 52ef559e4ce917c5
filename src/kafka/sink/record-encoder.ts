import { InvalidQueryError } from '../../base/errors.ts'
import type { BytesColumn, ColumnBatch } from '../../data/column-batch.ts'
import type { RefusedRecord } from '../../data/side-rows.ts'
import { BatchBuilder, batchHeadBytes, type Encoders, encodeHeaders, type RecordHeader } from './batch-builder.ts'
import { partitionOfKey } from './partitioner.ts'
import { type RecordsIn, recordsIn, type SinkColumns } from './sink-columns.ts'
import type { TopicFacts } from './topic-directory.ts'

export interface EncoderSettings {
  readonly columns: SinkColumns
  /** For every row; null: the column's. */
  readonly topic: string | null
  readonly ignoreKeys: boolean
  readonly batchBytes: number | undefined
  readonly encoders: Encoders
  /** Null: there is no such topic. Topics of a chunk are asked for before (`topicsOf`). */
  readonly factsOf: (topic: string) => TopicFacts | null
  /** For records without a timestamp of their own. */
  readonly nowMs: number
  /** Where records without a key begin: they fill a batch of one partition, then one of the next. */
  readonly turn: number
  /** A batch is full. */
  readonly emit: (topic: string, partition: number, builder: BatchBuilder) => void
  /** Where a row goes that Kafka does not take; null: it is an error. */
  readonly refused: ((record: RefusedRecord, topic: string | null) => void) | null
}

/** How large a batch becomes where nothing else bounds it. */
const preferredBatchBytes = 1024 * 1024
const nullPlaces = Buffer.alloc(0)

interface TopicOutput {
  readonly name: string
  readonly facts: TopicFacts
  readonly limitBytes: number
  readonly builders: (BatchBuilder | undefined)[]
  /** Which of the available partitions takes the records without a key now. */
  turn: number
}

/** Sorts rows into record batches by topic and partition. A row that Kafka would not take is an InvalidQueryError, or is set aside. */
export class RecordEncoder {
  rows = 0
  /** Rows of the chunks before. */
  #first = 0
  readonly #settings: EncoderSettings
  readonly #outputs = new Map<string, TopicOutput>()
  #expectedBytes = 4096

  constructor(settings: EncoderSettings) {
    this.#settings = settings
  }

  /** The topics that a chunk names and that could be there. */
  topicsOf(batch: ColumnBatch): readonly string[] {
    const { columns, topic } = this.#settings
    if (topic !== null) return [topic]
    const names = recordsIn(batch, columns).topic!
    const found = new Set<string>()
    for (let row = 0; row < batch.length; row++) {
      const name = textOf(names, row)
      if (name !== null && isTopicName(name)) found.add(name)
    }
    return [...found]
  }

  encode(batch: ColumnBatch): void {
    const records = recordsIn(batch, this.#settings.columns)
    const key = records.key && heapOf(records.key)
    const value = heapOf(records.value)
    const times = records.timestamp && halvesOf(records.timestamp.data as BigInt64Array)
    const fixed = this.#settings.topic === null ? null : this.#outputOf(this.#settings.topic)
    let last: TopicOutput | InvalidQueryError | null = fixed
    for (let row = 0; row < records.length; row++) {
      if (fixed === null) last = this.#outputAt(records.topic!, row, last)
      const problem: InvalidQueryError | null = last instanceof Error ? last : this.#addRow(records, row, last!, key, value, times)
      if (problem === null) this.rows++
      else if (this.#settings.refused === null) throw problem
      else
        this.#settings.refused(
          { ...refusedRecord(problem, records, row, this.#settings.topic), row: this.#first + row },
          this.#settings.topic ?? textOf(records.topic!, row),
        )
    }
    this.#first += records.length
  }

  /** The rest, batches that are not full. */
  finish(): void {
    for (const { name, builders } of this.#outputs.values()) {
      for (const [partition, builder] of builders.entries()) {
        if (builder && builder.count > 0) this.#settings.emit(name, partition, builder)
      }
      builders.length = 0
    }
  }

  #addRow(
    records: RecordsIn,
    row: number,
    output: TopicOutput,
    keys: Buffer | null,
    values: Buffer,
    times: Int32Array | null,
  ): InvalidQueryError | null {
    const { key, value, partition: partitions, timestamp, headers } = records
    const { nowMs, ignoreKeys } = this.#settings
    const hasKey = key !== null && (key.valid === null || key.valid[row] !== 0)
    const keyStart = hasKey ? key.offsets[row]! : 0
    const keyEnd = hasKey ? key.offsets[row + 1]! : -1
    const hasValue = value.valid === null || value.valid[row] !== 0
    const valueStart = hasValue ? value.offsets[row]! : 0
    const valueEnd = hasValue ? value.offsets[row + 1]! : -1
    let timestampMs = nowMs
    if (times !== null && (timestamp!.valid === null || timestamp!.valid[row] !== 0)) {
      timestampMs = Math.floor((times[2 * row + 1]! * 4294967296 + (times[2 * row]! >>> 0)) / 1000)
      if (timestampMs < 0) return beforeEpoch(timestampMs)
    }
    const own = headers === null ? null : (headers.values[row] as readonly (RecordHeader | null)[] | null)
    if (own?.some((each) => each === null || each.key === null)) return headerWithoutName()
    const headerBytes = own === null || own.length === 0 ? null : encodeHeaders(own as readonly RecordHeader[])
    if (!hasKey && output.facts.needsKey) return keyMissing(output.name)
    let partition: number
    let isAnywhere = false
    if (partitions !== null && (partitions.valid === null || partitions.valid[row] !== 0)) {
      partition = partitions.data[row] as number
      if (partition < 0 || partition >= output.facts.partitionCount) return unknownPartition(output, partition)
    } else if (hasKey && !ignoreKeys) partition = partitionOfKey(keys!, keyStart, keyEnd, output.facts.partitionCount)
    else {
      isAnywhere = true
      partition = output.facts.available[output.turn % output.facts.available.length]!
    }
    const keyBytes = hasKey ? keyEnd - keyStart : -1
    const valueBytes = hasValue ? valueEnd - valueStart : -1
    let builder: BatchBuilder | undefined
    let bytes: number
    for (;;) {
      builder = output.builders[partition]
      bytes = (builder ?? empty).bytesOf(keyBytes, valueBytes, timestampMs, headerBytes?.length ?? 1)
      if (!builder || builder.bytes + bytes <= output.limitBytes) break
      this.#emit(output, partition)
      if (isAnywhere) partition = output.facts.available[++output.turn % output.facts.available.length]!
    }
    if (batchHeadBytes + bytes > output.facts.maxBatchBytes) {
      // alone it may be compressed below the limit
      const alone = new BatchBuilder(batchHeadBytes + bytes + 16)
      alone.add(keys ?? nullPlaces, keyStart, keyEnd, values, valueStart, valueEnd, timestampMs, headerBytes)
      const sealed = alone.seal(nobody, 0, this.#settings.encoders).length
      if (sealed > output.facts.maxBatchBytes) return recordTooLarge(output, sealed)
      if (builder) this.#emit(output, partition)
      this.#settings.emit(output.name, partition, alone)
      return null
    }
    if (!builder) output.builders[partition] = builder = new BatchBuilder(Math.min(this.#expectedBytes, output.limitBytes))
    builder.add(keys ?? nullPlaces, keyStart, keyEnd, values, valueStart, valueEnd, timestampMs, headerBytes)
    return null
  }

  #emit(output: TopicOutput, partition: number): void {
    const builder = output.builders[partition]!
    output.builders[partition] = undefined
    this.#expectedBytes = Math.max(this.#expectedBytes, builder.bytes + 1024)
    this.#settings.emit(output.name, partition, builder)
  }

  #outputAt(names: BytesColumn, row: number, last: TopicOutput | InvalidQueryError | null): TopicOutput | InvalidQueryError {
    const name = textOf(names, row)
    if (name === null) return nullTopic()
    if (last !== null && !(last instanceof Error) && last.name === name) return last
    return this.#outputOf(name)
  }
  #outputOf(name: string): TopicOutput | InvalidQueryError {
    const known = this.#outputs.get(name)
    if (known) return known
    const facts = isTopicName(name) ? this.#settings.factsOf(name) : null
    if (facts === null) return unknownTopic(name)
    const limitBytes = Math.min(this.#settings.batchBytes ?? preferredBatchBytes, facts.maxBatchBytes)
    const output: TopicOutput = { name, facts, limitBytes, builders: [], turn: this.#settings.turn }
    this.#outputs.set(name, output)
    return output
  }
}

const empty = new BatchBuilder(1024)
const nobody = { producerId: -1n, producerEpoch: -1, isTransactional: false }

function isTopicName(name: string): boolean {
  return /^[\w.-]{1,249}$/.test(name) && name !== '.' && name !== '..'
}
function heapOf({ heap }: BytesColumn): Buffer {
  return Buffer.from(heap.buffer as ArrayBuffer, heap.byteOffset, heap.byteLength)
}
/** The times as pairs of 32-bit numbers: a bigint a row would cost more than the rest of the record. */
function halvesOf(times: BigInt64Array): Int32Array {
  return new Int32Array(times.buffer as ArrayBuffer, times.byteOffset, 2 * times.length)
}
let lastText = ''
let lastBytes = Buffer.alloc(0)
/** Names repeat: the last one is compared as bytes before anything is decoded. */
function textOf({ heap, offsets, valid }: BytesColumn, row: number): string | null {
  if (valid !== null && valid[row] === 0) return null
  const start = offsets[row]!
  const end = offsets[row + 1]!
  if (end - start === lastBytes.length) {
    let i = 0
    while (i < lastBytes.length && heap[start + i] === lastBytes[i]) i++
    if (i === lastBytes.length) return lastText
  }
  lastBytes = Buffer.from(heap.slice(start, end))
  lastText = lastBytes.toString('utf8')
  return lastText
}

// ---- rows that Kafka does not take

function refusal(code: string, what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError(code, { what, todo })
}
const orDeadLetters = 'or let the query keep dead letters, which such rows then go to'
function nullTopic() {
  return refusal('KAFKA_NULL_TOPIC_IN_DATA', 'a row has null in its column topic', `set option('topic', …) for all rows; ${orDeadLetters}`)
}
function unknownTopic(name: string) {
  return refusal(
    'KAFKA_UNKNOWN_TOPIC',
    `a row goes to the topic ${name}, which the cluster has not, or this user may not see it`,
    `create the topic, or mend the column topic; ${orDeadLetters}`,
  )
}
function unknownPartition({ name, facts }: TopicOutput, partition: number) {
  return refusal(
    'KAFKA_UNKNOWN_PARTITION',
    `a row goes to partition ${partition} of ${name}, which has the partitions 0 to ${facts.partitionCount - 1}`,
    `mend the column partition (null leaves the choice to the key); ${orDeadLetters}`,
  )
}
function recordTooLarge({ name, facts }: TopicOutput, bytes: number) {
  return refusal(
    'KAFKA_RECORD_TOO_LARGE',
    `a row makes a record batch of ${bytes} bytes, and ${name} takes at most ${facts.maxBatchBytes}`,
    `raise max.message.bytes of the topic, set kafka.compression.type, or make the value smaller; ${orDeadLetters}`,
  )
}
function keyMissing(name: string) {
  return refusal(
    'KAFKA_KEY_MISSING',
    `a row has no key, and ${name} is a compacted topic, which takes none without`,
    `add a column key; ${orDeadLetters}`,
  )
}
function headerWithoutName() {
  return refusal('KAFKA_HEADER_INVALID', 'a row has a header that is null or has no key', `mend the column headers; ${orDeadLetters}`)
}
function beforeEpoch(timestampMs: number) {
  return refusal(
    'KAFKA_TIMESTAMP_INVALID',
    `a row has the timestamp ${timestampMs} ms, and Kafka takes none before 1970`,
    `mend the column timestamp (null stands for now); ${orDeadLetters}`,
  )
}

/** The row as a dead letter: its columns as JSON, bytes in base64 where they are no text. */
function refusedRecord({ code, what }: InvalidQueryError, records: RecordsIn, row: number, topic: string | null): RefusedRecord {
  const bytes = (column: BytesColumn | null) => {
    if (column === null || (column.valid !== null && column.valid[row] === 0)) return null
    const own = Buffer.from(column.heap.slice(column.offsets[row]!, column.offsets[row + 1]!))
    return column.type === 'string' ? own.toString('utf8') : own.toString('base64')
  }
  const { partition, timestamp, headers } = records
  const number = (column: typeof partition) =>
    column === null || (column.valid !== null && column.valid[row] === 0) ? null : Number(column.data[row])
  const own = headers?.values[row] as readonly (RecordHeader | null)[] | null | undefined
  const json = {
    topic: topic ?? bytes(records.topic),
    ...(partition && { partition: number(partition) }),
    ...(timestamp && { timestampUs: number(timestamp) }),
    key: bytes(records.key),
    value: bytes(records.value),
    ...(own && { headers: own.map((each) => each && { key: each.key, value: each.value && Buffer.from(each.value).toString('base64') }) }),
  }
  return { reason: code, message: what, raw: new TextEncoder().encode(JSON.stringify(json)) }
}
