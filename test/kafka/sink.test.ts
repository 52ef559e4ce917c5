import { millrace, t } from 'millrace'
import 'millrace/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RefusedRecord } from '../../src/data/side-rows.ts'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { partitionOfKey } from '../../src/kafka/sink/partitioner.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { type Compression, produce } from './produce.ts'
import { readTopic, valuesOf } from './read-topic.ts'
import { testUser } from './secure-listeners.ts'
import { describeKafka, sharedBroker, uniqueName } from './shared-broker.ts'
import { keyAndValue, keyed, openSink, rowsOf, schemaOf } from './sink-run.ts'
import { createTopic, openCluster } from './topics.ts'

let bootstrap = ''
let cluster: KafkaCluster

describeKafka('the Kafka sink', () => {
  beforeAll(async () => {
    bootstrap = (await sharedBroker()).bootstrap
    cluster = await openCluster(bootstrap)
  })
  afterAll(() => cluster.close())

  const servers = () => ({ 'kafka.bootstrap.servers': bootstrap })
  async function freshTopic(partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
    const topic = uniqueName('out')
    await createTopic(cluster, topic, partitions, configs)
    return topic
  }
  /** A sink into one topic, under an id of its own. */
  const optionsFor = (topic: string, more: Readonly<Record<string, string>> = {}) => ({
    ...servers(),
    topic,
    transactionalIdPrefix: uniqueName('sink'),
    ...more,
  })

  describe('records', () => {
    test('a query from Kafka to Kafka, stopped and started: a read_committed consumer sees each result once', async () => {
      const [from, to] = [await freshTopic(2), await freshTopic(3)]
      await using folder = await tempFolder()
      const run = async () => {
        await using engine = await millrace.local({ threads: 1, print: () => {} })
        const query = await engine.readStream
          .format('kafka')
          .options({ ...servers(), subscribe: from, startingOffsets: 'earliest', maxOffsetsPerTrigger: '2' })
          .load()
          .selectExpr("concat('n', cast(value as string)) AS key", 'value')
          .writeStream.trigger({ availableNow: true })
          .format('kafka')
          .options({ ...servers(), topic: to, checkpointLocation: folder.path })
          .start()
        await query.awaitTermination()
        return query.recentProgress
      }
      const expected: string[] = []
      for (const values of [['1', '2', '3'], ['4'], []]) {
        await produce(
          cluster,
          from,
          values.map((value, i) => ({ value, partition: i % 2 })),
        )
        expected.push(...values)
        const progress = await run()
        const records = await readTopic(cluster, to)
        expect(records.map(({ value }) => value).sort()).toEqual(expected)
        expect(progress.map(({ sink }) => sink.description)).toEqual(progress.map(() => `KafkaSink[${to}]`))
        for (const { key, partition } of records) {
          const bytes = Buffer.from(key!)
          expect(partition).toBe(partitionOfKey(bytes, 0, bytes.length, 3))
        }
      }
    })

    test('a batch is written whole or not at all', async () => {
      const topic = await freshTopic(2)
      await using engine = await millrace.local({ threads: 1, print: () => {} })
      const rows = engine.createDataFrame([{ value: 'a' }, { value: 'b' }, { value: 'c' }], { value: t.string() })
      const write = (options: Readonly<Record<string, string>>, mode: 'append' | 'overwrite' = 'append') =>
        rows
          .selectExpr('value', ...(options['topic'] ? [] : [`'${topic}' AS topic`]))
          .write.format('kafka')
          .mode(mode)
          .options({ ...servers(), ...options })
          .save()
      await write({ topic })
      await write({})
      await write({ deliveryGuarantee: 'at-least-once', topic })
      expect((await valuesOf(cluster, topic)).sort()).toEqual(['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c', 'c'])
      await expect(write({ topic }, 'overwrite')).rejects.toMatchObject({ code: 'UNSUPPORTED_SAVE_MODE' })
      await expect(write({ topic: 'no-such-topic' })).rejects.toMatchObject({ code: 'KAFKA_UNKNOWN_TOPIC' })
      const failing = rows.selectExpr(`IF(value = 'c', raise_error('no'), value) AS value`).write.format('kafka')
      await expect(
        failing
          .mode('append')
          .options({ ...servers(), topic })
          .save(),
      ).rejects.toThrow('no')
      expect(await valuesOf(cluster, topic)).toHaveLength(9)
    })

    test('a login by SCRAM over TLS', async () => {
      const topic = await freshTopic()
      const { secure } = await sharedBroker()
      const login = {
        'kafka.bootstrap.servers': secure.saslTls,
        'kafka.security.protocol': 'SASL_SSL',
        'kafka.ssl.truststore.location': secure.caFile,
        'kafka.sasl.mechanism': 'SCRAM-SHA-256',
        'kafka.sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="${testUser.name}" password="${testUser.password}";`,
      }
      const sink = await openSink({ options: { ...optionsFor(topic), ...login } })
      await sink.addBatch({ batchId: 0, rows: keyed('secret'), outputMode: 'append' })
      await sink.stop()
      expect(await valuesOf(cluster, topic)).toEqual(['secret'])
    })

    test('all columns', async () => {
      const [a, b] = [await freshTopic(2), await freshTopic(2)]
      const types = {
        key: 'binary',
        value: 'binary',
        topic: 'string',
        partition: 'int',
        timestamp: 'timestamp',
        headers: headersType,
        other: 'double',
      } as const
      const schema = schemaOf(types)
      const bytes = (text: string) => new TextEncoder().encode(text)
      const at = new Date('2026-03-01T12:00:00.123Z')
      const rows = rowsOf(schema, [
        { key: bytes('k'), value: bytes('1'), topic: a, partition: 1, timestamp: at, headers: null, other: 1 },
        { key: null, value: null, topic: b, partition: 0, timestamp: null, headers: [], other: null },
        {
          key: bytes(''),
          value: bytes(''),
          topic: a,
          partition: null,
          timestamp: at,
          headers: [
            { key: 'h', value: bytes('x') },
            { key: 'h', value: null },
          ],
          other: 2,
        },
      ])
      const sink = await openSink({ schema, options: { ...servers(), tokenTopic: uniqueName('tokens') } })
      const before = Date.now()
      const { numOutputRows } = await sink.addBatch({ batchId: 0, rows, outputMode: 'append' })
      await sink.stop()
      expect(numOutputRows).toBe(3)
      const inA = await readTopic(cluster, a)
      // murmur2 of an empty key gives the second of two partitions
      expect(inA).toMatchObject([
        { partition: 1, key: 'k', value: '1', timestampMs: at.getTime(), headers: [] },
        {
          partition: 1,
          key: '',
          value: '',
          timestampMs: at.getTime(),
          headers: [
            ['h', 'x'],
            ['h', null],
          ],
        },
      ])
      const [inB] = await readTopic(cluster, b)
      expect(inB).toMatchObject({ partition: 0, key: null, value: null, headers: [] })
      expect(inB!.timestampMs).toBeGreaterThanOrEqual(before)
    })

    test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('compression %s', async (compression: Compression) => {
      const topic = await freshTopic()
      const values = Array.from({ length: 500 }, (_, i) => `a value that repeats itself ${i % 7}`)
      const sink = await openSink({ options: optionsFor(topic, { 'kafka.compression.type': compression }) })
      const { metrics } = await sink.addBatch({ batchId: 0, rows: keyed(...values), outputMode: 'append' })
      await sink.stop()
      expect(await valuesOf(cluster, topic)).toEqual(values)
      if (compression === 'none') expect(Number(metrics!['bytes'])).toBeGreaterThan(15_000)
      else expect(Number(metrics!['bytes'])).toBeLessThan(8000)
    })

    test("batches are split at the topic's limit, and keyless rows take the partitions in turn", async () => {
      const topic = await freshTopic(3, { 'max.message.bytes': '2000' })
      const values = Array.from({ length: 300 }, (_, i) => `${i}-${'x'.repeat(50)}`)
      const sink = await openSink({ options: optionsFor(topic) })
      await sink.addBatch({ batchId: 0, rows: keyed(...values), outputMode: 'append' })
      await sink.addBatch({ batchId: 1, rows: keyed('last'), outputMode: 'append' })
      await sink.stop()
      const batches: number[] = []
      const records = await readTopic(cluster, topic, { batches })
      expect(records.map(({ value }) => value).sort()).toEqual([...values, 'last'].sort())
      expect(Math.max(...batches)).toBeLessThanOrEqual(2000)
      expect(new Set(records.map(({ partition }) => partition))).toEqual(new Set([0, 1, 2]))
      // a small batch goes to one partition; an attempt that failed has taken offsets before it
      const offsets = records.filter(({ partition }) => partition === 0).map(({ offset }) => Number(offset))
      expect(offsets.filter((offset) => offset < Math.min(...offsets) + 20).length).toBeGreaterThan(10)
    })

    test('many batches of one partition stay in order', async () => {
      const topic = await freshTopic(1, { 'max.message.bytes': '1000' })
      const values = Array.from({ length: 2000 }, (_, i) => String(i))
      for (const guarantee of ['exactly-once', 'at-least-once']) {
        const sink = await openSink({ options: optionsFor(topic, { deliveryGuarantee: guarantee, 'kafka.max.request.size': '2000' }) })
        await sink.addBatch({ batchId: 0, rows: keyed(...values), outputMode: 'append' })
        await sink.stop()
      }
      expect(await valuesOf(cluster, topic)).toEqual([...values, ...values])
    })
  })

  describe('rows that Kafka does not take', () => {
    const wide = schemaOf({ value: 'string', topic: 'string', partition: 'int', timestamp: 'timestamp' })
    async function deliver(rows: Parameters<typeof rowsOf>[1], keepsDeadLetters: boolean, configs: Readonly<Record<string, string>> = {}) {
      const topic = await freshTopic(2, configs)
      const named = rows.map((row) => ({ topic, partition: null, timestamp: null, ...row }))
      const options = { ...servers(), tokenTopic: uniqueName('tokens'), transactionalIdPrefix: uniqueName('refuse') }
      const open = (epoch: number) => openSink({ schema: wide, options, epoch })
      const sink = await open(1)
      try {
        const batch = { batchId: 0, rows: rowsOf(wide, named), outputMode: 'append', keepsDeadLetters } as const
        const first = await sink.addBatch(batch)
        // the same ones when the batch comes again, whatever has become of the topics since
        const later = await open(2)
        const again = await later.addBatch(batch)
        await later.stop()
        expect(again.status).toBe('already-committed')
        expect(reasons(again.refused)).toEqual(reasons(first.refused))
        return { ...first, values: await valuesOf(cluster, topic) }
      } finally {
        await sink.stop()
      }
    }
    const reasons = (refused: readonly RefusedRecord[] = []) => refused.map(({ reason }) => reason)

    test.each([
      ['KAFKA_NULL_TOPIC_IN_DATA', { topic: null, value: 'bad' }],
      ['KAFKA_UNKNOWN_TOPIC', { topic: 'no-such-topic', value: 'bad' }],
      ['KAFKA_UNKNOWN_TOPIC', { topic: 'no topic/at all', value: 'bad' }],
      ['KAFKA_UNKNOWN_PARTITION', { partition: 2, value: 'bad' }],
      ['KAFKA_UNKNOWN_PARTITION', { partition: -1, value: 'bad' }],
      ['KAFKA_TIMESTAMP_INVALID', { timestamp: new Date(-1), value: 'bad' }],
      ['KAFKA_RECORD_TOO_LARGE', { value: 'bad'.repeat(1000) }],
    ])('%s: an error, or a dead letter (%#)', async (code, bad) => {
      const limit = { 'max.message.bytes': '1000' }
      await expect(deliver([{ value: 'good' }, bad], false, limit)).rejects.toMatchObject({ code })
      const { values, refused, numOutputRows } = await deliver([{ value: 'good' }, bad, { value: 'better' }], true, limit)
      expect(values.sort()).toEqual(['better', 'good'])
      expect(numOutputRows).toBe(2)
      expect(reasons(refused)).toEqual([code])
      expect(JSON.parse(new TextDecoder().decode(refused![0]!.raw))).toMatchObject({ value: bad.value })
    })

    test('a compacted topic takes no record without a key', async () => {
      const { refused, values } = await deliver([{ value: 'bad' }], true, { 'cleanup.policy': 'compact' })
      expect(reasons(refused)).toEqual(['KAFKA_KEY_MISSING'])
      expect(values).toEqual([])
    })

    test('a query keeps them as dead letters, in a topic of their own within the same step', async () => {
      const [from, to, dead] = [await freshTopic(), await freshTopic(), await freshTopic()]
      await produce(cluster, from, ['0', '7'])
      await using folder = await tempFolder()
      await using engine = await millrace.local({ threads: 1, print: () => {} })
      const query = await engine.readStream
        .format('kafka')
        .options({ ...servers(), subscribe: from, startingOffsets: 'earliest' })
        .load()
        .selectExpr('value', 'CAST(CAST(value AS STRING) AS INT) AS partition')
        .writeStream.trigger({ availableNow: true })
        .deadLetters((letters) =>
          letters
            .selectExpr(
              "concat_ws(' ', reason, topic, cast(offset as string), cast(raw as string), substr(message, instr(message, '{'))) AS value",
            )
            .output.format('kafka')
            .options({ ...servers(), topic: dead }),
        )
        .format('kafka')
        .options({ ...servers(), topic: to, checkpointLocation: folder.path })
        .start()
      await query.awaitTermination()
      expect(await valuesOf(cluster, to)).toEqual(['0'])
      // bytes are shown in base64
      const row = JSON.stringify({ topic: to, partition: 7, key: null, value: 'Nw==' })
      expect(await valuesOf(cluster, dead)).toEqual([`KAFKA_UNKNOWN_PARTITION ${from} 1 7 ${row}`])
    })
  })

  describe('what is found at the start', () => {
    const start = (options: Readonly<Record<string, string>>, schema = keyAndValue) =>
      openSink({ schema, options: { ...servers(), topic: 'nothing', ...options } }).then((sink) => sink.stop())
    test.each([
      ['KAFKA_UNKNOWN_TOPIC', { topic: 'no-such-topic' }],
      ['INVALID_OPTION_VALUE', { topic: 'no topic' }],
      ['INVALID_OPTION_VALUE', { deliveryGuarantee: 'most-of-the-time' }],
      ['INVALID_OPTION_VALUE', { 'kafka.acks': '1' }],
      ['INVALID_OPTION_VALUE', { 'kafka.enable.idempotence': 'false' }],
      ['INVALID_OPTION_VALUE', { 'kafka.compression.type': 'brotli' }],
      ['UNSUPPORTED_OPTION', { 'kafka.transactional.id': 'mine' }],
      ['UNSUPPORTED_OPTION', { 'kafka.key.serializer': 'x' }],
      ['UNKNOWN_OPTION', { 'kafka.aks': 'all' }],
      ['UNKNOWN_OPTION', { topics: 'a' }],
    ])('%s, %j', async (code, options) => {
      await expect(start(options)).rejects.toMatchObject({ code })
    })
    test.each([
      ['KAFKA_VALUE_MISSING', schemaOf({ key: 'string' })],
      ['KAFKA_COLUMN_TYPE', schemaOf({ value: 'int' })],
      ['KAFKA_COLUMN_TYPE', schemaOf({ value: 'string', key: 'long' })],
      ['KAFKA_COLUMN_TYPE', schemaOf({ value: 'string', partition: 'long' })],
      ['KAFKA_COLUMN_TYPE', schemaOf({ value: 'string', headers: 'string' })],
      ['KAFKA_COLUMN_TYPE', schemaOf({ value: 'string', topic: 'binary' })],
    ])('%s, columns %#', async (code, schema) => {
      await expect(start({ topic: await freshTopic() }, schema)).rejects.toMatchObject({ code })
    })
    test('no topic at all, or none for the token', async () => {
      for (const options of [servers(), { ...servers(), tokenTopic: 't' }])
        await expect(openSink({ options })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' })
      const schema = schemaOf({ value: 'string', topic: 'string' })
      await expect(openSink({ schema, options: servers() })).rejects.toMatchObject({ code: 'KAFKA_TOKEN_TOPIC_MISSING' })
    })
    test("a transaction's time that the broker does not allow", async () => {
      const options = { topic: await freshTopic(), 'kafka.transaction.timeout.ms': '3600000' }
      await expect(start(options)).rejects.toMatchObject({
        code: 'KAFKA_TRANSACTION_TIMEOUT_TOO_LONG',
        message: expect.stringContaining('900000'),
      })
    })
    test('a token topic whose records age out', async () => {
      const options = { topic: await freshTopic(), tokenTopic: await freshTopic() }
      await expect(start(options)).rejects.toMatchObject({ code: 'KAFKA_TOKEN_TOPIC_NOT_COMPACTED' })
    })
  })
})

const headersType = {
  kind: 'array',
  containsNull: true,
  element: {
    kind: 'struct',
    fields: [
      { name: 'key', type: 'string', nullable: true },
      { name: 'value', type: 'binary', nullable: true },
    ],
  },
} as const
