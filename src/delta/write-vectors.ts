/** Rows that go without their files being written anew: `delta.enableDeletionVectors`. All vectors of a commit lie in one file. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { parseJsonExactly, rawNumber } from '../base/exact-json.ts'
import type { FixedColumn } from '../data/column-batch.ts'
import type { LogicalPlan } from '../plan/logical-plan.ts'
import type { Action, AddFile, DeletionVectorDescriptor, Metadata } from './actions.ts'
import { encodeDeletionVector, readDeletionVector, vectorFile } from './deletion-vector.ts'
import { recordsOf } from './table-rows.ts'
import { removal, type TableAccess, type TableView } from './transaction.ts'

/** Whether rows of the file may go by a vector: the table asks for it, and it is known how many rows the file has, as the protocol wants it then. */
export function takesVector({ configuration }: Metadata, add: AddFile): boolean {
  return configuration?.['delta.enableDeletionVectors'] === 'true' && recordsOf(add) !== undefined
}

/** The numbers of rows by the number of their file, from a plan whose first two columns are these. */
export function rowsByFile({ engine }: TableAccess, places: LogicalPlan): Promise<Map<number, number[]>> {
  return engine.runBatch(places, async (rows) => {
    const found = new Map<number, number[]>()
    const { columns, length } = await rows.toColumns()
    const [file, row] = columns as readonly FixedColumn[]
    for (let i = 0; i < length; i++) {
      const key = Number(file!.data[i])
      const known = found.get(key)
      if (known) known.push(Number(row!.data[i]))
      else found.set(key, [Number(row!.data[i])])
    }
    return found
  })
}

/** What takes these rows out of their files: vectors are made durable, and what a commit says of them is given. A file of which no row is left just goes. */
export async function withoutRows(
  { files, nowMs }: TableAccess,
  { table }: TableView,
  gone: readonly { readonly add: AddFile; readonly rows: readonly number[] }[],
): Promise<{ readonly actions: readonly Action[]; readonly vectors: number }> {
  const actions: Action[] = []
  const id = randomUUID()
  const parts: Uint8Array[] = [new Uint8Array([1])]
  let offset = 1
  for (const { add, rows } of gone) {
    actions.push(removal(add, nowMs()))
    const before = add.deletionVector ? await readDeletionVector(files, table, add.deletionVector) : []
    const all = Float64Array.from(new Set([...before, ...rows])).sort()
    if (all.length === recordsOf(add)) continue
    const { stored, sizeInBytes } = encodeDeletionVector(all)
    const { pathOrInlineDv } = vectorFile(id)
    const deletionVector: DeletionVectorDescriptor = { storageType: 'u', pathOrInlineDv, offset, sizeInBytes, cardinality: all.length }
    parts.push(stored)
    offset += stored.length
    actions.push({ add: { ...add, dataChange: true, stats: looseStats(add.stats!), deletionVector } })
  }
  if (parts.length > 1) {
    const path = join(table, vectorFile(id).name)
    await files.create(path, Buffer.concat(parts))
    await files.sync([path])
  }
  return { actions, vectors: parts.length - 1 }
}

/** The least and largest values may be those of rows that are gone. */
function looseStats(stats: string): string {
  return JSON.stringify({ ...(parseJsonExactly(stats, rawNumber) as object), tightBounds: false })
}
