// What withWatermark can do beyond Spark: silent streams, partitions that lag, rows from the future. Without the options nothing changes: the other cases hold that.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { count, type DataFrame, MemoryStream, type SourceProvider, t, timestamp_seconds, window } from 'millrace'
import {
  addData,
  advanceManualClock,
  assertOnQuery,
  checkAnswer,
  checkNewAnswer,
  checkWatermark,
  crashAt,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { Schema } from '../../src/index.ts'
import { rows, seconds, useEngine } from './harness.ts'

/** Partitions 0 and 1, whose rows come from a list. */
const told: { partition: number; value: number }[][] = []
const partitioned: SourceProvider = {
  formats: ['partitioned'],
  schemaOf: () =>
    new Schema([
      { name: 'partition', type: 'int', nullable: false },
      { name: 'value', type: 'int', nullable: false },
    ]),
  open: async ({ schema }) => ({
    schema,
    description: 'Partitioned',
    readLimit: { kind: 'all' },
    latestOffset: async () => told.length,
    rows: async (start, end) => ({ kind: 'objects', rows: told.slice((start as number | null) ?? 0, end as number).flat() }),
    commit: async () => {},
    partitions: () => [{ partition: 0 }, { partition: 1 }],
    stop: async () => {},
  }),
}
const engine = useEngine({ sources: [partitioned] })
const everySecond = { kind: 'processing-time', intervalMs: 1000 } as const
type Options = { readonly idleTimeout?: string; readonly maxFutureSkew?: string }

const timed = (input: ReturnType<typeof seconds>, options: Options) =>
  input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', '10 seconds', options)
const perWindow = (frame: ReturnType<typeof timed>) =>
  frame
    .groupBy(({ at }) => ({ w: window(at, '5 seconds') }))
    .agg(() => ({ n: count() }))
    .select(({ w, n }) => ({ start: w.start.cast('long'), n }))

describe('idleTimeout', () => {
  test('the last windows come out by the clock, a step of the timeout at a time', async () => {
    const input = seconds(engine())
    const clock = new ManualClock(1_000_000)
    await testStream(perWindow(timed(input, { idleTimeout: '60 seconds' })), { clock, trigger: everySecond }, [
      addData(input, ...rows(11)),
      advanceManualClock(1000),
      // the watermark is 1; the window [10, 15) is open
      checkAnswer(),
      advanceManualClock(59_000),
      checkAnswer(),
      advanceManualClock(1000),
      checkAnswer({ start: 10n, n: 1n }),
      assertOnQuery('has run one more batch without data', ({ recentProgress }) =>
        expect(recentProgress.filter(({ isIdle }) => !isIdle).map(({ numInputRows }) => numInputRows)).toEqual([1, 0, 0]),
      ),
      checkWatermark(61_000),
      // nothing is left that could come out: no batch, however long it stays silent
      advanceManualClock(600_000),
      assertOnQuery('has run no more', ({ recentProgress }) => expect(recentProgress.filter(({ isIdle }) => !isIdle)).toHaveLength(3)),
      // data that comes again is judged by the watermark that time has moved
      addData(input, ...rows(30, 700)),
      advanceManualClock(1000),
      checkWatermark(690_000),
      assertOnQuery('has dropped the row', ({ recentProgress }) =>
        expect(recentProgress.filter(({ isIdle }) => !isIdle).map((each) => each.stateOperators[0]!.numRowsDroppedByWatermark)).toEqual([
          0, 0, 0, 1,
        ]),
      ),
    ])
  })

  test('a silent stream holds no other back', async () => {
    const [live, silent] = [seconds(engine()), seconds(engine())]
    const clock = new ManualClock(1_000_000)
    const both = timed(live, {}).union(timed(silent, { idleTimeout: '60 seconds' }))
    await testStream(perWindow(both), { clock, trigger: everySecond }, [
      addData(silent, ...rows(12)),
      addData(live, ...rows(11)),
      advanceManualClock(1000),
      addData(live, ...rows(30)),
      advanceManualClock(1000),
      checkAnswer(),
      advanceManualClock(59_000),
      // 60 s after its last row: the live stream alone says 20
      checkNewAnswer({ start: 10n, n: 2n }),
      checkWatermark(20_000),
      // it comes again, behind: its row is late, and it holds back what is to come
      addData(silent, ...rows(3, 21)),
      addData(live, ...rows(60)),
      advanceManualClock(1000),
      checkWatermark(20_000),
      addData(silent, ...rows(50)),
      advanceManualClock(1000),
      advanceManualClock(1000),
      checkNewAnswer({ start: 20n, n: 1n }, { start: 30n, n: 1n }),
    ])
  })

  test('without the option it does, for ever', async () => {
    const [live, silent] = [seconds(engine()), seconds(engine())]
    const clock = new ManualClock(1_000_000)
    await testStream(perWindow(timed(live, {}).union(timed(silent, {}))), { clock, trigger: everySecond }, [
      addData(silent, ...rows(12)),
      addData(live, ...rows(11, 30)),
      advanceManualClock(1000),
      advanceManualClock(1_000_000),
      checkAnswer(),
    ])
  })

  test('what was decided is in the logs: a restart and a replay decide the same, and the time between runs is no silence', async () => {
    const input = seconds(engine())
    const clock = new ManualClock(1_000_000)
    await testStream(perWindow(timed(input, { idleTimeout: '60 seconds' })), { clock, trigger: everySecond }, [
      addData(input, ...rows(11)),
      advanceManualClock(1000),
      checkAnswer(),
      stopStream(),
      { name: 'a day passes', run: async () => clock.advance(86_400_000) },
      startStream(),
      checkAnswer(),
      advanceManualClock(59_000),
      checkAnswer(),
      { name: 'time', run: async () => clock.advance(1000) },
      crashAt('sink/commit'),
      { name: 'another day passes', run: async () => clock.advance(86_400_000) },
      startStream(),
      checkAnswer({ start: 10n, n: 1n }),
      checkWatermark(61_000),
    ])
  })

  test('it is in the offset log only where it was asked for', async () => {
    const texts: string[] = []
    for (const options of [{}, { idleTimeout: '1 hour' }]) {
      const input = seconds(engine())
      await testStream(perWindow(timed(input, options)), [
        addData(input, ...rows(11)),
        checkAnswer(),
        { name: 'look', run: async ({ folder }) => void texts.push(await readFile(join(folder, 'offsets', '0'), 'utf8')) },
      ])
    }
    expect(texts.map((text) => text.includes('"watermarks"'))).toEqual([false, true])
  })
})

describe('perPartition', () => {
  const shape = { partition: t.int(), value: t.int() }
  const perPartition = (input: MemoryStream<{ partition: 'int'; value: 'int' }>, options: Options = {}) =>
    perWindow(
      input
        .toDF()
        .withColumn('at', ({ value }) => timestamp_seconds(value))
        .withWatermark('at', '10 seconds', { perPartition: ['partition'], ...options }) as never,
    )

  test('the partition that lags decides, over a restart too', async () => {
    const input = new MemoryStream(engine(), shape)
    await testStream(perPartition(input as never), [
      addData(input, { partition: 0, value: 11 }, { partition: 1, value: 13 }),
      checkWatermark(1000),
      addData(input, { partition: 1, value: 100 }),
      checkWatermark(1000),
      stopStream(),
      startStream(),
      addData(input, { partition: 1, value: 200 }),
      checkWatermark(1000),
      addData(input, { partition: 0, value: 30 }),
      checkWatermark(20_000),
      checkAnswer({ start: 10n, n: 2n }),
    ])
  })

  test('an idle partition holds the others back no longer', async () => {
    const input = new MemoryStream(engine(), shape)
    const clock = new ManualClock(1_000_000)
    await testStream(perPartition(input as never, { idleTimeout: '60 seconds' }), { clock, trigger: everySecond }, [
      addData(input, { partition: 0, value: 11 }, { partition: 1, value: 13 }),
      advanceManualClock(1000),
      addData(input, { partition: 1, value: 100 }),
      advanceManualClock(30_000),
      checkWatermark(1000),
      addData(input, { partition: 1, value: 101 }),
      advanceManualClock(30_000),
      checkWatermark(91_000),
      checkAnswer({ start: 10n, n: 2n }),
    ])
  })

  test('partitions that the source tells of hold the watermark back before their first row', async () => {
    told.length = 0
    const frame = engine()
      .readStream.format('partitioned')
      .load()
      .withColumn('at', ({ value }) => timestamp_seconds(value as never))
      .withWatermark('at', '10 seconds', { perPartition: ['partition'] })
    await testStream(perWindow(frame as never), [
      { name: 'rows of partition 0', needsQuery: false, run: async () => void told.push([{ partition: 0, value: 100 }]) },
      checkWatermark(0),
      { name: 'rows of partition 1', run: async () => void told.push([{ partition: 1, value: 50 }]) },
      checkWatermark(40_000),
    ])
  })

  test('too many partitions that are not idle', async () => {
    const input = new MemoryStream(engine(), shape)
    const query = await perPartition(input as never)
      .writeStream.format('noop')
      .start()
    input.addData(...Array.from({ length: 1001 }, (_, partition) => ({ partition, value: 10 })))
    await expect(query.processAllAvailable()).rejects.toMatchObject({ code: 'WATERMARK_PARTITIONS_EXCEEDED' })
  })
})

describe('maxFutureSkew', () => {
  test('rows from the future move nothing; they go to the side output, and the books know them', async () => {
    const input = seconds(engine())
    const future: unknown[] = []
    const query = await (perWindow(timed(input, { maxFutureSkew: '60 seconds' })) as any).writeStream
      .format('noop')
      .lateRows({ value: t.int() }, (late: DataFrame<any>) =>
        late.output.foreach((row) => {
          const { value, _reason, _operator_id, _event_time, _watermark } = row
          future.push([value, _reason, _operator_id, _event_time.epochMilliseconds / 1000, _watermark.epochMilliseconds > Date.now()])
        }),
      )
      .start()
    const now = Math.floor(Date.now() / 1000)
    input.addData(...rows(now, now + 3600))
    await query.processAllAvailable()
    expect(future).toEqual([[now + 3600, 'future', null, now + 3600, true]])
    const first = query.recentProgress.find(({ isIdle }: { isIdle?: true }) => !isIdle)
    expect(first.books[0]).toEqual({ at: 'watermark at', rowsIn: 2, rowsOn: 1, lateRows: 1, deadLetters: 0 })
    expect(first.eventTime.max).toBe(new Date(now * 1000).toISOString())
    expect(first.numInputRows).toBe(2)
    await query.stop()
  })

  test('by the timestamp of the batch; without a side output they are dropped and counted', async () => {
    const input = seconds(engine())
    const clock = new ManualClock(1_000_000)
    await testStream(perWindow(timed(input, { maxFutureSkew: '60 seconds' })), { clock, trigger: everySecond }, [
      addData(input, ...rows(1000, 1061, 1062)),
      advanceManualClock(1000),
      checkWatermark(1_051_000),
      assertOnQuery('has books', ({ recentProgress }) =>
        expect(recentProgress.find(({ isIdle }) => !isIdle)!.books).toEqual([
          { at: 'watermark at', rowsIn: 3, rowsOn: 2, lateRows: 1, deadLetters: 0 },
        ]),
      ),
    ])
  })
})

test.each([
  [{ idleTimeOut: '1 minute' }, 'INVALID_WATERMARK_OPTION', 'did you mean idleTimeout'],
  [{ idleTimeout: '0 seconds' }, 'INVALID_WATERMARK_OPTION', 'idleTimeout of 0'],
  [{ idleTimeout: 'soon' }, 'CANNOT_PARSE_INTERVAL', 'soon'],
  [{ maxFutureSkew: '-1 second' }, 'NEGATIVE_WATERMARK_DELAY', '-1 second'],
  [{ perPartition: [] }, 'INVALID_WATERMARK_OPTION', 'without columns'],
  [{ perPartition: ['at'] }, 'INVALID_WATERMARK_OPTION', 'of type timestamp'],
  [{ perPartition: ['vlaue'] }, 'UNRESOLVED_COLUMN', 'value'],
])('%o is refused', (options, code, text) => {
  expect(() => timed(seconds(engine()), options as Options)).toThrow(expect.objectContaining({ message: expect.stringContaining(text) }))
  expect(() => timed(seconds(engine()), options as Options)).toThrow(code)
})

test('a delay beyond 100,000 years is refused; near it, keys within the watermark are kept to the last time that there is', async () => {
  const late = seconds(engine())
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
  expect(() => late.withWatermark('at', '290000 years')).toThrow('WATERMARK_DELAY_TOO_LONG')
  const input = seconds(engine())
  const far = input.toDF().withColumn('at', ({ value }) => timestamp_seconds(value.cast('long').add(8_000_000_000_000n)))
  await testStream(far.withWatermark('at', '98000 years').dropDuplicatesWithinWatermark(['value']).select('value'), [
    addData(input, { value: 1 }, { value: 2 }, { value: 1 }),
    checkNewAnswer({ value: 1 }, { value: 2 }),
    addData(input, { value: 2 }, { value: 3 }),
    checkNewAnswer({ value: 3 }),
  ])
})
