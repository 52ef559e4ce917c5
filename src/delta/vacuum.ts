/** VACUUM: files below a table that its log does not name, or no longer names, go once nobody can need them. */
import { basename, join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { FileEntry, Files } from '../base/files.ts'
import type { RemoveFile } from './actions.ts'
import { vectorPath } from './deletion-vector.ts'
import { logFolder } from './log-files.ts'
import { pathOf } from './paths.ts'
import { retentionMsOf } from './table-properties.ts'
import { type TableAccess, viewOf } from './transaction.ts'
import { changeFolder } from './write-plan.ts'

const hourMs = 3_600_000

export interface VacuumOptions {
  /** Only says which files would go. */
  readonly dryRun?: boolean
  /** `false`: a retention of less than a week is taken, although readers of older versions and running writers may lose files. */
  readonly retentionDurationCheck?: boolean
}

/** Gives the paths of the files that went. InvalidQueryError DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT, DELTA_VACUUM_RETENTION_PERIOD_NEGATIVE. */
export async function vacuumTable(
  { files, state, nowMs }: TableAccess,
  retentionHours: number | undefined,
  { dryRun = false, retentionDurationCheck = true }: VacuumOptions,
): Promise<string[]> {
  await state.refresh()
  const { table, metadata } = viewOf(state)
  const kept = retentionMsOf(metadata)
  const retentionMs = retentionHours === undefined ? kept : retentionHours * hourMs
  if (!(retentionMs >= 0)) {
    throw new InvalidQueryError('DELTA_VACUUM_RETENTION_PERIOD_NEGATIVE', {
      what: `vacuum was given a retention of ${retentionHours} hours`,
      todo: 'give a number from 0 up, or none: a week',
    })
  }
  if (retentionDurationCheck && retentionHours !== undefined && retentionMs < kept) {
    throw new InvalidQueryError('DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT', {
      what: `vacuum of ${table} with a retention of ${retentionHours} hours would take files that readers of versions of the last ${kept / hourMs} hours, or writers that have not committed yet, may need`,
      todo: `give at least ${kept / hourMs} hours; where no query and no other writer runs, say { retentionDurationCheck: false }`,
    })
  }
  const before = nowMs() - retentionMs
  const needed = new Set<string>()
  for (const add of state.active.values()) need(needed, table, add)
  // a reader of a version that is still to be read may need it
  for (const remove of state.removed.values()) if ((remove.deletionTimestamp ?? 0) >= before) need(needed, table, remove)
  const gone: string[] = []
  for await (const { path, modifiedMs } of filesOf(files, table, table)) {
    if (needed.has(path) || modifiedMs >= before) continue
    gone.push(path)
    if (!dryRun) await files.delete(path)
  }
  return gone
}

function need(needed: Set<string>, table: string, { path, deletionVector }: Pick<RemoveFile, 'path' | 'deletionVector'>): void {
  needed.add(pathOf(table, path))
  if (deletionVector && deletionVector.storageType !== 'i') needed.add(vectorPath(table, deletionVector))
}

/** All files below the table that are its own: not the log, and nothing hidden, but for folders of partitions and changes. */
async function* filesOf(files: Files, table: string, folder: string): AsyncGenerator<FileEntry> {
  for (const entry of await files.list(folder)) {
    const name = basename(entry.path)
    if (entry.path === logFolder(table)) continue
    const isHidden = /^[._]/.test(name) && name !== changeFolder && !(entry.isDirectory && name.includes('='))
    if (isHidden) continue
    if (entry.isDirectory) yield* filesOf(files, table, join(folder, name))
    else yield entry
  }
}
