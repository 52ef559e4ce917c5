import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { QueryProgress } from 'millrace'
import type { FromWorker, ToWorker } from './messages.ts'

export type Holding = Extract<FromWorker, { kind: 'holding' }>

/** A process that runs a demo's queries. */
export class Worker {
  /** Where its queries wait to be killed; resolves when all of them do. */
  readonly holding: Promise<readonly Holding[]>
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>
  readonly #process: ChildProcess
  /** `file`: beside this one. */
  constructor(file: string, args: readonly string[], onProgress: (progress: QueryProgress) => void, queries = 1) {
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
      execArgv: ['--conditions=millrace-source'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    // Ctrl-C ends the demo; a worker must not outlive it.
    process.once('exit', () => this.#process.kill('SIGKILL'))
    this.ended = new Promise((resolve) => this.#process.once('exit', (code, signal) => resolve(signal ?? code)))
    this.holding = new Promise((resolve, reject) => {
      const holding: Holding[] = []
      this.#process.on('message', (message: FromWorker) => {
        if (message.kind === 'progress') onProgress(message.progress)
        if (message.kind === 'holding' && holding.push(message) === queries) resolve(holding)
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
