import { expect, test } from 'vitest'
import { type DataType, decimal } from '../../data/types.ts'
import { readCell } from './cells.ts'

const read = (type: DataType, value: unknown) => readCell({ name: 'a', type, nullable: true }, value)

test('values of servers, and what no value of the type is', () => {
  for (const [value, as] of Object.entries({ t: true, f: false, true: true, false: false, 1: true, 0: false, 5: true, '-1': true }))
    expect(read('boolean', value)).toBe(as)
  expect([
    read('long', '9223372036854775807'),
    read('int', 5),
    read('double', 'NaN'),
    read('double', '-Infinity'),
    read('float', '1e-3'),
  ]).toEqual([2n ** 63n - 1n, 5, Number.NaN, Number.NEGATIVE_INFINITY, 0.001])
  expect(read(decimal(38, 10), '1234567890123456789012345678.0123456789')).toBe('1234567890123456789012345678.0123456789')
  for (const type of ['boolean', 'int', 'long', 'double', decimal(5, 2), 'date', 'timestamp'] as const)
    for (const value of ['abc', '', '1.5x']) expect(() => read(type, value)).toThrow('DATABASE_VALUE_UNREADABLE: column a holds')
  expect(() => read('long', 1.5)).toThrow('DATABASE_VALUE_UNREADABLE')
})
