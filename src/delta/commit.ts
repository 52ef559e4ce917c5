/** Writing to a log: a commit is a file that only one writer can create. */
import type { Files } from '../base/files.ts'
import type { Action, CommitInfo } from './actions.ts'
import { commitPath } from './log-files.ts'
import type { TableState } from './table-state.ts'

/** What a writer wants to do to the table as it stands now; null: nothing. It may be asked again, and throws where it can't stand beside what others did. */
export type Change = (table: TableState) => Promise<readonly Action[] | null> | readonly Action[] | null

export interface Committed {
  /** The version that was written; null where there was nothing to do. */
  readonly version: number | null
  /** Other commits that came first. */
  readonly retries: number
}

export interface Writer {
  readonly files: Files
  readonly state: TableState
  readonly nowMs: () => number
  /** Called before the commit; throws where this writer may write no more. */
  readonly checkFence: () => Promise<void>
}

/**
 * Commits a change, asking for it again where another writer came first (optimistic concurrency): `change` sees the table as that writer left it, and decides
 * anew what is to be done.
 */
export async function commitChange({ files, state, nowMs, checkFence }: Writer, change: Change, info: CommitInfo): Promise<Committed> {
  for (let retries = 0; ; retries++) {
    await state.refresh()
    const actions = await change(state)
    if (actions === null) return { version: null, retries }
    const commitInfo: CommitInfo = { timestamp: nowMs(), isBlindAppend: isBlindAppend(actions), ...info, engineInfo: 'Millrace' }
    const all: Action[] = [{ commitInfo }, ...actions]
    await checkFence()
    await files.makeFolder(state.table)
    const content = `${all.map((action) => JSON.stringify(action)).join('\n')}\n`
    if (!(await files.createExclusive(commitPath(state.table, state.version + 1), content))) continue
    state.apply(all)
    return { version: state.version, retries }
  }
}

/** Files were added, and nothing was looked at. Who has read the table says so itself: `isBlindAppend: false` in its commitInfo. */
function isBlindAppend(actions: readonly Action[]): boolean {
  return actions.some(({ add }) => add) && actions.every(({ remove, metaData, protocol }) => !remove && !metaData && !protocol)
}
