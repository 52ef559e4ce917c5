/** A broker that comes up after a crash may give an end of a partition that lies before what it has. Here a cluster that does so for a few answers. */
import { expect, test } from 'vitest'
import type { KafkaCluster } from './cluster.ts'
import type { FetchedPartition } from './fetch-request.ts'
import { Fetcher } from './fetcher.ts'
import { FrameMemory } from './frame-memory.ts'
import { OffsetReader } from './offset-reader.ts'
import type { KafkaSourceOptions } from './source-options.ts'

function clusterThatAnswers(answers: unknown[]): KafkaCluster {
  const request = async () => answers.shift()
  return {
    library: { createAPI: () => ({}), fetchV12: {}, listOffsetsV9: {}, listOffsetsV8: {}, listOffsetsV7: {}, listOffsetsV6: {} },
    options: { backoffMs: 1, maxBackoffMs: 1, callTimeoutMs: 1000, requestTimeoutMs: 1000 },
    frames: new FrameMemory(),
    leaderOf: async () => ({ nodeId: 1, host: 'localhost', port: 1 }),
    retrying: (_doing: string, call: () => unknown) => call(),
    request,
    requestIn: request,
  } as unknown as KafkaCluster
}

test('records that a broker does not show for a moment are waited for', async () => {
  // the head of a batch of one record at offset 7
  const records = Buffer.alloc(61)
  records.writeBigInt64BE(7n, 0)
  records.writeInt32BE(49, 8)
  const answer = (part: Partial<FetchedPartition>): FetchedPartition[] => [
    {
      key: 'clicks-0',
      errorCode: 0,
      highWatermark: 0,
      lastStableOffset: 0,
      logStartOffset: 0,
      aborted: [],
      records: Buffer.alloc(0),
      ...part,
    },
  ]
  const cluster = clusterThatAnswers([answer({}), answer({ highWatermark: 7 }), answer({ highWatermark: 8, records })])
  const fetcher = new Fetcher(cluster, { pollTimeoutMs: 60_000, prefetchBytes: 0 } as ConstructorParameters<typeof Fetcher>[1])
  const came: number[] = []
  await fetcher.read(
    [{ key: 'clicks-0', from: 7, until: 8 }],
    (range) => void came.push(range.from),
    (_range, why) => Promise.reject(new Error(why)),
  )
  expect(came).toEqual([7])
})

test('an end before what was read is asked for again', async () => {
  const answer = (offset: bigint) => ({ topics: [{ name: 'clicks', partitions: [{ partitionIndex: 0, offset }] }] })
  const reader = new OffsetReader(clusterThatAnswers([answer(0n), answer(3n), answer(9n)]), { offsetAttempts: 1 } as KafkaSourceOptions)
  expect(await reader.latestFrom(new Map([['clicks-0', 8]]), ['clicks-0'])).toEqual(new Map([['clicks-0', 9]]))
})
