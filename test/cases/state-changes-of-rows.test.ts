// Changes of state that is more than aggregates: sessions, rows of joins, deduplications, and the variables of functions; with 100,000 old keys, with both
// providers, against one batch. And the way back: a copy of the checkpoint at the last batch of the old query starts the old code with everything.
// RocksDB runs with a tenth of the keys unless MILLRACE_STATE_CHANGE_KEYS says how many.
import { count, expr, max, sum, t } from 'millrace'
import { describe, expect, test } from 'vitest'
import { providerKey, providers } from '../oracle/property.ts'
import { accounts, columns, folded, newAccounts, visits } from './changed-processors.ts'
import { expectSame, type Frame, type Query, useDeployments } from './state-change-kit.ts'

const given = process.env['MILLRACE_STATE_CHANGE_KEYS']

describe.each(providers)('%s', (provider) => {
  const keys = given !== undefined ? Number(given) : provider === 'memory' ? 100_000 : 10_000
  const at = (second: number) => new Date(1_000_000_000_000 + second * 1000).toISOString()
  const { place: newPlace, engine } = useDeployments(() => ({
    // every key once, within twenty seconds
    1: Array.from({ length: keys }, (_, i) => ({
      id: i,
      k: `key-${i}`,
      at: at(i % 20),
      v: i % 7 === 0 ? null : i % 1000,
      f: i / 4,
      phase: 1,
    })),
    // a third of them again, and new ones, with more columns
    2: Array.from({ length: keys / 2 }, (_, i) => ({
      id: i * 3,
      k: `key-${i * 3}`,
      at: at(15 + (i % 20)),
      v: i % 2 === 0 ? 3_000_000_000 + i : i,
      f: i / 3,
      ...(i % 3 > 0 && { region: i % 3 === 1 ? 'eu' : 'us' }),
      w: i,
      phase: 2,
    })),
    // a fifth of the keys of phase 1 once more
    3: Array.from({ length: keys / 5 }, (_, n) => 5 * n).map((i) => ({
      id: i,
      k: `key-${i}`,
      at: at(30 + (i % 5)),
      v: 1,
      f: 0.5,
      region: 'us',
      w: 5,
      phase: 3,
    })),
    // one row that is much later than all: what waits comes out
    4: [{ id: -1, k: 'closing', at: at(100_000), v: 0, f: 0, phase: 4 }],
  }))
  const place = () => newPlace({ [providerKey]: provider })
  const old = { id: t.int(), k: t.string(), at: t.timestamp(), v: t.int().nullable(), f: t.float(), phase: t.int() }
  const wide = { ...old, id: t.long(), v: t.long().nullable(), f: t.double(), region: t.string().nullable(), w: t.long().nullable() }
  /** As the old code reads rows that came after the change. */
  const narrow = (query: Query): Query => ({ ...query, fields: { ...query.fields, v: t.long().nullable() } })

  test('sessions: a key, an aggregate and a column more, a wider type, and the old code on a copy', { timeout: 120_000 }, async () => {
    const sessions = (rows: Frame, ...by: string[]) =>
      rows
        .groupBy(expr("session_window(at, '12 seconds')").as('session'), ...by)
        .agg((rows: Frame) => ({ n: count(), total: sum(rows.v), ...(by.length > 1 && { most: max(rows.w) }) }))
        .selectExpr('session.start AS start', 'session.end AS end', ...by, 'n', 'total', ...(by.length > 1 ? ['most'] : []))
    const before: Query = { fields: { ...old, v: t.int().nullable() }, of: (rows) => sessions(groupable(rows), 'k') }
    const after: Query = { fields: wide, of: (rows) => sessions(groupable(rows), 'region', 'k') }
    const here = await place()
    await here.add(1)
    await here.run(before)
    await here.add(2)
    const told = await here.run(after)
    expect(told).toContain('new key region')
    expect(told).toContain('most = max(w)')
    await here.add(3)
    expect(await here.run(after)).toBe('')
    const wanted = after.of(here.input(wide))
    await expectSame(here.result(wanted), wanted, keys)
    // back
    await here.goBackTo(0)
    await here.run(narrow(before))
    const again = before.of(here.input(narrow(before).fields))
    await expectSame(here.result(again), again, keys)
  })
  /** Sessions group by an event time, also in complete mode, which drops nothing. */
  const groupable = (rows: Frame) => (rows.isStreaming ? rows.withWatermark('at', '1 hour') : rows)

  test('a deduplication within the watermark: a wider key and one more', { timeout: 120_000 }, async () => {
    const within =
      (...by: string[]) =>
      (rows: Frame) =>
        rows.isStreaming
          ? rows
              .withWatermark('at', '1 hour')
              .dropDuplicatesWithinWatermark(by)
              .select(...by)
          : rows.dropDuplicates(by).select(...by)
    const before: Query = { fields: old, of: within('id'), mode: 'append' }
    const after: Query = { fields: wide, of: within('id', 'region'), mode: 'append' }
    const here = await place()
    await here.add(1)
    await here.run(before)
    await here.add(2)
    const told = await here.run(after)
    expect(told).toContain('new key region')
    expect(told).toContain('the key id')
    await here.add(3)
    await here.run(after)
    // what phase 1 has let through stands for rows without a region
    const wanted = after.of(here.input(wide))
    const first = here.input(wide).where('phase = 1').selectExpr('id', 'CAST(NULL AS STRING) AS region')
    await expectSame(here.given(wanted, 2, 3).unionAll(first), wanted, keys)
    // the key can't become narrower again, and a copy from before it did has everything
    await expect(here.run(before)).rejects.toMatchObject({ code: 'STATE_STORE_KEY_SCHEMA_NOT_COMPATIBLE' })
    await here.goBackTo(0)
    await here.run(before)
    const again = before.of(here.input(old))
    const whole = here.given(again, 1, 5)
    await expectSame(whole, again, keys)
  })

  test('a left outer join: a column more with a default, and a wider type; old rows come out unmatched', { timeout: 120_000 }, async () => {
    const joined = (rows: Frame, more: boolean) => {
      const marked = rows.isStreaming ? rows.withWatermark('at', '10 seconds') : rows
      const region = more ? ["coalesce(region, 'none') AS region"] : []
      const left = marked.where('phase != 2').selectExpr('id', 'at', 'v', 'f', ...region)
      const right = marked.where('phase >= 2').selectExpr('id AS other', 'at AS otherAt', 'v AS otherV')
      const near = 'id = other AND otherAt BETWEEN at - INTERVAL 5 SECONDS AND at + INTERVAL 15 SECONDS'
      return left.join(right, () => expr(near), 'left').select('id', 'v', 'f', ...(more ? ['region'] : []), 'other', 'otherV')
    }
    const before: Query = { fields: old, of: (rows) => joined(rows, false), mode: 'append' }
    const after: Query = {
      fields: { ...wide, id: t.int() },
      of: (rows) => joined(rows, true),
      mode: 'append',
      options: { stateDefaults: '{"region": "none"}' },
    }
    const here = await place()
    await here.add(1)
    await here.run(before)
    await here.add(2)
    const told = await here.run(after)
    expect(told).toContain('stores a new column')
    expect(told).toContain('was int and is bigint')
    await here.add(4)
    await here.run(after)
    const wanted = after.of(here.input(after.fields)).where('id != -1')
    await expectSame(here.given(wanted, 2, 3).where('id != -1'), wanted, keys)
    await here.goBackTo(0)
    await here.run(narrow({ ...before, fields: { ...old, v: t.long().nullable() } }))
    const again = joined(here.input({ ...old, v: t.long().nullable() }), false).where('id != -1')
    await expectSame(here.given(again, 4).where('id != -1'), again, keys)
  })

  test('variables of a processor: fields more, less and wider in a value, a list and a map; one variable more', {
    timeout: 180_000,
  }, async () => {
    const grouped = (rows: Frame) => rows.select('k', 'v', 'phase').groupBy('k')
    const before: Query = {
      fields: old,
      of: (rows) => grouped(rows).transformWithState(accounts, { output: visits, outputMode: 'update' }),
      mode: 'update',
    }
    const after: Query = {
      fields: wide,
      of: (rows) => grouped(rows).transformWithState(newAccounts, { output: visits, outputMode: 'update' }),
      mode: 'update',
    }
    const here = await place()
    await here.add(1)
    await here.run(before)
    await here.add(2)
    const told = await here.run(after)
    expect(told).toContain('value.note')
    expect(told).toContain('no longer stores')
    await here.add(3)
    expect(await here.run(after)).toBe('')
    await expectSame(
      here.given(folded(here.input(wide), true), 3),
      folded(here.input(wide), true)
        .where('phase = 3')
        .select(...columns),
      keys / 5,
    )
    // and of all keys, those that nobody has called since too: what is in the state
    const state: Frame = await engine().read.format('statestore').option('stateVarName', 'totals').load(here.checkpoint())
    const all = folded(here.input(wide), true)
    await expectSame(
      state.selectExpr('key.k', 'value.n', 'value.total', "coalesce(value.note, 'none') AS note"),
      all.selectExpr('k', 'n', 'total', "CASE WHEN phase > 1 THEN k ELSE 'none' END AS note"),
      keys,
    )
    // what was widened is not narrowed; a copy starts the old code
    await expect(here.run(before)).rejects.toMatchObject({ code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE' })
    await here.goBackTo(0)
    const small: Query = {
      ...before,
      fields: { ...old, v: t.long().nullable() },
      of: (rows) => before.of(rows.withColumn('v', ({ v }: Frame) => v.mod(1000).cast('int'))),
    }
    await here.run(small)
    const rows = here.input(wide).withColumn('v', ({ v }: Frame) => v.mod(1000))
    await expectSame(
      here.given(folded(rows, false), 5).where('phase = 3'),
      folded(rows, false)
        .where('phase = 3')
        .select(...columns),
      keys / 5,
    )
  })
})
