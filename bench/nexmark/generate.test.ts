import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type NexmarkOptions, nexmarkEvents } from './generate.ts'

/** Digests of the public generator's algorithm with seeded randomness, made by an independent implementation. */
test.each<[NexmarkOptions, string]>([
  [{ events: 100_000, rate: 1000, seed: 42 }, '4c20dd63685a813f0d319c4be700afd1008375e6f416ea064b4b90d053a76400'],
  [{ events: 50_000, rate: 10_000, seed: 7, outOfOrderGroup: 1000 }, '5f25b937adba96768c1bc728a1765abfeceb2b2c5ff15c2da544afc1636da58f'],
])('the stream of %j is the one that others generate', (options, digest) => {
  const hash = createHash('sha256')
  for (const event of nexmarkEvents(options)) hash.update(`${event}\n`)
  expect(hash.digest('hex')).toBe(digest)
})
