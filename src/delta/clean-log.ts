/** Entries of a log that nobody needs any more: those before the checkpoint from which every version of the last `delta.logRetentionDuration` can be read. */
import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import type { Metadata } from './actions.ts'
import { type CheckpointFile, type LogFiles, listLog, logFolder } from './log-files.ts'
import { readCheckpoint, sidecarFolder, sidecarsOf } from './read-actions.ts'
import { logRetentionMsOf } from './table-properties.ts'

const dayMs = 24 * 3_600_000

/** Removes what a checkpoint has made needless, if the table has its log cleaned (`delta.enableExpiredLogCleanup`). Gives the names, the oldest first. */
export async function cleanLog(
  files: Files,
  { table, metadata }: { readonly table: string; readonly metadata: Metadata },
  nowMs: number,
): Promise<string[]> {
  const retentionMs = logRetentionMsOf(metadata)
  if (retentionMs === null) return []
  const log = await listLog(files, table)
  // whole days, so that there is something to do once a day and not with every checkpoint
  const beforeMs = Math.floor((nowMs - retentionMs) / dayMs) * dayMs
  const base = log && baseOf(log, beforeMs)
  if (!base) return []
  const expired = (await files.list(logFolder(table)))
    .map(({ name }) => ({ name, version: versionIn(name) }))
    .filter((entry): entry is { name: string; version: number } => entry.version !== null && entry.version < base.version)
    .sort((a, b) => a.version - b.version || (a.name < b.name ? -1 : 1))
  if (expired.length === 0 || !(await isReadable(files, table, base))) return []
  // the power may go while what it stands for is removed
  await files.sync([...base.paths, ...(await sidecarsOf(files, table, base))])
  // oldest first: who holds a version whose commit is there finds the next one, and can't take its number
  for (const { name } of expired) await files.delete(join(logFolder(table), name))
  await removeSidecars(files, table, log.checkpoints, base.version, beforeMs)
  return expired.map(({ name }) => name)
}

/** Sidecars that no checkpoint from `from` on names. One that is younger may be named by a checkpoint that is being written. */
async function removeSidecars(
  files: Files,
  table: string,
  checkpoints: readonly CheckpointFile[],
  from: number,
  beforeMs: number,
): Promise<void> {
  const old = (await files.list(sidecarFolder(table))).filter(({ modifiedMs }) => modifiedMs < beforeMs)
  if (old.length === 0) return
  const needed = new Set<string>()
  for (const checkpoint of checkpoints) {
    if (checkpoint.version < from) continue
    // of one that can't be read nobody knows which it names
    const named = await sidecarsOf(files, table, checkpoint).catch(() => null)
    if (named === null) return
    for (const path of named) needed.add(path)
  }
  for (const { path } of old) if (!needed.has(path)) await files.delete(path)
}

/** The newest checkpoint that is no newer than what a reader of the time `beforeMs` sees. */
function baseOf({ commits, checkpoints }: LogFiles, beforeMs: number): CheckpointFile | null {
  const firstKept = commits.findIndex(({ modifiedMs }) => modifiedMs >= beforeMs)
  const seen = commits[firstKept < 0 ? commits.length - 1 : firstKept - 1]
  if (seen === undefined) return null
  return checkpoints.findLast(({ version }) => version <= seen.version) ?? null
}

/** Of commits, checkpoints, their checksums, and commits put together, which go by their last one. */
function versionIn(name: string): number | null {
  const parts = /^(\d{20})\.(?:(\d{20})\.compacted\.json|json|crc|checkpoint\..*(?:parquet|json))$/.exec(name)
  return parts ? Number(parts[2] ?? parts[1]) : null
}

/** Without the commits before it nothing could stand in for it. */
async function isReadable(files: Files, table: string, checkpoint: CheckpointFile): Promise<boolean> {
  try {
    const actions = await readCheckpoint(files, table, checkpoint)
    return actions.some(({ metaData }) => metaData) && actions.some(({ protocol }) => protocol)
  } catch {
    return false
  }
}
