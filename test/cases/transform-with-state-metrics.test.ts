// What lists and maps count in progress: TransformWithListStateSuite, TransformWithMapStateSuite and TransformWithListStateTTLSuite of Spark 4.2.0.
import { type ListState, type MapState, MemoryStream, t, type ValueState } from 'millrace'
import {
  addData,
  advanceManualClock,
  assertNumStateRows,
  checkNewAnswer,
  ManualClock,
  type StreamAction,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()
type Untyped = any
/** Commands as 'key action argument argument'. */
const commands = () => new MemoryStream(engine(), { key: t.string(), action: t.string(), a: t.string(), b: t.string() })
const parsed = (texts: readonly string[]) =>
  texts.map((text) => {
    const [key = '', action = '', a = '', b = ''] = text.split(' ')
    return { key, action, a, b }
  })
const output = { text: t.string() }
type Counts = Parameters<typeof assertNumStateRows>[0]
const stepsOf =
  (input: ReturnType<typeof commands>) =>
  (texts: readonly string[], answers: readonly string[], counts: Counts): StreamAction[] => [
    addData(input, ...parsed(texts)),
    checkNewAnswer(...answers.map((text) => [text] as const)),
    assertNumStateRows(counts),
  ]

function lists(input: ReturnType<typeof commands>, options: object = {}, ttl?: { ttlDuration: string }): Untyped {
  return (input.toDF() as Untyped).groupBy('key').transformWithState(
    () => {
      let list: ListState<string>
      return {
        init(handle: Untyped) {
          list = handle.getListState('list', t.string(), ttl)
        },
        *handleInputRows({ key }: Untyped, rows: Untyped[]) {
          for (const { action, a } of rows) {
            if (action === 'append') list.appendValue(a)
            else if (action === 'appendAll') list.appendList(a.split(','))
            else if (action === 'put') list.put(a.split(','))
            else if (action === 'clear') list.clear()
            else if (list.exists()) yield { text: `${key} ${list.get().join()}` }
          }
        },
      }
    },
    { output, outputMode: 'update', ...options },
  )
}

test('a list is one row however long, and each element that is written an update', async () => {
  const input = commands()
  const step = stepsOf(input)
  await testStream(lists(input), { outputMode: 'update' }, [
    ...step(['k1 get'], [], { total: 0, updated: 0 }),
    ...step(['k1 append v2', 'k1 get', 'k1 clear'], ['k1 v2'], { total: 0, updated: 1, removed: 1 }),
    ...step(['k2 append v1', 'k1 append v4', 'k2 append v2', 'k2 get'], ['k2 v1,v2'], { total: 2, updated: 3, removed: 0 }),
    ...step(['k2 append v3', 'k3 append v1'], [], { total: 3, updated: 2 }),
    stopStream(),
    startStream(),
    ...step(['k2 append v4', 'k1 get'], ['k1 v4'], { total: 3, updated: 1 }),
    ...step(['k1 clear', 'k2 get', 'k2 clear'], ['k2 v1,v2,v3,v4'], { total: 1, updated: 0, removed: 5 }),
    ...step(['k3 appendAll v2,v3', 'k3 append v5', 'k3 get'], ['k3 v1,v2,v3,v5'], { total: 1, updated: 3 }),
    ...step(['k3 put v9'], [], { total: 1, updated: 1, removed: 0 }),
    // what put takes the place of in its own batch is never written
    ...step(['k5 appendAll v1,v2,v3', 'k5 append v4', 'k5 put v5,v6', 'k5 get', 'k5 clear'], ['k5 v5,v6'], {
      total: 1,
      updated: 2,
      removed: 2,
    }),
    ...step(['k3 clear', 'k3 append v1'], [], { total: 1, updated: 1 }),
    ...step(['k3 clear'], [], { total: 0, updated: 0, removed: 1 }),
  ])
})

test('a list is gone from the count when its last element expires', async () => {
  const clock = new ManualClock(0)
  const input = commands()
  const step = (texts: readonly string[], ms: number, answers: readonly string[], counts: Counts): StreamAction[] => [
    addData(input, ...parsed(texts)),
    advanceManualClock(ms),
    checkNewAnswer(...answers.map((text) => [text] as const)),
    assertNumStateRows(counts),
  ]
  const trigger = { kind: 'processing-time', intervalMs: 1000 } as const
  await testStream(lists(input, { timeMode: 'ProcessingTime' }, { ttlDuration: '1 minute' }), { outputMode: 'update', trigger, clock }, [
    ...step(['k1 put 1'], 1000, [], { total: 1, updated: 1 }),
    ...step(['k1 appendAll 2,3'], 1000, [], { total: 1, updated: 2 }),
    ...step(['k2 append 7'], 1000, [], { total: 2, updated: 1 }),
    stopStream(),
    startStream(),
    ...step(['k1 get'], 58_000, ['k1 2,3'], { total: 2, updated: 0, removed: 1 }), // at 61 s the first one
    ...step(['k1 get'], 1000, [], { total: 1, updated: 0, removed: 2 }), // at 62 s the others
    ...step(['k2 get', 'k3 append 1'], 1000, [], { total: 1, updated: 1, removed: 1 }),
  ])
})

test('an entry of a map is a row', async () => {
  const input = commands()
  const step = stepsOf(input)
  const maps = (input.toDF() as Untyped).groupBy('key').transformWithState(
    () => {
      let map: MapState<string, string>
      return {
        init(handle: Untyped) {
          map = handle.getMapState('map', t.string(), t.string())
        },
        *handleInputRows({ key }: Untyped, rows: Untyped[]) {
          for (const { action, a, b } of rows) {
            if (action === 'update') map.updateValue(a, b)
            else if (action === 'remove') map.removeKey(a)
            else if (action === 'clear') map.clear()
            else yield { text: `${key} ${[...map.iterator()].join(' ')}` }
          }
        },
      }
    },
    { output, outputMode: 'update' },
  )
  await testStream(maps, { outputMode: 'update' }, [
    ...step(['k1 update v1 10', 'k2 get'], ['k2 '], { total: 1, updated: 1 }),
    ...step(['k1 update v2 5', 'k2 update v2 3', 'k2 update v2 12', 'k2 update v4 1'], [], { total: 4, updated: 4 }),
    ...step(['k2 get'], ['k2 v2,12 v4,1'], { total: 4, updated: 0 }),
    ...step(['k1 remove v2', 'k1 get'], ['k1 v1,10'], { total: 3, updated: 0, removed: 1 }),
    ...step(['k2 clear', 'k2 get'], ['k2 '], { total: 1, updated: 0, removed: 2 }),
    ...step(['k1 clear', 'k3 update v7 11'], [], { total: 1, updated: 1, removed: 1 }),
  ])
})

test('SPARK-53069: the rows of several variables, over restarts', async () => {
  const input = commands()
  const step = stepsOf(input)
  const all = (input.toDF() as Untyped).groupBy('key').transformWithState(
    () => {
      let [value, list, map]: [ValueState<bigint, bigint>?, ListState<string>?, MapState<bigint, string>?] = []
      return {
        init(handle: Untyped) {
          value = handle.getValueState('value', t.long())
          list = handle.getListState('list', t.string())
          map = handle.getMapState('map', t.long(), t.string())
        },
        handleInputRows({ key }: Untyped, rows: Untyped[]) {
          const n = (value!.get() ?? 0n) + 1n
          value!.update(n)
          list!.appendValue(rows[0].action)
          map!.updateValue(n, key)
          return [{ text: `${key} ${n}` }]
        },
      }
    },
    { output, outputMode: 'update' },
  )
  await testStream(all, { outputMode: 'update' }, [
    ...step(['k1 x'], ['k1 1'], { total: 3, updated: 3 }),
    ...[2, 3].flatMap((n) => [stopStream(), startStream(), ...step(['k1 x'], [`k1 ${n}`], { total: 2 + n, updated: 3 })]),
    ...step(['k2 x'], ['k2 1'], { total: 8, updated: 3 }),
  ])
})
