/**
 * The state of a checkpoint for somebody who only looks, while its query may be running: which stores there are, their rows at a version, and
 * what each version changed. Nothing is written or held open; what the query removes meanwhile is an error of load-state.ts, and the caller begins anew.
 */
import type { Files } from '../base/files.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { decodeChangelog } from './changelog.ts'
import { loadState } from './load-state.ts'
import { chainOf, LoadingStore } from './loading-store.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { missingChangelog } from './state-errors.ts'
import { changelogPath, type StoreId, versionFiles } from './state-files.ts'
import { settingsOf } from './state-options.ts'
import { readSchemas, type StoredSchema } from './state-schema-file.ts'
import type { KeyedBatch } from './state-store.ts'
import { schemasAt, storedIds } from './stored-stores.ts'

/** One store of one operator, as the checkpoint describes it. */
export interface StoredStore {
  readonly id: StoreId
  readonly operatorId: number
  readonly operatorName: string
  /** `default` where the operator has but one. */
  readonly storeName: string
  readonly keyGroups: number
  /** The newest columns of these rows. */
  readonly schema: StateSchema
  /** All schemas that its files may be written in, oldest first. */
  readonly schemas: readonly StoredSchema[]
}

/** Where to read. */
export interface StateLocation {
  readonly files: Files
  /** `<checkpoint>/state` */
  readonly folder: string
  readonly queryId: string
  /** Which run's files of a version count; undefined where the commit log does not say. */
  readonly epochOf: (version: number) => Promise<number | undefined>
  /** The checkpoint's key salt: rows from before a migration of their keys are shown under the identities that they got. */
  readonly saltOf?: () => Promise<string | undefined>
}

/**
 * The stores that a version has, without those that an earlier version had and the query has let go since. Of a variable that was deleted and began anew with
 * other columns: those that it had then. Errors as of load-state.ts.
 */
export async function listStoresAt(location: StateLocation, version: number): Promise<StoredStore[]> {
  const all = await listStores(location)
  if (all.length === 0) return all
  const { keyGroups } = all[0]!
  const current = await schemasAt({ ...location, version, keyGroups })
  // nothing says which: the load names what is missing
  if (current === undefined || current.size === 0) return all
  return all.flatMap((store) => {
    const then = current.get(store.id)
    if (then === undefined) return []
    const byId = new Map(store.schemas.map((stored) => [stored.schemaId, stored]))
    const { schema } = store.schemas.findLast(({ schemaId }) => chainOf(byId, schemaId).includes(then)) ?? store
    return [{ ...store, schema }]
  })
}

/** All stores that the checkpoint knows columns of. CorruptCheckpointError where a schema is damaged. */
export async function listStores({ files, folder, queryId }: Omit<StateLocation, 'epochOf'>): Promise<StoredStore[]> {
  const ids = await storedIds(files, folder)
  const found = await Promise.all(ids.map(async (id) => ({ id, schemas: await readSchemas(files, folder, queryId, id) })))
  return found.flatMap(({ id, schemas }) => {
    const newest = schemas.at(-1)
    if (newest === undefined) return []
    const [operator = '', name] = String(id).split('/')
    const { operatorName, keyGroups, schema } = newest
    const storeName = name === undefined ? 'default' : decodeURIComponent(name)
    return { id, operatorId: Number(operator), operatorName, storeName, keyGroups, schema, schemas }
  })
}

/** Rows of a store at one version. */
export interface LoadedStore extends StoredStore {
  readonly version: number
  readonly numRows: number
  /** The rows in slices, in the columns of `schema` (keys, then values) and with their identities. */
  rows(): Iterable<KeyedBatch>
}

/** What to read of a version. */
export interface LoadRequest {
  /** All stores that the checkpoint has. */
  readonly stores: readonly StoredStore[]
  readonly version: number
  /** Those whose rows are wanted; default all. The others take no memory. */
  readonly wanted?: readonly StoredStore[]
  /** Begin with the snapshots of this version. */
  readonly snapshotVersion?: number
}

/** The rows of stores at one version. Errors as of load-state.ts. */
export async function loadStores(location: StateLocation, request: LoadRequest): Promise<LoadedStore[]> {
  const loaded = await loadInto(location, request)
  return (request.wanted ?? request.stores).map((store) => {
    const held = loaded.get(store.id)!.finish().store
    return { ...store, version: request.version, numRows: held.numRows, rows: () => held.scanKeyed() }
  })
}

async function loadInto(
  location: StateLocation,
  { stores, version, wanted = stores, snapshotVersion }: LoadRequest,
): Promise<Map<StoreId, LoadingStore>> {
  const keyGroups = stores[0]?.keyGroups ?? 1
  const settings = settingsOf({ ...location, ...readerOf, version, keyGroups, operators: [] })
  const salt = (await location.saltOf?.()) ?? ''
  // a load passes over stores that nobody asks for
  const held = new Map(wanted.map((store) => [store.id, loadingStore(store, version, salt)]))
  await loadState(settings, held, null, true, { ...(snapshotVersion !== undefined && { beginAt: snapshotVersion }) })
  return held
}
function loadingStore({ id, schema, schemas, keyGroups }: StoredStore, version: number, salt: string): LoadingStore {
  const last = schemas.find((stored) => stored.schema === schema)!
  return new LoadingStore(id, schemas, last.schemaId, new MemoryStateStore(last.schema, keyGroups, version), salt)
}
/** A reader is no run, and has no partitions. */
const readerOf = { epoch: Number.MAX_SAFE_INTEGER, partitions: 1, checkFence: async () => {} }

/** For decodeChangelog. */
export function schemaOfStores(stores: readonly StoredStore[]): (id: StoreId, schemaId: number) => StateSchema | undefined {
  const byId = new Map(stores.map((store) => [store.id, schemasOf(store)]))
  return (id, schemaId) => byId.get(id)?.(schemaId)
}
function schemasOf({ schemas }: StoredStore): (schemaId: number) => StateSchema | undefined {
  return (schemaId) => schemas.find((stored) => stored.schemaId === schemaId)?.schema
}

/** What one version changed in one store. */
export interface StoreChanges {
  readonly version: number
  /** Rows that went, as they stood before. They come before the others: a row may be in both. */
  readonly removed: KeyedBatch
  /** Rows as they stood afterwards. */
  readonly updated: KeyedBatch
}

/** What each of the versions `first` … `last` changed in one store, in order. `stores`: all that the checkpoint has. Errors as of load-state.ts. */
export async function* readChanges(
  location: StateLocation,
  stores: readonly StoredStore[],
  store: StoredStore,
  first: number,
  last: number,
): AsyncGenerator<StoreChanges> {
  const { files, folder, queryId, epochOf } = location
  const loading = (await loadInto(location, { stores, version: first - 1, wanted: [store] })).get(store.id)!
  for (let version = first; version <= last; version++) {
    const epoch = (await epochOf(version)) ?? (await newestEpoch(files, folder, version))
    const path = changelogPath(folder, version, epoch ?? 0)
    if (epoch === undefined) throw missingChangelog(path.replace(/0$/, '<run>'))
    const content = await files.read(path).catch((error: { code?: unknown }) => {
      throw error.code === 'ENOENT' ? missingChangelog(path) : error
    })
    const { header, sections } = decodeChangelog(content, {
      path,
      queryId,
      epoch,
      version,
      keyGroups: stores[0]?.keyGroups ?? 1,
      schemaOf: (_, schemaId) => loading.schemaOf(schemaId),
      isWanted: (id, schemaId) => id === store.id && loading.reads(schemaId),
    })
    for (const { operatorId, changes } of sections) {
      if (operatorId !== store.id) continue
      const state = loading.in(header.schemas[operatorId]!)
      const removed = state.get(changes.removed)
      state.apply(changes, null)
      // as the newest schema has them, whichever the file is written in
      yield { version, removed: loading.inLast(removed), updated: loading.inLast(state.get(changes.upserts.keyIds)) }
    }
  }
}

async function newestEpoch(files: Files, folder: string, version: number): Promise<number | undefined> {
  const found = versionFiles(await files.list(`${folder}/changelog`)).filter((file) => file.version === version)
  return found.length === 0 ? undefined : Math.max(...found.map(({ epoch }) => epoch))
}

/** The key group of each row. */
export function groupsOf({ keyIds, rows }: KeyedBatch, keyGroups: number): Int32Array {
  return Int32Array.from({ length: rows.length }, (_, i) => keyIds[4 * i]! % keyGroups)
}
