/** Statements of SQL: the plans are those of the DataFrame API, views, parameters, streams. */
import { avg, col, count, explode, lag, MemoryStream, rank, row_number, type StreamFrame, sum, t, Window, window } from 'millrace'
import { describe, expect, test } from 'vitest'
import { planOf } from '../../src/api/data-frame.ts'
import { explainLogical } from '../../src/plan/explain.ts'
import { useEngine } from '../cases/harness.ts'
import { code, columnsOf, ordered, texts } from '../frames/rows.ts'

const engine = useEngine({ print: () => {} })
const clicks = () =>
  engine().createDataFrame(
    [
      { ad: 'a', price: 1.5, tags: ['x', 'y'] },
      { ad: 'a', price: 2.5, tags: [] },
      { ad: 'b', price: null, tags: ['z'] },
    ],
    { ad: t.string(), price: t.double().nullable(), tags: t.array(t.string()) },
  )
const ads = () => engine().createDataFrame([{ ad: 'a', owner: 'ann' }], { ad: t.string(), owner: t.string() })
function views() {
  clicks().createOrReplaceTempView('clicks')
  ads().createOrReplaceTempView('ads')
  return { clicks: engine().table('clicks'), ads: engine().table('ads') }
}
const plan = (frame: unknown) => explainLogical(planOf(frame))

describe('the plan is that of the DataFrame API', () => {
  const pairs: readonly (readonly [sql: string, frame: (v: ReturnType<typeof views>) => unknown])[] = [
    ['SELECT * FROM clicks', (v) => v.clicks.select('*')],
    [
      'SELECT ad, price * 2 AS twice FROM clicks WHERE price > 1',
      (v) => v.clicks.where('price > 1').selectExpr('ad', 'price * 2 AS twice'),
    ],
    [
      'SELECT ad, count(*) AS n, avg(price) AS mean FROM clicks GROUP BY ad',
      (v) => v.clicks.groupBy('ad').agg(count().as('n'), avg(col('price')).as('mean')),
    ],
    ['SELECT ad, explode(tags) AS tag FROM clicks', (v) => v.clicks.select('ad', explode(col('tags')).as('tag'))],
    ['SELECT DISTINCT ad FROM clicks', (v) => v.clicks.select('ad').distinct()],
    ['SELECT * FROM clicks JOIN ads USING (ad)', (v) => v.clicks.join(v.ads, 'ad').select('*')],
    ['SELECT ad FROM clicks ORDER BY ad DESC LIMIT 2', (v) => v.clicks.select('ad').orderBy(col('ad').desc()).limit(2)],
    ['SELECT ad FROM clicks UNION ALL SELECT ad FROM ads', (v) => v.clicks.select('ad').union(v.ads.select('ad'))],
    ['SELECT ad FROM clicks EXCEPT SELECT ad FROM ads', (v) => v.clicks.select('ad').except(v.ads.select('ad'))],
    [
      'SELECT ad, row_number() OVER (PARTITION BY ad ORDER BY price) AS n FROM clicks',
      (v) => v.clicks.select('ad', row_number().over(Window.partitionBy('ad').orderBy('price')).as('n')),
    ],
  ]
  test.each(pairs)('%s', (sql, frame) => {
    const v = views()
    expect(plan(engine().sql(sql))).toBe(plan(frame(v)))
  })
  test('what DataFrames have no word for', () => {
    views()
    expect(
      plan(engine().sql('SELECT ad FROM clicks WHERE ad NOT IN (SELECT ad FROM ads) AND price > 1 ORDER BY price')),
    ).toMatchInlineSnapshot(`
      "Project [ad]
      +- Sort [__order0 ASC NULLS FIRST]
         +- Project [ad, price AS __order0]
            +- Join LeftAnti, ((ad = __in0) OR ((ad IS NULL) OR (__in0 IS NULL)))
               :- Filter (price > 1.0)
               :  +- SubqueryAlias clicks
               :     +- LocalRelation [ad, price, tags]
               +- Project [ad AS __in0]
                  +- Project [ad]
                     +- SubqueryAlias ads
                        +- LocalRelation [ad, owner]
      "
    `)
    expect(plan(engine().sql('SELECT ad, sum(price) AS total FROM clicks GROUP BY ad HAVING count(*) > 1'))).toMatchInlineSnapshot(`
      "Project [ad, __aggregate0 AS total]
      +- Filter (__aggregate1 > 1)
         +- Aggregate [ad], [ad, sum(price) AS __aggregate0, count(1) AS __aggregate1]
            +- SubqueryAlias clicks
               +- LocalRelation [ad, price, tags]
      "
    `)
    expect(
      plan(engine().sql('SELECT ad, (SELECT max(owner) FROM ads WHERE ads.ad = clicks.ad) AS owner FROM clicks')),
    ).toMatchInlineSnapshot(`
      "Project [ad, __value0 AS owner]
      +- Join LeftOuter, (ad = __key0)
         :- SubqueryAlias clicks
         :  +- LocalRelation [ad, price, tags]
         +- Aggregate [ad], [ad AS __key0, true AS __marker, max(owner) AS __value0]
            +- SubqueryAlias ads
               +- LocalRelation [ad, owner]
      "
    `)
  })
})

describe('views', () => {
  test('are made, replaced, listed and dropped', async () => {
    const e = engine()
    clicks().createTempView('v1')
    expect(() => clicks().createTempView('V1')).toThrow(code('TEMP_TABLE_OR_VIEW_ALREADY_EXISTS'))
    expect(() => e.sql('CREATE TEMP VIEW v1 AS SELECT 1')).toThrow(code('TEMP_TABLE_OR_VIEW_ALREADY_EXISTS'))
    e.sql('CREATE OR REPLACE TEMPORARY VIEW v1 (x) AS SELECT 1')
    expect(await ordered(e.table('v1'))).toEqual(['1'])
    expect(columnsOf(e.sql('DESCRIBE v1'))).toEqual(['col_name string?', 'data_type string?', 'comment string?'])
    expect(await ordered(e.sql('DESCRIBE v1'))).toEqual(['x int null'])
    ads().createGlobalTempView('g1')
    expect(await ordered(e.sql('SELECT owner FROM global_temp.g1'))).toEqual(['ann'])
    expect(e.catalog.listTables('global_temp').map(({ name }) => name)).toEqual(['g1'])
    expect(e.catalog.tableExists('v1')).toBe(true)
    expect(e.catalog.listColumns('v1')).toEqual([{ name: 'x', dataType: 'int', nullable: false }])
    expect(await texts(e.sql("SHOW TABLES LIKE 'v*'"))).toEqual([' v1 true'])
    expect(await ordered(e.sql('SHOW COLUMNS IN v1'))).toEqual(['x'])
    e.sql('DROP VIEW v1')
    expect(() => e.table('v1')).toThrow(code('TABLE_OR_VIEW_NOT_FOUND'))
    expect(() => e.sql('DROP VIEW v1')).toThrow(code('TABLE_OR_VIEW_NOT_FOUND'))
    e.sql('DROP VIEW IF EXISTS v1')
    expect(e.catalog.dropGlobalTempView('g1')).toBe(true)
    expect(e.catalog.dropTempView('v1')).toBe(false)
    expect(() => clicks().createTempView('a.b')).toThrow(code('TEMP_VIEW_NAME_TOO_MANY_NAME_PARTS'))
    expect(() => e.catalog.listTables('nowhere')).toThrow(code('SCHEMA_NOT_FOUND'))
  })
  test('a name that is missing says which are near', () => {
    views()
    expect(() => engine().table('clikcs')).toThrow(/did you mean `clicks`/)
  })
  test('range', async () => {
    expect(await ordered(engine().range(3))).toEqual(['0', '1', '2'])
    expect(await ordered(engine().range(5n, 0n, -2n))).toEqual(['5', '3', '1'])
    expect(await engine().range(1, 1).count()).toBe(0)
    expect(() => engine().range(1, 2, 0)).toThrow(code('INVALID_PARAMETER_VALUE.STEP'))
  })
})

describe('statements', () => {
  test('parameters are values, never text', async () => {
    views()
    const e = engine()
    expect(await ordered(e.sql('SELECT ad FROM clicks WHERE price > :least', { least: 2 }))).toEqual(['a'])
    expect(await ordered(e.sql('SELECT ? AS a, ? + 1 AS b', ["'; DROP VIEW clicks; --", 4]))).toEqual(["'; DROP VIEW clicks; -- 5"])
    expect(await ordered(e.sql('SELECT array_contains(:them, 2) AS c', { them: [1, 2] }))).toEqual(['true'])
    expect(() => e.sql('SELECT :missing')).toThrow(code('UNBOUND_SQL_PARAMETER'))
    expect(() => e.sql('SELECT ?', [])).toThrow(code('UNBOUND_SQL_PARAMETER'))
  })
  test('SET and EXPLAIN', async () => {
    const e = engine()
    expect(await ordered(e.sql('SET spark.sql.shuffle.partitions = 3'))).toEqual(['spark.sql.shuffle.partitions 3'])
    expect(e.conf.get('spark.sql.shuffle.partitions')).toBe('3')
    expect(await ordered(e.sql('SET spark.sql.shuffle.partitions'))).toEqual(['spark.sql.shuffle.partitions 3'])
    expect((await ordered(e.sql('EXPLAIN EXTENDED SELECT 1 AS one')))[0]).toContain('Project [1 AS one]')
  })
  test.each([
    ['INSERT INTO t VALUES (1)', 'NOT_SUPPORTED_YET'],
    ['CREATE TABLE x (a int)', 'NOT_SUPPORTED_YET'],
    ['CREATE VIEW x AS SELECT 1', 'NOT_SUPPORTED_YET'],
    ['DROP TABLE x', 'NOT_SUPPORTED_YET'],
    ['WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a', 'NOT_SUPPORTED_YET'],
    ['SELECT 1; SELECT 2', 'PARSE_SYNTAX_ERROR'],
    ['SELECT 1 FROM', 'PARSE_SYNTAX_ERROR'],
    ['SELECT (SELECT 1', 'PARSE_SYNTAX_ERROR'],
    ['', 'PARSE_EMPTY_STATEMENT'],
    [
      'SELECT count(*) FROM clicks WHERE EXISTS (SELECT max(ad) FROM ads WHERE ads.ad = clicks.ad)',
      'UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_CORRELATED_SCALAR_SUBQUERY',
    ],
    [
      'SELECT (SELECT max(owner) FROM ads WHERE ads.ad > clicks.ad) FROM clicks',
      'UNSUPPORTED_SUBQUERY_EXPRESSION_CATEGORY.UNSUPPORTED_CORRELATED_SCALAR_SUBQUERY',
    ],
    ['SELECT ad IN (SELECT ad, owner FROM ads) FROM clicks', 'DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH'],
    [
      'SELECT rank() OVER (ORDER BY ad ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM clicks',
      'DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_INVALID_BOUND',
    ],
    [
      'SELECT sum(price) OVER (ORDER BY ad ROWS BETWEEN 1 FOLLOWING AND 1 PRECEDING) FROM clicks',
      'DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_INVALID_BOUND',
    ],
    [
      'SELECT sum(price) OVER (ORDER BY ad RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM clicks',
      'DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE',
    ],
    ['SELECT sum(rank() OVER (ORDER BY ad)) OVER (ORDER BY ad) FROM clicks', 'NESTED_WINDOW_FUNCTION'],
  ])('%s: %s', (sql, expected) => {
    views()
    expect(() => engine().sql(sql)).toThrow(code(expected))
  })
  test('functions of the program', async () => {
    views()
    engine().udf.register('shout', (text: string | null) => `${text}!`, t.string())
    expect(await ordered(engine().sql('SELECT shout(ad) AS s, count(*) AS n FROM clicks GROUP BY shout(ad) ORDER BY s'))).toEqual([
      'a! 2',
      'b! 1',
    ])
    expect(await ordered(engine().sql('SELECT ad, lag(shout(ad)) OVER (ORDER BY price) AS l FROM clicks ORDER BY price'))).toEqual([
      'b null',
      'a b!',
      'a a!',
    ])
  })
})

describe('windows of rows from DataFrames', () => {
  test('rank, lag and aggregates over a window', async () => {
    const byAd = Window.partitionBy('ad').orderBy(col('price').desc())
    const frame = clicks().select(
      'ad',
      'price',
      rank().over(byAd).as('place'),
      lag(col('price'), 1, 0).over(byAd).as('before'),
      sum(col('price')).over(byAd.rowsBetween(Window.unboundedPreceding, Window.currentRow)).as('running'),
    )
    expect(columnsOf(frame)).toEqual(['ad string', 'price double?', 'place int', 'before double?', 'running double?'])
    expect(await texts(frame)).toEqual(['a 1.5 2 2.5 4', 'a 2.5 1 0 2.5', 'b null 1 0 null'])
  })
  test('withColumn and expr', async () => {
    const frame = clicks()
      .withColumn('n', row_number().over(Window.orderBy('ad', 'price')))
      .selectExpr('n', 'n - 1 + sum(n) OVER () AS m')
      .where('m > 6')
    expect(await texts(frame)).toEqual(['2 7', '3 8'])
  })
  test('what a window can’t be', () => {
    expect(() => clicks().select(row_number().as('n'))).toThrow(code('WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE'))
    expect(() => clicks().select(row_number().over(Window.partitionBy('ad')).as('n'))).toThrow(code('WINDOW_FUNCTION_WITHOUT_ORDER'))
    expect(() => row_number().over({} as never)).toThrow(code('NOT_WINDOWSPEC'))
    expect(() => Window.rowsBetween(Number.NaN, 0)).toThrow(code('INVALID_WINDOW_BOUND'))
    expect(() => clicks().filter(row_number().over(Window.orderBy('ad')).eq(1))).toThrow(code('WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE'))
  })
})

describe('streams', () => {
  test('a view over a stream is queried as a stream, with its watermark', async () => {
    const e = engine()
    const input = new MemoryStream(e, { at: t.timestamp(), who: t.string() })
    input.toDF().withWatermark('at', '1 minute').createOrReplaceTempView('events')
    const counted = e.sql<StreamFrame<any>>(
      "SELECT window.start AS start, count(*) AS n FROM events WHERE who <> 'bot' GROUP BY window(at, '5 minutes') HAVING count(*) > 1",
    )
    expect(counted.isStreaming).toBe(true)
    const query = await counted.writeStream.format('memory').queryName('counted').outputMode('append').start()
    input.addData(
      { at: '2026-01-01T00:01:00Z', who: 'ann' },
      { at: '2026-01-01T00:02:00Z', who: 'bob' },
      { at: '2026-01-01T00:03:00Z', who: 'bot' },
    )
    await query.processAllAvailable()
    input.addData({ at: '2026-01-01T00:20:00Z', who: 'ann' })
    await query.processAllAvailable()
    expect(await ordered(e.sql('SELECT n FROM counted'))).toEqual(['2'])
    expect(await ordered(e.table('counted').select('n'))).toEqual(['2'])
    expect(e.catalog.listTables().find(({ name }) => name === 'counted')?.tableType).toBe('MEMORY')
    await query.stop()
  })
  test('the same grouping from either side is the same plan', () => {
    const e = engine()
    const input = new MemoryStream(e, { at: t.timestamp(), who: t.string() })
    input.toDF().withWatermark('at', '1 minute').createOrReplaceTempView('events')
    const sql = e.sql("SELECT window(at, '5 minutes') AS w, count(*) AS n FROM events GROUP BY window(at, '5 minutes')")
    const frame = e
      .table<StreamFrame<{ at: 'timestamp'; who: 'string' }>>('events')
      .groupBy(({ at }) => ({ w: window(at, '5 minutes') }))
      .agg(() => ({ n: count() }))
    expect(plan(sql)).toBe(plan(frame))
  })
  test('tables of queries and of streams by name', async () => {
    const e = engine()
    const input = new MemoryStream(e, { who: t.string() })
    input.toDF().createOrReplaceTempView('visits')
    clicks().createOrReplaceTempView('clicks')
    const query = await e.readStream.table('visits').writeStream.format('memory').toTable('seen')
    input.addData({ who: 'ann' })
    await query.processAllAvailable()
    expect(await ordered(e.read.table('seen'))).toEqual(['ann'])
    await query.stop()
    expect(() => e.readStream.table('clicks')).toThrow(code('UNSUPPORTED_STREAMING_TABLE'))
    await expect(e.readStream.table('visits').writeStream.format('parquet').toTable('x')).rejects.toThrow(code('NOT_SUPPORTED_YET'))
  })
  test('windows of rows are refused', async () => {
    const e = engine()
    const input = new MemoryStream(e, { at: t.timestamp() })
    const frame = input.toDF().select(row_number().over(Window.orderBy('at')).as('n')) as StreamFrame<any>
    await expect(frame.writeStream.format('noop').start()).rejects.toThrow(code('NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING'))
  })
  test('STREAM in front of a view says that it must be one of a stream', () => {
    const e = engine()
    const input = new MemoryStream(e, { n: t.int() })
    input.toDF().createOrReplaceTempView('numbers')
    ads().createOrReplaceTempView('owners')
    for (const from of ['STREAM numbers', 'STREAM(numbers)', 'STREAM `numbers` AS s', 'stream numbers s WHERE s.n > 1'])
      expect(plan(e.sql(`SELECT n FROM ${from}`)), from).toBe(plan(e.sql(`SELECT n FROM ${from.replace(/stream/i, '')}`)))
    expect(() => e.sql('SELECT * FROM STREAM owners')).toThrow(code('UNSUPPORTED_STREAMING_TABLE'))
    expect(() => e.sql('SELECT * FROM STREAM nothing')).toThrow(code('TABLE_OR_VIEW_NOT_FOUND'))
    ads().createOrReplaceTempView('stream') // still a name
    expect(e.sql('SELECT stream.owner FROM stream WHERE true').columns).toEqual(['owner'])
  })
  test('SPARK-51322: a stream in a subquery is refused, wherever it stands', () => {
    const e = engine()
    const input = new MemoryStream(e, { n: t.int() })
    input.toDF().createOrReplaceTempView('numbers')
    ads().createOrReplaceTempView('owners')
    const refused = code('INVALID_SUBQUERY_EXPRESSION.STREAMING_QUERY')
    for (const text of [
      'SELECT (SELECT max(n) FROM numbers) AS m FROM owners',
      'SELECT * FROM owners WHERE owner IN (SELECT n FROM numbers)',
      'SELECT * FROM owners WHERE EXISTS (SELECT 1 FROM numbers WHERE n < length(owner))',
      'SELECT * FROM numbers AS a WHERE EXISTS (SELECT 1 FROM numbers AS b WHERE a.n = b.n)',
      'SELECT * FROM owners, LATERAL (SELECT n FROM numbers WHERE n = length(owner))',
    ])
      expect(() => e.sql(text), text).toThrow(refused)
    expect(() => e.range(5).where((input.toDF() as any).exists())).toThrow(refused)
    expect(() => e.range(5).select((input.toDF().limit(1) as any).scalar())).toThrow(refused)
  })
  test('a static subquery filters a stream', async () => {
    const e = engine()
    const input = new MemoryStream(e, { who: t.string(), n: t.int() })
    input.toDF().createOrReplaceTempView('people')
    ads().createOrReplaceTempView('owners')
    const query = await e
      .sql<StreamFrame<any>>('SELECT who, n FROM people WHERE who IN (SELECT owner FROM owners) AND n > (SELECT count(*) FROM owners)')
      .writeStream.format('memory')
      .queryName('kept')
      .start()
    input.addData({ who: 'ann', n: 1 }, { who: 'ann', n: 2 }, { who: 'bob', n: 3 })
    await query.processAllAvailable()
    expect(await texts(e.table('kept'))).toEqual(['ann 2'])
    await query.stop()
  })
})
