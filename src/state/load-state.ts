/** Brings the state to a version: the newest snapshots at or below it, then the changelogs above them. */
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { type CorruptCheckpointError, UnavailableError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { isTemporary } from '../base/local-files.ts'
import { type ChangelogHeader, decodeChangelog } from './changelog.ts'
import type { LoadingStore } from './loading-store.ts'
import type { LocalDatabase, LocalVersion } from './local-database.ts'
import { exactThrough, type GroupRange, type Manifest, readManifest, type SnapshotFile, snapshotsOf } from './manifest.ts'
import type { MemoryGuard } from './memory-guard.ts'
import { decodeSnapshot } from './snapshot-file.ts'
import { damagedFile, foreignFile, missingChangelog, missingSnapshot } from './state-errors.ts'
import { changelogPath, type StoreId, type VersionFile, versionFiles } from './state-files.ts'
import type { StateSettings } from './state-options.ts'

/** What a load found. */
export interface LoadedState {
  /** Where it began; null where there was no snapshot. */
  readonly manifest: Manifest | null
  /** The epochs of the versions from the first changelog on, and of the loaded one. */
  readonly epochs: Map<number, number>
  /** CRC-32 of the changelog that led to the loaded version; undefined where there is none (any more). */
  readonly changelogCrc: number | undefined
  /** The changelogs that were read. */
  readonly tail: readonly VersionFile[]
  /** Everything there is, for the removal of what nobody needs. */
  readonly changelogs: readonly VersionFile[]
  readonly manifests: readonly VersionFile[]
  /** Files that were in the making when their process died. */
  readonly temporaries: readonly string[]
}

/** How many files are read at once. */
const readAhead = 4

/**
 * With a local database only what it lacks is read. `isThere`: false where the version has no state at all, since the query had none until then. `beginAt`: begin
 * with the snapshots of this version and no newer ones. `guard` is asked after each file.
 */
export async function loadState(
  settings: StateSettings,
  targets: ReadonlyMap<StoreId, LoadingStore>,
  database: LocalDatabase | null,
  isThere: boolean,
  { beginAt, guard }: { readonly beginAt?: number; readonly guard?: MemoryGuard | null } = {},
): Promise<LoadedState> {
  const { files, folder, version } = settings
  const [changelogs, manifests, ...others] = await Promise.all(
    ['changelog', 'manifests', ...[...targets.values()].map(({ id }) => id).flatMap((id) => [`${id}/snapshots`, `${id}/_schema`])].map(
      (name) => files.list(join(folder, name)),
    ),
  )
  const temporaries = [changelogs!, manifests!, ...others]
    .flat()
    .filter(({ name }) => isTemporary(name))
    .map(({ path }) => path)
  const found = { changelogs: versionFiles(changelogs!), manifests: versionFiles(manifests!), temporaries }
  if (version === 0) await database?.open(async () => false)
  if (version === 0) return { ...found, manifest: null, epochs: new Map([[0, 0]]), changelogCrc: undefined, tail: [] }
  const candidates = beginAt === undefined ? found.manifests : found.manifests.filter((file) => file.version === beginAt)
  const manifest = await newestManifest(settings, candidates)
  // rows that a migration has to bring on are read from the beginning
  const isSettled = isThere && [...targets.values()].every((target) => target.isSettledIn(manifest?.schemas.get(target.id)))
  const start = (await database?.open(async (local) => isSettled && leadsTo(settings, found.changelogs, local))) ?? 0
  if (!isThere) {
    const epoch = await settings.epochOf(version)
    const epochs = new Map([[version, epoch ?? settings.epoch]])
    return { ...found, manifest: manifest?.version === version ? manifest : null, epochs, changelogCrc: undefined, tail: [] }
  }
  const hasLoaded = () => guard?.check(sumOf(targets, 'memoryUsedBytes'), sumOf(targets, 'numRows'), { isLoading: true })
  if (manifest !== null && start === 0) await loadSnapshots(settings, manifest, targets, hasLoaded)
  const from = manifest === null ? 0 : exactThrough(manifest)
  const { epochs, tail } = await replayChangelogs(settings, from, start, manifest, targets, found.changelogs, database, hasLoaded)
  const changelogCrc = await crcOfChangelog(settings, epochs)
  if (database !== null && start !== version) {
    // snapshots alone may have led to a version whose changelog is gone: then the database serves this run and no other
    if (changelogCrc !== undefined) database.noteCommit({ version, epoch: epochs.get(version)!, changelogCrc })
    database.settle()
  }
  return { ...found, manifest, epochs, changelogCrc, tail }
}

/** The newest manifest that says something of the wanted version's past. */
async function newestManifest(
  { files, folder, queryId, version, epochOf }: StateSettings,
  manifests: readonly VersionFile[],
): Promise<Manifest | null> {
  const candidates = manifests.filter((file) => file.version <= version).sort((a, b) => b.version - a.version || b.epoch - a.epoch)
  for (const file of candidates) {
    const epoch = await epochOf(file.version)
    // where the commit log has no entry (any more), the last run that wrote this version is the one that went on with it
    if (epoch !== undefined && epoch !== file.epoch) continue
    // Its writer may have been killed before it was durable. What it makes needless goes only after the next manifest has been written, in
    // the same folder: then this one is durable too, and until then an older one serves.
    return readManifest(files, folder, queryId, file.version, file.epoch)
  }
  return null
}

function sumOf(targets: ReadonlyMap<StoreId, LoadingStore>, what: 'memoryUsedBytes' | 'numRows'): number {
  let sum = 0
  for (const target of targets.values()) sum += target[what]
  return sum
}

async function loadSnapshots(
  settings: StateSettings,
  manifest: Manifest,
  targets: ReadonlyMap<StoreId, LoadingStore>,
  hasLoaded: () => void,
): Promise<void> {
  const manifestPath = join(settings.folder, `manifests/${manifest.version}-${manifest.epoch}`)
  // an operator that the query has no more leaves its state behind
  const snapshots = [...snapshotsOf(manifest)].filter(({ operatorId, schemaId }) => targets.get(operatorId)?.reads(schemaId))
  for (const [operatorId, schemaId] of manifest.schemas) {
    const target = targets.get(operatorId)
    if (target?.reads(schemaId) && target.schemaOf(schemaId)) target.in(schemaId)
  }
  await inOrder(
    snapshots,
    (file) => readSnapshot(settings, file, manifestPath),
    (file, content) => {
      const ranges = manifest.operators.get(file.operatorId)!.filter((range) => range.file === file)
      putSnapshot(settings, file, content, targets.get(file.operatorId)!, ranges)
      hasLoaded()
    },
  )
}

async function readSnapshot({ files, folder }: StateSettings, file: SnapshotFile, manifestPath: string): Promise<Uint8Array> {
  const path = join(folder, file.name)
  const content = await readOr(files, path, () => missingSnapshot(path, manifestPath))
  if (content.length !== file.bytes) throw damagedFile(path, `it has ${content.length} bytes and should have ${file.bytes}`)
  if (crc32(content) !== file.crc32) throw damagedFile(path, 'its checksum is wrong')
  return content
}

function putSnapshot(
  { folder, queryId, keyGroups }: StateSettings,
  file: SnapshotFile,
  content: Uint8Array,
  target: LoadingStore,
  ranges: readonly GroupRange[],
): void {
  const { operatorId, version, epoch, schemaId } = file
  const path = join(folder, file.name)
  const schema = target.schemaOf(schemaId)
  if (schema === undefined) throw foreignFile(path, `it is in state schema ${schemaId}, which this checkpoint lacks`)
  const isWanted = (group: number) => ranges.some(({ first, last }) => first <= group && group <= last)
  try {
    const header = { queryId, operatorId, version, epoch, schemaId, keyGroups }
    target.in(schemaId).load((groups) => decodeSnapshot(content, header, schema, groups, isWanted))
  } catch (error) {
    if (error instanceof UnavailableError) throw error
    throw damagedFile(path, error instanceof Error ? error.message : String(error), error)
  }
}

/** Whether a local database has a version of this very state, from which the changelogs lead on to the wanted one. */
async function leadsTo(
  { files, folder, version, epochOf }: StateSettings,
  changelogs: readonly VersionFile[],
  local: LocalVersion,
): Promise<boolean> {
  if (local.version < 1 || local.version > version) return false
  for (let v = local.version; v <= version; v++) if (!changelogs.some((file) => file.version === v)) return false
  const epoch = (await epochOf(local.version)) ?? newestEpoch(changelogs, local.version)
  if (epoch !== local.epoch) return false
  const content = await files.read(changelogPath(folder, local.version, epoch)).catch(() => null)
  return content !== null && crc32(content) === local.changelogCrc
}

async function crcOfChangelog({ files, folder, version }: StateSettings, epochs: ReadonlyMap<number, number>): Promise<number | undefined> {
  const content = await files.read(changelogPath(folder, version, epochs.get(version)!)).catch(() => null)
  return content === null ? undefined : crc32(content)
}

async function replayChangelogs(
  settings: StateSettings,
  from: number,
  start: number,
  manifest: Manifest | null,
  targets: ReadonlyMap<StoreId, LoadingStore>,
  changelogs: readonly VersionFile[],
  database: LocalDatabase | null,
  hasLoaded: () => void,
): Promise<Pick<LoadedState, 'epochs' | 'tail'>> {
  const { files, folder, version, epochOf, queryId, keyGroups } = settings
  const epochs = new Map<number, number>()
  const tail: VersionFile[] = []
  const throughIn = (operatorId: StoreId) => throughOf(manifest?.operators.get(operatorId) ?? [], keyGroups)
  const through = new Map([...targets.keys()].map((id) => [id, start > 0 ? new Float64Array(keyGroups).fill(start) : throughIn(id)]))
  const first = start > 0 ? Math.min(start, from + 1) : from + 1
  const versions = Array.from({ length: version - first + 1 }, (_, i) => first + i)
  const read = async (v: number) => {
    const epoch = (await epochOf(v)) ?? newestEpoch(changelogs, v)
    if (epoch === undefined) throw missingChangelog(changelogPath(folder, v, 0).replace(/0$/, '<run>'))
    const path = changelogPath(folder, v, epoch)
    const known = changelogs.find((file) => file.path === path)
    if (v <= start && known === undefined) throw missingChangelog(path)
    return { epoch, path, bytes: known?.bytes ?? 0, content: v <= start ? null : await readOr(files, path, () => missingChangelog(path)) }
  }
  let before: { readonly version: number; readonly crc: number } | undefined
  await inOrder(versions, read, (v, { epoch, path, bytes, content }) => {
    epochs.set(v, epoch)
    if (v > from) tail.push({ version: v, epoch, path, bytes: content?.length ?? bytes })
    if (content === null) return
    const schemaOf = (operatorId: StoreId, schemaId: number) => targets.get(operatorId)?.schemaOf(schemaId)
    const isWanted = (operatorId: StoreId, schemaId: number) => targets.get(operatorId)?.reads(schemaId) === true
    const { header, sections } = decodeChangelog(content, { path, queryId, epoch, version: v, keyGroups, schemaOf, isWanted })
    checkLineage(path, header, epochs)
    checkBase(path, header, before)
    before = { version: v, crc: crc32(content) }
    for (const [operatorId, target] of targets) {
      const schemaId = header.schemas[operatorId]
      if (schemaId !== undefined && target.reads(schemaId) && target.schemaOf(schemaId)) target.in(schemaId)
    }
    for (const { operatorId, firstGroup, lastGroup, changes } of sections) {
      const exact = through.get(operatorId)!
      const wanted = Uint8Array.from(exact, (known) => (known < v ? 1 : 0))
      if (wanted.subarray(firstGroup, lastGroup + 1).includes(1))
        targets.get(operatorId)!.in(header.schemas[operatorId]!).apply(changes, wanted)
    }
    hasLoaded()
    if (start > 0) {
      database?.noteCommit({ version: v, epoch, changelogCrc: before.crc })
      database?.settle()
    }
  })
  if (!epochs.has(version)) epochs.set(version, (await epochOf(version)) ?? manifest!.epoch)
  return { epochs, tail }
}

/** A changelog builds on the version before as one certain run wrote it. */
function checkLineage(path: string, { version, baseEpoch }: ChangelogHeader, epochs: ReadonlyMap<number, number>): void {
  const before = epochs.get(version - 1)
  if (before === undefined || before === baseEpoch) return
  throw foreignFile(path, `it builds on version ${version - 1} of run ${baseEpoch}, and that version was committed by run ${before}`)
}

/** And on certain content: runs of two copies of a checkpoint have the same numbers. */
function checkBase(
  path: string,
  { version, baseCrc32 }: ChangelogHeader,
  before: { readonly version: number; readonly crc: number } | undefined,
): void {
  if (baseCrc32 === undefined || before === undefined || before.version !== version - 1 || before.crc === baseCrc32) return
  throw foreignFile(path, `it builds on another version ${version - 1} than that of the changelog beside it`)
}

function newestEpoch(changelogs: readonly VersionFile[], version: number): number | undefined {
  const epochs = changelogs.filter((file) => file.version === version).map((file) => file.epoch)
  return epochs.length === 0 ? undefined : Math.max(...epochs)
}

/** By key group: up to which version its snapshot is exact. */
function throughOf(ranges: readonly GroupRange[], keyGroups: number): Float64Array {
  const through = new Float64Array(keyGroups)
  for (const range of ranges) through.fill(range.through, range.first, range.last + 1)
  return through
}

/** Reads several items at once, and uses them in their order. */
async function inOrder<T, R>(items: readonly T[], read: (item: T) => Promise<R>, use: (item: T, content: R) => void): Promise<void> {
  const reading: Promise<R>[] = []
  for (let i = 0, next = 0; i < items.length; i++) {
    for (; next < items.length && next < i + readAhead; next++) {
      const promise = read(items[next]!)
      promise.catch(() => {}) // it is awaited in its turn, or never if an earlier one fails
      reading.push(promise)
    }
    use(items[i]!, await reading.shift()!)
  }
}

async function readOr(files: Files, path: string, missing: () => CorruptCheckpointError): Promise<Uint8Array> {
  try {
    return await files.read(path)
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') throw missing()
    throw error
  }
}
