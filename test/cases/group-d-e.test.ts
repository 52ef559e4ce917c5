// Deduplication and limit: StreamingDeduplicationSuite, StreamingDeduplicationWithinWatermarkSuite, StreamSuite and MultiStatefulOperatorsSuite of Spark 4.2.0.
import { count, InvalidQueryError, MemoryStream, sum, t, timestamp_seconds, window } from 'millrace'
import {
  addData,
  assertNumStateRows,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { rows, seconds, useEngine } from './harness.ts'

const engine = useEngine()
const times = (input: ReturnType<typeof seconds>, delay: string) =>
  input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', delay)
const of = (n: number, from: number, to: number) =>
  Array.from({ length: n }, () => rows(...Array.from({ length: to - from + 1 }, (_, i) => from + i))).flat()
const state = (total: number, updated: number, dropped = 0, removed?: number) =>
  assertNumStateRows({ total, updated, droppedByWatermark: dropped, ...(removed !== undefined && { removed }) })

test('D1: deduplicate with all columns', async () => {
  const input = new MemoryStream(engine(), { s: t.string() })
  await testStream(input.toDF().dropDuplicates(), {}, [
    addData(input, { s: 'a' }),
    checkLastBatch(['a']),
    state(1, 1),
    addData(input, { s: 'a' }),
    checkLastBatch(),
    state(1, 0),
    addData(input, { s: 'b' }),
    checkLastBatch(['b']),
    state(2, 1),
  ])
})

test('D2: deduplicate with some columns', async () => {
  const input = new MemoryStream(engine(), { s: t.string(), n: t.int() })
  await testStream(input.toDF().dropDuplicates(['s']), {}, [
    addData(input, { s: 'a', n: 1 }),
    checkLastBatch(['a', 1]),
    addData(input, { s: 'a', n: 2 }),
    checkLastBatch(),
    addData(input, { s: 'b', n: 1 }, { s: 'b', n: 2 }),
    checkLastBatch(['b', 1]),
    stopStream(),
    startStream(),
    addData(input, { s: 'b', n: 3 }, { s: 'c', n: 3 }),
    checkLastBatch(['c', 3]),
  ])
})

test('D4: deduplicate with watermark', async () => {
  const input = seconds(engine())
  const result = times(input, '10 seconds')
    .dropDuplicates()
    .select(({ at }) => ({ s: at.cast('long') }))
  await testStream(result, {}, [
    addData(input, ...of(5, 10, 15)),
    checkAnswer([10n], [11n], [12n], [13n], [14n], [15n]),
    state(6, 6),
    addData(input, ...rows(25)),
    checkNewAnswer([25n]),
    state(1, 1, 0, 6),
    addData(input, ...rows(10)),
    checkNewAnswer(),
    state(1, 0, 1, 0),
    addData(input, ...rows(45)),
    checkNewAnswer([45n]),
    state(1, 1, 0, 1),
  ])
})

test('D6: deduplicate, then aggregate, update and complete mode', async () => {
  const input = new MemoryStream(engine(), { s: t.string(), n: t.int() })
  const sums = input
    .toDF()
    .dropDuplicates()
    .groupBy('s')
    .agg(({ n }) => ({ total: sum(n) }))
  const [a1, a2, b1] = [
    { s: 'a', n: 1 },
    { s: 'a', n: 2 },
    { s: 'b', n: 1 },
  ]
  await testStream(sums, { outputMode: 'update' }, [
    addData(input, a1),
    checkLastBatch(['a', 1n]),
    addData(input, a1),
    checkLastBatch(),
    addData(input, a2),
    checkLastBatch(['a', 3n]),
    addData(input, b1),
    checkLastBatch(['b', 1n]),
  ])
  const other = new MemoryStream(engine(), { s: t.string(), n: t.int() })
  const complete = other
    .toDF()
    .dropDuplicates()
    .groupBy('s')
    .agg(({ n }) => ({ total: sum(n) }))
  await testStream(complete, { outputMode: 'complete' }, [
    addData(other, a1),
    checkLastBatch(['a', 1n]),
    addData(other, a1),
    checkLastBatch(['a', 1n]),
    addData(other, a2),
    checkLastBatch(['a', 3n]),
    addData(other, b1),
    checkLastBatch(['a', 3n], ['b', 1n]),
  ])
})

test('D8: a watermark column that is not compared: late rows are dropped, keys stay for ever', async () => {
  const input = new MemoryStream(engine(), { id: t.int(), second: t.int() })
  const result = input
    .toDF()
    .select(({ id, second }) => ({ id, time: timestamp_seconds(second) }))
    .withWatermark('time', '1 second')
    .dropDuplicates(['id'])
    .select(({ id, time }) => ({ id, time: time.cast('long') }))
  await testStream(result, {}, [
    addData(input, { id: 1, second: 1 }, { id: 1, second: 2 }, { id: 2, second: 2 }),
    checkAnswer([1, 1n], [2, 2n]),
    state(2, 2),
    addData(input, { id: 3, second: 100 }),
    checkNewAnswer([3, 100n]),
    state(3, 1, 0, 0),
    addData(input, { id: 4, second: 1 }),
    checkNewAnswer(),
    state(3, 0, 1, 0),
  ])
})

test('E1: deduplicate within the watermark', async () => {
  const input = seconds(engine())
  const result = times(input, '10 seconds')
    .dropDuplicatesWithinWatermark()
    .select(({ at }) => ({ s: at.cast('long') }))
  await testStream(result, {}, [
    addData(input, ...of(5, 10, 15)),
    checkAnswer([10n], [11n], [12n], [13n], [14n], [15n]),
    state(6, 6),
    addData(input, ...of(1, 13, 17)),
    checkNewAnswer([16n], [17n]),
    state(8, 2),
    addData(input, ...rows(5)),
    checkNewAnswer(),
    state(8, 0, 1),
    addData(input, ...rows(35)),
    checkNewAnswer([35n]),
    state(3, 1),
    addData(input, ...rows(55)),
    checkNewAnswer([55n]),
    state(1, 1),
  ])
})

test('E3: what dropDuplicatesWithinWatermark needs', async () => {
  const stream = seconds(engine()).toDF() as any
  await expect(stream.dropDuplicatesWithinWatermark().writeStream.format('noop').start()).rejects.toThrow(InvalidQueryError)
  const table = engine().createDataFrame([{ a: 1 }], { a: t.int() }) as any
  expect(() => table.dropDuplicatesWithinWatermark()).toThrow(InvalidQueryError)
})

test('a null event time: kept by dropDuplicates, of 1970 within the watermark', async () => {
  const input = new MemoryStream(engine(), { id: t.int(), second: t.int().nullable() })
  const at = input
    .toDF()
    .select(({ id, second }) => ({ id, time: timestamp_seconds(second) }))
    .withWatermark('time', '10 seconds')
  const none = { second: null }
  await testStream(
    at.dropDuplicates(['id', 'time']).select(({ id }) => ({ id })),
    {},
    [
      addData(input, { id: 1, ...none }, { id: 1, ...none }, { id: 2, second: 100 }),
      checkAnswer([1], [2]),
      addData(input, { id: 1, ...none }, { id: 3, ...none }),
      checkNewAnswer([3]),
    ],
  )
  const other = new MemoryStream(engine(), { id: t.int(), second: t.int().nullable() })
  const within = other
    .toDF()
    .select(({ id, second }) => ({ id, time: timestamp_seconds(second) }))
    .withWatermark('time', '10 seconds')
    .dropDuplicatesWithinWatermark(['id'])
    .select(({ id }) => ({ id }))
  await testStream(within, {}, [
    addData(other, { id: 1, ...none }, { id: 1, ...none }, { id: 2, second: 100 }),
    checkAnswer([1], [2]),
    state(1, 2, 0, 1),
    addData(other, { id: 1, ...none }),
    checkNewAnswer([1]),
  ])
})

test('B12: limit, append mode', async () => {
  const input = seconds(engine())
  await testStream(input.toDF().limit(4), {}, [
    addData(input, ...rows(1, 2)),
    checkAnswer([1], [2]),
    stopStream(),
    startStream(),
    addData(input, ...rows(3, 4, 5, 6)),
    checkNewAnswer([3], [4]),
    addData(input, ...rows(7, 8, 9)),
    checkNewAnswer(),
    assertNumStateRows({ total: 1, updated: 2 }),
  ])
})
test('B12: limit of a limit; in complete mode below an aggregation; not in update mode', async () => {
  const two = seconds(engine())
  await testStream(two.toDF().limit(4).limit(2), {}, [
    addData(two, ...rows(1)),
    checkAnswer([1]),
    addData(two, ...rows(2, 3, 4, 5, 6, 7, 8)),
    checkAnswer([1], [2]),
  ])
  const counted = seconds(engine())
  const counts = counted
    .toDF()
    .limit(5)
    .groupBy('value')
    .agg(() => ({ n: count() }))
  await testStream(counts, { outputMode: 'complete' }, [
    addData(counted, ...rows(1, 2, 3)),
    checkLastBatch([1, 1n], [2, 1n], [3, 1n]),
    addData(counted, ...rows(1, 2, 3, 4, 5, 6, 7, 8, 9)),
    checkLastBatch([1, 2n], [2, 2n], [3, 1n]),
  ])
  await expect((seconds(engine()).toDF().limit(4) as any).writeStream.outputMode('update').format('noop').start()).rejects.toMatchObject({
    code: 'STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION',
  })
})

test('I1: a window over a window', async () => {
  const input = seconds(engine())
  const result = times(input, '0 seconds')
    .groupBy(({ at }) => ({ window: window(at, '5 seconds') }))
    .agg(() => ({ count: count() }))
    .groupBy((c) => ({ window: window(c.window, '10 seconds') }))
    .agg((c) => ({ count: count(), sum: sum(c.count) }))
    .select((c) => ({ start: c.window.start.cast('long'), count: c.count, sum: c.sum }))
  await testStream(result, {}, [
    addData(input, ...of(1, 10, 21)),
    checkNewAnswer([10n, 2n, 10n]),
    assertNumStateRows({ total: [0, 1], droppedByWatermark: [0, 0] }),
    addData(input, ...of(1, 10, 29)),
    checkNewAnswer(),
    assertNumStateRows({ total: [1, 1], droppedByWatermark: [0, 2] }),
    addData(input, ...rows(30, 31)),
    checkNewAnswer([20n, 2n, 12n]),
    assertNumStateRows({ total: [0, 1], droppedByWatermark: [0, 0] }),
  ])
})

test('I3: deduplicate, then count by windows', async () => {
  const input = seconds(engine())
  const result = times(input, '10 seconds')
    .dropDuplicates(['value', 'at'])
    .groupBy(({ at }) => ({ window: window(at, '5 seconds') }))
    .agg(() => ({ count: count() }))
    .select((c) => ({ start: c.window.start.cast('long'), count: c.count }))
  await testStream(result, {}, [addData(input, ...of(1, 1, 15)), checkNewAnswer([0n, 4n]), assertNumStateRows({ total: [3, 10] })])
})
