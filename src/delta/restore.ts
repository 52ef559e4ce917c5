/** RESTORE: the table as it was after an earlier commit, as a new commit. Files that left it come back, files that came go; nothing is written anew, so it costs the log alone. */
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Action, AddFile, CommitInfo } from './actions.ts'
import { commitChange } from './commit.ts'
import { keyOf } from './conflicts.ts'
import { vectorPath } from './deletion-vector.ts'
import { pathOf } from './paths.ts'
import { checkReadable } from './protocol.ts'
import { type AsOf, readSnapshot } from './snapshot.ts'
import { checkMayRemove, checkpointIfDue, removal, type TableAccess, viewOf } from './transaction.ts'
import { bytesIn } from './write-plan.ts'

export interface RestoreMetrics {
  /** The version that was written; null where the table is as it was then. */
  readonly version: number | null
  readonly tableSizeAfterRestore: number
  readonly numOfFilesAfterRestore: number
  readonly numRemovedFiles: number
  readonly numRestoredFiles: number
  readonly removedFilesSize: number
  readonly restoredFilesSize: number
}

/**
 * Takes the table back to a version, with its columns and properties; the protocol stays, and so does how far each stream has come. What others have committed meanwhile goes too: it came
 * before. InvalidQueryError DELTA_VERSION_NOT_FOUND, DELTA_TIMESTAMP_NOT_FOUND, DELTA_RESTORE_FILES_MISSING, DELTA_CANNOT_MODIFY_APPEND_ONLY.
 */
export async function restoreTable(access: TableAccess, asOf: NonNullable<AsOf>): Promise<RestoreMetrics> {
  const { files, state, nowMs } = access
  await state.refresh()
  const { table } = viewOf(state)
  const then = await readSnapshot(files, table, asOf)
  checkReadable(table, then.protocol)
  const wanted = new Map(then.files.map((file) => [keyOf(table, file), file]))
  let back: readonly AddFile[] = []
  let gone: readonly AddFile[] = []
  const info: { -readonly [K in keyof CommitInfo]: CommitInfo[K] } = {
    operation: 'RESTORE',
    operationParameters: {
      version: 'version' in asOf ? asOf.version : null,
      timestamp: 'version' in asOf ? null : new Date(asOf.timestampMs).toISOString(),
    },
    isBlindAppend: false,
  }
  const metrics = () => ({
    tableSizeAfterRestore: bytesIn(then.files),
    numOfFilesAfterRestore: then.files.length,
    numRemovedFiles: gone.length,
    numRestoredFiles: back.length,
    removedFilesSize: bytesIn(gone),
    restoredFilesSize: bytesIn(back),
  })
  const committed = await commitChange(
    access,
    async (now) => {
      const { metadata, version } = viewOf(now)
      back = then.files.filter((file) => !now.active.has(keyOf(table, file)))
      gone = [...now.active].filter(([key]) => !wanted.has(key)).map(([, file]) => file)
      const isOther = JSON.stringify(metadata) !== JSON.stringify(then.metadata)
      if (back.length + gone.length === 0 && !isOther) return null
      if (gone.length > 0) checkMayRemove(table, metadata, 'RESTORE')
      await checkThere(files, table, back)
      info['operationMetrics'] = Object.fromEntries(Object.entries(metrics()).map(([name, value]) => [name, String(value)]))
      info['readVersion'] = version
      return [
        ...(isOther ? [{ metaData: then.metadata }] : []),
        ...gone.map((file): Action => removal(file, nowMs())),
        ...back.map((file): Action => ({ add: { ...file, dataChange: true } })),
      ]
    },
    info,
  )
  await checkpointIfDue(access, committed.version)
  return { version: committed.version, ...metrics() }
}

/** VACUUM may have taken what the log still knows. */
async function checkThere(files: Files, table: string, back: readonly AddFile[]): Promise<void> {
  const missing: string[] = []
  for (const { path, deletionVector: vector } of back) {
    const needed = [pathOf(table, path), ...(vector && vector.storageType !== 'i' ? [vectorPath(table, vector)] : [])]
    for (const each of needed) if ((await files.stat(each)) === undefined) missing.push(each)
  }
  if (missing.length === 0) return
  throw new InvalidQueryError('DELTA_RESTORE_FILES_MISSING', {
    what: `${missing.length} of the files that the Delta table ${table} had then are gone: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}`,
    todo: 'name a later version; vacuum has removed files of older ones (delta.deletedFileRetentionDuration says how long they are kept)',
  })
}
