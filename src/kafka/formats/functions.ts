import { ownFunction } from '../../api/user-functions.ts'
import { MillraceError } from '../../base/errors.ts'
import { avroCodec } from './avro.ts'
import type { Codec } from './codec.ts'
import { protobufCodec } from './protobuf.ts'

/** A column of any frame; what comes back is known by its schema at run time only. */
type AnyColumn = any

export interface FormatOptions {
  /** `FAILFAST` (default): bytes that are malformed stop the query, or are a dead letter where it keeps those. `PERMISSIVE`: they are null. */
  readonly mode?: 'FAILFAST' | 'PERMISSIVE'
}

/** A value of Avro's binary form as a column of the schema's type. `schema`: Avro's JSON, of the version that the bytes were written with. */
export function from_avro(data: AnyColumn, schema: string, options: FormatOptions = {}): AnyColumn {
  const codec = avroCodec(schema)
  return decodes('from_avro', codec, (bytes) => codec.decode(bytes), options)(data)
}
/** A column in Avro's binary form. */
export function to_avro(value: AnyColumn, schema: string): AnyColumn {
  const codec = avroCodec(schema)
  return encodes('to_avro', codec, (each) => codec.encode(each))(value)
}
/** A Protobuf message as a column; `proto` is the text of a .proto file. */
export function from_protobuf(data: AnyColumn, messageName: string, proto: string, options: FormatOptions = {}): AnyColumn {
  const codec = protobufCodec(proto, messageName)
  return decodes('from_protobuf', codec, (bytes) => codec.decode(bytes), options)(data)
}
/** A column of a struct as a Protobuf message. */
export function to_protobuf(value: AnyColumn, messageName: string, proto: string): AnyColumn {
  const codec = protobufCodec(proto, messageName)
  return encodes('to_protobuf', codec, (each) => codec.encode(each))(value)
}

/** A function of columns of bytes that gives values of the codec's type; what it throws may become null. */
export function decodes(
  name: string,
  { type }: Codec,
  decode: (bytes: Buffer) => unknown,
  { mode = 'FAILFAST' }: FormatOptions,
): (data: AnyColumn) => AnyColumn {
  const orNull = (error: unknown) => {
    if (mode === 'PERMISSIVE' && error instanceof MillraceError && error.code.startsWith('MALFORMED_')) return null
    throw error
  }
  const call = (bytes: Uint8Array) => {
    try {
      const value = decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      return value instanceof Promise ? value.catch(orNull) : value
    } catch (error) {
      return orNull(error)
    }
  }
  return ownFunction(name, type, call)
}
export function encodes(name: string, { type }: Codec, encode: (value: unknown) => Buffer): (value: AnyColumn) => AnyColumn {
  // the argument is cast to the type of the schema, and gives an error of the query where that is not possible
  return ownFunction(name, 'binary', encode, type)
}
