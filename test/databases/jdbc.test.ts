import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Decimal, type Engine, MemoryStream, millrace, t } from 'millrace'
import 'millrace/mysql'
import 'millrace/postgres'
import 'millrace/sqlite'
import { Temporal } from 'temporal-polyfill'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { uniqueName } from '../servers/shared-server.ts'
import { describeMariaDb, mariaDbUrl, sharedMariaDb } from './mariadb-server.ts'
import { describePostgres, postgresUrl, sharedPostgres } from './postgres-server.ts'

describePostgres('tables of PostgreSQL', () => suite('postgres', async () => `jdbc:${postgresUrl(await sharedPostgres())}`))
describeMariaDb('tables of MariaDB', () => suite('mysql', async () => `jdbc:${mariaDbUrl(await sharedMariaDb())}`))
describe('tables of SQLite', () => suite('sqlite', async (folder) => `jdbc:sqlite:${join(folder, 'shop.db')}`))

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
  afterEach(() => engine.close())

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
