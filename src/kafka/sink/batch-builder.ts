/**
 * Builds Kafka's record batches (magic 2; record-batch.ts has the layout) of records that lie in columns: the bytes are copied once, from
 * the column into the batch, and no object is made for a record.
 */
export type CompressionName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** What the client library lends. */
export interface Encoders {
  readonly crc32c: (bytes: Buffer) => number
  /** The number in a batch's attributes; 0 for none. */
  readonly compression: number
  readonly compress: (bytes: Buffer) => Buffer
}
/** Who wrote a batch. */
export interface BatchProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly isTransactional: boolean
}

export const batchHeadBytes = 61
const transactional = 1 << 4
const noHeaders = Buffer.from([0])

export class BatchBuilder {
  count = 0
  #buffer: Buffer
  #length = batchHeadBytes
  #baseTimestampMs = 0
  #maxTimestampMs = 0

  constructor(expectedBytes: number) {
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(expectedBytes, 1024))
  }

  /** Bytes so far, uncompressed. */
  get bytes(): number {
    return this.#length
  }

  /** Bytes that one more record takes. An end below its start means null; `headers` as `encodeHeaders` gives them. */
  bytesOf(keyBytes: number, valueBytes: number, timestampMs: number, headerBytes: number): number {
    const body = this.#bodyBytes(keyBytes, valueBytes, timestampMs, headerBytes)
    return varintBytes(zigzag(body)) + body
  }

  /** A key or value whose end lies below its start is null. */
  add(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
    timestampMs: number,
    headers: Buffer | null,
  ): void {
    const head = headers ?? noHeaders
    const keyBytes = keyEnd < keyStart ? -1 : keyEnd - keyStart
    const valueBytes = valueEnd < valueStart ? -1 : valueEnd - valueStart
    const body = this.#bodyBytes(keyBytes, valueBytes, timestampMs, head.length)
    // five bytes are the most that the length takes
    if (this.#length + 5 + body > this.#buffer.length) this.#grow(this.#length + 5 + body)
    if (this.count === 0) this.#baseTimestampMs = this.#maxTimestampMs = timestampMs
    else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    const buffer = this.#buffer
    let at = writeVarint(buffer, this.#length, zigzag(body))
    buffer[at++] = 0
    at = writeVarint(buffer, at, zigzag(timestampMs - this.#baseTimestampMs))
    at = writeVarint(buffer, at, zigzag(this.count))
    at = writeVarint(buffer, at, zigzag(keyBytes))
    if (keyBytes > 0) at = copy(key, keyStart, keyEnd, buffer, at)
    at = writeVarint(buffer, at, zigzag(valueBytes))
    if (valueBytes > 0) at = copy(value, valueStart, valueEnd, buffer, at)
    at = copy(head, 0, head.length, buffer, at)
    this.#length = at
    this.count++
  }

  /** The batch as it goes to the broker. The builder is used up. */
  seal({ producerId, producerEpoch, isTransactional }: BatchProducer, baseSequence: number, encoders: Encoders): Buffer {
    let bytes = this.#buffer.subarray(0, this.#length)
    let compression = 0
    if (encoders.compression !== 0) {
      const compressed = encoders.compress(bytes.subarray(batchHeadBytes))
      // what does not become smaller goes as it is
      if (compressed.length < bytes.length - batchHeadBytes) {
        const whole = Buffer.allocUnsafeSlow(batchHeadBytes + compressed.length)
        whole.set(compressed, batchHeadBytes)
        bytes = whole
        compression = encoders.compression
      }
    }
    bytes.writeBigInt64BE(0n, 0)
    bytes.writeInt32BE(bytes.length - 12, 8)
    bytes.writeInt32BE(-1, 12)
    bytes.writeInt8(2, 16)
    bytes.writeInt16BE(compression | (isTransactional ? transactional : 0), 21)
    bytes.writeInt32BE(this.count - 1, 23)
    bytes.writeBigInt64BE(BigInt(this.#baseTimestampMs), 27)
    bytes.writeBigInt64BE(BigInt(this.#maxTimestampMs), 35)
    bytes.writeBigInt64BE(producerId, 43)
    bytes.writeInt16BE(producerEpoch, 51)
    bytes.writeInt32BE(baseSequence, 53)
    bytes.writeInt32BE(this.count, 57)
    bytes.writeUInt32BE(encoders.crc32c(bytes.subarray(21)) >>> 0, 17)
    return bytes
  }

  #bodyBytes(keyBytes: number, valueBytes: number, timestampMs: number, headerBytes: number): number {
    const delta = this.count === 0 ? 0 : timestampMs - this.#baseTimestampMs
    return (
      1 +
      varintBytes(zigzag(delta)) +
      varintBytes(zigzag(this.count)) +
      varintBytes(zigzag(keyBytes)) +
      Math.max(keyBytes, 0) +
      varintBytes(zigzag(valueBytes)) +
      Math.max(valueBytes, 0) +
      headerBytes
    )
  }
  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length))
    this.#buffer.copy(grown, 0, 0, this.#length)
    this.#buffer = grown
  }
}

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}
/** Headers as they stand in a record: their count first. */
export function encodeHeaders(headers: readonly RecordHeader[]): Buffer {
  const names = headers.map(({ key }) => Buffer.from(key, 'utf8'))
  const bytes = names.reduce((sum, name, i) => sum + 10 + name.length + (headers[i]!.value?.length ?? 0), 5)
  const buffer = Buffer.allocUnsafe(bytes)
  let at = writeVarint(buffer, 0, zigzag(headers.length))
  for (const [i, name] of names.entries()) {
    const { value } = headers[i]!
    at = writeVarint(buffer, at, zigzag(name.length))
    at = copy(name, 0, name.length, buffer, at)
    at = writeVarint(buffer, at, zigzag(value === null ? -1 : value.length))
    if (value !== null) {
      buffer.set(value, at)
      at += value.length
    }
  }
  return buffer.subarray(0, at)
}

/** Zigzag of a whole number that a double holds exactly; not by bits, since a difference of times may need more than 32. */
function zigzag(value: number): number {
  return value >= 0 ? 2 * value : -2 * value - 1
}
function varintBytes(zigzagged: number): number {
  if (zigzagged < 0x80) return 1
  if (zigzagged < 0x4000) return 2
  let bytes = 3
  for (let rest = Math.floor(zigzagged / 0x200000); rest > 0; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}
function writeVarint(buffer: Buffer, start: number, zigzagged: number): number {
  let at = start
  let rest = zigzagged
  while (rest >= 0x80) {
    buffer[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  buffer[at++] = rest
  return at
}
/** A call into native code costs more than a few bytes do. */
function copy(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  if (end - start > 48) from.copy(to, at, start, end)
  else for (let i = start, j = at; i < end; i++, j++) to[j] = from[i]!
  return at + end - start
}
