/** The pairs of a join of two streams as SQL: in one SELECT, and as two where the condition may have no value for some of them. */
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import type { Expression } from '../plan/expression.ts'
import { childrenOf, isDeterministic, safeCalls } from '../plan/expression-tree.ts'
import { type JoinKey, sideOf } from '../plan/join-keys.ts'
import type { Join } from '../plan/logical-plan.ts'
import { expressionSql, type SqlScope } from './expression-sql.ts'
import type { RowsApart } from './streaming-plan.ts'

/** One side of a join: its rows have the stored columns, and unless the join is inner a number behind them. */
export interface PairSide {
  readonly step: { readonly columns: number; readonly rowsSchema: Schema }
  readonly keys: readonly StoredColumn[]
  /** A column of the side's input by its number. */
  readonly column: (index: number) => StoredColumn
  /** The columns that the join gives, over the rows of that name. */
  readonly values: (rows: string) => string[]
}
/** A column, or a key's expression, as it lies in the rows of a side: a window is two columns, its start and its end. */
export interface StoredColumn {
  readonly at: number
  readonly parts: readonly unknown[]
  /** The value over the rows of that name. */
  readonly value: (rows: string) => string
}
export interface Pairs {
  readonly plan: Join
  readonly keys: readonly JoinKey[]
  /** The parts of the condition that are no keys. */
  readonly others: readonly Expression[]
  readonly left: PairSide
  readonly right: PairSide
  /** How many numbers of rows stand behind the columns of a pair: of the left, of both sides, or none. */
  readonly numbers: number
}

/** The rows of ⟦0⟧ (left) with those of ⟦1⟧ that belong to them, and behind them, unless the join is inner, their numbers. */
export function pairsSql(pairs: Pairs): string {
  const { plan } = pairs
  const both = conditions(pairs).map((part) => conditionSql(part, pairs))
  return `SELECT ${listOf(shown(pairs))} FROM ⟦0⟧ AS t0 ${plan.how === 'semi' ? 'SEMI JOIN' : 'JOIN'} ⟦1⟧ AS t1 ON ${[...equalities(pairs), ...both].join(' AND ')}`
}

/** Null where no pair can fail. */
export function pairsApart(pairs: Pairs, place: string): RowsApart | null {
  const parts = conditions(pairs)
  const hard = parts.filter((part) => !isSafe(part))
  if (hard.length === 0) return null
  const { left, right, plan } = pairs
  // what may be another value at every look (rand) is looked at once for each pair: the pair that fails is the one that is found
  const drawn = hard.flatMap(drawnIn)
  const sides = [
    { side: left, rows: 't0', name: 'left' },
    { side: right, rows: 't1', name: 'right' },
  ] as const
  // what reads a side's columns over t0 or t1 reads them out of a struct of that name
  const columns = sides.flatMap(({ side, rows, name }) => {
    const { columns: width, rowsSchema } = side.step
    const fields = rowsSchema.fields.slice(0, pairs.numbers > 0 ? width + 1 : width)
    return fields.map((field, i) => ({
      rows,
      at: i,
      field: i < width ? { ...field, name: `${name}.${field.name}` } : { ...field, name: '' },
    }))
  })
  const structs = sides.map(({ rows }) => {
    const own = columns.flatMap((column, i) => (column.rows === rows ? [`c${column.at} := p.c${i}`] : []))
    return `struct_pack(${own.join(', ')}) AS ${rows}`
  })
  const values = drawn.map((_, i) => `p.c${columns.length + i} AS d${i}`)
  const split = `(SELECT ${[...structs, ...values].join(', ')} FROM ⟦0⟧ AS p) AS pairs`
  const once = plan.how === 'semi' ? `DISTINCT ON (${numberOf(left, 't0')}) ` : ''
  const formOf = (first: readonly Expression[]) => {
    const value = (e: Expression) => (drawn.includes(e) ? `pairs.d${drawn.indexOf(e)}` : undefined)
    const rest = parts.filter((part) => !first.includes(part)).map((part) => conditionSql(part, pairs, value))
    const on = [...equalities(pairs), ...first.map((part) => conditionSql(part, pairs))]
    return {
      allSql: `SELECT ${listOf([...columns.map(({ rows, at }) => `${rows}.c${at}`), ...drawn.map((e) => conditionSql(e, pairs))])} FROM ⟦0⟧ AS t0 JOIN ⟦1⟧ AS t1 ON ${on.join(' AND ')}`,
      restSql: `SELECT ${once}${listOf(shown(pairs))} FROM ${split} WHERE ${rest.join(' AND ')}`,
    }
  }
  const easy = parts.filter((part) => isSafe(part, true))
  const schema = new Schema([
    ...columns.map(({ field }): Field => field),
    ...drawn.map(({ type, nullable }): Field => ({ name: '', type, nullable })),
  ])
  // a time moved by an interval fails only at the end of all times: with it there are far fewer pairs
  const forms = [formOf(easy), formOf(parts.filter((part) => isSafe(part)))]
  return { place, schema, forms: easy.length === parts.length ? forms.slice(1) : forms }
}

/** Calls that may give another value each time, and never fail. */
function drawnIn(e: Expression): Expression[] {
  const isDrawn = e.kind === 'call' && !e.deterministic && e.name !== 'raise_error' && e.args.every((arg) => isSafe(arg))
  return isDrawn ? [e] : childrenOf(e).flatMap(drawnIn)
}

/** Whether the expression has a value, or null, whatever the rows hold. `moved`: times moved by an interval count as such. */
function isSafe(e: Expression, moved = false): boolean {
  switch (e.kind) {
    case 'literal':
    case 'column':
      return true
    case 'field':
      return isSafe(e.input, moved)
    case 'call':
      return (safeCalls.has(e.name) || (moved && isMovedTime(e))) && e.args.every((arg) => isSafe(arg, moved))
    default:
      return false
  }
}
function isMovedTime({ name, type, args }: Extract<Expression, { kind: 'call' }>): boolean {
  const isTime = type === 'timestamp' || type === 'timestamp_ntz'
  return isTime && (name === '+' || name === '-') && args.some(({ kind }) => kind === 'literal')
}

/** The parts of the condition that read both sides; those of one side are judged before. */
function conditions({ plan, others }: Pairs): Expression[] {
  const leftCount = plan.left.schema.fields.length
  return others.filter((part) => sideOf(part, leftCount) === undefined || !isDeterministic(part))
}
function conditionSql(part: Expression, { plan, left, right }: Pairs, known: SqlScope['known'] = () => undefined): string {
  const leftCount = plan.left.schema.fields.length
  return expressionSql(part, {
    known,
    column: (index) => (index < leftCount ? left.column(index).value('t0') : right.column(index - leftCount).value('t1')),
  })
}
function equalities({ keys, left, right }: Pairs): string[] {
  return keys.flatMap(({ nullSafe }, i) =>
    left.keys[i]!.parts.map(
      (_, part) => `t0.c${left.keys[i]!.at + part} ${nullSafe ? 'IS NOT DISTINCT FROM' : '='} t1.c${right.keys[i]!.at + part}`,
    ),
  )
}
/** What a pair gives. */
function shown({ plan, left, right, numbers }: Pairs): string[] {
  return [
    ...left.values('t0'),
    ...(plan.how === 'semi' ? [] : right.values('t1')),
    ...[numberOf(left, 't0'), numberOf(right, 't1')].slice(0, numbers),
  ]
}
function numberOf(side: PairSide, rows: string): string {
  return `${rows}.c${side.step.columns}`
}
function listOf(list: readonly string[]): string {
  return list.map((sql, i) => `${sql} AS c${i}`).join(', ')
}
