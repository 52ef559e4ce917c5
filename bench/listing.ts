/**
 * Does a folder of 100,000 files stall a stream? A file source over such a folder: the first listing, the question whether there is
 * anything new (the folder unchanged, and with one file more), a restart that reads the log of the files seen, and how long the event loop
 * was held up meanwhile, in time and in CPU time. The baseline is a bare synchronous readdir and stat of the same folder.
 */

import { readdirSync, statSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from '../src/base/clock.ts'
import { LocalFiles } from '../src/base/local-files.ts'
import { Schema } from '../src/data/schema.ts'
import { fileSourceProvider } from '../src/sources/file-source-provider.ts'
import type { Offset } from '../src/sources/source.ts'
import type { Bench } from './run.ts'

const bench: Bench = async ({ say, short }) => {
  const count = short ? 5_000 : 100_000
  const work = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    const folder = join(work, 'in')
    await mkdir(folder)
    for (let i = 0; i < count; i += 200)
      await Promise.all(
        Array.from({ length: 200 }, (_, j) => writeFile(join(folder, `part-${String(i + j).padStart(8, '0')}.json`), '{"n":1}\n')),
      )
    const result = { files: count, ...(await measure(work, folder, count)) }
    say(`${count} files: ${JSON.stringify(result)}`)
    return result
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
export default bench

async function measure(work: string, folder: string, count: number) {
  const open = () =>
    fileSourceProvider.open({
      format: 'json',
      schema: new Schema([{ name: 'n', type: 'long', nullable: true }]),
      options: { path: folder, maxFilesPerTrigger: '1000', maxCachedFiles: '1000000' },
      metadataFolder: join(work, 'log'),
      files: new LocalFiles(),
      clock: systemClock,
      checkFence: async () => {},
      conf: () => undefined,
    })
  const limit = { kind: 'max-files', count: 1000 } as const
  const bare = await timed(async () => {
    for (const name of readdirSync(folder)) statSync(join(folder, name))
  })
  let source = await open()
  let offset: Offset | null = null
  const step = async () => {
    offset = await source.latestOffset(offset, limit)
  }
  const first = await timed(step)
  const rest = await timed(async () => {
    for (let i = 1000; i < count; i += 1000) await step()
  })
  const nothingNew = await timed(step)
  // the folder's time has to settle before an unchanged folder is believed
  await new Promise((resolve) => setTimeout(resolve, 2600))
  await step()
  const unchanged = await timed(step)
  await writeFile(join(folder, 'one-more.json'), '{"n":1}\n')
  const oneNew = await timed(step)
  const restart = await timed(async () => {
    source = await open()
  })
  const afterRestart = await timed(step)
  return { bareMs: bare.ms, first, batchesOf1000: rest, nothingNew, unchanged, oneNew, restart, afterRestart }
}

/**
 * Milliseconds, the longest the event loop was held up, and the most CPU time of this thread between two turns of the loop: on a machine that has other
 * work the first two also count time in which this process was not running.
 */
async function timed(work: () => Promise<unknown>) {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const slices = cpuSlices()
  await new Promise((resolve) => setTimeout(resolve, 5))
  delay.enable()
  const startMs = performance.now()
  await work()
  const ms = performance.now() - startMs
  await new Promise((resolve) => setTimeout(resolve, 5))
  delay.disable()
  return { ms: Math.round(ms * 10) / 10, heldUpMsMax: Math.round(delay.max / 1e5) / 10, sliceCpuMsMax: Math.round(slices.stop() * 10) / 10 }
}

function cpuSlices(): { stop(): number } {
  const cpuMs = () => {
    const { user, system } = process.threadCpuUsage()
    return (user + system) / 1000
  }
  let last = cpuMs()
  let max = 0
  let running = true
  const turn = () => {
    const now = cpuMs()
    max = Math.max(max, now - last)
    last = now
    if (running) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    stop() {
      running = false
      return max
    },
  }
}
