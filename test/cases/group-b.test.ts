// Aggregation and the rest: StreamingAggregationSuite and StreamSuite of Spark 4.2.0.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { col, count, current_timestamp, InvalidQueryError, lit, MemoryStream, t } from 'millrace'
import {
  addData,
  advanceManualClock,
  checkAnswer,
  checkAnswerInOrder,
  checkLastBatch,
  clearSink,
  editCheckpoint,
  execute,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { rows, seconds, useEngine } from './harness.ts'

const engine = useEngine()
const counts = (input: ReturnType<typeof seconds>) =>
  input
    .toDF()
    .groupBy('value')
    .agg(() => ({ count: count() }))

test('B1: simple count, update mode', async () => {
  const input = seconds(engine())
  await testStream(counts(input), { outputMode: 'update' }, [
    addData(input, ...rows(3)),
    checkLastBatch([3, 1]),
    addData(input, ...rows(3, 2)),
    checkLastBatch([3, 2], [2, 1]),
    stopStream(),
    startStream(),
    addData(input, ...rows(3, 2, 1)),
    checkLastBatch([3, 3], [2, 2], [1, 1]),
    addData(input, ...rows(4, 4, 4, 4)),
    checkLastBatch([4, 4]),
  ])
})

test('B2: simple count, complete mode', async () => {
  const input = seconds(engine())
  await testStream(counts(input), { outputMode: 'complete' }, [
    addData(input, ...rows(3)),
    checkLastBatch([3, 1]),
    addData(input, ...rows(2)),
    checkLastBatch([3, 1], [2, 1]),
    stopStream(),
    startStream(),
    addData(input, ...rows(3, 2, 1)),
    checkLastBatch([3, 2], [2, 2], [1, 1]),
    addData(input, ...rows(4, 4, 4, 4)),
    checkLastBatch([4, 4], [3, 2], [2, 2], [1, 1]),
  ])
})

test('B3: append without a watermark is refused', async () => {
  const input = seconds(engine())
  await expect(testStream(counts(input), { outputMode: 'append' }, [])).rejects.toThrow(/STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION/)
  await expect(testStream(counts(input), { outputMode: 'append' }, [])).rejects.toBeInstanceOf(InvalidQueryError)
})

test('B4: complete mode with orderBy is sorted in every batch', async () => {
  const input = seconds(engine())
  const sorted = counts(input).orderBy(col('count').desc(), col('value').desc())
  await testStream(sorted, { outputMode: 'complete' }, [
    addData(input, ...rows(3)),
    checkAnswerInOrder([3, 1]),
    addData(input, ...rows(2, 3)),
    checkAnswerInOrder([3, 2], [2, 1]),
    stopStream(),
    startStream(),
    addData(input, ...rows(3, 2, 1)),
    checkAnswerInOrder([3, 3], [2, 2], [1, 1]),
    addData(input, ...rows(4, 4, 4, 4)),
    checkAnswerInOrder([4, 4], [3, 3], [2, 2], [1, 1]),
  ])
})

test('B8: current_timestamp is the timestamp of the offset log, in a replay too', async () => {
  const input = new MemoryStream(engine(), { value: t.long() })
  const recent = input
    .toDF()
    .where(({ value }) => value.geq(current_timestamp().cast('long').sub(lit(10n))))
    .groupBy('value')
    .agg(() => ({ count: count() }))
    .where(({ value }) => value.geq(current_timestamp().cast('long').sub(lit(10n))))
  const clock = new ManualClock()
  const add = (...values: number[]) => addData(input, ...values.map((value) => ({ value: BigInt(value) })))
  await testStream(recent, { outputMode: 'complete', clock, trigger: { kind: 'processing-time', intervalMs: 10_000 } }, [
    add(0, 5, 5, 10),
    advanceManualClock(10_000),
    checkLastBatch([0, 1], [5, 2], [10, 1]),
    add(15, 15, 20),
    advanceManualClock(10_000),
    checkLastBatch([10, 1], [15, 2], [20, 1]),
    add(0, 85),
    advanceManualClock(10_000),
    checkLastBatch([20, 1], [85, 1]),
    stopStream(),
    clearSink(),
    editCheckpoint(async (folder) => {
      const ids = (await readdir(join(folder, 'commits'))).filter((name) => /^\d+$/.test(name)).map(Number)
      await rm(join(folder, 'commits', String(Math.max(...ids))))
    }),
    execute('a minute passes', () => clock.advance(60_000)),
    startStream(),
    checkLastBatch([20, 1], [85, 1]),
    add(85, 90, 100, 105),
    advanceManualClock(10_000),
    checkLastBatch([90, 1], [100, 1], [105, 1]),
  ])
})

test('B14: join with a static table', async () => {
  const input = seconds(engine())
  const words = engine().createDataFrame(
    [
      { number: 1, word: 'one' },
      { number: 2, word: 'two' },
      { number: 4, word: 'four' },
    ],
    { number: t.int(), word: t.string() },
  )
  const joined = input.toDF().join(words, (l, r) => l.value.eq(r.number))
  await testStream(joined, [
    addData(input, ...rows(1, 2, 3)),
    checkAnswer([1, 1, 'one'], [2, 2, 'two']),
    addData(input, ...rows(4)),
    checkAnswer([1, 1, 'one'], [2, 2, 'two'], [4, 4, 'four']),
  ])
})

test('B15: union of two streams over a restart; a self-union reads its source once', async () => {
  const a = seconds(engine())
  const b = seconds(engine())
  await testStream(a.toDF().union(b.toDF()), [
    addData(a, ...rows(1, 3, 5)),
    addData(b, ...rows(2, 4, 6)),
    checkAnswer([1], [2], [3], [4], [5], [6]),
    stopStream(),
    addData(a, ...rows(7)),
    startStream(),
    addData(b, ...rows(8)),
    checkAnswer([1], [2], [3], [4], [5], [6], [7], [8]),
  ])
  const c = seconds(engine())
  const df = c.toDF()
  await testStream(df.union(df), [addData(c, ...rows(1, 2)), checkAnswer([1], [1], [2], [2])])
})
