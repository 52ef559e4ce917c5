import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../base/clock.ts'
import type { Column } from '../../data/column-batch.ts'
import type { RowSet } from '../../data/row-set.ts'
import { deletionsOf, storedColumns } from '../../sinks/delete-column.ts'
import type { Database, Session, TableShape, UniqueKey, WritePlan, Written } from '../dialect.ts'
import { markNullKeys } from '../null-keys.ts'
import { RefusedRows } from '../refused-rows.ts'
import { jsonText, valueAt } from '../row-text.ts'
import { quoted, quotedTable, type TableName, tableText } from '../table-name.ts'
import { dateText, timeText, Unfit } from '../time-text.ts'
import { sqliteDialect } from './dialect.ts'

export class SqliteDatabase implements Database {
  readonly dialect = sqliteDialect
  readonly address: string
  readonly #path: string
  readonly #lock: LockWait
  constructor(path: string, lock: LockWait) {
    this.#path = path
    this.#lock = lock
    this.address = `sqlite:${path}`
  }

  async connect(): Promise<SqliteSession> {
    // it waits in whenFree: SQLite's own wait would stop the whole thread, and with it whoever holds the lock here
    const database = new DatabaseSync(this.#path, { timeout: 0 })
    try {
      // readers and the writer don't wait for each other, and a commit that has returned survives a loss of power
      await whenFree(this.#lock, () => database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON'))
      return new SqliteSession(database, this.#lock)
    } catch (error) {
      database.close()
      throw error
    }
  }
}

/** How long to wait for another writer. */
export interface LockWait {
  readonly clock: Clock
  readonly timeoutMs: number
}
async function whenFree<T>({ clock, timeoutMs }: LockWait, run: () => T): Promise<T> {
  const startMs = clock.monotonicMs()
  for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 50)) {
    try {
      return run()
    } catch (error) {
      if (sqliteDialect.faultOf(error) !== 'transient' || clock.monotonicMs() - startMs > timeoutMs) throw error
    }
    await clock.sleepUntil(clock.nowMs() + pauseMs)
  }
}

type Value = null | number | bigint | string | Uint8Array

export class SqliteSession implements Session {
  readonly dialect = sqliteDialect
  isBroken = false
  readonly #database: DatabaseSync
  readonly #lock: LockWait
  constructor(database: DatabaseSync, lock: LockWait) {
    this.#database = database
    this.#lock = lock
  }

  async run(sql: string, parameters: readonly unknown[] = []) {
    return whenFree(this.#lock, () => {
      const statement = this.#database.prepare(sql)
      statement.setReadBigInts(true)
      statement.setReturnArrays(true)
      return statement.columns().length > 0
        ? { rows: statement.all(...(parameters as Value[])) as unknown as unknown[][], changed: 0 }
        : { rows: [], changed: Number(statement.run(...(parameters as Value[])).changes) }
    })
  }

  /** The columns of a SELECT, with the types that they were declared with; an expression has none. */
  columnsOf(sql: string): { readonly name: string; readonly declared: string }[] {
    return this.#database
      .prepare(sql)
      .columns()
      .map(({ name, type }) => ({ name, declared: type ?? '' }))
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await whenFree(this.#lock, () => this.#database.exec('BEGIN IMMEDIATE'))
    let result: T
    try {
      result = await work()
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
    try {
      this.#database.exec('COMMIT')
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
      throw error
    }
    return result
  }

  async describe(table: TableName): Promise<TableShape | null> {
    const schema = table.schema ?? 'main'
    const { rows: found } = await this.run(
      `SELECT type FROM ${quoted(schema)}.sqlite_schema WHERE name = ? AND type IN ('table', 'view')`,
      [table.name],
    )
    if (found.length === 0) return null
    const { rows } = await this.run('SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?, ?)', [
      table.name,
      schema,
    ])
    const primary = rows.filter(([, , , , pk]) => Number(pk) > 0)
    // such a column is the row's number itself, which SQLite gives where there is none
    const rowId = primary.length === 1 && String(primary[0]![1]).toUpperCase() === 'INTEGER' ? String(primary[0]![0]) : null
    const keys = await this.#keys(table.name, schema)
    if (rowId !== null) keys.push({ name: 'PRIMARY KEY', columns: [rowId], nullsAreEqual: false })
    return {
      table: { schema, name: table.name },
      columns: rows.map(([name, type, notNull, fallback, , hidden]) => ({
        name: String(name),
        typeText: String(type),
        nullable: Number(notNull) === 0,
        fillsItself: fallback !== null || name === rowId,
        isGenerated: Number(hidden) > 1,
      })),
      keys,
      unfit: found[0]![0] === 'view' ? 'it is a view' : null,
    }
  }
  async #keys(table: string, schema: string): Promise<UniqueKey[]> {
    const { rows } = await this.run(
      `SELECT l.name, i.name FROM pragma_index_list(?, ?) l, pragma_index_info(l.name, ?) i WHERE l."unique" = 1 AND l.partial = 0 ORDER BY l.name, i.seqno`,
      [table, schema, schema],
    )
    return [...Map.groupBy(rows, ([index]) => String(index))]
      .filter(([, parts]) => parts.every(([, column]) => column !== null))
      .map(([name, parts]) => ({ name, columns: parts.map(([, column]) => String(column)), nullsAreEqual: false }))
  }

  /** A row that is refused takes its own statement back and nothing else. The statements run on this thread; between chunks others get their turn. */
  async write(plan: WritePlan, rows: RowSet, keepsDeadLetters: boolean): Promise<Written> {
    const refused = new RefusedRows('SQLite', tableText(plan.table), keepsDeadLetters)
    const insert = this.#database.prepare(insertText(plan))
    const remove = plan.deletes === null ? undefined : this.#database.prepare(deleteText(plan))
    const keyPlaces = plan.key.map((name) => plan.columns.findIndex(({ field }) => field.name === name))
    let count = 0
    for await (const chunk of rows.chunks()) {
      count += chunk.length
      const unfit = new Map<number, string>()
      const stored = storedColumns(chunk, plan.deletes)
      const isDeletion = deletionsOf(chunk, plan.deletes)
      markNullKeys(plan, stored, unfit)
      const values = stored.columns.map((column) => readerOf(column))
      const keys = keyPlaces.map((at) => values[at]!)
      for (let row = 0; row < chunk.length; row++) {
        const message = unfit.get(row) ?? (remove && isDeletion(row) ? this.#runRow(remove, keys, row) : this.#runRow(insert, values, row))
        if (message !== null) refused.add(chunk, row, message, count - chunk.length)
      }
      await setImmediate()
    }
    return { numRows: count - refused.records.length, refused: refused.records }
  }
  #runRow(statement: StatementSync, values: readonly ((row: number) => Value)[], row: number): string | null {
    try {
      statement.run(...values.map((value) => value(row)))
      return null
    } catch (error) {
      if (error instanceof Unfit) return error.message
      if (sqliteDialect.faultOf(error) !== 'row') throw error
      return sqliteDialect.messageOf(error)
    }
  }

  async close(): Promise<void> {
    if (this.isBroken) return
    this.isBroken = true
    this.#database.close()
  }
}

function insertText({ table, columns, key, onConflict }: WritePlan): string {
  const names = columns.map(({ field }) => field.name)
  const insert = `INSERT INTO ${quotedTable(table)} (${names.map((name) => quoted(name)).join(', ')}) VALUES (${names.map(() => '?').join(', ')})`
  if (onConflict === 'error') return insert
  const others = onConflict === 'update' ? names.filter((name) => !key.includes(name)) : []
  const action =
    others.length > 0 ? `DO UPDATE SET ${others.map((name) => `${quoted(name)} = excluded.${quoted(name)}`).join(', ')}` : 'DO NOTHING'
  return `${insert} ON CONFLICT (${key.map((name) => quoted(name)).join(', ')}) ${action}`
}

/** Its parameters are the values of the key. A null is no key here. */
function deleteText({ table, key }: WritePlan): string {
  return `DELETE FROM ${quotedTable(table)} WHERE ${key.map((name) => `${quoted(name)} = ?`).join(' AND ')}`
}

function readerOf(column: Column): (row: number) => Value {
  const { type } = column
  const read = ((): ((row: number) => Value) => {
    if (column.kind === 'fixed') {
      const { data } = column
      switch (type) {
        case 'date':
          return (row) => dateText(data[row] as number)
        case 'timestamp':
          return (row) => `${timeText(data[row] as bigint)}Z`
        case 'timestamp_ntz':
          return (row) => timeText(data[row] as bigint)
        case 'float':
        case 'double':
          return (row) => {
            if (Number.isNaN(data[row])) throw new Unfit('the number is NaN, of which SQLite makes a null')
            return data[row]!
          }
        default:
          if (typeof type === 'string') return (row) => data[row]!
      }
    }
    if (type === 'string' || type === 'binary') return (row) => valueAt(column, row) as Value
    if (typeof type !== 'string' && type.kind === 'decimal') return (row) => String(valueAt(column, row))
    return (row) => jsonText(type, valueAt(column, row))
  })()
  if (column.kind === 'values') return (row) => (column.values[row] == null ? null : read(row))
  const { valid } = column
  return valid === null ? read : (row) => (valid[row] === 0 ? null : read(row))
}
