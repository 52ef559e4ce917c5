import { appendFile, mkdir, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import { FencedError } from '../base/errors.ts'
import { LocalFiles } from '../base/local-files.ts'
import { Schema } from '../data/schema.ts'
import { runChecks } from '../testing/conformance.ts'
import { FilesCrash, failingFiles } from '../testing/failing-files.ts'
import { sourceConformance } from '../testing/source-conformance.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { fileSourceProvider } from './file-source-provider.ts'
import type { SourceContext } from './provider.ts'
import type { Offset, ReadLimit, Source } from './source.ts'

const schema = new Schema([{ name: 'n', type: 'long', nullable: true }])
const all: ReadLimit = { kind: 'all' }

interface Setup {
  readonly in: string
  readonly log: string
  open(more?: Partial<SourceContext>): Promise<Source>
  put(name: string, at?: number, content?: string): Promise<void>
}

async function setup(folder: string, options: Record<string, string> = {}): Promise<Setup> {
  const [input, log] = [join(folder, 'in'), join(folder, 'checkpoint/sources/0')]
  await mkdir(input, { recursive: true })
  const context: SourceContext = {
    format: 'json',
    schema,
    options: { path: input, ...options },
    metadataFolder: log,
    files: new LocalFiles(),
    clock: new ManualClock(1e12),
    checkFence: async () => {},
    conf: () => undefined,
  }
  return {
    in: input,
    log,
    open: (more = {}) => fileSourceProvider.open({ ...context, ...more }),
    async put(name, at, content = '{"n":1}\n') {
      await mkdir(join(input, name, '..'), { recursive: true })
      await writeFile(join(input, name), content)
      if (at !== undefined) await utimes(join(input, name), at, at)
    },
  }
}

async function names(source: Source, start: Offset | null, end: Offset): Promise<string[]> {
  const batch = await source.rows(start, end)
  if (batch.kind !== 'files') throw new Error(batch.kind)
  return batch.files.map((file) => basename(file.path))
}
/** The files of each batch until nothing is left. */
async function drain(
  source: Source,
  start: Offset | null = null,
  limit = source.readLimit,
): Promise<{ batches: string[][]; end: Offset | null }> {
  const batches: string[][] = []
  for (let end = start; ; ) {
    const next = await source.latestOffset(end, limit)
    if (JSON.stringify(next) === JSON.stringify(end)) return { batches, end }
    batches.push(await names(source, end, next!))
    if (batches.length > 100) throw new Error('the source has no end')
    end = next
  }
}

describe('conformance', () => {
  for (const [title, options] of [
    ['one file a batch', { maxFilesPerTrigger: '1' }],
    ['bytes', { maxBytesPerTrigger: '20' }],
    ['newest first', { latestFirst: 'true', maxFilesPerTrigger: '1' }],
  ] as const) {
    describe(title, () => {
      runChecks(
        sourceConformance(async () => {
          const folder = await tempFolder()
          const it = await setup(folder.path, options)
          let count = 0
          return {
            open: () => it.open(),
            addData: async () => {
              for (let i = 0; i < 2; i++) await it.put(`${String(count++).padStart(3, '0')}.json`, 1e9 + count, `{"n":${count}}\n`)
            },
            limit: 'maxBytesPerTrigger' in options ? { kind: 'max-bytes', bytes: 20 } : { kind: 'max-files', count: 1 },
            close: folder.remove,
          }
        }),
        { test, skip: test.skip },
      )
    })
  }
})

test('files come by modification time, then path; hidden and temporary ones do not', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  for (const [name, at] of [
    ['c', 1],
    ['b', 2],
    ['a', 2],
    ['.hidden', 1],
    ['_SUCCESS', 1],
    ['x.tmp', 1],
    ['y._COPYING_', 1],
  ] as const)
    await it.put(name, at)
  await it.put('sub/deep', 1)
  await it.put('_p=1/q', 3)
  expect((await drain(await it.open())).batches).toEqual([['c', 'a', 'b', 'q']])
})

test('L3: one file a trigger, the oldest first, or with latestFirst the newest', async () => {
  for (const [latestFirst, expected] of [
    ['false', [['1.txt'], ['2.txt']]],
    ['true', [['2.txt'], ['1.txt']]],
  ] as const) {
    await using folder = await tempFolder()
    const it = await setup(folder.path, { latestFirst, maxFilesPerTrigger: '1' })
    await it.put('1.txt', 100)
    await it.put('2.txt', 200)
    expect((await drain(await it.open())).batches).toEqual(expected)
  }
})

test('the log of files seen is Spark’s, with the size besides', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  const source = await it.open()
  expect(await source.latestOffset(null, all)).toBeNull()
  await expect(readdir(it.log)).rejects.toThrow('ENOENT')
  await it.put('a [1]%.json', 1234.5)
  expect(await source.latestOffset(null, all)).toEqual({ logOffset: 0 })
  const text = await readFile(join(it.log, '0'), 'utf8')
  expect(text.slice(0, -'"00000000"}'.length)).toBe(
    `v1\n{"path":"file://${it.in}/a%20%5B1%5D%25.json","timestamp":1234500,"batchId":0,"size":8,"last":true,"crc32":`,
  )
  expect(await names(await it.open(), null, { logOffset: 0 })).toEqual(['a [1]%.json'])
  expect(source.description).toBe(`FileStreamSource[${it.in}]`)
})

test('a log that Spark wrote goes on', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  await it.put('old.json', 100)
  await it.put('new.json', 200)
  await mkdir(it.log, { recursive: true })
  await writeFile(join(it.log, '0'), `v1\n{"path":"file://${it.in}/old.json","timestamp":100000,"batchId":0}`)
  const source = await it.open()
  expect(await names(source, null, { logOffset: 0 })).toEqual(['old.json'])
  expect(await drain(source, { logOffset: 0 })).toEqual({ batches: [['new.json']], end: { logOffset: 1 } })
})

test('entries whose offset was never planned come next, within the limit one by one, and nothing twice', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path, { maxFilesPerTrigger: '1' })
  for (const name of ['a', 'b', 'c', 'd']) await it.put(name, name.charCodeAt(0))
  const first = await it.open()
  expect(await first.latestOffset(null, first.readLimit)).toEqual({ logOffset: 0 })
  expect(await first.latestOffset({ logOffset: 0 }, first.readLimit)).toEqual({ logOffset: 1 })
  expect(await first.latestOffset({ logOffset: 0 }, first.readLimit)).toEqual({ logOffset: 1 })
  const second = await it.open()
  expect((await drain(second, null)).batches).toEqual([['a'], ['b'], ['c'], ['d']])
  const third = await it.open()
  expect(await third.latestOffset({ logOffset: 0 }, all)).toEqual({ logOffset: 3 })
})

test('compaction and cleaning keep every file known, and replay what was planned last', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  const conf = (key: string) =>
    ({
      'spark.sql.streaming.fileSource.log.compactInterval': '3',
      'spark.sql.streaming.fileSource.log.cleanupDelay': '0ms',
      'spark.sql.streaming.minBatchesToRetain': '2',
    })[key]
  let source = await it.open({ conf, clock: new ManualClock(Date.now() + 1e6) })
  let start: Offset | null = null
  for (let i = 0; i < 20; i++) {
    await it.put(`${i}.json`, 1000 + i)
    const end: Offset | null = await source.latestOffset(start, all)
    expect(await names(source, start, end!)).toEqual([`${i}.json`])
    if (start !== null) await source.commit(start)
    if (i % 7 === 6) source = await it.open({ conf, clock: new ManualClock(Date.now() + 1e6) })
    expect(await names(source, start, end!)).toEqual([`${i}.json`])
    start = end
  }
  expect((await readdir(it.log)).sort()).toEqual(['17.compact', '18', '19'])
  expect(await source.latestOffset(start, all)).toEqual(start)
})

test('maxFilesPerTrigger reuses a listing while enough is left; what came meanwhile is still read', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path, { maxFilesPerTrigger: '2' })
  for (const n of [1, 2, 3, 4, 5]) await it.put(`${n}`, n)
  const source = await it.open()
  const first = await source.latestOffset(null, source.readLimit)
  expect(source.metrics!(first)).toMatchObject({ numFilesOutstanding: '3', numBytesOutstanding: '24' })
  await it.put('0', 0.5)
  expect((await drain(source, first)).batches).toEqual([['3', '4'], ['5'], ['0']])
})

test('maxBytesPerTrigger takes at least one file', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path, { maxBytesPerTrigger: '10' })
  for (const [name, bytes] of [
    ['a', 100],
    ['b', 4],
    ['c', 6],
    ['d', 1],
  ] as const)
    await it.put(name, name.charCodeAt(0), `${'x'.repeat(bytes)}`)
  expect((await drain(await it.open())).batches).toEqual([['a'], ['b', 'c'], ['d']])
})

test('maxFileAge: what is much older than the newest file is not read, but for the first batch', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path, { maxFileAge: '1h' })
  await it.put('ancient', 1000)
  await it.put('new', 100_000)
  let source = await it.open()
  expect(await drain(source)).toMatchObject({ batches: [['ancient', 'new']] })
  await it.put('tooOld', 90_000)
  await it.put('oldEnough', 99_000)
  expect((await drain(source, { logOffset: 0 })).batches).toEqual([['oldEnough']])
  source = await it.open()
  expect((await drain(source, { logOffset: 1 })).batches).toEqual([])
})

test('fileNameOnly: a name is read once, wherever it lies', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path, { fileNameOnly: 'true', recursiveFileLookup: 'true' })
  await it.put('x/a', 1)
  const source = await it.open()
  expect(await drain(source)).toMatchObject({ batches: [['a']] })
  await it.put('y/a', 2)
  await it.put('y/b', 2)
  expect((await drain(source, { logOffset: 0 })).batches).toEqual([['b']])
})

test('pathGlobFilter, recursiveFileLookup, partition folders and patterns in the path', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  for (const name of ['a.json', 'b.csv', 'sub/c.json', 'day=1/d.json', '2024/01/e.json', '2024/02/f.json', '2025/01/g.json'])
    await it.put(name, 1)
  const found = async (options: Record<string, string>) =>
    (await drain(await it.open({ options, metadataFolder: join(folder.path, String(Math.random())) }))).batches.flat().sort()
  expect(await found({ path: it.in, pathGlobFilter: '*.json' })).toEqual(['a.json', 'd.json'])
  expect(await found({ path: it.in, PATHGLOBFILTER: '*.{json,xml}', recursiveFileLookup: 'true' })).toEqual([
    'a.json',
    'c.json',
    'd.json',
    'e.json',
    'f.json',
    'g.json',
  ])
  expect(await found({ path: `${it.in}/2024/*` })).toEqual(['e.json', 'f.json'])
  expect(await found({ path: `${it.in}/{2024/02,2025/0[1-3]}/?.json` })).toEqual(['f.json', 'g.json'])
  expect(await found({ path: `${it.in}/*` })).toEqual(['a.json', 'b.csv', 'c.json', 'd.json'])
  expect(await found({ path: `${it.in}/a.json` })).toEqual(['a.json'])
  expect(await found({ path: `file://${it.in}/a.json` })).toEqual(['a.json'])
  expect(await found({ path: `${it.in}/nothing/*` })).toEqual([])
  expect(await found({ path: `${it.in}/\\a.jso\\n` })).toEqual(['a.json'])
  await expect(found({ path: `${it.in}/nothing` })).rejects.toThrow(/PATH_NOT_FOUND/)
})

test('an output folder is read through its log, also after it was compacted', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  const line = (name: string, action = 'add') =>
    JSON.stringify({
      path: `file://${it.in}/${name}`,
      size: 8,
      isDir: false,
      modificationTime: 5000,
      blockReplication: 1,
      blockSize: 1,
      action,
    })
  for (const name of ['a', 'b', 'c', 'litter']) await it.put(name, 5)
  await mkdir(join(it.in, '_spark_metadata'))
  const source = await it.open()
  expect((await drain(source)).batches).toEqual([])
  await writeFile(join(it.in, '_spark_metadata/0'), `v1\n${line('a')}\n${line('b')}\n${line('b', 'delete')}`)
  expect(await drain(source)).toMatchObject({ batches: [['a']] })
  await writeFile(join(it.in, '_spark_metadata/1.compact'), `v1\n${line('a')}\n${line('c')}`)
  await rm(join(it.in, '_spark_metadata/0'))
  expect((await drain(source, { logOffset: 0 })).batches).toEqual([['c']])
  expect((await drain(await it.open(), { logOffset: 1 })).batches).toEqual([])
})

test('a file that vanished or changed before its batch is an UnavailableError that names it', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  await it.put('a')
  const source = await it.open()
  const end = await source.latestOffset(null, all)
  await appendFile(join(it.in, 'a'), 'more')
  await expect(source.rows(null, end)).rejects.toMatchObject({
    name: 'UnavailableError',
    code: 'FAILED_READ_FILE.FILE_CHANGED',
    message: expect.stringMatching(/in\/a had 8 bytes.*has 12/),
  })
  await writeFile(join(it.in, 'a'), 'other xx')
  await utimes(join(it.in, 'a'), 1, 1)
  await expect(source.rows(null, end)).rejects.toMatchObject({
    code: 'FAILED_READ_FILE.FILE_CHANGED',
    message: expect.stringMatching(/in\/a was written at .* again at 1970-01-01T00:00:01/),
  })
  await rename(join(it.in, 'a'), join(it.in, 'b'))
  await expect((await it.open()).rows(null, end)).rejects.toMatchObject({
    name: 'UnavailableError',
    code: 'FAILED_READ_FILE.FILE_NOT_EXIST',
    message: expect.stringContaining('in/a'),
  })
})

test('a run that was superseded writes no entry; one whose predecessor wrote late goes on from there', async () => {
  await using folder = await tempFolder()
  const it = await setup(folder.path)
  await it.put('a', 1)
  const fenced = await it.open({
    checkFence: async () => {
      throw new FencedError('X', { what: 'w', todo: 't' })
    },
  })
  await expect(fenced.latestOffset(null, all)).rejects.toBeInstanceOf(FencedError)
  await expect(readdir(it.log)).rejects.toThrow('ENOENT')
  const older = await it.open()
  const newer = await it.open()
  expect(await older.latestOffset(null, all)).toEqual({ logOffset: 0 })
  await it.put('b', 2)
  expect(await newer.latestOffset(null, all)).toEqual({ logOffset: 1 })
  expect(await names(newer, null, { logOffset: 1 })).toEqual(['a', 'b'])
  expect((await drain(await it.open(), null, { kind: 'max-files', count: 1 })).batches).toEqual([['a'], ['b']])
})

test('a crash before and after every change loses no file and reads none twice', async () => {
  for (const when of ['before', 'after'] as const) {
    for (const at of [1, 2, 3]) {
      await using folder = await tempFolder()
      const it = await setup(folder.path, { maxFilesPerTrigger: '1' })
      for (const n of [1, 2, 3, 4]) await it.put(`${n}`, n)
      const dying = await it.open({ files: failingFiles(new LocalFiles(), at, when) })
      let start: Offset | null = null
      const read: string[] = []
      try {
        for (;;) {
          const end: Offset | null = await dying.latestOffset(start, dying.readLimit)
          read.push(...(await names(dying, start, end!)))
          start = end
        }
      } catch (error) {
        expect(error).toBeInstanceOf(FilesCrash)
      }
      expect([...read, ...(await drain(await it.open(), start)).batches.flat()]).toEqual(['1', '2', '3', '4'])
    }
  }
})

describe('what cannot be trusted is refused', () => {
  test('an offset beyond the log', async () => {
    await using folder = await tempFolder()
    const it = await setup(folder.path)
    await it.put('a')
    const source = await it.open()
    await expect(source.latestOffset({ logOffset: 3 }, all)).rejects.toMatchObject({
      code: 'SOURCE_LOG_BEHIND_OFFSETS',
      message: expect.stringContaining(it.log),
    })
    await expect(source.rows(null, { logOffset: 0 })).rejects.toMatchObject({ code: 'BATCH_METADATA_NOT_FOUND' })
  })
  test('a torn log', async () => {
    await using folder = await tempFolder()
    const it = await setup(folder.path)
    await mkdir(it.log, { recursive: true })
    await writeFile(join(it.log, '0'), 'v1\n{"path":"file:///x","timest')
    await expect(it.open()).rejects.toMatchObject({ name: 'CorruptCheckpointError', code: 'MALFORMED_LOG_FILE' })
  })
})

describe('options', () => {
  const cases: [Record<string, string>, string, RegExp][] = [
    [{}, 'MISSING_OPTION', /path/],
    [{ path: 'in', maxFilePerTrigger: '1' }, 'UNKNOWN_OPTION', /maxFilesPerTrigger/],
    [{ path: 'in', maxFilesPerTrigger: '0' }, 'INVALID_OPTION_VALUE', /"0"/],
    [{ path: 'in', maxFilesPerTrigger: '1', maxBytesPerTrigger: '1' }, 'INCOMPATIBLE_OPTIONS', /both/],
    [{ path: 'in', latestFirst: 'yes' }, 'INVALID_OPTION_VALUE', /true or false/],
    [{ path: 'in', maxFileAge: 'soon' }, 'INVALID_OPTION_VALUE', /soon/],
    [{ path: 'in', cleanSource: 'move' }, 'INVALID_OPTION_VALUE', /move/],
    [{ path: 'in', modifiedBefore: '2020' }, 'UNSUPPORTED_OPTION', /modifiedBefore/],
    [{ path: 'in', discardCachedInputRatio: '2' }, 'INVALID_OPTION_VALUE', /from 0 to 1/],
  ]
  for (const [options, code, message] of cases) {
    test(JSON.stringify(options), () => {
      expect(() => fileSourceProvider.schemaOf('json', schema, options)).toThrow(
        expect.objectContaining({ name: 'InvalidQueryError', code, message: expect.stringMatching(message) }),
      )
    })
  }
  test('a schema is needed, and its columns may be null', () => {
    const given = new Schema([{ name: 'a', type: { kind: 'array', element: 'int', containsNull: false }, nullable: false }])
    expect(fileSourceProvider.schemaOf('json', given, { path: 'in' }).fields).toEqual([
      { name: 'a', type: { kind: 'array', element: 'int', containsNull: true }, nullable: true },
    ])
    expect(() => fileSourceProvider.schemaOf('json', undefined, { path: 'in' })).toThrow(
      expect.objectContaining({ code: 'UNABLE_TO_INFER_SCHEMA' }),
    )
    expect(fileSourceProvider.schemaOf('text', undefined, { path: 'in' }).names).toEqual(['value'])
    expect(() => fileSourceProvider.schemaOf('text', schema, { path: 'in' })).toThrow(
      expect.objectContaining({ code: 'INVALID_SCHEMA.TEXT' }),
    )
  })
})
