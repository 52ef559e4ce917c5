import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { DataType } from '../data/types.ts'
import { foldOf } from './merge-collections.ts'

const union = (element: DataType) => {
  const { merge } = foldOf('union', { kind: 'array', element, containsNull: false })
  return merge as unknown as (kept: readonly unknown[], value: readonly unknown[]) => readonly unknown[]
}

test.each([
  ['long', fc.bigInt({ min: 0n, max: 60n })],
  ['double', fc.constantFrom(0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, -3)],
  ['timestamp', fc.integer({ min: 0, max: 60 }).map((ms) => new Date(ms))],
] as const)('sets of %s: what is kept stays in its place, and each new value comes once', (type, item) => {
  const text = (value: unknown) => (value instanceof Date ? value.getTime() : value)
  fc.assert(
    fc.property(
      fc.uniqueArray(item as fc.Arbitrary<unknown>, { maxLength: 40, selector: text }),
      fc.array(item as fc.Arbitrary<unknown>, { maxLength: 40 }),
      (kept, value) => {
        const before = [...kept]
        const merged = union(type)(kept, value)
        expect(merged.map(text)).toEqual([...new Set([...kept, ...value].map(text))])
        expect(kept).toEqual(before)
      },
    ),
    { numRuns: 200 },
  )
})
