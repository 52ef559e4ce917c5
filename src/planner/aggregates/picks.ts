/** Aggregates that give one of the values: min, max, first, last, min_by, max_by, and and or. */
import type { DataType } from '../../data/types.ts'
import { fieldSql } from '../cast-sql.ts'
import { orderingSql } from '../ordering-sql.ts'
import { type Accumulator, type AggregateInput, type AggregateSql, isGiven, type LoweredAggregate, noDistinct, one } from './row.ts'

export function extreme(name: 'min' | 'max'): AggregateSql {
  const value = (a: AggregateInput) => {
    const order = orderingSql(a.x, a.type)
    return a.over(order === a.x ? `${name}(${a.x})` : `arg_${name}(${a.x}, ${order})`)
  }
  return { batch: value, lower: (a) => one({ type: a.type, nullable: true, merge: name, partial: value(a) }) }
}
export function every(name: 'bool_and' | 'bool_or'): AggregateSql {
  return {
    batch: (a) => a.over(`${name}(${a.x})`),
    lower: (a) => one({ type: 'boolean', nullable: true, merge: name === 'bool_and' ? 'min' : 'max', partial: a.over(`${name}(${a.x})`) }),
  }
}

/** first(x, true) passes over nulls. */
function ignoresNulls({ call }: AggregateInput): boolean {
  const flag = call.args[1]
  return flag?.kind === 'literal' && flag.value === true
}

export function pick(name: 'first' | 'last'): AggregateSql {
  return {
    batch: (a) => (ignoresNulls(a) ? a.over(`${name}(${a.x})`, isGiven(a.x)) : a.over(`${name}(${a.x})`)),
    lower: (a) => lowerPick(a, name),
  }
}

/**
 * first and last of a value that can be null take two columns: null is neutral in a merge, so the value alone would pass over nulls.
 * `missing` says whether the row that was picked had none; no row has a null for it, so it is always that row's. If it is false, the value is that row's too.
 * A batch may have no row at all for a FILTER, or for an aggregation without keys; `missing` is null then.
 */
function lowerPick(a: AggregateInput, merge: 'first' | 'last'): LoweredAggregate {
  const { x, type, call } = a
  if (ignoresNulls(a)) return one({ type, nullable: true, merge, partial: a.over(`${merge}(${x})`, isGiven(x)) })
  const value: Accumulator = { suffix: '', type, nullable: true, merge, partial: a.over(`${merge}(${x})`) }
  if (!call.args[0]!.nullable) return { accumulators: [value], final: ([v]) => v! }
  return {
    accumulators: [
      { ...value, suffix: 'value' },
      { suffix: 'missing', type: 'boolean', nullable: true, merge, partial: a.over(`${merge}(${x} IS NULL)`) },
    ],
    final: ([v, missing]) => `CASE WHEN NOT ${missing} THEN ${v} END`,
  }
}

/** min_by(v, o) and max_by(v, o): `v` of the row with the least or greatest `o`; rows without an `o` don't count. */
export function pickBy(name: 'min_by' | 'max_by'): AggregateSql {
  const pair = (a: AggregateInput) => {
    const [v, o] = a.args as [string, string]
    const order = orderingSql(o, a.call.args[1]!.type)
    return a.over(`${name === 'min_by' ? 'arg_min' : 'arg_max'}(struct_pack(o := ${o}, v := ${v}), ${order})`, isGiven(o))
  }
  return {
    batch(a) {
      noDistinct(a)
      return fieldSql(pair(a), 'v')
    },
    lower(a) {
      const [v, o] = a.call.args
      const type: DataType = {
        kind: 'struct',
        fields: [
          { name: 'o', type: o!.type, nullable: false },
          { name: 'v', type: v!.type, nullable: true },
        ],
      }
      return one({ type, nullable: true, merge: name === 'min_by' ? 'least_by' : 'greatest_by', partial: pair(a) }, ([p]) =>
        fieldSql(p!, 'v'),
      )
    },
  }
}
