// A processor and what it becomes: a field less, fields more, wider types, a variable more. Both give, for each call, all that they know of the key.
import { expr, type ListState, type MapState, t, type ValueState } from 'millrace'

interface Row {
  readonly v: number | bigint | null
  readonly phase: number
}
export const visits = {
  k: t.string(),
  phase: t.int(),
  n: t.long(),
  total: t.long(),
  list: t.string(),
  map: t.string(),
  fresh: t.int().nullable(),
}
/** The columns of `visits`. */
export const columns = Object.keys(visits)
const parity = (v: number | bigint | null) => (v === null ? 0 : Number(v) % 2)
const text = (list: readonly { readonly v: unknown }[]) => list.map(({ v }) => (v === null ? '-' : String(v))).join()
const entriesText = (entries: Iterable<readonly [unknown, { readonly c: unknown }]>) =>
  [...entries]
    .map(([key, { c }]) => `${String(key)}:${String(c)}`)
    .sort()
    .join()
const newest = (rows: readonly Row[]) => Math.max(...rows.map(({ phase }) => phase))

export function accounts() {
  const value = { n: t.int(), total: t.int(), gone: t.string() }
  const element = { v: t.int().nullable(), tag: t.string() }
  let totals: ValueState<{ n: number; total: number; gone: string }>
  let seen: ListState<{ v: number | null; tag: string }>
  let counts: MapState<number, { c: number }>
  return {
    init(handle: any) {
      totals = handle.getValueState('totals', value)
      seen = handle.getListState('seen', element)
      counts = handle.getMapState('counts', t.int(), { c: t.int() })
    },
    handleInputRows({ k }: { k: string }, rows: readonly Row[]) {
      const before = totals.get()
      const total = rows.reduce((sum, { v }) => sum + Number(v ?? 0), before?.total ?? 0)
      totals.update({ n: (before?.n ?? 0) + rows.length, total, gone: k })
      for (const { v } of rows) {
        seen.appendValue({ v: v as number | null, tag: 'old' })
        counts.updateValue(parity(v), { c: (counts.getValue(parity(v))?.c ?? 0) + 1 })
      }
      const { n } = totals.get()!
      return [{ k, phase: newest(rows), n, total, list: text(seen.get()), map: entriesText(counts.iterator()), fresh: null }]
    },
  }
}

export function newAccounts() {
  let totals: ValueState<{ total: bigint; n: bigint; note: string | null }, { total: bigint; n: bigint; note: string | null }>
  let seen: ListState<{ since: string | null; v: bigint | null }>
  let counts: MapState<bigint, { c: bigint; note: string | null }>
  let fresh: ValueState<number>
  return {
    init(handle: any) {
      counts = handle.getMapState('counts', t.long(), { c: t.long(), note: t.string().nullable() })
      fresh = handle.getValueState('fresh', t.int())
      totals = handle.getValueState('totals', { total: t.long(), n: t.long(), note: t.string().nullable() })
      seen = handle.getListState('seen', { since: t.string().nullable(), v: t.long().nullable() })
    },
    async handleInputRows({ k }: { k: string }, rows: readonly Row[]) {
      const before = totals.get()
      // of old keys the field begins as null
      if (before !== null && fresh.get() === null && before.note !== null) throw new Error(`${k} has the note ${before.note}`)
      const total = rows.reduce((sum, { v }) => sum + BigInt(v ?? 0), before?.total ?? 0n)
      totals.update({ n: (before?.n ?? 0n) + BigInt(rows.length), total, note: k })
      for (const { v } of rows) {
        seen.appendValue({ v: v as bigint | null, since: 'new' })
        const entry = BigInt(parity(v))
        counts.updateValue(entry, { c: (counts.getValue(entry)?.c ?? 0n) + 1n, note: 'new' })
      }
      fresh.update((fresh.get() ?? 0) + rows.length)
      const map = entriesText(counts.iterator())
      return [{ k, phase: newest(rows), n: totals.get()!.n, total, list: text(seen.get()), map, fresh: fresh.get() }]
    },
  }
}

/** What the processor's last call for each key gives, as one batch: `isNew` for the newer one, which began with phase 2. */
export function folded(rows: any, isNew: boolean): any {
  const each = rows.selectExpr('k', 'phase', 'v', 'coalesce(v, 0) % 2 AS parity', "coalesce(CAST(v AS STRING), '-') AS word")
  const per = each
    .groupBy('k')
    .agg(
      expr('max(phase)').as('phase'),
      expr('count(*)').as('n'),
      expr('CAST(coalesce(sum(v), 0) AS LONG)').as('total'),
      expr('array_sort(collect_list(struct(phase, word)))').as('words'),
      expr('count_if(parity = 0)').as('even'),
      expr('count_if(parity = 1)').as('odd'),
      expr('CAST(count_if(phase > 1) AS INT)').as('fresh'),
    )
  return per.selectExpr(
    'k',
    'phase',
    'n',
    'total',
    "array_join(transform(words, x -> x.word), ',') AS list",
    "concat_ws(',', CASE WHEN even > 0 THEN concat('0:', even) END, CASE WHEN odd > 0 THEN concat('1:', odd) END) AS map",
    isNew ? 'fresh' : 'CAST(NULL AS INT) AS fresh',
  )
}
