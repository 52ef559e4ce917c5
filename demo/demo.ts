/**
 * `npm run demo`: streams three million flights through a windowed aggregation into Parquet, kills its own worker half-way, goes on, and
 * proves that the output is the one that a single batch over all files gives. Options: --folder F (default .demo), --plain (no live display).
 */
import { relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { QueryProgress } from 'millrace'
import { compareWithBatch } from './compare.ts'
import { type Display, display } from './display.ts'
import { addClosingDay, clear, type DemoFolders, demoFolders, layOut } from './lay-out.ts'
import { Tally } from './tally.ts'
import { Worker } from './worker-process.ts'

const { values } = parseArgs({ options: { folder: { type: 'string', default: '.demo' }, plain: { type: 'boolean', default: false } } })
const startedAtMs = performance.now()
process.exitCode = await demo(demoFolders(resolve(values.folder)), display(process.stdout, { plain: values.plain }))

async function demo(folders: DemoFolders, show: Display): Promise<number> {
  show.say('Millrace demo: US flights, January to June 2001, one Parquet file a day.')
  clear(folders.root)
  const files = await layOut(folders)
  const tally = new Tally(files.length, show)
  const half = Math.floor(files.length / 2)
  show.say(
    `${files.length} files laid out. The worker is killed in batch ${half}, after it saved its state and before it saved its output.`,
  )

  const onProgress = (progress: QueryProgress) => tally.add(progress)
  const first = new Worker('worker.ts', [folders.root, String(half)], onProgress)
  const held = (await first.holding)[0]!.batchId
  first.kill()
  const signal = await first.ended
  if (signal !== 'SIGKILL') throw new Error(`the worker was to end by SIGKILL, and ended by ${signal}`)
  show.say(`SIGKILL: the worker is gone. Batch ${held} has its state, and no output. Starting a new one …`)

  const second = new Worker('worker.ts', [folders.root], onProgress)
  await Promise.race([tally.allFiles, second.ended.then(() => Promise.reject(new Error('the worker ended before the stream did')))])
  show.say('All days are in. One flight in a far future closes the last windows …')
  await addClosingDay(folders, files.length)
  second.tell({ kind: 'finish' })
  const code = await second.ended
  if (code !== 0) throw new Error(`the second worker ended with ${code}`)
  const streamedMs = performance.now() - startedAtMs

  show.say('Comparing with the same query, run once as a batch over all files …')
  const { streamRows, batchRows, onlyInStream, onlyInBatch, counted } = await compareWithBatch(folders, files)
  const same = onlyInStream === 0 && onlyInBatch === 0 && streamRows === batchRows && streamRows > 0
  const number = (value: number) => value.toLocaleString('en-US')
  const where = (path: string) => relative(process.cwd(), path) || path
  show.say(
    `${same ? 'IDENTICAL' : 'DIFFERENT'}: ${number(streamRows)} rows from the stream, ${number(batchRows)} from the batch (${number(counted)} flights); ` +
      `EXCEPT ALL leaves ${number(onlyInStream)} one way and ${number(onlyInBatch)} the other.`,
  )
  const replayed = tally.replayed(held)
  show.say(
    `Replayed after the kill: batch ${replayed ?? 'none (unexpected)'}. ${seconds(streamedMs)} for the stream, ${seconds(performance.now() - startedAtMs)} in all.`,
  )
  show.say(
    `Output: ${where(folders.output)} (Parquet; _spark_metadata in it says which files count), checkpoint: ${where(folders.checkpoint)}`,
  )
  show.say('Look at it with: npm run demo:look')
  return same && replayed === held ? 0 : 1
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
