/**
 * Columns from a schema of any Standard Schema library (https://standardschema.dev) that can say itself as JSON Schema, which is Standard JSON Schema:
 * zod 4, ArkType, Valibot with its JSON Schema package. Of zod's types, dates, bigints, z.int() and z.iso.… are told apart, too; docs/types.md has the table.
 * What is read is the input side: rows are not validated, and no transformation of the library runs over them.
 */
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, sameType } from '../data/types.ts'
import type { Arr, IsAny, MapOf, Struct } from './types.ts'

// ---- what the compiler sees

/** A schema of any library of the standard. */
export interface StandardSchema {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: unknown; readonly output: unknown } | undefined
  }
}
type InputOf<Z extends StandardSchema> = NonNullable<Z['~standard']['types']>['input']

/** The columns that a library's schema of an object stands for. */
export type ColumnsOf<Z extends StandardSchema> = Z extends {
  readonly _zod: { readonly def: { readonly type: 'object'; readonly shape: infer S } }
}
  ? { -readonly [P in keyof S]: ZodColumn<S[P]> }
  : FieldsOf<InputOf<Z>>

type ZodDef<D> = { readonly _zod: { readonly def: D } }
type ZodColumn<Z> =
  Z extends ZodDef<{ readonly type: 'optional' | 'nullable' | 'default' | 'prefault'; readonly innerType: infer In }>
    ? ZodColumn<In> | null
    : Z extends ZodDef<{ readonly type: 'readonly'; readonly innerType: infer In }>
      ? ZodColumn<In>
      : Z extends ZodDef<{ readonly type: 'pipe'; readonly in: infer In }>
        ? ZodColumn<In>
        : Z extends ZodDef<{ readonly type: 'object'; readonly shape: infer S }>
          ? Struct<{ -readonly [P in keyof S]: ZodColumn<S[P]> }>
          : Z extends ZodDef<{ readonly type: 'array'; readonly element: infer E }>
            ? Arr<ZodColumn<E>>
            : Z extends ZodDef<{ readonly type: 'record'; readonly valueType: infer V }>
              ? MapOf<'string', ZodColumn<V>>
              : Z extends ZodDef<{ readonly type: 'date' }>
                ? 'timestamp'
                : Z extends ZodDef<{ readonly type: 'bigint' }>
                  ? 'long'
                  : Z extends ZodDef<{ readonly type: 'number'; readonly check: 'number_format' }>
                    ? 'long'
                    : Z extends ZodDef<{ readonly type: 'number' }>
                      ? 'double'
                      : Z extends ZodDef<{ readonly type: 'string'; readonly format: 'datetime' }>
                        ? 'timestamp'
                        : Z extends ZodDef<{ readonly type: 'string'; readonly format: 'date' }>
                          ? 'date'
                          : Z extends StandardSchema
                            ? FromInput<InputOf<Z>>
                            : never

type FieldsOf<J> = { -readonly [P in keyof J & string]-?: FromInput<J[P]> }
/** The SQL type of a JavaScript type, where a library says no more. A number is a double, since whole ones look the same to the compiler. */
type FromInput<J> =
  IsAny<J> extends true
    ? any
    : J extends null | undefined
      ? null
      : J extends string
        ? 'string'
        : J extends number
          ? 'double'
          : J extends bigint
            ? 'long'
            : J extends boolean
              ? 'boolean'
              : J extends Date
                ? 'timestamp'
                : J extends readonly (infer E)[]
                  ? Arr<FromInput<E>>
                  : J extends object
                    ? string extends keyof J
                      ? MapOf<'string', FromInput<J[keyof J]>>
                      : Struct<FieldsOf<J>>
                    : never

// ---- run time

/** Whether it is a schema of the standard: libraries make them objects or functions. */
export function isStandardSchema(schema: unknown): schema is StandardSchema {
  return schema !== null && (typeof schema === 'object' || typeof schema === 'function') && '~standard' in schema
}

type Json = Readonly<Record<string, unknown>>
interface Converter {
  readonly input: (options: { target: string; libraryOptions?: Json }) => Json
}

/** The columns. InvalidQueryError INVALID_SCHEMA names the field that can't be one. */
export function standardColumns(schema: StandardSchema): Schema {
  const { vendor, jsonSchema } = schema['~standard'] as { vendor: string; jsonSchema?: Converter }
  if (typeof jsonSchema?.input !== 'function') {
    throw new InvalidQueryError('INVALID_SCHEMA', {
      what: `the schema is of ${vendor}, which does not say itself as JSON Schema (Standard JSON Schema)`,
      todo: 'use a version that does, or write the columns with t: { id: t.long(), at: t.timestamp() }',
    })
  }
  let json: Json
  try {
    json = jsonSchema.input({ target: 'draft-2020-12', ...(vendor === 'zod' && { libraryOptions: zodOptions }) })
  } catch (cause) {
    throw new InvalidQueryError('INVALID_SCHEMA', {
      what: `${vendor} can't say the schema as JSON Schema: ${cause instanceof Error ? cause.message : String(cause)}`,
      todo: 'leave out what has no form in JSON, or write the columns with t: { id: t.long(), at: t.timestamp() }',
      cause,
    })
  }
  if (json['type'] !== 'object' || typeof json['properties'] !== 'object')
    throw noType('', json, 'the schema of a row is an object with a property for each column')
  return new Schema(fieldsOf('', json))
}

/** What JSON Schema can't say of zod's types goes into a keyword of ours. */
const keyword = 'x-millrace-type'
interface ZodVisit {
  readonly zodSchema: { readonly _zod: { readonly def: Readonly<Record<string, unknown>> } }
  readonly jsonSchema: Record<string, unknown>
}
const zodOptions = {
  unrepresentable: 'any',
  override({ zodSchema, jsonSchema }: ZodVisit) {
    const { type, format, check } = zodSchema._zod.def
    const isWhole = type === 'number' && check === 'number_format' && /int/.test(String(format))
    if (type === 'date' || (type === 'string' && format === 'datetime')) jsonSchema[keyword] = 'timestamp'
    else if (type === 'string' && format === 'date') jsonSchema[keyword] = 'date'
    else if (type === 'bigint' || isWhole) jsonSchema[keyword] = 'long'
    else if (type === 'number' && check === 'number_format') jsonSchema[keyword] = `z.${String(format)}()`
  },
}

function fieldsOf(path: string, json: Json): Field[] {
  const required = new Set(json['required'] as readonly string[] | undefined)
  return Object.entries(json['properties'] as Record<string, Json>).map(([name, property]) => {
    const { type, nullable } = typeOf(path === '' ? name : `${path}.${name}`, property)
    return { name, type, nullable: nullable || !required.has(name) }
  })
}

interface Found {
  readonly type: DataType
  readonly nullable: boolean
}
const isNull = (json: Json) => json['type'] === 'null' || json['const'] === null

function typeOf(path: string, json: Json): Found {
  const either = (json['anyOf'] ?? json['oneOf']) as readonly Json[] | undefined
  if (either !== undefined) {
    const given = either.filter((one) => !isNull(one)).map((one) => typeOf(path, one))
    const [first] = given
    if (first === undefined || given.some(({ type }) => !sameType(type, first.type)))
      throw noType(path, json, 'several types in one column')
    return { type: first.type, nullable: given.some((one) => one.nullable) || given.length < either.length }
  }
  const types = json['type']
  if (Array.isArray(types)) {
    const given = types.filter((type) => type !== 'null')
    if (given.length !== 1) throw noType(path, json, 'several types in one column')
    return { type: plainType(path, { ...json, type: given[0] }), nullable: given.length < types.length }
  }
  const values = (json['enum'] ?? ('const' in json ? [json['const']] : undefined)) as readonly unknown[] | undefined
  if (types === undefined && values !== undefined) {
    const kinds = [...new Set(values.filter((value) => value !== null).map((value) => typeof value))]
    if (kinds.length !== 1) throw noType(path, json, 'values of several types')
    return { type: plainType(path, { type: kinds[0] }), nullable: values.includes(null) }
  }
  return { type: plainType(path, json), nullable: false }
}

function plainType(path: string, json: Json): DataType {
  const own = json[keyword]
  if (own === 'timestamp' || own === 'date' || own === 'long') return own
  if (typeof own === 'string') throw noType(path, json, `${own} looks like z.int() to the compiler; write z.number()`)
  switch (json['type']) {
    case 'string':
      return 'string'
    case 'boolean':
      return 'boolean'
    case 'number':
    case 'integer':
      return 'double'
    case 'array':
      return arrayType(path, json)
    case 'object':
      return objectType(path, json)
    default:
      throw noType(path, json, '$ref' in json ? 'a schema that refers to itself' : 'nothing says of which type it is')
  }
}

function arrayType(path: string, json: Json): DataType {
  const items = json['items']
  if ('prefixItems' in json || Array.isArray(items)) throw noType(path, json, 'a tuple; use an object')
  if (typeof items !== 'object' || items === null) throw noType(`${path}[]`, json, 'nothing says of which type the elements are')
  const { type, nullable } = typeOf(`${path}[]`, items as Json)
  return { kind: 'array', element: type, containsNull: nullable }
}

function objectType(path: string, json: Json): DataType {
  const properties = json['properties']
  const others = json['additionalProperties']
  const hasOthers = typeof others === 'object' && others !== null && Object.keys(others).length > 0
  if (typeof properties === 'object' && properties !== null && Object.keys(properties).length > 0) {
    if (hasOthers) throw noType(path, json, 'named properties and any others besides')
    return { kind: 'struct', fields: fieldsOf(path, json) }
  }
  if (!hasOthers) throw noType(path, json, 'an object of which no property is known')
  const { type, nullable } = typeOf(`${path}[key]`, others as Json)
  return { kind: 'map', key: 'string', value: type, valueContainsNull: nullable }
}

function noType(path: string, json: Json, why: string): InvalidQueryError {
  const text = JSON.stringify(json)
  return new InvalidQueryError('INVALID_SCHEMA', {
    what: `${path === '' ? 'the schema' : `the field ${path}`} can't become a column: ${why} (${text.length > 120 ? `${text.slice(0, 117)}...` : text})`,
    todo: 'change the field, or write the columns with t: { id: t.long(), at: t.timestamp() }',
  })
}
