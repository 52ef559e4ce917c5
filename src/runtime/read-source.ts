import type { SourceBatch } from '../data/source-batch.ts'
import type { RowsOrigin, SourceRows } from '../planner/streaming-plan.ts'
import { rowColumn } from '../planner/with-origin.ts'
import type { Source } from '../sources/source.ts'
import type { Relation, SqlBatch, Unreadable } from '../sql/sql-batch.ts'
import { type DeadLetters, letterSchema } from './dead-letters.ts'
import { countRows } from './late-rows.ts'

/** What became of a source's rows where dead letters are kept. */
export interface ReadAccount {
  readonly source: string
  readonly rowsOn: number
  readonly deadLetters: number
  /** Letters that are not among the rows that the SQL engine has counted. */
  readonly uncounted: number
}

/** What is read of a source where dead letters are kept: its rows may become some. */
export function withOrigin(node: SourceRows, { originColumns = [] }: Source): SourceRows {
  const at = originColumns.map((name) => node.schema.indexOf(name)).filter((index) => index >= 0)
  return at.length === 0 ? node : { ...node, columns: new Set([...node.columns, ...at]) }
}

/** Which columns of a source's rows say where each comes from. */
export function originOf({ source, schema }: SourceRows, { originColumns = [], tellsRecords }: Source): RowsOrigin {
  const columns = new Map(originColumns.map((name) => [name, schema.indexOf(name)] as const).filter(([, index]) => index >= 0))
  return { source, columns: tellsRecords ? columns.set(rowColumn, schema.fields.length) : columns }
}

/** Reads a source's rows of a batch now, and takes what can't be read to the dead letters. `numbers`: the rows have their number behind their columns. */
export async function readSource(
  sql: SqlBatch,
  { source, schema }: SourceRows,
  batch: SourceBatch,
  letters: DeadLetters,
  numbers: boolean,
): Promise<{ readonly rows: Relation; readonly account: ReadAccount }> {
  const rows = await sql.materialize(await sql.source(source, batch, schema, true))
  const { refused = [] } = batch
  await letters.add('source', source, refused)
  const unreadable = sql.unreadable(source)
  const malformed = unreadable?.records ? await letters.take('source', source, described(sql, unreadable.records)) : 0
  const files = unreadable?.files ?? []
  await letters.add('source', source, files.map(fileLetter))
  const uncounted = refused.length + files.length
  const given = numbers ? await sql.numbered(rows) : rows
  return { rows: given, account: { source, rowsOn: await countRows(sql, rows), deadLetters: malformed + uncounted, uncounted } }
}

function described(sql: SqlBatch, records: NonNullable<Unreadable['records']>): Relation {
  const list = [
    "'MALFORMED_RECORD_IN_PARSING' AS c0",
    "'the record is not what the schema says' AS c1",
    't0.c0 AS c2',
    't0.c1 AS c3',
    'CAST(NULL AS VARCHAR) AS c4',
    'CAST(NULL AS INTEGER) AS c5',
    'CAST(NULL AS BIGINT) AS c6',
    't0.c2 AS c7',
  ]
  return sql.fragment(`SELECT ${list.join(', ')} FROM ⟦0⟧ AS t0`, [records], letterSchema)
}
function fileLetter(file: string) {
  return { reason: 'FAILED_READ_FILE', message: 'the file can’t be read; none of its rows went on', file }
}
