import { Schema } from '../data/schema.ts'
import type { SourceBatch } from '../data/source-batch.ts'
import type { SourceRows } from '../planner/streaming-plan.ts'
import type { Relation, SqlBatch, Unreadable } from '../sql/sql-batch.ts'
import type { DeadLetters } from './dead-letters.ts'
import { countRows } from './late-rows.ts'

/** What became of a source's rows where dead letters are kept. */
export interface ReadAccount {
  readonly source: string
  readonly rowsOn: number
  readonly deadLetters: number
  /** Letters that are not among the rows that the SQL engine has counted. */
  readonly uncounted: number
}

/** Reads a source's rows of a batch now, and takes what can't be read to the dead letters. */
export async function readSource(
  sql: SqlBatch,
  { source, schema }: SourceRows,
  batch: SourceBatch,
  letters: DeadLetters,
): Promise<{ readonly rows: Relation; readonly account: ReadAccount }> {
  const rows = await sql.materialize(await sql.source(source, batch, schema, true))
  const { refused = [] } = batch
  await letters.add('source', source, refused)
  const unreadable = sql.unreadable(source)
  const malformed = unreadable?.records ? await letters.take('source', source, described(sql, unreadable.records)) : 0
  const files = unreadable?.files ?? []
  await letters.add('source', source, files.map(fileLetter))
  const uncounted = refused.length + files.length
  return { rows, account: { source, rowsOn: await countRows(sql, rows), deadLetters: malformed + uncounted, uncounted } }
}

const describedSchema = new Schema([
  { name: 'reason', type: 'string', nullable: false },
  { name: 'message', type: 'string', nullable: false },
  { name: 'file', type: 'string', nullable: true },
  { name: 'line', type: 'long', nullable: true },
  { name: 'raw', type: 'binary', nullable: true },
])
function described(sql: SqlBatch, records: NonNullable<Unreadable['records']>): Relation {
  const list = [
    "'MALFORMED_RECORD_IN_PARSING' AS c0",
    "'the record is not what the schema says' AS c1",
    't0.c0 AS c2',
    't0.c1 AS c3',
    't0.c2 AS c4',
  ]
  return sql.fragment(`SELECT ${list.join(', ')} FROM ⟦0⟧ AS t0`, [records], describedSchema)
}
function fileLetter(file: string) {
  return { reason: 'FAILED_READ_FILE', message: 'the file can’t be read; none of its rows went on', file }
}
