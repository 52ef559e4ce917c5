/** `format('statestore')`: the rows of one store of a checkpoint's state, or what batches changed in it. */
import { InvalidQueryError } from '../base/errors.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { listStores, loadStores, readChanges, type StoredStore } from '../state/read-state.ts'
import type { KeyedBatch } from '../state/state-store.ts'
import { type CheckpointView, isVanished, steady } from './checkpoint-view.ts'
import { constantColumn, flatFields, nullColumn, partitionOfGroups, type StructShape, structShape, withPartition } from './state-columns.ts'
import { committedBatch, invalid, type StateReadOptions } from './state-options.ts'

/** How the columns of a DataFrame are made of flat ones. */
export type StateOutput =
  | { readonly kind: 'column'; readonly field: Field; readonly column: number }
  | {
      readonly kind: 'struct'
      readonly field: Field
      readonly shape: StructShape /** Null where this column is 'delete'. */
      readonly unlessDelete?: number
    }

export interface StateTable {
  /** The flat columns of `batches`. */
  readonly flat: Schema
  /** What is shown. */
  readonly outputs: readonly StateOutput[]
  /** Reads the rows. */
  batches(): Promise<ColumnBatch[]>
}
export function schemaOfTable({ outputs }: StateTable): Schema {
  return new Schema(outputs.map(({ field }) => field))
}

/** The store that the options mean, and its rows when they are asked for. Errors: STDS_… of state-options.ts, and of what is damaged. */
export async function stateTable(view: CheckpointView, read: StateReadOptions): Promise<StateTable> {
  const stores = await storesOf(view)
  const store = findStore(stores, read)
  const { keys, values } = store.schema
  const before: Field[] = read.changeFeed === null ? [] : feedFields
  const key = structShape(keys, before.length)
  const value = structShape(values, before.length + keys.length)
  const flat = new Schema([...before, ...flatFields(store.schema), partitionField])
  const outputs: StateOutput[] = [
    ...before.map((field, column): StateOutput => ({ kind: 'column', field, column })),
    { kind: 'struct', field: { name: 'key', type: key.type, nullable: true }, shape: key },
    {
      kind: 'struct',
      field: { name: 'value', type: value.type, nullable: true },
      shape: value,
      ...(read.changeFeed !== null && { unlessDelete: 1 }),
    },
    { kind: 'column', field: partitionField, column: flat.fields.length - 1 },
  ]
  const batches = () =>
    orGone(view, read, () => (read.changeFeed === null ? rowsAt(view, stores, store, read) : changes(view, stores, store, read)))
  return { flat, outputs, batches }
}
const partitionField: Field = { name: 'partition_id', type: 'int', nullable: true }
const feedFields: Field[] = [
  { name: 'batch_id', type: 'long', nullable: true },
  { name: 'change_type', type: 'string', nullable: true },
]

/** STDS_FAILED_TO_READ_STATE_SCHEMA where the query has no state. */
export async function storesOf(view: CheckpointView): Promise<StoredStore[]> {
  const stores = await steady(() => listStores(view.state))
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
  const isJoin = first.operatorName === 'symmetricHashJoin'
  if (read.joinSide !== 'none' && !isJoin)
    throw invalid('joinSide', `operator ${read.operatorId} is ${first.operatorName} and no join of streams`)
  const wanted = read.joinSide === 'none' ? read.storeName : read.joinSide
  const found = ofOperator.find(({ storeName }) => storeName === wanted)
  if (found !== undefined) return found
  const names = ofOperator.map(({ storeName }) => storeName).join(', ')
  throw invalid(
    'storeName',
    `operator ${read.operatorId} (${first.operatorName}) has no store "${wanted}", but ${names}${isJoin ? '; joinSide chooses between them' : ''}`,
  )
}

async function rowsAt(
  view: CheckpointView,
  stores: readonly StoredStore[],
  store: StoredStore,
  { batchId, snapshot }: StateReadOptions,
): Promise<ColumnBatch[]> {
  const partitions = partitionOfGroups(store.keyGroups, await view.partitionsAt(batchId))
  if (snapshot !== null) await checkSnapshot(view, snapshot.startBatchId)
  const loaded = await loadStores(view.state, stores, batchId + 1, snapshot === null ? undefined : snapshot.startBatchId + 1)
  const rows = loaded.find(({ id }) => id === store.id)!.rows()
  const batches = Array.from(rows, (batch) => withPartition(batch, partitions))
  return snapshot === null ? batches : batches.map((batch) => onlyPartition(batch, snapshot.partitionId))
}

/** InvalidQueryError where no snapshots were taken after that batch. */
async function checkSnapshot(view: CheckpointView, startBatchId: number): Promise<void> {
  const names = (await view.files.list(`${view.state.folder}/manifests`)).map(({ name }) => Number.parseInt(name, 10) - 1)
  if (names.includes(startBatchId)) return
  const taken = names.filter((batch) => batch >= 0).sort((a, b) => a - b)
  throw invalid(
    'snapshotStartBatchId',
    `no snapshot was taken after batch ${startBatchId}; there are some of ${taken.length > 0 ? taken.join(', ') : 'no batch'}`,
  )
}

function onlyPartition(batch: ColumnBatch, partition: number): ColumnBatch {
  const ids = batch.columns.at(-1)!
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
  for await (const { version, store: of, removed, updated } of readChanges(view.state, stores, start + 1, end + 1)) {
    if (of.id !== store.id) continue
    const partitions = partitionOfGroups(store.keyGroups, await view.partitionsAt(version - 1))
    for (const [type, rows] of [
      ['delete', removed],
      ['update', updated],
    ] as const) {
      if (rows.rows.length > 0) batches.push(feedBatch(version - 1, type, rows, partitions, store.schema.keys.length))
    }
  }
  return batches
}

function feedBatch(batchId: number, type: 'update' | 'delete', rows: KeyedBatch, partitions: Int32Array, keys: number): ColumnBatch {
  const { schema, length, columns } = withPartition(rows, partitions)
  const shown = columns.map((column, i) => (type === 'delete' && i >= keys && i < columns.length - 1 ? nullColumn(column, length) : column))
  return {
    schema: new Schema([...feedFields, ...schema.fields]),
    length,
    columns: [constantColumn('long', BigInt(batchId), length), constantColumn('string', type, length), ...shown],
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
