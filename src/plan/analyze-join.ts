import { InvalidQueryError } from '../base/errors.ts'
import { nearest } from '../base/suggest.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { commonType } from './coercion.ts'
import type { Expression, UnresolvedExpression } from './expression.ts'
import { conjunction, expressionText, hasAggregate, hasWindow, someExpression } from './expression-tree.ts'
import { resolveCall } from './functions.ts'
import type { Join, JoinType, LogicalPlan } from './logical-plan.ts'
import { asCondition } from './named-columns.ts'
import { columnRef, resolveExpression, sameName } from './resolve.ts'
import { isOverBoth } from './user-calls.ts'

/** What pairs rows: columns of the same name on both sides, a condition (attributes with a `side` look at that side only), or nothing (cross). */
export type JoinOn = { readonly using: readonly string[] } | { readonly condition: UnresolvedExpression } | null

/** Joins two relations. Columns of the side that may be missing become nullable. */
export function join(left: LogicalPlan, right: LogicalPlan, on: JoinOn, how: JoinType = 'inner'): Join {
  if (on === null) {
    if (how === 'cross' || how === 'inner')
      return { kind: 'join', left, right, how: 'cross', condition: null, schema: joinSchema(left, right, 'cross') }
    throw new InvalidQueryError('MISSING_JOIN_CONDITION', {
      what: `a ${how} join needs columns or a condition`,
      todo: "say how rows belong together: join(other, 'id')",
    })
  }
  if ('using' in on) return joinUsing(left, right, on.using, how)
  const condition = resolveCondition(left, right, on.condition, how)
  return { kind: 'join', left, right, how: how === 'cross' ? 'inner' : how, condition, schema: joinSchema(left, right, how) }
}

function resolveCondition(left: LogicalPlan, right: LogicalPlan, e: UnresolvedExpression, how: JoinType): Expression {
  const fields = [...left.schema.fields, ...right.schema.fields]
  const condition = resolveExpression(e, { fields, leftCount: left.schema.fields.length })
  if (hasAggregate(condition) || hasWindow(condition)) {
    throw new InvalidQueryError('UNSUPPORTED_EXPR_FOR_OPERATOR', {
      what: `the join condition "${expressionText(condition)}" holds an aggregate or a window`,
      todo: 'compute it as a column before the join',
    })
  }
  const leftCount = left.schema.fields.length
  if (how !== 'inner' && how !== 'cross' && someExpression(condition, (x) => isOverBoth(x, leftCount))) {
    throw new InvalidQueryError('UNSUPPORTED_FEATURE.PYTHON_UDF_IN_ON_CLAUSE', {
      what: `the condition "${expressionText(condition)}" of a ${how} join calls a user function over columns of both sides`,
      todo: 'compute what it needs as columns of each side first; only an inner join can filter its pairs by such a function',
    })
  }
  return asCondition(condition, 'JOIN_CONDITION_IS_NOT_BOOLEAN_TYPE', 'join')
}

function joinSchema(left: LogicalPlan, right: LogicalPlan, how: JoinType): Schema {
  const ls = left.schema.fields.map((field) => orNull(field, leftMayMiss(how)))
  return new Schema(rightIsLeftOut(how) ? ls : [...ls, ...right.schema.fields.map((field) => orNull(field, rightMayMiss(how)))])
}

/** The key columns come first, once: the left ones, for a right join the right ones, for a full join whichever is there. */
function joinUsing(left: LogicalPlan, right: LogicalPlan, names: readonly string[], how: JoinType): Join {
  if (names.length === 0)
    throw new InvalidQueryError('MISSING_JOIN_CONDITION', {
      what: 'join was given an empty list of columns',
      todo: 'name at least one column that both sides have',
    })
  const pairs = names.map((name) => ({ l: usingColumn(left, name, 'left'), r: usingColumn(right, name, 'right') }))
  const condition = conjunction(pairs.map(({ l, r }) => equalPair(left, right, l, r)))
  const keys = pairs.map(({ l, r }) => keyField(left.schema.fields[l]!, right.schema.fields[r]!, how))
  const ls = left.schema.fields.filter((_, i) => !pairs.some(({ l }) => l === i)).map((field) => orNull(field, leftMayMiss(how)))
  const rs = right.schema.fields.filter((_, i) => !pairs.some(({ r }) => r === i)).map((field) => orNull(field, rightMayMiss(how)))
  const schema = new Schema([...keys, ...ls, ...(rightIsLeftOut(how) ? [] : rs)])
  return { kind: 'join', left, right, how: how === 'cross' ? 'inner' : how, condition, using: keys.map((key) => key.name), schema }
}

function usingColumn(plan: LogicalPlan, name: string, side: string): number {
  const names = plan.schema.names
  const found = names.flatMap((candidate, i) => (sameName(candidate, name) ? [i] : []))
  if (found.length === 1) return found[0]!
  if (found.length > 1)
    throw new InvalidQueryError('AMBIGUOUS_REFERENCE', {
      what: `the ${side} side of the join has ${found.length} columns named \`${name}\``,
      todo: 'rename or drop one of them first',
    })
  throw new InvalidQueryError('UNRESOLVED_USING_COLUMN_FOR_JOIN', {
    what: `USING column \`${name}\` cannot be resolved on the ${side} side of the join`,
    todo: `the ${side} side has: [${(nearest(name, names, 5).length > 0 ? nearest(name, names, 5) : names).map((n) => `\`${n}\``).join(', ')}]`,
  })
}

function equalPair(left: LogicalPlan, right: LogicalPlan, l: number, r: number): Expression {
  return resolveCall('==', [columnRef(left.schema.fields[l]!, l), columnRef(right.schema.fields[r]!, left.schema.fields.length + r)])
}

function keyField(l: Field, r: Field, how: JoinType): Field {
  if (how === 'right') return r
  if (how !== 'full') return l
  return { name: l.name, type: commonType(l.type, r.type)!, nullable: l.nullable || r.nullable }
}

function leftMayMiss(how: JoinType): boolean {
  return how === 'right' || how === 'full'
}
function rightMayMiss(how: JoinType): boolean {
  return how === 'left' || how === 'full'
}
function rightIsLeftOut(how: JoinType): boolean {
  return how === 'semi' || how === 'anti'
}
function orNull(field: Field, mayMiss: boolean): Field {
  return mayMiss && !field.nullable ? { ...field, nullable: true } : field
}
