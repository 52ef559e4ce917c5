/** Rows as Parquet files of a table: durable, and not yet named by any commit. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Files } from '../base/files.ts'
import type { FileBounds, RowSet } from '../data/row-set.ts'
import type { AddFile, Metadata } from './actions.ts'
import { partitionValuesOf } from './partition-values.ts'
import { encodePath } from './paths.ts'
import { statsOf } from './stats.ts'
import { tableSchema } from './table-schema.ts'
import { namesInTable } from './write-schema.ts'

export interface FileWrite {
  readonly files: Files
  readonly table: string
  /** The table as it will be once the files are in it. */
  readonly metadata: Metadata
  readonly rows: RowSet
  /** Stands in the files' names: who wrote them. */
  readonly mark: string
  readonly bounds: FileBounds | undefined
  /** Options of the Parquet writer. */
  readonly format: Readonly<Record<string, string>>
  /** Where below the table; by default in its partitions' folders. */
  readonly folder?: string
  readonly dataChange?: boolean
}
export interface FilesWritten {
  readonly adds: readonly AddFile[]
  readonly numRows: number
  readonly bytes: number
}

export async function writeTableFiles(write: FileWrite): Promise<FilesWritten> {
  const { files, table, metadata, rows, mark, bounds, format, folder = '', dataChange = true } = write
  const fileName = (index: number) => `part-${String(index).padStart(5, '0')}-${mark}-${randomUUID().slice(0, 8)}.parquet`
  const written = await rows.writeFiles({
    format: 'parquet',
    folder: join(table, folder),
    fileName,
    partitionBy: metadata.partitionColumns,
    options: format,
    statistics: true,
    ...(bounds && { bounds }),
  })
  const paths = written.map((file) => join(table, folder, file.path))
  if (paths.length > 0) await files.sync(paths)
  const { fields } = namesInTable(rows.schema, tableSchema(table, metadata).schema)
  const adds = await Promise.all(
    written.map(
      async (file, i): Promise<AddFile> => ({
        path: encodePath(join(folder, file.path)),
        partitionValues: partitionValuesOf(file.path, metadata.partitionColumns),
        size: file.sizeBytes,
        modificationTime: Math.round((await files.stat(paths[i]!))?.modifiedMs ?? 0),
        dataChange,
        stats: statsOf(file, fields),
      }),
    ),
  )
  return {
    adds,
    numRows: written.reduce((sum, file) => sum + file.numRows, 0),
    bytes: written.reduce((sum, file) => sum + file.sizeBytes, 0),
  }
}
