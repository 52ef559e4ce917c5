import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { systemRandom } from '../base/random.ts'
import { type Loss, SimFileSystem, SimulatedCrash } from '../testing/sim-file-system.ts'
import type { OffsetEntry } from './checkpoint.ts'
import { decideStart } from './decide-start.ts'
import { type OpenCheckpointOptions, openCheckpoint } from './open-checkpoint.ts'
import type { ProcessIdentity } from './process-identity.ts'

let root: string
let folder: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-checkpoint-'))
  folder = join(root, 'checkpoint')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** A process that knows all others to be dead, as after a crash. */
const survivor: ProcessIdentity = { host: 'h', pid: 1, bootId: 'b', processStart: '1', threadId: 0, isAlive: () => false }
const open = (options: Partial<OpenCheckpointOptions> = {}) =>
  openCheckpoint({
    files: new LocalFiles(),
    clock: new ManualClock(1000),
    random: systemRandom,
    folder,
    queryName: 'q',
    planText: 'Scan\n  Sink',
    planFingerprint: 'f',
    millraceVersion: '0.1.0',
    processIdentity: survivor,
    ...options,
  })
const planned = (n: number): OffsetEntry => ({
  batchWatermarkMs: n,
  batchTimestampMs: 1000 + n,
  conf: { 'millrace.salt': '00' },
  sources: { 0: { logOffset: n } },
})
async function runBatches(count: number): Promise<void> {
  const checkpoint = await open()
  const first = (await checkpoint.offsets.latest())?.batchId ?? -1
  for (let n = first + 1; n <= first + count; n++) {
    await checkpoint.offsets.add(n, planned(n))
    await checkpoint.commits.add(n, { nextBatchWatermarkMs: n, epoch: checkpoint.epoch })
  }
  await checkpoint.close()
}
const path = (name: string) => join(folder, name)
const everything = () =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((each) => each.isFile())
      .map((each) => [join(each.parentPath, each.name), readFileSync(join(each.parentPath, each.name), 'utf8')]),
  )
const corrupt = (code: string, what: string) => ({ name: 'CorruptCheckpointError', code, what: expect.stringContaining(what) })

describe('opening', () => {
  test('a new folder makes metadata and the first run', async () => {
    const checkpoint = await open()
    expect(checkpoint).toMatchObject({ folder, epoch: 1, recovering: false, previousRun: undefined })
    expect(readFileSync(path('metadata'), 'utf8')).toBe(`{"id":"${checkpoint.queryId}"}`)
    expect(readdirSync(folder).sort()).toEqual(['metadata', 'runs'])
    await checkpoint.checkFence()
    await checkpoint.close()
    await checkpoint.close()
    expect(readdirSync(path('runs')).sort()).toEqual(['1', '1.ended'])
  })
  test('again goes on with the same id, the next epoch and both logs', async () => {
    await runBatches(3)
    const checkpoint = await open()
    expect(checkpoint).toMatchObject({
      epoch: 2,
      recovering: true,
      previousRun: { epoch: 1, queryName: 'q', plan: 'Scan\n  Sink', planFingerprint: 'f' },
    })
    expect(checkpoint.runId).not.toBe(checkpoint.previousRun!.runId)
    expect(await checkpoint.offsets.latest()).toEqual({ batchId: 2, entry: planned(2) })
    expect(await checkpoint.commits.latest()).toEqual({ batchId: 2, entry: { nextBatchWatermarkMs: 2, epoch: 1 } })
    expect(checkpoint.queryId).toBe((JSON.parse(readFileSync(path('metadata'), 'utf8')) as { id: string }).id)
  })
  test('removes what killed runs left, and nothing else', async () => {
    await runBatches(1)
    for (const name of [
      '.metadata.a-1.tmp',
      'offsets/.1.a-1.tmp',
      'commits/.1.a-1.tmp',
      'runs/.2.a-1.tmp',
      'runs/.3.a-1.tmp',
      'offsets/.0.crc',
    ])
      writeFileSync(path(name), 'half')
    await open()
    expect(readdirSync(folder).sort()).toEqual(['commits', 'metadata', 'offsets', 'runs'])
    expect(readdirSync(path('offsets')).sort()).toEqual(['.0.crc', '0'])
    expect(readdirSync(path('commits'))).toEqual(['0'])
    // runs/3 may be another start that is just being made
    expect(readdirSync(path('runs')).sort()).toEqual(['.3.a-1.tmp', '1', '1.ended', '2'])
  })
  test('with every commit purged but the last starts and replays nothing (A7)', async () => {
    await runBatches(5)
    for (const n of [0, 1, 2, 3]) rmSync(path(`commits/${n}`))
    const checkpoint = await open()
    expect(decideStart((await checkpoint.offsets.latest())?.batchId, (await checkpoint.commits.latest())?.batchId)).toEqual({
      kind: 'run',
      batchId: 5,
    })
    await checkpoint.offsets.add(5, planned(5))
    await checkpoint.commits.add(5, { nextBatchWatermarkMs: 5, epoch: checkpoint.epoch })
  })
  test('without the last commits, or any, replays the last planned batch, and commits it over the gap', async () => {
    await runBatches(5)
    for (const n of [2, 3, 4]) rmSync(path(`commits/${n}`))
    const checkpoint = await open()
    expect(decideStart(4, (await checkpoint.commits.latest())?.batchId)).toEqual({ kind: 'replay', batchId: 4, missingCommits: 2 })
    await checkpoint.commits.add(4, { nextBatchWatermarkMs: 4, epoch: checkpoint.epoch })
    await checkpoint.close()
    expect(await (await open()).commits.batchIds()).toEqual([0, 1, 4])
    rmSync(path('commits'), { recursive: true })
    await open()
  })
  test('a checkpoint of Spark goes on from its logs', async () => {
    for (const name of ['offsets', 'commits']) mkdirSync(path(name), { recursive: true })
    writeFileSync(path('metadata'), '{"id":"0b8a5a54-7b52-4d0b-9c2e-3b1f0a3c9d11"}')
    writeFileSync(path('offsets/0'), 'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1757005984499,"conf":{}}\n3')
    writeFileSync(path('commits/0'), 'v1\n{"nextBatchWatermarkMs":7}')
    const checkpoint = await open()
    expect(checkpoint).toMatchObject({ queryId: '0b8a5a54-7b52-4d0b-9c2e-3b1f0a3c9d11', epoch: 1, recovering: true })
    expect((await checkpoint.commits.latest())?.entry).toEqual({ nextBatchWatermarkMs: 7, epoch: 0 })
  })
})

describe('is refused, and nothing is overwritten, when', () => {
  async function refused(error: object, options: Partial<OpenCheckpointOptions> = {}): Promise<void> {
    const before = existsSync(folder) ? everything() : {}
    await expect(open(options)).rejects.toMatchObject(error)
    expect(everything()).toMatchObject(before)
    // refused again for the same reason, and no run is left that seems to be alive
    await expect(open(options)).rejects.toMatchObject(error)
  }

  test('metadata is missing but offsets or commits are there (L9); with empty logs it is not', async () => {
    await runBatches(1)
    rmSync(path('metadata'))
    await refused(corrupt('STREAMING_CHECKPOINT_MISSING_METADATA_FILE', path('metadata')))
    rmSync(path('offsets'), { recursive: true })
    await refused(corrupt('STREAMING_CHECKPOINT_MISSING_METADATA_FILE', path('metadata')))
    for (const name of ['runs', 'commits']) rmSync(path(name), { recursive: true })
    for (const name of ['offsets', 'commits', 'state']) mkdirSync(path(name))
    expect(await open()).toMatchObject({ recovering: true, epoch: 1 })
  })
  test('metadata is not what it should be', async () => {
    await runBatches(1)
    for (const text of ['', '{"id":', '{"id":"x"}', 'null', '{"id":7}']) {
      writeFileSync(path('metadata'), text)
      await refused(corrupt('MALFORMED_METADATA_FILE', path('metadata')))
    }
  })
  test('there are state or commits but no offsets', async () => {
    await runBatches(1)
    rmSync(path('offsets'), { recursive: true })
    await refused(corrupt('STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY', path('commits/0')))
    rmSync(path('commits'), { recursive: true })
    mkdirSync(path('state/0/1'), { recursive: true })
    writeFileSync(path('state/0/1/1.changelog'), '')
    await refused(corrupt('STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY', path('state/0/1/1.changelog')))
  })
  test('SPARK-53103: non empty state and commits checkpoint directory on first batch', async () => {
    for (const name of ['state', 'commits']) {
      mkdirSync(path(`${name}/0`), { recursive: true })
      await refused(corrupt('STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY', path(`${name}/0`)))
      rmSync(path(name), { recursive: true })
    }
    expect(await open()).toMatchObject({ recovering: false, epoch: 1 })
  })
  test("a log entry that is needed is torn, empty, newer or somebody else's", async () => {
    await runBatches(3)
    const good = everything()
    for (const name of ['offsets/2', 'offsets/1', 'commits/2']) {
      truncateSync(path(name), Math.floor(good[path(name)]!.length / 2))
      await refused(corrupt('MALFORMED_LOG_FILE', path(name)))
      truncateSync(path(name), 0)
      await refused(corrupt('MALFORMED_LOG_FILE', path(name)))
      writeFileSync(path(name), good[path(name)]!.replace(/^v\d/, 'v9'))
      await refused(corrupt('INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION', path(name)))
      writeFileSync(path(name), good[join(path(name), `../${0}`)]!)
      await refused(corrupt('MALFORMED_LOG_FILE', path(name)))
      writeFileSync(path(name), good[path(name)]!)
    }
    await open()
  })
  test('the offsets have a gap, or lack the batch before the last', async () => {
    await runBatches(4)
    rmSync(path('offsets/1'))
    await refused(corrupt('BATCH_METADATA_NOT_FOUND', path('offsets/1')))
    rmSync(path('offsets/0'))
    await open()
    rmSync(path('offsets/2'))
    await refused(corrupt('BATCH_METADATA_NOT_FOUND', 'offsets/2'))
  })
  test('the commit log is ahead', async () => {
    await runBatches(3)
    rmSync(path('offsets/2'))
    await refused(corrupt('LOGS_DISAGREE', 'the offset log ends at batch 1, the commit log at batch 2'))
  })
  test('metadata is of another query than the logs and the runs', async () => {
    await runBatches(1)
    writeFileSync(path('metadata'), '{"id":"0b8a5a54-7b52-4d0b-9c2e-3b1f0a3c9d11"}')
    await refused(corrupt('MALFORMED_LOG_FILE', path('commits/0')))
    rmSync(path('commits'), { recursive: true })
    await refused(corrupt('CHECKPOINT_OF_ANOTHER_QUERY', path('runs/1')))
  })
  test('the records of the runs are lost or broken; takeover goes on with a number that nobody had', async () => {
    await runBatches(1)
    await runBatches(1)
    const record = readFileSync(path('runs/2'), 'utf8')
    writeFileSync(path('runs/2'), record.replace('"pid":1', '"pid":2'))
    await refused(corrupt('MALFORMED_LOG_FILE', path('runs/2')))
    rmSync(path('runs'), { recursive: true })
    await refused(corrupt('RUN_RECORDS_MISSING', path('runs')))
    expect(await open({ takeover: true })).toMatchObject({ epoch: 3 })
    writeFileSync(path('runs/3'), '')
    expect(await open({ takeover: true })).toMatchObject({ epoch: 4 })
  })
})

/**
 * A query of two logs only, killed at every step, once with the power and once without, and again at every step of what follows.
 * What a call has promised must be there, no start may find damage, and no epoch may be given twice.
 */
describe('killed at every step', () => {
  const losses: Loss[] = [
    { unsynced: 'drop', entries: 'undo' },
    { unsynced: 'tear-half', entries: { seed: 1 } },
  ]

  interface Promised {
    readonly epochs: number[]
    offsets: number
    commits: number
    queryId: string | undefined
  }
  /** Runs up to three batches, and gives whether it got to the end. */
  async function run(files: Files, into: string, promised: Promised): Promise<boolean> {
    try {
      const checkpoint = await open({ files, folder: into })
      expect(promised.epochs).not.toContain(checkpoint.epoch)
      promised.epochs.push(checkpoint.epoch)
      expect(promised.queryId ?? checkpoint.queryId).toBe(checkpoint.queryId)
      if (promised.offsets >= 0) promised.queryId = checkpoint.queryId
      const [lastPlanned, lastDone] = [
        (await checkpoint.offsets.latest())?.batchId ?? -1,
        (await checkpoint.commits.latest())?.batchId ?? -1,
      ]
      expect(lastPlanned).toBeGreaterThanOrEqual(promised.offsets)
      expect(lastDone).toBeGreaterThanOrEqual(promised.commits)
      const decision = decideStart(lastPlanned, lastDone)
      // what this run builds on must not go any more
      promised.offsets = lastPlanned
      promised.commits = lastDone
      for (let n = decision.batchId; n < 3; n++) {
        if (n > lastPlanned) await checkpoint.offsets.add(n, planned(n))
        promised.offsets = n
        await checkpoint.commits.add(n, { nextBatchWatermarkMs: n, epoch: checkpoint.epoch })
        promised.commits = n
      }
      await checkpoint.offsets.purgeBelow(1)
      await checkpoint.commits.purgeBelow(1)
      await checkpoint.close()
      return true
    } catch (error) {
      if (error instanceof SimulatedCrash) return false
      throw error
    }
  }

  test('with the power: every point, every loss', async () => {
    let points = 0
    for (const loss of losses) {
      let finished = false
      for (let operation = 1; !finished; operation++) {
        for (const when of ['before', 'after'] as const) {
          const base = join(root, `${points++}`)
          const sim = new SimFileSystem(base)
          const promised: Promised = { epochs: [], offsets: -1, commits: -1, queryId: undefined }
          sim.crashAt({ operation, when })
          finished = await run(new LocalFiles(sim), join(base, 'c'), promised)
          await sim.losePower(loss)
          expect(await run(new LocalFiles(await sim.restart()), join(base, 'c'), promised), `${when} ${operation}`).toBe(true)
          rmSync(base, { recursive: true })
        }
      }
    }
    expect(points).toBeGreaterThan(200)
  }, 60_000)

  test('without, then with the power during the next start', async () => {
    let points = 0
    const loss = losses[0]!
    for (let first = 1, finished = false; !finished; first += 4) {
      for (let second = 1, again = false; !again; second += 6) {
        const base = join(root, `${points++}`)
        const sim = new SimFileSystem(base)
        const promised: Promised = { epochs: [], offsets: -1, commits: -1, queryId: undefined }
        sim.crashAt({ operation: first, when: 'after' })
        finished = await run(new LocalFiles(sim), join(base, 'c'), promised)
        const next = await sim.restart()
        next.crashAt({ operation: next.operations + second, when: 'after' })
        again = await run(new LocalFiles(next), join(base, 'c'), promised)
        await next.losePower(loss)
        expect(await run(new LocalFiles(await next.restart()), join(base, 'c'), promised), `${first}, ${second}`).toBe(true)
        rmSync(base, { recursive: true })
      }
    }
    expect(points).toBeGreaterThan(80)
  }, 60_000)
})
