// Expected rows are those of Spark 4.2.0.
import { call_function, col, count, max, sum, t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, ordered, texts } from './rows.ts'

const engine = useEngine()
const sales = () =>
  engine().createDataFrame(
    [
      { shop: 'a', year: 2020, item: 'x', amount: 10 },
      { shop: 'a', year: 2020, item: 'y', amount: 20 },
      { shop: 'a', year: 2021, item: 'x', amount: 30 },
      { shop: 'b', year: 2021, item: 'x', amount: 40 },
      { shop: 'b', year: 2021, item: null, amount: null },
    ],
    { shop: t.string(), year: t.int(), item: t.string().nullable(), amount: t.int().nullable() },
  )
const grouping = (...names: string[]) => call_function('grouping', ...names.map((name) => col(name)))
const grouping_id = (...names: string[]) => call_function('grouping_id', ...names.map((name) => col(name)))

test("groupBy('count').count(): two columns of one name, which are ambiguous until they are renamed", async () => {
  const counts = sales().withColumnRenamed('shop', 'count')
  const counted: any = counts.groupBy('count').count()
  expect(counted.columns).toEqual(['count', 'count'])
  expect(await texts(counted.toDF('shop', 'n'))).toEqual(['a 3', 'b 2'])
  expect(await texts((counts as any).rollup('count').count().toDF('shop', 'n'))).toEqual(['a 3', 'b 2', 'null 5'])
  expect(() => counted.select('count')).toThrow(code('AMBIGUOUS_REFERENCE'))
  await expect(counted.collect()).rejects.toThrow(code('COLUMN_ALREADY_EXISTS'))
  counts.createOrReplaceTempView('counts')
  const sql = 'SELECT k, sum(count) AS n FROM (SELECT count AS k, count(*) AS count FROM counts GROUP BY count) GROUP BY k'
  expect(await texts(engine().sql(sql))).toEqual(['a 3', 'b 2'])
})

describe('rollup, cube, groupingSets', () => {
  test('rollup with grouping() and grouping_id()', async () => {
    const rolled = sales()
      .rollup('shop', 'year')
      .agg(({ amount }) => ({ s: sum(amount), g: grouping('shop'), id: grouping_id() }))
    expect(columnsOf(rolled)).toEqual(['shop string?', 'year int?', 's long?', 'g byte', 'id long'])
    expect(await texts(rolled)).toEqual([
      'a 2020 30 0 0',
      'a 2021 30 0 0',
      'a null 60 0 1',
      'b 2021 40 0 0',
      'b null 40 0 1',
      'null null 100 1 3',
    ])
    expect(await texts(sales().rollup('shop').count())).toEqual(['a 3', 'b 2', 'null 5'])
  })
  test('cube tells a null of the data from a key that is left out', async () => {
    const cube = sales()
      .cube('shop', 'item')
      .agg(() => ({ n: count(), g: grouping_id() }))
    expect(await texts(cube)).toEqual([
      'a null 3 1',
      'a x 2 0',
      'a y 1 0',
      'b null 1 0',
      'b null 2 1',
      'b x 1 0',
      'null null 1 2',
      'null null 5 3',
      'null x 3 2',
      'null y 1 2',
    ])
  })
  test('grouping sets; an aggregate reads the column as it was', async () => {
    const sets = sales()
      .groupingSets([['shop', 'year'], ['year'], []], 'shop', 'year')
      .agg(({ amount, year }) => ({ s: sum(amount), m: max(year), g: grouping('year'), next: year.add(1) }))
    expect(await texts(sets)).toEqual([
      'a 2020 30 2020 0 2021',
      'a 2021 30 2021 0 2022',
      'b 2021 40 2021 0 2022',
      'null 2020 30 2020 0 2021',
      'null 2021 70 2021 0 2022',
      'null null 100 2021 1 null',
    ])
    expect(
      await texts(
        sales()
          .groupingSets([['shop'], ['shop']], 'shop')
          .count(),
      ),
    ).toEqual(['a 3', 'a 3', 'b 2', 'b 2'])
  })
  test('what is wrong with them', () => {
    const g = (frame: { agg(f: () => { g: unknown }): unknown }, column: unknown) => () => frame.agg(() => ({ g: column }))
    expect(g(sales().groupBy('shop') as never, grouping('shop'))).toThrow(code('UNSUPPORTED_GROUPING_EXPRESSION'))
    expect(() => sales().select(grouping('shop').as('g'))).toThrow(code('UNSUPPORTED_GROUPING_EXPRESSION'))
    expect(g(sales().rollup('shop') as never, grouping('year'))).toThrow(code('MISSING_AGGREGATION'))
    expect(g(sales().rollup('shop', 'year') as never, grouping_id('year'))).toThrow(code('GROUPING_ID_COLUMN_MISMATCH'))
    expect(() => sales().groupingSets([['item']] as never, 'shop')).toThrow(code('GROUPING_COLUMN_MISMATCH'))
    expect(() => sales().groupingSets('shop' as never)).toThrow(code('INVALID_GROUPING_SETS'))
  })
})

describe('pivot', () => {
  test('with values', async () => {
    const pivoted = sales().groupBy('shop').pivot('item', ['x', 'y', 'w']).sum('amount')
    expect(columnsOf(pivoted)).toEqual(['shop string', 'x long?', 'y long?', 'w long?'])
    expect(await texts(pivoted)).toEqual(['a 40 20 null', 'b 40 null null'])
    const counted = sales().groupBy('shop').pivot('year', [2020, 2021]).count()
    expect(await texts(counted)).toEqual(['a 2 1', 'b null 2'])
    expect(await texts(sales().groupBy().pivot('year', [2020, 2021]).sum('amount'))).toEqual(['30 70'])
  })
  test('several aggregates', async () => {
    const pivoted = sales()
      .groupBy('shop')
      .pivot('year', [2020, 2021])
      .agg(({ amount }) => ({ s: sum(amount), n: count() }))
    expect(columnsOf(pivoted)).toEqual(['shop string', '2020_s long?', '2020_n long?', '2021_s long?', '2021_n long?'])
    expect(await texts(pivoted)).toEqual(['a 30 2 30 1', 'b null null 40 2'])
  })
  test('without values they are read first, sorted, null among them', async () => {
    const pivoted = (await sales().groupBy('shop').pivot('item')).sum('amount')
    expect(pivoted.columns).toEqual(['shop', 'null', 'x', 'y'])
    expect(await texts(pivoted)).toEqual(['a null 40 20', 'b null 40 null'])
  })
  test('twice, or after rollup', () => {
    expect(() =>
      (sales().groupBy('shop').pivot('item', ['x']) as never as { pivot(c: string, v: string[]): void }).pivot('item', ['x']),
    ).toThrow(code('UNSUPPORTED_FEATURE.PIVOT_AFTER_GROUP_BY'))
  })
})

describe('unpivot', () => {
  test('values of one type, by name', async () => {
    const long = sales().unpivot(['shop'], ['year', 'amount'], 'var', 'val')
    expect(columnsOf(long)).toEqual(['shop string', 'var string', 'val int?'])
    expect((await ordered(long)).slice(0, 4)).toEqual(['a year 2020', 'a amount 10', 'a year 2020', 'a amount 20'])
    expect(await ordered(sales().melt(['shop', 'item'], null, 'var', 'val'))).toHaveLength(10)
    expect(columnsOf(sales().unpivot([], ['year', 'amount'], 'var', 'val'))).toEqual(['var string', 'val int?'])
  })
  test('no values, and types that do not fit', () => {
    expect(() => sales().unpivot(['shop', 'item', 'year', 'amount'], null, 'a', 'b')).toThrow(code('UNPIVOT_REQUIRES_VALUE_COLUMNS'))
    const flags = engine().createDataFrame([{ f: true, n: 1 }], { f: t.boolean(), n: t.int() })
    expect(() => flags.unpivot([], ['f', 'n'], 'a', 'b')).toThrow(code('UNPIVOT_VALUE_DATA_TYPE_MISMATCH'))
  })
})

describe('groupBy by words', () => {
  test('a map of functions, mean, and all numeric columns', async () => {
    const counted = sales().groupBy('shop').agg({ amount: 'sum', '*': 'count', year: 'mean' })
    expect(columnsOf(counted)).toEqual(['shop string', 'sum(amount) long?', 'count(1) long', 'avg(year) double?'])
    expect(await texts(counted)).toEqual(['a 60 3 2020.3333333333333', 'b 40 2 2021'])
    expect(columnsOf(sales().groupBy('shop').sum())).toEqual(['shop string', 'sum(year) long?', 'sum(amount) long?'])
    expect(columnsOf(sales().groupBy('shop').mean('amount'))).toEqual(['shop string', 'avg(amount) double?'])
    expect(await texts(sales().agg({ amount: 'max' }))).toEqual(['40'])
  })
})
