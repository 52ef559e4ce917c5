/** JSON Schema: which type a value has in a query. What has no type there (combinations, open objects) is refused by name. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { DataType, Field } from '../../data/types.ts'
import type { Codec } from './codec.ts'

interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly additionalProperties?: boolean | JsonSchema
}

/** A codec for objects of a JSON Schema: properties and their types are enforced, other keywords (formats, bounds) are not looked at. */
export function jsonSchemaCodec(text: string): Codec {
  const schema = JSON.parse(text) as JsonSchema
  const type = typeOf(schema, '$')
  return {
    type,
    decode(bytes) {
      let value: unknown
      try {
        value = JSON.parse(bytes.toString('utf8'))
      } catch (cause) {
        throw malformed(`the bytes are no JSON: ${(cause as Error).message}`, cause)
      }
      return read(schema, type, value, '$')
    },
    encode: (value) => Buffer.from(JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? Number(each) : each))),
  }
}

function malformed(what: string, cause?: unknown): InvalidQueryError {
  return new InvalidQueryError('MALFORMED_JSON_MESSAGE', {
    what,
    todo: "see which schema it was written with, or give option mode: 'PERMISSIVE', which makes null of it",
    cause,
  })
}

const scalars: Readonly<Record<string, DataType>> = { string: 'string', integer: 'long', number: 'double', boolean: 'boolean' }

function kindOf({ type }: JsonSchema): string | undefined {
  const kinds = (typeof type === 'string' ? [type] : (type ?? [])).filter((each) => each !== 'null')
  return kinds.length === 1 ? kinds[0] : undefined
}
function typeOf(schema: JsonSchema, where: string): DataType {
  const kind = kindOf(schema)
  if (kind !== undefined && scalars[kind]) return scalars[kind]
  if (kind === 'array' && schema.items) return { kind: 'array', element: typeOf(schema.items, `${where}[]`), containsNull: true }
  if (kind === 'object' && schema.properties) {
    const fields = Object.entries(schema.properties).map(
      ([name, of]): Field => ({ name, type: typeOf(of, `${where}.${name}`), nullable: true }),
    )
    return { kind: 'struct', fields }
  }
  if (kind === 'object' && typeof schema.additionalProperties === 'object')
    return { kind: 'map', key: 'string', value: typeOf(schema.additionalProperties, `${where}.*`), valueContainsNull: true }
  throw new InvalidQueryError('UNSUPPORTED_JSON_SCHEMA', {
    what: `${where} of the JSON Schema has no one type: ${JSON.stringify(schema).slice(0, 100)}`,
    todo: 'only objects with properties, arrays with items, strings, numbers and booleans have types in a query; read the value with from_json otherwise',
  })
}

function read(schema: JsonSchema, type: DataType, value: unknown, where: string): unknown {
  if (value === null || value === undefined) return null
  const kind = kindOf(schema)
  const wrong = () => malformed(`${where} is ${JSON.stringify(value).slice(0, 60)}, and the schema says ${kind}`)
  switch (kind) {
    case 'integer':
      if (!Number.isInteger(value)) throw wrong()
      return BigInt(value as number)
    case 'array':
      if (!Array.isArray(value)) throw wrong()
      return value.map((each) => read(schema.items!, (type as { element: DataType }).element, each, `${where}[]`))
    case 'object': {
      if (typeof value !== 'object' || Array.isArray(value)) throw wrong()
      const missing = schema.required?.find((name) => !Object.hasOwn(value, name))
      if (missing !== undefined) throw malformed(`${where} has no ${missing}, which the schema requires`)
      const of = schema.additionalProperties as JsonSchema
      if (typeof type === 'object' && type.kind === 'map')
        return new Map(Object.entries(value).map(([key, each]) => [key, read(of, type.value, each, `${where}.${key}`)]))
      const { fields } = type as { fields: readonly Field[] }
      return Object.fromEntries(
        fields.map((field) => [
          field.name,
          read(schema.properties![field.name]!, field.type, (value as Record<string, unknown>)[field.name], `${where}.${field.name}`),
        ]),
      )
    }
    default:
      if (typeof value !== kind) throw wrong()
      return value
  }
}
