import { expect, test } from 'vitest'
import { Options } from './options.ts'

test('names in any case, values checked', () => {
  const options = new Options('the test', { MaxRows: '5', on: 'TRUE', age: '2 days', ratio: '0.5' }, [
    'maxRows',
    'on',
    'age',
    'ratio',
    'other',
  ])
  expect([
    options.wholeNumber('maxRows', 1),
    options.flag('on', false),
    options.durationMs('age'),
    options.fraction('ratio', 0, 1),
  ]).toEqual([5, true, 172_800_000, 0.5])
  expect([options.wholeNumber('other', 1), options.flag('other', true), options.durationMs('other'), options.text('other')]).toEqual([
    undefined,
    true,
    undefined,
    undefined,
  ])
})

test('durations as Spark writes them', () => {
  const ms = (age: string, unit?: 's') => new Options('the test', { age }, ['age']).durationMs('age', unit)
  expect(['500', '500ms', '10s', '5min', '5 minutes', '2h', '7d', '1 week', '1500us'].map((age) => ms(age))).toEqual([
    500, 500, 10_000, 300_000, 300_000, 7_200_000, 604_800_000, 604_800_000, 1,
  ])
  expect(ms('10', 's')).toBe(10_000)
})

test('mistakes are named, with what was meant', () => {
  const bad =
    (given: Record<string, string>, read: (options: Options) => unknown = () => {}) =>
    () =>
      read(new Options('the test', given, ['maxRows', 'path']))
  expect(bad({ maxRow: '1' })).toThrow(/UNKNOWN_OPTION: the test knows no option "maxRow"[^]*did you mean "maxRows"/)
  expect(bad({ maxRows: '-1' }, (o) => o.wholeNumber('maxRows', 0))).toThrow(/INVALID_OPTION_VALUE.*maxRows = "-1"/)
  expect(bad({ maxRows: '1.5' }, (o) => o.wholeNumber('maxRows', 0))).toThrow(/INVALID_OPTION_VALUE/)
  expect(bad({ maxRows: '10 moons' }, (o) => o.durationMs('maxRows'))).toThrow(/INVALID_OPTION_VALUE/)
  expect(bad({ maxRows: 'on' }, (o) => o.flag('maxRows', true))).toThrow(/INVALID_OPTION_VALUE/)
  expect(bad({ path: '' }, (o) => o.required('path', "load('in/')"))).toThrow(/MISSING_OPTION[^]*load\('in\/'\)/)
})
