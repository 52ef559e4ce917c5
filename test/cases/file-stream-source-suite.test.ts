// What FileStreamSourceSuite of Spark 4.2.0 expects.
import { existsSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryStream, millrace, t } from 'millrace'
import {
  addData,
  assertOnQuery,
  awaitTermination,
  checkAnswer,
  checkLastBatch,
  checkNewAnswer,
  execute,
  startStream,
  stopStream,
  testStream,
} from 'millrace/testing'
import { expect, test } from 'vitest'
import { useEngine } from './harness.ts'
import { useInputFolders } from './input-folder.ts'

const engine = useEngine()
const newFolder = useInputFolders()
const keeping = (path: string) =>
  engine()
    .readStream.text(path)
    .where(({ value }) => value.contains('keep'))
const words = (...values: string[]) => values.map((value) => [value])

test('FileStreamSource schema: no path', () => {
  expect(() => engine().readStream.format('text').load()).toThrow(/path/)
})

test('FileStreamSource schema: path doesn’t exist (with schema) should throw exception', async () => {
  const folder = await newFolder()
  const rows = engine().readStream.schema({ value: t.int().nullable() }).json(join(folder.path, '1'))
  await expect(testStream(rows, [checkAnswer()])).rejects.toThrow(/PATH_NOT_FOUND/)
})

test('FileStreamSource schema: text has its own, or the one string column that is given', async () => {
  const folder = await newFolder()
  expect(engine().readStream.text(folder.path).schema.fields).toEqual([{ name: 'value', type: 'string', nullable: true }])
  expect(engine().readStream.schema({ userColumn: t.string().nullable() }).format('text').load(folder.path).schema.names).toEqual([
    'userColumn',
  ])
})

test('FileStreamSource schema: parquet and json, no schema', async () => {
  const folder = await newFolder()
  for (const format of ['parquet', 'json', 'csv']) expect(() => engine().readStream.format(format).load(folder.path)).toThrow(/schema/)
})

test('SPARK-28651: force streaming file source to be nullable', async () => {
  const folder = await newFolder()
  const rows = engine()
    .readStream.schema({ foo: t.long(), s: t.struct({ a: t.int() }) })
    .json(folder.path)
  expect(rows.schema.fields.map(({ nullable }) => nullable)).toEqual([true, true])
})

test('read from text files; fault tolerance', async () => {
  const folder = await newFolder()
  await testStream(keeping(folder.path), [
    folder.adding('drop1\nkeep2\nkeep3'),
    checkAnswer(...words('keep2', 'keep3')),
    stopStream(),
    folder.adding('drop4\nkeep5\nkeep6'),
    startStream(),
    checkAnswer(...words('keep2', 'keep3', 'keep5', 'keep6')),
    folder.adding('drop7\nkeep8\nkeep9'),
    checkAnswer(...words('keep2', 'keep3', 'keep5', 'keep6', 'keep8', 'keep9')),
  ])
})

test('SPARK-21996/SPARK-43343: file names with special characters', async () => {
  for (const special of [' ', '[', '[123]', '{a,b}', '*', '%20', '#', '?', 'ä']) {
    const folder = await newFolder()
    await testStream(keeping(folder.path), [
      folder.adding('drop1\nkeep2\nkeep3', `text${special}text`),
      checkAnswer(...words('keep2', 'keep3')),
    ])
  }
})

test('SPARK-21996/SPARK-43343: files that a sink wrote into a folder with special characters', async () => {
  for (const special of [' ', '[', '[123]']) {
    const folder = await newFolder()
    const input = new MemoryStream(engine(), { value: t.string() })
    input.addData({ value: 'foo' })
    const output = folder.beside(`text${special}text`)
    const query = await input.toDF().writeStream.option('checkpointLocation', folder.beside('checkpoint')).format('text').start(output)
    await query.processAllAvailable()
    await query.stop()
    await testStream(engine().readStream.text(output.replace('[', '\\[').replace(']', '\\]')), [checkAnswer(['foo'])])
  }
})

test('Option pathGlobFilter', async () => {
  const folder = await newFolder()
  await folder.add('foo', 'part-1.txt')
  await folder.add('bar', 'part-2.orc')
  await testStream(engine().readStream.option('pathGlobFilter', '*.txt').text(folder.path), [checkAnswer(['foo'])])
})

test('read from json files', async () => {
  const folder = await newFolder()
  const rows = engine()
    .readStream.schema({ value: t.string().nullable() })
    .json(folder.path)
    .where(({ value }) => value.contains('keep'))
  await testStream(rows, [
    folder.adding("{'value': 'drop1'}\n{'value': 'keep2'}\n{'value': 'keep3'}"),
    checkAnswer(...words('keep2', 'keep3')),
    stopStream(),
    folder.adding('{"value": "drop4"}\n{"value": "keep5"}\n{"value": "keep6"}'),
    startStream(),
    checkAnswer(...words('keep2', 'keep3', 'keep5', 'keep6')),
    folder.adding('{"value": "drop7"}\n{"value": "keep8"}\n{"value": "keep9"}'),
    checkAnswer(...words('keep2', 'keep3', 'keep5', 'keep6', 'keep8', 'keep9')),
  ])
})

test('reading from json files with changing schema', async () => {
  const folder = await newFolder()
  await folder.add('{"k": "value0"}')
  await folder.add('{"k": "value1", "v": "new"}')
  await testStream(engine().readStream.schema({ k: t.string().nullable() }).json(folder.path), [
    folder.adding('{"k": "value2"}'),
    checkAnswer(...words('value0', 'value1', 'value2')),
    folder.adding('{"k": "value3", "v": "new"}'),
    checkNewAnswer(['value3']),
    folder.adding('{"v": "value4"}'),
    checkNewAnswer([null]),
  ])
})

test('read from parquet files with changing schema', async () => {
  const folder = await newFolder()
  const write = async (rows: { k: string; v?: number }[]) => {
    const fields = { k: t.string(), ...(rows[0]!.v === undefined ? {} : { v: t.int() }) }
    await engine()
      .createDataFrame(rows, fields as never)
      .write.mode('append')
      .parquet(folder.path)
  }
  await write([{ k: 'value0' }])
  await write([{ k: 'value1', v: 0 }])
  await testStream(engine().readStream.schema({ k: t.string().nullable() }).parquet(folder.path), [
    execute('write', () => write([{ k: 'value2' }])),
    checkAnswer(...words('value0', 'value1', 'value2')),
    execute('write', () => write([{ k: 'value3', v: 1 }])),
    checkNewAnswer(['value3']),
  ])
})

test('read new files in nested directories with globbing', async () => {
  const folder = await newFolder()
  await testStream(keeping(`${folder.path}/*/*`), [
    folder.adding('drop1\nkeep2', 'subdir/1'),
    checkAnswer(['keep2']),
    folder.adding('keep3', 'subdir/2'),
    checkNewAnswer(['keep3']),
    folder.adding('keep4', 'subdir/subsubdir/3'),
    checkNewAnswer(['keep4']),
    folder.adding('keep5', 'subdir/subsubdir/4'),
    checkNewAnswer(['keep5']),
    folder.adding('keep6', '5'),
    folder.adding('keep7', 'subdir/subsubdir/subsubsubdir/6'),
    folder.adding('keep8', 'subdir/7'),
    checkNewAnswer(['keep8']),
  ])
})

for (const [how, globbing, basePath] of [
  ['with globbing, should not read partition data', true, false],
  ['without globbing, should read partition data', false, false],
  ['with globbing and basePath, should read partition data', true, true],
] as const) {
  test(`read new files in partitioned table ${how}`, async () => {
    const folder = await newFolder()
    const path = globbing ? `${folder.path}/*/*` : folder.path
    const rows = engine()
      .readStream.options(basePath ? { basePath: folder.path } : {})
      .schema({ value: t.string().nullable(), partition: t.string().nullable() })
      .json(path)
      .where(({ value }) => value.contains('keep'))
    const [foo, bar] = globbing && !basePath ? [null, null] : ['foo', 'bar']
    await testStream(rows, [
      folder.adding('{"value": "drop1"}\n{"value": "keep2"}', 'partition=foo/1'),
      checkAnswer(['keep2', foo]),
      folder.adding('{"value": "keep3"}', 'partition=foo/2'),
      checkNewAnswer(['keep3', foo]),
      folder.adding('{"value": "keep4"}', 'partition=bar/3'),
      checkNewAnswer(['keep4', bar]),
      folder.adding('{"value": "keep5"}', 'partition=bar/4'),
      checkNewAnswer(['keep5', bar]),
    ])
  })
}

test('read data from outputs of another streaming query, its log compacted in between; start before it', async () => {
  const folder = await newFolder()
  await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.fileSink.log.compactInterval': 3 } })
  const first = new MemoryStream(own, { value: t.string() })
  const add = (...values: string[]) => {
    first.addData(...values.map((value) => ({ value })))
    return writing.processAllAvailable()
  }
  let writing: Awaited<ReturnType<ReturnType<typeof own.readStream.text>['writeStream']['start']>>
  await testStream(
    own.readStream.text(folder.path).where(({ value }) => value.contains('keep')),
    [
      checkAnswer(),
      execute('the other query starts', async () => {
        writing = await first.toDF().writeStream.option('checkpointLocation', folder.beside('checkpoint')).format('text').start(folder.path)
      }),
      execute('batch 0', () => add('drop1', 'keep2')),
      checkAnswer(['keep2']),
      folder.adding('should_not_keep!!!'),
      execute('batch 1', () => add('keep3')),
      checkNewAnswer(['keep3']),
      execute('batch 2', () => add('keep4')),
      checkNewAnswer(['keep4']),
      execute('the other query stops', () => writing.stop()),
    ],
  )
})

for (const option of ['maxFilesPerTrigger', 'maxBytesPerTrigger']) {
  test(`${option}: two files of one byte each a batch`, async () => {
    const folder = await newFolder()
    const add = (...names: string[]) =>
      execute(`add ${names}`, async () => {
        for (const name of names) await folder.add(name, `${name}.txt`)
      })
    await testStream(engine().readStream.option(option, 2).text(folder.path), [
      add('a', 'b', 'c'),
      startStream(),
      checkNewAnswer(['a'], ['b'], ['c']),
      checkLastBatch(['c']),
      assertOnQuery('2 batches', (query) => expect(query.lastProgress!.batchId).toBe(1)),
      stopStream(),
      add('d', 'e', 'f', 'g'),
      startStream(),
      checkNewAnswer(['d'], ['e'], ['f'], ['g']),
      checkLastBatch(['f'], ['g']),
      assertOnQuery('2 more', (query) => expect(query.lastProgress!.batchId).toBe(3)),
      stopStream(),
      add('h', 'i', 'j', 'k', 'l'),
      startStream(),
      checkNewAnswer(['h'], ['i'], ['j'], ['k'], ['l']),
      checkLastBatch(['l']),
      assertOnQuery('3 more', (query) => expect(query.lastProgress!.batchId).toBe(6)),
    ])
  })
  test(`${option} - incorrect values`, async () => {
    const folder = await newFolder()
    for (const value of ['not-a-integer', '-1', '0', '10.1']) {
      const message = new RegExp(`${option}.*${value.replace('.', '\\.')}`, 's')
      expect(() => engine().readStream.option(option, value).text(folder.path), value).toThrow(message)
    }
  })
  test(`${option} - ignored when using Trigger.Once`, async () => {
    const folder = await newFolder()
    const once = [startStream({ trigger: { kind: 'once' } }), awaitTermination()]
    const oneTrigger = assertOnQuery('one trigger', (query) =>
      expect(query.recentProgress.filter(({ numInputRows }) => numInputRows !== 0).length).toBe(1),
    )
    await testStream(engine().readStream.option(option, 1).text(folder.path), [
      folder.adding('1'),
      folder.adding('2'),
      folder.adding('3'),
      ...once,
      oneTrigger,
      checkAnswer(['1'], ['2'], ['3']),
      folder.adding('4'),
      folder.adding('5'),
      ...once,
      oneTrigger,
      checkNewAnswer(['4'], ['5']),
    ])
  })
  test(`${option} and latestFirst: maxFileAge is ignored`, async () => {
    const folder = await newFolder()
    await folder.add('1', '1.txt', 1_700_000_000)
    await folder.add('2', '2.txt', 1_700_003_600)
    await testStream(engine().readStream.option('latestFirst', true).option('maxFileAge', '1m').option(option, 1).text(folder.path), [
      checkAnswer(['1'], ['2']),
      checkLastBatch(['1']),
    ])
  })
}

test('SPARK-46641: max bytes per trigger & max files per trigger - both set', async () => {
  const folder = await newFolder()
  expect(() => engine().readStream.option('maxBytesPerTrigger', 1).option('maxFilesPerTrigger', 1).text(folder.path)).toThrow(
    /maxFilesPerTrigger.*maxBytesPerTrigger/s,
  )
})

test('SPARK-36533: Trigger.AvailableNow - multiple queries with checkpoint', async () => {
  const folder = await newFolder()
  const batches: string[] = []
  const run = async (trigger: { once: true } | { availableNow: true }) => {
    const query = await engine()
      .readStream.option('maxFilesPerTrigger', 1)
      .text(folder.path)
      .writeStream.foreachBatch(
        async (rows) =>
          void batches.push(
            (await rows.collect())
              .map(({ value }) => value)
              .sort()
              .join(),
          ),
      )
      .trigger(trigger)
      .option('checkpointLocation', folder.beside('checkpoint'))
      .start()
    await query.awaitTermination()
  }
  for (const n of [1, 2, 3]) await folder.add(String(n))
  await run({ once: true })
  for (const n of [4, 5]) await folder.add(String(n))
  await run({ availableNow: true })
  for (const n of [6, 7]) await folder.add(String(n))
  await run({ availableNow: true })
  expect(batches).toEqual(['1,2,3', '4', '5', '6', '7'])
})

test('input row metrics: a source counts its rows before any filter', async () => {
  const folder = await newFolder()
  await testStream(keeping(folder.path), [
    folder.adding('drop1\nkeep2\nkeep3'),
    checkAnswer(...words('keep2', 'keep3')),
    assertOnQuery('3 rows in', (query) => {
      const { numInputRows, sources, sink } = query.lastProgress!
      expect([numInputRows, sources[0]!.numInputRows, sink.numOutputRows]).toEqual([3, 3, 2])
      expect(sources[0]!.processedRowsPerSecond).toBeGreaterThan(0)
      expect([sources[0]!.startOffset, sources[0]!.endOffset]).toEqual([null, { logOffset: 0 }])
    }),
  ])
})

test('SPARK-18433: option keys are case-insensitive', async () => {
  const folder = await newFolder()
  for (const n of [1, 2]) await folder.add(String(n))
  await testStream(engine().readStream.option('maxfilespertrigger', 1).text(folder.path), [
    checkLastBatch(['2']),
    checkAnswer(['1'], ['2']),
  ])
})

test('SPARK-26629: multiple file sources work with restarts when a source does not have data', async () => {
  const [a, b] = [await newFolder(), await newFolder()]
  await testStream(engine().readStream.text(a.path).union(engine().readStream.text(b.path)), [
    a.adding('source1_0'),
    b.adding('source2_0'),
    startStream(),
    checkNewAnswer(['source1_0'], ['source2_0']),
    stopStream(),
    startStream(),
    a.adding('source1_1'),
    checkNewAnswer(['source1_1']),
    stopStream(),
    startStream(),
    b.adding('source2_2'),
    checkNewAnswer(['source2_2']),
    stopStream(),
    a.adding('source1_3'),
    b.adding('source2_3'),
    startStream(),
    checkNewAnswer(['source1_3'], ['source2_3']),
    stopStream(),
  ])
})

test('SPARK-31962: file stream source shouldn’t allow modifiedBefore/modifiedAfter', async () => {
  const folder = await newFolder()
  for (const option of ['modifiedBefore', 'modifiedAfter']) {
    expect(
      () => engine().readStream.schema({ a: t.string().nullable() }).option(option, '2030-01-01T00:00:00').csv(folder.path),
      option,
    ).toThrow(new RegExp(option))
  }
})

test('a file that is there twice under one path is read once; one that comes back changed is not read again', async () => {
  const folder = await newFolder()
  let path = ''
  await testStream(engine().readStream.text(folder.path), [
    execute('add', async () => void (path = await folder.add('1', 'a.txt'))),
    checkAnswer(['1']),
    execute('replace', async () => {
      await rm(path)
      await folder.add('2', 'a.txt')
      await folder.add('3', 'b.txt')
    }),
    checkNewAnswer(['3']),
  ])
})

test('"text" lines: an empty line is a row, a last line without an end too, and Windows’ ends go', async () => {
  const folder = await newFolder()
  await folder.add('a\n\nb\r\nc')
  await testStream(engine().readStream.text(folder.path), [checkAnswer(['a'], [''], ['b'], ['c'])])
})

test('read from csv files: header, separator, null value and quotes', async () => {
  const folder = await newFolder()
  await folder.add('id;name\n1;"a;b"\n2;-\n')
  const rows = engine()
    .readStream.schema({ id: t.int().nullable(), name: t.string().nullable() })
    .option('header', true)
    .option('sep', ';')
    .option('nullValue', '-')
    .csv(folder.path)
  await testStream(rows, [checkAnswer([1, 'a;b'], [2, null])])
})

test('two queries over one folder, and a memory stream beside it, do not share offsets', async () => {
  const folder = await newFolder()
  await folder.add('1')
  const input = new MemoryStream(engine(), { value: t.string() })
  const rows = engine().readStream.text(folder.path)
  await testStream(rows.union(input.toDF()), [addData(input, { value: 'm' }), checkAnswer(['1'], ['m'])])
  await testStream(rows, [checkAnswer(['1'])])
})

for (const [mode, title] of [
  ['delete', 'remove completed files when remove option is enabled'],
  ['archive', 'move completed files to archive directory when archive option is enabled'],
] as const) {
  test(title, async () => {
    const folder = await newFolder()
    const archive = folder.beside('archive')
    const cleaned = (name: string, isCleaned: boolean) =>
      execute(`look at ${name}`, () => {
        const expected = [!isCleaned, isCleaned && mode === 'archive']
        expect([existsSync(join(folder.path, name)), existsSync(join(archive, folder.path, name))], name).toEqual(expected)
      })
    const options = { latestFirst: false, maxFilesPerTrigger: 1, cleanSource: mode, sourceArchiveDir: archive }
    await testStream(engine().readStream.options(options).text(`${folder.path}/*/*`), [
      ...[folder.adding('keep1', 'k %1/keep1'), checkAnswer(['keep1']), cleaned('k %1/keep1', false)],
      ...[folder.adding('keep2', 'k %1/k 2/keep2 %'), checkNewAnswer(['keep2']), cleaned('k %1/keep1', true)],
      ...[cleaned('k %1/k 2/keep2 %', false), folder.adding('keep3', 'k3/keep3'), checkNewAnswer(['keep3'])],
      ...[cleaned('k %1/k 2/keep2 %', true), cleaned('k3/keep3', false)],
    ])
  })
}

test('compact interval metadata log: the interval of a log stays, whatever is configured later', async () => {
  const folder = await newFolder()
  const checkpointLocation = folder.beside('checkpoint')
  for (const [interval, files] of [
    [2, 3],
    [5, 2],
  ] as const) {
    await using own = await millrace.local({ threads: 1, conf: { 'spark.sql.streaming.fileSource.log.compactInterval': interval } })
    await testStream(
      own.readStream.text(folder.path),
      { checkpointLocation },
      Array.from({ length: files }, (_, i) => [folder.adding(`${interval}-${i}`), checkNewAnswer([`${interval}-${i}`])]).flat(),
    )
  }
  expect((await readdir(join(checkpointLocation, 'sources/0'))).sort()).toEqual(['0', '1.compact', '2', '3.compact', '4'])
})
