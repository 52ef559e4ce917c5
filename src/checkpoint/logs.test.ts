import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import type { CommitEntry, OffsetEntry } from './checkpoint.ts'
import { commitFormat } from './commit-log.ts'
import type { LogFile } from './log-text.ts'
import { listBatchIds, MetadataLog } from './metadata-log.ts'
import { offsetFormat } from './offset-log.ts'

const queryId = '0b8a5a54-7b52-4d0b-9c2e-3b1f0a3c9d11'
const fileNamed = (name: string): LogFile => ({ queryId, name, path: `/checkpoint/${name}` })
const bytes = (text: string) => Buffer.from(text)
const corrupt = (code: string, what: string | RegExp) =>
  expect.objectContaining({ name: 'CorruptCheckpointError', code, what: expect.stringMatching(what) })
function errorOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}

const entry: OffsetEntry = {
  batchWatermarkMs: 15_000,
  batchTimestampMs: 1_757_005_984_499,
  conf: { 'spark.sql.shuffle.partitions': '2', 'millrace.keyGroups': '128', 'millrace.salt': '00ff', 'millrace.functionSemantics': '1' },
  sources: { 0: { logOffset: 3 }, ads: null, clicks: { topic: { 0: 123, 1: 45 } } },
  sourceInfo: { 0: { providerName: 'json', apiVersion: 'V1' } },
}
const offsetsGolden = `v2
{"batchWatermarkMs":15000,"batchTimestampMs":1757005984499,"conf":{"spark.sql.shuffle.partitions":"2","millrace.keyGroups":"128","millrace.salt":"00ff","millrace.functionSemantics":"1"},"sourceMetadataInfo":{"0":{"sourceId":"0","providerName":"json","apiVersion":"V1"}},"crc32":"68ac0dc8"}
0:{"logOffset":3}
ads:-
clicks:{"topic":{"0":123,"1":45}}`
const commitGolden = 'v1\n{"nextBatchWatermarkMs":15000,"epoch":3,"crc32":"40ca3957"}'

describe('offsets/N', () => {
  const file = fileNamed('offsets/7')
  const text = offsetFormat.encode(file, entry)

  test('has the text that is promised, and the checksum that it always had', () => {
    expect(text).toBe(offsetsGolden)
  })
  test('comes back as it was', () => {
    expect(offsetFormat.decode(file, bytes(text))).toEqual(entry)
    const bare: OffsetEntry = { batchWatermarkMs: 0, batchTimestampMs: -5, conf: {}, sources: {} }
    expect(offsetFormat.decode(file, bytes(offsetFormat.encode(file, bare)))).toEqual(bare)
  })
  test('comes back as it was, whatever the offsets are', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.oneof(fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/), fc.constant('__proto__')),
          fc.jsonValue({ stringUnit: 'grapheme', depthSize: 'xsmall' }),
        ),
        fc.dictionary(fc.string(), fc.string()),
        fc.maxSafeInteger(),
        (sources, conf, batchWatermarkMs) => {
          const written = { batchWatermarkMs, batchTimestampMs: 1, conf, sources }
          // JSON has no -0, and a "__proto__" of JSON.parse is a property like any other
          expect(offsetFormat.decode(file, bytes(offsetFormat.encode(file, written)))).toEqual(JSON.parse(JSON.stringify(written)))
        },
      ),
      { numRuns: 40 },
    )
  })

  test('is refused when any one byte is changed', () => {
    const content = bytes(text)
    for (let i = 0; i < content.length; i++) {
      const damaged = Buffer.from(content)
      damaged[i]! ^= 1
      expect(
        errorOf(() => offsetFormat.decode(file, damaged)),
        `byte ${i}`,
      ).toMatchObject({ name: 'CorruptCheckpointError', what: expect.stringContaining(file.path) })
    }
  })
  test('is refused when it is cut anywhere', () => {
    const content = bytes(text)
    for (let length = 0; length < content.length; length++) {
      expect(
        errorOf(() => offsetFormat.decode(file, content.subarray(0, length))),
        `${length} bytes`,
      ).toMatchObject({ name: 'CorruptCheckpointError', code: 'MALFORMED_LOG_FILE' })
    }
  })
  test('is refused under another number, and in the checkpoint of another query', () => {
    for (const other of [fileNamed('offsets/8'), fileNamed('commits/7'), { ...file, queryId: queryId.replace('0', '1') }]) {
      expect(errorOf(() => offsetFormat.decode(other, bytes(text)))).toEqual(corrupt('MALFORMED_LOG_FILE', 'checksum'))
    }
  })
  test('is refused, with the file and the reason, when it is', () => {
    const header = '{"batchWatermarkMs":1,"batchTimestampMs":2,"conf":{}}'
    const cases: [name: string, text: string | Buffer, code: string, what: string | RegExp][] = [
      ['empty', '', 'MALFORMED_LOG_FILE', 'it is empty'],
      ['zeros', '\0\0\0\0', 'MALFORMED_LOG_FILE', 'first line'],
      ['not UTF-8', Buffer.from([0x76, 0x32, 0x0a, 0xff]), 'MALFORMED_LOG_FILE', 'not UTF-8'],
      ['with a byte order mark', `\uFEFFv2\n${header}`, 'MALFORMED_LOG_FILE', 'first line'],
      ['something else', 'PAR1', 'MALFORMED_LOG_FILE', 'first line is "PAR1"'],
      ['of version 0', `v0\n${header}`, 'MALFORMED_LOG_FILE', 'first line'],
      ['of a newer version', `v3\n${header}`, 'INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION', /version v3, and this program reads up to v2/],
      ['with Windows line ends', `v2\r\n${header}`, 'MALFORMED_LOG_FILE', 'first line'],
      ['version only', 'v2', 'MALFORMED_LOG_FILE', 'ends after its first line'],
      ['without metadata', 'v2\n\n0:1', 'MALFORMED_LOG_FILE', 'not JSON'],
      ['with metadata that is no object', 'v2\n[1]', 'MALFORMED_LOG_FILE', 'not a JSON object'],
      ['without a watermark', 'v2\n{"batchTimestampMs":2}', 'MALFORMED_LOG_FILE', '"batchWatermarkMs" is missing'],
      ['with half a millisecond', 'v2\n{"batchWatermarkMs":1.5,"batchTimestampMs":2}', 'MALFORMED_LOG_FILE', 'not a whole number'],
      ['with a time as text', 'v2\n{"batchWatermarkMs":1,"batchTimestampMs":"2"}', 'MALFORMED_LOG_FILE', 'not a whole number'],
      ['with conf that is no text', 'v2\n{"batchWatermarkMs":1,"batchTimestampMs":2,"conf":{"a":1}}', 'MALFORMED_LOG_FILE', 'not a map'],
      ['with a line without a name', `v2\n${header}\n{"logOffset":1}`, 'MALFORMED_LOG_FILE', 'not <source>:<offset>'],
      ['with a line without a colon', `v2\n${header}\nabc`, 'MALFORMED_LOG_FILE', 'not <source>:<offset>'],
      ['with an empty line', `v2\n${header}\n0:1\n`, 'MALFORMED_LOG_FILE', 'not <source>:<offset>'],
      ['with half an offset', `v2\n${header}\n0:{"logOff`, 'MALFORMED_LOG_FILE', 'not JSON'],
      ['with a source twice', `v2\n${header}\n0:1\n0:2`, 'MALFORMED_LOG_FILE', 'twice'],
      [
        'ours, and without its checksum',
        'v2\n{"batchWatermarkMs":1,"batchTimestampMs":2,"conf":{"millrace.salt":"00"}}',
        'MALFORMED_LOG_FILE',
        'checksum is missing',
      ],
      [
        'an unfinished repartition of Spark',
        'v2\n{"batchWatermarkMs":1,"batchTimestampMs":2,"controlBatchInfo":{"operationType":"x"}}',
        'MALFORMED_LOG_FILE',
        'control batch',
      ],
    ]
    for (const [name, content, code, what] of cases) {
      const error = errorOf(() => offsetFormat.decode(file, Buffer.from(content as string)))
      expect(error, name).toEqual(corrupt(code, what))
      expect(error, name).toMatchObject({ what: expect.stringContaining(file.path) })
    }
  })
  test('of Spark is read: version 1 by place, version 2 by name, both without a checksum', () => {
    expect(
      offsetFormat.decode(
        file,
        bytes(
          'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1757005984499,"conf":{"spark.sql.shuffle.partitions":"5"}}\n3\n-\n{"logOffset":0}',
        ),
      ),
    ).toEqual({
      batchWatermarkMs: 0,
      batchTimestampMs: 1757005984499,
      conf: { 'spark.sql.shuffle.partitions': '5' },
      sources: { 0: 3, 1: null, 2: { logOffset: 0 } },
    })
    expect(offsetFormat.decode(file, bytes('v1\n\n{"logOffset":0}'))).toEqual({
      batchWatermarkMs: 0,
      batchTimestampMs: 0,
      conf: {},
      sources: { 0: { logOffset: 0 } },
    })
    expect(
      offsetFormat.decode(
        file,
        bytes('v2\n{"batchWatermarkMs":1,"batchTimestampMs":2,"conf":{},"sourceMetadataInfo":{}}\nclicks:{"a":":"}\n1:-'),
      ),
    ).toEqual({ batchWatermarkMs: 1, batchTimestampMs: 2, conf: {}, sources: { clicks: { a: ':' }, 1: null } })
  })
  test('is not written with a name or an offset that could not be read again', () => {
    for (const sources of [{ 'a:b': 1 }, { '': 1 }, { 'a\nb': 1 }, { a: undefined }]) {
      expect(() => offsetFormat.encode(file, { ...entry, sources })).toThrow('INTERNAL_ERROR')
    }
    expect(() => offsetFormat.encode(file, { ...entry, batchWatermarkMs: 0.5 })).toThrow('INTERNAL_ERROR')
  })
})

describe('commits/N', () => {
  const file = fileNamed('commits/7')
  const commit: CommitEntry = { nextBatchWatermarkMs: 15_000, epoch: 3 }
  const text = commitFormat.encode(file, commit)

  test('has the text that is promised, and comes back as it was', () => {
    expect(text).toBe(commitGolden)
    expect(commitFormat.decode(file, bytes(text))).toEqual(commit)
  })
  test('is refused when any one byte is changed or cut', () => {
    const content = bytes(text)
    for (let i = 0; i < content.length; i++) {
      const damaged = Buffer.from(content)
      damaged[i]! ^= 1
      expect(
        errorOf(() => commitFormat.decode(file, damaged)),
        `byte ${i}`,
      ).toMatchObject({ name: 'CorruptCheckpointError' })
      expect(
        errorOf(() => commitFormat.decode(file, content.subarray(0, i))),
        `${i} bytes`,
      ).toMatchObject({ name: 'CorruptCheckpointError' })
    }
  })
  test('is refused, with the reason, when it is', () => {
    const cases: [text: string, code: string, what: string][] = [
      ['', 'MALFORMED_LOG_FILE', 'empty'],
      ['v1', 'MALFORMED_LOG_FILE', 'ends after its first line'],
      ['v1\n{"nextBatchWatermarkMs":1,"epoch":2}', 'MALFORMED_LOG_FILE', 'checksum is missing'],
      ['v1\n{"nextBatchWatermarkMs":null', 'MALFORMED_LOG_FILE', 'not JSON'],
      ['v1\n{}\n{}', 'MALFORMED_LOG_FILE', 'more than two lines'],
      ['v2\n{"nextBatchWatermarkMs":1,"stateUniqueIds":{}}', 'INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION', 'version v2'],
    ]
    for (const [content, code, what] of cases)
      expect(
        errorOf(() => commitFormat.decode(file, bytes(content))),
        content,
      ).toEqual(corrupt(code, what))
  })
  test('of Spark has no epoch, and in old ones no watermark', () => {
    expect(commitFormat.decode(file, bytes('v1\n{"nextBatchWatermarkMs":5}'))).toEqual({ nextBatchWatermarkMs: 5, epoch: 0 })
    expect(commitFormat.decode(file, bytes('v1\n{}'))).toEqual({ nextBatchWatermarkMs: 0, epoch: 0 })
  })
  test('is not written without an epoch', () => {
    for (const epoch of [0, -1, 1.5]) expect(() => commitFormat.encode(file, { nextBatchWatermarkMs: 0, epoch })).toThrow('INTERNAL_ERROR')
  })
})

describe('a log', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-log-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))
  const files = new LocalFiles()
  const open = (contiguous = true, keep = 1, checkFence = async () => {}) =>
    new MetadataLog<CommitEntry>({
      files,
      checkpointFolder: folder,
      name: 'commits',
      queryId,
      format: commitFormat,
      contiguous,
      keep,
      checkFence,
    })
  const done = (n: number): CommitEntry => ({ nextBatchWatermarkMs: n, epoch: 1 })
  const names = () => readdirSync(join(folder, 'commits')).sort()

  test('starts empty, grows by one, and is the same for the next run', async () => {
    const log = open()
    expect([await log.latest(), await log.get(0), await log.batchIds()]).toEqual([undefined, undefined, []])
    for (let n = 0; n < 12; n++) await log.add(n, done(n))
    for (const each of [log, open()]) {
      expect(await each.latest()).toEqual({ batchId: 11, entry: done(11) })
      expect(await each.get(3)).toEqual(done(3))
      expect(await each.get(12)).toBeUndefined()
      expect(await each.batchIds()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    }
  })
  test('lets one of two runs add a batch, and never changes an entry', async () => {
    const [first, second] = [open(), open()]
    await Promise.all([first.latest(), second.latest()])
    await first.add(0, done(1))
    await expect(second.add(0, done(2))).rejects.toMatchObject({
      name: 'FencedError',
      code: 'CONCURRENT_STREAM_LOG_UPDATE',
      what: expect.stringContaining(join(folder, 'commits/0')),
    })
    expect(await open().get(0)).toEqual(done(1))
  })
  test('asks before each write whether the run still counts', async () => {
    const log = open(true, 1, () => Promise.reject(new Error('fenced')))
    await expect(log.add(0, done(0))).rejects.toThrow('fenced')
    expect(await log.batchIds()).toEqual([])
  })
  test('says which entry is missing in between', async () => {
    for (const n of [0, 1, 2, 3]) await open().add(n, done(n))
    rmSync(join(folder, 'commits/2'))
    const missing = {
      name: 'CorruptCheckpointError',
      code: 'BATCH_METADATA_NOT_FOUND',
      what: expect.stringContaining(join(folder, 'commits/2')),
    }
    await expect(open().latest()).rejects.toMatchObject(missing)
    await expect(open().batchIds()).rejects.toMatchObject(missing)
    expect(await open(false).batchIds()).toEqual([0, 1, 3])
    expect(await open(false).latest()).toEqual({ batchId: 3, entry: done(3) })
  })
  test('passes over an entry that a superseded run wrote late, and removes it', async () => {
    for (const n of [0, 1, 2, 3, 4]) await open().add(n, done(n))
    await open(true, 2).purgeBelow(3)
    await open(false).add(1, done(1))
    const [now, earlier] = [Date.now() / 1000, Date.now() / 1000 - 10]
    utimesSync(join(folder, 'commits/1'), earlier, earlier)
    await expect(open().batchIds()).rejects.toMatchObject({ code: 'BATCH_METADATA_NOT_FOUND' })
    utimesSync(join(folder, 'commits/1'), now + 1, now + 1)
    const log = open()
    expect(await log.batchIds()).toEqual([3, 4])
    expect(await log.latest()).toEqual({ batchId: 4, entry: done(4) })
    await log.purgeBelow(0)
    expect(await listBatchIds(files, join(folder, 'commits'))).toEqual([3, 4])
  })
  test('does not skip a batch', async () => {
    const log = open()
    await log.add(0, done(0))
    await expect(log.add(2, done(2))).rejects.toMatchObject({ name: 'InternalError' })
    await open(false).add(2, done(2))
    for (const id of [-1, 1.5]) await expect(log.add(id, done(0))).rejects.toMatchObject({ name: 'InternalError' })
  })
  test('passes over everything whose name is no batch id', async () => {
    await open().add(0, done(0))
    for (const name of ['.1.abc-0.tmp', '.0.crc', '01', '1.bak', '-1', '1e3']) writeFileSync(join(folder, 'commits', name), '')
    expect(await open().batchIds()).toEqual([0])
  })
  test("refuses a folder in an entry's place", async () => {
    mkdirSync(join(folder, 'commits/0'), { recursive: true })
    await expect(open().latest()).rejects.toMatchObject({ code: 'MALFORMED_LOG_FILE', what: expect.stringContaining('it is a folder') })
  })
  test('purges what is below, and keeps the newest whatever is asked', async () => {
    const log = open(true, 2)
    for (let n = 0; n < 6; n++) await log.add(n, done(n))
    await log.purgeBelow(-3)
    await log.purgeBelow(2)
    expect(names()).toEqual(['2', '3', '4', '5'])
    await log.purgeBelow(1)
    const next = open(true, 2)
    await next.purgeBelow(100)
    expect(names()).toEqual(['4', '5'])
    await next.add(6, done(6))
    await next.purgeBelow(5)
    expect(names()).toEqual(['5', '6'])
    expect(readFileSync(join(folder, 'commits/6'), 'utf8')).toContain('"nextBatchWatermarkMs":6')
    await open().purgeBelow(3)
  })
})
