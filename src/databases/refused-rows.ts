import type { ColumnBatch } from '../data/column-batch.ts'
import type { RefusedRecord } from '../data/side-rows.ts'
import { rowRefused, rowRefusedReason } from './errors.ts'
import { rowText } from './row-text.ts'

/** What becomes of rows that a table does not take: dead letters, or the error that ends the batch. */
export class RefusedRows {
  readonly records: RefusedRecord[] = []
  readonly #server: string
  readonly #table: string
  readonly #keeps: boolean
  constructor(server: string, table: string, keepsDeadLetters: boolean) {
    this.#server = server
    this.#table = table
    this.#keeps = keepsDeadLetters
  }
  /** `first`: how many rows of the batch stand before the chunk. InvalidQueryError DATABASE_ROW_REFUSED where no dead letters are kept. */
  add(chunk: ColumnBatch, row: number, message: string, first: number): void {
    const text = rowText(chunk, row)
    if (!this.#keeps) throw rowRefused(this.#server, this.#table, message, text)
    this.records.push({ reason: rowRefusedReason, message, row: first + row, raw: new TextEncoder().encode(text) })
  }
}
