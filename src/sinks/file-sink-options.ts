import { InvalidQueryError } from '../base/errors.ts'
import { Options } from '../base/options.ts'
import { boundOptions, fileBounds } from '../data/file-bounds.ts'
import { refusedWriteOptions, writeOptions } from '../data/file-options.ts'
import { absolutePath } from '../data/file-uri.ts'
import type { FileBounds, FileFormat } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { typeText } from '../data/types.ts'
import type { SinkContext } from './sink.ts'

export interface FileSinkOptions {
  readonly format: FileFormat
  /** The output folder, absolute. */
  readonly folder: string
  /** `.parquet`, `.json.gz` … */
  readonly ending: string
  /** Entries of the log older than this are left out at the next compaction; undefined keeps all. */
  readonly retentionMs: number | undefined
  /** Go on from the log of a query that left no id (Spark's, or one whose id was lost). */
  readonly adoptOutput: boolean
  readonly bounds: FileBounds | undefined
  /** Those that say how a file is written. */
  readonly formatOptions: Readonly<Record<string, string>>
}

/** Options of the query that every sink meets and none reads. */
export const queryOptions = ['checkpointLocation', 'takeover']

const sinkOptions = ['path', 'retention', 'adoptOutput']
const endings: Readonly<Record<FileFormat, string>> = { parquet: '.parquet', json: '.json', csv: '.csv', text: '.txt' }
const compressions: Readonly<Record<string, string>> = { gzip: '.gz', zstd: '.zst' }

/** Checks the options, the partition columns and the schema of a file sink. All errors are InvalidQueryError. */
export function fileSinkOptions(context: Pick<SinkContext, 'format' | 'options' | 'schema' | 'partitionBy'>): FileSinkOptions {
  const format = context.format.toLowerCase() as FileFormat
  const options = new Options(
    `the ${format} file sink`,
    context.options,
    [...queryOptions, ...sinkOptions, ...boundOptions, ...writeOptions[format]],
    refusedWriteOptions,
  )
  const folder = absolutePath(options.required('path', "start('out/') or .option('path', 'out/')"))
  checkPartitions(context.schema, context.partitionBy)
  if (format === 'text') checkText(context.schema, context.partitionBy)
  const compression = (options.text('compression') ?? '').toLowerCase()
  return {
    format,
    folder,
    ending: endings[format] + (format === 'parquet' ? '' : (compressions[compression] ?? '')),
    retentionMs: options.durationMs('retention'),
    adoptOutput: options.flag('adoptOutput', false),
    bounds: fileBounds(options),
    formatOptions: Object.fromEntries(
      writeOptions[format].flatMap((name) => {
        const value = options.text(name)
        return value === undefined ? [] : [[name, value]]
      }),
    ),
  }
}

function checkPartitions(schema: Schema, partitionBy: readonly string[]): void {
  const repeated = partitionBy.find((name, i) => partitionBy.indexOf(name) !== i)
  if (repeated !== undefined)
    throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', { what: `partitionBy names "${repeated}" twice`, todo: 'name each column once' })
  for (const name of partitionBy) {
    const type = schema.typeOf(name)
    if (type === undefined) {
      throw new InvalidQueryError('PARTITION_COLUMN_NOT_FOUND_IN_SCHEMA', {
        what: `partitionBy names "${name}", and the columns are ${schema.names.join(', ')}`,
        todo: 'name one of the columns',
      })
    }
    if (typeof type !== 'string' && type.kind !== 'decimal') {
      throw new InvalidQueryError('INVALID_PARTITION_COLUMN_DATA_TYPE', {
        what: `partitionBy names "${name}", which is a ${typeText(type)}`,
        todo: 'partition by a column of a simple type',
      })
    }
  }
  if (partitionBy.length > 0 && partitionBy.length === schema.fields.length) {
    throw new InvalidQueryError('ALL_PARTITION_COLUMNS_NOT_ALLOWED', {
      what: `partitionBy names every column (${partitionBy.join(', ')}), so the files would hold none`,
      todo: 'leave at least one column out of it',
    })
  }
}

function checkText(schema: Schema, partitionBy: readonly string[]): void {
  const written = schema.fields.filter((field) => !partitionBy.includes(field.name))
  if (written.length === 1 && written[0]!.type === 'string') return
  throw new InvalidQueryError('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE', {
    what: `a text file holds one column of strings, and these are ${written.map((field) => `${field.name} ${typeText(field.type)}`).join(', ')}`,
    todo: 'select a single string column, or write json',
  })
}
