import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { threadId } from 'node:worker_threads'

/** The process (and the thread in it) that a run lives in, as its record names it. */
export interface ProcessRecord {
  readonly host: string
  readonly pid: number
  /** The boot and the process namespace within which `pid` means something; '' where that can't be told. */
  readonly bootId: string
  /** When the process started, in the kernel's own unit: a pid that was given out anew has another. '' where that can't be told. */
  readonly processStart: string
  readonly threadId: number
}

/** This process, and what it can tell about others. Tests give one of their own. */
export interface ProcessIdentity extends ProcessRecord {
  /** Whether the holder of a run still lives; undefined where this process can't see it, so that its lease has to tell. */
  isAlive(holder: ProcessRecord, runId: string): boolean | undefined
}

/** The runs that this process holds open. On globalThis, so that two copies of this module in one process know of each other. */
export const openRuns = sharedSet(Symbol.for('millrace.openRuns'))

let known: ProcessIdentity | undefined
/** Who this process is. Exact on Linux; elsewhere the lease decides more often. */
export function systemProcess(): ProcessIdentity {
  if (known) return known
  const me: ProcessRecord = {
    host: hostname(),
    pid: process.pid,
    bootId: readBootId(),
    processStart: readProcessStart('self')?.startTime ?? '',
    threadId,
  }
  known = { ...me, isAlive: (holder, runId) => isAlive(me, holder, runId) }
  return known
}

function sharedSet(key: symbol): Set<string> {
  const shared = globalThis as unknown as Record<symbol, Set<string> | undefined>
  const set = shared[key] ?? new Set<string>()
  shared[key] = set
  return set
}

function isAlive(me: ProcessRecord, holder: ProcessRecord, runId: string): boolean | undefined {
  // another machine, another container, or a boot that is over: a pid from there means nothing here
  if (me.bootId === '' || holder.bootId !== me.bootId) return undefined
  if (holder.pid === me.pid && holder.processStart === me.processStart) {
    // another thread of this process keeps its own set of runs
    return openRuns.has(runId) ? true : holder.threadId === me.threadId ? false : undefined
  }
  if (!pidExists(holder.pid)) return false
  const found = readProcessStart(holder.pid)
  if (found === undefined || holder.processStart === '') return undefined
  return found.startTime === holder.processStart && !found.dead
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM' // it is there, and somebody else's
  }
}

/** From /proc/<pid>/stat; undefined where there is none to read. A zombie counts as dead: it will never write again. */
function readProcessStart(pid: number | 'self'): { readonly startTime: string; readonly dead: boolean } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // the name in parentheses may hold anything; state is the 3rd field, starttime the 22nd
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { startTime: fields[19] ?? '', dead: fields[0] === 'Z' || fields[0] === 'X' }
  } catch {
    return undefined
  }
}

function readBootId(): string {
  try {
    if (process.platform === 'darwin') return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return ''
  }
}
