// What StreamingQuerySuite, StreamingQueryManagerSuite, StreamingQueryListenerSuite, StreamingQueryStatusAndProgressSuite and
// ProgressReporterSuite of Spark 4.2.0 expect.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  count,
  type Engine,
  lit,
  MemoryStream,
  millrace,
  type QueryProgress,
  type QueryStartedEvent,
  type QueryTerminatedEvent,
  readProgressHistory,
  Schema,
  type Source,
  type SourceProvider,
  type StreamingQuery,
  type StreamingQueryListener,
  sum,
  t,
} from 'millrace'
import {
  addData,
  advanceManualClock,
  assertOnQuery,
  awaitTermination,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  clearSink,
  editCheckpoint,
  expectFailure,
  ManualClock,
  multiAddData,
  processAllAvailable,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { rows, seconds, useEngine, windowedCount } from './harness.ts'

const engine = useEngine()
const sixOver = (input: ReturnType<typeof seconds>) => input.toDF().select(({ value }) => ({ value: lit(6).div(value) }))
const toNoop = (own: Engine, name?: string) => {
  const writer = seconds(own).toDF().writeStream.format('noop')
  return (name === undefined ? writer : writer.queryName(name)).start()
}

test('name unique in active queries', async () => {
  const [a, b, c] = [await toNoop(engine()), await toNoop(engine()), await toNoop(engine(), 'q3')]
  expect([a.name, b.name, c.name]).toEqual([null, null, 'q3'])
  await expect(toNoop(engine(), 'q3')).rejects.toThrow(/"q3" is already/)
  await using other = await millrace.local({ threads: 1 })
  await (await toNoop(other, 'q3')).stop()
  for (const query of [a, b, c]) await query.stop()
  await (await toNoop(engine(), 'q3')).stop()
})

test('id unique in active queries + persists across restarts, runId unique across start/restarts', async () => {
  await using folder = await tempFolder()
  const start = (name: string) =>
    seconds(engine()).toDF().writeStream.format('noop').option('checkpointLocation', join(folder.path, name)).start()
  const [q1, q2] = [await start('1'), await start('2')]
  expect(q1.id).not.toBe(q2.id)
  expect(q1.runId).not.toBe(q2.runId)
  await q1.stop()
  const again = await start('1')
  expect(again.id).toBe(q1.id)
  expect(again.runId).not.toBe(q1.runId)
  await expect(start('1')).rejects.toMatchObject({ code: 'CONCURRENT_QUERY' })
  await again.stop()
  await q2.stop()
})

test('isActive, exception, and awaitTermination', async () => {
  const input = seconds(engine())
  const state = (isActive: boolean, failed: boolean) =>
    assertOnQuery(`active ${isActive}, failed ${failed}`, (query) =>
      expect([query.isActive, query.exception !== null]).toEqual([isActive, failed]),
    )
  await expect(
    testStream(sixOver(input), [
      state(true, false),
      addData(input, ...rows(1, 2)),
      checkAnswer([6], [3]),
      assertOnQuery('waits', async (query) => expect(await query.awaitTermination(10)).toBe(false)),
      stopStream(),
      {
        name: 'stopped',
        run: async ({ query }) =>
          expect([query.isActive, query.exception, await query.awaitTermination(), await query.awaitTermination(10)]).toEqual([
            false,
            null,
            true,
            true,
          ]),
      },
      startStream(),
      state(true, false),
      addData(input, ...rows(0)),
      expectFailure('DIVIDE_BY_ZERO'),
      {
        name: 'failed',
        run: async ({ query }) => {
          expect([query.isActive, query.exception?.code, query.status.message.startsWith('Terminated with exception')]).toEqual([
            false,
            'DIVIDE_BY_ZERO',
            true,
          ])
          await expect(query.awaitTermination(10)).rejects.toBe(query.exception)
          await expect(query.awaitTermination()).rejects.toBe(query.exception)
          await expect(query.processAllAvailable()).rejects.toBe(query.exception)
        },
      },
    ]),
  ).resolves.toBeUndefined()
})

test('OneTime trigger, commit log, and exception', async () => {
  const input = seconds(engine())
  const once = [startStream({ trigger: { kind: 'once' } }), awaitTermination()]
  const ids = async (folder: string, log: string) => (await readdir(join(folder, log))).filter((name) => /^\d+$/.test(name)).map(Number)
  await testStream(sixOver(input), { trigger: { kind: 'once' } }, [
    addData(input, ...rows(1, 2)),
    ...once,
    checkAnswer([6], [3]),
    editCheckpoint(async (folder) => {
      expect(await ids(folder, 'commits')).toEqual(await ids(folder, 'offsets'))
      await rm(join(folder, 'commits', '0'))
    }),
    clearSink(),
    ...once,
    checkAnswer([6], [3]),
    addData(input, ...rows(3)),
    ...once,
    checkLastBatch([2]),
    editCheckpoint(async (folder) =>
      expect([await ids(folder, 'commits'), await ids(folder, 'offsets')]).toEqual([
        [0, 1],
        [0, 1],
      ]),
    ),
    addData(input, ...rows(0)),
    startStream({ trigger: { kind: 'once' } }),
    expectFailure('DIVIDE_BY_ZERO'),
  ])
})

/** A stream of blocks whose offsets take until 1050 ms, whose rows until 1150 ms and whose sink until 1500 ms, each on the first batch. */
function slowSource(clock: ManualClock): { readonly provider: SourceProvider; add(...values: number[]): void } {
  const schema = new Schema([{ name: 'value', type: 'int', nullable: true }])
  const blocks: number[][] = []
  const open = async (): Promise<Source> => ({
    schema,
    description: 'SlowStream',
    readLimit: { kind: 'all' },
    latestOffset: async (start) => {
      if (blocks.length === 0) return start
      await clock.sleepUntil(1050)
      return blocks.length - 1
    },
    rows: async (start, end) => {
      await clock.sleepUntil(1150)
      return {
        kind: 'objects',
        rows: blocks
          .slice(start === null ? 0 : (start as number) + 1, (end as number) + 1)
          .flat()
          .map((value) => ({ value })),
      }
    },
    commit: async () => {},
    stop: async () => {},
  })
  return { provider: { formats: ['slow'], schemaOf: () => schema, open }, add: (...values) => void blocks.push(values) }
}

test('status, lastProgress, and recentProgress', async () => {
  const clock = new ManualClock()
  const { provider, add } = slowSource(clock)
  await using own = await millrace.local({ threads: 1, clock, sources: [provider] })
  const counted = own.readStream
    .format('slow')
    .load()
    .select(({ value }: any) => ({ value: lit(10).div(value) }))
    .agg(({ value }: any) => ({ n: count(value) }))
  const answers: unknown[] = []
  const query = (await (counted as any).writeStream
    .outputMode('complete')
    .trigger({ processingTime: 1000 })
    .foreachBatch(async (frame: { collect(): Promise<{ n: bigint }[]> }) => {
      await clock.sleepUntil(1500)
      answers.push((await frame.collect())[0]!.n)
    })
    .start()) as StreamingQuery
  const status = () => [query.status.isDataAvailable, query.status.isTriggerActive, query.status.message]
  const settle = async () => {
    await clock.whenSleeping()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const to = async (timeMs: number) => {
    await settle()
    clock.setTime(timeMs)
    await settle()
  }
  await settle()
  expect(status()).toEqual([false, false, 'Waiting for next trigger'])
  add(1, 2)
  await to(1000)
  expect(status()).toEqual([false, true, 'Getting offsets from SlowStream'])
  await to(1050)
  expect(status()).toEqual([true, true, 'Processing new data'])
  await to(1150)
  expect(status()).toEqual([true, true, 'Processing new data'])
  expect(query.recentProgress.filter(({ numInputRows }) => numInputRows > 0)).toEqual([])
  await to(1500)
  expect(status()).toEqual([true, false, 'Waiting for next trigger'])
  expect(answers).toEqual([2n])
  const first = query.lastProgress!
  expect(query.recentProgress.at(-1)).toBe(first)
  expect(first).toMatchObject({
    id: query.id,
    name: null,
    batchId: 0,
    timestamp: '1970-01-01T00:00:01.000Z',
    numInputRows: 2,
    processedRowsPerSecond: 4,
    batchDuration: 500,
    durationMs: { latestOffset: 50, commitOffsets: 0, addBatch: 450, triggerExecution: 500 },
    sources: [{ description: 'SlowStream', startOffset: null, endOffset: 0, processedRowsPerSecond: 4 }],
    stateOperators: [{ numRowsUpdated: 1, numRowsTotal: 1 }],
  })
  add(1, 2)
  await to(2000)
  expect(answers).toEqual([2n, 4n])
  expect(status()).toEqual([true, false, 'Waiting for next trigger'])
  expect(query.lastProgress).toMatchObject({
    batchId: 1,
    inputRowsPerSecond: 2,
    sources: [{ inputRowsPerSecond: 2, startOffset: 0, endOffset: 1 }],
  })
  await to(3000)
  expect(status()).toEqual([false, false, 'Waiting for next trigger'])
  const last = query.lastProgress
  add(0)
  await settle()
  clock.setTime(4000)
  await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'DIVIDE_BY_ZERO' })
  expect(query.lastProgress).toBe(last)
  expect([query.status.isDataAvailable, query.status.isTriggerActive]).toEqual([false, false])
  expect(query.status.message).toMatch(/^Terminated with exception/)
})

test('lastProgress is null before the first trigger has ended, the status is that of a stop after stop()', async () => {
  const input = seconds(engine())
  const query = await input.toDF().writeStream.format('noop').start()
  await query.processAllAvailable()
  expect(query.lastProgress?.isIdle).toBe(true)
  await query.stop()
  expect(query.status).toEqual({ message: 'Stopped', isDataAvailable: false, isTriggerActive: false })
})

test('SPARK-29973: processedRowsPerSecond, of an idle trigger and of a batch that took no time', async () => {
  const input = seconds(engine())
  const is = (numInputRows: number, processed: number) =>
    assertOnQuery(`${numInputRows} rows, ${processed}/s`, (query) =>
      expect([query.lastProgress!.numInputRows, query.lastProgress!.processedRowsPerSecond]).toEqual([numInputRows, processed]),
    )
  await testStream(input.toDF(), { clock: new ManualClock(), trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
    advanceManualClock(1000),
    is(0, 0),
    addData(input, ...rows(1, 2)),
    advanceManualClock(1000),
    is(2, 2000),
  ])
})

test('the input rate counts from the trigger before, which may have found nothing', async () => {
  const input = seconds(engine())
  await testStream(input.toDF(), { clock: new ManualClock(), trigger: { kind: 'processing-time', intervalMs: 1000 } }, [
    addData(input, ...rows(1)),
    startStream(),
    checkAnswer([1]),
    assertOnQuery('no trigger before', (query) => expect(query.lastProgress!.inputRowsPerSecond).toBe(0)),
    advanceManualClock(1000),
    advanceManualClock(1000),
    addData(input, ...rows(2, 3, 4)),
    advanceManualClock(1000),
    checkNewAnswer([2], [3], [4]),
    assertOnQuery('three in a second', (query) => expect(query.lastProgress!.inputRowsPerSecond).toBe(3)),
  ])
})

test('SPARK-19378: Continue reporting stateOp metrics even if there is no active trigger', async () => {
  await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.noDataProgressEventInterval': '1s' } })
  const input = seconds(own)
  const clock = new ManualClock()
  await testStream(
    input
      .toDF()
      .groupBy('value')
      .agg(() => ({ n: count() })),
    { outputMode: 'complete', clock, trigger: { kind: 'processing-time', intervalMs: 1000 } },
    [
      addData(input, ...rows(1, 2)),
      startStream(),
      checkAnswer([1, 1], [2, 1]),
      advanceManualClock(1000),
      advanceManualClock(1000),
      assertOnQuery('idle progress', (query) => {
        const [batch, ...idle] = query.recentProgress
        expect(idle.map(({ isIdle, timestamp, batchId }) => [isIdle, timestamp, batchId])).toEqual([
          [true, '1970-01-01T00:00:01.000Z', 1],
          [true, '1970-01-01T00:00:02.000Z', 1],
        ])
        for (const { numInputRows, stateOperators, sink, sources } of idle) {
          expect([numInputRows, stateOperators[0]!.numRowsTotal, stateOperators[0]!.numRowsUpdated, sink.numOutputRows]).toEqual([
            0, 2, 0, 0,
          ])
          expect([sources[0]!.startOffset, sources[0]!.endOffset]).toEqual([0, 0])
        }
        expect(batch!.stateOperators[0]!.numRowsUpdated).toBe(2)
      }),
    ],
  )
})

test('no-data batch resets numRowsRemoved to zero in the idle progress after it', async () => {
  await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.noDataProgressEventInterval': '0ms' } })
  const input = seconds(own)
  await testStream(
    windowedCount(input, 10, 10),
    { outputMode: 'update', clock: new ManualClock(), trigger: { kind: 'processing-time', intervalMs: 1000 } },
    [
      addData(input, ...rows(1, 2, 3)),
      advanceManualClock(1000),
      checkNewAnswer([0, 3]),
      addData(input, ...rows(21)),
      advanceManualClock(1000),
      checkNewAnswer([20, 1]),
      advanceManualClock(1000),
      processAllAvailable(),
      advanceManualClock(1000),
      processAllAvailable(),
      assertOnQuery('evicted, then idle', (query) => {
        const [evicting, idle] = query.recentProgress.slice(-2) as [QueryProgress, QueryProgress]
        expect([evicting.batchId, evicting.stateOperators[0]!.numRowsRemoved, evicting.eventTime]).toEqual([
          2,
          1,
          { watermark: '1970-01-01T00:00:11.000Z' },
        ])
        const { numRowsRemoved, numRowsUpdated, numRowsDroppedByWatermark, numRowsTotal } = idle.stateOperators[0]!
        expect([idle.isIdle, numRowsRemoved, numRowsUpdated, numRowsDroppedByWatermark, numRowsTotal, idle.eventTime]).toEqual([
          true,
          0,
          0,
          0,
          1,
          { watermark: '1970-01-01T00:00:11.000Z' },
        ])
      }),
    ],
  )
})

test('input row calculation with trigger having data for only one of two sources', async () => {
  const [a, b] = [seconds(engine()), seconds(engine())]
  const is = (...expected: number[]) =>
    assertOnQuery(`rows ${expected}`, (query) =>
      expect([query.lastProgress!.numInputRows, ...query.lastProgress!.sources.map(({ numInputRows }) => numInputRows)]).toEqual(expected),
    )
  await testStream(a.toDF().union(b.toDF()), [
    addData(a, ...rows(1, 2, 3)),
    checkLastBatch([1], [2], [3]),
    is(3, 3, 0),
    addData(b, ...rows(4, 5)),
    checkLastBatch([4], [5]),
    is(2, 0, 2),
    multiAddData([a, rows(6)], [b, rows(7, 8)]),
    checkLastBatch([6], [7], [8]),
    is(3, 1, 2),
  ])
})

test('input row calculation with mixed batch and streaming sources, and with a self-union, which reads its source once', async () => {
  const input = seconds(engine())
  const words = engine().createDataFrame(
    [
      { value: 1, word: '1' },
      { value: 2, word: '2' },
    ],
    { value: t.int(), word: t.string() },
  )
  const counts = (expected: number) =>
    assertOnQuery(`${expected} rows`, (query) =>
      expect([query.lastProgress!.numInputRows, query.lastProgress!.sources.map(({ numInputRows }) => numInputRows)]).toEqual([
        expected,
        [expected],
      ]),
    )
  await testStream(input.toDF().join(words.union(words), 'value'), [
    addData(input, ...rows(1, 2, 3)),
    checkAnswer([1, '1'], [1, '1'], [2, '2'], [2, '2']),
    counts(3),
  ])
  const other = seconds(engine())
  await testStream(other.toDF().union(other.toDF()), [
    addData(other, ...rows(1, 2, 3)),
    checkAnswer([1], [1], [2], [2], [3], [3]),
    counts(3),
  ])
})

for (const [retain, batches, left] of [
  [1, 3, ['1', '2']],
  [2, 5, ['2', '3', '4']],
] as const) {
  test(`StreamExecution metadata garbage collection: ${retain} retained`, async () => {
    await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.minBatchesToRetain': retain } })
    const input = seconds(own)
    await testStream(input.toDF(), [
      ...Array.from({ length: batches }, () => [addData(input, ...rows(1, 2)), checkNewAnswer([1], [2])]).flat(),
      editCheckpoint(async (folder) => expect((await readdir(join(folder, 'offsets'))).sort()).toEqual(left)),
      stopStream(),
      startStream(),
      addData(input, ...rows(3)),
      checkNewAnswer([3]),
    ])
  })
}

test('SPARK-19774: sources are stopped when a stream is stopped and when it fails, also where one of them throws', async () => {
  const stopped: string[] = []
  const schema = new Schema([{ name: 'value', type: 'int', nullable: true }])
  const open = async ({ options }: { readonly options: Readonly<Record<string, string>> }): Promise<Source> => ({
    schema,
    description: 'mock',
    readLimit: { kind: 'all' },
    latestOffset: async (start) => (options['fails'] ? 1 : start),
    rows: () => Promise.reject(new Error('no rows')),
    commit: async () => {},
    stop: async () => {
      stopped.push(options['who']!)
      if (options['fails']) throw new Error('Oh no!')
    },
  })
  await using own = await millrace.local({ threads: 1, sources: [{ formats: ['mock'], schemaOf: () => schema, open }] })
  const read = (options: Readonly<Record<string, string>>) => own.readStream.format('mock').options(options).load()
  const quiet = await read({ who: 'quiet' }).writeStream.format('noop').start()
  await quiet.stop()
  expect(stopped).toEqual(['quiet'])
  const failing = await read({ who: 'a', fails: 'true' })
    .union(read({ who: 'b' }))
    .writeStream.format('noop')
    .start()
  await expect(failing.processAllAvailable()).rejects.toThrow(/no rows/)
  expect([failing.isActive, stopped]).toEqual([false, ['quiet', 'a', 'b']])
})

test('processAllAvailable should not block forever when a query is stopped', async () => {
  for (const trigger of [{ once: true }, { availableNow: true }] as const) {
    const input = seconds(engine())
    input.addData(...rows(1))
    const query = await input.toDF().writeStream.trigger(trigger).format('noop').start()
    await query.processAllAvailable()
    await query.awaitTermination()
    await query.processAllAvailable()
  }
  const input = seconds(engine())
  const query = await input.toDF().writeStream.format('noop').start()
  const waiting = query.processAllAvailable()
  await query.stop()
  await waiting
})

test('SPARK-22238: an aggregation over a stream joined with a filtered table', async () => {
  const input = new MemoryStream(engine(), { num: t.int(), numSq: t.int() })
  const base = engine()
    .createDataFrame(
      [
        { num: 1, char: 'A' },
        { num: 2, char: 'b' },
      ],
      { num: t.int(), char: t.string() },
    )
    .where(({ char }) => char.eq('A'))
  await testStream(
    input
      .toDF()
      .join(base, 'num')
      .groupBy('char')
      .agg(({ numSq }) => ({ sum: sum(numSq) })),
    { outputMode: 'complete' },
    [addData(input, { num: 1, numSq: 1 }, { num: 2, numSq: 4 }), checkLastBatch(['A', 1])],
  )
})

test('manager: listing', async () => {
  await using own = await millrace.local({ threads: 1 })
  const inputs = [seconds(own), seconds(own), seconds(own)] as const
  const queries: StreamingQuery[] = []
  for (const input of inputs) queries.push(await sixOver(input).writeStream.format('noop').start())
  const [q1, q2, q3] = queries as [StreamingQuery, StreamingQuery, StreamingQuery]
  expect(new Set(own.streams.active)).toEqual(new Set(queries))
  expect([own.streams.get(q1.id), own.streams.get(q2.id), own.streams.get('e3b0c442-98fc-4c14-9afb-f4c8996fb924')]).toEqual([q1, q2, null])
  await q1.stop()
  expect([new Set(own.streams.active), own.streams.get(q1.id)]).toEqual([new Set([q2, q3]), null])
  inputs[1].addData(...rows(0))
  await expect(q2.awaitTermination()).rejects.toThrow()
  expect([q2.isActive, own.streams.get(q2.id), own.streams.active]).toEqual([false, null, [q3]])
})

test('manager: awaitAnyTermination with and without timeout, and resetTerminated', async () => {
  await using own = await millrace.local({ threads: 1 })
  const start = async () => {
    const input = seconds(own)
    return { input, query: await sixOver(input).writeStream.format('noop').start() }
  }
  const [a, b, c, d] = [await start(), await start(), await start(), await start()]
  const any = own.streams
  expect(await any.awaitAnyTermination(20)).toBe(false)
  const waiting = any.awaitAnyTermination()
  await a.query.stop()
  await waiting
  expect([await any.awaitAnyTermination(1000), await any.awaitAnyTermination()]).toEqual([true, true])
  any.resetTerminated()
  expect(await any.awaitAnyTermination(20)).toBe(false)
  const failing = any.awaitAnyTermination(10_000)
  b.input.addData(...rows(0))
  await expect(failing).rejects.toMatchObject({ code: 'DIVIDE_BY_ZERO' })
  await expect(any.awaitAnyTermination()).rejects.toMatchObject({ code: 'DIVIDE_BY_ZERO' })
  any.resetTerminated()
  // one that ended well, then one that failed: the failure counts
  await c.query.stop()
  expect(await any.awaitAnyTermination(1000)).toBe(true)
  d.input.addData(...rows(0))
  await expect(d.query.awaitTermination()).rejects.toThrow()
  await expect(any.awaitAnyTermination(1000)).rejects.toBe(d.query.exception)
})

/** Keeps what it hears. */
class EventCollector implements StreamingQueryListener {
  started: QueryStartedEvent[] = []
  progress: QueryProgress[] = []
  idle = 0
  terminated: QueryTerminatedEvent[] = []
  onQueryStarted(event: QueryStartedEvent): void {
    this.started.push(event)
  }
  onQueryProgress({ progress }: { readonly progress: QueryProgress }): void {
    this.progress.push(progress)
  }
  onQueryIdle(): void {
    this.idle++
  }
  onQueryTerminated(event: QueryTerminatedEvent): void {
    this.terminated.push(event)
  }
}

test('listener: single listener, check trigger events are generated correctly', async () => {
  await using own = await millrace.local({ threads: 1 })
  const listener = new EventCollector()
  own.streams.addListener(listener)
  const input = seconds(own)
  const check = (name: string, look: (query: StreamingQuery) => void) => assertOnQuery(name, look)
  await testStream(sixOver(input), { clock: new ManualClock(), trigger: { kind: 'processing-time', intervalMs: 100 } }, [
    startStream(),
    check('started', (query) =>
      expect([listener.started.map(({ id, runId, name }) => [id, runId, name]), listener.progress, listener.terminated]).toEqual([
        [[query.id, query.runId, null]],
        [],
        [],
      ]),
    ),
    addData(input, ...rows(1, 2)),
    advanceManualClock(100),
    checkAnswer([6], [3]),
    check('progress', (query) =>
      expect([listener.progress, listener.terminated]).toEqual([
        [query.recentProgress.filter(({ numInputRows }) => numInputRows > 0).at(-1)],
        [],
      ]),
    ),
    stopStream(),
    {
      name: 'ended',
      run: async ({ query }) =>
        expect(listener.terminated).toEqual([{ id: query.id, runId: query.runId, exception: null, errorClassOnException: null }]),
    },
    startStream(),
    addData(input, ...rows(0)),
    advanceManualClock(100),
    expectFailure('DIVIDE_BY_ZERO'),
    {
      name: 'failed',
      run: async ({ query }) => {
        expect(listener.terminated.at(-1)).toMatchObject({ id: query.id, runId: query.runId, errorClassOnException: 'DIVIDE_BY_ZERO' })
        expect(listener.terminated.at(-1)!.exception).toContain('DIVIDE_BY_ZERO')
      },
    },
  ])
})

test('listener: SPARK-19594: all of listeners should receive QueryTerminatedEvent; adding and removing listener; one that throws', async () => {
  const printed: string[] = []
  await using own = await millrace.local({ threads: 1, print: (text) => printed.push(text) })
  const listeners = Array.from({ length: 5 }, () => new EventCollector())
  const throwing: StreamingQueryListener = {
    onQueryStarted() {
      throw new Error('listener failed')
    },
  }
  own.streams.addListener(throwing)
  for (const listener of listeners) own.streams.addListener(listener)
  const run = async () => {
    const query = await toNoop(own)
    expect(own.streams.listListeners()).toContain(throwing)
    await query.stop()
    return query
  }
  const query = await run()
  for (const { started, terminated } of listeners)
    expect([started.map(({ id }) => id), terminated.map(({ runId, exception }) => [runId, exception])]).toEqual([
      [query.id],
      [[query.runId, null]],
    ])
  own.streams.removeListener(listeners[0]!)
  await run()
  expect(listeners.map(({ started }) => started.length)).toEqual([1, 2, 2, 2, 2])
  expect(printed.filter((text) => text.includes('listener failed')).length).toBe(2)
})

test('listener: event ordering: onQueryStarted is called before start returns', async () => {
  await using own = await millrace.local({ threads: 1 })
  for (let i = 0; i < 10; i++) {
    const listener = new EventCollector()
    own.streams.addListener(listener)
    const query = await toNoop(own)
    expect(listener.started.length).toBe(1)
    await query.stop()
    expect(listener.terminated.length).toBe(1)
    own.streams.removeListener(listener)
  }
})

test('listener: only one progress event per interval when no data', async () => {
  await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.noDataProgressEventInterval': '100ms' } })
  const listener = new EventCollector()
  own.streams.addListener(listener)
  const input = seconds(own)
  await testStream(input.toDF(), { clock: new ManualClock(), trigger: { kind: 'processing-time', intervalMs: 10 } }, [
    checkAnswer(),
    ...Array.from({ length: 100 }, () => advanceManualClock(10)),
    assertOnQuery('at most eleven', (query) => {
      expect(query.recentProgress.length).toBeGreaterThan(1)
      expect(query.recentProgress.length).toBeLessThanOrEqual(11)
      expect(listener.progress).toEqual([])
      expect(listener.idle).toBe(query.recentProgress.length - 1)
    }),
  ])
})

test('listener: what an async listener rejects with is reported, and the query goes on', async () => {
  const printed: string[] = []
  await using own = await millrace.local({ threads: 1, print: (text) => printed.push(text) })
  own.streams.addListener({
    onQueryProgress: async () => {
      throw new Error('async listener failed')
    },
  })
  const input = seconds(own)
  await testStream(input.toDF(), [addData(input, ...rows(1)), checkAnswer([1]), addData(input, ...rows(2)), checkAnswer([1], [2])])
  expect(printed.filter((text) => text.includes('async listener failed')).length).toBe(2)
})

test('progress history: the batches of every run stay beside the checkpoint, also where a run failed', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  for (const value of [1, 2]) {
    await testStream(input.toDF(), { checkpointLocation: folder.path }, [addData(input, ...rows(value)), assertOnQuery('wait', () => {})])
  }
  const history = await readProgressHistory(folder.path)
  expect(history.map(({ batchId, numInputRows }) => [batchId, numInputRows])).toEqual([
    [0, 1],
    [1, 1],
  ])
  expect(new Set(history.map(({ id }) => id)).size).toBe(1)
  expect(new Set(history.map(({ runId }) => runId)).size).toBe(2)
})

test('listener: hears only of its own engine', async () => {
  await using one = await millrace.local({ threads: 1 })
  await using two = await millrace.local({ threads: 1 })
  const [a, b] = [new EventCollector(), new EventCollector()]
  one.streams.addListener(a)
  two.streams.addListener(b)
  await (await toNoop(one)).stop()
  expect([a.started.length, a.terminated.length, b.started.length, b.terminated.length]).toEqual([1, 1, 0, 0])
})

test('recentProgress keeps as many as are configured', async () => {
  await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.numRecentProgressUpdates': 3 } })
  const input = seconds(own)
  await testStream(input.toDF(), [
    ...[1, 2, 3, 4, 5].flatMap((value) => [addData(input, ...rows(value)), checkNewAnswer([value])]),
    assertOnQuery('the last three', (query) => expect(query.recentProgress.map(({ batchId }) => batchId)).toEqual([2, 3, 4])),
  ])
})
