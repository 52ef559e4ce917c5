import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { Schema } from '../data/schema.ts'
import { columnsToRows } from '../data/values.ts'
import { codecsOf } from './codecs.ts'
import { kafkaLibrary } from './library.ts'
import { type AbortedTransaction, type Codecs, decodeBatches } from './record-batch.ts'
import { type RecordColumn, RecordColumns } from './record-columns.ts'
import { kafkaSchema } from './schema.ts'

let codecs: Codecs
beforeAll(async () => {
  codecs = codecsOf(await kafkaLibrary())
})

interface Range {
  readonly from?: number
  readonly until?: number
  readonly aborted?: readonly AbortedTransaction[] | null
}
function decode(records: Buffer, { from = 0, until = Number.MAX_SAFE_INTEGER, aborted = null }: Range = {}) {
  const schema = kafkaSchema(true)
  const columns = new RecordColumns(new Set(schema.names as RecordColumn[]))
  columns.startPartition('clicks', 3)
  const decoded = decodeBatches(records, { from, until, aborted, checkCrc: true, where: 'clicks-3' }, codecs, columns)
  return { ...decoded, rows: columnsToRows(columns.finish(schema)) as Record<string, unknown>[] }
}

// beside the repository, or beside the folder that its worktrees lie in
const vectorFile = ['../shared', '../../shared']
  .map((shared) => join(import.meta.dirname, '../..', shared, 'kafka/vectors/record-batches.ndjson'))
  .find((file) => existsSync(file))
interface Vector {
  readonly name: string
  readonly hex: string
  readonly batches: readonly {
    readonly isControl: boolean
    readonly lastOffset: number
    readonly timestampType: string
    readonly records: readonly {
      readonly offset: number
      readonly timestamp: number
      readonly key: string | null
      readonly value: string | null
      readonly headers: readonly { readonly key: string; readonly value: string | null }[]
    }[]
  }[]
}
const vectors: Vector[] =
  vectorFile !== undefined
    ? readFileSync(vectorFile, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Vector)
    : []

describe.skipIf(vectors.length === 0)("batches that Kafka's own serialisers made", () => {
  test.each(vectors.map((vector) => [vector.name, vector] as const))('%s', (_name, { hex, batches }) => {
    const { rows, nextOffset } = decode(Buffer.from(hex, 'hex'))
    const expected = batches.flatMap((batch) => (batch.isControl ? [] : batch.records.map((record) => ({ batch, record }))))
    expect(rows.map((row) => shown(row))).toEqual(
      expected.map(({ batch, record }) => ({
        topic: 'clicks',
        partition: 3,
        offset: record.offset,
        timestampMs: record.timestamp,
        timestampType: batch.timestampType === 'LogAppendTime' ? 1 : 0,
        key: record.key,
        value: record.value,
        headers: record.headers.length === 0 ? null : record.headers,
      })),
    )
    expect(nextOffset).toBe(batches.at(-1)!.lastOffset + 1)
  })
})

const hex = (bytes: unknown) => (bytes === null || bytes === undefined ? null : Buffer.from(bytes as Uint8Array).toString('hex'))
function shown(row: Record<string, unknown>) {
  return {
    topic: row['topic'],
    partition: row['partition'],
    offset: Number(row['offset']),
    timestampMs: (row['timestamp'] as { epochMilliseconds: number }).epochMilliseconds,
    timestampType: row['timestampType'],
    key: hex(row['key']),
    value: hex(row['value']),
    headers: (row['headers'] as { key: string; value: unknown }[] | null)?.map(({ key, value }) => ({ key, value: hex(value) })) ?? null,
  }
}

describe('ranges', () => {
  const three = () => Buffer.concat([batch(10, ['a', 'b', 'c']), batch(20, ['d']), batch(21, ['e', 'f'])])
  const values = (rows: Record<string, unknown>[]) => rows.map((row) => Buffer.from(row['value'] as Uint8Array).toString())

  test('records before and behind what was asked for are left out', () => {
    const { rows, nextOffset } = decode(three(), { from: 11, until: 22 })
    expect(values(rows)).toEqual(['b', 'c', 'd', 'e'])
    expect(nextOffset).toBe(22)
  })
  test('the end may lie in a gap', () => {
    expect(decode(three(), { from: 10, until: 15 })).toMatchObject({ nextOffset: 15 })
    expect(values(decode(three(), { from: 10, until: 15 }).rows)).toEqual(['a', 'b', 'c'])
  })
  test('a batch that was cut is left for the next request', () => {
    const cut = three().subarray(0, -1)
    expect(decode(cut)).toMatchObject({ nextOffset: 21 })
    expect(values(decode(cut).rows)).toEqual(['a', 'b', 'c', 'd'])
    expect(decode(cut.subarray(0, 40))).toEqual({ nextOffset: 0, rows: [] })
  })
  test('a batch whose records are all gone moves the offset', () => {
    expect(decode(batch(30, [], { lastOffsetDelta: 4 }))).toEqual({ nextOffset: 35, rows: [] })
  })
})

describe('transactions', () => {
  const marker = (offset: number, producerId: number, commit: boolean) =>
    batch(offset, [Buffer.from([0, 0, 0, 0, 0, 0])], { producerId, attributes: 0x30, key: Buffer.from([0, 0, 0, commit ? 1 : 0]) })
  const log = () =>
    Buffer.concat([
      batch(0, ['7-aborted'], { producerId: 7, attributes: 0x10 }),
      batch(1, ['8-committed'], { producerId: 8, attributes: 0x10 }),
      batch(2, ['plain']),
      marker(3, 7, false),
      batch(4, ['7-committed'], { producerId: 7, attributes: 0x10 }),
      marker(5, 8, true),
      batch(6, ['8-aborted'], { producerId: 8, attributes: 0x10 }),
      marker(7, 7, true),
      marker(8, 8, false),
    ])
  const aborted = [
    { producerId: 8n, firstOffset: 6n },
    { producerId: 7n, firstOffset: 0n },
  ]
  const values = (range: Range) => decode(log(), range).rows.map((row) => Buffer.from(row['value'] as Uint8Array).toString())

  test('read_committed leaves out what was aborted, and only that', () => {
    expect(values({ aborted })).toEqual(['8-committed', 'plain', '7-committed'])
  })
  test('read_uncommitted has all records, and no markers', () => {
    expect(values({ aborted: null })).toEqual(['7-aborted', '8-committed', 'plain', '7-committed', '8-aborted'])
  })
  test('the offset moves over markers', () => {
    expect(decode(log(), { aborted }).nextOffset).toBe(9)
  })
})

describe('damage', () => {
  test('a changed byte is found by the checksum, and named', () => {
    const bytes = batch(5, ['abc'])
    bytes[bytes.length - 3]! ^= 1
    expect(() => decode(bytes)).toThrow(/KAFKA_CORRUPT_BATCH: the batch of clicks-3 at offset 5 has the checksum/)
  })
  test('an old format is refused by its number', () => {
    const bytes = batch(5, ['abc'])
    bytes[16] = 1
    expect(() => decode(bytes)).toThrow(/has the format 1/)
  })
  test('lengths beyond the batch are no reason to read on', () => {
    const bytes = batch(5, ['abc'])
    bytes[61] = 0x7e
    sealed(bytes)
    expect(() => decode(bytes)).toThrow(/ends within a record/)
  })
  test('compressed garbage is an error, not a crash', () => {
    for (const compression of [1, 2, 3, 4, 7]) {
      const bytes = batch(5, ['abc'])
      bytes[22] = compression
      sealed(bytes)
      expect(() => decode(bytes)).toThrow(/KAFKA_CORRUPT_BATCH/)
    }
  })
})

test('columns that are not asked for are not there', () => {
  const columns = new RecordColumns(new Set(['offset']))
  columns.startPartition('clicks', 0)
  decodeBatches(batch(2 ** 40, ['a', 'b']), { from: 0, until: 2 ** 50, aborted: null, checkCrc: true, where: '' }, codecs, columns)
  const schema = new Schema([{ name: 'offset', type: 'long', nullable: true }])
  expect(columnsToRows(columns.finish(schema))).toEqual([{ offset: 2n ** 40n }, { offset: 2n ** 40n + 1n }])
  expect(columns.bytes).toBe(0)
})

// ---- batches made by hand

interface BatchParts {
  readonly producerId?: number
  readonly attributes?: number
  readonly key?: Buffer
  readonly lastOffsetDelta?: number
}
function batch(baseOffset: number, values: readonly (string | Buffer)[], parts: BatchParts = {}): Buffer {
  const records = values.map((value, i) => {
    const { key } = parts
    const bytes = Buffer.from(value as string)
    const body = [
      0,
      ...zigzag(0),
      ...zigzag(i),
      ...(key ? [...zigzag(key.length), ...key] : zigzag(-1)),
      ...zigzag(bytes.length),
      ...bytes,
      0,
    ]
    return Buffer.from([...zigzag(body.length), ...body])
  })
  const head = Buffer.alloc(61)
  head.writeBigInt64BE(BigInt(baseOffset), 0)
  head[16] = 2
  head.writeInt16BE(parts.attributes ?? 0, 21)
  head.writeInt32BE(parts.lastOffsetDelta ?? values.length - 1, 23)
  head.writeBigInt64BE(BigInt(parts.producerId ?? -1), 43)
  head.writeInt32BE(values.length, 57)
  return sealed(Buffer.concat([head, ...records]))
}
function sealed(bytes: Buffer): Buffer {
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeUInt32BE(codecs.crc32c(bytes.subarray(21)), 17)
  return bytes
}
function zigzag(value: number): number[] {
  let raw = (value << 1) ^ (value >> 31)
  const bytes: number[] = []
  for (; raw >= 0x80 || raw < 0; raw >>>= 7) bytes.push((raw & 0x7f) | 0x80)
  return [...bytes, raw]
}
