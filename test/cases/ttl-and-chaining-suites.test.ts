// TransformWithStateTTLTest with its suites of values, lists and maps, and TransformWithStateChainingSuite of Spark 4.2.0.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStream, type StatefulProcessorHandle, t, window } from 'millrace'
import { addData, advanceManualClock, checkNewAnswer, checkWatermark, ManualClock, type StreamAction, testStream } from 'millrace/testing'
import { expect, onTestFinished, test } from 'vitest'
import { useEngine } from './harness.ts'

const engine = useEngine()
type Untyped = any
const trigger = { kind: 'processing-time', intervalMs: 1000 } as const

// ---- TTL

type Kind = 'value' | 'list' | 'map'
const events = () => new MemoryStream(engine(), { key: t.string(), action: t.string(), n: t.int(), user: t.string() })
/** Text as 'key action n user'. */
const event = (text: string) => {
  const [key = '', action = '', n = '-1', user = 'u'] = text.split(' ')
  return { key, action, n: Number(n), user }
}

/** A variable with a TTL, and for the key `plain` one without. */
function withTtl(input: ReturnType<typeof events>, kind: Kind, ttlDuration: string): Untyped {
  return (input.toDF() as Untyped).groupBy('key').transformWithState(
    () => {
      let [state, plain]: Untyped[] = []
      const found = (used: Untyped) => {
        if (used === plain || kind === 'value') return used.exists() ? [used.get()] : []
        return kind === 'list' ? used.get() : [...used.values()]
      }
      const put = (used: Untyped, action: string, n: number, user: string) => {
        if (used === plain || kind === 'value') used.update(n)
        else if (kind === 'map') used.updateValue(user, n)
        else if (action === 'append') used.appendValue(n)
        else used.put([n])
      }
      return {
        init(handle: StatefulProcessorHandle) {
          const ttl = { ttlDuration }
          if (kind === 'value') state = handle.getValueState('s', t.int(), ttl)
          else if (kind === 'list') state = handle.getListState('s', t.int(), ttl)
          else state = handle.getMapState('s', t.string(), t.int(), ttl)
          plain = handle.getValueState('plain', t.int())
        },
        *handleInputRows({ key }: Untyped, rows: readonly Untyped[]) {
          const used = key === 'plain' ? plain : state
          for (const { action, n, user } of rows) {
            if (action === 'get') for (const each of found(used)) yield { text: `${key} ${each}` }
            else if (action === 'ask') yield { text: `${key} ${used.containsKey(user)} ${used.getValue(user)}` }
            else if (action === 'clear') used.clear()
            else put(used, action, n, user)
          }
        },
      }
    },
    { output: { text: t.string() }, timeMode: 'ProcessingTime' },
  )
}

/** Runs one after the other on one checkpoint and one clock; `stored` is the variable as readers of the state see it. */
async function ttlRuns(kind: Kind) {
  const checkpointLocation = await mkdtemp(join(tmpdir(), 'millrace-ttl-'))
  onTestFinished(() => rm(checkpointLocation, { recursive: true }))
  const input = events()
  const clock = new ManualClock(0)
  return {
    step: (texts: string, answers = '', seconds = 1): StreamAction[] => [
      addData(input, ...texts.split(',').map((text) => event(text.trim()))),
      advanceManualClock(seconds * 1000),
      checkNewAnswer(...answers.split(',').flatMap((text) => (text === '' ? [] : [[text.trim()] as const]))),
    ],
    run: (ttl: string, ...steps: StreamAction[][]) =>
      testStream(withTtl(input, kind, ttl), { checkpointLocation, trigger, clock }, steps.flat()),
    stored: async (expression: string, options: object = {}): Promise<unknown[]> => {
      const frame = await engine()
        .read.format('statestore')
        .options({ stateVarName: 's', ...options })
        .load(checkpointLocation)
      const rows = await (frame as Untyped).selectExpr(`${expression} AS text`).collect()
      return rows.map(({ text }: Untyped) => text).sort()
    },
  }
}

test.each(['value', 'list', 'map'] as const)(
  'a %s: only what expired goes, clear is about its key, an update sets the time anew',
  async (kind) => {
    const { step, run, stored } = await ttlRuns(kind)
    await run(
      '1 minute',
      step('k1 put 1, plain put 9, k3 put 7'),
      step('k3 clear, k1 get', 'k1 1'),
      step('k2 put 2', '', 30),
      step('k1 get, k2 get, plain get, k3 get', 'k2 2, plain 9', 31), // 63 s
      step('k2 put 3', '', 20),
      step('k2 get', 'k2 3', 20), // past the first time of k2
    )
    const element = { value: 'value', list: 'list_element', map: 'user_map_value' }[kind]
    expect(await stored(`concat_ws(' ', key.key, ${element}.value.value, ${element}.ttlExpirationMs)`)).toEqual(['k2 3 143000'])
  },
)

test.each([
  ['in the middle of', '3 minutes', '15 seconds'],
  ['at the end of', '2 minutes', '1 minute'],
])('expired values %s a list, after its TTL was another one', async (where, long, short) => {
  const { step, run, stored } = await ttlRuns('list')
  await run(
    long,
    step('k1 put 1'),
    step('k1 append 2, k1 append 3'),
    step('k1 get', 'k1 1, k1 2, k1 3'),
    step('k1 get', 'k1 1, k1 2, k1 3'),
  )
  await run(short, step('k1 append 4, k1 append 5, k1 append 6'))
  const middle = where.startsWith('in')
  const left = middle ? [1, 2, 3, 7, 8, 9] : [1, 2, 3]
  if (middle) await run(long, step('k1 append 7, k1 append 8, k1 append 9'))
  const due = middle ? { first: 181_000, soon: 20_000 } : { first: 121_000, soon: 65_000 }
  const times = "concat_ws(' ', list_element.value.value, list_element.ttlExpirationMs)"
  expect((await stored(times)).slice(0, 6)).toEqual([
    `1 ${due.first}`,
    ...[2, 3].map((n) => `${n} ${due.first + 1000}`),
    ...[4, 5, 6].map((n) => `${n} ${due.soon}`),
  ])
  await run(middle ? long : short, step('k1 get', left.map((n) => `k1 ${n}`).join(), 61))
  expect(await stored('list_element.value.value')).toEqual(left)
  expect(await stored("array_join(list_value.value.value, ' ')", { flattenCollectionTypes: false })).toEqual([left.join(' ')])
  const feed = await stored("concat_ws(' ', change_type, list_element.value.value)", { readChangeFeed: true, changeStartBatchId: 0 })
  expect(feed).toEqual([...Array.from({ length: middle ? 9 : 6 }, (_, i) => `append ${i + 1}`), 'delete', 'delete', 'delete'])
})

test('entries of a map expire by themselves, and their iterator does not give them', async () => {
  const { step, run, stored } = await ttlRuns('map')
  await run(
    '1 minute',
    step('k1 put 1 key1'),
    step('k1 ask 0 key1', 'k1 true 1', 30),
    step('k1 put 2 key2'),
    step('k1 ask 0 key1, k1 ask 0 key2', 'k1 false null, k1 true 2', 31),
    step('k2 put 3 key3, k1 get', 'k1 2'),
  )
  const columns = "concat_ws(' ', key.key, user_map_key.value, user_map_value.value.value, user_map_value.ttlExpirationMs)"
  expect(await stored(columns)).toEqual(['k1 key2 2 92000', 'k2 key3 3 124000'])
  expect(await stored(`concat_ws(' ', change_type, ${columns})`, { readChangeFeed: true, changeStartBatchId: 0 })).toEqual([
    'delete k1 key1',
    'update k1 key1 1 61000',
    'update k1 key2 2 92000',
    'update k2 key3 3 124000',
  ])
})

// ---- steps after transformWithState

const ms = (text: string) => Date.parse(`${text}Z`)
const rowsIn = () => new MemoryStream(engine(), { key: t.string(), eventTime: t.timestamp() })
const rowAt = (text: string) => ({ key: 'k1', eventTime: new Date(ms(text)) })
const [january, february, later] = ['2024-01-01T00:00:00', '2024-02-01T00:00:00', '2024-02-02T00:00:00'] as const
const output = { key: t.string(), outputEventTime: t.timestamp(), count: t.int() }
/** The least time and the number of a key's rows. */
const leastTime = () => ({
  init() {},
  handleInputRows: ({ key }: Untyped, rows: readonly Untyped[]) => [
    { key, outputEventTime: new Date(Math.min(...rows.map(({ eventTime }) => eventTime.epochMilliseconds))), count: rows.length },
  ],
})
const byTime = (frame: Untyped, eventTimeColumnName = 'outputEventTime', processor: Untyped = leastTime) =>
  frame.groupBy('key').transformWithState(processor, { output, timeMode: 'EventTime', eventTimeColumnName })
const marked = (input: ReturnType<typeof rowsIn>): Untyped => (input.toDF() as Untyped).withWatermark('eventTime', '1 minute')
const windows = (frame: Untyped) => frame.groupBy(({ outputEventTime }: Untyped) => ({ w: window(outputEventTime, '1 minute') })).count()

test('watermark is propagated correctly for next stateful operator after transformWithState', async () => {
  const input = rowsIn()
  const ofMinute = (text: string) => [new Date(ms(text)), new Date(ms(text) + 60_000), 1n] as const
  await testStream(windows(byTime(marked(input))).selectExpr('w.start', 'w.end', 'count'), [
    addData(input, rowAt(january)),
    checkNewAnswer(),
    checkWatermark(ms('2023-12-31T23:59:00')),
    addData(input, rowAt(february)),
    checkNewAnswer(ofMinute(january)),
    checkWatermark(ms('2024-01-31T23:59:00')),
    addData(input, rowAt(later)),
    checkNewAnswer(ofMinute(february)),
  ])
})

test('chaining multiple transformWithState operators', async () => {
  const input = rowsIn()
  const counter = () => ({ init() {}, handleInputRows: (_: Untyped, rows: readonly Untyped[]) => [{ n: rows.length }] })
  const chain = byTime(marked(input))
    .groupBy('key')
    .transformWithState(counter, { output: { n: t.int() } })
  await testStream(chain, [
    addData(input, rowAt(january)),
    checkNewAnswer([1]),
    checkWatermark(ms('2023-12-31T23:59:00')),
    addData(input, rowAt(february)),
    checkNewAnswer([1]),
    addData(input, rowAt(later)),
    checkNewAnswer([1]),
  ])
})

test('dropDuplicatesWithinWatermark after transformWithState; the watermark of a view', async () => {
  for (const frame of ['deduplicated', 'view']) {
    const input = rowsIn()
    marked(input).createOrReplaceTempView('marked_rows')
    const source: Untyped = frame === 'view' ? engine().readStream.table('marked_rows') : marked(input)
    const given = byTime(source)
    await testStream(frame === 'view' ? given : given.dropDuplicatesWithinWatermark(), [
      addData(input, rowAt(february), rowAt(february)),
      checkNewAnswer(['k1', new Date(ms(february)), 2]),
      checkWatermark(ms('2024-01-31T23:59:00')),
    ])
  }
})

test('without an event time column no step that needs one may follow; a column that is not there; rows that are too old', async () => {
  const codeOf = (frame: () => Untyped) =>
    Promise.resolve()
      .then(() => frame().writeStream.format('noop').start())
      .catch((error: { code: string }) => error.code)
  const without = () => marked(rowsIn()).groupBy('key').transformWithState(leastTime, { output })
  expect(await codeOf(() => windows(without()))).toBe('STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION')
  expect(await codeOf(() => without().dropDuplicatesWithinWatermark())).toBe('UNSUPPORTED_STREAMING_OPERATION')
  expect(await codeOf(() => byTime(marked(rowsIn()), 'missingEventTimeColumn'))).toBe('UNRESOLVED_COLUMN.WITH_SUGGESTION')
  ;(rowsIn().toDF() as Untyped).createOrReplaceTempView('unmarked_rows')
  expect(await codeOf(() => byTime(engine().readStream.table('unmarked_rows')))).toBe('CANNOT_ASSIGN_EVENT_TIME_COLUMN_WITHOUT_WATERMARK')
  const input = rowsIn()
  const old = () => ({ init() {}, handleInputRows: ({ key }: Untyped) => [{ key, outputEventTime: new Date(1), count: 1 }] })
  const run = testStream(byTime(marked(input), undefined, old), [
    addData(input, rowAt(february)),
    checkNewAnswer(['k1', new Date(1), 1]),
    addData(input, rowAt(later)),
    checkNewAnswer(),
  ])
  await expect(run).rejects.toThrow(/EMITTING_ROWS_OLDER_THAN_WATERMARK_NOT_ALLOWED.*1970-01-01T00:00:00.001Z.*2024-01-31T23:59:00/)
})
