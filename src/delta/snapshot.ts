import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { type Action, type AddFile, fileKey, type Metadata, type Protocol, type RemoveFile } from './actions.ts'
import { damagedLog } from './errors.ts'
import { type CheckpointFile, type CommitFile, type LogFiles, listLog } from './log-files.ts'
import { pathOf } from './paths.ts'
import { readCheckpoint, readCommit } from './read-actions.ts'

/** A table as it stood after a commit. */
export interface Snapshot {
  readonly table: string
  readonly version: number
  readonly protocol: Protocol
  readonly metadata: Metadata
  /** The files that hold the rows. */
  readonly files: readonly AddFile[]
  /** Files that are gone, as long as the log keeps them in mind. */
  readonly removed: readonly RemoveFile[]
  /** How far each application has come. */
  readonly transactions: ReadonlyMap<string, number>
  readonly domains: ReadonlyMap<string, string>
  /** When the commit was made, in milliseconds. */
  readonly timestampMs: number
}

/** What a reader may ask for: the newest state unless a version or a time is named. */
export type AsOf = { readonly version: number } | { readonly timestampMs: number } | null

/**
 * The table's state. InvalidQueryError DELTA_TABLE_NOT_FOUND, DELTA_VERSION_NOT_FOUND, DELTA_TIMESTAMP_NOT_FOUND, or what the log's damage is called. A checkpoint
 * that can't be read is passed over where the commits before it are still there.
 */
export async function readSnapshot(files: Files, table: string, asOf: AsOf = null): Promise<Snapshot> {
  const log = await listLog(files, table)
  if (log === null) {
    throw new InvalidQueryError('DELTA_TABLE_NOT_FOUND', {
      what: `${table} is not a Delta table: it has no _delta_log with a commit in it`,
      todo: 'check the path; a stream or a write with format delta creates the table',
    })
  }
  const version = await versionAsOf(files, table, log, asOf)
  let unreadable: unknown
  for (const checkpoint of [...checkpointsUpTo(log, version), null]) {
    const commits = log.commits.filter((each) => each.version > (checkpoint?.version ?? -1) && each.version <= version)
    if (!isComplete(commits, checkpoint, version)) continue
    try {
      return await replay(files, table, version, checkpoint, commits, log)
    } catch (error) {
      if (checkpoint === null || !isOfCheckpoint(error)) throw error
      unreadable ??= error
    }
  }
  throw unreadable ?? gap(table, log, version)
}

/** Newest first. */
function checkpointsUpTo(log: LogFiles, version: number): CheckpointFile[] {
  return log.checkpoints.filter((each) => each.version <= version).reverse()
}
function isComplete(commits: readonly CommitFile[], checkpoint: CheckpointFile | null, version: number): boolean {
  const first = (checkpoint?.version ?? -1) + 1
  return commits.length === version - first + 1 && commits.every((commit, i) => commit.version === first + i)
}
function isOfCheckpoint(error: unknown): boolean {
  return error instanceof InvalidQueryError && error.code === 'DELTA_CHECKPOINT_NOT_READABLE'
}
function gap(table: string, log: LogFiles, version: number): InvalidQueryError {
  const versions = log.commits.map((commit) => commit.version)
  const from = log.checkpoints.filter((each) => each.version <= version).at(-1)?.version ?? -1
  const there = new Set(versions)
  const missing = Array.from({ length: version - from }, (_, i) => from + 1 + i).find((each) => !there.has(each))
  return damagedLog(
    'DELTA_VERSIONS_NOT_CONTIGUOUS',
    table,
    `commit ${missing} is missing from its log, which ends at ${versions.at(-1) ?? from}`,
  )
}

async function versionAsOf(files: Files, table: string, log: LogFiles, asOf: AsOf): Promise<number> {
  const newest = Math.max(log.commits.at(-1)?.version ?? -1, log.checkpoints.at(-1)?.version ?? -1)
  if (asOf === null) return newest
  const oldest = Math.min(log.commits[0]?.version ?? newest, log.checkpoints[0]?.version ?? newest)
  if ('version' in asOf) {
    if (asOf.version >= oldest && asOf.version <= newest) return asOf.version
    throw new InvalidQueryError('DELTA_VERSION_NOT_FOUND', {
      what: `the Delta table ${table} has no version ${asOf.version}: there are ${oldest} to ${newest}`,
      todo: 'name one of those; older ones went with the cleaning of the log (delta.logRetentionDuration)',
    })
  }
  const times = await commitTimes(files, table, log)
  const found = times.filter(({ timestampMs }) => timestampMs <= asOf.timestampMs).at(-1)
  if (found) return found.version
  throw new InvalidQueryError('DELTA_TIMESTAMP_NOT_FOUND', {
    what: `the Delta table ${table} has no version as old as ${new Date(asOf.timestampMs).toISOString()}: the oldest is of ${times[0] === undefined ? 'no known time' : new Date(times[0].timestampMs).toISOString()}`,
    todo: 'name a later time',
  })
}

/** When each commit was made: as it says itself where the table has it so, else when its file was written; never falling. */
export async function commitTimes(
  files: Files,
  table: string,
  log: LogFiles,
): Promise<{ readonly version: number; readonly timestampMs: number }[]> {
  const times: { version: number; timestampMs: number }[] = []
  let last = Number.NEGATIVE_INFINITY
  for (const commit of log.commits) {
    const timestampMs = Math.max(await commitTime(files, table, commit), last + 1)
    times.push({ version: commit.version, timestampMs })
    last = timestampMs
  }
  return times
}
async function commitTime(files: Files, table: string, commit: CommitFile): Promise<number> {
  const [first] = await readCommit(files, table, commit.path)
  return first?.commitInfo?.inCommitTimestamp ?? commit.modifiedMs
}

async function replay(
  files: Files,
  table: string,
  version: number,
  checkpoint: CheckpointFile | null,
  commits: readonly CommitFile[],
  log: LogFiles,
): Promise<Snapshot> {
  const state = new Replay(table)
  // newest first: what was seen first counts
  for (const commit of [...commits].reverse()) state.add(await readCommit(files, table, commit.path))
  if (checkpoint) state.add(await readCheckpoint(files, table, checkpoint))
  const newest = log.commits.find((each) => each.version === version)
  return state.snapshot(version, newest?.modifiedMs ?? 0)
}

class Replay {
  readonly #table: string
  readonly #seen = new Set<string>()
  readonly #files: AddFile[] = []
  readonly #removed: RemoveFile[] = []
  readonly #transactions = new Map<string, number>()
  readonly #domains = new Map<string, string | null>()
  #protocol: Protocol | undefined
  #metadata: Metadata | undefined
  #commitMs: number | undefined
  constructor(table: string) {
    this.#table = table
  }

  /** The actions of one commit, or of a checkpoint. */
  add(actions: readonly Action[]): void {
    const mine = new Set<string>()
    for (const action of actions) {
      const { add, remove, txn, domainMetadata } = action
      if (action.commitInfo) this.#commitMs ??= action.commitInfo.inCommitTimestamp
      if (action.protocol) this.#protocol ??= action.protocol
      if (action.metaData) this.#metadata ??= action.metaData
      if (txn && !this.#transactions.has(txn.appId)) this.#transactions.set(txn.appId, txn.version)
      if (domainMetadata && !this.#domains.has(domainMetadata.domain))
        this.#domains.set(domainMetadata.domain, domainMetadata.removed ? null : domainMetadata.configuration)
      if (add) this.#entry(add, mine, () => this.#files.push(add))
      if (remove) this.#entry(remove, mine, () => this.#removed.push(remove))
    }
    for (const key of mine) this.#seen.add(key)
  }
  #entry(file: AddFile | RemoveFile, mine: Set<string>, keep: () => void): void {
    const key = fileKey(pathOf(this.#table, file.path), file.deletionVector)
    if (this.#seen.has(key)) return
    mine.add(key)
    keep()
  }

  snapshot(version: number, modifiedMs: number): Snapshot {
    const lacking = this.#protocol === undefined ? 'protocol' : 'metaData'
    if (this.#protocol === undefined || this.#metadata === undefined)
      throw damagedLog('DELTA_STATE_RECOVER_ERROR', this.#table, `no ${lacking} action is in its log up to version ${version}`)
    const domains = [...this.#domains].filter((each): each is [string, string] => each[1] !== null)
    return {
      table: this.#table,
      version,
      protocol: this.#protocol,
      metadata: this.#metadata,
      files: this.#files,
      removed: this.#removed,
      transactions: this.#transactions,
      domains: new Map(domains),
      timestampMs: this.#commitMs ?? modifiedMs,
    }
  }
}
