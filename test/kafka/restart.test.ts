import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importCheckpoint, millrace } from 'millrace'
import 'millrace/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { Broker } from './broker.ts'
import { produce } from './produce.ts'
import { describeKafka, uniqueName } from './shared-broker.ts'
import { createTopic, openCluster } from './topics.ts'

describeKafka('brokers and checkpoints that come and go', () => {
  let broker: Broker
  let cluster: KafkaCluster
  beforeAll(async () => {
    broker = await Broker.start()
    cluster = await openCluster(broker.bootstrap)
  })
  afterAll(async () => {
    await cluster.close()
    await broker.stop()
  })

  test('a query outlives a broker that is killed and started again', async () => {
    const topic = uniqueName('outlive')
    await createTopic(cluster, topic, 2)
    await using engine = await millrace.local({ threads: 1, print: () => {} })
    const options = { 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic, startingOffsets: 'earliest' }
    const query = await engine.readStream.format('kafka').options(options).load().writeStream.format('memory').queryName('outlive').start()
    const offsets = () =>
      engine
        .memoryTable('outlive')
        .map((row) => `${row['partition']}-${row['offset']}`)
        .sort()
    await produce(cluster, topic, [
      { partition: 0, value: 'a' },
      { partition: 1, value: 'b' },
    ])
    await query.processAllAvailable()
    expect(offsets()).toEqual(['0-0', '1-0'])
    await broker.restart('SIGKILL')
    await produce(cluster, topic, [
      { partition: 0, value: 'c' },
      { partition: 1, value: 'd' },
    ])
    await expect.poll(offsets, { timeout: 60_000 }).toEqual(['0-0', '0-1', '1-0', '1-1'])
    await query.stop()
    expect(query.exception).toBeNull()
  })

  test('a query that was stopped goes on where it stood', async () => {
    const topic = uniqueName('goes-on')
    await createTopic(cluster, topic)
    await using folder = await tempFolder()
    const seen: bigint[] = []
    const run = async () => {
      await using engine = await millrace.local({ threads: 1, print: () => {} })
      const options = { 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic, startingOffsets: 'earliest' }
      const query = await engine.readStream
        .format('kafka')
        .options(options)
        .load()
        .select('offset')
        .writeStream.trigger({ availableNow: true })
        .option('checkpointLocation', folder.path)
        .foreachBatch(async (rows) => void seen.push(...(await rows.collect()).map((row) => row.offset!)))
        .start()
      await query.awaitTermination()
    }
    await run()
    await produce(cluster, topic, ['a', 'b'])
    await run()
    await produce(cluster, topic, ['c'])
    await run()
    await run()
    expect(seen).toEqual([0n, 1n, 2n])
  })

  test("a checkpoint of Spark's is imported with its offsets", async () => {
    const topic = uniqueName('imported')
    await createTopic(cluster, topic, 2)
    await produce(
      cluster,
      topic,
      [...'abc'].map((value) => ({ partition: 0, value })),
    )
    await produce(
      cluster,
      topic,
      [...'de'].map((value) => ({ partition: 1, value })),
    )
    await using folder = await tempFolder()
    const [from, to] = [join(folder.path, 'spark'), join(folder.path, 'millrace')]
    const write = (name: string, text: string) => {
      mkdirSync(join(from, name, '..'), { recursive: true })
      writeFileSync(join(from, name), text)
    }
    const metadata = '{"batchWatermarkMs":0,"batchTimestampMs":1700000000000,"conf":{}}'
    write('metadata', '{"id":"5f8f2c05-2b8c-4a8f-9a51-0f5fbf8c1a11"}')
    write('sources/0/0', `\0v1\n{"${topic}":{"0":0,"1":0}}`)
    write('offsets/0', `v1\n${metadata}\n{"${topic}":{"0":2,"1":1}}`)
    write('commits/0', 'v1\n{"nextBatchWatermarkMs":0}')
    const report = await importCheckpoint(from, to)
    expect(report.sources).toMatchObject([{ kind: 'kafka' }])
    expect(existsSync(join(to, 'sources/0/0'))).toBe(true)
    expect(readFileSync(join(to, 'sources/0/0'), 'utf8')).toContain(topic)
    await using engine = await millrace.local({ threads: 1, print: () => {} })
    const seen: string[] = []
    const query = await engine.readStream
      .format('kafka')
      .options({ 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic, startingOffsets: 'earliest' })
      .load()
      .writeStream.trigger({ availableNow: true })
      .option('checkpointLocation', to)
      .foreachBatch(async (rows) => void seen.push(...(await rows.collect()).map((row) => Buffer.from(row.value!).toString())))
      .start()
    await query.awaitTermination()
    expect(seen.sort()).toEqual(['c', 'e'])
  })
})
