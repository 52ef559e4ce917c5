import type { Connection } from 'mysql2/promise'
import type { RowSet } from '../../data/row-set.ts'
import type { Database, Dialect, Session, TableShape, UniqueKey, WritePlan, Written } from '../dialect.ts'
import type { TableName } from '../table-name.ts'
import type { MySqlConnection } from './connection.ts'
import { mysqlDialect } from './dialect.ts'
import { mysqlLibrary } from './library.ts'
import type { MySqlColumn } from './types.ts'
import { writeBatch } from './write-batch.ts'

export class MySqlDatabase implements Database {
  readonly dialect: Dialect
  readonly address: string
  readonly #connection: MySqlConnection
  constructor(connection: MySqlConnection) {
    this.#connection = connection
    this.address = connection.address
    this.dialect = mysqlDialect('MySQL', 'utf8mb4_0900_bin', connection.checkCollation)
  }

  async connect(): Promise<MySqlSession> {
    const { createConnection } = await mysqlLibrary()
    const session = new MySqlSession(await createConnection(this.#connection.client), this.dialect)
    await session.open(this.#connection)
    return session
  }
}

export class MySqlSession implements Session {
  readonly client: Connection
  dialect: Dialect
  isBroken = false
  constructor(client: Connection, dialect: Dialect) {
    this.client = client
    this.dialect = dialect
    const broken = () => {
      this.isBroken = true
    }
    client.on('error', broken)
    client.on('end', broken)
  }

  async open({ lockTimeoutMs, idleTimeoutMs, checkCollation }: MySqlConnection): Promise<void> {
    const { rows } = await this.run('SELECT version()')
    const isMariaDb = String(rows[0]![0]).includes('MariaDB')
    if (isMariaDb) this.dialect = mysqlDialect('MariaDB', 'utf8mb4_nopad_bin', checkCollation)
    const settings = [
      // a value that does not fit is refused, and never cut or bent
      `sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'`,
      `time_zone = '+00:00'`,
      'default_storage_engine = InnoDB',
      'autocommit = 1',
      `innodb_lock_wait_timeout = ${Math.max(1, Math.ceil(lockTimeoutMs / 1000))}`,
      // a process that was frozen in the middle of a batch must not keep its locks for ever
      ...(isMariaDb ? [`idle_transaction_timeout = ${Math.ceil(idleTimeoutMs / 1000)}`] : []),
    ]
    await this.client.query(`SET SESSION ${settings.join(', SESSION ')}`)
  }

  async run(sql: string, parameters: readonly unknown[] = []) {
    const [result] = await (parameters.length > 0
      ? this.client.execute(sql, parameters.map((value) => (typeof value === 'number' ? String(value) : value)) as never)
      : this.client.query(sql))
    return Array.isArray(result)
      ? { rows: result as unknown as unknown[][], changed: 0 }
      : { rows: [], changed: (result as { affectedRows: number }).affectedRows }
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.client.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
    await this.client.query('START TRANSACTION')
    let result: T
    try {
      result = await work()
    } catch (error) {
      await this.client.query('ROLLBACK').catch(() => {
        this.isBroken = true
      })
      throw error
    }
    await this.client.query('COMMIT')
    return result
  }

  async describe(table: TableName): Promise<TableShape | null> {
    const names = [table.schema, table.name]
    const found = await this.run(
      'SELECT table_schema, table_name, table_type, engine FROM information_schema.tables WHERE table_schema = coalesce(?, database()) AND table_name = ?',
      names,
    )
    if (found.rows.length === 0) return null
    const [schema, name, kind, engine] = found.rows[0]!.map(String) as [string, string, string, string]
    const { rows } = await this.run(
      `SELECT column_name, column_type, is_nullable, column_default IS NOT NULL OR extra LIKE '%auto_increment%' OR extra LIKE '%DEFAULT_GENERATED%', extra LIKE '%GENERATED%' AND extra NOT LIKE '%DEFAULT_GENERATED%', collation_name
       FROM information_schema.columns WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position`,
      [schema, name],
    )
    return {
      table: { schema, name },
      columns: rows.map(
        ([column, type, nullable, fillsItself, isGenerated, collation]): MySqlColumn => ({
          name: String(column),
          typeText: String(type),
          nullable: nullable === 'YES',
          fillsItself: Number(fillsItself) === 1,
          isGenerated: Number(isGenerated) === 1,
          collation: collation === null ? null : String(collation),
        }),
      ),
      keys: await this.#keys(schema, name),
      unfit: kind !== 'BASE TABLE' ? 'it is a view' : /^innodb$/i.test(engine) ? null : `its engine ${engine} has no transactions`,
    }
  }

  async #keys(schema: string, name: string): Promise<UniqueKey[]> {
    const { rows } = await this.run(
      `SELECT index_name, column_name, sub_part FROM information_schema.statistics
       WHERE table_schema = ? AND table_name = ? AND non_unique = 0 ORDER BY index_name, seq_in_index`,
      [schema, name],
    )
    const indexes = Map.groupBy(rows, ([index]) => String(index))
    return [...indexes]
      .filter(([, parts]) => parts.every(([, column, prefix]) => column !== null && prefix === null))
      .map(([index, parts]) => ({ name: index, columns: parts.map(([, column]) => String(column)), nullsAreEqual: false }))
  }

  write(plan: WritePlan, rows: RowSet, keepsDeadLetters: boolean): Promise<Written> {
    return writeBatch(this, plan, rows, keepsDeadLetters)
  }

  async close(): Promise<void> {
    if (this.isBroken) this.client.destroy()
    else await this.client.end()
    this.isBroken = true
  }
}
