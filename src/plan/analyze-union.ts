import { InvalidQueryError } from '../base/errors.ts'
import { Schema } from '../data/schema.ts'
import { type DataType, type Field, sameType } from '../data/types.ts'
import { notAmong, quoteType } from './analysis-errors.ts'
import { castTo, commonTypeOf } from './coercion.ts'
import type { LogicalPlan, Union } from './logical-plan.ts'
import { namedColumn, projectNamed } from './named-columns.ts'
import { columnRef, sameName } from './resolve.ts'
import { ordinal } from './signatures.ts'

/** All rows of all inputs, columns taken by position; names are the first input's. Types that differ are widened to the type they have in common. */
export function union(inputs: readonly [LogicalPlan, ...LogicalPlan[]]): Union {
  const flat = inputs.flatMap((input): readonly LogicalPlan[] => (input.kind === 'union' ? input.inputs : [input]))
  const cast = toCommonTypes('UNION', flat)
  const fields = cast[0]!.schema.fields.map(
    (field, i): Field => ({
      ...field,
      type: commonColumnType('UNION', cast, i), // what may be null inside of it may differ
      nullable: cast.some((input) => input.schema.fields[i]!.nullable),
    }),
  )
  return { kind: 'union', inputs: cast, schema: new Schema(fields) }
}

/**
 * All rows of both, columns taken by name: the left side's order. With `allowMissing` a column that one side lacks is null there (those of the
 * right side stand at the end); without, it is UNRESOLVED_COLUMN_AMONG_FIELD_NAMES.
 */
export function unionByName(left: LogicalPlan, right: LogicalPlan, allowMissing: boolean): Union {
  checkNoDuplicates(left, 'left')
  checkNoDuplicates(right, 'right')
  const names = left.schema.names
  const added = allowMissing ? right.schema.names.filter((name) => !names.some((own) => sameName(own, name))) : []
  const all = [...names, ...added]
  const named = [byName(left, right, all, allowMissing), byName(right, left, all, allowMissing)] as const
  if (!allowMissing) checkWidth('UNION', right, 1, names.length)
  return union(named)
}

function byName(input: LogicalPlan, other: LogicalPlan, names: readonly string[], allowMissing: boolean): LogicalPlan {
  const { fields } = input.schema
  if (names.length === fields.length && names.every((name, i) => sameName(name, fields[i]!.name))) return input
  return projectNamed(
    input,
    names.map((name) => {
      const index = fields.findIndex((field) => sameName(field.name, name))
      if (index >= 0) return namedColumn(fields[index]!, index)
      if (!allowMissing) throw notAmong(name, fields, byNameTodo)
      const type = other.schema.fields.find((field) => sameName(field.name, name))!.type
      return { name, expression: { kind: 'literal', value: null, type, nullable: true } }
    }),
  )
}

const byNameTodo = 'give both sides the same names, or say unionByName(other, true) to have nulls where a column is missing'

function checkNoDuplicates({ schema: { names } }: LogicalPlan, side: string): void {
  const twice = names.find((name, i) => names.findIndex((other) => sameName(other, name)) !== i)
  if (twice === undefined) return
  throw new InvalidQueryError('AMBIGUOUS_REFERENCE', {
    what: `unionByName takes columns by name, and the ${side} side has several named \`${twice}\``,
    todo: 'rename or drop one of them first',
  })
}

/** The inputs with as many columns, of types that they have in common. `operation` is the word of the errors. */
export function toCommonTypes(operation: string, inputs: readonly LogicalPlan[]): readonly LogicalPlan[] {
  const width = inputs[0]!.schema.fields.length
  inputs.forEach((input, i) => {
    checkWidth(operation, input, i, width)
  })
  const types = inputs[0]!.schema.fields.map((_, column) => commonColumnType(operation, inputs, column))
  return inputs.map((input) => withTypes(input, types))
}

function checkWidth(operation: string, input: LogicalPlan, index: number, width: number): void {
  const own = input.schema.fields.length
  if (own === width) return
  throw new InvalidQueryError('NUM_COLUMNS_MISMATCH', {
    what: `${operation} can only be performed on inputs with the same number of columns, but the first input has ${width} columns and the ${ordinal(index)} input has ${own} columns`,
    todo: 'select the same columns, in the same order, on each side',
  })
}

function commonColumnType(operation: string, inputs: readonly LogicalPlan[], column: number): DataType {
  const types = inputs.map((input) => input.schema.fields[column]!.type)
  const common = commonTypeOf(types)
  if (common !== undefined) return common
  const other = types.findIndex((type) => commonTypeOf([types[0]!, type]) === undefined)
  throw new InvalidQueryError('INCOMPATIBLE_COLUMN_TYPE', {
    what: `${operation} needs compatible types, but the ${ordinal(column)} column is ${quoteType(types[other]!)} in the ${ordinal(other)} input and ${quoteType(types[0]!)} in the first`,
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
