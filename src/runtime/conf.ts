import { availableParallelism } from 'node:os'
import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'

interface ConfKey {
  readonly default: string
  readonly check: (value: string) => boolean
  readonly expected: string
  readonly meaning: string
}

const flag = { check: (value: string) => value === 'true' || value === 'false', expected: 'true or false' }
const wholeNumber = (min: number) => ({
  check: (value: string) => /^\d+$/.test(value) && Number(value) >= min,
  expected: `a whole number from ${min} up`,
})
const duration = { check: (value: string) => durationMs(value) !== null, expected: 'a duration such as 500ms, 10s, 1min' }
const oneOf = (...values: string[]) => ({ check: (value: string) => values.includes(value), expected: values.join(' or ') })
const text = { check: () => true, expected: 'text' }

/** Every configuration key that an engine knows, under Spark's names where Spark has them. */
export const confKeys: Readonly<Record<string, ConfKey>> = {
  'spark.sql.shuffle.partitions': {
    ...wholeNumber(1),
    default: String(availableParallelism()),
    meaning: 'partitions of the state; may change at any restart, at most millrace.keyGroups',
  },
  'spark.sql.streaming.checkpointLocation': {
    ...text,
    default: '',
    meaning: 'folder under which each query without a checkpointLocation of its own gets one',
  },
  'spark.sql.streaming.forceDeleteTempCheckpointLocation': {
    ...flag,
    default: 'false',
    meaning: 'remove a temporary checkpoint after a failure too',
  },
  'spark.sql.streaming.pollingDelay': { ...duration, default: '10ms', meaning: 'pause between two looks at sources that had nothing new' },
  'spark.sql.streaming.noDataMicroBatches.enabled': {
    ...flag,
    default: 'true',
    meaning: 'run a batch without data where the watermark has moved and state can be evicted',
  },
  'spark.sql.streaming.noDataProgressEventInterval': {
    ...duration,
    default: '10s',
    meaning: 'least time between two progresses or idle events while there is nothing to do',
  },
  'spark.sql.streaming.minBatchesToRetain': {
    ...wholeNumber(1),
    default: '100',
    meaning: 'batches whose log entries and state versions are kept',
  },
  'spark.sql.streaming.multipleWatermarkPolicy': {
    ...oneOf('min', 'max'),
    default: 'min',
    meaning: 'how several watermarks become one; pinned by the checkpoint',
  },
  'spark.sql.streaming.numRecentProgressUpdates': { ...wholeNumber(1), default: '100', meaning: 'length of recentProgress' },
  'spark.sql.streaming.stateStore.providerClass': {
    ...oneOf('memory', 'org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider'),
    default: 'memory',
    meaning: 'where state is held while the query runs; pinned by the checkpoint',
  },
  'spark.sql.streaming.stateStore.maintenanceInterval': {
    ...duration,
    default: '1min',
    meaning: 'time between two snapshots of changed state',
  },
  'spark.sql.streaming.fileSink.log.compactInterval': {
    ...wholeNumber(1),
    default: '10',
    meaning: 'entries of an output log between two compactions',
  },
  'spark.sql.streaming.fileSink.log.deletion': {
    ...flag,
    default: 'true',
    meaning: 'remove entries of an output log that a compaction holds',
  },
  'spark.sql.streaming.fileSink.log.cleanupDelay': { ...duration, default: '10min', meaning: 'age at which they are removed' },
  'spark.sql.streaming.fileSource.log.compactInterval': {
    ...wholeNumber(1),
    default: '10',
    meaning: 'entries of the log of files seen between two compactions',
  },
  'spark.sql.streaming.fileSource.log.deletion': {
    ...flag,
    default: 'true',
    meaning: 'remove entries of that log that a compaction holds',
  },
  'spark.sql.streaming.fileSource.log.cleanupDelay': { ...duration, default: '10min', meaning: 'age at which they are removed' },
  'millrace.keyGroups': { ...wholeNumber(1), default: '128', meaning: 'key groups of a new checkpoint; fixed for its life' },
  'millrace.stateStore.changelogTailBytes': {
    ...wholeNumber(1),
    default: String(16 * 1024 * 1024),
    meaning: 'bytes of changelog (and half of the state) after which a snapshot is taken early',
  },
  'millrace.leaseDuration': {
    ...duration,
    default: '30s',
    meaning: 'how long a run on another machine is taken to be alive after its last sign of life',
  },
}

/** Checked configuration of one engine. */
export class Conf {
  readonly #values: ReadonlyMap<string, string>
  /** InvalidQueryError for an unknown key (with the nearest known) or a value that the key does not take. */
  constructor(given: Readonly<Record<string, string | number | boolean>>) {
    for (const [key, value] of Object.entries(given)) checkKey(key, String(value))
    this.#values = new Map(Object.entries(given).map(([key, value]) => [key, String(value)]))
  }
  /** The value or its default; undefined for a key that does not exist. */
  get(key: string): string | undefined {
    return this.#values.get(key) ?? confKeys[key]?.default
  }
  text(key: string): string {
    return this.get(key)!
  }
  number(key: string): number {
    return Number(this.text(key))
  }
  flag(key: string): boolean {
    return this.text(key) === 'true'
  }
  durationMs(key: string): number {
    return durationMs(this.text(key))!
  }
}

function checkKey(key: string, value: string): void {
  const known = confKeys[key]
  if (!known) {
    const near = nearest(key, Object.keys(confKeys))
    throw new InvalidQueryError('SQL_CONF_NOT_FOUND', {
      what: `the engine has no configuration "${key}"`,
      todo:
        near.length > 0
          ? `did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`
          : 'leave it out; docs/configuration lists what there is',
    })
  }
  if (known.check(value)) return
  throw new InvalidQueryError('INVALID_CONF_VALUE', {
    what: `"${key}" was set to "${value}", which is not ${known.expected}`,
    todo: `give ${known.expected} (default ${known.default || 'none'}): ${known.meaning}`,
  })
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** Spark's time strings: a whole number with us, ms, s, m or min, h, d; without a unit milliseconds. Null for anything else. */
export function durationMs(value: string): number | null {
  const match = /^\s*(\d+)\s*(ms|s|m|min|h|d)?\s*$/.exec(value)
  return match ? Number(match[1]) * unitsMs[match[2] ?? 'ms']! : null
}
