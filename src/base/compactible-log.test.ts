import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SimFileSystem } from '../testing/sim-file-system.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { ManualClock } from './clock.ts'
import { CompactibleLog, intervalOf } from './compactible-log.ts'
import { LocalFiles } from './local-files.ts'

const files = new LocalFiles()
const clock = new ManualClock(10 ** 13)

function open(
  folder: string,
  options: {
    files?: LocalFiles
    owner?: string
    idOf?: (entry: { n: number }) => number
    compactInterval?: number
    minBatchesToRetain?: number
    cleanupDelayMs?: number
  } = {},
) {
  return CompactibleLog.open<{ n: number }>({
    files,
    clock,
    folder,
    encode: (entry) => entry,
    decode: (json) => (typeof json['n'] === 'number' ? { n: json['n'] } : undefined),
    compactInterval: 3,
    deleteExpired: true,
    cleanupDelayMs: 0,
    minBatchesToRetain: 2,
    ...options,
  })
}

test('every third file holds all before it, and a reader finds everything', async () => {
  await using folder = await tempFolder()
  const log = await open(folder.path)
  for (let id = 0; id < 8; id++) expect(await log.add(id, [{ n: id }, { n: 10 * id }])).toBe(true)
  expect((await readdir(folder.path)).sort()).toEqual(['0', '1', '2.compact', '3', '4', '5.compact', '6', '7'])
  const withoutSums = async (name: string) => (await readFile(join(folder.path, name), 'utf8')).replace(/,"crc32":"[0-9a-f]{8}"/g, '')
  expect(await withoutSums('1')).toBe('v1\n{"n":1}\n{"n":10,"last":true}')
  expect(await withoutSums('2.compact')).toBe(
    'v1\n{"n":0}\n{"n":0,"last":true}\n{"n":1}\n{"n":10,"last":true}\n{"n":2}\n{"n":20,"last":true}',
  )
  const reopened = await open(folder.path)
  expect(reopened.latestId).toBe(7)
  expect((await reopened.readAll()).map((entry) => entry.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7].flatMap((n) => [n, 10 * n]))
  expect((await reopened.readAfter(6)).map((entry) => entry.n)).toEqual([7, 70])
  expect((await reopened.readAfter(4)).length).toBe(16) // 5.compact lies between
  expect(await reopened.read(9)).toBeUndefined()
})

test('an entry without lines is a file with the version only, and compacts to nothing', async () => {
  await using folder = await tempFolder()
  const log = await open(folder.path)
  for (let id = 0; id < 3; id++) await log.add(id, [])
  expect(await readFile(join(folder.path, '0'), 'utf8')).toBe('v1')
  expect(await readFile(join(folder.path, '2.compact'), 'utf8')).toBe('v1')
})

test('a compaction leaves out what keep refuses, but never the entries of its own id', async () => {
  await using folder = await tempFolder()
  const log = await open(folder.path)
  await log.add(0, [{ n: 1 }, { n: 5 }])
  await log.add(1, [{ n: 2 }])
  await log.add(2, [{ n: 0 }], (entry) => entry.n >= 2)
  expect(await log.readAll()).toEqual([{ n: 5 }, { n: 2 }, { n: 0 }])
})

test('an id is added once', async () => {
  await using folder = await tempFolder()
  const [one, other] = [await open(folder.path), await open(folder.path)]
  expect(await one.add(0, [{ n: 1 }])).toBe(true)
  expect(await other.add(0, [{ n: 2 }])).toBe(false)
  await other.refresh()
  expect(await other.readAll()).toEqual([{ n: 1 }])
})

test('an entry whose writer was killed over it is durable once the next run has taken over the log', async () => {
  for (const taken of [true, false]) {
    await using folder = await tempFolder()
    const first = new SimFileSystem(folder.path)
    const on = (sim: SimFileSystem) => open(join(folder.path, 'log'), { files: new LocalFiles(sim) })
    const log = await on(first)
    await log.add(0, [{ n: 0 }])
    first.crashAt({ matches: ({ kind }) => kind === 'link', when: 'after' })
    await expect(log.add(1, [{ n: 1 }])).rejects.toThrow('simulated crash')
    const second = await first.restart()
    const found = await on(second)
    expect(found.latestId).toBe(1)
    if (taken) await found.takeOver()
    await second.losePower({ unsynced: 'drop', entries: 'undo' })
    expect((await on(await second.restart())).latestId).toBe(taken ? 1 : 0)
  }
})

test('files that a later compaction holds go, oldest first, after the delay and only beyond those to retain', async () => {
  await using folder = await tempFolder()
  const log = await open(folder.path, { cleanupDelayMs: 1000 })
  for (let id = 0; id < 10; id++) {
    await log.add(id, [{ n: id }])
    await utimes(join(folder.path, log.compactsAt(id) ? `${id}.compact` : String(id)), clock.nowMs() / 1000, clock.nowMs() / 1000)
  }
  await log.deleteExpired()
  expect((await readdir(folder.path)).length).toBe(10)
  clock.advance(1001)
  await log.deleteExpired()
  expect((await readdir(folder.path)).sort()).toEqual(['5.compact', '6', '7', '8.compact', '9'])
  expect((await (await open(folder.path)).readAll()).map((entry) => entry.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('CompactibleFileStreamLogSuite: delete expired file', async () => {
  const present = async (minBatchesToRetain: number, upTo?: number) => {
    await using folder = await tempFolder()
    const log = await open(folder.path, { minBatchesToRetain })
    const after: string[] = []
    for (let id = 0; id < 8; id++) {
      await log.add(id, [{ n: id }])
      await log.deleteExpired(upTo)
      after.push((await readdir(folder.path)).sort().join(' '))
    }
    return after
  }
  const first = ['0', '0 1', '0 1 2.compact']
  expect(await present(1)).toEqual([
    ...[...first, '2.compact 3', '2.compact 3 4', '2.compact 3 4 5.compact', '5.compact 6', '5.compact 6 7'],
  ])
  expect(await present(2)).toEqual([
    ...[...first, '0 1 2.compact 3', '2.compact 3 4', '2.compact 3 4 5.compact', '2.compact 3 4 5.compact 6', '5.compact 6 7'],
  ])
  expect((await present(1, 0)).at(-1)).toBe('1 2.compact 3 4 5.compact 6 7')
})

test('a log that begins late begins with a compaction, at an interval that Spark derives too', async () => {
  await using folder = await tempFolder()
  const log = await open(folder.path)
  for (let id = 7; id < 17; id++) await log.add(id, [{ n: id }])
  expect((await readdir(folder.path)).sort()).toEqual(['10', '11.compact', '12', '13', '14', '15.compact', '16', '7.compact', '8', '9'])
  expect((await (await open(folder.path)).readAll()).length).toBe(10)
})

test('the interval is what the files say, else what is configured', () => {
  expect(intervalOf([], 10)).toBe(10)
  expect(intervalOf([9], 10)).toBe(10)
  expect(intervalOf([3], 10)).toBe(4)
  expect(intervalOf([11], 5)).toBe(6)
  expect(intervalOf([57], 10)).toBe(29)
  expect(intervalOf([58], 10)).toBe(59)
  expect(intervalOf([4, 9, 14], 10)).toBe(5)
})

describe('what cannot be trusted is refused with the file named', () => {
  const cases: [string, string, string, RegExp][] = [
    ['an empty file', '1', '', /MALFORMED_LOG_FILE.*\/1 .*empty/],
    ['no version', '1', '{"n":1}', /MALFORMED_LOG_FILE.*\/1 /],
    ['a newer version', '1', 'v2\n{"n":1}', /INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION.*\/1 .*v2/],
    ['half a line', '1', 'v1\n{"n":1', /MALFORMED_LOG_FILE.*\/1 /],
    ['a line of something else', '1', 'v1\n{"m":1}', /MALFORMED_LOG_FILE.*\/1 /],
    ['null', '1', 'v1\nnull', /MALFORMED_LOG_FILE.*\/1 /],
  ]
  for (const [name, file, content, message] of cases) {
    test(name, async () => {
      await using folder = await tempFolder()
      const log = await open(folder.path)
      await log.add(0, [{ n: 0 }])
      await log.add(1, [{ n: 1 }])
      await writeFile(join(folder.path, file), content)
      await expect((await open(folder.path)).readAll()).rejects.toThrow(message)
      expect(await readFile(join(folder.path, file), 'utf8')).toBe(content)
    })
  }
  for (const compactInterval of [100, 1]) {
    test(`every changed bit and every cut, ${compactInterval === 1 ? 'in a compaction' : 'in an entry'}`, async () => {
      await using folder = await tempFolder()
      const options = { compactInterval, idOf: (entry: { n: number }) => entry.n, owner: 'me' }
      const log = await open(folder.path, options)
      await log.add(0, [{ n: 0 }])
      await log.add(1, [{ n: 1 }, { n: 1 }])
      const path = join(folder.path, compactInterval === 1 ? '1.compact' : '1')
      const good = await readFile(path)
      const outcome = async (bytes: Uint8Array) => {
        await writeFile(path, bytes)
        return (await open(folder.path, options)).takeOver().catch((error: unknown) => String(error))
      }
      for (let length = 0; length < good.length; length++) expect(await outcome(good.subarray(0, length))).toContain(path)
      for (let bit = 0; bit < good.length * 8; bit++) {
        const found = await outcome(good.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)))
        // where the name of the checksum is hit, the line is taken for Spark's, and what it says is right
        if (typeof found === 'string') expect(found).toContain(path)
        else expect(found).toEqual([{ n: 0 }, { n: 1 }, { n: 1 }])
      }
      await writeFile(path, good)
      expect(await (await open(folder.path, options)).takeOver()).toEqual([{ n: 0 }, { n: 1 }, { n: 1 }])
      await expect((await open(folder.path, { ...options, owner: 'you' })).takeOver()).rejects.toThrow(
        join(folder.path, compactInterval === 1 ? '1.compact' : '0'),
      )
    })
  }
  test('a torn file is not copied into a compaction', async () => {
    await using folder = await tempFolder()
    const log = await open(folder.path)
    for (let id = 0; id < 2; id++) await log.add(id, [{ n: id }])
    await writeFile(join(folder.path, '0'), '')
    await expect(log.add(2, [])).rejects.toThrow(/MALFORMED_LOG_FILE.*\/0 /)
  })
  test('a file that is missing in the middle', async () => {
    await using folder = await tempFolder()
    const log = await open(folder.path)
    for (let id = 0; id < 5; id++) await log.add(id, [{ n: id }])
    await rm(join(folder.path, '3'))
    await expect((await open(folder.path)).readAll()).rejects.toThrow(/BATCH_METADATA_NOT_FOUND.*\/3 /)
    await expect(log.readAll()).rejects.toThrow(/BATCH_METADATA_NOT_FOUND.*\/3 /)
  })
  test('a log whose beginning is missing', async () => {
    await using folder = await tempFolder()
    const log = await open(folder.path)
    for (let id = 0; id < 2; id++) await log.add(id, [{ n: id }])
    await rm(join(folder.path, '0'))
    await expect((await open(folder.path)).readAll()).rejects.toThrow(/BATCH_METADATA_NOT_FOUND.*\/0 /)
  })
})
