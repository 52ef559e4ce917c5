import { type Account, sourcePlace } from '../data/side-rows.ts'
import type { Field } from '../data/types.ts'
import type { DeadLetterLimits } from '../query/engine-port.ts'
import type { SinkCommit } from '../sinks/sink.ts'
import type { SqlBatch } from '../sql/sql-batch.ts'
import { DeadLetters } from './dead-letters.ts'
import { LateRows } from './late-rows.ts'
import type { ReadAccount } from './read-source.ts'
import type { SideOutputs } from './side-outputs.ts'
import type { TableLetters } from './table-letters.ts'

/** Which side outputs a query has. */
export interface SetAsideSettings {
  readonly outputs: SideOutputs
  /** The columns of late rows that are given out; null where nobody asked for them. */
  readonly lateColumns: readonly Field[] | null
  /** Null where no dead letters are kept. */
  readonly deadLetterLimits: DeadLetterLimits | null
  /** What rows of joined tables have left since the start. */
  readonly tableLetters: TableLetters
}

/** What one batch sets aside, and its books. */
export class SetAside {
  readonly lateRows: LateRows | undefined
  readonly deadLetters: DeadLetters | undefined
  readonly #outputs: SideOutputs
  readonly #sql: SqlBatch
  readonly #batchId: number
  readonly #reads: ReadAccount[] = []
  #sinks: readonly Account[] = []
  constructor(
    { outputs, lateColumns, deadLetterLimits, tableLetters }: SetAsideSettings,
    sql: SqlBatch,
    batchId: number,
    batchTimestampMs: number,
  ) {
    this.#outputs = outputs
    this.#sql = sql
    this.#batchId = batchId
    this.lateRows = lateColumns === null ? undefined : new LateRows(sql, lateColumns, batchId)
    this.deadLetters =
      deadLetterLimits === null ? undefined : new DeadLetters(sql, deadLetterLimits, batchId, batchTimestampMs, tableLetters)
  }

  hasRead(account: ReadAccount): void {
    this.#reads.push(account)
  }

  /** When all of the batch's rows have been computed, and nothing is delivered yet. */
  async checkLimits(): Promise<void> {
    this.deadLetters?.checkLimits(await this.#rowsIn())
  }

  /** The sink, or each of the outputs, has the batch, but for the rows that it has refused. */
  async hasDelivered({ refused = [] }: SinkCommit, accounts: readonly Account[]): Promise<void> {
    if (!this.deadLetters) return
    await this.deadLetters.add('sink', null, refused)
    if (refused.length > 0) await this.checkLimits()
    this.#sinks = accounts
  }

  /** Delivers what was set aside: the last thing before the batch is done. */
  async deliver(): Promise<void> {
    if (this.lateRows) await this.#outputs.deliver('lateRows', this.#batchId, this.#sql, await this.lateRows.relation())
    if (!this.deadLetters) return
    await this.#outputs.deliver('deadLetters', this.#batchId, this.#sql, await this.deadLetters.relation())
    this.deadLetters.delivered()
  }

  /** The accounts of sources, of the places between, and of the sink. */
  books(between: readonly Account[], inputRows: ReadonlyMap<string, number>): readonly Account[] {
    const reads = this.#reads.map(({ source, rowsOn, deadLetters, uncounted }) => ({
      at: sourcePlace(source),
      rowsIn: (inputRows.get(source) ?? 0) + uncounted,
      rowsOn: rowsOn ?? inputRows.get(source) ?? 0,
      lateRows: 0,
      deadLetters,
    }))
    return [...reads, ...between, ...this.#sinks]
  }

  async #rowsIn(): Promise<number> {
    const counted = await this.#sql.inputRows()
    return [...counted.values()].reduce((sum, rows) => sum + rows, 0) + this.#reads.reduce((sum, { uncounted }) => sum + uncounted, 0)
  }
}

/** The account of a sink; `rows`: how many it was given. One that does not count, or has kept an earlier delivery, leaves none, but for what it refuses. */
export async function sinkAccount(
  at: string,
  { numOutputRows, refused = [] }: SinkCommit,
  rows: () => Promise<number>,
): Promise<Account | undefined> {
  if (numOutputRows < 0 && refused.length === 0) return undefined
  const rowsOn = numOutputRows >= 0 ? numOutputRows : (await rows()) - refused.length
  return { at, rowsIn: rowsOn + refused.length, rowsOn, lateRows: 0, deadLetters: refused.length }
}
