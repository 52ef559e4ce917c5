/** Versions of the state that stay loadable for longer than the newest ones: sparse ones, so that last week is there and does not cost a week of changes. */
import { exactThrough, type Manifest } from './manifest.ts'
import type { VersionFile } from './state-files.ts'

export interface RestorePolicy {
  readonly nowMs: number
  /** How long they stay; 0: there are none. */
  readonly retentionMs: number
  /** One for each stretch of time of this length. */
  readonly intervalMs: number
}

/** The manifests that are restore points: the first of each stretch of time, and one that is older than the retention, so that the whole of it can be replayed. */
export function restorePoints(manifests: readonly VersionFile[], { nowMs, retentionMs, intervalMs }: RestorePolicy): VersionFile[] {
  if (retentionMs <= 0 || intervalMs <= 0) return []
  const first = new Map<number, VersionFile>()
  for (const file of manifests) {
    if (file.modifiedMs === undefined || file.modifiedMs < nowMs - retentionMs - intervalMs) continue
    const stretch = Math.floor(file.modifiedMs / intervalMs)
    const other = first.get(stretch)
    if (other === undefined || file.version < other.version || (file.version === other.version && file.epoch > other.epoch))
      first.set(stretch, file)
  }
  return [...first.values()]
}

/** Whether a load of the manifest's version reads the changelog of a version. */
export function readsChangelog(manifest: Manifest, version: number): boolean {
  return version <= manifest.version && version > exactThrough(manifest)
}
