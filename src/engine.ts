import type { StreamFrame } from './api/frame-types.ts'
import type { UntypedReader, UntypedStreamReader } from './api/reader.ts'
import { createSession, instanceStream, type Session } from './api/session.ts'
import { type Fields, type InputRow, schemaOf } from './api/types.ts'
import { UdfRegistry } from './api/udf-registry.ts'
import { shownArgument } from './base/arguments.ts'
import { InvalidQueryError } from './base/errors.ts'
import type { ColumnBatch } from './data/column-batch.ts'
import type { Row } from './data/row-set.ts'
import type { Schema } from './data/schema.ts'
import type { StreamingQueryManager } from './query/query-manager.ts'
import type { RuntimeConf } from './query/runtime-conf.ts'
import { LocalEngine, type LocalOptions } from './runtime/local-engine.ts'
import type { MemoryTables } from './sinks/memory-sink.ts'
import { MemoryStream as MemoryBlocks } from './sources/memory-stream.ts'

const engines = new Set<Engine>()
/** The engines of this process that are not closed. */
export function activeEngines(): readonly Engine[] {
  return [...engines]
}

/** Where DataFrames come from and queries run: one process, DuckDB for the rows, TypeScript for the stream. */
export class Engine implements Session {
  /** The queries that run here, and their listeners. */
  readonly streams: StreamingQueryManager
  readonly #local: LocalEngine
  readonly #session: Session
  readonly createDataFrame: Session['createDataFrame']
  /** Runs a statement of SQL over temporary views. */
  readonly sql: Session['sql']
  /** A temporary view, or the memory table of a query, as a frame. */
  readonly table: Session['table']
  /** Numbers as a table. */
  readonly range: Session['range']
  /** What there is by name: views, memory tables, functions. */
  readonly catalog: Session['catalog']
  /** Functions of the program by name: `engine.udf.register('cents', (price: number) => …, t.int())`, then `expr('cents(price)')`. */
  readonly udf: UdfRegistry

  private constructor(local: LocalEngine) {
    this.#local = local
    this.#session = createSession(local)
    this.streams = local.streams
    this.udf = new UdfRegistry(local.userFunctions)
    this.createDataFrame = this.#session.createDataFrame
    this.sql = this.#session.sql
    this.table = this.#session.table
    this.range = this.#session.range
    this.catalog = this.#session.catalog
  }

  /** InvalidQueryError for configuration that does not exist or has a wrong value. */
  static async local(options: LocalOptions = {}): Promise<Engine> {
    const engine = new Engine(await LocalEngine.open(options))
    engines.add(engine)
    return engine
  }

  /** Reads bounded tables: a batch. */
  get read(): UntypedReader {
    return this.#session.read
  }
  /** Reads unbounded tables: a stream. */
  get readStream(): UntypedStreamReader {
    return this.#session.readStream
  }
  /** The configuration while the engine runs: `engine.conf.set('spark.sql.shuffle.partitions', 8)`. */
  get conf(): RuntimeConf {
    return this.#local.runtimeConf
  }
  /** The rows that a query of format `memory` has put under its name. InvalidQueryError TABLE_OR_VIEW_NOT_FOUND. */
  memoryTable(name: string): readonly Row[] {
    const tables = this.#local.memoryTables as MemoryTables
    const table = tables.get(name)
    if (table) return table.rows
    throw new InvalidQueryError('TABLE_OR_VIEW_NOT_FOUND', {
      what: `no query named "${name}" writes to memory in this engine`,
      todo:
        tables.size > 0
          ? `there are ${[...tables.keys()].map((each) => `"${each}"`).join(', ')}`
          : "start one with .queryName(name).format('memory')",
    })
  }
  /** For MemoryStream. */
  frameOf(blocks: MemoryBlocks<never>, token: string): StreamFrame<never> {
    return instanceStream(this.#local, { format: 'memory', schema: blocks.schema, instance: blocks, token })
  }
  /** Stops the queries, each after the batch that it is in, and closes DuckDB. */
  async close(): Promise<void> {
    engines.delete(this)
    await this.#local.close()
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

let streams = 0
/**
 * A stream whose rows the program gives, for tests and for small jobs: `new MemoryStream(engine, { user: t.string() })`.
 * Each call of addData is one block, and a batch takes all blocks that are there. Blocks live in this process only.
 */
export class MemoryStream<S> {
  readonly #blocks: MemoryBlocks<object>
  readonly #frame: StreamFrame<{ [P in keyof S]: S[P] }>
  constructor(engine: Engine, fields: Fields<S> | Schema) {
    if (!(engine instanceof Engine))
      throw new InvalidQueryError('NOT_AN_OBJECT', {
        what: `the engine of MemoryStream is ${shownArgument(engine)}, and has to be one`,
        todo: 'write new MemoryStream(engine, { user: t.string() })',
      })
    this.#blocks = new MemoryBlocks(schemaOf(fields as Fields<unknown> | Schema))
    this.#frame = engine.frameOf(this.#blocks as MemoryBlocks<never>, `memory-${++streams}`) as unknown as StreamFrame<{
      [P in keyof S]: S[P]
    }>
  }
  /** The stream as a frame; every call gives the same source. */
  toDF(): StreamFrame<{ [P in keyof S]: S[P] }> {
    return this.#frame
  }
  /** Adds one block. InvalidQueryError names the row that does not fit the schema, and then nothing is added. */
  addData(...rows: InputRow<{ [P in keyof S]: S[P] }>[]): void {
    if (Array.isArray(rows[0]))
      throw new InvalidQueryError('INVALID_EXTERNAL_TYPE', {
        what: 'addData was given a list, which is no row',
        todo: 'give the rows one by one: addData(...rows)',
      })
    this.#blocks.addData(...(rows as object[]))
  }
  /** Adds one block of columns, which must have the stream's schema and are not copied. */
  addColumns(batch: ColumnBatch): void {
    this.#blocks.addColumns(batch)
  }
}

/** The entry: `const engine = await millrace.local()`. */
export const millrace = {
  /** An engine in this process. */
  local: (options?: LocalOptions): Promise<Engine> => Engine.local(options),
}
