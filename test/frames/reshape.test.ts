// Expected rows are those of Spark 4.2.0.
import { col, type DataFrame, MemoryStream, monotonically_increasing_id, t } from 'millrace'
import { expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, texts } from './rows.ts'

const engine = useEngine({ print: () => {} })
const sales = () =>
  engine().createDataFrame(
    [
      { shop: 'a', price_min: 1, price_max: 5, note: null },
      { shop: 'b', price_min: 2, price_max: 7, note: 'x' },
    ],
    { shop: t.string(), price_min: t.int(), price_max: t.int(), note: t.string().nullable() },
  )

test('colRegex gives the columns whose whole name matches', async () => {
  const frame = sales()
  expect(frame.select('shop', frame.colRegex('`price_.*`')).columns).toEqual(['shop', 'price_min', 'price_max'])
  expect(frame.select(frame.colRegex('`PRICE_M(IN|AX)`')).columns).toEqual(['price_min', 'price_max'])
  expect(frame.select(frame.colRegex('shop')).columns).toEqual(['shop'])
  expect(() => frame.select(frame.colRegex('`(`'))).toThrow(code('INVALID_USAGE_OF_STAR_OR_REGEX'))
})

test('to makes the columns fit a schema', async () => {
  const fitted = sales().to({ price_max: t.long(), SHOP: t.string(), extra: t.double().nullable() })
  expect(columnsOf(fitted)).toEqual(['price_max long', 'SHOP string', 'extra double?'])
  expect(await texts(fitted)).toEqual(['5 a null', '7 b null'])
  expect(() => sales().to('note string not null')).toThrow(code('NULLABLE_COLUMN_OR_FIELD'))
  expect(() => sales().to('shop int')).toThrow(code('INVALID_COLUMN_OR_FIELD_DATA_TYPE'))
  expect(() => sales().to('gone int not null')).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
})

test('toJSON leaves nulls out', async () => {
  expect(await texts(sales().toJSON())).toEqual([
    '{"shop":"a","price_min":1,"price_max":5}',
    '{"shop":"b","price_min":2,"price_max":7,"note":"x"}',
  ])
})

test('zipWithIndex numbers the rows in their order', async () => {
  const frame = sales().select('shop').orderBy(col('shop').desc()).zipWithIndex()
  expect(columnsOf(frame)).toEqual(['shop string', 'index long'])
  expect(await texts(frame)).toEqual(['a 1', 'b 0'])
  expect(sales().zipWithIndex('n').columns.at(-1)).toBe('n')
})

test('monotonically_increasing_id numbers the rows, in select lists of batches', async () => {
  const df = engine().createDataFrame(
    [30, 10, 20].map((v) => ({ v })),
    { v: t.int() },
  )
  const numbered: any = df.withColumn('id', monotonically_increasing_id())
  expect(columnsOf(numbered)).toEqual(['v int', 'id long'])
  expect(await texts(numbered.where('id > 0'))).toEqual(['10 1', '20 2'])
  df.createOrReplaceTempView('numbers')
  expect(await texts(engine().sql('SELECT v, monotonically_increasing_id() * 2 AS id FROM numbers WHERE v < 30'))).toEqual(['10 0', '20 2'])
  for (const query of [
    'count(*) FROM numbers GROUP BY monotonically_increasing_id()',
    'v FROM numbers WHERE monotonically_increasing_id() < 1',
  ])
    expect(() => engine().sql(`SELECT ${query}`)).toThrow(/NOT_SUPPORTED_YET|WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE/)
  const stream: any = engine().readStream.format('rate').load().withColumn('id', monotonically_increasing_id())
  await expect(stream.writeStream.format('noop').start()).rejects.toThrow(/UNSUPPORTED_STREAMING_OPERATION.*monotonically_increasing_id/)
})

test('transpose', async () => {
  const turned = await sales().select('shop', 'price_min', 'price_max').transpose()
  expect(columnsOf(turned)).toEqual(['key string', 'a int?', 'b int?'])
  expect(await texts(turned)).toEqual(['price_max 5 7', 'price_min 1 2'])
  expect((await sales().select('price_max', 'price_min').transpose('price_min')).columns).toEqual(['key', '1', '2'])
  await expect(
    sales()
      .withColumn('flag', ({ price_min }) => price_min.gt(1))
      .drop('note')
      .select('shop', 'price_min', 'flag')
      .transpose(),
  ).rejects.toThrow(code('TRANSPOSE_NO_LEAST_COMMON_TYPE'))
  await expect(sales().drop('note').transpose('price_min')).rejects.toThrow(code('TRANSPOSE_NO_LEAST_COMMON_TYPE'))
  engine().conf.set('spark.sql.transposeMaxValues', 1)
  await expect(sales().select('shop', 'price_min').transpose()).rejects.toThrow(code('TRANSPOSE_EXCEED_ROW_LIMIT'))
  engine().conf.unset('spark.sql.transposeMaxValues')
})

test('sampleBy takes a fraction of each key', async () => {
  const many = engine()
    .range(1000)
    .withColumn('k', ({ id }) => id.mod(3))
  const sampled = many.sampleBy(
    'k',
    new Map([
      [0, 1],
      [1, 0.2],
    ]),
    7,
  )
  const counts = await texts(sampled.groupBy('k').count() as unknown as DataFrame<any>)
  expect(counts).toHaveLength(2)
  expect(counts[0]).toBe('0 334')
  const second = Number(counts[1]!.split(' ')[1])
  expect(second).toBeGreaterThan(30)
  expect(second).toBeLessThan(110)
  expect(await texts(many.sampleBy('k', new Map([[1, 0.2]]), 7))).toEqual(await texts(many.sampleBy('k', new Map([[1, 0.2]]), 7)))
})

test('frames as subqueries of columns', async () => {
  const limit = engine().createDataFrame([{ top: 6 }], { top: t.int() })
  expect(await texts(sales().filter(col('price_max').gt(limit.scalar())).select('shop'))).toEqual(['b'])
  expect(await texts(sales().select('shop', limit.scalar().as('top')))).toEqual(['a 6', 'b 6'])
  expect(await sales().filter(limit.filter('top > 100').exists()).count()).toBe(0)
  expect(await sales().filter(limit.exists()).count()).toBe(2)
  await expect(sales().select(sales().select('shop').scalar().as('x')).collect()).rejects.toThrow(code('SCALAR_SUBQUERY_TOO_MANY_ROWS'))
})

test('what a frame is', async () => {
  const [a, b] = [sales(), sales()]
  expect(a.where('price_min > 1').sameSemantics(a.where('price_min > 1'))).toBe(true)
  expect(a.where('price_min > 1').sameSemantics(a.where('price_min > 2'))).toBe(false)
  expect(a.sameSemantics(b)).toBe(false)
  expect(a.where('price_min > 1').semanticHash()).toBe(a.where('price_min > 1').semanticHash())
  expect(a.isLocal()).toBe(true)
  expect(new MemoryStream(engine(), { x: t.int() }).toDF().isLocal()).toBe(false)
  const seen: string[] = []
  await a.foreachPartition(async (rows) => {
    for await (const { shop } of rows) seen.push(shop)
  })
  expect(seen).toEqual(['a', 'b'])
  a.registerTempTable('sold')
  expect(await engine().table('sold').count()).toBe(2)
})
