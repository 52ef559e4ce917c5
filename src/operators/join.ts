/**
 * A join of two streams. Each side's rows are kept until its state watermark says that nothing can match them any more. In a batch
 *
 *     new left × (stored right + new right)   and   stored left × new right
 *
 * are the pairs that no batch before has given: SQL finds them over the batch's rows and the stored rows of the batch's keys. Then the new rows are stored, and
 * what the watermark has passed leaves; a row of an outer side that was never matched leaves with nulls beside it.
 *
 * Rows have numbers: new ones 0, 1, …, stored ones −1, −2, … in the order in which the store gave them.
 */
import { rowMemory } from '../data/array-pool.ts'
import { type Column, type ColumnBatch, emptyColumns, type FixedColumn } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import { eventTimeIndex, type StateSchema } from '../data/state-schema.ts'
import type { FoundKeyedRows, KeyedBatch, StateStore } from '../state/state-store.ts'
import { distinctKeys } from './distinct-keys.ts'
import { withLate } from './late.ts'
import type { BatchWatermarks, Rows, RowsApart, StepContext, StepResult, StepSql } from './step.ts'
import { takeIds, takeKeys } from './take.ts'

/** A join as the planner describes it (planner/streaming-plan.ts). */
export interface JoinStep {
  readonly how: 'inner' | 'left' | 'right' | 'full' | 'semi'
  readonly left: JoinSideStep
  readonly right: JoinSideStep
  readonly stores: readonly { readonly name: string; readonly schema: StateSchema }[]
  readonly pairsSql: string
  readonly pairsSchema: Schema
  readonly pairsApart: RowsApart | null
  readonly schema: Schema
}
export interface JoinSideStep {
  readonly rowsSql: string
  readonly rowsSchema: Schema
  readonly storedSql: string
  readonly storedSchema: Schema
  readonly unmatchedSql: string | null
  readonly evictionOffsetMs: number | null
  /** Columns of a row that are stored, without `matched`. */
  readonly columns: number
  /** Whether rows carry a flag: 0 late, 1 fails the side's own part of the condition, 2 neither. */
  readonly hasFlag: boolean
}

type SideName = 'left' | 'right'
const late = 0
const unjoinable = 1
const joinable = 2

/** One batch. */
export async function runJoin(step: JoinStep, context: StepContext): Promise<StepResult> {
  const startMs = performance.now()
  const coming = { left: newRows(step, 'left', context), right: newRows(step, 'right', context) }
  // what the state has for one side is looked up while SQL is busy with the rows of the other
  const [storedRight, storedLeft] = await Promise.all([
    coming.left.then((left) => lookUp(step, 'right', context, left)),
    coming.right.then((right) => lookUp(step, 'left', context, right)),
  ])
  const left: Side = { ...(await coming.left), stored: storedLeft.stored }
  const right: Side = { ...(await coming.right), stored: storedRight.stored }
  const pairs = await findPairs(step, context.sql, { left, right, storedLeft: storedLeft.rows, storedRight: storedRight.rows })
  const matched = await matchedRows(step, context.sql, pairs, left, right)
  markStored(left, matched.left)
  markStored(right, matched.right)
  const removedByMatch = step.how === 'semi' ? left.store.remove(takeIds(left.stored.keyIds, matched.left.stored)) : 0
  // many pairs are computed by DuckDB's threads while this one is busy with the state
  const computing =
    pairs && step.how === 'inner' && left.fresh.rows.length + right.fresh.rows.length > largeBatch ? context.sql.materialize(pairs) : null
  computing?.catch(() => {}) // asked for below
  if (computing) await nextTurn()
  const rowsUpdated = storeLeft(step, left, matched.left) + storeRight(step, right, matched.right, context.watermarks)
  const updatedMs = performance.now()
  // the state has copied what it keeps, and DuckDB has rows of its own
  for (const { crossed } of [left, right]) context.sql.release(crossed)
  const gone = { left: evict(left, context.watermarks), right: evict(right, context.watermarks) }
  await computing
  const output = await outputOf(step, context.sql, pairs, [
    { side: left, gone: gone.left.unmatched },
    { side: right, gone: gone.right.unmatched },
  ])
  const metrics = {
    rowsUpdated,
    rowsRemoved: removedByMatch + removedCount(step.how, gone.left.removed, gone.right.removed),
    rowsDroppedByWatermark: left.lateRows + right.lateRows,
    updatesMs: updatedMs - startMs,
    removalsMs: performance.now() - updatedMs,
  }
  return { output, metrics }
}

/** From so many rows on. */
const largeBatch = 16_384
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Spark counts what its own clean-up removes, and not what leaves an outer side to be given out. */
function removedCount(how: JoinStep['how'], left: number, right: number): number {
  return how === 'full' ? 0 : how === 'left' ? right : how === 'right' ? left : left + right
}

/** A side's new rows. */
interface NewRows {
  readonly name: SideName
  readonly step: JoinSideStep
  readonly schema: StateSchema
  readonly store: StateStore
  /** All new rows, late ones too. */
  readonly all: Rows
  /** Those that may be joined; null where there are none. */
  readonly live: Rows | null
  readonly hasUnjoinable: boolean
  /** Those that may be joined, as they are stored, and their numbers in the batch. */
  readonly fresh: KeyedBatch
  readonly numbers: Uint32Array | null
  readonly lateRows: number
  /** How many rows there are in the batch, late ones too. */
  readonly rowCount: number
  /** What `fresh` was made of. */
  readonly crossed: KeyedBatch
}
/** And the rows that it has stored under the keys of the other side's new rows. */
interface Side extends NewRows {
  readonly stored: FoundKeyedRows
}

async function newRows(step: JoinStep, name: SideName, { sql, inputs, store, watermarks }: StepContext): Promise<NewRows> {
  const own = step[name]
  const input = inputs[name === 'left' ? 0 : 1]!
  const all = await sql.materialize(sql.fragment(withLate(own.rowsSql, watermarks), [input], own.rowsSchema))
  const { keyIds, rows } = await sql.keyedColumns(own.storedSql, [all], own.storedSchema)
  const { schema } = step.stores.find((each) => each.name === name)!
  const width = schema.keys.length + schema.values.length
  const stored: ColumnBatch = {
    schema: new Schema(rows.schema.fields.slice(0, width)),
    length: rows.length,
    columns: rows.columns.slice(0, width),
  }
  const flags = own.hasFlag ? (rows.columns.at(-1) as FixedColumn).data : null
  const counts = countFlags(flags, rows.length)
  const numbers = counts[joinable] === rows.length ? null : rowsWithFlag(flags!, joinable, counts[joinable])
  const batch = { keyIds, rows: stored }
  const fresh = numbers === null ? batch : takeKeys(batch, numbers)
  return {
    name,
    step: own,
    schema,
    store: store(name),
    all,
    live: fresh.rows.length === 0 ? null : numbers === null ? all : await sql.materialize(withFlag(sql, own, all, joinable)),
    hasUnjoinable: counts[unjoinable] > 0,
    fresh,
    numbers,
    lateRows: counts[late],
    rowCount: rows.length,
    crossed: { keyIds, rows },
  }
}

function withFlag(sql: StepSql, { rowsSchema }: JoinSideStep, all: Rows, flag: number): Rows {
  return sql.fragment(`SELECT * FROM ⟦0⟧ AS t0 WHERE t0.c${rowsSchema.fields.length - 1} = ${flag}`, [all], rowsSchema)
}

function countFlags(flags: FixedColumn['data'] | null, length: number): [late: number, unjoinable: number, joinable: number] {
  const counts: [number, number, number] = [0, 0, 0]
  if (flags === null) counts[joinable] = length
  else for (let i = 0; i < length; i++) counts[flags[i] as 0 | 1 | 2]++
  return counts
}
function rowsWithFlag(flags: FixedColumn['data'], flag: number, count: number): Uint32Array {
  const numbers = new Uint32Array(count)
  for (let i = 0, end = 0; i < flags.length; i++) if (flags[i] === flag) numbers[end++] = i
  return numbers
}

interface PairInputs {
  readonly left: NewRows
  readonly right: NewRows
  readonly storedLeft: Rows | null
  readonly storedRight: Rows | null
}

/** The pairs as relations that together hold each once. Other joins than inner know the rows of both sides by number, in the last two columns (semi: one). */
async function findPairs(step: JoinStep, sql: StepSql, { left, right, storedLeft, storedRight }: PairInputs): Promise<Rows | null> {
  const join = (a: Rows, b: Rows) => {
    const pairs = sql.fragment(step.pairsSql, [a, b], step.pairsSchema)
    if (step.pairsApart) sql.splitWhereItFails(pairs, step.pairsApart)
    return pairs
  }
  const parts: Rows[] = []
  if (left.live) {
    if (step.how === 'semi') {
      const others = [right.live && storable(sql, right), storedRight].filter((rows) => rows !== null)
      if (others.length > 0) parts.push(join(left.live, union(sql, others)))
    } else for (const others of [right.live, storedRight]) if (others) parts.push(join(left.live, others))
  }
  if (storedLeft && right.live) parts.push(join(storedLeft, right.live))
  if (parts.length === 0) return null
  const all = union(sql, parts)
  return step.how === 'inner' ? all : sql.materialize(all)
}

/** The columns that a stored row has too, and the number behind them. */
function storable(sql: StepSql, { live, step }: NewRows): Rows {
  const fields = step.rowsSchema.fields.slice(0, step.columns + 1)
  if (fields.length === step.rowsSchema.fields.length) return live!
  return sql.fragment(`SELECT ${fields.map((_, i) => `t0.c${i}`).join(', ')} FROM ⟦0⟧ AS t0`, [live!], new Schema(fields))
}

/** The rows that a side has stored under the keys of the other side's new rows; as a relation null where there are none. */
async function lookUp(
  step: JoinStep,
  name: SideName,
  { sql, store }: StepContext,
  other: NewRows,
): Promise<{ readonly stored: FoundKeyedRows; readonly rows: Rows | null }> {
  const keys = distinctKeys(other.fresh.keyIds)
  const stored = store(name).lookup(keys)
  rowMemory.give(keys)
  const { rows } = stored
  if (rows.length === 0) return { stored, rows: null }
  const numbered = step.how !== 'inner'
  const { columns, rowsSchema } = step[name]
  const numbers: Column[] = numbered ? [{ kind: 'fixed', type: 'int', data: countDown(rows.length), valid: null }] : []
  const schema = new Schema(rowsSchema.fields.slice(0, columns + numbers.length))
  return { stored, rows: await sql.loadOwn({ schema, length: rows.length, columns: [...rows.columns.slice(0, columns), ...numbers] }) }
}

/** -1, -2, … */
function countDown(length: number): Int32Array {
  const numbers = new Int32Array(length)
  for (let i = 0; i < length; i++) numbers[i] = -1 - i
  return numbers
}

function union(sql: StepSql, parts: readonly Rows[]): Rows {
  if (parts.length === 1) return parts[0]!
  return sql.fragment(parts.map((_, i) => `SELECT * FROM ⟦${i}⟧`).join(' UNION ALL '), parts, parts[0]!.schema)
}

/** Which rows of a side are in a pair. */
interface Matched {
  /** 1 for a row of that number in the batch that is. */
  readonly fresh: Uint8Array
  /** By place in Side.stored, each once. */
  readonly stored: Uint32Array
}
const noneMatched: Matched = { fresh: new Uint8Array(0), stored: new Uint32Array(0) }

async function matchedRows(
  step: JoinStep,
  sql: StepSql,
  pairs: Rows | null,
  left: Side,
  right: Side,
): Promise<Readonly<Record<SideName, Matched>>> {
  if (step.how === 'inner' || pairs === null) return { left: noneMatched, right: noneMatched }
  const at = step.schema.fields.length
  const { columns } = await sql.columnsAt(pairs, step.how === 'semi' ? [at] : [at, at + 1])
  const of = (column: Column | undefined, side: Side) =>
    column === undefined ? noneMatched : matchedOf((column as FixedColumn).data as Int32Array, side)
  return { left: of(columns[0], left), right: of(columns[1], right) }
}
function matchedOf(numbers: Int32Array, { rowCount, stored }: Side): Matched {
  const fresh = new Uint8Array(rowCount)
  const isMatched = new Uint8Array(stored.rows.length)
  let count = 0
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!
    if (number >= 0) fresh[number] = 1
    else if (isMatched[-1 - number] === 0) {
      isMatched[-1 - number] = 1
      count++
    }
  }
  const places = new Uint32Array(count)
  for (let place = 0, end = 0; place < isMatched.length; place++) if (isMatched[place] === 1) places[end++] = place
  return { fresh, stored: places }
}

/** Stored rows of an outer side that have now been matched remember it. */
function markStored({ stored, store, step }: Side, matched: Matched): void {
  if (step.unmatchedSql === null) return
  const before = flagsOf(stored.rows)
  const changed = matched.stored.filter((place) => before[place] === 0)
  if (changed.length === 0) return
  const rows = takeKeys(stored, changed)
  flagsOf(rows.rows).fill(1)
  store.put(rows)
}

/** Whether each row was matched: the last column of an outer side's state. */
function flagsOf(rows: ColumnBatch): Uint8Array {
  return (rows.columns.at(-1) as FixedColumn).data as Uint8Array
}

function markFresh({ fresh, numbers, step }: Side, matched: Matched): void {
  if (step.unmatchedSql === null) return
  const flags = flagsOf(fresh.rows)
  for (let i = 0; i < flags.length; i++) flags[i] = matched.fresh[numbers ? numbers[i]! : i] ?? 0
}

function storeLeft({ how }: JoinStep, left: Side, matched: Matched): number {
  markFresh(left, matched)
  const isDone = ({ numbers }: Side, i: number) => how === 'semi' && matched.fresh[numbers ? numbers[i]! : i] === 1
  return storeRows(left, (i) => !isDone(left, i))
}

/** What this batch evicts has met all that it can match, and need not be stored, unless it is to be given out as unmatched. */
function storeRight({ how }: JoinStep, right: Side, matched: Matched, watermarks: BatchWatermarks): number {
  markFresh(right, matched)
  const boundUs = stateWatermarkUs(right, watermarks)
  if (boundUs === null) return storeRows(right, () => true)
  const { data, valid } = right.fresh.rows.columns[eventTimeIndex(right.schema)!] as FixedColumn
  // by halves of 64 bits: each bigint would be an object
  const words = new Int32Array(data.buffer, data.byteOffset, 2 * right.fresh.rows.length)
  const boundHigh = Number(boundUs >> 32n)
  const boundLow = Number(boundUs & 0xffff_ffffn)
  const isOuter = how === 'right' || how === 'full'
  const flags = isOuter ? flagsOf(right.fresh.rows) : null
  const isReached = (i: number) => words[2 * i + 1]! < boundHigh || (words[2 * i + 1] === boundHigh && words[2 * i]! >>> 0 <= boundLow)
  const isDue = (i: number) => (valid === null || valid[i] === 1) && isReached(i)
  return storeRows(right, (i) => !isDue(i) || flags?.[i] === 0)
}

function storeRows({ fresh, store }: Side, isKept: (row: number) => boolean): number {
  const kept = new Uint32Array(fresh.rows.length)
  let count = 0
  for (let i = 0; i < kept.length; i++) if (isKept(i)) kept[count++] = i
  if (count === 0) return 0
  const { keyIds, rows } = count === kept.length ? fresh : takeKeys(fresh, kept.subarray(0, count))
  const ids = store.newRowIds(keyIds)
  store.put({ keyIds: ids, rows })
  rowMemory.give(ids)
  return count
}

/** At or below it a stored row has nothing left to wait for; null where rows are kept for ever. */
function stateWatermarkUs({ step }: Side, { evictionUs }: BatchWatermarks): bigint | null {
  return evictionUs === null || step.evictionOffsetMs === null ? null : evictionUs + BigInt(step.evictionOffsetMs) * 1000n
}

function evict(side: Side, watermarks: BatchWatermarks): { readonly removed: number; readonly unmatched: ColumnBatch | null } {
  const boundUs = stateWatermarkUs(side, watermarks)
  if (boundUs === null) return { removed: 0, unmatched: null }
  const { rows, removed } = side.store.evict(boundUs, side.step.unmatchedSql !== null)
  if (side.step.unmatchedSql === null || removed === 0) return { removed, unmatched: null }
  const flags = flagsOf(rows)
  let count = 0
  for (let i = 0; i < flags.length; i++) if (flags[i] === 0) count++
  const left = rowsWithFlag(flags, 0, count)
  if (left.length === 0) return { removed, unmatched: null }
  const { rows: unmatched } = left.length === flags.length ? { rows } : takeKeys({ keyIds: new Uint32Array(flags.length * 4), rows }, left)
  return { removed, unmatched }
}

/** Pairs; rows that nothing can match; rows that nothing has matched. */
async function outputOf(
  { how, schema }: JoinStep,
  sql: StepSql,
  pairs: Rows | null,
  sides: readonly { readonly side: Side; readonly gone: ColumnBatch | null }[],
): Promise<Rows> {
  const parts: Rows[] = []
  if (pairs) {
    const list = schema.fields.map((_, i) => `t0.c${i}`).join(', ')
    parts.push(how === 'inner' ? pairs : sql.fragment(`SELECT ${list} FROM ⟦0⟧ AS t0`, [pairs], schema))
  }
  for (const { side, gone } of sides) {
    const { unmatchedSql, columns } = side.step
    if (unmatchedSql === null) continue
    if (side.hasUnjoinable) parts.push(sql.fragment(unmatchedSql, [withFlag(sql, side.step, side.all, unjoinable)], schema))
    if (gone) {
      const fields = new Schema(gone.schema.fields.slice(0, columns))
      const rows = await sql.loadOwn({ schema: fields, length: gone.length, columns: gone.columns.slice(0, columns) })
      parts.push(sql.fragment(unmatchedSql, [rows], schema))
    }
  }
  return parts.length === 0 ? sql.load(emptyColumns(schema)) : union(sql, parts)
}
