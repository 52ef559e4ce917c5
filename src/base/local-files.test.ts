import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FileSystem, nodeFileSystem } from './file-system.ts'
import { isTemporary, LocalFiles, temporaryFor } from './local-files.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-files-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** The machine's file system with a log of its steps, below the root and without the unique part of temporary names. */
function logged(steps: string[], override: Partial<FileSystem> = {}): FileSystem {
  const short = (path: string) =>
    path
      .replace(`${root}/`, '')
      .replace(root, '.')
      .replace(/(\.[^/]+)\.[0-9a-f]+-\d+\.tmp/, '$1.tmp')
  const base = { ...nodeFileSystem, ...override }
  const log = (name: string, ...paths: string[]) => {
    if (paths[0]!.startsWith(root)) steps.push([name, ...paths.map(short)].join(' '))
  }
  return {
    ...base,
    writeFile: (path, content) => {
      log('write', path)
      return base.writeFile(path, content)
    },
    fsyncFile: (path) => {
      log('fsync', path)
      return base.fsyncFile(path)
    },
    link: (from, to) => {
      log('link', from, to)
      return base.link(from, to)
    },
    rename: (from, to) => {
      log('rename', from, to)
      return base.rename(from, to)
    },
    unlink: (path) => {
      log('unlink', path)
      return base.unlink(path)
    },
    mkdir: (path) => {
      log('mkdir', path)
      return base.mkdir(path)
    },
    fsyncFolder: (folder) => {
      log('fsync-folder', folder)
      return base.fsyncFolder(folder)
    },
  }
}
const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))
const text = (path: string) => readFileSync(join(root, path), 'utf8')

describe('createExclusive', () => {
  test('makes a whole file and its folders, and leaves nothing else', async () => {
    expect(await new LocalFiles().createExclusive(join(root, 'a/b/7'), 'seven')).toBe(true)
    expect(text('a/b/7')).toBe('seven')
    expect(readdirSync(join(root, 'a/b'))).toEqual(['7'])
  })

  test('takes its steps in the one order that is safe, and syncs parents only once', async () => {
    const steps: string[] = []
    const files = new LocalFiles(logged(steps))
    await files.createExclusive(join(root, 'offsets/0'), 'x')
    expect(steps).toEqual([
      'mkdir offsets',
      'fsync-folder .',
      'write offsets/.0.tmp',
      'fsync offsets/.0.tmp',
      'link offsets/.0.tmp offsets/0',
      'unlink offsets/.0.tmp',
      'fsync-folder offsets',
    ])
    steps.length = 0
    await files.createExclusive(join(root, 'offsets/1'), 'x')
    expect(steps).toEqual([
      'write offsets/.1.tmp',
      'fsync offsets/.1.tmp',
      'link offsets/.1.tmp offsets/1',
      'unlink offsets/.1.tmp',
      'fsync-folder offsets',
    ])
  })

  test('syncs the parent of a folder that a killed process may have made', async () => {
    const steps: string[] = []
    await nodeFileSystem.mkdir(join(root, 'offsets'))
    await new LocalFiles(logged(steps)).createExclusive(join(root, 'offsets/0'), 'x')
    expect(steps.slice(0, 2)).toEqual(['fsync-folder .', 'write offsets/.0.tmp'])
  })

  test('gives false and changes nothing where the file exists', async () => {
    const files = new LocalFiles()
    await files.createExclusive(join(root, '1'), 'first')
    expect(await files.createExclusive(join(root, '1'), 'second')).toBe(false)
    expect(text('1')).toBe('first')
    expect(readdirSync(root)).toEqual(['1'])
  })

  test('lets exactly one of many win', async () => {
    const won = await Promise.all(Array.from({ length: 20 }, (_, i) => new LocalFiles().createExclusive(join(root, 'x/1'), `by ${i}`)))
    expect(won.filter(Boolean)).toHaveLength(1)
    expect(text('x/1')).toBe(`by ${won.indexOf(true)}`)
    expect(readdirSync(join(root, 'x'))).toEqual(['1'])
  })

  test('removes its temporary file when the disk is full, and tells the first error', async () => {
    const files = new LocalFiles({ ...nodeFileSystem, fsyncFile: failing('ENOSPC') })
    await expect(files.createExclusive(join(root, '1'), 'x')).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(readdirSync(root)).toEqual([])
  })

  test('makes a folder again that somebody removed', async () => {
    const files = new LocalFiles()
    await files.createExclusive(join(root, 'a/b/1'), 'x')
    rmSync(join(root, 'a'), { recursive: true })
    expect(await files.createExclusive(join(root, 'a/b/1'), 'y')).toBe(true)
    expect(text('a/b/1')).toBe('y')
  })

  test('writes large content as it is', async () => {
    const content = Uint8Array.from({ length: 300_000 }, (_, i) => i * 7)
    await new LocalFiles().createExclusive(join(root, 'big'), content)
    expect(Buffer.compare(readFileSync(join(root, 'big')), content)).toBe(0)
  })

  test('gives false where its temporary file was removed as litter after another run made the file', async () => {
    const files = new LocalFiles({
      ...nodeFileSystem,
      link: (from, to) => {
        rmSync(from)
        writeFileSync(to, 'theirs')
        return nodeFileSystem.link(from, to)
      },
    })
    expect(await files.createExclusive(join(root, '1'), 'x')).toBe(false)
    const alone = new LocalFiles({
      ...nodeFileSystem,
      link: (from, to) => {
        rmSync(from)
        return nodeFileSystem.link(from, to)
      },
    })
    await expect(alone.createExclusive(join(root, '2'), 'x')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

test('replace puts whole content in place of the old', async () => {
  const steps: string[] = []
  const files = new LocalFiles(logged(steps))
  await files.replace(join(root, 'lease'), '1')
  await files.replace(join(root, 'lease'), '2')
  expect(text('lease')).toBe('2')
  expect(readdirSync(root)).toEqual(['lease'])
  expect(steps.slice(-4)).toEqual(['write .lease.tmp', 'fsync .lease.tmp', 'rename .lease.tmp lease', 'fsync-folder .'])
})

test('sync syncs each file once, then each folder once, then says so', async () => {
  const steps: string[] = []
  const files = new LocalFiles(logged(steps))
  await files.makeFolder(join(root, 'out'))
  for (const name of ['out/a', 'out/b']) writeFileSync(join(root, name), name)
  steps.length = 0
  await files.sync([join(root, 'out/a'), join(root, 'out/b'), join(root, 'out/a')])
  expect(steps).toEqual(['fsync out/a', 'fsync out/b', 'fsync-folder out'])
  await expect(files.sync([join(root, 'out/none')])).rejects.toMatchObject({ code: 'ENOENT' })
})

describe('move', () => {
  test('is durable under the new name before the old one goes', async () => {
    const steps: string[] = []
    writeFileSync(join(root, 'a'), 'x')
    const files = new LocalFiles(logged(steps))
    expect(await files.move(join(root, 'a'), join(root, 'done/a'))).toBe(true)
    expect(text('done/a')).toBe('x')
    expect(steps).toEqual(['mkdir done', 'fsync-folder .', 'link a done/a', 'fsync-folder done', 'unlink a', 'fsync-folder .'])
  })

  test('replaces nothing', async () => {
    for (const name of ['a', 'b']) writeFileSync(join(root, name), name)
    expect(await new LocalFiles().move(join(root, 'a'), join(root, 'b'))).toBe(false)
    expect([text('a'), text('b')]).toEqual(['a', 'b'])
  })

  test('finishes one that was killed half-way', async () => {
    writeFileSync(join(root, 'a'), 'x')
    await nodeFileSystem.link(join(root, 'a'), join(root, 'b'))
    expect(await new LocalFiles().move(join(root, 'a'), join(root, 'b'))).toBe(true)
    expect(readdirSync(root)).toEqual(['b'])
  })
})

test('list, stat, read and delete take a missing file or folder as their contract says', async () => {
  const files = new LocalFiles()
  expect(await files.list(join(root, 'none'))).toEqual([])
  expect(await files.stat(join(root, 'none'))).toBeUndefined()
  await files.delete(join(root, 'none'))
  await expect(files.read(join(root, 'none'))).rejects.toMatchObject({ code: 'ENOENT' })
  await files.createExclusive(join(root, 'a'), 'four')
  await files.makeFolder(join(root, 'b/c'))
  writeFileSync(join(root, '.hidden'), '')
  const entries = (await files.list(root)).sort((a, b) => (a.name < b.name ? -1 : 1))
  expect(entries.map(({ name, isDirectory, path }) => ({ name, isDirectory, path }))).toEqual([
    { name: '.hidden', isDirectory: false, path: join(root, '.hidden') },
    { name: 'a', isDirectory: false, path: join(root, 'a') },
    { name: 'b', isDirectory: true, path: join(root, 'b') },
  ])
  expect(entries[1]).toMatchObject({ sizeBytes: 4 })
  expect(Math.abs(entries[1]!.modifiedMs - Date.now())).toBeLessThan(60_000)
  await files.delete(join(root, 'a'))
  expect(await files.stat(join(root, 'a'))).toBeUndefined()
  await expect(files.list(join(root, '.hidden'))).rejects.toMatchObject({ code: 'ENOTDIR' })
})

test('temporary names are told from others, and say what they were to become', () => {
  expect(['.0.5f-1.tmp', '.a.parquet.5f-12.tmp', '0', '.0.crc', 'x.tmp'].map(isTemporary)).toEqual([true, true, false, false, false])
  expect([temporaryFor('.0.5f-1.tmp'), temporaryFor('.a.parquet.5f-12.tmp')]).toEqual(['0', 'a.parquet'])
})

test('what fails on an open file names the file: a folder in its place is found when it is read', async () => {
  await expect(new LocalFiles().read(root)).rejects.toMatchObject({ code: 'EISDIR', path: root })
})
