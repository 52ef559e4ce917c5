// What EventTimeWatermarkSuite and WatermarkTrackerSuite of Spark 4.2.0 expect, besides the cases of group A.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { count, type Engine, MemoryStream, millrace, type QueryProgress, t, timestamp_seconds, window } from 'millrace'
import {
  addData,
  assertNumStateRows,
  assertOnQuery,
  awaitTermination,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  multiAddData,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { rows, seconds, useEngine, windowedCount } from './harness.ts'

const engine = useEngine()
const utc = (second: number) => new Date(second * 1000).toISOString()
type Query = { readonly recentProgress: readonly QueryProgress[]; readonly lastProgress: QueryProgress | null }
const eventTimeOfData = (query: Query) => query.recentProgress.filter(({ numInputRows }) => numInputRows > 0).at(-1)!.eventTime
const assertEventStats = (
  expected: { readonly min: number; readonly max: number; readonly avg: number; readonly watermark: number } | null,
) =>
  assertOnQuery('event time', (query) => {
    expect(eventTimeOfData(query)).toEqual(
      expected === null ? {} : Object.fromEntries(Object.entries(expected).map(([key, second]) => [key, utc(second)])),
    )
  })

test('error on bad column; error on wrong type; error on nested column: the messages name what was given', () => {
  const input = seconds(engine()).toDF()
  expect(() => input.withWatermark('badColumn' as never, '1 minute')).toThrow(/badColumn/)
  expect(() => input.withWatermark('value' as never, '1 minute')).toThrow(/value.*INT/i)
  const nested = engine().createDataFrame([], { id: t.int(), nested_struct: t.struct({ timestamp: t.timestamp(), value: t.string() }) })
  expect(() => nested.withWatermark('nested_struct.timestamp' as never, '0 seconds')).toThrow(
    /EVENT_TIME_MUST_BE_TOP_LEVEL_COLUMN.*nested_struct.*timestamp/s,
  )
})

test('withWatermark should work with alias-qualified column name', async () => {
  const input = seconds(engine())
  const counts = input
    .toDF()
    .withColumn('eventTime', ({ value }) => timestamp_seconds(value))
    .alias('a')
    .withWatermark('a.eventTime' as 'eventTime', '10 seconds')
    .groupBy(({ eventTime }) => ({ window: window(eventTime, '5 seconds') }))
    .agg(() => ({ count: count() }))
    .select(({ window, count }) => ({ start: window.start.cast('long'), count }))
  await testStream(counts, [
    addData(input, ...rows(15)),
    checkAnswer(),
    addData(input, ...rows(10, 12, 14)),
    checkAnswer(),
    addData(input, ...rows(25)),
    checkAnswer([10, 3]),
  ])
})

test('event time and watermark metrics: none without a watermark', async () => {
  const input = seconds(engine())
  const counts = input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .groupBy(({ at }) => ({ window: window(at, '5 seconds') }))
    .agg(() => ({ count: count() }))
    .select(({ window, count }) => ({ start: window.start.cast('long'), count }))
  await testStream(counts, { outputMode: 'complete' }, [
    addData(input, ...rows(15)),
    checkAnswer([15, 1]),
    assertEventStats(null),
    addData(input, ...rows(10, 12, 14)),
    checkAnswer([10, 3], [15, 1]),
    assertEventStats(null),
  ])
})

test('event time and watermark metrics: all four with one, the watermark being the one that the batch used', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), [
    addData(input, ...rows(15)),
    checkAnswer(),
    assertEventStats({ min: 15, max: 15, avg: 15, watermark: 0 }),
    addData(input, ...rows(10, 12, 14)),
    checkAnswer(),
    assertEventStats({ min: 10, max: 14, avg: 12, watermark: 5 }),
    addData(input, ...rows(25)),
    checkAnswer([10, 3]),
    assertEventStats({ min: 25, max: 25, avg: 25, watermark: 5 }),
    assertOnQuery('a no-data batch has a watermark only', (query) => expect(query.lastProgress!.eventTime).toEqual({ watermark: utc(15) })),
  ])
})

test('event time and watermark metrics with Trigger.Once (SPARK-24699)', async () => {
  const input = seconds(engine())
  const once = (...values: number[]) => [addData(input, ...rows(...values)), startStream({ trigger: { kind: 'once' } }), awaitTermination()]
  await testStream(windowedCount(input, 10, 5), { trigger: { kind: 'once' } }, [
    startStream(),
    awaitTermination(),
    ...once(15),
    checkNewAnswer(),
    assertEventStats({ min: 15, max: 15, avg: 15, watermark: 0 }),
    ...once(10, 12, 14),
    checkNewAnswer(),
    assertEventStats({ min: 10, max: 14, avg: 12, watermark: 5 }),
    ...once(25),
    checkNewAnswer(),
    assertEventStats({ min: 25, max: 25, avg: 25, watermark: 5 }),
    ...once(50),
    checkNewAnswer([10, 3]),
    assertEventStats({ min: 50, max: 50, avg: 50, watermark: 15 }),
    ...once(50),
    checkNewAnswer([15, 1], [25, 1]),
    assertEventStats({ min: 50, max: 50, avg: 50, watermark: 40 }),
  ])
})

test('the same over AvailableNow runs, each of which ends with its no-data batch (after SPARK-24699)', async () => {
  const input = seconds(engine())
  const run = (...values: number[]) => [
    addData(input, ...rows(...values)),
    startStream({ trigger: { kind: 'available-now' } }),
    awaitTermination(),
  ]
  await testStream(windowedCount(input, 10, 5), { trigger: { kind: 'available-now' } }, [
    startStream(),
    awaitTermination(),
    ...run(15),
    checkNewAnswer(),
    ...run(10, 12, 14),
    checkNewAnswer(),
    ...run(25),
    checkNewAnswer([10, 3]),
    ...run(50),
    checkNewAnswer([15, 1], [25, 1]),
    ...run(50),
    checkNewAnswer(),
  ])
})

test('delay in months and years handled correctly', async () => {
  const input = new MemoryStream(engine(), { value: t.long() })
  const now = BigInt(Math.floor(Date.now() / 1000))
  const counts = input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', '2 years 5 months')
    .groupBy(({ at }) => ({ window: window(at, '5 seconds') }))
    .agg(() => ({ count: count() }))
    .select(({ window, count }) => ({ start: window.start.cast('long'), count }))
  await testStream(counts, [
    addData(input, { value: now }),
    checkAnswer(),
    addData(input, { value: now }),
    checkAnswer(),
    assertOnQuery('29 months of 31 days back', (query) => {
      const { max, watermark } = eventTimeOfData(query)
      expect(Date.parse(max!)).toBe(Number(now) * 1000)
      expect(Date.parse(watermark!)).toBe(Number(now) * 1000 - 29 * 31 * 86_400_000)
    }),
  ])
})

test('delay threshold should not be negative', () => {
  const input = seconds(engine())
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
  for (const delay of ['-1 year', '1 year -13 months', '1 month -40 days', '-10 seconds']) {
    expect(() => input.withWatermark('at', delay), delay).toThrow(/should not be negative/)
  }
})

test('A16, SPARK-35815: Support ANSI intervals for delay threshold', async () => {
  const day = 86_400
  const variants: [string[], number][] = [
    [['3 days', 'Interval 3 day', "inTerval '3' day"], 3 * day],
    [[' 5 hours', 'INTERVAL 5 hour', "interval '5' hour"], 5 * 3600],
    [['\t8 minutes', 'interval 8 minute', "interval '8' minute"], 8 * 60],
    [['10 seconds', 'interval 10 second', "interval '10' second"], 10],
    [['1 years', 'interval 1 year', "interval '1' year"], 12 * 31 * day],
    [['1 months', 'interval 1 month', "interval '1' month"], 31 * day],
    [
      [
        '1 day 2 hours 3 minutes 4 seconds',
        ' interval 1 day 2 hours 3 minutes 4 seconds',
        "\tinterval '1' day '2' hours '3' minutes '4' seconds",
        "interval '1 2:3:4' day to second",
      ],
      day + 2 * 3600 + 3 * 60 + 4,
    ],
    [[' 1 year 2 months', 'interval 1 year 2 month', "interval '1' year '2' month", "\tinterval '1-2' year to month"], 14 * 31 * day],
  ]
  const timed = seconds(engine())
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
  for (const [texts, delaySeconds] of variants) {
    for (const delay of texts)
      expect(timed.withWatermark('at', delay).schema.fields.at(-1)!.watermarkDelayMs, delay).toBe(delaySeconds * 1000)
  }
  for (const delay of [
    '1 foo',
    'interva 2 day',
    "intrval '3' day",
    'interval 4 foo',
    "interval '5' foo",
    "interval '1 2:3:4' day to hour",
    "interval '1 2' year to month",
  ]) {
    expect(() => timed.withWatermark('at', delay), delay).toThrow(/CANNOT_PARSE_INTERVAL/)
  }
})

test('overriding watermark should not be allowed by default', async () => {
  const input = new MemoryStream(engine(), { a: t.long(), b: t.long() })
  const counts = input
    .toDF()
    .withColumn('first', ({ a }) => timestamp_seconds(a))
    .withColumn('second', ({ b }) => timestamp_seconds(b))
    .withWatermark('first', '1 minute')
    .withWatermark('second', '2 minutes')
    .groupBy('second')
    .agg(() => ({ count: count() }))
  await expect(testStream(counts, [])).rejects.toThrow(/Redefining watermark is disallowed/)
})

test('EventTime watermark should be ignored in batch query', async () => {
  const found = await engine()
    .createDataFrame(
      Array.from({ length: 100 }, (_, i) => ({ key: i + 1 })),
      { key: t.int() },
    )
    .select(({ key }) => ({ eventTime: timestamp_seconds(key) }))
    .withWatermark('eventTime', '1 minute')
    .select(({ eventTime }) => ({ second: eventTime.cast('long') }))
    .collect()
  expect(found.map(({ second }) => Number(second)).sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
})

test('SPARK-21565: watermark over a file stream, the event time among other keys', async () => {
  await using folder = await tempFolder()
  const path = join(folder.path, 'in')
  await mkdir(path)
  await writeFile(join(path, 'a.json'), '{"symbol":"a","price":100.0,"eventTime":"1970-01-01T00:00:00.100Z"}\n')
  const counts = engine()
    .readStream.schema({ symbol: t.string().nullable(), price: t.double().nullable(), eventTime: t.timestamp().nullable() })
    .json(path)
    .withWatermark('eventTime', '2 seconds')
    .groupBy('symbol', 'eventTime')
    .agg(({ price }) => ({ count: count(price) }))
    .select('symbol', 'eventTime', 'count')
  await testStream(counts, [checkAnswer(), assertNumStateRows({ total: 1, updated: 1 })])
})

test('SPARK-27340: a window that was given another name keeps its watermark', async () => {
  const input = seconds(engine())
  const counts = input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', '10 seconds')
    .select(({ at }) => ({ aliasWindow: window(at, '5 seconds') }))
    .groupBy('aliasWindow')
    .agg(() => ({ count: count() }))
    .select(({ aliasWindow, count }) => ({ start: aliasWindow.start.cast('long'), count }))
  await testStream(counts, [
    addData(input, ...rows(10, 11, 12, 13, 14, 15)),
    checkNewAnswer(),
    addData(input, ...rows(25)),
    checkNewAnswer([10, 5]),
    assertNumStateRows({ total: 2 }),
    addData(input, ...rows(10)),
    checkNewAnswer(),
    assertNumStateRows({ total: 2, droppedByWatermark: 1 }),
  ])
})

test('no-data flag off: what the watermark closed waits for the next data', async () => {
  await using quiet = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.noDataMicroBatches.enabled': false } })
  const input = seconds(quiet)
  await testStream(windowedCount(input, 10, 5), [
    addData(input, ...rows(10, 11, 12, 13, 14, 15)),
    checkNewAnswer(),
    addData(input, ...rows(25)),
    checkNewAnswer(),
    addData(input, ...rows(25)),
    checkNewAnswer([10, 5]),
  ])
})

function withTwoWatermarks(first: ReturnType<typeof seconds>, second: ReturnType<typeof seconds>) {
  const timed = (input: typeof first, delay: string) =>
    input
      .toDF()
      .withColumn('at', ({ value }) => timestamp_seconds(value))
      .withWatermark('at', delay)
  return timed(first, '10 seconds')
    .union(timed(second, '15 seconds'))
    .select(({ at }) => ({ at: at.cast('int') }))
}
/** A batch of one row that moves nothing shows the watermark. */
const usedWatermark = (input: ReturnType<typeof seconds>, second: number) => [
  addData(input, ...rows(1)),
  assertOnQuery(`watermark ${second} s`, (query) => expect(query.lastProgress!.eventTime['watermark']).toBe(utc(second))),
]
const withPolicy = (policy: string): Promise<Engine> =>
  millrace.local({ threads: 1, conf: { 'spark.sql.streaming.multipleWatermarkPolicy': policy }, print: () => {} })

test('MultipleWatermarkPolicy: max', async () => {
  await using max = await withPolicy('max')
  const [input1, input2] = [seconds(max), seconds(max)]
  await testStream(withTwoWatermarks(input1, input2), [
    multiAddData([input1, rows(20)], [input2, rows(30)]),
    checkLastBatch([20], [30]),
    ...usedWatermark(input1, 15),
    stopStream(),
    startStream(),
    ...usedWatermark(input1, 15),
    multiAddData([input1, rows(120)], [input2, rows(130)]),
    checkLastBatch([120], [130]),
    ...usedWatermark(input1, 115),
    addData(input1, ...rows(150)),
    checkLastBatch([150]),
    ...usedWatermark(input1, 140),
  ])
})

test('MultipleWatermarkPolicy: min', async () => {
  const [input1, input2] = [seconds(engine()), seconds(engine())]
  await testStream(withTwoWatermarks(input1, input2), [
    multiAddData([input1, rows(20)], [input2, rows(30)]),
    checkLastBatch([20], [30]),
    ...usedWatermark(input1, 10),
    stopStream(),
    startStream(),
    ...usedWatermark(input1, 10),
    multiAddData([input1, rows(120)], [input2, rows(130)]),
    checkLastBatch([120], [130]),
    ...usedWatermark(input2, 110),
    addData(input2, ...rows(150)),
    checkLastBatch([150]),
    ...usedWatermark(input2, 110),
  ])
})

test('MultipleWatermarkPolicy: recovery from checkpoints ignores session conf', async () => {
  await using checkpoint = await tempFolder()
  await using max = await withPolicy('max')
  const [a1, a2] = [seconds(max), seconds(max)]
  const options = { checkpointLocation: checkpoint.path }
  await testStream(withTwoWatermarks(a1, a2), options, [
    multiAddData([a1, rows(20)], [a2, rows(30)]),
    checkLastBatch([20], [30]),
    ...usedWatermark(a1, 15),
  ])
  const [b1, b2] = [seconds(engine()), seconds(engine())]
  for (const [input, values] of [
    [b1, rows(20)],
    [b2, rows(30)],
    [b1, rows(1)],
  ] as const)
    input.addData(...values)
  await testStream(withTwoWatermarks(b1, b2), options, [
    ...usedWatermark(b1, 15),
    multiAddData([b1, rows(120)], [b2, rows(130)]),
    checkLastBatch([120], [130]),
    ...usedWatermark(b1, 115),
    addData(b1, ...rows(150)),
    checkLastBatch([150]),
    ...usedWatermark(b1, 140),
  ])
})

test('MultipleWatermarkPolicy: fail on incorrect conf values', async () => {
  for (const value of ['', 'random']) await expect(withPolicy(value)).rejects.toThrow(/min or max/)
})

test('a relation that stands in the query twice, under different filters, has one watermark (values of Spark 4.2.0)', async () => {
  const input = new MemoryStream(engine(), { s: t.int(), v: t.int() })
  const timed = input
    .toDF()
    .withColumn('at', ({ s }) => timestamp_seconds(s))
    .withWatermark('at', '25 seconds')
  const counted = timed
    .union(timed.where(({ v }) => v.gt(1)))
    .groupBy(({ at }) => ({ window: window(at, '10 seconds') }))
    .agg(() => ({ n: count() }))
    .select(({ window, n }) => ({ start: window.start.cast('long'), n }))
  const at = (...pairs: (readonly [number, number])[]) => pairs.map(([s, v]) => ({ s, v }))
  await testStream(counted, [
    addData(input, ...at([45, 2], [58, 2], [55, 5], [42, 0])),
    checkNewAnswer(),
    addData(input, ...at([89, 0])), // of the first branch only: watermark 64
    checkNewAnswer([40, 3], [50, 4]),
    assertNumStateRows({ total: 1, removed: 2 }),
  ])
})
