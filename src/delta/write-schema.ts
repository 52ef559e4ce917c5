/** The columns that a writer brings, against those that the table has. */
import { randomUUID } from 'node:crypto'
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { typeToJson } from '../data/schema-json.ts'
import { type DataType, type Field, sameType, typeText } from '../data/types.ts'
import type { Metadata, Protocol } from './actions.ts'
import { tableSchema } from './table-schema.ts'

/** A new table's metadata. InvalidQueryError DELTA_UNSUPPORTED_TYPE for a type that Delta Lake does not have. */
export function newMetadata(
  table: string,
  schema: Schema,
  partitionColumns: readonly string[],
  nowMs: number,
  configuration: Readonly<Record<string, string>> = {},
): Metadata {
  for (const { name, type } of schema.fields) checkType(table, name, type)
  return {
    id: randomUUID(),
    format: { provider: 'parquet', options: {} },
    schemaString: schemaString(schema.fields),
    partitionColumns: [...partitionColumns],
    configuration,
    createdTime: nowMs,
  }
}

/** The least that columns and properties ask for, so that most readers can read the table. */
export function newProtocol(schema: Schema, configuration: Readonly<Record<string, string>> = {}): Protocol {
  const changes = configuration['delta.enableChangeDataFeed'] === 'true'
  const features = [
    ...(configuration['delta.enableDeletionVectors'] === 'true' ? ['deletionVectors'] : []),
    ...(schema.fields.some(({ type }) => holds(type, 'timestamp_ntz')) ? ['timestampNtz'] : []),
  ]
  if (features.length === 0) return { minReaderVersion: 1, minWriterVersion: changes ? 4 : 2 }
  const writerFeatures = [...features, 'appendOnly', 'invariants', ...(changes ? ['changeDataFeed'] : [])]
  return { minReaderVersion: 3, minWriterVersion: 7, readerFeatures: features, writerFeatures }
}

function holds(type: DataType, wanted: string): boolean {
  if (typeof type === 'string') return type === wanted
  switch (type.kind) {
    case 'decimal':
      return false
    case 'array':
      return holds(type.element, wanted)
    case 'map':
      return holds(type.key, wanted) || holds(type.value, wanted)
    case 'struct':
      return type.fields.some((field) => holds(field.type, wanted))
  }
}

function checkType(table: string, column: string, type: DataType): void {
  if (typeof type !== 'string') {
    if (type.kind === 'array') checkType(table, `${column}.element`, type.element)
    if (type.kind === 'map')
      for (const [part, of] of [
        ['key', type.key],
        ['value', type.value],
      ] as const)
        checkType(table, `${column}.${part}`, of)
    if (type.kind === 'struct') for (const field of type.fields) checkType(table, `${column}.${field.name}`, field.type)
    return
  }
  if (type !== 'void' && !type.startsWith('interval')) return
  throw new InvalidQueryError('DELTA_UNSUPPORTED_TYPE', {
    what: `the column "${column}" that is to go into the Delta table ${table} is of type ${typeText(type)}, which Delta Lake does not have`,
    todo: 'cast it first: an interval to a number or a text, a bare NULL to the type that is meant',
  })
}

function schemaString(fields: readonly Field[]): string {
  const json = fields.map(({ name, type, nullable }) => ({ name, type: typeToJson(type), nullable, metadata: {} }))
  return JSON.stringify({ type: 'struct', fields: json })
}

/**
 * The metadata after a write of these columns: the same object where nothing changes, one with new nullable columns under `mergeSchema`. InvalidQueryError
 * DELTA_FAILED_TO_MERGE_FIELDS, DELTA_SCHEMA_MISMATCH, DELTA_NOT_NULL_COLUMN_MISSING, DELTA_PARTITION_COLUMNS_MISMATCH.
 */
export function mergedMetadata(
  table: string,
  metadata: Metadata,
  schema: Schema,
  partitionBy: readonly string[],
  mergeSchema: boolean,
): Metadata {
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  const { partitionColumns } = metadata
  if (
    partitionBy.length > 0 &&
    (partitionBy.length !== partitionColumns.length || !partitionBy.every((name, i) => same(name, partitionColumns[i]!)))
  ) {
    throw new InvalidQueryError('DELTA_PARTITION_COLUMNS_MISMATCH', {
      what: `the Delta table ${table} is partitioned by [${partitionColumns.join(', ')}], and the query by [${partitionBy.join(', ')}]`,
      todo: 'leave partitionBy out: the table says how it is laid out',
    })
  }
  const known = tableSchema(table, metadata).schema
  const added: Field[] = []
  for (const field of schema.fields) {
    const there = known.fields.find(({ name }) => same(name, field.name))
    if (there === undefined) added.push({ name: field.name, type: field.type, nullable: true })
    else checkField(table, there, field)
  }
  for (const { name, nullable } of known.fields) {
    if (nullable || schema.fields.some((field) => same(field.name, name))) continue
    throw new InvalidQueryError('DELTA_NOT_NULL_COLUMN_MISSING', {
      what: `the Delta table ${table} has the column "${name}", which may not be null, and the query does not give it`,
      todo: `add the column: withColumn("${name}", …)`,
    })
  }
  if (added.length === 0) return metadata
  if (!mergeSchema) {
    throw new InvalidQueryError('DELTA_SCHEMA_MISMATCH', {
      what: `the query gives the columns [${added.map(({ name }) => name).join(', ')}], which the Delta table ${table} does not have`,
      todo: 'select the columns of the table, or let the table get them: option("mergeSchema", true)',
    })
  }
  for (const { name, type } of added) checkType(table, name, type)
  return { ...metadata, schemaString: withFields(metadata.schemaString, added) }
}

/** Fields that are there stay as they are written, with all that other writers noted beside them. */
function withFields(before: string, added: readonly Field[]): string {
  const json = JSON.parse(before) as { readonly fields: readonly unknown[] }
  const more = added.map(({ name, type }) => ({ name, type: typeToJson(type), nullable: true, metadata: {} }))
  return JSON.stringify({ ...json, fields: [...json.fields, ...more] })
}

function checkField(table: string, there: Field, given: Field): void {
  if (!sameShape(there.type, given.type)) {
    throw new InvalidQueryError('DELTA_FAILED_TO_MERGE_FIELDS', {
      what: `the column "${there.name}" of the Delta table ${table} is of type ${typeText(there.type)}, and the query gives ${typeText(given.type)}`,
      todo: `cast it: col("${given.name}").cast("${typeText(there.type)}")`,
    })
  }
  if (!there.nullable && given.nullable) {
    throw new InvalidQueryError('DELTA_NOT_NULL_CONSTRAINT_VIOLATED', {
      what: `the column "${there.name}" of the Delta table ${table} may not be null, and the query's may`,
      todo: `say what stands for null: coalesce(col("${given.name}"), …), or filter the rows`,
    })
  }
}
/** Whether rows of the one type go into files of the other; what may be null inside is not looked at. */
function sameShape(a: DataType, b: DataType): boolean {
  return sameType(loosened(a), loosened(b))
}
function loosened(type: DataType): DataType {
  if (typeof type === 'string' || type.kind === 'decimal') return type
  switch (type.kind) {
    case 'array':
      return { ...type, element: loosened(type.element), containsNull: true }
    case 'map':
      return { ...type, key: loosened(type.key), value: loosened(type.value), valueContainsNull: true }
    case 'struct':
      return { ...type, fields: type.fields.map((field) => ({ name: field.name, type: loosened(field.type), nullable: true })) }
  }
}

/** The schema in which the rows are written: the table's names as they are spelt there. */
export function namesInTable(schema: Schema, table: Schema): Schema {
  return new Schema(
    schema.fields.map((field) => ({
      ...field,
      name: table.fields.find(({ name }) => name.toLowerCase() === field.name.toLowerCase())?.name ?? field.name,
    })),
  )
}
