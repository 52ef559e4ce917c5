import type { Files } from '../base/files.ts'
import { Schema } from '../data/schema.ts'
import type { SourceBatch, StoredColumn, TableFile } from '../data/source-batch.ts'
import type { Field } from '../data/types.ts'
import { batchScan } from '../plan/analyze.ts'
import type { BatchScan } from '../plan/logical-plan.ts'
import type { BoundedTable } from '../sources/provider.ts'
import type { AddFile, Metadata } from './actions.ts'
import { readDeletionVector } from './deletion-vector.ts'
import { pathOf } from './paths.ts'
import { type TableSchema, tableSchema } from './table-schema.ts'

type TableFiles = Extract<SourceBatch, { kind: 'table-files' }>
/** A table's place and columns. */
export interface TableLayout {
  readonly table: string
  readonly metadata: Metadata
}

/** The rows of some files of a table, for the engine to read. */
export async function tableRows(files: Files, { table, metadata }: TableLayout, adds: readonly AddFile[]): Promise<TableFiles> {
  const read: TableFile[] = []
  let numRows: number | undefined = 0
  for (const add of adds) {
    const deleted = add.deletionVector ? await readDeletionVector(files, table, add.deletionVector) : undefined
    read.push({ path: pathOf(table, add.path), sizeBytes: add.size, constants: add.partitionValues, ...(deleted ? { deleted } : {}) })
    const rows = recordsOf(add)
    numRows = numRows === undefined || rows === undefined ? undefined : numRows + rows - (deleted?.length ?? 0)
  }
  return { kind: 'table-files', files: read, columns: storedColumns(tableSchema(table, metadata), metadata.partitionColumns), numRows }
}

export function storedColumns({ schema, stored }: TableSchema, partitionColumns: readonly string[]): StoredColumn[] {
  const constant = new Set(partitionColumns.map((name) => name.toLowerCase()))
  return stored.map(({ name, type }, i) => ({ name, type, isConstant: constant.has(schema.fields[i]!.name.toLowerCase()) }))
}

/** Where a row lies: the number of its file, and its own number in it. */
export const placeFields = [
  { name: '__millrace_file', type: 'int', nullable: false },
  { name: '__millrace_row', type: 'long', nullable: false },
] as const satisfies readonly Field[]

/** The rows of some files as a plan; with `numbers` for the files each row says where it lies, in two more columns. */
export function scanOf(files: Files, layout: TableLayout, adds: readonly AddFile[], numbers: readonly number[] | null = null): BatchScan {
  const { fields } = tableSchema(layout.table, layout.metadata).schema
  const instance: BoundedTable = {
    async read() {
      const rows = await tableRows(files, layout, adds)
      if (numbers === null) return rows
      const [file, row] = placeFields
      return {
        ...rows,
        files: rows.files.map((each, i) => ({ ...each, constants: { ...each.constants, [file.name]: String(numbers[i]) } })),
        columns: [...rows.columns, { ...file, isConstant: true }, { ...row, isConstant: false, isRowNumber: true }],
      }
    },
  }
  const schema = new Schema([...fields, ...(numbers ? placeFields : [])])
  return batchScan({ format: 'delta', options: {}, paths: [layout.table], schema, instance })
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
/** How many rows of the file count. */
export function liveRows(add: AddFile): number | undefined {
  const written = recordsOf(add)
  return written === undefined ? undefined : written - (add.deletionVector?.cardinality ?? 0)
}
