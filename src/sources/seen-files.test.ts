import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { LocalFiles } from '../base/local-files.ts'
import { sortInSlices } from '../base/slices.ts'
import { tempFolder } from '../testing/temp-folder.ts'
import { FileLister } from './file-lister.ts'
import { SeenFiles } from './seen-files.ts'
import { pathKey, SeenSet } from './seen-set.ts'

test('a set of paths knows what was added and nothing else, whatever the texts', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 40 }), { maxLength: 300 }), fc.nat(), (texts, cut) => {
      const added = texts.slice(0, cut % (texts.length + 1))
      const set = new SeenSet()
      for (const text of [...added, ...added]) set.add(pathKey(text))
      expect(texts.map((text) => set.has(pathKey(text)))).toEqual(texts.map((_, i) => i < added.length))
      expect(set.size).toBe(added.length)
    }),
  )
})

test('a million paths that differ in a digit stay apart, in less than 45 bytes each', () => {
  const set = new SeenSet()
  for (let i = 0; i < 1_000_000; i++) set.add(pathKey(`/in/day=2024-01-01/part-${i}.json`))
  expect(set.size).toBe(1_000_000)
  expect(set.bytes / set.size).toBeLessThan(45)
})

test('memory goes by the files within maxFileAge, not by the history', () => {
  const seen = new SeenFiles(1000, false)
  for (let at = 0; at < 100_000; at++) {
    seen.add(`/in/${at}`, at)
    seen.purge()
  }
  expect(seen.size).toBeLessThan(1200)
  expect(seen.bytes).toBeLessThan(100_000)
  for (let at = 99_000; at < 100_000; at++) expect(seen.has(`/in/${at}`)).toBe(true)
  // what is forgotten is too old to be new
  for (let at = 0; at < 99_000; at += 7) expect(seen.has(`/in/${at}`) || seen.isTooOld(at)).toBe(true)
})

test('an unchanged folder is not read again once its time has settled, and a changed one always is', async () => {
  await using folder = await tempFolder()
  const [root, sub] = [join(folder.path, 'in'), join(folder.path, 'in/k=1')]
  await mkdir(sub, { recursive: true })
  const files = new LocalFiles()
  let reads = 0
  const counted = {
    stat: (path: string) => files.stat(path),
    names(path: string) {
      reads++
      return files.names(path)
    },
  }
  const taken = new Set<string>()
  const lister = new FileLister({ path: root, recursive: false, nameFilter: undefined, files: counted as never })
  const list = async () => (await lister.unseen((path) => taken.has(path))).map(({ path }) => path.slice(root.length + 1)).sort()
  const clock = vi.spyOn(performance, 'now')
  let now = 1_000_000
  clock.mockImplementation(() => now)
  try {
    await writeFile(join(root, 'a'), '1')
    await writeFile(join(sub, 'b'), '1')
    expect(await list()).toEqual(['a', 'k=1/b'])
    expect(await list()).toEqual(['a', 'k=1/b'])
    expect(reads).toBe(4) // two folders, twice: a change in the same tick of the clock would not show
    now += 5000
    expect(await list()).toEqual(['a', 'k=1/b'])
    expect(reads).toBe(6)
    taken.add(join(root, 'a'))
    expect(await list()).toEqual(['k=1/b'])
    expect(reads).toBe(6)
    await writeFile(join(folder.path, 'arriving'), '1')
    await rename(join(folder.path, 'arriving'), join(sub, 'c'))
    expect(await list()).toEqual(['k=1/b', 'k=1/c'])
    expect(reads).toBe(7) // only the folder that changed
    await rm(join(sub, 'b'))
    await mkdir(join(root, 'k=2'))
    await writeFile(join(root, 'k=2', 'd'), '1')
    expect(await list()).toEqual(['k=1/c', 'k=2/d'])
  } finally {
    clock.mockRestore()
  }
})

test('sorting in slices is sorting, and keeps the order of equal ones', async () => {
  const items = Array.from({ length: 20_000 }, (_, i) => ({ key: (i * 7919) % 1000, i }))
  expect(await sortInSlices(items, (a, b) => a.key - b.key)).toEqual([...items].sort((a, b) => a.key - b.key))
  expect(await sortInSlices([], () => 0)).toEqual([])
})
