import { bytes, type ConfTable, duration, flag, jsonObject, optional, wholeNumber, works } from './conf-key.ts'

/** What Spark has no key for. */
export const millraceKeys: ConfTable = {
  'millrace.targetBatchDuration': works(optional(duration), {
    default: '',
    meaning:
      'how long a batch should take: sources are limited so that batches stay near it; without a value the trigger interval, and no limit for a query that runs as fast as it can; 0 switches the limit off',
  }),
  'millrace.memoryLimit': works(optional(bytes), {
    default: '',
    meaning:
      'memory that the process should keep within: sources are limited so that batches fit, and DuckDB (which the engine opens once) gets six tenths of it; without a value DuckDB gets 80 % of the machine and sources are not limited by memory',
  }),
  'millrace.stateDefaults': works(optional(jsonObject), {
    default: '',
    meaning:
      'values for columns of the state that old rows lack, by name, as JSON: {"region": "eu"}; read when a changed query starts (docs/state-changes.md); without a value null',
  }),
  'millrace.readAhead': works(flag, {
    default: 'true',
    meaning:
      'with the trigger availableNow, queries with state over files read the rows of the next batch while they write the one before: less time, and the memory of two batches',
  }),
  'millrace.progressHistory.enabled': works(flag, {
    default: 'true',
    meaning: 'keep the progress of batches as JSON lines in the checkpoint',
  }),
  'millrace.progressHistory.maxFileBytes': works(bytes, { default: '4m', meaning: 'size at which a file of it is followed by the next' }),
  'millrace.progressHistory.maxFiles': works(wholeNumber(1, 1000), { default: '4', meaning: 'files of it that are kept' }),
  'millrace.checkpoint.retention': works(duration, {
    default: '7d',
    meaning:
      'how long batches stay restorable beyond spark.sql.streaming.minBatchesToRetain: their offsets in history/, and restore points of the state; 0 keeps neither',
  }),
  'millrace.checkpoint.restorePointInterval': works(duration, {
    default: '1d',
    meaning: 'within the retention, one version of the state stays loadable for each such stretch of time; 0 keeps none',
  }),
  'millrace.checkpoint.historyMaxBytes': works(bytes, {
    default: '1g',
    meaning: 'what history/ may hold at most; beyond it the oldest batches go before the retention ends',
  }),
}
