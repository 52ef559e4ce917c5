import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { FencedError } from '../base/errors.ts'
import type { Files } from '../base/files.ts'
import { LocalFiles } from '../base/local-files.ts'
import { filesOfSinkLog } from '../data/file-sink-log.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { runChecks } from '../testing/conformance.ts'
import { ObjectRowSet } from '../testing/object-row-set.ts'
import { numbersOf, sinkConformance } from '../testing/sink-conformance.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { fileSinkProvider } from './file-sink.ts'
import type { Sink, SinkBatch, SinkContext } from './sink.ts'

const schema = new Schema([
  { name: 'n', type: 'long', nullable: false },
  { name: 'p', type: 'string', nullable: true },
])
const queryId = '1f2e3d4c-0000-4000-8000-000000000000'

function context(folder: string, more: Partial<SinkContext> = {}): SinkContext {
  return {
    format: 'json',
    schema,
    options: { path: join(folder, 'out') },
    partitionBy: [],
    outputMode: 'append',
    queryId,
    queryName: null,
    epoch: 1,
    recovering: false,
    files: new LocalFiles(),
    clock: new ManualClock(Date.now()),
    checkFence: async () => {},
    conf: () => undefined,
    print: () => {},
    ...more,
  }
}
const batch = (batchId: number, ...rows: Row[]): SinkBatch => ({ batchId, rows: new ObjectRowSet(schema, rows), outputMode: 'append' })

/** What a reader finds that follows the log. */
async function visible(folder: string): Promise<Row[]> {
  const files = (await filesOfSinkLog(join(folder, 'out'), new LocalFiles())) ?? []
  const texts = await Promise.all(files.map((file) => readFile(file.path, 'utf8')))
  return texts.flatMap((text) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row),
  )
}
async function filesBelow(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  return names
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(folder.length + 1))
    .sort()
}

for (const [title, partitionBy] of [
  ['in one folder', []],
  ['by partition', ['p']],
] as const) {
  describe(`conformance, ${title}`, () => {
    runChecks(
      sinkConformance(
        async () => {
          const folder = await tempFolder()
          return {
            open: (run) => fileSinkProvider.open(context(folder.path, { ...run, partitionBy, files: run.wrapFiles(new LocalFiles()) })),
            rows: (numbers) =>
              new ObjectRowSet(
                schema,
                numbers.map((n) => ({ n, p: n % 2 ? 'odd' : 'even' })),
              ),
            visible: async () => numbersOf(await visible(folder.path)),
            close: folder.remove,
          }
        },
        { guarantee: 'exactly-once' },
      ),
      { test, skip: test.skip },
    )
  })
}

test('the log is Spark’s: v1, a line for each file, a file for each batch, a compaction every ten', async () => {
  await using folder = await tempFolder()
  const sink = await fileSinkProvider.open(context(folder.path))
  await sink.addBatch(batch(0, { n: 1, p: 'a b' }))
  await sink.addBatch(batch(1))
  const log = join(folder.path, 'out/_spark_metadata')
  const part = join(folder.path, 'out/part-00000-b0-e1-1f2e3d4c.json')
  const { mtimeMs, size } = await stat(part)
  const text = await readFile(join(log, '0'), 'utf8')
  expect(text.slice(0, -'"00000000"}'.length)).toBe(
    `v1\n{"path":"file://${part}","size":${size},"isDir":false,"modificationTime":${Math.floor(mtimeMs)},"blockReplication":1,"blockSize":33554432,"action":"add","last":true,"crc32":`,
  )
  expect(await readFile(join(log, '1'), 'utf8')).toBe('v1')
  for (let batchId = 2; batchId < 11; batchId++) await sink.addBatch(batch(batchId, { n: batchId }))
  expect((await readdir(log)).sort()).toEqual(['.millrace-query', '0', '1', '10', '2', '3', '4', '5', '6', '7', '8', '9.compact'])
  expect(numbersOf(await visible(folder.path))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
})

test('the rows and files that were written are reported', async () => {
  await using folder = await tempFolder()
  const sink = await fileSinkProvider.open(
    context(folder.path, { partitionBy: ['p'], options: { path: join(folder.path, 'out'), compression: 'gzip' } }),
  )
  expect(sink.description).toBe(`FileSink[${folder.path}/out]`)
  expect(await sink.addBatch(batch(0, { n: 1, p: 'a' }, { n: 2, p: 'a' }, { n: 3, p: 'b/c' }))).toEqual({
    status: 'committed',
    numOutputRows: 3,
  })
  expect((await filesBelow(join(folder.path, 'out'))).filter((name) => !name.startsWith('_'))).toEqual([
    'p=a/part-00000-b0-e1-1f2e3d4c.json.gz',
    'p=b%2Fc/part-00001-b0-e1-1f2e3d4c.json.gz',
  ])
  expect(await sink.addBatch(batch(0, { n: 1, p: 'a' }))).toEqual({ status: 'already-committed', numOutputRows: -1 })
})

test('parts are durable before the log names them, and the fence is looked at before the entry', async () => {
  await using folder = await tempFolder()
  const steps: string[] = []
  const local = new LocalFiles()
  const files: Files = Object.assign(Object.create(local), {
    sync: async (paths: string[]) => {
      steps.push(...paths.map((path) => `sync ${path.slice(folder.path.length)}`))
      await local.sync(paths)
    },
    createExclusive: (path: string, content: string) => {
      steps.push(`create ${path.slice(folder.path.length)}`)
      return local.createExclusive(path, content)
    },
    read: (path: string) => local.read(path),
    list: (path: string) => local.list(path),
    names: (path: string) => local.names(path),
    stat: (path: string) => local.stat(path),
  })
  const sink = await fileSinkProvider.open(context(folder.path, { files, checkFence: async () => void steps.push('fence') }))
  await sink.addBatch(batch(0, { n: 1 }))
  expect(steps).toEqual([
    'fence',
    'create /out/_spark_metadata/.millrace-query',
    'sync /out/part-00000-b0-e1-1f2e3d4c.json',
    'fence',
    'create /out/_spark_metadata/0',
  ])
})

test('a run that was frozen before its entry and thaws after a newer one committed loses, and harms nothing', async () => {
  await using folder = await tempFolder()
  const local = new LocalFiles()
  const frozen = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const freezing: Files = Object.assign(Object.create(local), {
    sync: (paths: string[]) => local.sync(paths),
    stat: (path: string) => local.stat(path),
    createExclusive: async (path: string, content: string) => {
      if (path.endsWith('/0')) {
        reached.resolve()
        await frozen.promise
      }
      return local.createExclusive(path, content)
    },
    read: (path: string) => local.read(path),
    names: (path: string) => local.names(path),
  })
  const older = await fileSinkProvider.open(context(folder.path, { files: freezing }))
  const commit = older.addBatch(batch(0, { n: 1 }))
  commit.catch(() => {})
  await reached.promise
  const newer = await fileSinkProvider.open(context(folder.path, { epoch: 2, recovering: true }))
  await newer.addBatch(batch(0, { n: 1 }))
  await newer.maintain!()
  await newer.stop()
  frozen.resolve()
  await expect(commit).rejects.toMatchObject({ name: 'FencedError', code: 'CONCURRENT_STREAM_LOG_UPDATE' })
  expect(numbersOf(await visible(folder.path))).toEqual([1])
})

test('litter of earlier runs goes; parts of a batch that is not committed yet, and files of others, stay', async () => {
  await using folder = await tempFolder()
  const out = join(folder.path, 'out')
  const first = await fileSinkProvider.open(context(folder.path))
  await first.addBatch(batch(0, { n: 0 }))
  await mkdir(join(out, 'p=x'))
  const litter = ['part-00000-b1-e1-1f2e3d4c.json', 'p=x/part-00003-b1-e1-1f2e3d4c.json']
  const kept = [
    'part-00000-b2-e1-1f2e3d4c.json',
    'part-00000-b1-e1-99999999.json',
    'part-00000-b1-e3-1f2e3d4c.json',
    'part-00000-1f2e3d4c.json',
    'mine.json',
  ]
  for (const name of [...litter, ...kept]) await writeFile(join(out, name), '{"n":666}\n')
  const second = await fileSinkProvider.open(context(folder.path, { epoch: 2, recovering: true }))
  await second.addBatch(batch(1, { n: 1 }))
  await second.maintain!()
  await second.stop()
  expect((await filesBelow(out)).filter((name) => !name.startsWith('_'))).toEqual(
    [...kept, 'part-00000-b0-e1-1f2e3d4c.json', 'part-00000-b1-e2-1f2e3d4c.json'].sort(),
  )
  expect(numbersOf(await visible(folder.path))).toEqual([0, 1])
})

test('retention leaves old entries out at the next compaction', async () => {
  await using folder = await tempFolder()
  const clock = new ManualClock(Date.now())
  const sink = await fileSinkProvider.open(context(folder.path, { clock, options: { path: join(folder.path, 'out'), retention: '1h' } }))
  for (let batchId = 0; batchId < 9; batchId++) await sink.addBatch(batch(batchId, { n: batchId }))
  clock.advance(7_200_000)
  await sink.addBatch(batch(9, { n: 9 }))
  expect(numbersOf(await visible(folder.path))).toEqual([9])
})

describe('the output and the checkpoint must fit', () => {
  async function withLog(last: number, use: (folder: string) => Promise<void>): Promise<void> {
    await using folder = await tempFolder()
    const sink = await fileSinkProvider.open(context(folder.path))
    for (let batchId = 0; batchId <= last; batchId++) await sink.addBatch(batch(batchId, { n: batchId }))
    await use(folder.path)
  }
  const reopen = (folder: string, more: Partial<SinkContext> = {}): Promise<Sink> =>
    fileSinkProvider.open(context(folder, { epoch: 2, ...more }))

  test('another query', () =>
    withLog(0, async (folder) => {
      await expect(reopen(folder, { queryId: 'abc' })).rejects.toMatchObject({
        name: 'InvalidQueryError',
        code: 'SINK_OWNED_BY_ANOTHER_QUERY',
        message: expect.stringMatching(new RegExp(`${queryId}.*abc`)),
      })
    }))
  test('a log of Spark, which says no id, is taken over only where that is asked for', () =>
    withLog(1, async (folder) => {
      await rm(join(folder, 'out/_spark_metadata/.millrace-query'))
      await expect(reopen(folder)).rejects.toMatchObject({ name: 'InvalidQueryError', code: 'SINK_OWNER_UNKNOWN' })
      const sink = await reopen(folder, { options: { path: join(folder, 'out'), adoptOutput: 'true' } })
      expect((await sink.addBatch(batch(1, { n: 1 }))).status).toBe('already-committed')
      await sink.addBatch(batch(2, { n: 2 }))
      await (await reopen(folder)).addBatch(batch(3, { n: 3 }))
      expect(numbersOf(await visible(folder))).toEqual([0, 1, 2, 3])
    }))
  test('an output that is ahead of the checkpoint by more than a batch', () =>
    withLog(3, async (folder) => {
      await expect((await reopen(folder)).addBatch(batch(2, { n: 666 }))).rejects.toMatchObject({
        name: 'CorruptCheckpointError',
        code: 'SINK_AHEAD_OF_CHECKPOINT',
        message: expect.stringMatching(/batch 3.*batch 2/),
      })
    }))
  test('an output that lacks batches', () =>
    withLog(3, async (folder) => {
      await expect((await reopen(folder)).addBatch(batch(6, { n: 666 }))).rejects.toMatchObject({
        name: 'CorruptCheckpointError',
        code: 'SINK_BEHIND_CHECKPOINT',
        message: expect.stringMatching(/batches 4 to 5/),
      })
      expect(numbersOf(await visible(folder))).toEqual([0, 1, 2, 3])
    }))
  test('an empty output of a query that wrote elsewhere before', async () => {
    await using folder = await tempFolder()
    const sink = await fileSinkProvider.open(context(folder.path))
    for (let batchId = 57; batchId < 90; batchId++) await sink.addBatch(batch(batchId, { n: batchId }))
    expect((await readdir(join(folder.path, 'out/_spark_metadata'))).filter((name) => name.endsWith('compact'))).toEqual([
      '57.compact',
      '86.compact',
    ])
    expect((await visible(folder.path)).length).toBe(33)
  })
  test('a torn entry', () =>
    withLog(1, async (folder) => {
      await writeFile(join(folder, 'out/_spark_metadata/1'), '')
      await expect(visible(folder)).rejects.toMatchObject({ code: 'MALFORMED_LOG_FILE' })
    }))
  test('a torn id', () =>
    withLog(1, async (folder) => {
      await writeFile(join(folder, 'out/_spark_metadata/.millrace-query'), 'v1\n{"que')
      await expect(reopen(folder)).rejects.toMatchObject({ name: 'CorruptCheckpointError', code: 'MALFORMED_LOG_FILE' })
    }))
})

test('of two queries that start into one empty folder, the second to write is refused', async () => {
  await using folder = await tempFolder()
  const [one, other] = [
    await fileSinkProvider.open(context(folder.path)),
    await fileSinkProvider.open(context(folder.path, { queryId: 'other' })),
  ]
  await one.addBatch(batch(0, { n: 1 }))
  await expect(other.addBatch(batch(0, { n: 666 }))).rejects.toMatchObject({ code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
  expect(numbersOf(await visible(folder.path))).toEqual([1])
})

test('a fence that fails leaves no entry', async () => {
  await using folder = await tempFolder()
  let calls = 0
  const checkFence = async () => {
    if (++calls === 2) throw new FencedError('CONCURRENT_QUERY', { what: 'newer', todo: 'stop' })
  }
  await expect((await fileSinkProvider.open(context(folder.path, { checkFence }))).addBatch(batch(0, { n: 1 }))).rejects.toBeInstanceOf(
    FencedError,
  )
  expect(await readdir(join(folder.path, 'out/_spark_metadata'))).toEqual(['.millrace-query'])
})

describe('what is wrong is told at the start', () => {
  const cases: [string, Partial<SinkContext>, string][] = [
    ['no path', { options: {} }, 'MISSING_OPTION'],
    ['a misspelt option', { options: { path: 'x', compresion: 'zstd' } }, 'UNKNOWN_OPTION'],
    ['update mode', { outputMode: 'update' }, 'STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE'],
    ['an unknown partition column', { partitionBy: ['q'] }, 'PARTITION_COLUMN_NOT_FOUND_IN_SCHEMA'],
    ['a partition column twice', { partitionBy: ['p', 'p'] }, 'COLUMN_ALREADY_EXISTS'],
    ['nothing but partition columns', { partitionBy: ['p', 'n'] }, 'ALL_PARTITION_COLUMNS_NOT_ALLOWED'],
    ['text of two columns', { format: 'text' }, 'UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE'],
    ['a retention that is none', { options: { path: 'x', retention: 'long' } }, 'INVALID_OPTION_VALUE'],
    [
      'a nested partition column',
      {
        partitionBy: ['a'],
        schema: new Schema([
          { name: 'n', type: 'long', nullable: false },
          { name: 'a', type: { kind: 'array', element: 'int', containsNull: true }, nullable: true },
        ]),
      },
      'INVALID_PARTITION_COLUMN_DATA_TYPE',
    ],
  ]
  for (const [title, more, code] of cases) {
    test(title, async () => {
      await using folder = await tempFolder()
      await expect(fileSinkProvider.open(context(folder.path, more))).rejects.toMatchObject({ name: 'InvalidQueryError', code })
    })
  }
})
