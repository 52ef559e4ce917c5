import type { Client } from 'pg'
import { InternalError } from '../../base/errors.ts'
import type { RowSet } from '../../data/row-set.ts'
import type { Database, Dialect, Session, TableShape, UniqueKey, WritePlan, Written } from '../dialect.ts'
import { quotedTable, type TableName } from '../table-name.ts'
import type { PostgresConnection } from './connection.ts'
import { postgresDialect } from './dialect.ts'
import { postgresLibrary } from './library.ts'
import type { PostgresColumn } from './types.ts'
import { writeBatch } from './write-batch.ts'

export class PostgresDatabase implements Database {
  readonly dialect = postgresDialect
  readonly address: string
  readonly #connection: PostgresConnection
  constructor(connection: PostgresConnection) {
    this.#connection = connection
    this.address = connection.address
  }

  async connect(): Promise<PostgresSession> {
    const { Client } = await postgresLibrary()
    const client = new Client({
      ...this.#connection.client,
      keepAlive: true,
      // values as the server writes them
      types: { getTypeParser: () => (text: unknown) => text } as never,
    })
    const session = new PostgresSession(client)
    await session.open(this.#connection)
    return session
  }
}

export class PostgresSession implements Session {
  readonly client: Client
  dialect: Dialect = postgresDialect
  isBroken = false
  constructor(client: Client) {
    this.client = client
    client.on('error', () => {
      this.isBroken = true
    })
    client.on('end', () => {
      this.isBroken = true
    })
  }

  async open({ lockTimeoutMs, idleTimeoutMs, statementTimeoutMs }: PostgresConnection): Promise<void> {
    try {
      await this.client.connect()
    } catch (error) {
      await this.close().catch(() => {})
      throw error
    }
    const settings = {
      TimeZone: 'UTC',
      DateStyle: 'ISO',
      IntervalStyle: 'postgres',
      client_min_messages: 'warning',
      lock_timeout: String(lockTimeoutMs),
      // a process that was frozen in the middle of a batch must not keep its locks for ever
      idle_in_transaction_session_timeout: String(idleTimeoutMs),
      statement_timeout: String(statementTimeoutMs),
    }
    await this.client.query(
      `SELECT ${Object.keys(settings)
        .map((name, i) => `set_config('${name}', $${i + 1}, false)`)
        .join(', ')}`,
      Object.values(settings),
    )
    // a commit that a crash of the server may forget is no commit
    await this.client.query(`SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
    const { rows } = await this.run(`SELECT current_setting('server_version_num')`)
    this.dialect = { ...postgresDialect, nullsInKeys: Number(rows[0]![0]) >= 150_000 }
  }

  async run(sql: string, parameters: readonly unknown[] = []) {
    const { rows, rowCount } = await this.client.query({ text: sql, values: [...parameters], rowMode: 'array' })
    return { rows: rows as unknown[][], changed: rowCount ?? 0 }
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    // constraints that wait for the end would be refused where nobody can say any more which row it was
    await this.client.query('BEGIN ISOLATION LEVEL READ COMMITTED; SET CONSTRAINTS ALL IMMEDIATE')
    let result: T
    try {
      result = await work()
    } catch (error) {
      await this.client.query('ROLLBACK').catch(() => {
        this.isBroken = true
      })
      throw error
    }
    const { command } = await this.client.query('COMMIT')
    if (command !== 'COMMIT') {
      throw new InternalError('INTERNAL_ERROR', {
        what: `PostgreSQL answered COMMIT with ${command}: a statement had failed within the transaction`,
        todo: 'report this with the query; nothing of the batch is in the table',
      })
    }
    return result
  }

  async describe(table: TableName): Promise<TableShape | null> {
    const columns = await this.run(
      `SELECT n.nspname, c.relname, c.relkind, c.relpersistence, a.attname, format_type(coalesce(nullif(t.typbasetype, 0), a.atttypid), CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END),
         (a.attnotnull OR t.typnotnull)::text, (a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL)::text, (a.attgenerated <> '' OR a.attidentity = 'a')::text, t.typtype
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_type t ON t.oid = a.atttypid
       WHERE c.oid = to_regclass($1) ORDER BY a.attnum`,
      [quotedTable(table)],
    )
    const first = columns.rows[0] as string[] | undefined
    if (!first) return null
    const [schema, name, kind, persistence] = first as [string, string, string, string]
    return {
      table: { schema, name },
      columns: (columns.rows as string[][])
        .filter((row) => row[4] !== null)
        .map(
          (row): PostgresColumn => ({
            name: row[4]!,
            typeText: row[5]!,
            nullable: row[6] !== 'true',
            fillsItself: row[7] === 'true',
            isGenerated: row[8] === 'true',
            isEnum: row[9] === 'e',
          }),
        ),
      keys: await this.#keys(quotedTable({ schema, name })),
      unfit: unfit(kind, persistence),
    }
  }

  async #keys(table: string): Promise<UniqueKey[]> {
    const { rows } = await this.run(
      `SELECT i.relname, coalesce(to_jsonb(x) ->> 'indnullsnotdistinct', 'false'), json_agg(a.attname ORDER BY k.place)
       FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
         CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
         JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
       WHERE x.indrelid = to_regclass($1) AND x.indisunique AND x.indimmediate AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL AND k.place <= x.indnkeyatts
       GROUP BY 1, 2 ORDER BY 1`,
      [table],
    )
    return (rows as string[][]).map(([name, nullsAreEqual, columns]) => ({
      name: name!,
      columns: JSON.parse(columns!) as string[],
      nullsAreEqual: nullsAreEqual === 'true',
    }))
  }

  write(plan: WritePlan, rows: RowSet, keepsDeadLetters: boolean): Promise<Written> {
    return writeBatch(this, plan, rows, keepsDeadLetters)
  }

  async close(): Promise<void> {
    this.isBroken = true
    await this.client.end()
  }
}

function unfit(kind: string, persistence: string): string | null {
  if (kind !== 'r' && kind !== 'p') return 'it is a view or a foreign table'
  return persistence === 'u' ? 'it is UNLOGGED, and empty after a crash of the server' : null
}
