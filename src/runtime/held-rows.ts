import type { Schema } from '../data/schema.ts'
import type { RefusedRecord } from '../data/side-rows.ts'
import type { RowsOrigin } from '../planner/streaming-plan.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import type { DeadLetters } from './dead-letters.ts'
import { lettersOf } from './row-letters.ts'

/** The rows that a sink is given, where dead letters are kept. */
export interface HeldRows {
  readonly rows: Relation
  /** The same rows in the same order, with the column that says where each comes from; and which one that is. */
  readonly placed: Relation
  readonly origin: RowsOrigin | undefined
}

/** Computes rows for a sink, which does not see the column that says where they come from. */
export async function heldRows(sql: SqlBatch, relation: Relation, schema: Schema, origin: RowsOrigin | undefined): Promise<HeldRows> {
  // a sink reads through what is plain
  const placed = sql.mayFail(relation) ? await sql.materialize(relation) : relation
  if (placed.schema.fields.length === schema.fields.length) return { rows: placed, placed, origin }
  const list = schema.fields.map((_, i) => `t0.c${i}`).join(', ')
  return { rows: sql.fragment(`SELECT ${list || '1 AS c0'} FROM ⟦0⟧ AS t0`, [placed], schema), placed, origin }
}

const shownBytes = 500

/** What a sink has refused, with where its rows come from: the source's record in place of the row that the sink saw, which the message shows. Records without the number of a row stay as they are. */
export async function locate(
  sql: SqlBatch,
  { placed, origin }: HeldRows,
  refused: readonly RefusedRecord[],
  letters: DeadLetters,
): Promise<readonly RefusedRecord[]> {
  const withRow = refused.filter(({ row }) => row !== undefined)
  if (origin === undefined || withRow.length === 0) return refused.map(({ row, ...record }) => record)
  const { length } = await sql.columnsAt(placed, [])
  const said = new Array<{ readonly code: string; readonly what: string } | undefined>(length)
  for (const record of withRow) said[record.row!] = { code: record.reason, what: messageOf(record) }
  const found = (await sql.rowSet(await lettersOf(sql, placed, Array.from(said), origin, letters)).toObjects()) as unknown as Found[]
  const others = refused.filter(({ row }) => row === undefined)
  return [...found.map(recordOf), ...others]
}

type Found = { readonly [P in keyof RefusedRecord]: RefusedRecord[P] | null }
function recordOf(found: Found): RefusedRecord {
  const known = Object.entries(found).filter(([, value]) => value !== null)
  return Object.fromEntries(known.map(([name, value]) => [name, name === 'line' ? Number(value) : value])) as unknown as RefusedRecord
}

function messageOf({ message, raw }: RefusedRecord): string {
  if (raw === undefined) return message
  const text = Buffer.from(raw).toString()
  const row = text.length <= shownBytes ? text : `${text.slice(0, shownBytes - 1)}…`
  return message.includes(row) ? message : `${message}; the row is ${row}`
}
