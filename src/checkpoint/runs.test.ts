import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualClock, systemClock } from '../base/clock.ts'
import { nodeFileSystem } from '../base/file-system.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { systemRandom } from '../base/random.ts'
import type { OffsetEntry } from './checkpoint.ts'
import { decideStart } from './decide-start.ts'
import { type OpenCheckpoint, type OpenCheckpointOptions, openCheckpoint } from './open-checkpoint.ts'
import type { ProcessIdentity } from './process-identity.ts'

let folder: string
let clock: ManualClock
const opened: OpenCheckpoint[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-runs-'))
  clock = new ManualClock(1_000_000)
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close().catch(() => {})
  rmSync(folder, { recursive: true, force: true })
})

async function open(options: Partial<OpenCheckpointOptions> = {}): Promise<OpenCheckpoint> {
  const checkpoint = await openCheckpoint({
    files: new LocalFiles(),
    clock,
    random: systemRandom,
    folder,
    queryName: 'clicks',
    planText: 'Scan',
    planFingerprint: 'f',
    millraceVersion: '0.1.0',
    ...options,
  })
  opened.push(checkpoint)
  return checkpoint
}
/** A process elsewhere: it sees nothing of others but what is in the folder. */
const elsewhere = (host: string): ProcessIdentity => ({
  host,
  pid: 7,
  bootId: host,
  processStart: '',
  threadId: 0,
  isAlive: () => undefined,
})
const planned = (n: number): OffsetEntry => ({ batchWatermarkMs: 0, batchTimestampMs: n, conf: {}, sources: { 0: n } })
const runs = () => readdirSync(join(folder, 'runs')).sort()
const concurrent = { name: 'FencedError', code: 'CONCURRENT_QUERY' }
const superseded = { name: 'FencedError', code: 'SUPERSEDED_BY_NEWER_RUN' }
const overtaken = { name: 'FencedError', code: 'CONCURRENT_STREAM_LOG_UPDATE' }
/** Lets work that waits on nothing but the file system come to rest. */
const until = async (condition: () => boolean) => {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  expect(condition()).toBe(true)
}

describe('a start', () => {
  test('writes down who it is', async () => {
    const { runId, queryId } = await open()
    const [first, second, ...rest] = readFileSync(join(folder, 'runs/1'), 'utf8').split('\n')
    expect([first, rest]).toEqual(['v1', []])
    expect(JSON.parse(second!)).toEqual({
      epoch: 1,
      runId,
      queryId,
      queryName: 'clicks',
      millraceVersion: '0.1.0',
      planFingerprint: 'f',
      plan: 'Scan',
      leaseMs: 30_000,
      startedAtMs: 1_000_000,
      host: expect.any(String),
      pid: process.pid,
      bootId: expect.any(String),
      processStart: expect.any(String),
      threadId: expect.any(Number),
      crc32: expect.stringMatching(/^[0-9a-f]{8}$/),
    })
  })
  test('is refused while another run of this process is open, and the error names it', async () => {
    const first = await open()
    await expect(open()).rejects.toMatchObject({
      ...concurrent,
      what: expect.stringContaining(`run ${first.runId} (epoch 1, query clicks) on host`),
    })
    await expect(open()).rejects.toThrow(`pid ${process.pid}`)
    expect(runs()).toEqual(['1'])
    await first.close()
    expect(await open()).toMatchObject({ epoch: 2 })
  })
  test('wins alone when two come at the same moment', async () => {
    for (let i = 0; i < 10; i++) {
      const results = await Promise.allSettled([open(), open(), open()])
      const won = results.filter((each) => each.status === 'fulfilled')
      expect(won).toHaveLength(1)
      for (const each of results) if (each.status === 'rejected') expect(each.reason).toMatchObject(concurrent)
      await won[0]!.value.close()
    }
    expect(runs().filter((name) => !name.includes('.'))).toHaveLength(10)
  })
  test('takes over when told to: the other stops, its epoch and id in what it reads', async () => {
    const first = await open()
    await first.checkFence()
    const second = await open({ takeover: true })
    expect(second).toMatchObject({ epoch: 2, previousRun: { epoch: 1, runId: first.runId }, queryId: first.queryId })
    await second.checkFence()
    await expect(first.checkFence()).rejects.toMatchObject({
      ...superseded,
      what: expect.stringMatching(
        new RegExp(`run ${first.runId} \\(epoch 1\\).*run ${second.runId} \\(epoch 2.*on host .*, pid ${process.pid}`),
      ),
    })
    await expect(first.offsets.add(0, planned(0))).rejects.toMatchObject(superseded)
    expect(existsSync(join(folder, 'offsets/0'))).toBe(false)
    // the loser's end is not the end of the winner
    await first.close()
    await second.checkFence()
    await expect(open()).rejects.toMatchObject(concurrent)
  })
  test('that takes over does so from the holder it saw, not from one that came since', async () => {
    await open()
    const results = await Promise.allSettled([open({ takeover: true }), open({ takeover: true })])
    expect(results.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(results.find((each) => each.status === 'rejected')?.reason).toMatchObject(concurrent)
  })
  test('keeps a hundred records, the newest among them, and a run from before that knows that it is old', async () => {
    const frozen = await open()
    // nothing is lost here, so nothing need be waited for
    const files = new LocalFiles({ ...nodeFileSystem, fsyncFile: async () => {}, fsyncFolder: async () => {} })
    for (let i = 0; i < 110; i++) await (await open({ takeover: true, files })).close()
    expect(existsSync(join(folder, 'runs/1'))).toBe(false)
    const epochs = runs()
      .filter((name) => !name.includes('.'))
      .map(Number)
      .sort((a, b) => a - b)
    expect([epochs[0], epochs.at(-1), epochs.length]).toEqual([11, 111, 101])
    expect(runs().filter((name) => name.startsWith('1.') || name.startsWith('2.'))).toEqual([])
    await expect(frozen.checkFence()).rejects.toMatchObject({ ...superseded, what: expect.stringContaining('epoch 111') })
    await frozen.close()
  })
})

describe('a lease', () => {
  test('is renewed three times as often as it runs out, without holding up a test that waits for sleepers', async () => {
    let sleeps = 0
    const sleepUntil = clock.sleepUntil.bind(clock)
    clock.sleepUntil = (...args) => {
      sleeps++
      return sleepUntil(...args)
    }
    const first = await open({ processIdentity: elsewhere('a') })
    expect(clock.sleeping).toBe(0)
    for (let i = 1; i <= 6; i++) {
      clock.advance(9999)
      expect(sleeps).toBe(i)
      clock.advance(1)
      await until(() => sleeps === i + 1)
      expect(readFileSync(join(folder, 'runs/1.lease'), 'utf8')).toBe(`{"renewedAtMs":${1_000_000 + i * 10_000}}\n`)
    }
    await expect(open({ processIdentity: elsewhere('b') })).rejects.toMatchObject({
      ...concurrent,
      what: expect.stringMatching(/may be alive for another 30000 ms/),
    })
    await first.close()
    expect(await open({ processIdentity: elsewhere('b') })).toMatchObject({ epoch: 2 })
  })
  test('that runs out frees the checkpoint; one millisecond earlier it does not', async () => {
    const frozen = {
      nowMs: () => 1_000_000,
      monotonicMs: () => 0,
      sleepUntil: (_: number, signal?: AbortSignal) => new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve())),
    }
    const first = await open({ processIdentity: elsewhere('a'), clock: frozen, leaseMs: 6000 })
    clock.advance(5999)
    await expect(open({ processIdentity: elsewhere('b') })).rejects.toMatchObject({
      ...concurrent,
      what: expect.stringContaining('on host a, pid 7'),
    })
    clock.advance(1)
    expect(await open({ processIdentity: elsewhere('b') })).toMatchObject({ epoch: 2 })
    await expect(first.checkFence()).rejects.toMatchObject(superseded)
  })
  test('of less than a second is refused', async () => {
    for (const leaseMs of [999, 0, -1, Number.NaN])
      await expect(open({ leaseMs })).rejects.toMatchObject({ name: 'InvalidQueryError', code: 'INVALID_LEASE' })
    expect(readdirSync(folder)).toEqual([])
  })
  test('does not matter where the holder can be seen', async () => {
    await open({ processIdentity: elsewhere('a') })
    clock.advance(1_000_000)
    const seeing = (alive: boolean): ProcessIdentity => ({ ...elsewhere('a'), isAlive: () => alive })
    await expect(open({ processIdentity: seeing(true) })).rejects.toMatchObject({
      ...concurrent,
      what: expect.stringContaining('is alive'),
    })
    expect(await open({ processIdentity: seeing(false) })).toMatchObject({ epoch: 2 })
  })
  test('is not renewed any more by a run that was superseded', async () => {
    await open({ processIdentity: elsewhere('a') })
    await open({ takeover: true })
    clock.advance(60_000)
    await until(() => runs().includes('2.lease'))
    expect(runs()).toEqual(['1', '2', '2.lease'])
  })
  test("that can't be written for a while does not stop the run", async () => {
    let broken = true
    const files = new LocalFiles({
      ...nodeFileSystem,
      rename: (from, to) => (broken ? Promise.reject(new Error('disk full')) : nodeFileSystem.rename(from, to)),
    })
    const checkpoint = await open({ files })
    clock.advance(10_000)
    await new Promise((resolve) => setTimeout(resolve, 30))
    await checkpoint.checkFence()
    broken = false
    clock.advance(10_000)
    await until(() => runs().includes('1.lease'))
  })
})

describe('a run that is at work', () => {
  test('notices that its checkpoint is gone, and its close makes nothing anew', async () => {
    const checkpoint = await open()
    rmSync(folder, { recursive: true })
    await expect(checkpoint.checkFence()).rejects.toMatchObject({ name: 'CorruptCheckpointError', code: 'RUN_RECORD_MISSING' })
    await checkpoint.close()
    expect(existsSync(folder)).toBe(false)
  })
  test('is not used after close', async () => {
    const checkpoint = await open()
    await checkpoint.close()
    await expect(checkpoint.offsets.add(0, planned(0))).rejects.toMatchObject({ name: 'InternalError' })
  })
})

/** A run that stands still between its checkFence and its write, while another one takes over. */
describe('a run that was frozen just before it writes', () => {
  /** Files whose next createExclusive waits. Where `linkOnly`, its temporary file is there already. */
  function freezing(): { files: Files; freeze(): void; frozen: Promise<void>; wake(): void } {
    let [isFreezing, frozen, wake] = [false, () => {}, () => {}]
    const isFrozen = new Promise<void>((resolve) => {
      frozen = resolve
    })
    const woken = new Promise<void>((resolve) => {
      wake = resolve
    })
    const files = new LocalFiles({
      ...nodeFileSystem,
      link: async (from, to) => {
        if (isFreezing) {
          frozen()
          await woken
        }
        await nodeFileSystem.link(from, to)
      },
    })
    return {
      files,
      freeze: () => {
        isFreezing = true
      },
      frozen: isFrozen,
      wake: () => {
        isFreezing = false
        wake()
      },
    }
  }
  const commit = (epoch: number) => ({ nextBatchWatermarkMs: 0, epoch })

  test('finds that its temporary file was taken as litter, and stops as superseded', async () => {
    const ice = freezing()
    const old = await open({ files: ice.files })
    ice.freeze()
    const write = old.offsets.add(0, planned(0)).catch((error: unknown) => error)
    await ice.frozen
    const next = await open({ takeover: true })
    ice.wake()
    expect(await write).toMatchObject(superseded)
    await next.offsets.add(0, planned(1))
    expect(await next.offsets.get(0)).toEqual(planned(1))
  })
  test("and then finds that the batch was planned by the other: the other's entry stays", async () => {
    const ice = freezing()
    const old = await open({ files: ice.files })
    ice.freeze()
    const write = old.offsets.add(0, planned(0)).catch((error: unknown) => error)
    await ice.frozen
    const next = await open({ takeover: true })
    await next.offsets.add(0, planned(1))
    ice.wake()
    expect(await write).toMatchObject(overtaken)
    expect(await next.offsets.get(0)).toEqual(planned(1))
    await next.checkFence()
  })
  for (const log of ['offsets', 'commits'] as const) {
    test(`and gets into ${log} first: the other stops before it could contradict, and the next start goes on`, async () => {
      // a link that is on its way into the file system can't be taken back by removing the temporary file
      let [late, frozen, wake] = [false, () => {}, () => {}]
      const isFrozen = new Promise<void>((resolve) => {
        frozen = resolve
      })
      const woken = new Promise<void>((resolve) => {
        wake = resolve
      })
      const files = new LocalFiles({
        ...nodeFileSystem,
        link: async (from, to) => {
          if (!late) return nodeFileSystem.link(from, to)
          const kept = join(folder, 'on-its-way')
          await nodeFileSystem.link(from, kept)
          frozen()
          await woken
          await nodeFileSystem.rename(kept, to)
        },
      })
      const old = await open({ files })
      if (log === 'commits') await old.offsets.add(0, planned(0))
      late = true
      const write = log === 'offsets' ? old.offsets.add(0, planned(0)) : old.commits.add(0, commit(old.epoch))
      await isFrozen
      const next = await open({ takeover: true })
      expect(decideStart((await next.offsets.latest())?.batchId, (await next.commits.latest())?.batchId).batchId).toBe(0)
      wake()
      await write
      await expect(log === 'offsets' ? next.offsets.add(0, planned(1)) : next.commits.add(0, commit(next.epoch))).rejects.toMatchObject(
        overtaken,
      )
      await expect(old.checkFence()).rejects.toMatchObject(superseded)
      await next.close()
      const third = await open()
      expect(await third.offsets.latest()).toEqual({ batchId: 0, entry: planned(0) })
      // the epoch whose state files count is the one that committed, whoever came after
      expect((await third.commits.latest())?.entry).toEqual(log === 'commits' ? commit(1) : undefined)
    })
  }
})

describe.runIf(process.platform === 'linux')('a real process', () => {
  const here = dirname(fileURLToPath(import.meta.url))
  const program = `
    import { systemClock } from ${JSON.stringify(join(here, '../base/clock.ts'))}
    import { LocalFiles } from ${JSON.stringify(join(here, '../base/local-files.ts'))}
    import { systemRandom } from ${JSON.stringify(join(here, '../base/random.ts'))}
    import { openCheckpoint } from ${JSON.stringify(join(here, 'open-checkpoint.ts'))}
    const [folder, mode] = process.argv.slice(1)
    try {
      const checkpoint = await openCheckpoint({ files: new LocalFiles(), clock: systemClock, random: systemRandom, folder, queryName: 'child', planText: '', planFingerprint: '', millraceVersion: '0' })
      console.log('open ' + checkpoint.epoch)
      if (mode === 'work') {
        let n = ((await checkpoint.offsets.latest())?.batchId ?? -1) + 1
        for (;; n++) {
          await checkpoint.offsets.add(n, { batchWatermarkMs: 0, batchTimestampMs: 0, conf: {}, sources: { 0: checkpoint.epoch } })
          await checkpoint.commits.add(n, { nextBatchWatermarkMs: 0, epoch: checkpoint.epoch })
          if (n % 50 === 0) console.log('batch ' + n)
        }
      }
    } catch (error) {
      console.log(error.name + ' ' + error.code + ' ' + error.what)
    }`
  function start(mode: 'work' | 'leave') {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder, mode], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    return { child, line: async () => (await lines.next()).value as string | undefined }
  }
  const openForReal = (takeover = false) => open({ clock: systemClock, takeover })

  test('holds the checkpoint while it lives, and no longer', async () => {
    const { child, line } = start('work')
    expect(await line()).toBe('open 1')
    await line()
    await expect(openForReal()).rejects.toMatchObject({ ...concurrent, what: expect.stringContaining(`pid ${child.pid},`) })
    child.kill('SIGSTOP')
    await expect(openForReal()).rejects.toMatchObject(concurrent)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(await openForReal()).toMatchObject({ epoch: 2, recovering: true })
  })
  test('that was frozen and overtaken stops at its next step, and harms nothing', async () => {
    const { child, line } = start('work')
    expect(await line()).toBe('open 1')
    await line()
    child.kill('SIGSTOP')
    const mine = await openForReal(true)
    const first = ((await mine.offsets.latest())?.batchId ?? -1) + 1
    for (let n = first; n < first + 20; n++) {
      await mine.offsets.add(n, planned(n))
      await mine.commits.add(n, { nextBatchWatermarkMs: 0, epoch: mine.epoch })
    }
    child.kill('SIGCONT')
    let last: string | undefined
    for (let next = await line(); next !== undefined; next = await line()) last = next
    expect(last).toMatch(/^FencedError (SUPERSEDED_BY_NEWER_RUN|CONCURRENT_STREAM_LOG_UPDATE) /)
    await mine.checkFence()
    expect((await mine.offsets.batchIds()).at(-1)).toBe(first + 19)
    for (let n = first; n < first + 20; n++) expect((await mine.commits.get(n))?.epoch).toBe(2)
  })
  test('is not kept alive by its lease', async () => {
    const { child, line } = start('leave')
    expect(await line()).toBe('open 1')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(await openForReal()).toMatchObject({ epoch: 2 })
  })
})
