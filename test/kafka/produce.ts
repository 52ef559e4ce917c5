import type { KafkaCluster } from '../../src/kafka/cluster.ts'

/** One record; without a partition it goes to 0. */
export interface TestRecord {
  readonly partition?: number
  readonly key?: string | Uint8Array | null
  readonly value: string | Uint8Array | null
  readonly timestampMs?: number
  readonly headers?: readonly (readonly [string, string])[]
}
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Sends records, those of each partition as one batch, and waits until they are there. */
export async function produce(
  cluster: KafkaCluster,
  topic: string,
  records: readonly (TestRecord | string)[],
  compression: Compression = 'none',
): Promise<void> {
  const { produceV9 } = cluster.library
  const given = records.map((record) => (typeof record === 'string' ? { value: record } : record))
  for (const [partition, own] of Map.groupBy(given, ({ partition = 0 }: TestRecord) => partition)) {
    const messages = own.map(({ key, value, timestampMs, headers }: TestRecord) => ({
      topic,
      partition,
      key: bytes(key),
      value: bytes(value),
      timestamp: BigInt(timestampMs ?? Date.now()),
      headers: new Map((headers ?? []).map(([name, text]) => [Buffer.from(name), Buffer.from(text)])),
    }))
    await cluster.retrying('test records were sent', async () =>
      cluster.request(await cluster.leaderOf(topic, partition), [produceV9.api], -1, 30_000, messages as never, { compression }),
    )
  }
}
function bytes(value: string | Uint8Array | null | undefined): Buffer | undefined {
  return value === null || value === undefined ? undefined : Buffer.from(value as string)
}
