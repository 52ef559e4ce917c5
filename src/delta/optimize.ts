/** OPTIMIZE: small files of a partition become few large ones. Rows stay what they are: streams over the table don't see it. */
import { bytesOf } from '../base/quantities.ts'
import type { Expression } from '../plan/expression.ts'
import { expressionText } from '../plan/expression-tree.ts'
import type { Action, AddFile, Metadata } from './actions.ts'
import { commitChange } from './commit.ts'
import { keyOf } from './conflicts.ts'
import { pathOf } from './paths.ts'
import { filesFor } from './skipping.ts'
import { scanOf } from './table-rows.ts'
import { checkpointIfDue, removal, type TableAccess, type TableView, viewOf } from './transaction.ts'
import { added, bytesIn, writePlan } from './write-plan.ts'

export interface OptimizeOptions {
  /** Over the table's columns, of which it reads those of its partitions alone. */
  readonly partitions?: Expression | undefined
  /** Bytes that a file comes near to (default: delta.targetFileSize, else 1 GiB). Files below it are put together. */
  readonly targetBytes?: number | undefined
  /** So many small files a partition has at least to have (default 2). */
  readonly minFiles?: number
}
export interface OptimizeMetrics {
  readonly numFilesAdded: number
  readonly numFilesRemoved: number
  readonly filesAddedBytes: number
  readonly filesRemovedBytes: number
  readonly partitionsOptimized: number
  /** Null where there was nothing to do. */
  readonly version: number | null
}

interface Bin {
  readonly files: readonly AddFile[]
}

const defaultTarget = 1024 ** 3

export async function optimizeTable(access: TableAccess, options: OptimizeOptions): Promise<OptimizeMetrics> {
  const { state, files, nowMs } = access
  await state.refresh()
  const view = viewOf(state)
  const rewritten: { readonly bin: Bin; readonly adds: readonly AddFile[] }[] = []
  for (const bin of binsOf(view, options)) {
    const { adds } = await writePlan(access, view, scanOf(files, view, bin.files), 'optimize', { bounds: undefined, dataChange: false })
    rewritten.push({ bin, adds })
  }
  let taken = rewritten
  const committed = await commitChange(
    access,
    (now) => {
      // what another writer has removed or changed meanwhile is left as that writer wants it
      const isThere = (file: AddFile) => now.active.has(keyOf(now.table, file))
      taken = hasSameLayout(now.metadata!, view.metadata) ? rewritten.filter(({ bin }) => bin.files.every(isThere)) : []
      if (taken.length === 0) return null
      return taken.flatMap(({ bin, adds }): Action[] => [...bin.files.map((file) => removal(file, nowMs(), false)), ...added(adds)])
    },
    {
      operation: 'OPTIMIZE',
      operationParameters: {
        predicate: options.partitions ? JSON.stringify([expressionText(options.partitions)]) : '[]',
        zOrderBy: '[]',
        auto: options.minFiles !== undefined,
      },
      readVersion: view.version,
      isBlindAppend: false,
    },
  )
  for (const { adds } of rewritten.filter((each) => !taken.includes(each)))
    for (const { path } of adds) await files.delete(pathOf(view.table, path)).catch(() => undefined)
  await checkpointIfDue(access, committed.version)
  const removed = taken.flatMap(({ bin }) => bin.files)
  const adds = taken.flatMap((each) => each.adds)
  return {
    numFilesAdded: adds.length,
    numFilesRemoved: removed.length,
    filesAddedBytes: bytesIn(adds),
    filesRemovedBytes: bytesIn(removed),
    partitionsOptimized: new Set(taken.map(({ bin }) => partitionOf(bin.files[0]!))).size,
    version: committed.version,
  }
}

export function hasSameLayout(a: Metadata, b: Metadata): boolean {
  return a.schemaString === b.schemaString && a.partitionColumns.join('\n') === b.partitionColumns.join('\n')
}

/** Which files become one. A file with deleted rows is worth writing anew by itself. */
function binsOf(view: TableView, { partitions, targetBytes, minFiles = 2 }: OptimizeOptions): Bin[] {
  const { metadata } = view
  const target = targetBytes ?? bytesOf(metadata.configuration?.['delta.targetFileSize'] ?? '') ?? defaultTarget
  const groups = new Map<string, AddFile[]>()
  const isWanted = partitions ? filesFor(view, partitions) : () => true
  for (const add of view.files) {
    if (!isWanted(add)) continue
    if (add.size >= target && !add.deletionVector) continue
    const key = partitionOf(add)
    groups.set(key, [...(groups.get(key) ?? []), add])
  }
  return [...groups.values()].filter((group) => group.length >= minFiles || group.some(isWorn)).flatMap((group) => packed(group, target))
}
function isWorn({ deletionVector }: AddFile): boolean {
  return deletionVector !== null && deletionVector !== undefined
}
function partitionOf({ partitionValues }: AddFile): string {
  return JSON.stringify(Object.entries(partitionValues).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Oldest first, so that rows that came together stay together. */
function packed(group: readonly AddFile[], target: number): Bin[] {
  const bins: AddFile[][] = [[]]
  let bytes = 0
  for (const add of [...group].sort((a, b) => a.modificationTime - b.modificationTime || (a.path < b.path ? -1 : 1))) {
    if (bytes > 0 && bytes + add.size > target) {
      bins.push([])
      bytes = 0
    }
    bins.at(-1)!.push(add)
    bytes += add.size
  }
  return bins.filter((bin) => bin.length > 1 || bin.some(isWorn)).map((files) => ({ files }))
}
