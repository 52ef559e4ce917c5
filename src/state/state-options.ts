import { type Clock, systemClock } from '../base/clock.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { RocksdbSettings } from './local-database.ts'
import type { StateDefaults } from './match-columns.ts'
import type { MemorySettings } from './memory-guard.ts'

/** An operator that keeps state. */
export interface StateOperator {
  readonly operatorId: number
  /** Spark's name of it: stateStoreSave, dedupe, … */
  readonly name: string
  /** Tells the stores of one operator apart; `default` where there is but one. */
  readonly storeName?: string
  /** What its state means, where operators of one name keep different things: `left join`. */
  readonly kind?: string
  readonly schema: StateSchema
  /** Stores of the same operator that are to go: state variables that a processor deletes. */
  readonly deletes?: readonly string[]
}

export interface OpenState {
  readonly files: Files
  /** `<checkpoint>/state` */
  readonly folder: string
  readonly queryId: string
  readonly epoch: number
  /** The version to load: that of the batch that runs next. 0 is empty. */
  readonly version: number
  /** The epoch that commits/(version - 1) names, or undefined where there is no such entry (removed with age, or the commit log was lost). */
  readonly epochOf: (version: number) => Promise<number | undefined>
  readonly operators: readonly StateOperator[]
  /** Fixed by the checkpoint. */
  readonly keyGroups: number
  /** At most `keyGroups`; may differ from start to start. */
  readonly partitions: number
  /** Rejects where another run has taken over; asked before each durable step. */
  readonly checkFence: () => Promise<void>
  readonly clock?: Clock
  /** spark.sql.streaming.stateStore.maintenanceInterval, 60,000. */
  readonly maintenanceIntervalMs?: number
  /** spark.sql.streaming.minBatchesToRetain, 100: that many versions below the newest stay loadable. */
  readonly minBatchesToRetain?: number
  /** Besides, one version for each `restoreIntervalMs` (a day) of the last `retentionMs` (none unless given). */
  readonly retentionMs?: number
  readonly restoreIntervalMs?: number
  /** Snapshots are due, whatever the time, when a restart had to read more changelog than this and than half of the state. 16 MiB. */
  readonly maxTailBytes?: number
  /** How many rows a snapshot file holds at most, unless one key group has more. 65,536. */
  readonly maxSnapshotRows?: number
  /** Where rows are held while the query runs. Memory. */
  readonly provider?: StateProvider
  /** The checkpoint's key salt: identities are made anew with it where the columns of a key change. */
  readonly salt?: string
  /** Values for columns that old rows lack, by the name of the column. */
  readonly defaults?: StateDefaults
}
/** Rows are held in memory, or in a RocksDB on this machine. */
export type StateProvider = MemorySettings | RocksdbSettings
export type StateSettings = Required<OpenState>

export function settingsOf(options: OpenState): StateSettings {
  const { keyGroups, partitions } = options
  if (!(partitions >= 1 && partitions <= keyGroups)) {
    throw new InvalidQueryError('STATE_STORE_INVALID_PARTITION_COUNT', {
      what: `${partitions} partitions were asked for; the state of this checkpoint has ${keyGroups} key groups, and a partition is at least one of them`,
      todo: `set spark.sql.shuffle.partitions to a number from 1 to ${keyGroups}`,
    })
  }
  return {
    clock: systemClock,
    maintenanceIntervalMs: 60_000,
    minBatchesToRetain: 100,
    retentionMs: 0,
    restoreIntervalMs: 86_400_000,
    maxTailBytes: 16 << 20,
    maxSnapshotRows: 65_536,
    provider: { kind: 'memory' },
    salt: '',
    defaults: {},
    ...options,
  }
}

/** The key groups first..last of each partition. */
export function partitionRanges(keyGroups: number, partitions: number): readonly (readonly [first: number, last: number])[] {
  return Array.from(
    { length: partitions },
    (_, p) => [Math.floor((p * keyGroups) / partitions), Math.floor(((p + 1) * keyGroups) / partitions) - 1] as const,
  )
}
