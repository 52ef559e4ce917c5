import type { ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { bindings, type Result } from './bindings.ts'
import { columnDefinitions } from './duck-types.ts'
import { sqlError } from './errors.ts'
import { LoadedRows, smallRows } from './loaded-rows.ts'
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
  readonly #rows: LoadedRows
  #loaded: bigint[] = []
  constructor(connection: Connection, rows: LoadedRows) {
    this.#connection = connection
    this.#rows = rows
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

  /** Makes columns readable and returns what stands behind FROM. They must not change while the session lives. */
  async load(schema: Schema, batches: readonly ColumnBatch[]): Promise<string> {
    if (batches.reduce((sum, batch) => sum + batch.length, 0) <= smallRows) {
      const id = this.#rows.add(schema, batches)
      this.#loaded.push(id)
      return LoadedRows.text(id)
    }
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
    for (const id of this.#loaded) this.#rows.remove(id)
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
