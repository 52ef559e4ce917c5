/**
 * Names in the state folder:
 *
 *     changelog/<version>-<epoch>                                  what led to the version
 *     manifests/<version>-<epoch>                                  which snapshots to begin with, at or above that version
 *     <operator>/snapshots/<version>-<epoch>-<first>-<last>.parquet   the operator's rows in key groups first..last
 *     <operator>/_schema/<schema id>                               the columns of its rows
 *     <operator>/<store>/…                                         the same of each store, where an operator has several
 *
 * Batch N reads version N and writes version N + 1. Files of version n count if their epoch is the one that commits/(n-1) names.
 */
import { join } from 'node:path'
import type { FileEntry } from '../base/files.ts'

/** Whose rows: an operator's id, and for one of several stores of an operator its name behind it (`0/left`). In files it stands as `operatorId`. */
export type StoreId = number | `${number}/${string}`

/** The store of that name in files; the only store of an operator is called `default` and goes by the operator's id alone. */
export function storeIdOf(operatorId: number, storeName = 'default'): StoreId {
  if (storeName === 'default') return operatorId
  const name = encodeURIComponent(storeName)
  // beside the stores stand the folders of the operator's own
  const isTaken = name === 'snapshots' || /^[_.]/.test(name)
  return `${operatorId}/${isTaken ? `%${name.charCodeAt(0).toString(16).toUpperCase()}${name.slice(1)}` : name}`
}

/** A file of one version, written by one run. */
export interface VersionFile {
  readonly version: number
  readonly epoch: number
  readonly path: string
  readonly bytes: number
  /** When it was written, by the file system or the run's clock; undefined where nobody knows. */
  readonly modifiedMs?: number
}

export function changelogPath(folder: string, version: number, epoch: number): string {
  return join(folder, 'changelog', `${version}-${epoch}`)
}
export function manifestName(version: number, epoch: number): string {
  return `manifests/${version}-${epoch}`
}
export function snapshotName(operatorId: StoreId, version: number, epoch: number, firstGroup: number, lastGroup: number): string {
  return `${operatorId}/snapshots/${version}-${epoch}-${firstGroup}-${lastGroup}.parquet`
}
export function schemaName(operatorId: StoreId, schemaId: number): string {
  return `${operatorId}/_schema/${schemaId}`
}

const versioned = /^(0|[1-9]\d*)-([1-9]\d*)(?:-\d+-\d+\.parquet)?$/

/** Those of the entries that are named by version and epoch; others are passed over. */
export function versionFiles(entries: readonly FileEntry[]): VersionFile[] {
  return entries.flatMap(({ name, path, sizeBytes, isDirectory, modifiedMs }) => {
    const match = isDirectory ? null : versioned.exec(name)
    return match === null ? [] : [{ version: Number(match[1]), epoch: Number(match[2]), path, bytes: sizeBytes, modifiedMs }]
  })
}
