import { afterAll, beforeAll, test } from 'vitest'
import type { Files } from '../../src/base/files.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { runChecks } from '../../src/testing/conformance.ts'
import { FilesCrash } from '../../src/testing/failing-files.ts'
import { type SinkFixture, type SinkRun, sinkConformance } from '../../src/testing/sink-conformance.ts'
import { readTopic, settled } from './read-topic.ts'
import { describeKafka, sharedBroker, uniqueName } from './shared-broker.ts'
import { openSink, rowsOf, schemaOf } from './sink-run.ts'
import { createTopic, openCluster } from './topics.ts'

const schema = schemaOf({ value: 'string' })
const otherQuery = 'a topic may be written by many queries, as Kafka has it: each has a token of its own'

describeKafka('conformance of the Kafka sink', () => {
  let bootstrap = ''
  let cluster: KafkaCluster
  beforeAll(async () => {
    bootstrap = (await sharedBroker()).bootstrap
    cluster = await openCluster(bootstrap)
  })
  afterAll(() => cluster.close())

  const fixture =
    (more: Readonly<Record<string, string>> = {}) =>
    async (): Promise<SinkFixture> => {
      const topic = uniqueName('conform')
      await createTopic(cluster, topic, 2)
      const prefix = uniqueName('conform-id')
      const options = { 'kafka.bootstrap.servers': bootstrap, topic, transactionalIdPrefix: prefix, ...more }
      let opened = ''
      return {
        async open({ epoch, queryId, checkFence, wrapFiles }: SinkRun): Promise<Sink> {
          if (more['deliveryGuarantee'] === undefined) opened = `${prefix}-${queryId}`
          const sink = await dying(() => openSink({ epoch, queryId, checkFence, schema, options, wrap: (own) => failing(own, wrapFiles) }))
          return {
            description: sink.description,
            guarantee: sink.guarantee,
            addBatch: (batch) => dying(() => sink.addBatch(batch)),
            stop: () => sink.stop(),
          }
        },
        rows: (numbers) =>
          rowsOf(
            schema,
            numbers.map((n) => ({ value: String(n) })),
          ),
        async visible() {
          if (opened !== '') await settled(cluster, opened)
          return (await readTopic(cluster, topic, { leavesOpen: true })).map(({ value }) => Number(value))
        },
      }
    }

  runChecks(
    sinkConformance(fixture(), {
      guarantee: 'exactly-once',
      skips: { 'the output of another query is refused, never skipped': otherQuery },
    }),
    { test, skip: test.skip },
  )
  runChecks(
    sinkConformance(fixture({ deliveryGuarantee: 'at-least-once' }), { guarantee: 'at-least-once' }).map((check) => ({
      ...check,
      name: `at least once: ${check.name}`,
      run: () => check.run(),
    })),
    { test, skip: test.skip },
  )
})

/** A cluster whose process dies before or after one of its requests: each is a change for the suite. */
function failing(cluster: KafkaCluster, wrapFiles: (files: Files) => Files): KafkaCluster {
  const requests = new Map<string, () => Promise<void>>()
  const base = Object.assign(new LocalFiles(), { makeFolder: (id: string) => requests.get(id)!() })
  const files = wrapFiles(base)
  const requestIn = cluster.requestIn.bind(cluster) as (...given: unknown[]) => Promise<unknown>
  let count = 0
  return Object.assign(cluster, {
    async requestIn(...given: unknown[]): Promise<unknown> {
      const id = String(count++)
      let answer: unknown
      requests.set(id, async () => {
        answer = await requestIn(...given)
      })
      await files.makeFolder(id)
      return answer
    },
  } as unknown as KafkaCluster)
}

/** The suite wants to see the crash itself, and not what an error of ours makes of it. */
async function dying<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof FilesCrash) throw at
    throw error
  }
}
