import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DuckDb } from '../../test/planner/duckdb.ts'
import {
  ads,
  allAggregates,
  as,
  call,
  col,
  eq,
  eventSchema,
  events,
  flightSchema,
  flights,
  item,
  lit,
  window,
  ysb,
} from '../../test/planner/plans.ts'
import { nestedSql, type Relations, runComplete } from '../../test/planner/run-plan.ts'
import { Schema } from '../data/schema.ts'
import * as plan from '../plan/analyze.ts'
import type { LogicalPlan, OutputMode } from '../plan/logical-plan.ts'
import { optimize } from '../plan/rules.ts'
import { explainBatchPlan, explainStreamingPlan } from './explain-physical.ts'
import { sqlType } from './sql-text.ts'
import { planBatch, planStreaming, sourcesOf } from './streaming.ts'

const planned = (logical: LogicalPlan, mode: OutputMode) => planStreaming(optimize(logical), mode)

describe('plans, as golden text', () => {
  const delays = [item('mean', call('avg', col('delay'))), item('worst', call('max', col('delay'))), item('flights', call('count'))]
  const hourly = (slide?: string) =>
    plan.groupBy(
      plan.watermark(flights(), 'time', '1 hour'),
      [item('w', window('time', '1 hour', ...(slide ? [slide, '5 minutes'] : []))), item('origin', col('origin'))],
      delays,
    )
  const cases: Readonly<Record<string, readonly [LogicalPlan, OutputMode]>> = {
    ysb: [ysb(), 'update'],
    'windowed-append': [
      plan.project(hourly(), [as(col('w.start'), 'hour'), col('origin'), as(call('round', col('mean'), lit(1)), 'mean'), col('flights')]),
      'append',
    ],
    'sliding-window': [hourly('25 minutes'), 'append'],
    stateless: [
      plan.project(plan.filter(events(), call('like', col('ad_type'), lit('ban%'))), [
        as(call('upper', col('ad_id')), 'ad'),
        as(call('current_timestamp'), 'at'),
      ]),
      'append',
    ],
    'every-aggregate': [plan.groupBy(flights(), [item('origin', col('origin'))], allAggregates), 'complete'],
    'complete-sorted': [
      plan.limit(
        plan.sort(plan.groupBy(events(), [item('type', col('event_type'))], [item('n', call('count'))]), [
          { kind: 'sort', input: col('n'), descending: true, nullsFirst: false },
        ]),
        3,
      ),
      'complete',
    ],
    'global-aggregate': [plan.groupBy(events(), [], [item('n', call('count')), item('last', call('last', col('ad_id')))]), 'update'],
    'self-union': [plan.union([plan.project(events(), [col('ad_id')]), plan.project(events(), [col('page_id')])]), 'append'],
    'two-watermarks': [
      plan.groupBy(
        plan.union([plan.watermark(events('a'), 'event_time', '10 seconds'), plan.watermark(events('b'), 'event_time', '5 seconds')]),
        [item('event_time', col('event_time'))],
        [item('n', call('count'))],
      ),
      'append',
    ],
    'filter-below-watermark': [
      plan.filter(
        plan.join(plan.watermark(events(), 'event_time', '1 minute'), ads(), { using: ['ad_id'] }, 'left'),
        call('and', eq(col('event_type'), lit('view')), call('isnotnull', col('campaign_id'))),
      ),
      'append',
    ],
  }
  // `npm run golden` rewrites them.
  test.each(Object.entries(cases))('%s', async (name, [logical, mode]) => {
    await expect(`${explainStreamingPlan(planned(logical, mode))}\n`).toMatchFileSnapshot(`golden/${name}.txt`)
  })
  test('a batch plan is explained as one relation', () => {
    expect(explainBatchPlan(planBatch(plan.project(ads(), [col('campaign_id')])))).toBe(
      'SQL\n  SELECT t0.c1 AS c0 FROM ⟦0⟧ AS t0\n  columns: c0 campaign_id string\n  ⟦0⟧ Scan parquet ads.parquet\n        columns: c0 ad_id string, c1 campaign_id string',
    )
  })
})

describe('the shape of a plan', () => {
  test('a source that stands twice is planned and read once', () => {
    const { sources, root } = planned(plan.union([events(), events()]), 'append')
    expect(sources.map(({ name }) => name)).toEqual(['0'])
    if (root.kind !== 'fragment') throw new Error('expected a fragment')
    expect(root.inputs[0]).toBe(root.inputs[1])
  })
  test('sources are numbered in plan order, named ones keep their name', () => {
    const named = plan.streamScan({ format: 'json', options: {}, token: 'n', name: 'clicks', schema: eventSchema })
    expect(sourcesOf(plan.union([events('a'), named, events('b')])).map(({ name }) => name)).toEqual(['0', 'clicks', '2'])
    const twice = plan.union([named, plan.streamScan({ format: 'json', options: {}, token: 'm', name: 'clicks', schema: eventSchema })])
    expect(() => planned(twice, 'append')).toThrow('STREAMING_QUERY_EVOLUTION_ERROR.DUPLICATE_SOURCE_NAMES')
  })
  test('a union of a watermarked stream with itself measures it once', () => {
    const marked = plan.watermark(events(), 'event_time', '1 second')
    expect(planned(plan.union([marked, marked]), 'append').watermarks).toHaveLength(1)
  })
  test('only the columns that are read pass a watermark', () => {
    const marked = plan.project(plan.watermark(events(), 'event_time', '1 second'), [col('ad_id')])
    expect(planned(marked, 'append').watermarks[0]).toMatchObject({
      column: 1,
      schema: { fields: [{ name: 'ad_id' }, { name: 'event_time' }] },
    })
  })
  test('a window key is two state columns, and its end is the event time', () => {
    const stateSchema = planned(ysb(), 'update').stateful[0]!.stores[0]!.schema
    expect(stateSchema.keys.map(({ name }) => name)).toEqual(['window.start', 'window.end', 'campaign_id'])
    expect(stateSchema.eventTime).toEqual({ key: 1 })
  })
  test('a window that a projection made is a window key too', () => {
    const windows = plan.project(plan.watermark(events(), 'event_time', '1 second'), [
      as(window('event_time', '1 minute'), 'w'),
      col('ad_id'),
    ])
    const stateSchema = planned(plan.groupBy(windows, [item('w', col('w'))], [item('n', call('count'))]), 'append').stateful[0]!.stores[0]!
      .schema
    expect(stateSchema).toMatchObject({ keys: [{ name: 'w.start' }, { name: 'w.end' }], eventTime: { key: 1 } })
  })
  test('without a watermark no key is an event time', () => {
    const stateSchema = planned(plan.groupBy(events(), [item('w', window('event_time', '1 minute'))], [item('n', call('count'))]), 'update')
      .stateful[0]!.stores[0]!.schema
    expect(stateSchema.eventTime).toBe(null)
  })
  test('aggregates share their accumulators', () => {
    const items = [
      item('a', call('avg', col('fuel'))),
      item('s', call('sum', col('fuel'))),
      item('c', call('count', col('fuel'))),
      item('v', call('var_pop', col('fuel'))),
      item('d', call('stddev', col('fuel'))),
    ]
    const { values } = planned(plan.groupBy(flights(), [], items), 'update').stateful[0]!.stores[0]!.schema
    expect(values.map(({ name, merge }) => `${name} ${merge}`)).toEqual([
      'a.sum sum',
      'a.count sum',
      'v.n moments',
      'v.mean moments',
      'v.m2 moments',
    ])
  })
  test('state columns have names of their own', () => {
    const stateSchema = planned(
      plan.groupBy(
        plan.project(flights(), [as(col('origin'), 'n.sum'), col('fuel')]),
        [item('n.sum', col('`n.sum`'))],
        [item('n', call('avg', col('fuel')))],
      ),
      'update',
    ).stateful[0]!.stores[0]!.schema
    expect([...stateSchema.keys, ...stateSchema.values].map(({ name }) => name)).toEqual(['n.sum', 'n.sum.2', 'n.count'])
  })
})

describe('what can not be a stream is refused', () => {
  const distinctCount = plan.groupBy(events(), [], [item('n', { kind: 'call', name: 'count', args: [col('ad_id')], distinct: true })])
  test.each<[string, () => LogicalPlan, OutputMode, string]>([
    ['distinct aggregates', () => distinctCount, 'update', 'STREAMING_DISTINCT_AGGREGATE'],
    ['a sort of rows', () => plan.sort(events(), [col('ad_id')]), 'append', 'STREAMING_SORT'],
    ['a limit of rows', () => plan.limit(events(), 3), 'update', 'STREAMING_LIMIT'],
    ['a join of two streams without a key', () => plan.join(events('a'), events('b'), null), 'append', 'UNSUPPORTED_STREAMING_OPERATION'],
    [
      'a join that keeps the table',
      () => plan.join(events('a'), ads(), { using: ['ad_id'] }, 'right'),
      'append',
      'UNSUPPORTED_STREAMING_JOIN',
    ],
  ])('%s', (_, logical, mode, code) => {
    expect(() => planStreaming(logical(), mode)).toThrow(code)
  })
})

describe('partial aggregates of any split, merged, are the batch', () => {
  let duckdb: DuckDb
  beforeAll(async () => {
    duckdb = await DuckDb.open()
  })
  afterAll(() => duckdb.close())

  const row = fc.tuple(
    fc.option(
      fc.integer({ min: -20_000_000, max: 20_000_000 }).map((us) => `make_timestamp(${us})`),
      { freq: 8 },
    ),
    fc.constantFrom("'a'", "'b'", "'😀'"),
    fc.option(fc.integer({ min: -1000, max: 1000 }).map(String), { freq: 4 }),
    fc.option(fc.integer().map(String)),
    fc.option(fc.integer({ min: -99_999, max: 99_999 }).map((n) => `CAST(${n} AS DECIMAL(12,0)) * 0.01`)),
    fc.option(
      fc.oneof(
        { weight: 8, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => `CAST(${1e9 + n / 8} AS DOUBLE)`) },
        { weight: 1, arbitrary: fc.constantFrom("CAST('nan' AS DOUBLE)", '-0e0', '0e0') },
      ),
      { freq: 6 },
    ),
    fc.option(fc.boolean().map(String)),
  )
  const batches = fc.array(fc.array(row, { maxLength: 12 }), { minLength: 1, maxLength: 4 })
  const valuesOf = (rows: readonly (readonly (string | null)[])[]): string => {
    const types = flightSchema.fields.map((field) => sqlType(field.type))
    const selects = rows.map((cells) => `SELECT ${cells.map((cell, i) => `CAST(${cell ?? 'NULL'} AS ${types[i]}) AS c${i}`).join(', ')}`)
    return selects.length === 0
      ? `(SELECT ${types.map((type, i) => `CAST(NULL AS ${type}) AS c${i}`).join(', ')} WHERE false)`
      : `(${selects.join(' UNION ALL ')})`
  }
  const relations =
    (rows: string): Relations =>
    () =>
      rows
  /** Text is compared but for doubles, which may differ in their last digits: their sum hangs on the order. */
  const comparable = (rows: readonly (readonly (string | null)[])[], { fields }: Schema) =>
    rows.map((cells) =>
      cells.map((cell, i) => (cell !== null && fields[i]!.type === 'double' && Number.isFinite(Number(cell)) ? Number(cell) : cell)),
    )

  /** The spread of `fuel` is a ten thousand millionth of its mean, which a double holds to 1e-7 only; sums of squares would give nothing right at all. */
  const toleranceOf = (column: string) => (column === 'deviation' || column === 'variance' ? 1e-4 : 1e-9)

  async function check(logical: LogicalPlan, split: readonly (readonly (readonly (string | null)[])[])[], keys: number): Promise<void> {
    const streaming = planned(logical, 'complete')
    for (const { operatorId } of streaming.stateful) await duckdb.run(`DROP TABLE IF EXISTS state_${operatorId}`)
    const merged = await runComplete(
      duckdb,
      streaming,
      split.map((rows) => relations(valuesOf(rows))),
    )
    const batch = await duckdb.texts(`SELECT * FROM ${nestedSql(planBatch(logical), relations(valuesOf(split.flat())))}`)
    const byKey = (rows: (string | null)[][]) =>
      new Map(comparable(rows, logical.schema).map((cells) => [JSON.stringify(cells.slice(0, keys)), cells]))
    const [a, b] = [byKey(merged), byKey(batch)]
    expect(merged.length).toBe(batch.length)
    expect([...a.keys()].sort()).toEqual([...b.keys()].sort())
    for (const [key, cells] of a) {
      cells.forEach((cell, i) => {
        const other = b.get(key)![i]
        if (typeof cell === 'number' && typeof other === 'number')
          expect(Math.abs(cell - other), `${logical.schema.names[i]}: ${cell} and ${other}`).toBeLessThanOrEqual(
            toleranceOf(logical.schema.names[i]!) * Math.max(Math.abs(cell), Math.abs(other), 1e-6),
          )
        else expect(cell, logical.schema.names[i]).toBe(other)
      })
    }
  }

  test('for every aggregate, by key', async () => {
    await fc.assert(
      fc.asyncProperty(batches, (split) =>
        check(plan.groupBy(flights(), [item('origin', col('origin')), item('was late', col('late'))], allAggregates), split, 2),
      ),
      { numRuns: 40 },
    )
  })
  test('without keys', async () => {
    await fc.assert(
      fc.asyncProperty(batches, (split) => check(plan.groupBy(flights(), [], allAggregates), split, 0)),
      { numRuns: 25 },
    )
  })
  test('for windows of all kinds', async () => {
    const windows = [
      ['7 seconds'],
      ['10 seconds', '5 seconds'],
      ['10 seconds', '3 seconds'],
      ['4 seconds', '4 seconds', '1 second'],
      ['10 seconds', '4 seconds', '-1 second'],
    ]
    await fc.assert(
      fc.asyncProperty(batches, fc.constantFrom(...windows), (split, texts) =>
        check(
          plan.groupBy(
            flights(),
            [item('w', window('time', ...texts)), item('fuel', col('fuel'))],
            [item('n', call('count')), item('s', call('sum', col('distance')))],
          ),
          split,
          2,
        ),
      ),
      { numRuns: 40 },
    )
  })
})

describe('what an aggregate of rows gives', () => {
  let duckdb: DuckDb
  beforeAll(async () => {
    duckdb = await DuckDb.open()
  })
  afterAll(() => duckdb.close())
  const schema = new Schema([
    { name: 'k', type: 'int', nullable: true },
    { name: 't', type: 'timestamp', nullable: true },
    { name: 'x', type: 'long', nullable: true },
  ])
  const source = plan.streamScan({ format: 'memory', options: {}, token: 'x', schema })
  const values = (...rows: string[]) =>
    `(SELECT CAST(a AS INTEGER) AS c0, CAST(b AS TIMESTAMP) AS c1, CAST(c AS BIGINT) AS c2 FROM (VALUES ${rows.join(', ')}) AS v(a, b, c))`
  const run = async (logical: LogicalPlan, ...batches: string[]) => {
    await duckdb.run('DROP TABLE IF EXISTS state_0')
    return runComplete(
      duckdb,
      planned(logical, 'complete'),
      batches.map(
        (rows): Relations =>
          () =>
            rows,
      ),
    )
  }

  test('windows are half open, floor before 1970, and rows without a time have none', async () => {
    const counts = plan.project(
      plan.groupBy(source, [item('w', window('t', '10 seconds', '5 seconds', '2 seconds'))], [item('n', call('count'))]),
      [as(call('unix_seconds', col('w.start')), 's'), col('n')],
    )
    expect(
      (await run(counts, values("(1, '1970-01-01 00:00:02', 1)", "(1, '1969-12-31 23:59:59.999999', 1)", '(1, NULL, 1)'))).sort(),
    ).toEqual(
      [
        ['-3', '2'],
        ['-8', '1'],
        ['2', '1'],
      ].sort(),
    )
  })
  test('a window has the struct of its start and end', async () => {
    const windows = plan.groupBy(source, [item('w', window('t', '1 minute'))], [])
    expect(await run(windows, values("(1, '2001-01-01 00:00:59.5', 1)"))).toEqual([
      ["{'start': 2001-01-01 00:00:00, 'end': 2001-01-01 00:01:00}"],
    ])
  })
  test('a window that may be null is null as a key', async () => {
    const windows = plan.project(source, [as(window('t', '1 minute'), 'w'), col('k')])
    const some = plan.project(plan.watermark(windows, 'w', '1 second'), [
      as({ kind: 'case', branches: [{ condition: eq(col('k'), lit(1)), value: col('w') }], otherwise: null }, 'w'),
    ])
    const grouped = plan.groupBy(some, [item('w', col('w'))], [item('n', call('count'))])
    const marked: LogicalPlan = { ...grouped, keys: [{ ...grouped.keys[0]!, watermarkDelayMs: 1000 }] }
    expect(await run(marked, values("(1, '2001-01-01', 1)", "(2, '2001-01-01', 1)"))).toEqual(
      expect.arrayContaining([
        [null, '1'],
        ["{'start': 2001-01-01 00:00:00, 'end': 2001-01-01 00:01:00}", '1'],
      ]),
    )
  })
  test('first and last are those of the rows, nulls included, in the order of the batches', async () => {
    const picks = plan.groupBy(
      source,
      [item('k', col('k'))],
      [
        item('f', call('first', col('x'))),
        item('l', call('last', col('x'))),
        item('fi', call('first', col('x'), lit(true))),
        item('li', call('last', col('x'), lit(true))),
      ],
    )
    expect(await run(picks, values('(1, NULL, NULL)'), values('(1, NULL, 2)'), values('(1, NULL, NULL)'))).toEqual([
      ['1', null, null, '2', '2'],
    ])
    expect(await run(picks, values('(1, NULL, 3)'), values('(1, NULL, 4)'))).toEqual([['1', '3', '4', '3', '4']])
  })
  test('a sum past 64 bits is an error, in the stream and in the batch', async () => {
    const sum = plan.groupBy(source, [], [item('s', call('sum', col('x')))])
    const rows = values('(1, NULL, 9223372036854775807)', '(1, NULL, 1)')
    await expect(run(sum, rows)).rejects.toThrow('[ARITHMETIC_OVERFLOW]')
    await expect(duckdb.texts(nestedSql(planBatch(sum), () => rows).slice(1, -1))).rejects.toThrow('[ARITHMETIC_OVERFLOW]')
  })
  test('no rows: one group without keys, none with', async () => {
    const none = `(SELECT * FROM ${values('(1, NULL, 1)')} WHERE false)`
    expect(
      await run(
        plan.groupBy(source, [], [item('n', call('count')), item('s', call('sum', col('x'))), item('v', call('stddev', col('x')))]),
        none,
      ),
    ).toEqual([['0', null, null]])
    expect(await run(plan.groupBy(source, [item('k', col('k'))], [item('n', call('count'))]), none)).toEqual([])
  })
  test('complete mode sorted and cut', async () => {
    const top = plan.limit(
      plan.sort(plan.groupBy(source, [item('k', col('k'))], [item('n', call('count'))]), [
        { kind: 'sort', input: col('n'), descending: true, nullsFirst: false },
        col('k'),
      ]),
      2,
    )
    expect(await run(top, values('(1, NULL, 1)', '(2, NULL, 1)', '(2, NULL, 1)', '(NULL, NULL, 1)'))).toEqual([
      ['2', '2'],
      [null, '1'],
    ])
  })
})
