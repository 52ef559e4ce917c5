import { col, column_udf, count, expr, MemoryStream, max, sum, t, UserFunctionError, udf, when } from 'millrace'
import { describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, ordered, texts } from './rows.ts'

const engine = useEngine()
const sales = () =>
  engine().createDataFrame(
    [
      { shop: 'a', amount: 10 },
      { shop: 'a', amount: 20 },
      { shop: 'a', amount: 30 },
      { shop: 'b', amount: 40 },
      { shop: 'b', amount: null },
    ],
    { shop: t.string(), amount: t.int().nullable() },
  )
const next = udf((amount: number | null, _shop: string) => (amount === null ? null : amount + 1), t.int().nullable())
/** A function that writes down what it is called with. */
function counted() {
  const calls: unknown[] = []
  const note = (x: number | null) => {
    calls.push(x)
    return x
  }
  return { calls, f: udf(note, t.int().nullable(), { name: 'counted' }) }
}

describe('udf in a batch', () => {
  test('in select, with nulls, calls in calls and constants', async () => {
    const twice = sales().select(({ amount, shop }) => ({ a: next(amount, shop), b: next(next(amount, 'x'), shop) }))
    expect(columnsOf(twice)).toEqual(['a int?', 'b int?'])
    expect(await ordered(twice)).toEqual(['11 12', '21 22', '31 32', '41 42', 'null null'])
  })
  test('in where it sees only rows that the rest keeps; equal calls are made once', async () => {
    const { f, calls } = counted()
    const found = sales()
      .where(({ amount, shop }) => shop.eq('a').and(f(amount).gt(10)))
      .where(({ amount }) => amount.lt(30))
      .select(({ shop, amount }) => ({ shop, amount }))
    expect(await texts(found)).toEqual(['a 20'])
    expect(calls).toEqual([10, 20])
    const { f: g, calls: again } = counted()
    expect(
      await ordered(
        sales()
          .select(({ amount }) => ({ x: g(amount), y: g(amount).add(1) }))
          .where(({ x }) => x.gt(30)),
      ),
    ).toEqual(['40 41'])
    expect(again).toEqual([10, 20, 30, 40, null])
  })
  test('in groupBy, inside and over aggregates, and in orderBy', async () => {
    const initial = udf((shop: string) => shop.toUpperCase(), t.string())
    const grouped = sales()
      .groupBy(({ shop }) => ({ s: initial(shop) }))
      .agg(({ amount, shop }) => ({ inner: sum(next(amount, shop)), over: next(max(amount), 'x'), n: count() }))
    expect(columnsOf(grouped)).toEqual(['s string', 'inner long?', 'over int?', 'n long'])
    expect(await texts(grouped)).toEqual(['A 63 31 3', 'B 41 41 2'])
    const negative = udf((x: number | null) => (x === null ? null : -x), t.int().nullable())
    expect(await ordered(sales().orderBy(({ amount }) => negative(amount)))).toEqual(['b null', 'b 40', 'a 30', 'a 20', 'a 10'])
    expect(columnsOf(sales().orderBy(({ amount }) => negative(amount)))).toEqual(['shop string', 'amount int?'])
  })
  test('in joins: over one side, over both sides, and what an outer join cannot do', async () => {
    const ids = engine().createDataFrame([{ id: 11 }, { id: 41 }, { id: 7 }], { id: t.int() })
    const joined = sales().join(ids, ({ amount, shop }, { id }) => next(amount, shop).eq(id))
    expect(await texts(joined)).toEqual(['a 10 11', 'b 40 41'])
    const same = udf((a: number | null, b: number | null) => a !== null && b !== null && a + 1 === b, t.boolean())
    expect(await texts(sales().join(ids, ({ amount }, { id }) => same(amount, id)))).toEqual(['a 10 11', 'b 40 41'])
    expect(await texts(sales().join(ids, ({ amount, shop }, { id }) => next(amount, shop).eq(id), 'left'))).toHaveLength(5)
    expect(await texts(sales().join(ids, ({ amount, shop }, { id }) => next(amount, shop).eq(id), 'anti'))).toEqual([
      'a 20',
      'a 30',
      'b null',
    ])
    expect(await texts(sales().join(ids, ({ amount }, { id }) => amount.eq(udf((x: number) => x - 1, t.int())(id)), 'right'))).toEqual([
      'a 10 11',
      'b 40 41',
      'null null 7',
    ])
    expect(() => sales().join(ids, ({ amount }, { id }) => same(amount, id), 'left')).toThrow(
      code('UNSUPPORTED_FEATURE.PYTHON_UDF_IN_ON_CLAUSE'),
    )
  })
  test('nulls skipped, types cast, no arguments, unpivot and union', async () => {
    const half = udf((x: number) => x / 2, t.double(), { nulls: 'skip' })
    const halves = sales().select(({ amount }) => ({ h: half(amount) }))
    expect(columnsOf(halves)).toEqual(['h double?'])
    expect(await ordered(halves)).toEqual(['5', '10', '15', '20', 'null'])
    const typed = udf([t.string()], t.int(), (text) => text.length)
    expect(await ordered(sales().select(({ amount }) => ({ n: typed(amount.cast('string').eqNullSafe('10').cast('string')) })))).toEqual([
      '4',
      '5',
      '5',
      '5',
      '5',
    ])
    const five = udf(() => 5, t.int(), { deterministic: false })
    expect(await ordered(sales().select(() => ({ a: five(), b: five() })))).toHaveLength(5)
    expect(
      await ordered(
        sales()
          .select(() => ({ a: five() }))
          .union(sales().select(() => ({ a: five() }))),
      ),
    ).toHaveLength(10)
    expect(
      await sales()
        .where(() => five().eq(5))
        .count(),
    ).toBe(5)
  })
  test('a frame that is joined with itself calls its function once a row', async () => {
    const { calls, f } = counted()
    const once = engine()
      .createDataFrame([{ x: 1 }, { x: 2 }], { x: t.int() })
      .select(({ x }) => ({ y: f(x) }))
    const pairs = once.alias('a').join(once.alias('b'), col('a.y').eq(col('b.y')) as never)
    expect(await pairs.count()).toBe(2)
    expect(calls.length).toBe(2)
  })
  test('a CASE does not hold calls back', async () => {
    const { f, calls } = counted()
    await sales()
      .select(({ amount }) => ({ x: when(amount.isNull(), 0).otherwise(f(amount)) }))
      .collect()
    expect(calls).toContain(null)
  })
  test('asynchronous, at most so many at a time, in the order of the rows', async () => {
    let running = 0
    let most = 0
    const slow = udf(
      async (x: number) => {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setImmediate(resolve))
        running--
        return x * 2
      },
      t.int(),
      { concurrency: 3 },
    )
    const rows = engine().createDataFrame(
      Array.from({ length: 20 }, (_, n) => ({ n })),
      { n: t.int() },
    )
    expect(await ordered(rows.select(({ n }) => ({ m: slow(n) })))).toEqual(Array.from({ length: 20 }, (_, n) => String(2 * n)))
    expect(most).toBe(3)
  })
  test('where a call fails no more begin, the others are waited for, and the first row is named', async () => {
    const failures = new Map<number, () => void>()
    let begun = 0
    const f = udf(
      (n: number) => {
        begun++
        if (n === 3) throw new Error('at once')
        return new Promise<number>((_, reject) => failures.set(n, () => reject(new Error(`row ${n}`))))
      },
      t.int(),
      { concurrency: 4, name: 'f' },
    )
    const rows = engine().createDataFrame(
      Array.from({ length: 20 }, (_, n) => ({ n })),
      { n: t.int() },
    )
    let isOver = false
    const result = rows.select(({ n }) => ({ m: f(n) })).collect()
    const over = result.catch(() => {
      isOver = true
    })
    while (begun < 4) await new Promise((resolve) => setImmediate(resolve))
    for (const n of [2, 0]) {
      failures.get(n)!()
      await new Promise((resolve) => setImmediate(resolve))
      expect(isOver).toBe(false)
    }
    failures.get(1)!()
    await over
    await expect(result).rejects.toThrow('f(n = 0) threw: row 0')
    expect(begun).toBe(4)
  })
  test('many rows keep their places, also under a filter of another column', async () => {
    const many = engine().createDataFrame(
      Array.from({ length: 20_000 }, (_, n) => ({ n, s: `s${n}` })),
      { n: t.int(), s: t.string() },
    )
    const square = udf((n: number) => n * n, t.double())
    const found = many.select(({ n, s }) => ({ n, s, q: square(n) })).where(({ s }) => s.endsWith('99'))
    const rows = await found.collect()
    expect(rows).toHaveLength(200)
    for (const { n, s, q } of rows) expect([s, q]).toEqual([`s${n}`, n * n])
  })
})

describe('column_udf', () => {
  test('typed arrays in, a typed array out', async () => {
    const gross = column_udf([t.int().nullable(), t.string()], t.double().nullable(), (amount, shop, length) => {
      expect([amount.length, shop.length, length]).toEqual([5, 5, 5])
      return { values: Float64Array.from(amount.values, (x) => x * 1.5), valid: amount.valid }
    })
    expect(await ordered(sales().select(({ amount, shop }) => ({ g: gross(amount, shop) })))).toEqual(['15', '30', '45', '60', 'null'])
    const words = column_udf([t.string()], t.string(), (shop) => shop.values.map((s) => `<${s}>`))
    expect(
      await ordered(
        sales()
          .limit(2)
          .select(({ shop }) => ({ w: words(shop) })),
      ),
    ).toEqual(['<a>', '<a>'])
  })
  test('a wrong length or array', async () => {
    const short = column_udf([t.string()], t.int(), () => new Int32Array(1))
    await expect(
      sales()
        .select(({ shop }) => ({ x: short(shop) }))
        .collect(),
    ).rejects.toThrow(code('UDF_RETURN_TYPE'))
    const other = column_udf([t.string()], t.int(), (shop) => new Float64Array(shop.length) as never)
    await expect(
      sales()
        .select(({ shop }) => ({ x: other(shop) }))
        .collect(),
    ).rejects.toThrow(/Float64Array for values of type int/)
  })
})

describe('errors', () => {
  test('what the function threw, with the row', async () => {
    const bad = udf(
      (amount: number | null, shop: string) => {
        if (shop === 'b') throw new RangeError('no b here')
        return amount
      },
      t.int().nullable(),
      { name: 'bad' },
    )
    const failing = sales()
      .select(({ amount, shop }) => ({ x: bad(amount, shop) }))
      .collect()
    await expect(failing).rejects.toThrow('FAILED_EXECUTE_UDF: the user function bad(amount = 40, shop = "b") threw: no b here')
    await expect(failing).rejects.toBeInstanceOf(UserFunctionError)
    const later = udf(async (shop: string) => Promise.reject(new Error(`x${'y'.repeat(900)}${shop}`)), t.int(), { name: 'later' })
    const error = (await sales()
      .select(({ shop }) => ({ x: later(shop) }))
      .collect()
      .catch((e) => e)) as Error
    expect(error.message).toContain('later(shop = "a")')
    expect(error.message.length).toBeLessThan(800)
  })
  test('a result of another type, and a null that may not be', async () => {
    const text = udf((_: string) => 'x' as never, t.int(), { name: 'text' })
    await expect(
      sales()
        .select(({ shop }) => ({ x: text(shop) }))
        .collect(),
    ).rejects.toThrow('UDF_RETURN_TYPE: the user function text(shop = "a") gave "x", which is no non-null int')
    const none = udf((_: string) => null as never, t.int())
    await expect(
      sales()
        .select(({ shop }) => ({ x: none(shop) }))
        .collect(),
    ).rejects.toThrow(code('UDF_RETURN_TYPE'))
  })
  test('no function, no type, a wrong number of arguments', () => {
    expect(() => udf(5 as never, t.int())).toThrow(code('INVALID_UDF'))
    expect(() => udf(((x: number) => x) as never, undefined as never)).toThrow(code('INVALID_UDF'))
    expect(() => udf((x: number) => x, t.int(), { concurrency: 0 })).toThrow(code('INVALID_UDF'))
    const one = udf([t.int()], t.int(), (x) => x) as unknown as (...args: unknown[]) => never
    expect(() => sales().select(() => ({ x: one(col('amount'), col('amount')) }))).toThrow(code('WRONG_NUM_ARGS.WITHOUT_SUGGESTION'))
  })
})

describe('engine.udf.register', () => {
  test('by name in text: select, conditions, keys, aggregates, joins, order', async () => {
    const double = engine().udf.register('Double_It', (x: number | null) => (x === null ? null : 2 * x), t.int().nullable())
    expect(await ordered(sales().selectExpr('double_it(amount) AS d', 'upper(shop) AS s').where('DOUBLE_IT(d) > 100'))).toEqual([
      '60 A',
      '80 B',
    ])
    expect(await ordered(sales().select(({ amount }) => ({ d: double(amount) })))).toEqual(['20', '40', '60', '80', 'null'])
    const grouped = sales()
      .groupBy(expr('double_it(amount)').as('k'))
      .agg(() => ({ n: count(), m: expr('double_it(max(amount))') }))
    expect(await texts(grouped)).toEqual(['20 1 20', '40 1 40', '60 1 60', '80 1 80', 'null 1 null'])
    expect(await ordered(sales().orderBy(expr('double_it(amount)').desc()).select('amount').limit(1))).toEqual(['40'])
    const ids = engine().createDataFrame([{ id: 20 }], { id: t.int() })
    expect(await ordered(sales().join(ids, expr('double_it(amount) = id') as never))).toEqual(['a 10 20'])
    engine().udf.register(
      'thrice',
      column_udf([t.int()], t.int(), (x) => x.values.map((v) => v * 3)),
    )
    expect(await ordered(ids.selectExpr('thrice(id) AS t'))).toEqual(['60'])
    expect(engine().udf.unregister('thrice')).toBe(true)
    expect(() => ids.selectExpr('thrice(id)')).toThrow(code('UNRESOLVED_ROUTINE'))
  })
  test('names that cannot be, and functions without a type', () => {
    expect(() => engine().udf.register('upper', (s: string) => s, t.string())).toThrow(code('ROUTINE_ALREADY_EXISTS'))
    expect(() => engine().udf.register('a b', (s: string) => s, t.string())).toThrow(code('INVALID_UDF'))
    expect(() => engine().udf.register('untyped', ((s: string) => s) as never)).toThrow(code('INVALID_UDF'))
  })
})

describe('udf in a stream', () => {
  test('in where, keys and arguments of aggregates, as in a batch', async () => {
    const stream = new MemoryStream(engine(), { shop: t.string(), amount: t.int().nullable() })
    const upper = udf((s: string) => s.toUpperCase(), t.string())
    const positive = udf((x: number | null) => x !== null && x > 10, t.boolean())
    const query = await stream
      .toDF()
      .where(({ amount }) => positive(amount))
      .groupBy(({ shop }) => ({ s: upper(shop) }))
      .agg(({ amount, shop }) => ({ total: sum(next(amount, shop)), top: next(max(amount), 'x') }))
      .writeStream.outputMode('complete')
      .queryName('udf_stream')
      .format('memory')
      .start()
    stream.addData({ shop: 'a', amount: 10 }, { shop: 'a', amount: 20 })
    await query.processAllAvailable()
    stream.addData({ shop: 'a', amount: 30 }, { shop: 'b', amount: 40 }, { shop: 'b', amount: null })
    await query.processAllAvailable()
    await query.stop()
    const rows = engine()
      .memoryTable('udf_stream')
      .map((row) => `${row['s']} ${row['total']} ${row['top']}`)
    expect(rows.sort()).toEqual(['A 52 31', 'B 41 41'])
  })
})
