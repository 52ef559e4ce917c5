/** Rows of plans into files of a table, and into files of its change data feed. */
import { bytesOf } from '../base/quantities.ts'
import type { FileBounds } from '../data/row-set.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { Action, AddFile, Metadata } from './actions.ts'
import { type FilesWritten, writeTableFiles } from './table-writer.ts'
import type { TableAccess, TableView } from './transaction.ts'

export const changeFolder = '_change_data'
/** Column of the change data feed. */
export const changeType = '_change_type'
export type ChangeType = 'insert' | 'update_preimage' | 'update_postimage' | 'delete'

/** Whether the table keeps what changed in files of their own. */
export function keepsChanges({ configuration }: Metadata): boolean {
  return configuration?.['delta.enableChangeDataFeed'] === 'true'
}

/** The table's own wish: `delta.targetFileSize`. */
export function boundsOf({ configuration }: Metadata): FileBounds | undefined {
  const wish = configuration?.['delta.targetFileSize']
  const targetBytes = wish === undefined ? undefined : bytesOf(wish)
  return targetBytes === undefined ? undefined : { targetBytes }
}

/** Writes the rows of a plan that has the table's columns. */
export function writePlan(
  { engine, files }: TableAccess,
  { table, metadata }: Pick<TableView, 'table' | 'metadata'>,
  plan: LogicalPlan,
  mark: string,
  { bounds = boundsOf(metadata), dataChange = true }: { readonly bounds?: FileBounds | undefined; readonly dataChange?: boolean } = {},
): Promise<FilesWritten> {
  return engine.runBatch(plan, (rows) => writeTableFiles({ files, table, metadata, rows, mark, bounds, format: {}, dataChange }))
}

/** Writes the rows of a plan that has the table's columns and `_change_type`. */
export async function writeChanges({ engine, files }: TableAccess, { table, metadata }: TableView, plan: LogicalPlan): Promise<Action[]> {
  const { adds } = await engine.runBatch(plan, (rows) =>
    writeTableFiles({ files, table, metadata, rows, mark: 'cdc', bounds: boundsOf(metadata), format: {}, folder: changeFolder }),
  )
  return adds.map(({ path, partitionValues, size }) => ({ cdc: { path, partitionValues, size, dataChange: false } }))
}

export function added(adds: readonly AddFile[]): Action[] {
  return adds.map((add) => ({ add }))
}
export function bytesIn(adds: readonly AddFile[]): number {
  return adds.reduce((sum, { size }) => sum + size, 0)
}
