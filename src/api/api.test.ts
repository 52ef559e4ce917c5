import { describe, expect, test, vi } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { LocalFiles } from '../base/local-files.ts'
import type { Row } from '../data/row-set.ts'
import { Schema } from '../data/schema.ts'
import { Decimal } from '../data/values.ts'
import { explainLogical } from '../plan/explain.ts'
import { parseDdl } from '../plan/schema-text.ts'
import type { EnginePort, ForeachBatchInstance, StartQuery, WriteBatch } from '../query/engine-port.ts'
import type { StreamingQuery } from '../query/streaming-query.ts'
import { dataFrameOf, planOf } from './data-frame.ts'
import { call_function, col, count, count_distinct, lit, max, struct, sum, unix_timestamp, when, window } from './functions.ts'
import { createSession, instanceStream } from './session.ts'
import { t } from './types.ts'

/** An engine that writes down what it is asked for, and whose batches give `rows`. */
function fakeEngine(rows: readonly Row[] = []) {
  const asked = { started: [] as StartQuery[], written: [] as WriteBatch[], plans: [] as string[] }
  const engine: EnginePort = {
    streamSchema: (_format, schema) => schema ?? parseDdl('timestamp timestamp, value bigint'),
    resolveTable: async () => undefined,
    readsPaths: () => true,
    inferSchema: async () => parseDdl('a int, b string'),
    files: new LocalFiles(),
    clock: systemClock,
    holdRows: async () => {
      throw new Error('no rows here')
    },
    runBatch: async (plan, use) => {
      asked.plans.push(explainLogical(plan))
      const limited = plan.kind === 'limit' ? rows.slice(0, plan.count) : rows
      return use({ schema: plan.schema, count: async () => limited.length, toObjects: async () => [...limited] } as never)
    },
    writeBatch: async (write) => {
      asked.written.push(write)
    },
    start: async (query) => {
      asked.started.push(query)
      return { id: 'q' } as StreamingQuery
    },
    explainPhysical: (_plan, mode) => `physical in ${mode}\n`,
    conf: () => undefined,
    setConf: () => {},
    views: new Map(),
    heldTables: { names: [], get: () => undefined },
    userFunctions: new Map(),
  }
  return { engine, session: createSession(engine), asked }
}
const code = (expected: string) => expect.objectContaining({ code: expected })
const { engine, session } = fakeEngine()
const clicks = session.readStream
  .schema({ ad: t.string(), at: t.timestamp(), price: t.double().nullable(), geo: t.struct({ lat: t.double(), size: t.int() }) })
  .json('/in')
const text = (frame: unknown) => explainLogical(planOf(frame))
const first = (frame: unknown) => text(frame).split('\n')[0]

describe('columns', () => {
  test('operators and methods', () => {
    const condition = clicks.where(({ ad, at, price, geo }) =>
      ad
        .like('a%')
        .and(price.between(1, 2))
        .or(price.isNull().not())
        .and(geo.lat.neg().lt(lit(0)))
        .and(geo.getField('size').mod(2).eq(1))
        .and(at.plus('1 hour').gt('2020-01-01'))
        .and(ad.isin('x', 'y')),
    )
    expect(first(condition)).toBe(
      `Filter (((((((ad LIKE a%) AND ((price >= 1.0) AND (price <= 2.0))) OR (NOT (price IS NULL))) AND ((- geo.lat) < cast(0 as double))) AND ((geo.size % 2) = 1)) AND ((at + INTERVAL '01' HOUR) > cast(2020-01-01 as timestamp))) AND (ad IN (x, y)))`.replace(
        'cast(0 as double)',
        '0.0',
      ),
    )
  })
  test('a property that is no method is a field of a struct', () => {
    expect(first(clicks.select(({ geo }) => ({ lat: geo.lat, s: geo.size })))).toBe('Project [geo.lat AS lat, geo.size AS s]')
    expect(first(clicks.select(({ at }) => ({ w: window(at, '1 minute').start })))).toBe('Project [window(at, 1 minute).start AS w]')
    expect(() => clicks.select(({ geo }) => ({ z: (geo as unknown as { alt: typeof geo.lat }).alt }))).toThrow(code('FIELD_NOT_FOUND'))
  })
  test('a column can be awaited, printed and compared without harm', async () => {
    const column = col('a')
    expect(await column).toBe(column)
    expect(String(column)).toBe('Column<a>')
    expect(JSON.stringify({ n: 1, column: col('a') })).toContain('"n":1')
  })
  test('names in callbacks: any case, quoted where needed, and an error at once where there is none', () => {
    const odd = session.createDataFrame([], { 'a.b': t.int(), A: t.int() })
    expect(first(odd.select((c) => ({ x: c['a.b'], y: (c as unknown as { a: (typeof c)['A'] }).a })))).toBe('Project [a.b AS x, A AS y]')
    expect(() => clicks.where((c) => (c as unknown as { prize: typeof c.price }).prize.gt(1))).toThrow(
      /`prize` cannot be resolved\n.*`price`/,
    )
    expect(first(odd.select((c) => ({ ...c, z: lit(1) })))).toBe('Project [a.b, A, 1 AS z]')
  })
  test('when without and with otherwise; only in its place', () => {
    expect(first(clicks.select(({ price }) => ({ x: when(price.gt(1), 'a').when(price.gt(0), 'b').otherwise('c') })))).toBe(
      'Project [CASE WHEN (price > 1.0) THEN a WHEN (price > 0.0) THEN b ELSE c END AS x]',
    )
    const closed = when(col('a'), 1).otherwise(2) as unknown as ReturnType<typeof when>
    expect(() => closed.otherwise(3)).toThrow(code('INVALID_USAGE_OF_WHEN'))
    expect(() => (col('a') as unknown as ReturnType<typeof when>).otherwise(3)).toThrow(code('INVALID_USAGE_OF_WHEN'))
  })
  test('literals', () => {
    const types = (value: Parameters<typeof lit>[0]) =>
      planOf(session.createDataFrame([], { a: t.int() }).select(() => ({ x: lit(value) }))).schema.fields[0]!.type
    expect(
      [1, -2147483648, 2147483648, 9007199254740991, 9007199254740993, 1.5, NaN, 5n, 'x', true, null, new Date(0), new Uint8Array(1)].map(
        (value) => types(value as number),
      ),
    ).toEqual(['int', 'int', 'long', 'long', 'double', 'double', 'double', 'long', 'string', 'boolean', 'void', 'timestamp', 'binary'])
    expect(types(new Decimal(150n, 2))).toEqual({ kind: 'decimal', precision: 3, scale: 2 })
    expect(() => lit(2n ** 63n)).toThrow(code('NUMERIC_VALUE_OUT_OF_RANGE'))
    expect(() => lit({} as never)).toThrow(code('INVALID_LITERAL'))
    expect(first(clicks.select(() => ({ d: lit('2020-01-31', t.date()), m: lit('1.5', t.decimal(5, 2)), at: lit(new Date(1500)) })))).toBe(
      'Project [2020-01-31 AS d, 1.50 AS m, 1970-01-01 00:00:01.5 AS at]',
    )
  })
  test('functions', () => {
    expect(
      first(
        clicks.select(({ at, ad }) => ({ a: unix_timestamp(at), b: struct({ ad }), c: window(at, '10 minutes', undefined, '1 minute') })),
      ),
    ).toBe('Project [unix_timestamp(at) AS a, named_struct(ad, ad) AS b, window(at, 10 minutes, 10 minutes, 1 minute) AS c]')
    expect(() => clicks.select(() => ({ x: call_function('lag', col('at')) }))).toThrow(code('WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE'))
    expect(() => clicks.select(() => ({ x: call_function('uper', col('ad')) }))).toThrow(/`upper`/)
  })
})

describe('frames', () => {
  test('select by name, star, dotted name and alias', () => {
    expect(planOf(clicks.select('ad', col('price').as('p'))).schema.names).toEqual(['ad', 'p'])
    expect(planOf((clicks as never as { select(...x: string[]): unknown }).select('*', 'geo.lat')).schema.names).toEqual([
      'ad',
      'at',
      'price',
      'geo',
      'lat',
    ])
  })
  test('what a callback gives is checked', () => {
    expect(() => clicks.select((() => col('ad')) as never)).toThrow(code('INVALID_COLUMNS'))
    expect(() => clicks.select((() => ({ x: 'ad' })) as never)).toThrow(/x in select is "ad", not a column\n.*lit/)
    expect(() => clicks.where((() => true) as never)).toThrow(code('NOT_A_COLUMN'))
    expect(() => clicks.withColumn('x', 1 as never)).toThrow(code('NOT_A_COLUMN'))
    expect(() => clicks.join({} as typeof clicks, 'ad')).toThrow(code('NOT_A_DATAFRAME'))
    expect(() => clicks.join(clicks, undefined as never)).toThrow(code('MISSING_JOIN_CONDITION'))
    expect(() => clicks.join(clicks, 'ad', 'sideways' as never)).toThrow(code('UNSUPPORTED_JOIN_TYPE'))
  })
  test('groupBy: names, callback, shortcuts', () => {
    expect(planOf(clicks.groupBy('ad').count()).schema.names).toEqual(['ad', 'count'])
    expect(planOf(clicks.groupBy('ad').sum('price')).schema.names).toEqual(['ad', 'sum(price)'])
    expect(
      planOf(
        clicks
          .groupBy(({ at }) => ({ w: window(at, '1 minute') }))
          .agg(({ price }) => ({ n: count(), s: sum(price), d: count_distinct(price) })),
      ).schema.names,
    ).toEqual(['w', 'n', 's', 'd'])
    expect(planOf(clicks.agg(() => ({ n: count() }))).schema.names).toEqual(['n'])
    expect(() => clicks.groupBy('ad').agg(({ price }) => ({ price }))).toThrow(code('MISSING_AGGREGATION'))
    expect(() => clicks.groupBy('price').sum()).toThrow(code('WRONG_NUM_ARGS.WITHOUT_SUGGESTION'))
  })
  test('joins by name and by condition, with sides', () => {
    const ads = session.read.parquet('/ads', { ad: t.string(), campaign: t.string() })
    expect(planOf(clicks.join(ads, 'ad', 'left')).schema.names).toEqual(['ad', 'at', 'price', 'geo', 'campaign'])
    expect(first(clicks.join(ads, (l, r) => l.ad.eq(r.ad)))).toBe('Join Inner, (ad = ad)')
    expect(first(clicks.alias('c').join(ads.alias('a'), () => col('c.ad').eq(col('a.ad')), 'left_outer' as never))).toBe(
      'Join LeftOuter, (ad = ad)',
    )
    expect(first(ads.crossJoin(ads))).toBe('Join Cross')
  })
  test('orderBy takes names, orders and callbacks', () => {
    expect(
      first(
        clicks.orderBy(
          'ad',
          col('price').desc(),
          ({ at }) => at.asc_nulls_last(),
          ({ ad, at }) => [ad, at],
        ),
      ),
    ).toBe('Sort [ad ASC NULLS FIRST, price DESC NULLS LAST, at ASC NULLS LAST, ad ASC NULLS FIRST, at ASC NULLS FIRST]')
  })
  test('schema, columns, isStreaming, pipe, explain', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    expect([clicks.columns, clicks.isStreaming, clicks.pipe((df) => df.select('ad')).columns]).toEqual([
      ['ad', 'at', 'price', 'geo'],
      true,
      ['ad'],
    ])
    expect(clicks.explain()).toBe(
      '== Logical Plan ==\nStreamingRelation json /in [ad, at, price, geo]\n\n== Physical Plan ==\nphysical in append\n',
    )
    clicks.printSchema()
    expect(log.mock.calls.map(([line]) => String(line).split('\n')[0])).toEqual(['== Logical Plan ==', 'root'])
    log.mockRestore()
  })
})

describe('batches', () => {
  const { session, asked } = fakeEngine([{ id: 1n }, { id: 2n }, { id: 3n }])
  const frame = session.createDataFrame([{ id: 1 }], { id: t.long() })
  test('actions', async () => {
    expect([await frame.collect(), await frame.count(), await frame.first(), await frame.take(2)]).toEqual([
      [{ id: 1n }, { id: 2n }, { id: 3n }],
      3,
      { id: 1n },
      [{ id: 1n }, { id: 2n }],
    ])
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    await frame.show(2)
    expect(log.mock.calls[0]![0]).toContain('only showing top 2 rows')
    log.mockRestore()
  })
  test('rows that do not fit the schema are refused', () => {
    expect(() => session.createDataFrame([{ id: 'x' as never }], { id: t.long() })).toThrow(/rows\[0\]\.id/)
    expect(session.createDataFrame([{ a: 1 }], 'a int').columns).toEqual(['a'])
  })
  test('write', async () => {
    await frame.write.mode('overwrite').option('compression', 'zstd').option('Compression', 'none').partitionBy('ID').parquet('/out')
    expect(asked.written.at(-1)).toMatchObject({
      format: 'parquet',
      mode: 'overwrite',
      options: { Compression: 'none' },
      partitionBy: ['id'],
      path: '/out',
    })
    await frame.write.format('csv').options({ header: true, path: '/o' }).save()
    expect(asked.written.at(-1)).toMatchObject({ format: 'csv', mode: 'errorifexists', options: { header: 'true' }, path: '/o' })
    await frame.write.format('kafka').save()
    expect(asked.written.at(-1)).not.toHaveProperty('path')
    expect(() => frame.write.mode('replace' as never)).toThrow(code('INVALID_SAVE_MODE'))
    expect(() => frame.write.partitionBy('idd')).toThrow(code('UNRESOLVED_COLUMN.WITH_SUGGESTION'))
    expect(() => frame.write.option('a', {} as never)).toThrow(code('INVALID_OPTION'))
  })
  test('a stream has no end to collect, a batch no writeStream', async () => {
    await expect((clicks as never as typeof frame).collect()).rejects.toThrow(code('STREAMING_ACTION_NOT_SUPPORTED'))
    expect(() => (clicks as never as typeof frame).write).toThrow(code('CALL_ON_STREAMING_DATASET_UNSUPPORTED'))
    expect(() => (frame as never as typeof clicks).writeStream).toThrow(code('WRITE_STREAM_NOT_ALLOWED'))
  })
})

describe('readers', () => {
  test('batch: schema given, or read from the files', async () => {
    const given = session.read.option('header', true).csv('/a', { x: t.int() })
    expect(planOf(given)).toMatchObject({ kind: 'scan', format: 'csv', options: { header: 'true' }, paths: ['/a'] })
    expect((await session.read.parquet(['/a', '/b'])).columns).toEqual(['a', 'b'])
    expect(session.read.format('json').schema('a int').load('/x').columns).toEqual(['a'])
    expect(session.read.text('/x').columns).toEqual(['value'])
    expect(() => session.read.schema('a int').load()).toThrow(code('MISSING_PATH'))
  })
  test('stream: options, name, formats with a schema of their own', () => {
    expect(planOf(session.readStream.format('rate').option('rowsPerSecond', 5).load()).schema.names).toEqual(['timestamp', 'value'])
    const named = planOf(session.readStream.name('clicks').schema('a int').option('maxFilesPerTrigger', 1).parquet('/in'))
    expect(named).toMatchObject({ kind: 'stream-scan', name: 'clicks', options: { maxFilesPerTrigger: '1', path: '/in' } })
    expect(planOf(session.readStream.schema('a int').json('in'))).toMatchObject({ options: { path: expect.stringMatching(/^\/.*\/in$/) } })
    expect(() => session.readStream.name('a-b')).toThrow(code('STREAMING_QUERY_EVOLUTION_ERROR.INVALID_SOURCE_NAME'))
    const memory = instanceStream(engine, { format: 'memory', schema: parseDdl('a int'), instance: { rows: [] }, token: 't' })
    expect(planOf(memory)).toMatchObject({ format: 'memory', token: 't', instance: { rows: [] } })
  })
  test('schemas in all their forms', () => {
    expect(session.readStream.schema(new Schema(parseDdl('a int').fields)).json('/in').columns).toEqual(['a'])
    expect(() => session.readStream.schema({ a: 'int' } as never)).toThrow(/the column "a" of the schema is "int", not a type\n.*t\.string/)
    expect(() => session.readStream.schema({ a: t.int(), A: t.int() })).toThrow(code('COLUMN_ALREADY_EXISTS'))
    expect(() => session.readStream.schema({ '~standard': {} } as never)).toThrow(code('INVALID_SCHEMA'))
    expect(() => session.readStream.schema(5 as never)).toThrow(code('INVALID_SCHEMA'))
    expect(() => t.decimal(40, 0)).toThrow(code('DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION'))
  })
})

describe('writeStream', () => {
  const { session, asked } = fakeEngine([{ value: 1n }])
  const rate = session.readStream.format('rate').load()
  const last = () => asked.started.at(-1)!
  test('hands over what was set, and defaults', async () => {
    await rate.writeStream.format('console').start()
    expect(last()).toMatchObject({
      outputMode: 'append',
      trigger: { kind: 'processing-time', intervalMs: 0 },
      queryName: null,
      format: 'console',
      options: {},
      partitionBy: [],
    })
    await rate.writeStream
      .queryName('q')
      .outputMode('update')
      .trigger({ processingTime: '10 seconds' })
      .option('checkpointLocation', '/c')
      .partitionBy('VALUE' as never)
      .start('/out')
    expect(last()).toMatchObject({
      outputMode: 'update',
      trigger: { kind: 'processing-time', intervalMs: 10_000 },
      queryName: 'q',
      format: 'parquet',
      options: { checkpointLocation: '/c', path: '/out' },
      partitionBy: ['value'],
    })
  })
  test.each<[unknown, object]>([
    [{ availableNow: true }, { kind: 'available-now' }],
    [{ once: true }, { kind: 'once' }],
    [{ processingTime: 500 }, { kind: 'processing-time', intervalMs: 500 }],
    [{ processingTime: 'interval 1 minute' }, { kind: 'processing-time', intervalMs: 60_000 }],
  ])('trigger %j', async (trigger, expected) => {
    await rate.writeStream.trigger(trigger as never).start('/out')
    expect(last().trigger).toEqual(expected)
  })
  test.each<[unknown, string]>([
    [{}, 'INVALID_TRIGGER'],
    [{ availableNow: false }, 'INVALID_TRIGGER'],
    [{ once: true, availableNow: true }, 'INVALID_TRIGGER'],
    [{ continuous: '1 second' }, 'INVALID_TRIGGER'],
    ['10 seconds', 'INVALID_TRIGGER'],
    [null, 'INVALID_TRIGGER'],
    [{ processingTime: '-1 second' }, 'INVALID_TRIGGER'],
    [{ processingTime: NaN }, 'INVALID_TRIGGER'],
    [{ processingTime: '10 secs' }, 'CANNOT_PARSE_INTERVAL'],
    [{ processingTime: '1 month' }, 'UNSUPPORTED_MONTH_INTERVAL'],
  ])('trigger %j is %s', (trigger, expected) => {
    expect(() => rate.writeStream.trigger(trigger as never)).toThrow(code(expected))
  })
  test('checks the query before the engine is asked', async () => {
    const before = asked.started.length
    const counted = rate.groupBy('value').count() as never as typeof rate
    await expect(counted.writeStream.start('/out')).rejects.toThrow(code('STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION'))
    expect(() => rate.writeStream.outputMode('apend' as never)).toThrow(/did you mean 'append'/)
    expect(() => rate.writeStream.foreachBatch('x' as never)).toThrow(code('INVALID_FUNCTION'))
    expect(asked.started.length).toBe(before)
  })
  const context = { keepsDeadLetters: false, deadLetter: () => {} }
  test('foreachBatch gets a batch frame over the batch’s rows, and is waited for', async () => {
    const seen: unknown[] = []
    await rate.writeStream
      .foreachBatch(async (rows, id) => {
        seen.push(id, rows.isStreaming, await rows.collect())
      })
      .start()
    expect(last().format).toBe('foreachBatch')
    const instance = last().instance as ForeachBatchInstance
    await instance.call({ kind: 'local', relation: 'r', schema: parseDdl('value bigint') }, 7n, context)
    expect(seen).toEqual([7n, false, [{ value: 1n }]])
    await rate.writeStream
      .foreachBatch(() => {
        throw new Error('boom')
      })
      .start()
    await expect((last().instance as ForeachBatchInstance).call({ kind: 'local', schema: parseDdl('a int') }, 0n, context)).rejects.toThrow(
      'boom',
    )
    await rate.writeStream
      .foreachBatch(() => {})
      .format('noop')
      .start()
    expect(last().instance).toBeUndefined()
  })
})

test('agg takes columns with and without names, as PySpark does', () => {
  const grouped = clicks.groupBy('ad')
  expect(grouped.agg(count().as('n'), sum(col('price')).as('total')).columns).toEqual(['ad', 'n', 'total'])
  expect((grouped as any).agg(sum(col('price')), max(col('at'))).columns).toEqual(['ad', 'sum(price)', 'max(at)'])
  expect(clicks.agg(count().as('n')).columns).toEqual(['n'])
  expect(() => (grouped as any).agg(count(), 'price')).toThrow(code('NOT_A_COLUMN'))
})

test('a frame of a given plan', () => {
  expect(dataFrameOf(engine, { kind: 'local', schema: parseDdl('a int') }).columns).toEqual(['a'])
})
