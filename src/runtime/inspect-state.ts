/** The state of a checkpoint as SQL tables, for `millrace state` and for programs. */
import { resolve } from 'node:path'
import { InvalidQueryError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Row } from '../data/row-set.ts'
import type { Schema } from '../data/schema.ts'
import { type Field, typeText } from '../data/types.ts'
import { columnsToRows } from '../data/values.ts'
import { CheckpointView, isVanished, steady } from '../inspect/checkpoint-view.ts'
import { distinctNames, partitionOfGroups, structShape, withPartition } from '../inspect/state-columns.ts'
import { committedBatch, requireReadable } from '../inspect/state-options.ts'
import { flatSchema, partitionsOf, storesOf } from '../inspect/state-source.ts'
import { TableDatabase, type ViewedTable } from '../sql/table-database.ts'
import { type LoadedStore, loadStores } from '../state/read-state.ts'
import { partSql } from './state-tables.ts'

export interface StateTableInfo {
  /** The name in SQL: `state_<operator>`, `state_<operator>_<store or variable>`, `timers_<operator>`. */
  readonly name: string
  readonly operatorId: number
  /** Spark's name of the operator. */
  readonly operatorName: string
  readonly storeName: string
  /** What the rows are to a function with state: group, value, list, map or timers; null for the engine's own operators. */
  readonly variable: string | null
  readonly rows: number
  readonly partitions: number
  /** Columns of the key, then those of the value, with their types as DDL. */
  readonly keys: readonly { readonly name: string; readonly type: string }[]
  readonly values: readonly { readonly name: string; readonly type: string }[]
  /** The column by which the state forgets rows, if there is one. */
  readonly expiresBy: string | null
}
export interface StateQueryResult {
  readonly schema: Schema
  readonly rows: readonly Row[]
}
export interface OpenStateOptions {
  /** The state after this batch; default the newest committed one. */
  readonly batchId?: number
  readonly files?: Files
}

/** The state of a checkpoint after one batch, held in this process until it is closed. */
export class CheckpointState {
  readonly path: string
  readonly queryId: string
  readonly batchId: number
  readonly tables: readonly StateTableInfo[]
  readonly #database: TableDatabase
  private constructor(view: CheckpointView, batchId: number, tables: readonly StateTableInfo[], database: TableDatabase) {
    this.path = view.folder
    this.queryId = view.queryId
    this.batchId = batchId
    this.tables = tables
    this.#database = database
  }

  /**
   * Reads the state; its query may be running. InvalidQueryError PATH_NOT_FOUND, STDS_COMMITTED_BATCH_UNAVAILABLE, STDS_OFFSET_LOG_UNAVAILABLE,
   * STDS_FAILED_TO_READ_STATE_SCHEMA where there is no state; CorruptCheckpointError names a damaged file.
   */
  static async open(path: string, options: OpenStateOptions = {}): Promise<CheckpointState> {
    const view = await CheckpointView.open(resolve(path), options.files)
    // the newest batch is another one when files of the first try are gone
    const { batchId, stores, partitions } = await steady(() => load(view, options.batchId)).catch(async (error) => {
      if (isVanished(error) && options.batchId !== undefined) await committedBatch(view, options.batchId)
      throw error
    })
    const shown = stores.map((store) => describe(store, stores, partitions))
    const database = await TableDatabase.open(shown.map(({ table }) => table))
    return new CheckpointState(
      view,
      batchId,
      shown.map(({ info }) => info),
      database,
    )
  }

  /** The rows of one SELECT in DuckDB's SQL over `tables`. InvalidQueryError PARSE_SYNTAX_ERROR, TABLE_OR_VIEW_NOT_FOUND. */
  async query(sql: string): Promise<StateQueryResult> {
    const columns = await this.#database.query(sql)
    return { schema: columns.schema, rows: columnsToRows(columns) }
  }
  /** The first rows of a table. InvalidQueryError TABLE_OR_VIEW_NOT_FOUND. */
  async show(table: string, limit = 20): Promise<StateQueryResult> {
    if (!this.tables.some(({ name }) => name === table)) {
      throw new InvalidQueryError('TABLE_OR_VIEW_NOT_FOUND', {
        what: `there is no table "${table}"`,
        todo: `there are ${this.tables.map(({ name }) => name).join(', ')}`,
      })
    }
    return this.query(`SELECT * FROM "${table.replaceAll('"', '""')}" LIMIT ${limit}`)
  }
  close(): void {
    this.#database.close()
  }
  [Symbol.dispose](): void {
    this.close()
  }
}

async function load(view: CheckpointView, asked: number | undefined) {
  const batchId = await committedBatch(view, asked)
  await requireReadable(view, batchId)
  const stores = await loadStores(view.state, { stores: await storesOf(view, batchId), version: batchId + 1 })
  return { batchId, stores, partitions: await partitionsOf(view, batchId) }
}

function describe(store: LoadedStore, all: readonly LoadedStore[], partitions: number): { info: StateTableInfo; table: ViewedTable } {
  const { schema, operatorId, operatorName, storeName } = store
  const { keys, values, eventTime, variable } = schema
  const keyParts = keys.length === 0 ? [] : structShape(keys, 0).parts
  const valueParts = values.length === 0 ? [] : structShape(values, keys.length).parts
  const named = distinctNames([...keyParts, ...valueParts, partitionPart(keys.length + values.length)])
  const columns = named.map((part) => ({ name: part.field.name, sql: partSql(part) }))
  const partitionOf = partitionOfGroups(store.keyGroups, partitions)
  const batches: ColumnBatch[] = Array.from(store.rows(), (batch) => withPartition(batch, partitionOf))
  const shown = named.map(({ field }) => ({ name: field.name, type: typeText(field.type) }))
  return {
    info: {
      name: tableName(store, all),
      operatorId,
      operatorName,
      storeName,
      variable: variable?.kind ?? null,
      rows: store.numRows,
      partitions,
      keys: shown.slice(0, keyParts.length),
      values: shown.slice(keyParts.length, -1),
      expiresBy: eventTime === null ? null : ('key' in eventTime ? keys[eventTime.key] : values[eventTime.value])!.name,
    },
    table: { name: tableName(store, all), flat: flatSchema(schema), batches, columns },
  }
}
const partitionPart = (column: number) => ({ kind: 'column' as const, field: partitionField, column })
const partitionField: Field = { name: 'partition_id', type: 'int', nullable: true }

/** Names that need no quotes where that is possible. */
function tableName({ operatorId, storeName, schema }: LoadedStore, all: readonly LoadedStore[]): string {
  if (schema.variable?.kind === 'timers') return `timers_${operatorId}`
  if (storeName === 'default') return `state_${operatorId}`
  const plain = (name: string) => `state_${operatorId}_${name.replaceAll(/[^A-Za-z0-9_]/g, '_')}`
  const isUnique =
    all.filter((other) => other.operatorId === operatorId && plain(other.storeName).toLowerCase() === plain(storeName).toLowerCase())
      .length === 1
  return isUnique ? plain(storeName) : `state_${operatorId}_${storeName}`
}
