import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { rowsToColumns } from '../data/values.ts'
import { localRelation, streamScan } from '../plan/analyze.ts'
import { range } from '../plan/queries/build-relation.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { Catalog } from './catalog.ts'
import { dataFrameOf, streamFrameOf } from './data-frame.ts'
import type { DataFrame, StreamFrame } from './frame-types.ts'
import { batchReader, namedRelation, streamReader, type UntypedReader, type UntypedStreamReader } from './reader.ts'
import { runStatement, type SqlArguments } from './sql.ts'
import type { ColumnsOf, StandardSchema } from './standard-schema.ts'
import { type Fields, type InputRow, type SchemaInput, type SchemaJson, schemaOf } from './types.ts'

/** Where DataFrames come from. */
export interface Session {
  /** Reads bounded tables. */
  readonly read: UntypedReader
  /** Reads unbounded ones. */
  readonly readStream: UntypedStreamReader
  /** A batch of the program's own rows. Errors of data/values.ts where a value does not fit. */
  createDataFrame<const Z extends StandardSchema>(rows: readonly InputRow<ColumnsOf<Z>>[], schema: Z): DataFrame<ColumnsOf<Z>>
  createDataFrame<S>(rows: readonly InputRow<{ [P in keyof S]: S[P] }>[], fields: Fields<S>): DataFrame<{ [P in keyof S]: S[P] }>
  createDataFrame(rows: readonly Row[], schema: string | SchemaJson | Schema): DataFrame<any>
  /**
   * Runs a statement of SQL over temporary views: `engine.sql('SELECT ad, count(*) FROM clicks WHERE price > :least GROUP BY ad', { least: 1 })`. `?` in the text
   * takes values from a list. The compiler does not look into the text: say what comes, `engine.sql<StreamFrame<any>>(…)` for a query over a stream.
   * What can be written: docs/sql.md. InvalidQueryError with the place where the text goes wrong, or under Spark's class for what it can't mean.
   */
  sql<F = DataFrame<any>>(text: string, args?: SqlArguments): F
  /** The temporary view, or the memory table of a query, of that name. InvalidQueryError TABLE_OR_VIEW_NOT_FOUND. */
  table<F = DataFrame<any>>(name: string): F
  /** The numbers from 0 to before `end`, as a column `id`. */
  range(end: number | bigint): DataFrame<{ id: 'long' }>
  range(start: number | bigint, end: number | bigint, step?: number | bigint): DataFrame<{ id: 'long' }>
  /** What there is by name. */
  readonly catalog: Catalog
}

export function createSession(engine: EnginePort): Session {
  return {
    get read() {
      return batchReader(engine)
    },
    get readStream() {
      return streamReader(engine)
    },
    createDataFrame: (rows: readonly object[], schema: SchemaInput<unknown>) =>
      dataFrameOf(engine, localRelation(rowsToColumns(schemaOf(schema), rows as readonly Row[]))),
    sql: <F>(text: string, args?: SqlArguments) => dataFrameOf(engine, runStatement(engine, text, args)) as F,
    table: <F>(name: string) => namedRelation(engine, name) as F,
    range: (a: number | bigint, b?: number | bigint, step: number | bigint = 1) =>
      dataFrameOf(engine, b === undefined ? range(0, a) : range(a, b, step)),
    catalog: new Catalog(engine),
  }
}

/** A source object of this process as a frame (memory streams): every call with one `token` is the same source. */
export interface InstanceScan {
  readonly format: string
  readonly schema: Schema
  readonly instance: unknown
  readonly name?: string
  readonly token?: string
  readonly options?: Readonly<Record<string, string>>
}
export function instanceStream<S = any>(engine: EnginePort, scan: InstanceScan): StreamFrame<S> {
  return streamFrameOf<S>(engine, streamScan({ options: {}, ...scan }))
}
