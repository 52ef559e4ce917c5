import type { DataType } from '../../data/types.ts'

/** Values of one schema as bytes and back. Both throw an error of Millrace that names what does not fit. */
export interface Codec {
  /** What a value is in a query. */
  readonly type: DataType
  /** Bytes of this codec's own schema, or of another version of it. */
  decode(bytes: Buffer): unknown
  encode(value: unknown): Buffer
}
