/**
 * Snapshots in the background of a running query. A round takes a new snapshot of every key group that deserves one, a few at each batch boundary:
 * the rows of a unit are encoded on this thread, a few milliseconds at each boundary, written and synced on the thread pool, and named by a manifest
 * when enough of them are durable. So each file is exact at one version, and files may be of different ones. After each manifest goes what no retained version needs.
 */
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { CorruptCheckpointError, FencedError } from '../base/errors.ts'
import type { ByteWriter } from './byte-writer.ts'
import { findGarbage, type GarbageQuestion } from './garbage.ts'
import { GroupSnapshots, type SnapshotUnit } from './group-snapshots.ts'
import type { KeptStore } from './kept-store.ts'
import type { LoadedState } from './load-state.ts'
import { exactThrough, type GroupRange, type Manifest, readManifest, type SnapshotFile, snapshotsOf, writeManifest } from './manifest.ts'
import { restorePoints } from './restore-points.ts'
import { SnapshotEncoder } from './snapshot-encoder.ts'
import { changelogPath, manifestName, type StoreId, snapshotName, type VersionFile, versionFiles } from './state-files.ts'
import { partitionRanges, type StateSettings } from './state-options.ts'

/** An operator's store and the schema id in which its files are written. */
export interface MaintainedStore {
  readonly store: KeptStore
  readonly schemaId: number
  /** What the snapshots say that the load began with: the rows as they were loaded; nothing, since they were migrated; or that the store was not there. */
  readonly snapshots: 'loaded' | 'none' | 'empty'
}

/** Snapshot files that may be on their way at once. */
const maxWrites = 2
/** A manifest is written after so many new files, and at the end of each round. */
const unitsPerManifest = 16
const deletesPerStep = 16

export class StateMaintenance {
  readonly #settings: StateSettings
  readonly #stores: ReadonlyMap<StoreId, MaintainedStore>
  readonly #storeIds: ReadonlySet<StoreId>
  readonly #snapshots: readonly GroupSnapshots[]
  readonly #partitions: readonly (readonly [number, number])[]
  readonly #encoder: SnapshotEncoder
  readonly #writes = new Set<Promise<void>>()
  /** Runs manifests and their consequences one after the other. */
  #background: Promise<void> = Promise.resolve()
  #failure: { readonly error: unknown } | undefined
  #version: number
  /** idle, taking what is due, or waiting for the last files and their manifest. */
  #round: 'idle' | 'taking' | 'finishing' = 'idle'
  #roundStartedMs: number
  #lastStepMs: number
  /** Units that no manifest names yet. */
  #news = 0
  #manifest: Manifest | null
  #snapshotsWritten = 0

  // what there is on disk, as far as this run knows
  readonly #epochs: Map<number, number>
  #changelogs: VersionFile[]
  #manifests: VersionFile[]
  #snapshotFiles: VersionFile[] = []
  #isInventoryTaken = false
  readonly #manifestContents = new Map<string, Manifest>()
  #tail: VersionFile[]
  #doomed: string[] = []

  /** `storeIds`: of all stores that have left files, those of operators that the query has no more with them. */
  constructor(settings: StateSettings, stores: ReadonlyMap<StoreId, MaintainedStore>, loaded: LoadedState, storeIds: readonly StoreId[]) {
    this.#storeIds = new Set([...stores.keys(), ...storeIds])
    this.#settings = settings
    this.#encoder = new SnapshotEncoder(settings.clock)
    this.#stores = stores
    this.#partitions = partitionRanges(settings.keyGroups, settings.partitions)
    this.#version = settings.version
    this.#roundStartedMs = this.#lastStepMs = settings.clock.monotonicMs()
    this.#manifest = loaded.manifest
    this.#epochs = loaded.epochs
    this.#changelogs = [...loaded.changelogs]
    this.#manifests = [...loaded.manifests]
    this.#tail = [...loaded.tail]
    this.#doomed = [...loaded.temporaries]
    this.#snapshots = [...stores].map(([operatorId, { store, snapshots: found }]) => {
      const snapshots = new GroupSnapshots(operatorId, store)
      if (found === 'loaded') snapshots.restore(rangesOf(loaded.manifest, operatorId, settings.keyGroups), settings.version)
      else if (found === 'empty') snapshots.beginEmpty(settings.version)
      else snapshots.beginMigrated(settings.version)
      return snapshots
    })
  }

  get snapshotsWritten(): number {
    return this.#snapshotsWritten
  }
  get lastSnapshotVersion(): number {
    return this.#manifest?.version ?? 0
  }
  /** Bytes of changelog that a restart would have to read. */
  get changelogTailBytes(): number {
    return this.#tail.reduce((sum, { bytes }) => sum + bytes, 0)
  }
  get memoryUsedBytes(): number {
    return this.#encoder.memoryUsedBytes
  }

  /** The stores are about to be committed as `version`, whose changelog of so many bytes is durable. */
  noteCommit(version: number, bytes: number): void {
    const { folder, epoch } = this.#settings
    const file = { version, epoch, path: changelogPath(folder, version, epoch), bytes }
    for (const snapshots of this.#snapshots) snapshots.noteChanges(version)
    this.#changelogs.push(file)
    this.#tail.push(file)
    this.#epochs.set(version, epoch)
  }

  /** At a batch boundary, with the stores at a committed version. Throws what went wrong in the background. */
  step(version: number): void {
    if (this.#failure) throw this.#failure.error
    this.#version = version
    const { clock } = this.#settings
    const nowMs = clock.monotonicMs()
    // a fifteenth of the time since the last batch: with large batches the changelog grows fast, and with small ones nobody is to notice
    const budgetMs = Math.min(30, Math.max(2, (nowMs - this.#lastStepMs) / 15))
    this.#lastStepMs = nowMs
    this.#deleteSome()
    // the version that was loaded is another run's: a snapshot of it would bear an epoch that its commit doesn't
    if (version === this.#settings.version) return
    if (this.#round === 'idle') this.#beginRoundIfDue(nowMs)
    if (this.#round === 'taking') this.#takeUnits(nowMs + budgetMs)
    // a version that has a manifest gets no second one: what came later goes into the next version's
    else if (this.#round === 'idle' && this.#news > 0) this.#inBackground(() => this.#writeManifest())
  }

  #beginRoundIfDue(nowMs: number): void {
    const { maintenanceIntervalMs, maxTailBytes, minBatchesToRetain } = this.#settings
    const snapshotBytes = [...this.#currentFiles()].reduce((sum, { bytes }) => sum + bytes, 0)
    const isTailLong = this.changelogTailBytes > Math.max(maxTailBytes, snapshotBytes / 2) || this.#tail.length > 1000
    const isMigrated = this.#snapshots.some((snapshots) => snapshots.isIncomplete)
    if (!isTailLong && !isMigrated && nowMs - this.#roundStartedMs < maintenanceIntervalMs) return
    this.#roundStartedMs = nowMs
    let due = 0
    for (const snapshots of this.#snapshots) due += snapshots.begin(this.#version, isTailLong || snapshots.isIncomplete, minBatchesToRetain)
    this.#round = due > 0 ? 'taking' : 'idle'
  }

  #takeUnits(untilMs: number): void {
    const { maxSnapshotRows, clock } = this.#settings
    const hasTime = () => clock.monotonicMs() < untilMs
    do {
      this.#encoder.step(hasTime)
      if (this.#encoder.isBusy || this.#writes.size >= maxWrites) return
      const snapshots = this.#snapshots.find((candidate) => candidate.hasDue)
      const unit = snapshots?.takeUnit(this.#partitions, maxSnapshotRows)
      if (unit === undefined) return this.#endRound()
      this.#takeUnit(snapshots!, unit)
    } while (hasTime())
  }

  #endRound(): void {
    this.#round = 'finishing'
    const written = Promise.allSettled([...this.#writes])
    this.#inBackground(async () => {
      await written
      await this.#writeManifest()
      this.#round = 'idle'
    })
  }

  #takeUnit(snapshots: GroupSnapshots, unit: SnapshotUnit): void {
    const version = this.#version
    snapshots.taken(unit)
    if (unit.rows === 0) {
      snapshots.settled(unit, version, null)
      this.#news++
      return
    }
    const { queryId, epoch, keyGroups } = this.#settings
    const { operatorId, firstGroup, lastGroup } = unit
    const { store, schemaId } = this.#stores.get(operatorId)!
    const name = snapshotName(operatorId, version, epoch, firstGroup, lastGroup)
    const header = { queryId, operatorId, version, epoch, schemaId, keyGroups }
    // rows in memory are taken before the next batch changes them; those of a database come when they were read
    const groups = store.groupsAt(firstGroup, lastGroup)
    const encoded =
      groups instanceof Promise
        ? groups.then((own) => this.#encoder.encodeOwn(header, store.schema, own))
        : this.#encoder.encode(header, store.schema, groups)
    const write = this.#finishUnit(snapshots, unit, { operatorId, name, version, epoch, schemaId, rows: unit.rows }, encoded)
      .catch((error) => this.#fail(error))
      .finally(() => this.#writes.delete(write))
    this.#writes.add(write)
  }

  async #finishUnit(
    snapshots: GroupSnapshots,
    unit: SnapshotUnit,
    of: Omit<SnapshotFile, 'bytes' | 'crc32'>,
    encoded: Promise<ByteWriter>,
  ): Promise<void> {
    const buffer = await encoded
    const { content } = buffer
    const file = { ...of, bytes: content.length, crc32: crc32(content) }
    try {
      await this.#writeSnapshot(file, content)
    } finally {
      this.#encoder.release(buffer)
    }
    snapshots.settled(unit, file.version, file)
    this.#snapshotsWritten++
    if (++this.#news >= unitsPerManifest) this.#inBackground(() => this.#writeManifest())
  }

  async #writeSnapshot(file: SnapshotFile, content: Uint8Array): Promise<void> {
    const { files, folder, checkFence } = this.#settings
    const path = join(folder, file.name)
    await checkFence()
    if (!(await files.createExclusive(path, content))) throw writtenByAnother(path)
    this.#snapshotFiles.push({ version: file.version, epoch: file.epoch, path, bytes: file.bytes })
  }

  /** What is durable now, as a manifest; then what it makes needless goes. */
  async #writeManifest(): Promise<void> {
    const { files, folder, queryId, epoch, checkFence, minBatchesToRetain } = this.#settings
    const version = this.#version
    // of each version there is one manifest at most: more news goes into the next
    if (this.#news === 0 || this.#manifest?.version === version) return
    // rows of a migrated store may lie in other key groups than before: until all are in new snapshots, the old ones and the changelogs serve
    if (this.#snapshots.some((snapshots) => snapshots.isIncomplete)) return
    this.#news = 0
    const manifest: Manifest = {
      version,
      epoch,
      operators: new Map(this.#snapshots.map((snapshots) => [snapshots.operatorId, snapshots.ranges(version)])),
      schemas: new Map([...this.#stores].map(([operatorId, { schemaId }]) => [operatorId, schemaId])),
    }
    await checkFence()
    const path = join(folder, manifestName(version, epoch))
    if (!(await writeManifest(files, folder, queryId, manifest))) throw writtenByAnother(path)
    this.#manifest = manifest
    this.#manifests.push({ version, epoch, path, bytes: 0, modifiedMs: this.#settings.clock.nowMs() })
    this.#manifestContents.set(path, manifest)
    const through = exactThrough(manifest)
    this.#tail = this.#tail.filter((file) => file.version > through)
    await this.collectGarbage(version - minBatchesToRetain)
  }

  /**
   * Marks files for deletion that no version from `oldestRetainedVersion` on needs, and those that other runs wrote of versions that were then
   * committed by a later one. `step` deletes a few at a time.
   */
  async collectGarbage(oldestRetainedVersion: number): Promise<void> {
    const { folder, epoch, clock, retentionMs, restoreIntervalMs } = this.#settings
    await this.#takeInventory()
    const inventory = { changelogs: this.#changelogs, manifests: this.#manifests, snapshots: this.#snapshotFiles }
    const pathOf = (name: string) => join(folder, name)
    const question: GarbageQuestion = {
      epoch,
      oldestRetainedVersion,
      version: this.#version,
      epochOf: (version) => this.#epochs.get(version),
      restorePoints: restorePoints(this.#manifests, { nowMs: clock.nowMs(), retentionMs, intervalMs: restoreIntervalMs }),
      pathOf,
      manifestOf: (file) => this.#manifestContents.get(file.path),
      inUse: new Set([...this.#currentFiles()].map(({ name }) => pathOf(name))),
    }
    const garbage = new Set(findGarbage(inventory, question))
    if (garbage.size === 0) return
    this.#doomed.push(...[...garbage].map(({ path }) => path))
    const isKept = (file: VersionFile) => !garbage.has(file)
    this.#changelogs = this.#changelogs.filter(isKept)
    this.#manifests = this.#manifests.filter(isKept)
    this.#snapshotFiles = this.#snapshotFiles.filter(isKept)
    for (const version of this.#epochs.keys()) if (version < oldestRetainedVersion - 1) this.#epochs.delete(version)
  }

  /** Learns, once, what earlier runs have left: snapshots, and which of several runs committed a version. Then reads manifests that it does not know. */
  async #takeInventory(): Promise<void> {
    if (!this.#isInventoryTaken) {
      this.#isInventoryTaken = true
      await this.#listSnapshots()
      await this.#settleEpochs()
    }
    const { files, folder, queryId, epoch } = this.#settings
    for (const file of this.#manifests) {
      const committed = this.#epochs.get(file.version)
      const isOther = committed !== undefined && committed !== file.epoch
      if (this.#manifestContents.has(file.path) || file.epoch > epoch || file.version > this.#version || isOther) continue
      try {
        this.#manifestContents.set(file.path, await readManifest(files, folder, queryId, file.version, file.epoch))
      } catch (error) {
        // a damaged manifest of the past is told when a load needs it; until then all that it may name stays
        if (!(error instanceof CorruptCheckpointError)) throw error
      }
    }
  }

  async #listSnapshots(): Promise<void> {
    const { files, folder, epoch } = this.#settings
    for (const operatorId of this.#storeIds) {
      const found = versionFiles(await files.list(join(folder, String(operatorId), 'snapshots')))
      // our own are known, and one may be in the making
      this.#snapshotFiles.push(...found.filter((file) => file.epoch !== epoch))
    }
  }

  /** Asks the commit log about versions of which more than one run has left a file. */
  async #settleEpochs(): Promise<void> {
    for (const files of [this.#changelogs, this.#manifests]) {
      const runs = new Map<number, number>()
      for (const { version } of files) runs.set(version, (runs.get(version) ?? 0) + 1)
      for (const [version, count] of runs) {
        if (count === 1 || this.#epochs.has(version) || version > this.#version) continue
        const committed = await this.#settings.epochOf(version)
        if (committed !== undefined) this.#epochs.set(version, committed)
      }
    }
  }

  /** Removing many files at once would hold up a batch. */
  #deleteSome(): void {
    if (this.#doomed.length === 0) return
    const paths = this.#doomed.splice(0, deletesPerStep)
    this.#inBackground(async () => {
      await this.#settings.checkFence()
      for (const path of paths) await this.#settings.files.delete(path)
    })
  }

  #currentFiles(): Set<SnapshotFile> {
    const current = new Set(this.#manifest === null ? [] : snapshotsOf(this.#manifest))
    for (const snapshots of this.#snapshots) for (const file of snapshots.files()) current.add(file)
    return current
  }

  #inBackground(work: () => Promise<void>): void {
    this.#background = this.#background.then(() => (this.#failure ? undefined : work())).catch((error) => this.#fail(error))
  }
  #fail(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Waits for everything that is under way. */
  async settle(): Promise<void> {
    this.#encoder.isHurried = true
    this.#encoder.step(() => true)
    await Promise.all(this.#writes)
    await this.#background
    this.#encoder.isHurried = false
  }
}

function writtenByAnother(path: string): FencedError {
  return new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
    what: `${path} was there already, though only this run may write it`,
    todo: 'stop one of the two runs of this checkpoint',
  })
}

/** A store that the manifest lacks (a state variable that came later) was empty then. */
function rangesOf(manifest: Manifest | null, operatorId: StoreId, keyGroups: number): readonly GroupRange[] {
  if (manifest === null) return []
  return manifest.operators.get(operatorId) ?? [{ first: 0, last: keyGroups - 1, through: manifest.version, file: null }]
}
