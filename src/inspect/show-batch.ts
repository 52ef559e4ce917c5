/** What one batch of a checkpoint did. */
import { join, resolve } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import { decodeChangelog } from '../state/changelog.ts'
import { listStores, schemaOfStores } from '../state/read-state.ts'
import { CheckpointView, isVanished } from './checkpoint-view.ts'
import { logOffsetOf, openFileLog } from './file-log.ts'
import { batchOf, type CheckpointFile, listFiles } from './inventory.ts'
import { type BatchOverview, overviewOf, progressByBatch, type RunInfo, runInfo } from './list-batches.ts'

export interface BatchSource {
  readonly name: string
  /** Which provider it is, and what it reads, by the record of the run. */
  readonly format: string | null
  readonly path: string | null
  /** The offset that the batch began at (null: from the beginning; undefined: the log does not go back so far) and the one it ended at. */
  readonly from: unknown
  readonly to: unknown
  /** The files that a file source gave the batch; undefined for other sources, and where its log does not say any more. */
  readonly files?: readonly string[]
}
export interface BatchStateFile {
  readonly name: string
  readonly bytes: number
  readonly kind: 'changelog' | 'manifest' | 'snapshot'
  /** Whether the file counts: another run's of the same batch is litter. Null while the batch is not committed. */
  readonly counts: boolean | null
}
export interface BatchStateChange {
  readonly operatorId: number
  readonly operatorName: string
  readonly storeName: string
  readonly updated: number
  readonly removed: number
}
export interface BatchDetails extends BatchOverview {
  readonly sources: readonly BatchSource[]
  /** Of the newest batch what the next start goes by: `state move` changes the provider there. */
  readonly conf: Readonly<Record<string, string>>
  readonly isNewest: boolean
  /** The run that committed it; null where its record is gone, or nobody has. */
  readonly run: RunInfo | null
  readonly sink: { readonly format: string; readonly path: string | null } | null
  readonly outputMode: string | null
  readonly stateFiles: readonly BatchStateFile[]
  readonly stateChanges: readonly BatchStateChange[]
  /** As the history has it; null where it does not go back so far. */
  readonly progress: QueryProgress | null
}

/** InvalidQueryError BATCH_NOT_IN_CHECKPOINT, PATH_NOT_FOUND; CorruptCheckpointError names a damaged file. */
export async function showBatch(path: string, batchId: number, options: { readonly files?: Files } = {}): Promise<BatchDetails> {
  const view = await CheckpointView.open(resolve(path), options.files)
  const files = (await listFiles(view.files, view.folder)).filter((file) => batchOf(file) === batchId)
  const progress = (await progressByBatch(view)).get(batchId)
  const overview = await overviewOf(view, batchId, files, progress)
  const planned = await view.offsets(batchId)
  if (overview === undefined || planned === undefined) throw await noSuchBatch(view, batchId)
  const record = await view.record(batchId)
  const before = batchId === 0 ? null : ((await view.offsets(batchId - 1)) ?? (record && { sources: record.before }))
  const { runs } = await view.runs()
  // a batch that nobody has committed is the newest run's to do
  const run = overview.epoch === null ? runs.at(-1) : runs.find(({ epoch }) => epoch === overview.epoch)
  const sources = await Promise.all(
    Object.entries(planned.sources).map(async ([name, to]): Promise<BatchSource> => {
      const from = before === undefined ? undefined : (before?.sources[name] ?? null)
      const shape = run?.shape?.sources.find((source) => source.name === name)
      const taken = await filesTaken(view, name, from, to)
      return { name, format: shape?.format ?? null, path: shape?.path ?? null, from, to, ...(taken && { files: taken }) }
    }),
  )
  return {
    ...overview,
    sources,
    conf: planned.conf,
    isNewest: (await view.plannedIds()).at(-1) === batchId,
    run: run && overview.epoch !== null ? runInfo(run) : null,
    sink: run?.shape?.sink ?? null,
    outputMode: run?.shape?.outputMode ?? null,
    stateFiles: files.flatMap((file) => stateFile(file, overview.epoch)).sort((a, b) => (a.name < b.name ? -1 : 1)),
    stateChanges: await stateChanges(view, batchId, overview.epoch),
    progress: progress ?? null,
  }
}

export async function noSuchBatch(view: CheckpointView, batchId: number): Promise<InvalidQueryError> {
  const ids = await view.plannedIds()
  return new InvalidQueryError('BATCH_NOT_IN_CHECKPOINT', {
    what: `the checkpoint ${view.folder} has no batch ${batchId}: ${ids.length === 0 ? 'it has none at all' : `its log goes from ${ids[0]} to ${ids.at(-1)}`}`,
    todo: 'millrace checkpoint ls shows the batches; how many are kept is spark.sql.streaming.minBatchesToRetain and millrace.checkpoint.retention',
  })
}

async function filesTaken(view: CheckpointView, source: string, from: unknown, to: unknown): Promise<string[] | undefined> {
  const [last, first] = [logOffsetOf(to), from === null ? -1 : logOffsetOf(from)]
  if (last === undefined || first === undefined) return undefined
  try {
    const log = await openFileLog(view.files, join(view.folder, 'sources', source), view.queryId)
    const lines = (await log.readAll()).filter(({ batchId }) => batchId > first && batchId <= last)
    return lines.length === 0 && last > first ? undefined : lines.map(({ path }) => path)
  } catch (error) {
    if (isVanished(error)) return undefined
    throw error
  }
}

function stateFile({ name, bytes, what }: CheckpointFile, epoch: number | null): BatchStateFile[] {
  if (what.kind !== 'changelog' && what.kind !== 'manifest' && what.kind !== 'snapshot') return []
  return [{ name, bytes, kind: what.kind, counts: epoch === null ? null : what.epoch === epoch }]
}

async function stateChanges(view: CheckpointView, batchId: number, epoch: number | null): Promise<BatchStateChange[]> {
  if (epoch === null) return []
  const { folder, queryId, files } = view.state
  const path = join(folder, 'changelog', `${batchId + 1}-${epoch}`)
  const content = await files.read(path).catch((error: { code?: unknown }) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (content === undefined) return []
  const stores = await listStores(view.state)
  const { sections } = decodeChangelog(content, {
    path,
    queryId,
    epoch,
    version: batchId + 1,
    keyGroups: stores[0]?.keyGroups ?? 1,
    schemaOf: schemaOfStores(stores),
  })
  return stores.flatMap(({ id, operatorId, operatorName, storeName }) => {
    const own = sections.filter((section) => section.operatorId === id).map(({ changes }) => changes)
    const updated = own.reduce((sum, { upserts }) => sum + upserts.rows.length, 0)
    const removed = own.reduce((sum, changes) => sum + changes.removed.length / 4, 0)
    return own.length === 0 ? [] : [{ operatorId, operatorName, storeName, updated, removed }]
  })
}
