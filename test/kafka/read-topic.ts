import { columnsToRows } from '../../src/data/values.ts'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { codecsOf } from '../../src/kafka/codecs.ts'
import { fetchFrom } from '../../src/kafka/fetch-request.ts'
import { partitionKey } from '../../src/kafka/offsets.ts'
import { decodeBatches } from '../../src/kafka/record-batch.ts'
import { type RecordColumn, RecordColumns } from '../../src/kafka/record-columns.ts'
import { kafkaSchema } from '../../src/kafka/schema.ts'

export interface ReadRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string | null
  readonly timestampMs: number
  readonly headers: readonly (readonly [string, string | null])[]
}

/**
 * All records of a topic as a consumer sees them, by partition and offset. With read_committed this waits until every transaction that is
 * open now has ended, or with `leavesOpen` ends before the first of them; `batches` gets the size of each record batch.
 */
export async function readTopic(
  cluster: KafkaCluster,
  topic: string,
  {
    isolation = 'read_committed',
    leavesOpen = false,
    batches = [],
  }: { isolation?: 'read_committed' | 'read_uncommitted'; leavesOpen?: boolean; batches?: number[] } = {},
): Promise<ReadRecord[]> {
  const schema = kafkaSchema(true)
  const columns = new RecordColumns(new Set(schema.names as RecordColumn[]))
  const codecs = codecsOf(cluster.library)
  const readCommitted = isolation === 'read_committed'
  const settings = { readCommitted, minBytes: 1, maxBytes: 32 * 1024 * 1024, maxPartitionBytes: 16 * 1024 * 1024, maxWaitMs: 20 }
  const partitions = (await cluster.metadata([topic])).topics.get(topic)!.partitions
  for (const partition of [...partitions.keys()].sort((a, b) => a - b)) {
    const key = partitionKey(topic, partition)
    columns.startPartition(topic, partition)
    const leader = await cluster.leaderOf(topic, partition)
    const { listOffsetsV7 } = cluster.library
    const asked = [{ name: topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: -1n }] }]
    const until = Number(
      (await cluster.request(leader, [listOffsetsV7.api], -1, leavesOpen ? 1 : 0, asked)).topics[0]!.partitions[0]!.offset,
    )
    for (let at = 0; at < until; ) {
      const [part] = await fetchFrom(cluster, leader, new Map([[key, at]]), settings)
      if (part!.errorCode !== 0) throw new cluster.library.ProtocolError(part!.errorCode)
      for (let next = 0; next + 12 <= part!.records.length; next += 12 + part!.records.readInt32BE(next + 8))
        batches.push(12 + part!.records.readInt32BE(next + 8))
      const { nextOffset } = decodeBatches(
        part!.records,
        { from: at, until, aborted: readCommitted ? part!.aborted : null, checkCrc: true, where: key },
        codecs,
        columns,
      )
      at = nextOffset
    }
  }
  const text = (bytes: unknown) => (bytes === null ? null : Buffer.from(bytes as Uint8Array).toString('utf8'))
  return columnsToRows(columns.finish(schema)).map((row) => ({
    partition: row['partition'] as number,
    offset: Number(row['offset']),
    key: text(row['key']),
    value: text(row['value']),
    timestampMs: (row['timestamp'] as { epochMilliseconds: number }).epochMilliseconds,
    headers: ((row['headers'] ?? []) as { key: string; value: Uint8Array | null }[]).map((each) => [each.key, text(each.value)] as const),
  }))
}

export async function valuesOf(cluster: KafkaCluster, topic: string): Promise<(string | null)[]> {
  return (await readTopic(cluster, topic)).map(({ value }) => value)
}

/** Waits until what a transaction has become is written, where its end was asked for. One that is open stays so. */
export async function settled(cluster: KafkaCluster, transactionalId: string): Promise<void> {
  for (;;) {
    const coordinator = await cluster.retrying('a coordinator was asked for', () => cluster.coordinatorOf('transaction', transactionalId))
    const { transactionStates } = await cluster.request(coordinator, [cluster.library.describeTransactionsV0.api], [transactionalId])
    if (!/prepare/i.test(transactionStates[0]!.transactionState)) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
