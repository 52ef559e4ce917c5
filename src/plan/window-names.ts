/** The functions that mean something over a window only. */
import { typeMismatch } from './analysis-errors.ts'
import { castTo, commonTypeOf } from './coercion.ts'
import type { Expression, RankingCall, UnresolvedExpression, UnresolvedFrame } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { literal } from './functions/row.ts'
import { argumentAs } from './signatures.ts'

interface Ranking {
  readonly arity: readonly [number, number]
  readonly needsOrder: boolean
  /** Which frame may be written: the one up to this row, any, or none. */
  readonly frame: 'running' | 'any' | 'own'
  readonly resolve: (name: string, args: readonly Expression[], ignoreNulls: boolean) => RankingCall
}

function number(type: 'int' | 'double', arity: readonly [number, number] = [0, 0]): Ranking {
  const resolve: Ranking['resolve'] = (name, args) => ({
    kind: 'ranking',
    name,
    args: args.map((arg, i) => positive(name, argumentAs(name, arg, i, 'int'))),
    type,
    nullable: false,
    ignoreNulls: false,
  })
  return { arity, needsOrder: true, frame: type === 'int' || arity[1] > 0 ? 'running' : 'own', resolve }
}
function positive(name: string, e: Expression): Expression {
  if (e.kind === 'literal' && typeof e.value === 'number' && e.value > 0) return e
  throw typeMismatch(
    e.kind === 'literal' ? 'VALUE_OUT_OF_RANGE' : 'NON_FOLDABLE_INPUT',
    `the argument of ${name} must be a whole number of at least 1, but is "${expressionText(e)}"`,
    'give a constant',
  )
}

/** lag and lead: the value so many rows before or behind, else the default. */
const neighbour: Ranking = {
  arity: [1, 3],
  needsOrder: true,
  frame: 'own',
  resolve(name, [value, by, otherwise], ignoreNulls) {
    const offset = by === undefined ? literal(1, 'int') : argumentAs(name, by, 1, 'int')
    const type = (otherwise && otherwise.type !== 'void' && commonTypeOf([value!.type, otherwise.type])) || value!.type
    const fallback = otherwise === undefined ? literal(null, type) : castTo(otherwise, type)
    return {
      kind: 'ranking',
      name,
      args: [castTo(value!, type), offset, fallback],
      type,
      nullable: value!.nullable || fallback.nullable,
      ignoreNulls,
    }
  },
}
const nth: Ranking = {
  arity: [2, 2],
  needsOrder: true,
  frame: 'any',
  resolve: (name, [value, at], ignoreNulls) => ({
    kind: 'ranking',
    name,
    args: [value!, positive(name, argumentAs(name, at!, 1, 'int'))],
    type: value!.type,
    nullable: true,
    ignoreNulls,
  }),
}

export const ranking: Readonly<Record<string, Ranking>> = {
  row_number: number('int'),
  rank: number('int'),
  dense_rank: number('int'),
  ntile: {
    ...number('int', [0, 1]),
    resolve: (name, args, nulls) => number('int').resolve(name, args.length === 0 ? [literal(1, 'int')] : args, nulls),
  },
  percent_rank: { ...number('double'), frame: 'running' },
  cume_dist: number('double'),
  lag: neighbour,
  lead: neighbour,
  nth_value: nth,
}
export const rowIdName = 'monotonically_increasing_id'
export function isRowId(name: string): boolean {
  return name.toLowerCase() === rowIdName
}
export function isRanking(name: string): boolean {
  return Object.hasOwn(ranking, name.toLowerCase())
}

/** The frame as Spark names it in a column's name: what is written, or what stands for it. */
export function frameText(
  name: string,
  args: readonly UnresolvedExpression[],
  ordered: boolean,
  frame: UnresolvedFrame | undefined,
  text: (e: UnresolvedExpression) => string,
): string {
  if (frame) {
    const bound = (b: UnresolvedFrame['start']) =>
      'offset' in b ? `${text(b.offset)} ${b.kind.toUpperCase()}` : b.kind.replace('-', ' ').toUpperCase()
    return `${frame.unit.toUpperCase()} BETWEEN ${bound(frame.start)} AND ${bound(frame.end)}`
  }
  if (name === 'lag' || name === 'lead') {
    const by = args[1] === undefined ? '1' : text(args[1])
    const offset = name === 'lag' ? `-${by}` : by
    return `ROWS BETWEEN ${offset} FOLLOWING AND ${offset} FOLLOWING`
  }
  if (name === 'cume_dist') return 'RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW'
  if (isRanking(name) && name !== 'nth_value') return 'ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW'
  return ordered ? 'RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW' : 'ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING'
}
