// Expected rows and texts are those of Spark 4.2.0.
import { broadcast, col, MemoryStream, t } from 'millrace'
import { describe, expect, test, vi } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, ordered } from './rows.ts'

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

describe('names and shape', () => {
  test('toDF, withColumnsRenamed, transform, dtypes', async () => {
    expect(sales().toDF('a', 'b', 'c', 'd').columns).toEqual(['a', 'b', 'c', 'd'])
    expect(() => sales().toDF('a')).toThrow(code('ASSIGNMENT_ARITY_MISMATCH'))
    expect(sales().withColumnsRenamed({ shop: 'year', year: 'shop' }).columns).toEqual(['year', 'shop', 'item', 'amount'])
    expect(() => sales().withColumnsRenamed({ nope: 'x' } as never)).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
    const top = sales().transform((frame) => frame.where(({ amount }) => amount.gt(30)))
    expect(await ordered(top)).toEqual(['b 2021 x 40'])
    expect(() => sales().transform((() => 5) as never)).toThrow(code('NOT_A_DATAFRAME'))
    expect(sales().dtypes).toEqual([
      ['shop', 'string'],
      ['year', 'int'],
      ['item', 'string'],
      ['amount', 'int'],
    ])
  })
  test('select expands stars: all columns, a struct with its fields, a relation with its columns', async () => {
    const place = t.struct({ lat: t.double(), deep: t.struct({ n: t.int() }) })
    const events = engine().createDataFrame(
      [
        { id: 1, event: { lat: 1.5, deep: { n: 7 } } },
        { id: 2, event: null },
      ],
      { id: t.int(), event: place.nullable() },
    )
    const expanded = events.select('id', 'event.*')
    expect(columnsOf(expanded)).toEqual(['id int', 'lat double?', 'deep struct?'])
    expect(await ordered(expanded.select('id', 'lat', 'deep.*'))).toEqual(['1 1.5 7', '2 null null'])
    expect(events.select('event.deep.*' as never).columns).toEqual(['n'])
    expect(events.select(col('event.*'), col('id').as('key')).columns).toEqual(['lat', 'deep', 'key'])
    expect(events.select('*', 'event.*').columns).toEqual(['id', 'event', 'lat', 'deep'])
    expect(events.alias('e').select('e.*' as never).columns).toEqual(['id', 'event'])
    expect(await ordered(expanded)).toEqual(await ordered(events.selectExpr('id', 'event.*')))
    expect(() => events.select('id.*' as never)).toThrow(code('CANNOT_RESOLVE_STAR_EXPAND'))
    expect(() => events.select('nope.*' as never)).toThrow(code('CANNOT_RESOLVE_STAR_EXPAND'))
  })
  test('hints and partitions are checked and change nothing', async () => {
    const same = broadcast(sales())
      .hint('broadcast')
      .repartition(4, 'shop')
      .coalesce(1)
      .repartitionByRange('year')
      .cache()
      .persist()
      .unpersist()
    expect(await same.count()).toBe(5)
    expect(() => sales().hint('brodcast')).toThrow(/did you mean broadcast/)
    expect(() => sales().repartition(0)).toThrow(code('INVALID_PARAMETER_VALUE.NUM_PARTITIONS'))
    expect(() => sales().coalesce(-1)).toThrow(code('INVALID_PARAMETER_VALUE.NUM_PARTITIONS'))
  })
  test('explain by mode', () => {
    const print = vi.spyOn(console, 'log').mockImplementation(() => {})
    expect(sales().explain('simple')).toMatch(/^== Physical Plan ==/)
    expect(sales().explain('extended')).toMatch(/== Analyzed Logical Plan ==[^]*== Optimized Logical Plan ==[^]*== Physical Plan ==/)
    expect(sales().explain(true)).toBe(sales().explain('extended'))
    expect(sales().explain(false)).toBe(sales().explain('simple'))
    expect(() => sales().explain('codegen' as never)).toThrow(code('INVALID_EXPLAIN_MODE'))
    print.mockRestore()
  })
})

describe('statistics', () => {
  test('describe', async () => {
    // the last digits of a deviation depend on how it is summed up
    expect((await ordered(sales().describe())).map((row) => row.replace(/(0\.54772255750)\d+/, '$1'))).toEqual([
      'count 5 5 4 4',
      'mean null 2020.6 null 25.0',
      'stddev null 0.54772255750 null 12.909944487358056',
      'min a 2020 x 10',
      'max b 2021 y 40',
    ])
    expect(columnsOf(sales().describe('amount'))).toEqual(['summary string', 'amount string?'])
    expect(await ordered(sales().limit(0).describe('amount'))).toEqual(['count 0', 'mean null', 'stddev null', 'min null', 'max null'])
    expect(() => sales().describe('nope' as never)).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
    expect(await ordered(sales().select('amount').summary('count', 'count_distinct', 'mean'))).toEqual([
      'count 4',
      'count_distinct 4',
      'mean 25.0',
    ])
    expect(await ordered(sales().select('year', 'amount').summary())).toEqual([
      'count 5 4',
      'mean 2020.6 25.0',
      expect.stringMatching(/^stddev 0\.5477225575\d+ 12\.909944487358056$/),
      'min 2020 10',
      '25% 2020 10',
      '50% 2021 20',
      '75% 2021 30',
      'max 2021 40',
    ])
    expect(() => sales().summary('foo')).toThrow(code('UNRECOGNIZED_STATISTIC'))
  })
  test('corr, cov, approxQuantile, crosstab, freqItems', async () => {
    expect(await sales().stat.corr('year', 'amount')).toBeCloseTo(0.2886751345948265, 12)
    expect(await sales().stat.cov('year', 'amount')).toBeCloseTo(2.5, 12)
    expect(await sales().approxQuantile('amount', [0.25, 0.5, 0.75], 0)).toEqual([10, 20, 30])
    expect(await sales().approxQuantile(['amount', 'year'], [0.5], 0.1)).toEqual([[20], [2021]])
    const crosstab = await sales().stat.crosstab('shop', 'item')
    expect(columnsOf(crosstab)).toEqual(['shop_item string', 'null long', 'x long', 'y long'])
    expect((await ordered(crosstab)).sort()).toEqual(['a 0 2 1', 'b 1 1 0'])
    expect(await (await sales().stat.freqItems(['shop'], 0.5)).collect()).toEqual([{ shop_freqItems: ['a'] }])
    await expect(sales().corr('shop' as never, 'amount')).rejects.toThrow(code('DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE'))
    await expect(sales().corr('year', 'amount', 'spearman' as never)).rejects.toThrow(code('VALUE_NOT_PEARSON'))
    await expect(sales().approxQuantile('amount', [2], 0)).rejects.toThrow(code('INVALID_PARAMETER_VALUE.PROBABILITY'))
  })
})

describe('actions', () => {
  test('show, also one column a line', async () => {
    const printed: string[] = []
    const print = vi.spyOn(console, 'log').mockImplementation((text: string) => void printed.push(text))
    await sales().limit(3).show(2, false, true)
    await sales().select('shop').limit(0).show(20, true, true)
    print.mockRestore()
    expect(printed).toEqual([
      [
        '-RECORD 0------',
        ' shop   | a    ',
        ' year   | 2020 ',
        ' item   | x    ',
        ' amount | 10   ',
        '-RECORD 1------',
        ' shop   | a    ',
        ' year   | 2020 ',
        ' item   | y    ',
        ' amount | 20   ',
        'only showing top 2 rows',
      ].join('\n'),
      '(0 rows)',
    ])
  })
  test('toLocalIterator gives rows as they are asked for, and may be left', async () => {
    const many = engine().createDataFrame(
      Array.from({ length: 30_000 }, (_, n) => ({ n })),
      { n: t.int() },
    )
    let sum = 0
    for await (const { n } of many.where(({ n }) => n.mod(2).eq(0)).toLocalIterator()) sum += n
    expect(sum).toBe(15_000 * 14_999)
    const first: number[] = []
    for await (const { n } of many.toLocalIterator()) if (first.push(n) === 3) break
    expect(first).toEqual([0, 1, 2])
    expect(await many.count()).toBe(30_000)
    const failing = many.select(({ n }) => ({ x: n.div(n.sub(n)) })).toLocalIterator()
    await expect(failing.next()).rejects.toThrow(code('DIVIDE_BY_ZERO'))
  })
  test('foreach', async () => {
    const seen: unknown[] = []
    await sales().foreach(({ amount }) => seen.push(amount))
    expect(seen).toEqual([10, 20, 30, 40, null])
    await expect(sales().foreach(() => Promise.reject(new Error('no')))).rejects.toThrow(code('FOREACH_USER_FUNCTION_ERROR'))
  })
  test('actions on a stream are refused', async () => {
    const stream = new MemoryStream(engine(), { n: t.int() }).toDF() as never as ReturnType<typeof sales>
    const refused = code('STREAMING_ACTION_NOT_SUPPORTED')
    for (const action of ['collect', 'count', 'isEmpty', 'show', 'first', 'head'] as const)
      await expect(stream[action]()).rejects.toThrow(refused)
    await expect(stream.tail(1)).rejects.toThrow(refused)
    await expect(stream.corr('year', 'amount')).rejects.toThrow(refused)
    await expect(stream.approxQuantile('year', [0.5])).rejects.toThrow(refused)
    await expect(stream.freqItems(['shop'])).rejects.toThrow(refused)
    expect(() => stream.toLocalIterator()).toThrow(refused)
  })
})
