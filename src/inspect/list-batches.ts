/** What there is in a checkpoint: its batches, their files, its runs. */
import { resolve } from 'node:path'
import type { Files } from '../base/files.ts'
import { readProgressHistory } from '../query/progress-history.ts'
import type { QueryProgress } from '../query/query-progress.ts'
import { CheckpointView, steady } from './checkpoint-view.ts'
import { batchOf, type CheckpointFile, listFiles } from './inventory.ts'
import { restorableBatches } from './loadable.ts'

export interface BatchOverview {
  readonly batchId: number
  readonly committed: boolean
  /** The batch's timestamp, ISO 8601 UTC: what current_timestamp() was in it. */
  readonly timestamp: string
  /** The watermark that the batch evicted by, in milliseconds. */
  readonly watermarkMs: number
  /** The watermark of the batch after it; null while it is not committed. */
  readonly nextWatermarkMs: number | null
  /** The run whose files count for it; null while it is not committed, 0 where it came from Spark. */
  readonly epoch: number | null
  /** Rows in and out by the progress history; null where that does not go back so far (or the sink doesn't count). */
  readonly numInputRows: number | null
  readonly numOutputRows: number | null
  /** What lies in the checkpoint because of it: log entries, changes of the state, snapshots taken after it. */
  readonly files: number
  readonly bytes: number
}
export interface RunInfo {
  readonly epoch: number
  readonly runId: string
  readonly queryName: string | null
  readonly host: string
  readonly pid: number
  readonly startedAt: string
  readonly millraceVersion: string
}
export interface CheckpointOverview {
  readonly path: string
  readonly queryId: string
  readonly queryName: string | null
  /** The newest run, if there was any, and whether it may be at work. */
  readonly run: RunInfo | null
  readonly mayBeAlive: boolean
  readonly runs: number
  /** How many batches the history has beyond those of the logs, and the first of them. */
  readonly history: { readonly batches: number; readonly first: number | null }
  /** Batches beyond those of the logs after which the checkpoint can be copied, ascending: restore points of the state, or all of the history where there is no state. */
  readonly restorePoints: readonly number[]
  /** Those of the logs, ascending. */
  readonly batches: readonly BatchOverview[]
  readonly files: number
  readonly bytes: number
  /** Files that were in the making when their process died, or are being made. */
  readonly temporaryFiles: number
}

/**
 * The batches that a checkpoint has in its logs; `last`: only so many of the newest. The query may be running.
 * InvalidQueryError PATH_NOT_FOUND; CorruptCheckpointError names a damaged log entry.
 */
export async function listCheckpoint(
  path: string,
  options: { readonly last?: number; readonly files?: Files } = {},
): Promise<CheckpointOverview> {
  const view = await CheckpointView.open(resolve(path), options.files)
  const files = await listFiles(view.files, view.folder)
  const ids = await view.plannedIds()
  const shown = options.last === undefined ? ids : ids.slice(Math.max(0, ids.length - options.last))
  const progress = await progressByBatch(view)
  const byBatch = Map.groupBy(files, batchOf)
  const batches: BatchOverview[] = []
  for (const batchId of shown) {
    const batch = await overviewOf(view, batchId, byBatch.get(batchId) ?? [], progress.get(batchId))
    if (batch !== undefined) batches.push(batch)
  }
  const { runs, mayBeAlive } = await steady(() => view.runs())
  const newest = runs.at(-1)
  const hasState = files.some(({ what }) => what.kind === 'schema')
  const old = [...(await view.history()).records.keys()].filter((batchId) => batchId < (ids[0] ?? 0)).sort((a, b) => a - b)
  return {
    path: view.folder,
    queryId: view.queryId,
    queryName: newest?.queryName ?? null,
    run: newest ? runInfo(newest) : null,
    mayBeAlive,
    runs: runs.length,
    history: { batches: old.length, first: old[0] ?? null },
    restorePoints: await steady(() => restorableBatches(view, hasState)),
    batches,
    files: files.length,
    bytes: sumOfBytes(files),
    temporaryFiles: files.filter(({ what }) => what.kind === 'temporary').length,
  }
}

export function runInfo(run: Awaited<ReturnType<CheckpointView['runs']>>['runs'][number]): RunInfo {
  const { epoch, runId, queryName, host, pid, startedAtMs, millraceVersion } = run
  return { epoch, runId, queryName, host, pid, startedAt: new Date(startedAtMs).toISOString(), millraceVersion }
}

/** The last progress of each batch: a batch that was replayed has several. */
export async function progressByBatch(view: CheckpointView): Promise<Map<number, QueryProgress>> {
  return new Map((await readProgressHistory(view.folder, view.files)).map((each) => [each.batchId, each]))
}

/** Undefined where the log lost the batch meanwhile. */
export async function overviewOf(
  view: CheckpointView,
  batchId: number,
  files: readonly CheckpointFile[],
  progress: QueryProgress | undefined,
): Promise<BatchOverview | undefined> {
  const [planned, commit] = await Promise.all([view.offsets(batchId), view.commit(batchId)])
  if (planned === undefined) return undefined
  return {
    batchId,
    committed: commit !== undefined,
    timestamp: new Date(planned.batchTimestampMs).toISOString(),
    watermarkMs: planned.batchWatermarkMs,
    nextWatermarkMs: commit?.nextBatchWatermarkMs ?? null,
    epoch: commit?.epoch ?? null,
    numInputRows: progress?.numInputRows ?? null,
    numOutputRows: progress === undefined || progress.sink.numOutputRows < 0 ? null : progress.sink.numOutputRows,
    files: files.length,
    bytes: sumOfBytes(files),
  }
}

export function sumOfBytes(files: readonly { readonly bytes: number }[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}
