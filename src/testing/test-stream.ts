import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AnyFrame, TriggerInput } from '../api/frame-types.ts'
import { triggerOf } from '../api/trigger.ts'
import type { ManualClock } from '../base/clock.ts'
import { MillraceError } from '../base/errors.ts'
import type { Row } from '../data/row-set.ts'
import type { LogicalPlan, OutputMode } from '../plan/logical-plan.ts'
import type { EnginePort, Trigger } from '../query/engine-port.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import type { BatchStep, StepEvent } from '../query/steps.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { differenceOfRows, type ExpectedRow } from './compare-rows.ts'
import { TestSink } from './test-sink.ts'

/** What stands behind a streaming DataFrame. */
interface PlannedStream {
  readonly plan: LogicalPlan
  readonly engine: EnginePort
}
/** Something that takes blocks of rows: a MemoryStream. */
export interface TestableStream {
  addData(...rows: never[]): unknown
}

/** As writeStream.trigger takes it, or as the plan has it. */
export type TestTrigger = Trigger | TriggerInput

export interface TestStreamOptions {
  /** Default append. */
  readonly outputMode?: OutputMode
  /** Default: a batch whenever there is something to do. */
  readonly trigger?: TestTrigger
  /** Time of the query; default the engine's. With a processing-time interval the query then moves only by advanceManualClock. */
  readonly clock?: ManualClock
  /** Default a temporary folder, removed at the end. */
  readonly checkpointLocation?: string
  /** Options of the query. */
  readonly options?: Readonly<Record<string, string>>
}

/** How a query is started in the middle of a test. */
export interface StartStreamOptions {
  /** Default: as before. */
  readonly trigger?: TestTrigger
  readonly clock?: ManualClock
  readonly checkpointLocation?: string
  /** Options of the query for this start only, over those of testStream: `{ 'spark.sql.shuffle.partitions': '4' }`. */
  readonly options?: Readonly<Record<string, string>>
}

/** One step of a test. */
export interface StreamAction {
  readonly name: string
  /** False where it may come before the query has been started; default true. */
  readonly needsQuery?: boolean
  run(test: StreamTest): Promise<void>
}

/**
 * Runs a streaming query through a list of actions, in the manner of Spark's StreamTest: the query is started first unless startStream()
 * comes before every action that needs a query (adding data does not), restarts keep the checkpoint and the sink, and at the end the query is stopped.
 * Every check waits until the query has done all there is to do, the no-data batch that follows a watermark included.
 */
export async function testStream(
  frame: AnyFrame<any, any>,
  options: TestStreamOptions | readonly StreamAction[],
  actions?: readonly StreamAction[],
): Promise<void> {
  const given = Array.isArray(options) ? {} : (options as TestStreamOptions)
  const steps = Array.isArray(options) ? (options as readonly StreamAction[]) : (actions ?? [])
  const foreign = steps.findIndex((step) => typeof step?.run !== 'function')
  if (foreign >= 0) throw new Error(`testStream, action ${foreign + 1}: it is no action; make it with addData(…), checkAnswer(…), …`)
  const folder = given.checkpointLocation ?? (await mkdtemp(join(tmpdir(), 'millrace-test-')))
  const test = new StreamTest(frame as unknown as PlannedStream, given, folder)
  try {
    if (steps.find((step) => step.needsQuery !== false)?.name !== 'startStream') await test.start({})
    for (const [index, step] of steps.entries()) await inContext(step, index, () => step.run(test))
  } finally {
    await test.end()
    if (!given.checkpointLocation) await rm(folder, { recursive: true, force: true })
  }
}

async function inContext(step: StreamAction, index: number, run: () => Promise<void>): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (error instanceof Error) error.message = `testStream, action ${index + 1} (${step.name}): ${error.message}`
    throw error
  }
}

const batchSteps: readonly BatchStep[] = [
  'offset-log/write',
  'source/commit',
  'batch/run',
  'state/commit',
  'sink/commit',
  'commit-log/write',
]

/** What crashAt throws inside the query. */
export class SimulatedCrash extends Error {}

/** A running test, as the actions see it. */
export class StreamTest {
  readonly sink = new TestSink()
  readonly folder: string
  readonly #frame: PlannedStream
  readonly #options: TestStreamOptions
  #query: StreamingQuery | null = null
  #clock: ManualClock | undefined
  /** Between its triggers. Without an interval a query runs whenever there is something to do, whatever its clock says. */
  #sleepsOnClock = false
  #crash: { readonly step: BatchStep; readonly when: StepEvent['when']; readonly batchId: number | undefined } | null = null
  #batchChecked = -1
  /** Progresses since the last assertNumStateRows. */
  readonly progresses: QueryProgress[] = []
  #seenBatches = -1

  constructor(frame: PlannedStream, options: TestStreamOptions, folder: string) {
    this.#frame = frame
    this.#options = options
    this.#clock = options.clock
    this.folder = folder
  }

  get query(): StreamingQuery {
    if (!this.#query) throw new Error('the query has not been started')
    return this.#query
  }
  get clock(): ManualClock {
    if (!this.#clock) throw new Error('the query runs on the system clock; give testStream or startStream a ManualClock')
    return this.#clock
  }

  async start(options: StartStreamOptions): Promise<void> {
    this.#clock = options.clock ?? this.#clock
    const given = options.trigger ?? this.#options.trigger ?? { kind: 'processing-time', intervalMs: 0 }
    const trigger = 'kind' in given ? given : triggerOf(given)
    this.#sleepsOnClock = this.#clock !== undefined && trigger.kind === 'processing-time' && trigger.intervalMs > 0
    this.#query = await this.#frame.engine.start({
      plan: this.#frame.plan,
      outputMode: this.#options.outputMode ?? 'append',
      trigger,
      queryName: null,
      format: 'test',
      options: { ...this.#options.options, ...options.options, checkpointLocation: options.checkpointLocation ?? this.folder },
      partitionBy: [],
      instance: this.sink,
      ...(this.#clock ? { clock: this.#clock } : {}),
      observeStep: (event) => this.#observe(event),
    })
    this.#seenBatches = -1
  }

  async stop(): Promise<void> {
    await this.settle()
    await this.query.stop()
    this.collectProgress()
  }

  /** Waits until the query has nothing left to do, is asleep on its manual clock, or has ended. Rejects with the query's error. */
  async settle(): Promise<void> {
    const { query } = this
    const ended = query.awaitTermination()
    // a query that fails while this waits tells both promises, and only one of them is looked at
    ended.catch(() => {})
    if (!query.isActive) await ended
    else if (this.#sleepsOnClock) await Promise.race([this.clock.whenSleeping(), ended])
    else await query.processAllAvailable()
    this.collectProgress()
  }

  collectProgress(): void {
    for (const progress of this.#query?.recentProgress ?? []) {
      if (progress.isIdle || progress.batchId <= this.#seenBatches) continue
      this.#seenBatches = progress.batchId
      this.progresses.push(progress)
    }
  }

  /** Arms a crash and waits until it has ended the query. */
  async crash(step: BatchStep, when: StepEvent['when'], batchId: number | undefined): Promise<void> {
    if (!batchSteps.includes(step)) throw new Error(`there is no step ${JSON.stringify(step)}, but ${batchSteps.join(', ')}`)
    this.#crash = { step, when, batchId }
    const error = await this.failure()
    if (!(error instanceof MillraceError && error.cause instanceof SimulatedCrash)) {
      throw new Error(`expected the query to crash at ${when} ${step}, but it ended with ${String(error)}`)
    }
  }
  /** What the query ends with, null where without an error. Rejects where it has done all there is to do, and runs on. */
  async failure(): Promise<unknown> {
    const ended = this.query.awaitTermination().then(
      () => null,
      (reason: unknown) => reason,
    )
    const settled = this.settle().then(
      () => this.query.isActive,
      () => false,
    )
    if (await Promise.race([settled, ended.then(() => false)])) throw new Error('the query has done all there is to do, and runs on')
    return ended
  }
  #observe(event: StepEvent): void {
    const crash = this.#crash
    if (!crash || crash.step !== event.step || crash.when !== event.when) return
    if (crash.batchId !== undefined && crash.batchId !== event.batchId) return
    this.#crash = null
    throw new SimulatedCrash(`crash ${event.when} ${event.step} of batch ${event.batchId}`)
  }

  /** The rows of the batches that came since the last call or `noteRowsChecked`. */
  takeNewRows(): Row[] {
    const rows = this.sink.rowsAfter(this.#batchChecked)
    this.noteRowsChecked()
    return rows
  }
  noteRowsChecked(): void {
    this.#batchChecked = this.sink.batchIds.at(-1) ?? -1
  }
  clearSink(): void {
    this.sink.clear()
    this.#batchChecked = -1
  }

  async end(): Promise<void> {
    if (this.#query?.isActive) await this.#query.stop({ drain: false })
  }
}

function action(name: string, run: (test: StreamTest) => Promise<void>): StreamAction {
  return { name, run }
}
function freeAction(name: string, run: (test: StreamTest) => Promise<void>): StreamAction {
  return { name, run, needsQuery: false }
}
function check(difference: string | null): void {
  if (difference !== null) throw new Error(difference)
}

/** Adds one block of rows to a memory stream. */
export function addData<R>(stream: { addData(...rows: R[]): unknown }, ...rows: NoInfer<R>[]): StreamAction {
  return freeAction('addData', async () => {
    stream.addData(...rows)
  })
}
/** Adds blocks to several streams before the query can look: they share a batch. */
export function multiAddData(...adds: readonly (readonly [TestableStream, readonly unknown[]])[]): StreamAction {
  // no await between the calls, so the query's loop cannot run in between
  return freeAction('multiAddData', async () => {
    for (const [stream, rows] of adds) stream.addData(...(rows as never[]))
  })
}
/** All rows ever written, in any order; in complete mode those of the last batch. */
export function checkAnswer(...expected: readonly ExpectedRow[]): StreamAction {
  return action('checkAnswer', async (test) => {
    await test.settle()
    test.noteRowsChecked()
    check(differenceOfRows(test.sink.allRows, expected))
  })
}
/** Like checkAnswer, and in this order. */
export function checkAnswerInOrder(...expected: readonly ExpectedRow[]): StreamAction {
  return action('checkAnswerInOrder', async (test) => {
    await test.settle()
    test.noteRowsChecked()
    check(differenceOfRows(test.sink.allRows, expected, true))
  })
}
/** The rows of the newest batch (a no-data batch counts). */
export function checkLastBatch(...expected: readonly ExpectedRow[]): StreamAction {
  return action('checkLastBatch', async (test) => {
    await test.settle()
    test.noteRowsChecked()
    check(differenceOfRows(test.sink.lastBatch, expected))
  })
}
/** The rows of the batches since the last check of rows, of any kind; in complete mode the last table, if there was a batch since. */
export function checkNewAnswer(...expected: readonly ExpectedRow[]): StreamAction {
  return action('checkNewAnswer', async (test) => {
    await test.settle()
    check(differenceOfRows(test.takeNewRows(), expected))
  })
}
/** Which batches the sink holds. */
export function checkSinkBatches(...batchIds: readonly number[]): StreamAction {
  return action('checkSinkBatches', async (test) => {
    await test.settle()
    const have = test.sink.batchIds.join(', ')
    if (have !== batchIds.join(', ')) throw new Error(`the sink holds batches ${have || 'none'}, expected ${batchIds.join(', ') || 'none'}`)
  })
}
/** Stops the query (draining), keeping checkpoint and sink. */
export function stopStream(): StreamAction {
  return action('stopStream', (test) => test.stop())
}
/** Starts the query again on the same checkpoint, unless told otherwise. */
export function startStream(options: StartStreamOptions = {}): StreamAction {
  return action('startStream', (test) => test.start(options))
}
/** Waits until the query sleeps, and moves its manual clock. */
export function advanceManualClock(ms: number): StreamAction {
  return action('advanceManualClock', async (test) => {
    if (!Number.isFinite(ms)) throw new Error(`advanceManualClock takes milliseconds, not ${JSON.stringify(ms)}`)
    await test.settle()
    test.clock.advance(ms)
  })
}
/** Empties the sink. */
export function clearSink(): StreamAction {
  return freeAction('clearSink', async (test) => test.clearSink())
}
/** Waits until all is done, without looking. */
export function processAllAvailable(): StreamAction {
  return action('processAllAvailable', (test) => test.settle())
}
/** Waits for the end of a query whose trigger ends by itself. */
export function awaitTermination(): StreamAction {
  return action('awaitTermination', async (test) => {
    await test.query.awaitTermination()
    test.collectProgress()
  })
}
/** Ends the query as a crash would, before (default) or after the step, in the given batch or the next that gets there. */
export function crashAt(step: BatchStep, options: { readonly batchId?: number; readonly when?: StepEvent['when'] } = {}): StreamAction {
  return action('crashAt', (test) => test.crash(step, options.when ?? 'before', options.batchId))
}
/** The query must end with an error of this code. */
export function expectFailure(code: string): StreamAction {
  return action('expectFailure', async (test) => {
    const error = await test.failure()
    if (!(error instanceof MillraceError) || error.code !== code)
      throw new Error(`expected an error with the code ${code}, got ${String(error)}`)
  })
}
/** Of one operator, or of each in the order of the progress: the outermost first. */
type OfOperators = number | readonly number[]
/** The state's rows after the last batch; the other three are summed over all batches since the last such check. */
export function assertNumStateRows(
  expected: {
    readonly total?: OfOperators
    readonly updated?: OfOperators
    readonly droppedByWatermark?: OfOperators
    readonly removed?: OfOperators
  },
  operator = 0,
): StreamAction {
  return action('assertNumStateRows', async (test) => {
    await test.settle()
    const progresses = test.progresses.splice(0)
    const several = Object.entries(expected).some(([, value]) => typeof value !== 'number')
    const count = Math.max(...Object.values(expected).map((value) => (typeof value === 'number' ? 0 : value.length)))
    const operators = several ? Array.from({ length: count }, (_, i) => i) : [operator]
    const actual = operators.map((at) => stateRowsOf(at, progresses, test))
    for (const [name, value] of Object.entries(expected)) {
      const found = actual.map((each) => each[name as keyof typeof each])
      const wanted = typeof value === 'number' ? [value] : value
      if (found.join() !== wanted.join()) throw new Error(`${name} is ${found}, expected ${wanted} (all: ${JSON.stringify(actual)})`)
    }
  })
}
function stateRowsOf(operator: number, progresses: StreamTest['progresses'], test: StreamTest) {
  const states = progresses.flatMap((progress) => progress.stateOperators[operator] ?? [])
  const sum = (pick: (state: (typeof states)[number]) => number) => states.reduce((total, state) => total + pick(state), 0)
  const last = states.at(-1) ?? test.query.lastProgress?.stateOperators[operator]
  return {
    total: last?.numRowsTotal ?? 0,
    updated: sum((state) => state.numRowsUpdated),
    droppedByWatermark: sum((state) => state.numRowsDroppedByWatermark),
    removed: sum((state) => state.numRowsRemoved),
  }
}
/** The watermark that the newest batch wrote into the commit log for the next one, in milliseconds. */
export function checkWatermark(expectedMs: number): StreamAction {
  return action('checkWatermark', async (test) => {
    await test.settle()
    const ids = (await readdir(join(test.folder, 'commits'))).filter((name) => /^\d+$/.test(name)).map(Number)
    const text = await readFile(join(test.folder, 'commits', String(Math.max(...ids))), 'utf8')
    const watermarkMs = (JSON.parse(text.split('\n')[1]!) as { nextBatchWatermarkMs: number }).nextBatchWatermarkMs
    if (watermarkMs !== expectedMs) throw new Error(`the watermark is ${watermarkMs} ms, expected ${expectedMs} ms`)
  })
}
/** Anything else about the query. */
export function assertOnQuery(name: string, assertion: (query: StreamingQuery) => void | Promise<void>): StreamAction {
  return action(`assertOnQuery ${name}`, async (test) => {
    await test.settle()
    await assertion(test.query)
  })
}
/** Lets the test change the checkpoint folder between two runs. */
export function editCheckpoint(edit: (folder: string) => Promise<void>): StreamAction {
  return freeAction('editCheckpoint', (test) => edit(test.folder))
}
/** Runs any code between two actions. */
export function execute(name: string, run: () => void | Promise<void>): StreamAction {
  return freeAction(name, async () => run())
}
