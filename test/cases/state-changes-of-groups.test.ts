// Changes of the state that mapGroupsWithState and flatMapGroupsWithState keep, with 100,000 old keys, with both providers, against one batch; and the way back.
// RocksDB runs with a tenth of the keys unless MILLRACE_STATE_CHANGE_KEYS says how many.
import { coalesce, count, type GroupState, lit, max, min, sum, t, when } from 'millrace'
import { describe, expect, test } from 'vitest'
import { providerKey, providers } from '../oracle/property.ts'
import { expectSame, type Frame, type Query, useDeployments } from './state-change-kit.ts'

const given = process.env['MILLRACE_STATE_CHANGE_KEYS']

interface Key {
  readonly k: string
}
interface Row {
  readonly v: number | bigint | null
  readonly at: { readonly epochMilliseconds: number | bigint }
}
const output = { k: t.string(), n: t.long(), total: t.long(), note: t.string() }
const stateBefore = { n: t.int(), total: t.int(), gone: t.string() }
/** A field less, one more, another order, wider types. */
const stateAfter = { total: t.long(), note: t.string().nullable(), n: t.long() }
type Before = { n: number; total: number; gone: string }
type After = { total: bigint; note: string | null; n: bigint }

function countBefore({ k }: Key, rows: readonly Row[], state: GroupState<Before>) {
  const before = state.getOption()
  const total = rows.reduce((sum, { v }) => sum + Number(v ?? 0), before?.total ?? 0)
  const next = { n: (before?.n ?? 0) + rows.length, total, gone: k }
  state.update(next)
  return { k, n: next.n, total: next.total, note: 'none' }
}
async function countAfter({ k }: Key, rows: readonly Row[], state: GroupState<After, After>) {
  const before = state.getOption()
  const total = rows.reduce((sum, { v }) => sum + BigInt(v ?? 0), before?.total ?? 0n)
  const next = { total, note: k, n: (before?.n ?? 0n) + BigInt(rows.length) }
  state.update(next)
  return { k, n: next.n, total: next.total, note: before === undefined ? 'new' : (before.note ?? 'none') }
}
const shown = ({ k }: Key, { n, total, note }: Omit<After, 'note'> & { readonly note?: string | null }) => ({
  k,
  n,
  total,
  note: note ?? 'none',
})
/** When the key is silent for a minute of event time, all that is known of it comes out. */
const later = (rows: readonly Row[]) => Math.max(...rows.map(({ at }) => Number(at.epochMilliseconds))) + 60_000
function timedBefore(key: Key, rows: readonly Row[], state: GroupState<Before>) {
  if (state.hasTimedOut) {
    const { n, total } = state.get()
    state.remove()
    return [shown(key, { n: BigInt(n), total: BigInt(total) })]
  }
  countBefore(key, rows, state)
  state.setTimeoutTimestamp(later(rows))
  return []
}
async function timedAfter(key: Key, rows: readonly Row[], state: GroupState<After, After>) {
  if (state.hasTimedOut) {
    const last = state.get()
    state.remove()
    return [shown(key, last)]
  }
  await countAfter(key, rows, state)
  state.setTimeoutTimestamp(later(rows))
  return []
}

describe.each(providers)('%s', (provider) => {
  const keys = given !== undefined ? Number(given) : provider === 'memory' ? 100_000 : 10_000
  const at = (second: number) => new Date(1_000_000_000_000 + second * 1000).toISOString()
  const { place: newPlace, engine } = useDeployments(() => ({
    // every key once
    1: Array.from({ length: keys }, (_, i) => ({ k: `key-${i}`, at: at(i % 20), v: i % 7 === 0 ? null : i % 1000, phase: 1 })),
    // a third of them again, and new ones, with larger numbers
    2: Array.from({ length: keys / 2 }, (_, i) => ({ k: `key-${i * 3}`, at: at(15 + (i % 20)), v: 3_000_000_000 + i, phase: 2 })),
    // a fifth of the keys of phase 1
    3: Array.from({ length: keys / 5 }, (_, i) => ({ k: `key-${5 * i}`, at: at(30 + (i % 5)), v: 1, phase: 3 })),
    // much later than all: what waits comes out
    4: [{ k: 'closing', at: at(100_000), v: 0, phase: 4 }],
  }))
  const place = () => newPlace({ [providerKey]: provider })
  const old = { k: t.string(), at: t.timestamp(), v: t.int().nullable(), phase: t.int() }
  const wide = { ...old, v: t.long().nullable() }
  /** As the old code reads rows that came after the change. */
  const small = (rows: Frame) => rows.withColumn('v', ({ v }: Frame) => v.mod(1000).cast('int'))
  const narrow = (query: Query): Query => ({ ...query, fields: wide, of: (rows) => query.of(small(rows)) })
  /** What is known of each key at the end: the note stands where the new code has seen the key. */
  const folded = (rows: Frame, since = 2) =>
    rows
      .groupBy('k')
      .agg(({ v, phase }: Frame) => ({ n: count(), total: sum(coalesce(v, lit(0n))), newest: max(phase) }))
      .selectExpr('k', 'n', 'total', `CASE WHEN newest >= ${since} THEN k ELSE 'none' END AS note`, 'newest')

  test('mapGroupsWithState: a field less, one more, wider ones, in another order', { timeout: 180_000 }, async () => {
    const grouped = (rows: Frame) => rows.groupBy('k')
    const before: Query = {
      fields: old,
      mode: 'update',
      of: (rows) => grouped(rows).mapGroupsWithState(countBefore, { state: stateBefore, output }),
    }
    const after: Query = {
      fields: wide,
      mode: 'update',
      of: (rows) => grouped(rows).mapGroupsWithState(countAfter, { state: stateAfter, output }),
    }
    const here = await place()
    await here.add(1)
    await here.run(before)
    await here.add(2)
    const told = await here.run(after)
    for (const text of ['no longer stores state.gone', 'was int and is bigint', 'state.note string']) expect(told).toContain(text)
    await here.add(3)
    expect(await here.run(after)).toBe('')
    const all = folded(here.input(wide))
    // a call tells of the note as it found it: null in the state of old keys, which are seen for the first time
    const called = here
      .input(wide)
      .groupBy('k')
      .agg(({ phase }: Frame) => ({ last: max(phase), first: min(phase), between: max(when(phase.eq(2), lit(1))) }))
      .where('last = 3')
      .selectExpr('k', "CASE WHEN between = 1 THEN k WHEN first = 1 THEN 'none' ELSE 'new' END AS said")
    const wanted = all.join(called, 'k').selectExpr('k', 'n', 'total', 'said AS note')
    await expectSame(here.given(wanted, 3), wanted, keys / 5)
    // and of all keys, those that nobody has called since too: what is in the state
    const state: Frame = await engine().read.format('statestore').load(here.checkpoint())
    const kept = state.selectExpr(
      'key.k',
      'value.groupState.n AS n',
      'value.groupState.total AS total',
      "coalesce(value.groupState.note, 'none') AS note",
    )
    await expectSame(kept, all.select('k', 'n', 'total', 'note'), keys)
    // what was widened is not narrowed; a copy from before the change starts the old code with everything
    await expect(here.run(before)).rejects.toMatchObject({ code: 'STATE_STORE_VALUE_SCHEMA_NOT_COMPATIBLE' })
    await here.goBackTo(0)
    await here.run(narrow(before))
    const again = folded(small(here.input(wide)), 9)
      .where('newest > 1')
      .select('k', 'n', 'total', 'note')
    await expectSame(here.given(again, 5), again, keys / 5)
  })

  test('flatMapGroupsWithState: timeouts that were set before the change come after it', { timeout: 180_000 }, async () => {
    const timed = (f: unknown, state: object) => (rows: Frame) =>
      rows
        .withWatermark('at', '1 hour')
        .groupBy('k')
        .flatMapGroupsWithState(f, { state, output, outputMode: 'append', timeout: 'EventTimeTimeout' })
    const before: Query = { fields: old, mode: 'append', of: timed(timedBefore, stateBefore) }
    const after: Query = { fields: wide, mode: 'append', of: timed(timedAfter, stateAfter) }
    const here = await place()
    await here.add(1)
    await here.run(before)
    await here.add(2)
    const told = await here.run(after)
    for (const text of ['no longer stores state.gone', 'was int and is bigint', 'state.note string']) expect(told).toContain(text)
    await here.add(3)
    expect(await here.run(after)).toBe('')
    await here.add(4)
    await here.run(after)
    const wanted = folded(here.input(wide)).where("k != 'closing'").select('k', 'n', 'total', 'note')
    await expectSame(here.given(wanted, 4), wanted, keys)
    await here.goBackTo(0)
    await here.run(narrow(before))
    const again = folded(small(here.input(wide)), 9)
      .where("k != 'closing'")
      .select('k', 'n', 'total', 'note')
    await expectSame(here.given(again, 5), again, keys)
  })
})
