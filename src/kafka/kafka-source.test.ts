import { beforeAll, describe, test } from 'vitest'
import { produce } from '../../test/kafka/produce.ts'
import { describeKafka, type SharedBroker, sharedBroker, uniqueName } from '../../test/kafka/shared-broker.ts'
import { createTopic, openCluster } from '../../test/kafka/topics.ts'
import { systemClock } from '../base/clock.ts'
import { LocalFiles } from '../base/local-files.ts'
import type { SourceContext } from '../sources/provider.ts'
import type { Source } from '../sources/source.ts'
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
})

function contextOf(options: Record<string, string>, folder: string): SourceContext {
  const all = { 'kafka.bootstrap.servers': broker.bootstrap, ...options }
  return {
    format: 'kafka',
    schema: kafkaSourceProvider.schemaOf('kafka', undefined, all),
    options: all,
    metadataFolder: folder,
    queryId: 'q',
    files: new LocalFiles(),
    clock: systemClock,
    checkFence: async () => {},
    conf: () => undefined,
    warn: () => {},
  }
}
