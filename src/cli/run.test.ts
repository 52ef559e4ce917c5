import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CorruptCheckpointError, FencedError, type MillraceError, UnavailableError } from '../base/errors.ts'
import { StreamingQueryManager } from '../query/query-manager.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { runModule } from './run.ts'
import type { Signal } from './signals.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a module whose default export starts a query runs until the query has ended', async () => {
  const { engine, run } = harness('export default (engine) => engine.start("clicks")')
  const ended = run()
  const query = await engine.started()
  query.progress(0)
  query.progress(1)
  query.end()
  expect(await ended).toEqual({
    code: 0,
    out: '',
    err: expect.stringMatching(/^clicks started .*\n.*batch 0 .*\n.*batch 1 .*\nclicks ended\n$/),
  })
})

test('a module that starts a query at its top level and waits for it there is followed while it loads', async () => {
  const { engine, run } = harness('const query = globalThis.engineOfTest.start("top"); await query.awaitTermination()')
  const ended = run({ json: true })
  const query = await engine.started()
  query.progress(0)
  await new Promise((resolve) => setTimeout(resolve, 60))
  query.progress(1)
  query.end()
  const { code, out } = await ended
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(code).toBe(0)
  expect(events.map(({ event, progress }) => (progress ? `${event} ${progress.batchId}` : event))).toEqual([
    'started',
    'progress 0',
    'progress 1',
    'ended',
  ])
})

test('a syntax error is told with its place', async () => {
  const { run } = harness('const a = 1\nconst b = ;\n')
  const { code, err } = await run()
  expect([code, err]).toEqual([1, expect.stringMatching(/app-\w+\.mjs:2\nconst b = ;\n.*SyntaxError: Unexpected token/s)])
  writeFileSync(join(folder, 'broken.mjs'), 'const b = ;')
  expect((await harness('import "./broken.mjs"').run()).err).toMatch(/SyntaxError: Unexpected token.*imports; node --check/s)
})

test('of queries that are restarted together one that fails of what may pass lets the others finish, and others that fail do not', async () => {
  const app = 'export default (engine) => [engine.start("a"), engine.start("b"), engine.start("c")]'
  const gone = new UnavailableError('SERVER_GONE', { what: 'it is gone', todo: 'wait' })
  const damaged = new CorruptCheckpointError('TORN', { what: 'it is torn', todo: 'restore it' })
  for (const isRestarted of [true, false]) {
    const { engine, run } = harness(app)
    const ended = run({ isRestarted })
    const first = await engine.started()
    const [, second, third] = engine.queries
    first.end(damaged)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(third!.stops).toEqual([])
    second!.end(gone)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(third!.stops).toEqual(isRestarted ? [{ drain: true }] : [])
    third!.end()
    expect((await ended).code).toBe(isRestarted ? 6 : 4)
  }
})

test('the first signal drains, and the command ends with 0', async () => {
  const { engine, run, signal, exits } = harness('export default (engine) => [engine.start("a"), engine.start("b")]')
  const ended = run()
  const query = await engine.started()
  signal('SIGTERM')
  expect(query.stops).toEqual([{ drain: true }])
  for (const each of engine.queries) each.end()
  expect((await ended).code).toBe(0)
  expect(exits).toEqual([])
})

test('a second signal ends the process at once, with its own code', async () => {
  const { engine, run, signal, exits } = harness('export default (engine) => engine.start("a")')
  const ended = run()
  const query = await engine.started()
  signal('SIGTERM')
  signal('SIGINT')
  expect(exits).toEqual([130])
  query.end()
  await ended
  signal('SIGINT')
  expect(exits).toEqual([130])
})

test.each([
  ['a failed query', new UnavailableError('GONE', { what: 'gone', todo: 'wait' }), 6],
  ['a fenced query', new FencedError('FENCED', { what: 'another run', todo: 'stop' }), 3],
  ['a damaged checkpoint', new CorruptCheckpointError('TORN', { what: 'torn', todo: 'restore' }), 4],
])('%s gives its exit code and its text once, also where the module waits for it', async (_name, error, code) => {
  const { engine, run } = harness('export default async (engine) => { const query = engine.start("a"); await query.awaitTermination() }')
  const ended = run()
  const query = await engine.started()
  query.end(error)
  const result = await ended
  expect(result.code).toBe(code)
  expect(result.err.split(error.what).length - 1).toBe(1)
})

test('a module that fails has its error told, and what it started is drained', async () => {
  const { engine, run } = harness('export default async (engine) => { engine.start("a"); throw new Error("no such table") }')
  const ended = run()
  const query = await engine.started()
  await query.stopped
  query.end()
  expect(await ended).toMatchObject({ code: 1, err: expect.stringContaining('no such table') })
})

test('a module that starts nothing, or is not there, is wrong usage', async () => {
  expect(await harness('export const x = 1').run()).toMatchObject({ code: 2, err: expect.stringContaining('NO_QUERY_STARTED') })
  expect(await harness('').run({ file: join(folder, 'other.mjs') })).toMatchObject({
    code: 2,
    err: expect.stringContaining('FILE_NOT_FOUND'),
  })
})

function harness(code: string) {
  const file = join(folder, `app-${Math.random().toString(36).slice(2)}.mjs`)
  writeFileSync(file, code)
  const engine = new FakeEngine()
  Object.assign(globalThis, { engineOfTest: engine })
  const listeners = new Map<Signal, Set<() => void>>()
  const exits: number[] = []
  let out = ''
  let err = ''
  let seconds = 0
  const run = async (options: { json?: boolean; file?: string; isRestarted?: boolean } = {}) => {
    const code = await runModule(
      { file, json: false, ...options },
      {
        terminal: {
          out: (text) => {
            out += text
          },
          err: (text) => {
            err += text
          },
          isScreen: false,
          nowMs: () => 1000 * ++seconds,
        },
        signals: {
          on: (signal, listener) => listeners.set(signal, (listeners.get(signal) ?? new Set()).add(listener)),
          off: (signal, listener) => listeners.get(signal)?.delete(listener),
        },
        exit: (code) => exits.push(code),
        makeEngine: async () => engine,
        activeEngines: () => [engine],
      },
    )
    return { code, out, err }
  }
  return {
    engine,
    run,
    exits,
    signal: (signal: Signal) => {
      for (const listener of listeners.get(signal) ?? []) listener()
    },
  }
}

class FakeEngine {
  readonly streams = new StreamingQueryManager(() => {})
  readonly queries: FakeQuery[] = []
  start(name: string): FakeQuery {
    const query = new FakeQuery(name, this.streams)
    this.queries.push(query)
    this.streams.register(query)
    this.streams.tell((listener) => listener.onQueryStarted?.({ id: query.id, runId: query.runId, name, timestamp: '' }))
    return query
  }
  async started(): Promise<FakeQuery> {
    while (this.queries.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    await new Promise((resolve) => setTimeout(resolve, 1))
    return this.queries[0]!
  }
}

class FakeQuery implements StreamingQuery {
  readonly id: string
  readonly runId: string
  readonly name: string
  readonly status = { message: '', isDataAvailable: false, isTriggerActive: false }
  readonly stops: unknown[] = []
  readonly stopped: Promise<void>
  recentProgress: QueryProgress[] = []
  isActive = true
  exception: MillraceError | null = null
  readonly #manager: StreamingQueryManager
  readonly #ended = Promise.withResolvers<void>()
  readonly #stopped = Promise.withResolvers<void>()
  constructor(name: string, manager: StreamingQueryManager) {
    this.name = name
    this.id = `id-of-${name}`
    this.runId = `run-of-${name}`
    this.#manager = manager
    this.stopped = this.#stopped.promise
  }
  get lastProgress() {
    return this.recentProgress.at(-1) ?? null
  }
  progress(batchId: number): void {
    const progress: QueryProgress = {
      id: this.id,
      runId: this.runId,
      name: this.name,
      timestamp: '2001-01-01T00:00:00.000Z',
      batchId,
      batchDuration: 5,
      numInputRows: 10,
      durationMs: {},
      eventTime: {},
      stateOperators: [],
      sources: [],
      sink: { description: '', numOutputRows: -1, metrics: {} },
      observedMetrics: {},
    }
    this.recentProgress.push(progress)
    this.#manager.tell((listener) => listener.onQueryProgress?.({ progress }))
  }
  end(error: MillraceError | null = null): void {
    this.exception = error
    this.isActive = false
    this.#manager.unregister(this)
    this.#ended.resolve()
  }
  async awaitTermination(): Promise<boolean> {
    await this.#ended.promise
    if (this.exception) throw this.exception
    return true
  }
  async processAllAvailable(): Promise<void> {}
  async stop(options?: unknown): Promise<void> {
    this.stops.push(options)
    this.#stopped.resolve()
    await this.#ended.promise
  }
  explain(): string {
    return ''
  }
}
