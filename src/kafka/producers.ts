import { errorsOf, type KafkaCluster, responseOf } from './cluster.ts'

export interface PartitionPlace {
  readonly topic: string
  readonly partition: number
}

/** A producer that a partition's leader remembers. */
export interface ActiveProducer extends PartitionPlace {
  readonly producer: {
    readonly producerId: bigint
    readonly producerEpoch: number
    /** When it has written last, in milliseconds since 1970. */
    readonly lastTimestamp: bigint
    readonly coordinatorEpoch: number
    /** -1: none is open. */
    readonly currentTxnStartOffset: bigint
  }
}

/** Who writes to partitions that one broker leads, each with the offset at which its open transaction begins (-1: none is open). Of topics that this user may not read, nothing. */
export async function producersOf(
  cluster: KafkaCluster,
  leader: Parameters<KafkaCluster['request']>[0],
  places: readonly PartitionPlace[],
): Promise<ActiveProducer[]> {
  const { describeProducersV0 } = cluster.library
  type Answer = Awaited<ReturnType<typeof describeProducersV0.api.async>>
  const topics = [...Map.groupBy(places, ({ topic }) => topic)].map(([name, own]) => ({
    name,
    partitionIndexes: own.map(({ partition }) => partition),
  }))
  let answer: Answer
  try {
    answer = await cluster.requestIn('transaction', leader, [describeProducersV0.api], topics)
  } catch (error) {
    const partial = responseOf<Answer>(error)
    const isMissingRight = errorsOf(error).every((code) => code.endsWith('AUTHORIZATION_FAILED'))
    if (!partial || !isMissingRight) throw error
    answer = partial
  }
  return answer.topics.flatMap(({ name, partitions }) =>
    partitions.flatMap(({ partitionIndex, activeProducers }) =>
      activeProducers.map((producer) => ({ topic: name, partition: partitionIndex, producer })),
    ),
  )
}
