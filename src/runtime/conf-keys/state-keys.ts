import { providerNames } from '../../checkpoint/pinned-conf.ts'
import { bytes, type ConfTable, duration, fixed, idle, oneOf, optional, ratio, text, wholeNumber, works } from './conf-key.ts'

const ownForm = 'state is written as typed columns under a checksum (docs/formats.md) whatever this says'
const maintained = 'snapshots follow spark.sql.streaming.stateStore.maintenanceInterval and millrace.stateStore.changelogTailBytes'
const budget = 'the memory of spark.sql.streaming.stateStore.rocksdb.maxMemoryUsageMB is divided as writeBufferCacheRatio says'
const binding = 'the binding of RocksDB has no such setting'

/** Where and how state is kept. */
export const stateKeys: ConfTable = {
  'spark.sql.streaming.stateStore.providerClass': works(oneOf(...providerNames), {
    default: 'memory',
    meaning: 'where state is held while the query runs; `millrace state move` changes it',
    isPinned: true,
  }),
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
  'spark.sql.streaming.stateStore.maxVersionsToDeletePerMaintenance': idle(maintained),
  'spark.sql.streaming.stateStore.maintenanceProcessingTimeout': idle(maintained),
  'spark.sql.streaming.stateStore.maintenanceShutdownTimeout': idle(maintained),
  'spark.sql.streaming.stateStore.maintenanceForceShutdownTimeout': idle(maintained),
  'spark.sql.streaming.stateStore.forceSnapshotUploadOnLag': idle(maintained),
  'spark.sql.streaming.stateStore.fileChecksumThreadPoolSize': idle('every entry and file of a checkpoint carries its checksum'),
  'spark.sql.streaming.stateStore.unloadOnCommit': idle('state stays where it is between batches'),
  'spark.sql.streaming.stateStore.coordinatorReportSnapshotUploadLag*': idle('one process has no coordinator'),
  'spark.sql.streaming.stateStore.snapshotLagReportInterval': idle('one process has no coordinator'),
  'spark.sql.streaming.stateStore.maxLaggingStoresToReport': idle('one process has no coordinator'),
  'spark.sql.streaming.stateStore.multiplierForMin*': idle('one process has no coordinator'),
  'spark.sql.streaming.stateStore.valueStateSchemaEvolutionThreshold': idle('versions of a schema are not limited in number'),
  'spark.sql.streaming.stateStore.maxNumStateSchemaFiles': idle('versions of a schema are not limited in number'),
  'spark.sql.streaming.stateStore.rocksdb.maxMemoryUsageMB': works(optional(wholeNumber(8)), {
    default: '',
    meaning:
      "megabytes that the RocksDB of a query may take: block cache, write buffers, and (a quarter) rows kept in memory between batches; without a value a fifth of millrace.memoryLimit, else Spark's 500",
  }),
  'spark.sql.streaming.stateStore.rocksdb.writeBufferCacheRatio': works(ratio, {
    default: '0.5',
    meaning: 'the part of the memory of RocksDB that write buffers may take',
  }),
  'spark.sql.streaming.stateStore.rocksdb.blockSizeKB': works(wholeNumber(1, 4096), {
    default: '4',
    meaning: 'kilobytes of a block of its files',
  }),
  'spark.sql.streaming.stateStore.rocksdb.boundedMemoryUsage': fixed('true', 'memory is always bounded'),
  'spark.sql.streaming.stateStore.rocksdb.trackTotalNumberOfRows': fixed('true', 'rows are counted anyway'),
  'spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled': idle('a batch writes its changelog, with any provider'),
  'spark.sql.streaming.stateStore.rocksdb.blockCacheSizeMB': idle(budget),
  'spark.sql.streaming.stateStore.rocksdb.writeBufferSizeMB': idle(budget),
  'spark.sql.streaming.stateStore.rocksdb.maxWriteBufferNumber': idle(budget),
  'spark.sql.streaming.stateStore.rocksdb.highPriorityPoolRatio': idle(budget),
  'spark.sql.streaming.stateStore.rocksdb.compactOnCommit': idle('RocksDB compacts beside the batches'),
  'spark.sql.streaming.stateStore.rocksdb.lockAcquireTimeoutMs': idle('one run at a time owns the state'),
  'spark.sql.streaming.stateStore.rocksdb.maxOpenFiles': idle(binding),
  'spark.sql.streaming.stateStore.rocksdb.allowFAllocate': idle(binding),
  'spark.sql.streaming.stateStore.rocksdb.resetStatsOnLoad': idle('counts are those of the run'),
  'spark.sql.streaming.stateStore.rocksdb.compression': idle(
    'rows are not compressed: they are written and read often, and stay on the machine',
  ),
  'spark.sql.streaming.stateStore.rocksdb.formatVersion': idle(
    'the files of RocksDB are a cache of this machine and never read by another release',
  ),
  'spark.sql.streaming.stateStore.rocksdb.mergeOperatorVersion': idle('rows are merged before they go to RocksDB'),
  'spark.sql.streaming.stateStore.rocksdb.*': idle('this RocksDB has no such setting'),
  'spark.sql.streaming.maxBatchesToRetainInMemory': idle('the newest version of the state is the one in memory'),
  'spark.sql.streaming.numStateStoreMaintenanceThreads': idle(maintained),
  'spark.sql.streaming.ratioExtraSpaceAllowedInCheckpoint': idle(maintained),
  'spark.sql.streaming.transformWithState.*': idle(ownForm),
  'spark.sql.streaming.aggregation.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.flatMapGroupsWithState.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.join.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.join.stateFormatV4.enabled': idle(ownForm),
  'spark.sql.streaming.sessionWindow.stateFormatVersion': idle(ownForm),
  'spark.sql.streaming.internal.*': idle(ownForm),
  'millrace.keyGroups': works(wholeNumber(1), { default: '128', meaning: 'key groups of a new checkpoint', isPinned: true }),
  'millrace.stateStore.memoryLimit': works(optional(bytes), {
    default: '',
    meaning:
      'memory that state may take with the memory provider: the query warns at 70 % and 90 % of it and stops with STATE_STORE_MEMORY_LIMIT_REACHED; without a value four tenths of millrace.memoryLimit, else half of the memory of the machine or container',
  }),
  'millrace.stateStore.localFolder': works(text, {
    default: '',
    meaning:
      'where the RocksDB provider keeps its database, in a folder named by the query; without a value `local` in the checkpoint. It is a cache: a run that does not find it makes it anew',
  }),
  'millrace.stateStore.changelogTailBytes': works(wholeNumber(1), {
    default: String(16 * 1024 * 1024),
    meaning: 'bytes of changelog (and half of the state) after which a snapshot is taken early',
  }),
  'millrace.leaseDuration': works(duration, {
    default: '30s',
    meaning: 'how long a run on another machine is taken to be alive after its last sign of life',
  }),
}
