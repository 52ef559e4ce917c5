import { assert } from '../base/errors.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { bindings, type DataChunk, type Result } from './bindings.ts'
import type { Connection } from './connection.ts'
import { columnDefinitions } from './duck-types.ts'
import { sqlError } from './errors.ts'
import { ofProcess } from './leave.ts'
import { smallRows } from './loaded-rows.ts'
import type { RowCalls } from './row-calls.ts'
import { appendColumns } from './write-vectors.ts'

/**
 * A batch's use of a connection: statements run strictly one after another, whoever asks. Temporary tables end with the connection; that
 * is the cheapest way to drop them all, and a connection costs less than a DROP. One without tables serves the next batch.
 */
export class Session {
  readonly #connection: Connection
  #last: Promise<unknown> = Promise.resolve()
  #closed = false
  #tables = 0
  #failed = false
  /** What went wrong while rows were loaded: every statement after it fails with the same. */
  #broken: { readonly error: unknown } | undefined
  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Runs a text of one or more statements; the result is the last one's. */
  run(sql: string): Promise<Result> {
    return this.#statement(sql, () => bindings.query(this.#connection.native, sql))
  }

  /** Runs one SELECT that the batches to come may have too, word for word. */
  runAgain(sql: string): Promise<Result> {
    return this.#statement(sql, () => this.#connection.runAgain(sql))
  }

  /** A SELECT with the parameters $1 and $2, BIGINTs, that runs many times. */
  async prepareRange(sql: string): Promise<(from: number, to: number) => Promise<Result>> {
    const statement = await this.#statement(sql, () => bindings.prepare(this.#connection.native, sql))
    return (from, to) =>
      this.#statement(sql, () => {
        bindings.bind_int64(statement, 1, BigInt(from))
        bindings.bind_int64(statement, 2, BigInt(to))
        return bindings.execute_prepared(statement)
      })
  }

  #statement<T = Result>(sql: string, run: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      if (this.#broken) throw this.#broken.error
      try {
        return await ofProcess(run)
      } catch (error) {
        this.#failed = true
        throw this.#connection.calls.errorOf(error) ?? sqlError(error, sql)
      }
    })
  }

  /** Runs a statement and gives its rows as they are computed. Other statements wait until the iteration has ended. */
  async *stream(sql: string): AsyncGenerator<DataChunk, void, undefined> {
    const before = this.#last
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#last = promise
    let ended = false
    try {
      await before
      if (this.#closed) throw sqlError(new Error('the batch has ended'), '')
      if (this.#broken) throw this.#broken.error
      const result = await ofProcess(async () => bindings.execute_prepared_streaming(await bindings.prepare(this.#connection.native, sql)))
      const next = () => ofProcess(() => bindings.fetch_chunk(result))
      for (let chunk = await next(); chunk !== null; chunk = await next()) {
        if (bindings.data_chunk_get_size(chunk) === 0) break
        yield chunk
      }
      ended = true
    } catch (error) {
      throw this.#connection.calls.errorOf(error) ?? sqlError(error, sql)
    } finally {
      if (!ended) this.#failed = true // a connection with half a result serves nobody else
      resolve()
    }
  }

  /** Calls that statements may make. */
  get calls(): RowCalls {
    return this.#connection.calls
  }

  /** A name that no table of this session has. */
  nextTable(): string {
    return `t${this.#tables++}`
  }

  /**
   * Makes columns readable and returns what stands behind FROM. They must not change while the session lives. Many rows cross while the caller
   * goes on (the state's changelog is written meanwhile); a failure is told by the next statement.
   */
  async load(schema: Schema, batches: readonly ColumnBatch[]): Promise<string> {
    const rows = batches.reduce((sum, batch) => sum + batch.length, 0)
    // a table of DuckDB has a column; rows without any are only counted
    if (schema.fields.length === 0) return `(SELECT 0 AS nothing FROM range(${rows}))`
    if (rows <= smallRows) {
      assert(!this.#closed, 'the batch has not ended')
      return this.#connection.place(schema, batches)
    }
    const table = this.nextTable()
    // one after the other, before any statement that is asked for later
    const steps: Promise<unknown>[] = [this.run(`CREATE TEMP TABLE ${table} (${columnDefinitions(schema)})`)]
    for (const batch of batches) if (batch.length > 0) steps.push(this.#inTurn(async () => this.#append(table, batch)))
    for (const step of steps) step.catch(() => undefined)
    return table
  }
  #append(table: string, batch: ColumnBatch): void {
    const appender = bindings.appender_create_ext(this.#connection.native, 'temp', 'main', table)
    try {
      appendColumns(appender, batch)
      bindings.appender_close_sync(appender)
    } catch (error) {
      this.#failed = true
      this.#broken ??= { error: sqlError(error, `append ${batch.length} rows to ${table}`) }
      throw this.#broken.error
    }
  }

  /** Waits for what runs. Gives the connection if another batch can have it; else, or when called again, closes it and gives null. */
  async close(): Promise<Connection | null> {
    await this.#last.catch(() => undefined)
    if (this.#closed) return null
    this.#closed = true
    if (this.#tables === 0 && !this.#failed) {
      this.#connection.release()
      return this.#connection
    }
    this.#connection.close()
    return null
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
