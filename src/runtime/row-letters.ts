import { Schema } from '../data/schema.ts'
import { type Account, outputPlace } from '../data/side-rows.ts'
import { rowsToColumns } from '../data/values.ts'
import { named } from '../planner/late-rows.ts'
import type { RowsOrigin } from '../planner/streaming-plan.ts'
import type { FailedRows, Relation, SqlBatch } from '../sql/sql-batch.ts'
import { quoteText } from '../sql/sql-text.ts'
import { type DeadLetters, letterSchema } from './dead-letters.ts'

/** Where the rows of a relation are in the query. */
export interface Place {
  /** `source clicks`, `stateStoreSave 0`, `function cents`. */
  readonly at: string
  /** Where they come from. */
  readonly origin?: RowsOrigin | undefined
  /** Behind the message of their letters: `for the output alerts`. */
  readonly note?: string | undefined
  /** Whether they are rows of a table, which come again in each batch. */
  readonly ofTable?: boolean
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
  { at, origin, note, ofTable = false }: Place,
  letters: DeadLetters,
): Promise<Account> {
  const said = errors.map(({ code, what }) => ({ code, what: noted(what, note) }))
  await sql.columnsAt(rows, [])
  const found = await lettersOf(sql, rows, said, origin, letters)
  const deadLetters = ofTable ? await letters.takeOfTable('expression', at, found) : await letters.take('expression', found)
  // rows that an earlier batch has set aside do not come in again
  return { at, rowsIn: ofTable ? rowsOn + deadLetters : rowsIn, rowsOn, lateRows: 0, deadLetters }
}

/** Takes rows of a relation, by their number in it, to the dead letters, and gives the others. */
export async function setRowsAside(
  sql: SqlBatch,
  rows: Relation,
  refused: ReadonlyMap<number, { readonly code: string; readonly what: string }>,
  { at, origin }: Place,
  letters: DeadLetters,
): Promise<{ readonly others: Relation; readonly account: Account }> {
  letters.mayTake(refused.size)
  const { length: rowsIn } = await sql.columnsAt(rows, [])
  const each = Array.from({ length: rowsIn }, (_, row) => refused.get(row))
  const deadLetters = await letters.take('expression', await lettersOf(sql, rows, each, origin, letters))
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

/** Letters of the rows of which something is said, each with what its source says of it (its place in a topic, or the record of a file), else with its JSON (of the columns that have a name). */
export async function lettersOf(
  sql: SqlBatch,
  rows: Relation,
  said: readonly ({ readonly code: string; readonly what: string } | undefined)[],
  origin: RowsOrigin | undefined,
  { records }: DeadLetters,
): Promise<Relation> {
  const { fields, names } = rows.schema
  const width = fields.length
  const columns = rowsToColumns(
    saidSchema,
    said.map((each) => ({ reason: each?.code ?? null, message: each?.what ?? null })),
  )
  const all = await sql.withColumns(rows, width, columns)
  const cells = names.flatMap((name, i) => (name === '' ? [] : [`${quoteText(name)}, t0.c${i}`]))
  const json = `encode(CAST(json_object(${cells.join(', ')}) AS VARCHAR))`
  const isLetter = `t0.c${width} IS NOT NULL`
  const reason = [`t0.c${width}`, `t0.c${width + 1}`]
  if (origin?.column === undefined) {
    const source = origin?.sources.length === 1 ? quoteText(origin.sources[0]!) : 'CAST(NULL AS VARCHAR)'
    const unknown = ['VARCHAR', 'BIGINT', 'VARCHAR', 'INTEGER', 'BIGINT'].map((type) => `CAST(NULL AS ${type})`)
    return sql.fragment(`SELECT ${named([...reason, source, ...unknown, json])} FROM ⟦0⟧ AS t0 WHERE ${isLetter}`, [all], letterSchema)
  }
  const number = `t0.c${origin.column}`
  const places = ['t1.c1', 't1.c2', 't1.c3', 't1.c4', 't1.c5', 't1.c6', `coalesce(t1.c7, ${json})`]
  const joined = `⟦0⟧ AS t0 LEFT JOIN ⟦1⟧ AS t1 ON ${number} = t1.c0`
  return sql.fragment(
    `SELECT ${named([...reason, ...places])} FROM ${joined} WHERE ${isLetter} ORDER BY ${number}`,
    [all, await records.of(origin.sources)],
    letterSchema,
  )
}

const flagSchema = new Schema([{ name: 'refused', type: 'boolean', nullable: false }])
const saidSchema = new Schema([
  { name: 'reason', type: 'string', nullable: true },
  { name: 'message', type: 'string', nullable: true },
])
