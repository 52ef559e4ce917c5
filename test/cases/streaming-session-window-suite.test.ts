// Spark's StreamingSessionWindowSuite: lines of words with a second, a session a word, a watermark of 30 seconds, a gap of 10.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { col, count, type Engine, expr, InvalidQueryError, MemoryStream, session_window, t, udf } from 'millrace'
import {
  addData,
  assertNumStateRows,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  type StreamAction,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { seconds, useEngine } from './harness.ts'

const told: string[] = []
const engine = useEngine({ print: (line) => told.push(line) })

/** DataFrames made from SQL texts, whose columns the compiler does not know. */
type Untyped = any

const lines = (input: Engine) => new MemoryStream(input, { line: t.string(), second: t.long() })
const add = (input: ReturnType<typeof lines>, ...rows: readonly (readonly [string, number])[]) =>
  addData(input, ...rows.map(([line, second]) => ({ line, second: BigInt(second) })))
const words = (input: ReturnType<typeof lines>): Untyped =>
  (input.toDF().selectExpr('line', 'timestamp_seconds(second) AS eventTime') as Untyped)
    .withWatermark('eventTime', '30 seconds')
    .selectExpr("explode(split(line, ' ')) AS sessionId", 'eventTime')
const tenSeconds = () => session_window(col('eventTime'), '10 seconds')
const shown = [
  'CAST(session.start AS LONG) AS s',
  'CAST(session.end AS LONG) AS e',
  'CAST(session.end AS LONG) - CAST(session.start AS LONG) AS duration',
  'n',
]

function sessionsOfWords(input: ReturnType<typeof lines>, session: Untyped = tenSeconds()): Untyped {
  return words(input)
    .groupBy(session.as('session'), col('sessionId'))
    .agg(count().as('n'))
    .selectExpr('sessionId', ...shown)
}
const row = (id: unknown, start: number, end: number, n: number) => [id, BigInt(start), BigInt(end), BigInt(end - start), BigInt(n)]
const nested = (word: string) => ({ '0': { '0': word, '1': word }, '1': word })

const s1 = [
  ['hello world spark streaming', 40],
  ['world hello structured streaming', 41],
] as const
const s2 = ['spark streaming', 25] as const
const s3 = ['spark streaming', 0] as const
const s4 = ['spark streaming', 30] as const
const s5 = ['hello apache spark', 60] as const
const s6 = ['structured streaming', 90] as const

/** Rows dropped in the last batch that had input. */
const dropped = (expected: number): StreamAction => ({
  name: 'rows dropped by watermark',
  async run(running) {
    await running.settle()
    const progress = running.progresses.filter((each) => each.numInputRows > 0).at(-1)
    expect(progress?.stateOperators[0]?.numRowsDroppedByWatermark).toBe(expected)
  },
})

/** The steps of the suite's complete mode, whatever a word has become. */
async function completeMode(query: (input: ReturnType<typeof lines>) => Untyped, id: (word: string) => unknown) {
  const input = lines(engine())
  const of = (word: string, start: number, end: number, n: number) => row(id(word), start, end, n)
  const first = [of('hello', 40, 51, 2), of('world', 40, 51, 2)]
  const structured = of('structured', 41, 51, 1)
  const early = [of('streaming', 40, 51, 2), of('spark', 40, 50, 1)]
  const bridged = [of('spark', 25, 50, 3), of('streaming', 25, 51, 4)]
  const sixty = [of('hello', 60, 70, 1), of('apache', 60, 70, 1), of('spark', 60, 70, 1)]
  const ninety = [of('structured', 90, 100, 1), of('streaming', 90, 100, 1)]
  await testStream(query(input), { outputMode: 'complete' }, [
    add(input, ...s1),
    checkLastBatch(...first, ...early, structured),
    add(input, s2),
    checkLastBatch(of('spark', 25, 35, 1), of('streaming', 25, 35, 1), ...first, ...early, structured),
    add(input, s4),
    checkLastBatch(...bridged, ...first, structured),
    stopStream(),
    startStream(),
    add(input, s5),
    checkLastBatch(...bridged, ...first, structured, ...sixty),
    add(input, s6),
    checkLastBatch(...bridged, ...first, structured, ...sixty, ...ninety),
  ])
}

test('C1: complete mode - session window', () => completeMode(sessionsOfWords, (word) => word))

/** A word as a nested struct. */
const tripleKey = (input: ReturnType<typeof lines>, session: Untyped = tenSeconds(), also: readonly string[] = []): Untyped =>
  words(input)
    .selectExpr("named_struct('0', named_struct('0', sessionId, '1', sessionId), '1', sessionId) AS sessionId", 'eventTime', ...also)
    .groupBy(session.as('session'), col('sessionId'))
    .agg(count().as('n'))
    .selectExpr('sessionId', ...shown)
test('complete mode - session window - nested tuple key', () => completeMode(tripleKey, nested))

test('complete mode - session window - multiple col key', async () => {
  const query = (input: ReturnType<typeof lines>): Untyped =>
    words(input)
      .selectExpr("named_struct('0', sessionId, '1', sessionId) AS aggKeyDouble", 'sessionId AS aggKeySingle', 'eventTime')
      .groupBy(tenSeconds().as('session'), col('aggKeyDouble'), col('aggKeySingle'))
      .agg(count().as('n'))
      .selectExpr("named_struct('0', aggKeyDouble, '1', aggKeySingle) AS id", ...shown)
  await completeMode(query, nested)
})

const globalSessions = (input: ReturnType<typeof seconds>): Untyped =>
  (input.toDF().selectExpr('*', 'timestamp_seconds(value) AS eventTime') as Untyped)
    .withWatermark('eventTime', '10 seconds')
    .groupBy(session_window(col('eventTime'), '5 seconds').as('session'))
    .agg(count().as('count'))
test.each(['complete', 'append'] as const)('C5: %s mode - session window - no key', async (mode) => {
  const refused = globalSessions(seconds(engine())).writeStream.outputMode(mode).format('noop').start()
  await expect(refused).rejects.toThrow(/Global aggregation with session window .* not supported/)
})
test('C4: update mode - session window, with a key and without', async () => {
  for (const query of [sessionsOfWords(lines(engine())), globalSessions(seconds(engine()))]) {
    const refused = query.writeStream.outputMode('update').format('noop').start()
    await expect(refused).rejects.toMatchObject({ code: 'STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION' })
    await expect(refused).rejects.toThrow(/Update.* for session window/)
  }
})

test('append mode - session window', async () => {
  const input = lines(engine())
  await testStream(sessionsOfWords(input), [
    add(input, ...s1),
    checkNewAnswer(),
    add(input, s2),
    checkNewAnswer(),
    add(input, s3),
    checkNewAnswer(),
    dropped(2),
    add(input, s4),
    checkNewAnswer(),
    stopStream(),
    startStream(),
    add(input, s5),
    checkNewAnswer(),
    add(input, s6),
    checkNewAnswer(
      row('spark', 25, 50, 3),
      row('streaming', 25, 51, 4),
      row('hello', 40, 51, 2),
      row('world', 40, 51, 2),
      row('structured', 41, 51, 1),
    ),
    assertNumStateRows({ total: 5 }),
  ])
})

const dynamicSteps = (input: ReturnType<typeof lines>, id: (word: string) => unknown) => [
  add(input, ...s1),
  checkNewAnswer(),
  add(input, s2),
  checkNewAnswer(),
  add(input, s3),
  checkNewAnswer(),
  dropped(2),
  add(input, s4),
  checkNewAnswer(),
  add(input, s5),
  checkNewAnswer(),
  add(input, s6),
  checkNewAnswer(row(id('spark'), 25, 50, 3), row(id('streaming'), 25, 51, 4), row(id('hello'), 40, 42, 2)),
]
const gaps = new Map([
  ['hello', '1 second'],
  ['structured', '0 second'],
  ['world', '-10 seconds'],
])
test('SPARK-36465: dynamic gap duration, by a function of the program', async () => {
  const gap = udf((word: string) => gaps.get(word) ?? '10 seconds', t.string()) as Untyped
  const input = lines(engine())
  await testStream(
    sessionsOfWords(input, session_window(col('eventTime'), gap(col('sessionId')))),
    dynamicSteps(input, (word) => word),
  )
})
test('SPARK-36465: dynamic gap duration, by CASE, by text and by an interval; nested tuple key', async () => {
  const byCase =
    "CASE sessionId WHEN 'hello' THEN '1 second' WHEN 'structured' THEN '0 second' WHEN 'world' THEN '-10 seconds' ELSE '10 seconds' END"
  const byText = "concat(CASE sessionId WHEN 'hello' THEN 1 WHEN 'structured' THEN 0 WHEN 'world' THEN -10 ELSE 10 END, ' seconds')"
  const byInterval =
    "make_dt_interval(0, 0, 0, CASE sessionId WHEN 'hello' THEN 1 WHEN 'structured' THEN 0 WHEN 'world' THEN NULL ELSE 10 END)"
  for (const gap of [byCase, byText, byInterval]) {
    const input = lines(engine())
    await testStream(
      sessionsOfWords(input, expr(`session_window(eventTime, ${gap})`)),
      dynamicSteps(input, (word) => word),
    )
  }
  const input = lines(engine())
  const text = byCase.replace('sessionId', 'sessionId.`1`')
  await testStream(tripleKey(input, expr(`session_window(eventTime, ${text})`)), dynamicSteps(input, nested))
})

test('session window with first/last function, and more aggregation functions', async () => {
  const input = lines(engine())
  const texts = {
    firstTime: 'first(single)',
    lastTime: 'last(single)',
    minTime: 'min_by(single, eventTime)',
    maxTime: 'max_by(single, eventTime)',
    meanTime: 'mean(single)',
    medianTime: 'median(single)',
    stdDevTime: 'stddev(single)',
    varTime: 'variance(single)',
    all: 'array_sort(collect_list(single))',
    set: 'array_sort(collect_set(single))',
    about: 'approx_count_distinct(single)',
    third: 'percentile_approx(single, 0.5)',
    skew: 'skewness(single)',
    corr: 'corr(single, single)',
    bits: 'bit_or(single)',
  }
  const query = (input.toDF().selectExpr('line AS sessionId', 'second AS single', 'timestamp_seconds(second) AS eventTime') as Untyped)
    .withWatermark('eventTime', '30 seconds')
    .groupBy(tenSeconds().as('session'), col('sessionId'))
    .agg(...Object.entries(texts).map(([name, text]) => expr(text).as(name)))
    .selectExpr('CAST(session.start AS LONG)', 'CAST(session.end AS LONG)', ...Object.keys(texts))
  await testStream(query, [
    add(input, ['a', 41]),
    checkAnswer(),
    add(input, ['a', 42]),
    checkAnswer(),
    stopStream(),
    startStream(),
    add(input, ['a', 40]),
    checkAnswer(),
    add(input, ['b', 100]),
    add(input, ['b', 101]),
    // pieces and stored sessions are folded in the order of their times
    checkAnswer([40n, 52n, 40n, 42n, 40n, 42n, 41, 41, 1, 1, [40n, 41n, 42n], [40n, 41n, 42n], 3n, 41n, 0, 1, 43n]),
  ])
})

// ---- what Spark was seen to do (no suite has it)

test('a session is late by its own end, before it is merged; at the watermark it is late', async () => {
  const input = lines(engine())
  await testStream(sessionsOfWords(input), [
    add(input, ['a', 20], ['b', 51]),
    checkNewAnswer(),
    // the watermark is 21
    add(input, ['a', 11]),
    checkNewAnswer(),
    dropped(1),
    add(input, ['a', 12]),
    checkNewAnswer(),
    dropped(0),
    add(input, ['c', 70]),
    checkNewAnswer(row('a', 12, 30, 2)),
  ])
})

test('complete mode drops late rows, and gives no session out of hand', async () => {
  const input = lines(engine())
  await testStream(sessionsOfWords(input), { outputMode: 'complete' }, [
    add(input, ['a', 40], ['b', 81]),
    checkLastBatch(row('a', 40, 50, 1), row('b', 81, 91, 1)),
    // no batch without data follows: this one's rows are judged by the watermark before, 0
    add(input, ['d', 30]),
    checkLastBatch(row('a', 40, 50, 1), row('b', 81, 91, 1), row('d', 30, 40, 1)),
    add(input, ['c', 41]),
    checkLastBatch(row('a', 40, 50, 1), row('b', 81, 91, 1), row('d', 30, 40, 1)),
    dropped(1),
    add(input, ['c', 42]),
    checkLastBatch(row('a', 40, 50, 1), row('b', 81, 91, 1), row('c', 42, 52, 1), row('d', 30, 40, 1)),
  ])
})

test('all sessions of a key count as updated; one that another takes in at its front counts as removed', async () => {
  const input = lines(engine())
  await testStream(sessionsOfWords(input), [
    add(input, ['a', 40]),
    assertNumStateRows({ total: 1, updated: 1, droppedByWatermark: 0, removed: 0 }),
    add(input, ['a', 60]),
    assertNumStateRows({ total: 2, updated: 2, droppedByWatermark: 0, removed: 0 }),
    add(input, ['a', 35]),
    assertNumStateRows({ total: 2, updated: 2, droppedByWatermark: 0, removed: 1 }),
    add(input, ['a', 50]),
    assertNumStateRows({ total: 1, updated: 1, droppedByWatermark: 0, removed: 1 }),
    add(input, ['b', 100], ['b', 100]),
    checkNewAnswer(row('a', 35, 70, 4)),
    assertNumStateRows({ total: 1, updated: 1, droppedByWatermark: 0, removed: 1 }),
  ])
})

test('a row without a time is in no session; times before 1970', async () => {
  const input = new MemoryStream(engine(), { k: t.string(), second: t.long().nullable() })
  const query = (input.toDF().selectExpr('k', 'timestamp_seconds(second) AS at') as Untyped)
    .groupBy(session_window(col('at'), '10 seconds').as('session'), col('k'))
    .agg(count().as('n'))
    .selectExpr('k', ...shown)
  await testStream(query, { outputMode: 'complete' }, [
    addData(input, { k: 'a', second: null }, { k: 'a', second: -9n }, { k: 'a', second: 9n }),
    checkLastBatch(row('a', -9, 1, 1), row('a', 9, 19, 1)),
    addData(input, { k: 'a', second: 0n }, { k: 'a', second: null }),
    checkLastBatch(row('a', -9, 19, 3)),
  ])
})

test('a column of sessions groups as the function does; a plain select has each row’s own', async () => {
  const input = lines(engine())
  const withColumn = words(input).withColumn('session', tenSeconds())
  await testStream(withColumn.selectExpr('sessionId', 'CAST(session.end - session.start AS STRING) AS d'), [
    add(input, ['a', 40]),
    checkAnswer(['a', "INTERVAL '0 00:00:10' DAY TO SECOND"]),
  ])
  const again = lines(engine())
  const grouped = words(again)
    .withColumn('session', tenSeconds())
    .select('sessionId', col('session').as('session'))
    .groupBy('session', 'sessionId')
    .agg(count().as('n'))
    .selectExpr('sessionId', ...shown)
  await testStream(grouped, [
    add(again, ['a', 40], ['a', 45]),
    add(again, ['a', 55]),
    add(again, ['b', 100]),
    checkAnswer(row('a', 40, 65, 3)),
  ])
})

test('window_time of a session, and windows over sessions', async () => {
  const input = lines(engine())
  const sessions = words(input).groupBy(tenSeconds().as('session'), col('sessionId')).agg(count().as('n'))
  const perMinute = sessions
    .groupBy(expr("window(session, '1 minute')").as('minute'))
    .agg(expr('count(*)').as('sessions'), expr('sum(n)').as('events'), expr('max(window_time(session))').as('last'))
    .selectExpr('CAST(minute.start AS LONG) AS s', 'sessions', 'events', 'CAST(last AS STRING) AS last')
  await testStream(perMinute, [
    add(input, ['a', 5], ['a', 8], ['b', 20], ['a', 49]),
    add(input, ['c', 155]),
    // a, b, and a again, whose session ends at 59: all in the first minute
    checkAnswer([0n, 3n, 4n, '1970-01-01 00:00:58.999999']),
  ])
})

test('what session_window refuses', () => {
  const frame = engine().createDataFrame([{ k: 'a', at: new Date(0), n: 1 }], { k: t.string(), at: t.timestamp(), n: t.int() }) as Untyped
  const group =
    (text: string, ...more: string[]) =>
    () =>
      frame.groupBy(expr(text), ...more.map((each) => expr(each))).agg(count().as('c'))
  expect(group("session_window(at, '1 month')")).toThrow(/UNSUPPORTED_MONTH_INTERVAL/)
  expect(group("session_window(at, 'soon')")).toThrow(/CANNOT_PARSE_INTERVAL/)
  expect(group('session_window(at)')).toThrow(/WRONG_NUM_ARGS/)
  expect(group('session_window(at, n)')).toThrow(/DATATYPE_MISMATCH/)
  expect(group("session_window(n, '1 second')")).toThrow(/DATATYPE_MISMATCH/)
  expect(group("session_window(at, '1 second')", "window(at, '1 second')")).toThrow(/MULTIPLE_TIME_WINDOWS/)
  expect(() => frame.rollup(expr("session_window(at, '1 second')"), 'k').agg(count().as('c'))).toThrow(InvalidQueryError)
})

test('a restart with another gap is told: stored sessions keep the ends that they have', async () => {
  const checkpoint = await mkdtemp(join(tmpdir(), 'millrace-gap-'))
  told.length = 0
  const input = lines(engine())
  const start = (gap: string) =>
    sessionsOfWords(input, session_window(col('eventTime'), gap))
      .writeStream.format('noop')
      .option('checkpointLocation', checkpoint)
      .start()
  const query = await start('10 seconds')
  input.addData({ line: 'a', second: 40n })
  await query.processAllAvailable()
  await query.stop()
  await (await start('20 seconds')).stop()
  expect(told.join('\n')).toMatch(/session_window\(eventTime, 10 seconds\).*session_window\(eventTime, 20 seconds\)/)
  await rm(checkpoint, { recursive: true, force: true })
})
