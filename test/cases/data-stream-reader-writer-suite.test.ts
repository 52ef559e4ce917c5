// What DataStreamReaderWriterSuite and ForeachWriterSuite of Spark 4.2.0 expect, besides sink-suites.test.ts and test/sinks/foreach.test.ts.
import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { lit, MemoryStream, millrace, t } from 'millrace'
import { expect, test } from 'vitest'
import { tempFolder } from '../../src/testing/temp-folder.ts'
import { rows, seconds, useEngine, windowedCount } from './harness.ts'

const engine = useEngine({ print: () => {} })

test('write cannot be called on streaming datasets', async () => {
  const stream = seconds(engine()).toDF() as unknown as { readonly write: { save(): Promise<void> } }
  expect(() => stream.write.save()).toThrow(expect.objectContaining({ code: 'CALL_ON_STREAMING_DATASET_UNSUPPORTED' }))
})

test('partitioning: by a column in any case of letters, not by one that is not there', async () => {
  await using folder = await tempFolder()
  const input = new MemoryStream(engine(), { a: t.int(), b: t.int() })
  const writer = () => input.toDF().writeStream.option('checkpointLocation', join(folder.path, 'c')).format('json')
  const query = await writer()
    .partitionBy('A' as 'a')
    .start(join(folder.path, 'o'))
  input.addData({ a: 1, b: 2 })
  await query.processAllAvailable()
  await query.stop()
  expect((await readdir(join(folder.path, 'o'))).sort()).toEqual(['_spark_metadata', 'a=1'])
  expect(() => writer().partitionBy('c' as 'a')).toThrow(/c/)
})

test('trigger', () => {
  const set = (trigger: unknown) => () =>
    seconds(engine())
      .toDF()
      .writeStream.trigger(trigger as { once: true })
  for (const processingTime of ['10 seconds', '100 seconds', 'interval 1 minute', 0, 10_000]) expect(set({ processingTime })).not.toThrow()
  expect(set({ processingTime: '-1 seconds' })).toThrow(/INVALID_TRIGGER/)
  expect(set({ processingTime: '1 month' })).toThrow(/month/)
  expect(set({ processingTime: 'soon' })).toThrow(/CANNOT_PARSE_INTERVAL/)
  expect(set({ continuous: '1 second' })).toThrow(/INVALID_TRIGGER.*continuous/)
})

test('SPARK-20431: Specify a schema by using a DDL-formatted string; SPARK-32853: consecutive load/start calls should be allowed', async () => {
  await using folder = await tempFolder()
  const reader = engine()
    .readStream.schema('aa INT' as never)
    .format('json')
  for (const path of ['1', '2']) expect(reader.load(path).schema.fields).toEqual([{ name: 'aa', type: 'int', nullable: true }])
  const input = seconds(engine())
  input.addData(...rows(1))
  const writer = input.toDF().writeStream.format('json')
  for (const name of ['1', '2']) {
    const query = await writer.option('checkpointLocation', join(folder.path, `c${name}`)).start(join(folder.path, name))
    await query.processAllAvailable()
    await query.stop()
    expect(await engine().read.json(join(folder.path, name), { value: t.int() }).collect()).toEqual([{ value: 1 }])
  }
})

test('parquet, text, json, csv: an output path that is relative', async () => {
  for (const format of ['parquet', 'text', 'json', 'csv'] as const) {
    await using folder = await tempFolder()
    const input = new MemoryStream(engine(), { value: t.string() })
    const output = join(folder.path, 'o')
    const query = await input
      .toDF()
      .writeStream.option('checkpointLocation', join(folder.path, 'c'))
      .format(format)
      .start(relative(process.cwd(), output))
    input.addData({ value: 'data' })
    await query.processAllAvailable()
    await query.stop()
    expect(await readdir(output)).toHaveLength(2)
  }
})

test('cleanup incomplete output for aborted task; the log of an output is read like any folder', async () => {
  await using folder = await tempFolder()
  const input = seconds(engine())
  const output = join(folder.path, 'o')
  const start = () =>
    input
      .toDF()
      .select(({ value }) => ({ value: lit(6).div(value) }))
      .writeStream.option('checkpointLocation', join(folder.path, 'c'))
      .format('parquet')
      .start(output)
  input.addData(...rows(0, 1, 2))
  const query = await start()
  await expect(query.processAllAvailable()).rejects.toMatchObject({ code: 'DIVIDE_BY_ZERO' })
  expect((await readdir(output, { recursive: true })).filter((name) => name.endsWith('.parquet'))).toEqual([])
  const other = seconds(engine())
  const second = await other
    .toDF()
    .writeStream.option('checkpointLocation', join(folder.path, 'c2'))
    .format('json')
    .start(join(folder.path, 'o2'))
  other.addData(...rows(1))
  await second.processAllAvailable()
  await second.stop()
  expect((await engine().read.text(join(folder.path, 'o2/_spark_metadata')).collect())[0]).toEqual({ value: 'v1' })
})

test('SPARK-18927: MemorySink can recover from a checkpoint provided in conf in Complete Mode; the query’s name is its folder', async () => {
  await using folder = await tempFolder()
  await mkdir(join(folder.path, 'test/offsets'), { recursive: true })
  await using own = await millrace.local({ threads: 1, print: () => {}, conf: { 'spark.sql.streaming.checkpointLocation': folder.path } })
  const input = new MemoryStream(own, { a: t.int() })
  const run = async (...values: number[]) => {
    const query = await input.toDF().groupBy('a').count().writeStream.format('memory').queryName('test').outputMode('complete').start()
    input.addData(...values.map((a) => ({ a })))
    await query.processAllAvailable()
    await query.stop()
    return new Map(own.memoryTable('test').map(({ a, count }) => [a, Number(count)]))
  }
  expect(await run(0, 1)).toEqual(
    new Map([
      [0, 1],
      [1, 1],
    ]),
  )
  expect(await run(0)).toEqual(
    new Map([
      [0, 2],
      [1, 1],
    ]),
  )
  expect(await readdir(folder.path)).toEqual(['test'])
})

test('user specified checkpointLocation precedes SQLConf; without a query name its folder has a random one, and stays', async () => {
  await using folder = await tempFolder()
  const conf = {
    'spark.sql.streaming.checkpointLocation': join(folder.path, 'conf'),
    'spark.sql.streaming.forceDeleteTempCheckpointLocation': true,
  }
  await using own = await millrace.local({ threads: 1, print: () => {}, conf })
  const writer = () => seconds(own).toDF().writeStream.format('console')
  await (await writer().option('checkpointLocation', join(folder.path, 'user')).queryName('q').start()).stop()
  expect(await readdir(folder.path)).toEqual(['user'])
  await (await writer().start()).stop()
  expect(await readdir(join(folder.path, 'conf'))).toHaveLength(1)
})

for (const forced of [false, true]) {
  test(`temp checkpoint dir should be deleted if a query is stopped without errors; with an error ${forced ? 'where that is asked for' : 'it stays'}`, async () => {
    await using folder = await tempFolder()
    const conf = { 'spark.sql.streaming.forceDeleteTempCheckpointLocation': forced }
    await using own = await millrace.local({ threads: 1, print: () => {}, conf })
    const [before, input] = [process.env['TMPDIR'], seconds(own)]
    const start = async () => {
      process.env['TMPDIR'] = folder.path
      try {
        return await input
          .toDF()
          .select(({ value }) => ({ value: lit(6).div(value) }))
          .writeStream.format('noop')
          .start()
      } finally {
        if (before === undefined) delete process.env['TMPDIR']
        else process.env['TMPDIR'] = before
      }
    }
    const good = await start()
    const [name] = await readdir(folder.path)
    expect(existsSync(join(folder.path, name!, 'metadata'))).toBe(true)
    await good.stop()
    expect(await readdir(folder.path)).toEqual([])
    input.addData(...rows(0))
    const bad = await start()
    await expect(bad.awaitTermination()).rejects.toMatchObject({ code: 'DIVIDE_BY_ZERO' })
    expect(await readdir(folder.path)).toHaveLength(forced ? 0 : 1)
  })
}

/** A writer that keeps what it hears. */
function events() {
  const heard: unknown[] = []
  const writer = {
    open: (partition: bigint, version: bigint) => void heard.push(`open ${partition} ${version}`),
    process: (row: object) => void heard.push(Number(Object.values(row)[0])),
    close: (error: unknown) => void heard.push(error === null ? 'close' : `close ${(error as { code: string }).code}`),
  }
  return { heard, writer }
}

test('foreach with watermark: append', async () => {
  const input = seconds(engine())
  const { heard, writer } = events()
  const query = await windowedCount(input, 10, 5).select('count').writeStream.foreach(writer).start()
  for (const values of [[10, 11, 12], [25]]) {
    input.addData(...rows(...values))
    await query.processAllAvailable()
  }
  await query.stop()
  expect(heard).toEqual(['open 0 0', 'close', 'open 0 1', 'close', 'open 0 2', 'close', 'open 0 3', 3, 'close'])
})

test('foreach with error not caused by ForeachWriter', async () => {
  const input = seconds(engine())
  const { heard, writer } = events()
  const query = await input
    .toDF()
    .select(({ value }) => ({ value: lit(6).div(value) }))
    .writeStream.foreach(writer)
    .start()
  input.addData(...rows(0))
  await expect(query.processAllAvailable()).rejects.toMatchObject({ code: 'DIVIDE_BY_ZERO' })
  expect(heard).toEqual(['open 0 0', 'close DIVIDE_BY_ZERO'])
})

test('check foreach() does not support partitioning', async () => {
  const writer = seconds(engine()).toDF().writeStream.partitionBy('value')
  await expect(writer.foreach(() => {}).start()).rejects.toThrow(/foreach.*partition/i)
})
