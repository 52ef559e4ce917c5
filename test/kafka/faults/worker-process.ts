import { type ChildProcess, fork } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StepEvent } from '../../../src/query/steps.ts'
import { clientIdOf, type FromWorker, type WorkerTask } from './worker.ts'

export type WorkerEnd =
  | { readonly end: 'done' }
  | { readonly end: 'killed' }
  | { readonly end: 'error'; readonly name: string; readonly code: string; readonly message: string }

/** The next one loads while the one before works. */
let spare: ChildProcess | undefined
function takeSpare(): ChildProcess {
  const child = spare ?? startSpare()
  spare = startSpare()
  return child
}
function startSpare(): ChildProcess {
  const child = fork(join(import.meta.dirname, 'worker.ts'), [], {
    execArgv: ['--conditions=millrace-source'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // compiled once for all of them
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'millrace-faults-compiled') },
  })
  child.unref()
  return child
}
export function endSpare(): void {
  spare?.kill('SIGKILL')
  spare = undefined
}

/** A process that runs the query of a round, from outside. */
export class WorkerProcess {
  readonly attempt: number
  readonly clientId: string
  readonly ended: Promise<WorkerEnd>
  /** What it printed on standard error, for the report of a round that failed. */
  errorText = ''
  /** Batches whose commit it has told. */
  committed = 0
  /** It is between the first step and the last of a batch. */
  isInBatch = false
  isFrozen = false
  readonly #process: ChildProcess

  /** `onStep` is awaited before the worker goes on. */
  constructor(task: WorkerTask, onStep: (worker: WorkerProcess, event: StepEvent) => Promise<void>) {
    this.attempt = task.attempt
    this.clientId = clientIdOf(task.round, task.attempt)
    const child = takeSpare()
    this.#process = child
    let last: FromWorker | undefined
    child.stderr!.on('data', (text) => void (this.errorText += String(text)))
    child.on('message', async (message: FromWorker) => {
      if (message.kind === 'warning') this.errorText += `${message.text}\n`
      if (message.kind === 'done' || message.kind === 'error') last = message
      if (message.kind !== 'step') return
      const { step, when } = message.event
      if (step === 'offset-log/write' && when === 'before') this.isInBatch = true
      if (step === 'batch/run' && when === 'before') this.isInBatch = true
      await onStep(this, message.event)
      if (step === 'commit-log/write' && when === 'after') {
        this.isInBatch = false
        this.committed++
      }
      if (child.connected) child.send('go on', () => {})
    })
    child.send(task)
    this.ended = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        if (signal === 'SIGKILL') resolve({ end: 'killed' })
        else if (last?.kind === 'done') resolve({ end: 'done' })
        else if (last?.kind === 'error') resolve({ ...last, end: 'error' })
        else resolve({ end: 'error', name: 'Exit', code: String(code ?? signal), message: this.errorText.slice(-2000) })
      })
    })
  }
  get isAlive(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }
  kill(): void {
    this.#process.kill('SIGKILL')
  }
  freeze(): void {
    this.isFrozen = true
    this.#process.kill('SIGSTOP')
  }
  goOn(): void {
    this.isFrozen = false
    this.#process.kill('SIGCONT')
  }
}
