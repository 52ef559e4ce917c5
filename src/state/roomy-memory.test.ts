import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { letGo, withRoom } from './roomy-memory.ts'

/** What lengths an array goes through: from no memory over memory that moves to memory that grows in place, past what was reserved, and back. */
const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(40_000), fc.nat(600_000)), { maxLength: 12 })

test.each([Int32Array, Uint8Array])('keeps what it holds and is zero above, whatever it goes through (%s)', (kind) => {
  fc.assert(
    fc.property(lengths, (steps) => {
      let array: Int32Array | Uint8Array = new kind(0)
      let expected: Int32Array | Uint8Array = new kind(0)
      for (const [step, length] of steps.entries()) {
        array = withRoom(array, length)
        const before = expected.subarray(0, length)
        expected = new kind(length)
        expected.set(before)
        expect(array).toBeInstanceOf(kind)
        expect(array.length).toBe(length)
        // not toEqual over each element: that takes longer than all the rest
        expect(Buffer.compare(bytesOf(array), bytesOf(expected))).toBe(0)
        for (let i = 0; i < length; i += 97) array[i] = expected[i] = (i + step) % 251
      }
      letGo(array)
    }),
    { numRuns: 20 },
  )
})
function bytesOf(array: Int32Array | Uint8Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength)
}

test('large memory grows in place, and the array has a length of its own', () => {
  const first = withRoom(new Int32Array(0), 20_000)
  first[19_999] = 7
  const second = withRoom(first, 30_000)
  expect(second.buffer).toBe(first.buffer)
  expect([first.length, second.length, second[19_999], second[20_000]]).toEqual([20_000, 30_000, 7, 0])
})

test('memory that shrinks is given back, and comes back zeroed', () => {
  const large = withRoom(new Uint8Array(0), 100_000).fill(1)
  const small = withRoom(large, 10)
  expect(small.buffer.byteLength).toBe(10)
  expect(withRoom(small, 100_000).lastIndexOf(1)).toBe(9)
})

test.each<[string, (memory: Uint8Array) => void]>([
  ['is let go', letGo],
  ['shrinks', (memory) => withRoom(memory, 10)],
  ['moves', (memory) => withRoom(memory, memory.length * 17)],
])('V8 hears of memory that %s', (_, end) => {
  // what V8 counts goes down whenever it collects, so the buffers that it is told with are looked at
  const made: number[] = []
  const construct = (plain: typeof ArrayBuffer, [bytes]: [number]) => {
    made.push(bytes)
    return new plain(bytes)
  }
  vi.stubGlobal('ArrayBuffer', new Proxy(ArrayBuffer, { construct }))
  for (let i = 0; i < 4; i++) end(withRoom(new Uint8Array(0), 16 * 1024 * 1024))
  vi.unstubAllGlobals()
  expect(Math.max(...made)).toBeGreaterThanOrEqual(64 * 1024 * 1024)
})
