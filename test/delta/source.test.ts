import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, MemoryStream, millrace, t } from 'millrace'
import 'millrace/delta'
import { afterEach, beforeEach, expect, test } from 'vitest'

let engine: Engine
let folder: string
let input: MemoryStream<any>
const place = (name: string) => join(folder, name)
beforeEach(async () => {
  engine = await millrace.local()
  folder = await mkdtemp(join(tmpdir(), 'millrace-delta-source-'))
  input = new MemoryStream(engine, { n: t.long(), part: t.string() })
})
afterEach(async () => {
  await engine.close()
  await rm(folder, { recursive: true, force: true })
})

/** A table with a commit for each list of numbers. */
async function writeTable(...batches: readonly (readonly number[])[]): Promise<void> {
  const query = await input
    .toDF()
    .writeStream.option('checkpointLocation', place('writer'))
    .partitionBy('part')
    .format('delta')
    .start(place('table'))
  for (const batch of batches) {
    input.addData(...batch.map((n) => ({ n, part: n % 2 === 0 ? 'even' : 'odd' })))
    await query.processAllAvailable()
  }
  await query.stop()
}
/** Appends a commit that another writer might have made. */
async function commit(version: number, ...actions: readonly object[]): Promise<void> {
  await writeFile(
    join(place('table'), '_delta_log', `${String(version).padStart(20, '0')}.json`),
    actions.map((action) => JSON.stringify(action)).join('\n'),
  )
}
async function run(options: Record<string, string | number | boolean> = {}, out = 'out') {
  const query = await engine.readStream
    .format('delta')
    .options(options)
    .load(place('table'))
    .writeStream.option('checkpointLocation', place(`reader-${out}`))
    .trigger({ availableNow: true })
    .format('delta')
    .start(place(out))
  await query.awaitTermination()
  return query
}
const numbersIn = async (name: string) =>
  (await (await engine.read.format('delta').load(place(name))).collect()).map((row) => Number(row['n'])).sort((a, b) => a - b)

test('the rows that are there, then what commits add; a restart goes on where it stopped', async () => {
  await writeTable([1, 2], [3])
  await run()
  expect(await numbersIn('out')).toEqual([1, 2, 3])
  await writeTable([4], [5, 6])
  const query = await run()
  expect(await numbersIn('out')).toEqual([1, 2, 3, 4, 5, 6])
  expect(query.lastProgress?.sources[0]).toMatchObject({
    description: `DeltaSource[${place('table')}]`,
    endOffset: { reservoirVersion: 4, index: -1 },
  })
  expect((await run()).recentProgress.filter((progress) => progress.numInputRows > 0)).toEqual([])
})

test('limits of files and of bytes', async () => {
  await writeTable([1, 2], [3, 4], [5])
  const rows = (query: Awaited<ReturnType<typeof run>>) => query.recentProgress.map((progress) => progress.numInputRows)
  expect(rows(await run({ maxFilesPerTrigger: 1 }, 'a'))).toEqual([1, 1, 1, 1, 1])
  expect(rows(await run({ maxFilesPerTrigger: 3 }, 'b'))).toEqual([3, 2])
  expect(rows(await run({ maxBytesPerTrigger: '1b' }, 'c'))).toEqual([1, 1, 1, 1, 1])
  for (const out of ['a', 'b', 'c']) expect(await numbersIn(out)).toEqual([1, 2, 3, 4, 5])
})

test('a first batch that was not committed is the same when it is run again, though the table has grown', async () => {
  await writeTable([1, 2], [3])
  await run()
  await rm(join(place('reader-out'), 'commits', '0'))
  await writeTable([4])
  await run()
  expect(await numbersIn('out')).toEqual([1, 2, 3, 4])
})

test('a first batch whose beginning nobody knows any more is refused', async () => {
  await writeTable([1, 2])
  await run()
  await rm(join(place('reader-out'), 'commits', '0'))
  await rm(join(place('reader-out'), 'sources', '0', '0'))
  await writeTable([3])
  await expect(run()).rejects.toMatchObject({ code: 'BATCH_METADATA_NOT_FOUND' })
  expect(await numbersIn('out')).toEqual([1, 2])
})

test('it starts at a version, at a time, or with what comes', async () => {
  await writeTable([1], [2], [3])
  await run({ startingVersion: 1 }, 'a')
  expect(await numbersIn('a')).toEqual([2, 3])
  await run({ startingTimestamp: '2020-01-01' }, 'b')
  expect(await numbersIn('b')).toEqual([1, 2, 3])
  await run({ startingVersion: 'latest' }, 'c')
  await writeTable([4])
  await run({ startingVersion: 'latest' }, 'c')
  expect(await numbersIn('c')).toEqual([4])
  await expect(run({ startingVersion: 9 }, 'd')).rejects.toMatchObject({ code: 'DELTA_VERSION_NOT_FOUND' })
  await expect(run({ startingTimestamp: '2100-01-01' }, 'e')).rejects.toMatchObject({ code: 'DELTA_TIMESTAMP_NOT_FOUND' })
})

test('removed and changed rows stop the stream unless it was told what to do with them', async () => {
  await writeTable([1], [2])
  await run({}, 'a')
  const file = async () => {
    const name = (await readdir(join(place('table'), 'part=odd')))[0]!
    return `part=odd/${name}`
  }
  const remove = { remove: { path: await file(), deletionTimestamp: 1, dataChange: true, partitionValues: { part: 'odd' }, size: 1 } }
  await commit(2, remove)
  await expect(run({}, 'a')).rejects.toMatchObject({ code: 'DELTA_SOURCE_IGNORE_DELETE' })
  await run({ ignoreDeletes: true }, 'a')
  expect(await numbersIn('a')).toEqual([1, 2])
  expect(await numbersIn('table')).toEqual([2])
  const add = { add: { path: await file(), partitionValues: { part: 'odd' }, size: 500, modificationTime: 1, dataChange: true } }
  await commit(3, remove, add)
  await expect(run({ ignoreDeletes: true }, 'a')).rejects.toMatchObject({ code: 'DELTA_SOURCE_TABLE_IGNORE_CHANGES' })
  await run({ skipChangeCommits: true }, 'a')
  expect(await numbersIn('a')).toEqual([1, 2])
  await run({ ignoreDeletes: true, ignoreChanges: true }, 'b')
  expect(await numbersIn('b')).toEqual([1, 2])
})

test('changed columns stop the stream; started again it goes on with them', async () => {
  await writeTable([1])
  const wide = new MemoryStream<any>(engine, { n: t.long(), part: t.string(), more: t.string().nullable() })
  const query = await engine.readStream
    .format('delta')
    .load(place('table'))
    .writeStream.option('checkpointLocation', place('reader-out'))
    .option('mergeSchema', true)
    .format('delta')
    .start(place('out'))
  await query.processAllAvailable()
  const writer = await wide
    .toDF()
    .writeStream.option('checkpointLocation', place('writer-2'))
    .option('mergeSchema', true)
    .format('delta')
    .start(place('table'))
  wide.addData({ n: 2, part: 'even', more: 'x' })
  await writer.processAllAvailable()
  await writer.stop()
  await expect(query.awaitTermination()).rejects.toMatchObject({ code: 'DELTA_SCHEMA_CHANGED_WITH_VERSION' })
  const again = await engine.readStream
    .format('delta')
    .load(place('table'))
    .writeStream.option('checkpointLocation', place('reader-out'))
    .option('mergeSchema', true)
    .trigger({ availableNow: true })
    .format('delta')
    .start(place('out'))
  await again.awaitTermination()
  const rows = await (await engine.read.format('delta').load(place('out'))).collect()
  expect(rows.map((row) => [Number(row['n']), row['more']]).sort()).toEqual([
    [1, null],
    [2, 'x'],
  ])
})

test('a table that was made anew under the same path is not taken for the old one', async () => {
  await writeTable([1])
  await run()
  await rm(place('table'), { recursive: true })
  await rm(place('writer'), { recursive: true })
  await writeTable([7])
  await expect(run()).rejects.toMatchObject({ code: 'DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE' })
  expect(await numbersIn('out')).toEqual([1])
})

test('a table read as a batch has the columns of the query by their names, whatever became of it since', async () => {
  const write = (columns: string) =>
    engine.sql(`SELECT ${columns}`).write.format('delta').mode('overwrite').option('overwriteSchema', true).save(place('changing'))
  await write("'x' AS a, 'y' AS b")
  const frame = await engine.read.format('delta').load(place('changing'))
  await write("1 AS c, 'y' AS b, 'x' AS a")
  expect(await frame.collect()).toEqual([{ a: 'x', b: 'y' }])
  expect(await (engine.read.format('delta').schema({ b: t.string() }).load(place('changing')) as any).collect()).toEqual([{ b: 'y' }])
  const code = 'DELTA_SCHEMA_CHANGE_SINCE_ANALYSIS'
  await write("1 AS a, 'y' AS b")
  await expect(frame.collect()).rejects.toMatchObject({ code, message: expect.stringContaining('a string') })
  await write("'y' AS b")
  await expect(frame.collect()).rejects.toMatchObject({ code })
  await write("'x' AS a, nullif('y', 'y') AS b")
  await expect(frame.collect()).rejects.toMatchObject({ code, message: expect.stringContaining('NOT NULL') })
})
