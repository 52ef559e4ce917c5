import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decimal, type Engine, MemoryStream, millrace, t } from 'millrace'
import 'millrace/postgres'
import type pg from 'pg'
import { Temporal } from 'temporal-polyfill'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import { postgresSinkProvider } from '../../src/databases/postgres/sink.ts'
import { type RunningServer, uniqueName } from '../servers/shared-server.ts'
import { changeKey, changeSchema, checkChanges } from './changes.ts'
import { describePostgres, postgresClient, postgresUrl, sharedPostgres } from './postgres-server.ts'
import { problemOf } from './problem-of.ts'

describePostgres('the PostgreSQL sink', () => {
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
    change(
      of(stream.toDF())
        .writeStream.option('checkpointLocation', join(folder, checkpoint))
        .option('url', postgresUrl(server))
        .option('retryDelay', '20ms'),
    )
      .format('postgres')
      .start(table)
  const rowsOf = async (table: string, columns = '*') =>
    (await client.query({ text: `SELECT ${columns} FROM ${table} ORDER BY 1`, rowMode: 'array' })).rows
  const noteOf = async (table: string) =>
    (await client.query('SELECT * FROM millrace_batches WHERE table_name = $1', [`public.${table}`])).rows[0]

  test('a table is created, and batches are appended with their notes', async () => {
    const table = uniqueName('people')
    const stream = new MemoryStream(engine, people)
    const query = await started(stream, table)
    stream.addData({ name: 'ann', city: 'oslo', age: 31 }, { name: 'bob', city: null, age: null })
    await query.processAllAvailable()
    stream.addData({ name: 'cid', city: 'røme', age: 7 })
    await query.processAllAvailable()
    expect(await rowsOf(table)).toEqual([
      ['ann', 'oslo', '31'],
      ['bob', null, null],
      ['cid', 'røme', '7'],
    ])
    expect(await noteOf(table)).toMatchObject({ query_id: query.id, version: '1', epoch: '1', batch_id: '1', num_rows: '1', refused: null })
    expect(query.lastProgress?.sink).toMatchObject({
      description: `DatabaseSink[postgresql://127.0.0.1:${server.port}/postgres/${table}]`,
      numOutputRows: 1,
    })
    await query.stop()
  })

  test('a batch that is run again counts once', async () => {
    const table = uniqueName('again')
    const stream = new MemoryStream(engine, people)
    const query = await started(stream, table)
    stream.addData({ name: 'ann', city: 'oslo', age: 1 })
    await query.processAllAvailable()
    stream.addData({ name: 'bob', city: 'oslo', age: 2 })
    await query.processAllAvailable()
    await query.stop()
    await rm(join(folder, 'checkpoint', 'commits', '1'))
    const again = await started(stream, table)
    stream.addData({ name: 'cid', city: 'rome', age: 3 })
    await again.processAllAvailable()
    await again.stop()
    expect((await rowsOf(table)).map(([name]) => name)).toEqual(['ann', 'bob', 'cid'])
    expect(await noteOf(table)).toMatchObject({ epoch: '2', batch_id: '2' })
  })

  test('update mode upserts by key, null keys too; complete mode replaces the rows', async () => {
    const stream = new MemoryStream(engine, people)
    const of = (frame: any) => frame.groupBy('city').count()
    const [updated, replaced] = [uniqueName('updated'), uniqueName('replaced')]
    const update = await started(stream, updated, { of, checkpoint: 'u', change: (w) => w.outputMode('update').option('key', 'city') })
    const complete = await started(stream, replaced, { of, checkpoint: 'c', change: (w) => w.outputMode('complete') })
    for (const rows of [
      [['ann', 'oslo'] as const, ['bob', null] as const],
      [['cid', 'oslo'] as const, ['dan', null] as const, ['eve', 'rome'] as const],
    ]) {
      stream.addData(...rows.map(([name, city]) => ({ name, city, age: 1 })))
      await Promise.all([update.processAllAvailable(), complete.processAllAvailable()])
    }
    const expected = [
      ['oslo', '2'],
      ['rome', '1'],
      [null, '2'],
    ]
    expect(await rowsOf(updated)).toEqual(expected)
    expect(await rowsOf(replaced)).toEqual(expected)
    await Promise.all([update.stop(), complete.stop()])
  })

  test('rows that say so take the row with their key away', () =>
    checkChanges(async () => {
      const table = uniqueName('changes')
      const sink = await postgresSinkProvider.open({
        ...{ format: 'postgres', schema: changeSchema, partitionBy: [], outputMode: 'update', queryName: null, queryId: 'q', epoch: 1 },
        ...{
          recovering: false,
          checkFence: async () => {},
          files: new LocalFiles(),
          clock: systemClock,
          conf: () => undefined,
          print: () => {},
        },
        options: { dbtable: table, url: postgresUrl(server), key: changeKey, deleteColumn: 'gone' },
      })
      return { sink, shown: async () => (await rowsOf(table)).map((row: unknown[]) => row.map(String).join(' ')) }
    }))
  test('a row that takes one away is refused like others where the table does not let it go', async () => {
    const [table, other] = [uniqueName('held'), uniqueName('holder')]
    await client.query(`CREATE TABLE ${table} (name text PRIMARY KEY); CREATE TABLE ${other} (name text REFERENCES ${table})`)
    await client.query(`INSERT INTO ${table} VALUES ('ann'), ('bob'); INSERT INTO ${other} VALUES ('ann')`)
    const letters = join(folder, 'letters')
    const stream = new MemoryStream(engine, { name: t.string(), gone: t.boolean() })
    const query = await started(stream, table, {
      change: (w) =>
        w
          .options({ key: 'name', onConflict: 'update', deleteColumn: 'gone' })
          .deadLetters((given: any) => given.output.format('json').option('path', letters)),
    })
    stream.addData({ name: 'ann', gone: true }, { name: 'bob', gone: true }, { name: 'cid', gone: false })
    await query.processAllAvailable()
    await query.stop()
    expect(await rowsOf(table)).toEqual([['ann'], ['cid']])
    const found = await engine.read.json(letters, { message: t.string(), raw: t.string() }).collect()
    expect(found).toMatchObject([{ message: expect.stringContaining('23503') }])
    expect(JSON.parse(Buffer.from(found[0]!.raw, 'base64').toString())).toEqual({ name: 'ann', gone: true })
  })

  test('every type goes in as it is, into native columns', async () => {
    const table = uniqueName('types')
    const schema = {
      b: t.boolean(),
      i1: t.byte(),
      i2: t.short(),
      i4: t.int(),
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
      span: t.interval('day to second'),
      months: t.interval('year to month'),
      tags: t.array(t.string().nullable()),
      sums: t.array(t.decimal(20, 2)),
      item: t.struct({ id: t.long(), price: t.decimal(10, 2), when: t.timestamp().nullable() }),
      counts: t.map(t.string(), t.int()),
      grid: t.array(t.array(t.int())),
    }
    const row = {
      b: true,
      i1: -128,
      i2: 32767,
      i4: -2147483648,
      i8: -9223372036854775808n,
      f4: 0.5,
      f8: 1e-300,
      d: Decimal.from('-12345678.9012'),
      big: Decimal.from('-1234567890123456789012345678.0000000001'),
      s: 'a\t"b"\\n\u{1F600}',
      bin: new Uint8Array([0, 1, 255]),
      day: Temporal.PlainDate.from('1582-10-15'),
      at: Temporal.Instant.from('2026-01-31T12:34:56.123456Z'),
      local: Temporal.PlainDateTime.from('0001-01-01T00:00:00.000001'),
      span: Temporal.Duration.from({ days: 1, hours: 2, milliseconds: 500 }),
      months: Temporal.Duration.from({ years: -1, months: -2 }),
      tags: ['x', null, 'y"z'],
      sums: [Decimal.from('1.50'), Decimal.from('-20000.00')],
      item: { id: 9007199254740993n, price: Decimal.from('1.10'), when: Temporal.Instant.from('2026-01-01T00:00:00Z') },
      counts: new Map([['a', 1]]),
      grid: [[1, 2], []],
    }
    const stream = new MemoryStream(engine, schema)
    const query = await started(stream, table)
    stream.addData(row)
    await query.processAllAvailable()
    await query.stop()
    const types = await client.query(
      `SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = '${table}'::regclass AND attnum > 0 ORDER BY attnum`,
    )
    expect(types.rows.map((each) => each.format_type)).toEqual([
      ...[
        'boolean',
        'smallint',
        'smallint',
        'integer',
        'bigint',
        'real',
        'double precision',
        'numeric(12,4)',
        'numeric(38,10)',
        'text',
        'bytea',
      ],
      ...[
        'date',
        'timestamp with time zone',
        'timestamp without time zone',
        'interval',
        'interval',
        'text[]',
        'numeric[]',
        'jsonb',
        'jsonb',
        'jsonb',
      ],
    ])
    const texts = (
      await rowsOf(
        table,
        Object.keys(schema)
          .map((name) => `${name}::text`)
          .join(', '),
      )
    )[0]
    expect(texts).toEqual([
      ...['true', '-128', '32767', '-2147483648', '-9223372036854775808', '0.5', '1e-300', '-12345678.9012'],
      ...['-1234567890123456789012345678.0000000001', row.s, '\\x0001ff', '1582-10-15', '2026-01-31 12:34:56.123456+00'],
      ...['0001-01-01 00:00:00.000001', '26:00:00.5', '-1 years -2 mons', '{x,NULL,"y\\"z"}', '{1.50,-20000.00}'],
      ...['{"id": 9007199254740993, "when": "2026-01-01T00:00:00Z", "price": 1.10}', '{"a": 1}', '[[1, 2], []]'],
    ])
  })

  test('nulls of every form, and numbers at the edges of their digits', async () => {
    const table = uniqueName('edges')
    const schema = {
      n: t.int(),
      s: t.string().nullable(),
      d: t.decimal(18, 3).nullable(),
      big: t.decimal(38, 0).nullable(),
      f: t.double().nullable(),
      tags: t.array(t.int()).nullable(),
      at: t.timestamp().nullable(),
    }
    const nothing = { s: null, d: null, big: null, f: null, tags: null, at: null }
    const numbers = ['0', '0.001', '-0.001', '9999.999', '10000', '123456789012345.678', '-10000000.010', '1000']
    const stream = new MemoryStream(engine, schema)
    const query = await started(stream, table)
    stream.addData(
      { n: 0, ...nothing },
      ...numbers.map((d, i) => ({ n: i + 1, ...nothing, d, big: d.replace(/\..*/, '').repeat(2).replace(/(\d)-/, '$1'), s: '' })),
      { n: 90, ...nothing, f: Number.NaN, tags: [] },
      { n: 91, ...nothing, f: Number.NEGATIVE_INFINITY },
    )
    await query.processAllAvailable()
    await query.stop()
    const rows = await rowsOf(table, 'n, s, d::text, big::text, f::text, tags::text, at')
    expect(rows[0]).toEqual([0, null, null, null, null, null, null])
    expect(rows.slice(1, 1 + numbers.length).map((row) => row[2])).toEqual(numbers.map((d) => Decimal.from(d).toScale(3).toString()))
    expect(rows.slice(1, 1 + numbers.length).every((row) => row[1] === '')).toBe(true)
    expect(rows.at(-2)!.slice(4)).toEqual(['NaN', '{}', null])
    expect(rows.at(-1)![4]).toBe('-Infinity')
  })

  test('many rows over many chunks arrive whole, with backpressure', async () => {
    const table = uniqueName('many')
    await engine
      .range(0, 50_000)
      .selectExpr('id', 'repeat(cast(id AS string), 20) AS text', 'CASE WHEN id % 3 = 0 THEN NULL ELSE id / 7 END AS x')
      .write.parquet(join(folder, 'in'))
    const query = await engine.readStream
      .schema({ id: t.long(), text: t.string(), x: t.double().nullable() })
      .parquet(join(folder, 'in'))
      .writeStream.option('checkpointLocation', join(folder, 'checkpoint'))
      .options({ url: postgresUrl(server), dbtable: table })
      .trigger({ availableNow: true })
      .format('postgres')
      .start()
    await query.awaitTermination()
    expect(await rowsOf(table, 'count(*), count(DISTINCT id), sum(length(text)), count(x)')).toEqual([
      ['50000', '50000', String(20 * Array.from({ length: 50_000 }, (_, i) => String(i).length).reduce((a, b) => a + b)), '33333'],
    ])
  })

  test('of several rows of a batch with one key the last counts; onConflict for appended rows', async () => {
    const [last, first, plain] = [uniqueName('last'), uniqueName('first'), uniqueName('plain')]
    const rows = [
      { name: 'ann', city: 'a', age: 1 },
      { name: 'bob', city: 'b', age: 2 },
      { name: 'ann', city: 'c', age: 3 },
    ]
    for (const [table, change] of [
      [last, (w: any) => w.option('key', 'name').option('onConflict', 'update')],
      [first, (w: any) => w.option('key', 'name').option('onConflict', 'ignore')],
    ] as const) {
      const stream = new MemoryStream(engine, people)
      const query = await started(stream, table, { change, checkpoint: table })
      stream.addData(...rows)
      await query.processAllAvailable()
      stream.addData({ name: 'bob', city: 'z', age: null })
      await query.processAllAvailable()
      await query.stop()
    }
    expect(await rowsOf(last)).toEqual([
      ['ann', 'c', '3'],
      ['bob', 'z', null],
    ])
    expect(await rowsOf(first)).toEqual([
      ['ann', 'a', '1'],
      ['bob', 'b', '2'],
    ])
    const stream = new MemoryStream(engine, people)
    const query = await started(stream, plain, { change: (w) => w.option('key', 'name'), checkpoint: plain })
    stream.addData(...rows)
    expect(await problemOf(query.processAllAvailable().then(() => query))).toMatchObject({
      code: 'DATABASE_ROW_REFUSED',
      message: expect.stringMatching(/duplicate key.*Key \(name\)=\(ann\).*the row is {"name":"ann","city":"c","age":3}/s),
    })
    expect(await rowsOf(plain)).toEqual([])
  })

  test('refused rows become dead letters, the same ones when the batch is run again, and the books balance', async () => {
    const table = uniqueName('letters')
    await client.query(`CREATE TABLE ${table} (name varchar(5) PRIMARY KEY, city text CHECK (city <> 'nowhere'), age bigint)`)
    const stream = new MemoryStream(engine, people)
    const letters = join(folder, 'letters')
    const change = (w: any) => w.deadLetters((given: any) => given.output.format('json').option('path', letters))
    const query = await started(stream, table, { change })
    stream.addData(
      { name: 'ann', city: 'oslo', age: 1 },
      { name: 'long name', city: null, age: 2 },
      { name: 'b\0b', city: null, age: 3 },
      { name: 'cid', city: 'nowhere', age: 4 },
      { name: 'ann', city: 'rome', age: 5 },
      { name: 'dan', city: 'rome', age: 6 },
    )
    await query.processAllAvailable()
    const books = query.lastProgress.books.find(({ at }: any) => at === 'sink')
    expect(books).toEqual({ at: 'sink', rowsIn: 6, rowsOn: 2, lateRows: 0, deadLetters: 4 })
    await query.stop()
    const lettersOf = async () =>
      (await engine.read.json(letters, { reason: t.string(), message: t.string(), raw: t.string(), batch_id: t.long() }).collect())
        .map(({ reason, message, raw, batch_id }) => ({
          reason,
          message,
          age: JSON.parse(Buffer.from(raw, 'base64').toString()).age,
          batch_id,
        }))
        .sort((a, b) => a.age - b.age)
    const found = await lettersOf()
    expect(found.map(({ age }) => age)).toEqual([2, 3, 4, 5])
    expect(found.map(({ message }) => message)).toEqual([
      expect.stringContaining('value too long for type character varying(5) (22001)'),
      expect.stringContaining('\\u0000'),
      expect.stringContaining('check constraint'),
      expect.stringContaining('duplicate key'),
    ])
    // by now the table would refuse others: what was refused is told by the note
    await client.query(`ALTER TABLE ${table} DROP CONSTRAINT ${table}_city_check`)
    await client.query(`DELETE FROM ${table} WHERE name = 'ann'`)
    await rm(join(folder, 'checkpoint', 'commits', '0'))
    await rm(letters, { recursive: true })
    await rm(join(folder, 'checkpoint', 'outputs'), { recursive: true, force: true })
    const again = await started(stream, table, { change })
    await again.processAllAvailable()
    await again.stop()
    expect(await lettersOf()).toEqual(found)
    expect(await rowsOf(table)).toEqual([['dan', 'rome', '6']])
  })

  test('a poisoned row among many is found by halves', async () => {
    const table = uniqueName('halves')
    await client.query(`CREATE TABLE ${table} (n bigint CHECK (n NOT IN (7, 4096, 9999)))`)
    const stream = new MemoryStream(engine, { n: t.long() })
    const query = await started(stream, table, {
      change: (w) => w.deadLetters((given: any) => given.output.format('json').option('path', join(folder, 'letters'))),
    })
    stream.addData(...Array.from({ length: 10_000 }, (_, n) => ({ n })))
    await query.processAllAvailable()
    expect(query.lastProgress.books.at(-1)).toMatchObject({ rowsIn: 10_000, rowsOn: 9_997, deadLetters: 3 })
    await query.stop()
    expect(await rowsOf(table, 'count(*), sum(n)')).toEqual([['9997', String(49995000 - 7 - 4096 - 9999)]])
  })

  test('what does not fit the table is said before the first row', async () => {
    const table = uniqueName('fits')
    await client.query(
      `CREATE TABLE ${table} (name text NOT NULL, citty text, age integer, at timestamptz NOT NULL DEFAULT now(), id bigint GENERATED ALWAYS AS IDENTITY)`,
    )
    const stream = new MemoryStream(engine, people)
    const codeOf = async (of: (frame: any) => any, change: (w: any) => any = (w) => w, name = table) => {
      const found = await problemOf(started(stream, name, { of, change, checkpoint: uniqueName('c') }))
      return `${found?.code}: ${found?.message}`
    }
    const select =
      (...texts: string[]) =>
      (frame: any) =>
        frame.selectExpr(...texts)
    expect(await codeOf(select('name', 'city'))).toMatch(
      /^DATABASE_COLUMN_NOT_FOUND: .*city.*has name, citty, age, at, id\n.*did you mean "citty"/s,
    )
    expect(await codeOf(select('name', 'age'))).toMatch(/^DATABASE_COLUMN_TYPE_MISMATCH: .*bigint.*integer.*make the column a bigint/s)
    expect(await codeOf(select('city AS name'))).toMatch(/^DATABASE_COLUMN_NOT_NULL: /)
    expect(await codeOf(select('name', 'age AS id'))).toMatch(/^DATABASE_COLUMN_TYPE_MISMATCH: .*generated/)
    expect(await codeOf(select('city AS citty'))).toMatch(/^DATABASE_COLUMN_NEEDS_VALUE: .*column name text/)
    expect(await codeOf(select('name'), (w) => w.option('key', 'name').option('onConflict', 'update'))).toMatch(
      /^DATABASE_KEY_NOT_UNIQUE: .*it has none/,
    )
    expect(await codeOf(select('name'), (w) => w.option('key', 'nam').option('onConflict', 'update'))).toMatch(
      /^DATABASE_KEY_NOT_FOUND: .*did you mean "name"/s,
    )
    expect(await codeOf(select('name'), (w) => w.outputMode('update'))).toMatch(/^MISSING_OPTION: .*key/)
    expect(await codeOf(select('name'), (w) => w.option('createTable', false), 'nowhere')).toMatch(
      /^DATABASE_TABLE_NOT_FOUND: .*CREATE TABLE IF NOT EXISTS "nowhere" \("name" text NOT NULL\)/s,
    )
    expect(await codeOf(select('name'), (w) => w.option('tabel', 'x'))).toMatch(/^UNKNOWN_OPTION: .*dbtable/s)
    expect(await codeOf(select('name'), undefined, 'a.b.c')).toMatch(/^INVALID_OPTION_VALUE: /)
    expect(await codeOf(select('NULL AS name'))).toMatch(/^UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE: |^DATABASE_COLUMN/)
    await client.query(`CREATE UNLOGGED TABLE ${table}_u (name text)`)
    expect(await codeOf(select('name'), undefined, `${table}_u`)).toMatch(/^DATABASE_TABLE_UNFIT: .*UNLOGGED/)
    await client.query(`CREATE VIEW ${table}_v AS SELECT name FROM ${table}`)
    expect(await codeOf(select('name'), undefined, `${table}_v`)).toMatch(/^DATABASE_TABLE_UNFIT: .*view/)
    // and what does fit
    const query = await started(stream, table, { of: select('name', 'city AS citty'), checkpoint: 'fits' })
    stream.addData({ name: 'ann', city: 'oslo', age: 1 })
    await query.processAllAvailable()
    await query.stop()
    expect(await rowsOf(table, 'name, citty, age, id')).toEqual([['ann', 'oslo', null, '1']])
  })

  test('text goes into enums, uuids, JSON and domains; schemas and odd names are heeded', async () => {
    const schema = uniqueName('odd')
    await client.query(`CREATE SCHEMA ${schema}`)
    await client.query(`CREATE TYPE ${schema}.mood AS ENUM ('good', 'bad')`)
    await client.query(`CREATE DOMAIN ${schema}.positive AS integer CHECK (VALUE > 0)`)
    await client.query(
      `CREATE TABLE ${schema}."Odd ""table" (mood ${schema}.mood, id uuid, doc json, "Größe %" ${schema}.positive, code varchar(3))`,
    )
    const stream = new MemoryStream(engine, { mood: t.string(), id: t.string(), doc: t.string(), size: t.int(), code: t.string() })
    const query = await started(stream, `${schema}."Odd ""table"`, { of: (frame) => frame.withColumnRenamed('size', 'Größe %') })
    stream.addData({ mood: 'bad', id: '11111111-2222-4333-8444-555555555555', doc: '{"a":1}', size: 3, code: 'abc' })
    await query.processAllAvailable()
    stream.addData({ mood: 'bad', id: '11111111-2222-4333-8444-555555555555', doc: '{"a":', size: 3, code: 'abc' })
    const found = await problemOf(query.processAllAvailable().then(() => query))
    expect(found).toMatchObject({ code: 'DATABASE_ROW_REFUSED', message: expect.stringContaining('invalid input syntax for type json') })
    expect((await client.query(`SELECT * FROM ${schema}."Odd ""table"`)).rows).toEqual([
      { mood: 'bad', id: '11111111-2222-4333-8444-555555555555', doc: { a: 1 }, 'Größe %': 3, code: 'abc' },
    ])
    expect((await client.query(`SELECT table_name, batch_id FROM ${schema}.millrace_batches`)).rows).toEqual([
      { table_name: `${schema}.Odd "table`, batch_id: '0' },
    ])
  })

  test('the table of another query is refused; sharedTable and adoptOutput say otherwise', async () => {
    const table = uniqueName('owned')
    const write = async (checkpoint: string, change: (w: any) => any = (w) => w) => {
      const stream = new MemoryStream(engine, people)
      stream.addData({ name: checkpoint, city: null, age: 1 })
      const query = await started(stream, table, { checkpoint, change })
      await query.processAllAvailable()
      const again = () => {
        stream.addData({ name: `${checkpoint} again`, city: null, age: 1 })
        return problemOf(query.processAllAvailable().then(() => query.stop().then(() => query)))
      }
      return { query, again }
    }
    const first = await write('first')
    expect(await problemOf(write('second').then(({ query }) => query))).toMatchObject({ code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
    const third = await write('third', (w) => w.option('sharedTable', true))
    await third.query.stop()
    // the first one did not say that it shares
    expect(await first.again()).toMatchObject({ code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
    const fourth = await write('fourth', (w) => w.option('adoptOutput', true))
    expect(await rowsOf(table, 'name')).toEqual([['first'], ['fourth'], ['third']])
    const fifth = await write('fifth', (w) => w.option('adoptOutput', true))
    expect(await fourth.again()).toMatchObject({ code: 'CONCURRENT_STREAM_LOG_UPDATE' })
    expect(await fifth.again()).toBeUndefined()
    const both = (w: any) => w.option('sharedTable', true).option('adoptOutput', true)
    expect(await problemOf(write('sixth', both).then(({ query }) => query))).toMatchObject({ code: 'INCOMPATIBLE_OPTIONS' })
  })

  test('a database that is older than the checkpoint is told, not written to', async () => {
    const table = uniqueName('older')
    const stream = new MemoryStream(engine, people)
    const query = await started(stream, table)
    for (const name of ['a', 'b', 'c']) {
      stream.addData({ name, city: null, age: 1 })
      await query.processAllAvailable()
    }
    await query.stop()
    await client.query(`UPDATE millrace_batches SET batch_id = 0 WHERE table_name = 'public.${table}'`)
    await client.query(`DELETE FROM ${table} WHERE name <> 'a'`)
    stream.addData({ name: 'd', city: null, age: 1 })
    const again = await started(stream, table)
    expect(await problemOf(again.processAllAvailable().then(() => again))).toMatchObject({ code: 'DATABASE_BATCHES_MISSING' })
  })
})
