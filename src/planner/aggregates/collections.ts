/** Aggregates that keep values: lists, sets, joined text, counted values. */
import type { DataType } from '../../data/types.ts'
import { canonicalNumber } from '../group-sql.ts'
import { orderingSql } from '../ordering-sql.ts'
import { bind, literalSql, raise, sqlType, stringLiteral } from '../sql-text.ts'
import { type AggregateInput, type AggregateSql, arrayOf, asDouble, constant, isGiven, one } from './row.ts'

/** The values that are not null, in order of arrival (in batches: in the order in which threads finish). */
const listed = (a: AggregateInput, x = a.x) => a.over(`list(${a.distinct}${x})`, isGiven(a.x))
const orEmpty = (sql: string, type: DataType) => `coalesce(${sql}, CAST([] AS ${sqlType(type)}))`

export const collectList: AggregateSql = {
  batch: (a) => orEmpty(listed(a), a.call.type),
  lower: (a) => one({ type: arrayOf(a.type), nullable: true, merge: 'concat', partial: listed(a) }, ([l]) => orEmpty(l!, a.call.type)),
}
const distinctly = (a: AggregateInput) => a.over(`list(DISTINCT ${canonicalNumber(a.x, a.type)})`, isGiven(a.x))
export const collectSet: AggregateSql = {
  batch: (a) => orEmpty(distinctly(a), a.call.type),
  lower: (a) => one({ type: arrayOf(a.type), nullable: true, merge: 'union', partial: distinctly(a) }, ([l]) => orEmpty(l!, a.call.type)),
}

/** listagg and string_agg: what is kept is the list, so that nothing is joined twice; in an order, with what it is ordered by. */
export const listagg: AggregateSql = {
  batch(a) {
    const [first, ...more] = ordersOf(a)
    if (first === undefined) return joined(listed(a), a)
    if (a.call.distinct) {
      // what a distinct value is ordered by is the value itself, as a text or before it became one
      const pairs = a.over(`list(DISTINCT struct_pack(o := ${orderingSql(first.sql, first.type)}, v := ${a.x}))`, isGiven(a.x))
      return joined(`list_transform(list_sort(${pairs}, '${first.direction.split(' ')[0]}'), lambda e: e.v)`, a)
    }
    const order = [first, ...more].map(({ direction, sql, type }) => `${orderingSql(sql, type)} ${direction}`)
    return joined(a.over(`list(${a.x} ORDER BY ${order.join(', ')})`, isGiven(a.x)), a)
  },
  lower(a) {
    const orders = ordersOf(a)
    if (orders.length === 0)
      return one({ type: arrayOf(a.type), nullable: true, merge: 'concat', partial: listed(a) }, ([l]) => joined(l!, a))
    const fields = [{ name: 'v', type: a.type, nullable: false }, ...orders.map(({ type }, i) => ({ name: `o${i}`, type, nullable: true }))]
    const entry = `struct_pack(v := ${a.x}${orders.map(({ sql }, i) => `, o${i} := ${sql}`).join('')})`
    const order = orders.map(({ direction, type }, i) => `${orderingSql(`u.e.o${i}`, type)} ${direction}`)
    const sorted = (l: string) =>
      `(SELECT list(u.e.v ORDER BY ${order.join(', ')}, u.i) FROM (SELECT unnest(${l}) AS e, generate_subscripts(${l}, 1) AS i) AS u)`
    return one(
      { type: arrayOf({ kind: 'struct', fields }), nullable: true, merge: 'concat', partial: a.over(`list(${entry})`, isGiven(a.x)) },
      ([l]) => joined(sorted(l!), a),
    )
  },
}
function ordersOf(a: AggregateInput) {
  const orders: { readonly direction: string; readonly sql: string; readonly type: DataType }[] = []
  for (let i = 2; i < a.args.length; i += 2)
    orders.push({ direction: constant(a, i) as string, sql: a.args[i + 1]!, type: a.call.args[i + 1]!.type })
  return orders
}
function joined(list: string, a: AggregateInput): string {
  const by = constant(a, 1) ?? (a.call.type === 'binary' ? new Uint8Array(0) : '')
  if (a.call.type === 'string') return `array_to_string(${list}, ${stringLiteral(by as string)})`
  return `list_reduce(${list}, lambda a, b: a || ${literalSql(by, 'binary')} || b)`
}

// ---- counted values: percentile, median, mode

/** array<struct<v, n, c>>, `c` being the count of all up to the value where the entries are in order. */
function countedType(value: DataType): DataType {
  const fields = [
    { name: 'v', type: value, nullable: false },
    { name: 'n', type: 'long' as const, nullable: false },
    { name: 'c', type: 'long' as const, nullable: false },
  ]
  return arrayOf({ kind: 'struct', fields })
}
const counted = (entries: string) =>
  `list_transform(map_entries(${entries}), lambda e: struct_pack(v := e.key, n := CAST(e.value AS BIGINT), c := CAST(0 AS BIGINT)))`

const negativeFrequency = raise(
  'NEGATIVE_VALUES_IN_FREQUENCY_EXPRESSION',
  'Found a negative value in the frequency of percentile, but expected a positive integral value.',
)

/** The value at position (n - 1) * p of the ordered values, between two of them in proportion; `at` gives the one of a rank from 0. */
function interpolate(n: string, p: number, at: (rank: string) => string): string {
  const position = `((${n} - 1) * ${literalSql(p, 'double')})`
  const [low, high] = [at(`floor(${position})`), at(`ceil(${position})`)]
  return `CASE WHEN floor(${position}) = ceil(${position}) OR ${low} = ${high} THEN ${low} ELSE (ceil(${position}) - ${position}) * ${low} + (${position} - floor(${position})) * ${high} END`
}
/** One value for each p, or the one value. */
function perPercentage(a: AggregateInput, value: (p: number) => string, given: string): string {
  const wanted = percentagesOf(a)
  const type = a.call.type
  const isList = typeof type !== 'string' && type.kind === 'array'
  return `CASE WHEN ${given} THEN ${isList ? `[${wanted.map(value).join(', ')}]` : value(wanted[0]!)} END`
}
/** The constants of the second argument. */
export function percentagesOf(a: AggregateInput): number[] {
  const arg = a.call.args[1]!
  const items = arg.kind === 'call' && arg.name === 'array' ? arg.args : [arg]
  return items.map((item) => (item.kind === 'literal' ? Number(item.value) : Number.NaN))
}
export const perPercent = perPercentage

type AtRank = (rank: string) => string
/** From the count of the values, a percentage, and what gives the value of a rank from 0. */
type OfOrdered = (n: string, p: number, at: AtRank) => string

/** percentile(x, p, frequency): exact. */
export const percentile = ofOrdered(() => interpolate)

/** The first value at or behind the share p of all, from below or from above (a third argument): one of them, never between two. */
export const percentileDisc = ofOrdered((a) => (n, p, at) => {
  const rank = `greatest(ceil(${n} * ${literalSql(p, 'double')}), 1)`
  return at(constant(a, 2) === true ? `(${n} - ${rank})` : `(${rank} - 1)`)
})

function ofOrdered(choose: (a: AggregateInput) => OfOrdered): AggregateSql {
  return {
    batch(a) {
      const x = asDouble(a.x, a.type)
      const f = a.call.name === 'percentile' ? a.args[2] : undefined
      const rows =
        f === undefined
          ? a.over(`list(${a.distinct}${x})`, isGiven(a.x))
          : `flatten(${a.over(`list(CASE WHEN ${f} < 0 THEN ${negativeFrequency} ELSE list_transform(range(${f}), lambda i: ${x}) END)`, `${isGiven(a.x)} AND ${isGiven(f)}`)})`
      return bind(
        `list_sort(${rows})`,
        'l',
        perPercentage(a, (p) => choose(a)('len(l)', p, (rank) => `l[CAST(${rank} AS BIGINT) + 1]`), 'len(l) > 0'),
      )
    },
    lower(a) {
      const x = asDouble(a.x, a.type)
      const f = a.call.name === 'percentile' ? a.args[2] : undefined
      const partial =
        f === undefined
          ? a.over(`histogram(${x})`)
          : a.over(
              `list(struct_pack(v := ${x}, n := CASE WHEN ${f} < 0 THEN ${negativeFrequency} ELSE CAST(${f} AS BIGINT) END, c := CAST(0 AS BIGINT)))`,
              `${isGiven(a.x)} AND ${f} <> 0`,
            )
      return one(
        { type: countedType('double'), nullable: true, merge: 'counts', partial, ...(f === undefined && { settle: counted }) },
        ([e]) =>
          perPercentage(a, (p) => choose(a)(`${e}[-1].c`, p, (rank) => `list_filter(${e}, lambda i: i.c > ${rank})[1].v`), `len(${e}) > 0`),
      )
    },
  }
}

/** The most frequent value; of several the least, or with a second argument the greatest. */
export const mode: AggregateSql = {
  batch: (a) => mostFrequent(counted(a.over(`histogram(${canonicalNumber(a.x, a.type)})`)), a),
  lower: (a) =>
    one(
      {
        type: countedType(a.type),
        nullable: true,
        merge: 'counts',
        partial: a.over(`histogram(${canonicalNumber(a.x, a.type)})`),
        settle: counted,
      },
      ([e]) => mostFrequent(e!, a),
    ),
}
function mostFrequent(entries: string, a: AggregateInput): string {
  const order = orderingSql('v', a.type)
  const pick = constant(a, 1) === true ? 'list_max' : 'list_min'
  return bind(
    bind(entries, 'e', 'struct_pack(e := e, n := list_max(list_transform(e, lambda i: i.n)))'),
    'm',
    bind(
      'list_transform(list_filter(m.e, lambda i: i.n = m.n), lambda i: i.v)',
      'l',
      order === 'v' ? `${pick}(l)` : `${pick}(list_transform(l, lambda v: struct_pack(o := ${order}, v := v))).v`,
    ),
  )
}
