import { expect, test } from 'vitest'
import { nextBatchTimeMs, Pace } from './triggers.ts'

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

test('that triggers outlast their interval is said once, and again after one that did not', () => {
  const told: string[] = []
  const pace = new Pace(100, (text) => told.push(/took \d+ ms/.exec(text)![0]))
  for (const ms of [100, 101, 250, 99, 3000, 20]) pace.took(ms)
  expect(told).toEqual(['took 101 ms', 'took 3000 ms'])
  const unhurried = new Pace(0, (text) => told.push(text))
  unhurried.took(5)
  expect(told.length).toBe(2)
})
