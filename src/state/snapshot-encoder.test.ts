import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../base/clock.ts'
import type { StateSchema } from '../data/state-schema.ts'
import { ByteWriter } from './byte-writer.ts'
import { MemoryStateStore } from './memory-state-store.ts'
import { SnapshotEncoder } from './snapshot-encoder.ts'
import { encodeSnapshot, type SnapshotHeader } from './snapshot-file.ts'
import { everySchema, keyed, someRows } from './state-test-kit.ts'

const header: SnapshotHeader = { queryId: 'q', operatorId: 0, version: 7, epoch: 2, schemaId: 0, keyGroups: 8 }
const flat: StateSchema = { ...everySchema, values: everySchema.values.filter(({ type }) => typeof type === 'string') }

const atOnce = ({ schema, groups }: MemoryStateStore) => {
  const writer = new ByteWriter()
  for (const _page of encodeSnapshot(writer, new ByteWriter(), header, schema, groups));
  return Buffer.from(writer.content)
}
const oneMore = () => {
  let left = 1
  return () => left-- > 0
}

test.each([
  ['values in records', flat],
  ['values that are objects', everySchema],
])('%s: a file is that of the rows when it was begun, whatever batches change between its pages', async (_, schema) => {
  const rows = someRows(everySchema, 40, 60)
  await fc.assert(
    fc.asyncProperty(fc.array(rows, { minLength: 2, maxLength: 6 }), async ([first, ...later]) => {
      const store = new MemoryStateStore(schema, 8)
      const encoder = new SnapshotEncoder(systemClock)
      store.merge(keyed(schema, first!), false)
      for (const batch of later) {
        const expected = atOnce(store)
        const encoded = encoder.encode(header, schema, store.groups)
        for (let step = 0; encoder.isBusy; step++) {
          if (step % 10 === 0) store.merge(keyed(schema, batch), false)
          encoder.step(oneMore())
        }
        const buffer = await encoded
        expect(Buffer.from(buffer.content).equals(expected)).toBe(true)
        encoder.release(buffer)
        store.merge(keyed(schema, batch), false)
      }
    }),
    { numRuns: 25 },
  )
})

test('a step encodes as much as there is time for, and hurry all of it', async () => {
  const store = new MemoryStateStore(flat, 8)
  store.merge(keyed(flat, fc.sample(someRows(everySchema, 300, 400), { seed: 3, numRuns: 3 }).flat()), false)
  const encoder = new SnapshotEncoder(systemClock)
  let steps = 0
  const encoded = encoder.encode(header, flat, store.groups)
  for (; encoder.isBusy; steps++) encoder.step(() => false)
  // 8 groups: a page of each for every column, and for the keys' ids and groups
  expect(steps).toBe(8 * (flat.keys.length + flat.values.length + 2) + 1)
  expect(encoder.memoryUsedBytes).toBeGreaterThan((await encoded).length / 2)

  encoder.isHurried = true
  const hurried = encoder.encode(header, flat, store.groups)
  expect(encoder.isBusy).toBe(false)
  expect(Buffer.from((await hurried).content).equals(Buffer.from((await encoded).content))).toBe(true)
})

test('rows that nobody changes are encoded in turns with other work', async () => {
  const store = new MemoryStateStore(flat, 8)
  store.merge(keyed(flat, fc.sample(someRows(everySchema, 300, 400), { seed: 3, numRuns: 3 }).flat()), false)
  let nowMs = 0
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs++ }
  const encoder = new SnapshotEncoder(clock)
  let turns = 0
  let isOver = false
  const others = async () => {
    for (; !isOver; turns++) await new Promise((resolve) => setImmediate(resolve))
  }
  const encoded = encoder.encodeOwn(header, flat, store.groups)
  const working = others()
  expect(Buffer.from((await encoded).content).equals(atOnce(store))).toBe(true)
  isOver = true
  await working
  // two looks at the clock a turn
  expect(turns).toBeGreaterThan((8 * (flat.keys.length + flat.values.length + 2)) / 3)
})

test('rows that cannot be encoded fail their file, and not the next one', async () => {
  const store = new MemoryStateStore(flat, 8)
  store.merge(keyed(flat, fc.sample(someRows(everySchema, 30, 40), { seed: 3, numRuns: 3 }).flat()), false)
  const encoder = new SnapshotEncoder(systemClock)
  const broken = { ...store.groups.find(({ rows }) => rows > 0)!, values: [] }
  const wrong: StateSchema = { ...flat, values: [...flat.values, everySchema.values[0]!] }
  await expect(encoder.encodeOwn(header, wrong, [broken])).rejects.toThrow()
  const failing = encoder.encode(header, wrong, store.groups)
  const fine = encoder.encode(header, flat, store.groups)
  encoder.step(() => true)
  await expect(failing).rejects.toThrow()
  expect(Buffer.from((await fine).content).equals(atOnce(store))).toBe(true)
})
