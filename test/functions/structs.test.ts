/** withField, dropFields and getItem, which SQL has no functions for; the values are those of pyspark 4.2.0. */
import { col, millrace, t } from 'millrace'
import { afterAll, beforeAll, expect, test } from 'vitest'

let engine: Awaited<ReturnType<typeof millrace.local>>
beforeAll(async () => {
  engine = await millrace.local()
})
afterAll(() => engine.close())
const frame = () =>
  engine.createDataFrame(
    [
      { s: { a: 1, n: { x: 1, y: 2 } }, xs: [5, 6] },
      { s: null, xs: [] },
    ],
    {
      s: t.struct({ a: t.int(), n: t.struct({ x: t.int(), y: t.int() }) }).nullable(),
      xs: t.array(t.int()),
    },
  )

test('fields are set and left out, and a null struct stays null', async () => {
  const rows = await frame()
    .select(({ s }) => ({
      set: s.withField('a', 'x'),
      added: s.withField('b', 2),
      inner: s.withField('n.x', 9),
      less: s.dropFields('a'),
      innerLess: s.dropFields('n.x'),
      same: s.dropFields('nothing'),
    }))
    .collect()
  expect(rows).toEqual([
    {
      set: { a: 'x', n: { x: 1, y: 2 } },
      added: { a: 1, n: { x: 1, y: 2 }, b: 2 },
      inner: { a: 1, n: { x: 9, y: 2 } },
      less: { n: { x: 1, y: 2 } },
      innerLess: { a: 1, n: { y: 2 } },
      same: { a: 1, n: { x: 1, y: 2 } },
    },
    { set: null, added: null, inner: null, less: null, innerLess: null, same: null },
  ])
  expect(() => frame().select(({ s }) => ({ z: s.dropFields('a', 'n') }))).toThrow('CANNOT_DROP_ALL_FIELDS')
  expect(() => frame().select(() => ({ z: col('s').withField('nope.x', 1) }))).toThrow('FIELD_NOT_FOUND')
  expect(() => frame().select(() => ({ z: col('xs').withField('x', 1) }))).toThrow('DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE')
})

test('items count from 0, and one that is not there is an error', async () => {
  const items = frame().limit(1)
  expect(await items.select(({ xs }) => ({ z: xs.getItem(1) })).collect()).toEqual([{ z: 6 }])
  await expect(items.select(({ xs }) => ({ z: xs.getItem(2) })).collect()).rejects.toThrow('INVALID_ARRAY_INDEX')
  await expect(items.select(() => ({ z: col('xs').getItem(-1) })).collect()).rejects.toThrow('INVALID_ARRAY_INDEX')
})
