// What StreamSuite and MicroBatchExecutionSuite of Spark 4.2.0 expect, besides the cases of group B.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  avg,
  count,
  current_timestamp,
  type Engine,
  expr,
  lit,
  MemoryStream,
  max,
  millrace,
  min,
  percentile_approx,
  Schema,
  type Source,
  type SourceProvider,
  sum,
  t,
  when,
} from 'millrace'
import {
  addData,
  advanceManualClock,
  assertOnQuery,
  awaitTermination,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  checkSinkBatches,
  editCheckpoint,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { rows, seconds, useEngine, windowedCount } from './harness.ts'

const engine = useEngine()
const newestId = async (folder: string) =>
  Math.max(-1, ...(await readdir(folder).catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number))
/** The newest ids of both logs. */
const logsEndAt = (offsets: number, commits: number) =>
  editCheckpoint(async (folder) =>
    expect([await newestId(join(folder, 'offsets')), await newestId(join(folder, 'commits'))]).toEqual([offsets, commits]),
  )

test('map with recovery', async () => {
  const input = seconds(engine())
  await testStream(
    input.toDF().select(({ value }) => ({ value: value.add(1) })),
    [
      addData(input, ...rows(1, 2, 3)),
      startStream(),
      checkAnswer([2], [3], [4]),
      stopStream(),
      addData(input, ...rows(4, 5, 6)),
      startStream(),
      checkAnswer([2], [3], [4], [5], [6], [7]),
    ],
  )
})

test('union two streams', async () => {
  const [a, b] = [seconds(engine()), seconds(engine())]
  await testStream(a.toDF().union(b.toDF()), [
    addData(a, ...rows(1, 3, 5)),
    checkAnswer([1], [3], [5]),
    addData(b, ...rows(2, 4, 6)),
    checkAnswer([1], [2], [3], [4], [5], [6]),
    stopStream(),
    addData(a, ...rows(7)),
    startStream(),
    addData(b, ...rows(8)),
    checkAnswer([1], [2], [3], [4], [5], [6], [7], [8]),
  ])
})

test('SPARK-20432: union one stream with itself, into files', async () => {
  await using folder = await tempFolder()
  const input = new MemoryStream(engine(), { a: t.long() })
  input.addData(...Array.from({ length: 11 }, (_, i) => ({ a: BigInt(i) })))
  const df = input.toDF().select('a')
  const query = await df
    .union(df)
    .writeStream.format('parquet')
    .option('checkpointLocation', join(folder.path, 'checkpoint'))
    .start(join(folder.path, 'out'))
  await query.processAllAvailable()
  await query.stop()
  const found = await (await engine().read.parquet(join(folder.path, 'out'), { a: t.long() })).collect()
  expect(found.map(({ a }) => Number(a)).sort((x, y) => x - y)).toEqual(Array.from({ length: 22 }, (_, i) => Math.floor(i / 2)))
})

test('DataFrame reuse: two queries over one frame', async () => {
  await using folder = await tempFolder()
  const input = new MemoryStream(engine(), { a: t.long() })
  input.addData(...Array.from({ length: 11 }, (_, i) => ({ a: BigInt(i) })))
  const df = input.toDF()
  const queries = []
  for (const n of [1, 2])
    queries.push(
      await df.writeStream
        .format('parquet')
        .option('checkpointLocation', join(folder.path, `c${n}`))
        .start(join(folder.path, `o${n}`)),
    )
  for (const [i, query] of queries.entries()) {
    await query.processAllAvailable()
    await query.stop()
    const found = await (await engine().read.parquet(join(folder.path, `o${i + 1}`), { a: t.long() })).collect()
    expect(found.map(({ a }) => Number(a)).sort((x, y) => x - y)).toEqual(Array.from({ length: 11 }, (_, j) => j))
  }
})

test('unsupported queries', async () => {
  const input = seconds(engine())
  await expect((input.toDF() as unknown as { count(): Promise<number> }).count()).rejects.toThrow(/start/)
  const batch = engine().createDataFrame([{ value: 1 }], { value: t.int() })
  await expect(testStream(batch as never, [])).rejects.toThrow(/WRITE_STREAM_NOT_ALLOWED.*stream/s)
  await expect(testStream(input.toDF().orderBy('value'), [])).rejects.toThrow(/sort.* not supported/s)
})

test('minimize delay between batch construction and execution', async () => {
  const input = seconds(engine())
  const trigger = { kind: 'processing-time', intervalMs: 10_000 } as const
  await testStream(input.toDF(), { trigger }, [
    startStream({ clock: new ManualClock() }),
    addData(input, ...rows(1, 2, 3)),
    advanceManualClock(10_000),
    checkAnswer([1], [2], [3]),
    logsEndAt(0, 0),
    checkSinkBatches(0),
    addData(input, ...rows(4, 5, 6)),
    advanceManualClock(10_000),
    checkAnswer([1], [2], [3], [4], [5], [6]),
    logsEndAt(1, 1),
    checkSinkBatches(0, 1),
    advanceManualClock(10_000),
    advanceManualClock(10_000),
    advanceManualClock(10_000),
    checkAnswer([1], [2], [3], [4], [5], [6]),
    logsEndAt(1, 1),
    checkSinkBatches(0, 1),
    stopStream(),
    startStream({ clock: new ManualClock(60_000) }),
    advanceManualClock(10_000),
    assertOnQuery('no batch ran', (query) => expect(query.recentProgress.every(({ isIdle }) => isIdle)).toBe(true)),
    logsEndAt(1, 1),
    addData(input, ...rows(7, 8, 9)),
    advanceManualClock(10_000),
    checkNewAnswer([7], [8], [9]),
    logsEndAt(2, 2),
    checkSinkBatches(0, 1, 2),
  ])
})

test('SPARK-19873: streaming aggregation with change in number of partitions', async () => {
  await using checkpoint = await tempFolder()
  const given = [
    ['1', '2'],
    ['3', '2'],
    ['3', '1'],
  ] as const
  const expected = [
    [
      [1, 1],
      [2, 1],
    ],
    [
      [1, 1],
      [2, 2],
      [3, 1],
    ],
    [
      [1, 2],
      [2, 2],
      [3, 2],
    ],
  ]
  for (const [round, partitions] of [2, 5, 1].entries()) {
    await using own: Engine = await millrace.local({ threads: 1, conf: { 'spark.sql.shuffle.partitions': partitions } })
    const input = seconds(own)
    for (const block of given.slice(0, round + 1)) input.addData(...rows(...block.map(Number)))
    await testStream(
      input
        .toDF()
        .groupBy('value')
        .agg(() => ({ count: count() })),
      { outputMode: 'complete', checkpointLocation: checkpoint.path },
      [
        checkAnswer(...expected[round]!),
        assertOnQuery('partitions', (query) => expect(query.lastProgress!.stateOperators[0]!.numShufflePartitions).toBe(partitions)),
      ],
    )
  }
})

test('SPARK-26379: current_timestamp in a projection is the batch’s and moves with the batches', async () => {
  const input = seconds(engine())
  const clock = new ManualClock(5000)
  await testStream(
    input.toDF().select(({ value }) => ({ value, at: current_timestamp() })),
    { clock, trigger: { kind: 'processing-time', intervalMs: 1000 } },
    [
      addData(input, ...rows(1, 7)),
      advanceManualClock(1000),
      checkLastBatch([1, new Date(6000)], [7, new Date(6000)]),
      addData(input, ...rows(2)),
      advanceManualClock(1000),
      checkLastBatch([2, new Date(7000)]),
    ],
  )
})

test('SPARK-24156: a no-data batch that was planned before the stop runs once, with the watermark of its plan', async () => {
  const input = seconds(engine())
  await testStream(windowedCount(input, 10, 5), [
    addData(input, ...rows(10, 11, 12, 13, 14, 15)),
    checkNewAnswer(),
    addData(input, ...rows(25)),
    checkNewAnswer([10, 5]),
    stopStream(),
    // as if the stop had come between the plan of the no-data batch and its commit
    editCheckpoint(async (folder) => rm(join(folder, 'commits', String(await newestId(join(folder, 'commits')))))),
    startStream(),
    checkNewAnswer(),
    assertOnQuery('the no-data batch ran again', (query) => {
      const batches = query.recentProgress.filter(({ isIdle }) => !isIdle)
      expect(batches.map(({ isReplay, numInputRows, eventTime }) => [isReplay, numInputRows, eventTime['watermark']])).toEqual([
        [true, 0, '1970-01-01T00:00:15.000Z'],
      ])
    }),
    addData(input, ...rows(30)),
    checkNewAnswer([15, 1]),
  ])
})

test('SPARK-38033: offsets/N−1 is needed to run batch N', async () => {
  const input = seconds(engine())
  await expect(
    testStream(input.toDF(), [
      addData(input, ...rows(1)),
      checkAnswer([1]),
      addData(input, ...rows(2)),
      checkAnswer([1], [2]),
      stopStream(),
      editCheckpoint(async (folder) => rm(join(folder, 'offsets', '0'))),
      startStream(),
    ]),
  ).rejects.toThrow(/BATCH_METADATA_NOT_FOUND.*offsets\/0/s)
})

/** A source whose stop() waits until it is let go. */
function blockingSource(): { readonly provider: SourceProvider; release(): void } {
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const schema = new Schema([{ name: 'value', type: 'int', nullable: true }])
  const open = async (): Promise<Source> => ({
    schema,
    description: 'blocking',
    readLimit: { kind: 'all' },
    latestOffset: async () => null,
    rows: async () => ({ kind: 'objects', rows: [] }),
    commit: async () => {},
    stop: () => released,
  })
  return { provider: { formats: ['blocking'], schemaOf: () => schema, open }, release }
}

test('SPARK-30143: stop waits until timeout if blocked', async () => {
  const { provider, release } = blockingSource()
  await using own = await millrace.local({ threads: 1, sources: [provider] })
  const query = await own.readStream.format('blocking').load().writeStream.format('noop').start()
  const startedMs = performance.now()
  await expect(query.stop({ timeoutMs: 200 })).rejects.toThrow(query.id)
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(195)
  release()
  await query.stop()
  expect([query.isActive, query.exception]).toEqual([false, null])
})

test('an error of a source, whatever was thrown, is the query’s exception', async () => {
  for (const thrown of [new RangeError('out of range'), 'just text', { odd: true }]) {
    const schema = new Schema([{ name: 'value', type: 'int', nullable: true }])
    const open = async (): Promise<Source> => ({
      schema,
      description: 'failing',
      readLimit: { kind: 'all' },
      latestOffset: () => Promise.reject(thrown),
      rows: () => Promise.reject(thrown),
      commit: async () => {},
      stop: async () => {},
    })
    await using own = await millrace.local({ threads: 1, sources: [{ formats: ['failing'], schemaOf: () => schema, open }] })
    const query = await own.readStream.format('failing').load().writeStream.format('noop').start()
    const error = await query.awaitTermination().catch((reason: unknown) => reason)
    expect(error).toBe(query.exception)
    expect(query.exception?.cause).toBe(thrown)
    expect(query.status.message).toMatch(/^Terminated with exception/)
  }
})

test('explain: the physical plan, extended the logical one before it', async () => {
  const input = new MemoryStream(engine(), { value: t.string() })
  const query = await input
    .toDF()
    .groupBy('value')
    .agg(() => ({ count: count() }))
    .writeStream.outputMode('complete')
    .format('memory')
    .queryName('explained')
    .start()
  const [plain, extended] = [query.explain(), query.explain(true)]
  await query.stop()
  expect(plain).not.toContain('Logical Plan')
  expect(extended).toContain('Logical Plan')
  expect(extended).toContain(plain)
})

test('stream–static join with two static tables and a predicate on each', async () => {
  const input = seconds(engine())
  const words = engine().createDataFrame(
    [
      { number: 1, word: 'one' },
      { number: 2, word: 'two' },
      { number: 4, word: 'four' },
    ],
    { number: t.int(), word: t.string() },
  )
  const joined = input
    .toDF()
    .join(words, (l, r) => l.value.eq(r.number))
    .select('value', 'word')
    .join(
      words.select(({ number }) => ({ next: number.add(1) })),
      (l, r) => l.value.eq(r.next),
      'left',
    )
    .where(({ value }) => value.gt(lit(1)))
  await testStream(joined, [addData(input, ...rows(1, 2, 3, 4)), checkAnswer([2, 'two', 2], [4, 'four', null])])
})

test('a query of AvailableNow with nothing to do ends without a batch', async () => {
  const input = seconds(engine())
  await testStream(input.toDF(), { trigger: { kind: 'available-now' } }, [startStream(), awaitTermination(), logsEndAt(-1, -1)])
})

const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const answer = (...values: number[]) => checkAnswer(...values.map((value) => [value]))

test('streaming limit without state, with other operators, with multiple limits, in multiple partitions', async () => {
  type Frame = ReturnType<ReturnType<typeof seconds>['toDF']>
  const cases: [(frame: Frame) => Parameters<typeof testStream>[0], [number[], number[]][]][] = [
    [(frame) => frame.limit(0), [[span(1, 8), []]]],
    [(frame) => frame.limit(4), [[span(1, 8), span(1, 4)]]],
    [
      (frame) => frame.where(({ value }) => value.mod(2).eq(1)).limit(4),
      [
        [span(1, 5), [1, 3, 5]],
        [span(6, 9), [1, 3, 5, 7]],
        [span(10, 12), [1, 3, 5, 7]],
      ],
    ],
    [
      (frame) => frame.limit(4).limit(100).limit(3),
      [
        [
          [1, 2],
          [1, 2],
        ],
        [span(3, 8), span(1, 3)],
      ],
    ],
    [
      (frame) => frame.repartition(2).limit(7),
      [
        [span(1, 10), span(1, 7)],
        [span(11, 20), span(1, 7)],
      ],
    ],
    // SPARK-30657: streaming limit after streaming dedup in append mode
    [
      (frame) => frame.dropDuplicates().limit(1),
      [
        [[1, 2], [1]],
        [[3, 4], [1]],
      ],
    ],
  ]
  for (const [query, steps] of cases) {
    const input = seconds(engine())
    await testStream(
      query(input.toDF()),
      steps.flatMap(([values, expected]) => [addData(input, ...rows(...values)), answer(...expected)]),
    )
  }
})

test('SPARK-30658: streaming limits before and after agg in complete mode; SPARK-30657: a limit of a table is none of the stream', async () => {
  for (const before of [4, 2]) {
    const input = seconds(engine())
    const expected = span(1, Math.min(3, before)).map((value) => [value, 1])
    const limited = input.toDF().limit(before).groupBy('value').count().orderBy('value').limit(3)
    await testStream(limited, { outputMode: 'complete' }, [
      ...[
        addData(input, ...rows(...span(1, 9))),
        checkAnswer(...expected),
        addData(input, ...rows(...span(2, 6))),
        checkAnswer(...expected),
      ],
    ])
  }
  const input = seconds(engine())
  const table = engine()
    .createDataFrame([{ value: 1 }], { value: t.int() })
    .orderBy('value')
    .limit(1)
  await testStream(input.toDF().join(table, 'value'), [
    ...[addData(input, ...rows(1, 2, 3)), answer(1), addData(input, ...rows(1, 3, 5)), answer(1, 1)],
  ])
})

test('SPARK-32456: SQL union and distinct in streaming query of append mode without watermark; of complete mode; SPARK-46062: from a CTE', async () => {
  await using folder = await tempFolder()
  await using own = await millrace.local({ threads: 1 })
  const [a, b] = [seconds(own), seconds(own)]
  a.toDF().createOrReplaceTempView('s1')
  b.toDF().createOrReplaceTempView('s2')
  for (const text of ['select s1.value from s1 union select s2.value from s2', 'select distinct value from s1']) {
    const writer = (own.sql(text) as any).writeStream.option('checkpointLocation', join(folder.path, 'c'))
    await expect(writer.start(join(folder.path, 'o')), text).rejects.toMatchObject({ code: 'STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION' })
  }
  await testStream(own.sql('select distinct value from s1'), { outputMode: 'complete' }, [
    addData(a, ...rows(1, 2, 3, 3, 4)),
    answer(1, 2, 3, 4),
  ])
  await testStream(own.sql('WITH w AS (SELECT * FROM s2) SELECT value FROM w WHERE value % 2 = 0'), [
    ...[addData(b, ...rows(1, 2, 3, 4)), answer(2, 4)],
  ])
})

test('listener propagates observable metrics', async () => {
  const input = seconds(engine())
  const observed = input
    .toDF()
    .observe('my_event', ({ value }) => ({
      min_val: min(value),
      max_val: max(value),
      sum_val: sum(value),
      num_even: count(when(value.mod(2).eq(0), 1)),
      percentile_approx_val: percentile_approx(value, lit(0.5), lit(100)),
    }))
    .observe('other_event', ({ value }) => ({ avg_val: avg(value).cast('int') }))
  const are = (mine: unknown[], other: number) =>
    assertOnQuery('metrics', ({ lastProgress }) => {
      const { my_event, other_event } = lastProgress!.observedMetrics
      expect([Object.values(my_event!), other_event]).toEqual([mine, { avg_val: other }])
    })
  await testStream(observed, { clock: new ManualClock(), trigger: { processingTime: 100 } }, [
    ...[startStream(), addData(input, ...rows(1, 2)), advanceManualClock(100), answer(1, 2), are([1, 2, 3n, 1n, 1], 1)],
    ...[addData(input, ...rows(10, 30, -10, 5)), advanceManualClock(100)],
    ...[answer(1, 2, 10, 30, -10, 5), are([-10, 30, 35n, 3n, 5], 8)],
  ])
})

test('SPARK-31593: remove unnecessary streaming query progress update', async () => {
  await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.noDataProgressEventInterval': '100ms' } })
  let [progress, idle] = [0, 0]
  own.streams.addListener({ onQueryProgress: () => void progress++, onQueryIdle: () => void idle++ })
  const input = seconds(own)
  const heard = (...counts: number[]) => assertOnQuery(`heard ${counts}`, () => expect([progress, idle]).toEqual(counts))
  await testStream(input.toDF(), { clock: new ManualClock(), trigger: { processingTime: 10 } }, [
    ...[startStream(), addData(input, ...rows(10)), advanceManualClock(10), heard(1, 0), advanceManualClock(90), heard(1, 0)],
    ...[advanceManualClock(20), heard(1, 1)],
  ])
})

test('Uuid, Rand/Randn and Shuffle in streaming query should not produce same results in each execution', async () => {
  const input = seconds(engine())
  const seen: object[] = []
  const query = await input
    .toDF()
    .select(() => ({ uuid: expr('uuid()'), rand: expr('rand()'), randn: expr('randn()'), shuffle: expr('shuffle(sequence(0, 99))') }))
    .writeStream.foreachBatch(async (frame) => void seen.push(...(await frame.collect())))
    .start()
  for (const value of [1, 2]) {
    input.addData(...rows(value))
    await query.processAllAvailable()
  }
  await query.stop()
  expect(new Set(seen.flatMap((row) => Object.values(row).map(String))).size).toBe(8)
})
