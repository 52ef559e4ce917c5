import { expect, test } from 'vitest'
import { parseDdl } from '../plan/schema-text.ts'
import { schemaTree } from './schema-tree.ts'

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
