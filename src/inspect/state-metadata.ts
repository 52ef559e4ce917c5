/** `format('state-metadata')`: a row for each store of each operator with state. */
import { Options } from '../base/options.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import type { StoredStore } from '../state/read-state.ts'
import { type CheckpointView, steady } from './checkpoint-view.ts'
import { committedBatch, invalid } from './state-options.ts'
import { storesOf } from './state-source.ts'

export const stateMetadataSchema = new Schema([
  { name: 'operatorId', type: 'long', nullable: true },
  { name: 'operatorName', type: 'string', nullable: true },
  { name: 'stateStoreName', type: 'string', nullable: true },
  { name: 'numPartitions', type: 'int', nullable: true },
  { name: 'minBatchId', type: 'long', nullable: true },
  { name: 'maxBatchId', type: 'long', nullable: true },
  { name: 'operatorProperties', type: 'string', nullable: true },
  { name: '_numColsPrefixKey', type: 'int', nullable: true },
])

/** The batch that the options mean: the newest committed one unless `batchId` says another. */
export async function metadataBatch(options: Readonly<Record<string, string>>, view: CheckpointView): Promise<number> {
  const given = new Options('the source "state-metadata"', options, ['path', 'batchId']).text('batchId')
  if (given !== undefined && !/^\s*\d+\s*$/.test(given))
    throw invalid('batchId', `a whole number from 0 up is expected, not ${JSON.stringify(given)}`)
  return committedBatch(view, given === undefined ? undefined : Number(given))
}

/** The rows as they are after a batch. */
export async function stateMetadata(view: CheckpointView, batchId: number): Promise<Row[]> {
  const stores = await storesOf(view, batchId)
  const committed = await view.committedIds()
  const numPartitions = (await steady(() => view.partitionsAt(batchId))) ?? null
  const shapes = (await view.runs()).runs.flatMap(({ shape }) => shape?.operators ?? [])
  // no start changes it
  const outputModeOf = (id: number) =>
    shapes.findLast(({ operatorId, stateFunction }) => operatorId === id && stateFunction)?.stateFunction?.outputMode
  return stores.map(({ operatorId, operatorName, storeName, schema }) => ({
    operatorId: BigInt(operatorId),
    operatorName,
    stateStoreName: storeName,
    numPartitions,
    minBatchId: BigInt(committed[0] ?? batchId),
    maxBatchId: BigInt(committed.at(-1) ?? batchId),
    operatorProperties: propertiesOf(
      stores.filter((store) => store.operatorId === operatorId),
      outputModeOf(operatorId),
    ),
    // how many columns find the rows of a key: those of a key with any number of rows
    _numColsPrefixKey: schema.rowsPerKey === 'many' ? schema.keys.length : 0,
  }))
}

const variableTypes: Readonly<Record<string, string>> = { value: 'ValueState', list: 'ListState', map: 'MapState' }

/** What Spark says of transformWithState: its time mode, which the timers show, its output mode where a run's record is there, and its variables. Other operators have none. */
function propertiesOf(stores: readonly StoredStore[], mode: string | undefined): string {
  const timers = stores.find(({ schema }) => schema.variable?.kind === 'timers')
  const stateVariables = stores.flatMap(({ storeName, schema: { variable } }) => {
    const stateVariableType = variableTypes[variable?.kind ?? '']
    return stateVariableType === undefined ? [] : [{ stateName: storeName, stateVariableType, ttlEnabled: variable?.ttl ?? false }]
  })
  if (stateVariables.length === 0 && timers === undefined) return ''
  const timeMode = timers === undefined ? 'NoTime' : timers.storeName === '$procTimers' ? 'ProcessingTime' : 'EventTime'
  const outputMode = mode && `${mode[0]!.toUpperCase()}${mode.slice(1)}`
  return JSON.stringify({ timeMode, ...(outputMode && { outputMode }), stateVariables })
}
