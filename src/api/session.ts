import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { rowsToColumns } from '../data/values.ts'
import { localRelation, streamScan } from '../plan/analyze.ts'
import type { EnginePort } from '../query/engine-port.ts'
import { dataFrameOf, streamFrameOf } from './data-frame.ts'
import type { DataFrame, StreamFrame } from './frame-types.ts'
import { batchReader, streamReader, type UntypedReader, type UntypedStreamReader } from './reader.ts'
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
