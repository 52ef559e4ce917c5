import { expect, test } from 'vitest'
import { type ObservedEventTime, WatermarkTracker } from './watermark-tracker.ts'

const delays = (...each: number[]) => each.map((delayMs) => ({ delayMs }))
const seen = (...seconds: (number | null)[]) =>
  new Map<number, ObservedEventTime>(seconds.flatMap((s, i) => (s === null ? [] : [[i, { count: 1, maxUs: BigInt(s) * 1_000_000n }]])))

test('one operator: newest event time less the delay, never back', () => {
  const tracker = new WatermarkTracker(delays(10_000), 'min')
  expect(tracker.advance(seen(15), 0)).toBe(5_000)
  expect(tracker.advance(seen(12), 0)).toBe(5_000)
  expect(tracker.advance(seen(25), 0)).toBe(15_000)
  expect(tracker.advance(seen(null), 0)).toBe(15_000)
})

test('a watermark never falls below its start, also where all event times are small', () => {
  expect(new WatermarkTracker(delays(10_000), 'min').advance(seen(3), 0)).toBe(0)
})

test('event times are cut to whole milliseconds, downwards before 1970 too', () => {
  const late = new WatermarkTracker(delays(0), 'min')
  expect(late.advance(new Map([[0, { count: 1, maxUs: 25_000_900n }]]), 0)).toBe(25_000)
  const early = new WatermarkTracker(delays(0), 'min', -10_000)
  expect(early.advance(new Map([[0, { count: 1, maxUs: -1_500n }]]), 0)).toBe(-2)
})

// case A12 of the reference's EventTimeWatermarkSuite, batch by batch
test('two operators under policy min: an operator without data counts as 0', () => {
  const tracker = new WatermarkTracker(delays(10_000, 5_000), 'min')
  const steps: [(number | null)[], number][] = [
    [[11, null], 0],
    [[null, 6], 1000],
    [[null, 8], 1000],
    [[21, null], 3000],
    [[null, 39], 11000],
    [[31, null], 21000],
    [[41, null], 31000],
    [[51, null], 34000],
    [[100, 100], 90000],
    [[120, 110], 105000],
    [[130, 125], 120000],
    [[100, 100], 120000],
    [[140, 100], 120000],
    [[100, 135], 130000],
    [[200, 190], 185000],
  ]
  for (const [batch, watermarkMs] of steps) expect(tracker.advance(seen(...batch), 0)).toBe(watermarkMs)
  const restarted = new WatermarkTracker(delays(10_000, 5_000), 'min', tracker.currentMs)
  expect(restarted.advance(seen(null, 200), 0)).toBe(185000)
  expect(restarted.advance(seen(200, null), 0)).toBe(190000)
})

test('policy max follows the furthest operator', () => {
  const tracker = new WatermarkTracker(delays(10_000, 5_000), 'max')
  expect(tracker.advance(seen(11, null), 0)).toBe(1000)
  expect(tracker.advance(seen(null, 100), 0)).toBe(95_000)
})
