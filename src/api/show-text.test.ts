import { expect, test } from 'vitest'
import { Decimal, Temporal } from '../data/values.ts'
import { parseDdl } from '../plan/schema-text.ts'
import { schemaTree } from './schema-tree.ts'
import { cellText, doubleText, tableText } from './show-text.ts'

test('a table in Spark’s form: cut and right-aligned, or whole and left-aligned', () => {
  const schema = parseDdl('id bigint, note string')
  const rows = [{ id: 1n, note: 'short' }, { id: null, note: 'x'.repeat(25) }]
  expect(tableText(schema, rows, true, true)).toBe(`+----+--------------------+
|  id|                note|
+----+--------------------+
|   1|               short|
|NULL|xxxxxxxxxxxxxxxxx...|
+----+--------------------+
only showing top 2 rows
`)
  expect(tableText(schema, rows.slice(0, 1), false, false)).toBe(`+---+-----+
|id |note |
+---+-----+
|1  |short|
+---+-----+
`)
  expect(tableText(schema, [{ id: 12345n, note: 'a\nb' }], 3, true)).toBe(`+---+---+
| id|not|
+---+---+
|123|a\\n|
+---+---+
only showing top 1 row
`)
  expect(tableText(parseDdl('wide string'), [{ wide: '日本' }], false, false)).toContain('|日本|\n')
})

test.each<[string, unknown, string]>([
  ['timestamp', Temporal.Instant.from('2020-01-31T12:00:00.5Z'), '2020-01-31 12:00:00.5'], ['timestamp_ntz', Temporal.PlainDateTime.from('2020-01-31T12:00'), '2020-01-31 12:00:00'], ['date', Temporal.PlainDate.from('2020-01-31'), '2020-01-31'],
  ['decimal(5,2)', new Decimal(150n, 2), '1.50'], ['binary', new Uint8Array([1, 171]), '[01 AB]'], ['boolean', true, 'true'], ['float', Math.fround(0.1), '0.1'],
  ['array<int>', [1, null], '[1, NULL]'], ['map<string,double>', new Map([['a', 1]]), '{a -> 1.0}'], ['struct<a:int,b:array<string>>', { a: 1, b: ['x'] }, '{1, [x]}'],
])('a value of type %s', (type, value, text) => {
  expect(cellText(value, parseDdl(`a ${type}`).fields[0]!.type)).toBe(text)
})

test.each([[1, '1.0'], [0, '0.0'], [-0, '-0.0'], [0.001, '0.001'], [0.0001, '1.0E-4'], [9999999, '9999999.0'], [12345678, '1.2345678E7'], [1e21, '1.0E21'], [NaN, 'NaN'], [-Infinity, '-Infinity'], [1.5e-7, '1.5E-7']])('the double %d is %s', (value, text) => {
  expect(doubleText(value)).toBe(text)
})

test('a schema as a tree', () => {
  expect(schemaTree(parseDdl('id bigint not null, tags array<struct<a:int>>, m map<string,decimal(5,2)>'))).toBe(`root
 |-- id: long (nullable = false)
 |-- tags: array (nullable = true)
 |    |-- element: struct (containsNull = true)
 |    |    |-- a: integer (nullable = true)
 |-- m: map (nullable = true)
 |    |-- key: string
 |    |-- value: decimal(5,2) (valueContainsNull = true)
`)
})
