/**
 * Aggregation by session windows. SQL makes pieces of sessions out of the batch's rows; here they are put together with each other and with the stored sessions of
 * their keys. Sessions of a key that overlap or touch are one, so that those in the state never do. Only keys of the batch are looked at.
 */
import { assert } from '../base/errors.ts'
import type { ColumnBatch, FixedColumn } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { foldRows, keepsOtherForm } from '../state/fold-rows.ts'
import type { FoundKeyedRows, KeyedBatch, StateStore } from '../state/state-store.ts'
import { numberKeys } from './distinct-keys.ts'
import { withLate } from './late.ts'
import { loadAll } from './load-all.ts'
import { isOverflow } from './rows-that-overflow.ts'
import { sameRows } from './same-columns.ts'
import { rowsThatOverflowSessions, type SessionSumsStep } from './sessions-that-overflow.ts'
import type { Rows, StepContext, StepResult } from './step.ts'
import { concatColumns, takeColumns, takeIds, takeKeys } from './take.ts'

/** An aggregation by sessions as the planner describes it (planner/streaming-plan.ts). */
export interface SessionStep {
  readonly piecesSql: string
  readonly piecesSchema: Schema
  readonly stores: readonly { readonly schema: StateSchema }[]
  readonly outputMode: 'append' | 'update' | 'complete'
  readonly schema: Schema
  readonly sums: SessionSumsStep | null
}

/** One batch. */
export async function runSession(step: SessionStep, { sql, inputs, store, watermarks, setRowsAside }: StepContext): Promise<StepResult> {
  assert(step.outputMode !== 'update', 'sessions in update mode were refused before')
  const ask = (text: string, rows: readonly Rows[]) => sql.keyedColumns(withLate(text, watermarks), rows, step.piecesSchema)
  const { schema } = step.stores[0]!
  let startMs = performance.now()
  const merge = (found: KeyedBatch) => {
    startMs = performance.now()
    const { pieces, lateRows } = splitLate(found)
    const merged = { ...mergeSessions(store(), schema, pieces), lateRows }
    // the state has copied what it keeps
    sql.release(found)
    return merged
  }
  const { sums } = step
  const { updated, removed, lateRows } = await ask(step.piecesSql, inputs)
    .then(merge)
    .catch(async (error: unknown) => {
      if (sums === null || !setRowsAside || !isOverflow(error)) throw error
      const rows = await sql.materialize(inputs[0]!)
      const refused = await rowsThatOverflowSessions(sums, sql, rows, store(), schema, watermarks)
      return merge(await ask(sums.piecesSql, [refused.size === 0 ? rows : await setRowsAside(rows, refused)]))
    })
  const updatedMs = performance.now()
  const sessions = store()
  const { evictionUs } = watermarks
  const isComplete = step.outputMode === 'complete'
  const over = isComplete || evictionUs === null ? null : sessions.evict(evictionUs, true)
  const output = isComplete ? [...sessions.scan()] : over === null ? [] : [over.rows]
  const metrics = {
    rowsUpdated: updated,
    rowsRemoved: removed + (over?.removed ?? 0),
    rowsDroppedByWatermark: lateRows,
    updatesMs: updatedMs - startMs,
    removalsMs: performance.now() - updatedMs,
  }
  return { output: await loadAll(sql, output, step.schema), metrics }
}

/** Takes off the last column, how many rows of the piece are late, and with it the late pieces. */
function splitLate({ keyIds, rows }: KeyedBatch): { readonly pieces: KeyedBatch; readonly lateRows: number } {
  const columns = rows.columns.slice(0, -1)
  const counts = (rows.columns.at(-1) as FixedColumn).data as BigInt64Array
  const words = new Int32Array(counts.buffer, counts.byteOffset, 2 * rows.length)
  const pieces: KeyedBatch = { keyIds, rows: { schema: new Schema(rows.schema.fields.slice(0, -1)), length: rows.length, columns } }
  const kept = new Uint32Array(rows.length)
  let count = 0
  let lateRows = 0
  for (let i = 0; i < rows.length; i++) {
    if (words[2 * i] === 0 && words[2 * i + 1] === 0) kept[count++] = i
    else lateRows += Number(counts[i])
  }
  return { pieces: lateRows === 0 ? pieces : takeKeys(pieces, kept.subarray(0, count)), lateRows }
}

interface Merged {
  /** Sessions of the batch's keys, changed or not: as Spark, which writes all of them, counts. */
  readonly updated: number
  /** Sessions that went into one that begins earlier. */
  readonly removed: number
}

function mergeSessions(store: StateStore, schema: StateSchema, pieces: KeyedBatch): Merged {
  if (pieces.rows.length === 0) return { updated: 0, removed: 0 }
  const { numbers, distinct, firsts } = numberKeys(pieces.keyIds)
  const stored = ofKeys(store.lookup(distinct), pieces.rows, firsts, schema.keys.length)
  const storedCount = stored.rows.length
  const all = storedCount === 0 ? pieces.rows : concatColumns(stored.rows, pieces.rows)
  const keyOf = new Uint32Array(all.length)
  keyOf.set(stored.asked)
  keyOf.set(numbers, storedCount)
  const plan = planMerge(keyOf, firsts.length, timesOf(all, schema.keys.length), timesOf(all, schema.keys.length + 1), storedCount)
  write(store, schema, { stored, pieces, all, distinct }, plan)
  return { updated: plan.sessions, removed: plan.absorbed }
}

/** Times as the halves of their 64 bits, the lower one first: each bigint would be an object. */
type Times = Int32Array

function timesOf({ columns, length }: ColumnBatch, at: number): Times {
  const { buffer, byteOffset } = (columns[at] as FixedColumn).data
  return new Int32Array(buffer, byteOffset, 2 * length)
}
function isBefore(a: Times, i: number, b: Times, k: number): boolean {
  const high = a[2 * i + 1]!
  const other = b[2 * k + 1]!
  return high < other || (high === other && a[2 * i]! >>> 0 < b[2 * k]! >>> 0)
}

/** The rows that are of the keys asked for, and not of others with which those share their first 64 bits. */
export function ofKeys(found: FoundKeyedRows, pieces: ColumnBatch, firsts: Uint32Array, keyCount: number): FoundKeyedRows {
  const { asked, rows } = found
  const kept = sameRows(rows, pieces, keyCount, takeNumbers(firsts, asked))
  if (kept.length === asked.length) return found
  return { ...takeKeys(found, kept), asked: takeNumbers(asked, kept) }
}
function takeNumbers(from: Uint32Array, at: Uint32Array): Uint32Array {
  const taken = new Uint32Array(at.length)
  for (let i = 0; i < at.length; i++) taken[i] = from[at[i]!]!
  return taken
}

/** What becomes of the rows: stored sessions are 0 … storedCount-1, pieces come behind them. */
interface MergePlan {
  readonly sessions: number
  readonly absorbed: number
  /** Pieces that are sessions as they are. */
  readonly single: Uint32Array
  /** Rows that become one with others, by session and time; and the number of the new session, for each. */
  readonly folded: Uint32Array
  readonly foldedInto: Uint32Array
  /** For each of those sessions the stored one whose place it takes, or -1; and its key. */
  readonly places: Int32Array
  readonly keys: Uint32Array
  /** Stored sessions that are no more. */
  readonly gone: Uint32Array
}

function planMerge(keyOf: Uint32Array, keyCount: number, starts: Times, ends: Times, storedCount: number): MergePlan {
  const total = keyOf.length
  const order = orderBySession(keyOf, keyCount, starts)
  const single = new Uint32Array(total)
  const folded = new Uint32Array(total)
  const foldedInto = new Uint32Array(total)
  const places = new Int32Array(total)
  const keys = new Uint32Array(total)
  const gone = new Uint32Array(storedCount)
  let [sessions, absorbed, singles, foldedCount, made, goneCount] = [0, 0, 0, 0, 0, 0]
  for (let at = 0; at < total; sessions++) {
    const from = at
    const first = order[at++]!
    let last = first
    for (; at < total; at++) {
      const next = order[at]!
      if (keyOf[next] !== keyOf[first] || isBefore(ends, last, starts, next)) break
      if (isBefore(ends, last, ends, next)) last = next
    }
    if (at - from === 1) {
      if (first >= storedCount) single[singles++] = first - storedCount
      continue
    }
    let place = -1
    for (let k = from; k < at; k++) {
      const row = order[k]!
      folded[foldedCount] = row
      foldedInto[foldedCount++] = made
      if (row >= storedCount) continue
      if (isBefore(starts, first, starts, row)) absorbed++
      if (place < 0) place = row
      else gone[goneCount++] = row
    }
    places[made] = place
    keys[made++] = keyOf[first]!
  }
  return {
    sessions,
    absorbed,
    single: single.subarray(0, singles),
    folded: folded.subarray(0, foldedCount),
    foldedInto: foldedInto.subarray(0, foldedCount),
    places: places.subarray(0, made),
    keys: keys.subarray(0, made),
    gone: gone.subarray(0, goneCount),
  }
}

/** The rows by key, those of a key by their start. */
function orderBySession(keyOf: Uint32Array, keyCount: number, starts: Times): Uint32Array {
  const ends = new Uint32Array(keyCount + 1)
  for (let row = 0; row < keyOf.length; row++) ends[keyOf[row]! + 1]!++
  for (let key = 0; key < keyCount; key++) ends[key + 1]! += ends[key]!
  const next = ends.slice()
  const order = new Uint32Array(keyOf.length)
  for (let row = 0; row < keyOf.length; row++) order[next[keyOf[row]!]!++] = row
  for (let key = 0; key < keyCount; key++) sortByStart(order, ends[key]!, ends[key + 1]!, starts)
  return order
}

function sortByStart(order: Uint32Array, from: number, to: number, starts: Times): void {
  if (to - from > 16) {
    order.subarray(from, to).sort((a, b) => (isBefore(starts, a, starts, b) ? -1 : isBefore(starts, b, starts, a) ? 1 : a - b))
    return
  }
  for (let i = from + 1; i < to; i++) {
    const row = order[i]!
    let k = i - 1
    for (; k >= from && isBefore(starts, row, starts, order[k]!); k--) order[k + 1] = order[k]!
    order[k + 1] = row
  }
}

interface MergeRows {
  readonly stored: FoundKeyedRows
  readonly pieces: KeyedBatch
  readonly all: ColumnBatch
  /** 4 words a key. */
  readonly distinct: Uint32Array
}

function write(store: StateStore, schema: StateSchema, { stored, pieces, all, distinct }: MergeRows, plan: MergePlan): void {
  // a sum that leaves its type is an error here, before anything is changed
  const folded = plan.folded.length > 0 ? foldRows(schema, plan.foldedInto, takeColumns(all, plan.folded)) : null
  if (plan.gone.length > 0) store.remove(takeIds(stored.keyIds, plan.gone))
  if (folded !== null) {
    store.put({ keyIds: placeIds(store, stored.keyIds, distinct, plan), rows: folded })
  }
  if (plan.single.length > 0) {
    const { keyIds, rows } = plan.single.length === pieces.rows.length ? pieces : takeKeys(pieces, plan.single)
    const kept = keepsOtherForm(schema) ? foldRows(schema, countUp(rows.length), rows) : rows
    store.put({ keyIds: store.newRowIds(keyIds), rows: kept })
  }
}

/** The identities of the folded sessions: of the one whose place it takes, or new ones. */
function placeIds(store: StateStore, storedIds: Uint32Array, distinct: Uint32Array, { places, keys }: MergePlan): Uint32Array {
  const newKeys = new Uint32Array(places.length)
  let count = 0
  for (let i = 0; i < places.length; i++) if (places[i]! < 0) newKeys[count++] = keys[i]!
  const fresh = store.newRowIds(takeIds(distinct, newKeys.subarray(0, count)))
  const ids = new Uint32Array(places.length * 4)
  for (let i = 0, used = 0; i < places.length; i++) {
    const isNew = places[i]! < 0
    const from = isNew ? fresh : storedIds
    const at = 4 * (isNew ? used++ : places[i]!)
    for (let word = 0; word < 4; word++) ids[4 * i + word] = from[at + word]!
  }
  return ids
}

function countUp(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => i)
}
