import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the test files of a run find the servers that they share, and the process of the whole run, which no server outlives. */
    servers: { readonly folder: string; readonly runner: number }
  }
}

/** Costs nothing where no test asks for a server: shared-server.ts starts them, and here they are ended. */
export default function setup(project: TestProject): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-servers-'))
  project.provide('servers', { folder, runner: process.pid })
  return async () => {
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
      const { pid } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { pid?: number }
      if (pid !== undefined) await end(pid)
    }
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Their data goes with them, so they need not close anything. */
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
