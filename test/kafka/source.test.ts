import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { col, type Engine, from_json, millrace, t } from 'millrace'
import 'millrace/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { type Compression, produce } from './produce.ts'
import { describeKafka, type SharedBroker, sharedBroker, uniqueName } from './shared-broker.ts'
import { createTopic, deleteTopic, openCluster } from './topics.ts'
import { transaction } from './transactions.ts'

let broker: SharedBroker
let cluster: KafkaCluster
let engine: Engine
const printed: string[] = []

describeKafka('streams from Kafka', () => {
  beforeAll(async () => {
    broker = await sharedBroker()
    cluster = await openCluster(broker.bootstrap)
    engine = await millrace.local({ threads: 1, print: (line) => printed.push(line) })
  })
  afterAll(async () => {
    await engine?.close()
    await cluster?.close()
  })

  test('rows have the columns of the reference', async () => {
    const topic = await topicWith(1)
    const headers = [['trace', 'abc'] as const, ['trace', 'def'] as const]
    await produce(cluster, topic, [
      { key: 'k', value: 'v', timestampMs: 1_700_000_000_123, headers },
      { key: null, value: null, timestampMs: 1_700_000_000_124 },
    ])
    const { rows } = await run({ subscribe: topic, includeHeaders: 'true' })
    expect(rows.map((row) => JSON.parse(JSON.stringify(row, plain)))).toEqual([
      {
        key: 'k',
        value: 'v',
        topic,
        partition: 0,
        offset: 0,
        timestamp: '2023-11-14T22:13:20.123Z',
        timestampType: 0,
        headers: [
          { key: 'trace', value: 'abc' },
          { key: 'trace', value: 'def' },
        ],
      },
      { key: null, value: null, topic, partition: 0, offset: 1, timestamp: '2023-11-14T22:13:20.124Z', timestampType: 0, headers: null },
    ])
  })

  test('a row that an expression has no value for is a dead letter with its place in the topic and its bytes', async () => {
    const topic = await topicWith(2)
    const texts = ['{"n":5}', '{"n":0}', '{"n":2}']
    await produce(
      cluster,
      topic,
      texts.map((value, i) => ({ partition: 1, key: `k${i}`, value })),
    )
    const letters: object[] = []
    const rows: object[] = []
    const query = await source({ subscribe: topic, startingOffsets: 'earliest' })
      .selectExpr("10 div from_json(cast(value as string), 'n int').n as share")
      .writeStream.trigger({ availableNow: true })
      .foreachBatch(async (found: any) => void rows.push(...(await found.collect())))
      .deadLetters((found: any) => found.output.foreachBatch(async (some: any) => void letters.push(...(await some.collect()))))
      .start()
    await query.awaitTermination()
    expect(rows).toEqual([{ share: 2n }, { share: 5n }])
    expect(letters).toMatchObject([
      { reason: 'DIVIDE_BY_ZERO', stage: 'expression', source: '0', topic, partition: 1, offset: 1n, file: null },
    ])
    expect(Buffer.from((letters[0] as { raw: Uint8Array }).raw).toString()).toBe('{"n":0}')
    expect(query.lastProgress!.balance).toEqual({ rowsIn: 3, rowsOn: 2, lateRows: 0, deadLetters: 1 })
  })

  test.each<Compression>(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('batches compressed with %s', async (compression) => {
    const topic = await topicWith(1)
    const values = Array.from({ length: 500 }, (_, i) => `value ${i} ${'x'.repeat(i % 50)}`)
    await produce(cluster, topic, values, compression)
    expect(await valuesOf({ subscribe: topic })).toEqual([...values].sort())
  })

  describe('which partitions', () => {
    test('assign reads those that it names', async () => {
      const topic = await topicWith(3)
      await produce(
        cluster,
        topic,
        [0, 1, 2].map((partition) => ({ partition, value: `in ${partition}` })),
      )
      expect(await valuesOf({ assign: JSON.stringify({ [topic]: [0, 2] }) })).toEqual(['in 0', 'in 2'])
    })
    test('subscribePattern takes the topics whose whole name fits', async () => {
      const stem = uniqueName('pattern')
      for (const name of [`${stem}-a`, `${stem}-b`, `x-${stem}-a`]) {
        await createTopic(cluster, name)
        await produce(cluster, name, [name])
      }
      expect(await valuesOf({ subscribePattern: `${stem}-[ab]` })).toEqual([`${stem}-a`, `${stem}-b`])
    })
    test('topics and partitions that come while the query runs are read from their beginning', async () => {
      const stem = uniqueName('growing')
      await createTopic(cluster, `${stem}-1`)
      await produce(cluster, `${stem}-1`, ['first'])
      const query = await source({ subscribePattern: `${stem}-.*`, startingOffsets: 'earliest' })
        .writeStream.format('memory')
        .queryName(stem.replaceAll('-', '_'))
        .start()
      await query.processAllAvailable()
      await createTopic(cluster, `${stem}-2`)
      await produce(cluster, `${stem}-2`, ['a new topic'])
      await cluster.request(
        'any',
        [cluster.library.createPartitionsV3.api],
        [{ name: `${stem}-1`, count: 2, assignments: null as never }],
        10_000,
        false,
      )
      await cluster.retrying('', () => produce(cluster, `${stem}-1`, [{ partition: 1, value: 'a new partition' }]))
      const seen = () => texts(engine.memoryTable(stem.replaceAll('-', '_')))
      await expect.poll(seen, { timeout: 30_000 }).toEqual(['a new partition', 'a new topic', 'first'])
      await query.stop()
    })
    test('a query that waits hears of a record when it comes, and not when it looks again', async () => {
      const topic = await topicWith(2)
      const name = topic.replaceAll('-', '_')
      const query = await source({ subscribe: topic, startingOffsets: 'earliest' })
        .writeStream.format('memory')
        .queryName(name)
        .option('spark.sql.streaming.pollingDelay', '10 minutes')
        .start()
      await query.processAllAvailable()
      for (const [partition, expected] of [['1'], ['1', '2'], ['1', '2', '3']].entries()) {
        await produce(cluster, topic, [{ partition: partition % 2, value: expected.at(-1)! }])
        await expect.poll(() => texts(engine.memoryTable(name)), { timeout: 30_000 }).toEqual(expected)
      }
      await query.stop()
    })
    test('a topic that is not there is named', async () => {
      const query = await source({ subscribe: 'no-such-topic' }).writeStream.format('noop').start()
      await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'KAFKA_UNKNOWN_TOPIC' })
    })
  })

  describe('where a new query begins', () => {
    const starts: [string, Record<string, string>, string[]][] = [
      ['earliest', { startingOffsets: 'earliest' }, ['a0', 'a1', 'a2', 'b0', 'b1', 'b2']],
      ['latest', { startingOffsets: 'latest' }, []],
      ['the default, which is latest', {}, []],
      ['offsets', { startingOffsets: '{"T":{"0":1,"1":-2}}' }, ['a1', 'a2', 'b0', 'b1', 'b2']],
      ['offsets, one latest', { startingOffsets: '{"T":{"0":-1,"1":2}}' }, ['b2']],
      ['a timestamp', { startingTimestamp: '1001' }, ['a1', 'a2', 'b1', 'b2']],
      ['timestamps by partition', { startingOffsetsByTimestamp: '{"T":{"0":1002,"1":1001}}' }, ['a2', 'b1', 'b2']],
      [
        'a timestamp that a partition has not reached, latest',
        { startingOffsetsByTimestamp: '{"T":{"0":9999,"1":1002}}', startingOffsetsByTimestampStrategy: 'latest' },
        ['b2'],
      ],
      ['a timestamp before offsets', { startingTimestamp: '1002', startingOffsets: 'earliest' }, ['a2', 'b2']],
    ]
    test.each(starts)('%s', async (_name, options, expected) => {
      const topic = await lettered()
      expect(await valuesOf({ subscribe: topic, startingOffsets: 'latest', ...withTopic(options, topic) })).toEqual(expected)
    })
    test('a timestamp that a partition has not reached is an error', async () => {
      const topic = await lettered()
      await expect(run({ subscribe: topic, startingTimestamp: '9999' })).rejects.toMatchObject({ code: 'KAFKA_NO_OFFSET_FOR_TIMESTAMP' })
    })
    test('offsets must name every partition and no other', async () => {
      const topic = await lettered()
      const error = { code: 'KAFKA_START_OFFSET_DOES_NOT_MATCH_ASSIGNED' }
      await expect(run({ subscribe: topic, startingOffsets: `{"${topic}":{"0":1}}` })).rejects.toMatchObject(error)
      await expect(run({ subscribe: topic, startingOffsets: `{"${topic}":{"0":1,"1":1,"2":1}}` })).rejects.toMatchObject(error)
    })
  })

  describe('batches', () => {
    const ends: [string, Record<string, string>, string[]][] = [
      ['everything', {}, ['a0', 'a1', 'a2', 'b0', 'b1', 'b2']],
      ['between offsets', { startingOffsets: '{"T":{"0":1,"1":-2}}', endingOffsets: '{"T":{"0":-1,"1":1}}' }, ['a1', 'a2', 'b0']],
      ['between timestamps', { startingTimestamp: '1001', endingTimestamp: '1002' }, ['a1', 'b1']],
      ['timestamps by partition', { endingOffsetsByTimestamp: '{"T":{"0":1001,"1":9999}}' }, ['a0', 'b0', 'b1', 'b2']],
    ]
    test.each(ends)('%s', async (_name, options, expected) => {
      const topic = await lettered()
      const all = { 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic, ...withTopic(options, topic) }
      const frame = await engine.read.format('kafka').options(all).load()
      expect(texts(await frame.select(col('value')).collect())).toEqual(expected)
    })
    test('an end before the start is an error, once both are known', async () => {
      const topic = await lettered()
      const reading = (options: Record<string, string>) =>
        engine.read
          .format('kafka')
          .options({ 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic, ...withTopic(options, topic) })
          .load()
          .then((frame) => frame.collect())
      const reversed = { code: 'RESOLVED_START_OFFSET_GREATER_THAN_END_OFFSET' }
      await expect(
        reading({ startingOffsets: '{"T":{"0":3,"1":3}}', endingOffsetsByTimestamp: '{"T":{"0":1001,"1":1001}}' }),
      ).rejects.toMatchObject(reversed)
      await expect(reading({ startingOffsets: '{"T":{"0":0,"1":4}}' })).rejects.toMatchObject(reversed)
    })
    test('times must be given for every partition; one beyond all is the latest for an end, and an error for a start', async () => {
      const topic = await lettered()
      const values = async (options: Record<string, string>) => {
        const all = { 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic, ...withTopic(options, topic) }
        return texts(await (await engine.read.format('kafka').options(all).load()).select(col('value')).collect())
      }
      const beyond = '{"T":{"0":1001,"1":9223372036854775807}}'
      expect(await values({ endingOffsetsByTimestamp: beyond })).toEqual(['a0', 'b0', 'b1', 'b2'])
      await expect(values({ startingOffsetsByTimestamp: beyond })).rejects.toMatchObject({ code: 'KAFKA_NO_OFFSET_FOR_TIMESTAMP' })
      await expect(values({ startingOffsetsByTimestamp: '{"T":{"0":1001}}' })).rejects.toMatchObject({
        code: 'KAFKA_TIMESTAMP_OFFSET_DOES_NOT_MATCH_ASSIGNED',
      })
    })
    test('ends belong to batches, limits to streams', async () => {
      const topic = await lettered()
      const all = { 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic }
      expect(() => source({ subscribe: topic, endingOffsets: 'latest' })).toThrow(/UNSUPPORTED_OPTION: .*"endingOffsets"/)
      await expect(
        engine.read
          .format('kafka')
          .options({ ...all, maxOffsetsPerTrigger: 1 })
          .load(),
      ).rejects.toThrow(/"maxOffsetsPerTrigger"/)
      await expect(
        engine.read
          .format('kafka')
          .options({ ...all, startingOffsets: 'latest' })
          .load(),
      ).rejects.toThrow(/INVALID_OPTION_VALUE/)
    })
  })

  describe('limits', () => {
    test('L5: a limit is shared among partitions in proportion to what waits', async () => {
      const topic = await topicWith(3)
      const numbers = (partition: number, from: number, to: number) =>
        Array.from({ length: to - from + 1 }, (_, i) => ({ partition, value: String(from + i) }))
      await produce(cluster, topic, [...numbers(0, 100, 200), ...numbers(1, 10, 20), ...numbers(2, 1, 1)])
      const batches: string[][] = []
      await using folder = await tempFolder()
      const start = () =>
        source({ subscribe: topic, startingOffsets: 'earliest', maxOffsetsPerTrigger: '10' })
          .writeStream.trigger({ availableNow: true })
          .option('checkpointLocation', folder.path)
          .foreachBatch(async (rows: any) => {
            batches.push(texts(await rows.collect()))
            if (batches.length === 2) throw new Error('stopped between')
          })
          .start()
      await expect((await start()).awaitTermination()).rejects.toThrow(/stopped between/)
      await (await start()).awaitTermination()
      const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i))
      const sorted = (texts: readonly string[]) => [...texts].sort()
      expect(batches[0]).toEqual(sorted(['1', '10', ...span(100, 107)]))
      expect(batches[1]).toEqual(sorted(['11', ...span(108, 116)]))
      expect(batches[2]).toEqual(batches[1])
      expect(batches[3]).toEqual(sorted(['12', ...span(117, 125)]))
      expect(batches[4]).toEqual(sorted(['13', ...span(126, 134)]))
      expect(sorted(batches.slice(2).flat())).toEqual(sorted([...batches[1]!, ...span(12, 20), ...span(117, 200)]))
    })
    test('one trigger takes everything, whatever the limit', async () => {
      const topic = await lettered()
      const { batches } = await run({ subscribe: topic, maxOffsetsPerTrigger: '2' }, { once: true })
      expect(batches).toBe(1)
    })
  })

  describe('transactions', () => {
    test('read_committed leaves out what was aborted, read_uncommitted does not', async () => {
      const topic = await topicWith(1)
      await transaction(cluster, topic, ['a', 'b'], 'commit')
      await transaction(cluster, topic, ['c'], 'abort')
      await produce(cluster, topic, ['plain'])
      await transaction(cluster, topic, ['d'], 'commit')
      expect(await valuesOf({ subscribe: topic, 'kafka.isolation.level': 'read_committed' })).toEqual(['a', 'b', 'd', 'plain'])
      expect(await valuesOf({ subscribe: topic })).toEqual(['a', 'b', 'c', 'd', 'plain'])
    })
    test('an open transaction holds back what follows it, until it has ended', async () => {
      const topic = await topicWith(1)
      await produce(cluster, topic, ['before'])
      const open = await transaction(cluster, topic, ['open'], 'leave')
      await produce(cluster, topic, ['behind'])
      const options = { subscribe: topic, 'kafka.isolation.level': 'read_committed' }
      expect(await valuesOf(options)).toEqual(['before'])
      await open.end('commit')
      expect(await valuesOf(options)).toEqual(['before', 'behind', 'open'])
    })
  })

  describe('what is gone', () => {
    test('records that aged out stop the query, which names them', async () => {
      const { topic, folder, first } = await halfRead()
      await deleteBefore(topic, 4)
      await produce(cluster, topic, ['later'])
      await expect(first({ subscribe: topic })).rejects.toMatchObject({
        code: 'KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE',
        message: expect.stringContaining(`offsets 2 to 3 of ${topic}-0 are lost`),
      })
      await folder.remove()
    })
    test('with failOnDataLoss = false they are left out, warned of, counted and written down', async () => {
      const { topic, folder, first } = await halfRead()
      await deleteBefore(topic, 4)
      await produce(cluster, topic, ['later'])
      const { rows, progress } = await first({ subscribe: topic, failOnDataLoss: 'false' })
      expect(texts(rows)).toEqual(['4', '5', 'later'])
      expect(progress?.sources[0]?.metrics).toMatchObject({ lostRanges: '1', lostOffsets: '2' })
      expect(printed.join('\n')).toContain(`offsets 2 to 3 of ${topic}-0 are lost`)
      const notes = join(folder.path, 'sources/0/lost')
      expect(readdirSync(notes)).toEqual(['0'])
      expect(readFileSync(join(notes, '0'), 'utf8')).toMatch(
        /^v1\n\{"kind":"COULD_NOT_READ_OFFSET_RANGE","topic":".*","partition":0,"from":2,"until":4,/,
      )
      await folder.remove()
    })
    test('gaps that compaction left are no loss', async () => {
      const topic = uniqueName('compacted')
      await createTopic(cluster, topic, 1, {
        'cleanup.policy': 'compact',
        'segment.ms': '100',
        'min.cleanable.dirty.ratio': '0.0001',
        'min.compaction.lag.ms': '0',
      })
      for (let i = 0; i < 6; i++) {
        await produce(cluster, topic, [{ key: i % 2 ? 'odd' : 'even', value: String(i) }])
        await new Promise((resolve) => setTimeout(resolve, 120))
      }
      const read = async () => {
        await produce(cluster, topic, [{ key: 'tick', value: 'tick' }])
        return (await valuesOf({ subscribe: topic })).filter((value) => value !== 'tick')
      }
      await expect.poll(read, { timeout: 30_000, interval: 300 }).toEqual(['4', '5'])
    })
    test('a topic that was made anew is read from its beginning, where that is allowed', async () => {
      const { topic, folder, first } = await halfRead()
      await deleteTopic(cluster, topic)
      await createTopic(cluster, topic)
      await produce(cluster, topic, ['anew'])
      await expect(first({ subscribe: topic })).rejects.toMatchObject({ code: 'KAFKA_DATA_LOSS.START_OFFSET_RESET' })
      const { rows } = await first({ subscribe: topic, failOnDataLoss: 'false' })
      expect(texts(rows)).toEqual(['anew'])
      await folder.remove()
    })
    test('a deleted partition is reported', async () => {
      const [kept, gone] = [await topicWith(1), await topicWith(1)]
      const pattern = `${kept}|${gone}`
      await using folder = await tempFolder()
      await run({ subscribePattern: pattern }, { folder: folder.path })
      await deleteTopic(cluster, gone)
      await produce(cluster, kept, ['more'])
      await expect(run({ subscribePattern: pattern }, { folder: folder.path })).rejects.toMatchObject({
        code: 'KAFKA_DATA_LOSS.PARTITIONS_DELETED',
      })
      expect(texts((await run({ subscribePattern: pattern, failOnDataLoss: 'false' }, { folder: folder.path })).rows)).toEqual(['more'])
    })
  })

  describe('lag and groups', () => {
    test('progress has the lag of each partition', async () => {
      const topic = await topicWith(2)
      await produce(
        cluster,
        topic,
        [...'abcd'].map((value) => ({ partition: 0, value })),
      )
      await produce(cluster, topic, [{ partition: 1, value: 'e' }])
      const { progresses } = await run({ subscribe: topic, maxOffsetsPerTrigger: '2' })
      const [source] = progresses[0]!.sources
      expect(source?.metrics).toMatchObject({ minOffsetsBehindLatest: '0', maxOffsetsBehindLatest: '3', avgOffsetsBehindLatest: '1.5' })
      expect(JSON.parse(source!.metrics!['offsetsBehindLatest']!)).toEqual({ [topic]: { 0: 3, 1: 0 } })
      expect(source?.latestOffset).toEqual({ [topic]: { 0: 4, 1: 1 } })
      expect(source?.description).toBe(`KafkaV2[Subscribe[${topic}]]`)
    })
    test('processed offsets are committed to a group where that is asked for', async () => {
      const topic = await topicWith(2)
      await produce(cluster, topic, ['a', 'b', { partition: 1, value: 'c' }])
      const group = uniqueName('group')
      await run({ subscribe: topic, commitOffsets: 'true', 'kafka.group.id': group })
      const { offsetFetchV8 } = cluster.library
      const coordinator = await cluster.coordinatorOf('group', group)
      const groups = [{ groupId: group, memberEpoch: -1, topics: [{ name: topic, partitionIndexes: [0, 1] }] }]
      const answer = await cluster.request(coordinator, [offsetFetchV8.api], groups, true)
      expect(answer.groups[0]!.topics[0]!.partitions.map(({ committedOffset }) => committedOffset)).toEqual([2n, 1n])
    })
  })

  describe('JSON values', () => {
    const fields = {
      a: t.long().nullable(),
      b: t.string().nullable(),
      at: t.timestamp().nullable(),
      c: t.struct({ d: t.double().nullable() }).nullable(),
    }
    const values = [
      '{"a":1,"b":"x","at":"2024-01-02T03:04:05Z","c":{"d":1.5}}',
      '{"b":"only"}',
      '{"a":"no number","b":"kept"}',
      '{"a":2,',
      '',
      '   ',
      null,
      'null',
      '[1]',
      '7',
      '"text"',
      ' {"a":3}',
      '{\n  "a": 4,\n  "b": "pretty"\n}',
      '{"a":5}\n{"a":6}',
      '{"a":10} and more',
      '{"a":11} {"a":12}',
      '{"b":"a raw\nnewline"}',
      '{"a":13,\n"b"',
      '{"a":7,"b":"\\n in a text"}',
      '{"a":8,"b":"é漢 \u{1F600}"}',
      '{"a":9,"b":null,"zzz":[1,{"x":2}]}',
    ]
    const parsed = (frame: any) =>
      frame
        .select(from_json(col('value').cast('string') as never, t.struct(fields)).as('e'), col('offset'))
        .selectExpr('e.a', 'e.b', 'e.at', 'e.c.d', 'offset')

    test.each([true, false])('mean what from_json over text means (with other columns: %s)', async (withOffset) => {
      const topic = await topicWith(1)
      await produce(
        cluster,
        topic,
        values.map((value) => ({ value })),
      )
      const of = (frame: any) => (withOffset ? parsed(frame) : parsed(frame).select('a', 'b', 'at', 'd'))
      const table = await engine.read.format('kafka').options({ 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic }).load()
      const stream = of(source({ subscribe: topic, startingOffsets: 'earliest' }))
      const seen: unknown[] = []
      const query = await stream.writeStream
        .trigger({ availableNow: true })
        .foreachBatch(async (rows: any) => void seen.push(...(await rows.collect())))
        .start()
      await query.awaitTermination()
      // the plan that runs, not only one that could
      expect(query.explain()).toContain('which parses JSON: a, b, at, c')
      const text = (rows: unknown[]) => rows.map((row) => JSON.stringify(row, plain))
      expect(text(seen)).toEqual(text(await of(table).collect()))
      expect(seen).toHaveLength(values.length)
      expect(query.lastProgress?.numInputRows).toBe(values.length)
    })

    test('batches of any size, compressed or not, from several partitions', async () => {
      const topic = await topicWith(2)
      for (const compression of ['none', 'zstd', 'none', 'lz4'] as const) {
        const records = Array.from({ length: 300 }, (_, i) => ({
          partition: i % 2,
          key: `key ${i}`,
          value: JSON.stringify({ a: i, b: `${compression} ${i}` }),
        }))
        await produce(cluster, topic, records, compression)
      }
      const schema = t.struct({ a: t.long().nullable(), b: t.string().nullable() })
      const sums: bigint[] = []
      const query = await source({ subscribe: topic, startingOffsets: 'earliest', maxOffsetsPerTrigger: '170' })
        .select(from_json(col('value').cast('string') as never, schema).as('e'))
        .selectExpr('e.a', 'e.b')
        .writeStream.trigger({ availableNow: true })
        .foreachBatch(async (rows: any) => {
          const batch = (await rows.collect()) as { a: bigint; b: string }[]
          for (const { a, b } of batch) expect(b.endsWith(` ${a}`)).toBe(true)
          sums.push(batch.reduce((sum, { a }) => sum + a, 0n))
        })
        .start()
      await query.awaitTermination()
      expect(sums.reduce((a, b) => a + b, 0n)).toBe(4n * BigInt((299 * 300) / 2))
      expect(sums.length).toBeGreaterThan(5)
    })
  })
})

// ---- what the tests share

function source(options: Record<string, string>): any {
  return engine.readStream
    .format('kafka')
    .options({ 'kafka.bootstrap.servers': broker.bootstrap, ...options })
    .load()
}

interface RunOptions {
  readonly folder?: string
  readonly once?: boolean
}
/** Runs a query over everything that is there, from the earliest offset unless the options say otherwise. */
async function run(options: Record<string, string>, { folder, once }: RunOptions = {}) {
  const rows: Record<string, unknown>[] = []
  let batches = 0
  const writer = source({ startingOffsets: 'earliest', ...options })
    .writeStream.trigger(once ? { once: true } : { availableNow: true })
    .foreachBatch(async (batch: any) => {
      batches++
      rows.push(...(await batch.collect()))
    })
  const query = await (folder === undefined ? writer : writer.option('checkpointLocation', folder)).start()
  await query.awaitTermination()
  return { rows, batches, progress: query.lastProgress, progresses: query.recentProgress as NonNullable<typeof query.lastProgress>[] }
}
async function valuesOf(options: Record<string, string>): Promise<string[]> {
  return texts((await run(options)).rows)
}
/** Values as sorted texts. */
function texts(rows: readonly object[]): string[] {
  return rows.map((row) => Buffer.from((row as { value: Uint8Array }).value).toString()).sort()
}
function plain(this: unknown, _key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  return typeof value === 'bigint' ? Number(value) : value
}

async function topicWith(partitions: number): Promise<string> {
  const topic = uniqueName('topic')
  await createTopic(cluster, topic, partitions)
  return topic
}
/** a0, a1, a2 in partition 0 and b0, b1, b2 in 1, at 1000, 1001 and 1002 ms. */
async function lettered(): Promise<string> {
  const topic = await topicWith(2)
  const records = ['a', 'b'].flatMap((letter, partition) =>
    [0, 1, 2].map((i) => ({ partition, value: `${letter}${i}`, timestampMs: 1000 + i })),
  )
  await produce(cluster, topic, records)
  return topic
}
function withTopic(options: Record<string, string>, topic: string): Record<string, string> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, value.replace('"T"', JSON.stringify(topic))]))
}

/** A topic with 0 … 5, of which a query has read 0 and 1; `first` runs the query again. */
async function halfRead() {
  const topic = await topicWith(1)
  const folder = await tempFolder()
  await produce(cluster, topic, ['0', '1'])
  await run({ subscribe: topic }, { folder: folder.path })
  await produce(cluster, topic, ['2', '3', '4', '5'])
  return { topic, folder, first: (options: Record<string, string>) => run(options, { folder: folder.path }) }
}
async function deleteBefore(topic: string, offset: number): Promise<void> {
  const { deleteRecordsV2 } = cluster.library
  const topics = [{ name: topic, partitions: [{ partitionIndex: 0, offset: BigInt(offset) }] }]
  await cluster.request(await cluster.leaderOf(topic, 0), [deleteRecordsV2.api], topics, 10_000)
}
