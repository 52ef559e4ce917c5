// Several steps with state in one query: MultiStatefulOperatorsSuite of Spark 4.2.0. I1 and I3 are with the deduplications, I6 with the joins.
import { count, expr, MemoryStream, sum, t, timestamp_seconds, window, window_time } from 'millrace'
import { addData, assertNumStateRows, assertOnQuery, checkLastBatch, checkNewAnswer, multiAddData, testStream } from 'millrace/testing'
import { expect, test } from 'vitest'
import { rows, seconds, useEngine } from './harness.ts'

const engine = useEngine()
type Untyped = any
const from = (first: number, last: number) => rows(...Array.from({ length: last - first + 1 }, (_, i) => first + i))

/** A stream of seconds as `v` and as the event time `at`. */
function timed(input: ReturnType<typeof seconds>, [v, at]: readonly [string, string] = ['v', 'at'], delay = '0 seconds'): Untyped {
  return (input.toDF() as Untyped).select(({ value }: Untyped) => ({ [v]: value, [at]: timestamp_seconds(value) })).withWatermark(at, delay)
}
const counted = (frame: Untyped, at = 'at', length = '5 seconds') =>
  frame.groupBy((columns: Untyped) => ({ window: window(columns[at], length) })).agg(() => ({ count: count() }))
/** Windows of windows, with the sum of a column. */
const again = (frame: Untyped, length: string, of: string) =>
  frame
    .groupBy((columns: Untyped) => ({ window: window(window_time(columns.window), length) }))
    .agg((columns: Untyped) => ({ count: count(), sum: sum(columns[of]) }))

test('agg -> agg -> agg, append mode', async () => {
  const input = seconds(engine())
  const windows = again(again(counted(timed(input)), '10 seconds', 'count'), '20 seconds', 'sum')
  await testStream(windows.selectExpr('CAST(window.start AS long) s', 'CAST(window.end AS long) e', 'count', 'sum'), [
    addData(input, ...from(0, 37)),
    checkNewAnswer([0n, 20n, 2n, 20n]),
    assertNumStateRows({ total: [1, 1, 1], droppedByWatermark: [0, 0, 0] }),
    addData(input, ...from(30, 60)), // watermark 37: of the lowest step [30, 35) is late
    checkNewAnswer([20n, 40n, 2n, 23n], [40n, 60n, 2n, 20n]),
    assertNumStateRows({ total: [0, 0, 1], droppedByWatermark: [0, 0, 1] }),
  ])
})

test.each(['append', 'update'] as const)('stream-stream inner join -> window agg, %s mode', async (outputMode) => {
  const [left, right] = [seconds(engine()), seconds(engine())]
  const joined = timed(left, ['v1', 'at1']).join(timed(right, ['v2', 'at2']), () => expr('at1 = at2'), 'inner')
  const both = (first: number, last: number) => multiAddData([left, from(first, last)], [right, from(first, last)])
  await testStream(counted(joined, 'at1').selectExpr('CAST(window.start AS long) s', 'count'), { outputMode }, [
    both(1, 2),
    checkNewAnswer(...(outputMode === 'append' ? [] : [[0n, 2n] as const])),
    both(3, 4),
    checkNewAnswer(...(outputMode === 'append' ? [] : [[0n, 4n] as const])),
    assertNumStateRows({ total: [1, 0], droppedByWatermark: [0, 0] }),
    both(5, 8),
    checkNewAnswer(outputMode === 'append' ? [0n, 4n] : [5n, 4n]),
    assertNumStateRows({ total: [1, 0], droppedByWatermark: [0, 0] }),
  ])
})

test.each([
  [
    ['count', 'end'],
    3,
    ['CAST(end AS long) e', 'count'],
    [
      [5n, 1n],
      [10n, 1n],
      [15n, 1n],
    ],
  ],
  // the window has an event time too, and nobody reads it above
  [
    ['count', 'end', 'time'],
    0,
    ['CAST(end AS long) e', 'unix_micros(time) us'],
    [
      [5n, 4999999n],
      [10n, 9999999n],
      [15n, 14999999n],
    ],
  ],
] as const)('aggregation -> stream deduplication by %j, append mode', async (by, kept, columns, expected) => {
  const input = seconds(engine())
  const windows = counted(timed(input))
    .withColumn('end', () => expr('window.end'))
    .withColumn('time', () => expr('window_time(window)'))
  await testStream(windows.dropDuplicates(by).selectExpr(...columns), [
    addData(input, ...rows(1, 5, 10, 15)),
    checkNewAnswer(...expected),
    assertNumStateRows({ total: [kept, 1], droppedByWatermark: [0, 0] }),
  ])
})

test('the event time of a deduplication is one that is read: without it no row is late, and two of them are refused', async () => {
  const input = new MemoryStream(engine(), { id: t.int(), s: t.int() })
  const frame = (input.toDF() as Untyped).withColumn('at', ({ s }: Untyped) => timestamp_seconds(s)).withWatermark('at', '1 second')
  const once = frame.withColumn('also', ({ at }: Untyped) => at).dropDuplicates(['id'])
  const row = (id: number, s: number) => ({ id, s })
  await testStream(once.select('id', 's'), [
    addData(input, row(1, 1), row(1, 2), row(2, 2)),
    checkNewAnswer([1, 1], [2, 2]),
    addData(input, row(3, 100)),
    checkNewAnswer([3, 100]),
    addData(input, row(4, 1)), // behind the watermark
    checkNewAnswer([4, 1]),
    assertNumStateRows({ total: 4, droppedByWatermark: 0 }),
  ])
  await expect(testStream(once, [checkNewAnswer()])).rejects.toMatchObject({ code: 'MULTIPLE_EVENT_TIME_COLUMNS' })
})

test('SPARK-49829 time window agg per each source followed by stream-stream join', async () => {
  const input = () => new MemoryStream(engine(), { value: t.long() })
  const [left, right] = [input(), input()]
  const summed = (stream: ReturnType<typeof input>, name: string) =>
    (stream.toDF() as Untyped)
      .selectExpr('value', 'timestamp_seconds(value) AS at')
      .withWatermark('at', '5 seconds')
      .groupBy(({ at }: Untyped) => ({ window: window(at, '10 seconds') }))
      .agg(({ value }: Untyped) => ({ [name]: sum(value) }))
  const joined = summed(left, 'sum1')
    .join(summed(right, 'sum2'), 'window', 'inner')
    .selectExpr('CAST(window.end AS long) e', 'sum1', 'sum2')
  const values = (...list: number[]) => list.map((value) => ({ value }))
  await testStream(joined, [
    multiAddData([left, values(1, 2, 3, 4, 5)], [right, values(5, 6, 7, 8, 9)]),
    checkNewAnswer(),
    multiAddData([left, values(11, 12, 13, 14, 15)], [right, values(15, 16, 17, 18, 19)]),
    checkNewAnswer([10n, 15n, 35n]), // both come and go in one batch
    multiAddData([left, values(100)], [right, values(101)]),
    checkNewAnswer([20n, 65n, 85n]),
  ])
})

test.each(['append', 'update'] as const)('dedup on both sides -> stream-stream inner join, %s mode', async (outputMode) => {
  const [left, right] = [seconds(engine()), seconds(engine())]
  const side = (input: typeof left, v: string, at: string) => timed(input, [v, at], '10 seconds').dropDuplicates([v, at])
  const joined = side(left, 'v1', 'at1')
    .join(side(right, 'v2', 'at2'), () => expr('at1 = at2'), 'inner')
    .select('v1', 'v2')
  await testStream(joined, { outputMode }, [
    multiAddData([left, rows(1, 2, 3, 1)], [right, rows(1, 2, 3, 2)]),
    checkNewAnswer([1, 1], [2, 2], [3, 3]),
    multiAddData([left, rows(1, 2, 4)], [right, rows(2, 3, 4)]),
    checkNewAnswer([4, 4]),
  ])
})

// What Spark 4.2.0 gives for the same rows.
test.each([
  ['update', [[2, 3n]]],
  ['complete', [[2, 3n]]],
] as const)('agg -> deduplication without an event time, %s mode', async (outputMode, second) => {
  const input = seconds(engine())
  const counts = input
    .toDF()
    .groupBy('value')
    .agg(() => ({ count: count() }))
  await testStream(counts.dropDuplicates(['count']), { outputMode }, [
    addData(input, ...rows(2, 2, 3)),
    checkLastBatch([2, 2n], [3, 1n]),
    addData(input, ...rows(2, 4, 3)),
    checkLastBatch(...second),
    assertNumStateRows({ total: [3, 3], updated: [3, 5] }),
  ])
})

test('withWatermark above an aggregation, update mode: measured of its rows, and a deduplication above drops by it', async () => {
  const countsOf = (stream: ReturnType<typeof seconds>): Untyped =>
    stream
      .toDF()
      .select(({ value }) => ({ at: timestamp_seconds(value) }))
      .groupBy('at')
      .agg(() => ({ count: count() }))
      .withWatermark('at', '10 seconds')
  const [input, again] = [seconds(engine()), seconds(engine())]
  const watermarkIs = (text: string) =>
    assertOnQuery('the watermark', (query) => expect(query.lastProgress?.eventTime['watermark']).toBe(text))
  await testStream(countsOf(input).selectExpr('CAST(at AS long) at', 'count'), { outputMode: 'update' }, [
    addData(input, ...rows(10, 12)),
    checkNewAnswer([10n, 1n], [12n, 1n]),
    addData(input, ...rows(100)),
    checkNewAnswer([100n, 1n]),
    watermarkIs('1970-01-01T00:00:02.000Z'),
    addData(input, ...rows(10, 101)),
    checkNewAnswer([10n, 2n], [101n, 1n]),
    assertNumStateRows({ total: 4 }),
    watermarkIs('1970-01-01T00:01:30.000Z'),
  ])
  await testStream(countsOf(again).dropDuplicates(['count']).selectExpr('CAST(at AS long) at', 'count'), { outputMode: 'update' }, [
    addData(again, ...rows(10, 12)),
    checkNewAnswer([10n, 1n]),
    addData(again, ...rows(100)),
    checkNewAnswer(),
    addData(again, ...rows(10, 101)),
    checkNewAnswer(),
    assertNumStateRows({ total: [1, 4], droppedByWatermark: [1, 0] }),
  ])
})
