/** The columns of a table: what its metadata says, and how they are called inside its files. */
import { InvalidQueryError } from '../base/errors.ts'
import type { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import { schemaFromJson } from '../plan/schema-text.ts'
import type { Metadata } from './actions.ts'
import { damagedLog } from './errors.ts'

export interface TableSchema {
  readonly schema: Schema
  /** For each column its name in the files and in partitionValues, and its type with the names that its fields have there. */
  readonly stored: readonly { readonly name: string; readonly type: DataType }[]
}

interface JsonField {
  readonly name: string
  readonly type: unknown
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** InvalidQueryError DELTA_UNSUPPORTED_TYPE where a column has a type that Millrace does not have, DELTA_SCHEMA_NOT_READABLE for what is no schema. */
export function tableSchema(table: string, metadata: Metadata): TableSchema {
  let json: { readonly fields: readonly JsonField[] }
  try {
    json = JSON.parse(metadata.schemaString) as typeof json
  } catch (cause) {
    throw damagedLog('DELTA_SCHEMA_NOT_READABLE', table, 'the schema in its metadata is no JSON', cause)
  }
  if (!Array.isArray(json?.fields))
    throw damagedLog('DELTA_SCHEMA_NOT_READABLE', table, `the schema in its metadata is ${metadata.schemaString}, and no list of columns`)
  const strange = findType(json, (type) => typeof type === 'string' && /^(variant|geometry|geography|void|null)/.test(type))
  if (strange !== undefined) {
    throw new InvalidQueryError('DELTA_UNSUPPORTED_TYPE', {
      what: `the Delta table ${table} has a column of type ${strange}, which Millrace does not have`,
      todo: 'use another engine for this table, or drop the column',
    })
  }
  const isMapped = (metadata.configuration?.['delta.columnMapping.mode'] ?? 'none') !== 'none'
  const schema = schemaFromJson(withoutCollations(json))
  const names = isMapped ? (withPhysicalNames(json) as typeof json) : (withoutCollations(json) as typeof json)
  const stored = schemaFromJson(names).fields.map(({ name, type }) => ({ name, type }))
  return { schema, stored }
}

/** The first type text in a schema that `matches`. */
function findType(json: unknown, matches: (type: unknown) => boolean): string | undefined {
  if (json === null || typeof json !== 'object') return undefined
  for (const [key, value] of Object.entries(json)) {
    if (['type', 'elementType', 'keyType', 'valueType'].includes(key) && matches(value)) return String(value)
    if (key === 'metadata') continue
    const found = findType(value, matches)
    if (found !== undefined) return found
  }
  return undefined
}

/** The schema of what lies in the files. Map keys and values and elements of arrays have no names. */
function withPhysicalNames(json: unknown): unknown {
  return mapFields(json, (field) => ({ ...field, name: String(field.metadata?.['delta.columnMapping.physicalName'] ?? field.name) }))
}
/** A collation says how texts compare; they are read as they are. */
function withoutCollations(json: unknown): unknown {
  return mapFields(json, (field) => field)
}
function mapFields(json: unknown, change: (field: JsonField) => JsonField): unknown {
  if (Array.isArray(json)) return json.map((each) => mapFields(each, change))
  if (json === null || typeof json !== 'object') return json
  const made = Object.fromEntries(Object.entries(json).map(([key, value]) => [key, key === 'metadata' ? value : mapFields(value, change)]))
  if (!('name' in made && 'type' in made)) return made
  const changed = change(made as unknown as JsonField)
  return { ...changed, metadata: {} }
}
