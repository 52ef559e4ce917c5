import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Random } from '../base/random.ts'
import type { OffsetEntry } from './checkpoint.ts'
import { commitFormat } from './commit-log.ts'
import { MetadataLog } from './metadata-log.ts'
import { offsetFormat } from './offset-log.ts'
import { defaultLeaseMs } from './open-checkpoint.ts'
import { providerClassKey, stateProviderOf } from './pinned-conf.ts'
import { type ProcessIdentity, systemProcess } from './process-identity.ts'
import { readQueryId } from './query-metadata.ts'
import { claimRun, type Run, type RunRecord } from './runs.ts'

export interface MoveProvider {
  readonly files: Files
  readonly clock: Clock
  readonly random: Random
  readonly folder: string
  readonly to: 'memory' | 'rocksdb'
  readonly millraceVersion: string
  readonly processIdentity?: ProcessIdentity
}
export interface MovedProvider {
  readonly queryId: string
  /** The provider before. */
  readonly from: 'memory' | 'rocksdb'
  /** The entry of `offsets/` that says so now: the next start goes by it. */
  readonly batchId: number
}

/**
 * Makes a checkpoint one of another state provider. State files are the same for all of them, so only the newest entry of `offsets/` is written again,
 * at once: a process that dies leaves the old entry or the new one. It is done as a run of its own, so that no other run works on the checkpoint.
 *
 * InvalidQueryError PATH_NOT_FOUND where there is none or nothing was planned yet; FencedError CONCURRENT_QUERY while a run holds it; CorruptCheckpointError
 * as a start gives it.
 */
export async function moveProvider(move: MoveProvider): Promise<MovedProvider> {
  const { files, folder, to } = move
  const queryId = await readQueryId(files, folder)
  if (queryId === undefined) throw noState(folder, 'there is no checkpoint')
  const run = await claim(move, queryId)
  try {
    const newest = await offsetsOf(move, queryId, () => run.checkFence()).latest()
    if (newest === undefined) throw noState(folder, 'no batch of it was planned yet')
    const { batchId, entry } = newest
    const from = stateProviderOf(entry.conf[providerClassKey] ?? 'memory')
    if (from !== to) {
      const file = { queryId, name: `offsets/${batchId}`, path: join(folder, 'offsets', String(batchId)) }
      await run.checkFence()
      await files.replace(file.path, offsetFormat.encode(file, { ...entry, conf: { ...entry.conf, [providerClassKey]: to } }))
    }
    return { queryId, from, batchId }
  } finally {
    await run.close()
  }
}

function offsetsOf({ files, folder }: MoveProvider, queryId: string, checkFence: () => Promise<void>): MetadataLog<OffsetEntry> {
  return new MetadataLog({
    files,
    checkpointFolder: folder,
    queryId,
    name: 'offsets',
    format: offsetFormat,
    contiguous: true,
    keep: 2,
    checkFence,
  })
}

/** The next start is compared with the run before it: this one stands for the query that it follows. */
async function claim({ files, clock, random, folder, millraceVersion, processIdentity }: MoveProvider, queryId: string): Promise<Run> {
  const notYet = () => Promise.reject(new Error('nothing is written'))
  const shared = { files, checkpointFolder: folder, queryId, checkFence: notYet }
  const commits = new MetadataLog({ ...shared, name: 'commits', format: commitFormat, contiguous: false, keep: 1 })
  type Writable = { -readonly [K in keyof RunRecord]: RunRecord[K] }
  const run: Pick<Writable, 'runId' | 'queryId' | 'queryName' | 'millraceVersion' | 'planFingerprint' | 'plan' | 'shape' | 'leaseMs'> = {
    runId: random.uuid(),
    queryId,
    queryName: null,
    millraceVersion,
    planFingerprint: '',
    plan: '',
    leaseMs: defaultLeaseMs,
  }
  return claimRun({
    files,
    clock,
    checkpointFolder: folder,
    process: processIdentity ?? systemProcess(),
    run,
    mayFollow: ({ queryName, plan, planFingerprint, shape, leaseMs }) => {
      Object.assign(run, { queryName, plan, planFingerprint, leaseMs, ...(shape && { shape }) })
    },
    takeover: 'never',
    committedEpoch: (await commits.latest())?.entry.epoch ?? 0,
  })
}

function noState(folder: string, why: string): InvalidQueryError {
  return new InvalidQueryError('PATH_NOT_FOUND', {
    what: `${folder} has no state to move: ${why}`,
    todo: `name the checkpoint of a query that has run; a new one begins with the provider that ${providerClassKey} says`,
  })
}
