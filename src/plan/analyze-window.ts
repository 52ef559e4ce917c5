/** Window functions: `f(…) OVER (PARTITION BY … ORDER BY … frame)` becomes a column of a WindowFunctions node below the select list that it stands in. */
import { InvalidQueryError } from '../base/errors.ts'
import { isDayTime, isInterval } from '../data/intervals.ts'
import { Schema } from '../data/schema.ts'
import { quoteType, typeMismatch } from './analysis-errors.ts'
import { castTo, commonTypeOf, isIntegral, isNumeric, isOrderable, isTimestamp } from './coercion.ts'
import type {
  AggregateCall,
  Expression,
  FrameBound,
  RankingCall,
  SortOrder,
  UnresolvedExpression,
  UnresolvedFrame,
  UnresolvedOver,
  WindowCall,
  WindowFrame,
} from './expression.ts'
import { expressionText, hasAggregate } from './expression-tree.ts'
import { findFunction, literal } from './functions.ts'
import type { LogicalPlan, WindowFunctions } from './logical-plan.ts'
import { resolveExpression, type Scope, unresolvedText } from './resolve.ts'
import { checkCount } from './signatures.ts'
import { mapUnresolved, someUnresolved } from './unresolved-tree.ts'
import { isRanking, isRowId, ranking, rowIdName } from './window-names.ts'

type UnresolvedCall = Extract<UnresolvedExpression, { kind: 'call' }>

/** A select list whose window functions are columns of `input`. */
export interface WithWindows {
  readonly input: LogicalPlan
  readonly items: readonly UnresolvedExpression[]
}

/** Computes the window functions of a select list below it. */
export function extractWindows(input: LogicalPlan, items: readonly UnresolvedExpression[]): WithWindows {
  if (!items.some(hasOver)) return { input, items }
  const { fields } = input.schema
  const calls: WindowCall[] = []
  const replace = (e: UnresolvedExpression): UnresolvedExpression => {
    if (!isOver(e)) return mapUnresolved(e, replace)
    const call = e.kind === 'over' ? resolveOver(e, { fields }) : rowId(e)
    const index = fields.length + calls.push(call) - 1
    return {
      kind: 'resolved',
      expression: { kind: 'column', name: call.name, index, type: call.type, nullable: call.nullable },
      text: unresolvedText(e),
    }
  }
  const replaced = items.map(replace)
  const schema = new Schema([...fields, ...calls.map(({ name, type, nullable }) => ({ name, type, nullable }))])
  const node: WindowFunctions = { kind: 'window-functions', input, calls, schema }
  return { input: node, items: replaced }
}
export function hasOver(e: UnresolvedExpression): boolean {
  return someUnresolved(e, isOver)
}
function isOver(e: UnresolvedExpression): e is UnresolvedOver | UnresolvedCall {
  return e.kind === 'over' || (e.kind === 'call' && isRowId(e.name))
}

/** monotonically_increasing_id(): the number of the row, as of one partition. */
function rowId({ name, args }: UnresolvedCall): WindowCall {
  checkCount(name, args.length, 0, 0)
  const call: RankingCall = { kind: 'ranking', name: rowIdName, args: [], type: 'long', nullable: false, ignoreNulls: false }
  return { name: `${rowIdName}()`, function: call, partitionBy: [], orderBy: [], type: 'long', nullable: false }
}

function resolveOver(e: UnresolvedOver, scope: Scope): WindowCall {
  if (e.window !== undefined)
    throw new InvalidQueryError('MISSING_WINDOW_SPECIFICATION', {
      what: `window specification is not defined in the WINDOW clause for \`${e.window}\``,
      todo: 'define it: WINDOW name AS (PARTITION BY … ORDER BY …)',
    })
  const parts = [e.call, ...e.partitionBy, ...e.orderBy]
  if (parts.some(hasOver))
    throw new InvalidQueryError('NESTED_WINDOW_FUNCTION', {
      what: `"${unresolvedText(e)}" has a window function inside a window function`,
      todo: 'compute the inner one in a select of its own first',
    })
  const partitionBy = e.partitionBy.map((key) => comparable(resolveExpression(key, scope), 'partition'))
  const orderBy = e.orderBy.map((key) => sortOrder(key, scope))
  const call = functionOf(e, scope)
  const order = call.kind === 'ranking' && ranking[call.name]!.needsOrder
  if (order && orderBy.length === 0)
    throw new InvalidQueryError('WINDOW_FUNCTION_WITHOUT_ORDER', {
      what: `the window function ${call.name} requires its window to be ordered`,
      todo: `add an order: ${call.name}(…) OVER (PARTITION BY … ORDER BY …)`,
    })
  const frame = e.frame === undefined ? undefined : frameOf(e, e.frame, call, orderBy, scope)
  return {
    name: unresolvedText(e),
    function: call,
    partitionBy,
    orderBy,
    type: call.type,
    nullable: call.nullable,
    ...(frame && { frame }),
  }
}

function functionOf({ call }: UnresolvedOver, scope: Scope): AggregateCall | RankingCall {
  if (call.kind === 'call' && isRanking(call.name)) {
    const name = call.name.toLowerCase()
    const { arity, resolve } = ranking[name]!
    checkCount(name, call.args.length, ...arity)
    const args = call.args.map((arg) => resolveExpression(arg, scope))
    return resolve(name, args, call.ignoreNulls === true)
  }
  if (call.kind === 'call' && call.distinct && findFunction(call.name)?.kind === 'aggregate')
    throw new InvalidQueryError('DISTINCT_WINDOW_FUNCTION_UNSUPPORTED', {
      what: `distinct window functions are not supported: ${unresolvedText(call)}`,
      todo: 'take the distinct rows first, or use size(collect_set(x)) OVER (…)',
    })
  const resolved = resolveExpression(call, scope)
  if (resolved.kind === 'aggregate' && !resolved.args.some(hasAggregate)) return resolved
  throw new InvalidQueryError('UNSUPPORTED_EXPR_FOR_WINDOW', {
    what: `expression "${unresolvedText(call)}" not supported within a window function`,
    todo: 'only aggregates and functions such as row_number, rank, lag and lead can stand before OVER',
  })
}

function comparable(e: Expression, what: string): Expression {
  if (isOrderable(e.type)) return e
  throw typeMismatch(
    'INVALID_ORDERING_TYPE',
    `a window can't ${what} by "${expressionText(e)}" of type ${quoteType(e.type)}`,
    'use a part of it',
  )
}
function sortOrder(e: UnresolvedExpression, scope: Scope): SortOrder {
  const { input, descending, nullsFirst } = e.kind === 'sort' ? e : { input: e, descending: false, nullsFirst: true }
  return { expression: comparable(resolveExpression(input, scope), 'order'), descending, nullsFirst }
}

function frameOf(
  e: UnresolvedOver,
  given: UnresolvedFrame,
  call: AggregateCall | RankingCall,
  orderBy: readonly SortOrder[],
  scope: Scope,
): WindowFrame {
  if (call.kind === 'ranking' && ranking[call.name]!.frame !== 'any') {
    const { start, end } = given
    const isRows = given.unit === 'rows' && start.kind === 'unbounded-preceding' && end.kind === 'current-row'
    if (!isRows || ranking[call.name]!.frame !== 'running')
      throw wrongFrame(e, `${call.name} has a frame of its own`, 'leave the frame out')
    return { unit: 'rows', start: { kind: 'unbounded-preceding' }, end: { kind: 'current-row' } }
  }
  const hasOffset = 'offset' in given.start || 'offset' in given.end
  if (given.unit === 'range' && hasOffset) checkRange(e, orderBy)
  const bound = (b: FrameBound<UnresolvedExpression>): FrameBound<Expression> =>
    'offset' in b
      ? { kind: b.kind, offset: frameOffset(e, resolveExpression(b.offset, { ...scope, fields: [] }), given.unit, orderBy[0]) }
      : b
  const [start, end] = [bound(given.start), bound(given.end)]
  if (start.kind === 'unbounded-following' || end.kind === 'unbounded-preceding' || rank(start) > rank(end))
    throw wrongFrame(e, 'the lower bound of its frame is above the upper one', 'swap them')
  return { unit: given.unit, start, end }
}
const rank = ({ kind }: FrameBound<unknown>) =>
  ['unbounded-preceding', 'preceding', 'current-row', 'following', 'unbounded-following'].indexOf(kind)

function checkRange(e: UnresolvedOver, orderBy: readonly SortOrder[]): void {
  if (orderBy.length === 1) return
  throw typeMismatch(
    orderBy.length === 0 ? 'RANGE_FRAME_WITHOUT_ORDER' : 'RANGE_FRAME_MULTI_ORDER',
    `a range window frame with a value boundary needs one order, and "${unresolvedText(e)}" has ${orderBy.length}`,
    'order by one column, or use ROWS',
  )
}

/** The offset in the type that the order's can be moved by. */
function frameOffset(e: UnresolvedOver, offset: Expression, unit: 'rows' | 'range', order: SortOrder | undefined): Expression {
  if (
    offset.kind !== 'literal' &&
    !(offset.kind === 'call' && offset.args.every((arg) => arg.kind === 'literal')) &&
    offset.kind !== 'cast'
  )
    throw wrongFrame(e, `the offset "${expressionText(offset)}" of its frame is no constant`, 'give a number or an interval')
  if (unit === 'rows') {
    if (!isIntegral(offset.type)) throw frameType(e, offset)
    return castTo(offset, 'long')
  }
  const type = order!.expression.type
  if (isNumeric(type) && isNumeric(offset.type)) return castTo(offset, commonTypeOf([type, offset.type]) ?? type)
  if ((isTimestamp(type) || type === 'date') && isInterval(offset.type)) return offset
  if (type === 'date' && offset.kind === 'literal' && isIntegral(offset.type))
    return literal(BigInt(offset.value as number) * 86_400_000_000n, 'interval day')
  if (isInterval(type) && isInterval(offset.type) && isDayTime(type) === isDayTime(offset.type)) return offset
  throw frameType(e, offset)
}
function frameType(e: UnresolvedOver, offset: Expression): InvalidQueryError {
  return typeMismatch(
    'SPECIFIED_WINDOW_FRAME_UNACCEPTED_TYPE',
    `the offset "${expressionText(offset)}" of type ${quoteType(offset.type)} does not fit the frame of "${unresolvedText(e)}"`,
    'a ROWS frame counts rows; a RANGE frame moves the value that the window is ordered by',
  )
}
function wrongFrame(e: UnresolvedOver, why: string, todo: string): InvalidQueryError {
  return new InvalidQueryError('DATATYPE_MISMATCH.SPECIFIED_WINDOW_FRAME_INVALID_BOUND', { what: `${why}: "${unresolvedText(e)}"`, todo })
}
