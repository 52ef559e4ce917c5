import { ownFunction } from '../../api/user-functions.ts'
import { InvalidQueryError, MillraceError } from '../../base/errors.ts'
import { Options } from '../../base/options.ts'
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

/** A function of columns of bytes that gives values of the codec's type; what it throws may become null. InvalidQueryError PARSE_MODE_UNSUPPORTED, UNKNOWN_OPTION. */
export function decodes(
  name: string,
  { type }: Codec,
  decode: (bytes: Buffer) => unknown,
  options: FormatOptions,
): (data: AnyColumn) => AnyColumn {
  const mode = modeOf(name, options)
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
  return ownFunction(name, type, call, 'binary')
}
function modeOf(name: string, given: FormatOptions): string {
  const mode = (new Options(name, given as Readonly<Record<string, string>>, ['mode']).text('mode') ?? 'FAILFAST').toUpperCase()
  if (mode === 'FAILFAST' || mode === 'PERMISSIVE') return mode
  throw new InvalidQueryError('PARSE_MODE_UNSUPPORTED', {
    what: `${name} does not support the mode ${mode}`,
    todo: 'use PERMISSIVE or FAILFAST',
  })
}
export function encodes(name: string, { type }: Codec, encode: (value: unknown) => Buffer): (value: AnyColumn) => AnyColumn {
  // the argument is cast to the type of the schema, and gives an error of the query where that is not possible
  return ownFunction(name, 'binary', encode, type)
}
