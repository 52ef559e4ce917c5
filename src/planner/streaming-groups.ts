import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { groupStateSchema, timersName, timersSchema, variableSchema } from '../data/state-layout.ts'
import type { StateColumn } from '../data/state-schema.ts'
import type { Field } from '../data/types.ts'
import { type Groups, type LogicalPlan, type OutputMode, readsBatch } from '../plan/logical-plan.ts'
import { fieldSql } from './cast-sql.ts'
import { columnKey } from './group-sql.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import { lateInput } from './late-rows.ts'
import { allColumns, type Compilation, type Needed, readInput } from './plan-sql.ts'
import type { Select } from './select-sql.ts'
import type { StatefulPlanning } from './stateful-planning.ts'
import type { PhysicalNode, PlannedStore, StatefulGroups } from './streaming-plan.ts'
import { inputWithOrigin } from './with-origin.ts'

type Input = (plan: LogicalPlan, needed: Needed) => { readonly node: PhysicalNode; readonly positions: readonly (number | undefined)[] }

/** (flat)mapGroupsWithState or transformWithState as a step with state. */
export function planGroups(plan: Groups, planning: StatefulPlanning): StatefulGroups {
  const from = partsOf(plan, (input, needed) => planning.input(input, needed))
  return groupsNode(plan, from, {
    operatorId: planning.nextOperatorId(),
    outputMode: planning.outputMode(),
    isStreaming: true,
    lateColumns: planning.lateColumns,
  })
}

/** The same of a table: one batch, with a state of its own that is forgotten. */
export function batchGroupsRows(plan: Groups, c: Compilation): Select {
  if (plan.function.kind === 'processor' && plan.function.timeMode === 'EventTime')
    throw new InvalidQueryError('UNSUPPORTED_BATCH_OPERATION', {
      what: 'transformWithState in the time mode EventTime is not supported with batch DataFrames, which have no watermark',
      todo: "give it timeMode: 'None' or 'ProcessingTime'",
    })
  const from = partsOf(plan, (input, needed) => inputWithOrigin(input, needed, c.boundary.origins?.of(input) ?? null, c.boundary))
  const step = groupsNode(plan, from, { operatorId: 0, outputMode: plan.outputMode, isStreaming: false, lateColumns: null })
  return readInput(c, {
    kind: 'batch-groups',
    inputs: step.initialState === null ? step.inputs : [...step.inputs, step.initialState.node],
    step,
    schema: step.schema,
    ...(c.boundary.keepsLetters && !readsBatch(plan) && { ofTable: true }),
  })
}

interface Parts {
  readonly input: PhysicalNode
  readonly initialState: StatefulGroups['initialState']
}

/** All columns of the rows are read: the function gets them whole. */
function partsOf(plan: Groups, input: Input): Parts {
  const rows = input(plan.input, allColumns(plan.input.schema)).node
  if (plan.initialState === null) return { input: rows, initialState: null }
  const { plan: below, keys, columns } = plan.initialState
  const { node, positions } = input(below, new Set([...keys, ...columns]))
  const cell = (column: number) => `t0.c${positions[column]!}`
  const { fields } = below.schema
  const list = [...keys, ...columns].map((column, i) => `${cell(column)} AS c${i}`)
  return {
    input: rows,
    initialState: {
      node,
      sql: `SELECT ${keyIdSql(keys.map((column) => ({ sql: cell(column), type: fields[column]!.type })))} AS key_id, ${list.join(', ')} FROM ⟦0⟧ AS t0`,
      schema: new Schema([...keys, ...columns].map((column) => fields[column]!)),
    },
  }
}

interface GroupsStep {
  readonly operatorId: number
  readonly outputMode: OutputMode
  readonly isStreaming: boolean
  readonly lateColumns: readonly Field[] | null
}

function groupsNode(
  plan: Groups,
  { input, initialState }: Parts,
  { operatorId, outputMode, isStreaming, lateColumns }: GroupsStep,
): StatefulGroups {
  const { fields } = plan.input.schema
  const { function: f } = plan
  for (const { name, column } of plan.keys) columnKey({ ...fields[column]!, name }, column, `t0.c${column}`, false) // refuses what is no key
  const keyColumns = plan.keys.map(
    ({ name, column }): StateColumn => ({ name, type: fields[column]!.type, nullable: fields[column]!.nullable }),
  )
  const time = fields.findIndex((field) => field.watermarkDelayMs !== undefined)
  const judgesLateness =
    isStreaming && time >= 0 && (f.kind === 'processor' ? f.timeMode === 'EventTime' : f.timeout === 'EventTimeTimeout')
  const keyId = keyIdSql(plan.keys.map(({ column }) => ({ sql: `t0.c${column}`, type: fields[column]!.type })))
  const cell = (column: number) => `t0.c${column}`
  const side = judgesLateness
    ? lateInput({ wanted: lateColumns, plan: plan.input, cell, time: endOf(fields[time]!, cell(time)) })
    : undefined
  const late = judgesLateness ? [`coalesce(${endOf(fields[time]!, `t0.c${time}`)} <= ⟦late⟧, false) AS late`] : []
  const schema = new Schema([
    ...input.schema.fields,
    ...(judgesLateness ? [{ name: 'late', type: 'boolean', nullable: false } as const] : []),
  ])
  return {
    kind: 'groups',
    inputs: [input],
    operatorId,
    operatorName: f.kind === 'processor' ? 'transformWithStateExec' : 'flatMapGroupsWithState',
    stores: storesOf(plan, keyColumns),
    outputMode,
    schema: plan.schema,
    outputWatermark: f.kind === 'processor' && f.timeMode !== 'ProcessingTime' ? { kind: 'same' } : { kind: 'none' },
    noDataBatches: noDataBatches(plan),
    ...(side && { late: [side] }),
    ...(f.kind === 'processor' && { customMetrics: processorMetrics }),
    function: f,
    functionMode: plan.outputMode,
    keys: plan.keys,
    rowColumns: plan.rowColumns,
    hasWatermark: time >= 0,
    rowsSql: `SELECT ${[`${keyId} AS key_id`, ...input.schema.fields.map((_, i) => `t0.c${i}`), ...late].join(', ')} FROM ⟦0⟧ AS t0`,
    rowsSchema: schema,
    judgesLateness,
    initialState,
  }
}

/** When a row is late: its time, or the end of its window. */
function endOf({ type }: Field, sql: string): string {
  return typeof type !== 'string' && type.kind === 'struct' ? fieldSql(sql, 'end') : sql
}

function storesOf({ function: f }: Groups, keys: readonly StateColumn[]): PlannedStore[] {
  if (f.kind === 'group-function') return [{ name: 'default', schema: groupStateSchema(keys, f.state, f.timeout !== 'NoTimeout') }]
  return [
    ...f.variables.map((variable) => ({ name: variable.name, schema: variableSchema(keys, variable) })),
    ...(f.timeMode === 'None' ? [] : [{ name: timersName(f.timeMode), schema: timersSchema(keys) }]),
  ]
}

function noDataBatches({ function: f }: Groups): StatefulGroups['noDataBatches'] {
  const by = f.kind === 'processor' ? f.timeMode : f.timeout
  if (by === 'ProcessingTime' || by === 'ProcessingTimeTimeout') return 'when-due'
  return by === 'EventTime' || by === 'EventTimeTimeout' ? 'when-watermark-moves' : 'never'
}

const processorMetrics = [
  'initialStateProcessingTimeMs',
  'numValueStateVars',
  'numListStateVars',
  'numMapStateVars',
  'numValueStateWithTTLVars',
  'numListStateWithTTLVars',
  'numMapStateWithTTLVars',
  'numDeletedStateVars',
  'timerProcessingTimeMs',
  'numRegisteredTimers',
  'numDeletedTimers',
  'numExpiredTimers',
  'numValuesRemovedDueToTTLExpiry',
]
