import { basename, dirname, join, resolve } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { Options } from '../base/options.ts'
import type { Random } from '../base/random.ts'
import { refuseDeltaWrite } from '../data/delta-folder.ts'
import { boundOptions, fileBounds } from '../data/file-bounds.ts'
import { refusedFormats, refusedWriteOptions, writeOptions } from '../data/file-options.ts'
import type { FileFormat } from '../data/row-set.ts'
import type { WriteBatch } from '../query/engine-port.ts'
import type { BatchRunner, BoundedSink, SinkProvider } from '../sinks/sink.ts'
import type { SqlEngine } from '../sql/sql-engine.ts'
import { rowWriter } from './row-writer.ts'

const endings: Readonly<Record<FileFormat, string>> = { parquet: 'parquet', json: 'json', csv: 'csv', text: 'txt' }

interface Environment {
  readonly files: Files
  readonly random: Random
  readonly clock: Clock
  readonly conf: { get(key: string): string | undefined }
  readonly sql: SqlEngine
  readonly sinkProviders: readonly SinkProvider[]
}

/** Writes a batch DataFrame: as files, or by the sink that the format names. InvalidQueryError DATA_SOURCE_NOT_FOUND, UNSUPPORTED_SAVE_MODE, PARTITION_BY_NOT_SUPPORTED. */
export async function writeBatch(write: WriteBatch, engine: BatchRunner, environment: Environment): Promise<void> {
  const format = write.format.toLowerCase()
  if (format in endings) return writeFiles(write, format as FileFormat, engine, environment)
  const providers = environment.sinkProviders.filter(({ bounded }) => bounded !== undefined)
  const provider = providers.find(({ formats }) => formats.includes(format))
  if (provider) return writeInto(provider, provider.bounded!, write, engine, environment)
  const missing = refusedFormats[format]
  throw new InvalidQueryError('DATA_SOURCE_NOT_FOUND', {
    what: `a batch can't be written with the format "${write.format}"`,
    todo: missing ?? `use one of ${[...Object.keys(endings), ...providers.flatMap(({ formats }) => formats)].join(', ')}`,
  })
}

function writeInto(
  provider: SinkProvider,
  sink: BoundedSink,
  write: WriteBatch,
  engine: BatchRunner,
  environment: Environment,
): Promise<void> {
  const { format, mode, options, partitionBy, path, plan } = write
  if (!sink.modes.includes(mode)) {
    throw new InvalidQueryError('UNSUPPORTED_SAVE_MODE', {
      what: `the format ${format} does not have the save mode ${mode}`,
      todo: `use ${sink.modes.map((each) => `mode('${each}')`).join(' or ')}`,
    })
  }
  if (partitionBy.length > 0 && !provider.heedsPartitionBy) {
    throw new InvalidQueryError('PARTITION_BY_NOT_SUPPORTED', {
      what: `the format ${format} has no partitions, and partitionBy(${partitionBy.join(', ')}) was called`,
      todo: 'leave partitionBy out, or write files',
    })
  }
  const { files, clock, random, conf } = environment
  return sink.write({
    format,
    mode,
    schema: plan.schema,
    options: path === undefined ? options : { ...withoutPath(options), path },
    partitionBy,
    files,
    clock,
    random,
    conf: (key) => conf.get(key),
    withRows: (use) => engine.runBatch(plan, use),
    engine,
    plan,
    writeRows: rowWriter(environment),
  })
}
function withoutPath(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(options).filter(([name]) => name.toLowerCase() !== 'path'))
}

/**
 * Writes a batch DataFrame as files: new part files first, durably, each under its name only when it is whole; with `overwrite` the old
 * ones are removed after that, so that a failure leaves the old rows (perhaps beside some new files without a `_SUCCESS` marker) and never none.
 * InvalidQueryError PATH_ALREADY_EXISTS where the mode is errorifexists and the folder has files.
 */
async function writeFiles(write: WriteBatch, format: FileFormat, engine: BatchRunner, { files, random }: Environment): Promise<void> {
  if (write.path === undefined) {
    throw new InvalidQueryError('MISSING_PATH', { what: 'save() was given no path', todo: "write save('out/'), or option('path', 'out/')" })
  }
  const options = new Options(
    `the ${format} writer`,
    write.options,
    ['path', ...boundOptions, ...writeOptions[format]],
    refusedWriteOptions,
  )
  const bounds = fileBounds(options)
  const folder = resolve(write.path)
  const old = await filesBelow(files, folder)
  if (old.length > 0 && write.mode === 'ignore') return
  if (old.length > 0 && write.mode === 'errorifexists') {
    throw new InvalidQueryError('PATH_ALREADY_EXISTS', {
      what: `${folder} already holds ${old.length} files`,
      todo: "choose another folder, or say .mode('append') or .mode('overwrite')",
    })
  }
  if ((await files.list(join(folder, '_spark_metadata'))).length > 0) {
    throw new InvalidQueryError('SINK_OWNED_BY_ANOTHER_QUERY', {
      what: `${folder} is the output of a streaming query, whose log (_spark_metadata) says which files count`,
      todo: 'write into another folder: these rows would not be read, and an overwrite would take the log away. Where the query is done with, remove the folder first',
    })
  }
  await refuseDeltaWrite(folder, format, files)
  await files.makeFolder(folder)
  const id = random.uuid()
  // hidden until it is whole: a stream over the folder must not find half a file
  const fileName = (index: number) => `.part-${String(index).padStart(5, '0')}-${id}.${endings[format]}`
  const written = await engine.runBatch(write.plan, (rows) =>
    rows.writeFiles({ format, folder, fileName, partitionBy: write.partitionBy, options: write.options, ...(bounds && { bounds }) }),
  )
  const paths = written.map((file) => join(folder, file.path))
  await files.sync(paths)
  for (const path of paths) await files.move(path, join(dirname(path), basename(path).slice(1)))
  if (write.mode === 'overwrite') for (const path of old) await files.delete(path)
  await files.replace(join(folder, '_SUCCESS'), '')
}

/** All files below a folder, folders' own names left out. */
async function filesBelow(files: Files, folder: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await files.list(folder)) {
    if (entry.isDirectory) found.push(...(await filesBelow(files, entry.path)))
    else found.push(entry.path)
  }
  return found
}
