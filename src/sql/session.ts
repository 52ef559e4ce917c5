import { bindings, type Result } from './bindings.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { columnDefinitions } from './duck-types.ts'
import { sqlError } from './errors.ts'
import { appendColumns } from './write-vectors.ts'

type Connection = Awaited<ReturnType<typeof bindings.connect>>

/**
 * One connection and one user: statements run strictly one after another, whoever asks. Its temporary tables end with it; that is the
 * cheapest way to drop them all, and a connection costs less than a DROP.
 */
export class Session {
  readonly #connection: Connection
  #last: Promise<unknown> = Promise.resolve()
  #closed = false
  #tables = 0
  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Runs a text of one or more statements; the result is the last one's. */
  run(sql: string): Promise<Result> {
    return this.#inTurn(async () => {
      try {
        return await bindings.query(this.#connection, sql)
      } catch (error) {
        throw sqlError(error, sql)
      }
    })
  }

  /** A name that no table of this session has. */
  nextTable(): string {
    return `t${this.#tables++}`
  }

  /** Makes a table of columns and returns its name. */
  async load(schema: Schema, batches: readonly ColumnBatch[]): Promise<string> {
    const table = this.nextTable()
    await this.run(`CREATE TEMP TABLE ${table} (${columnDefinitions(schema)})`)
    for (const batch of batches) if (batch.length > 0) await this.#inTurn(async () => this.#append(table, batch))
    return table
  }
  #append(table: string, batch: ColumnBatch): void {
    const appender = bindings.appender_create_ext(this.#connection, 'temp', 'main', table)
    try {
      appendColumns(appender, batch)
      bindings.appender_close_sync(appender)
    } catch (error) {
      throw sqlError(error, `append ${batch.length} rows to ${table}`)
    }
  }

  /** Waits for what runs and drops all that the session made. May be called again. */
  async close(): Promise<void> {
    await this.#last.catch(() => undefined)
    if (this.#closed) return
    this.#closed = true
    bindings.disconnect_sync(this.#connection)
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(() => {
      if (this.#closed) throw sqlError(new Error('the batch has ended'), '')
      return work()
    })
    this.#last = mine.catch(() => undefined)
    return mine
  }
}
