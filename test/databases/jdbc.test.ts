import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { col, Decimal, type Engine, MemoryStream, millrace, t } from 'millrace'
import 'millrace/mysql'
import 'millrace/postgres'
import 'millrace/sqlite'
import pg from 'pg'
import { Temporal } from 'temporal-polyfill'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { MySqlSession } from '../../src/databases/mysql/session.ts'
import { SqliteSession } from '../../src/databases/sqlite/session.ts'
import { uniqueName } from '../servers/shared-server.ts'
import { describeMariaDb, mariaDbClient, mariaDbUrl, sharedMariaDb } from './mariadb-server.ts'
import { describePostgres, postgresUrl, sharedPostgres } from './postgres-server.ts'

describePostgres('tables of PostgreSQL', () => suite('postgres', async () => `jdbc:${postgresUrl(await sharedPostgres())}`))
describeMariaDb('tables of MariaDB', () => suite('mysql', async () => `jdbc:${mariaDbUrl(await sharedMariaDb())}`))
describe('tables of SQLite', () => suite('sqlite', async (folder) => `jdbc:sqlite:${join(folder, 'shop.db')}`))

/** The statements that reads of tables send from now on. */
function spyOnReads(format: string): string[] {
  const asked: string[] = []
  const note = (statement: unknown) => {
    const sql =
      typeof statement === 'string'
        ? statement
        : ((statement as { sql?: string; text?: string })?.sql ?? (statement as { text?: string })?.text)
    if (sql) asked.push(sql)
  }
  if (format === 'postgres') {
    const { query } = pg.Client.prototype
    vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: unknown, ...args: unknown[]) {
      note(args[0])
      return (query as any).apply(this, args)
    } as any)
    return asked
  }
  const session: any = format === 'mysql' ? MySqlSession : SqliteSession
  const { run } = session.prototype
  vi.spyOn(session.prototype, 'run').mockImplementation(function (this: unknown, ...args: unknown[]) {
    note(args[0])
    return run.apply(this, args)
  } as any)
  return asked
}

describeMariaDb('what MariaDB has of its own', () => {
  test('bits, numbers that are truths, JSON and geometry', async () => {
    const server = await sharedMariaDb()
    const client = await mariaDbClient(server)
    const engine = await millrace.local()
    try {
      const table = uniqueName('odd')
      await client.query(`CREATE TABLE ${table} (b1 bit, b12 bit(12), b64 bit(64), flag tinyint(1), j json, p point, y year)`)
      await client.query(
        `INSERT INTO ${table} VALUES (b'1', b'101010101010', ~0, 5, '{"a": 1}', ST_GeomFromText('POINT(1 2)'), 2026), (b'0', NULL, 0, 0, NULL, NULL, NULL)`,
      )
      const frame = await engine.read
        .format('mysql')
        .options({ url: mariaDbUrl(server), dbtable: table })
        .load()
      const rows = (await frame.collect()).map((row) => Object.values(row).map((value) => (value === null ? null : String(value))))
      expect(rows).toEqual([
        ['true', '2730', '18446744073709551615', 'true', '{"a": 1}', 'POINT(1 2)', '2026'],
        ['false', null, '0', 'false', null, null, null],
      ])
      expect(await frame.where('b12 = 2730 AND flag').count()).toBe(1)
    } finally {
      await engine.close()
      await client.end()
    }
  })
})

function suite(format: string, open: (folder: string) => Promise<string>): void {
  let place: string
  let url: string
  let engine: Engine
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), 'millrace-jdbc-'))
    url = await open(place)
  })
  afterAll(() => rm(place, { recursive: true, force: true }))
  beforeEach(async () => {
    engine = await millrace.local()
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await engine.close()
  })

  const read = (options: Record<string, string>) =>
    engine.read
      .format('jdbc')
      .options({ url, ...options })
      .load()
  const write = (frame: any, table: string, mode: string, as = 'jdbc') =>
    frame.write.format(as).options({ url, dbtable: table }).mode(mode).save()
  const codeOf = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error) => error.code,
    )

  test('what was written is read again, types and all', async () => {
    const schema = {
      n: t.long(),
      ok: t.boolean().nullable(),
      f8: t.double().nullable(),
      d: t.decimal(20, 4).nullable(),
      s: t.string().nullable(),
      bin: t.binary().nullable(),
      day: t.date().nullable(),
      at: t.timestamp().nullable(),
    }
    const rows = [
      {
        n: 1,
        ok: true,
        f8: 0.1,
        d: Decimal.from('-1234567890.1234'),
        s: `a'"\\é`,
        bin: new Uint8Array([0, 255]),
        day: '2026-01-31',
        at: '2026-01-31T12:00:00.000001Z',
      },
      {
        n: -9223372036854775808n,
        ok: false,
        f8: -1e300,
        d: Decimal.from('0.5'),
        s: '',
        bin: new Uint8Array(),
        day: '1970-01-01',
        at: '1969-12-31T23:59:59.999999Z',
      },
      { n: 3, ok: null, f8: null, d: null, s: null, bin: null, day: null, at: null },
    ]
    const table = uniqueName('types')
    const frame = engine.createDataFrame(rows as any, schema)
    await write(frame, table, 'errorifexists', format)
    const found = await read({ dbtable: table })
    expect(found.schema.fields.map(({ type }) => type)).toEqual(frame.schema.fields.map(({ type }) => type))
    const text = (all: readonly any[]) =>
      all
        .map((row) =>
          Object.values(row)
            .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)))
            .join('|'),
        )
        .sort()
    expect(text(await found.collect())).toEqual(text(await frame.collect()))
    // a few columns, and a query
    expect(await found.where('n = 3').select('s', 'n').collect()).toEqual([{ s: null, n: 3n }])
    const counted = await read({ query: `SELECT count(*) AS all_rows, max(day) AS newest FROM ${table}` })
    const [row] = await counted.collect()
    expect([Number(row!.all_rows), String(row!.newest)]).toEqual([3, '2026-01-31'])
    expect(Temporal.Instant.from((await found.where('n = 1').collect())[0]!.at.toString()).epochNanoseconds % 1_000_000n).toBe(1000n)
  })

  test('what is written as JSON, or as an array, is read as its text', async () => {
    const table = uniqueName('nested')
    const schema = { list: t.array(t.int()), map: t.map(t.string(), t.long()), part: t.struct({ x: t.int(), y: t.string() }) }
    const frame = engine.createDataFrame([{ list: [1, 2], map: new Map([['a', 2n ** 60n]]), part: { x: 1, y: 'é"' } }] as any, schema)
    await write(frame, table, 'errorifexists', format)
    const [row] = await (await read({ dbtable: table })).collect()
    const without = (text: unknown) => String(text).replaceAll(' ', '')
    expect(row && Object.values(row).map(without)).toEqual([
      format === 'postgres' ? '{1,2}' : '[1,2]',
      '{"a":1152921504606846976}',
      '{"x":1,"y":"é\\""}',
    ])
  })
  test('the modes of a batch write', async () => {
    const table = uniqueName('modes')
    const frame = (...ns: number[]) =>
      engine.createDataFrame(
        ns.map((n) => ({ n })),
        { n: t.long() },
      )
    const there = async () => (await (await read({ dbtable: table })).collect()).map(({ n }) => Number(n)).sort()
    await write(frame(1), table, 'append')
    await write(frame(2), table, 'append')
    expect(await there()).toEqual([1, 2])
    await write(frame(3), table, 'overwrite')
    expect(await there()).toEqual([3])
    await write(frame(4), table, 'ignore')
    expect(await there()).toEqual([3])
    expect(await codeOf(write(frame(5), table, 'errorifexists'))).toBe('TABLE_OR_VIEW_ALREADY_EXISTS')
    const wrong = engine.createDataFrame([{ m: 1 }], { m: t.long() })
    expect(await codeOf(write(wrong, table, 'overwrite'))).toBe('DATABASE_COLUMN_NOT_FOUND')
    expect(await there()).toEqual([3])
  })

  test('a stream is joined with a table, which is read anew for each batch, or once in refreshInterval', async () => {
    const table = uniqueName('items')
    const items = (price: number) => engine.createDataFrame([{ item: 'tea', price }], { item: t.string(), price: t.int() })
    const folder = await mkdtemp(join(tmpdir(), 'millrace-jdbc-'))
    try {
      for (const [refreshInterval, expected] of [
        ['0s', [1, 2]],
        ['1 hour', [1, 1]],
      ] as const) {
        await write(items(1), table, 'overwrite')
        const prices = await read({ dbtable: table, refreshInterval })
        const stream = new MemoryStream(engine, { item: t.string() })
        const name = uniqueName('joined')
        const query = await stream.toDF().join(prices, 'item').writeStream.format('memory').queryName(name).start()
        stream.addData({ item: 'tea' })
        await query.processAllAvailable()
        await write(items(2), table, 'overwrite')
        stream.addData({ item: 'tea' })
        await query.processAllAvailable()
        await query.stop()
        expect((await engine.table(name).collect()).map((row: any) => Number(row.price))).toEqual(expected)
      }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  /** What is written is found again whatever is asked of it; and what the server was asked for. */
  test('conditions go to the server, and mean the same there', async () => {
    const schema = {
      n: t.int(),
      l: t.long().nullable(),
      d: t.decimal(10, 2).nullable(),
      s: t.string().nullable(),
      day: t.date().nullable(),
      at: t.timestamp().nullable(),
      f: t.double().nullable(),
    }
    const texts = ['a', 'A', 'a ', 'ä', "it's \\ \n", '', 'é']
    const rows = Array.from({ length: 40 }, (_, i) => ({
      n: i - 20,
      l: i % 7 === 0 ? null : BigInt(i) * 1_000_000_000_000n,
      d: i % 5 === 0 ? null : Decimal.from(`${i - 20}.${String(i).padStart(2, '0')}`),
      s: i % 9 === 0 ? null : texts[i % texts.length]!,
      day: i % 6 === 0 ? null : `2026-01-${String((i % 28) + 1).padStart(2, '0')}`,
      at: i % 4 === 0 ? null : `2026-01-01T00:00:${String(i).padStart(2, '0')}.00000${i % 10}Z`,
      f: i % 3 === 0 ? null : i / 7,
    }))
    const table = uniqueName('conditions')
    const here = engine.createDataFrame(rows as any, schema)
    await write(here, table, 'errorifexists')
    const there = await read({ dbtable: table })
    const atServer = (condition: any) => (there as any).where(condition).select('n').collect()
    const asked = spyOnReads(format)
    const conditions: [condition: any, isPushed: boolean][] = [
      ['n > 3', true],
      ['3 >= n and n <> 2', true],
      ['n in (1, 2, -5) or l is null', true],
      ['l > 5000000000000', true],
      ['n > 2147483648', true],
      ['d >= 1.5', format !== 'sqlite'],
      ['d = -19.01', format !== 'sqlite'],
      ["s = 'a'", true],
      [String.raw`s = 'it\'s \\ \n'`, true],
      ["s in ('A', '')", true],
      ["s <> 'a'", false],
      ["s > 'a'", false],
      ['s is not null and n < 0', true],
      ["day = date'2026-01-05'", format !== 'sqlite'],
      ["day < date'2026-01-05' and n > 0", true],
      [col('at').gt(new Date('2026-01-01T00:00:11Z')), format !== 'sqlite'],
      ['f > 0.5', false],
      ['n * 2 > 10', false],
      ['not (n > 3)', false],
      ['n > 3 or f > 1', false],
      ['n % 2 = 0 and n > 3', true],
    ]
    for (const [condition, isPushed] of conditions) {
      asked.length = 0
      const found = (await atServer(condition)).map(({ n }: any) => Number(n)).sort((a: number, b: number) => a - b)
      const expected = ((await (here as any).where(condition).select('n').collect()) as any[]).map(({ n }) => n).sort((a, b) => a - b)
      expect([condition, found]).toEqual([condition, expected])
      expect([condition, asked.some((sql) => sql.includes(' WHERE ('))]).toEqual([condition, isPushed])
    }
    asked.length = 0
    expect(await ((await read({ dbtable: table, pushDownPredicate: 'false' })) as any).where('n > 15').select('n').collect()).toHaveLength(
      4,
    )
    expect(asked.some((sql) => sql.includes(' WHERE ('))).toBe(false)
    vi.restoreAllMocks()
  })

  test('a schema that was given is held against the table before the first row', async () => {
    const table = uniqueName('given')
    await write(
      engine.createDataFrame(
        [
          { a: 'x', b: 1n },
          { a: null, b: 2n },
        ] as any,
        { a: t.string().nullable(), b: t.long() },
      ),
      table,
      'errorifexists',
    )
    const given = (schema: any) =>
      (engine.read.format('jdbc').options({ url, dbtable: table }).schema(schema).load() as any).orderBy('b').collect()
    // by name, whatever the order
    expect(await given({ b: t.long(), a: t.string().nullable() })).toEqual([
      { b: 1n, a: 'x' },
      { b: 2n, a: null },
    ])
    expect(await codeOf(given({ b: t.string() }))).toBe('DATABASE_SCHEMA_MISMATCH')
    expect(await codeOf(given({ b: t.long(), c: t.long().nullable() }))).toBe('DATABASE_SCHEMA_MISMATCH')
    expect(await codeOf(given({ b: t.long(), a: t.string() }))).toBe('NOT_NULL_ASSERT_VIOLATION')
  })

  test('parts, each by its own connection, hold every row once; a statement begins each session', async () => {
    const table = uniqueName('parts')
    const rows = Array.from({ length: 100 }, (_, i) => ({ n: i === 50 ? null : BigInt(i), s: `${i}` }))
    await write(engine.createDataFrame(rows as any, { n: t.long().nullable(), s: t.string() }), table, 'errorifexists')
    const parts = { partitionColumn: 'n', lowerBound: '10', upperBound: '60', numPartitions: '4' }
    const asked = spyOnReads(format)
    const sorted = async (options: Record<string, string>) =>
      ((await ((await read({ dbtable: table, ...options })) as any).collect()) as any[]).map(({ s }) => Number(s)).sort((a, b) => a - b)
    expect(await sorted(parts)).toEqual(rows.map((_, i) => i))
    expect(asked.filter((sql) => sql.includes(' WHERE ('))).toHaveLength(4)
    asked.length = 0
    expect(await sorted({ ...parts, upperBound: '12' })).toHaveLength(100)
    expect(asked.filter((sql) => sql.includes(' WHERE ('))).toHaveLength(2)
    expect(await ((await read({ dbtable: table, ...parts })) as any).where('n >= 20 and n < 25').count()).toBe(5)
    vi.restoreAllMocks()
    for (const [options, code] of [
      [{ partitionColumn: 'n' }, 'MISSING_OPTION'],
      [{ lowerBound: '1' }, 'MISSING_OPTION'],
      [{ ...parts, partitionColumn: 'm' }, 'INVALID_OPTION_VALUE'],
      [{ ...parts, partitionColumn: 's' }, 'INVALID_OPTION_VALUE'],
      [{ ...parts, lowerBound: '99' }, 'INVALID_OPTION_VALUE'],
      [{ ...parts, lowerBound: 'x' }, 'INVALID_OPTION_VALUE'],
      [{ fetchsize: '-1' }, 'INVALID_OPTION_VALUE'],
    ] as const)
      expect([options, await codeOf(sorted(options as any))]).toEqual([options, code])
    const byQuery = async () => ((await read({ query: `SELECT * FROM ${table}`, ...parts })) as any).collect()
    expect(await codeOf(byQuery())).toBe('INCOMPATIBLE_OPTIONS')
    const init = { postgres: "SET application_name = 'begun'", mysql: "SET @begun = 'begun'", sqlite: 'CREATE TEMP TABLE begun (b TEXT)' }[
      format
    ]!
    const seen = {
      postgres: "SELECT current_setting('application_name') AS b",
      mysql: 'SELECT @begun AS b',
      sqlite: 'SELECT count(*) AS b FROM begun',
    }[format]!
    expect(String(((await ((await read({ query: seen, sessionInitStatement: init })) as any).collect()) as any[])[0].b)).toBe(
      format === 'sqlite' ? '0' : 'begun',
    )
    expect(await codeOf(read({ dbtable: table, sessionInitStatement: 'NO STATEMENT' }))).toBe('DATABASE_STATEMENT_FAILED')
    expect(await codeOf(read({ dbtable: table, pushDownAggregate: 'true' }))).toBe('UNSUPPORTED_OPTION')
  })

  test('what can’t be read is said plainly', async () => {
    expect(await codeOf(read({ dbtable: 'no_such_table' }))).toBe('DATABASE_STATEMENT_FAILED')
    expect(await codeOf(read({}))).toBe('MISSING_OPTION')
    expect(await codeOf(read({ dbtable: 'a', query: 'SELECT 1 AS a' }))).toBe('INCOMPATIBLE_OPTIONS')
    // SQLite gives the second one another name
    const twice = { postgres: 'COLUMN_ALREADY_EXISTS', mysql: 'DATABASE_STATEMENT_FAILED' }[format]
    expect(await codeOf(read({ query: 'SELECT 1 AS a, 2 AS a' }))).toBe(twice)
    expect(await codeOf(read({ dbtable: 'a', customSchema: 'a INT' }))).toBe('UNSUPPORTED_OPTION')
    expect(await codeOf(engine.read.format('jdbc').options({ url: 'jdbc:oracle:thin', dbtable: 'a' }).load())).toBe(
      'DATABASE_SERVER_UNKNOWN',
    )
    expect(() => engine.readStream.format(format).options({ url, dbtable: 'a' }).load()).toThrow('DATABASE_NOT_A_STREAM')
  })
}
