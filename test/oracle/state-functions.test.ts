// The oracle of transformWithState and flatMapGroupsWithState: over any cut into batches and any restarts, what comes out is what a plain fold in this process gives that
// keeps everything in Maps, with timers, timeouts and TTL by the same clock or watermark. On every provider of state.
import fc from 'fast-check'
import {
  type ListState,
  type MapState,
  MemoryStream,
  millrace,
  type StatefulProcessor,
  type StatefulProcessorHandle,
  t,
  timestamp_seconds,
  type ValueState,
} from 'millrace'
import { addData, advanceManualClock, ManualClock, processAllAvailable, type StreamAction, testStream } from 'millrace/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { holds, providerKey, providers, restarts, restartWith, seed, timeout } from './property.ts'

interface Event {
  readonly k: string | null
  readonly v: number
  readonly action: string
  readonly second: number
}
const actions = [
  'add',
  'add',
  'add',
  'set',
  'clear list',
  'put list',
  'remove entry',
  'clear map',
  'clear value',
  'timer',
  'timer',
  'delete timer',
] as const
const event = fc.record({
  k: fc.option(fc.constantFrom('a', 'b', 'ü', ''), { nil: null, freq: 9 }),
  v: fc.integer({ min: 0, max: 9 }),
  action: fc.constantFrom(...actions),
  second: fc.integer({ min: 1, max: 30 }),
})
const feed = fc.array(
  fc.record({ rows: fc.array(event, { maxLength: 8 }), passes: fc.integer({ min: 1, max: 12 }), restart: restarts(4) }),
  {
    minLength: 1,
    maxLength: 8,
  },
)
type Feed = typeof feed extends fc.Arbitrary<infer T> ? T : never

/** What the logic below works with: the state of one key. */
interface Vars {
  value(): bigint | null
  setValue(value: bigint): void
  clearValue(): void
  list(): number[]
  append(value: number): void
  putList(values: number[]): void
  clearList(): void
  entry(key: number): number | null
  setEntry(key: number, value: number): void
  removeEntry(key: number): void
  clearMap(): void
  entries(): [number, number][]
  register(ms: number): void
  unregister(ms: number): void
  timers(): number[]
}

/** The program: the same code over the engine's state and over Maps. */
function onRow(vars: Vars, { v, action }: Pick<Event, 'v' | 'action'>, nowMs: number, hasTimers: boolean): string {
  const before = vars.value()
  if (action === 'add') {
    vars.setValue((before ?? 0n) + BigInt(v))
    vars.append(v)
    vars.setEntry(v % 4, (vars.entry(v % 4) ?? 0) + 1)
  } else if (action === 'set')
    vars.setEntry(v, v) // without a look
  else if (action === 'clear list') vars.clearList()
  else if (action === 'put list') vars.putList([v, v + 1])
  else if (action === 'remove entry') vars.removeEntry(v % 4)
  else if (action === 'clear map') vars.clearMap()
  else if (action === 'clear value') vars.clearValue()
  else if (hasTimers && action === 'timer') vars.register(nowMs + (v - 2) * 1000)
  else if (hasTimers && action === 'delete timer') {
    const [first] = vars.timers()
    if (first !== undefined) vars.unregister(first)
  }
  // a look at the list only now and then, so that it is also written unread
  return v % 3 === 0 ? textOf(vars, hasTimers) : `${action} ${vars.value()}`
}
function onTimer(vars: Vars, ms: number): string {
  const text = `timer ${ms} ${textOf(vars, true)}`
  vars.clearValue()
  vars.append(99)
  if (ms % 2000 === 0) for (const other of vars.timers()) if (other > ms) vars.unregister(other)
  return text
}
function textOf(vars: Vars, hasTimers: boolean): string {
  const entries = vars.entries().sort(([a], [b]) => a - b)
  return `${vars.value()} [${vars.list()}] {${entries.map(([key, value]) => `${key}:${value}`)}}${hasTimers ? ` ${vars.timers()}` : ''}`
}

type TimeMode = 'None' | 'ProcessingTime' | 'EventTime'
interface Options {
  readonly timeMode: TimeMode
  readonly ttlMs: number | null
  /** Whether calls wait between two rows, and go on in a random order where several are under way. */
  readonly isAsync?: boolean
  readonly concurrency?: number
}
/** Whether two calls of a key were under way at once, and the most calls that were. */
class UnderWay {
  readonly #keys = new Set<string | null>()
  most = 0
  overlaps = 0
  begin(k: string | null) {
    if (this.#keys.has(k)) this.overlaps++
    this.#keys.add(k)
    this.most = Math.max(this.most, this.#keys.size)
  }
  end(k: string | null) {
    this.#keys.delete(k)
  }
}
class Program implements StatefulProcessor<{ k: string | null }, Event, { k: string | null; text: string }> {
  readonly #options: Options
  readonly #calls: UnderWay
  #vars!: Vars
  constructor(options: Options, calls: UnderWay) {
    this.#options = options
    this.#calls = calls
  }
  init(handle: StatefulProcessorHandle) {
    const ttl = this.#options.ttlMs === null ? undefined : { ttlDuration: this.#options.ttlMs }
    const value: ValueState<bigint> = handle.getValueState('value', t.long(), ttl)
    const list: ListState<number> = handle.getListState('list', t.int(), ttl)
    const map: MapState<{ key: number }, number> = handle.getMapState('map', { key: t.int() }, t.int(), ttl)
    this.#vars = {
      value: () => value.get(),
      setValue: (x) => value.update(x),
      clearValue: () => value.clear(),
      list: () => list.get(),
      append: (x) => list.appendValue(x),
      putList: (x) => list.put(x),
      clearList: () => list.clear(),
      entry: (key) => map.getValue({ key }),
      setEntry: (key, x) => map.updateValue({ key }, x),
      removeEntry: (key) => map.removeKey({ key }),
      clearMap: () => map.clear(),
      entries: () => [...map.iterator()].map(([{ key }, x]) => [key, x]),
      register: (ms) => handle.registerTimer(ms),
      unregister: (ms) => handle.deleteTimer(ms),
      timers: () => handle.listTimers(),
    }
  }
  handleInputRows({ k }: { k: string | null }, rows: readonly Event[], times: { getCurrentProcessingTimeInMs(): number }) {
    const given = this.#eachRow(k, rows, times)
    return this.#options.isAsync ? this.#waiting(k, given) : given
  }
  async *#waiting<T>(k: string | null, rows: Iterable<T>): AsyncGenerator<T> {
    this.#calls.begin(k)
    await turns.next()
    for (const row of rows) {
      yield row
      await turns.next()
    }
    this.#calls.end(k)
  }
  *#eachRow(k: string | null, rows: readonly Event[], times: { getCurrentProcessingTimeInMs(): number }) {
    const { timeMode } = this.#options
    for (const row of rows) {
      const nowMs = timeMode === 'EventTime' ? row.second * 1000 : timeMode === 'ProcessingTime' ? times.getCurrentProcessingTimeInMs() : 0
      yield { k, text: onRow(this.#vars, row, nowMs, timeMode !== 'None') }
    }
  }
  handleExpiredTimer({ k }: { k: string | null }, _: unknown, info: { getExpiryTimeInMs(): number }) {
    const fire = () => [{ k, text: onTimer(this.#vars, info.getExpiryTimeInMs()) }]
    if (!this.#options.isAsync) return fire()
    this.#calls.begin(k)
    return turns.next().then(() => {
      const rows = fire()
      this.#calls.end(k)
      return rows
    })
  }
}
/** Lets one of those go on that wait, drawn by chance. */
class RandomTurns {
  #state = seed
  readonly #waiting: (() => void)[] = []
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(() => this.#release())
    })
  }
  #release() {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0
    const [resolve] = this.#waiting.splice((this.#state >>> 8) % this.#waiting.length, 1)
    resolve!()
    if (this.#waiting.length > 0) setImmediate(() => this.#release())
  }
}
const turns = new RandomTurns()

/** The fold: everything in Maps, a batch after the other. */
class Fold {
  readonly #options: Options
  readonly #states = new Map<string | null, PlainVars>()
  readonly out: string[] = []
  #watermarkMs = 0
  #lateMs = 0
  constructor(options: Options) {
    this.#options = options
  }
  batch(rows: readonly Event[], nowMs: number): void {
    const { timeMode } = this.#options
    const byKey = Map.groupBy(
      rows.filter(({ second }) => timeMode !== 'EventTime' || second * 1000 > this.#lateMs),
      ({ k }) => k,
    )
    for (const [k, own] of byKey)
      for (const row of own) {
        const at = timeMode === 'EventTime' ? row.second * 1000 : timeMode === 'ProcessingTime' ? nowMs : 0
        this.out.push(`${k} ${onRow(this.#varsOf(k, nowMs), row, at, timeMode !== 'None')}`)
      }
    if (timeMode !== 'None') this.#fire(timeMode === 'EventTime' ? this.#watermarkMs : nowMs, nowMs)
    this.#lateMs = this.#watermarkMs
    const highest = Math.max(0, ...rows.map(({ second }) => second * 1000 - 5000))
    if (timeMode === 'EventTime' && highest > this.#watermarkMs) {
      this.#watermarkMs = highest
      this.batch([], nowMs)
    }
  }
  #fire(thresholdMs: number, nowMs: number): void {
    const due = [...this.#states].flatMap(([k, { times }]) => [...times].filter((ms) => ms <= thresholdMs).map((ms) => ({ k, ms })))
    due.sort((a, b) => a.ms - b.ms)
    for (const { k, ms } of due) {
      const vars = this.#varsOf(k, nowMs)
      if (!vars.times.has(ms)) continue
      this.out.push(`${k} ${onTimer(vars, ms)}`)
      vars.times.delete(ms)
    }
  }
  #varsOf(k: string | null, nowMs: number): PlainVars {
    const vars = this.#states.get(k) ?? new PlainVars(this.#options.ttlMs)
    this.#states.set(k, vars)
    vars.nowMs = nowMs
    return vars
  }
}
class PlainVars implements Vars {
  readonly #ttlMs: number | null
  nowMs = 0
  #value: [bigint, number] | null = null
  #list: [number, number][] = []
  #map = new Map<number, [number, number]>()
  readonly times = new Set<number>()
  constructor(ttlMs: number | null) {
    this.#ttlMs = ttlMs
  }
  get #end() {
    return this.#ttlMs === null ? Infinity : this.nowMs + this.#ttlMs
  }
  value = () => (this.#value !== null && this.#value[1] > this.nowMs ? this.#value[0] : null)
  setValue(x: bigint) {
    this.#value = [x, this.#end]
  }
  clearValue() {
    this.#value = null
  }
  list = () => this.#list.filter(([, end]) => end > this.nowMs).map(([x]) => x)
  append(x: number) {
    this.#list.push([x, this.#end])
  }
  putList(values: number[]) {
    this.#list = values.map((x) => [x, this.#end])
  }
  clearList() {
    this.#list = []
  }
  entry(key: number) {
    const found = this.#map.get(key)
    return found && found[1] > this.nowMs ? found[0] : null
  }
  setEntry(key: number, x: number) {
    this.#map.set(key, [x, this.#end])
  }
  removeEntry(key: number) {
    this.#map.delete(key)
  }
  clearMap() {
    this.#map.clear()
  }
  entries = () => [...this.#map].filter(([, [, end]]) => end > this.nowMs).map(([key, [x]]): [number, number] => [key, x])
  register(ms: number) {
    this.times.add(ms)
  }
  unregister(ms: number) {
    this.times.delete(ms)
  }
  timers = () => [...this.times].sort((a, b) => a - b)
}

const fields = { k: t.string().nullable(), v: t.int(), action: t.string(), second: t.int() }

describe.each(providers)('state in %s', (provider) => {
  let opened: ReturnType<typeof millrace.local> | null = null
  const engine = () =>
    (opened ??= millrace.local({
      threads: 1,
      conf: { [providerKey]: provider, 'spark.sql.shuffle.partitions': 2, 'millrace.keyGroups': 4 },
    }))
  afterAll(async () => (await opened)?.close())

  // a database takes a while to open
  const runs = provider === 'memory' ? 15 : 4
  const modes: Options[] = [
    { timeMode: 'None', ttlMs: null },
    { timeMode: 'EventTime', ttlMs: null },
    { timeMode: 'ProcessingTime', ttlMs: null },
    { timeMode: 'ProcessingTime', ttlMs: 7000 },
    { timeMode: 'EventTime', ttlMs: null, isAsync: true },
    { timeMode: 'ProcessingTime', ttlMs: 7000, isAsync: true },
    { timeMode: 'None', ttlMs: null, isAsync: true, concurrency: 4096 },
    { timeMode: 'EventTime', ttlMs: null, isAsync: true, concurrency: 2 },
    { timeMode: 'ProcessingTime', ttlMs: 7000, isAsync: true, concurrency: 3 },
  ]
  test.each(modes)(
    'transformWithState is a fold: time mode $timeMode, TTL $ttlMs, asynchronous: $isAsync, calls at a time: $concurrency',
    { timeout },
    async (options) => {
      const calls = new UnderWay()
      await holds(feed, (blocks) => check(blocks, options, calls), runs, { share: 0.25 })
      expect(calls.overlaps).toBe(0)
      const { isAsync = false, concurrency = 1 } = options
      expect(calls.most).toBeLessThanOrEqual(concurrency)
      expect(calls.most > 1).toBe(isAsync && concurrency > 1)
    },
  )

  async function check(blocks: Feed, options: Options, calls: UnderWay): Promise<void> {
    const input = new MemoryStream(await engine(), fields)
    const stream = input
      .toDF()
      .withColumn('at', ({ second }) => timestamp_seconds(second))
      .withWatermark('at', '5 seconds')
      .groupBy('k')
      .transformWithState(() => new Program(options, calls), {
        output: { k: t.string().nullable(), text: t.string() },
        timeMode: options.timeMode,
        concurrency: options.concurrency ?? 1,
      })
    const fold = new Fold(options)
    const clock = new ManualClock(0)
    let nowMs = 0
    const steps = blocks.flatMap((block): StreamAction[] => {
      nowMs += block.passes * 1000
      if (block.rows.length > 0 || options.timeMode === 'ProcessingTime') fold.batch(block.rows, nowMs)
      const add = block.rows.length > 0 ? [addData(input, ...block.rows)] : []
      return [
        ...add,
        advanceManualClock(block.passes * 1000),
        processAllAvailable(),
        // the batch without data that follows a watermark comes with the next trigger
        ...(options.timeMode === 'EventTime' ? [advanceManualClock(1000), processAllAvailable()] : []),
        ...restartWith(block.restart, { clock, trigger }),
      ]
    })
    const compare: StreamAction = {
      name: 'compare with the fold',
      run: async (running) => {
        await running.settle()
        const found = running.sink.allRows.map((row) => `${row['k']} ${row['text']}`)
        expect(found.sort()).toEqual(fold.out.sort())
      },
    }
    await testStream(stream, { clock, trigger }, [...steps, compare])
  }
  const trigger = { kind: 'processing-time', intervalMs: 1000 } as const

  test.each([1, 3])(
    'flatMapGroupsWithState is a fold, with timeouts in processing time, calls at a time: %i',
    { timeout },
    async (concurrency) => {
      await holds(
        feed,
        async (blocks) => {
          const input = new MemoryStream(await engine(), fields)
          const stream = input
            .toDF()
            .groupBy('k')
            .flatMapGroupsWithState(
              async ({ k }, rows, state) => {
                await turns.next()
                if (state.hasTimedOut) {
                  const text = `timed out ${state.getOption()?.n ?? null}`
                  if (state.exists && state.get().n % 2n === 0n) state.remove()
                  return [{ k, text }]
                }
                const n = (state.getOption()?.n ?? 0n) + BigInt(rows.reduce((sum, { v }) => sum + v, 0))
                if (n % 5n === 0n) state.remove()
                else state.update({ n, note: n % 3n === 0n ? null : String(n) })
                if (n % 4n > 0n) state.setTimeoutDuration(Number(n % 4n) * 1000)
                return [{ k, text: `${n}` }]
              },
              {
                state: { n: t.long(), note: t.string().nullable() },
                output: { k: t.string().nullable(), text: t.string() },
                timeout: 'ProcessingTimeTimeout',
                outputMode: 'update',
                concurrency,
              },
            )
          const states = new Map<string | null, { n: bigint | null; timeoutMs: number | null }>()
          const out: string[] = []
          const clock = new ManualClock(0)
          let nowMs = 0
          const steps = blocks.flatMap((block): StreamAction[] => {
            nowMs += block.passes * 1000
            for (const [k, rows] of Map.groupBy(block.rows, ({ k }) => k)) {
              const n = (states.get(k)?.n ?? 0n) + BigInt(rows.reduce((sum, { v }) => sum + v, 0))
              states.set(k, { n: n % 5n === 0n ? null : n, timeoutMs: n % 4n > 0n ? nowMs + Number(n % 4n) * 1000 : null })
              out.push(`${k} ${n}`)
            }
            for (const [k, { n, timeoutMs }] of states) {
              if (timeoutMs === null || timeoutMs >= nowMs) continue
              out.push(`${k} timed out ${n}`)
              states.set(k, { n: n !== null && n % 2n === 0n ? null : n, timeoutMs: null })
            }
            return [
              ...(block.rows.length > 0 ? [addData(input, ...block.rows)] : []),
              advanceManualClock(block.passes * 1000),
              processAllAvailable(),
              ...restartWith(block.restart, { clock, trigger }),
            ]
          })
          const compare: StreamAction = {
            name: 'compare with the fold',
            run: async (running) => {
              await running.settle()
              expect(running.sink.allRows.map((row) => `${row['k']} ${row['text']}`).sort()).toEqual(out.sort())
            },
          }
          await testStream(stream, { clock, trigger, outputMode: 'update' }, [...steps, compare])
        },
        runs,
        { share: 0.25 },
      )
    },
  )
})
