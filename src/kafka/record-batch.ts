/**
 * Kafka's record batches (magic 2), read by column: a batch's header is looked at, its records are walked over by their lengths, and each
 * one's place in the buffer is handed to a target, which keeps what the query needs. No object is made for a record.
 *
 * Batch: baseOffset int64 · length int32 · leaderEpoch int32 · magic int8 · crc uint32 · attributes int16 · lastOffsetDelta int32 ·
 * baseTimestamp int64 · maxTimestamp int64 · producerId int64 · producerEpoch int16 · baseSequence int32 · count int32 · records, which
 * attributes say to be compressed as one piece. Record: length · attributes int8 · timestampDelta · offsetDelta · key · value · headers, all
 * numbers and lengths zigzag varints, a length of -1 for null.
 */
import { InvalidQueryError, UnavailableError } from '../base/errors.ts'

/** What gets the records. */
export interface RecordTarget {
  /** Whether it writes into the buffers. Records that are asked for again are then handed over as a copy. */
  readonly overwrites: boolean
  /** Whether a record's time must be a timestamp. Default no: nobody looks at it. */
  readonly takesTimestamps?: boolean
  /** A batch's records are about to come, all in `buffer`; the batch may be skipped or cut. `headEnd` is where its first record begins. */
  begin(buffer: Buffer, start: number, headEnd: number, isLogAppendTime: boolean): void
  /** One record: the places of its parts in the buffer, where an end below its start means null. Headers begin with their count. */
  add(
    offset: number,
    timestampMs: number,
    recordStart: number,
    keyStart: number,
    keyEnd: number,
    valueStart: number,
    valueEnd: number,
    recordEnd: number,
  ): void
  /** A record before or behind what was asked for. */
  pass(recordStart: number, recordEnd: number): void
  end(): void
}

/** What the client library lends. */
export interface Codecs {
  readonly crc32c: (bytes: Buffer) => number
  /** By the number in a batch's attributes (1 gzip, 2 snappy, 3 lz4, 4 zstd). */
  readonly decompress: Readonly<Record<number, (bytes: Buffer) => Buffer>>
}

export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}
export interface DecodeRequest {
  /** Records from this offset on … */
  readonly from: number
  /** … and below this one. */
  readonly until: number
  /** With read_committed: the transactions that did not happen, as the broker lists them with what was fetched; else null. */
  readonly aborted: readonly AbortedTransaction[] | null
  readonly checkCrc: boolean
  /** For errors: `clicks-0`. */
  readonly where: string
}
export interface Decoded {
  /** The offset behind the last whole batch, or behind `until` where that was reached: where to go on. */
  readonly nextOffset: number
  readonly rows: number
}

const headBytes = 61
const transactional = 1 << 4
const control = 1 << 5

/** Decodes what a broker sent for one partition; a last batch that was cut is left for the next request. Changes nothing outside of `target`. */
export function decodeBatches(records: Buffer, request: DecodeRequest, codecs: Codecs, target: RecordTarget): Decoded {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  const transactions = new Aborted(request.aborted)
  let nextOffset = request.from
  let rows = 0
  for (let at = 0; at + headBytes <= records.length; ) {
    const end = at + 12 + view.getInt32(at + 8)
    if (end > records.length) break
    const baseOffset = Number(view.getBigInt64(at))
    if (baseOffset >= request.until) {
      nextOffset = request.until
      break
    }
    const attributes = view.getInt16(at + 21)
    const lastOffset = baseOffset + view.getInt32(at + 23)
    const isAsked = lastOffset >= request.from
    // a batch that was read before may have been written over
    if (isAsked) checkBatch(view, records, at, end, request, codecs)
    if (!transactions.skips(view, at, attributes, lastOffset, records) && isAsked) {
      rows += decodeRecords(view, records, at, end, attributes, baseOffset, request, codecs, target)
    }
    nextOffset = Math.min(lastOffset + 1, request.until)
    at = end
  }
  return { nextOffset: Math.max(nextOffset, request.from), rows }
}

/** Which batches belong to transactions that were aborted. Control batches are never rows. */
class Aborted {
  readonly #pending: AbortedTransaction[] | null
  readonly #open = new Set<bigint>()
  constructor(aborted: readonly AbortedTransaction[] | null) {
    this.#pending =
      aborted === null ? null : [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : a.firstOffset > b.firstOffset ? 1 : 0))
  }
  skips(view: DataView, at: number, attributes: number, lastOffset: number, records: Buffer): boolean {
    const isControl = (attributes & control) !== 0
    if (this.#pending === null) return isControl
    while (this.#pending.length > 0 && this.#pending[0]!.firstOffset <= lastOffset) this.#open.add(this.#pending.shift()!.producerId)
    if (this.#open.size === 0) return isControl
    const producerId = view.getBigInt64(at + 43)
    if (isControl) {
      if (isAbortMarker(records, at + headBytes)) this.#open.delete(producerId)
      return true
    }
    return (attributes & transactional) !== 0 && this.#open.has(producerId)
  }
}

/** A control record's key: version int16, type int16, which is 0 for an abort and 1 for a commit. */
function isAbortMarker(records: Buffer, at: number): boolean {
  position = at
  varint(records)
  position++
  skipVarlong(records)
  varint(records)
  const keyBytes = varint(records)
  return keyBytes >= 4 && records.readInt16BE(position + 2) === 0
}

function checkBatch(view: DataView, records: Buffer, at: number, end: number, { where, checkCrc }: DecodeRequest, codecs: Codecs): void {
  const magic = view.getInt8(at + 16)
  if (magic !== 2) {
    throw corrupt(`a batch of ${where} has the format ${magic}, which brokers before Kafka 0.11 wrote`, {
      todo: 'have the topic rewritten by a newer broker: message formats 0 and 1 are not read',
    })
  }
  if (end - at < headBytes) throw corrupt(`a batch of ${where} at offset ${view.getBigInt64(at)} is shorter than its head`)
  if (!checkCrc) return
  const crc = view.getUint32(at + 17)
  const own = codecs.crc32c(records.subarray(at + 21, end))
  if (own !== crc) throw corrupt(`the batch of ${where} at offset ${view.getBigInt64(at)} has the checksum ${own}, and says ${crc}`)
}
function corrupt(what: string, text: { readonly todo?: string; readonly cause?: unknown } = {}): UnavailableError {
  return new UnavailableError('KAFKA_CORRUPT_BATCH', {
    what,
    todo: "start the query again; where it stays, the broker's log is damaged (kafka-dump-log says where)",
    ...text,
  })
}

function decodeRecords(
  view: DataView,
  records: Buffer,
  at: number,
  end: number,
  attributes: number,
  baseOffset: number,
  request: DecodeRequest,
  codecs: Codecs,
  target: RecordTarget,
): number {
  const isLogAppendTime = (attributes & 8) !== 0
  const baseTimestamp = view.getBigInt64(isLogAppendTime ? at + 35 : at + 27)
  const baseTimestampMs = Number(baseTimestamp)
  const mayBeMalformed =
    target.takesTimestamps && (isBeyondTimestamps(baseTimestampMs) || isBeyondTimestamps(Number(view.getBigInt64(at + 35))))
  const count = view.getInt32(at + 57)
  const compression = attributes & 7
  let buffer = records
  let next = at + headBytes
  let limit = end
  if (compression !== 0) {
    buffer = decompressed(records.subarray(next, end), compression, request.where, baseOffset, codecs)
    next = 0
    limit = buffer.length
    target.begin(buffer, 0, 0, isLogAppendTime)
  } else {
    if (target.overwrites && baseOffset + view.getInt32(at + 23) >= request.until) {
      buffer = Buffer.from(records.subarray(at, end))
      next = headBytes
      limit = buffer.length
    }
    target.begin(buffer, next - headBytes, next, isLogAppendTime)
  }
  const { from, until } = request
  let rows = 0
  for (let i = 0; i < count; i++) {
    const recordStart = next
    position = next
    const bytes = varint(buffer)
    next = position + bytes
    if (bytes <= 0 || next > limit) throw corrupt(`the batch of ${request.where} at offset ${baseOffset} ends within a record`)
    position++
    const timestampDelta = varlong(buffer)
    const timestampMs = isLogAppendTime ? baseTimestampMs : baseTimestampMs + timestampDelta
    const offset = baseOffset + varint(buffer)
    if (offset < from || offset >= until) {
      target.pass(recordStart, next)
      continue
    }
    if (mayBeMalformed && isBeyondTimestamps(timestampMs))
      throw malformedTimestamp(request.where, offset, isLogAppendTime ? baseTimestamp : baseTimestamp + BigInt(timestampDelta))
    const keyBytes = varint(buffer)
    const keyStart = position
    if (keyBytes > 0) position += keyBytes
    const keyEnd = keyStart + keyBytes
    const valueBytes = varint(buffer)
    const valueStart = position
    const valueEnd = valueStart + valueBytes
    if (valueEnd > next || keyEnd > next) throw corrupt(`the batch of ${request.where} at offset ${baseOffset} ends within a value`)
    target.add(offset, timestampMs, recordStart, keyStart, keyEnd, valueStart, valueEnd, next)
    rows++
  }
  target.end()
  return rows
}

/** Whether microseconds of this time are no long: what a producer wrote in nanoseconds, mostly. */
function isBeyondTimestamps(timestampMs: number): boolean {
  return Math.abs(timestampMs) * 1000 >= 2 ** 63
}
function malformedTimestamp(where: string, offset: number, timestamp: bigint): InvalidQueryError {
  return new InvalidQueryError('KAFKA_MALFORMED_RECORD_TIMESTAMP', {
    what: `the record of ${where} at offset ${offset} has the timestamp ${timestamp}, which is no time in milliseconds since 1970`,
    todo: 'have its producer write milliseconds; begin behind it (startingOffsets, with a new checkpoint), or leave the column timestamp out of the query',
  })
}

function decompressed(bytes: Buffer, compression: number, where: string, offset: number, codecs: Codecs): Buffer {
  const decompress = codecs.decompress[compression]
  if (!decompress) throw corrupt(`the batch of ${where} at offset ${offset} has the compression ${compression}, which Kafka has not`)
  try {
    return decompress(bytes)
  } catch (cause) {
    throw corrupt(`the batch of ${where} at offset ${offset} could not be decompressed: ${(cause as Error).message}`, { cause })
  }
}

// ---- varints. The position is the module's: a result with two parts would cost an object a number.

let position = 0

/** A zigzag number of 32 bits at `position`, which moves behind it. */
function varint(buffer: Buffer): number {
  let byte = buffer[position++]!
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
  let raw = byte & 0x7f
  for (let shift = 7; shift < 35; shift += 7) {
    byte = buffer[position++]!
    raw |= (byte & 0x7f) << shift
    if (byte < 0x80) break
  }
  return (raw >>> 1) ^ -(raw & 1)
}

/** The same of 64 bits, as far as a number holds them. */
function varlong(buffer: Buffer): number {
  let byte = buffer[position++]!
  if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
  let raw = byte & 0x7f
  let scale = 0x80
  do {
    byte = buffer[position++]!
    raw += (byte & 0x7f) * scale
    scale *= 0x80
  } while (byte >= 0x80)
  return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
}
function skipVarlong(buffer: Buffer): void {
  while (buffer[position++]! >= 0x80);
}

/** A record's headers, which begin at `at`: names, and values that may be null. */
export function readHeaders(buffer: Buffer, at: number): { key: string; value: Uint8Array | null }[] {
  position = at
  const count = varint(buffer)
  const headers: { key: string; value: Uint8Array | null }[] = []
  for (let i = 0; i < count; i++) {
    const keyBytes = varint(buffer)
    const key = buffer.toString('utf8', position, position + keyBytes)
    position += keyBytes
    const valueBytes = varint(buffer)
    headers.push({ key, value: valueBytes < 0 ? null : new Uint8Array(buffer.subarray(position, position + valueBytes)) })
    if (valueBytes > 0) position += valueBytes
  }
  return headers
}
