import type { Files } from '../base/files.ts'
import type { SourceBatch, StoredColumn, TableFile } from '../data/source-batch.ts'
import type { AddFile } from './actions.ts'
import { readDeletionVector } from './deletion-vector.ts'
import { pathOf } from './paths.ts'
import type { Snapshot } from './snapshot.ts'
import { type TableSchema, tableSchema } from './table-schema.ts'

type TableFiles = Extract<SourceBatch, { kind: 'table-files' }>

/** The rows of some files of a table, for the engine to read. */
export async function tableRows(files: Files, { table, metadata }: Snapshot, adds: readonly AddFile[]): Promise<TableFiles> {
  const known = tableSchema(table, metadata)
  const read: TableFile[] = []
  let numRows: number | undefined = 0
  for (const add of adds) {
    const deleted = add.deletionVector ? await readDeletionVector(files, table, add.deletionVector) : undefined
    read.push({ path: pathOf(table, add.path), sizeBytes: add.size, constants: add.partitionValues, ...(deleted ? { deleted } : {}) })
    const rows = recordsOf(add)
    numRows = numRows === undefined || rows === undefined ? undefined : numRows + rows - (deleted?.length ?? 0)
  }
  return { kind: 'table-files', files: read, columns: storedColumns(known, metadata.partitionColumns), numRows }
}

export function storedColumns({ schema, stored }: TableSchema, partitionColumns: readonly string[]): StoredColumn[] {
  const constant = new Set(partitionColumns.map((name) => name.toLowerCase()))
  return stored.map(({ name, type }, i) => ({ name, type, isConstant: constant.has(schema.fields[i]!.name.toLowerCase()) }))
}

/** How many rows the file was written with, where its writer said so. */
export function recordsOf({ stats }: AddFile): number | undefined {
  if (!stats) return undefined
  try {
    const { numRecords } = JSON.parse(stats) as { readonly numRecords?: unknown }
    return typeof numRecords === 'number' ? numRecords : undefined
  } catch {
    // statistics help; a reader must not depend on them
    return undefined
  }
}
