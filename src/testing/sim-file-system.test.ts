import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FileSystem } from '../base/file-system.ts'
import { LocalFiles } from '../base/local-files.ts'
import { type Loss, SimFileSystem, SimulatedCrash } from './sim-file-system.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-sim-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const at = (path: string) => join(root, path)
const text = (path: string) => readFileSync(at(path), 'utf8')
const tree = () => (readdirSync(root, { recursive: true }) as string[]).sort()
const undo: Loss = { unsynced: 'drop', entries: 'undo' }
const keepAll: Loss = { unsynced: 'drop', entries: 'keep' }

describe('the trace', () => {
  test('numbers every durable step and no other', async () => {
    const sim = new SimFileSystem(root)
    const files = new LocalFiles(sim)
    await files.createExclusive(at('offsets/0'), 'x')
    await files.read(at('offsets/0'))
    await files.list(root)
    await files.replace(at('lease'), 'x')
    await files.delete(at('lease'))
    expect(sim.trace.map(({ number, label }) => `${number} ${label}`)).toEqual([
      '1 mkdir offsets',
      '2 fsync-folder .',
      '3 write offsets/.0.tmp',
      '4 fsync offsets/.0.tmp',
      '5 link offsets/.0.tmp -> offsets/0',
      '6 unlink offsets/.0.tmp',
      '7 fsync-folder offsets',
      '8 write .lease.tmp',
      '9 fsync .lease.tmp',
      '10 rename .lease.tmp -> lease',
      '11 fsync-folder .',
      '12 unlink lease',
    ])
    expect(sim.trace[4]).toMatchObject({ kind: 'link', path: expect.stringMatching(/^offsets\/\.0\..*\.tmp$/) })
  })

  test('takes steps one at a time in the order of the calls', async () => {
    const sim = new SimFileSystem(root)
    await Promise.all(['a', 'b', 'c'].map((name) => sim.writeFile(at(name), name)))
    expect(sim.trace.map((each) => each.label)).toEqual(['write a', 'write b', 'write c'])
  })

  test('lets slow paths wait, and others go first', async () => {
    const sim = new SimFileSystem(root)
    sim.slowDown((path) => path === 'a', 20)
    await Promise.all(['a', 'b', 'c'].map((name) => sim.writeFile(at(name), name)))
    expect(sim.trace.map((each) => each.label)).toEqual(['write b', 'write c', 'write a'])
  })

  test('refuses to change anything outside its root', async () => {
    const sim = new SimFileSystem(at('inside'))
    await expect(sim.writeFile(at('outside'), '')).rejects.toThrow('was asked to write')
    expect(sim.operations).toBe(0)
  })
})

describe('a crash', () => {
  test('before a step leaves it undone, after it leaves it done, and ends every later call', async () => {
    for (const when of ['before', 'after'] as const) {
      const sim = new SimFileSystem(at(when))
      sim.crashAt({ operation: 2, when })
      const path = (name: string) => at(`${when}/${name}`)
      await sim.writeFile(path('1'), '')
      await expect(sim.writeFile(path('2'), '')).rejects.toBeInstanceOf(SimulatedCrash)
      expect(existsSync(path('2'))).toBe(when === 'after')
      for (const call of [() => sim.writeFile(path('3'), ''), () => sim.fsyncFile(path('1')), () => sim.unlink(path('1'))]) {
        await expect(call()).rejects.toBeInstanceOf(SimulatedCrash)
      }
      for (const call of [() => sim.readFile(path('1')), () => sim.list(root), () => sim.stat(path('1'))]) {
        await expect(call()).rejects.toBeInstanceOf(SimulatedCrash)
      }
      expect(sim.isDead).toBe(true)
    }
  })

  test('comes at the first step that is asked for', async () => {
    const sim = new SimFileSystem(root)
    let syncs = 0
    sim.crashAt({ matches: ({ kind }) => kind === 'fsync-folder' && ++syncs === 2, when: 'before' })
    await sim.writeFile(at('a'), '')
    await sim.fsyncFolder(root)
    await sim.writeFile(at('b'), '')
    await expect(sim.fsyncFolder(root)).rejects.toBeInstanceOf(SimulatedCrash)
    expect(sim.operations).toBe(3)
  })

  test('also ends the calls that were already waiting', async () => {
    const sim = new SimFileSystem(root)
    sim.crashAt({ operation: 1, when: 'after' })
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => sim.writeFile(at(name), name)))
    expect(results.map((each) => each.status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(tree()).toEqual(['a'])
  })

  test('after a step that fails', async () => {
    const sim = new SimFileSystem(root)
    await sim.mkdir(at('a'))
    sim.crashAt({ operation: 2, when: 'after' })
    await expect(sim.mkdir(at('a'))).rejects.toBeInstanceOf(SimulatedCrash)
  })

  test('alone loses nothing, and what was not synced is still not synced in the next process', async () => {
    const sim = new SimFileSystem(root)
    await sim.writeFile(at('a'), 'a')
    sim.kill()
    const next = await sim.restart()
    expect(text('a')).toBe('a')
    expect(sim.operations).toBe(1)
    await expect(sim.stat(at('a'))).rejects.toBeInstanceOf(SimulatedCrash)
    await next.losePower(undo)
    expect(tree()).toEqual([])
  })
})

describe('a loss of power', () => {
  test('keeps what was synced exactly: content by fsync, names by fsync of the folder', async () => {
    const sim = new SimFileSystem(root)
    await new LocalFiles(sim).createExclusive(at('a/b/1'), 'one')
    for (const unsynced of ['drop', 'tear-0', 'tear-half', 'tear-last', 'zero'] as const) {
      for (const entries of ['undo', 'keep', { seed: 1 }, { seed: 2 }] as const) {
        expect(await (await sim.restart()).losePower({ unsynced, entries })).toEqual([])
        expect(text('a/b/1')).toBe('one')
      }
    }
  })

  test('takes a synced file whose name was not synced', async () => {
    const sim = new SimFileSystem(root)
    await sim.writeFile(at('a'), 'a')
    await sim.fsyncFile(at('a'))
    expect(await sim.losePower(undo)).toEqual([{ path: 'a', effect: 'gone' }])
    expect(tree()).toEqual([])
  })

  test('tears a file whose name was synced and whose content was not', async () => {
    const expected = { drop: undefined, 'tear-0': '', 'tear-half': 'ab', 'tear-last': 'abcd', zero: '\0\0\0\0\0' } as const
    for (const [unsynced, content] of Object.entries(expected)) {
      const folder = mkdtempSync(join(root, 'x-'))
      const sim = new SimFileSystem(folder)
      await sim.writeFile(join(folder, 'a'), 'abcde')
      await sim.fsyncFolder(folder)
      await sim.losePower({ unsynced: unsynced as Loss['unsynced'], entries: 'undo' })
      expect(existsSync(join(folder, 'a')) ? readFileSync(join(folder, 'a'), 'utf8') : undefined).toBe(content)
    }
  })

  test('of a name whose content and entry were not synced, keeps the torn content only where entries are kept', async () => {
    for (const [entries, expected] of [
      ['undo', []],
      ['keep', ['a']],
    ] as const) {
      const sim = new SimFileSystem(at(entries))
      await sim.writeFile(at(`${entries}/a`), 'abcd')
      await sim.losePower({ unsynced: 'tear-half', entries })
      expect(readdirSync(at(entries))).toEqual(expected)
    }
    expect(text('keep/a')).toBe('ab')
  })

  test('brings back what was removed, with its content, its folder and its time', async () => {
    mkdirSync(at('f'))
    writeFileSync(at('f/old'), 'old')
    utimesSync(at('f/old'), 1000, 1000)
    const sim = new SimFileSystem(root)
    await sim.unlink(at('f/old'))
    expect(await sim.losePower(undo)).toEqual([{ path: 'f/old', effect: 'back' }])
    expect(text('f/old')).toBe('old')
    expect(statSync(at('f/old')).mtimeMs).toBe(1_000_000)
    const next = await sim.restart()
    await next.unlink(at('f/old'))
    await next.fsyncFolder(at('f'))
    await next.losePower(undo)
    expect(tree()).toEqual(['f'])
  })

  test('undoes a rename to both its names', async () => {
    const sim = new SimFileSystem(root)
    const files = new LocalFiles(sim)
    await files.replace(at('a'), 'old')
    await sim.writeFile(at('b'), 'new')
    await sim.fsyncFile(at('b'))
    await sim.rename(at('b'), at('a'))
    await sim.losePower(undo)
    expect(tree()).toEqual(['a'])
    expect(text('a')).toBe('old')
  })

  test('keeps a link that was synced and takes the temporary name with it', async () => {
    const sim = new SimFileSystem(root)
    await sim.writeFile(at('.a.1.tmp'), 'a')
    await sim.fsyncFile(at('.a.1.tmp'))
    await sim.link(at('.a.1.tmp'), at('a'))
    await sim.fsyncFolder(root)
    await sim.unlink(at('.a.1.tmp'))
    await sim.losePower(undo)
    expect(tree()).toEqual(['.a.1.tmp', 'a'])
    expect([text('a'), text('.a.1.tmp')]).toEqual(['a', 'a'])
  })

  test('takes a folder that was not synced with all that is in it, though that was', async () => {
    const sim = new SimFileSystem(root)
    await sim.mkdir(at('f'))
    await sim.writeFile(at('f/a'), 'a')
    await sim.fsyncFile(at('f/a'))
    await sim.fsyncFolder(at('f'))
    await sim.losePower(undo)
    expect(tree()).toEqual([])
  })

  test('knows a new file from an old one with the same inode', async () => {
    const sim = new SimFileSystem(root)
    for (let i = 0; i < 20; i++) {
      await sim.writeFile(at('a'), `synced ${i}`)
      await sim.fsyncFile(at('a'))
      await sim.fsyncFolder(root)
      await sim.unlink(at('a'))
    }
    await sim.writeFile(at('b'), 'never synced')
    await sim.fsyncFolder(root)
    await sim.losePower({ unsynced: 'tear-0', entries: 'undo' })
    expect(tree()).toEqual(['b'])
    expect(text('b')).toBe('')
  })

  test('leaves a file with two durable names as it is under both', async () => {
    const sim = new SimFileSystem(root)
    await sim.writeFile(at('a'), 'x')
    await sim.fsyncFile(at('a'))
    await sim.link(at('a'), at('b'))
    await sim.fsyncFolder(root)
    expect(await sim.losePower(undo)).toEqual([])
    expect([text('a'), text('b')]).toEqual(['x', 'x'])
  })

  test('by folder, with a seed: each folder is kept or undone, and seeds differ', async () => {
    const outcomes = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const folder = mkdtempSync(join(root, 's-'))
      for (const name of ['x', 'y']) mkdirSync(join(folder, name))
      const sim = new SimFileSystem(folder)
      for (const name of ['x/1', 'y/1']) {
        await sim.writeFile(join(folder, name), '')
        await sim.fsyncFile(join(folder, name))
      }
      await sim.losePower({ unsynced: 'drop', entries: { seed } })
      outcomes.add(['x', 'y'].map((name) => readdirSync(join(folder, name)).length).join())
    }
    expect([...outcomes].sort()).toEqual(['0,0', '0,1', '1,0', '1,1'])
  })
})

describe('what others write', () => {
  test('is lost unless our code has synced it and its folder', async () => {
    const sim = new SimFileSystem(root)
    const files = new LocalFiles(sim)
    await files.makeFolder(at('out'))
    for (const name of ['out/synced', 'out/not']) writeFileSync(at(name), name)
    await files.sync([at('out/synced')])
    await sim.losePower(undo)
    expect(tree()).toEqual(['out', 'out/synced'])
  })

  test('is told from a file that was synced and had the same inode', async () => {
    const sim = new SimFileSystem(root)
    await new LocalFiles(sim).replace(at('a'), 'synced')
    await sim.unlink(at('a'))
    await sim.fsyncFolder(root)
    writeFileSync(at('b'), 'by somebody else')
    await sim.fsyncFolder(root)
    await sim.losePower({ unsynced: 'tear-half', entries: 'undo' })
    expect(text('b')).toBe('by someb')
  })

  test('is torn where its name came through with that of a synced neighbour', async () => {
    const sim = new SimFileSystem(root)
    for (const name of ['synced', 'not']) writeFileSync(at(name), name)
    await new LocalFiles(sim).sync([at('synced')])
    await sim.losePower({ unsynced: 'tear-last', entries: 'undo' })
    expect([text('synced'), text('not')]).toEqual(['synced', 'no'])
  })

  test('after a sync is lost but for what was there then', async () => {
    const sim = new SimFileSystem(root)
    writeFileSync(at('log'), 'abc')
    await new LocalFiles(sim).sync([at('log')])
    appendFileSync(at('log'), 'defg')
    await sim.losePower({ unsynced: 'tear-half', entries: 'undo' })
    expect(text('log')).toBe('abcde')
    const next = await sim.restart()
    await new LocalFiles(next).sync([at('log')])
    writeFileSync(at('log'), 'overwritten')
    await next.losePower(undo)
    expect(text('log')).toBe('abcde')
  })

  test('in folders of their own: those are lost too, unless sync was told of the file', async () => {
    const sim = new SimFileSystem(root)
    for (const day of ['day=1', 'day=2']) {
      mkdirSync(at(day))
      writeFileSync(at(`${day}/part`), day)
    }
    await new LocalFiles(sim).sync([at('day=1/part')])
    await sim.losePower({ unsynced: 'drop', entries: 'undo' })
    // the name of day=2 came through with that of day=1: both are in the root
    expect(tree()).toEqual(['day=1', 'day=1/part', 'day=2'])
  })

  test('before the simulation, or before settle, is durable', async () => {
    writeFileSync(at('before'), '1')
    const sim = new SimFileSystem(root)
    writeFileSync(at('later'), '2')
    await sim.settle()
    writeFileSync(at('after'), '3')
    await sim.losePower(undo)
    expect(tree()).toEqual(['before', 'later'])
  })
})

/** Every fault that a careless writer could have; each must be found by crashing at every step, and the true one must not. */
describe('crashing at every step', () => {
  const losses: Loss[] = [
    undo,
    keepAll,
    { unsynced: 'drop', entries: { seed: 1 } },
    { unsynced: 'tear-0', entries: 'undo' },
    { unsynced: 'tear-half', entries: 'keep' },
    { unsynced: 'tear-last', entries: 'undo' },
    { unsynced: 'zero', entries: { seed: 2 } },
  ]

  /** Writes a few files in order and gives what is wrong after a loss of power at every step. */
  async function faults(careless: (sim: FileSystem) => FileSystem, isEnough = (_fault: string) => true): Promise<string[]> {
    const found: string[] = []
    let folder = 0
    let points = 0
    for (const loss of losses) {
      everyStep: for (let operation = 1; ; operation++) {
        for (const when of ['before', 'after'] as const) {
          const base = join(root, `${folder++}`)
          const sim = new SimFileSystem(base)
          sim.crashAt({ operation, when })
          const { done } = await work(new LocalFiles(careless(sim)), base)
          const crashed = sim.isDead
          await sim.losePower(loss)
          found.push(...broken(base, done).map((each) => `${each} after ${sim.trace.at(-1)?.label}, ${JSON.stringify(loss)}`))
          rmSync(base, { recursive: true })
          if (found.some(isEnough)) return found
          if (!crashed) break everyStep // the work was done before that step
          points++
        }
      }
    }
    expect(points).toBeGreaterThan(losses.length * 40)
    return found
  }
  async function work(files: LocalFiles, base: string): Promise<{ done: string[] }> {
    const done: string[] = []
    try {
      for (const name of ['offsets/0', 'state/v1/1', 'commits/0', 'offsets/1']) {
        await files.createExclusive(join(base, name), `content of ${name}`)
        done.push(name)
      }
      await files.replace(join(base, 'lease'), 'content of lease')
      done.push('lease')
    } catch (error) {
      if (!(error instanceof SimulatedCrash)) throw error
    }
    return { done }
  }
  /** A file that createExclusive has promised is there; whatever has its final name is whole. */
  function broken(base: string, done: readonly string[]): string[] {
    const names = ['offsets/0', 'state/v1/1', 'commits/0', 'offsets/1', 'lease']
    const contents = new Map(names.map((name) => [name, existsSync(join(base, name)) ? readFileSync(join(base, name), 'utf8') : undefined]))
    return names.flatMap((name) => {
      const content = contents.get(name)
      if (content === undefined) return done.includes(name) ? [`${name} is lost`] : []
      return content === `content of ${name}` ? [] : [`${name} is torn`]
    })
  }

  test('finds no fault in LocalFiles', async () => {
    expect(await faults((sim) => sim)).toEqual([])
  })
  test('finds a missing fsync of the file', async () => {
    expect((await faults((sim) => without(sim, 'fsyncFile')))[0]).toMatch(/is torn|is lost/)
  })
  test('finds a missing fsync of the folder', async () => {
    expect((await faults((sim) => without(sim, 'fsyncFolder')))[0]).toMatch(/is lost/)
  })
  test("finds a missing fsync of a new folder's parent only", async () => {
    const careless = (sim: FileSystem): FileSystem => {
      const made = new Set<string>()
      return delegate(sim, {
        mkdir: (path) => {
          made.add(join(path, '..'))
          return sim.mkdir(path)
        },
        fsyncFolder: (folder) => (made.has(folder) ? Promise.resolve() : sim.fsyncFolder(folder)),
      })
    }
    expect((await faults(careless))[0]).toMatch(/is lost/)
  })
  test('finds a fsync that comes after the link', async () => {
    const careless = (sim: FileSystem): FileSystem =>
      delegate(sim, {
        fsyncFile: async () => {},
        link: async (from, to) => {
          await sim.link(from, to)
          await sim.fsyncFolder(join(to, '..'))
          await sim.fsyncFile(to)
        },
      })
    const isTornLog = (fault: string) => fault.startsWith('offsets/') && fault.includes('is torn')
    expect((await faults(careless, isTornLog)).filter(isTornLog)).not.toEqual([])
  })

  function without(sim: FileSystem, step: 'fsyncFile' | 'fsyncFolder'): FileSystem {
    return delegate(sim, { [step]: async () => {} })
  }
  function delegate(sim: FileSystem, override: Partial<FileSystem>): FileSystem {
    return {
      readFile: (path) => sim.readFile(path),
      list: (folder) => sim.list(folder),
      stat: (path) => sim.stat(path),
      writeFile: (path, content) => sim.writeFile(path, content),
      fsyncFile: (path) => sim.fsyncFile(path),
      link: (from, to) => sim.link(from, to),
      rename: (from, to) => sim.rename(from, to),
      unlink: (path) => sim.unlink(path),
      mkdir: (path) => sim.mkdir(path),
      fsyncFolder: (folder) => sim.fsyncFolder(folder),
      ...override,
    }
  }
})
