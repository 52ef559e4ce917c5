// Malformed records of JSON and CSV: what Spark 4.2.0 gave for the same files, the counts in progress, and the error of FAILFAST.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { millrace, t } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { useInputFolders } from './input-folder.ts'

const engine = useEngine()
const newFolder = useInputFolders()

type Options = Record<string, string | boolean>
async function read(format: 'json' | 'csv', content: string | Uint8Array, schema: string, options: Options = {}, name?: string) {
  const folder = await newFolder()
  await folder.add(content as string, name ?? `a.${format}`)
  const rows = await engine().read.schema(schema).options(options)[format](folder.path).collect()
  return rows.map((row) => Object.values(row))
}
/** Runs a stream over the folder to its end; gives its rows and the sums of its progress. */
async function stream(format: 'json' | 'csv', path: string, schema: string, options: Options, name: string) {
  const query = await engine()
    .readStream.schema(schema)
    .options(options)
    [format](path)
    .writeStream.format('memory')
    .queryName(name)
    .trigger({ availableNow: true })
    .start()
  await query.awaitTermination()
  const sum = (key: string) => query.recentProgress.reduce((all, each) => all + Number(each.sources[0]!.metrics[key] ?? 0), 0)
  return {
    rows: engine()
      .memoryTable(name)
      .map((row) => Object.values(row)),
    input: query.recentProgress.reduce((all, each) => all + each.numInputRows, 0),
    corrupt: sum('numCorruptRecords'),
    dropped: sum('numDroppedRecords'),
  }
}

const schema = 'a int, b string, _corrupt_record string'
const lines = [
  '{"a":1,"b":"x"}',
  '{"a":"zz","b":"y"}',
  '{bad',
  '',
  '   ',
  '[1,2]',
  '"str"',
  '17',
  '{"a":null,"b":{"c":1}}',
  '{"a":3,"b":"q"} trailing',
  '{"a":4,"a":5}',
  '[{"a":6},{"a":7}]',
  '{}',
  '{"a":99999999999}',
  '{"a":3,"b":"x"',
].join('\n')
const permissive = [
  [1, 'x', null],
  [null, 'y', '{"a":"zz","b":"y"}'],
  [null, null, '{bad'],
  [null, null, '[1,2]'],
  [null, null, '"str"'],
  [null, null, '17'],
  [null, '{"c":1}', null],
  [3, 'q', null],
  [5, null, null],
  [6, null, null],
  [7, null, null],
  [null, null, null],
  [null, null, '{"a":99999999999}'],
  [null, null, '{"a":3,"b":"x"'],
]

test('json, PERMISSIVE: the column of corrupt records has the raw text, and the rest of a record stays', async () => {
  expect(await read('json', lines, schema)).toEqual(permissive)
  expect(await read('json', lines, 'a int, b string')).toEqual(permissive.map((row) => row.slice(0, 2)))
  const renamed = await read('json', lines, 'a int, bad string', { columnNameOfCorruptRecord: 'bad' })
  expect(renamed).toEqual(permissive.map((row) => [row[0], row[2]]))
  await expect(read('json', lines, 'a int, x int', { columnNameOfCorruptRecord: 'x' })).rejects.toThrow(/INVALID_CORRUPT_RECORD_TYPE/)
})

test('json: an array without elements is no record, in every mode, also where nothing else is wrong in the file', async () => {
  const content = '{"a":1}\n[]\n{"a":2}\n [ ] \n'
  for (const mode of ['PERMISSIVE', 'DROPMALFORMED', 'FAILFAST'])
    expect(await read('json', content, 'a int', { mode }), mode).toEqual([[1], [2]])
})

test('json, DROPMALFORMED and FAILFAST', async () => {
  const kept = permissive.filter((row) => row[2] === null)
  expect(await read('json', lines, schema, { mode: 'DROPMALFORMED' })).toEqual(kept)
  expect(await read('json', lines, 'a int, b string', { mode: 'dropmalformed' })).toEqual(kept.map((row) => row.slice(0, 2)))
  await expect(read('json', lines, schema, { mode: 'FAILFAST' })).rejects.toThrow(
    /MALFORMED_RECORD_IN_PARSING.*a\.json has a malformed record in line 2: \{"a":"zz","b":"y"\}/s,
  )
  expect(await read('json', '{"a":1}\n', schema, { mode: 'FAILFAST' })).toEqual([[1, null, null]])
})

test('json: rows in = rows out + dropped, in every mode, and progress counts them', async () => {
  const folder = await newFolder()
  await folder.add('{"a":1}\n{"a":2}\n', '1.json')
  await folder.add(lines, '2.json')
  const kept = await stream('json', folder.path, schema, { maxFilesPerTrigger: '1' }, 'kept')
  expect([kept.rows.length, kept.input, kept.corrupt, kept.dropped]).toEqual([16, 16, 7, 0])
  expect(kept.rows).toEqual([[1, null, null], [2, null, null], ...permissive])
  const dropped = await stream('json', folder.path, schema, { maxFilesPerTrigger: '1', mode: 'DROPMALFORMED' }, 'dropped')
  expect([dropped.rows.length, dropped.input, dropped.corrupt, dropped.dropped]).toEqual([9, 9, 0, 7])
  // the same rows however the files fall into batches
  const once = await stream('json', folder.path, schema, {}, 'once')
  expect([once.rows, once.corrupt]).toEqual([kept.rows, 7])
  await expect(stream('json', folder.path, schema, { mode: 'FAILFAST' }, 'fast')).rejects.toThrow(
    /2\.json has a malformed record in line 2/,
  )
})

test('json: nested values, times and decimals', async () => {
  const nested = 's struct<x:int,y:int>, z array<int>, m map<string,int>, _corrupt_record string'
  const text = '{"s":{"x":"bad","y":2},"z":[1,"k",3],"m":{"p":1}}'
  const [[s, z, m, raw]] = (await read('json', text, nested)) as [[unknown, unknown, Map<string, number>, string]]
  expect([s, z, [...m], raw]).toEqual([{ x: null, y: 2 }, null, [['p', 1]], text])
  expect(await read('json', '{"s":5,"z":7,"m":8}', nested)).toEqual([[null, null, null, '{"s":5,"z":7,"m":8}']])
  const times = '{"d":"2020-13-01","t":"2020-01-01 10:00:00"}\n{"d":"2020-1-1","t":"x"}\n'
  const read2 = await read('json', times, 'd date, t timestamp, _corrupt_record string')
  expect(read2.map((row) => row.map((value) => (value === null ? null : String(value))))).toEqual([
    [null, '2020-01-01T10:00:00Z', '{"d":"2020-13-01","t":"2020-01-01 10:00:00"}'],
    ['2020-01-01', null, '{"d":"2020-1-1","t":"x"}'],
  ])
  expect((await read('json', '{"b":"aGk="}\n{"b":"!!"}\n', 'b binary, _corrupt_record string')).map((row) => row[1])).toEqual([
    null,
    '{"b":"!!"}',
  ])
  const bigs = await read('json', '{"l":9007199254740993,"c":"x"}\n{"l":9007199254740993,"c":1}\n', 'l long, c int')
  expect(bigs).toEqual([
    [9007199254740993n, null],
    [9007199254740993n, 1],
  ])
})

test.each<[string, Options, unknown[][]]>([
  ["{'a':1,'b':'it'}\n", {}, [[1, 'it', null]]],
  ["{'a':1,'b':'it'}\n", { allowSingleQuotes: false }, [[null, null, "{'a':1,'b':'it'}"]]],
  [
    '{"a":1/*c*/}\n{"a":2}//x\n',
    { allowComments: true },
    [
      [1, null, null],
      [2, null, null],
    ],
  ],
  ['{a:1,b:"it"}\n', { allowUnquotedFieldNames: true }, [[1, 'it', null]]],
  ['{a:1,b:"it"}\n', {}, [[null, null, '{a:1,b:"it"}']]],
  ['{"a":007}\n', { allowNumericLeadingZeros: true }, [[7, null, null]]],
  ['{"a":007}\n', {}, [[null, null, '{"a":007}']]],
  ['{"b":"\\q"}\n', { allowBackslashEscapingAnyCharacter: true }, [[null, 'q', null]]],
  ['{"b":"x\ty"}\n', {}, [[null, null, '{"b":"x\ty"}']]],
  ['{"b":"x\ty"}\n', { allowUnquotedControlChars: true }, [[null, 'x\ty', null]]],
  [
    '{"a":1}|{"a":2}',
    { lineSep: '|' },
    [
      [1, null, null],
      [2, null, null],
    ],
  ],
  ['\ufeff{"a":1}\n', {}, [[1, null, null]]],
  [
    '[{"a":1},\n{"a":2}]',
    { multiLine: true },
    [
      [1, null, null],
      [2, null, null],
    ],
  ],
  ['[{"a":1},\n{"a":]', { multiLine: true }, [[null, null, '[{"a":1},\n{"a":]']]],
  ['[{"a":1},\n{"a":]', { multiLine: true, mode: 'DROPMALFORMED' }, []],
])('json %j with %j', async (text, options, expected) => {
  expect(await read('json', text, schema, options)).toEqual(expected)
})

test('json: numbers that are none, bytes that are no text, and another encoding', async () => {
  const doubles = await read('json', '{"d":NaN}\n{"d":Infinity}\n{"d":"NaN"}\n{"d":-INF}\n', 'd double, _corrupt_record string')
  expect(doubles).toEqual([
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    [Number.NaN, null],
    [Number.NEGATIVE_INFINITY, null],
  ])
  const bytes = Uint8Array.from(Buffer.concat([Buffer.from('{"b":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n')]))
  expect(await read('json', bytes, schema)).toEqual([[null, null, '{"b":"\ufffd\ufffd"}']])
  expect(await read('json', Uint8Array.from(Buffer.from('{"b":"é"}\n', 'utf16le')), schema, { encoding: 'UTF-16LE' })).toEqual([
    [null, 'é', null],
  ])
  await expect(read('json', '{}', schema, { encoding: 'klingon' })).rejects.toThrow(/CHARSET.*klingon/s)
})

const csvSchema = 'a int, b string, c double, _corrupt_record string'
const csvText = '1,x,1.5\nzz,y,2\n3\n4,z,5,6,7\n\n , ,\n7,"q""r",1\n8,"un,1\n9,k,NaN\n10,"a\nb",2\n2147483648,o,1\n1.0,p,1e3\n'
const csvRows = [
  [1, 'x', 1.5, null],
  [null, 'y', 2, 'zz,y,2'],
  [3, null, null, '3'],
  [4, 'z', 5, '4,z,5,6,7'],
  [null, ' ', null, ' , ,'],
  [7, '"q""r"', 1, null],
  [8, 'un,1', null, '8,"un,1'],
  [9, 'k', Number.NaN, null],
  [10, 'a', null, '10,"a'],
  [null, '2', null, 'b",2'],
  [null, 'o', 1, '2147483648,o,1'],
  [null, 'p', 1000, '1.0,p,1e3'],
]

test('csv: PERMISSIVE, DROPMALFORMED, FAILFAST', async () => {
  expect(await read('csv', csvText, csvSchema)).toEqual(csvRows)
  expect(await read('csv', csvText, 'a int, b string, c double')).toEqual(csvRows.map((row) => row.slice(0, 3)))
  expect(await read('csv', csvText, csvSchema, { mode: 'DROPMALFORMED' })).toEqual(csvRows.filter((row) => row[3] === null))
  await expect(read('csv', csvText, csvSchema, { mode: 'FAILFAST' })).rejects.toThrow(
    /MALFORMED_RECORD_IN_PARSING.*a\.csv has a malformed record in line 2: zz,y,2/s,
  )
})

test('csv: rows in = rows out + dropped, and progress counts them', async () => {
  const folder = await newFolder()
  await folder.add('1,x,1\n2,y,2\n', '1.csv')
  await folder.add(csvText, '2.csv')
  const kept = await stream('csv', folder.path, csvSchema, { maxFilesPerTrigger: '1' }, 'csvKept')
  expect([kept.rows.length, kept.input, kept.corrupt, kept.dropped]).toEqual([14, 14, 9, 0])
  const dropped = await stream('csv', folder.path, csvSchema, { mode: 'DROPMALFORMED' }, 'csvDropped')
  expect([dropped.rows.length, dropped.input, dropped.corrupt, dropped.dropped]).toEqual([5, 5, 0, 9])
})

test.each<[string, Options, unknown[][]]>([
  [
    '1,"a\nb",2\n3,"c\r\nd",4\nx,y,z\n',
    { multiLine: true },
    [
      [1, 'a\nb', 2, null],
      [3, 'c\r\nd', 4, null],
      [null, 'y', null, 'x,y,z'],
    ],
  ],
  [
    '1,"a\\"b",1\n2,"a\\\\b",2\n3,a\\nb,3\n4,"a""b",4\n5,a"b"c,5\n6,"ab"cd,6\n7,\'x\',7\n',
    {},
    [
      [1, 'a"b', 1, null],
      [2, 'a\\b', 2, null],
      [3, 'a\\nb', 3, null],
      [4, '"a""b"', 4, null],
      [5, 'a"b"c', 5, null],
      [6, '"ab"cd', 6, null],
      [7, "'x'", 7, null],
    ],
  ],
  ['1,"a",1\n', { quote: '' }, [[1, '"a"', 1, null]]],
  [
    '1,,1\n2,"",2\n3,NULL,3\n,x,\n',
    {},
    [
      [1, null, 1, null],
      [2, null, 2, null],
      [3, 'NULL', 3, null],
      [null, 'x', null, null],
    ],
  ],
  [
    '1,NULL,1\n2,"NULL",2\n3,,3\n4,"",4\nNULL,x,NULL\n,x,\n',
    { nullValue: 'NULL' },
    [
      [1, null, 1, null],
      [2, null, 2, null],
      [3, null, 3, null],
      [4, '', 4, null],
      [null, 'x', null, null],
      [null, 'x', null, null],
    ],
  ],
  [
    '1,,1\n2,"",2\n',
    { emptyValue: 'EMPTY' },
    [
      [1, null, 1, null],
      [2, 'EMPTY', 2, null],
    ],
  ],
  [
    '1,x,NaN\n2,y,nan\n3,z,Inf\n4,w,-Inf\n5,v,foo\n6,u,Infinity\n',
    { nanValue: 'foo' },
    [
      [1, 'x', Number.NaN, null],
      [2, 'y', null, '2,y,nan'],
      [3, 'z', Number.POSITIVE_INFINITY, null],
      [4, 'w', Number.NEGATIVE_INFINITY, null],
      [5, 'v', Number.NaN, null],
      [6, 'u', Number.POSITIVE_INFINITY, null],
    ],
  ],
  [
    '1,x,PINF\n2,y,NINF\n3,z,NaN\n',
    { positiveInf: 'PINF', negativeInf: 'NINF' },
    [
      [1, 'x', Number.POSITIVE_INFINITY, null],
      [2, 'y', Number.NEGATIVE_INFINITY, null],
      [3, 'z', Number.NaN, null],
    ],
  ],
  [
    '#c\n1,x,1\n#2,y,2\n3,#z,3\n',
    { comment: '#' },
    [
      [1, 'x', 1, null],
      [3, '#z', 3, null],
    ],
  ],
  ['a,b,c\n1,x,1\n', { header: true }, [[1, 'x', 1, null]]],
  [
    '1,x,1|2,y,2',
    { lineSep: '|' },
    [
      [1, 'x', 1, null],
      [2, 'y', 2, null],
    ],
  ],
  ['1||x||1\n', { sep: '||' }, [[1, 'x', 1, null]]],
  [
    '1,x,1\n2,y',
    { header: false, mode: 'PERMISSIVE' },
    [
      [1, 'x', 1, null],
      [2, 'y', null, '2,y'],
    ],
  ],
])('csv %j with %j', async (text, options, expected) => {
  expect(await read('csv', text, csvSchema, options)).toEqual(expected)
})

test('csv: other encodings, bytes that are no text, whitespace, header names', async () => {
  const latin = Uint8Array.from(Buffer.from('1,é,1\n', 'latin1'))
  expect(await read('csv', latin, csvSchema, { encoding: 'ISO-8859-1' })).toEqual([[1, 'é', 1, null]])
  expect(await read('csv', latin, csvSchema)).toEqual([[1, '\ufffd', 1, null]])
  const trimmed = { ignoreLeadingWhiteSpace: true, ignoreTrailingWhiteSpace: true }
  expect(await read('csv', ' 1 , x , 1.5 \n', csvSchema, trimmed)).toEqual([[1, 'x', 1.5, null]])
  await expect(read('csv', 'a,B,z\n1,x,1\n', 'a int, b string, c double', { header: true, enforceSchema: false })).rejects.toThrow(
    /CSV_HEADER_COLUMN_MISMATCH/,
  )
  await expect(read('csv', '1', 'a int', { locale: 'de' })).rejects.toThrow(/INVALID_OPTION_VALUE.*locale/s)
  await expect(read('csv', '1', 'a int', {}, 'a.csv.bz2')).rejects.toThrow(/CODEC_NOT_AVAILABLE.*bzip2/s)
})

test('partition columns stay with records that were read a second way', async () => {
  const folder = await newFolder()
  await folder.add('{"a":1}\n{bad\n', 'day=2020-01-01/k=x/1.json')
  await folder.add('{"a":2}\n', 'day=2020-01-02/k=%3D/2.json')
  const rows = await engine()
    .read.schema({ a: t.int().nullable(), _corrupt_record: t.string().nullable(), day: t.date().nullable(), k: t.string().nullable() })
    .json(folder.path)
    .collect()
  expect(rows.map((row) => [row.a, row._corrupt_record, String(row.day), row.k])).toEqual([
    [1, null, '2020-01-01', 'x'],
    [null, '{bad', '2020-01-01', 'x'],
    [2, null, '2020-01-02', '='],
  ])
})

test.each([
  ['json', '{"id": 1, "cents": 5}\n{"id": 2, "cents": oops\n'],
  ['csv', '1,5\n2,oops\n'],
] as const)('%s: a filter on the column of corrupt records alone finds them, in batch and in a stream', async (format, text) => {
  const engine = await millrace.local()
  const folder = mkdtempSync(join(tmpdir(), 'millrace-corrupt-'))
  try {
    writeFileSync(join(folder, `a.${format}`), text)
    const schema = 'id int, cents int, _corrupt_record string'
    const table = engine.read.schema(schema)[format](folder) as any
    expect(await table.where('_corrupt_record is not null').count()).toBe(1)
    expect(await table.where('_corrupt_record is null').count()).toBe(1)
    const stream = engine.readStream.schema(schema)[format](folder) as any
    const query = await stream
      .where('_corrupt_record is not null')
      .writeStream.format('memory')
      .queryName(`bad_${format}`)
      .trigger({ availableNow: true })
      .start()
    await query.awaitTermination()
    expect(engine.memoryTable(`bad_${format}`)).toHaveLength(1)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    await engine.close()
  }
})

/** What Spark 4.2.0 gives where a query reads some columns, or fields of structs: those columns, whole structs, decide what is malformed. Null: it fails. */
const readSome: readonly [format: 'json' | 'csv', mode: string, columns: string, expected: readonly unknown[] | null][] = [
  ['json', 'FAILFAST', 'id', [1, 2]],
  ['json', 'FAILFAST', 'e.a', null],
  ['json', 'FAILFAST', 'e.at', null],
  ['json', 'FAILFAST', 'z', null],
  ['json', 'DROPMALFORMED', 'id', [1, 2]],
  ['json', 'DROPMALFORMED', 'e.a', [2]],
  ['json', 'DROPMALFORMED', 'e.at', [null]],
  ['json', 'DROPMALFORMED', 'z', [null]],
  ['json', 'DROPMALFORMED', 'e.a + id', [4]],
  ['csv', 'FAILFAST', 'id', [1, 2, 3]],
  ['csv', 'FAILFAST', 'b', null],
  ['csv', 'DROPMALFORMED', 'id', [1, 2, 3]],
  ['csv', 'DROPMALFORMED', 'b', [2, 3]],
  ['csv', 'DROPMALFORMED', 'z', [5, 3]],
  ['csv', 'DROPMALFORMED', 'id + z', [6, 6]],
]
test.each(readSome)('%s, %s: of %s what is read decides', async (format, mode, columns, expected) => {
  const folder = await newFolder()
  const json = '{"id":1,"e":{"a":1,"b":"x"}}\n{"id":2,"e":{"a":2,"b":2},"z":"q"}\n'
  await folder.add(format === 'json' ? json : '1,x,5\n2,2,q\n3,3,3\n', `a.${format}`)
  const schema = format === 'json' ? 'id int, e struct<a:int,b:int,at:timestamp>, z int' : 'id int, b int, z int'
  const batch = async () =>
    (await (engine().read.schema(schema).option('mode', mode)[format](folder.path) as any).selectExpr(columns).collect()).flatMap(
      Object.values,
    )
  const streamed = async () => {
    const rows: unknown[] = []
    const query = await (engine().readStream.schema(schema).option('mode', mode)[format](folder.path) as any)
      .selectExpr(columns)
      .writeStream.trigger({ availableNow: true })
      .foreachBatch(async (some: any) => void rows.push(...(await some.collect()).flatMap(Object.values)))
      .start()
    await query.awaitTermination()
    return rows
  }
  for (const run of [batch, streamed]) {
    if (expected === null) await expect(run()).rejects.toMatchObject({ code: 'MALFORMED_RECORD_IN_PARSING' })
    else expect(await run()).toEqual(expected)
  }
})
