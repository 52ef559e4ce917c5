import type { FileScan } from './read-request.ts'
import type { ReadCounts, Recovered } from './recovery.ts'
import type { SqlRelation } from './relation.ts'
import { numberOf } from './scalars.ts'
import type { Session } from './session.ts'
import { quotePaths } from './sql-text.ts'

/** What a batch knows of the rows of one source. */
export interface SourceRows {
  rows: number | undefined
  scan: FileScan | null
  counts?: ReadCounts
  lettersIn?: string
  unreadable?: readonly string[]
  /** Of files: the columns that somebody reads, where that is not all of them. */
  readonly read?: ReadonlySet<number>
  /** Of a table format: the files that the places of rows are in. */
  readonly files?: readonly string[]
  readonly relation: SqlRelation
  /** What the plan reads, where that is made of `relation`. */
  readonly outer?: SqlRelation
}

/** How many rows a scan gives, where that is known before it runs. */
export function rowsKnown({ files, count }: FileScan): number | undefined {
  if (files.length === 0) return 0
  return count.kind === 'known' ? count.rows : undefined
}

/** What was read another way has other rows than were counted. */
export function noteRecovered(source: SourceRows, { rows, counts, lettersIn, unreadable }: Recovered): void {
  if (lettersIn !== undefined) source.lettersIn = lettersIn
  if (unreadable !== undefined) source.unreadable = [...(source.unreadable ?? []), ...unreadable]
  const { form } = source.relation
  if (rows !== undefined) source.rows = rows
  else if (form.kind === 'files') source.rows = rowsKnown(form.scan)
  if (form.kind === 'files') source.scan = form.scan
  const before = source.counts
  source.counts = before === undefined ? counts : { ...counts, ignoredFiles: before.ignoredFiles + counts.ignoredFiles }
}

/** How many rows a source has, by a statement of its own where nothing else says so. */
export async function countRows(session: Session, { scan, relation, rows }: SourceRows): Promise<number> {
  if (rows !== undefined) return rows
  if (relation.form.kind === 'table' && relation.form.rows !== undefined) return relation.form.rows
  if (scan === null) return numberOf(await session.run(`SELECT count(*) FROM ${relation.text}`))
  if (scan.files.every((file) => file.sizeBytes === 0)) return 0
  const count =
    scan.count.kind === 'parquet'
      ? `SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata(${quotePaths(scan.files.map((file) => file.path))})`
      : `SELECT count(*) FROM ${relation.text}`
  return numberOf(await session.run(count))
}
