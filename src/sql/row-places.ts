/** Where rows of sources come from: the numbers by which they are found again, and the relations of recordSchema that tell of them. */
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { columnName } from './duck-types.ts'
import { SqlRelation } from './relation.ts'
import { recordSchema } from './sql-batch.ts'
import { quoteText } from './sql-text.ts'

/** Behind the columns of a table format's rows: which of its files (from 0), and in the lower 32 bits the number of the row in it (from 0). */
export const placeField: Field = { name: '', type: 'long', nullable: false }
const fileBits = 32

export function withPlace(schema: Schema): Schema {
  return new Schema([...schema.fields, placeField])
}
export function placeSql(file: string, row: string): string {
  return `(${file}::BIGINT << ${fileBits}) + ${row}`
}
/** The rows of a relation with their places from `first` on. */
export function shiftedPlaces({ fields }: Schema, first: bigint): string {
  const list = fields.map((_, i) => `t0.${columnName(i)}${i === fields.length - 1 ? ` + ${first}` : ''} AS ${columnName(i)}`)
  return `SELECT ${list.join(', ')} FROM ⟦0⟧ AS t0`
}

/** The records of a source of files, from a table of their numbers, files, lines and bytes. */
export function filePlaces(source: string, first: bigint, table: string): SqlRelation {
  return records(source, first, table, [], ['c0', 'c1', 'c2', 'c3'])
}
/** The rows of a table format by their places. */
export function tablePlaces(source: string, first: bigint, rows: SqlRelation, files: readonly string[]): SqlRelation {
  const place = columnName(rows.schema.fields.length - 1)
  const file = `list_extract([${files.map(quoteText).join(', ')}], (${place} >> ${fileBits}) + 1)`
  const line = `(${place} & ${2 ** fileBits - 1}) + 1`
  return records(source, first, '⟦0⟧', [rows], [place, file, line, 'CAST(NULL AS BLOB)'])
}
function records(
  source: string,
  first: bigint,
  from: string,
  inputs: readonly SqlRelation[],
  [number, file, line, raw]: readonly [number: string, file: string, line: string, raw: string],
): SqlRelation {
  const ofTopic = ['VARCHAR', 'INTEGER', 'BIGINT'].map((type) => `CAST(NULL AS ${type})`)
  const list = [`${number} + ${first}`, quoteText(source), file, line, ...ofTopic, raw]
  const sql = `SELECT ${list.map((each, i) => `${each} AS ${columnName(i)}`).join(', ')} FROM ${from}`
  return new SqlRelation(recordSchema, { kind: 'select', sql, inputs })
}
