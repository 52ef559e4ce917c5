import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { type Field, typeText } from '../data/types.ts'
import { distinct } from './analyze.ts'
import { join } from './analyze-join.ts'
import { toCommonTypes } from './analyze-union.ts'
import { isOrderable } from './coercion.ts'
import { conjunction } from './expression-tree.ts'
import { resolveCall } from './functions.ts'
import { isStreaming, type LogicalPlan, type SetOperation } from './logical-plan.ts'
import { columnRef } from './resolve.ts'

export type SetOperationWord = SetOperation['operation']

/**
 * Rows of the left side that are, or are not, among the right side's, columns taken by position; nulls are equal to each other here. Without
 * `all` each row is there once; with it as often as it is left: the smaller count of both (intersect), the left less the right (except).
 */
export function setOperation(operation: SetOperationWord, left: LogicalPlan, right: LogicalPlan, all: boolean): LogicalPlan {
  const word = `${operation.toUpperCase()}${all ? ' ALL' : ''}`
  const [l, r] = toCommonTypes(word, [left, right]) as [LogicalPlan, LogicalPlan]
  checkComparable(word, l)
  if (operation === 'except' && !all && isStreaming(l) && !isStreaming(r)) return exceptOfStream(l, r)
  const fields = l.schema.fields.map(
    (field, i): Field => ({
      ...field,
      nullable: operation === 'intersect' ? field.nullable && r.schema.fields[i]!.nullable : field.nullable,
    }),
  )
  return { kind: 'set-operation', operation, all, left: l, right: r, schema: new Schema(fields) }
}

function checkComparable(word: string, plan: LogicalPlan): void {
  const map = plan.schema.fields.find((field) => !isOrderable(field.type))
  if (!map) return
  throw new InvalidQueryError('UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE', {
    what: `${word} can't compare the column \`${map.name}\` of type ${typeText(map.type)}`,
    todo: 'drop it first, or turn it into arrays with map_keys and map_values',
  })
}

/** Spark's own rewriting, which a stream can run where distinct can: each row once that has no equal in the table. */
function exceptOfStream(left: LogicalPlan, right: LogicalPlan): LogicalPlan {
  const count = left.schema.fields.length
  const joined = join(left, right, null)
  const condition = conjunction(
    left.schema.fields.map((field, i) => resolveCall('<=>', [columnRef(field, i), columnRef(right.schema.fields[i]!, count + i)])),
  )
  return { ...distinct({ ...joined, how: 'anti', condition, schema: left.schema }), isExcept: true }
}
