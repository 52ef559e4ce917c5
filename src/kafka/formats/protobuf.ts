/** Protobuf: messages of a .proto text as types of a query, and values back and forth. */
import type { Field as ProtoField, Type } from 'protobufjs'
import { InvalidQueryError, MillraceError } from '../../base/errors.ts'
import type { DataType, Field } from '../../data/types.ts'
import { Temporal } from '../../data/values.ts'
import type { Codec } from './codec.ts'
import { protobufLibrary } from './libraries.ts'

/** A codec for one message of a .proto text; without a name, its first. */
export function protobufCodec(proto: string, messageName?: string): Codec {
  const { parse, Type: MessageType, common } = protobufLibrary()
  let message: Type
  try {
    const { root, imports } = parse(proto, { keepCase: true })
    // what comes with every compiler of Protobuf: google/protobuf/timestamp.proto and its like
    for (const each of imports ?? []) root.addJSON(common.get(each)?.nested ?? {})
    root.resolveAll()
    const all: Type[] = []
    const visit = (parts: readonly unknown[]) => {
      for (const each of parts) {
        if (each instanceof MessageType) all.push(each)
        const nested = (each as { nestedArray?: readonly unknown[] }).nestedArray
        if (nested) visit(nested)
      }
    }
    visit(root.nestedArray)
    const found = messageName === undefined ? all[0] : all.find((each) => each.name === messageName || each.fullName === `.${messageName}`)
    if (!found) throw new Error(`there is no message ${messageName ?? ''} in it`)
    message = found
  } catch (cause) {
    throw new InvalidQueryError('PROTOBUF_MESSAGE_NOT_FOUND', {
      what: `the .proto text is not read: ${(cause as Error).message}`,
      todo: 'give the text of a .proto file and the name of a message in it',
      cause,
    })
  }
  const type = messageType(message, [])
  return {
    type,
    decode(bytes) {
      try {
        return readMessage(message, message.decode(bytes) as unknown as Record<string, unknown>)
      } catch (cause) {
        throw malformed(`${bytes.length} bytes are no message ${message.name}: ${(cause as Error).message}`, cause)
      }
    },
    encode(value) {
      const plain = writeMessage(message, value as Record<string, unknown>)
      const wrong = message.verify(plain)
      if (wrong) throw malformed(`a value does not fit the message ${message.name}: ${wrong}`, undefined)
      return Buffer.from(message.encode(message.fromObject(plain)).finish())
    },
  }
}

function malformed(what: string, cause: unknown): MillraceError {
  if (cause instanceof MillraceError) return cause
  return new InvalidQueryError('MALFORMED_PROTOBUF_MESSAGE', {
    what,
    todo: "see which message it is, or give option mode: 'PERMISSIVE', which makes null of it",
    cause,
  })
}

const scalars: Readonly<Record<string, DataType>> = {
  ...{ double: 'double', float: 'float', int32: 'int', sint32: 'int', sfixed32: 'int', bool: 'boolean', string: 'string', bytes: 'binary' },
  ...{ uint32: 'long', fixed32: 'long', int64: 'long', sint64: 'long', sfixed64: 'long' },
  // 64 bits without a sign do not fit a long
  ...{ uint64: { kind: 'decimal', precision: 20, scale: 0 }, fixed64: { kind: 'decimal', precision: 20, scale: 0 } },
}

function messageType(message: Type, above: readonly Type[]): DataType {
  if (above.includes(message)) {
    throw new InvalidQueryError('RECURSIVE_PROTOBUF_SCHEMA', {
      what: `the message ${message.name} holds itself, and has no end in a query`,
      todo: 'read the bytes as they are, or take a message without the field',
    })
  }
  const fields = message.fieldsArray.map(
    (field): Field => ({ name: field.name, type: fieldType(field, [...above, message]), nullable: true }),
  )
  return { kind: 'struct', fields }
}
function fieldType(field: ProtoField, above: readonly Type[]): DataType {
  const of = valueType(field, above)
  if (field.map) return { kind: 'map', key: scalars[keyType(field)]!, value: of, valueContainsNull: false }
  return field.repeated ? { kind: 'array', element: of, containsNull: false } : of
}
function valueType({ resolvedType, type }: ProtoField, above: readonly Type[]): DataType {
  if (resolvedType === null) return scalars[type]!
  if (!('fieldsArray' in resolvedType)) return 'string'
  return resolvedType.fullName === '.google.protobuf.Timestamp' ? 'timestamp' : messageType(resolvedType, above)
}

/** Fields that are not there have the default of their type in proto3, unless they know whether they were set; those are null. */
function readMessage(message: Type, value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(message.fieldsArray.map((field) => [field.name, readField(field, value)]))
}
function readField(field: ProtoField, value: Record<string, unknown>): unknown {
  const isSet = Object.hasOwn(value, field.name)
  const given = value[field.name]
  if (field.map) return new Map(Object.entries((given ?? {}) as object).map(([key, each]) => [keyOf(field, key), readValue(field, each)]))
  if (field.repeated) return ((given ?? []) as unknown[]).map((each) => readValue(field, each))
  if (!isSet && (field.partOf !== null || (field.resolvedType !== null && 'fieldsArray' in field.resolvedType))) return null
  return given === null || given === undefined ? null : readValue(field, given)
}
function keyType(field: ProtoField): string {
  return (field as unknown as { readonly keyType: string }).keyType
}
/** A key of a map as the library has it: the names of an object. */
function keyOf(field: ProtoField, key: string): unknown {
  const type = keyType(field)
  if (type === 'string') return key
  if (type === 'bool') return key === 'true'
  if (!type.endsWith('64')) return scalars[type] === 'long' ? BigInt(key) : Number(key)
  // its eight bytes as characters
  const bytes = Buffer.from(key, 'latin1')
  return isUnsigned(type) ? bytes.readBigUInt64LE() : bytes.readBigInt64LE()
}
function isUnsigned(type: string): boolean {
  return type.startsWith('u') || type.startsWith('f')
}

function readValue({ resolvedType, type }: ProtoField, value: unknown): unknown {
  if (resolvedType !== null) {
    if (!('fieldsArray' in resolvedType)) return resolvedType.valuesById[value as number] ?? String(value)
    if (resolvedType.fullName !== '.google.protobuf.Timestamp') return readMessage(resolvedType, value as Record<string, unknown>)
    const { seconds, nanos } = value as { seconds: unknown; nanos?: number }
    return Temporal.Instant.fromEpochNanoseconds(BigInt(String(seconds)) * 1_000_000_000n + BigInt(nanos ?? 0))
  }
  if (type === 'bytes') return new Uint8Array(value as Uint8Array)
  return scalars[type] === 'long' || typeof scalars[type] === 'object' ? BigInt(String(value)) : value
}

function writeMessage(message: Type, value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    message.fieldsArray.flatMap((field) => {
      const given = value[field.name]
      if (given === null || given === undefined) return []
      if (field.map)
        return [
          [
            field.name,
            Object.fromEntries([...(given as Map<unknown, unknown>)].map(([key, each]) => [String(key), writeValue(field, each)])),
          ],
        ]
      return [[field.name, field.repeated ? (given as unknown[]).map((each) => writeValue(field, each)) : writeValue(field, given)]]
    }),
  )
}
function writeValue({ resolvedType, type, name }: ProtoField, value: unknown): unknown {
  if (value === null || value === undefined)
    throw malformed(`the field ${name} has a null inside, which neither a list nor a map of Protobuf can hold`, undefined)
  if (resolvedType !== null) {
    if (!('fieldsArray' in resolvedType)) return resolvedType.values[String(value)] ?? value
    if (resolvedType.fullName !== '.google.protobuf.Timestamp') return writeMessage(resolvedType, value as Record<string, unknown>)
    const ns = (value as Temporal.Instant).epochNanoseconds
    const nanos = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
    return { seconds: longOf((ns - nanos) / 1_000_000_000n), nanos: Number(nanos) }
  }
  if (scalars[type] !== 'long' && typeof scalars[type] !== 'object') return value
  const number = BigInt(String(value))
  const bits = type.endsWith('32') ? 32 : 64
  if (isUnsigned(type) && BigInt.asUintN(bits, number) !== number)
    throw malformed(`the field ${name} is ${number}, and ${type} goes from 0 to ${2n ** BigInt(bits) - 1n}`, undefined)
  return bits === 32 ? Number(number) : longOf(number)
}
/** Protobuf's library takes 64 bits as two halves. */
function longOf(value: bigint): { low: number; high: number; unsigned: boolean } {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: value > 0x7fffffffffffffffn }
}
