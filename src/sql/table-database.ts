/** Tables in a DuckDB of their own for SQL that a person writes: one SELECT at a time, over these tables and nothing else. */
import { InvalidQueryError } from '../base/errors.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import type { Schema } from '../data/schema.ts'
import { bindings, type Result } from './bindings.ts'
import { columnDefinitions, duckType } from './duck-types.ts'
import { sqlError } from './errors.ts'
import { schemaOf } from './infer-schema.ts'
import { readColumns } from './read-vectors.ts'
import { quoteName } from './sql-text.ts'
import { appendColumns } from './write-vectors.ts'

export interface ViewedTable {
  readonly name: string
  /** The columns of `batches`. */
  readonly flat: Schema
  readonly batches: readonly ColumnBatch[]
  /** What the table shows: names, and SQL over the flat columns `t0.c0`, `t0.c1`, …. */
  readonly columns: readonly { readonly name: string; readonly sql: string }[]
}

type Database = Awaited<ReturnType<typeof bindings.open>>
type NativeConnection = Awaited<ReturnType<typeof bindings.connect>>

export class TableDatabase {
  readonly #database: Database
  readonly #connection: NativeConnection
  readonly #names: string[] = []
  private constructor(database: Database, connection: NativeConnection) {
    this.#database = database
    this.#connection = connection
  }

  static async open(tables: readonly ViewedTable[]): Promise<TableDatabase> {
    const config = bindings.create_config()
    for (const [name, value] of Object.entries(settings)) bindings.set_config(config, name, value)
    const database = await bindings.open(':memory:', config)
    const opened = new TableDatabase(database, await bindings.connect(database))
    try {
      await opened.#run("SET TimeZone = 'UTC'")
      for (const [i, table] of tables.entries()) await opened.#add(table, `rows_${i}`)
      return opened
    } catch (error) {
      opened.close()
      throw error
    }
  }

  async #add({ name, flat, batches, columns }: ViewedTable, rows: string): Promise<void> {
    await this.#run(`CREATE TEMP TABLE ${rows} (${columnDefinitions(flat)})`)
    if (batches.some(({ length }) => length > 0)) {
      const appender = bindings.appender_create_ext(this.#connection, 'temp', 'main', rows)
      for (const batch of batches) if (batch.length > 0) appendColumns(appender, batch)
      bindings.appender_close_sync(appender)
    }
    const list = columns.map((column) => `${column.sql} AS ${quoteName(column.name)}`).join(', ')
    await this.#run(`CREATE TEMP VIEW ${quoteName(name)} AS SELECT ${list} FROM ${rows} AS t0`)
    this.#names.push(name)
  }

  /** The rows of one SELECT. InvalidQueryError PARSE_SYNTAX_ERROR, TABLE_OR_VIEW_NOT_FOUND, and what the rows themselves bring about. */
  async query(sql: string): Promise<ColumnBatch> {
    const text = sql.trim().replace(/;\s*$/, '')
    try {
      // as a table: then it is one SELECT, and its types are known before its rows are read
      await this.#run(`CREATE OR REPLACE TEMP TABLE "⟦result⟧" AS (${text}\n)`)
    } catch (error) {
      throw this.#explain(error, text)
    }
    const found = schemaOf(await this.#run('SELECT * FROM "⟦result⟧" LIMIT 0'), 'csv', true)
    const list = found.fields.map(({ name, type }) => `CAST(${quoteName(name)} AS ${duckType(type)})`).join(', ')
    return readColumns(await this.#run(`SELECT ${list} FROM "⟦result⟧"`), found)
  }

  #explain(error: unknown, sql: string): Error {
    const text = error instanceof Error ? error.message : String(error)
    const missing = /Table with name (\S+) does not exist/.exec(text)?.[1]
    if (missing !== undefined) {
      return new InvalidQueryError('TABLE_OR_VIEW_NOT_FOUND', {
        what: `there is no table "${missing}"`,
        todo: `there are ${this.#names.join(', ') || 'none'}`,
        cause: error,
      })
    }
    if (!/Parser Error|Binder Error|Catalog Error|Permission Error/.test(text)) return sqlError(error, sql)
    return new InvalidQueryError('PARSE_SYNTAX_ERROR', {
      what: `DuckDB says of ${JSON.stringify(sql)}: ${text.split('\n')[0]}`,
      todo: 'write one SELECT in the SQL of DuckDB; names with dots or capitals stand in double quotes',
      cause: error,
    })
  }

  #run(sql: string): Promise<Result> {
    return bindings.query(this.#connection, sql)
  }

  close(): void {
    bindings.disconnect_sync(this.#connection)
    bindings.close_sync(this.#database)
  }
}

const settings = {
  temp_directory: '',
  preserve_insertion_order: 'true',
  // a query reads the tables, and neither files nor the network
  enable_external_access: 'false',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
}
