// Options of file sources beyond those of FileStreamSourceSuite: cleaning up, missing files, binaryFile, formats that are refused.
import { existsSync } from 'node:fs'
import { readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { t } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { useInputFolders } from './input-folder.ts'

const engine = useEngine()
const newFolder = useInputFolders()

type Reader = ReturnType<ReturnType<typeof engine>['readStream']['option']>
/** Runs a text stream over the folder to its end and gives the rows of each batch with the last progress. */
async function drain(path: string, checkpoint: string, options: (reader: Reader) => Reader, during = async () => {}) {
  const batches: string[][] = []
  const query = await options(engine().readStream.option('maxFilesPerTrigger', 1))
    .text(path)
    .writeStream.trigger({ availableNow: true })
    .option('checkpointLocation', checkpoint)
    .foreachBatch(async (rows) => {
      const values = (await rows.collect()).map(({ value }) => value!)
      await during()
      batches.push(values)
    })
    .start()
  try {
    await query.awaitTermination()
  } finally {
    await query.stop()
  }
  return { batches, metrics: query.recentProgress.findLast((each) => !each.isIdle)?.sources[0]?.metrics ?? {} }
}

test('cleanSource=delete removes a file once its batch is committed and the next one is planned, and never before', async () => {
  const folder = await newFolder()
  for (const n of [1, 2, 3]) await folder.add(String(n), `${n}.txt`)
  const clean = (reader: Reader) => reader.option('cleanSource', 'delete')
  let seen = 0
  const failing = drain(folder.path, folder.beside('cp'), clean, async () => {
    if (++seen === 2) throw new Error('the sink fails')
  })
  await expect(failing).rejects.toThrow(/the sink fails/)
  // batch 0 is committed and batch 1 is planned: only the file of batch 0 may go
  expect((await readdir(folder.path)).sort()).toEqual(['2.txt', '3.txt'])
  const { batches, metrics } = await drain(folder.path, folder.beside('cp'), clean)
  expect(batches).toEqual([['2'], ['3']])
  expect(await readdir(folder.path)).toEqual(['3.txt'])
  expect(metrics['numFilesCleaned']).toBe('2')
  await folder.add('4', '4.txt')
  await drain(folder.path, folder.beside('cp'), clean)
  expect(await readdir(folder.path)).toEqual(['4.txt'])
})

test('cleanSource=archive moves files under their whole path, and one whose place is taken stays', async () => {
  const folder = await newFolder()
  const paths = [await folder.add('1', 'a=x/1.txt'), await folder.add('2', 'a=y/1.txt'), await folder.add('3', 'z.txt')]
  const archive = folder.beside('archive')
  const options = (reader: Reader) => reader.option('cleanSource', 'ARCHIVE').option('sourceArchiveDir', archive)
  const { batches, metrics } = await drain(folder.path, folder.beside('cp'), options)
  expect(batches).toEqual([['1'], ['2'], ['3']])
  expect(paths.map((path) => [existsSync(path), existsSync(join(archive, path))])).toEqual([
    [false, true],
    [false, true],
    [true, false],
  ])
  expect([metrics['numFilesCleaned'], metrics['numFilesNotCleaned']]).toEqual(['2', '0'])
})

test('cleanSource is refused where it can’t work', async () => {
  const folder = await newFolder()
  const read =
    (options: Record<string, string>, path = folder.path) =>
    () =>
      engine().readStream.options(options).text(path)
  expect(read({ cleanSource: 'move' })).toThrow(/INVALID_OPTION_VALUE.*archive, delete or off/s)
  expect(read({ cleanSource: 'archive' })).toThrow(/MISSING_OPTION.*sourceArchiveDir/s)
  for (const archive of [folder.path, join(folder.path, 'below'), folder.beside('.'), '/'])
    expect(read({ cleanSource: 'archive', sourceArchiveDir: archive }), archive).toThrow(/SOURCE_ARCHIVE_DIR_OVERLAPS/)
  expect(read({ cleanSource: 'archive', sourceArchiveDir: folder.beside('inner') }, folder.beside('i*'))).toThrow(/OVERLAPS/)
  expect(read({ cleanSource: 'archive', sourceArchiveDir: folder.beside('old') })).not.toThrow()
})

test('a file that is gone before its batch reads it stops the query by name, and the next start goes on when it is back; or it is ignored', async () => {
  const folder = await newFolder()
  const paths = [await folder.add('1', '1.txt'), await folder.add('2', '2.txt'), await folder.add('3', '3.txt')]
  // AvailableNow has listed all files before the first batch; while that runs, the second file goes
  const run = (checkpoint: string, ignore: boolean, vanish: boolean) =>
    drain(
      folder.path,
      folder.beside(checkpoint),
      (reader) => reader.option('ignoreMissingFiles', ignore),
      async () => {
        if (vanish) await rm(paths[1]!, { force: true })
      },
    )
  await expect(run('cp', false, true)).rejects.toThrow(/FILE_NOT_EXIST.*2\.txt/s)
  await writeFile(paths[1]!, '2')
  await utimes(paths[1]!, 1_700_000_002, 1_700_000_002)
  expect((await run('cp', false, false)).batches).toEqual([['2'], ['3']])
  const ignored = await run('cp2', true, true)
  expect(ignored.batches).toEqual([['1'], [], ['3']])
  expect(ignored.metrics['numMissingFilesIgnored']).toBe('1')
})

test('binaryFile: a row a file, streaming and batch, filtered by name', async () => {
  const folder = await newFolder()
  await folder.add('\u0000\u0001', 'k=1/a.bin', 1_700_000_000)
  await folder.add('no', 'k=1/b.txt')
  const stream = engine().readStream.option('pathGlobFilter', '*.bin').format('binaryFile').load(folder.path)
  expect(stream.schema.names).toEqual(['path', 'modificationTime', 'length', 'content'])
  const query = await stream.writeStream.format('memory').queryName('binary').trigger({ availableNow: true }).start()
  await query.awaitTermination()
  const rows = engine().memoryTable('binary') as { path: string; length: bigint; content: Uint8Array; modificationTime: object }[]
  expect(rows.map(({ path, length, content, modificationTime }) => [path, length, [...content], String(modificationTime)])).toEqual([
    [`file:${join(folder.path, 'k=1/a.bin')}`, 2n, [0, 1], '2023-11-14T22:13:20Z'],
  ])
  expect(query.recentProgress[0]!.numInputRows).toBe(1)
  const batch = await engine().read.option('pathGlobFilter', '*.bin').format('binaryFile').load(folder.path)
  const [row] = await batch.collect()
  expect([row!['length'], row!['k']]).toEqual([2n, 1])
  expect(() => engine().readStream.schema({ x: t.int() }).format('binaryFile').load(folder.path)).toThrow(/INVALID_SCHEMA/)
})

test('batch reads: modifiedBefore, modifiedAfter, pathGlobFilter, recursiveFileLookup', async () => {
  const folder = await newFolder()
  await folder.add('old', 'a.txt', 1_000_000_000)
  await folder.add('new', 'b.txt', 1_700_000_000)
  await folder.add('deep', 'sub/c.txt', 1_700_000_000)
  const read = async (options: Record<string, string | boolean>) =>
    (await engine().read.options(options).text(folder.path).collect()).map(({ value }) => value)
  expect(await read({})).toEqual(['old', 'new'])
  expect(await read({ recursiveFileLookup: true })).toEqual(['old', 'new', 'deep'])
  expect(await read({ modifiedBefore: '2010-01-01T00:00:00' })).toEqual(['old'])
  expect(await read({ modifiedAfter: '2010-01-01T00:00:00', pathGlobFilter: 'b*' })).toEqual(['new'])
  await expect(read({ modifiedBefore: 'yesterday' })).rejects.toThrow(/INVALID_OPTION_VALUE.*modifiedBefore/s)
  await expect(read({ modifyedBefore: '2010-01-01' })).rejects.toThrow(/UNKNOWN_OPTION.*did you mean "modifiedBefore"/s)
})

test('formats and options that are not there are refused with what to do', async () => {
  const folder = await newFolder()
  for (const format of ['orc', 'avro', 'xml']) {
    expect(() => engine().readStream.schema({ a: t.int() }).format(format).load(folder.path), format).toThrow(/DATA_SOURCE_NOT_FOUND/)
    await expect(engine().read.format(format).load(folder.path)).rejects.toThrow(/Parquet|text/)
  }
  expect(() => engine().readStream.schema({ a: t.int() }).option('maxColumns', 3).csv(folder.path)).toThrow(/UNSUPPORTED_OPTION.*schema/s)
  expect(() => engine().readStream.schema({ a: t.int() }).option('headr', true).csv(folder.path)).toThrow(/did you mean "header"/)
})

test('a folder p=null holds the text null, in every format, batch and stream', async () => {
  const texts = ['null', 'NULL', 'Null', null, 'other']
  for (const format of ['parquet', 'json', 'csv', 'text'] as const) {
    const folder = await newFolder()
    const path = folder.beside('table')
    const columns = { v: t.string().nullable(), p: t.string().nullable() }
    const rows = texts.map((p, i) => ({ v: `v${i}`, p }))
    await engine().createDataFrame(rows, columns).write.format(format).partitionBy('p').save(path)
    const read = engine().read.schema(columns).format(format).load(path)
    expect(await read.orderBy('v').collect(), format).toEqual(rows)
    expect(await read.where("p = 'NULL'").collect(), format).toEqual([rows[1]])
    expect(await read.where('p IS NULL').collect(), format).toEqual([rows[3]])
    const query = await engine()
      .readStream.schema(columns)
      .format(format)
      .load(path)
      .writeStream.format('memory')
      .queryName(`of_${format}`)
      .trigger({ availableNow: true })
      .start()
    await query.awaitTermination()
    expect(await engine().table(`of_${format}`).orderBy('v').collect(), format).toEqual(rows)
  }
})

test('text files have the columns of their folders where the schema names them', async () => {
  const folder = await newFolder()
  await folder.add('one\ntwo\n', 'day=1/a.txt')
  const columns = { day: t.int().nullable(), line: t.string().nullable() }
  expect(await engine().read.schema(columns).text(folder.path).collect()).toEqual([
    { day: 1, line: 'one' },
    { day: 1, line: 'two' },
  ])
  expect(() => engine().readStream.schema({ day: t.int() }).text(folder.path)).toThrow(/INVALID_SCHEMA.TEXT/)
  await expect(engine().read.schema({ a: t.string(), b: t.string() }).text(folder.path).collect()).rejects.toThrow(
    /UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE/,
  )
})

test('marks of CSV that can’t be written or told apart are refused, before DuckDB sees them', async () => {
  const columns = { a: t.string().nullable(), b: t.string().nullable() }
  const rows = [{ a: 'x', b: 'y' }]
  const refused = {
    read: [{ sep: '' }, { sep: '\n' }, { sep: '|||||' }, { sep: '"' }, { escape: ',' }, { comment: ',' }, { quote: 'é' }],
    write: [{ sep: '→' }, { sep: '||' }, { quote: '' }, { escape: '' }],
  }
  const folder = await newFolder()
  await folder.add('x||y\n', 'x.csv')
  for (const options of refused.read)
    await expect(engine().read.schema(columns).options(options).csv(folder.path).collect(), JSON.stringify(options)).rejects.toThrow(
      /INVALID_OPTION_VALUE/,
    )
  for (const options of [...refused.write, ...refused.read.filter((each) => !('comment' in each))])
    await expect(
      engine().createDataFrame(rows, columns).write.options(options).csv(folder.beside('out')),
      JSON.stringify(options),
    ).rejects.toThrow(/INVALID_OPTION_VALUE/)
  expect(await engine().read.schema(columns).option('sep', '||').csv(folder.path).collect()).toEqual(rows)
})

test('with a nullValue nulls, empty texts and its own text are read as Spark reads them', async () => {
  const columns = { a: t.int().nullable(), b: t.string().nullable() }
  const rows = [
    { a: 1, b: 'x' },
    { a: null, b: null },
    { a: 3, b: '' },
  ]
  for (const nullValue of ['NULL', '\\N', 'a,b', '"']) {
    const path = (await newFolder()).beside('table')
    await engine()
      .createDataFrame([...rows, { a: 4, b: nullValue }], columns)
      .write.option('nullValue', nullValue)
      .csv(path)
    const read = engine().read.schema(columns).option('nullValue', nullValue).csv(path)
    expect(await read.collect(), nullValue).toEqual([...rows, { a: 4, b: null }])
  }
})

test('partition columns have any name; files none without a name', async () => {
  for (const name of ['a"b', "a'b", 'a=b', 'a/b', 'a.b', '%', '{x}', 'é', 'a\\b']) {
    const path = (await newFolder()).beside('table')
    const columns = { v: t.int().nullable(), [name]: t.string().nullable() }
    const rows = ['null', null, 'x/y'].map((value, v) => ({ v, [name]: value }))
    await engine().createDataFrame(rows, columns).write.partitionBy(name).parquet(path)
    expect(await engine().read.schema(columns).parquet(path).orderBy('v').collect(), name).toEqual(rows)
    expect(await (await engine().read.parquet(path)).orderBy('v').collect(), name).toEqual(rows)
  }
  const unnamed = engine().createDataFrame([{ '': 1 }], { '': t.int() })
  const path = (await newFolder()).beside('table')
  await expect(unnamed.write.json(path)).rejects.toThrow(/EMPTY_COLUMN_NAME/)
  await expect(
    engine()
      .read.schema({ '': t.int() })
      .json((await newFolder()).path)
      .collect(),
  ).rejects.toThrow(/EMPTY_COLUMN_NAME/)
  const long = engine().createDataFrame([{ v: 1, p: 'x'.repeat(300) }], { v: t.int(), p: t.string() })
  await expect(long.write.partitionBy('p').json(path)).rejects.toThrow(/FILE_NAME_TOO_LONG/)
})

test('files inside and outside of a partition’s folder are no table', async () => {
  const folder = await newFolder()
  await folder.add('{"v":1,"p":"a"}\n', 'a.json')
  await folder.add('{"v":2}\n', 'p=b/b.json')
  const columns = { v: t.int().nullable(), p: t.string().nullable() }
  const mixed = engine().read.schema(columns).json(folder.path)
  await expect(mixed.collect()).rejects.toThrow(/CONFLICTING_DIRECTORY_STRUCTURES.*p=b.*a\.json/s)
  expect(await engine().read.schema({ v: t.int().nullable() }).json(folder.path).orderBy('v').collect()).toEqual([{ v: 1 }, { v: 2 }])
})

test('partitions: what Spark finds in folders, by tables and streams', async () => {
  const [v, p, q] = [t.int().nullable(), t.string().nullable(), t.int().nullable()]
  /** The rows of a table and of a stream, which are the same, or the code of the error. */
  const read = async (files: readonly string[], fields: Record<string, unknown>, options = {}) => {
    const folder = await newFolder()
    for (const [i, name] of files.entries()) await folder.add(`{"v":${i}}\n`, name)
    const seen: object[] = []
    const stream = async () => {
      const query = await engine()
        .readStream.options(options)
        .schema(fields as { v: typeof v })
        .json(folder.path)
        .writeStream.trigger({ availableNow: true })
        .foreachBatch(async (rows) => void seen.push(...(await rows.collect())))
        .start()
      await query.awaitTermination()
      return seen
    }
    const table = () =>
      engine()
        .read.options(options)
        .schema(fields as { v: typeof v })
        .json(folder.path)
        .collect()
    const found = []
    for (const rows of [stream, table]) {
      const outcome = await rows().catch((error: { code: string }) => error.code)
      found.push(typeof outcome === 'string' ? outcome : outcome.map((row) => Object.values(row).join()).sort())
    }
    expect(found[0], files.join()).toEqual(found[1])
    return found[0]
  }
  expect(await read(['p=a/1', 'p=b%20c/2', '_x/3', '_4', '.5', '6._COPYING_'], { v, p })).toEqual(['0,a', '1,b c'])
  expect(await read(['_q=1/3'], { v, _q: q })).toEqual(['0,1'])
  expect(await read(['p=a/1', 'sub/2'], { v, p }, { recursiveFileLookup: true })).toEqual(['0,', '1,'])
  expect(await read(['p=a/sub/1', 'p=b/2', 'p=b/sub/sub/3'], { v, p })).toEqual(['0,a', '1,b', '2,b'])
  expect(await read(['sub/1', '2'], { v, p })).toEqual(['1,'])
  expect(await read(['p=1/1', 'r=1/2'], { v, p })).toBe('CONFLICTING_PARTITION_COLUMN_NAMES')
  expect(await read(['p=1/q=2/1', 'p=1/2'], { v, p, q })).toBe('CONFLICTING_PARTITION_COLUMN_NAMES')
  expect(await read(['q=abc/1'], { v, q })).toBe('INVALID_PARTITION_VALUE')
})

test('partitionBy a double: folders have the names that Spark gives them, and the values come back', async () => {
  const folder = await newFolder()
  const values = [1, -0, 1e20, 1e-7, 12345678.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const fields = { v: t.int().nullable(), p: t.double().nullable() }
  const output = folder.beside('doubles')
  const frame = engine().createDataFrame(
    values.map((p, v) => ({ v, p })),
    fields,
  )
  await frame.write.partitionBy('p').json(output)
  expect((await readdir(output)).filter((name) => name.startsWith('p=')).sort()).toEqual(
    ['-0.0', '-Infinity', '1.0', '1.0E-7', '1.0E20', '1.23456785E7', 'Infinity', 'NaN'].map((text) => `p=${text}`),
  )
  const found = await engine().read.schema(fields).json(output).orderBy('v').collect()
  expect(found.map(({ p }) => p)).toEqual(values)
})

test('partitions of tables whose schema is inferred', async () => {
  const read = async (...files: string[]) => {
    const folder = await newFolder()
    for (const name of files) await folder.add('{"v":1}\n', name)
    return (await engine().read.json(folder.path)).orderBy('p' as never).collect()
  }
  const values = async (...files: string[]) => (await read(...files.map((value) => `p=${value}/1`))).map((row) => String(row['p']))
  expect(await values('1e3', '5.')).toEqual(['5', '1000'])
  expect(await values('99999999999999999999', '1')).toEqual(['1', '99999999999999999999'])
  expect(await values('1.5', '2', 'NaN')).toEqual(['1.5', '2', 'NaN'])
  expect(await values('2020-01-01', '2020-01-01 10%3A00%3A00')).toEqual(['2020-01-01T00:00:00Z', '2020-01-01T10:00:00Z'])
  await expect(read('p=1/q=2/1', 'p=1/2')).rejects.toThrow(/CONFLICTING_PARTITION_COLUMN_NAMES/)
  await expect(read('p=1/1', '2')).rejects.toThrow(/CONFLICTING_DIRECTORY_STRUCTURES/)
})

test('a batch write into the output of a streaming query is refused, and changes nothing', async () => {
  const folder = await newFolder()
  await folder.add('{"v":1}\n', 'a.json')
  const out = folder.beside('out')
  const columns = { v: t.int().nullable() }
  const query = await engine()
    .readStream.schema(columns)
    .json(folder.path)
    .writeStream.trigger({ availableNow: true })
    .option('checkpointLocation', folder.beside('cp'))
    .format('json')
    .start(out)
  await query.awaitTermination()
  const rows = engine().createDataFrame([{ v: 2 }], columns)
  for (const mode of ['append', 'overwrite'] as const)
    await expect(rows.write.mode(mode).json(out), mode).rejects.toThrow(/SINK_OWNED_BY_ANOTHER_QUERY.*_spark_metadata/s)
  await rows.write.mode('ignore').json(out)
  expect(await engine().read.schema(columns).json(out).collect()).toEqual([{ v: 1 }])
})
