import type { UserFunction } from '../data/user-function.ts'
import type { UnresolvedExpression } from './expression.ts'
import { mapUnresolved } from './unresolved-tree.ts'

/** Functions that an engine knows by name (engine.udf.register), in lower case. */
export type NamedUserFunctions = ReadonlyMap<string, UserFunction>

/** Calls by a registered name become calls of the function: what `expr('cents(price)')`, selectExpr and SQL text say. */
export function bindUserFunctions(e: UnresolvedExpression, functions: NamedUserFunctions): UnresolvedExpression {
  if (functions.size === 0) return e
  const bound = mapUnresolved(e, (child) => bindUserFunctions(child, functions))
  const found = bound.kind === 'call' ? functions.get(bound.name.toLowerCase()) : undefined
  return found && bound.kind === 'call' ? { kind: 'user-call', function: found, args: bound.args } : bound
}
