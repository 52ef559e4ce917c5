import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { binaryFileSchema } from '../data/file-options.ts'
import { Schema } from '../data/schema.ts'
import { bindings } from './bindings.ts'
import { Connection } from './connection.ts'
import { sqlError } from './errors.ts'
import { registerEstimate } from './estimate.ts'
import { withPartitions } from './infer-partitions.ts'
import { inferenceSelect, primitivesAsString, schemaOf } from './infer-schema.ts'
import { registerKernels } from './kernels/register.ts'
import { listTableFiles, partitionBases, partitionValues, tableListing } from './list-files.ts'
import { LoadedRows } from './loaded-rows.ts'
import { checkTableOptions, FormatOptions, fileFormat } from './options.ts'
import { RowCalls } from './row-calls.ts'
import { Session } from './session.ts'
import type { SqlBatch, SqlBatchParameters } from './sql-batch.ts'
import { SqlBatchRun } from './sql-batch-run.ts'

export interface SqlEngineOptions {
  /** Lists folders and reads logs; what DuckDB itself reads and writes are paths of the same file system. */
  readonly files: Files
  /** Worker threads (default: one a core). */
  readonly threads?: number
  /** Bytes that DuckDB may hold before it spills to `tempFolder` (default: 80 % of the machine's). */
  readonly memoryLimitBytes?: number
  /** Where it spills to (default: it does not spill). */
  readonly tempFolder?: string
}

/** Connections that are kept for batches to come. */
const keptConnections = 8

/** DuckDB within this process: one instance in memory, with a connection for each batch that runs. */
export class SqlEngine {
  readonly #database: Awaited<ReturnType<typeof bindings.open>>
  readonly #files: Files
  readonly #rows = new LoadedRows()
  readonly #calls: RowCalls
  readonly #open = new Set<Session>()
  /** Connections that wait for a batch; the one that was used last is used next. */
  readonly #idle: Connection[] = []
  #closed = false
  private constructor(database: Awaited<ReturnType<typeof bindings.open>>, files: Files, calls: RowCalls) {
    this.#database = database
    this.#calls = calls
    this.#files = files
  }

  static async open(options: SqlEngineOptions): Promise<SqlEngine> {
    const config = bindings.create_config()
    for (const [name, value] of Object.entries(settings(options))) bindings.set_config(config, name, value)
    const database = await bindings.open(':memory:', config)
    const engine = new SqlEngine(database, options.files, new RowCalls(await bindings.connect(database)))
    const connection = await bindings.connect(database)
    await bindings.query(connection, `SET GLOBAL TimeZone = 'UTC'`)
    engine.#rows.register(connection)
    registerEstimate(connection)
    registerKernels(connection)
    bindings.disconnect_sync(connection)
    return engine
  }

  /** A batch with its own connection; `close()` of the batch gives it back. Batches may run side by side. */
  async beginBatch(parameters: SqlBatchParameters): Promise<SqlBatch> {
    const session = await this.#session()
    return new SqlBatchRun(session, this.#files, parameters, () => this.#end(session))
  }

  /** The schema of files, read from them. */
  async inferSchema(
    format: string,
    paths: readonly string[],
    options: Readonly<Record<string, string>>,
    ignoresSinkLogs = false,
  ): Promise<Schema> {
    const name = fileFormat(format)
    checkTableOptions(name, options)
    const bases = partitionBases(paths, options)
    const files = await listTableFiles(this.#files, paths, tableListing(name, options, ignoresSinkLogs))
    if (files.length === 0 && name !== 'text' && name !== 'binaryfile') {
      throw new InvalidQueryError('UNABLE_TO_INFER_SCHEMA', {
        what: `there are no files in ${paths.join(', ')} to take a schema from`,
        todo: 'give the schema',
      })
    }
    if (name === 'binaryfile') return withPartitions(binaryFileSchema, partitionValues(files, bases))
    const session = await this.#session()
    try {
      const own = schemaOf(await session.run(inferenceSelect(name, files, options)), name, new FormatOptions(options).flag('header', false))
      const texts = name === 'json' && new FormatOptions(options).flag('primitivesAsString', false)
      const inferred = texts ? new Schema(own.fields.map((field) => ({ ...field, type: primitivesAsString(field.type) }))) : own
      return withPartitions(inferred, partitionValues(files, bases))
    } finally {
      await this.#end(session)
    }
  }

  /** Ends the batches that are still open, then DuckDB. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(Array.from(this.#open, (session) => this.#end(session)))
    for (const connection of this.#idle.splice(0)) connection.close()
    this.#calls.close()
    bindings.close_sync(this.#database)
  }

  async #session(): Promise<Session> {
    try {
      const connection = this.#idle.pop() ?? new Connection(await bindings.connect(this.#database), this.#rows, this.#calls)
      const session = new Session(connection)
      this.#open.add(session)
      return session
    } catch (error) {
      throw sqlError(error, 'connect')
    }
  }
  async #end(session: Session): Promise<void> {
    this.#open.delete(session)
    const connection = await session.close()
    if (connection === null) return
    if (this.#closed || this.#idle.length === keptConnections) connection.close()
    else this.#idle.push(connection)
  }
}

function settings({ threads, memoryLimitBytes, tempFolder }: SqlEngineOptions): Record<string, string> {
  return {
    ...(threads === undefined ? {} : { threads: String(threads) }),
    ...(memoryLimitBytes === undefined ? {} : { memory_limit: `${memoryLimitBytes}B` }),
    temp_directory: tempFolder ?? '',
    // rows come out in the order in which they lie in the files: what first, last and sinks show
    preserve_insertion_order: 'true',
    integer_division: 'false',
    // nothing is ever fetched from the network
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    // a file may be replaced under its name between two batches
    enable_external_file_cache: 'false',
  }
}
