import { type StatefulProcessor, type StatefulProcessorHandle, t, type ValueState } from 'millrace'
import { expect, test } from 'vitest'
import { TwsTester } from './tws-tester.ts'

interface Key {
  user: string
}
interface Click {
  page: string
}
class Visits implements StatefulProcessor<Key, Click, { user: string; n: bigint | number; text: string }> {
  #handle!: StatefulProcessorHandle
  #n!: ValueState<bigint, bigint | number>
  #pages!: ReturnType<typeof pagesOf>
  #last!: ReturnType<typeof lastOf>
  closed = false
  init(handle: StatefulProcessorHandle) {
    this.#handle = handle
    this.#n = handle.getValueState('n', t.long())
    this.#pages = pagesOf(handle)
    this.#last = lastOf(handle)
  }
  async *handleInputRows({ user }: Key, rows: readonly Click[], times: { getCurrentProcessingTimeInMs(): number }) {
    for (const { page } of rows) {
      const n = (this.#n.get() ?? 0n) + 1n
      this.#n.update(n)
      this.#pages.updateValue(page, (this.#pages.getValue(page) ?? 0) + 1)
      this.#last.appendValue(page)
      await Promise.resolve()
      yield { user, n, text: page }
    }
    this.#handle.registerTimer(times.getCurrentProcessingTimeInMs() + 1000)
  }
  handleExpiredTimer({ user }: Key) {
    const n = this.#n.get() ?? 0n
    this.#n.clear()
    return [{ user, n, text: 'over' }]
  }
}
const pagesOf = (handle: StatefulProcessorHandle) => handle.getMapState('pages', t.string(), t.int())
const lastOf = (handle: StatefulProcessorHandle) => handle.getListState('last', t.string(), { ttlDuration: 500 })
const output = { user: t.string(), n: t.long(), text: t.string() }
const tester = () => new TwsTester(() => new Visits(), { key: { user: t.string() }, output, timeMode: 'ProcessingTime' })
const ann = { user: 'ann' }
const bob = { user: 'bob' }

test('rows by key, state between tests, timers and TTL by processing time', async () => {
  const visits = tester()
  expect(
    await visits.test([
      [ann, { page: 'a' }],
      [bob, { page: 'b' }],
      [ann, { page: 'b' }],
    ]),
  ).toEqual([
    { user: 'ann', n: 1n, text: 'a' },
    { user: 'ann', n: 2n, text: 'b' },
    { user: 'bob', n: 1n, text: 'b' },
  ])
  expect(await visits.peekValueState('n', ann)).toBe(2n)
  expect(await visits.peekMapState('pages', ann)).toEqual(
    new Map([
      ['a', 1],
      ['b', 1],
    ]),
  )
  expect(await visits.peekListState('last', ann)).toEqual(['a', 'b'])
  expect(visits.peekTimers(ann)).toEqual([1000])
  expect(await visits.setProcessingTime(500)).toEqual([])
  expect(await visits.peekListState('last', ann)).toEqual([])
  expect(await visits.testOneRow(ann, { page: 'c' })).toEqual([{ user: 'ann', n: 3n, text: 'c' }])
  expect((await visits.setProcessingTime(1000)).sort((a, b) => (a.user < b.user ? -1 : 1))).toEqual([
    { user: 'ann', n: 3n, text: 'over' },
    { user: 'bob', n: 1n, text: 'over' },
  ])
  expect(await visits.peekValueState('n', ann)).toBeNull()
  expect(visits.peekTimers(ann)).toEqual([1500])
  await expect(visits.setProcessingTime(999)).rejects.toThrow(/INVALID_TIMER/)
  await visits.close()
})

test('states are set before and looked at after', async () => {
  const visits = tester()
  expect(await visits.testOneRowWithValueState(ann, { page: 'x' }, 'n', 41)).toEqual({
    rows: [{ user: 'ann', n: 42n, text: 'x' }],
    state: 42n,
  })
  await visits.updateListState('last', ann, ['p', 'q'])
  await visits.updateMapState('pages', ann, [['x', 7]])
  await visits.testOneRow(ann, { page: 'x' })
  expect(await visits.peekListState('last', ann)).toEqual(['p', 'q', 'x'])
  expect(await visits.peekMapState('pages', ann)).toEqual(new Map([['x', 8]]))
  await visits.updateListState('last', ann, [])
  await visits.updateValueState('n', ann, null)
  expect([await visits.peekListState('last', ann), await visits.peekValueState('n', ann), await visits.peekValueState('n', bob)]).toEqual([
    [],
    null,
    null,
  ])
  await expect(visits.peekValueState('m', ann)).rejects.toThrow(/STATE_STORE_UNSUPPORTED_OPERATION_ON_MISSING_COLUMN_FAMILY/)
  await expect(visits.setWatermark(5)).rejects.toThrow(/CANNOT_GET_EVENT_TIME_WATERMARK/)
})

test('event time goes by the watermark that is set', async () => {
  const alarm = new TwsTester(
    () => {
      let handle: StatefulProcessorHandle
      return {
        init(given) {
          handle = given
        },
        handleInputRows(_, rows: readonly { at: number }[], times) {
          for (const { at } of rows) handle.registerTimer(at)
          return [{ text: `watermark ${times.getCurrentWatermarkInMs()}` }]
        },
        handleExpiredTimer: ({ id }, _, info) => [{ text: `${id} at ${info.getExpiryTimeInMs()}` }],
      }
    },
    { key: { id: t.int() }, output: { text: t.string() }, timeMode: 'EventTime' },
  )
  expect(
    await alarm.test([
      [{ id: 1 }, { at: 20 }],
      [{ id: 2 }, { at: 10 }],
    ]),
  ).toEqual([{ text: 'watermark 0' }, { text: 'watermark 0' }])
  expect(await alarm.setWatermark(20)).toEqual([{ text: '2 at 10' }, { text: '1 at 20' }])
})

test('what the processor throws, and wrong rows, are the errors of a query', async () => {
  const broken = (give: unknown) =>
    new TwsTester(() => ({ init() {}, handleInputRows: () => (give instanceof Error ? Promise.reject(give) : (give as never)) }), {
      key: { id: t.int() },
      output: { n: t.int() },
    })
  await expect(broken(new Error('no')).testOneRow({ id: 7 }, {})).rejects.toMatchObject({
    code: 'TRANSFORM_WITH_STATE_USER_FUNCTION_ERROR',
    what: expect.stringContaining('{"id":7}'),
  })
  await expect(broken([{ n: 'x' }]).testOneRow({ id: 7 }, {})).rejects.toMatchObject({ code: 'UDF_RETURN_TYPE' })
})

test('several calls at a time: each knows its key, and none touches a state when it is over', async () => {
  const late: (() => unknown)[] = []
  let open: () => void = () => {}
  const all = new Promise<void>((resolve) => {
    open = resolve
  })
  let underWay = 0
  const counter = () => {
    let handle: StatefulProcessorHandle
    let count: ValueState<bigint, bigint | number>
    return {
      init(given: StatefulProcessorHandle) {
        handle = given
        count = given.getValueState('count', t.long())
      },
      async handleInputRows({ id }: { id: number }, rows: readonly unknown[]) {
        count.update(id * 100)
        if (++underWay === 3) open()
        await all
        count.update(count.get()! + BigInt(rows.length))
        handle.registerTimer(id)
        late.push(() => count.get())
        return [{ id, count: count.get()! }]
      },
    }
  }
  const options = { key: { id: t.int() }, output: { id: t.int(), count: t.long() }, timeMode: 'ProcessingTime' } as const
  const three = new TwsTester(counter, { ...options, concurrency: 3 })
  const rows = await three.test([1, 2, 3].map((id) => [{ id }, {}]))
  expect(rows).toEqual([
    { id: 1, count: 101n },
    { id: 2, count: 201n },
    { id: 3, count: 301n },
  ])
  expect(three.peekTimers({ id: 2 })).toEqual([2])
  for (const use of late)
    expect(use).toThrow(
      expect.objectContaining({ code: 'STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE' }) as unknown as Error,
    )
  for (const concurrency of [0, 1.5, 4097, Number.NaN, '4' as never])
    expect(() => new TwsTester(counter, { ...options, concurrency })).toThrow(/INVALID_UDF.*the concurrency/)
})

/** Counts rows from the state that a key begins with; a timer five seconds behind the last row's time takes the place of the one before. */
class Sessions implements StatefulProcessor<Key, { at: number }, { user: string; text: string }, bigint> {
  #handle!: StatefulProcessorHandle
  #n!: ValueState<bigint, bigint | number>
  init(handle: StatefulProcessorHandle) {
    this.#handle = handle
    this.#n = handle.getValueState('n', t.long())
  }
  handleInitialState(_: Key, n: bigint) {
    this.#n.update(n)
    this.#handle.registerTimer(Number(n))
  }
  handleInputRows({ user }: Key, rows: readonly { at: number }[]) {
    this.#n.update((this.#n.get() ?? 0n) + BigInt(rows.length))
    for (const due of this.#handle.listTimers()) this.#handle.deleteTimer(due)
    this.#handle.registerTimer(rows.at(-1)!.at + 5000)
    return [{ user, text: `counted ${this.#n.get()}` }]
  }
  handleExpiredTimer({ user }: Key, _: unknown, info: { getExpiryTimeInMs(): number }) {
    this.#n.clear()
    return [{ user, text: `expired at ${info.getExpiryTimeInMs()}` }]
  }
}
const sessions = (more: { initialState?: [Key, bigint][] } = {}) =>
  new TwsTester(() => new Sessions(), {
    key: { user: t.string() },
    output: { user: t.string(), text: t.string() },
    timeMode: 'EventTime',
    eventTimeExtractor: ({ at }) => at,
    ...more,
  })

test('an initial state is taken before anything else, and once', async () => {
  const begun = sessions({
    initialState: [
      [ann, 10n],
      [bob, 20n],
      [{ user: 'past' }, 0n],
    ],
  })
  expect([await begun.peekValueState('n', ann), await begun.peekValueState('n', bob)]).toEqual([10n, 20n])
  expect(begun.peekTimers(bob)).toEqual([20])
  // what came due by then is not lost
  expect(await begun.testOneRow(ann, { at: 1 })).toEqual([
    { user: 'past', text: 'expired at 0' },
    { user: 'ann', text: 'counted 11' },
  ])
  expect(await begun.testOneRow({ user: 'new' }, { at: 1 })).toEqual([{ user: 'new', text: 'counted 1' }])
  const at = sessions({ initialState: [[ann, 10n]] })
  expect(await at.testOneRow(ann, { at: 1 })).toEqual([{ user: 'ann', text: 'counted 11' }])
  const without = () => ({ init() {}, handleInputRows: () => [] })
  const options = { key: { user: t.string() }, output: { n: t.int() } }
  expect(() => new TwsTester(without, { ...options, initialState: [[ann, 1]] })).toThrow(/STATEFUL_PROCESSOR_WITHOUT_INITIAL_STATE/)
  expect(() => new TwsTester(without, { ...options, initialState: [] })).not.toThrow()
})

test('rows that are not past the watermark are late, where their time is known', async () => {
  const tester = sessions()
  const at = (...times: number[]) => tester.test(times.map((time) => [ann, { at: time }] as const))
  expect(await at(5000, 10_000)).toEqual([{ user: 'ann', text: 'counted 2' }]) // timer at 15,000
  expect(await at(12_000)).toEqual([{ user: 'ann', text: 'counted 3' }]) // in its place one at 17,000
  expect(await tester.setWatermark(16_000)).toEqual([])
  expect(await at(10_000, 16_000, 16_001, 20_000)).toEqual([{ user: 'ann', text: 'counted 5' }])
  expect(await at(1000, 16_000)).toEqual([]) // nothing is left: no call
  expect(await tester.peekValueState('n', ann)).toBe(5n)
  expect(await tester.setWatermark(25_000)).toEqual([{ user: 'ann', text: 'expired at 25000' }])
  expect(await tester.peekValueState('n', ann)).toBeNull()
})

test('deleteState clears a variable of any kind, of its key only', async () => {
  const visits = tester()
  for (const key of [ann, bob]) {
    await visits.updateValueState('n', key, 7)
    await visits.updateListState('last', key, ['p'])
    await visits.updateMapState('pages', key, [['x', 7]])
  }
  for (const name of ['n', 'last', 'pages']) await visits.deleteState(name, ann)
  const all = async (key: Key) => [
    await visits.peekValueState('n', key),
    await visits.peekListState('last', key),
    [...(await visits.peekMapState('pages', key))],
  ]
  expect(await all(ann)).toEqual([null, [], []])
  expect(await all(bob)).toEqual([7n, ['p'], [['x', 7]]])
  await expect(visits.deleteState('m', ann)).rejects.toThrow(/STATE_STORE_UNSUPPORTED_OPERATION_ON_MISSING_COLUMN_FAMILY/)
})
