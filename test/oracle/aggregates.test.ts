// Every aggregate: a stream, cut anywhere and restarted anywhere, ends with what one batch over all rows gives.
import fc from 'fast-check'
import * as api from 'millrace'
import { addData, processAllAvailable, type StreamAction, type StreamTest, testStream } from 'millrace/testing'
import { describe, expect, test } from 'vitest'
import { Column, expressionOf } from '../../src/api/column.ts'
import { functionFamilies } from '../../src/plan/functions.ts'
import { useEngine } from '../cases/harness.ts'
import { confOf, holds, providers, type Restart, restarts, restartWith, timeout } from './property.ts'

const { t, col, count, MemoryStream } = api
const fields = {
  k: t.string(),
  i: t.int().nullable(),
  l: t.long().nullable(),
  x: t.double().nullable(),
  y: t.double().nullable(),
  d: t.decimal(38, 3).nullable(),
  n: t.decimal(9, 2).nullable(),
  s: t.string().nullable(),
  b: t.boolean().nullable(),
  w: t.binary().nullable(),
  at: t.timestamp().nullable(),
  on: t.date().nullable(),
  a: t.array(t.int().nullable()).nullable(),
  r: t.struct({ p: t.string().nullable(), q: t.long() }).nullable(),
}
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null, freq: 6 })
const small = fc.integer({ min: -5, max: 5 })
const row = fc.record({
  k: fc.constantFrom('a', 'b', 'c'),
  i: orNull(small),
  l: orNull(fc.bigInt({ min: -(2n ** 60n), max: 2n ** 60n })),
  x: orNull(fc.oneof({ weight: 30, arbitrary: fc.integer({ min: -400, max: 400 }).map((v) => v / 8) }, fc.constantFrom(-0, 1000.25))),
  y: orNull(fc.integer({ min: -100, max: 100 }).map((v) => v / 4)),
  // the average of wider ones has too many digits
  d: orNull(fc.bigInt({ min: -(10n ** 33n), max: 10n ** 33n }).map((v) => new api.Decimal(v, 3))),
  n: orNull(fc.bigInt({ min: -999_999_999n, max: 999_999_999n }).map((v) => new api.Decimal(v, 2))),
  s: orNull(fc.constantFrom('', 'x', 'ü', 'long text of more than twelve bytes', '0')),
  b: orNull(fc.boolean()),
  w: orNull(fc.uint8Array({ maxLength: 3 })),
  at: orNull(fc.integer({ min: -1_000_000, max: 1_000_000 }).map((ms) => new Date(ms))),
  on: orNull(fc.integer({ min: -3, max: 3 }).map((days) => new Date(days * 86_400_000))),
  a: orNull(fc.array(orNull(small), { maxLength: 2 })),
  r: orNull(fc.record({ p: orNull(fc.constantFrom('p', 'q')), q: fc.bigInt({ min: 0n, max: 3n }) })),
})
type Row = typeof row extends fc.Arbitrary<infer T> ? T : never
const feed = fc.array(fc.record({ rows: fc.array(row, { maxLength: 9 }), restart: restarts() }), { minLength: 1, maxLength: 6 })
type Feed = typeof feed extends fc.Arbitrary<infer T> ? T : never

type Any = any
const call = api as Any
const [i, l, x, y, d, n, s, b, w, at, on, a, r] = ['i', 'l', 'x', 'y', 'd', 'n', 's', 'b', 'w', 'at', 'on', 'a', 'r'].map((name) =>
  col(name),
) as Any[]

/** What must be the same; doubles to 1e-9. */
const exact: Readonly<Record<string, Any>> = {
  count: count(),
  count_i: count(i),
  count_if: call.count_if(b),
  sum_i: call.sum(i),
  sum_x: call.sum(x),
  sum_n: call.sum(n),
  sum_d: call.sum(d),
  try_sum_l: call.try_sum(l),
  try_sum_d: call.try_sum(d),
  try_sum_n: call.try_sum(n),
  try_sum_x: call.try_sum(x),
  avg_i: call.avg(i),
  avg_n: call.avg(n),
  avg_d: call.avg(d),
  try_avg_d: call.try_avg(d),
  try_avg_i: call.try_avg(i),
  product: call.product(y.cast('double')),
  bit_and: call.bit_and(l),
  bit_or: call.bit_or(i),
  bit_xor: call.bit_xor(l),
  bool_and: call.bool_and(b),
  bool_or: call.bool_or(b),
  min_s: call.min(s),
  max_d: call.max(d),
  min_at: call.min(at),
  max_w: call.max(w),
  max_x: call.max(x),
  min_a: call.min(a),
  max_r: call.max(r),
  min_by: call.min_by(call.struct(s, x), call.struct(l, s, x)),
  max_by: call.max_by(call.struct(i, a), call.struct(l, i, a)),
  stddev_samp: call.stddev_samp(x),
  stddev_pop: call.stddev_pop(x),
  var_samp: call.var_samp(x),
  var_pop: call.var_pop(x),
  skewness: call.skewness(x),
  kurtosis: call.kurtosis(x),
  covar_pop: call.covar_pop(x, y),
  covar_samp: call.covar_samp(x, y),
  regr_count: call.regr_count(y, x),
  regr_avgx: call.regr_avgx(y, x),
  regr_avgy: call.regr_avgy(y, x),
  regr_sxx: call.regr_sxx(y, x),
  regr_syy: call.regr_syy(y, x),
  regr_sxy: call.regr_sxy(y, x),
  regr_slope: call.regr_slope(y, x),
  regr_intercept: call.regr_intercept(y, x),
  regr_r2: call.regr_r2(y, x),
  percentile: call.percentile(x, [0, 0.25, 0.5, 0.99, 1]),
  percentile_f: call.percentile(x, 0.4, call.when(i.gt(0), i).otherwise(null)),
  median: call.median(i),
  mode_i: call.mode(i),
  mode_s: call.mode(s),
  mode_r: call.mode(r),
  approx_x: call.approx_count_distinct(x),
  approx_d: call.approx_count_distinct(d, 0.2),
  approx_a: call.approx_count_distinct(a, 0.39),
  percentile_approx: call.percentile_approx(i, [0, 0.3, 0.5, 1]),
  percentile_approx_at: call.percentile_approx(at, 0.4, 100),
  percentile_approx_on: call.percentile_approx(on, 0.6),
  percentile_approx_n: call.percentile_approx(n, 0.6),
  // as many bins as there can be values: nothing is joined
  histogram: call.histogram_numeric(i, 11),
  // of the first two nothing but the size is asked, of the third the set as well
  size_set: call.size(call.collect_set(l)),
  size_list: call.array_size(call.collect_list(at)).plus(call.size(call.collect_set(at))),
  size_shared: call.size(call.collect_set(x)),
}
/** Lists in any order. */
const unordered: Readonly<Record<string, Any>> = {
  list_i: call.collect_list(i),
  list_s: call.collect_list(s),
  list_r: call.collect_list(r),
  set_x: call.collect_set(x),
  set_s: call.collect_set(s),
  set_on: call.collect_set(on),
  set_w: call.collect_set(w),
  set_d: call.collect_set(d),
  set_a: call.collect_set(a),
  joined: call.split(call.listagg(s, '|'), '\\|'),
}
/** One of the group's values, and by which column. */
const picked: Readonly<Record<string, readonly [Any, string, boolean]>> = {
  first: [call.first(i), 'i', false],
  first_s: [call.first(s, true), 's', true],
  last: [call.last(l), 'l', false],
  last_b: [call.last(b, true), 'b', true],
  any: [call.any_value(i, true), 'i', true],
}
const aggregates = { ...exact, ...unordered, ...Object.fromEntries(Object.entries(picked).map(([name, [e]]) => [name, e])) }

test('every aggregate of the function table is here', () => {
  // corr fails where a column does not vary, as Spark's does; it has a test of its own
  const named = new Set(['corr'])
  const visit = (e: Any) => {
    if (e?.kind === 'call') named.add(e.name === 'median' ? 'percentile' : e.name)
    for (const arg of e?.args ?? []) visit(arg)
  }
  for (const e of Object.values(aggregates)) visit(expressionOf(e))
  const missing = functionFamilies['aggregates']!.map((one) => one.name).filter((name) => !named.has(name) && name !== 'median')
  expect(missing).toEqual([])
})

const text = (value: unknown) =>
  JSON.stringify(value, (_key, v: unknown) =>
    typeof v === 'bigint' ? `${v}n` : v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v,
  )
/** What differs between the rows of two results, by key. */
function differences(actual: readonly Record<string, unknown>[], expected: readonly Record<string, unknown>[]): string[] {
  const byKey = new Map(actual.map((one) => [one['k'], one]))
  const lengths = actual.length === expected.length ? [] : [`${actual.length} rows, expected ${expected.length}`]
  return lengths.concat(
    expected.flatMap((want) =>
      Object.entries(want)
        .filter(([name]) => !(name in picked))
        .map(([name, value]) => [name, byKey.get(want['k'])?.[name], value] as const)
        .filter(([name, have, value]) => (name in unordered ? bag(have) !== bag(value) : !isClose(have, value)))
        .map(([name, have, value]) => `${text(want['k'])}.${name}: ${text(have)}, expected ${text(value)}`),
    ),
  )
}
const bag = (value: unknown) => text([...((value as unknown[] | null | undefined) ?? [])].map(text).sort())
function isClose(a: unknown, b: unknown): boolean {
  if (typeof a === 'number' && typeof b === 'number')
    return Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b))
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, at) => isClose(item, b[at]))
  return text(a) === text(b)
}
function checkPicks(rows: readonly Record<string, unknown>[], all: readonly Row[], isPart: boolean): void {
  for (const one of rows) {
    for (const [name, [, column, ignoresNulls]] of Object.entries(picked)) {
      // a session's key begins with that of its rows
      const group = all.filter(({ k }) => !('k' in one) || String(one['k']).startsWith(k)).map((each) => each[column as 'i'])
      // where a group is only a part of its key's rows they may all be null
      const known = group.filter((value) => value !== null)
      const values = ignoresNulls && known.length > 0 && !isPart ? known : [...group, ...(isPart ? [null] : [])]
      expect(values.length === 0 ? [null] : values).toContainEqual(one[name])
    }
  }
}

function actionsOf(input: Any, blocks: readonly { rows: readonly Row[]; restart: Restart | null }[]): StreamAction[] {
  return blocks.flatMap(({ rows, restart }) => [addData(input, ...(rows as Any)), processAllAvailable(), ...restartWith(restart)])
}
function finally_(check: (test: StreamTest) => Promise<void>): StreamAction {
  return {
    name: 'compare with the batch',
    run: async (test) => {
      await test.settle()
      await check(test)
    },
  }
}
const newest = (rows: readonly Record<string, unknown>[]) => [...new Map(rows.map((one) => [one['k'], one])).values()]

describe.each(providers)('%s', (provider) => {
  const engine = useEngine({ conf: confOf(provider) })

  describe.each([
    ['by key', ['k'], {}],
    ['by key with FILTER', ['k'], { filter: true }],
    ['by session and key', [call.session_window(at, '90 seconds').as('session'), 'k'], { sessions: true }],
    ['of all rows', [], {}],
  ] as const)('%s', (_name, keys, { filter, sessions }: { filter?: boolean; sessions?: boolean }) => {
    const frameOf = (frame: Any) => {
      const grouped = frame
        .groupBy(...keys)
        .agg(() =>
          Object.fromEntries(
            Object.entries(aggregates).map(([name, e]) => [name, filter && !(name in picked) && isAggregate(e) ? withFilter(e) : e]),
          ),
        )
      if (!sessions) return grouped
      const session = 'concat(k, CAST(session.start AS STRING), CAST(session.end AS STRING)) AS k'
      return grouped.selectExpr(session, ...Object.keys(aggregates))
    }
    const modes = sessions ? (['complete'] as const) : (['update', 'complete'] as const)
    test.each(modes)('%s', { timeout }, async (outputMode) => {
      const check = async (blocks: Feed) => {
        const all = blocks.flatMap(({ rows }) => rows)
        if (keys.length === 0 && all.length === 0) return
        const expected = await frameOf(engine().createDataFrame(all as Any, fields)).collect()
        const input = new MemoryStream(engine(), fields as Any)
        await testStream(frameOf(input.toDF()), { outputMode }, [
          ...actionsOf(input, blocks),
          finally_(async (test) => {
            const rows = outputMode === 'update' ? newest(test.sink.allRows) : test.sink.lastBatch
            expect(differences(rows, expected)).toEqual([])
            checkPicks(rows, all, sessions === true)
          }),
        ])
      }
      // each of them goes through all aggregates
      await holds(feed, check, filter ? 2 : 3, { share: 1 / 3, asFound: true })
    })
  })
})

/** Not an expression over one. */
const isAggregate = (e: Any) => functionFamilies['aggregates']!.some((one) => one.name === (expressionOf(e) as Any).name)

/** The aggregate over rows with b; `i > 0` has nulls, which don't count. */
function withFilter(e: Any): Any {
  return new Column({ ...expressionOf(e), filter: expressionOf(i.gt(0)) } as Any)
}
