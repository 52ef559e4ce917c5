/** Names in queries: which relation's column one means, and expressions by parts. */
import { InvalidQueryError } from '../../base/errors.ts'
import type { Field } from '../../data/types.ts'
import type { Expression, UnresolvedExpression } from '../expression.ts'
import { findFunction } from '../functions.ts'
import { resolveExpression } from '../resolve.ts'
import { mapUnresolved, someUnresolved, unresolvedChildren } from '../unresolved-tree.ts'

/** What the expression means over these columns; undefined where a column is not among them. */
export function resolvedOver(e: UnresolvedExpression, fields: readonly Field[]): Expression | undefined {
  try {
    return resolveExpression(e, { fields })
  } catch (error) {
    if (isUnresolvedColumn(error)) return undefined
    throw error
  }
}
export function isUnresolvedColumn(error: unknown): error is InvalidQueryError {
  return error instanceof InvalidQueryError && (error.code.startsWith('UNRESOLVED_COLUMN') || error.code === 'CANNOT_RESOLVE_STAR_EXPAND')
}
/** Whether every name in it is a column of these: types aside, so that it may still be wrong. */
export function isOver(e: UnresolvedExpression, fields: readonly Field[]): boolean {
  try {
    return resolvedOver(e, fields) !== undefined
  } catch {
    return true
  }
}

export function conjunctsOf(e: UnresolvedExpression): UnresolvedExpression[] {
  return e.kind === 'call' && e.name === 'and' ? e.args.flatMap(conjunctsOf) : [e]
}
export function allOf(parts: readonly UnresolvedExpression[]): UnresolvedExpression {
  return parts.reduce((a, b): UnresolvedExpression => ({ kind: 'call', name: 'and', args: [a, b] }))
}

export function hasSubquery(e: UnresolvedExpression): boolean {
  return someUnresolved(e, (x) => x.kind === 'subquery')
}
export function isAggregateCall(e: UnresolvedExpression): boolean {
  if (e.kind !== 'call') return false
  return e.withinGroup !== undefined || e.name === 'grouping' || e.name === 'grouping_id' || findFunction(e.name)?.kind === 'aggregate'
}
/** Whether it holds an aggregate over the rows of a group; those before OVER are over rows of a window. */
export function hasAggregateCall(e: UnresolvedExpression): boolean {
  if (e.kind === 'over') return [...unresolvedChildren(e.call), ...e.partitionBy, ...e.orderBy].some(hasAggregateCall)
  return isAggregateCall(e) || unresolvedChildren(e).some(hasAggregateCall)
}

/** The expression in a condition of a join: names of the inner relation are of its right side, all others that the outer one has of its left side. */
export function onSides(e: UnresolvedExpression, outer: readonly Field[], inner: readonly Field[]): UnresolvedExpression {
  if (e.kind !== 'attribute' || e.side !== undefined) return mapUnresolved(e, (child) => onSides(child, outer, inner))
  if (isOver(e, inner)) return { ...e, side: 'right' }
  return isOver(e, outer) ? { ...e, side: 'left' } : e
}
/** Whether a name in it is one of the outer relation's only. */
export function readsOuter(e: UnresolvedExpression, outer: readonly Field[], inner: readonly Field[]): boolean {
  return someUnresolved(e, (x) => x.kind === 'attribute' && !isOver(x, inner) && isOver(x, outer))
}
export function readsInner(e: UnresolvedExpression, inner: readonly Field[]): boolean {
  return someUnresolved(e, (x) => x.kind === 'attribute' && isOver(x, inner))
}

export function withoutAlias(e: UnresolvedExpression): UnresolvedExpression {
  return e.kind === 'alias' ? e.input : e
}
/** The number that a constant stands for, as ORDER BY 2 and LIMIT have it. */
export function integerOf(e: UnresolvedExpression): number | undefined {
  if (e.kind !== 'literal') return undefined
  if (typeof e.value !== 'number' && typeof e.value !== 'bigint') return undefined
  return e.type === 'int' || e.type === 'long' || e.type === 'short' || e.type === 'byte' ? Number(e.value) : undefined
}
