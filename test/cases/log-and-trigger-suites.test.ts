// What OffsetSeqLogSuite, CommitLogSuite, HDFSMetadataLogSuite, StreamingQueryCheckpointMetadataSuite, TriggerAvailableNowSuite and
// ProcessingTimeExecutorSuite of Spark 4.2.0 expect, besides the unit tests of checkpoint/ and the cases of group L.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { count, MemoryStream, millrace, t } from 'millrace'
import {
  addData,
  assertOnQuery,
  awaitTermination,
  checkAnswer,
  checkNewAnswer,
  editCheckpoint,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { nextBatchTimeMs } from '../../src/runtime/triggers.ts'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { rows, seconds, useEngine } from './harness.ts'

const engine = useEngine()
const lines = async (folder: string, name: string) => (await readFile(join(folder, name), 'utf8')).split('\n')

test('an offsets entry is Spark’s: version, metadata with watermark, timestamp and pinned configuration, a line for each source', async () => {
  const [a, b] = [seconds(engine()), seconds(engine())]
  const clock = new ManualClock(5000)
  await testStream(a.toDF().union(b.toDF()), { clock, trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
    addData(a, ...rows(1)),
    startStream(),
    checkAnswer([1]),
    editCheckpoint(async (folder) => {
      const [version, metadata, ...sources] = await lines(folder, 'offsets/0')
      expect([version, ...sources]).toEqual(['v2', '0:0', '1:-'])
      const { batchWatermarkMs, batchTimestampMs, conf } = JSON.parse(metadata!) as {
        batchWatermarkMs: number
        batchTimestampMs: number
        conf: Record<string, string>
      }
      expect([batchWatermarkMs, batchTimestampMs]).toEqual([0, 5000])
      expect(Object.keys(conf)).toEqual(
        expect.arrayContaining([
          'spark.sql.streaming.stateStore.providerClass',
          'spark.sql.streaming.multipleWatermarkPolicy',
          'spark.sql.shuffle.partitions',
        ]),
      )
      const [commitVersion, commit] = await lines(folder, 'commits/0')
      expect([commitVersion, JSON.parse(commit!)]).toEqual(['v1', expect.objectContaining({ nextBatchWatermarkMs: 0 })])
      expect(await readFile(join(folder, 'metadata'), 'utf8')).toMatch(/^\{"id":"[0-9a-f-]{36}"/)
    }),
  ])
})

test('deserialization of a log written by a future version', async () => {
  for (const name of ['offsets/0', 'commits/0']) {
    const input = seconds(engine())
    const query = testStream(input.toDF(), [
      addData(input, ...rows(1)),
      checkAnswer([1]),
      stopStream(),
      editCheckpoint(async (folder) => {
        const text = await readFile(join(folder, name), 'utf8')
        await writeFile(join(folder, name), text.replace(/^v\d+/, 'v99999'))
      }),
      startStream(),
    ])
    await expect(query, name).rejects.toThrow(/INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION.*v99999/s)
  }
})

test('SPARK-46339: a directory with a number for its name is refused, where Spark passes over it', async () => {
  const input = seconds(engine())
  const query = testStream(input.toDF(), [
    addData(input, ...rows(1)),
    checkAnswer([1]),
    stopStream(),
    editCheckpoint(async (folder) => void (await mkdir(join(folder, 'offsets', '1')))),
    startStream(),
  ])
  await expect(query).rejects.toThrow(/MALFORMED_LOG_FILE.*offsets\/1/s)
})

test('L9: missing metadata with non-empty offset or commit log, and with empty ones', async () => {
  for (const left of [['offsets'], ['commits'], ['offsets', 'commits']]) {
    const input = seconds(engine())
    const query = testStream(input.toDF(), [
      addData(input, ...rows(1)),
      checkAnswer([1]),
      stopStream(),
      editCheckpoint(async (folder) => {
        await rm(join(folder, 'metadata'))
        for (const log of ['offsets', 'commits']) if (!left.includes(log)) await rm(join(folder, log), { recursive: true })
      }),
      startStream(),
    ])
    await expect(query, left.join()).rejects.toThrow(/STREAMING_CHECKPOINT_MISSING_METADATA_FILE/)
  }
  const input = seconds(engine())
  await testStream(input.toDF(), [
    editCheckpoint(async (folder) => {
      for (const log of ['offsets', 'commits']) await mkdir(join(folder, log))
    }),
    addData(input, ...rows(1)),
    startStream(),
    checkAnswer([1]),
  ])
})

test('async log purging: both logs keep the retained batches and the newest', async () => {
  await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.minBatchesToRetain': 2 } })
  const input = seconds(own)
  const hold = (...ids: number[]) =>
    editCheckpoint(async (folder) => {
      for (const log of ['offsets', 'commits'])
        expect(
          (await readdir(join(folder, log))).map(Number).sort((a, b) => a - b),
          log,
        ).toEqual(ids)
    })
  const add = (value: number) => [addData(input, ...rows(value)), checkNewAnswer([value])]
  await testStream(input.toDF(), [...add(0), ...add(1), hold(0, 1), ...add(2), ...add(3), hold(1, 2, 3)])
})

test('a checkpoint of a query with other sources', async () => {
  await using checkpoint = await tempFolder()
  const options = { checkpointLocation: checkpoint.path }
  const a = seconds(engine())
  await testStream(a.toDF(), options, [addData(a, ...rows(1)), checkAnswer([1])])
  const [b, c] = [seconds(engine()), seconds(engine())]
  b.addData(...rows(1))
  await expect(testStream(b.toDF().union(c.toDF()), options, [])).rejects.toThrow(/STREAMING_SOURCES_CHANGED/)
})

test('AvailableNow: what is there at the start, its no-data batch, and what comes later in the next run', async () => {
  const input = new MemoryStream(engine(), { value: t.int() })
  const run = [startStream({ trigger: { kind: 'available-now' } }), awaitTermination()]
  const batches = (n: number) =>
    assertOnQuery(`${n} batches`, (query) => expect(query.recentProgress.filter(({ isIdle }) => !isIdle).length).toBe(n))
  await testStream(
    input
      .toDF()
      .groupBy('value')
      .agg(() => ({ n: count() })),
    { outputMode: 'update', trigger: { kind: 'available-now' } },
    [
      addData(input, ...rows(1, 2)),
      addData(input, ...rows(2)),
      ...run,
      checkNewAnswer([1, 1], [2, 2]),
      batches(1),
      ...run,
      checkNewAnswer(),
      batches(0),
      addData(input, ...rows(2)),
      ...run,
      checkNewAnswer([2, 3]),
      batches(1),
    ],
  )
})

test('nextBatchTime, and calling it with the result of a previous call', () => {
  expect([0, 1, 99, 100, 101, 150].map((nowMs) => nextBatchTimeMs(nowMs, 100))).toEqual([100, 100, 100, 200, 200, 200])
  let timeMs = 0
  for (let i = 0; i < 10; i++) timeMs = nextBatchTimeMs(timeMs, 100)
  expect(timeMs).toBe(1000)
})

test('L7: trigger timing: a batch of 500 ms waits for the next second, one of 1500 ms is followed at once, once', async () => {
  const clock = new ManualClock()
  await using own = await millrace.local({ threads: 1, clock })
  const input = seconds(own)
  const took = [0, 500, 1500]
  input.addData(...rows(0))
  const query = await input
    .toDF()
    .writeStream.trigger({ processingTime: 1000 })
    .foreachBatch(() => {
      clock.advance(took.shift() ?? 0)
      input.addData(...rows(1)) // so that every trigger has a batch
    })
    .start()
  for (const timeMs of [1000, 2000, 4000]) {
    await clock.whenSleeping()
    clock.setTime(timeMs)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await clock.whenSleeping()
  await query.stop()
  expect(query.recentProgress.map(({ timestamp }) => Date.parse(timestamp))).toEqual([0, 1000, 2000, 3500, 4000])
})

test('ProcessingTimeExecutorSuite, calling notifyBatchFallingBehind: a trigger that outlasts its interval is told', async () => {
  const told: string[] = []
  const clock = new ManualClock(0)
  await using folder = await tempFolder()
  await using own = await millrace.local({ threads: 1, clock, print: (text) => told.push(text) })
  const input = seconds(own)
  input.addData(...rows(1))
  const query = await input
    .toDF()
    .writeStream.foreachBatch(() => clock.advance(1500))
    .trigger({ processingTime: '1 second' })
    .option('checkpointLocation', folder.path)
    .start()
  await clock.whenSleeping()
  await query.stop()
  expect(told.filter((text) => text.includes('falls behind'))).toEqual([
    expect.stringMatching(/a trigger took 1500 ms, and its interval is 1000 ms/),
  ])
})
