/** JSON Schema: which type a value has in a query. What has no type there (combinations, open objects) is refused by name. */
import { InvalidQueryError } from '../../base/errors.ts'
import { parseJsonExactly, rawNumber } from '../../base/exact-json.ts'
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
        value = parseJson(bytes.toString('utf8'))
      } catch (cause) {
        throw malformed(`the bytes are no JSON: ${(cause as Error).message}`, cause)
      }
      return read(schema, type, value, '$')
    },
    encode: (value) => Buffer.from(jsonText(written(schema, value, '$'))),
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

function allowsNull({ type }: JsonSchema): boolean {
  return type !== undefined && typeof type !== 'string' && type.includes('null')
}

function read(schema: JsonSchema, type: DataType, value: unknown, where: string): unknown {
  if (value === null || value === undefined) return null
  const kind = kindOf(schema)
  const wrong = () => malformed(`${where} is ${jsonText(value).slice(0, 60)}, and the schema says ${kind}`)
  switch (kind) {
    case 'integer': {
      const whole = typeof value === 'bigint' ? value : Number.isInteger(value) ? BigInt(value as number) : undefined
      if (whole === undefined || BigInt.asIntN(64, whole) !== whole) throw wrong()
      return whole
    }
    case 'number':
      if (typeof value !== 'number' && typeof value !== 'bigint') throw wrong()
      return Number(value)
    case 'array':
      if (!Array.isArray(value)) throw wrong()
      return value.map((each) => read(schema.items!, (type as { element: DataType }).element, each, `${where}[]`))
    case 'object': {
      if (typeof value !== 'object' || Array.isArray(value)) throw wrong()
      const missing = schema.required?.find((name) => lacks(schema, value as Record<string, unknown>, name))
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

/** A null counts as a value only where the property's own type has it. */
function lacks(schema: JsonSchema, value: Record<string, unknown>, name: string): boolean {
  const { [name]: of = {} } = schema.properties ?? {}
  return !Object.hasOwn(value, name) || ((value[name] ?? null) === null && of.type !== undefined && !allowsNull(of))
}

/** The value as JSON.stringify takes it. A property that is null is left out where its type has no null; what nobody could read by the schema is refused. */
function written(schema: JsonSchema, value: unknown, where: string): unknown {
  if (value === null || value === undefined) {
    if (allowsNull(schema)) return null
    throw malformed(`${where} is null, and the schema says ${kindOf(schema)}`)
  }
  switch (kindOf(schema)) {
    case 'number':
      if (!Number.isFinite(value)) throw malformed(`${where} is ${value}, which JSON has no number for`)
      return value
    case 'array':
      return (value as unknown[]).map((each) => written(schema.items!, each, `${where}[]`))
    case 'object': {
      const entries = value instanceof Map ? [...value] : Object.entries(value)
      const of = (name: string) => schema.properties?.[name] ?? (schema.additionalProperties as JsonSchema)
      const isGiven = ([name, each]: [string, unknown]) =>
        (each ?? null) !== null || allowsNull(of(name)) || schema.properties === undefined
      const given = Object.fromEntries(entries.filter(isGiven))
      const missing = schema.required?.find((name) => lacks(schema, given, name))
      if (missing !== undefined) throw malformed(`${where}.${missing} is null, and the schema requires it`)
      return Object.fromEntries(Object.entries(given).map(([name, each]) => [name, written(of(name), each, `${where}.${name}`)]))
    }
    default:
      return value
  }
}

/** Whole numbers beyond 2^53 as bigint. */
function parseJson(text: string): unknown {
  return parseJsonExactly(text, (digits) =>
    /^-?\d+$/.test(digits) && !Number.isSafeInteger(Number(digits)) ? BigInt(digits) : Number(digits),
  )
}
function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => (typeof each === 'bigint' ? rawNumber(String(each)) : each))
}
