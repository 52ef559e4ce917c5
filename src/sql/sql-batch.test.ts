import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { rowMemory } from '../data/array-pool.ts'
import type { ColumnBatch, FixedColumn } from '../data/column-batch.ts'
import type { FileFormat, Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, struct } from '../data/types.ts'
import { Decimal, rowsToColumns, Temporal } from '../data/values.ts'
import { chooseRecordBytes } from './json-buffers.ts'
import type { Relation, SqlBatch } from './sql-batch.ts'
import type { SqlBatchRun } from './sql-batch-run.ts'
import { SqlEngine } from './sql-engine.ts'

let engine: SqlEngine
let folder: string
beforeAll(async () => {
  engine = await SqlEngine.open({ files: new LocalFiles(), threads: 2 })
})
afterAll(() => engine.close())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-sql-'))
  return () => rmSync(folder, { recursive: true, force: true })
})

async function inBatch<T>(use: (batch: SqlBatch) => Promise<T>): Promise<T> {
  const batch = await engine.beginBatch({ batchTimestampMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678), salt: "it's salt" })
  try {
    return await use(batch)
  } finally {
    await batch.close()
  }
}
function schemaOf(fields: Record<string, DataType>): Schema {
  return new Schema(Object.entries(fields).map(([name, type]) => ({ name, type, nullable: true })))
}
function file(name: string, content: string | Uint8Array): { path: string; sizeBytes: number; modifiedMs: number } {
  const path = join(folder, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  return { path, sizeBytes: typeof content === 'string' ? Buffer.byteLength(content) : content.length, modifiedMs: 0 }
}
type TestFile = ReturnType<typeof file>
/** Rows as plain text, so that they compare by value. */
function plain(rows: readonly Row[]): unknown {
  return rows.map((row) => Object.values(row).map(plainValue))
}
function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Map) return [...value].map(([key, item]) => [plainValue(key), plainValue(item)])
  if (value instanceof Uint8Array) return [...value]
  if (
    value instanceof Decimal ||
    value instanceof Temporal.Instant ||
    value instanceof Temporal.PlainDate ||
    value instanceof Temporal.PlainDateTime
  )
    return value.toString()
  if (Array.isArray(value)) return value.map(plainValue)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainValue(item)]))
  return value
}
async function read(
  format: FileFormat,
  files: readonly TestFile[],
  schema: Schema,
  options: Record<string, string> = {},
): Promise<unknown> {
  return inBatch(async (sql) =>
    plain(await sql.rowSet(await sql.source('0', { kind: 'files', format, files, options }, schema)).toObjects()),
  )
}

describe('JSON files', () => {
  const schema = schemaOf({ a: 'long', t: 'timestamp', s: 'string' })
  test('a malformed line becomes a row of nulls, a wrong value a null, blank lines nothing', async () => {
    const lines = [
      '{"a":1,"t":"2001-01-01T00:00:00.000Z","s":"x"}',
      'broken',
      '',
      '{"a":"zz","s":{"z":1}}',
      '{"s":null,"more":3}',
      '{"a":7,"t":"no time"}',
    ]
    expect(await read('json', [file('a.json', lines.join('\n'))], schema)).toEqual([
      [1, '2001-01-01T00:00:00Z', 'x'],
      [null, null, null],
      [null, null, '{"z":1}'],
      [null, null, null],
      [7, null, null],
    ])
  })
  test('timestamps in the forms that Spark reads, to UTC microseconds', async () => {
    const texts = [
      '"2001-01-01T00:00:00.000Z"',
      '"2001-01-01T02:00:00+02:00"',
      '"2001-01-01 00:00:00.123456"',
      '"2001-01-01"',
      '"2001-01-01T00:00Z"',
      '"2001-01-01T05:30+05:30"',
      '"2001-01"',
      '"2001"',
      '978307200',
      '"infinity"',
      '""',
    ]
    const rows = await read('json', [file('a.json', texts.map((t) => `{"t":${t}}`).join('\n'))], schemaOf({ t: 'timestamp' }))
    const newYear = '2001-01-01T00:00:00Z'
    expect(rows).toEqual([
      [newYear],
      [newYear],
      ['2001-01-01T00:00:00.123456Z'],
      [newYear],
      [newYear],
      [newYear],
      [newYear],
      [newYear],
      [newYear],
      [null],
      [null],
    ])
  })
  test('timestampFormat and dateFormat take the place of the default', async () => {
    const options = { timestampFormat: 'dd/MM/yyyy HH:mm:ss[.SSS]', dateFormat: 'dd.MM.yyyy' }
    const content = '{"t":"02/01/2001 03:04:05","d":"03.02.2001"}\n{"t":"02/01/2001 03:04:05.250","d":"2001-02-03"}'
    expect(await read('json', [file('a.json', content)], schemaOf({ t: 'timestamp', d: 'date' }), options)).toEqual([
      ['2001-01-02T03:04:05Z', '2001-02-03'],
      ['2001-01-02T03:04:05.25Z', null],
    ])
    await expect(read('json', [file('b.json', '{}')], schemaOf({ t: 'timestamp' }), { timestampFormat: 'QQQ' })).rejects.toMatchObject({
      code: 'INVALID_OPTION_VALUE',
    })
  })
  test('nested types, binary, decimals, dates', async () => {
    const type = struct([
      { name: 'at', type: 'timestamp', nullable: true },
      { name: 'n', type: 'int', nullable: true },
    ])
    const nested = schemaOf({
      s: type,
      l: { kind: 'array', element: 'string', containsNull: true },
      m: { kind: 'map', key: 'string', value: 'double', valueContainsNull: true },
      b: 'binary',
      d: { kind: 'decimal', precision: 20, scale: 2 },
      y: 'date',
    })
    const line =
      '{"s":{"at":"2001-01-01T01:00:00+01:00","n":5},"l":["a",null],"m":{"k":1.5},"b":"aGk=","d":"12345678901234567.89","y":"2001-02-03"}'
    expect(await read('json', [file('a.json', `${line}\n{"s":null,"b":"?","d":1234567890123.455}`)], nested)).toEqual([
      [{ at: '2001-01-01T00:00:00Z', n: 5 }, ['a', null], [['k', 1.5]], [104, 105], '12345678901234567.89', '2001-02-03'],
      [null, null, null, null, '1234567890123.46', null],
    ])
  })
  test('a field of a struct is parsed like a column', async () => {
    const own = [
      { name: 'at', type: 'timestamp' },
      { name: 'local', type: 'timestamp_ntz' },
      { name: 'day', type: 'date' },
      { name: 'd', type: { kind: 'decimal', precision: 20, scale: 2 } },
      { name: 'b', type: 'binary' },
      { name: 'nothing', type: 'void' },
    ].map((field) => ({ ...field, nullable: true })) as Field[]
    const times = { kind: 'array', element: 'timestamp', containsNull: true } as const
    const inner = struct([...own, { name: 'times', type: times, nullable: true }])
    const nested = schemaOf({ s: struct([{ name: 'My "field"', type: inner, nullable: true }, ...own.slice(0, 1)]) })
    const flat = schemaOf(Object.fromEntries(own.map(({ name, type }) => [name, type])))
    const lines = [
      '{"at":"2001-01-01T05:30+05:30","local":"2001-01-01T00:00","day":"2001-02-03","d":"12345678901234567.89","b":"aGk=","nothing":1}',
      '{"at":"2001","d":1.5}',
      '{"at":978307200,"local":null}',
      '{"at":"2001-01-01 00:00:00.25-0130"}',
      '{"at":"infinity"}',
      '{"at":"no time","d":"7"}',
      '{"day":"no day","at":"2001-01-01 00:00:00 Europe/Paris"}',
    ]
    const within = lines.map((line) => `{"s":{"My \\"field\\"":${line.slice(0, -1)},"times":["2001-01-01 00:00:00+01"]},"at":"2001-02"}}`)
    const columns = (await read('json', [file('flat.json', lines.join('\n'))], flat)) as unknown[][]
    const fields = await read('json', [file('a.json', [...within, '{"s":null}', '{"s":{"My \\"field\\"":null}}'].join('\n'))], nested)
    expect(fields).toEqual([
      ...columns.map((row) => {
        const values = Object.fromEntries(own.map(({ name }, i) => [name, row[i]]))
        return [{ 'My "field"': { ...values, times: ['2000-12-31T23:00:00Z'] }, at: '2001-02-01T00:00:00Z' }]
      }),
      [null],
      [{ 'My "field"': null, at: null }],
    ])
    expect(columns[1]).toEqual(['2001-01-01T00:00:00Z', null, null, '1.50', null, null])
  })
  test('a field of a struct that is no time makes its record malformed, and follows timestampFormat', async () => {
    const nested = schemaOf({ s: struct([{ name: 'at', type: 'timestamp', nullable: true }]), _corrupt_record: 'string' })
    const lines = ['{"s":{"at":"2001-01-01 00:00:00"}}', '{"s":{"at":"02/01/2001"}}']
    expect(await read('json', [file('a.json', lines.join('\n'))], nested)).toEqual([
      [{ at: '2001-01-01T00:00:00Z' }, null],
      [{ at: null }, lines[1]],
    ])
    expect(await read('json', [file('a.json', lines.join('\n'))], nested, { timestampFormat: 'dd/MM/yyyy' })).toEqual([
      [{ at: null }, lines[0]],
      [{ at: '2001-01-02T00:00:00Z' }, null],
    ])
  })
  test.each(['broken', '{"a":"zz"}', '{"t":"no time"}'])('FAILFAST stops at %s', async (line) => {
    await expect(read('json', [file('a.json', `{"a":1}\n${line}\n`)], schema, { mode: 'FAILFAST' })).rejects.toMatchObject({
      code: 'MALFORMED_RECORD_IN_PARSING',
    })
  })
  test('DROPMALFORMED leaves out what PERMISSIVE would null, and counts what is left', async () => {
    const files = [file('a.json', '{"a":1,"s":"x"}\nbroken\n{"a":"zz"}\n{"t":"no time"}\n[1]\n{"a":2,"t":"2001-01-01"}\n{}\n')]
    await inBatch(async (sql) => {
      const rows = sql.rowSet(await sql.source('0', { kind: 'files', format: 'json', files, options: { mode: 'dropMalformed' } }, schema))
      expect(plain(await rows.toObjects())).toEqual([
        [1, null, 'x'],
        [2, '2001-01-01T00:00:00Z', null],
        [null, null, null],
      ])
      expect(await sql.inputRows()).toEqual(new Map([['0', 3]]))
    })
  })
  test('multiLine reads arrays and documents over several lines', async () => {
    const files = [file('a.json', '[{"a":1},\n {"a":2}]'), file('b.json', '{\n "a": 3\n}\n')]
    expect(await read('json', files, schemaOf({ a: 'long' }), { multiLine: 'true' })).toEqual([[1], [2], [3]])
  })
  test('a column name and a path may hold anything', async () => {
    const odd = `it's "odd" [1]*?.json`
    expect(
      await read('json', [file(odd, `{"it's \\"a\\" c":1}\n`), file('it is.json', '{}')], schemaOf({ [`it's "a" c`]: 'long' })),
    ).toEqual([[1], [null]])
  })
  test('an unknown mode is refused', async () => {
    await expect(read('json', [file('a.json', '{}')], schema, { mode: 'LENIENT' })).rejects.toMatchObject({ code: 'INVALID_OPTION_VALUE' })
  })
  test('a schema with two names that differ in case is refused', async () => {
    await expect(read('json', [file('a.json', '{}')], schemaOf({ a: 'long', A: 'long' }))).rejects.toMatchObject({
      code: 'COLUMN_ALREADY_EXISTS',
    })
  })
})

describe('CSV files', () => {
  const schema = schemaOf({ a: 'int', b: 'string', d: 'double' })
  test('defaults of Spark: no header, comma, quotes, backslash; empty is null', async () => {
    const content = '1,x,1.5\n2\n3,"a \\"b\\", c",NaN,extra\nz,,\n1.5, y ,2\n\n 4,t,+1e3\n'
    expect(await read('csv', [file('a.csv', content)], schema)).toEqual([
      [1, 'x', 1.5],
      [2, null, null],
      [3, 'a "b", c', Number.NaN],
      [null, null, null],
      [null, ' y ', 2],
      [null, 't', 1000],
    ])
  })
  test('header, sep, nullValue, comment, white space', async () => {
    const options = {
      header: 'true',
      sep: ';',
      nullValue: 'NA',
      comment: '#',
      ignoreLeadingWhiteSpace: 'true',
      ignoreTrailingWhiteSpace: 'true',
    }
    expect(await read('csv', [file('a.csv', 'a;b;d\n#note\n 1 ; NA2;NA\n'), file('b.csv', 'a;b;d\n2;NA;3\n')], schema, options)).toEqual([
      [1, 'NA2', null],
      [2, null, 3],
    ])
  })
  test('enforceSchema=false compares the header with the schema', async () => {
    const options = { header: 'true', enforceSchema: 'false' }
    expect(await read('csv', [file('a.csv', 'A,b,d\n1,x,2\n')], schema, options)).toEqual([[1, 'x', 2]])
    await expect(read('csv', [file('b.csv', 'b,a,d\nx,1,2\n')], schema, options)).rejects.toMatchObject({
      code: 'CSV_HEADER_COLUMN_MISMATCH',
    })
  })
  test('FAILFAST and DROPMALFORMED', async () => {
    const files = [file('a.csv', '1,x,2\nz,x,2\n3,y\n4,z,5\n')]
    await expect(read('csv', files, schema, { mode: 'FAILFAST' })).rejects.toMatchObject({ code: 'MALFORMED_RECORD_IN_PARSING' })
    expect(await read('csv', files, schema, { mode: 'DROPMALFORMED' })).toEqual([
      [1, 'x', 2],
      [4, 'z', 5],
    ])
  })
  test('times and booleans', async () => {
    const types = schemaOf({ t: 'timestamp', n: 'timestamp_ntz', d: 'date', y: 'boolean' })
    expect(await read('csv', [file('a.csv', '2001-01-01T01:00:00+01:00,2001-01-01 02:00:00,2001-01-01,TRUE\nx,x,x,1\n')], types)).toEqual([
      ['2001-01-01T00:00:00Z', '2001-01-01T02:00:00', '2001-01-01', true],
      [null, null, null, null],
    ])
  })
  test('nested types are refused', async () => {
    await expect(
      read('csv', [file('a.csv', '1\n')], schemaOf({ a: { kind: 'array', element: 'int', containsNull: true } })),
    ).rejects.toMatchObject({ code: 'UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE' })
  })
})

describe('text files', () => {
  const schema = schemaOf({ value: 'string' })
  test('a row a line, empty ones too, whatever ends it', async () => {
    expect(
      await read('text', [file('a.txt', 'a,"b\n\n  c\\ \r\nlast'), file('b.txt', ''), file('c.txt', 'x\n\n'), file('d.txt', '\n')], schema),
    ).toEqual([['a,"b'], [''], ['  c\\ '], ['last'], ['x'], [''], ['']])
  })
  test('lineSep and wholetext', async () => {
    expect(await read('text', [file('a.txt', 'a;b\n;c')], schema, { lineSep: ';' })).toEqual([['a'], ['b\n'], ['c']])
    expect(await read('text', [file('a.txt', 'a\nb\n')], schema, { wholetext: 'true' })).toEqual([['a\nb\n']])
  })
  test('folders give columns', async () => {
    const files = [file('x/p=1%2F2/a.txt', 'a\n'), file('x/p=__HIVE_DEFAULT_PARTITION__/a.txt', 'b\n')]
    expect(await read('text', files, schemaOf({ value: 'string', p: 'string' }), { path: join(folder, 'x') })).toEqual([
      ['a', '1/2'],
      ['b', null],
    ])
  })
  test('rows are counted', async () => {
    await inBatch(async (sql) => {
      const rows = sql.rowSet(
        await sql.source('t', { kind: 'files', format: 'text', files: [file('a.txt', 'a\nb\nc\n')], options: {} }, schema),
      )
      await rows.consume()
      expect(await sql.inputRows()).toEqual(new Map([['t', 3]]))
    })
  })
})

describe('Parquet files', () => {
  async function parquet(name: string, select: string): Promise<TestFile> {
    const path = join(folder, name)
    await inBatch((sql) =>
      (sql as unknown as { session: { run(sql: string): Promise<unknown> } }).session.run(`COPY (${select}) TO '${path}' (FORMAT parquet)`),
    )
    return { path, sizeBytes: readFileSync(path).length, modifiedMs: 0 }
  }
  test('columns by name, missing ones null, narrow types widened, instants from either kind of timestamp', async () => {
    const schema = schemaOf({ b: 'string', a: 'long', x: 'double', t: 'timestamp', n: 'timestamp_ntz' })
    const files = [
      await parquet(
        '1.parquet',
        `SELECT 1::INTEGER a, 'x' b, TIMESTAMPTZ '2001-01-01 01:00:00+01' t, TIMESTAMP '2001-01-01 00:00:00' n, 9 AS other`,
      ),
      await parquet('2.parquet', `SELECT 'y' B, TIMESTAMPTZ '2001-01-02 00:00:00+00' t, 5::TINYINT a`),
    ]
    const midnight = '2001-01-01T00:00:00'
    expect(await read('parquet', files, schema)).toEqual([
      ['x', 1, null, `${midnight}Z`, midnight],
      ['y', 5, null, '2001-01-02T00:00:00Z', null],
    ])
    expect(await read('parquet', [await parquet('3.parquet', `SELECT TIMESTAMP '2001-01-01 00:00:00' t`)], schema)).toEqual([
      [null, null, null, `${midnight}Z`, null],
    ])
  })
  test('a file that is no Parquet', async () => {
    await expect(read('parquet', [file('a.parquet', 'not parquet at all')], schemaOf({ a: 'long' }))).rejects.toMatchObject({
      code: 'FAILED_READ_FILE',
    })
  })
})

describe('the last record of a large JSON file without a newline at its end is there', () => {
  const bufferBytes = 32 * 1024 * 1024
  /** Records of about 1,000 bytes; the last one fills the file up to its size. */
  function bigFile(sizeBytes: number): { big: TestFile; last: number } {
    const record = (i: number, pad: number) => `{"a":${i},"pad":"${'x'.repeat(pad)}"}`
    const lines: string[] = []
    let left = sizeBytes
    for (; left > 3000; left -= lines.at(-1)!.length + 1) lines.push(record(lines.length, 1000))
    const last = lines.length
    lines.push(record(last, left - record(last, 0).length))
    return { big: file('a.json', lines.join('\n')), last }
  }
  test.each([0, -1, -7, -8, 1, 8, 1000, 5000, bufferBytes, bufferBytes + 500])('32 MiB and %i bytes', async (more) => {
    const { big, last } = bigFile(bufferBytes + more)
    expect(big.sizeBytes).toBe(bufferBytes + more)
    for (const mode of ['PERMISSIVE', 'FAILFAST', ...(more === 0 ? ['DROPMALFORMED'] : [])]) {
      await inBatch(async (sql) => {
        const source = await sql.source('0', { kind: 'files', format: 'json', files: [big], options: { mode } }, schemaOf({ a: 'long' }))
        const max = sql.fragment('SELECT count(c0) AS c0, max(c0) AS c1 FROM ⟦0⟧', [source], schemaOf({ n: 'long', max: 'long' }))
        expect(plain(await sql.rowSet(max).toObjects())).toEqual([[last + 1, last]])
        expect(await sql.inputRows()).toEqual(new Map([['0', last + 1]]))
      })
    }
  })
  test.each([0, 1, 1000])('32 MiB and %i bytes, compressed', async (more) => {
    const { big, last } = bigFile(bufferBytes + more)
    const packed = file('a.json.gz', gzipSync(readFileSync(big.path), { level: 1 }))
    expect(
      await inBatch(async (sql) => {
        const source = await sql.source('0', { kind: 'files', format: 'json', files: [packed], options: {} }, schemaOf({ a: 'long' }))
        return plain(await sql.rowSet(sql.fragment('SELECT count(c0) AS c0 FROM ⟦0⟧', [source], schemaOf({ n: 'long' }))).toObjects())
      }),
    ).toEqual([[last + 1]])
  })
  test('with other files around it, which are counted too', async () => {
    const { big, last } = bigFile(bufferBytes)
    await inBatch(async (sql) => {
      const files = [file('0.json', '{"a":-2}\n'), big, file('b.json', '{"a":-1}\n')]
      const source = await sql.source('0', { kind: 'files', format: 'json', files, options: {} }, schemaOf({ a: 'long' }))
      const all = sql.fragment('SELECT count(c0) AS c0, min(c0) AS c1 FROM ⟦0⟧', [source], schemaOf({ n: 'long', min: 'long' }))
      expect(plain(await sql.rowSet(all).toObjects())).toEqual([[last + 3, -2]])
      expect(await sql.inputRows()).toEqual(new Map([['0', last + 3]]))
    })
  })
})

test('buffers are chosen so that none ends in the open record', () => {
  const MiB = 1024 * 1024
  for (const sizeBytes of [32, 33, 48, 64, 64.5, 100, 1000, 4096, 40_000].map((size) => Math.round(size * MiB))) {
    for (const openBytes of [0, 1, 1000, MiB, 16 * MiB]) {
      const size = chooseRecordBytes(sizeBytes, openBytes)
      expect(size).toBeGreaterThanOrEqual(16 * MiB)
      expect(size).toBeLessThan(40 * MiB)
      if (openBytes > 0) expect(sizeBytes % (2 * size)).toBeGreaterThan(openBytes)
    }
  }
})

describe('rows that a source delivered are counted before any filter', () => {
  const schema = schemaOf({ a: 'long' })
  const jsonFiles = () => [
    file('a.json', Array.from({ length: 5000 }, (_, i) => `{"a":${i}}`).join('\n')),
    file('b.json', '{"a":1}\n{"a":2}\n'),
  ]
  const uses: Record<string, (sql: SqlBatch, kept: ReturnType<SqlBatch['fragment']>) => Promise<unknown>> = {
    measure: async (sql, kept) =>
      sql.measure(sql.fragment('SELECT make_timestamp(c0) AS c0 FROM ⟦0⟧', [kept], schemaOf({ t: 'timestamp' })), 0),
    materialize: (sql, kept) => sql.materialize(kept),
    keyedColumns: (sql, kept) =>
      sql.keyedColumns(
        'SELECT md5_number(c0::VARCHAR) AS key_id, c0, count(*) FROM ⟦0⟧ GROUP BY ALL',
        [kept],
        schemaOf({ k: 'long', n: 'long' }),
      ),
    consume: (sql, kept) => sql.rowSet(kept).consume(),
    count: (sql, kept) => sql.rowSet(kept).count(),
    toObjects: (sql, kept) => sql.rowSet(kept).toObjects(),
    writeFiles: (sql, kept) =>
      sql.rowSet(kept).writeFiles({ format: 'parquet', folder, fileName: (i) => `o${i}.parquet`, partitionBy: [], options: {} }),
    'nothing at all': async () => undefined,
  }
  const filters = ['c0 < 10', 'false', 'c0 > 100000', 'true']
  for (const [use, run] of Object.entries(uses)) {
    test.each(filters)(`JSON, ${use}, WHERE %s`, async (filter) => {
      await inBatch(async (sql) => {
        const source = await sql.source('s', { kind: 'files', format: 'json', files: jsonFiles(), options: {} }, schema)
        await run(sql, sql.fragment(`SELECT c0 FROM ⟦0⟧ WHERE ${filter}`, [source], schema))
        expect(await sql.inputRows()).toEqual(new Map([['s', 5002]]))
      })
    })
  }
  test.each(filters)('CSV, WHERE %s', async (filter) => {
    await inBatch(async (sql) => {
      const source = await sql.source(
        's',
        { kind: 'files', format: 'csv', files: [file('a.csv', '1\n2\n300000\nx\n')], options: {} },
        schema,
      )
      await sql.rowSet(sql.fragment(`SELECT c0 FROM ⟦0⟧ WHERE ${filter}`, [source], schema)).consume()
      expect(await sql.inputRows()).toEqual(new Map([['s', 4]]))
    })
  })
  test.each(filters)('Parquet, WHERE %s', async (filter) => {
    const rows = Array.from({ length: 300 }, (_, i) => ({ a: i }))
    const written = await inBatch(async (sql) =>
      sql
        .rowSet(await sql.load(rowsToColumns(schema, rows)))
        .writeFiles({ format: 'parquet', folder, fileName: () => 'p.parquet', partitionBy: [], options: {} }),
    )
    const files = written.map(({ path, sizeBytes }) => ({ path: join(folder, path), sizeBytes, modifiedMs: 0 }))
    await inBatch(async (sql) => {
      const source = await sql.source('s', { kind: 'files', format: 'parquet', files, options: {} }, schema)
      await sql.rowSet(sql.fragment(`SELECT c0 FROM ⟦0⟧ WHERE ${filter}`, [source], schema)).consume()
      expect(await sql.inputRows()).toEqual(new Map([['s', 300]]))
    })
  })
  test('a join with an empty table, a LIMIT, two sources over the same files', async () => {
    const files = jsonFiles()
    const run = async (text: string) =>
      inBatch(async (sql) => {
        const a = await sql.source('a', { kind: 'files', format: 'json', files, options: {} }, schema)
        const b = await sql.source('b', { kind: 'files', format: 'json', files: files.slice(0), options: {} }, schema)
        const none = await sql.load(rowsToColumns(schema, []))
        await sql.rowSet(sql.fragment(text, [a, b, none], schema)).consume()
        return sql.inputRows()
      })
    const both = new Map([
      ['a', 5002],
      ['b', 5002],
    ])
    expect(await run('SELECT x.c0 FROM ⟦0⟧ x JOIN ⟦2⟧ n ON x.c0 = n.c0')).toEqual(both)
    expect(await run('SELECT c0 FROM ⟦0⟧ LIMIT 1')).toEqual(both)
    expect(await run('SELECT x.c0 FROM ⟦0⟧ x JOIN ⟦1⟧ y ON x.c0 = y.c0')).toEqual(both)
  })
  test('objects, columns and generated rows', async () => {
    await inBatch(async (sql) => {
      const batch = rowsToColumns(schema, [{ a: 1 }, { a: 2 }])
      const o = await sql.source('o', { kind: 'objects', rows: [{ a: 5 }] }, schema)
      const c = await sql.source('c', { kind: 'columns', batches: [batch, batch] }, schema)
      const g = await sql.source('g', { kind: 'sql', sql: 'SELECT i FROM range(7) r(i)', numRows: 7 }, schema)
      const all = sql.fragment('SELECT * FROM ⟦0⟧ UNION ALL SELECT * FROM ⟦1⟧ UNION ALL SELECT * FROM ⟦2⟧', [o, c, g], schema)
      expect(plain(await sql.rowSet(all).toObjects())).toEqual([[5], [1], [2], [1], [2], [0], [1], [2], [3], [4], [5], [6]])
      expect(await sql.inputRows()).toEqual(
        new Map([
          ['o', 1],
          ['c', 4],
          ['g', 7],
        ]),
      )
    })
  })
  test('no files, and files without a byte', async () => {
    await inBatch(async (sql) => {
      const none = await sql.source('none', { kind: 'files', format: 'json', files: [], options: {} }, schema)
      const empty = await sql.source('empty', { kind: 'files', format: 'json', files: [file('e.json', '')], options: {} }, schema)
      expect(await sql.rowSet(none).toObjects()).toEqual([])
      expect(await sql.rowSet(empty).toObjects()).toEqual([])
      expect(await sql.inputRows()).toEqual(
        new Map([
          ['none', 0],
          ['empty', 0],
        ]),
      )
    })
  })
})

describe('fragments', () => {
  const schema = schemaOf({ a: 'long', s: 'string' })
  test('nest, know the parameters of the batch, and leave literals alone', async () => {
    await inBatch(async (sql) => {
      const rows = await sql.load(
        rowsToColumns(schema, [
          { a: 1, s: 'x' },
          { a: 2, s: 'y' },
        ]),
      )
      const inner = sql.fragment(`SELECT c0 + 1 AS c0, '⟦0⟧ isn''t ⟦salt⟧' AS c1 FROM ⟦0⟧`, [rows], schema)
      const outer = sql.fragment(
        `SELECT c0, c1 || ⟦salt⟧ AS c1, ⟦batch_timestamp⟧ AS c2 FROM ⟦0⟧ AS "⟦1⟧" WHERE c0 > 2`,
        [inner],
        schemaOf({ a: 'long', s: 'string', t: 'timestamp' }),
      )
      expect(plain(await sql.rowSet(outer).toObjects())).toEqual([[3, "⟦0⟧ isn't ⟦salt⟧it's salt", '2026-01-02T03:04:05.678Z']])
    })
  })
  test('what a statement reads twice is run once', async () => {
    await inBatch(async (sql) => {
      const random = sql.fragment('SELECT (random() * 1e12)::BIGINT AS c0, NULL::VARCHAR AS c1 FROM range(20)', [], schema)
      const doubled = sql.fragment('SELECT a.c0, a.c1 FROM ⟦0⟧ a JOIN ⟦0⟧ b ON a.c0 = b.c0', [random], schema)
      const shared = sql.fragment('SELECT * FROM ⟦0⟧ UNION SELECT * FROM ⟦1⟧', [doubled, random], schema)
      expect(await sql.rowSet(shared).count()).toBe(20)
    })
  })
  test('a placeholder that nobody knows is our defect', async () => {
    await inBatch(async (sql) => {
      expect(() => sql.fragment('SELECT ⟦sugar⟧', [], schema)).toThrow(/sugar/)
    })
  })
})

describe('measure', () => {
  const at = (text: string) => BigInt(Date.parse(text)) * 1000n
  const rows = [{ t: '2001-01-01T00:00:10Z' }, { t: '2001-01-01T00:00:00Z' }, { t: '2001-01-01T00:00:20.000001Z' }]
  const expected = {
    count: 3,
    minUs: at('2001-01-01T00:00:00Z'),
    maxUs: at('2001-01-01T00:00:20Z') + 1n,
    avgUs: Number(at('2001-01-01T00:00:10Z')),
  }
  test('gives the same of loaded columns, of a table and of a query', async () => {
    const schema = schemaOf({ t: 'timestamp' })
    await inBatch(async (sql) => {
      const loaded = await sql.load(rowsToColumns(schema, rows))
      const same = (stats: typeof expected) => expect({ ...stats, avgUs: Math.round(stats.avgUs / 1000) * 1000 }).toEqual(expected)
      same((await sql.measure(loaded, 0)).stats)
      same((await sql.measure(sql.fragment('SELECT * FROM ⟦0⟧', [loaded], schema), 0)).stats)
      same((await sql.measure(await sql.materialize(sql.fragment('SELECT * FROM ⟦0⟧', [loaded], schema)), 0)).stats)
    })
  })
  test('a null counts as 1970, a window by its end, no rows as zeros', async () => {
    const schema = schemaOf({
      w: struct([
        { name: 'start', type: 'timestamp', nullable: true },
        { name: 'end', type: 'timestamp', nullable: true },
      ]),
      t: 'timestamp',
    })
    await inBatch(async (sql) => {
      const table = await sql.load(
        rowsToColumns(schema, [
          { w: { start: '2001-01-01T00:00:00Z', end: '2001-01-01T00:10:00Z' }, t: null },
          { w: null, t: '1969-12-31T23:59:59Z' },
        ]),
      )
      expect((await sql.measure(table, 0)).stats).toEqual({
        count: 2,
        minUs: 0n,
        maxUs: at('2001-01-01T00:10:00Z'),
        avgUs: Number(at('2001-01-01T00:10:00Z')) / 2,
      })
      expect((await sql.measure(table, 1)).stats).toEqual({ count: 2, minUs: -1_000_000n, maxUs: 0n, avgUs: -500_000 })
      const none = sql.fragment('SELECT * FROM ⟦0⟧ WHERE false', [table], schema)
      const measured = await sql.measure(none, 1)
      expect(measured.stats).toEqual({ count: 0, minUs: 0n, maxUs: 0n, avgUs: 0 })
      expect(await sql.rowSet(measured.relation).count()).toBe(0)
    })
  })
})

describe('row sets', () => {
  const schema = schemaOf({ a: 'long', s: 'string' })
  test('everything may be called more than once, and a query behind it runs once', async () => {
    for (const order of [
      ['count', 'toObjects', 'toColumns'],
      ['toColumns', 'count', 'toObjects'],
      ['toObjects', 'write', 'count', 'read'],
      ['count', 'write', 'toObjects', 'read'],
    ]) {
      await inBatch(async (sql) => {
        const rows = sql.rowSet(sql.fragment('SELECT (random() * 1e12)::BIGINT AS c0, NULL::VARCHAR AS c1 FROM range(3)', [], schema))
        let seen: unknown
        for (const step of order) {
          if (step === 'count') expect(await rows.count()).toBe(3)
          if (step === 'toColumns') expect((await rows.toColumns()).length).toBe(3)
          if (step === 'toObjects') {
            const now = plain(await rows.toObjects())
            expect(now).toEqual(seen ?? now)
            seen = now
          }
          if (step === 'write')
            await rows.writeFiles({ format: 'parquet', folder, fileName: () => `${order.join('')}.parquet`, partitionBy: [], options: {} })
          if (step === 'read') {
            const written = join(folder, `${order.join('')}.parquet`)
            expect(await read('parquet', [{ path: written, sizeBytes: 1, modifiedMs: 0 }], schema)).toEqual(seen)
          }
        }
      })
    }
  })
  test('consume computes every column', async () => {
    await inBatch(async (sql) => {
      const rows = sql.fragment(
        `SELECT i AS c0, CASE WHEN i = 5 THEN error('[DIVIDE_BY_ZERO] division by zero') ELSE 'x' END AS c1 FROM range(9) r(i)`,
        [],
        schema,
      )
      await expect(sql.rowSet(rows).consume()).rejects.toMatchObject({ code: 'DIVIDE_BY_ZERO', what: 'division by zero' })
    })
  })
  test('consume knows the number of rows afterwards', async () => {
    await inBatch(async (sql) => {
      const rows = sql.rowSet(sql.fragment('SELECT i AS c0, NULL::VARCHAR AS c1 FROM range(9) r(i) WHERE i > 2', [], schema))
      await rows.consume()
      expect(await rows.count()).toBe(6)
    })
  })
  test('rows that were consumed are not computed again for nothing', async () => {
    await inBatch(async (sql) => {
      const relation = sql.fragment(`SELECT nextval('runs') AS c0, NULL::VARCHAR AS c1`, [], schema)
      await (sql as SqlBatchRun).session.run('CREATE TEMP SEQUENCE runs')
      const rows = sql.rowSet(relation)
      await rows.consume()
      await rows.consume()
      const [next] = await sql.rowSet(sql.fragment(`SELECT nextval('runs') AS c0, NULL::VARCHAR AS c1`, [], schema)).toObjects()
      expect(next).toMatchObject({ [schema.names[0]!]: 2n })
    })
  })
  test('nothing runs after the batch has ended', async () => {
    const rows = await inBatch(async (sql) => sql.rowSet(sql.fragment('SELECT 1::BIGINT AS c0, NULL::VARCHAR AS c1', [], schema)))
    await expect(rows.count()).rejects.toThrow(/ended/)
  })
})

describe('writing files', () => {
  const schema = schemaOf({ a: 'long', s: 'string', t: 'timestamp', d: 'double' })
  const rows = [
    { a: 1, s: 'x', t: '2001-01-01T00:00:00.123456Z', d: 1.5 },
    { a: null, s: '', t: null, d: Number.NaN },
    { a: 3, s: ' a"b,\\c\nd ', t: '1969-12-31T23:59:59Z', d: -0.25 },
  ]
  const write = (
    format: FileFormat,
    options: Record<string, string> = {},
    partitionBy: string[] = [],
    of: Schema = schema,
    some: readonly Row[] = rows,
  ) =>
    inBatch(async (sql) =>
      sql
        .rowSet(await sql.load(rowsToColumns(of, some)))
        .writeFiles({ format, folder, fileName: (i) => `part-${i}.${format}`, partitionBy, options }),
    )
  const written = (path: string) => readFileSync(join(folder, path), 'utf8')

  test('JSON leaves nulls out and writes times with a zone', async () => {
    const files = await write('json')
    expect(files).toEqual([{ path: 'part-0.json', numRows: 3, sizeBytes: readFileSync(join(folder, 'part-0.json')).length }])
    expect(written('part-0.json')).toBe(
      [
        '{"a":1,"s":"x","t":"2001-01-01T00:00:00.123Z","d":1.5}',
        '{"s":"","d":"NaN"}',
        '{"a":3,"s":" a\\"b,\\\\c\\nd ","t":"1969-12-31T23:59:59.000Z","d":-0.25}',
        '',
      ].join('\n'),
    )
    await write('json', { ignoreNullFields: 'false' }, [], schemaOf({ a: 'long', s: 'string' }), [{ a: null, s: null }])
    expect(written('part-0.json')).toBe('{"a":null,"s":null}\n')
  })
  test('JSON of nested values comes back as it was', async () => {
    const inner = struct([
      { name: 'x "q"', type: 'int', nullable: true },
      { name: 'y', type: 'string', nullable: true },
    ])
    const nested = schemaOf({
      s: inner,
      l: { kind: 'array', element: inner, containsNull: true },
      m: { kind: 'map', key: 'string', value: { kind: 'array', element: 'int', containsNull: true }, valueContainsNull: true },
      b: 'binary',
      y: 'date',
      z: 'boolean',
      v: { kind: 'decimal', precision: 30, scale: 3 },
    })
    const some = [
      {
        s: { 'x "q"': 1, y: null },
        l: [{ 'x "q"': null, y: 'é' }, null],
        m: new Map([
          ['k"', [1, null]],
          ['n', null],
        ]),
        b: Uint8Array.of(1, 2),
        y: '2001-02-03',
        z: true,
        v: '1.230',
      },
      { s: null, l: [], m: new Map(), b: null, y: null, z: null, v: null },
    ]
    await write('json', {}, [], nested, some)
    expect(written('part-0.json').split('\n')[0]).toBe(
      '{"s":{"x \\"q\\"":1},"l":[{"y":"é"},null],"m":{"k\\"":[1,null],"n":null},"b":"AQI=","y":"2001-02-03","z":true,"v":1.230}',
    )
    expect(await read('json', [{ path: join(folder, 'part-0.json'), sizeBytes: 1, modifiedMs: 0 }], nested)).toEqual(
      plain(some.map((row) => ({ ...row, m: row.m, v: row.v }))),
    )
  })
  test('CSV, with and without a header, and read again', async () => {
    await write('csv', { header: 'true', ignoreLeadingWhiteSpace: 'false', ignoreTrailingWhiteSpace: 'false' })
    expect(written('part-0.csv').split('\n')[0]).toBe('a,s,t,d')
    const source = [{ path: join(folder, 'part-0.csv'), sizeBytes: 1, modifiedMs: 0 }]
    // a record ends with its line, also within quotes
    await expect(read('csv', source, schema, { header: 'true', mode: 'FAILFAST' })).rejects.toMatchObject({
      code: 'MALFORMED_RECORD_IN_PARSING',
    })
    expect(await read('csv', source, schema, { header: 'true', multiLine: 'true' })).toEqual([
      [1, 'x', '2001-01-01T00:00:00.123Z', 1.5],
      [null, null, null, Number.NaN],
      [3, ' a"b,\\c\nd ', '1969-12-31T23:59:59Z', -0.25],
    ])
    await write('csv')
    expect(written('part-0.csv').split('\n')[0]).toBe('1,x,2001-01-01T00:00:00.123Z,1.5')
  })
  test('text is written as it is', async () => {
    await write('text', {}, [], schemaOf({ value: 'string' }), [{ value: 'a "b", c' }, { value: '' }, { value: null }, { value: '#d' }])
    expect(written('part-0.text')).toBe('a "b", c\n\n\n#d\n')
    await expect(write('text')).rejects.toMatchObject({ code: 'UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE' })
  })
  test.each(['snappy', 'none', 'gzip', 'zstd', 'LZ4', 'brotli'])('Parquet, %s', async (compression) => {
    const [file] = await write('parquet', { compression })
    expect(file).toMatchObject({ path: 'part-0.parquet', numRows: 3 })
    expect(await read('parquet', [{ path: join(folder, file!.path), sizeBytes: file!.sizeBytes, modifiedMs: 0 }], schema)).toEqual([
      [1, 'x', '2001-01-01T00:00:00.123456Z', 1.5],
      [null, '', null, Number.NaN],
      [3, ' a"b,\\c\nd ', '1969-12-31T23:59:59Z', -0.25],
    ])
    expect(await engine.inferSchema('parquet', [folder], {})).toEqual(schema)
  })
  test('an unknown codec is refused before anything is written', async () => {
    await expect(write('parquet', { compression: 'rar' })).rejects.toMatchObject({ code: 'INVALID_OPTION_VALUE' })
    expect(readdirSync(folder)).toEqual([])
  })
  test.each(['parquet', 'json', 'csv', 'text'] as const)('no rows, no files: %s', async (format) => {
    const one = schemaOf({ a: 'string' })
    expect(await write(format, { header: 'true' }, [], one, [])).toEqual([])
    await inBatch(async (sql) => {
      const none = sql.fragment('SELECT * FROM ⟦0⟧ WHERE c0 IS NULL', [await sql.load(rowsToColumns(one, [{ a: 'x' }]))], one)
      expect(
        await sql.rowSet(none).writeFiles({ format, folder, fileName: () => 'none', partitionBy: [], options: { header: 'true' } }),
      ).toEqual([])
    })
    expect(existsSync(join(folder, 'none'))).toBe(false)
  })
  test('two columns of one name are refused', async () => {
    const twice = new Schema([
      { name: 'a', type: 'long', nullable: true },
      { name: 'A', type: 'long', nullable: true },
    ])
    await expect(write('parquet', {}, [], twice, [])).rejects.toMatchObject({ code: 'COLUMN_ALREADY_EXISTS' })
  })
  test('partitions: a file each, folders as Hive names them, read back by scan', async () => {
    const of = schemaOf({ p: 'string', q: 'long', v: 'long' })
    const values = ['plain', 'a/b:c=d%', null, '', 'ü x', '*[1]?']
    const some = Array.from({ length: 60 }, (_, i) => ({ p: values[i % 6]!, q: i % 2 === 0 ? i % 4 : null, v: i }))
    const files = await write('parquet', {}, ['p', 'q'], of, some)
    expect(files.map((file) => file.path.split('/').slice(0, 2).join('/')).sort()).toEqual([
      'p=%2A%5B1%5D%3F/q=__HIVE_DEFAULT_PARTITION__',
      'p=__HIVE_DEFAULT_PARTITION__/q=0',
      'p=__HIVE_DEFAULT_PARTITION__/q=2',
      'p=__HIVE_DEFAULT_PARTITION__/q=__HIVE_DEFAULT_PARTITION__',
      'p=a%2Fb%3Ac%3Dd%25/q=__HIVE_DEFAULT_PARTITION__',
      'p=plain/q=0',
      'p=plain/q=2',
      'p=ü x/q=0',
      'p=ü x/q=2',
    ])
    expect(new Set(files.map((file) => file.path.split('/')[2])).size).toBe(files.length)
    expect(files.reduce((sum, file) => sum + file.numRows, 0)).toBe(60)
    const back = (await inBatch(async (sql) =>
      plain(await sql.rowSet(await sql.scan({ kind: 'scan', format: 'parquet', options: {}, paths: [folder], schema: of })).toObjects()),
    )) as number[][]
    const expected = some.map(({ p, q, v }) => [p === '' ? null : p, q, v])
    expect(back.sort((a, b) => a[2]! - b[2]!)).toEqual(expected)
  })
  test.each(['parquet', 'json', 'csv'] as const)('a partition of the text that stands for null elsewhere: %s', async (format) => {
    const of = schemaOf({ p: 'string', v: 'long' })
    const some = ['__HIVE_DEFAULT_PARTITION__', null].map((p, v) => ({ p, v }))
    const files = await write(format, {}, ['p'], of, some)
    expect(files.map((file) => file.path.split('/')[0]).sort()).toEqual(['p=%5F_HIVE_DEFAULT_PARTITION__', 'p=__HIVE_DEFAULT_PARTITION__'])
    const back = await inBatch(async (sql) =>
      plain(await sql.rowSet(await sql.scan({ kind: 'scan', format, options: {}, paths: [folder], schema: of })).toObjects()),
    )
    expect((back as unknown[][]).sort((a, b) => Number(a[1]) - Number(b[1]))).toEqual(some.map(({ p, v }) => [p, v]))
  })
  test('partitions by what is not there, by all, or by a nested column', async () => {
    await expect(write('parquet', {}, ['nope'])).rejects.toMatchObject({ code: 'COLUMN_NOT_FOUND' })
    await expect(write('parquet', {}, ['a', 's', 't', 'd'])).rejects.toMatchObject({ code: 'ALL_PARTITION_COLUMNS_NOT_ALLOWED' })
  })
})

describe('scans of folders', () => {
  const schema = schemaOf({ a: 'long' })
  const scanWith = (options: Record<string, string>, ...paths: string[]) =>
    inBatch(async (sql) =>
      (plain(await sql.rowSet(await sql.scan({ kind: 'scan', format: 'json', options, paths, schema })).toObjects()) as number[][]).map(
        ([a]) => a,
      ),
    )
  const scan = (...paths: string[]) => scanWith({}, ...paths)
  test('folders, patterns, and names that are hidden', async () => {
    for (const name of ['in/1.json', 'in/2.json', 'in/sub/3.json', 'in/_4.json', 'in/.5.json', 'in/_tmp/6.json', 'other/7.json'])
      file(name, `{"a":${/\d/.exec(name)![0]}}\n`)
    expect(await scan(join(folder, 'in'))).toEqual([1, 2])
    expect(await scanWith({ recursiveFileLookup: 'true' }, join(folder, 'in'))).toEqual([1, 2, 3])
    expect(await scan(`file://${join(folder, 'in/')}`)).toEqual([1, 2])
    expect(await scan(join(folder, 'in/[1-2].json'), join(folder, '{in,other}/?.json'))).toEqual([1, 2, 7])
    expect(await scan(join(folder, '*'))).toEqual([1, 2, 7])
    await expect(scan(join(folder, 'nope'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
    await expect(scan(join(folder, 'nope*'))).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' })
  })
  test('a folder with _spark_metadata gives the files of its log, and no others', async () => {
    const entry = (name: string, action = 'add') =>
      JSON.stringify({
        path: `file://${join(folder, 'out', name).replaceAll(' ', '%20')}`,
        size: 8,
        isDir: false,
        modificationTime: 1,
        blockReplication: 1,
        blockSize: 1,
        action,
      })
    for (const name of ['a b', 'b', 'c', 'litter', 'old', 'e']) file(`out/${name}.json`, `{"a":${name.charCodeAt(0)}}\n`)
    file('out/_spark_metadata/0', `v1\n${entry('old.json')}`)
    file('out/_spark_metadata/9.compact', `v1\n${entry('a b.json')}\n${entry('b.json')}`)
    file('out/_spark_metadata/10', `v1\n${entry('c.json')}\n${entry('b.json', 'delete')}`)
    file('out/_spark_metadata/11', `v1\n${entry('e.json')}\n`)
    expect(await scan(join(folder, 'out'))).toEqual([97, 99, 101])
    file('new/litter.json', '{"a":1}\n')
    mkdirSync(join(folder, 'new/_spark_metadata'))
    expect(await scan(join(folder, 'new'))).toEqual([])
    file('out/_spark_metadata/12', 'v1\n{"path":')
    await expect(scan(join(folder, 'out'))).rejects.toMatchObject({ name: 'CorruptCheckpointError' })
    file('out/_spark_metadata/12', 'v2\n')
    await expect(scan(join(folder, 'out'))).rejects.toMatchObject({ name: 'CorruptCheckpointError' })
  })
  test('a stream over partitioned folders has their columns', async () => {
    const of = schemaOf({ day: 'date', a: 'long' })
    const files = [file('in/day=2001-01-02/x.json', '{"a":1}\n'), file('in/day=2001-01-03/x.json', '{"a":2,"day":"1999-01-01"}\n')]
    expect(await read('json', files, of, { path: join(folder, 'in') })).toEqual([
      ['2001-01-02', 1],
      ['2001-01-03', 2],
    ])
  })
  test('a format that is no file format', async () => {
    await expect(inBatch((sql) => sql.scan({ kind: 'scan', format: 'avro', options: {}, paths: [folder], schema }))).rejects.toMatchObject({
      code: 'DATA_SOURCE_NOT_FOUND',
    })
  })
})

describe('errors', () => {
  const schema = schemaOf({ a: 'long' })
  const fails = (select: string) =>
    inBatch(async (sql) => sql.rowSet(sql.fragment(select, [], schema)).toObjects()).then(
      () => undefined,
      (error: unknown) => error,
    )
  test.each([
    [`SELECT CAST(x AS BIGINT) AS c0 FROM (VALUES ('zz')) t(x)`, 'CAST_INVALID_INPUT', 'InvalidQueryError'],
    [`SELECT x + 9223372036854775807 AS c0 FROM range(5) r(x)`, 'ARITHMETIC_OVERFLOW', 'InvalidQueryError'],
    [`SELECT CAST(x AS TINYINT)::BIGINT AS c0 FROM range(300) r(x)`, 'ARITHMETIC_OVERFLOW', 'InvalidQueryError'],
    [`SELECT error('[DIVIDE_BY_ZERO] Division by zero')::BIGINT AS c0`, 'DIVIDE_BY_ZERO', 'InvalidQueryError'],
    [`SELECT a AS c0 FROM read_json('/nowhere/x[*].json', columns = {a: 'BIGINT'})`, 'FILE_NOT_EXIST', 'UnavailableError'],
    [`SELECT c7 AS c0`, 'INTERNAL_ERROR', 'InternalError'],
    [`SELEC 1`, 'INTERNAL_ERROR', 'InternalError'],
  ])('%s', async (select, code, name) => {
    expect(await fails(select)).toMatchObject({ code, name })
  })
  test('a file that vanished is named', async () => {
    const path = join(folder, 'gone [1].json')
    await expect(read('json', [{ path, sizeBytes: 9, modifiedMs: 0 }], schema)).rejects.toMatchObject({
      code: 'FILE_NOT_EXIST',
      what: expect.stringContaining(path),
    })
  })
  test('too little memory is said so', async () => {
    const small = await SqlEngine.open({ files: new LocalFiles(), threads: 1, memoryLimitBytes: 20_000_000 })
    const batch = await small.beginBatch({ batchTimestampMs: 0, salt: '' })
    await expect(
      batch.materialize(batch.fragment('SELECT i AS c0 FROM range(20000000) r(i) ORDER BY hash(i)', [], schema)),
    ).rejects.toMatchObject({ code: 'OUT_OF_MEMORY' })
    await small.close()
  })
})

test('batches run side by side, each on its own connection, and statements of one in order', async () => {
  const schema = schemaOf({ a: 'long' })
  await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      inBatch(async (sql) => {
        const source = await sql.load(
          rowsToColumns(
            schema,
            Array.from({ length: 5000 }, (_, i) => ({ a: i * n })),
          ),
        )
        const sets = await Promise.all(
          [1, 2, 3, 4].map((k) => sql.rowSet(sql.fragment(`SELECT sum(c0)::BIGINT * ${k} AS c0 FROM ⟦0⟧`, [source], schema)).toObjects()),
        )
        expect(plain(sets.flat())).toEqual([1, 2, 3, 4].map((k) => [((4999 * 5000) / 2) * n * k]))
      }),
    ),
  )
})

test('small batches that many statements read at once, in place', async () => {
  const schema = schemaOf({ a: 'long', s: 'string' })
  await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      inBatch(async (sql) => {
        for (let round = 0; round < 10; round++) {
          const batch = rowsToColumns(
            schema,
            Array.from({ length: 1000 + round * 300 }, (_, i) => ({ a: i + n, s: `a string of its own ${i}` })),
          )
          const loaded = await sql.source(`s${round}`, { kind: 'columns', batches: [batch, batch] }, schema)
          const joined = sql.fragment('SELECT x.c0, y.c1 FROM ⟦0⟧ x JOIN ⟦0⟧ y ON x.c0 = y.c0', [loaded], schema)
          expect(await sql.rowSet(joined).count()).toBe(batch.length * 4)
        }
      }),
    ),
  )
})
test('what fails while rows are read in place is the error of the statement, and the batch goes on', async () => {
  const schema = schemaOf({ s: 'string' })
  const bad = {
    schema,
    length: 1,
    columns: [{ kind: 'bytes', type: 'string', offsets: Uint32Array.of(0, 20), heap: new Uint8Array(20).fill(0xff), valid: null }],
  } as const
  await inBatch(async (sql) => {
    const loaded = await sql.load(bad)
    const read = sql.fragment('SELECT c0 FROM ⟦0⟧', [loaded], schema)
    await expect(sql.rowSet(read).toObjects()).rejects.toMatchObject({
      code: 'INVALID_UTF8_STRING',
      what: expect.stringContaining('column s'),
    })
    expect(plain(await sql.rowSet(sql.fragment(`SELECT 'x' AS c0`, [], schema)).toObjects())).toEqual([['x']])
  })
})

describe('schemas read from files', () => {
  test('JSON gives sorted names, and text where text stands', async () => {
    file('a.json', '{"b":1,"a":"2001-01-01","c":{"x":1.5},"d":[true]}\n')
    expect((await engine.inferSchema('json', [folder], {})).fields.map(({ name, type }) => [name, type])).toEqual([
      ['a', 'string'],
      ['b', 'long'],
      ['c', struct([{ name: 'x', type: 'double', nullable: true }])],
      ['d', { kind: 'array', element: 'boolean', containsNull: true }],
    ])
  })
  test('CSV', async () => {
    file('a.csv', 'n,s\n1,x\n')
    expect(
      (await engine.inferSchema('csv', [folder], { header: 'true', inferSchema: 'true' })).fields.map(({ name, type }) => [name, type]),
    ).toEqual([
      ['n', 'long'],
      ['s', 'string'],
    ])
    expect((await engine.inferSchema('csv', [folder], {})).names).toEqual(['_c0', '_c1'])
  })
  test('no files', async () => {
    await expect(engine.inferSchema('json', [folder], {})).rejects.toMatchObject({ code: 'UNABLE_TO_INFER_SCHEMA' })
  })
})

describe('rows of a store', () => {
  const rowCount = 5000
  function pooled(): ColumnBatch {
    const data = rowMemory.array(BigInt64Array, rowCount)
    for (let i = 0; i < rowCount; i++) data[i] = BigInt(i)
    return { schema: schemaOf({ n: 'long' }), length: rowCount, columns: [{ kind: 'fixed', type: 'long', data, valid: null }] }
  }
  const dataOf = ({ columns: [column] }: ColumnBatch) => (column as FixedColumn).data

  test('leave their memory to the rows of a later batch', async () => {
    const rows = pooled()
    const counted = await inBatch(async (batch) => batch.rowSet(await batch.loadOwn(rows)).count())
    expect(counted).toBe(rowCount)
    expect(dataOf(rows)).toHaveLength(0)
    expect(rowMemory.array(BigInt64Array, rowCount)[rowCount - 1]).toBe(BigInt(rowCount - 1))
  })

  test.each<[string, (batch: SqlBatch, relation: Relation) => Promise<ColumnBatch>]>([
    ['toColumns', (batch, relation) => batch.rowSet(relation).toColumns()],
    [
      'chunks',
      async (batch, relation) => {
        for await (const chunk of batch.rowSet(relation).chunks()) return chunk
        throw new Error('there are rows')
      },
    ],
    ['columnsAt', (batch, relation) => batch.columnsAt(relation, [0])],
  ])('whoever got them by %s may keep them', async (_, get) => {
    const kept = await inBatch(async (batch) => get(batch, await batch.loadOwn(pooled())))
    const next = rowMemory.array(BigInt64Array, rowCount)
    expect(next.buffer).not.toBe(dataOf(kept).buffer)
    expect(dataOf(kept)[rowCount - 1]).toBe(BigInt(rowCount - 1))
  })
})
