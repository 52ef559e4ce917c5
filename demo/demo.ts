/**
 * `npm run demo`: streams three million flights through a windowed aggregation into Parquet, kills its own worker half-way, goes on, and
 * proves that the output is the one that a single batch over all files gives. Options: --folder F (default .demo), --plain (no live display).
 */
import { type ChildProcess, fork } from 'node:child_process'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { QueryProgress } from 'millrace'
import { compareWithBatch } from './compare.ts'
import { type Display, display } from './display.ts'
import { addClosingDay, clear, type DemoFolders, demoFolders, layOut } from './lay-out.ts'
import type { FromWorker, ToWorker } from './messages.ts'

const { values } = parseArgs({ options: { folder: { type: 'string', default: '.demo' }, plain: { type: 'boolean', default: false } } })
const startedAtMs = performance.now()
process.exitCode = await demo(demoFolders(resolve(values.folder)), display(process.stdout, { plain: values.plain }))

async function demo(folders: DemoFolders, show: Display): Promise<number> {
  show.say('Millrace demo: US flights, January to June 2001, one Parquet file a day.')
  clear(folders.root)
  const files = await layOut(folders)
  const tally = new Tally(files.length, show)
  const half = Math.floor(files.length / 2)
  show.say(`${files.length} files laid out. The worker is killed in batch ${half}, after it saved its state and before it saved its output.`)

  const first = new Worker(folders, tally, half)
  const held = await first.holding
  first.kill()
  const signal = await first.ended
  if (signal !== 'SIGKILL') throw new Error(`the worker was to end by SIGKILL, and ended by ${signal}`)
  show.say(`SIGKILL: the worker is gone. Batch ${held} has its state, and no output. Starting a new one …`)

  const second = new Worker(folders, tally)
  await Promise.race([tally.allFiles, second.ended.then(() => Promise.reject(new Error('the worker ended before the stream did')))])
  show.say('All days are in. One flight in a far future closes the last windows …')
  await addClosingDay(folders, files.length)
  second.tell({ kind: 'finish' })
  const code = await second.ended
  if (code !== 0) throw new Error(`the second worker ended with ${code}`)
  const streamedMs = performance.now() - startedAtMs

  show.say('Comparing with the same query, run once as a batch over all files …')
  const { streamRows, batchRows, onlyInStream, onlyInBatch, flights } = await compareWithBatch(folders, files)
  const same = onlyInStream === 0 && onlyInBatch === 0 && streamRows === batchRows && streamRows > 0
  const number = (value: number) => value.toLocaleString('en-US')
  const where = (path: string) => relative(process.cwd(), path) || path
  show.say(
    `${same ? 'IDENTICAL' : 'DIFFERENT'}: ${number(streamRows)} rows from the stream, ${number(batchRows)} from the batch (${number(flights)} flights); `
      + `EXCEPT ALL leaves ${number(onlyInStream)} one way and ${number(onlyInBatch)} the other.`,
  )
  const replayed = tally.replayed(held)
  show.say(`Replayed after the kill: batch ${replayed ?? 'none (unexpected)'}. ${seconds(streamedMs)} for the stream, ${seconds(performance.now() - startedAtMs)} in all.`)
  show.say(`Output: ${where(folders.output)} (Parquet; _spark_metadata in it says which files count), checkpoint: ${where(folders.checkpoint)}`)
  show.say('Look at it with: npm run demo:look')
  return same && replayed === held ? 0 : 1
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`

/** What has been done so far, over both workers. A batch counts when its progress comes, which is after its commit. */
class Tally {
  readonly allFiles: Promise<void>
  readonly #filesTotal: number
  readonly #show: Display
  readonly #rowsByBatch = new Map<number, number>()
  readonly #first = new Map<string, number>()
  readonly #done = Promise.withResolvers<void>()
  constructor(filesTotal: number, show: Display) {
    this.#filesTotal = filesTotal
    this.#show = show
    this.allFiles = this.#done.promise
  }
  add(progress: QueryProgress): void {
    if (!this.#first.has(progress.runId)) this.#first.set(progress.runId, progress.batchId)
    this.#rowsByBatch.set(progress.batchId, progress.numInputRows)
    const rows = [...this.#rowsByBatch.values()]
    // One file a batch; a batch without rows only moves the watermark.
    const filesDone = Math.min(this.#filesTotal, rows.filter((count) => count > 0).length)
    this.#show.show({ progress, filesDone, filesTotal: this.#filesTotal, rowsDone: rows.reduce((sum, count) => sum + count, 0) })
    if (filesDone === this.#filesTotal) this.#done.resolve()
  }
  /** The batch with which the second run began, if that is the one that the first was killed in. */
  replayed(held: number): number | undefined {
    const [, second] = [...this.#first.values()]
    return second === held ? second : undefined
  }
}

/** A process that runs the query. */
class Worker {
  /** The batch in which it waits to be killed. */
  readonly holding: Promise<number>
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>
  readonly #process: ChildProcess
  constructor(folders: DemoFolders, tally: Tally, holdAtBatch?: number) {
    const file = fileURLToPath(new URL('worker.ts', import.meta.url))
    this.#process = fork(file, [folders.root, ...(holdAtBatch === undefined ? [] : [String(holdAtBatch)])], {
      execArgv: ['--conditions=millrace-source'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    // Ctrl-C ends the demo; a worker must not outlive it.
    process.once('exit', () => this.#process.kill('SIGKILL'))
    this.ended = new Promise((resolve) => this.#process.once('exit', (code, signal) => resolve(signal ?? code)))
    this.holding = new Promise((resolve, reject) => {
      this.#process.on('message', (message: FromWorker) => {
        if (message.kind === 'progress') tally.add(message.progress)
        if (message.kind === 'holding') resolve(message.batchId)
      })
      this.#process.once('exit', (code) => reject(new Error(`the worker ended (${code}) before it reached the batch to be killed in`)))
    })
    this.holding.catch(() => {})
  }
  kill(): void {
    this.#process.kill('SIGKILL')
  }
  tell(message: ToWorker): void {
    this.#process.send(message)
  }
}
