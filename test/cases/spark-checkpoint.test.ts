// `millrace checkpoint import`: real checkpoints of Spark, and queries that go on from them.
import { cp, mkdir, readFile, rm, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { importCheckpoint, t } from 'millrace'
import { expect, test } from 'vitest'
import { runImport } from '../../src/cli/checkpoint-import.ts'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { useEngine } from './harness.ts'
import { useInputFolders } from './input-folder.ts'

const engine = useEngine({ print: () => {} })
const newFolder = useInputFolders()
const spark = (name: string) => join(import.meta.dirname, '..', 'checkpoints', name)

/** The five files that Spark has read, and a move from where it saw them to where they are. */
async function setup(checkpoint: string) {
  const folder = await newFolder()
  for (let n = 0; n < 5; n++) await folder.add(`{"n":${n}}\n`, `f${n}.json`)
  const from = folder.beside('spark')
  await cp(spark(checkpoint), from, { recursive: true })
  return { folder, from, to: folder.beside('new'), moved: [{ from: 'file:///spark/in/', to: `file://${folder.path}/` }] }
}
/** Goes on from a checkpoint; gives the values of each batch by its id. */
async function goOn(path: string, checkpoint: string, shape: 'one' | 'union' | 'named' = 'one') {
  const reader = () => engine().readStream.schema({ n: t.int().nullable() })
  const first = shape === 'named' ? reader().name('clicks').json(path) : reader().option('maxFilesPerTrigger', 1).json(path)
  const batches: Record<string, unknown[]> = {}
  const query = await (shape === 'union' ? first.union(reader().json(path)) : first).writeStream
    .option('checkpointLocation', checkpoint)
    .trigger({ availableNow: true })
    .foreachBatch(async (rows, id) => void (batches[String(id)] = (await rows.collect()).map(({ n }) => n)))
    .start()
  await query.awaitTermination()
  return { batches, id: query.id }
}

test.each(['v1', 'v2'])('offset log %s: the query goes on behind the last batch, reads no file twice and misses none', async (version) => {
  const { folder, from, to, moved } = await setup(`spark-4.2.0/${version}`)
  await folder.add('{"n":5}\n', 'f5.json')
  const report = await importCheckpoint(from, to, moved)
  expect(report).toMatchObject({ nextBatchId: 5, replays: false, sources: [{ name: '0', kind: 'files', offset: { logOffset: 4 } }] })
  expect(report.sources[0]!.taken).toMatch(/log of 5 files/)
  const { batches, id } = await goOn(folder.path, to)
  expect(batches).toEqual({ 5: [5] })
  expect(id).toBe(report.queryId)
  expect(JSON.parse(await readFile(join(from, 'metadata'), 'utf8')).id).toBe(id)
  // the log of files goes on as ours, and is compacted with what Spark wrote
  for (let n = 6; n < 9; n++) await folder.add(`{"n":${n}}\n`, `f${n}.json`)
  expect((await goOn(folder.path, to)).batches).toEqual({ 6: [6], 7: [7], 8: [8] })
  expect((await readFile(join(to, 'sources/0/8.compact'), 'utf8')).split('\n').filter((line) => line.includes('"path"')).length).toBe(9)
})

test('a batch that Spark had planned and not committed is run again, with its offsets and its id', async () => {
  const { folder, from, to, moved } = await setup('spark-4.2.0/v1')
  await unlink(join(from, 'commits/4'))
  await folder.add('{"n":5}\n', 'f5.json')
  expect(await importCheckpoint(from, to, moved)).toMatchObject({ nextBatchId: 4, replays: true })
  expect((await goOn(folder.path, to)).batches).toEqual({ 4: [4], 5: [5] })
})

test('files that Spark had put into its log and not planned come next', async () => {
  const { folder, from, to, moved } = await setup('spark-4.2.0/v1')
  for (const log of ['offsets', 'commits']) await unlink(join(from, log, '4'))
  await importCheckpoint(from, to, moved)
  expect((await goOn(folder.path, to)).batches).toEqual({ 4: [4] })
})

test('several sources go by their place, named ones by their names', async () => {
  const union = await setup('spark-4.2.0/union')
  await union.folder.add('{"n":5}\n', 'f5.json')
  expect((await importCheckpoint(union.from, union.to, union.moved)).sources.map(({ name, offset }) => [name, offset])).toEqual([
    ['0', { logOffset: 4 }],
    ['1', { logOffset: 0 }],
  ])
  expect((await goOn(union.folder.path, union.to, 'union')).batches).toEqual({ 5: [5, 5] })
  const named = await setup('spark-4.2.0/named')
  await named.folder.add('{"n":5}\n', 'f5.json')
  await importCheckpoint(named.from, named.to, named.moved)
  expect((await goOn(named.folder.path, named.to, 'named')).batches).toEqual({ 3: [5] })
})

test('a checkpoint of 2.1.0: offsets of Kafka are kept as JSON; a log of files that is behind them is refused', async () => {
  const { from, to } = await setup('spark-tests/2.1.0')
  await expect(importCheckpoint(from, to)).rejects.toThrow(/SOURCE_LOG_BEHIND_OFFSETS.*345.*ends at 4/s)
  await rm(to, { recursive: true, force: true })
  const text = await readFile(join(from, 'offsets/0'), 'utf8')
  await writeFile(join(from, 'offsets/0'), text.replace('345', '4'))
  const report = await importCheckpoint(from, to)
  expect(report.sources.map(({ kind, offset }) => [kind, offset])).toEqual([
    ['files', { logOffset: 4 }],
    ['kafka', { 'topic-0': { 0: 1 } }],
  ])
  expect(report).toMatchObject({ nextBatchId: 0, replays: true })
  expect(await readFile(join(to, 'offsets/0'), 'utf8')).toMatch(/^v2\n.*\n0:\{"logOffset":4\}\n1:\{"topic-0":\{"0":1\}\}$/)
})

test('what can’t be taken over is refused with the reason, and nothing is made', async () => {
  const refused = async (name: string, message: RegExp) => {
    const { from, to } = await setup(name)
    await expect(importCheckpoint(from, to)).rejects.toThrow(message)
    await expect(readFile(join(to, 'metadata'))).rejects.toThrow(/ENOENT/)
  }
  await refused('spark-4.2.0/stateful', /CHECKPOINT_IMPORT_STATEFUL.*stateStoreSave \(0\)/s)
  await refused('spark-tests/4.0.0-aggregate', /CHECKPOINT_IMPORT_STATEFUL.*stateStoreSave \(0\)/s)
  await refused('spark-tests/2.3.1-aggregate', /CHECKPOINT_IMPORT_STATEFUL.*an operator \(0\)/s)
  await refused('spark-tests/inconsistent', /BATCH_METADATA_NOT_FOUND.*offsets\/3/s)
  const { folder, from, to, moved } = await setup('spark-4.2.0/v1')
  await expect(importCheckpoint(folder.path, to)).rejects.toThrow(/NOT_A_SPARK_CHECKPOINT/)
  await mkdir(to)
  await writeFile(join(to, 'x'), '')
  await expect(importCheckpoint(from, to, moved)).rejects.toThrow(/CHECKPOINT_IMPORT_TARGET_NOT_EMPTY.*\bx\b/s)
  const other = folder.beside('other')
  await importCheckpoint(from, other, moved)
  await goOn(folder.path, other)
  await expect(importCheckpoint(other, folder.beside('third'))).rejects.toThrow(/NOT_A_SPARK_CHECKPOINT.*Millrace/s)
  await expect(importCheckpoint(from, folder.beside('far'), [{ from: 'file:', to: 'hdfs:' }])).rejects.toThrow(
    /CHECKPOINT_IMPORT_REMOTE_FILES.*--move/s,
  )
})

test('the command prints what was taken over and what was not', async () => {
  const { folder, from, to } = await setup('spark-4.2.0/v1')
  let [out, err] = ['', '']
  const terminal = { out: (text: string) => void (out += text), err: (text: string) => void (err += text), isScreen: false, nowMs: () => 0 }
  const run = (moves: string[], json = false, target = to) => runImport({ from, to: target, moves, json }, terminal as never)
  expect(await run(['nonsense'])).toBe(2)
  expect(await run([`file:///spark/in=file://${folder.path}`])).toBe(0)
  expect(out).toMatch(/The next batch is 5\.[\s\S]*source 0, \{"logOffset":4\}: the log of 5 files[\s\S]*Not taken over:[\s\S]*adoptOutput/)
  expect(await run([])).toBe(exitCodes.invalid)
  expect(err).toMatch(/CHECKPOINT_IMPORT_TARGET_NOT_EMPTY/)
  out = ''
  expect(await run([], true, folder.beside('json'))).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ nextBatchId: 5, replays: false })
})
