import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ArrayPool } from './array-pool.ts'

/** Marks memory, so that it is known again: it is given out as it was left. */
const marked = (pool: ArrayPool, bytes: number, mark = 7) => pool.array(Uint8Array, bytes).fill(mark)
const isMarked = (pool: ArrayPool, bytes: number, mark = 7) => pool.array(Uint8Array, bytes).includes(mark)

test('memory given back is taken again, whatever array it is taken for', () => {
  const pool = new ArrayPool()
  const first = pool.array(BigInt64Array, 500).fill(0x0707070707070707n)
  pool.give(first)
  expect(isMarked(pool, 3000)).toBe(true)
  expect(isMarked(pool, 3000)).toBe(false)
})

test('there is room for what was asked, at every size', () => {
  const pool = new ArrayPool()
  for (const bytes of [0, 1, 1023, 1024, 1025, 4096, 4097, 262_143, 262_144, 262_145, 1_000_000, 16_777_216, 16_777_217]) {
    const array = pool.array(Uint8Array, bytes)
    expect(array).toHaveLength(bytes)
    pool.give(array)
    expect(pool.array(Uint8Array, bytes)).toHaveLength(bytes)
  }
})

test('arrays that were given back have no elements, and neither have others of their memory', () => {
  const pool = new ArrayPool()
  const array = marked(pool, 100)
  const part = array.subarray(10, 20)
  pool.give(array)
  expect([array.length, part.length]).toEqual([0, 0])
})

test('memory is given back once, also when somebody else has it by then', () => {
  const pool = new ArrayPool()
  const array = marked(pool, 2000)
  const stale = array.subarray(0, 10)
  pool.give(array)
  pool.give(array)
  const next = marked(pool, 2000, 8)
  pool.give(array)
  pool.give(stale)
  expect(next).toHaveLength(2000)
  expect(isMarked(pool, 2000, 8)).toBe(false)
})

test('memory of others is not taken in, nor changed', () => {
  const pool = new ArrayPool()
  const foreign = new Uint8Array(2048).fill(7)
  pool.give(foreign)
  expect(foreign[2047]).toBe(7)
  expect(isMarked(pool, 2048)).toBe(false)
})

test('nobody sees what another holds, whoever gives back what and how often', () => {
  const steps = fc.array(fc.record({ gives: fc.boolean(), which: fc.nat(19), bytes: fc.nat(5000) }), { maxLength: 60 })
  fc.assert(
    fc.property(steps, (all) => {
      const pool = new ArrayPool()
      const arrays: { array: Uint8Array; mark: number; isGiven: boolean }[] = []
      for (const [mark, { gives, which, bytes }] of all.entries()) {
        const known = arrays[which]
        if (gives && known) {
          pool.give(known.array)
          known.isGiven = true
        } else arrays.push({ array: marked(pool, bytes, mark), mark, isGiven: false })
        for (const { array, mark, isGiven } of arrays)
          expect(isGiven ? array.length === 0 : array.every((byte) => byte === mark)).toBe(true)
      }
    }),
  )
})

function keptOf(count: number, bytes: number): number {
  const pool = new ArrayPool()
  for (const array of Array.from({ length: count }, () => marked(pool, bytes))) pool.give(array)
  return Array.from({ length: count }, () => isMarked(pool, bytes)).filter((isKept) => isKept).length
}
test('only so much memory is kept', () => {
  expect(keptOf(40, 1024)).toBe(16)
})
test('of large arrays fewer are kept, and of the largest none', () => {
  expect([256 * 1024, 1024 * 1024, 16 * 1024 * 1024, 16 * 1024 * 1024 + 1].map((bytes) => keptOf(20, bytes))).toEqual([16, 8, 1, 0])
})
