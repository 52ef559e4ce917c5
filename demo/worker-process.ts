import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { DemoFolders } from './lay-out.ts'
import type { FromWorker, ToWorker } from './messages.ts'
import type { Tally } from './tally.ts'

/** A process that runs the query. */
export class Worker {
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
