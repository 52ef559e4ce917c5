/** What the scripts beside this share: a Python process that does jobs, and what is compared. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Engine } from 'millrace'
import { texts } from './values.ts'

/** A process that does jobs, a line of JSON each. */
export class Jobs {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  constructor(python: string, script: string) {
    this.#process = spawn(python, [join(import.meta.dirname, script)])
    this.#process.stderr.pipe(process.stderr)
    this.#answers = createInterface(this.#process.stdout)[Symbol.asyncIterator]()
  }
  async do(op: string, job: object): Promise<any> {
    this.#process.stdin.write(`${JSON.stringify({ op, ...job })}\n`)
    return this.answer(op)
  }
  async answer(op: string): Promise<any> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error('the Python process has ended')
    const { ok, error } = JSON.parse(value)
    if (error) throw new Error(`${op}: ${error}`)
    return ok
  }
  end(): void {
    this.#process.stdin.end()
  }
}

let failed = 0
let passed = 0
export function same(what: string, found: readonly string[], expected: readonly string[]): void {
  const equal = JSON.stringify(found) === JSON.stringify(expected)
  if (equal) passed++
  else failed++
  console.log(`${equal ? 'ok   ' : 'FAIL '} ${what}: ${expected.length} rows`)
  if (equal) return
  console.log(
    `  only found:    ${found
      .filter((row) => !expected.includes(row))
      .slice(0, 4)
      .join('\n                 ')}`,
  )
  console.log(
    `  only expected: ${expected
      .filter((row) => !found.includes(row))
      .slice(0, 4)
      .join('\n                 ')}`,
  )
}

export async function rowsOf(engine: Engine, path: string, options: Record<string, string> = {}): Promise<string[]> {
  const frame = await engine.read.format('delta').options(options).load(path)
  return texts((await frame.collect()) as Record<string, unknown>[], frame.schema)
}
export async function feedOf(engine: Engine, path: string): Promise<string[]> {
  const frame = (await engine.read.format('delta').options({ readChangeFeed: true, startingVersion: 0 }).load(path)).drop(
    '_commit_timestamp',
  )
  return texts((await frame.collect()) as Record<string, unknown>[], frame.schema)
}

/** Prints the count and ends the process. */
export function finish(): never {
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}
