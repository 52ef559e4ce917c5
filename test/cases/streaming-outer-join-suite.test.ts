// Cases G: outer joins in StreamingJoinSuite of Spark 4.2.0.
import { expr, MemoryStream, t } from 'millrace'
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
import { describe, expect, test } from 'vitest'
import { rows, useEngine } from './harness.ts'
import { at, rangeJoin, selfJoin, windowedJoin, windowedJoinWith } from './join-streams.ts'

const engine = useEngine()
type Untyped = any
const restart = [stopStream(), startStream()]

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

test('a comparison with a constant bounds a side, as in the static comparisons of StreamingJoinHelperSuite', async () => {
  const joined = (how: 'left' | 'right' | 'full' | 'semi', condition: string) => {
    const left = new MemoryStream(engine(), { lk: t.int(), lt: t.int() })
    const right = new MemoryStream(engine(), { rk: t.int(), rt: t.int() })
    const timed = (input: Untyped, name: string) =>
      input.withColumn(name, expr(`timestamp_seconds(${name})`)).withWatermark(name, '10 seconds')
    const columns = how === 'semi' ? ['lk', 'CAST(lt AS LONG) lt'] : ['lk', 'CAST(lt AS LONG) lt', 'rk', 'CAST(rt AS LONG) rt']
    return {
      left,
      right,
      frame: timed(left.toDF(), 'lt')
        .join(timed(right.toDF(), 'rt'), () => expr(`lk = rk AND ${condition}`), how)
        .selectExpr(...columns),
    }
  }
  const unmatched = { left: [[1, 10n, null, null]], full: [[1, 10n, null, null]], semi: [] }
  for (const how of ['left', 'full', 'semi'] as const) {
    const { left, right, frame } = joined(how, 'CAST(lt AS LONG) > 50')
    const width = how === 'semi' ? 2 : 4
    const pairs = how === 'semi' ? [[1, 60n, 1, 12n]] : [[1, 60n, 1, 12n], [1, 60n, 1, 40n]] // biome-ignore format: pairs
    await testStream(frame, [
      multiAddData([left, [{ lk: 1, lt: 10 }, { lk: 1, lt: 60 }]], [right, [{ rk: 1, rt: 12 }, { rk: 1, rt: 40 }]]), // biome-ignore format: rows
      checkNewAnswer(...unmatched[how], ...pairs.map((row) => row.slice(0, width))),
      multiAddData([left, [{ lk: 2, lt: 100 }]], [right, [{ rk: 3, rt: 100 }]]),
      checkNewAnswer(),
    ])
  }
  for (const [how, condition] of [
    ['right', 'CAST(lt AS LONG) > 50'],
    ['left', 'CAST(lt AS LONG) < 50'],
    ['left', 'CAST(rt AS LONG) > 50'],
    ['left', "lt > TIMESTAMP '1970-01-01 00:00:50'"],
  ] as const)
    await expect(testStream(joined(how, condition).frame, []), `${how} ${condition}`).rejects.toMatchObject({
      code: 'UNSUPPORTED_STREAMING_OPERATION',
    })
})
