// What KafkaMicroBatchSourceSuite of Spark 4.2.0 expects, besides source.test.ts.
import { type Engine, millrace } from 'millrace'
import 'millrace/kafka'
import {
  advanceManualClock,
  awaitTermination,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  execute,
  expectFailure,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KafkaCluster } from '../../src/kafka/cluster.ts'
import { produce } from './produce.ts'
import { describeKafka, type SharedBroker, sharedBroker, uniqueName } from './shared-broker.ts'
import { createTopic, deleteTopic, openCluster } from './topics.ts'
import { transaction } from './transactions.ts'

let broker: SharedBroker
let cluster: KafkaCluster
let engine: Engine
const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const rows = (...values: number[]) => values.map((value) => [value])
const everyTenth = { kind: 'processing-time', intervalMs: 100 } as const
const next = advanceManualClock(100)

/** The values of a topic as numbers. */
function numbers(options: Readonly<Record<string, string | number>>): any {
  const { startingOffsets = 'earliest' } = options
  const all = { 'kafka.bootstrap.servers': broker.bootstrap, ...options, startingOffsets }
  return engine.readStream.format('kafka').options(all).load().selectExpr('CAST(CAST(value AS STRING) AS INT) AS value')
}
async function freshTopic(partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<string> {
  const topic = uniqueName('suite')
  await createTopic(cluster, topic, partitions, configs)
  return topic
}
const send = (topic: string, partition: number, ...values: number[]) =>
  produce(
    cluster,
    topic,
    values.map((value) => ({ partition, value: String(value) })),
  )
const sending = (topic: string, partition: number, ...values: number[]) => execute('send', () => send(topic, partition, ...values))
const addPartitions = (topic: string, count: number) =>
  cluster.request('any', [cluster.library.createPartitionsV3.api], [{ name: topic, count, assignments: null as never }], 10_000, false)

describeKafka('KafkaMicroBatchSourceSuite', () => {
  beforeAll(async () => {
    broker = await sharedBroker()
    cluster = await openCluster(broker.bootstrap)
    engine = await millrace.local({ threads: 1, print: () => {} })
  })
  afterAll(async () => {
    await engine?.close()
    await cluster?.close()
  })

  // those that wait for the cluster come first: they run side by side
  test.concurrent.each([
    ['topic partitions got', 3, 15, 'LOST_TOPIC_PARTITIONS_IN_END_OFFSET_WITH_TRIGGER_AVAILABLENOW'],
    [
      'offset(s) in planned topic partitions got',
      5,
      10,
      'END_OFFSET_HAS_GREATER_OFFSET_FOR_TOPIC_PARTITION_THAN_LATEST_WITH_TRIGGER_AVAILABLENOW',
    ],
  ])(
    'Query with Trigger.AvailableNow should throw error when %s unavailable during subsequent batches',
    async (_what, partitions, count, code) => {
      const topic = await freshTopic(5)
      await send(topic, 0, ...span(0, 14))
      let isFirst = true
      const query = await numbers({ subscribe: topic, maxOffsetsPerTrigger: 5 })
        .writeStream.trigger({ availableNow: true })
        .foreachBatch(async () => {
          if (!isFirst) return
          isFirst = false
          await deleteTopic(cluster, topic)
          await createTopic(cluster, topic, partitions)
          await send(topic, 0, ...span(0, count - 1))
        })
        .start()
      await expect(query.awaitTermination()).rejects.toMatchObject({ code })
    },
  )

  test.concurrent('subscribing topic by pattern with topic deletions', async ({ expect }) => {
    const stem = uniqueName('deletions')
    const [one, two] = [`${stem}-seems`, `${stem}-bad`]
    await createTopic(cluster, one)
    const timeouts = { 'kafka.request.timeout.ms': '3000', 'kafka.default.api.timeout.ms': '3000' }
    await testStream(numbers({ subscribePattern: `${stem}-.*`, failOnDataLoss: 'false', ...timeouts }), [
      ...[checkAnswer(), sending(one, 0, 1, 2, 3), checkAnswer(...rows(1, 2, 3))],
      execute('delete', async () => {
        await deleteTopic(cluster, one)
        await createTopic(cluster, two)
        await send(two, 0, 4, 5, 6)
      }),
      {
        name: 'what came in the other topic',
        run: async ({ sink, query }) => {
          await expect.poll(() => query.lastProgress?.sources[0]?.endOffset, { timeout: 20_000 }).toEqual({ [two]: { 0: 3 } })
          expect(sink.allRows.length).toBe(6)
        },
      },
    ])
  })

  test.concurrent('delete a topic when a Spark job is running', async () => {
    const topic = await freshTopic()
    await send(topic, 0, ...span(1, 10))
    const seen: number[] = []
    let isFirst = true
    const query = await numbers({ subscribe: topic, failOnDataLoss: 'false' })
      .writeStream.foreach({
        open: async () => {
          if (!isFirst) return
          isFirst = false
          await deleteTopic(cluster, topic)
          await createTopic(cluster, topic)
        },
        process: ({ value }: { readonly value: number }) => void seen.push(value),
      })
      .start()
    await query.processAllAvailable()
    await query.stop()
    expect([query.exception, seen]).toEqual([null, span(1, 10)])
  })

  test.concurrent('SPARK-41375: empty partitions should not record to latest offset', async ({ expect }) => {
    const stem = uniqueName('empty')
    const topic = `${stem}-good`
    await createTopic(cluster, topic)
    const options = { 'spark.sql.streaming.noDataProgressEventInterval': '100ms' }
    await testStream(numbers({ subscribePattern: `${stem}-.*`, failOnDataLoss: 'false' }), { options }, [
      ...[checkAnswer(), sending(topic, 0, 1, 2, 3), checkAnswer(...rows(1, 2, 3))],
      execute('delete', () => deleteTopic(cluster, topic)),
      {
        name: 'the loss is told once, and no batch comes of it',
        run: async ({ query }) => {
          const lost = () => query.lastProgress?.sources[0]?.metrics?.['lostRanges']
          await expect.poll(lost, { timeout: 20_000 }).toBe('1')
          await query.processAllAvailable()
          expect(lost()).toBe('1')
          for (const { sources } of query.recentProgress) expect(sources[0]!.endOffset).not.toEqual({})
        },
      },
    ])
  })

  /** Transactions whose values are their offsets. */
  function transactions(topic: string) {
    let open: Awaited<ReturnType<typeof transaction>>
    return {
      run: (values: number[], ending: 'commit' | 'abort' | 'leave') =>
        execute(ending, async () => {
          open = await transaction(cluster, topic, values.map(String), ending)
        }),
      commit: execute('commit', () => open.end('commit')),
    }
  }
  const three = (topic: string, level: string) => numbers({ subscribe: topic, 'kafka.isolation.level': level, maxOffsetsPerTrigger: 3 })

  test.concurrent('read Kafka transactional messages: read_committed', async () => {
    const topic = await freshTopic()
    const { run, commit } = transactions(topic)
    const clock = new ManualClock()
    // a batch's offsets count the markers and what was aborted: 6* 7* 8* and 9* 10* 11* are batches without a row, and so is 24*
    await testStream(three(topic, 'read_committed'), { clock, trigger: everyTenth }, [
      ...[checkAnswer(), run(span(0, 4), 'leave'), next, checkNewAnswer(), commit],
      ...[next, checkNewAnswer(...rows(0, 1, 2)), next, checkNewAnswer(...rows(3, 4))],
      ...[run(span(6, 10), 'abort'), next, checkNewAnswer(), next, checkNewAnswer()],
      ...[run(span(12, 16), 'commit'), next, checkNewAnswer(...rows(12, 13, 14)), next, checkNewAnswer(...rows(15, 16))],
      ...[run([18], 'commit'), run([20], 'commit'), run([22, 23], 'commit')],
      ...[next, checkNewAnswer(...rows(18, 20)), next, checkNewAnswer(...rows(22, 23)), next, checkNewAnswer()],
    ])
  })

  test.concurrent('read Kafka transactional messages: read_uncommitted', async () => {
    const topic = await freshTopic()
    const { run, commit } = transactions(topic)
    const clock = new ManualClock()
    await testStream(three(topic, 'read_uncommitted'), { clock, trigger: everyTenth }, [
      ...[checkAnswer(), run(span(0, 4), 'leave'), next, checkNewAnswer(...rows(0, 1, 2)), commit, next, checkNewAnswer(...rows(3, 4))],
      ...[run(span(6, 10), 'abort'), next, checkNewAnswer(...rows(6, 7, 8)), next, checkNewAnswer(...rows(9, 10))],
      ...[run(span(12, 16), 'commit'), next, checkNewAnswer(...rows(12, 13, 14)), next, checkNewAnswer(...rows(15, 16))],
      ...[run([18], 'commit'), run([20], 'commit'), run([22, 23], 'commit')],
      ...[next, checkNewAnswer(...rows(18, 20)), next, checkNewAnswer(...rows(22, 23)), next, checkNewAnswer()],
    ])
  })

  test.concurrent('minOffsetsPerTrigger', async () => {
    const topic = await freshTopic(3)
    for (const [partition, values] of [span(100, 109), span(10, 14), [1]].entries()) await send(topic, partition, ...values)
    const read = () => numbers({ subscribe: topic, minOffsetsPerTrigger: 15, maxTriggerDelay: '5s' })
    await testStream(read(), { clock: new ManualClock(), trigger: everyTenth }, [
      checkAnswer(...rows(1, ...span(10, 14), ...span(100, 109))),
      ...[sending(topic, 1, ...span(15, 20)), next, checkNewAnswer()],
      ...[sending(topic, 0, ...span(110, 120)), sending(topic, 2, 2), next],
      checkNewAnswer(...rows(2, ...span(15, 20), ...span(110, 120))),
      ...[sending(topic, 0, ...span(121, 125)), sending(topic, 1, ...span(21, 25)), next, checkNewAnswer()],
      ...[advanceManualClock(5000), checkNewAnswer(...rows(...span(21, 25), ...span(121, 125)))],
    ])
    const all = [1, 2, ...span(10, 25), ...span(100, 125)]
    await testStream(read(), { trigger: { once: true } }, [
      ...[awaitTermination(), checkAnswer(...rows(...all)), sending(topic, 0, ...span(1000, 1010))],
      ...[startStream(), awaitTermination(), checkNewAnswer(...rows(...span(1000, 1010)))],
    ])
  })

  test.concurrent('compositeReadLimit', async () => {
    const topic = await freshTopic(3)
    for (const [partition, values] of [span(100, 120), span(10, 20), [1]].entries()) await send(topic, partition, ...values)
    const read = numbers({ subscribe: topic, minOffsetsPerTrigger: 15, maxTriggerDelay: '5s', maxOffsetsPerTrigger: 20 })
    await testStream(read, { clock: new ManualClock(), trigger: everyTenth }, [
      ...[checkAnswer(...rows(1, ...span(10, 15), ...span(100, 111))), next, checkNewAnswer()],
      ...[sending(topic, 0, ...span(121, 128)), sending(topic, 1, ...span(21, 30)), sending(topic, 2, 2), next],
      ...[checkNewAnswer(...rows(2, ...span(16, 24), ...span(112, 121))), next, checkNewAnswer()],
      ...[advanceManualClock(5000), checkNewAnswer(...rows(...span(25, 30), ...span(122, 128)))],
    ])
  })

  test.concurrent('SPARK-26718 Rate limit set to Long.Max should not overflow integer during end offset calculation', async () => {
    const topic = await freshTopic()
    await send(topic, 0, ...span(0, 4))
    const startingOffsets = JSON.stringify({ [topic]: { 0: 5 } })
    await testStream(numbers({ subscribe: topic, startingOffsets, maxOffsetsPerTrigger: String(2n ** 63n - 1n) }), [
      ...[checkAnswer(), sending(topic, 0, ...span(30, 34)), checkAnswer(...rows(...span(30, 34)))],
    ])
  })

  test.concurrent('SPARK-22956: currentPartitionOffsets should be set when no new data comes in', async () => {
    const [small, big] = [await freshTopic(), await freshTopic()]
    await send(small, 0, ...span(0, 9))
    await send(big, 0, ...span(100, 199))
    const [a, b] = [small, big].map((topic) => numbers({ subscribe: topic, maxOffsetsPerTrigger: 5 }))
    await testStream(a.union(b), { clock: new ManualClock(), trigger: everyTenth }, [
      ...[checkLastBatch(...rows(...span(0, 4), ...span(100, 104))), next, checkLastBatch(...rows(...span(5, 9), ...span(105, 109)))],
      ...[next, checkLastBatch(...rows(...span(110, 114))), stopStream()],
      ...[startStream(), checkLastBatch(...rows(...span(115, 119))), next, checkLastBatch(...rows(...span(120, 124)))],
    ])
  })

  test.concurrent('SPARK-53560: no crash looping during uncommitted batch retry in AvailableNow trigger', async () => {
    const topic = await freshTopic()
    await send(topic, 0, ...span(1, 7))
    const failing = numbers({ subscribe: topic }).selectExpr("IF(value = 7, CAST(raise_error('error for 7') AS INT), value) AS value")
    await testStream(failing, { trigger: { availableNow: true } }, [
      expectFailure('USER_RAISED_EXCEPTION'),
      execute('add a partition', async () => void (await addPartitions(topic, 2))),
      startStream(),
      expectFailure('USER_RAISED_EXCEPTION'),
    ])
  })

  test.concurrent('SPARK-56243: malformed record timestamp throws detailed error; only where it is read', async () => {
    const topic = await freshTopic(1, { 'message.timestamp.after.max.ms': String(2n ** 63n - 1n) })
    const nanoseconds = 1712345678123456789n
    await produce(cluster, topic, [{ value: '1', timestampMs: nanoseconds as never }])
    await testStream(numbers({ subscribe: topic }), [checkAnswer([1])])
    const all = engine.readStream
      .format('kafka')
      .options({ 'kafka.bootstrap.servers': broker.bootstrap, subscribe: topic, startingOffsets: 'earliest' })
    await expect(testStream(all.load(), [checkAnswer()])).rejects.toThrow(
      new RegExp(`KAFKA_MALFORMED_RECORD_TIMESTAMP.*${topic}-0 at offset 0.*${nanoseconds}`),
    )
  })
})
