// What DataFrameTimeWindowingSuite of Spark 4.2.0 expects, over timestamps and timestamps without a zone.
import { avg, col, count, MemoryStream, sum, t, window, window_time } from 'millrace'
import { addData, checkNewAnswer, testStream } from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()
const types = ['timestamp', 'timestamp_ntz'] as const
type Item = readonly [time: string | null, value: number, id?: string]
/** The rows of the suite: time, value, id. */
function table(type: (typeof types)[number], items: readonly Item[]) {
  const utc = (time: string) => `${time.replace(' ', 'T')}${type === 'timestamp' ? 'Z' : ''}`
  const rows = items.map(([time, value, id = 'a']) => ({ time: time === null ? null : utc(time), value, id }))
  const text = engine().createDataFrame(rows, { time: t.string().nullable(), value: t.int(), id: t.string() })
  return text.withColumn('time', ({ time }) => time.cast('timestamp').cast(type) as never) as unknown as ReturnType<typeof typed>
}
const typed = () => engine().createDataFrame([], { time: t.timestamp().nullable(), value: t.int(), id: t.string() })
const three: Item[] = [
  ['2016-03-27 19:39:34', 1, 'a'],
  ['2016-03-27 19:39:56', 2, 'a'],
  ['2016-03-27 19:39:27', 4, 'b'],
]
const cells = (found: readonly object[]) =>
  found.map((row) => Object.values(row).map((cell) => (typeof cell === 'bigint' ? Number(cell) : cell)))

for (const type of types) {
  test(`simple tumbling window with record at window start (${type})`, async () => {
    const counted = table(type, [['2016-03-27 19:39:30', 1]])
      .groupBy(({ time }) => ({ window: window(time, '10 seconds') }))
      .agg(() => ({ counts: count() }))
    const found = await counted
      .select(({ window, counts }) => ({ start: window.start.cast('string'), end: window.end.cast('string'), counts }))
      .collect()
    expect(cells(found)).toEqual([['2016-03-27 19:39:30', '2016-03-27 19:39:40', 1]])
  })

  test(`SPARK-21590: tumbling window using negative start time (${type})`, async () => {
    const counted = table(type, [
      ['2016-03-27 19:39:30', 1],
      ['2016-03-27 19:39:25', 2],
    ])
      .groupBy(({ time }) => ({ window: window(time, '10 seconds', '10 seconds', '-5 seconds') }))
      .agg(() => ({ counts: count() }))
    expect(counted.schema.fields[0]!.type).toMatchObject({
      fields: [
        { name: 'start', type },
        { name: 'end', type },
      ],
    })
    const found = await counted
      .select(({ window, counts }) => ({ start: window.start.cast('string'), end: window.end.cast('string'), counts }))
      .collect()
    expect(cells(found)).toEqual([['2016-03-27 19:39:25', '2016-03-27 19:39:35', 2]])
  })

  test(`tumbling window groupBy statement with startTime, positive and negative (${type})`, async () => {
    for (const start of ['5 seconds', '-5 seconds', '0 seconds']) {
      const counted = table(type, three)
        .groupBy(({ time, id }) => ({ window: window(time, '10 seconds', '10 seconds', start), id }))
        .agg(() => ({ counts: count() }))
      expect(cells(await counted.select('counts').collect()), start).toEqual([[1], [1], [1]])
    }
  })

  test(`tumbling window with multi-column projection (${type})`, async () => {
    const found = await table(type, three)
      .select(({ time, value }) => ({ window: window(time, '10 seconds'), value }))
      .orderBy(({ window }) => window.start)
      .select(({ window, value }) => ({ start: window.start.cast('string'), end: window.end.cast('string'), value }))
      .collect()
    expect(cells(found)).toEqual([
      ['2016-03-27 19:39:20', '2016-03-27 19:39:30', 4],
      ['2016-03-27 19:39:30', '2016-03-27 19:39:40', 1],
      ['2016-03-27 19:39:50', '2016-03-27 19:40:00', 2],
    ])
  })

  test(`sliding window grouping and projection (${type})`, async () => {
    const expected = [
      ['18', '28', 1],
      ['21', '31', 1],
      ['24', '34', 1],
      ['27', '37', 2],
      ['30', '40', 1],
      ['33', '43', 1],
      ['48', '58', 1],
      ['51', '01', 1],
      ['54', '04', 1],
    ].map(([start, end, counts]) => [
      `2016-03-27 19:39:${start}`,
      `2016-03-27 19:${String(end).startsWith('0') ? '40' : '39'}:${end}`,
      counts,
    ])
    const counted = table(type, three)
      .groupBy(({ time }) => ({ window: window(time, '10 seconds', '3 seconds', '0 second') }))
      .agg(() => ({ counts: count() }))
    const found = await counted
      .orderBy(({ window }) => window.start)
      .select(({ window, counts }) => ({ start: window.start.cast('string'), end: window.end.cast('string'), counts }))
      .collect()
    expect(cells(found)).toEqual(expected)
    const projected = await table(type, three)
      .select(({ time, value }) => ({ window: window(time, '10 seconds', '3 seconds', '0 second'), value }))
      .orderBy(
        ({ window }) => window.start,
        ({ value }) => value.desc(),
      )
      .select('value')
      .collect()
    expect(cells(projected).flat()).toEqual([4, 4, 4, 4, 1, 1, 1, 2, 2, 2])
  })

  test(`a duration that is a multiple of the slide (${type})`, async () => {
    for (const start of ['0 second', '-2 second', '2 second']) {
      const found = await table(type, three)
        .select(({ time, value }) => ({ window: window(time, '9 seconds', '3 seconds', start), value }))
        .groupBy('value')
        .agg(() => ({ n: count() }))
        .orderBy('value')
        .collect()
      expect(cells(found), start).toEqual([
        [1, 3],
        [2, 3],
        [4, 3],
      ])
    }
  })

  test(`null timestamps are dropped (${type})`, async () => {
    const rows = table(type, [
      ['2016-03-27 09:00:05', 1],
      ['2016-03-27 09:00:32', 2],
      [null, 3],
      [null, 4],
    ])
    expect(
      cells(
        await rows
          .select(({ time, value }) => ({ window: window(time, '10 seconds'), value }))
          .orderBy('value')
          .select('value')
          .collect(),
      ),
    ).toEqual([[1], [2]])
  })

  test(`time window joins (${type})`, async () => {
    const left = table(type, [
      ['2016-03-27 09:00:05', 1],
      ['2016-03-27 09:00:32', 2],
      [null, 3],
      [null, 4],
    ]).select(({ time, value }) => ({ window: window(time, '10 seconds'), value }))
    const right = table(type, [
      ['2016-03-27 09:00:02', 3],
      ['2016-03-27 09:00:35', 6],
    ]).select(({ time, value }) => ({ window: window(time, '10 seconds'), other: value }))
    const total = left
      .join(right, 'window')
      .groupBy('window')
      .agg(({ value, other }) => ({ a: sum(value), b: sum(other) }))
    expect(
      cells(
        await total
          .orderBy('a')
          .select(({ a, b }) => ({ total: a.add(b) }))
          .collect(),
      ),
    ).toEqual([[4], [8]])
  })

  test(`negative timestamps (${type})`, async () => {
    for (const day of ['1970-01-01', '1969-12-31', '1968-12-31']) {
      const before = new Date(Date.parse(`${day}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10)
      const found = await table(type, [
        [`${day} 00:00:02`, 1],
        [`${day} 00:00:12`, 2],
      ])
        .select(({ time, value }) => ({ window: window(time, '10 seconds', '10 seconds', '5 seconds'), value }))
        .orderBy('value')
        .select(({ window, value }) => ({ start: window.start.cast('string'), end: window.end.cast('string'), value }))
        .collect()
      expect(cells(found)).toEqual([
        [`${before} 23:59:55`, `${day} 00:00:05`, 1],
        [`${day} 00:00:05`, `${day} 00:00:15`, 2],
      ])
    }
  })

  test(`multiple time windows in a single operator (${type})`, () => {
    expect(() => table(type, three).select(({ time }) => ({ a: window(time, '10 second'), b: window(time, '15 second') }))).toThrow(
      /several time windows/,
    )
    // the same window twice is one
    expect(table(type, three).select(({ time }) => ({ a: window(time, '10 second'), b: window(time, '10 second') })).columns).toEqual([
      'a',
      'b',
    ])
  })

  test(`millisecond precision sliding windows (${type})`, async () => {
    const rows = table(type, [
      ['2016-03-27 09:00:00.41', 3],
      ['2016-03-27 09:00:00.62', 6],
      ['2016-03-27 09:00:00.715', 8],
    ])
    const counted = rows
      .groupBy(({ time }) => ({ window: window(time, '200 milliseconds', '40 milliseconds', '0 milliseconds') }))
      .agg(() => ({ counts: count() }))
    const found = await counted
      .orderBy(({ window }) => window.start)
      .select(({ window, counts }) => ({ start: window.start.cast('string'), end: window.end.cast('string'), counts }))
      .collect()
    const at = (hundredths: number) => `2016-03-27 09:00:00.${String(hundredths).replace(/0$/, '')}`
    expect(cells(found)).toEqual(
      [24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64, 68].map((start) => [at(start), at(start + 20), [52, 56, 60].includes(start) ? 2 : 1]),
    )
  })

  test(`window_time function on raw window column, on two of them, and on agg output (${type})`, async () => {
    const rows = table(type, [
      ['2016-03-27 19:38:18', 1],
      ['2016-03-27 19:39:25', 2],
    ])
    const raw = rows
      .select(({ time }) => ({ window: window(time, '10 seconds') }))
      .select(({ window }) => ({ end: window.end.cast('string'), time: window_time(window as never).cast('string') }))
    const expected = [
      ['2016-03-27 19:38:20', '2016-03-27 19:38:19.999999'],
      ['2016-03-27 19:39:30', '2016-03-27 19:39:29.999999'],
    ]
    expect(cells(await raw.orderBy('end').collect())).toEqual(expected)
    const counted = rows.groupBy(({ time }) => ({ window: window(time, '10 seconds') })).agg(() => ({ counts: count() }))
    const found = await counted
      .select(({ window, counts }) => ({ end: window.end.cast('string'), time: window_time(window as never).cast('string'), counts }))
      .orderBy('end')
      .collect()
    expect(cells(found)).toEqual(expected.map((row) => [...row, 1]))
    expect(counted.select(window_time(col('window') as never) as never).columns).toEqual(['window_time(window)'])
  })
}

test('aliased windows; a window’s name is "window"', async () => {
  const frame = table('timestamp', [
    ['2016-03-27 19:39:34', 1],
    ['2016-03-27 19:39:56', 2],
  ])
  expect(
    cells(
      await frame
        .select(({ time, value }) => ({ time_window: window(time, '10 seconds'), value }))
        .orderBy(({ time_window }) => time_window.start)
        .select('value')
        .collect(),
    ),
  ).toEqual([[1], [2]])
  expect(frame.groupBy(window(col('time'), '10 seconds') as never).agg(() => ({ n: count() })).columns).toEqual(['window', 'n'])
})

test('SPARK-49836: a window of windows, and an aggregation above it', async () => {
  const clicks: Item[] = ['00:00', '00:30', '01:00', '01:30', '07:00', '11:00', '11:30', '11:45'].map((time) => [
    `2024-09-30 00:${time}`,
    1,
    time.startsWith('01') ? 'user2' : 'user1',
  ])
  const small = table('timestamp', clicks)
    .groupBy(({ time, id }) => ({ small: window(time, '1 minute'), id }))
    .agg(() => ({ clicks: count() }))
  const large = small
    .groupBy(({ small, id }) => ({ large: window(small, '10 minutes'), id }))
    .agg(({ clicks }) => ({ clicks: sum(clicks) }))
  const found = await large
    .groupBy(({ large }) => ({ end: large.end.cast('string') }))
    .agg(({ clicks }) => ({ perUser: avg(clicks) }))
    .orderBy('end')
    .collect()
  expect(cells(found)).toEqual([
    ['2024-09-30 00:10:00', 2.5],
    ['2024-09-30 00:20:00', 3],
  ])
})

test('time window in SQL with one, two and three expressions, numbers being microseconds', async () => {
  table('timestamp', three).createOrReplaceTempView('times')
  const found = async (args: string) => {
    const rows = await engine()
      .sql(`SELECT window(time, ${args}) AS w, value FROM times`)
      .selectExpr('CAST(w.start AS STRING) AS s', 'value')
      .orderBy('value')
      .collect()
    return cells(rows as object[])
  }
  const at = (...seconds: number[]) => seconds.map((second, i) => [`2016-03-27 19:39:${second}`, [1, 2, 4][i]])
  expect(await found("'10 seconds'")).toEqual(at(30, 50, 20))
  expect(await found("'10 seconds', 10000000")).toEqual(at(30, 50, 20))
  expect(await found("10000000L, 10000000, '5 seconds'")).toEqual(at(25, 55, 25))
  expect(await found("'10 seconds', 10000000, -5000000")).toEqual(at(25, 55, 25))
  expect(() => engine().sql('SELECT window(time, 1.5) FROM times')).toThrow(/UNEXPECTED_INPUT_TYPE/)
})

test('durations that are no windows', () => {
  const frame = table('timestamp', three)
  for (const [args, code] of [
    [['0 seconds'], 'VALUE_OUT_OF_RANGE'],
    [['-1 second'], 'VALUE_OUT_OF_RANGE'],
    [['1 second', '2 seconds'], 'VALUE_OUT_OF_RANGE'],
    [['10 seconds', '10 seconds', '10 seconds'], 'VALUE_OUT_OF_RANGE'],
    [['1 foo'], 'CANNOT_PARSE_INTERVAL'],
    [['1 month'], 'UNSUPPORTED_MONTH_INTERVAL'],
  ] as const) {
    expect(() => frame.select(({ time }) => ({ w: window(time, ...(args as [string])) })), args.join()).toThrow(new RegExp(code))
  }
})

test('the same windows in a stream: sliding, with an offset, over event times without a zone', async () => {
  const input = new MemoryStream(engine(), { time: t.timestamp_ntz() })
  expect(() => input.toDF().withWatermark('time', '0 seconds')).not.toThrow()
  const counted = input
    .toDF()
    .withWatermark('time', '0 seconds')
    .groupBy(({ time }) => ({ window: window(time, '10 seconds', '5 seconds', '2 seconds') }))
    .agg(() => ({ n: count() }))
    .select(({ window, n }) => ({ start: window.start.cast('string'), n }))
  const add = (...times: string[]) => addData(input, ...times.map((time) => ({ time: `2026-01-01T00:00:${time}` as never })))
  await testStream(counted, [
    add('03', '09'),
    checkNewAnswer(['2025-12-31 23:59:57', 1]),
    add('30'),
    checkNewAnswer(['2026-01-01 00:00:02', 2], ['2026-01-01 00:00:07', 1]),
  ])
})
