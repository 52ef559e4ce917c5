import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { isTemporary, temporaryFor } from '../base/local-files.ts'
import type { Random } from '../base/random.ts'
import type { BatchLog, Checkpoint, CommitEntry, OffsetEntry } from './checkpoint.ts'
import { commitFormat } from './commit-log.ts'
import { decideStart } from './decide-start.ts'
import { listBatchIds, MetadataLog } from './metadata-log.ts'
import { hasState, missingState } from './missing-state.ts'
import { offsetFormat } from './offset-log.ts'
import { type ProcessIdentity, systemProcess } from './process-identity.ts'
import { createQueryId, readQueryId } from './query-metadata.ts'
import { type QueryShape, shapeOf } from './query-shape.ts'
import { compareShapes, type RestartFinding, restartRefusal, type StateFinding } from './restart-rules.ts'
import { claimRun, type Run, type RunRecord, runsFolder } from './runs.ts'

export interface OpenCheckpointOptions {
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  /** Absolute path. It is made where it is missing. */
  readonly folder: string
  readonly queryName: string | null
  readonly planText: string
  readonly planFingerprint: string
  /** What of the query may not change, or only so far as restart-rules.ts allows; without it nothing is compared. */
  readonly shape?: QueryShape
  /** What changed in the stateful operators since the last committed batch. */
  readonly stateChanges?: readonly StateFinding[]
  /** Is told what changed since the run before and may. */
  readonly onChanges?: (findings: readonly RestartFinding[]) => void
  readonly millraceVersion: string
  /** Supersede a run that is (or may be) alive; it stops with FencedError at its next durable step. */
  readonly takeover?: boolean
  /** How long a run counts as alive after it last renewed its lease, where its process can't be seen from here. It renews three times as often. */
  readonly leaseMs?: number
  readonly processIdentity?: ProcessIdentity
}

export interface OpenCheckpoint extends Checkpoint {
  /** What the run before this one was, and what it ran. */
  readonly previousRun: RunRecord | undefined
}

export const defaultLeaseMs = 30_000
/** Renewing is a write with two fsyncs. */
const minLeaseMs = 1000
/** `spark.sql.streaming.minBatchesToRetain`: after offsets/N is written, both logs lose what is below N minus this. */
export const defaultMinBatchesToRetain = 100

/**
 * Makes this run the owner of a checkpoint and checks what is in it, in this order: `metadata` missing beside logs; state or commits
 * without offsets; the holder alive; then, as owner, the same again, torn or missing log entries, logs that disagree.
 * Only temporary files are removed; whatever can't be trusted stays as it is, and the error names it.
 *
 * FencedError CONCURRENT_QUERY; InvalidQueryError INVALID_LEASE, and those of restart-rules.ts; CorruptCheckpointError STREAMING_CHECKPOINT_MISSING_METADATA_FILE,
 * STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY, MALFORMED_LOG_FILE, INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION, BATCH_METADATA_NOT_FOUND, LOGS_DISAGREE,
 * MALFORMED_METADATA_FILE, CHECKPOINT_OF_ANOTHER_QUERY, RUN_RECORDS_MISSING, STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY.
 */
export async function openCheckpoint(options: OpenCheckpointOptions): Promise<OpenCheckpoint> {
  const { files, clock, random, folder, leaseMs = defaultLeaseMs } = options
  if (!(leaseMs >= minLeaseMs)) {
    throw new InvalidQueryError('INVALID_LEASE', {
      what: `the lease of a run is ${leaseMs} ms`,
      todo: `give it at least ${minLeaseMs} ms; it is renewed three times as often`,
    })
  }
  const found = await readQueryId(files, folder)
  await refuseStrangeFolder(files, folder, found)
  const queryId = found ?? (await createQueryId(files, folder, random))
  const notYet = openLogs(options, queryId, () => Promise.reject(new Error('not the owner yet')))
  const newest = (await notYet.commits.latest())?.entry
  const stateIsThere = await hasState(files, folder)
  const run = await claimRun({
    files,
    clock,
    checkpointFolder: folder,
    process: options.processIdentity ?? systemProcess(),
    run: {
      runId: random.uuid(),
      queryId,
      queryName: options.queryName,
      millraceVersion: options.millraceVersion,
      planFingerprint: options.planFingerprint,
      plan: options.planText,
      ...(options.shape ? { shape: options.shape } : {}),
      leaseMs,
    },
    // before the first batch was planned there is nothing that could not change
    ...((await notYet.offsets.batchIds()).length > 0
      ? { mayFollow: (previous) => compareWith(previous, options, stateIsThere ? undefined : newest) }
      : {}),
    takeover: options.takeover ?? false,
    committedEpoch: newest?.epoch ?? 0,
  })
  try {
    return await openAsOwner(options, queryId, run)
  } catch (error) {
    await run.close().catch(() => {}) // the first error is the one to tell
    throw error
  }
}

/**
 * `stateless`: the newest commit, where there is no state. CorruptCheckpointError STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY; InvalidQueryError
 * STREAMING_SOURCES_CHANGED, STREAMING_SINK_CHANGED and others of restart-rules.ts.
 */
function compareWith(
  previous: RunRecord,
  { shape, folder, stateChanges, onChanges }: OpenCheckpointOptions,
  stateless: CommitEntry | undefined,
): void {
  const before = shapeOf(previous.shape)
  if (!before || !shape) return
  const missing = missingState(folder, previous, stateless)
  if (missing) throw missing
  const findings = compareShapes(before, shape, stateChanges)
  const refusal = restartRefusal(findings, folder)
  if (refusal) throw refusal
  if (findings.length > 0) onChanges?.(findings)
}

async function openAsOwner(options: OpenCheckpointOptions, queryId: string, run: Run): Promise<OpenCheckpoint> {
  const { files, folder } = options
  // another run may have worked here between the first look and the claim
  await refuseStrangeFolder(files, folder, await readQueryId(files, folder))
  const { offsets, commits } = openLogs(options, queryId, () => run.checkFence())
  const planned = await offsets.batchIds()
  const hasOffsets = planned.length > 0 || (await files.list(folder)).some(({ name }) => name === 'offsets')
  const committed = await commits.batchIds()
  const newest = planned.at(-1)
  // where the log has no batch before the newest one, the newest one can't be replayed either
  decideStart(newest, committed.at(-1), planned[0])
  if (newest !== undefined && newest > 0) await offsets.get(newest - 1)
  await offsets.latest()
  await commits.latest()
  await syncLogs(files, folder, newest, committed.at(-1))
  await removeTemporaryFiles(files, folder, run.record.epoch)
  return {
    folder,
    queryId,
    runId: run.record.runId,
    epoch: run.record.epoch,
    recovering: hasOffsets,
    offsets,
    commits,
    previousRun: run.previous,
    checkFence: () => run.checkFence(),
    close: () => run.close(),
  }
}

function openLogs(
  { files, folder }: OpenCheckpointOptions,
  queryId: string,
  checkFence: () => Promise<void>,
): { readonly offsets: BatchLog<OffsetEntry>; readonly commits: BatchLog<CommitEntry> } {
  const shared = { files, checkpointFolder: folder, queryId, checkFence }
  return {
    // a start reads the last two offsets entries and the last commit
    offsets: new MetadataLog<OffsetEntry>({ ...shared, name: 'offsets', format: offsetFormat, contiguous: true, keep: 2 }),
    commits: new MetadataLog<CommitEntry>({ ...shared, name: 'commits', format: commitFormat, contiguous: false, keep: 1 }),
  }
}

/** Spark's checks: logs without their metadata, or state and commits without the offsets that they came from. */
async function refuseStrangeFolder(files: Files, folder: string, queryId: string | undefined): Promise<void> {
  const offsets = await listBatchIds(files, join(folder, 'offsets'))
  // a folder there is no entry, and nothing of ours (below)
  const commits =
    (await listBatchIds(files, join(folder, 'commits'))).length > 0 ? await findFile(files, join(folder, 'commits')) : undefined
  if (queryId === undefined && (offsets.length > 0 || commits !== undefined)) {
    throw new CorruptCheckpointError('STREAMING_CHECKPOINT_MISSING_METADATA_FILE', {
      what: `${join(folder, 'metadata')} is missing, but ${offsets.length > 0 ? 'offsets' : 'commits'}/ has entries`,
      todo: 'restore metadata from a backup, or start the query with a new checkpoint; a new id would let sinks count batches twice',
    })
  }
  if (offsets.length > 0) return
  for (const name of ['offsets', 'state', 'commits']) {
    const path =
      (await findFile(files, join(folder, name))) ?? (name === 'offsets' ? undefined : await findFolder(files, join(folder, name)))
    if (path !== undefined) {
      throw new CorruptCheckpointError('STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY', {
        what: `${folder} has no offsets, so this is a first start; but ${path} exists`,
        todo: 'start the query with a new, empty checkpoint folder, or restore offsets/ from a backup',
      })
    }
  }
}

/** A folder in a folder. */
async function findFolder(files: Files, folder: string): Promise<string | undefined> {
  return (await files.list(folder)).find((entry) => entry.isDirectory)?.path
}
/** Any file in a folder, temporary ones left out. */
async function findFile(files: Files, folder: string): Promise<string | undefined> {
  for (const entry of await files.list(folder)) {
    if (isTemporary(entry.name)) continue
    if (!entry.isDirectory) return entry.path
    const inside = await findFile(files, entry.path)
    if (inside !== undefined) return inside
  }
  return undefined
}

/** A run that was killed between link and fsync has left a name that is seen and not yet durable. What this run builds on has to stay. */
async function syncLogs(files: Files, folder: string, planned: number | undefined, committed: number | undefined): Promise<void> {
  const paths = [join(folder, 'metadata')]
  if (planned !== undefined) paths.push(join(folder, 'offsets', String(planned)))
  if (committed !== undefined) paths.push(join(folder, 'commits', String(committed)))
  await files.sync(paths)
}

/** What runs that were killed have left. In runs/ another start may be at work; it is after a later number than ours. */
async function removeTemporaryFiles(files: Files, folder: string, epoch: number): Promise<void> {
  for (const place of [folder, join(folder, 'offsets'), join(folder, 'commits'), runsFolder(folder)]) {
    for (const entry of await files.list(place)) {
      if (entry.isDirectory || !isTemporary(entry.name)) continue
      if (place === runsFolder(folder) && Number.parseInt(temporaryFor(entry.name), 10) > epoch) continue
      await files.delete(entry.path)
    }
  }
}
