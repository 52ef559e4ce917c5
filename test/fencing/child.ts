/** One process of the fencing tests: runs a scenario, stands still where it is told to, and prints how it ended. */
import { readSync, writeSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { MillraceError } from '../../src/base/errors.ts'
import { type FileSystem, nodeFileSystem } from '../../src/base/file-system.ts'
import { isTemporary, LocalFiles, temporaryFor } from '../../src/base/local-files.ts'
import { systemProcess } from '../../src/checkpoint/process-identity.ts'
import { crashableEngine, scenarios } from '../crash/scenarios.ts'

export interface ChildTask {
  readonly scenario: string
  /** Holds `in/` and `root/`. */
  readonly folder: string
  readonly takeover?: boolean
  readonly hold?: Hold
}
/** Where the process stands still: right before the first file operation `<kind> <path below root>` that matches `at`, a regular expression for all of it. */
export interface Hold {
  readonly at: string
  /** `stop`: SIGSTOP, until somebody sends SIGCONT. `wait`: the operation waits for a line on standard input while everything else goes on. */
  readonly how: 'stop' | 'wait'
}
export type ChildEnd =
  | { readonly end: 'done' }
  | { readonly end: 'error'; readonly name: string; readonly code: string; readonly message: string }

function holdingFileSystem(root: string, hold: Hold | undefined): FileSystem {
  let isHeld = false
  const pathOf = (path: string) =>
    relative(root, isTemporary(basename(path)) ? join(dirname(path), `${temporaryFor(basename(path))}.tmp`) : path)
  return new Proxy(nodeFileSystem, {
    get(target, kind) {
      const method = Reflect.get(target, kind) as (...all: unknown[]) => unknown
      return async (...args: unknown[]) => {
        const path = pathOf(String(kind === 'link' || kind === 'rename' ? args[1] : args[0]))
        if (hold && !isHeld && new RegExp(`^${hold.at}$`).test(`${String(kind)} ${path}`)) {
          isHeld = true
          writeSync(1, 'held\n')
          if (hold.how === 'stop') {
            process.kill(process.pid, 'SIGSTOP')
            // whoever else continues it finds it still standing
            readSync(0, Buffer.alloc(3))
          }
          if (hold.how === 'wait') await new Promise<void>((go) => createInterface(process.stdin).once('line', () => go()))
        }
        return method.apply(target, args)
      }
    },
  })
}

const task = JSON.parse(process.argv[2]!) as ChildTask
const root = join(task.folder, 'root')
const files = new LocalFiles(holdingFileSystem(root, task.hold))
const engine = await crashableEngine(files, { processIdentity: systemProcess(), takeover: task.takeover ?? false })
let end: ChildEnd = { end: 'done' }
try {
  await scenarios.find(({ name }) => name === task.scenario)!.run({ input: join(task.folder, 'in'), root, engine, files })
} catch (error) {
  const code = error instanceof MillraceError ? error.code : ''
  end = { end: 'error', name: (error as Error).name, code, message: String((error as Error).message) }
}
await engine.close()
writeSync(1, `${JSON.stringify(end)}\n`)
process.exit(0)
