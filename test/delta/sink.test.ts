import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, MemoryStream, millrace, t } from 'millrace'
import 'millrace/delta'
import { afterEach, beforeEach, expect, test } from 'vitest'

let engine: Engine
let folder: string
beforeEach(async () => {
  engine = await millrace.local()
  folder = await mkdtemp(join(tmpdir(), 'millrace-delta-'))
})
afterEach(async () => {
  await engine.close()
  await rm(folder, { recursive: true, force: true })
})
const table = () => join(folder, 'table')
const commits = async () => (await readdir(join(table(), '_delta_log'))).filter((name) => name.endsWith('.json')).sort()
const rowsOf = async (options: Record<string, string> = {}) =>
  (await (await engine.read.format('delta').options(options).load(table())).collect())
    .map((row) => JSON.stringify(row, (_, v) => (typeof v === 'bigint' ? Number(v) : v)))
    .sort()

const people = { name: t.string(), city: t.string().nullable(), age: t.long().nullable() }
const started = (
  stream: MemoryStream<any>,
  change: (writer: any) => any = (writer) => writer,
  of: (frame: any) => any = (frame) => frame,
) => change(of(stream.toDF()).writeStream.option('checkpointLocation', join(folder, 'checkpoint')).format('delta')).start(table())

test('batches become commits, with statistics; the table is created with the first', async () => {
  const stream = new MemoryStream(engine, people)
  const query = await started(stream)
  stream.addData({ name: 'ann', city: 'oslo', age: 31 }, { name: 'bob', city: null, age: null })
  await query.processAllAvailable()
  stream.addData({ name: 'cid', city: 'rome', age: 7 })
  await query.processAllAvailable()
  await query.stop()
  expect(await rowsOf()).toEqual([
    '{"name":"ann","city":"oslo","age":31}',
    '{"name":"bob","city":null,"age":null}',
    '{"name":"cid","city":"rome","age":7}',
  ])
  expect(await rowsOf({ versionAsOf: '0' })).toHaveLength(2)
  const actions = (await readFile(join(table(), '_delta_log', (await commits())[0]!), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(actions.map((action) => Object.keys(action)[0])).toEqual(['commitInfo', 'protocol', 'metaData', 'txn', 'add'])
  expect(actions[1].protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 })
  expect(actions[3].txn).toMatchObject({ appId: query.id, version: 0 })
  expect(JSON.parse(actions[4].add.stats)).toEqual({
    numRecords: 2,
    minValues: { name: 'ann', city: 'oslo', age: 31 },
    maxValues: { name: 'bob', city: 'oslo', age: 31 },
    nullCount: { name: 0, city: 1, age: 1 },
  })
  expect(query.lastProgress?.sink).toMatchObject({ description: `DeltaSink[${table()}]`, numOutputRows: 1 })
})

test('a batch that is run again counts once', async () => {
  const stream = new MemoryStream(engine, people)
  const query = await started(stream)
  stream.addData({ name: 'ann', city: 'oslo', age: 1 })
  await query.processAllAvailable()
  stream.addData({ name: 'bob', city: 'oslo', age: 2 })
  await query.processAllAvailable()
  await query.stop()
  await rm(join(folder, 'checkpoint', 'commits', '1'))
  const again = await started(stream)
  stream.addData({ name: 'cid', city: 'rome', age: 3 })
  await again.processAllAvailable()
  await again.stop()
  expect(await rowsOf()).toHaveLength(3)
  expect(await commits()).toHaveLength(3)
})

test('partitions are folders, and come back with their types', async () => {
  const stream = new MemoryStream(engine, people)
  const query = await started(stream, (writer) => writer.partitionBy('city', 'age'))
  stream.addData({ name: 'ann', city: 'a b/c=d%', age: 31 }, { name: 'bob', city: null, age: null }, { name: 'cid', city: 'öl', age: -1 })
  await query.processAllAvailable()
  await query.stop()
  expect(await rowsOf()).toEqual([
    '{"name":"ann","city":"a b/c=d%","age":31}',
    '{"name":"bob","city":null,"age":null}',
    '{"name":"cid","city":"öl","age":-1}',
  ])
})

test('complete mode replaces the rows; time travel still sees the old ones', async () => {
  const stream = new MemoryStream(engine, people)
  const query = await started(
    stream,
    (writer) => writer.outputMode('complete'),
    (frame) => frame.groupBy('city').count(),
  )
  stream.addData({ name: 'ann', city: 'oslo', age: 1 })
  await query.processAllAvailable()
  stream.addData({ name: 'bob', city: 'oslo', age: 1 }, { name: 'cid', city: 'rome', age: 1 })
  await query.processAllAvailable()
  await query.stop()
  expect(await rowsOf()).toEqual(['{"city":"oslo","count":2}', '{"city":"rome","count":1}'])
  expect(await rowsOf({ versionAsOf: '0' })).toEqual(['{"city":"oslo","count":1}'])
})

test('every tenth commit is followed by a checkpoint, from which the table is read when older commits are gone', async () => {
  const stream = new MemoryStream(engine, people)
  const query = await started(stream)
  for (let i = 0; i <= 11; i++) {
    stream.addData({ name: `p${i}`, city: null, age: i })
    await query.processAllAvailable()
  }
  await query.stop()
  const log = join(table(), '_delta_log')
  expect(await readdir(log)).toContain('00000000000000000010.checkpoint.parquet')
  expect(JSON.parse(await readFile(join(log, '_last_checkpoint'), 'utf8'))).toMatchObject({ version: 10, numOfAddFiles: 11 })
  for (const name of (await commits()).slice(0, 11)) await rm(join(log, name))
  expect(await rowsOf()).toHaveLength(12)
  // a new run of the query still knows how far it had come
  await rm(join(folder, 'checkpoint', 'commits', '11'))
  const again = await started(stream)
  await again.processAllAvailable()
  await again.stop()
  expect(await rowsOf()).toHaveLength(12)
})

test('new columns come in with mergeSchema, and only then', async () => {
  const stream = new MemoryStream(engine, people)
  const first = await started(
    stream,
    (writer) => writer,
    (frame) => frame.select('name'),
  )
  stream.addData({ name: 'ann', city: 'oslo', age: 1 })
  await first.processAllAvailable()
  await first.stop()
  await rm(join(folder, 'checkpoint'), { recursive: true })
  await expect(started(stream).then((query: any) => query.awaitTermination())).rejects.toMatchObject({ code: 'DELTA_SCHEMA_MISMATCH' })
  await rm(join(folder, 'checkpoint'), { recursive: true, force: true })
  const second = await started(stream, (writer) => writer.option('mergeSchema', true))
  await second.processAllAvailable()
  await second.stop()
  expect(await rowsOf()).toEqual(['{"name":"ann","city":"oslo","age":1}', '{"name":"ann","city":null,"age":null}'])
})

test('what does not go into the table is said before the first row', async () => {
  const stream = new MemoryStream(engine, people)
  const first = await started(stream)
  stream.addData({ name: 'ann', city: 'oslo', age: 1 })
  await first.processAllAvailable()
  await first.stop()
  const fresh = async (change: (writer: any) => any, of: (frame: any) => any) => {
    await rm(join(folder, 'checkpoint'), { recursive: true, force: true })
    return (await started(stream, change, of)).awaitTermination()
  }
  const same = (writer: any) => writer
  await expect(fresh(same, (frame) => frame.selectExpr('name', 'cast(age as string) as age'))).rejects.toMatchObject({
    code: 'DELTA_FAILED_TO_MERGE_FIELDS',
  })
  await expect(fresh(same, (frame) => frame.select('city'))).rejects.toMatchObject({ code: 'DELTA_NOT_NULL_COLUMN_MISSING' })
  await expect(
    fresh(
      (writer) => writer.partitionBy('city'),
      (frame) => frame,
    ),
  ).rejects.toMatchObject({ code: 'DELTA_PARTITION_COLUMNS_MISMATCH' })
  expect(await rowsOf()).toHaveLength(1)
})

test('two queries write to one table at the same time', async () => {
  const streams = [new MemoryStream(engine, people), new MemoryStream(engine, people)]
  const queries = await Promise.all(
    streams.map((stream, i) =>
      stream
        .toDF()
        .writeStream.option('checkpointLocation', join(folder, `checkpoint-${i}`))
        .format('delta')
        .start(table()),
    ),
  )
  for (let batch = 0; batch < 8; batch++) {
    for (const stream of streams) stream.addData({ name: `b${batch}`, city: null, age: batch })
    await Promise.all(queries.map((query) => query.processAllAvailable()))
  }
  await Promise.all(queries.map((query) => query.stop()))
  expect(await rowsOf()).toHaveLength(16)
  expect(await commits()).toHaveLength(16)
})

test('a table that another writer makes meanwhile with other partitions is not written to', async () => {
  const stream = new MemoryStream(engine, people)
  const other = new MemoryStream(engine, people)
  const files = await import('../../src/base/local-files.ts')
  const writeFiles = files.LocalFiles.prototype.sync
  let first = true
  // between the first writer's files and its commit
  files.LocalFiles.prototype.sync = async function (paths) {
    await writeFiles.call(this, paths)
    if (!first || !paths.some((path) => path.startsWith(table()) && path.endsWith('.parquet'))) return
    first = false
    const second = await other
      .toDF()
      .writeStream.option('checkpointLocation', join(folder, 'other'))
      .partitionBy('city')
      .format('delta')
      .start(table())
    other.addData({ name: 'bob', city: 'rome', age: 2 })
    await second.processAllAvailable()
    await second.stop()
  }
  try {
    const query = await started(stream)
    stream.addData({ name: 'ann', city: 'oslo', age: 1 })
    await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'DELTA_METADATA_CHANGED' })
  } finally {
    files.LocalFiles.prototype.sync = writeFiles
  }
  expect(await rowsOf()).toEqual(['{"name":"bob","city":"rome","age":2}'])
})

test('a key in a mode that writes none by key, and an empty name of the application, are refused', async () => {
  await expect(started(new MemoryStream(engine, people), (writer) => writer.option('key', 'name'))).rejects.toMatchObject({
    code: 'INCOMPATIBLE_OPTIONS',
  })
  await expect(started(new MemoryStream(engine, people), (writer) => writer.option('txnAppId', ''))).rejects.toMatchObject({
    code: 'INVALID_OPTION_VALUE',
  })
})
