import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { murmur2, partitionOfKey } from './partitioner.ts'

const bytes = (text: string) => Buffer.from(text, 'utf8')

test("murmur2 is Kafka's", () => {
  // from the tests of Kafka's own Utils.murmur2
  const known: readonly (readonly [string, number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ]
  for (const [key, hash] of known) expect([key, murmur2(bytes(key), 0, bytes(key).length)]).toEqual([key, hash])
})

test('a key within a larger buffer', () => {
  const heap = bytes('xxabcyy')
  expect(murmur2(heap, 2, 5)).toBe(479470107)
})

// beside the repository, or beside the folder that its worktrees lie in
const file = ['../shared', '../../shared']
  .map((shared) => join(import.meta.dirname, '../../..', shared, 'kafka/vectors/partitions.ndjson'))
  .find((each) => existsSync(each))

describe.skipIf(file === undefined)("partitions that Kafka's own partitioner gave", () => {
  const lines = file === undefined ? [] : readFileSync(file, 'utf8').trim().split('\n')
  test(`${lines.length} keys`, () => {
    expect(lines.length).toBeGreaterThan(0)
    for (const line of lines) {
      const { keyHex, murmur2: hash, ...partitions } = JSON.parse(line) as Record<string, number> & { keyHex: string }
      const key = Buffer.from(keyHex, 'hex')
      expect([keyHex, murmur2(key, 0, key.length)]).toEqual([keyHex, hash])
      for (const count of [1, 4, 8, 12, 40])
        expect([keyHex, partitionOfKey(key, 0, key.length, count)]).toEqual([keyHex, partitions[`p${count}`]])
    }
  })
})
