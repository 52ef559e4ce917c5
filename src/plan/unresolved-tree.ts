/** Walking and rewriting expressions whose names are not looked up yet. */
import type { UnresolvedExpression } from './expression.ts'

export function unresolvedChildren(e: UnresolvedExpression): readonly UnresolvedExpression[] {
  switch (e.kind) {
    case 'attribute':
    case 'star':
    case 'literal':
    case 'resolved':
      return []
    case 'over':
      return [e.call, ...e.partitionBy, ...e.orderBy]
    case 'subquery':
      return e.value ? [e.value] : []
    case 'user-call':
      return e.args
    case 'call':
      return [...e.args, ...(e.filter ? [e.filter] : []), ...(e.withinGroup ?? [])]
    case 'case':
      return [...e.branches.flatMap(({ condition, value }) => [condition, value]), ...(e.otherwise ? [e.otherwise] : [])]
    case 'lambda':
      return [e.body]
    case 'named-argument':
      return [e.value]
    default:
      return [e.input]
  }
}

export function mapUnresolved(e: UnresolvedExpression, f: (child: UnresolvedExpression) => UnresolvedExpression): UnresolvedExpression {
  switch (e.kind) {
    case 'attribute':
    case 'star':
    case 'literal':
    case 'resolved':
      return e
    case 'over':
      return { ...e, call: f(e.call), partitionBy: e.partitionBy.map(f), orderBy: e.orderBy.map(f) }
    case 'subquery':
      return e.value ? { ...e, value: f(e.value) } : e
    case 'user-call':
      return { ...e, args: e.args.map(f) }
    case 'call':
      return {
        ...e,
        args: e.args.map(f),
        ...(e.filter ? { filter: f(e.filter) } : {}),
        ...(e.withinGroup ? { withinGroup: e.withinGroup.map(f) } : {}),
      }
    case 'case':
      return {
        ...e,
        branches: e.branches.map(({ condition, value }) => ({ condition: f(condition), value: f(value) })),
        otherwise: e.otherwise && f(e.otherwise),
      }
    case 'lambda':
      return { ...e, body: f(e.body) }
    case 'named-argument':
      return { ...e, value: f(e.value) }
    default:
      return { ...e, input: f(e.input) }
  }
}

export function someUnresolved(e: UnresolvedExpression, fits: (e: UnresolvedExpression) => boolean): boolean {
  return fits(e) || unresolvedChildren(e).some((child) => someUnresolved(child, fits))
}
