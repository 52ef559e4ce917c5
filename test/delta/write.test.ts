import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MemoryStream, t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { expect, test } from 'vitest'
import { deltaPlace } from './place.ts'

const place = deltaPlace()
const people = { name: t.string(), city: t.string().nullable(), age: t.long().nullable() }
const frame = (...rows: [string, string | null, number | null][]) =>
  place.engine.createDataFrame(
    rows.map(([name, city, age]) => ({ name, city, age })),
    people,
  )
const write = (rows: any, mode: string, options: Record<string, string | number | boolean> = {}) =>
  rows.write.format('delta').mode(mode).options(options).save(place.table())
const two = () => frame(['ann', 'oslo', 31], ['bob', null, null])

test('append makes the table and adds to it; statistics are in the log', async () => {
  await write(two(), 'append')
  await write(frame(['cid', 'rome', 7]), 'append')
  expect(await place.rows()).toEqual([
    '{"name":"ann","city":"oslo","age":31}',
    '{"name":"bob","city":null,"age":null}',
    '{"name":"cid","city":"rome","age":7}',
  ])
  const [info, protocol, , add] = await place.commit(0)
  expect(info.commitInfo).toMatchObject({
    operation: 'WRITE',
    operationParameters: { mode: 'Append' },
    operationMetrics: { numOutputRows: '2' },
  })
  expect(protocol.protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 })
  expect(JSON.parse(add.add.stats)).toEqual({
    numRecords: 2,
    minValues: { name: 'ann', city: 'oslo', age: 31 },
    maxValues: { name: 'bob', city: 'oslo', age: 31 },
    nullCount: { name: 0, city: 1, age: 1 },
  })
})

test('error and ignore look whether there is a table', async () => {
  await write(two(), 'error')
  await expect(write(two(), 'error')).rejects.toMatchObject({ code: 'DELTA_PATH_EXISTS' })
  await write(two(), 'ignore')
  expect(await place.rows()).toHaveLength(2)
})

test('overwrite replaces the rows; the schema and the partitions only where that is said', async () => {
  await write(two(), 'append')
  await write(frame(['dan', 'bonn', 1]), 'overwrite')
  expect(await place.rows()).toEqual(['{"name":"dan","city":"bonn","age":1}'])
  expect(await place.rows({ versionAsOf: '0' })).toHaveLength(2)
  const other = place.engine.createDataFrame([{ id: 1, day: 'mon' }], { id: t.int(), day: t.string() })
  await expect(write(other, 'overwrite')).rejects.toMatchObject({ code: 'DELTA_NOT_NULL_COLUMN_MISSING' })
  await other.write.format('delta').mode('overwrite').option('overwriteSchema', true).partitionBy('day').save(place.table())
  expect(await place.rows()).toEqual(['{"id":1,"day":"mon"}'])
  expect(await readdir(place.table())).toContain('day=mon')
  expect(await place.rows({ versionAsOf: '0' })).toHaveLength(2)
})

test('new columns come in with mergeSchema; columns are found by name, in any order and case', async () => {
  await write(two(), 'append')
  const more = place.engine.createDataFrame([{ AGE: 5n, Name: 'eve', more: 'x' }], { AGE: t.long(), Name: t.string(), more: t.string() })
  await expect(write(more, 'append')).rejects.toMatchObject({ code: 'DELTA_SCHEMA_MISMATCH' })
  await write(more, 'append', { mergeSchema: true })
  expect(await place.rows()).toContain('{"name":"eve","city":null,"age":5,"more":"x"}')
  const add = (await place.commit(1)).find((action: any) => action.add)
  expect(JSON.parse(add.add.stats).minValues).toEqual({ name: 'eve', age: 5, more: 'x' })
})

test('replaceWhere replaces the rows for which it is true, and takes no others', async () => {
  await write(frame(['ann', 'oslo', 1], ['bob', 'rome', 2], ['cid', 'oslo', 3]), 'append')
  await expect(write(frame(['dan', 'bonn', 1]), 'overwrite', { replaceWhere: "city = 'oslo'" })).rejects.toMatchObject({
    code: 'DELTA_REPLACE_WHERE_MISMATCH',
  })
  await write(frame(['dan', 'oslo', 9]), 'overwrite', { replaceWhere: "city = 'oslo'" })
  expect(await place.rows()).toEqual(['{"name":"bob","city":"rome","age":2}', '{"name":"dan","city":"oslo","age":9}'])
  await expect(write(two(), 'append', { replaceWhere: 'age = 1' })).rejects.toMatchObject({ code: 'DELTA_REPLACE_WHERE_IN_APPEND' })
  await expect(write(two(), 'overwrite', { replaceWhere: 'age = 1', overwriteSchema: true })).rejects.toMatchObject({
    code: 'DELTA_REPLACE_WHERE_WITH_DYNAMIC_PARTITION_OVERWRITE',
  })
  await expect(write(two(), 'append', { overwriteSchema: true })).rejects.toMatchObject({ code: 'INVALID_OPTION_VALUE' })
})

test('partitionOverwriteMode dynamic replaces the partitions that the rows fall into', async () => {
  await frame(['ann', 'oslo', 1], ['bob', 'rome', 2], ['cid', null, 3]).write.format('delta').partitionBy('city').save(place.table())
  await write(frame(['dan', 'oslo', 9], ['eve', null, 8]), 'overwrite', { partitionOverwriteMode: 'dynamic' })
  expect(await place.rows()).toEqual([
    '{"name":"bob","city":"rome","age":2}',
    '{"name":"dan","city":"oslo","age":9}',
    '{"name":"eve","city":null,"age":8}',
  ])
  await expect(write(two(), 'overwrite', { partitionOverwriteMode: 'some' })).rejects.toMatchObject({ code: 'INVALID_OPTION_VALUE' })
})

test('a write under txnAppId and txnVersion counts once', async () => {
  for (const version of [1, 1, 0, 2]) await write(frame([`v${version}`, null, null]), 'append', { txnAppId: 'job', txnVersion: version })
  expect(await place.rows()).toEqual(['{"name":"v1","city":null,"age":null}', '{"name":"v2","city":null,"age":null}'])
  await expect(write(two(), 'append', { txnAppId: 'job' })).rejects.toMatchObject({ code: 'DELTA_INVALID_IDEMPOTENT_WRITES_OPTIONS' })
})

test('files are cut by the options, or by the property of the table', async () => {
  const many = place.engine.range(0, 1000)
  await write(many, 'append', { maxRecordsPerFile: 300 })
  expect((await place.commit(0)).filter((action: any) => action.add)).toHaveLength(4)
})

test('properties are given when the table is made, and unknown ones refused', async () => {
  await write(two(), 'append', { 'delta.checkpointInterval': 2, 'delta.enableChangeDataFeed': true })
  expect((await place.commit(0))[1].protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 4 })
  await write(two(), 'append')
  await write(two(), 'append')
  const log = join(place.table(), '_delta_log')
  expect(await readdir(log)).toContain('00000000000000000002.checkpoint.parquet')
  expect(JSON.parse(await readFile(join(log, '_last_checkpoint'), 'utf8'))).toMatchObject({ version: 2 })
  await expect(write(two(), 'append', { 'delta.checkpointInterval': 'often' })).rejects.toMatchObject({ code: 'INVALID_OPTION_VALUE' })
  await write(two(), 'append', { 'delta.checkpointInterval': 2, 'delta.enableChangeDataFeed': true })
  // a table that is there keeps its properties
  for (const other of [{ 'delta.checkpointInterval': 3 }, { 'delta.appendOnly': true }])
    await expect(write(two(), 'overwrite', other)).rejects.toMatchObject({ code: 'DELTA_CREATE_TABLE_WITH_DIFFERENT_PROPERTY' })
  await expect(write(two(), 'append', { 'delta.columnMapping.mode': 'name' })).rejects.toMatchObject({
    code: 'DELTA_UNKNOWN_CONFIGURATION',
  })
})

test('an append-only table is not overwritten', async () => {
  await write(two(), 'append', { 'delta.appendOnly': true })
  await expect(write(two(), 'overwrite')).rejects.toMatchObject({ code: 'DELTA_CANNOT_MODIFY_APPEND_ONLY' })
  await expect(write(frame(['a', 'b', 1]), 'overwrite', { replaceWhere: 'age = 1' })).rejects.toMatchObject({
    code: 'DELTA_CANNOT_MODIFY_APPEND_ONLY',
  })
})

test('what does not go into the table is refused', async () => {
  await write(two(), 'append')
  await expect(write(two().selectExpr('name', 'cast(age as string) as age'), 'append')).rejects.toMatchObject({
    code: 'DELTA_FAILED_TO_MERGE_FIELDS',
  })
  await expect(two().write.format('delta').mode('append').partitionBy('city').save(place.table())).rejects.toMatchObject({
    code: 'DELTA_PARTITION_COLUMNS_MISMATCH',
  })
  await expect(two().write.format('delta').save()).rejects.toMatchObject({ code: 'MISSING_OPTION' })
  await expect(write(two(), 'append', { mergeSchemas: true })).rejects.toMatchObject({ code: 'UNKNOWN_OPTION' })
  expect(await place.rows()).toHaveLength(2)
})

test('a partition of the text that stands for null in the names of folders is no null', async () => {
  const rows = [
    { p: '__HIVE_DEFAULT_PARTITION__', v: 1 },
    { p: null, v: 2 },
  ]
  const frame = place.engine.createDataFrame(rows, { p: t.string().nullable(), v: t.int() })
  await frame.write.format('delta').partitionBy('p').save(place.table())
  expect(await place.rows()).toEqual(rows.map((row) => JSON.stringify(row)).sort())
})

test('a path that goes through a file is told under a code, by batches and by the start of a query', async () => {
  const path = join(place.folder, 'file')
  await writeFile(path, 'x')
  const refused = { code: 'FILE_SYSTEM_ERROR', message: expect.stringContaining('a part of this path is a file') }
  const frame = place.engine.createDataFrame([{ n: 1 }], { n: t.int() })
  await expect(frame.write.format('delta').save(path)).rejects.toMatchObject(refused)
  await expect(frame.write.mode('append').parquet(path)).rejects.toMatchObject(refused)
  await expect(place.engine.read.format('delta').load(path)).rejects.toMatchObject(refused)
  const query = new MemoryStream(place.engine, { n: t.int() }).toDF().writeStream.format('delta')
  await expect(query.option('checkpointLocation', join(place.folder, 'cp')).start(path)).rejects.toMatchObject(refused)
  expect(() => DeltaTable.forPath(place.engine, undefined as never)).toThrow('MISSING_PATH')
})

test('plain files are not written into a table, by a batch or a stream', async () => {
  await write(two(), 'append')
  for (const mode of ['append', 'overwrite'] as const)
    await expect(frame(['cid', 'rome', 7]).write.mode(mode).parquet(place.table()), mode).rejects.toThrow(/DELTA_INVALID_FORMAT/)
  const stream = new MemoryStream(place.engine, people)
  const started = stream
    .toDF()
    .writeStream.option('checkpointLocation', `${place.table()}-checkpoint`)
    .format('parquet')
    .start(place.table())
  await expect(started).rejects.toThrow(/DELTA_INVALID_FORMAT/)
  expect(await place.rows()).toHaveLength(2)
})

test('a table is not read as plain files, by a batch or a stream; a pattern takes the files as such', async () => {
  await write(two(), 'append')
  await write(two(), 'overwrite')
  const refused = { code: 'DELTA_INVALID_FORMAT', todo: expect.stringContaining("format('delta')") }
  await expect(place.engine.read.parquet(place.table(), people).collect()).rejects.toMatchObject(refused)
  await expect(place.engine.read.format('parquet').load(place.table())).rejects.toMatchObject(refused)
  const started = place.engine.readStream
    .schema(people)
    .parquet(place.table())
    .writeStream.option('checkpointLocation', `${place.table()}-checkpoint`)
    .format('noop')
    .start()
  await expect(started).rejects.toMatchObject(refused)
  expect(await place.engine.read.parquet(`${place.table()}/*.parquet`, people).collect()).toHaveLength(4)
  const [file] = (await readdir(place.table())).filter((name) => name.endsWith('.parquet'))
  expect(await place.engine.read.parquet(join(place.table(), file!), people).collect()).not.toHaveLength(0)
})
