import { join } from 'node:path'
import { type Engine, millrace } from 'millrace'
import 'millrace/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Files } from '../../src/base/files.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { failingFiles } from '../../src/testing/failing-files.ts'
import { type CrashPoint, SimFileSystem } from '../../src/testing/sim-file-system.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { dies, losses } from '../crash/matrix.ts'
import { crashableEngine } from '../crash/scenarios.ts'
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

  async function copyTopic(engine: Engine, from: string, to: string, options: Readonly<Record<string, string>>): Promise<void> {
    const query = await engine.readStream
      .format('kafka')
      .options({ 'kafka.bootstrap.servers': bootstrap, subscribe: from, startingOffsets: 'earliest' })
      .load()
      .select('value')
      .writeStream.trigger({ availableNow: true })
      .format('kafka')
      .options({ 'kafka.bootstrap.servers': bootstrap, topic: to, ...options })
      .start()
    await query.awaitTermination()
  }

  test('before and after every change of its checkpoint: a read_committed consumer sees each result once', async () => {
    const [from, to] = [uniqueName('crash-in'), uniqueName('crash-out')]
    await createTopic(cluster, from, 2)
    await createTopic(cluster, to, 2)
    await using checkpoint = await tempFolder()
    const run = async (files: Files) => {
      await using engine = await millrace.local({ threads: 1, print: () => {}, files })
      await copyTopic(engine, from, to, { checkpointLocation: checkpoint.path, takeover: 'true' })
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

  // MILLRACE_KAFKA_CRASH_STRIDE=1: at every one of its operations
  test('on a disk that forgets what was not synced: the broker and the checkpoint agree again after each start', async () => {
    const stride = Number(process.env['MILLRACE_KAFKA_CRASH_STRIDE'] ?? 11)
    const [from, to] = [uniqueName('power-in'), uniqueName('power-out')]
    await createTopic(cluster, from, 2)
    await createTopic(cluster, to, 2)
    await using folder = await tempFolder()
    const run = async (disk: SimFileSystem) => {
      await using engine = await crashableEngine(new LocalFiles(disk))
      await copyTopic(engine, from, to, { checkpointLocation: join(folder.path, 'checkpoint') })
    }
    const expected: string[] = []
    const feed = async (name: string) => {
      const values = [`${name} 0`, `${name} 1`]
      await produce(
        cluster,
        from,
        values.map((value, partition) => ({ value, partition })),
      )
      expected.push(...values)
    }
    let disk = new SimFileSystem(folder.path)
    let deaths = 0
    const fates = [...losses, null]
    const trial = async (what: string, point: CrashPoint): Promise<boolean> => {
      await feed(what)
      disk.crashAt(point)
      const died = await dies(run(disk))
      const fate = died ? fates[deaths++ % fates.length]! : null
      if (fate) await disk.losePower(fate)
      disk = await disk.restart()
      await feed(`${what}, again`)
      await run(disk)
      disk = await disk.restart()
      expect((await valuesOf(cluster, to)).sort(), `after a death ${what}, ${JSON.stringify(fate)}`).toEqual(expected.toSorted())
      return died
    }
    for (let at = 1, died = true; died; at += stride)
      for (const when of ['before', 'after'] as const)
        died = await trial(`${when} operation ${at}`, { operation: disk.operations + at, when })
    // where the broker has the batch, and the checkpoint does not say so for good
    for (const kind of ['link', 'fsync-folder'] as const)
      for (const when of ['before', 'after'] as const)
        await trial(`${when} the ${kind} of a commit`, {
          when,
          matches: (operation) => operation.kind === kind && operation.label.includes('checkpoint/commits'),
        })
    expect(deaths * stride).toBeGreaterThan(60)
  }, 300_000)
})
