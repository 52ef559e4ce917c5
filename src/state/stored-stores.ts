/** Which stores a checkpoint has at a version, and in which schemas. Reads only. */
import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import { decodeChangelogHeader } from './changelog.ts'
import { readManifest } from './manifest.ts'
import { changelogPath, type StoreId, type VersionFile, versionFiles } from './state-files.ts'
import { readSchemas, type StoredStore } from './state-schema-file.ts'

export interface StoredStoresQuestion {
  readonly files: Files
  /** `<checkpoint>/state` */
  readonly folder: string
  readonly queryId: string
  readonly version: number
  readonly keyGroups: number
  readonly epochOf: (version: number) => Promise<number | undefined>
}

export async function readStoredStores(question: StoredStoresQuestion): Promise<Map<StoreId, StoredStore>> {
  const { files, folder, queryId, version } = question
  const ids = await storedIds(files, folder)
  const all = await Promise.all(ids.map(async (id) => [id, await readSchemas(files, folder, queryId, id)] as const))
  const there = all.filter(([, versions]) => versions.length > 0)
  const current = version === 0 || there.length === 0 ? new Map<StoreId, number>() : await schemasAt(question)
  return new Map(
    there.map(([id, versions]) => {
      // where no file of the version says it, the load will name the one that is missing
      const schemaId = current === undefined ? versions.at(-1)!.schemaId : current.get(id)
      const stored = versions.find((each) => each.schemaId === schemaId)
      return [id, { versions, current: stored ?? versions.at(-1)!, isCurrent: stored !== undefined }]
    }),
  )
}

/** The stores of a version with their schemas, by its changelog or its manifest; undefined where there is neither, and should be. */
export async function schemasAt(question: StoredStoresQuestion): Promise<Map<StoreId, number> | undefined> {
  const { files, folder, version, epochOf } = question
  const [changelogs, manifests] = await Promise.all(
    ['changelog', 'manifests'].map(async (name) => versionFiles(await files.list(join(folder, name)))),
  )
  // batches of a query without state leave no version: the newest before them then says that nothing is kept
  const newest = Math.max(...[...changelogs!, ...manifests!].map((file) => file.version).filter((each) => each <= version))
  if (newest === -Infinity) return new Map()
  const committed = await epochOf(newest)
  const of = (found: readonly VersionFile[]) => {
    const those = found.filter((file) => file.version === newest)
    return those.find((file) => file.epoch === (committed ?? Math.max(...those.map(({ epoch }) => epoch))))
  }
  const schemas = await schemasOf(question, of(changelogs!), of(manifests!))
  return newest === version || schemas?.size === 0 ? schemas : undefined
}

async function schemasOf(
  { files, folder, queryId, keyGroups }: StoredStoresQuestion,
  changelog: VersionFile | undefined,
  manifest: VersionFile | undefined,
): Promise<Map<StoreId, number> | undefined> {
  // the load needs the manifest of a version, where there is one, and then may not need its changelog
  if (manifest) return new Map((await readManifest(files, folder, queryId, manifest.version, manifest.epoch)).schemas)
  if (changelog) {
    const { version, epoch } = changelog
    const path = changelogPath(folder, version, epoch)
    const { schemas } = decodeChangelogHeader(await files.read(path), { path, queryId, epoch, version, keyGroups })
    return new Map(Object.entries(schemas).map(([id, schemaId]) => [/^\d+$/.test(id) ? Number(id) : (id as StoreId), schemaId]))
  }
  return undefined
}

/** Operators, and behind them those of their stores that have a name. */
export async function storedIds(files: Files, folder: string): Promise<StoreId[]> {
  const foldersIn = async (path: string) =>
    (await files.list(path))
      .filter(({ isDirectory }) => isDirectory)
      .map(({ name }) => name)
      .sort()
  const operators = (await foldersIn(folder)).filter((name) => /^\d+$/.test(name)).map(Number)
  const stores = await Promise.all(
    operators.map(async (id) => {
      const names = (await foldersIn(join(folder, String(id)))).filter((name) => name !== '_schema' && name !== 'snapshots')
      return [id, ...names.map((name): StoreId => `${id}/${name}`)]
    }),
  )
  return stores.flat().sort(byStore)
}
function byStore(a: StoreId, b: StoreId): number {
  return Number.parseInt(String(a), 10) - Number.parseInt(String(b), 10) || (String(a) < String(b) ? -1 : 1)
}
