/** Output columns: names on expressions, and the fields of the schema that they become. */
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { quoteType } from './analysis-errors.ts'
import { castTo } from './coercion.ts'
import type { Expression, NamedExpression, UnresolvedExpression } from './expression.ts'
import { childrenOf, expressionText } from './expression-tree.ts'
import type { LogicalPlan, Project } from './logical-plan.ts'
import { columnRef, sameName } from './resolve.ts'

/** A projection of analysed expressions. */
export function projectNamed(input: LogicalPlan, columns: readonly NamedExpression[]): Project {
  checkOneWindow(columns.map((column) => column.expression))
  const fields = columns.map((column) => fieldFor(column, input.schema.fields))
  return { kind: 'project', input, columns, schema: new Schema(fields) }
}

/** Input column number `index` passed through. */
export function namedColumn(field: Field, index: number): NamedExpression {
  return {
    name: field.name,
    expression: columnRef(field, index),
    ...(field.watermarkDelayMs === undefined ? {} : { watermarkDelayMs: field.watermarkDelayMs }),
  }
}

/** What `written` resolved to, under a name, with the event-time mark that it keeps: a column passed through, a window made of one, a window's
 *  time. Anything computed loses it, also a cast to the type that the column has. */
export function named(name: string, written: UnresolvedExpression, expression: Expression, fields: readonly Field[]): NamedExpression {
  const delay = keepsEventTime(written) ? eventTimeDelay(expression, fields) : undefined
  return { name, expression, ...(delay === undefined ? {} : { watermarkDelayMs: delay }) }
}

function keepsEventTime(e: UnresolvedExpression): boolean {
  if (e.kind === 'alias') return keepsEventTime(e.input)
  return (
    e.kind === 'attribute' ||
    e.kind === 'resolved' ||
    (e.kind === 'call' && ['window', 'session_window', 'window_time'].includes(e.name.toLowerCase()))
  )
}

function eventTimeDelay(e: Expression, fields: readonly Field[]): number | undefined {
  if (e.kind === 'column') return fields[e.index]?.watermarkDelayMs
  if (e.kind === 'window') return eventTimeDelay(e.time, fields)
  return e.kind === 'call' && e.name === 'window_time' ? eventTimeDelay(e.args[0]!, fields) : undefined
}

/** The field that an output column becomes. A column that keeps its name keeps its qualifier. */
export function fieldFor({ name, expression, watermarkDelayMs }: NamedExpression, fields: readonly Field[]): Field {
  const source = expression.kind === 'column' ? fields[expression.index] : undefined
  const qualifier = source?.name === name ? source.qualifier : undefined
  return {
    name,
    type: expression.type,
    nullable: expression.nullable,
    ...(qualifier === undefined ? {} : { qualifier }),
    ...(watermarkDelayMs === undefined ? {} : { watermarkDelayMs }),
    ...(isSession(expression, fields) && { isSession: true }),
  }
}

/** Whether the expression is a session window, or a column of them. */
export function isSession(e: Expression, fields: readonly Field[]): boolean {
  return e.kind === 'column' ? fields[e.index]?.isSession === true : e.kind === 'window' && e.gap !== undefined
}

/** Spark allows one window in an operator: more would multiply the rows. */
export function checkOneWindow(expressions: readonly Expression[]): void {
  const windows = new Set(expressions.flatMap(windowsIn).map(expressionText))
  if (windows.size > 1) {
    throw new InvalidQueryError('MULTIPLE_TIME_WINDOWS', {
      what: `several time windows in one operator would multiply the rows: ${[...windows].join(', ')}`,
      todo: 'use one window in a select or groupBy',
    })
  }
}

function windowsIn(e: Expression): Expression[] {
  return e.kind === 'window' ? [e] : childrenOf(e).flatMap(windowsIn)
}

/** COLUMN_ALREADY_EXISTS where a name is there twice (case aside). */
export function checkDistinctNames(names: readonly string[]): void {
  names.forEach((name, i) => {
    if (names.findIndex((other) => sameName(other, name)) === i) return
    throw new InvalidQueryError('COLUMN_ALREADY_EXISTS', { what: `the column \`${name}\` is given twice`, todo: 'choose another name' })
  })
}

/** Of an aggregation: an aggregate may have the name of a key, as in Spark (`groupBy('count').count()`). */
export function checkGroupedNames(keys: readonly NamedExpression[], aggregates: readonly NamedExpression[]): void {
  for (const columns of [keys, aggregates]) checkDistinctNames(columns.map(({ name }) => name))
}

/** A boolean, or DATATYPE_MISMATCH.<code>. */
export function asCondition(e: Expression, code: string, where: string): Expression {
  if (e.type === 'boolean') return e
  if (e.type === 'void') return castTo(e, 'boolean')
  throw new InvalidQueryError(code, {
    what: `${where} was given "${expressionText(e)}" of type ${quoteType(e.type)}, and needs a boolean`,
    todo: 'compare it with something, or cast it to boolean',
  })
}
