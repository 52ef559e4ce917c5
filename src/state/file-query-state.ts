import { crc32 } from 'node:zlib'
import { FencedError, InternalError } from '../base/errors.ts'
import { ByteWriter } from './byte-writer.ts'
import { encodeChangelog, type SectionPlace } from './changelog.ts'
import type { LoadedState } from './load-state.ts'
import type { LocalDatabase } from './local-database.ts'
import { writeManifest } from './manifest.ts'
import type { MemoryGuard } from './memory-guard.ts'
import { changelogPath, type StoreId, storeIdOf } from './state-files.ts'
import type { MaintainedStore, StateMaintenance } from './state-maintenance.ts'
import { partitionRanges, type StateSettings } from './state-options.ts'
import { type StoredSchema, writeSchema } from './state-schema-file.ts'
import type { QueryState, StateCommit, StateMetrics, StateStore } from './state-store.ts'

/** An operator with its store and its schemas. */
export interface OpenOperator extends MaintainedStore {
  /** To be written before the first changelog; null where the checkpoint has it. */
  newSchema: StoredSchema | null
}

/** What a query's state begins with. */
export interface Opened {
  readonly maintenance: StateMaintenance
  readonly loaded: LoadedState
  readonly database: LocalDatabase | null
  /** Null where the provider keeps to its memory by itself. */
  readonly guard: MemoryGuard | null
  /** Whether versions below are to be left out by every load to come. */
  readonly begins: boolean
  /** Stores that the version had and the query deletes, by what the plan calls them. */
  readonly deleted: ReadonlySet<StoreId>
}

/** The state of a running query over files. */
export class FileQueryState implements QueryState {
  readonly #settings: StateSettings
  readonly #operators: ReadonlyMap<StoreId, OpenOperator>
  /** By what the plan calls them. */
  readonly #names: ReadonlyMap<StoreId, StoreId>
  readonly #maintenance: StateMaintenance
  readonly #database: LocalDatabase | null
  readonly #guard: MemoryGuard | null
  readonly #writer = new ByteWriter()
  readonly #places: readonly SectionPlace[]
  readonly #deleted: ReadonlySet<StoreId>
  #version: number
  #begins: boolean
  #baseEpoch: number
  #baseCrc: number | undefined

  constructor(
    settings: StateSettings,
    operators: ReadonlyMap<StoreId, OpenOperator>,
    names: ReadonlyMap<StoreId, StoreId>,
    { maintenance, loaded, database, guard, begins, deleted }: Opened,
  ) {
    this.#begins = begins
    this.#deleted = deleted
    this.#database = database
    this.#guard = guard
    this.#settings = settings
    this.#operators = operators
    this.#names = names
    this.#maintenance = maintenance
    const ranges = partitionRanges(settings.keyGroups, settings.partitions)
    this.#places = [...operators.keys()].flatMap((operatorId) =>
      ranges.map(([firstGroup, lastGroup]) => ({ operatorId, firstGroup, lastGroup })),
    )
    this.#version = settings.version
    this.#baseEpoch = loaded.epochs.get(settings.version) ?? 0
    this.#baseCrc = loaded.changelogCrc
    this.checkMemory()
  }

  store(operatorId: number, name = 'default'): StateStore {
    const id = this.#names.get(storeIdOf(operatorId, name))
    const operator = id === undefined ? undefined : this.#operators.get(id)
    if (operator) return operator.store
    throw new InternalError('INTERNAL_ERROR', {
      what: `operator ${operatorId} has no state called "${name}"`,
      todo: 'report this with the query',
    })
  }

  hasStore(operatorId: number, name: string): boolean {
    return this.#names.has(storeIdOf(operatorId, name))
  }

  hasDeleted(operatorId: number, name: string): boolean {
    return this.#deleted.has(storeIdOf(operatorId, name))
  }

  async commit(): Promise<StateCommit> {
    const { files, folder, epoch, clock, checkFence } = this.#settings
    const startMs = clock.monotonicMs()
    this.checkMemory()
    this.#database?.settle()
    const version = this.#version + 1
    this.#encode(version)
    const path = changelogPath(folder, version, epoch)
    const bytes = this.#writer.length
    await checkFence()
    await this.#writeSchemas()
    if (this.#begins) await this.#writeBeginning()
    // it counts from the moment when commits/ names this run's epoch: a part of it that a crash leaves is litter
    await files.create(path, this.#writer.content).catch((error: { code?: unknown }) => {
      if (error.code !== 'EEXIST') throw error
      throw new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
        what: `${path} was there already, though only this run may write it`,
        todo: 'stop one of the two runs of this checkpoint',
      })
    })
    this.#maintenance.noteCommit(version, bytes)
    for (const { store } of this.#operators.values()) store.committed(version)
    this.#baseCrc = crc32(this.#writer.content)
    this.#database?.noteCommit({ version, epoch, changelogCrc: this.#baseCrc })
    this.#version = version
    this.#baseEpoch = epoch
    return { bytes, commitMs: clock.monotonicMs() - startMs }
  }

  /** The checkpoint learns the columns with its first version of state: before, an offset log may still be missing, and then state must be too. */
  async #writeSchemas(): Promise<void> {
    const { files, folder, queryId } = this.#settings
    for (const operator of this.#operators.values()) {
      if (operator.newSchema === null) continue
      await writeSchema(files, folder, queryId, operator.newSchema)
      operator.newSchema = null
    }
  }

  /** A manifest without stores: a load begins with it, and asks for no changelog of the versions before, which are not there. */
  async #writeBeginning(): Promise<void> {
    const { files, folder, queryId } = this.#settings
    const nothing = { version: this.#version, epoch: this.#baseEpoch, operators: new Map(), schemas: new Map() }
    await writeManifest(files, folder, queryId, nothing)
    this.#begins = false
  }

  #encode(version: number): void {
    const { queryId, epoch, keyGroups } = this.#settings
    const schemas = Object.fromEntries([...this.#operators].map(([operatorId, { schemaId }]) => [operatorId, schemaId]))
    encodeChangelog(
      this.#writer,
      { queryId, epoch, version, baseEpoch: this.#baseEpoch, baseCrc32: this.#baseCrc, keyGroups, schemas },
      this.#places,
      (writer, place) => this.#operators.get(place.operatorId)!.store.encodeChanges(writer, place.firstGroup, place.lastGroup),
    )
  }

  async afterCommit(): Promise<void> {
    this.#database?.settle()
    this.#maintenance.step(this.#version)
  }

  /** Lets files go that no version from `oldestRetainedVersion` on needs. Happens by itself after snapshots. */
  collectGarbage(oldestRetainedVersion: number): Promise<void> {
    return this.#maintenance.collectGarbage(oldestRetainedVersion)
  }

  /** Snapshot work that is under way is done. */
  async settled(): Promise<void> {
    await this.#maintenance.settle()
  }

  async close(): Promise<void> {
    await this.#maintenance.settle()
    await this.#database?.close()
    for (const { store } of this.#operators.values()) store.clear()
  }

  checkMemory(): void {
    if (this.#guard === null) return
    const { memoryUsedBytes, numRows } = this.metrics
    this.#guard.check(memoryUsedBytes, numRows)
  }

  get metrics(): StateMetrics {
    let numRows = 0
    let memoryUsedBytes = this.#writer.capacity + this.#maintenance.memoryUsedBytes
    for (const { store } of this.#operators.values()) {
      numRows += store.numRows
      memoryUsedBytes += store.memoryUsedBytes
    }
    const { snapshotsWritten, lastSnapshotVersion, changelogTailBytes } = this.#maintenance
    return { partitions: this.#settings.partitions, numRows, memoryUsedBytes, snapshotsWritten, lastSnapshotVersion, changelogTailBytes }
  }
}
