/** The columns of a relation made to fit a schema, numbered rows, and whether two plans say the same. */
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { Field } from '../data/types.ts'
import { quoteType, unresolvedColumn } from './analysis-errors.ts'
import { canStoreAs, castTo } from './coercion.ts'
import { explainLogical } from './explain.ts'
import type { NamedExpression } from './expression.ts'
import { literal } from './functions.ts'
import { inputsOf, type LogicalPlan, type Project, type WindowFunctions } from './logical-plan.ts'
import { namedColumn, projectNamed } from './named-columns.ts'
import { sameName } from './resolve.ts'

/**
 * The columns in the order, of the types and with the names of the schema; others go, and a nullable one that is missing is null. Values are stored as an INSERT would
 * store them: a number in another number's type, anything plain in text. InvalidQueryError INVALID_COLUMN_OR_FIELD_DATA_TYPE, NULLABLE_COLUMN_OR_FIELD, UNRESOLVED_COLUMN.
 */
export function toSchema(input: LogicalPlan, target: Schema): Project {
  const columns = target.fields.map((field) => stored(input.schema.fields, field))
  return projectNamed(input, columns)
}
function stored(fields: readonly Field[], wanted: Field): NamedExpression {
  const index = fields.findIndex((field) => sameName(field.name, wanted.name))
  if (index < 0) {
    if (!wanted.nullable) throw unresolvedColumn(wanted.name, fields)
    return { name: wanted.name, expression: literal(null, wanted.type) }
  }
  const field = fields[index]!
  if (field.nullable && !wanted.nullable)
    throw new InvalidQueryError('NULLABLE_COLUMN_OR_FIELD', {
      what: `the column \`${field.name}\` may be null, and the schema says that it may not`,
      todo: 'fill the nulls first (fillna), or make it nullable in the schema',
    })
  if (!canStoreAs(field.type, wanted.type))
    throw new InvalidQueryError('INVALID_COLUMN_OR_FIELD_DATA_TYPE', {
      what: `the column \`${field.name}\` is of type ${quoteType(field.type)}, and the schema wants ${quoteType(wanted.type)}`,
      todo: 'cast it to that type first',
    })
  const column = namedColumn(field, index)
  return { ...column, name: wanted.name, expression: castTo(column.expression, wanted.type) }
}

/** The rows with their numbers, from 0, in a last column. */
export function numbered(input: LogicalPlan, name: string): Project {
  const { fields } = input.schema
  const call = { kind: 'ranking', name: 'row_number', args: [], ignoreNulls: false, type: 'long', nullable: false } as const
  const numbers: WindowFunctions = {
    kind: 'window-functions',
    input,
    calls: [{ name: 'row_number()', function: call, partitionBy: [], orderBy: [], type: 'long', nullable: false }],
    schema: new Schema([...fields, { name: 'row_number()', type: 'long', nullable: false }]),
  }
  const number = namedColumn(numbers.schema.fields.at(-1)!, fields.length).expression
  const one = literal(1n, 'long')
  const index = { kind: 'call', name: '-', args: [number, one], type: 'long', nullable: false, deterministic: true } as const
  return projectNamed(numbers, [...fields.map(namedColumn), { name, expression: index }])
}

/** Whether two plans are made of the same steps over the same relations, so that they give the same. */
export function sameSemantics(a: LogicalPlan, b: LogicalPlan): boolean {
  if (a.kind === 'local' || b.kind === 'local') return a === b
  if (a.kind === 'stream-scan' || b.kind === 'stream-scan')
    return a.kind === b.kind && (a as { token: string }).token === (b as { token: string }).token
  const [as, bs] = [inputsOf(a), inputsOf(b)]
  return stepText(a) === stepText(b) && as.length === bs.length && as.every((input, i) => sameSemantics(input, bs[i]!))
}
/** A number that is the same for plans with the same semantics. */
export function semanticHash(plan: LogicalPlan): number {
  let hash = 17
  for (const character of explainLogical(plan)) hash = (Math.imul(hash, 31) + character.codePointAt(0)!) | 0
  return hash
}
function stepText(plan: LogicalPlan): string {
  return `${explainLogical(plan).split('\n')[0]} ${JSON.stringify(plan.schema.fields)}`
}
