import { expect, test } from 'vitest'
import { Schema } from './schema.ts'
import { cellText, showTable } from './show-table.ts'
import { type DataType, decimal, struct } from './types.ts'
import { Decimal, Temporal } from './values.ts'

test('cells as Spark casts them to strings', () => {
  const instant = (text: string) => Temporal.Instant.from(text)
  const cases: [DataType, unknown, string][] = [
    ['int', null, 'NULL'],
    ['boolean', true, 'true'],
    ['long', -5n, '-5'],
    [decimal(5, 2), Decimal.from('1.50'), '1.50'],
    ['binary', Uint8Array.of(1, 255), '[01 FF]'],
    ['double', 1, '1.0'],
    ['double', 1e7, '1.0E7'],
    ['double', 123456.789, '123456.789'],
    ['double', 1.5e-4, '1.5E-4'],
    ['double', Number.NaN, 'NaN'],
    ['double', -0, '-0.0'],
    ['double', Number.NEGATIVE_INFINITY, '-Infinity'],
    ['float', Math.fround(0.1), '0.1'],
    ['float', Math.fround(3e10), '3.0E10'],
    ['timestamp', instant('2026-01-31T10:00:00Z'), '2026-01-31 10:00:00'],
    ['timestamp', instant('2026-01-31T10:10:10.123450Z'), '2026-01-31 10:10:10.12345'],
    ['timestamp_ntz', Temporal.PlainDateTime.from('2026-01-31T00:00:00.000001'), '2026-01-31 00:00:00.000001'],
    ['date', Temporal.PlainDate.from('2026-01-31'), '2026-01-31'],
    ['interval hour to second', Temporal.Duration.from('PT5H0.5S'), "INTERVAL '05:00:00.5' HOUR TO SECOND"],
    [{ kind: 'array', element: 'double', containsNull: true }, [1, null], '[1.0, NULL]'],
    [
      { kind: 'map', key: 'string', value: 'int', valueContainsNull: true },
      new Map([
        ['a', 1],
        ['b', null],
      ]),
      '{a -> 1, b -> NULL}',
    ],
    [
      struct([
        { name: 'start', type: 'timestamp', nullable: true },
        { name: 'x', type: 'int', nullable: true },
      ]),
      { start: instant('2026-01-31T10:00:00Z'), x: 1 },
      '{2026-01-31 10:00:00, 1}',
    ],
  ]
  for (const [type, value, text] of cases) expect(cellText(type, value)).toBe(text)
})

test('a table without rows, wide characters, and small truncation', () => {
  const schema = new Schema([{ name: 'a', type: 'string', nullable: true }])
  expect(showTable(schema, [], { numRows: 20, truncate: 20 })).toBe('+---+\n|  a|\n+---+\n+---+\n')
  expect(showTable(schema, [{ a: '日本' }, { a: 'abcdef' }], { numRows: 20, truncate: 3 })).toBe(
    '+----+\n|   a|\n+----+\n|日本|\n| abc|\n+----+\n',
  )
  expect(showTable(schema, [{ a: 'x' }, { a: 'y' }, { a: 'z' }], { numRows: 2, truncate: 20 })).toMatch(/only showing top 2 rows$/)
})

test('flush left and whole without truncation; line breaks and tabs as their escapes', () => {
  const schema = new Schema([
    { name: 'id', type: 'long', nullable: true },
    { name: 'note', type: 'string', nullable: true },
  ])
  expect(showTable(schema, [{ id: 1n, note: 'short' }], { numRows: 20, truncate: 0 })).toBe(
    '+---+-----+\n|id |note |\n+---+-----+\n|1  |short|\n+---+-----+\n',
  )
  expect(
    showTable(
      schema,
      [
        { id: 12345n, note: 'a\nb' },
        { id: 2n, note: '\t' },
      ],
      { numRows: 1, truncate: 3 },
    ),
  ).toBe('+---+---+\n| id|not|\n+---+---+\n|123|a\\n|\n+---+---+\nonly showing top 1 row')
})

test('timestamps are shown by the clock of a zone', () => {
  const schema = new Schema([{ name: 'at', type: 'timestamp', nullable: true }])
  const rows = [{ at: Temporal.Instant.from('2026-01-31T12:00:00.5Z') }]
  const shown = (timeZone: string) => showTable(schema, rows, { numRows: 20, truncate: 0, timeZone }).split('\n')[3]
  expect(shown('America/Los_Angeles')).toBe('|2026-01-31 04:00:00.5|')
  expect(shown('GMT+5:30')).toBe('|2026-01-31 17:30:00.5|')
  expect(shown('+5')).toBe('|2026-01-31 17:00:00.5|')
  expect(shown('Z')).toBe('|2026-01-31 12:00:00.5|')
})
