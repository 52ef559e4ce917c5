import type { StateSchema } from '../data/state-schema.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { KeyGroup } from './key-group.ts'
import type { KeyedBatch, StateStore } from './state-store.ts'

/** What a batch changed in some key groups, as a changelog has it. Removals come first, then the touched rows as they then stood. */
export interface StateChanges {
  readonly upserts: KeyedBatch
  /** 4 words a key. */
  readonly removed: Uint32Array
}

/** What a provider of state has for the durable form, beside what operators see: changes for the changelog, rows for snapshots, and the way back. */
export interface KeptStore extends StateStore {
  readonly schema: StateSchema
  readonly keyGroups: number
  /** How many rows a key group has. */
  rowsIn(group: number): number
  /** How many rows of a key group changed or went since the last commit; the same row may count twice. */
  changesIn(group: number): number
  /** Writes what changed since the last commit in the groups first..last. The same until `committed` is called. */
  encodeChanges(writer: ByteWriter, firstGroup: number, lastGroup: number): { readonly upserts: number; readonly removed: number }
  /** The changes are durable as `version`. */
  committed(version: number): void
  /** Takes over what a changelog holds. `wanted` (a byte a group, null: all) leaves out groups that have it already. */
  apply(changes: StateChanges, wanted: Uint8Array | null): void
  /** Lets `decode` put the rows of a snapshot into the groups that it has, which are empty. */
  load(decode: (groups: readonly KeyGroup[]) => void): void
  /** The rows of the groups first..last at the version that the store stands at. A promise's rows are those of the moment of the call, whatever is written meanwhile. */
  groupsAt(firstGroup: number, lastGroup: number): readonly KeyGroup[] | Promise<readonly KeyGroup[]>
  /** Lets go of all memory. */
  clear(): void
}
