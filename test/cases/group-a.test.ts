// Watermark, late rows, append timing: EventTimeWatermarkSuite and StreamingAggregationSuite of Spark 4.2.0.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { count, MemoryStream, t, timestamp_micros, timestamp_seconds, unix_micros, window } from 'millrace'
import {
  addData,
  assertNumStateRows,
  awaitTermination,
  checkAnswer,
  checkNewAnswer,
  checkWatermark,
  clearSink,
  editCheckpoint,
  multiAddData,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { rows, seconds, useEngine, windowedCount } from './harness.ts'

const engine = useEngine()

test('A1: append emits a window when the watermark has passed its end', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), [
    addData(input, ...rows(10, 11, 12, 13, 14, 15)),
    checkNewAnswer(),
    addData(input, ...rows(25)),
    checkNewAnswer([10, 5]),
    assertNumStateRows({ total: 2, droppedByWatermark: 0 }),
    addData(input, ...rows(10)),
    checkNewAnswer(),
    assertNumStateRows({ total: 2, droppedByWatermark: 1 }),
  ])
})

test('A2: update emits every touched window and drops late rows', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), { outputMode: 'update' }, [
    addData(input, ...rows(10, 11, 12, 13, 14, 15)),
    checkNewAnswer([10, 5], [15, 1]),
    addData(input, ...rows(25)),
    checkNewAnswer([25, 1]),
    assertNumStateRows({ total: 2, droppedByWatermark: 0 }),
    addData(input, ...rows(10, 25)),
    checkNewAnswer([25, 2]),
    assertNumStateRows({ total: 2, droppedByWatermark: 1 }),
    addData(input, ...rows(10)),
    checkNewAnswer(),
    assertNumStateRows({ total: 2, droppedByWatermark: 1 }),
  ])
})

test('A3: complete never evicts and counts late rows', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), { outputMode: 'complete' }, [
    addData(input, ...rows(10, 11, 12)),
    checkAnswer([10, 3]),
    addData(input, ...rows(25)),
    checkAnswer([10, 3], [25, 1]),
    addData(input, ...rows(25)),
    checkAnswer([10, 3], [25, 2]),
    addData(input, ...rows(10)),
    checkAnswer([10, 4], [25, 2]),
    addData(input, ...rows(25)),
    checkAnswer([10, 4], [25, 3]),
  ])
})

test('A5: Trigger.Once runs no no-data batches', async () => {
  const input = seconds(engine())
  const once = (...values: number[]) => [addData(input, ...rows(...values)), startStream({ trigger: { kind: 'once' } }), awaitTermination()]
  await testStream(windowedCount(input, 10, 5), { trigger: { kind: 'once' } }, [
    startStream(),
    awaitTermination(),
    ...once(15),
    checkNewAnswer(),
    checkWatermark(5000),
    ...once(10, 12, 14),
    checkNewAnswer(),
    checkWatermark(5000),
    ...once(25),
    checkNewAnswer(),
    checkWatermark(15000),
    ...once(50),
    checkNewAnswer([10, 3]),
    checkWatermark(40000),
    ...once(50),
    checkNewAnswer([15, 1], [25, 1]),
  ])
})

test('A7: recovery with all but the last commit entry purged', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), [
    addData(input, ...rows(10, 11, 12, 13, 14, 15)),
    checkNewAnswer(),
    addData(input, ...rows(25)),
    checkNewAnswer([10, 5]),
    stopStream(),
    editCheckpoint(async (folder) => {
      const ids = (await readdir(join(folder, 'commits')))
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
        .sort((a, b) => a - b)
      for (const id of ids.slice(0, -1)) await rm(join(folder, 'commits', String(id)))
    }),
    clearSink(),
    startStream(),
    addData(input, ...rows(10, 27, 30)),
    checkAnswer([15, 1]),
    stopStream(),
    startStream(),
    addData(input, ...rows(17)),
    checkAnswer([15, 1]),
    addData(input, ...rows(40)),
    checkNewAnswer([25, 2]),
  ])
})

test('A8: a raw event-time column as the grouping key', async () => {
  const input = seconds(engine())
  const counts = input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', '10 seconds')
    .groupBy('at')
    .agg(() => ({ count: count() }))
    .select(({ at, count }) => ({ at: at.cast('long'), count }))
  await testStream(counts, [addData(input, ...rows(10)), checkNewAnswer(), addData(input, ...rows(25)), checkNewAnswer([10, 1])])
})

test('A12: two watermarks, the global one is the least', async () => {
  const first = seconds(engine())
  const second = seconds(engine())
  const timed = (input: typeof first, delay: string) =>
    input
      .toDF()
      .withColumn('at', ({ value }) => timestamp_seconds(value))
      .withWatermark('at', delay)
      .select('value')
  const both = timed(first, '10 seconds').union(timed(second, '5 seconds'))
  // a dummy batch afterwards, as the reference's test has it: rows of 0 move nothing
  const after = (watermarkMs: number) => [addData(first, ...rows(0)), checkWatermark(watermarkMs)]
  await testStream(both, [
    addData(first, ...rows(11)),
    ...after(0),
    addData(second, ...rows(6)),
    ...after(1000),
    addData(second, ...rows(8)),
    ...after(1000),
    addData(first, ...rows(21)),
    ...after(3000),
    addData(second, ...rows(17, 28, 39)),
    ...after(11000),
    addData(first, ...rows(31)),
    ...after(21000),
    addData(first, ...rows(41)),
    ...after(31000),
    addData(first, ...rows(51)),
    ...after(34000),
    multiAddData([first, rows(100)], [second, rows(100)]),
    ...after(90000),
    multiAddData([first, rows(120)], [second, rows(110)]),
    ...after(105000),
    multiAddData([first, rows(130)], [second, rows(125)]),
    ...after(120000),
    multiAddData([first, rows(100)], [second, rows(100)]),
    ...after(120000),
    multiAddData([first, rows(140)], [second, rows(100)]),
    ...after(120000),
    multiAddData([first, rows(100)], [second, rows(135)]),
    ...after(130000),
    multiAddData([first, rows(200)], [second, rows(190)]),
    ...after(185000),
    stopStream(),
    startStream(),
    ...after(185000),
    addData(second, ...rows(200)),
    ...after(185000),
    addData(first, ...rows(200)),
    ...after(190000),
  ])
})

test('A17: analysis errors of withWatermark', () => {
  const input = seconds(engine()).toDF()
  expect(() => input.withWatermark('nope' as never, '1 second')).toThrow(/UNRESOLVED_COLUMN/)
  expect(() => input.withWatermark('value' as never, '1 second')).toThrow(/EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE/)
  const nested = new MemoryStream(engine(), { s: t.struct({ at: t.timestamp() }) }).toDF()
  expect(() => nested.withWatermark('s.at' as never, '1 second')).toThrow(/EVENT_TIME_MUST_BE_TOP_LEVEL_COLUMN/)
})

test('observed 1: the late filter goes by the watermark of the batch before, also after a restart', async () => {
  const input = seconds(engine())
  const once = (...values: number[]) => [addData(input, ...rows(...values)), startStream({ trigger: { kind: 'once' } }), awaitTermination()]
  await testStream(windowedCount(input, 10, 5), { trigger: { kind: 'once' } }, [
    startStream(),
    awaitTermination(),
    ...once(10, 12, 14),
    checkNewAnswer(),
    ...once(25),
    checkNewAnswer(),
    ...once(11),
    checkNewAnswer([10, 4]),
    assertNumStateRows({ droppedByWatermark: 0 }),
    ...once(13),
    checkNewAnswer(),
    assertNumStateRows({ droppedByWatermark: 1 }),
  ])
})

test('observed 3: a window before 1970 is late in the very first batch', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), { outputMode: 'update' }, [
    addData(input, ...rows(-7, 3)),
    checkNewAnswer([0, 1]),
    assertNumStateRows({ droppedByWatermark: 1 }),
  ])
})

test('observed 4: late groups are counted after the partial aggregation', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), [
    addData(input, ...rows(10, 25)),
    checkNewAnswer([10, 1]),
    addData(input, ...rows(50)),
    checkNewAnswer([25, 1]),
    assertNumStateRows({}),
    addData(input, ...rows(10, 11)),
    checkNewAnswer(),
    assertNumStateRows({ droppedByWatermark: 1 }),
  ])
})

test('observed 7: the boundary is inclusive and the watermark cut to milliseconds', async () => {
  const input = new MemoryStream(engine(), { us: t.long() })
  const counts = input
    .toDF()
    .select(({ us }) => ({ at: timestamp_micros(us) }))
    .withWatermark('at', '10 seconds')
    .groupBy('at')
    .agg(() => ({ count: count() }))
    .select(({ at, count }) => ({ us: unix_micros(at), count }))
  await testStream(counts, { outputMode: 'update' }, [
    addData(input, { us: 25_000_900n }),
    checkNewAnswer([25_000_900n, 1]),
    checkWatermark(15_000),
    addData(input, { us: 15_000_000n }, { us: 15_000_001n }),
    checkNewAnswer([15_000_001n, 1]),
  ])
})

test('observed 8: of a sliding window only the late windows of a row are dropped', async () => {
  const input = seconds(engine())
  const sliding = input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', '0 seconds')
    .groupBy(({ at }) => ({ window: window(at, '10 seconds', '5 seconds') }))
    .agg(() => ({ count: count() }))
    .select(({ window, count }) => ({ start: window.start.cast('long'), count }))
  await testStream(sliding, { outputMode: 'update' }, [
    addData(input, ...rows(20)),
    checkNewAnswer([15, 1], [20, 1]),
    // the watermark is 20 s: the window [10, 20) of a row at 18 is late, [15, 25) is not
    addData(input, ...rows(18)),
    checkNewAnswer([15, 2]),
    assertNumStateRows({ droppedByWatermark: 1 }),
  ])
})
