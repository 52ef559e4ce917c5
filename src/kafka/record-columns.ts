import type { BytesColumn, Column, ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { type RecordTarget, readHeaders } from './record-batch.ts'

/** Which columns of the source a batch needs. */
export type RecordColumn = 'key' | 'value' | 'topic' | 'partition' | 'offset' | 'timestamp' | 'timestampType' | 'headers'

/** Collects records as columns: only those that are asked for cost anything. One partition's records come after the other's. */
export class RecordColumns implements RecordTarget {
  readonly overwrites = false
  readonly takesTimestamps: boolean
  #rows = 0
  #capacity = 1024
  #buffer: Buffer = Buffer.alloc(0)
  #isLogAppendTime = false
  #topic = 0
  #partition = 0
  readonly #topics: string[] = []
  readonly #key: Bytes | null
  readonly #value: Bytes | null
  #topicIds: Uint32Array | null
  #partitions: Int32Array | null
  #offsets: Int32Array | null
  #timestamps: Int32Array | null
  #types: Int32Array | null
  readonly #headers: unknown[] | null

  constructor(columns: ReadonlySet<RecordColumn>) {
    this.#key = columns.has('key') ? new Bytes() : null
    this.#value = columns.has('value') ? new Bytes() : null
    this.#topicIds = columns.has('topic') ? new Uint32Array(this.#capacity) : null
    this.#partitions = columns.has('partition') ? new Int32Array(this.#capacity) : null
    // 64-bit numbers are written as two halves: a bigint a record would cost more than all the rest
    this.#offsets = columns.has('offset') ? new Int32Array(2 * this.#capacity) : null
    this.takesTimestamps = columns.has('timestamp')
    this.#timestamps = this.takesTimestamps ? new Int32Array(2 * this.#capacity) : null
    this.#types = columns.has('timestampType') ? new Int32Array(this.#capacity) : null
    this.#headers = columns.has('headers') ? [] : null
  }

  get rows(): number {
    return this.#rows
  }
  /** Bytes held by keys and values. */
  get bytes(): number {
    return (this.#key?.length ?? 0) + (this.#value?.length ?? 0)
  }

  /** Whose records come next. */
  startPartition(topic: string, partition: number): void {
    if (this.#topics.at(-1) !== topic) this.#topics.push(topic)
    this.#topic = this.#topics.length - 1
    this.#partition = partition
  }
  begin(buffer: Buffer, _start: number, _headEnd: number, isLogAppendTime: boolean): void {
    this.#buffer = buffer
    this.#isLogAppendTime = isLogAppendTime
  }
  add(
    offset: number,
    timestampMs: number,
    _recordStart: number,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
  ): void {
    const row = this.#rows++
    if (row === this.#capacity) this.#grow()
    this.#key?.add(this.#buffer, keyStart, keyEnd)
    this.#value?.add(this.#buffer, valueStart, valueEnd)
    if (this.#topicIds) this.#topicIds[row] = this.#topic
    if (this.#partitions) this.#partitions[row] = this.#partition
    if (this.#offsets) writeHalves(this.#offsets, row, offset)
    if (this.#timestamps) writeHalves(this.#timestamps, row, timestampMs * 1000)
    if (this.#types) this.#types[row] = this.#isLogAppendTime ? 1 : 0
    if (this.#headers) {
      const headers = readHeaders(this.#buffer, valueEnd < valueStart ? valueStart : valueEnd)
      this.#headers.push(headers.length === 0 ? null : headers)
    }
  }
  pass(): void {}
  end(): void {
    this.#buffer = Buffer.alloc(0)
  }

  /** The rows, with the columns in the order of the schema, which names those that were asked for. */
  finish(schema: Schema): ColumnBatch {
    const length = this.#rows
    const columns = schema.fields.map((field) => this.#column(field, length))
    return { schema, length, columns }
  }

  #column({ name, type }: Field, length: number): Column {
    const fixed = (data: Int32Array | BigInt64Array): Column => ({ kind: 'fixed', type, data, valid: null })
    switch (name as RecordColumn) {
      case 'key':
        return this.#key!.column(type, length)
      case 'value':
        return this.#value!.column(type, length)
      case 'topic':
        return textsById(this.#topics, this.#topicIds!, length)
      case 'partition':
        return fixed(this.#partitions!.subarray(0, length))
      case 'offset':
        return fixed(new BigInt64Array(this.#offsets!.buffer as ArrayBuffer, 0, length))
      case 'timestamp':
        return fixed(new BigInt64Array(this.#timestamps!.buffer as ArrayBuffer, 0, length))
      case 'timestampType':
        return fixed(this.#types!.subarray(0, length))
      case 'headers':
        return { kind: 'values', type, values: this.#headers! }
    }
  }

  #grow(): void {
    this.#capacity *= 2
    const grown = <A extends Int32Array | Uint32Array>(array: A | null, words: number): A | null => {
      if (array === null) return null
      const larger = new (array.constructor as new (length: number) => A)(words * this.#capacity)
      larger.set(array)
      return larger
    }
    this.#topicIds = grown(this.#topicIds, 1)
    this.#partitions = grown(this.#partitions, 1)
    this.#offsets = grown(this.#offsets, 2)
    this.#timestamps = grown(this.#timestamps, 2)
    this.#types = grown(this.#types, 1)
  }
}

/** Values of bytes that grow at their end. */
class Bytes {
  length = 0
  #rows = 0
  #heap: Buffer = Buffer.allocUnsafeSlow(64 * 1024)
  #offsets = new Uint32Array(1025)
  #valid: Uint8Array | null = null

  add(buffer: Buffer, start: number, end: number): void {
    const row = this.#rows++
    if (row + 1 === this.#offsets.length) this.#growRows()
    if (end < start) {
      this.#valid ??= new Uint8Array(this.#offsets.length).fill(1)
      this.#valid[row] = 0
    } else {
      if (this.length + end - start > this.#heap.length) this.#growHeap(this.length + end - start)
      buffer.copy(this.#heap, this.length, start, end)
      this.length += end - start
    }
    this.#offsets[row + 1] = this.length
  }
  column(type: BytesColumn['type'], rows: number): BytesColumn {
    const valid = this.#valid?.subarray(0, rows) ?? null
    return {
      kind: 'bytes',
      type,
      offsets: this.#offsets.subarray(0, rows + 1),
      heap: new Uint8Array(this.#heap.buffer, 0, this.length),
      valid,
    }
  }

  #growRows(): void {
    const offsets = new Uint32Array(2 * this.#offsets.length)
    offsets.set(this.#offsets)
    if (this.#valid) {
      const valid = new Uint8Array(offsets.length).fill(1)
      valid.set(this.#valid)
      this.#valid = valid
    }
    this.#offsets = offsets
  }
  #growHeap(needed: number): void {
    const heap = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * this.#heap.length, this.#heap.length + 256 * 1024 * 1024)))
    this.#heap.copy(heap, 0, 0, this.length)
    this.#heap = heap
  }
}

/** A whole number, which a double holds exactly, as two's complement. */
function writeHalves(words: Int32Array, row: number, value: number): void {
  const high = Math.floor(value / 4294967296)
  words[2 * row] = value - high * 4294967296
  words[2 * row + 1] = high
}

function textsById(texts: readonly string[], ids: Uint32Array, length: number): BytesColumn {
  const encoded = texts.map((text) => Buffer.from(text, 'utf8'))
  const offsets = new Uint32Array(length + 1)
  let bytes = 0
  for (let i = 0; i < length; i++) offsets[i + 1] = bytes += encoded[ids[i]!]!.length
  const heap = Buffer.allocUnsafeSlow(bytes)
  for (let i = 0; i < length; i++) heap.set(encoded[ids[i]!]!, offsets[i]!)
  return { kind: 'bytes', type: 'string', offsets, heap, valid: null }
}
