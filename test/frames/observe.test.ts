import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  avg,
  count,
  count_distinct,
  first,
  lit,
  MemoryStream,
  max,
  Observation,
  rand,
  sum,
  t,
  timestamp_seconds,
  udf,
  window,
} from 'millrace'
import { describe, expect, test } from 'vitest'
import { useEngine } from '../cases/harness.ts'
import { code, ordered } from './rows.ts'

const engine = useEngine()
const sales = () =>
  engine().createDataFrame(
    [
      { shop: 'a', amount: 10 },
      { shop: 'a', amount: null },
      { shop: 'b', amount: 30 },
    ],
    {
      shop: t.string(),
      amount: t.int().nullable(),
    },
  )

describe('observe in a batch', () => {
  test('an Observation has the metrics after the first action', async () => {
    const seen = new Observation<{ n: 'long'; s: 'long' | null; m: 'string' }>('seen')
    const frame = sales().observe(seen, ({ amount, shop }) => ({ n: count(), s: sum(amount), m: max(shop) as never }))
    expect(await ordered(frame.where(({ shop }) => shop.eq('b')))).toEqual(['b 30'])
    expect(await seen.get()).toEqual({ n: 3n, s: 40n, m: 'b' })
    await frame.count()
    expect(await seen.get()).toEqual({ n: 3n, s: 40n, m: 'b' })
    expect(() => sales().observe(seen as Observation, () => ({ n: count() }))).toThrow(code('OBSERVATION_ALREADY_USED'))
  })
  test('no rows, nulls, several observes, a user function, and what stands below and above', async () => {
    const none = new Observation('none')
    const some = new Observation('some')
    const twice = udf((x: number | null) => (x === null ? null : 2 * x), t.int().nullable())
    const frame = sales()
      .where(({ amount }) => amount.gt(100))
      .observe(none, ({ amount }) => ({ n: count(), s: sum(amount), one: lit(1) }))
      .union(sales())
      .observe(some, ({ amount }) => ({ n: count(amount), s: sum(twice(amount)), f: first(amount) }))
      .groupBy('shop')
      .count()
    expect((await ordered(frame)).sort()).toEqual(['a 2', 'b 1'])
    expect(await none.get()).toEqual({ n: 0n, s: null, one: 1 })
    expect(await some.get()).toEqual({ n: 2n, s: 80n, f: 10 })
  })
  test('what stands below is computed once, though metrics and rows both read it', async () => {
    let calls = 0
    const counted = udf((x: number | null) => {
      calls++
      return x
    }, t.int().nullable())
    const seen = new Observation()
    const frame = sales()
      .select(({ amount }) => ({ x: counted(amount) }))
      .observe(seen, ({ x }) => ({ s: sum(x) }))
      .where(({ x }) => x.gt(10))
    expect(await ordered(frame)).toEqual(['30'])
    expect(await seen.get()).toEqual({ s: 40n })
    expect(calls).toBe(3)
    const random = new Observation()
    const rows = await sales()
      .select(() => ({ x: rand() }))
      .observe(random, ({ x }) => ({ top: max(x) }))
      .collect()
    expect(Math.max(...rows.map(({ x }) => x))).toBe((await random.get()).top)
  })
  test('what is no metric', () => {
    const wrong = (f: Parameters<ReturnType<typeof sales>['observe']>[1]) => () => sales().observe('m', f as never)
    expect(wrong((({ amount }: { amount: never }) => ({ x: amount })) as never)).toThrow(
      code('INVALID_OBSERVED_METRICS.NON_AGGREGATE_FUNC_ARG_IS_ATTRIBUTE'),
    )
    expect(() => sales().observe('m', ({ shop }) => ({ d: count_distinct(shop) }))).toThrow(
      code('INVALID_OBSERVED_METRICS.AGGREGATE_EXPRESSION_WITH_DISTINCT_UNSUPPORTED'),
    )
    expect(() => sales().observe('', () => ({ n: count() }))).toThrow(code('INVALID_OBSERVED_METRICS.MISSING_NAME'))
    expect(() => sales().observe('m')).toThrow(code('CANNOT_BE_EMPTY'))
    expect(() =>
      sales()
        .observe('m', () => ({ n: count() }))
        .observe('m', ({ amount }) => ({ n: max(amount) })),
    ).toThrow(code('DUPLICATED_METRICS_NAME'))
  })
  test('one name twice in a plan: the same metrics, or an error when it runs', async () => {
    const observed = sales().observe('m', () => ({ n: count() }))
    expect(await observed.union(observed).count()).toBe(6)
    const other = sales().observe('m', ({ amount }) => ({ n: avg(amount) }))
    await expect(observed.union(other).count()).rejects.toThrow(code('DUPLICATED_METRICS_NAME'))
  })
})

describe('observe in a stream', () => {
  test('metrics of each batch in its progress, with state above', async () => {
    const stream = new MemoryStream(engine(), { value: t.int().nullable() })
    const query = await stream
      .toDF()
      .observe('input', ({ value }) => ({ rows: count(), nulls: count().sub(count(value)), top: max(value) }))
      .withColumn('at', ({ value }) => timestamp_seconds(value))
      .withWatermark('at', '5 seconds')
      .groupBy(({ at }) => ({ w: window(at, '10 seconds') }))
      .agg(() => ({ n: count() }))
      .observe('windows', ({ n }) => ({ windows: count(), total: sum(n) }))
      .writeStream.outputMode('append')
      .queryName('observed')
      .format('memory')
      .start()
    stream.addData({ value: 1 }, { value: 12 }, { value: null })
    await query.processAllAvailable()
    stream.addData({ value: 40 })
    await query.processAllAvailable()
    await query.stop()
    const metrics = query.recentProgress.filter((progress) => !progress.isIdle).map((progress) => progress.observedMetrics)
    expect(metrics).toEqual([
      { input: { rows: 3n, nulls: 1n, top: 12 }, windows: { windows: 0n, total: null } },
      { input: { rows: 0n, nulls: 0n, top: null }, windows: { windows: 0n, total: null } },
      { input: { rows: 1n, nulls: 0n, top: 40 }, windows: { windows: 0n, total: null } },
      { input: { rows: 0n, nulls: 0n, top: null }, windows: { windows: 2n, total: 2n } },
    ])
  })
  test('a batch that is done again counts its rows once', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-observe-'))
    const stream = new MemoryStream(engine(), { value: t.int() })
    const frame = stream.toDF().observe('m', ({ value }) => ({ n: count(), s: sum(value) }))
    let failing = true
    const start = () =>
      frame.writeStream
        .foreachBatch(async (rows) => {
          await rows.count()
          if (failing) throw new Error('once')
        })
        .option('checkpointLocation', folder)
        .trigger({ availableNow: true })
        .start()
    stream.addData({ value: 1 }, { value: 2 })
    const failed = await start()
    await expect(failed.awaitTermination()).rejects.toThrow('once')
    failing = false
    const query = await start()
    await query.awaitTermination()
    const [replayed] = query.recentProgress
    expect(replayed).toMatchObject({ batchId: 0, isReplay: true, observedMetrics: { m: { n: 2n, s: 3n } } })
    await rm(folder, { recursive: true })
  })
  test('an Observation is for batches', () => {
    const stream = new MemoryStream(engine(), { value: t.int() })
    expect(() => stream.toDF().observe(new Observation(), () => ({ n: count() }))).toThrow(code('UNSUPPORTED_STREAMING_OPERATION'))
  })
})
