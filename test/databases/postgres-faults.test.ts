import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { count, type Engine, MemoryStream, millrace, sum, t } from 'millrace'
import 'millrace/postgres'
import { numbersOf, ObjectRowSet, runChecks, sinkConformance } from 'millrace/testing'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Files } from '../../src/base/files.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import { Options } from '../../src/base/options.ts'
import { Schema } from '../../src/data/schema.ts'
import { DatabaseSink } from '../../src/databases/database-sink.ts'
import type { Database, Session } from '../../src/databases/dialect.ts'
import { postgresConnection } from '../../src/databases/postgres/connection.ts'
import { PostgresDatabase, type PostgresSession } from '../../src/databases/postgres/session.ts'
import { sinkOptionsOf } from '../../src/databases/sink-options.ts'
import type { SinkContext } from '../../src/sinks/sink.ts'
import { type RunningServer, uniqueName } from '../servers/shared-server.ts'
import { describePostgres, postgresClient, postgresUrl, sharedPostgres, startPostgres, stopPostgres } from './postgres-server.ts'

describePostgres('the PostgreSQL sink when something fails', () => {
  let server: RunningServer
  let client: pg.Client
  let engine: Engine
  let folder: string
  beforeAll(async () => {
    server = await sharedPostgres()
    client = await postgresClient(server)
  })
  afterAll(() => client?.end())
  beforeEach(async () => {
    engine = await millrace.local()
    folder = await mkdtemp(join(tmpdir(), 'millrace-postgres-'))
  })
  afterEach(async () => {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  })

  const numbers = new Schema([{ name: 'n', type: 'long', nullable: false }])
  const rowsOf = (batch: readonly number[]) =>
    new ObjectRowSet(
      numbers,
      batch.map((n) => ({ n })),
    )
  const databaseOf = (options: Record<string, string> = {}) =>
    new PostgresDatabase(
      postgresConnection(new Options('test', { url: postgresUrl(server), ...options }, ['url', ...Object.keys(options)])),
    )
  const contextOf = (run: Partial<SinkContext>): SinkContext => ({
    format: 'postgres',
    schema: numbers,
    options: {},
    partitionBy: [],
    outputMode: 'append',
    queryId: 'q',
    queryName: null,
    epoch: 1,
    recovering: false,
    files: new LocalFiles(),
    clock: systemClock,
    checkFence: async () => {},
    conf: () => undefined,
    print: () => {},
    ...run,
  })
  const openSink = async (table: string, run: Partial<SinkContext>, database: Database, given: Record<string, string> = {}) => {
    const options = new Options('test', { dbtable: table, retryDelay: '1ms', ...given }, ['dbtable', 'retryDelay', ...Object.keys(given)])
    const sink = new DatabaseSink(contextOf(run), database, sinkOptionsOf(options, 'append'))
    await sink.open()
    return sink
  }

  runChecks(
    sinkConformance(
      async () => {
        const table = uniqueName('conformance')
        return {
          open: (run) => openSink(table, run, dyingDatabase(databaseOf(), run.wrapFiles)),
          rows: rowsOf,
          visible: async () => {
            const there = await client.query('SELECT to_regclass($1) AS found', [table])
            return there.rows[0].found === null ? [] : numbersOf((await client.query(`SELECT n FROM ${table}`)).rows)
          },
        }
      },
      { guarantee: 'exactly-once' },
    ),
    { test, skip: test.skip },
  )

  test('a commit whose answer is lost counts once, and is told as this run’s own', async () => {
    const table = uniqueName('lost')
    const database = databaseOf()
    let losses = 0
    const losing: Database = {
      dialect: database.dialect,
      address: database.address,
      connect: async () =>
        changed(await database.connect(), (session) => ({
          async transaction(work) {
            const result = await session.transaction(work)
            if (losses-- > 0) throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' })
            return result
          },
        })),
    }
    const sink = await openSink(table, {}, losing)
    losses = 1
    expect(await sink.addBatch({ batchId: 0, rows: rowsOf([1, 2]), outputMode: 'append' })).toEqual({
      status: 'committed',
      numOutputRows: 2,
      metrics: { numRetries: '1' },
    })
    losses = 100
    await expect(sink.addBatch({ batchId: 1, rows: rowsOf([3]), outputMode: 'append' })).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    })
    await sink.stop()
    expect(numbersOf((await client.query(`SELECT n FROM ${table} ORDER BY n`)).rows)).toEqual([1, 2, 3])
  })

  test('a run that was frozen in its transaction can’t commit after a newer one has claimed the table', async () => {
    const table = uniqueName('frozen')
    let isFrozen = false
    let thaw = () => {}
    const frozen = new Promise<void>((resolve) => {
      thaw = resolve
    })
    let reached = () => {}
    const inside = new Promise<void>((resolve) => {
      reached = resolve
    })
    const older = await openSink(
      table,
      {
        epoch: 1,
        // the last thing before COMMIT: here the process is frozen, once the check has passed
        checkFence: async () => {
          if (!isFrozen) return
          reached()
          await frozen
        },
      },
      databaseOf({ idleTimeout: '300ms' }),
      { maxRetries: '0' },
    )
    isFrozen = true
    const stuck = older.addBatch({ batchId: 0, rows: rowsOf([666]), outputMode: 'append' })
    stuck.catch(() => {})
    await inside
    // it waits for the lock until the server ends the frozen transaction
    const newer = await openSink(table, { epoch: 2 }, databaseOf())
    thaw()
    isFrozen = false
    await expect(stuck).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    await newer.addBatch({ batchId: 0, rows: rowsOf([1]), outputMode: 'append' })
    await expect(older.addBatch({ batchId: 0, rows: rowsOf([666]), outputMode: 'append' })).rejects.toMatchObject({
      code: 'CONCURRENT_STREAM_LOG_UPDATE',
    })
    await Promise.all([older.stop(), newer.stop()])
    expect(numbersOf((await client.query(`SELECT n FROM ${table}`)).rows)).toEqual([1])
  })

  const write = (stream: MemoryStream<any>, table: string, options: Record<string, string> = {}, checkpoint = 'checkpoint') =>
    stream
      .toDF()
      .writeStream.option('checkpointLocation', join(folder, checkpoint))
      .options({ url: postgresUrl(server), retryDelay: '1ms', ...options } as any)
      .format('postgres')
      .start(table)

  test('a connection that is ended in the middle of a batch: the batch is written again, once', async () => {
    const table = uniqueName('ended')
    await client.query(`CREATE TABLE ${table} (n bigint)`)
    await client.query(`CREATE SEQUENCE ${table}_rows`)
    // a sequence goes on counting whatever becomes of the transaction
    await client.query(`CREATE FUNCTION ${table}_end() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('${table}_rows') IN (3, 6) THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$`)
    await client.query(`CREATE TRIGGER ender BEFORE INSERT ON ${table} FOR EACH ROW EXECUTE FUNCTION ${table}_end()`)
    const stream = new MemoryStream(engine, { n: t.long() })
    const query = await write(stream, table)
    stream.addData({ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 })
    await query.processAllAvailable()
    expect(query.lastProgress?.sink).toMatchObject({ numOutputRows: 4, metrics: { numRetries: '2' } })
    await query.stop()
    expect(numbersOf((await client.query(`SELECT n FROM ${table} ORDER BY n`)).rows)).toEqual([1, 2, 3, 4])
    // and without a repetition the query stops, with nothing of the batch in the table
    await client.query(`ALTER SEQUENCE ${table}_rows RESTART WITH 6`)
    const strict = await write(stream, table, { maxRetries: '0' })
    stream.addData({ n: 5 })
    await expect(strict.processAllAvailable()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(numbersOf((await client.query(`SELECT n FROM ${table} ORDER BY n`)).rows)).toEqual([1, 2, 3, 4])
    const again = await write(stream, table)
    await again.processAllAvailable()
    await again.stop()
    expect(numbersOf((await client.query(`SELECT n FROM ${table} ORDER BY n`)).rows)).toEqual([1, 2, 3, 4, 5])
  })

  test('a server that is not there, and a user that it does not know, are told plainly, without the password', async () => {
    const stream = new MemoryStream(engine, { n: t.long() })
    const failure = async (url: string) => {
      const found = await write(stream, 'nowhere', { url, maxRetries: '1' }, uniqueName('c'))
        .then((query) => query.awaitTermination())
        .catch((error) => error)
      expect(found.message).not.toContain('secret')
      return found.code
    }
    expect(await failure('postgresql://ann:secret@127.0.0.1:1/shop')).toBe('DATABASE_UNAVAILABLE')
    expect(await failure(`postgresql://nobody_here:secret@127.0.0.1:${server.port}/postgres`)).toBe('DATABASE_ACCESS_REFUSED')
    expect(await failure(`postgresql://millrace:secret@127.0.0.1:${server.port}/no_such_database`)).toBe('DATABASE_ACCESS_REFUSED')
    expect(await failure('mysql://ann:secret@127.0.0.1/shop')).toBe('INVALID_OPTION_VALUE')
    expect(await failure('postgresql://ann:secret@127.0.0.1/shop?sslmod=x')).toBe('INVALID_OPTION_VALUE')
  })

  test('the server is restarted while the query runs', async () => {
    const own = await startPostgres(join(folder, 'server'))
    let restarted: RunningServer | undefined
    try {
      const stream = new MemoryStream(engine, { n: t.long() })
      const query = await write(stream, 'restarted', { url: postgresUrl(own), retryDelay: '100ms', maxRetries: '10' })
      stream.addData({ n: 1 })
      await query.processAllAvailable()
      await stopPostgres(own)
      stream.addData({ n: 2 })
      restarted = await startPostgres(own.folder, own.port)
      await query.processAllAvailable()
      await query.stop()
      const looking = await postgresClient(restarted)
      expect(numbersOf((await looking.query('SELECT n FROM restarted ORDER BY n')).rows)).toEqual([1, 2])
      await looking.end()
    } finally {
      await stopPostgres(restarted ?? own, 'SIGKILL').catch(() => {})
    }
  })

  test('a process that is killed between the database’s commit and its own: the batch counts once', async () => {
    const table = uniqueName('killed')
    for (const from of [0, 10, 20])
      await engine
        .range(from, from + 10)
        .write.mode('append')
        .parquet(join(folder, 'in'))
    for (const [killAt, committed] of [
      ['sink/commit after 0', 0],
      ['sink/commit after 1', 1],
    ] as const) {
      expect(await runWriter(folder, table, killAt)).toBe('SIGKILL')
      expect(
        (await client.query(`SELECT max(batch_id) FROM millrace_batches WHERE table_name = $1`, [`public.${table}`])).rows[0].max,
      ).toBe(String(committed))
    }
    expect(await runWriter(folder, table, 'never')).toBe(0)
    const { rows } = await client.query(`SELECT count(*), sum(id) FROM ${table}`)
    expect(rows).toEqual([{ count: '30', sum: '435' }])
  })

  const longer = Number(process.env['MILLRACE_PROPERTY_RUNS'] ?? 8)
  test('the table by key is what one batch gives, however the rows are cut', async () => {
    const rows = fc.array(
      fc.record({ k: fc.option(fc.constantFrom('a', 'b', 'A', 'a ', ''), { nil: null }), v: fc.integer({ min: -1000, max: 1000 }) }),
      {
        minLength: 1,
        maxLength: 30,
      },
    )
    const cuts = fc.array(fc.nat(29), { maxLength: 4 })
    const fields = { k: t.string().nullable(), v: t.int() }
    await fc.assert(
      fc.asyncProperty(rows, cuts, fc.boolean(), async (given, at, restarts) => {
        const table = uniqueName('property')
        const totals = (frame: any) => frame.groupBy('k').agg(({ v }: any) => ({ total: sum(v), n: count() }))
        const stream = new MemoryStream(engine, fields)
        const start = () =>
          totals(stream.toDF())
            .writeStream.option('checkpointLocation', join(folder, table))
            .options({ url: postgresUrl(server), key: 'k' })
            .outputMode('update')
            .format('postgres')
            .start(table)
        let query = await start()
        const edges = [...new Set([0, ...at.filter((i) => i < given.length), given.length])].sort((a, b) => a - b)
        for (const [i, from] of edges.slice(0, -1).entries()) {
          stream.addData(...given.slice(from, edges[i + 1]))
          await query.processAllAvailable()
          if (!restarts) continue
          await query.stop()
          query = await start()
        }
        await query.stop()
        const expected = await totals(engine.createDataFrame(given, fields)).collect()
        const found = await client.query(`SELECT k, total::text, n::text FROM ${table}`)
        const text = (all: readonly any[]) => all.map((row) => JSON.stringify([row.k, String(row.total), String(row.n)])).sort()
        expect(text(found.rows)).toEqual(text(expected))
      }),
      { numRuns: longer },
    )
  })
})

/** A session with some of its methods changed. */
function changed(session: PostgresSession, change: (session: PostgresSession) => Partial<Session>): Session {
  const methods = change(session)
  return new Proxy(session, {
    get(target, name) {
      const method = Reflect.get(name in methods ? methods : target, name, target) as unknown
      return typeof method === 'function' ? method.bind(target) : method
    },
  })
}

/** Each statement is a change on disk in the eyes of the suite, at which the process may die, before or after it. */
function dyingDatabase(database: PostgresDatabase, wrapFiles: (files: Files) => Files): Database {
  let statement = async (): Promise<unknown> => undefined
  const files = wrapFiles({ replace: () => statement() } as unknown as Files)
  return {
    dialect: database.dialect,
    address: database.address,
    async connect() {
      const session = await database.connect()
      const query = session.client.query.bind(session.client) as (...args: unknown[]) => unknown
      session.client.query = (async (...args: unknown[]) => {
        let result: unknown
        statement = async () => {
          result = await query(...args)
        }
        await files.replace('statement', '')
        return result
      }) as never
      const submit = session.client.query
      session.client.query = ((first: { submit?: unknown }, ...rest: unknown[]) =>
        first.submit === undefined ? submit(first as never, ...(rest as [])) : query(first, ...rest)) as never
      return session
    },
  }
}

/** Runs the query in a process of its own; gives how it ended. */
function runWriter(folder: string, table: string, killAt: string): Promise<number | NodeJS.Signals | null> {
  const program = join(import.meta.dirname, 'writer-process.ts')
  return sharedPostgres().then(
    (server) =>
      new Promise((resolve) => {
        const child = spawn(
          process.execPath,
          ['--conditions=millrace-source', program, folder, table, postgresUrl(server), 'postgres', killAt],
          {
            stdio: ['ignore', 'ignore', 'inherit'],
          },
        )
        child.on('exit', (code, signal) => resolve(signal ?? code))
      }),
  )
}
