import { expect, test } from 'vitest'
import { Schema } from '../data/schema.ts'
import { withPartitions } from './infer-partitions.ts'

const files = (...values: (string | null)[]) => values.map((value) => [['p', value] as const])
const own = new Schema([{ name: 'a', type: 'int', nullable: true }])

test('the type of a partition column is the narrowest that holds all values', () => {
  const cases: [(string | null)[], string][] = [
    [['1', '-2', '03'], 'int'],
    [['1', '2147483648'], 'long'],
    [['1', '1.5', '2e3'], 'double'],
    [['9223372036854775808'], 'double'],
    [['2026-01-31', null], 'date'],
    [['2026-02-31'], 'string'],
    [['2026-01-31 10:00:00', '2026-01-31T10:00'], 'timestamp'],
    [['2026-01-31', '1'], 'string'],
    [['1', 'x'], 'string'],
    [[null], 'string'],
    [['', '1'], 'string'],
    [['1', null], 'int'],
  ]
  for (const [values, type] of cases)
    expect(withPartitions(own, files(...values)).fields.at(-1), values.join()).toEqual({ name: 'p', type, nullable: true })
})

test('partition columns come last, in the order of the folders, or where the files have a column of that name', () => {
  const parts = [
    [
      ['A', '1'],
      ['b', 'x'],
    ],
    [
      ['A', '2'],
      ['b', 'y'],
      ['c', '3'],
    ],
  ] as [string, string][][]
  expect(withPartitions(own, parts).fields.map(({ name, type }) => `${name} ${String(type)}`)).toEqual(['A int', 'b string'])
  expect(withPartitions(new Schema([{ name: 'z', type: 'long', nullable: true }]), parts).names).toEqual(['z', 'A', 'b'])
})

test('without folders the schema stays', () => {
  expect(withPartitions(own, [[], []])).toEqual(own)
})
