import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { notSupportedYet } from './analysis-errors.ts'
import { type AggregateItem, resolveAggregate, resolveKey } from './analyze-aggregate.ts'
import { expand } from './analyze-unpivot.ts'
import type { Expression, NamedExpression } from './expression.ts'
import { childrenOf, expressionText, mapChildren, sameExpression } from './expression-tree.ts'
import { literal } from './functions.ts'
import type { Aggregate, ExpandColumn, LogicalPlan, Project } from './logical-plan.ts'
import { checkGroupedNames, checkOneWindow, fieldFor, isSession, namedColumn, projectNamed } from './named-columns.ts'
import { columnRef } from './resolve.ts'

export interface GroupingItems {
  readonly keys: readonly AggregateItem[]
  /** Each set as numbers of keys. */
  readonly sets: readonly (readonly number[])[]
  readonly items: readonly AggregateItem[]
}

/** The sets of rollup: all keys, all but the last, …, none. */
export function rollupSets(keyCount: number): number[][] {
  return Array.from({ length: keyCount + 1 }, (_, i) => Array.from({ length: keyCount - i }, (_, key) => key))
}

const maxCubeKeys = 12
/** The sets of cube: every subset of the keys. */
export function cubeSets(keyCount: number): number[][] {
  if (keyCount > maxCubeKeys) throw tooManyKeys(`a cube of ${keyCount} keys has ${2 ** keyCount} grouping sets`, maxCubeKeys)
  return Array.from({ length: 2 ** keyCount }, (_, bits) =>
    Array.from({ length: keyCount }, (_, key) => key).filter((key) => (bits & (1 << (keyCount - 1 - key))) === 0),
  )
}
function tooManyKeys(what: string, max: number): InvalidQueryError {
  return new InvalidQueryError('GROUPING_SIZE_LIMIT_EXCEEDED', { what, todo: `use at most ${max} keys, or name the sets that you need` })
}

/**
 * Aggregates once for each set of keys; a key that is not in the set is null. Each row goes in once for each set, so that the aggregation
 * itself is an ordinary one. Items may use grouping(key) (1 where the key is not in the set, else 0) and grouping_id().
 */
export function groupingSets(input: LogicalPlan, { keys: keyItems, sets, items }: GroupingItems): Project {
  if (keyItems.length > 64) throw tooManyKeys(`${keyItems.length} grouping keys`, 64)
  const { fields } = input.schema
  const keys = keyItems.map((item) => resolveKey(item, fields))
  checkOneWindow(keys.map((key) => key.expression))
  if (keys.some((key) => isSession(key.expression, fields)))
    throw notSupportedYet('a session window in rollup, cube or grouping sets', 'write a groupBy for each set of keys, and union them')
  const aggregates = items.map((item) => resolveAggregate(item, keys, fields, true))
  checkGroupedNames(keys, aggregates)

  const calls = groupingCalls(aggregates)
  const withKeys = projectNamed(input, [...fields.map(namedColumn), ...keys])
  const hidden: ExpandColumn[] = [
    // a set that is given twice gives its groups twice
    { name: 'grouping_set', expressions: sets.map((_, i) => literal(i, 'int')) },
    ...calls.map((call) => ({ name: expressionText(call), expressions: sets.map((set) => groupingValue(call, set, keys)) })),
  ]
  const copies = expand(
    withKeys,
    sets.length,
    [
      ...fields.map((field, i) => ({ name: field.name, expressions: [columnRef(field, i)], ...markOf(field) })),
      ...keys.map((key, k) => keyCopies(key, k, withKeys.schema.fields.length - keys.length + k, sets)),
      ...hidden,
    ],
    'grouping sets',
  )
  const keyColumns = copies.schema.fields.slice(fields.length).map((field, i) => namedColumn(field, fields.length + i))
  const replaced = aggregates.map((column) => ({ ...column, expression: overCopies(column.expression, keys, calls, keyColumns) }))
  const aggregate: Aggregate = {
    kind: 'aggregate',
    input: copies,
    keys: keyColumns,
    aggregates: replaced,
    schema: new Schema([...keyColumns, ...replaced].map((column) => fieldFor(column, copies.schema.fields))),
  }
  return projectNamed(
    aggregate,
    aggregate.schema.fields.flatMap((field, i) =>
      i >= keys.length && i < keys.length + hidden.length ? [] : [{ ...namedColumn(field, i), name: field.name }],
    ),
  )
}

function markOf({ watermarkDelayMs }: { readonly watermarkDelayMs?: number }) {
  return watermarkDelayMs === undefined ? {} : { watermarkDelayMs }
}

function keyCopies(key: NamedExpression, k: number, index: number, sets: GroupingItems['sets']): ExpandColumn {
  const { type, nullable } = key.expression
  const column: Expression = { kind: 'column', name: key.name, index, type, nullable }
  const expressions = sets.map((set): Expression => (set.includes(k) ? column : { kind: 'literal', value: null, type, nullable: true }))
  return { name: key.name, expressions, ...markOf(key) }
}

/** grouping(…) and grouping_id(…), each once. */
function groupingCalls(aggregates: readonly NamedExpression[]): Expression[] {
  const found: Expression[] = []
  const visit = (e: Expression) => {
    if (isGrouping(e) && !found.some((other) => sameExpression(other, e))) found.push(e)
    else childrenOf(e).forEach(visit)
  }
  for (const { expression } of aggregates) visit(expression)
  return found
}
function isGrouping(e: Expression): e is Extract<Expression, { kind: 'call' }> {
  return e.kind === 'call' && (e.name === 'grouping' || e.name === 'grouping_id')
}

function groupingValue(e: Expression, set: readonly number[], keys: readonly NamedExpression[]): Expression {
  if (!isGrouping(e)) throw new Error('not a grouping call')
  const at = e.args.map((arg) => keys.findIndex((key) => sameExpression(key.expression, arg)))
  if (e.name === 'grouping') {
    if (at.includes(-1))
      throw new InvalidQueryError('GROUPING_COLUMN_MISMATCH', {
        what: `the column of grouping (${e.args.map(expressionText).join(', ')}) is not among the grouping columns (${keyTexts(keys)})`,
        todo: 'ask for one of the grouping columns',
      })
    return literal(set.includes(at[0]!) ? 0 : 1, 'byte')
  }
  if (e.args.length > 0 && (at.length !== keys.length || at.some((key, i) => key !== i)))
    throw new InvalidQueryError('GROUPING_ID_COLUMN_MISMATCH', {
      what: `the columns of grouping_id (${e.args.map(expressionText).join(', ')}) do not match the grouping columns (${keyTexts(keys)})`,
      todo: 'leave its arguments out: grouping_id()',
    })
  return literal(
    keys.reduce((bits, _, k) => bits * 2n + (set.includes(k) ? 0n : 1n), 0n),
    'long',
  )
}
function keyTexts(keys: readonly NamedExpression[]): string {
  return keys.map((key) => expressionText(key.expression)).join(', ')
}

/** An item over the copies: outside of aggregates a key is its column there, which is null where it is not in the set. */
function overCopies(
  e: Expression,
  keys: readonly NamedExpression[],
  calls: readonly Expression[],
  columns: readonly NamedExpression[],
): Expression {
  if (e.kind === 'aggregate') return e
  const call = isGrouping(e) ? calls.findIndex((other) => sameExpression(other, e)) : -1
  if (call >= 0) return columns[keys.length + 1 + call]!.expression
  const key = keys.findIndex((candidate) => sameExpression(candidate.expression, e))
  if (key >= 0) return columns[key]!.expression
  return mapChildren(e, (child) => overCopies(child, keys, calls, columns))
}
