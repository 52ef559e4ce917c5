import { createRequire } from 'node:module'
import type Avsc from 'avsc'
import type Protobufjs from 'protobufjs'
import { InvalidQueryError } from '../../base/errors.ts'

export type AvroLibrary = typeof Avsc
export type ProtobufLibrary = typeof Protobufjs

// a function of columns knows its type when it is written, so that these are loaded at once and not by a promise
const load = createRequire(import.meta.url)

/** The Avro library, an optional peer. InvalidQueryError OPTIONAL_LIBRARY_MISSING. */
export function avroLibrary(): AvroLibrary {
  return loaded<AvroLibrary>('Avro', 'avsc')
}
/** The Protobuf library, an optional peer. InvalidQueryError OPTIONAL_LIBRARY_MISSING. */
export function protobufLibrary(): ProtobufLibrary {
  return loaded<ProtobufLibrary>('Protobuf', 'protobufjs')
}
function loaded<T>(format: string, name: string): T {
  try {
    return load(name) as T
  } catch (cause) {
    throw new InvalidQueryError('OPTIONAL_LIBRARY_MISSING', {
      what: `${format} needs the package ${name}, which could not be loaded`,
      todo: `install it beside millrace: npm install ${name}`,
      cause,
    })
  }
}
