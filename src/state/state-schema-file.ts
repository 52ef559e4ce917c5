/** The columns of an operator's state as the checkpoint knows them, one file a schema. */
import { join } from 'node:path'
import { FencedError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { type CheckedFile, decodeChecked, encodeChecked } from './checked-text.ts'
import type { ColumnSource } from './match-columns.ts'
import { damagedFile, foreignFile } from './state-errors.ts'
import { type StoreId, schemaName } from './state-files.ts'

export interface StoredSchema {
  readonly operatorId: StoreId
  readonly operatorName: string
  /** StateOperator.kind */
  readonly kind?: string
  readonly schemaId: number
  readonly keyGroups: number
  readonly schema: StateSchema
  /** How rows of an earlier schema become rows of this one; absent: the store began with it. */
  readonly migration?: StoreMigration
}
export interface StoreMigration {
  /** The id of the earlier schema. */
  readonly from: number
  /** One a column, keys then values. */
  readonly sources: readonly ColumnSource[]
  /** Whether identities are made anew, since the keys are encoded otherwise. */
  readonly newIds: boolean
}

/** A store that the checkpoint has, with all schemas in which its files may be written. */
export interface StoredStore {
  readonly versions: readonly StoredSchema[]
  /** The schema of the version that was asked for. */
  readonly current: StoredSchema
  /** Whether that version has the store at all: an operator that was removed leaves its files behind. */
  readonly isCurrent: boolean
}

/**
 * 2: rows by number under a key, an event time among the values, one of several stores; 3: rows of an earlier schema. A schema without these is written as 1,
 * which older releases read.
 */
const schemaFormat = 3
function formatOf({ operatorId, schema, migration }: StoredSchema): number {
  if (migration !== undefined) return schemaFormat
  const isPlain =
    typeof operatorId === 'number' && schema.rowsPerKey === undefined && !(schema.eventTime !== null && 'value' in schema.eventTime)
  return isPlain ? 1 : 2
}

/** Writes a schema. The first of a store may be over one of a start that never got to write state; of the others another run may have committed state. */
export async function writeSchema(files: Files, folder: string, queryId: string, stored: StoredSchema): Promise<void> {
  const file = fileOf(folder, queryId, stored.operatorId, stored.schemaId)
  const text = encodeChecked(file, formatOf(stored), stored)
  if (await files.createExclusive(file.path, text)) return
  if (stored.schemaId === 0) return files.replace(file.path, text)
  throw new FencedError('CONCURRENT_STREAM_LOG_UPDATE', {
    what: `${file.path} was there already, though only this run may write it`,
    todo: 'stop one of the two runs of this checkpoint',
  })
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
      const { operatorName, kind, keyGroups, schema, migration } = stored
      return { operatorId, operatorName, ...(kind !== undefined && { kind }), schemaId, keyGroups, schema, ...(migration && { migration }) }
    }),
  )
  if (ids.length > 0) await files.sync(ids.map((schemaId) => fileOf(folder, queryId, operatorId, schemaId).path))
  return schemas
}

function fileOf(folder: string, queryId: string, operatorId: StoreId, schemaId: number): CheckedFile {
  const name = schemaName(operatorId, schemaId)
  return { queryId, name, path: join(folder, name) }
}
