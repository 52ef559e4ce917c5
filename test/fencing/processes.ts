import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ChildEnd, ChildTask } from './child.ts'

/** A process that runs a query. */
export class Child {
  readonly #process: ChildProcess
  /** Resolves when it stands still where it was told to; rejects if it ends before. */
  readonly held: Promise<void>
  readonly ended: Promise<ChildEnd>

  constructor(task: ChildTask) {
    const child = spawn(process.execPath, ['--conditions=millrace-source', join(import.meta.dirname, 'child.ts'), JSON.stringify(task)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#process = child
    const lines: string[] = []
    const exited = new Promise<void>((resolve) => child.on('close', () => resolve()))
    this.held = new Promise((resolve, reject) => {
      createInterface(child.stdout!).on('line', (line) => {
        if (line === 'held') resolve()
        else lines.push(line)
      })
      void exited.then(() => reject(new Error(`the process ended before it was held: ${lines.join('\n')}`)))
    })
    this.held.catch(() => {})
    this.ended = exited.then(() => {
      const last = lines.at(-1)
      if (last === undefined) throw new Error(`the process ended with ${child.exitCode ?? child.signalCode} and said nothing`)
      return JSON.parse(last) as ChildEnd
    })
    this.ended.catch(() => {})
  }

  get pid(): number {
    return this.#process.pid!
  }
  /** Ends a `stop`. */
  goOn(): Promise<ChildEnd> {
    this.#process.stdin!.write('go\n')
    this.#process.kill('SIGCONT')
    return this.ended
  }
  /** Ends a `wait`. */
  release(): Promise<ChildEnd> {
    this.#process.stdin!.write('go\n')
    return this.ended
  }
  kill(): void {
    this.#process.kill('SIGKILL')
  }
}

/** Every file below a folder, by its path, with its bytes. */
export function bytesOf(folder: string): Map<string, string> {
  const found = new Map<string, string>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    found.set(path.slice(folder.length + 1), readFileSync(path, 'latin1'))
  }
  return found
}
