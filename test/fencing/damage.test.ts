// Every file that a stateful query leaves behind, damaged in every way: refused by its name with nothing changed; or nobody needs it, and the query goes on and is right.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { MillraceError } from '../../src/base/errors.ts'
import { LocalFiles } from '../../src/base/local-files.ts'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { comparable, crashableEngine, type Place, scenarios, writeClosingRow, writeInput } from '../crash/scenarios.ts'
import { bytesOf } from './processes.ts'

const scenario = scenarios.find(({ name }) => name === 'windowed aggregation, append, into parquet')!
const files = new LocalFiles()
const engine = await crashableEngine(files)
// in memory where there is such a place: nothing here depends on a disk
const parent = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'millrace-damage-'))
afterAll(async () => {
  await engine.close()
  await rm(parent, { recursive: true, force: true })
})

const work = join(parent, 'work')
const root = join(work, 'root')
const place: Place = { input: join(work, 'in'), root, engine, files }
for (const name of ['good', 'other']) {
  // at one place and from the same files, so that nothing but their ids tells them apart
  await writeInput(place.input, scenario.input)
  await scenario.run(place)
  await rename(work, join(parent, name))
}
const good = bytesOf(join(parent, 'good/root'))
const other = bytesOf(join(parent, 'other/root'))

/** What the next start builds on. All else is history that newer files have replaced. */
const needed = neededFiles()
const parts = [...good.keys()].filter((path) => path.startsWith('out/part-'))
const unneeded = [...good.keys()].filter((path) => !needed.includes(path) && !parts.includes(path))

type Damage = (content: Buffer, path: string) => Buffer | null
const damages: Readonly<Record<string, Damage>> = {
  'cut to nothing': () => Buffer.alloc(0),
  'cut in half': (content) => content.subarray(0, content.length >> 1),
  'cut by a byte': (content) => content.subarray(0, -1),
  'changed by a bit': (content) => {
    const copy = Buffer.from(content)
    copy[copy.length >> 1]! ^= 1
    return copy
  },
  'that of another checkpoint': (_, path) => {
    // snapshots of another salt lie in other groups
    const same =
      other.get(path) ?? [...other].find(([name]) => name.split('/').slice(0, -1).join() === path.split('/').slice(0, -1).join())?.[1]
    return Buffer.from(same!, 'latin1')
  },
  'of a newer release': (content) => {
    if (content.toString('latin1', 0, 8) === 'MRSTATE\n') return Buffer.concat([content.subarray(0, 8), Buffer.of(9), content.subarray(9)])
    return /^v\d\n/.test(content.toString('latin1', 0, 3)) ? Buffer.concat([Buffer.from('v9'), content.subarray(2)]) : null
  },
}

async function restore(path: string, damage: Damage): Promise<boolean> {
  await rm(work, { recursive: true, force: true })
  await cp(join(parent, 'good'), work, { recursive: true, preserveTimestamps: true })
  const content = damage(readFileSync(join(root, path)), path)
  if (content === null) return false
  await writeFile(join(root, path), content)
  await writeClosingRow(place.input)
  return true
}
async function expectRight(): Promise<void> {
  await scenario.run(place)
  expect(differenceOfRows(comparable(await scenario.output(place)), comparable(await scenario.expected(place)))).toBeNull()
}

test('the query left a file of every kind, and what it left is good', async () => {
  const kinds = ['metadata', 'offsets/', 'commits/', 'runs/1', 'sources/0/', 'state/manifests/', 'state/0/snapshots/', 'state/0/_schema/']
  for (const kind of kinds)
    expect(
      needed.some((path) => path.startsWith(`checkpoint/${kind}`)),
      kind,
    ).toBe(true)
  // the last snapshot may have come in time to make every changelog needless: then they are damaged below, as history
  expect([...good.keys()].some((path) => path.startsWith('checkpoint/state/changelog/'))).toBe(true)
  expect(needed).toEqual(expect.arrayContaining(['out/_spark_metadata/.millrace-query', 'out/_spark_metadata/5.compact']))
  expect(parts.length).toBeGreaterThan(1)
  await restore('checkpoint/metadata', (content) => content)
  await expectRight()
})

describe('is refused by its name, and nothing is changed', () => {
  test.each(needed)('%s', async (path) => {
    for (const [name, damage] of Object.entries(damages)) {
      if (!(await restore(path, damage))) continue
      const before = bytesOf(root)
      const error: unknown = await scenario.run(place).then(
        () => 'it was not refused',
        (thrown: unknown) => thrown,
      )
      expect(error, name).toBeInstanceOf(MillraceError)
      const { code, message } = error as MillraceError
      expect(
        [join(root, path), ...namedInstead(path, name)].some((named) => message.includes(named)),
        `${name}: ${message}`,
      ).toBe(true)
      if (name === 'of a newer release')
        expect(code).toMatch(
          /^INVALID_LOG_VERSION.MAX_SUPPORTED_VERSION$|^CANNOT_LOAD_STATE_STORE.INVALID_CHANGE_LOG_READER_VERSION$|^MALFORMED_LOG_FILE$/,
        )
      const after = bytesOf(root)
      for (const [each, bytes] of before) expect(after.get(each) === bytes, `${path} ${name}: ${each} is as it was`).toBe(true)
      const added = [...after.keys()].filter((each) => !before.has(each))
      // the start that was refused, where it got so far as to own the checkpoint
      expect(
        added.filter((each) => !/^checkpoint\/runs\/2(\.ended)?$/.test(each)),
        name,
      ).toEqual([])
    }
  })
})

/** Where another file than the damaged one may be named: what disagrees with it. */
function namedInstead(path: string, damage: string): string[] {
  if (damage !== 'changed by a bit' && damage !== 'that of another checkpoint') return []
  // an id that is an id: the first entry that was written under the right one
  if (path === 'checkpoint/metadata') return [join(root, 'checkpoint/commits/')]
  if (path.endsWith('.millrace-query')) return [join(root, 'out')]
  return path.startsWith('out/_spark_metadata/') && damage === 'that of another checkpoint' ? [join(root, 'out/_spark_metadata')] : []
}

describe('is not needed any more, and does no harm', () => {
  test.each(unneeded)('%s', async (path) => {
    for (const name of ['cut to nothing', 'cut by a byte', 'that of another checkpoint']) {
      await restore(path, damages[name]!)
      await expectRight()
    }
  })
})

test('the output of one query is refused to another, and left as it is', async () => {
  await restore('checkpoint/metadata', (content) => content)
  await rm(join(root, 'checkpoint'), { recursive: true })
  const before = bytesOf(join(root, 'out'))
  await expect(scenario.run(place)).rejects.toMatchObject({ name: 'InvalidQueryError', code: 'SINK_OWNED_BY_ANOTHER_QUERY' })
  expect(bytesOf(join(root, 'out'))).toEqual(before)
})

describe('a part of the output', () => {
  test.each(['cut to nothing', 'cut in half', 'cut by a byte'])(
    '%s: the query goes on, and who reads the output is told the file',
    async (name) => {
      await restore(parts[0]!, damages[name]!)
      await scenario.run(place)
      await expect(scenario.output(place)).rejects.toThrow(join(root, parts[0]!))
    },
  )
})

function neededFiles(): string[] {
  const ids = (folder: string) =>
    readdirSync(join(parent, 'good/root', folder))
      .filter((name) => /^\d/.test(name))
      .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
  const fromCompaction = (folder: string) =>
    ids(folder)
      .slice(ids(folder).findLastIndex((name) => name.endsWith('.compact')))
      .map((name) => `${folder}/${name}`)
  const next = Number(ids('checkpoint/offsets').at(-1)) + 1
  const manifestName = ids('checkpoint/state/manifests')
    .filter((name) => Number.parseInt(name, 10) <= next)
    .at(-1)!
  const manifest = JSON.parse(good.get(`checkpoint/state/manifests/${manifestName}`)!.split('\n')[1]!) as {
    version: number
    snapshots: { name: string }[]
    operators: { groups: [number, number, number, number][] }[]
  }
  const through = Math.min(...manifest.operators.flatMap(({ groups }) => groups.map(([, , exact]) => exact)))
  const isAfter = (version: number) => (name: string) => Number.parseInt(name, 10) > version
  return [
    'checkpoint/metadata',
    'checkpoint/runs/1',
    ...ids('checkpoint/offsets')
      .slice(-2)
      .map((name) => `checkpoint/offsets/${name}`),
    // a commit says which run's state of the next version counts
    ...ids('checkpoint/commits')
      .filter(isAfter(Math.min(through, manifest.version - 1) - 1))
      .map((name) => `checkpoint/commits/${name}`),
    ...fromCompaction('checkpoint/sources/0'),
    'checkpoint/state/0/_schema/0',
    `checkpoint/state/manifests/${manifestName}`,
    ...manifest.snapshots.map(({ name }) => `checkpoint/state/${name}`),
    ...ids('checkpoint/state/changelog')
      .filter(isAfter(through))
      .map((name) => `checkpoint/state/changelog/${name}`),
    'out/_spark_metadata/.millrace-query',
    ...fromCompaction('out/_spark_metadata'),
  ]
}
