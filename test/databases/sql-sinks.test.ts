import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { count, Decimal, type Engine, MemoryStream, millrace, sum, t } from 'millrace'
import 'millrace/mysql'
import 'millrace/sqlite'
import { ObjectRowSet, runChecks, sinkConformance } from 'millrace/testing'
import type { Connection } from 'mysql2/promise'
import { Temporal } from 'temporal-polyfill'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { Files } from '../../src/base/files.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import { Options } from '../../src/base/options.ts'
import { Schema } from '../../src/data/schema.ts'
import { DatabaseSink } from '../../src/databases/database-sink.ts'
import type { Database } from '../../src/databases/dialect.ts'
import { mysqlConnection, mysqlOptionNames } from '../../src/databases/mysql/connection.ts'
import { MySqlDatabase } from '../../src/databases/mysql/session.ts'
import { sinkOptionNames, sinkOptionsOf } from '../../src/databases/sink-options.ts'
import { sqliteDatabase } from '../../src/databases/sqlite/sink.ts'
import { uniqueName } from '../servers/shared-server.ts'
import { changeKey, changeSchema, checkChanges } from './changes.ts'
import { describeMariaDb, mariaDbClient, mariaDbUrl, sharedMariaDb } from './mariadb-server.ts'
import { problemOf } from './problem-of.ts'

/** A server under test: where it is, and a look at its tables past Millrace. */
interface Place {
  readonly format: string
  readonly url: string
  readonly database: () => Database
  query(sql: string): Promise<unknown[][]>
  close(): Promise<void>
}

describeMariaDb('the MySQL sink, on MariaDB', () =>
  suite(async () => {
    const server = await sharedMariaDb()
    const client: Connection = await mariaDbClient(server)
    const url = mariaDbUrl(server)
    return {
      format: 'mysql',
      url,
      database: () => new MySqlDatabase(mysqlConnection(new Options('test', { url }, mysqlOptionNames))),
      query: async (sql) => {
        const [rows] = await client.query(sql)
        return (Array.isArray(rows) ? rows : []) as unknown[][]
      },
      close: () => client.end(),
    }
  }),
)
describe('the SQLite sink', () =>
  suite(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'))
    const url = `jdbc:sqlite:${join(folder, 'shop.db')}`
    const client = new DatabaseSync(join(folder, 'shop.db'), { timeout: 10_000 })
    return {
      format: 'sqlite',
      url,
      database: () => sqliteDatabase(new Options('test', { url }, ['url', 'database', 'lockTimeout']), systemClock),
      query: async (sql) => {
        const statement = client.prepare(sql)
        statement.setReadBigInts(true)
        return statement.all().map((row) => Object.values(row).map((value) => (typeof value === 'bigint' ? String(value) : value)))
      },
      close: async () => {
        client.close()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  }))

function suite(open: () => Promise<Place>): void {
  let place: Place
  let engine: Engine
  let folder: string
  beforeAll(async () => {
    place = await open()
  })
  afterAll(() => place?.close())
  beforeEach(async () => {
    engine = await millrace.local()
    folder = await mkdtemp(join(tmpdir(), 'millrace-sql-'))
  })
  afterEach(async () => {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  })

  const people = { name: t.string(), city: t.string().nullable(), age: t.long().nullable() }
  interface How {
    readonly change?: (writer: any) => any
    readonly of?: (frame: any) => any
    readonly checkpoint?: string
  }
  const started = (
    stream: MemoryStream<any>,
    table: string,
    { change = (writer) => writer, of = (frame) => frame, checkpoint = 'checkpoint' }: How = {},
  ) =>
    change(of(stream.toDF()).writeStream.option('checkpointLocation', join(folder, checkpoint)).option('url', place.url))
      .format(place.format)
      .start(table)
  const rowsOf = async (table: string, columns = '*') =>
    (await place.query(`SELECT ${columns} FROM ${table} ORDER BY 1`)).map((row) =>
      row.map((value) => (value === null ? null : String(value))),
    )

  const sinkOf = async (schema: Schema, database: Database, given: Record<string, string>, run: object = {}) => {
    const context = {
      ...{ format: place.format, schema, options: {}, partitionBy: [], outputMode: 'append' as const, queryName: null },
      ...{ files: new LocalFiles(), clock: systemClock, conf: () => undefined, print: () => {}, queryId: 'q', epoch: 1 },
      ...{ recovering: false, checkFence: async () => {}, ...run },
    }
    const sink = new DatabaseSink(context, database, sinkOptionsOf(new Options('test', given, sinkOptionNames), 'append'))
    await sink.open()
    return sink
  }

  const numbers = new Schema([{ name: 'n', type: 'long', nullable: false }])
  runChecks(
    sinkConformance(
      async () => {
        const table = uniqueName('conformance')
        return {
          open: (run) => sinkOf(numbers, dyingDatabase(place.database(), run.wrapFiles), { dbtable: table }, run),
          rows: (batch) =>
            new ObjectRowSet(
              numbers,
              batch.map((n) => ({ n })),
            ),
          visible: async () => (await place.query(`SELECT n FROM ${table}`).catch(() => [])).map(([n]) => Number(n)),
        }
      },
      { guarantee: 'exactly-once' },
    ),
    { test, skip: test.skip },
  )

  test('a table is created, batches are appended, and one that is run again counts once', async () => {
    const table = uniqueName('people')
    const stream = new MemoryStream(engine, people)
    const query = await started(stream, table)
    stream.addData({ name: 'ann', city: 'oslo', age: 31 }, { name: "b'o\\b", city: null, age: null })
    await query.processAllAvailable()
    stream.addData({ name: 'cid', city: 'røme \u{1F600}', age: 7 })
    await query.processAllAvailable()
    await query.stop()
    await rm(join(folder, 'checkpoint', 'commits', '1'))
    const again = await started(stream, table)
    await again.processAllAvailable()
    await again.stop()
    expect(await rowsOf(table)).toEqual([
      ['ann', 'oslo', '31'],
      ["b'o\\b", null, null],
      ['cid', 'røme \u{1F600}', '7'],
    ])
    expect(await rowsOf('millrace_batches', `version, epoch, batch_id, num_rows, refused`)).toContainEqual(['1', '2', '1', '1', null])
  })

  test('update mode upserts by key, complete mode replaces the rows; keys are told apart by their bytes', async () => {
    const stream = new MemoryStream(engine, people)
    const of = (frame: any) => frame.groupBy('name').count()
    const [updated, replaced] = [uniqueName('updated'), uniqueName('replaced')]
    const update = await started(stream, updated, { of, checkpoint: 'u', change: (w) => w.outputMode('update').option('key', 'name') })
    const complete = await started(stream, replaced, { of, checkpoint: 'c', change: (w) => w.outputMode('complete') })
    for (const names of [
      ['a', 'A'],
      ['a', 'a ', 'b'],
    ]) {
      stream.addData(...names.map((name) => ({ name, city: null, age: 1 })))
      await Promise.all([update.processAllAvailable(), complete.processAllAvailable()])
    }
    await Promise.all([update.stop(), complete.stop()])
    const expected = [
      ['A', '1'],
      ['a', '2'],
      ['a ', '1'],
      ['b', '1'],
    ]
    expect(await rowsOf(updated)).toEqual(expected)
    expect(await rowsOf(replaced)).toEqual(expected)
  })

  test('every type goes in as it is', async () => {
    const table = uniqueName('types')
    const schema = {
      b: t.boolean(),
      i1: t.byte(),
      i8: t.long(),
      f4: t.float(),
      f8: t.double(),
      d: t.decimal(12, 4),
      big: t.decimal(38, 10),
      s: t.string(),
      bin: t.binary(),
      day: t.date(),
      at: t.timestamp(),
      local: t.timestamp_ntz(),
      tags: t.array(t.string().nullable()),
      item: t.struct({ id: t.long(), price: t.decimal(10, 2) }),
      counts: t.map(t.string(), t.int()),
    }
    const stream = new MemoryStream(engine, schema)
    const query = await started(stream, table)
    stream.addData({
      b: true,
      i1: -128,
      i8: -9223372036854775808n,
      f4: 0.5,
      f8: 1e-300,
      d: Decimal.from('-12345678.9012'),
      big: Decimal.from('-1234567890123456789012345678.0000000001'),
      s: `a\t"b"\\n'\u001a`,
      bin: new Uint8Array([0, 1, 255]),
      day: Temporal.PlainDate.from('1582-10-15'),
      at: Temporal.Instant.from('1969-12-31T23:59:59.123456Z'),
      local: Temporal.PlainDateTime.from('2026-01-01T00:00:00.000001'),
      tags: ['x', null, 'y"z'],
      item: { id: 9007199254740993n, price: Decimal.from('1.10') },
      counts: new Map([['a', 1]]),
    })
    await query.processAllAvailable()
    await query.stop()
    const columns = Object.keys(schema).map((name) => (name === 'bin' ? 'hex(bin)' : name))
    const zone = place.format === 'sqlite' ? 'Z' : ''
    expect(await rowsOf(table, columns.join(', '))).toEqual([
      [
        ...['1', '-128', '-9223372036854775808', '0.5', '1e-300', '-12345678.9012', '-1234567890123456789012345678.0000000001'],
        ...[`a\t"b"\\n'\u001a`, '0001FF', '1582-10-15', `1969-12-31 23:59:59.123456${zone}`, '2026-01-01 00:00:00.000001'],
        ...['["x",null,"y\\"z"]', '{"id":9007199254740993,"price":1.10}', '{"a":1}'],
      ],
    ])
  })

  test('onConflict for appended rows; of several with one key the last counts, or the first', async () => {
    const rows = [
      { name: 'ann', city: 'a', age: 1 },
      { name: 'bob', city: 'b', age: 2 },
      { name: 'ann', city: 'c', age: 3 },
    ]
    for (const [onConflict, expected] of [
      ['update', 'c'],
      ['ignore', 'a'],
    ] as const) {
      const table = uniqueName(onConflict)
      const stream = new MemoryStream(engine, people)
      const query = await started(stream, table, {
        change: (w) => w.option('key', 'name').option('onConflict', onConflict),
        checkpoint: table,
      })
      stream.addData(...rows)
      await query.processAllAvailable()
      await query.stop()
      expect(await rowsOf(table, 'name, city')).toEqual([
        ['ann', expected],
        ['bob', 'b'],
      ])
    }
  })

  test('rows that say so take the row with their key away', () =>
    checkChanges(async () => {
      const table = uniqueName('changes')
      const options = { dbtable: table, key: changeKey, onConflict: 'update', deleteColumn: 'gone', batchSize: '3' }
      return {
        sink: await sinkOf(changeSchema, place.database(), options),
        shown: async () => (await place.query(`SELECT * FROM ${table}`)).map((row) => row.join(' ').replace(/ $/, ' null')),
      }
    }))
  test.each([
    [{ deleteColumn: 'gon', key: changeKey, onConflict: 'update' }, 'UNRESOLVED_COLUMN.WITH_SUGGESTION', 'did you mean "gone"'],
    [{ deleteColumn: 'v', key: changeKey, onConflict: 'update' }, 'DELETE_COLUMN_NOT_BOOLEAN', 'v, which is a string'],
    [{ deleteColumn: 'gone', key: 'k, gone', onConflict: 'update' }, 'INCOMPATIBLE_OPTIONS', 'part of the key'],
    [{ deleteColumn: 'gone', key: changeKey, onConflict: 'ignore' }, 'INCOMPATIBLE_OPTIONS', 'onConflict = ignore'],
    [{ deleteColumn: 'gone' }, 'INCOMPATIBLE_OPTIONS', 'onConflict = error'],
  ] as const)('%j is refused', async (options, code, message) => {
    const table = uniqueName('refused')
    await expect(sinkOf(changeSchema, place.database(), { dbtable: table, ...options } as Record<string, string>)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    })
    // nothing was made
    await expect(place.query(`SELECT * FROM ${table}`)).rejects.toThrow()
  })

  test('refused rows become dead letters, the same ones when the batch is run again; without, the first one is an error', async () => {
    const table = uniqueName('letters')
    await place.query(`CREATE TABLE ${table} (name varchar(20) PRIMARY KEY, city varchar(20) CHECK (city <> 'nowhere'), age bigint)`)
    const rows = [
      { name: 'ann', city: 'oslo', age: 1 },
      { name: 'bob', city: 'nowhere', age: 2 },
      { name: 'ann', city: 'rome', age: 3 },
      { name: 'cid', city: 'rome', age: 4 },
    ]
    const stream = new MemoryStream(engine, people)
    const letters = join(folder, 'letters')
    const change = (w: any) => w.deadLetters((given: any) => given.output.format('json').option('path', letters))
    const query = await started(stream, table, { change })
    stream.addData(...rows)
    await query.processAllAvailable()
    expect(query.lastProgress.books.find(({ at }: any) => at === 'sink')).toEqual({
      at: 'sink',
      rowsIn: 4,
      rowsOn: 2,
      lateRows: 0,
      deadLetters: 2,
    })
    await query.stop()
    const lettersOf = async () =>
      (await engine.read.json(letters, { message: t.string(), raw: t.string() }).collect())
        .map(({ message, raw }) => ({ message, age: JSON.parse(Buffer.from(raw, 'base64').toString()).age }))
        .sort((a, b) => a.age - b.age)
    const found = await lettersOf()
    expect(found.map(({ age }) => age)).toEqual([2, 3])
    await place.query(`DELETE FROM ${table} WHERE name = 'ann'`)
    await rm(join(folder, 'checkpoint', 'commits', '0'))
    await rm(letters, { recursive: true })
    const again = await started(stream, table, { change })
    await again.processAllAvailable()
    await again.stop()
    expect(await lettersOf()).toEqual(found)
    expect(await rowsOf(table, 'name')).toEqual([['cid']])
    const strict = new MemoryStream(engine, people)
    const failing = await started(strict, table, { checkpoint: 'strict', change: (w) => w.option('adoptOutput', true) })
    strict.addData(...rows)
    expect(await problemOf(failing.processAllAvailable().then(() => failing))).toMatchObject({
      code: 'DATABASE_ROW_REFUSED',
      message: expect.stringContaining('{"name":"bob","city":"nowhere","age":2}'),
    })
    expect(await rowsOf(table, 'name')).toEqual([['cid']])
  })

  test('what does not fit the table is said before the first row', async () => {
    const table = uniqueName('fits')
    await place.query(`CREATE TABLE ${table} (name varchar(50) NOT NULL, citty varchar(50), at date NOT NULL DEFAULT '2026-01-01')`)
    const stream = new MemoryStream(engine, people)
    const codeOf = async (texts: string[], change: (w: any) => any = (w) => w, name = table) => {
      const of = (frame: any) => frame.selectExpr(...texts)
      return (await problemOf(started(stream, name, { of, change, checkpoint: uniqueName('c') })))?.code
    }
    expect(await codeOf(['name', 'city'])).toBe('DATABASE_COLUMN_NOT_FOUND')
    expect(await codeOf(['name', 'age AS citty'])).toBe('DATABASE_COLUMN_TYPE_MISMATCH')
    expect(await codeOf(['city AS name'])).toBe('DATABASE_COLUMN_NOT_NULL')
    expect(await codeOf(['city AS citty'])).toBe('DATABASE_COLUMN_NEEDS_VALUE')
    expect(await codeOf(['name'], (w) => w.option('key', 'name').option('onConflict', 'update'))).toBe('DATABASE_KEY_NOT_UNIQUE')
    expect(await codeOf(['name'], (w) => w.option('createTable', false), 'nowhere')).toBe('DATABASE_TABLE_NOT_FOUND')
    expect(await codeOf(['city AS k'], (w) => w.option('key', 'k'), uniqueName('nullable'))).toBe('DATABASE_COLUMN_NOT_NULL')
    expect(await codeOf(["INTERVAL '1' DAY AS span"], undefined, uniqueName('span'))).toBe('UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE')
    await place.query(`CREATE VIEW ${table}_v AS SELECT name FROM ${table}`)
    expect(await codeOf(['name'], undefined, `${table}_v`)).toBe('DATABASE_TABLE_UNFIT')
    if (place.format !== 'mysql') return
    await place.query(`CREATE TABLE ${table}_m (name varchar(50)) ENGINE = MyISAM`)
    expect(await codeOf(['name'], undefined, `${table}_m`)).toBe('DATABASE_TABLE_UNFIT')
    await place.query(`CREATE TABLE ${table}_k (name varchar(50) COLLATE utf8mb4_general_ci PRIMARY KEY)`)
    const upsert = (w: any) => w.option('key', 'name').option('onConflict', 'update')
    expect(await codeOf(['name'], upsert, `${table}_k`)).toBe('DATABASE_KEY_UNFIT')
    await place.query(`CREATE TABLE ${table}_o (name varchar(50) COLLATE utf8mb4_nopad_bin PRIMARY KEY, age bigint UNIQUE)`)
    expect(await codeOf(['name', 'age'], upsert, `${table}_o`)).toBe('DATABASE_KEY_UNFIT')
  })

  test('the table of another query is refused', async () => {
    const table = uniqueName('owned')
    const stream = new MemoryStream(engine, people)
    const first = await started(stream, table, { checkpoint: 'first' })
    stream.addData({ name: 'ann', city: null, age: 1 })
    await first.processAllAvailable()
    await first.stop()
    expect(await problemOf(started(stream, table, { checkpoint: 'second' }))).toMatchObject({ code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
  })

  test('two outputs of one query: into one table only where it is shared, and each counts its own batches', async () => {
    const table = uniqueName('outputs')
    const into = async (stream: MemoryStream<any>, options: object, names = ['old', 'young']) => {
      const output = (rows: any) => rows.output.format(place.format).options({ url: place.url, dbtable: table, ...options })
      return stream
        .toDF()
        .writeStream.option('checkpointLocation', join(folder, 'checkpoint'))
        .outputs((rows: any) => ({
          [names[0]!]: output(rows.where('age >= 40')),
          ...(names.length > 1 && { [names[1]!]: output(rows.where('age < 40')) }),
        }))
        .start()
    }
    const stream = new MemoryStream(engine, people)
    const code = (of: Promise<unknown>) => problemOf(of as never)
    expect(await code(into(stream, {}))).toMatchObject({
      code: 'OUTPUTS_SHARE_DESTINATION',
      message: expect.stringContaining('"old" and "young"'),
    })
    let query = await into(stream, { sharedTable: true })
    stream.addData({ name: 'ann', city: null, age: 70 }, { name: 'bob', city: null, age: 7 })
    await query.processAllAvailable()
    await query.stop()
    query = await into(stream, { sharedTable: true })
    stream.addData({ name: 'cat', city: null, age: 3 }, { name: 'dan', city: null, age: 90 })
    await query.processAllAvailable()
    await query.stop()
    expect(await rowsOf(table, 'name')).toEqual([['ann'], ['bob'], ['cat'], ['dan']])
    const notes = async () =>
      (await place.query(`SELECT query_id, batch_id FROM millrace_batches WHERE table_name LIKE '%${table}' ORDER BY 1`)).map(
        ([id, batch]) => [String(id).split('/')[1], Number(batch)],
      )
    expect(await notes()).toEqual([
      ['old', 1],
      ['young', 1],
    ])
    // a note under the query's id alone, as one output left it, goes on under the name of the first that finds it
    await place.query(`DELETE FROM millrace_batches WHERE table_name LIKE '%${table}' AND query_id LIKE '%/young'`)
    await place.query(`UPDATE millrace_batches SET query_id = substr(query_id, 1, 36) WHERE table_name LIKE '%${table}'`)
    query = await into(stream, {}, ['old'])
    stream.addData({ name: 'eve', city: null, age: 99 })
    await query.processAllAvailable()
    await query.stop()
    expect(await notes()).toEqual([['old', 2]])
    expect(await rowsOf(table, 'name')).toHaveLength(5)
  })

  test('a process that is killed after the database’s commit: the batch counts once', async () => {
    const table = uniqueName('killed')
    for (const from of [0, 10])
      await engine
        .range(from, from + 10)
        .write.mode('append')
        .parquet(join(folder, 'in'))
    const run = (killAt: string) =>
      new Promise((resolve) => {
        const program = join(import.meta.dirname, 'writer-process.ts')
        const args = ['--conditions=millrace-source', program, folder, table, place.url, place.format, killAt]
        spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }).on('exit', (code, signal) => resolve(signal ?? code))
      })
    expect(await run('sink/commit after 0')).toBe('SIGKILL')
    expect(await run('never')).toBe(0)
    expect(await rowsOf(table, 'count(*), sum(id)')).toEqual([['20', '190']])
  })

  const runs = Number(process.env['MILLRACE_PROPERTY_RUNS'] ?? 4)
  test('the table by key is what one batch gives, however the rows are cut', async () => {
    const fields = { k: t.string(), v: t.int() }
    const rows = fc.array(fc.record({ k: fc.constantFrom('a', 'b', 'A', 'a ', ''), v: fc.integer({ min: -1000, max: 1000 }) }), {
      minLength: 1,
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(rows, fc.array(fc.nat(29), { maxLength: 3 }), async (given, at) => {
        const table = uniqueName('property')
        const totals = (frame: any) => frame.groupBy('k').agg(({ v }: any) => ({ total: sum(v), n: count() }))
        const stream = new MemoryStream(engine, fields)
        const query = await started(stream, table, {
          of: totals,
          checkpoint: table,
          change: (w) => w.option('key', 'k').outputMode('update'),
        })
        const edges = [...new Set([0, ...at.filter((i) => i < given.length), given.length])].sort((a, b) => a - b)
        for (const [i, from] of edges.slice(0, -1).entries()) {
          stream.addData(...given.slice(from, edges[i + 1]))
          await query.processAllAvailable()
        }
        await query.stop()
        const expected = (await totals(engine.createDataFrame(given, fields)).collect()).map((row: any) => [
          row.k,
          String(row.total),
          String(row.n),
        ])
        const sorted = (all: unknown[]) => all.map((row) => JSON.stringify(row)).sort()
        expect(sorted(await rowsOf(table, 'k, total, n'))).toEqual(sorted(expected))
      }),
      { numRuns: runs },
    )
  })
}

/** Each statement is a change on disk in the eyes of the suite, at which the process may die, before or after it. */
function dyingDatabase(database: Database, wrapFiles: (files: Files) => Files): Database {
  let statement = async (): Promise<unknown> => undefined
  const files = wrapFiles({ replace: () => statement() } as unknown as Files)
  const dying = (owner: any, name: string) => {
    const call = owner[name].bind(owner)
    owner[name] = async (...args: unknown[]) => {
      let result: unknown
      statement = async () => {
        result = await call(...args)
      }
      await files.replace('statement', '')
      return result
    }
  }
  return {
    dialect: database.dialect,
    address: database.address,
    async connect() {
      const session = (await database.connect()) as any
      if (session.client) for (const name of ['query', 'execute']) dying(session.client, name)
      else dying(session, 'run')
      return session
    },
  }
}
