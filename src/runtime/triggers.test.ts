import { expect, test } from 'vitest'
import { nextBatchTimeMs } from './triggers.ts'

// case L7 of the reference's ProcessingTimeExecutorSuite
test('the next batch time is the next multiple of the interval', () => {
  for (const [now, next] of [
    [0, 100],
    [1, 100],
    [99, 100],
    [100, 200],
    [101, 200],
    [150, 200],
  ] as const)
    expect(nextBatchTimeMs(now, 100)).toBe(next)
  expect(nextBatchTimeMs(3500, 1000)).toBe(4000)
  expect(nextBatchTimeMs(1234, 0)).toBe(1234)
})
