import { describe, expect, test } from 'vitest'
import { intervalText, parseInterval, parseIntervalMs, parseIntervalUs, parseWatermarkDelayMs } from './intervals.ts'

const second = 1000
const day = 86_400 * second

test.each([
  ['3 days', 3 * day],
  ['Interval 3 day', 3 * day],
  ["inTerval '3' day", 3 * day],
  ["interval '3 days'", 3 * day],
  ['0 seconds', 0],
  ['1 day 2 hours 3 minutes 4 seconds', day + 7384 * second],
  ["interval '1 2:3:4' day to second", day + 7384 * second],
  ["interval 1 day '2' hours", day + 7200 * second],
  ['1 month', 31 * day],
  ['1 year -1 month', 11 * 31 * day],
  ['1 week', 7 * day],
  ['1.5 seconds', 1500],
  ['  10   SECONDS ', 10 * second],
  ['-1 second 2 seconds', second],
  ["interval '1-2' year to month", 14 * 31 * day],
  ["interval '2:30' minute to second", 150 * second],
  ['1500 microseconds', 1],
  ['+ 2 minutes', 120 * second],
])('the delay %s is %d ms', (text, ms) => {
  expect(parseWatermarkDelayMs(text)).toBe(ms)
})

describe('what is no interval is CANNOT_PARSE_INTERVAL', () => {
  test.each([
    '1 foo',
    'interva 2 day',
    "interval '1 2:3:4' day to hour",
    '',
    ' ',
    'interval',
    '5',
    '10 seconds 5',
    '1.5 days',
    'days',
    "interval '1 25:00:00' day to second",
    "interval '1:2' day to second",
    '1 day,',
    "'",
    '1 constructor',
    "interval '1-12' year to month",
  ])('%j', (text) => {
    expect(() => parseInterval(text)).toThrow(expect.objectContaining({ code: 'CANNOT_PARSE_INTERVAL' }))
  })
})

test.each(['-1 year', '1 year -13 months', '1 month -40 days', '-10 seconds', "interval -'1 2:3:4' day to second"])(
  'the delay %s should not be negative',
  (text) => {
    expect(() => parseWatermarkDelayMs(text)).toThrow(/should not be negative\./)
  },
)

test('an interval of fixed length has no months', () => {
  expect(parseIntervalUs('1 day 1 microsecond')).toBe(86_400_000_001n)
  expect(parseIntervalMs('10 seconds')).toBe(10_000)
  expect(parseIntervalMs('-10 seconds')).toBe(-10_000)
  expect(() => parseIntervalUs('1 month')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_MONTH_INTERVAL' }))
})

test('intervals are written with their largest units', () => {
  expect(intervalText(0n)).toBe('0 seconds')
  expect(intervalText(5_400_000_000n)).toBe('1 hour 30 minutes')
  expect(intervalText(86_400_000_001n)).toBe('1 day 1 microsecond')
  expect(intervalText(-10_000_000n)).toBe('-10 seconds')
})
