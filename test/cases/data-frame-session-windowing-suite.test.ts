// Spark's DataFrameSessionWindowingSuite: sessions of tables.
import { col, count, expr, session_window, sum, sum_distinct, t, udf } from 'millrace'
import { expect, test } from 'vitest'
import { typeText } from '../../src/data/types.ts'
import { differenceOfRows, type ExpectedRow } from '../../src/testing/compare-rows.ts'
import { useEngine } from './harness.ts'

const engine = useEngine()
type Untyped = any
const fields = { time: t.string().nullable(), value: t.int(), id: t.string() }
const table = (...rows: readonly (readonly [string | null, number, string])[]): Untyped =>
  engine().createDataFrame(
    rows.map(([time, value, id]) => ({ time: time && `2016-03-27 ${time}`, value, id })),
    fields,
  )
const day = (time: string) => `2016-03-27 ${time}`
const checkAnswer = async (frame: Untyped, ...expected: ExpectedRow[]) =>
  expect(differenceOfRows(await frame.collect(), expected)).toBeNull()
const tenSeconds = () => session_window(col('time'), '10 seconds')
const bounds = ['CAST(session_window.start AS STRING) AS s', 'CAST(session_window.end AS STRING) AS e']

test('simple session window with record at window start', async () => {
  const counts = table(['19:39:30', 1, 'a'])
    .groupBy(tenSeconds())
    .agg(count().as('counts'))
    .selectExpr(...bounds, 'counts')
  await checkAnswer(counts, [day('19:39:30'), day('19:39:40'), 1n])
})

test('session window groupBy statement', async () => {
  const rows = table(['19:39:34', 1, 'a'], ['19:39:56', 2, 'a'], ['19:39:27', 4, 'b'])
  await checkAnswer(rows.groupBy(tenSeconds()).agg(count().as('counts')).select('counts'), [2n], [1n])
})

const twoKeys = () => table(['19:39:34', 1, 'a'], ['19:39:39', 1, 'a'], ['19:39:56', 2, 'a'], ['19:40:04', 2, 'a'], ['19:39:27', 4, 'b'])
test('session window groupBy with multiple keys statement, with a distinct aggregate and with two', async () => {
  const sums = twoKeys()
    .groupBy(tenSeconds(), 'id')
    .agg(
      count().as('counts'),
      sum(col('value')).as('sum'),
      sum_distinct(col('value')).as('distinct'),
      expr('sum(DISTINCT value * 2)').as('two'),
    )
  await checkAnswer(
    sums.selectExpr(...bounds, 'id', 'counts', 'sum', 'distinct', 'two'),
    [day('19:39:27'), day('19:39:37'), 'b', 1n, 4n, 4n, 8n],
    [day('19:39:34'), day('19:39:49'), 'a', 2n, 2n, 1n, 2n],
    [day('19:39:56'), day('19:40:14'), 'a', 2n, 4n, 2n, 4n],
  )
})

test('session window groupBy with multiple keys statement - keys overlapped with sessions', async () => {
  const rows = table(['19:39:34', 1, 'a'], ['19:39:39', 1, 'b'], ['19:39:40', 2, 'a'], ['19:39:45', 2, 'b'], ['19:39:27', 4, 'b'])
  await checkAnswer(
    rows
      .groupBy(tenSeconds(), 'id')
      .agg(count().as('counts'), sum(col('value')).as('sum'))
      .selectExpr(...bounds, 'id', 'counts', 'sum'),
    [day('19:39:27'), day('19:39:37'), 'b', 1n, 4n],
    [day('19:39:34'), day('19:39:50'), 'a', 2n, 3n],
    [day('19:39:39'), day('19:39:55'), 'b', 2n, 3n],
  )
})

const three = () => table(['19:39:34', 1, '10 seconds'], ['19:39:56', 2, '20 seconds'], ['19:39:27', 4, '30 seconds'])
test('session window with multi-column projection, aliased, and combined with explode', async () => {
  await checkAnswer(
    three()
      .select(tenSeconds(), 'value')
      .selectExpr(...bounds, 'value'),
    [day('19:39:27'), day('19:39:37'), 4],
    [day('19:39:34'), day('19:39:44'), 1],
    [day('19:39:56'), day('19:40:06'), 2],
  )
  await checkAnswer(three().select(tenSeconds().as('w'), 'value').selectExpr('value'), [4], [1], [2])
  const exploded = three().select(tenSeconds(), 'value', expr("explode(split(id, ' '))"))
  await checkAnswer(exploded.select('value'), [1], [1], [2], [2], [4], [4])
})

test('null timestamps', async () => {
  const rows = table(['09:00:05', 1, ''], ['09:00:32', 2, ''], [null, 3, ''], [null, 4, ''])
  await checkAnswer(rows.select(tenSeconds(), 'value').select('value'), [1], [2])
})

test('multiple session windows in a single operator throws nice exception', () => {
  const two = () => three().select(tenSeconds(), session_window(col('time'), '15 seconds').as('other'))
  expect(two).toThrow(/MULTIPLE_TIME_WINDOWS/)
})

test('SPARK-36465: dynamic string expression, conditional expression and function as gap duration', async () => {
  const sessions = (gap: string) =>
    three()
      .select(expr(`session_window(time, ${gap})`), col('value'))
      .selectExpr(...bounds, 'value')
  await checkAnswer(
    sessions('id'),
    [day('19:39:27'), day('19:39:57'), 4],
    [day('19:39:34'), day('19:39:44'), 1],
    [day('19:39:56'), day('19:40:16'), 2],
  )
  await checkAnswer(
    sessions("case when value = 1 then '2 seconds' when value = 2 then '10 seconds' else '20 seconds' end"),
    [day('19:39:27'), day('19:39:47'), 4],
    [day('19:39:34'), day('19:39:36'), 1],
    [day('19:39:56'), day('19:40:06'), 2],
  )
  const gap = udf((value: number) => `${value * 10} seconds`, t.string()) as Untyped
  await checkAnswer(
    three()
      .select(session_window(col('time'), gap(col('value'))), col('value'))
      .selectExpr(...bounds, 'value'),
    [day('19:39:27'), day('19:40:07'), 4],
    [day('19:39:34'), day('19:39:44'), 1],
    [day('19:39:56'), day('19:40:16'), 2],
  )
})

test('SPARK-36465: filter out events with negative, zero and invalid gap duration; unsupported dynamic gap datatype', async () => {
  const gaps = "case value when 1 then '0 seconds' when 2 then '-10 seconds' else '5 seconds' end"
  const grouped = three()
    .select(expr(`session_window(time, ${gaps})`), col('value'))
    .groupBy('session_window')
    .agg(count().as('counts'))
  await checkAnswer(grouped.selectExpr(...bounds, 'counts'), [day('19:39:27'), day('19:39:32'), 1n])
  const invalid = "case when value = 1 then '2 seconds' when value = 2 then 'invalid gap duration' else '20 seconds' end"
  await checkAnswer(
    three()
      .select(expr(`session_window(time, ${invalid})`), col('value'))
      .selectExpr(...bounds, 'value'),
    [day('19:39:27'), day('19:39:47'), 4],
    [day('19:39:34'), day('19:39:36'), 1],
  )
  await checkAnswer(three().select(expr("session_window(time, replace(id, 'seconds', 'parsecs'))"), col('value')))
  expect(() => three().select(expr('session_window(time, 1.0)'), col('value'))).toThrow(/DATATYPE_MISMATCH/)
})

test('SPARK-36724: Support timestamp_ntz as a type of time column for SessionWindow', async () => {
  const rows = table(['19:39:30', 1, 'a'], ['19:39:25', 2, 'a']).selectExpr('CAST(time AS TIMESTAMP_NTZ) AS time', 'value')
  const grouped = rows.groupBy(tenSeconds()).agg(count().as('counts'))
  expect(typeText(grouped.schema.fields[0].type)).toBe('struct<start:timestamp_ntz,end:timestamp_ntz>')
  await checkAnswer(grouped.selectExpr(...bounds, 'counts'), [day('19:39:25'), day('19:39:40'), 2n])
})

test('SPARK-49836: a session of windows in SQL, grouped by the names of the functions', async () => {
  table(
    ...(['00:00:00', '00:00:30', '00:01:00', '00:01:30', '00:03:30', '00:11:00', '00:11:30', '00:11:45'] as const).map(
      (time) => [time, 1, time.startsWith('00:01') ? 'user2' : 'user1'] as const,
    ),
  ).createOrReplaceTempView('clicks')
  const perSession = engine().sql(`
    SELECT id, avg(large.n) AS perSession FROM (
      SELECT session_window(small, '5 minutes') AS session, id, sum(n) AS n FROM (
        SELECT window(time, '1 minute') AS small, id, count(*) AS n FROM clicks GROUP BY window, id
      ) GROUP BY session_window, id
    ) large GROUP BY id`)
  await checkAnswer(perSession, ['user1', 3], ['user2', 2])
  const starts = engine().sql(
    "SELECT CAST(window.start AS STRING) AS s, count(*) AS n FROM clicks GROUP BY window(time, '10 minutes'), window.end",
  )
  await checkAnswer(starts, [day('00:00:00'), 5n], [day('00:10:00'), 3n])
  expect(() => engine().sql('SELECT count(*) FROM clicks GROUP BY window')).toThrow(/UNRESOLVED_COLUMN/)
})
