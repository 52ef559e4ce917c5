import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { produce } from '../../test/kafka/produce.ts'
import { describeKafka, type SharedBroker, sharedBroker, uniqueName } from '../../test/kafka/shared-broker.ts'
import { createTopic, deleteTopic, openCluster } from '../../test/kafka/topics.ts'
import { transaction } from '../../test/kafka/transactions.ts'
import { type Clock, ManualClock, systemClock } from '../base/clock.ts'
import { LocalFiles } from '../base/local-files.ts'
import { Schema } from '../data/schema.ts'
import type { SourceContext } from '../sources/provider.ts'
import type { Offset, Source } from '../sources/source.ts'
import { runChecks } from '../testing/conformance.ts'
import { sourceConformance } from '../testing/source-conformance.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import type { KafkaCluster } from './cluster.ts'
import { kafkaSourceProvider } from './provider.ts'

let broker: SharedBroker
let cluster: KafkaCluster

describeKafka('the Kafka source', () => {
  beforeAll(async () => {
    broker = await sharedBroker()
    cluster = await openCluster(broker.bootstrap)
  })

  describe('conformance', () => {
    runChecks(
      sourceConformance(async () => {
        const topic = uniqueName('conform')
        await createTopic(cluster, topic, 3)
        const folder = await tempFolder()
        const opened: Source[] = []
        let count = 0
        return {
          limit: { kind: 'max-rows', count: 5 },
          async open() {
            const source = await kafkaSourceProvider.open(contextOf({ subscribe: topic, startingOffsets: 'earliest' }, folder.path))
            opened.push(source)
            return source
          },
          addData: () =>
            produce(
              cluster,
              topic,
              Array.from({ length: 5 }, () => ({ partition: count % 3, value: `row ${count++}`, timestampMs: count })),
            ),
          close: async () => {
            await Promise.all(opened.map((source) => source.stop()))
            await folder.remove()
          },
        }
      }),
      { test, skip: test.skip },
    )
  })

  test('minOffsetsPerTrigger waits until so many have come, or for maxTriggerDelay', async () => {
    const topic = uniqueName('min')
    await createTopic(cluster, topic)
    await using folder = await tempFolder()
    const clock = new ManualClock(1_000_000)
    const options = { subscribe: topic, startingOffsets: 'earliest', minOffsetsPerTrigger: '3', maxTriggerDelay: '10s' }
    const source = await kafkaSourceProvider.open(contextOf(options, folder.path, clock))
    const limit = source.readLimit
    await produce(cluster, topic, ['a'])
    const first = await source.latestOffset(null, limit)
    expect(first).toEqual({ [topic]: { 0: 1 } }) // the first look waits for nothing
    await produce(cluster, topic, ['b', 'c'])
    expect(await source.latestOffset(first, limit)).toBe(first)
    await produce(cluster, topic, ['d'])
    const second = await source.latestOffset(first, limit)
    expect(second).toEqual({ [topic]: { 0: 4 } })
    await produce(cluster, topic, ['e'])
    expect(await source.latestOffset(second, limit)).toBe(second)
    expect(await source.latestOffset(second, { kind: 'all' })).toEqual({ [topic]: { 0: 5 } })
    clock.advance(10_000)
    const third = { [topic]: { 0: 5 } }
    expect(await source.latestOffset(second, limit)).toEqual(third)
    clock.advance(10_000)
    expect(await source.latestOffset(third, limit)).toBe(third) // a look at nothing was one
    await produce(cluster, topic, ['f'])
    expect(await source.latestOffset(third, limit)).toBe(third)
    clock.advance(10_000)
    expect(await source.latestOffset(third, limit)).toEqual({ [topic]: { 0: 6 } })
    await source.stop()
  })

  test('what was fetched ahead, and what was written over, is read again where it is asked for again', async () => {
    const topic = uniqueName('again')
    await createTopic(cluster, topic)
    await produce(
      cluster,
      topic,
      Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, value: `{"n":${i}}` })),
    )
    await using folder = await tempFolder()
    const source = await kafkaSourceProvider.open(contextOf({ subscribe: topic, startingOffsets: 'earliest' }, folder.path))
    await source.latestOffset(null, { kind: 'all' })
    const at = (offset: number) => ({ [topic]: { 0: offset } })
    const json = { column: 1, fields: new Schema([{ name: 'n', type: 'long', nullable: true }]) }
    const numbers = async (from: number, until: number) => {
      const batch = await source.rows(from === 0 ? null : at(from), at(until), { columns: new Set(), json })
      if (batch.kind !== 'json-values') throw new Error(batch.kind)
      const lines = readFileSync(batch.file.path, 'utf8').trim().split('\n')
      await batch.release()
      expect(lines).toHaveLength(batch.numRows)
      return lines.map((line) => (JSON.parse(line) as { n: number }).n)
    }
    const span = (from: number, until: number) => Array.from({ length: until - from }, (_, i) => from + i)
    for (const [from, until] of [
      [0, 7],
      [7, 20],
      [7, 20],
      [0, 50],
      [20, 31],
      [31, 50],
      [3, 4],
    ] as const) {
      expect(await numbers(from, until)).toEqual(span(from, until))
    }
    await source.stop()
  })

  test('what an AvailableNow run planned and finds gone has the codes of Spark', async () => {
    const lose = async (then: (topic: string) => Promise<void>, options = {}) => {
      const topic = uniqueName('planned')
      await createTopic(cluster, topic)
      await produce(cluster, topic, ['a', 'b', 'c'])
      await using folder = await tempFolder()
      const source = await kafkaSourceProvider.open(contextOf({ subscribe: topic, startingOffsets: 'earliest', ...options }, folder.path))
      await source.prepareForAvailableNow!()
      const end = await source.latestOffset(null, { kind: 'all' })
      await deleteTopic(cluster, topic)
      await then(topic)
      const result = await source.rows(null, end!).then(
        () => 'read',
        (error: { code: string }) => error.code,
      )
      await source.stop()
      return result
    }
    const anew = async (topic: string) => {
      await createTopic(cluster, topic)
      await produce(cluster, topic, ['x'])
    }
    // each waits until the broker is believed
    expect(await Promise.all([lose(async () => {}), lose(anew), lose(async () => {}, { failOnDataLoss: 'false' })])).toEqual([
      'LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW',
      'END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW',
      'read',
    ])
  })

  test('a transaction that is open is in the metrics, and after a minute in the log, with its place and its producer', async () => {
    const topic = uniqueName('open')
    await createTopic(cluster, topic, 2)
    await produce(cluster, topic, ['before'])
    const open = await transaction(cluster, topic, ['x', 'y'], 'leave')
    await using folder = await tempFolder()
    const clock = new ManualClock()
    const warned: string[] = []
    const options = { subscribe: topic, startingOffsets: 'earliest', 'kafka.isolation.level': 'read_committed' }
    const source = await kafkaSourceProvider.open({ ...contextOf(options, folder.path, clock), warn: (text) => void warned.push(text) })
    let at: Offset | null = null
    const look = async () => {
      clock.advance(5_000)
      at = await source.latestOffset(at, { kind: 'all' })
      return source.metrics!(at)
    }
    const held = {
      openTransactionsSinceOffset: JSON.stringify({ [topic]: { '0': 1 } }),
      offsetsBehindOpenTransactions: JSON.stringify({ [topic]: { '0': 2 } }),
    }
    await expect.poll(look).toMatchObject(held)
    expect(at).toEqual({ [topic]: { '0': 1, '1': 0 } })
    expect(warned).toEqual([])
    clock.advance(60_000)
    await expect.poll(async () => (await look()) && warned.length).toBe(1)
    expect(warned[0]).toMatch(
      new RegExp(`^${topic}-0 has had a transaction open at offset 1 for \\d+ s, by producer \\d+ \\(epoch 0\\): the offsets 1 to 2 wait`),
    )
    await look()
    await open.end('commit')
    await expect.poll(look).not.toHaveProperty('openTransactionsSinceOffset')
    expect([at, warned.length]).toEqual([{ [topic]: { '0': 4, '1': 0 } }, 1])
    await source.stop()
  })

  test('the first offsets are written in the form of Spark, and damage is found', async () => {
    const topic = uniqueName('initial')
    await createTopic(cluster, topic, 2)
    await produce(cluster, topic, ['a'])
    await using folder = await tempFolder()
    const open = () => kafkaSourceProvider.open(contextOf({ subscribe: topic }, folder.path))
    const source = await open()
    await source.latestOffset(null, { kind: 'all' })
    expect(readFileSync(join(folder.path, '0'), 'utf8')).toBe(`\0v1\n{"${topic}":{"0":1,"1":0}}`)
    await source.stop()
    writeFileSync(join(folder.path, '0'), '\0v1\n{"clicks":')
    const damaged = await open()
    await expect(damaged.latestOffset(null, { kind: 'all' })).rejects.toMatchObject({ code: 'MALFORMED_LOG_FILE' })
    await damaged.stop()
  })
})

function contextOf(options: Record<string, string>, folder: string, clock: Clock = systemClock): SourceContext {
  const all = { 'kafka.bootstrap.servers': broker.bootstrap, ...options }
  return {
    format: 'kafka',
    schema: kafkaSourceProvider.schemaOf('kafka', undefined, all),
    options: all,
    metadataFolder: folder,
    queryId: 'q',
    files: new LocalFiles(),
    clock,
    checkFence: async () => {},
    conf: () => undefined,
    warn: () => {},
  }
}
