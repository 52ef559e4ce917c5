import { InvalidQueryError } from '../../base/errors.ts'
import type { BoundedWrite, Sink, SinkContext, SinkProvider } from '../../sinks/sink.ts'
import { KafkaCluster } from '../cluster.ts'
import { AtLeastOnceKafkaSink } from './at-least-once.ts'
import { encodersOf, type SinkParts } from './delivery.ts'
import { ExactlyOnceKafkaSink } from './exactly-once.ts'
import { Coordinators } from './producer-session.ts'
import { sinkColumns } from './sink-columns.ts'
import { checkTokenTopic, type KafkaSinkOptions, sinkOptions } from './sink-options.ts'
import { GroupTokenStore } from './token-store.ts'
import { TopicDirectory } from './topic-directory.ts'
import { TopicTokenStore } from './topic-token-store.ts'

/** `writeStream.format('kafka')`, and `write.format('kafka')`. */
export const kafkaSinkProvider: SinkProvider = {
  formats: ['kafka'],
  refusesRows: true,
  outputModes: ['append', 'update', 'complete'],
  allowsTemporaryCheckpoint: false,
  bounded: { modes: ['append', 'errorifexists'], write: writeBounded },
  async open(context) {
    const options = sinkOptions(context.options)
    return openKafkaSink(context, options, await KafkaCluster.open(options.connection))
  },
}

/**
 * A batch is one transaction under an id of its own, so that read_committed consumers see all of it or nothing. Where rows name their topics and there is no
 * tokenTopic, nothing could say afterwards whether it was committed: it is written at least once.
 */
async function writeBounded({ schema, options: given, withRows, random, ...write }: BoundedWrite): Promise<void> {
  const told = Object.keys(given).map((name) => name.toLowerCase())
  const hasPlace = ['topic', 'tokentopic', 'deliveryguarantee'].some((name) => told.includes(name))
  const options = sinkOptions(hasPlace ? given : { ...given, deliveryGuarantee: 'at-least-once' })
  const context: SinkContext = {
    ...write,
    schema,
    options: given,
    outputMode: 'append',
    queryId: `batch-${random.uuid()}`,
    queryName: null,
    epoch: 1,
    recovering: false,
    checkFence: async () => {},
    print: () => {},
  }
  const sink = await openKafkaSink(context, options, await KafkaCluster.open(options.connection))
  try {
    await withRows((rows) => sink.addBatch({ batchId: 0, rows, outputMode: 'append' }))
  } finally {
    await sink.stop()
  }
}

/** The sink owns the cluster from here on. */
export async function openKafkaSink(context: SinkContext, options: KafkaSinkOptions, cluster: KafkaCluster): Promise<Sink> {
  try {
    const columns = sinkColumns(context.schema, options.topic !== null)
    checkTokenTopic(options)
    const topics = new TopicDirectory(cluster)
    const parts: SinkParts = { cluster, options, columns, topics, encoders: encodersOf(cluster.library, options.compression) }
    if (options.topic !== null) await checkTopic(options.topic, parts)
    const description = `KafkaSink[${options.topic ?? 'by column topic'}]`
    if (!options.isExactlyOnce) return new AtLeastOnceKafkaSink(parts, context.clock, description)
    const coordinators = new Coordinators(cluster)
    const transactionalId = [options.idPrefix, context.queryId, ...(context.output === undefined ? [] : [context.output])].join('-')
    const store =
      options.tokenTopic === null
        ? new GroupTokenStore(cluster, coordinators, transactionalId, options.topic!)
        : new TopicTokenStore(cluster, options.tokenTopic, transactionalId)
    const sink = new ExactlyOnceKafkaSink({ ...parts, coordinators, transactionalId, store }, context, description)
    await sink.takeOver()
    return sink
  } catch (error) {
    await cluster.close()
    throw error
  }
}

async function checkTopic(topic: string, { topics, cluster }: SinkParts): Promise<void> {
  await topics.load([topic])
  if (topics.get(topic) !== null) return
  throw new InvalidQueryError('KAFKA_UNKNOWN_TOPIC', {
    what: `Kafka at ${cluster.servers} has no topic ${topic}, or this user may not see it`,
    todo: 'create the topic first, check the spelling, or grant the right to describe and write it',
  })
}
