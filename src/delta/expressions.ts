/** What users write of conditions and new values, looked up over the columns of an operation. */
import { Column, columnsOf, expressionOf } from '../api/column.ts'
import type { Expr, Literal } from '../api/column-types.ts'
import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { type Field, typeText } from '../data/types.ts'
import { bindUserFunctions, type NamedUserFunctions } from '../plan/bind-user-functions.ts'
import { canStoreAs, castTo } from '../plan/coercion.ts'
import type { Expression, UnresolvedExpression } from '../plan/expression.ts'
import { expressionText, hasAggregate } from '../plan/expression-tree.ts'
import { asCondition } from '../plan/named-columns.ts'
import { columnRef, resolveExpression, sameName } from '../plan/resolve.ts'
import { parseCondition, parseExpression } from '../plan/sql/parse.ts'

// biome-ignore lint/suspicious/noExplicitAny: columns of a table that is known at run time
type Columns = Record<string, any>
/** SQL text, a column, or a function of the table's columns (in a merge: and of the source's). */
// biome-ignore lint/suspicious/noExplicitAny: expressions of every type
export type Condition = string | Expr<any> | ((target: Columns, source: Columns) => Expr<any>)
/** New values by column: SQL text, a column, or another value that is a literal. */
// biome-ignore lint/suspicious/noExplicitAny: expressions of every type
export type Values = Readonly<Record<string, string | Expr<any> | Literal>>
export type ValuesOf = Values | ((target: Columns, source: Columns) => Values)

/** The columns that expressions may name: those of the table, and behind them those of a source. */
export interface Scope {
  readonly fields: readonly Field[]
  readonly targetCount: number
  readonly functions: NamedUserFunctions
}

export function conditionOver(scope: Scope, where: string, given: Condition): Expression {
  const written = typeof given === 'string' ? parseCondition(given) : asUnresolved(where, asked(scope, given))
  return asCondition(resolved(scope, written), 'DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN', where)
}

/** The values that are given, each for the field of the table that it goes into. Text is SQL. InvalidQueryError DELTA_NO_VALUES, UNRESOLVED_COLUMN, DELTA_CONFLICT_SET_COLUMN and what `storedAs` throws. */
export function valuesOver(scope: Scope, where: string, given: ValuesOf, table: Schema): Map<string, Expression> {
  const written: unknown = asked(scope, given)
  const entries = typeof written === 'object' && written !== null && !(written instanceof Column) ? Object.entries(written as Values) : []
  if (entries.length === 0) {
    throw new InvalidQueryError('DELTA_NO_VALUES', {
      what: `${where} was given no values by column`,
      todo: `name the columns: ${where.includes('Insert') ? "{ values: { id: 's.id' } }" : "{ set: { price: 'price * 2' } }"}`,
    })
  }
  const values = new Map<string, Expression>()
  for (const [name, value] of entries) {
    const plain = /^[^.]+\.[^.]+$/.test(name) ? name.slice(name.indexOf('.') + 1) : name
    const field = table.fields.find((each) => sameName(each.name, name)) ?? table.fields.find((each) => sameName(each.name, plain))
    if (!field) {
      throw new InvalidQueryError('DELTA_MERGE_UNRESOLVED_EXPRESSION', {
        what: `${where} sets the column "${name}", which the table does not have`,
        todo: `name one of its columns: ${table.names.join(', ')}`,
      })
    }
    if (values.has(field.name)) {
      throw new InvalidQueryError('DELTA_CONFLICT_SET_COLUMN', {
        what: `${where} sets the column "${field.name}" twice`,
        todo: 'give it one value',
      })
    }
    const expression = typeof value === 'string' ? parseExpression(value) : expressionOf(value)
    values.set(field.name, storedAs(resolved(scope, expression), field, where))
  }
  return values
}

/** A value as an INSERT would store it. InvalidQueryError INVALID_COLUMN_OR_FIELD_DATA_TYPE, DELTA_NOT_NULL_CONSTRAINT_VIOLATED. */
export function storedAs(value: Expression, field: Field, where: string): Expression {
  if (!canStoreAs(value.type, field.type)) {
    throw new InvalidQueryError('INVALID_COLUMN_OR_FIELD_DATA_TYPE', {
      what: `${where} gives the column "${field.name}" of type ${typeText(field.type)} the value "${expressionText(value)}" of type ${typeText(value.type)}`,
      todo: `cast it: cast(… as ${typeText(field.type)})`,
    })
  }
  if (value.nullable && !field.nullable) {
    throw new InvalidQueryError('DELTA_NOT_NULL_CONSTRAINT_VIOLATED', {
      what: `the column "${field.name}" of the table may not be null, and ${where} gives it "${expressionText(value)}", which may`,
      todo: 'say what stands for null: coalesce(…, …)',
    })
  }
  return castTo(value, field.type)
}

function asked(scope: Scope, given: unknown): unknown {
  if (typeof given !== 'function') return given
  const [target, source] = [scope.fields.slice(0, scope.targetCount), scope.fields.slice(scope.targetCount)]
  return (given as (a: unknown, b: unknown) => unknown)(columnsOf(new Schema(target), 'left'), columnsOf(new Schema(source), 'right'))
}

function resolved({ fields, targetCount, functions }: Scope, written: UnresolvedExpression): Expression {
  const e = resolveExpression(bindUserFunctions(written, functions), { fields, leftCount: targetCount })
  if (!hasAggregate(e)) return e
  throw new InvalidQueryError('DELTA_AGGREGATION_NOT_SUPPORTED', {
    what: `"${expressionText(e)}" aggregates, and stands where each row has a value of its own`,
    todo: 'aggregate the source first',
  })
}

function asUnresolved(where: string, value: unknown): UnresolvedExpression {
  if (value instanceof Column) return expressionOf(value)
  throw new InvalidQueryError('NOT_A_COLUMN', {
    what: `${where} was given ${value === null ? 'null' : typeof value}, and needs a condition`,
    todo: "write it as SQL, 't.id = s.id', as a column, or as a function (t, s) => t.id.eq(s.id)",
  })
}

/** What is looked up already, as a part of expressions that are not. */
export function done(expression: Expression): UnresolvedExpression {
  return { kind: 'resolved', expression, text: expressionText(expression) }
}
export function columnAt(fields: readonly Field[], index: number): UnresolvedExpression {
  return done(columnRef(fields[index]!, index))
}
export function columnNamed(fields: readonly Field[], name: string): UnresolvedExpression {
  return columnAt(
    fields,
    fields.findIndex((field) => field.name === name),
  )
}
export function call(name: string, ...args: readonly UnresolvedExpression[]): UnresolvedExpression {
  return { kind: 'call', name, args }
}
export function int(value: number): UnresolvedExpression {
  return { kind: 'literal', value, type: 'int' }
}
export function text(value: string): UnresolvedExpression {
  return { kind: 'literal', value, type: 'string' }
}
export function named(name: string, input: UnresolvedExpression): UnresolvedExpression {
  return { kind: 'alias', input, name }
}
/** The first branch whose condition is true; null counts as false. */
export function choose(
  branches: readonly { readonly condition: UnresolvedExpression; readonly value: UnresolvedExpression }[],
  otherwise: UnresolvedExpression,
): UnresolvedExpression {
  return branches.length === 0 ? otherwise : { kind: 'case', branches, otherwise }
}
/** True where the condition is; null counts as false. */
export function isTrue(condition: UnresolvedExpression): UnresolvedExpression {
  return call('coalesce', condition, { kind: 'literal', value: false, type: 'boolean' })
}
export function not(condition: UnresolvedExpression): UnresolvedExpression {
  return call('not', condition)
}
