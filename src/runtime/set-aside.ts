import type { Field } from '../data/types.ts'
import type { SqlBatch } from '../sql/sql-batch.ts'
import { LateRows } from './late-rows.ts'
import type { SideOutputs } from './side-outputs.ts'

/** What one batch sets aside, and its books. */
export class SetAside {
  readonly lateRows: LateRows | undefined
  readonly #outputs: SideOutputs
  readonly #sql: SqlBatch
  readonly #batchId: number
  constructor(outputs: SideOutputs, sql: SqlBatch, lateColumns: readonly Field[] | null, batchId: number) {
    this.#outputs = outputs
    this.#sql = sql
    this.#batchId = batchId
    this.lateRows = lateColumns === null ? undefined : new LateRows(sql, lateColumns, batchId)
  }

  /** Called when all of the batch's rows have been computed. */
  async deliver(): Promise<void> {
    if (this.lateRows) await this.#outputs.deliver('lateRows', this.#batchId, this.#sql, await this.lateRows.relation())
  }
}
