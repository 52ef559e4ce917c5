import { assert, InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { StateSchema } from '../data/state-schema.ts'
import type { Field } from '../data/types.ts'
import type { Deduplicate } from '../plan/logical-plan.ts'
import { fieldSql } from './cast-sql.ts'
import { cellsByKey, columnKey, type GroupKey } from './group-sql.ts'
import { keyIdSql } from './key-encoding-sql.ts'
import { lateInput, neededForLate } from './late-rows.ts'
import type { Needed } from './plan-sql.ts'
import type { StatefulPlanning } from './stateful-planning.ts'
import type { StatefulDedupe } from './streaming-plan.ts'

/** Columns of the input of a deduplication. */
export interface DedupeColumns {
  /** Those that it reads or passes on: the ones needed above it, the compared ones, the event time, and those of late rows. */
  readonly kept: Needed
  readonly eventTime: number | undefined
}

export function dedupeColumns(plan: Deduplicate, needed: Needed, wanted: readonly Field[] | null): DedupeColumns {
  const read = new Set([...needed, ...plan.keys])
  const eventTime = eventTimeColumn(plan, read)
  if (eventTime === undefined) return { kept: read, eventTime }
  return { kept: new Set([...read, eventTime, ...neededForLate(wanted, plan.input)]), eventTime }
}

/**
 * Where the event time lies: a column of the input that is read, as in Spark, which leaves out the others before it looks. Within the watermark it is read
 * always. InvalidQueryError MULTIPLE_EVENT_TIME_COLUMNS where there are several.
 */
function eventTimeColumn({ input, withinWatermark }: Deduplicate, read: Needed): number | undefined {
  const isRead = (i: number) => withinWatermark || read.has(i)
  const marked = input.schema.fields.flatMap((field, i) => (field.watermarkDelayMs === undefined || !isRead(i) ? [] : [i]))
  assert(!withinWatermark || marked.length > 0, 'dropDuplicatesWithinWatermark has an event time')
  if (marked.length <= 1) return marked[0]
  throw new InvalidQueryError('MULTIPLE_EVENT_TIME_COLUMNS', {
    what: `More than one event time columns are available: ${marked.map((i) => input.schema.fields[i]!.name).join(' and ')} both carry a watermark`,
    todo: 'drop one of them before dropDuplicates',
  })
}

/** A deduplication as a step with state; it passes on the columns `kept` of its input. */
export function planDedupe(plan: Deduplicate, { kept, eventTime }: DedupeColumns, planning: StatefulPlanning) {
  const { node: input, positions } = planning.input(plan.input, kept)
  const { fields } = plan.input.schema
  const cell = (column: number) => `t0.c${positions[column]!}`
  const keys = plan.keys.map((column) => columnKey(fields[column]!, column, cell(column), column === eventTime))
  const time = eventTime === undefined ? undefined : timeOf(fields[eventTime]!, cell(eventTime))
  const row = `c${input.schema.fields.length}`
  const stateSchema = stateSchemaOf(plan, keys)
  const late = time === undefined ? undefined : lateInput({ wanted: planning.lateColumns, plan: plan.input, cell, time })
  const rowNumber: Field = { name: 'row', type: 'long', nullable: false }
  const node: StatefulDedupe = {
    kind: 'dedupe',
    inputs: [input],
    operatorId: planning.nextOperatorId(),
    operatorName: plan.withinWatermark ? 'dedupeWithinWatermark' : 'dedupe',
    stores: [{ name: 'default', schema: stateSchema }],
    outputMode: planning.outputMode(),
    schema: input.schema,
    outputWatermark: { kind: 'same' },
    noDataBatches: 'when-watermark-moves',
    customMetrics: ['numDroppedDuplicateRows'],
    ...(late && { late: [late] }),
    numberedSql: `SELECT t0.*, row_number() OVER () - 1 AS ${row} FROM ⟦0⟧ AS t0`,
    numberedSchema: new Schema([...input.schema.fields, rowNumber]),
    keysSql: keysSql(keys, `t0.${row}`, time, plan.withinWatermark ? fields[eventTime!]!.watermarkDelayMs! : undefined),
    keysSchema: new Schema([
      ...[...stateSchema.keys, ...stateSchema.values].map(({ name, type, nullable }): Field => ({ name, type, nullable })),
      { name: 'first row', type: 'long', nullable: true },
      { name: 'rows', type: 'long', nullable: false },
      { name: 'late rows', type: 'long', nullable: false },
    ]),
    pickedSql: `SELECT ${input.schema.fields.map((_, i) => `t0.c${i}`).join(', ')} FROM ⟦0⟧ AS t0 SEMI JOIN ⟦1⟧ AS t1 ON t0.${row} = t1.c0`,
  }
  return { node, positions }
}

/** When the row is late: its time, or the end of its window. */
function timeOf({ type }: Field, sql: string): string {
  return typeof type !== 'string' && type.kind === 'struct' ? fieldSql(sql, 'end') : sql
}

/** An entry goes by its event time, if that is among the compared columns, or (within the watermark) when its first row is as old as the watermark's delay. */
function stateSchemaOf({ withinWatermark }: Deduplicate, keys: readonly GroupKey[]): StateSchema {
  const parts = keys.flatMap((key) =>
    key.parts.map(({ name, type, nullable }, i) => ({ name, type, nullable, isTime: i === key.eventTimePart })),
  )
  const timeKey = parts.findIndex(({ isTime }) => isTime)
  return {
    keys: parts.map(({ name, type, nullable }) => ({ name, type, nullable })),
    values: withinWatermark ? [{ name: 'expiresAtMicros', type: 'timestamp', nullable: false, merge: 'replace' }] : [],
    eventTime: withinWatermark ? { value: 0 } : timeKey < 0 ? null : { key: timeKey },
  }
}

/** One row a key. Rows without a time are never late; within the watermark they count as of 1970, as in Spark. */
function keysSql(keys: readonly GroupKey[], row: string, time: string | undefined, delayMs: number | undefined): string {
  const late = time === undefined ? 'false' : `coalesce(${time} <= ⟦late⟧, false)`
  const grouped = keys.flatMap((key) => key.grouped)
  const inTime = `FILTER (WHERE NOT ${late})`
  const counts = [`min(${row}) ${inTime}`, `count(*) ${inTime}`, `count(*) FILTER (WHERE ${late})`]
  const firstTime = delayMs === undefined ? [] : [`arg_min(coalesce(${time}, TIMESTAMP '1970-01-01'), ${row}) ${inTime}`]
  const inner = [...grouped, ...counts, ...firstTime].map((sql, i) => `${sql} AS c${i}`).join(', ')
  const groupBy = grouped.length === 0 ? '' : ` GROUP BY ${grouped.map((_, i) => i + 1).join(', ')}`
  const cells = grouped.map((_, i) => `t1.c${i}`)
  const parts = cellsByKey(keys, cells, (key) => key.grouped.length).flatMap(({ key, own }) =>
    key.parts.map((part) => ({ sql: part.sql(own), type: part.type, isNeverNull: key.isNeverNull })),
  )
  const at = grouped.length
  const expires =
    delayMs === undefined
      ? []
      : [`make_timestamp(${laterUs(`epoch_us(coalesce(t1.c${at + 3}, TIMESTAMP '1970-01-01'))`, BigInt(delayMs) * 1000n)}) AS a0`]
  const list = [
    `${keyIdSql(parts)} AS key_id`,
    ...parts.map(({ sql }, i) => `${sql} AS k${i}`),
    ...expires,
    ...counts.map((_, i) => `t1.c${at + i} AS n${i}`),
  ]
  return `SELECT ${list.join(', ')} FROM (SELECT ${inner} FROM ⟦0⟧ AS t0${groupBy}) AS t1`
}

/** Not past the last time that there is. */
function laterUs(us: string, delayUs: bigint): string {
  return `least(${us}, ${2n ** 63n - 2n - delayUs}) + ${delayUs}`
}
