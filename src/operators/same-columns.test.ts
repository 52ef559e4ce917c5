import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import type { DataType } from '../data/types.ts'
import { columnsToRows, valuesToColumn } from '../data/values.ts'
import { sameRows } from './same-columns.ts'
import { takeColumns } from './take.ts'

const longs = fc.constantFrom(0n, 1n, -1n, 2n ** 32n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 31n)
const cells: readonly { readonly type: DataType; readonly value: fc.Arbitrary<unknown> }[] = [
  { type: 'long', value: longs },
  { type: 'long', value: fc.option(longs) },
  { type: 'double', value: fc.option(fc.constantFrom(0, -0, Number.NaN, 1.5, Number.POSITIVE_INFINITY)) },
  { type: 'int', value: fc.constantFrom(0, 1, -(2 ** 31)) },
  { type: 'string', value: fc.option(fc.constantFrom('', 'a', 'b', 'ab')) },
]
const row = fc.tuple(...cells.map(({ value }) => value))
const schema = new Schema(cells.map(({ type }, c) => ({ name: `c${c}`, type, nullable: true })))
const batchOf = (rows: readonly (readonly unknown[])[]): ColumnBatch => ({
  schema,
  length: rows.length,
  columns: cells.map(({ type }, c) =>
    valuesToColumn(
      { name: `c${c}`, type, nullable: true },
      rows.map((cells) => cells[c]),
    ),
  ),
})
/** -0 is 0, and NaN is itself. */
const textOf = (values: readonly unknown[]) => values.map((value) => `${typeof value} ${String(value)}`).join()

test('rows are the same where they hold the same in so many columns: nulls, NaNs, zeros of either sign, both halves of a long', () => {
  const some = fc.array(row, { minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(some, some, fc.integer({ min: 1, max: cells.length }), fc.nat(), (a, b, count, shift) => {
      const partners = Uint32Array.from(a, (_, i) => (i * 7 + shift) % b.length)
      const expected = [...a.keys()].filter((i) => textOf(a[i]!.slice(0, count)) === textOf(b[partners[i]!]!.slice(0, count)))
      expect([...sameRows(batchOf(a), batchOf(b), count, partners)]).toEqual(expected)
    }),
  )
})

test('rows that are taken are those of the numbers, in their order', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 30 }), fc.array(fc.nat(), { maxLength: 40 }), (rows, numbers) => {
      const taken = numbers.map((number) => number % rows.length)
      const found = takeColumns(batchOf(rows), Uint32Array.from(taken))
      expect(columnsToRows(found)).toEqual(columnsToRows(batchOf(taken.map((i) => rows[i]!))))
    }),
  )
})
