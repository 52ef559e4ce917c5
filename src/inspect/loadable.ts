/** From which files a version of the state is loaded, and which versions can be. */
import { join } from 'node:path'
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

/** Below `state/`. */
export function namesOf({ manifest, snapshots, changelogs }: NeededFiles): string[] {
  return [
    ...(manifest === null ? [] : [manifestName(manifest.version, manifest.epoch)]),
    ...snapshots.map(({ name }) => name),
    ...changelogs.map(({ version, epoch }) => `changelog/${version}-${epoch ?? '<run>'}`),
  ]
}

/**
 * What versions below that of `newest` need besides, from the oldest manifest on that is whole: what is older is being removed. Where the state began with version 1 and
 * that is still there, everything since.
 */
export async function olderFiles(
  view: CheckpointView,
  { changelogs, manifests }: StateListing,
  newest: NeededFiles,
  isThere: (name: string) => boolean,
): Promise<Set<string>> {
  const { files, folder, queryId } = view.state
  const last = newest.changelogs.at(-1)?.version ?? newest.manifest?.version ?? 0
  const counting: Manifest[] = []
  for (const file of manifests.toSorted((a, b) => a.version - b.version)) {
    const epoch = await view.epochOf(file.version)
    if (file.version > last || (epoch !== undefined && epoch !== file.epoch)) continue
    counting.push(await readManifest(files, folder, queryId, file.version, file.epoch))
  }
  const nameOf = async (version: number) =>
    `changelog/${version}-${(await view.epochOf(version)) ?? newestEpoch(changelogs, version) ?? '<run>'}`
  const span = async (from: number, to: number) => {
    const names: string[] = []
    for (let version = from; version <= to; version++) names.push(await nameOf(version))
    return names
  }
  const sinceFirst = await span(1, counting[0]?.version ?? last)
  if (sinceFirst.every(isThere)) return new Set([...(await span(1, last)), ...snapshotNames(counting)])
  for (const [i, manifest] of counting.entries()) {
    const own = [...snapshotNames([manifest]), ...(await span(exactThrough(manifest) + 1, manifest.version))]
    if (own.every(isThere)) return new Set([...(await span(exactThrough(manifest) + 1, last)), ...snapshotNames(counting.slice(i))])
  }
  return new Set()
}
function snapshotNames(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap((manifest) => [...snapshotsOf(manifest)].map(({ name }) => name))
}
