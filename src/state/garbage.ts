/** Which files of the state nobody needs any more. Pure: the caller knows what there is, and deletes. */
import { exactThrough, type Manifest, snapshotsOf } from './manifest.ts'
import { readsChangelog } from './restore-points.ts'
import type { VersionFile } from './state-files.ts'

export interface StateInventory {
  readonly changelogs: readonly VersionFile[]
  readonly manifests: readonly VersionFile[]
  readonly snapshots: readonly VersionFile[]
}
export interface GarbageQuestion {
  /** This run's: files of newer ones are not ours to judge, for then we are the superseded run. */
  readonly epoch: number
  /** Every version from this one on must stay loadable. */
  readonly oldestRetainedVersion: number
  /** The newest committed version. */
  readonly version: number
  /** Which run's files of a version count; undefined: not known. */
  readonly epochOf: (version: number) => number | undefined
  /** The manifest of a file of the inventory. */
  readonly manifestOf: (file: VersionFile) => Manifest | undefined
  /** Paths of snapshots that are in use, though perhaps in no manifest yet. */
  readonly inUse: ReadonlySet<string>
  /** Manifests of older versions that stay loadable besides. */
  readonly restorePoints?: readonly VersionFile[]
  /** The path of a snapshot that a manifest names. */
  readonly pathOf: (name: string) => string
}

/** The manifest from which the oldest retained version would be loaded: it and everything it needs stay. */
export function baseManifest({ manifests }: StateInventory, { oldestRetainedVersion, epochOf }: GarbageQuestion): VersionFile | undefined {
  return manifests
    .filter((file) => file.version <= oldestRetainedVersion && counts(file, epochOf(file.version)))
    .reduce<VersionFile | undefined>((best, file) => (best === undefined || isNewer(file, best) ? file : best), undefined)
}

export function findGarbage(inventory: StateInventory, question: GarbageQuestion): VersionFile[] {
  const { epoch, version, epochOf } = question
  const base = baseManifest(inventory, question)
  const baseContent = base && question.manifestOf(base)
  const ours = (file: VersionFile) => file.epoch <= epoch
  // what another run wrote of a version that was then committed by a later one
  const isLitter = (file: VersionFile) => file.version <= version && !counts(file, epochOf(file.version))
  if (base === undefined || baseContent === undefined) return inventory.changelogs.filter((file) => ours(file) && isLitter(file))
  // a damaged one is none
  const restore = (question.restorePoints ?? []).filter(
    (file) => counts(file, epochOf(file.version)) && question.manifestOf(file) !== undefined,
  )
  const isRestored = (file: VersionFile) => restore.some((point) => readsChangelog(question.manifestOf(point)!, file.version))
  const kept = inventory.manifests.filter((file) => file === base || file.version > base.version || restore.includes(file))
  // a newer manifest needs no older changelogs than the base (GroupSnapshots.ranges); all are asked, since what is gone does not come back
  const newer = kept.filter((file) => file === base || file.version > base.version)
  const through = Math.min(...newer.flatMap((file) => question.manifestOf(file) ?? []).map(exactThrough))
  const named = new Set(
    kept.flatMap((file) => [...snapshotsOf(question.manifestOf(file) ?? empty)].map(({ name }) => question.pathOf(name))),
  )
  const readAll = kept.every((file) => question.manifestOf(file) !== undefined)
  return [
    ...inventory.changelogs.filter((file) => ours(file) && ((file.version <= through && !isRestored(file)) || isLitter(file))),
    ...inventory.manifests.filter((file) => ours(file) && !kept.includes(file) && file.version <= base.version),
    ...inventory.snapshots.filter(
      (file) => readAll && ours(file) && file.version <= base.version && !named.has(file.path) && !question.inUse.has(file.path),
    ),
  ]
}
const empty: Manifest = { version: 0, epoch: 0, operators: new Map(), schemas: new Map() }

function counts(file: VersionFile, epoch: number | undefined): boolean {
  return epoch === undefined || epoch === file.epoch
}
function isNewer(a: VersionFile, b: VersionFile): boolean {
  return a.version > b.version || (a.version === b.version && a.epoch > b.epoch)
}
