// What FileStreamSinkSuite, ForeachBatchSinkSuite, MemorySinkSuite and ConsoleWriteSupportSuite of Spark 4.2.0 expect.
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  concat,
  count,
  type DataFrame,
  type Engine,
  InvalidQueryError,
  MemoryStream,
  millrace,
  t,
  timestamp_seconds,
  UserFunctionError,
  window,
} from 'millrace'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { rows, seconds, useEngine, windowedCount } from './harness.ts'

const engine = useEngine()
const numbers = (found: readonly object[]) => found.map((row) => Object.values(row).map(Number))
const byFirst = (found: readonly object[]) => numbers(found).sort((a, b) => a[0]! - b[0]!)
const words = (input: MemoryStream<{ value: 'string' }>, ...values: string[]) => input.addData(...values.map((value) => ({ value })))

test('unpartitioned writing and batch reading', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const query = await input
    .toDF()
    .writeStream.option('checkpointLocation', join(folder.path, 'c'))
    .format('parquet')
    .start(join(folder.path, 'o'))
  input.addData(...rows(1, 2, 3))
  await query.processAllAvailable()
  expect(byFirst(await (await engine().read.parquet(join(folder.path, 'o'))).collect())).toEqual([[1], [2], [3]])
  await query.stop()
})

test('SPARK-21167: encode and decode path correctly', async () => {
  for (const value of ['hello world', 'a/b', 'a=b', 'ä%20', '[x]', 'a:b', '{"a"}', "it's", '#1', 'a\nb']) {
    await using folder = await tempFolder()
    const input = new MemoryStream(engine(), { value: t.string() })
    const output = join(folder.path, 'o')
    const query = await input
      .toDF()
      .withColumn('len', ({ value }) => value.cast('string'))
      .writeStream.partitionBy('value')
      .option('checkpointLocation', join(folder.path, 'c'))
      .format('parquet')
      .start(output)
    input.addData({ value })
    await query.processAllAvailable()
    await query.stop()
    expect(
      await engine().read.schema({ value: t.string().nullable(), len: t.string().nullable() }).format('parquet').load(output).collect(),
      value,
    ).toEqual([{ value, len: value }])
  }
})

test('partitioned writing and batch reading: partition columns come last and are inferred', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const output = join(folder.path, 'o')
  const query = await input
    .toDF()
    .select(({ value }) => ({ id: value, value: value.mul(1000) }))
    .writeStream.partitionBy('id')
    .option('checkpointLocation', join(folder.path, 'c'))
    .format('parquet')
    .start(output)
  input.addData(...rows(1, 2, 3))
  await query.processAllAvailable()
  await query.stop()
  const found = await engine().read.parquet(output)
  expect(found.schema.fields.map(({ name, type }) => [name, type])).toEqual([
    ['value', 'int'],
    ['id', 'int'],
  ])
  expect(byFirst(await found.collect())).toEqual([
    [1000, 1],
    [2000, 2],
    [3000, 3],
  ])
  expect((await readdir(output)).sort()).toEqual(['_spark_metadata', 'id=1', 'id=2', 'id=3'])
})

test('SPARK-35565: an output folder is read by its log, or listed where the configuration says so, by tables and streams', async () => {
  await using folder = await tempFolder()
  await using own = await millrace.local({ threads: 1 })
  const input = new MemoryStream(own, { value: t.string() })
  const output = join(folder.path, 'o')
  const query = await input.toDF().writeStream.option('checkpointLocation', join(folder.path, 'c')).format('text').start(output)
  input.addData({ value: '1' }, { value: '2' })
  await query.processAllAvailable()
  await query.stop()
  await writeFile(join(output, 'additional.txt'), '3')
  const values = async () => {
    const streamed: string[] = []
    const reading = await own.readStream
      .text(output)
      .writeStream.trigger({ availableNow: true })
      .foreachBatch(async (rows) => void streamed.push(...(await rows.collect()).map(({ value }) => value!)))
      .start()
    await reading.awaitTermination()
    const table = (await own.read.text(output).collect()).map(({ value }) => value!)
    return [table.sort().join(), streamed.sort().join(), (await (await own.read.format('csv').load(output)).collect()).length]
  }
  expect(await values()).toEqual(['1,2', '1,2', 2])
  own.conf.set('spark.sql.streaming.fileStreamSink.ignoreMetadata', 'true')
  expect(await values()).toEqual(['1,2,3', '1,2,3', 3])
})

test("partitioned writing and batch reading with 'basePath'", async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const output = join(folder.path, 'o')
  const query = await input
    .toDF()
    .selectExpr('value AS id1', '-value AS id2', 'value * 1000 AS value')
    .writeStream.partitionBy('id1', 'id2')
    .option('checkpointLocation', join(folder.path, 'c'))
    .format('parquet')
    .start(output)
  input.addData(...rows(1, 2, 3))
  await query.processAllAvailable()
  await query.stop()
  const reader = engine().read.option('basePath', output)
  const found = await reader.parquet(`${output}/*/*`)
  expect(found.columns).toEqual(['value', 'id1', 'id2'])
  const values = [
    [1000, 1, -1],
    [2000, 2, -2],
    [3000, 3, -3],
  ]
  expect(byFirst(await found.collect())).toEqual(values)
  expect(byFirst(await reader.parquet(`${output}/id1=2`, { value: t.int(), id1: t.int(), id2: t.int() }).collect())).toEqual([values[1]])
  expect((await engine().read.parquet(`${output}/*/*`)).columns).toEqual(['value'])
  for (const wrong of ['', join(folder.path, 'c'), `${output}/*`])
    await expect(engine().read.option('basePath', wrong).parquet(`${output}/*/*`), wrong).rejects.toMatchObject({
      code: 'INVALID_OPTION_VALUE',
    })
})

test('a null and an empty text in a partition column are one folder, and null when read', async () => {
  await using folder = await tempFolder()
  const input = new MemoryStream(engine(), { n: t.int(), part: t.string().nullable() })
  const output = join(folder.path, 'o')
  const query = await input
    .toDF()
    .writeStream.partitionBy('part')
    .option('checkpointLocation', join(folder.path, 'c'))
    .format('json')
    .start(output)
  input.addData({ n: 1, part: null }, { n: 2, part: '' }, { n: 3, part: 'x' })
  await query.processAllAvailable()
  await query.stop()
  expect((await readdir(output)).sort()).toEqual(['_spark_metadata', 'part=__HIVE_DEFAULT_PARTITION__', 'part=x'])
  const found = await engine().read.schema({ n: t.int().nullable(), part: t.string().nullable() }).json(output).collect()
  expect(found.sort((a, b) => a.n! - b.n!)).toEqual([
    { n: 1, part: null },
    { n: 2, part: null },
    { n: 3, part: 'x' },
  ])
})

test('writing with aggregation', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const output = join(folder.path, 'o')
  const query = await windowedCount(input, 10, 5)
    .writeStream.option('checkpointLocation', join(folder.path, 'c'))
    .format('parquet')
    .start(output)
  const addAndRead = async (...values: number[]) => {
    input.addData(...rows(...values))
    await query.processAllAvailable()
    return byFirst(await (await engine().read.parquet(output, { start: t.long(), count: t.long() })).collect())
  }
  expect(await addAndRead(100)).toEqual([])
  expect(await addAndRead(104, 123)).toEqual([[100, 2]])
  expect(await addAndRead(140)).toEqual([
    [100, 2],
    [120, 1],
  ])
  await query.stop()
})

test('Update and Complete output mode not supported', async () => {
  await using folder = await tempFolder()
  const counted = seconds(engine())
    .toDF()
    .agg(() => ({ count: count() }))
  for (const mode of ['update', 'complete'] as const) {
    await expect(
      counted.writeStream
        .format('parquet')
        .outputMode(mode)
        .option('checkpointLocation', join(folder.path, 'c'))
        .start(join(folder.path, 'o') as never),
    ).rejects.toMatchObject({
      code: 'STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE',
    })
  }
})

for (const format of ['parquet', 'text', 'json', 'csv', undefined]) {
  test(`SPARK-23288 writing and checking output metrics, empty batches, special characters in output path: ${format ?? 'the default'}`, async () => {
    await using folder = await tempFolder()
    const input = new MemoryStream(engine(), { value: t.string() })
    const output = join(folder.path, 'output @#output')
    const writer = input.toDF().writeStream.option('checkpointLocation', join(folder.path, 'chk %@#chk'))
    const query = await (format === undefined ? writer : writer.format(format as 'json')).start(output)
    words(input, '1', '2', '3')
    words(input, '4', '5')
    await query.processAllAvailable()
    expect(query.recentProgress.map(({ sink }) => Math.max(0, sink.numOutputRows)).reduce((a, b) => a + b)).toBe(5)
    input.addData()
    await query.processAllAvailable()
    await query.stop()
    await writeFile(join(output, 'additional.txt'), '6\n')
    const found = await engine()
      .read.schema({ value: t.string().nullable() })
      .format(format ?? 'parquet')
      .load(output)
      .collect()
    expect(found.map(({ value }) => value).sort()).toEqual(['1', '2', '3', '4', '5'])
  })
}

test('a batch without rows has a log entry and no file', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const output = join(folder.path, 'o')
  const query = await input.toDF().writeStream.option('checkpointLocation', join(folder.path, 'c')).format('json').start(output)
  input.addData()
  await query.processAllAvailable()
  await query.stop()
  expect((await readdir(output)).filter((name) => !name.startsWith('_'))).toEqual([])
  expect(await readdir(join(output, '_spark_metadata'))).toContain('0')
})

test('SPARK-20460 Check name duplication in schema', async () => {
  await using folder = await tempFolder()
  await writeFile(join(folder.path, 'a.json'), '{"a":1}\n')
  for (const names of [
    ['a', 'a'],
    ['aA', 'Aa'],
  ]) {
    expect(
      () =>
        engine()
          .read.schema(`${names[0]} INT, ${names[1]} INT` as never)
          .json(folder.path),
      names.join(),
    ).toThrow(/COLUMN_ALREADY_EXISTS/)
  }
})

test('SPARK-32516: a path option and a path parameter, of readers and writers', async () => {
  const twice = expect.objectContaining({ code: 'PATH_GIVEN_TWICE' })
  const fields = { value: t.int() }
  const reader = () => engine().readStream.schema(fields).option('PATH', 'tmp1')
  for (const read of [() => reader().parquet('tmp2'), () => reader().parquet(''), () => reader().format('parquet').load('tmp2')])
    expect(read).toThrow(twice)
  expect(() => engine().read.schema(fields).option('path', 'tmp1').json(['tmp2'])).toThrow(twice)
  const stream = new MemoryStream(engine(), fields).toDF()
  for (const path of ['tmp2', ''])
    await expect(stream.writeStream.format('parquet').option('path', 'tmp1').start(path)).rejects.toEqual(twice)
  await expect(engine().range(3).write.option('path', 'tmp1').json('tmp2')).rejects.toEqual(twice)
  // the last of several options counts, whatever the case of its name
  expect(() => engine().readStream.schema(fields).option('paTh', '1').option('PATH', '2').json('3')).toThrow(
    /"3", and the option path is "2"/,
  )
})

test('partition columns that are not there, and all columns as partition columns', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine()).toDF()
  expect(() => input.writeStream.partitionBy('nope' as never)).toThrow(/nope/)
  await expect(
    input.writeStream
      .partitionBy('value')
      .option('checkpointLocation', join(folder.path, 'c'))
      .format('json')
      .start(join(folder.path, 'o')),
  ).rejects.toThrow(/ALL_PARTITION_COLUMNS_NOT_ALLOWED/)
})

/** What foreachBatch got: its batch ids and the rows of each. */
function record() {
  const seen: [bigint, number[][]][] = []
  return { seen, write: async (frame: DataFrame<any>, id: bigint) => void seen.push([id, byFirst(await frame.collect())]) }
}

test('foreachBatch with non-stateful query', async () => {
  const input = seconds(engine())
  const { seen, write } = record()
  const query = await input
    .toDF()
    .select(({ value }) => ({ value: value.add(1) }))
    .writeStream.foreachBatch((frame, id) => write(frame.select(({ value }) => ({ value: value.add(1) })) as never, id))
    .start()
  for (const block of [
    [1, 2, 3],
    [5, 6, 7],
  ]) {
    input.addData(...rows(...block))
    await query.processAllAvailable()
  }
  await query.stop()
  expect(seen).toEqual([
    [0n, [[3], [4], [5]]],
    [1n, [[7], [8], [9]]],
  ])
})

for (const [mode, second, third] of [
  [
    'update',
    [[1, 1]],
    [
      [0, 2],
      [1, 2],
    ],
  ],
  [
    'complete',
    [
      [0, 1],
      [1, 1],
    ],
    [
      [0, 2],
      [1, 2],
    ],
  ],
] as const) {
  test(`foreachBatch with stateful query in ${mode} mode`, async () => {
    const input = seconds(engine())
    const { seen, write } = record()
    const counted = input
      .toDF()
      .groupBy(({ value }) => ({ key: value.mod(2) }))
      .agg(() => ({ value: count() }))
    const query = await counted.writeStream
      .outputMode(mode)
      .foreachBatch((frame, id) => write(frame as never, id))
      .start()
    for (const block of [[0], [1], [2, 3]]) {
      input.addData(...rows(...block))
      await query.processAllAvailable()
    }
    await query.stop()
    expect(seen).toEqual([
      [0n, [[0, 1]]],
      [1n, second],
      [2n, third],
    ])
  })
}

test('foreachBatch with batch specific operations: sorted, counted, joined with itself, written, read twice', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const seen: unknown[] = []
  const query = await input
    .toDF()
    .writeStream.foreachBatch(async (frame, id) => {
      const sorted = await frame.orderBy(({ value }) => value.desc()).collect()
      const joined = await frame
        .join(
          frame.select(({ value }) => ({ other: value })),
          (l, r) => l.value.eq(r.other),
        )
        .count()
      await frame.write.mode('append').json(join(folder.path, 'copy'))
      seen.push([id, sorted.map(({ value }) => value), await frame.count(), joined, (await frame.agg(() => ({ n: count() })).collect())[0]])
    })
    .start()
  input.addData(...rows(1, 3, 2))
  await query.processAllAvailable()
  await query.stop()
  expect(seen).toEqual([[0n, [3, 2, 1], 3, 3, { n: 3n }]])
  expect(await engine().read.schema({ value: t.int().nullable() }).json(join(folder.path, 'copy')).count()).toBe(3)
  // the sink does not change what a batch reports
  const { numInputRows, sources, sink } = query.recentProgress.find((progress) => progress.numInputRows > 0)!
  expect([numInputRows, sources.length, sink.description.startsWith('ForeachBatchSink')]).toEqual([3, 1, true])
})

test('foreachBatch: throws errors in invalid situations', async () => {
  const input = seconds(engine()).toDF()
  expect(() => input.writeStream.foreachBatch(null as never)).toThrow(InvalidQueryError)
  expect(() => input.writeStream.foreachBatch(() => {}).trigger({ continuous: '1 second' } as never)).toThrow(/continuous/)
  await expect(
    input.writeStream
      .foreachBatch(() => {})
      .partitionBy('value')
      .start(),
  ).rejects.toThrow(/partition/)
})

test('foreachBatch user function error is classified, an error of the engine inside it is not', async () => {
  const input = seconds(engine())
  input.addData(...rows(1, 2, 3, 4, 5))
  const cause = new TypeError('access error')
  const failing = await input
    .toDF()
    .writeStream.foreachBatch(() => {
      throw cause
    })
    .start()
  const error = (await failing.awaitTermination().catch((reason: unknown) => reason)) as UserFunctionError
  expect(error).toBeInstanceOf(UserFunctionError)
  expect([error.code, error.cause]).toEqual(['FOREACH_BATCH_USER_FUNCTION_ERROR', cause])

  const other = seconds(engine())
  other.addData(...rows(1))
  const engineError = await other
    .toDF()
    .writeStream.foreachBatch(
      async (frame) => void (await frame.select(({ value }) => ({ value: concat(value.cast('string'), 'x').cast('int') })).collect()),
    )
    .start()
  await expect(engineError.awaitTermination()).rejects.toMatchObject({ code: 'CAST_INVALID_INPUT' })
})

test('a DataFrame of foreachBatch outside its function', async () => {
  const input = seconds(engine())
  let kept: { collect(): Promise<unknown> } | null = null
  const query = await input
    .toDF()
    .writeStream.foreachBatch((frame) => void (kept = frame))
    .start()
  input.addData(...rows(1))
  await query.processAllAvailable()
  await query.stop()
  await expect(kept!.collect()).rejects.toThrow(/BATCH_NO_LONGER_AVAILABLE/)
})

const memoryRows = (own: Engine, name: string) => byFirst(own.memoryTable(name))

for (const mode of ['append', 'update'] as const) {
  test(`memory: registering as a table in ${mode} output mode`, async () => {
    const input = seconds(engine())
    const query = await input.toDF().writeStream.format('memory').outputMode(mode).queryName(`mem_${mode}`).start()
    input.addData(...rows(1, 2, 3))
    await query.processAllAvailable()
    expect(memoryRows(engine(), `mem_${mode}`)).toEqual([[1], [2], [3]])
    input.addData(...rows(4, 5, 6))
    await query.processAllAvailable()
    await query.stop()
    expect(memoryRows(engine(), `mem_${mode}`)).toEqual([[1], [2], [3], [4], [5], [6]])
  })
}

test('memory: registering as a table in Complete output mode', async () => {
  const input = seconds(engine())
  const query = await input
    .toDF()
    .groupBy('value')
    .agg(() => ({ count: count() }))
    .writeStream.format('memory')
    .outputMode('complete')
    .queryName('mem_complete')
    .start()
  input.addData(...rows(1, 2, 3))
  await query.processAllAvailable()
  expect(memoryRows(engine(), 'mem_complete')).toEqual([
    [1, 1],
    [2, 1],
    [3, 1],
  ])
  input.addData(...rows(3, 4))
  await query.processAllAvailable()
  await query.stop()
  expect(memoryRows(engine(), 'mem_complete')).toEqual([
    [1, 1],
    [2, 1],
    [3, 2],
    [4, 1],
  ])
})

test('memory: error when no name is specified; error if attempting to resume specific checkpoint, but in complete mode', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  await expect(input.toDF().writeStream.format('memory').start()).rejects.toThrow(/queryName/)
  const start = (mode: 'append' | 'complete') => {
    const frame =
      mode === 'append'
        ? input.toDF()
        : input
            .toDF()
            .groupBy('value')
            .agg(() => ({ count: count() }))
    return (frame as ReturnType<typeof input.toDF>).writeStream
      .format('memory')
      .outputMode(mode as 'append')
      .queryName('again')
      .option('checkpointLocation', join(folder.path, mode))
      .start()
  }
  input.addData(...rows(1, 2))
  for (const mode of ['append', 'complete'] as const) {
    const query = await start(mode)
    await query.processAllAvailable()
    await query.stop()
  }
  await expect(start('append')).rejects.toThrow(InvalidQueryError)
  await rm(join(folder.path, 'append'), { recursive: true })
  await mkdir(join(folder.path, 'append', 'offsets'), { recursive: true }) // an empty folder says as much in Spark
  await expect(start('append')).rejects.toMatchObject({ code: 'MEMORY_SINK_RECOVERY_UNSUPPORTED' })
  const again = await start('complete')
  input.addData(...rows(2))
  await again.processAllAvailable()
  await again.stop()
  expect(memoryRows(engine(), 'again')).toEqual([
    [1, 1],
    [2, 2],
  ])
})

/** What the console sink prints. */
async function printed(options: Readonly<Record<string, string | number | boolean>>, ...blocks: (string | number)[][]): Promise<string> {
  let text = ''
  await using own = await millrace.local({ threads: 1, print: (line) => (text += `${line}\n`) })
  const type = typeof blocks[0]![0] === 'number' ? t.int() : t.string()
  const input = new MemoryStream(own, { value: type as ReturnType<typeof t.int> })
  const query = await input.toDF().writeStream.format('console').options(options).start()
  for (const block of blocks) {
    input.addData(...block.map((value) => ({ value: value as number })))
    await query.processAllAvailable()
  }
  await query.stop()
  return text
}
const line = '-------------------------------------------'

test('console: microbatch - default', async () => {
  const table = (...cells: string[]) =>
    ['+-----+', '|value|', '+-----+', ...cells.map((cell) => `|    ${cell}|`), ...(cells.length > 0 ? ['+-----+'] : ['+-----+']), ''].join(
      '\n',
    )
  const expected = [['1', '2', '3'], ['4', '5', '6'], []]
    .map((cells, id) => `${line}\nBatch: ${id}\n${line}\n${table(...cells)}\n`)
    .join('')
  expect(await printed({}, [1, 2, 3], [4, 5, 6], [])).toBe(expected)
})

test('console: microbatch - with numRows', async () => {
  expect(await printed({ NUMROWS: 2 }, [1, 2, 3])).toBe(
    `${line}\nBatch: 0\n${line}\n+-----+\n|value|\n+-----+\n|    1|\n|    2|\n+-----+\nonly showing top 2 rows\n`,
  )
})

test('console: microbatch - truncation', async () => {
  const [head, cell] = ['               value', '12345678901234567...']
  expect(await printed({ TRUNCATE: true }, ['123456789012345678901234567890'])).toBe(
    `${line}\nBatch: 0\n${line}\n+--------------------+\n|${head}|\n+--------------------+\n|${cell}|\n+--------------------+\n\n`,
  )
  expect(await printed({ truncate: false }, ['123456789012345678901234567890'])).toContain('|123456789012345678901234567890|')
})

test('a window is written and read as a struct of its two bounds', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const counted = input
    .toDF()
    .withColumn('at', ({ value }) => timestamp_seconds(value))
    .withWatermark('at', '0 seconds')
    .groupBy(({ at }) => ({ window: window(at, '5 seconds') }))
    .agg(() => ({ n: count() }))
  const query = await counted.writeStream.option('checkpointLocation', join(folder.path, 'c')).format('json').start(join(folder.path, 'o'))
  input.addData(...rows(1))
  input.addData(...rows(11))
  await query.processAllAvailable()
  await query.stop()
  const found = await engine()
    .read.schema({ window: t.struct({ start: t.timestamp(), end: t.timestamp() }), n: t.long() })
    .json(join(folder.path, 'o'))
    .collect()
  expect(found.map(({ window, n }) => [String(window.start), String(window.end), n])).toEqual([
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:05Z', 1n],
  ])
})
