/** What nobody needs in a checkpoint, and its removal while no query runs. */
import { join, resolve } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { systemRandom } from '../base/random.ts'
import { defaultLeaseMs, defaultMinBatchesToRetain } from '../checkpoint/open-checkpoint.ts'
import { systemProcess } from '../checkpoint/process-identity.ts'
import { claimRun } from '../checkpoint/runs.ts'
import { findGarbage, type GarbageQuestion } from '../state/garbage.ts'
import { type Manifest, readManifest, snapshotsOf } from '../state/manifest.ts'
import { restorePoints } from '../state/restore-points.ts'
import type { VersionFile } from '../state/state-files.ts'
import { CheckpointView } from './checkpoint-view.ts'
import { type CheckpointFile, listFiles } from './inventory.ts'
import { sumOfBytes } from './list-batches.ts'

export interface GarbageOptions {
  /** Delete what was found; default false: only tell. */
  readonly delete?: boolean
  /** So many of the newest batches stay in the logs, and the state of each loadable (default 100). */
  readonly retainBatches?: number
  /** The history of older batches and the restore points of the state stay for so many days (default 7). */
  readonly retainDays?: number
  readonly files?: Files
  readonly nowMs?: number
  readonly onProgress?: (done: number, total: number) => void
}
export interface GarbageFile {
  /** Below the checkpoint's folder. */
  readonly file: string
  readonly bytes: number
  readonly why: GarbageReason
}
export type GarbageReason =
  | 'temporary file of a process that died'
  | 'log entry beyond the retention'
  | 'history beyond the retention'
  | 'state that no kept batch needs'
  | 'state of a run whose batch another run committed'
  | 'snapshot that no manifest names'
export interface GarbageReport {
  readonly path: string
  readonly deleted: boolean
  /** A run may be at work, so that nothing may be deleted now. */
  readonly mayBeAlive: boolean
  /** The oldest batch that stays; null where there is none. */
  readonly oldestKept: number | null
  readonly garbage: readonly GarbageFile[]
  readonly bytes: number
}

/**
 * Finds, and with `delete` removes, what no kept batch needs. To delete, it becomes the owner of the checkpoint for the time: no query can start, and a run that was
 * frozen is fenced off. FencedError CONCURRENT_QUERY while a run is (or may be) alive; InvalidQueryError PATH_NOT_FOUND, INVALID_RETENTION; CorruptCheckpointError
 * where a log is damaged.
 */
export async function collectCheckpointGarbage(path: string, options: GarbageOptions = {}): Promise<GarbageReport> {
  const files = options.files ?? new LocalFiles()
  const folder = resolve(path)
  const { retainBatches = defaultMinBatchesToRetain, retainDays = 7 } = options
  if (!(Number.isInteger(retainBatches) && retainBatches >= 1 && retainDays >= 0)) {
    throw new InvalidQueryError('INVALID_RETENTION', {
      what: `a retention of ${retainBatches} batches and ${retainDays} days was asked for`,
      todo: 'keep at least 1 batch, and 0 days or more',
    })
  }
  const settings = { retainBatches, retainMs: retainDays * 86_400_000, nowMs: options.nowMs ?? systemClock.nowMs() }
  const view = await CheckpointView.open(folder, files)
  const { runs, mayBeAlive } = await view.runs()
  if (!options.delete) {
    const { garbage, oldestKept } = await findAll(view, settings)
    return { path: folder, deleted: false, mayBeAlive, oldestKept, garbage, bytes: sumOfBytes(garbage) }
  }
  const newest = runs.at(-1)
  const run = await claimRun({
    files,
    clock: systemClock,
    process: systemProcess(),
    checkpointFolder: folder,
    run: {
      runId: systemRandom.uuid(),
      queryId: view.queryId,
      queryName: newest?.queryName ?? null,
      millraceVersion: newest?.millraceVersion ?? '',
      planFingerprint: newest?.planFingerprint ?? '',
      plan: newest?.plan ?? '',
      // the next start is compared with the query that ran here
      ...(newest?.shape ? { shape: newest.shape } : {}),
      leaseMs: defaultLeaseMs,
    },
    takeover: 'never',
    committedEpoch: (await newestCommit(view))?.epoch ?? 0,
  })
  try {
    const { garbage, oldestKept } = await findAll(view, settings, run.record.epoch)
    let done = 0
    for (const { file } of garbage) {
      if (done++ % 64 === 0) {
        await run.checkFence()
        options.onProgress?.(done, garbage.length)
      }
      await files.delete(join(folder, file))
    }
    options.onProgress?.(garbage.length, garbage.length)
    return { path: folder, deleted: true, mayBeAlive: false, oldestKept, garbage, bytes: sumOfBytes(garbage) }
  } finally {
    await run.close()
  }
}

async function newestCommit(view: CheckpointView) {
  const newest = await view.latestCommitted()
  return newest === undefined ? undefined : view.commit(newest)
}

interface Retention {
  readonly retainBatches: number
  readonly retainMs: number
  readonly nowMs: number
}

/** `own`: the epoch under which this command holds the checkpoint. */
async function findAll(
  view: CheckpointView,
  retention: Retention,
  own?: number,
): Promise<{ garbage: GarbageFile[]; oldestKept: number | null }> {
  const all = await listFiles(view.files, view.folder)
  const oldestKept = await oldestKeptBatch(view, retention.retainBatches)
  const temporary = all.filter(({ what }) => what.kind === 'temporary')
  // oldest first, so that a kill leaves no gap
  const entries = all
    .flatMap((file) => (file.what.kind === 'offsets' || file.what.kind === 'commits' ? [{ file, batchId: file.what.batchId }] : []))
    .filter(({ batchId }) => oldestKept !== null && batchId < oldestKept)
    .sort((a, b) => a.batchId - b.batchId)
    .map(({ file }) => file)
  return {
    oldestKept,
    garbage: [
      ...temporary.map(garbageOf('temporary file of a process that died')),
      ...entries.map(garbageOf('log entry beyond the retention')),
      ...oldHistory(all, retention).map(garbageOf('history beyond the retention')),
      ...(await findStateGarbage(view, all, oldestKept, retention, own)),
    ],
  }
}
function garbageOf(why: GarbageReason) {
  return ({ name, bytes }: CheckpointFile): GarbageFile => ({ file: name, bytes, why })
}

/** The last two entries of the offset log stay whatever is asked: a start reads them. */
async function oldestKeptBatch(view: CheckpointView, retainBatches: number): Promise<number | null> {
  const ids = await view.plannedIds()
  const newest = ids.at(-1)
  return newest === undefined ? null : Math.max(ids[0]!, Math.min(newest - retainBatches + 1, newest - 1))
}

/** Files of the history whose newest line is beyond the retention; the one that is written to stays. */
function oldHistory(all: readonly CheckpointFile[], { retainMs, nowMs }: Retention): CheckpointFile[] {
  const files = all.filter(({ what }) => what.kind === 'history').sort((a, b) => a.modifiedMs - b.modifiedMs)
  return files.slice(0, -1).filter(({ modifiedMs }) => modifiedMs < nowMs - retainMs)
}

async function findStateGarbage(
  view: CheckpointView,
  all: readonly CheckpointFile[],
  oldestKept: number | null,
  { retainMs, nowMs }: Retention,
  own: number | undefined,
): Promise<GarbageFile[]> {
  const committed = await view.latestCommitted()
  if (committed === undefined || oldestKept === null) return []
  const byPath = new Map(all.map((file) => [file.path, file]))
  const of = (kind: 'changelog' | 'manifest' | 'snapshot'): VersionFile[] =>
    all.flatMap(({ path, bytes, modifiedMs, what }) =>
      what.kind === kind ? [{ version: what.version, epoch: what.epoch, path, bytes, modifiedMs }] : [],
    )
  const inventory = { changelogs: of('changelog'), manifests: of('manifest'), snapshots: of('snapshot') }
  const epochs = new Map<number, number>()
  for (const { version } of [...inventory.changelogs, ...inventory.manifests, ...inventory.snapshots]) {
    const epoch = epochs.has(version) ? undefined : await view.epochOf(version)
    if (epoch !== undefined) epochs.set(version, epoch)
  }
  const manifests = await readManifests(view, inventory.manifests)
  const pathOf = (name: string) => join(view.state.folder, name)
  const question: GarbageQuestion = {
    epoch: Number.MAX_SAFE_INTEGER,
    // the state before the oldest kept batch, so that the batch itself can be looked into
    oldestRetainedVersion: oldestKept,
    version: committed + 1,
    epochOf: (version) => epochs.get(version),
    manifestOf: (file) => manifests.get(file.path),
    inUse: new Set(),
    // whichever the query has kept of old ones it has kept as restore points
    restorePoints: restorePoints(inventory.manifests, { nowMs, retentionMs: retainMs, intervalMs: 1 }),
    pathOf,
  }
  const found = findGarbage(inventory, question)
  const isOther = ({ version, epoch }: VersionFile) => epochs.has(version) && epochs.get(version) !== epoch && version <= committed + 1
  const needless = found.map((file) => ({
    file: byPath.get(file.path)!.name,
    bytes: file.bytes,
    why: (isOther(file) ? 'state of a run whose batch another run committed' : 'state that no kept batch needs') as GarbageReason,
  }))
  const taken = new Set(found.map(({ path }) => path))
  const isUncertain = inventory.manifests.some(({ path }) => !manifests.has(path)) || (await mayOneReturn(view, own))
  const named = new Set([...manifests.values()].flatMap((manifest) => [...snapshotsOf(manifest)].map(({ name }) => pathOf(name))))
  const orphans = inventory.snapshots.filter(({ path, version }) => !isUncertain && version <= committed + 1 && !named.has(path))
  return [
    ...needless,
    ...orphans
      .filter(({ path }) => !taken.has(path))
      .map(({ path, bytes }) => ({ file: byPath.get(path)!.name, bytes, why: 'snapshot that no manifest names' as const })),
  ]
}

async function readManifests(view: CheckpointView, found: readonly VersionFile[]): Promise<Map<string, Manifest>> {
  const { files, folder, queryId } = view.state
  const manifests = new Map<string, Manifest>()
  for (const { path, version, epoch } of found) {
    try {
      manifests.set(path, await readManifest(files, folder, queryId, version, epoch))
    } catch (error) {
      // all that a damaged one may name stays
      if (!(error instanceof CorruptCheckpointError) && (error as { code?: unknown }).code !== 'ENOENT') throw error
    }
  }
  return manifests
}

/**
 * Whether a run is left that may still write: snapshots that it has not named yet would be missed. Its process is gone, or it has ended: then not. One that was frozen on
 * another machine could come back for one more step.
 */
async function mayOneReturn(view: CheckpointView, own: number | undefined): Promise<boolean> {
  const { runs } = await view.runs()
  const last = runs.filter(({ epoch }) => epoch !== own).at(-1)
  if (last === undefined || (await view.files.stat(join(view.folder, 'runs', `${last.epoch}.ended`))) !== undefined) return false
  return systemProcess().isAlive(last, last.runId) !== false
}
