import { isDeterministic } from './expression-tree.ts'
import type { LogicalPlan } from './logical-plan.ts'
import { inputsOf } from './logical-plan.ts'

/**
 * The plan with equal nodes made one. Rules push a filter into each side of a self-join, and make two nodes of one; as one again its watermark is measured
 * once, and functions of the program are called once. What differs from time to time is left alone: two columns of rand() are two.
 */
export function shareEqualNodes(
  plan: LogicalPlan,
  rebuild: (plan: LogicalPlan, inputs: readonly LogicalPlan[]) => LogicalPlan,
): LogicalPlan {
  const done = new Map<LogicalPlan, LogicalPlan>()
  const known: LogicalPlan[] = []
  const visit = (node: LogicalPlan): LogicalPlan => {
    const before = done.get(node)
    if (before) return before
    const inputs = inputsOf(node)
    const shared = inputs.map(visit)
    const made = shared.every((input, i) => input === inputs[i]) ? node : rebuild(node, shared)
    const equal = isShared(made) ? known.find((other) => isEqualNode(other, made)) : undefined
    if (!equal) known.push(made)
    done.set(node, equal ?? made)
    return equal ?? made
  }
  return visit(plan)
}

/** Nodes of one input that give the same whenever they are asked. */
function isShared(node: LogicalPlan): boolean {
  switch (node.kind) {
    case 'watermark':
      return true
    case 'filter':
      return isDeterministic(node.condition)
    case 'project':
      return node.columns.every(({ expression }) => isDeterministic(expression))
    case 'user-calls':
      return node.calls.every(isDeterministic)
    default:
      return false
  }
}

function isEqualNode(a: LogicalPlan, b: LogicalPlan): boolean {
  const compared = (node: LogicalPlan) => ({ ...node, schema: node.schema.fields, ...(node.kind === 'watermark' && { callId: 0 }) })
  return a.kind === b.kind && isEqual(compared(a), compared(b), 'input')
}

/** Plain data, compared all the way down; `byIdentity` names the property that must be the same object. */
function isEqual(a: unknown, b: unknown, byIdentity?: string): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (!Array.isArray(a) && Object.getPrototypeOf(a) !== Object.prototype) return false
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>]
  const keys = Object.keys(x)
  if (keys.length !== Object.keys(y).length) return false
  return keys.every((key) => (key === byIdentity ? x[key] === y[key] : isEqual(x[key], y[key])))
}
