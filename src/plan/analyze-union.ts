import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, sameType } from '../data/types.ts'
import { quoteType } from './analysis-errors.ts'
import { castTo, commonTypeOf } from './coercion.ts'
import type { LogicalPlan, Union } from './logical-plan.ts'
import { namedColumn, projectNamed } from './named-columns.ts'
import { columnRef } from './resolve.ts'
import { ordinal } from './signatures.ts'

/** All rows of all inputs, columns taken by position; names are the first input's. Types that differ are widened to the type they have in common. */
export function union(inputs: readonly [LogicalPlan, ...LogicalPlan[]]): Union {
  const flat = inputs.flatMap((input): readonly LogicalPlan[] => (input.kind === 'union' ? input.inputs : [input]))
  const width = inputs[0].schema.fields.length
  flat.forEach((input, i) => {
    checkWidth(input, i, width)
  })
  const types = inputs[0].schema.fields.map((_, column) => commonColumnType(flat, column))
  const cast = flat.map((input) => withTypes(input, types))
  const fields = cast[0]!.schema.fields.map(
    (field, i): Field => ({ ...field, type: types[i]!, nullable: cast.some((input) => input.schema.fields[i]!.nullable) }),
  )
  return { kind: 'union', inputs: cast, schema: new Schema(fields) }
}

function checkWidth(input: LogicalPlan, index: number, width: number): void {
  const own = input.schema.fields.length
  if (own === width) return
  throw new InvalidQueryError('NUM_COLUMNS_MISMATCH', {
    what: `UNION can only be performed on inputs with the same number of columns, but the first input has ${width} columns and the ${ordinal(index)} input has ${own} columns`,
    todo: 'select the same columns, in the same order, on each side',
  })
}

function commonColumnType(inputs: readonly LogicalPlan[], column: number): DataType {
  const types = inputs.map((input) => input.schema.fields[column]!.type)
  const common = commonTypeOf(types)
  if (common !== undefined) return common
  const other = types.findIndex((type) => commonTypeOf([types[0]!, type]) === undefined)
  throw new InvalidQueryError('INCOMPATIBLE_COLUMN_TYPE', {
    what: `UNION needs compatible types, but the ${ordinal(column)} column is ${quoteType(types[other]!)} in the ${ordinal(other)} input and ${quoteType(types[0]!)} in the first`,
    todo: 'cast one of them; columns are taken by position, not by name',
  })
}

function withTypes(input: LogicalPlan, types: readonly DataType[]): LogicalPlan {
  const fields = input.schema.fields
  if (fields.every((field, i) => sameType(field.type, types[i]!))) return input
  return projectNamed(
    input,
    fields.map((field, i) => {
      const column = namedColumn(field, i)
      return sameType(field.type, types[i]!) ? column : { name: column.name, expression: castTo(columnRef(field, i), types[i]!) }
    }),
  )
}
