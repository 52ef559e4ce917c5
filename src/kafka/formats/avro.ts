/** Avro's binary form: schemas as types of a query, and values back and forth. */
import type { Type } from 'avsc'
import { InvalidQueryError, MillraceError } from '../../base/errors.ts'
import { Decimal } from '../../data/decimal.ts'
import type { DataType, Field } from '../../data/types.ts'
import { Temporal } from '../../data/values.ts'
import type { Codec } from './codec.ts'
import { type AvroLibrary, avroLibrary } from './libraries.ts'

/** How one type of a schema stands in a query. */
interface Shape {
  readonly type: DataType
  readonly nullable: boolean
  readonly read: (value: any) => unknown
  readonly write: (value: any) => unknown
}

/** A codec for a schema in Avro's JSON. `writer`: the schema that the bytes were written with, where that is another version. */
export function avroCodec(schema: string, writer: string = schema): Codec {
  const library = avroLibrary()
  if (typeof schema !== 'string')
    throw new InvalidQueryError('INVALID_AVRO_SCHEMA', {
      what: `the schema is ${schema === undefined ? 'missing' : `of the JavaScript type ${typeof schema}`}`,
      todo: "give a schema in Avro's JSON as a text: JSON.stringify(schema)",
    })
  const reader = parse(library, schema)
  const shape = shapeOf(JSON.parse(schema), new Map())
  const written = writer === schema ? reader : parse(library, writer)
  const resolver = written === reader ? undefined : resolverOf(reader, written)
  return {
    type: shape.type,
    decode(bytes) {
      try {
        return shape.read(reader.fromBuffer(bytes, resolver))
      } catch (cause) {
        throw malformed(`${bytes.length} bytes are no value of ${reader.typeName} ${reader.name ?? ''}: ${(cause as Error).message}`, cause)
      }
    },
    encode(value) {
      try {
        return reader.toBuffer(shape.write(value))
      } catch (cause) {
        throw malformed(`a value does not fit ${reader.typeName} ${reader.name ?? ''}: ${(cause as Error).message}`, cause)
      }
    },
  }
}

function malformed(what: string, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  return new InvalidQueryError('MALFORMED_AVRO_MESSAGE', {
    what,
    todo: "see which schema it was written with, or give option mode: 'PERMISSIVE', which makes null of it",
    cause,
  })
}

function parse(library: AvroLibrary, schema: string): Type {
  // 64 bits whole: a number of JavaScript would lose digits
  const long = library.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer(value: bigint) {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(value)
      return bytes
    },
    fromJSON: BigInt,
    toJSON: Number,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
  } as never)
  try {
    return library.Type.forSchema(
      withoutLogicalTypes(JSON.parse(schema)) as never,
      // 'auto': of float and double the library has to be told which it is
      { registry: { long: long as never }, wrapUnions: 'auto' } as never,
    )
  } catch (cause) {
    throw new InvalidQueryError('INVALID_AVRO_SCHEMA', {
      what: `the schema ${schema.slice(0, 200)} is not read: ${(cause as Error).message}`,
      todo: "give a schema in Avro's JSON",
      cause,
    })
  }
}

/** Logical types are read here; the library would make types of its own of the numbers below them. */
function withoutLogicalTypes(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutLogicalTypes)
  if (typeof schema !== 'object' || schema === null) return schema
  const { type } = schema as { type?: unknown }
  if (typeof type === 'string' && type in plain) return type
  return Object.fromEntries(
    Object.entries(schema).map(([key, part]) => {
      if (key === 'fields')
        return [key, (part as { type: unknown }[]).map((field) => ({ ...field, type: withoutLogicalTypes(field.type) }))]
      return [key, key === 'type' || key === 'items' || key === 'values' ? withoutLogicalTypes(part) : part]
    }),
  )
}

function resolverOf(reader: Type, written: Type): ReturnType<Type['createResolver']> {
  try {
    return reader.createResolver(written)
  } catch (cause) {
    throw new InvalidQueryError('AVRO_INCOMPATIBLE_READ_SCHEMA', {
      what: `values written with another version of ${reader.name ?? reader.typeName} cannot be read with the one of this query: ${(cause as Error).message}`,
      todo: 'give fields that were added a default, and keep types; or start the query anew with the schema that is there now',
      cause,
    })
  }
}

// ---- schema -> type

type AvroSchema = string | { type: any; [part: string]: any } | AvroSchema[]

const plain: Readonly<Record<string, DataType>> = {
  null: 'void',
  boolean: 'boolean',
  int: 'int',
  long: 'long',
  float: 'float',
  double: 'double',
  bytes: 'binary',
  string: 'string',
}
const same = (value: unknown) => value

function shapeOf(schema: AvroSchema, named: Map<string, Shape>): Shape {
  if (Array.isArray(schema)) return unionShape(schema, named)
  if (typeof schema === 'string') {
    const known = named.get(schema)
    if (known) return known
    const type = plain[schema]
    if (type !== undefined) return simple(type)
    throw unsupported(`the type ${schema}`, 'a type that refers to itself has no end in a query; read the bytes as they are')
  }
  const logical = logicalShape(schema)
  if (logical) return logical
  switch (schema.type) {
    case 'record':
    case 'error':
      return recordShape(schema, named)
    case 'enum':
      return remember(schema, named, simple('string'))
    case 'fixed':
      return remember(schema, named, simple('binary'))
    case 'array': {
      const of = shapeOf(schema['items'], named)
      const type: DataType = { kind: 'array', element: of.type, containsNull: of.nullable }
      return { type, nullable: false, read: (list: unknown[]) => list.map(of.read), write: (list: unknown[]) => list.map(of.write) }
    }
    case 'map': {
      const of = shapeOf(schema['values'], named)
      const type: DataType = { kind: 'map', key: 'string', value: of.type, valueContainsNull: of.nullable }
      return {
        type,
        nullable: false,
        read: (map: object) => new Map(Object.entries(map).map(([key, value]) => [key, of.read(value)])),
        write: (map: Map<string, unknown>) => Object.fromEntries([...map].map(([key, value]) => [key, of.write(value)])),
      }
    }
    default:
      return shapeOf(schema.type, named)
  }
}
function simple(type: DataType): Shape {
  if (type === 'binary')
    return { type, nullable: false, read: (bytes: Buffer) => new Uint8Array(bytes), write: (bytes: Uint8Array) => Buffer.from(bytes) }
  return { type, nullable: type === 'void', read: same, write: same }
}
function remember(schema: { [part: string]: any }, named: Map<string, Shape>, shape: Shape): Shape {
  const name = String(schema['name'])
  named.set(name, shape)
  if (schema['namespace'] !== undefined) named.set(`${schema['namespace']}.${name}`, shape)
  return shape
}

function recordShape(schema: { [part: string]: any }, named: Map<string, Shape>): Shape {
  const fields = (schema['fields'] as { name: string; type: AvroSchema }[]).map(({ name, type }) => ({ name, shape: shapeOf(type, named) }))
  const type: DataType = {
    kind: 'struct',
    fields: fields.map(({ name, shape }): Field => ({ name, type: shape.type, nullable: shape.nullable })),
  }
  const each = (use: 'read' | 'write') => (record: Record<string, unknown>) =>
    Object.fromEntries(
      fields.map(({ name, shape }) => [name, record[name] === null || record[name] === undefined ? null : shape[use](record[name])]),
    )
  return remember(schema, named, { type, nullable: false, read: each('read'), write: each('write') })
}

/** [null, T] is a T that may be null; numbers widen, as in Spark. */
function unionShape(schemas: readonly AvroSchema[], named: Map<string, Shape>): Shape {
  const others = schemas.filter((each) => each !== 'null')
  const hasNull = others.length < schemas.length
  const orNull = (shape: Shape): Shape => ({
    ...shape,
    nullable: hasNull || shape.nullable,
    read: (value) => (value === null ? null : shape.read(value)),
    write: (value) => (value === null || value === undefined ? null : shape.write(value)),
  })
  if (others.length === 1) return orNull(shapeOf(others[0]!, named))
  const names = others.map(String).sort().join()
  if (names === 'int,long') return orNull({ type: 'long', nullable: false, read: BigInt, write: same })
  if (names === 'double,float')
    return orNull({
      type: 'double',
      nullable: false,
      read: (wrapped: object) => Object.values(wrapped)[0],
      write: (value) => ({ double: value }),
    })
  throw unsupported(
    `a union of ${others.map((each) => JSON.stringify(each)).join(', ')}`,
    'only null and one other type, int and long, or float and double can stand together',
  )
}

function logicalShape(schema: { type: any; [part: string]: any }): Shape | undefined {
  switch (schema['logicalType']) {
    case 'date':
      return {
        type: 'date',
        nullable: false,
        read: (days: number) => new Temporal.PlainDate(1970, 1, 1).add({ days }),
        write: (date: Temporal.PlainDate) => new Temporal.PlainDate(1970, 1, 1).until(date).days,
      }
    case 'timestamp-millis':
    case 'timestamp-micros':
      return instantShape(schema['logicalType'] === 'timestamp-millis' ? 1_000_000n : 1000n)
    case 'local-timestamp-millis':
    case 'local-timestamp-micros':
      return localShape(schema['logicalType'] === 'local-timestamp-millis' ? 1_000_000n : 1000n)
    case 'decimal':
      return schema.type === 'bytes' || schema.type?.type === 'bytes' ? decimalShape(schema) : undefined
    default:
      // any other is passed over, as the specification says
      return undefined
  }
}
function instantShape(unitNs: bigint): Shape {
  return {
    type: 'timestamp',
    nullable: false,
    read: (value: bigint) => Temporal.Instant.fromEpochNanoseconds(value * unitNs),
    write: (at: Temporal.Instant) => unitsOf(at.epochNanoseconds, unitNs),
  }
}
/** The numbers of a clock on the wall, as if it stood in UTC. */
function localShape(unitNs: bigint): Shape {
  return {
    type: 'timestamp_ntz',
    nullable: false,
    read: (value: bigint) =>
      Temporal.Instant.fromEpochNanoseconds(value * unitNs)
        .toZonedDateTimeISO('UTC')
        .toPlainDateTime(),
    write: (at: Temporal.PlainDateTime) => unitsOf(at.toZonedDateTime('UTC').epochNanoseconds, unitNs),
  }
}
/** Down, before 1970 too. */
function unitsOf(ns: bigint, unitNs: bigint): bigint {
  return (ns - (((ns % unitNs) + unitNs) % unitNs)) / unitNs
}
function decimalShape(schema: { [part: string]: any }): Shape {
  const [precision, scale] = [Number(schema['precision']), Number(schema['scale'] ?? 0)]
  const type: DataType = { kind: 'decimal', precision, scale }
  return {
    type,
    nullable: false,
    read: (bytes: Buffer) =>
      new Decimal(bytes.length === 0 ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${bytes.toString('hex')}`)), scale),
    write(value: Decimal) {
      const { unscaled } = value.toScale(scale)
      let length = 1
      while (BigInt.asIntN(8 * length, unscaled) !== unscaled) length++
      return Buffer.from(
        BigInt.asUintN(8 * length, unscaled)
          .toString(16)
          .padStart(2 * length, '0'),
        'hex',
      )
    },
  }
}

function unsupported(what: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('UNSUPPORTED_AVRO_TYPE', { what: `${what} has no type in a query`, todo })
}
