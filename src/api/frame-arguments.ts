/** What methods of frames may be given: what pairs rows in a join and its kinds, seeds, sets of keys. */
import { InvalidQueryError } from '../base/errors.ts'
import { systemRandom } from '../base/random.ts'
import type { JoinOn } from '../plan/analyze.ts'
import { bindUserFunctions, type NamedUserFunctions } from '../plan/bind-user-functions.ts'
import type { UnresolvedExpression } from '../plan/expression.ts'
import type { JoinType, LogicalPlan } from '../plan/logical-plan.ts'
import { sameName } from '../plan/resolve.ts'
import { Column, columnExpression, columnsOf, expressionOf } from './column.ts'

type Callback = (columns: Record<string, Column>, other?: Record<string, Column>) => unknown

export function boundOn(on: JoinOn, functions: NamedUserFunctions): JoinOn {
  return on !== null && 'condition' in on ? { condition: bindUserFunctions(on.condition, functions) } : on
}

export function joinOn(left: LogicalPlan, right: LogicalPlan, on: unknown): JoinOn {
  if (typeof on === 'string') return { using: [on] }
  if (Array.isArray(on) && on.every((name) => typeof name === 'string')) return { using: on }
  if (on instanceof Column) return { condition: expressionOf(on) }
  if (Array.isArray(on) && on.length > 0 && on.every((part) => part instanceof Column))
    return { condition: on.map(expressionOf).reduce((a, b): UnresolvedExpression => ({ kind: 'call', name: 'and', args: [a, b] })) }
  if (typeof on === 'function')
    return {
      condition: columnExpression(
        'the condition of join',
        (on as Callback)(columnsOf(left.schema, 'left'), columnsOf(right.schema, 'right')),
      ),
    }
  throw new InvalidQueryError('MISSING_JOIN_CONDITION', {
    what: 'join was given no columns and no condition',
    todo: "write join(other, 'id'), join(other, ['a', 'b']) or join(other, (l, r) => l.a.eq(r.b)); for every pair of rows use crossJoin",
  })
}

const joinTypes: Readonly<Record<string, JoinType>> = {
  inner: 'inner',
  cross: 'cross',
  left: 'left',
  leftouter: 'left',
  right: 'right',
  rightouter: 'right',
  full: 'full',
  outer: 'full',
  fullouter: 'full',
  semi: 'semi',
  leftsemi: 'semi',
  anti: 'anti',
  leftanti: 'anti',
}
export function joinType(how: string): JoinType {
  const type = joinTypes[String(how).toLowerCase().replaceAll('_', '')]
  if (type) return type
  throw new InvalidQueryError('UNSUPPORTED_JOIN_TYPE', {
    what: `there is no join of the kind ${JSON.stringify(how)}`,
    todo: `use one of ${['inner', 'left', 'right', 'full', 'semi', 'anti'].join(', ')}`,
  })
}

/** What a sample without a seed gets: another one each time. */
export function seedOf(seed: unknown): bigint {
  if (seed === undefined || seed === null) return new DataView(systemRandom.bytes(8).buffer).getBigInt64(0)
  if (typeof seed === 'bigint' || Number.isSafeInteger(seed)) return BigInt(seed as number | bigint)
  throw new InvalidQueryError('INVALID_PARAMETER_VALUE.SEED', {
    what: `the seed ${String(seed)} is no integer`,
    todo: 'give an integer, or none',
  })
}

/** The sets of groupingSets as numbers of its keys. */
export function keySets(sets: unknown, keys: readonly unknown[]): number[][] {
  const given = Array.isArray(sets) && sets.every(Array.isArray) ? (sets as unknown[][]) : undefined
  if (given === undefined || given.length === 0)
    throw new InvalidQueryError('INVALID_GROUPING_SETS', {
      what: 'groupingSets needs a list of lists of keys, and then all keys',
      todo: "write groupingSets([['a', 'b'], ['a'], []], 'a', 'b')",
    })
  return given.map((set) =>
    set.map((key) => {
      const index = keys.findIndex(
        (candidate) => candidate === key || (typeof key === 'string' && typeof candidate === 'string' && sameName(candidate, key)),
      )
      if (index >= 0) return index
      throw new InvalidQueryError('GROUPING_COLUMN_MISMATCH', {
        what: `the grouping set (${set.map(String).join(', ')}) has ${String(key)}, which is not among the keys (${keys.map(String).join(', ')})`,
        todo: 'name all keys behind the sets',
      })
    }),
  )
}
