import { expect, test } from 'vitest'
import { copyBytes, copyInto } from './copy-bytes.ts'

const plain = (length: number) => new Uint8Array(length)
const shared = (length: number) => new Uint8Array(new SharedArrayBuffer(length, { maxByteLength: 4096 }), 0, length)

test.each([plain, shared])('copies that many bytes and no other, short and long (%o)', (memory) => {
  const source = memory(300).map((_, i) => 1 + (i % 250))
  for (const length of [0, 1, 31, 32, 33, 100, 200]) {
    const target = memory(300)
    copyBytes(target, 7, source, 13, length)
    expect([...target]).toEqual([...plain(7), ...source.subarray(13, 13 + length), ...plain(293 - length)])
  }
})

test('copies words and bytes as far as there is room', () => {
  const target = new Int32Array(3)
  copyInto(target, new Int32Array([1, -2, 3, 4]))
  expect([...target]).toEqual([1, -2, 3])
  copyInto(target, new Int32Array([5]))
  expect([...target]).toEqual([5, -2, 3])
})
