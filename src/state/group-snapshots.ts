/** What is known of one operator's snapshots: for each key group the file that has it, and what changed since. */
import type { KeptStore } from './kept-store.ts'
import type { GroupRange, SnapshotFile } from './manifest.ts'
import type { StoreId } from './state-files.ts'

/** Key groups of one operator that go into one snapshot file. */
export interface SnapshotUnit {
  readonly operatorId: StoreId
  readonly firstGroup: number
  readonly lastGroup: number
  readonly rows: number
}

export class GroupSnapshots {
  readonly operatorId: StoreId
  readonly store: KeptStore
  /** By key group; null: it was empty at that version. */
  readonly #file: (SnapshotFile | null)[]
  /** The version at which the group's rows were taken. */
  readonly #version: Float64Array
  /** The last version that changed the group. */
  readonly #changed: Float64Array
  /**
   * The first version that changed it since its snapshot; 0: none. No changelog below it is needed for the group, and earlier manifests have said so: those
   * changelogs may be gone. So what `ranges` says of a group never goes back, however old its snapshot is.
   */
  readonly #firstChange: Float64Array
  /** Rows that changelogs name since the snapshot. */
  readonly #pending: Float64Array
  /** The groups of the running round that have not been taken yet. */
  readonly #due: Uint8Array

  constructor(operatorId: StoreId, store: KeptStore) {
    this.operatorId = operatorId
    this.store = store
    this.#file = new Array<SnapshotFile | null>(store.keyGroups).fill(null)
    this.#version = new Float64Array(store.keyGroups)
    this.#changed = new Float64Array(store.keyGroups)
    this.#firstChange = new Float64Array(store.keyGroups)
    this.#pending = new Float64Array(store.keyGroups)
    this.#due = new Uint8Array(store.keyGroups)
  }

  /** Begins with what a load began with. Groups may have changed in every version since. */
  restore(ranges: readonly GroupRange[], version: number): void {
    for (const { first, last, through, file } of ranges) {
      for (let g = first; g <= last; g++) {
        this.#file[g] = file
        this.#version[g] = through
      }
    }
    for (let g = 0; g < this.#version.length; g++) {
      if (this.#version[g] === version) continue
      this.#changed[g] = version
      this.#firstChange[g] = this.#version[g]! + 1
      this.#pending[g] = Infinity // how much is not known; a snapshot is worth it
    }
  }

  /** Begins with a store that was not there before `version`. */
  beginEmpty(version: number): void {
    this.#version.fill(version)
  }
  /** Begins with rows that no snapshot has as they are: they were migrated. */
  beginMigrated(version: number): void {
    this.#version.fill(-1)
    this.#changed.fill(version)
    this.#firstChange.fill(1)
    this.#pending.fill(Infinity)
  }
  /** Whether rows that were migrated are in no snapshot yet. */
  get isIncomplete(): boolean {
    return this.#version.includes(-1)
  }

  /** Counts the store's uncommitted changes as those of `version`. To be called before the store forgets them. */
  noteChanges(version: number): void {
    for (let g = 0; g < this.store.keyGroups; g++) {
      const rows = this.store.changesIn(g)
      if (rows === 0) continue
      this.#changed[g] = version
      if (this.#firstChange[g] === 0) this.#firstChange[g] = version
      this.#pending[g]! += rows
    }
  }

  /** Begins a round with the groups for which a new snapshot is worth its cost, or with all that changed; returns how many. */
  begin(version: number, all: boolean, maxAge: number): number {
    let due = 0
    for (let g = 0; g < this.store.keyGroups; g++) {
      const rows = this.store.rowsIn(g)
      const isChanged = this.#changed[g]! > this.#version[g]!
      const isWorthIt = all || rows <= 1024 || this.#pending[g]! * 8 >= rows || version - this.#version[g]! >= maxAge
      this.#due[g] = isChanged && isWorthIt ? 1 : 0
      due += this.#due[g]!
    }
    return due
  }

  /** Takes the next few due groups, neighbours within a partition that hold at most `maxRows` rows together, or one group that holds more. */
  takeUnit(partitions: readonly (readonly [first: number, last: number])[], maxRows: number): SnapshotUnit | undefined {
    const firstGroup = this.#due.indexOf(1)
    if (firstGroup < 0) return undefined
    const end = partitions.find(([first, last]) => first <= firstGroup && firstGroup <= last)![1]
    let lastGroup = firstGroup
    let rows = this.store.rowsIn(firstGroup)
    while (lastGroup < end && this.#due[lastGroup + 1] === 1 && rows + this.store.rowsIn(lastGroup + 1) <= maxRows)
      rows += this.store.rowsIn(++lastGroup)
    this.#due.fill(0, firstGroup, lastGroup + 1)
    return { operatorId: this.operatorId, firstGroup, lastGroup, rows }
  }
  get hasDue(): boolean {
    return this.#due.includes(1)
  }

  /** The unit's rows as of `version` are being written: changes from now on are changes since. */
  taken({ firstGroup, lastGroup }: SnapshotUnit): void {
    this.#pending.fill(0, firstGroup, lastGroup + 1)
  }
  /** The unit's rows as of `version` are durable in `file`; null if there were none. */
  settled({ firstGroup, lastGroup }: SnapshotUnit, version: number, file: SnapshotFile | null): void {
    this.#file.fill(file, firstGroup, lastGroup + 1)
    this.#version.fill(version, firstGroup, lastGroup + 1)
    // while the file was written the group may have changed once more
    for (let g = firstGroup; g <= lastGroup; g++) this.#firstChange[g] = this.#changed[g]! > version ? version + 1 : 0
  }

  /** For a manifest of `version`. */
  ranges(version: number): GroupRange[] {
    const ranges: { first: number; last: number; through: number; file: SnapshotFile | null }[] = []
    for (let g = 0; g < this.#version.length; g++) {
      const through = this.#firstChange[g] === 0 ? version : this.#firstChange[g]! - 1
      const file = this.#file[g]!
      const last = ranges.at(-1)
      if (last && last.through === through && last.file === file) last.last = g
      else ranges.push({ first: g, last: g, through, file })
    }
    return ranges
  }

  files(): Set<SnapshotFile> {
    return new Set(this.#file.filter((file) => file !== null))
  }
}
