import { ClientProperties } from '../../src/kafka/client-properties.ts'
import { errorsOf, KafkaCluster } from '../../src/kafka/cluster.ts'
import { connectionOf } from '../../src/kafka/connection-options.ts'

/** A cluster as a source with these options would open it. */
export function openCluster(bootstrap: string, options: Readonly<Record<string, string>> = {}): Promise<KafkaCluster> {
  const properties = ClientProperties.of('the test', { 'kafka.bootstrap.servers': bootstrap, ...options })
  return KafkaCluster.open(connectionOf(properties, 'millrace-test'))
}

/** Makes a topic, and waits until its partitions have leaders. */
export async function createTopic(
  cluster: KafkaCluster,
  name: string,
  partitions = 1,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { createTopicsV7 } = cluster.library
  const topic = {
    name,
    numPartitions: partitions,
    replicationFactor: 1,
    assignments: [],
    configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
  }
  for (const deadlineMs = Date.now() + 30_000; ; ) {
    try {
      await cluster.request('any', [createTopicsV7.api], [topic], 30_000, false)
      break
    } catch (error) {
      // a broker that has just come up has, for a moment, no brokers to put a topic on
      if (!errorsOf(error).includes('INVALID_REPLICATION_FACTOR') || Date.now() > deadlineMs) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  for (;;) {
    const found = (await cluster.metadata([name])).topics.get(name)
    if (found && found.partitions.size === partitions && [...found.partitions.values()].every(({ leader }) => leader >= 0)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export async function deleteTopic(cluster: KafkaCluster, name: string): Promise<void> {
  const { deleteTopicsV6 } = cluster.library
  await cluster.request('any', [deleteTopicsV6.api], [{ name }], 30_000)
  while ((await cluster.metadata([name])).topics.has(name)) await new Promise((resolve) => setTimeout(resolve, 20))
}
