import { Schema } from '../data/schema.ts'
import { type Account, outputPlace } from '../data/side-rows.ts'
import { rowsToColumns } from '../data/values.ts'
import type { FailedRows, Relation, SqlBatch } from '../sql/sql-batch.ts'
import { type DeadLetters, letterSchema } from './dead-letters.ts'

/** Where the rows of a relation are in the query. */
export interface Place {
  /** `source clicks`, `stateStoreSave 0`, `function cents`. */
  readonly at: string
  /** The source whose rows they are as it gave them, with the columns that say where each comes from. */
  readonly source?: { readonly name: string; readonly origin: readonly string[] } | undefined
  /** Behind the message of their letters: `for the output alerts`. */
  readonly note?: string | undefined
}
/** A place as one of an output of the query's: its books are its own. */
export function placeIn(output: string | undefined, place: Place): Place {
  if (output === undefined) return place
  const note = [place.note, `for the output ${output}`].filter((part) => part !== undefined).join(', ')
  return { ...place, at: `${outputPlace(output)}${place.at}`, note }
}

/** What is wrong, with what the place adds to it. */
export function noted(what: string, note: string | undefined): string {
  return note === undefined ? what : `${what} (${note})`
}

/** Takes rows for which an expression has no value to the dead letters. */
export async function takeFailedRows(
  sql: SqlBatch,
  { rows, errors, rowsIn, rowsOn }: FailedRows,
  { at, source, note }: Place,
  letters: DeadLetters,
): Promise<Account> {
  const said = errors.map(({ code, what }) => ({ code, what: noted(what, note) }))
  await sql.columnsAt(rows, [])
  const deadLetters = await letters.take(
    'expression',
    source?.name ?? null,
    await lettersOf(sql, rows, said, placesOf(rows, source?.origin)),
  )
  return { at, rowsIn, rowsOn, lateRows: 0, deadLetters }
}

/** Takes rows of a relation, by their number in it, to the dead letters, and gives the others. */
export async function setRowsAside(
  sql: SqlBatch,
  rows: Relation,
  refused: ReadonlyMap<number, { readonly code: string; readonly what: string }>,
  { at, source }: Place,
  letters: DeadLetters,
): Promise<{ readonly others: Relation; readonly account: Account }> {
  letters.mayTake(refused.size)
  const { length: rowsIn } = await sql.columnsAt(rows, [])
  const each = Array.from({ length: rowsIn }, (_, row) => refused.get(row))
  const deadLetters = await letters.take(
    'expression',
    source?.name ?? null,
    await lettersOf(sql, rows, each, placesOf(rows, source?.origin)),
  )
  const width = rows.schema.fields.length
  const flags = rowsToColumns(
    flagSchema,
    each.map((said) => ({ refused: said !== undefined })),
  )
  const list = rows.schema.fields.map((_, i) => `t0.c${i}`).join(', ') || '1 AS c0'
  const flagged = await sql.withColumns(rows, width, flags)
  const others = await sql.materialize(sql.fragment(`SELECT ${list} FROM ⟦0⟧ AS t0 WHERE NOT t0.c${width}`, [flagged], rows.schema))
  const { length: rowsOn } = await sql.columnsAt(others, [])
  return { others, account: { at, rowsIn, rowsOn, lateRows: 0, deadLetters } }
}

/** Where those columns stand among a relation's. */
function placesOf({ schema }: Relation, origin: readonly string[] = []): ReadonlyMap<string, number> {
  return new Map(origin.map((name) => [name, schema.indexOf(name)] as const).filter(([, place]) => place >= 0))
}

/** Letters of the rows of which something is said, each with its JSON (of the columns that have a name), or with what the columns of `origin` (their places, by the names that letters have) say of it. */
export async function lettersOf(
  sql: SqlBatch,
  rows: Relation,
  said: readonly ({ readonly code: string; readonly what: string } | undefined)[],
  origin: ReadonlyMap<string, number> = new Map(),
): Promise<Relation> {
  const { fields, names } = rows.schema
  const width = fields.length
  const columns = rowsToColumns(
    saidSchema,
    said.map((each) => ({ reason: each?.code ?? null, message: each?.what ?? null })),
  )
  const all = await sql.withColumns(rows, width, columns)
  const cell = (name: string) => (origin.has(name) ? `t0.c${origin.get(name)}` : 'NULL')
  const cells = names.flatMap((name, i) => (name === '' ? [] : [`'${name.replaceAll("'", "''")}', t0.c${i}`]))
  const json = `encode(CAST(json_object(${cells.join(', ')}) AS VARCHAR))`
  const list = [
    `t0.c${width}`,
    `t0.c${width + 1}`,
    'CAST(NULL AS VARCHAR)',
    'CAST(NULL AS BIGINT)',
    `CAST(${cell('topic')} AS VARCHAR)`,
    `CAST(${cell('partition')} AS INTEGER)`,
    `CAST(${cell('offset')} AS BIGINT)`,
    origin.has('value') ? cell('value') : json,
  ]
  const text = list.map((sql, i) => `${sql} AS c${i}`).join(', ')
  return sql.fragment(`SELECT ${text} FROM ⟦0⟧ AS t0 WHERE t0.c${width} IS NOT NULL`, [all], letterSchema)
}

const flagSchema = new Schema([{ name: 'refused', type: 'boolean', nullable: false }])
const saidSchema = new Schema([
  { name: 'reason', type: 'string', nullable: true },
  { name: 'message', type: 'string', nullable: true },
])
