/**
 * Builders of analysed plan nodes: each takes analysed inputs and unresolved expressions, looks up every name, types every expression and
 * throws InvalidQueryError under Spark's error class where that can't be done. Joins are in analyze-join.ts, unions in analyze-union.ts,
 * aggregation in analyze-aggregate.ts.
 */
import { InvalidQueryError } from '../base/errors.ts'
import type { ColumnBatch } from '../data/column-batch.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, typeText } from '../data/types.ts'
import { notAmong, quoteType, typeMismatch, unresolvedColumn } from './analysis-errors.ts'
import { extractGenerator } from './analyze-generate.ts'
import { extractWindows, hasOver } from './analyze-window.ts'
import { isOrderable, isTimestamp } from './coercion.ts'
import type { Expression, NamedExpression, SortOrder, UnresolvedExpression } from './expression.ts'
import { expressionText, hasAggregate, hasWindow, isDeterministic } from './expression-tree.ts'
import { refuseGenerator } from './generators.ts'
import { parseWatermarkDelayMs } from './intervals.ts'
import {
  type BatchScan,
  type Deduplicate,
  type Distinct,
  type Filter,
  isStreaming,
  type Limit,
  type LocalRelation,
  type LogicalPlan,
  type Offset,
  type Project,
  type Sort,
  type StreamScan,
  type SubqueryAlias,
  type Watermark,
} from './logical-plan.ts'
import { asCondition, checkDistinctNames, named, namedColumn, projectNamed } from './named-columns.ts'
import { nameOf, parseName, resolveExpression, sameName, starColumns, unresolvedText } from './resolve.ts'
import { type WatermarkOptions, watermarkExtras } from './watermark-options.ts'

export { type AggregateItem, groupBy } from './analyze-aggregate.ts'
export { generate } from './analyze-generate.ts'
export { cubeSets, type GroupingItems, groupingSets, rollupSets } from './analyze-grouping-sets.ts'
export { type JoinOn, join } from './analyze-join.ts'
export { checkMetricNames, observe } from './analyze-observe.ts'
export { type PivotValue, pivot } from './analyze-pivot.ts'
export { randomSplit, sample } from './analyze-sample.ts'
export { type SetOperationWord, setOperation } from './analyze-set-operation.ts'
export { union, unionByName } from './analyze-union.ts'
export { unpivot } from './analyze-unpivot.ts'

let tokens = 0
/** Rows of an unbounded table. Each call is a source of its own, unless it is given the token of another. */
export function streamScan(scan: Omit<StreamScan, 'kind' | 'token'> & { readonly token?: string }): StreamScan {
  return { ...scan, kind: 'stream-scan', token: scan.token ?? `source-${++tokens}` }
}
export function batchScan(scan: Omit<BatchScan, 'kind'>): BatchScan {
  return { ...scan, kind: 'scan' }
}
export function localRelation(batch: ColumnBatch): LocalRelation {
  return { kind: 'local', schema: batch.schema, batch }
}

/** A select list: expressions with or without alias, and stars. Aggregates among them are made by groupBy. */
export function project(input: LogicalPlan, list: readonly UnresolvedExpression[]): Project {
  const made = extractGenerator(input, list)
  const { input: below, items } = extractWindows(made.input, list)
  const aliases = new Map<string, Expression>()
  const columns = items.flatMap((e, i) => {
    const found = made.generated(list[i]!) ?? resolveItem(e, input.schema.fields, aliases)
    if (e.kind === 'alias' || e.kind === 'multi-alias') for (const column of found) rememberAlias(aliases, column)
    return found
  })
  return projectNamed(below, columns)
}

/** A column may be used by name further on in its select list, unless it is not the same each time that it is computed. */
function rememberAlias(aliases: Map<string, Expression>, { name, expression }: NamedExpression): void {
  const plain = isDeterministic(expression) && !hasWindow(expression)
  if (plain && !aliases.has(name.toLowerCase())) aliases.set(name.toLowerCase(), expression)
}

/** An output column for each item; a star gives all columns. */
function resolveItem(e: UnresolvedExpression, fields: readonly Field[], aliases?: ReadonlyMap<string, Expression>): NamedExpression[] {
  if (e.kind === 'star')
    return starColumns(e, fields).map((column) => (column.index === undefined ? column : namedColumn(fields[column.index]!, column.index)))
  const expression = resolveExpression(e, aliases === undefined ? { fields } : { fields, aliases })
  if (hasAggregate(expression)) throw aggregateOutside('select', expression)
  return [named(nameOf(e), e, expression, fields)]
}

/** Adds columns, or replaces those of the same name where they stand. All expressions see the input's columns. */
export function withColumns(
  input: LogicalPlan,
  items: readonly { readonly name: string; readonly expression: UnresolvedExpression }[],
): Project {
  checkDistinctNames(items.map((item) => item.name))
  const fields = input.schema.fields
  const list = items.map(({ name, expression }): UnresolvedExpression => ({ kind: 'alias', input: expression, name }))
  const made = extractGenerator(input, list)
  const windowed = extractWindows(made.input, list)
  const fresh = windowed.items.map((e, i) => (made.generated(list[i]!) ?? resolveItem(e, fields))[0]!)
  const kept = fields.map((field, i) => fresh.find((column) => sameName(column.name, field.name)) ?? namedColumn(field, i))
  const added = fresh.filter((column) => !fields.some((field) => sameName(field.name, column.name)))
  return projectNamed(windowed.input, [...kept, ...added])
}

/** The input without the columns of these names. An unknown name is an error (Spark passes over it: docs/differences.md). */
export function drop(input: LogicalPlan, names: readonly string[]): Project {
  const fields = input.schema.fields
  for (const name of names) if (!fields.some((field) => sameName(field.name, name))) throw unresolvedColumn(name, fields)
  return projectNamed(
    input,
    fields.flatMap((field, i) => (names.some((name) => sameName(name, field.name)) ? [] : [namedColumn(field, i)])),
  )
}

/** The input with one column called otherwise. An unknown name is an error, as in drop. */
export function renameColumn(input: LogicalPlan, from: string, to: string): Project {
  const fields = input.schema.fields
  if (!fields.some((field) => sameName(field.name, from))) throw unresolvedColumn(from, fields)
  return projectNamed(
    input,
    fields.map((field, i) => ({ ...namedColumn(field, i), name: sameName(field.name, from) ? to : field.name })),
  )
}

/** The input with these columns called otherwise, all at once. Unknown names are errors, as in drop. */
export function renameColumns(input: LogicalPlan, names: Readonly<Record<string, string>>): Project {
  const fields = input.schema.fields
  for (const name of Object.keys(names)) if (!fields.some((field) => sameName(field.name, name))) throw unresolvedColumn(name, fields)
  const renamed = (name: string) => Object.entries(names).find(([from]) => sameName(from, name))?.[1] ?? name
  return projectNamed(
    input,
    fields.map((field, i) => ({ ...namedColumn(field, i), name: renamed(field.name) })),
  )
}
/** The input with new names for all columns, in order. */
export function renameAll(input: LogicalPlan, names: readonly string[]): Project {
  const fields = input.schema.fields
  if (names.length !== fields.length) {
    throw new InvalidQueryError('ASSIGNMENT_ARITY_MISMATCH', {
      what: `toDF was given ${names.length} names for ${fields.length} columns`,
      todo: 'give a name for each column',
    })
  }
  return projectNamed(
    input,
    fields.map((field, i) => ({ ...namedColumn(field, i), name: names[i]! })),
  )
}

/** The rows for which the condition is true (not false, not null). */
export function filter(input: LogicalPlan, condition: UnresolvedExpression): Filter {
  refuseGenerator(condition, 'where')
  if (hasOver(condition)) {
    throw new InvalidQueryError('WINDOW_FUNCTION_NOT_ALLOWED_IN_CLAUSE', {
      what: `the condition "${unresolvedText(condition)}" holds a window function, which is not allowed in where`,
      todo: 'make it a column first, and filter by that',
    })
  }
  const resolved = resolveExpression(condition, { fields: input.schema.fields })
  if (hasAggregate(resolved)) throw aggregateOutside('where', resolved)
  if (hasWindow(resolved)) {
    throw new InvalidQueryError('INVALID_WHERE_CONDITION', {
      what: `the condition "${expressionText(resolved)}" holds a window`,
      todo: "make the window a column first: withColumn('window', window(…))",
    })
  }
  return filterBy(input, asCondition(resolved, 'DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN', 'where'))
}

export function filterBy(input: LogicalPlan, condition: Expression): Filter {
  return { kind: 'filter', input, condition, schema: input.schema }
}

function aggregateOutside(where: string, e: Expression): InvalidQueryError {
  return where === 'where'
    ? new InvalidQueryError('INVALID_WHERE_CONDITION', {
        what: `the condition "${expressionText(e)}" holds an aggregate function`,
        todo: 'aggregate first, then filter the result',
      })
    : new InvalidQueryError('MISSING_GROUP_BY', {
        what: `"${expressionText(e)}" is an aggregate, and ${where} has no groups`,
        todo: 'write groupBy(…).agg(…), or agg(…) for one row over everything',
      })
}

/** Lets the engine forget rows of `input` whose event time is over `delay` behind the newest one seen. `delay` is interval text, a month counts 31 days. */
export function watermark(input: LogicalPlan, name: string, delay: string, options: WatermarkOptions = {}): Watermark {
  const delayMs = parseWatermarkDelayMs(delay)
  const extras = watermarkExtras(input, options)
  const column = resolveExpression({ kind: 'attribute', name }, { fields: input.schema.fields })
  if (column.kind !== 'column') {
    throw new InvalidQueryError('EVENT_TIME_MUST_BE_TOP_LEVEL_COLUMN', {
      what: `the event time of withWatermark must be a top-level column, but "${expressionText(column)}" is a field inside one`,
      todo: `make it a column first: withColumn('${parseName(name).at(-1)}', col('${name}'))`,
    })
  }
  if (!isEventTime(column.type)) {
    throw new InvalidQueryError('EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE', {
      what: `the event time \`${name}\` has the type ${quoteType(column.type)}, and withWatermark needs a timestamp`,
      todo: `cast it first: withColumn('${column.name}', col('${name}').cast('timestamp'))`,
    })
  }
  // one mark a relation: marking a column takes the mark off any other
  const fields = input.schema.fields.map(
    ({ watermarkDelayMs: _, ...field }, i): Field => (i === column.index ? { ...field, watermarkDelayMs: delayMs } : field),
  )
  const callId = ++lastWatermarkCall
  return { kind: 'watermark', input, column: column.name, index: column.index, delayMs, callId, ...extras, schema: new Schema(fields) }
}
let lastWatermarkCall = 0

function isEventTime(type: DataType): boolean {
  if (isTimestamp(type)) return true
  return typeof type !== 'string' && type.kind === 'struct' && type.fields.some((field) => field.name === 'end' && isTimestamp(field.type))
}

/** Gives the relation a name, so that `name.column` finds its columns. */
export function alias(input: LogicalPlan, name: string): SubqueryAlias {
  return { kind: 'alias', input, alias: name, schema: new Schema(input.schema.fields.map((field) => ({ ...field, qualifier: name }))) }
}

/** Sorts by the expressions; without asc() or desc() ascending. Nulls come first ascending and last descending, unless said otherwise. */
export function sort(input: LogicalPlan, order: readonly UnresolvedExpression[]): Sort {
  return { kind: 'sort', input, order: order.map((e) => sortOrder(e, input.schema.fields)), schema: input.schema }
}

function sortOrder(e: UnresolvedExpression, fields: readonly Field[]): SortOrder {
  const { input, descending, nullsFirst } = e.kind === 'sort' ? e : { input: e, descending: false, nullsFirst: true }
  refuseGenerator(input, 'orderBy')
  const expression = resolveExpression(input, { fields })
  if (hasAggregate(expression)) throw aggregateOutside('orderBy', expression)
  if (!isOrderable(expression.type))
    throw typeMismatch(
      'INVALID_ORDERING_TYPE',
      `orderBy does not support ordering on type ${quoteType(expression.type)}`,
      'order by a field or an element',
    )
  return { expression, descending, nullsFirst }
}

/** At most `count` rows. */
export function limit(input: LogicalPlan, count: number): Limit {
  checkRowCount('limit', count)
  return { kind: 'limit', input, count, schema: input.schema }
}
/** All rows but the first `count`. */
export function offset(input: LogicalPlan, count: number): Offset {
  checkRowCount('offset', count)
  return { kind: 'offset', input, count, schema: input.schema }
}

/** INVALID_LIMIT_LIKE_EXPRESSION unless the count is an integer of at least 0. */
export function checkRowCount(method: string, count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return
  const negative = typeof count === 'number' && count < 0
  throw new InvalidQueryError(`INVALID_LIMIT_LIKE_EXPRESSION.${negative ? 'IS_NEGATIVE' : 'DATA_TYPE'}`, {
    what: `${method}(${count}) is no number of rows`,
    todo: 'give an integer of at least 0',
  })
}

/** Each different row once; nulls are equal to each other here. */
export function distinct(input: LogicalPlan): Distinct {
  const map = input.schema.fields.find((field) => !isOrderable(field.type))
  if (map) {
    throw new InvalidQueryError('UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE', {
      what: `distinct can't compare the column \`${map.name}\` of type ${typeText(map.type)}`,
      todo: 'drop it first, or turn it into arrays with map_keys and map_values',
    })
  }
  return { kind: 'distinct', input, schema: input.schema }
}

/** Of the rows that are equal in these columns (all of them, without names) the first one. */
export function deduplicate(input: LogicalPlan, names: readonly string[] | null, withinWatermark = false): Deduplicate {
  const { fields } = input.schema
  const keys = names === null ? [...fields.keys()] : [...new Set(names.flatMap((name) => columnsNamed(name, fields)))]
  const map = keys.map((key) => fields[key]!).find((field) => !isOrderable(field.type))
  if (map) {
    throw new InvalidQueryError('UNSUPPORTED_FEATURE.SET_OPERATION_ON_MAP_TYPE', {
      what: `dropDuplicates can't compare the column \`${map.name}\` of type ${typeText(map.type)}`,
      todo: 'name other columns, or turn it into arrays with map_keys and map_values',
    })
  }
  if (withinWatermark && !isStreaming(input)) {
    throw new InvalidQueryError('UNSUPPORTED_BATCH_OPERATION', {
      what: 'dropDuplicatesWithinWatermark is not supported with batch DataFrames',
      todo: 'use dropDuplicates: a table needs no watermark',
    })
  }
  return { kind: 'deduplicate', input, keys, withinWatermark, schema: input.schema }
}
function columnsNamed(name: string, fields: readonly Field[]): number[] {
  const found = fields.flatMap((field, i) => (sameName(field.name, name) ? [i] : []))
  if (found.length === 0) throw notAmong(name, fields)
  return found
}
