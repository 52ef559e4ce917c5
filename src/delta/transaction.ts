/** Operations that read a table and change it: tried again over what other writers left, until they stand or there is no end to it. */
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { Row, WriteFiles, WrittenFile } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { rowsToColumns } from '../data/values.ts'
import { localRelation } from '../plan/analyze.ts'
import type { BatchRunner } from '../sinks/sink.ts'
import type { Action, AddFile, CommitInfo, Metadata, RemoveFile, SetTransaction } from './actions.ts'
import { writeCheckpoint } from './checkpoint.ts'
import { commitChange } from './commit.ts'
import { checkConflicts, isConflict, keyOf, type Reads } from './conflicts.ts'
import { vectorPath } from './deletion-vector.ts'
import { pathOf } from './paths.ts'
import { checkWritable } from './protocol.ts'
import { TableState } from './table-state.ts'

/** What an operation works with. */
export interface TableAccess {
  readonly files: Files
  readonly engine: BatchRunner
  readonly state: TableState
  readonly nowMs: () => number
  readonly checkFence: () => Promise<void>
}
export function accessTo(table: string, files: Files, engine: BatchRunner, nowMs: () => number): TableAccess {
  return { files, engine, nowMs, state: new TableState(files, table), checkFence: () => Promise.resolve() }
}

/** The table as an operation sees it. */
export interface TableView {
  readonly table: string
  readonly version: number
  readonly metadata: Metadata
  readonly files: readonly AddFile[]
}
/** What an operation wants to commit. */
export interface Planned {
  readonly actions: readonly Action[]
  readonly operation: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly metrics: Readonly<Record<string, number>>
  /** Files that it has read. */
  readonly read: readonly AddFile[]
  /** Whether rows that others add meanwhile belong among those that it has read; by default all do. */
  readonly mayRead?: (add: AddFile) => boolean
}

/** So that a batch that is written twice counts once. */
export interface TransactionId {
  readonly appId: string
  readonly version: number
}
export interface Outcome {
  /** null: nothing was to be done. */
  readonly version: number | null
  readonly metrics: Readonly<Record<string, number>>
  /** The transaction was noted already, and nothing was done. */
  readonly wasThere: boolean
  readonly retries: number
}

const maxAttempts = 10

/**
 * Prepares a change and commits it. `prepare` gives null where there is nothing to do. Where another writer's commit comes between and the two can't stand beside each other,
 * it is prepared anew, ten times at most; then that conflict is thrown.
 */
export async function changeTable(
  access: TableAccess,
  prepare: (view: TableView) => Promise<Planned | null>,
  transaction: TransactionId | null = null,
): Promise<Outcome> {
  const { state, files } = access
  let retries = 0
  for (let attempt = 1; ; attempt++) {
    await state.refresh()
    if (transaction && hasTransaction(state, transaction)) {
      await state.confirm()
      return { version: null, metrics: {}, wasThere: true, retries }
    }
    const view = viewOf(state)
    const planned = await prepare(view)
    if (planned === null && transaction === null) return { version: null, metrics: {}, wasThere: false, retries }
    const { table } = view
    const reads: Reads = {
      version: view.version,
      files: new Set((planned?.read ?? []).map((file) => keyOf(table, file))),
      mayRead: planned?.mayRead ?? (() => planned !== null),
      appId: transaction?.appId,
    }
    try {
      const committed = await commitChange(
        access,
        async (now) => {
          await checkConflicts(files, now, reads)
          return [...(transaction ? [{ txn: noted(transaction, access.nowMs()) }] : []), ...(planned?.actions ?? [])]
        },
        infoOf(view, planned),
      )
      await checkpointIfDue(access, committed.version)
      return { version: committed.version, metrics: planned?.metrics ?? {}, wasThere: false, retries: retries + committed.retries }
    } catch (error) {
      if (!isConflict(error)) throw error
      // it was found before the commit was written, so that nothing names these files
      for (const action of planned?.actions ?? []) {
        const written = action.add ?? action.cdc
        if (!written || state.active.has(keyOf(table, written))) continue
        // what has a vector is a file of the table, of which only the vector is new
        const own = action.add?.deletionVector ? vectorPath(table, action.add.deletionVector) : pathOf(table, written.path)
        await files.delete(own).catch(() => undefined)
      }
      if (attempt === maxAttempts) throw error
      retries++
    }
  }
}

export function hasTransaction(state: TableState, { appId, version }: TransactionId): boolean {
  return (state.transactions.get(appId) ?? -1) >= version
}
export function noted({ appId, version }: TransactionId, nowMs: number): SetTransaction {
  return { appId, version, lastUpdated: nowMs }
}

export function viewOf(state: TableState): TableView {
  const { table, version, metadata, protocol } = state
  if (version < 0 || metadata === null || protocol === null) {
    throw new InvalidQueryError('DELTA_TABLE_NOT_FOUND', {
      what: `${table} is not a Delta table: it has no _delta_log with a commit in it`,
      todo: 'check the path; a stream or a write with format delta creates the table',
    })
  }
  checkWritable(table, protocol, metadata)
  return { table, version, metadata, files: [...state.active.values()] }
}

function infoOf(view: TableView, planned: Planned | null): CommitInfo {
  const { operation = 'TRANSACTION', parameters = {}, metrics = {} } = planned ?? {}
  return {
    operation,
    operationParameters: parameters,
    operationMetrics: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, String(value)])),
    readVersion: view.version,
    isBlindAppend: false,
  }
}

/** A file that leaves the table. */
export function removal(add: AddFile, nowMs: number, dataChange = true): { readonly remove: RemoveFile } {
  const { path, partitionValues, size, deletionVector } = add
  return {
    remove: {
      path,
      deletionTimestamp: nowMs,
      dataChange,
      extendedFileMetadata: true,
      partitionValues,
      size,
      ...(deletionVector ? { deletionVector } : {}),
    },
  }
}

/** InvalidQueryError DELTA_CANNOT_MODIFY_APPEND_ONLY. */
export function checkMayRemove(table: string, metadata: Metadata | null, what: string): void {
  if (metadata?.configuration?.['delta.appendOnly'] !== 'true') return
  throw new InvalidQueryError('DELTA_CANNOT_MODIFY_APPEND_ONLY', {
    what: `the Delta table ${table} is append-only, and ${what} replaces or removes rows`,
    todo: 'append, or use another table',
  })
}

/** Every so many commits (delta.checkpointInterval). */
export function isCheckpointDue(metadata: Metadata | null, version: number | null): boolean {
  const interval = Number(metadata?.configuration?.['delta.checkpointInterval'] ?? 10)
  return version !== null && version > 0 && version % interval === 0
}
export async function checkpointIfDue(access: TableAccess, version: number | null): Promise<void> {
  const { files, state, nowMs } = access
  if (isCheckpointDue(state.metadata, version)) await writeCheckpoint(files, state, rowWriterOf(access.engine), nowMs())
}
function rowWriterOf(engine: BatchRunner) {
  return (schema: Schema, rows: readonly Row[], write: WriteFiles): Promise<WrittenFile[]> =>
    engine.runBatch(localRelation(rowsToColumns(schema, rows)), (set) => set.writeFiles(write))
}
