// Expected rows are those of Spark 4.2.0.
import { t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, ordered } from './rows.ts'

const engine = useEngine()
const w = () =>
  engine().createDataFrame(
    [
      { i: 1, d: null, f: NaN, b: true, s: 'a' },
      { i: null, d: 2, f: 1, b: null, s: null },
      { i: null, d: null, f: null, b: null, s: null },
    ],
    { i: t.int().nullable(), d: t.double().nullable(), f: t.float().nullable(), b: t.boolean().nullable(), s: t.string().nullable() },
  )

describe('fillna', () => {
  test('a value fills the columns of its kind; NaN is missing too', async () => {
    expect(await ordered(w().fillna(0))).toEqual(['1 0 0 true a', '0 2 1 null null', '0 0 0 null null'])
    expect(columnsOf(w().fillna(0))).toEqual(['i int', 'd double', 'f float', 'b boolean?', 's string?'])
    expect(await ordered(w().fillna(7.9).select('i', 'd'))).toEqual(['1 7.9', '7 2', '7 7.9'])
    expect(await ordered(w().fillna('u'))).toEqual(['1 null NaN true a', 'null 2 1 null u', 'null null null null u'])
    expect(await ordered(w().na.fill(true).select('b'))).toEqual(['true', 'true', 'true'])
  })
  test('by column, and a subset', async () => {
    expect(await ordered(w().fillna({ i: 5, s: 'q', d: 1 }))).toEqual(['1 1 NaN true a', '5 2 1 null q', '5 1 null null q'])
    expect(await ordered(w().fillna(9, ['i', 's'] as never))).toEqual(['1 null NaN true a', '9 2 1 null null', '9 null null null null'])
  })
  test('unknown columns and values that fill nothing', () => {
    expect(() => w().fillna(9, ['zz'] as never)).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
    expect(() => w().fillna({ zz: 1 } as never)).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
    expect(() => w().fillna(null as never)).toThrow(code('INVALID_FILL_VALUE'))
    expect(() => w().fillna(new Date() as never)).toThrow(code('INVALID_FILL_VALUE'))
  })
})

describe('dropna', () => {
  test('any, all, a threshold, a subset', async () => {
    expect(await ordered(w().dropna())).toEqual([])
    expect(await ordered(w().dropna('all'))).toEqual(['1 null NaN true a', 'null 2 1 null null'])
    expect(await ordered(w().na.drop({ thresh: 2 }))).toEqual(['1 null NaN true a', 'null 2 1 null null'])
    expect(await ordered(w().dropna({ thresh: 3 }))).toEqual(['1 null NaN true a'])
    expect(await ordered(w().dropna({ subset: ['d', 'f'] }))).toEqual(['null 2 1 null null'])
  })
  test('another how, another threshold', () => {
    expect(() => w().dropna('some' as never)).toThrow(code('VALUE_NOT_ANY_OR_ALL'))
    expect(() => w().dropna({ thresh: 1.5 })).toThrow(code('INVALID_PARAMETER_VALUE.THRESH'))
  })
})

describe('replace', () => {
  test('numbers, text, booleans, NaN, null', async () => {
    expect(await ordered(w().replace(1, 10))).toEqual(['10 null NaN true a', 'null 2 10 null null', 'null null null null null'])
    expect(await ordered(w().replace({ a: 'z' }).select('s'))).toEqual(['z', 'null', 'null'])
    expect(await ordered(w().replace([1, 2], [7, 8], ['i', 'd']))).toEqual([
      '7 null NaN true a',
      'null 8 1 null null',
      'null null null null null',
    ])
    expect(await ordered(w().replace({ a: null }).select('s'))).toEqual(['null', 'null', 'null'])
    expect(await ordered(w().na.replace(true, false).select('b'))).toEqual(['false', 'null', 'null'])
    expect(await ordered(w().replace(NaN, 3).select('f'))).toEqual(['3', '1', 'null'])
    expect(
      await ordered(
        w()
          .replace(new Map([[1, 2.5]]))
          .select('i', 'f'),
      ),
    ).toEqual(['2 NaN', 'null 2.5', 'null null'])
  })
  test('kinds that do not fit', () => {
    expect(() => w().replace(new Map([['a', 1]]) as never)).toThrow(code('MIXED_TYPE_REPLACEMENT'))
    expect(() => w().replace(null as never, 1)).toThrow(code('MIXED_TYPE_REPLACEMENT'))
    expect(() => w().replace([1, 2], [1])).toThrow(code('LENGTH_SHOULD_BE_THE_SAME'))
  })
})
