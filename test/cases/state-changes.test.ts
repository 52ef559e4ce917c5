// Each kind of change that the state of aggregations, joins and deduplications follows, with 100,000 keys from before it, against the same rows as one batch.
// Partitions change at every start. RocksDB has a tenth of the keys unless MILLRACE_STATE_CHANGE_KEYS says how many.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { avg, coalesce, col, count, lit, max, min, sum, t, when } from 'millrace'
import { describe, expect, test } from 'vitest'
import { providerKey, providers } from '../oracle/property.ts'
import { expectSame, type Frame, type Query, query as queryOf, useDeployments } from './state-change-kit.ts'

const given = process.env['MILLRACE_STATE_CHANGE_KEYS']

describe.each(providers)('%s', (provider) => {
  const keys = given !== undefined ? Number(given) : provider === 'memory' ? 100_000 : 10_000
  const cells = (i: number) => ({ k: `key-${i}`, g: i % 11, v: i % 7 === 0 ? null : (i * 13) % 1000, f: i / 4, d: `${i % 90}.25` })
  // phase 1: every key once; phase 2: a sixth of them again, with more columns, and new ones; phase 3: a few
  const { place: newPlace } = useDeployments(() => ({
    1: Array.from({ length: keys }, (_, i) => ({ ...cells(i), phase: 1 })),
    2: Array.from({ length: keys / 5 }, (_, i) => ({
      ...cells(i * 6),
      ...(i % 3 > 0 && { region: i % 3 === 1 ? 'eu' : 'us' }),
      w: 3_000_000_000 + i,
      phase: 2,
    })),
    3: Array.from({ length: keys / 500 }, (_, i) => ({ ...cells(i * 700), region: 'us', w: 5, phase: 3 })),
  }))

  const place = () => newPlace({ [providerKey]: provider })
  const old = { k: t.string(), g: t.int(), v: t.int().nullable(), f: t.float(), d: t.decimal(10, 2), phase: t.int() }
  const wide = { ...old, v: t.long().nullable(), f: t.double(), d: t.decimal(18, 4), region: t.string().nullable(), w: t.long().nullable() }

  /** `before` over phase 1, then `after` over phase 2 (`again`: and, after a restart, phase 3); `oracle` is what one batch over all must give. */
  async function changes(before: Query, after: Query, oracle: (rows: Frame) => Frame, again = false) {
    const here = await place()
    await here.add(1)
    await here.run(before)
    await here.add(2)
    const told = await here.run(after)
    if (again) {
      await here.add(3)
      expect(await here.run(after)).toBe('') // the second start has nothing to migrate
    }
    const wanted = oracle(here.input(after.fields))
    await expectSame(here.result(wanted), wanted, keys)
    return { told, here }
  }
  const query = (of: Query['of'], fields: object = old, options: Query['options'] = {}): Query => queryOf(of, fields, options)
  const since = (column: Frame) => when(col('phase').gt(1), column)

  describe('aggregations', () => {
    const first = query((rows) => rows.groupBy('k').agg(({ v }: Frame) => ({ n: count(), total: sum(v) })))
    test('an aggregate more: of old keys it tells of the rows from then on, also where it could share an accumulator', async () => {
      const counted = query((rows) => rows.groupBy('k').agg(({ v }: Frame) => ({ n: count(v), total: sum(v) })))
      const more = query((rows) =>
        rows.groupBy('k').agg(({ v }: Frame) => ({ n: count(v), total: sum(v), mean: avg(v), least: min(v), rows: count() })),
      )
      const { told } = await changes(
        counted,
        more,
        (rows) =>
          rows.groupBy('k').agg(({ v }: Frame) => ({
            n: count(v),
            total: sum(v),
            mean: avg(since(v) as never),
            least: min(since(v) as never),
            rows: count(since(lit(1)) as never),
          })),
        true,
      )
      expect(told).toContain('mean = avg(v)')
    })
    test('an aggregate less, and the rest in another order and under other names', async () => {
      const three = query((rows) => rows.groupBy('k').agg(({ v, f }: Frame) => ({ n: count(), mean: avg(v), most: max(f) })))
      const two = query((rows) => rows.groupBy('k').agg(({ v, f }: Frame) => ({ largest: max(f), mean: avg(v) })))
      await changes(three, two, two.of)
    })
    test('wider types of what the aggregates read, and of the key', async () => {
      const all = (rows: Frame) =>
        rows
          .groupBy('k', 'v')
          .agg(({ v, f, d }: Frame) => ({ most: max(v), least: min(f), total: sum(d), top: max(d), sums: sum(v), mean: avg(f) }))
      const { told } = await changes(query(all), query(all, wide), all)
      expect(told).toContain('the key v')
    })
    test('a nullable key more, in front: old keys have null in it', async () => {
      const by = query((rows) => rows.groupBy('region', 'k').agg(({ v }: Frame) => ({ n: count(), total: sum(v) })), {
        ...old,
        region: wide.region,
      })
      const { told } = await changes(first, by, by.of)
      expect(told).toContain('new key region')
    })
    test('a key with a default', async () => {
      const of = (rows: Frame) =>
        rows
          .withColumn('region', ({ region }: Frame) => coalesce(region, lit('none')))
          .groupBy('k', 'region')
          .agg(({ v }: Frame) => ({ n: count(), total: sum(v) }))
      const by = query(of, { ...old, region: wide.region }, { stateDefaults: '{"region": "none"}' })
      await changes(first, by, of)
    })
    test('keys in another order, a new column of the input, and a rollback of the code', async () => {
      const one = (rows: Frame) => rows.groupBy('k', 'g').agg(({ v }: Frame) => ({ n: count(), total: sum(v) }))
      const other = (rows: Frame) => rows.groupBy('g', 'k').agg(({ v, w }: Frame) => ({ n: count(), total: sum(v), large: max(w) }))
      const { here } = await changes(query(one), query(other, { ...old, w: wide.w }), other)
      // back to the old code, with the migrated state
      await here.run(query(one))
      await here.add(1)
      const again = join(here.root, 'in', 'again.json')
      await writeFile(again, `${JSON.stringify({ ...cells(5), phase: 4 })}\n`)
      await here.run(query(one))
      const wanted = one(here.input(old))
      await expectSame(here.result(wanted), wanted, keys)
    })
  })

  describe('rows that are kept', () => {
    test('a join: stored rows of a wider type, with a column more', async () => {
      const here = await place()
      const left = (rows: Frame, more: boolean) =>
        rows.where(({ phase }: Frame) => phase.lt(3)).select('k', 'v', 'f', ...(more ? ['region'] : []))
      const right = (rows: Frame) =>
        rows.where(({ phase }: Frame) => phase.gt(1)).select(({ k, d, phase }: Frame) => ({ key: k, d, late: phase }))
      const of = (more: boolean) => (rows: Frame) => {
        const pairs = left(rows, more).join(right(rows), (l: Frame, r: Frame) => l.k.eq(r.key), 'inner')
        return pairs.select('k', 'v', 'f', ...(more ? ['region'] : []), 'd', 'late')
      }
      const [before, after] = [query(of(false)), query(of(true), { ...wide, d: old.d })]
      await here.add(1)
      await here.run({ ...before, mode: 'append' })
      await here.add(2)
      await here.run({ ...after, mode: 'append' })
      await here.add(3)
      await here.run({ ...after, mode: 'append' })
      const wanted = of(true)(here.input(after.fields))
      await expectSame(here.given(wanted, 2, 3), wanted, (keys / 10) * 3)
    })
    test('a deduplication by a nullable column more', async () => {
      const here = await place()
      const fields = { ...old, region: wide.region }
      await here.add(1)
      await here.run({ ...query((rows) => rows.dropDuplicates(['k']).select('k', 'phase')), mode: 'append' })
      await here.add(2)
      const of = (rows: Frame) => rows.dropDuplicates(['k', 'region']).select('k', 'region')
      await here.run({ ...query(of, fields), mode: 'append' })
      const wanted = of(here.input(fields)).exceptAll(
        here
          .input(fields)
          .where(({ phase }: Frame) => phase.eq(1))
          .select('k', 'region'),
      )
      await expectSame(here.given(wanted, 2), wanted, keys / 10)
    })
  })
})
