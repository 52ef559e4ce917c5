import {
  type ExpiredTimerInfo,
  type ListState,
  type MapState,
  MemoryStream,
  type StatefulProcessor,
  type StatefulProcessorHandle,
  type TimerValues,
  t,
  timestamp_seconds,
  type ValueState,
} from 'millrace'
import {
  addData,
  advanceManualClock,
  assertNumStateRows,
  assertOnQuery,
  checkNewAnswer,
  expectFailure,
  ManualClock,
  type StreamAction,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { counted, metric, RunningCount, RunningCountWithTimer, values, type Word } from './processors.ts'

const engine = useEngine()
type Untyped = any
const words = () => new MemoryStream(engine(), { value: t.string() })
const everySecond = { kind: 'processing-time', intervalMs: 1000 } as const
test('K1 transformWithState - streaming with rocksdb and no timer, TimeMode.None', async () => {
  const input = words()
  const stream = input
    .toDF()
    .groupBy('value')
    .transformWithState(() => new RunningCount(), { output: counted, outputMode: 'update' })
  await testStream(stream, { outputMode: 'update' }, [
    addData(input, ...values('a')),
    checkNewAnswer({ value: 'a', count: '1' }),
    assertNumStateRows({ total: 1, updated: 1 }),
    metric('numValueStateVars', 1),
    metric('numRegisteredTimers', 0),
    addData(input, ...values('a', 'b')),
    checkNewAnswer({ value: 'a', count: '2' }, { value: 'b', count: '1' }),
    assertNumStateRows({ total: 2, updated: 2 }),
    stopStream(),
    startStream(),
    addData(input, ...values('a', 'b')),
    checkNewAnswer({ value: 'b', count: '2' }),
    assertNumStateRows({ total: 1, updated: 1, removed: 1 }),
    stopStream(),
    startStream(),
    addData(input, ...values('a', 'c')),
    checkNewAnswer({ value: 'a', count: '1' }, { value: 'c', count: '1' }),
  ])
})

test('K2 transformWithState - streaming with rocksdb and processing time timer', async () => {
  const input = words()
  const clock = new ManualClock(0)
  const stream = input
    .toDF()
    .groupBy('value')
    .transformWithState(() => new RunningCountWithTimer(), { output: counted, timeMode: 'ProcessingTime', outputMode: 'update' })
  await testStream(stream, { outputMode: 'update', trigger: everySecond, clock }, [
    addData(input, ...values('a')),
    advanceManualClock(1000),
    checkNewAnswer({ value: 'a', count: '1' }),
    metric('numRegisteredTimers', 1),
    addData(input, ...values('b')),
    advanceManualClock(1000),
    checkNewAnswer({ value: 'b', count: '1' }),
    addData(input, ...values('b')),
    advanceManualClock(10_000), // a is due at 6 s
    checkNewAnswer({ value: 'a', count: '-1' }, { value: 'b', count: '2' }),
    metric('numExpiredTimers', 1),
    stopStream(),
    startStream({ trigger: everySecond, clock }),
    addData(input, ...values('b', 'c')),
    advanceManualClock(1000),
    checkNewAnswer({ value: 'c', count: '1' }),
    addData(input, ...values('d')),
    advanceManualClock(10_000),
    checkNewAnswer({ value: 'c', count: '-1' }, { value: 'd', count: '1' }),
    assertNumStateRows({ total: 1 }),
    stopStream(),
  ])
})

/** Keeps the greatest time of a key, and a timer five seconds behind it. */
class MaxEventTime
  implements StatefulProcessor<Word, Word & { readonly at: { epochMilliseconds: number } }, { value: string; max: number }>
{
  #handle!: StatefulProcessorHandle
  #max!: ValueState<bigint, bigint | number>
  #timer!: ValueState<bigint, bigint | number>
  init(handle: StatefulProcessorHandle) {
    this.#handle = handle
    this.#max = handle.getValueState('maxEventTimeState', t.long())
    this.#timer = handle.getValueState('timerState', t.long())
  }
  handleInputRows({ value }: Word, rows: readonly { readonly at: { epochMilliseconds: number } }[], timerValues: TimerValues) {
    expect(timerValues.getCurrentWatermarkInMs()).toBeGreaterThanOrEqual(0)
    const max = Math.max(Number(this.#max.get() ?? 0n), ...rows.map(({ at }) => at.epochMilliseconds / 1000))
    const before = this.#timer.get()
    if (before !== null) this.#handle.deleteTimer(Number(before))
    this.#handle.registerTimer(max * 1000 + 5000)
    this.#timer.update(max * 1000 + 5000)
    this.#max.update(max)
    return [{ value, max }]
  }
  handleExpiredTimer({ value }: Word, _: TimerValues, info: ExpiredTimerInfo) {
    expect(Number(this.#timer.get())).toBe(info.getExpiryTimeInMs())
    expect(this.#handle.listTimers()).toEqual([info.getExpiryTimeInMs()])
    this.#max.clear()
    this.#timer.clear()
    return [{ value, max: -1 }]
  }
}

test('K3 transformWithState - streaming with rocksdb and event time based timer', async () => {
  const input = new MemoryStream(engine(), { value: t.string(), second: t.int() })
  const row = (value: string, second: number) => ({ value, second })
  const stream = input
    .toDF()
    .withColumn('at', ({ second }) => timestamp_seconds(second))
    .withWatermark('at', '10 seconds')
    .groupBy('value')
    .transformWithState(() => new MaxEventTime(), {
      output: { value: t.string(), max: t.int() },
      timeMode: 'EventTime',
      outputMode: 'update',
    })
  await testStream(stream, { outputMode: 'update' }, [
    addData(input, row('a', 11), row('a', 13), row('a', 15)),
    checkNewAnswer({ value: 'a', max: 15 }), // timer at 20, watermark 5
    addData(input, row('a', 4)), // late
    checkNewAnswer(),
    assertNumStateRows({ total: 2, droppedByWatermark: 1 }),
    addData(input, row('a', 10), row('a', 17)),
    checkNewAnswer({ value: 'a', max: 17 }), // timer at 22
    stopStream(),
    startStream(),
    addData(input, row('a', 25)),
    checkNewAnswer({ value: 'a', max: 25 }), // timer at 30, watermark 15
    addData(input, row('b', 31)),
    checkNewAnswer({ value: 'b', max: 31 }), // timer at 36, watermark 21
    addData(input, row('b', 40)), // watermark 30: a is due in the batch without data
    checkNewAnswer({ value: 'a', max: -1 }, { value: 'b', max: 40 }),
    assertNumStateRows({ total: 2 }),
  ])
})

test('K4 timers: a time that has passed fires in the same batch, several fire in order, deleted ones do not', async () => {
  const input = words()
  const clock = new ManualClock(0)
  const calls: string[] = []
  const stream = input
    .toDF()
    .groupBy('value')
    .transformWithState(
      () => {
        let handle: StatefulProcessorHandle
        return {
          init(given) {
            handle = given
          },
          handleInputRows({ value }, _, times) {
            const now = times.getCurrentProcessingTimeInMs()
            for (const ms of [now + 3000, now, now - 5, now + 2000, now + 1000]) handle.registerTimer(ms)
            handle.registerTimer(now + 2000) // once all the same
            handle.deleteTimer(now + 1000)
            expect(handle.listTimers()).toEqual([now - 5, now, now + 2000, now + 3000])
            if (value === 'b') for (const ms of handle.listTimers()) handle.deleteTimer(ms)
          },
          handleExpiredTimer({ value }, times, info) {
            calls.push(`${value} ${info.getExpiryTimeInMs()} at ${times.getCurrentProcessingTimeInMs()}: ${handle.listTimers()}`)
            // a call may delete a timer that is due after it
            if (info.getExpiryTimeInMs() === 3000) handle.deleteTimer(4000)
          },
        }
      },
      { output: { n: t.int() }, timeMode: 'ProcessingTime' },
    )
  await testStream(stream, { trigger: everySecond, clock }, [
    addData(input, ...values('a', 'b')),
    advanceManualClock(1000),
    metric('numRegisteredTimers', 12),
    metric('numExpiredTimers', 2),
    advanceManualClock(10_000),
    metric('numExpiredTimers', 1),
  ])
  expect(calls).toEqual(['a 995 at 1000: 995,1000,3000,4000', 'a 1000 at 1000: 1000,3000,4000', 'a 3000 at 11000: 3000,4000'])
})

// ---- lists and maps

test('K5 transformWithState - list state: put, append, get, exists, clear', async () => {
  const input = new MemoryStream(engine(), { key: t.string(), action: t.string(), value: t.string() })
  const row = (key: string, action: string, value = '') => ({ key, action, value })
  const stream = input
    .toDF()
    .groupBy('key')
    .transformWithState(
      () => {
        let list: ListState<string>
        return {
          init(handle) {
            list = handle.getListState('testListState', t.string())
          },
          *handleInputRows({ key }, rows) {
            for (const { action, value } of rows) {
              if (action === 'put') list.put(value.split(','))
              else if (action === 'append') list.appendValue(value)
              else if (action === 'appendList') list.appendList(value.split(','))
              else if (action === 'clear') list.clear()
              else if (action === 'exists') yield { key, value: String(list.exists()) }
              else for (const found of list.get()) yield { key, value: found }
            }
          },
        }
      },
      { output: { key: t.string(), value: t.string() } },
    )
  const answer = (...found: string[]) => checkNewAnswer(...found.map((text) => ({ key: text.split(' ')[0], value: text.split(' ')[1] })))
  await testStream(stream, [
    addData(input, row('k1', 'append', 'v1'), row('k1', 'append', 'v2'), row('k1', 'exists'), row('k2', 'exists'), row('k1', 'get')),
    answer('k1 true', 'k2 false', 'k1 v1', 'k1 v2'),
    assertNumStateRows({ total: 1, updated: 2 }), // a list is one row
    metric('numListStateVars', 1),
    addData(input, row('k1', 'appendList', 'v3,v4'), row('k2', 'put', 'w1,w2')),
    answer(),
    assertNumStateRows({ total: 2, updated: 4 }),
    stopStream(),
    startStream(),
    addData(input, row('k1', 'get'), row('k1', 'append', 'v5'), row('k1', 'get'), row('k2', 'get')),
    answer('k1 v1', 'k1 v2', 'k1 v3', 'k1 v4', 'k1 v1', 'k1 v2', 'k1 v3', 'k1 v4', 'k1 v5', 'k2 w1', 'k2 w2'),
    addData(input, row('k1', 'put', 'x'), row('k2', 'clear'), row('k2', 'exists')),
    answer('k2 false'),
    assertNumStateRows({ total: 1, removed: 2 }),
    addData(input, row('k1', 'get'), row('k2', 'append', 'back'), row('k2', 'get')),
    answer('k1 x', 'k2 back'),
    assertNumStateRows({ total: 2 }),
  ])
})

test('K6 transformWithState - map state: entries are kept by key', async () => {
  const input = new MemoryStream(engine(), { key: t.string(), action: t.string(), user: t.string(), value: t.string() })
  const row = (key: string, action: string, user = '', value = '') => ({ key, action, user, value })
  const stream = input
    .toDF()
    .groupBy('key')
    .transformWithState(
      () => {
        let map: MapState<string, { v: string; n: bigint | null }, string, { v: string; n?: bigint | number | null }>
        return {
          init(handle) {
            map = handle.getMapState('testMapState', t.string(), { v: t.string(), n: t.long().nullable() })
          },
          handleInputRows({ key }, rows) {
            const out: { key: string; text: string }[] = []
            const say = (text: unknown) => out.push({ key, text: String(text) })
            for (const { action, user, value } of rows) {
              if (action === 'update') map.updateValue(user, { v: value, n: value.length })
              else if (action === 'remove') map.removeKey(user)
              else if (action === 'clear') map.clear()
              else if (action === 'get') say(map.getValue(user)?.v ?? null)
              else if (action === 'contains') say(map.containsKey(user))
              else if (action === 'exists') say(map.exists())
              else if (action === 'keys') say([...map.keys()].join())
              else if (action === 'values') say([...map.values()].map(({ v, n }) => `${v}${n}`).join())
              else say([...map.iterator()].map(([u, { v }]) => `${u}=${v}`).join())
            }
            return out
          },
        }
      },
      { output: { key: t.string(), text: t.string() } },
    )
  const answer = (...found: string[]) => checkNewAnswer(...found.map((text) => ({ key: text.split(' ')[0], text: text.split(' ')[1] })))
  await testStream(stream, [
    addData(
      input,
      row('k1', 'exists'),
      row('k1', 'update', 'u1', 'one'),
      row('k1', 'update', 'u2', 'two'),
      row('k1', 'get', 'u1'),
      row('k2', 'get', 'u1'),
    ),
    answer('k1 false', 'k1 one', 'k2 null'),
    assertNumStateRows({ total: 2, updated: 2 }),
    metric('numMapStateVars', 1),
    stopStream(),
    startStream(),
    addData(
      input,
      row('k1', 'get', 'u2'),
      row('k1', 'update', 'u2', 'zwei'),
      row('k1', 'entries'),
      row('k1', 'contains', 'u3'),
      row('k2', 'update', 'u1', 'x'),
    ),
    answer('k1 two', 'k1 u1=one,u2=zwei', 'k1 false'),
    assertNumStateRows({ total: 3, updated: 2 }),
    addData(input, row('k1', 'remove', 'u1'), row('k1', 'contains', 'u1'), row('k1', 'keys'), row('k1', 'values'), row('k1', 'exists')),
    answer('k1 false', 'k1 u2', 'k1 zwei4', 'k1 true'),
    assertNumStateRows({ total: 2, removed: 1 }),
    addData(input, row('k1', 'clear'), row('k1', 'exists'), row('k2', 'entries'), row('k1', 'update', 'u9', 'nine'), row('k1', 'entries')),
    answer('k1 false', 'k2 u1=x', 'k1 u9=nine'),
    assertNumStateRows({ total: 2, removed: 1 }),
  ])
})

// ---- TTL

/** Put, get and the like of one variable, by rows. */
function ttlStream(input: Untyped, kind: 'value' | 'list' | 'map', ttlDuration: string | number = '1 minute') {
  return input
    .toDF()
    .groupBy('key')
    .transformWithState(
      () => {
        let state: Untyped
        return {
          init(handle: StatefulProcessorHandle) {
            const ttl = { ttlDuration }
            if (kind === 'value') state = handle.getValueState('s', t.int(), ttl)
            else if (kind === 'list') state = handle.getListState('s', t.int(), ttl)
            else state = handle.getMapState('s', t.int(), t.int(), ttl)
          },
          handleInputRows({ key }: Untyped, rows: Untyped[]) {
            return rows.flatMap(({ action, value }: Untyped) => {
              if (action === 'put') {
                if (kind === 'value') state.update(value)
                else if (kind === 'list') state.appendValue(value)
                else state.updateValue(value, value)
                return []
              }
              const found =
                kind === 'value'
                  ? [state.get()].filter((each: unknown) => each !== null)
                  : kind === 'list'
                    ? state.get()
                    : [...state.values()]
              return [{ key, found: `${found.join()} ${state.exists()}` }]
            })
          },
        }
      },
      { output: { key: t.string(), found: t.string() }, timeMode: 'ProcessingTime' },
    )
}
const actions = () => new MemoryStream(engine(), { key: t.string(), action: t.string(), value: t.int() })
const put = (key: string, value: number) => ({ key, action: 'put', value })
const get = (key: string) => ({ key, action: 'get', value: 0 })

test('K7 validate state is evicted at ttl expiry - processing time ttl; an update refreshes it', async () => {
  const input = actions()
  const clock = new ManualClock(0)
  await testStream(ttlStream(input, 'value'), { trigger: everySecond, clock }, [
    addData(input, put('k1', 1)),
    advanceManualClock(1000), // expires at 61 s
    checkNewAnswer(),
    metric('numValueStateWithTTLVars', 1),
    metric('numValueStateVars', 0),
    addData(input, get('k1')),
    advanceManualClock(1000),
    checkNewAnswer({ key: 'k1', found: '1 true' }),
    stopStream(),
    startStream({ trigger: everySecond, clock }),
    addData(input, get('k1')),
    advanceManualClock(59_000), // 61 s: gone
    checkNewAnswer({ key: 'k1', found: ' false' }),
    assertNumStateRows({ total: 0 }),
    metric('numValuesRemovedDueToTTLExpiry', 1),
    addData(input, put('k2', 2)),
    advanceManualClock(4000), // 65 s, expires at 125 s
    addData(input, put('k2', 3)),
    advanceManualClock(35_000), // 100 s, expires at 160 s
    addData(input, get('k2')),
    advanceManualClock(59_000), // 159 s
    checkNewAnswer({ key: 'k2', found: '3 true' }),
    advanceManualClock(1000), // 160 s: without data
    assertNumStateRows({ total: 0 }),
  ])
})

test.each(['list', 'map'] as const)('K8 elements of a %s expire one by one', async (kind) => {
  const input = actions()
  const clock = new ManualClock(0)
  await testStream(ttlStream(input, kind, 10_000), { trigger: everySecond, clock }, [
    addData(input, put('k', 1), put('other', 9)),
    advanceManualClock(1000), // expire at 11 s
    addData(input, put('k', 2)),
    advanceManualClock(5000), // expires at 16 s
    addData(input, get('k')),
    advanceManualClock(1000),
    checkNewAnswer({ key: 'k', found: '1,2 true' }),
    stopStream(),
    startStream({ trigger: everySecond, clock }),
    addData(input, get('k'), get('other')),
    advanceManualClock(4000), // 11 s
    checkNewAnswer({ key: 'k', found: '2 true' }, { key: 'other', found: ' false' }),
    assertNumStateRows({ total: 1 }),
    metric('numValuesRemovedDueToTTLExpiry', 2),
    metric(kind === 'list' ? 'numListStateWithTTLVars' : 'numMapStateWithTTLVars', 1),
    addData(input, put('k', 3), get('k')),
    advanceManualClock(5000), // 16 s
    checkNewAnswer({ key: 'k', found: '3 true' }),
  ])
})

test('state stays bounded with TTL: many keys over a long time', async () => {
  const input = actions()
  const clock = new ManualClock(0)
  const sizes: number[] = []
  const steps = Array.from({ length: 60 }, (_, step): StreamAction[] => [
    addData(input, ...Array.from({ length: 20 }, (_, i) => put(`k${step * 20 + i}`, i))),
    advanceManualClock(1000),
    assertOnQuery('size', (query) => {
      sizes.push(query.lastProgress!.stateOperators[0]!.numRowsTotal)
    }),
  ])
  await testStream(ttlStream(input, 'list', '5 seconds'), { trigger: everySecond, clock }, steps.flat())
  expect(Math.max(...sizes)).toBeLessThanOrEqual(100)
  expect(sizes.at(-1)).toBe(100)
})

// ---- initial state, chaining, batch, query info

class WithInitial extends RunningCountWithTimer {
  handleInitialState(_key: Word, { n }: { n: bigint }, timerValues: TimerValues) {
    this.count.update(n)
    this.handle.registerTimer(timerValues.getCurrentProcessingTimeInMs() + 5000)
  }
}

test('K9 transformWithStateWithInitialState - streaming with processing time timer, can emit expired initial state rows', async () => {
  const input = words()
  const clock = new ManualClock(0)
  const initialState = engine().createDataFrame(
    [
      { value: 'a', n: 1 },
      { value: 'z', n: 7 },
    ],
    { value: t.string(), n: t.long() },
  )
  const stream = input
    .toDF()
    .groupBy('value')
    .transformWithState(() => new WithInitial(), { output: counted, timeMode: 'ProcessingTime', outputMode: 'update', initialState })
  await testStream(stream, { outputMode: 'update', trigger: everySecond, clock }, [
    addData(input, ...values('a', 'b')),
    advanceManualClock(1000),
    checkNewAnswer({ value: 'a', count: '2' }, { value: 'b', count: '1' }),
    assertNumStateRows({ total: 3 }),
    stopStream(),
    startStream({ trigger: everySecond, clock }),
    advanceManualClock(5000),
    checkNewAnswer({ value: 'a', count: '-1' }, { value: 'z', count: '-1' }),
    assertNumStateRows({ total: 1 }),
  ])
  expect(() =>
    words()
      .toDF()
      .groupBy('value')
      .transformWithState(() => new RunningCount(), { output: counted, initialState }),
  ).toThrow(/STATEFUL_PROCESSOR_WITHOUT_INITIAL_STATE/)
})

test('an event time column goes on with the watermark: an aggregation after transformWithState in append mode', async () => {
  const input = new MemoryStream(engine(), { key: t.string(), second: t.int() })
  const row = (key: string, second: number) => ({ key, second })
  const passed = input
    .toDF()
    .withColumn('at', ({ second }) => timestamp_seconds(second))
    .withWatermark('at', '1 minute')
    .groupBy('key')
    .transformWithState(
      () => ({
        init() {},
        handleInputRows: ({ key }, rows) => rows.map(({ at, second }) => ({ key, at: second === 5 ? new Date(0) : at })),
      }),
      { output: { key: t.string(), at: t.timestamp() }, timeMode: 'EventTime', eventTimeColumnName: 'at' },
    )
  const windows = passed.groupBy('at').count().selectExpr('CAST(at AS bigint) AS at', 'count')
  await testStream(windows, [
    addData(input, row('a', 100), row('b', 100), row('a', 101)),
    checkNewAnswer(),
    addData(input, row('a', 161)),
    checkNewAnswer({ at: 100n, count: 2n }, { at: 101n, count: 1n }),
    assertNumStateRows({ total: [1, 0] }),
    addData(input, row('a', 5), row('a', 200)), // the row of second 5 is late: it never gets there
    checkNewAnswer(),
    assertNumStateRows({ droppedByWatermark: [0, 1] }),
  ])
  const another = new MemoryStream(engine(), { key: t.string(), second: t.int() })
  const old = another
    .toDF()
    .withColumn('at', ({ second }) => timestamp_seconds(second))
    .withWatermark('at', '1 minute')
    .groupBy('key')
    .transformWithState(() => ({ init() {}, handleInputRows: () => [{ at: new Date(0) }] }), {
      output: { at: t.timestamp() },
      timeMode: 'EventTime',
      eventTimeColumnName: 'at',
    })
  await testStream(old, [
    addData(another, row('a', 300)),
    checkNewAnswer({ at: new Date(0) }),
    addData(another, row('a', 301)),
    expectFailure('EMITTING_ROWS_OLDER_THAN_WATERMARK_NOT_ALLOWED'),
  ])
})

test('transformWithState - batch should succeed', async () => {
  const table = engine().createDataFrame(values('a', 'a', 'b', 'c', 'c', 'c'), { value: t.string() })
  const found = await table
    .groupBy('value')
    .transformWithState(() => new RunningCount(), { output: counted })
    .collect()
  expect(found.map(({ value, count }) => `${value}${count}`).sort()).toEqual(['a2', 'b1'])
  const closes: string[] = []
  class Closing extends RunningCount {
    close() {
      closes.push('closed')
    }
  }
  const closing = table.groupBy('value').transformWithState(() => new Closing(), { output: counted })
  expect(closes).toEqual(['closed']) // it was asked for its variables
  await closing.collect()
  expect(closes).toEqual(['closed', 'closed'])
  const byEventTime = table.groupBy('value').transformWithState(() => new RunningCount(), { output: counted, timeMode: 'EventTime' })
  await expect(byEventTime.collect()).rejects.toMatchObject({ code: 'UNSUPPORTED_BATCH_OPERATION' })
})

test('getQueryInfo, close at the end of the run, and asynchronous calls', async () => {
  const input = words()
  const log: string[] = []
  const stream = input
    .toDF()
    .groupBy('value')
    .transformWithState(
      () => {
        let handle: StatefulProcessorHandle
        let seen: ValueState<bigint, bigint | number>
        return {
          async init(given) {
            handle = given
            seen = given.getValueState('seen', 'bigint')
            await Promise.resolve()
          },
          async *handleInputRows({ value }, rows) {
            await Promise.resolve()
            const n = (seen.get() ?? 0n) + BigInt(rows.length)
            yield { value, count: String(n) }
            seen.update(n)
            log.push(`batch ${handle.getQueryInfo().batchId}`)
          },
          async close() {
            await Promise.resolve()
            log.push('close')
          },
        }
      },
      { output: counted },
    )
  await Promise.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  log.splice(0)
  await testStream(stream, [
    addData(input, ...values('a')),
    checkNewAnswer({ value: 'a', count: '1' }),
    addData(input, ...values('a')),
    checkNewAnswer({ value: 'a', count: '2' }),
    assertOnQuery('ids', (query) => expect(query.id).toMatch(/-/)),
    stopStream(),
  ])
  expect(log).toEqual(['batch 0', 'batch 1', 'close'])
})
