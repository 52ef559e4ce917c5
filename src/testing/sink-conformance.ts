import { deepStrictEqual, ok, rejects } from 'node:assert/strict'
import { FencedError, MillraceError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Row, RowSet } from '../data/row-set.ts'
import type { OutputMode } from '../plan/logical-plan.ts'
import type { Sink, SinkCommit, SinkGuarantee } from '../sinks/sink.ts'
import { type ConformanceCheck, checksOf } from './conformance.ts'
import { FilesCrash, failingFiles } from './failing-files.ts'

/** One run of a query, as the engine would open the sink for it. */
export interface SinkRun {
  readonly epoch: number
  readonly queryId: string
  /** True from the second run of a query on. */
  readonly recovering: boolean
  /** Rejects once a newer run owns the checkpoint. */
  readonly checkFence: () => Promise<void>
  /** Wraps the Files that the sink gets, so that the suite can make it die. */
  readonly wrapFiles: (files: Files) => Files
}

/** What the suite needs to know about one sink. A new fixture has no output. */
export interface SinkFixture {
  open(run: SinkRun): Promise<Sink>
  /** A batch of rows; `n` makes them different from each other and between calls. Rows must survive the way through the sink as they are. */
  rows(batch: readonly number[]): RowSet
  /** The `n`s that a reader of the output finds now, in any order. */
  visible(): Promise<readonly number[]>
  close?(): Promise<void>
}

export interface SinkConformanceOptions {
  readonly guarantee: SinkGuarantee
  readonly outputMode?: OutputMode
  /** Name of a check → why it does not apply. */
  readonly skips?: Readonly<Record<string, string>>
}

/**
 * What every Sink must do, as checks for any test runner: `runChecks(sinkConformance(make, { guarantee }), { test, skip: test.skip })`.
 * The heart of it is what the engine does after a crash: the last batch is delivered again, by a later run, with the same rows in
 * another order. A sink that says exactly-once shows them once, wherever the crash was.
 */
export function sinkConformance(
  make: () => Promise<SinkFixture>,
  { guarantee, outputMode = 'append', skips = {} }: SinkConformanceOptions,
): ConformanceCheck[] {
  const unmet =
    guarantee === 'exactly-once'
      ? {}
      : Object.fromEntries(
          Object.keys(exactlyOnceChecks).map((name) => [name, `the sink guarantees ${guarantee}, and this is about exactly-once`]),
        )
  const bind = (bodies: typeof everyCheck) =>
    Object.fromEntries(Object.entries(bodies).map(([name, body]) => [name, (fixture: SinkFixture) => body(fixture, guarantee, outputMode)]))
  return checksOf({ ...bind(everyCheck), ...bind(exactlyOnceChecks) }, make, { ...unmet, ...skips })
}

const queryId = '11111111-2222-4333-8444-555555555555'
const otherQueryId = '99999999-2222-4333-8444-555555555555'

type Body = (fixture: SinkFixture, guarantee: SinkGuarantee, outputMode: OutputMode) => Promise<void>

const everyCheck: Readonly<Record<string, Body>> = {
  async 'a sink states its guarantee and describes itself'(fixture, guarantee) {
    const sink = await open(fixture, 1)
    deepStrictEqual(sink.guarantee, guarantee)
    ok(sink.description.length > 0, 'description is not empty')
    await sink.stop()
  },

  async 'batches arrive'(fixture, _, outputMode) {
    const sink = await open(fixture, 1)
    deepStrictEqual((await add(fixture, sink, 0, [1, 2, 3], outputMode)).status, 'committed')
    deepStrictEqual((await add(fixture, sink, 1, [4], outputMode)).status, 'committed')
    await sink.stop()
    await expectVisible(fixture, [1, 2, 3, 4])
  },

  async 'a batch without rows is a batch'(fixture, _, outputMode) {
    const sink = await open(fixture, 1)
    await add(fixture, sink, 0, [], outputMode)
    await add(fixture, sink, 1, [1], outputMode)
    await add(fixture, sink, 2, [], outputMode)
    await sink.stop()
    await expectVisible(fixture, [1])
  },

  async 'a prepared batch is seen when it is added, and not before'(fixture, _, outputMode) {
    const sink = await open(fixture, 1)
    await add(fixture, sink, 0, [1], outputMode)
    const batch = { batchId: 1, rows: fixture.rows([2, 3]), outputMode }
    if (sink.prepare) {
      await sink.prepare(batch)
      await expectVisible(fixture, [1])
    }
    deepStrictEqual((await sink.addBatch(batch)).status, 'committed')
    await sink.stop()
    await expectVisible(fixture, [1, 2, 3])
  },

  async 'maintenance between batches changes nothing that a reader sees'(fixture, _, outputMode) {
    const sink = await open(fixture, 1)
    const expected: number[] = []
    for (let batchId = 0; batchId < 25; batchId++) {
      await add(fixture, sink, batchId, [batchId], outputMode)
      expected.push(batchId)
      await sink.maintain?.()
    }
    await sink.stop()
    await expectVisible(fixture, expected)
  },

  async 'stop may be called twice'(fixture) {
    const sink = await open(fixture, 1)
    await sink.stop()
    await sink.stop()
  },
}

const exactlyOnceChecks: Readonly<Record<string, Body>> = {
  async 'with the last commit deleted, the batch is delivered again and counts once'(fixture, _, outputMode) {
    const first = await open(fixture, 1)
    await add(fixture, first, 0, [1, 2], outputMode)
    await add(fixture, first, 1, [3, 4], outputMode)
    await first.stop()
    const second = await open(fixture, 2)
    deepStrictEqual((await add(fixture, second, 1, [4, 3], outputMode)).status, 'already-committed')
    deepStrictEqual((await add(fixture, second, 2, [5], outputMode)).status, 'committed')
    await second.stop()
    await expectVisible(fixture, [1, 2, 3, 4, 5])
  },

  async 'what a run had prepared when it died counts for nothing'(fixture, _, outputMode) {
    const first = await open(fixture, 1)
    await add(fixture, first, 0, [1], outputMode)
    await first.prepare?.({ batchId: 1, rows: fixture.rows([2, 3]), outputMode })
    await first.stop()
    const second = await open(fixture, 2)
    deepStrictEqual((await add(fixture, second, 1, [3, 2], outputMode)).status, 'committed')
    await second.stop()
    await expectVisible(fixture, [1, 2, 3])
  },

  async 'the very first batch delivered again counts once'(fixture, _, outputMode) {
    const first = await open(fixture, 1)
    await add(fixture, first, 0, [1, 2], outputMode)
    await first.stop()
    const second = await open(fixture, 2)
    deepStrictEqual((await add(fixture, second, 0, [1, 2], outputMode)).status, 'already-committed')
    await second.stop()
    await expectVisible(fixture, [1, 2])
  },

  async 'a batch delivered twice to one run counts once'(fixture, _, outputMode) {
    const sink = await open(fixture, 1)
    await add(fixture, sink, 0, [1], outputMode)
    deepStrictEqual((await add(fixture, sink, 0, [1], outputMode)).status, 'already-committed')
    await sink.stop()
    await expectVisible(fixture, [1])
  },

  async 'the replay holds over many batches and restarts'(fixture, _, outputMode) {
    const expected: number[] = []
    for (let batchId = 0; batchId < 23; batchId++) {
      expected.push(2 * batchId, 2 * batchId + 1)
      for (const again of [0, 1]) {
        const sink = await open(fixture, 2 * batchId + again + 1)
        deepStrictEqual(
          (await add(fixture, sink, batchId, [2 * batchId, 2 * batchId + 1], outputMode)).status,
          again ? 'already-committed' : 'committed',
        )
        await sink.maintain?.()
        await sink.stop()
      }
    }
    await expectVisible(fixture, expected)
  },

  async 'of two runs with one batch, one commits and the other learns of it'(fixture, _, outputMode) {
    const [older, newer] = [await open(fixture, 1), await open(fixture, 2)]
    const results = await Promise.allSettled([add(fixture, older, 0, [1, 2, 3], outputMode), add(fixture, newer, 0, [3, 2, 1], outputMode)])
    deepStrictEqual(results.filter(isCommitted).length, 1, 'one of them commits')
    for (const result of results)
      if (result.status === 'rejected') ok(result.reason instanceof FencedError, `the other gets a FencedError, not ${result.reason}`)
    await expectVisible(fixture, [1, 2, 3])
    await Promise.all([older.stop(), newer.stop()])
  },

  async 'a run that was superseded leaves nothing that a reader sees'(fixture, _, outputMode) {
    let superseded = false
    const checkFence = async () => {
      if (superseded) throw new FencedError('CONCURRENT_QUERY', { what: 'a newer run owns the checkpoint', todo: 'stop' })
    }
    const older = await open(fixture, 1, { checkFence })
    await add(fixture, older, 0, [1], outputMode)
    superseded = true
    await rejects(() => add(fixture, older, 1, [666], outputMode), FencedError)
    await expectVisible(fixture, [1])
    const newer = await open(fixture, 2)
    await add(fixture, newer, 1, [2], outputMode)
    await newer.maintain?.()
    await Promise.all([older.stop(), newer.stop()])
    await expectVisible(fixture, [1, 2])
  },

  async 'the output of another query is refused, never skipped'(fixture, _, outputMode) {
    const sink = await open(fixture, 1)
    await add(fixture, sink, 0, [1], outputMode)
    await sink.stop()
    await rejects(async () => {
      const other = await open(fixture, 1, { queryId: otherQueryId, recovering: false })
      await add(fixture, other, 0, [666], outputMode)
    }, MillraceError)
    await expectVisible(fixture, [1])
  },

  async 'a crash at any change of the first batch shows it whole or not at all, and the replay once'(fixture, _, outputMode) {
    await crashEverywhere(fixture, outputMode, 0)
  },

  async 'a crash at any change of a later batch shows it whole or not at all, and the replay once'(fixture, _, outputMode) {
    await crashEverywhere(fixture, outputMode, 3)
  },
}

/** Lets a run die before and after every change on disk that a batch makes, then starts anew, delivers the batch again, and goes on to the next. */
async function crashEverywhere(fixture: SinkFixture, outputMode: OutputMode, before: number): Promise<void> {
  const expected: number[] = []
  let batchId = 0
  let epoch = 1
  const calm = await open(fixture, epoch)
  for (; batchId < before; batchId++) {
    await add(fixture, calm, batchId, [batchId], outputMode)
    expected.push(batchId)
  }
  await calm.stop()
  let died = true
  let points = 0
  for (let at = 1; died; at++) {
    died = false
    for (const when of ['before', 'after'] as const) {
      const rows = [1000 * batchId, 1000 * batchId + 1]
      const dies = await dieOnce(fixture, { batchId, rows, outputMode, epoch: ++epoch, at, when })
      died ||= dies
      if (dies) points++
      const seen = (await fixture.visible()).filter((n) => rows.includes(n)).length
      ok(seen === 0 || seen === rows.length, `after a crash ${when} change ${at}, ${seen} of the batch's ${rows.length} rows are visible`)
      const replay = await open(fixture, ++epoch)
      const { status } = await add(fixture, replay, batchId, [...rows].reverse(), outputMode)
      deepStrictEqual(status, seen === 0 ? 'committed' : 'already-committed')
      await replay.maintain?.()
      await replay.stop()
      expected.push(...rows)
      await expectVisible(fixture, expected)
      batchId++
    }
  }
  ok(points > 0, 'the batch makes at least one change at which it can die; is wrapFiles used?')
}

async function dieOnce(
  fixture: SinkFixture,
  crash: { batchId: number; rows: number[]; outputMode: OutputMode; epoch: number; at: number; when: 'before' | 'after' },
): Promise<boolean> {
  let sink: Sink | undefined
  try {
    sink = await open(fixture, crash.epoch, { wrapFiles: (files) => failingFiles(files, crash.at, crash.when) })
    await add(fixture, sink, crash.batchId, crash.rows, crash.outputMode)
    return false
  } catch (error) {
    if (!(error instanceof FilesCrash)) throw error
    return true
  } finally {
    await sink?.stop()
  }
}

function open(fixture: SinkFixture, epoch: number, run: Partial<SinkRun> = {}): Promise<Sink> {
  return fixture.open({ epoch, queryId, recovering: epoch > 1, checkFence: async () => {}, wrapFiles: (files) => files, ...run })
}

function add(fixture: SinkFixture, sink: Sink, batchId: number, rows: readonly number[], outputMode: OutputMode): Promise<SinkCommit> {
  const batch = { batchId, rows: fixture.rows(rows), outputMode }
  return (sink.prepare?.(batch) ?? Promise.resolve()).then(() => sink.addBatch(batch))
}

function isCommitted(result: PromiseSettledResult<SinkCommit>): boolean {
  return result.status === 'fulfilled' && result.value.status === 'committed'
}

async function expectVisible(fixture: SinkFixture, expected: readonly number[]): Promise<void> {
  deepStrictEqual(sorted(await fixture.visible()), sorted(expected))
}
function sorted(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b)
}

/** The rows of a set whose `n` column numbers them: what a fixture's `visible` often needs. */
export function numbersOf(rows: readonly Row[], column = 'n'): number[] {
  return rows.map((row) => Number(row[column]))
}
