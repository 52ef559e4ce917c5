import { InvalidQueryError } from '../base/errors.ts'
import type { RefusedRecord } from './side-rows.ts'

/** What the function of foreachBatch gets behind the rows and the batch id. */
export interface ForeachBatchContext {
  /** Whether the query keeps dead letters, so that deadLetter may be called. */
  readonly keepsDeadLetters: boolean
  /**
   * Sets a row aside that the function could not write: it goes to the dead letters of the batch, with `reason` (a code such as DUPLICATE_KEY), and `row` as its JSON, or as it is where
   * it is bytes. The function must name the same rows when the batch comes again. InvalidQueryError DEAD_LETTERS_NOT_KEPT where the query has no deadLetters, INVALID_DEAD_LETTER
   * without a reason or a row, and once the function is done.
   */
  deadLetter(row: object | Uint8Array, reason: string, message?: string): void
}

/** Collects what one call of the function sets aside. */
export class Refusals implements ForeachBatchContext {
  readonly keepsDeadLetters: boolean
  readonly refused: RefusedRecord[] = []
  readonly #batchId: number
  #isDone = false
  constructor(keepsDeadLetters: boolean, batchId: number) {
    this.keepsDeadLetters = keepsDeadLetters
    this.#batchId = batchId
  }

  readonly deadLetter = (row: object | Uint8Array, reason: string, message = reason): void => {
    if (!this.keepsDeadLetters) {
      throw new InvalidQueryError('DEAD_LETTERS_NOT_KEPT', {
        what: `the function of foreachBatch refused a row of batch ${this.#batchId} (${String(reason)}), and the query keeps no dead letters; the row is ${rowJson(row).slice(0, 500)}`,
        todo: 'say where they go: writeStream.deadLetters(…), or ask keepsDeadLetters first',
      })
    }
    const isRow = row !== null && typeof row === 'object'
    const problem = this.#isDone ? 'after the function was done' : !isRow ? `a row of type ${typeof row}` : ''
    if (problem !== '' || typeof reason !== 'string' || reason === '') {
      throw new InvalidQueryError('INVALID_DEAD_LETTER', {
        what: `deadLetter was called with ${problem === '' ? 'no reason' : problem} in batch ${this.#batchId}`,
        todo: "call deadLetter(row, 'DUPLICATE_KEY', message) before the function returns, or its promise resolves",
      })
    }
    this.refused.push({ reason, message, raw: row instanceof Uint8Array ? row : new TextEncoder().encode(rowJson(row)) })
  }

  done(): readonly RefusedRecord[] {
    this.#isDone = true
    return this.refused
  }
}

/** A row as JSON, for letters and messages; a bigint is a number with all its digits. */
export function rowJson(row: unknown): string {
  return JSON.stringify(row, (_key, value: unknown) => (typeof value === 'bigint' ? rawNumber(String(value)) : value)) ?? String(row)
}
// in every version of Node that Millrace runs on; its type is not in the library yet
const rawNumber = (text: string): unknown => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text)
