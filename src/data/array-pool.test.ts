import { expect, test } from 'vitest'
import { ArrayPool } from './array-pool.ts'

test('memory given back is taken again, whatever array it is taken for', () => {
  const pool = new ArrayPool()
  const first = new BigInt64Array(pool.take(8 * 500), 0, 500)
  pool.give(first)
  const second = pool.take(3000)
  expect(second).toBe(first.buffer)
  expect(pool.take(3000)).not.toBe(second)
})

test('there is room for what was asked, at every size', () => {
  const pool = new ArrayPool()
  for (const bytes of [0, 1, 1023, 1024, 1025, 4096, 4097, 262_143, 262_144, 262_145, 1_000_000, 16_777_216, 16_777_217]) {
    const buffer = pool.take(bytes)
    expect(buffer.byteLength).toBeGreaterThanOrEqual(bytes)
    pool.give(new Uint8Array(buffer, 0, bytes))
    expect(pool.take(bytes).byteLength).toBeGreaterThanOrEqual(bytes)
  }
})

test('what lies in memory that was given back is gone', () => {
  const pool = new ArrayPool()
  const array = new Uint8Array(pool.take(100), 0, 100).fill(7)
  pool.give(array)
  expect(array).not.toContain(7)
})

test('memory is given back once; memory of others is not taken in, nor changed', () => {
  const pool = new ArrayPool()
  const array = new Uint8Array(pool.take(2000))
  pool.give(array)
  pool.give(array)
  expect(pool.take(2000)).toBe(array.buffer)
  expect(pool.take(2000)).not.toBe(array.buffer)

  const foreign = new Uint8Array(2048).fill(7)
  pool.give(foreign)
  expect(foreign[0]).toBe(7)
  expect(pool.take(2048)).not.toBe(foreign.buffer)
})

test('only so much memory is kept', () => {
  const pool = new ArrayPool()
  const lent = Array.from({ length: 40 }, () => pool.take(1024))
  for (const buffer of lent) pool.give(new Uint8Array(buffer))
  const again = new Set(Array.from({ length: 40 }, () => pool.take(1024)))
  expect(lent.filter((buffer) => again.has(buffer))).toHaveLength(16)
})

test('of large arrays fewer are kept, and of the largest none', () => {
  const kept = (bytes: number) => {
    const pool = new ArrayPool()
    const lent = Array.from({ length: 20 }, () => pool.take(bytes))
    for (const buffer of lent) pool.give(new Uint8Array(buffer))
    const again = new Set(Array.from({ length: 20 }, () => pool.take(bytes)))
    return lent.filter((buffer) => again.has(buffer)).length
  }
  expect([256 * 1024, 1024 * 1024, 16 * 1024 * 1024, 16 * 1024 * 1024 + 1].map(kept)).toEqual([16, 8, 1, 0])
})
