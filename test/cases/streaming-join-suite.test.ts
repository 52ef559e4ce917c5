// Cases F, H and I6 (outer joins have a file of their own): StreamingJoinSuite of Spark 4.2.0.
import { col, count, expr, MemoryStream, t, window } from 'millrace'
import {
  addData,
  assertNumStateRows,
  assertOnQuery,
  checkAnswer,
  checkNewAnswer,
  multiAddData,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { rows, seconds, useEngine } from './harness.ts'
import { at, keyedStream, pairStream, rangeJoin, timedStream, windowedJoin, windowedJoinWith, windowedStream } from './join-streams.ts'

const engine = useEngine()
const restart = [stopStream(), startStream()]
const inModes = (name: string, run: (outputMode: 'append' | 'update') => Promise<void>) => {
  for (const outputMode of ['append', 'update'] as const) test(`${name}, ${outputMode} mode`, () => run(outputMode))
}

describe('inner joins', () => {
  inModes('F1: on a key, without watermark', async (outputMode) => {
    const [left, right] = [seconds(engine()), seconds(engine())]
    const joined = keyedStream(left, 'left', 2, null)
      .join(keyedStream(right, 'right', 3, null), 'key')
      .selectExpr('key', 'leftValue', 'rightValue')
    await testStream(joined, { outputMode }, [
      addData(left, ...rows(1)),
      checkAnswer(),
      addData(right, ...rows(1, 10)),
      checkNewAnswer([1, 2, 3]),
      addData(left, ...rows(10)),
      checkNewAnswer([10, 20, 30]),
      addData(right, ...rows(1)),
      checkNewAnswer([1, 2, 3]),
      ...restart,
      addData(left, ...rows(1)),
      checkNewAnswer([1, 2, 3], [1, 2, 3]),
      ...restart,
      multiAddData([left, rows(100)], [right, rows(100)]),
      checkNewAnswer([100, 200, 300]),
    ])
  })

  inModes('F2: on windows, without watermark', async (outputMode) => {
    const [left, right] = [seconds(engine()), seconds(engine())]
    const joined = windowedStream(left, 'left', 2, null)
      .join(windowedStream(right, 'right', 3, null), ['key', 'window'])
      .selectExpr('key', 'CAST(window.end AS LONG) AS end', 'leftValue', 'rightValue')
    await testStream(joined, { outputMode }, [
      addData(left, ...rows(1)),
      checkNewAnswer(),
      addData(right, ...rows(1)),
      checkNewAnswer([1, 10, 2, 3]),
      ...restart,
      addData(left, ...rows(25)),
      checkNewAnswer(),
      ...restart,
      addData(right, ...rows(25)),
      checkNewAnswer([25, 30, 50, 75]),
      addData(left, ...rows(1)),
      checkNewAnswer([1, 10, 2, 3]), // nothing is ever forgotten
      ...restart,
      addData(left, ...rows(5)),
      checkNewAnswer(),
      addData(right, ...rows(5)),
      checkNewAnswer([5, 10, 10, 15]),
    ])
  })

  inModes('F3: on windows, with a watermark on the left only', async (outputMode) => {
    const [left, right] = [seconds(engine()), seconds(engine())]
    const joined = windowedStream(left, 'left', 2)
      .join(windowedStream(right, 'right', 3, null), ['key', 'window'])
      .selectExpr('key', 'CAST(window.end AS LONG) AS end', 'leftValue', 'rightValue')
    await testStream(joined, { outputMode }, [
      addData(left, ...rows(1)),
      checkNewAnswer(),
      assertNumStateRows({ total: 1, updated: 1 }),
      addData(right, ...rows(1)),
      checkNewAnswer([1, 10, 2, 3]),
      assertNumStateRows({ total: 2, updated: 1, removed: 0 }),
      ...restart,
      addData(left, ...rows(25)),
      checkNewAnswer(),
      assertNumStateRows({ total: 1, updated: 1, removed: 2 }), // watermark 15: both rows of [0, 10)
      addData(right, ...rows(25)),
      checkNewAnswer([25, 30, 50, 75]),
      assertNumStateRows({ total: 2, updated: 1 }),
      ...restart,
      addData(right, ...rows(1)),
      checkNewAnswer(), // the row that it would match is gone
      assertNumStateRows({ total: 2, updated: 0, droppedByWatermark: 0 }), // its side has no event time: not late, and not stored
      addData(left, ...rows(5)),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 0, droppedByWatermark: 1 }),
    ])
  })

  inModes('F4: a range of times bounds one side', async (outputMode) => {
    const [left, right] = [pairStream(engine()), pairStream(engine())]
    const joined = timedStream(left, 'left')
      .join(timedStream(right, 'right'), () => expr('leftKey = rightKey AND leftTime < rightTime - INTERVAL 5 SECONDS'))
      .selectExpr('leftKey', 'CAST(leftTime AS LONG) AS l', 'CAST(rightTime AS LONG) AS r')
    await testStream(joined, { outputMode }, [
      addData(left, ...at([1, 5])),
      checkAnswer(),
      addData(right, ...at([1, 11])),
      checkNewAnswer([1, 5, 11]),
      addData(right, ...at([1, 10])),
      checkNewAnswer(),
      assertNumStateRows({ total: 3, updated: 3 }),
      addData(left, ...at([1, 3], [1, 30])),
      checkNewAnswer([1, 3, 10], [1, 3, 11]),
      assertNumStateRows({ total: 5, updated: 2 }),
      addData(right, ...at([0, 30])), // watermark 20: right rows up to 25 go
      checkNewAnswer(),
      assertNumStateRows({ total: 4, updated: 1, removed: 2 }),
      addData(right, ...at([1, 20], [1, 21], [1, 28])), // 20 is late; 21 is joined and not stored
      checkNewAnswer([1, 3, 21], [1, 5, 21], [1, 3, 28], [1, 5, 28]),
      assertNumStateRows({ total: 5, updated: 1, droppedByWatermark: 1 }),
      addData(left, ...at([1, 20], [1, 21])),
      checkNewAnswer([1, 21, 28]),
      assertNumStateRows({ total: 6, updated: 1, droppedByWatermark: 1 }),
    ])
  })

  inModes('F5: a range of times bounds both sides', async (outputMode) => {
    const [left, right] = [pairStream(engine()), pairStream(engine())]
    const condition = 'leftKey = rightKey AND leftTime BETWEEN rightTime - INTERVAL 10 SECONDS AND rightTime + INTERVAL 5 SECONDS'
    const joined = timedStream(left, 'left', '20 seconds')
      .join(timedStream(right, 'right', '30 seconds'), () => expr(condition))
      .selectExpr('leftKey', 'CAST(leftTime AS LONG) AS l', 'CAST(rightTime AS LONG) AS r')
    await testStream(joined, { outputMode }, [
      addData(left, ...at([1, 20])),
      checkAnswer(),
      addData(right, ...at([1, 14], [1, 15], [1, 25], [1, 26], [1, 30], [1, 31])),
      checkNewAnswer([1, 20, 15], [1, 20, 25], [1, 20, 26], [1, 20, 30]),
      assertNumStateRows({ total: 7, updated: 7 }),
      addData(right, ...at([1, 60])),
      checkNewAnswer(),
      addData(left, ...at([1, 49], [1, 50], [1, 65], [1, 66])), // watermark 30: right below 25 goes, left below 20
      checkNewAnswer([1, 50, 60], [1, 65, 60]),
      assertNumStateRows({ total: 10, updated: 5 }),
      addData(left, ...at([1, 30], [1, 31])),
      checkNewAnswer([1, 31, 26], [1, 31, 30], [1, 31, 31]),
      assertNumStateRows({ total: 11, updated: 1, droppedByWatermark: 1 }),
      addData(right, ...at([1, 80])), // watermark 46
      checkNewAnswer(),
      assertNumStateRows({ total: 6, updated: 1 }),
      addData(right, ...at([1, 46], [1, 50])),
      checkNewAnswer([1, 49, 50], [1, 50, 50]),
      assertNumStateRows({ total: 7, updated: 1, droppedByWatermark: 1 }),
    ])
  })

  inModes('F7: a stream with itself', async (outputMode) => {
    const input = seconds(engine())
    const side = (name: string) => input.toDF().selectExpr('value % 5 AS key', `value AS ${name}`) as any
    await testStream(side('a').join(side('b'), 'key'), { outputMode }, [
      addData(input, ...rows(1, 2)),
      checkAnswer([1, 1, 1], [2, 2, 2]),
      ...restart,
      addData(input, ...rows(3, 6)),
      checkAnswer([3, 3, 3], [1, 1, 1], [1, 1, 6], [2, 2, 2], [1, 6, 1], [1, 6, 6]),
    ])
  })

  test('F8: three streams', async () => {
    const [a, b, c] = [seconds(engine()), seconds(engine()), seconds(engine())]
    const side = (input: typeof a, name: string, by: number) =>
      input.toDF().selectExpr(`value AS ${name}Key`, `value * ${by} AS ${name}Value`) as any
    const joined = side(a, 'left', 2)
      .join(side(b, 'middle', 3), () => expr('leftKey = middleKey'))
      .join(side(c, 'right', 5), () => expr('rightKey = middleKey'))
    await testStream(joined, [
      addData(a, ...rows(1, 5)),
      addData(b, ...rows(1, 5, 10)),
      addData(c, ...rows(5, 10)),
      checkNewAnswer([5, 10, 5, 15, 5, 25]),
      ...restart,
      addData(a, ...rows(10)),
      checkNewAnswer([10, 20, 10, 30, 10, 50]),
    ])
  })

  for (const [name, leftRows, rightRows, expected] of [
    [
      'right',
      [1, 5],
      [1, 5, 10, null],
      [
        [1, 1, 2, 3],
        [5, 5, 10, 15],
      ],
    ],
    [
      'left',
      [1, 5, 10, null],
      [1, 5],
      [
        [1, 1, 2, 3],
        [5, 5, 10, 15],
      ],
    ],
    [
      'left and right',
      [1, 5, 10, null],
      [1, 5, null],
      [
        [1, 1, 2, 3],
        [5, 5, 10, 15],
        [null, null, null, null],
      ],
    ],
  ] as const) {
    inModes(`a null-safe key that may be null on the ${name}`, async (outputMode) => {
      const nullable = () => new MemoryStream(engine(), { value: t.int().nullable() })
      const [left, right] = [nullable(), nullable()]
      const side = (input: ReturnType<typeof nullable>, prefix: string, by: number) =>
        input.toDF().selectExpr(`value AS ${prefix}Key`, `value * ${by} AS ${prefix}Value`) as any
      const joined = side(left, 'left', 2)
        .join(side(right, 'right', 3), () => expr('leftKey <=> rightKey'))
        .selectExpr('leftKey', 'rightKey', 'leftValue', 'rightValue')
      await testStream(joined, { outputMode }, [
        addData(left, ...leftRows.map((value) => ({ value }))),
        addData(right, ...rightRows.map((value) => ({ value }))),
        checkNewAnswer(...expected),
      ])
    })
  }

  test('a union above a join', async () => {
    const [single, left, right] = [seconds(engine()), seconds(engine()), seconds(engine())]
    const joined = keyedStream(left, 'left', 2)
      .alias('l')
      .join(keyedStream(right, 'right', 3).alias('r'), () => expr('l.key = r.key AND leftTime = rightTime'))
      .selectExpr('l.key', 'leftValue', 'rightValue')
    const all = (single.toDF().selectExpr('value AS key', 'value AS leftValue', 'value AS rightValue') as any).union(joined)
    await testStream(all, [
      multiAddData([single, rows(11, 12)], [left, rows(11, 13, 14)], [right, rows(13, 14, 16)]),
      checkNewAnswer([11, 11, 11], [12, 12, 12], [13, 26, 39], [14, 28, 42]),
      ...restart,
      multiAddData([single, rows(21)], [left, rows(23)], [right, rows(23)]),
      checkNewAnswer([21, 21, 21], [23, 46, 69]),
    ])
  })
})

describe('left semi joins', () => {
  inModes('H1: on windows', async (outputMode) => {
    const { left, right, joined } = windowedJoin(engine(), 'semi')
    await testStream(joined, { outputMode }, [
      multiAddData([left, rows(1, 2, 3, 4, 5)], [right, rows(3, 4, 5, 6, 7)]),
      checkNewAnswer([3, 10, 6], [4, 10, 8], [5, 10, 10]),
      assertNumStateRows({ total: 7, updated: 7, droppedByWatermark: 0, removed: 0 }),
      multiAddData([left, rows(21)], [right, rows(22)]), // watermark 11
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 2, droppedByWatermark: 0, removed: 7 }),
      ...restart,
      addData(left, ...rows(22)),
      checkNewAnswer([22, 30, 44]),
      assertNumStateRows({ total: 2, updated: 0, droppedByWatermark: 0, removed: 0 }),
      ...restart,
      addData(left, ...rows(1)),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 0, droppedByWatermark: 1, removed: 0 }),
      addData(right, ...rows(5)),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 0, droppedByWatermark: 1, removed: 0 }),
    ])
  })

  inModes('H2: rows that fail the condition of their own side', async (outputMode) => {
    const onLeft = windowedJoinWith(engine(), 'semi', 'leftValue > 4')
    await testStream(onLeft.joined, { outputMode }, [
      multiAddData([onLeft.left, rows(1, 2, 3)], [onLeft.right, rows(3, 4, 5)]),
      checkNewAnswer([3, 10, 6]),
      assertNumStateRows({ total: 3, updated: 3, droppedByWatermark: 0, removed: 0 }),
      multiAddData([onLeft.left, rows(20)], [onLeft.right, rows(21)]),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 2, droppedByWatermark: 0, removed: 3 }),
      addData(onLeft.right, ...rows(20)),
      checkNewAnswer([20, 30, 40]),
      assertNumStateRows({ total: 2, updated: 1, droppedByWatermark: 0, removed: 1 }),
    ])
    const onRight = windowedJoinWith(engine(), 'semi', 'CAST(rightValue AS INT) > 7')
    await testStream(onRight.joined, { outputMode }, [
      multiAddData([onRight.left, rows(3, 4, 5)], [onRight.right, rows(1, 2, 3)]),
      checkNewAnswer([3, 10, 6]),
      assertNumStateRows({ total: 3, updated: 3, droppedByWatermark: 0, removed: 0 }),
      multiAddData([onRight.left, rows(20)], [onRight.right, rows(21)]),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 2, droppedByWatermark: 0, removed: 3 }),
      addData(onRight.right, ...rows(20)),
      checkNewAnswer([20, 30, 40]),
      assertNumStateRows({ total: 2, updated: 1, droppedByWatermark: 0, removed: 1 }),
    ])
  })

  inModes('H3: with a range of times, each left row once', async (outputMode) => {
    const { left, right, joined } = rangeJoin(engine(), 'semi')
    await testStream(joined, { outputMode }, [
      addData(left, ...at([1, 5], [3, 5])),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 2, removed: 0 }),
      addData(right, ...at([1, 10], [2, 5])),
      checkNewAnswer([1, 5]),
      assertNumStateRows({ total: 3, updated: 2, removed: 1 }),
      addData(right, ...at([1, 9])),
      checkNewAnswer(),
      assertNumStateRows({ total: 4, updated: 1, removed: 0 }),
      addData(left, ...at([1, 7], [1, 30])),
      checkNewAnswer([1, 7]),
    ])
  })
})

// Values of Spark 4.2.0.
describe('rows that can match nothing move no watermark and cost no state', () => {
  const fields = { k: t.int().nullable(), at: t.int().nullable() }
  const timed = (input: MemoryStream<any>, name: string, delay: string): any =>
    (input.toDF() as any).selectExpr(`k AS ${name}K`, `timestamp_seconds(at) AS ${name}At`).withWatermark(`${name}At`, delay)
  const sides = () => {
    const [left, right] = [new MemoryStream(engine(), fields), new MemoryStream(engine(), fields)]
    return { left, right, l: timed(left, 'l', '10 seconds'), r: timed(right, 'r', '5 seconds') }
  }
  const row = (k: number | null, at: number | null) => ({ k, at })

  inModes('rows without a time, in an inner join over a range of times', async (outputMode) => {
    const { left, right, l, r } = sides()
    const joined = l.join(r, () => expr('lK = rK AND lAt BETWEEN rAt - INTERVAL 5 SECONDS AND rAt + INTERVAL 8 SECONDS')).selectExpr('lK')
    await testStream(joined, { outputMode }, [
      multiAddData([left, [row(1, 35), row(5, null)]], [right, [row(1, 36), row(5, null)]]),
      checkNewAnswer([1]),
      assertNumStateRows({ total: 2, updated: 2 }),
    ])
  })

  inModes('what is said of one side’s key is said of the other’s', async (outputMode) => {
    const { left, right, l, r } = sides()
    const joined = l
      .where('lK >= 2')
      .join(r, () => expr('lK = rK'))
      .selectExpr('lK', 'CAST(rAt AS LONG) AS at')
    await testStream(joined, { outputMode }, [
      multiAddData([left, [row(1, 90), row(2, 12)]], [right, [row(1, 90), row(2, 13), row(null, 99)]]),
      checkNewAnswer([2, 13]),
      assertNumStateRows({ total: 2, updated: 2 }),
      addData(left, row(2, 14)),
      checkNewAnswer([2, 13]),
      assertOnQuery('the watermark is that of the rows that may match', (query) =>
        expect(query.lastProgress?.eventTime['watermark']).toBe('1970-01-01T00:00:02.000Z'),
      ),
    ])
  })

  test('a stream joined with a table: a null key moves no watermark', async () => {
    const { left, l } = sides()
    const table = engine().createDataFrame([{ lK: 1, name: 'one' }], { lK: t.int(), name: t.string() })
    const counted = l
      .join(table, 'lK')
      .groupBy((columns: any) => ({ window: window(columns.lAt, '5 seconds') }))
      .agg(() => ({ n: count() }))
      .selectExpr('CAST(window.start AS LONG) AS start', 'n')
    await testStream(counted, [
      addData(left, row(1, 10), row(1, 25), row(null, 26)),
      checkNewAnswer([10, 1]), // watermark 15
      addData(left, row(1, 15)),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, droppedByWatermark: 0 }),
    ])
  })
})

test('I6: a left outer join below an aggregation over windows', async () => {
  const fields = { at: t.timestamp(), v: t.string() }
  const [left, right] = [new MemoryStream(engine(), fields), new MemoryStream(engine(), fields)]
  const row = (time: string, v: string) => ({ at: new Date(`2024-02-10T${time}Z`), v })
  const side = (input: typeof left, name: string) =>
    (input.toDF() as any).selectExpr(`at AS ${name}Time`, `v AS ${name}V`).withWatermark(`${name}Time`, '0 seconds')
  const counted = side(left, 'left')
    .join(
      side(right, 'right'),
      () => expr('leftV = rightV AND rightTime BETWEEN leftTime - INTERVAL 1 HOUR AND leftTime + INTERVAL 1 HOUR'),
      'left',
    )
    .groupBy(() => ({ window: window(col('leftTime') as never, '10 minutes') }))
    .agg(() => ({ n: count() }))
    .selectExpr("date_format(window.start, 'HH:mm:ss') AS start", "date_format(window.end, 'HH:mm:ss') AS end", 'n')
  await testStream(counted, [
    multiAddData([left, [row('01:00:10', '1'), row('01:00:30', '2')]], [right, [row('01:00:20', '1')]]),
    checkNewAnswer(),
    multiAddData([left, [row('01:15:00', '3')]], [right, [row('01:15:00', '4')]]),
    checkNewAnswer(),
    multiAddData([left, [row('02:16:00', '5')]], [right, [row('02:16:00', '6')]]),
    checkNewAnswer(['01:00:00', '01:10:00', 2]),
  ])
})
