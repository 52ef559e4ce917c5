import { beforeEach, expect, test } from 'vitest'
import { ManualClock } from '../base/clock.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { MemoryGuard } from './memory-guard.ts'
import { openQueryState } from './open-query-state.ts'
import { keyed, MemoryFiles } from './state-test-kit.ts'

let told: string[]
beforeEach(() => {
  told = []
})
const warn = (text: string) => void told.push(text)

test('warns once at 70 % and once at 90 %, and refuses above the limit', () => {
  const guard = new MemoryGuard({ kind: 'memory', limitBytes: 1000, warn })
  guard.check(700, 1)
  expect(told).toEqual([])
  guard.check(710, 2)
  guard.check(800, 3)
  expect(told).toEqual([expect.stringContaining('STATE_STORE_MEMORY_LIMIT_NEAR: the state of 2 rows takes 710 bytes of memory, 71 %')])
  guard.check(950, 4)
  guard.check(100, 1)
  guard.check(1000, 5)
  expect(told).toHaveLength(2)
  expect(told[1]).toContain('millrace state move <checkpoint> --to rocksdb')
  expect(() => guard.check(1001, 6)).toThrow(expect.objectContaining({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED' }))
})

test('without a limit it says nothing', () => {
  new MemoryGuard({ kind: 'memory', warn }).check(1e15, 1)
  expect(told).toEqual([])
})

/** A state of ints as keys in files of its own, opened at a version, with a limit or without. */
function states() {
  const schema: StateSchema = { keys: [{ name: 'id', type: 'int', nullable: false }], values: [], eventTime: null }
  const files = new MemoryFiles()
  const open = (version: number, limitBytes?: number) =>
    openQueryState({
      files,
      folder: '/checkpoint/state',
      queryId: 'query-1',
      epoch: version + 1,
      version,
      epochOf: async () => undefined,
      operators: [{ operatorId: 0, name: 'dedupe', schema }],
      keyGroups: 4,
      partitions: 1,
      checkFence: async () => {},
      clock: new ManualClock(0),
      provider: { kind: 'memory', warn, ...(limitBytes === undefined ? {} : { limitBytes }) },
    })
  const rows = (from: number, count: number) =>
    keyed(
      schema,
      Array.from({ length: count }, (_, id) => ({ id: from + id })),
    )
  return { files, open, rows }
}

test('a batch that goes past the limit is not committed, and a state that is past it is not begun with', async () => {
  const { files, open, rows } = states()
  const limited = await open(0, 100_000)
  limited.store(0).insert(rows(0, 10_000))
  await expect(limited.commit()).rejects.toThrow(expect.objectContaining({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED' }))
  expect([...files.content.keys()]).toEqual([])
  const free = await open(0)
  free.store(0).insert(rows(0, 10_000))
  await free.commit()
  await expect(open(1, 100_000)).rejects.toThrow(expect.objectContaining({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED' }))
  expect((await open(1, 10_000_000)).metrics.numRows).toBe(10_000)
})

test('it is looked at within a batch, and while a state is loaded: nobody waits until it is whole', async () => {
  const { open, rows } = states()
  const limited = await open(0, 300_000)
  limited.store(0).insert(rows(0, 1000))
  limited.checkMemory()
  expect(told).toEqual([])
  limited.store(0).insert(rows(1000, 19_000))
  expect(() => limited.checkMemory()).toThrow(expect.objectContaining({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED' }))

  // ten changelogs of 2,000 keys: what is told is the size at which the load stopped, not that of all of them
  for (let version = 0; version < 10; version++) {
    const state = await open(version)
    state.store(0).insert(rows(version * 2000, 2000))
    await state.commit()
    await state.close()
  }
  const error = await open(10, 300_000).catch((thrown: { code: string; what: string }) => thrown)
  expect(error).toMatchObject({ code: 'STATE_STORE_MEMORY_LIMIT_REACHED', what: expect.stringContaining('it was not loaded to its end') })
  expect(Number(/of (\d+) rows/.exec((error as { what: string }).what)![1])).toBeLessThan(20_000)
})
