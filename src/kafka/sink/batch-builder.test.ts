import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { columnsToRows } from '../../data/values.ts'
import { codecsOf } from '../codecs.ts'
import { type KafkaLibrary, kafkaLibrary } from '../library.ts'
import { decodeBatches } from '../record-batch.ts'
import { type RecordColumn, RecordColumns } from '../record-columns.ts'
import { kafkaSchema } from '../schema.ts'
import { BatchBuilder, type CompressionName, encodeHeaders } from './batch-builder.ts'
import { encodersOf } from './delivery.ts'

let library: typeof KafkaLibrary
beforeAll(async () => {
  library = await kafkaLibrary()
})

const bytes = fc.uint8Array({ maxLength: 200 })
const record = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestampMs: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 8_640_000_000_000 })),
  headers: fc.array(fc.record({ key: fc.string(), value: fc.option(bytes) }), { maxLength: 3 }),
})

test('what is built is what is read, in every compression, with the size that was foretold', () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 200 }),
      fc.constantFrom<CompressionName>('none', 'gzip', 'snappy', 'lz4', 'zstd'),
      (records, compression) => {
        const builder = new BatchBuilder(100)
        for (const { key, value, timestampMs, headers } of records) {
          const encoded = headers.length === 0 ? null : encodeHeaders(headers)
          const [k, v] = [Buffer.from(key ?? []), Buffer.from(value ?? [])]
          const before = builder.bytes
          const foretold = builder.bytesOf(key ? k.length : -1, value ? v.length : -1, timestampMs, encoded?.length ?? 1)
          builder.add(k, 0, key ? k.length : -1, v, 0, value ? v.length : -1, timestampMs, encoded)
          expect(builder.bytes - before).toBe(foretold)
        }
        const producer = { producerId: 7n, producerEpoch: 3, isTransactional: true }
        const sealed = builder.seal(producer, 11, encodersOf(library, compression))
        expect([sealed.readBigInt64BE(43), sealed.readInt16BE(51), sealed.readInt32BE(53)]).toEqual([7n, 3, 11])
        expect(sealed.readBigInt64BE(35)).toBe(BigInt(Math.max(...records.map(({ timestampMs }) => timestampMs))))
        const schema = kafkaSchema(true)
        const columns = new RecordColumns(new Set(schema.names as RecordColumn[]))
        columns.startPartition('t', 0)
        const request = { from: 0, until: Number.MAX_SAFE_INTEGER, aborted: null, checkCrc: true, where: 't-0' }
        decodeBatches(sealed, request, codecsOf(library), columns)
        const rows = columnsToRows(columns.finish(schema)).map((row) => ({
          key: row['key'],
          value: row['value'],
          timestampMs: (row['timestamp'] as { epochMilliseconds: number }).epochMilliseconds,
          headers: row['headers'] ?? [],
        }))
        expect(rows).toEqual(records)
      },
    ),
    { numRuns: 60 },
  )
})

test('what compression makes no smaller goes as it is', () => {
  const value = Buffer.from(crypto.getRandomValues(new Uint8Array(500)))
  const builder = new BatchBuilder(100)
  builder.add(value, 0, -1, value, 0, value.length, 1, null)
  const plain = builder.bytes
  const sealed = builder.seal({ producerId: 0n, producerEpoch: 0, isTransactional: false }, 0, encodersOf(library, 'lz4'))
  expect(sealed.readInt16BE(21)).toBe(0)
  expect(sealed.length).toBe(plain)
})
