/**
 * Which rows of a batch take a sum out of its type. A sum that overflows is the fault of no row alone, but the last one that fits can be told: in each group whose sum leaves its
 * type, what the state has and the batch's rows are added in the rows' order, and a row that does not fit any more is left out. A row that belongs to several groups (sliding
 * windows) is left out of all of them, which may take another group out of its type; so it is looked at again until all sums fit.
 */
import { InvalidQueryError } from '../base/errors.ts'
import type { Column, FixedColumn } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { typeText } from '../data/types.ts'
import type { StateStore } from '../state/state-store.ts'
import { leavesRange } from '../state/sum-overflow.ts'
import { numberKeys } from './distinct-keys.ts'
import { withLate } from './late.ts'
import type { BatchWatermarks, RowError, Rows, StepSql } from './step.ts'

/** As the planner describes it (planner/streaming-plan.ts, SumRows). */
export interface SumRowsStep {
  readonly rowsSql: string
  readonly rowsSchema: Schema
  readonly columns: readonly number[]
  readonly names: readonly string[]
  readonly partialSql: string
}

export function isOverflow(error: unknown): error is InvalidQueryError {
  return error instanceof InvalidQueryError && error.code === 'ARITHMETIC_OVERFLOW'
}

/** The rows by their number, and why; none where only groups that are late leave their type. */
export async function rowsThatOverflow(
  step: SumRowsStep,
  sql: StepSql,
  input: Rows,
  store: StateStore,
  watermarks: BatchWatermarks,
): Promise<ReadonlyMap<number, RowError>> {
  const { keyIds, rows } = await sql.keyedColumns(withLate(step.rowsSql, watermarks), [input], step.rowsSchema)
  const [row, late, ...added] = rows.columns as readonly [FixedColumn, FixedColumn, ...Column[]]
  const { numbers, distinct } = numberKeys(keyIds)
  const stands = stateOf(store, distinct, step.columns)
  const order = Uint32Array.from({ length: rows.length }, (_, i) => i).filter((i) => late.data[i] === 0)
  order.sort((a, b) => Number(row.data[a]!) - Number(row.data[b]!) || a - b)
  const sums = added.map((column, s): Sum => {
    const value = valuesOf(column)
    return { name: step.names[s]!, type: column.type, stands: (group) => stands(group, s), added: value }
  })
  return leaveOut(sums, order, numbers, (i) => Number(row.data[i]!), distinct.length / 4)
}

/** One sum of all groups. */
interface Sum {
  readonly name: string
  readonly type: Column['type']
  readonly stands: (group: number) => bigint
  readonly added: (entry: number) => bigint
}

/** `order`: the entries (a row in a group) by row. */
function leaveOut(
  sums: readonly Sum[],
  order: Uint32Array,
  groupOf: Uint32Array,
  rowOf: (entry: number) => number,
  groups: number,
): ReadonlyMap<number, RowError> {
  const out = new Map<number, RowError>()
  for (;;) {
    const failing = failingGroups(sums, order, groupOf, rowOf, groups, out)
    if (failing.size === 0) return out
    // what the batch has added to each group so far
    const running = sums.map(() => new Map<number, bigint>())
    for (let from = 0, to = 0; from < order.length; from = to) {
      const row = rowOf(order[from]!)
      while (to < order.length && rowOf(order[to]!) === row) to++
      const entries = out.has(row) ? [] : Array.from(order.subarray(from, to)).filter((entry) => failing.has(groupOf[entry]!))
      const error = entries.map((entry) => doesNotFit(sums, running, entry, groupOf[entry]!)).find((each) => each !== undefined)
      if (error) out.set(row, error)
      else for (const entry of entries) add(sums, running, entry, groupOf[entry]!)
    }
  }
}

function failingGroups(
  sums: readonly Sum[],
  order: Uint32Array,
  groupOf: Uint32Array,
  rowOf: (entry: number) => number,
  groups: number,
  out: ReadonlyMap<number, RowError>,
): Set<number> {
  const failing = new Set<number>()
  for (const { type, stands, added } of sums) {
    const totals = new Array<bigint>(groups).fill(0n)
    for (const entry of order) if (!out.has(rowOf(entry))) totals[groupOf[entry]!]! += added(entry)
    totals.forEach((total, group) => {
      if (leavesRange(type, total) || leavesRange(type, stands(group) + total)) failing.add(group)
    })
  }
  return failing
}

function doesNotFit(sums: readonly Sum[], running: readonly Map<number, bigint>[], entry: number, group: number): RowError | undefined {
  for (const [s, { name, type, stands, added }] of sums.entries()) {
    const now = running[s]!.get(group) ?? 0n
    // what a batch adds is a sum of its own before it meets the state's
    if (!leavesRange(type, now + added(entry)) && !leavesRange(type, stands(group) + now + added(entry))) continue
    return {
      code: 'ARITHMETIC_OVERFLOW',
      what: `the sum "${name}" of the row's group leaves the range of ${typeText(type)}: it stands at ${stands(group) + now}, ${now} of it from this batch, with ${added(entry)} to add${inUnits(type)}`,
    }
  }
  return undefined
}
function inUnits(type: Column['type']): string {
  return typeof type !== 'string' && type.kind === 'decimal' && type.scale > 0 ? ` (in units of the last of ${type.scale} digits)` : ''
}
function add(sums: readonly Sum[], running: readonly Map<number, bigint>[], entry: number, group: number): void {
  for (const [s, { added }] of sums.entries()) running[s]!.set(group, (running[s]!.get(group) ?? 0n) + added(entry))
}

/** What the state has of each of the groups; 0 where that is nothing. */
function stateOf(store: StateStore, ids: Uint32Array, columns: readonly number[]): (group: number, sum: number) => bigint {
  const { asked, rows } = store.get(ids)
  const at = new Map(Array.from(asked, (group, i) => [group, i]))
  const values = columns.map((c) => valuesOf(rows.columns[c]!))
  return (group, sum) => {
    const i = at.get(group)
    return i === undefined ? 0n : values[sum]!(i)
  }
}

/** A column of longs or decimals as whole numbers; 0 for null, which adds nothing. */
export function valuesOf(column: Column): (i: number) => bigint {
  if (column.kind === 'values') return (i) => (column.values[i] ?? 0n) as bigint
  const { data, valid } = column as FixedColumn
  return (i) => (valid !== null && valid[i] === 0 ? 0n : BigInt(data[i] as bigint))
}
