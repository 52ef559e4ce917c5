import { resolve } from 'node:path'
import { assert, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { noStreamingTable } from '../plan/analysis-errors.ts'
import { alias, batchScan, streamScan } from '../plan/analyze.ts'
import { parseName } from '../plan/resolve.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { dataFrameOf, streamFrameOf } from './data-frame.ts'
import type { DataFrame, StreamFrame } from './frame-types.ts'
import { formatOf, type Options, type OptionValue, pathOf, withOption, withOptions } from './options.ts'
import type { ColumnsOf, StandardSchema } from './standard-schema.ts'
import { type Fields, type SchemaInput, type SchemaJson, schemaOf } from './types.ts'
import { relationNamed } from './views.ts'

// ---- what the compiler sees

interface ReaderOptions<Self> {
  option(name: string, value: OptionValue): Self
  options(options: Readonly<Record<string, OptionValue>>): Self
}
type TextSchema = { value: 'string' | null }
type BinaryFileSchema = { path: 'string' | null; modificationTime: 'timestamp' | null; length: 'long' | null; content: 'binary' | null }
type KafkaSchema = {
  key: 'binary' | null
  value: 'binary' | null
  topic: 'string' | null
  partition: 'int' | null
  offset: 'long' | null
  timestamp: 'timestamp' | null
  timestampType: 'int' | null
}
type Path = string | readonly string[]

/** `engine.read` before a schema is known. Without one it has to be read from the files first: hence the promises. */
export interface UntypedReader extends ReaderOptions<UntypedReader> {
  format(format: string): UntypedReader
  /** Columns with `t`, DDL text, Spark's JSON, a schema of zod or another Standard Schema library, or a Schema. */
  schema<const Z extends StandardSchema>(schema: Z): TypedReader<ColumnsOf<Z>>
  schema<S>(fields: Fields<S>): TypedReader<{ [P in keyof S]: S[P] }>
  schema(schema: string | SchemaJson | Schema): TypedReader<any>
  parquet<S>(path: Path, fields: Fields<S>): DataFrame<{ [P in keyof S]: S[P] }>
  parquet(path: Path): Promise<DataFrame<any>>
  json<S>(path: Path, fields: Fields<S>): DataFrame<{ [P in keyof S]: S[P] }>
  json(path: Path): Promise<DataFrame<any>>
  csv<S>(path: Path, fields: Fields<S>): DataFrame<{ [P in keyof S]: S[P] }>
  csv(path: Path): Promise<DataFrame<any>>
  /** Lines as they are, in a column `value`. */
  text(path: Path): DataFrame<TextSchema>
  load(path?: Path): Promise<DataFrame<any>>
  /** A temporary view of a bounded table, or the memory table of a query. InvalidQueryError TABLE_OR_VIEW_NOT_FOUND. */
  table(name: string): DataFrame<any>
}
export interface TypedReader<S> extends ReaderOptions<TypedReader<S>> {
  format(format: string): TypedReader<S>
  parquet(path: Path): DataFrame<S>
  json(path: Path): DataFrame<S>
  csv(path: Path): DataFrame<S>
  /** Lines as they are, in a string column; the other columns of the schema come from folders `name=value`. */
  text(path: Path): DataFrame<S>
  load(path?: Path): DataFrame<S>
}

/** Sources whose schema is fixed. */
export interface SourceSchemas {
  rate: { timestamp: 'timestamp'; value: 'long' }
  'rate-micro-batch': { timestamp: 'timestamp'; value: 'long' }
  text: TextSchema
  /** With `import 'millrace/kafka'`. The option includeHeaders adds a column `headers`. */
  kafka: KafkaSchema
  /** A row a file. */
  binaryFile: BinaryFileSchema
}
/** `engine.readStream` before a schema is known. Files need one. */
export interface UntypedStreamReader extends ReaderOptions<UntypedStreamReader> {
  format<F extends string>(format: F): F extends keyof SourceSchemas ? TypedStreamReader<SourceSchemas[F]> : UntypedStreamReader
  /** The source's name in the checkpoint (letters, digits, _): with it the query's sources may be reordered, added and removed later. */
  name(name: string): UntypedStreamReader
  /** Columns with `t`, DDL text, Spark's JSON, a schema of zod or another Standard Schema library, or a Schema. */
  schema<const Z extends StandardSchema>(schema: Z): TypedStreamReader<ColumnsOf<Z>>
  schema<S>(fields: Fields<S>): TypedStreamReader<{ [P in keyof S]: S[P] }>
  schema(schema: string | SchemaJson | Schema): TypedStreamReader<any>
  parquet<S>(path: string, fields: Fields<S>): StreamFrame<{ [P in keyof S]: S[P] }>
  json<S>(path: string, fields: Fields<S>): StreamFrame<{ [P in keyof S]: S[P] }>
  csv<S>(path: string, fields: Fields<S>): StreamFrame<{ [P in keyof S]: S[P] }>
  text(path: string): StreamFrame<TextSchema>
  load(path?: string): StreamFrame<any>
  /** A temporary view of a stream. InvalidQueryError TABLE_OR_VIEW_NOT_FOUND, and UNSUPPORTED_STREAMING_TABLE for one of a bounded table. */
  table(name: string): StreamFrame<any>
}
export interface TypedStreamReader<S> extends ReaderOptions<TypedStreamReader<S>> {
  format(format: string): TypedStreamReader<S>
  name(name: string): TypedStreamReader<S>
  parquet(path: string): StreamFrame<S>
  json(path: string): StreamFrame<S>
  csv(path: string): StreamFrame<S>
  /** Lines as they are, in a string column; the other columns of the schema come from folders `name=value`. */
  text(path: string): StreamFrame<S>
  load(path?: string): StreamFrame<S>
}

// ---- what runs

interface ReadSettings {
  readonly format: string
  readonly schema?: Schema
  readonly options: Options
  readonly name?: string
}

/** `engine.read` */
export function batchReader(engine: EnginePort): UntypedReader {
  return new BatchReader(engine, { format: 'parquet', options: {} }) as unknown as UntypedReader
}
/** `engine.readStream` */
export function streamReader(engine: EnginePort): UntypedStreamReader {
  return new StreamReader(engine, { format: 'parquet', options: {} }) as unknown as UntypedStreamReader
}

abstract class Reader<Self> {
  protected readonly engine: EnginePort
  protected readonly settings: ReadSettings
  constructor(engine: EnginePort, settings: ReadSettings) {
    this.engine = engine
    this.settings = settings
  }
  protected abstract with(change: Partial<ReadSettings>): Self
  format(format: string): Self {
    return this.with({ format: formatOf(format) })
  }
  schema(schema: SchemaInput<unknown>): Self {
    return this.with({ schema: schemaOf(schema) })
  }
  option(name: string, value: OptionValue): Self {
    return this.with({ options: withOption(this.settings.options, name, value) })
  }
  options(options: Readonly<Record<string, OptionValue>>): Self {
    return this.with({ options: withOptions(this.settings.options, options) })
  }
}

const textSchema = new Schema([{ name: 'value', type: 'string', nullable: true }])

class BatchReader extends Reader<BatchReader> {
  parquet(path: Path, fields?: Fields<unknown>): unknown {
    return this.#file('parquet', path, fields)
  }
  json(path: Path, fields?: Fields<unknown>): unknown {
    return this.#file('json', path, fields)
  }
  csv(path: Path, fields?: Fields<unknown>): unknown {
    return this.#file('csv', path, fields)
  }
  text(path: Path): unknown {
    return this.with({ format: 'text', schema: this.settings.schema ?? textSchema }).load(path)
  }
  load(path?: Path): unknown {
    const { format, schema, options } = this.settings
    const engine = this.engine
    const given = pathOf('load()', path, options)
    if (stateFormats.has(format.toLowerCase())) return this.#state(given === undefined ? [] : pathsOf(given))
    const paths = given === undefined && !engine.readsPaths(format) ? [] : pathsOf(given)
    const frame = (known: Schema) => dataFrameOf(engine, batchScan({ format, options, paths, schema: known }))
    return schema ? frame(schema) : engine.inferSchema(format, paths, options).then(frame)
  }
  table(name: string): unknown {
    return namedRelation(this.engine, name)
  }
  protected override with(change: Partial<ReadSettings>): BatchReader {
    return new BatchReader(this.engine, { ...this.settings, ...change })
  }
  /** The state of a checkpoint: which columns there are, and at which batch, is found out now. */
  async #state(paths: readonly string[]): Promise<DataFrame<any>> {
    const { format, schema, options } = this.settings
    if (schema !== undefined) {
      throw new InvalidQueryError('UNSUPPORTED_USER_SPECIFIED_SCHEMA', {
        what: `the source "${format}" has a schema of its own and takes none from the user`,
        todo: 'leave out .schema(…)',
      })
    }
    const table = await this.engine.resolveTable(format, paths, options)
    assert(table, `the engine reads ${format}`)
    return dataFrameOf(this.engine, batchScan({ format, options: table.options, paths, schema: table.schema }))
  }
  #file(format: string, path: Path, fields: Fields<unknown> | undefined): unknown {
    return this.with({ format, ...(fields ? { schema: schemaOf(fields) } : {}) }).load(path)
  }
}

/** The frame of a view's or table's name, as `a.b` or with backticks. */
export function namedRelation(engine: EnginePort, name: string): DataFrame<any> {
  const parts = parseName(name)
  return dataFrameOf(engine, alias(relationNamed(engine, parts), parts.at(-1)!))
}

/** What engines know besides files. */
const stateFormats: ReadonlySet<string> = new Set(['statestore', 'state-metadata'])

function pathsOf(path: Path | undefined): string[] {
  const paths = typeof path === 'string' ? [path] : [...(path ?? [])]
  if (paths.length > 0 && paths.every((each) => typeof each === 'string' && each !== '')) return paths.map(absolute)
  throw new InvalidQueryError('MISSING_PATH', {
    what: 'read was given no path',
    todo: "say where the files are: read.parquet('in/'), or load('in/')",
  })
}
/** Paths are fixed when the query is written, so that a later change of the working directory changes nothing. */
function absolute(path: string): string {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path) ? path : resolve(path)
}

class StreamReader extends Reader<StreamReader> {
  name(name: string): StreamReader {
    if (/^[A-Za-z0-9_]+$/.test(name)) return this.with({ name })
    throw new InvalidQueryError('STREAMING_QUERY_EVOLUTION_ERROR.INVALID_SOURCE_NAME', {
      what: `invalid source name ${JSON.stringify(name)}`,
      todo: 'use letters, digits and _ only',
    })
  }
  parquet(path: string, fields?: Fields<unknown>): StreamFrame<any> {
    return this.#file('parquet', path, fields)
  }
  json(path: string, fields?: Fields<unknown>): StreamFrame<any> {
    return this.#file('json', path, fields)
  }
  csv(path: string, fields?: Fields<unknown>): StreamFrame<any> {
    return this.#file('csv', path, fields)
  }
  text(path: string): StreamFrame<any> {
    return this.with({ format: 'text' }).load(path)
  }
  load(path?: string): StreamFrame<any> {
    const { format, schema, name } = this.settings
    const given = pathOf('load()', path, this.settings.options)
    const options = given === undefined ? this.settings.options : withOption(this.settings.options, 'path', absolute(given))
    const known = this.engine.streamSchema(format, schema, options)
    return streamFrameOf(this.engine, streamScan({ format, options, schema: known, ...(name === undefined ? {} : { name }) }))
  }
  table(name: string): StreamFrame<any> {
    const frame = namedRelation(this.engine, name) as unknown as StreamFrame<any>
    if (frame.isStreaming) return frame
    throw noStreamingTable(name, 'use read.table')
  }
  protected override with(change: Partial<ReadSettings>): StreamReader {
    return new StreamReader(this.engine, { ...this.settings, ...change })
  }
  #file(format: string, path: string, fields: Fields<unknown> | undefined): StreamFrame<any> {
    return this.with({ format, ...(fields ? { schema: schemaOf(fields) } : {}) }).load(path)
  }
}
