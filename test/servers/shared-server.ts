import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, inject } from 'vitest'
import { endWith } from './end-with.ts'

/** A server that runs, as test files tell each other of it. */
export interface RunningServer {
  readonly pid: number
  readonly port: number
  readonly folder: string
}

/** The server of that name of this test run, started by the first file that asks for it and ended after the last (global-setup.ts). */
export async function sharedServer<S extends { readonly pid: number }>(name: string, start: (folder: string) => Promise<S>): Promise<S> {
  const { folder } = inject('servers')
  const noted = join(folder, `${name}.json`)
  if (!existsSync(noted) && isFirst(join(folder, `${name}-claimed`))) {
    try {
      note(noted, await start(join(folder, name)))
    } catch (error) {
      note(noted, { error: String((error as Error).stack) })
    }
  }
  for (const deadlineMs = Date.now() + 120_000; !existsSync(noted); ) {
    if (Date.now() > deadlineMs) throw new Error(`no server was noted in ${noted} within 120 s`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const told = JSON.parse(readFileSync(noted, 'utf8')) as S & { readonly error?: string }
  if (told.error !== undefined) throw new Error(told.error)
  return told
}

/** `describe` for tests against a real server: left out, with a message, on a machine that has none; required where CI is set. */
export function describeServer(server: string, whyNot: string | undefined) {
  if (whyNot !== undefined && process.env['CI']) throw new Error(`tests against ${server} are required where CI is set: ${whyNot}`)
  if (whyNot !== undefined) console.warn(`tests against ${server} are left out: ${whyNot}`)
  return describe.skipIf(whyNot !== undefined)
}

let names = 0
/** A name that no other test of the run has: `clicks_8231_4`. */
export function uniqueName(stem: string, between = '_'): string {
  return [stem, process.pid, ++names].join(between)
}

/** A program on the PATH, or where Debian keeps servers. */
export function findProgram(name: string): string | undefined {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').map((v) => `/usr/lib/postgresql/${v}/bin`) : []
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', ...versions]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
}

/** Whom servers run as that refuse to run as root; empty where the tests are somebody else already. */
export function unprivileged(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const [, , uid, gid] = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((line) => line.startsWith('nobody:'))!
    .split(':')
  return { uid: Number(uid), gid: Number(gid) }
}
/** A folder of that user's own. */
export function folderFor(folder: string, { uid, gid }: { uid?: number; gid?: number }): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (uid !== undefined && gid !== undefined) {
    chownSync(folder, uid, gid)
    // the way to it must be open to that user
    chmodSync(join(folder, '..'), 0o755)
  }
  return folder
}

/** Starts a server in the background, its output in a file; a guard ends it when the test run is gone, however that ended. */
export function startServer(command: string, args: readonly string[], log: string, user: { uid?: number; gid?: number }): ChildProcess {
  const output = openSync(log, 'a')
  const server = spawn(command, args, { ...user, detached: true, stdio: ['ignore', output, output], cwd: '/' })
  closeSync(output)
  server.unref()
  const { runner, folder } = inject('servers')
  endWith(runner, server.pid!, folder)
  return server
}

/** Runs a program to its end; throws with what it said. */
export function runProgram(command: string, args: readonly string[], user: { uid?: number; gid?: number } = {}, input?: string): string {
  const { status, stdout, stderr } = spawnSync(command, [...args], {
    ...user,
    encoding: 'utf8',
    cwd: '/',
    ...(input !== undefined && { input }),
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
  return stdout
}

/** Until `ready` no longer throws. */
export async function waitFor(ready: () => Promise<unknown>, what: string, server: ChildProcess, log: string): Promise<void> {
  for (const deadlineMs = Date.now() + 60_000; ; ) {
    try {
      await ready()
      return
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadlineMs)
        throw new Error(`${what} does not answer: ${error}\n${existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : ''}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch {
    return false
  }
}
/** Whole or not at all. */
function note(file: string, value: object): void {
  writeFileSync(`${file}.tmp`, JSON.stringify(value))
  renameSync(`${file}.tmp`, file)
}
