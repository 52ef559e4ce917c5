// Watermarks in SQL text: EventTimeWatermarkWithWatermarkDefInSelectSuite of Spark 4.2.0.
import { MemoryStream, t } from 'millrace'
import { addData, assertNumStateRows, assertOnQuery, checkAnswer, checkNewAnswer, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { rows, seconds, useEngine } from './harness.ts'
import { at, pairStream } from './join-streams.ts'

const engine = useEngine()
type Untyped = any
const eventTime = (min: number, max: number, avg: number, watermark: number) =>
  assertOnQuery('event time', (query) => {
    const iso = (second: number) => new Date(second * 1000).toISOString()
    const last = query.recentProgress.filter(({ numInputRows }) => numInputRows > 0).at(-1)!
    expect(last.eventTime).toEqual({ min: iso(min), max: iso(max), avg: iso(avg), watermark: iso(watermark) })
  })

test.each([
  ['a column', 'value, timestamp_seconds(value) AS at', 'WATERMARK at DELAY OF INTERVAL 10 seconds'],
  ['an expression', 'value', 'WATERMARK timestamp_seconds(value) AS at DELAY OF INTERVAL 10 seconds'],
  [
    'an expression, without AS, and a name',
    'value',
    "watermark timestamp_seconds(value) at delay of INTERVAL '0 0:0:10' DAY TO SECOND src",
  ],
])('event time and watermark metrics with watermark in select statement: %s', async (_, columns, clause) => {
  const input = seconds(engine())
  input
    .toDF()
    .selectExpr(...columns.split(', '))
    .createOrReplaceTempView('src')
  const counted = engine().sql(
    `SELECT CAST(window.start AS long) s, count(*) AS n FROM src ${clause} GROUP BY window(at, '5 seconds')`,
  ) as Untyped
  await testStream(counted, [
    addData(input, ...rows(15)),
    checkAnswer(),
    eventTime(15, 15, 15, 0),
    addData(input, ...rows(10, 12, 14)),
    checkAnswer(),
    eventTime(10, 14, 12, 5),
    addData(input, ...rows(25)),
    checkAnswer([10n, 3n]),
    eventTime(25, 25, 25, 5),
  ])
})

const times = 'leftTime BETWEEN rightTime - INTERVAL 5 SECONDS AND rightTime + INTERVAL 5 SECONDS'
const zero = 'DELAY OF INTERVAL 0 seconds'
test.each([
  ['timestamp_seconds(at) AS', `l WATERMARK leftTime ${zero}`, `r WATERMARK rightTime ${zero}`],
  [
    'at AS',
    `(SELECT k AS leftKey, t AS leftTime FROM (SELECT leftKey k, leftTime FROM l) WATERMARK timestamp_seconds(leftTime) AS t ${zero})`,
    `(SELECT rightKey, t AS rightTime FROM r WATERMARK timestamp_seconds(rightTime) AS t ${zero})`,
  ],
])('stream-stream join with watermark in select statement: %s', async (column, l, r) => {
  const [left, right] = [pairStream(engine()), pairStream(engine())]
  left.toDF().selectExpr('k AS leftKey', `${column} leftTime`).createOrReplaceTempView('l')
  right.toDF().selectExpr('k AS rightKey', `${column} rightTime`).createOrReplaceTempView('r')
  const select = 'SELECT leftKey, rightKey, CAST(leftTime AS long) lt, CAST(rightTime AS long) rt'
  const joined = engine().sql(`${select} FROM ${l} FULL OUTER JOIN ${r} ON leftKey = rightKey AND ${times}`) as Untyped
  await testStream(joined, [
    addData(left, ...at([1, 5], [3, 5])),
    checkNewAnswer(),
    assertNumStateRows({ total: 2, updated: 2 }),
    addData(right, ...at([1, 10], [2, 5])),
    checkNewAnswer([1, 1, 5n, 10n]),
    assertNumStateRows({ total: 4, updated: 2 }),
    addData(right, ...at([1, 9])),
    checkNewAnswer([1, 1, 5n, 9n]),
    assertNumStateRows({ total: 5, updated: 1 }),
    addData(left, ...at([1, 7], [1, 30])),
    checkNewAnswer([1, 1, 7n, 9n], [1, 1, 7n, 10n]),
    assertNumStateRows({ total: 7, updated: 2 }),
    addData(right, ...at([0, 30])),
    checkNewAnswer([3, null, 5n, null], [null, 2, null, 5n]),
    assertNumStateRows({ total: 2, updated: 1 }),
  ])
})

test('stream-batch join followed by time window aggregation; the relation keeps its name', async () => {
  const input = seconds(engine())
  input.toDF().selectExpr('value', 'timestamp_seconds(value) AS at').createOrReplaceTempView('src')
  engine().range(0, 50).selectExpr('id AS value', "if(id % 2 = 0, 'even', 'odd') AS parity").createOrReplaceTempView('parities')
  const counted = engine().sql(
    `SELECT CAST(window.start AS long) s, parity, count(*) AS n FROM src WATERMARK at DELAY OF INTERVAL 10 seconds
     JOIN parities ON src.value = parities.value GROUP BY parities.parity, window(at, '5 seconds')`,
  ) as Untyped
  await testStream(counted, [
    addData(input, ...rows(15)),
    addData(input, ...rows(10, 11, 14)),
    checkAnswer(),
    addData(input, ...rows(25)),
    checkAnswer([10n, 'even', 2n], [10n, 'odd', 1n]),
  ])
})

describe('the word', () => {
  const read = (from: string) => {
    new MemoryStream(engine(), { value: t.int(), at: t.timestamp() }).toDF().createOrReplaceTempView('src')
    return engine().sql(`SELECT * FROM ${from}`) as Untyped
  }
  test.each(['src watermark', 'src AS watermark', 'src watermark (a, b)', '(SELECT 1) watermark CROSS JOIN src'])(
    'is a name in %s',
    (from) => expect(read(from).schema.fields.every(({ watermarkDelayMs }: Untyped) => watermarkDelayMs === undefined)).toBe(true),
  )
  test.each([
    ['src WATERMARK at DELAY OF INTERVAL -1 day', 'NEGATIVE_WATERMARK_DELAY'],
    ['src WATERMARK value DELAY OF INTERVAL 1 day', 'EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE'],
    ['src WATERMARK gone DELAY OF INTERVAL 1 day', 'UNRESOLVED_COLUMN.WITH_SUGGESTION'],
    ["src WATERMARK at DELAY OF '1 day'", 'PARSE_SYNTAX_ERROR'],
    ['src WATERMARK at DELAY INTERVAL 1 day', 'PARSE_SYNTAX_ERROR'],
  ])('%s is refused', (from, code) => expect(() => read(from)).toThrow(expect.objectContaining({ code })))
})
