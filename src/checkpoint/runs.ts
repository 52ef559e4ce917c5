import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { assert, CorruptCheckpointError, FencedError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { decodeLogText, encodeLogText, type LogFile, malformed, parseObject, wholeNumber } from './log-text.ts'
import { openRuns, type ProcessIdentity, type ProcessRecord } from './process-identity.ts'
import type { QueryShape } from './query-shape.ts'

/*
 * Which run may write to a checkpoint. Every start creates runs/<epoch> exclusively, with the next number; the newest number is the
 * run that counts. `runs/<epoch>.lease` says when the holder last was alive, `runs/<epoch>.ended` that it went in good order.
 * docs/formats.md goes through what a run that was frozen between checkFence and its write can still do.
 */

/** runs/<epoch>: who holds the checkpoint, and what it runs. */
export interface RunRecord extends ProcessRecord {
  readonly epoch: number
  readonly runId: string
  readonly queryId: string
  readonly queryName: string | null
  readonly millraceVersion: string
  readonly planFingerprint: string
  readonly plan: string
  /** What the next start is compared with; absent in records of older releases. */
  readonly shape?: QueryShape
  readonly startedAtMs: number
  /** Milliseconds that each renewal of the lease is good for. */
  readonly leaseMs: number
}

export interface ClaimRun {
  readonly files: Files
  readonly clock: Clock
  readonly process: ProcessIdentity
  readonly checkpointFolder: string
  /** All of the record that this module doesn't know itself. */
  readonly run: Pick<RunRecord, 'runId' | 'queryId' | 'queryName' | 'millraceVersion' | 'planFingerprint' | 'plan' | 'shape' | 'leaseMs'>
  /** Sees the record of the run before this one, and throws where this one may not follow it: then there is no record of this one. */
  readonly mayFollow?: (previous: RunRecord) => void
  /** Supersede the holder though it is alive. 'never': what claims has no such option, and does not advise it. */
  readonly takeover: boolean | 'never'
  /** The epoch in the newest commits entry, or 0. */
  readonly committedEpoch: number
}

/** As many records of old runs stay. */
const runsToKeep = 100

/** Makes this run the newest. FencedError CONCURRENT_QUERY while the holder is alive, unless told to take over. */
export async function claimRun(claim: ClaimRun): Promise<Run> {
  const { files, checkpointFolder, committedEpoch, run, clock, process: me } = claim
  const takeover = claim.takeover === true
  const folder = runsFolder(checkpointFolder)
  let supersede: number | undefined
  for (;;) {
    const runs = await readRuns(files, folder)
    const newest = runs.epochs.at(-1)
    supersede ??= takeover ? newest : undefined
    refuseLostRuns(folder, newest ?? 0, committedEpoch, takeover)
    const previous = newest === undefined ? undefined : await previousRun(claim, folder, newest, newest === supersede)
    // a takeover is meant for the holder that stood there when it was asked for, not for one that came since
    if (previous && newest !== supersede) await refuseIfHeld(claim, folder, previous, runs.ended.has(previous.epoch))
    if (previous) claim.mayFollow?.(previous)
    const epoch = Math.max(newest ?? 0, committedEpoch) + 1
    const { host, pid, bootId, processStart, threadId } = me
    const record: RunRecord = { epoch, ...run, host, pid, bootId, processStart, threadId, startedAtMs: clock.nowMs() }
    if (await createRecord(files, folder, record)) {
      await purgeRuns(files, folder, runs.epochs).catch(() => {}) // a record too many does no harm
      return new Run(claim, record, previous)
    }
    // another start was first: look at it
  }
}

/** The run counts as open before anybody can see its record. */
async function createRecord(files: Files, folder: string, record: RunRecord): Promise<boolean> {
  openRuns.add(record.runId)
  let created = false
  try {
    created = await files.createExclusive(join(folder, String(record.epoch)), encodeLogText(runFile(folder, record.epoch), 1, record))
  } finally {
    if (!created) openRuns.delete(record.runId)
  }
  return created
}

/** The run of this process while it holds the checkpoint. */
export class Run {
  readonly record: RunRecord
  /** The run before this one. */
  readonly previous: RunRecord | undefined
  readonly #files: Files
  readonly #clock: Clock
  readonly #folder: string
  readonly #stopRenewing = new AbortController()
  readonly #renewing: Promise<void>
  readonly #path: string
  readonly #nextPath: string
  #isClosed = false

  constructor({ files, clock, checkpointFolder }: ClaimRun, record: RunRecord, previous: RunRecord | undefined) {
    this.record = record
    this.previous = previous
    this.#files = files
    this.#clock = clock
    this.#folder = runsFolder(checkpointFolder)
    this.#path = join(this.#folder, String(record.epoch))
    this.#nextPath = join(this.#folder, String(record.epoch + 1))
    this.#renewing = this.#renewLease()
  }

  /** Rejects with FencedError once a newer run exists. Two stats of the file system's cache: a few microseconds. */
  async checkFence(): Promise<void> {
    assert(!this.#isClosed, `run ${this.record.epoch} of ${this.#folder} was closed and is still used`)
    // Records are removed oldest first: where the next one is missing because it was removed, this run's own was removed before
    // it. So the next one has to be looked for first.
    if ((await this.#files.stat(this.#nextPath)) === undefined && (await this.#files.stat(this.#path)) !== undefined) return
    throw await this.#superseded()
  }

  /** Stops the lease and marks the run as ended. May be called again. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopRenewing.abort()
    await this.#renewing
    openRuns.delete(this.record.runId)
    // where somebody has removed the checkpoint, a mark would make its folder again
    if ((await this.#files.stat(this.#path)) === undefined) return
    await this.#files.createExclusive(`${this.#path}.ended`, `${JSON.stringify({ endedAtMs: this.#clock.nowMs() })}\n`)
  }

  async #renewLease(): Promise<void> {
    const { signal } = this.#stopRenewing
    const { leaseMs } = this.record
    for (;;) {
      await this.#clock.sleepUntil(this.#clock.nowMs() + leaseMs / 3, signal, true)
      if (signal.aborted) return
      try {
        await this.checkFence()
        await this.#files.replace(`${this.#path}.lease`, `${JSON.stringify({ renewedAtMs: this.#clock.nowMs() })}\n`)
      } catch (error) {
        if (error instanceof FencedError) return
        // A full or absent disk: the next renewal may go through, and fencing holds without any lease.
      }
    }
  }

  async #superseded(): Promise<Error> {
    const { epoch } = this.record
    const newest = (await readRuns(this.#files, this.#folder)).epochs.at(-1)
    if (newest === undefined || newest <= epoch) {
      return new CorruptCheckpointError('RUN_RECORD_MISSING', {
        what: `${this.#path} is gone, the record of the run that is at work (epoch ${epoch})`,
        todo: 'restore the checkpoint from a backup, or start the query with a new one; nobody may remove a checkpoint under a running query',
      })
    }
    const file = runFile(this.#folder, newest)
    const other = await this.#files
      .read(file.path)
      .then((content) => decodeRun(file, content))
      .catch(() => undefined)
    return new FencedError('SUPERSEDED_BY_NEWER_RUN', {
      what: `run ${this.record.runId} (epoch ${epoch}) of ${this.#folder} was superseded by ${other ? describe(other) : `epoch ${newest}`}`,
      todo: 'leave the checkpoint to that run; if it should not be there, stop it and start this query again',
    })
  }
}

export function runsFolder(checkpointFolder: string): string {
  return join(checkpointFolder, 'runs')
}

/** The record of the newest run; undefined where there is none. */
export async function newestRun(files: Files, folder: string): Promise<RunRecord | undefined> {
  const newest = (await readRuns(files, folder)).epochs.at(-1)
  if (newest === undefined) return undefined
  const file = runFile(folder, newest)
  return decodeRun(file, await files.read(file.path))
}

/** Removing the records of the oldest runs, oldest first, the newest never. */
async function purgeRuns(files: Files, folder: string, epochs: readonly number[]): Promise<void> {
  for (const epoch of epochs.slice(0, -runsToKeep)) {
    const path = join(folder, String(epoch))
    await Promise.all([files.delete(`${path}.lease`), files.delete(`${path}.ended`)])
    await files.delete(path)
  }
}

async function readRuns(
  files: Files,
  folder: string,
): Promise<{ readonly epochs: readonly number[]; readonly ended: ReadonlySet<number> }> {
  const names = (await files.list(folder)).map((entry) => entry.name)
  const epochs = names
    .filter((name) => /^[1-9]\d{0,14}$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
  return { epochs, ended: new Set(names.filter((name) => /^\d+\.ended$/.test(name)).map((name) => Number.parseInt(name, 10))) }
}

/** A commit of an epoch that has no record: with the records gone, a number could be given out twice, and two runs could share names. */
function refuseLostRuns(folder: string, newest: number, committedEpoch: number, takeover: boolean): void {
  if (newest >= committedEpoch || takeover) return
  throw new CorruptCheckpointError('RUN_RECORDS_MISSING', {
    what: `${folder} ends at epoch ${newest}, but the commit log names epoch ${committedEpoch}`,
    todo: 'restore runs/ from the same backup as the rest; or, if it is lost and no other run is alive, start with the option takeover',
  })
}

async function previousRun(
  { files, run }: ClaimRun,
  folder: string,
  epoch: number,
  mayBeUnreadable: boolean,
): Promise<RunRecord | undefined> {
  const file = runFile(folder, epoch)
  let previous: RunRecord
  try {
    previous = decodeRun(file, await files.read(file.path))
  } catch (error) {
    if (mayBeUnreadable && error instanceof CorruptCheckpointError) return undefined
    throw error
  }
  if (previous.queryId === run.queryId) return previous
  throw new CorruptCheckpointError('CHECKPOINT_OF_ANOTHER_QUERY', {
    what: `${file.path} belongs to query ${previous.queryId}, the checkpoint's metadata names ${run.queryId}`,
    todo: 'restore the whole checkpoint from one backup, or start the query with a new checkpoint',
  })
}

async function refuseIfHeld(claim: ClaimRun, folder: string, holder: RunRecord, hasEnded: boolean): Promise<void> {
  if (hasEnded) return
  const alive = claim.process.isAlive(holder, holder.runId)
  if (alive === false) return
  const leaseLeftMs = (await renewedAtMs(claim.files, folder, holder)) + holder.leaseMs - claim.clock.nowMs()
  if (alive === undefined && leaseLeftMs <= 0) return
  throw new FencedError('CONCURRENT_QUERY', {
    what: `${folder} is held by ${describe(holder)}, which ${alive ? 'is alive' : `renewed its lease and may be alive for another ${leaseLeftMs} ms`}`,
    todo: `stop that run first${alive ? '' : ', or try again when its lease is over'}${claim.takeover === 'never' ? '' : '; if it hangs, start with the option takeover, which fences it'}`,
  })
}

/** When the holder last said that it was alive. A lease that can't be read counts as never renewed. */
export async function renewedAtMs(files: Files, folder: string, holder: RunRecord): Promise<number> {
  try {
    const lease = JSON.parse(Buffer.from(await files.read(join(folder, `${holder.epoch}.lease`))).toString()) as { renewedAtMs?: unknown }
    return Math.max(holder.startedAtMs, Number(lease.renewedAtMs) || 0)
  } catch {
    return holder.startedAtMs
  }
}

function describe({ epoch, runId, queryName, host, pid, startedAtMs }: RunRecord): string {
  return `run ${runId} (epoch ${epoch}${queryName === null ? '' : `, query ${queryName}`}) on host ${host}, pid ${pid}, started ${new Date(startedAtMs).toISOString()}`
}

/** The query id is inside the record, not in its checksum: a record of another query has to be told from a broken one. */
function runFile(folder: string, epoch: number): LogFile {
  return { queryId: '', name: `runs/${epoch}`, path: join(folder, String(epoch)) }
}

/** Throws CorruptCheckpointError. */
export function decodeRun(file: LogFile, content: Uint8Array): RunRecord {
  const { lines, checked } = decodeLogText(file, content, 1)
  if (!checked) throw malformed(file, 'its checksum is missing')
  const record = parseObject(file, lines[0]!)
  for (const key of ['epoch', 'pid', 'threadId', 'startedAtMs', 'leaseMs']) wholeNumber(file, record, key)
  for (const key of ['runId', 'queryId', 'host', 'bootId', 'processStart', 'millraceVersion', 'planFingerprint', 'plan']) {
    if (typeof record[key] !== 'string') throw malformed(file, `"${key}" is missing`)
  }
  return record as unknown as RunRecord
}
