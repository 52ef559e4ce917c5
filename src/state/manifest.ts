/** A manifest says with which snapshots a load begins: for each operator and key group the file with its rows, and up to which version that file is exact. */
import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import { decodeChecked, encodeChecked } from './checked-text.ts'
import { damagedFile } from './state-errors.ts'
import { manifestName, type StoreId } from './state-files.ts'

/** A snapshot that is durable. */
export interface SnapshotFile {
  readonly operatorId: StoreId
  /** Below the state folder. */
  readonly name: string
  readonly version: number
  readonly epoch: number
  readonly schemaId: number
  readonly rows: number
  readonly bytes: number
  readonly crc32: number
}

/** Neighbouring key groups that have the same file (null: they were empty) and are exact up to the same version. */
export interface GroupRange {
  readonly first: number
  readonly last: number
  /** No changelog up to this version is needed for them. */
  readonly through: number
  readonly file: SnapshotFile | null
}

export interface Manifest {
  readonly version: number
  readonly epoch: number
  readonly operators: ReadonlyMap<StoreId, readonly GroupRange[]>
  /** In which schema each store is at this version; a manifest of an older release leaves it to the snapshots. */
  readonly schemas: ReadonlyMap<StoreId, number>
}

const manifestFormat = 1

/** The version up to which no changelog is needed at all. */
export function exactThrough(manifest: Manifest): number {
  // one without stores: the query had no state up to there
  return Math.min(manifest.version, ...[...manifest.operators.values()].flatMap((ranges) => ranges.map(({ through }) => through)))
}

export function snapshotsOf(manifest: Manifest): Set<SnapshotFile> {
  return new Set([...manifest.operators.values()].flatMap((ranges) => ranges.flatMap(({ file }) => file ?? [])))
}

/** False where it exists already. */
export function writeManifest(files: Files, folder: string, queryId: string, manifest: Manifest): Promise<boolean> {
  const name = manifestName(manifest.version, manifest.epoch)
  const snapshots = [...snapshotsOf(manifest)]
  const operators = [...manifest.operators].map(([operatorId, ranges]) => ({
    operatorId,
    ...(manifest.schemas.has(operatorId) && { schemaId: manifest.schemas.get(operatorId) }),
    groups: ranges.map(({ first, last, through, file }) => [first, last, through, file === null ? -1 : snapshots.indexOf(file)]),
  }))
  const text = encodeChecked({ queryId, name, path: name }, manifestFormat, {
    version: manifest.version,
    epoch: manifest.epoch,
    snapshots,
    operators,
  })
  return files.createExclusive(join(folder, name), text)
}

export async function readManifest(files: Files, folder: string, queryId: string, version: number, epoch: number): Promise<Manifest> {
  const name = manifestName(version, epoch)
  const path = join(folder, name)
  const content = decodeChecked({ queryId, name, path }, await files.read(path), manifestFormat) as {
    snapshots: SnapshotFile[]
    operators: { operatorId: StoreId; schemaId?: number; groups: [number, number, number, number][] }[]
  }
  try {
    const operators = content.operators.map(({ operatorId, groups }): [StoreId, GroupRange[]] => [
      operatorId,
      groups.map(([first, last, through, file]) => {
        if (file >= content.snapshots.length) throw new Error(`it names a snapshot ${file} that it does not have`)
        return { first, last, through, file: file < 0 ? null : content.snapshots[file]! }
      }),
    ])
    const schemas = content.operators.flatMap(({ operatorId, schemaId }, i): [StoreId, number][] => {
      const id = schemaId ?? operators[i]![1].find(({ file }) => file !== null)?.file?.schemaId
      return id === undefined ? [] : [[operatorId, id]]
    })
    return { version, epoch, operators: new Map(operators), schemas: new Map(schemas) }
  } catch (error) {
    throw damagedFile(path, error instanceof Error ? error.message : String(error), error)
  }
}
