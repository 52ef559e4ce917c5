import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import { named } from '../planner/late-rows.ts'
import type { RowsOrigin, SourceRows } from '../planner/streaming-plan.ts'
import type { Source } from '../sources/source.ts'
import { type Relation, recordSchema, type SqlBatch, type Unreadable } from '../sql/sql-batch.ts'
import { quoteText } from '../sql/sql-text.ts'
import { type DeadLetters, letterSchema } from './dead-letters.ts'
import { countRows } from './late-rows.ts'
import { RowsToSetAside } from './plain-runs.ts'

/** What became of a source's rows where dead letters are kept. */
export interface ReadAccount {
  readonly source: string
  /** Null where that is what the SQL engine has counted. */
  readonly rowsOn: number | null
  readonly deadLetters: number
  /** Letters that are not among the rows that the SQL engine has counted. */
  readonly uncounted: number
}

/** What is read of a source where dead letters are kept: its rows may become some. */
export function withOrigin(node: SourceRows, { originColumns = [] }: Source): SourceRows {
  const at = originColumns.map((name) => node.schema.indexOf(name)).filter((index) => index >= 0)
  return at.length === 0 ? node : { ...node, columns: new Set([...node.columns, ...at]) }
}

/** Where a source's rows come from. */
export function originOf(node: SourceRows, source: Source): RowsOrigin {
  return { sources: [node.source], column: isNumbered(node, source) ? node.schema.fields.length : undefined }
}
function isNumbered(node: SourceRows, { originColumns = [], tellsRecords = false }: Source): boolean {
  return node.isNumbered === true || tellsRecords || originColumns.length > 0
}

/** Reads a source's rows of a batch now, and takes what can't be read to the dead letters. The rows have their number behind their columns where somebody may ask for it. */
export async function readSource(
  sql: SqlBatch,
  node: SourceRows,
  batch: SourceBatch,
  letters: DeadLetters,
  from: Source,
): Promise<{ readonly rows: Relation; readonly account: ReadAccount }> {
  const { source, schema } = node
  const rows = await sql.materialize(await sql.source(source, batch, schema, true))
  const { refused = [] } = batch
  await letters.add('source', source, refused)
  const unreadable = sql.unreadable(source)
  const malformed = unreadable?.records ? await letters.take('source', described(sql, source, unreadable.records)) : 0
  const files = unreadable?.files ?? []
  await letters.add('source', source, files.map(fileLetter))
  const uncounted = refused.length + files.length
  const account = { source, rowsOn: await countRows(sql, rows), deadLetters: malformed + uncounted, uncounted }
  if (!isNumbered(node, from)) return { rows, account }
  const first = letters.records.next()
  const given = await sql.numbered(rows, first)
  // of the rows as they were read: those that fail are taken out of what is given
  const places = async () => placesIn(sql, await sql.numbered(rows, first), node, from)
  const records = async () => (from.tellsRecords ? await sql.recordsOf(source, first) : null)
  letters.records.add(source, async () => (await records()) ?? (await places()))
  return { rows: given, account }
}

/** The same where the first row that is to be set aside ends the evaluation: the rows are not read before somebody needs them, and have no numbers. RowsToSetAside. */
export async function readPlain(
  sql: SqlBatch,
  node: SourceRows,
  batch: SourceBatch,
  letters: DeadLetters,
  from: Source,
): Promise<{ readonly rows: Relation; readonly account: ReadAccount }> {
  const { source, schema } = node
  const rows = await sql.source(source, batch, schema, batch.kind !== 'table-files')
  if (sql.unreadable(source)) throw new RowsToSetAside()
  const { refused = [] } = batch
  await letters.add('source', source, refused)
  const account = { source, rowsOn: null, deadLetters: refused.length, uncounted: refused.length }
  if (!isNumbered(node, from)) return { rows, account }
  const width = schema.fields.length
  const numbered = new Schema([...schema.fields, { name: '', type: 'long', nullable: true }])
  return { rows: sql.fragment(`SELECT t0.*, CAST(NULL AS BIGINT) AS c${width} FROM ⟦0⟧ AS t0`, [rows], numbered), account }
}

/** Where each row comes from by the columns of the source that say so, with the columns of recordSchema. */
function placesIn(sql: SqlBatch, rows: Relation, { source, schema }: SourceRows, { originColumns = [] }: Source): Relation {
  const cell = (name: string) => (originColumns.includes(name) && schema.indexOf(name) >= 0 ? `t0.c${schema.indexOf(name)}` : 'NULL')
  const list = [
    `t0.c${schema.fields.length}`,
    quoteText(source),
    ...['CAST(NULL AS VARCHAR)', 'CAST(NULL AS BIGINT)'],
    `CAST(${cell('topic')} AS VARCHAR)`,
    `CAST(${cell('partition')} AS INTEGER)`,
    `CAST(${cell('offset')} AS BIGINT)`,
    `CAST(${cell('value')} AS BLOB)`,
  ]
  return sql.fragment(`SELECT ${named(list)} FROM ⟦0⟧ AS t0`, [rows], recordSchema)
}

function described(sql: SqlBatch, source: string, records: NonNullable<Unreadable['records']>): Relation {
  const list = [
    "'MALFORMED_RECORD_IN_PARSING'",
    "'the record is not what the schema says'",
    quoteText(source),
    't0.c0',
    't0.c1',
    'CAST(NULL AS VARCHAR)',
    'CAST(NULL AS INTEGER)',
    'CAST(NULL AS BIGINT)',
    't0.c2',
  ]
  return sql.fragment(`SELECT ${named(list)} FROM ⟦0⟧ AS t0`, [records], letterSchema)
}
function fileLetter(file: string) {
  return { reason: 'FAILED_READ_FILE', message: 'the file can’t be read; none of its rows went on', file }
}
