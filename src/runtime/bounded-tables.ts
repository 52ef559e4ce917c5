import type { Files } from '../base/files.ts'
import type { BatchScan } from '../plan/logical-plan.ts'
import type { BoundedTable, SourceProvider } from '../sources/provider.ts'
import type { Relation, SqlBatch } from '../sql/sql-batch.ts'
import { scanStateTable } from './state-tables.ts'

/** What lends the tables. */
interface TableEnvironment {
  readonly files: Files
  readonly sourceProviders: readonly SourceProvider[]
}

/** The rows of a bounded table that is no file: those of a source that can be read as one, or of a checkpoint. Undefined for files. */
export async function readTable(
  scan: BatchScan,
  columns: ReadonlySet<number>,
  sql: SqlBatch,
  { files, sourceProviders }: TableEnvironment,
): Promise<Relation | undefined> {
  const instance = scan.instance as BoundedTable | undefined
  if (instance) return sql.rows(await instance.read({ columns }), scan.schema)
  const bounded = boundedOf(sourceProviders, scan.format)
  if (bounded) {
    const [path] = scan.paths
    const { schema, conditions } = scan
    const needed = { columns, schema, ...(conditions && { conditions }) }
    return sql.rows(await bounded.read(path === undefined ? scan.options : { ...scan.options, path }, needed), schema)
  }
  return scanStateTable(scan, sql, files)
}

/** How a format that is no files is read as a table. */
export function boundedOf(providers: readonly SourceProvider[], format: string): SourceProvider['bounded'] {
  return providers.find((each) => each.formats.includes(format.toLowerCase()))?.bounded
}
