import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { settingsOf } from '../base/arguments.ts'
import type { Clock } from '../base/clock.ts'
import { systemClock } from '../base/clock.ts'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { type Random, systemRandom } from '../base/random.ts'
import { nearest } from '../base/suggest.ts'
import type { ProcessIdentity } from '../checkpoint/process-identity.ts'
import { ignoreMetadataKey } from '../data/file-sink-log.ts'
import type { RowSet } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import type { UserFunction } from '../data/user-function.ts'
import { rowsToColumns } from '../data/values.ts'
import { localRelation } from '../plan/analyze.ts'
import { isStreaming, type LogicalPlan, type OutputMode } from '../plan/logical-plan.ts'
import { optimize } from '../plan/rules.ts'
import { explainBatchPlan, explainStreamingPlan } from '../planner/explain-physical.ts'
import { planBatch, planStreaming } from '../planner/streaming.ts'
import type { EnginePort, HeldTables, ResolvedTable, StartQuery, View, WriteBatch } from '../query/engine-port.ts'
import { ownRun } from '../query/own-run.ts'
import { StreamingQueryManager } from '../query/query-manager.ts'
import type { StepObserver } from '../query/steps.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import type { MemoryTables } from '../sinks/memory-sink.ts'
import { sinkProviders } from '../sinks/providers.ts'
import type { SinkProvider } from '../sinks/sink.ts'
import type { SourceProvider } from '../sources/provider.ts'
import { sourceProviders } from '../sources/providers.ts'
import { SqlEngine } from '../sql/sql-engine.ts'
import { boundedOf } from './bounded-tables.ts'
import { EngineConf } from './engine-conf.ts'
import { explainQuery } from './explained-query.ts'
import { withFileErrors } from './failure.ts'
import { findProvider, sourceAbilities } from './find-provider.ts'
import { NamedRelations } from './named-relations.ts'
import { planQuery } from './plan-query.ts'
import { holdRows, runBatch } from './run-batch.ts'
import { type QueryEnvironment, startQuery } from './start-query.ts'
import { resolveStateTable } from './state-tables.ts'
import { writeBatch } from './write-batch.ts'

/** How `millrace.local()` sets up its engine. */
export interface LocalOptions {
  /** Configuration under Spark's keys: docs/configuration.md. */
  readonly conf?: Readonly<Record<string, string | number | boolean>>
  /** DuckDB's threads (default: all cores). */
  readonly threads?: number
  /** What DuckDB may use, in bytes (default: six tenths of millrace.memoryLimit, else 80 % of the machine's memory). Beyond it, work goes to disk. */
  readonly memoryLimitBytes?: number
  /** Where work that does not fit into memory goes (default: a folder of this engine's below the system's temporary one, made when it is needed). */
  readonly temporaryFolder?: string
  /** Sources and sinks besides the built-in ones. */
  readonly sources?: readonly SourceProvider[]
  readonly sinks?: readonly SinkProvider[]
  /** Supersede runs that hold the checkpoints of the queries started here (default: MILLRACE_TAKEOVER=true in the environment). */
  readonly takeover?: boolean
  /** Tests: time, chance and the file system. */
  readonly clock?: Clock
  readonly random?: Random
  readonly files?: Files
  /** Where notices and the console sink print (default: standard output). */
  readonly print?: (text: string) => void
  /** Tests: who this process is, and who else is alive (fencing). */
  readonly processIdentity?: ProcessIdentity
  /** Tests: is told of each durable step of each batch of each query (millrace/testing has observers that end the process there). */
  readonly observeStep?: StepObserver
}

/** DuckDB's part of the memory that the process may hold: the rest is for state, rows that cross into JavaScript, and Node itself. */
const sqlMemoryShare = 0.6
function shareOf(bytes: number | undefined): number | undefined {
  return bytes === undefined ? undefined : Math.floor(bytes * sqlMemoryShare)
}

let engineCount = 0
/** The local engine: one process, DuckDB for the rows. */
export class LocalEngine implements EnginePort {
  readonly streams: StreamingQueryManager
  readonly userFunctions = new Map<string, UserFunction>()
  readonly views = new Map<string, View>()
  /** May change while the engine runs; a query keeps what stood when it started. */
  readonly runtimeConf: EngineConf
  readonly #environment: Omit<QueryEnvironment, 'conf'>
  private constructor(conf: EngineConf, environment: Omit<QueryEnvironment, 'conf'>) {
    this.runtimeConf = conf
    this.#environment = environment
    this.streams = environment.manager
  }

  static async open(options: LocalOptions = {}): Promise<LocalEngine> {
    checkOptions(options)
    const print = options.print ?? ((line: string) => console.log(line))
    const conf = new EngineConf(options.conf ?? {}, print)
    const memoryLimitBytes = options.memoryLimitBytes ?? shareOf(conf.current.bytes('millrace.memoryLimit'))
    const files = options.files ?? new LocalFiles()
    const sql = await SqlEngine.open({
      files,
      ...(options.threads === undefined ? {} : { threads: options.threads }),
      ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
      tempFolder: options.temporaryFolder ?? join(tmpdir(), `millrace-${process.pid}-${++engineCount}`),
    })
    return new LocalEngine(conf, {
      clock: options.clock ?? systemClock,
      random: options.random ?? systemRandom,
      files,
      sql,
      manager: new StreamingQueryManager((error) => print(`millrace: a StreamingQueryListener threw: ${String(error)}`)),
      relations: new NamedRelations(),
      memoryTables: new Map(),
      activeRuns: new Map(),
      takeover: options.takeover ?? process.env['MILLRACE_TAKEOVER'] === 'true',
      observeStep: options.observeStep,
      processIdentity: options.processIdentity,
      sourceProviders: options.sources ?? [],
      sinkProviders: options.sinks ?? [],
      print,
    })
  }

  streamSchema(format: string, schema: Schema | undefined, options: Readonly<Record<string, string>>): Schema {
    return findProvider('stream source', format, this.#current.sourceProviders).schemaOf(format.toLowerCase(), schema, options)
  }

  readsPaths(format: string): boolean {
    return boundedOf(this.#current.sourceProviders, format) === undefined
  }

  inferSchema(format: string, paths: readonly string[], options: Readonly<Record<string, string>>): Promise<Schema> {
    const bounded = boundedOf(this.#current.sourceProviders, format)
    if (bounded)
      return withFileErrors(Promise.try(() => bounded.schemaOf(paths[0] === undefined ? options : { ...options, path: paths[0] })))
    return withFileErrors(this.#environment.sql.inferSchema(format, paths, options, this.runtimeConf.current.flag(ignoreMetadataKey)))
  }

  resolveTable(format: string, paths: readonly string[], options: Readonly<Record<string, string>>): Promise<ResolvedTable | undefined> {
    return resolveStateTable(format, paths, options, this.#environment.files)
  }

  runBatch<T>(plan: LogicalPlan, use: (rows: RowSet) => Promise<T>): Promise<T> {
    return withFileErrors(runBatch(plan, this.#current, use))
  }

  holdRows<T>(plan: LogicalPlan, use: (held: LogicalPlan) => Promise<T>): Promise<T> {
    return withFileErrors(holdRows(plan, this.#current, use))
  }

  writeBatch(write: WriteBatch): Promise<void> {
    return withFileErrors(writeBatch(write, this, this.#current))
  }

  start(query: StartQuery): Promise<StreamingQuery> {
    if (process.env['MILLRACE_PLAN'] === 'true') return planQuery(query, this.#current)
    if (process.env['MILLRACE_EXPLAIN'] === 'true') return Promise.try(explainQuery, query, this.#current)
    return withFileErrors(startQuery(query, this.#current))
  }

  explainPhysical(plan: LogicalPlan, outputMode: OutputMode): string {
    const optimized = optimize(plan)
    return isStreaming(plan)
      ? explainStreamingPlan(
          planStreaming(optimized, outputMode, this.#timeZone, { abilities: sourceAbilities(this.#current.sourceProviders) }),
        )
      : explainBatchPlan(planBatch(optimized, this.#timeZone))
  }

  /** What queries of format `memory` have written, by query name. */
  get memoryTables(): unknown {
    return this.#environment.memoryTables
  }

  get heldTables(): HeldTables {
    const tables = this.#environment.memoryTables as MemoryTables
    return {
      names: [...tables.keys()],
      get(name) {
        const found = [...tables].find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
        return found && localRelation(rowsToColumns(found.schema, found.rows))
      },
    }
  }

  get files(): Files {
    return this.#environment.files
  }
  get clock(): Clock {
    return this.#environment.clock
  }

  conf(key: string): string | undefined {
    return this.runtimeConf.current.get(key)
  }
  setConf(key: string, value: string): void {
    this.runtimeConf.set(key, value)
  }

  get #timeZone(): string {
    return this.runtimeConf.current.text('spark.sql.session.timeZone')
  }
  get #current(): QueryEnvironment {
    const { sourceProviders: ownSources, sinkProviders: ownSinks } = this.#environment
    // a format may be registered after the engine was opened
    return {
      ...this.#environment,
      conf: this.runtimeConf.current,
      sourceProviders: [...sourceProviders, ...ownSources],
      sinkProviders: [...sinkProviders, ...ownSinks],
    }
  }

  /** Stops all queries (draining) and closes DuckDB. */
  async close(): Promise<void> {
    await ownRun.exit(() => Promise.all(this.streams.active.map((query) => query.stop())))
    await this.#environment.sql.close()
  }
}

const localOptions = {
  conf: true,
  threads: true,
  memoryLimitBytes: true,
  temporaryFolder: true,
  sources: true,
  sinks: true,
  takeover: true,
  clock: true,
  random: true,
  files: true,
  print: true,
  processIdentity: true,
  observeStep: true,
} as const satisfies Record<keyof LocalOptions, true>

/** InvalidQueryError NOT_AN_OBJECT, UNKNOWN_OPTION. */
function checkOptions(options: LocalOptions): void {
  settingsOf('what millrace.local was given', options, "write millrace.local({ conf: { 'spark.sql.shuffle.partitions': 8 } })")
  if (options.conf !== undefined) settingsOf('conf', options.conf, "write millrace.local({ conf: { 'spark.sql.shuffle.partitions': 8 } })")
  const foreign = Object.keys(options).find((name) => !(name in localOptions))
  if (foreign === undefined) return
  const [near] = nearest(foreign, Object.keys(localOptions), 1)
  const todo = foreign.includes('.')
    ? `settings go into conf: millrace.local({ conf: { '${foreign}': … } })`
    : `it takes ${Object.keys(localOptions).slice(0, 7).join(', ')} and print`
  throw new InvalidQueryError('UNKNOWN_OPTION', {
    what: `millrace.local knows no option "${foreign}"`,
    todo: near && !foreign.includes('.') ? `did you mean "${near}"?` : todo,
  })
}
