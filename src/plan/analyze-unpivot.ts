import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import type { DataType, Field } from '../data/types.ts'
import { quoteType } from './analysis-errors.ts'
import { castTo, commonTypeOf } from './coercion.ts'
import type { Expression, NamedExpression, UnresolvedExpression } from './expression.ts'
import { expressionText } from './expression-tree.ts'
import { literal } from './functions.ts'
import type { Expand, ExpandColumn, LogicalPlan } from './logical-plan.ts'
import { named, namedColumn } from './named-columns.ts'
import { nameOf, resolveExpression } from './resolve.ts'

/**
 * Columns become rows: for each row one for each of `values`, with the ids, the value's name in the column `variableName` and the value in
 * `valueName`. Without `ids` (null) all columns but the values are ids; without `values` all columns but the ids are values.
 */
export function unpivot(
  input: LogicalPlan,
  ids: readonly UnresolvedExpression[] | null,
  values: readonly UnresolvedExpression[] | null,
  variableName: string,
  valueName: string,
): Expand {
  const { fields } = input.schema
  const written = (list: readonly UnresolvedExpression[]) =>
    list.map((e): NamedExpression => named(nameOf(e), e, resolveExpression(e, { fields }), fields))
  const restOf = (given: readonly NamedExpression[]) => {
    const used = new Set(given.map(({ expression }) => (expression.kind === 'column' ? expression.index : -1)))
    return fields.flatMap((field, i) => (used.has(i) ? [] : [namedColumn(field, i)]))
  }
  const valueColumns = values === null ? restOf(written(ids ?? [])) : written(values)
  const idColumns = ids === null ? restOf(valueColumns) : written(ids)
  if (valueColumns.length === 0) {
    throw new InvalidQueryError('UNPIVOT_REQUIRES_VALUE_COLUMNS', {
      what: 'at least one value column needs to be specified for UNPIVOT, all columns are specified as ids',
      todo: 'name the columns that become rows',
    })
  }
  const type = valueType(valueColumns)
  const columns: ExpandColumn[] = [
    ...idColumns.map(({ name, expression, watermarkDelayMs }) => ({
      name,
      expressions: [expression],
      ...(watermarkDelayMs === undefined ? {} : { watermarkDelayMs }),
    })),
    { name: variableName, expressions: valueColumns.map(({ name }) => literal(name, 'string')) },
    { name: valueName, expressions: valueColumns.map(({ expression }) => castTo(expression, type)) },
  ]
  return expand(input, valueColumns.length, columns, 'unpivot')
}

function valueType(values: readonly NamedExpression[]): DataType {
  const type = commonTypeOf(values.map(({ expression }) => expression.type))
  if (type !== undefined) return type
  throw new InvalidQueryError('UNPIVOT_VALUE_DATA_TYPE_MISMATCH', {
    what: `unpivot value columns must share a least common type, but are ${values.map(({ name, expression }) => `\`${name}\` ${quoteType(expression.type)}`).join(', ')}`,
    todo: 'cast them to one type first',
  })
}

/** Each row in several copies, which differ in the columns that have an expression for each copy. */
export function expand(input: LogicalPlan, copies: number, columns: readonly ExpandColumn[], of: Expand['of']): Expand {
  const fields = columns.map(({ name, expressions, watermarkDelayMs }): Field => {
    const first = expressions[0]!
    const qualifier = onlySource(expressions, name, input.schema.fields)
    return {
      name,
      type: first.type,
      nullable: expressions.some((e) => e.nullable),
      ...(qualifier === undefined ? {} : { qualifier }),
      ...(watermarkDelayMs === undefined ? {} : { watermarkDelayMs }),
    }
  })
  return { kind: 'expand', input, copies, columns, of, schema: new Schema(fields) }
}

function onlySource(expressions: readonly Expression[], name: string, fields: readonly Field[]): string | undefined {
  const texts = new Set(expressions.map(expressionText))
  const first = expressions[0]!
  return texts.size === 1 && first.kind === 'column' && fields[first.index]?.name === name ? fields[first.index]!.qualifier : undefined
}
