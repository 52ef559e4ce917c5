import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ArrayType } from '../data/types.ts'
import { valueFromJson, valuesToJson, valueToJson } from './value-json.ts'

const list = (element: 'long' | 'string'): ArrayType => ({ kind: 'array', element, containsNull: true })

function expectEach(type: 'long' | 'string', item: fc.Arbitrary<unknown>): void {
  fc.assert(
    fc.property(fc.array(fc.option(item)), (items) => {
      const json = valueToJson(list(type), items)
      const each = items.map((value) => (typeof value === 'bigint' ? `"${value}"` : JSON.stringify(value)))
      expect(json).toBe(`[${each.join(',')}]`)
      expect(valueFromJson(list(type), json)).toEqual(items)
      const column = [items, null, items.filter((value) => value !== null), []]
      const { offsets, heap } = valuesToJson(list(type), column)
      const texts = column.map((_, i) => Buffer.from(heap.subarray(offsets[i]!, offsets[i + 1]!)).toString())
      expect(texts).toEqual(column.map((value) => valueToJson(list(type), value)))
    }),
    { numRuns: 50 },
  )
}

test('a list of plain values has the text of its values, one by one, and comes back', () => {
  expectEach('long', fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
  expectEach(
    'long',
    fc.oneof(fc.bigInt(-(2n ** 53n), 2n ** 53n), fc.bigInt(-9n, 9n), fc.constantFrom(999_999_999n, 10n ** 9n, 10n ** 15n, -(10n ** 10n))),
  )
  expectEach('string', fc.string({ unit: 'binary' }))
})

test('a list with a value that its type does not hold is refused', () => {
  expect(() => valueToJson(list('long'), [1n, 2n ** 63n])).toThrow('NUMERIC_VALUE_OUT_OF_RANGE')
  for (const wrong of [1.5, 'one', true]) expect(() => valueToJson(list('long'), [1n, wrong])).toThrow('INVALID_EXTERNAL_TYPE')
  expect(() => valueToJson(list('string'), ['a', 1n])).toThrow('INVALID_EXTERNAL_TYPE')
})
