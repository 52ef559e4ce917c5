import { expect, test } from 'vitest'
import { Schema } from '../data/schema.ts'
import { typeText } from '../data/types.ts'
import { withPartitions } from './infer-partitions.ts'

const files = (...values: (string | null)[]) => values.map((value) => [['p', value] as const])
const own = new Schema([{ name: 'a', type: 'int', nullable: true }])

test('the type of a partition column is the one that Spark gives it', () => {
  const cases: [(string | null)[], string][] = [
    [['1', '-2', '03', '+5'], 'int'],
    [['1', '2147483648'], 'bigint'],
    [['1', '1.5'], 'double'],
    [['1e3'], 'decimal(4,0)'],
    [['5.'], 'decimal(1,0)'],
    [['1.5e1', '007'], 'decimal(10,0)'],
    [['9223372036854775808', '1'], 'decimal(19,0)'],
    [['99999999999999999999', '3000000000'], 'decimal(20,0)'],
    [['1'.repeat(39)], 'double'],
    [['NaN', '.5', ' 5', '-Infinity'], 'double'],
    [['1.5', '3000000000'], 'string'],
    [['1.5', '99999999999999999999'], 'string'],
    [['2026-01-31', null], 'date'],
    [['2026-02-31'], 'string'],
    [['2026-1-31'], 'string'],
    [['2026-01-31', '2026-01-31 10:00:00'], 'timestamp'],
    [['2026-01-31T10:00:00'], 'string'],
    [['2026-01-31', '1'], 'string'],
    [['1', 'x'], 'string'],
    [['0x10'], 'string'],
    [['e5'], 'string'],
    [[null], 'string'],
    [['', '1'], 'string'],
    [['1', null], 'int'],
  ]
  for (const [values, type] of cases) {
    const { type: found, nullable } = withPartitions(own, files(...values)).fields.at(-1)!
    expect([typeText(found), nullable], values.join()).toEqual([type, true])
  }
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
    ],
  ] as [string, string][][]
  expect(withPartitions(own, parts).fields.map(({ name, type }) => `${name} ${String(type)}`)).toEqual(['A int', 'b string'])
  expect(withPartitions(new Schema([{ name: 'z', type: 'long', nullable: true }]), parts).names).toEqual(['z', 'A', 'b'])
})

test('without folders the schema stays', () => {
  expect(withPartitions(own, [[], []])).toEqual(own)
})
