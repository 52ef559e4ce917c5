/** `format('statestore')`: the rows of one store of a checkpoint's state, or what batches changed in it. */
import { InvalidQueryError } from '../base/errors.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { listStoresAt, loadStores, readChanges, type StoredStore } from '../state/read-state.ts'
import type { KeyedBatch } from '../state/state-store.ts'
import { type CheckpointView, isVanished, steady } from './checkpoint-view.ts'
import { constantColumn, flatFields, partitionField, partitionOfGroups, rowNumberField, withPartition } from './state-columns.ts'
import { committedBatch, invalid, required, requireReadable, type StateReadOptions } from './state-options.ts'
import { feedFields, type StateShapes, shownFields, stateShapes } from './state-shapes.ts'

export interface StateTable extends StateShapes {
  /** The flat columns of `batches`. */
  readonly flat: Schema
  /** What is shown. */
  readonly schema: Schema
  /** Reads the rows. */
  batches(): Promise<ColumnBatch[]>
}

/** The store that the options mean, and its rows when they are asked for. Errors: STDS_… of state-options.ts, and of what is damaged. */
export async function stateTable(view: CheckpointView, read: StateReadOptions): Promise<StateTable> {
  const stores = await storesOf(view, read.changeFeed?.end ?? read.batchId)
  const store = findStore(stores, read)
  const isFeed = read.changeFeed !== null
  const shapes = stateShapes(store.schema, isFeed, read.flattenCollectionTypes)
  const flat = new Schema([...(isFeed ? feedFields : []), ...flatSchema(store.schema).fields])
  const batches = () => orGone(view, read, () => (isFeed ? changes : rowsAt)(view, stores, store, read))
  return { ...shapes, flat, schema: new Schema(shownFields(shapes)), batches }
}

/** The columns of rows as withPartition gives them. */
export function flatSchema(schema: StateSchema): Schema {
  return new Schema([...flatFields(schema), partitionField, rowNumberField])
}

/** The stores after a batch. STDS_FAILED_TO_READ_STATE_SCHEMA where the query has no state. */
export async function storesOf(view: CheckpointView, batchId: number): Promise<StoredStore[]> {
  const stores = await steady(() => listStoresAt(view.state, batchId + 1))
  if (stores.length > 0) return stores
  throw new InvalidQueryError('STDS_FAILED_TO_READ_STATE_SCHEMA', {
    what: `the checkpoint ${view.folder} has no state: its query keeps none, or has not committed a batch yet`,
    todo: 'give the checkpoint of a query with an aggregation, a deduplication, a join of streams or other state',
  })
}

function findStore(stores: readonly StoredStore[], read: StateReadOptions): StoredStore {
  const ofOperator = stores.filter(({ operatorId }) => operatorId === read.operatorId)
  const [first] = ofOperator
  if (first === undefined) {
    const ids = [...new Set(stores.map(({ operatorId, operatorName }) => `${operatorId} (${operatorName})`))]
    throw invalid('operatorId', `there is no operator ${read.operatorId}; the state has ${ids.join(', ')}`)
  }
  const names = ofOperator.map(({ storeName }) => storeName)
  const isJoin = first.operatorName === 'symmetricHashJoin'
  const who = `operator ${read.operatorId} (${first.operatorName})`
  if (read.joinSide !== 'none' && !isJoin) throw invalid('joinSide', `${who} is no join of streams`)
  if (read.readRegisteredTimers) {
    const timers = ofOperator.find(({ schema }) => schema.variable?.kind === 'timers')
    if (timers === undefined) throw invalid('readRegisteredTimers', `registered timers are not available in ${who}`)
    return timers
  }
  const variables = ofOperator.filter(({ schema }) => ['value', 'list', 'map'].includes(schema.variable?.kind ?? ''))
  if (read.stateVarName !== null) {
    const variable = variables.find(({ storeName }) => storeName === read.stateVarName)
    if (variable !== undefined) return variable
    const has = variables.length === 0 ? 'it has no state variables' : `it has ${variables.map(({ storeName }) => storeName).join(', ')}`
    throw invalid('stateVarName', `state variable ${read.stateVarName} is not defined in ${who}: ${has}`)
  }
  const wanted = read.joinSide === 'none' ? read.storeName : read.joinSide
  const found = ofOperator.find(({ storeName }) => storeName === wanted)
  if (found !== undefined) return found
  if (variables.length > 0 && read.storeName === 'default') throw required('stateVarName')
  throw invalid('storeName', `${who} has no store "${wanted}", but ${names.join(', ')}${isJoin ? '; joinSide chooses between them' : ''}`)
}

async function rowsAt(
  view: CheckpointView,
  stores: readonly StoredStore[],
  store: StoredStore,
  { batchId, snapshot }: StateReadOptions,
): Promise<ColumnBatch[]> {
  const partitions = partitionOfGroups(store.keyGroups, await partitionsOf(view, batchId))
  await requireReadable(view, batchId)
  if (snapshot !== null) await checkSnapshot(view, snapshot.startBatchId)
  const from = snapshot === null ? {} : { snapshotVersion: snapshot.startBatchId + 1 }
  const [loaded] = await loadStores(view.state, { stores, wanted: [store], version: batchId + 1, ...from })
  const rows = loaded!.rows()
  const batches = Array.from(rows, (batch) => withPartition(batch, partitions))
  return snapshot === null ? batches : batches.map((batch) => onlyPartition(batch, snapshot.partitionId))
}

/** InvalidQueryError STDS_OFFSET_LOG_UNAVAILABLE where the entry that says it is gone. */
export async function partitionsOf(view: CheckpointView, batchId: number): Promise<number> {
  const partitions = await steady(() => view.partitionsAt(batchId))
  if (partitions !== undefined) return partitions
  throw new InvalidQueryError('STDS_OFFSET_LOG_UNAVAILABLE', {
    what: `offsets/${batchId} of the checkpoint ${view.folder} is not there, which says how the state of that batch is partitioned`,
    todo: 'restore it from a backup of the checkpoint, or read the state after another batch',
  })
}

/** InvalidQueryError where no snapshots were taken after that batch. */
async function checkSnapshot(view: CheckpointView, startBatchId: number): Promise<void> {
  const names = (await view.files.list(`${view.state.folder}/manifests`)).map(({ name }) => Number.parseInt(name, 10) - 1)
  if (names.includes(startBatchId)) return
  const taken = names.filter((batch) => batch >= 0).sort((a, b) => a - b)
  throw invalid(
    'snapshotStartBatchId',
    `no snapshot was taken after batch ${startBatchId}; ${taken.length > 0 ? `there are some of ${taken.join(', ')}` : 'there is none yet'}`,
  )
}

function onlyPartition(batch: ColumnBatch, partition: number): ColumnBatch {
  const ids = batch.columns.at(-2)!
  const at: number[] = []
  if (ids.kind === 'fixed') ids.data.forEach((id, i) => Number(id) === partition && at.push(i))
  return pickRows(batch, at)
}

async function changes(
  view: CheckpointView,
  stores: readonly StoredStore[],
  store: StoredStore,
  { changeFeed }: StateReadOptions,
): Promise<ColumnBatch[]> {
  const { start, end } = changeFeed!
  await committedBatch(view, start)
  const batches: ColumnBatch[] = []
  // elements of a list come and go, and never change
  const changed = store.schema.variable?.kind === 'list' ? 'append' : 'update'
  for await (const { version, removed, updated } of readChanges(view.state, stores, store, start + 1, end + 1)) {
    const partitions = partitionOfGroups(store.keyGroups, await partitionsOf(view, version - 1))
    for (const [type, rows] of [
      ['delete', removed],
      [changed, updated],
    ] as const) {
      if (rows.rows.length > 0) batches.push(feedBatch(version - 1, type, rows, partitions))
    }
  }
  return batches
}

function feedBatch(batchId: number, type: 'update' | 'append' | 'delete', rows: KeyedBatch, partitions: Int32Array): ColumnBatch {
  const { schema, length, columns } = withPartition(rows, partitions)
  return {
    schema: new Schema([...feedFields, ...schema.fields]),
    length,
    columns: [constantColumn('long', BigInt(batchId), length), constantColumn('string', type, length), ...columns],
  }
}

/** Reads again where the running query removed files meanwhile; says so where the batch itself is gone. */
async function orGone<T>(view: CheckpointView, { batchId, changeFeed }: StateReadOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await steady(work)
  } catch (error) {
    const oldest = changeFeed?.start ?? batchId
    // where the log has it still, the state is damaged, and the error says how
    if (isVanished(error)) await committedBatch(view, oldest)
    throw error
  }
}

/** Some rows of a batch, by number. */
export function pickRows(batch: ColumnBatch, at: readonly number[]): ColumnBatch {
  if (at.length === batch.length) return batch
  const columns = batch.columns.map((column) => {
    if (column.kind === 'values') return { ...column, values: at.map((i) => column.values[i]) }
    const valid = column.valid && Uint8Array.from(at, (i) => column.valid![i]!)
    if (column.kind === 'fixed') {
      const data = column.data.slice(0, at.length)
      at.forEach((from, to) => {
        data[to] = column.data[from]!
      })
      return { ...column, data, valid }
    }
    const parts = at.map((i) => column.heap.subarray(column.offsets[i], column.offsets[i + 1]))
    const offsets = new Uint32Array(at.length + 1)
    parts.forEach((part, i) => {
      offsets[i + 1] = offsets[i]! + part.length
    })
    return { ...column, valid, offsets, heap: new Uint8Array(Buffer.concat(parts)) }
  })
  return { schema: batch.schema, length: at.length, columns }
}
