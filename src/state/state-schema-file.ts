/** The columns of an operator's state as the checkpoint knows them, and whether a query may go on with them (Spark's StateSchemaCompatibilityChecker). */
import { join } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { StateColumn, StateSchema, StateValue } from '../data/state-schema.ts'
import { type DataType, type Field, typeText } from '../data/types.ts'
import { type CheckedFile, decodeChecked, encodeChecked } from './checked-text.ts'
import { damagedFile, foreignFile } from './state-errors.ts'
import { type StoreId, schemaName } from './state-files.ts'

export interface StoredSchema {
  readonly operatorId: StoreId
  readonly operatorName: string
  readonly schemaId: number
  readonly keyGroups: number
  readonly schema: StateSchema
}

/** 2: rows by number under a key, an event time among the values, one of several stores. A schema without these is written as 1, which older releases read. */
const schemaFormat = 2
function formatOf({ operatorId, schema }: StoredSchema): number {
  const isPlain =
    typeof operatorId === 'number' && schema.rowsPerKey === undefined && !(schema.eventTime !== null && 'value' in schema.eventTime)
  return isPlain ? 1 : schemaFormat
}

/** Writes a schema, over one of a start that never got to write state. */
export async function writeSchema(files: Files, folder: string, queryId: string, stored: StoredSchema): Promise<void> {
  const file = fileOf(folder, queryId, stored.operatorId, stored.schemaId)
  const text = encodeChecked(file, formatOf(stored), stored)
  if (!(await files.createExclusive(file.path, text))) await files.replace(file.path, text)
}

/** All schemas of an operator by id; none where it has no state yet. They are made durable: the run that wrote the last one may have been killed over it. */
export async function readSchemas(files: Files, folder: string, queryId: string, operatorId: StoreId): Promise<StoredSchema[]> {
  const entries = await files.list(join(folder, String(operatorId), '_schema'))
  const ids = entries
    .filter(({ name }) => /^\d+$/.test(name))
    .map(({ name }) => Number(name))
    .sort((a, b) => a - b)
  const schemas = await Promise.all(
    ids.map(async (schemaId) => {
      const file = fileOf(folder, queryId, operatorId, schemaId)
      const stored = decodeChecked(file, await files.read(file.path), schemaFormat) as unknown as StoredSchema
      if (stored.operatorId !== operatorId || stored.schemaId !== schemaId)
        throw foreignFile(file.path, `it is schema ${stored.schemaId} of operator ${stored.operatorId}`)
      if (!Array.isArray(stored.schema?.keys) || !Array.isArray(stored.schema.values)) throw damagedFile(file.path, 'it holds no schema')
      // in this order, so that a comparison by text finds no difference where there is none
      return { operatorId, operatorName: stored.operatorName, schemaId, keyGroups: stored.keyGroups, schema: stored.schema }
    }),
  )
  if (ids.length > 0) await files.sync(ids.map((schemaId) => fileOf(folder, queryId, operatorId, schemaId).path))
  return schemas
}

function fileOf(folder: string, queryId: string, operatorId: StoreId, schemaId: number): CheckedFile {
  const name = schemaName(operatorId, schemaId)
  return { queryId, name, path: join(folder, name) }
}

/**
 * The schema to work with: the new names over the stored types and nullability. Same number, order and types of columns; names may change; a column
 * may have stopped being nullable, not begun to be. InvalidQueryError otherwise.
 */
export function compatibleSchema(operatorName: string, wanted: StateSchema, stored: StateSchema): StateSchema {
  if (wanted.variable?.kind !== stored.variable?.kind) {
    throw new InvalidQueryError('STATE_STORE_INVALID_VARIABLE_TYPE_CHANGE', {
      what: `the state of ${operatorName} holds a ${stored.variable?.kind ?? 'row of columns'} for each key, and the query now wants a ${wanted.variable?.kind ?? 'row of columns'}`,
      todo: 'give the variable another name, or go back to the kind that the checkpoint was begun with',
    })
  }
  if (wanted.rowsPerKey !== stored.rowsPerKey) {
    const rows = ({ rowsPerKey }: StateSchema) => (rowsPerKey === 'many' ? 'any number of rows' : 'one row')
    throw new InvalidQueryError('STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE', {
      what: `the state of ${operatorName} holds ${rows(stored)} for a key, and the query now wants ${rows(wanted)}`,
      todo: 'go back to the operator that the checkpoint was begun with, or start the changed query with a new checkpoint',
    })
  }
  const keys = compatible('STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE', operatorName, wanted.keys, stored.keys)
  const values = compatible('STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE', operatorName, wanted.values, stored.values)
  return {
    keys,
    eventTime: wanted.eventTime,
    ...(wanted.rowsPerKey && { rowsPerKey: wanted.rowsPerKey }),
    ...(wanted.variable && { variable: wanted.variable }),
    values: values.map((column, i): StateValue => ({ ...column, merge: wanted.values[i]!.merge })),
  }
}

function compatible(
  code: string,
  operatorName: string,
  wanted: readonly (StateColumn | StateValue)[],
  stored: readonly (StateColumn | StateValue)[],
): StateColumn[] {
  const fits = wanted.length === stored.length && wanted.every((column, i) => fitsColumn(column, stored[i]!))
  if (!fits) {
    throw new InvalidQueryError(code, {
      what: `the state of ${operatorName} holds (${describe(stored)}), and the query now wants (${describe(wanted)})`,
      todo: 'go back to the aggregation that the checkpoint was begun with, or start the changed query with a new checkpoint',
    })
  }
  return wanted.map(({ name, type }, i) => ({ name, type: storedType(type, stored[i]!.type), nullable: stored[i]!.nullable }))
}

function fitsColumn(wanted: StateColumn | StateValue, stored: StateColumn | StateValue): boolean {
  const merges = 'merge' in wanted && 'merge' in stored
  return fitsType(wanted.type, stored.type) && (stored.nullable || !wanted.nullable) && (!merges || wanted.merge === stored.merge)
}
/** Spark's equalsIgnoreNameAndCompatibleNullability. */
function fitsType(wanted: DataType, stored: DataType): boolean {
  if (typeof wanted === 'string' || typeof stored === 'string') return wanted === stored
  if (wanted.kind === 'decimal') return stored.kind === 'decimal' && wanted.precision === stored.precision && wanted.scale === stored.scale
  if (wanted.kind === 'array')
    return stored.kind === 'array' && (stored.containsNull || !wanted.containsNull) && fitsType(wanted.element, stored.element)
  if (wanted.kind === 'map') {
    return (
      stored.kind === 'map' &&
      (stored.valueContainsNull || !wanted.valueContainsNull) &&
      fitsType(wanted.key, stored.key) &&
      fitsType(wanted.value, stored.value)
    )
  }
  const fits = (field: Field, other: Field) => fitsType(field.type, other.type) && (other.nullable || !field.nullable)
  return (
    stored.kind === 'struct' &&
    wanted.fields.length === stored.fields.length &&
    wanted.fields.every((field, i) => fits(field, stored.fields[i]!))
  )
}
/** Names come from the query: values in memory go by them. */
function storedType(wanted: DataType, stored: DataType): DataType {
  return typeof wanted === 'string' ? stored : wanted
}

function describe(columns: readonly (StateColumn | StateValue)[]): string {
  return columns
    .map(
      (column) =>
        `${column.name} ${typeText(column.type)}${column.nullable ? '' : ' not null'}${'merge' in column ? ` by ${column.merge}` : ''}`,
    )
    .join(', ')
}
