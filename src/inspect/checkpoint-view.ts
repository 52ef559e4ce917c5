/**
 * A checkpoint as somebody sees it who is not its owner: the logs entry by entry, the runs, the state's location. The query may be running, so whatever
 * was listed may be gone when it is read; `steady` tries again for those who read several files that belong together.
 */
import { join } from 'node:path'
import { CorruptCheckpointError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { readOnlyFiles } from '../base/read-only-files.ts'
import { type BatchRecord, readBatchHistory } from '../checkpoint/batch-history.ts'
import type { CommitEntry, OffsetEntry } from '../checkpoint/checkpoint.ts'
import { commitFormat } from '../checkpoint/commit-log.ts'
import { type EntryFormat, listBatchIds, readEntry } from '../checkpoint/metadata-log.ts'
import { offsetFormat } from '../checkpoint/offset-log.ts'
import { saltKey, shufflePartitionsKey } from '../checkpoint/pinned-conf.ts'
import { readQueryId } from '../checkpoint/query-metadata.ts'
import { type RunOverview, readRunOverview } from '../checkpoint/read-runs.ts'
import { noCheckpoint } from '../query/no-checkpoint.ts'
import type { StateLocation } from '../state/read-state.ts'

export class CheckpointView {
  readonly folder: string
  readonly queryId: string
  readonly files: Files
  #history: ReturnType<typeof readBatchHistory> | undefined
  private constructor(folder: string, queryId: string, files: Files) {
    this.folder = folder
    this.queryId = queryId
    this.files = files
  }

  /** `folder`: an absolute path. InvalidQueryError PATH_NOT_FOUND where there is no checkpoint; CorruptCheckpointError MALFORMED_METADATA_FILE. */
  static async open(folder: string, files: Files = new LocalFiles()): Promise<CheckpointView> {
    const queryId = await readQueryId(files, folder)
    if (queryId !== undefined) return new CheckpointView(folder, queryId, readOnlyFiles(files))
    throw noCheckpoint(folder)
  }

  /** Batches that are in `offsets/`, ascending. */
  plannedIds(): Promise<number[]> {
    return listBatchIds(this.files, join(this.folder, 'offsets'))
  }
  /** Batches that are in `commits/`, ascending. */
  committedIds(): Promise<number[]> {
    return listBatchIds(this.files, join(this.folder, 'commits'))
  }
  /** What batch N was going to do; undefined where the log has no such entry. CorruptCheckpointError names a damaged file. */
  async offsets(batchId: number): Promise<OffsetEntry | undefined> {
    return (await this.#entry('offsets', batchId, offsetFormat)) ?? (await this.record(batchId))?.offsets
  }
  async commit(batchId: number): Promise<CommitEntry | undefined> {
    return (await this.#entry('commits', batchId, commitFormat)) ?? (await this.record(batchId))?.commit
  }
  /** A batch that has left the logs, as the history has it; undefined for those that are in the logs, or that it has not. */
  async record(batchId: number): Promise<BatchRecord | undefined> {
    if (batchId < 0 || batchId >= ((await this.plannedIds())[0] ?? 0)) return undefined
    return (await this.history()).records.get(batchId)
  }
  /** All that the history has, read once. */
  history(): ReturnType<typeof readBatchHistory> {
    this.#history ??= readBatchHistory(this.files, this.folder, this.queryId)
    return this.#history
  }
  async latestCommitted(): Promise<number | undefined> {
    return (await this.committedIds()).at(-1)
  }

  /** The runs, oldest first, and whether the newest may be alive. */
  runs(): Promise<RunOverview> {
    return readRunOverview(this.files, this.folder)
  }

  get state(): StateLocation {
    const { files, queryId } = this
    const saltOf = async () => (await this.offsets((await this.plannedIds()).at(-1) ?? 0))?.conf[saltKey]
    return { files, queryId, folder: join(this.folder, 'state'), epochOf: (version) => this.epochOf(version), saltOf }
  }
  /** The run whose files of a version of the state count; undefined where the commit log has no entry (any more). */
  async epochOf(version: number): Promise<number | undefined> {
    return (await this.commit(version - 1))?.epoch
  }

  /** Into how many partitions the run cut the state that planned a batch; undefined where nothing says so any more. */
  async partitionsAt(batchId: number): Promise<number | undefined> {
    const planned = await this.offsets(batchId)
    return planned && Number(planned.conf[shufflePartitionsKey] ?? 1)
  }

  #entry<Entry>(name: string, batchId: number, format: EntryFormat<Entry>): Promise<Entry | undefined> {
    const path = join(this.folder, name, String(batchId))
    return readEntry(this.files, { queryId: this.queryId, name: `${name}/${batchId}`, path }, format)
  }
}

const attempts = 5

/**
 * Does `work` again where a file vanished under it: the query that runs has removed it as no longer needed, and what is there now is whole. What still
 * fails after that is the error.
 */
export async function steady<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === attempts || !isVanished(error)) throw error
    }
  }
}

export function isVanished(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  if (code === 'ENOENT') return true
  return error instanceof CorruptCheckpointError && missing.has(error.code)
}
const missing = new Set([
  'CANNOT_LOAD_STATE_STORE.CANNOT_READ_DELTA_FILE_NOT_EXISTS',
  'CANNOT_LOAD_STATE_STORE.CANNOT_READ_MISSING_SNAPSHOT_FILE',
  'BATCH_METADATA_NOT_FOUND',
])
