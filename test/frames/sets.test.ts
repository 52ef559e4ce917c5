// Expected rows are those of Spark 4.2.0.
import { type DataFrame, t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, ordered, texts } from './rows.ts'

const engine = useEngine()
const shape = { id: t.int().nullable(), k: t.string().nullable(), v: t.double().nullable() }
const a = () =>
  engine().createDataFrame(
    [
      { id: 1, k: 'x', v: 1.5 },
      { id: 1, k: 'x', v: 1.5 },
      { id: 2, k: 'y', v: null },
      { id: null, k: null, v: NaN },
      { id: null, k: null, v: NaN },
      { id: 3, k: 'z', v: -0 },
    ],
    shape,
  )
const b = () =>
  engine().createDataFrame(
    [
      { id: 1, k: 'x', v: 1.5 },
      { id: null, k: null, v: NaN },
      { id: 3, k: 'z', v: 0 },
      { id: 9, k: 'q', v: 2 },
    ],
    shape,
  )

describe('set operations', () => {
  test('nulls, NaN and both zeros are equal to themselves', async () => {
    expect(await texts(a().intersect(b()))).toEqual(['1 x 1.5', '3 z 0', 'null null NaN'])
    expect(await texts(a().intersectAll(b()))).toEqual(['1 x 1.5', '3 z 0', 'null null NaN'])
    expect(await texts(a().except(b()))).toEqual(['2 y null'])
    expect(await texts(a().subtract(b()))).toEqual(['2 y null'])
    expect(await texts(a().exceptAll(b()))).toEqual(['1 x 1.5', '2 y null', 'null null NaN'])
  })
  test('what may be null inside of a value is so in a union, and orders as null', async () => {
    const sql = 'SELECT array(1) AS x UNION ALL SELECT array(NULL)'
    const all = engine().sql(sql) as DataFrame<{ x: readonly (number | null)[] }>
    expect(all.schema.fields[0]!.type).toMatchObject({ containsNull: true })
    expect(await all.orderBy('x').collect()).toEqual([{ x: [null] }, { x: [1] }])
    expect(await engine().sql(`SELECT max(x) AS y, min(x) AS z FROM (${sql})`).collect()).toEqual([{ y: [1], z: [null] }])
  })
  test('types are widened, and both sides keep what they need of their order and limit', async () => {
    const longs = engine().createDataFrame([{ n: 1n }, { n: 3n }], { n: t.long() })
    const ints = engine().createDataFrame([{ n: 3 }, { n: 2 }, { n: 1 }], { n: t.int() })
    expect(columnsOf(longs.intersect(ints))).toEqual(['n long'])
    expect(await texts(longs.intersect(ints.orderBy('n').limit(2)))).toEqual(['1'])
    expect(await texts(ints.orderBy('n').exceptAll(longs))).toEqual(['2'])
    expect(columnsOf(ints.intersect(a().select(({ id }) => ({ n: id }))))).toEqual(['n int'])
    expect(
      columnsOf(
        a()
          .select(({ id }) => ({ n: id }))
          .except(ints),
      ),
    ).toEqual(['n int?'])
  })
  test('columns that do not fit', () => {
    const one = b().select('id') as unknown as DataFrame<any>
    expect(() => a().intersect(one)).toThrow(code('NUM_COLUMNS_MISMATCH'))
    const flag = engine().createDataFrame([{ x: true }], { x: t.boolean() }) as unknown as DataFrame<any>
    expect(() => b().select('v').exceptAll(flag)).toThrow(code('INCOMPATIBLE_COLUMN_TYPE'))
    const map = engine().createDataFrame([{ m: { a: 1 } }], { m: t.map(t.string(), t.int()) })
    expect(() => map.intersect(map)).toThrow(code('UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE'))
  })
})

describe('dropDuplicates', () => {
  test('the first row of each key stays, in its place', async () => {
    expect(await ordered(a().dropDuplicates())).toEqual(['1 x 1.5', '2 y null', 'null null NaN', '3 z 0'])
    const rows = engine().createDataFrame(
      Array.from({ length: 9_000 }, (_, n) => ({ n, k: n % 3, z: n % 2 === 0 ? 0 : -0 })),
      { n: t.int(), k: t.int(), z: t.double() },
    )
    expect(await ordered(rows.dropDuplicates(['k']).select('n'))).toEqual(['0', '1', '2'])
    expect(await ordered(rows.drop_duplicates(['z', 'k']).select('n'))).toEqual(['0', '1', '2'])
    expect(await rows.dropDuplicates(['k']).count()).toBe(3)
    expect(
      await ordered(
        rows
          .orderBy(({ n }) => n.desc())
          .limit(4)
          .dropDuplicates(['k'])
          .select('n'),
      ),
    ).toEqual(['8999', '8998', '8997'])
  })
  test('unknown columns, maps, and what only a stream has', () => {
    expect(() => a().dropDuplicates(['nope' as 'k'])).toThrow(code('UNRESOLVED_COLUMN_AMONG_FIELD_NAMES'))
    const map = engine().createDataFrame([{ m: { a: 1 }, n: 1 }], { m: t.map(t.string(), t.int()), n: t.int() })
    expect(() => map.dropDuplicates()).toThrow(code('UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE'))
    expect(() => map.dropDuplicates(['n'])).not.toThrow()
    expect(() => (a() as never as { dropDuplicatesWithinWatermark(): void }).dropDuplicatesWithinWatermark()).toThrow(
      code('UNSUPPORTED_BATCH_OPERATION'),
    )
  })
})

describe('unionByName', () => {
  test('columns by name', async () => {
    expect(
      await texts(
        a()
          .limit(1)
          .unionByName(b().limit(1).select('v', 'k', 'id')),
      ),
    ).toEqual(['1 x 1.5', '1 x 1.5'])
    const all = a().limit(1).select('id', 'k').unionByName(b().limit(1).select('k', 'v'), true)
    expect(columnsOf(all)).toEqual(['id int?', 'k string?', 'v double?'])
    expect(await texts(all)).toEqual(['1 x null', 'null x 1.5'])
  })
  test('a missing, an additional and a doubled column', () => {
    const less = b().select('k', 'v') as unknown as DataFrame<any>
    expect(() => a().unionByName(less)).toThrow(code('UNRESOLVED_COLUMN_AMONG_FIELD_NAMES'))
    expect(() => b().select('k', 'v').unionByName(a())).toThrow(code('NUM_COLUMNS_MISMATCH'))
    const twice = a().join(b(), ({ id }, r) => id.eq(r.id))
    expect(() => twice.unionByName(twice as unknown as DataFrame<any>)).toThrow(code('AMBIGUOUS_REFERENCE'))
  })
  test('unionAll keeps duplicates', async () => {
    expect(await b().unionAll(b()).count()).toBe(8)
  })
})

describe('order and places', () => {
  const numbers = () =>
    engine().createDataFrame(
      [3, null, 1, 2].map((n) => ({ n })),
      { n: t.int().nullable() },
    )
  test('sort: directions and nulls', async () => {
    expect(await ordered(numbers().orderBy('n'))).toEqual(['null', '1', '2', '3'])
    expect(await ordered(numbers().sort(({ n }) => n.desc()))).toEqual(['3', '2', '1', 'null'])
    expect(await ordered(numbers().sort(({ n }) => n.desc_nulls_first()))).toEqual(['null', '3', '2', '1'])
    expect(await ordered(numbers().sortWithinPartitions(({ n }) => n.asc_nulls_last()))).toEqual(['1', '2', '3', 'null'])
  })
  test('offset, limit, head, tail, isEmpty', async () => {
    const sorted = numbers().orderBy('n')
    expect(await ordered(sorted.offset(1))).toEqual(['1', '2', '3'])
    expect(await ordered(sorted.offset(1).limit(2))).toEqual(['1', '2'])
    expect(await ordered(sorted.limit(3).offset(1))).toEqual(['1', '2'])
    expect(await ordered(sorted.offset(9))).toEqual([])
    expect(await ordered(sorted.offset(1).where(({ n }) => n.gt(1)))).toEqual(['2', '3'])
    expect(await sorted.head()).toEqual({ n: null })
    expect(await sorted.head(2)).toEqual([{ n: null }, { n: 1 }])
    expect(await sorted.tail(2)).toEqual([{ n: 2 }, { n: 3 }])
    expect(await sorted.tail(0)).toEqual([])
    expect(await sorted.isEmpty()).toBe(false)
    expect(await sorted.limit(0).isEmpty()).toBe(true)
    expect(() => sorted.offset(-1)).toThrow(code('INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE'))
    expect(() => sorted.limit(1.5)).toThrow(code('INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE'))
    await expect(sorted.tail(-1)).rejects.toThrow(code('INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE'))
  })
})

describe('sample and randomSplit', () => {
  const many = () =>
    engine().createDataFrame(
      Array.from({ length: 10_000 }, (_, n) => ({ n })),
      { n: t.int() },
    )
  test('a fraction, the same for the same seed', async () => {
    const some = await ordered(many().sample(0.1, 7))
    expect(some.length).toBeGreaterThan(850)
    expect(some.length).toBeLessThan(1150)
    expect(await ordered(many().sample(false, 0.1, 7))).toEqual(some)
    expect(await ordered(many().sample(0.1, 8))).not.toEqual(some)
    expect(await many().sample(0).count()).toBe(0)
    expect(await many().sample(1).count()).toBe(10_000)
  })
  test('with replacement rows repeat as by a Poisson distribution', async () => {
    const counts = new Map<string, number>()
    for (const n of await ordered(many().sample(true, 1.5, 3))) counts.set(n, (counts.get(n) ?? 0) + 1)
    const share = (copies: number) =>
      (copies === 0 ? 10_000 - counts.size : [...counts.values()].filter((c) => c === copies).length) / 10_000
    for (const [copies, expected] of [
      [0, 0.2231],
      [1, 0.3347],
      [2, 0.251],
      [3, 0.1255],
    ] as const)
      expect(Math.abs(share(copies) - expected)).toBeLessThan(0.02)
    expect(await many().limit(10).sample(true, 300, 1).count()).toBeGreaterThan(2700)
  })
  test('parts are disjoint and complete', async () => {
    const [small, large] = many().randomSplit([1, 3], 42)
    const parts = [await ordered(small), await ordered(large)]
    expect(Math.abs(parts[0]!.length - 2500)).toBeLessThan(200)
    expect(parts.flat().sort()).toEqual((await ordered(many())).sort())
  })
  test('a sample stands still while its reader filters', async () => {
    const chosen = new Set(await ordered(many().sample(0.5, 1)))
    for (const n of await ordered(
      many()
        .sample(0.5, 1)
        .where(({ n }) => n.lt(100)),
    ))
      expect(chosen).toContain(n)
  })
  test('wrong fractions, weights and seeds', () => {
    expect(() => many().sample(2)).toThrow(code('INVALID_PARAMETER_VALUE.SAMPLE_FRACTION'))
    expect(() => many().sample(true, -1)).toThrow(code('INVALID_PARAMETER_VALUE.SAMPLE_FRACTION'))
    expect(() => many().sample(0.5, 0.5)).toThrow(code('INVALID_PARAMETER_VALUE.SEED'))
    expect(() => many().randomSplit([-1, 1])).toThrow(code('INVALID_PARAMETER_VALUE.SPLIT_WEIGHTS'))
    expect(() => many().randomSplit([0])).toThrow(code('INVALID_PARAMETER_VALUE.SPLIT_WEIGHTS'))
  })
})
