import { describe, expect, test } from 'vitest'
import { durationOf, fieldsOf, intervalOfDuration, intervalType, intervalTypes, intervalValueText, widerInterval } from './intervals.ts'
import { Temporal } from './values.ts'

describe('the types', () => {
  test('there are ten of days and times and three of months', () => {
    expect(intervalTypes).toHaveLength(13)
    for (const type of intervalTypes) expect(intervalType(...fieldsOf(type))).toBe(type)
    expect(intervalType('DAY', 'Second')).toBe('interval day to second')
    expect(intervalType('second', 'day')).toBe(undefined)
    expect(intervalType('month', 'day')).toBe(undefined)
  })
  test('two meet in the one that has the fields of both', () => {
    expect(widerInterval('interval day', 'interval hour')).toBe('interval day to hour')
    expect(widerInterval('interval minute', 'interval day to hour')).toBe('interval day to minute')
    expect(widerInterval('interval year', 'interval month')).toBe('interval year to month')
    expect(widerInterval('interval year', 'interval day')).toBe(undefined)
  })
})

// as Spark 4.2 casts them to string
test.each([
  ['interval day', 86_400_000_000n, "INTERVAL '1' DAY"],
  ['interval day to second', 93_784_500_000n, "INTERVAL '1 02:03:04.5' DAY TO SECOND"],
  ['interval day to second', -93_784_500_000n, "INTERVAL '-1 02:03:04.5' DAY TO SECOND"],
  ['interval hour', 18_000_000_000n, "INTERVAL '05' HOUR"],
  ['interval second', 1_500_000n, "INTERVAL '01.5' SECOND"],
  ['interval minute to second', 6_000_000_001n, "INTERVAL '100:00.000001' MINUTE TO SECOND"],
  ['interval year to month', -14, "INTERVAL '-1-2' YEAR TO MONTH"],
  ['interval month', 14, "INTERVAL '14' MONTH"],
  ['interval year', 24, "INTERVAL '2' YEAR"],
  ['interval day to second', -(2n ** 63n), "INTERVAL '-106751991 04:00:54.775808' DAY TO SECOND"],
] as const)('%s of %s is %s', (type, value, text) => {
  expect(intervalValueText(type, value)).toBe(text)
  const back = intervalOfDuration(type, durationOf(type, value))
  expect(back).toBe(BigInt(value)) // nothing is lost on the way to JavaScript and back
})

test('durations that a type can not hold', () => {
  expect(intervalOfDuration('interval day to second', Temporal.Duration.from('P1W2DT3H'))).toBe(9n * 86_400_000_000n + 10_800_000_000n)
  expect(intervalOfDuration('interval day to second', 'P1M')).toBe(undefined)
  expect(intervalOfDuration('interval year to month', 'P1Y1D')).toBe(undefined)
  expect(intervalOfDuration('interval day', 'PT1H')).toBe(undefined)
  expect(intervalOfDuration('interval year', 'P14M')).toBe(undefined)
  expect(intervalOfDuration('interval day', 'one day')).toBe(undefined)
  expect(intervalOfDuration('interval day', 1)).toBe(undefined)
})
