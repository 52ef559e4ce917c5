import { type ConfTable, idle, idleStatic, refused } from './conf-key.ts'

const oneProcess = 'one process does the work; threads and memory are `millrace.local({ threads, memoryLimitBytes })`'
const noJvm = 'there is no Java virtual machine'
const noWire = 'nothing crosses a network between parts of a query'
const noUi = 'there is no web page of Spark here'
const logs = 'what Spark logs through log4j is told to listeners and printed'
const objectStores = 'files are those of this machine'

/** What a production job sets for the cluster that it ran on. One machine has no use for it. */
export const clusterKeys: ConfTable = Object.fromEntries(
  (
    [
      [
        oneProcess,
        'executor executorEnv driver cores task scheduler dynamicAllocation deploy submit stage locality speculation excludeOnFailure',
      ],
      [oneProcess, 'kubernetes yarn mesos standalone worker master barrier resources rapids decommission'],
      [noJvm, 'serializer kryo kryoserializer jars pyspark python r files archives plugins'],
      [noWire, 'shuffle reducer rpc network port ssl authenticate io broadcast maxRemoteBlockSizeFetchToMem'],
      [oneProcess, 'memory storage cleaner rdd default checkpoint locality stopExecutors'],
      [noUi, 'ui eventLog history metrics'],
      [logs, 'log logConf'],
      [oneProcess, 'app buffer dstream redaction acls admin modify user'],
    ] as const
  ).flatMap(([reason, names]) => names.split(' ').flatMap((name) => [[`spark.${name}.*`, idleStatic(reason)]])),
)

/** Of those, what is one key and no family, or means something else. */
export const clusterSingles: ConfTable = {
  'spark.master': idleStatic(oneProcess),
  'spark.serializer': idleStatic(noJvm),
  'spark.jars': idleStatic(noJvm),
  'spark.files': idleStatic(noJvm),
  'spark.archives': idleStatic(noJvm),
  'spark.plugins': idleStatic(noJvm),
  'spark.speculation': idleStatic(oneProcess),
  'spark.authenticate': idleStatic(noWire),
  'spark.logConf': idleStatic(logs),
  'spark.eventLog.*': idleStatic(noUi),
  'spark.local.dir': idleStatic('work that does not fit into memory goes to `millrace.local({ temporaryFolder })`'),
  'spark.localProperties.*': idleStatic(oneProcess),
  'spark.hadoop.*': idle(objectStores),
  'spark.hadoopRDD.*': idle(objectStores),
  'spark.databricks.*': idle(objectStores),
  'spark.delta.*': idle(objectStores),
  'spark.streaming.*': idle('these are of the older DStreams'),
  'spark.kafka.*': idle('they size the caches of executors; a query keeps its own connections to the brokers'),
  'spark.extraListeners': refused('Spark makes objects of these class names; here use `engine.streams.addListener(listener)`'),
}
