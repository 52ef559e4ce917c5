// Cases J1 to J5, and more of FlatMapGroupsWithStateSuite by their names there.
import { type Engine, type GroupState, type GroupStateTimeout, MemoryStream, t, timestamp_seconds } from 'millrace'
import {
  addData,
  advanceManualClock,
  assertNumStateRows,
  assertOnQuery,
  checkAnswer,
  checkNewAnswer,
  expectFailure,
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()
const codeOf = (error: unknown) => (error as { code?: string }).code
type Untyped = any
const words = () => new MemoryStream(engine(), { value: t.string() })
const values = (...of: string[]) => of.map((value) => ({ value }))
const everySecond = { kind: 'processing-time', intervalMs: 1000 } as const
type Count = GroupState<{ count: bigint }, { count: bigint | number }>

/** A count of each word; at three the state goes, and nothing comes out. */
function runningCount(input: ReturnType<typeof words>, outputMode: 'append' | 'update' = 'update') {
  return input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(
      ({ value }, rows, state) => {
        const count = (state.getOption()?.count ?? 0n) + BigInt(rows.length)
        if (count === 3n) return state.remove()
        state.update({ count })
        return [{ value, count: String(count) }]
      },
      { state: { count: t.long() }, output: { value: t.string(), count: t.string() }, outputMode },
    )
}

test('J1 flatMapGroupsWithState - streaming', async () => {
  const input = words()
  await testStream(runningCount(input), { outputMode: 'update' }, [
    addData(input, ...values('a')),
    checkNewAnswer({ value: 'a', count: '1' }),
    assertNumStateRows({ total: 1, updated: 1 }),
    addData(input, ...values('a', 'b')),
    checkNewAnswer({ value: 'a', count: '2' }, { value: 'b', count: '1' }),
    assertNumStateRows({ total: 2, updated: 2 }),
    stopStream(),
    startStream(),
    addData(input, ...values('a', 'b')), // a has 3: its state goes
    checkNewAnswer({ value: 'b', count: '2' }),
    assertNumStateRows({ total: 1, updated: 1, removed: 1 }),
    stopStream(),
    startStream(),
    addData(input, ...values('a', 'c')),
    checkNewAnswer({ value: 'a', count: '1' }, { value: 'c', count: '1' }),
    assertNumStateRows({ total: 3, updated: 2 }),
  ])
})

test('J2 flatMapGroupsWithState - streaming + func returns iterator that updates state lazily', async () => {
  const input = words()
  const lazy = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(
      function* ({ value }, rows, state) {
        for (const _ of rows) {
          const count = (state.getOption() ?? 0n) + 1n
          if (count === 3n) state.remove()
          else state.update(count)
          yield { value, count: String(count) }
        }
      },
      { state: t.long(), output: { value: t.string(), count: t.string() }, outputMode: 'update' },
    )
  await testStream(lazy, { outputMode: 'update' }, [
    addData(input, ...values('a', 'a', 'b')),
    checkNewAnswer({ value: 'a', count: '1' }, { value: 'a', count: '2' }, { value: 'b', count: '1' }),
    stopStream(),
    startStream(),
    addData(input, ...values('a', 'b')),
    checkNewAnswer({ value: 'a', count: '3' }, { value: 'b', count: '2' }),
    stopStream(),
    startStream(),
    addData(input, ...values('a', 'c')),
    checkNewAnswer({ value: 'a', count: '1' }, { value: 'c', count: '1' }),
  ])
})

/** −1 when a word times out. */
function withTimeout(input: ReturnType<typeof words>, map = false) {
  const f = ({ value }: { value: string }, rows: readonly unknown[], state: Count) => {
    if (state.hasTimedOut) {
      state.remove()
      return { value, count: '-1' }
    }
    const count = (state.getOption()?.count ?? 0n) + BigInt(rows.length)
    state.update({ count })
    state.setTimeoutDuration('10 seconds')
    return { value, count: String(count) }
  }
  const options = {
    state: { count: t.long() },
    output: { value: t.string(), count: t.string() },
    timeout: 'ProcessingTimeTimeout',
  } as const
  const grouped = input.toDF().groupBy('value')
  return map
    ? grouped.mapGroupsWithState(f, options)
    : grouped.flatMapGroupsWithState((key, rows, state) => [f(key, rows, state)], { ...options, outputMode: 'update' })
}

test.each([false, true])('J3 flatMapGroupsWithState - streaming with processing time timeout (mapGroupsWithState: %s)', async (map) => {
  const input = words()
  const clock = new ManualClock(0)
  await testStream(withTimeout(input, map), { outputMode: 'update', trigger: everySecond, clock }, [
    addData(input, ...values('a')),
    advanceManualClock(1000),
    checkNewAnswer({ value: 'a', count: '1' }),
    assertNumStateRows({ total: 1, updated: 1 }),
    addData(input, ...values('b')),
    advanceManualClock(1000),
    checkNewAnswer({ value: 'b', count: '1' }),
    assertNumStateRows({ total: 2, updated: 1 }),
    addData(input, ...values('b')),
    advanceManualClock(10_000),
    checkNewAnswer({ value: 'a', count: '-1' }, { value: 'b', count: '2' }),
    assertNumStateRows({ total: 1, updated: 1, removed: 1 }),
    stopStream(),
    startStream({ trigger: everySecond, clock }),
    addData(input, ...values('c')),
    advanceManualClock(11_000),
    checkNewAnswer({ value: 'b', count: '-1' }, { value: 'c', count: '1' }),
    assertNumStateRows({ total: 1, updated: 1, removed: 1 }),
    advanceManualClock(12_000), // no data
    checkNewAnswer({ value: 'c', count: '-1' }),
    assertNumStateRows({ total: 0, updated: 0, removed: 1 }),
  ])
})

/** The greatest time of each word; it times out when the watermark has passed that and five seconds. −1 then. */
function maxTime(engine_: Engine, outputMode: 'append' | 'update') {
  const input = new MemoryStream(engine_, { value: t.string(), second: t.int() })
  const frame = input
    .toDF()
    .withColumn('at', ({ second }) => timestamp_seconds(second))
    .withWatermark('at', '10 seconds')
    .groupBy('value')
    .flatMapGroupsWithState(
      ({ value }, rows, state) => {
        if (state.hasTimedOut) {
          state.remove()
          return [{ value, max: -1 }]
        }
        expect(state.getCurrentWatermarkMs()).toBeGreaterThanOrEqual(0)
        const max = Math.max(state.getOption() ?? 0, ...rows.map(({ at }) => Number(at.epochMilliseconds) / 1000))
        state.update(max)
        state.setTimeoutTimestamp(max * 1000, '5 seconds')
        return [{ value, max }]
      },
      { state: t.int(), output: { value: t.string(), max: t.int() }, timeout: 'EventTimeTimeout', outputMode },
    )
  return { input, frame }
}

test('J4 flatMapGroupsWithState - streaming with event time timeout', async () => {
  const { input, frame } = maxTime(engine(), 'update')
  const row = (value: string, second: number) => ({ value, second })
  await testStream(frame, { outputMode: 'update' }, [
    addData(input, row('a', 11), row('a', 13), row('a', 15)),
    checkNewAnswer({ value: 'a', max: 15 }), // watermark 5
    addData(input, row('a', 4)), // late: dropped
    checkNewAnswer(),
    addData(input, row('a', 10)),
    checkNewAnswer({ value: 'a', max: 15 }),
    stopStream(),
    startStream(),
    addData(input, row('a', 25)), // watermark 15: too soon for a timeout at 30
    checkNewAnswer({ value: 'a', max: 25 }),
    addData(input, row('b', 35)), // watermark 25
    checkNewAnswer({ value: 'b', max: 35 }),
    addData(input, row('b', 41)), // watermark 31: a times out in the batch without data
    checkNewAnswer({ value: 'b', max: 41 }, { value: 'a', max: -1 }),
    assertNumStateRows({ total: 1, droppedByWatermark: 1 }),
  ])
})

test('J4 flatMapGroupsWithState with append mode, and an aggregation after it', async () => {
  const input = words()
  const counted = (runningCount(input, 'append') as Untyped).groupBy('value').count()
  await testStream(counted, { outputMode: 'complete' }, [
    addData(input, ...values('a')),
    checkAnswer({ value: 'a', count: 1n }),
    addData(input, ...values('a', 'b')),
    checkAnswer({ value: 'a', count: 2n }, { value: 'b', count: 1n }),
    assertNumStateRows({ total: [2, 2] }),
  ])
})

// ---- J5: the rules of GroupState

/** Calls `f` with a new state in a batch of a stream at 1 s, watermark 1 s. */
async function inCall(timeout: GroupStateTimeout, f: (state: GroupState<bigint, bigint | number>) => void) {
  const input = new MemoryStream(engine(), { value: t.string(), at: t.timestamp() })
  const stream = input
    .toDF()
    .withWatermark('at', '0 seconds')
    .groupBy('value')
    .flatMapGroupsWithState(
      (_, rows, state) => {
        if (rows.some(({ value }) => value === 'now')) f(state)
      },
      { state: t.long(), output: { n: t.int() }, timeout, outputMode: 'update' },
    )
  const clock = new ManualClock(0)
  const at = (value: string, ms: number) => ({ value, at: new Date(ms) })
  await testStream(stream, { outputMode: 'update', clock, trigger: everySecond }, [
    addData(input, at('before', 1000)),
    advanceManualClock(1000),
    addData(input, at('now', 2000)),
    advanceManualClock(1000),
    checkNewAnswer(),
  ])
}
const error = (f: () => void) => {
  try {
    f()
  } catch (thrown) {
    return codeOf(thrown)
  }
  return undefined
}

test('J5 GroupState - get, exists, update, remove with non-existing state', async () => {
  await inCall('NoTimeout', (state) => {
    expect([state.exists, state.getOption(), state.hasTimedOut]).toEqual([false, undefined, false])
    expect(error(() => state.get())).toBe('STATE_NOT_DEFINED')
    state.update(5)
    expect([state.exists, state.get(), state.getOption()]).toEqual([true, 5n, 5n])
    state.remove()
    expect([state.exists, state.getOption()]).toEqual([false, undefined])
    expect(error(() => state.get())).toBe('STATE_NOT_DEFINED')
    expect(error(() => state.update(null as never))).toBe('ILLEGAL_STATE_STORE_VALUE.NULL_VALUE')
    expect(error(() => state.update('x' as never))).toBe('INVALID_EXTERNAL_TYPE')
  })
})

test('J5 GroupState - setTimeout - with NoTimeout', async () => {
  await inCall('NoTimeout', (state) => {
    expect(error(() => state.setTimeoutDuration(1000))).toBe('CANNOT_SET_TIMEOUT_DURATION')
    expect(error(() => state.setTimeoutTimestamp(5000))).toBe('CANNOT_SET_TIMEOUT_TIMESTAMP')
  })
})

test('J5 GroupState - setTimeout - with ProcessingTimeTimeout', async () => {
  await inCall('ProcessingTimeTimeout', (state) => {
    state.setTimeoutDuration(500)
    state.setTimeoutDuration('1 month 5 days')
    expect(error(() => state.setTimeoutDuration(0))).toBe('INVALID_TIMEOUT')
    expect(error(() => state.setTimeoutDuration(-1))).toBe('INVALID_TIMEOUT')
    expect(error(() => state.setTimeoutDuration('-1 hour'))).toBe('INVALID_TIMEOUT')
    expect(error(() => state.setTimeoutTimestamp(5000))).toBe('CANNOT_SET_TIMEOUT_TIMESTAMP')
    expect(state.getCurrentProcessingTimeMs()).toBe(2000)
    state.remove()
    state.setTimeoutDuration(500) // a timeout without a state
  })
})

test('J5 GroupState - setTimeout - with EventTimeTimeout: not below the watermark, equal is allowed', async () => {
  await inCall('EventTimeTimeout', (state) => {
    expect(state.getCurrentWatermarkMs()).toBe(1000)
    state.setTimeoutTimestamp(1000)
    state.setTimeoutTimestamp(new Date(1000), '1 minute')
    expect(error(() => state.setTimeoutTimestamp(999))).toBe('INVALID_TIMEOUT')
    expect(error(() => state.setTimeoutTimestamp(0))).toBe('INVALID_TIMEOUT')
    expect(error(() => state.setTimeoutDuration(500))).toBe('CANNOT_SET_TIMEOUT_DURATION')
  })
})

test('J5 a timeout counts for one call; a call that timed out and does not update keeps the value', async () => {
  const input = words()
  const clock = new ManualClock(0)
  const calls: string[] = []
  const stream = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(
      ({ value }, rows, state) => {
        calls.push(`${value} ${state.hasTimedOut ? 'timed out' : rows.length} ${state.getOption() ?? '-'}`)
        if (!state.exists) state.setTimeoutDuration(5000)
        if (!state.hasTimedOut) state.update(rows.length)
      },
      { state: t.int(), output: { n: t.int() }, timeout: 'ProcessingTimeTimeout', outputMode: 'update' },
    )
  await testStream(stream, { outputMode: 'update', clock, trigger: everySecond }, [
    addData(input, ...values('a', 'b')),
    advanceManualClock(1000), // timeouts at 6 s
    addData(input, ...values('b')), // sets none again
    advanceManualClock(1000),
    advanceManualClock(4000), // 6 s: not before it
    checkNewAnswer(),
    assertNumStateRows({ total: 2, updated: 3 }),
    advanceManualClock(1000),
    checkNewAnswer(),
    assertNumStateRows({ total: 2, updated: 1 }), // the timeout is gone, the value is kept
    advanceManualClock(60_000),
    checkNewAnswer(),
    assertNumStateRows({ total: 2, updated: 0 }),
  ])
  expect(calls).toEqual(['a 1 -', 'b 1 -', 'b 1 1', 'a timed out 1'])
})

// ---- initial state

const initial = () =>
  engine().createDataFrame(
    [
      { value: 'a', count: 2 },
      { value: 'keep', count: 1 },
      { value: 'c', count: 5 },
    ],
    { value: t.string(), count: t.long() },
  )

test('flatMapGroupsWithState - initial state - all cases', async () => {
  const input = words()
  const calls: string[] = []
  const stream = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(
      ({ value }, rows, state) => {
        calls.push(`${value} ${rows.length} ${state.getOption()?.count ?? '-'}`)
        if (value === 'c' && rows.length === 0) return state.remove()
        const count = (state.getOption()?.count ?? 0n) + BigInt(rows.length)
        state.update({ count })
        return [{ value, count }]
      },
      { state: { count: t.long() }, output: { value: t.string(), count: t.long() }, outputMode: 'update', initialState: initial() },
    )
  await testStream(stream, { outputMode: 'update' }, [
    addData(input, ...values('a', 'b')),
    checkNewAnswer({ value: 'a', count: 3n }, { value: 'b', count: 1n }, { value: 'keep', count: 1n }),
    assertNumStateRows({ total: 3 }),
    stopStream(),
    startStream(),
    addData(input, ...values('keep', 'c')),
    checkNewAnswer({ value: 'keep', count: 2n }, { value: 'c', count: 1n }),
  ])
  expect(calls.sort()).toEqual(['a 1 2', 'b 1 -', 'c 0 5', 'c 1 -', 'keep 0 1', 'keep 1 1'])
})

test('flatMapGroupsWithState - initial state - duplicate keys', async () => {
  const input = words()
  const twice = initial().union(initial())
  const stream = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(() => [], { state: { count: t.long() }, output: { n: t.int() }, outputMode: 'update', initialState: twice })
  await testStream(stream, { outputMode: 'update' }, [addData(input, ...values('a')), expectFailure('INITIAL_STATE_DUPLICATE_KEY')])
})

test('an initial state must have the keys and the columns of the state', () => {
  const grouped = words().toDF().groupBy('value')
  const call = (initialState: ReturnType<typeof initial>, state: unknown) =>
    error(() => grouped.mapGroupsWithState(() => ({ n: 1 }), { state: state as never, output: { n: t.int() }, initialState }))
  expect(call(initial().withColumnRenamed('value', 'v') as never, { count: t.long() })).toBe('UNRESOLVED_COLUMN.WITH_SUGGESTION')
  expect(call(initial(), { count: t.int() })).toBe('INITIAL_STATE_MISMATCH')
  expect(call(initial().withColumn('more', ({ count }) => count) as never, t.long())).toBe('INITIAL_STATE_MISMATCH')
  expect(call(initial(), { other: t.long() })).toBe('UNRESOLVED_COLUMN.WITH_SUGGESTION')
  expect(call(words().toDF() as never, t.long())).toBe('UNSUPPORTED_STREAMING_OPERATION')
})

// ---- batch

test('mapGroupsWithState - batch, flatMapGroupsWithState - batch, with and without initial state', async () => {
  const table = engine().createDataFrame(values('a', 'a', 'b'), { value: t.string() })
  const options = { state: { count: t.long() }, output: { value: t.string(), count: t.long() }, timeout: 'ProcessingTimeTimeout' } as const
  const count = ({ value }: { value: string }, rows: readonly unknown[], state: Count) => {
    state.setTimeoutDuration(1000) // has no effect
    return { value, count: (state.getOption()?.count ?? 0n) + BigInt(rows.length) }
  }
  const rows = (found: { value: string; count: bigint }[]) => found.map(({ value, count }) => `${value}${count}`).sort()
  const grouped = table.groupBy('value')
  expect(rows(await grouped.mapGroupsWithState(count, options).collect())).toEqual(['a2', 'b1'])
  const flat = grouped.flatMapGroupsWithState((...args) => [count(...args), count(...args)], options)
  expect(rows(await flat.collect())).toEqual(['a2', 'a2', 'b1', 'b1'])
  const begun = grouped.mapGroupsWithState(count, { ...options, initialState: initial() })
  expect(rows(await begun.collect())).toEqual(['a4', 'b1', 'c5', 'keep1'])
  expect(rows(await flat.where(({ value }) => value.eq('b')).collect())).toEqual(['b1', 'b1'])
})

// ---- keys, types, async, errors

test('keys may be expressions and several; the state any type; calls asynchronous', async () => {
  const input = new MemoryStream(engine(), { value: t.string(), at: t.timestamp(), n: t.decimal(30, 2).nullable() })
  const stream = input
    .toDF()
    .groupBy(({ value, at }) => ({ word: value.substr(1, 1), day: at.cast('date') }))
    .flatMapGroupsWithState(
      async function* ({ word, day }, rows, state) {
        await Promise.resolve()
        const before = state.getOption()
        state.update({ seen: [...(before?.seen ?? []), ...rows.map((row) => row.value)], last: rows.at(-1)!.at, sum: rows.at(-1)!.n })
        yield { word, day, seen: state.get().seen, sum: before?.sum ?? null }
      },
      {
        state: { seen: t.array(t.string()), last: t.timestamp(), sum: t.decimal(30, 2).nullable() },
        output: { word: t.string(), day: t.date(), seen: t.array(t.string()), sum: t.decimal(30, 2).nullable() },
        outputMode: 'update',
      },
    )
    .selectExpr('word', 'CAST(day AS string) AS day', "concat_ws(',', seen) AS seen", 'CAST(sum AS string) AS sum')
  const row = (value: string, day: number, n: string | null) => ({ value, at: new Date(Date.UTC(2026, 0, day, 12)), n })
  await testStream(stream, { outputMode: 'update' }, [
    addData(input, row('ab', 1, '1.5'), row('ac', 1, null), row('ad', 2, '3')),
    checkNewAnswer({ word: 'a', day: '2026-01-01', seen: 'ab,ac', sum: null }, { word: 'a', day: '2026-01-02', seen: 'ad', sum: null }),
    stopStream(),
    startStream(),
    addData(input, row('ax', 2, '7')),
    checkNewAnswer({ word: 'a', day: '2026-01-02', seen: 'ad,ax', sum: '3.00' }),
  ])
})

test('what the function throws stops the query with the key, and nothing is committed', async () => {
  const input = words()
  let fails = true
  const stream = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(
      ({ value }, rows, state) => {
        state.update((state.getOption() ?? 0) + rows.length)
        if (fails && value === 'bad') throw new RangeError('no such word')
        return [{ value, n: state.get() }]
      },
      { state: 'int', output: 'value string, n int', outputMode: 'update' },
    )
  const failure = stream.writeStream.outputMode('update').format('noop').start()
  input.addData(...values('a'))
  const query = await failure
  await query.processAllAvailable()
  input.addData(...values('good', 'bad'))
  await expect(query.awaitTermination()).rejects.toMatchObject({
    name: 'UserFunctionError',
    code: 'FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR',
    what: expect.stringContaining('{"value":"bad"}'),
    cause: expect.any(RangeError),
  })
  const again = words()
  await testStream(
    runningCountOf(again, () => fails),
    { outputMode: 'update' },
    [
      addData(again, ...values('a')),
      checkNewAnswer({ value: 'a', n: 1 }),
      addData(again, ...values('a', 'bad')),
      expectFailure('FLATMAPGROUPSWITHSTATE_USER_FUNCTION_ERROR'),
      { name: 'mend', needsQuery: false, run: async () => void (fails = false) },
      startStream(),
      checkNewAnswer({ value: 'a', n: 2 }, { value: 'bad', n: 1 }),
    ],
  )
})
function runningCountOf(input: ReturnType<typeof words>, fails: () => boolean) {
  return input
    .toDF()
    .groupBy('value')
    .mapGroupsWithState(
      async ({ value }, rows, state) => {
        const n = (state.getOption() ?? 0) + rows.length
        state.update(n)
        await Promise.resolve()
        if (fails() && value === 'bad') throw new Error('not yet')
        return { value, n }
      },
      { state: t.int(), output: { value: t.string(), n: t.int() } },
    )
}

test('a row that the output has not is told with the key', async () => {
  const input = words()
  const stream = input
    .toDF()
    .groupBy('value')
    .mapGroupsWithState(({ value }) => ({ n: value }) as never, { state: t.int(), output: { n: t.int() } })
  await testStream(stream, { outputMode: 'update' }, [addData(input, ...values('seven')), expectFailure('UDF_RETURN_TYPE')])
  const lost = input
    .toDF()
    .groupBy('value')
    .flatMapGroupsWithState(() => 7 as never, { state: t.int(), output: { n: t.int() } })
  const other = words()
  other.addData(...values('x'))
  await testStream(lost, [addData(input, ...values('seven')), expectFailure('UDF_RETURN_TYPE')])
})

// ---- what is refused

test('output modes and combinations that Spark refuses', () => {
  const grouped = () => words().toDF().groupBy('value')
  const options = { state: t.int(), output: { value: t.string() } } as const
  const start = (frame: unknown, mode: string) =>
    (frame as { writeStream: Untyped }).writeStream
      .outputMode(mode)
      .format('noop')
      .start()
      .then(
        (query: { stop(): Promise<void> }) => query.stop(),
        (thrown: unknown) => codeOf(thrown),
      )
  const mapped = () => grouped().mapGroupsWithState(({ value }) => ({ value }), options)
  const flat = (outputMode: 'append' | 'update', timeout: GroupStateTimeout = 'NoTimeout'): Untyped =>
    grouped().flatMapGroupsWithState(() => [], { ...options, outputMode, timeout })
  const refused = 'UNSUPPORTED_STREAMING_OPERATION'
  return Promise.all([
    expect(start(mapped(), 'append')).resolves.toBe(refused),
    expect(start(mapped(), 'update')).resolves.toBeUndefined(),
    expect(start(mapped(), 'complete')).resolves.toBe('STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION'),
    expect(start(flat('append'), 'update')).resolves.toBe(refused),
    expect(start(flat('update'), 'append')).resolves.toBe(refused),
    expect(start(flat('append'), 'append')).resolves.toBeUndefined(),
    expect(start(flat('append', 'EventTimeTimeout'), 'append')).resolves.toBe(refused),
    expect(start((flat('update') as Untyped).groupBy('value').count(), 'complete')).resolves.toBe(refused),
    expect(start((flat('append') as Untyped).groupBy('value').count(), 'complete')).resolves.toBeUndefined(),
    expect(start(mapped().groupBy('value').count(), 'update')).resolves.toBe(refused),
    expect(start(mapped().groupBy('value').count(), 'complete')).resolves.toBe(refused),
    expect(
      start(
        mapped()
          .groupBy('value')
          .mapGroupsWithState(({ value }) => ({ value }), options),
        'update',
      ),
    ).resolves.toBe(refused),
    expect(
      start(
        mapped()
          .groupBy('value')
          .flatMapGroupsWithState(() => [], { ...options, outputMode: 'update' }),
        'update',
      ),
    ).resolves.toBe(refused),
    expect(
      start(
        flat('append')
          .groupBy('value')
          .flatMapGroupsWithState(() => [], options),
        'append',
      ),
    ).resolves.toBeUndefined(),
    expect(
      start(
        flat('update')
          .groupBy('value')
          .flatMapGroupsWithState(() => [], { ...options, outputMode: 'update' }),
        'update',
      ),
    ).resolves.toBe(refused),
  ])
})

test('a step with state over event-time timeouts is refused', async () => {
  const { frame } = maxTime(engine(), 'append')
  const start = (frame as Untyped).groupBy('value').count().writeStream.outputMode('complete').format('noop').start()
  await expect(start).rejects.toMatchObject({ code: 'UNSUPPORTED_STREAMING_OPERATION' })
})

test('wrong arguments', () => {
  const grouped = words().toDF().groupBy('value') as Untyped
  expect(error(() => grouped.mapGroupsWithState('f', { state: t.int(), output: { n: t.int() } }))).toBe('INVALID_UDF')
  expect(error(() => grouped.mapGroupsWithState(() => 1, { state: t.int() }))).toBe('INVALID_SCHEMA')
  expect(error(() => grouped.mapGroupsWithState(() => 1, { output: { n: t.int() } }))).toBe('INVALID_SCHEMA')
  expect(error(() => grouped.mapGroupsWithState(() => 1, { state: t.int(), output: { n: t.int() }, timeout: 'never' }))).toBe(
    'INVALID_TIMEOUT',
  )
  expect(error(() => grouped.flatMapGroupsWithState(() => [], { state: t.int(), output: { n: t.int() }, outputMode: 'complete' }))).toBe(
    'STREAMING_OUTPUT_MODE.INVALID',
  )
  const all = words().toDF().groupBy() as Untyped
  expect(error(() => all.mapGroupsWithState(() => 1, { state: t.int(), output: { n: t.int() } }))).toBe('GROUP_BY_WITHOUT_KEYS')
})

test('an unknown query has no state operators of others: metrics of flatMapGroupsWithState', async () => {
  const input = words()
  await testStream(runningCount(input), { outputMode: 'update' }, [
    addData(input, ...values('a')),
    assertOnQuery('name and instances', (query) => {
      const [operator] = query.lastProgress!.stateOperators
      expect(operator).toMatchObject({ operatorName: 'flatMapGroupsWithState', numRowsTotal: 1, numRowsUpdated: 1 })
      expect(operator!.numStateStoreInstances).toBe(operator!.numShufflePartitions)
    }),
  ])
})
