import { CorruptCheckpointError, InvalidQueryError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'

/** Spark's class names for how several watermarks become one, where state is held, and into how many parts. */
export const providerClassKey = 'spark.sql.streaming.stateStore.providerClass'
export const watermarkPolicyKey = 'spark.sql.streaming.multipleWatermarkPolicy'
export const shufflePartitionsKey = 'spark.sql.shuffle.partitions'
/** What `providerClassKey` may say, and which provider of ours it means. */
const stateProviders: Readonly<Record<string, 'memory' | 'rocksdb'>> = {
  memory: 'memory',
  rocksdb: 'rocksdb',
  'org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider': 'memory',
  'org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider': 'rocksdb',
}
export const providerNames: readonly string[] = Object.keys(stateProviders)
/** CorruptCheckpointError MALFORMED_PINNED_CONF where it is none. */
export function stateProviderOf(name: string): 'memory' | 'rocksdb' {
  const provider = stateProviders[name]
  if (provider !== undefined) return provider
  throw new CorruptCheckpointError('MALFORMED_PINNED_CONF', {
    what: `the newest offsets entry has ${providerClassKey} = ${JSON.stringify(name)}, which is none of ${providerNames.join(', ')}`,
    todo: 'restore the checkpoint from a backup, or run the query with the release that wrote it',
  })
}

/** Into how many groups the state's keys are cut. */
export const keyGroupsKey = 'millrace.keyGroups'
/** Hexadecimal; part of every key's identity. */
export const saltKey = 'millrace.salt'
/** The version of what functions mean: a query keeps the one that it began with. */
export const functionSemanticsKey = 'millrace.functionSemantics'
/** The zone of functions that take times apart or make them of text: what they gave is in the state, as keys and in accumulators. */
export const timeZoneKey = 'spark.sql.session.timeZone'

export const defaultKeyGroups = 128
export const functionSemantics = 1

/** Decided by the first start and kept for the checkpoint's life. */
const pinnedKeys = [providerClassKey, watermarkPolicyKey, timeZoneKey, keyGroupsKey, saltKey, functionSemanticsKey] as const
const millraceKeys = [keyGroupsKey, saltKey, functionSemanticsKey] as const
/** What a checkpoint of Spark that is silent about a key was run with. */
const sparkDefaults: Readonly<Record<string, string>> = { [watermarkPolicyKey]: 'min' }

export interface PinnedConf {
  /** Goes into every offsets entry of this run: all that was there (Spark's other keys too), and what this run adds. */
  readonly conf: Readonly<Record<string, string>>
  /** What was asked for and is not so, because the checkpoint says otherwise: worth a warning. */
  readonly differences: readonly { readonly key: string; readonly pinned: string; readonly requested: string }[]
}

/** 16 random bytes for `millrace.salt`. */
export function newSalt(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex')
}

/**
 * What holds for this run: what the newest offsets entry (`existing`) pins, else what is `requested`. The number of partitions is only
 * recorded: it may change at any restart. `requested` must have a salt (`newSalt`) and may leave out whatever has a default.
 * InvalidQueryError INVALID_PARTITIONS; CorruptCheckpointError MALFORMED_PINNED_CONF, UNSUPPORTED_FUNCTION_SEMANTICS.
 */
export function pinnedConf(
  existing: Readonly<Record<string, string>> | undefined,
  requested: Readonly<Record<string, string>>,
): PinnedConf {
  const wanted: Readonly<Record<string, string>> = {
    [keyGroupsKey]: String(defaultKeyGroups),
    [functionSemanticsKey]: String(functionSemantics),
    ...requested,
  }
  const pinned: Record<string, string> = existing === undefined ? {} : { ...sparkDefaults, ...existing }
  if (existing) checkPinned(existing)
  const conf = { ...wanted, ...pinned }
  if (requested[shufflePartitionsKey] !== undefined) conf[shufflePartitionsKey] = requested[shufflePartitionsKey]
  checkPartitions(conf)
  const differences = pinnedKeys.flatMap((key) => {
    const [is, asked] = [conf[key], requested[key]]
    // nobody asks for a certain salt
    return key === saltKey || is === undefined || asked === undefined || isSame(key, is, asked)
      ? []
      : [{ key, pinned: is, requested: asked }]
  })
  return { conf, differences }
}

/** A provider goes by several names. */
function isSame(key: string, a: string, b: string): boolean {
  return a === b || (key === providerClassKey && stateProviders[a] !== undefined && stateProviders[a] === stateProviders[b])
}

/** Millrace writes its three keys together; a checkpoint of Spark has none of them. */
function checkPinned(existing: Readonly<Record<string, string>>): void {
  const there = millraceKeys.filter((key) => existing[key] !== undefined)
  if (there.length === 0) return
  const wrong = millraceKeys.find((key) => !(key === saltKey ? /^([0-9a-f]{2})+$/ : /^[1-9]\d{0,8}$/).test(existing[key] ?? ''))
  if (wrong !== undefined) {
    throw new CorruptCheckpointError('MALFORMED_PINNED_CONF', {
      what: `the newest offsets entry has ${wrong} = ${existing[wrong] === undefined ? 'nothing' : JSON.stringify(existing[wrong])}`,
      todo: 'restore the checkpoint from a backup; state can only be read with the value that it was written with',
    })
  }
  if (Number(existing[functionSemanticsKey]) > functionSemantics) {
    throw new CorruptCheckpointError('UNSUPPORTED_FUNCTION_SEMANTICS', {
      what: `the checkpoint was begun with version ${existing[functionSemanticsKey]} of what functions mean, this program knows up to ${functionSemantics}`,
      todo: 'run the query with the release that wrote the checkpoint, or a later one',
    })
  }
}

function checkPartitions(conf: Readonly<Record<string, string>>): void {
  const partitions = conf[shufflePartitionsKey]
  if (partitions === undefined || (/^[1-9]\d*$/.test(partitions) && Number(partitions) <= Number(conf[keyGroupsKey]))) return
  throw new InvalidQueryError('INVALID_PARTITIONS', {
    what: `${shufflePartitionsKey} is ${partitions}, and the checkpoint has ${conf[keyGroupsKey]} key groups`,
    todo: `set it to a whole number from 1 to ${conf[keyGroupsKey]}; only a new checkpoint takes another ${keyGroupsKey}`,
  })
}
