import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import type { CommitEntry, OffsetEntry } from './checkpoint.ts'
import { commitFormat } from './commit-log.ts'
import { decideStart } from './decide-start.ts'
import { MetadataLog } from './metadata-log.ts'
import { hasState, missingState } from './missing-state.ts'
import { offsetFormat } from './offset-log.ts'
import { readQueryId } from './query-metadata.ts'
import { newestRun, type RunRecord } from './runs.ts'

/** What a start would find in a checkpoint. */
export interface CheckpointInspection {
  readonly queryId: string
  /** The newest entry of the offset log. */
  readonly planned: { readonly batchId: number; readonly entry: OffsetEntry }
  /** The batch that runs next, anew or again; the state is read at the version of that number. */
  readonly nextBatchId: number
  /** Whether that batch was planned before. */
  readonly isReplay: boolean
  /** The newest run, and what it ran. */
  readonly previousRun: RunRecord | undefined
  /** Whose files of a version count. */
  readonly epochOf: (version: number) => Promise<number | undefined>
}

/**
 * Looks into a checkpoint and changes nothing; undefined where no batch was planned yet (a query may then change altogether). It may be of a running query.
 * CorruptCheckpointError as from openCheckpoint.
 */
export async function inspectCheckpoint(files: Files, folder: string): Promise<CheckpointInspection | undefined> {
  const queryId = await readQueryId(files, folder)
  if (queryId === undefined) return undefined
  const shared = { files, checkpointFolder: folder, queryId, checkFence: () => Promise.reject(new Error('only a look')) }
  const commits = new MetadataLog<CommitEntry>({ ...shared, name: 'commits', format: commitFormat, contiguous: false, keep: 1 })
  // in this order: a query that runs writes the offsets first
  const committed = await commits.latest()
  const planned = await new MetadataLog<OffsetEntry>({
    ...shared,
    name: 'offsets',
    format: offsetFormat,
    contiguous: true,
    keep: 2,
  }).latest()
  const decision = decideStart(planned?.batchId, committed?.batchId, -1)
  if (planned === undefined) return undefined
  const previousRun = await newestRun(files, join(folder, 'runs'))
  const missing = (await hasState(files, folder)) ? undefined : missingState(folder, previousRun, committed?.entry)
  if (missing) throw missing
  return {
    queryId,
    planned,
    nextBatchId: decision.batchId,
    isReplay: decision.kind === 'replay',
    previousRun,
    epochOf: async (version) => (await commits.get(version - 1))?.epoch,
  }
}
