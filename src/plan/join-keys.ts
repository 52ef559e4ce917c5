import type { Expression } from './expression.ts'
import { columnsRead, conjuncts, shiftColumns } from './expression-tree.ts'
import type { Join } from './logical-plan.ts'

/** An equality between the two sides of a join: `left` over the left input's columns, `right` over the right's (numbered from 0). */
export interface JoinKey {
  readonly left: Expression
  readonly right: Expression
  /** `<=>`: null equals null. */
  readonly nullSafe: boolean
}

/** The equalities in a join's condition, and the other parts of it (over the left columns followed by the right). */
export function joinKeys({ left, condition }: Join): { readonly keys: JoinKey[]; readonly others: Expression[] } {
  const leftCount = left.schema.fields.length
  const keys: JoinKey[] = []
  const others: Expression[] = []
  for (const part of condition === null ? [] : conjuncts(condition)) {
    const key = keyOf(part, leftCount)
    if (key) keys.push(key)
    else others.push(part)
  }
  return { keys, others }
}

function keyOf(part: Expression, leftCount: number): JoinKey | undefined {
  if (part.kind !== 'call' || (part.name !== '==' && part.name !== '<=>')) return undefined
  const [a, b] = part.args as readonly [Expression, Expression]
  const nullSafe = part.name === '<=>'
  const [sideA, sideB] = [sideOf(a, leftCount), sideOf(b, leftCount)]
  if (sideA === 'left' && sideB === 'right') return { left: a, right: shiftColumns(b, -leftCount), nullSafe }
  if (sideA === 'right' && sideB === 'left') return { left: b, right: shiftColumns(a, -leftCount), nullSafe }
  return undefined
}

/** Which side of a join the expression reads; undefined for both or none. */
export function sideOf(e: Expression, leftCount: number): 'left' | 'right' | undefined {
  const columns = [...columnsRead(e)]
  if (columns.length === 0) return undefined
  if (columns.every((index) => index < leftCount)) return 'left'
  return columns.every((index) => index >= leftCount) ? 'right' : undefined
}
