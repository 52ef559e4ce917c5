import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { codecsOf } from '../../src/kafka/codecs.ts'
import { BatchBuilder } from '../../src/kafka/sink/batch-builder.ts'
import { produceTo } from '../../src/kafka/sink/produce-request.ts'
import { Coordinators, openSession, type ProducerSession } from '../../src/kafka/sink/producer-session.ts'
import { GroupTokenStore } from '../../src/kafka/sink/token-store.ts'
import { Transaction } from '../../src/kafka/sink/transaction.ts'
import { Broker } from './broker.ts'
import { valuesOf } from './read-topic.ts'
import { describeKafka, uniqueName } from './shared-broker.ts'
import { keyed, openSink } from './sink-run.ts'
import { createTopic, openCluster } from './topics.ts'

/** A broker that does not ask the coordinator whether a transaction is open writes into one that is not: what it leaves is what a broker leaves that has lost the end of one. */
describeKafka('a transaction that the cluster has forgotten to end', () => {
  let broker: Broker
  let cluster: KafkaCluster
  beforeAll(async () => {
    broker = await Broker.start({ properties: { 'transaction.partition.verification.enable': 'false' } })
    cluster = await openCluster(broker.bootstrap)
  })
  afterAll(async () => {
    await cluster?.close()
    await broker?.stop()
  })

  async function output(more: Readonly<Record<string, string>> = {}) {
    const topic = uniqueName('hanging')
    await createTopic(cluster, topic, 2)
    const prefix = uniqueName('hanging-id')
    const options = {
      ...{ 'kafka.bootstrap.servers': broker.bootstrap, topic, transactionalIdPrefix: prefix },
      ...more,
    }
    const open = (epoch: number) => openSink({ options, epoch })
    const coordinators = new Coordinators(cluster)
    const session = () => openSession(cluster, coordinators, `${prefix}-query-1`, 60_000)
    return { topic, id: `${prefix}-query-1`, open, coordinators, session }
  }
  async function write(topic: string, partition: number, id: string, session: ProducerSession): Promise<void> {
    const builder = new BatchBuilder(256)
    // compacted topics take no record without a key
    const [key, value] = [Buffer.from('key'), Buffer.from('lost')]
    builder.add(key, 0, key.length, value, 0, value.length, Date.now(), null)
    const plain = { compression: 0, compress: (bytes: Buffer) => bytes, crc32c: codecsOf(cluster.library).crc32c }
    const bytes = builder.seal(session, session.take(topic, partition, 1), plain)
    const [answer] = await produceTo(cluster, await cluster.leaderOf(topic, partition), id, [{ topic, partition, bytes }])
    expect(answer).toMatchObject({ errorCode: 0 })
  }

  test('in a partition of the output: nothing is written, so that nothing is there twice', async () => {
    const { topic, id, open, session } = await output()
    const first = await open(1)
    await first.addBatch({ batchId: 0, rows: keyed('a'), outputMode: 'append' })
    await first.stop()
    await write(topic, 1, id, await session())
    const second = await open(2)
    // both partitions are written to
    const batch = { batchId: 1, rows: keyed('b', 'c', 'd', 'e', 'f', 'g', 'h'), outputMode: 'append' } as const
    const error = await second.addBatch(batch).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    )
    expect(error).toMatchObject({ code: 'KAFKA_TRANSACTION_HANGING', name: 'InvalidQueryError' })
    expect(error!.message).toContain(`${topic}-1 has had one of producer`)
    expect(error!.message).toContain('docs/kafka.md')
    await second.stop()
    // as an operator ends it
    const start = /open since offset (\d+)/.exec(error!.message)![1]!
    broker.tool('org.apache.kafka.tools.TransactionsCommand', [
      ...['--bootstrap-server', broker.bootstrap, 'abort', '--topic', topic, '--partition', '1', '--start-offset', start],
    ])
    const third = await open(3)
    await third.addBatch(batch)
    await third.stop()
    expect((await valuesOf(cluster, topic)).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
  })

  test("at the token's offset: the start is refused", async () => {
    const { topic, id, open, coordinators, session } = await output({ 'kafka.default.api.timeout.ms': '6000' })
    await (await open(1)).stop()
    // an offset that is written in a transaction which the coordinator does not know
    await new Transaction(cluster, coordinators, await session(), id).commitOffset(id, topic, 0, 7, '')
    await expect(open(2)).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_HANGING' })
  })

  test("at the token's topic: the start is refused", async () => {
    const tokenTopic = uniqueName('hanging-tokens')
    const { id, open, session } = await output({ tokenTopic })
    await (await open(1)).stop()
    await write(tokenTopic, 0, id, await session())
    await expect(open(2)).rejects.toMatchObject({ code: 'KAFKA_TRANSACTION_HANGING' })
  })

  test('one that is open is not called lost', async () => {
    const { topic, id, coordinators, session } = await output()
    const impatient = await openCluster(broker.bootstrap, { 'kafka.default.api.timeout.ms': '3000' })
    const own = await session()
    const transaction = new Transaction(cluster, coordinators, own, id)
    await transaction.addGroup(id)
    await transaction.commitOffset(id, topic, 0, 7, '')
    const store = new GroupTokenStore(impatient, new Coordinators(impatient), id, topic)
    await expect(store.read(own)).rejects.toMatchObject({
      code: 'KAFKA_UNAVAILABLE',
      message: expect.stringContaining('UNSTABLE_OFFSET_COMMIT'),
    })
    await impatient.close()
  })
})
