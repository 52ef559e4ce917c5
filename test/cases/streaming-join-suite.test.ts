// Cases F, G, H: StreamingJoinSuite of Spark 4.2.0.
import { col, count, expr, MemoryStream, t, window } from 'millrace'
import {
  addData,
  assertNumStateRows,
  checkAnswer,
  checkNewAnswer,
  multiAddData,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { describe, test } from 'vitest'
import { rows, seconds, useEngine } from './harness.ts'
import {
  at,
  keyedStream,
  pairStream,
  rangeJoin,
  selfJoin,
  timedStream,
  windowedJoin,
  windowedJoinWith,
  windowedStream,
} from './join-streams.ts'

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
    // biome-ignore lint/suspicious/noExplicitAny: columns by text
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
    // biome-ignore lint/suspicious/noExplicitAny: columns by text
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
      // biome-ignore lint/suspicious/noExplicitAny: columns by text
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
    // biome-ignore lint/suspicious/noExplicitAny: columns by text
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

describe('outer joins', () => {
  test('G1, G2: left and right, on windows', async () => {
    for (const how of ['left', 'right'] as const) {
      const { left, right, joined } = windowedJoin(engine(), how)
      await testStream(joined, [
        multiAddData([left, rows(1, 2, 3, 4, 5)], [right, rows(3, 4, 5, 6, 7)]),
        checkNewAnswer([3, 10, 6, 9], [4, 10, 8, 12], [5, 10, 10, 15]),
        multiAddData([left, rows(21)], [right, rows(22)]), // watermark 11
        checkNewAnswer(
          ...(how === 'left'
            ? [
                [1, 10, 2, null],
                [2, 10, 4, null],
              ]
            : [
                [6, 10, null, 18],
                [7, 10, null, 21],
              ]),
        ),
        assertNumStateRows({ total: 2, updated: 12, removed: 5 }),
        addData(left, ...rows(22)),
        checkNewAnswer([22, 30, 44, 66]),
        assertNumStateRows({ total: 3, updated: 1 }),
      ])
    }
  })

  test('G4: rows of the outer side that fail its own condition are given out at once', async () => {
    const { left, right, joined } = windowedJoinWith(engine(), 'left', 'leftValue > 4')
    await testStream(joined, [
      multiAddData([left, rows(1, 2, 3)], [right, rows(3, 4, 5)]),
      checkNewAnswer([3, 10, 6, '9'], [1, 10, 2, null], [2, 10, 4, null]),
      assertNumStateRows({ total: 4, updated: 4 }),
      multiAddData([left, rows(20)], [right, rows(21)]),
      checkNewAnswer(),
      ...restart,
      addData(right, ...rows(20)),
      checkNewAnswer([20, 30, 40, '60']),
    ])
  })

  test('G5: rows of the other side that fail its own condition are not stored', async () => {
    const { left, right, joined } = windowedJoinWith(engine(), 'left', 'CAST(rightValue AS INT) > 7')
    await testStream(joined, [
      multiAddData([left, rows(3, 4, 5)], [right, rows(1, 2, 3)]),
      checkNewAnswer([3, 10, 6, '9']),
      assertNumStateRows({ total: 4, updated: 4 }),
      multiAddData([left, rows(20)], [right, rows(21)]), // watermark 10
      checkNewAnswer([4, 10, 8, null], [5, 10, 10, null]),
      addData(right, ...rows(20)),
      checkNewAnswer([20, 30, 40, '60']),
    ])
  })

  test('G6, G7: the same of a right outer join', async () => {
    const onLeft = windowedJoinWith(engine(), 'right', 'leftValue > 4')
    await testStream(onLeft.joined, [
      multiAddData([onLeft.left, rows(1, 2, 3)], [onLeft.right, rows(3, 4, 5)]),
      checkNewAnswer([3, 10, 6, '9']),
      assertNumStateRows({ total: 4, updated: 4 }),
      multiAddData([onLeft.left, rows(20)], [onLeft.right, rows(21)]),
      checkNewAnswer([4, 10, null, '12'], [5, 10, null, '15']),
      addData(onLeft.right, ...rows(20)),
      checkNewAnswer([20, 30, 40, '60']),
    ])
    const onRight = windowedJoinWith(engine(), 'right', 'CAST(rightValue AS INT) > 7')
    await testStream(onRight.joined, [
      multiAddData([onRight.left, rows(3, 4, 5)], [onRight.right, rows(1, 2, 3)]),
      checkNewAnswer([3, 10, 6, '9'], [1, 10, null, '3'], [2, 10, null, '6']),
      assertNumStateRows({ total: 4, updated: 4 }),
      multiAddData([onRight.left, rows(20)], [onRight.right, rows(21)]),
      checkNewAnswer(),
      addData(onRight.right, ...rows(20)),
      checkNewAnswer([20, 30, 40, '60']),
    ])
  })

  test('G8: left and right, with a range of times', async () => {
    for (const [how, unmatched] of [
      ['left', [3, null, 5, null]],
      ['right', [null, 2, null, 5]],
    ] as const) {
      const { left, right, joined } = rangeJoin(engine(), how)
      await testStream(joined, [
        addData(left, ...at([1, 5], [3, 5])),
        checkAnswer(),
        addData(right, ...at([1, 10], [2, 5])),
        checkNewAnswer([1, 1, 5, 10]),
        addData(right, ...at([1, 11])),
        checkNewAnswer(),
        assertNumStateRows({ total: 5, updated: 5 }),
        addData(left, ...at([1, 7], [1, 30])),
        checkNewAnswer([1, 1, 7, 10], [1, 1, 7, 11]),
        assertNumStateRows({ total: 7, updated: 2 }),
        addData(right, ...at([0, 30])), // watermark 20
        checkNewAnswer(unmatched),
        assertNumStateRows({ total: 2, updated: 1 }),
      ])
      for (const bound of ['INTERVAL 3 MINUTES 30 SECONDS', "INTERVAL '3:30' MINUTE TO SECOND"]) {
        const wide = rangeJoin(engine(), how, { delay: '10 minutes', lower: bound, upper: bound })
        await testStream(wide.joined, [
          addData(wide.left, ...at([1, 210], [3, 5])),
          checkAnswer(),
          addData(wide.right, ...at([1, 300], [2, 5])),
          checkNewAnswer([1, 1, 210, 300]),
          addData(wide.right, ...at([1, 450])),
          checkNewAnswer(),
          assertNumStateRows({ total: 5, updated: 5 }),
          addData(wide.left, ...at([1, 260], [1, 1800])),
          checkNewAnswer([1, 1, 260, 300], [1, 1, 260, 450]),
          assertNumStateRows({ total: 7, updated: 2 }),
          addData(wide.right, ...at([0, 1800])),
          checkNewAnswer(unmatched),
          assertNumStateRows({ total: 2, updated: 1 }),
        ])
      }
    }
  })

  test('G9: a row whose key matches and whose condition does not is unmatched', async () => {
    const { left, right, joined } = windowedJoinWith(
      engine(),
      'left',
      'leftValue > 10 AND (CAST(rightValue AS INT) < 300 OR CAST(rightValue AS INT) > 1000)',
    )
    await testStream(joined, [
      multiAddData([left, rows(1, 2, 3)], [right, rows(1, 2, 3)]),
      checkNewAnswer([1, 10, 2, null], [2, 10, 4, null], [3, 10, 6, null]),
      assertNumStateRows({ total: 3, updated: 3 }),
      multiAddData([left, rows(20)], [right, rows(21)]),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 2 }),
      addData(right, ...rows(20)),
      checkNewAnswer([20, 30, 40, '60']),
      assertNumStateRows({ total: 3, updated: 1 }),
      multiAddData([left, rows(40, 41)], [right, rows(40, 41)]),
      checkNewAnswer([40, 50, 80, '120'], [41, 50, 82, '123']),
      assertNumStateRows({ total: 4, updated: 4 }),
      multiAddData([left, rows(70)], [right, rows(71)]),
      checkNewAnswer(),
      assertNumStateRows({ total: 2, updated: 2 }),
      addData(right, ...rows(70)),
      checkNewAnswer([70, 80, 140, '210']),
      assertNumStateRows({ total: 3, updated: 1 }),
      multiAddData([left, rows(101, 102, 103)], [right, rows(101, 102, 103)]),
      checkNewAnswer(),
      assertNumStateRows({ total: 6, updated: 3 }), // the right ones fail their own condition
      multiAddData([left, rows(1000)], [right, rows(1001)]),
      checkNewAnswer([101, 110, 202, null], [102, 110, 204, null], [103, 110, 206, null]),
      assertNumStateRows({ total: 2, updated: 2 }),
    ])
  })

  test('G10: no nulls for rows that were matched and whose partners have gone', async () => {
    for (const how of ['left', 'full'] as const) {
      const { input, joined } = selfJoin(engine(), how)
      await testStream(joined, [
        addData(input, ...at([1, 1], [2, 2], [3, 3], [4, 4], [5, 5])),
        checkNewAnswer([2, 2, 2, 2], [4, 4, 4, 4]),
        assertNumStateRows({ total: 7, updated: 7 }),
        addData(input, ...at([6, 6], [7, 7], [8, 8], [9, 9], [10, 10])),
        checkNewAnswer([6, 6, 6, 6], [8, 8, 8, 8], [10, 10, 10, 10]),
        assertNumStateRows({ total: 13, updated: 8 }),
        addData(input, ...at([11, 11], [12, 12], [13, 13], [14, 14], [15, 15])),
        checkNewAnswer([12, 12, 12, 12], [14, 14, 14, 14], [1, 1, null, null], [3, 3, null, null]),
        assertNumStateRows({ total: 15, updated: 7 }),
      ])
    }
  })

  test('G11: full, on windows', async () => {
    const { left, right, joined } = windowedJoin(engine(), 'full')
    await testStream(joined, [
      multiAddData([left, rows(1, 2, 3, 4, 5)], [right, rows(3, 4, 5, 6, 7)]),
      checkNewAnswer([3, 10, 6, 9], [4, 10, 8, 12], [5, 10, 10, 15]),
      assertNumStateRows({ total: 10, updated: 10 }),
      ...restart,
      multiAddData([left, rows(21)], [right, rows(22)]),
      checkNewAnswer([1, 10, 2, null], [2, 10, 4, null], [6, 10, null, 18], [7, 10, null, 21]),
      assertNumStateRows({ total: 2, updated: 2, removed: 0 }),
      ...restart,
      addData(left, ...rows(22)),
      checkNewAnswer([22, 30, 44, 66]),
      assertNumStateRows({ total: 3, updated: 1 }),
      ...restart,
      addData(left, ...rows(1)),
      checkNewAnswer(),
      assertNumStateRows({ total: 3, updated: 0, droppedByWatermark: 1 }),
      addData(right, ...rows(5)),
      checkNewAnswer(),
      assertNumStateRows({ total: 3, updated: 0, droppedByWatermark: 1 }),
    ])
  })

  test('G12: full, rows that fail the condition of their own side', async () => {
    const onLeft = windowedJoinWith(engine(), 'full', 'leftValue > 4')
    await testStream(onLeft.joined, [
      multiAddData([onLeft.left, rows(1, 2, 3)], [onLeft.right, rows(3, 4, 5)]),
      checkNewAnswer([1, 10, 2, null, null, null], [2, 10, 4, null, null, null], [3, 10, 6, 3, 10, '9']),
      assertNumStateRows({ total: 4, updated: 4 }),
      multiAddData([onLeft.left, rows(20)], [onLeft.right, rows(21)]),
      checkNewAnswer([null, null, null, 4, 10, '12'], [null, null, null, 5, 10, '15']),
      assertNumStateRows({ total: 2, updated: 2 }),
      addData(onLeft.right, ...rows(20)),
      checkNewAnswer([20, 30, 40, 20, 30, '60']),
      assertNumStateRows({ total: 3, updated: 1 }),
    ])
    const onRight = windowedJoinWith(engine(), 'full', 'CAST(rightValue AS INT) > 7')
    await testStream(onRight.joined, [
      multiAddData([onRight.left, rows(3, 4, 5)], [onRight.right, rows(1, 2, 3)]),
      checkNewAnswer([null, null, null, 1, 10, '3'], [null, null, null, 2, 10, '6'], [3, 10, 6, 3, 10, '9']),
      assertNumStateRows({ total: 4, updated: 4 }),
      multiAddData([onRight.left, rows(20)], [onRight.right, rows(21)]),
      checkNewAnswer([4, 10, 8, null, null, null], [5, 10, 10, null, null, null]),
      assertNumStateRows({ total: 2, updated: 2 }),
    ])
  })

  test('G13: full, with a range of times', async () => {
    const { left, right, joined } = rangeJoin(engine(), 'full')
    await testStream(joined, [
      addData(left, ...at([1, 5], [3, 5])),
      checkNewAnswer(),
      addData(right, ...at([1, 10], [2, 5])),
      checkNewAnswer([1, 1, 5, 10]),
      addData(right, ...at([1, 9])),
      checkNewAnswer([1, 1, 5, 9]),
      assertNumStateRows({ total: 5, updated: 5 }),
      addData(left, ...at([1, 7], [1, 30])),
      checkNewAnswer([1, 1, 7, 9], [1, 1, 7, 10]),
      addData(right, ...at([0, 30])),
      checkNewAnswer([3, null, 5, null], [null, 2, null, 5]),
      assertNumStateRows({ total: 2, updated: 3 }),
    ])
  })

  test('SPARK-38684: rows that come and rows of their key that go in one batch', async () => {
    const fields = { at: t.timestamp(), id: t.string(), note: t.string() }
    const [left, right] = [new MemoryStream(engine(), fields), new MemoryStream(engine(), fields)]
    const row = (time: string, note: string) => [{ at: new Date(`2020-01-02T${time}Z`), id: 'abc', note }]
    const joined = left
      .toDF()
      .withWatermark('at', '0 seconds')
      .alias('l')
      .join(
        right.toDF().withWatermark('at', '0 seconds').alias('r'),
        () => expr('l.id = r.id AND l.at BETWEEN r.at - INTERVAL 30 SECONDS AND r.at + INTERVAL 30 SECONDS') as never,
        'left',
      )
      .selectExpr('l.note', 'r.note AS other')
    await testStream(joined, { options: { 'spark.sql.streaming.noDataMicroBatches.enabled': 'false' } }, [
      multiAddData([left, row('00:00:00', 'left 1')], [right, row('00:01:00', 'right 1')]),
      checkNewAnswer(),
      multiAddData([left, row('01:00:00', 'left 2')], [right, row('01:01:00', 'right 2')]),
      checkNewAnswer(),
      addData(left, ...row('01:30:00', 'left 3')),
      checkNewAnswer(['left 1', null]),
      addData(right, ...row('01:30:10', 'for left 3')),
      checkNewAnswer(['left 2', null], ['left 3', 'for left 3']),
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

test('I6: a left outer join below an aggregation over windows', async () => {
  const fields = { at: t.timestamp(), v: t.string() }
  const [left, right] = [new MemoryStream(engine(), fields), new MemoryStream(engine(), fields)]
  const row = (time: string, v: string) => ({ at: new Date(`2024-02-10T${time}Z`), v })
  // biome-ignore lint/suspicious/noExplicitAny: columns by text
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
