/** Window functions of a bounded table, as SQL's own. */
import { InvalidQueryError } from '../base/errors.ts'
import { isDayTime, isYearMonth } from '../data/intervals.ts'
import type { AggregateCall, Expression, FrameBound, RankingCall, WindowCall, WindowFrame } from '../plan/expression.ts'
import type { WindowFunctions } from '../plan/logical-plan.ts'
import { windowExpressions } from '../plan/user-calls.ts'
import { isRowId } from '../plan/window-names.ts'
import { batchAggregateSql } from './aggregate-sql.ts'
import { expressionSql, type SqlScope } from './expression-sql.ts'
import { canonicalNumber } from './group-sql.ts'
import { type Compilation, compileSelect, type Needed, orderSql, readBy } from './plan-sql.ts'
import { nest, type Select, type SelectColumn, scopeOf, settle } from './select-sql.ts'
import { sqlType } from './sql-text.ts'

export function windowFunctionsSql(plan: WindowFunctions, needed: Needed, c: Compilation): Select {
  const count = plan.input.schema.fields.length
  const calls = plan.calls.map((call, i) => (needed.has(count + i) ? call : undefined))
  const read = calls.flatMap((call) => (call ? windowExpressions(call) : []))
  const own = [...needed].filter((index) => index < count)
  let input = settle(compileSelect(plan.input, readBy(read, own), c), read, c.names)
  // a window without an order of its own goes by the order of the rows
  if (input.limit !== undefined || input.orderBy.length > 0) input = nest(input, c.names)
  const scope = scopeOf(input)
  const columns = calls.map((call): SelectColumn | undefined => call && { sql: windowSql(call, scope), plain: false })
  const kept = input.columns.map((column, i) => (needed.has(i) ? column : undefined))
  return nest({ ...input, orderBy: [], columns: [...kept, ...columns] }, c.names)
}

function windowSql(call: WindowCall, scope: SqlScope): string {
  const f = call.function
  const window = ` OVER (${[partitionSql(call, scope), orderingSql(call, scope), frameSql(call, scope)].filter((part) => part !== '').join(' ')})`
  const args = f.args.map((arg) => expressionSql(arg, scope))
  if (f.kind === 'ranking') return rankingSql(f, args, window)
  if (f.name === 'first' || f.name === 'last' || f.name === 'any_value') return pickSql(f, args, window)
  return batchAggregateSql(f, args, f.filter && expressionSql(f.filter, scope), window)
}

/** SQL has these as functions of windows, which take no FILTER. */
function pickSql({ name, args: given, filter }: AggregateCall, [x]: readonly string[], window: string): string {
  if (filter)
    throw new InvalidQueryError('NOT_SUPPORTED_YET', {
      what: `FILTER of ${name} over a window is not supported yet`,
      todo: `put the condition into the value: ${name}(CASE WHEN condition THEN x END) IGNORE NULLS OVER (…)`,
    })
  return `${name === 'last' ? 'last_value' : 'first_value'}(${x}${given.length > 1 ? ' IGNORE NULLS' : ''})${window}`
}

function partitionSql({ partitionBy }: WindowCall, scope: SqlScope): string {
  const keys = partitionBy.filter((key) => key.kind !== 'literal').map((key) => canonicalNumber(expressionSql(key, scope), key.type))
  return keys.length === 0 ? '' : `PARTITION BY ${keys.join(', ')}`
}
function orderingSql({ orderBy, frame }: WindowCall, scope: SqlScope): string {
  if (frame && isMovedByTime(frame)) {
    // intervals are numbers of microseconds, so times are too
    const [order] = orderBy
    const nulls = `${order!.descending ? 'DESC' : 'ASC'} NULLS ${order!.nullsFirst ? 'FIRST' : 'LAST'}`
    return `ORDER BY epoch_us(CAST(${expressionSql(order!.expression, scope)} AS TIMESTAMP)) ${nulls}`
  }
  // a constant orders nothing, but a window with it still is an ordered one: all rows are equal
  return orderBy.length === 0 ? '' : `ORDER BY ${orderBy.map((order) => orderSql(order, scope)).join(', ')}`
}

function isMovedByTime({ unit, start, end }: WindowFrame): boolean {
  const offsets = [start, end].flatMap((bound) => ('offset' in bound ? [bound.offset.type] : []))
  return unit === 'range' && offsets.some(isDayTime)
}

function frameSql({ frame }: WindowCall, scope: SqlScope): string {
  if (!frame) return ''
  const offsetSql = (offset: Expression) => {
    const sql = expressionSql(offset, scope)
    return isYearMonth(offset.type) ? `to_months(${sql})` : sql
  }
  const bound = (b: FrameBound<Expression>) =>
    'offset' in b ? `${offsetSql(b.offset)} ${b.kind.toUpperCase()}` : b.kind.replace('-', ' ').toUpperCase()
  return `${frame.unit.toUpperCase()} BETWEEN ${bound(frame.start)} AND ${bound(frame.end)}`
}

function rankingSql({ name, type, ignoreNulls }: RankingCall, args: readonly string[], window: string): string {
  if (isRowId(name)) return `row_number()${window} - 1`
  const sql = `${name}(${args.join(', ')}${ignoreNulls ? ' IGNORE NULLS' : ''})${window}`
  return name === 'lag' || name === 'lead' || name === 'nth_value' ? sql : `CAST(${sql} AS ${sqlType(type)})`
}
