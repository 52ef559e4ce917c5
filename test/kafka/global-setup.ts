import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the test files of a run find the broker that they share. */
    kafkaFolder: string
    /** The process of the whole run, which the broker does not outlive. */
    testRun: number
  }
}

/** Costs nothing where no test asks for a broker: shared-broker.ts starts it, and here it is ended. */
export default function setup(project: TestProject): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-kafka-shared-'))
  project.provide('kafkaFolder', folder)
  project.provide('testRun', process.pid)
  return async () => {
    const noted = join(folder, 'broker.json')
    const pid = existsSync(noted) ? (JSON.parse(readFileSync(noted, 'utf8')) as { pid?: number }).pid : undefined
    if (pid !== undefined) await end(pid)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Its data goes with it, so it need not close anything. */
async function end(pid: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    try {
      process.kill(pid, i === 0 ? 'SIGKILL' : 0)
    } catch {
      return
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
