import { availableParallelism } from 'node:os'
import { type ConfTable, duration, fixed, flag, idle, idleStatic, oneOf, refused, text, wholeNumber, works } from './conf-key.ts'

const noContinuous = 'there is no continuous trigger here'
const noRealTime = 'there is no real-time trigger here'
const noUi =
  'there is no web page of Spark here; progress is in listeners, in `query.recentProgress` and in the progress history of the checkpoint'

/** How queries run: `spark.sql.streaming.*` without state and files. */
export const streamingKeys: ConfTable = {
  'spark.sql.shuffle.partitions': works(wholeNumber(1), {
    default: String(availableParallelism()),
    defaultText: 'cores of the machine',
    meaning: 'partitions of the state; may change at any restart, at most millrace.keyGroups',
  }),
  'spark.sql.streaming.checkpointLocation': works(text, {
    default: '',
    meaning: 'folder under which each query without a checkpointLocation of its own gets one',
  }),
  'spark.sql.streaming.forceDeleteTempCheckpointLocation': works(flag, {
    default: 'false',
    meaning: 'remove a temporary checkpoint after a failure too',
  }),
  'spark.sql.streaming.pollingDelay': works(duration, {
    default: '10ms',
    meaning: 'pause between two looks at sources that had nothing new',
  }),
  'spark.sql.streaming.noDataMicroBatches.enabled': works(flag, {
    default: 'true',
    meaning: 'run a batch without data where the watermark has moved and state can be evicted',
  }),
  'spark.sql.streaming.noDataProgressEventInterval': works(duration, {
    default: '10s',
    meaning: 'least time between two progresses or idle events while there is nothing to do',
  }),
  'spark.sql.streaming.minBatchesToRetain': works(wholeNumber(1), {
    default: '100',
    meaning: 'batches whose log entries and state versions are kept (millrace.checkpoint.retention keeps more, in other forms)',
  }),
  'spark.sql.streaming.multipleWatermarkPolicy': works(oneOf('min', 'max'), {
    default: 'min',
    meaning: 'how several watermarks become one',
    isPinned: true,
  }),
  'spark.sql.streaming.numRecentProgressUpdates': works(wholeNumber(1), { default: '100', meaning: 'length of recentProgress' }),
  'spark.sql.streaming.stopTimeout': works(duration, {
    default: '0',
    meaning: 'how long `query.stop()` waits before it fails with QUERY_STOP_TIMEOUT; 0 waits until the query has ended',
  }),
  'spark.sql.streaming.stopActiveRunOnRestart': works(flag, {
    default: 'false',
    meaning: 'a start on a checkpoint that a query of this engine runs on stops (drains) that one first; Spark has true',
  }),
  'spark.sql.streaming.flatMapGroupsWithState.skipEmittingInitialStateKeys': works(flag, {
    default: 'false',
    meaning:
      '(flat)mapGroupsWithState is not called for keys that have an initial state and no rows in the first batch; they keep that state',
  }),
  'spark.sql.streaming.streamingQueryListeners': refused(
    'Spark makes objects of these class names; here a listener is an object: `engine.streams.addListener(listener)`',
  ),
  'spark.sql.streaming.metricsEnabled': fixed('false', 'there is no Dropwizard or JMX; use a StreamingQueryListener'),
  'spark.sql.streaming.disabledV2Writers': idle('a sink has one version here'),
  'spark.sql.streaming.disabledV2MicroBatchReaders': idle('a source has one version here'),
  'spark.sql.streaming.validateEventTimeWatermarkColumn': fixed('true', 'a watermark on a column that is no time is always refused'),
  'spark.sql.streaming.unsupportedOperationCheck': fixed('true', 'a query that cannot give right results is always refused'),
  'spark.sql.streaming.triggerAvailableNowWrapper.enabled': idle('a source that cannot freeze runs as one batch'),
  'spark.sql.streaming.statefulOperator.allowMultiple': fixed(
    'true',
    'several stateful operators are allowed where their results are right',
  ),
  'spark.sql.streaming.statefulOperator.checkCorrectness.enabled': fixed(
    'true',
    'a query whose rows a later operator would drop as late is always refused',
  ),
  'spark.sql.streaming.statefulOperator.useStrictDistribution': idle('the rows of a key always meet in one place'),
  'spark.sql.streaming.queryEvolution.enableSourceEvolution': idle(
    'named sources may be added, removed and put in another order without it',
  ),
  'spark.sql.streaming.queryEvolution.enableSinkEvolution': idle('the sink may change without it, where a restart may change it'),
  'spark.sql.streaming.asyncLogPurge.enabled': idle('old entries of the logs are removed while the batch reads its rows'),
  'spark.sql.streaming.metadataCache.enabled': idle('the newest entries of the logs are always held in memory'),
  'spark.sql.streaming.offsetLog.formatVersion': idle('the offset log is written in version 2, and versions 1 and 2 are read'),
  'spark.sql.streaming.verifyCheckpointDirectoryEmptyOnStart': fixed(
    'true',
    'what is left of another query in a checkpoint is always refused',
  ),
  'spark.sql.streaming.checkpoint.verifyMetadataExists.enabled': fixed('true', 'logs without their metadata are always refused'),
  'spark.sql.streaming.checkpoint.escapedPathCheck.enabled': idle('paths are never escaped'),
  'spark.sql.streaming.checkpoint.fileChecksum.*': idle('every entry and file of a checkpoint carries its checksum'),
  'spark.sql.streaming.checkpointFileManagerClass': idle('files are made by `link`, and durable before they have their name'),
  'spark.sql.streaming.continuous.*': idle(noContinuous),
  'spark.sql.streaming.realTimeMode.*': idle(noRealTime),
  'spark.sql.streaming.ui.*': idleStatic(noUi),
  'spark.sql.streaming.sessionWindow.merge.sessions.in.local.partition': idle(
    'the sessions of a batch are always merged before they meet the state',
  ),
  'spark.sql.streaming.optimizeOneRowPlan.*': idle('plans are made by Millrace and DuckDB'),
  'spark.sql.streaming.commitProtocolClass': idle('the output log is the only way in which files are committed'),
  'spark.sql.streaming.checkUnfinishedRepartitionOnRestart': idle('the number of partitions changes without a rewrite of the state'),
  'spark.sql.streaming.checkpoint.renamedFileCheck.enabled': idle('files are made by `link`, and durable before they have their name'),
  'spark.sql.streaming.kafka.*': idle('how offsets are read is up to the source'),
}
