import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { checkQueryKey } from './conf.ts'

/** The options of `writeStream`, by whom they concern. */
export interface QueryOptions {
  readonly checkpointLocation: string | undefined
  readonly takeover: boolean
  /** Configuration of this query alone. */
  readonly conf: Readonly<Record<string, string>>
  /** All others: the sink's. */
  readonly sink: Readonly<Record<string, string>>
}

const ownOptions = [
  'checkpointLocation',
  'takeover',
  'targetBatchDuration',
  'memoryLimit',
  'stateDefaults',
  'asyncProgressTrackingEnabled',
  'asyncProgressTrackingCheckpointIntervalMs',
]
/** Options that are a short name for a key. */
const keysOfOptions: Readonly<Record<string, string>> = {
  targetBatchDuration: 'millrace.targetBatchDuration',
  memoryLimit: 'millrace.memoryLimit',
  stateDefaults: 'millrace.stateDefaults',
}

/** Takes the query's own options out of those that were given; a whole key (`spark.…`, `millrace.…`) is configuration of this query. InvalidQueryError. */
export function queryOptions(given: Readonly<Record<string, string>>): QueryOptions {
  const own: Record<string, string> = {}
  const conf: Record<string, string> = {}
  const sink: Record<string, string> = {}
  for (const [name, value] of Object.entries(given)) {
    const option = ownOptions.find((each) => each.toLowerCase() === name.toLowerCase())
    if (option !== undefined) own[option] = value
    else if (/^(spark|millrace)\./.test(name)) conf[name] = value
    else sink[name] = value
  }
  for (const key of Object.keys(conf)) checkQueryKey(key)
  const options = new Options('the query', own, ownOptions)
  if (options.flag('asyncProgressTrackingEnabled', false)) {
    throw new InvalidQueryError('UNSUPPORTED_OPTION', {
      what: 'the query was given asyncProgressTrackingEnabled = true: a log that is written late repeats batches after a crash',
      todo: 'leave it out; an entry of the log costs less than a millisecond here',
    })
  }
  for (const [option, key] of Object.entries(keysOfOptions)) if (own[option] !== undefined) conf[key] ??= own[option]
  return { checkpointLocation: own['checkpointLocation'] || undefined, takeover: options.flag('takeover', false), conf, sink }
}
