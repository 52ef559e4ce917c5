// States to begin with: FlatMapGroupsWithStateWithInitialStateSuite and TransformWithStateInitialStateSuite of Spark 4.2.0.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
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
  ManualClock,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { values, type Word } from './processors.ts'

const engine = useEngine()
type Untyped = any
const words = () => new MemoryStream(engine(), { value: t.string().nullable() })
const everySecond = { kind: 'processing-time', intervalMs: 1000 } as const
const counts = { value: t.string().nullable(), n: t.long() }
const initial = (...list: [string | null, bigint][]) =>
  engine().createDataFrame(
    list.map(([value, n]) => ({ value, n })),
    counts,
  )
const skip = 'spark.sql.streaming.flatMapGroupsWithState.skipEmittingInitialStateKeys'

/** Adds the number of rows to the state, which some keys only read. */
const counting = ({ value }: Untyped, rows: readonly unknown[], state: Untyped) => {
  expect(state.hasTimedOut).toBe(false)
  if (rows.length === 0) expect(state.exists).toBe(true)
  const n = (state.getOption() ?? 0n) + BigInt(rows.length)
  if (value !== 'read') state.update(n)
  return [{ value, n }]
}
const counted = (frame: Untyped, initialState: Untyped, more: object = {}): Untyped =>
  frame.groupBy('value').flatMapGroupsWithState(counting, { state: t.long(), output: counts, outputMode: 'update', initialState, ...more })

test('flatMapGroupsWithState - initial state - all cases; it is read once', async () => {
  const input = words()
  const frame = counted(input.toDF(), initial(['both', 2n], ['read', 2n], [null, 7n], ['state', 1n]))
  await testStream(frame, { outputMode: 'update' }, [
    addData(input, ...values('data', 'both'), { value: null }),
    checkNewAnswer(['data', 1n], ['both', 3n], [null, 8n], ['read', 2n], ['state', 1n]),
    assertNumStateRows({ total: 5, updated: 4 }), // all but the one that is only read
    stopStream(),
    startStream(),
    addData(input, ...values('state')),
    checkNewAnswer(['state', 2n]),
    assertNumStateRows({ total: 5, updated: 1 }),
  ])
})

test.each([false, true])('skipEmittingInitialStateKeys=%s', async (skips) => {
  const input = words()
  const begun = initial(['apple', 1n], ['orange', 2n], ['mango', 5n])
  await testStream(counted(input.toDF(), begun), { outputMode: 'update', options: { [skip]: String(skips) } }, [
    addData(input, ...values('apple', 'banana')),
    checkNewAnswer(['apple', 2n], ['banana', 1n], ...(skips ? [] : [['orange', 2n] as const, ['mango', 5n] as const])),
    addData(input, ...values('orange')),
    checkNewAnswer(['orange', 3n]),
    assertNumStateRows({ total: 4 }),
  ])
  engine().conf.set(skip, skips)
  const table = engine().createDataFrame(values('orange', 'mango'), { value: t.string() })
  const found = await counted(table, begun).collect()
  engine().conf.unset(skip)
  const expected = ['mango 6', 'orange 3', ...(skips ? [] : ['apple 1'])]
  expect(found.map(({ value, n }: Untyped) => `${value} ${n}`).sort()).toEqual(expected.sort())
})

test('flatMapGroupsWithState - initial state - processing time timeout, under a watermark that it does not go by', async () => {
  const clock = new ManualClock(0)
  const input = new MemoryStream(engine(), { value: t.string(), s: t.long() })
  const frame = (input.toDF() as Untyped)
    .selectExpr('value', 'timestamp_seconds(s) AS at')
    .withWatermark('at', '10 seconds')
    .groupBy('value')
    .flatMapGroupsWithState(
      ({ value }: Untyped, rows: readonly unknown[], state: Untyped) => {
        if (state.hasTimedOut) return state.remove() ?? [{ value, n: -1n }]
        const n = (state.getOption() ?? 0n) + BigInt(rows.length)
        state.update(n)
        state.setTimeoutDuration('10 seconds')
        return [{ value, n }]
      },
      {
        state: t.long(),
        output: counts,
        outputMode: 'update',
        timeout: 'ProcessingTimeTimeout',
        initialState: engine().createDataFrame([{ value: 'c', n: 2n }], { value: t.string(), n: t.long() }),
      },
    )
  await testStream(frame, { outputMode: 'update', trigger: everySecond, clock }, [
    addData(input, { value: 'a', s: 1n }),
    advanceManualClock(1000),
    checkNewAnswer(['a', 1n], ['c', 2n]),
    advanceManualClock(10_000),
    addData(input, { value: 'b', s: 1n }),
    advanceManualClock(1000),
    checkNewAnswer(['a', -1n], ['b', 1n], ['c', -1n]),
  ])
})

test('an initial state that another function with state made', async () => {
  const input = words()
  const made = initial(['a', 1n])
    .groupBy('value')
    .mapGroupsWithState(({ value }, rows) => ({ value, n: rows[0]!.n }), { state: t.long(), output: counts })
  await testStream(counted(input.toDF(), made), { outputMode: 'update' }, [addData(input, ...values('a')), checkNewAnswer(['a', 2n])])
})

/** Counts rows; a key has a timer behind its first row, and another one behind its second. */
class WithTimers implements StatefulProcessor<Word, Word, Untyped, Word> {
  #handle!: StatefulProcessorHandle
  #count!: ValueState<bigint, bigint>
  #timer!: ValueState<bigint, bigint>
  init(handle: StatefulProcessorHandle) {
    this.#handle = handle
    this.#count = handle.getValueState('count', t.long())
    this.#timer = handle.getValueState('timer', t.long())
  }
  #set(dueMs: number) {
    this.#handle.registerTimer(dueMs)
    this.#timer.update(BigInt(dueMs))
  }
  #see({ value }: Word, before: bigint, count: bigint, times: TimerValues) {
    this.#count.update(count)
    if (value !== 'a') return
    if (before === 0n) this.#set(times.getCurrentProcessingTimeInMs() + 5000)
    if (before !== 1n) return
    this.#handle.deleteTimer(Number(this.#timer.get()))
    this.#set(times.getCurrentProcessingTimeInMs() + 7500)
  }
  handleInitialState(key: Word, _: Word, times: TimerValues) {
    this.#see(key, 0n, 1n, times)
  }
  handleInputRows(key: Word, rows: readonly Word[], times: TimerValues) {
    const before = this.#count.get() ?? 0n
    this.#see(key, before, before + BigInt(rows.length), times)
    return [{ value: key.value, n: before + BigInt(rows.length) }]
  }
  handleExpiredTimer({ value }: Word) {
    this.#timer.clear()
    return [{ value, n: -1n }]
  }
}

test('transformWithStateWithInitialState - processing time timers of keys that no row has come for', async () => {
  const clock = new ManualClock(0)
  const input = new MemoryStream(engine(), { value: t.string() })
  const initialState = engine().createDataFrame(values('a', 'b'), { value: t.string() })
  const frame = (input.toDF() as Untyped)
    .groupBy('value')
    .transformWithState(() => new WithTimers(), { output: counts, timeMode: 'ProcessingTime', outputMode: 'update', initialState })
  await testStream(frame, { outputMode: 'update', trigger: everySecond, clock }, [
    addData(input, ...values('c')),
    advanceManualClock(1000),
    checkNewAnswer(['c', 1n]),
    addData(input, ...values('c')),
    advanceManualClock(6000), // the timer of a is due at 6 s
    checkNewAnswer(['a', -1n], ['c', 2n]),
    addData(input, ...values('a', 'a')),
    advanceManualClock(1000), // and another one at 15.5 s
    checkNewAnswer(['a', 3n]),
    addData(input, ...values('b')),
    advanceManualClock(8000),
    checkNewAnswer(['a', -1n], ['b', 2n]),
  ])
})

test('transformWithStateWithInitialState - event time timers of keys that no row has come for', async () => {
  const fields = { k: t.string(), s: t.int() }
  const row = (k: string, s: number) => ({ k, s })
  const input = new MemoryStream(engine(), fields)
  const timed = (frame: Untyped) =>
    frame.select(({ k, s }: Untyped) => ({ value: k, at: timestamp_seconds(s) })).withWatermark('at', '10 seconds')
  const processor = () => {
    let handle: StatefulProcessorHandle
    let most: ValueState<bigint, bigint>
    const see = (rows: readonly Untyped[]) => {
      const before = Number(most.get() ?? 0n)
      const now = Math.max(before, ...rows.map(({ at }) => at.epochMilliseconds / 1000))
      if (now > before) {
        handle.deleteTimer((before + 5) * 1000)
        handle.registerTimer((now + 5) * 1000)
      }
      most.update(BigInt(now))
      return BigInt(now)
    }
    return {
      init(given: StatefulProcessorHandle) {
        handle = given
        most = given.getValueState('most', t.long())
      },
      handleInitialState: (_: Untyped, initialRow: Untyped) => void see([initialRow]),
      handleInputRows: ({ value }: Untyped, rows: readonly Untyped[]) => [{ value, n: see(rows) }],
      handleExpiredTimer({ value }: Untyped) {
        most.clear()
        return [{ value, n: -1n }]
      },
    }
  }
  const frame = timed(input.toDF())
    .groupBy('value')
    .transformWithState(processor, {
      output: counts,
      timeMode: 'EventTime',
      outputMode: 'update',
      initialState: timed(engine().createDataFrame([row('a', 11), row('b', 5)], fields)),
    })
  await testStream(frame, { outputMode: 'update' }, [
    addData(input, row('a', 13), row('a', 15)),
    checkNewAnswer(['a', 15n]),
    addData(input, row('c', 7)), // watermark 5
    checkNewAnswer(['c', 7n]),
    addData(input, row('d', 31)), // watermark 21: the timers of a (20), b (10) and c (12)
    checkNewAnswer(['a', -1n], ['b', -1n], ['c', -1n], ['d', 31n]),
  ])
})

test('transformWithStateWithInitialState - correctness test, run with multiple state variables; once', async () => {
  const commands = new MemoryStream(engine(), { key: t.string(), action: t.string(), v: t.double() })
  const command = (text: string) => {
    const [key = '', action = '', v = '-1'] = text.split(' ')
    return { key, action, v: Number(v) }
  }
  const initialState = engine().createDataFrame(
    [
      { key: 'init_1', value: 40, entries: [40], mapping: new Map([[40, 1]]) },
      { key: 'init_2', value: 100, entries: [100], mapping: new Map([[100, 1]]) },
    ],
    { key: t.string(), value: t.double(), entries: t.array(t.double()), mapping: t.map(t.double(), t.int()) },
  )
  const frame = (commands.toDF() as Untyped).groupBy('key').transformWithState(
    () => {
      let [value, list, map]: Untyped[] = []
      return {
        init(handle: StatefulProcessorHandle) {
          value = handle.getValueState('testValueInit', t.double())
          list = handle.getListState('testListInit', t.double())
          map = handle.getMapState('testMapInit', t.double(), t.int())
        },
        handleInitialState(_: Untyped, initial: Untyped) {
          value.update(initial.value)
          list.appendList(initial.entries)
          for (const [key, count] of initial.mapping) map.updateValue(key, count)
        },
        *handleInputRows({ key }: Untyped, rows: readonly Untyped[]) {
          const say = (answer: unknown) => ({ text: `${key} ${answer}` })
          for (const { action, v } of rows) {
            if (action === 'get') yield say(value.get())
            else if (action === 'update') value.update(v)
            else if (action === 'add') value.update((value.get() ?? 0) + v)
            else if (action === 'remove') value.clear()
            else if (action === 'getList') yield say(list.get())
            else if (action === 'append') list.appendValue(v)
            else if (action === 'clearList') list.clear()
            else if (action === 'getCount') yield say(map.getValue(v) ?? 0)
            else if (action === 'incCount') map.updateValue(v, (map.getValue(v) ?? 0) + 1)
            else map.removeKey(v)
          }
        },
      }
    },
    { output: { text: t.string() }, initialState },
  )
  const steps: [string[], string[]][] = [
    [['k1 update 37', 'k2 update 40', 'non-exist get'], ['non-exist null']],
    [['k1 append 37', 'k2 append 40', 'non-exist getList'], ['non-exist ']],
    [
      ['k2 incCount 40', 'k2 incCount 40', 'k2 getCount 40', 'non-exist getCount'],
      ['k2 2', 'non-exist 0'],
    ],
    [
      ['init_1 get', 'init_2 get', 'init_1 getList', 'init_2 getList', 'init_1 getCount 40', 'init_2 getCount 100'],
      ['init_1 40', 'init_2 100', 'init_1 40', 'init_2 100', 'init_1 1', 'init_2 1'],
    ],
    [
      ['init_1 add 50', 'init_1 add 50', 'init_1 get', 'init_2 add 60', 'init_2 get'],
      ['init_1 140', 'init_2 160'],
    ],
    [
      ['init_1 remove', 'init_1 get', 'init_1 append 50', 'init_1 getList', 'init_1 incCount 40', 'init_1 getCount 40'],
      ['init_1 null', 'init_1 40,50', 'init_1 2'],
    ],
    [
      ['init_1 removeKey 40', 'init_1 getCount 40', 'init_1 clearList', 'init_1 getList', 'k1 remove', 'k1 get'],
      ['init_1 0', 'init_1 ', 'k1 null'],
    ],
  ]
  await testStream(
    frame,
    steps.flatMap(([texts, answers], i) => [
      ...(i === 4 ? [stopStream(), startStream()] : []),
      addData(commands, ...texts.map(command)),
      checkNewAnswer(...answers.map((text) => [text] as const)),
      ...(i === 0
        ? [
            assertOnQuery('time', (q) =>
              expect(q.lastProgress!.stateOperators[0]!.customMetrics['initialStateProcessingTimeMs']).toBeGreaterThanOrEqual(0),
            ),
          ]
        : []),
    ]),
  )
})

test.each([true, false])(
  'the state of another query, as the state source shows it, is an initial state (flattenCollectionTypes: %s)',
  async (flattenCollectionTypes) => {
    const processor = () => {
      let [value, list, map]: Untyped[] = []
      return {
        init(handle: StatefulProcessorHandle) {
          value = handle.getValueState('testVal', t.long())
          list = handle.getListState('testList', t.long())
          map = handle.getMapState('testMap', t.string(), t.long())
        },
        handleInitialState(_: Untyped, row: Untyped) {
          if (row.n !== null) value.update(row.n)
          else if (row.element !== null) list.appendValue(row.element)
          else if (row.elements !== null) list.appendList(row.elements)
          else for (const [key, n] of row.mapKey === null ? row.entries : [[row.mapKey, row.mapValue]]) map.updateValue(key, n)
        },
        handleInputRows({ value: key }: Untyped, rows: readonly Untyped[]) {
          let n = value.get() ?? 0n
          for (const row of rows) {
            list.appendValue(++n)
            map.updateValue(row.value, (map.getValue(row.value) ?? 0n) + 1n)
          }
          value.update(n)
          return [{ value: key, n: String(n) }]
        },
      }
    }
    const output = { value: t.string(), n: t.string() }
    const [first, second] = await Promise.all([0, 1].map(() => mkdtemp(join(tmpdir(), 'millrace-from-state-'))))
    const input = words()
    await testStream(
      (input.toDF() as Untyped).groupBy('value').transformWithState(processor, { output, outputMode: 'update' }),
      { outputMode: 'update', checkpointLocation: first!, options: { 'spark.sql.shuffle.partitions': '5' } },
      [
        addData(input, ...values('a', 'b')),
        checkNewAnswer(['a', '1'], ['b', '1']),
        addData(input, ...values('a', 'b', 'a')),
        checkNewAnswer(['a', '3'], ['b', '2']),
      ],
    )
    const read = async (path: string, stateVarName: string) =>
      ((await engine().read.format('statestore').options({ stateVarName, flattenCollectionTypes }).load(path)) as Untyped)
        .drop('partition_id')
        .where("key.value <> 'c'")
    const rowsOf = async (path: string) =>
      Promise.all(
        ['testVal', 'testList', 'testMap'].map(async (name) =>
          (await (await read(path, name)).selectExpr('to_json(struct(*)) AS row').collect()).map((r: Untyped) => r.row).sort(),
        ),
      )
    const [val, list, map] = await Promise.all(['testVal', 'testList', 'testMap'].map((name) => read(first!, name)))
    const none = { element: 'CAST(NULL AS bigint)', elements: 'CAST(NULL AS array<bigint>)', mapKey: 'CAST(NULL AS string)' }
    const initialState = val
      .selectExpr('key.value AS value', 'value.value AS n')
      .unionByName(
        list.selectExpr(
          'key.value AS value',
          ...(flattenCollectionTypes
            ? ['list_element.value AS element', `${none.elements} AS elements`]
            : ['list_value.value AS elements', `${none.element} AS element`]),
        ),
        true,
      )
      .unionByName(
        map.selectExpr(
          'key.value AS value',
          ...(flattenCollectionTypes
            ? ['user_map_key.value AS mapKey', 'user_map_value.value AS mapValue', 'CAST(NULL AS map<string, bigint>) AS entries']
            : [
                `${none.mapKey} AS mapKey`,
                'CAST(NULL AS bigint) AS mapValue',
                'map_from_entries(transform(map_entries(map_value), x -> struct(x.key.value AS k, x.value.value AS v))) AS entries',
              ]),
        ),
        true,
      )
    const another = words()
    await testStream(
      (another.toDF() as Untyped).groupBy('value').transformWithState(processor, { output, initialState }),
      { checkpointLocation: second!, options: { 'spark.sql.shuffle.partitions': '2' } },
      [addData(another, ...values('c')), checkNewAnswer(['c', '1'])],
    )
    expect(await rowsOf(second!)).toEqual(await rowsOf(first!))
    expect((await rowsOf(first!)).map((rows) => rows.length)).toEqual(flattenCollectionTypes ? [2, 5, 2] : [2, 2, 2])
    await Promise.all([first!, second!].map((path) => rm(path, { recursive: true })))
  },
)
