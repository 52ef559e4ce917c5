import { type ConfTable, duration, fixed, idle, oneOf, wholeNumber, works } from './conf-key.ts'

const ownForm = 'state is written as typed columns under a checksum (docs/formats.md) whatever this says'
const maintained = 'snapshots follow spark.sql.streaming.stateStore.maintenanceInterval and millrace.stateStore.changelogTailBytes'
const memoryStore = 'these tune the RocksDB of Spark, and this state is held in memory'

/** Where and how state is kept. */
export const stateKeys: ConfTable = {
  'spark.sql.streaming.stateStore.providerClass': works(
    oneOf('memory', 'org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider'),
    { default: 'memory', meaning: 'where state is held while the query runs', isPinned: true },
  ),
  'spark.sql.streaming.stateStore.maintenanceInterval': works(duration, {
    default: '1min',
    meaning: 'time between two snapshots of changed state',
  }),
  'spark.sql.streaming.stateStore.stateSchemaCheck': fixed('true', 'state that has another schema than the query is always refused'),
  'spark.sql.streaming.stateStore.skipNullsForStreamStreamJoins.enabled': fixed(
    'false',
    'rows with a null key are kept, as Spark does unless told otherwise',
  ),
  'spark.sql.streaming.stateStore.encodingFormat': idle(ownForm),
  'spark.sql.streaming.stateStore.compression.codec': idle(ownForm),
  'spark.sql.streaming.stateStore.checkpointFormatVersion': idle(ownForm),
  'spark.sql.streaming.stateStore.rowChecksum.*': idle(ownForm),
  'spark.sql.streaming.stateStore.formatValidation.*': idle(ownForm),
  'spark.sql.streaming.stateStore.commitValidation.*': idle('a batch commits all of its state or does not count'),
  'spark.sql.streaming.stateStore.autoSnapshotRepair.*': idle('a damaged snapshot is named and nothing is guessed'),
  'spark.sql.streaming.stateStore.minDeltasForSnapshot': idle(maintained),
  'spark.sql.streaming.stateStore.snapshotToCleanupThreadRatio': idle(maintained),
  'spark.sql.streaming.stateStore.numStateStoreMaintenanceThreads': idle(maintained),
  'spark.sql.streaming.stateStore.numStateStoreInstanceMetricsToReport': idle('the state of an operator is one store'),
  'spark.sql.streaming.stateStore.unloadOnCommit': idle('state stays where it is between batches'),
  'spark.sql.streaming.stateStore.coordinatorReportSnapshotUploadLag*': idle('one process has no coordinator'),
  'spark.sql.streaming.stateStore.valueStateSchemaEvolutionThreshold': idle('versions of a schema are not limited in number'),
  'spark.sql.streaming.stateStore.maxNumStateSchemaFiles': idle('versions of a schema are not limited in number'),
  'spark.sql.streaming.stateStore.rocksdb.*': idle(memoryStore),
  'spark.sql.streaming.maxBatchesToRetainInMemory': idle('the newest version of the state is the one in memory'),
  'spark.sql.streaming.numStateStoreMaintenanceThreads': idle(maintained),
  'spark.sql.streaming.ratioExtraSpaceAllowedInCheckpoint': idle(maintained),
  'spark.sql.streaming.transformWithState.*': idle(ownForm),
  'spark.sql.streaming.aggregation.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.flatMapGroupsWithState.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.join.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.sessionWindow.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.internal.*': idle(ownForm),
  'millrace.keyGroups': works(wholeNumber(1), { default: '128', meaning: 'key groups of a new checkpoint', isPinned: true }),
  'millrace.stateStore.changelogTailBytes': works(wholeNumber(1), {
    default: String(16 * 1024 * 1024),
    meaning: 'bytes of changelog (and half of the state) after which a snapshot is taken early',
  }),
  'millrace.leaseDuration': works(duration, {
    default: '30s',
    meaning: 'how long a run on another machine is taken to be alive after its last sign of life',
  }),
}
