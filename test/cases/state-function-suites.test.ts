// What is left of FlatMapGroupsWithStateSuite, GroupStateSuite, TransformWithStateSuite, TransformWithListStateSuite and
// TransformWithMapStateSuite of Spark 4.2.0: their inputs and answers as data.
import { MemoryStream, type StatefulProcessorHandle, t, timestamp_seconds } from 'millrace'
import {
  addData,
  advanceManualClock,
  assertNumStateRows,
  checkNewAnswer,
  ManualClock,
  multiAddData,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { counted, RunningCount, values } from './processors.ts'

const engine = useEngine()
type Untyped = any
const words = () => new MemoryStream(engine(), { value: t.string() })
const everySecond = { kind: 'processing-time', intervalMs: 1000 } as const
const keyed = { key: t.string(), s: t.int() }
const timed = (input: MemoryStream<any>, delay = '10 seconds'): Untyped =>
  (input.toDF() as Untyped).select(({ key, s }: Untyped) => ({ key, at: timestamp_seconds(s) })).withWatermark('at', delay)
const row = (key: string, s: number) => ({ key, s })
const secondsOf = (rows: readonly Untyped[]) => rows.map(({ at }) => at.epochMilliseconds / 1000)
const codeOf = (use: () => unknown) => {
  try {
    use()
  } catch (error) {
    return (error as { code: string }).code
  }
  return undefined
}

// ---- (flat)mapGroupsWithState

test('GroupState - timeouts as text, months of 31 days; illegal ones', async () => {
  const tried: unknown[] = []
  const run = async (timeout: string, calls: readonly ((state: Untyped) => unknown)[]) => {
    const input = new MemoryStream(engine(), keyed)
    const frame = timed(input, '0 seconds')
      .groupBy('key')
      .flatMapGroupsWithState(
        (_: Untyped, __: Untyped, state: Untyped) => void tried.push(...calls.map((call) => codeOf(() => call(state)))),
        {
          state: t.int(),
          output: { n: t.int() },
          timeout,
          outputMode: 'update',
        },
      )
    await testStream(frame, { outputMode: 'update', trigger: everySecond, clock: new ManualClock(0) }, [
      addData(input, row('a', 1)),
      advanceManualClock(1000),
      checkNewAnswer(),
    ])
    return tried.splice(0)
  }
  expect(
    await run('ProcessingTimeTimeout', [
      (s) => s.setTimeoutDuration('-1 month 31 days 1 second'),
      ...[-1000, 0, '-2 second', '-1 month', '1 month -31 day'].map((d) => (s: Untyped) => s.setTimeoutDuration(d)),
    ]),
  ).toEqual([undefined, ...Array(5).fill('INVALID_TIMEOUT')])
  expect(
    await run('EventTimeTimeout', [
      (s) => s.setTimeoutTimestamp(0, '1 hour'),
      (s) => s.setTimeoutTimestamp(new Date(20000)),
      (s) => s.setTimeoutTimestamp(-10000),
      (s) => s.setTimeoutTimestamp(new Date(-10000)),
      ...['-3 second', '-1 month', '1 month -32 day'].flatMap((d) => [
        (s: Untyped) => s.setTimeoutTimestamp(10000, d),
        (s: Untyped) => s.setTimeoutTimestamp(new Date(-10000), d),
      ]),
    ]),
  ).toEqual([undefined, undefined, ...Array(8).fill('INVALID_TIMEOUT')])
})

test.each(['NoTimeout', 'ProcessingTimeTimeout', 'EventTimeTimeout'])('GroupState over tables, %s', async (timeout) => {
  const seen: unknown[] = []
  const call = async (frame: Untyped, initialState?: Untyped) => {
    const rows = await frame
      .groupBy('key')
      .mapGroupsWithState(
        ({ key }: Untyped, rows: Untyped[], state: Untyped) => {
          if (timeout === 'EventTimeTimeout') state.setTimeoutTimestamp(0, '1 hour')
          if (timeout === 'ProcessingTimeTimeout') state.setTimeoutDuration('1  hour')
          const n = (state.getOption() ?? 0) + rows.length
          state.update(10)
          seen.push(codeOf(() => state.getCurrentWatermarkMs()) ?? state.getCurrentWatermarkMs(), state.hasTimedOut)
          return { key, n }
        },
        { state: t.int(), output: { key: t.string(), n: t.int() }, timeout, initialState },
      )
      .collect()
    return rows.map(({ key, n }: Untyped) => `${key}${n}`).sort()
  }
  const table = engine().createDataFrame([row('a', 1), row('a', 2), row('b', 3)], keyed)
  expect(await call(table)).toEqual(['a2', 'b1'])
  expect(seen.splice(0)).toEqual(['CANNOT_GET_EVENT_TIME_WATERMARK', false, 'CANNOT_GET_EVENT_TIME_WATERMARK', false])
  const initial = engine().createDataFrame([row('a', 2), row('keep', 1)], keyed)
  expect(await call(table, initial)).toEqual(['a4', 'b1', 'keep1'])
  seen.splice(0)
  const withMark = (table as Untyped).select(({ key, s }: Untyped) => ({ key, at: timestamp_seconds(s) })).withWatermark('at', '1 second')
  expect(await call(withMark)).toEqual(['a2', 'b1'])
  expect(seen).toEqual([-1, false, -1, false])
})

test('InputProcessor - process new data, process timed out state: what a call leaves behind', async () => {
  // each key: what its first call sets, what its second call does (with data, or timed out), and what stands afterwards
  type Use = (state: Untyped) => void
  const nothing = () => {}
  const update =
    (n: number): Use =>
    (state) =>
      state.update(n)
  const remove: Use = (state) => state.remove()
  const timeout =
    (ms: number): Use =>
    (state) =>
      state.setTimeoutDuration(ms)
  const both =
    (...uses: Use[]): Use =>
    (state) => {
      for (const use of uses) use(state)
    }
  const cases: Record<string, { before: Use; next: Use; state: number | null; due: number | null; timesOut?: true }> = {
    'no update': { before: update(0), next: nothing, state: 0, due: null },
    'state updated': { before: update(0), next: update(5), state: 5, due: null },
    'state removed': { before: update(0), next: remove, state: null, due: null },
    'timeout reset': { before: both(update(0), timeout(90_000)), next: nothing, state: 0, due: null },
    'timeout without state': { before: nothing, next: timeout(5000), state: null, due: 7000 },
    'state and timeout': { before: update(0), next: both(update(5), timeout(5000)), state: 5, due: 7000 },
    'timeout after remove': { before: update(0), next: both(remove, timeout(5000)), state: null, due: 7000 },
    'should not timeout': { before: both(update(5), timeout(60_000)), next: nothing, state: 5, due: 61_000, timesOut: true },
    'timed out, nothing': { before: both(update(5), timeout(500)), next: nothing, state: 5, due: null, timesOut: true },
    'timed out, update': { before: both(update(4), timeout(500)), next: update(5), state: 5, due: null, timesOut: true },
    'timed out, remove': { before: both(update(5), timeout(500)), next: remove, state: null, due: null, timesOut: true },
    'timed out, again': { before: both(update(5), timeout(500)), next: timeout(2000), state: 5, due: 4000, timesOut: true },
  }
  const clock = new ManualClock(0)
  const input = words()
  const calls = new Map<string, number>()
  const left = new Map<string, string>()
  const frame = (input.toDF() as Untyped).groupBy('value').flatMapGroupsWithState(
    ({ value }: Untyped, rows: readonly unknown[], state: Untyped) => {
      const { before, next, timesOut } = cases[value]!
      const call = (calls.get(value) ?? 0) + 1
      calls.set(value, call)
      if (call === 1) return void before(state)
      if (call === 2 && value !== 'should not timeout') {
        expect([value, state.hasTimedOut, rows.length]).toEqual([value, timesOut ?? false, timesOut ? 0 : 1])
        return void next(state)
      }
      if (!left.has(value))
        left.set(value, `${state.getOption() ?? null} ${state.hasTimedOut ? state.getCurrentProcessingTimeMs() : 'by data'}`)
    },
    { state: t.int(), output: { n: t.int() }, timeout: 'ProcessingTimeTimeout', outputMode: 'update' },
  )
  const names = Object.keys(cases)
  const withData = names.filter((name) => !cases[name]!.timesOut)
  await testStream(frame, { outputMode: 'update', clock, trigger: everySecond }, [
    addData(input, ...values(...names)),
    advanceManualClock(1000),
    addData(input, ...values(...withData)),
    advanceManualClock(1000),
    ...Array.from({ length: 60 }, () => advanceManualClock(1000)),
    addData(input, ...values(...names)),
    advanceManualClock(1000),
    checkNewAnswer(),
  ])
  for (const [name, { state, due }] of Object.entries(cases))
    expect([name, left.get(name)]).toEqual([name, `${state} ${due === null ? 'by data' : due + 1000}`])
})

test('SPARK-29438: mapGroupsWithState under a union; SPARK-38320: state with data does not time out', async () => {
  const [left, right] = [words(), words()]
  const counts = (right.toDF() as Untyped).groupBy('value').mapGroupsWithState(
    ({ value }: Untyped, rows: readonly unknown[], state: Untyped) => {
      state.update((state.getOption() ?? 0) + rows.length)
      return { value, n: String(state.get()) }
    },
    { state: t.int(), output: { value: t.string(), n: t.string() } },
  )
  const both = (left.toDF() as Untyped).selectExpr('value', 'value AS n').union(counts)
  await testStream(both, { outputMode: 'update' }, [
    multiAddData([left, values('l')], [right, values('a')]),
    checkNewAnswer(['l', 'l'], ['a', '1']),
    stopStream(),
    startStream({ options: { 'spark.sql.shuffle.partitions': '3' } }),
    multiAddData([left, values('l')], [right, values('a', 'b')]),
    checkNewAnswer(['l', 'l'], ['a', '2'], ['b', '1']),
  ])
  const input = new MemoryStream(engine(), keyed)
  const calls: string[] = []
  const once = timed(input, '0 seconds')
    .groupBy('key')
    .mapGroupsWithState(
      ({ key }: Untyped, _: unknown, state: Untyped) => {
        calls.push(`${state.exists} ${state.hasTimedOut}`)
        if (!state.exists) {
          state.update(0)
          state.setTimeoutTimestamp(500)
        }
        return { key }
      },
      { state: t.int(), output: { key: t.string() }, timeout: 'EventTimeTimeout' },
    )
  await testStream(once, { outputMode: 'update', options: { 'spark.sql.streaming.noDataMicroBatches.enabled': 'false' } }, [
    addData(input, row('k', 1)),
    checkNewAnswer(['k']),
    addData(input, row('k', 2)),
    checkNewAnswer(['k']),
  ])
  expect(calls).toEqual(['false false', 'true false'])
})

test('SPARK-35896: the counts of flatMapGroupsWithState by event time', async () => {
  const input = new MemoryStream(engine(), keyed)
  const frame = timed(input)
    .groupBy('key')
    .flatMapGroupsWithState(
      ({ key }: Untyped, rows: readonly Untyped[], state: Untyped) => {
        if (state.hasTimedOut) return state.remove() ?? [{ key, max: -1 }]
        const max = Math.max(state.getOption() ?? 0, ...secondsOf(rows))
        state.update(max)
        state.setTimeoutTimestamp((max + 5) * 1000)
        return [{ key, max }]
      },
      { state: t.int(), output: { key: t.string(), max: t.int() }, timeout: 'EventTimeTimeout', outputMode: 'update' },
    )
  await testStream(frame, { outputMode: 'update' }, [
    addData(input, row('a', 11), row('a', 13), row('a', 15)),
    checkNewAnswer(['a', 15]),
    assertNumStateRows({ total: 1, updated: 1, droppedByWatermark: 0, removed: 0 }),
    addData(input, row('a', 4)),
    checkNewAnswer(),
    assertNumStateRows({ total: 1, updated: 0, droppedByWatermark: 1, removed: 0 }),
    addData(input, row('a', 10)),
    checkNewAnswer(['a', 15]),
    addData(input, row('b', 31)),
    checkNewAnswer(['a', -1], ['b', 31]),
    assertNumStateRows({ total: 1, updated: 2, droppedByWatermark: 0, removed: 1 }),
  ])
})

// ---- transformWithState

test.each(['None', 'ProcessingTime'])('a watermark under the time mode %s drops no late rows', async (timeMode) => {
  const clock = new ManualClock(0)
  const input = new MemoryStream(engine(), keyed)
  const least = timed(input)
    .groupBy('key')
    .transformWithState(
      () => {
        let min: Untyped
        return {
          init(handle: StatefulProcessorHandle) {
            min = handle.getValueState('min', t.int())
          },
          handleInputRows({ key }: Untyped, rows: readonly Untyped[]) {
            min.update(Math.min(min.get() ?? Number.POSITIVE_INFINITY, ...secondsOf(rows)))
            return [{ key, min: min.get() }]
          },
        }
      },
      { output: { key: t.string(), min: t.int() }, timeMode, outputMode: 'update' },
    )
  const step = (seconds: number[], min: number) => [
    addData(input, ...seconds.map((s) => row('a', s))),
    advanceManualClock(1000),
    checkNewAnswer(['a', min]),
  ]
  await testStream(least, { outputMode: 'update', trigger: everySecond, clock }, [
    ...step([11, 13, 15], 11),
    ...step([4], 4),
    ...step([1], 1),
    assertNumStateRows({ droppedByWatermark: 0 }),
    ...step([85], 1),
  ])
})

test('lazy iterators get and set the state of their key; a timer of the past fires', async () => {
  const input = new MemoryStream(engine(), { s: t.int() })
  const frame = (input.toDF() as Untyped)
    .select(({ s }: Untyped) => ({ s, at: timestamp_seconds(s) }))
    .withWatermark('at', '10 seconds')
    .groupBy('s')
    .transformWithState(
      () => {
        let [handle, state, hasTimer]: Untyped[] = []
        function* lazily(seconds: Iterable<number>) {
          for (const s of seconds) {
            state.get()
            state.update(s)
            yield { s }
          }
        }
        return {
          init(given: StatefulProcessorHandle) {
            handle = given
            state = given.getValueState('state', t.int())
          },
          handleInputRows(_: unknown, rows: readonly Untyped[]) {
            state.update(1)
            if (!hasTimer) handle.registerTimer(0)
            hasTimer = true
            return lazily(rows.map(({ s }) => s))
          },
          handleExpiredTimer: () => lazily([42]),
        }
      },
      { output: { s: t.int() }, timeMode: 'EventTime', outputMode: 'update' },
    )
  await testStream(frame, { outputMode: 'update' }, [addData(input, { s: 12 }), checkNewAnswer([12], [42])])
})

test('several timers of a key fire one by one', async () => {
  const clock = new ManualClock(0)
  const input = words()
  const frame = (input.toDF() as Untyped).groupBy('value').transformWithState(
    () => {
      let [handle, count]: Untyped[] = []
      return {
        init(given: StatefulProcessorHandle) {
          handle = given
          count = given.getValueState('count', t.int())
        },
        handleInputRows(_: unknown, rows: readonly unknown[], times: Untyped) {
          count.update((count.get() ?? 0) + rows.length)
          if (handle.listTimers().length > 0) return
          for (const delay of [5000, 10_000, 15_000]) handle.registerTimer(times.getCurrentProcessingTimeInMs() + delay)
          expect(handle.listTimers().length).toBe(3)
        },
        handleExpiredTimer({ value }: Untyped) {
          const n = count.get() ?? 0
          if (handle.listTimers().length === 1) count.clear()
          return [{ value, n }]
        },
      }
    },
    { output: { value: t.string(), n: t.int() }, timeMode: 'ProcessingTime', outputMode: 'update' },
  )
  const step = (ms: number, ...answer: [string, number][]) => [
    addData(input, ...values('a')),
    advanceManualClock(ms),
    checkNewAnswer(...answer),
  ]
  await testStream(frame, { outputMode: 'update', trigger: everySecond, clock }, [
    ...step(1000),
    ...step(6000, ['a', 2]),
    ...step(5000, ['a', 3]),
    stopStream(),
    startStream({ trigger: everySecond, clock }),
    ...step(5000, ['a', 4]),
    assertNumStateRows({ total: 0 }),
  ])
})

test('several input streams, also of another type', async () => {
  const [first, second, third] = [words(), words(), new MemoryStream(engine(), { n: t.long() })]
  const frame = (first.toDF() as Untyped)
    .union(second.toDF())
    .union((third.toDF() as Untyped).selectExpr('CAST(n AS string) AS value'))
    .groupBy('value')
    .transformWithState(() => new RunningCount(), { output: counted, outputMode: 'update' })
  await testStream(frame, { outputMode: 'update' }, [
    addData(first, ...values('1')),
    checkNewAnswer(['1', '1']),
    addData(second, ...values('1', '2')),
    checkNewAnswer(['1', '2'], ['2', '1']),
    addData(third, { n: 1n }, { n: 2n }), // 1 has three: its state goes
    checkNewAnswer(['2', '2']),
    multiAddData([first, values('4', '5')], [second, values('1', '3')]),
    checkNewAnswer(['1', '1'], ['3', '1'], ['4', '1'], ['5', '1']),
  ])
})

test.each(['handleInitialState', 'handleInputRows', 'handleExpiredTimer'])(
  'what fails in %s is told with it; an error of the engine stays what it is',
  async (method) => {
    for (const kind of ['own', 'classified'] as const) {
      const clock = new ManualClock(0)
      const input = words()
      const frame = (input.toDF() as Untyped).groupBy('value').transformWithState(
        () => {
          let [handle, state]: Untyped[] = []
          const fail = (here: string) => {
            if (here !== method) return
            if (kind === 'own') throw new Error('dummy unclassified error')
            state.update(null)
          }
          return {
            init(given: StatefulProcessorHandle) {
              handle = given
              state = given.getValueState('state', t.int())
            },
            handleInitialState: () => fail('handleInitialState'),
            handleInputRows(_: unknown, __: unknown, times: Untyped) {
              handle.registerTimer(times.getCurrentProcessingTimeInMs() + 1000)
              fail('handleInputRows')
            },
            handleExpiredTimer: () => fail('handleExpiredTimer'),
          }
        },
        {
          output: counted,
          timeMode: 'ProcessingTime',
          outputMode: 'update',
          initialState: engine().createDataFrame(values('init'), { value: t.string() }),
        },
      )
      const query = testStream(frame, { outputMode: 'update', trigger: everySecond, clock }, [
        addData(input, ...values('a')),
        advanceManualClock(1000),
        ...(method === 'handleExpiredTimer' ? [checkNewAnswer(), advanceManualClock(2000)] : []),
        checkNewAnswer(),
      ])
      const expected =
        kind === 'own'
          ? `TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR.*${method}.*dummy unclassified error`
          : 'ILLEGAL_STATE_STORE_VALUE.NULL_VALUE'
      await expect(query).rejects.toThrow(new RegExp(expected, 's'))
    }
  },
)

// ---- lists and maps

test.each([
  ['appendValue of null', (l: Untyped) => l.appendValue(null), 'NULL_VALUE'],
  ['appendList of null', (l: Untyped) => l.appendList(null), 'NULL_VALUE'],
  ['appendList with null', (l: Untyped) => l.appendList([null]), 'NULL_VALUE'],
  ['put of null', (l: Untyped) => l.put(null), 'NULL_VALUE'],
  ['put with null', (l: Untyped) => l.put([null]), 'NULL_VALUE'],
  ['put of nothing', (l: Untyped) => l.put([]), 'EMPTY_LIST_VALUE'],
  ['appendList of nothing', (l: Untyped) => l.appendList([]), 'EMPTY_LIST_VALUE'],
  ['getValue of null', (_: Untyped, m: Untyped) => m.getValue(null), 'NULL_VALUE'],
  ['containsKey of null', (_: Untyped, m: Untyped) => m.containsKey(null), 'NULL_VALUE'],
  ['updateValue of null', (_: Untyped, m: Untyped) => m.updateValue(null, ''), 'NULL_VALUE'],
  ['updateValue with null', (_: Untyped, m: Untyped) => m.updateValue('k', null), 'NULL_VALUE'],
  ['removeKey of null', (_: Untyped, m: Untyped) => m.removeKey(null), 'NULL_VALUE'],
])('%s is an error', async (_, use, code) => {
  const seen: (string | undefined)[] = []
  await usingAll((list, map) => seen.push(codeOf(() => use(list, map))))
  expect(seen).toEqual([`ILLEGAL_STATE_STORE_VALUE.${code}`])
})

/** One call with a list and a map. */
async function usingAll(
  use: (list: Untyped, map: Untyped, value: Untyped, handle: StatefulProcessorHandle) => unknown,
  options: object = {},
) {
  const table = engine().createDataFrame(values('k'), { value: t.string() })
  await (table as Untyped)
    .groupBy('value')
    .transformWithState(
      () => {
        let all: Untyped[] = []
        return {
          init(handle: StatefulProcessorHandle) {
            all = [
              handle.getListState('list', t.string()),
              handle.getMapState('map', t.string(), t.string()),
              handle.getValueState('value', t.string()),
              handle,
            ]
          },
          handleInputRows: () => void use(...(all as [Untyped, Untyped, Untyped, Untyped])),
        }
      },
      { output: counted, ...options },
    )
    .collect()
}
