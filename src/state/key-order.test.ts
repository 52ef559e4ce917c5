import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { orderByGroup, sortByIdentity } from './key-order.ts'

const words = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 200 })

test('identities are sorted by their first word as a number without sign, and those of one word stay in their order', () => {
  const some = fc.array(fc.constantFrom(0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 77), { maxLength: 3000 })
  fc.assert(
    fc.property(fc.oneof(words, some), (first) => {
      const records = Int32Array.from(first.flatMap((word) => [word, 5, 6]))
      const starts = Uint32Array.from(first, (_, i) => 3 * i).reverse()
      const expected = [...starts].sort((a, b) => (records[a]! >>> 0) - (records[b]! >>> 0))
      sortByIdentity(records, starts)
      expect([...starts]).toEqual(expected)
    }),
  )
})

test('rows are put together by key group, and those of a group stay in their order', () => {
  fc.assert(
    fc.property(words, fc.integer({ min: 1, max: 300 }), fc.func(fc.boolean()), (first, keyGroups, isAsked) => {
      const ids = Uint32Array.from(first.flatMap((word) => [word, 1, 2, 3]))
      const rows = Uint32Array.from([...first.keys()].filter(isAsked))
      const groupOf = (row: number) => ids[4 * row]! % keyGroups
      expect([...orderByGroup(ids, rows, keyGroups)]).toEqual([...rows].sort((a, b) => groupOf(a) - groupOf(b) || a - b))
    }),
  )
})
