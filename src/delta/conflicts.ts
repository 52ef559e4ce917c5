/** Whether a change that was prepared over one version of a table may stand behind what others committed since: the rules of Delta Lake. */
import { UnavailableError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { type Action, type AddFile, fileKey } from './actions.ts'
import { commitPath } from './log-files.ts'
import { pathOf } from './paths.ts'
import { readCommit } from './read-actions.ts'
import type { TableState } from './table-state.ts'

/** What a change depends on. */
export interface Reads {
  /** The version that it was prepared over. */
  readonly version: number
  /** Files that it has read, or removes, by key. */
  readonly files: ReadonlySet<string>
  /** Whether rows that came since might have been read as well. */
  readonly mayRead: (add: AddFile) => boolean
  /** Under which name it notes how far an application has come. */
  readonly appId?: string | undefined
}

export function keyOf(table: string, file: Pick<AddFile, 'path' | 'deletionVector'>): string {
  return fileKey(pathOf(table, file.path), file.deletionVector)
}

/**
 * Throws UnavailableError where another writer was first: DELTA_PROTOCOL_CHANGED, DELTA_METADATA_CHANGED, DELTA_CONCURRENT_APPEND, DELTA_CONCURRENT_DELETE_READ,
 * DELTA_CONCURRENT_TRANSACTION. Under the table's isolation level WriteSerializable rows that were only appended count as behind the change.
 */
export async function checkConflicts(files: Files, table: TableState, reads: Reads): Promise<void> {
  for (let version = reads.version + 1; version <= table.version; version++) {
    const actions = await readCommit(files, table.table, commitPath(table.table, version))
    checkCommit(table, version, actions, reads)
  }
}

function checkCommit({ table, metadata }: TableState, version: number, actions: readonly Action[], reads: Reads): void {
  const other = `version ${version} of the Delta table ${table}, by another writer,`
  const todo = 'run the operation again: it then sees what the other writer did'
  const info = actions.find(({ commitInfo }) => commitInfo)?.commitInfo
  const isBlindAppend = info?.['isBlindAppend'] === true
  const appendsCount = !(isBlindAppend && metadata?.configuration?.['delta.isolationLevel'] === 'WriteSerializable')
  for (const { protocol, metaData, add, remove, txn } of actions) {
    if (protocol) throw new UnavailableError('DELTA_PROTOCOL_CHANGED', { what: `${other} changed its protocol meanwhile`, todo })
    if (metaData)
      throw new UnavailableError('DELTA_METADATA_CHANGED', { what: `${other} changed its columns or properties meanwhile`, todo })
    if (txn && txn.appId === reads.appId)
      throw new UnavailableError('DELTA_CONCURRENT_TRANSACTION', {
        what: `${other} noted a transaction of the application ${txn.appId} meanwhile`,
        todo,
      })
    if (add?.dataChange && appendsCount && reads.mayRead(add))
      throw new UnavailableError('DELTA_CONCURRENT_APPEND', {
        what: `${other} added rows meanwhile that the operation would have read (${add.path})`,
        todo,
      })
    if (remove && reads.files.has(keyOf(table, remove)))
      throw new UnavailableError('DELTA_CONCURRENT_DELETE_READ', {
        what: `${other} removed a file meanwhile that the operation has read (${remove.path})`,
        todo,
      })
  }
}

const conflicts: ReadonlySet<string> = new Set([
  'DELTA_PROTOCOL_CHANGED',
  'DELTA_METADATA_CHANGED',
  'DELTA_CONCURRENT_APPEND',
  'DELTA_CONCURRENT_DELETE_READ',
])
/** Whether the operation may be tried again over the table as it is now. */
export function isConflict(error: unknown): boolean {
  return error instanceof UnavailableError && conflicts.has(error.code)
}
