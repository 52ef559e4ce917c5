// Two real processes on one checkpoint: whatever the first one still does, nothing is damaged and each batch counts once.
import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LocalFiles } from '../../src/base/local-files.ts'
import { systemProcess } from '../../src/checkpoint/process-identity.ts'
import { differenceOfRows } from '../../src/testing/compare-rows.ts'
import { folderProblem } from '../crash/folders.ts'
import { comparable, crashableEngine, scenarios, writeClosingRow, writeInput } from '../crash/scenarios.ts'
import type { Hold } from './child.ts'
import { bytesOf, Child } from './processes.ts'

const scenario = scenarios.find(({ name }) => name === 'windowed aggregation, append, into parquet')!
const engine = await crashableEngine(new LocalFiles(), { processIdentity: systemProcess() })
afterAll(() => engine.close())

let folder = ''
let children: Child[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-fencing-'))
  await writeInput(join(folder, 'in'), scenario.input)
})
afterEach(async () => {
  for (const child of children) child.kill()
  await Promise.allSettled(children.map((child) => child.ended))
  children = []
  await rm(folder, { recursive: true, force: true })
})

function start(how: { takeover?: boolean; hold?: Hold } = {}): Child {
  const child = new Child({ scenario: scenario.name, folder, ...how })
  children.push(child)
  return child
}

/** The last row of the input comes, one more run reads it, and the output is that of one batch over everything. */
async function expectExactlyOnce(): Promise<void> {
  await writeClosingRow(join(folder, 'in'))
  const place = { input: join(folder, 'in'), root: join(folder, 'root'), engine, files: new LocalFiles() }
  await scenario.run(place)
  expect(differenceOfRows(comparable(await scenario.output(place)), comparable(await scenario.expected(place)))).toBeNull()
  expect(await folderProblem(scenario, place)).toBeNull()
}

test('a second process is refused while the first one lives, and is told which it is', async () => {
  const first = start({ hold: { at: 'writeFile checkpoint/state/changelog/3-1', how: 'stop' } })
  await first.held
  const before = bytesOf(join(folder, 'root'))
  const second = await start().ended
  expect(second).toMatchObject({ end: 'error', name: 'FencedError', code: 'CONCURRENT_QUERY' })
  expect((second as { message: string }).message).toContain(`(epoch 1) on host ${hostname()}, pid ${first.pid}, `)
  expect((second as { message: string }).message).toContain('which is alive')
  expect(bytesOf(join(folder, 'root'))).toEqual(before)
  expect(await first.goOn()).toEqual({ end: 'done' })
  await expectExactlyOnce()
})

test('a second process takes over from one that died', async () => {
  const first = start({ hold: { at: 'link checkpoint/commits/2', how: 'wait' } })
  await first.held
  first.kill()
  await first.ended.catch(() => {})
  expect(await start().ended).toEqual({ end: 'done' })
  await expectExactlyOnce()
})

/** Where the first process is frozen: between its look at the fence and a durable step, or in the middle of one. */
const points: readonly string[] = [
  // the second process has removed this entry as an old one before the first one writes it
  'writeFile checkpoint/sources/0/2.compact.tmp',
  'writeFile checkpoint/offsets/2.tmp',
  'writeFile out/_spark_metadata/2.tmp',
  'writeFile checkpoint/commits/2.tmp',
  // the second process has removed the temporary file
  'link checkpoint/offsets/2',
  'writeFile checkpoint/state/changelog/3-1',
  'fsyncFile checkpoint/state/changelog/3-1',
  'fsyncFile checkpoint/state/0/snapshots/.*.tmp',
  'link checkpoint/state/manifests/.*',
  'link checkpoint/commits/2',
  // the entry is there, and perhaps not durable
  'fsyncFolder out/_spark_metadata',
]
describe('the first process is frozen, a second one takes over and comes to its end, the first goes on', () => {
  test.each(points)('at %s', (at) => supersede({ at, how: 'stop' }))
})
test('the first process only waits, its lease and all else going on, while a second one takes over', () =>
  supersede({ at: 'writeFile checkpoint/state/changelog/2-1', how: 'wait' }))

async function supersede(hold: Hold): Promise<void> {
  const first = start({ hold })
  await first.held
  const second = start({ takeover: true })
  expect(await second.ended).toEqual({ end: 'done' })
  const before = bytesOf(join(folder, 'root'))
  const end = await (hold.how === 'stop' ? first.goOn() : first.release())
  expect(end).toMatchObject({ end: 'error', name: 'FencedError', code: 'SUPERSEDED_BY_NEWER_RUN' })
  expect((end as { message: string }).message).toContain(`(epoch 2) on host ${hostname()}, pid ${second.pid}, `)
  expectUndamaged(before, hold)
  await expectExactlyOnce()
}

/** All that the second process left is as it was; the first may have added what bears its epoch, and the entry that it was about to write, where that was gone. */
function expectUndamaged(before: ReadonlyMap<string, string>, { at }: Hold): void {
  const after = bytesOf(join(folder, 'root'))
  for (const [path, bytes] of before) {
    if (isOfFirst(path) || isHistory(path)) continue
    expect(after.get(path) === bytes, `${path} is as it was`).toBe(true)
  }
  expect([...after.keys()].filter((path) => !before.has(path) && !isOfFirst(path) && at !== `writeFile ${path}.tmp`)).toEqual([])
}
function isOfFirst(path: string): boolean {
  return /^checkpoint\/runs\/1\.|^checkpoint\/state\/.*\/\d+-1(-|$)|^out\/part-.*-e1-|\.tmp$/.test(path)
}
/** Nothing reads it back, so either run may add a line. */
function isHistory(path: string): boolean {
  return path.startsWith('checkpoint/progress/')
}

describe('two processes replay the same batch, and the one that was superseded is the first to write', () => {
  test.each([
    // the one that took over has removed the temporary file that was to become the entry
    ['link checkpoint/commits/2', 'link checkpoint/commits/2', { end: 'done' }],
    // what is written after that stays without a name: the fence is looked at once more before the state
    ['writeFile checkpoint/commits/2.tmp', 'link checkpoint/commits/2', { end: 'done' }],
    // its state bears its epoch, and nobody asks for it
    ['writeFile checkpoint/state/changelog/3-2', 'writeFile checkpoint/state/changelog/3-3', { end: 'done' }],
  ] as const)('at %s', async (firstAt, secondAt, end) => {
    const dead = start({ hold: { at: 'writeFile checkpoint/state/changelog/3-1', how: 'wait' } })
    await dead.held
    dead.kill()
    await dead.ended.catch(() => {})
    const first = start({ hold: { at: firstAt, how: 'stop' } })
    await first.held
    const second = start({ takeover: true, hold: { at: secondAt, how: 'wait' } })
    await second.held
    expect(await first.goOn()).toMatchObject({ end: 'error', name: 'FencedError', code: 'SUPERSEDED_BY_NEWER_RUN' })
    expect(await second.release()).toMatchObject(end)
    await expectExactlyOnce()
  })
})
