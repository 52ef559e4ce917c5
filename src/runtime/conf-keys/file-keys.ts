import { type ConfTable, duration, fixed, flag, idle, wholeNumber, works } from './conf-key.ts'

const onTheReader = (option: string) => `set it where it is meant: .option('${option}', …) on the reader`
const onTheWriter = (option: string) => `set it where it is meant: .option('${option}', …) on the writer`
const duckReads = 'DuckDB reads and writes the files in its own way, with the same rows'

/** Files in and out. */
export const fileKeys: ConfTable = {
  'spark.sql.streaming.fileSink.log.compactInterval': works(wholeNumber(1), {
    default: '10',
    meaning: 'entries of an output log between two compactions',
  }),
  'spark.sql.streaming.fileSink.log.deletion': works(flag, {
    default: 'true',
    meaning: 'remove entries of an output log that a compaction holds',
  }),
  'spark.sql.streaming.fileSink.log.cleanupDelay': works(duration, { default: '10min', meaning: 'age at which they are removed' }),
  'spark.sql.streaming.fileSource.schema.forceNullable': fixed('true', 'a file may lack any column of the schema'),
  'spark.sql.streaming.fileSource.log.compactInterval': works(wholeNumber(1), {
    default: '10',
    meaning: 'entries of the log of files seen between two compactions',
  }),
  'spark.sql.streaming.fileSource.log.deletion': works(flag, {
    default: 'true',
    meaning: 'remove entries of that log that a compaction holds',
  }),
  'spark.sql.streaming.fileSource.log.cleanupDelay': works(duration, { default: '10min', meaning: 'age at which they are removed' }),
  'spark.sql.streaming.fileSource.cleaner.numThreads': idle('files are cleaned up by the process that read them'),
  'spark.sql.streaming.fileStreamSink.ignoreMetadata': works(flag, {
    default: 'false',
    meaning: 'list the output folder of a streaming query where it is read, and do not go by its log',
  }),
  'spark.sql.streaming.schemaInference': fixed('false', 'a stream of files needs its schema: .schema(…) on the reader'),
  'spark.sql.sources.default': fixed('parquet', 'name the format: .format(…)'),
  'spark.sql.sources.partitionColumnTypeInference.enabled': fixed(
    'true',
    'declare the partition columns in the schema where their types should be others',
  ),
  'spark.sql.sources.partitionOverwriteMode': fixed('static', 'an overwrite replaces the whole output'),
  'spark.sql.sources.*': idle(duckReads),
  'spark.sql.files.ignoreMissingFiles': fixed('false', onTheReader('ignoreMissingFiles')),
  'spark.sql.files.ignoreCorruptFiles': fixed('false', onTheReader('ignoreCorruptFiles')),
  'spark.sql.files.maxRecordsPerFile': fixed('0', onTheWriter('maxRecordsPerFile')),
  'spark.sql.files.*': idle('how a scan is cut into pieces is up to DuckDB'),
  'spark.sql.fileSource.*': idle(duckReads),
  'spark.sql.columnNameOfCorruptRecord': fixed('_corrupt_record', onTheReader('columnNameOfCorruptRecord')),
  'spark.sql.jsonGenerator.ignoreNullFields': fixed('true', onTheWriter('ignoreNullFields')),
  'spark.sql.parquet.compression.codec': fixed('snappy', onTheWriter('compression')),
  'spark.sql.parquet.mergeSchema': fixed('false', 'the schema is the one that the query gives'),
  'spark.sql.parquet.binaryAsString': fixed('false', "cast the column: col('c').cast('string')"),
  'spark.sql.parquet.outputTimestampType': fixed(['TIMESTAMP_MICROS', 'INT96'], 'timestamps are written in microseconds'),
  'spark.sql.parquet.*': idle(duckReads),
  'spark.sql.orc.*': idle('ORC is not read or written'),
  'spark.sql.avro.*': idle('Avro is not read or written'),
  'spark.sql.csv.*': idle(duckReads),
  'spark.sql.json.*': idle(duckReads),
  'spark.sql.xml.*': idle('XML is not read or written'),
}
