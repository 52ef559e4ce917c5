import { join } from 'node:path'
import type { ColumnStatistics, WrittenFile } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { columnValues } from '../data/values.ts'
import { readColumns } from './read-vectors.ts'
import type { Session } from './session.ts'
import { quotePaths } from './sql-text.ts'

const columns = new Schema([
  { name: 'file_name', type: 'string', nullable: false },
  { name: 'path_in_schema', type: 'string', nullable: false },
  { name: 'row_group_num_rows', type: 'long', nullable: false },
  { name: 'stats_null_count', type: 'long', nullable: true },
  { name: 'stats_min_value', type: 'string', nullable: true },
  { name: 'stats_max_value', type: 'string', nullable: true },
])

type Group = ColumnStatistics['groups'][number]

/** Parquet files that were just written, with what their footers say of their columns. Reads the footers alone. */
export async function withStatistics(session: Session, folder: string, files: readonly WrittenFile[]): Promise<WrittenFile[]> {
  if (files.length === 0) return []
  const exact = (name: string) => `CASE WHEN ${name}_is_exact IS DISTINCT FROM false THEN stats_${name}_value END`
  const result = await session.run(
    `SELECT file_name, path_in_schema, row_group_num_rows, stats_null_count, ${exact('min')}, ${exact('max')} FROM parquet_metadata(${quotePaths(files.map(({ path }) => join(folder, path)))}) ORDER BY file_name, column_id, row_group_id`,
  )
  const read = readColumns(result, columns)
  const [names, paths, rows, nulls, least, most] = read.columns.map((column) => columnValues(column, read.length))
  const found = new Map<string, Map<string, Group[]>>()
  for (let i = 0; i < read.length; i++) {
    const [name, path] = [names![i] as string, paths![i] as string]
    const file = found.get(name) ?? new Map<string, Group[]>()
    found.set(name, file)
    const groups = file.get(path) ?? []
    file.set(path, groups)
    const nullCount = nulls![i] === null ? null : Number(nulls![i])
    groups.push({ numRows: Number(rows![i]), nullCount, min: least![i] as string | null, max: most![i] as string | null })
  }
  return files.map((file) => ({
    ...file,
    statistics: [...(found.get(join(folder, file.path)) ?? [])].map(([path, groups]) => ({ path, groups })),
  }))
}
