import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Schema } from '../data/schema.ts'
import { valuesToColumn } from '../data/values.ts'
import { statsOfColumn } from './event-time-stats.ts'

const schema = new Schema([{ name: 'at', type: 'long', nullable: true }])
const us = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -5_000_000_000n, max: 5_000_000_000n }))

test('least, greatest and mean are those of the numbers, a null counted as zero', () => {
  fc.assert(
    fc.property(fc.array(fc.option(us), { minLength: 1, maxLength: 50 }), (times) => {
      const found = statsOfColumn({ schema, length: times.length, columns: [valuesToColumn(schema.fields[0]!, times)] }, 0)!
      const sorted = times.map((time) => time ?? 0n).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
      const mean = sorted.reduce((sum, time) => sum + Number(time) / sorted.length, 0)
      expect(found).toEqual({ count: times.length, minUs: sorted[0], maxUs: sorted.at(-1), avgUs: expect.closeTo(mean, -13) })
    }),
  )
})

test('the mean of times near to each other is exact to the microsecond', () => {
  const start = 1_767_225_600_000_000n
  const times = Array.from({ length: 1000 }, (_, i) => start + BigInt(i) * 1_000_003n)
  const column = valuesToColumn(schema.fields[0]!, times)
  expect(statsOfColumn({ schema, length: 1000, columns: [column] }, 0)).toEqual({
    count: 1000,
    minUs: start,
    maxUs: times.at(-1),
    avgUs: Number(start) + 999 * 0.5 * 1_000_003,
  })
})
