import { millrace } from 'millrace'
import 'millrace/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Files } from '../../src/base/files.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { failingFiles } from '../../src/testing/failing-files.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { produce } from './produce.ts'
import { valuesOf } from './read-topic.ts'
import { describeKafka, sharedBroker, uniqueName } from './shared-broker.ts'
import { createTopic, openCluster } from './topics.ts'

describeKafka('a query from Kafka to Kafka that dies', () => {
  let cluster: KafkaCluster
  let bootstrap = ''
  beforeAll(async () => {
    bootstrap = (await sharedBroker()).bootstrap
    cluster = await openCluster(bootstrap)
  })
  afterAll(() => cluster.close())

  test('before and after every change of its checkpoint: a read_committed consumer sees each result once', async () => {
    const [from, to] = [uniqueName('crash-in'), uniqueName('crash-out')]
    await createTopic(cluster, from, 2)
    await createTopic(cluster, to, 2)
    await using checkpoint = await tempFolder()
    const run = async (files: Files) => {
      await using engine = await millrace.local({ threads: 1, print: () => {}, files })
      const query = await engine.readStream
        .format('kafka')
        .options({ 'kafka.bootstrap.servers': bootstrap, subscribe: from, startingOffsets: 'earliest' })
        .load()
        .select('value')
        .writeStream.trigger({ availableNow: true })
        .format('kafka')
        .options({ 'kafka.bootstrap.servers': bootstrap, topic: to, checkpointLocation: checkpoint.path, takeover: 'true' })
        .start()
      await query.awaitTermination()
    }
    const expected: string[] = []
    let deaths = 0
    for (let at = 1, died = true; died; at++) {
      died = false
      for (const when of ['before', 'after'] as const) {
        const values = [`${at} ${when} 0`, `${at} ${when} 1`]
        await produce(
          cluster,
          from,
          values.map((value, partition) => ({ value, partition })),
        )
        expected.push(...values)
        const files = failingFiles(new LocalFiles(), at, when)
        const isDead = await run(files).then(
          () => files.changes >= at,
          () => true,
        )
        died ||= isDead
        if (isDead) deaths++
        await run(new LocalFiles())
        expect((await valuesOf(cluster, to)).sort(), `after a death ${when} change ${at}`).toEqual(expected.toSorted())
      }
    }
    // claim, offsets, what the commit is written to, its name, …
    expect(deaths).toBeGreaterThan(10)
  })
})
