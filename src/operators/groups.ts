/** One batch of a function with state: rows by key become objects here, and nowhere before. */
import { InvalidQueryError } from '../base/errors.ts'
import type { ColumnBatch, FixedColumn } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { ProcessorFunction, StateFunction } from '../data/state-function.ts'
import type { Field } from '../data/types.ts'
import type { KeyedBatch } from '../state/state-store.ts'
import { FailedCalls } from './groups/failed-calls.ts'
import type { BatchTimes } from './groups/group-state.ts'
import { groupRows, KeySet, type RowGroups } from './groups/key-set.ts'
import { ProcessorRun } from './groups/processor-run.ts'
import { runGroupFunction } from './groups/run-group-function.ts'
import { CollectedRows } from './groups/user-rows.ts'
import { loadAll } from './load-all.ts'
import type { CallsThatFailed, StepContext, StepResult } from './step.ts'
import { takeKeys } from './take.ts'

/** (flat)mapGroupsWithState or transformWithState as the planner describes it (planner/streaming-plan.ts). */
export interface GroupsStep {
  readonly function: StateFunction
  readonly keys: readonly { readonly name: string; readonly column: number }[]
  readonly rowColumns: number
  readonly hasWatermark: boolean
  readonly rowsSql: string
  readonly rowsSchema: Schema
  readonly judgesLateness: boolean
  readonly initialState: { readonly sql: string; readonly schema: Schema } | null
  readonly schema: Schema
}

/** The processors of the steps that run, each from its first batch to `closeGroups`. */
const running = new WeakMap<GroupsStep, ProcessorRun>()

export async function runGroups(step: GroupsStep, context: StepContext): Promise<StepResult> {
  const { function: f } = step
  const { watermarks, batchTimestampMs } = context
  const { kept, groups, lateRows } = await rowsByKey(step, context)
  const failed = context.keepFailedCalls ? new FailedCalls() : null
  const output = new CollectedRows(step.schema, (rows) => checkEventTimes(step, rows, watermarks.evictionUs))
  const watermarkMs = watermarks.evictionUs === null ? (step.hasWatermark ? -1 : null) : Number(watermarks.evictionUs / 1000n)
  const times: BatchTimes = { nowMs: batchTimestampMs, watermarkMs: step.hasWatermark ? watermarkMs : null }
  const initial = await initialStates(step, context)
  const shared = { groups, initial, times, output, failed }
  const counts =
    f.kind === 'processor'
      ? await processorOf(step, f, context).batch({ ...shared, query: context.query })
      : await runGroupFunction({
          ...shared,
          function: f,
          skipsInitialKeys: context.skipsInitialKeys,
          store: context.store(),
          checkMemory: context.checkMemory,
          checkStop: context.checkStop,
          keyColumns: step.keys.length,
          timedOutBeforeMs: f.timeout === 'NoTimeout' ? null : f.timeout === 'EventTimeTimeout' ? watermarkMs : batchTimestampMs,
          keysOf: (batch) => keysOf(step, batch),
        })
  if (failed) await context.keepFailedCalls!(failedOf(failed, groups, kept, counts.callsWithoutRows))
  const batches = output.finish()
  return { output: await loadAll(context.sql, batches, step.schema), metrics: { ...counts, rowsDroppedByWatermark: lateRows } }
}

/** What calls that failed leave: their rows, in the order in which they came. */
function failedOf({ ofRows, others }: FailedCalls, groups: RowGroups, kept: KeyedBatch, callsWithoutRows: number): CallsThatFailed {
  const found = [...ofRows].flatMap(([index, error]) => Array.from(groups.numbersAt(index), (row) => ({ row, error })))
  found.sort((a, b) => a.row - b.row)
  const { rows } = takeKeys(
    kept,
    Uint32Array.from(found, ({ row }) => row),
  )
  return { rowsGiven: kept.rows.length, callsWithoutRows, rows, errors: found.map(({ error }) => error), others }
}

/** Ends the run of a step's processor, if it has begun. */
export async function closeGroups(step: GroupsStep): Promise<void> {
  const run = running.get(step)
  running.delete(step)
  await run?.close()
}

function processorOf(
  step: GroupsStep,
  f: ProcessorFunction,
  { store, storeIfThere, isDeleted, checkMemory, checkStop, salt, keepFailedCalls }: StepContext,
): ProcessorRun {
  const known = running.get(step)
  if (known) return known
  const run = new ProcessorRun(f, {
    keys: keyFields(step),
    store: (name) => store(name),
    storeIfThere,
    isDeleted,
    checkMemory,
    checkStop,
    salt,
    takesBack: keepFailedCalls !== undefined,
  })
  running.set(step, run)
  return run
}

interface RowsByKey {
  readonly kept: KeyedBatch
  readonly groups: RowGroups
  readonly lateRows: number
}
async function rowsByKey(step: GroupsStep, { sql, inputs, watermarks }: StepContext): Promise<RowsByKey> {
  const late = watermarks.lateUs === null ? 'NULL::TIMESTAMP' : `make_timestamp(${watermarks.lateUs})`
  const found = await sql.keyedColumns(step.rowsSql.replaceAll('⟦late⟧', late), inputs, step.rowsSchema)
  const kept = step.judgesLateness ? withoutLate(found) : found
  return { kept, groups: groupRows(kept, step.keys, step.rowColumns), lateRows: found.rows.length - kept.rows.length }
}

function withoutLate(found: KeyedBatch): KeyedBatch {
  const { data } = found.rows.columns.at(-1) as FixedColumn
  if (!data.includes(1 as never)) return found
  const numbers = new Uint32Array(found.rows.length)
  let count = 0
  for (let row = 0; row < numbers.length; row++) if (data[row] === 0) numbers[count++] = row
  return takeKeys(found, numbers.subarray(0, count))
}

async function initialStates(step: GroupsStep, { sql, query, initialState }: StepContext): Promise<RowGroups | null> {
  if (step.initialState === null || query.batchId > 0) return null
  const found = await sql.keyedColumns(step.initialState.sql, [await initialState()], step.initialState.schema)
  const keys = step.keys.map(({ name }, column) => ({ name, column }))
  const { fields } = step.initialState.schema
  return groupRows(
    found,
    keys,
    Array.from({ length: fields.length - keys.length }, (_, i) => keys.length + i),
  )
}

function keyFields({ keys, rowsSchema }: GroupsStep): Field[] {
  return keys.map(({ name, column }): Field => ({ ...rowsSchema.fields[column]!, name }))
}
/** Of rows of a store with one row a key. */
function keysOf(step: GroupsStep, { keyIds, rows }: KeyedBatch): KeySet {
  const fields = keyFields(step)
  return new KeySet(keyIds, { schema: new Schema(fields), length: rows.length, columns: rows.columns.slice(0, fields.length) })
}

/** The steps above count on the watermark: what is older would be dropped there as late. */
function checkEventTimes({ function: f }: GroupsStep, { columns, length, schema }: ColumnBatch, watermarkUs: bigint | null): void {
  if (f.kind !== 'processor' || f.eventTimeColumn === null || watermarkUs === null) return
  const { data, valid } = columns[f.eventTimeColumn] as FixedColumn
  for (let row = 0; row < length; row++) {
    const timeUs = data[row] as bigint
    if (timeUs >= watermarkUs || (valid !== null && valid[row] === 0)) continue
    const at = (us: bigint) => new Date(Number(us / 1000n)).toISOString()
    throw new InvalidQueryError('EMITTING_ROWS_OLDER_THAN_WATERMARK_NOT_ALLOWED', {
      what: `${f.name} gave a row whose ${schema.names[f.eventTimeColumn]} is ${at(timeUs)}, older than the watermark ${at(watermarkUs)}`,
      todo: 'give rows with an event time at or after timerValues.getCurrentWatermarkInMs()',
    })
  }
}
