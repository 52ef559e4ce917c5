/** From which files a version of the state is loaded, and which versions can be. */
import { join } from 'node:path'
import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import { exactThrough, type Manifest, readManifest, type SnapshotFile, snapshotsOf } from '../state/manifest.ts'
import { changelogPath, manifestName, type VersionFile, versionFiles } from '../state/state-files.ts'
import type { CheckpointView } from './checkpoint-view.ts'

/** The state folder as it was listed. */
export interface StateListing {
  readonly changelogs: readonly VersionFile[]
  readonly manifests: readonly VersionFile[]
}
/** What a load of one version reads; undefined epochs and paths are of files that are not there. */
export interface NeededFiles {
  readonly manifest: Manifest | null
  readonly snapshots: readonly SnapshotFile[]
  readonly changelogs: readonly { readonly version: number; readonly epoch: number | undefined; readonly path: string }[]
}

export async function listState(view: CheckpointView): Promise<StateListing> {
  const { files, folder } = view.state
  const [changelogs, manifests] = await Promise.all(['changelog', 'manifests'].map((name) => files.list(join(folder, name))))
  return { changelogs: versionFiles(changelogs!), manifests: versionFiles(manifests!) }
}

/** As load-state.ts chooses. CorruptCheckpointError where the manifest is damaged. */
export async function neededFor(view: CheckpointView, { changelogs, manifests }: StateListing, version: number): Promise<NeededFiles> {
  const { files, folder, queryId } = view.state
  const candidates = manifests.filter((file) => file.version <= version).sort((a, b) => b.version - a.version || b.epoch - a.epoch)
  let manifest: Manifest | null = null
  for (const file of candidates) {
    const epoch = await view.epochOf(file.version)
    if (epoch !== undefined && epoch !== file.epoch) continue
    manifest = await readManifest(files, folder, queryId, file.version, file.epoch)
    break
  }
  const from = manifest === null ? 0 : exactThrough(manifest)
  const needed: { version: number; epoch: number | undefined; path: string }[] = []
  for (let v = from + 1; v <= version; v++) {
    const epoch = (await view.epochOf(v)) ?? newestEpoch(changelogs, v)
    needed.push({ version: v, epoch, path: changelogPath(folder, v, epoch ?? 0) })
  }
  return { manifest, snapshots: manifest === null ? [] : [...snapshotsOf(manifest)], changelogs: needed }
}

function newestEpoch(changelogs: readonly VersionFile[], version: number): number | undefined {
  const epochs = changelogs.filter((file) => file.version === version).map(({ epoch }) => epoch)
  return epochs.length === 0 ? undefined : Math.max(...epochs)
}

/** A changelog that a load needs and that is not there. */
export function lostChangelog({ changelogs }: StateListing, needed: NeededFiles): string | undefined {
  const there = new Set(changelogs.map(({ path }) => path))
  return needed.changelogs.find(({ epoch, path }) => epoch === undefined || !there.has(path))?.path
}

/** Below `state/`. */
export function namesOf({ manifest, snapshots, changelogs }: NeededFiles): string[] {
  return [
    ...(manifest === null ? [] : [manifestName(manifest.version, manifest.epoch)]),
    ...snapshots.map(({ name }) => name),
    ...changelogs.map(({ version, epoch }) => `changelog/${version}-${epoch ?? '<run>'}`),
  ]
}

/**
 * What the versions need that are older than the newest: from `oldest` on (the state after the first batch whose commit is in the logs) all must be loadable. What lies
 * below are restore points, and what is being removed.
 */
export async function olderFiles(view: CheckpointView, listing: StateListing, newest: NeededFiles, oldest: number): Promise<Set<string>> {
  const { files, folder, queryId } = view.state
  const last = newest.changelogs.at(-1)?.version ?? newest.manifest?.version ?? 0
  const base = await neededFor(view, listing, Math.min(oldest, last))
  const names = new Set(namesOf(base))
  for (let version = oldest + 1; version <= last; version++) {
    names.add(`changelog/${version}-${(await view.epochOf(version)) ?? newestEpoch(listing.changelogs, version) ?? '<run>'}`)
  }
  for (const file of listing.manifests) {
    const epoch = await view.epochOf(file.version)
    if (file.version <= oldest || file.version > last || (epoch !== undefined && epoch !== file.epoch)) continue
    const manifest = await readManifest(files, folder, queryId, file.version, file.epoch)
    for (const { name } of snapshotsOf(manifest)) names.add(name)
  }
  return names
}

/** The batches that have left the logs and after which the state can still be restored: those of restore points; every batch of the history where there is no state. */
export async function restorableBatches(view: CheckpointView, hasState: boolean): Promise<number[]> {
  const oldest = (await view.plannedIds())[0] ?? 0
  const { records } = await view.history()
  const batches = [...records.keys()].filter((batchId) => batchId < oldest).sort((a, b) => a - b)
  if (!hasState) return batches
  const listing = await listState(view)
  const points = new Set(listing.manifests.map(({ version }) => version - 1))
  const restorable: number[] = []
  for (const batchId of batches) if (points.has(batchId) && (await isLoadable(view, listing, batchId + 1))) restorable.push(batchId)
  return restorable
}

async function isLoadable(view: CheckpointView, listing: StateListing, version: number): Promise<boolean> {
  try {
    return lostChangelog(listing, await neededFor(view, listing, version)) === undefined
  } catch (error) {
    if (error instanceof CorruptCheckpointError || (error as { code?: unknown }).code === 'ENOENT') return false
    throw error
  }
}

/** InvalidQueryError BATCH_NOT_RESTORABLE where a batch has left the logs and its state is not that of a restore point. */
export async function requireRestorable(view: CheckpointView, batchId: number): Promise<void> {
  const oldest = (await view.plannedIds())[0] ?? 0
  if (batchId >= oldest || (await isLoadable(view, await listState(view), batchId + 1))) return
  const points = await restorableBatches(view, true)
  throw notRestorable(
    view.folder,
    batchId,
    `its state is not kept any more, and it is no restore point (${points.length === 0 ? 'there is none' : points.join(', ')})`,
  )
}
export function notRestorable(folder: string, batchId: number, why: string): InvalidQueryError {
  return new InvalidQueryError('BATCH_NOT_RESTORABLE', {
    what: `the checkpoint ${folder} can't be restored as it stood after batch ${batchId}: ${why}`,
    todo: 'choose a later batch, or a restore point: millrace checkpoint ls names them; what is kept is spark.sql.streaming.minBatchesToRetain and millrace.checkpoint.retention',
  })
}
